//! Lock files: a process holds one while it lives, with its pid written into it. The kernel lets go when it dies.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Whether somebody holds a lock file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockState {
    /// Nobody, or there is no such file.
    Free,
    /// A living process.
    Held {
        /// Its pid, when it has written it.
        pid: Option<u32>,
    },
}

/// Why a lock file could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody holds it.
    #[error("{path} is held by {}", pid.map_or_else(|| "another process".to_owned(), |pid| format!("pid {pid}")))]
    Held {
        /// The file.
        path: PathBuf,
        /// The holder's pid, when it has written it.
        pid: Option<u32>,
    },
    /// It could not be opened or written.
    #[error("taking {path} failed")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// A lock file that this process holds.
#[derive(Debug)]
pub struct LockFile {
    file: File,
    path: PathBuf,
}

/// Asks whether somebody holds a lock file. This takes the lock for a moment, so it is only asked about processes that
/// are not being started just then.
#[must_use]
pub fn probe(path: &Path) -> LockState {
    let Ok(mut file) = OpenOptions::new().read(true).write(true).open(path) else {
        return LockState::Free;
    };
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => LockState::Held { pid: pid_in(&mut file) },
        Ok(()) | Err(TryLockError::Error(_)) => LockState::Free,
    }
}

fn pid_in(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.lines().next()?.trim().parse().ok()
}

// === impl LockFile ===

impl LockFile {
    /// Takes a lock file and writes this process's pid into it, with a further line when there is something to say.
    ///
    /// # Errors
    /// [`LockError::Held`] when another process has it.
    pub fn take(path: &Path, note: &str) -> Result<Self, LockError> {
        let io = |source| LockError::Io { path: path.to_owned(), source };
        loop {
            let mut file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(path)
                .map_err(io)?;
            match file.try_lock() {
                Err(TryLockError::WouldBlock) => {
                    return Err(LockError::Held { path: path.to_owned(), pid: pid_in(&mut file) });
                }
                Err(TryLockError::Error(error)) => return Err(io(error)),
                Ok(()) => {}
            }
            // Whoever held it before may have removed it between our opening and locking it.
            if !is_at(&file, path) {
                continue;
            }
            file.set_len(0).and_then(|()| file.rewind()).map_err(io)?;
            write!(file, "{}\n{note}", std::process::id()).map_err(io)?;
            return Ok(Self { file, path: path.to_owned() });
        }
    }

    /// Removes the file while it is still held, so that nobody can take what is about to vanish.
    ///
    /// # Errors
    /// What the system says.
    pub fn remove(self) -> std::io::Result<()> {
        std::fs::remove_file(&self.path)?;
        drop(self.file);
        Ok(())
    }
}

fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(held), Ok(named)) => (held.dev(), held.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holder_at_a_time_and_its_pid_is_known() {
        let path = std::env::temp_dir().join(format!("qamd-lock-{}", std::process::id()));
        assert_eq!(probe(&path), LockState::Free);
        let lock = LockFile::take(&path, "note").unwrap();
        let ours = Some(std::process::id());
        assert_eq!(probe(&path), LockState::Held { pid: ours });
        assert!(
            matches!(LockFile::take(&path, ""), Err(LockError::Held { pid, .. }) if pid == ours)
        );
        lock.remove().unwrap();
        assert!(!path.exists());
        let again = LockFile::take(&path, "").unwrap();
        drop(again);
        assert_eq!(probe(&path), LockState::Free, "a dead holder's file is free");
        std::fs::remove_file(&path).unwrap();
    }
}

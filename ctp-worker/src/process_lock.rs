//! Files that only one process holds: each carries its holder's pid, and the kernel frees it when the holder dies.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A lock held by this process until it ends or [`ProcessLock::remove`]s it.
#[derive(Debug)]
pub struct ProcessLock {
    path: PathBuf,
    file: File,
}

/// Why a lock is not ours.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process holds it.
    #[error("{} is held by {holder}: it is another {purpose}", path.display())]
    Held {
        /// The file.
        path: PathBuf,
        /// "process 123", as far as it said.
        holder: String,
        /// What its holder is.
        purpose: &'static str,
    },
    /// The file cannot be made or read.
    #[error("the lock {} of the {purpose} cannot be made", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the lock is for.
        purpose: &'static str,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

// === impl ProcessLock ===

impl ProcessLock {
    /// Another process may remove the file between our opening and locking it; so often we open anew.
    const ATTEMPTS_MAX: u32 = 16;

    /// Takes the lock at `path`. `purpose` says what its holder is, for the message.
    ///
    /// # Errors
    /// [`LockError::Held`] names the process that holds it.
    pub fn take(path: &Path, purpose: &'static str) -> Result<Self, LockError> {
        let failed = |source| LockError::File { path: path.to_owned(), purpose, source };
        for _ in 0..Self::ATTEMPTS_MAX {
            let mut file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(path)
                .map_err(failed)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let holder = holder(&mut file);
                    return Err(LockError::Held { path: path.to_owned(), holder, purpose });
                }
                Err(TryLockError::Error(source)) => return Err(failed(source)),
            }
            // Removed by its last holder meanwhile: what we hold is a file that nobody else will find.
            if !is_still_at(&file, path) {
                continue;
            }
            file.set_len(0).map_err(failed)?;
            writeln!(file, "{}", std::process::id()).map_err(failed)?;
            return Ok(Self { path: path.to_owned(), file });
        }
        let busy = std::io::Error::other("it is removed and made again all the time");
        Err(failed(busy))
    }

    /// Removes the file while still holding it, then lets go.
    ///
    /// # Errors
    /// What the system said; the lock is let go all the same.
    pub fn remove(self) -> std::io::Result<()> {
        let removed = std::fs::remove_file(&self.path);
        drop(self.file);
        removed
    }
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let pid =
        file.take(32).read_to_string(&mut text).ok().and_then(|_| text.trim().parse::<u32>().ok());
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

fn is_still_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(held), Ok(found)) => (held.dev(), held.ino()) == (found.dev(), found.ino()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("qamd-lock-{}-{name}", std::process::id()))
    }

    #[test]
    fn the_second_is_told_who_is_the_first() {
        let path = path("second");
        let first = ProcessLock::take(&path, "worker").unwrap();
        let error = ProcessLock::take(&path, "worker").unwrap_err().to_string();
        assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
        first.remove().unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn a_lock_left_by_the_dead_is_taken_over() {
        let path = path("dead");
        std::fs::write(&path, "4000000000 and more").unwrap();
        let lock = ProcessLock::take(&path, "worker").unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, format!("{}\n", std::process::id()));
        lock.remove().unwrap();
    }

    #[test]
    fn a_directory_that_does_not_exist_is_named() {
        let error = ProcessLock::take(Path::new("/nowhere/x.lock"), "worker").unwrap_err();
        assert!(error.to_string().contains("/nowhere/x.lock"), "{error}");
    }
}

//! Lock files: a process holds one while it lives, with its pid written into it, and the kernel lets go when it dies.
//!
//! They are how processes of a fleet know of each other without a word: the holder takes, the others probe.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

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
    /// Another process holds it.
    #[error("{} is held by {}: it is another {purpose}", path.display(), holder(*pid))]
    Held {
        /// The file.
        path: PathBuf,
        /// The holder's pid, when it has written it.
        pid: Option<u32>,
        /// What its holder is.
        purpose: &'static str,
    },
    /// It could not be opened or written.
    #[error("the lock {} of the {purpose} cannot be taken; is its directory there, and ours?", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What its holder is.
        purpose: &'static str,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// A lock file that this process holds. [`LockFile::remove`] takes the file away; a crash leaves it, free.
#[derive(Debug)]
pub struct LockFile {
    file: File,
    path: PathBuf,
}

/// Asks whether somebody holds a lock file. This takes the lock for a moment, so it is only asked about processes that
/// are not being started just then.
#[must_use]
pub fn probe(path: &Path) -> LockState {
    // What is not ours to look at is nobody's of this fleet.
    try_probe(path).unwrap_or(LockState::Free)
}

/// As [`probe`], for files that may be another user's.
///
/// # Errors
/// When the file is there and cannot be opened: nobody can tell then.
pub fn try_probe(path: &Path) -> std::io::Result<LockState> {
    let mut file = match OpenOptions::new().read(true).write(true).open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(LockState::Free),
        opened => opened?,
    };
    Ok(match file.try_lock() {
        Err(TryLockError::WouldBlock) => LockState::Held { pid: pid_in(&mut file) },
        Ok(()) | Err(TryLockError::Error(_)) => LockState::Free,
    })
}

/// The line for whoever reads a lock file, left by its holder or by the one that had it last.
#[must_use]
pub fn note_in(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    text.lines().nth(1).map(str::to_owned)
}

fn pid_in(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.lines().next()?.trim().parse().ok()
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

// === impl LockFile ===

impl LockFile {
    /// Another process may remove the file between our opening and locking it; so often we open anew.
    const ATTEMPTS_MAX: u32 = 16;
    /// So often a lock is found held before its holder is taken for one that keeps it.
    const HELD_LOOKS: u32 = 5;
    const HELD_LOOKS_APART: Duration = Duration::from_millis(5);

    /// Takes a lock file and writes this process's pid into it. `purpose` says what its holder is, for the message.
    ///
    /// # Errors
    /// [`LockError::Held`] names the process that has it.
    pub fn take(path: &Path, purpose: &'static str) -> Result<Self, LockError> {
        Self::take_with(path, purpose, "")
    }

    /// As [`Self::take`], with a line for whoever reads the file.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub fn take_with(path: &Path, purpose: &'static str, note: &str) -> Result<Self, LockError> {
        let failed = |source| LockError::File { path: path.to_owned(), purpose, source };
        for attempt in 0..Self::ATTEMPTS_MAX {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false).mode(0o600);
            let mut file = options.open(path).map_err(failed)?;
            match file.try_lock() {
                Ok(()) => {}
                // Somebody who only asks holds it for a moment as well.
                Err(TryLockError::WouldBlock) if attempt < Self::HELD_LOOKS => {
                    std::thread::sleep(Self::HELD_LOOKS_APART);
                    continue;
                }
                Err(TryLockError::WouldBlock) => {
                    let pid = pid_in(&mut file);
                    return Err(LockError::Held { path: path.to_owned(), pid, purpose });
                }
                Err(TryLockError::Error(source)) => return Err(failed(source)),
            }
            // Removed by its last holder meanwhile: what we hold is a file that nobody else will find.
            if !is_at(&file, path) {
                continue;
            }
            file.set_len(0).and_then(|()| file.rewind()).map_err(failed)?;
            write!(file, "{}\n{note}", std::process::id()).map_err(failed)?;
            return Ok(Self { file, path: path.to_owned() });
        }
        Err(failed(std::io::Error::other("it is removed and made again all the time")))
    }

    /// Removes the file while it is still held, so that nobody can take what is about to vanish; then lets go.
    ///
    /// # Errors
    /// What the system says; the lock is let go all the same.
    pub fn remove(self) -> std::io::Result<()> {
        let removed = std::fs::remove_file(&self.path);
        drop(self.file);
        removed
    }
}

fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(held), Ok(named)) => (held.dev(), held.ino()) == (named.dev(), named.ino()),
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
    fn one_holder_at_a_time_and_its_pid_is_known() {
        let path = path("one");
        assert_eq!(probe(&path), LockState::Free);
        let lock = LockFile::take_with(&path, "worker", "a note").unwrap();
        let ours = std::process::id();
        assert_eq!(probe(&path), LockState::Held { pid: Some(ours) });
        let error = LockFile::take(&path, "worker").unwrap_err();
        assert!(matches!(error, LockError::Held { pid, .. } if pid == Some(ours)));
        let text = format!("{} is held by process {ours}: it is another worker", path.display());
        assert_eq!(error.to_string(), text);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{ours}\na note"));
        assert_eq!(note_in(&path).as_deref(), Some("a note"));
        lock.remove().unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn what_the_dead_left_is_taken_over() {
        let path = path("dead");
        std::fs::write(&path, "4000000000 and more").unwrap();
        assert_eq!(probe(&path), LockState::Free, "a dead holder's file is free");
        let lock = LockFile::take(&path, "worker").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
        lock.remove().unwrap();
    }

    #[test]
    fn a_directory_that_does_not_exist_is_named() {
        let error = LockFile::take(Path::new("/nowhere/x.lock"), "worker").unwrap_err();
        assert!(error.to_string().contains("/nowhere/x.lock"), "{error}");
    }
}

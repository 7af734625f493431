//! One frontend a fleet: the lock file, held for life, with the holder's pid in it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

/// The lock, as long as it lives. [`Lock::remove`] takes the file away too; a crash leaves it, unlocked.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    _file: Flock<File>,
}

/// Why the lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process holds it.
    #[error("a frontend of this fleet runs already: process {holder} holds {path}")]
    Held {
        /// The lock file.
        path: PathBuf,
        /// What stands in it.
        holder: String,
    },
    /// The file cannot be made or written.
    #[error("taking the lock {path} failed; is the runtime directory there, and ours?")]
    File {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

// === impl Lock ===

impl Lock {
    /// Takes the lock and writes our pid into it.
    ///
    /// # Errors
    /// [`LockError::Held`] names the process that has it.
    pub fn take(path: &Path) -> Result<Self, LockError> {
        let failed = |source| LockError::File { path: path.to_owned(), source };
        loop {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false).mode(0o600);
            let file = options.open(path).map_err(failed)?;
            let mut file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(file) => file,
                Err((file, Errno::EWOULDBLOCK)) => {
                    let holder = holder_in(file);
                    return Err(LockError::Held { path: path.to_owned(), holder });
                }
                Err((_, error)) => return Err(failed(error.into())),
            };
            // Its holder may have removed it between our opening and our locking: then ours is nobody's.
            let ours = file.metadata().map_err(failed)?.ino();
            if std::fs::metadata(path).is_ok_and(|there| there.ino() == ours) {
                file.set_len(0).map_err(failed)?;
                writeln!(file, "{}", std::process::id()).map_err(failed)?;
                return Ok(Self { path: path.to_owned(), _file: file });
            }
        }
    }

    /// Removes the file while it is held, then lets go.
    ///
    /// # Errors
    /// What the system said.
    pub fn remove(self) -> io::Result<()> {
        std::fs::remove_file(&self.path)
    }
}

fn holder_in(mut file: File) -> String {
    let mut text = String::new();
    match file.read_to_string(&mut text) {
        Ok(_) if !text.trim().is_empty() => text.trim().to_owned(),
        _ => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_the_first_is_and_removal_frees_the_place() {
        let dir = std::env::temp_dir().join(format!("qamd-lock-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join("ws-frontend.lock");
        let first = Lock::take(&path).unwrap();
        let second = Lock::take(&path).unwrap_err().to_string();
        assert!(second.contains(&format!("process {}", std::process::id())), "{second}");
        first.remove().unwrap();
        assert!(!path.exists());
        Lock::take(&path).unwrap().remove().unwrap();
        std::fs::remove_dir(&dir).unwrap();
        let nowhere = Lock::take(&path).unwrap_err();
        assert!(matches!(nowhere, LockError::File { .. }));
    }
}

//! The directory of a connection's flow files: made if missing, locked while in use.
//!
//! The library ends the process when the directory is missing, and two libraries in one directory spoil each other's
//! files. The files themselves are the library's; they stay when the worker ends.

use std::path::{Path, PathBuf};

use shm_layout::lock_file::{LockError, LockFile};

/// A flow directory that is ours.
#[derive(Debug)]
pub struct FlowDir {
    path: PathBuf,
    lock: LockFile,
}

/// Why a flow directory is not ours.
#[derive(Debug, thiserror::Error)]
pub enum FlowDirError {
    /// It cannot be made.
    #[error("the flow directory {} cannot be made", path.display())]
    Make {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Another worker uses it, or it cannot be written to.
    #[error(transparent)]
    Lock(#[from] LockError),
}

// === impl FlowDir ===

impl FlowDir {
    const LOCK_FILE: &str = "worker.lock";

    /// Makes the directory if need be and locks it.
    ///
    /// # Errors
    /// [`FlowDirError`] names the directory, and the process that uses it.
    pub fn open(path: &Path) -> Result<Self, FlowDirError> {
        let failed = |source| FlowDirError::Make { path: path.to_owned(), source };
        std::fs::create_dir_all(path).map_err(failed)?;
        // The vendor's library gets an absolute path: nobody should wonder relative to what.
        let path = std::path::absolute(path).map_err(failed)?;
        let lock = LockFile::take(&path.join(Self::LOCK_FILE), "worker with this flow directory")?;
        Ok(Self { path, lock })
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Lets go of the directory; the flow files stay.
    ///
    /// # Errors
    /// What the system said about removing the lock's file.
    pub fn close(self) -> std::io::Result<()> {
        self.lock.remove()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_made_locked_and_left_with_its_files() {
        let root = std::env::temp_dir().join(format!("qamd-flow-{}", std::process::id()));
        let path = root.join("a/b");
        let flow = FlowDir::open(&path).unwrap();
        assert!(flow.path().is_absolute());
        std::fs::write(path.join("TradingDay.con"), "x").unwrap();
        assert!(matches!(FlowDir::open(&path), Err(FlowDirError::Lock(LockError::Held { .. }))));
        flow.close().unwrap();
        assert!(path.join("TradingDay.con").exists() && !path.join(FlowDir::LOCK_FILE).exists());
        FlowDir::open(&path).unwrap().close().unwrap();
        std::fs::remove_dir_all(root).unwrap();
    }
}

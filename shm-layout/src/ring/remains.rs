//! What a fleet leaves in shared memory when it is gone.

use std::path::Path;

use super::node::RingError;
use crate::limits::WAKE_READERS_MAX;
use crate::paths::FleetPaths;

/// Removes everything the ring has left: its directory, its files in `/dev/shm`, the wake table and the pipes. Only for
/// a moment when no process of the fleet runs: directory and files belong together, and one without the other is a
/// ring that nobody can open.
///
/// # Errors
/// [`RingError::File`] names the first thing that could not be removed.
pub fn remove_remains(paths: &FleetPaths) -> Result<(), RingError> {
    let shared_memory = Path::new("/dev/shm");
    let prefix = paths.ring_prefix();
    let entries = std::fs::read_dir(shared_memory)
        .map_err(|e| RingError::file("listing", shared_memory, e))?;
    for entry in entries.flatten() {
        if entry.file_name().as_encoded_bytes().starts_with(prefix.as_bytes()) {
            remove_file(&entry.path())?;
        }
    }
    match std::fs::remove_dir_all(paths.ring_dir()) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(RingError::file("removing", paths.ring_dir(), error));
        }
        _ => {}
    }
    remove_file(&paths.wake_table())?;
    (0..WAKE_READERS_MAX).try_for_each(|slot| remove_file(&paths.wake_pipe(slot)))
}

fn remove_file(path: &Path) -> Result<(), RingError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(RingError::file("removing", path, error))
        }
        _ => Ok(()),
    }
}

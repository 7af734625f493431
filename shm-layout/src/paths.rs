//! Where a fleet's files live.

use std::path::{Path, PathBuf};

use crate::connection_id::ConnectionId;
use crate::instance::Instance;

/// The places of one fleet: its runtime directory and its names in shared memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetPaths {
    instance: Instance,
    runtime_dir: PathBuf,
}

/// What follows a fleet's name and a '_' in `/dev/shm`; the last begins the names of the ring's files.
const CLAIM: &str = "fleet";
const WAKE: &str = "wake";
const DEPTH: &str = "depth";
const RING: &str = "iox2_";

/// Why a runtime directory cannot serve.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FleetPathsError {
    /// Relative paths mean different places to different processes.
    #[error("runtime directory {0:?} must be an absolute path")]
    Relative(PathBuf),
    /// A socket's path has at most 107 bytes.
    #[error(
        "runtime directory {path:?} is too long: with control.sock it may have 107 bytes; set runtime_dir to a shorter one"
    )]
    TooLong {
        /// The directory.
        path: PathBuf,
    },
}

// === impl FleetPaths ===

impl FleetPaths {
    const SOCKET_PATH_BYTES_MAX: usize = 107;

    /// The fleet `instance` with its files in `runtime_dir`.
    ///
    /// # Errors
    /// [`FleetPathsError`] when the directory cannot hold a socket that every process finds.
    pub fn new(instance: Instance, runtime_dir: PathBuf) -> Result<Self, FleetPathsError> {
        if !runtime_dir.is_absolute() {
            return Err(FleetPathsError::Relative(runtime_dir));
        }
        let paths = Self { instance, runtime_dir };
        if paths.control_socket().as_os_str().len() > Self::SOCKET_PATH_BYTES_MAX {
            return Err(FleetPathsError::TooLong { path: paths.runtime_dir });
        }
        Ok(paths)
    }

    /// The usual runtime directory: `/run/<instance>` for root, `$XDG_RUNTIME_DIR/<instance>` when that is set, else
    /// `/tmp/<instance>-<uid>`.
    #[must_use]
    pub fn usual_runtime_dir(
        instance: &Instance,
        uid: u32,
        xdg_runtime_dir: Option<&Path>,
    ) -> PathBuf {
        match xdg_runtime_dir {
            _ if uid == 0 => Self::service_runtime_dir(instance),
            Some(dir) if dir.is_absolute() => dir.join(instance.as_str()),
            _ => PathBuf::from(format!("/tmp/{instance}-{uid}")),
        }
    }

    /// Where a service has the runtime directory of a fleet of this name: `/run/<instance>`.
    #[must_use]
    pub fn service_runtime_dir(instance: &Instance) -> PathBuf {
        Path::new("/run").join(instance.as_str())
    }

    /// True when a fleet of this name has this name in `/dev/shm` for something of its own.
    #[must_use]
    pub fn takes_name(instance: &Instance, name: &str) -> bool {
        let rest = name.strip_prefix(instance.as_str()).and_then(|rest| rest.strip_prefix('_'));
        rest.is_some_and(|rest| [CLAIM, WAKE, DEPTH].contains(&rest) || rest.starts_with(RING))
    }

    /// The fleet's name.
    #[must_use]
    pub const fn instance(&self) -> &Instance {
        &self.instance
    }

    /// The directory of sockets, locks and wake pipes.
    #[must_use]
    pub fn runtime_dir(&self) -> &Path {
        &self.runtime_dir
    }

    /// The coordinator's control socket.
    #[must_use]
    pub fn control_socket(&self) -> PathBuf {
        self.runtime_dir.join("control.sock")
    }

    /// Held by the coordinator that uses this instance's names in shared memory, whatever its runtime directory.
    #[must_use]
    pub fn instance_claim(&self) -> PathBuf {
        Path::new("/dev/shm").join(self.shared_name(CLAIM))
    }

    /// Held by the running coordinator; carries its pid.
    #[must_use]
    pub fn coordinator_lock(&self) -> PathBuf {
        self.runtime_dir.join("coordinator.lock")
    }

    /// Held by the worker of a connection while it lives; carries its pid.
    #[must_use]
    pub fn worker_lock(&self, connection: &ConnectionId) -> PathBuf {
        self.runtime_dir.join(format!("worker-{connection}.lock"))
    }

    /// Held by the WebSocket frontend while it lives; carries its pid.
    #[must_use]
    pub fn frontend_lock(&self) -> PathBuf {
        self.runtime_dir.join("ws-frontend.lock")
    }

    /// The pipe that wakes the reader in a slot of the wake table.
    #[must_use]
    pub fn wake_pipe(&self, slot: usize) -> PathBuf {
        self.runtime_dir.join(format!("wake-{slot}.fifo"))
    }

    /// The shared table of sleeping readers.
    #[must_use]
    pub fn wake_table(&self) -> PathBuf {
        Path::new("/dev/shm").join(self.shared_name(WAKE))
    }

    /// The name in `/dev/shm` of the latest tick of every instrument, see [`crate::depth`].
    #[must_use]
    pub fn depth_name(&self) -> String {
        self.shared_name(DEPTH)
    }

    /// Where iceoryx2 keeps this fleet's service and node files.
    #[must_use]
    pub fn ring_dir(&self) -> PathBuf {
        self.runtime_dir.join("iox2")
    }

    /// What begins the names of this fleet's iceoryx2 files, in `/dev/shm` too, and of nothing else.
    #[must_use]
    pub fn ring_prefix(&self) -> String {
        self.shared_name(RING)
    }

    fn shared_name(&self, word: &str) -> String {
        format!("{}_{word}", self.instance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_directory_depends_on_who_asks() {
        let instance = Instance::default();
        let usual = |uid, xdg: Option<&str>| {
            FleetPaths::usual_runtime_dir(&instance, uid, xdg.map(Path::new))
        };
        assert_eq!(usual(0, Some("/run/user/0")), Path::new("/run/qamd"));
        assert_eq!(usual(1000, Some("/run/user/1000")), Path::new("/run/user/1000/qamd"));
        assert_eq!(usual(1000, None), Path::new("/tmp/qamd-1000"));
        assert_eq!(usual(1000, Some("relative")), Path::new("/tmp/qamd-1000"));
    }

    #[test]
    fn refuses_directories_that_cannot_hold_a_socket() {
        let of = |dir: &str| FleetPaths::new(Instance::default(), dir.into());
        assert!(matches!(of("run/qamd"), Err(FleetPathsError::Relative(_))));
        assert!(matches!(
            of(&format!("/{}", "x".repeat(100))),
            Err(FleetPathsError::TooLong { .. })
        ));
        assert_eq!(of("/run/qamd").unwrap().control_socket(), Path::new("/run/qamd/control.sock"));
    }
}

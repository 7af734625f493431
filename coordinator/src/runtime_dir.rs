//! The runtime directory and the fleet's name: ours alone, before anything is put into them.

use std::ffi::OsString;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use shm_layout::lock_file::{LockError, LockFile, LockState, note_in, probe};
use shm_layout::shared_memory::Place;
use shm_layout::{FleetPaths, Instance};

/// Why a fleet cannot live where it should.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeDirError {
    /// It could not be made or looked at.
    #[error("{doing} the runtime directory {path} failed; set runtime_dir to a directory of yours")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// The directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A file or a symbolic link stands in its place.
    #[error("{0} is not a directory; remove it, or set runtime_dir to another place")]
    NotADirectory(PathBuf),
    /// It belongs to another user.
    #[error(
        "runtime directory {path} belongs to uid {owner}, not to this user (uid {own}); set runtime_dir to a directory of yours"
    )]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who we are.
        own: u32,
    },
    /// Others may write into it.
    #[error("others may write into runtime directory {path} (mode {mode:o}): chmod go-w it")]
    Writable {
        /// The directory.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// A coordinator runs here.
    #[error("instance {instance} runs already{}; ask it with: qamd status", pid.map_or_else(String::new, |pid| format!(", its coordinator is pid {pid}")))]
    RunsAlready {
        /// The fleet.
        instance: Instance,
        /// The coordinator's pid.
        pid: Option<u32>,
    },
    /// The same name is in use from another runtime directory: the two would share their memory by name.
    #[error(
        "instance {instance} runs already, from runtime directory {other}; give this fleet another instance name"
    )]
    NameInUse {
        /// The fleet.
        instance: Instance,
        /// The other directory.
        other: String,
    },
    /// Another fleet fills the Boost segment of this name.
    #[error(
        "{} is filled by the fleet in {other}; give this fleet another qamddata_name (or null, for no such segment)", path.display()
    )]
    SegmentInUse {
        /// The segment.
        path: PathBuf,
        /// The other fleet's runtime directory.
        other: String,
    },
    /// A lock file could not be taken.
    #[error(transparent)]
    Lock(#[from] LockError),
}

/// A fleet's places, held for this coordinator alone.
#[derive(Debug)]
pub struct Premises {
    coordinator: LockFile,
    name: LockFile,
    /// That of the Boost segment, where there is one.
    segment: Option<LockFile>,
    paths: FleetPaths,
}

/// Makes the runtime directory when it is missing, and takes it, the fleet's name and that of its Boost segment for this
/// coordinator.
///
/// # Errors
/// [`RuntimeDirError`] says what stands in the way and what to do.
pub fn take(
    paths: &FleetPaths,
    segment: Option<&Place>,
    own_uid: u32,
) -> Result<Premises, RuntimeDirError> {
    prepare(paths.runtime_dir(), own_uid)?;
    let instance = *paths.instance();
    let coordinator =
        LockFile::take(&paths.coordinator_lock(), "coordinator").map_err(|error| match error {
            LockError::Held { pid, .. } => RuntimeDirError::RunsAlready { instance, pid },
            other => other.into(),
        })?;
    let name = claim(&paths.instance_claim(), "fleet of this name", paths, |other| {
        RuntimeDirError::NameInUse { instance, other }
    });
    let name = match name {
        Ok(name) => name,
        Err(error) => return Err(given_back(error, paths, [coordinator])),
    };
    let segment = segment.map(|place| {
        claim(&place.owner_lock(), "owner of this segment", paths, |other| {
            RuntimeDirError::SegmentInUse { path: place.path().to_owned(), other }
        })
    });
    match segment.transpose() {
        Ok(segment) => Ok(Premises { coordinator, name, segment, paths: paths.clone() }),
        Err(error) => Err(given_back(error, paths, [name, coordinator])),
    }
}

/// Gives back what was taken before a refusal, which is handed on. With processes of an earlier coordinator alive it stays.
fn given_back<const COUNT: usize>(
    refusal: RuntimeDirError,
    paths: &FleetPaths,
    taken: [LockFile; COUNT],
) -> RuntimeDirError {
    if held_locks(paths.runtime_dir()).is_empty() {
        // What cannot be removed is free all the same, and the refusal says more.
        taken.into_iter().for_each(|lock| drop(lock.remove()));
        drop(std::fs::remove_dir(paths.runtime_dir()));
    }
    refusal
}

/// Takes a name in shared memory, by a lock file that says in which runtime directory its fleet lives.
fn claim(
    lock: &Path,
    purpose: &'static str,
    paths: &FleetPaths,
    in_use: impl Fn(String) -> RuntimeDirError,
) -> Result<LockFile, RuntimeDirError> {
    let other = note_in(lock).unwrap_or_default();
    let elsewhere = !other.is_empty() && Path::new(&other) != paths.runtime_dir();
    // Its coordinator may be gone while its processes live on.
    if elsewhere && !held_locks(Path::new(&other)).is_empty() {
        return Err(in_use(other));
    }
    let note = paths.runtime_dir().display().to_string();
    LockFile::take_with(lock, purpose, &note).map_err(|error| match error {
        LockError::Held { .. } => in_use(other),
        error => error.into(),
    })
}

/// The processes of a fleet whose lock files in its runtime directory are held, but for the coordinator's own.
#[must_use]
pub fn held_locks(runtime_dir: &Path) -> Vec<(PathBuf, Option<u32>)> {
    let Ok(entries) = std::fs::read_dir(runtime_dir) else { return Vec::new() };
    let is_lock = |path: &PathBuf| {
        path.extension().is_some_and(|extension| extension == "lock")
            && path.file_name().is_some_and(|name| name != "coordinator.lock")
    };
    let locks = entries.flatten().map(|entry| entry.path()).filter(is_lock);
    let held = |path: PathBuf| match probe(&path) {
        LockState::Held { pid } => Some((path, pid)),
        LockState::Free => None,
    };
    locks.filter_map(held).collect()
}

/// The runtime directory that a service manager made for us: `$RUNTIME_DIRECTORY`, when it names one absolute path.
#[must_use]
pub fn of_service(runtime_directory: Option<OsString>) -> Option<PathBuf> {
    let dir = PathBuf::from(runtime_directory?);
    // Several are separated by colons; which of them would be meant nobody says.
    (dir.is_absolute() && !dir.as_os_str().as_encoded_bytes().contains(&b':')).then_some(dir)
}

fn prepare(dir: &Path, own_uid: u32) -> Result<(), RuntimeDirError> {
    let io = |doing| move |source| RuntimeDirError::Io { doing, path: dir.to_owned(), source };
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).or_else(|error| {
        // What stands there is told apart below.
        if dir.symlink_metadata().is_ok() { Ok(()) } else { Err(io("making")(error)) }
    })?;
    let found = dir.symlink_metadata().map_err(io("looking at"))?;
    if !found.is_dir() {
        return Err(RuntimeDirError::NotADirectory(dir.to_owned()));
    }
    if found.uid() != own_uid {
        return Err(RuntimeDirError::Foreign {
            path: dir.to_owned(),
            owner: found.uid(),
            own: own_uid,
        });
    }
    if found.mode() & 0o022 != 0 {
        return Err(RuntimeDirError::Writable {
            path: dir.to_owned(),
            mode: found.mode() & 0o7777,
        });
    }
    Ok(())
}

// === impl Premises ===

impl Premises {
    /// Leaves after a clean stop: every file of ours, then the locks, then the directory when nothing else is in it.
    ///
    /// # Errors
    /// What the system says of the first thing that could not be removed.
    pub fn leave(self) -> std::io::Result<()> {
        let dir = self.paths.runtime_dir().to_owned();
        let ours = [self.paths.control_socket(), crate::launched::Launched::path(&dir)];
        // Locks of processes that were killed: free, or they would not be gone.
        let dead = std::fs::read_dir(&dir)?.flatten().map(|entry| entry.path()).filter(|path| {
            path.extension().is_some_and(|extension| extension == "lock")
                && *path != self.paths.coordinator_lock()
                && probe(path) == LockState::Free
        });
        for path in ours.into_iter().chain(dead) {
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        self.segment.map_or(Ok(()), LockFile::remove)?;
        self.name.remove()?;
        self.coordinator.remove()?;
        match std::fs::remove_dir(&dir) {
            // Somebody else's files may be in it, and root's /run may not be ours to change.
            Err(error) if error.kind() == std::io::ErrorKind::DirectoryNotEmpty => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Ok(()),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn fleet(name: &str) -> (FleetPaths, u32) {
        let dir = std::env::temp_dir().join(format!("qamd-premises-{name}-{}", std::process::id()));
        let instance = Instance::parse(&format!("t{}-{name}", std::process::id())).unwrap();
        (FleetPaths::new(instance, dir).unwrap(), nix::unistd::geteuid().as_raw())
    }

    #[test]
    fn one_coordinator_at_a_time_and_nothing_stays() {
        let (paths, uid) = fleet("one");
        let premises = take(&paths, None, uid).unwrap();
        let mode = std::fs::metadata(paths.runtime_dir()).unwrap().mode();
        assert_eq!(mode & 0o777, 0o700);
        let ours = Some(std::process::id());
        assert!(
            matches!(take(&paths, None, uid), Err(RuntimeDirError::RunsAlready { pid, .. }) if pid == ours)
        );
        premises.leave().unwrap();
        assert!(!paths.runtime_dir().exists() && !paths.instance_claim().exists());
    }

    #[test]
    fn a_name_in_use_elsewhere_is_refused_even_without_its_coordinator() {
        let (paths, uid) = fleet("two");
        let other =
            FleetPaths::new(*paths.instance(), paths.runtime_dir().with_extension("x")).unwrap();
        let premises = take(&paths, None, uid).unwrap();
        assert!(matches!(take(&other, None, uid), Err(RuntimeDirError::NameInUse { .. })));
        let worker = LockFile::take(&paths.runtime_dir().join("worker-a.lock"), "worker").unwrap();
        drop(premises);
        assert!(matches!(take(&other, None, uid), Err(RuntimeDirError::NameInUse { .. })));
        drop(worker);
        let moved = take(&other, None, uid).unwrap();
        moved.leave().unwrap();
        std::fs::remove_dir_all(paths.runtime_dir()).unwrap();
    }

    #[test]
    fn a_segment_has_one_fleet() {
        let ((one, uid), (two, _)) = (fleet("four"), fleet("five"));
        let place = Place::named(&format!("{}_data", one.instance()));
        let premises = take(&one, Some(&place), uid).unwrap();
        let error = take(&two, Some(&place), uid).unwrap_err();
        let text = error.to_string();
        let dir = one.runtime_dir().display().to_string();
        assert!(text.contains(&dir) && text.contains("qamddata_name"), "{text}");
        assert!(!two.instance_claim().exists() && !two.runtime_dir().exists());
        premises.leave().unwrap();
        assert!(!place.owner_lock().exists());
        let moved = take(&two, Some(&place), uid).unwrap();
        moved.leave().unwrap();
    }

    #[test]
    fn a_service_has_its_directory_from_its_manager() {
        let of = |value: &str| of_service(Some(value.into()));
        assert_eq!(of("/run/qamd"), Some("/run/qamd".into()));
        assert_eq!((of(""), of("run/qamd"), of("/run/a:/run/b")), (None, None, None));
        assert_eq!(of_service(None), None);
    }

    #[test]
    fn refuses_what_others_could_tamper_with() {
        let (paths, uid) = fleet("three");
        let dir = paths.runtime_dir();
        std::fs::write(dir, "").unwrap();
        assert!(matches!(take(&paths, None, uid), Err(RuntimeDirError::NotADirectory(_))));
        std::fs::remove_file(dir).unwrap();
        std::fs::create_dir(dir).unwrap();
        std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o777)).unwrap();
        assert!(matches!(
            take(&paths, None, uid),
            Err(RuntimeDirError::Writable { mode: 0o777, .. })
        ));
        assert!(matches!(take(&paths, None, uid + 1), Err(RuntimeDirError::Foreign { .. })));
        std::fs::remove_dir(dir).unwrap();
    }
}

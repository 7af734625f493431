//! Where a segment lies, how it comes to lie there, and who may open it.

use std::fs::{File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{FallocateFlags, fallocate};
use nix::libc;

use crate::error_text::chain;

/// Who may open a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sharing {
    /// The file's mode.
    pub mode: u32,
    /// Its group, where that is not the process's own.
    pub group: Option<u32>,
}

/// How the owner came by its segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opening {
    /// The one that stood there goes on.
    Reused,
    /// There was none.
    Made,
    /// The one that stood there cannot be used, and why; it was put away.
    Replaced(String),
}

/// A segment's name in shared memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    path: PathBuf,
}

/// Why a segment could not be put, or found, in its place.
#[derive(Debug, thiserror::Error)]
#[error("{doing} the segment {} failed{}", path.display(), remedy(doing, source))]
pub struct PlaceError {
    /// What was tried.
    pub doing: &'static str,
    /// The file.
    pub path: PathBuf,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

/// What follows a segment's name and a dot: the lock of its owner, one that was put away, and, followed by a process's id, one
/// that is being made.
const OWNER: &str = "owner";
const QUARANTINED: &str = "quarantined";
const NEW: &str = "new-";

const GIVING: &str = "giving its group to";

fn remedy(doing: &str, error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull => {
            "; /dev/shm is full: give it more (mount -o remount,size=...), or free some of it (`qamd shm remove` takes what \
             a fleet that does not run has left)"
        }
        io::ErrorKind::PermissionDenied if doing == GIVING => {
            "; only a member of the group, or root, can give it that: add this user to shm_group"
        }
        io::ErrorKind::PermissionDenied => {
            "; it belongs to another user: remove it, or use another name"
        }
        _ => "",
    }
}

// === impl PlaceError ===

impl PlaceError {
    /// True when there is no such file.
    #[must_use]
    pub fn is_not_there(&self) -> bool {
        self.source.kind() == io::ErrorKind::NotFound
    }
}

// === impl Place ===

impl Place {
    /// A file of this name in `/dev/shm`.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self { path: Path::new("/dev/shm").join(name) }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// True for what may be a segment's name: 1 to 100 letters, digits, '_', '-' or '.', which is not the first. It leads
    /// into `/dev/shm` and nowhere else.
    #[must_use]
    pub fn is_name(name: &str) -> bool {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        (1..=100).contains(&name.len()) && name.bytes().all(fits) && !name.starts_with('.')
    }

    /// True for the names of what lies beside segments.
    #[must_use]
    pub fn is_beside(name: &str) -> bool {
        let ends_with = |word| name.strip_suffix(word).is_some_and(|rest| rest.ends_with('.'));
        ends_with(OWNER) || ends_with(QUARANTINED) || name.contains(&format!(".{NEW}"))
    }

    /// The lock file of whoever owns the segment's structure.
    #[must_use]
    pub fn owner_lock(&self) -> PathBuf {
        self.beside(OWNER)
    }

    /// Where a segment goes that cannot be used.
    #[must_use]
    pub fn quarantine(&self) -> PathBuf {
        self.beside(QUARANTINED)
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(".");
        path.push(suffix);
        path.into()
    }

    /// Device and inode of the file that stands there now.
    #[must_use]
    pub fn identity(&self) -> Option<(u64, u64)> {
        let found = std::fs::symlink_metadata(&self.path).ok()?;
        Some((found.dev(), found.ino()))
    }

    /// Opens the segment for reading.
    ///
    /// # Errors
    /// [`PlaceError`]; a symbolic link is refused.
    pub fn open_read(&self) -> Result<File, PlaceError> {
        self.open(OpenOptions::new().read(true))
    }

    /// Opens the segment for reading and writing.
    ///
    /// # Errors
    /// As [`Self::open_read`].
    pub fn open_write(&self) -> Result<File, PlaceError> {
        self.open(OpenOptions::new().read(true).write(true))
    }

    fn open(&self, options: &mut OpenOptions) -> Result<File, PlaceError> {
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
        options.custom_flags(flags).open(&self.path).map_err(|error| self.failed("opening", error))
    }

    /// Makes a file of zeros beside the place, under a name of this process's. `reserved` of its bytes are there for certain;
    /// touching others while `/dev/shm` is full ends the process, so they are to be reserved first. The caller has called
    /// [`Self::clear_asides`].
    ///
    /// # Errors
    /// [`PlaceError`], as when shared memory is full.
    pub fn make_aside(&self, bytes: u64, reserved: u64) -> Result<Aside<'_>, PlaceError> {
        let path = self.beside(&format!("{NEW}{}", std::process::id()));
        let mut options = OpenOptions::new();
        let failed = |error| self.failed("making", error);
        let file = options
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        let aside = Aside { place: self, path, file, settled: false };
        aside.file.set_len(bytes).map_err(failed)?;
        let reserved_at_once = reserve(&aside.file, 0, reserved);
        reserved_at_once
            .or_else(|error| match error.kind() {
                // What was put away last may hold the very memory that is missing.
                io::ErrorKind::StorageFull => {
                    remove_whole(&self.quarantine()).map_err(|_| error)?;
                    reserve(&aside.file, 0, reserved)
                }
                _ => Err(error),
            })
            .map_err(failed)?;
        Ok(aside)
    }

    /// Removes what owners that were killed while they made a segment have left beside the place. The caller is the owner, so
    /// nobody else makes one now.
    pub fn clear_asides(&self) {
        let name = self.beside(NEW);
        let (Some(dir), Some(prefix)) = (name.parent(), name.file_name()) else { return };
        let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
        for entry in entries {
            let found = entry.file_name();
            let rest = found.as_encoded_bytes().strip_prefix(prefix.as_encoded_bytes());
            if rest.is_some_and(|pid| !pid.is_empty() && pid.iter().all(u8::is_ascii_digit)) {
                // Another user's stays; it is in nobody's way but for its memory.
                drop(std::fs::remove_file(entry.path()));
            }
        }
    }

    /// Puts away what stands in the place, under [`Self::quarantine`], where it takes the place of what was put away before.
    /// True when there was something.
    ///
    /// # Errors
    /// [`PlaceError`].
    pub fn put_away(&self) -> Result<bool, PlaceError> {
        let quarantine = self.quarantine();
        let renamed =
            std::fs::rename(&self.path, &quarantine).or_else(|error| match error.kind() {
                // A directory takes no file's place, a file no directory's, and nothing that of a full one.
                io::ErrorKind::IsADirectory
                | io::ErrorKind::NotADirectory
                | io::ErrorKind::DirectoryNotEmpty => {
                    remove_whole(&quarantine)?;
                    std::fs::rename(&self.path, &quarantine)
                }
                _ => Err(error),
            });
        match renamed {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(self.failed("putting away", error)),
        }
    }

    /// Removes the segment and what lies beside it, but for the lock of its owner. Whoever has it mapped keeps what there is.
    ///
    /// # Errors
    /// [`PlaceError`].
    pub fn remove(&self) -> Result<(), PlaceError> {
        for path in [&self.path, &self.quarantine()] {
            match remove_whole(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(self.failed("removing", error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Takes over the segment that stands here, or makes one where there is none or it cannot be used; says which. The caller
    /// is the only one who may. `take_over` says why it does not; `make` ends with [`Aside::settle`].
    ///
    /// # Errors
    /// What `make` says, or [`PlaceError`].
    pub fn occupy<T, E: From<PlaceError>>(
        &self,
        sharing: Sharing,
        take_over: impl FnOnce(&File) -> Result<T, String>,
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<(T, Opening), E> {
        self.clear_asides();
        let opening = match self.open_write() {
            Ok(file) => match take_over(&file) {
                Ok(taken) => {
                    self.share(&file, sharing)?;
                    return Ok((taken, Opening::Reused));
                }
                Err(why) => Opening::Replaced(why),
            },
            Err(error) if error.is_not_there() => Opening::Made,
            Err(error) => Opening::Replaced(chain(&error)),
        };
        Ok((make()?, opening))
    }

    /// Sets mode and group of the segment.
    ///
    /// # Errors
    /// [`PlaceError`].
    pub fn share(&self, file: &File, sharing: Sharing) -> Result<(), PlaceError> {
        let found = file.metadata().map_err(|error| self.failed("looking at", error))?;
        if let Some(group) = sharing.group.filter(|group| *group != found.gid()) {
            std::os::unix::fs::fchown(file, None, Some(group))
                .map_err(|error| self.failed(GIVING, error))?;
        }
        if found.mode() & 0o7777 != sharing.mode {
            file.set_permissions(Permissions::from_mode(sharing.mode))
                .map_err(|error| self.failed("setting the mode of", error))?;
        }
        Ok(())
    }

    /// What the system said of something that was tried here.
    pub(crate) fn failed(&self, doing: &'static str, source: impl Into<io::Error>) -> PlaceError {
        PlaceError { doing, path: self.path.clone(), source: source.into() }
    }
}

/// Removes a file, or a directory with all that is in it.
fn remove_whole(path: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(path)?.is_dir() {
        true => std::fs::remove_dir_all(path),
        false => std::fs::remove_file(path),
    }
}

/// Makes sure that a part of a file has memory.
///
/// # Errors
/// What the system says; `StorageFull` when there is none left.
pub fn reserve(file: &File, offset: u64, bytes: u64) -> io::Result<()> {
    if bytes == 0 {
        return Ok(());
    }
    let number =
        |n: u64| i64::try_from(n).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge));
    let (offset, bytes) = (number(offset)?, number(bytes)?);
    loop {
        match fallocate(file, FallocateFlags::empty(), offset, bytes) {
            Ok(()) => return Ok(()),
            Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// A file that is not in its place yet. It is removed again unless it gets there.
#[derive(Debug)]
pub struct Aside<'a> {
    place: &'a Place,
    path: PathBuf,
    file: File,
    settled: bool,
}

// === impl Aside ===

impl Aside<'_> {
    /// The file.
    #[must_use]
    pub const fn file(&self) -> &File {
        &self.file
    }

    /// Puts it in its place; what stands there is put away first. Whoever opens the name finds either of them, or none for
    /// a moment.
    ///
    /// # Errors
    /// [`PlaceError`].
    pub fn settle(mut self, sharing: Sharing) -> Result<File, PlaceError> {
        self.place.share(&self.file, sharing)?;
        self.place.put_away()?;
        std::fs::rename(&self.path, &self.place.path)
            .map_err(|error| self.place.failed("naming", error))?;
        self.settled = true;
        self.file.try_clone().map_err(|error| self.place.failed("keeping", error))
    }
}

impl Drop for Aside<'_> {
    fn drop(&mut self) {
        if !self.settled {
            // Nobody knows of it but us.
            drop(std::fs::remove_file(&self.path));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_nowhere_but_into_shared_memory() {
        for name in ["qamddata", "qamd-2.night_x", "x"] {
            assert!(Place::is_name(name), "{name}");
        }
        for name in ["", ".", "..", ".x", "../etc/passwd", "/etc/passwd", "a b", "a\n", "螺纹"] {
            assert!(!Place::is_name(name), "{name}");
        }
        assert!(!Place::is_name(&"x".repeat(101)));
    }

    #[test]
    fn what_lies_beside_a_segment_is_known_by_its_name() {
        let place = Place::named("x");
        let name = |path: PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        for beside in [name(place.owner_lock()), name(place.quarantine()), "x.new-7".into()] {
            assert!(Place::is_beside(&beside), "{beside}");
        }
        for other in ["x", "owner", "xowner", "x.owner.y", "x-new-7"] {
            assert!(!Place::is_beside(other), "{other}");
        }
    }
}

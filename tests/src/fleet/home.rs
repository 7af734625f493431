//! A name and a directory that no other test has.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use shm_layout::shared_memory::Place;
use shm_layout::{FleetPaths, Instance};

use super::guardian;

/// A directory under `/tmp` and an instance's name, both made of this process's id and a count. The directory goes when
/// this goes.
#[derive(Debug)]
pub struct Home {
    instance: Instance,
    dir: PathBuf,
}

impl Home {
    /// The next one.
    ///
    /// # Panics
    /// When the directory cannot be made.
    #[must_use]
    #[expect(
        clippy::new_without_default,
        reason = "a default that makes a directory would surprise"
    )]
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let count = NEXT.fetch_add(1, Ordering::Relaxed);
        // Of fixed width, so that no name is the beginning of another.
        let prefix = format!("qt{}", std::process::id());
        let name = format!("{prefix}-{count:03}");
        guardian::start(&prefix);
        // Not the usual temporary directory: a socket's path may have 107 bytes.
        let dir = Path::new("/tmp").join(&name);
        std::fs::create_dir(&dir).expect("a directory of the test's own can be made");
        Self { instance: Instance::parse(&name).expect("the name is one"), dir }
    }

    /// The instance's name.
    #[must_use]
    pub const fn instance(&self) -> &Instance {
        &self.instance
    }

    /// The directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A place in the directory; nothing is made there.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Writes a file into the directory and returns its place.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).expect("a file can be written");
        path
    }

    /// The names in shared memory of the segments of a fleet of this name: depth, and `qamddata`.
    #[must_use]
    pub fn segments(&self) -> [String; 2] {
        [self.fleet_paths().depth_name(), format!("{}_data", self.instance)]
    }

    /// Where a fleet of this name keeps its files.
    ///
    /// # Panics
    /// Never: the directory is short enough.
    #[must_use]
    pub fn fleet_paths(&self) -> FleetPaths {
        FleetPaths::new(self.instance, self.path("run")).expect("the directory is short enough")
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // A test that failed may have left processes that still write here; nothing can be said about it now.
        drop(std::fs::remove_dir_all(&self.dir));
        // Segments outlive their fleet, as readers that have them mapped want it.
        for name in self.segments() {
            drop(Place::named(&name).remove());
        }
    }
}

//! Sleeping and waking: one bit and one pipe a reader.
//!
//! `/dev/shm/<instance>_wake` is one page: a magic number, then a 64-bit mask with one bit for each sleeping reader.
//! A reader owns a slot by holding a lock on the slot's pipe `<runtime_dir>/wake-<slot>.fifo`; the lock dies with it.
//!
//! ```text
//! reader: set bit ─ fence ─ look at the ring once more ─ poll(pipe)
//! writer: publish ─ fence ─ mask == 0? ─ no: take the set bits, write a byte to each pipe
//! ```
//! Either the writer sees the bit or the reader sees the tick. A writer killed between taking a bit and writing the byte
//! leaves that reader asleep, so a reader bounds its wait; the bound is a backstop and not the way ticks travel. A
//! reader that died asleep costs the next writer one failed open.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering, fence};

use nix::fcntl::{Flock, FlockArg};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::node::RingError;
use crate::limits::WAKE_READERS_MAX;
use crate::paths::FleetPaths;
use crate::shared_memory::{ReadWrite, WORD_BYTES};

const TABLE_BYTES: u64 = 4096;
/// "qamdwak" and the version of this layout.
const MAGIC: u64 = u64::from_le_bytes(*b"qamdwak\x01");
const MASK_OFFSET: usize = 64;

/// The mapped table. All zeros is a valid empty one, so whoever comes first makes it without a race.
#[derive(Debug)]
struct WakeTable {
    memory: ReadWrite,
}

impl WakeTable {
    fn open(paths: &FleetPaths) -> Result<Self, RingError> {
        let path = paths.wake_table();
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(|e| RingError::file("opening", &path, e))?;
        let length = file.metadata().map_err(|e| RingError::file("reading", &path, e))?.size();
        if length > TABLE_BYTES {
            return Err(RingError::ForeignWakeTable { path });
        }
        file.set_len(TABLE_BYTES).map_err(|e| RingError::file("sizing", &path, e))?;
        let memory = ReadWrite::map(&file).map_err(|e| RingError::file("mapping", &path, e))?;
        let table = Self { memory };
        match table.word(0).compare_exchange(0, MAGIC, Ordering::SeqCst, Ordering::SeqCst) {
            Ok(_) | Err(MAGIC) => Ok(table),
            Err(_) => Err(RingError::ForeignWakeTable { path }),
        }
    }

    fn mask(&self) -> &AtomicU64 {
        self.word(MASK_OFFSET)
    }

    fn word(&self, offset: usize) -> &AtomicU64 {
        &self.memory.words()[offset / WORD_BYTES]
    }
}

/// A reader's slot. Its descriptor becomes readable when a writer wakes it.
#[derive(Debug)]
pub struct WakeReader {
    table: WakeTable,
    pipe: Flock<File>,
    slot: usize,
}

// === impl WakeReader ===

impl WakeReader {
    /// Takes a free slot of the fleet's wake table.
    ///
    /// # Errors
    /// [`RingError::TooManyReaders`] when all are taken; others when the table or a pipe cannot be made.
    pub fn open(paths: &FleetPaths) -> Result<Self, RingError> {
        let table = WakeTable::open(paths)?;
        for slot in 0..WAKE_READERS_MAX {
            if let Some(pipe) = Self::claim(&paths.wake_pipe(slot))? {
                let reader = Self { table, pipe, slot };
                // A reader that died here may have left its bit and bytes.
                reader.awake();
                return Ok(reader);
            }
        }
        Err(RingError::TooManyReaders(WAKE_READERS_MAX))
    }

    /// Says that this reader is about to sleep. Look at the ring once more after it, then wait for the descriptor.
    pub fn prepare_sleep(&self) {
        self.table.mask().fetch_or(self.bit(), Ordering::SeqCst);
        // SYNC POINT with WakeWriter::wake_sleepers: after this fence the ring is looked at once more.
        fence(Ordering::SeqCst);
    }

    /// Says that this reader is awake, and empties its pipe.
    pub fn awake(&self) {
        self.table.mask().fetch_and(!self.bit(), Ordering::SeqCst);
        let mut bytes = [0; 256];
        let mut pipe: &File = &self.pipe;
        while matches!(pipe.read(&mut bytes), Ok(read) if read == bytes.len()) {}
    }

    const fn bit(&self) -> u64 {
        1 << self.slot
    }

    fn claim(path: &Path) -> Result<Option<Flock<File>>, RingError> {
        match mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR) {
            Ok(()) | Err(nix::errno::Errno::EEXIST) => {}
            Err(error) => return Err(RingError::file("making", path, error)),
        }
        // Open for reading and writing, so that the pipe has no end of file while no writer is there.
        let pipe = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(nix::libc::O_NONBLOCK)
            .open(path)
            .map_err(|e| RingError::file("opening", path, e))?;
        match Flock::lock(pipe, FlockArg::LockExclusiveNonblock) {
            Ok(pipe) => Ok(Some(pipe)),
            Err((_, nix::errno::Errno::EWOULDBLOCK)) => Ok(None),
            Err((_, error)) => Err(RingError::file("locking", path, error)),
        }
    }
}

impl Drop for WakeReader {
    fn drop(&mut self) {
        self.table.mask().fetch_and(!self.bit(), Ordering::SeqCst);
    }
}

impl AsFd for WakeReader {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}

impl AsRawFd for WakeReader {
    fn as_raw_fd(&self) -> RawFd {
        self.pipe.as_raw_fd()
    }
}

/// A writer's view: wakes whoever sleeps.
#[derive(Debug)]
pub(super) struct WakeWriter {
    table: WakeTable,
    paths: FleetPaths,
    /// Pipes opened so far, by slot; bounded by the number of slots.
    pipes: Vec<Option<File>>,
}

impl WakeWriter {
    pub(super) fn open(paths: &FleetPaths) -> Result<Self, RingError> {
        let pipes = std::iter::repeat_with(|| None).take(WAKE_READERS_MAX).collect();
        Ok(Self { table: WakeTable::open(paths)?, paths: paths.clone(), pipes })
    }

    /// Call after publishing.
    pub(super) fn wake_sleepers(&mut self) {
        // SYNC POINT with WakeReader::prepare_sleep: the publication is ordered before this look at the mask.
        fence(Ordering::SeqCst);
        let mut sleeping = self.table.mask().load(Ordering::Relaxed);
        while sleeping != 0 {
            let slot = sleeping.trailing_zeros() as usize;
            let bit = 1 << slot;
            sleeping &= !bit;
            // Of several writers that see the bit, the one that takes it wakes.
            if self.table.mask().fetch_and(!bit, Ordering::SeqCst) & bit != 0 {
                self.wake(slot);
            }
        }
    }

    fn wake(&mut self, slot: usize) {
        let path = self.paths.wake_pipe(slot);
        let pipe = &mut self.pipes[slot];
        // A pipe opened earlier may have lost its reader, or been made anew: then once more with a fresh one.
        for _ in 0..2 {
            if pipe.is_none() {
                *pipe = Self::open_pipe(path.clone());
            }
            let Some(open) = pipe.as_mut() else { return };
            match open.write(&[1]) {
                Ok(_) => return,
                // A full pipe wakes as well as one more byte would.
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => *pipe = None,
            }
        }
    }

    fn open_pipe(path: PathBuf) -> Option<File> {
        // Fails at once when nobody reads: the reader that slept here is gone.
        OpenOptions::new().write(true).custom_flags(nix::libc::O_NONBLOCK).open(path).ok()
    }
}

//! A mapped file: the only place that touches shared memory by address.

#![expect(unsafe_code, reason = "mapping files")]

use std::fs::File;
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::libc;
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

use super::{WORD_BYTES, Words};

/// A shared mapping of a file. Whoever truncates the file under it ends every process that touches what is gone; nothing
/// but the file's mode keeps others from that.
#[derive(Debug)]
struct Mapping {
    base: NonNull<AtomicU64>,
    words: usize,
    /// Device and inode of the file.
    identity: (u64, u64),
}

// SAFETY: the mapping stays valid until drop, and every access goes through atomics.
unsafe impl Send for Mapping {}
// SAFETY: as above; shared access is atomic.
unsafe impl Sync for Mapping {}

impl Mapping {
    fn of(file: &File, protection: ProtFlags) -> io::Result<Self> {
        let found = file.metadata()?;
        let odd = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
        if !found.is_file() {
            return Err(odd("it is no plain file"));
        }
        let bytes = usize::try_from(found.size()).map_err(|_| odd("it is too large"))?;
        let bytes = bytes - bytes % WORD_BYTES;
        let length = NonZeroUsize::new(bytes).ok_or_else(|| odd("it is empty"))?;
        // SAFETY: a fresh shared mapping of an open file, of the length the file has; nothing else in this process refers
        // to it.
        let base =
            unsafe { mmap(None, length, protection, MapFlags::MAP_SHARED, file.as_fd(), 0) }?;
        let identity = (found.dev(), found.ino());
        Ok(Self { base: base.cast(), words: bytes / WORD_BYTES, identity })
    }

    fn word(&self, index: usize) -> Option<u64> {
        // SAFETY: the pointer is aligned and valid for `words` words as long as self. A read-only mapping admits loads: an
        // atomic load of eight bytes is a plain one on every 64-bit machine.
        let words = unsafe { std::slice::from_raw_parts(self.base.as_ptr(), self.words) };
        words.get(index).map(|word| word.load(Ordering::Relaxed))
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: base and length are those of the mapping made in `of`; no reference to it outlives self.
        let unmapped = unsafe { munmap(self.base.cast(), self.words * WORD_BYTES) };
        debug_assert!(unmapped.is_ok());
    }
}

/// A mapped file that is read only.
#[derive(Debug)]
pub struct ReadOnly(Mapping);

// === impl ReadOnly ===

impl ReadOnly {
    /// Maps a whole file.
    ///
    /// # Errors
    /// When it is empty or no plain file, or what the system says.
    pub fn map(file: &File) -> io::Result<Self> {
        Mapping::of(file, ProtFlags::PROT_READ).map(Self)
    }

    /// The file's device and inode.
    #[must_use]
    pub const fn identity(&self) -> (u64, u64) {
        self.0.identity
    }
}

impl Words for ReadOnly {
    fn len(&self) -> usize {
        self.0.words
    }

    fn word(&self, index: usize) -> Option<u64> {
        self.0.word(index)
    }
}

/// A mapped file that is written too.
#[derive(Debug)]
pub struct ReadWrite(Mapping);

// === impl ReadWrite ===

impl ReadWrite {
    /// Maps a whole file, which must be open for writing.
    ///
    /// # Errors
    /// When it is empty or no plain file, or what the system says.
    pub fn map(file: &File) -> io::Result<Self> {
        Mapping::of(file, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE).map(Self)
    }

    /// The words, to be read and written.
    #[must_use]
    pub fn words(&self) -> &[AtomicU64] {
        // SAFETY: the pointer is aligned and valid for `words` words as long as self; the mapping is writable, and every
        // process accesses it atomically.
        unsafe { std::slice::from_raw_parts(self.0.base.as_ptr(), self.0.words) }
    }

    /// Where the mapping begins, for code in C++ that works on it.
    #[must_use]
    pub fn base(&self) -> *mut u8 {
        self.0.base.as_ptr().cast()
    }

    /// The file's device and inode.
    #[must_use]
    pub const fn identity(&self) -> (u64, u64) {
        self.0.identity
    }

    /// Wakes everybody who waits for the 32-bit futex at an offset in bytes.
    ///
    /// # Panics
    /// When no word is there.
    pub fn wake_all(&self, offset: usize) {
        let word = &self.words()[offset / WORD_BYTES];
        let futex = word.as_ptr().cast::<u32>();
        // SAFETY: the address lies inside the mapping; FUTEX_WAKE only uses it as a name.
        unsafe { libc::syscall(libc::SYS_futex, futex, libc::FUTEX_WAKE, i32::MAX) };
    }
}

impl Words for ReadWrite {
    fn len(&self) -> usize {
        self.0.words
    }

    fn word(&self, index: usize) -> Option<u64> {
        self.0.word(index)
    }
}

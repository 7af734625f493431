//! Files in `/dev/shm` that several processes have mapped, as words of eight bytes.
//!
//! Whoever writes a segment and whoever reads it share nothing but these words, so every access is atomic, and nothing that
//! another process does to them can harm more than the values read. What is built on top is safe code.

mod mapping;
mod place;
mod tick_words;

use std::sync::atomic::{AtomicU64, Ordering};

pub use mapping::{ReadOnly, ReadWrite};
pub use place::{Aside, Opening, Place, PlaceError, Sharing, reserve};
pub use tick_words::{TICK_WORDS, tick_from_words, words_of_tick};

/// Bytes of a word.
pub const WORD_BYTES: usize = 8;

/// Words that can be read while others may change them.
pub trait Words {
    /// How many there are.
    fn len(&self) -> usize;

    /// The word at an index, as it is at some moment; `None` beyond the end.
    fn word(&self, index: usize) -> Option<u64>;

    /// True when there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The word at an offset in bytes, `None` unless a whole aligned word is there.
    fn at(&self, offset: u64) -> Option<u64> {
        let offset = usize::try_from(offset).ok()?;
        offset.is_multiple_of(WORD_BYTES).then(|| self.word(offset / WORD_BYTES))?
    }

    /// The bytes of `N / 8` words from an offset on; a text may have changed halfway.
    fn bytes_at<const N: usize>(&self, offset: u64) -> Option<[u8; N]> {
        const { assert!(N.is_multiple_of(WORD_BYTES)) };
        let mut bytes = [0; N];
        for (place, chunk) in (offset..).step_by(WORD_BYTES).zip(bytes.chunks_exact_mut(WORD_BYTES))
        {
            chunk.copy_from_slice(&self.at(place)?.to_le_bytes());
        }
        Some(bytes)
    }
}

/// The words of a text of bytes, zero-padded: what [`Words::bytes_at`] gives back.
pub(crate) fn words_of_bytes(bytes: &[u8]) -> impl Iterator<Item = u64> + '_ {
    bytes.chunks(WORD_BYTES).map(|chunk| {
        let mut word = [0; WORD_BYTES];
        word[..chunk.len()].copy_from_slice(chunk);
        u64::from_le_bytes(word)
    })
}

impl Words for [u64] {
    fn len(&self) -> usize {
        self.len()
    }

    fn word(&self, index: usize) -> Option<u64> {
        self.get(index).copied()
    }
}

impl Words for [AtomicU64] {
    fn len(&self) -> usize {
        self.len()
    }

    fn word(&self, index: usize) -> Option<u64> {
        self.get(index).map(|word| word.load(Ordering::Relaxed))
    }
}

// Texts are written as words of little-endian bytes, and doubles by their bits.
const _: () = assert!(cfg!(target_endian = "little"), "the segments are little-endian");
const _: () = assert!(usize::BITS == 64, "the segments are for 64-bit machines");

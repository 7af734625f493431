//! One instrument's place in the depth segment: writing and reading its latest tick.

use std::sync::atomic::{AtomicU64, Ordering, fence};

use super::layout::{SLOT_BYTES, slot};
use crate::shared_memory::{TICK_WORDS, WORD_BYTES, Words, tick_from_words, words_of_tick};
use crate::tick::Tick;

/// A slot's number in its segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotIndex(pub u32);

/// Words of a slot.
pub(super) const SLOT_WORDS: usize = SLOT_BYTES as usize / WORD_BYTES;

/// Copies of one slot that a reader tries before it gives up; a writer overtakes one at most every few microseconds.
const READ_ATTEMPTS_MAX: u32 = 1000;

const fn word(offset: u64) -> usize {
    offset as usize / WORD_BYTES
}

const fn room(sequence: u64) -> usize {
    word(if sequence.is_multiple_of(2) { slot::TICK_EVEN } else { slot::TICK_ODD })
}

/// Writes an instrument's latest tick into its slot. There is one writer at a time; the placement sees to that.
pub(super) fn write(slot: &[AtomicU64; SLOT_WORDS], tick: &Tick) {
    let next = slot[word(slot::SEQUENCE)].load(Ordering::Relaxed).wrapping_add(1);
    // SYNC POINT with `read`: who sees a word of the new tick sees, after its own fence, that the room's old tick was
    // already followed by another.
    fence(Ordering::Release);
    let room = &slot[room(next)..][..TICK_WORDS];
    for (cell, value) in room.iter().zip(words_of_tick(tick)) {
        cell.store(*value, Ordering::Relaxed);
    }
    slot[word(slot::SEQUENCE)].store(next, Ordering::Release);
}

/// What a slot holds.
#[derive(Debug, Clone, Copy, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "it is what callers are after, and never kept")]
pub(super) enum Content {
    /// No tick yet.
    Nothing,
    /// The tick that was the latest at some moment of the call.
    Latest(Tick),
    /// The writer overtook every copy.
    Busy,
}

/// Reads the slot that begins at word `at`.
pub(super) fn read<W: Words + ?Sized>(words: &W, at: usize) -> Content {
    for _ in 0..READ_ATTEMPTS_MAX {
        let Some(before) = words.word(at + word(slot::SEQUENCE)) else { return Content::Nothing };
        if before == 0 {
            return Content::Nothing;
        }
        // The words are loaded relaxed; with the fence the sequence orders what follows, as an acquiring load would.
        fence(Ordering::Acquire);
        let from = at + room(before);
        let copy: [u64; TICK_WORDS] =
            std::array::from_fn(|index| words.word(from + index).unwrap_or_default());
        // SYNC POINT with `write`.
        fence(Ordering::Acquire);
        if words.word(at + word(slot::SEQUENCE)) == Some(before) {
            return Content::Latest(tick_from_words(copy));
        }
    }
    Content::Busy
}

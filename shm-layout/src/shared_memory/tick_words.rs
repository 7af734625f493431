//! A tick as 64 words, the form in which it lies in a segment.

#![expect(unsafe_code, reason = "a tick's bytes")]

use super::WORD_BYTES;
use crate::tick::Tick;

/// Words of a tick.
pub const TICK_WORDS: usize = size_of::<Tick>() / WORD_BYTES;

const _: () = assert!(size_of::<Tick>() == TICK_WORDS * WORD_BYTES);
const _: () = assert!(align_of::<Tick>() == align_of::<u64>());

/// The words of a tick.
#[must_use]
pub const fn words_of_tick(tick: &Tick) -> &[u64; TICK_WORDS] {
    // SAFETY: size and alignment are the same, and the tick has no padding: its fields fill it from offset to offset, as
    // the asserts beside it and `every_word_of_a_tick_is_its_own` say.
    unsafe { &*std::ptr::from_ref(tick).cast() }
}

/// The tick of these words.
#[must_use]
pub const fn tick_from_words(words: [u64; TICK_WORDS]) -> Tick {
    // SAFETY: the sizes are the same, and a tick is plain data for which any bit pattern is valid.
    unsafe { std::mem::transmute(words) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_a_tick_is_its_own() {
        let words: [u64; TICK_WORDS] =
            std::array::from_fn(|index| 0x0102_0304_0506_0708 * (index as u64 + 1));
        let tick = tick_from_words(words);
        assert_eq!(words_of_tick(&tick), &words);
        // Without padding the fields alone make up the size.
        let levels = size_of_val(&tick.levels);
        let before = std::mem::offset_of!(Tick, levels);
        assert_eq!(before + levels, size_of::<Tick>());
    }
}

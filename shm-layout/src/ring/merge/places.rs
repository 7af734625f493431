//! The small numbers that instruments have in a merge. Pure.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::instrument_id::InstrumentId;

type Bytes = [u8; InstrumentId::CAPACITY];

/// Numbers counted from 0, never taken back. Almost all ids have up to 16 bytes; those are kept by themselves, since a
/// look-up of one instrument among 25,000 costs what it fetches from memory.
#[derive(Debug, Default)]
pub(super) struct Places {
    short: HashMap<u128, u32, RandomState>,
    long: HashMap<Bytes, u32, RandomState>,
}

// === impl Places ===

impl Places {
    pub(super) fn len(&self) -> usize {
        self.short.len() + self.long.len()
    }

    pub(super) fn get(&self, instrument: &Bytes) -> Option<usize> {
        let number = match short(instrument) {
            Some(short) => self.short.get(&short),
            None => self.long.get(instrument),
        };
        number.map(|number| *number as usize)
    }

    /// Gives the next number to an instrument that has none.
    pub(super) fn insert(&mut self, instrument: &Bytes) -> usize {
        let number = self.len();
        let stored = u32::try_from(number).unwrap_or(u32::MAX);
        match short(instrument) {
            Some(short) => self.short.insert(short, stored),
            None => self.long.insert(*instrument, stored),
        };
        number
    }
}

/// The first 16 bytes, when the rest is padding.
fn short(instrument: &Bytes) -> Option<u128> {
    let (short, rest) = instrument.split_first_chunk::<16>()?;
    let is_padding = rest.iter().fold(0, |any, byte| any | byte) == 0;
    is_padding.then(|| u128::from_le_bytes(*short))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_any_length_have_numbers_of_their_own() {
        let ids = ["rb2601", "rb2602", "SPD JR009&JR103", "0123456789abcdef", "0123456789abcdefg"];
        let longest = "x".repeat(InstrumentId::CAPACITY);
        let ids = ids.into_iter().chain([longest.as_str()]);
        let ids: Vec<Bytes> = ids.map(|id| *InstrumentId::parse(id).unwrap().padded()).collect();
        let mut places = Places::default();
        for (number, id) in ids.iter().enumerate() {
            assert_eq!((places.get(id), places.len()), (None, number));
            assert_eq!(places.insert(id), number);
        }
        for (number, id) in ids.iter().enumerate() {
            assert_eq!(places.get(id), Some(number));
        }
        // A zero inside is no end: what follows is another text.
        let mut inside = ids[0];
        inside[70] = b'x';
        assert_eq!(places.get(&inside), None);
    }
}

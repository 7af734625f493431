//! Which instruments there are: those the coordinator lists, and those seen ticking. It outlives the coordinator.

use std::collections::BTreeMap;

use shm_layout::InstrumentId;
use shm_layout::limits::UNIVERSE_INSTRUMENTS_MAX;

/// The instruments known, sorted by their ids' bytes.
#[derive(Debug, Default)]
pub struct Universe {
    known: BTreeMap<InstrumentId, Known>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Known {
    listed: bool,
    seen: bool,
}

// === impl Universe ===

impl Universe {
    /// Takes a part of the coordinator's list; the first part of a list takes the place of the list before.
    pub fn list(&mut self, first: bool, instruments: impl IntoIterator<Item = InstrumentId>) {
        if first {
            self.known.retain(|_, known| {
                known.listed = false;
                known.seen
            });
        }
        for instrument in instruments {
            self.know(instrument, |known| known.listed = true);
        }
    }

    /// An instrument ticks.
    pub fn saw(&mut self, instrument: InstrumentId) {
        self.know(instrument, |known| known.seen = true);
    }

    /// All, sorted.
    #[must_use]
    pub fn all(&self) -> Vec<InstrumentId> {
        self.known.keys().copied().collect()
    }

    /// Those whose id holds `pattern`, ignoring the case of ASCII letters, sorted. An empty pattern is in every id.
    #[must_use]
    pub fn search(&self, pattern: &str) -> Vec<InstrumentId> {
        let pattern = pattern.as_bytes();
        if pattern.is_empty() {
            return self.all();
        }
        let holds = |instrument: &&InstrumentId| {
            let id = instrument.as_str().as_bytes();
            id.windows(pattern.len()).any(|part| part.eq_ignore_ascii_case(pattern))
        };
        self.known.keys().filter(holds).copied().collect()
    }

    fn know(&mut self, instrument: InstrumentId, how: impl FnOnce(&mut Known)) {
        if let Some(known) = self.known.get_mut(&instrument) {
            how(known);
        } else if self.known.len() < UNIVERSE_INSTRUMENTS_MAX {
            how(self.known.entry(instrument).or_default());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(texts: &[&str]) -> Vec<InstrumentId> {
        texts.iter().map(|text| InstrumentId::parse(text).unwrap()).collect()
    }

    #[test]
    fn a_new_list_takes_the_place_of_the_old_one_but_not_of_what_was_seen() {
        let mut universe = Universe::default();
        universe.list(true, ids(&["rb2601", "au2512"]));
        universe.list(false, ids(&["IF2512"]));
        universe.saw(ids(&["rb2601"])[0]);
        universe.saw(ids(&["zz1"])[0]);
        assert_eq!(universe.all(), ids(&["IF2512", "au2512", "rb2601", "zz1"]));
        universe.list(true, ids(&["cu2512"]));
        assert_eq!(universe.all(), ids(&["cu2512", "rb2601", "zz1"]));
    }

    #[test]
    fn search_is_a_substring_ignoring_case() {
        let mut universe = Universe::default();
        universe.list(true, ids(&["rb2601", "RB2602", "hc2601", "SPD SR001&SR003"]));
        assert_eq!(universe.search("Rb"), ids(&["RB2602", "rb2601"]));
        assert_eq!(universe.search("2601"), ids(&["hc2601", "rb2601"]));
        assert_eq!(universe.search("d sr"), ids(&["SPD SR001&SR003"]));
        assert_eq!(universe.search("").len(), 4);
        assert_eq!(universe.search("螺纹"), []);
        assert_eq!(universe.search(&"r".repeat(100)), []);
    }

    #[test]
    fn what_is_beyond_the_bound_is_not_listed() {
        let mut universe = Universe::default();
        let many = (0..=UNIVERSE_INSTRUMENTS_MAX)
            .map(|number| InstrumentId::parse(&format!("i{number}")).unwrap());
        universe.list(true, many);
        assert_eq!(universe.all().len(), UNIVERSE_INSTRUMENTS_MAX);
    }
}

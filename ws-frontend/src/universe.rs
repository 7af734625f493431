//! Which instruments there are: those the coordinator lists, and those seen ticking. It outlives the coordinator.

use std::collections::BTreeMap;

use shm_layout::control::ListedInstrument;
use shm_layout::limits::UNIVERSE_INSTRUMENTS_MAX;
use shm_layout::{ExchangeId, InstrumentId};

/// The instruments known, sorted by their ids' bytes.
#[derive(Debug, Default)]
pub struct Universe {
    known: BTreeMap<InstrumentId, Known>,
}

/// What is known of an instrument here. The catalog knows the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Known {
    /// Where it is traded; unknown for some.
    pub exchange: ExchangeId,
    /// Units in one lot, where the list says.
    pub volume_multiple: Option<u32>,
    listed: bool,
    seen: bool,
}

// === impl Universe ===

impl Universe {
    /// Takes a part of the coordinator's list; the first part of a list takes the place of the list before.
    pub fn list(&mut self, first: bool, instruments: &[ListedInstrument]) {
        if first {
            self.known.retain(|_, known| {
                known.listed = false;
                known.seen
            });
        }
        for listed in instruments {
            self.know(listed.instrument, |known| {
                known.listed = true;
                known.volume_multiple = listed.facts.volume_multiple;
                if !listed.exchange.is_unknown() {
                    known.exchange = listed.exchange;
                }
            });
        }
    }

    /// An instrument ticks. The list says better where.
    pub fn saw(&mut self, instrument: InstrumentId, exchange: ExchangeId) {
        self.know(instrument, |known| {
            known.seen = true;
            if known.exchange.is_unknown() {
                known.exchange = exchange;
            }
        });
    }

    /// What is known of an instrument.
    #[must_use]
    pub fn get(&self, instrument: &InstrumentId) -> Option<&Known> {
        self.known.get(instrument)
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
    use shm_layout::control::ListedFacts;
    use shm_layout::product;

    fn ids(texts: &[&str]) -> Vec<InstrumentId> {
        texts.iter().map(|text| InstrumentId::parse(text).unwrap()).collect()
    }

    fn listed(texts: &[&str]) -> Vec<ListedInstrument> {
        let of = |instrument: &InstrumentId| ListedInstrument {
            instrument: *instrument,
            exchange: product::exchange_of(instrument.as_str()),
            facts: ListedFacts { volume_multiple: Some(10), ..ListedFacts::default() },
        };
        ids(texts).iter().map(of).collect()
    }

    #[test]
    fn the_list_knows_better_where_an_instrument_is_traded() {
        let mut universe = Universe::default();
        let [rb, zz] = ids(&["rb2601", "zz1"])[..] else { panic!() };
        universe.saw(rb, ExchangeId::INE);
        universe.saw(zz, ExchangeId::DCE);
        let of = |universe: &Universe, id| {
            universe.get(id).map(|known| (known.exchange, known.volume_multiple))
        };
        assert_eq!(of(&universe, &rb), Some((ExchangeId::INE, None)));
        universe.list(true, &listed(&["rb2601", "zz1"]));
        universe.saw(rb, ExchangeId::INE);
        assert_eq!(of(&universe, &rb), Some((ExchangeId::SHFE, Some(10))));
        assert_eq!(of(&universe, &zz), Some((ExchangeId::DCE, Some(10))));
        assert_eq!(of(&universe, &ids(&["cu2601"])[0]), None);
    }

    #[test]
    fn a_new_list_takes_the_place_of_the_old_one_but_not_of_what_was_seen() {
        let mut universe = Universe::default();
        universe.list(true, &listed(&["rb2601", "au2512"]));
        universe.list(false, &listed(&["IF2512"]));
        universe.saw(ids(&["rb2601"])[0], ExchangeId::SHFE);
        universe.saw(ids(&["zz1"])[0], ExchangeId::UNKNOWN);
        assert_eq!(universe.all(), ids(&["IF2512", "au2512", "rb2601", "zz1"]));
        universe.list(true, &listed(&["cu2512"]));
        assert_eq!(universe.all(), ids(&["cu2512", "rb2601", "zz1"]));
    }

    #[test]
    fn search_is_a_substring_ignoring_case() {
        let mut universe = Universe::default();
        universe.list(true, &listed(&["rb2601", "RB2602", "hc2601", "SPD SR001&SR003"]));
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
        for number in 0..=UNIVERSE_INSTRUMENTS_MAX {
            let id = InstrumentId::parse(&format!("i{number}")).unwrap();
            universe.saw(id, ExchangeId::DCE);
        }
        assert_eq!(universe.all().len(), UNIVERSE_INSTRUMENTS_MAX);
    }
}

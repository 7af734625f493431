//! Instruments of which only the latest tick is still to be sent, in the order they were first marked. Pure.

use std::collections::VecDeque;

use crate::hashing::Set;
use crate::quote_book::InstrumentIndex;

/// Instruments in the order they were marked.
#[derive(Debug, Default)]
pub struct Marks {
    marked: Set<InstrumentIndex>,
    /// Holds every marked instrument, and some whose mark was taken back.
    order: VecDeque<InstrumentIndex>,
}

// === impl Marks ===

impl Marks {
    /// Taken-back marks that `order` may hold beside the living ones before it is tidied.
    const STALE_MAX: usize = 64;

    /// True when nothing is marked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.marked.is_empty()
    }

    /// How many instruments are marked.
    #[must_use]
    pub fn len(&self) -> usize {
        self.marked.len()
    }

    /// True when this instrument is marked.
    #[must_use]
    pub fn is_set(&self, instrument: InstrumentIndex) -> bool {
        self.marked.contains(&instrument)
    }

    /// Sets a mark. False when it was set before: it keeps its place.
    pub fn set(&mut self, instrument: InstrumentIndex) -> bool {
        let new = self.marked.insert(instrument);
        if new {
            self.order.push_back(instrument);
            if self.order.len() > 2 * self.marked.len() + Self::STALE_MAX {
                self.tidy();
            }
        }
        new
    }

    /// Takes a mark back.
    pub fn take_back(&mut self, instrument: InstrumentIndex) {
        self.marked.remove(&instrument);
    }

    /// Takes the mark that was set first.
    pub fn take_first(&mut self) -> Option<InstrumentIndex> {
        while let Some(first) = self.order.pop_front() {
            if self.marked.remove(&first) {
                return Some(first);
            }
        }
        None
    }

    /// Forgets what was taken back; a mark set again keeps its first place.
    fn tidy(&mut self) {
        let mut seen = Set::default();
        self.order
            .retain(|instrument| self.marked.contains(instrument) && seen.insert(*instrument));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Every mark comes out once, and what was taken back costs no memory for long.
        #[test]
        fn every_mark_comes_out_once(
            steps in prop::collection::vec((0..8_u32, any::<bool>()), 0..2000),
        ) {
            let mut marks = Marks::default();
            let mut model: Vec<InstrumentIndex> = Vec::new();
            for (instrument, set) in steps {
                if set {
                    prop_assert_eq!(marks.set(instrument), !model.contains(&instrument));
                    if !model.contains(&instrument) {
                        model.push(instrument);
                    }
                } else {
                    marks.take_back(instrument);
                    model.retain(|marked| *marked != instrument);
                }
                prop_assert!(marks.order.len() <= 2 * 8 + Marks::STALE_MAX);
                prop_assert!(model.iter().all(|marked| marks.is_set(*marked)));
            }
            let mut out = std::iter::from_fn(|| marks.take_first()).collect::<Vec<_>>();
            // A mark set again before it was tidied away keeps its first place; the set is the same in any case.
            out.sort_unstable();
            model.sort_unstable();
            prop_assert_eq!(out, model);
            prop_assert!(marks.is_empty());
        }
    }
}

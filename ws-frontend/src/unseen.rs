//! Wanted instruments of which no tick was seen yet (pure): what shared memory holds of them is looked for at once, and then now
//! and then, since the fleet may be about to carry them.

use std::collections::VecDeque;

use shm_layout::InstrumentId;

use crate::hashing::Set;
use crate::limits::UNSEEN_LOOKED_FOR_AT_ONCE_MAX;

/// Each at most once, in the order in which their turns come. Bounded by what may be wanted.
#[derive(Debug, Default)]
pub struct Unseen {
    turns: VecDeque<InstrumentId>,
    all: Set<InstrumentId>,
    /// Turns, from the front, that have not had their first look.
    fresh: usize,
}

// === impl Unseen ===

impl Unseen {
    /// One more is wanted.
    pub fn add(&mut self, instrument: InstrumentId) {
        if self.all.insert(instrument) {
            self.turns.push_front(instrument);
            self.fresh += 1;
        }
    }

    /// Those that are to be looked for at once.
    pub fn take_fresh(&mut self) -> Vec<InstrumentId> {
        let fresh = std::mem::take(&mut self.fresh);
        self.take(fresh)
    }

    /// Those whose turn it is to be looked for again.
    pub fn take_some(&mut self) -> Vec<InstrumentId> {
        self.fresh = 0;
        self.take(UNSEEN_LOOKED_FOR_AT_ONCE_MAX)
    }

    /// One that was looked for and not found, and is wanted still: another turn comes.
    pub fn put_back(&mut self, instrument: InstrumentId) {
        if self.all.insert(instrument) {
            self.turns.push_back(instrument);
        }
    }

    /// True when some have not had their first look.
    #[must_use]
    pub const fn has_fresh(&self) -> bool {
        self.fresh > 0
    }

    /// True when nothing is looked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    fn take(&mut self, most: usize) -> Vec<InstrumentId> {
        let taken: Vec<_> = self.turns.drain(..most.min(self.turns.len())).collect();
        taken.iter().for_each(|instrument| {
            self.all.remove(instrument);
        });
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(count: usize) -> Vec<InstrumentId> {
        (0..count).map(|n| InstrumentId::parse(&format!("x{n:05}")).unwrap()).collect()
    }

    #[test]
    fn each_is_looked_for_at_once_and_then_in_turns() {
        let all = ids(UNSEEN_LOOKED_FOR_AT_ONCE_MAX + 10);
        let mut unseen = Unseen::default();
        all.iter().chain(&all).for_each(|id| unseen.add(*id));
        let mut fresh = unseen.take_fresh();
        assert!(unseen.is_empty() && unseen.take_fresh().is_empty());
        fresh.iter().for_each(|id| unseen.put_back(*id));
        fresh.sort_unstable();
        assert_eq!(fresh, all);
        assert!(unseen.take_fresh().is_empty(), "they had their first look");
        let first = unseen.take_some();
        assert_eq!(first.len(), UNSEEN_LOOKED_FOR_AT_ONCE_MAX);
        first.iter().for_each(|id| unseen.put_back(*id));
        let second = unseen.take_some();
        assert!(second[..10].iter().all(|id| !first.contains(id)), "the others come first");
    }

    #[test]
    fn what_was_found_is_not_looked_for_again() {
        let mut unseen = Unseen::default();
        unseen.add(ids(1)[0]);
        assert_eq!(unseen.take_fresh(), ids(1));
        assert!(unseen.is_empty() && unseen.take_some().is_empty());
        unseen.add(ids(1)[0]);
        assert_eq!(unseen.take_fresh(), ids(1), "wanted once more");
    }
}

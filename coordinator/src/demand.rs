//! What is wanted: the reference-counted union of what each source wants.
//!
//! A source is a frontend, the always-on list, or a demand that lingers after its frontend went away. The first source
//! that wants an instrument makes it wanted, the last one that lets go ends that. Changes gather until they are taken,
//! and cancel each other in between, so a burst makes one plan.

use std::collections::{HashMap, HashSet};

use shm_layout::InstrumentId;

/// Who wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(pub u64);

/// The union of all demands.
#[derive(Debug)]
pub struct Demand {
    sources: HashMap<SourceId, HashSet<InstrumentId>>,
    /// By how many sources each instrument is wanted; never zero.
    wanted: HashMap<InstrumentId, u32>,
    /// Instruments that changed since the last take, in the order of their first change, with what they were then.
    touched: Vec<InstrumentId>,
    was_wanted: HashMap<InstrumentId, bool>,
    instruments_max: usize,
    refused: u64,
}

/// What became wanted and what is no longer, in the order in which it happened.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DemandChanges {
    /// Wanted now and not before.
    pub added: Vec<InstrumentId>,
    /// Wanted before and not now.
    pub removed: Vec<InstrumentId>,
}

// === impl Demand ===

impl Demand {
    /// Nothing is wanted; at most so many instruments will be.
    #[must_use]
    pub fn new(instruments_max: usize) -> Self {
        Self {
            sources: HashMap::new(),
            wanted: HashMap::new(),
            touched: Vec::new(),
            was_wanted: HashMap::new(),
            instruments_max,
            refused: 0,
        }
    }

    /// A source wants an instrument. At the limit a new one is refused, and counted.
    pub fn add(&mut self, source: SourceId, instrument: InstrumentId) {
        if !self.wanted.contains_key(&instrument) && self.wanted.len() >= self.instruments_max {
            self.refused += 1;
            return;
        }
        if self.sources.entry(source).or_default().insert(instrument) {
            self.touch(instrument);
            *self.wanted.entry(instrument).or_default() += 1;
        }
    }

    /// A source no longer wants an instrument.
    pub fn remove(&mut self, source: SourceId, instrument: &InstrumentId) {
        let Some(instruments) = self.sources.get_mut(&source) else { return };
        if instruments.remove(instrument) {
            self.let_go(*instrument);
        }
    }

    /// A source is gone, and all it wanted with it.
    pub fn forget(&mut self, source: SourceId) {
        let mut instruments: Vec<_> =
            self.sources.remove(&source).unwrap_or_default().into_iter().collect();
        // A set has no order; decisions made of it must.
        instruments.sort_unstable();
        for instrument in instruments {
            self.let_go(instrument);
        }
    }

    /// What a source wants is wanted by another name from now on; nothing changes for anybody. The other must be new.
    pub fn rename(&mut self, source: SourceId, other: SourceId) {
        debug_assert!(!self.sources.contains_key(&other), "the new name is in use");
        if let Some(instruments) = self.sources.remove(&source) {
            self.sources.insert(other, instruments);
        }
    }

    /// The changes since this was last asked.
    pub fn take_changes(&mut self) -> DemandChanges {
        let mut changes = DemandChanges::default();
        for instrument in self.touched.drain(..) {
            let was = self.was_wanted.remove(&instrument).unwrap_or(false);
            let is = self.wanted.contains_key(&instrument);
            match (was, is) {
                (false, true) => changes.added.push(instrument),
                (true, false) => changes.removed.push(instrument),
                _ => {}
            }
        }
        changes
    }

    /// True when changes wait to be taken.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        !self.touched.is_empty()
    }

    /// True when some source wants the instrument.
    #[must_use]
    pub fn wants(&self, instrument: &InstrumentId) -> bool {
        self.wanted.contains_key(instrument)
    }

    /// What a source wants, in no order.
    pub fn of(&self, source: SourceId) -> Vec<InstrumentId> {
        self.sources.get(&source).into_iter().flatten().copied().collect()
    }

    /// True when this source wants the instrument.
    #[must_use]
    pub fn wanted_by(&self, source: SourceId, instrument: &InstrumentId) -> bool {
        self.sources.get(&source).is_some_and(|instruments| instruments.contains(instrument))
    }

    /// How many instruments are wanted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.wanted.len()
    }

    /// True when nothing is wanted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.wanted.is_empty()
    }

    /// How often an instrument was refused because the limit was reached.
    #[must_use]
    pub const fn refused(&self) -> u64 {
        self.refused
    }

    fn let_go(&mut self, instrument: InstrumentId) {
        self.touch(instrument);
        if let Some(count) = self.wanted.get_mut(&instrument) {
            *count -= 1;
            if *count == 0 {
                self.wanted.remove(&instrument);
            }
        }
    }

    /// Remembers what an instrument was before its first change.
    fn touch(&mut self, instrument: InstrumentId) {
        if !self.was_wanted.contains_key(&instrument) {
            self.was_wanted.insert(instrument, self.wanted.contains_key(&instrument));
            self.touched.push(instrument);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn id(n: u8) -> InstrumentId {
        InstrumentId::parse(&format!("rb{n}")).unwrap()
    }

    #[test]
    fn the_first_wants_and_the_last_ends() {
        let (a, b) = (SourceId(1), SourceId(2));
        let mut demand = Demand::new(10);
        demand.add(a, id(1));
        demand.add(b, id(1));
        assert_eq!(demand.take_changes().added, [id(1)]);
        demand.remove(a, &id(1));
        demand.remove(a, &id(1));
        assert_eq!(demand.take_changes(), DemandChanges::default());
        demand.forget(b);
        assert_eq!(demand.take_changes().removed, [id(1)]);
        assert!(demand.is_empty());
    }

    #[test]
    fn what_comes_and_goes_between_two_takes_is_no_change() {
        let mut demand = Demand::new(10);
        demand.add(SourceId(1), id(1));
        demand.remove(SourceId(1), &id(1));
        assert!(demand.has_changes());
        assert_eq!(demand.take_changes(), DemandChanges::default());
        assert!(!demand.has_changes());
    }

    #[test]
    fn a_new_name_changes_nothing() {
        let mut demand = Demand::new(10);
        demand.add(SourceId(1), id(1));
        demand.take_changes();
        demand.rename(SourceId(1), SourceId(2));
        demand.add(SourceId(1), id(1));
        demand.forget(SourceId(2));
        assert_eq!(demand.take_changes(), DemandChanges::default());
        assert!(demand.wants(&id(1)));
    }

    #[test]
    fn the_limit_refuses_and_counts() {
        let mut demand = Demand::new(1);
        demand.add(SourceId(1), id(1));
        demand.add(SourceId(1), id(2));
        demand.add(SourceId(2), id(1));
        assert_eq!((demand.len(), demand.refused()), (1, 1));
        assert!(!demand.wants(&id(2)));
    }

    #[derive(Debug, Clone)]
    enum Step {
        Add(u64, u8),
        Remove(u64, u8),
        Forget(u64),
        Take,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0..4_u64, 0..12_u8).prop_map(|(source, n)| Step::Add(source, n)),
            3 => (0..4_u64, 0..12_u8).prop_map(|(source, n)| Step::Remove(source, n)),
            1 => (0..4_u64).prop_map(Step::Forget),
            2 => Just(Step::Take),
        ]
    }

    proptest! {
        /// After any history the wanted set is the union of the sources, and the changes, replayed, lead to it.
        #[test]
        fn it_is_the_union_after_any_history(steps in prop::collection::vec(step(), 0..200)) {
            let mut demand = Demand::new(1000);
            let mut model: HashMap<u64, BTreeSet<u8>> = HashMap::new();
            let mut replayed = BTreeSet::new();
            let take = |demand: &mut Demand, replayed: &mut BTreeSet<InstrumentId>| {
                let changes = demand.take_changes();
                for added in changes.added {
                    assert!(replayed.insert(added), "added twice");
                }
                for removed in changes.removed {
                    assert!(replayed.remove(&removed), "removed what was not there");
                }
            };
            for step in steps {
                match step {
                    Step::Add(source, n) => {
                        demand.add(SourceId(source), id(n));
                        model.entry(source).or_default().insert(n);
                    }
                    Step::Remove(source, n) => {
                        demand.remove(SourceId(source), &id(n));
                        model.entry(source).or_default().remove(&n);
                    }
                    Step::Forget(source) => {
                        demand.forget(SourceId(source));
                        model.remove(&source);
                    }
                    Step::Take => take(&mut demand, &mut replayed),
                }
                let union: BTreeSet<u8> = model.values().flatten().copied().collect();
                prop_assert_eq!(demand.len(), union.len());
                prop_assert!(union.iter().all(|n| demand.wants(&id(*n))));
            }
            take(&mut demand, &mut replayed);
            let union: BTreeSet<InstrumentId> = model.values().flatten().map(|n| id(*n)).collect();
            prop_assert_eq!(replayed, union);
        }
    }
}

//! Counters of each worker's ticks beside those of the others. Pure.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::limits::CONNECTION_VIEWS_MAX;
use crate::numbers::WorkerId;

/// A worker's place among the counters; [`Slot::NONE`] beyond the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot(u16);

/// What is counted of one worker, see `control::ConnectionView` for the meanings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ring) struct Tally {
    pub(in crate::ring) worker: WorkerId,
    pub(in crate::ring) ticks: u64,
    pub(in crate::ring) lost: u64,
    pub(in crate::ring) won: u64,
    pub(in crate::ring) copies: u64,
    pub(in crate::ring) behind_ns: u64,
    pub(in crate::ring) late: u64,
    pub(in crate::ring) missed: u64,
}

/// The counters of all workers.
#[derive(Debug, Default)]
pub(super) struct Tallies {
    slots: HashMap<WorkerId, Slot, RandomState>,
    tallies: Vec<Tally>,
    /// A sample holds ticks of one worker, and mostly the next sample does, too.
    latest: Option<(WorkerId, Slot)>,
}

impl Slot {
    /// Nobody's.
    const NONE: Self = Self(u16::MAX);
}

const _: () = assert!(CONNECTION_VIEWS_MAX < u16::MAX as usize);

// === impl Tallies ===

impl Tallies {
    /// A worker's slot.
    pub(super) fn slot(&mut self, worker: WorkerId) -> Slot {
        if let Some((latest, slot)) = self.latest
            && latest == worker
        {
            return slot;
        }
        let slot = match self.slots.get(&worker) {
            Some(slot) => *slot,
            None if self.tallies.len() >= CONNECTION_VIEWS_MAX => return Slot::NONE,
            None => self.open(worker),
        };
        self.latest = Some((worker, slot));
        slot
    }

    /// The counters of a slot; none of [`Slot::NONE`].
    pub(super) fn get_mut(&mut self, slot: Slot) -> Option<&mut Tally> {
        self.tallies.get_mut(usize::from(slot.0))
    }

    /// All counters, in the order in which the workers were first seen.
    #[cfg(any(feature = "control", test))]
    pub(super) fn all(&self) -> &[Tally] {
        &self.tallies
    }

    fn open(&mut self, worker: WorkerId) -> Slot {
        let slot = u16::try_from(self.tallies.len()).map_or(Slot::NONE, Slot);
        self.tallies.push(Tally {
            worker,
            ticks: 0,
            lost: 0,
            won: 0,
            copies: 0,
            behind_ns: 0,
            late: 0,
            missed: 0,
        });
        self.slots.insert(worker, slot);
        slot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_keeps_its_slot_and_beyond_the_limit_there_is_none() {
        let mut tallies = Tallies::default();
        let (one, other) = (tallies.slot(WorkerId(7)), tallies.slot(WorkerId(3)));
        assert_eq!((tallies.slot(WorkerId(7)), tallies.slot(WorkerId(3))), (one, other));
        for worker in 100..100 + u32::try_from(CONNECTION_VIEWS_MAX).unwrap() {
            tallies.slot(WorkerId(worker));
        }
        assert_eq!(tallies.all().len(), CONNECTION_VIEWS_MAX);
        let beyond = tallies.slot(WorkerId(99_999));
        assert_eq!((beyond, tallies.get_mut(beyond)), (Slot::NONE, None));
        assert_eq!(tallies.slot(WorkerId(3)), other);
        assert_eq!(tallies.get_mut(one).map(|tally| tally.worker), Some(WorkerId(7)));
    }
}

//! Instruments that are still to get into `qamddata` (pure).
//!
//! Readers walk its map while it grows. One that looks for a key just then may miss it once, and instruments added in
//! ascending order make that a thousand times as likely, since the tree is then rebalanced along one edge. So they
//! go in one at a time, at a pace, and in the order of a hash.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use shm_layout::InstrumentId;

/// What is still to be added. Bounded by what the depth segment has room for.
#[derive(Debug, Default)]
pub(super) struct Additions {
    /// By the hash of the id.
    waiting: BTreeMap<(u64, InstrumentId), ()>,
    next: Option<Instant>,
}

/// The time between two additions.
const APART: Duration = Duration::from_millis(20);

// === impl Additions ===

impl Additions {
    /// One more.
    pub(super) fn add(&mut self, instrument: InstrumentId) {
        let hash = shm_layout::depth::layout::hash(instrument.as_str().as_bytes());
        self.waiting.insert((hash, instrument), ());
    }

    /// The one whose turn has come.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<InstrumentId> {
        if self.next.is_some_and(|next| now < next) {
            return None;
        }
        let ((_, instrument), ()) = self.waiting.pop_first()?;
        self.next = Some(now + APART);
        Some(instrument)
    }

    /// When the next one's turn is; `None` when none waits.
    pub(super) fn next_deadline(&self, now: Instant) -> Option<Instant> {
        (!self.waiting.is_empty()).then(|| self.next.map_or(now, |next| next.max(now)))
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// All that wait, and wait no longer.
    pub(super) fn take_all(&mut self) -> Vec<InstrumentId> {
        std::mem::take(&mut self.waiting).into_keys().map(|(_, instrument)| instrument).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_go_one_at_a_time_each_once_and_not_in_order() {
        let ids: Vec<InstrumentId> =
            (0..100).map(|n| InstrumentId::parse(&format!("rb{n:04}")).unwrap()).collect();
        let mut additions = Additions::default();
        let mut now = shm_layout::clock::monotonic();
        assert_eq!(additions.next_deadline(now), None);
        ids.iter().chain(&ids).for_each(|id| additions.add(*id));
        let mut taken = Vec::new();
        while let Some(at) = additions.next_deadline(now) {
            now = at;
            taken.push(additions.take_due(now).unwrap());
            assert_eq!(additions.take_due(now), None);
        }
        let ascents = taken.windows(2).filter(|pair| pair[0] < pair[1]).count();
        assert!((25..75).contains(&ascents), "{ascents} of 99 ascend");
        taken.sort_unstable();
        assert_eq!(taken, ids);
    }
}

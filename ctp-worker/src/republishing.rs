//! Which last ticks are to be published once more, and when (pure).
//!
//! A wish may name everything this worker carries. It is granted in parts, so that the ring and its readers are not
//! flooded; an instrument wished for twice meanwhile is published once.

use std::collections::BTreeSet;
use std::time::Instant;

use shm_layout::InstrumentId;

use crate::limits::{REPUBLISHED_APART, REPUBLISHED_AT_ONCE_MAX};

/// What is still to be published once more. Holds instruments assigned to this worker, so it is bounded by their number.
#[derive(Debug, Default)]
pub struct Republishing {
    wanted: BTreeSet<InstrumentId>,
    /// When the next part may go; `None` before the first.
    next: Option<Instant>,
}

// === impl Republishing ===

impl Republishing {
    /// Adds instruments. The first part of them is due at once unless another went just before.
    pub fn want(&mut self, now: Instant, instruments: impl IntoIterator<Item = InstrumentId>) {
        self.wanted.extend(instruments);
        self.next = Some(self.next.map_or(now, |next| next.max(now)));
    }

    /// The next part, when it is due.
    pub fn take_due(&mut self, now: Instant) -> Option<Vec<InstrumentId>> {
        if self.next_deadline().is_none_or(|at| at > now) {
            return None;
        }

        let part =
            std::iter::from_fn(|| self.wanted.pop_first()).take(REPUBLISHED_AT_ONCE_MAX).collect();
        self.next = Some(now + REPUBLISHED_APART);
        Some(part)
    }

    /// When the next part is due.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.next.filter(|_| !self.wanted.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goes_in_parts_and_each_instrument_once() {
        let many =
            |count: usize| (0..count).map(|n| InstrumentId::parse(&format!("x{n:04}")).unwrap());
        let mut now = shm_layout::clock::monotonic();
        let mut republishing = Republishing::default();
        assert_eq!((republishing.take_due(now), republishing.next_deadline()), (None, None));
        let all = REPUBLISHED_AT_ONCE_MAX + 3;
        republishing.want(now, many(all));
        republishing.want(now, many(all));
        let first = republishing.take_due(now).unwrap();
        assert_eq!(first.len(), REPUBLISHED_AT_ONCE_MAX);
        assert_eq!(republishing.take_due(now), None);
        assert_eq!(republishing.next_deadline(), Some(now + REPUBLISHED_APART));
        now += REPUBLISHED_APART;
        let second = republishing.take_due(now).unwrap();
        assert_eq!([first, second].concat(), many(all).collect::<Vec<_>>());
        assert_eq!(republishing.next_deadline(), None);
        // A wish right behind it waits for its turn, a later one does not.
        republishing.want(now, many(1));
        assert_eq!(republishing.next_deadline(), Some(now + REPUBLISHED_APART));
        now += REPUBLISHED_APART * 5;
        assert!(republishing.take_due(now).is_some());
        now += REPUBLISHED_APART * 5;
        republishing.want(now, many(1));
        assert_eq!(republishing.next_deadline(), Some(now));
    }
}

//! Instruments in the order in which something is due for them (pure).

use std::collections::BTreeMap;
use std::time::Instant;

use shm_layout::InstrumentId;

/// Where an instrument stands in a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Due {
    at: Instant,
    /// First come, first served among those due at the same moment.
    order: u64,
}

/// Instruments by the moment something is due.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    by_due: BTreeMap<Due, InstrumentId>,
    orders: u64,
}

// === impl Schedule ===

impl Schedule {
    pub(super) fn insert(&mut self, at: Instant, instrument: InstrumentId) -> Due {
        self.orders += 1;
        let due = Due { at, order: self.orders };
        self.by_due.insert(due, instrument);
        due
    }

    pub(super) fn remove(&mut self, due: Due) {
        self.by_due.remove(&due);
    }

    /// Takes the first instrument if it is due.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<InstrumentId> {
        let first = self.by_due.first_entry()?;
        (first.key().at <= now).then(|| first.remove())
    }

    /// When the first is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.by_due.first_key_value().map(|(due, _)| due.at)
    }

    pub(super) fn clear(&mut self) {
        self.by_due.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn gives_what_is_due_in_order_of_time_then_of_coming() {
        let now = shm_layout::clock::monotonic();
        let id = |text| InstrumentId::parse(text).unwrap();
        let mut schedule = Schedule::default();
        schedule.insert(now + Duration::from_secs(1), id("later"));
        schedule.insert(now, id("first"));
        let removed = schedule.insert(now, id("removed"));
        schedule.insert(now, id("second"));
        schedule.remove(removed);
        let due: Vec<_> = std::iter::from_fn(|| schedule.pop_due(now)).collect();
        assert_eq!(due, [id("first"), id("second")]);
        assert_eq!(schedule.next(), Some(now + Duration::from_secs(1)));
    }
}

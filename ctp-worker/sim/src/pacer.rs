//! Turns a rate into ticks that are due.

use crate::limits::CATCH_UP_NS_MAX;

/// How many ticks are due at a moment, when they come at an even rate.
#[derive(Debug, Clone)]
pub(crate) struct Pacer {
    per_second: f64,
    since_ns: u64,
    taken: u64,
}

impl Pacer {
    /// Begins at `now_ns`; the first tick is due one interval later.
    pub(crate) fn new(per_second: f64, now_ns: u64) -> Self {
        Self { per_second, since_ns: now_ns, taken: 0 }
    }

    /// Goes on at another rate. What part of an interval has gone by still counts, so that frequent
    /// changes starve nobody.
    pub(crate) fn change_rate(&mut self, per_second: f64, now_ns: u64) {
        if per_second.to_bits() == self.per_second.to_bits() {
            return;
        }
        let part = (self.owed(now_ns) - self.taken as f64).clamp(0.0, 1.0);
        let gone_ns = if per_second > 0.0 { part / per_second * 1e9 } else { 0.0 };
        *self = Self::new(per_second, now_ns.saturating_sub(gone_ns as u64));
    }

    /// Ticks due now and not yet taken. What is older than the catch-up bound is left out.
    pub(crate) fn due(&mut self, now_ns: u64) -> u64 {
        let due = self.due_whole(now_ns);
        let kept = (self.per_second * CATCH_UP_NS_MAX as f64 / 1e9).ceil().max(1.0) as u64;
        if due > kept {
            self.taken += due - kept;
        }
        due.min(kept)
    }

    /// Ticks due now and not yet taken, however many.
    pub(crate) fn due_whole(&self, now_ns: u64) -> u64 {
        (self.owed(now_ns) as u64).saturating_sub(self.taken)
    }

    /// Notes that so many ticks were sent.
    pub(crate) fn take(&mut self, count: u64) {
        self.taken += count;
    }

    /// When the next tick is due; `None` at rate zero.
    pub(crate) fn next_ns(&self) -> Option<u64> {
        if self.per_second <= 0.0 {
            return None;
        }
        let after_ns = (self.taken + 1) as f64 / self.per_second * 1e9;
        Some(self.since_ns.saturating_add(after_ns.ceil() as u64))
    }

    fn owed(&self, now_ns: u64) -> f64 {
        now_ns.saturating_sub(self.since_ns) as f64 / 1e9 * self.per_second
    }
}

/// When to wake for a tick due at `due_ns`: then, but not before a slice has gone by, so that high
/// rates cost one sleep per slice and not one per tick.
pub(crate) fn wake_ns(due_ns: u64, now_ns: u64, slice_ns: u64) -> u64 {
    due_ns.max(now_ns.saturating_add(slice_ns))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ticks_come_evenly() {
        let mut pacer = Pacer::new(2.0, 1000);
        assert_eq!(pacer.due(1000), 0);
        assert_eq!(pacer.next_ns(), Some(500_001_000));
        assert_eq!(pacer.due(500_001_000), 1);
        pacer.take(1);
        assert_eq!(pacer.due(500_001_000), 0);
        assert_eq!(pacer.due(1_000_001_000), 1);
    }

    #[test]
    fn the_distant_past_is_left_out_but_not_of_a_burst() {
        let mut pacer = Pacer::new(100.0, 0);
        assert_eq!(pacer.due_whole(60_000_000_000), 6000);
        assert_eq!(pacer.due(60_000_000_000), 100);
        pacer.take(100);
        assert_eq!(pacer.due(60_000_000_000), 0);
    }

    #[test]
    fn changing_the_rate_often_starves_nobody() {
        let mut pacer = Pacer::new(2.0, 0);
        let mut sent = 0;
        for step in 1..=1000u64 {
            let now_ns = step * 10_000_000;
            let due = pacer.due(now_ns);
            pacer.take(due);
            sent += due;
            pacer.change_rate(if step % 2 == 0 { 2.0 } else { 2.5 }, now_ns);
        }
        assert!((19..=26).contains(&sent), "{sent} in ten seconds");
    }

    proptest! {
        #[test]
        fn nothing_is_sent_twice_or_early(
            per_second in 0.1f64..1e6,
            mut at in proptest::collection::vec(0u64..1_000_000_000, 1..50),
        ) {
            let mut pacer = Pacer::new(per_second, 0);
            at.sort_unstable();
            let mut sent = 0u64;
            for &now_ns in &at {
                let due = pacer.due(now_ns);
                pacer.take(due);
                sent += due;
                prop_assert_eq!(sent, (now_ns as f64 / 1e9 * per_second) as u64);
                prop_assert!(pacer.next_ns().unwrap() + 1 > now_ns);
            }
        }
    }
}

//! How long a connection that was away has to hold before instruments return to it. Pure.
//!
//! Each fall doubles its next probation, from [`PROBATION_FIRST`] to [`PROBATION_MAX`]; holding for long wipes the falls
//! out. So a connection that comes and goes is used less and less, and one that fell once is soon used as before.

use std::time::{Duration, Instant};

use crate::limits::{FALLS_FORGOTTEN_AFTER, PROBATION_FIRST, PROBATION_MAX, SILENT_FALLS};

/// One connection's falls.
#[derive(Debug, Clone, Default)]
pub struct Steadiness {
    falls: u32,
    down: bool,
    /// When it came back last.
    risen_at: Option<Instant>,
}

// === impl Steadiness ===

impl Steadiness {
    /// It cannot be used any more, through no wish of ours.
    pub fn fell(&mut self, now: Instant) {
        let held_for_long = self
            .risen_at
            .is_none_or(|at| now.saturating_duration_since(at) >= FALLS_FORGOTTEN_AFTER);
        if !std::mem::replace(&mut self.down, true) {
            self.falls = if held_for_long { 1 } else { self.falls.saturating_add(1) };
        }
    }

    /// As [`Self::fell`], by sending nothing although it seemed to work. Nothing proves that it sends again before it
    /// has instruments again, so it is kept waiting for long.
    pub fn fell_silent(&mut self, now: Instant) {
        self.fell(now);
        self.falls = self.falls.max(SILENT_FALLS);
    }

    /// It can be used.
    pub fn rose(&mut self, now: Instant) {
        if std::mem::replace(&mut self.down, false) {
            self.risen_at = Some(now);
        }
    }

    /// True from a fall until it rises.
    #[must_use]
    pub const fn is_down(&self) -> bool {
        self.down
    }

    /// True when it fell and that is not forgotten.
    #[must_use]
    pub const fn has_fallen(&self) -> bool {
        self.falls > 0
    }

    /// True while it has to hold before anything returns to it.
    #[must_use]
    pub fn is_on_probation(&self, now: Instant) -> bool {
        !self.down && self.probation_ends().is_some_and(|end| now < end)
    }

    /// When its probation ends, if it has one.
    #[must_use]
    pub fn probation_ends(&self) -> Option<Instant> {
        self.risen_at.filter(|_| !self.down).map(|at| at + self.probation())
    }

    /// How long it has to hold after its next rise.
    #[must_use]
    pub fn probation(&self) -> Duration {
        let doublings = self.falls.saturating_sub(1).min(16);
        if self.falls == 0 {
            Duration::ZERO
        } else {
            PROBATION_FIRST.saturating_mul(1 << doublings).min(PROBATION_MAX)
        }
    }

    /// A person vouches for it.
    pub fn pardon(&mut self) {
        *self = Self { down: self.down, ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use shm_layout::clock::monotonic;

    #[test]
    fn each_fall_doubles_and_holding_wipes_out() {
        let (mut steadiness, mut now) = (Steadiness::default(), monotonic());
        assert!(!steadiness.is_on_probation(now), "one that never fell is trusted");
        for doubling in 0..3 {
            steadiness.fell(now);
            steadiness.fell(now);
            assert!(steadiness.is_down() && !steadiness.is_on_probation(now));
            now += Duration::from_secs(1);
            steadiness.rose(now);
            let probation = PROBATION_FIRST * (1 << doubling);
            assert!(steadiness.is_on_probation(now + probation - Duration::from_millis(1)));
            now += probation;
            assert!(!steadiness.is_on_probation(now));
        }
        now += FALLS_FORGOTTEN_AFTER;
        steadiness.fell(now);
        assert_eq!(steadiness.probation(), PROBATION_FIRST);
    }

    proptest! {
        #[test]
        fn a_probation_is_never_outside_its_bounds(lives in prop::collection::vec((0..100_000_u64, 0..100_000_u64), 1..100)) {
            let (mut steadiness, mut now) = (Steadiness::default(), monotonic());
            for (up, down) in lives {
                now += Duration::from_millis(up);
                steadiness.fell(now);
                now += Duration::from_millis(down);
                steadiness.rose(now);
                prop_assert!((PROBATION_FIRST..=PROBATION_MAX).contains(&steadiness.probation()));
            }
        }
    }
}

//! How long to wait before another try: quick ones first, then a slow pace without end (pure).

use std::time::Duration;

use crate::limits::{RETRY_FIRST, RETRY_SLOW};

/// The pace of retries: 1 s doubling to 60 s for the first `quick` ones, 60 s from then on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPace {
    quick: u32,
}

// === impl RetryPace ===

impl RetryPace {
    /// A pace with so many quick retries.
    #[must_use]
    pub const fn new(quick: u32) -> Self {
        Self { quick }
    }

    /// The pause after the failure numbered `failures` (the first is 1).
    #[must_use]
    pub fn pause(&self, failures: u32) -> Duration {
        if !self.is_quick(failures) {
            return RETRY_SLOW;
        }
        // Six doublings reach the slow pace; the bound keeps the shift in range whatever was configured.
        let doublings = failures.saturating_sub(1).min(6);
        (RETRY_FIRST * 2_u32.pow(doublings)).min(RETRY_SLOW)
    }

    /// True while the quick retries last.
    #[must_use]
    pub const fn is_quick(&self, failures: u32) -> bool {
        failures <= self.quick
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quick_ones_double_and_slow_ones_never_end() {
        let pace = RetryPace::new(3);
        let pauses: Vec<u64> = (1..=6).map(|failures| pace.pause(failures).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 60, 60, 60]);
    }

    proptest! {
        #[test]
        fn every_pause_lies_between_the_first_and_the_slow(quick in any::<u32>(), failures in 1_u32..) {
            let pause = RetryPace::new(quick).pause(failures);
            prop_assert!((RETRY_FIRST..=RETRY_SLOW).contains(&pause));
        }
    }
}

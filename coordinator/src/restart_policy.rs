//! When a dead process is started anew.

use std::time::{Duration, Instant};

use crate::limits::{HEALTHY_AFTER, RESTART_DELAY_FIRST, RESTART_DELAY_MAX};

/// The exit code of a process that refuses its settings: another start would end the same way.
pub const EXIT_REFUSED: i32 = 64;

/// Counts deaths in a row.
#[derive(Debug, Clone, Copy, Default)]
pub struct RestartPolicy {
    deaths: u32,
}

// === impl RestartPolicy ===

impl RestartPolicy {
    /// A process started at `started` (when that is known) has died at `now`; the next start follows after the delay
    /// given. A process that lived long was healthy: its death counts as a first one.
    pub fn died(&mut self, started: Option<Instant>, now: Instant) -> Duration {
        let lived =
            started.map_or(Duration::ZERO, |started| now.saturating_duration_since(started));
        if lived >= HEALTHY_AFTER {
            self.deaths = 0;
        }
        let doublings = self.deaths.min(16);
        self.deaths = self.deaths.saturating_add(1);
        RESTART_DELAY_FIRST.saturating_mul(1 << doublings).min(RESTART_DELAY_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use shm_layout::clock::monotonic;

    #[test]
    fn delays_double_up_to_the_longest() {
        let (mut policy, start) = (RestartPolicy::default(), monotonic());
        let delays: Vec<u128> =
            (0..10).map(|_| policy.died(Some(start), start).as_millis()).collect();
        assert_eq!(delays, [200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000]);
    }

    #[test]
    fn a_healthy_life_begins_anew() {
        let (mut policy, start) = (RestartPolicy::default(), monotonic());
        (0..5).for_each(|_| assert!(policy.died(Some(start), start) > Duration::ZERO));
        assert_eq!(policy.died(Some(start), start + HEALTHY_AFTER), RESTART_DELAY_FIRST);
        assert_eq!(policy.died(None, start + HEALTHY_AFTER), RESTART_DELAY_FIRST * 2);
    }

    proptest! {
        #[test]
        fn a_delay_is_never_outside_its_bounds(lives in prop::collection::vec(0..100_000_u64, 0..100)) {
            let (mut policy, mut now) = (RestartPolicy::default(), monotonic());
            for life in lives {
                let started = now;
                now += Duration::from_millis(life);
                let delay = policy.died(Some(started), now);
                prop_assert!((RESTART_DELAY_FIRST..=RESTART_DELAY_MAX).contains(&delay));
                now += delay;
            }
        }
    }
}

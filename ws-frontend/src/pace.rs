//! How long to rest after a fan-out. Ticks that come meanwhile pool into bigger writes: the rest halves the CPU that a
//! loaded hub takes and costs no delay that can be seen, since the kernel's work per write is what the time goes into.

use std::time::Duration;

use crate::limits::{REST_AFTER, REST_MAX};

/// The rest after a fan-out that took `fan_out`: none for a short one, else three quarters of it, at most
/// [`REST_MAX`].
#[must_use]
pub fn rest(fan_out: Duration) -> Option<Duration> {
    (fan_out > REST_AFTER).then(|| (fan_out * 3 / 4).min(REST_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_fan_outs_are_not_rested_after_and_long_ones_not_for_long() {
        assert_eq!(rest(Duration::ZERO), None);
        assert_eq!(rest(REST_AFTER), None);
        assert_eq!(rest(Duration::from_micros(400)), Some(Duration::from_micros(300)));
        assert_eq!(rest(Duration::from_micros(200)), Some(Duration::from_micros(150)));
        assert_eq!(rest(Duration::from_secs(1)), Some(REST_MAX));
    }
}

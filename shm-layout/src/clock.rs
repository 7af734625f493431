//! The only place that asks the machine for the time. Decisions take time as an argument; drivers ask here.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Nanoseconds since 1970-01-01 UTC, from the machine's wall clock.
#[must_use]
pub fn unix_ns() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "this is the door to the clock")]
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// Nanoseconds since the machine started, suspended time included. It never goes back and means the same to every process
/// until the next start, which the wall clock does not promise: so it numbers lives of workers.
#[must_use]
pub fn boot_ns() -> u64 {
    let time = nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME);
    time.map_or(0, |time| {
        time.tv_sec().unsigned_abs() * 1_000_000_000 + time.tv_nsec().unsigned_abs()
    })
}

/// Milliseconds since 1970-01-01 UTC, from the machine's wall clock.
#[must_use]
pub fn unix_ms() -> i64 {
    unix_ns() / 1_000_000
}

/// The monotonic clock, for deadlines and durations.
#[must_use]
pub fn monotonic() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "this is the door to the clock")]
    Instant::now()
}

//! Whether a connection has gone silent although ticks are due. Pure.
//!
//! Silence alone says little: pauses, nights, and instruments that trade twice a day are silent, too. So ticks are counted
//! only while instruments of the connection are in a trading session, and it is overdue only when it has been silent for
//! [`STALE_AFTER`] *and* so many ticks have been due meanwhile ([`TICKS_DUE_MIN`]) by what it used to send, or, when it
//! has not sent anything worth comparing, by a tenth of what the other connections send per instrument. Snapshots that
//! follow a subscription do not count: they come at any hour.

use std::time::{Duration, Instant};

use crate::limits::{PULSE_MEMORY, STALE_AFTER, TICKS_DUE_MIN};

/// One connection's ticks within trading sessions.
#[derive(Debug, Clone, Default)]
pub struct Pulse {
    live_total: u64,
    last_live: Option<Instant>,
    /// Since when ticks could come: logged in, with instruments in a session.
    due_since: Option<Instant>,
    looked_at: Option<Instant>,
    instruments: usize,
    /// Ticks that came while they were due, for how long they were, and for how many instruments.
    lived: f64,
    seconds: f64,
    instrument_seconds: f64,
}

/// What a rate is worth: the time it was observed for.
const OBSERVED_ENOUGH: f64 = 30.0;

/// How much of the others' rate a connection is held to.
const OTHERS_SHARE: f64 = 0.1;

// === impl Pulse ===

impl Pulse {
    /// Its worker has published so many ticks that are no snapshots, since its start.
    #[expect(clippy::cast_precision_loss, reason = "a count of ticks in a second")]
    pub fn counted(&mut self, live_total: u64, now: Instant) {
        let came = live_total.saturating_sub(self.live_total);
        self.live_total = live_total;
        if came > 0 {
            self.last_live = Some(now);
            if self.due_since.is_some() {
                self.lived += came as f64;
            }
        }
    }

    /// Looks at it: so many of its instruments are subscribed and in a trading session, the first of them since
    /// `session_since`; it is logged in or not.
    #[expect(clippy::cast_precision_loss, reason = "counts of instruments")]
    pub fn look(
        &mut self,
        ready: bool,
        instruments: usize,
        session_since: Option<Instant>,
        now: Instant,
    ) {
        let due = ready && instruments > 0;
        if let (Some(_), Some(looked_at)) = (self.due_since, self.looked_at) {
            let seconds = now.saturating_duration_since(looked_at).as_secs_f64();
            self.seconds += seconds;
            self.instrument_seconds += seconds * self.instruments as f64;
            if self.seconds > PULSE_MEMORY.as_secs_f64() {
                (self.lived, self.seconds, self.instrument_seconds) =
                    (self.lived / 2.0, self.seconds / 2.0, self.instrument_seconds / 2.0);
            }
        }
        self.due_since = match (due, self.due_since, session_since) {
            (false, ..) => None,
            (true, Some(since), Some(session)) => Some(since.max(session)),
            (true, Some(since), None) => Some(since),
            // A session that began before it logged in begins for it now.
            (true, None, _) => Some(now),
        };
        (self.looked_at, self.instruments) = (Some(now), instruments);
    }

    /// True when it sent something that was no snapshot within the time after which it would be overdue.
    #[must_use]
    pub fn is_lively(&self, now: Instant) -> bool {
        self.last_live.is_some_and(|at| now.saturating_duration_since(at) < STALE_AFTER)
    }

    /// How many of its instruments are in a session.
    #[must_use]
    pub const fn instruments(&self) -> usize {
        self.instruments
    }

    /// Ticks per second and instrument that it sent while they were due; `None` when that was not for long enough.
    #[must_use]
    pub fn rate_per_instrument(&self) -> Option<f64> {
        (self.seconds >= OBSERVED_ENOUGH && self.instrument_seconds > 0.0)
            .then(|| self.lived / self.instrument_seconds)
    }

    /// For how long ticks have been due and none came.
    #[must_use]
    pub fn silence(&self, now: Instant) -> Duration {
        let since = self.due_since.map(|due| self.last_live.map_or(due, |live| live.max(due)));
        since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// True when it is silent and should not be, given what others send per second and instrument.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts of instruments")]
    pub fn is_overdue(&self, others: Option<f64>, now: Instant) -> bool {
        let silence = self.silence(now);
        let own = self.rate_per_instrument().filter(|rate| *rate > 0.0);
        let rate = own.or(others.map(|rate| rate * OTHERS_SHARE)).unwrap_or_default();
        let due = rate * self.instruments as f64 * silence.as_secs_f64();
        silence >= STALE_AFTER && due >= TICKS_DUE_MIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shm_layout::clock::monotonic;

    const SECOND: Duration = Duration::from_secs(1);

    /// A pulse and its clock.
    struct Bench {
        pulse: Pulse,
        now: Instant,
        total: u64,
    }

    impl Bench {
        fn new() -> Self {
            Self { pulse: Pulse::default(), now: monotonic(), total: 0 }
        }

        fn pass(&mut self, seconds: u32, per_second: u64, instruments: usize, ready: bool) {
            for _ in 0..seconds {
                self.now += SECOND;
                self.total += per_second;
                self.pulse.counted(self.total, self.now);
                self.pulse.look(ready, instruments, None, self.now);
            }
        }

        fn overdue(&self, others: Option<f64>) -> bool {
            self.pulse.is_overdue(others, self.now)
        }
    }

    fn stale_seconds() -> u32 {
        u32::try_from(STALE_AFTER.as_secs()).unwrap()
    }

    #[test]
    fn silence_after_a_lively_time_is_overdue_and_one_tick_ends_it() {
        let mut bench = Bench::new();
        bench.pass(60, 100, 50, true);
        bench.pass(stale_seconds() - 1, 0, 50, true);
        assert!(!bench.overdue(None));
        bench.pass(2, 0, 50, true);
        assert!(bench.overdue(None));
        bench.pass(1, 1, 50, true);
        assert!(!bench.overdue(None));
    }

    #[test]
    fn pauses_and_lost_sessions_are_no_silence() {
        let mut bench = Bench::new();
        bench.pass(60, 100, 50, true);
        bench.pass(3600, 0, 0, true);
        assert!(!bench.overdue(Some(2.0)), "nothing is in a session");
        bench.pass(5, 0, 50, true);
        assert!(!bench.overdue(Some(2.0)), "the session has only begun");
        bench.pass(600, 0, 50, false);
        assert!(!bench.overdue(Some(2.0)), "it is not logged in");
    }

    #[test]
    fn what_rarely_ticks_may_be_silent_for_longer() {
        let mut bench = Bench::new();
        bench.pass(600, 0, 3, true);
        bench.pass(1, 6, 3, true);
        bench.pass(stale_seconds() * 2, 0, 3, true);
        assert!(!bench.overdue(None), "six ticks in ten minutes: one is due by now, not thirty");
    }

    #[test]
    fn what_never_sent_is_measured_by_the_others() {
        let mut bench = Bench::new();
        bench.pass(stale_seconds() * 2, 0, 100, true);
        assert!(!bench.overdue(None), "nobody knows whether ticks are due");
        assert!(bench.overdue(Some(2.0)));
    }

    #[test]
    fn a_restarted_worker_counts_from_zero() {
        let mut bench = Bench::new();
        bench.pass(60, 100, 50, true);
        bench.total = 0;
        bench.pass(1, 10, 50, true);
        assert!(bench.pulse.is_lively(bench.now));
        bench.pass(1, 10, 50, true);
        assert!(!bench.overdue(None));
    }
}

//! What is known of one worker's session and counters: what it said last.

use std::collections::VecDeque;
use std::time::Instant;

use shm_layout::Incarnation;
use shm_layout::control::{SessionReport, WorkerHello, WorkerStats};

use crate::limits::{RATE_SAMPLES_MAX, RATE_WINDOW};

/// A worker as it described itself.
#[derive(Debug, Default)]
pub struct WorkerState {
    incarnation: Option<Incarnation>,
    library_version: Option<String>,
    session: Option<SessionReport>,
    stats: WorkerStats,
    rate: TickRate,
}

// === impl WorkerState ===

impl WorkerState {
    /// It said hello; whatever was known of an earlier life is forgotten.
    pub fn introduced(&mut self, hello: &WorkerHello) {
        if self.incarnation != Some(hello.incarnation) {
            self.died();
        }
        self.incarnation = Some(hello.incarnation);
        self.library_version = Some(hello.library_version.clone());
        self.session = Some(hello.session.clone());
    }

    /// Its session changed.
    pub fn session_changed(&mut self, session: SessionReport) {
        self.session = Some(session);
    }

    /// Its counters.
    pub fn counted(&mut self, stats: WorkerStats, now: Instant) {
        self.stats = stats;
        self.rate.sample(stats.ticks, now);
    }

    /// Its process ended: its session and its subscriptions ended with it. The version stays, to be shown.
    pub fn died(&mut self) {
        self.incarnation = None;
        self.session = None;
        self.stats = WorkerStats::default();
        self.rate = TickRate::default();
    }

    /// Its life.
    #[must_use]
    pub const fn incarnation(&self) -> Option<Incarnation> {
        self.incarnation
    }

    /// Its library's version.
    #[must_use]
    pub fn library_version(&self) -> Option<&str> {
        self.library_version.as_deref()
    }

    /// Its login session.
    #[must_use]
    pub const fn session(&self) -> Option<&SessionReport> {
        self.session.as_ref()
    }

    /// Its counters.
    #[must_use]
    pub const fn stats(&self) -> WorkerStats {
        self.stats
    }

    /// Ticks per second over the last few seconds.
    #[must_use]
    pub fn ticks_per_second(&self, now: Instant) -> f64 {
        self.rate.per_second(now)
    }
}

/// A rate from samples of a counter that only grows.
#[derive(Debug, Default)]
struct TickRate {
    samples: VecDeque<(Instant, u64)>,
}

impl TickRate {
    fn sample(&mut self, count: u64, now: Instant) {
        if self.samples.back().is_some_and(|(_, last)| count < *last) {
            self.samples.clear();
        }
        self.samples.push_back((now, count));
        // One sample older than the window stays: the window then begins at it.
        while self.samples.len() > RATE_SAMPLES_MAX
            || self
                .samples
                .get(1)
                .is_some_and(|(at, _)| now.saturating_duration_since(*at) >= RATE_WINDOW)
        {
            self.samples.pop_front();
        }
    }

    /// Zero when the last sample is old: the worker went silent.
    fn per_second(&self, now: Instant) -> f64 {
        let (Some((first_at, first)), Some((last_at, last))) =
            (self.samples.front(), self.samples.back())
        else {
            return 0.0;
        };
        let seconds = last_at.saturating_duration_since(*first_at).as_secs_f64();
        if seconds <= 0.0 || now.saturating_duration_since(*last_at) > RATE_WINDOW {
            return 0.0;
        }
        #[expect(clippy::cast_precision_loss, reason = "a rate is shown with one decimal")]
        let ticks = (last - first) as f64;
        ticks / seconds
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shm_layout::clock::monotonic;
    use shm_layout::control::SessionState;
    use shm_layout::{ConnectionId, Epoch, WorkerId};
    use std::time::Duration;

    fn session(state: SessionState) -> SessionReport {
        SessionReport { state, epoch: Epoch(1), trading_day: None }
    }

    fn hello(incarnation: u64) -> WorkerHello {
        WorkerHello {
            connection: ConnectionId::parse("a").unwrap(),
            worker: WorkerId(0),
            incarnation: Incarnation(incarnation),
            library_version: "v6.7.13".into(),
            generation: None,
            session: session(SessionState::Ready),
            inventory: Vec::new(),
        }
    }

    #[test]
    fn a_death_ends_what_it_said_and_its_version_stays() {
        let mut state = WorkerState::default();
        state.introduced(&hello(1));
        assert_eq!(state.session(), Some(&session(SessionState::Ready)));
        state.died();
        assert_eq!((state.session(), state.incarnation()), (None, None));
        assert_eq!(state.library_version(), Some("v6.7.13"));
    }

    #[test]
    fn the_rate_covers_the_last_seconds() {
        let (mut rate, start) = (TickRate::default(), monotonic());
        let at = |second| start + Duration::from_secs(second);
        assert!(rate.per_second(start) == 0.0);
        (0..100).for_each(|second| rate.sample(second * 10, at(second)));
        assert!((rate.per_second(at(99)) - 10.0).abs() < 1e-9);
        (100..107).for_each(|second| rate.sample(990, at(second)));
        assert!(rate.per_second(at(106)) == 0.0, "it stood still for longer than the window");
        rate.sample(5, at(107));
        rate.sample(25, at(108));
        assert!((rate.per_second(at(108)) - 20.0).abs() < 1e-9, "another life begins at zero");
        assert!(rate.per_second(at(200)) == 0.0, "it went silent");
    }
}

//! How good one connection has been, 0 to 100, and what it lost points for. Pure.
//!
//! The score is 100 less the points of five parts, and never below 0:
//!
//! ```text
//! score = max(0, 100 - delay - gaps - errors - disconnects - staleness)
//! ```
//!
//! Every part has a cause in points, and follows it with a half-life of 10 s: of the distance between the part and its
//! cause, half is left after 10 s, a quarter after 20 s. Both are functions of the time that passed and of nothing else, so
//! it does not matter how often anybody asks. `lg` is the decimal logarithm, held between 0 and 1 by `clamp`.
//!
//! | part | cause, in points | at most |
//! |---|---|---|
//! | delay | `25 * clamp(lg(behind_ms) / 2)` | 25 |
//! | gaps | `25 * clamp(lg(share / 0.0001) / 3)` | 25 |
//! | errors | a sum, of which half is forgotten every 60 s | 20 |
//! | disconnects | a sum, of which half is forgotten every 5 min: 10 each, 15 for a death of the worker | 30 |
//! | | and 100 while it is not logged in | 100 |
//! | staleness | 40 while it is silent and others tick within a trading session | 40 |
//!
//! **Delay** is judged in windows of 5 s. A tick is contested when several connections brought it:
//!
//! ```text
//! contested = won + copies + late
//! behind_ms = (behind_ns / 1e6 + 100 * late) / contested
//! ```
//!
//! With less than 20 contested ticks there is nothing to compare with (as always with a redundancy of 1): then the last
//! verdict holds, for half an hour at most. Brokers differ by tenths of a millisecond to tens of milliseconds, so the scale is logarithmic: nothing up to 1 ms
//! behind, half at 10 ms, all from 100 ms on. On a linear scale either the good ones could not be told apart, or all
//! the others. A late tick (one that came when a later one of its instrument was out already) has no measured distance
//! and counts as 100 ms; without it a connection so slow that each of its ticks is late would look faultless.
//!
//! **Gaps** are judged in windows of 5 s, too, by the worse of two shares: what readers did not get, and what the worker
//! could not publish (readers see that as lost as well, so the two are not added). With
//! `gaps = missed + lost` or `gaps = unpublished`:
//!
//! ```text
//! share = gaps / max(ticks + gaps, 1000)
//! ```
//!
//! It costs nothing up to 1 in 10,000, a third at 1 in 1000, two thirds at 1 in 100, all from 1 in 10 on. A verdict on
//! gaps holds until the next; without reports it lapses after 15 s.
//!
//! **Errors** add 5 points for a login refused or unanswered and for a panic, 1 for a call that the library did not take,
//! 0.02 for a dropped event or a malformed callback, and `10 * asked_again / max(instruments, 20)`: 10 for asking again
//! for everything it carries.
//!
//! Counters are cumulative. The first report only says where they begin. A worker's that went back began at zero again,
//! so all they hold is new. A sum over frontends that went back means that a frontend left; what it holds is old, so the
//! window begins anew and the last verdict holds meanwhile.

mod judging;

use std::time::{Duration, Instant};

use shm_layout::control::{self, ConnectionView, WorkerStats};

use crate::limits::{
    QUALITY_AWAY_POINTS, QUALITY_DEATH_POINTS, QUALITY_DELAY_VERDICT_LIFE,
    QUALITY_DISCONNECT_POINTS, QUALITY_DISCONNECTS_HALF_LIFE, QUALITY_DISCONNECTS_POINTS_MAX,
    QUALITY_ERRORS_HALF_LIFE, QUALITY_ERRORS_POINTS_MAX, QUALITY_SMOOTHING_HALF_LIFE,
    QUALITY_STALE_POINTS, QUALITY_VERDICT_LIFE,
};
use judging::{
    Verdict, Window, counters_of_stats, counters_of_view, delay_points, error_points, gap_points,
    went_back,
};

/// What is known of one connection's quality.
#[derive(Debug, Clone, Copy)]
pub struct Quality {
    /// The moment that the parts stand for.
    at: Instant,
    was_ready: bool,
    delay: Part,
    gaps: Part,
    errors: Part,
    disconnects: Part,
    away: Part,
    staleness: Part,
    worker: Option<Window<WorkerStats>>,
    readers: Option<Window<ConnectionView>>,
    /// On gaps, by the worker's own counters.
    unpublished: Verdict,
    /// On gaps, as readers see them.
    missing: Verdict,
    /// On delay.
    behind: Verdict,
}

/// A part of the score: what causes it and the points taken off, which follow the cause.
#[derive(Debug, Clone, Copy)]
struct Part {
    /// Points.
    cause: f64,
    /// Points.
    points: f64,
    /// In which time half of the cause is forgotten; `None` for one that holds until it is set anew.
    half_life: Option<Duration>,
}

// === impl Quality ===

impl Quality {
    /// A connection of which nothing is known yet.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            at: now,
            was_ready: false,
            delay: Part::held(),
            gaps: Part::held(),
            errors: Part::forgotten(QUALITY_ERRORS_HALF_LIFE),
            disconnects: Part::forgotten(QUALITY_DISCONNECTS_HALF_LIFE),
            away: Part::held(),
            staleness: Part::held(),
            worker: None,
            readers: None,
            unpublished: Verdict::default(),
            missing: Verdict::default(),
            behind: Verdict::default(),
        }
    }

    /// The worker said its counters, which it does about once a second. The first time they are taken for old: a worker
    /// that outlived its coordinator has a history.
    pub fn observe_stats(&mut self, stats: &WorkerStats, now: Instant) {
        self.advance(now);
        let restarted = self.worker.is_some_and(|window| {
            went_back(counters_of_stats(&window.last), counters_of_stats(stats))
        });
        if restarted {
            self.worker = Some(Window::new(WorkerStats::default(), self.at));
        }
        let window = self.worker.get_or_insert(Window::new(*stats, self.at));
        self.errors.add(error_points(&window.last, stats), QUALITY_ERRORS_POINTS_MAX);
        if let Some(base) = window.say(*stats, self.at) {
            let gaps = stats.unpublished.saturating_sub(base.unpublished);
            let ticks = stats.ticks.saturating_sub(base.ticks);
            self.unpublished = Verdict::new(gap_points(gaps, ticks), self.at, QUALITY_VERDICT_LIFE);
            self.judge();
        }
    }

    /// How this connection's ticks compare with the others', summed over the frontends; about once a second. The first
    /// time that is taken for old. So should a frontend be that joins with a history: leave out what it said first.
    pub fn observe_view(&mut self, view: ConnectionView, now: Instant) {
        self.advance(now);
        self.readers
            .take_if(|window| went_back(counters_of_view(&window.last), counters_of_view(&view)));
        let window = self.readers.get_or_insert(Window::new(view, self.at));
        if let Some(base) = window.say(view, self.at) {
            let missed = view.missed.saturating_sub(base.missed);
            let gaps = missed.saturating_add(view.lost.saturating_sub(base.lost));
            let ticks = view.ticks.saturating_sub(base.ticks);
            self.missing = Verdict::new(gap_points(gaps, ticks), self.at, QUALITY_VERDICT_LIFE);
            // A pause of the market says nothing about a connection: what was said before it holds.
            if let Some(points) = delay_points(&base, &view) {
                self.behind = Verdict::new(points, self.at, QUALITY_DELAY_VERDICT_LIFE);
            }
            self.judge();
        }
    }

    /// The front disconnected it. Whether it is logged in is said apart, by [`Quality::ready`].
    pub fn disconnected(&mut self, now: Instant) {
        self.advance(now);
        self.disconnects.add(QUALITY_DISCONNECT_POINTS, QUALITY_DISCONNECTS_POINTS_MAX);
    }

    /// Its worker died, unasked. Whether it is logged in is said apart, by [`Quality::ready`].
    pub fn died(&mut self, now: Instant) {
        self.advance(now);
        self.disconnects.add(QUALITY_DEATH_POINTS, QUALITY_DISCONNECTS_POINTS_MAX);
    }

    /// Whether it is silent while others tick within a trading session; until it is said anew.
    pub fn stale(&mut self, stale: bool, now: Instant) {
        self.advance(now);
        self.staleness.cause = if stale { QUALITY_STALE_POINTS } else { 0.0 };
    }

    /// Whether it is logged in; until it is said anew. Before the first time that it is, nothing is held against it for
    /// that: a connection that just started is not a bad one.
    pub fn ready(&mut self, ready: bool, now: Instant) {
        self.advance(now);
        self.was_ready |= ready;
        self.away.cause = if ready || !self.was_ready { 0.0 } else { QUALITY_AWAY_POINTS };
    }

    /// 0 to 100, 100 is faultless; none before the connection was ever logged in. Asking changes nothing.
    #[must_use]
    pub fn score(&self, now: Instant) -> Option<f32> {
        self.report(now).map(|report| report.score)
    }

    /// The score with the points taken off for each part; none before the connection was ever logged in.
    #[must_use]
    pub fn report(&self, now: Instant) -> Option<control::Quality> {
        let mut then = *self;
        then.advance(now);
        let [delay, gaps, errors, staleness] =
            [then.delay, then.gaps, then.errors, then.staleness].map(|part| part.points);
        let disconnects = then.disconnects.points + then.away.points;
        let score = 100.0 - delay - gaps - errors - disconnects - staleness;
        self.was_ready.then(|| control::Quality {
            score: narrow(score),
            delay: narrow(delay),
            gaps: narrow(gaps),
            errors: narrow(errors),
            disconnects: narrow(disconnects),
            staleness: narrow(staleness),
        })
    }

    /// Brings the parts to `now`. A verdict that lapses on the way does so at its own time and not when somebody looks.
    fn advance(&mut self, now: Instant) {
        while let Some(end) = self.next_end().filter(|end| *end <= now) {
            self.follow(end);
            for verdict in [&mut self.unpublished, &mut self.missing, &mut self.behind] {
                if verdict.until.is_some_and(|until| until <= end) {
                    *verdict = Verdict::default();
                }
            }
            self.judge();
        }
        self.follow(now);
    }

    fn next_end(&self) -> Option<Instant> {
        [self.unpublished.until, self.missing.until, self.behind.until].into_iter().flatten().min()
    }

    /// Time that goes back stands still.
    fn follow(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.at);
        self.at = self.at.max(now);
        for part in [
            &mut self.delay,
            &mut self.gaps,
            &mut self.errors,
            &mut self.disconnects,
            &mut self.away,
            &mut self.staleness,
        ] {
            part.follow(elapsed);
        }
    }

    fn judge(&mut self) {
        self.delay.cause = self.behind.points;
        self.gaps.cause = self.unpublished.points.max(self.missing.points);
    }
}

// === impl Part ===

impl Part {
    const fn held() -> Self {
        Self { cause: 0.0, points: 0.0, half_life: None }
    }

    const fn forgotten(half_life: Duration) -> Self {
        Self { cause: 0.0, points: 0.0, half_life: Some(half_life) }
    }

    const fn add(&mut self, points: f64, most: f64) {
        self.cause = (self.cause + points).min(most);
    }

    /// The exact answer after `elapsed` of points that approach their cause while the cause itself is being forgotten, so
    /// that many small steps come to the same as one large one.
    fn follow(&mut self, elapsed: Duration) {
        let smoothing = QUALITY_SMOOTHING_HALF_LIFE.as_secs_f64();
        let left = half_lives(elapsed, smoothing);
        let (kept, weight) = self.half_life.map_or((1.0, 1.0), |half_life| {
            let half_life = half_life.as_secs_f64();
            (half_lives(elapsed, half_life), half_life / (half_life - smoothing))
        });
        self.points = self.points * left + self.cause * weight * (kept - left);
        self.cause *= kept;
    }
}

/// What is left of one after so many half-lives.
fn half_lives(elapsed: Duration, half_life_s: f64) -> f64 {
    (-elapsed.as_secs_f64() / half_life_s).exp2()
}

/// Points as they are shown.
#[expect(clippy::cast_possible_truncation, reason = "0 to 200 with six digits is enough")]
fn narrow(points: f64) -> f32 {
    points.max(0.0) as f32
}

#[cfg(test)]
mod tests;

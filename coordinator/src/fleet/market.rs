//! Silence within trading sessions, and the connections' quality for the planner.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use shm_layout::control::{ConnectionView, Standing};
use shm_layout::{HoursClass, InstrumentId};
use tracing::warn;

use super::wishes::Afterwards;
use super::{Fleet, seat_of};
use crate::config::Strategy;
use crate::limits::{QUALITY_MENDED, QUALITY_STEP};
use crate::planner::CopyState;
use crate::pulse::Pulse;

impl Fleet {
    /// Looks at every connection beside the others, about once a second. `unix_ms` is the wall clock.
    pub fn look_at_market(&mut self, now: Instant, unix_ms: i64) {
        if !self.is_serving() {
            return;
        }
        let mut sessions = HashMap::new();
        self.in_session = false;
        for index in 0..self.workers.len() {
            let (instruments, since) = self.in_session_on(index, now, unix_ms, &mut sessions);
            self.in_session |= instruments > 0;
            let worker = &mut self.workers[index];
            let ready = worker.is_ready();
            worker.pulse.look(ready, instruments, since, now);
            worker.quality.ready(ready, now);
        }
        for index in 0..self.workers.len() {
            let stale = self.is_stale(index, now);
            let worker = &mut self.workers[index];
            // It is held against it until it sends something, or is trusted again without.
            worker.silent &= !worker.pulse.is_lively(now)
                && (worker.verdict.standing != Standing::Good || worker.retiring.is_some());
            worker.quality.stale(stale || worker.silent, now);
            if worker.pulse.is_lively(now) && !self.placement.seat(seat_of(index)).proven {
                self.placement.set_seat(seat_of(index), |seat| seat.proven = true);
            }
            if stale {
                self.fell_stale(index, now);
            }
            self.pass_quality_on(index, now);
        }
        self.look_for_stale(now, unix_ms);
    }

    /// How many of a connection's instruments are subscribed and in a session, and since when the first of them is.
    fn in_session_on(
        &self,
        index: usize,
        now: Instant,
        unix_ms: i64,
        sessions: &mut HashMap<HoursClass, Option<i64>>,
    ) -> (usize, Option<Instant>) {
        let subscribed = |state| matches!(state, CopyState::Acknowledged | CopyState::Ticking);
        let carried = self.placement.carried(seat_of(index));
        let mut began_at = |instrument: &InstrumentId| {
            let class = self.hours.class_of(instrument);
            let session = || self.hours.session(class, unix_ms).map(|session| session.began_ms);
            *sessions.entry(class).or_insert_with(session)
        };
        let (mut count, mut first) = (0, None::<i64>);
        for (instrument, _) in carried.filter(|(_, copy)| subscribed(copy.state)) {
            if let Some(began_ms) = began_at(&instrument) {
                count += 1;
                first = Some(first.map_or(began_ms, |first| first.min(began_ms)));
            }
        }
        let ago = |began_ms: i64| {
            let ms = u64::try_from(unix_ms - began_ms).unwrap_or_default();
            now.checked_sub(Duration::from_millis(ms))
        };
        (count, first.and_then(ago))
    }

    /// Silent where ticks are due, and there is somewhere better: others tick, or one has not been tried.
    fn is_stale(&self, index: usize, now: Instant) -> bool {
        let worker = &self.workers[index];
        let others = || {
            self.workers
                .iter()
                .enumerate()
                .filter(|(other, _)| *other != index)
                .map(|(_, worker)| worker)
        };
        if !worker.is_ready() || worker.retiring.is_some() {
            return false;
        }
        let rates: Vec<f64> =
            others().filter_map(|other| other.pulse.rate_per_instrument()).collect();
        #[expect(clippy::cast_precision_loss, reason = "a count of connections")]
        let mean = (!rates.is_empty()).then(|| rates.iter().sum::<f64>() / rates.len() as f64);
        let better = others().any(|other| {
            let usable = matches!(other.verdict.standing, Standing::Good | Standing::Probation);
            let untried = usable && other.is_ready() && other.pulse.instruments() == 0;
            other.pulse.is_lively(now) || (untried && !other.steadiness.has_fallen())
        });
        better && worker.pulse.is_overdue(mean, now)
    }

    /// A stale connection is left, and its worker started anew: a login of its own is what cures most of them.
    fn fell_stale(&mut self, index: usize, now: Instant) {
        let worker = &mut self.workers[index];
        let silence = worker.pulse.silence(now).as_secs();
        warn!(connection = %worker.plan.connection_id, "nothing has come for {silence} s within a trading session while others tick; its worker is started anew");
        self.counters.stale_restarts += 1;
        worker.steadiness.fell_silent(now);
        worker.pulse = Pulse::default();
        worker.silent = true;
        self.placement.set_seat(seat_of(index), |seat| seat.proven = false);
        self.retire(index, Afterwards::Restart, now);
        if !self.auto_failover
            && let Some(retiring) = &mut self.workers[index].retiring
        {
            retiring.stay(now);
        }
    }

    /// Small changes of quality are no reason to plan anew.
    fn pass_quality_on(&mut self, index: usize, now: Instant) {
        let seat = seat_of(index);
        let quality = self.workers[index].quality.score(now).map_or(100.0, f64::from);
        let before = self.placement.seat(seat).quality;
        // The last points return slowly; as good as faultless is faultless.
        let mended = |quality: f64| quality > 100.0 - QUALITY_MENDED;
        let whole = mended(quality) && !mended(before);
        if (quality - before).abs() >= QUALITY_STEP || whole {
            self.placement.set_seat(seat, |seat| seat.quality = quality);
            if self.auto_failover && self.placement.strategy() == Strategy::ConnectionQuality {
                self.placement.unbalance();
            }
        }
    }

    /// How the connections compare at a frontend.
    pub(super) fn viewed(&mut self, views: &[ConnectionView], now: Instant) {
        for view in views {
            let Some(worker) =
                self.workers.iter_mut().find(|worker| worker.plan.worker == view.worker)
            else {
                continue;
            };
            worker.view = *view;
            worker.quality.observe_view(*view, now);
        }
    }
}

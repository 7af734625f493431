//! The fleet's state for a person.

use std::time::Instant;

use shm_layout::control::{
    FleetStatus, FrontendStatus, RefusedInstrument, Standing, WorkerProcess, WorkerStatus,
};

use super::wishes::Afterwards;
use super::{Fleet, Worker, seat_of};
use crate::life::Phase;
use crate::limits::{QUEUE_SHOWN_MAX, REFUSED_SHOWN_MAX};
use crate::planner::{Copies, CopyState};

/// What the coordinator counts of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FleetCounters {
    /// Plans made.
    pub plans: u64,
    /// Assignments sent to workers.
    pub assignments: u64,
    /// Assignments that workers refused.
    pub assignments_refused: u64,
    /// Instruments refused because too many were wanted.
    pub demand_refused: u64,
    /// Processes killed because they hung.
    pub hung_killed: u64,
    /// Workers started anew because nothing came from their front while ticks were due.
    pub stale_restarts: u64,
    /// Copies moved for the sake of balance alone.
    pub moves_for_balance: u64,
}

/// How many wanted instruments have come how far, by the copy that has come farthest.
#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    placed: u32,
    acknowledged: u32,
    ticking: u32,
    silent: u32,
    short: u32,
}

impl Fleet {
    /// The fleet at this moment; `taken_at_ms` is the wall clock's milliseconds since 1970.
    #[must_use]
    pub fn status(&self, now: Instant, taken_at_ms: i64) -> FleetStatus {
        let mut progress = Progress::default();
        let redundancy = self.placement.redundancy();
        for (_, copies) in self.placement.wanted() {
            progress.count(copies);
            // One on a connection that is away is none for the time being.
            let working = copies.iter().filter(|copy| {
                self.workers[usize::from(copy.seat)].verdict.standing != Standing::Away
            });
            progress.short += u32::from(!copies.is_empty() && working.count() < redundancy);
        }
        let used = self.workers.iter().enumerate().filter(|(_, worker)| !worker.is_removed());
        let refused_ones = self.placement.refused_ones();
        FleetStatus {
            instance: self.instance,
            version: env!("CARGO_PKG_VERSION").into(),
            pid: std::process::id(),
            uptime_ms: u64::try_from(now.saturating_duration_since(self.started_at).as_millis())
                .unwrap_or(u64::MAX),
            taken_at_ms,
            http_address: self.http_address.clone(),
            wanted: count(self.demand.len()),
            placed: progress.placed,
            acknowledged: progress.acknowledged,
            ticking: progress.ticking,
            waiting_for_room: count(self.placement.waiting().len()),
            queue: self.placement.waiting().take(QUEUE_SHOWN_MAX).collect(),
            silent: progress.silent,
            refused_for_good: count(refused_ones.filter(|(_, _, parked)| *parked).count()),
            short_of_copies: progress.short,
            moving: count(self.placement.leaving()),
            redundancy: count(redundancy),
            strategy: self.placement.strategy().to_string(),
            plan: self.placement.plans(),
            in_session: self.in_session,
            workers: used.map(|(index, worker)| self.worker_status(index, worker, now)).collect(),
            frontends: vec![self.frontend_status()],
            refused: self.refused(),
            notices: self.notices.clone(),
        }
    }

    /// What the coordinator counts of itself.
    #[must_use]
    pub fn counters(&self) -> FleetCounters {
        FleetCounters { demand_refused: self.demand.refused(), ..self.counters }
    }

    fn refused(&self) -> Vec<RefusedInstrument> {
        let mut refused: Vec<_> = self
            .placement
            .refused_ones()
            .map(|(instrument, refusal, _)| RefusedInstrument {
                instrument,
                connection_id: self.workers[usize::from(refusal.seat)].plan.connection_id,
                error_id: refusal.error_id,
                message: refusal.message.clone(),
            })
            .collect();
        refused.sort_by_key(|refused| refused.instrument);
        refused.truncate(REFUSED_SHOWN_MAX);
        refused
    }

    fn worker_status(&self, index: usize, worker: &Worker, now: Instant) -> WorkerStatus {
        let seat = seat_of(index);
        let (mut acknowledged, mut primary) = (0, 0);
        for (_, copy) in self.placement.carried(seat) {
            acknowledged += u32::from(is_acknowledged(copy.state));
            primary += u32::from(copy.primary);
        }
        WorkerStatus {
            connection_id: worker.plan.connection_id,
            worker: worker.plan.worker,
            broker_id: worker.plan.broker_id,
            front_addr: worker.plan.front_addr.clone(),
            process: process_of(worker),
            pid: worker.life.pid(),
            incarnation: worker.state.incarnation(),
            restarts: worker.life.restarts(),
            library_version: worker.state.library_version().map(str::to_owned),
            session: worker.state.session().cloned(),
            subscriptions: count(self.placement.load(seat)),
            max_subscriptions: worker.plan.max_subscriptions,
            acknowledged,
            ticks_per_second: worker.state.ticks_per_second(now),
            stats: worker.state.stats(),
            last_exit: worker.life.last_exit().map(str::to_owned),
            quality: worker.quality.report(now),
            standing: worker.verdict.standing,
            wish: worker.wish,
            priority: worker.plan.priority,
            primary,
            view: worker.view,
        }
    }

    fn frontend_status(&self) -> FrontendStatus {
        FrontendStatus {
            listening_on: self.frontend.listening_on.clone(),
            pid: self.frontend.life.pid(),
            connected: self.frontend.client.is_some(),
            restarts: self.frontend.life.restarts(),
            stats: self.frontend.stats,
        }
    }
}

// === impl Progress ===

impl Progress {
    fn count(&mut self, copies: &Copies) {
        let any = |fits: fn(CopyState) -> bool| copies.iter().any(|copy| fits(copy.state));
        let (acknowledged, ticking) =
            (any(is_acknowledged), any(|state| state == CopyState::Ticking));
        self.placed += u32::from(!copies.is_empty());
        self.acknowledged += u32::from(acknowledged);
        self.ticking += u32::from(ticking);
        self.silent += u32::from(!ticking && any(|state| state == CopyState::Silent));
    }
}

const fn is_acknowledged(state: CopyState) -> bool {
    matches!(state, CopyState::Acknowledged | CopyState::Silent | CopyState::Ticking)
}

fn process_of(worker: &Worker) -> WorkerProcess {
    if worker.retiring.is_some_and(|retiring| retiring.then == Afterwards::Restart) {
        return WorkerProcess::Restarting;
    }
    match worker.life.phase() {
        Phase::Disabled => WorkerProcess::Disabled,
        Phase::Starting => WorkerProcess::Starting,
        Phase::Running => WorkerProcess::Running,
        Phase::Detached | Phase::Adopting => WorkerProcess::Detached,
        Phase::BackingOff(_) => WorkerProcess::BackingOff,
        Phase::Failed => WorkerProcess::Failed,
        Phase::Replacing(_) => WorkerProcess::Restarting,
        Phase::Closing(_) | Phase::Stopping(_) | Phase::Ended => WorkerProcess::Stopping,
    }
}

/// A count that saturates instead of wrapping.
fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

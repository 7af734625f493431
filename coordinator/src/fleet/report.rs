//! The fleet's state for a person.

use std::time::Instant;

use shm_layout::control::{
    FleetStatus, FrontendStatus, InstrumentState, RefusedInstrument, WorkerProcess, WorkerStatus,
};

use super::{Fleet, Worker};
use crate::life::{Life, Phase};
use crate::limits::REFUSED_SHOWN_MAX;

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
    /// Reports of workers dropped because there were too many.
    pub reports_dropped: u64,
    /// Processes killed because they hung.
    pub hung_killed: u64,
}

/// Sums over instruments.
#[derive(Default)]
struct Sums {
    acknowledged: u32,
    ticking: u32,
    refused: Vec<RefusedInstrument>,
}

impl Fleet {
    /// The fleet at this moment; `taken_at_ms` is the wall clock's milliseconds since 1970.
    #[must_use]
    pub fn status(&self, now: Instant, taken_at_ms: i64) -> FleetStatus {
        let mut sums = Sums::default();
        let workers =
            self.workers.iter().map(|worker| self.worker_status(worker, now, &mut sums)).collect();
        sums.refused.sort_by_key(|refused| refused.instrument);
        sums.refused.truncate(REFUSED_SHOWN_MAX);
        FleetStatus {
            instance: self.instance,
            version: env!("CARGO_PKG_VERSION").into(),
            pid: std::process::id(),
            uptime_ms: u64::try_from(now.saturating_duration_since(self.started_at).as_millis())
                .unwrap_or(u64::MAX),
            taken_at_ms,
            http_address: self.http_address.clone(),
            wanted: count(self.demand.len()),
            placed: count(self.placement.placed()),
            acknowledged: sums.acknowledged,
            ticking: sums.ticking,
            waiting_for_room: count(self.placement.waiting()),
            workers,
            frontends: vec![self.frontend_status()],
            refused: sums.refused,
            notices: self.notices.clone(),
        }
    }

    /// What the coordinator counts of itself.
    #[must_use]
    pub fn counters(&self) -> FleetCounters {
        FleetCounters {
            demand_refused: self.demand.refused(),
            reports_dropped: self.workers.iter().map(|worker| worker.state.dropped_reports()).sum(),
            ..self.counters
        }
    }

    fn worker_status(&self, worker: &Worker, now: Instant, sums: &mut Sums) -> WorkerStatus {
        let mut acknowledged = 0;
        for instrument in self.placement.carried(worker.plan.worker) {
            match worker.state.state_of(&instrument) {
                Some(InstrumentState::Acknowledged) => acknowledged += 1,
                Some(InstrumentState::Ticking) => {
                    acknowledged += 1;
                    sums.ticking += 1;
                }
                Some(InstrumentState::Refused { error_id, message }) => {
                    sums.refused.push(RefusedInstrument {
                        instrument,
                        connection_id: worker.plan.connection_id,
                        error_id: *error_id,
                        message: message.clone(),
                    })
                }
                _ => {}
            }
        }
        sums.acknowledged += acknowledged;
        WorkerStatus {
            connection_id: worker.plan.connection_id,
            worker: worker.plan.worker,
            broker_id: worker.plan.broker_id,
            front_addr: worker.plan.front_addr.clone(),
            process: process_of(&worker.life),
            pid: worker.life.pid(),
            incarnation: worker.state.incarnation(),
            restarts: worker.life.restarts(),
            library_version: worker.state.library_version().map(str::to_owned),
            session: worker.state.session().cloned(),
            subscriptions: count(self.placement.load(worker.plan.worker)),
            max_subscriptions: worker.plan.max_subscriptions,
            acknowledged,
            ticks_per_second: worker.state.ticks_per_second(now),
            stats: worker.state.stats(),
            last_exit: worker.life.last_exit().map(str::to_owned),
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

fn process_of(life: &Life) -> WorkerProcess {
    match life.phase() {
        Phase::Disabled => WorkerProcess::Disabled,
        Phase::Starting => WorkerProcess::Starting,
        Phase::Running => WorkerProcess::Running,
        Phase::Detached | Phase::Adopting => WorkerProcess::Detached,
        Phase::BackingOff(_) => WorkerProcess::BackingOff,
        Phase::Failed => WorkerProcess::Failed,
        Phase::Replacing | Phase::Stopping(_) | Phase::Ended => WorkerProcess::Stopping,
    }
}

/// A count that saturates instead of wrapping.
fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

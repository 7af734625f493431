//! The fleet as the coordinator sees it, and every decision about it. Pure: inputs come in with the time, actions go out;
//! [`crate::driver`] owns one and carries its actions out.
//!
//! * `outline`, `beginning`, `worker` — what it is made of.
//! * `peers` — who said hello, and what they say: workers, frontends, strangers.
//! * `plan` — demand to placement to assignments.
//! * `standing` — whether a connection gets instruments.
//! * `market` — silence within trading sessions, and the connections' quality.
//! * `events` — what clients may want to hear: fronts down and up, stale instruments, the trading day.
//! * `wishes`, `reload` — what a person wants changed.
//! * `stop` — frontends first, then workers, each with growing insistence.
//! * `report` — the state of all this for a person.

mod beginning;
mod events;
mod market;
mod outline;
mod peers;
mod plan;
mod reload;
mod report;
mod standing;
mod stop;
mod wishes;
mod worker;

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Instant;

use shm_layout::control::{FrontendStats, ListedInstrument, ToFrontend, ToWorker};
use shm_layout::{ConnectionId, Instance, InstrumentId, TradingHours};
use tracing::{error, info, warn};

use crate::demand::{Demand, SourceId};
use crate::life::{Exit, Life, Phase, Urge};
use crate::limits::{LOST_FRONTEND_DEMAND_LINGER, OWN_PAUSE};
use crate::placement::Placement;
use crate::planner::SeatIndex;
use crate::pulse::Pulse;
use wishes::Afterwards;
use worker::Worker;

pub use outline::{FleetPlan, Found, PlannedConnection};
pub use reload::Reload;
pub use report::FleetCounters;
pub use wishes::Refused;

/// One control connection, while it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientId(pub u64);

/// A supervised process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProcessId {
    /// The worker of the connection at this place of the configuration.
    Worker(usize),
    /// The WebSocket frontend.
    Frontend,
}

/// What the driver is to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Answer a hello with a welcome.
    Welcome(ClientId),
    /// Answer a hello with a refusal, and hang up.
    Refuse(ClientId, String),
    /// Hang up.
    HangUp(ClientId),
    /// Tell a worker.
    TellWorker(ClientId, ToWorker),
    /// Tell a frontend.
    TellFrontend(ClientId, ToFrontend),
    /// Start a process; answered by `spawned` or `spawn_failed`.
    Spawn(ProcessId),
    /// Send SIGTERM to this pid.
    Terminate(ProcessId, u32),
    /// Send SIGKILL to this pid.
    Kill(ProcessId, u32),
}

/// The WebSocket frontend.
#[derive(Debug)]
struct Frontend {
    life: Life,
    client: Option<ClientId>,
    /// What it wants; stays when only its control connection is lost.
    source: Option<SourceId>,
    /// Whose demand `source` is.
    source_pid: Option<u32>,
    listening_on: String,
    stats: FrontendStats,
}

/// Whom a client speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Peer {
    Worker(usize),
    Frontend,
    /// Welcomed only to be told to stop.
    Leaving,
}

/// The fleet.
#[derive(Debug)]
pub struct Fleet {
    instance: Instance,
    auto_failover: bool,
    universe: Vec<ListedInstrument>,
    notices: Vec<String>,
    http_address: String,
    started_at: Instant,
    /// When it had its last turn; its clocks give it one every second.
    turned_at: Instant,
    workers: Vec<Worker>,
    frontend: Frontend,
    peers: HashMap<ClientId, Peer>,
    demand: Demand,
    /// Demands that end at a time unless somebody else wants the same.
    lingering: Vec<(Instant, SourceId)>,
    next_source: u64,
    placement: Placement,
    always_on: SourceId,
    hours: TradingHours,
    in_session: bool,
    events: events::Events,
    /// Workers that are to be restarted one after the other.
    to_restart: VecDeque<usize>,
    replan: bool,
    planned_at: Option<Instant>,
    stage: stop::Stage,
    counters: FleetCounters,
    actions: Vec<Action>,
}

// === impl Fleet ===

impl Fleet {
    /// What is to be done, in order.
    pub fn take_actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    /// Time has passed: does what is due.
    pub fn turn(&mut self, now: Instant) {
        let pause = now.saturating_duration_since(std::mem::replace(&mut self.turned_at, now));
        if pause >= OWN_PAUSE {
            self.workers.iter_mut().for_each(|worker| worker.listening_since = Some(now));
        }
        self.lingering.sort_unstable_by_key(|(until, _)| *until);
        while let Some((until, source)) = self.lingering.first().copied()
            && until <= now
        {
            self.lingering.remove(0);
            self.demand.forget(source);
        }
        for process in self.processes() {
            while let Some(urge) = self.life_mut(process).due(now) {
                self.urge(process, urge);
            }
        }
        self.turn_stop(now);
        if self.is_serving() {
            self.refresh_standings(now);
            self.turn_restarts(now);
            self.turn_plan(now);
            self.turn_farewells(now);
            self.turn_events(now);
        }
    }

    /// When [`Self::turn`] has something to do next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let lives =
            self.processes().into_iter().filter_map(|process| self.life(process).next_deadline());
        let lingering = self.lingering.iter().map(|(until, _)| *until);
        let others = [
            self.plan_deadline(),
            self.farewell_deadline(),
            self.standing_deadline(),
            self.events_deadline(),
        ];
        lives.chain(lingering).chain(others.into_iter().flatten()).min()
    }

    /// A process was started.
    pub fn spawned(&mut self, process: ProcessId, pid: u32) {
        info!(process = %self.name(process), pid, "started");
        self.life_mut(process).spawned(pid);
    }

    /// A process could not be started.
    pub fn spawn_failed(&mut self, process: ProcessId, why: String, now: Instant) {
        error!(process = %self.name(process), "could not be started: {why}");
        self.life_mut(process).spawn_failed(why, now);
        if let ProcessId::Worker(index) = process {
            self.workers[index].steadiness.fell(now);
            self.refresh_standing(index, now);
        }
    }

    /// Our child with this pid ended.
    pub fn exited(&mut self, process: ProcessId, pid: u32, exit: Exit, now: Instant) {
        if self.life(process).pid() == Some(pid) {
            self.ended(process, exit, now);
        }
    }

    /// The lock file of a process that is not our child is free: it is gone.
    pub fn lock_free(&mut self, process: ProcessId, now: Instant) {
        if self.life(process).is_probed() {
            self.ended(process, Exit::Unknown, now);
        }
    }

    /// The processes whose lock files tell whether they live.
    #[must_use]
    pub fn probed(&self) -> Vec<ProcessId> {
        self.processes().into_iter().filter(|process| self.life(*process).is_probed()).collect()
    }

    /// The health check: whoever was silent for too long hangs, and is killed; its end then brings it back.
    pub fn check_health(&mut self, now: Instant) {
        for process in self.processes() {
            if self.life_mut(process).is_hung(now)
                && let Some(pid) = self.life(process).pid()
            {
                error!(process = %self.name(process), pid, "said nothing for two health checks; it hangs and is killed");
                self.counters.hung_killed += 1;
                self.actions.push(Action::Kill(process, pid));
            }
        }
    }

    /// The name of a process, for a log.
    #[must_use]
    pub fn name(&self, process: ProcessId) -> String {
        match process {
            ProcessId::Worker(index) => {
                format!("worker {}", self.workers[index].plan.connection_id)
            }
            ProcessId::Frontend => "ws-frontend".into(),
        }
    }

    /// The connection of the worker at a place.
    #[must_use]
    pub fn connection_at(&self, index: usize) -> ConnectionId {
        self.workers[index].plan.connection_id
    }

    /// True when a worker carries an instrument, or was told to.
    #[must_use]
    pub fn is_carried(&self, instrument: &InstrumentId) -> bool {
        self.placement.copies_of(instrument).next().is_some()
    }

    /// Every instrument that a worker carries, or was told to.
    #[must_use]
    pub fn carried(&self) -> HashSet<InstrumentId> {
        let seats = (0..self.workers.len()).map(seat_of);
        seats
            .flat_map(|seat| self.placement.carried(seat))
            .map(|(instrument, _)| instrument)
            .collect()
    }

    /// The port the frontend has been given, when it said so: it comes back to the same one.
    #[must_use]
    pub fn frontend_port(&self) -> Option<u16> {
        self.frontend.listening_on.rsplit_once(':').and_then(|(_, port)| port.parse().ok())
    }

    fn processes(&self) -> Vec<ProcessId> {
        (0..self.workers.len()).map(ProcessId::Worker).chain([ProcessId::Frontend]).collect()
    }

    fn life(&self, process: ProcessId) -> &Life {
        match process {
            ProcessId::Worker(index) => &self.workers[index].life,
            ProcessId::Frontend => &self.frontend.life,
        }
    }

    fn life_mut(&mut self, process: ProcessId) -> &mut Life {
        match process {
            ProcessId::Worker(index) => &mut self.workers[index].life,
            ProcessId::Frontend => &mut self.frontend.life,
        }
    }

    fn client_of(&self, process: ProcessId) -> Option<ClientId> {
        match process {
            ProcessId::Worker(index) => self.workers[index].client,
            ProcessId::Frontend => self.frontend.client,
        }
    }

    fn urge(&mut self, process: ProcessId, urge: Urge) {
        let pid = self.life(process).pid();
        match (urge, pid) {
            (Urge::Spawn, _) => self.actions.push(Action::Spawn(process)),
            (Urge::Terminate, Some(pid)) => self.actions.push(Action::Terminate(process, pid)),
            (Urge::Kill, Some(pid)) => {
                warn!(process = %self.name(process), pid, "did not end in time and is killed");
                self.actions.push(Action::Kill(process, pid));
            }
            (Urge::Terminate | Urge::Kill, None) => {}
        }
    }

    fn ended(&mut self, process: ProcessId, exit: Exit, now: Instant) {
        let name = self.name(process);
        let planned = self.life(process).is_ending();
        self.life_mut(process).exited(exit, now);
        match (planned, self.life(process).phase()) {
            (true, _) => info!(process = %name, "{exit}"),
            (false, Phase::Failed) => error!(process = %name, "{exit}; it is not started again"),
            (false, _) => warn!(process = %name, "{exit}; it is started again"),
        }
        if let Some(client) = self.client_of(process) {
            self.peers.remove(&client);
            self.actions.push(Action::HangUp(client));
        }
        match process {
            ProcessId::Worker(index) => self.worker_ended(index, planned, now),
            ProcessId::Frontend => {
                self.frontend.client = None;
                if let Some(source) = self.frontend.source.take() {
                    self.linger(source, now + LOST_FRONTEND_DEMAND_LINGER);
                }
            }
        }
        if !self.is_serving() {
            self.life_mut(process).stop(now);
        }
    }

    fn worker_ended(&mut self, index: usize, planned: bool, now: Instant) {
        let worker = &mut self.workers[index];
        worker.client = None;
        worker.inheritance = None;
        worker.met = true;
        worker.outdated = false;
        worker.of_another = None;
        worker.state.died();
        worker.pulse = Pulse::default();
        match worker.retiring.take().map(|retiring| retiring.then) {
            // It died before it was asked to end; what was to follow does.
            Some(Afterwards::Restart) if !planned => {
                worker.life.replace(now);
            }
            Some(Afterwards::Disable | Afterwards::Remove) => {
                worker.life.disable(now);
            }
            _ => {}
        }
        if !planned {
            worker.steadiness.fell(now);
            worker.quality.died(now);
        }
        self.placement.worker_died(seat_of(index));
        self.set_capacity(index);
        self.refresh_standing(index, now);
    }
}

/// A worker's seat in the placement: its place in the fleet.
fn seat_of(index: usize) -> SeatIndex {
    SeatIndex::try_from(index).unwrap_or(SeatIndex::MAX)
}

#[cfg(test)]
mod tests;

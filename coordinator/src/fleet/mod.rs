//! The fleet as the coordinator sees it, and every decision about it. Pure: inputs come in with the time, actions go out;
//! [`crate::driver`] owns one and carries its actions out.
//!
//! * `outline` — what it is made of.
//! * `peers` — who said hello, and what they say: workers, frontends, strangers.
//! * `plan` — demand to placement to assignments.
//! * `republish` — last ticks once more, for who wants what a worker carries already.
//! * `stop` — frontends first, then workers, each with growing insistence.
//! * `report` — the state of all this for a person.

mod outline;
mod peers;
mod plan;
mod report;
mod republish;
mod stop;

use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

use shm_layout::control::{FrontendStats, ListedInstrument, ToFrontend, ToWorker};
use shm_layout::{Instance, InstrumentId};
use tracing::{error, info, warn};

use crate::assignment::Assigned;
use crate::demand::{Demand, SourceId};
use crate::life::{Exit, Life, Phase, Urge};
use crate::limits::{
    DEMAND_INSTRUMENTS_MAX, LOST_FRONTEND_DEMAND_LINGER, REPORTED_INSTRUMENTS_MAX,
};
use crate::placement::{Placement, Standing};
use crate::worker_state::WorkerState;

pub use outline::{FleetPlan, Found, PlannedConnection};
pub use report::FleetCounters;

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
#[derive(Debug, Clone, PartialEq, Eq)]
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

/// One connection and its worker.
#[derive(Debug)]
struct Worker {
    plan: PlannedConnection,
    life: Life,
    client: Option<ClientId>,
    state: WorkerState,
    assigned: Assigned,
    /// True after its first hello: what it carries since is what we told it.
    met: bool,
    /// While it says the rest of what it carried before us.
    inheritance: Option<peers::Inheritance>,
    /// What it is to publish once more; each was placed on it when it was put here.
    republish: BTreeSet<InstrumentId>,
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
    /// What the same process wanted when its control connection broke, while it says it anew.
    restated: Option<SourceId>,
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
    workers: Vec<Worker>,
    frontend: Frontend,
    peers: HashMap<ClientId, Peer>,
    demand: Demand,
    /// Demands that end at a time unless somebody else wants the same.
    lingering: Vec<(Instant, SourceId)>,
    next_source: u64,
    placement: Placement,
    replan: bool,
    planned_at: Option<Instant>,
    stage: stop::Stage,
    counters: FleetCounters,
    actions: Vec<Action>,
}

// === impl Fleet ===

impl Fleet {
    /// A fleet at its start.
    #[must_use]
    pub fn new(plan: FleetPlan, now: Instant) -> Self {
        let mut turns: Vec<_> =
            plan.connections.iter().filter(|connection| connection.enabled).collect();
        turns.sort_by_key(|connection| connection.priority);
        let placement = Placement::new(turns.iter().map(|c| (c.worker, c.max_subscriptions)));
        let life = |found: Found, enabled| match found {
            Found::Running { pid } => Life::found(pid, true, now),
            Found::Outdated { pid } => Life::found(pid, false, now),
            Found::Nothing => Life::new(enabled, now),
        };
        let worker = |plan: PlannedConnection| Worker {
            life: if plan.enabled { life(plan.found, true) } else { Life::new(false, now) },
            plan,
            client: None,
            state: WorkerState::new(REPORTED_INSTRUMENTS_MAX),
            assigned: Assigned::default(),
            met: false,
            inheritance: None,
            republish: BTreeSet::new(),
        };
        let frontend = Frontend {
            life: life(plan.frontend, true),
            client: None,
            source: None,
            source_pid: None,
            restated: None,
            listening_on: String::new(),
            stats: FrontendStats::default(),
        };
        let mut fleet = Self {
            instance: plan.instance,
            auto_failover: plan.auto_failover,
            universe: plan.universe,
            notices: plan.notices,
            http_address: plan.http_address,
            started_at: now,
            workers: plan.connections.into_iter().map(worker).collect(),
            frontend,
            peers: HashMap::new(),
            demand: Demand::new(DEMAND_INSTRUMENTS_MAX),
            lingering: Vec::new(),
            next_source: 0,
            placement,
            replan: true,
            planned_at: None,
            stage: stop::Stage::Serving,
            counters: FleetCounters::default(),
            actions: Vec::new(),
        };
        let always = fleet.fresh_source();
        plan.always_on.into_iter().for_each(|instrument| fleet.demand.add(always, instrument));
        fleet.end_outdated();
        fleet
    }

    /// What is to be done, in order.
    pub fn take_actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    /// Time has passed: does what is due.
    pub fn turn(&mut self, now: Instant) {
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
        self.turn_plan(now);
    }

    /// When [`Self::turn`] has something to do next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let lives =
            self.processes().into_iter().filter_map(|process| self.life(process).next_deadline());
        let lingering = self.lingering.iter().map(|(until, _)| *until);
        lives.chain(lingering).chain(self.plan_deadline()).min()
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
        self.refresh_standing(process);
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

    /// Asks the processes that run with other settings to end; they come back with ours.
    fn end_outdated(&mut self) {
        for process in self.processes() {
            if self.life(process).phase() == Phase::Replacing
                && let Some(pid) = self.life(process).pid()
            {
                info!(process = %self.name(process), pid, "runs with other settings than the configuration's and is replaced");
                self.actions.push(Action::Terminate(process, pid));
            }
        }
    }

    fn ended(&mut self, process: ProcessId, exit: Exit, now: Instant) {
        let name = self.name(process);
        let planned = matches!(self.life(process).phase(), Phase::Stopping(_) | Phase::Replacing);
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
            ProcessId::Worker(index) => {
                let worker = &mut self.workers[index];
                worker.client = None;
                worker.inheritance = None;
                worker.republish.clear();
                worker.state.died();
            }
            ProcessId::Frontend => {
                self.frontend.client = None;
                if let Some(source) = self.frontend.source.take() {
                    self.linger(source, now + LOST_FRONTEND_DEMAND_LINGER);
                }
            }
        }
        self.refresh_standing(process);
        if !self.is_serving() {
            self.life_mut(process).stop(now);
        }
    }

    /// Says to the placement whether a worker should get new instruments.
    fn refresh_standing(&mut self, process: ProcessId) {
        let ProcessId::Worker(index) = process else { return };
        let worker = &self.workers[index];
        let standing = match worker.life.phase() {
            Phase::Failed => Standing::Closed,
            Phase::BackingOff(_) => Standing::Doubtful,
            _ => worker.state.standing(),
        };
        let standing = match standing {
            Standing::Closed if !self.auto_failover => Standing::Doubtful,
            other => other,
        };
        self.placement.set_standing(worker.plan.worker, standing);
        self.replan = true;
    }
}

#[cfg(test)]
mod tests;

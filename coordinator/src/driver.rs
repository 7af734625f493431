//! The one task that owns the fleet: takes inputs from a bounded inbox, gives them to [`Fleet`], and does what it decides.

mod clocks;
mod inbound;
mod places;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use shm_layout::FleetPaths;
use shm_layout::clock::{monotonic, unix_ms};
use shm_layout::control::{
    FleetStatus, FromWorker, HelloReply, OperatorReply, OperatorRequest, Role, ToWorker,
};
use shm_layout::ring::RingNode;
use tokio::sync::mpsc;
use tracing::{debug, info, warn};

use crate::control_server::{ControlCounters, Incoming, Outgoing};
use crate::fleet::{Action, ClientId, Fleet, ProcessId};
use crate::launch::Launch;
use crate::limits::{INPUTS_PER_TURN_MAX, LOCK_PROBE_INTERVAL_STOPPING};
use crate::segments::Segments;
use crate::settings::Settings;
use crate::spawn::Spawner;
use clocks::{Clocks, every, until};
use places::ticking_of;

pub use inbound::{ControlTotals, Inbound, Reread, Snapshot};
use shm_layout::lock_file::{LockState, probe};

/// What the driver acts with.
#[derive(Debug)]
pub struct Hands {
    /// Starts processes.
    pub spawner: Spawner,
    /// Clears away what dead processes leave in the ring.
    pub node: RingNode,
    /// What other programs read.
    pub segments: Segments,
}

/// The fleet's owner.
#[derive(Debug)]
pub struct Driver {
    fleet: Fleet,
    settings: Settings,
    paths: FleetPaths,
    hands: Hands,
    inbox: mpsc::Receiver<Inbound>,
    /// Kept for the tasks that wait for children.
    sender: mpsc::Sender<Inbound>,
    clients: HashMap<ClientId, mpsc::Sender<Outgoing>>,
    operators: HashSet<ClientId>,
    control: Arc<ControlCounters>,
    overflowed: u64,
    reread: Reread,
    /// The clocks are to be set anew.
    reloaded: bool,
}

// === impl Driver ===

impl Driver {
    /// A driver of this fleet.
    #[must_use]
    pub fn new(
        fleet: Fleet,
        settings: Settings,
        hands: Hands,
        inbox: (mpsc::Sender<Inbound>, mpsc::Receiver<Inbound>),
        control: Arc<ControlCounters>,
        reread: Reread,
    ) -> Self {
        let paths = settings.places.paths.clone();
        Self {
            fleet,
            settings,
            paths,
            hands,
            inbox: inbox.1,
            sender: inbox.0,
            clients: HashMap::new(),
            operators: HashSet::new(),
            control,
            overflowed: 0,
            reread,
            reloaded: false,
        }
    }

    /// Runs until the fleet has stopped. Gives the names of processes that could not be ended.
    pub async fn run(mut self) -> Vec<String> {
        let mut clocks = Clocks::new(&self.settings);
        let mut stopping = false;
        self.turn();
        while !self.fleet.is_stopped() {
            if !stopping && !self.fleet.is_serving() {
                stopping = true;
                clocks.probe = every(LOCK_PROBE_INTERVAL_STOPPING);
            }
            if std::mem::take(&mut self.reloaded) {
                clocks = Clocks::new(&self.settings);
            }
            let deadline = self.fleet.next_deadline();
            let segments_due = self.hands.segments.next_deadline(monotonic());
            tokio::select! {
                Some(first) = self.inbox.recv() => self.take_all(first),
                () = until(deadline) => {}
                _ = clocks.health.tick() => {
                    // What waits in the inbox was said before this check.
                    self.take_waiting();
                    self.fleet.check_health(monotonic());
                }
                () = until(Some(segments_due)) => {
                    self.hands.segments.turn(monotonic());
                    // Nothing that the fleet decides about has changed.
                    continue;
                }
                _ = clocks.maintenance.tick() => {
                    self.reap();
                    self.hands.segments.set_all_carried(&self.fleet.carried());
                }
                _ = clocks.market.tick() => self.fleet.look_at_market(monotonic(), unix_ms()),
                _ = clocks.probe.tick() => self.probe_locks(),
            }
            self.turn();
        }
        let left_behind = self.fleet.left_behind();
        if left_behind.is_empty() {
            self.hands.segments.set_all_carried(&HashSet::new());
        }
        left_behind
    }

    fn take_all(&mut self, first: Inbound) {
        self.take(first);
        self.take_waiting();
    }

    /// Takes what waits, so that a burst is acted on once.
    fn take_waiting(&mut self) {
        for _ in 1..INPUTS_PER_TURN_MAX {
            let Ok(next) = self.inbox.try_recv() else { return };
            self.take(next);
        }
    }

    fn take(&mut self, input: Inbound) {
        let now = monotonic();
        match input {
            Inbound::Hello { client, hello, outbox } => {
                self.clients.insert(client, outbox);
                if hello.role == Role::Operator {
                    self.operators.insert(client);
                    self.send(client, Outgoing::Reply(HelloReply::Welcome));
                } else {
                    self.fleet.hello(client, &hello, now);
                    if let Role::Worker(worker) = &hello.role {
                        self.make_room(ticking_of(&worker.inventory));
                    }
                    // The answers go out before anything else is said to this client.
                    self.act();
                }
            }
            Inbound::Said(client, Incoming::Worker(message)) => {
                let ticking = match &message {
                    FromWorker::Instruments(reports) => ticking_of(reports),
                    _ => Vec::new(),
                };
                self.fleet.worker_said(client, message, now);
                self.make_room(ticking);
            }
            Inbound::Said(client, Incoming::Frontend(message)) => {
                self.fleet.frontend_said(client, message, now)
            }
            Inbound::Said(client, Incoming::Operator(request)) => {
                let reply = self.answer(request, now);
                self.send(client, Outgoing::Operator(reply));
            }
            Inbound::Gone(client) => {
                self.clients.remove(&client);
                if !self.operators.remove(&client) {
                    self.fleet.gone(client);
                    // A process that is not our child may be gone with its connection.
                    self.probe_locks();
                }
            }
            Inbound::Exited(process, pid, exit) => {
                self.fleet.exited(process, pid, exit, now);
                self.reap();
            }
            Inbound::Ask(answer) => {
                // Whoever asked may have gone away meanwhile.
                drop(answer.send(self.snapshot(now)));
            }
            Inbound::Stop => self.fleet.stop(now),
        }
    }

    fn answer(&mut self, request: OperatorRequest, now: Instant) -> OperatorReply {
        let done = match request {
            OperatorRequest::Status => {
                return OperatorReply::Status(Box::new(self.status(now)));
            }
            OperatorRequest::Connection(id, wish) => self.fleet.wish(id, wish, now),
            OperatorRequest::Reload => self.reload(now),
        };
        done.map_or_else(OperatorReply::Refused, OperatorReply::Done)
    }

    fn reload(&mut self, now: Instant) -> Result<Vec<String>, Vec<String>> {
        if !self.fleet.is_serving() {
            return Err(vec!["the fleet is stopping".into()]);
        }
        let lines = |text: String| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let (config, files) =
            (self.reread.0)().map_err(|fault| lines(format!("{fault}\nnothing was changed")))?;
        let (settings, reload, later) = self.settings.reload(config, files);
        crate::start::check_libraries(&settings.config, &settings.places)
            .map_err(|error| lines(format!("{error}\nnothing was changed")))?;
        self.settings = settings;
        self.hands.segments.list(&self.settings.files.universe);
        self.save_memory();
        self.reloaded = true;
        let mut said = self.fleet.reload(reload, now);
        said.extend(later);
        said.iter().for_each(|line| info!("reload: {line}"));
        Ok(said)
    }

    fn turn(&mut self) {
        self.fleet.turn(monotonic());
        self.act();
    }

    fn act(&mut self) {
        let actions = self.fleet.take_actions();
        self.remember_starts(&actions);
        for action in actions {
            match action {
                Action::Welcome(client) => self.send(client, Outgoing::Reply(HelloReply::Welcome)),
                Action::Refuse(client, reason) => {
                    info!(client = client.0, "refused: {reason}");
                    self.send(client, Outgoing::Reply(HelloReply::Refused(reason)));
                    self.clients.remove(&client);
                }
                Action::HangUp(client) => {
                    self.clients.remove(&client);
                }
                Action::TellWorker(client, message) => {
                    if let ToWorker::Assign(assignment) = &message {
                        self.prepare_segments(assignment);
                    }
                    self.send(client, Outgoing::Worker(message));
                }
                Action::TellFrontend(client, message) => {
                    self.send(client, Outgoing::Frontend(message))
                }
                Action::Spawn(process) => self.spawn(process),
                Action::Terminate(process, pid) => self.signal(process, pid, Signal::SIGTERM),
                Action::Kill(process, pid) => self.signal(process, pid, Signal::SIGKILL),
            }
        }
    }

    /// The coordinator that comes after has to know with which settings each process was started.
    fn remember_starts(&mut self, actions: &[Action]) {
        let mut starts = false;
        for action in actions {
            match action {
                Action::Spawn(ProcessId::Worker(index)) => {
                    self.settings.starts_worker(&self.fleet.connection_at(*index));
                    starts = true;
                }
                Action::Spawn(ProcessId::Frontend) => {
                    self.settings.starts_frontend();
                    starts = true;
                }
                _ => {}
            }
        }
        if starts {
            self.save_memory();
        }
    }

    /// Without it nothing is lost but ease, so a failure is a word and no more.
    fn save_memory(&self) {
        if let Err(error) = self.settings.memory().save(self.paths.runtime_dir()) {
            warn!("{}", crate::output::chain(&error));
        }
    }

    /// Puts a message into a client's outbox. One whose outbox is full is disconnected.
    fn send(&mut self, client: ClientId, message: Outgoing) {
        let Some(outbox) = self.clients.get(&client) else { return };
        if outbox.try_send(message).is_err() {
            self.overflowed += 1;
            warn!(
                client = client.0,
                "a control client does not take its messages and is disconnected"
            );
            self.clients.remove(&client);
        }
    }

    fn spawn(&mut self, process: ProcessId) {
        let launch = match process {
            ProcessId::Worker(index) => self.settings.worker(&self.fleet.connection_at(index)),
            ProcessId::Frontend => Some(self.settings.frontend(self.fleet.frontend_port())),
        };
        let started = launch
            .ok_or_else(|| "its connection is not configured any more".to_owned())
            .and_then(|launch| self.start(process, &launch));
        match started {
            Ok(pid) => self.fleet.spawned(process, pid),
            Err(why) => self.fleet.spawn_failed(process, why, monotonic()),
        }
    }

    fn start(&self, process: ProcessId, launch: &Launch) -> Result<u32, String> {
        let mut child =
            self.hands.spawner.spawn(launch).map_err(|error| crate::output::chain(&error))?;
        let Some(pid) = child.id() else { return Err("it ended before it was known".into()) };
        let sender = self.sender.clone();
        tokio::spawn(async move {
            let exit = crate::spawn::exit_of(child.wait().await);
            // A driver that is gone needs no word.
            sender.send(Inbound::Exited(process, pid, exit)).await.unwrap_or_default();
        });
        Ok(pid)
    }

    fn signal(&self, process: ProcessId, pid: u32, signal: Signal) {
        let Ok(raw) = i32::try_from(pid) else { return };
        match kill(Pid::from_raw(raw), signal) {
            Ok(()) => debug!(process = %self.fleet.name(process), pid, %signal, "sent"),
            // It is gone already; its end is on its way to us.
            Err(nix::errno::Errno::ESRCH) => {}
            Err(error) => {
                warn!(process = %self.fleet.name(process), pid, "sending {signal} failed: {error}")
            }
        }
    }

    fn probe_locks(&mut self) {
        let mut died = false;
        for process in self.fleet.probed() {
            let lock = match process {
                ProcessId::Worker(index) => {
                    self.settings.worker_lock(&self.fleet.connection_at(index))
                }
                ProcessId::Frontend => self.paths.frontend_lock(),
            };
            if probe(&lock) == LockState::Free {
                self.fleet.lock_free(process, monotonic());
                died = true;
            }
        }
        if died {
            self.reap();
        }
    }

    /// Frees what dead processes left in the ring.
    fn reap(&self) {
        let reaped = self.hands.node.reap_dead_nodes();
        if reaped > 0 {
            debug!(reaped, "freed what dead processes left in the ring");
        }
    }

    fn status(&self, now: Instant) -> FleetStatus {
        let mut status = self.fleet.status(now, unix_ms());
        status.notices.extend(self.hands.segments.report().notices());
        status
    }

    fn snapshot(&self, now: Instant) -> Snapshot {
        Snapshot {
            status: self.status(now),
            counters: self.fleet.counters(),
            segments: self.hands.segments.report(),
            control: ControlTotals {
                clients: self.clients.len(),
                refused: self.control.refused.load(Ordering::Relaxed),
                overflowed: self.overflowed,
            },
        }
    }
}

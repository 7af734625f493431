//! Control connections: two ordered streams each, late, cut at any word, and without any order between connections.

use std::time::{Duration, Instant};

use qamd_ctp_worker::limits::{LINK_HELLO_DEADLINE, LINK_RETRY_FIRST, LINK_RETRY_MAX};
use qamd_ws_frontend::demand::Demand;
use qamd_ws_frontend::limits::{RECONNECT_PAUSE_MAX, RECONNECT_PAUSE_MIN};
use shm_layout::Instance;
use shm_layout::control::{
    Assignment, FromFrontend, FromWorker, FrontendHello, FrontendStats, Hello, Role, ToFrontend,
    ToWorker,
};
use shm_layout::limits::CONTROL_INSTRUMENTS_PER_MESSAGE_MAX;
use shm_layout::version::CONTROL_PROTOCOL;

use crate::process::{Line, Process, Side, WorkerSide};
use crate::queue::{Event, Happening, LinkId, Pid, ToClient, ToCoordinator};
use crate::scenario::Defect;
use crate::world::{World, traced};

/// A control connection.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) pid: Pid,
    /// Which coordinator's.
    pub(crate) life: u64,
    /// Up to when each direction is taken by what was said.
    to_coordinator: Instant,
    to_client: Instant,
    /// The coordinator has let go of it: what it says does not arrive any longer.
    deaf: bool,
    /// The coordinator has been told that it is gone.
    gone: bool,
}

impl World {
    /// A process tries to reach the coordinator.
    pub(crate) fn dial(&mut self, pid: Pid, process: &mut Process) {
        let Some(life) = self.coordinator.as_ref().map(|coordinator| coordinator.life) else {
            return self.dial_later(pid, process);
        };
        let role = match &mut process.side {
            Side::Worker(worker) => {
                Role::Worker(Box::new(worker.worker.hello(CONTROL_INSTRUMENTS_PER_MESSAGE_MAX)))
            }
            Side::Frontend(_) => {
                Role::Frontend(FrontendHello { listening_on: "127.0.0.1:7799".into() })
            }
        };
        let hello = Hello { protocol: CONTROL_PROTOCOL, instance: Instance::default(), pid, role };
        self.next_link += 1;
        let id = self.next_link;
        traced!(self, "{pid} dials, link {id}");
        let link = Link {
            pid,
            life,
            to_coordinator: self.now,
            to_client: self.now,
            deaf: false,
            gone: false,
        };
        self.links.insert(id, link);
        process.line.link = Some(id);
        process.line.dialled_at = Some(self.now);
        self.tell_coordinator(id, ToCoordinator::Hello(Box::new(hello)));
        let late = Event::Process(pid, Happening::HelloLate(id));
        self.queue.push(self.now + LINK_HELLO_DEADLINE, late);
    }

    fn dial_later(&mut self, pid: Pid, process: &mut Process) {
        let (first, most) = match process.side {
            Side::Worker(_) => (LINK_RETRY_FIRST, LINK_RETRY_MAX),
            Side::Frontend(_) => (RECONNECT_PAUSE_MIN, RECONNECT_PAUSE_MAX),
        };
        let pause = process.line.pause.max(first);
        process.line.pause = (pause * 2).min(most);
        self.queue.push(self.now + pause, Event::Process(pid, Happening::Dials));
    }

    /// A process's control connection is gone.
    pub(crate) fn line_is_down(&mut self, pid: Pid, process: &mut Process) {
        let line = &mut process.line;
        let was_up = std::mem::take(&mut line.up);
        line.link = None;
        let stood = line.dialled_at.is_some_and(|at| self.now >= at + LINK_RETRY_MAX);
        match &mut process.side {
            Side::Worker(_) if stood => process.line.pause = LINK_RETRY_FIRST,
            Side::Frontend(frontend) if was_up => {
                frontend.demand.disconnected();
                process.line.pause = RECONNECT_PAUSE_MIN;
            }
            _ => {}
        }
        self.dial_later(pid, process);
    }

    /// A process hears the coordinator.
    pub(crate) fn hears(&mut self, pid: Pid, process: &mut Process, word: ToClient) {
        traced!(self, "{pid} hears {word:?}");
        match word {
            ToClient::Closed => self.line_is_down(pid, process),
            ToClient::Welcome => {
                process.line.up = true;
                match &mut process.side {
                    // The hello said it, but perhaps before its last change.
                    Side::Worker(worker) => worker.said_session = None,
                    Side::Frontend(frontend) => {
                        process.line.pause = RECONNECT_PAUSE_MIN;
                        frontend.demand.connected();
                    }
                }
            }
            ToClient::Worker(ToWorker::Stop) | ToClient::Frontend(ToFrontend::Stop) => {
                self.quit(pid, process);
            }
            ToClient::Worker(ToWorker::Assign(assignment)) => {
                if let Side::Worker(worker) = &mut process.side {
                    self.assign(pid, worker, assignment);
                }
            }
            ToClient::Frontend(ToFrontend::Event(event)) => {
                if let Side::Frontend(frontend) = &mut process.side {
                    frontend.hears(event, self.scenario.defect);
                }
            }
            ToClient::Frontend(ToFrontend::Universe { .. }) => {}
        }
    }

    fn assign(&mut self, pid: Pid, worker: &mut WorkerSide, mut assignment: Assignment) {
        match self.scenario.defect {
            Defect::DeafToReleases => worker.keep_all(&mut assignment),
            Defect::TakenEarly => {
                let (Assignment::Whole { generation, .. } | Assignment::Change { generation, .. }) =
                    &assignment;
                worker.taken = Some(*generation);
                let at = self.now + Duration::from_millis(1500);
                let belated = Happening::Belated(Box::new(assignment));
                return self.queue.push(at, Event::Process(pid, belated));
            }
            _ => {}
        }
        self.take_assignment(pid, worker, assignment);
    }

    /// A defective worker takes what it has acknowledged already.
    pub(crate) fn take_belated(&mut self, pid: Pid, worker: &mut WorkerSide, belated: Assignment) {
        let said = worker.taken;
        self.take_assignment(pid, worker, belated);
        worker.taken = said;
    }

    fn take_assignment(&mut self, pid: Pid, worker: &mut WorkerSide, assignment: Assignment) {
        let (Assignment::Whole { generation, .. } | Assignment::Change { generation, .. }) =
            &assignment;
        let generation = *generation;
        match worker.worker.assign(self.now, assignment) {
            Ok(()) => {
                worker.taken = Some(generation);
                self.check_assignment(pid, worker, generation);
            }
            Err(why) => {
                let current = worker.worker.subscriptions().generation();
                traced!(self, "{pid} refuses {generation}: {why}, has {current:?}");
                worker.refusal =
                    Some(FromWorker::AssignmentRefused { refused: generation, current });
            }
        }
    }

    /// Says to the coordinator what it does not know, as the worker's driver does.
    pub(crate) fn say_changes(&mut self, pid: Pid, line: &Line, worker: &mut WorkerSide) {
        let Some(link) = line.link.filter(|_| line.up && !line.congested) else { return };
        let session = worker.worker.session_report();
        if worker.said_session.as_ref() != Some(&session) {
            worker.said_session = Some(session.clone());
            self.worker_says(pid, link, FromWorker::Session(session));
        }
        if let Some(taken) = worker.taken.take() {
            self.worker_says(pid, link, FromWorker::AssignmentTaken(taken));
        }
        if let Some(refusal) = worker.refusal.take() {
            self.worker_says(pid, link, refusal);
        }
        while worker.worker.subscriptions().has_changes() {
            let most = CONTROL_INSTRUMENTS_PER_MESSAGE_MAX;
            let changes = worker.worker.subscriptions().take_changes(most);
            if !changes.is_empty() {
                self.worker_says(pid, link, FromWorker::Instruments(changes));
            }
        }
    }

    fn worker_says(&mut self, pid: Pid, link: LinkId, word: FromWorker) {
        if !matches!(word, FromWorker::Stats(_)) {
            traced!(self, "{pid} says {word:?}");
        }
        self.tell_coordinator(link, ToCoordinator::Worker(word));
    }

    /// Says what the frontend's clients want, as its driver does.
    pub(crate) fn say_demand(&mut self, pid: Pid, line: &Line, demand: &mut Demand) {
        demand.expire(self.now);
        let Some(link) = line.link.filter(|_| line.up && !line.congested) else { return };
        while let Some(mut part) = demand.next_part() {
            // The demand's map has no order; a seed's story must.
            part.add.sort_unstable();
            let word =
                FromFrontend::Demand { first: part.first, add: part.add, remove: part.remove };
            traced!(self, "{pid} says {word:?}");
            self.tell_coordinator(link, ToCoordinator::Frontend(word));
        }
    }

    /// Says counters.
    pub(crate) fn say_stats(&mut self, pid: Pid, process: &mut Process) {
        let Some(link) = process.line.link.filter(|_| process.line.up && !process.line.congested)
        else {
            return;
        };
        match &mut process.side {
            Side::Worker(worker) => {
                World::count_ticks_of(worker, self.now, &self.fronts, self.trading);
                let mut stats = worker.worker.stats(&self.no_counters);
                stats.ticks = worker.ticks;
                self.worker_says(pid, link, FromWorker::Stats(stats));
            }
            Side::Frontend(_) => {
                let word = FromFrontend::Stats(FrontendStats::default());
                self.tell_coordinator(link, ToCoordinator::Frontend(word));
                if self.scenario.views {
                    let word = FromFrontend::Connections(self.compare());
                    self.tell_coordinator(link, ToCoordinator::Frontend(word));
                }
            }
        }
    }

    fn tell_coordinator(&mut self, link: LinkId, word: ToCoordinator) {
        let delay = self.random.time(Duration::from_micros(20), self.scenario.link_delay);
        let (now, coarse) = (self.now, self.coarse);
        let Some(line) = self.links.get_mut(&link).filter(|line| !line.gone) else { return };
        if coarse && line.to_coordinator <= now {
            // Hours pass, and nothing is under way.
            return self.arrives(link, word);
        }
        line.to_coordinator = (now + delay).max(line.to_coordinator);
        self.queue.push(line.to_coordinator, Event::Arrives(link, word));
    }

    /// The coordinator says something to a client.
    pub(crate) fn tell_client(&mut self, link: LinkId, word: ToClient) {
        let delay = self.random.time(Duration::from_micros(20), self.scenario.link_delay);
        let now = self.now;
        let Some(line) = self.links.get_mut(&link).filter(|line| !line.deaf && !line.gone) else {
            return;
        };
        line.to_client = (now + delay).max(line.to_client);
        let pid = line.pid;
        self.queue.push(line.to_client, Event::Process(pid, Happening::Hears(link, word)));
    }

    /// The coordinator lets go of a connection: what it has said still arrives, and then the end of it.
    pub(crate) fn coordinator_hangs_up(&mut self, link: LinkId) {
        self.tell_client(link, ToClient::Closed);
        let soon = self.random.millis(0, 3);
        if let Some(line) = self.links.get_mut(&link).filter(|line| !line.deaf) {
            line.deaf = true;
            self.queue.push(self.now + soon, Event::Arrives(link, ToCoordinator::Gone));
        }
    }

    /// A process lets go of its connection, or dies: some of what it has said last may be lost.
    pub(crate) fn client_hangs_up(&mut self, link: LinkId) {
        let Some(line) = self.links.get_mut(&link) else { return };
        let said_until = line.to_coordinator.max(self.now);
        let at = if self.random.percent(50) {
            said_until
        } else {
            let under_way = said_until - self.now;
            self.now + self.random.time(Duration::ZERO, under_way)
        };
        self.queue.push(at, Event::Arrives(link, ToCoordinator::Gone));
    }

    /// A connection breaks: both ends hear of it, and what is under way may be lost.
    pub(crate) fn cut(&mut self, link: LinkId) {
        let Some(line) = self.links.get(&link) else { return };
        let (pid, to_client) = (line.pid, line.to_client.max(self.now));
        self.client_hangs_up(link);
        let at = self.now + self.random.time(Duration::ZERO, to_client - self.now);
        self.queue.push(at, Event::Process(pid, Happening::Hears(link, ToClient::Closed)));
    }

    /// Something reaches the coordinator. False when nothing does: its connection is gone, or it is another's.
    pub(crate) fn arrives(&mut self, link: LinkId, word: ToCoordinator) {
        let Some(line) = self.links.get_mut(&link).filter(|line| !line.gone) else { return };
        if matches!(word, ToCoordinator::Gone) {
            line.gone = true;
        }
        let life = line.life;
        if let Some(coordinator) = self.coordinator.as_mut().filter(|it| it.life == life) {
            coordinator.inbox.push_back((link, word));
            let soon = if self.coarse {
                Duration::ZERO
            } else {
                self.random.time(Duration::ZERO, Duration::from_millis(2))
            };
            self.wake_coordinator(self.now + soon);
        }
    }

    /// The coordinator was killed: its ends of all connections are gone.
    pub(crate) fn all_links_break(&mut self, life: u64) {
        let links: Vec<LinkId> =
            self.links.iter().filter(|(_, line)| line.life == life).map(|(id, _)| *id).collect();
        for link in links {
            let line = &self.links[&link];
            let (pid, until) = (line.pid, line.to_client.max(self.now));
            let at = self.now + self.random.time(Duration::ZERO, until - self.now);
            self.queue.push(at, Event::Process(pid, Happening::Hears(link, ToClient::Closed)));
            self.links.remove(&link);
        }
    }
}

impl WorkerSide {
    /// Makes an assignment one that releases nothing.
    fn keep_all(&mut self, assignment: &mut Assignment) {
        match assignment {
            Assignment::Whole { instruments, .. } => {
                for carry in instruments.iter() {
                    self.told.insert(carry.instrument, carry.role);
                }
                for (instrument, role) in &self.told {
                    if instruments.iter().all(|carry| carry.instrument != *instrument) {
                        instruments.push(shm_layout::control::Carry {
                            instrument: *instrument,
                            role: *role,
                        });
                    }
                }
            }
            Assignment::Change { add, remove, .. } => {
                remove.clear();
                add.iter().for_each(|carry| {
                    self.told.insert(carry.instrument, carry.role);
                });
            }
        }
    }
}

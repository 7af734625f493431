//! The processes: workers and the frontend, as their drivers run them.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::{Duration, Instant};

use qamd::fleet::ProcessId;
use qamd::life::Exit;
use qamd_ctp_worker::limits::STATS_APART;
use qamd_ctp_worker::retry_pace::RetryPace;
use qamd_ctp_worker::session::{Session, SessionSettings};
use qamd_ctp_worker::subscriptions::Subscriptions;
use qamd_ctp_worker::worker::{Identity, Worker};
use shm_layout::control::{CarryRole, FromWorker, SessionReport};
use shm_layout::{ConnectionId, Generation, Incarnation, InstrumentId, WorkerId};

use crate::front::{Calls, FrontSession, ModelLibrary};
use crate::queue::{Event, Happening, LinkId, Pid};
use crate::scenario::{ConnectionSection, Mood};
use crate::told::FrontendSide;
use crate::world::{World, traced};

/// A process.
pub(crate) struct Process {
    /// Whose child it is.
    pub(crate) parent: u64,
    pub(crate) id: ProcessId,
    /// It has its lock file.
    pub(crate) begun: bool,
    /// By SIGSTOP; what happens meanwhile waits.
    pub(crate) stopped: bool,
    pub(crate) waiting: Vec<Happening>,
    pub(crate) line: Line,
    /// When its next deadline wakes it.
    pub(crate) wake: Option<Instant>,
    /// One of its clocks is under way.
    pub(crate) stats_due: bool,
    pub(crate) side: Side,
}

/// The way to the coordinator.
#[derive(Debug, Default)]
pub(crate) struct Line {
    pub(crate) link: Option<LinkId>,
    /// The coordinator has welcomed it.
    pub(crate) up: bool,
    /// What is to be said finds no room.
    pub(crate) congested: bool,
    pub(crate) pause: Duration,
    pub(crate) dialled_at: Option<Instant>,
}

/// What kind of process it is.
pub(crate) enum Side {
    Worker(Box<WorkerSide>),
    Frontend(Box<FrontendSide>),
}

/// A worker.
pub(crate) struct WorkerSide {
    pub(crate) section: ConnectionSection,
    pub(crate) number: WorkerId,
    pub(crate) worker: Worker<ModelLibrary>,
    pub(crate) calls: Rc<RefCell<Calls>>,
    pub(crate) front: FrontSession,
    /// The connection to the front of which the library told last.
    pub(crate) told_link: u64,
    /// Instruments of whose ticks the driver was told.
    pub(crate) seen: BTreeSet<InstrumentId>,
    pub(crate) said_session: Option<SessionReport>,
    pub(crate) refusal: Option<FromWorker>,
    pub(crate) taken: Option<Generation>,
    /// The greatest number it took.
    pub(crate) took: Option<Generation>,
    /// Of what it takes itself for the primary.
    pub(crate) primaries: BTreeSet<InstrumentId>,
    /// What it was told last; only a defective worker looks at it.
    pub(crate) told: BTreeMap<InstrumentId, CarryRole>,
    /// Ticks published, and up to when they are counted.
    pub(crate) ticks: u64,
    pub(crate) ticked_until: Instant,
}

// === impl Process ===

impl Process {
    pub(crate) fn worker(&self) -> Option<&WorkerSide> {
        match &self.side {
            Side::Worker(worker) => Some(worker),
            Side::Frontend(_) => None,
        }
    }

    pub(crate) fn worker_mut(&mut self) -> Option<&mut WorkerSide> {
        match &mut self.side {
            Side::Worker(worker) => Some(worker),
            Side::Frontend(_) => None,
        }
    }

    pub(crate) fn frontend(&self) -> Option<&FrontendSide> {
        match &self.side {
            Side::Frontend(frontend) => Some(frontend),
            Side::Worker(_) => None,
        }
    }

    /// The connection whose lock file it holds, or the frontend's.
    pub(crate) fn holds(&self, connection: Option<ConnectionId>) -> bool {
        self.begun && self.worker().map(|worker| worker.section.id) == connection
    }
}

impl World {
    /// Starts a worker's process.
    pub(crate) fn start_worker(
        &mut self,
        parent: u64,
        id: ProcessId,
        section: ConnectionSection,
        number: WorkerId,
    ) -> Pid {
        let calls = Rc::new(RefCell::new(Calls::default()));
        let pace = RetryPace::new(self.scenario.quick_retries);
        let timeout = Duration::from_secs(10);
        let settings = SessionSettings { connect_timeout: timeout, login_timeout: timeout, pace };
        let identity = Identity {
            connection: section.id,
            worker: number,
            incarnation: Incarnation(u64::from(self.next_pid)),
            library_version: "v6.7.13".into(),
        };
        let worker = Worker::new(
            identity,
            ModelLibrary(Rc::clone(&calls)),
            Session::new(settings, self.now),
            Subscriptions::new(section.capacity as usize, pace),
            None,
        );
        let side = WorkerSide {
            section,
            number,
            worker,
            calls,
            front: FrontSession::default(),
            told_link: 0,
            seen: BTreeSet::new(),
            said_session: None,
            refusal: None,
            taken: None,
            took: None,
            primaries: BTreeSet::new(),
            told: BTreeMap::new(),
            ticks: 0,
            ticked_until: self.now,
        };
        self.start(parent, id, Side::Worker(Box::new(side)))
    }

    /// Starts a frontend's process.
    pub(crate) fn start_frontend(&mut self, parent: u64) -> Pid {
        self.start(parent, ProcessId::Frontend, Side::Frontend(Box::default()))
    }

    fn start(&mut self, parent: u64, id: ProcessId, side: Side) -> Pid {
        let pid = self.next_pid;
        self.next_pid += 1;
        let process = Process {
            parent,
            id,
            begun: false,
            stopped: false,
            waiting: Vec::new(),
            line: Line::default(),
            wake: None,
            stats_due: false,
            side,
        };
        self.processes.insert(pid, Box::new(process));
        let at = self.now + self.random.millis(1, 300);
        self.queue.push(at, Event::Process(pid, Happening::Begins));
        pid
    }

    /// A process has its first word: it takes its lock file, or ends.
    pub(crate) fn begin(&mut self, pid: Pid, process: &mut Process) {
        let connection = process.worker().map(|worker| worker.section.id);
        if self.processes.values().any(|other| other.holds(connection)) {
            traced!(self, "{pid} finds its lock file held");
            return self.end(pid, Exit::Code(64));
        }
        process.begun = true;
        let soon = self.random.millis(1, 50);
        self.queue.push(self.now + soon, Event::Process(pid, Happening::Dials));
        if process.worker().is_some() {
            let soon = self.random.millis(1, 200);
            self.queue.push(self.now + soon, Event::Reach(pid));
        } else {
            // The clients come back.
            for instrument in self.clients.keys().copied().collect::<Vec<_>>() {
                let at = self.now + self.random.millis(10, 5_000);
                self.queue.push(at, Event::Process(pid, Happening::Client(instrument)));
            }
        }
    }

    /// A process is no more: the lock file is free, its parent hears of it, and its control connection ends.
    pub(crate) fn end(&mut self, pid: Pid, exit: Exit) {
        let Some(process) = self.processes.remove(&pid) else {
            // It is in hand; whoever has it in hand lets go of it.
            return self.ended_in_hand = Some((pid, exit));
        };
        self.bury(pid, &process, exit);
    }

    pub(crate) fn bury(&mut self, pid: Pid, process: &Process, exit: Exit) {
        traced!(self, "{pid} ({:?}) has ended: {exit}", process.id);
        if let Some(worker) = process.worker()
            && self.scenario.mood == Mood::Gentle
        {
            for (instrument, _) in worker.front.carried.iter().filter(|(_, ticked)| **ticked) {
                self.check_make_before_break(pid, *instrument);
            }
        }
        if let Some(link) = process.line.link {
            self.client_hangs_up(link);
        }
        let at = self.now + self.random.millis(0, 20);
        self.queue.push(at, Event::Exited(process.parent, process.id, pid, exit));
    }

    /// Something happens in a process.
    pub(crate) fn happens(&mut self, pid: Pid, happening: Happening) {
        let Some(mut process) = self.processes.remove(&pid) else { return };
        if process.stopped {
            process.waiting.push(happening);
            self.processes.insert(pid, process);
            return;
        }
        self.take_in_hand(pid, &mut process, happening);
        match self.ended_in_hand.take() {
            Some((_, exit)) => self.bury(pid, &process, exit),
            None => {
                self.processes.insert(pid, process);
            }
        }
    }

    fn take_in_hand(&mut self, pid: Pid, process: &mut Process, happening: Happening) {
        if let Happening::Begins = happening {
            return self.begin(pid, process);
        }
        if let Happening::Wakes(at) = happening {
            if process.wake != Some(at) {
                return;
            }
            process.wake = None;
        }
        match happening {
            Happening::Dials => self.dial(pid, process),
            Happening::HelloLate(link) if process.line.link == Some(link) && !process.line.up => {
                self.client_hangs_up(link);
                self.line_is_down(pid, process);
            }
            Happening::Hears(link, word) if process.line.link == Some(link) => {
                self.hears(pid, process, word);
            }
            Happening::Stats => {
                process.stats_due = false;
                self.say_stats(pid, process);
            }
            Happening::Terminate => self.quit(pid, process),
            other => match &mut process.side {
                Side::Worker(worker) => match other {
                    Happening::Library(link, callback) => {
                        self.called_back(pid, worker, link, callback);
                    }
                    Happening::Belated(assignment) => self.take_belated(pid, worker, *assignment),
                    _ => {}
                },
                Side::Frontend(frontend) => {
                    let demand = &mut frontend.demand;
                    if let Happening::Client(instrument) = other {
                        if self.clients.contains_key(&instrument) {
                            demand.want(instrument);
                        } else {
                            demand.release(instrument, self.now);
                            // The sweep that ends what lingers comes four times a second.
                            let at = self.now + Duration::from_millis(1_250);
                            process.wake = Some(at);
                            self.queue.push(at, Event::Process(pid, Happening::Wakes(at)));
                        }
                    }
                }
            },
        }
        if self.ended_in_hand.is_none() {
            self.turn(pid, process);
        }
    }

    /// What a driver does after everything that happens.
    fn turn(&mut self, pid: Pid, process: &mut Process) {
        let Process { side, line, wake, .. } = process;
        match side {
            Side::Worker(worker) => {
                worker.worker.do_what_is_due(self.now, self.unix_ms());
                self.take_calls(pid, worker);
                self.say_changes(pid, line, worker);
                let Some(due) = worker.worker.next_deadline() else { return };
                let due = due.max(self.now);
                if wake.is_none_or(|wake| due < wake) {
                    *wake = Some(due);
                    self.queue.push(due, Event::Process(pid, Happening::Wakes(due)));
                }
            }
            Side::Frontend(frontend) => self.say_demand(pid, line, &mut frontend.demand),
        }
    }

    /// It ends as its driver ends: with a goodbye.
    pub(crate) fn quit(&mut self, pid: Pid, process: &mut Process) {
        if process.worker().is_some() {
            self.say_stats(pid, process);
            let Process { side, line, .. } = process;
            if let Side::Worker(worker) = side {
                self.say_changes(pid, line, worker);
            }
        }
        self.end(pid, Exit::Code(0));
    }

    /// It gets SIGSTOP.
    pub(crate) fn stop_process(&mut self, pid: Pid) {
        let Some(process) = self.processes.get_mut(&pid) else { return };
        if let Side::Worker(worker) = &mut process.side {
            World::count_ticks_of(worker, self.now, &self.fronts, self.trading);
        }
        process.stopped = true;
    }

    /// It gets SIGCONT.
    pub(crate) fn continue_process(&mut self, pid: Pid) {
        let Some(process) = self.processes.get_mut(&pid) else { return };
        if !std::mem::take(&mut process.stopped) {
            return;
        }
        if let Side::Worker(worker) = &mut process.side {
            worker.ticked_until = self.now;
        }
        for happening in std::mem::take(&mut process.waiting) {
            self.queue.push(self.now, Event::Process(pid, happening));
        }
    }

    /// Does something with a worker.
    pub(crate) fn with_worker(&mut self, pid: Pid, act: impl FnOnce(&mut Self, &mut WorkerSide)) {
        let Some(mut process) = self.processes.remove(&pid) else { return };
        if let Side::Worker(worker) = &mut process.side {
            act(self, worker);
        }
        self.processes.insert(pid, process);
    }

    /// The workers that are there, and their processes' numbers.
    pub(crate) fn workers(&self) -> impl Iterator<Item = (Pid, &Process, &WorkerSide)> {
        let all = self.processes.iter();
        all.filter_map(|(pid, process)| Some((*pid, process.as_ref(), process.worker()?)))
    }

    /// One report of counters is due at every connected process, once a second.
    pub(crate) fn stats_are_due(&mut self) {
        let due: Vec<Pid> = self
            .processes
            .iter_mut()
            .filter(|(_, process)| process.line.up && !process.stats_due)
            .map(|(pid, process)| {
                process.stats_due = true;
                *pid
            })
            .collect();
        for pid in due {
            let at = self.now + self.random.time(Duration::ZERO, STATS_APART);
            self.queue.push(at, Event::Process(pid, Happening::Stats));
        }
    }
}

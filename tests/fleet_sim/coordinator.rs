//! The coordinator: a real fleet, run as its driver runs it, with clocks, an inbox, a memory on disk, and children.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use qamd::fleet::{Action, ClientId, Fleet, FleetPlan, Found, PlannedConnection, ProcessId};
use qamd::limits::{INPUTS_PER_TURN_MAX, LOCK_PROBE_INTERVAL};
use shm_layout::control::{ConnectionWish, FleetEvent, ToFrontend};
use shm_layout::{ConnectionId, FrontAddr, Instance, WorkerId};

use crate::queue::{Clock, Event, Happening, LinkId, Pid, ToClient, ToCoordinator};
use crate::scenario::{ConfigFile, ConnectionSection};
use crate::world::{World, traced};

/// Wakes in a row at the same time, above which it is taken for spinning.
const WAKES_AT_ONCE_MAX: u32 = 1000;

/// A coordinator's process.
pub(crate) struct Coordinator {
    /// Counts coordinators.
    pub(crate) life: u64,
    pub(crate) fleet: Fleet,
    /// The configuration as it read it.
    pub(crate) settings: ConfigFile,
    /// What people wished since.
    pub(crate) wishes: BTreeMap<ConnectionId, ConnectionWish>,
    pub(crate) inbox: VecDeque<(LinkId, ToCoordinator)>,
    wake: Option<Instant>,
    /// It stands still until then; what comes meanwhile waits.
    pub(crate) held_until: Instant,
    woken: (Option<Instant>, u32),
    probing: bool,
}

/// What is remembered on disk of each connection.
pub(crate) type Memory = BTreeMap<ConnectionId, Remembered>;

/// A connection's worker: its number, and what it was last started with.
#[derive(Debug, Clone)]
pub(crate) struct Remembered {
    pub(crate) number: WorkerId,
    pub(crate) started_with: Option<ConnectionSection>,
}

/// What of a section a worker is started with.
pub(crate) fn launched_with(section: &ConnectionSection) -> ConnectionSection {
    ConnectionSection { priority: 0, enabled: true, ..section.clone() }
}

/// The memory after reading a configuration: known connections keep their numbers.
pub(crate) fn remember(memory: &Memory, file: &ConfigFile) -> Memory {
    let mut next = memory.clone();
    for section in &file.connections {
        let fresh = next.values().map(|known| known.number.0 + 1).max().unwrap_or(0);
        let fresh = Remembered { number: WorkerId(fresh), started_with: None };
        next.entry(section.id).or_insert(fresh);
    }
    next
}

pub(crate) fn planned(
    section: &ConnectionSection,
    memory: &Memory,
    found: Found,
) -> PlannedConnection {
    PlannedConnection {
        connection_id: section.id,
        worker: memory[&section.id].number,
        broker_id: section.broker,
        front_addr: FrontAddr::parse("tcp://127.0.0.1:1").expect("an address"),
        max_subscriptions: section.capacity,
        priority: section.priority,
        enabled: section.enabled,
        found,
    }
}

impl World {
    /// A new coordinator takes the place of a dead one.
    pub(crate) fn start_coordinator(&mut self) {
        if self.coordinator.is_some() {
            return;
        }
        self.lives += 1;
        let (life, file) = (self.lives, self.file.clone());
        traced!(self, "coordinator {life} starts");
        let memory = remember(&self.memory, &file);
        let connections = file.connections.iter().map(|section| {
            let found = match self.holder_of(Some(section.id)) {
                None => Found::Nothing,
                Some(pid) => match &memory[&section.id].started_with {
                    Some(with) if *with != launched_with(section) => {
                        Found::Outdated { pid: Some(pid) }
                    }
                    _ => Found::Running { pid: Some(pid) },
                },
            };
            planned(section, &memory, found)
        });
        let plan = FleetPlan {
            instance: Instance::default(),
            connections: connections.collect(),
            strays: self.strays(&file),
            frontend: self
                .holder_of(None)
                .map_or(Found::Nothing, |pid| Found::Running { pid: Some(pid) }),
            universe: Vec::new(),
            always_on: file.always_on.clone(),
            auto_failover: file.auto_failover,
            strategy: file.strategy,
            redundancy: file.redundancy,
            hours: self.scenario.hours(),
            http_address: String::new(),
            notices: Vec::new(),
        };
        self.memory = memory;
        self.coordinator = Some(Box::new(Coordinator {
            life,
            fleet: Fleet::new(plan, self.now),
            settings: file,
            wishes: BTreeMap::new(),
            inbox: VecDeque::new(),
            wake: None,
            held_until: self.now,
            woken: (None, 0),
            probing: false,
        }));
        self.wake_coordinator(self.now);
        let check = self.now + self.scenario.health_check;
        self.queue.push(check, Event::Coordinator(life, Clock::Health));
    }

    /// Remembered workers that run and are not configured any more.
    fn strays(&self, file: &ConfigFile) -> Vec<PlannedConnection> {
        let started = self.memory.values().filter_map(|known| known.started_with.as_ref());
        let strays = started.filter_map(|with| {
            let found = Found::Outdated { pid: Some(self.holder_of(Some(with.id))?) };
            let section = ConnectionSection { enabled: false, capacity: 0, ..with.clone() };
            let unknown = file.connections.iter().all(|section| section.id != with.id);
            unknown.then(|| planned(&section, &self.memory, found))
        });
        strays.collect()
    }

    /// SIGKILL for the coordinator.
    pub(crate) fn kill_coordinator(&mut self) {
        if let Some(coordinator) = self.coordinator.take() {
            traced!(self, "coordinator {} is killed", coordinator.life);
            self.all_links_break(coordinator.life);
        }
    }

    pub(crate) fn holder_of(&self, connection: Option<ConnectionId>) -> Option<Pid> {
        let mut holders = self.processes.iter().filter(|(_, process)| process.holds(connection));
        holders.next().map(|(pid, _)| *pid)
    }

    /// Something waits for the coordinator, or it has a deadline.
    pub(crate) fn wake_coordinator(&mut self, at: Instant) {
        let Some(coordinator) = &mut self.coordinator else { return };
        if coordinator.wake.is_none_or(|wake| at < wake) {
            coordinator.wake = Some(at);
            self.queue.push(at, Event::Coordinator(coordinator.life, Clock::Wake));
        }
    }

    /// One of the coordinator's clocks.
    pub(crate) fn clock(&mut self, life: u64, clock: Clock) {
        self.with_coordinator(life, |world, coordinator| {
            let now = world.now;
            if now < coordinator.held_until {
                if matches!(clock, Clock::Wake) && coordinator.wake == Some(now) {
                    coordinator.wake = Some(coordinator.held_until);
                }
                let later = Event::Coordinator(life, clock);
                return world.queue.push(coordinator.held_until, later);
            }
            match clock {
                Clock::Wake => {
                    if coordinator.wake != Some(now) {
                        return;
                    }
                    coordinator.wake = None;
                    world.look_for_spinning(coordinator);
                    // Now and then it is held up after a part of what waits.
                    let part = if world.coarse || world.random.percent(70) {
                        INPUTS_PER_TURN_MAX
                    } else {
                        world.random.between(1, 4)
                    };
                    world.take_inputs(coordinator, part);
                }
                Clock::Health => {
                    world.take_inputs(coordinator, INPUTS_PER_TURN_MAX);
                    coordinator.fleet.check_health(now);
                    let at = now + world.scenario.health_check;
                    world.queue.push(at, Event::Coordinator(life, clock));
                }
                Clock::Market => coordinator.fleet.look_at_market(now, world.unix_ms()),
                Clock::Probe => {
                    coordinator.probing = false;
                    world.probe_locks(coordinator);
                }
            }
            world.turn_coordinator(coordinator);
        });
    }

    fn look_for_spinning(&mut self, coordinator: &mut Coordinator) {
        let (at, count) = &mut coordinator.woken;
        (*at, *count) = if *at == Some(self.now) { (*at, *count + 1) } else { (Some(self.now), 0) };
        if *count > WAKES_AT_ONCE_MAX {
            self.fail("the coordinator spins: it has a deadline again and again at the same time");
        }
    }

    fn take_inputs(&mut self, coordinator: &mut Coordinator, most: usize) {
        for _ in 0..most {
            let Some((link, word)) = coordinator.inbox.pop_front() else { return };
            let (now, client) = (self.now, ClientId(link));
            match word {
                ToCoordinator::Hello(hello) => {
                    coordinator.fleet.hello(client, &hello, now);
                    self.act(coordinator);
                }
                ToCoordinator::Worker(word) => coordinator.fleet.worker_said(client, word, now),
                ToCoordinator::Frontend(word) => coordinator.fleet.frontend_said(client, word, now),
                ToCoordinator::Gone => {
                    traced!(self, "the coordinator hears that link {link} is gone");
                    coordinator.fleet.gone(client);
                    self.links.remove(&link);
                    self.probe_locks(coordinator);
                }
            }
        }
    }

    /// What the driver does after everything that happens.
    pub(crate) fn turn_coordinator(&mut self, coordinator: &mut Coordinator) {
        coordinator.fleet.turn(self.now);
        self.act(coordinator);
        if !coordinator.probing && !coordinator.fleet.probed().is_empty() {
            coordinator.probing = true;
            let at = self.now + LOCK_PROBE_INTERVAL;
            self.queue.push(at, Event::Coordinator(coordinator.life, Clock::Probe));
        }
        let due = coordinator.fleet.next_deadline();
        let due = due.into_iter().chain((!coordinator.inbox.is_empty()).then_some(self.now)).min();
        let Some(due) = due.map(|due| due.max(self.now)) else { return };
        if coordinator.wake.is_none_or(|wake| due < wake) {
            coordinator.wake = Some(due);
            self.queue.push(due, Event::Coordinator(coordinator.life, Clock::Wake));
        }
    }

    fn act(&mut self, coordinator: &mut Coordinator) {
        for action in coordinator.fleet.take_actions() {
            traced!(self, "the coordinator acts: {action:?}");
            // Sessions begin and end, and what comes from nowhere is said each time.
            let stale = |event: &FleetEvent| {
                matches!(event, FleetEvent::Stale { .. } | FleetEvent::Fresh { .. })
            };
            if !matches!(&action, Action::TellFrontend(_, ToFrontend::Event(event)) if stale(event))
            {
                self.note_action();
            }
            match action {
                Action::Welcome(client) => self.tell_client(client.0, ToClient::Welcome),
                Action::Refuse(client, _) | Action::HangUp(client) => {
                    self.coordinator_hangs_up(client.0);
                }
                Action::TellWorker(client, word) => {
                    self.tell_client(client.0, ToClient::Worker(word))
                }
                Action::TellFrontend(client, word) => {
                    self.tell_client(client.0, ToClient::Frontend(word));
                }
                Action::Spawn(process) => self.spawn(coordinator, process),
                Action::Terminate(_, pid) => {
                    let at = self.now + self.random.millis(0, 3);
                    self.queue.push(at, Event::Process(pid, Happening::Terminate));
                }
                Action::Kill(_, pid) => {
                    let at = self.now + self.random.millis(0, 3);
                    self.queue.push(at, Event::Killed(pid));
                }
            }
        }
    }

    fn spawn(&mut self, coordinator: &mut Coordinator, process: ProcessId) {
        let pid = match process {
            ProcessId::Worker(index) => {
                let id = coordinator.fleet.connection_at(index);
                let sections = &coordinator.settings.connections;
                let Some(section) = sections.iter().find(|section| section.id == id).cloned()
                else {
                    let why = "its connection is not configured any more".to_owned();
                    return coordinator.fleet.spawn_failed(process, why, self.now);
                };
                let number = self.memory[&id].number;
                if let Some(known) = self.memory.get_mut(&id) {
                    known.started_with = Some(launched_with(&section));
                }
                self.start_worker(coordinator.life, process, section, number)
            }
            ProcessId::Frontend => self.start_frontend(coordinator.life),
        };
        coordinator.fleet.spawned(process, pid);
    }

    fn probe_locks(&mut self, coordinator: &mut Coordinator) {
        for process in coordinator.fleet.probed() {
            let connection = match process {
                ProcessId::Worker(index) => Some(coordinator.fleet.connection_at(index)),
                ProcessId::Frontend => None,
            };
            if self.holder_of(connection).is_none() {
                traced!(self, "the lock file of {process:?} is free");
                coordinator.fleet.lock_free(process, self.now);
            }
        }
    }

    /// Does something with the coordinator of that number, if it lives.
    pub(crate) fn with_coordinator(
        &mut self,
        life: u64,
        act: impl FnOnce(&mut Self, &mut Coordinator),
    ) {
        if self.coordinator.as_ref().is_none_or(|coordinator| coordinator.life != life) {
            return;
        }
        if let Some(mut coordinator) = self.coordinator.take() {
            act(self, &mut coordinator);
            self.coordinator = Some(coordinator);
        }
    }

    /// A child's end reaches its parent.
    pub(crate) fn exited(
        &mut self,
        life: u64,
        process: ProcessId,
        pid: Pid,
        exit: qamd::life::Exit,
    ) {
        self.with_coordinator(life, |world, coordinator| {
            if world.now < coordinator.held_until {
                let later = Event::Exited(life, process, pid, exit);
                return world.queue.push(coordinator.held_until, later);
            }
            coordinator.fleet.exited(process, pid, exit, world.now);
            world.turn_coordinator(coordinator);
        });
    }
}

//! The fleet's decisions under histories: examples and random ones.

mod events;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use shm_layout::clock::monotonic;
use shm_layout::control::{
    Assignment, Carry, CarryRole, ConnectionWish, FromFrontend, FromWorker, FrontendHello, Hello,
    InstrumentReport, InstrumentState, ListedFacts, Role, SessionReport, SessionState, Standing,
    WorkerHello, WorkerProcess, WorkerStats,
};
use shm_layout::limits::CONTROL_INSTRUMENTS_PER_MESSAGE_MAX;
use shm_layout::version::CONTROL_PROTOCOL;
use shm_layout::{
    BrokerId, ConnectionId, Date, Epoch, ExchangeId, FrontAddr, Generation, Incarnation,
    InstrumentId, TradingCalendar, WorkerId,
};

use super::*;
use crate::config::Strategy as Placing;
use crate::limits::{
    INHERITED_DEMAND_LINGER, INVENTORY_WAIT, PLAN_INTERVAL, PROBATION_FIRST,
    REPLACED_DEMAND_LINGER, RESTART_DELAY_FIRST, UNRESPONSIVE_AFTER,
};

fn id(n: u32) -> InstrumentId {
    InstrumentId::parse(&format!("rb{n:04}")).unwrap()
}

fn ids(range: std::ops::Range<u32>) -> Vec<InstrumentId> {
    range.map(id).collect()
}

fn as_roles(carries: &[Carry]) -> BTreeMap<InstrumentId, CarryRole> {
    carries.iter().map(|carry| (carry.instrument, carry.role)).collect()
}

fn primaries_of(range: std::ops::Range<u32>) -> Vec<Carry> {
    range.map(|n| Carry::primary(id(n))).collect()
}

fn connection(index: u32, room: u32, found: Found) -> PlannedConnection {
    PlannedConnection {
        connection_id: ConnectionId::parse(&format!("c{index}")).unwrap(),
        worker: WorkerId(index),
        broker_id: BrokerId::parse("9999").unwrap(),
        front_addr: FrontAddr::parse("tcp://127.0.0.1:1").unwrap(),
        max_subscriptions: room,
        priority: 1,
        enabled: true,
        found,
    }
}

fn plan(rooms: &[u32], found: Found) -> FleetPlan {
    FleetPlan {
        instance: Instance::default(),
        connections: (0..)
            .zip(rooms)
            .map(|(index, room)| connection(index, *room, found))
            .collect(),
        strays: Vec::new(),
        frontend: found,
        universe: Vec::new(),
        always_on: Vec::new(),
        auto_failover: true,
        strategy: Placing::RoundRobin,
        redundancy: 1,
        hours: TradingHours::new(TradingCalendar::default()),
        http_address: "127.0.0.1:7798".into(),
        notices: Vec::new(),
    }
}

/// A configuration read again: these connections, each changed or not, and these instruments always on.
fn reload_of(
    connections: impl IntoIterator<Item = (PlannedConnection, bool)>,
    always_on: Vec<InstrumentId>,
) -> Reload {
    Reload {
        connections: connections.into_iter().collect(),
        strategy: Placing::RoundRobin,
        redundancy: 1,
        auto_failover: true,
        universe: Vec::new(),
        always_on,
        hours: TradingHours::new(TradingCalendar::default()),
        notices: Vec::new(),
        said: Vec::new(),
    }
}

/// The world around a fleet: processes that obey it as the contract says.
struct World {
    fleet: Fleet,
    now: Instant,
    next_client: u64,
    next_pid: u32,
    alive: BTreeMap<u32, ProcessId>,
    workers: BTreeMap<usize, Carrier>,
    said: Vec<Action>,
}

/// A worker process.
#[derive(Default, Clone)]
struct Carrier {
    pid: u32,
    client: Option<ClientId>,
    has: Option<Generation>,
    carries: BTreeMap<InstrumentId, CarryRole>,
    /// It stands still: it neither speaks nor reads.
    still: bool,
    unread: Vec<Assignment>,
}

impl Carrier {
    fn reports(&self) -> Vec<InstrumentReport> {
        let report = |instrument: &InstrumentId| InstrumentReport {
            instrument: *instrument,
            state: InstrumentState::Ticking,
            role: self.carries[instrument],
        };
        self.carries.keys().map(report).collect()
    }
}

impl World {
    fn new(plan: FleetPlan) -> Self {
        let now = monotonic();
        let fleet = Fleet::new(plan, now);
        let mut world = Self {
            fleet,
            now,
            next_client: 0,
            next_pid: 100,
            alive: BTreeMap::new(),
            workers: BTreeMap::new(),
            said: Vec::new(),
        };
        world.pass(Duration::ZERO);
        world
    }

    /// A fleet whose processes have all said hello.
    fn running(rooms: &[u32]) -> Self {
        let mut world = Self::new(plan(rooms, Found::Nothing));
        (0..rooms.len()).for_each(|index| {
            world.worker_hello(index);
        });
        world.frontend_hello();
        world.pass(PLAN_INTERVAL);
        world
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        let speaking = self.workers.values().filter(|worker| !worker.still);
        for client in speaking.filter_map(|worker| worker.client).collect::<Vec<_>>() {
            // A sign of life.
            self.fleet.worker_said(client, FromWorker::Instruments(Vec::new()), self.now);
        }
        self.fleet.turn(self.now);
        let actions = self.fleet.take_actions();
        actions.iter().for_each(|action| self.obey(action));
        self.said.extend(actions);
    }

    fn obey(&mut self, action: &Action) {
        match action {
            Action::Spawn(process) => {
                self.next_pid += 1;
                self.alive.insert(self.next_pid, *process);
                if let ProcessId::Worker(index) = process {
                    self.workers
                        .insert(*index, Carrier { pid: self.next_pid, ..Carrier::default() });
                }
                self.fleet.spawned(*process, self.next_pid);
            }
            Action::TellWorker(client, ToWorker::Assign(assignment)) => {
                self.assign(*client, assignment)
            }
            _ => {}
        }
    }

    fn assign(&mut self, client: ClientId, assignment: &Assignment) {
        let Some(worker) = self.workers.values_mut().find(|worker| worker.client == Some(client))
        else {
            return;
        };
        if worker.still {
            return worker.unread.push(assignment.clone());
        }
        let (generation, after) = match assignment {
            Assignment::Whole { generation, instruments } => {
                worker.carries = as_roles(instruments);
                (*generation, worker.has)
            }
            Assignment::Change { generation, after, add, remove } => {
                for instrument in remove {
                    assert!(worker.carries.remove(instrument).is_some());
                }
                worker.carries.extend(as_roles(add));
                (*generation, Some(*after))
            }
        };
        assert_eq!(after, worker.has, "it does not follow");
        assert!(Some(generation) > worker.has, "it is not newer");
        worker.has = Some(generation);
        let said =
            [FromWorker::AssignmentTaken(generation), FromWorker::Instruments(worker.reports())];
        said.into_iter().for_each(|said| self.fleet.worker_said(client, said, self.now));
    }

    fn hello(&mut self, pid: u32, role: Role) -> ClientId {
        self.next_client += 1;
        let client = ClientId(self.next_client);
        let hello = Hello { protocol: CONTROL_PROTOCOL, instance: Instance::default(), pid, role };
        self.fleet.hello(client, &hello, self.now);
        client
    }

    fn worker_hello(&mut self, index: usize) -> ClientId {
        let carrier = self.workers[&index].clone();
        let reports = carrier.reports().into_iter().take(CONTROL_INSTRUMENTS_PER_MESSAGE_MAX);
        let hello = WorkerHello {
            connection: ConnectionId::parse(&format!("c{index}")).unwrap(),
            worker: WorkerId(u32::try_from(index).unwrap()),
            incarnation: Incarnation(u64::from(carrier.pid)),
            library_version: "v6.7.13".into(),
            generation: carrier.has,
            session: SessionReport {
                state: SessionState::Ready,
                epoch: Epoch(1),
                trading_day: None,
            },
            inventory: reports.collect(),
        };
        let client = self.hello(carrier.pid, Role::Worker(Box::new(hello)));
        self.workers.get_mut(&index).unwrap().client = Some(client);
        client
    }

    fn frontend_pid(&self) -> u32 {
        self.alive
            .iter()
            .find(|(_, process)| **process == ProcessId::Frontend)
            .map_or(50, |(pid, _)| *pid)
    }

    fn frontend_hello(&mut self) -> ClientId {
        let role = Role::Frontend(FrontendHello { listening_on: "127.0.0.1:7799".into() });
        self.hello(self.frontend_pid(), role)
    }

    fn want(
        &mut self,
        client: ClientId,
        first: bool,
        add: Vec<InstrumentId>,
        remove: Vec<InstrumentId>,
    ) {
        self.fleet.frontend_said(client, FromFrontend::Demand { first, add, remove }, self.now);
        self.pass(PLAN_INTERVAL);
    }

    fn session(&mut self, index: usize, state: SessionState) {
        let report = SessionReport { state, epoch: Epoch(1), trading_day: None };
        let client = self.workers[&index].client.unwrap();
        self.fleet.worker_said(client, FromWorker::Session(report), self.now);
        self.pass(PLAN_INTERVAL);
    }

    /// An instrument's inventory beyond its hello, and the counters that follow it.
    fn rest_of_inventory(&mut self, index: usize) {
        let carrier = self.workers[&index].clone();
        let client = carrier.client.unwrap();
        let parts = carrier.reports();
        for part in parts.chunks(CONTROL_INSTRUMENTS_PER_MESSAGE_MAX).skip(1) {
            self.fleet.worker_said(client, FromWorker::Instruments(part.to_vec()), self.now);
        }
        self.fleet.worker_said(client, FromWorker::Stats(WorkerStats::default()), self.now);
    }

    fn die(&mut self, index: usize, exit: Exit) {
        let pid = self.workers[&index].pid;
        self.alive.remove(&pid);
        self.workers.remove(&index);
        self.fleet.exited(ProcessId::Worker(index), pid, exit, self.now);
    }

    /// Who takes itself for the primary of an instrument.
    fn primaries(&self, instrument: InstrumentId) -> Vec<usize> {
        let leads = |worker: &Carrier| worker.carries.get(&instrument) == Some(&CarryRole::Primary);
        self.workers.iter().filter(|(_, worker)| leads(worker)).map(|(index, _)| *index).collect()
    }

    fn carried(&self) -> Vec<usize> {
        self.workers.values().map(|worker| worker.carries.len()).collect()
    }

    fn frontend_client(&self) -> ClientId {
        self.fleet.frontend.client.unwrap()
    }
}

#[test]
fn everything_is_started_at_once_and_only_once() {
    let mut world = World::new(plan(&[1, 1], Found::Nothing));
    assert_eq!(world.alive.len(), 3);
    world.pass(Duration::from_secs(5));
    assert_eq!(world.alive.len(), 3);
    let status = world.fleet.status(world.now, 0);
    assert!(status.workers.iter().all(|worker| worker.process == WorkerProcess::Starting));
}

#[test]
fn a_wish_reaches_a_worker_and_its_end_too() {
    let mut world = World::running(&[10, 10]);
    let frontend = world.frontend_client();
    world.want(frontend, true, ids(0..4), vec![]);
    assert_eq!(world.carried(), [2, 2]);
    world.want(frontend, false, vec![], ids(0..4));
    assert_eq!(world.carried(), [0, 0]);
}

#[test]
fn a_burst_of_wishes_is_one_plan() {
    let mut world = World::running(&[30_000]);
    let (frontend, plans) = (world.frontend_client(), world.fleet.counters().plans);
    for n in 0..25_000 {
        let wish = FromFrontend::Demand { first: n == 0, add: vec![id(n)], remove: vec![] };
        world.fleet.frontend_said(frontend, wish, world.now);
    }
    world.pass(PLAN_INTERVAL);
    assert_eq!((world.carried(), world.fleet.counters().plans - plans), (vec![25_000], 1));
}

#[test]
fn a_dead_workers_instruments_tick_elsewhere_and_some_return_after_its_probation() {
    let mut world = World::running(&[10, 10]);
    let frontend = world.frontend_client();
    world.want(frontend, true, ids(0..8), vec![]);
    world.die(0, Exit::Signal(9, false));
    world.pass(PLAN_INTERVAL);
    assert_eq!(world.carried(), [8], "at once");
    world.pass(RESTART_DELAY_FIRST);
    world.worker_hello(0);
    world.pass(PLAN_INTERVAL);
    assert_eq!(world.carried(), [0, 8], "nothing returns on probation");
    world.pass(PROBATION_FIRST);
    (0..5).for_each(|_| world.pass(PLAN_INTERVAL));
    assert_eq!(world.carried(), [3, 5], "what would not be worth a move stays");
    assert!(ids(0..8).iter().all(|instrument| world.primaries(*instrument).len() == 1));
    assert_eq!(world.fleet.status(world.now, 0).workers[0].restarts, 1);
}

#[test]
fn a_worker_that_stands_still_is_left_and_on_probation_when_it_goes_on() {
    let mut world = World::running(&[10, 10]);
    let frontend = world.frontend_client();
    world.want(frontend, true, ids(0..8), vec![]);
    let standing = |world: &World| world.fleet.status(world.now, 0).workers[0].standing;
    world.workers.get_mut(&0).unwrap().still = true;
    // When the coordinator itself stood still, it heard nobody.
    world.pass(UNRESPONSIVE_AFTER * 3);
    assert_eq!((world.carried(), standing(&world)), (vec![4, 4], Standing::Good));
    let quarter = (UNRESPONSIVE_AFTER - PLAN_INTERVAL) / 4;
    (0..4).for_each(|_| world.pass(quarter));
    assert_eq!((world.carried(), standing(&world)), (vec![4, 4], Standing::Good));
    (0..4).for_each(|_| world.pass(PLAN_INTERVAL));
    assert_eq!((world.workers[&1].carries.len(), standing(&world)), (8, Standing::Away));
    let still = world.workers.get_mut(&0).unwrap();
    still.still = false;
    let (client, unread) = (still.client.unwrap(), std::mem::take(&mut still.unread));
    unread.iter().for_each(|assignment| world.assign(client, assignment));
    world.pass(PLAN_INTERVAL);
    assert_eq!((world.carried(), standing(&world)), (vec![0, 8], Standing::Probation));
    world.pass(PROBATION_FIRST);
    (0..5).for_each(|_| world.pass(PLAN_INTERVAL));
    assert_eq!((world.carried(), standing(&world)), (vec![3, 5], Standing::Good));
}

#[test]
fn a_connection_that_is_configured_again_gets_its_worker_back() {
    let mut world = World::running(&[10, 10]);
    let connections = plan(&[10, 10], Found::Nothing).connections;
    let reload = |connections: &[PlannedConnection]| {
        reload_of(connections.iter().map(|plan| (plan.clone(), false)), Vec::new())
    };
    assert_eq!(world.fleet.reload(reload(&connections[1..]), world.now), ["c0 is removed"]);
    world.pass(PLAN_INTERVAL);
    world.said.clear();
    assert_eq!(world.fleet.reload(reload(&connections), world.now), ["c0 is there again"]);
    world.pass(PLAN_INTERVAL);
    assert!(
        world.said.iter().all(|action| !matches!(action, Action::Spawn(_))),
        "its worker holds what another would need"
    );
    world.die(0, Exit::Code(0));
    world.pass(PLAN_INTERVAL);
    assert!(world.said.contains(&Action::Spawn(ProcessId::Worker(0))));
    world.worker_hello(0);
    world.pass(PLAN_INTERVAL);
    assert_eq!(world.fleet.status(world.now, 0).workers.len(), 2);
}

#[test]
fn a_failed_worker_is_started_by_enable() {
    let mut world = World::running(&[10]);
    world.die(0, Exit::Code(64));
    world.pass(Duration::from_secs(60));
    assert!(!world.workers.contains_key(&0));
    let c0 = ConnectionId::parse("c0").unwrap();
    assert_eq!(world.fleet.wish(c0, ConnectionWish::Enable, world.now).unwrap(), ["c0 is started"]);
    world.pass(Duration::ZERO);
    assert!(world.workers.contains_key(&0));
}

#[test]
fn a_greater_capacity_holds_once_its_worker_was_started_with_it() {
    let mut world = World::running(&[2]);
    let frontend = world.frontend_client();
    world.want(frontend, true, ids(0..4), vec![]);
    let reload =
        reload_of(plan(&[4], Found::Nothing).connections.into_iter().map(|p| (p, true)), ids(3..4));
    world.fleet.reload(reload, world.now);
    world.pass(PLAN_INTERVAL);
    assert_eq!(world.carried(), [2], "the running one takes no more");
    assert_eq!(world.fleet.status(world.now, 0).queue, [id(3), id(2)], "always on goes first");
    world.die(0, Exit::Code(0));
    world.pass(PLAN_INTERVAL);
    world.worker_hello(0);
    world.pass(PLAN_INTERVAL);
    assert_eq!(world.carried(), [4]);
}

#[test]
fn a_full_fleet_keeps_what_finds_no_room_elsewhere() {
    let mut world = World::running(&[4, 6]);
    let frontend = world.frontend_client();
    world.want(frontend, true, ids(0..10), vec![]);
    world.die(0, Exit::Signal(9, false));
    world.pass(RESTART_DELAY_FIRST);
    assert_eq!(world.fleet.status(world.now, 0).placed, 10, "they keep their places");
    world.worker_hello(0);
    world.pass(PLAN_INTERVAL);
    assert_eq!(world.carried(), [4, 6]);
}

#[test]
fn without_failover_instruments_wait_for_their_connection() {
    let mut fixed = plan(&[10, 10], Found::Nothing);
    fixed.auto_failover = false;
    let mut world = World::new(fixed);
    (0..2).for_each(|index| {
        world.worker_hello(index);
    });
    let frontend = world.frontend_hello();
    world.pass(PLAN_INTERVAL);
    world.want(frontend, true, ids(0..4), vec![]);
    world.session(0, SessionState::Disconnected { reason: 0x1001 });
    world.die(1, Exit::Signal(9, false));
    world.pass(RESTART_DELAY_FIRST);
    world.worker_hello(1);
    world.pass(Duration::from_secs(3600));
    assert_eq!(world.carried(), [2, 2]);
}

#[test]
fn two_copies_on_two_connections_and_one_primary_whatever_dies() {
    let mut double = plan(&[10, 10, 10], Found::Nothing);
    double.redundancy = 2;
    let mut world = World::new(double);
    (0..3).for_each(|index| {
        world.worker_hello(index);
    });
    let frontend = world.frontend_hello();
    world.pass(PLAN_INTERVAL);
    world.want(frontend, true, ids(0..6), vec![]);
    world.pass(PLAN_INTERVAL);
    assert_eq!(world.carried(), [4, 4, 4]);
    world.die(0, Exit::Signal(9, false));
    (0..3).for_each(|_| world.pass(PLAN_INTERVAL));
    assert_eq!(world.carried(), [6, 6]);
    assert!(ids(0..6).iter().all(|instrument| world.primaries(*instrument).len() == 1));
    world.die(1, Exit::Signal(9, false));
    world.pass(PLAN_INTERVAL);
    assert!(ids(0..6).iter().all(|instrument| world.primaries(*instrument) == [2]));
    let status = world.fleet.status(world.now, 0);
    assert_eq!((status.ticking, status.short_of_copies), (6, 6), "the dead carry nothing");
}

#[test]
fn nobody_is_promoted_while_a_worker_that_may_be_primary_was_not_heard() {
    let mut found = plan(&[10, 10], Found::Nothing);
    found.connections[0].found = Found::Running { pid: Some(1) };
    let mut world = World::new(found);
    world.worker_hello(1);
    let frontend = world.frontend_hello();
    world.want(frontend, true, ids(0..2), vec![]);
    world.pass(crate::limits::ADOPTION_WAIT);
    assert_eq!(world.carried(), [2]);
    assert!(world.primaries(id(0)).is_empty(), "the silent one may be");
    world.fleet.lock_free(ProcessId::Worker(0), world.now);
    world.pass(PLAN_INTERVAL);
    assert_eq!(world.primaries(id(0)), [1]);
}

#[test]
fn a_drained_connection_is_left_and_used_again_when_it_is_enabled() {
    let mut world = World::running(&[10, 10]);
    let frontend = world.frontend_client();
    world.want(frontend, true, ids(0..8), vec![]);
    let c0 = ConnectionId::parse("c0").unwrap();
    world.fleet.wish(c0, ConnectionWish::Drain, world.now).unwrap();
    (0..3).for_each(|_| world.pass(PLAN_INTERVAL));
    assert_eq!(world.carried(), [0, 8]);
    world.want(frontend, false, ids(8..10), vec![]);
    assert_eq!(world.carried(), [0, 10]);
    world.fleet.wish(c0, ConnectionWish::Enable, world.now).unwrap();
    (0..5).for_each(|_| world.pass(PLAN_INTERVAL));
    assert_eq!(world.carried(), [4, 6]);
    let nobody = ConnectionId::parse("nobody").unwrap();
    let refused = world.fleet.wish(nobody, ConnectionWish::Drain, world.now).unwrap_err();
    assert_eq!(refused, ["no connection is named nobody; configured are c0, c1"]);
}

#[test]
fn a_restart_and_a_disable_come_after_the_instruments_have_gone() {
    for wish in [ConnectionWish::Restart, ConnectionWish::Disable] {
        let mut world = World::running(&[10, 10]);
        let frontend = world.frontend_client();
        world.want(frontend, true, ids(0..4), vec![]);
        let (c0, client) = (ConnectionId::parse("c0").unwrap(), world.workers[&0].client.unwrap());
        world.fleet.wish(c0, wish, world.now).unwrap();
        (0..3).for_each(|_| world.pass(PLAN_INTERVAL));
        let stop = Action::TellWorker(client, ToWorker::Stop);
        assert_eq!(world.carried(), [0, 4]);
        assert!(world.said.contains(&stop));
        world.said.clear();
        world.die(0, Exit::Code(0));
        world.pass(PLAN_INTERVAL);
        let spawned = world.said.contains(&Action::Spawn(ProcessId::Worker(0)));
        assert_eq!(spawned, wish == ConnectionWish::Restart);
        let status = &world.fleet.status(world.now, 0).workers[0];
        assert_eq!((status.restarts, status.last_exit.is_none()), (0, true), "no accident");
    }
}

#[test]
fn what_a_front_refuses_is_tried_elsewhere_and_parked_when_nobody_has_it() {
    let mut world = World::running(&[10, 10]);
    let frontend = world.frontend_client();
    world.want(frontend, true, ids(0..1), vec![]);
    for index in [0, 1] {
        assert!(world.workers[&index].carries.contains_key(&id(0)));
        let state = InstrumentState::Refused { error_id: 16, message: "no".into() };
        let report = InstrumentReport { instrument: id(0), state, role: CarryRole::Primary };
        let client = world.workers[&index].client.unwrap();
        world.fleet.worker_said(client, FromWorker::Instruments(vec![report]), world.now);
        (0..2).for_each(|_| world.pass(PLAN_INTERVAL));
    }
    assert_eq!(world.carried(), [0, 0]);
    let status = world.fleet.status(world.now, 0);
    assert_eq!((status.refused_for_good, status.waiting_for_room, status.refused.len()), (1, 0, 1));
    assert_eq!(status.refused[0].error_id, 16);
    world.session(1, SessionState::Disconnected { reason: 0x1001 });
    let client = world.workers[&1].client.unwrap();
    let tomorrow = SessionReport {
        state: SessionState::Ready,
        epoch: Epoch(2),
        trading_day: Date::parse("20261124").ok(),
    };
    world.fleet.worker_said(client, FromWorker::Session(tomorrow), world.now);
    world.pass(PLAN_INTERVAL);
    assert_eq!(world.carried(), [0, 1], "another trading day, another try");
}

#[test]
fn a_reload_adds_removes_and_restarts_without_a_touch_to_the_others() {
    let mut world = World::running(&[10, 10, 10]);
    let frontend = world.frontend_client();
    world.want(frontend, true, ids(0..6), vec![]);
    let mut after = plan(&[10, 10, 10, 10], Found::Nothing).connections;
    after.remove(1);
    after[0].max_subscriptions = 12;
    let reload = reload_of(
        after.into_iter().map(|plan| (plan.clone(), plan.worker == WorkerId(0))),
        ids(20..21),
    );
    let said = world.fleet.reload(reload.clone(), world.now);
    assert_eq!(
        said,
        [
            "7 instruments are wanted, 6 were",
            "c1 is removed",
            "c0 has other settings and is restarted",
            "c3 is added"
        ]
    );
    let third = world.workers[&2].client.unwrap();
    (0..3).for_each(|_| world.pass(PLAN_INTERVAL));
    world.worker_hello(3);
    world.die(1, Exit::Code(0));
    (0..3).for_each(|_| world.pass(PLAN_INTERVAL));
    assert_eq!(world.workers[&0].carries.len(), 0, "its turn came when the other was gone");
    world.die(0, Exit::Code(0));
    world.pass(PLAN_INTERVAL);
    world.worker_hello(0);
    (0..5).for_each(|_| world.pass(PLAN_INTERVAL));
    let status = world.fleet.status(world.now, 0);
    let names: Vec<_> = status.workers.iter().map(|w| w.connection_id.to_string()).collect();
    assert_eq!((names.join(" ").as_str(), status.ticking), ("c0 c2 c3", 7));
    assert!(!world.said.contains(&Action::TellWorker(third, ToWorker::Stop)));
    let unchanged = Reload {
        connections: reload.connections.into_iter().map(|(plan, _)| (plan, false)).collect(),
        ..reload
    };
    assert_eq!(world.fleet.reload(unchanged.clone(), world.now), ["nothing has changed"]);
    let other =
        Reload { strategy: Placing::HashBased, redundancy: 2, auto_failover: false, ..unchanged };
    assert_eq!(
        world.fleet.reload(other, world.now),
        [
            "load_balance_strategy is hash_based, was round_robin",
            "redundancy is 2, was 1",
            "auto_failover is false"
        ]
    );
}

/// A reload in which one connection is switched on or off, and has other settings or not.
fn with_first(connections: &[PlannedConnection], enabled: bool, changed: bool) -> Reload {
    let plan = |(index, plan): (usize, &PlannedConnection)| {
        let first = PlannedConnection { enabled, ..plan.clone() };
        if index == 0 { (first, changed) } else { (plan.clone(), false) }
    };
    reload_of(connections.iter().enumerate().map(plan), Vec::new())
}

#[test]
fn settings_that_came_while_it_was_switched_off_hold_when_it_is_enabled() {
    let mut world = World::running(&[10, 10]);
    let frontend = world.frontend_client();
    world.want(frontend, true, ids(0..4), vec![]);
    let connections = plan(&[10, 10], Found::Nothing).connections;
    let c0 = ConnectionId::parse("c0").unwrap();
    let others = [with_first(&connections, false, true), with_first(&connections, false, false)];
    for other in others {
        // Its farewell takes a while: what it carries has to tick elsewhere first.
        world.fleet.reload(other, world.now);
    }
    let said = world.fleet.wish(c0, ConnectionWish::Enable, world.now).unwrap();
    assert_eq!(said, ["c0 is used again, and restarted with its new settings"]);
    (0..3).for_each(|_| world.pass(PLAN_INTERVAL));
    let first = world.workers[&0].client.unwrap();
    assert!(world.said.contains(&Action::TellWorker(first, ToWorker::Stop)));
    world.die(0, Exit::Code(0));
    world.pass(PLAN_INTERVAL);
    world.worker_hello(0);
    let said = world.fleet.wish(c0, ConnectionWish::Enable, world.now).unwrap();
    assert_eq!(said, ["c0 was in use already"], "the new one has the new settings");
}

#[test]
fn settings_that_came_while_it_was_switched_off_hold_when_the_file_enables_it() {
    let mut world = World::running(&[10, 10]);
    let frontend = world.frontend_client();
    world.want(frontend, true, ids(0..4), vec![]);
    let connections = plan(&[10, 10], Found::Nothing).connections;
    world.fleet.reload(with_first(&connections, false, true), world.now);
    world.fleet.reload(with_first(&connections, true, false), world.now);
    (0..3).for_each(|_| world.pass(PLAN_INTERVAL));
    let first = world.workers[&0].client.unwrap();
    assert!(world.said.contains(&Action::TellWorker(first, ToWorker::Stop)));
}

#[test]
fn a_list_has_a_first_and_a_last_part() {
    let parts = |world: &mut World| {
        let said = std::mem::take(&mut world.said).into_iter();
        let part = |action| match action {
            Action::TellFrontend(_, ToFrontend::Universe { first, last, instruments }) => {
                Some((first, last, instruments.len()))
            }
            _ => None,
        };
        said.filter_map(part).collect::<Vec<_>>()
    };
    let mut world = World::running(&[1]);
    assert_eq!(parts(&mut world), [(true, true, 0)]);
    let of = |count: usize| {
        let listed = |n| ListedInstrument {
            instrument: id(n),
            exchange: ExchangeId::UNKNOWN,
            facts: ListedFacts::default(),
        };
        let universe = ids(0..u32::try_from(count).unwrap());
        let universe = (0..universe.len()).map(|n| listed(u32::try_from(n).unwrap())).collect();
        Reload { universe, ..with_first(&plan(&[1], Found::Nothing).connections, true, false) }
    };
    let max = CONTROL_INSTRUMENTS_PER_MESSAGE_MAX;
    for (count, expected) in [
        (max, vec![(true, true, max)]),
        (2 * max + 1, vec![(true, false, max), (false, false, max), (false, true, 1)]),
    ] {
        world.fleet.reload(of(count), world.now);
        world.pass(Duration::ZERO);
        assert_eq!(parts(&mut world), expected);
    }
}

#[test]
fn what_a_refused_login_cannot_carry_others_do() {
    let mut world = World::running(&[10, 10]);
    let frontend = world.frontend_client();
    world.want(frontend, true, ids(0..4), vec![]);
    world.session(0, SessionState::Alarm { error_id: 3, message: String::new() });
    assert_eq!(world.carried(), [0, 4]);
    world.die(1, Exit::Code(64));
    world.pass(Duration::from_secs(60));
    let status = world.fleet.status(world.now, 0);
    assert_eq!((status.waiting_for_room, status.workers[1].process), (4, WorkerProcess::Failed));
    assert!(!world.workers.contains_key(&1), "it is not started again");
}

#[test]
fn a_frontend_that_says_its_demand_anew_in_parts_releases_nothing() {
    let mut world = World::running(&[10]);
    let frontend = world.frontend_client();
    world.want(frontend, true, ids(0..6), vec![]);
    let again = world.frontend_hello();
    world.want(again, true, ids(0..3), vec![]);
    world.want(again, false, ids(3..5), vec![]);
    assert_eq!(world.carried(), [6]);
    world.pass(REPLACED_DEMAND_LINGER);
    assert_eq!(world.carried(), [5], "what was not said again goes");
}

#[test]
fn the_demand_of_a_dead_frontend_waits_for_its_clients() {
    let mut world = World::running(&[10]);
    let frontend = world.frontend_client();
    world.want(frontend, true, ids(0..3), vec![]);
    let pid = world.frontend_pid();
    world.alive.remove(&pid);
    world.fleet.exited(ProcessId::Frontend, pid, Exit::Signal(9, false), world.now);
    world.pass(RESTART_DELAY_FIRST);
    let next = world.frontend_hello();
    world.want(next, true, vec![], vec![]);
    assert_eq!(world.carried(), [3]);
    world.want(next, false, ids(0..2), vec![]);
    world.pass(LOST_FRONTEND_DEMAND_LINGER);
    assert_eq!(world.carried(), [2]);
}

#[test]
fn a_lost_connection_to_the_frontend_ends_no_demand() {
    let mut world = World::running(&[10]);
    let frontend = world.frontend_client();
    world.want(frontend, true, ids(0..3), vec![]);
    world.fleet.gone(frontend);
    world.pass(Duration::from_secs(3600));
    assert_eq!(world.carried(), [3]);
}

#[test]
fn a_new_coordinator_takes_over_without_touching_anything() {
    let mut found = plan(&[10, 10], Found::Running { pid: Some(1) });
    found.always_on = vec![id(1), id(9)];
    let mut world = World::new(found);
    assert!(world.alive.is_empty(), "nothing is started");
    for (index, range) in [(0, 0..3), (1, 3..7)] {
        let carries = as_roles(&primaries_of(range));
        let carrier = Carrier { pid: 1, has: Some(Generation(40)), carries, ..Carrier::default() };
        world.workers.insert(index, carrier);
    }
    world.worker_hello(0);
    world.pass(PLAN_INTERVAL);
    assert!(!assigned(&world), "the other is awaited");
    world.worker_hello(1);
    world.pass(PLAN_INTERVAL);
    let carries = |index: usize, n: u32| world.workers[&index].carries.contains_key(&id(n));
    assert!((0..3).all(|n| carries(0, n)) && (3..7).all(|n| carries(1, n)));
    assert!(carries(0, 9) || carries(1, 9), "and what is new found its place");
    let frontend = world.frontend_hello();
    world.want(frontend, true, ids(0..5), vec![]);
    world.pass(INHERITED_DEMAND_LINGER);
    let status = world.fleet.status(world.now, 0);
    assert_eq!((status.wanted, status.placed), (6, 6), "what nobody asked for again is let go");
}

/// Two workers of an earlier coordinator that carry more than a hello holds, and have said hello.
fn large_inheritance() -> World {
    let mut world = World::new(plan(&[20_000, 20_000], Found::Running { pid: Some(1) }));
    for (index, range) in [(0, 0..12_000), (1, 12_000..24_000)] {
        let carries = as_roles(&primaries_of(range));
        let carrier = Carrier { pid: 1, has: Some(Generation(40)), carries, ..Carrier::default() };
        world.workers.insert(index, carrier);
        world.worker_hello(index);
    }
    world
}

fn assigned(world: &World) -> bool {
    world.said.iter().any(|action| matches!(action, Action::TellWorker(..)))
}

#[test]
fn a_large_inventory_is_inherited_with_all_its_parts() {
    let mut world = large_inheritance();
    let before = world.workers.clone();
    world.rest_of_inventory(0);
    world.pass(PLAN_INTERVAL);
    assert!(!assigned(&world), "the other's rest is awaited");
    let client = world.workers[&1].client.unwrap();
    world.fleet.gone(client);
    world.pass(PLAN_INTERVAL);
    assert!(!assigned(&world), "a connection that broke is made again");
    world.worker_hello(1);
    world.pass(PLAN_INTERVAL);
    world.rest_of_inventory(1);
    world.pass(PLAN_INTERVAL);
    assert!(assigned(&world));
    for (index, worker) in before {
        assert_eq!(world.workers[&index].carries, worker.carries, "worker {index}");
    }
    let status = world.fleet.status(world.now, 0);
    assert_eq!((status.wanted, status.placed), (24_000, 24_000));
    let late = InstrumentReport {
        instrument: id(30_000),
        state: InstrumentState::Ticking,
        role: CarryRole::Primary,
    };
    let client = world.workers[&1].client.unwrap();
    world.fleet.worker_said(client, FromWorker::Instruments(vec![late]), world.now);
    assert_eq!(world.fleet.status(world.now, 0).wanted, 24_000, "later reports wish nothing");
}

#[test]
fn the_rest_of_an_inventory_is_awaited_for_a_while_only() {
    let mut world = large_inheritance();
    world.rest_of_inventory(0);
    world.pass(INVENTORY_WAIT / 2);
    assert!(!assigned(&world));
    assert!(world.fleet.next_deadline().is_some_and(|due| due <= world.now + INVENTORY_WAIT));
    world.pass(INVENTORY_WAIT);
    assert_eq!(world.carried(), [12_000, CONTROL_INSTRUMENTS_PER_MESSAGE_MAX]);
}

#[test]
fn a_found_worker_that_never_speaks_holds_the_others_up_for_a_while_only() {
    let mut found = plan(&[10, 10], Found::Nothing);
    found.connections[0].found = Found::Running { pid: Some(1) };
    let mut world = World::new(found);
    world.worker_hello(1);
    let frontend = world.frontend_hello();
    world.want(frontend, true, ids(0..4), vec![]);
    assert_eq!(world.carried(), [0]);
    world.pass(crate::limits::ADOPTION_WAIT);
    assert_eq!(world.carried(), [4]);
    world.fleet.lock_free(ProcessId::Worker(0), world.now);
    world.pass(RESTART_DELAY_FIRST);
    world.worker_hello(0);
    world.pass(PROBATION_FIRST);
    (0..5).for_each(|_| world.pass(PLAN_INTERVAL));
    assert_eq!(world.carried(), [1, 3]);
}

#[test]
fn strangers_are_told_to_stop_and_doubles_are_refused() {
    let mut world = World::running(&[10]);
    world.workers.insert(7, Carrier { pid: 7, ..Carrier::default() });
    let stranger = world.worker_hello(7);
    world.pass(Duration::ZERO);
    assert!(world.said.contains(&Action::TellWorker(stranger, ToWorker::Stop)));
    world.workers.get_mut(&0).unwrap().pid = 4711;
    let double = world.worker_hello(0);
    world.pass(Duration::ZERO);
    assert!(
        world
            .said
            .iter()
            .any(|action| matches!(action, Action::Refuse(client, _) if *client == double))
    );
}

#[test]
fn processes_with_other_settings_are_replaced() {
    let mut outdated = plan(&[10], Found::Nothing);
    outdated.connections[0].found = Found::Outdated { pid: Some(77) };
    let mut world = World::new(outdated);
    assert!(world.said.contains(&Action::Terminate(ProcessId::Worker(0), 77)));
    world.fleet.lock_free(ProcessId::Worker(0), world.now);
    world.pass(Duration::ZERO);
    assert!(world.workers.contains_key(&0), "started anew without a delay");
}

#[test]
fn frontends_stop_before_workers() {
    let mut world = World::running(&[10, 10]);
    let frontend = world.frontend_client();
    world.said.clear();
    world.fleet.stop(world.now);
    world.pass(Duration::ZERO);
    assert_eq!(world.said, [Action::TellFrontend(frontend, ToFrontend::Stop)]);
    world.fleet.exited(ProcessId::Frontend, world.frontend_pid(), Exit::Code(0), world.now);
    world.pass(Duration::ZERO);
    let stops =
        world.said.iter().filter(|action| matches!(action, Action::TellWorker(_, ToWorker::Stop)));
    assert_eq!(stops.count(), 2);
    assert!(!world.fleet.is_stopped());
    world.die(0, Exit::Code(0));
    world.die(1, Exit::Code(0));
    world.pass(Duration::ZERO);
    assert!(world.fleet.is_stopped() && world.fleet.left_behind().is_empty());
}

#[test]
fn nothing_is_started_any_more_once_the_end_began() {
    let mut world = World::running(&[10, 10]);
    world.die(0, Exit::Signal(11, true));
    world.fleet.stop(world.now);
    world.die(1, Exit::Signal(11, true));
    world.said.clear();
    world.pass(Duration::from_millis(1000));
    assert!(
        world.said.iter().all(|action| !matches!(action, Action::Spawn(_))),
        "{:?}",
        world.said
    );
    world.fleet.exited(ProcessId::Frontend, world.frontend_pid(), Exit::Code(0), world.now);
    world.pass(Duration::ZERO);
    assert!(world.fleet.is_stopped());
}

#[test]
fn a_stop_ends_whatever_the_processes_do() {
    let mut world = World::running(&[10]);
    world.fleet.stop(world.now);
    let mut steps = 0;
    while !world.fleet.is_stopped() {
        let due = world.fleet.next_deadline().expect("something is due");
        world.pass(due.saturating_duration_since(world.now));
        steps += 1;
        assert!(steps < 20);
    }
    let kills = world.said.iter().filter(|action| matches!(action, Action::Kill(..))).count();
    assert_eq!((kills, world.fleet.left_behind().len()), (2, 2));
}

#[derive(Debug, Clone)]
enum Event {
    Want(u32),
    Leave(u32),
    Die(usize),
    Detach(usize),
    DropFrontend,
    Alarm(usize),
    Pass(u64),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => (0..30_u32).prop_map(Event::Want),
        4 => (0..30_u32).prop_map(Event::Leave),
        1 => (0..3_usize).prop_map(Event::Die),
        1 => (0..3_usize).prop_map(Event::Detach),
        1 => Just(Event::DropFrontend),
        1 => (0..3_usize).prop_map(Event::Alarm),
        3 => (0..2000_u64).prop_map(Event::Pass),
    ]
}

proptest! {
    /// Whatever happens, once everybody is back and time has passed, exactly the wanted instruments are carried.
    #[test]
    fn what_is_wanted_is_carried_in_the_end(
        rooms in prop::collection::vec(8..20_u32, 3),
        events in prop::collection::vec(event(), 0..80),
    ) {
        let mut world = World::running(&rooms);
        let mut wanted = BTreeSet::new();
        for event in events {
            match event {
                Event::Want(n) => {
                    wanted.insert(id(n));
                    if let Some(client) = world.fleet.frontend.client {
                        world.want(client, false, vec![id(n)], vec![]);
                    }
                }
                Event::Leave(n) => {
                    wanted.remove(&id(n));
                    if let Some(client) = world.fleet.frontend.client {
                        world.want(client, false, vec![], vec![id(n)]);
                    }
                }
                Event::Die(index) if world.workers.contains_key(&index) => world.die(index, Exit::Signal(11, true)),
                Event::Detach(index) => {
                    if let Some(client) = world.workers.get_mut(&index).and_then(|worker| worker.client.take()) {
                        world.fleet.gone(client);
                    }
                }
                Event::DropFrontend => {
                    if let Some(client) = world.fleet.frontend.client {
                        world.fleet.gone(client);
                    }
                }
                Event::Alarm(index) => {
                    if world.workers.get(&index).is_some_and(|worker| worker.client.is_some()) {
                        world.session(index, SessionState::Alarm { error_id: 3, message: String::new() });
                    }
                }
                Event::Pass(ms) => world.pass(Duration::from_millis(ms)),
                Event::Die(_) => {}
            }
            for (index, worker) in &world.workers {
                prop_assert!(worker.carries.len() <= rooms[*index] as usize, "over capacity");
            }
        }
        // Everybody comes back, fronts and all.
        world.pass(Duration::from_secs(60));
        for index in 0..3 {
            world.worker_hello(index);
        }
        let frontend = world.frontend_hello();
        world.want(frontend, true, wanted.iter().copied().collect(), vec![]);
        for _ in 0..60 {
            world.pass(Duration::from_secs(60));
        }
        let carried: BTreeSet<_> = world.workers.values().flat_map(|worker| worker.carries.keys().copied()).collect();
        let total: usize = world.carried().iter().sum();
        let room: usize = rooms.iter().map(|room| *room as usize).sum();
        prop_assert_eq!(total, carried.len(), "carried twice");
        prop_assert!(carried.is_subset(&wanted));
        prop_assert_eq!(carried.len(), wanted.len().min(room));
        prop_assert_eq!(world.fleet.status(world.now, 0).waiting_for_room as usize, wanted.len() - carried.len());
    }
}

#[test]
fn what_is_carried_is_known_until_it_is_let_go() {
    let mut world = World::running(&[10, 10]);
    let frontend = world.frontend_client();
    assert!(world.fleet.carried().is_empty());
    world.want(frontend, true, ids(0..4), vec![]);
    assert_eq!(world.fleet.carried(), ids(0..4).into_iter().collect());
    assert!(world.fleet.is_carried(&id(0)) && !world.fleet.is_carried(&id(4)));
    world.want(frontend, false, vec![], ids(0..1));
    assert!(!world.fleet.is_carried(&id(0)) && world.fleet.is_carried(&id(1)));
}

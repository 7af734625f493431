//! The placement against workers that take assignments late, refuse stale ones, die, and come back; and what it forgets.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use proptest::prelude::{Just, ProptestConfig, any, prop, prop_assert_eq, prop_oneof, proptest};
use proptest::strategy::Strategy as Generator;
use shm_layout::control::{Assignment, Carry, CarryRole, InstrumentReport, InstrumentState};
use shm_layout::{BrokerId, Generation, clock};

use super::*;
use crate::assignment::Assigned;
use crate::limits::{REFUSAL_MEMORY, REFUSALS_ENOUGH};
use crate::planner::Acceptance;

const SEATS: usize = 4;
const INSTRUMENTS: usize = 7;

/// Rounds in which so small a fleet has long come to rest.
const ROUNDS_MAX: usize = 100;

fn instrument(n: usize) -> InstrumentId {
    InstrumentId::parse(&format!("rb{}", 2601 + n)).unwrap()
}

fn seat(n: usize, capacity: usize) -> Seat {
    Seat {
        capacity,
        load: 0,
        priority: 0,
        broker: BrokerId::parse(&format!("{}", 1000 + n)).unwrap(),
        accepts: Acceptance::First,
        keeps: true,
        carries: true,
        proven: true,
        quality: 100.0,
        seed: hash_of(&format!("connection {n}")),
    }
}

fn report(instrument: InstrumentId, state: InstrumentState) -> InstrumentReport {
    InstrumentReport { instrument, state, role: CarryRole::Standby }
}

fn refused() -> InstrumentState {
    InstrumentState::Refused { error_id: 16, message: "no such instrument".into() }
}

/// What a worker says.
#[derive(Debug, Clone)]
enum Word {
    Taken(Generation),
    Refused(Option<Generation>),
    Instruments(Vec<InstrumentReport>),
    SessionEnded,
    SessionReady,
}

/// A worker's process, as the contract has it.
#[derive(Debug, Default)]
struct Worker {
    has: Option<Generation>,
    carries: BTreeMap<InstrumentId, (CarryRole, InstrumentState)>,
    ready: bool,
}

/// The control connection to a worker. What is under way is lost with it.
#[derive(Debug, Default)]
struct Link {
    down: VecDeque<Assignment>,
    up: VecDeque<Word>,
}

/// What a person ordered for a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Use,
    Drain,
    Close,
}

/// A connection, from both sides.
#[derive(Debug)]
struct Connection {
    capacity: usize,
    worker: Option<Worker>,
    link: Option<Link>,
    /// What the coordinator knows.
    assigned: Assigned,
    ready: bool,
    /// It heard of this process, or of its death.
    met: bool,
    order: Order,
    last_delivered: Option<Assignment>,
}

/// Everything.
struct World {
    placement: Placement,
    connections: Vec<Connection>,
    wanted: BTreeSet<usize>,
    /// Wanted for no better reason than that a worker carries it.
    inherited: BTreeSet<InstrumentId>,
    now: Instant,
}

/// What may happen.
#[derive(Debug, Clone)]
enum Event {
    Want(usize),
    Release(usize),
    Plan,
    /// A worker takes what it was sent next.
    Deliver(usize),
    /// The coordinator hears what a worker said next.
    Hear(usize),
    /// A worker's front says something of an instrument.
    Front(usize, usize, InstrumentState),
    SessionEnds(usize),
    SessionBegins(usize),
    Cut(usize),
    Connect(usize),
    Die(usize),
    Start(usize),
    /// A message arrives again.
    Replay(usize),
    Order(usize, Order),
    Capacity(usize, usize),
    Quality(usize, u8),
    Redundancy(usize),
    Wait(u64),
    NewTradingDay(usize),
    RestartCoordinator,
}

// === impl Worker ===

impl Worker {
    /// Takes an assignment or refuses it; what it has to say about that.
    fn take(&mut self, assignment: Assignment) -> Vec<Word> {
        let (generation, follows) = match &assignment {
            Assignment::Whole { generation, .. } => (*generation, true),
            Assignment::Change { generation, after, .. } => (*generation, self.has == Some(*after)),
        };
        if !follows || self.has.is_some_and(|has| generation <= has) {
            return vec![Word::Refused(self.has)];
        }
        let (add, remove) = match assignment {
            Assignment::Whole { instruments, .. } => {
                let named: BTreeSet<_> = instruments.iter().map(|carry| carry.instrument).collect();
                let gone = self.carries.keys().filter(|id| !named.contains(id)).copied().collect();
                (instruments, gone)
            }
            Assignment::Change { add, remove, .. } => (add, remove),
        };
        self.has = Some(generation);
        let mut changed: Vec<InstrumentReport> = Vec::new();
        for id in remove {
            if self.carries.remove(&id).is_some() {
                changed.push(report(id, InstrumentState::Released));
            }
        }
        for Carry { instrument, role } in add {
            let entry = self.carries.entry(instrument).or_insert((role, InstrumentState::Waiting));
            entry.0 = role;
            changed.push(InstrumentReport { instrument, state: entry.1.clone(), role });
        }
        vec![Word::Taken(generation), Word::Instruments(changed)]
    }

    fn inventory(&self) -> Vec<InstrumentReport> {
        let reported = |(id, (role, state)): (&InstrumentId, &(CarryRole, InstrumentState))| {
            InstrumentReport { instrument: *id, state: state.clone(), role: *role }
        };
        self.carries.iter().map(reported).collect()
    }

    fn session_ends(&mut self) {
        self.ready = false;
        self.carries.values_mut().for_each(|(_, state)| *state = InstrumentState::Waiting);
    }
}

// === impl World ===

impl World {
    fn new(strategy: Strategy, redundancy: usize, capacities: &[usize]) -> Self {
        let connection = |capacity: &usize| Connection {
            capacity: *capacity,
            worker: None,
            link: None,
            assigned: Assigned::default(),
            ready: false,
            met: true,
            order: Order::Use,
            last_delivered: None,
        };
        let mut world = Self {
            placement: Placement::new(strategy, redundancy),
            connections: capacities.iter().map(connection).collect(),
            wanted: BTreeSet::new(),
            inherited: BTreeSet::new(),
            now: clock::monotonic(),
        };
        world.furnish();
        world
    }

    /// Tells a new placement of the connections.
    fn furnish(&mut self) {
        for (n, connection) in self.connections.iter().enumerate() {
            self.placement.add_seat(seat(n, connection.capacity));
        }
        (0..self.connections.len()).for_each(|n| self.refresh(n));
    }

    /// What a connection is fit for, much as the fleet sees it.
    fn refresh(&mut self, n: usize) {
        let connection = &self.connections[n];
        let connected = connection.link.is_some();
        let (accepts, keeps, carries) = match connection.order {
            Order::Close => (Acceptance::Never, false, false),
            Order::Drain => (Acceptance::Never, false, true),
            Order::Use if !connection.ready => (Acceptance::Last, false, true),
            Order::Use if !connected => (Acceptance::Last, true, true),
            Order::Use => (Acceptance::First, true, true),
        };
        let good = accepts == Acceptance::First;
        self.placement.set_seat(n as SeatIndex, |seat| {
            (seat.accepts, seat.keeps, seat.carries) = (accepts, keeps, carries);
        });
        if good {
            self.placement.unbalance();
        }
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Want(i) => {
                if self.wanted.insert(i) {
                    self.placement.want(instrument(i), Tier::Clients);
                }
            }
            Event::Release(i) => {
                if self.wanted.remove(&i) && !self.inherited.contains(&instrument(i)) {
                    self.placement.release(&instrument(i));
                }
            }
            Event::Plan => self.plan(),
            Event::Deliver(n) => self.deliver(n),
            Event::Hear(n) => self.hear(n),
            Event::Front(n, i, state) => self.front_says(n, i, state),
            Event::SessionEnds(n) => self.session(n, false),
            Event::SessionBegins(n) => self.session(n, true),
            Event::Cut(n) => {
                self.connections[n].link = None;
                self.refresh(n);
            }
            Event::Connect(n) => self.connect(n),
            Event::Die(n) => self.die(n),
            Event::Start(n) => {
                let connection = &mut self.connections[n];
                if connection.worker.is_none() && connection.order != Order::Close {
                    connection.worker = Some(Worker::default());
                    (connection.met, connection.last_delivered) = (true, None);
                }
            }
            Event::Replay(n) => {
                let connection = &mut self.connections[n];
                if let (Some(link), Some(sent)) = (&mut connection.link, &connection.last_delivered)
                {
                    link.down.push_back(sent.clone());
                }
            }
            Event::Order(n, order) => {
                self.connections[n].order = order;
                self.refresh(n);
            }
            Event::Capacity(n, capacity) => {
                self.connections[n].capacity = capacity;
                self.placement.set_seat(n as SeatIndex, |seat| seat.capacity = capacity);
            }
            Event::Quality(n, quality) => {
                self.placement.set_seat(n as SeatIndex, |seat| seat.quality = quality.into());
                self.placement.unbalance();
            }
            Event::Redundancy(copies) => {
                let strategy = self.placement.strategy();
                self.placement.set_policy(strategy, copies);
            }
            Event::Wait(seconds) => self.now += Duration::from_secs(seconds),
            Event::NewTradingDay(n) => self.placement.new_trading_day(n as SeatIndex),
            Event::RestartCoordinator => self.restart_coordinator(),
        }
    }

    /// As the fleet does: plan, then tell everybody who can hear.
    fn plan(&mut self) {
        let may_promote = self.connections.iter().all(|one| one.met);
        self.placement.plan(self.now, may_promote);
        for (n, connection) in self.connections.iter_mut().enumerate() {
            let Some(link) = &mut connection.link else { continue };
            let seat = n as SeatIndex;
            let messages = if connection.assigned.whole_due() {
                connection.assigned.whole(&self.placement.take_whole(seat))
            } else if self.placement.has_changes(seat) {
                connection.assigned.changes(self.placement.take_changes(seat))
            } else {
                continue;
            };
            self.placement.told(seat, connection.assigned.generation());
            link.down.extend(messages);
        }
    }

    fn deliver(&mut self, n: usize) {
        let connection = &mut self.connections[n];
        let (Some(link), Some(worker)) = (&mut connection.link, &mut connection.worker) else {
            return;
        };
        if let Some(assignment) = link.down.pop_front() {
            connection.last_delivered = Some(assignment.clone());
            link.up.extend(worker.take(assignment));
        }
    }

    fn hear(&mut self, n: usize) {
        let Some(link) = &mut self.connections[n].link else { return };
        let Some(word) = link.up.pop_front() else { return };
        let seat = n as SeatIndex;
        match word {
            Word::Taken(generation) => self.placement.taken(seat, generation),
            Word::Refused(current) => {
                self.connections[n].assigned.restart(current);
                self.placement.changed = true;
            }
            Word::Instruments(reports) => self.placement.reported(seat, &reports, self.now),
            Word::SessionEnded => {
                self.connections[n].ready = false;
                self.placement.session_ended(seat);
                self.refresh(n);
            }
            Word::SessionReady => {
                self.connections[n].ready = true;
                self.refresh(n);
            }
        }
    }

    fn front_says(&mut self, n: usize, i: usize, state: InstrumentState) {
        let connection = &mut self.connections[n];
        let Some(worker) = connection.worker.as_mut().filter(|worker| worker.ready) else { return };
        let Some((role, known)) = worker.carries.get_mut(&instrument(i)) else { return };
        *known = state.clone();
        let report = InstrumentReport { instrument: instrument(i), state, role: *role };
        if let Some(link) = &mut connection.link {
            link.up.push_back(Word::Instruments(vec![report]));
        }
    }

    fn session(&mut self, n: usize, ready: bool) {
        let connection = &mut self.connections[n];
        let Some(worker) = &mut connection.worker else { return };
        if worker.ready == ready {
            return;
        }
        worker.session_ends();
        worker.ready = ready;
        let inventory = worker.inventory();
        if let Some(link) = &mut connection.link {
            link.up.push_back(if ready { Word::SessionReady } else { Word::SessionEnded });
            link.up.push_back(Word::Instruments(inventory));
        }
    }

    /// A worker says hello, on a new connection.
    fn connect(&mut self, n: usize) {
        let connection = &mut self.connections[n];
        let Some(worker) = &connection.worker else { return };
        let (inventory, seat) = (worker.inventory(), n as SeatIndex);
        let adopted = !connection.met;
        let was_ready = std::mem::replace(&mut connection.ready, worker.ready);
        connection.assigned.restart(worker.has);
        connection.link = Some(Link::default());
        connection.met = true;
        if adopted {
            for report in &inventory {
                if !self.wanted.iter().any(|i| instrument(*i) == report.instrument) {
                    self.inherited.insert(report.instrument);
                }
                self.placement.want(report.instrument, Tier::Clients);
                self.placement.adopt(seat, report);
            }
        }
        if was_ready && !self.connections[n].ready {
            self.placement.session_ended(seat);
        }
        self.placement.reported(seat, &inventory, self.now);
        self.placement.changed = true;
        self.refresh(n);
    }

    fn die(&mut self, n: usize) {
        let connection = &mut self.connections[n];
        if connection.worker.take().is_some() {
            (connection.link, connection.ready, connection.met) = (None, false, true);
            self.placement.worker_died(n as SeatIndex);
            self.refresh(n);
        }
    }

    fn restart_coordinator(&mut self) {
        let (strategy, redundancy) = (self.placement.strategy(), self.placement.redundancy());
        self.placement = Placement::new(strategy, redundancy);
        for connection in &mut self.connections {
            (connection.link, connection.ready) = (None, false);
            connection.assigned = Assigned::default();
            connection.met = connection.worker.is_none();
        }
        self.inherited.clear();
        self.furnish();
        for i in self.wanted.clone() {
            self.placement.want(instrument(i), Tier::Clients);
        }
    }

    /// What must hold at any moment.
    fn check(&self) {
        for i in 0..INSTRUMENTS {
            let led = |worker: &&Worker| {
                worker
                    .carries
                    .get(&instrument(i))
                    .is_some_and(|(role, _)| *role == CarryRole::Primary)
            };
            let workers = self.connections.iter().filter_map(|one| one.worker.as_ref());
            assert!(workers.filter(led).count() <= 1, "two workers lead {}", instrument(i));
        }
        for n in 0..self.connections.len() {
            let seat = n as SeatIndex;
            let load = self.placement.load(seat);
            assert!(load <= self.connections[n].capacity, "seat {n} is overfilled");
            assert_eq!(load, self.placement.carried(seat).count());
        }
        for item in &self.placement.board.items {
            assert!(item.copies.iter().filter(|copy| copy.primary).count() <= 1);
        }
    }

    /// The items that tick somewhere, in the eyes of the placement, on a seat that may go on with it.
    fn ticking(&self) -> BTreeSet<InstrumentId> {
        let placement = &self.placement;
        let items = placement.instruments.iter().zip(&placement.board.items);
        let ticking = items.filter(|(_, item)| {
            item.wanted
                && !item.parked
                && item.copies.iter().any(|copy| {
                    copy.state == CopyState::Ticking && placement.seat(copy.seat).carries
                })
        });
        ticking.filter_map(|(id, _)| *id).collect()
    }

    /// Everything works again, and nothing is held against anybody.
    fn heal(&mut self) {
        self.now += Duration::from_secs(24 * 3600);
        for n in 0..self.connections.len() {
            self.happens(Event::Order(n, Order::Use));
            self.happens(Event::Start(n));
            if self.connections[n].link.is_none() {
                self.connect(n);
            }
            self.session(n, false);
            self.session(n, true);
        }
        for instrument in std::mem::take(&mut self.inherited) {
            if !self.wanted.iter().any(|i| super::tests::instrument(*i) == instrument) {
                self.placement.release(&instrument);
            }
        }
        // What was said of refusals before is heard before they are forgiven.
        (0..self.connections.len()).for_each(|n| self.exhaust(n));
        self.now += Duration::from_secs(24 * 3600);
        self.placement.changed = true;
    }

    /// Delivers all that is under way with one worker.
    fn exhaust(&mut self, n: usize) {
        while self.connections[n].link.as_ref().is_some_and(|link| !link.down.is_empty()) {
            self.deliver(n);
            self.check();
        }
        while self.connections[n].link.as_ref().is_some_and(|link| !link.up.is_empty()) {
            self.hear(n);
            self.check();
        }
    }

    /// Plans when a plan is asked for, delivers everything, and all that is carried ticks, until nothing changes.
    fn rest(&mut self) {
        for _ in 0..ROUNDS_MAX {
            if !self.placement.wants_plan() {
                return;
            }
            let ticking = self.ticking();
            self.plan();
            self.check_made_before_broken(&ticking);
            for n in 0..self.connections.len() {
                self.exhaust(n);
                for i in 0..INSTRUMENTS {
                    let silent = self.connections[n].worker.as_ref().is_some_and(|worker| {
                        worker
                            .carries
                            .get(&instrument(i))
                            .is_some_and(|(_, state)| *state != InstrumentState::Ticking)
                    });
                    if silent {
                        self.front_says(n, i, InstrumentState::Ticking);
                    }
                }
                self.exhaust(n);
            }
            self.check();
        }
        panic!("no end of plans: {:#?}", self.placement);
    }

    /// What ticked before a plan ticks after it.
    fn check_made_before_broken(&self, before: &BTreeSet<InstrumentId>) {
        let after = self.ticking();
        for instrument in before {
            let index = self.placement.index[instrument];
            let item = self.placement.item(index);
            assert!(
                after.contains(instrument) || item.parked || !item.wanted,
                "{instrument} was taken away: {item:?}"
            );
        }
    }

    /// What must hold of a fleet that works and has come to rest.
    fn check_rest(&self) {
        let placement = &self.placement;
        let room: Vec<bool> = (0..self.connections.len())
            .map(|n| placement.load(n as SeatIndex) < self.connections[n].capacity)
            .collect();
        for i in &self.wanted {
            let copies: Vec<Copy> = placement.copies_of(&instrument(*i)).copied().collect();
            let elsewhere = (0..self.connections.len())
                .any(|n| room[n] && copies.iter().all(|copy| usize::from(copy.seat) != n));
            assert!(copies.len() <= placement.redundancy(), "{i}: {copies:?} {placement:?}");
            assert!(copies.len() == placement.redundancy() || !elsewhere, "{i} might have more");
            assert!(copies.iter().all(|copy| copy.state == CopyState::Ticking), "{copies:?}");
            let led = copies.iter().filter(|copy| copy.primary).count();
            assert_eq!(led, usize::from(!copies.is_empty()), "{i} has a primary");
            let waits = placement.waiting().any(|id| id == instrument(*i));
            assert_eq!(waits, copies.is_empty());
        }
        assert_eq!(placement.leaving(), 0);
        assert!(!placement.unbalanced || placement.waiting().len() > 0, "balance is not found");
        for (n, connection) in self.connections.iter().enumerate() {
            let role = |copy: &Copy| {
                if copy.primary { CarryRole::Primary } else { CarryRole::Standby }
            };
            let decided: BTreeMap<InstrumentId, CarryRole> =
                placement.carried(n as SeatIndex).map(|(id, copy)| (id, role(&copy))).collect();
            let worker = connection.worker.as_ref().unwrap();
            let carried: BTreeMap<InstrumentId, CarryRole> =
                worker.carries.iter().map(|(id, (role, _))| (*id, *role)).collect();
            assert_eq!(carried, decided, "connection {n}");
        }
    }

    /// What must hold when nothing was wanted for long.
    fn check_forgotten(&self) {
        let placement = &self.placement;
        assert!(placement.index.is_empty(), "{:?}", placement.index);
        assert_eq!(placement.free.len(), placement.board.items.len());
        assert!(placement.instruments.iter().all(Option::is_none));
        assert!(placement.leavers.is_empty());
        assert_eq!(placement.failures.next_deadline(), None);
        for index in 0..placement.board.items.len() as ItemIndex {
            assert!(!placement.telling.is_told(index) && !placement.holders.is_held(index));
        }
        for (n, connection) in self.connections.iter().enumerate() {
            assert_eq!(placement.load(n as SeatIndex), 0);
            assert!(connection.worker.as_ref().unwrap().carries.is_empty());
        }
    }
}

fn events() -> impl Generator<Value = Event> {
    let states = prop_oneof![
        6 => Just(InstrumentState::Ticking),
        2 => Just(InstrumentState::Acknowledged),
        1 => Just(InstrumentState::Silent),
        1 => Just(refused()),
    ];
    let orders =
        prop_oneof![4 => Just(Order::Use), 2 => Just(Order::Drain), 1 => Just(Order::Close)];
    prop_oneof![
        10 => (0..INSTRUMENTS).prop_map(Event::Want),
        4 => (0..INSTRUMENTS).prop_map(Event::Release),
        24 => Just(Event::Plan),
        30 => (0..SEATS).prop_map(Event::Deliver),
        30 => (0..SEATS).prop_map(Event::Hear),
        30 => (0..SEATS, 0..INSTRUMENTS, states).prop_map(|(n, i, state)| Event::Front(n, i, state)),
        3 => (0..SEATS).prop_map(Event::SessionEnds),
        8 => (0..SEATS).prop_map(Event::SessionBegins),
        3 => (0..SEATS).prop_map(Event::Cut),
        8 => (0..SEATS).prop_map(Event::Connect),
        3 => (0..SEATS).prop_map(Event::Die),
        8 => (0..SEATS).prop_map(Event::Start),
        2 => (0..SEATS).prop_map(Event::Replay),
        4 => (0..SEATS, orders).prop_map(|(n, order)| Event::Order(n, order)),
        2 => (0..SEATS, 0..6_usize).prop_map(|(n, capacity)| Event::Capacity(n, capacity)),
        1 => (0..SEATS, 0..=100_u8).prop_map(|(n, quality)| Event::Quality(n, quality)),
        1 => (1..4_usize).prop_map(Event::Redundancy),
        2 => (1..1_000_u64).prop_map(Event::Wait),
        1 => (0..SEATS).prop_map(Event::NewTradingDay),
        1 => Just(Event::RestartCoordinator),
    ]
}

fn strategies() -> impl Generator<Value = Strategy> {
    prop_oneof![
        Just(Strategy::RoundRobin),
        Just(Strategy::LeastConnections),
        Just(Strategy::ConnectionQuality),
        Just(Strategy::HashBased),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Whatever happens, no two workers lead the same instrument and none is overfilled; once everything works again,
    /// what is wanted is carried and led; and once nothing is wanted, nothing is remembered.
    #[test]
    fn wanted_is_eventually_carried_and_led_by_one(
        strategy in strategies(),
        redundancy in 1..4_usize,
        capacities in prop::collection::vec(0..6_usize, SEATS),
        well in any::<bool>(),
        events in prop::collection::vec(events(), 0..200),
    ) {
        let mut world = World::new(strategy, redundancy, &capacities);
        if well {
            // A fleet that has been up for long.
            (0..INSTRUMENTS).for_each(|i| world.happens(Event::Want(i)));
            world.heal();
            world.rest();
        }
        for event in events {
            let ticking = world.ticking();
            let planned = matches!(event, Event::Plan);
            world.happens(event);
            world.check();
            if planned {
                world.check_made_before_broken(&ticking);
            }
        }
        world.heal();
        world.rest();
        world.check_rest();
        (0..INSTRUMENTS).for_each(|i| world.happens(Event::Release(i)));
        world.rest();
        world.check_forgotten();
        prop_assert_eq!(world.placement.waiting().len(), 0);
    }
}

/// A placement over connections of good standing, each with room for so many, and workers that obey at once.
fn obeyed(redundancy: usize, capacities: &[usize], wanted: usize) -> World {
    let mut world = World::new(Strategy::RoundRobin, redundancy, capacities);
    for n in 0..capacities.len() {
        world.happens(Event::Start(n));
        world.connect(n);
        world.session(n, true);
        world.exhaust(n);
    }
    (0..wanted).for_each(|i| world.happens(Event::Want(i)));
    world.rest();
    world.check_rest();
    world
}

/// Where an instrument is, those first that stay.
fn seats_of(world: &World, i: usize) -> Vec<SeatIndex> {
    world.placement.copies_of(&instrument(i)).map(|copy| copy.seat).collect()
}

fn role_at(world: &World, n: usize, i: usize) -> Option<CarryRole> {
    let worker = world.connections[n].worker.as_ref()?;
    worker.carries.get(&instrument(i)).map(|(role, _)| *role)
}

#[test]
fn the_old_connection_is_left_when_the_new_one_ticks() {
    let mut world = obeyed(1, &[5, 5], 1);
    world.happens(Event::Order(0, Order::Drain));
    world.plan();
    assert_eq!(seats_of(&world, 0), [1, 0], "on its way");
    world.exhaust(0);
    world.exhaust(1);
    world.front_says(1, 0, InstrumentState::Acknowledged);
    world.exhaust(1);
    world.plan();
    assert_eq!(role_at(&world, 0, 0), Some(CarryRole::Primary), "it ticks there and nowhere else");
    world.front_says(1, 0, InstrumentState::Ticking);
    world.exhaust(1);
    assert!(world.placement.wants_plan());
    world.plan();
    assert_eq!(seats_of(&world, 0), [1]);
    assert_eq!(role_at(&world, 0, 0), Some(CarryRole::Primary), "it has not heard of it");
    world.exhaust(1);
    assert_eq!(role_at(&world, 1, 0), Some(CarryRole::Standby), "so the other one may not lead");
    world.exhaust(0);
    world.plan();
    world.exhaust(1);
    assert_eq!((role_at(&world, 0, 0), role_at(&world, 1, 0)), (None, Some(CarryRole::Primary)));
}

#[test]
fn a_standby_leads_as_soon_as_the_primary_is_dead() {
    let mut world = obeyed(2, &[5, 5], 1);
    assert_eq!(role_at(&world, 1, 0), Some(CarryRole::Standby));
    // Cut off, it goes on leading, whatever we think of it.
    world.happens(Event::Cut(0));
    world.placement.session_ended(0);
    world.plan();
    world.exhaust(1);
    assert_eq!(role_at(&world, 1, 0), Some(CarryRole::Standby));
    world.happens(Event::Die(0));
    world.plan();
    world.exhaust(1);
    assert_eq!(role_at(&world, 1, 0), Some(CarryRole::Primary));
}

#[test]
fn the_one_that_ticks_leads() {
    let mut world = obeyed(2, &[5, 5], 1);
    assert_eq!(role_at(&world, 0, 0), Some(CarryRole::Primary));
    world.session(0, false);
    (0..3).for_each(|_| {
        world.exhaust(0);
        world.exhaust(1);
        world.plan();
    });
    world.exhaust(1);
    assert_eq!(role_at(&world, 0, 0), Some(CarryRole::Standby), "it stays, having nowhere to go");
    assert_eq!(role_at(&world, 1, 0), Some(CarryRole::Primary));
}

#[test]
fn of_two_that_take_themselves_for_the_primary_one_is_told_otherwise() {
    let mut placement = Placement::new(Strategy::RoundRobin, 2);
    for n in 0..2 {
        placement.add_seat(seat(n, 5));
    }
    placement.want(instrument(0), Tier::Clients);
    for n in 0..2 {
        let state = InstrumentState::Ticking;
        let role = CarryRole::Primary;
        assert!(placement.adopt(n, &InstrumentReport { instrument: instrument(0), state, role }));
    }
    placement.plan(clock::monotonic(), true);
    let roles: Vec<CarryRole> = (0..2).map(|n| placement.take_whole(n)[0].role).collect();
    assert_eq!(roles, [CarryRole::Primary, CarryRole::Standby]);
}

/// What a connection said before it went away proves nothing.
#[test]
fn a_connection_that_was_silent_replaces_nobody_before_it_sends() {
    let mut world = obeyed(1, &[5, 5], 1);
    world.happens(Event::Order(0, Order::Drain));
    world.placement.set_seat(1, |seat| seat.proven = false);
    world.plan();
    world.exhaust(1);
    // Perhaps no more than the snapshot that comes at any hour.
    world.front_says(1, 0, InstrumentState::Ticking);
    world.exhaust(1);
    world.plan();
    assert_eq!(seats_of(&world, 0), [1, 0]);
    world.placement.set_seat(1, |seat| seat.proven = true);
    world.plan();
    assert_eq!(seats_of(&world, 0), [1]);
}

#[test]
fn a_connection_that_is_away_replaces_nobody() {
    let mut world = obeyed(1, &[5, 5], 1);
    world.happens(Event::Order(0, Order::Drain));
    world.plan();
    world.exhaust(1);
    world.front_says(1, 0, InstrumentState::Ticking);
    world.exhaust(1);
    world.placement.set_seat(1, |seat| (seat.accepts, seat.keeps) = (Acceptance::Last, false));
    world.plan();
    assert_eq!(seats_of(&world, 0), [1, 0]);
}

#[test]
fn nobody_is_promoted_before_every_worker_was_heard() {
    let mut world = obeyed(1, &[5, 5], 2);
    world.happens(Event::RestartCoordinator);
    world.connect(1);
    world.plan();
    world.exhaust(1);
    assert_eq!(role_at(&world, 1, 0), Some(CarryRole::Standby), "another may lead it");
    world.connect(0);
    world.rest();
    world.check_rest();
}

#[test]
fn what_fronts_refuse_is_tried_elsewhere_then_parked_then_forgiven() {
    let mut world = obeyed(1, &[5, 5, 5, 5], 1);
    for seat in 0..REFUSALS_ENOUGH {
        assert_eq!(seats_of(&world, 0), [seat as SeatIndex]);
        world.placement.reported(seat as SeatIndex, &[report(instrument(0), refused())], world.now);
        let (id, refusal, parked) = world.placement.refused_ones().next().unwrap();
        assert_eq!((id, refusal.seat, refusal.error_id), (instrument(0), seat as SeatIndex, 16));
        assert_eq!(parked, seat + 1 == REFUSALS_ENOUGH);
        world.plan();
    }
    assert_eq!(seats_of(&world, 0), Vec::<SeatIndex>::new(), "no fourth is asked");
    assert_eq!(world.placement.waiting().len(), 0, "and no room is waited for");
    assert_eq!(world.placement.next_deadline(), Some(world.now + REFUSAL_MEMORY));
    world.happens(Event::NewTradingDay(1));
    assert!(world.placement.wants_plan());
    world.plan();
    assert_eq!(seats_of(&world, 0), [3], "the one that has not refused it");
    world.now += REFUSAL_MEMORY;
    world.plan();
    assert_eq!(
        (world.placement.refused_ones().count(), world.placement.next_deadline()),
        (0, None)
    );
}

#[test]
fn one_connection_that_refuses_is_enough_when_there_is_no_other() {
    let mut world = obeyed(1, &[5], 1);
    world.placement.reported(0, &[report(instrument(0), refused())], world.now);
    world.plan();
    assert_eq!(seats_of(&world, 0), Vec::<SeatIndex>::new());
    // Another connection is worth a try.
    world.placement.add_seat(seat(1, 5));
    world.placement.set_seat(1, |seat| seat.priority = 1);
    assert!(world.placement.wants_plan());
    world.placement.plan(world.now, true);
    assert_eq!(seats_of(&world, 0), [1]);
}

#[test]
fn what_is_silent_is_tried_elsewhere() {
    let mut world = obeyed(1, &[5, 5], 1);
    world.placement.reported(0, &[report(instrument(0), InstrumentState::Silent)], world.now);
    world.plan();
    assert_eq!(seats_of(&world, 0), [1], "nobody misses what is silent");
}

#[test]
fn a_lesser_capacity_costs_those_who_miss_it_least() {
    let mut world = obeyed(2, &[4, 2], 4);
    assert_eq!((world.placement.load(0), world.placement.load(1)), (4, 2));
    assert_eq!(world.placement.short(), 2);
    world.happens(Event::Capacity(0, 2));
    let carried: Vec<InstrumentId> = world.placement.carried(0).map(|(id, _)| id).collect();
    let elsewhere: Vec<InstrumentId> = world.placement.carried(1).map(|(id, _)| id).collect();
    assert_eq!(carried.len(), 2);
    assert!(carried.iter().all(|id| !elsewhere.contains(id)), "those had no other");
}

#[test]
fn balance_follows_settling_without_another_event() {
    let mut world = obeyed(1, &[6, 0], 5);
    // Room appears on another connection, and something new is wanted at the same time.
    world.happens(Event::Capacity(1, 6));
    world.placement.unbalance();
    world.happens(Event::Want(5));
    world.rest();
    world.check_rest();
    assert!(world.placement.load(0).abs_diff(world.placement.load(1)) <= 3);
}

/// More copies are asked for while one is on its way out: it stays, and counts.
#[test]
fn a_copy_that_was_to_leave_may_stay() {
    let mut world = obeyed(2, &[5, 5], 1);
    world.placement.set_policy(Strategy::RoundRobin, 1);
    world.placement.reported(1, &[report(instrument(0), InstrumentState::Waiting)], world.now);
    world.happens(Event::Redundancy(2));
    world.rest();
    assert_eq!(seats_of(&world, 0).len(), 2);
    world.happens(Event::Redundancy(1));
    world.plan();
    let kept = seats_of(&world, 0)[0];
    world.happens(Event::Redundancy(2));
    world.rest();
    world.check_rest();
    assert_eq!(seats_of(&world, 0)[0], kept);
}

/// Taken away and given back before the worker heard of either: it is told again, and says how far it is.
#[test]
fn what_is_given_back_at_once_is_heard_again() {
    let mut world = obeyed(1, &[2], 2);
    world.happens(Event::Capacity(0, 1));
    assert_eq!(world.placement.load(0), 1);
    world.happens(Event::Capacity(0, 2));
    world.rest();
    world.check_rest();
    assert_eq!(world.placement.load(0), 2);
}

//! What the frontend is told of the fleet, transition by transition.

mod stale;

use shm_layout::control::FleetEvent;

use super::*;
use crate::limits::{ADOPTION_WAIT, EVENTS_AT_ONCE_MAX, EVENTS_PAUSE, FRONT_EVENT_INTERVAL};

const SECOND: Duration = Duration::from_secs(1);

fn name(index: usize) -> ConnectionId {
    ConnectionId::parse(&format!("c{index}")).unwrap()
}

fn up(index: usize) -> FleetEvent {
    FleetEvent::FrontUp { connection: name(index) }
}

fn down(index: usize, why: &str) -> FleetEvent {
    FleetEvent::FrontDown { connection: name(index), why: why.into(), in_session: false }
}

fn anew(count: usize) -> FleetEvent {
    FleetEvent::Anew { connections: (0..count).map(name).collect() }
}

const AWAY: SessionState = SessionState::Disconnected { reason: 0x1001 };
const AWAY_WHY: &str = "the front went away (reason 0x1001); the library reconnects";

impl World {
    /// What the frontend was told since this was last asked.
    fn told(&mut self) -> Vec<FleetEvent> {
        let said = std::mem::take(&mut self.said).into_iter();
        let events = said.filter_map(|action| match action {
            Action::TellFrontend(_, ToFrontend::Event(event)) => Some(event),
            _ => None,
        });
        events.collect()
    }

    /// Everything of the start was said, and told.
    fn quiet(mut self) -> Self {
        self.pass(FRONT_EVENT_INTERVAL);
        self.told();
        self
    }

    /// A worker says its session, and no time passes.
    fn says(&mut self, index: usize, state: SessionState, trading_day: Option<&str>) {
        let trading_day = trading_day.map(|day| Date::parse(day).unwrap());
        let report = SessionReport { state, epoch: Epoch(1), trading_day };
        let client = self.workers[&index].client.unwrap();
        self.fleet.worker_said(client, FromWorker::Session(report), self.now);
        self.pass(Duration::ZERO);
    }

    /// A worker's first hello, with its session in this state.
    fn introduce(&mut self, index: usize, state: SessionState) {
        let hello = WorkerHello {
            connection: name(index),
            worker: WorkerId(u32::try_from(index).unwrap()),
            incarnation: Incarnation(1),
            library_version: "v6.7.13".into(),
            generation: None,
            session: SessionReport { state, epoch: Epoch(0), trading_day: None },
            inventory: Vec::new(),
        };
        let pid = self.workers[&index].pid;
        let client = self.hello(pid, Role::Worker(Box::new(hello)));
        self.workers.get_mut(&index).unwrap().client = Some(client);
        self.pass(Duration::ZERO);
    }
}

#[test]
fn a_frontend_that_comes_is_told_who_is_up() {
    let mut world = World::running(&[1, 1]);
    assert_eq!(world.told(), [anew(2), up(0), up(1)]);
    world.frontend_hello();
    world.pass(Duration::ZERO);
    assert_eq!(world.told(), [anew(2), up(0), up(1)], "another one is told the same");
    world.pass(SECOND);
    assert_eq!(world.told(), []);
}

#[test]
fn a_front_that_goes_and_returns_is_told_once_a_second() {
    let mut world = World::running(&[1, 1]).quiet();
    world.says(0, AWAY, None);
    assert_eq!(world.told(), [down(0, AWAY_WHY)]);
    world.says(0, SessionState::LoggingIn, None);
    world.says(0, SessionState::Ready, None);
    assert_eq!(world.told(), [], "it was told something just now");
    assert_eq!(world.fleet.events_deadline(), Some(world.now + FRONT_EVENT_INTERVAL));
    world.pass(FRONT_EVENT_INTERVAL);
    assert_eq!(world.told(), [up(0)]);
    // What lies between is left out.
    world.says(0, AWAY, None);
    world.says(0, SessionState::Ready, None);
    world.pass(FRONT_EVENT_INTERVAL);
    assert_eq!(world.told(), []);
}

#[test]
fn a_first_start_is_no_event_before_it_fails() {
    let mut world = World::new(plan(&[1, 1], Found::Nothing));
    world.frontend_hello();
    world.introduce(0, SessionState::Connecting);
    world.says(0, SessionState::LoggingIn, None);
    assert_eq!(world.told(), [anew(2)]);
    let message = "later".to_owned();
    world.says(0, SessionState::LoginRetry { error_id: 7, message }, None);
    assert_eq!(world.told(), [down(0, "login refused: later (error 7); it is tried again")]);
    world.die(1, Exit::Code(1));
    world.pass(EVENTS_PAUSE);
    let [FleetEvent::FrontDown { connection, why, .. }] = &world.told()[..] else {
        panic!("one event")
    };
    assert_eq!((*connection, why.ends_with("it is started again")), (name(1), true), "{why}");
}

#[test]
fn why_it_is_down_is_told_again_when_a_person_has_to_act() {
    let mut world = World::running(&[1]).quiet();
    world.says(0, AWAY, None);
    assert_eq!(world.told(), [down(0, AWAY_WHY)]);
    world.pass(SECOND);
    world.says(0, SessionState::Unreachable, None);
    world.pass(SECOND);
    assert_eq!(world.told(), [], "it is as down as before");
    let message = "wrong password".to_owned();
    world.says(0, SessionState::Alarm { error_id: 3, message }, None);
    let for_good = "login refused for good: wrong password (error 3)";
    assert_eq!(world.told(), [down(0, for_good)]);
    world.pass(SECOND);
    assert_eq!(world.told(), []);
}

#[test]
fn a_worker_that_ends_is_down_and_one_that_is_out_of_touch_is_not() {
    let mut world = World::running(&[1]).quiet();
    let client = world.workers.get_mut(&0).unwrap().client.take().unwrap();
    world.fleet.gone(client);
    world.pass(SECOND);
    assert_eq!(world.told(), [], "its session stands");
    world.worker_hello(0);
    world.pass(SECOND);
    assert_eq!(world.told(), []);
    world.die(0, Exit::Signal(9, false));
    world.pass(Duration::ZERO);
    let why = "its worker: killed by signal 9 SIGKILL; it is started again";
    assert_eq!(world.told(), [down(0, why)]);
    world.pass(RESTART_DELAY_FIRST);
    world.worker_hello(0);
    world.pass(FRONT_EVENT_INTERVAL);
    assert_eq!(world.told(), [up(0)]);
    world.die(0, Exit::Code(64));
    world.pass(SECOND);
    let [FleetEvent::FrontDown { why, .. }] = &world.told()[..] else { panic!("one event") };
    assert!(why.ends_with("it is not started again"), "{why}");
}

#[test]
fn what_an_operator_does_is_told_as_such() {
    let mut world = World::running(&[1, 1]).quiet();
    let wish = |world: &mut World, wish| {
        world.fleet.wish(name(0), wish, world.now).unwrap();
        world.pass(SECOND);
    };
    wish(&mut world, ConnectionWish::Disable);
    assert_eq!(world.told(), [down(0, "switched off by an operator")]);
    world.die(0, Exit::Code(0));
    world.pass(SECOND);
    assert_eq!(world.told(), []);
    world.frontend_hello();
    world.pass(SECOND);
    let off = down(0, "switched off by an operator");
    assert_eq!(world.told(), [anew(2), off, up(1)], "the next frontend knows it, too");
    wish(&mut world, ConnectionWish::Enable);
    world.worker_hello(0);
    world.pass(SECOND);
    assert_eq!(world.told(), [up(0)]);
    wish(&mut world, ConnectionWish::Restart);
    assert_eq!(world.told(), [down(0, "its worker is restarted")]);
}

#[test]
fn one_that_was_never_switched_on_is_not_spoken_of() {
    let mut plan = plan(&[1, 1], Found::Nothing);
    plan.connections[1].enabled = false;
    let mut world = World::new(plan);
    world.worker_hello(0);
    world.frontend_hello();
    world.pass(SECOND);
    assert_eq!(world.told(), [anew(1), up(0)]);
}

#[test]
fn a_connection_that_is_removed_is_down_and_then_forgotten() {
    let mut world = World::running(&[1, 1]).quiet();
    world.says(1, AWAY, None);
    world.told();
    world.fleet.reload(reload_of([], Vec::new()), world.now);
    world.pass(SECOND);
    let removed = |index| FleetEvent::FrontRemoved { connection: name(index) };
    let why = "removed from the configuration";
    assert_eq!(world.told(), [down(0, why), removed(0), removed(1)]);
    world.frontend_hello();
    world.pass(SECOND);
    assert_eq!(world.told(), [anew(0)]);
}

#[test]
fn a_new_coordinator_says_nothing_of_what_it_has_not_heard() {
    let mut world = World::new(plan(&[1, 1], Found::Running { pid: Some(7) }));
    world.workers = (0..2).map(|index| (index, Carrier::default())).collect();
    world.frontend_hello();
    world.pass(Duration::ZERO);
    assert_eq!(world.told(), [anew(2)]);
    world.introduce(0, SessionState::Connecting);
    world.introduce(1, AWAY);
    assert_eq!(world.told(), [down(1, AWAY_WHY)], "one may be about to come up");
    world.says(0, SessionState::Ready, None);
    world.pass(EVENTS_PAUSE);
    assert_eq!(world.told(), [up(0)]);
}

#[test]
fn what_an_earlier_coordinator_may_have_said_is_ended_before_anything_is_known() {
    let running = || {
        let mut world = World::new(plan(&[1, 1], Found::Running { pid: Some(7) }));
        world.workers = (0..2).map(|index| (index, Carrier::default())).collect();
        world.frontend_hello();
        world.pass(Duration::ZERO);
        assert_eq!(world.told(), [anew(2)]);
        world
    };
    let mut world = running();
    world.fleet.reload(reload_of([], Vec::new()), world.now);
    world.pass(EVENTS_PAUSE);
    let removed = |index| FleetEvent::FrontRemoved { connection: name(index) };
    assert_eq!(world.told(), [removed(0), removed(1)]);
    let mut world = running();
    world.fleet.wish(name(0), ConnectionWish::Disable, world.now).unwrap();
    world.pass(ADOPTION_WAIT);
    world.pass(SECOND * 10);
    assert_eq!(world.told(), [down(0, "switched off by an operator")]);
}

#[test]
fn the_trading_day_is_told_when_it_grows() {
    let day = |text: &str| FleetEvent::TradingDay { day: Date::parse(text).unwrap() };
    let mut world = World::running(&[1, 1]).quiet();
    world.says(0, SessionState::Ready, Some("20260304"));
    world.says(1, SessionState::Ready, Some("20260303"));
    world.pass(SECOND);
    assert_eq!(world.told(), [day("20260304")]);
    world.says(1, SessionState::LoggingIn, Some("20260305"));
    let events = world.told();
    assert!(!events.contains(&day("20260305")), "its session does not stand: {events:?}");
    world.says(1, SessionState::Ready, Some("20260305"));
    world.pass(SECOND);
    assert!(world.told().contains(&day("20260305")));
    world.frontend_hello();
    world.pass(SECOND);
    assert_eq!(world.told(), [anew(2), up(0), up(1), day("20260305")]);
}

#[test]
fn a_trading_day_far_ahead_of_the_others_is_not_told() {
    let day = |text: &str| FleetEvent::TradingDay { day: Date::parse(text).unwrap() };
    let mut world = World::running(&[1, 1, 1]).quiet();
    world.says(0, SessionState::Ready, Some("20261123"));
    world.says(1, SessionState::Ready, Some("20991231"));
    world.says(2, SessionState::Ready, Some("19991231"));
    world.pass(SECOND);
    assert_eq!(world.told(), [day("20261123")], "one against one against one");
    world.says(0, SessionState::Ready, Some("20261124"));
    world.pass(SECOND);
    assert_eq!(world.told(), [day("20261124")]);
    // After a holiday; the others' sessions are of before.
    world.says(2, SessionState::Ready, Some("20261124"));
    world.says(0, SessionState::Ready, Some("20261209"));
    world.pass(SECOND);
    assert_eq!(world.told(), [day("20261209")]);
}

#[test]
fn a_wrong_trading_day_is_corrected_when_others_say_another() {
    let day = |text: &str| FleetEvent::TradingDay { day: Date::parse(text).unwrap() };
    let mut world = World::running(&[1, 1, 1]).quiet();
    world.says(1, SessionState::Ready, Some("20991231"));
    world.pass(SECOND);
    assert_eq!(world.told(), [day("20991231")], "nobody says another");
    world.says(0, SessionState::Ready, Some("20261123"));
    world.pass(SECOND);
    assert_eq!(world.told(), [], "one against one");
    world.says(2, SessionState::Ready, Some("20261123"));
    world.pass(SECOND);
    assert_eq!(world.told(), [day("20261123")]);
    // It does not fall by less: a session that stands since yesterday says nothing new.
    world.says(0, SessionState::Ready, Some("20261124"));
    world.pass(SECOND);
    assert_eq!(world.told(), [day("20261124")]);
    world.says(0, SessionState::LoggingIn, Some("20261124"));
    world.pass(SECOND);
    assert!(!world.told().iter().any(|event| matches!(event, FleetEvent::TradingDay { .. })));
}

#[test]
fn many_events_go_in_bundles_that_fit_an_outbox() {
    let rooms = [1; EVENTS_AT_ONCE_MAX * 3];
    let mut world = World::running(&rooms);
    let mut bundles = Vec::new();
    while bundles.iter().sum::<usize>() < rooms.len() + 1 {
        bundles.push(world.told().len());
        world.pass(EVENTS_PAUSE);
    }
    // The first of all goes with the hello.
    assert!(bundles.iter().all(|bundle| *bundle <= EVENTS_AT_ONCE_MAX + 1), "{bundles:?}");
    assert_eq!(world.told(), []);
}

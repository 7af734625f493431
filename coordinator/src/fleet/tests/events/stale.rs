//! What the frontend is told of instruments that nobody delivers.

use super::*;
use crate::limits::STALE_INSTRUMENT_AFTER;

fn stale(range: std::ops::Range<u32>) -> FleetEvent {
    FleetEvent::Stale { instruments: ids(range) }
}

fn fresh(range: std::ops::Range<u32>) -> FleetEvent {
    FleetEvent::Fresh { instruments: ids(range) }
}

impl World {
    /// So many seconds pass, with a look at the market in each.
    fn look(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.now += SECOND;
            self.fleet.look_at_market(self.now, 1_772_500_000_000);
            self.pass(Duration::ZERO);
        }
    }

    /// A worker says what became of instruments.
    fn report(&mut self, index: usize, instruments: Vec<InstrumentId>, state: &InstrumentState) {
        let report = |instrument| InstrumentReport {
            instrument,
            state: state.clone(),
            role: CarryRole::Primary,
        };
        let reports = instruments.into_iter().map(report).collect();
        let client = self.workers[&index].client.unwrap();
        self.fleet.worker_said(client, FromWorker::Instruments(reports), self.now);
        self.pass(Duration::ZERO);
    }
}

/// Trading around the clock, or never.
fn hours(trading: bool) -> TradingHours {
    let text = if trading { "*,00:00-24:00\n" } else { "*,\n" };
    TradingHours::parse(text, TradingCalendar::default()).unwrap()
}

/// A fleet in a session that never ends; everything known was told.
fn trading(rooms: &[u32], wanted: std::ops::Range<u32>) -> World {
    let plan = FleetPlan { hours: hours(true), ..plan(rooms, Found::Nothing) };
    let mut world = World::new(plan);
    (0..rooms.len()).for_each(|index| {
        world.worker_hello(index);
    });
    world.frontend_hello();
    world.pass(PLAN_INTERVAL);
    let frontend = world.frontend_client();
    world.want(frontend, true, ids(wanted), vec![]);
    world.look(10);
    world.told();
    world
}

#[test]
fn what_nobody_delivers_in_a_session_is_stale_until_somebody_does() {
    let mut world = trading(&[10], 0..4);
    world.report(0, ids(0..2), &InstrumentState::Acknowledged);
    world.look(STALE_INSTRUMENT_AFTER.as_secs());
    assert_eq!(world.told(), [], "not for long enough");
    world.look(1);
    assert_eq!(world.told(), [stale(0..2)]);
    world.look(10);
    assert_eq!(world.told(), [], "that is known");
    world.report(0, ids(1..2), &InstrumentState::Ticking);
    world.look(1);
    assert_eq!(world.told(), [fresh(1..2)]);
    let frontend = world.frontend_client();
    world.want(frontend, false, vec![], ids(0..1));
    world.look(1);
    assert_eq!(world.told(), [fresh(0..1)], "nobody wants it");
}

#[test]
fn what_finds_no_room_is_stale_and_the_end_of_the_session_ends_it() {
    let mut world = trading(&[2], 0..2);
    let frontend = world.frontend_client();
    world.want(frontend, false, ids(2..5), vec![]);
    world.look(10);
    assert_eq!(world.told(), [stale(2..5)]);
    world.fleet.hours = hours(false);
    world.look(1);
    assert_eq!(world.told(), [fresh(2..5)]);
    world.fleet.hours = hours(true);
    world.look(STALE_INSTRUMENT_AFTER.as_secs());
    assert_eq!(world.told(), [], "time begins anew");
}

#[test]
fn a_session_that_has_only_begun_owes_nothing_yet() {
    let day = TradingHours::parse("*,09:00-10:15\n", TradingCalendar::default()).unwrap();
    let class = day.class_of(&id(0));
    // The first millisecond of a session on 3 March 2026, 01:00 UTC.
    let begin = 1_772_499_600_000;
    assert!(day.session(class, begin).is_some() && day.session(class, begin - 1).is_none());
    let mut world = trading(&[2], 0..5);
    world.fleet.hours = day;
    world.look(1);
    world.told();
    let mut told_after = None;
    for second in -20..20 {
        world.now += SECOND;
        world.fleet.look_at_market(world.now, begin + second * 1_000);
        world.pass(Duration::ZERO);
        if world.told().contains(&stale(2..5)) {
            told_after = Some(second);
        }
    }
    assert_eq!(told_after, Some(10), "five seconds into it, and then for five");
}

#[test]
fn a_failover_is_not_told_as_stale_and_a_dead_fleet_is() {
    let mut world = trading(&[10, 10], 0..8);
    world.says(0, AWAY, None);
    world.pass(PLAN_INTERVAL);
    world.look(20);
    let stale_ones = |event: &FleetEvent| matches!(event, FleetEvent::Stale { .. });
    let told = world.told();
    assert!(!told.iter().any(stale_ones), "{told:?}");
    world.says(1, AWAY, None);
    world.look(20);
    assert!(world.told().contains(&stale(0..8)));
}

#[test]
fn a_worker_that_stands_still_delivers_nothing() {
    let mut world = trading(&[10], 0..2);
    world.workers.get_mut(&0).unwrap().still = true;
    world.look(UNRESPONSIVE_AFTER.as_secs() + STALE_INSTRUMENT_AFTER.as_secs() + 2);
    assert_eq!(world.told(), [stale(0..2)]);
    world.workers.get_mut(&0).unwrap().still = false;
    world.look(2);
    assert_eq!(world.told(), [fresh(0..2)]);
}

#[test]
fn a_pause_of_the_coordinator_itself_makes_nothing_stale() {
    let mut world = trading(&[10], 0..2);
    world.report(0, ids(0..2), &InstrumentState::Acknowledged);
    world.look(1);
    world.now += SECOND * 60;
    world.look(1);
    world.report(0, ids(0..2), &InstrumentState::Ticking);
    world.look(10);
    assert_eq!(world.told(), []);
}

#[test]
fn a_new_frontend_is_told_all_that_is_stale() {
    let mut world = trading(&[2], 0..5);
    world.told();
    world.frontend_hello();
    world.pass(SECOND);
    assert_eq!(world.told(), [anew(1), stale(2..5), FleetEvent::StaleTold, up(0)]);
}

#[test]
fn a_new_coordinator_finds_nothing_stale_before_it_has_heard_all() {
    let plan = FleetPlan { hours: hours(true), ..plan(&[10, 10], Found::Running { pid: Some(7) }) };
    let mut world = World::new(plan);
    world.workers = (0..2).map(|index| (index, Carrier::default())).collect();
    let carries = (0..4).map(|n| (id(n), CarryRole::Primary)).collect();
    world.workers.get_mut(&1).unwrap().carries = carries;
    let frontend = world.frontend_hello();
    world.want(frontend, true, ids(0..4), vec![]);
    world.introduce(0, SessionState::Ready);
    assert!(ADOPTION_WAIT > SECOND * 2);
    world.look(ADOPTION_WAIT.as_secs() - 1);
    assert_eq!(world.told(), [anew(2), up(0)]);
    world.worker_hello(1);
    world.look(STALE_INSTRUMENT_AFTER.as_secs());
    assert_eq!(world.told(), [up(1)], "not known yet");
    world.look(2);
    assert_eq!(world.told(), [FleetEvent::StaleTold]);
}

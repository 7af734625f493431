//! The engine against a source that ticks every millisecond.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;
use crate::faults::{Call, Death};
use crate::feed::Outlet;
use crate::layout::{Abi, DepthMarketData, NO_VALUE};

#[derive(Debug, Clone, PartialEq)]
enum Event {
    Connected,
    Disconnected(i32),
    Warning(i32),
    Login { error_id: i32, trading_day: Vec<u8>, session: i32 },
    Logout(i32),
    Error(i32),
    Multicast(i32),
    Answer { topic: Topic, id: String, error_id: i32, last: bool },
    Tick(String),
    NoLast(String),
    Garbage,
    Spoiled(Call, i32, u32),
    Hang(Option<u64>),
    Died(Death),
}

#[derive(Default)]
struct Recorder {
    events: Vec<Event>,
    connected: bool,
    once: Vec<PathBuf>,
    there: Vec<PathBuf>,
}

impl Callbacks for Recorder {
    fn front_connected(&mut self) {
        assert!(self.connected);
        self.events.push(Event::Connected);
    }
    fn front_disconnected(&mut self, reason: i32) {
        assert!(!self.connected);
        self.events.push(Event::Disconnected(reason));
    }
    fn heartbeat_warning(&mut self, seconds: i32) {
        self.events.push(Event::Warning(seconds));
    }
    fn login_answered(&mut self, login: &RspUserLogin, error_id: i32, _request_id: i32) {
        let trading_day = login.trading_day[..8].to_vec();
        self.events.push(Event::Login { error_id, trading_day, session: login.session_id });
    }
    fn logout_answered(&mut self, _names: Names, error_id: i32, _request_id: i32) {
        self.events.push(Event::Logout(error_id));
    }
    fn error_answered(&mut self, error_id: i32, _request_id: i32) {
        self.events.push(Event::Error(error_id));
    }
    fn multicast_answered(&mut self, error_id: i32, _request_id: i32) {
        self.events.push(Event::Multicast(error_id));
    }
    fn instrument_answered(&mut self, topic: Topic, id: &InstrumentId, error_id: i32, last: bool) {
        self.events.push(Event::Answer { topic, id: format!("{id:?}"), error_id, last });
    }
    fn depth(&mut self, depth: &mut DepthMarketData) {
        let id = InstrumentId::new(&depth.instrument_id);
        self.events.push(if !depth.instrument_id.contains(&0) {
            Event::Garbage
        } else if depth.last_price == NO_VALUE {
            Event::NoLast(format!("{id:?}"))
        } else {
            Event::Tick(format!("{id:?}"))
        });
    }
    fn set_connected(&mut self, connected: bool) {
        self.connected = connected;
    }
    fn set_trading_day(&mut self, _trading_day: [u8; 9]) {}
    fn spoil_calls(&mut self, call: Call, code: i32, times: u32) {
        self.events.push(Event::Spoiled(call, code, times));
    }
    fn hang_release(&mut self, for_ms: Option<u64>) {
        self.events.push(Event::Hang(for_ms));
    }
    fn claim_once(&mut self, path: &Path) -> bool {
        let first = !self.once.iter().any(|known| known == path);
        self.once.push(path.to_owned());
        first
    }
    fn is_there(&mut self, path: &Path) -> bool {
        self.there.iter().any(|known| known == path)
    }
    fn die(&mut self, how: Death) {
        self.events.push(Event::Died(how));
    }
}

/// Ticks every instrument once in a millisecond; its trading day changes after ten seconds.
#[derive(Default)]
struct EveryMillisecond {
    quotes: Vec<(InstrumentId, DepthMarketData)>,
    next_ns: u64,
}

impl Feed for EveryMillisecond {
    fn subscribe(&mut self, id: &InstrumentId, _now_ns: u64) {
        if self.quotes.iter().all(|(known, _)| known != id) {
            let mut depth = DepthMarketData::no_values();
            depth.set_instrument(id, Abi::V6_7_13);
            depth.last_price = 1.0;
            self.quotes.push((*id, depth));
        }
    }
    fn unsubscribe(&mut self, id: &InstrumentId) {
        self.quotes.retain(|(known, _)| known != id);
    }
    fn end_session(&mut self, _now_ns: u64) {
        self.quotes.clear();
    }
    fn subscribed_count(&self) -> usize {
        self.quotes.len()
    }
    fn snapshot(&mut self, id: &InstrumentId, _now_ns: u64) -> Option<&mut DepthMarketData> {
        self.quotes.iter_mut().find(|(known, _)| known == id).map(|(_, depth)| depth)
    }
    fn trading_day(&mut self, now_ns: u64) -> [u8; 9] {
        if now_ns < 10_000 * MS { *b"20250303\0" } else { *b"20250304\0" }
    }
    fn run(&mut self, now_ns: u64, out: &mut Outlet<'_>) -> Result<Option<u64>, FeedError> {
        self.next_ns = self.next_ns.max(now_ns - now_ns % MS);
        while self.next_ns <= now_ns {
            self.next_ns += MS;
            for (_, depth) in &mut self.quotes {
                if out(depth) == ControlFlow::Break(()) {
                    return Ok(Some(now_ns));
                }
            }
        }
        Ok((!self.quotes.is_empty()).then_some(self.next_ns))
    }
}

struct World {
    engine: Engine,
    recorder: Recorder,
    now_ns: u64,
}

fn world(json: &str) -> World {
    let script = Script::parse(json).unwrap();
    let engine = Engine::new(&script, Box::new(EveryMillisecond::default()));
    World { engine, recorder: Recorder::default(), now_ns: 0 }
}

impl World {
    /// Runs on its own wakes until so many milliseconds after `Init`.
    fn run_to(&mut self, ms: u64) -> Vec<Event> {
        let until_ns = ms * MS;
        let mut turns = 0;
        loop {
            let next = self.engine.run(self.now_ns, &mut self.recorder).unwrap();
            match next {
                Some(at_ns) if at_ns <= until_ns => self.now_ns = self.now_ns.max(at_ns),
                _ => break,
            }
            turns += 1;
            assert!(turns < 200_000, "the engine spins");
        }
        self.now_ns = until_ns;
        std::mem::take(&mut self.recorder.events)
    }

    fn login(&mut self) {
        let names = Names { broker_id: *b"9999\0\0\0\0\0\0\0", user_id: [0; 16] };
        self.engine.request(self.now_ns, Request::Login { names, request_id: 1 });
    }

    fn subscribe(&mut self, ids: &[&str]) {
        self.ask(Topic::Subscribe, ids);
    }

    fn ask(&mut self, topic: Topic, ids: &[&str]) {
        let ids = ids.iter().map(|id| InstrumentId::new(id.as_bytes())).collect();
        self.engine.request(self.now_ns, Request::Instruments { topic, ids });
    }

    /// Connected, logged in and ticking at 100 ms.
    fn ticking(json: &str, ids: &[&str]) -> Self {
        let mut world = world(json);
        world.run_to(20);
        world.login();
        world.run_to(30);
        world.subscribe(ids);
        world.run_to(100);
        world
    }
}

fn login_ok() -> Event {
    Event::Login { error_id: 0, trading_day: b"20250303".to_vec(), session: 1 }
}

fn answer(id: &str, error_id: i32, last: bool) -> Event {
    Event::Answer { topic: Topic::Subscribe, id: id.to_owned(), error_id, last }
}

fn ticks(events: &[Event]) -> usize {
    events.iter().filter(|event| matches!(event, Event::Tick(_))).count()
}

fn without_ticks(events: Vec<Event>) -> Vec<Event> {
    events.into_iter().filter(|event| !matches!(event, Event::Tick(_))).collect()
}

#[test]
fn a_session_from_connect_to_ticks() {
    let mut world = world("{}");
    assert_eq!(world.run_to(9), []);
    assert_eq!(world.run_to(10), [Event::Connected]);
    world.login();
    assert_eq!(world.run_to(10), [login_ok()]);
    world.subscribe(&["rb2505", "au2506"]);
    let events = world.run_to(10);
    let expected = [
        answer("rb2505", 0, false),
        answer("au2506", 0, true),
        Event::Tick("rb2505".to_owned()),
        Event::Tick("au2506".to_owned()),
    ];
    assert_eq!(events[..4], expected);
    assert_eq!(ticks(&world.run_to(20)), 20);
    world.ask(Topic::Unsubscribe, &["rb2505"]);
    let unsubscribed = Event::Answer {
        topic: Topic::Unsubscribe,
        id: "rb2505".to_owned(),
        error_id: 0,
        last: true,
    };
    assert_eq!(without_ticks(world.run_to(20)), [unsubscribed]);
    assert_eq!(world.run_to(25), vec![Event::Tick("au2506".to_owned()); 5]);
}

#[test]
fn a_second_subscription_is_answered_with_the_snapshot_again() {
    let mut world = World::ticking("{}", &["rb2505"]);
    world.subscribe(&["rb2505"]);
    let events = world.run_to(100);
    assert_eq!(events, [answer("rb2505", 0, true), Event::Tick("rb2505".to_owned())]);
    assert_eq!(ticks(&world.run_to(110)), 10);
}

#[test]
fn without_a_login_instruments_are_refused() {
    let mut world = world("{}");
    world.run_to(20);
    world.subscribe(&["rb2505"]);
    assert_eq!(world.run_to(30), [answer("rb2505", 6, true)]);
    let names = Names { broker_id: [0; 11], user_id: [0; 16] };
    world.engine.request(world.now_ns, Request::Logout { names, request_id: 1 });
    assert_eq!(world.run_to(30), [Event::Logout(6)]);
}

#[test]
fn after_a_logout_nothing_ticks() {
    let mut world = World::ticking("{}", &["rb2505"]);
    let names = Names { broker_id: [0; 11], user_id: [0; 16] };
    world.engine.request(world.now_ns, Request::Logout { names, request_id: 1 });
    assert_eq!(world.run_to(200), [Event::Logout(0)]);
}

#[test]
fn after_a_reconnect_the_session_knows_nothing() {
    let faults = r#"{"faults": [{"at_ms": 150, "do": "disconnect", "reason": 8193,
                     "reconnect_after_ms": 50}]}"#;
    let mut world = World::ticking(faults, &["rb2505"]);
    let events = without_ticks(world.run_to(300));
    assert_eq!(events, [Event::Disconnected(0x2001), Event::Connected]);
    world.subscribe(&["rb2505"]);
    assert_eq!(world.run_to(300), [answer("rb2505", 6, true)]);
    world.login();
    let again = Event::Login { error_id: 0, trading_day: b"20250303".to_vec(), session: 2 };
    assert_eq!(world.run_to(310), [again]);
    world.subscribe(&["rb2505"]);
    assert!(ticks(&world.run_to(400)) >= 90);
}

#[test]
fn a_front_may_be_gone_for_good() {
    let faults = r#"{"faults": [{"at_ms": 150, "do": "disconnect", "reconnect_after_ms": null}]}"#;
    let mut world = World::ticking(faults, &["rb2505"]);
    assert_eq!(without_ticks(world.run_to(100_000)), [Event::Disconnected(0x1001)]);
    assert_eq!(world.engine.run(world.now_ns, &mut world.recorder).unwrap(), None);
}

#[test]
fn requests_under_way_are_lost_with_their_connection() {
    let faults =
        r#"{"faults": [{"do": "late", "login_ms": 100}, {"at_ms": 50, "do": "disconnect"}]}"#;
    let mut world = world(faults);
    world.run_to(20);
    world.login();
    assert_eq!(world.run_to(1000), [Event::Disconnected(0x1001)]);
    assert_eq!(world.run_to(5000), [Event::Connected]);
}

#[test]
fn answers_may_be_late() {
    let mut world = world(r#"{"faults": [{"do": "late", "login_ms": 100, "acks_ms": 40}]}"#);
    world.run_to(20);
    world.login();
    assert_eq!(world.run_to(119), []);
    assert_eq!(world.run_to(120), [login_ok()]);
    world.subscribe(&["rb2505"]);
    assert_eq!(world.run_to(159), []);
    assert_eq!(world.run_to(160)[0], answer("rb2505", 0, true));
}

#[test]
fn logins_may_be_refused_some_times() {
    let mut world = world(r#"{"faults": [{"do": "refuse_login", "error_id": 7, "times": 2}]}"#);
    world.run_to(20);
    for _ in 0..2 {
        world.login();
        let refused = Event::Login { error_id: 7, trading_day: vec![0; 8], session: 0 };
        assert_eq!(world.run_to(20), [refused]);
    }
    world.login();
    assert_eq!(world.run_to(20), [login_ok()]);
}

#[test]
fn instruments_may_be_refused() {
    let faults = r#"{"faults": [{"do": "refuse_instrument", "pattern": "x*"},
                     {"do": "refuse_instrument", "instrument": "rb2505", "error_id": 90, "times": 1}]}"#;
    let mut world = world(faults);
    world.run_to(20);
    world.login();
    world.run_to(20);
    world.subscribe(&["x1", "rb2505", ""]);
    let refused = [answer("x1", 16, false), answer("rb2505", 90, false), answer("", 16, true)];
    assert_eq!(world.run_to(30), refused);
    world.subscribe(&["rb2505"]);
    assert_eq!(world.run_to(30)[0], answer("rb2505", 0, true));
}

#[test]
fn acks_may_get_lost_with_or_without_the_subscription() {
    let mut ticking = World::ticking(
        r#"{"faults": [{"at_ms": 100, "do": "lose_acks", "count": 1}]}"#,
        &["au2506"],
    );
    ticking.subscribe(&["rb2505", "cu2505"]);
    let events = ticking.run_to(110);
    assert_eq!(without_ticks(events.clone()), [answer("cu2505", 0, true)]);
    assert!(events.contains(&Event::Tick("rb2505".to_owned())));
    let mut silent = World::ticking(
        r#"{"faults": [{"at_ms": 100, "do": "lose_acks", "count": 1, "ticking": false}]}"#,
        &["au2506"],
    );
    silent.subscribe(&["rb2505"]);
    let events = silent.run_to(110);
    assert!(!events.contains(&Event::Tick("rb2505".to_owned())), "{events:?}");
}

#[test]
fn a_silent_front_says_nothing_for_a_while() {
    let mut world = World::ticking(
        r#"{"faults": [{"at_ms": 100, "do": "silent", "for_ms": 50}]}"#,
        &["rb2505"],
    );
    assert_eq!(world.run_to(149), []);
    assert!(world.engine.outlet.kept >= 49);
    assert!(ticks(&world.run_to(160)) >= 10);
    let mut for_ever =
        World::ticking(r#"{"faults": [{"at_ms": 100, "do": "silent"}]}"#, &["rb2505"]);
    for_ever.subscribe(&["au2506"]);
    assert_eq!(for_ever.run_to(3000), [answer("au2506", 0, true)]);
}

#[test]
fn a_muted_instrument_is_acknowledged_and_never_sent() {
    let mut world = World::ticking(
        r#"{"faults": [{"at_ms": 100, "do": "mute", "pattern": "au*", "for_ms": 50}]}"#,
        &["rb2505"],
    );
    world.subscribe(&["au2506"]);
    let events = world.run_to(149);
    assert_eq!(without_ticks(events.clone()), [answer("au2506", 0, true)]);
    assert!(!events.contains(&Event::Tick("au2506".to_owned())), "{events:?}");
    assert!(events.contains(&Event::Tick("rb2505".to_owned())));
    assert!(world.run_to(160).contains(&Event::Tick("au2506".to_owned())));
}

#[test]
fn a_fault_may_wait_for_a_file_that_somebody_makes() {
    let mut world =
        World::ticking(r#"{"faults": [{"when_file": "/go", "do": "disconnect"}]}"#, &["rb2505"]);
    assert_eq!(without_ticks(world.run_to(200)), []);
    world.recorder.there.push(PathBuf::from("/go"));
    assert_eq!(without_ticks(world.run_to(230)), [Event::Disconnected(0x1001)]);
}

#[test]
fn a_crash_comes_right_after_the_tick_it_was_promised_for() {
    let mut world = world(r#"{"faults": [{"after_ticks": 7, "do": "crash"}]}"#);
    world.run_to(20);
    world.login();
    world.run_to(30);
    world.subscribe(&["a", "b", "c"]);
    let events = world.run_to(60);
    let died = events.iter().position(|event| *event == Event::Died(Death::Segv)).unwrap();
    assert_eq!(ticks(&events[..died]), 7);
}

#[test]
fn a_crash_may_come_during_the_snapshots() {
    let mut world = world(r#"{"faults": [{"after_ticks": 2, "do": "crash", "how": "abort"}]}"#);
    world.run_to(20);
    world.login();
    world.run_to(30);
    world.subscribe(&["a", "b", "c"]);
    let events = world.run_to(30);
    let died = events.iter().position(|event| *event == Event::Died(Death::Abort)).unwrap();
    assert_eq!(ticks(&events[..died]), 2);
}

#[test]
fn a_fault_with_a_file_happens_once_among_all() {
    let faults = r#"{"faults": [{"at_ms": 50, "do": "disconnect", "once_file": "f"},
                     {"at_ms": 60, "do": "crash", "once_file": "f"}]}"#;
    let mut world = world(faults);
    assert_eq!(world.run_to(500), [Event::Connected, Event::Disconnected(0x1001)]);
    assert_eq!(world.recorder.once.len(), 2);
}

#[test]
fn an_unreachable_front_calls_nobody() {
    let mut some_time = world(r#"{"faults": [{"do": "unreachable", "for_ms": 20000}]}"#);
    assert_eq!(some_time.run_to(19_999), []);
    assert_eq!(some_time.run_to(20_000), [Event::Connected]);
    let mut for_ever = world(r#"{"faults": [{"do": "unreachable"}]}"#);
    assert_eq!(for_ever.run_to(3_600_000), []);
}

#[test]
fn a_front_may_disconnect_before_it_connects() {
    let mut world = world(r#"{"faults": [{"do": "disconnect_before_connect", "times": 2}]}"#);
    let events = world.run_to(10_000);
    let gone = Event::Disconnected(0x1001);
    assert_eq!(events, [gone.clone(), gone, Event::Connected]);
}

#[test]
fn small_faults_do_what_they_say() {
    let faults = r#"{"faults": [
        {"at_ms": 101, "do": "garbage_instrument"}, {"at_ms": 101, "do": "sentinel_last"},
        {"at_ms": 101, "do": "heartbeat_warning"}, {"at_ms": 101, "do": "rsp_error", "error_id": 5},
        {"at_ms": 101, "do": "hang_release", "for_ms": 3},
        {"at_ms": 101, "do": "return_code", "call": "subscribe", "code": -2, "times": 3}]}"#;
    let mut world = World::ticking(faults, &["rb2505"]);
    let events = world.run_to(105);
    let expected = [
        Event::Warning(10),
        Event::Error(5),
        Event::Hang(Some(3)),
        Event::Spoiled(Call::Subscribe, -2, 3),
        Event::Garbage,
        Event::NoLast("rb2505".to_owned()),
    ];
    assert_eq!(without_ticks(events), expected);
}

#[test]
fn a_new_trading_day_ends_the_session() {
    let mut world = World::ticking("{}", &["rb2505"]);
    let events = without_ticks(world.run_to(12_000));
    assert_eq!(events, [Event::Disconnected(0x1001), Event::Connected]);
    world.login();
    let next_day = Event::Login { error_id: 0, trading_day: b"20250304".to_vec(), session: 2 };
    assert_eq!(world.run_to(12_000), [next_day]);
    let mut fixed = World::ticking(r#"{"trading_day": "20240102"}"#, &["rb2505"]);
    assert_eq!(without_ticks(fixed.run_to(12_000)), []);
}

#[test]
fn multicast_queries_find_nothing() {
    let mut world = World::ticking("{}", &[]);
    world.engine.request(world.now_ns, Request::Multicast { request_id: 9 });
    assert_eq!(world.run_to(100), [Event::Multicast(0)]);
}

proptest! {
    // Whatever happens: ticks only in a session that asked for them, disconnects only after
    // connects, and the engine never spins.
    #[test]
    fn no_tick_without_a_session(
        steps in proptest::collection::vec((0u8..5, 1u64..400), 1..40),
        disconnects in proptest::collection::vec((0u64..5000, 0u64..500), 0..8),
    ) {
        let faults: Vec<String> = disconnects.iter().map(|(at_ms, after)| format!(
            r#"{{"at_ms": {at_ms}, "do": "disconnect", "reconnect_after_ms": {after}}}"#)).collect();
        let mut world = world(&format!(r#"{{"faults": [{}]}}"#, faults.join(",")));
        let (mut connected, mut logged_in, mut subscribed) = (false, false, false);
        let mut now_ms = 0;
        for (step, ms) in steps {
            match step {
                0 | 1 => world.login(),
                2 | 3 => world.subscribe(&["rb2505"]),
                _ => world.ask(Topic::Unsubscribe, &["rb2505"]),
            }
            now_ms += ms;
            for event in world.run_to(now_ms) {
                match event {
                    Event::Connected => { prop_assert!(!connected); connected = true; }
                    Event::Disconnected(_) => {
                        prop_assert!(connected);
                        (connected, logged_in, subscribed) = (false, false, false);
                    }
                    Event::Login { error_id: 0, .. } => { prop_assert!(connected); logged_in = true; }
                    Event::Answer { topic, error_id, .. } => {
                        prop_assert!(connected);
                        prop_assert_eq!(error_id == 0, logged_in);
                        if error_id == 0 { subscribed = topic == Topic::Subscribe; }
                    }
                    Event::Tick(_) => prop_assert!(logged_in && subscribed),
                    other => prop_assert!(false, "{:?}", other),
                }
            }
        }
    }
}

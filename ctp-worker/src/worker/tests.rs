//! Session and subscriptions together, over a front that writes down what it is asked.

use std::time::Duration;

use shm_layout::control::{Carry, InstrumentState};
use shm_layout::{Date, Epoch, Generation, ShanghaiTime, TradingCalendar};

use super::*;
use crate::ctp::event::Link;
use crate::limits::ASSIGNED_INSTRUMENTS_MAX;
use crate::retry_pace::RetryPace;
use crate::session::SessionSettings;

/// Writes calls down; answers with `code`.
#[derive(Debug, Default)]
struct Notes {
    calls: Vec<String>,
    /// Whose cells are to be written.
    own: Vec<String>,
    code: i32,
}

impl Notes {
    fn note(&mut self, call: String) -> Result<(), RequestRefused> {
        self.calls.push(call);
        if self.code == 0 { Ok(()) } else { Err(RequestRefused { code: self.code }) }
    }
}

fn listed(instruments: &[InstrumentId]) -> String {
    instruments.iter().map(InstrumentId::as_str).collect::<Vec<_>>().join(" ")
}

impl Front for Notes {
    fn log_in(&mut self, request: RequestId) -> Result<(), RequestRefused> {
        self.note(format!("login {}", request.0))
    }

    fn subscribe(&mut self, instruments: &[InstrumentId]) -> Result<(), RequestRefused> {
        self.note(format!("subscribe {}", listed(instruments)))
    }

    fn unsubscribe(&mut self, instruments: &[InstrumentId]) -> Result<(), RequestRefused> {
        self.note(format!("unsubscribe {}", listed(instruments)))
    }

    fn set_own(&mut self, changes: &RoleChanges) {
        let RoleChanges { gained, given_up } = changes;
        self.own.push(format!("+[{}] -[{}]", listed(gained), listed(given_up)));
    }

    fn refresh_cells(&mut self) {}
}

const HOUR_MS: i64 = 3_600_000;

struct Bench {
    worker: Worker<Notes>,
    now: Instant,
    unix_ms: i64,
    link: u64,
}

fn id(text: &str) -> InstrumentId {
    InstrumentId::parse(text).unwrap()
}

impl Bench {
    fn new() -> Self {
        let now = shm_layout::clock::monotonic();
        let pace = RetryPace::new(3);
        let timeout = Duration::from_secs(10);
        let settings = SessionSettings { connect_timeout: timeout, login_timeout: timeout, pace };
        let identity = Identity {
            connection: ConnectionId::parse("test").unwrap(),
            worker: WorkerId(1),
            incarnation: Incarnation(2),
            library_version: "v6.7.13".into(),
        };
        let session = Session::new(settings, now);
        let subscriptions = Subscriptions::new(10, pace);
        let day_roll = Some(DayRoll::new(TradingCalendar::default()));
        let worker = Worker::new(identity, Notes::default(), session, subscriptions, day_roll);
        let day = Date::parse("20250303").unwrap();
        Self { worker, now, unix_ms: ShanghaiTime::unix_ms(day, 10 * HOUR_MS), link: 0 }
    }

    fn say(&mut self, kind: CtpEventKind) {
        if kind == CtpEventKind::Connected {
            self.link += 1;
        }
        self.worker.library_said(self.now, CtpEvent { link: Link(self.link), kind });
    }

    fn accept(&mut self, request: i32) {
        let outcome = Ok(Date::from_yyyymmdd(20_250_303));
        self.say(CtpEventKind::LoggedIn { request: RequestId(request), outcome });
    }

    fn accept_day(&mut self, request: i32, day: &str) {
        let outcome = Ok(Date::parse(day).ok());
        self.say(CtpEventKind::LoggedIn { request: RequestId(request), outcome });
    }

    fn assign(&mut self, generation: u64, instruments: &[&str]) {
        let instruments = instruments.iter().map(|text| Carry::primary(id(text))).collect();
        let assignment = Assignment::Whole { generation: Generation(generation), instruments };
        self.worker.assign(self.now, assignment).unwrap();
    }

    fn after(&mut self, millis: u64) -> Vec<String> {
        self.now += Duration::from_millis(millis);
        self.unix_ms += i64::try_from(millis).unwrap();
        self.worker.do_what_is_due(self.now, self.unix_ms);
        std::mem::take(&mut self.worker.front.calls)
    }
}

#[test]
fn a_front_that_goes_and_returns_gets_the_whole_subscription_again() {
    let mut bench = Bench::new();
    bench.assign(1, &["a1", "b1"]);
    bench.say(CtpEventKind::Connected);
    bench.accept(1);
    assert_eq!(bench.after(0), ["login 1", "subscribe a1 b1"]);
    bench.say(CtpEventKind::Subscribed { instrument: Some(id("a1")), error: None });
    bench.say(CtpEventKind::Ticking { instrument: id("a1") });
    bench.say(CtpEventKind::Disconnected { reason: 0x1001 });
    // What the old connection still says means nothing on the new one.
    let stale = CtpEventKind::Subscribed { instrument: Some(id("b1")), error: None };
    bench.say(CtpEventKind::Connected);
    bench.worker.library_said(bench.now, CtpEvent { link: Link(1), kind: stale });
    bench.accept(2);
    assert_eq!(bench.after(1000), ["login 2", "subscribe a1 b1"]);
    let stats = bench.worker.stats(&Counters::default());
    assert_eq!((stats.logins, stats.disconnects, stats.instruments), (2, 1, 2));
    assert_eq!(stats.acknowledged, 0);
}

#[test]
fn an_error_with_a_logins_number_refuses_that_login() {
    let mut bench = Bench::new();
    bench.say(CtpEventKind::Connected);
    let error = RspError::new(3, "no");
    bench.say(CtpEventKind::Error { request: RequestId(0), error });
    assert_eq!(bench.worker.session_report().state, SessionState::LoggingIn);
    bench.say(CtpEventKind::Error { request: RequestId(1), error });
    assert!(matches!(bench.worker.session_report().state, SessionState::Alarm { error_id: 3, .. }));
    assert_eq!(bench.after(3_600_000), ["login 1"]);
}

#[test]
fn requests_the_library_does_not_take_are_made_again() {
    let mut bench = Bench::new();
    bench.assign(1, &["a1"]);
    bench.worker.front.code = -3;
    bench.say(CtpEventKind::Connected);
    assert_eq!(bench.after(0), ["login 1"]);
    bench.worker.front.code = 0;
    assert_eq!(bench.after(1000), ["login 2"]);
    bench.worker.front.code = -2;
    bench.accept(2);
    assert_eq!(bench.after(0), ["subscribe a1"]);
    bench.worker.front.code = 0;
    assert_eq!(bench.after(999), Vec::<String>::new());
    assert_eq!(bench.after(1), ["subscribe a1"]);
}

#[test]
fn ticks_of_the_next_day_lead_to_a_login_that_subscribes_everything_anew() {
    let mut bench = Bench::new();
    bench.assign(1, &["a1", "b1"]);
    bench.say(CtpEventKind::Connected);
    bench.accept(1);
    assert_eq!(bench.after(0), ["login 1", "subscribe a1 b1"]);
    bench.say(CtpEventKind::Ticking { instrument: id("a1") });
    let error = Some(RspError::new(16, "no such instrument"));
    bench.say(CtpEventKind::Subscribed { instrument: Some(id("b1")), error });
    let trading_day = Date::parse("20250304").unwrap();
    bench.say(CtpEventKind::LaterDay { trading_day });
    assert_eq!(bench.after(0), ["login 2"]);
    // Until the answer comes, everything is as it was.
    assert_eq!(bench.worker.session_report().epoch, Epoch(1));
    assert_eq!(bench.worker.stats(&Counters::default()).acknowledged, 1);
    bench.accept_day(2, "20250304");
    let report = bench.worker.session_report();
    assert_eq!((report.epoch, report.trading_day), (Epoch(2), Some(trading_day)));
    // What was refused for the day before is asked for again, too.
    assert_eq!(bench.after(200), ["subscribe a1 b1"]);
    let stats = bench.worker.stats(&Counters::default());
    assert_eq!((stats.logins, stats.disconnects, stats.login_failures), (2, 0, 0));
}

#[test]
fn the_clock_leads_to_a_login_before_the_next_session() {
    let mut bench = Bench::new();
    bench.assign(1, &["a1"]);
    bench.say(CtpEventKind::Connected);
    bench.accept(1);
    assert_eq!(bench.after(0), ["login 1", "subscribe a1"]);
    bench.say(CtpEventKind::Ticking { instrument: id("a1") });
    // From 10:00 to just before 20:30, as often as the worker itself wants to be asked.
    let mut calls = Vec::new();
    while calls.is_empty() {
        let wait = bench.worker.next_deadline().unwrap() - bench.now;
        calls = bench.after(u64::try_from(wait.as_millis()).unwrap());
    }
    assert_eq!(calls, ["login 2"]);
    let of_day = ShanghaiTime::at(bench.unix_ms).unwrap().ms_of_day;
    assert!((20 * HOUR_MS + HOUR_MS / 2..20 * HOUR_MS + HOUR_MS * 3 / 4).contains(&of_day));
    // The front has not rolled: its answer is taken for a new session of the old day, and 20:52 is the next try.
    bench.accept_day(2, "20250303");
    assert_eq!(bench.after(200), ["subscribe a1"]);
    bench.say(CtpEventKind::Ticking { instrument: id("a1") });
    assert_eq!(bench.after(20 * 60_000), Vec::<String>::new());
    assert_eq!(bench.after(3 * 60_000), ["login 3"]);
    bench.accept_day(3, "20250304");
    assert_eq!(bench.after(200), ["subscribe a1"]);
    bench.say(CtpEventKind::Ticking { instrument: id("a1") });
    // The night, and the next day's moments: all is well.
    assert_eq!(bench.after(12 * 3_600_000), Vec::<String>::new());
    assert_eq!(bench.after(10 * 60_000), Vec::<String>::new());
}

#[test]
fn a_library_with_a_clock_of_its_own_is_left_alone() {
    let mut bench = Bench::new();
    bench.worker.day_roll = None;
    bench.say(CtpEventKind::Connected);
    bench.accept(1);
    assert_eq!(bench.after(0), ["login 1"]);
    assert_eq!(bench.worker.next_deadline(), None);
    for _ in 0..48 {
        assert_eq!(bench.after(1_800_000), Vec::<String>::new());
    }
}

#[test]
fn what_goes_wrong_is_counted() {
    let mut bench = Bench::new();
    bench.assign(1, &["a1"]);
    bench.worker.front.code = -3;
    bench.say(CtpEventKind::Connected);
    bench.after(0);
    bench.worker.front.code = 0;
    bench.after(1000);
    let error = RspError::new(7, "not yet");
    bench.say(CtpEventKind::LoggedIn { request: RequestId(2), outcome: Err(error) });
    bench.after(2000);
    bench.accept(3);
    bench.worker.front.code = -2;
    bench.after(0);
    bench.worker.front.code = 0;
    // Not answered in time, then answered and silent.
    assert_eq!(bench.after(1000), ["subscribe a1"]);
    assert_eq!(bench.after(10_000), ["subscribe a1"]);
    bench.say(CtpEventKind::Subscribed { instrument: Some(id("a1")), error: None });
    assert_eq!(bench.after(10_000), ["subscribe a1"]);
    let counters = Counters::default();
    counters.snapshots.add_one();
    let stats = bench.worker.stats(&counters);
    assert_eq!((stats.calls_refused, stats.login_failures), (2, 2));
    assert_eq!((stats.asked_again, stats.snapshots), (2, 1));
}

#[test]
fn cells_are_its_own_from_the_assignment_that_says_so() {
    let mut bench = Bench::new();
    bench.assign(1, &["a1", "b1"]);
    bench.assign(2, &["b1", "c1"]);
    let standby = Assignment::Change {
        generation: Generation(3),
        after: Generation(2),
        add: vec![Carry::standby(id("b1")), Carry::standby(id("d1"))],
        remove: vec![],
    };
    bench.worker.assign(bench.now, standby).unwrap();
    let too_large = Assignment::Whole {
        generation: Generation(4),
        instruments: (0..=ASSIGNED_INSTRUMENTS_MAX)
            .map(|n| Carry::primary(id(&format!("x{n}"))))
            .collect(),
    };
    assert!(bench.worker.assign(bench.now, too_large).is_err());
    // The session's end changes nothing, and what was refused for its size has released what it did not name.
    bench.say(CtpEventKind::Connected);
    bench.say(CtpEventKind::Disconnected { reason: 1 });
    let own = ["+[a1 b1] -[]", "+[c1] -[a1]", "+[] -[b1]", "+[] -[c1]"];
    assert_eq!(bench.worker.front.own, own);
}

#[test]
fn says_all_it_is_and_has_to_a_coordinator_without_memory() {
    let mut bench = Bench::new();
    bench.assign(7, &["a1", "b1"]);
    bench.say(CtpEventKind::Connected);
    bench.accept(1);
    bench.after(0);
    bench.say(CtpEventKind::Ticking { instrument: id("a1") });
    let error = Some(RspError::new(16, "no such instrument"));
    bench.say(CtpEventKind::Subscribed { instrument: Some(id("b1")), error });
    let hello = bench.worker.hello(100);
    assert_eq!(hello.generation, Some(Generation(7)));
    assert_eq!((hello.session.state, hello.session.epoch), (SessionState::Ready, Epoch(1)));
    let states: Vec<_> = hello.inventory.into_iter().map(|report| report.state).collect();
    let refused = InstrumentState::Refused { error_id: 16, message: "no such instrument".into() };
    assert_eq!(states, [InstrumentState::Ticking, refused]);
}

#[test]
fn answers_that_name_nothing_and_lost_events_lead_to_asking_again() {
    let mut bench = Bench::new();
    bench.assign(1, &["a1"]);
    bench.say(CtpEventKind::Connected);
    bench.accept(1);
    bench.after(0);
    bench.say(CtpEventKind::Subscribed { instrument: None, error: None });
    assert_eq!(bench.after(9_999), Vec::<String>::new());
    assert_eq!(bench.after(1), ["subscribe a1"]);
    bench.worker.ask_again(bench.now);
    assert_eq!(bench.after(200), ["subscribe a1"]);
}

//! The session under every input it can hear, in order and out of it.

use proptest::prelude::*;

use super::*;

const SETTINGS: SessionSettings = SessionSettings {
    connect_timeout: Duration::from_secs(10),
    login_timeout: Duration::from_secs(10),
    pace: RetryPace::new(3),
};

/// A session with its clock: the machine's own, read once; all else is added to it.
struct Bench {
    session: Session,
    now: Instant,
    links: u64,
}

impl Bench {
    fn new() -> Self {
        let now = shm_layout::clock::monotonic();
        Self { session: Session::new(SETTINGS, now), now, links: 0 }
    }

    fn step(&mut self, input: SessionInput) -> Vec<SessionAction> {
        self.session.step(self.now, input)
    }

    fn connect(&mut self) -> Vec<SessionAction> {
        self.links += 1;
        self.step(SessionInput::Connected(Link(self.links)))
    }

    fn after(&mut self, seconds: u64) -> Vec<SessionAction> {
        self.now += Duration::from_secs(seconds);
        self.step(SessionInput::Time)
    }

    fn refuse(&mut self, request: i32, error_id: i32) -> Vec<SessionAction> {
        let failure = LoginFailure { error_id, message: "no".into() };
        self.step(SessionInput::LoginAnswered(RequestId(request), Err(failure)))
    }

    fn accept(&mut self, request: i32) -> Vec<SessionAction> {
        let day = Date::from_yyyymmdd(20_250_303);
        self.step(SessionInput::LoginAnswered(RequestId(request), Ok(day)))
    }

    fn accept_day(&mut self, request: i32, day: &str) -> Vec<SessionAction> {
        let day = Date::parse(day).ok();
        self.step(SessionInput::LoginAnswered(RequestId(request), Ok(day)))
    }

    fn seen(&mut self, day: &str) -> Vec<SessionAction> {
        self.step(SessionInput::LaterDaySeen(Date::parse(day).unwrap()))
    }

    fn due(&mut self, day: &str) -> Vec<SessionAction> {
        self.step(SessionInput::LaterDayDue(Date::parse(day).unwrap()))
    }

    /// A session of 3 March 2025, with login 1.
    fn running() -> Self {
        let mut bench = Self::new();
        bench.connect();
        bench.accept(1);
        bench
    }

    fn state(&self) -> SessionState {
        self.session.report().state
    }
}

fn login(request: i32) -> Vec<SessionAction> {
    vec![SessionAction::Login(RequestId(request))]
}

#[test]
fn connects_logs_in_and_is_ready() {
    let mut bench = Bench::new();
    assert_eq!(bench.state(), SessionState::Connecting);
    assert_eq!(bench.connect(), login(1));
    assert_eq!(bench.state(), SessionState::LoggingIn);
    assert_eq!(bench.accept(1), [SessionAction::Begins]);
    let report = bench.session.report();
    assert_eq!((report.state, report.epoch), (SessionState::Ready, Epoch(1)));
    assert_eq!(report.trading_day, Date::from_yyyymmdd(20_250_303));
    assert_eq!(bench.session.next_deadline(), None);
}

#[test]
fn an_unreachable_front_is_said_so_and_may_still_come() {
    let mut bench = Bench::new();
    // The disconnects that 6.7 sends for each failed attempt do not put the deadline off.
    for _ in 0..9 {
        bench.after(1);
        assert_eq!(bench.step(SessionInput::Disconnected(0x1001)), []);
        assert_eq!(bench.state(), SessionState::Disconnected { reason: 0x1001 });
    }
    bench.after(1);
    assert_eq!(bench.state(), SessionState::Unreachable);
    bench.step(SessionInput::Disconnected(0x1001));
    assert_eq!(bench.state(), SessionState::Unreachable);
    bench.after(100_000);
    assert_eq!(bench.connect(), login(1));
}

#[test]
fn a_front_that_goes_ends_the_session_and_one_that_returns_opens_the_next() {
    let mut bench = Bench::new();
    bench.connect();
    bench.accept(1);
    assert_eq!(bench.step(SessionInput::Disconnected(0x2001)), [SessionAction::Ends]);
    assert_eq!(bench.state(), SessionState::Disconnected { reason: 0x2001 });
    assert_eq!(bench.connect(), login(2));
    assert_eq!(bench.accept(2), [SessionAction::Begins]);
    assert_eq!(bench.session.report().epoch, Epoch(2));
}

#[test]
fn a_connect_without_a_disconnect_ends_the_session_too() {
    let mut bench = Bench::new();
    bench.connect();
    bench.accept(1);
    assert_eq!(bench.connect(), [SessionAction::Ends, SessionAction::Login(RequestId(2))]);
}

#[test]
fn errors_worth_a_retry_back_off_and_never_end() {
    let mut bench = Bench::new();
    let mut sent = bench.connect();
    for (attempt, pause) in [(1, 1), (2, 2), (3, 4), (4, 60), (5, 60), (6, 60)] {
        assert_eq!(sent, login(attempt));
        assert_eq!(bench.refuse(attempt, [7, 8, 90, 12345][attempt as usize % 4]), []);
        assert!(matches!(bench.state(), SessionState::LoginRetry { .. }));
        assert_eq!(bench.after(pause - 1), [], "too early");
        sent = bench.after(1);
    }
    assert_eq!(bench.accept(7), [SessionAction::Begins]);
}

#[test]
fn a_reconnect_does_not_shorten_the_back_off() {
    let mut bench = Bench::new();
    bench.connect();
    bench.refuse(1, 7);
    bench.after(1);
    bench.refuse(2, 7);
    bench.step(SessionInput::Disconnected(0x1001));
    assert_eq!(bench.connect(), []);
    assert!(matches!(bench.state(), SessionState::LoginRetry { error_id: 7, .. }));
    assert_eq!(bench.after(1), []);
    assert_eq!(bench.after(1), login(3));
}

#[test]
fn a_front_that_hangs_up_at_each_login_is_not_stormed() {
    let mut bench = Bench::new();
    let mut logins = 0;
    for _second in 0..600 {
        logins += bench.connect().len();
        assert!(bench.step(SessionInput::Disconnected(0x1001)).is_empty());
        logins += bench.after(1).len();
    }
    // 1 s, 2 s, 4 s, and then one a minute.
    assert_eq!(logins, 4 + 9);
}

#[test]
fn errors_for_good_raise_an_alarm_that_nothing_ends() {
    for error_id in [3, 63, 64, 75, 140] {
        let mut bench = Bench::new();
        bench.connect();
        assert_eq!(bench.refuse(1, error_id), []);
        assert_eq!(bench.state(), SessionState::Alarm { error_id, message: "no".into() });
        assert_eq!(bench.session.next_deadline(), None);
        assert_eq!(bench.after(1_000_000), []);
        assert_eq!(bench.step(SessionInput::Disconnected(0x1001)), []);
        assert_eq!(bench.connect(), []);
        assert_eq!(bench.accept(1), []);
        assert!(matches!(bench.state(), SessionState::Alarm { .. }));
    }
}

#[test]
fn silence_after_a_login_is_a_failure() {
    let mut bench = Bench::new();
    bench.connect();
    assert_eq!(bench.after(10), []);
    assert!(matches!(bench.state(), SessionState::LoginRetry { error_id: 0, .. }));
    assert_eq!(bench.after(1), login(2));
}

#[test]
fn an_acceptance_that_comes_late_is_one_all_the_same() {
    let mut bench = Bench::new();
    bench.connect();
    bench.after(10);
    bench.after(1);
    assert_eq!(bench.accept(1), [SessionAction::Begins]);
    // The second attempt's answer finds the session open.
    assert_eq!(bench.refuse(2, 7), []);
    assert_eq!(bench.accept(2), []);
    assert_eq!(bench.session.report().epoch, Epoch(1));
}

#[test]
fn a_refusal_that_comes_late_counts_only_when_it_is_for_good() {
    let mut bench = Bench::new();
    bench.connect();
    bench.after(10);
    bench.after(1);
    assert_eq!(bench.refuse(1, 7), []);
    assert_eq!(bench.state(), SessionState::LoggingIn);
    bench.refuse(1, 3);
    assert!(matches!(bench.state(), SessionState::Alarm { error_id: 3, .. }));
}

#[test]
fn a_request_the_library_did_not_take_is_a_failure() {
    for code in [-1, -2, -3] {
        let mut bench = Bench::new();
        bench.connect();
        bench.step(SessionInput::LoginNotSent(RequestId(1), code));
        assert!(
            matches!(bench.state(), SessionState::LoginRetry { error_id, .. } if error_id == code)
        );
        assert_eq!(bench.after(1), login(2));
    }
}

#[test]
fn being_logged_out_leads_back_in() {
    let mut bench = Bench::new();
    bench.connect();
    bench.accept(1);
    assert_eq!(bench.step(SessionInput::LoggedOut), [SessionAction::Ends]);
    assert_eq!(bench.after(1), login(2));
    assert_eq!(bench.accept(2), [SessionAction::Begins]);
    // It was no login that failed.
    assert_eq!(bench.session.login_failures(), 0);
}

#[test]
fn a_session_left_running_over_the_roll_is_logged_in_anew() {
    for due in [false, true] {
        let mut bench = Bench::running();
        let sent = if due { bench.due("20250304") } else { bench.seen("20250304") };
        assert_eq!(sent, login(2));
        // The session goes on meanwhile.
        assert_eq!(bench.state(), SessionState::Ready);
        assert_eq!(bench.session.report().epoch, Epoch(1));
        assert_eq!(bench.seen("20250304"), []);
        assert_eq!(bench.due("20250304"), []);
        assert_eq!(bench.accept_day(2, "20250304"), [SessionAction::Ends, SessionAction::Begins]);
        let report = bench.session.report();
        assert_eq!((report.state, report.epoch), (SessionState::Ready, Epoch(2)));
        assert_eq!(report.trading_day, Date::from_yyyymmdd(20_250_304));
        assert_eq!(bench.session.next_deadline(), None);
        assert_eq!(bench.seen("20250304"), []);
        assert_eq!(bench.due("20250304"), []);
    }
}

#[test]
fn a_front_that_refuses_a_second_login_keeps_its_session() {
    let mut bench = Bench::running();
    assert_eq!(bench.seen("20250304"), login(2));
    let mut request = 2;
    for pause in [1, 2, 4] {
        assert_eq!(bench.refuse(request, 7), []);
        assert_eq!(bench.state(), SessionState::Ready);
        assert_eq!(bench.after(pause - 1), []);
        request += 1;
        assert_eq!(bench.after(1), login(request));
    }
    assert_eq!(bench.refuse(request, 7), []);
    assert_eq!(bench.session.next_deadline(), None);
    assert_eq!(bench.after(100_000), []);
    assert_eq!(bench.seen("20250304"), [], "asked for already");
    assert_eq!((bench.state(), bench.session.login_failures()), (SessionState::Ready, 4));
    // A later moment or a later day is another matter.
    assert_eq!(bench.due("20250304"), login(6));
    bench.refuse(6, 7);
    bench.after(1);
    assert_eq!(bench.accept_day(7, "20250304"), [SessionAction::Ends, SessionAction::Begins]);
    assert_eq!(bench.seen("20250305"), login(8));
}

#[test]
fn a_refusal_for_good_ends_the_attempts_and_not_the_session() {
    for error_id in [3, 63, 64, 75, 140] {
        let mut bench = Bench::running();
        assert_eq!(bench.due("20250304"), login(2));
        assert_eq!(bench.refuse(2, error_id), []);
        assert_eq!(bench.state(), SessionState::Ready);
        assert_eq!(bench.due("20250304"), []);
        assert_eq!(bench.seen("20250304"), []);
        assert_eq!(bench.after(100_000), []);
        // The next connection starts afresh.
        bench.step(SessionInput::Disconnected(0x1001));
        assert_eq!(bench.connect(), login(3));
        bench.accept(3);
        assert_eq!(bench.due("20250304"), login(4));
    }
}

#[test]
fn a_second_login_without_an_answer_is_sent_again_and_its_answer_may_come_late() {
    let mut bench = Bench::running();
    bench.seen("20250304");
    assert_eq!(bench.after(10), []);
    assert_eq!(bench.after(1), login(3));
    bench.step(SessionInput::LoginNotSent(RequestId(3), -2));
    assert_eq!(bench.after(2), login(4));
    assert_eq!(bench.accept_day(2, "20250304"), [SessionAction::Ends, SessionAction::Begins]);
    assert_eq!(bench.after(100_000), []);
    // What the others are answered means nothing any more.
    assert_eq!(bench.accept_day(4, "20250304"), []);
    assert_eq!(bench.session.report().epoch, Epoch(2));
}

#[test]
fn an_answer_with_the_old_day_begins_a_session_and_asks_no_further() {
    let mut bench = Bench::running();
    assert_eq!(bench.seen("20250304"), login(2));
    assert_eq!(bench.accept_day(2, "20250303"), [SessionAction::Ends, SessionAction::Begins]);
    assert_eq!(bench.seen("20250304"), []);
    assert_eq!(bench.after(100_000), []);
    assert_eq!(bench.due("20250304"), login(3));
    // An answer without a day leaves the one that is known.
    bench.step(SessionInput::LoginAnswered(RequestId(3), Ok(None)));
    assert_eq!(bench.session.trading_day(), Date::from_yyyymmdd(20_250_303));
}

#[test]
fn only_a_running_session_and_a_day_that_follows_lead_to_another_login() {
    let mut bench = Bench::new();
    assert_eq!(bench.due("20250304"), []);
    bench.connect();
    assert_eq!(bench.seen("20250304"), []);
    bench.accept(1);
    for day in ["20250303", "20250228", "20250404", "20991231"] {
        assert_eq!(bench.due(day), [], "{day}");
        assert_eq!(bench.seen(day), [], "{day}");
    }
    assert_eq!(bench.due("20250403"), login(2));
    // A front that hangs up on it is one that went away.
    assert_eq!(bench.step(SessionInput::Disconnected(0x1001)), [SessionAction::Ends]);
    assert_eq!(bench.due("20250304"), []);
    assert_eq!(bench.connect(), login(3));
    assert_eq!(bench.accept_day(3, "20250304"), [SessionAction::Begins]);
    // Without a day there is nothing to compare.
    let mut bench = Bench::new();
    bench.connect();
    bench.step(SessionInput::LoginAnswered(RequestId(1), Ok(None)));
    assert_eq!(bench.due("20250304"), []);
}

fn first_day() -> Date {
    Date::parse("20250303").unwrap()
}

fn inputs() -> impl Strategy<Value = (u64, SessionInput)> {
    let error = prop::sample::select(vec![7, 8, 90, 1, 16]);
    let input = prop_oneof![
        (1_u64..20).prop_map(|link| SessionInput::Connected(Link(link))),
        Just(SessionInput::Disconnected(0x1001)),
        (0_i32..30).prop_map(|request| SessionInput::LoginAnswered(RequestId(request), Ok(None))),
        (0_i32..30, 0..3).prop_map(|(request, days)| {
            SessionInput::LoginAnswered(RequestId(request), Ok(Some(first_day().plus_days(days))))
        }),
        (0..4).prop_map(|days| SessionInput::LaterDaySeen(first_day().plus_days(days))),
        (0..4).prop_map(|days| SessionInput::LaterDayDue(first_day().plus_days(days))),
        (0_i32..30, error).prop_map(|(request, error_id)| {
            let failure = LoginFailure { error_id, message: String::new() };
            SessionInput::LoginAnswered(RequestId(request), Err(failure))
        }),
        (0_i32..30).prop_map(|request| SessionInput::LoginNotSent(RequestId(request), -3)),
        Just(SessionInput::LoggedOut),
        Just(SessionInput::Time),
    ];
    (0_u64..70_000, input)
}

proptest! {
    #[test]
    fn whatever_happens_begins_and_ends_alternate_and_ready_is_reachable(
        history in prop::collection::vec(inputs(), 0..120),
    ) {
        let mut bench = Bench::new();
        let mut open = false;
        let mut begun = 0;
        for (millis, input) in history {
            bench.now += Duration::from_millis(millis);
            let renews = bench.session.renewals.current.is_some()
                || matches!(input, SessionInput::LaterDaySeen(_) | SessionInput::LaterDayDue(_));
            let (day, epoch) = (bench.session.trading_day(), bench.session.report().epoch);
            for action in bench.step(input) {
                match action {
                    SessionAction::Begins => { prop_assert!(!open); open = true; begun += 1; }
                    SessionAction::Ends => { prop_assert!(open); open = false; }
                    // Beside a running session only a new day leads to one.
                    SessionAction::Login(_) => prop_assert!(!open || renews),
                }
            }
            prop_assert_eq!(open, bench.session.is_ready());
            prop_assert_eq!(bench.session.report().epoch, Epoch(begun));
            // The day changes with the session and never without.
            prop_assert!(day == bench.session.trading_day() || bench.session.report().epoch > epoch);
            // Nothing but a front that is expected by the library itself may leave the session without a deadline.
            let waits = match bench.state() {
                SessionState::Unreachable => true,
                SessionState::Ready => bench.session.renewals.current.is_none(),
                _ => false,
            };
            prop_assert_eq!(bench.session.next_deadline().is_none(), waits);
        }
        // From anywhere, a front that connects and accepts makes the session ready within a slow back-off.
        let mut actions = bench.connect();
        if actions.last().is_none_or(|last| !matches!(last, SessionAction::Login(_))) {
            actions = bench.after(60);
        }
        let request = actions.iter().find_map(|action| match action {
            SessionAction::Login(request) => Some(request.0),
            _ => None,
        });
        bench.accept(request.unwrap());
        prop_assert!(bench.session.is_ready());
    }

    #[test]
    fn logins_are_never_stormed(history in prop::collection::vec(inputs(), 0..300)) {
        let mut bench = Bench::new();
        // When the last failed login was sent, and how many have failed in a row.
        let mut last: Option<Instant> = None;
        for (millis, input) in history {
            bench.now += Duration::from_millis(millis % 3000);
            let accepted = matches!(input, SessionInput::LoginAnswered(_, Ok(_)));
            let actions = bench.step(input);
            if accepted && actions.contains(&SessionAction::Begins) {
                last = None;
            }
            if actions.iter().any(|action| matches!(action, SessionAction::Login(_))) {
                if let Some(last) = last
                    && bench.session.back_off.is_some()
                {
                    prop_assert!(bench.now - last >= Duration::from_secs(1));
                }
                last = Some(bench.now);
            }
        }
    }
}

//! Golden tables, and what holds for every status.

use proptest::prelude::*;
use shm_layout::control::{
    ConnectionView, ConnectionWish, Quality, RefusedInstrument, SessionState, Standing,
    WorkerProcess, WorkerStatus,
};
use shm_layout::{BrokerId, ConnectionId, Date, FrontAddr, InstrumentId, WorkerId};

use super::*;
use crate::example;
use crate::shown::columns;

/// A text as a terminal without colours shows it.
fn without_colours(mut text: String) -> String {
    while let Some(start) = text.find("\x1b[") {
        let end = start + text[start..].find('m').unwrap();
        text.replace_range(start..=end, "");
    }
    text
}

fn plain(status: &FleetStatus) -> String {
    render(status, Style::default())
}

fn table(text: &str) -> Vec<&str> {
    let from_head = text.lines().skip_while(|line| !line.starts_with("CONNECTION "));
    from_head.take_while(|line| !line.is_empty()).collect()
}

#[test]
fn a_fleet_with_every_trouble() {
    let golden = "\
qamd 0.1.0  instance qamd, pid 4710, up 1 h 02 min
http://127.0.0.1:7798/status and /metrics
ws://127.0.0.1:7799  pid 4712, 2 sessions (1 by DIFF), 0 instruments, 2,000 ticks pushed
  7 lost in the ring, 12 merged because ticks came faster than they could be sent
trading day 2026-11-23, CTP library 6.7.13
connection_quality, 2 connections per instrument, plan 1,012, in a trading session
300 instruments wanted: 279 ticking, 3 acknowledged without a tick yet,
  1 silent (asked again and again), 5 not acknowledged, 11 waiting for room, 4 moving,
  280 short of copies, 1 refused for good
queue: zn2703, zn2704, ag2612, au2612, IF2612 and 6 more

CONNECTION                BROKER  STATE         QUALITY      SUBSCRIBED  TICKS/S  WON  BEHIND
guangfa_telecom           9000    ready              97  280/280 of 600   1041.5  92%     0.1
zhongxin_mobile           66666   probation          63      3/4 of 600     41.5   7%     6.0
simnow                    9999    ALARM               -      0/0 of 600      0.0    -       -
haitong_unicom_with_a_r…  8000    restarting          -      3/4 of 600     41.5    -       -
yongan                    0034    disconnected        0      0/4 of 600      0.0    -       -
huatai                    1080    drained            97      0/0 of 600      0.0    -       -
off                       1       disabled            -               -        -    -       -

! simnow: login refused for good: CTP:不合法的登录 (error 3); correct the configuration and restart
! haitong_unicom_with_a_rather_long_name: killed by signal 11 SIGSEGV, core dumped; started again 3
  times
! yongan: the front went away (reason 0x1001); the library reconnects
! rb9999: refused by guangfa_telecom: CTP:找不到合约 (error 16)
! trading day 2026-11-20: huatai
! zhongxin_mobile: quality 63: 20 for tick delay, 12 for disconnects, 5 for gaps
· CTP library 6.6.9: huatai

note: qamddata_name: this version does not write the qamddata segment yet
";
    assert_eq!(plain(&example::status()), golden);
}

/// A fleet of so many, all well, whose names are short.
fn well(connections: usize) -> FleetStatus {
    let mut status = example::status();
    let one = WorkerStatus {
        subscriptions: 280,
        acknowledged: 280,
        ticks_per_second: 1041.5,
        ..example::worker("a", "9000", WorkerProcess::Running, Some(SessionState::Ready))
    };
    status.workers = (0..connections)
        .map(|index| WorkerStatus {
            connection_id: ConnectionId::parse(&format!("broker{index:02}")).unwrap(),
            ..one.clone()
        })
        .collect();
    (status.redundancy, status.notices, status.refused) = (1, Vec::new(), Vec::new());
    status.frontends[0].stats.ring_lost = 0;
    status.frontends[0].stats.overrun = 0;
    (status.wanted, status.placed, status.acknowledged, status.ticking) = (9, 9, 9, 9);
    (status.waiting_for_room, status.refused_for_good) = (0, 0);
    (status.short_of_copies, status.moving, status.silent) = (0, 0, 0);
    status.queue.clear();
    status
}

#[test]
fn a_fleet_without_trouble_is_short() {
    let golden = "\
qamd 0.1.0  instance qamd, pid 4710, up 1 h 02 min
http://127.0.0.1:7798/status and /metrics
ws://127.0.0.1:7799  pid 4712, 2 sessions (1 by DIFF), 0 instruments, 2,000 ticks pushed
trading day 2026-11-23, CTP library 6.7.13
connection_quality, 1 connection per instrument, plan 1,012, outside trading sessions
9 instruments wanted: 9 ticking

CONNECTION  BROKER  STATE  QUALITY      SUBSCRIBED  TICKS/S
broker00    9000    ready       97  280/280 of 600   1041.5
broker01    9000    ready       97  280/280 of 600   1041.5
";
    let mut status = well(2);
    status.in_session = false;
    assert_eq!(plain(&status), golden);
}

#[test]
fn ninety_connections_are_summed_up_and_their_troubles_bounded() {
    let mut status = well(90);
    (status.redundancy, status.workers[89].process) = (2, WorkerProcess::Disabled);
    for worker in &mut status.workers[50..80] {
        worker.session.as_mut().unwrap().state = SessionState::Disconnected { reason: 0x1001 };
    }
    for worker in &mut status.workers[80..87] {
        worker.session.as_mut().unwrap().trading_day = Date::parse("20261120").ok();
    }
    let alarm = SessionState::Alarm { error_id: 3, message: "no".into() };
    status.workers[88].session.as_mut().unwrap().state = alarm;
    let text = plain(&status);
    let summary = "90 connections: 58 ready, 30 disconnected, 1 ALARM, 1 disabled";
    assert!(text.lines().any(|line| line == summary), "{text}");
    assert_eq!(table(&text).len(), 91);
    let problems: Vec<&str> = text.lines().skip_while(|line| !line.starts_with('!')).collect();
    assert!(problems[0].starts_with("! broker88: login refused for good: no"), "{text}");
    assert!(problems[1].starts_with("! broker50: the front went away"), "{text}");
    assert_eq!((problems.len(), problems[20]), (21, "  and 12 more; see --json"));
    status.workers[50..80].iter_mut().for_each(|worker| worker.process = WorkerProcess::Disabled);
    status.workers[50..80].iter_mut().for_each(|worker| worker.session = None);
    let day = "! trading day 2026-11-20: broker80, broker81, broker82 and 4 more";
    assert_eq!(plain(&status).lines().last(), Some(day));
}

#[test]
fn with_short_names_the_table_fits_eighty_columns() {
    let mut status = well(90);
    status.redundancy = 2;
    for worker in &mut status.workers {
        worker.view = ConnectionView { won: 3, copies: 1, behind_ns: 99, ..worker.view };
    }
    status.workers[7].session.as_mut().unwrap().state = SessionState::Disconnected { reason: 1 };
    status.workers[8].connection_id = ConnectionId::parse("eleven_long").unwrap();
    let text = plain(&status);
    assert_eq!(table(&text).iter().map(|row| columns(row)).max(), Some(80), "{text}");
}

#[test]
fn who_was_first_is_shown_where_there_is_a_contest() {
    let mut status = well(2);
    status.workers[1].view.late = 1;
    assert!(table(&plain(&status))[0].ends_with("TICKS/S"));
    (status.workers[1].view.late, status.workers[1].view.won) = (0, 1);
    assert!(table(&plain(&status))[0].ends_with("TICKS/S   WON  BEHIND"));
    assert!(table(&plain(&status))[1].ends_with("   -       -"));
    status.workers[1].view.won = 0;
    status.redundancy = 2;
    assert!(table(&plain(&status))[0].ends_with("TICKS/S  WON  BEHIND"));
}

#[test]
fn a_state_joins_process_session_and_standing() {
    let ready = Some(SessionState::Ready);
    let of = |process, session: Option<SessionState>, standing, wish, subscriptions| {
        let worker = WorkerStatus {
            standing,
            wish,
            subscriptions,
            ..example::worker("a", "1", process, session)
        };
        state::state(&worker).0
    };
    let running = |standing, wish, carries| {
        of(WorkerProcess::Running, ready.clone(), standing, wish, carries)
    };
    let (drain, disable) = (ConnectionWish::Drain, ConnectionWish::Disable);
    assert_eq!(running(Standing::Good, None, 4), "ready");
    assert_eq!(running(Standing::Good, Some(ConnectionWish::Enable), 4), "ready");
    assert_eq!(running(Standing::Probation, None, 4), "probation");
    assert_eq!(running(Standing::Away, None, 4), "silent");
    assert_eq!(running(Standing::Closed, Some(drain), 4), "draining");
    assert_eq!(running(Standing::Closed, Some(drain), 0), "drained");
    assert_eq!(running(Standing::Closed, Some(disable), 4), "draining");
    assert_eq!(running(Standing::Closed, Some(disable), 0), "stopping");
    let away = Some(SessionState::Unreachable);
    assert_eq!(of(WorkerProcess::Running, away, Standing::Away, Some(drain), 4), "unreachable");
    let ending = |process| of(process, None, Standing::Closed, None, 0);
    assert_eq!(ending(WorkerProcess::Restarting), "restarting");
    assert_eq!(ending(WorkerProcess::Stopping), "stopping");
    let detached = of(WorkerProcess::Detached, ready.clone(), Standing::Probation, None, 4);
    assert_eq!(detached, "detached");
    let first_start = of(WorkerProcess::BackingOff, None, Standing::Good, None, 4);
    assert_eq!(first_start, "starting", "it did not die");
}

#[test]
fn a_worker_that_is_not_heard_of_is_a_problem() {
    let mut status = well(1);
    status.workers[0].standing = Standing::Away;
    let told = "! broker00: its worker has not been heard of for too long; if that goes on it is started anew";
    assert_eq!(plain(&status).lines().last(), Some(told));
}

#[test]
fn a_low_quality_is_explained_and_one_of_a_connection_that_is_away_is_not() {
    let mut status = well(1);
    status.workers[0].quality = Some(Quality {
        score: 79.4,
        delay: 0.4,
        gaps: 0.0,
        errors: 0.0,
        disconnects: 0.0,
        staleness: 20.2,
    });
    let told = "! broker00: quality 79: 20 for silence while others tick";
    assert_eq!(plain(&status).lines().last(), Some(told));
    let quality = status.workers[0].quality;
    status.workers.extend(well(2).workers.split_off(1));
    status.workers[1].quality = quality.map(|quality| Quality { score: 7.0, ..quality });
    let worse =
        "\n! broker01: quality 7: 20 for silence while others tick\n! broker00: quality 79: ";
    assert!(plain(&status).contains(worse), "the worst comes first");
    status.workers.truncate(1);
    let worker = &mut status.workers[0];
    worker.quality.as_mut().unwrap().score = 79.5;
    assert!(!plain(&status).contains("quality 80"), "it is shown as 80, which is not low");
    let worker = &mut status.workers[0];
    worker.quality.as_mut().unwrap().score = 0.0;
    worker.session.as_mut().unwrap().state = SessionState::Disconnected { reason: 1 };
    assert!(!plain(&status).contains("quality 0"));
}

#[test]
fn days_of_connections_that_are_logged_in_count_before_those_of_others() {
    let mut status = well(3);
    for worker in &mut status.workers[..2] {
        let session = worker.session.as_mut().unwrap();
        session.state = SessionState::Disconnected { reason: 1 };
        session.trading_day = Date::parse("20261120").ok();
    }
    assert!(plain(&status).contains("\ntrading day 2026-11-23, "));
    assert!(!plain(&status).contains("2026-11-20"));
    status.workers[2].session = None;
    assert!(plain(&status).contains("\ntrading day 2026-11-20, "), "better than none");
    status.workers.iter_mut().for_each(|worker| worker.session = None);
    assert!(plain(&status).contains("\nCTP library 6.7.13\n"));
    status.workers.iter_mut().for_each(|worker| worker.library_version = None);
    assert!(!plain(&status).contains("library 6.7.13"));
}

#[test]
fn refused_instruments_are_bounded() {
    let mut status = well(1);
    let refused = |number: usize| RefusedInstrument {
        instrument: InstrumentId::parse(&format!("rb{number}")).unwrap(),
        connection_id: ConnectionId::parse("a").unwrap(),
        error_id: 16,
        message: "no".into(),
    };
    status.refused = (0..10).map(refused).collect();
    assert_eq!(plain(&status).lines().last(), Some("! rb9: refused by a: no (error 16)"));
    status.refused = (0..100).map(refused).collect();
    assert_eq!(plain(&status).lines().last(), Some("! and 90 more refused; see --json"));
}

#[test]
fn a_frontend_that_is_gone_is_said_before_all_else() {
    let mut status = example::status();
    (status.frontends[0].connected, status.frontends[0].pid, status.frontends[0].restarts) =
        (false, None, 2);
    let text = plain(&status);
    assert_eq!(text.lines().nth(2), Some("WebSocket frontend: not running, 2 restarts"));
}

#[test]
fn sessions_are_not_spoken_of_while_nothing_is_wanted() {
    let mut status = well(1);
    (status.wanted, status.in_session) = (0, false);
    assert!(plain(&status).contains("plan 1,012\n"));
}

fn any_process() -> impl Strategy<Value = WorkerProcess> {
    prop::sample::select(vec![
        WorkerProcess::Disabled,
        WorkerProcess::Starting,
        WorkerProcess::Running,
        WorkerProcess::Running,
        WorkerProcess::Running,
        WorkerProcess::Detached,
        WorkerProcess::BackingOff,
        WorkerProcess::Failed,
        WorkerProcess::Restarting,
        WorkerProcess::Stopping,
    ])
}

/// As long as CTP's messages get: 80 bytes, Chinese or not.
fn any_message() -> impl Strategy<Value = String> {
    prop_oneof!["[不合法的登录，]{0,40}", "[ -~]{0,80}"]
}

fn any_session() -> impl Strategy<Value = SessionState> {
    prop_oneof![
        3 => Just(SessionState::Ready),
        1 => Just(SessionState::Connecting),
        1 => Just(SessionState::LoggingIn),
        1 => Just(SessionState::Unreachable),
        1 => any::<i32>().prop_map(|reason| SessionState::Disconnected { reason }),
        1 => (any::<i32>(), any_message())
            .prop_map(|(error_id, message)| SessionState::LoginRetry { error_id, message }),
        1 => (any::<i32>(), any_message())
            .prop_map(|(error_id, message)| SessionState::Alarm { error_id, message }),
    ]
}

fn any_standing() -> impl Strategy<Value = (Standing, Option<ConnectionWish>)> {
    let standing = prop::sample::select(vec![
        Standing::Good,
        Standing::Probation,
        Standing::Away,
        Standing::Closed,
    ]);
    let wish = prop::option::of(prop::sample::select(vec![
        ConnectionWish::Restart,
        ConnectionWish::Drain,
        ConnectionWish::Enable,
        ConnectionWish::Disable,
    ]));
    (standing, wish)
}

/// Any connection that can be, with names as long as may be and counters as high.
fn any_worker() -> impl Strategy<Value = WorkerStatus> {
    let name = ("[A-Za-z0-9_-]{1,40}", "[A-Za-z0-9]{1,10}", "[a-z]{1,50}(\\.[a-z]{1,50}){0,3}");
    let state = (any_process(), prop::option::of(any_session()), any_standing());
    let numbers = (
        any::<[u32; 3]>(),
        any::<[u64; 5]>(),
        0.0..1e12_f64,
        prop::option::of(prop::array::uniform6(0.0..200.0_f32)),
    );
    let rest = (prop::option::of("[ -~]{0,80}"), prop::option::of("[ -~]{0,30}"), 0..3_u64);
    (name, state, numbers, rest).prop_map(|(name, state, numbers, rest)| {
        let mut worker = example::worker(&name.0, &name.1, state.0, state.1);
        worker.broker_id = BrokerId::parse(&name.1).unwrap();
        worker.front_addr = FrontAddr::parse(&format!("tcp://{}:65535", name.2)).unwrap();
        (worker.standing, worker.wish) = state.2;
        let [subscriptions, acknowledged, most] = numbers.0;
        (worker.subscriptions, worker.acknowledged) = (subscriptions, acknowledged);
        worker.max_subscriptions = most;
        let [won, copies, late, behind_ns, panics] = numbers.1;
        worker.view =
            ConnectionView { won, copies, late, behind_ns, ..ConnectionView::of(WorkerId(0)) };
        (worker.stats.panics, worker.ticks_per_second) = (panics, numbers.2);
        worker.quality = numbers.3.map(|[score, delay, gaps, errors, disconnects, staleness]| {
            Quality { score: score / 2.0, delay, gaps, errors, disconnects, staleness }
        });
        (worker.last_exit, worker.library_version, worker.restarts) = rest;
        worker
    })
}

fn any_status() -> impl Strategy<Value = FleetStatus> {
    let id = "[A-Za-z0-9]{1,80}";
    let fleet = (any::<[u32; 10]>(), any::<u64>(), prop::collection::vec(id, 0..9));
    let frontend = any::<[u64; 6]>();
    let refused = prop::collection::vec((id, any_message(), any::<i32>()), 0..15);
    let notices = prop::collection::vec("[a-z ]{0,300}", 0..3);
    let workers = prop::collection::vec(any_worker(), 90);
    (workers, fleet, frontend, refused, notices).prop_map(
        |(workers, (counts, plan, queue), frontend, refused, notices)| {
            let mut status = FleetStatus { workers, plan, notices, ..example::status() };
            [
                status.wanted,
                status.placed,
                status.acknowledged,
                status.ticking,
                status.waiting_for_room,
                status.silent,
                status.refused_for_good,
                status.short_of_copies,
                status.moving,
                status.redundancy,
            ] = counts;
            let instrument = |id: &String| InstrumentId::parse(id).unwrap();
            status.queue = queue.iter().map(instrument).collect();
            let stats = &mut status.frontends[0].stats;
            [
                stats.pushed,
                stats.ring_lost,
                stats.conflated,
                stats.overrun,
                stats.slow_disconnects,
                stats.sessions_refused,
            ] = frontend;
            let connection_id = status.workers[0].connection_id;
            status.refused = refused
                .into_iter()
                .map(|(id, message, error_id)| RefusedInstrument {
                    instrument: instrument(&id),
                    connection_id,
                    error_id,
                    message,
                })
                .collect();
            status
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_line_fits_a_hundred_columns(status in any_status()) {
        let text = plain(&status);
        let longest = text.lines().max_by_key(|line| columns(line)).unwrap();
        prop_assert!(columns(longest) <= 100, "{} columns: {longest}", columns(longest));
        prop_assert!(text.lines().all(|line| line == line.trim_end()), "{text:?}");
        let rows = table(&text);
        prop_assert_eq!(rows.len(), 91);
        let width = columns(rows[0]);
        prop_assert!(rows.iter().all(|row| columns(row) == width), "{}", text);
    }

    #[test]
    fn colours_change_no_letter(status in any_status()) {
        let coloured = render(&status, Style { colour: true });
        let plain = plain(&status);
        prop_assert!(coloured.contains("\x1b["));
        prop_assert_eq!(without_colours(coloured), plain);
    }
}

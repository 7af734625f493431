//! The real binary over the simulated library: from a login to a tick in the ring, and what goes wrong on the way.

mod day_roll;
mod harness;

use harness::{Fleet, WATCHDOG, id};
use shm_layout::control::{
    Assignment, Carry, CarryRole, FromWorker, InstrumentState, SessionState, ToWorker,
};
use shm_layout::depth::{DepthOwner, DepthReader, Found, SlotFacts};
use shm_layout::shared_memory::{Place, Sharing};
use shm_layout::{Date, ExchangeId, Generation, Source, TickFlags};

const TICKING: fn(&InstrumentState) -> bool = |state| *state == InstrumentState::Ticking;
const READY: fn(&SessionState) -> bool = |state| *state == SessionState::Ready;

fn is_snapshot(tick: &shm_layout::Tick) -> bool {
    TickFlags(tick.flags).contains(TickFlags::SNAPSHOT)
}

/// Runs a test in a runtime, ended by a watchdog if it hangs.
fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let watched = async { tokio::time::timeout(WATCHDOG, test).await.expect("the test hangs") };
    runtime.expect("a runtime").block_on(watched);
}

#[test]
fn from_the_first_tick_to_a_clean_stop() {
    run(async {
        let mut fleet = Fleet::new();
        let script = r#"{"clock":{"start":"2025-03-03T21:10:00"},"rate":200}"#;
        let mut worker = fleet.start_and_accept(script).await;
        assert!(worker.hello.library_version.contains("qamd-sim"));
        assert_eq!((worker.hello.worker.0, worker.hello.generation), (5, None));
        let trading_day = loop {
            match worker.hear().await {
                FromWorker::Session(report) if report.state == SessionState::Ready => {
                    break report.trading_day;
                }
                _ => {}
            }
        };
        assert_eq!(trading_day, Date::from_yyyymmdd(20_250_304));
        worker.assign(1, &["rb2505", "m2505", "SR505"]).await;
        worker.all_ticking(&["rb2505", "m2505", "SR505"]).await;
        fleet.ticks_until(|ticks| ticks.len() >= 3).await;
        worker.say(ToWorker::Stop).await;
        let words = worker.last_words().await;
        let FromWorker::Stats(last) = words.last().expect("counters at last") else {
            panic!("the last word is not the counters: {words:?}");
        };
        assert!(last.ticks >= 3 && last.instruments == 3 && last.acknowledged == 3, "{last:?}");
        assert_eq!(
            (last.malformed, last.unpublished, last.panics, last.dropped_events),
            (0, 0, 0, 0)
        );
        assert_eq!(fleet.ended().await, Some(0));
        assert!(!fleet.worker_lock().exists());
        assert!(fleet.flow_dir.join("TradingDay.con").exists());
        assert!(!fleet.flow_dir.join("worker.lock").exists());
    });
}

#[test]
fn ticks_are_numbered_stamped_and_the_first_of_each_instrument_is_a_snapshot() {
    run(async {
        let mut fleet = Fleet::new();
        let script = r#"{"clock":{"start":"2025-03-03T21:10:00"},"rate":200}"#;
        let mut worker = fleet.start_and_accept(script).await;
        worker.assign(1, &["rb2505", "m2505", "SR505"]).await;
        let ticks = fleet.ticks_until(|ticks| ticks.len() >= 60).await;
        for (index, tick) in ticks.iter().enumerate() {
            assert_eq!(tick.sequence, index as u64 + 1);
            assert_eq!((tick.worker, tick.incarnation), (5, worker.hello.incarnation.0));
            assert_eq!(tick.source, Source::Simulation as u8);
            // Monday's night belongs to Tuesday, whatever each exchange sends as its days.
            assert_eq!((tick.trading_day, tick.action_day), (20_250_304, 20_250_303));
            let first = ticks.iter().position(|other| other.instrument_id == tick.instrument_id);
            assert_eq!(is_snapshot(tick), first == Some(index));
        }
        for (instrument, exchange) in
            [("rb2505", ExchangeId::SHFE), ("m2505", ExchangeId::DCE), ("SR505", ExchangeId::CZCE)]
        {
            let of_it = ticks.iter().find(|tick| tick.instrument() == Ok(id(instrument)));
            assert_eq!(of_it.map(shm_layout::Tick::exchange), Some(exchange));
        }
    });
}

#[test]
fn every_layout_of_the_library_is_read() {
    for abi in ["6.3.11", "6.3.19", "6.5.1", "6.6.1", "6.7.2", "6.7.13"] {
        run(async {
            let mut fleet = Fleet::new();
            let script = format!(r#"{{"abi":"{abi}","rate":100}}"#);
            let mut worker = fleet.start_and_accept(&script).await;
            assert!(worker.hello.library_version.contains(abi), "{}", worker.hello.library_version);
            worker.assign(1, &["rb2505"]).await;
            let state = worker.instrument_until("rb2505", TICKING).await;
            assert_eq!(state, InstrumentState::Ticking, "{abi}");
            let ticks = fleet.ticks_until(|ticks| ticks.len() >= 3).await;
            for tick in ticks {
                assert_eq!(tick.instrument(), Ok(id("rb2505")), "{abi}");
                assert!(tick.last_price > 0.0 && tick.last_price < tick.upper_limit_price, "{abi}");
            }
            assert_eq!(worker.next_stats().await.malformed, 0, "{abi}");
        });
    }
}

#[test]
fn a_front_that_goes_and_returns_has_everything_subscribed_again() {
    run(async {
        let mut fleet = Fleet::new();
        let script = r#"{"rate":200,"faults":[{"after_ticks":20,"do":"disconnect","reconnect_after_ms":200}]}"#;
        let mut worker = fleet.start_and_accept(script).await;
        worker.assign(1, &["rb2505", "m2505"]).await;
        worker.session_until(READY).await;
        let states = worker.session_until(READY).await;
        assert!(states.contains(&SessionState::Disconnected { reason: 0x1001 }), "{states:?}");
        worker.instrument_until("rb2505", TICKING).await;
        // Each instrument begins twice with a snapshot, and no number is missing in between.
        let ticks =
            fleet.ticks_until(|ticks| ticks.iter().filter(|t| is_snapshot(t)).count() >= 4).await;
        assert!(ticks.iter().zip(1..).all(|(tick, sequence)| tick.sequence == sequence));
        worker.stats_until(|stats| (stats.logins, stats.disconnects) == (2, 1)).await;
    });
}

#[test]
fn a_login_refused_for_good_raises_an_alarm_and_is_not_repeated() {
    run(async {
        let mut fleet = Fleet::new();
        let script = r#"{"faults":[{"do":"refuse_login","error_id":3,"times":1}]}"#;
        let mut worker = fleet.start_and_accept(script).await;
        let states =
            worker.session_until(|state| matches!(state, SessionState::Alarm { .. })).await;
        let Some(SessionState::Alarm { error_id: 3, message }) = states.last() else {
            panic!("no alarm: {states:?}");
        };
        assert!(message.contains("不合法的登录"), "{message}");
        // The next login would be accepted; that none is made shows in the counters of the next seconds.
        for _ in 0..3 {
            assert_eq!(worker.next_stats().await.logins, 0);
        }
        worker.say(ToWorker::Stop).await;
        assert_eq!(fleet.ended().await, Some(0));
    });
}

#[test]
fn a_login_refused_for_now_is_repeated() {
    run(async {
        let mut fleet = Fleet::new();
        let script = r#"{"faults":[{"do":"refuse_login","error_id":7,"times":1}]}"#;
        let mut worker = fleet.start_and_accept(script).await;
        let states = worker.session_until(READY).await;
        assert!(
            matches!(
                states[..],
                [
                    ..,
                    SessionState::LoginRetry { error_id: 7, .. },
                    SessionState::LoggingIn,
                    SessionState::Ready
                ]
            ),
            "{states:?}"
        );
    });
}

#[test]
fn an_instrument_that_does_not_exist_is_refused_by_name_and_the_others_tick() {
    run(async {
        let mut fleet = Fleet::new();
        let script = r#"{"rate":100,"faults":[{"do":"refuse_instrument","instrument":"zz9999"}]}"#;
        let mut worker = fleet.start_and_accept(script).await;
        worker.assign(1, &["rb2505", "zz9999"]).await;
        let refused = worker
            .instrument_until("zz9999", |state| matches!(state, InstrumentState::Refused { .. }))
            .await;
        let InstrumentState::Refused { error_id, message } = refused else { unreachable!() };
        assert_eq!(error_id, 16);
        assert!(message.chars().any(|c| c > '\u{4e00}'), "{message}");
        fleet.ticks_until(|ticks| ticks.iter().any(|t| t.instrument() == Ok(id("rb2505")))).await;
        worker.stats_until(|stats| (stats.instruments, stats.acknowledged) == (1, 1)).await;
    });
}

#[test]
fn the_data_path_survives_the_coordinator_and_nothing_is_subscribed_anew() {
    run(async {
        let mut fleet = Fleet::new();
        let mut worker = fleet.start_and_accept(r#"{"rate":200}"#).await;
        worker.assign(7, &["rb2505"]).await;
        worker.instrument_until("rb2505", TICKING).await;
        // The coordinator dies, and its socket with it.
        drop(worker);
        fleet.listen();
        let mut worker = fleet.accept().await;
        assert_eq!(worker.hello.generation, Some(Generation(7)));
        assert_eq!(worker.hello.session.state, SessionState::Ready);
        let inventory: Vec<_> =
            worker.hello.inventory.iter().map(|r| (r.instrument, r.state.clone())).collect();
        assert_eq!(inventory, [(id("rb2505"), InstrumentState::Ticking)]);
        // The new coordinator says the same again, and one more; an older word is refused.
        worker.assign(8, &["rb2505", "m2505"]).await;
        worker.instrument_until("m2505", TICKING).await;
        worker.assign(8, &[]).await;
        let refused =
            FromWorker::AssignmentRefused { refused: Generation(8), current: Some(Generation(8)) };
        while worker.hear().await != refused {}
        let ticks = fleet.ticks_until(|ticks| ticks.len() >= 100).await;
        assert!(ticks.iter().zip(1..).all(|(tick, sequence)| tick.sequence == sequence));
        assert_eq!(ticks.iter().filter(|tick| is_snapshot(tick)).count(), 2);
        assert_eq!(worker.next_stats().await.logins, 1);
    });
}

#[test]
fn what_is_released_ticks_no_more_and_may_come_back() {
    run(async {
        let mut fleet = Fleet::new();
        let mut worker = fleet.start_and_accept(r#"{"rate":200}"#).await;
        worker.assign(1, &["rb2505", "m2505"]).await;
        worker.instrument_until("rb2505", TICKING).await;
        worker.assign(2, &["m2505"]).await;
        worker.instrument_until("rb2505", |state| *state == InstrumentState::Released).await;
        fleet.ticks_until(|ticks| ticks.len() >= 20).await;
        let later = fleet.ticks_until(|ticks| ticks.len() >= 50).await;
        assert!(later.iter().all(|tick| tick.instrument() == Ok(id("m2505"))));
        worker.assign(3, &["m2505", "rb2505"]).await;
        worker.instrument_until("rb2505", TICKING).await;
        let back = fleet
            .ticks_until(|ticks| ticks.iter().any(|t| t.instrument() == Ok(id("rb2505"))))
            .await;
        assert!(is_snapshot(
            back.iter().find(|tick| tick.instrument() == Ok(id("rb2505"))).expect("it is there")
        ));
    });
}

#[test]
fn an_instrument_that_is_acknowledged_and_sends_nothing_is_silent_until_it_ticks() {
    run(async {
        let mut fleet = Fleet::new();
        let script = r#"{"rate":200,"faults":[{"do":"silent","for_ms":12000}]}"#;
        let mut command = fleet.command(script);
        command.args(["--quick-retries", "0"]);
        fleet.start_command(command);
        let mut worker = fleet.accept().await;
        worker.assign(1, &["rb2505"]).await;
        worker.instrument_until("rb2505", |state| *state == InstrumentState::Acknowledged).await;
        worker.instrument_until("rb2505", |state| *state == InstrumentState::Silent).await;
        worker.instrument_until("rb2505", TICKING).await;
        worker.stats_until(|stats| (stats.asked_again, stats.acknowledged) == (1, 1)).await;
    });
}

#[test]
fn a_second_worker_of_the_same_connection_is_refused_by_the_firsts_pid() {
    run(async {
        let mut fleet = Fleet::new();
        let _worker = fleet.start_and_accept("{}").await;
        let second = fleet.command("{}").output().expect("it runs");
        let said = String::from_utf8_lossy(&second.stderr).into_owned();
        assert_eq!(second.status.code(), Some(64), "{said}");
        assert!(said.contains(&format!("process {}", fleet.worker_pid())), "{said}");
    });
}

#[test]
fn a_front_that_never_answers_is_reported_as_unreachable() {
    run(async {
        let mut fleet = Fleet::new();
        let mut command = fleet.command(r#"{"faults":[{"do":"unreachable","for_ms":1500}]}"#);
        command.args(["--connect-timeout-ms", "300"]);
        fleet.start_command(command);
        let mut worker = fleet.accept().await;
        let states = worker.session_until(READY).await;
        let unreachable = states.contains(&SessionState::Unreachable)
            || worker.hello.session.state == SessionState::Unreachable;
        assert!(unreachable, "{states:?}");
    });
}

#[test]
fn whoever_becomes_the_primary_writes_its_last_tick_at_once() {
    run(async {
        let mut fleet = Fleet::new();
        let place = Place::named(&fleet.paths.depth_name());
        let sharing = Sharing { mode: 0o600, group: None };
        let (mut owner, _) = DepthOwner::open(&place, 1, sharing).expect("a segment");
        let facts = SlotFacts {
            exchange: ExchangeId::SHFE,
            volume_multiple: 10,
            price_tick: 1.0,
            product_class: 1,
        };
        let slot = owner.add(&id("rb2505"), &facts).expect("room");
        let reader = DepthReader::open(&place).expect("it is ready");
        let script = r#"{"rate":200,"faults":[{"after_ticks":20,"do":"disconnect","reconnect_after_ms":600000}]}"#;
        let mut worker = fleet.start_and_accept(script).await;
        let carry = |role| Carry { instrument: id("rb2505"), role };
        let instruments = vec![carry(CarryRole::Standby)];
        worker
            .say(ToWorker::Assign(Assignment::Whole { generation: Generation(1), instruments }))
            .await;
        worker.session_until(|state| matches!(state, SessionState::Disconnected { .. })).await;
        let ticks = fleet.ticks_until(|ticks| ticks.len() >= 20).await;
        assert_eq!(reader.read(slot), Found::Nothing, "another is the primary");
        worker
            .say(ToWorker::Assign(Assignment::Change {
                generation: Generation(2),
                after: Generation(1),
                add: vec![carry(CarryRole::Primary)],
                remove: vec![],
            }))
            .await;
        while !matches!(worker.hear().await, FromWorker::AssignmentTaken(Generation(2))) {}
        let last = ticks.last().copied().map(Box::new).map(Found::Latest);
        assert_eq!(Some(reader.read(slot)), last, "written before it was said");
        drop(fleet);
        place.remove().expect("it is ours");
    });
}

#[test]
fn a_stderr_that_is_gone_stops_nothing() {
    run(async {
        let mut fleet = Fleet::new();
        let mut command = fleet.command(r#"{"rate":200}"#);
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        command.stderr(writer).env("QAMD_LOG", "debug");
        fleet.start_command(command);
        let mut worker = fleet.accept().await;
        worker.assign(1, &["rb2505"]).await;
        worker.instrument_until("rb2505", TICKING).await;
        drop(worker);
        // The coordinator's end is a thing to be logged; the next one finds the same worker, ticking.
        let mut worker = fleet.accept().await;
        assert_eq!(worker.hello.generation, Some(Generation(1)));
        fleet.ticks_until(|ticks| ticks.len() >= 50).await;
        worker.say(ToWorker::Stop).await;
        assert_eq!(fleet.ended().await, Some(0));
    });
}

#[test]
fn a_garbage_instrument_is_counted_and_nothing_else_suffers() {
    run(async {
        let mut fleet = Fleet::new();
        let script =
            r#"{"rate":200,"faults":[{"after_ticks":5,"do":"garbage_instrument","count":3}]}"#;
        let mut worker = fleet.start_and_accept(script).await;
        worker.assign(1, &["rb2505"]).await;
        let ticks = fleet.ticks_until(|ticks| ticks.len() >= 50).await;
        assert!(ticks.iter().all(|tick| tick.instrument() == Ok(id("rb2505"))));
        worker.stats_until(|stats| stats.malformed == 3).await;
    });
}

#[test]
fn a_signal_ends_it_cleanly_without_any_coordinator() {
    run(async {
        let mut fleet = Fleet::new();
        let worker = fleet.start_and_accept("{}").await;
        drop(worker);
        let pid = i32::try_from(fleet.worker_pid()).expect("a pid");
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM)
            .expect("a signal");
        assert_eq!(fleet.ended().await, Some(0));
        assert!(!fleet.worker_lock().exists());
    });
}

//! The gateway goes away and comes back: TqSdk connects anew by itself, and quotes, ticks and K-lines go on.

use nix::sys::signal::Signal;
use qamd_tests::fleet::Fleet;
use qamd_tests::processes;
use qamd_tests::tqsdk::{TqProgram, TqSdk};
use serde_json::{Value, json};

use crate::market::{
    COPPER, MORNING, Record, STEEL, agree, bars, differs, id_of, plan, shown_bars, symbol,
    tick_rows_differ,
};

/// Everything that a client can follow.
fn everything() -> String {
    let both = [symbol(COPPER), symbol(STEEL)];
    json!({"quotes": both, "ticks": [both[0]], "klines": [[[both[0]], 60], [[both[0]], 86_400]]})
        .to_string()
}

/// The last id of each series that is shown.
fn last_ids(shown: &Value) -> Vec<i64> {
    let series = [&shown["ticks"][0], &shown["klines"][0], &shown["klines"][1]];
    series.map(|rows| rows.as_array().unwrap().last().map_or(-1, id_of)).to_vec()
}

/// Waits until what a program shows is of these ticks, all of them after a new beginning.
async fn goes_on(program: &mut TqProgram, fleet: &Fleet) -> Value {
    let mut record = Record::begin(fleet);
    // Its instruments are wanted again only by itself.
    let mut shown = Value::Null;
    agree(async || {
        shown = program.ask("show", "shown").await;
        record.take();
        let ticks = record.of(COPPER);
        let Some(place) =
            ticks.iter().position(|tick| differs(&shown["quotes"][0], tick).is_none())
        else {
            return Err(format!("{} is none of {} ticks", shown["quotes"][0], ticks.len()));
        };
        // The quote and the series were shown in the same state.
        let rows = shown["ticks"][0].as_array().unwrap();
        let seen = rows.len().min(place + 1);
        let newest = json!(rows[rows.len() - seen..]);
        if let Some(what) = tick_rows_differ(&newest, &ticks[place + 1 - seen..=place]) {
            return Err(what);
        }
        let minute =
            shown_bars(&shown["klines"][0], "").pop().map(|bar| (bar.begin, bar.prices[3]));
        let expected = bars(&ticks[..=place], 60).pop().map(|bar| (bar.begin, bar.prices[3]));
        if minute != expected {
            return Err(format!("{minute:?} is not {expected:?}"));
        }
        // Long enough to have had more than the snapshot after the reconnection.
        if seen < 20 { Err(format!("{seen} ticks so far")) } else { Ok(()) }
    })
    .await;
    shown
}

/// A program that has been followed for a while, and what it shows.
async fn started(tqsdk: &TqSdk, fleet: &Fleet) -> (TqProgram, Value) {
    let mut program = tqsdk.start("follow.py", &[&everything()], &fleet.address().await);
    program.says("ready").await;
    let shown = goes_on(&mut program, fleet).await;
    (program, shown)
}

/// A market whose minutes pass in two seconds, with a tick of each instrument every eighth of a second.
fn script() -> Value {
    json!({"rate": 16, "clock": {"start": MORNING, "speed": 30}})
}

#[tokio::test]
async fn another_frontend_takes_over() {
    let Some(tqsdk) = TqSdk::ready().await else { return };
    let fleet = plan(&script()).start_ready().await;
    let (mut program, before) = started(&tqsdk, &fleet).await;
    let address = fleet.address().await;
    let frontend = fleet.status_now().await.frontends[0].pid.unwrap();
    processes::signal(frontend, Signal::SIGKILL);
    let is_another = |pid: Option<u32>| pid.is_some_and(|pid| pid != frontend);
    let back = fleet.status_when("another frontend", |status| {
        let now = &status.frontends[0];
        now.connected && is_another(now.pid) && !now.listening_on.is_empty()
    });
    assert_eq!(back.await.frontends[0].listening_on, address, "at the same address");
    let after = goes_on(&mut program, &fleet).await;
    assert_later(&before, &after);
    program.tell("end");
    program.ends().await;
    assert_eq!(tqsdk.logins(), 1, "it was never started anew");
    fleet.stop().await;
}

#[tokio::test]
async fn the_whole_fleet_is_stopped_and_started() {
    let Some(tqsdk) = TqSdk::ready().await else { return };
    let mut fleet = plan(&script()).start_ready().await;
    let (mut program, before) = started(&tqsdk, &fleet).await;
    let address = fleet.address().await;
    processes::signal(fleet.coordinator_pid(), Signal::SIGTERM);
    assert_eq!(fleet.wait_ended().await.code(), Some(0));
    fleet.assert_nothing_left();
    let port: u16 = address.rsplit_once(':').unwrap().1.parse().unwrap();
    fleet.edit_config(|config| {
        config["websocket_port"] = json!(port);
        // The market goes on where it would be by then.
        let script = json!({"rate": 16, "clock": {"start": "2026-11-23T09:40:00", "speed": 30}});
        config["connections"][0]["env"]["QAMD_SIM"] = json!(script.to_string());
    });
    fleet.run();
    fleet.wait_serving().await;
    assert_eq!(fleet.address().await, address);
    let after = goes_on(&mut program, &fleet).await;
    assert_later(&before, &after);
    program.tell("end");
    program.ends().await;
    assert_eq!(tqsdk.logins(), 1, "it was never started anew");
    fleet.stop().await;
}

/// Times and ids only grow.
fn assert_later(before: &Value, after: &Value) {
    for (was, is) in last_ids(before).into_iter().zip(last_ids(after)) {
        assert!(is >= was && is > 0, "{before} and then {after}");
    }
    let time = |shown: &Value| shown["quotes"][0]["time_ns"].as_i64().unwrap();
    assert!(time(after) > time(before), "{before} and then {after}");
}

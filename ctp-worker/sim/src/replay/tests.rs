//! The replay as its client sees it.

use std::ops::ControlFlow;

use super::recording::tests::Scratch;
use super::*;
use crate::script::{Script, Source};

const SECOND: u64 = 1_000_000_000;
const MS: u64 = 1_000_000;

const ROWS: &str = "TradingDay,InstrumentID,LastPrice,UpdateTime,UpdateMillisec\n\
    20250303,a,1,14:59:59,0\n\
    20250303,b,2,14:59:59,500\n\
    20250303,a,3,15:00:00,0\n\
    20250304,a,4,20:59:00,500\n\
    20250304,b,5,21:00:01,0\n\
    20250304,a,6,09:00:00,0\n";

struct Player {
    replay: Replay,
    _file: Scratch,
    now_ns: u64,
}

fn player(keys: &str, relogin: bool) -> Player {
    let file = Scratch::new(ROWS.as_bytes());
    let path = file.0.display();
    let script = Script::parse(&format!(r#"{{"replay": {{"file": "{path}"{keys}}}}}"#)).unwrap();
    let Source::Replay(plan) = &script.source else { panic!("no replay") };
    let replay = Replay::open(plan, script.abi, 1000, 5000, relogin).unwrap();
    Player { replay, _file: file, now_ns: 0 }
}

impl Player {
    /// Runs on the replay's own wakes; returns when each row came and its last price.
    fn run_to(&mut self, to_ns: u64) -> Vec<(u64, f64)> {
        let mut ticks = Vec::new();
        let mut turns = 0;
        loop {
            let now_ns = self.now_ns;
            let next = self.replay.run(now_ns, &mut |depth| {
                ticks.push((now_ns, depth.last_price));
                ControlFlow::Continue(())
            });
            match next.unwrap() {
                Some(at_ns) if at_ns <= to_ns && !self.replay.new_day_ahead => {
                    self.now_ns = self.now_ns.max(at_ns);
                }
                _ => break,
            }
            turns += 1;
            assert!(turns < 100_000, "the replay spins");
        }
        self.now_ns = to_ns;
        ticks
    }

    fn prices(&mut self, to_ns: u64) -> Vec<f64> {
        self.run_to(to_ns).into_iter().map(|(_, price)| price).collect()
    }

    fn subscribe(&mut self, ids: &[&str]) {
        for id in ids {
            self.replay.subscribe(&InstrumentId::new(id.as_bytes()), self.now_ns);
        }
    }
}

#[test]
fn rows_come_as_their_times_say() {
    let mut player = player(r#", "max_gap_ms": 2000"#, false);
    player.subscribe(&["a", "b"]);
    let ticks = player.run_to(60 * SECOND);
    let at: Vec<u64> = ticks.iter().map(|(at_ns, _)| at_ns / MS).collect();
    // The evening is a long gap; so is the night.
    assert_eq!(at, [0, 500, 1000, 3000, 5000, 7000]);
    assert_eq!(ticks.iter().map(|(_, price)| *price).collect::<Vec<_>>(), [1., 2., 3., 4., 5., 6.]);
}

#[test]
fn speed_and_rate_set_the_pace() {
    let mut fast = player(r#", "speed": 10, "max_gap_ms": 1000"#, false);
    fast.subscribe(&["a", "b"]);
    let at: Vec<u64> = fast.run_to(SECOND).iter().map(|(at_ns, _)| at_ns / MS).collect();
    assert_eq!(at, [0, 50, 100, 200, 300, 400]);
    let mut even = player(r#", "rate": 100"#, false);
    even.subscribe(&["a", "b"]);
    let at: Vec<u64> = even.run_to(SECOND).iter().map(|(at_ns, _)| at_ns / MS).collect();
    assert_eq!(at, [0, 10, 20, 30, 40, 50]);
    let mut unpaced = player(r#", "rate": 0"#, false);
    unpaced.subscribe(&["a", "b"]);
    assert_eq!(unpaced.run_to(0).len(), 6);
}

#[test]
fn who_comes_later_gets_the_last_row_and_those_after_it() {
    let mut player = player(r#", "rate": 1000"#, false);
    assert_eq!(player.replay.snapshot(&InstrumentId::new(b"a"), 0).map(|_| ()), None);
    assert_eq!(player.run_to(2 * MS), []);
    player.subscribe(&["a"]);
    let id = InstrumentId::new(b"a");
    assert_eq!(player.replay.snapshot(&id, 0).unwrap().last_price, 3.0);
    assert_eq!(player.prices(SECOND), [4.0, 6.0]);
    player.subscribe(&["b"]);
    assert_eq!(player.replay.snapshot(&InstrumentId::new(b"b"), 0).unwrap().last_price, 5.0);
    assert_eq!(player.replay.run(SECOND, &mut |_| ControlFlow::Continue(())).unwrap(), None);
}

#[test]
fn a_replay_may_wait_for_its_instruments() {
    let mut all =
        player(r#", "rate": 0, "await_subscriptions": true, "start_after_ms": 20"#, false);
    all.subscribe(&["a", "c"]);
    assert_eq!(all.run_to(SECOND), []);
    all.subscribe(&["b"]);
    let ticks = all.run_to(2 * SECOND);
    assert_eq!((ticks.len(), ticks[0].0), (6, SECOND + 20 * MS));
    let mut one = player(r#", "rate": 0, "await_subscriptions": 1"#, false);
    one.subscribe(&["c"]);
    assert_eq!(one.run_to(SECOND), []);
    one.subscribe(&["b"]);
    assert_eq!(one.prices(SECOND), [2.0, 5.0]);
}

#[test]
fn a_replay_may_wait_for_the_wall_clock() {
    // The player is opened at 5000 ms.
    let mut later = player(r#", "rate": 0, "start_at_unix_ms": 5300"#, false);
    later.subscribe(&["a"]);
    assert_eq!(later.run_to(SECOND)[0].0, 300 * MS);
    let mut past =
        player(r#", "rate": 0, "start_at_unix_ms": 100, "await_subscriptions": 1"#, false);
    past.run_to(SECOND);
    past.subscribe(&["a"]);
    assert_eq!(past.run_to(SECOND).len(), 4);
}

#[test]
fn a_replay_may_have_begun_before_its_library() {
    // The player is opened at 5000 ms.
    let mut begun = player(r#", "rate": 100, "anchor_unix_ms": 4975"#, false);
    begun.subscribe(&["a", "b"]);
    let ticks = begun.run_to(SECOND);
    assert_eq!(ticks, [(5 * MS, 4.0), (15 * MS, 5.0), (25 * MS, 6.0)]);
    let mut passed = player(r#", "rate": 100, "anchor_unix_ms": 4975"#, false);
    assert_eq!(passed.run_to(MS), []);
    passed.subscribe(&["b"]);
    let snapshot = passed.replay.snapshot(&InstrumentId::new(b"b"), MS).unwrap();
    assert_eq!(snapshot.last_price, 2.0, "the last row that has passed");
    let mut again = player(r#", "rate": 100, "loop": true, "anchor_unix_ms": 4000"#, false);
    again.subscribe(&["a", "b"]);
    let ticks = again.run_to(20 * MS);
    assert_eq!(ticks, [(0, 5.0), (10 * MS, 6.0), (20 * MS, 1.0)], "the hundredth row and on");
    let mut later = player(r#", "rate": 100, "anchor_unix_ms": 5300"#, false);
    later.subscribe(&["a"]);
    assert_eq!(later.run_to(SECOND)[0], (300 * MS, 1.0));
}

#[test]
fn rows_during_an_outage_are_lost() {
    let mut player = player(r#", "rate": 1000"#, false);
    player.subscribe(&["a", "b"]);
    assert_eq!(player.prices(MS), [1.0, 2.0]);
    player.replay.end_session(MS);
    assert!(player.prices(3 * MS).is_empty());
    player.subscribe(&["a", "b"]);
    assert_eq!(player.prices(SECOND), [5.0, 6.0]);
}

#[test]
fn a_replay_may_pause_until_everything_is_back() {
    let mut player = player(r#", "rate": 1000, "pause_while_disconnected": true"#, false);
    player.subscribe(&["a", "b"]);
    assert_eq!(player.prices(MS), [1.0, 2.0]);
    player.replay.end_session(MS);
    assert!(player.prices(SECOND).is_empty());
    player.subscribe(&["b"]);
    assert!(player.prices(2 * SECOND).is_empty());
    player.replay.end_session(2 * SECOND);
    player.subscribe(&["b"]);
    assert!(player.prices(3 * SECOND).is_empty());
    player.subscribe(&["a"]);
    assert_eq!(player.prices(4 * SECOND), [3.0, 4.0, 5.0, 6.0]);
}

#[test]
fn the_trading_day_is_that_of_the_rows() {
    let mut player = player(r#", "rate": 1000"#, false);
    assert_eq!(&player.replay.trading_day(0), b"20250303\0");
    player.run_to(SECOND);
    assert_eq!(&player.replay.trading_day(0), b"20250304\0");
}

#[test]
fn a_new_trading_day_may_wait_for_a_new_login() {
    let mut player = player(r#", "rate": 1000"#, true);
    player.subscribe(&["a", "b"]);
    assert_eq!(player.prices(SECOND), [1.0, 2.0, 3.0]);
    assert_eq!(&player.replay.trading_day(SECOND), b"20250304\0");
    player.replay.end_session(SECOND);
    assert!(player.prices(2 * SECOND).is_empty());
    player.subscribe(&["a", "b"]);
    assert_eq!(player.prices(3 * SECOND), [4.0, 5.0, 6.0]);
}

#[test]
fn a_replay_may_begin_again() {
    let mut player = player(r#", "rate": 1000, "loop": true"#, false);
    player.subscribe(&["b"]);
    let prices = player.prices(17 * MS);
    assert_eq!(prices, [2.0, 5.0, 2.0, 5.0, 2.0, 5.0]);
}

#[test]
fn an_empty_recording_is_refused() {
    let file = Scratch::new(b"InstrumentID,UpdateTime\n");
    let json = format!(r#"{{"replay": {{"file": "{}"}}}}"#, file.0.display());
    let script = Script::parse(&json).unwrap();
    let Source::Replay(plan) = &script.source else { panic!("no replay") };
    let refused = Replay::open(plan, script.abi, 1000, 0, false).unwrap_err();
    assert!(matches!(refused, RecordingError::Empty { .. }));
}

#[test]
fn recorded_time_may_jump() {
    assert_eq!(gap_ms(86_399_500, 0), 500);
    assert_eq!(gap_ms(1000, 500), 0);
    assert_eq!(gap_ms(70_260_000, 32_340_000), 0);
}

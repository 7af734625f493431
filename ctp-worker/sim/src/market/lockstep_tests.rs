//! The market in lockstep as its clients see it.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use proptest::prelude::*;

use super::*;
use crate::script::{Script, Source};

const MS: u64 = 1_000_000;
const SECOND: u64 = 1000 * MS;
const ANCHOR_UNIX_MS: i64 = 1_741_000_000_000;
const IDS: [&str; 3] = ["m2505", "jd2505", "lc2507"];

/// A market of every 100 ms whose library was started so long after the anchor.
fn market(started_ms: i64, rest: &str) -> Market {
    let script = Script::parse(&format!(
        r#"{{"every_ms": 100, "clock": {{"start": "2025-03-04T09:30:00",
            "anchor_unix_ms": {ANCHOR_UNIX_MS} {rest}}}}}"#
    ));
    let script = script.unwrap();
    let Source::Generated(plan) = &script.source else { panic!("a replay") };
    Market::new(plan, script.abi, 1000 * script.slice_us, ANCHOR_UNIX_MS + started_ms)
}

fn id(text: &str) -> InstrumentId {
    InstrumentId::new(text.as_bytes())
}

fn subscribe_all(market: &mut Market, now_ns: u64) {
    for text in IDS {
        market.subscribe(&id(text), now_ns);
        assert!(market.snapshot(&id(text), now_ns).is_some());
    }
}

/// The exchange's milliseconds of the day.
fn shown_ms(depth: &DepthMarketData) -> u64 {
    let time = std::str::from_utf8(&depth.update_time[..8]).unwrap();
    let parts = time.split(':').map(|part| part.parse::<u64>().unwrap());
    parts.fold(0, |sum, part| sum * 60 + part) * 1000 + depth.update_millisec as u64
}

/// Milliseconds since the clock's start.
fn since_start(depth: &DepthMarketData) -> u64 {
    shown_ms(depth) - (9 * 60 + 30) * 60_000
}

fn name(depth: &DepthMarketData) -> String {
    format!("{:?}", InstrumentId::new(&depth.instrument_id))
}

/// Runs once, until nothing more is due; breaks after every `break_after` ticks.
fn turn(market: &mut Market, now_ns: u64, break_after: usize) -> Vec<DepthMarketData> {
    let mut ticks = Vec::new();
    loop {
        let mut left = break_after;
        let next = market.run(now_ns, &mut |depth| {
            ticks.push(*depth);
            left -= 1;
            if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        if next.unwrap().is_none_or(|next_ns| next_ns > now_ns) {
            return ticks;
        }
    }
}

/// What each instrument showed, in order: the time, and volume and prices as they were.
fn histories(ticks: &[DepthMarketData]) -> BTreeMap<String, Vec<(u64, i32, f64, f64)>> {
    let mut histories: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for depth in ticks {
        let content = (since_start(depth), depth.volume, depth.last_price, depth.turnover);
        histories.entry(name(depth)).or_default().push(content);
    }
    histories
}

#[test]
fn ticks_come_at_the_multiples_and_it_sleeps_in_between() {
    let mut market = market(30, "");
    subscribe_all(&mut market, 0);
    let next = |market: &mut Market, now_ns| {
        market.run(now_ns, &mut |_| ControlFlow::Continue(())).unwrap().unwrap()
    };
    assert_eq!(next(&mut market, 0), 70 * MS);
    let ticks = turn(&mut market, 70 * MS, usize::MAX);
    assert_eq!(ticks.iter().map(since_start).collect::<Vec<_>>(), [100; 3]);
    assert_eq!(next(&mut market, 70 * MS), 170 * MS);
}

#[test]
fn a_subscriber_in_between_gets_the_last_multiple_then_each() {
    let mut market = market(1000, "");
    market.subscribe(&id("m2505"), 0);
    let first = market.snapshot(&id("m2505"), 0).map(|depth| since_start(depth));
    assert_eq!(first, Some(1000));
    // It was held up: what it owes the first one, it owes to the newcomer as well.
    let late = 470 * MS;
    market.subscribe(&id("jd2505"), late);
    let shown = market.snapshot(&id("jd2505"), late).map(|depth| since_start(depth));
    assert_eq!(shown, Some(1000));
    let histories = histories(&turn(&mut market, late, usize::MAX));
    for id in ["m2505", "jd2505"] {
        let times: Vec<u64> = histories[id].iter().map(|tick| tick.0).collect();
        assert_eq!(times, [1100, 1200, 1300, 1400], "{id}");
    }
    let again = market.snapshot(&id("m2505"), late + 10 * MS).map(|depth| since_start(depth));
    assert_eq!(again, Some(1400), "subscribed twice: the same once more");
}

#[test]
fn what_is_owed_comes_whole_for_some_seconds() {
    let mut market = market(0, "");
    subscribe_all(&mut market, 0);
    let held_up = histories(&turn(&mut market, 9 * SECOND, usize::MAX));
    assert!(held_up.values().all(|ticks| ticks.len() == 90), "{held_up:?}");
    let too_long = histories(&turn(&mut market, 60 * SECOND + MS, usize::MAX));
    for ticks in too_long.values() {
        let times: Vec<u64> = ticks.iter().map(|tick| tick.0).collect();
        assert_eq!(times, (501..=600).map(|multiple| multiple * 100).collect::<Vec<_>>());
    }
}

#[test]
fn a_lost_session_is_owed_nothing() {
    let mut market = market(0, "");
    subscribe_all(&mut market, 0);
    turn(&mut market, SECOND, usize::MAX);
    market.end_session(SECOND);
    assert_eq!(market.run(2 * SECOND, &mut |_| panic!("nothing is subscribed")).unwrap(), None);
    subscribe_all(&mut market, 5 * SECOND + 50 * MS);
    assert_eq!(turn(&mut market, 5 * SECOND + 60 * MS, usize::MAX).len(), 0);
    let ticks = turn(&mut market, 5 * SECOND + 100 * MS, usize::MAX);
    assert_eq!(ticks.iter().map(since_start).collect::<Vec<_>>(), [5100; 3]);
}

#[test]
fn before_the_anchor_the_start_stands() {
    let mut market = market(-500, "");
    market.subscribe(&id("m2505"), 0);
    assert_eq!(market.snapshot(&id("m2505"), 0).map(|depth| since_start(depth)), Some(0));
    assert_eq!(turn(&mut market, 599 * MS, usize::MAX).len(), 0);
    assert_eq!(turn(&mut market, 600 * MS, usize::MAX).len(), 1);
}

#[test]
fn nothing_ticks_in_a_pause_and_it_goes_on_after_it() {
    // 10:15 to 10:30, a minute of the exchange in 100 ms.
    let mut market = market(0, r#", "speed": 600, "pauses": "keep""#);
    market.subscribe(&id("m2505"), 0);
    let ticks = turn(&mut market, 8 * SECOND, usize::MAX);
    let minutes: Vec<u64> = ticks.iter().map(|depth| since_start(depth) / 60_000).collect();
    let expected: Vec<u64> = (1..=45).chain(60..=80).collect();
    assert_eq!(minutes, expected);
}

proptest! {
    // Whenever it was started and however raggedly it runs: the same ticks, each once, none missing.
    #[test]
    fn all_libraries_send_the_same(
        started_ms in 0i64..5000,
        turns in proptest::collection::vec((0u64..900, 1usize..8), 1..40),
    ) {
        let mut steady = market(0, "");
        subscribe_all(&mut steady, 0);
        let mut other = market(started_ms, "");
        subscribe_all(&mut other, 0);
        let (mut of_steady, mut of_other, mut now_ms) = (Vec::new(), Vec::new(), 0);
        for (ms, break_after) in turns {
            now_ms += ms;
            of_other.extend(turn(&mut other, now_ms * MS, break_after));
        }
        let end_ms = started_ms as u64 + now_ms;
        for at_ms in 0..=end_ms {
            of_steady.extend(turn(&mut steady, at_ms * MS, usize::MAX));
        }
        let (of_steady, of_other) = (histories(&of_steady), histories(&of_other));
        let first = started_ms as u64 / 100 + 1;
        for id in IDS {
            let seen = of_other.get(id).cloned().unwrap_or_default();
            let times: Vec<u64> = seen.iter().map(|tick| tick.0).collect();
            prop_assert_eq!(times, (first..=end_ms / 100).map(|at| at * 100).collect::<Vec<_>>());
            let all = of_steady.get(id).cloned().unwrap_or_default();
            prop_assert_eq!(&all[all.len() - seen.len()..], seen.as_slice());
        }
    }
}

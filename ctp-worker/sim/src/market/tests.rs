//! The generated market as its client sees it.

use std::collections::HashMap;
use std::ops::ControlFlow;

use proptest::prelude::*;

use super::*;
use crate::layout::NO_VALUE;
use crate::script::{Script, Source};

const SECOND: u64 = 1_000_000_000;

fn market(json: &str) -> Market {
    let script = Script::parse(json).unwrap();
    let Source::Generated(plan) = &script.source else { panic!("a replay") };
    Market::new(plan, script.abi, script.slice_us * 1000, 1_741_000_000_000)
}

fn id(text: &str) -> InstrumentId {
    InstrumentId::new(text.as_bytes())
}

/// Runs on the market's own wakes; returns when each tick came and what it was.
fn run(market: &mut Market, from_ns: u64, to_ns: u64) -> Vec<(u64, DepthMarketData)> {
    let mut ticks = Vec::new();
    let mut now_ns = from_ns;
    let mut turns = 0;
    while now_ns < to_ns {
        let next = market.run(now_ns, &mut |depth| {
            ticks.push((now_ns, *depth));
            ControlFlow::Continue(())
        });
        now_ns = next.unwrap().map_or(to_ns, |at_ns| at_ns.max(now_ns));
        turns += 1;
        assert!(turns < 100_000, "the market spins");
    }
    ticks
}

fn name(depth: &DepthMarketData) -> String {
    format!("{:?}", InstrumentId::new(&depth.instrument_id))
}

fn text(field: &[u8]) -> &str {
    std::str::from_utf8(field).unwrap().trim_end_matches('\0')
}

const IDS: [&str; 9] = [
    "rb2505",
    "au2506",
    "sc2505",
    "m2505",
    "SR505",
    "IF2503",
    "lc2507",
    "m2505-C-2800",
    "SP a2505&a2509",
];

#[test]
fn each_instrument_ticks_twice_a_second() {
    let mut market = market(r#"{"clock": {"start": "2025-03-04T09:31:00"}}"#);
    for text in IDS {
        market.subscribe(&id(text), 0);
    }
    let ticks = run(&mut market, 0, 10 * SECOND);
    let mut counts: HashMap<String, usize> = HashMap::new();
    for (_, depth) in &ticks {
        *counts.entry(name(depth)).or_default() += 1;
    }
    assert_eq!(counts.len(), IDS.len());
    assert!(counts.values().all(|count| (19..=20).contains(count)), "{counts:?}");
}

#[test]
fn the_rate_is_over_all_instruments() {
    for (rate, expected) in [(0.5, 5), (1000.0, 10_000), (50_000.0, 500_000)] {
        let mut market =
            market(&format!(r#"{{"rate": {rate}, "clock": {{"start": "2025-03-04T10:00:00"}}}}"#));
        for text in IDS {
            market.subscribe(&id(text), 0);
        }
        let ticks = run(&mut market, 0, 10 * SECOND + 1);
        let missing = expected - ticks.len() as i64;
        assert!((0..=(rate / 500.0) as i64 + 1).contains(&missing), "{rate}: {}", ticks.len());
    }
}

#[test]
fn two_libraries_with_one_seed_and_anchor_send_one_market() {
    let json = r#"{"seed": 5, "clock": {"start": "2025-03-04T09:00:00",
                   "anchor_unix_ms": 1740999000000}}"#;
    let script = Script::parse(json).unwrap();
    let Source::Generated(plan) = &script.source else { panic!() };
    let mut first = Market::new(plan, script.abi, 1000, 1_741_000_000_000);
    let mut later = Market::new(plan, script.abi, 1000, 1_741_000_060_000);
    let shown = |market: &mut Market, now_ns| {
        let id = id("rb2505");
        market.subscribe(&id, now_ns);
        *market.snapshot(&id, now_ns).unwrap()
    };
    let (one, other) = (shown(&mut first, 60 * SECOND), shown(&mut later, 0));
    assert_eq!(format!("{one:?}"), format!("{other:?}"));
    assert!(one.volume > 0);
}

#[test]
fn night_days_are_those_of_each_exchange() {
    let mut market =
        market(r#"{"clock": {"start": "2025-03-07T21:30:00.5"}}"#.replace(".5", "").as_str());
    let mut days = HashMap::new();
    for text_id in ["rb2505", "SR505", "m2505", "sc2505", "IF2503", "AP505"] {
        market.subscribe(&id(text_id), 0);
        let depth = *market.snapshot(&id(text_id), SECOND).unwrap();
        days.insert(
            text_id,
            (text(&depth.trading_day).to_owned(), text(&depth.action_day).to_owned()),
        );
    }
    let pair = |trading: &str, action: &str| (trading.to_owned(), action.to_owned());
    assert_eq!(days["rb2505"], pair("20250310", "20250307"));
    assert_eq!(days["sc2505"], pair("20250310", "20250307"));
    assert_eq!(days["SR505"], pair("20250307", "20250307"));
    assert_eq!(days["m2505"], pair("20250310", "20250310"));
    // No session yet on this trading day: nothing traded, but the instrument is known.
    assert_eq!(days["IF2503"].0, "20250310");
    let ticking: Vec<String> =
        run(&mut market, SECOND, 3 * SECOND).iter().map(|(_, depth)| name(depth)).collect();
    assert!(ticking.contains(&"rb2505".to_owned()));
    assert!(!ticking.contains(&"IF2503".to_owned()) && !ticking.contains(&"AP505".to_owned()));
}

#[test]
fn after_midnight_the_action_day_is_the_next() {
    let mut market = market(r#"{"clock": {"start": "2025-03-08T01:00:00"}}"#);
    market.subscribe(&id("au2506"), 0);
    let depth = *market.snapshot(&id("au2506"), 0).unwrap();
    assert_eq!((text(&depth.trading_day), text(&depth.action_day)), ("20250310", "20250308"));
    assert_eq!(text(&depth.update_time), "01:00:00");
}

#[test]
fn milliseconds_are_those_of_each_exchange() {
    let mut market = market(r#"{"rate": 997, "clock": {"start": "2025-03-04T10:00:00"}}"#);
    for text in IDS {
        market.subscribe(&id(text), 0);
    }
    let mut seen: HashMap<String, std::collections::BTreeSet<i32>> = HashMap::new();
    for (_, depth) in run(&mut market, 0, 5 * SECOND) {
        seen.entry(name(&depth)).or_default().insert(depth.update_millisec);
    }
    assert!(seen["rb2505"].iter().eq(&[0, 500]), "{:?}", seen["rb2505"]);
    assert!(seen["SR505"].iter().eq(&[0]));
    assert!(seen["m2505"].len() > 10);
    let cffex: Vec<_> = seen["IF2503"].iter().copied().collect();
    assert!(cffex.len() == 2 && cffex[1] - cffex[0] == 500 && cffex[0] % 100 == 0, "{cffex:?}");
}

#[test]
fn absent_levels_are_those_of_each_exchange() {
    let mut market = market(r#"{"clock": {"start": "2025-03-04T10:00:00"}}"#);
    let mut shown = |text_id: &str| {
        market.subscribe(&id(text_id), 0);
        *market.snapshot(&id(text_id), 0).unwrap()
    };
    let shfe = shown("rb2505");
    assert!(shfe.levels.iter().all(|level| level.bid_volume > 0 && level.ask_volume > 0));
    assert!(shfe.levels.windows(2).all(|pair| pair[0].bid_price > pair[1].bid_price));
    assert!(shfe.levels.windows(2).all(|pair| pair[0].ask_price < pair[1].ask_price));
    let czce = shown("SR505");
    assert_eq!((czce.levels[1].bid_price, czce.levels[1].bid_volume), (0.0, 0));
    assert_eq!(czce.close_price, 0.0);
    assert_eq!(czce.settlement_price, NO_VALUE);
    let dce = shown("m2505");
    assert_eq!((dce.levels[4].ask_price, dce.levels[4].ask_volume), (NO_VALUE, 0));
    assert_eq!(text(&dce.exchange_id), "DCE");
    assert_eq!(text(&dce.exchange_inst_id), "m2505");
}

#[test]
fn the_close_brings_close_and_settlement() {
    let mut market = market(r#"{"clock": {"start": "2025-03-04T14:59:58", "pauses": "keep"}}"#);
    market.subscribe(&id("rb2505"), 0);
    let ticks = run(&mut market, 0, 60 * SECOND);
    let last = &ticks.last().unwrap().1;
    assert_eq!((text(&last.update_time), last.update_millisec), ("15:00:00", 500));
    assert_eq!(last.close_price, last.last_price);
    assert!(last.settlement_price > 0.0 && last.settlement_price < NO_VALUE);
    assert_eq!(ticks[0].1.close_price, NO_VALUE);
    assert!(ticks.len() <= 6, "ticks in a pause: {}", ticks.len());
}

#[test]
fn volume_restarts_with_the_trading_day() {
    let mut market =
        market(r#"{"clock": {"start": "2025-03-04T14:59:50"}, "relogin_each_trading_day": false}"#);
    market.subscribe(&id("rb2505"), 0);
    let ticks = run(&mut market, 0, 60 * SECOND);
    let mut restarts = 0;
    for pair in ticks.windows(2) {
        let (before, now) = (&pair[0].1, &pair[1].1);
        if before.trading_day == now.trading_day {
            assert!(before.volume <= now.volume);
        } else {
            restarts += 1;
            assert!(before.volume > now.volume);
            assert_eq!(before.settlement_price, now.pre_settlement_price);
            assert_eq!(before.close_price, now.pre_close_price);
            assert_eq!(text(&now.update_time), "20:59:00");
        }
    }
    assert_eq!(restarts, 1);
}

#[test]
fn a_burst_comes_whole_and_at_its_pace() {
    let mut market = market(
        r#"{"rate": 1, "clock": {"start": "2025-03-04T10:00:00"},
            "burst": {"after_ms": 500, "ticks": 500000, "per_second": 500000,
                      "await_instruments": 2}}"#,
    );
    market.subscribe(&id("rb2505"), 0);
    assert!(run(&mut market, 0, 2 * SECOND).len() <= 2);
    market.subscribe(&id("au2506"), 2 * SECOND);
    let ticks = run(&mut market, 2 * SECOND, 6 * SECOND);
    let burst: Vec<u64> = ticks
        .iter()
        .map(|(at_ns, _)| *at_ns)
        .filter(|at_ns| (2_500_000_000..=3_510_000_000).contains(at_ns))
        .collect();
    assert!((500_000..=500_001).contains(&burst.len()), "{}", burst.len());
    let half = burst.iter().filter(|&&at_ns| at_ns <= 3 * SECOND).count();
    assert!((245_000..=255_000).contains(&half), "{half}");
    assert!(ticks.len() <= 500_005);
}

#[test]
fn nothing_subscribed_is_nothing_to_do() {
    let mut market = market("{}");
    assert_eq!(market.run(0, &mut |_| ControlFlow::Continue(())).unwrap(), None);
    market.subscribe(&id("rb2505"), 0);
    market.unsubscribe(&id("rb2505"));
    assert_eq!(market.run(SECOND, &mut |_| ControlFlow::Continue(())).unwrap(), None);
    market.subscribe(&id("rb2505"), SECOND);
    market.end_session(SECOND);
    assert_eq!(market.snapshot(&id("rb2505"), SECOND).map(|_| ()), None);
}

#[test]
fn an_older_version_has_the_id_in_its_old_place() {
    let mut market = market(r#"{"abi": "6.3.11", "clock": {"start": "2025-03-04T10:00:00"}}"#);
    market.subscribe(&id("rb2505"), 0);
    let depth = *market.snapshot(&id("rb2505"), 0).unwrap();
    assert_eq!(text(&depth.short_instrument_id), "rb2505");
}

proptest! {
    #[test]
    fn subscriptions_come_and_go(
        steps in proptest::collection::vec((0usize..9, any::<bool>()), 1..60),
    ) {
        let mut market = market(r#"{"rate": 1000, "clock": {"start": "2025-03-04T10:00:00"}}"#);
        let mut wanted = std::collections::BTreeSet::new();
        let mut now_ns = 0;
        for (which, on) in steps {
            let text = IDS[which];
            if on {
                market.subscribe(&id(text), now_ns);
                wanted.insert(text.to_owned());
            } else {
                market.unsubscribe(&id(text));
                wanted.remove(text);
            }
            prop_assert_eq!(market.subscribed_count(), wanted.len());
            let until_ns = now_ns + SECOND / 10;
            let seen: std::collections::BTreeSet<String> =
                run(&mut market, now_ns, until_ns).iter().map(|(_, depth)| name(depth)).collect();
            prop_assert_eq!(&seen, &wanted);
            now_ns = until_ns;
        }
    }
}

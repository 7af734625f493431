//! `get_tick_serial` and `get_kline_serial`: every row is what the ring's ticks make.

use qamd_tests::fleet::Fleet;
use qamd_tests::tqsdk::{TqProgram, TqSdk};
use serde_json::{Value, json};

use crate::market::{
    Bar, COPPER, MORNING, Record, STEEL, agree, assert_shows_last, bars, burst_of, fire, gap, plan,
    shown_bars, symbol, tick_rows_differ,
};

/// Ticks of each instrument: eight minutes of the exchange's time.
const TICKS: usize = 1200;

/// Twenty-six minutes.
const LONGER: usize = 3900;

/// How long the bars last that are asked for, seconds.
const DURATIONS: [i64; 3] = [60, 5, 86_400];

/// What a program is to follow.
fn everything() -> String {
    let copper = symbol(COPPER);
    let both = [&copper, &symbol(STEEL)];
    let mut klines: Vec<Value> = DURATIONS.map(|seconds| json!([[&copper], seconds])).to_vec();
    klines.push(json!([both, 60]));
    json!({"quotes": both, "ticks": both, "klines": klines}).to_string()
}

/// What a program shows that is not what it must be.
fn complaint(shown: &Value, record: &Record) -> Option<String> {
    let instruments = [COPPER, STEEL];
    for (at, instrument) in instruments.into_iter().enumerate() {
        if let Some(what) = tick_rows_differ(&shown["ticks"][at], record.of(instrument)) {
            return Some(format!("ticks of {instrument}: {what}"));
        }
    }
    let with_gap =
        (0..=DURATIONS.len()).find_map(|at| gap(shown["klines"][at].as_array().unwrap()));
    if with_gap.is_some() {
        return with_gap;
    }
    let expected = |instrument: &str, seconds: i64| bars(record.of(instrument), seconds);
    let differ = |what: String, shown: &[Bar], expected: &[Bar]| {
        let only = |these: &[Bar], those: &[Bar]| -> Vec<Bar> {
            these.iter().filter(|bar| !those.contains(bar)).take(3).cloned().collect()
        };
        let (wrong, missing) = (only(shown, expected), only(expected, shown));
        (shown != expected).then(|| format!("{what}: shows {wrong:?}, not {missing:?}"))
    };
    let alone = DURATIONS.iter().enumerate().find_map(|(at, seconds)| {
        let shown = shown_bars(&shown["klines"][at], "");
        differ(format!("{seconds} s"), &shown, &expected(COPPER, *seconds))
    });
    let aligned = &shown["klines"][DURATIONS.len()];
    let (copper, steel) = in_both(&expected(COPPER, 60), &expected(STEEL, 60));
    alone
        .or_else(|| differ("main".into(), &shown_bars(aligned, ""), &copper))
        .or_else(|| differ("beside".into(), &shown_bars(aligned, "1"), &steel))
}

/// What is left of two instruments' bars when TqSdk shows them side by side: nothing of a time at which only one was traded, such
/// as the last minute of a burst that ends with it.
fn in_both(main: &[Bar], beside: &[Bar]) -> (Vec<Bar>, Vec<Bar>) {
    let at = |bars: &[Bar], begin: i64| bars.iter().find(|bar| bar.begin == begin).cloned();
    main.iter().filter_map(|bar| Some((bar.clone(), at(beside, bar.begin)?))).unzip()
}

#[tokio::test]
async fn ticks_and_bars_are_those_of_the_ring() {
    let Some(tqsdk) = TqSdk::ready().await else { return };
    let fleet = plan(&burst_of(TICKS, MORNING)).start_ready().await;
    let mut record = Record::begin(&fleet);
    let mut early = tqsdk.start("follow.py", &[&everything()], &fleet.address().await);
    early.says_while("ready", || record.take()).await;
    fire(&fleet, &mut record, TICKS).await;
    assert!(bars(record.of(COPPER), 60).len() >= 8);
    show_all(&tqsdk, fleet, record, early).await;
}

#[tokio::test]
async fn bars_know_the_end_of_a_day_and_the_night_that_begins_the_next() {
    let Some(tqsdk) = TqSdk::ready().await else { return };
    // Twenty seconds after the market's start the clock jumps from 15:00 to 20:59.
    let script = burst_of(LONGER, "2026-11-23T14:40:00");
    let fleet = plan(&script).start_ready().await;
    let mut record = Record::begin(&fleet);
    let mut early = tqsdk.start("follow.py", &[&everything()], &fleet.address().await);
    fire(&fleet, &mut record, LONGER).await;
    early.says("ready").await;
    assert_eq!(bars(record.of(COPPER), 86_400).len(), 2);
    show_all(&tqsdk, fleet, record, early).await;
}

/// A download pages through a series until it meets an id that has no item yet.
#[tokio::test]
async fn downloads_until_tomorrow_end_with_the_last_bar() {
    let Some(tqsdk) = TqSdk::ready().await else { return };
    let fleet = plan(&burst_of(TICKS, MORNING)).start_ready().await;
    let mut record = Record::begin(&fleet);
    let mut follower = tqsdk.start("follow.py", &[&everything()], &fleet.address().await);
    follower.says_while("ready", || record.take()).await;
    fire(&fleet, &mut record, TICKS).await;
    let wanted = DURATIONS.map(|seconds| json!([symbol(COPPER), seconds]));
    let mut program =
        tqsdk.start("download.py", &[&json!(wanted).to_string()], &fleet.address().await);
    for seconds in DURATIONS {
        let said = program.says("bars").await;
        assert_eq!(shown_bars(&said["of"], ""), bars(record.of(COPPER), seconds), "{seconds} s");
    }
    program.ends().await;
    follower.tell("end");
    follower.ends().await;
    fleet.stop().await;
}

/// Looks at one that has followed meanwhile, and at one that comes when all is over.
async fn show_all(tqsdk: &TqSdk, fleet: Fleet, mut record: Record, mut early: TqProgram) {
    let mut late = tqsdk.start("follow.py", &[&everything()], &fleet.address().await);
    late.says("ready").await;
    for program in [&mut early, &mut late] {
        agree(async || {
            let shown = program.ask("show", "shown").await;
            record.take();
            complaint(&shown, &record).map_or(Ok(()), Err)
        })
        .await;
        let shown = program.ask("show", "shown").await;
        for (at, instrument) in [COPPER, STEEL].into_iter().enumerate() {
            assert_shows_last(&shown["quotes"][at], record.of(instrument));
        }
    }
    for mut program in [early, late] {
        program.tell("end");
        program.ends().await;
    }
    fleet.stop().await;
}

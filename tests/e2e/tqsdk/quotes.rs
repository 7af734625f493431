//! `get_quote` and the loop of `wait_update`: every state that TqSdk shows is a tick of the ring, in its order.

use qamd_tests::tqsdk::TqSdk;
use serde_json::{Value, json};
use shm_layout::Tick;

use crate::market::{COPPER, MORNING, Record, STEEL, differs, plan, symbol};

/// How many changes are looked at.
const CHANGES: usize = 3000;

/// Looks for the tick that a quote shows, from where the one before it stood.
fn advance(quote: &Value, ticks: &[Tick], from: usize) -> usize {
    let found = ticks[from..].iter().position(|tick| differs(quote, tick).is_none());
    from + found.unwrap_or_else(|| {
        let same_time = ticks.iter().filter(|tick| quote["time_ns"] == tick.exchange_time_ns);
        let reasons: Vec<_> = same_time.map(|tick| differs(quote, tick)).collect();
        panic!("{quote} is no tick from {from} of {} on: {reasons:?}", ticks.len())
    })
}

#[tokio::test]
async fn every_update_is_a_tick_of_the_ring() {
    let Some(tqsdk) = TqSdk::ready().await else { return };
    let script = json!({"rate": 400, "clock": {"start": MORNING}});
    let fleet = plan(&script).start_ready().await;
    let mut record = Record::begin(&fleet);
    let count = CHANGES.to_string();
    let arguments = [count, symbol(COPPER), symbol(STEEL)];
    let arguments = arguments.each_ref().map(String::as_str);
    let mut program = tqsdk.start("updates.py", &arguments, &fleet.address().await);
    let ready = program.says_while("ready", || record.take()).await;
    let mut places = [COPPER, STEEL].map(|instrument| (instrument, 0));
    record.take();
    for (quote, (instrument, place)) in ready["quotes"].as_array().unwrap().iter().zip(&mut places)
    {
        // It waits for the first tick.
        *place = advance(quote, record.of(instrument), 0);
    }
    let mut distinct = 0;
    // It says something else when `is_changing` is not true of prices or bars.
    for _ in 0..CHANGES {
        let change = program.says_while("change", || record.take()).await;
        record.take();
        let quote = &change["quote"];
        let (instrument, place) =
            places.iter_mut().find(|(of, _)| quote["symbol"] == symbol(of)).unwrap();
        let now = advance(quote, record.of(instrument), *place);
        distinct += usize::from(now != *place);
        *place = now;
    }
    assert!(distinct > CHANGES * 9 / 10, "{distinct} of {CHANGES} are news");
    program.ends().await;
    assert_eq!(tqsdk.logins(), 1);
    fleet.stop().await;
}

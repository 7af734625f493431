//! More than one program, and one that is busy with something else.

use qamd_tests::tqsdk::TqSdk;
use serde_json::json;

use crate::market::{
    COPPER, MORNING, Record, STEEL, ZINC, agree, assert_shows_last, burst_of, differs, fire, plan,
    symbol,
};

/// Ticks of each instrument: four seconds.
const TICKS: usize = 600;

#[tokio::test]
async fn a_busy_program_gets_one_answer_with_the_latest_and_goes_on() {
    let Some(tqsdk) = TqSdk::ready().await else { return };
    let fleet = plan(&burst_of(TICKS, MORNING)).start_ready().await;
    let mut record = Record::begin(&fleet);
    let address = fleet.address().await;
    let mut busy = tqsdk.start("idle.py", &[&symbol(COPPER), &symbol(ZINC)], &address);
    let beside = json!({"quotes": [symbol(COPPER), symbol(STEEL)], "ticks": [], "klines": []});
    let mut beside = tqsdk.start("follow.py", &[&beside.to_string()], &address);
    beside.says_while("ready", || record.take()).await;
    busy.says_while("ready", || record.take()).await;
    fire(&fleet, &mut record, TICKS).await;
    let awake = busy.ask("go on", "awake").await;
    record.take();
    let ticks = record.of(COPPER);
    assert_shows_last(&awake["quote"], ticks);
    assert_eq!(busy.says("later").await["updates"], false, "one answer said it all");
    let on = busy.says_while("on", || record.take()).await;
    record.take();
    assert_shows_last(&on["quote"], record.of(ZINC));
    // The other one was served meanwhile.
    agree(async || {
        let shown = beside.ask("show", "shown").await;
        let last = record.of(STEEL).last().unwrap();
        differs(&shown["quotes"][1], last).map_or(Ok(()), Err)
    })
    .await;
    beside.tell("end");
    beside.ends().await;
    busy.ends().await;
    assert_eq!(tqsdk.logins(), 2);
    fleet.stop().await;
}

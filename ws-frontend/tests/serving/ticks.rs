//! Ticks to clients: the first, all of them, in order, to those who want them.

use std::collections::HashMap;

use shm_layout::{ExchangeId, InstrumentId, Level, Tick};
use tokio_tungstenite::tungstenite::Message;

use crate::stage::{Stage, publish};

fn text<const N: usize>(text: &str) -> [u8; N] {
    let mut bytes = [0; N];
    bytes[..text.len()].copy_from_slice(text.as_bytes());
    bytes
}

#[tokio::test]
async fn the_first_tick_reaches_the_client_byte_for_byte() {
    let (stage, mut coordinator) = Stage::start().await;
    let mut worker = stage.worker(0);
    let mut client = coordinator.client().await;
    client.send(Message::text(r#"{"action":"subscribe","instruments":["SHFE.rb2501"]}"#)).await;
    assert_eq!(
        client.text().await,
        r#"{"type":"subscribe_response","status":"success","subscribed_count":1,"message":"Successfully subscribed to 1 instruments"}"#
    );
    coordinator.until_demand(&["rb2501"]).await;
    let mut levels = Tick::EMPTY.levels;
    levels[0] = Level { bid_price: 4179.0, ask_price: 4180.0, bid_volume: 10, ask_volume: 8 };
    let tick = Tick {
        instrument_id: *InstrumentId::parse("rb2501").unwrap().padded(),
        exchange_id: *ExchangeId::SHFE.padded(),
        raw_trading_day: text("20231201"),
        raw_update_time: text("09:30:15"),
        update_millisec: 500,
        exchange_time_ns: 1_701_394_215_500_000_000,
        last_price: 4180.0,
        turnover: 525_490_000.0,
        upper_limit_price: 5_806.400_000_000_001,
        volume: 12580,
        levels,
        ..Tick::EMPTY
    };
    assert_eq!(worker.publish(&mut [tick]), 0);
    assert_eq!(
        client.text().await,
        concat!(
            r#"{"type":"market_data","instrument_id":"rb2501","trading_day":"20231201","#,
            r#""update_time":"09:30:15","update_millisec":500,"last_price":4180.0,"#,
            r#""pre_settlement_price":null,"pre_close_price":null,"pre_open_interest":null,"#,
            r#""open_price":null,"highest_price":null,"lowest_price":null,"volume":12580,"#,
            r#""turnover":525490000.0,"open_interest":null,"close_price":null,"#,
            r#""settlement_price":null,"upper_limit_price":5806.400000000001,"#,
            r#""lower_limit_price":null,"pre_delta":null,"curr_delta":null,"#,
            r#""bid_price1":4179.0,"bid_volume1":10,"ask_price1":4180.0,"ask_volume1":8,"#,
            r#""bid_price2":null,"bid_volume2":0,"ask_price2":null,"ask_volume2":0,"#,
            r#""bid_price3":null,"bid_volume3":0,"ask_price3":null,"ask_volume3":0,"#,
            r#""bid_price4":null,"bid_volume4":0,"ask_price4":null,"ask_volume4":0,"#,
            r#""bid_price5":null,"bid_volume5":0,"ask_price5":null,"ask_volume5":0,"#,
            r#""average_price":null,"action_day":null,"timestamp":1701394215500,"#,
            r#""exchange_id":"SHFE"}"#
        )
    );
}

#[tokio::test]
async fn every_tick_arrives_in_order_at_those_who_want_it_and_at_nobody_else() {
    const ROUNDS: i32 = 10;
    const TICKS: i32 = 500;
    let (stage, mut coordinator) = Stage::start().await;
    let mut both = coordinator.client().await;
    let mut one = coordinator.client().await;
    both.subscribe(&["rb2601", "au2512"]).await;
    one.subscribe(&["au2512"]).await;
    let mut workers = [stage.worker(0), stage.worker(1)];
    let mut next = HashMap::from([("rb2601".to_owned(), 0), ("au2512".to_owned(), 0)]);
    // A round is less than the ring holds, so nothing is lost however slow the machine is.
    for round in 0..ROUNDS {
        for volume in round * TICKS..(round + 1) * TICKS {
            publish(&mut workers[0], "rb2601", volume);
            publish(&mut workers[1], "au2512", volume);
            publish(&mut workers[1], "nobody", volume);
        }
        for _ in 0..2 * TICKS {
            let (instrument, volume) = both.tick().await;
            let expected = next.get_mut(&instrument).expect("only what was subscribed");
            assert_eq!(volume, *expected, "{instrument}");
            *expected += 1;
        }
        for volume in round * TICKS..(round + 1) * TICKS {
            assert_eq!(one.tick().await, ("au2512".to_owned(), i64::from(volume)));
        }
    }
    let each = u64::from((ROUNDS * TICKS).unsigned_abs());
    coordinator.until("all ticks to be counted", |told| told.stats.ticks == 3 * each).await;
    let stats = coordinator.stats;
    // rb2601 to one client, au2512 to two.
    assert_eq!((stats.pushed, stats.conflated, stats.ring_lost), (3 * each, 0, 0));
    assert_eq!((stats.sessions, stats.instruments), (2, 2));
    assert!(stats.bytes_sent > 3 * each * 500);
}

#[tokio::test]
async fn a_late_client_gets_the_latest_known_tick_at_once() {
    let (stage, mut coordinator) = Stage::start().await;
    let mut worker = stage.worker(0);
    publish(&mut worker, "rb2601", 7);
    coordinator.until("the tick to be taken", |told| told.stats.ticks == 1).await;
    let mut client = coordinator.client().await;
    client.subscribe(&["zz1", "rb2601"]).await;
    assert_eq!(client.tick().await, ("rb2601".to_owned(), 7));
}

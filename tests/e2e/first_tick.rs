//! From the library's callback to a WebSocket client, every field as the ring carries it.

use nix::sys::signal::Signal;
use qamd_tests::fleet::{FleetPlan, Home, worker_of};
use qamd_tests::push::{Field, Push};
use qamd_tests::watch::eventually;
use qamd_tests::{processes, recordings};
use serde_json::json;
use shm_layout::{NO_TIME, Tick, price_of};

use crate::scripts::{Follower, counting};

/// The keys of a push, in the order of the protocol; levels 3 to 5 continue the first two.
const KEYS: [&str; 45] = [
    "type",
    "instrument_id",
    "trading_day",
    "update_time",
    "update_millisec",
    "last_price",
    "pre_settlement_price",
    "pre_close_price",
    "pre_open_interest",
    "open_price",
    "highest_price",
    "lowest_price",
    "volume",
    "turnover",
    "open_interest",
    "close_price",
    "settlement_price",
    "upper_limit_price",
    "lower_limit_price",
    "pre_delta",
    "curr_delta",
    "bid_price1",
    "bid_volume1",
    "ask_price1",
    "ask_volume1",
    "bid_price2",
    "bid_volume2",
    "ask_price2",
    "ask_volume2",
    "bid_price3",
    "bid_volume3",
    "ask_price3",
    "ask_volume3",
    "bid_price4",
    "bid_volume4",
    "ask_price4",
    "ask_volume4",
    "bid_price5",
    "bid_volume5",
    "ask_price5",
    "ask_volume5",
    "average_price",
    "action_day",
    "timestamp",
    "exchange_id",
];

#[tokio::test]
async fn a_client_sees_what_the_ring_carries() {
    let fleet = FleetPlan::new().simulated("alpha", &json!({"rate": 20})).start_ready().await;
    let mut tap = fleet.tap();
    let mut client = fleet.client().await;
    let request = json!({"action": "subscribe", "instruments": ["rb2601"]}).to_string();
    client.send_text(request).await;
    assert_eq!(
        client.next_text().await,
        r#"{"type":"subscribe_response","status":"success","subscribed_count":1,"message":"Successfully subscribed to 1 instruments"}"#,
        "the answer comes before the first tick"
    );

    let mut pushes = Vec::new();
    while pushes.len() < 30 {
        pushes.push(client.next_push().await);
    }
    let mut ticks = Vec::new();
    eventually("the same ticks in the ring", async || {
        ticks.extend(tap.take());
        (ticks.len() >= pushes.len()).then_some(())
    })
    .await;
    assert_eq!(tap.lost(), 0);
    for (push, tick) in pushes.iter().zip(&ticks) {
        assert_shows(push, tick);
    }
    let volumes: Vec<i64> = pushes.iter().map(Push::volume).collect();
    assert!(volumes.is_sorted(), "volume only grows within a trading day: {volumes:?}");

    drop(tap);
    client.close().await;
    fleet.stop().await;
}

#[tokio::test]
async fn who_comes_later_gets_the_latest_tick_at_once() {
    // Three ticks, and then nothing for ever.
    let home = Home::new();
    let file = home.write("three.csv", recordings::counting(&["au2606"], 3));
    let script = json!({"replay": {"file": file, "rate": 20, "await_subscriptions": true}});
    let fleet = FleetPlan::in_home(home).simulated("alpha", &script).start_ready().await;
    let mut first = fleet.client().await;
    first.subscribe(&["au2606"]).await;
    let last = first.push_until("the third tick", |push| push.volume() == 3).await;
    let mut second = fleet.client().await;
    second.subscribe(&["SHFE.au2606"]).await;
    assert_eq!(second.next_push().await.text(), last.text());
    let status = fleet.status_now().await;
    assert_eq!(worker_of(&status, "alpha").subscriptions, 1);
    fleet.stop().await;
}

fn assert_shows(push: &Push, tick: &Tick) {
    let text =
        |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap().trim_end_matches('\0').to_owned();
    let keys: Vec<&str> = push.keys();
    assert_eq!(keys, KEYS, "{}", push.text());
    assert_eq!(push.string("instrument_id"), Some(tick.instrument().unwrap().as_str()));
    for (key, raw) in [
        ("trading_day", text(&tick.raw_trading_day)),
        ("update_time", text(&tick.raw_update_time)),
        ("action_day", text(&tick.raw_action_day)),
        ("exchange_id", tick.exchange().as_str().to_owned()),
    ] {
        assert_eq!(push.string(key).unwrap_or_default(), raw, "{key} of {}", push.text());
    }
    let mut prices = vec![
        ("last_price".to_owned(), tick.last_price),
        ("pre_settlement_price".to_owned(), tick.pre_settlement_price),
        ("pre_close_price".to_owned(), tick.pre_close_price),
        ("pre_open_interest".to_owned(), tick.pre_open_interest),
        ("open_price".to_owned(), tick.open_price),
        ("highest_price".to_owned(), tick.highest_price),
        ("lowest_price".to_owned(), tick.lowest_price),
        ("turnover".to_owned(), tick.turnover),
        ("open_interest".to_owned(), tick.open_interest),
        ("close_price".to_owned(), tick.close_price),
        ("settlement_price".to_owned(), tick.settlement_price),
        ("upper_limit_price".to_owned(), tick.upper_limit_price),
        ("lower_limit_price".to_owned(), tick.lower_limit_price),
        ("pre_delta".to_owned(), tick.pre_delta),
        ("curr_delta".to_owned(), tick.curr_delta),
        ("average_price".to_owned(), tick.average_price),
    ];
    let mut counts = vec![
        ("update_millisec".to_owned(), tick.update_millisec),
        ("volume".to_owned(), tick.volume),
    ];
    for (index, level) in tick.levels.iter().enumerate() {
        prices.push((format!("bid_price{}", index + 1), level.bid_price));
        prices.push((format!("ask_price{}", index + 1), level.ask_price));
        counts.push((format!("bid_volume{}", index + 1), level.bid_volume));
        counts.push((format!("ask_volume{}", index + 1), level.ask_volume));
    }
    for (key, raw) in prices {
        let shown = push.number(&key).map(f64::to_bits);
        assert_eq!(shown, price_of(raw).map(f64::to_bits), "{key} of {}", push.text());
    }
    for (key, raw) in counts {
        assert_eq!(push.integer(&key), Some(i64::from(raw)), "{key} of {}", push.text());
    }
    assert_ne!(tick.exchange_time_ns, NO_TIME);
    assert_eq!(push.integer("timestamp"), Some(tick.exchange_time_ns / 1_000_000));
    assert!(push.fields().all(|(_, field)| field != Field::Text("")), "{}", push.text());
}

/// So slow that only what is known already can come before the watchdog.
const SELDOM: f64 = 0.001;

#[tokio::test]
async fn the_latest_tick_is_known_even_when_it_came_before_anybody_asked() {
    let fleet = FleetPlan::new()
        .instruments("instrument_id,always_on\nrb2601,true\n")
        .simulated("alpha", &json!({"rate": SELDOM}))
        .start_ready()
        .await;
    let status = fleet.status_when("its snapshot came", |status| status.ticking == 1).await;
    let mut first = fleet.client().await;
    first.subscribe(&["rb2601"]).await;
    let known = first.next_push().await;
    assert_eq!(known.instrument(), "rb2601");

    // After the last client has gone for good, and with a frontend that has seen nothing.
    first.close().await;
    processes::signal(status.frontends[0].pid.unwrap(), Signal::SIGKILL);
    fleet
        .status_when("another frontend", |status| {
            let frontend = &status.frontends[0];
            frontend.connected && frontend.restarts == 1 && frontend.stats.sessions == 0
        })
        .await;
    let mut later = fleet.client().await;
    later.subscribe(&["rb2601"]).await;
    assert_eq!(later.next_push().await.text(), known.text());
    fleet.stop().await;
}

#[tokio::test]
async fn subscribing_more_costs_no_tick_of_what_one_has() {
    let home = Home::new();
    let others = ["rb2602", "rb2603", "rb2604", "rb2605"];
    let all = [&["rb2601"][..], &others].concat();
    let script = counting(&home, &all, 8000);
    let fleet = FleetPlan::in_home(home).simulated("alpha", &script).start_ready().await;
    // Somebody else keeps all of them known.
    let mut other = fleet.client().await;
    other.subscribe(&all).await;
    let mut client = fleet.client().await;
    client.subscribe(&["rb2601"]).await;
    let mut follower = Follower::default();
    let mut beside = Follower::default();
    for _ in 0..50 {
        client.subscribe(&others).await;
        follower.advance(&mut client, &["rb2601"], 20).await;
        client.unsubscribe(&others).await;
        follower.advance(&mut client, &["rb2601"], 20).await;
        beside.advance(&mut other, &["rb2601"], 20).await;
    }
    assert_eq!(follower.jumps("rb2601"), 0, "{follower:?}");
    fleet.stop().await;
}

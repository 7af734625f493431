//! DIFF over real sockets: quotes, series and queries of a whole fleet, its deaths, and clients that mean ill.

use nix::sys::signal::Signal;
use qamd_tests::diff_client::DiffClient;
use qamd_tests::fleet::{Fleet, FleetPlan};
use qamd_tests::processes;
use qamd_tests::ring_tap::RingTap;
use qamd_tests::watch::eventually;
use serde_json::{Value, json};
use shm_layout::control::FleetStatus;
use shm_layout::{Tick, price_of};

/// Listed with everything that quotes and queries need.
const LIST: &str = "instrument_id,exchange_id,product_id,product_class,instrument_name,volume_multiple,price_tick,expire_date,always_on\n\
    m2705,DCE,m,futures,豆粕2705,10,1,20270514,\n\
    y2705,DCE,y,futures,豆油2705,10,2,20270514,\n\
    m2705-C-3000,DCE,m,options,,10,0.5,20270408,\n";

/// Ticks of the one instrument once the gun is fired.
const TICKS: usize = 400;

/// A market that stands still after its snapshots, until `y2705` is subscribed.
async fn still_market() -> Fleet {
    let burst = json!({"ticks": 2 * TICKS, "per_second": 200, "await_instruments": 2});
    let script = json!({"rate": 0.001, "burst": burst});
    FleetPlan::new().instruments(LIST).simulated("alpha", &script).start_ready().await
}

const SECOND: i64 = 1_000_000_000;

async fn diff_client(fleet: &Fleet) -> DiffClient {
    DiffClient::connect(&fleet.address().await).await
}

/// Every tick of `m2705` in the ring, once they are all there.
async fn all_ticks(tap: &mut RingTap) -> Vec<Tick> {
    let mut ticks: Vec<Tick> = Vec::new();
    eventually("all ticks in the ring", async || {
        let fresh = tap.take();
        ticks.extend(
            fresh.into_iter().filter(|tick| tick.instrument().unwrap().as_str() == "m2705"),
        );
        (ticks.len() >= TICKS).then_some(())
    })
    .await;
    assert_eq!(tap.lost(), 0);
    ticks
}

fn number(raw: f64) -> Value {
    price_of(raw).map_or_else(|| json!("-"), |price| json!(price))
}

/// The bars of the seconds that lie wholly within these ticks are theirs.
fn assert_bars(serial: &Value, ticks: &[Tick]) {
    let of_second =
        |tick: &&Tick, from: i64| (from..from + SECOND).contains(&tick.exchange_time_ns);
    let bars = serial["data"].as_object().unwrap();
    let mut compared = 0;
    for bar in bars.values() {
        let from = bar["datetime"].as_i64().unwrap();
        if from <= ticks[0].exchange_time_ns {
            continue;
        }
        let of: Vec<&Tick> = ticks.iter().filter(|tick| of_second(tick, from)).collect();
        let prices = || of.iter().map(|tick| tick.last_price);
        assert_eq!(bar["open"], number(of[0].last_price));
        assert_eq!(bar["close"], number(of[of.len() - 1].last_price));
        assert_eq!(bar["high"], number(prices().fold(f64::MIN, f64::max)));
        assert_eq!(bar["low"], number(prices().fold(f64::MAX, f64::min)));
        let before = ticks.iter().take_while(|tick| tick.exchange_time_ns < from).last().unwrap();
        assert_eq!(bar["volume"], of[of.len() - 1].volume - before.volume);
        compared += 1;
    }
    assert!(compared > 0, "no whole second among {} bars", bars.len());
}

#[tokio::test]
async fn quotes_ticks_and_bars_are_what_the_ring_holds() {
    let fleet = still_market().await;
    let mut tap = fleet.tap();
    let mut client = diff_client(&fleet).await;
    assert_eq!(
        client.peek().await,
        [json!({"quotes": {}, "ins_list": "", "mdhis_more_data": false})]
    );
    client.list("DCE.m2705").await;
    let snapshot_came = |snapshot: &Value| {
        snapshot["quotes"]["DCE.m2705"]["datetime"].as_str().is_some_and(|time| !time.is_empty())
    };
    client.until("its first quote", snapshot_came).await;
    for (chart_id, duration) in [("ticks", 0_i64), ("seconds", SECOND)] {
        client
            .send(json!({"aid": "set_chart", "chart_id": chart_id, "ins_list": "DCE.m2705",
                "duration": duration, "view_width": 5000}))
            .await;
    }
    client
        .until("both charts", |snapshot| {
            ["ticks", "seconds"].iter().all(|chart| snapshot["charts"][chart]["ready"] == true)
        })
        .await;
    client.list("DCE.m2705,DCE.y2705").await;
    let ticks = all_ticks(&mut tap).await;
    let last = ticks.last().unwrap();
    let snapshot = client
        .until("the last tick", |snapshot| {
            let serial = &snapshot["ticks"]["DCE.m2705"];
            let last_id = serial["last_id"].to_string();
            serial["data"][last_id]["datetime"] == last.exchange_time_ns
        })
        .await;
    let quote = &snapshot["quotes"]["DCE.m2705"];
    for (key, raw) in [
        ("last_price", last.last_price),
        ("highest", last.highest_price),
        ("upper_limit", last.upper_limit_price),
        ("pre_settlement", last.pre_settlement_price),
        ("bid_price1", last.levels[0].bid_price),
        ("ask_price1", last.levels[0].ask_price),
        ("amount", last.turnover),
        ("average", last.average_price / 10.0),
    ] {
        assert_eq!(quote[key], number(raw), "{key}");
    }
    assert_eq!(quote["ask_volume1"], last.levels[0].ask_volume);
    assert_eq!(quote["open_interest"].as_f64(), price_of(last.open_interest));
    // The ticks are the ring's, one by one.
    let serial = &snapshot["ticks"]["DCE.m2705"];
    let last_id = serial["last_id"].as_i64().unwrap();
    for (back, tick) in (0..).zip(ticks.iter().rev()) {
        let row = &serial["data"][(last_id - back).to_string()];
        assert_eq!(row["datetime"], tick.exchange_time_ns, "{back} before the last");
        assert_eq!(row["last_price"], number(tick.last_price));
        assert_eq!(row["volume"], tick.volume);
    }
    assert_bars(&snapshot["klines"]["DCE.m2705"][SECOND.to_string()], &ticks);
    fleet.stop().await;
}

#[tokio::test]
async fn queries_are_answered_from_the_list_and_without_a_coordinator() {
    let mut fleet = still_market().await;
    let mut client = diff_client(&fleet).await;
    const QUERY: &str = "query { multi_symbol_info(instrument_id: [\"DCE.m2705\", \"DCE.zz1\"]) { ... on basic { instrument_id class price_tick instrument_name trading_time { day night } } ... on tradeable { volume_multiple } } }";
    let answer = client.query("Q", QUERY).await;
    assert_eq!(
        answer["result"]["multi_symbol_info"],
        json!([{"instrument_id": "DCE.m2705", "class": "FUTURE", "price_tick": 1.0, "instrument_name": "豆粕2705",
            "trading_time": {"day": [["09:00:00", "10:15:00"], ["10:30:00", "11:30:00"], ["13:30:00", "15:00:00"]],
                "night": [["21:00:00", "23:00:00"]]},
            "volume_multiple": 10}])
    );
    fleet.kill_coordinator();
    let options = "query { multi_symbol_info(class: [OPTION]) { ... on basic { instrument_id } } }";
    let answer = client.query("O", options).await;
    assert_eq!(
        answer["result"]["multi_symbol_info"],
        json!([{"instrument_id": "DCE.m2705-C-3000"}])
    );
    let answer = client.query("E", "query { multi_symbol_info { ").await;
    assert!(!answer["error"].as_str().unwrap().is_empty());
    fleet.run();
    fleet.wait_serving().await;
    let answer = client.query("R", &QUERY.replace("zz1", "zz2")).await;
    assert_eq!(answer["result"]["multi_symbol_info"].as_array().unwrap().len(), 1);
    fleet.stop().await;
}

#[tokio::test]
async fn who_comes_back_after_the_frontends_death_gets_all_and_goes_on() {
    let fleet = still_market().await;
    let mut client = diff_client(&fleet).await;
    client.list("DCE.m2705").await;
    let has_price =
        |snapshot: &Value| snapshot["quotes"]["DCE.m2705"]["last_price"].as_f64().is_some();
    let before = client.until("its price", has_price).await["quotes"]["DCE.m2705"].clone();
    let pid = fleet.status_now().await.frontends[0].pid.unwrap();
    processes::signal(pid, Signal::SIGKILL);
    let is_back =
        |status: &FleetStatus| status.frontends[0].connected && status.frontends[0].restarts == 1;
    fleet.status_when("another frontend", is_back).await;
    // The market stands still: what it sees comes from shared memory.
    let mut again = diff_client(&fleet).await;
    again.list("DCE.m2705").await;
    again
        .send(json!({"aid": "set_chart", "chart_id": "C", "ins_list": "DCE.m2705",
            "duration": 60_000_000_000_i64, "view_width": 200}))
        .await;
    assert_eq!(again.until("its price", has_price).await["quotes"]["DCE.m2705"], before);
    // TqSdk waits for an id that is not -1 before it goes on.
    let serial =
        |snapshot: &Value| snapshot["klines"]["DCE.m2705"]["60000000000"]["last_id"].clone();
    again.until("a chart it can go on with", |snapshot| serial(snapshot) == 0).await;
    again.list("DCE.m2705,DCE.y2705").await;
    again.until("bars", |snapshot| serial(snapshot).as_i64().unwrap() > 1_000_000).await;
    fleet.stop().await;
}

#[tokio::test]
async fn hostile_clients_get_notices_and_harm_nobody() {
    let fleet = still_market().await;
    let mut good = diff_client(&fleet).await;
    good.list("DCE.m2705").await;
    let mut bad = diff_client(&fleet).await;
    bad.send(json!({"aid": "peek_message"})).await;
    let deep = format!("query {{ {} }}", "a { ".repeat(5000));
    let wide = format!("query {{ multi_symbol_info {{ {} }} }}", "instrument_id ".repeat(20_000));
    let messages = [
        json!([]),
        json!({"aid": []}),
        json!({"aid": "subscribe_quote", "ins_list": ",,,.,SHFE.,.rb,SHFE.rb\u{0}"}),
        json!({"aid": "subscribe_quote", "ins_list": "DCE.m2705,".repeat(40_000)}),
        json!({"aid": "ins_query", "query_id": "deep", "query": deep}),
        json!({"aid": "ins_query", "query_id": "wide", "query": wide}),
        json!({"aid": "set_chart", "chart_id": "", "ins_list": "DCE.m2705", "duration": -1, "view_width": 1}),
        json!({"aid": "set_chart", "chart_id": "x", "ins_list": "DCE.m2705", "duration": 0,
            "view_width": i64::MAX, "left_kline_id": i64::MAX}),
        json!({"aid": "set_chart", "chart_id": "y", "ins_list": "DCE.m2705", "duration": 0,
            "view_width": 7, "focus_datetime": i64::MIN, "focus_position": i64::MIN}),
        json!({"aid": "set_chart", "chart_id": "z", "ins_list": "DCE.m2705,".repeat(17),
            "duration": 1, "view_width": 7}),
    ];
    for message in messages {
        bad.send(message).await;
    }
    let told = |snapshot: &Value| {
        snapshot["symbols"]["deep"]["error"].is_string()
            && snapshot["symbols"]["wide"]["error"].is_string()
            && snapshot["charts"]["y"]["ready"] == true
            && snapshot["notify"].as_object().is_some_and(|notices| notices.len() >= 6)
    };
    bad.until("all refusals", told).await;
    good.until("its price", |snapshot| snapshot["quotes"]["DCE.m2705"]["last_price"].is_number())
        .await;
    assert!(good.notices().is_empty(), "{:?}", good.notices());
    let counted = |status: &FleetStatus| {
        let stats = &status.frontends[0].stats;
        (stats.diff_sessions, stats.sessions, stats.queries) == (2, 2, 2)
    };
    fleet.status_when("both are counted", counted).await;
    fleet.stop().await;
}

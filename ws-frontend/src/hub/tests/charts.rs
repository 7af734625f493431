//! Charts of DIFF clients at the hub.

use serde_json::json;
use shm_layout::{ExchangeId, Level};

use super::diff::{answers, merge};
use super::*;
use crate::series::{BarDuration, Kind};

/// 2026-11-23 09:00:00 in Beijing, a Monday.
const NINE_S: i64 = 1_795_395_600;
pub(super) const SECOND: i64 = 1_000_000_000;
pub(super) const MINUTE: i64 = 60 * SECOND;

impl Stage {
    /// A trade so many seconds after nine.
    pub(super) fn trade_at(
        &mut self,
        instrument: &str,
        seconds: i64,
        last_price: f64,
        volume: i32,
    ) {
        let mut levels = Tick::EMPTY.levels;
        levels[0] = Level { bid_price: 3139.0, bid_volume: 7, ..levels[0] };
        let tick = Tick {
            levels,
            instrument_id: *InstrumentId::parse(instrument).unwrap().padded(),
            exchange_id: *ExchangeId::SHFE.padded(),
            exchange_time_ns: (NINE_S + seconds) * SECOND,
            trading_day: 20_261_123,
            last_price,
            volume,
            open_interest: 1000.0,
            ..Tick::EMPTY
        };
        self.hub.take_tick(&tick, self.now);
        self.flush();
    }

    pub(super) fn chart(
        &mut self,
        id: SessionId,
        chart_id: &str,
        ins_list: &str,
        duration: i64,
        width: i64,
    ) {
        let pack = json!({
            "aid": "set_chart", "chart_id": chart_id, "ins_list": ins_list,
            "duration": duration, "view_width": width,
        });
        self.say(id, &pack.to_string());
    }
}

/// A client and its snapshot.
pub(super) struct Client {
    pub(super) id: SessionId,
    pub(super) pipe: Rc<Pipe>,
    pub(super) snapshot: Value,
}

impl Client {
    pub(super) fn new(stage: &mut Stage) -> Self {
        let (id, pipe) = stage.client();
        Self { id, pipe, snapshot: json!({}) }
    }

    /// Peeks until the peek is held, and merges what comes. How many answers there were.
    pub(super) fn catch_up(&mut self, stage: &mut Stage) -> usize {
        for rounds in 0.. {
            stage.say(self.id, r#"{"aid":"peek_message"}"#);
            let (count, patches) = answers(&self.pipe);
            patches.iter().for_each(|patch| merge(&mut self.snapshot, patch));
            if count == 0 {
                return rounds;
            }
            assert!(rounds < 1000, "it is told news for ever");
        }
        unreachable!()
    }
}

#[test]
fn bars_come_whole_first_and_then_as_they_change() {
    let mut stage = Stage::new();
    stage.trade_at("rb2705", 1, 3140.0, 10);
    stage.trade_at("rb2705", 61, 3150.0, 15);
    let mut client = Client::new(&mut stage);
    stage.chart(client.id, "C", "SHFE.rb2705", MINUTE, 200);
    client.catch_up(&mut stage);
    let snapshot = &client.snapshot;
    let serial = &snapshot["klines"]["SHFE.rb2705"]["60000000000"];
    let last = serial["last_id"].as_i64().unwrap();
    let bar = |id: i64| serial["data"][id.to_string()].clone();
    assert_eq!(
        bar(last - 1),
        json!({"datetime": NINE_S * SECOND, "open": 3140.0, "high": 3140.0, "low": 3140.0,
            "close": 3140.0, "volume": 0, "open_oi": 1000, "close_oi": 1000})
    );
    assert_eq!((&bar(last)["open"], &bar(last)["volume"]), (&json!(3150.0), &json!(5)));
    assert_eq!(
        snapshot["charts"]["C"],
        json!({"left_id": last - 1, "right_id": last, "more_data": false, "ready": true, "state": {
            "aid": "set_chart", "chart_id": "C", "ins_list": "SHFE.rb2705", "duration": MINUTE, "view_width": 200}})
    );
    assert_eq!(snapshot["mdhis_more_data"], false);
    stage.say(client.id, r#"{"aid":"peek_message"}"#);
    stage.trade_at("rb2705", 62, 3149.0, 16);
    assert_eq!(
        answers(&client.pipe).1,
        [json!({"klines": {"SHFE.rb2705": {"60000000000": {"data":
            {last.to_string(): {"low": 3149.0, "close": 3149.0, "volume": 6}}}}}})]
    );
    stage.say(client.id, r#"{"aid":"peek_message"}"#);
    stage.trade_at("rb2705", 120, 3151.0, 17);
    let (_, patches) = answers(&client.pipe);
    assert_eq!(patches[0]["klines"]["SHFE.rb2705"]["60000000000"]["last_id"], last + 1);
    assert_eq!(patches[1], json!({"charts": {"C": {"right_id": last + 1}}}));
}

#[test]
fn a_series_without_an_item_is_told_in_two_steps_and_goes_on_when_one_comes() {
    let mut stage = Stage::new();
    stage.list(&["rb2705"]);
    let mut client = Client::new(&mut stage);
    client.catch_up(&mut stage);
    // The peek that is held brings it.
    stage.chart(client.id, "C", "SHFE.rb2705", MINUTE, 200);
    let (_, patches) = answers(&client.pipe);
    patches.iter().for_each(|patch| merge(&mut client.snapshot, patch));
    let chart = &client.snapshot["charts"]["C"];
    assert_eq!((&chart["ready"], &chart["left_id"]), (&json!(true), &json!(-1)));
    assert_eq!(client.snapshot["klines"]["SHFE.rb2705"]["60000000000"]["last_id"], -1);
    assert_eq!(client.catch_up(&mut stage), 1);
    let chart = &client.snapshot["charts"]["C"];
    assert_eq!((&chart["left_id"], &chart["right_id"]), (&json!(1), &json!(0)));
    assert_eq!(client.snapshot["klines"]["SHFE.rb2705"]["60000000000"]["last_id"], 0);
    stage.trade_at("rb2705", 1, 3140.0, 10);
    client.catch_up(&mut stage);
    let chart = &client.snapshot["charts"]["C"];
    let last = &client.snapshot["klines"]["SHFE.rb2705"]["60000000000"]["last_id"];
    assert!(last.as_i64().unwrap() > 1_000_000);
    assert_eq!((&chart["left_id"], &chart["right_id"]), (last, last));
}

#[test]
fn ticks_come_in_pieces_and_are_ready_when_all_are_there() {
    let mut stage = Stage::new();
    for number in 0..9950 {
        stage.trade_at("rb2705", i64::from(number) / 2, 3140.0 + f64::from(number % 7), number);
    }
    let mut client = Client::new(&mut stage);
    stage.chart(client.id, "T", "SHFE.rb2705", 0, 9900);
    let (mut rounds, mut was_ready) = (0, false);
    while !was_ready {
        stage.say(client.id, r#"{"aid":"peek_message"}"#);
        let (count, patches) = answers(&client.pipe);
        assert_eq!(count, 1);
        patches.iter().for_each(|patch| merge(&mut client.snapshot, patch));
        was_ready = client.snapshot["charts"]["T"]["ready"] == true;
        assert_eq!(client.snapshot["mdhis_more_data"], !was_ready);
        rounds += 1;
    }
    assert!(rounds > 1);
    let ticks = client.snapshot["ticks"]["SHFE.rb2705"]["data"].as_object().unwrap();
    assert_eq!(ticks.len(), 9900);
    let last = client.snapshot["ticks"]["SHFE.rb2705"]["last_id"].as_i64().unwrap();
    assert_eq!(ticks[&last.to_string()]["volume"], 9949);
    assert_eq!(client.snapshot["charts"]["T"]["left_id"], last - 9899);
}

#[test]
fn a_chart_may_look_at_a_part_and_page_on() {
    let mut stage = Stage::new();
    for minute in 0..30 {
        stage.trade_at("rb2705", minute * 60, 3140.0, i32::try_from(minute).unwrap());
    }
    let mut client = Client::new(&mut stage);
    let ask = |more: Value| {
        let mut pack = json!({"aid": "set_chart", "chart_id": "D", "ins_list": "SHFE.rb2705",
            "duration": MINUTE, "view_width": 5});
        merge(&mut pack, &more);
        pack.to_string()
    };
    let focus = (NINE_S + 10 * 60 - 30) * SECOND;
    stage.say(client.id, &ask(json!({"focus_datetime": focus, "focus_position": 1})));
    client.catch_up(&mut stage);
    let serial = client.snapshot["klines"]["SHFE.rb2705"]["60000000000"].clone();
    let left = client.snapshot["charts"]["D"]["left_id"].as_i64().unwrap();
    assert_eq!(serial["data"][left.to_string()]["datetime"], (NINE_S + 9 * 60) * SECOND);
    assert_eq!(serial["data"].as_object().unwrap().len(), 5);
    assert_eq!(serial["last_id"], left + 20);
    stage.say(client.id, &ask(json!({"left_kline_id": left + 5})));
    client.catch_up(&mut stage);
    let chart = &client.snapshot["charts"]["D"];
    assert_eq!((&chart["left_id"], &chart["right_id"]), (&json!(left + 5), &json!(left + 9)));
    assert_eq!(chart["state"]["left_kline_id"], left + 5);
    stage.say(client.id, &ask(json!({"left_kline_id": i64::MAX})));
    stage.chart(client.id, "L", "SHFE.rb2705", MINUTE, 1000);
    client.catch_up(&mut stage);
    let data = &client.snapshot["klines"]["SHFE.rb2705"]["60000000000"]["data"];
    assert_eq!(data.as_object().unwrap().len(), 30);
}

#[test]
fn bars_of_several_instruments_are_bound_by_their_times() {
    let mut stage = Stage::new();
    for minute in [0, 1, 2, 4] {
        stage.trade_at("rb2705", minute * 60, 3140.0, 1);
    }
    for minute in [1, 3, 4] {
        stage.trade_at("hc2705", minute * 60, 3300.0, 1);
    }
    let mut client = Client::new(&mut stage);
    stage.chart(client.id, "M", "SHFE.rb2705,SHFE.hc2705", MINUTE, 10_000);
    client.catch_up(&mut stage);
    let pairs = |client: &Client| {
        let klines = &client.snapshot["klines"];
        let time = |symbol: &str, id: &str| {
            let bar = &klines[symbol]["60000000000"]["data"][id];
            (bar["datetime"].as_i64().unwrap() / SECOND - NINE_S) / 60
        };
        let bound = &klines["SHFE.rb2705"]["60000000000"]["binding"]["SHFE.hc2705"];
        let pair = |(id, other): (&String, &Value)| {
            (time("SHFE.rb2705", id), time("SHFE.hc2705", &other.to_string()))
        };
        bound.as_object().unwrap().iter().map(pair).collect::<Vec<_>>()
    };
    assert_eq!(pairs(&client), [(1, 1), (4, 4)]);
    stage.trade_at("rb2705", 300, 3140.0, 2);
    client.catch_up(&mut stage);
    assert_eq!(pairs(&client).len(), 2);
    stage.trade_at("hc2705", 301, 3300.0, 2);
    client.catch_up(&mut stage);
    assert_eq!(pairs(&client), [(1, 1), (4, 4), (5, 5)]);
}

#[test]
fn charts_are_demand_and_give_back_what_they_took() {
    let mut stage = Stage::new();
    let mut known = BTreeSet::new();
    stage.hub.coordinator_connected();
    let mut client = Client::new(&mut stage);
    stage.chart(client.id, "A", "SHFE.rb2705,SHFE.hc2705", MINUTE, 10);
    stage.chart(client.id, "B", "SHFE.rb2705", MINUTE, 10);
    stage.say(client.id, r#"{"aid":"subscribe_quote","ins_list":"SHFE.hc2705"}"#);
    client.catch_up(&mut stage);
    stage.demand(&mut known);
    assert_eq!(known.iter().collect::<Vec<_>>(), ["hc2705", "rb2705"]);
    stage.chart(client.id, "A", "", MINUTE, 10);
    client.catch_up(&mut stage);
    assert!(client.snapshot["charts"]["A"].is_null() && client.snapshot["charts"]["B"].is_object());
    stage.say(client.id, r#"{"aid":"subscribe_quote","ins_list":""}"#);
    stage.pass(DEMAND_LINGER * 2);
    stage.demand(&mut known);
    assert_eq!(known.iter().collect::<Vec<_>>(), ["rb2705"]);
    stage.chart(client.id, "B", "SHFE.au2706", 0, 10);
    stage.pass(DEMAND_LINGER * 2);
    stage.demand(&mut known);
    assert_eq!(known.iter().collect::<Vec<_>>(), ["au2706"]);
    stage.hub.gone(client.id, stage.now);
    stage.pass(DEMAND_LINGER * 2);
    stage.demand(&mut known);
    assert!(known.is_empty());
}

#[test]
fn a_chart_that_cannot_be_is_empty_and_the_client_told_why() {
    let mut stage = Stage::new();
    let mut client = Client::new(&mut stage);
    stage.chart(client.id, "X", "rb2705", MINUTE, 10);
    stage.chart(client.id, "Y", "SHFE.rb2705", MINUTE + 1, 10);
    client.catch_up(&mut stage);
    for chart in ["X", "Y"] {
        let chart = &client.snapshot["charts"][chart];
        assert_eq!((&chart["ready"], &chart["right_id"]), (&json!(true), &json!(0)));
        assert!(chart["state"].is_object());
    }
    // TqSdk waits for this when it comes back after a loss of its connection.
    assert_eq!(client.snapshot["klines"]["SHFE.rb2705"][(MINUTE + 1).to_string()]["last_id"], 0);
    assert_eq!(client.snapshot["notify"].as_object().unwrap().len(), 2);
    assert_eq!(stage.hub.stats().bad_messages, 2);
    assert_eq!(stage.hub.stats().instruments, 0);
}

/// The symbols and kinds that the property test plays with.
const SYMBOLS: [&str; 3] = ["rb2705", "hc2705", "au2706"];
const DURATIONS: [i64; 4] = [0, 5 * SECOND, MINUTE, 60 * MINUTE];

proptest! {
    /// Whatever happens, and whenever a client peeks: once it has been answered all, it has of every chart the items that the
    /// gateway has, whole.
    #[test]
    fn a_clients_series_are_the_gateways(
        steps in prop::collection::vec((0..9_u8, 0..12_usize, 0..200_i64), 1..150),
    ) {
        let mut stage = Stage::new();
        let mut clients = [Client::new(&mut stage), Client::new(&mut stage)];
        let mut charts: [BTreeMap<String, (usize, usize, i64)>; 2] = Default::default();
        let mut seconds = 0;
        for (volume, (what, which, how)) in (0..).zip(steps) {
            let client = which % 2;
            match what {
                0..=4 => {
                    seconds += how / 4;
                    stage.trade_at(SYMBOLS[which % 3], seconds, 3000.0 + (how % 5) as f64, volume);
                }
                5 => {
                    let (symbol, duration, width) = (which % 3, which % 4, 1 + how % 20);
                    let name = format!("C{}", which % 5);
                    let list = format!("SHFE.{}", SYMBOLS[symbol]);
                    stage.chart(clients[client].id, &name, &list, DURATIONS[duration], width);
                    charts[client].insert(name, (symbol, duration, width));
                }
                6 => {
                    let name = format!("C{}", which % 5);
                    stage.chart(clients[client].id, &name, "", 0, 1);
                    charts[client].remove(&name);
                }
                _ => {
                    let client = &mut clients[client];
                    stage.say(client.id, r#"{"aid":"peek_message"}"#);
                    let (_, patches) = answers(&client.pipe);
                    patches.iter().for_each(|patch| merge(&mut client.snapshot, patch));
                }
            }
        }
        for (client, charts) in clients.iter_mut().zip(&charts) {
            // What a held peek brought.
            let (_, patches) = answers(&client.pipe);
            patches.iter().for_each(|patch| merge(&mut client.snapshot, patch));
            client.catch_up(&mut stage);
            let told = client.snapshot["charts"].as_object().cloned().unwrap_or_default();
            prop_assert_eq!(told.keys().collect::<Vec<_>>(), charts.keys().collect::<Vec<_>>());
            for (name, (symbol, duration, width)) in charts {
                let id = InstrumentId::parse(SYMBOLS[*symbol]).unwrap();
                let kind = match DURATIONS[*duration] {
                    0 => Kind::Ticks,
                    ns => Kind::Bars(BarDuration::try_from_ns(ns).unwrap()),
                };
                let series = stage.hub.world.series.open(id, kind).unwrap();
                let book = &stage.hub.world.series;
                let (first, last) = (book.first_id(series), book.last_id(series));
                let symbol = format!("SHFE.{}", SYMBOLS[*symbol]);
                let serial = match kind {
                    Kind::Ticks => &client.snapshot["ticks"][symbol],
                    Kind::Bars(duration) => &client.snapshot["klines"][symbol][duration.as_ns().to_string()],
                };
                prop_assert_eq!(&told[name]["ready"], &json!(true));
                if last >= 0 {
                    let left = first.max(last - width + 1);
                    prop_assert_eq!(&serial["last_id"], &json!(last));
                    prop_assert_eq!(&told[name]["left_id"], &json!(left));
                    prop_assert_eq!(&told[name]["right_id"], &json!(last));
                    for item in left..=last {
                        let mut row = Vec::new();
                        let terms = Default::default();
                        assert!(crate::series_rows::push_row(&mut row, "{", book, series, item, terms));
                        row.push(b'}');
                        let row: Value = serde_json::from_slice(&row).unwrap();
                        prop_assert_eq!(&serial["data"][item.to_string()], &row[item.to_string()]);
                    }
                }
                stage.hub.world.series.close(series);
            }
        }
    }
}

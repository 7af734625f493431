//! DIFF clients that do what nobody expects, and what they may take.

use serde_json::json;
use shm_layout::ExchangeId;
use shm_layout::control::FleetEvent;

use super::charts::{Client, MINUTE};
use super::diff::{answers, merge, traded};
use super::*;
use crate::limits::{CHART_PACK_BYTES_MAX, CHARTS_MAX, FLUSH_ANSWERS_BYTES, NAME_BYTES_MAX};

pub(super) fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("rb{number:04}")).collect()
}

pub(super) fn symbols(names: &[String]) -> String {
    names.iter().map(|name| format!("SHFE.{name}")).collect::<Vec<_>>().join(",")
}

#[test]
fn every_peek_that_is_open_is_answered_as_long_as_there_is_news() {
    let mut stage = Stage::new();
    let all = names(4000);
    stage.list(&all.iter().map(String::as_str).collect::<Vec<_>>());
    let (id, pipe) = stage.client();
    for _ in 0..50 {
        stage.hub.text(id, r#"{"aid":"peek_message"}"#, stage.moment());
    }
    stage.hub.text(
        id,
        &json!({"aid": "subscribe_quote", "ins_list": symbols(&all)}).to_string(),
        stage.moment(),
    );
    stage.flush();
    let mut snapshot = json!({});
    let (count, patches) = answers(&pipe);
    patches.iter().for_each(|patch| merge(&mut snapshot, patch));
    assert!(count > 5, "{count}");
    assert_eq!(snapshot["quotes"].as_object().unwrap().len(), all.len());
    assert_eq!(snapshot["ins_list"], symbols(&all));
}

#[test]
fn one_turn_encodes_so_much_and_the_others_come_with_the_next() {
    let mut stage = Stage::new();
    let all = names(150);
    stage.list(&all.iter().map(String::as_str).collect::<Vec<_>>());
    let clients: Vec<_> = (0..40).map(|_| stage.client()).collect();
    for (id, _) in &clients {
        let list = json!({"aid": "subscribe_quote", "ins_list": symbols(&all)}).to_string();
        stage.hub.text(*id, &list, stage.moment());
        stage.hub.text(*id, r#"{"aid":"peek_message"}"#, stage.moment());
    }
    let mut turns = 0;
    let mut before = 0;
    loop {
        turns += 1;
        let flushed = stage.hub.flush(stage.now);
        let sent: usize = clients.iter().map(|(_, pipe)| pipe.wire.borrow().len()).sum();
        assert!(sent - before <= FLUSH_ANSWERS_BYTES + 2 * ANSWER_BYTES_MAX, "{}", sent - before);
        before = sent;
        if flushed == Flushed::All {
            break;
        }
    }
    assert!(turns > 3);
    for (_, pipe) in &clients {
        assert_eq!(answers(pipe).1[0]["quotes"].as_object().unwrap().len(), all.len());
    }
}

#[test]
fn a_chart_set_again_is_not_told_again() {
    let mut stage = Stage::new();
    for minute in 0..20 {
        stage.trade_at("rb2705", minute * 60, 3140.0, i32::try_from(minute).unwrap());
    }
    let mut client = Client::new(&mut stage);
    // TqSdk sets such a chart again with every change until both have bars.
    for round in 0..10 {
        stage.chart(client.id, "C", "SHFE.rb2705,SHFE.hc2705", MINUTE, 10 + round);
        client.catch_up(&mut stage);
        let last_id = &client.snapshot["klines"]["SHFE.hc2705"][MINUTE.to_string()]["last_id"];
        assert_eq!(last_id, 0, "round {round}");
    }
    stage.say(client.id, r#"{"aid":"peek_message"}"#);
    received(&client.pipe);
    stage.chart(client.id, "C", "SHFE.rb2705,SHFE.hc2705", MINUTE, 5);
    let (_, patches) = answers(&client.pipe);
    assert!(patches.iter().all(|patch| patch["klines"].is_null()), "{patches:?}");
    let chart = &patches[0]["charts"]["C"];
    assert_eq!((&chart["ready"], &chart["state"]["view_width"]), (&json!(true), &json!(5)));
}

#[test]
fn who_has_missed_what_it_looked_at_is_told_only_what_it_looks_at_now() {
    let mut stage = Stage::new();
    stage.trade_at("rb2705", 0, 3140.0, 0);
    let mut client = Client::new(&mut stage);
    stage.chart(client.id, "T", "SHFE.rb2705", 0, 20);
    client.catch_up(&mut stage);
    received(&client.pipe);
    let pipe = Rc::clone(&client.pipe);
    // The peek that is held is answered by the first tick; then it peeks no more for a while.
    for number in 1..500 {
        stage.trade_at("rb2705", number, 3140.0, i32::try_from(number).unwrap());
    }
    received(&pipe);
    stage.say(client.id, r#"{"aid":"peek_message"}"#);
    let (_, patches) = answers(&pipe);
    let rows = patches[0]["ticks"]["SHFE.rb2705"]["data"].as_object().unwrap();
    assert_eq!(rows.len(), 20);
}

#[test]
fn what_a_client_keeps_here_is_bounded() {
    let mut stage = Stage::new();
    stage.list(&["rb2705"]);
    let mut client = Client::new(&mut stage);
    for number in 0..CHARTS_MAX + 5 {
        stage.chart(client.id, &format!("C{number}"), "SHFE.rb2705", MINUTE, 10);
    }
    client.catch_up(&mut stage);
    assert_eq!(client.snapshot["charts"].as_object().unwrap().len(), CHARTS_MAX);
    let said = client.snapshot["notify"].as_object().unwrap().len();
    assert_eq!(said, 5);
    let long = "x".repeat(CHART_PACK_BYTES_MAX);
    for message in [
        json!({"aid": "set_chart", "chart_id": "C1", "ins_list": "SHFE.rb2705", "duration": 0,
            "view_width": 1, "more": long}),
        json!({"aid": "set_chart", "chart_id": "x".repeat(NAME_BYTES_MAX + 1), "ins_list": "",
            "duration": 0, "view_width": 1}),
        json!({"aid": "ins_query", "query_id": "x".repeat(NAME_BYTES_MAX + 1), "query": ""}),
        json!({"aid": "subscribe_quote", "ins_list": "x".repeat(1 << 19)}),
    ] {
        stage.say(client.id, &message.to_string());
    }
    client.catch_up(&mut stage);
    let notices = client.snapshot["notify"].as_object().unwrap();
    assert_eq!(notices.len(), said + 4);
    assert!(notices.values().all(|notice| notice["content"].as_str().unwrap().len() < 400));
}

#[test]
fn two_names_of_an_instrument_are_kept_apart() {
    let mut stage = Stage::new();
    stage.list(&["SP cu2701&cu2702", "rb2705"]);
    stage.trade("SP cu2701&cu2702", -30.0, 1);
    stage.trade("rb2705", 3140.0, 1);
    for symbol in ["SHFE.SP cu2701&cu2702", "SHFE.cu2701-cu2702"] {
        let mut client = Client::new(&mut stage);
        stage.quotes(client.id, symbol);
        client.catch_up(&mut stage);
        assert_eq!(client.snapshot["quotes"][symbol]["instrument_id"], symbol);
    }
    let mut client = Client::new(&mut stage);
    stage.quotes(client.id, "DCE.rb2705,SHFE.rb2705");
    stage.chart(client.id, "A", "SHFE.SP cu2701&cu2702", 0, 10);
    stage.chart(client.id, "B", "SHFE.cu2701-cu2702", 0, 10);
    stage.chart(client.id, "D", "DCE.rb2705", 0, 10);
    client.catch_up(&mut stage);
    let quotes = client.snapshot["quotes"].as_object().unwrap();
    assert_eq!(
        quotes.keys().collect::<Vec<_>>(),
        ["SHFE.rb2705"],
        "a wrong name hides no right one"
    );
    let ticks = &client.snapshot["ticks"];
    assert_eq!(ticks["SHFE.SP cu2701&cu2702"]["data"].as_object().unwrap().len(), 1);
    for (chart, symbol) in [("B", "SHFE.cu2701-cu2702"), ("D", "DCE.rb2705")] {
        assert_eq!(ticks[symbol]["last_id"], 0, "there is nothing under this name");
        assert_eq!(client.snapshot["charts"][chart]["ready"], true);
    }
    assert_eq!(client.snapshot["notify"].as_object().unwrap().len(), 2);
}

#[test]
fn a_chart_that_fails_halfway_wants_nothing() {
    let mut stage = Stage::new();
    let mut client = Client::new(&mut stage);
    stage.chart(client.id, "A", "SHFE.rb2705,SHFE.hc2705,rb", MINUTE, 10);
    client.catch_up(&mut stage);
    assert_eq!(stage.hub.stats().instruments, 0);
    // One that goes while its chart is being opened.
    let chart = json!({"aid": "set_chart", "chart_id": "B", "ins_list": "SHFE.rb2705,SHFE.hc2705",
        "duration": MINUTE, "view_width": 10});
    stage.hub.text(client.id, &chart.to_string(), stage.moment());
    assert!(!client.pipe.reading.replace(false) || stage.hub.openings.len() == 1);
    stage.hub.gone(client.id, stage.now);
    stage.flush();
    assert_eq!((stage.hub.stats().instruments, stage.hub.openings.len()), (0, 0));
}

#[test]
fn who_is_closed_for_a_long_message_is_told_why() {
    let mut stage = Stage::new();
    let (id, pipe) = stage.client();
    stage.peek(id);
    received(&pipe);
    stage.peek(id);
    stage.hub.violated(id, Violation::TooLong, stage.moment());
    stage.flush();
    let said = received(&pipe);
    let notices = said[0]["data"][0]["notify"].as_object().unwrap();
    assert!(notices.values().next().unwrap()["content"].as_str().unwrap().contains("longer than"));
    assert_eq!(said[1], 1009);
}

#[test]
fn a_list_that_comes_later_completes_what_was_told() {
    let mut stage = Stage::new();
    let tick = Tick {
        average_price: 30_000.0,
        exchange_id: *ExchangeId::SHFE.padded(),
        ..traded("zz1", 1.0, 1)
    };
    stage.hub.take_tick(&tick, stage.now);
    let mut client = Client::new(&mut stage);
    stage.quotes(client.id, "SHFE.zz1");
    client.catch_up(&mut stage);
    assert_eq!(client.snapshot["quotes"]["SHFE.zz1"]["average"], "-");
    stage.list(&["zz1"]);
    client.catch_up(&mut stage);
    assert_eq!(client.snapshot["quotes"]["SHFE.zz1"]["average"], 3000.0);
}

#[test]
fn events_reach_those_who_listen_with_what_concerns_them() {
    let mut stage = Stage::new();
    stage.list(&["rb2705", "hc2705"]);
    let (deaf, deaf_pipe) = stage.client();
    let (action, action_pipe) = stage.client();
    let mut diff = Client::new(&mut stage);
    stage.subscribe(deaf, &["rb2705"]);
    stage.subscribe(action, &["rb2705"]);
    stage.say(action, r#"{"action":"events","enable":true}"#);
    stage.quotes(diff.id, "SHFE.hc2705");
    diff.catch_up(&mut stage);
    let _before = (received(&deaf_pipe), received(&action_pipe));
    let id = |name: &str| InstrumentId::parse(name).unwrap();
    let stale = FleetEvent::Stale { instruments: vec![id("rb2705"), id("hc2705"), id("xx1")] };
    stage.hub.heard_of_fleet(stale, stage.moment());
    stage.hub.lost(7);
    stage.pass(SWEEP_EVERY);
    let events = received(&action_pipe);
    assert_eq!(
        (&events[0]["event"], &events[0]["instruments"]),
        (&json!("stale"), &json!(["rb2705"]))
    );
    assert_eq!((&events[1]["event"], &events[1]["ticks"]), (&json!("losses"), &json!(7)));
    diff.catch_up(&mut stage);
    let (_, patches) = answers(&diff.pipe);
    assert!(patches.is_empty());
    let contents: Vec<&str> = diff.snapshot["notify"]
        .as_object()
        .unwrap()
        .values()
        .map(|notice| notice["content"].as_str().unwrap())
        .collect();
    assert!(contents[0].contains("hc2705") && !contents[0].contains("rb2705"), "{contents:?}");
    assert!(contents[1].contains('7'));
    assert!(received(&deaf_pipe).is_empty());
    // Who wants it later is told as well.
    stage.subscribe(action, &["hc2705"]);
    assert_eq!(received(&action_pipe)[1]["instruments"], json!(["hc2705"]));
    assert_eq!(stage.hub.stats().events, 5);
}

//! DIFF clients that page through a series, set charts in another way, or cannot take all news of their quotes.

use serde_json::json;

use super::charts::{Client, MINUTE, SECOND};
use super::diff::{answers, merge};
use super::edges::{names, symbols};
use super::*;
use crate::limits::CHART_INSTRUMENTS_MAX;

/// As TqSdk's downloads end: by an id in view that has no item.
#[test]
fn a_view_from_somewhere_reaches_beyond_the_last_item() {
    let mut stage = Stage::new();
    for second in 0..30 {
        stage.trade_at("rb2705", second, 3140.0, i32::try_from(second).unwrap());
    }
    let mut client = Client::new(&mut stage);
    let mut pack = json!({
        "aid": "set_chart", "chart_id": "C", "ins_list": "SHFE.rb2705", "duration": SECOND,
        "view_width": 20, "focus_datetime": 0, "focus_position": 0,
    });
    let mut seen = Vec::new();
    let mut id = None;
    loop {
        stage.say(client.id, &pack.to_string());
        client.catch_up(&mut stage);
        let chart = &client.snapshot["charts"]["C"];
        assert_eq!((&chart["state"], &chart["ready"]), (&pack, &json!(true)));
        let (left, right) =
            (chart["left_id"].as_i64().unwrap(), chart["right_id"].as_i64().unwrap());
        let data = &client.snapshot["klines"]["SHFE.rb2705"][SECOND.to_string()]["data"];
        let mut at = id.unwrap_or(left);
        assert!(at <= right, "nothing in view: who pages would ask again for ever");
        while at <= right && !data[at.to_string()].is_null() {
            seen.push(at);
            at += 1;
        }
        if at <= right {
            break;
        }
        id = Some(at);
        let keys = pack.as_object_mut().unwrap();
        keys.remove("focus_datetime");
        keys.remove("focus_position");
        keys.insert("left_kline_id".into(), at.into());
    }
    assert_eq!(seen.len(), 30);
    assert!(seen.windows(2).all(|two| two[0] + 1 == two[1]));
}

#[test]
fn what_lies_in_the_past_is_told_once() {
    let mut stage = Stage::new();
    for second in 0..30 {
        stage.trade_at("rb2705", second, 3140.0, i32::try_from(second).unwrap());
    }
    let mut client = Client::new(&mut stage);
    for (chart, duration) in [("bars", SECOND), ("ticks", 0)] {
        let pack = json!({
            "aid": "set_chart", "chart_id": chart, "ins_list": "SHFE.rb2705", "duration": duration,
            "view_width": 10, "focus_datetime": 0, "focus_position": 0,
        });
        stage.say(client.id, &pack.to_string());
    }
    client.catch_up(&mut stage);
    stage.say(client.id, r#"{"aid":"peek_message"}"#);
    for number in 0..5 {
        stage.trade_at("rb2705", 30, 3140.0 + f64::from(number), 30 + number);
        stage.say(client.id, r#"{"aid":"peek_message"}"#);
    }
    let (_, patches) = answers(&client.pipe);
    let data = |patch: &Value| {
        let series =
            [&patch["ticks"]["SHFE.rb2705"], &patch["klines"]["SHFE.rb2705"]["1000000000"]];
        series.iter().any(|series| !series["data"].is_null())
    };
    assert!(!patches.is_empty() && !patches.iter().any(data), "{patches:?}");
}

/// More changes between two peeks than one answer takes.
#[test]
fn busy_quotes_hold_up_neither_charts_nor_the_list() {
    let mut stage = Stage::new();
    let all = names(3000);
    stage.list(&all.iter().map(String::as_str).collect::<Vec<_>>());
    let mut client = Client::new(&mut stage);
    let list = json!({"aid": "subscribe_quote", "ins_list": symbols(&all)}).to_string();
    stage.say(client.id, &list);
    stage.chart(client.id, "C", &format!("SHFE.{}", all[0]), MINUTE, 10);
    let mut rounds = 0;
    let is_told = |snapshot: &Value| {
        snapshot["ins_list"] == symbols(&all) && snapshot["charts"]["C"]["ready"] == true
    };
    while !is_told(&client.snapshot) {
        rounds += 1;
        assert!(rounds < 40, "it is never told all");
        for (number, id) in all.iter().enumerate() {
            let traded = i32::try_from(rounds * 1000 + number).unwrap();
            stage.trade_at(id, i64::try_from(rounds).unwrap(), f64::from(traded), traded);
        }
        stage.say(client.id, r#"{"aid":"peek_message"}"#);
        for patch in answers(&client.pipe).1 {
            merge(&mut client.snapshot, &patch);
        }
        let quotes = client.snapshot["quotes"].as_object().map_or(0, serde_json::Map::len);
        let is_listed = client.snapshot["ins_list"] == symbols(&all);
        assert!(!is_listed || quotes == all.len(), "the list comes with the last of its quotes");
    }
    assert!(rounds > 1, "one answer took it all");
}

/// TqSdk returns from its call once it has seen -1, and from its reconnect once it has seen another id.
#[test]
fn a_chart_of_too_many_instruments_is_there_and_empty() {
    let mut stage = Stage::new();
    let all = names(CHART_INSTRUMENTS_MAX + 1);
    stage.list(&all.iter().map(String::as_str).collect::<Vec<_>>());
    let mut client = Client::new(&mut stage);
    stage.chart(client.id, "C", &symbols(&all), MINUTE, 10);
    let mut last_ids = Vec::new();
    for _ in 0..3 {
        stage.say(client.id, r#"{"aid":"peek_message"}"#);
        for patch in answers(&client.pipe).1 {
            merge(&mut client.snapshot, &patch);
        }
        last_ids.push(
            client.snapshot["klines"][symbols(&all[..1])][MINUTE.to_string()]["last_id"].clone(),
        );
    }
    assert_eq!(last_ids, [json!(-1), json!(0), json!(0)]);
    assert_eq!(client.snapshot["charts"]["C"]["ready"], true);
    let notices = client.snapshot["notify"].as_object().unwrap();
    let content = notices.values().next().unwrap()["content"].as_str().unwrap();
    assert!(content.contains("65 symbols; a chart may have 64"), "{content}");
}

//! Queries of DIFF clients at the hub.

use serde_json::json;

use super::diff::answers;
use super::*;
use crate::catalog::Unknown;

#[test]
fn a_query_holds_its_client_until_it_is_answered() {
    let mut stage = Stage::new();
    let (id, pipe) = stage.client();
    let ask = |query_id: &str| {
        json!({"aid": "ins_query", "query_id": query_id, "query": "{x}", "variables": {"a": 1}})
            .to_string()
    };
    pipe.reading.set(false);
    stage.say(id, &ask("Q"));
    assert!(!pipe.reading.get());
    let (asked, query, variables) = stage.hub.next_query().unwrap();
    assert_eq!((&*query, variables.as_deref()), ("{x}", Some(r#"{"a":1}"#)));
    stage.hub.answered(
        asked,
        br#"{"result":{"multi_symbol_info":[]}}"#.to_vec(),
        &Unknown::default(),
    );
    stage.flush();
    assert!(pipe.reading.get());
    stage.peek(id);
    let (_, patches) = answers(&pipe);
    assert_eq!(patches[0]["symbols"], json!({"Q": {"result": {"multi_symbol_info": []}}}));
    stage.say(id, &ask("R"));
    let (asked, ..) = stage.hub.next_query().unwrap();
    stage.hub.answered(asked, br#"{"error":"no"}"#.to_vec(), &Unknown::default());
    stage.say(id, r#"{"aid":"ins_query","query_id":"Q","query":""}"#);
    stage.peek(id);
    let (_, patches) = answers(&pipe);
    assert_eq!(patches[0]["symbols"]["R"]["error"], "no");
    assert!(patches[0]["symbols"]["Q"].is_null());
    // An answer that comes when its client is gone, and another has its place, is nobody's.
    stage.say(id, &ask("S"));
    let (asked, ..) = stage.hub.next_query().unwrap();
    stage.hub.gone(id, stage.now);
    let (other, pipe) = stage.client();
    stage.peek(other);
    received(&pipe);
    stage.peek(other);
    stage.hub.answered(asked, b"{}".to_vec(), &Unknown::default());
    stage.flush();
    assert_eq!(answers(&pipe).0, 0);
}

#[test]
fn answers_that_nobody_fetches_are_bounded() {
    let mut stage = Stage::new();
    let (id, pipe) = stage.client();
    let big = format!("\"{}\"", "x".repeat(ANSWERS_WAITING_BYTES_MAX / 3));
    for name in ["A", "B", "B", "C"] {
        stage.say(id, &json!({"aid": "ins_query", "query_id": name, "query": "q"}).to_string());
        let (asked, ..) = stage.hub.next_query().unwrap();
        stage.hub.answered(asked, big.clone().into_bytes(), &Unknown::default());
    }
    stage.peek(id);
    let (_, patches) = answers(&pipe);
    let symbols = &patches[0]["symbols"];
    assert!(symbols["A"].is_string() && symbols["B"].is_string());
    assert!(symbols["C"]["error"].as_str().unwrap().contains("peek_message"), "{symbols}");
}

#[test]
fn who_asks_and_leaves_leaves_nothing_behind() {
    let mut stage = Stage::new();
    for number in 0..50 {
        let (id, _pipe) = stage.client();
        stage.say(
            id,
            &json!({"aid": "ins_query", "query_id": "Q", "query": number.to_string()}).to_string(),
        );
        stage.hub.gone(id, stage.now);
    }
    let (id, _pipe) = stage.client();
    stage.say(id, r#"{"aid":"ins_query","query_id":"Q","query":"the last"}"#);
    assert_eq!(stage.hub.asked.len(), 1);
    assert_eq!(stage.hub.next_query().unwrap().1, "the last", "the others are skipped");
    assert!(stage.hub.next_query().is_none() && stage.hub.to_ask.is_empty());
}

/// TqSdk waits for what it asked about, and says no more than that it took too long.
#[test]
fn who_asks_about_what_nobody_knows_is_told_so() {
    let mut stage = Stage::new();
    let (id, pipe) = stage.client();
    stage.say(id, r#"{"aid":"ins_query","query_id":"q","query":"{x}"}"#);
    let (asked, _, _) = stage.hub.next_query().unwrap();
    let unknown = Unknown { count: 7, first: vec!["KQ.m@SHFE.rb".into(), "DCE.rb2701".into()] };
    stage.hub.answered(asked, b"{}".to_vec(), &unknown);
    stage.say(id, r#"{"aid":"peek_message"}"#);
    let (_, patches) = answers(&pipe);
    let notices = patches[0]["notify"].as_object().unwrap();
    let notice = notices.values().next().unwrap();
    assert_eq!(
        notice["content"],
        "没有合约资料（不在合约表中，也没有行情）：KQ.m@SHFE.rb、DCE.rb2701 等 7 个合约"
    );
    assert_eq!(patches[0]["symbols"]["q"], serde_json::json!({}));
}

//! DIFF clients at the hub: quotes, peeks, queries, notices.

use serde_json::json;
use shm_layout::{ExchangeId, NO_PRICE};

use super::*;
use crate::protocol::diff::push_quote_object;
use crate::protocol::quote_fields::Terms;
use crate::quote_faces::{NOTHING_TOLD, QuoteFaces};

impl Stage {
    pub(super) fn peek(&mut self, id: SessionId) {
        self.say(id, r#"{"aid":"peek_message"}"#);
    }

    pub(super) fn quotes(&mut self, id: SessionId, ins_list: &str) {
        self.say(id, &json!({"aid": "subscribe_quote", "ins_list": ins_list}).to_string());
    }

    pub(super) fn trade(&mut self, instrument: &str, last_price: f64, volume: i32) {
        let tick = traded(instrument, last_price, volume);
        self.hub.take_tick(&tick, self.now);
        self.flush();
    }
}

pub(super) fn traded(instrument: &str, last_price: f64, volume: i32) -> Tick {
    Tick {
        instrument_id: *InstrumentId::parse(instrument).unwrap().padded(),
        exchange_id: *product::exchange_of(instrument).padded(),
        exchange_time_ns: i64::from(volume) * 1_000_000_000,
        last_price,
        volume,
        ..Tick::EMPTY
    }
}

/// The patches of the answers received, and how many answers there were.
pub(super) fn answers(pipe: &Pipe) -> (usize, Vec<Value>) {
    let received = received(pipe);
    for answer in &received {
        assert_eq!(answer["aid"], "rtn_data", "{answer}");
    }
    let patches = received.iter().flat_map(|answer| answer["data"].as_array().unwrap().clone());
    (received.len(), patches.collect())
}

/// RFC 7386.
pub(super) fn merge(target: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else { return *target = patch.clone() };
    if !target.is_object() {
        *target = json!({});
    }
    let target = target.as_object_mut().unwrap();
    for (key, value) in patch {
        if value.is_null() {
            target.remove(key);
        } else {
            merge(target.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

#[test]
fn the_first_peek_is_answered_at_once_and_the_next_when_there_is_something() {
    let mut stage = Stage::new();
    let (id, pipe) = stage.client();
    stage.peek(id);
    let wire = String::from_utf8(pipe.wire.borrow()[2..].to_vec()).unwrap();
    assert_eq!(
        wire,
        r#"{"aid":"rtn_data","data":[{"quotes":{},"ins_list":"","mdhis_more_data":false}]}"#
    );
    received(&pipe);
    stage.list(&["rb2601", "au2512"]);
    stage.peek(id);
    assert_eq!(answers(&pipe), (0, vec![]), "it is held");
    stage.quotes(id, "SHFE.rb2601,SHFE.zz99,SHFE.au2512");
    let (count, patches) = answers(&pipe);
    assert_eq!((count, patches.len()), (1, 1));
    assert_eq!(patches[0]["ins_list"], "SHFE.rb2601,SHFE.zz99,SHFE.au2512");
    let quotes = patches[0]["quotes"].as_object().unwrap();
    assert_eq!(quotes.len(), 2, "what nobody knows is absent");
    assert_eq!(quotes["SHFE.rb2601"]["instrument_id"], "SHFE.rb2601");
    stage.trade("rb2601", 3144.0, 0);
    assert_eq!(answers(&pipe), (0, vec![]), "nobody peeks");
    stage.peek(id);
    assert_eq!(answers(&pipe).1[0]["quotes"]["SHFE.rb2601"]["last_price"], 3144.0);
    stage.trade("rb2601", 3145.0, 1);
    stage.trade("rb2601", 3146.0, 2);
    stage.peek(id);
    assert_eq!(
        answers(&pipe),
        (
            1,
            vec![json!({"quotes": {"SHFE.rb2601":
            {"last_price": 3146.0, "volume": 2, "datetime": "1970-01-01 08:00:02.000000"}}})]
        )
    );
    stage.trade("zz99", 1.0, 1);
    stage.peek(id);
    let unknown_exchange = answers(&pipe);
    assert_eq!(unknown_exchange, (0, vec![]), "it ticks, but not at the exchange of the symbol");
    let tick = Tick { exchange_id: *ExchangeId::SHFE.padded(), ..traded("zy99", 1.0, 1) };
    stage.quotes(id, "SHFE.zy99");
    answers(&pipe);
    stage.peek(id);
    stage.hub.take_tick(&tick, stage.now);
    stage.flush();
    let (_, patches) = answers(&pipe);
    assert_eq!(patches[0]["quotes"]["SHFE.zy99"]["last_price"], 1.0, "it is known by its tick");
}

#[test]
fn what_is_listed_anew_is_whole_and_what_stays_is_not() {
    let mut stage = Stage::new();
    stage.list(&["rb2601", "au2512", "cu2512"]);
    for instrument in ["rb2601", "au2512", "cu2512"] {
        stage.trade(instrument, 100.0, 1);
    }
    let (id, pipe) = stage.client();
    let mut known = BTreeSet::new();
    stage.hub.coordinator_connected();
    let told = |stage: &mut Stage, list: &str| {
        stage.quotes(id, list);
        stage.peek(id);
        let (count, patches) = answers(&pipe);
        assert_eq!((count, patches[0]["ins_list"].as_str()), (1, Some(list)));
        let quotes = patches[0]["quotes"].as_object().unwrap();
        quotes
            .iter()
            .map(|(symbol, quote)| (symbol.clone(), quote.as_object().unwrap().len()))
            .collect::<Vec<_>>()
    };
    let whole = |symbol: &str| (symbol.to_owned(), 57);
    assert_eq!(
        told(&mut stage, "SHFE.au2512,SHFE.rb2601"),
        [whole("SHFE.au2512"), whole("SHFE.rb2601")]
    );
    assert_eq!(told(&mut stage, "SHFE.rb2601,SHFE.cu2512"), [whole("SHFE.cu2512")]);
    assert_eq!(told(&mut stage, "SHFE.au2512"), [whole("SHFE.au2512")], "it was forgotten");
    stage.pass(DEMAND_LINGER * 2);
    stage.demand(&mut known);
    assert_eq!(known.into_iter().collect::<Vec<_>>(), ["au2512"]);
    assert_eq!(stage.hub.world.faces.len(), 1);
    assert_eq!(told(&mut stage, ""), []);
    stage.trade("au2512", 101.0, 2);
    stage.peek(id);
    assert_eq!(answers(&pipe).0, 0, "it is listed no longer");
    stage.hub.gone(id, stage.now);
    assert!(stage.hub.world.faces.is_empty());
}

#[test]
fn two_names_of_a_combination_are_one_instrument() {
    let mut stage = Stage::new();
    stage.list(&["SP cu2601&cu2602"]);
    stage.trade("SP cu2601&cu2602", -30.0, 1);
    let (id, pipe) = stage.client();
    stage.quotes(id, "SHFE.cu2601-cu2602");
    stage.peek(id);
    let (_, patches) = answers(&pipe);
    assert_eq!(patches[0]["quotes"]["SHFE.cu2601-cu2602"]["last_price"], -30.0);
}

#[test]
fn a_wrong_exchange_is_no_such_contract() {
    let mut stage = Stage::new();
    stage.list(&["rb2601"]);
    stage.trade("rb2601", 1.0, 1);
    let (id, pipe) = stage.client();
    stage.quotes(id, "DCE.rb2601");
    stage.peek(id);
    assert_eq!(answers(&pipe).1[0]["quotes"], json!({}));
}

#[test]
fn mistakes_are_told_as_notices_and_change_nothing() {
    let mut stage = Stage::new();
    stage.list(&["rb2601"]);
    let (id, pipe) = stage.client();
    stage.peek(id);
    received(&pipe);
    for text in ["[]", "nonsense", r#"{"aid":"x"}"#, r#"{"action":"list"}"#] {
        stage.say(id, text);
    }
    stage.quotes(id, "rb2601,SHFE.rb2601");
    stage.peek(id);
    let (count, patches) = answers(&pipe);
    assert_eq!(count, 1);
    let notices: Vec<&Value> = patches[0]["notify"].as_object().unwrap().values().collect();
    assert_eq!(notices.len(), 5);
    for notice in notices {
        assert_eq!((&notice["type"], &notice["level"]), (&json!("MESSAGE"), &json!("WARNING")));
        assert!(notice["code"].is_u64() && !notice["content"].as_str().unwrap().is_empty());
    }
    assert!(patches[0]["quotes"]["SHFE.rb2601"].is_object());
    assert_eq!(stage.hub.stats().bad_messages, 5);
    for _ in 0..NOTICES_WAITING_MAX + 10 {
        stage.say(id, "[]");
    }
    stage.peek(id);
    let (_, patches) = answers(&pipe);
    let notices = patches[0]["notify"].as_object().unwrap();
    assert_eq!(notices.len(), NOTICES_WAITING_MAX + 1);
    assert!(notices.values().any(|notice| notice["content"] == "另有 10 条通知被省略"));
}

#[test]
fn a_long_list_comes_in_several_answers_and_says_when_it_is_whole() {
    let mut stage = Stage::new();
    let names: Vec<String> = (0..3000).map(|number| format!("rb{number:04}")).collect();
    stage.list(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let list = names.iter().map(|name| format!("SHFE.{name}")).collect::<Vec<_>>().join(",");
    let (id, pipe) = stage.client();
    stage.quotes(id, &list);
    let mut snapshot = json!({});
    let mut rounds = 0;
    while snapshot["ins_list"] != json!(list) {
        stage.peek(id);
        let (count, patches) = answers(&pipe);
        assert_eq!(count, 1);
        patches.iter().for_each(|patch| merge(&mut snapshot, patch));
        rounds += 1;
    }
    assert!(rounds > 1);
    assert_eq!(snapshot["quotes"].as_object().unwrap().len(), names.len());
}

#[test]
fn the_two_dialects_share_an_instrument_and_no_connection() {
    let mut stage = Stage::new();
    stage.list(&["rb2601"]);
    let (action, action_pipe) = stage.client();
    let (diff, diff_pipe) = stage.client();
    stage.subscribe(action, &["rb2601"]);
    stage.quotes(diff, "SHFE.rb2601");
    stage.peek(diff);
    stage.peek(action);
    let replies = received(&action_pipe);
    assert!(replies[1]["message"].as_str().unwrap().contains("open another connection"));
    received(&diff_pipe);
    stage.peek(diff);
    stage.trade("rb2601", 5.0, 1);
    assert_eq!(brief(&action_pipe), ["rb2601=1"]);
    assert_eq!(answers(&diff_pipe).1[0]["quotes"]["SHFE.rb2601"]["last_price"], 5.0);
    stage.hub.gone(diff, stage.now);
    stage.trade("rb2601", 6.0, 2);
    assert_eq!(brief(&action_pipe), ["rb2601=2"]);
}

/// Instruments that the property test plays with; the last is listed by nobody.
const NAMES: [&str; 4] = ["rb2601", "au2512", "m2605", "zz9"];

fn exchange(name: &str) -> ExchangeId {
    let exchange = product::exchange_of(name);
    if exchange.is_unknown() { ExchangeId::SHFE } else { exchange }
}

fn symbol(name: &str) -> String {
    format!("{}.{name}", exchange(name))
}

proptest! {
    /// Whatever happens, and however the client peeks and its socket takes: once it has been answered all, its snapshot holds
    /// exactly what the gateway knows of what it listed last, and it got one answer a peek.
    #[test]
    fn merged_patches_are_the_gateways_state(
        steps in prop::collection::vec((0..8_u8, 0..16_usize, 0..3_i32), 1..200),
    ) {
        let mut stage = Stage::new();
        stage.list(&NAMES[..2]);
        let mut known: BTreeSet<&str> = NAMES[..2].iter().copied().collect();
        let mut latest: BTreeMap<&str, Tick> = BTreeMap::new();
        let (id, pipe) = stage.client();
        let mut listed: Vec<&str> = Vec::new();
        let mut list = String::new();
        let mut snapshot = json!({});
        let (mut peeks, mut answered) = (0, 0);
        let take = |snapshot: &mut Value, answered: &mut usize| {
            let (count, patches) = answers(&pipe);
            *answered += count;
            patches.iter().for_each(|patch| merge(snapshot, patch));
        };
        for (volume, (what, which, price)) in (0..).zip(steps) {
            let name = NAMES[which % NAMES.len()];
            match what {
                0..=2 => {
                    let price = if price == 2 { NO_PRICE } else { f64::from(price) };
                    let tick = Tick {
                        exchange_id: *exchange(name).padded(),
                        ..traded(name, price, volume / 2)
                    };
                    latest.insert(name, tick);
                    known.insert(name);
                    stage.hub.take_tick(&tick, stage.now);
                }
                3 => {
                    listed = NAMES.into_iter().enumerate().filter(|(at, _)| which & 1 << at != 0).map(|(_, name)| name).collect();
                    list = listed.iter().map(|name| symbol(name)).collect::<Vec<_>>().join(",");
                    let text = json!({"aid": "subscribe_quote", "ins_list": list}).to_string();
                    stage.hub.text(id, &text, stage.moment());
                }
                4 | 5 => {
                    peeks += 1;
                    stage.hub.text(id, r#"{"aid":"peek_message"}"#, stage.moment());
                }
                6 => stage.flush(),
                _ => {
                    // What is released is forgotten once nobody wants it, and comes back with its next tick.
                    stage.list(&NAMES[..3]);
                    known.insert(NAMES[2]);
                }
            }
        }
        stage.flush();
        take(&mut snapshot, &mut answered);
        prop_assert!(answered <= peeks);
        // Until a peek is held.
        while answered == peeks {
            peeks += 1;
            stage.peek(id);
            take(&mut snapshot, &mut answered);
        }
        let mut expected = json!({});
        for name in listed.iter().filter(|name| known.contains(*name)) {
            let mut faces = QuoteFaces::default();
            let terms = Terms { volume_multiple: Some(10), plain_prices: false };
            faces.open(0, terms, latest.get(name));
            let mut quote = Vec::new();
            let members = faces.get_mut(0).unwrap().since(NOTHING_TOLD);
            push_quote_object(&mut quote, Some(&symbol(name)), members);
            expected[symbol(name)] = serde_json::from_slice(&quote).unwrap();
        }
        for name in &listed {
            prop_assert_eq!(&snapshot["quotes"][symbol(name)], &expected[symbol(name)]);
        }
        prop_assert_eq!(snapshot["ins_list"].as_str(), Some(&*list));
    }
}

#[test]
fn units_come_from_the_list_else_from_what_exchanges_publish() {
    let average = |listed: bool, instrument: &str| {
        let mut stage = Stage::new();
        if listed {
            // Ten units in a lot, whatever the product.
            stage.list(&[instrument]);
        }
        let tick = Tick { average_price: 30_000.0, ..traded(instrument, 1.0, 1) };
        let tick = Tick { exchange_id: *exchange(instrument).padded(), ..tick };
        stage.hub.take_tick(&tick, stage.now);
        let (id, pipe) = stage.client();
        stage.quotes(id, &symbol(instrument));
        stage.peek(id);
        answers(&pipe).1[0]["quotes"][symbol(instrument)]["average"].clone()
    };
    assert_eq!(average(true, "au2612"), 3000.0);
    assert_eq!(average(false, "au2612"), 30.0);
    assert_eq!(average(false, "zz9"), "-", "nobody knows");
}

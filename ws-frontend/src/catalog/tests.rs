//! Queries that TqSdk sends, and what they are answered.

use proptest::prelude::*;
use serde_json::{Value, json};
use shm_layout::control::{InstrumentClass, OptionSide, OrderVolume};
use shm_layout::{NO_PRICE, Tick, TradingCalendar};

use super::*;
use crate::limits::{QUERY_ARGUMENTS_MAX, QUERY_DEPTH_MAX, QUERY_SELECTIONS_MAX, QUERY_VALUES_MAX};

/// What TqSdk asks of an instrument before it hands it out, here of `SHFE.rb2701`.
const QUOTE: &str = include_str!("tests/quote.graphql");

/// The question for the options on something, with fields as TqSdk's `query_options` wants them.
const OPTIONS_ON: &str = r#"query {
  multi_symbol_info(instrument_id: ["DCE.m2705"]) {
    __typename
    ... on basic {
      instrument_id
      derivatives(class: [OPTION]) {
        edges {
          node {
            __typename
            ... on basic {
              class
              instrument_id
              exchange_id
              english_name
            }
            ... on option {
              expired
              expire_datetime
              last_exercise_datetime
              strike_price
              call_or_put
            }
          }
        }
      }
    }
  }
}"#;

/// The answer's text.
fn answer(
    catalog: &Catalog,
    query: &str,
    variables: Option<&Value>,
    latest: &Latest<'_>,
) -> Result<Vec<u8>, QueryError> {
    super::answer(catalog, query, variables, latest).map(|answer| answer.json)
}

fn listed(id: &str, exchange: ExchangeId, facts: ListedFacts) -> ListedInstrument {
    ListedInstrument { instrument: InstrumentId::parse(id).unwrap(), exchange, facts }
}

fn day(number: u32) -> Date {
    Date::from_yyyymmdd(number).unwrap()
}

/// A list that says much of a few instruments and nothing of others.
fn instruments() -> Instruments {
    let nothing = ListedFacts::default;
    let rb2701 = ListedFacts {
        class: Some(InstrumentClass::Futures),
        product: Some("rb".into()),
        name: Some("螺纹钢2701".into()),
        volume_multiple: Some(10),
        price_tick: Some(1.0),
        margin: Some(0.07),
        commission: Some(3.5),
        expire_date: Some(day(20_270_115)),
        delivery_month: Some(202_701),
        limit_order_volume: OrderVolume { max: Some(500), min: Some(1) },
        ..nothing()
    };
    let index_option = ListedFacts {
        underlying: Some("IO2612".into()),
        expire_date: Some(day(20_261_218)),
        ..nothing()
    };
    let stock_option = ListedFacts {
        class: Some(InstrumentClass::SpotOption),
        name: Some("50ETF购12月2900".into()),
        underlying: Some("510050".into()),
        strike_price: Some(2.9),
        option_side: Some(OptionSide::Call),
        price_tick: Some(0.0001),
        volume_multiple: Some(10_000),
        ..nothing()
    };
    let sse = ExchangeId::known("SSE").unwrap();
    let old = ListedFacts { expire_date: Some(day(20_261_116)), ..nothing() };
    let mut instruments = Instruments::default();
    instruments.list(true, vec![listed("rb2701", ExchangeId::SHFE, rb2701)]);
    instruments.list(
        false,
        vec![
            listed("m2705", ExchangeId::DCE, nothing()),
            listed("m2705-C-3000", ExchangeId::DCE, nothing()),
            listed("m2705-P-2900", ExchangeId::DCE, nothing()),
            listed("SPD SR705&SR709", ExchangeId::CZCE, nothing()),
            listed("SP cu2701&cu2702", ExchangeId::SHFE, nothing()),
            listed("IO2612-C-4600", ExchangeId::CFFEX, index_option),
            listed("10007777", sse, stock_option),
            listed("rb2611", ExchangeId::SHFE, old),
            listed("zz2701", ExchangeId::UNKNOWN, nothing()),
        ],
    );
    let seen = |id| InstrumentId::parse(id).unwrap();
    assert!(instruments.saw(seen("jd2702"), ExchangeId::UNKNOWN));
    assert!(!instruments.saw(seen("jd2702"), ExchangeId::UNKNOWN));
    assert!(instruments.saw(seen("rb2701"), ExchangeId::SHFE));
    instruments
}

fn catalog() -> Catalog {
    let hours = TradingHours::new(TradingCalendar::default());
    Catalog::of(&instruments(), &hours, day(20_261_123))
}

/// The latest tick of rb2701; nothing else has one.
fn latest(instrument: &InstrumentId) -> Option<Box<Tick>> {
    let tick = Tick {
        instrument_id: *instrument.padded(),
        trading_day: 20_261_123,
        pre_close_price: 3105.0,
        pre_settlement_price: 3110.0,
        pre_open_interest: 1_234_567.0,
        upper_limit_price: 3328.0,
        lower_limit_price: NO_PRICE,
        ..Tick::EMPTY
    };
    (instrument.as_str() == "rb2701").then(|| Box::new(tick))
}

fn ask_with(query: &str, variables: Option<&Value>) -> Result<Value, String> {
    let answer = answer(&catalog(), query, variables, &latest);
    let answer = answer.map_err(|error| error.to_string())?;
    Ok(serde_json::from_slice(&answer).unwrap())
}

fn ask(query: &str) -> Value {
    ask_with(query, None).unwrap()
}

fn error(query: &str) -> String {
    ask_with(query, None).unwrap_err()
}

/// What the quote query says of one symbol, or of several with blanks between them replaced.
fn quote(symbol: &str) -> Value {
    let answer = ask(&QUOTE.replace("SHFE.rb2701", symbol));
    let found = answer["multi_symbol_info"].as_array().unwrap();
    assert!(found.len() < 2);
    found.first().cloned().unwrap_or(Value::Null)
}

/// The symbols that a question with these arguments finds.
fn symbols(arguments: &str) -> Vec<String> {
    let query = format!(
        "query {{ multi_symbol_info({arguments}) {{ ... on basic {{ instrument_id }} }} }}"
    );
    let answer = ask(&query);
    let found = answer["multi_symbol_info"].as_array().unwrap().iter();
    found.map(|one| one["instrument_id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_future_is_what_the_list_and_its_tick_say() {
    let expected = json!({
        "__typename": "future",
        "instrument_id": "SHFE.rb2701", "exchange_id": "SHFE", "instrument_name": "螺纹钢2701", "english_name": "",
        "class": "FUTURE", "price_tick": 1.0, "price_decs": 0, "trading_day": "20261123",
        "trading_time": {
            "day": [["09:00:00", "10:15:00"], ["10:30:00", "11:30:00"], ["13:30:00", "15:00:00"]],
            "night": [["21:00:00", "23:00:00"]],
        },
        "pre_close": 3105.0, "volume_multiple": 10, "quote_multiple": null, "upper_limit": 3328.0, "lower_limit": null,
        "pre_open_interest": 1_234_567, "expired": false, "product_id": "rb", "product_short_name": null,
        "delivery_year": 2027, "delivery_month": 1, "expire_datetime": 1_799_996_400_000_000_000_i64,
        "settlement_price": 3110.0, "max_market_order_volume": null, "max_limit_order_volume": 500,
        "min_market_order_volume": null, "min_limit_order_volume": 1, "open_limit": null,
        "open_max_market_order_volume": null, "open_max_limit_order_volume": null,
        "open_min_market_order_volume": null, "open_min_limit_order_volume": null,
        "margin": 0.07, "commission": 3.5, "mmsa": null, "categories": [], "position_limit": null,
    });
    assert_eq!(quote("SHFE.rb2701"), expected);
}

#[test]
fn an_option_brings_what_it_is_on() {
    let option = quote("DCE.m2705-C-3000");
    assert_eq!(option["class"], "OPTION");
    assert_eq!((&option["strike_price"], &option["call_or_put"]), (&json!(3000.0), &json!("CALL")));
    assert_eq!((&option["exercise_type"], &option["price_tick"]), (&json!("A"), &json!(0.5)));
    assert_eq!((&option["volume_multiple"], &option["price_decs"]), (&json!(10), &json!(1)));
    assert_eq!(option["expire_datetime"], Value::Null);
    // 2027-04-15 15:00 in Shanghai, by the month in its id.
    assert_eq!(option["last_exercise_datetime"], 1_807_772_400_000_000_000_i64);
    let underlying = &option["underlying"];
    assert_eq!(underlying["count"], 1);
    assert_eq!(underlying["edges"][0]["underlying_multiple"], Value::Null);
    let node = &underlying["edges"][0]["node"];
    assert_eq!((&node["instrument_id"], &node["class"]), (&json!("DCE.m2705"), &json!("FUTURE")));
    assert_eq!((&node["delivery_year"], &node["delivery_month"]), (&json!(2027), &json!(5)));
    assert!(node.get("strike_price").is_none() && option.get("delivery_year").is_none());
}

#[test]
fn an_option_on_what_nobody_quotes_does_not_make_tqsdk_wait_for_it() {
    let option = quote("CFFEX.IO2612-C-4600");
    assert_eq!(option["underlying"], Value::Null);
    assert_eq!(option["exercise_type"], "E");
    assert_eq!(option["expire_datetime"], option["last_exercise_datetime"]);
    assert_eq!(symbols("instrument_id: [\"SSE.000300\"], has_derivatives: true"), ["SSE.000300"]);
    // The index is known by its options alone; TqSdk asks for it by name, nobody finds it otherwise.
    assert_eq!(symbols("class: [INDEX]"), [""; 0]);
    let query = OPTIONS_ON.replace("DCE.m2705", "SSE.000300");
    let node = &ask(&query)["multi_symbol_info"][0]["derivatives"]["edges"][0]["node"];
    assert_eq!(node["instrument_id"], "CFFEX.IO2612-C-4600");
    // An option that nobody says the last day of has the month's third Friday.
    let mut instruments = Instruments::default();
    instruments.saw(InstrumentId::parse("MO2701-P-6000").unwrap(), ExchangeId::CFFEX);
    let hours = TradingHours::new(TradingCalendar::default());
    let catalog = Catalog::of(&instruments, &hours, day(20_261_123));
    let query = "{multi_symbol_info{... on option{last_exercise_datetime}}}";
    let answer = answer(&catalog, query, None, &|_| None).unwrap();
    let expected = r#"{"multi_symbol_info":[{"last_exercise_datetime":1799996400000000000}]}"#;
    assert_eq!(String::from_utf8(answer).unwrap(), expected);
}

#[test]
fn a_stock_option_has_what_the_list_says() {
    let option = quote("SSE.10007777");
    assert_eq!(option["instrument_name"], "50ETF购12月2900");
    assert_eq!((&option["price_tick"], &option["price_decs"]), (&json!(0.0001), &json!(4)));
    assert_eq!((&option["strike_price"], &option["call_or_put"]), (&json!(2.9), &json!("CALL")));
    assert_eq!(option["last_exercise_datetime"], 0);
    assert_eq!(option["underlying"], Value::Null);
    let query = OPTIONS_ON.replace("DCE.m2705", "SSE.510050");
    let node = &ask(&query)["multi_symbol_info"][0]["derivatives"]["edges"][0]["node"];
    assert_eq!(node["instrument_id"], "SSE.10007777");
    let class = |symbol| catalog().named(symbol).unwrap().class;
    assert_eq!((class("SSE.510050"), class("SSE.10007777")), (Class::Fund, Class::Option));
}

#[test]
fn a_listed_index_is_what_its_options_are_on() {
    let mut instruments = Instruments::default();
    let sse = ExchangeId::known("SSE").unwrap();
    let list = vec![
        listed("IO2612-C-4600", ExchangeId::CFFEX, ListedFacts::default()),
        listed("000300", sse, ListedFacts::default()),
        listed("600000", sse, ListedFacts::default()),
    ];
    instruments.list(true, list);
    let hours = TradingHours::new(TradingCalendar::default());
    let catalog = Catalog::of(&instruments, &hours, day(20_261_123));
    let query = "{multi_symbol_info{... on basic{class} ... on option{underlying{edges{node{... on basic{instrument_id \
                 price_tick}}}}}}}";
    let answer = answer(&catalog, query, None, &|_| None).unwrap();
    let expected = json!({"multi_symbol_info": [
        {"class": "OPTION", "underlying": {"edges": [{"node": {"instrument_id": "SSE.000300", "price_tick": 0.01}}]}},
        {"class": "INDEX"},
        {"class": "STOCK"},
    ]});
    assert_eq!(serde_json::from_slice::<Value>(&answer).unwrap(), expected);
}

#[test]
fn a_combination_has_its_legs_and_its_first_legs_terms() {
    let spread = quote("CZCE.SPD SR705&SR709");
    let expected = json!({
        "__typename": "combine",
        "instrument_id": "CZCE.SPD SR705&SR709", "exchange_id": "CZCE", "instrument_name": null, "english_name": "",
        "class": "COMBINE", "price_tick": 1.0, "price_decs": 0, "trading_day": null,
        "trading_time": {
            "day": [["09:00:00", "10:15:00"], ["10:30:00", "11:30:00"], ["13:30:00", "15:00:00"]],
            "night": [["21:00:00", "23:00:00"]],
        },
        "expired": false, "product_id": "SPD SR&SR", "expire_datetime": null,
        "max_market_order_volume": null, "max_limit_order_volume": null,
        "min_market_order_volume": null, "min_limit_order_volume": null,
        "open_max_market_order_volume": null, "open_max_limit_order_volume": null,
        "open_min_market_order_volume": null, "open_min_limit_order_volume": null,
        "leg1": {"__typename": "future", "instrument_id": "CZCE.SR705"},
        "leg2": {"__typename": "future", "instrument_id": "CZCE.SR709"},
    });
    assert_eq!(spread, expected);
}

#[test]
fn legs_that_nobody_can_tell_are_left_out() {
    let mut instruments = Instruments::default();
    instruments.saw(InstrumentId::parse("ABC rb2701").unwrap(), ExchangeId::SHFE);
    let hours = TradingHours::new(TradingCalendar::default());
    let catalog = Catalog::of(&instruments, &hours, day(20_261_123));
    let query =
        "{multi_symbol_info{... on combine{expired leg1{... on basic{class}} leg2{__typename}}}}";
    let answer = answer(&catalog, query, None, &|_| None).unwrap();
    assert_eq!(answer, br#"{"multi_symbol_info":[{"expired":false}]}"#);
}

#[test]
fn a_combination_is_known_by_the_name_that_tqsdk_writes() {
    let name = "SHFE.cu2701-cu2702";
    assert_eq!(quote(name)["instrument_id"], name);
    assert_eq!(quote("SHFE.SP cu2701&cu2702")["instrument_id"], "SHFE.SP cu2701&cu2702");
    assert_eq!(quote(name)["price_tick"], 10.0);
    assert_eq!(catalog().named(name).unwrap().instrument.as_str(), "SP cu2701&cu2702");
    assert_eq!(symbols("product_id: [\"SP cu&cu\", \"cu-cu\"]"), ["SHFE.SP cu2701&cu2702"]);
}

#[test]
fn what_nobody_knows_is_absent() {
    for symbol in ["SHFE.rb2799", "DCE.rb2701", "shfe.rb2701", "rb2701", "SHFE.RB2701", ".zz2701"] {
        assert_eq!(quote(symbol), Value::Null, "{symbol}");
    }
    let both = "instrument_id: [\"DCE.m2705\", \"SHFE.nn2701\", \"SHFE.rb2701\", \"DCE.m2705\"]";
    assert_eq!(symbols(both), ["SHFE.rb2701", "DCE.m2705"]);
    assert_eq!(symbols("instrument_id: []"), [""; 0]);
}

#[test]
fn filters_are_about_everything_listed_or_seen() {
    let all = symbols("expired: null");
    assert_eq!(all.len(), 10);
    assert_eq!((all[0].as_str(), all[9].as_str()), ("SHFE.rb2701", "DCE.jd2702"));
    assert_eq!(
        symbols("class: [FUTURE], expired: false"),
        ["SHFE.rb2701", "DCE.m2705", "DCE.jd2702"]
    );
    assert_eq!(symbols("class: FUTURE, expired: true"), ["SHFE.rb2611"]);
    assert_eq!(symbols("class: [FUTURE], has_night: false"), ["DCE.jd2702"]);
    assert_eq!(
        symbols("class: [FUTURE, COMBINE], exchange_id: [\"SHFE\", \"CZCE\"], has_night: true")
            .len(),
        4
    );
    assert_eq!(symbols("product_id: \"rb\""), ["SHFE.rb2701", "SHFE.rb2611"]);
    assert_eq!(symbols("has_derivatives: true"), ["DCE.m2705"]);
    assert_eq!(symbols("class: [CONT], timestamp: 1799996400000000000"), [""; 0]);
    assert_eq!(symbols("categories: [OIL]"), [""; 0]);
    let as_tqsdk_writes =
        "\n      class: [FUTURE, OPTION]\n      exchange_id: [\"DCE\"]\n      expired: false\n    ";
    assert_eq!(symbols(as_tqsdk_writes).len(), 4);
}

#[test]
fn a_tick_says_where_an_instrument_is_traded_when_no_list_does() {
    let id = InstrumentId::parse("zz2701").unwrap();
    let mut instruments = Instruments::default();
    let named = ListedFacts { name: Some("新".into()), ..ListedFacts::default() };
    instruments.list(true, vec![listed("zz2701", ExchangeId::UNKNOWN, named)]);
    let hours = TradingHours::new(TradingCalendar::default());
    let of = |instruments: &Instruments| Catalog::of(instruments, &hours, day(20_261_123));
    assert!(instruments.saw(id, ExchangeId::UNKNOWN));
    assert_eq!(of(&instruments).contract(&id), None);
    assert!(instruments.saw(id, ExchangeId::DCE));
    assert!(!instruments.saw(id, ExchangeId::SHFE));
    let catalog = of(&instruments);
    let contract = catalog.named("DCE.zz2701").unwrap();
    assert_eq!(contract.name.as_deref(), Some("新"));
    // An option on it is told without it: nobody knows its price step.
    instruments.saw(InstrumentId::parse("zz2701-C-5").unwrap(), ExchangeId::DCE);
    let query = "{multi_symbol_info(class: OPTION){... on option{underlying{count}}}}";
    let answer = answer(&of(&instruments), query, None, &|_| None).unwrap();
    assert_eq!(answer, br#"{"multi_symbol_info":[{"underlying":null}]}"#);
}

#[test]
fn options_on_a_future_are_its_derivatives() {
    let answer = ask(OPTIONS_ON);
    let found = answer["multi_symbol_info"][0]["derivatives"]["edges"].as_array().unwrap();
    let names: Vec<_> = found.iter().map(|edge| &edge["node"]["instrument_id"]).collect();
    assert_eq!(names, ["DCE.m2705-C-3000", "DCE.m2705-P-2900"]);
    assert!(found.iter().all(|edge| edge["node"]["last_exercise_datetime"].is_i64()));
    let count = |arguments| {
        let query = format!(
            "{{multi_symbol_info(instrument_id: \"DCE.m2705\") {{... on basic {{d: derivative{arguments} {{count}}}}}}}}"
        );
        ask(&query)["multi_symbol_info"][0]["d"]["count"].clone()
    };
    assert_eq!(count(""), 2);
    assert_eq!(count("(class: CONT)"), 0);
    assert_eq!(count("(class: OPTION, exchange_id: \"DCE\", expired: false)"), 2);
    assert_eq!(count("(expired: true)"), 0);
}

#[test]
fn variables_aliases_and_the_older_query() {
    let query = r#"query Options($kinds: [Class], $on: [String], $late: Boolean = true) {
        multi_symbol_info(instrument_id: $on, expired: $late) {
            ... on basic { symbol: instrument_id derivatives(class: $kinds) { edges { node { ... on basic { instrument_id } } } } }
        }
    }"#;
    let variables = json!({"kinds": ["OPTION"], "on": ["DCE.m2705"], "late": false});
    let answer = ask_with(query, Some(&variables)).unwrap();
    assert_eq!(answer["multi_symbol_info"][0]["symbol"], "DCE.m2705");
    assert_eq!(
        answer["multi_symbol_info"][0]["derivatives"]["edges"][1]["node"]["instrument_id"],
        "DCE.m2705-P-2900"
    );
    let expired = json!({"on": ["SHFE.rb2611", "DCE.m2705"]});
    let answer = ask_with(query, Some(&expired)).unwrap();
    assert_eq!(answer["multi_symbol_info"][0]["symbol"], "SHFE.rb2611");
    let old = "{ a: symbol_info(instrument_id: \"SHFE.rb2701\", class: FUTURE) { ... on future { expired } } b: symbol_info { __typename } }";
    let answer = ask(old);
    assert_eq!(answer["a"], json!([{"expired": false}]));
    assert_eq!(answer["b"].as_array().unwrap().len(), 10);
}

#[test]
fn what_is_asked_for_twice_is_answered_once() {
    let query = "{multi_symbol_info(class: [FUTURE, OPTION]) {
        ... on basic { instrument_id trading_time { day } }
        ... on future { instrument_id trading_time { night } }
        ... on basic { trading_time { __typename } __typename }
    }}";
    let answer = answer(&catalog(), query, None, &latest).unwrap();
    let text = String::from_utf8(answer).unwrap();
    let future = r#"{"instrument_id":"SHFE.rb2701","__typename":"future","trading_time":{"day":"#;
    let at = text.find(r#"{"instrument_id":"SHFE.rb2701""#).unwrap();
    let one = &text[at..at + text[at..].find("},{").unwrap()];
    assert_eq!(one.matches("instrument_id").count(), 1, "{one}");
    assert_eq!(one.matches("trading_time").count(), 1, "{future}");
    let answer: Value = serde_json::from_str(&text).unwrap();
    let keys = |index: usize| {
        let time = answer["multi_symbol_info"][index]["trading_time"].as_object().unwrap();
        time.keys().cloned().collect::<Vec<_>>().join(" ")
    };
    assert_eq!((keys(0).as_str(), keys(2).as_str()), ("__typename day night", "__typename day"));
}

#[test]
fn errors_name_what_is_wrong() {
    for (query, what) in [
        ("{multi_symbol_info{... on basic{colour}}}", "basic has no field \"colour\""),
        (
            "{multi_symbol_info{... on future{strike_price}}}",
            "future has no field \"strike_price\"",
        ),
        (
            "{multi_symbol_info(colour: 1){__typename}}",
            "multi_symbol_info takes no argument \"colour\"",
        ),
        ("{multi_symbol_info{...lost}}", "there is no fragment \"lost\""),
        ("{multi_symbol_info{... on cheese{class}}}", "there is no type \"cheese\""),
        ("{multi_symbol_info}", "multi_symbol_info has fields: say which, in braces"),
        ("{multi_symbol_info{class{x}}}", "class has no fields"),
        ("{multi_symbol_info{class(a: 1)}}", "class takes no argument \"a\""),
        (
            "{multi_symbol_info{a: class a: instrument_id}}",
            "\"a\" is asked for twice with different meanings; give one of them an alias",
        ),
        (
            "{multi_symbol_info(class: [CHEESE]){class}}",
            "the argument class must be one of FUTURE, OPTION, COMBINE, INDEX, CONT, STOCK, BOND, FUND, SPOT",
        ),
        ("{multi_symbol_info(expired: 1){class}}", "the argument expired must be true or false"),
        (
            "{multi_symbol_info(instrument_id: 7){class}}",
            "the argument instrument_id must be a text or a list of texts",
        ),
        (
            "{multi_symbol_info(instrument_id: $x){class}}",
            "a variable is used that is not declared",
        ),
        ("{multi_symbol_info @skip(if: true){class}}", "directives are not possible"),
        ("mutation {a}", "only queries are answered"),
        ("{a} {b}", "give one query and its fragments"),
        ("", "the query cannot be read at its byte 0: Unexpected <EOF>."),
        ("{multi_symbol_info{trading_time{day(x: 1)}}}", "tradingTime takes no argument \"x\""),
        ("{multi_symbol_info{trading_time{dusk}}}", "tradingTime has no field \"dusk\""),
        ("query q($x: Int = 1e999) {multi_symbol_info{class}}", "a number is out of range"),
    ] {
        assert_eq!(error(query), what, "{query}");
    }
    assert!(error("{multi_symbol_info{").starts_with("the query cannot be read at its byte"));
    let long = format!("{{multi_symbol_info{{{}}}}}", "x".repeat(1000));
    assert!(error(&long).len() < 100);
    assert_eq!(
        ask_with("{__typename}", Some(&json!([1]))),
        Err("variables must be an object".into())
    );
}

#[test]
fn greedy_queries_are_given_up() {
    let deep = "{derivatives{edges{node".repeat(QUERY_DEPTH_MAX);
    assert_eq!(error(&format!("{{multi_symbol_info{deep}")), QueryError::TooGreat.to_string());
    let circle = "{multi_symbol_info{...a}} fragment a on basic{...b} fragment b on basic{...a}";
    assert_eq!(error(circle), QueryError::TooGreat.to_string());
    let mut bomb = "{multi_symbol_info{...f0}}".to_owned();
    for level in 0..20 {
        bomb += &format!(" fragment f{level} on basic{{...f{0} ...f{0}}}", level + 1);
    }
    bomb += " fragment f20 on basic{class}";
    assert_eq!(error(&bomb), QueryError::TooManySelections.to_string());
    let wide = "class ".repeat(QUERY_SELECTIONS_MAX);
    assert_eq!(
        error(&format!("{{multi_symbol_info{{{wide}}}}}")),
        QueryError::TooManySelections.to_string()
    );
}

#[test]
fn a_variables_value_is_shared_by_all_its_uses() {
    let variables = json!({"v": ["SHFE.rb2701", "DCE.m2705"]});
    let sent: Vec<*const u8> =
        variables["v"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().as_ptr()).collect();
    let query = format!("query($v:[String],$d:Int=1){{{}}}", "a(b:$v,c:[$d]) ".repeat(200));
    let document = document::Document::parse(&query, Some(&variables)).unwrap();
    assert_eq!(document.selections.len(), 200);
    for selection in &document.selections {
        let document::Selection::Field(field) = selection else { panic!("{selection:?}") };
        let left = &mut given::ValuesLeft::of_a_query();
        let texts = field.arguments[0].1.texts(left).unwrap().unwrap();
        assert_eq!(texts.iter().map(|text| text.as_ptr()).collect::<Vec<_>>(), sent);
    }
}

#[test]
fn what_is_read_of_a_query_is_bounded_whatever_it_names() {
    let unknown = format!("{{{}}}", "a ".repeat(QUERY_SELECTIONS_MAX + 1));
    assert_eq!(error(&unknown), QueryError::TooManySelections.to_string());
    let unused = format!("{{__typename}} fragment f on basic{unknown}");
    assert_eq!(error(&unused), QueryError::TooManySelections.to_string());
    let arguments = (0..=QUERY_ARGUMENTS_MAX).map(|n| format!("a{n}:1 ")).collect::<String>();
    assert_eq!(error(&format!("{{a({arguments})}}")), "no field takes so many arguments");
}

#[test]
fn values_count_wherever_they_are_used() {
    let uses = |count: usize, values: &Value| {
        let one = |n| format!("a{n}:multi_symbol_info(instrument_id:$v){{class}} ");
        let query = format!("query($v:[String]){{{}}}", (0..count).map(one).collect::<String>());
        ask_with(&query, Some(&json!({"v": values})))
    };
    let quarter: Value = vec!["x"; QUERY_VALUES_MAX / 4].into();
    assert!(uses(4, &quarter).is_ok());
    let too_many = Err(QueryError::TooManyValues.to_string());
    assert_eq!(uses(5, &quarter), too_many);
    assert_eq!(uses(40, &"x".repeat(QUERY_VALUES_MAX * 2).into()), too_many, "a long text");
    let listed = format!("{{multi_symbol_info(product_id:[{}]){{class}}}}", "$v ".repeat(40));
    let query = format!("query($v:String){listed}");
    let long = json!({"v": "x".repeat(QUERY_VALUES_MAX * 2)});
    assert_eq!(ask_with(&query, Some(&long)), too_many, "in a list, too");
}

#[test]
fn arguments_are_the_same_however_they_are_set() {
    let both = "{a: multi_symbol_info(class: [FUTURE, OPTION]) {class}
        a: multi_symbol_info( class:[FUTURE OPTION] ) {class}}";
    assert!(ask_with(both, None).is_ok());
    let other = both.replacen("OPTION", "INDEX", 1);
    assert_eq!(error(&other), QueryError::Conflict("a".into()).to_string());
}

#[test]
fn a_query_that_says_little_takes_no_longer_than_one_that_says_much() {
    let mut instruments = Instruments::default();
    for number in 0..5000 {
        let id = InstrumentId::parse(&format!("rb2701C{number}")).unwrap();
        instruments.saw(id, ExchangeId::SHFE);
    }
    let hours = TradingHours::new(TradingCalendar::default());
    let catalog = Catalog::of(&instruments, &hours, day(20_261_123));
    let all = |count: usize, one: &str| {
        (0..count).map(|n| one.replace('#', &n.to_string())).collect::<String>()
    };
    for query in [
        // Nothing is found.
        format!("{{{}}}", all(4000, "a#:multi_symbol_info(class:INDEX){class}")),
        // No option has it.
        format!("{{multi_symbol_info{{...on future{{{}}}}}}}", all(9000, "a#:margin ")),
        // What is said is not of instruments.
        format!(
            "{{multi_symbol_info{{...on option{{underlying{{edges{{node{{...on basic{{derivatives{{edges{{{}}}}}}}}}}}}}}}}}}}",
            all(5000, "a#:__typename ")
        ),
    ] {
        assert_eq!(
            answer(&catalog, &query, None, &|_| None),
            Err(QueryError::TooMuch),
            "{}",
            &query[..80]
        );
    }
}

#[test]
fn what_is_named_and_unknown_is_said() {
    let asked = |ids: &str| {
        let query =
            format!("{{multi_symbol_info(instrument_id:[{ids}]){{...on basic{{instrument_id}}}}}}");
        super::answer(&catalog(), &query, None, &|_| None).unwrap().unknown
    };
    assert_eq!(asked("\"SHFE.rb2701\""), Unknown::default());
    let unknown = asked("\"KQ.m@SHFE.rb\",\"SHFE.rb2701\",\"DCE.rb2701\"");
    assert_eq!(
        (unknown.count, &unknown.first[..]),
        (2, &["KQ.m@SHFE.rb".to_owned(), "DCE.rb2701".to_owned()][..])
    );
    assert_eq!(
        (asked("\"x\",".repeat(20).as_str()).count, asked(&"\"x\",".repeat(20)).first.len()),
        (20, 5)
    );
}

/// Names are copied to wherever they are used: a fragment used a thousand times with a name of a megabyte would need a gigabyte.
#[test]
fn long_names_are_refused_wherever_they_stand() {
    let catalog = Catalog::of(
        &Instruments::default(),
        &TradingHours::new(TradingCalendar::default()),
        day(20_261_123),
    );
    let asked = |query: &str| answer(&catalog, query, None, &|_| None);
    for (before, after) in [
        ("{", ":multi_symbol_info{...on basic{instrument_id}}}"),
        ("{multi_symbol_info{...on ", "{instrument_id}}}"),
        ("{multi_symbol_info(class:", "){...on basic{instrument_id}}}"),
        ("{multi_symbol_info{...on basic{", ":instrument_id}}}"),
    ] {
        let with = |length| asked(&format!("{before}{}{after}", "a".repeat(length)));
        let refused = Err(QueryError::Operation("a name is longer than 256 bytes"));
        assert_eq!(with(257), refused, "{before}");
        assert_ne!(with(256), refused, "{before}");
    }
}

#[test]
fn an_answer_has_a_greatest_length() {
    let mut instruments = Instruments::default();
    let id = |number| InstrumentId::parse(&format!("rb2701C{number}")).unwrap();
    for number in 0..2000 {
        instruments.saw(id(number), ExchangeId::SHFE);
    }
    let hours = TradingHours::new(TradingCalendar::default());
    let catalog = Catalog::of(&instruments, &hours, day(20_261_123));
    let down = "underlying{edges{node{... on basic{derivatives{edges{node{... on option{";
    let query =
        format!("{{multi_symbol_info{{... on option{{{down} strike_price {}}}", "}".repeat(10));
    assert_eq!(answer(&catalog, &query, None, &|_| None), Err(QueryError::TooMuch));
}

#[test]
fn every_instrument_in_one_query_is_possible() {
    let mut instruments = Instruments::default();
    let id = |number| InstrumentId::parse(&format!("rb{number}")).unwrap();
    for number in 0..25_000 {
        instruments.saw(id(number), ExchangeId::SHFE);
    }
    let hours = TradingHours::new(TradingCalendar::default());
    let catalog = Catalog::of(&instruments, &hours, day(20_261_123));
    let names: Vec<_> = (0..25_000).map(|number| format!("\"SHFE.rb{number}\"")).collect();
    let query = QUOTE.replace("\"SHFE.rb2701\"", &names.join(", "));
    let answer: Value =
        serde_json::from_slice(&answer(&catalog, &query, None, &|_| None).unwrap()).unwrap();
    assert_eq!(answer["multi_symbol_info"].as_array().unwrap().len(), 25_000);
}

#[test]
fn terms_are_anothers_of_the_product_before_the_exchanges() {
    let mut instruments = Instruments::default();
    let said =
        ListedFacts { price_tick: Some(2.0), volume_multiple: Some(7), ..ListedFacts::default() };
    let list = vec![
        listed("rb2701", ExchangeId::SHFE, ListedFacts::default()),
        listed("rb2705", ExchangeId::SHFE, said),
        listed("rb2705C3000", ExchangeId::SHFE, ListedFacts::default()),
        listed("hc2705", ExchangeId::SHFE, ListedFacts::default()),
        listed("T2703", ExchangeId::CFFEX, ListedFacts::default()),
        listed("xx2703", ExchangeId::DCE, ListedFacts::default()),
    ];
    instruments.list(true, list);
    let hours = TradingHours::new(TradingCalendar::default());
    let catalog = Catalog::of(&instruments, &hours, day(20_261_123));
    let terms = |symbol| {
        let contract = catalog.named(symbol).unwrap();
        (contract.volume_multiple, contract.price_tick, contract.price_decimals())
    };
    assert_eq!(terms("SHFE.rb2701"), (Some(7), Some(2.0), 0));
    assert_eq!(terms("SHFE.rb2705C3000"), (Some(7), None, 0));
    assert_eq!(terms("SHFE.hc2705"), (Some(10), Some(1.0), 0));
    assert_eq!(terms("CFFEX.T2703"), (Some(10_000), Some(0.005), 3));
    assert_eq!(terms("DCE.xx2703"), (None, None, 0));
}

fn any_facts() -> impl Strategy<Value = ListedFacts> {
    let class = prop::option::of(prop::sample::select(vec![
        InstrumentClass::Futures,
        InstrumentClass::Options,
        InstrumentClass::Combination,
        InstrumentClass::Index,
        InstrumentClass::Continuous,
        InstrumentClass::Stock,
    ]));
    (class, prop::option::of("[a-z]{1,2}[0-9]{3,4}|SSE\\.[0-9]{6}|.{0,8}"), any::<bool>()).prop_map(
        |(class, underlying, expired)| ListedFacts {
            class,
            underlying: underlying.map(Into::into),
            expired,
            ..ListedFacts::default()
        },
    )
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,200}|[{}():$!@\\[\\]\"\\\\. a-z0-9]{0,200}") {
        let _either_way = ask_with(&text, None);
        let _either_way = ask_with(&format!("{{multi_symbol_info{{{text}}}}}"), None);
    }

    #[test]
    fn no_damage_to_a_real_query_makes_it_panic(
        which in any::<bool>(),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), "\\PC{0,3}|[{}()\\[\\]\":,$.\\\\u]{0,4}"), 1..4),
    ) {
        let mut query: Vec<char> = if which { QUOTE } else { OPTIONS_ON }.chars().collect();
        for (at, length, with) in cuts {
            let begin = at.index(query.len() + 1);
            let end = (begin + length.index(20)).min(query.len());
            query.splice(begin..end, with.chars());
        }
        let _either_way = ask_with(&query.into_iter().collect::<String>(), None);
    }

    #[test]
    fn tqsdk_can_digest_any_list(
        list in prop::collection::vec(("[A-Za-z]{1,2}[0-9]{3,4}(-?[CP]-?[0-9]{1,4})?|SPD? [a-z]{1,2}[0-9]{4}&[a-z]{1,2}[0-9]{4}|[0-9]{6,8}", 0_usize..8, any_facts()), 0..12),
    ) {
        let mut instruments = Instruments::default();
        let list = list.into_iter().map(|(id, exchange, facts)| listed(&id, ExchangeId::KNOWN[exchange], facts));
        instruments.list(true, list.collect());
        let hours = TradingHours::new(TradingCalendar::default());
        let catalog = Catalog::of(&instruments, &hours, day(20_261_123));
        let query = QUOTE.replace("(instrument_id: [\"SHFE.rb2701\"])", "");
        let answer: Value = serde_json::from_slice(&answer(&catalog, &query, None, &|_| None).unwrap()).unwrap();
        for one in answer["multi_symbol_info"].as_array().unwrap() {
            prop_assert!(one["instrument_id"].is_string() && one["class"].is_string());
            prop_assert!(one["price_decs"].is_u64() && one["trading_time"]["day"].is_array());
            for leg in ["leg1", "leg2"] {
                prop_assert!(one.get(leg).is_none_or(|leg| leg["instrument_id"].is_string()));
            }
            if one["class"] == "OPTION" {
                prop_assert!(one["last_exercise_datetime"].is_i64());
                if let Some(edges) = one["underlying"]["edges"].as_array() {
                    let node = &edges[0]["node"];
                    let takes_its_month = ["DCE", "CZCE", "SHFE", "GFEX"].contains(&one["exchange_id"].as_str().unwrap());
                    prop_assert!(node["instrument_id"].is_string());
                    prop_assert!(!takes_its_month || node.get("delivery_year").is_some());
                }
            }
        }
    }
}

//! What TqSdk says of contracts is what the operator's file says: facts of a quote, 200 quotes at once, queries of all kinds,
//! and a symbol that does not exist.

use qamd_tests::fleet::FleetPlan;
use qamd_tests::tqsdk::{TqProgram, TqSdk};
use serde_json::{Value, json};

/// Every column, and an instrument of each kind.
const LISTED: &str = "\
instrument_id,exchange_id,product_id,product_class,instrument_name,volume_multiple,price_tick,margin,commission,expire_date,delivery_month,underlying,strike_price,option_side,max_limit_order_volume,min_limit_order_volume,max_market_order_volume,min_market_order_volume,expired
cu2701,SHFE,cu,futures,沪铜2701,5,10,35000.5,12.25,20270115,202701,,,,500,1,30,2,false
cu2702,SHFE,cu,futures,沪铜2702,5,10,,,20270215,202702,,,,,,,,false
rb2610,SHFE,rb,futures,螺纹钢2610,10,1,,,20261015,202610,,,,,,,,true
jd2705,DCE,jd,futures,鸡蛋2705,10,1,,,20270526,202705,,,,,,,,false
m2705,DCE,m,futures,豆粕2705,10,1,,,20270517,202705,,,,,,,,false
SR705,CZCE,SR,futures,白糖705,10,1,,,20270517,202705,,,,,,,,false
IF2612,CFFEX,IF,futures,沪深300股指2612,300,0.2,,,20261218,202612,,,,,,,,false
cu2701C90000,SHFE,cu_o,options,铜2701购90000,5,2,,,20261224,202701,cu2701,90000,call,,,,,false
cu2701P90000,SHFE,cu_o,options,铜2701沽90000,5,2,,,20261224,202701,cu2701,90000,put,,,,,false
cu2701C92000,SHFE,cu_o,options,铜2701购92000,5,2,,,20261224,202701,cu2701,92000,call,,,,,false
m2705-C-3000,DCE,m_o,options,豆粕2705购3000,10,0.5,,,20270409,202705,m2705,3000,call,,,,,false
SP cu2701&cu2702,SHFE,SP cu&cu,combination,沪铜2701-2702跨期,5,10,,,20270115,,,,,,,,,false
";

/// 15:00 in Beijing of a day in 2026 or 2027, in seconds: a contract's last moment.
fn close_of(days_since_new_year_2026: i64) -> i64 {
    1_767_196_800 + days_since_new_year_2026 * 86_400 + 15 * 3600
}

/// Twelve months of so many products of SHFE.
const MANY_PRODUCTS: [&str; 17] = [
    "cu", "al", "zn", "pb", "ni", "sn", "au", "ag", "rb", "hc", "ss", "bu", "ru", "sp", "fu", "br",
    "ao",
];

/// So many symbols, and the file that lists them.
fn many(count: usize) -> (Vec<String>, String) {
    let months = (1..=12).map(|month| 2700 + month);
    let ids = months.flat_map(|month| MANY_PRODUCTS.map(|product| format!("{product}{month}")));
    let ids: Vec<String> = ids.take(count).collect();
    let lines = ids.iter().map(|id| format!("{id},SHFE,futures,10,1\n"));
    let head = "instrument_id,exchange_id,product_class,volume_multiple,price_tick\n";
    let file = head.to_owned() + &lines.collect::<String>();
    (ids.iter().map(|id| format!("SHFE.{id}")).collect(), file)
}

/// The next answer.
async fn answer(program: &mut TqProgram) -> Value {
    program.says("answer").await["answer"].take()
}

/// SHFE's spread, as TqSdk's users write it.
const SPREAD: &str = "SHFE.SP cu2701&cu2702";

/// Quotes to look at, and facts of each.
fn facts() -> [(&'static str, Value); 4] {
    let morning = ["09:00:00", "10:15:00"];
    let future = json!({
        "instrument_id": "SHFE.cu2701", "exchange_id": "SHFE", "product_id": "cu",
        "ins_class": "FUTURE", "instrument_name": "沪铜2701", "price_tick": 10.0, "price_decs": 0,
        "volume_multiple": 5, "expired": false, "delivery_year": 2027, "delivery_month": 1,
        "expire_datetime": close_of(379), "underlying_symbol": "",
        "max_limit_order_volume": 500, "min_limit_order_volume": 1,
        "max_market_order_volume": 30, "min_market_order_volume": 2,
        "day": [morning, ["10:30:00", "11:30:00"], ["13:30:00", "15:00:00"]],
        "night": [["21:00:00", "25:00:00"]],
    });
    let option = json!({
        "instrument_id": "SHFE.cu2701P90000", "ins_class": "OPTION", "strike_price": 90000.0,
        "option_class": "PUT", "underlying_symbol": "SHFE.cu2701", "volume_multiple": 5,
        "price_tick": 2.0, "expire_datetime": close_of(357), "expired": false,
    });
    let index_future = json!({
        "price_tick": 0.2, "price_decs": 1, "volume_multiple": 300, "night": [],
        "day": [["09:30:00", "11:30:00"], ["13:00:00", "15:00:00"]],
    });
    let combination = json!({
        "instrument_id": SPREAD, "ins_class": "COMBINE", "exchange_id": "SHFE",
        "price_tick": 10.0, "instrument_name": "沪铜2701-2702跨期", "expired": false,
    });
    [
        ("SHFE.cu2701", future),
        ("SHFE.cu2701P90000", option),
        ("CFFEX.IF2612", index_future),
        (SPREAD, combination),
    ]
}

/// A question for a list: TqSdk's method, its argument if it has one, its options, and the symbols of the answer.
struct Question {
    method: &'static str,
    about: Vec<&'static str>,
    options: Value,
    answer: Vec<&'static str>,
}

/// Every kind of them.
fn questions() -> Vec<Question> {
    let quotes = |options: Value, answer: &[&'static str]| {
        let answer = answer.to_vec();
        Question { method: "query_quotes", about: Vec::new(), options, answer }
    };
    let options = |about: &'static str, options: Value, answer: &[&'static str]| {
        let answer = answer.to_vec();
        Question { method: "query_options", about: vec![about], options, answer }
    };
    let futures = [
        "CFFEX.IF2612",
        "CZCE.SR705",
        "DCE.jd2705",
        "DCE.m2705",
        "SHFE.cu2701",
        "SHFE.cu2702",
        "SHFE.rb2610",
    ];
    let on_copper = ["SHFE.cu2701C90000", "SHFE.cu2701C92000", "SHFE.cu2701P90000"];
    let living = json!({"ins_class": "FUTURE", "exchange_id": "SHFE", "expired": false});
    let of_products = json!({"ins_class": ["FUTURE"], "product_id": ["jd", "rb"]});
    let by_night = json!({"ins_class": "FUTURE", "exchange_id": "DCE", "has_night": true});
    let by_day = json!({"ins_class": "FUTURE", "has_night": false});
    let calls = json!({"option_class": "CALL", "strike_price": 92000});
    let leading = "query_cont_quotes";
    vec![
        quotes(json!({"ins_class": "FUTURE"}), &futures),
        quotes(living, &["SHFE.cu2701", "SHFE.cu2702"]),
        quotes(of_products, &["DCE.jd2705", "SHFE.rb2610"]),
        quotes(json!({"expired": true}), &["SHFE.rb2610"]),
        quotes(by_day, &["CFFEX.IF2612", "DCE.jd2705"]),
        quotes(by_night, &["DCE.m2705"]),
        quotes(json!({"ins_class": "COMBINE"}), &[SPREAD]),
        quotes(json!({"ins_class": "INDEX"}), &[]),
        options("SHFE.cu2701", json!({}), &on_copper),
        options("SHFE.cu2701", calls, &["SHFE.cu2701C92000"]),
        options("DCE.m2705", json!({}), &["DCE.m2705-C-3000"]),
        options("SHFE.rb2610", json!({}), &[]),
        Question { method: leading, about: Vec::new(), options: json!({}), answer: Vec::new() },
    ]
}

#[tokio::test]
async fn facts_and_queries_are_those_of_the_instruments_file() {
    let Some(tqsdk) = TqSdk::ready().await else { return };
    let fleet = FleetPlan::new().instruments(LISTED).simulated("alpha", &json!({})).start_ready();
    let fleet = fleet.await;
    let (facts, questions) = (facts(), questions());
    let mut asked: Vec<Value> =
        facts.iter().map(|(symbol, _)| json!(["get_quote", [symbol], {}])).collect();
    asked.push(json!(["query_symbol_info", [["SHFE.cu2701", "SHFE.cu2701C90000"]], {}]));
    asked.extend(questions.iter().map(|of| json!([of.method, of.about, of.options])));
    let asked = Value::Array(asked).to_string();
    let mut program = tqsdk.start("contracts.py", &[&asked], &fleet.address().await);
    for (_, facts) in &facts {
        assert_facts(&answer(&mut program).await, facts);
    }
    let table = answer(&mut program).await;
    let future = json!({"ins_class": "FUTURE", "volume_multiple": 5, "delivery_month": 1});
    assert_facts(&table[0], &future);
    let underlying = "SHFE.cu2701";
    let option =
        json!({"strike_price": 90000.0, "option_class": "CALL", "underlying_symbol": underlying});
    assert_facts(&table[1], &option);
    for question in questions {
        let symbols = answer(&mut program).await;
        let mut symbols: Vec<&str> =
            symbols.as_array().unwrap().iter().map(|of| of.as_str().unwrap()).collect();
        symbols.sort_unstable();
        assert_eq!(symbols, question.answer, "{} {}", question.method, question.options);
    }
    program.ends().await;
    fleet.stop().await;
}

/// Every fact that is named is so; numbers are compared as numbers.
fn assert_facts(quote: &Value, facts: &Value) {
    assert_ne!(quote["datetime"], "", "a quote that TqSdk hands out has a time");
    for (name, fact) in facts.as_object().unwrap() {
        let got = &quote[name];
        let is_so = got == fact || (fact.is_number() && got.as_f64() == fact.as_f64());
        assert!(is_so, "{name} is {got}, not {fact}: {quote}");
    }
}

#[tokio::test]
async fn two_hundred_quotes_at_once_and_one_that_does_not_exist() {
    let Some(tqsdk) = TqSdk::ready().await else { return };
    let (symbols, file) = many(200);
    let fleet = FleetPlan::new().instruments(&file).simulated("alpha", &json!({})).start_ready();
    let fleet = fleet.await;
    let asked = json!([
        ["get_quote_list", [symbols], {}],
        // TqSdk itself gives up after half a minute.
        ["get_quote", ["SHFE.zz9901"], {}],
        ["get_quote", [symbols[0]], {}],
    ]);
    let mut program = tqsdk.start("contracts.py", &[&asked.to_string()], &fleet.address().await);
    let quotes = answer(&mut program).await;
    let quotes = quotes.as_array().unwrap();
    assert_eq!(quotes.len(), symbols.len());
    for (quote, symbol) in quotes.iter().zip(&symbols) {
        let expected = json!({"instrument_id": symbol, "price_tick": 1.0, "volume_multiple": 10});
        assert_facts(quote, &expected);
    }
    let error = program.says("error").await;
    assert_eq!(error["kind"], "TqTimeoutError", "{error}");
    assert!(error["text"].as_str().unwrap().contains("SHFE.zz9901"), "{error}");
    let again = json!({"instrument_id": symbols[0]});
    assert_facts(&answer(&mut program).await, &again);
    program.ends().await;
    fleet.stop().await;
}

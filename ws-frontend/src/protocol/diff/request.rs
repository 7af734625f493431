//! From a client's JSON object to a request, or to a word about what was wrong with it.

use crate::limits::{
    CHART_PACK_BYTES_MAX, CHART_WIDTH_MAX, NAME_BYTES_MAX, SESSION_INSTRUMENTS_MAX,
    VARIABLES_BYTES_MAX,
};
use crate::protocol::json::{Keys, Value};
use crate::protocol::shortened;
use serde_json::value::RawValue;

/// What a client asks.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// Send what has changed, as soon as something has.
    Peek,
    /// Send the quotes of these from now on, and of no others.
    SubscribeQuote {
        /// The symbols with commas between them, as the client wrote them.
        ins_list: Box<str>,
    },
    /// Answer a query about instruments.
    Query {
        /// The client's name for it.
        query_id: Box<str>,
        /// In GraphQL.
        query: Box<str>,
        /// An object with the values of its variables, in JSON as the client sent it.
        variables: Option<Box<str>>,
    },
    /// Take the answer to a query out of the client's snapshot.
    ForgetQuery {
        /// The client's name for it.
        query_id: Box<str>,
    },
    /// Send a series, and what it gains from now on.
    SetChart(SetChart),
    /// Send what it gains no longer.
    RemoveChart {
        /// The client's name for it.
        chart_id: Box<str>,
    },
}

/// A series, or several side by side, and the part of it that the client looks at.
#[derive(Debug, Clone, PartialEq)]
pub struct SetChart {
    /// The client's name for it.
    pub chart_id: Box<str>,
    /// The symbols, at least one; the first is the one that the others stand beside.
    pub symbols: Vec<Box<str>>,
    /// Of one bar, nanoseconds; 0 for ticks.
    pub duration_ns: i64,
    /// How many items the client looks at; at least one, at most [`CHART_WIDTH_MAX`].
    pub view_width: i64,
    /// Which.
    pub window: Window,
    /// The client's message as it is, a JSON object: a chart's state repeats it.
    pub pack: Box<str>,
}

/// The part of a series that a client looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// The latest items, whichever they are.
    Latest,
    /// Those from this id on.
    From {
        /// The first item's id.
        left_id: i64,
    },
    /// Those around a time.
    Around {
        /// Nanoseconds since 1970-01-01 UTC.
        datetime_ns: i64,
        /// How many items stand before the first that is not earlier.
        position: i64,
    },
}

/// Why a message was not understood. Each says what is accepted instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A binary message.
    #[error(
        "a binary message was sent; send JSON in a text message, such as {{\"aid\":\"peek_message\"}}"
    )]
    Binary,
    /// Not JSON.
    #[error("the message is not JSON ({0}); send an object such as {{\"aid\":\"peek_message\"}}")]
    NotJson(String),
    /// JSON of another kind.
    #[error("the message is {0}; send an object such as {{\"aid\":\"peek_message\"}}")]
    NotAnObject(&'static str),
    /// No aid: perhaps a message of the other dialect.
    #[error(
        "the message has no \"aid\"; this connection began with one, and the first message decides which protocol a connection speaks"
    )]
    NoAid,
    /// The aid is no text.
    #[error("\"aid\" is {0}; it must be one of the strings {AIDS}")]
    AidNotText(&'static str),
    /// An aid that does not exist.
    #[error("unknown aid {0:?}; use {AIDS}")]
    UnknownAid(String),
    /// A key is missing or of another kind.
    #[error("{aid} needs \"{key}\", {what}; it is {is}")]
    Bad {
        /// The message's aid.
        aid: &'static str,
        /// The key.
        key: &'static str,
        /// What it must be.
        what: &'static str,
        /// What it is.
        is: &'static str,
    },
    /// A text that the gateway would have to keep is too long.
    #[error("\"{key}\" of {aid} has {bytes} bytes; it may have {most}; nothing was changed")]
    TooLong {
        /// The message's aid.
        aid: &'static str,
        /// What is too long.
        key: &'static str,
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        most: usize,
    },
    /// More instruments than a session may have.
    #[error(
        "\"ins_list\" has {0} symbols; a session may subscribe {SESSION_INSTRUMENTS_MAX}; nothing was changed"
    )]
    TooManySymbols(usize),
}

const AIDS: &str = "peek_message, subscribe_quote, ins_query or set_chart";

/// Reads what a client's JSON object says; `text` is the whole of it.
pub(in crate::protocol) fn request(text: &str, keys: Keys<'_>) -> Result<Request, Refusal> {
    match &keys.aid {
        None => Err(Refusal::NoAid),
        Some(Value::Text(aid)) => match &**aid {
            "peek_message" => Ok(Request::Peek),
            "subscribe_quote" => subscribe_quote(keys),
            "ins_query" => ins_query(keys),
            "set_chart" => set_chart(text, keys),
            unknown => Err(Refusal::UnknownAid(shortened(unknown))),
        },
        Some(other) => Err(Refusal::AidNotText(other.kind())),
    }
}

fn subscribe_quote(keys: Keys<'_>) -> Result<Request, Refusal> {
    let symbols = "the symbols with commas between them, such as \"SHFE.rb2601,DCE.i2601\"";
    let ins_list = text_of(keys.ins_list, "subscribe_quote", "ins_list", symbols)?;
    let count = symbols_of(&ins_list).count();
    if count > SESSION_INSTRUMENTS_MAX {
        return Err(Refusal::TooManySymbols(count));
    }
    Ok(Request::SubscribeQuote { ins_list })
}

fn ins_query(keys: Keys<'_>) -> Result<Request, Refusal> {
    let query_id = text_of(keys.query_id, "ins_query", "query_id", "a name for the query")?;
    no_longer_than(NAME_BYTES_MAX, &query_id, "ins_query", "query_id")?;
    let query = text_of(keys.query, "ins_query", "query", "a text in GraphQL")?;
    if query.is_empty() {
        return Ok(Request::ForgetQuery { query_id });
    }
    let variables = keys.variables.map(RawValue::get);
    no_longer_than(VARIABLES_BYTES_MAX, variables.unwrap_or_default(), "ins_query", "variables")?;
    Ok(Request::Query { query_id, query, variables: variables.map(Box::from) })
}

fn set_chart(text: &str, keys: Keys<'_>) -> Result<Request, Refusal> {
    const AID: &str = "set_chart";
    let chart_id = text_of(keys.chart_id, AID, "chart_id", "a name for the chart")?;
    no_longer_than(NAME_BYTES_MAX, &chart_id, AID, "chart_id")?;
    let pack = text.trim();
    let ins_list = text_of(keys.ins_list, AID, "ins_list", "symbols with commas between them")?;
    let symbols: Vec<Box<str>> = symbols_of(&ins_list).map(Box::from).collect();
    if symbols.is_empty() {
        return Ok(Request::RemoveChart { chart_id });
    }
    no_longer_than(CHART_PACK_BYTES_MAX, pack, AID, "the message")?;
    let duration = "nanoseconds of one bar, or 0 for ticks";
    let duration_ns = whole_of(keys.duration, AID, "duration", duration)?;
    let width = whole_of(keys.view_width, AID, "view_width", "a count of items above zero")?;
    if width < 1 {
        let what = "a count of items above zero";
        return Err(Refusal::Bad { aid: AID, key: "view_width", what, is: "less" });
    }
    let window = match (keys.left_kline_id, keys.focus_datetime) {
        (Some(left), _) => {
            Window::From { left_id: whole_of(Some(left), AID, "left_kline_id", "an item's id")? }
        }
        (None, Some(datetime)) => {
            let datetime = Some(datetime);
            let since = "nanoseconds since 1970-01-01 UTC";
            let position = keys.focus_position.unwrap_or(Value::Whole(0));
            let what = "a count of items";
            Window::Around {
                datetime_ns: whole_of(datetime, AID, "focus_datetime", since)?,
                position: whole_of(Some(position), AID, "focus_position", what)?
                    .clamp(0, CHART_WIDTH_MAX),
            }
        }
        (None, None) => Window::Latest,
    };
    Ok(Request::SetChart(SetChart {
        chart_id,
        symbols,
        duration_ns,
        view_width: width.min(CHART_WIDTH_MAX),
        window,
        pack: pack.into(),
    }))
}

/// The symbols of a list. Commas that nothing stands between are none.
pub fn symbols_of(ins_list: &str) -> impl Iterator<Item = &str> {
    ins_list.split(',').filter(|symbol| !symbol.is_empty())
}

fn no_longer_than(
    most: usize,
    text: &str,
    aid: &'static str,
    key: &'static str,
) -> Result<(), Refusal> {
    let bytes = text.len();
    if bytes > most { Err(Refusal::TooLong { aid, key, bytes, most }) } else { Ok(()) }
}

fn text_of(
    value: Option<Value<'_>>,
    aid: &'static str,
    key: &'static str,
    what: &'static str,
) -> Result<Box<str>, Refusal> {
    match value {
        Some(Value::Text(text)) => Ok(text.into()),
        other => {
            let is = other.as_ref().map_or("missing", Value::kind);
            Err(Refusal::Bad { aid, key, what, is })
        }
    }
}

fn whole_of(
    value: Option<Value<'_>>,
    aid: &'static str,
    key: &'static str,
    what: &'static str,
) -> Result<i64, Refusal> {
    match value {
        Some(Value::Whole(number)) => Ok(number),
        other => {
            let is = other.as_ref().map_or("missing", Value::kind);
            Err(Refusal::Bad { aid, key, what, is })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Dialect, Spoken, parse as spoken};
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<Request, Refusal> {
        match spoken(text, Some(Dialect::Diff)) {
            Spoken::Diff(outcome) => outcome,
            Spoken::Action(outcome) => panic!("{outcome:?}"),
        }
    }

    #[test]
    fn understands_every_request() {
        assert_eq!(parse(r#" {"aid": "peek_message"} "#), Ok(Request::Peek));
        assert_eq!(
            parse(
                r#"{"ins_list":"SHFE.rb2601,,DCE.i2601,","aid":"subscribe_quote","x":{"aid":1}}"#
            ),
            Ok(Request::SubscribeQuote { ins_list: "SHFE.rb2601,,DCE.i2601,".into() })
        );
        assert_eq!(symbols_of("SHFE.rb2601,,DCE.i2601,").count(), 2);
        assert_eq!(
            parse(r#"{"aid":"ins_query","query_id":"Q","query":"{x}","variables":{"a":["b"]}}"#),
            Ok(Request::Query {
                query_id: "Q".into(),
                query: "{x}".into(),
                variables: Some(r#"{"a":["b"]}"#.into()),
            })
        );
        assert_eq!(
            parse(r#"{"aid":"ins_query","query_id":"Q","query":""}"#),
            Ok(Request::ForgetQuery { query_id: "Q".into() })
        );
        assert_eq!(
            parse(r#"{"aid":"set_chart","chart_id":"C","ins_list":""}"#),
            Ok(Request::RemoveChart { chart_id: "C".into() })
        );
    }

    #[test]
    fn a_chart_keeps_the_message_it_was_asked_by() {
        let chart = |more: &str| {
            let text = format!(
                r#"{{"aid":"set_chart","chart_id":"C","ins_list":"SHFE.rb2601,DCE.i2601","duration":6e10,"view_width":200{more}}}"#
            );
            match parse(&format!("\n{text} ")) {
                Ok(Request::SetChart(chart)) => {
                    assert_eq!(*chart.pack, *text);
                    assert_eq!(chart.symbols.len(), 2);
                    assert_eq!((chart.duration_ns, chart.view_width), (60_000_000_000, 200));
                    chart.window
                }
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(chart(""), Window::Latest);
        assert_eq!(chart(r#","left_kline_id":7"#), Window::From { left_id: 7 });
        assert_eq!(
            chart(r#","focus_datetime":9,"focus_position":3"#),
            Window::Around { datetime_ns: 9, position: 3 }
        );
        assert_eq!(chart(r#","focus_datetime":9"#), Window::Around { datetime_ns: 9, position: 0 });
    }

    #[test]
    fn says_what_was_wrong_and_what_is_accepted() {
        let cases = [
            ("nonsense", "not JSON"),
            ("[]", "the message is an array; send an object"),
            ("{}", "no \"aid\""),
            (r#"{"action":"list"}"#, "the first message decides which protocol"),
            (r#"{"aid":7}"#, "\"aid\" is a number"),
            (r#"{"aid":"req_login"}"#, "unknown aid \"req_login\"; use peek_message"),
            (r#"{"aid":"subscribe_quote"}"#, "subscribe_quote needs \"ins_list\""),
            (r#"{"aid":"subscribe_quote","ins_list":["a"]}"#, "it is an array"),
            (r#"{"aid":"ins_query","query":"x"}"#, "ins_query needs \"query_id\""),
            (r#"{"aid":"ins_query","query_id":"x"}"#, "ins_query needs \"query\""),
            (r#"{"aid":"set_chart","ins_list":"x"}"#, "set_chart needs \"chart_id\""),
            (r#"{"aid":"set_chart","chart_id":"C","ins_list":"x"}"#, "needs \"duration\""),
            (
                r#"{"aid":"set_chart","chart_id":"C","ins_list":"x","duration":0,"view_width":0}"#,
                "needs \"view_width\", a count of items above zero; it is less",
            ),
            (
                r#"{"aid":"set_chart","chart_id":"C","ins_list":"x","duration":0.5,"view_width":1}"#,
                "needs \"duration\"",
            ),
        ];
        for (text, expected) in cases {
            let message = parse(text).expect_err(text).to_string();
            assert!(message.contains(expected), "{text}: {message}");
        }
        let many = vec!["SHFE.rb2601"; SESSION_INSTRUMENTS_MAX + 1].join(",");
        let text = format!(r#"{{"aid":"subscribe_quote","ins_list":"{many}"}}"#);
        assert_eq!(parse(&text), Err(Refusal::TooManySymbols(SESSION_INSTRUMENTS_MAX + 1)));
    }

    #[test]
    fn the_first_message_decides() {
        let peek = r#"{"aid":"peek_message","action":"list"}"#;
        assert_eq!(spoken(peek, None), Spoken::Diff(Ok(Request::Peek)));
        assert!(matches!(spoken(peek, Some(Dialect::Action)), Spoken::Action(Err(_))));
        assert!(matches!(spoken(r#"{"action":"list"}"#, None), Spoken::Action(Ok(_))));
        assert!(matches!(spoken("", None), Spoken::Action(Err(_))));
    }

    proptest! {
        #[test]
        fn no_json_is_a_panic(
            keys in prop::collection::vec((
                "aid|action|ins_list|query_id|query|variables|chart_id|duration|view_width|left_kline_id|focus_datetime|focus_position",
                prop_oneof![
                    Just("\"peek_message\"".to_owned()),
                    Just("\"set_chart\"".to_owned()),
                    Just("\"subscribe_quote\"".to_owned()),
                    Just("\"ins_query\"".to_owned()),
                    any::<i64>().prop_map(|number| number.to_string()),
                    any::<f64>().prop_map(|number| format!("{number:e}")),
                    "\"[A-Za-z.0-9,&\\- ]{0,20}\"",
                    "[\\[\\]{}\",:a-z0-9.\\-]{0,30}",
                ],
            ), 0..8),
            diff in any::<bool>(),
        ) {
            let body: Vec<String> = keys.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
            let text = format!("{{{}}}", body.join(","));
            match spoken(&text, diff.then_some(Dialect::Diff)) {
                Spoken::Diff(Err(refusal)) => prop_assert!(!refusal.to_string().is_empty()),
                Spoken::Action(Err(refusal)) => prop_assert!(!refusal.to_string().is_empty()),
                Spoken::Diff(Ok(Request::SetChart(chart))) => {
                    prop_assert!((1..=CHART_WIDTH_MAX).contains(&chart.view_width));
                    prop_assert!(!chart.symbols.is_empty());
                }
                Spoken::Diff(Ok(_)) | Spoken::Action(Ok(_)) => {}
            }
        }

        #[test]
        fn no_text_is_a_panic(text in "\\PC{0,200}", speaks in prop_oneof![
            Just(None), Just(Some(Dialect::Action)), Just(Some(Dialect::Diff)),
        ]) {
            match spoken(&text, speaks) {
                Spoken::Diff(Err(refusal)) => prop_assert!(!refusal.to_string().is_empty()),
                Spoken::Action(Err(refusal)) => prop_assert!(!refusal.to_string().is_empty()),
                Spoken::Diff(Ok(_)) | Spoken::Action(Ok(_)) => {}
            }
        }
    }
}

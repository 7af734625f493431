//! From a client's text to a request, or to a word about what was wrong with it.

use std::borrow::Cow;

use shm_layout::{ExchangeId, InstrumentId, InstrumentIdError, QualifiedId, product};

use crate::limits::SESSION_INSTRUMENTS_MAX;
use crate::protocol::json::{Item, Keys, Value};
use crate::protocol::shortened;

/// What a client asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Send the ticks of these from now on, and the latest known one of each at once.
    Subscribe(Vec<InstrumentId>),
    /// Send the ticks of these no longer.
    Unsubscribe(Vec<InstrumentId>),
    /// Which instruments are there?
    List,
    /// Which instruments have this in their id, ignoring case?
    Search(String),
    /// Tell what happens to the fleet, or tell it no longer.
    Events(bool),
}

/// Why a message was not understood. Each says what is accepted instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A binary message.
    #[error(
        "a binary message was sent; send JSON in a text message, such as {{\"action\":\"subscribe\",\"instruments\":[\"rb2601\"]}}"
    )]
    Binary,
    /// Not JSON.
    #[error(
        "the message is not JSON ({0}); send an object such as {{\"action\":\"subscribe\",\"instruments\":[\"rb2601\"]}}"
    )]
    NotJson(String),
    /// JSON of another kind.
    #[error(
        "the message is {0}; send an object such as {{\"action\":\"subscribe\",\"instruments\":[\"rb2601\"]}}"
    )]
    NotAnObject(&'static str),
    /// No action.
    #[error("the message has no \"action\"; use subscribe, unsubscribe, list, search or events")]
    NoAction,
    /// The action is no text.
    #[error(
        "\"action\" is {0}; it must be one of the strings subscribe, unsubscribe, list, search, events"
    )]
    ActionNotText(&'static str),
    /// An action that does not exist.
    #[error("unknown action {0:?}; use subscribe, unsubscribe, list, search or events")]
    UnknownAction(String),
    /// No instruments.
    #[error("{0} needs \"instruments\", an array of ids such as [\"rb2601\",\"DCE.i2601\"]")]
    NoInstruments(&'static str),
    /// The instruments are no array.
    #[error(
        "\"instruments\" is {0}; it must be an array of ids such as [\"rb2601\",\"DCE.i2601\"]"
    )]
    InstrumentsNotAList(&'static str),
    /// An instrument is no text.
    #[error(
        "item {position} of \"instruments\" is {kind}; every item must be a string such as \"rb2601\"; nothing was changed"
    )]
    ItemNotText {
        /// Counted from 1.
        position: usize,
        /// What it is.
        kind: &'static str,
    },
    /// An instrument is no id.
    #[error(
        "item {position} of \"instruments\" ({shown:?}) is no instrument id: {what}; nothing was changed"
    )]
    BadId {
        /// Counted from 1.
        position: usize,
        /// The first characters of it.
        shown: String,
        /// Which rule it breaks.
        what: &'static str,
    },
    /// The exchange before the id is not the one that trades it.
    #[error(
        "item {position} of \"instruments\": {instrument} is traded on {exchange}, not {given}; send {exchange}.{instrument} or {instrument}; nothing was changed"
    )]
    WrongExchange {
        /// Counted from 1.
        position: usize,
        /// The id.
        instrument: String,
        /// Where it is traded.
        exchange: ExchangeId,
        /// Where the client thought it was.
        given: ExchangeId,
    },
    /// More instruments than a session may have.
    #[error(
        "\"instruments\" has {0} items; a session may subscribe {SESSION_INSTRUMENTS_MAX}; nothing was changed"
    )]
    TooManyItems(usize),
    /// No pattern.
    #[error("search needs \"pattern\", a part of an instrument's id such as \"rb\"")]
    NoPattern,
    /// The pattern is no text.
    #[error("\"pattern\" is {0}; it must be a string such as \"rb\"")]
    PatternNotText(&'static str),
    /// Whether events are wanted is missing or no truth value.
    #[error("events needs \"enable\", which must be true or false; it is {0}")]
    EnableNotBool(&'static str),
    /// A message of the other dialect.
    #[error(
        "the message has an \"aid\", but this connection began with an \"action\": the first message decides which of the two protocols a connection speaks; open another connection"
    )]
    OtherDialect,
}

/// Reads what a client's JSON object says.
pub(in crate::protocol) fn request(keys: Keys<'_>) -> Result<Request, Refusal> {
    let Keys { action, instruments, pattern, enable, .. } = keys;
    match action {
        None => Err(Refusal::NoAction),
        Some(Value::Text(action)) => match &*action {
            "subscribe" => Ok(Request::Subscribe(ids(instruments, "subscribe")?)),
            "unsubscribe" => Ok(Request::Unsubscribe(ids(instruments, "unsubscribe")?)),
            "list" | "list_instruments" => Ok(Request::List),
            "search" | "search_instruments" => search(pattern),
            "events" => match enable {
                Some(Value::Bool(enable)) => Ok(Request::Events(enable)),
                Some(other) => Err(Refusal::EnableNotBool(other.kind())),
                None => Err(Refusal::EnableNotBool("missing")),
            },
            unknown => Err(Refusal::UnknownAction(shortened(unknown))),
        },
        Some(other) => Err(Refusal::ActionNotText(other.kind())),
    }
}

fn search(pattern: Option<Value<'_>>) -> Result<Request, Refusal> {
    match pattern {
        None => Err(Refusal::NoPattern),
        Some(Value::Text(pattern)) => Ok(Request::Search(pattern.into_owned())),
        Some(other) => Err(Refusal::PatternNotText(other.kind())),
    }
}

fn ids(instruments: Option<Value<'_>>, action: &'static str) -> Result<Vec<InstrumentId>, Refusal> {
    let list = match instruments {
        None => return Err(Refusal::NoInstruments(action)),
        Some(Value::List(list)) => list,
        Some(other) => return Err(Refusal::InstrumentsNotAList(other.kind())),
    };
    let ids: Vec<InstrumentId> = (1..).zip(list.items).map(id).collect::<Result<_, _>>()?;
    if list.length > SESSION_INSTRUMENTS_MAX {
        return Err(Refusal::TooManyItems(list.length));
    }
    Ok(ids)
}

fn id((position, item): (usize, Item<'_>)) -> Result<InstrumentId, Refusal> {
    let text: Cow<'_, str> = match item {
        Item::Text(text) => text,
        Item::Other(kind) => return Err(Refusal::ItemNotText { position, kind }),
    };
    let QualifiedId { exchange: given, instrument } =
        QualifiedId::parse(&text).map_err(|error| Refusal::BadId {
            position,
            shown: shortened(&text),
            what: broken_rule(&error),
        })?;
    let Some(given) = given else { return Ok(instrument) };
    let exchange = product::exchange_of(instrument.as_str());
    if exchange.is_unknown() || exchange == given {
        return Ok(instrument);
    }
    let instrument = shortened(instrument.as_str());
    Err(Refusal::WrongExchange { position, instrument, exchange, given })
}

const fn broken_rule(error: &InstrumentIdError) -> &'static str {
    match error {
        InstrumentIdError::Empty => "it is empty",
        InstrumentIdError::TooLong { .. } => "it is longer than 80 bytes",
        InstrumentIdError::Character { .. } => {
            "it holds a character that no exchange uses (printable ASCII without quotes and backslash is accepted)"
        }
        InstrumentIdError::Blank { .. } => "it begins or ends with a blank",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Spoken, parse as spoken};
    use proptest::prelude::*;

    /// As the first message of a connection, taken for one of this dialect.
    fn parse(text: &str) -> Result<Request, Refusal> {
        match spoken(text, None) {
            Spoken::Action(outcome) => outcome,
            Spoken::Diff(outcome) => panic!("{outcome:?}"),
        }
    }

    fn names(request: &Request) -> Vec<&str> {
        match request {
            Request::Subscribe(ids) | Request::Unsubscribe(ids) => {
                ids.iter().map(InstrumentId::as_str).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn understands_every_request() {
        let subscribe =
            parse(r#"{"action":"subscribe","instruments":["rb2601","DCE.i2601"],"x":[1]}"#)
                .unwrap();
        assert!(matches!(subscribe, Request::Subscribe(_)));
        assert_eq!(names(&subscribe), ["rb2601", "i2601"]);
        let unsubscribe =
            parse(r#" {"instruments":["SPD SR001&SR003"],"action":"unsubscribe"} "#).unwrap();
        assert!(matches!(unsubscribe, Request::Unsubscribe(_)));
        assert_eq!(names(&unsubscribe), ["SPD SR001&SR003"]);
        assert_eq!(names(&parse(r#"{"action":"subscribe","instruments":[]}"#).unwrap()), [""; 0]);
        for action in ["list", "list_instruments"] {
            let text = format!(r#"{{"action":"{action}","instruments":7}}"#);
            assert_eq!(parse(&text), Ok(Request::List));
        }
        for action in ["search", "search_instruments"] {
            let text = format!(r#"{{"action":"{action}","pattern":"a\"b"}}"#);
            assert_eq!(parse(&text), Ok(Request::Search("a\"b".into())));
        }
        assert_eq!(parse(r#"{"action":"\u006cist"}"#), Ok(Request::List));
        assert_eq!(parse(r#"{"action":1,"action":"list"}"#), Ok(Request::List));
        for enable in [true, false] {
            let text = format!(r#"{{"action":"events","enable":{enable}}}"#);
            assert_eq!(parse(&text), Ok(Request::Events(enable)));
        }
    }

    #[test]
    fn says_what_was_wrong_and_what_is_accepted() {
        let cases = [
            ("", "not JSON"),
            ("nonsense", "not JSON"),
            (r#"{"action":"list"} x"#, "not JSON"),
            ("[]", "the message is an array; send an object"),
            ("1", "the message is a number; send an object"),
            ("-1.5", "the message is a number; send an object"),
            ("null", "the message is null; send an object"),
            ("true", "the message is true or false; send an object"),
            (r#""list""#, "the message is a string; send an object"),
            ("{}", "no \"action\"; use subscribe, unsubscribe, list, search or events"),
            (r#"{"action":null}"#, "\"action\" is null"),
            (r#"{"action":["list"]}"#, "\"action\" is an array"),
            (r#"{"action":{"a":{"b":1}}}"#, "\"action\" is an object"),
            (r#"{"action":"Subscribe"}"#, "unknown action \"Subscribe\""),
            (r#"{"action":"subscribe"}"#, "subscribe needs \"instruments\""),
            (r#"{"action":"unsubscribe"}"#, "unsubscribe needs \"instruments\""),
            (r#"{"action":"subscribe","instruments":"rb2601"}"#, "\"instruments\" is a string"),
            (r#"{"action":"subscribe","instruments":null}"#, "\"instruments\" is null"),
            (
                r#"{"action":"subscribe","instruments":["a",7,"b"]}"#,
                "item 2 of \"instruments\" is a number",
            ),
            (
                r#"{"action":"subscribe","instruments":["a",["b"]]}"#,
                "item 2 of \"instruments\" is an array",
            ),
            (
                r#"{"action":"subscribe","instruments":[""]}"#,
                "item 1 of \"instruments\" (\"\") is no instrument id: it is empty",
            ),
            (
                r#"{"action":"subscribe","instruments":["rb2601","螺纹"]}"#,
                "item 2 of \"instruments\" (\"螺纹\") is no instrument id: it holds a character",
            ),
            (r#"{"action":"subscribe","instruments":[" rb"]}"#, "begins or ends with a blank"),
            (
                r#"{"action":"subscribe","instruments":["DCE.rb2601"]}"#,
                "rb2601 is traded on SHFE, not DCE; send SHFE.rb2601 or rb2601",
            ),
            (r#"{"action":"search"}"#, "search needs \"pattern\""),
            (r#"{"action":"search","pattern":5}"#, "\"pattern\" is a number"),
        ];
        for (text, expected) in cases {
            let message = parse(text).expect_err(text).to_string();
            assert!(message.contains(expected), "{text}: {message}");
        }
    }

    #[test]
    fn a_long_text_is_named_by_its_start() {
        let long = "y".repeat(5000);
        let bad =
            parse(&format!(r#"{{"action":"subscribe","instruments":["{long}"]}}"#)).unwrap_err();
        let unknown = parse(&format!(r#"{{"action":"{long}"}}"#)).unwrap_err();
        for message in [bad.to_string(), unknown.to_string()] {
            assert!(message.len() < 300 && message.contains("yyyy..."), "{message}");
        }
    }

    #[test]
    fn a_list_longer_than_a_session_may_have_is_counted_and_refused() {
        let list = |count| {
            let items = vec!["\"rb2601\""; count].join(",");
            parse(&format!(r#"{{"action":"subscribe","instruments":[{items}]}}"#))
        };
        assert_eq!(names(&list(SESSION_INSTRUMENTS_MAX).unwrap()).len(), SESSION_INSTRUMENTS_MAX);
        let over = SESSION_INSTRUMENTS_MAX + 5;
        assert_eq!(list(over), Err(Refusal::TooManyItems(over)));
    }

    #[test]
    fn deep_nesting_is_refused_and_not_followed() {
        let deep = "[".repeat(100_000);
        assert!(matches!(parse(&deep), Err(Refusal::NotJson(_))));
        assert!(matches!(parse(&format!(r#"{{"x":{deep}"#)), Err(Refusal::NotJson(_))));
    }

    #[test]
    fn an_exchange_may_stand_before_ids_of_products_nobody_listed() {
        let text =
            r#"{"action":"subscribe","instruments":["SSE.10004233","SHFE.zzz2601","XX.rb2601"]}"#;
        assert_eq!(names(&parse(text).unwrap()), ["10004233", "zzz2601", "XX.rb2601"]);
    }

    proptest! {
        #[test]
        fn no_text_is_a_panic(text in "\\PC{0,200}") {
            if let Err(refusal) = parse(&text) {
                prop_assert!(!refusal.to_string().is_empty());
            }
        }

        #[test]
        fn no_json_is_a_panic(
            keys in prop::collection::vec(("action|instruments|pattern|x", "[\\[\\]{}\",:a-z0-9.]{0,30}"), 0..6),
        ) {
            let body: Vec<String> = keys.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
            if let Err(refusal) = parse(&format!("{{{}}}", body.join(","))) {
                prop_assert!(!refusal.to_string().is_empty());
            }
        }
    }
}

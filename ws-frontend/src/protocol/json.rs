//! What of a client's JSON a request of either dialect can need, taken out in one pass without building the rest.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::limits::SESSION_INSTRUMENTS_MAX;

/// A client's message.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "it lives for one call, on the stack")]
pub(in crate::protocol) enum Message<'a> {
    /// An object, and of its keys those that any request needs.
    Object(Keys<'a>),
    /// Something else; its kind.
    Other(&'static str),
}

/// The keys that any request needs, as far as they were there.
#[derive(Debug, Default)]
pub(in crate::protocol) struct Keys<'a> {
    pub(in crate::protocol) action: Option<Value<'a>>,
    pub(in crate::protocol) instruments: Option<Value<'a>>,
    pub(in crate::protocol) pattern: Option<Value<'a>>,
    pub(in crate::protocol) enable: Option<Value<'a>>,
    pub(in crate::protocol) aid: Option<Value<'a>>,
    pub(in crate::protocol) ins_list: Option<Value<'a>>,
    pub(in crate::protocol) query_id: Option<Value<'a>>,
    pub(in crate::protocol) query: Option<Value<'a>>,
    /// As it stands in the message.
    pub(in crate::protocol) variables: Option<&'a RawValue>,
    pub(in crate::protocol) chart_id: Option<Value<'a>>,
    pub(in crate::protocol) duration: Option<Value<'a>>,
    pub(in crate::protocol) view_width: Option<Value<'a>>,
    pub(in crate::protocol) left_kline_id: Option<Value<'a>>,
    pub(in crate::protocol) focus_datetime: Option<Value<'a>>,
    pub(in crate::protocol) focus_position: Option<Value<'a>>,
}

/// A value as far as requests tell them apart.
#[derive(Debug, PartialEq)]
pub(in crate::protocol) enum Value<'a> {
    Text(Cow<'a, str>),
    List(List<'a>),
    Bool(bool),
    /// A whole number that fits; written with a point it may be, too.
    Whole(i64),
    /// Something else; its kind.
    Other(&'static str),
}

/// An array: its first items, and how many there were.
#[derive(Debug, Default, PartialEq)]
pub(in crate::protocol) struct List<'a> {
    /// At most [`SESSION_INSTRUMENTS_MAX`]; a longer list is refused anyway. Ends with the first that is no text.
    pub(in crate::protocol) items: Vec<Item<'a>>,
    pub(in crate::protocol) length: usize,
}

/// An item of an array.
#[derive(Debug, PartialEq)]
pub(in crate::protocol) enum Item<'a> {
    Text(Cow<'a, str>),
    /// Something else; its kind.
    Other(&'static str),
}

const OBJECT: &str = "an object";
const ARRAY: &str = "an array";
const NULL: &str = "null";
const BOOL: &str = "true or false";
const NUMBER: &str = "a number";
const TEXT: &str = "a string";

/// The arms that the visitors below have in common.
macro_rules! common {
    ($other:expr) => {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("JSON")
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok($other(NULL))
        }
    };
}

/// Those of the visitors to which a scalar that is no text is told by its kind.
macro_rules! scalars {
    ($other:expr) => {
        common!($other);

        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
            Ok($other(BOOL))
        }

        fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
            Ok($other(NUMBER))
        }

        fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
            Ok($other(NUMBER))
        }

        fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
            Ok($other(NUMBER))
        }
    };
}

fn skip_map<'de, A: MapAccess<'de>>(mut map: A) -> Result<(), A::Error> {
    while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
    Ok(())
}

fn skip_seq<'de, A: SeqAccess<'de>>(mut seq: A) -> Result<usize, A::Error> {
    let mut skipped = 0;
    while seq.next_element::<IgnoredAny>()?.is_some() {
        skipped += 1;
    }
    Ok(skipped)
}

// === impl Message ===

impl<'de> Deserialize<'de> for Message<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MessageVisitor)
    }
}

struct MessageVisitor;

impl<'de> Visitor<'de> for MessageVisitor {
    type Value = Message<'de>;

    scalars!(Message::Other);

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(Message::Other(TEXT))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        skip_seq(seq)?;
        Ok(Message::Other(ARRAY))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut keys = Keys::default();
        while let Some(Key(key)) = map.next_key()? {
            match &*key {
                "action" => keys.action = Some(map.next_value()?),
                "instruments" => keys.instruments = Some(map.next_value()?),
                "pattern" => keys.pattern = Some(map.next_value()?),
                "enable" => keys.enable = Some(map.next_value()?),
                "aid" => keys.aid = Some(map.next_value()?),
                "ins_list" => keys.ins_list = Some(map.next_value()?),
                "query_id" => keys.query_id = Some(map.next_value()?),
                "query" => keys.query = Some(map.next_value()?),
                "variables" => keys.variables = Some(map.next_value()?),
                "chart_id" => keys.chart_id = Some(map.next_value()?),
                "duration" => keys.duration = Some(map.next_value()?),
                "view_width" => keys.view_width = Some(map.next_value()?),
                "left_kline_id" => keys.left_kline_id = Some(map.next_value()?),
                "focus_datetime" => keys.focus_datetime = Some(map.next_value()?),
                "focus_position" => keys.focus_position = Some(map.next_value()?),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(Message::Object(keys))
    }
}

/// A key, borrowed from the message unless it holds escapes.
struct Key<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Item::deserialize(deserializer)? {
            Item::Text(text) => Ok(Self(text)),
            Item::Other(kind) => Ok(Self(Cow::Borrowed(kind))),
        }
    }
}

// === impl Value ===

impl Value<'_> {
    /// What it is, for a message that says what it should be.
    pub(in crate::protocol) const fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => TEXT,
            Self::List(_) => ARRAY,
            Self::Bool(_) => BOOL,
            Self::Whole(_) => NUMBER,
            Self::Other(kind) => kind,
        }
    }
}

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value<'de>;

    common!(Value::Other);

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Value::Whole(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(i64::try_from(number).map_or(Value::Other(NUMBER), Value::Whole))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        /// Beyond it a double does not tell whole numbers apart.
        const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
        let whole = number.fract() == 0.0 && number.abs() <= EXACT_MAX;
        #[expect(clippy::cast_possible_truncation, reason = "it is whole, and small enough")]
        Ok(if whole { Value::Whole(number as i64) } else { Value::Other(NUMBER) })
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Owned(text.into())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut list = List::default();
        while list.length < SESSION_INSTRUMENTS_MAX {
            let Some(item) = seq.next_element()? else { return Ok(Value::List(list)) };
            list.length += 1;
            let is_text = matches!(item, Item::Text(_));
            list.items.push(item);
            if !is_text {
                break;
            }
        }
        list.length += skip_seq(seq)?;
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        skip_map(map)?;
        Ok(Value::Other(OBJECT))
    }
}

// === impl Item ===

impl<'de> Deserialize<'de> for Item<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ItemVisitor)
    }
}

struct ItemVisitor;

impl<'de> Visitor<'de> for ItemVisitor {
    type Value = Item<'de>;

    scalars!(Item::Other);

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Item::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Item::Text(Cow::Owned(text.into())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        skip_seq(seq)?;
        Ok(Item::Other(ARRAY))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        skip_map(map)?;
        Ok(Item::Other(OBJECT))
    }
}

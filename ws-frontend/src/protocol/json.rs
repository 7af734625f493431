//! What of a client's JSON a request can need, taken out in one pass without building the rest.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::limits::SESSION_INSTRUMENTS_MAX;

/// A client's message.
#[derive(Debug, PartialEq)]
pub(super) enum Message<'a> {
    /// An object, and of its keys those that any request needs.
    Object(Keys<'a>),
    /// Something else; its kind.
    Other(&'static str),
}

/// The keys that any request needs, as far as they were there.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Keys<'a> {
    pub(super) action: Option<Value<'a>>,
    pub(super) instruments: Option<Value<'a>>,
    pub(super) pattern: Option<Value<'a>>,
}

/// A value as far as requests tell them apart.
#[derive(Debug, PartialEq)]
pub(super) enum Value<'a> {
    Text(Cow<'a, str>),
    List(List<'a>),
    /// Something else; its kind.
    Other(&'static str),
}

/// An array: its first items, and how many there were.
#[derive(Debug, Default, PartialEq)]
pub(super) struct List<'a> {
    /// At most [`SESSION_INSTRUMENTS_MAX`]; a longer list is refused anyway. Ends with the first that is no text.
    pub(super) items: Vec<Item<'a>>,
    pub(super) length: usize,
}

/// An item of an array.
#[derive(Debug, PartialEq)]
pub(super) enum Item<'a> {
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

/// The arms that every visitor below has in common: a scalar that is no text is told by its kind.
macro_rules! scalars {
    ($other:expr) => {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("JSON")
        }

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

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok($other(NULL))
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

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value<'de>;

    scalars!(Value::Other);

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

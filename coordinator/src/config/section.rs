//! One object of the configuration, read key by key; what is wrong is noted with its place and reading goes on.

use std::cell::RefCell;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde_json::{Map, Value};

use super::fault::Fault;
use super::json::join;
use super::nearest::nearest;

pub(super) struct Section<'a> {
    place: String,
    map: &'a Map<String, Value>,
    faults: &'a RefCell<Vec<Fault>>,
}

impl<'a> Section<'a> {
    /// Takes the value at a place as an object of these keys; unknown keys are faults.
    pub(super) fn of(
        place: String,
        value: &'a Value,
        known: &[&'static str],
        faults: &'a RefCell<Vec<Fault>>,
    ) -> Option<Self> {
        let Value::Object(map) = value else {
            let what = format!("must be an object {{...}}, not {}", kind(value));
            faults.borrow_mut().push(Fault { place, what });
            return None;
        };
        let section = Self { place, map, faults };
        for key in map.keys().filter(|key| !known.contains(&key.as_str())) {
            section.fault(
                key,
                match nearest(key, known) {
                    Some(meant) => format!("unknown key; did you mean {meant:?}?"),
                    None => format!("unknown key; known are {}", known.join(", ")),
                },
            );
        }
        Some(section)
    }

    /// Notes a fault at a key.
    pub(super) fn fault(&self, key: &str, what: impl Into<String>) {
        self.faults.borrow_mut().push(Fault { place: join(&self.place, key), what: what.into() });
    }

    /// The value at a key, as it stands.
    pub(super) fn value(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key)
    }

    /// True when the key is given.
    pub(super) fn gives(&self, key: &str) -> bool {
        self.map.contains_key(key)
    }

    /// Notes a fault when a key that must be given is not.
    pub(super) fn require(&self, key: &str, example: &str) {
        if !self.gives(key) {
            self.fault(key, format!("missing; give it, as \"{key}\": {example}"));
        }
    }

    /// A text.
    pub(super) fn text(&self, key: &str) -> Option<&'a str> {
        match self.value(key)? {
            Value::String(text) => Some(text),
            other => {
                self.fault(key, format!("must be a text \"...\", not {}", kind(other)));
                None
            }
        }
    }

    /// A text that means something, by its own parser.
    pub(super) fn parsed<T: FromStr<Err: Display>>(&self, key: &str) -> Option<T> {
        let text = self.text(key)?;
        text.parse().map_err(|error: T::Err| self.fault(key, error.to_string())).ok()
    }

    /// A text that is not empty and holds no control characters: a path, a host, a name.
    pub(super) fn line(&self, key: &str) -> Option<&'a str> {
        let text = self.text(key)?;
        let fits = !text.trim().is_empty() && !text.chars().any(char::is_control);
        if !fits {
            self.fault(
                key,
                "must not be empty or hold control characters; remove the key to get its default",
            );
        }
        fits.then_some(text)
    }

    /// A whole number inside a range.
    pub(super) fn number(&self, key: &str, range: RangeInclusive<u64>) -> Option<u64> {
        let value = self.value(key)?;
        let number = value.as_u64().filter(|number| range.contains(number));
        if number.is_none() {
            let given = match value {
                Value::Number(number) => number.to_string(),
                Value::String(text) => format!("the text {text:?} (write numbers without quotes)"),
                other => kind(other).to_owned(),
            };
            let (least, most) = (range.start(), range.end());
            self.fault(key, format!("must be a whole number from {least} to {most}, not {given}"));
        }
        number
    }

    /// True or false.
    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        match self.value(key)? {
            Value::Bool(flag) => Some(*flag),
            other => {
                self.fault(key, format!("must be true or false, not {}", kind(other)));
                None
            }
        }
    }
}

/// A value's kind, in words.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null (remove the key to get its default)",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

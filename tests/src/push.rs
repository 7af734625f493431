//! One `market_data` message as it stands on the wire.

use std::ops::Range;

/// A flat JSON object, its values kept as text so that numbers can be compared bit for bit (a JSON library's own
/// numbers may differ in the last bit).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    text: String,
    /// Where each key and value stands, in the order of the message; the keys and strings without quotes.
    fields: Vec<(Range<usize>, Value)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Null,
    Text(Range<usize>),
    Number(Range<usize>),
}

/// A value as it stands in the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field<'a> {
    /// null.
    Null,
    /// A string, without its quotes.
    Text(&'a str),
    /// A number's characters.
    Number(&'a str),
}

impl Push {
    /// Takes a message apart; `None` when it is no flat object of strings without escapes, numbers and nulls.
    #[must_use]
    pub fn parse(text: String) -> Option<Self> {
        let mut fields = Vec::with_capacity(64);
        let end = text.len().checked_sub(1)?;
        if !text.starts_with('{') || !text.ends_with('}') {
            return None;
        }
        let mut at = 1;
        while at < end {
            let key = quoted(&text, at)?;
            at = key.end + 1;
            text[at..].strip_prefix(':')?;
            at += 1;
            let value = if text[at..].starts_with('"') {
                let value = quoted(&text, at)?;
                at = value.end + 1;
                Value::Text(value)
            } else {
                let length = text[at..end].find(',').unwrap_or(end - at);
                let value = at..at + length;
                at = value.end;
                match &text[value.clone()] {
                    "null" => Value::Null,
                    digits if digits.bytes().all(is_of_a_number) => Value::Number(value),
                    _ => return None,
                }
            };
            fields.push((key, value));
            if at < end {
                text[at..].strip_prefix(',')?;
                at += 1;
            }
        }
        Some(Self { text, fields })
    }

    /// True for a `market_data` message.
    #[must_use]
    pub fn is_market_data(text: &str) -> bool {
        text.starts_with("{\"type\":\"market_data\",")
    }

    /// The message itself.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The keys, in order.
    #[must_use]
    pub fn keys(&self) -> Vec<&str> {
        self.fields().map(|(key, _)| key).collect()
    }

    /// Keys and values, in order.
    pub fn fields(&self) -> impl Iterator<Item = (&str, Field<'_>)> {
        self.fields.iter().map(|(key, value)| {
            let field = match value {
                Value::Null => Field::Null,
                Value::Text(range) => Field::Text(&self.text[range.clone()]),
                Value::Number(range) => Field::Number(&self.text[range.clone()]),
            };
            (&self.text[key.clone()], field)
        })
    }

    /// A string; `None` for null.
    ///
    /// # Panics
    /// When there is no such key or its value is a number.
    #[must_use]
    pub fn string(&self, key: &str) -> Option<&str> {
        match self.value(key) {
            Value::Null => None,
            Value::Text(range) => Some(&self.text[range.clone()]),
            Value::Number(_) => panic!("{key} is a number in {}", self.text),
        }
    }

    /// A floating-point number, its bits as written; `None` for null.
    ///
    /// # Panics
    /// When there is no such key or its value is not a number.
    #[must_use]
    pub fn number(&self, key: &str) -> Option<f64> {
        let text = self.digits(key)?;
        Some(text.parse().unwrap_or_else(|_| panic!("{key} is no number in {}", self.text)))
    }

    /// An integer; `None` for null.
    ///
    /// # Panics
    /// When there is no such key or its value is not an integer.
    #[must_use]
    pub fn integer(&self, key: &str) -> Option<i64> {
        let text = self.digits(key)?;
        Some(text.parse().unwrap_or_else(|_| panic!("{key} is no integer in {}", self.text)))
    }

    /// The instrument's id.
    ///
    /// # Panics
    /// When it has none.
    #[must_use]
    pub fn instrument(&self) -> &str {
        self.string("instrument_id").expect("a push names its instrument")
    }

    /// The volume.
    ///
    /// # Panics
    /// When it has none.
    #[must_use]
    pub fn volume(&self) -> i64 {
        self.integer("volume").expect("a push has a volume")
    }

    fn digits(&self, key: &str) -> Option<&str> {
        match self.value(key) {
            Value::Null => None,
            Value::Number(range) => Some(&self.text[range.clone()]),
            Value::Text(_) => panic!("{key} is a string in {}", self.text),
        }
    }

    fn value(&self, key: &str) -> &Value {
        let named = self.fields.iter().find(|(range, _)| &self.text[range.clone()] == key);
        &named.unwrap_or_else(|| panic!("{key} is missing in {}", self.text)).1
    }
}

const fn is_of_a_number(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')
}

/// The inside of the string that begins at `at`.
fn quoted(text: &str, at: usize) -> Option<Range<usize>> {
    let inside = text[at..].strip_prefix('"')?;
    let length = inside.find('"')?;
    (!inside[..length].contains('\\')).then_some(at + 1..at + 1 + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_a_message_apart() {
        let text = r#"{"type":"market_data","instrument_id":"SPD JR009&JR103","a":-619.0,"b":null,"v":12}"#;
        assert!(Push::is_market_data(text));
        let push = Push::parse(text.to_owned()).unwrap();
        assert_eq!(push.keys(), ["type", "instrument_id", "a", "b", "v"]);
        assert_eq!(push.instrument(), "SPD JR009&JR103");
        assert_eq!((push.number("a"), push.number("b")), (Some(-619.0), None));
        assert_eq!(push.integer("v"), Some(12));
    }

    #[test]
    fn refuses_what_is_no_flat_object() {
        for text in ["", "{", "[]", r#"{"a" :1}"#, r#"{"a":1"b":2}"#, r#"{"a":"\""}"#] {
            assert_eq!(Push::parse(text.to_owned()), None, "{text}");
        }
    }
}

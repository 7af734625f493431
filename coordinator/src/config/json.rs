//! JSON text to a value, with keys that are given twice found: a plain parser silently keeps the last.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::fault::Fault;

/// Parses a text. A syntax error ends it and is the only fault; keys given twice are faults beside a value.
pub(super) fn parse(text: &str, faults: &RefCell<Vec<Fault>>) -> Option<Value> {
    // Editors on Windows put a byte order mark first; it means nothing.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut de = serde_json::Deserializer::from_str(text);
    let value = At { place: String::new(), faults }.deserialize(&mut de);
    match value.and_then(|value| de.end().map(|()| value)) {
        Ok(value) => Some(value),
        Err(error) => {
            let place = format!("line {} column {}", error.line(), error.column());
            // The parser's own words end in the same place; said once is enough.
            let what = error.to_string();
            let what = what.split(" at line ").next().unwrap_or(&what);
            faults.borrow_mut().push(Fault { place, what: format!("this is not JSON: {what}") });
            None
        }
    }
}

/// A value at a place of the document.
struct At<'a> {
    place: String,
    faults: &'a RefCell<Vec<Fault>>,
}

impl<'de> DeserializeSeed<'de> for At<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, de: D) -> Result<Value, D::Error> {
        de.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for At<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        loop {
            let place = format!("{}[{}]", self.place, items.len());
            match list.next_element_seed(At { place, faults: self.faults })? {
                Some(item) => items.push(item),
                None => return Ok(Value::Array(items)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let place = join(&self.place, &key);
            let value =
                entries.next_value_seed(At { place: place.clone(), faults: self.faults })?;
            if map.insert(key, value).is_some() {
                self.faults
                    .borrow_mut()
                    .push(Fault { place, what: "this key is given twice; keep one".into() });
            }
        }
        Ok(Value::Object(map))
    }
}

/// The place of a key inside an object.
pub(super) fn join(place: &str, key: &str) -> String {
    if place.is_empty() { key.to_owned() } else { format!("{place}.{key}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults_of(text: &str) -> Vec<String> {
        let faults = RefCell::new(Vec::new());
        parse(text, &faults);
        faults.into_inner().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn says_where_the_syntax_breaks() {
        let faults = faults_of("{\n  \"a\": 1,\n  \"b\" 2\n}");
        assert_eq!(faults, ["line 3 column 7: this is not JSON: expected `:`"]);
        assert_eq!(faults_of("{} {}"), ["line 1 column 4: this is not JSON: trailing characters"]);
        assert_eq!(faults_of(""), ["line 1 column 0: this is not JSON: EOF while parsing a value"]);
    }

    #[test]
    fn finds_keys_given_twice_at_any_depth() {
        let faults = faults_of(r#"{"a":1,"list":[{"x":1},{"x":1,"x":2}],"a":2}"#);
        assert_eq!(
            faults,
            [
                "list[1].x: this key is given twice; keep one",
                "a: this key is given twice; keep one"
            ]
        );
    }

    #[test]
    fn reads_values_as_a_plain_parser_does() {
        let text = "\u{feff}{\"a\":[1,-2,3.5,null,true,\"x\\n\"],\"b\":{}}";
        let faults = RefCell::new(Vec::new());
        let plain: Value = serde_json::from_str(text.trim_start_matches('\u{feff}')).unwrap();
        assert_eq!(parse(text, &faults), Some(plain));
        assert!(faults.into_inner().is_empty());
    }
}

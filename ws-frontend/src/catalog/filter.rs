//! Which instruments a field is about: its arguments (pure).
//!
//! Every argument may be one value or a list of them; null is as if it were not there. `timestamp` asks for the state at a time
//! past, which nobody here knows: today's is given. No list says of what category a product is, so a filter by `categories`
//! finds nothing.

use serde_json::Value;

use super::contract::{Class, Contract};
use super::document::{Field, shortened};
use super::query_error::QueryError;

/// What an instrument must be; `None` where anything is good.
#[derive(Debug, Default)]
pub(super) struct Filter {
    /// Named so, see [`super::Symbol`].
    pub(super) symbols: Option<Vec<String>>,
    classes: Option<Vec<Class>>,
    exchanges: Option<Vec<String>>,
    products: Option<Vec<String>>,
    expired: Option<bool>,
    has_night: Option<bool>,
    has_derivatives: Option<bool>,
    of_category: bool,
}

/// What a filter asks of an instrument beside the contract itself.
pub(super) struct Beside {
    /// True when it trades at night.
    pub(super) has_night: bool,
    /// True when another is on it.
    pub(super) has_derivatives: bool,
}

/// The arguments of the fields that have some.
const TAKEN: [(&str, &[&str]); 4] = [
    (
        "multi_symbol_info",
        &[
            "instrument_id",
            "class",
            "exchange_id",
            "product_id",
            "expired",
            "has_night",
            "has_derivatives",
            "categories",
            "timestamp",
        ],
    ),
    (
        "symbol_info",
        &[
            "instrument_id",
            "class",
            "exchange_id",
            "product_id",
            "expired",
            "has_night",
            "has_derivatives",
        ],
    ),
    ("derivatives", &["class", "exchange_id", "expired", "timestamp"]),
    ("derivative", &["class", "exchange_id", "expired"]),
];

const CATEGORIES: [&str; 13] = [
    "AGRICULTURAL",
    "CHEMICAL",
    "COAL",
    "EQUITY_INDEX",
    "FERROUS",
    "GRAIN",
    "GREASE",
    "LIGHT_INDUSTRY",
    "NONFERROUS_METALS",
    "OIL",
    "PRECIOUS_METALS",
    "SOFT_COMMODITY",
    "TREASURY_BOND",
];

// === impl Filter ===

impl Filter {
    /// Reads the arguments of a field; one that takes none refuses any.
    pub(super) fn of(name: &'static str, field: &Field) -> Result<Self, QueryError> {
        let taken = TAKEN.iter().find(|(known, _)| *known == name).map_or(&[][..], |(_, all)| all);
        let mut filter = Self::default();
        for (argument, value) in &field.arguments {
            let Some(argument) = taken.iter().find(|known| *known == argument) else {
                return Err(QueryError::Argument { field: name, argument: shortened(argument) });
            };
            if !value.is_null() {
                filter.take(argument, value)?;
            }
        }
        Ok(filter)
    }

    fn take(&mut self, argument: &'static str, value: &Value) -> Result<(), QueryError> {
        match argument {
            "instrument_id" => self.symbols = Some(texts(argument, value)?),
            "exchange_id" => self.exchanges = Some(texts(argument, value)?),
            "product_id" => self.products = Some(texts(argument, value)?),
            "class" => {
                let names = Class::ALL.map(Class::name);
                let chosen = chosen(argument, &names, &texts(argument, value)?)?;
                self.classes = Some(chosen.into_iter().map(|index| Class::ALL[index]).collect());
            }
            "categories" => {
                chosen(argument, &CATEGORIES, &texts(argument, value)?)?;
                self.of_category = true;
            }
            "expired" => self.expired = Some(flag(argument, value)?),
            "has_night" => self.has_night = Some(flag(argument, value)?),
            "has_derivatives" => self.has_derivatives = Some(flag(argument, value)?),
            _ if value.is_number() => {}
            _ => return Err(must_be(argument, "a number")),
        }
        Ok(())
    }

    /// True when an instrument is what is asked for, whatever its name.
    pub(super) fn takes(&self, contract: &Contract, beside: &Beside) -> bool {
        let among = |texts: &Option<Vec<String>>, text: Option<&str>| {
            texts.as_ref().is_none_or(|texts| texts.iter().any(|one| Some(one.as_str()) == text))
        };
        let is = |wanted: Option<bool>, fact: bool| wanted.is_none_or(|wanted| wanted == fact);
        !self.of_category
            && self.classes.as_ref().is_none_or(|classes| classes.contains(&contract.class))
            && among(&self.exchanges, Some(contract.exchange.as_str()))
            && among(&self.products, contract.product.as_deref())
            && is(self.expired, contract.expired)
            && is(self.has_night, beside.has_night)
            && is(self.has_derivatives, beside.has_derivatives)
    }
}

fn must_be(argument: &'static str, what: &str) -> QueryError {
    QueryError::Value { argument, must_be: what.to_owned() }
}

fn texts(argument: &'static str, value: &Value) -> Result<Vec<String>, QueryError> {
    let one = |value: &Value| value.as_str().map(str::to_owned);
    let texts = match value {
        Value::Array(values) => values.iter().map(one).collect(),
        value => one(value).map(|text| vec![text]),
    };
    texts.ok_or_else(|| must_be(argument, "a text or a list of texts"))
}

/// The places of these words among the known ones.
fn chosen(
    argument: &'static str,
    known: &[&str],
    words: &[String],
) -> Result<Vec<usize>, QueryError> {
    let place = |word: &String| known.iter().position(|known| known == word);
    let places: Option<Vec<usize>> = words.iter().map(place).collect();
    places.ok_or_else(|| must_be(argument, &format!("one of {}", known.join(", "))))
}

fn flag(argument: &'static str, value: &Value) -> Result<bool, QueryError> {
    value.as_bool().ok_or_else(|| must_be(argument, "true or false"))
}

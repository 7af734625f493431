//! Which instruments a field is about: its arguments (pure).
//!
//! Every argument may be one value or a list of them; null is as if it were not there. `timestamp` asks for the state at a time
//! past, which nobody here knows: today's is given. No list says of what category a product is, so a filter by `categories`
//! finds nothing.

use super::contract::{Class, Contract};
use super::document::{Field, shortened};
use super::given::{Given, ValuesLeft};
use super::query_error::QueryError;
use super::schema::Classes;
use crate::hashing::Set;

/// What an instrument must be; `None` where anything is good.
#[derive(Debug, Default)]
pub(super) struct Filter<'a> {
    /// Named so, see [`super::Symbol`].
    pub(super) symbols: Option<Vec<&'a str>>,
    classes: Option<Classes>,
    exchanges: Option<Set<&'a str>>,
    products: Option<Set<&'a str>>,
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

impl<'a> Filter<'a> {
    /// Reads the arguments of a field; one that takes none refuses any.
    pub(super) fn of(
        name: &'static str,
        field: &'a Field<'_>,
        left: &mut ValuesLeft,
    ) -> Result<Self, QueryError> {
        let taken = TAKEN.iter().find(|(known, _)| *known == name).map_or(&[][..], |(_, all)| all);
        let mut filter = Self::default();
        for (argument, value) in field.arguments.iter() {
            let Some(argument) = taken.iter().find(|known| *known == argument) else {
                return Err(QueryError::Argument { field: name, argument: shortened(argument) });
            };
            if !value.is_null() {
                filter.take(argument, value, left)?;
            }
        }
        Ok(filter)
    }

    fn take(
        &mut self,
        argument: &'static str,
        value: &'a Given<'_>,
        left: &mut ValuesLeft,
    ) -> Result<(), QueryError> {
        match argument {
            "instrument_id" => self.symbols = Some(texts(argument, value, left)?),
            "exchange_id" => {
                self.exchanges = Some(texts(argument, value, left)?.into_iter().collect());
            }
            "product_id" => {
                self.products = Some(texts(argument, value, left)?.into_iter().collect());
            }
            "class" => {
                let names = Class::ALL.map(Class::name);
                let chosen = chosen(argument, &names, &texts(argument, value, left)?)?;
                let chosen = Class::ALL.into_iter().zip(chosen).filter(|(_, chosen)| *chosen);
                self.classes =
                    Some(chosen.fold(Classes::NONE, |all, (class, _)| all.or(Classes::one(class))));
            }
            "categories" => {
                chosen(argument, &CATEGORIES, &texts(argument, value, left)?)?;
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
        let among = |texts: &Option<Set<&str>>, text: Option<&str>| {
            texts.as_ref().is_none_or(|texts| text.is_some_and(|text| texts.contains(text)))
        };
        let is = |wanted: Option<bool>, fact: bool| wanted.is_none_or(|wanted| wanted == fact);
        !self.of_category
            && self.classes.is_none_or(|classes| classes.contains(contract.class))
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

fn texts<'a>(
    argument: &'static str,
    value: &'a Given<'_>,
    left: &mut ValuesLeft,
) -> Result<Vec<&'a str>, QueryError> {
    value.texts(left)?.ok_or_else(|| must_be(argument, "a text or a list of texts"))
}

/// Which of the known words are among these; each of these must be known.
fn chosen<const COUNT: usize>(
    argument: &'static str,
    known: &[&str; COUNT],
    words: &[&str],
) -> Result<[bool; COUNT], QueryError> {
    let mut chosen = [false; COUNT];
    for word in words {
        let Some(place) = known.iter().position(|known| known == word) else {
            return Err(must_be(argument, &format!("one of {}", known.join(", "))));
        };
        chosen[place] = true;
    }
    Ok(chosen)
}

fn flag(argument: &'static str, value: &Given<'_>) -> Result<bool, QueryError> {
    value.flag().ok_or_else(|| must_be(argument, "true or false"))
}

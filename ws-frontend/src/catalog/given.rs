//! Values of arguments, as queries and variables have them. A variable's is never copied, however often it is used (pure).

use std::rc::Rc;

use serde_json::Value;

use super::query_error::QueryError;
use crate::limits::QUERY_VALUES_MAX;

/// A value.
#[derive(Debug)]
pub(super) enum Given<'v> {
    /// Written in the query, neither a list nor an object; names of enumerations are texts.
    Literal(Value),
    /// A list written in the query.
    List(Vec<Given<'v>>),
    /// From the object of variables, as the client sent it.
    Sent(&'v Value),
    /// A variable's.
    Variable(Rc<Given<'v>>),
}

/// The arguments of a field, by name. Two places with the same text share them.
pub(super) type Arguments<'v> = Rc<Vec<(String, Given<'v>)>>;

/// How many values may still be looked at for a query; see [`QUERY_VALUES_MAX`].
#[derive(Debug)]
pub(super) struct ValuesLeft(usize);

/// A long text counts as several values, one for each so many bytes.
const BYTES_OF_A_VALUE: usize = 64;

// === impl Given ===

impl Given<'_> {
    /// The value itself, unless the query has a list there.
    fn scalar(&self) -> Option<&Value> {
        match self {
            Self::Literal(value) => Some(value),
            Self::Sent(value) => Some(value),
            Self::Variable(given) => given.scalar(),
            Self::List(_) => None,
        }
    }

    /// True for null.
    pub(super) fn is_null(&self) -> bool {
        self.scalar().is_some_and(Value::is_null)
    }

    /// True for a number.
    pub(super) fn is_number(&self) -> bool {
        self.scalar().is_some_and(Value::is_number)
    }

    /// A flag; `None` for anything else.
    pub(super) fn flag(&self) -> Option<bool> {
        self.scalar()?.as_bool()
    }

    /// The texts of a text or a list of texts; `None` for anything else.
    ///
    /// # Errors
    /// [`QueryError::TooManyValues`] when they are more than are left to look at.
    pub(super) fn texts(&self, left: &mut ValuesLeft) -> Result<Option<Vec<&str>>, QueryError> {
        match self {
            Self::Variable(given) => given.texts(left),
            Self::List(list) => all(list.iter().map(|one| one.scalar()?.as_str()), left),
            Self::Literal(Value::Array(list)) => all(list.iter().map(Value::as_str), left),
            Self::Sent(Value::Array(list)) => all(list.iter().map(Value::as_str), left),
            Self::Literal(one) => all(std::iter::once(one.as_str()), left),
            Self::Sent(one) => all(std::iter::once(one.as_str()), left),
        }
    }
}

fn all<'t>(
    texts: impl Iterator<Item = Option<&'t str>>,
    left: &mut ValuesLeft,
) -> Result<Option<Vec<&'t str>>, QueryError> {
    let mut read = Vec::new();
    for text in texts {
        let Some(text) = text else { return Ok(None) };
        left.take(1 + text.len() / BYTES_OF_A_VALUE)?;
        read.push(text);
    }
    Ok(Some(read))
}

// === impl ValuesLeft ===

impl ValuesLeft {
    /// Those of one query.
    pub(super) const fn of_a_query() -> Self {
        Self(QUERY_VALUES_MAX)
    }

    fn take(&mut self, count: usize) -> Result<(), QueryError> {
        self.0 = self.0.checked_sub(count).ok_or(QueryError::TooManyValues)?;
        Ok(())
    }
}

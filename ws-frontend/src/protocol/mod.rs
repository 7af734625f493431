//! What clients and the gateway say to each other, in either of two dialects: [`action`] and [`diff`]. The first message of
//! a connection decides which of the two it speaks: one with an `aid` begins DIFF.
//!
//! Both say the same of a quote, see [`quote_fields`].

pub mod action;
pub mod diff;
pub mod frame;
mod json;
pub mod quote_fields;

use crate::limits::ECHO_CHARS_MAX;
use json::{Keys, Message};

/// The protocol of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// `{"action":...}`.
    Action,
    /// `{"aid":...}`.
    Diff,
}

/// A client's message.
#[derive(Debug, PartialEq)]
pub enum Spoken {
    /// In the `action` dialect, or not to be understood in any.
    Action(Result<action::Request, action::Refusal>),
    /// In DIFF.
    Diff(Result<diff::Request, diff::Refusal>),
}

/// Reads a client's text. `speaks`: the dialect of the connection, `None` before its first message that was understood.
#[must_use]
pub fn parse(text: &str, speaks: Option<Dialect>) -> Spoken {
    let message = serde_json::from_str(text).map_err(|error| error.to_string());
    match (message, speaks) {
        (Ok(Message::Object(keys)), speaks) => object(text, keys, speaks),
        (Ok(Message::Other(kind)), Some(Dialect::Diff)) => {
            Spoken::Diff(Err(diff::Refusal::NotAnObject(kind)))
        }
        (Ok(Message::Other(kind)), _) => Spoken::Action(Err(action::Refusal::NotAnObject(kind))),
        (Err(error), Some(Dialect::Diff)) => Spoken::Diff(Err(diff::Refusal::NotJson(error))),
        (Err(error), _) => Spoken::Action(Err(action::Refusal::NotJson(error))),
    }
}

/// A binary message, in either dialect a mistake.
#[must_use]
pub const fn binary(speaks: Option<Dialect>) -> Spoken {
    match speaks {
        Some(Dialect::Diff) => Spoken::Diff(Err(diff::Refusal::Binary)),
        _ => Spoken::Action(Err(action::Refusal::Binary)),
    }
}

fn object(text: &str, keys: Keys<'_>, speaks: Option<Dialect>) -> Spoken {
    match (keys.aid.is_some(), speaks) {
        (true, Some(Dialect::Action)) => Spoken::Action(Err(action::Refusal::OtherDialect)),
        (true, _) | (false, Some(Dialect::Diff)) => Spoken::Diff(diff::request(text, keys)),
        (false, _) => Spoken::Action(action::request(keys)),
    }
}

/// The first characters of a client's own text.
pub(crate) fn shortened(text: &str) -> String {
    let mut shown: String = text.chars().take(ECHO_CHARS_MAX).collect();
    if shown.len() < text.len() {
        shown.push_str("...");
    }
    shown
}

//! What clients and the gateway say to each other.
//!
//! [`Request`] is what a client may ask and [`Reply`] what it is answered, whatever dialect it speaks; a dialect turns a
//! client's text into the one and writes the other. The hub knows requests and replies only. Today there is one dialect,
//! [`action`]; a second one would decide by the first message of a connection which of the two that connection speaks.

pub mod action;
pub mod frame;

use shm_layout::InstrumentId;

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
}

/// What a client is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply<'a> {
    /// So many different instruments of the request are subscribed now.
    Subscribed(usize),
    /// So many different instruments of the request were subscribed and are no longer.
    Unsubscribed(usize),
    /// All instruments, sorted.
    Instruments(&'a [InstrumentId]),
    /// The instruments whose id holds the pattern, sorted.
    Found {
        /// As the client sent it.
        pattern: &'a str,
        /// The instruments.
        instruments: &'a [InstrumentId],
    },
    /// The request was not understood or not granted; nothing was changed.
    Refused {
        /// What was wrong, and what to do about it.
        message: &'a str,
        /// When, milliseconds since 1970-01-01 UTC.
        timestamp_ms: i64,
    },
}

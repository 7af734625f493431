//! A key of `InsMap`.

use super::layout::entry::KEY_BYTES;
use crate::capacity_text::{padded, text, trimmed};
use crate::exchange_id::ExchangeId;
use crate::instrument_id::InstrumentId;

/// `SHFE.rb2601`: exchange, dot, instrument, in 64 bytes, zero-padded, at least one of them zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QamddataKey([u8; KEY_BYTES]);

/// Why an instrument has no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The key begins with the exchange, and nobody knows it.
    #[error(
        "nobody knows where {0} is traded: list it in the instruments file with its exchange_id"
    )]
    NoExchange(InstrumentId),
    /// The key has 63 characters at most.
    #[error("{0} is too long for qamddata, whose keys have 63 characters at most")]
    TooLong(InstrumentId),
}

// === impl QamddataKey ===

impl QamddataKey {
    /// The key of an instrument.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn of(exchange: ExchangeId, instrument: &InstrumentId) -> Result<Self, KeyError> {
        if exchange.is_unknown() {
            return Err(KeyError::NoExchange(*instrument));
        }
        let text = format!("{exchange}.{instrument}");
        if text.len() >= KEY_BYTES {
            return Err(KeyError::TooLong(*instrument));
        }
        Ok(Self(padded(text.as_bytes())))
    }

    /// The key in a segment, if the bytes are one.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; KEY_BYTES]) -> Option<Self> {
        let text = trimmed(bytes);
        let padding = &bytes[text.len()..];
        let is_key = !text.is_empty()
            && !padding.is_empty()
            && text.iter().all(|byte| matches!(byte, b' '..=b'~'))
            && padding.iter().all(|byte| *byte == 0);
        is_key.then_some(Self(*bytes))
    }

    /// What follows the exchange and its dot; all of it when there is no dot.
    #[must_use]
    pub fn instrument(&self) -> &str {
        let text = text(&self.0);
        text.split_once('.').map_or(text, |(_, instrument)| instrument)
    }

    /// The bytes as they stand in the segment.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }
}

impl std::fmt::Display for QamddataKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(text(&self.0))
    }
}

impl std::fmt::Debug for QamddataKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "QamddataKey({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_an_exchange_and_fit() {
        let id = |text: &str| InstrumentId::parse(text).unwrap();
        let key = QamddataKey::of(ExchangeId::CZCE, &id("SPD JR009&JR103")).unwrap();
        assert_eq!(key.to_string(), "CZCE.SPD JR009&JR103");
        assert_eq!(QamddataKey::from_bytes(key.bytes()), Some(key));
        assert_eq!(key.instrument(), "SPD JR009&JR103");
        let unknown = QamddataKey::of(ExchangeId::UNKNOWN, &id("zzz01"));
        assert_eq!(unknown, Err(KeyError::NoExchange(id("zzz01"))));
        let longest = "x".repeat(63 - "SHFE.".len());
        assert!(QamddataKey::of(ExchangeId::SHFE, &id(&longest)).is_ok());
        let longer = id(&format!("{longest}x"));
        assert_eq!(QamddataKey::of(ExchangeId::SHFE, &longer), Err(KeyError::TooLong(longer)));
    }

    #[test]
    fn other_bytes_are_no_key() {
        let with = |text: &[u8]| QamddataKey::from_bytes(&padded(text));
        assert!(with(b"SHFE.rb2601").is_some());
        assert!(with(b"").is_none());
        assert!(with(b"SHFE.rb2601\0x").is_none());
        assert!(with(b"SHFE.\x01").is_none());
        assert!(with(&[b'x'; KEY_BYTES]).is_none());
    }
}

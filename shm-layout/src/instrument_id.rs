//! An instrument's id, spelled as its exchange spells it.

use crate::capacity_text::{padded, text_identity, trimmed};
use crate::exchange_id::ExchangeId;

/// An instrument id as the exchange spells it (`rb2601`, `IO2501-C-4000`, `SPD JR009&JR103`), at most 80 bytes.
///
/// CTP gives 81 bytes with a closing zero from 6.5.1 on, 31 before. Blanks and `&` are part of combination ids;
/// quotes, backslashes, control characters and anything outside ASCII never are, so an id stands in JSON as it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct InstrumentId([u8; InstrumentId::CAPACITY]);

/// Why a text is not an instrument id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InstrumentIdError {
    /// Nothing was given.
    #[error("an instrument id is empty")]
    Empty,
    /// More than [`InstrumentId::CAPACITY`] bytes.
    #[error("instrument id {start}... has {length} bytes; at most 80 are allowed")]
    TooLong {
        /// The first bytes, to recognise it by.
        start: String,
        /// Its length in bytes.
        length: usize,
    },
    /// A character that no exchange uses.
    #[error(
        "instrument id {text:?} holds a character that no exchange uses (printable ASCII without quotes and backslash)"
    )]
    Character {
        /// The text as given.
        text: String,
    },
    /// A blank at the start or end.
    #[error("instrument id {text:?} begins or ends with a blank")]
    Blank {
        /// The text as given.
        text: String,
    },
}

// === impl InstrumentId ===

text_identity!(InstrumentId, InstrumentIdError);

impl InstrumentId {
    /// The most bytes an id may have.
    pub const CAPACITY: usize = 80;

    /// Checks and takes a bare id.
    ///
    /// # Errors
    /// [`InstrumentIdError`] says which rule the text breaks.
    pub fn parse(text: &str) -> Result<Self, InstrumentIdError> {
        // A zero ends a foreign structure's text; inside a text of ours it is a wrong character.
        if text.contains('\0') {
            return Err(InstrumentIdError::Character { text: text.chars().take(100).collect() });
        }
        Self::from_bytes(text.as_bytes())
    }

    /// Checks and takes an id from the bytes of a foreign structure, up to its first zero.
    ///
    /// # Errors
    /// [`InstrumentIdError`] says which rule the bytes break.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InstrumentIdError> {
        let bytes = trimmed(bytes);
        let shown = || String::from_utf8_lossy(bytes).chars().take(100).collect::<String>();
        if bytes.is_empty() {
            return Err(InstrumentIdError::Empty);
        }
        if bytes.len() > Self::CAPACITY {
            let start = shown().chars().take(16).collect();
            return Err(InstrumentIdError::TooLong { start, length: bytes.len() });
        }
        if !bytes.iter().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')) {
            return Err(InstrumentIdError::Character { text: shown() });
        }
        if bytes[0] == b' ' || bytes[bytes.len() - 1] == b' ' {
            return Err(InstrumentIdError::Blank { text: shown() });
        }
        Ok(Self(padded(bytes)))
    }

    /// The zero-padded bytes, as they stand in a [`crate::Tick`].
    #[must_use]
    pub const fn padded(&self) -> &[u8; Self::CAPACITY] {
        &self.0
    }
}

/// An id as a client gives it: bare (`rb2601`) or with its exchange (`SHFE.rb2601`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QualifiedId {
    /// The exchange, when the client named one.
    pub exchange: Option<ExchangeId>,
    /// The id as the exchange spells it.
    pub instrument: InstrumentId,
}

impl QualifiedId {
    /// Takes `EXCHANGE.id` or a bare id. Only the names of [`ExchangeId::KNOWN`] count as a prefix.
    ///
    /// # Errors
    /// [`InstrumentIdError`] says what is wrong with the id.
    pub fn parse(text: &str) -> Result<Self, InstrumentIdError> {
        if let Some((prefix, rest)) = text.split_once('.')
            && let Some(exchange) = ExchangeId::known(prefix)
        {
            return Ok(Self { exchange: Some(exchange), instrument: InstrumentId::parse(rest)? });
        }
        Ok(Self { exchange: None, instrument: InstrumentId::parse(text)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_every_shape_that_exchanges_use() {
        for id in [
            "rb2601",
            "IO2501-C-4000",
            "SPD JR009&JR103",
            "sc_tas2501",
            "m2505-MS-C-3000",
            "10004233",
        ] {
            assert_eq!(InstrumentId::parse(id).unwrap().as_str(), id);
        }
        let longest = "x".repeat(80);
        assert_eq!(InstrumentId::parse(&longest).unwrap().as_str(), longest);
    }

    #[test]
    fn refuses_what_no_exchange_sends_and_says_why() {
        assert_eq!(InstrumentId::parse(""), Err(InstrumentIdError::Empty));
        assert!(matches!(
            InstrumentId::parse(&"x".repeat(81)),
            Err(InstrumentIdError::TooLong { length: 81, .. })
        ));
        for id in ["rb\"1", "a\\b", "a\nb", "rb\0x", "螺纹", "X\u{2}\u{c}z\u{7f}"] {
            assert!(
                matches!(InstrumentId::parse(id), Err(InstrumentIdError::Character { .. })),
                "{id}"
            );
        }
        assert!(matches!(InstrumentId::parse(" rb2601"), Err(InstrumentIdError::Blank { .. })));
    }

    #[test]
    fn a_prefix_counts_only_when_it_is_an_exchange() {
        let id = QualifiedId::parse("SHFE.rb2601").unwrap();
        assert_eq!((id.exchange, id.instrument.as_str()), (ExchangeId::known("SHFE"), "rb2601"));
        let id = QualifiedId::parse("XX.rb2601").unwrap();
        assert_eq!((id.exchange, id.instrument.as_str()), (None, "XX.rb2601"));
        assert!(QualifiedId::parse("SHFE.").is_err());
    }
}

//! An exchange's name.

use crate::capacity_text::{padded, text_identity, trimmed};

/// An exchange as CTP names it (`SHFE`, `DCE`, ...), at most eight letters or digits; empty when unknown.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct ExchangeId([u8; ExchangeId::CAPACITY]);

/// Why a text is not an exchange's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an exchange's name (at most eight letters or digits, as SHFE or CFFEX)")]
pub struct ExchangeIdError {
    /// The text as given.
    pub text: String,
}

// === impl ExchangeId ===

text_identity!(ExchangeId, ExchangeIdError);

impl ExchangeId {
    /// The most bytes a name may have.
    pub const CAPACITY: usize = 8;
    /// No exchange was named and none could be inferred.
    pub const UNKNOWN: Self = Self([0; Self::CAPACITY]);
    /// Shanghai Futures Exchange.
    pub const SHFE: Self = Self(padded(b"SHFE"));
    /// Shanghai International Energy Exchange.
    pub const INE: Self = Self(padded(b"INE"));
    /// Dalian Commodity Exchange.
    pub const DCE: Self = Self(padded(b"DCE"));
    /// Zhengzhou Commodity Exchange.
    pub const CZCE: Self = Self(padded(b"CZCE"));
    /// China Financial Futures Exchange.
    pub const CFFEX: Self = Self(padded(b"CFFEX"));
    /// Guangzhou Futures Exchange.
    pub const GFEX: Self = Self(padded(b"GFEX"));
    /// The exchanges whose names may stand before an instrument id; the last two quote ETF options through CTP.
    pub const KNOWN: [Self; 8] = [
        Self::SHFE,
        Self::INE,
        Self::DCE,
        Self::CZCE,
        Self::CFFEX,
        Self::GFEX,
        Self(padded(b"SSE")),
        Self(padded(b"SZSE")),
    ];

    /// Checks and takes a name; the empty text is [`Self::UNKNOWN`].
    ///
    /// # Errors
    /// [`ExchangeIdError`] when the text is too long or holds other characters.
    pub fn parse(text: &str) -> Result<Self, ExchangeIdError> {
        Self::from_bytes(text.as_bytes()).ok_or_else(|| ExchangeIdError { text: text.into() })
    }

    /// Takes the bytes of a foreign structure up to the first zero; blanks around the name are dropped, since INE
    /// is seen to send a single blank. `None` when they are not a name.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes = trimmed(bytes).trim_ascii();
        let fits = bytes.len() <= Self::CAPACITY && bytes.iter().all(u8::is_ascii_alphanumeric);
        fits.then(|| Self(padded(bytes)))
    }

    /// The known exchange of exactly this name.
    #[must_use]
    pub fn known(name: &str) -> Option<Self> {
        Self::KNOWN.into_iter().find(|exchange| exchange.as_str() == name)
    }

    /// True when no exchange is named.
    #[must_use]
    pub const fn is_unknown(&self) -> bool {
        self.0[0] == 0
    }

    /// The zero-padded bytes, as they stand in a [`crate::Tick`].
    #[must_use]
    pub const fn padded(&self) -> &[u8; Self::CAPACITY] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blank_is_no_exchange() {
        assert_eq!(ExchangeId::from_bytes(b" \0\0"), Some(ExchangeId::UNKNOWN));
        assert_eq!(ExchangeId::from_bytes(b"SHFE\0garbage"), Some(ExchangeId::SHFE));
        assert_eq!(ExchangeId::from_bytes(b"\xff\xfe"), None);
        assert!(ExchangeId::parse("TOOLONGNAME").is_err());
    }
}

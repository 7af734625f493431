//! A broker's number.

use crate::capacity_text::{padded, text_identity};

/// A broker's number as CTP takes it (`9999`, `0034`): one to ten letters or digits, since the field has eleven bytes.
///
/// Numbers repeat between companies: never a key by itself, see [`crate::ConnectionId`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BrokerId([u8; BrokerId::CAPACITY]);

/// Why a text is not a broker's number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a broker id (one to ten letters or digits, as \"9999\")")]
pub struct BrokerIdError {
    /// The text as given.
    pub text: String,
}

// === impl BrokerId ===

text_identity!(BrokerId, BrokerIdError);

impl BrokerId {
    /// The most bytes a number may have.
    pub const CAPACITY: usize = 10;

    /// Checks and takes a broker's number.
    ///
    /// # Errors
    /// [`BrokerIdError`] when the text is empty, too long or holds other characters.
    pub fn parse(text: &str) -> Result<Self, BrokerIdError> {
        let fits = !text.is_empty()
            && text.len() <= Self::CAPACITY
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if fits {
            Ok(Self(padded(text.as_bytes())))
        } else {
            Err(BrokerIdError { text: text.into() })
        }
    }
}

//! The operator's name for one connection to one front.

use crate::capacity_text::{padded, text_identity};

/// The operator's name for a connection (`guangfa_telecom`): one to forty letters, digits, `_`, `-` or `.`,
/// not beginning with a dot, since it names a directory of flow files.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConnectionId([u8; ConnectionId::CAPACITY]);

/// Why a text is not a connection's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a connection id (one to forty letters, digits, '_', '-' or '.', not beginning with '.')"
)]
pub struct ConnectionIdError {
    /// The text as given.
    pub text: String,
}

// === impl ConnectionId ===

text_identity!(ConnectionId, ConnectionIdError);

impl ConnectionId {
    /// The most bytes a name may have.
    pub const CAPACITY: usize = 40;

    /// Checks and takes a connection's name.
    ///
    /// # Errors
    /// [`ConnectionIdError`] when the text is empty, too long or holds other characters.
    pub fn parse(text: &str) -> Result<Self, ConnectionIdError> {
        let fits = !text.is_empty()
            && text.len() <= Self::CAPACITY
            && !text.starts_with('.')
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
        if fits {
            Ok(Self(padded(text.as_bytes())))
        } else {
            Err(ConnectionIdError { text: text.into() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_leads_out_of_its_directory() {
        assert_eq!(ConnectionId::parse("guangfa_telecom").unwrap().as_str(), "guangfa_telecom");
        for text in ["", "..", ".x", "a/b", "a b", &"x".repeat(41)] {
            assert!(ConnectionId::parse(text).is_err(), "{text}");
        }
    }
}

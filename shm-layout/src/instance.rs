//! The name that separates fleets on one machine.

use crate::capacity_text::{padded, text_identity};

/// A fleet's name (default `qamd`): one to thirty-two lower-case letters, digits, `_` or `-`, beginning with a letter.
///
/// It begins the names of the fleet's shared memory and names its runtime directory, hence the narrow alphabet.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instance([u8; Instance::CAPACITY]);

/// Why a text is not an instance's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not an instance name (one to 32 of a-z, 0-9, '_', '-', beginning with a letter)"
)]
pub struct InstanceError {
    /// The text as given.
    pub text: String,
}

// === impl Instance ===

text_identity!(Instance, InstanceError);

impl Instance {
    /// The most bytes a name may have.
    pub const CAPACITY: usize = 32;

    /// Checks and takes an instance's name.
    ///
    /// # Errors
    /// [`InstanceError`] when the text is empty, too long or holds other characters.
    pub fn parse(text: &str) -> Result<Self, InstanceError> {
        let fits = text.len() <= Self::CAPACITY
            && text.starts_with(|first: char| first.is_ascii_lowercase())
            // The ring's own files of instance `a` begin with `a_iox2_`.
            && !text.contains("_iox2_")
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b));
        if fits {
            Ok(Self(padded(text.as_bytes())))
        } else {
            Err(InstanceError { text: text.into() })
        }
    }
}

impl Default for Instance {
    fn default() -> Self {
        Self(padded(b"qamd"))
    }
}

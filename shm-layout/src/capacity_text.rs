//! Zero-padded text of a fixed capacity: what the identifiers are made of.

/// Copies `text` into a zero-padded array. The caller has checked that it fits.
pub(crate) const fn padded<const N: usize>(text: &[u8]) -> [u8; N] {
    let mut bytes = [0; N];
    let mut i = 0;
    while i < text.len() && i < N {
        bytes[i] = text[i];
        i += 1;
    }
    bytes
}

/// The part of a zero-padded array before its first zero.
pub(crate) fn trimmed(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    &bytes[..end]
}

/// The trimmed part as text; the identifiers admit ASCII only, so nothing is ever lost.
pub(crate) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(trimmed(bytes)).unwrap_or_default()
}

/// What an identifier newtype over zero-padded text has in common with the others: text in, text out, ordered
/// and hashed by its text, carried as text by serde. Each type brings its own `parse`.
macro_rules! text_identity {
    ($type:ident, $error:ident) => {
        impl $type {
            /// The identifier as text, without padding.
            #[must_use]
            pub fn as_str(&self) -> &str {
                crate::capacity_text::text(&self.0)
            }
        }

        impl std::str::FromStr for $type {
            type Err = $error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::parse(text)
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($type), "({})"), self.as_str())
            }
        }

        impl std::hash::Hash for $type {
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                crate::capacity_text::trimmed(&self.0).hash(state);
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(de: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(de)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

pub(crate) use text_identity;

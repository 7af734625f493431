//! What `GetApiVersion` answers, taken apart (pure).

use std::fmt;

/// The three numbers of a library's version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct VersionNumber {
    /// 6 in every version known.
    pub major: u16,
    /// Such as 7 of 6.7.13.
    pub minor: u16,
    /// Such as 13 of 6.7.13.
    pub patch: u16,
}

/// A text that is no version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} does not begin with a version such as v6.7.13")]
pub struct VersionError {
    /// The text as given.
    pub text: String,
}

// === impl VersionNumber ===

impl VersionNumber {
    /// A version written in code.
    #[must_use]
    pub const fn new(major: u16, minor: u16, patch: u16) -> Self {
        Self { major, minor, patch }
    }

    /// Reads the beginning of what `GetApiVersion` answers: `v6.7.13_20260225 14:16:30.12079`, `6.3.15_20190220 ...`,
    /// `v6.3.19_P1_20200106 ...`. What follows the three numbers is the vendor's business.
    ///
    /// # Errors
    /// [`VersionError`] when there are no three numbers.
    pub fn parse(text: &str) -> Result<Self, VersionError> {
        let refused = || VersionError { text: text.to_owned() };
        let trimmed = text.trim();
        let numbers = trimmed.strip_prefix(['v', 'V']).unwrap_or(trimmed);
        let end = numbers.find(|c: char| c != '.' && !c.is_ascii_digit()).unwrap_or(numbers.len());
        let mut parts = numbers[..end].split('.').map(str::parse::<u16>);
        let mut next = || parts.next().and_then(Result::ok).ok_or_else(refused);
        Ok(Self { major: next()?, minor: next()?, patch: next()? })
    }
}

impl fmt::Display for VersionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// True when the answer of `GetApiVersion` is that of the simulated library.
#[must_use]
pub fn is_simulation(text: &str) -> bool {
    text.contains("qamd-sim")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_every_library_answers() {
        let answers = [
            ("v6.7.13_20260225 14:16:30.12079", (6, 7, 13)),
            ("v6.7.13_qamd-sim 0.1.0", (6, 7, 13)),
            ("6.3.15_20190220 15:47:00", (6, 3, 15)),
            ("v6.3.15_20190220 15:47:00", (6, 3, 15)),
            ("6.3.11_20180109", (6, 3, 11)),
            ("v6.3.19_P1_20200106 15:21:32", (6, 3, 19)),
            ("v6.6.9_20220914  9:57:19.2466         ", (6, 6, 9)),
            (" v6.10.2", (6, 10, 2)),
        ];
        for (text, (major, minor, patch)) in answers {
            assert_eq!(
                VersionNumber::parse(text),
                Ok(VersionNumber { major, minor, patch }),
                "{text}"
            );
        }
    }

    #[test]
    fn refuses_what_is_no_version() {
        for text in ["", "v", "v6", "6.7", "v6.7._1", "tts 1.0", "v6.x.1", "6..7", "v99999.1.1"] {
            assert!(VersionNumber::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn orders_by_number_not_by_text() {
        assert!(VersionNumber::new(6, 7, 13) > VersionNumber::new(6, 7, 9));
    }

    #[test]
    fn knows_the_simulation() {
        assert!(is_simulation("v6.7.13_qamd-sim 0.1.0"));
        assert!(!is_simulation("v6.7.13_20260225 14:16:30.12079"));
    }

    proptest! {
        #[test]
        fn foreign_text_never_panics(text in ".{0,40}") {
            if let Ok(version) = VersionNumber::parse(&text) {
                prop_assert_eq!(VersionNumber::parse(&version.to_string()), Ok(version));
            }
        }
    }
}

//! What is wrong with a file: every fault at once, each with its place.

use std::fmt;

use crate::limits::FAULTS_SHOWN_MAX;

/// One fault of a configuration, an instruments file or a calendar.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Fault {
    /// Where: `connections[3].front_addr`, `line 4 column 7`.
    pub place: String,
    /// What is wrong, and what would be right.
    pub what: String,
}

/// All faults of one file. Never empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Faults {
    /// The file.
    pub file: String,
    /// Its faults, in their order in the file where that is known.
    pub faults: Vec<Fault>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.place.is_empty() {
            f.write_str(&self.what)
        } else {
            write!(f, "{}: {}", self.place, self.what)
        }
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.faults.len();
        write!(f, "{}: {count} fault{}", self.file, if count == 1 { "" } else { "s" })?;
        for fault in self.faults.iter().take(FAULTS_SHOWN_MAX) {
            write!(f, "\n  {fault}")?;
        }
        if count > FAULTS_SHOWN_MAX {
            write!(f, "\n  and {} more", count - FAULTS_SHOWN_MAX)?;
        }
        Ok(())
    }
}

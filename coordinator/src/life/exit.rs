//! How a process ended, in words (pure).

use crate::restart_policy::EXIT_REFUSED;

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// With this exit code.
    Code(i32),
    /// By this signal; true when it left a core.
    Signal(i32, bool),
    /// Nobody knows: it was not our child.
    Unknown,
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(0) => f.write_str("ended by itself (exit code 0)"),
            Self::Code(EXIT_REFUSED) => {
                write!(
                    f,
                    "refused its settings or its library (exit code {EXIT_REFUSED}); see the log"
                )
            }
            Self::Code(code) => write!(f, "failed (exit code {code}); see the log"),
            Self::Signal(number, core) => {
                let name = nix::sys::signal::Signal::try_from(*number)
                    .map_or("", |signal| signal.as_str());
                let core = if *core { ", core dumped" } else { "" };
                write!(f, "killed by signal {number} {name}{core}")
            }
            Self::Unknown => {
                f.write_str("ended; it was started by an earlier coordinator, so nobody knows how")
            }
        }
    }
}

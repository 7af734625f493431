//! How instruments find their connection.

use std::fmt;

/// The seed's four ways; [`crate::planner`] does them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strategy {
    /// The best connection first.
    #[default]
    ConnectionQuality,
    /// Each connection in turn.
    RoundRobin,
    /// The connection that carries least.
    LeastConnections,
    /// By a hash of the instrument.
    HashBased,
}

/// Why a text is not a strategy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a strategy; known are connection_quality, round_robin, least_connections, hash_based"
)]
pub struct StrategyError {
    /// The text as given.
    pub text: String,
}

impl Strategy {
    const NAMES: [(Self, &'static str); 4] = [
        (Self::ConnectionQuality, "connection_quality"),
        (Self::RoundRobin, "round_robin"),
        (Self::LeastConnections, "least_connections"),
        (Self::HashBased, "hash_based"),
    ];
}

impl std::str::FromStr for Strategy {
    type Err = StrategyError;

    fn from_str(text: &str) -> Result<Self, StrategyError> {
        let named = Self::NAMES.into_iter().find(|(_, name)| *name == text);
        named.map(|(strategy, _)| strategy).ok_or_else(|| StrategyError { text: text.into() })
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = Self::NAMES.into_iter().find(|(strategy, _)| strategy == self);
        f.write_str(named.map_or("", |(_, name)| name))
    }
}

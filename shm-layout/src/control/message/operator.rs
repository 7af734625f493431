//! A person and the coordinator.

use serde::{Deserialize, Serialize};

use crate::ConnectionId;
use crate::control::status::FleetStatus;

/// A person's question or wish.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum OperatorRequest {
    /// How is the fleet?
    Status,
    /// Do this with one connection.
    Connection(ConnectionId, ConnectionWish),
    /// Read the configuration again and apply what changed.
    Reload,
}

/// What a person wants of one connection. It holds until the coordinator ends or a reload; the configuration's `enabled`
/// is what lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionWish {
    /// End its worker and start it anew.
    Restart,
    /// Move its instruments elsewhere and give it none; its worker stays, logged in.
    Drain,
    /// Use it: undoes drain, disable and the configuration's `enabled: false`.
    Enable,
    /// Move its instruments elsewhere and end its worker.
    Disable,
}

/// The answer to a person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum OperatorReply {
    /// So is the fleet.
    Status(Box<FleetStatus>),
    /// It is done or under way: what, in lines for a person.
    Done(Vec<String>),
    /// It cannot be done: why, and what to do instead, in lines for a person.
    Refused(Vec<String>),
}

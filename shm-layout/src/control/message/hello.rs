//! Who speaks.

use serde::{Deserialize, Serialize};

use super::{FrontendHello, WorkerHello};
use crate::Instance;

/// The first frame of every client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`crate::version::CONTROL_PROTOCOL`] of the speaker.
    pub protocol: u32,
    /// The fleet the speaker belongs to.
    pub instance: Instance,
    /// The speaker's process id.
    pub pid: u32,
    /// What the speaker is.
    pub role: Role,
}

/// What a client of the coordinator is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// One broker's worker.
    Worker(Box<WorkerHello>),
    /// A process that serves clients.
    Frontend(FrontendHello),
    /// A person's command.
    Operator,
}

/// The first answer to a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum HelloReply {
    /// Go on.
    Welcome,
    /// The connection ends; the reason is for a person.
    Refused(String),
}

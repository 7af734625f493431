//! What comes into the driver, and what it answers.

use shm_layout::control::{FleetStatus, Hello};
use tokio::sync::{mpsc, oneshot};

use crate::config::{Config, Files};
use crate::control_server::{Incoming, Outgoing};
use crate::fleet::{ClientId, FleetCounters, ProcessId};
use crate::life::Exit;
use crate::segments::SegmentsReport;

/// What comes into the driver.
#[derive(Debug)]
pub enum Inbound {
    /// A control client said hello; the outbox leads to it.
    Hello {
        /// The connection.
        client: ClientId,
        /// What it said.
        hello: Hello,
        /// The way to it. Dropping it hangs up.
        outbox: mpsc::Sender<Outgoing>,
    },
    /// A control client said something.
    Said(ClientId, Incoming),
    /// A control client is gone.
    Gone(ClientId),
    /// A child of ours ended.
    Exited(ProcessId, u32, Exit),
    /// Somebody in this process asks how the fleet is.
    Ask(oneshot::Sender<Snapshot>),
    /// A person wants the fleet to stop; again: faster.
    Stop,
}

/// The fleet at one moment, with what the coordinator counts of itself.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// As operators see it.
    pub status: FleetStatus,
    /// Of the decisions.
    pub counters: FleetCounters,
    /// Of what other programs read in shared memory.
    pub segments: SegmentsReport,
    /// Of the control socket.
    pub control: ControlTotals,
}

/// What is counted at the control socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ControlTotals {
    /// Clients connected now.
    pub clients: usize,
    /// Clients refused.
    pub refused: u64,
    /// Clients disconnected because they did not take their messages.
    pub overflowed: u64,
}

/// Reads the configuration again, as it was read at the start; the error is for a person.
pub struct Reread(pub(super) Box<dyn Fn() -> Result<(Config, Files), String> + Send>);

// === impl Reread ===

impl Reread {
    /// What reads it.
    pub fn new(reread: impl Fn() -> Result<(Config, Files), String> + Send + 'static) -> Self {
        Self(Box::new(reread))
    }
}

impl std::fmt::Debug for Reread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reread")
    }
}

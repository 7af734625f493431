//! What a fleet is made of, and what was found of it before anything was started.

use shm_layout::control::ListedInstrument;
use shm_layout::{
    BrokerId, ConnectionId, FrontAddr, Instance, InstrumentId, TradingHours, WorkerId,
};

use crate::config::Strategy;
use crate::planner::{Acceptance, Seat, hash_of};

/// What the fleet is made of.
#[derive(Debug, Clone)]
pub struct FleetPlan {
    /// Its name.
    pub instance: Instance,
    /// The connections, in the order of the configuration.
    pub connections: Vec<PlannedConnection>,
    /// Workers that run for connections which are not configured any more: they are to end.
    pub strays: Vec<PlannedConnection>,
    /// What was found of the frontend.
    pub frontend: Found,
    /// The instruments that frontends list.
    pub universe: Vec<ListedInstrument>,
    /// Wanted without any client.
    pub always_on: Vec<InstrumentId>,
    /// Whether instruments leave a connection that cannot work.
    pub auto_failover: bool,
    /// How instruments are spread over the connections.
    pub strategy: Strategy,
    /// Connections per instrument.
    pub redundancy: usize,
    /// When products trade.
    pub hours: TradingHours,
    /// Where status and metrics are served, `host:port`; known once the port is open.
    pub http_address: String,
    /// Worth a word to whoever asks for the status.
    pub notices: Vec<String>,
}

/// One connection of the plan.
#[derive(Debug, Clone)]
pub struct PlannedConnection {
    /// Its name.
    pub connection_id: ConnectionId,
    /// Its worker's number.
    pub worker: WorkerId,
    /// The broker.
    pub broker_id: BrokerId,
    /// The front.
    pub front_addr: FrontAddr,
    /// The most it may carry.
    pub max_subscriptions: u32,
    /// Its turn in placing.
    pub priority: u32,
    /// Whether it is used.
    pub enabled: bool,
    /// What was found of its worker.
    pub found: Found,
}

/// A connection as placing sees it before anything is known of its worker.
pub(super) fn seat(plan: &PlannedConnection) -> Seat {
    Seat {
        capacity: plan.max_subscriptions as usize,
        load: 0,
        priority: plan.priority,
        broker: plan.broker_id,
        accepts: Acceptance::Last,
        keeps: true,
        carries: true,
        proven: true,
        quality: 100.0,
        seed: hash_of(plan.connection_id.as_str()),
    }
}

/// What was found of a process before anything was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Found {
    /// It does not run.
    #[default]
    Nothing,
    /// It runs with the settings we would give it.
    Running {
        /// As its lock file says.
        pid: Option<u32>,
    },
    /// It runs with other settings.
    Outdated {
        /// As its lock file says.
        pid: Option<u32>,
    },
}

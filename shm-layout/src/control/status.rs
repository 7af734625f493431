//! The state of a fleet as an operator sees it: `qamd status`, its `--json` form, and the HTTP status are this type.

use serde::{Deserialize, Serialize};

use super::message::{FrontendStats, SessionReport, WorkerStats};
use crate::{BrokerId, ConnectionId, FrontAddr, Incarnation, Instance, InstrumentId, WorkerId};

/// A fleet at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FleetStatus {
    /// The fleet's name.
    pub instance: Instance,
    /// qamd's version.
    pub version: String,
    /// The coordinator's process id.
    pub pid: u32,
    /// Since the coordinator's start, milliseconds.
    pub uptime_ms: u64,
    /// When this was taken, milliseconds since 1970-01-01 UTC.
    pub taken_at_ms: i64,
    /// Where status and metrics are served, `host:port`.
    pub http_address: String,
    /// Instruments wanted by at least one frontend or always on.
    pub wanted: u32,
    /// Of these, carried by a worker (placed).
    pub placed: u32,
    /// Of these, acknowledged by a front or ticking.
    pub acknowledged: u32,
    /// Of these, ticking.
    pub ticking: u32,
    /// Wanted instruments for which no connection has room; they wait, and are placed as soon as one has.
    pub waiting_for_room: u32,
    /// The workers, in the order of the configuration.
    pub workers: Vec<WorkerStatus>,
    /// The frontends.
    pub frontends: Vec<FrontendStatus>,
    /// Instruments refused by a front, at most the first hundred by name.
    pub refused: Vec<RefusedInstrument>,
    /// What the configuration asks for and this version does not do yet, and other things worth a word.
    pub notices: Vec<String>,
}

/// One worker at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkerStatus {
    /// Its connection.
    pub connection_id: ConnectionId,
    /// Its number.
    pub worker: WorkerId,
    /// The broker.
    pub broker_id: BrokerId,
    /// The front.
    pub front_addr: FrontAddr,
    /// Its process.
    pub process: WorkerProcess,
    /// Its process id while it lives.
    pub pid: Option<u32>,
    /// Its life, once it said hello.
    pub incarnation: Option<Incarnation>,
    /// How often it was started anew after it died.
    pub restarts: u64,
    /// What GetApiVersion answered.
    pub library_version: Option<String>,
    /// Its login session, once it said hello.
    pub session: Option<SessionReport>,
    /// Instruments placed on it.
    pub subscriptions: u32,
    /// The most it may carry.
    pub max_subscriptions: u32,
    /// Of the placed ones, acknowledged or ticking.
    pub acknowledged: u32,
    /// Ticks published per second, over the last few seconds.
    pub ticks_per_second: f64,
    /// Its counters.
    pub stats: WorkerStats,
    /// How its last life ended, when it did.
    pub last_exit: Option<String>,
}

/// What the coordinator knows of a worker's process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkerProcess {
    /// Switched off in the configuration.
    Disabled,
    /// Started; it has not said hello yet.
    Starting,
    /// It runs and talks to the coordinator.
    Running,
    /// It runs, and its control connection is gone; it goes on publishing.
    Detached,
    /// It died; the next start follows after a back-off.
    BackingOff,
    /// It refused its configuration (exit code 64); starting it again would not help.
    Failed,
    /// It is being stopped.
    Stopping,
}

/// One frontend at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FrontendStatus {
    /// Where clients reach it, `host:port`; empty before it said hello.
    pub listening_on: String,
    /// Its process id while it lives.
    pub pid: Option<u32>,
    /// True while its control connection stands.
    pub connected: bool,
    /// How often it was started anew after it died.
    pub restarts: u64,
    /// Its counters.
    pub stats: FrontendStats,
}

/// An instrument that a front refused for good.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RefusedInstrument {
    /// The instrument.
    pub instrument: InstrumentId,
    /// Where it was refused.
    pub connection_id: ConnectionId,
    /// CTP's ErrorID.
    pub error_id: i32,
    /// CTP's message.
    pub message: String,
}

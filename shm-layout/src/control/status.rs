//! The state of a fleet as an operator sees it: `qamd status`, its `--json` form, and the HTTP status are this type.

use serde::{Deserialize, Serialize};

use super::message::{ConnectionView, ConnectionWish, FrontendStats, SessionReport, WorkerStats};
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
    /// The first of these in the order in which they will be placed, at most a hundred.
    pub queue: Vec<InstrumentId>,
    /// Wanted instruments that a front acknowledged and never sends, although it is asked again and again.
    pub silent: u32,
    /// Wanted instruments that no connection will carry for now, since the fronts refuse them for good.
    pub refused_for_good: u32,
    /// Instruments that are placed on fewer connections than `redundancy` asks for, not counting those that are away.
    pub short_of_copies: u32,
    /// Copies that go on ticking where they were until they tick where they go.
    pub moving: u32,
    /// Connections per instrument.
    pub redundancy: u32,
    /// How instruments are spread over the connections.
    pub strategy: String,
    /// The number of the last plan.
    pub plan: u64,
    /// True while some wanted instrument trades, by its product's hours and the calendar.
    pub in_session: bool,
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
    /// How good the connection has been, 0 to 100; none before there is anything to judge by.
    pub quality: Option<Quality>,
    /// Whether it gets instruments.
    pub standing: Standing,
    /// What a person said about it, when they did.
    pub wish: Option<ConnectionWish>,
    /// The least is first in `round_robin` and in ties.
    pub priority: u32,
    /// Instruments for which it is the one that writes their cells.
    pub primary: u32,
    /// How its ticks compare with the others', summed over the frontends.
    pub view: ConnectionView,
}

/// Whether a connection gets instruments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It does.
    Good,
    /// It was away and is back for less than its probation: it gets what others have no room for, and nothing returns to
    /// it yet.
    Probation,
    /// Its front does not answer, or it sends nothing while others tick. What it carried goes where there is room; what
    /// finds none stays.
    Away,
    /// It gets nothing: switched off, drained, or refused for good.
    Closed,
}

/// A connection's quality with the parts that lower it; see ARCHITECTURE.md.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// 0 to 100, smoothed.
    pub score: f32,
    /// Taken off for ticks that come later than the same ticks from others.
    pub delay: f32,
    /// Taken off for ticks that never came or were lost.
    pub gaps: f32,
    /// Taken off for refused logins and calls, unanswered requests and failed callbacks.
    pub errors: f32,
    /// Taken off for disconnects and deaths.
    pub disconnects: f32,
    /// Taken off for silence while others tick within trading sessions.
    pub staleness: f32,
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
    /// It was asked to end, and is started anew.
    Restarting,
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

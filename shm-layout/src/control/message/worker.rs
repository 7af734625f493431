//! Worker and coordinator.

use serde::{Deserialize, Serialize};

use crate::{ConnectionId, Date, Epoch, Generation, Incarnation, InstrumentId, WorkerId};

/// What a worker says of itself at each connect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerHello {
    /// Its connection's name.
    pub connection: ConnectionId,
    /// Its number.
    pub worker: WorkerId,
    /// Its life.
    pub incarnation: Incarnation,
    /// What GetApiVersion answered.
    pub library_version: String,
    /// The last assignment it took; `None` before the first.
    pub generation: Option<Generation>,
    /// Its login session.
    pub session: SessionReport,
    /// Every instrument it carries, so that a coordinator without memory learns the placement; one part of at most
    /// [`crate::limits::CONTROL_INSTRUMENTS_PER_MESSAGE_MAX`].
    pub inventory: Vec<InstrumentReport>,
}

/// The state of a worker's login session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionState {
    /// The library was told the front and has not yet answered.
    Connecting,
    /// The connect deadline has passed without an answer; the library goes on trying.
    Unreachable,
    /// Connected, login sent.
    LoggingIn,
    /// Logged in; subscriptions are sent and ticks arrive.
    Ready,
    /// The front went away; the library reconnects by itself.
    Disconnected {
        /// CTP's reason, such as 0x1001.
        reason: i32,
    },
    /// The login was refused with an error worth another try; the next follows after a back-off.
    LoginRetry {
        /// CTP's ErrorID.
        error_id: i32,
        /// CTP's message.
        message: String,
    },
    /// The login was refused for good: trying on would lock the account. An operator has to act.
    Alarm {
        /// CTP's ErrorID.
        error_id: i32,
        /// CTP's message.
        message: String,
    },
}

/// A worker's login session as it reports it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionReport {
    /// Its state.
    pub state: SessionState,
    /// Counts logins.
    pub epoch: Epoch,
    /// From the last login's answer.
    pub trading_day: Option<Date>,
}

/// What became of a wanted instrument at a worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InstrumentState {
    /// Wanted, not yet asked for (no session, or its turn has not come).
    Waiting,
    /// Asked for, not yet answered.
    Requested,
    /// The front said yes, and nothing has come yet.
    Acknowledged,
    /// The front said yes and sends nothing, although it was asked again: fronts say yes to what they do not have, too.
    /// It is asked again at a slow pace.
    Silent,
    /// A tick has come in this session.
    Ticking,
    /// The front said no for good.
    Refused {
        /// CTP's ErrorID.
        error_id: i32,
        /// CTP's message.
        message: String,
    },
    /// No longer wanted and no longer carried.
    Released,
}

/// One instrument's state at a worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstrumentReport {
    /// The instrument.
    pub instrument: InstrumentId,
    /// What became of it.
    pub state: InstrumentState,
    /// The role in which this worker carries it, so that a coordinator without memory promotes no second one. (One that
    /// has a memory goes by [`FromWorker::AssignmentTaken`].)
    pub role: CarryRole,
}

/// What a worker is to an instrument that it carries.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum CarryRole {
    /// It publishes ticks, and leaves the instrument's cells in shared memory alone.
    #[default]
    Standby,
    /// It publishes ticks and alone writes the instrument's cells. At most one live worker is that.
    Primary,
}

/// An instrument to carry, and as what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Carry {
    /// The instrument.
    pub instrument: InstrumentId,
    /// The role.
    pub role: CarryRole,
}

// === impl Carry ===

impl Carry {
    /// To carry as the one that writes the instrument's cells.
    #[must_use]
    pub const fn primary(instrument: InstrumentId) -> Self {
        Self { instrument, role: CarryRole::Primary }
    }

    /// To carry beside, or in place of, another.
    #[must_use]
    pub const fn standby(instrument: InstrumentId) -> Self {
        Self { instrument, role: CarryRole::Standby }
    }
}

/// What a worker is to carry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Assignment {
    /// All of it; what is not named is released. A list longer than a message may carry is begun by this and continued
    /// by [`Assignment::Change`].
    Whole {
        /// The number of this decision.
        generation: Generation,
        /// The instruments.
        instruments: Vec<Carry>,
    },
    /// A change of the assignment numbered `after`.
    Change {
        /// The number of this decision.
        generation: Generation,
        /// The number of the assignment that it changes; a worker that has another one refuses.
        after: Generation,
        /// Instruments to carry from now on, and those carried already whose role changes.
        add: Vec<Carry>,
        /// Instruments to release.
        remove: Vec<InstrumentId>,
    },
}

// === impl Assignment ===

impl Assignment {
    /// What it says to carry.
    #[must_use]
    pub fn carried(&self) -> &[Carry] {
        match self {
            Self::Whole { instruments, .. } => instruments,
            Self::Change { add, .. } => add,
        }
    }

    /// What it names to be released.
    #[must_use]
    pub fn released(&self) -> &[InstrumentId] {
        match self {
            Self::Whole { .. } => &[],
            Self::Change { remove, .. } => remove,
        }
    }
}

/// Coordinator to worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToWorker {
    /// Carry this.
    Assign(Assignment),
    /// Publish what is under way and end.
    Stop,
}

/// Worker to coordinator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromWorker {
    /// The session changed.
    Session(SessionReport),
    /// Instruments changed their state.
    Instruments(Vec<InstrumentReport>),
    /// Counters, once a second.
    Stats(WorkerStats),
    /// Every assignment up to this one is in force: the worker acts on it from here on.
    AssignmentTaken(Generation),
    /// An assignment was refused: it is older than, or does not follow, the one taken last. A whole one must follow.
    AssignmentRefused {
        /// The number refused.
        refused: Generation,
        /// The number in force.
        current: Option<Generation>,
    },
}

/// A worker's counters since its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct WorkerStats {
    /// Ticks published.
    pub ticks: u64,
    /// Callbacks whose instrument id was no id; nothing was published.
    pub malformed: u64,
    /// Ticks the ring did not take (no memory left); counted as a gap in sequences by readers too.
    pub unpublished: u64,
    /// Panics caught at the border to the library; the callback's content is lost.
    pub panics: u64,
    /// Events of the library (not ticks) dropped because the driver's queue was full; all is then asked for again.
    pub dropped_events: u64,
    /// Logins that succeeded.
    pub logins: u64,
    /// Disconnects.
    pub disconnects: u64,
    /// Instruments carried, in any state but refused.
    pub instruments: u32,
    /// Of these, acknowledged or ticking.
    pub acknowledged: u32,
    /// Of the ticks, those flagged [`crate::TickFlags::SNAPSHOT`]: they tell nothing about whether the market moves.
    pub snapshots: u64,
    /// Requests sent again because no answer, or no tick, came in time.
    pub asked_again: u64,
    /// Logins that were refused or not answered.
    pub login_failures: u64,
    /// Calls that the library did not take.
    pub calls_refused: u64,
    /// Ticks written into the cells of the instruments of which it is the primary.
    pub cells: u64,
    /// Ticks of such instruments that have no cells: the segment is missing, or has no room for them.
    pub unwritten: u64,
}

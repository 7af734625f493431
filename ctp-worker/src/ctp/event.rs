//! What the library tells, copied out of its callbacks (pure data).

use shm_layout::{Date, InstrumentId};

use super::fields::RspError;

/// The number of a connection to the front, counted by OnFrontConnected from 1. Whatever was said over one connection
/// means nothing on the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Link(pub u64);

/// The number of a request, echoed by its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub i32);

/// One callback, but for ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CtpEvent {
    /// The connection it came over.
    pub link: Link,
    /// What happened.
    pub kind: CtpEventKind,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CtpEventKind {
    /// The front is reached.
    Connected,
    /// The front is gone; the library reconnects by itself. Also comes without a connect before it.
    Disconnected {
        /// CTP's reason, such as 0x1001.
        reason: i32,
    },
    /// Nothing came from the front for a while.
    HeartbeatWarning {
        /// Seconds since the last message, as the library says.
        lapse_s: i32,
    },
    /// The login was answered.
    LoggedIn {
        /// The request.
        request: RequestId,
        /// The trading day, or why it was refused.
        outcome: Result<Option<Date>, RspError>,
    },
    /// The front ended the session.
    LoggedOut,
    /// An error without a subject.
    Error {
        /// The request it answers; 0 when none.
        request: RequestId,
        /// The error.
        error: RspError,
    },
    /// A subscription was answered.
    Subscribed {
        /// The instrument; `None` when the answer names none.
        instrument: Option<InstrumentId>,
        /// Why not, if not.
        error: Option<RspError>,
    },
    /// An unsubscription was answered.
    Unsubscribed {
        /// The instrument; `None` when the answer names none.
        instrument: Option<InstrumentId>,
        /// Why not, if not.
        error: Option<RspError>,
    },
    /// A tick belongs to a later trading day than the login's answer named. Told once for each such day and login.
    LaterDay {
        /// The tick's trading day.
        trading_day: Date,
    },
    /// The first tick of an instrument after its subscription.
    Ticking {
        /// The instrument.
        instrument: InstrumentId,
    },
}

// === impl CtpEventKind ===

impl CtpEventKind {
    /// True for what the session depends on: it must never be lost. The rest can be asked for again.
    #[must_use]
    pub const fn is_of_session(&self) -> bool {
        matches!(
            self,
            Self::Connected | Self::Disconnected { .. } | Self::LoggedIn { .. } | Self::LoggedOut
        )
    }
}

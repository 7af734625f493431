//! Frontend and coordinator.

use serde::{Deserialize, Serialize};

use crate::{ExchangeId, InstrumentId, WorkerId};

/// What a frontend says of itself at each connect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrontendHello {
    /// Where clients reach it, `host:port`.
    pub listening_on: String,
}

/// An instrument as the frontend lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedInstrument {
    /// Its id as the exchange spells it.
    pub instrument: InstrumentId,
    /// Its exchange.
    pub exchange: ExchangeId,
}

/// Coordinator to frontend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToFrontend {
    /// A part of the list of instruments; the parts of one list begin with `first`.
    Universe {
        /// True for a list's first part: forget the list before.
        first: bool,
        /// The part.
        instruments: Vec<ListedInstrument>,
    },
    /// Say goodbye to the clients and end.
    Stop,
}

/// Frontend to coordinator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromFrontend {
    /// A change of what this frontend wants. The first after each connect has `first` set and begins anew.
    Demand {
        /// True for the first part of the whole demand: forget what this frontend wanted before.
        first: bool,
        /// Wanted from now on.
        add: Vec<InstrumentId>,
        /// No longer wanted.
        remove: Vec<InstrumentId>,
    },
    /// Counters, once a second.
    Stats(FrontendStats),
    /// How the connections compare at this reader, beside every [`FromFrontend::Stats`]; those it has seen ticks of.
    Connections(Vec<ConnectionView>),
}

/// One worker's ticks as a reader sees them beside those of the others, since the reader's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionView {
    /// The worker.
    pub worker: WorkerId,
    /// Ticks taken from the ring.
    pub ticks: u64,
    /// Ticks missing by its sequences: overwritten in the ring, or published into nothing.
    pub lost: u64,
    /// Ticks of it that were handed on and came later from another worker, too: this one won.
    pub won: u64,
    /// Ticks of it that another worker had brought before: dropped as copies.
    pub copies: u64,
    /// How far all those copies lay behind the first arrival, summed, nanoseconds by the workers' receive times.
    pub behind_ns: u64,
    /// Ticks of it dropped because a later tick of the same instrument had been handed on: an instrument's order never
    /// goes back. Nothing is lost by it where the same tick had come from another worker long before.
    pub late: u64,
    /// Ticks that another worker brought and this one, which carries the instrument, left out.
    pub missed: u64,
}

impl ConnectionView {
    /// Nothing was seen of this worker yet.
    #[must_use]
    pub const fn of(worker: WorkerId) -> Self {
        Self { worker, ticks: 0, lost: 0, won: 0, copies: 0, behind_ns: 0, late: 0, missed: 0 }
    }
}

/// A frontend's counters since its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FrontendStats {
    /// Sessions open now.
    pub sessions: u32,
    /// Sessions ever opened.
    pub sessions_opened: u64,
    /// Connections refused because the limit of sessions was reached.
    pub sessions_refused: u64,
    /// Handshakes that failed or took too long.
    pub handshakes_failed: u64,
    /// Instruments wanted by at least one session.
    pub instruments: u32,
    /// Ticks handed on by the ring's reader: the first arrival of each. What was taken from the ring, copies included, is
    /// in [`ConnectionView::ticks`].
    pub ticks: u64,
    /// Ticks lost in the ring before this reader took them, by their sequences.
    pub ring_lost: u64,
    /// Messages queued for clients (ticks only).
    pub pushed: u64,
    /// Ticks not sent one by one because a client lagged: a later one of the same instrument took their place.
    pub conflated: u64,
    /// As `conflated`, for clients that kept up: ticks came faster than this frontend could send them.
    pub overrun: u64,
    /// Clients disconnected with 1013 because they took nothing for too long.
    pub slow_disconnects: u64,
    /// Clients disconnected because they answered no ping.
    pub dead_disconnects: u64,
    /// Messages of clients answered with an error.
    pub bad_messages: u64,
    /// Bytes written to clients.
    pub bytes_sent: u64,
}

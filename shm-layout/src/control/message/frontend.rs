//! Frontend and coordinator.

use serde::{Deserialize, Serialize};

use crate::{ConnectionId, Date, ExchangeId, InstrumentId, WorkerId};

/// What a frontend says of itself at each connect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrontendHello {
    /// Where clients reach it, `host:port`.
    pub listening_on: String,
}

/// An instrument as the coordinator lists it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ListedInstrument {
    /// Its id as the exchange spells it.
    pub instrument: InstrumentId,
    /// Its exchange.
    pub exchange: ExchangeId,
    /// What else the list says of it.
    pub facts: ListedFacts,
}

/// What a list says of an instrument; `None` where it says nothing.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ListedFacts {
    /// What it is.
    pub class: Option<InstrumentClass>,
    /// Its product, such as `rb`.
    pub product: Option<Box<str>>,
    /// Its name for people.
    pub name: Option<Box<str>>,
    /// Units in one lot.
    pub volume_multiple: Option<u32>,
    /// The least step of its price.
    pub price_tick: Option<f64>,
    /// Margin of one lot, in whatever unit the list says it.
    pub margin: Option<f64>,
    /// Commission of one lot, likewise.
    pub commission: Option<f64>,
    /// Traded no longer.
    pub expired: bool,
    /// The last day on which it is traded.
    pub expire_date: Option<Date>,
    /// The month of delivery, as a number YYYYMM.
    pub delivery_month: Option<u32>,
    /// What an option is on, with or without its exchange before it.
    pub underlying: Option<Box<str>>,
    /// The price at which an option may be exercised.
    pub strike_price: Option<f64>,
    /// Whether an option is to buy or to sell.
    pub option_side: Option<OptionSide>,
    /// The most and the fewest lots of one limit order.
    pub limit_order_volume: OrderVolume,
    /// The most and the fewest lots of one market order.
    pub market_order_volume: OrderVolume,
}

/// How many lots one order may have; `None` where nobody says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OrderVolume {
    /// At most.
    pub max: Option<u32>,
    /// At least.
    pub min: Option<u32>,
}

/// What an instrument is: CTP's classes of products, and those that others know beside them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum InstrumentClass {
    /// A futures contract.
    Futures,
    /// An option, on a future or on something else.
    Options,
    /// Several contracts traded as one.
    Combination,
    /// A commodity itself.
    Spot,
    /// A future against its spot.
    Efp,
    /// An option on a spot.
    SpotOption,
    /// An index.
    Index,
    /// A product's leading contract, whichever that is.
    Continuous,
    /// A share.
    Stock,
}

/// Whether an option is to buy or to sell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum OptionSide {
    /// To buy.
    Call,
    /// To sell.
    Put,
}

/// Something about the fleet that clients may want to hear of. Each tells a state, not a change: who knows it already hears
/// nothing new.
///
/// After each hello comes [`FleetEvent::Anew`], then what is known, as it becomes known: every connection that is down *or
/// up*, the trading day, and all stale instruments followed by [`FleetEvent::StaleTold`]. So whatever a frontend has from
/// another coordinator is either said again or ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FleetEvent {
    /// All is told from the beginning. What is known of other connections than these is to be forgotten; what is known of
    /// these, and of instruments, holds until it is told otherwise.
    Anew {
        /// The connections that there are.
        connections: Vec<ConnectionId>,
    },
    /// A connection delivers nothing: its front hung up, cannot be reached or refuses the login, or its worker is gone.
    FrontDown {
        /// The connection.
        connection: ConnectionId,
        /// Why, in a sentence for a person.
        why: String,
        /// Whether it happened within a trading session; at the end of the day every front hangs up.
        in_session: bool,
    },
    /// A connection delivers.
    FrontUp {
        /// The connection.
        connection: ConnectionId,
    },
    /// A connection is configured no longer: it is neither down nor up.
    FrontRemoved {
        /// The connection.
        connection: ConnectionId,
    },
    /// Instruments that are wanted and in a trading session, and of which no connection delivers ticks. At most
    /// [`crate::limits::CONTROL_INSTRUMENTS_PER_MESSAGE_MAX`].
    Stale {
        /// The instruments.
        instruments: Vec<InstrumentId>,
    },
    /// Instruments that were stale and are no longer: they tick again, or are not due. At most as many.
    Fresh {
        /// The instruments.
        instruments: Vec<InstrumentId>,
    },
    /// All instruments that are stale now have been said since [`FleetEvent::Anew`]: others are not.
    StaleTold,
    /// The trading day that the fronts are in.
    TradingDay {
        /// The day.
        day: Date,
    },
}

/// Coordinator to frontend.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ToFrontend {
    /// A part of the list of instruments; the parts of one list begin with `first` and end with `last`. An empty list is one
    /// part that is both.
    Universe {
        /// True for a list's first part: forget the list before.
        first: bool,
        /// True for a list's last part: now it is whole.
        last: bool,
        /// The part.
        instruments: Vec<ListedInstrument>,
    },
    /// Something that clients may want to hear of.
    Event(FleetEvent),
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
    /// Of these, the ones that speak DIFF.
    pub diff_sessions: u32,
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
    /// Ticks queued for clients: messages of the `action` dialect, quotes and changes of quotes in DIFF's answers.
    pub pushed: u64,
    /// Answers to peeks of DIFF clients.
    pub answers: u64,
    /// Ticks not sent one by one because a client lagged: a later one of the same instrument took their place.
    pub conflated: u64,
    /// As `conflated`, for clients that kept up: ticks came faster than this frontend could send them.
    pub overrun: u64,
    /// Queries of DIFF clients about instruments.
    pub queries: u64,
    /// Ticks that no series keeps, because so many instruments have ticked already.
    pub unkept: u64,
    /// Events told to clients.
    pub events: u64,
    /// Events not told because the client's socket took nothing.
    pub events_left_out: u64,
    /// Clients disconnected with 1013 because they took nothing for too long.
    pub slow_disconnects: u64,
    /// Clients disconnected because they answered no ping.
    pub dead_disconnects: u64,
    /// Messages of clients answered with an error.
    pub bad_messages: u64,
    /// Bytes written to clients.
    pub bytes_sent: u64,
}

//! The contract between qamd's processes: every type, name and layout that two of them share.
//!
//! * Identifiers that cannot be wrong: [`InstrumentId`], [`ExchangeId`], [`BrokerId`], [`ConnectionId`],
//!   [`FrontAddr`], [`Instance`], [`WorkerId`], [`Incarnation`], [`Generation`].
//! * Days and their arithmetic: [`Date`], [`TradingCalendar`]; when instruments trade: [`TradingHours`].
//! * The record that travels: [`Tick`], fixed at 512 bytes.
//! * What an instrument's id says: [`instrument_shape`], [`product`].
//! * Where things live: [`FleetPaths`].
//! * The latest of every instrument in shared memory: [`depth`], all of it, and [`qamddata`], what existing C++ programs read.
//! * With the feature `ring`: `ring`, ticks through shared memory in batches, with every loss counted.
//! * With the feature `control`: `control`, the messages between the coordinator and the others.
//!
//! This crate depends on no process. Nothing here decides anything about a fleet.

mod broker_id;
mod calendar;
mod capacity_text;
pub mod cells;
pub mod clock;
mod connection_id;
#[cfg(feature = "control")]
pub mod control;
mod date;
pub mod depth;
pub mod error_text;
mod exchange_id;
mod front_addr;
mod instance;
mod instrument_id;
pub mod instrument_shape;
pub mod limits;
pub mod lock_file;
mod numbers;
mod paths;
pub mod product;
pub mod qamddata;
#[cfg(feature = "ring")]
pub mod ring;
pub mod shared_memory;
mod tick;
pub mod trading_hours;
pub mod version;

pub use broker_id::{BrokerId, BrokerIdError};
pub use calendar::{CalendarError, CalendarProblem, ShanghaiTime, TradingCalendar};
pub use connection_id::{ConnectionId, ConnectionIdError};
pub use date::{Date, DateError};
pub use exchange_id::{ExchangeId, ExchangeIdError};
pub use front_addr::{FrontAddr, FrontAddrError};
pub use instance::{Instance, InstanceError};
pub use instrument_id::{InstrumentId, InstrumentIdError, QualifiedId};
pub use numbers::{Epoch, Generation, Incarnation, WorkerId};
pub use paths::{FleetPaths, FleetPathsError};
pub use tick::{DEPTH_LEVELS, Level, NO_PRICE, NO_TIME, Source, Tick, TickFlags, price_of};
pub use trading_hours::{HoursClass, HoursFault, TradingHours, TradingSession};

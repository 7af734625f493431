//! The messages, by role and direction.

mod frontend;
mod hello;
mod operator;
mod worker;

pub use frontend::{
    ConnectionView, FleetEvent, FromFrontend, FrontendHello, FrontendStats, InstrumentClass,
    ListedFacts, ListedInstrument, OptionSide, OrderVolume, ToFrontend,
};
pub use hello::{Hello, HelloReply, Role};
pub use operator::{ConnectionWish, OperatorReply, OperatorRequest};
pub use worker::{
    Assignment, Carry, CarryRole, FromWorker, InstrumentReport, InstrumentState, SessionReport,
    SessionState, ToWorker, WorkerHello, WorkerStats,
};

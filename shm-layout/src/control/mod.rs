//! The control channel: what the coordinator, workers, frontends and operators say to each other.
//!
//! A Unix stream socket at [`crate::FleetPaths::control_socket`]; the coordinator serves. Each frame is a little-endian
//! u32 length and a bincode 2 body of at most [`crate::limits::CONTROL_FRAME_BYTES_MAX`] bytes. The first frame of a
//! client is a [`Hello`], the first answer a [`HelloReply`]; after that each side speaks when it has something to say:
//!
//! | role | says | hears |
//! |---|---|---|
//! | worker | [`FromWorker`] | [`ToWorker`] |
//! | frontend | [`FromFrontend`] | [`ToFrontend`] |
//! | operator | [`OperatorRequest`] | [`OperatorReply`] |
//!
//! State is said whole on every connection (a worker's inventory, a frontend's demand, a worker's assignment) and as
//! changes afterwards, so a coordinator that comes back needs no memory of its own. Ticks never travel here.

mod channel;
mod codec;
mod message;
mod status;

pub use channel::{ChannelError, FrameReader, FrameWriter, accept, connect};
pub use codec::CodecError;
pub use message::{
    Assignment, Carry, CarryRole, ConnectionView, ConnectionWish, FleetEvent, FromFrontend,
    FromWorker, FrontendHello, FrontendStats, Hello, HelloReply, InstrumentClass, InstrumentReport,
    InstrumentState, ListedFacts, ListedInstrument, OperatorReply, OperatorRequest, OptionSide,
    OrderVolume, Role, SessionReport, SessionState, ToFrontend, ToWorker, WorkerHello, WorkerStats,
};
pub use status::{
    FleetStatus, FrontendStatus, Quality, RefusedInstrument, Standing, WorkerProcess, WorkerStatus,
};

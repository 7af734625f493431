//! Ticks through shared memory, from every worker to every reader, in batches, with every loss counted.
//!
//! [`limits::RING_SHARDS`](crate::limits::RING_SHARDS) iceoryx2 services `qamd/ticks/<shard>` carry slices of
//! [`Tick`](crate::Tick)s. A worker publishes into one of them, a reader takes from all in turn, since receiving within one service
//! favours the first publisher that has something.
//!
//! * A slow or stopped reader never holds a worker up: its oldest samples are overwritten.
//! * That is silent in iceoryx2, so every tick carries (worker, incarnation, sequence) and the reader counts what is
//!   missing ([`Drained::lost`]).
//! * Several workers may bring the same instrument: each reader hands on the first arrival of each tick and drops the
//!   copies ([`Drained::dropped`]).
//! * A reader with nothing to do sleeps: [`WakeReader`] sets its bit in a shared mask, and a writer that sees a set bit
//!   clears it and writes a byte to that reader's pipe. A writer whose readers are all awake pays one load.
//!
//! Neither side blocks, and neither needs the coordinator.

mod loss;
mod merge;
mod node;
mod reader;
mod remains;
mod wake;
mod writer;

pub use merge::is_same_tick;
pub use node::{RingError, RingNode};
pub use reader::{Drained, TickReader, TickSource};
pub use remains::remove_remains;
pub use wake::WakeReader;
pub use writer::TickWriter;

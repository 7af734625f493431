//! The demonstration: a whole fleet on the simulated library, and a client of it that shows ticks as a person reads them.
//!
//! * [`DemoPlan`] — three brokers and a made market, or one broker and a recording.
//! * [`recording_ids`] — the instruments a recording holds.
//! * [`Viewer`] — a WebSocket client like any other, printing what it gets.
//! * [`Board`] — a tick as a line. Pure.

mod board;
mod plan;
mod recording;
mod viewer;

pub use board::{Board, Push};
pub use plan::{DemoError, DemoPlan, INSTANCE, near_contracts};
pub use recording::{RecordingError, recording_ids};
pub use viewer::{Seen, Viewer};

//! The real binary between a made-up coordinator, a made-up worker and real WebSocket clients.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test that fails says where")]

mod control;
mod copies;
mod driver;
mod handshake;
mod hostile;
mod load;
mod stage;
mod ticks;

//! The WebSocket frontend of a fleet: reads the tick ring, serves clients, tells the coordinator what they want.
//!
//! ```text
//!   ring ──ticks──▶ driver ──▶ hub ──bytes──▶ sockets
//!                     ▲  ▲                       │
//!       control channel  └──── connection tasks ◀┘ what clients send
//! ```
//! One thread does everything. One task, the [`driver`], owns all state, the [`hub`]; the others bring it inputs through
//! bounded queues: a task for each [`connection`], the [`listener`], the [`demand_client`]. The hub itself and what it is made
//! of ([`quote_book`], [`interests`], [`marks`], [`outbox`], [`session`], [`demand`], [`universe`], [`protocol`], [`backlog`],
//! [`unseen`], [`snapshot`], [`pace`]) know neither
//! tokio nor iceoryx2 nor a clock.
//!
//! * A client that keeps up gets every tick, in order. One that lags gets the latest of each instrument. One that takes
//!   nothing is disconnected. No client can hold up another.
//! * When ticks come faster than they can be sent to anybody, everybody gets the latest of each instrument ([`backlog`]), before
//!   the ring overwrites what nobody has seen.
//! * Ticks are served on while the coordinator is gone.
//! * A client sees the price of what the fleet carries already before the next tick ([`latest_ticks`]).
//! * Everything is bounded; [`limits`] says by what, and what happens there.

pub mod backlog;
pub mod bell;
pub mod catalog;
pub mod catalog_thread;
pub mod connection;
pub mod demand;
pub mod demand_client;
pub mod diff_session;
pub mod driver;
pub mod encoded;
pub mod events;
pub mod handshake;
mod hashing;
pub mod hub;
pub mod interests;
mod json_out;
pub mod latest_ticks;
pub mod limits;
pub mod listener;
pub mod marks;
pub mod outbox;
pub mod pace;
pub mod process;
pub mod protocol;
pub mod quote_book;
pub mod quote_faces;
pub mod series;
pub mod series_rows;
pub mod session;
pub mod snapshot;
pub mod universe;
pub mod unseen;
mod welcome;
pub mod world;

//! The WebSocket frontend of a fleet: reads the tick ring, serves clients, tells the coordinator what they want.
//!
//! ```text
//!   ring ──ticks──▶ driver ──▶ hub ──bytes──▶ sockets
//!                     ▲  ▲                       │
//!       control channel  └──── connection tasks ◀┘ what clients send
//! ```
//! One thread does everything but answer queries about instruments, which have one of their own ([`catalog_thread`]). One task,
//! the [`driver`], owns all state, the [`hub`]; the others bring it inputs through bounded queues: a task for each
//! [`connection`], the [`listener`], the [`demand_client`]. The hub and what it is made of know neither tokio nor iceoryx2 nor
//! a clock:
//!
//! * what is known, the [`world`]: [`quote_book`], [`universe`], [`series`], and what of it DIFF clients have, [`quote_faces`] and
//!   [`series_rows`];
//! * who wants what: [`interests`], [`demand`], [`unseen`];
//! * what a client is and what waits for it: [`session`], [`outbox`], [`marks`], [`diff_session`];
//! * what is said: [`protocol`], [`events`], [`catalog`];
//! * when: [`backlog`], [`pace`].
//!
//! * A client of the `action` dialect that keeps up gets every tick, in order; one that lags gets the latest of each instrument. A
//!   DIFF client gets what has changed whenever it asks. One that takes nothing is disconnected. No client can hold up another.
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

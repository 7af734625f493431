//! One broker's connection: loads a CTP market-data library, logs in, subscribes, normalises and publishes.
//!
//! ```text
//!   vendor's library                                    coordinator
//!        | callbacks, its own thread                        ^ |
//!        v                                                  | v
//!   [ctp::callbacks] -> [sink] -> ring             [coordinator_link]
//!                          | events                         ^ |
//!                          v                                | v
//!                    [event_queue] ----------------> [driver] -> [worker] -> [ctp::api] -> library
//!                                                            [session] + [subscriptions]
//! ```
//!
//! A tick goes from the callback into the ring on the library's own thread: [`normalize`] derives days and time, the
//! sink publishes it, and where this worker is the instrument's primary writes it into the cells ([`own_cells`]).
//! Everything else is a small event for the one task that owns the state. [`session`],
//! [`subscriptions`], [`day_roll`] and [`normalize`] are pure.
//!
//! The trading day rolls in one of three ways. Mostly the front ends the session, and the next login brings the next day.
//! Where it does not, the first tick of the next day, or the clock before the next session, leads to a login on the
//! running session (`session/renewal.rs`, [`day_roll`]). And should the front refuse that, ticks are dated all the
//! same: each by its own trading day, and those that do not say theirs by the latest day that others have said.
//!
//! What this process never does: it knows no clients; its callbacks never block, log, or allocate without bound; it
//! needs no coordinator to go on publishing; it never calls `Release`, see [`ctp::end_process`].

pub mod args;
pub mod coordinator_link;
pub mod counters;
pub mod ctp;
pub mod day_roll;
pub mod driver;
pub mod event_queue;
pub mod flow_dir;
pub mod limits;
pub mod logging;
pub mod normalize;
pub mod own_cells;
pub mod process;
pub mod retry_pace;
pub mod session;
pub mod sink;
pub mod subscriptions;
pub mod worker;

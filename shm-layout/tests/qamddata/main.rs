//! The `qamddata` segment through real Boost: made, reused, replaced, damaged, and its mutex freed.
#![expect(clippy::unwrap_used, reason = "tests")]

mod cells;
mod fuzz;
mod opening;
mod segment;
mod watch;

//! A CTP market-data library without a network: the same C++ ABI, scripted or replaying.
//!
//! * `script` and `faults` read what `QAMD_SIM` says.
//! * `engine` is the front: connections, logins, subscriptions. It is pure; time comes in as an
//!   argument and everything goes out through a trait.
//! * `market` generates ticks, `replay` reads them from a recording; both are a `feed`.
//! * `ffi` is the C++ face and the only place with `unsafe`, threads and clocks.
//!
//! Every bound is in `limits`.
#![doc = ""]
#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

mod calendar;
mod clock;
mod engine;
mod faults;
mod feed;
mod ffi;
mod hash;
mod instrument;
mod layout;
mod limits;
mod market;
mod messages;
mod pacer;
mod products;
mod replay;
mod script;
mod sessions;

//! `libqamd_reader.so`: the ring tick by tick, for programs that are not in Rust.
//!
//! The header is `shm-layout/include/qamd_reader.h`, and what it says there is what this does. [`ffi`] is the C face: it
//! checks every pointer, keeps panics in and turns errors into text. `follower` is what it stands for, in safe code:
//! the merging reader of `shm_layout::ring`, its place in the wake table, and what did not fit the caller's array.
//!
//! A guest in somebody else's program: it installs no signal handler, starts no thread and prints nothing.

pub mod ffi;
mod follower;

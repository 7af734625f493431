//! What C, C++ and Python programs rely on: layouts, the headers, the library, and Boost from 1.74 to the newest.
//!
//! Each test compiles programs with the system's compilers and compares what they see with what Rust wrote.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod boost;
mod depth_header;
mod layouts;
mod ring_library;
mod segments;
mod workshop;

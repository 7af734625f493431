//! The C++ face of the library: exported symbols, the API object, calls into the client's SPI.
//!
//! Both classes are plain Itanium objects: a pointer to a table of functions, then data. The tables
//! have no slots for destructors (`facts/ctp.md`). This folder is the only place with `unsafe`.
#![allow(unsafe_code)]

mod api;
mod callback_thread;
mod exports;
mod shared;
mod spi;
mod system;

//! The border to the vendor's library: everything that knows its binary interface, and the only `unsafe` of this crate.
//!
//! The library is C++ with plain Itanium tables of functions, so no C++ and no headers are needed: [`abi`] writes the
//! tables down, [`layout`] says which version uses which, [`fields`] reads records by offset, [`library`] loads and
//! probes, [`api`] calls, [`callbacks`] is called.
//!
//! What would crash the library is kept from it by types: a front's address is a [`shm_layout::FrontAddr`], ids are
//! [`shm_layout::InstrumentId`]s, credentials are checked by [`login_request`], the flow directory exists.
#![allow(unsafe_code)] // The vendor's library is foreign code: loading, calling and being called is unsafe by nature.

pub mod abi;
pub mod api;
pub mod callbacks;
pub mod event;
pub mod fields;
pub mod gb18030;
pub mod layout;
pub mod library;
pub mod login_request;
mod process_end;
pub mod version;

pub use process_end::end_process;

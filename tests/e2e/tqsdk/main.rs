//! Programs of the real TqSdk, unmodified from PyPI, on whole fleets of the real binaries: what they see is what the fronts
//! sent and the operator listed. Only their login is a double's.
//!
//! Without a package registry these tests say so and pass: they cannot be run there.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod contracts;
mod market;
mod notices;
mod quotes;
mod reconnect;
mod series;
mod several;

//! `qamddata`: the segment that existing C++ programs have mapped, and its instruments.
//!
//! It is a Boost.Interprocess `managed_shared_memory` with one named object, `InsMap`: a `map` from keys as `SHFE.rb2601` to
//! `Instrument`, 96 bytes. Those programs find a key once and read the fields through the pointer whenever they like, so:
//!
//! * One process, the coordinator, owns the structure ([`QamddataOwner`], feature `qamddata`). Boost itself makes the map and
//!   inserts, through a shim in C++. Nobody erases, and nodes never move.
//! * Workers write the prices in place ([`QamddataCells`]), each a store of eight bytes.
//! * What stands in the place at a start is checked by our own code, word by word, as bytes that anybody may have
//!   damaged ([`check`]); only what is sound is handed to Boost.
//!
//! Everything known of the layout is in [`layout`], found by measuring Boost 1.74 to 1.85 (which do not differ in it).

mod cells;
pub mod check;
mod key;
pub mod layout;
mod lock;
#[cfg(feature = "qamddata")]
mod owner;
#[cfg(feature = "qamddata")]
mod shim;

pub use cells::{CellsFault, QamddataCells};
pub use key::{KeyError, QamddataKey};
pub use layout::{Instrument, ProductClass};
pub use lock::{IndexLock, LockWatch, Verdict, owner_is_alive};
#[cfg(feature = "qamddata")]
pub use owner::{InsertError, OwnerError, QamddataOwner};

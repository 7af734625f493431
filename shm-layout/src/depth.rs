//! `qamd_depth`: the latest whole tick of every instrument, for anybody who may read it.
//!
//! One process, the coordinator, makes the segment and adds instruments ([`DepthOwner`]); workers write ticks
//! ([`DepthWriter`]); everybody else has it mapped read only ([`DepthReader`]). The layout is in [`layout`], and as a C
//! header in `include/qamd_depth.h`.
//!
//! **Finding.** The index is a hash table with open addressing: the word at `hash(id) & (entries - 1)`, or one of those after
//! it, holds the upper half of the hash and the slot's number plus one; a zero word ends the search. Entries are only
//! ever added, so a slot once found stays good as long as the segment.
//!
//! **Reading.** A slot has room for two ticks, and a sequence that counts the ticks written. The writer fills the room that
//! nobody is sent to and then counts on; so the room of the sequence's lowest bit holds a whole tick at any moment, and a
//! writer that dies halfway has harmed nothing. A reader copies it and looks at the sequence again: only if it is the same
//! was the copy not overtaken.

mod check;
pub mod layout;
mod opening;
mod owner;
mod reader;
mod slot;
mod writer;

pub use check::DepthFault;
pub use opening::DepthOpenError;
pub use owner::{AddError, DepthOwner, SlotFacts};
pub use reader::{DepthReader, Found};
pub use slot::SlotIndex;
pub use writer::DepthWriter;

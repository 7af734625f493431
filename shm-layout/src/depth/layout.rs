//! Where everything lies in the depth segment: offsets and sizes in bytes, all fields words of eight bytes.
//!
//! ```text
//! 0                header, one page
//! index_offset     index_entries words
//! slots_offset     slot_capacity slots of SLOT_BYTES: head (192), tick A (512), tick B (512)
//! ```

use crate::instrument_id::InstrumentId;
use crate::shared_memory::{TICK_WORDS, WORD_BYTES};

/// "qamddpth".
pub const MAGIC: u64 = u64::from_le_bytes(*b"qamddpth");
/// The version of this layout.
pub const VERSION: u64 = 1;

/// The header's fields, as offsets in bytes.
pub mod header {
    /// [`super::MAGIC`].
    pub const MAGIC: u64 = 0;
    /// [`super::VERSION`].
    pub const VERSION: u64 = 8;
    /// One of [`super::state`].
    pub const STATE: u64 = 16;
    /// [`crate::version::TICK_SCHEMA`] of the ticks.
    pub const TICK_SCHEMA: u64 = 24;
    /// Bytes of a tick.
    pub const TICK_BYTES: u64 = 32;
    /// [`super::SLOT_BYTES`].
    pub const SLOT_BYTES: u64 = 40;
    /// How many slots there is room for.
    pub const SLOT_CAPACITY: u64 = 48;
    /// Words of the index, a power of two and at least twice the slots.
    pub const INDEX_ENTRIES: u64 = 56;
    /// Where the index begins.
    pub const INDEX_OFFSET: u64 = 64;
    /// Where the slots begin.
    pub const SLOTS_OFFSET: u64 = 72;
    /// Bytes of the whole segment.
    pub const TOTAL_BYTES: u64 = 80;
    /// When it was made: nanoseconds since 1970-01-01 UTC.
    pub const CREATED_NS: u64 = 88;
    /// Slots in use: those before it are complete.
    pub const SLOTS_USED: u64 = 96;
    /// The inode of the `qamddata` segment that the slots' [`super::slot::CELLS`] lie in; 0 when there is none.
    pub const QAMDDATA_INODE: u64 = 104;
    /// The coordinator's process id.
    pub const OWNER_PID: u64 = 112;
    /// When the coordinator last said that it lives: nanoseconds since 1970-01-01 UTC.
    pub const OWNER_SEEN_NS: u64 = 120;
    /// The `qamddata` segment's name in `/dev/shm`, zero-padded; empty when there is none.
    pub const QAMDDATA_NAME: u64 = 256;
    /// Bytes of that name.
    pub const QAMDDATA_NAME_BYTES: usize = 128;
}

/// What the header's state says.
pub mod state {
    /// Being made; nothing else in it holds yet.
    pub const NOT_READY: u64 = 0;
    /// In use.
    pub const READY: u64 = 1;
    /// Another one has taken its place: open the name again.
    pub const RETIRED: u64 = 2;
}

/// A slot's fields, as offsets in bytes from its beginning.
pub mod slot {
    /// Counts the ticks written; 0 before the first.
    pub const SEQUENCE: u64 = 0;
    /// Where the instrument's fields (96 bytes) lie in `qamddata`; 0 when they do not.
    pub const CELLS: u64 = 8;
    /// The exchange, zero-padded; empty when unknown.
    pub const EXCHANGE: u64 = 16;
    /// The instrument's id, zero-padded, 80 bytes.
    pub const INSTRUMENT: u64 = 24;
    /// Units in one lot; 0 when unknown.
    pub const VOLUME_MULTIPLE: u64 = 104;
    /// The least step of the price, a double; NaN when unknown.
    pub const PRICE_TICK: u64 = 112;
    /// The product's class as in `qamddata`; 0 when unknown.
    pub const PRODUCT_CLASS: u64 = 120;
    /// Since when the instrument has been assigned to some worker: nanoseconds since 1970-01-01 UTC; 0 while it is not, and
    /// what the slot holds is old.
    pub const CARRIED_SINCE: u64 = 128;
    /// The room of ticks with an even sequence.
    pub const TICK_EVEN: u64 = 192;
    /// The room of ticks with an odd one.
    pub const TICK_ODD: u64 = 704;
}

/// Bytes of the header.
pub const HEADER_BYTES: u64 = 4096;
/// Bytes of a slot.
pub const SLOT_BYTES: u64 = 1216;

/// Slots of the smallest segment: room for what is learned during the day.
pub const SLOT_CAPACITY_MIN: usize = 1 << 16;

/// The sizes of a segment: a function of how many slots it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Slots there is room for.
    pub slot_capacity: u64,
    /// Words of the index.
    pub index_entries: u64,
    /// Where the slots begin.
    pub slots_offset: u64,
    /// Bytes of all.
    pub total_bytes: u64,
}

// === impl Sizes ===

impl Sizes {
    /// The sizes for at least so many slots; twice as many as are known at the start, since more are learned later.
    #[must_use]
    pub const fn for_slots(known: usize) -> Self {
        let least = if known * 2 > SLOT_CAPACITY_MIN { known * 2 } else { SLOT_CAPACITY_MIN };
        let slot_capacity = least.next_power_of_two() as u64;
        let index_entries = slot_capacity * 2;
        let slots_offset = HEADER_BYTES + index_entries * WORD_BYTES as u64;
        let total_bytes = slots_offset + slot_capacity * SLOT_BYTES;
        Self { slot_capacity, index_entries, slots_offset, total_bytes }
    }

    /// Where a slot begins.
    #[must_use]
    pub const fn slot_offset(&self, slot: u64) -> u64 {
        self.slots_offset + slot * SLOT_BYTES
    }
}

/// FNV-1a over an id's bytes without padding, 64 bits.
#[must_use]
pub const fn hash(id: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut index = 0;
    while index < id.len() {
        hash = (hash ^ id[index] as u64).wrapping_mul(0x0000_0100_0000_01b3);
        index += 1;
    }
    hash
}

/// The index's word for a slot: the upper half of the hash, and the slot's number plus one.
#[must_use]
pub const fn index_word(hash: u64, slot: u64) -> u64 {
    (hash & 0xffff_ffff_0000_0000) | (slot + 1)
}

const _: () = {
    assert!(slot::INSTRUMENT + InstrumentId::CAPACITY as u64 == slot::VOLUME_MULTIPLE);
    assert!(slot::TICK_EVEN + (TICK_WORDS * WORD_BYTES) as u64 == slot::TICK_ODD);
    assert!(slot::TICK_ODD + (TICK_WORDS * WORD_BYTES) as u64 == SLOT_BYTES);
    // The rooms begin at cache lines, and slots share none.
    assert!(SLOT_BYTES.is_multiple_of(64) && slot::TICK_EVEN.is_multiple_of(64));
    assert!(header::QAMDDATA_NAME + header::QAMDDATA_NAME_BYTES as u64 <= HEADER_BYTES);
    assert!(Sizes::for_slots(0).slots_offset.is_multiple_of(64));
};

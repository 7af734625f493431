//! Where everything lies in the `qamddata` segment: offsets in bytes from the beginning of the file.
//!
//! Measured in segments that Boost 1.74, 1.81 and 1.85 made; `tests/abi` compares it with what programs compiled against
//! each of them print. An `offset_ptr` holds the distance from itself to what it points at; 1 is null. A tree's node holds
//! parent, left and right; the parent's bit 1 is the colour (set is black) and no part of the distance. A tree's header is
//! a node too: the root, the first and the last.

use std::mem::offset_of;

/// Bytes of the file, as those programs expect it.
pub const SEGMENT_BYTES: u64 = 32 << 20;
/// Boost's unit of allocation.
pub const UNIT: u64 = 16;

/// Status of the segment, 32 bits.
pub const STATUS: u64 = 0;
/// What it is when the segment is complete.
pub const STATUS_INITIALISED: u32 = 2;
/// The segment manager: the allocator, then the index of named objects.
pub const MANAGER: u64 = 16;

/// The allocator's mutex, a `pthread_mutex_t`.
pub const ALLOCATOR_MUTEX: u64 = 16;
/// How many blocks are free.
pub const FREE_COUNT: u64 = 56;
/// The header of the tree of free blocks, by size; sizes may repeat.
pub const FREE_TREE: u64 = 64;
/// Extra bytes behind the allocator, before the first block.
pub const EXTRA_BYTES: u64 = 88;
/// What they are.
pub const EXTRA_BYTES_EXPECTED: u64 = 104;
/// Bytes of all allocated blocks.
pub const ALLOCATED: u64 = 96;
/// Bytes of the segment manager's memory: the file but for [`MANAGER`].
pub const SIZE: u64 = 104;

/// The mutex of the index of objects, recursive; `find` takes it.
pub const INDEX_MUTEX: u64 = 112;
/// How many named objects there are.
pub const NAMED_COUNT: u64 = 152;
/// The header of their tree, by name.
pub const NAMED_TREE: u64 = 160;
/// How many unique instances there are.
pub const UNIQUE_COUNT: u64 = 184;
/// The header of their tree.
pub const UNIQUE_TREE: u64 = 192;

/// The first block.
pub const FIRST_BLOCK: u64 = 224;

/// Fields of a `pthread_mutex_t`, from its beginning: each 32 bits.
pub mod mutex {
    /// 0 is free, 1 locked, 2 locked with somebody waiting.
    pub const LOCK: u64 = 0;
    /// How often its holder has it.
    pub const COUNT: u64 = 4;
    /// The holder's thread id.
    pub const OWNER: u64 = 8;
    /// How many use it.
    pub const USERS: u64 = 12;
    /// Its kind: [`KIND_SHARED`], [`KIND_RECURSIVE`], [`KIND_ROBUST`].
    pub const KIND: u64 = 16;
    /// Shared between processes.
    pub const KIND_SHARED: u32 = 0x80;
    /// May be locked again by its holder.
    pub const KIND_RECURSIVE: u32 = 0x01;
    /// Says when its holder has died: made so by Boost 1.78 and later.
    pub const KIND_ROBUST: u32 = 0x10;
}

/// Fields of a block, from its beginning.
pub mod block {
    /// The units of the block before it, when that one is free; else its last bytes.
    pub const PREVIOUS_UNITS: u64 = 0;
    /// Its own units in the lower 62 bits, [`PREVIOUS_ALLOCATED`] and [`ALLOCATED`].
    pub const UNITS: u64 = 8;
    /// The block before it is allocated.
    pub const PREVIOUS_ALLOCATED: u64 = 1 << 62;
    /// It is allocated.
    pub const ALLOCATED: u64 = 1 << 63;
    /// What it holds, or its node in the tree of free blocks.
    pub const PAYLOAD: u64 = 16;
}

/// Fields of a tree's node.
pub mod node {
    /// The parent, and in bit 1 the colour.
    pub const PARENT: u64 = 0;
    /// The left child; a header's: the first node.
    pub const LEFT: u64 = 8;
    /// The right child; a header's: the last node.
    pub const RIGHT: u64 = 16;
    /// The colour's bit in the parent: set is black.
    pub const BLACK: u64 = 2;
    /// The null pointer.
    pub const NULL: u64 = 1;
}

/// A named object, from the payload of its block.
pub mod named {
    /// Its node in the index.
    pub const NODE: u64 = 0;
    /// Bytes of the object.
    pub const VALUE_BYTES: u64 = 24;
    /// Characters of the name in 16 bits, the object's alignment in 8, and in 8 the kind of allocation and the size of a
    /// character.
    pub const ABOUT: u64 = 32;
    /// The kind "named" with characters of one byte.
    pub const ABOUT_NAMED: u64 = 0x21;
    /// The object; the name follows, ended by a zero.
    pub const VALUE: u64 = 40;
}

/// The object `InsMap`.
pub mod map {
    /// Its name.
    pub const NAME: &[u8] = b"InsMap";
    /// Its bytes.
    pub const BYTES: u64 = 40;
    /// Where it points at the segment manager.
    pub const ALLOCATOR: u64 = 0;
    /// How many nodes it has.
    pub const COUNT: u64 = 8;
    /// Its tree's header.
    pub const TREE: u64 = 16;
}

/// A node of `InsMap`, from the payload of its block.
pub mod entry {
    /// The key, 64 bytes, zero-padded.
    pub const KEY: u64 = 24;
    /// Bytes of the key.
    pub const KEY_BYTES: usize = 64;
    /// The instrument, [`super::Instrument`].
    pub const INSTRUMENT: u64 = 88;
    /// Bytes of all.
    pub const BYTES: u64 = 184;
    /// Units of its block: 192 bytes.
    pub const UNITS: u64 = 12;
}

/// An instrument, as those programs read it.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Instrument {
    /// Traded no longer: 1, else 0.
    pub expired: u8,
    /// Zero.
    pub padding: [u8; 7],
    /// Bits, see [`ProductClass`]; 0 when unknown.
    pub product_class: i64,
    /// Units in one lot; 0 when unknown.
    pub volume_multiple: i64,
    /// Margin of one lot, as the instruments file says; NaN when it does not.
    pub margin: f64,
    /// Commission of one lot, as the instruments file says; NaN when it does not.
    pub commission: f64,
    /// The least step of the price; NaN when unknown.
    pub price_tick: f64,
    /// Last price; NaN when unknown, as all prices.
    pub last_price: f64,
    /// Settlement price of the trading day before.
    pub pre_settlement: f64,
    /// Upper price limit.
    pub upper_limit: f64,
    /// Lower price limit.
    pub lower_limit: f64,
    /// Best ask price.
    pub ask_price1: f64,
    /// Best bid price.
    pub bid_price1: f64,
}

const _: () = {
    assert!(size_of::<Instrument>() == 96);
    assert!(offset_of!(Instrument, product_class) == 8);
    assert!(offset_of!(Instrument, volume_multiple) == 16);
    assert!(offset_of!(Instrument, margin) == 24);
    assert!(offset_of!(Instrument, commission) == 32);
    assert!(offset_of!(Instrument, price_tick) == 40);
    assert!(offset_of!(Instrument, last_price) == 48);
    assert!(offset_of!(Instrument, pre_settlement) == 56);
    assert!(offset_of!(Instrument, upper_limit) == 64);
    assert!(offset_of!(Instrument, lower_limit) == 72);
    assert!(offset_of!(Instrument, ask_price1) == 80);
    assert!(offset_of!(Instrument, bid_price1) == 88);
    assert!(entry::KEY + entry::KEY_BYTES as u64 == entry::INSTRUMENT);
    assert!(entry::INSTRUMENT + size_of::<Instrument>() as u64 == entry::BYTES);
    assert!(entry::UNITS * UNIT == (entry::BYTES + block::UNITS).next_multiple_of(UNIT));
};

// === impl Instrument ===

impl Instrument {
    /// An instrument of which nothing is known.
    pub const UNKNOWN: Self = Self {
        expired: 0,
        padding: [0; 7],
        product_class: 0,
        volume_multiple: 0,
        margin: f64::NAN,
        commission: f64::NAN,
        price_tick: f64::NAN,
        last_price: f64::NAN,
        pre_settlement: f64::NAN,
        upper_limit: f64::NAN,
        lower_limit: f64::NAN,
        ask_price1: f64::NAN,
        bid_price1: f64::NAN,
    };
}

/// What kind of product an instrument is: bits as those programs know them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProductClass(pub i64);

// === impl ProductClass ===

impl ProductClass {
    /// Unknown.
    pub const UNKNOWN: Self = Self(0);
    /// Futures.
    pub const FUTURES: Self = Self(1);
    /// Options on something else than futures.
    pub const OPTIONS: Self = Self(2);
    /// Combinations.
    pub const COMBINATION: Self = Self(4);
    /// Options on futures.
    pub const OPTION_ON_FUTURE: Self = Self(8);
    /// Indices.
    pub const INDEX: Self = Self(16);
    /// Continuous contracts.
    pub const CONTINUOUS: Self = Self(32);
    /// Stocks and other things bought at once.
    pub const STOCK: Self = Self(64);
}

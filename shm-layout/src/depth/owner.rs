//! The coordinator's end: makes the segment or takes it over, and adds instruments.

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use super::check::{DepthFault, check_whole, find, instrument_of};
use super::layout::{
    HEADER_BYTES, MAGIC, SLOT_BYTES, Sizes, VERSION, hash, header, index_word, slot, state,
};
use super::slot::SlotIndex;
use crate::capacity_text::trimmed;
use crate::clock;
use crate::exchange_id::ExchangeId;
use crate::instrument_id::InstrumentId;
use crate::shared_memory::{
    Opening, Place, PlaceError, ReadWrite, Sharing, TICK_WORDS, WORD_BYTES, Words, reserve,
    words_of_bytes,
};
use crate::version::TICK_SCHEMA;

/// What is known of an instrument apart from its ticks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SlotFacts {
    /// Where it is traded; unknown when empty.
    pub exchange: ExchangeId,
    /// Units in one lot; 0 when unknown.
    pub volume_multiple: u64,
    /// The least step of its price; NaN when unknown.
    pub price_tick: f64,
    /// Its product's class as in `qamddata`; 0 when unknown.
    pub product_class: u64,
}

/// Why an instrument could not be added.
#[derive(Debug, thiserror::Error)]
pub enum AddError {
    /// Every slot is taken.
    #[error(
        "all {0} slots of the depth segment are taken; the next start leaves instruments of the past behind"
    )]
    Full(u64),
    /// Shared memory is full.
    #[error("shared memory has no room for more instruments in the depth segment")]
    NoMemory(#[source] io::Error),
}

/// The depth segment, owned.
#[derive(Debug)]
pub struct DepthOwner {
    memory: ReadWrite,
    file: File,
    sizes: Sizes,
    used: u64,
    /// Slots that certainly have memory.
    reserved: u64,
}

/// Slots that get memory at a time.
const RESERVED_AT_ONCE: u64 = 256;

// === impl DepthOwner ===

impl DepthOwner {
    /// Takes over the segment that stands in a place, or makes one with room for `known` instruments and more. The caller is
    /// the only one who may: it holds the fleet's claim.
    ///
    /// # Errors
    /// [`PlaceError`].
    pub fn open(
        place: &Place,
        known: usize,
        sharing: Sharing,
    ) -> Result<(Self, Opening), PlaceError> {
        let take_over = |file: &File| Self::take_over(file, known);
        place.occupy(sharing, take_over, || Self::make(place, known, sharing))
    }

    fn take_over(file: &File, known: usize) -> Result<Self, String> {
        let failed = |error: io::Error| error.to_string();
        let memory = ReadWrite::map(file).map_err(failed)?;
        let found = check_whole(&memory).map_err(|fault: DepthFault| fault.to_string());
        let found = found.and_then(|(sizes, used)| {
            let wanted = Sizes::for_slots(known).slot_capacity;
            let capacity = sizes.slot_capacity;
            let small = || format!("it has {capacity} slots, and {wanted} are wanted");
            // Instruments are never removed, so contracts that have expired fill it in the course of months.
            if used > capacity / 4 * 3 {
                return Err(format!(
                    "{used} of its {capacity} slots are used, many by instruments of the past"
                ));
            }
            (sizes.slot_capacity >= wanted).then_some((sizes, used)).ok_or_else(small)
        });
        let (sizes, used) = match found {
            Ok(sizes) => sizes,
            Err(why) => {
                retire(&memory);
                return Err(why);
            }
        };
        // It may have come here by a copy that left holes.
        reserve(file, 0, sizes.slot_offset(used)).map_err(failed)?;
        let owner =
            Self { memory, file: file.try_clone().map_err(failed)?, sizes, used, reserved: used };
        owner.field(header::SLOTS_USED).store(used, Ordering::Release);
        owner.field(header::OWNER_PID).store(u64::from(std::process::id()), Ordering::Relaxed);
        owner.seen(clock::unix_ns());
        Ok(owner)
    }

    fn make(place: &Place, known: usize, sharing: Sharing) -> Result<Self, PlaceError> {
        let sizes = Sizes::for_slots(known);
        let aside = place.make_aside(sizes.total_bytes, sizes.slot_offset(known as u64))?;
        let memory =
            ReadWrite::map(aside.file()).map_err(|error| place.failed("mapping", error))?;
        let field = |offset: u64| &memory.words()[offset as usize / WORD_BYTES];
        let now = clock::unix_ns();
        for (offset, value) in [
            (header::MAGIC, MAGIC),
            (header::VERSION, VERSION),
            (header::TICK_SCHEMA, u64::from(TICK_SCHEMA)),
            (header::TICK_BYTES, (TICK_WORDS * WORD_BYTES) as u64),
            (header::SLOT_BYTES, SLOT_BYTES),
            (header::SLOT_CAPACITY, sizes.slot_capacity),
            (header::INDEX_ENTRIES, sizes.index_entries),
            (header::INDEX_OFFSET, HEADER_BYTES),
            (header::SLOTS_OFFSET, sizes.slots_offset),
            (header::TOTAL_BYTES, sizes.total_bytes),
            (header::CREATED_NS, now.cast_unsigned()),
            (header::OWNER_PID, u64::from(std::process::id())),
            (header::OWNER_SEEN_NS, now.cast_unsigned()),
        ] {
            field(offset).store(value, Ordering::Relaxed);
        }
        field(header::STATE).store(state::READY, Ordering::Release);
        let file = aside.settle(sharing)?;
        Ok(Self { memory, file, sizes, used: 0, reserved: known as u64 })
    }

    /// How many instruments there are.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.used
    }

    /// True when there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// Device and inode of the file.
    #[must_use]
    pub const fn identity(&self) -> (u64, u64) {
        self.memory.identity()
    }

    /// How many more there is room for.
    #[must_use]
    pub const fn room(&self) -> u64 {
        self.sizes.slot_capacity - self.used
    }

    /// The instrument of a slot.
    #[must_use]
    pub fn instrument(&self, slot: SlotIndex) -> Option<InstrumentId> {
        instrument_of(&self.memory, &self.sizes, slot)
    }

    /// Where in `qamddata` a slot's instrument was said to have its fields; 0 for nowhere.
    #[must_use]
    pub fn cells(&self, slot: SlotIndex) -> u64 {
        self.slot_field(slot, slot::CELLS).load(Ordering::Relaxed)
    }

    /// The slot of an instrument.
    #[must_use]
    pub fn find(&self, id: &InstrumentId) -> Option<SlotIndex> {
        find(&self.memory, &self.sizes, id)
    }

    /// Adds an instrument, or corrects what is known of one that is there.
    ///
    /// # Errors
    /// [`AddError`]; nothing is changed then.
    pub fn add(&mut self, id: &InstrumentId, facts: &SlotFacts) -> Result<SlotIndex, AddError> {
        if let Some(slot) = self.find(id) {
            self.write_facts(slot, facts);
            return Ok(slot);
        }
        if self.used == self.sizes.slot_capacity {
            return Err(AddError::Full(self.sizes.slot_capacity));
        }
        if self.used >= self.reserved {
            let slots = RESERVED_AT_ONCE.min(self.sizes.slot_capacity - self.used);
            let from = self.sizes.slot_offset(self.used);
            reserve(&self.file, from, slots * SLOT_BYTES).map_err(AddError::NoMemory)?;
            self.reserved = self.used + slots;
        }
        let number = self.used;
        let added = SlotIndex(u32::try_from(number).unwrap_or(u32::MAX));
        let id_at = self.sizes.slot_offset(number) + slot::INSTRUMENT;
        self.write_bytes(id_at, id.padded());
        self.write_facts(added, facts);
        let hash = hash(trimmed(id.padded()));
        let free = (0..self.sizes.index_entries)
            .map(|probe| {
                let entry = hash.wrapping_add(probe) & (self.sizes.index_entries - 1);
                self.field(HEADER_BYTES + entry * WORD_BYTES as u64)
            })
            .find(|entry| entry.load(Ordering::Relaxed) == 0);
        // The index has twice as many words as there are slots.
        let Some(free) = free else { return Err(AddError::Full(self.sizes.slot_capacity)) };
        // SYNC POINT with `check::find`. An owner that dies behind it has added the instrument; the next one counts it.
        free.store(index_word(hash, number), Ordering::Release);
        self.field(header::SLOTS_USED).store(number + 1, Ordering::Release);
        self.used = number + 1;
        Ok(added)
    }

    /// Says where in `qamddata` an instrument's fields lie; 0 for nowhere.
    pub fn set_cells(&self, slot: SlotIndex, offset: u64) {
        self.slot_field(slot, slot::CELLS).store(offset, Ordering::Release);
    }

    /// Says since when the fleet has carried an instrument: nanoseconds since 1970-01-01 UTC; 0 that it does not.
    pub fn set_carried(&self, slot: SlotIndex, since_unix_ns: i64) {
        let since = since_unix_ns.cast_unsigned();
        self.slot_field(slot, slot::CARRIED_SINCE).store(since, Ordering::Release);
    }

    /// True when an instrument was said to be carried.
    #[must_use]
    pub fn is_carried(&self, slot: SlotIndex) -> bool {
        self.slot_field(slot, slot::CARRIED_SINCE).load(Ordering::Relaxed) != 0
    }

    /// Says which `qamddata` segment the slots' cells lie in, by name and inode; an empty name and 0 for none. Where that
    /// changes, every slot's cells are taken back first.
    pub fn set_qamddata(&self, name: &str, inode: u64) {
        if self.field(header::QAMDDATA_INODE).load(Ordering::Relaxed) != inode {
            self.field(header::QAMDDATA_INODE).store(0, Ordering::Release);
            for slot in 0..u32::try_from(self.used).unwrap_or(u32::MAX) {
                self.set_cells(SlotIndex(slot), 0);
            }
        }
        let mut bytes = [0; header::QAMDDATA_NAME_BYTES];
        // One byte stays zero, so that it is a text in C.
        let name = &name.as_bytes()[..name.len().min(bytes.len() - 1)];
        bytes[..name.len()].copy_from_slice(name);
        self.write_bytes(header::QAMDDATA_NAME, &bytes);
        self.field(header::QAMDDATA_INODE).store(inode, Ordering::Release);
    }

    /// Says that the owner lives: at nanoseconds since 1970-01-01 UTC.
    pub fn seen(&self, unix_ns: i64) {
        self.field(header::OWNER_SEEN_NS).store(unix_ns.cast_unsigned(), Ordering::Relaxed);
    }

    fn write_facts(&self, slot: SlotIndex, facts: &SlotFacts) {
        for (offset, value) in [
            (slot::EXCHANGE, u64::from_le_bytes(*facts.exchange.padded())),
            (slot::VOLUME_MULTIPLE, facts.volume_multiple),
            (slot::PRICE_TICK, facts.price_tick.to_bits()),
            (slot::PRODUCT_CLASS, facts.product_class),
        ] {
            self.slot_field(slot, offset).store(value, Ordering::Relaxed);
        }
    }

    fn write_bytes(&self, from: u64, bytes: &[u8]) {
        for (offset, word) in (from..).step_by(WORD_BYTES).zip(words_of_bytes(bytes)) {
            self.field(offset).store(word, Ordering::Relaxed);
        }
    }

    fn field(&self, offset: u64) -> &AtomicU64 {
        &self.memory.words()[offset as usize / WORD_BYTES]
    }

    fn slot_field(&self, slot: SlotIndex, offset: u64) -> &AtomicU64 {
        self.field(self.sizes.slot_offset(u64::from(slot.0)) + offset)
    }
}

/// Tells whoever has it mapped that another one takes its place.
fn retire(memory: &ReadWrite) {
    let words = memory.words();
    let is_ours = memory.at(header::MAGIC) == Some(MAGIC);
    if let Some(word) = words.get(header::STATE as usize / WORD_BYTES).filter(|_| is_ours) {
        word.store(state::RETIRED, Ordering::Release);
    }
}

//! A worker's end of the depth segment: writing the ticks of the instruments that are its own.

use std::sync::atomic::{AtomicU64, Ordering};

use super::check::{find, qamddata_of};
use super::layout::{Sizes, slot};
use super::opening::{DepthOpenError, map};
use super::slot::{Content, SLOT_WORDS, SlotIndex, read, write};
use crate::instrument_id::InstrumentId;
use crate::shared_memory::{Place, ReadWrite, WORD_BYTES};
use crate::tick::Tick;

/// The depth segment, mapped for writing ticks into slots.
#[derive(Debug)]
pub struct DepthWriter {
    memory: ReadWrite,
    sizes: Sizes,
}

// === impl DepthWriter ===

impl DepthWriter {
    /// Opens the segment in a place.
    ///
    /// # Errors
    /// [`DepthOpenError`].
    pub fn open(place: &Place) -> Result<Self, DepthOpenError> {
        let (memory, sizes) = map(place, place.open_write(), ReadWrite::map)?;
        Ok(Self { memory, sizes })
    }

    /// Device and inode of the file.
    #[must_use]
    pub const fn identity(&self) -> (u64, u64) {
        self.memory.identity()
    }

    /// The slot of an instrument.
    #[must_use]
    pub fn find(&self, id: &InstrumentId) -> Option<SlotIndex> {
        find(&self.memory, &self.sizes, id)
    }

    /// Writes a slot's latest tick. One process at a time writes a slot: the worker that is the instrument's primary.
    pub fn write(&self, slot: SlotIndex, tick: &Tick) {
        if let Some(words) = self.words_of(slot) {
            write(words, tick);
        }
    }

    /// The tick that a slot holds.
    #[must_use]
    pub fn latest(&self, slot: SlotIndex) -> Option<Tick> {
        match read(&self.memory, self.at(slot)) {
            Content::Latest(tick) => Some(tick),
            Content::Nothing | Content::Busy => None,
        }
    }

    /// Where in `qamddata` a slot's instrument has its fields; 0 for nowhere.
    #[must_use]
    pub fn cells(&self, slot: SlotIndex) -> u64 {
        self.words_of(slot)
            .map_or(0, |words| words[slot::CELLS as usize / WORD_BYTES].load(Ordering::Acquire))
    }

    /// The `qamddata` segment that belongs to it: its name and inode.
    #[must_use]
    pub fn qamddata(&self) -> Option<(String, u64)> {
        qamddata_of(&self.memory)
    }

    fn at(&self, slot: SlotIndex) -> usize {
        self.sizes.slot_offset(u64::from(slot.0)) as usize / WORD_BYTES
    }

    fn words_of(&self, slot: SlotIndex) -> Option<&[AtomicU64; SLOT_WORDS]> {
        let at = self.at(slot);
        self.memory.words().get(at..at + SLOT_WORDS)?.try_into().ok()
    }
}

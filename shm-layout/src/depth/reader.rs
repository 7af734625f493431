//! Reading the depth segment, as anybody may who may open the file.

use super::check::{find, instrument_of, qamddata_name_of, qamddata_of};
use super::layout::{Sizes, header, slot, state};
use super::opening::{DepthOpenError, map};
use super::slot::{Content, SlotIndex, read};
use crate::capacity_text::trimmed;
use crate::exchange_id::ExchangeId;
use crate::instrument_id::InstrumentId;
use crate::shared_memory::{Place, ReadOnly, WORD_BYTES, Words};
use crate::tick::Tick;

/// What a slot says.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// No tick yet.
    Nothing,
    /// The latest tick.
    Latest(Box<Tick>),
    /// The writer overtook every attempt; try again.
    Busy,
}

/// What a slot's head says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SlotHead {
    /// The instrument.
    pub instrument: InstrumentId,
    /// Its exchange; empty when unknown.
    pub exchange: ExchangeId,
    /// Ticks written.
    pub ticks: u64,
    /// Where in `qamddata` its fields lie.
    pub cells: Option<u64>,
    /// Since when the fleet has carried it: nanoseconds since 1970-01-01 UTC. `None` while it does not.
    pub carried_since_ns: Option<i64>,
}

/// The depth segment, mapped for reading.
#[derive(Debug)]
pub struct DepthReader {
    memory: ReadOnly,
    sizes: Sizes,
    place: Place,
}

// === impl DepthReader ===

impl DepthReader {
    /// Opens the segment in a place.
    ///
    /// # Errors
    /// [`DepthOpenError`]; `NotReady` passes when the fleet starts.
    pub fn open(place: &Place) -> Result<Self, DepthOpenError> {
        let (memory, sizes) = map(place, place.open_read(), ReadOnly::map)?;
        Ok(Self { memory, sizes, place: place.clone() })
    }

    /// True as long as the place still holds this very segment; if not, it is to be opened anew.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.memory.at(header::STATE) == Some(state::READY)
            && self.place.identity() == Some(self.memory.identity())
    }

    /// The slot of an instrument.
    #[must_use]
    pub fn find(&self, id: &InstrumentId) -> Option<SlotIndex> {
        find(&self.memory, &self.sizes, id)
    }

    /// The latest tick in a slot.
    #[must_use]
    pub fn read(&self, slot: SlotIndex) -> Found {
        match read(&self.memory, self.offset(slot) as usize / WORD_BYTES) {
            Content::Nothing => Found::Nothing,
            Content::Latest(tick) => Found::Latest(Box::new(tick)),
            Content::Busy => Found::Busy,
        }
    }

    /// How many instruments there are.
    #[must_use]
    pub fn len(&self) -> u32 {
        let used = self.memory.at(header::SLOTS_USED).unwrap_or_default();
        u32::try_from(used.min(self.sizes.slot_capacity)).unwrap_or(u32::MAX)
    }

    /// True when there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many there is room for.
    #[must_use]
    pub const fn capacity(&self) -> u64 {
        self.sizes.slot_capacity
    }

    /// What a slot's head says; `None` when it holds no instrument.
    #[must_use]
    pub fn head(&self, slot: SlotIndex) -> Option<SlotHead> {
        let at = self.offset(slot);
        let exchange = self.memory.bytes_at::<8>(at + slot::EXCHANGE)?;
        Some(SlotHead {
            instrument: instrument_of(&self.memory, &self.sizes, slot)?,
            exchange: ExchangeId::from_bytes(trimmed(&exchange)).unwrap_or_default(),
            ticks: self.memory.at(at + slot::SEQUENCE)?,
            cells: self.memory.at(at + slot::CELLS).filter(|offset| *offset != 0),
            carried_since_ns: self
                .memory
                .at(at + slot::CARRIED_SINCE)
                .filter(|since| *since != 0)
                .map(u64::cast_signed),
        })
    }

    /// The process that owns the structure, or did last, and when it last said so: nanoseconds since 1970-01-01 UTC.
    #[must_use]
    pub fn owner(&self) -> (u64, i64) {
        let field = |offset| self.memory.at(offset).unwrap_or_default();
        (field(header::OWNER_PID), field(header::OWNER_SEEN_NS).cast_signed())
    }

    /// The name of the `qamddata` segment that belongs to it, when there is one.
    #[must_use]
    pub fn qamddata_name(&self) -> Option<String> {
        qamddata_name_of(&self.memory)
    }

    /// The `qamddata` segment that workers write beside it, when there is one: its name and inode.
    #[must_use]
    pub fn qamddata(&self) -> Option<(String, u64)> {
        qamddata_of(&self.memory)
    }

    fn offset(&self, slot: SlotIndex) -> u64 {
        self.sizes.slot_offset(u64::from(slot.0))
    }
}

//! Whether a file is a depth segment of this version, whole and consistent (pure).

use super::layout::{
    HEADER_BYTES, MAGIC, SLOT_BYTES, Sizes, VERSION, hash, header, index_word, slot, state,
};
use super::slot::SlotIndex;
use crate::capacity_text::{text, trimmed};
use crate::instrument_id::InstrumentId;
use crate::shared_memory::{TICK_WORDS, WORD_BYTES, Words};
use crate::version::TICK_SCHEMA;

/// Why a file is no depth segment that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DepthFault {
    /// It is being made, or was left half made.
    #[error("it is not ready")]
    NotReady,
    /// Another has taken its place.
    #[error("another one has taken its place")]
    Retired,
    /// It is shorter or longer than it says.
    #[error("it has {found} bytes where it should have {expected}")]
    Length {
        /// Bytes there are.
        found: u64,
        /// Bytes there should be.
        expected: u64,
    },
    /// It is something else, or another version's.
    #[error("its {field} is {found:#x} where this version has {expected:#x}")]
    Foreign {
        /// The header's field.
        field: &'static str,
        /// What it holds.
        found: u64,
        /// What it should hold.
        expected: u64,
    },
    /// A slot holds no instrument, or cannot be found.
    #[error("slot {slot} {what}")]
    Slot {
        /// Its number.
        slot: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// More index entries than slots.
    #[error("its index has {found} entries for {expected} slots")]
    Index {
        /// Entries there are.
        found: u64,
        /// Slots in use.
        expected: u64,
    },
}

/// Checks what a reader relies on: the header. Gives the sizes.
///
/// # Errors
/// [`DepthFault`].
pub(super) fn check_header<W: Words + ?Sized>(words: &W) -> Result<Sizes, DepthFault> {
    let found = words.len() as u64 * WORD_BYTES as u64;
    let length = |expected| DepthFault::Length { found, expected };
    if found < HEADER_BYTES {
        return Err(length(HEADER_BYTES));
    }
    let field = |offset| words.at(offset).unwrap_or_default();
    let must = |name, offset, expected| {
        let found = field(offset);
        let foreign = DepthFault::Foreign { field: name, found, expected };
        (found == expected).then_some(()).ok_or(foreign)
    };
    // One that is being made is all zeros but for what was written so far.
    if field(header::MAGIC) == 0 && field(header::STATE) == state::NOT_READY {
        return Err(DepthFault::NotReady);
    }
    must("magic number", header::MAGIC, MAGIC)?;
    must("version", header::VERSION, VERSION)?;
    match field(header::STATE) {
        state::NOT_READY => return Err(DepthFault::NotReady),
        state::RETIRED => return Err(DepthFault::Retired),
        _ => must("state", header::STATE, state::READY)?,
    }
    must("tick schema", header::TICK_SCHEMA, u64::from(TICK_SCHEMA))?;
    must("tick size", header::TICK_BYTES, (TICK_WORDS * WORD_BYTES) as u64)?;
    must("slot size", header::SLOT_BYTES, SLOT_BYTES)?;
    // A capacity that is out of all proportion would overflow what follows from it.
    let capacity = field(header::SLOT_CAPACITY).min(found);
    let sizes = Sizes::for_slots(usize::try_from(capacity / 2).unwrap_or(usize::MAX));
    must("slot capacity", header::SLOT_CAPACITY, sizes.slot_capacity)?;
    must("index size", header::INDEX_ENTRIES, sizes.index_entries)?;
    must("index offset", header::INDEX_OFFSET, HEADER_BYTES)?;
    must("slots offset", header::SLOTS_OFFSET, sizes.slots_offset)?;
    must("total size", header::TOTAL_BYTES, sizes.total_bytes)?;
    if found != sizes.total_bytes {
        return Err(length(sizes.total_bytes));
    }
    Ok(sizes)
}

/// Checks all that the owner relies on: the header, every slot in use, and that the index leads to each and to nothing else.
/// Gives the sizes, and how many slots are in use.
///
/// # Errors
/// [`DepthFault`].
pub(super) fn check_whole<W: Words + ?Sized>(words: &W) -> Result<(Sizes, u64), DepthFault> {
    let sizes = check_header(words)?;
    let said = words.at(header::SLOTS_USED).unwrap_or_default();
    let used = (0..sizes.index_entries)
        .filter(|entry| words.at(HEADER_BYTES + entry * WORD_BYTES as u64) != Some(0))
        .count() as u64;
    // An owner that died while it added an instrument had counted all but this one.
    if used > sizes.slot_capacity || !(used == said || used == said.wrapping_add(1)) {
        return Err(DepthFault::Index { found: used, expected: said });
    }
    for number in 0..used {
        let fault = |what| DepthFault::Slot { slot: number, what };
        let id = words
            .bytes_at::<{ InstrumentId::CAPACITY }>(sizes.slot_offset(number) + slot::INSTRUMENT)
            .and_then(|id| InstrumentId::from_bytes(&id).ok().filter(|known| *known.padded() == id))
            .ok_or_else(|| fault("holds no instrument's id"))?;
        if find(words, &sizes, &id).map(|slot| u64::from(slot.0)) != Some(number) {
            return Err(fault("is not where the index leads"));
        }
    }
    Ok((sizes, used))
}

/// The instrument of a slot; `None` when it holds no id.
pub(super) fn instrument_of<W: Words + ?Sized>(
    words: &W,
    sizes: &Sizes,
    slot: SlotIndex,
) -> Option<InstrumentId> {
    let at = sizes.slot_offset(u64::from(slot.0)) + slot::INSTRUMENT;
    InstrumentId::from_bytes(&words.bytes_at::<{ InstrumentId::CAPACITY }>(at)?).ok()
}

/// The `qamddata` segment that belongs to a depth segment: its name and inode. `None` while there is none.
pub(super) fn qamddata_of<W: Words + ?Sized>(words: &W) -> Option<(String, u64)> {
    let inode = words.at(header::QAMDDATA_INODE).filter(|inode| *inode != 0)?;
    Some((qamddata_name_of(words)?, inode))
}

/// The name of the `qamddata` segment that belongs to a depth segment, or is about to; `None` when it is to have none.
pub(super) fn qamddata_name_of<W: Words + ?Sized>(words: &W) -> Option<String> {
    let bytes = words.bytes_at::<{ header::QAMDDATA_NAME_BYTES }>(header::QAMDDATA_NAME)?;
    Some(text(&bytes).to_owned()).filter(|name| !name.is_empty())
}

/// The slot of an instrument, by the index. Bounded by the index's size whatever it holds.
pub(super) fn find<W: Words + ?Sized>(
    words: &W,
    sizes: &Sizes,
    id: &InstrumentId,
) -> Option<SlotIndex> {
    let hash = hash(trimmed(id.padded()));
    for probe in 0..sizes.index_entries {
        let entry = hash.wrapping_add(probe) & (sizes.index_entries - 1);
        let word = words.at(HEADER_BYTES + entry * WORD_BYTES as u64)?;
        if word == 0 {
            return None;
        }
        // SYNC POINT with `DepthOwner::add`: what the slot's head holds was written before the entry.
        std::sync::atomic::fence(std::sync::atomic::Ordering::Acquire);
        let number = (word & 0xffff_ffff).wrapping_sub(1);
        if number < sizes.slot_capacity && word == index_word(hash, number) {
            let at = sizes.slot_offset(number) + slot::INSTRUMENT;
            if words.bytes_at::<{ InstrumentId::CAPACITY }>(at).as_ref() == Some(id.padded()) {
                return u32::try_from(number).ok().map(SlotIndex);
            }
        }
    }
    None
}

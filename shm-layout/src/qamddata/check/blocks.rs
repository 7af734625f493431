//! The chain of blocks that fills a segment from its header to its end, and who has which (pure).

use super::Damage;
use super::tree::Nodes;
use crate::qamddata::layout::{ALLOCATED, FIRST_BLOCK, SEGMENT_BYTES, UNIT, block};
use crate::shared_memory::Words;

/// Where the chain ends: a block that is a head and nothing else.
const END: u64 = SEGMENT_BYTES - block::PAYLOAD;
/// Units of a block's head.
const HEAD_UNITS: u64 = block::PAYLOAD / UNIT;
/// Units of the smallest block: its head, and the node that it is while it is free.
pub(super) const UNITS_MIN: u64 = 3;
/// A block's units as its word has them.
const UNITS_MASK: u64 = block::PREVIOUS_ALLOCATED - 1;

/// A bit for each unit of the segment.
struct Bits(Vec<u64>);

/// Every block of a segment.
pub(super) struct Blocks {
    allocated: Bits,
    free: Bits,
    claimed: Bits,
    allocated_bytes: u64,
    claimed_bytes: u64,
    free_bytes: u64,
    free_unclaimed: u64,
}

/// A block as the chain has it.
struct Link {
    at: u64,
    units: u64,
    is_allocated: bool,
    previous_is_allocated: bool,
}

// === impl Bits ===

impl Bits {
    fn new() -> Self {
        Self(vec![0; (SEGMENT_BYTES / UNIT).div_ceil(64) as usize])
    }

    /// The bit of an offset: a word's index, and the mask in it. `None` for what is no unit's.
    fn place(offset: u64) -> Option<(usize, u64)> {
        let is_unit = offset.is_multiple_of(UNIT) && offset < SEGMENT_BYTES;
        let unit = offset / UNIT;
        is_unit.then_some(((unit / 64) as usize, 1 << (unit % 64)))
    }

    fn has(&self, offset: u64) -> bool {
        Self::place(offset).is_some_and(|(index, mask)| self.0[index] & mask != 0)
    }

    /// Sets the bit of an offset. True when it was not set.
    fn set(&mut self, offset: u64) -> bool {
        let Some((index, mask)) = Self::place(offset) else { return false };
        let was = self.0[index];
        self.0[index] |= mask;
        was & mask == 0
    }

    /// The first offset that has its bit here and not in another.
    fn first_not_in(&self, other: &Self) -> Option<u64> {
        let words = self.0.iter().zip(&other.0).zip(0_u64..);
        words
            .map(|((ours, theirs), index)| (ours & !theirs, index))
            .find(|(word, _)| *word != 0)
            .map(|(word, index)| (index * 64 + u64::from(word.trailing_zeros())) * UNIT)
    }
}

// === impl Link ===

impl Link {
    fn at<W: Words + ?Sized>(words: &W, at: u64) -> Self {
        let word = words.at(at + block::UNITS).unwrap_or_default();
        Self {
            at,
            units: word & UNITS_MASK,
            is_allocated: word & block::ALLOCATED != 0,
            previous_is_allocated: word & block::PREVIOUS_ALLOCATED != 0,
        }
    }

    /// Whether it is what the block before it makes of it: that one's units when it is free, `None` when it is allocated.
    fn follows<W: Words + ?Sized>(&self, words: &W, free_units: Option<u64>) -> Result<(), Damage> {
        let damage = |what| Damage::Block { at: self.at, what };
        match free_units {
            None if self.previous_is_allocated => Ok(()),
            None => Err(damage("says that the block before it is free, and it is allocated")),
            Some(_) if self.previous_is_allocated => {
                Err(damage("says that the block before it is allocated, and it is free"))
            }
            Some(_) if !self.is_allocated => Err(damage("is free beside another free one")),
            Some(units) if words.at(self.at + block::PREVIOUS_UNITS) != Some(units) => {
                Err(damage("has another size for the block before it than that one"))
            }
            Some(_) => Ok(()),
        }
    }
}

// === impl Blocks ===

impl Blocks {
    /// Follows the chain from the first block to the end.
    pub(super) fn of<W: Words + ?Sized>(words: &W) -> Result<Self, Damage> {
        let mut blocks = Self {
            allocated: Bits::new(),
            free: Bits::new(),
            claimed: Bits::new(),
            allocated_bytes: 0,
            claimed_bytes: 0,
            free_bytes: 0,
            free_unclaimed: 0,
        };
        let mut at = FIRST_BLOCK;
        // Before the first lies the header, which is never free.
        let mut free_units = None;
        while at != END {
            let link = Link::at(words, at);
            link.follows(words, free_units)?;
            let room = (END - at) / UNIT;
            if link.units < UNITS_MIN || link.units > room {
                return Err(Damage::Block { at, what: "has a size that cannot be" });
            }
            let bytes = link.units * UNIT;
            if link.is_allocated {
                blocks.allocated.set(at);
                blocks.allocated_bytes += bytes;
            } else {
                blocks.free.set(at);
                blocks.free_bytes += bytes;
                blocks.free_unclaimed += 1;
            }
            free_units = (!link.is_allocated).then_some(link.units);
            at += bytes;
        }
        check_end(words, free_units)?;
        let said = words.at(ALLOCATED).unwrap_or_default();
        if said != blocks.allocated_bytes {
            let expected = blocks.allocated_bytes;
            let field = "count of allocated bytes";
            return Err(Damage::Field { field, at: ALLOCATED, found: said, expected });
        }
        Ok(blocks)
    }

    /// Gives an allocated block, by its payload, to whoever has it. Gives the bytes that it holds.
    pub(super) fn claim<W: Words + ?Sized>(
        &mut self,
        words: &W,
        payload: u64,
    ) -> Result<u64, &'static str> {
        let at = payload.wrapping_sub(block::PAYLOAD);
        if !self.allocated.has(at) {
            return Err("lies in no allocated block");
        }
        if !self.claimed.set(at) {
            return Err("belongs to something else too");
        }
        let units = Link::at(words, at).units.clamp(UNITS_MIN, SEGMENT_BYTES / UNIT);
        self.claimed_bytes += units * UNIT;
        // The next block's first field belongs to this one while it is allocated.
        Ok((units - HEAD_UNITS) * UNIT + block::UNITS)
    }

    fn claim_free(&mut self, payload: u64) -> Result<(), &'static str> {
        let at = payload.wrapping_sub(block::PAYLOAD);
        if !self.free.has(at) {
            return Err("lies in no free block");
        }
        if !self.claimed.set(at) {
            return Err("is there twice");
        }
        self.free_unclaimed -= 1;
        Ok(())
    }

    /// That no free block is missing in their tree.
    pub(super) fn all_free_claimed(&self) -> Result<(), Damage> {
        if self.free_unclaimed == 0 {
            return Ok(());
        }
        let at = self.free.first_not_in(&self.claimed).unwrap_or_default();
        Err(Damage::Block { at, what: "is free and not in the tree of free blocks" })
    }

    pub(super) const fn free_bytes(&self) -> u64 {
        self.free_bytes
    }

    /// Bytes of allocated blocks that nobody has claimed.
    pub(super) const fn leaked_bytes(&self) -> u64 {
        self.allocated_bytes.saturating_sub(self.claimed_bytes)
    }
}

/// The end block, and the first block's field, hold the distance between the two.
fn check_end<W: Words + ?Sized>(words: &W, free_units: Option<u64>) -> Result<(), Damage> {
    let end = Link::at(words, END);
    if !end.is_allocated {
        return Err(Damage::Block { at: END, what: "is the end and not allocated" });
    }
    end.follows(words, free_units)?;
    let distance = (END - FIRST_BLOCK) / UNIT;
    if end.units != distance {
        return Err(Damage::Block { at: END, what: "is the end and does not know the first" });
    }
    if words.at(FIRST_BLOCK + block::PREVIOUS_UNITS) != Some(distance) {
        return Err(Damage::Block { at: FIRST_BLOCK, what: "does not know the end" });
    }
    Ok(())
}

/// The nodes of the tree of free blocks: the smaller come first.
pub(super) struct FreeBlocks<'a, W: ?Sized> {
    words: &'a W,
    blocks: &'a mut Blocks,
    units_before: u64,
}

// === impl FreeBlocks ===

impl<'a, W: Words + ?Sized> FreeBlocks<'a, W> {
    pub(super) fn new(words: &'a W, blocks: &'a mut Blocks) -> Self {
        Self { words, blocks, units_before: 0 }
    }
}

impl<W: Words + ?Sized> Nodes for FreeBlocks<'_, W> {
    fn claim(&mut self, node: u64) -> Result<(), &'static str> {
        self.blocks.claim_free(node)
    }

    fn visit(&mut self, node: u64) -> Result<(), &'static str> {
        let units = Link::at(self.words, node - block::PAYLOAD).units;
        if units < self.units_before {
            return Err("is a smaller block than the one before it");
        }
        self.units_before = units;
        Ok(())
    }
}

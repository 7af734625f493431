//! `InsMap`: its nodes, and finding one of them in a segment that may change meanwhile (pure).

use std::cmp::Ordering;

use super::blocks::{Blocks, UNITS_MIN};
use super::tree::{HEIGHT_MAX, Nodes, target};
use crate::qamddata::key::QamddataKey;
use crate::qamddata::layout::node::{BLACK, LEFT, PARENT, RIGHT};
use crate::qamddata::layout::{FIRST_BLOCK, SEGMENT_BYTES, UNIT, block, entry, map};
use crate::shared_memory::Words;

/// The most bytes that a node's block holds: what is left of a block when a node is cut from it stays with the node unless it
/// makes a block of its own.
const BLOCK_BYTES_MAX: u64 = entry::BYTES + (UNITS_MIN - 1) * UNIT;
/// So many instruments are expected, whatever the map says of itself.
const EXPECTED_MAX: u64 = SEGMENT_BYTES / (entry::UNITS * UNIT);

/// The nodes of the map: by key.
pub(super) struct Entries<'a, W: ?Sized> {
    words: &'a W,
    blocks: &'a mut Blocks,
    instruments: Vec<(QamddataKey, u64)>,
}

// === impl Entries ===

impl<'a, W: Words + ?Sized> Entries<'a, W> {
    /// Of a map that says it has so many.
    pub(super) fn new(words: &'a W, blocks: &'a mut Blocks, said: u64) -> Self {
        let expected = said.min(EXPECTED_MAX) as usize;
        Self { words, blocks, instruments: Vec::with_capacity(expected) }
    }

    pub(super) fn into_instruments(self) -> Vec<(QamddataKey, u64)> {
        self.instruments
    }
}

impl<W: Words + ?Sized> Nodes for Entries<'_, W> {
    fn claim(&mut self, node: u64) -> Result<(), &'static str> {
        let bytes = self.blocks.claim(self.words, node)?;
        if (entry::BYTES..=BLOCK_BYTES_MAX).contains(&bytes) {
            return Ok(());
        }
        Err("lies in a block that no instrument has")
    }

    fn visit(&mut self, node: u64) -> Result<(), &'static str> {
        let bytes = self.words.bytes_at::<{ entry::KEY_BYTES }>(node + entry::KEY);
        let key = bytes.as_ref().and_then(QamddataKey::from_bytes).ok_or("has no key")?;
        if self.instruments.last().is_some_and(|(before, _)| *before >= key) {
            return Err("has a key that should not follow the one before it");
        }
        self.instruments.push((key, node + entry::INSTRUMENT));
        Ok(())
    }
}

/// Where the 96 bytes of an instrument lie in the map at this offset, in a segment that another process may be changing. While
/// an instrument is inserted, one that is there can be missed; the walk ends all the same.
#[must_use]
pub fn find<W: Words + ?Sized>(words: &W, map_offset: u64, key: &QamddataKey) -> Option<u64> {
    let header = map_offset.checked_add(map::TREE)?;
    let last = (words.len() as u64 * 8).checked_sub(entry::BYTES)?;
    let mut link = target(words, header + PARENT, BLACK);
    for _ in 0..HEIGHT_MAX {
        let node = link?;
        if node < FIRST_BLOCK + block::PAYLOAD || node > last {
            return None;
        }
        let found = words.bytes_at::<{ entry::KEY_BYTES }>(node + entry::KEY)?;
        // Keys end with zeros and hold none, so comparing all of their bytes is what `strncmp` does.
        link = match key.bytes().cmp(&found) {
            Ordering::Equal => return Some(node + entry::INSTRUMENT),
            Ordering::Less => target(words, node + LEFT, 0),
            Ordering::Greater => target(words, node + RIGHT, 0),
        };
    }
    None
}

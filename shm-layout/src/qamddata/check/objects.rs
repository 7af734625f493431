//! The index of named objects and that of unique instances: what their nodes hold (pure).

use super::blocks::Blocks;
use super::tree::Nodes;
use crate::qamddata::layout::{map, named};
use crate::shared_memory::{WORD_BYTES, Words};

/// The kind "unique instance" with characters of one byte.
const ABOUT_UNIQUE: u64 = 0x41;
/// Bytes of an object's head behind its node: [`named::VALUE_BYTES`] and [`named::ABOUT`].
const HEAD_BYTES: u64 = 16;
/// The largest alignment that Boost gives any block.
const ALIGNMENT_MAX: u64 = 16;

/// An object as its head describes it.
struct Object {
    value: u64,
    value_bytes: u64,
    alignment: u64,
    name: Vec<u8>,
}

/// The nodes of an index: by the length of the name, then by its bytes.
pub(super) struct Objects<'a, W: ?Sized> {
    words: &'a W,
    blocks: &'a mut Blocks,
    about: u64,
    /// What the blocks hold of the nodes that are claimed and not visited yet.
    bytes: Vec<u64>,
    before: Option<Vec<u8>>,
    map: Option<u64>,
}

// === impl Objects ===

impl<'a, W: Words + ?Sized> Objects<'a, W> {
    pub(super) fn named(words: &'a W, blocks: &'a mut Blocks) -> Self {
        Self::of(words, blocks, named::ABOUT_NAMED)
    }

    pub(super) fn unique(words: &'a W, blocks: &'a mut Blocks) -> Self {
        Self::of(words, blocks, ABOUT_UNIQUE)
    }

    fn of(words: &'a W, blocks: &'a mut Blocks, about: u64) -> Self {
        Self { words, blocks, about, bytes: Vec::new(), before: None, map: None }
    }

    /// Where `InsMap` lies.
    pub(super) const fn map(&self) -> Option<u64> {
        self.map
    }

    /// The object in a block that holds so many bytes.
    fn object(&self, node: u64, bytes: u64) -> Result<Object, &'static str> {
        let about = self.words.at(node + named::ABOUT).unwrap_or_default();
        if (about >> 24) & 0xff != self.about {
            return Err("is of another kind than this index is of");
        }
        let characters = about & 0xffff;
        let alignment = (about >> 16) & 0xff;
        if !alignment.is_power_of_two() || alignment > ALIGNMENT_MAX {
            return Err("has an alignment that cannot be");
        }
        let value_bytes = self.words.at(node + named::VALUE_BYTES).unwrap_or_default();
        let value = named::VALUE_BYTES + HEAD_BYTES.next_multiple_of(alignment);
        // What follows the value: the name, and its zero.
        let name = value.checked_add(value_bytes);
        let end = name.and_then(|name| name.checked_add(characters + 1));
        let (Some(name), true) = (name, end.is_some_and(|end| end <= bytes)) else {
            return Err("is longer than its block");
        };
        let name = node + name;
        if self.byte(name + characters) != 0 {
            return Err("has a name without an end");
        }
        let name = (name..name + characters).map(|at| self.byte(at)).collect();
        Ok(Object { value: node + value, value_bytes, alignment, name })
    }

    fn byte(&self, at: u64) -> u8 {
        let within = at % WORD_BYTES as u64;
        let word = self.words.at(at - within).unwrap_or_default();
        word.to_le_bytes()[within as usize]
    }
}

impl<W: Words + ?Sized> Nodes for Objects<'_, W> {
    fn claim(&mut self, node: u64) -> Result<(), &'static str> {
        let bytes = self.blocks.claim(self.words, node)?;
        self.bytes.push(bytes);
        Ok(())
    }

    fn visit(&mut self, node: u64) -> Result<(), &'static str> {
        // Nodes are claimed on the way down and visited on the way up.
        let bytes = self.bytes.pop().unwrap_or_default();
        let object = self.object(node, bytes)?;
        let order = |name: &[u8]| (name.len(), name.to_vec());
        if self.before.as_ref().is_some_and(|before| order(before) >= order(&object.name)) {
            return Err("has a name that should not follow the one before it");
        }
        if self.about == named::ABOUT_NAMED && object.name == map::NAME {
            if (object.value_bytes, object.alignment) != (map::BYTES, WORD_BYTES as u64) {
                return Err("is named InsMap and no map");
            }
            self.map = Some(object.value);
        }
        self.before = Some(object.name);
        Ok(())
    }
}

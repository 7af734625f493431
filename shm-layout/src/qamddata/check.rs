//! Whether a segment is sound: every word of its structure, checked as bytes that anybody may have damaged (pure).
//!
//! Boost follows every link it finds and believes every size, so what it is given must hold together as a whole: the chain of
//! blocks (`blocks`), the four red-black trees (`tree`) and what their nodes hold (`objects`, `entries`). Each block
//! start is known before the first link is followed, and each can be claimed by one node only; that is what ends every walk.
//!
//! Blocks that are allocated and belong to nothing are no damage: an insertion was cut off before its end. The prices and the
//! other fields of an instrument are no structure, and anything may stand in them.

mod blocks;
mod entries;
mod objects;
mod tree;

use super::key::QamddataKey;
use super::layout::{
    ALLOCATOR_MUTEX, EXTRA_BYTES, EXTRA_BYTES_EXPECTED, FREE_COUNT, FREE_TREE, INDEX_MUTEX,
    MANAGER, NAMED_COUNT, NAMED_TREE, SEGMENT_BYTES, SIZE, STATUS, STATUS_INITIALISED,
    UNIQUE_COUNT, UNIQUE_TREE, map, mutex,
};
use super::lock::IndexLock;
use crate::shared_memory::{WORD_BYTES, Words};
use blocks::{Blocks, FreeBlocks};
use entries::Entries;
pub use entries::find;
use objects::Objects;
use tree::{Tree, target, walk};

/// A mutex's kind has this bit when it was asked for as a plain one: it is taken without the processor's transactions. The bit
/// beside it, which asks for them, is refused: on a processor without, it ends whoever takes the mutex.
const KIND_NO_ELISION: u32 = 0x200;

/// So often a mutex is looked at before it is believed to be free and to have an owner all the same.
const MUTEX_LOOKS: u32 = 1000;

/// A segment whose structure Boost can be trusted with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sound {
    /// Where `InsMap` lies.
    pub map: u64,
    /// Every instrument: its key, and where its 96 bytes lie; in the order of the keys.
    pub instruments: Vec<(QamddataKey, u64)>,
    /// The index's mutex is held; if its holder is dead, it is to be freed.
    pub index_lock: Option<IndexLock>,
    /// Bytes that are free.
    pub free_bytes: u64,
    /// Bytes of blocks that belong to nothing: an insertion was cut off before its end.
    pub leaked_bytes: u64,
}

/// What is wrong with a segment. Places are offsets in bytes from the beginning of the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// The file is shorter or longer than those programs expect.
    #[error("it has {0} bytes instead of {expected}", expected = SEGMENT_BYTES)]
    Length(u64),
    /// A field has one value only in every segment, and this is another.
    #[error("its {field} at {at} is {found:#x} instead of {expected:#x}")]
    Field {
        /// What it is.
        field: &'static str,
        /// Where it is.
        at: u64,
        /// What it holds.
        found: u64,
        /// What it should hold.
        expected: u64,
    },
    /// Somebody holds the allocator's mutex, which nobody but the owner takes: it died while it changed the structure.
    #[error("the allocator's mutex is held: thread {owner} died while it changed the structure")]
    AllocatorHeld {
        /// The thread that took it.
        owner: u32,
    },
    /// The chain of blocks is broken.
    #[error("the block at {at} {what}")]
    Block {
        /// Where it begins.
        at: u64,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A tree is broken, or holds what does not belong there.
    #[error("{tree}: the node at {node} {what}")]
    Tree {
        /// Which one.
        tree: &'static str,
        /// Where the node is.
        node: u64,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A tree has more or fewer nodes than it says.
    #[error("{tree} has {found} nodes and says {said}")]
    Count {
        /// Which one.
        tree: &'static str,
        /// Nodes there are.
        found: u64,
        /// Nodes it says.
        said: u64,
    },
    /// The object that readers look for is not there.
    #[error("it has no InsMap")]
    NoMap,
}

/// Checks a segment.
///
/// # Errors
/// The first [`Damage`] found.
pub fn check<W: Words + ?Sized>(words: &W) -> Result<Sound, Damage> {
    let bytes = words.len() as u64 * WORD_BYTES as u64;
    if bytes != SEGMENT_BYTES {
        return Err(Damage::Length(bytes));
    }
    check_header(words)?;
    let mut blocks = Blocks::of(words)?;
    let free = Tree::of(words, "the tree of free blocks", FREE_TREE, FREE_COUNT);
    walk(words, &free, &mut FreeBlocks::new(words, &mut blocks))?;
    blocks.all_free_claimed()?;

    let named = Tree::of(words, "the index of objects", NAMED_TREE, NAMED_COUNT);
    let mut objects = Objects::named(words, &mut blocks);
    walk(words, &named, &mut objects)?;
    let map = objects.map().ok_or(Damage::NoMap)?;
    // A reader may have made unique instances of its own; they are named by their types.
    let unique = Tree::of(words, "the index of unique instances", UNIQUE_TREE, UNIQUE_COUNT);
    walk(words, &unique, &mut Objects::unique(words, &mut blocks))?;

    let allocator = map + map::ALLOCATOR;
    if target(words, allocator, 0) != Some(MANAGER) {
        let found = words.at(allocator).unwrap_or_default();
        let expected = MANAGER.wrapping_sub(allocator);
        let field = "InsMap's pointer to the allocator";
        return Err(Damage::Field { field, at: allocator, found, expected });
    }
    let tree = Tree::of(words, "InsMap", map + map::TREE, map + map::COUNT);
    let mut entries = Entries::new(words, &mut blocks, tree.count);
    walk(words, &tree, &mut entries)?;
    Ok(Sound {
        map,
        instruments: entries.into_instruments(),
        index_lock: IndexLock::settled(words),
        free_bytes: blocks.free_bytes(),
        leaked_bytes: blocks.leaked_bytes(),
    })
}

/// Checks what has the same value in every segment, and the two mutexes.
fn check_header<W: Words + ?Sized>(words: &W) -> Result<(), Damage> {
    let must = |field, at, found, expected| {
        let damage = Damage::Field { field, at, found, expected };
        (found == expected).then_some(()).ok_or(damage)
    };
    let whole = |at| words.at(at).unwrap_or_default();
    must("status", STATUS, half(words, STATUS).into(), STATUS_INITIALISED.into())?;
    must("size of the header", EXTRA_BYTES, whole(EXTRA_BYTES), EXTRA_BYTES_EXPECTED)?;
    must("size", SIZE, whole(SIZE), SEGMENT_BYTES - MANAGER)?;
    for (field, at, kind) in [
        ("allocator's mutex's kind", ALLOCATOR_MUTEX, mutex::KIND_SHARED),
        ("index's mutex's kind", INDEX_MUTEX, mutex::KIND_SHARED | mutex::KIND_RECURSIVE),
    ] {
        let at = at + mutex::KIND;
        let tolerated = mutex::KIND_ROBUST | KIND_NO_ELISION;
        must(field, at, (half(words, at) & !tolerated).into(), kind.into())?;
    }
    let state = |at| (half(words, at + mutex::LOCK), half(words, at + mutex::OWNER));
    // Another program that makes an object of its own has it for an instant.
    if (0..MUTEX_LOOKS).all(|_| state(ALLOCATOR_MUTEX) != (0, 0)) {
        let (_, owner) = state(ALLOCATOR_MUTEX);
        return Err(Damage::AllocatorHeld { owner });
    }
    // The C library ends a process that takes a free mutex which has an owner. One that is held is freed by the watch. A reader
    // may take it between the two looks at it, so what is wrong must stay so.
    let well = |(lock, owner)| lock != 0 || owner == 0;
    if (0..MUTEX_LOOKS).any(|_| well(state(INDEX_MUTEX))) {
        return Ok(());
    }
    let (_, owner) = state(INDEX_MUTEX);
    must("index's mutex's owner", INDEX_MUTEX + mutex::OWNER, owner.into(), 0)
}

/// The 32 bits at an offset that is a whole word's.
fn half<W: Words + ?Sized>(words: &W, at: u64) -> u32 {
    (words.at(at).unwrap_or_default() & 0xffff_ffff) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ExchangeId, InstrumentId};

    #[test]
    fn what_is_no_segment_is_damaged() {
        let of = |words: Vec<u64>| check(words.as_slice());
        assert_eq!(of(Vec::new()), Err(Damage::Length(0)));
        assert_eq!(of(vec![2; 9]), Err(Damage::Length(72)));
        let words = usize::try_from(SEGMENT_BYTES).unwrap() / WORD_BYTES;
        let zeros = of(vec![0; words]).unwrap_err();
        assert_eq!(zeros.to_string(), "its status at 0 is 0x0 instead of 0x2");
        for word in [1, 2, 3, 16, u64::MAX, 1 << 63] {
            assert!(of(vec![word; words]).is_err());
        }
    }

    #[test]
    fn finding_ends_whatever_the_words() {
        let id = InstrumentId::parse("rb2601").unwrap();
        let key = QamddataKey::of(ExchangeId::SHFE, &id).unwrap();
        let maps = [0, 7, 8, 280, 4000, u64::MAX, u64::MAX - 15];
        for word in [0, 1, 2, 3, 8, 16, 96, u64::MAX, u64::MAX - 7, 1 << 63] {
            for length in [0, 1, 40, 512] {
                let words = vec![word; length];
                assert!(maps.iter().all(|map| find(words.as_slice(), *map, &key).is_none()));
            }
        }
    }
}

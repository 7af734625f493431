//! Whether a segment is sound: every word of its structure, checked as bytes that anybody may have damaged (pure).

use super::key::QamddataKey;
use super::lock::IndexLock;
use crate::shared_memory::Words;

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

/// What is wrong with a segment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// PLACEHOLDER
    #[error("placeholder")]
    Placeholder,
}

/// Checks a segment.
///
/// # Errors
/// The first [`Damage`] found.
pub fn check<W: Words + ?Sized>(words: &W) -> Result<Sound, Damage> {
    let _ = words;
    Err(Damage::Placeholder)
}

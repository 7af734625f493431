//! The shim over Boost, `cpp/qamddata_shim.cpp`.

#![expect(unsafe_code, reason = "Boost speaks C++")]

use super::check::{Damage, check};
use super::key::QamddataKey;
use super::layout::Instrument;
use crate::shared_memory::{ReadWrite, WORD_BYTES, Words};

unsafe extern "C" {
    fn qamddata_make(base: *mut u8, bytes: usize, map_offset: &mut u64) -> i32;
    fn qamddata_insert(
        base: *mut u8,
        map_offset: u64,
        key: *const u8,
        instrument: *const u8,
        instrument_offset: &mut u64,
    ) -> i32;
}

/// Why Boost did not do it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The structure is not sound.
    Damaged(Damage),
    /// The segment has no room left.
    Full,
    /// It threw something else.
    Failed,
}

/// Makes an empty map in a file of zeros; gives its offset.
///
/// # Errors
/// [`Refusal`].
pub(super) fn make(memory: &ReadWrite) -> Result<u64, Refusal> {
    let mut map = 0;
    // SAFETY: the memory is mapped for writing, of that length, and nobody else has it yet.
    let outcome = unsafe { qamddata_make(memory.base(), memory.len() * WORD_BYTES, &mut map) };
    match outcome {
        0 => Ok(map),
        2 => Err(Refusal::Full),
        _ => Err(Refusal::Failed),
    }
}

/// Inserts instruments that are not there yet, up to the first that does not fit, and gives where each lies. The structure is
/// checked first: Boost follows every link that it finds. The caller's lock makes this process the only one that changes it.
///
/// # Errors
/// [`Refusal`], with what lies where so far.
pub(super) fn insert(
    memory: &ReadWrite,
    instruments: &[(QamddataKey, Instrument)],
) -> Result<Vec<u64>, (Refusal, Vec<u64>)> {
    let map = check(memory).map_err(|damage| (Refusal::Damaged(damage), Vec::new()))?.map;
    let mut offsets = Vec::with_capacity(instruments.len());
    for (key, instrument) in instruments {
        let mut offset = 0;
        let (name, value) = (key.bytes().as_ptr(), std::ptr::from_ref(instrument).cast());
        // SAFETY: the structure was just found sound and only Boost has changed it since; key and instrument have the sizes
        // that the shim copies.
        let outcome = unsafe { qamddata_insert(memory.base(), map, name, value, &mut offset) };
        match outcome {
            0 | 1 => offsets.push(offset),
            2 => return Err((Refusal::Full, offsets)),
            _ => return Err((Refusal::Failed, offsets)),
        }
    }
    Ok(offsets)
}

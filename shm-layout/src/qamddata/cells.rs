//! A worker's end: the prices of its instruments, written in place.

use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicU64, Ordering};

use super::key::QamddataKey;
use super::layout::{FIRST_BLOCK, Instrument, SEGMENT_BYTES, entry};
use crate::instrument_id::InstrumentId;
use crate::shared_memory::{Place, PlaceError, ReadWrite, WORD_BYTES, Words};
use crate::tick::{Tick, price_of};

/// Why the segment cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum CellsFault {
    /// It cannot be opened.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// It is not the one that is meant.
    #[error("another segment than the fleet's stands under the name {0}")]
    Other(String),
}

/// The segment, mapped for writing prices. What else it holds is not touched.
#[derive(Debug)]
pub struct QamddataCells {
    memory: ReadWrite,
}

const BYTES: u64 = size_of::<Instrument>() as u64;
/// Words of an instrument.
const WORDS: usize = size_of::<Instrument>() / WORD_BYTES;
/// The first of those that a tick fills; it fills all that follow.
const FIRST_PRICE: usize = std::mem::offset_of!(Instrument, last_price) / WORD_BYTES;
const PRICES: usize = WORDS - FIRST_PRICE;

// === impl QamddataCells ===

impl QamddataCells {
    /// Opens the segment of this name if its inode is the one that is meant.
    ///
    /// # Errors
    /// [`CellsFault`].
    pub fn open(name: &str, inode: u64) -> Result<Self, CellsFault> {
        let place = Place::named(name);
        let file = place.open_write()?;
        let failed = |error| place.failed("mapping", error);
        let found = file.metadata().map_err(failed)?;
        if found.ino() != inode || found.size() != SEGMENT_BYTES {
            return Err(CellsFault::Other(name.to_owned()));
        }
        Ok(Self { memory: ReadWrite::map(&file).map_err(failed)? })
    }

    /// True when an instrument's fields lie at this offset: a key of it stands before them.
    #[must_use]
    pub fn holds(&self, offset: u64, instrument: &InstrumentId) -> bool {
        let in_range = offset
            .checked_sub(entry::INSTRUMENT)
            .is_some_and(|node| node >= FIRST_BLOCK && offset <= SEGMENT_BYTES - BYTES);
        let key = || {
            let at = offset - (entry::INSTRUMENT - entry::KEY);
            QamddataKey::from_bytes(&self.memory.bytes_at::<{ entry::KEY_BYTES }>(at)?)
        };
        in_range && key().is_some_and(|key| key.instrument() == instrument.as_str())
    }

    /// Writes the prices of a tick. The offset is one that [`Self::holds`] has approved of.
    pub fn write(&self, offset: u64, tick: &Tick) {
        if let Some(cells) = self.prices_at(offset) {
            let price = |raw| price_of(raw).unwrap_or(f64::NAN);
            let best = &tick.levels[0];
            let prices = [
                tick.last_price,
                tick.pre_settlement_price,
                tick.upper_limit_price,
                tick.lower_limit_price,
                best.ask_price,
                best.bid_price,
            ];
            for (cell, raw) in cells.iter().zip(prices) {
                cell.store(price(raw).to_bits(), Ordering::Relaxed);
            }
        }
    }

    fn prices_at(&self, offset: u64) -> Option<&[AtomicU64; PRICES]> {
        let first = usize::try_from(offset).ok()? / WORD_BYTES + FIRST_PRICE;
        self.memory.words().get(first..first + PRICES)?.try_into().ok()
    }
}

//! The coordinator's end: makes the segment or takes it over, adds instruments, keeps the index's mutex free.

use std::collections::HashMap;
use std::fs::File;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::check::{Sound, check};
use super::key::QamddataKey;
use super::layout::{INDEX_MUTEX, Instrument, SEGMENT_BYTES};
use super::lock::{IndexLock, LockWatch, Verdict, owner_is_alive};
use super::shim::{self, Refusal};
use crate::shared_memory::{Opening, Place, PlaceError, ReadWrite, Sharing, WORD_BYTES, reserve};

/// Why there is no segment.
#[derive(Debug, thiserror::Error)]
pub enum OwnerError {
    /// It cannot be put in its place.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// Boost refused to make it.
    #[error("Boost did not make the segment {0}")]
    Boost(String),
    /// What Boost made is not what its readers expect.
    #[error(
        "the Boost headers that qamd was built with lay out the segment otherwise ({0}): build with Boost 1.74 to 1.85"
    )]
    Layout(String),
}

/// Why an instrument was not inserted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InsertError {
    /// No room is left.
    #[error("qamddata is full with {0} instruments; no more fit")]
    Full(usize),
    /// Somebody has damaged the segment since it was checked.
    #[error(
        "qamddata is damaged ({0}), so nothing is added to it; restart qamd, which builds it anew"
    )]
    Damaged(String),
    /// Boost refused.
    #[error("Boost did not insert it")]
    Boost,
}

/// The segment, owned.
#[derive(Debug)]
pub struct QamddataOwner {
    memory: ReadWrite,
    place: Place,
    instruments: HashMap<QamddataKey, u64>,
    watch: LockWatch,
}

// === impl QamddataOwner ===

impl QamddataOwner {
    /// Takes over the segment that stands in a place if it is sound, or makes one with these instruments and puts it there
    /// complete. The caller is the only one who may: it holds the place's lock.
    ///
    /// # Errors
    /// [`OwnerError`].
    pub fn open(
        place: &Place,
        universe: &[(QamddataKey, Instrument)],
        sharing: Sharing,
    ) -> Result<(Self, Opening), OwnerError> {
        let take_over = |file: &File| Self::take_over(place, file, universe.len());
        place.occupy(sharing, take_over, || Self::make(place, universe, sharing))
    }

    fn take_over(place: &Place, file: &File, listed: usize) -> Result<Self, String> {
        let memory = ReadWrite::map(file).map_err(|error| error.to_string())?;
        let sound = check(&memory).map_err(|damage| damage.to_string())?;
        // Instruments are never removed, so contracts that have expired fill it in the course of months.
        let known = sound.instruments.len();
        if sound.free_bytes < SEGMENT_BYTES / 4 && listed * 2 < known {
            return Err(format!(
                "it is nearly full with {known} instruments, most of them of the past"
            ));
        }
        // One that another program made, or a copy, may have holes, which would end us when the memory is used up.
        reserve(file, 0, SEGMENT_BYTES).map_err(|error| error.to_string())?;
        // A reader that is alive is about to let go, and of one without a name the watch will know.
        if let Some(lock) = sound.index_lock
            && lock.owner != 0
            && !owner_is_alive(lock.owner, place.path())
        {
            lock.free(&memory);
        }
        Ok(Self::of(place, memory, sound))
    }

    fn of(place: &Place, memory: ReadWrite, sound: Sound) -> Self {
        let instruments = sound.instruments.into_iter().collect();
        let watch = LockWatch::default();
        Self { memory, place: place.clone(), instruments, watch }
    }

    fn make(
        place: &Place,
        universe: &[(QamddataKey, Instrument)],
        sharing: Sharing,
    ) -> Result<Self, OwnerError> {
        let aside = place.make_aside(SEGMENT_BYTES, SEGMENT_BYTES)?;
        let memory =
            ReadWrite::map(aside.file()).map_err(|error| place.failed("mapping", error))?;
        let boost = || OwnerError::Boost(place.path().display().to_string());
        let map = shim::make(&memory).map_err(|_| boost())?;
        let layout = |damage: super::check::Damage| OwnerError::Layout(damage.to_string());
        if check(&memory).map_err(layout)?.map != map {
            return Err(OwnerError::Layout("InsMap lies elsewhere".into()));
        }
        match shim::insert(&memory, universe) {
            // What does not fit is told to whoever asks for it.
            Ok(_) | Err((Refusal::Full, _)) => {}
            Err((Refusal::Damaged(damage), _)) => return Err(layout(damage)),
            Err((Refusal::Failed, _)) => return Err(boost()),
        }
        let sound = check(&memory).map_err(layout)?;
        aside.settle(sharing)?;
        Ok(Self::of(place, memory, sound))
    }

    /// The file's inode.
    #[must_use]
    pub const fn inode(&self) -> u64 {
        self.memory.identity().1
    }

    /// Device and inode of the file.
    #[must_use]
    pub const fn identity(&self) -> (u64, u64) {
        self.memory.identity()
    }

    /// How many instruments there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.instruments.len()
    }

    /// True when there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.instruments.is_empty()
    }

    /// Where an instrument lies.
    #[must_use]
    pub fn find(&self, key: &QamddataKey) -> Option<u64> {
        self.instruments.get(key).copied()
    }

    /// Inserts an instrument while readers walk the map. One that looks for a key at that very moment may miss it once; see
    /// `ARCHITECTURE.md`. The structure is checked first, since readers can write to it.
    ///
    /// # Errors
    /// [`InsertError`]; the segment is as it was.
    pub fn insert(
        &mut self,
        key: &QamddataKey,
        instrument: &Instrument,
    ) -> Result<u64, InsertError> {
        if let Some(offset) = self.find(key) {
            return Ok(offset);
        }
        let inserted = shim::insert(&self.memory, &[(*key, *instrument)]);
        let offsets = inserted.map_err(|(refusal, _)| match refusal {
            Refusal::Full => InsertError::Full(self.instruments.len()),
            Refusal::Damaged(damage) => InsertError::Damaged(damage.to_string()),
            Refusal::Failed => InsertError::Boost,
        })?;
        let Some(offset) = offsets.first().copied() else { return Err(InsertError::Boost) };
        self.instruments.insert(*key, offset);
        Ok(offset)
    }

    /// Writes what is known of an instrument apart from its prices, which stay as they are.
    pub fn set_facts(&self, offset: u64, instrument: &Instrument) {
        let first = offset as usize / WORD_BYTES;
        let words = [
            u64::from(instrument.expired),
            instrument.product_class.cast_unsigned(),
            instrument.volume_multiple.cast_unsigned(),
            instrument.margin.to_bits(),
            instrument.commission.to_bits(),
            instrument.price_tick.to_bits(),
        ];
        let cells = self.memory.words().get(first..first + words.len()).unwrap_or_default();
        for (cell, word) in cells.iter().zip(words) {
            cell.store(word, Ordering::Relaxed);
        }
    }

    /// Takes back the prices of an instrument that is written elsewhere from here on: who reads them here sees that they are
    /// not known, instead of taking old ones for new.
    pub fn forget_prices(&self, offset: u64) {
        let first = offset as usize / WORD_BYTES
            + std::mem::offset_of!(Instrument, last_price) / WORD_BYTES;
        let cells = self.memory.words().get(first..first + 6).unwrap_or_default();
        cells.iter().for_each(|cell| cell.store(f64::NAN.to_bits(), Ordering::Relaxed));
    }

    /// Looks at the index's mutex, and frees it when its holder is dead. Gives what was found.
    pub fn watch_lock(&mut self, now: Instant) -> Verdict {
        let lock = IndexLock::settled(&self.memory);
        let verdict = self.watch.look(now, lock, |owner| owner_is_alive(owner, self.place.path()));
        if let Verdict::Free(lock) = verdict {
            lock.free(&self.memory);
        }
        // One that was woken when the mutex became free, and died before it took it, has swallowed the wake-up of those who
        // sleep beside it. To be woken in vain costs them nothing.
        self.memory.wake_all(INDEX_MUTEX as usize);
        verdict
    }
}

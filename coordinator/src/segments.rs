//! The segments in shared memory whose structure the coordinator owns: the depth segment and `qamddata`.
//!
//! An instrument has its place in them before any worker is told to carry it; the workers write, and the coordinator never
//! touches a tick. What is listed is there from the start. What is learned later gets its slot in the depth segment at
//! once, and its node in `qamddata`, whose readers walk the map meanwhile, one at a time and at a pace.
//!
//! Both segments outlive the coordinator and the fleet: a program that has them mapped goes on when they are back.

mod additions;
mod facts;
mod report;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, Instant};

use shm_layout::clock::unix_ns;
use shm_layout::depth::{DepthOwner, SlotIndex};
use shm_layout::qamddata::{InsertError, OwnerError, QamddataOwner, Verdict};
use shm_layout::shared_memory::{Opening, Place, PlaceError, Sharing};
use shm_layout::{FleetPaths, InstrumentId};
use tracing::{error, info, warn};

use crate::instruments::{Listing, Universe};
use additions::Additions;
use facts::Facts;

pub use report::SegmentsReport;

/// How often the index's mutex of `qamddata` is looked at: a reader that died with it holds the others up for at most two
/// looks.
const WATCH_INTERVAL: Duration = Duration::from_millis(250);

/// Who may open the segments, and what they are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentSettings {
    /// The name of the Boost segment; `None` for none.
    pub qamddata: Option<String>,
    /// The group that may open them, where it is not the process's own.
    pub group: Option<u32>,
}

/// Why the segments cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SegmentsError {
    /// The depth segment.
    #[error(transparent)]
    Depth(#[from] PlaceError),
    /// `qamddata`.
    #[error(transparent)]
    Qamddata(#[from] OwnerError),
}

/// The segments, owned.
#[derive(Debug)]
pub struct Segments {
    depth: DepthOwner,
    qamddata: Option<QamddataOwner>,
    listed: HashMap<InstrumentId, Listing>,
    additions: Additions,
    /// Instruments without a place in one of the segments, and why. Bounded by what is wanted at a time.
    without_place: BTreeMap<InstrumentId, String>,
    /// Why nothing is added to `qamddata` any more.
    damaged: Option<String>,
    locks_freed: u64,
    said_held: bool,
    next_watch: Instant,
}

// === impl SegmentSettings ===

impl SegmentSettings {
    /// `qamddata` is opened for writing by the programs that read it.
    const QAMDDATA_MODE: u32 = 0o660;
    /// Nobody but the fleet writes the depth segment.
    const DEPTH_MODE: u32 = 0o640;

    fn sharing(&self, mode: u32) -> Sharing {
        Sharing { mode, group: self.group }
    }
}

// === impl Segments ===

impl Segments {
    /// Takes over the segments of an earlier coordinator, or makes them. The caller holds the fleet's claim and that of the
    /// name of `qamddata`.
    ///
    /// # Errors
    /// [`SegmentsError`].
    pub fn open(
        paths: &FleetPaths,
        settings: &SegmentSettings,
        universe: &Universe,
        now: Instant,
    ) -> Result<Self, SegmentsError> {
        let qamddata = settings.qamddata.as_ref().map(|name| {
            let place = Place::named(name);
            let facts = universe.instruments.iter().map(Facts::of);
            let keyed: Vec<_> =
                facts.filter_map(|facts| Some((facts.key.ok()?, facts.instrument))).collect();
            let sharing = settings.sharing(SegmentSettings::QAMDDATA_MODE);
            let (owner, opening) = QamddataOwner::open(&place, &keyed, sharing)?;
            announce(&place, &opening, owner.len());
            Ok::<_, OwnerError>(owner)
        });
        let qamddata = qamddata.transpose()?;
        let place = Place::named(&paths.depth_name());
        let sharing = settings.sharing(SegmentSettings::DEPTH_MODE);
        let (depth, opening) = DepthOwner::open(&place, universe.instruments.len(), sharing)?;
        announce(&place, &opening, depth.len() as usize);
        let name = settings.qamddata.as_deref().unwrap_or_default();
        depth.set_qamddata(name, qamddata.as_ref().map_or(0, QamddataOwner::inode));
        let mut segments = Self {
            depth,
            qamddata,
            listed: HashMap::new(),
            additions: Additions::default(),
            without_place: BTreeMap::new(),
            damaged: None,
            locks_freed: 0,
            said_held: false,
            next_watch: now,
        };
        segments.list(universe);
        Ok(segments)
    }

    /// Takes the list of instruments, at the start and when it was read again. What is no longer listed stays.
    pub fn list(&mut self, universe: &Universe) {
        let listings = &universe.instruments;
        self.listed =
            listings.iter().map(|listing| (listing.instrument, listing.clone())).collect();
        self.without_place.clear();
        self.additions.clear();
        for listing in listings {
            self.place(&Facts::of(listing), listing.instrument);
        }
    }

    /// Gives an instrument its places, before a worker is told to carry it.
    pub fn make_room(&mut self, instrument: InstrumentId) {
        let has_all = self
            .depth
            .find(&instrument)
            .is_some_and(|slot| self.qamddata.is_none() || self.depth.cells(slot) != 0);
        if !has_all {
            let facts = self.facts_of(instrument);
            self.place(&facts, instrument);
        }
    }

    /// Says which instruments workers carry, of all.
    pub fn set_all_carried(&mut self, carried: &HashSet<InstrumentId>) {
        for slot in 0..u32::try_from(self.depth.len()).unwrap_or(u32::MAX) {
            let slot = SlotIndex(slot);
            let is = self.depth.instrument(slot).is_some_and(|id| carried.contains(&id));
            self.note_carried(slot, is);
        }
    }

    /// Says whether any worker carries an instrument.
    pub fn set_carried(&mut self, instrument: &InstrumentId, carried: bool) {
        if let Some(slot) = self.depth.find(instrument) {
            self.note_carried(slot, carried);
        }
    }

    /// Does what is due: adds an instrument, looks after the mutex, says that the owner lives.
    pub fn turn(&mut self, now: Instant) {
        if now >= self.next_watch {
            self.next_watch = now + WATCH_INTERVAL;
            self.depth.seen(unix_ns());
            self.watch(now);
        }
        if let Some(instrument) = self.additions.take_due(now) {
            self.insert(instrument);
        }
    }

    /// When [`Self::turn`] has something to do next.
    #[must_use]
    pub fn next_deadline(&self, now: Instant) -> Instant {
        self.additions.next_deadline(now).map_or(self.next_watch, |next| next.min(self.next_watch))
    }

    /// How the segments are.
    #[must_use]
    pub fn report(&self) -> SegmentsReport {
        let first = self.without_place.iter().next();
        SegmentsReport {
            depth_instruments: self.depth.len(),
            depth_room: self.depth.room(),
            qamddata_instruments: self.qamddata.as_ref().map(|qamddata| qamddata.len() as u64),
            waiting: self.additions.len() as u64,
            without_place: self.without_place.len() as u64,
            example: first.map(|(instrument, why)| format!("{instrument}: {why}")),
            locks_freed: self.locks_freed,
            damaged: self.damaged.clone(),
        }
    }

    fn facts_of(&self, instrument: InstrumentId) -> Facts {
        self.listed
            .get(&instrument)
            .map_or_else(|| Facts::of(&Listing::unlisted(instrument)), Facts::of)
    }

    fn note_carried(&self, slot: SlotIndex, carried: bool) {
        if self.depth.is_carried(slot) != carried {
            self.depth.set_carried(slot, if carried { unix_ns() } else { 0 });
        }
    }

    /// Gives an instrument its slot, and its cells where it has them already; else it waits for its turn.
    fn place(&mut self, facts: &Facts, instrument: InstrumentId) {
        let slot = match self.depth.add(&instrument, &facts.slot) {
            Ok(slot) => slot,
            Err(error) => return self.has_no_place(instrument, crate::output::chain(&error)),
        };
        let Some(qamddata) = &self.qamddata else { return };
        match &facts.key {
            Err(error) => self.has_no_place(instrument, error.to_string()),
            Ok(key) => match qamddata.find(key) {
                Some(offset) => {
                    qamddata.set_facts(offset, &facts.instrument);
                    self.depth.set_cells(slot, offset);
                }
                None => match &self.damaged {
                    None => self.additions.add(instrument),
                    Some(why) => self.has_no_place(instrument, why.clone()),
                },
            },
        }
    }

    /// Inserts an instrument into `qamddata` and tells its workers, through the slot, where it lies.
    fn insert(&mut self, instrument: InstrumentId) {
        let facts = self.facts_of(instrument);
        let (Some(qamddata), Ok(key)) = (&mut self.qamddata, &facts.key) else { return };
        match qamddata.insert(key, &facts.instrument) {
            Ok(offset) => {
                if let Some(slot) = self.depth.find(&instrument) {
                    self.depth.set_cells(slot, offset);
                }
            }
            Err(InsertError::Damaged(why)) => {
                error!("{}", InsertError::Damaged(why.clone()));
                self.has_no_place(instrument, why.clone());
                self.additions.clear();
                self.damaged = Some(why);
            }
            Err(error) => self.has_no_place(instrument, error.to_string()),
        }
    }

    fn has_no_place(&mut self, instrument: InstrumentId, why: String) {
        if self.without_place.is_empty() {
            warn!("{instrument} is not in shared memory for other programs: {why}");
        }
        self.without_place.insert(instrument, why);
    }

    fn watch(&mut self, now: Instant) {
        let Some(qamddata) = &mut self.qamddata else { return };
        match qamddata.watch_lock(now) {
            Verdict::Well => {
                self.said_held = false;
            }
            Verdict::Free(lock) => {
                self.locks_freed += 1;
                warn!(
                    thread = lock.owner,
                    "a program died while it looked up a key in qamddata; its lock is freed"
                );
            }
            Verdict::HeldFor(lock, _) if !self.said_held => {
                self.said_held = true;
                warn!(
                    thread = lock.owner,
                    "a program has held the lock of qamddata for seconds (is it stopped?); no other can look up a key"
                );
            }
            Verdict::HeldFor(..) => {}
        }
    }
}

/// Says how a segment came to be; what was put away in a warning.
fn announce(place: &Place, opening: &Opening, instruments: usize) {
    let path = place.path().display();
    match opening {
        Opening::Reused => info!(instruments, "{path} goes on"),
        Opening::Made => info!(instruments, "{path} is made"),
        Opening::Replaced(why) => warn!(
            instruments,
            "{path} could not be used ({why}): it lies in {} now, and a new one is in its place; programs that had it mapped must be restarted",
            place.quarantine().display()
        ),
    }
}

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
    /// The group that may open them.
    pub group: u32,
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
    closed: Option<String>,
    /// Names under which another file stands than ours.
    displaced: Vec<String>,
    /// Each segment's place, and the file that is ours.
    places: Vec<(Place, (u64, u64))>,
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
        Sharing { mode, group: Some(self.group) }
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
        let mut places = Vec::new();
        let mut made = None;
        let qamddata = settings.qamddata.as_ref().map(|name| {
            let place = Place::named(name);
            let facts = universe.instruments.iter().map(Facts::of);
            let keyed: Vec<_> =
                facts.filter_map(|facts| Some((facts.key.ok()?, facts.instrument))).collect();
            let sharing = settings.sharing(SegmentSettings::QAMDDATA_MODE);
            let (owner, opening) = QamddataOwner::open(&place, &keyed, sharing)?;
            announce(&place, &opening, owner.len());
            made = (opening == Opening::Made).then(|| place.clone());
            places.push((place, owner.identity()));
            Ok::<_, OwnerError>(owner)
        });
        let qamddata = qamddata.transpose()?;
        let place = Place::named(&paths.depth_name());
        let sharing = settings.sharing(SegmentSettings::DEPTH_MODE);
        let (depth, opening) = DepthOwner::open(&place, universe.instruments.len(), sharing)
            // What this start has made goes with it; the failure is what is said.
            .inspect_err(|_| drop(made.as_ref().map(Place::remove)))?;
        announce(&place, &opening, depth.len() as usize);
        places.push((place, depth.identity()));
        let name = settings.qamddata.as_deref().unwrap_or_default();
        depth.set_qamddata(name, qamddata.as_ref().map_or(0, QamddataOwner::inode));
        let mut segments = Self {
            depth,
            qamddata,
            listed: HashMap::new(),
            additions: Additions::default(),
            without_place: BTreeMap::new(),
            closed: None,
            displaced: Vec::new(),
            places,
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
        for listing in listings {
            self.place(&Facts::of(listing), listing.instrument);
        }
    }

    /// A worker is about to be told to carry an instrument: what is listed has its places by now. Others get them with their first
    /// tick, since anybody may wish for anything, and nothing is ever removed.
    pub fn assigned(&mut self, instrument: InstrumentId) {
        if self.listed.contains_key(&instrument) {
            self.make_room(instrument);
        }
        self.set_carried(&instrument, true);
    }

    /// An instrument ticks.
    pub fn ticks(&mut self, instrument: InstrumentId) {
        self.make_room(instrument);
        self.set_carried(&instrument, true);
    }

    /// Gives an instrument its places.
    fn make_room(&mut self, instrument: InstrumentId) {
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
        if !carried && !self.listed.contains_key(instrument) {
            self.without_place.remove(instrument);
        }
    }

    /// Does what is due: adds an instrument, looks after the mutex, says that the owner lives.
    pub fn turn(&mut self, now: Instant) {
        if now >= self.next_watch {
            self.next_watch = now + WATCH_INTERVAL;
            self.depth.seen(unix_ns());
            self.watch(now);
            self.look_at_names();
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
            closed: self.closed.clone(),
            displaced: self.displaced.clone(),
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

    /// Whether the names still lead to our files: what others remove or replace, nobody who comes later finds.
    fn look_at_names(&mut self) {
        let displaced = self.places.iter().filter(|(place, ours)| place.identity() != Some(*ours));
        let displaced: Vec<String> =
            displaced.map(|(place, _)| place.path().display().to_string()).collect();
        if displaced.len() > self.displaced.len() {
            warn!(
                "{} was removed or replaced by somebody else: programs that open it from here on do not find ours; restart qamd",
                displaced.join(", ")
            );
        }
        self.displaced = displaced;
    }

    /// Gives an instrument its slot, and its cells where it has them already; else it waits for its turn.
    fn place(&mut self, facts: &Facts, instrument: InstrumentId) {
        let slot = match self.depth.add(&instrument, &facts.slot) {
            Ok(slot) => slot,
            Err(error) => return self.has_no_place(instrument, crate::output::chain(&error)),
        };
        let Some(qamddata) = &self.qamddata else {
            self.without_place.remove(&instrument);
            return;
        };
        match &facts.key {
            Err(error) => self.has_no_place(instrument, error.to_string()),
            Ok(key) => match qamddata.find(key) {
                Some(offset) => {
                    qamddata.set_facts(offset, &facts.instrument);
                    self.lies_at(slot, offset);
                    self.without_place.remove(&instrument);
                }
                None => match &self.closed {
                    None => self.additions.add(instrument),
                    Some(why) => self.has_no_place(instrument, why.clone()),
                },
            },
        }
    }

    /// Tells the workers, through the slot, where an instrument lies in `qamddata`.
    fn lies_at(&self, slot: SlotIndex, offset: u64) {
        let before = self.depth.cells(slot);
        self.depth.set_cells(slot, offset);
        if let Some(qamddata) = self.qamddata.as_ref().filter(|_| before != 0 && before != offset) {
            warn!(
                instrument = ?self.depth.instrument(slot),
                "is listed with another exchange now: under its old key in qamddata its prices are unknown from here on"
            );
            qamddata.forget_prices(before);
        }
    }

    /// Inserts an instrument into `qamddata`.
    fn insert(&mut self, instrument: InstrumentId) {
        let facts = self.facts_of(instrument);
        let (Some(qamddata), Ok(key)) = (&mut self.qamddata, &facts.key) else { return };
        match qamddata.insert(key, &facts.instrument) {
            Ok(offset) => {
                if let Some(slot) = self.depth.find(&instrument) {
                    self.lies_at(slot, offset);
                }
                self.without_place.remove(&instrument);
            }
            // Neither ends by itself, and asking again costs a look at the whole segment each time.
            Err(error @ (InsertError::Damaged(_) | InsertError::Full(_))) => {
                error!("{error}");
                let why = error.to_string();
                self.closed = Some(why.clone());
                let waiting = self.additions.take_all();
                for instrument in waiting.into_iter().chain([instrument]) {
                    self.has_no_place(instrument, why.clone());
                }
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

//! First-arrival merge: of the copies of a tick that several workers bring, the first is handed on. Pure.
//!
//! An instrument comes from several workers where the fleet is redundant, and while it moves from one to another. Each
//! reader merges for itself, so the copies may win in one and lose in the other. For each instrument:
//!
//! * the ticks handed on last are remembered by what identifies them (`content.rs`), and for each worker's life how
//!   far in them it has come;
//! * a tick that is remembered beyond that point is a **copy**, and dropped. One that is remembered before it is
//!   no copy: its worker has brought that one already, and says the same once more. Thus CZCE's exact duplicates pass, as
//!   often as the exchange sent them and not as often as they came;
//! * a tick of a worker that has brought all that is remembered is **new**, whatever its time says. Thus a worker
//!   that is alone never loses a tick, nor do several that agree: not when time runs back, nor when it is absent;
//! * a tick of a worker that is behind is new when its time, or with equal times its volume, is greater than that of
//!   the tick handed on last. If it is not, the tick belongs somewhere in between: it is **late**, and dropped, for an
//!   instrument's order never goes back. (Or this worker has left something out, and the tick follows within the same
//!   CZCE second upon what is remembered. The two cannot be told apart, and whoever left nothing out will bring it.)
//!   Once nobody has been ahead for [`MERGE_LATE_NS`](crate::limits::MERGE_LATE_NS), nothing is late;
//! * a tick that is new for its time alone, of a worker that begins, is **early** while the ring may hold earlier ones of
//!   others, as it does after the reader was held up: it is kept back until the ring was found empty;
//! * a **snapshot** ([`TickFlags::SNAPSHOT`]) of the tick handed on last is handed on again, for it may have been
//!   published for the sake of somebody who has not seen it: *a reader that keeps last ticks drops it by
//!   [`is_same_tick`]*. One of something older is dropped. Neither is counted as a copy or as late: a snapshot says
//!   nothing about a connection's pace.
//!
//! A worker that brings nothing while a whole window is handed on has ceased to carry the instrument. A worker's new life
//! begins without a place, and ends the old one's.

mod content;
mod history;
mod origin;
mod places;
mod tally;
mod window;

pub use content::is_same_tick;
#[cfg(any(feature = "control", test))]
pub(super) use tally::Tally;

use std::hash::BuildHasher;

use foldhash::fast::RandomState;

use crate::instrument_id::InstrumentId;
use crate::limits::{MERGE_EARLY_MAX, MERGE_INSTRUMENTS_MAX};
use crate::tick::{Tick, TickFlags};
use content::{Moment, identity};
use history::{History, Outcome, Verdict};
use origin::Arrival;
use places::Places;
use tally::{Slot, Tallies};

/// What is to be done with a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Merged {
    /// Hand it on.
    HandOn,
    /// Hand it on: there was no room to look whether it is a copy.
    Unmerged,
    /// Drop it.
    Drop,
    /// It was kept back, and comes with a later [`Merge::release`].
    KeptBack,
}

/// The state of one reader's merge.
#[derive(Debug, Default)]
pub(super) struct Merge {
    places: Places,
    /// By those numbers.
    histories: Vec<History>,
    tallies: Tallies,
    /// What was kept back, in the order in which it came.
    early: Vec<Tick>,
    hashing: RandomState,
}

// === impl Merge ===

impl Merge {
    /// Takes a tick; `lost`: how many of its worker's were lost just before it.
    pub(super) fn take(&mut self, tick: &Tick, lost: u64) -> Merged {
        let slot = self.tallies.slot(tick.origin().0);
        if let Some(tally) = self.tallies.get_mut(slot) {
            tally.ticks += 1;
            tally.lost += lost;
        }
        let merged = self.judge(tick, slot, true);
        if merged == Merged::KeptBack {
            self.early.push(*tick);
        }
        merged
    }

    /// True when so much is kept back that the ring is no longer waited for.
    pub(super) const fn is_full(&self) -> bool {
        self.early.len() >= MERGE_EARLY_MAX
    }

    /// True when something is kept back.
    pub(super) const fn keeps_some_back(&self) -> bool {
        !self.early.is_empty()
    }

    /// The ring was found empty: takes what was kept back once more, in the order in which workers received it, and hands
    /// on what nobody else has brought meanwhile. Returns how many ticks that leaves out.
    pub(super) fn release(&mut self, each: &mut dyn FnMut(&Tick)) -> usize {
        let mut early = std::mem::take(&mut self.early);
        early.sort_by_key(|tick| tick.receive_time_ns);
        let mut dropped = 0;
        for tick in &early {
            let slot = self.tallies.slot(tick.origin().0);
            if self.judge(tick, slot, false) == Merged::HandOn {
                each(tick);
            } else {
                dropped += 1;
            }
        }
        dropped
    }

    fn judge(&mut self, tick: &Tick, slot: Slot, may_be_early: bool) -> Merged {
        let (worker, incarnation) = tick.origin();
        let lost = self.tallies.get_mut(slot).map_or(0, |tally| tally.lost);
        let Some(at) = self.place(&tick.instrument_id) else { return Merged::Unmerged };
        let arrival = Arrival {
            worker,
            incarnation,
            slot,
            lost,
            snapshot: TickFlags(tick.flags).contains(TickFlags::SNAPSHOT),
            sequence: tick.sequence,
            may_be_early,
            fingerprint: self.hashing.hash_one(identity(tick)),
            moment: Moment::of(tick),
            received_ns: tick.receive_time_ns,
        };
        let Outcome { verdict, missed } = self.histories[at].take(&arrival);
        if verdict == Verdict::New && missed == 0 {
            return Merged::HandOn;
        }
        self.count(&arrival, verdict, missed);
        match verdict {
            Verdict::New | Verdict::Again => Merged::HandOn,
            Verdict::Copy(_) | Verdict::Late | Verdict::Past => Merged::Drop,
            Verdict::Early => Merged::KeptBack,
        }
    }

    /// The counters of every worker seen so far.
    #[cfg(any(feature = "control", test))]
    pub(super) fn tallies(&self) -> &[Tally] {
        self.tallies.all()
    }

    fn place(&mut self, instrument: &[u8; InstrumentId::CAPACITY]) -> Option<usize> {
        if let Some(at) = self.places.get(instrument) {
            return Some(at);
        }
        if self.places.len() >= MERGE_INSTRUMENTS_MAX {
            return None;
        }
        self.histories.push(History::new());
        Some(self.places.insert(instrument))
    }

    fn count(&mut self, arrival: &Arrival, verdict: Verdict, missed: u64) {
        let Some(own) = self.tallies.get_mut(arrival.slot) else { return };
        own.missed += missed;
        match verdict {
            Verdict::New | Verdict::Again | Verdict::Past | Verdict::Early => {}
            Verdict::Late => own.late += 1,
            // A life's copy of what its predecessor brought compares nobody.
            Verdict::Copy(of) if of.by == arrival.slot => {}
            Verdict::Copy(of) => {
                own.copies += 1;
                own.behind_ns = own.behind_ns.saturating_add(of.behind_ns);
                if let Some(winner) = self.tallies.get_mut(of.by).filter(|_| of.first_copy) {
                    winner.won += 1;
                }
            }
        }
    }
}

const _: () = assert!(MERGE_INSTRUMENTS_MAX < u32::MAX as usize);

#[cfg(test)]
mod tests;

//! How far one life of a worker has come in an instrument's history. Pure.

use super::content::Moment;
use super::tally::Slot;
use crate::numbers::{Incarnation, WorkerId};

/// A tick that has come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival {
    pub(super) worker: WorkerId,
    pub(super) incarnation: Incarnation,
    /// Where the worker's counters are.
    pub(super) slot: Slot,
    /// Ticks of this worker that the reader has lost so far.
    pub(super) lost: u64,
    /// It is flagged [`crate::TickFlags::SNAPSHOT`].
    pub(super) snapshot: bool,
    /// Its number in the worker's life.
    pub(super) sequence: u64,
    /// Others' earlier ticks may still wait in the ring. When not, it may have been kept back for that.
    pub(super) may_be_early: bool,
    pub(super) fingerprint: u64,
    pub(super) moment: Moment,
    pub(super) received_ns: i64,
}

/// One life of a worker that carries the instrument.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin {
    pub(super) worker: WorkerId,
    pub(super) incarnation: Incarnation,
    /// The place after the last entry that it brought; 0 when that is not known.
    pub(super) next: u64,
    /// The places of entries that it passed over, perhaps: should it bring one of them now, an earlier match was wrong, for
    /// a quote may swing back within the same second.
    pub(super) doubt: (u64, u64),
    /// It is not taken to be ahead meanwhile; else a snapshot told where it is.
    pub(super) has_jumped: bool,
    /// How many of these to count as missed then.
    pub(super) skipped: u64,
    /// It carried the instrument without a break since `next` was set, as far as this reader knows.
    pub(super) steady: bool,
    /// The end of the window when it brought something last.
    pub(super) seen_at: u64,
    /// Ticks late in a row while nothing was handed on.
    pub(super) streak: u32,
    /// [`Arrival::lost`] of its last tick.
    pub(super) lost: u64,
    /// [`Arrival::sequence`] of its last tick that was not kept back.
    pub(super) sequence: u64,
}

// === impl Origin ===

impl Origin {
    pub(super) const UNKNOWN: u64 = 0;

    pub(super) const fn new(tick: &Arrival) -> Self {
        Self {
            worker: tick.worker,
            incarnation: tick.incarnation,
            next: Self::UNKNOWN,
            doubt: (0, 0),
            has_jumped: false,
            skipped: 0,
            steady: false,
            seen_at: 0,
            streak: 0,
            lost: tick.lost,
            sequence: 0,
        }
    }

    pub(super) fn is_of(&self, tick: &Arrival) -> bool {
        self.worker == tick.worker && self.incarnation == tick.incarnation
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        self.worker == other.worker && self.incarnation == other.incarnation
    }

    pub(super) const fn is_in_doubt(&self) -> bool {
        self.doubt.0 < self.doubt.1
    }

    /// It was at the right place, then, and goes on: returns what it has left out.
    pub(super) fn goes_on(&mut self) -> u64 {
        self.doubt = (0, 0);
        self.has_jumped = false;
        std::mem::take(&mut self.skipped)
    }

    /// It is not known any more how far it has come.
    pub(super) fn lose_place(&mut self) {
        self.goes_on();
        self.next = Self::UNKNOWN;
        self.steady = false;
    }

    /// Its place is taken to be after this entry, the newest one that says what it says.
    pub(super) fn begin_after(&mut self, place: u64, window_start: u64) {
        self.lose_place();
        self.next = place + 1;
        self.doubt = (window_start, self.next);
    }
}

//! What failed where, and for how long that is remembered (pure).

use std::collections::BTreeMap;
use std::time::Instant;

use shm_layout::InstrumentId;

use super::Placement;
use crate::limits::{REFUSAL_MEMORY, REFUSALS_ENOUGH, SILENCE_MEMORY, SILENCE_MEMORY_MAX};
use crate::planner::{Acceptance, ItemIndex, SeatIndex};

/// A front's final no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Which connection's.
    pub seat: SeatIndex,
    /// CTP's ErrorID.
    pub error_id: i32,
    /// CTP's message.
    pub message: String,
}

/// All failures, by item.
#[derive(Debug, Default)]
pub(super) struct Failures {
    items: BTreeMap<ItemIndex, Vec<Failure>>,
    /// How often in a row each was silent somewhere.
    silences: BTreeMap<ItemIndex, u32>,
}

#[derive(Debug)]
struct Failure {
    seat: SeatIndex,
    until: Instant,
    /// `None` for silence.
    refusal: Option<Refusal>,
}

// === impl Failures ===

impl Failures {
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.items.values().flatten().map(|failure| failure.until).min()
    }

    pub(super) fn forget(&mut self, index: ItemIndex) {
        self.items.remove(&index);
        self.silences.remove(&index);
    }

    /// It ticks: whoever is silent about it next is the first.
    pub(super) fn ticks(&mut self, index: ItemIndex) {
        if !self.silences.is_empty() {
            self.silences.remove(&index);
        }
    }

    fn silence_lasts(&mut self, index: ItemIndex) -> std::time::Duration {
        let silences = self.silences.entry(index).or_default();
        let doublings = (*silences).min(16);
        *silences += 1;
        SILENCE_MEMORY.saturating_mul(1 << doublings).min(SILENCE_MEMORY_MAX)
    }

    fn note(&mut self, index: ItemIndex, failure: Failure) {
        let failures = self.items.entry(index).or_default();
        failures.retain(|known| known.seat != failure.seat);
        failures.push(failure);
    }

    fn refusals(&self, index: ItemIndex) -> impl Iterator<Item = &Refusal> {
        self.items.get(&index).into_iter().flatten().filter_map(|failure| failure.refusal.as_ref())
    }
}

impl Placement {
    /// Wanted instruments that no connection carries for now since fronts refuse them, and those that a front refused
    /// while others are being tried: with the last refusal of each.
    pub fn refused_ones(&self) -> impl Iterator<Item = (InstrumentId, &Refusal, bool)> {
        self.failures.items.keys().filter_map(|index| {
            let item = self.item(*index);
            let refusal = self.failures.refusals(*index).last().filter(|_| item.wanted)?;
            Some((self.instruments[*index as usize]?, refusal, item.parked))
        })
    }

    /// A connection's front begins another trading day: its refusals are those of the day before.
    pub fn new_trading_day(&mut self, seat: SeatIndex) {
        self.pardon(|failure| failure.seat == seat && failure.refusal.is_some());
    }

    /// Forgets what is long ago.
    pub(super) fn forgive(&mut self, now: Instant) {
        if self.failures.next_deadline().is_some_and(|due| due <= now) {
            self.pardon(|failure| failure.until <= now);
        }
    }

    pub(super) fn refused(
        &mut self,
        index: ItemIndex,
        seat: SeatIndex,
        error_id: i32,
        message: String,
        now: Instant,
    ) {
        let refusal = Some(Refusal { seat, error_id, message });
        self.failures.note(index, Failure { seat, until: now + REFUSAL_MEMORY, refusal });
        self.weigh(index);
    }

    pub(super) fn fell_silent(&mut self, index: ItemIndex, seat: SeatIndex, now: Instant) {
        let until = now + self.failures.silence_lasts(index);
        self.failures.note(index, Failure { seat, until, refusal: None });
        self.weigh(index);
    }

    /// A connection may be worth a try for what others refused.
    pub(super) fn reopen_parked(&mut self, seat: SeatIndex) {
        if self.seat(seat).accepts != Acceptance::Never {
            let parked: Vec<_> = self.failures.items.keys().copied().collect();
            parked.into_iter().for_each(|index| self.weigh(index));
        }
    }

    fn pardon(&mut self, pardoned: impl Fn(&Failure) -> bool) {
        let mut touched = Vec::new();
        for (index, failures) in &mut self.failures.items {
            let before = failures.len();
            failures.retain(|failure| !pardoned(failure));
            if failures.len() < before {
                touched.push(*index);
            }
        }
        for index in touched {
            self.weigh(index);
        }
        self.failures.items.retain(|_, failures| !failures.is_empty());
    }

    /// Says to the board what an item's failures mean: seats to avoid, and whether to try any at all.
    fn weigh(&mut self, index: ItemIndex) {
        let banned: Vec<SeatIndex> = self
            .failures
            .items
            .get(&index)
            .map(|failures| failures.iter().map(|failure| failure.seat).collect())
            .unwrap_or_default();
        let refused_by =
            |seat: SeatIndex| self.failures.refusals(index).any(|refusal| refusal.seat == seat);
        let refusals = self.failures.refusals(index).count();
        let untried = (0..)
            .zip(&self.board.seats)
            .any(|(seat, place)| place.accepts != Acceptance::Never && !refused_by(seat));
        let parked = refusals >= REFUSALS_ENOUGH || (refusals > 0 && !untried);
        let refused_by: Vec<SeatIndex> =
            self.failures.refusals(index).map(|refusal| refusal.seat).collect();
        let item = &mut self.board.items[index as usize];
        if (item.parked, &item.banned, &item.refused_by) != (parked, &banned, &refused_by) {
            (item.parked, item.banned, item.refused_by) = (parked, banned, refused_by);
            self.changed = true;
        }
    }
}

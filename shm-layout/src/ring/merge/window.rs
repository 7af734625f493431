//! The last ticks of an instrument that were handed on, by their places in its history. Pure.

use std::ops::Range;

use super::content::Moment;
use super::tally::Slot;
use crate::limits::{MERGE_WINDOW_MAX, MERGE_WINDOW_MIN};

/// A tick that was handed on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    /// A hash of what identifies it.
    pub(super) fingerprint: u64,
    /// Its [`Moment`] in two parts: 25,000 instruments have up to 32 entries each, so these are packed.
    when: i64,
    volume: i32,
    /// When its worker received it: wall clock, nanoseconds since 1970-01-01 UTC, or [`crate::NO_TIME`].
    pub(super) received_ns: i64,
    /// Who brought it.
    pub(super) by: Slot,
    /// Another worker has brought it, too.
    pub(super) contested: bool,
}

const _: () = assert!(size_of::<Entry>() == 32);

// === impl Entry ===

impl Entry {
    pub(super) const fn new(fingerprint: u64, moment: Moment, received_ns: i64, by: Slot) -> Self {
        let Moment { when, volume } = moment;
        Self { fingerprint, when, volume, received_ns, by, contested: false }
    }

    pub(super) const fn moment(&self) -> Moment {
        Moment { when: self.when, volume: self.volume }
    }
}

/// The entries, each at its place; places count from [`Window::FIRST_PLACE`] and are never given twice.
#[derive(Debug)]
pub(super) struct Window {
    /// A power of two of them; place `p` stands at `p` modulo that.
    entries: Vec<Entry>,
    start: u64,
    end: u64,
}

// === impl Window ===

impl Window {
    /// Not 0, so that 0 is no place.
    pub(super) const FIRST_PLACE: u64 = 1;

    pub(super) const fn new() -> Self {
        Self { entries: Vec::new(), start: Self::FIRST_PLACE, end: Self::FIRST_PLACE }
    }

    /// The place of the oldest entry that is kept.
    pub(super) const fn start(&self) -> u64 {
        self.start
    }

    /// The place that the next entry gets.
    pub(super) const fn end(&self) -> u64 {
        self.end
    }

    pub(super) fn last(&self) -> Option<&Entry> {
        self.get(self.end - 1)
    }

    pub(super) fn get(&self, place: u64) -> Option<&Entry> {
        (self.start..self.end).contains(&place).then(|| &self.entries[self.index(place)])
    }

    pub(super) fn get_mut(&mut self, place: u64) -> Option<&mut Entry> {
        let index = (self.start..self.end).contains(&place).then(|| self.index(place))?;
        self.entries.get_mut(index)
    }

    /// The oldest entry of that content among these places.
    pub(super) fn find(&self, places: Range<u64>, fingerprint: u64) -> Option<u64> {
        self.kept(places).find(|place| self.entries[self.index(*place)].fingerprint == fingerprint)
    }

    /// The newest entry of that content among these places.
    pub(super) fn find_newest(&self, places: Range<u64>, fingerprint: u64) -> Option<u64> {
        self.kept(places)
            .rev()
            .find(|place| self.entries[self.index(*place)].fingerprint == fingerprint)
    }

    /// True when one more entry takes the oldest one's place.
    pub(super) fn is_full(&self) -> bool {
        self.end - self.start == self.capacity()
    }

    /// True when it holds as many entries as it may.
    pub(super) fn is_greatest(&self) -> bool {
        self.entries.len() >= MERGE_WINDOW_MAX
    }

    /// Makes room for twice as many entries.
    pub(super) fn grow(&mut self) {
        let kept: Vec<(u64, Entry)> =
            (self.start..self.end).map(|place| (place, self.entries[self.index(place)])).collect();
        let Some((_, filler)) = kept.first().copied() else { return };
        let capacity = self.entries.len() * 2;
        self.entries = Vec::with_capacity(capacity);
        self.entries.resize(capacity, filler);
        for (place, entry) in kept {
            let index = self.index(place);
            self.entries[index] = entry;
        }
    }

    /// Puts an entry at the end.
    pub(super) fn push(&mut self, entry: Entry) {
        if self.entries.is_empty() {
            self.entries.reserve_exact(MERGE_WINDOW_MIN);
            self.entries.resize(MERGE_WINDOW_MIN, entry);
        }
        if self.is_full() {
            self.start += 1;
        }
        let index = self.index(self.end);
        self.entries[index] = entry;
        self.end += 1;
    }

    fn kept(&self, places: Range<u64>) -> Range<u64> {
        places.start.max(self.start)..places.end.min(self.end)
    }

    const fn capacity(&self) -> u64 {
        self.entries.len() as u64
    }

    /// Where a kept place stands; the remainder fits.
    #[expect(clippy::cast_possible_truncation, reason = "masked by the number of entries")]
    const fn index(&self, place: u64) -> usize {
        (place & (self.capacity() - 1)) as usize
    }
}

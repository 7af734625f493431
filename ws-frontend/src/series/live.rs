//! A series that somebody has open (pure).

use std::collections::VecDeque;

use super::Kind;
use super::bar::{BAR_FIELDS, Bar, Changes, Part};
use super::bar_duration::{BarDuration, Place};
use super::instrument::Ended;

/// A series, shared by all who have it open. One of ticks has no bars: they are read where they are kept.
#[derive(Debug)]
pub(super) struct Live {
    /// The number of its instrument.
    pub(super) instrument: u32,
    pub(super) kind: Kind,
    /// How many have it open.
    pub(super) openings: u32,
    pub(super) bars: VecDeque<Bar>,
    pub(super) first_id: i64,
    pub(super) revision: u64,
    /// In which revision each field of the last bar changed.
    pub(super) changed: [u64; BAR_FIELDS],
}

// === impl Live ===

impl Live {
    /// A series without bars. Ids go on after those of `ended`.
    pub(super) fn new(instrument: u32, kind: Kind, ended: Option<Ended>) -> Self {
        Self {
            instrument,
            kind,
            openings: 1,
            bars: VecDeque::new(),
            first_id: ended.map_or(0, |ended| ended.id + 1),
            revision: 0,
            changed: [0; BAR_FIELDS],
        }
    }

    /// Adds a tick or a minute bar. Before a new bar the oldest goes when there are `bars_max`.
    pub(super) fn take(&mut self, duration: BarDuration, part: &Part, bars_max: usize) {
        let changes = match (duration.place(self.bars.back(), part), self.bars.back_mut()) {
            (Place::New(datetime_ns), _) => {
                self.append(Bar { datetime_ns, ..part.bar }, duration, bars_max);
                Changes::ALL
            }
            (Place::Last, Some(last)) => {
                let before = *last;
                last.absorb(&part.bar);
                last.changes_since(&before)
            }
            (Place::Last, None) | (Place::Nowhere, _) => return,
        };
        if !changes.is_empty() {
            self.revision += 1;
            changes.note(self.revision, &mut self.changed);
        }
    }

    /// Gives bars that were made anew the ids they had when a series of them ended: the bar that was the last one then has
    /// the id it had, and the others count from it. Where none is left of that time, ids come from the time again.
    pub(super) fn go_on_from(&mut self, ended: Ended, duration: BarDuration) {
        let before = self.bars.partition_point(|bar| bar.datetime_ns < ended.datetime_ns);
        let is_there =
            self.bars.get(before).is_some_and(|bar| bar.datetime_ns == ended.datetime_ns);
        let next = if is_there { ended.id } else { ended.id + 1 };
        self.first_id = match (before, is_there, self.bars.front()) {
            (0, false, Some(first)) => next.max(duration.first_id(first.datetime_ns)),
            _ => next - i64::try_from(before).unwrap_or(0),
        };
    }

    /// Where it ends; `None` when it has no bars.
    pub(super) fn end(&self) -> Option<Ended> {
        let last = self.bars.back()?;
        Some(Ended { datetime_ns: last.datetime_ns, id: self.last_id() })
    }

    pub(super) fn last_id(&self) -> i64 {
        self.first_id + i64::try_from(self.bars.len()).unwrap_or(0) - 1
    }

    /// What it counts as among the bars of all: one at least, so that it can gain its first.
    pub(super) fn counted(&self) -> usize {
        self.bars.len().max(1)
    }

    fn append(&mut self, bar: Bar, duration: BarDuration, bars_max: usize) {
        if self.bars.is_empty() {
            self.first_id = self.first_id.max(duration.first_id(bar.datetime_ns));
        }
        if self.bars.len() >= bars_max && self.bars.pop_front().is_some() {
            self.first_id += 1;
        }
        if self.bars.len() == self.bars.capacity() {
            // An eighth more at a time: doubling would waste as much as there is.
            self.bars.reserve_exact(16.max(self.bars.len() / 8));
        }
        self.bars.push_back(bar);
    }
}

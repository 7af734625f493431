//! What a reader missed, by the sequences of what it got. Pure.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::numbers::{Incarnation, WorkerId};

/// Counts the gaps in each worker's sequences.
///
/// A worker's sequence counts from 1 in each incarnation. A reader that attaches while an incarnation runs starts from
/// what it sees first; an incarnation that began after the reader attached is owed from 1, so ticks overwritten before
/// the reader's first look count too.
#[derive(Debug)]
pub(super) struct LossCounter {
    /// [`crate::clock::boot_ns`] at the reader's start, comparable with [`Incarnation`].
    attached_at: u64,
    lives: HashMap<WorkerId, Life, RandomState>,
}

#[derive(Debug, Clone, Copy)]
struct Life {
    incarnation: Incarnation,
    /// The sequence expected next.
    next: u64,
}

impl LossCounter {
    pub(super) fn new(attached_at: u64) -> Self {
        Self { attached_at, lives: HashMap::default() }
    }

    /// Takes note of a tick and returns how many of its worker's were missed just before it.
    pub(super) fn note(
        &mut self,
        worker: WorkerId,
        incarnation: Incarnation,
        sequence: u64,
    ) -> u64 {
        let attached_at = self.attached_at;
        let owed_from = |incarnation: Incarnation| {
            if incarnation.0 > attached_at { 1 } else { sequence }
        };
        let life = self
            .lives
            .entry(worker)
            .or_insert_with(|| Life { incarnation, next: owed_from(incarnation) });
        if incarnation < life.incarnation {
            // The rest of a dead life's buffer, read after its successor's first tick: late, and not a gap.
            return 0;
        }
        if incarnation > life.incarnation {
            *life = Life { incarnation, next: owed_from(incarnation) };
        }
        let missed = sequence.saturating_sub(life.next);
        life.next = life.next.max(sequence.saturating_add(1));
        missed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const W: WorkerId = WorkerId(3);

    #[test]
    fn a_reader_that_comes_late_owes_nothing_before_its_first_tick() {
        let mut counter = LossCounter::new(1_000);
        assert_eq!(counter.note(W, Incarnation(500), 40), 0);
        assert_eq!(counter.note(W, Incarnation(500), 41), 0);
        assert_eq!(counter.note(W, Incarnation(500), 45), 3);
    }

    #[test]
    fn a_life_that_began_under_the_readers_eyes_is_owed_whole() {
        let mut counter = LossCounter::new(1_000);
        assert_eq!(counter.note(W, Incarnation(2_000), 3), 2);
        assert_eq!(counter.note(W, Incarnation(3_000), 1), 0);
        assert_eq!(counter.note(W, Incarnation(2_000), 4), 0, "late from a dead life");
        assert_eq!(counter.note(W, Incarnation(3_000), 2), 0);
    }

    proptest! {
        /// Whatever is dropped on the way, taken plus missed is what was sent up to the last one taken.
        #[test]
        fn taken_and_missed_add_up(kept in prop::collection::vec(any::<bool>(), 1..500)) {
            let mut counter = LossCounter::new(0);
            let (mut taken, mut missed, mut last) = (0, 0, 0);
            for (index, _) in kept.iter().enumerate().filter(|(_, kept)| **kept) {
                last = index as u64 + 1;
                missed += counter.note(W, Incarnation(7), last);
                taken += 1;
            }
            prop_assert_eq!(taken + missed, last);
        }
    }
}

//! Cases by hand; `properties.rs` has the random ones.

use super::*;
use crate::limits::{
    MERGE_LATE_NS, MERGE_LATE_STREAK_MAX, MERGE_ORIGINS_MAX, MERGE_WINDOW_MAX, MERGE_WINDOW_MIN,
};
use crate::tick::NO_TIME;

mod backlog;
mod properties;

const MS: i64 = 1_000_000;
const SECOND: i64 = 1000 * MS;
const START: i64 = 1_740_965_400 * SECOND;

/// A reader, and when which tick comes to it.
struct Stage {
    merge: Merge,
    now: i64,
}

/// Who sends: a worker in one of its lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Life(u32, u64);

const A: Life = Life(0, 1);
const B: Life = Life(1, 1);
const C: Life = Life(2, 1);

/// The exchange's tick at that time with that volume and best bid.
fn said(seconds: i64, volume: i32, bid: i32) -> Tick {
    let exchange_time_ns = START + seconds * SECOND;
    // As if it were written out.
    let raw_update_time = seconds.to_le_bytes();
    let mut levels = Tick::EMPTY.levels;
    (levels[0].bid_price, levels[0].bid_volume) = (f64::from(bid), 1);
    Tick { exchange_time_ns, raw_update_time, volume, levels, ..Tick::EMPTY }
}

/// Ticks that differ in time and volume.
fn plain(numbers: std::ops::Range<i32>) -> Vec<Tick> {
    numbers.map(|number| said(i64::from(number), number, 1)).collect()
}

fn snapshot(tick: &Tick) -> Tick {
    Tick { flags: TickFlags::SNAPSHOT.0, ..*tick }
}

impl Stage {
    fn new() -> Self {
        Self { merge: Merge::default(), now: START }
    }

    /// A worker brings a tick, a millisecond after what came before; true when it is handed on.
    fn brings(&mut self, life: Life, tick: &Tick) -> bool {
        self.now += MS;
        let receive_time_ns = self.now;
        self.brings_as(life, &Tick { receive_time_ns, ..*tick }, 0)
    }

    fn brings_as(&mut self, Life(worker, incarnation): Life, tick: &Tick, lost: u64) -> bool {
        let merged = self.merge.take(&Tick { worker, incarnation, ..*tick }, lost);
        assert_ne!(merged, Merged::Unmerged);
        // A reader that keeps up finds the ring empty each time.
        merged == Merged::HandOn
            || merged == Merged::KeptBack && self.merge.release(&mut |_| ()) == 0
    }

    fn bring_all(&mut self, life: Life, ticks: &[Tick]) -> Vec<bool> {
        ticks.iter().map(|tick| self.brings(life, tick)).collect()
    }

    fn tally(&self, Life(worker, _): Life) -> Tally {
        *self.merge.tallies().iter().find(|tally| tally.worker.0 == worker).unwrap()
    }
}

#[test]
fn the_first_arrival_is_handed_on_and_the_copy_counted() {
    let mut stage = Stage::new();
    for (number, tick) in plain(0..100).iter().enumerate() {
        let (first, second) = if number % 4 == 0 { (B, A) } else { (A, B) };
        assert!(stage.brings(first, tick));
        stage.now += 4 * MS;
        assert!(!stage.brings(second, tick));
    }
    let (a, b) = (stage.tally(A), stage.tally(B));
    assert_eq!((a.ticks, a.won, a.copies, a.late, a.missed), (100, 75, 25, 0, 0));
    assert_eq!((b.ticks, b.won, b.copies, b.late, b.missed), (100, 25, 75, 0, 0));
    assert_eq!((a.behind_ns, b.behind_ns), (25 * 5_000_000, 75 * 5_000_000));
}

#[test]
fn one_win_is_counted_however_many_copies_come() {
    let mut stage = Stage::new();
    for tick in &plain(0..10) {
        assert_eq!([A, B, C].map(|life| stage.brings(life, tick)), [true, false, false]);
    }
    assert_eq!((stage.tally(A).won, stage.tally(B).copies, stage.tally(C).copies), (10, 10, 10));
}

#[test]
fn exact_duplicates_pass_as_often_as_the_exchange_sent_them() {
    let (tick, next) = (said(59, 5, 1), said(60, 5, 1));
    let mut stage = Stage::new();
    assert_eq!(stage.bring_all(A, &[tick, tick]), [true, true]);
    assert_eq!(stage.bring_all(B, &[tick, tick, tick, next]), [false, false, true, true]);
    assert_eq!(stage.bring_all(A, &[tick, next]), [false, false]);
}

#[test]
fn several_ticks_in_one_second_pass_in_their_order() {
    let ticks = [said(1, 5, 1), said(1, 5, 2), said(1, 6, 1), said(1, 6, 1), said(2, 6, 1)];
    let mut stage = Stage::new();
    assert_eq!(stage.bring_all(A, &ticks[..2]), [true; 2]);
    assert_eq!(stage.bring_all(B, &ticks[..4]), [false, false, true, true]);
    assert_eq!(stage.bring_all(A, &ticks[2..]), [false, false, true]);
    assert_eq!(stage.bring_all(B, &ticks[4..]), [false]);
}

#[test]
fn a_quote_that_swings_back_within_the_second_is_not_mistaken_for_long() {
    // A leaves out the first one. B's first is taken for A's second, until B goes on.
    let (low, high) = (said(1, 5, 1), said(1, 5, 2));
    let mut stage = Stage::new();
    let before = said(0, 5, 1);
    assert_eq!(stage.bring_all(A, &[before, high, low]), [true; 3]);
    assert_eq!(stage.bring_all(B, &[before, low, high, low]), [false; 4]);
    assert_eq!(stage.bring_all(B, &[said(2, 5, 1)]), [true]);
    assert_eq!(stage.tally(B).missed, 0);
}

#[test]
fn time_may_run_back_for_all_of_them() {
    let ticks: Vec<Tick> =
        [50, 51, 10, 11, 12, 60].map(|seconds| said(seconds, 9, 1)).into_iter().collect();
    let mut stage = Stage::new();
    assert_eq!(stage.bring_all(A, &ticks[..3]), [true; 3]);
    assert_eq!(stage.bring_all(B, &ticks[..4]), [false, false, false, true]);
    assert_eq!(stage.bring_all(A, &ticks[3..]), [false, true, true]);
    assert_eq!(stage.bring_all(B, &ticks[4..]), [false; 2]);
}

#[test]
fn what_one_leaves_out_the_other_brings_unless_it_is_too_late() {
    let ticks = plain(0..6);
    let mut stage = Stage::new();
    stage.bring_all(A, &ticks[..1]);
    stage.bring_all(B, &ticks[..1]);
    // B has left out tick 1 and is first with tick 2; A brings tick 1 after that.
    assert!(stage.brings(B, &ticks[2]));
    assert!(!stage.brings(A, &ticks[1]), "an order never goes back");
    assert_eq!(stage.bring_all(A, &ticks[2..4]), [false, true]);
    assert_eq!(stage.bring_all(B, &ticks[4..]), [true, true], "B has left out tick 3");
    let (a, b) = (stage.tally(A), stage.tally(B));
    assert_eq!((a.late, a.missed, a.copies), (1, 0, 2 - 1));
    assert_eq!((b.late, b.missed), (0, 1));
}

#[test]
fn what_this_reader_lost_is_not_held_against_the_worker() {
    let ticks = plain(0..10);
    let mut stage = Stage::new();
    stage.bring_all(A, &ticks[..5]);
    stage.bring_all(B, &ticks[..2]);
    let merged = stage.brings_as(B, &ticks[4], 2);
    assert!(!merged);
    assert_eq!((stage.tally(B).missed, stage.tally(B).lost), (0, 2));
    stage.bring_all(A, &ticks[5..9]);
    assert_eq!(stage.bring_all(B, &ticks[8..]), [false, true]);
    assert_eq!(stage.tally(B).missed, 3, "and this was its own");
}

#[test]
fn who_ceased_to_carry_an_instrument_has_missed_nothing() {
    let mut stage = Stage::new();
    let ticks = plain(0..200);
    stage.bring_all(A, &ticks[..1]);
    stage.bring_all(B, &ticks[..1]);
    stage.bring_all(A, &ticks[1..100]);
    assert!(!stage.brings(B, &snapshot(&ticks[95])));
    assert_eq!(stage.bring_all(B, &ticks[96..101]), [[false; 4].as_slice(), &[true]].concat());
    assert_eq!((stage.tally(B).missed, stage.tally(B).late), (0, 0));
}

#[test]
fn a_snapshot_of_the_last_tick_is_handed_on_again_and_an_older_one_is_not() {
    let ticks = plain(0..10);
    let mut stage = Stage::new();
    stage.bring_all(A, &ticks[..8]);
    assert!(stage.brings(B, &snapshot(&ticks[7])), "somebody may have asked for it");
    assert_eq!(stage.bring_all(B, &ticks[8..9]), [true]);
    assert!(!stage.brings(A, &ticks[8]));
    assert!(!stage.brings(C, &snapshot(&ticks[6])), "it is past");
    assert_eq!(stage.bring_all(C, &ticks[7..10]), [false, false, true]);
    assert!(!stage.brings(C, &snapshot(&said(-100, 0, 1))), "past and forgotten");
    let newer = said(20, 20, 1);
    assert!(stage.brings(B, &snapshot(&newer)), "newer than all");
    assert!(!stage.brings(A, &newer));
    let (a, b, c) = (stage.tally(A), stage.tally(B), stage.tally(C));
    assert_eq!((b.copies, b.late, c.late), (0, 0, 0), "snapshots tell nothing about pace");
    assert_eq!((a.won, c.copies), (1, 2), "the first copy of each is the one that counts");
}

#[test]
fn a_last_tick_published_once_more_changes_nothing() {
    let ticks = plain(0..4);
    let mut stage = Stage::new();
    stage.bring_all(A, &ticks[..3]);
    stage.bring_all(B, &ticks[..2]);
    assert!(stage.brings(A, &snapshot(&ticks[2])));
    assert!(!stage.brings(B, &snapshot(&ticks[1])), "B's last is past");
    assert_eq!(stage.bring_all(B, &ticks[2..]), [false, true]);
    assert_eq!(stage.bring_all(A, &ticks[3..]), [false]);
    assert!(stage.brings(A, &snapshot(&ticks[3])) && stage.brings(B, &snapshot(&ticks[3])));
    assert_eq!((stage.tally(A).missed, stage.tally(B).missed), (0, 0));
}

#[test]
fn a_flagged_tick_may_be_the_next_one_of_the_same_second() {
    let ticks = [said(1, 5, 1), said(1, 5, 2), said(1, 5, 3)];
    let mut stage = Stage::new();
    stage.bring_all(A, &ticks[..2]);
    stage.bring_all(B, &ticks[..2]);
    assert!(stage.brings(B, &snapshot(&ticks[2])), "B was not behind");
    assert!(!stage.brings(A, &ticks[2]));
    // Who just begins may be showing any tick of that second.
    assert!(!stage.brings(C, &snapshot(&said(1, 5, 9))));
}

#[test]
fn a_worker_alone_loses_nothing_whatever_it_sends() {
    let mut stage = Stage::new();
    let mut ticks = plain(0..50);
    ticks.extend(plain(20..30));
    ticks.extend([said(29, 29, 1); 3]);
    ticks.extend([snapshot(&said(29, 29, 1)), snapshot(&said(3, 3, 1)), said(-9, 0, 0)]);
    ticks.push(Tick { exchange_time_ns: NO_TIME, ..said(-9, 0, 0) });
    let passed = stage.bring_all(A, &ticks);
    assert!(passed.iter().all(|passed| *passed), "{passed:?}");
}

#[test]
fn a_new_life_goes_on_where_the_old_one_ended() {
    let ticks = plain(0..6);
    let again = Life(0, 2);
    let mut stage = Stage::new();
    stage.bring_all(A, &ticks[..4]);
    assert!(stage.brings(again, &snapshot(&ticks[3])));
    assert_eq!(stage.bring_all(again, &ticks[4..5]), [true]);
    assert_eq!(stage.bring_all(A, &ticks[3..5]), [false, false], "left in the ring by the dead");
    assert_eq!(stage.bring_all(again, &ticks[5..]), [true]);
    let own = stage.tally(A);
    assert_eq!(
        (own.won, own.copies, own.missed),
        (0, 0, 0),
        "a worker is not compared with itself"
    );
}

#[test]
fn a_new_life_alone_may_begin_at_any_time() {
    // As a market that begins anew with its worker: nobody else carries the instrument.
    let mut stage = Stage::new();
    stage.bring_all(A, &plain(50..100));
    let again = Life(0, 2);
    assert!(!stage.brings(again, &snapshot(&said(0, 0, 1))), "this one is past");
    assert_eq!(stage.bring_all(again, &plain(1..100)), [true; 99]);
}

#[test]
fn who_is_behind_is_late_only_as_long_as_somebody_is_ahead() {
    let mut stage = Stage::new();
    stage.bring_all(A, &plain(100..140));
    // B's time is another one altogether.
    assert!(!stage.brings(B, &snapshot(&said(0, 0, 1))));
    assert_eq!(stage.bring_all(B, &plain(1..60)), [false; 59]);
    assert_eq!(stage.tally(B).late, 59);
    stage.now += MERGE_LATE_NS;
    assert_eq!(stage.bring_all(B, &plain(60..70)), [true; 10], "A is gone");
}

#[test]
fn without_receive_times_the_number_of_late_ticks_decides() {
    let mut stage = Stage::new();
    let bring = |stage: &mut Stage, life, seconds| stage.brings_as(life, &said(seconds, 0, 1), 0);
    assert!((100..140).all(|seconds| bring(&mut stage, A, seconds)));
    let late = i64::from(MERGE_LATE_STREAK_MAX);
    assert!((-late..0).all(|seconds| !bring(&mut stage, B, seconds)));
    assert!(bring(&mut stage, B, 0) && bring(&mut stage, B, 1));
}

#[test]
fn ticks_without_a_time_are_ordered_by_day_and_volume() {
    let untimed =
        |volume, trading_day| Tick { exchange_time_ns: NO_TIME, trading_day, ..said(0, volume, 1) };
    let mut stage = Stage::new();
    stage.bring_all(A, &[untimed(5, 1), untimed(6, 1)]);
    assert!(!stage.brings(B, &untimed(4, 1)));
    assert_eq!(stage.bring_all(B, &[untimed(5, 1), untimed(9, 1)]), [false, true]);
    assert!(!stage.brings(C, &untimed(8, 1)));
    assert!(stage.brings(C, &untimed(1, 2)));
}

#[test]
fn the_window_grows_for_who_is_slow_and_for_nobody_else() {
    let far = i32::try_from(MERGE_WINDOW_MAX).unwrap();
    let mut stage = Stage::new();
    let ticks = plain(0..far + 1);
    stage.bring_all(A, &ticks[..1]);
    stage.bring_all(B, &ticks[..1]);
    for (ahead, behind) in ticks[1..].iter().zip(&ticks[1..MERGE_WINDOW_MIN / 2]) {
        assert!(stage.brings(A, ahead) && !stage.brings(B, behind));
    }
    let passed = stage.bring_all(A, &ticks[MERGE_WINDOW_MIN / 2..MERGE_WINDOW_MIN + 1]);
    assert!(passed.iter().all(|passed| *passed));
    assert_eq!(stage.bring_all(B, &ticks[MERGE_WINDOW_MIN / 2..MERGE_WINDOW_MIN + 1]), [false; 5]);
    assert_eq!((stage.tally(B).late, stage.tally(B).missed), (0, 0));
    // Now B is far behind, and never gone.
    let mut stage = Stage::new();
    stage.bring_all(A, &ticks[..4]);
    stage.bring_all(B, &ticks[..2]);
    stage.bring_all(A, &ticks[4..10]);
    stage.bring_all(B, &ticks[2..6]);
    stage.bring_all(A, &ticks[10..20]);
    assert_eq!(stage.bring_all(B, &ticks[6..20]), [false; 14]);
    assert_eq!((stage.tally(B).late, stage.tally(B).copies), (0, 20));
}

#[test]
fn more_lives_than_are_told_apart_still_make_one_stream() {
    let lives: Vec<Life> =
        (0..MERGE_ORIGINS_MAX + 3).map(|worker| Life(u32::try_from(worker).unwrap(), 1)).collect();
    let mut stage = Stage::new();
    for tick in &plain(0..50) {
        let passed: Vec<bool> = lives.iter().map(|life| stage.brings(*life, tick)).collect();
        assert_eq!(passed.iter().filter(|passed| **passed).count(), 1);
        assert!(passed[0]);
    }
}

#[test]
fn instruments_do_not_mix_and_beyond_the_limit_they_pass_unmerged() {
    let mut merge = Merge::default();
    let tick = |number: usize, worker| {
        let mut tick = Tick { worker, ..said(1, 1, 1) };
        tick.instrument_id[..8].copy_from_slice(&number.to_le_bytes());
        tick
    };
    for number in 0..MERGE_INSTRUMENTS_MAX {
        assert_eq!(merge.take(&tick(number, 0), 0), Merged::HandOn);
    }
    assert_eq!(merge.take(&tick(7, 1), 0), Merged::Drop);
    for worker in 0..2 {
        assert_eq!(merge.take(&tick(MERGE_INSTRUMENTS_MAX, worker), 0), Merged::Unmerged);
    }
}

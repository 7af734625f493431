//! A reader that was held up: what waits in the ring, in whatever order it is read, comes whole and in order.

use proptest::prelude::*;

use super::properties::{Sender, growing, history, number, turns};
use super::*;
use crate::limits::MERGE_EARLY_MAX;

/// Takes ticks as a reader does that was held up: the ring is not empty yet. Returns the volumes of those handed on.
fn read_on(stage: &mut Stage, Life(worker, incarnation): Life, ticks: &[Tick]) -> Vec<i32> {
    let mut volumes = Vec::new();
    for tick in ticks {
        if stage.merge.take(&Tick { worker, incarnation, ..*tick }, 0) == Merged::HandOn {
            volumes.push(tick.volume);
        }
    }
    volumes
}

fn release(stage: &mut Stage) -> Vec<i32> {
    let mut volumes = Vec::new();
    stage.merge.release(&mut |tick| volumes.push(tick.volume));
    volumes
}

#[test]
fn what_a_newcomer_brought_waits_for_what_others_have_in_the_ring() {
    let mut stage = Stage::new();
    for tick in &plain(0..5) {
        assert_eq!([A, B].map(|life| stage.brings(life, tick)), [true, false]);
    }
    // The reader is held up, A dies, and C takes its place. C's shard comes first.
    let (first, rest) = (snapshot(&plain(10..11)[0]), plain(11..14));
    assert_eq!(read_on(&mut stage, C, &[first]), [0; 0]);
    assert_eq!(read_on(&mut stage, C, &rest), [0; 0]);
    assert!(stage.merge.keeps_some_back() && !stage.merge.is_full());
    assert_eq!(read_on(&mut stage, B, &plain(5..12)), (5..12).collect::<Vec<_>>());
    assert_eq!(release(&mut stage), [12, 13]);
    assert!(!stage.merge.keeps_some_back());
    assert!(stage.brings(C, &plain(14..15)[0]));
    assert_eq!(stage.bring_all(B, &plain(12..16)), [false, false, false, true]);
    assert_eq!((stage.tally(C).late, stage.tally(B).late, stage.tally(B).missed), (0, 0, 0));
}

#[test]
fn what_nobody_else_has_brought_is_released_in_the_order_of_its_arrival() {
    let mut stage = Stage::new();
    stage.bring_all(A, &plain(0..5));
    let at = |tick: &Tick| Tick {
        receive_time_ns: START + SECOND + i64::from(tick.volume) * MS,
        ..*tick
    };
    let of = |from, to| plain(from..to).iter().map(at).collect::<Vec<_>>();
    let begun = |from: i32| snapshot(&of(from, from + 1)[0]);
    // A is dead. C came after B, and is read before it.
    assert_eq!(read_on(&mut stage, C, &[begun(9), of(10, 11)[0]]), [0; 0]);
    assert_eq!(read_on(&mut stage, B, &[begun(7), of(8, 9)[0], of(9, 10)[0]]), [0; 0]);
    assert_eq!(release(&mut stage), [7, 8, 9, 10]);
    assert_eq!(release(&mut stage), [0; 0]);
}

#[test]
fn one_that_is_alone_is_never_kept_back() {
    let mut stage = Stage::new();
    let first = snapshot(&plain(3..4)[0]);
    assert_eq!(read_on(&mut stage, A, &[first]), [3]);
    assert_eq!(read_on(&mut stage, A, &plain(4..6)), [4, 5]);
    // Its next life, after which it is asked for a snapshot once more.
    let first = snapshot(&plain(20..21)[0]);
    assert_eq!(read_on(&mut stage, Life(0, 2), &[first]), [20]);
    assert_eq!(read_on(&mut stage, Life(0, 2), &plain(21..23)), [21, 22]);
}

#[test]
fn so_much_is_kept_back_and_no_more() {
    let mut stage = Stage::new();
    stage.bring_all(A, &plain(0..2));
    let most = i32::try_from(MERGE_EARLY_MAX).unwrap();
    for tick in &plain(10..9 + most) {
        assert_eq!(read_on(&mut stage, B, &[*tick]), [0; 0]);
    }
    assert!(!stage.merge.is_full());
    assert_eq!(read_on(&mut stage, B, &plain(9 + most..10 + most)), [0; 0]);
    assert!(stage.merge.is_full());
    assert_eq!(release(&mut stage).len(), MERGE_EARLY_MAX);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    /// The reader was held up: everything waits in the ring, and is read in any order but each worker's own. Whoever moved,
    /// died or began meanwhile, what was carried without a break comes whole.
    #[test]
    fn a_backlog_comes_whole_whoever_began_in_it(
        steps in prop::collection::vec(growing(), 30..200),
        stays in prop::collection::vec((1..30_usize, 1..6_usize, any::<bool>()), 1..8),
        turns in turns(),
    ) {
        let ticks = received_evenly(history(&steps));
        let (mut senders, mut begin, mut worker) = (Vec::new(), 0, 0);
        // Each begins before the one before it ends; the last goes on to the end.
        for (stay, overlap, by_two) in stays {
            let end = ticks.len().min(begin + stay + overlap);
            for _ in 0..=u32::from(by_two) {
                senders.push(Sender::from(worker, begin, end, |_| true));
                worker += 1;
            }
            begin = begin.max(end - overlap.min(end));
        }
        senders.push(Sender::from(worker, begin, ticks.len(), |_| true));
        // What the first ones carried was read before.
        let mut stage = Stage::new();
        let first = senders[0].sends[0].0;
        let mut handed_on = vec![ticks[first]];
        for sender in senders.iter_mut().filter(|sender| sender.sends[0] == (first, false)) {
            sender.sent = 1;
            stage.brings_as(sender.life, &ticks[first], 0);
        }
        let mut turns = turns.iter().cycle();
        loop {
            let waiting: Vec<usize> =
                (0..senders.len()).filter(|at| senders[*at].next().is_some()).collect();
            if waiting.is_empty() {
                break;
            }
            let sender = &mut senders[waiting[usize::from(*turns.next().unwrap()) % waiting.len()]];
            let (number, is_snapshot) = sender.sends[sender.sent];
            sender.sent += 1;
            let Life(worker, incarnation) = sender.life;
            let tick = if is_snapshot { snapshot(&ticks[number]) } else { ticks[number] };
            let sequence = sender.sent as u64;
            let tick = Tick { worker, incarnation, sequence, ..tick };
            if stage.merge.take(&tick, 0) == Merged::HandOn {
                hear(&mut handed_on, &tick);
            }
        }
        stage.merge.release(&mut |tick| hear(&mut handed_on, tick));
        let numbers: Vec<usize> = handed_on.iter().map(number).collect();
        prop_assert_eq!(numbers, (0..ticks.len()).collect::<Vec<_>>(), "{:?}", senders);
    }
}

/// The same ticks, each received some time after the one before.
fn received_evenly(ticks: Vec<Tick>) -> Vec<Tick> {
    let at = |number: i64| START + number * 100 * MS;
    let ticks = (0..).zip(ticks);
    ticks.map(|(number, tick)| Tick { receive_time_ns: at(number), ..tick }).collect()
}

/// What somebody with a book of last ticks takes for new.
fn hear(handed_on: &mut Vec<Tick>, tick: &Tick) {
    let is_snapshot = TickFlags(tick.flags).contains(TickFlags::SNAPSHOT);
    if !(is_snapshot && handed_on.last().is_some_and(|last| is_same_tick(last, tick))) {
        handed_on.push(*tick);
    }
}

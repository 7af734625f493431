//! The outbox against a model, and its edges one by one.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::protocol::frame::{CloseCode, lengths, push_close, push_text};
use shm_layout::clock::monotonic;

/// A frame that says which tick of which instrument it is, `size` bytes long or more.
fn frame_of(instrument: InstrumentIndex, number: u32, size: usize) -> Vec<u8> {
    let mut frame = Vec::new();
    push_text(&mut frame, |out| {
        out.extend_from_slice(format!("{instrument} {number} ").as_bytes());
        out.resize(out.len() + size, b'.');
    });
    frame
}

/// Takes whole frames off `stream` and reads them back.
fn frames_in(stream: &[u8]) -> Vec<(InstrumentIndex, u32)> {
    let mut rest = stream;
    let mut found = Vec::new();
    while let Some((header, payload)) = lengths(rest).filter(|(h, p)| h + p <= rest.len()) {
        let length = header + payload;
        let text = String::from_utf8_lossy(&rest[header..length]).into_owned();
        let mut words = text.split(' ');
        let mut number = || words.next().unwrap().parse::<u32>().unwrap();
        found.push((number(), number()));
        rest = &rest[length..];
    }
    assert!(rest.is_empty(), "{} bytes of a frame are left over", rest.len());
    found
}

#[derive(Debug, Clone)]
enum Step {
    Offer { instrument: InstrumentIndex, size: usize },
    Take { share: f64 },
    Refill,
    Unmark { instrument: InstrumentIndex },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..8_u32, 100..40_000_usize)
            .prop_map(|(instrument, size)| Step::Offer { instrument, size }),
        2 => (0.0..1.2_f64).prop_map(|share| Step::Take { share }),
        2 => Just(Step::Refill),
        1 => (0..8_u32).prop_map(|instrument| Step::Unmark { instrument }),
    ];
    prop::collection::vec(step, 0..400)
}

/// Plays a history and checks after each step what must always hold; returns what the client got.
fn play(steps: &[Step]) -> Result<(), TestCaseError> {
    let now = monotonic();
    let mut outbox = Outbox::default();
    let mut latest: HashMap<InstrumentIndex, (u32, Vec<u8>)> = HashMap::new();
    let (mut offered, mut conflated, mut unmarked, mut refilled) = (0_usize, 0_usize, 0_usize, 0);
    let mut wire = Vec::new();
    for step in steps {
        match step {
            Step::Offer { instrument, size } => {
                let number = latest.get(instrument).map_or(0, |(number, _)| number + 1);
                let frame = frame_of(*instrument, number, *size);
                let keeps_up =
                    !outbox.is_lagging() && outbox.pending() + frame.len() <= OUT_BUFFER_BYTES_MAX;
                let was_marked = outbox.marks.is_set(*instrument);
                let outcome = outbox.offer(*instrument, now, || &frame);
                let expected = match (keeps_up, was_marked) {
                    (true, _) => Offered::Queued,
                    (false, false) => Offered::Marked,
                    (false, true) => Offered::Conflated,
                };
                prop_assert_eq!(outcome, expected);
                offered += 1;
                conflated += usize::from(outcome == Offered::Conflated);
                latest.insert(*instrument, (number, frame));
            }
            Step::Take { share } => {
                let count = ((outbox.pending() as f64 * share) as usize).min(outbox.pending());
                wire.extend_from_slice(&outbox.waiting()[..count]);
                outbox.took(count, now);
            }
            Step::Refill => {
                refilled += outbox.refill(now, |instrument, out| {
                    out.extend_from_slice(&latest[&instrument].1);
                    true
                });
            }
            Step::Unmark { instrument } => {
                unmarked += usize::from(outbox.marks.is_set(*instrument));
                outbox.unmark(*instrument);
            }
        }
        prop_assert!(outbox.pending() <= OUT_BUFFER_BYTES_MAX);
        prop_assert!(outbox.boundary >= outbox.sent && outbox.boundary <= outbox.bytes.len());
        prop_assert_eq!(outbox.stalled_since.is_some(), outbox.pending() > 0);
    }
    let marked = outbox.marks.len();
    while !outbox.is_empty() {
        refilled += outbox.refill(now, |instrument, out| {
            out.extend_from_slice(&latest[&instrument].1);
            true
        });
        wire.extend_from_slice(outbox.waiting());
        outbox.took(outbox.pending(), now);
    }
    let received = frames_in(&wire);
    prop_assert_eq!(received.len() + conflated + unmarked, offered, "every tick is accounted for");
    prop_assert!(refilled >= marked);
    let mut last: HashMap<InstrumentIndex, u32> = HashMap::new();
    for (instrument, number) in received {
        let before = last.insert(instrument, number);
        prop_assert!(before.is_none_or(|before| before < number), "{instrument} went back");
    }
    if unmarked == 0 {
        for (instrument, (number, _)) in &latest {
            prop_assert_eq!(last.get(instrument), Some(number), "the latest arrives");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn frames_stay_whole_in_order_and_counted(steps in steps()) {
        play(&steps)?;
    }

    #[test]
    fn a_close_frame_stands_at_a_frame_boundary(
        sizes in prop::collection::vec(0..3000_usize, 1..20),
        takes in prop::collection::vec(1..4000_usize, 0..10),
    ) {
        let now = monotonic();
        let mut outbox = Outbox::default();
        let mut wire = Vec::new();
        for (number, size) in (0_u32..).zip(&sizes) {
            let frame = frame_of(1, number, *size);
            outbox.append(&frame, now);
        }
        for take in takes {
            let take = take.min(outbox.pending());
            wire.extend_from_slice(&outbox.waiting()[..take]);
            outbox.took(take, now);
        }
        let mut close = Vec::new();
        push_close(&mut close, CloseCode::TryAgainLater, "slow consumer");
        outbox.close(&close, true, now);
        prop_assert!(outbox.pending() <= close.len() + 3100, "only the frame under way stays");
        wire.extend_from_slice(outbox.waiting());
        let frames = wire.strip_suffix(close.as_slice()).expect("the close frame is last");
        frames_in(frames);
    }
}

#[test]
fn a_client_that_keeps_up_gets_every_tick() {
    let now = monotonic();
    let mut outbox = Outbox::default();
    for number in 0..10_000 {
        let frame = frame_of(number % 7, number, 600);
        assert_eq!(outbox.offer(number % 7, now, || &frame), Offered::Queued);
        outbox.took(outbox.pending(), now);
    }
    assert!(outbox.is_empty());
    assert!(outbox.bytes.capacity() <= OUT_BUFFER_KEPT_BYTES_MAX);
}

#[test]
fn the_frame_of_a_lagging_client_is_not_even_encoded() {
    let now = monotonic();
    let mut outbox = Outbox::default();
    outbox.mark(1);
    let offered = outbox.offer(2, now, || panic!("nobody needs it"));
    assert_eq!(offered, Offered::Marked);
}

#[test]
fn marks_without_a_tick_are_passed_over() {
    let now = monotonic();
    let mut outbox = Outbox::default();
    outbox.mark(1);
    assert_eq!(outbox.refill(now, |_, _| false), 0);
    assert!(outbox.is_empty());
    assert_eq!(outbox.stalled_for(now + Duration::from_secs(60)), Duration::ZERO);
}

#[test]
fn time_without_progress_counts_from_the_last_byte_taken() {
    let start = monotonic();
    let at = |seconds| start + Duration::from_secs(seconds);
    let mut outbox = Outbox::default();
    outbox.append(&frame_of(1, 1, 1000), at(0));
    outbox.append(&frame_of(1, 2, 1000), at(3));
    assert_eq!(outbox.stalled_for(at(5)), Duration::from_secs(5));
    outbox.took(10, at(5));
    assert_eq!(outbox.stalled_for(at(6)), Duration::from_secs(1));
    outbox.took(outbox.pending(), at(6));
    assert_eq!(outbox.stalled_for(at(60)), Duration::ZERO);
}

#[test]
fn nothing_follows_a_close_frame() {
    let now = monotonic();
    let mut outbox = Outbox::default();
    let (first, mut close) = (frame_of(1, 1, 10), Vec::new());
    push_close(&mut close, CloseCode::GoingAway, "");
    outbox.append(&first, now);
    outbox.close(&close, false, now);
    outbox.append(&first, now);
    outbox.close(&close, true, now);
    assert_eq!(outbox.offer(1, now, || &first), Offered::Marked);
    assert_eq!(outbox.refill(now, |_, _| panic!("closed")), 0);
    assert_eq!(outbox.waiting(), [first, close].concat());
    outbox.took(outbox.pending(), now);
    assert!(outbox.is_empty());
}

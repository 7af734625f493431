//! Subscriptions against a front that loses, refuses, delays and goes away.

use std::collections::VecDeque;
use std::time::Duration;

use proptest::prelude::*;
use shm_layout::control::{Carry, InstrumentReport, InstrumentState};

use super::*;
use crate::limits::{ANSWER_DEADLINE, CALLS_APART, INSTRUMENTS_PER_CALL_MAX, TICK_DEADLINE};

fn id(text: &str) -> InstrumentId {
    InstrumentId::parse(text).unwrap()
}

fn ids(texts: &[&str]) -> Vec<InstrumentId> {
    texts.iter().map(|text| id(text)).collect()
}

fn carry(texts: &[&str]) -> Vec<Carry> {
    texts.iter().map(|text| Carry::primary(id(text))).collect()
}

fn whole(generation: u64, instruments: &[&str]) -> Assignment {
    Assignment::Whole { generation: Generation(generation), instruments: carry(instruments) }
}

fn change(generation: u64, add: &[&str], remove: &[&str]) -> Assignment {
    Assignment::Change {
        generation: Generation(generation),
        after: Generation(generation - 1),
        add: carry(add),
        remove: ids(remove),
    }
}

fn subscribe(texts: &[&str]) -> Option<Call> {
    Some(Call::Subscribe(ids(texts)))
}

fn unsubscribe(texts: &[&str]) -> Option<Call> {
    Some(Call::Unsubscribe(ids(texts)))
}

/// Subscriptions with their clock.
struct Bench {
    subscriptions: Subscriptions,
    now: Instant,
}

impl Bench {
    fn new(max_subscriptions: usize) -> Self {
        let subscriptions = Subscriptions::new(max_subscriptions, RetryPace::new(3));
        Self { subscriptions, now: shm_layout::clock::monotonic() }
    }

    fn ready(max_subscriptions: usize) -> Self {
        let mut bench = Self::new(max_subscriptions);
        bench.begin("20250303");
        bench
    }

    fn begin(&mut self, day: &str) {
        self.subscriptions.session_begins(self.now, Date::parse(day).ok());
    }

    fn assign(&mut self, assignment: Assignment) {
        self.subscriptions.assign(self.now, assignment).unwrap();
    }

    /// The next call once its time has come, and when nothing is due within `patience` none.
    fn call_within(&mut self, patience: Duration) -> Option<Call> {
        let end = self.now + patience;
        loop {
            if let Some(call) = self.subscriptions.next_call(self.now) {
                return Some(call);
            }
            match self.subscriptions.next_deadline() {
                Some(deadline) if deadline <= end => self.now = self.now.max(deadline),
                _ => {
                    self.now = end;
                    return None;
                }
            }
        }
    }

    fn call(&mut self) -> Option<Call> {
        self.call_within(CALLS_APART)
    }

    fn yes(&mut self, text: &str) {
        self.subscriptions.subscribe_answered(self.now, id(text), Answer::Yes);
    }

    fn no(&mut self, text: &str, error_id: i32) {
        let answer = Answer::No { error_id, message: "no".into() };
        self.subscriptions.subscribe_answered(self.now, id(text), answer);
    }

    fn tick(&mut self, text: &str) {
        self.subscriptions.ticked(self.now, id(text));
    }

    fn state(&self, text: &str) -> InstrumentState {
        self.subscriptions.entries[&id(text)].report()
    }

    fn changes(&mut self) -> Vec<(String, InstrumentState)> {
        let changes = self.subscriptions.take_changes(usize::MAX);
        changes.into_iter().map(|report| (report.instrument.to_string(), report.state)).collect()
    }
}

#[test]
fn an_instrument_wanted_again_before_it_was_let_go_simply_stays() {
    let mut bench = Bench::ready(10);
    bench.assign(whole(1, &["a1", "b1"]));
    assert_eq!(bench.call_within(CALLS_APART), subscribe(&["a1", "b1"]));
    let primary_of = |gained: &[&str], given_up: &[&str]| RoleChanges {
        gained: ids(gained),
        given_up: ids(given_up),
    };
    assert_eq!(bench.subscriptions.take_role_changes(), primary_of(&["a1", "b1"], &[]));
    bench.assign(change(2, &[], &["a1"]));
    assert_eq!(bench.subscriptions.take_role_changes(), primary_of(&[], &["a1"]));
    // The release waits for its grace; the front never hears of it.
    bench.assign(change(3, &["a1", "b1", "c1"], &[]));
    assert_eq!(bench.subscriptions.take_role_changes(), primary_of(&["a1", "c1"], &[]));
    assert_eq!(bench.subscriptions.take_role_changes(), RoleChanges::default());
    assert_eq!(bench.call_within(CALLS_APART), subscribe(&["c1"]));
}

#[test]
fn goes_from_wanted_to_ticking_and_says_so() {
    let mut bench = Bench::ready(10);
    bench.assign(whole(1, &["a1", "b1"]));
    assert_eq!(bench.call(), subscribe(&["a1", "b1"]));
    assert_eq!(
        bench.changes(),
        [("a1".into(), InstrumentState::Requested), ("b1".into(), InstrumentState::Requested),]
    );
    bench.yes("a1");
    bench.tick("b1");
    assert_eq!(
        bench.changes(),
        [("a1".into(), InstrumentState::Acknowledged), ("b1".into(), InstrumentState::Ticking),]
    );
    // The answer after the tick changes nothing, and nothing more is due.
    bench.yes("b1");
    assert_eq!(bench.changes(), []);
    bench.tick("a1");
    assert_eq!(bench.subscriptions.next_deadline(), None);
    assert_eq!(
        bench.subscriptions.census(),
        Census { carried: 2, acknowledged: 2, waiting_for_room: 0 }
    );
}

#[test]
fn nothing_is_asked_without_a_session() {
    let mut bench = Bench::new(10);
    bench.assign(whole(1, &["a1"]));
    assert_eq!(bench.call_within(Duration::from_secs(3600)), None);
    assert_eq!(bench.state("a1"), InstrumentState::Waiting);
    bench.begin("20250303");
    assert_eq!(bench.call(), subscribe(&["a1"]));
}

#[test]
fn the_first_call_goes_at_once_and_the_next_takes_all_that_came_meanwhile() {
    let mut bench = Bench::ready(10);
    bench.assign(whole(1, &["a1"]));
    assert_eq!(bench.subscriptions.next_call(bench.now), subscribe(&["a1"]));
    bench.assign(change(2, &["b1"], &[]));
    bench.assign(change(3, &["c1"], &[]));
    assert_eq!(bench.subscriptions.next_call(bench.now), None);
    assert_eq!(bench.subscriptions.next_deadline(), Some(bench.now + CALLS_APART));
    assert_eq!(bench.call(), subscribe(&["b1", "c1"]));
}

#[test]
fn a_call_takes_at_most_its_limit() {
    let mut bench = Bench::ready(5000);
    let many: Vec<String> = (0..1200).map(|n| format!("x{n:04}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    bench.assign(whole(1, &many));
    let mut sizes = Vec::new();
    while let Some(Call::Subscribe(instruments)) = bench.call() {
        instruments.iter().for_each(|instrument| bench.yes(instrument.as_str()));
        sizes.push(instruments.len());
    }
    assert_eq!(sizes, [INSTRUMENTS_PER_CALL_MAX, INSTRUMENTS_PER_CALL_MAX, 200]);
}

#[test]
fn an_answer_that_does_not_come_is_asked_for_again_for_ever() {
    let mut bench = Bench::ready(10);
    bench.assign(whole(1, &["a1"]));
    assert_eq!(bench.call(), subscribe(&["a1"]));
    let mut sent = bench.now;
    for expected in [10, 10, 10, 60, 60, 60] {
        assert_eq!(bench.call_within(Duration::from_secs(61)), subscribe(&["a1"]));
        assert_eq!((bench.now - sent).as_secs(), expected);
        sent = bench.now;
    }
    assert_eq!(bench.state("a1"), InstrumentState::Requested);
    // A late answer is as good as any.
    bench.now += Duration::from_secs(30);
    bench.yes("a1");
    assert_eq!(bench.state("a1"), InstrumentState::Acknowledged);
    bench.tick("a1");
    assert_eq!(bench.call_within(Duration::from_secs(3600)), None);
    assert_eq!(bench.subscriptions.asked_again(), 6);
}

#[test]
fn no_such_instrument_holds_for_the_trading_day() {
    let mut bench = Bench::ready(10);
    bench.assign(whole(1, &["a1", "b1"]));
    bench.call();
    bench.no("a1", 16);
    bench.yes("b1");
    let refused = InstrumentState::Refused { error_id: 16, message: "no".into() };
    assert_eq!(bench.state("a1"), refused);
    assert_eq!(
        bench.subscriptions.census(),
        Census { carried: 1, acknowledged: 1, waiting_for_room: 0 }
    );
    bench.begin("20250303");
    assert_eq!(bench.call(), subscribe(&["b1"]));
    assert_eq!(bench.state("a1"), refused);
    bench.begin("20250304");
    assert_eq!(bench.call(), subscribe(&["a1", "b1"]));
}

#[test]
fn another_error_backs_off() {
    let mut bench = Bench::ready(10);
    bench.assign(whole(1, &["a1"]));
    let mut sent = bench.now;
    bench.call();
    for expected in [1, 2, 4, 60] {
        bench.no("a1", 99);
        assert_eq!(bench.state("a1"), InstrumentState::Waiting);
        assert_eq!(bench.call_within(Duration::from_secs(61)), subscribe(&["a1"]));
        assert_eq!((bench.now - sent).as_secs(), expected);
        sent = bench.now;
    }
}

#[test]
fn a_refusal_that_comes_late_does_not_hide_the_next_requests_success() {
    let mut bench = Bench::ready(10);
    bench.assign(whole(1, &["a1"]));
    bench.call();
    assert_eq!(bench.call_within(ANSWER_DEADLINE), subscribe(&["a1"]));
    bench.no("a1", 99);
    bench.yes("a1");
    assert_eq!(bench.state("a1"), InstrumentState::Acknowledged);
    bench.tick("a1");
    assert_eq!(bench.call_within(Duration::from_secs(3600)), None);
}

#[test]
fn a_call_the_library_does_not_take_is_made_again_a_second_later() {
    let mut bench = Bench::ready(10);
    bench.assign(whole(1, &["a1"]));
    let refused_at = bench.now;
    let call = bench.call().unwrap();
    bench.subscriptions.call_refused(bench.now, &call);
    assert_eq!(bench.call_within(Duration::from_secs(5)), Some(call));
    assert_eq!(bench.now - refused_at, Duration::from_secs(1));
}

#[test]
fn the_unwanted_is_released_and_what_was_never_asked_for_is_gone_at_once() {
    let mut bench = Bench::ready(10);
    bench.assign(whole(1, &["a1", "b1"]));
    bench.call();
    bench.yes("a1");
    bench.tick("a1");
    // b1 is unanswered: its release waits for the answer. c1 was never asked for.
    bench.assign(change(2, &["c1"], &[]));
    bench.assign(change(3, &[], &["a1", "b1", "c1"]));
    bench.changes();
    assert_eq!(bench.call(), unsubscribe(&["a1"]));
    bench.yes("b1");
    assert_eq!(bench.call(), unsubscribe(&["b1"]));
    bench.subscriptions.unsubscribe_answered(bench.now, id("a1"));
    bench.subscriptions.unsubscribe_answered(bench.now, id("b1"));
    let gone = |text: &str| (text.to_owned(), InstrumentState::Released);
    assert_eq!(bench.changes(), [gone("a1"), gone("b1")]);
    assert_eq!(bench.subscriptions.census(), Census::default());
}

#[test]
fn what_is_wanted_again_before_its_release_was_said_simply_stays() {
    let mut bench = Bench::ready(10);
    bench.assign(whole(1, &["a1"]));
    bench.call();
    bench.tick("a1");
    bench.assign(change(2, &[], &["a1"]));
    bench.assign(change(3, &["a1"], &[]));
    assert_eq!(bench.call_within(Duration::from_secs(3600)), None);
    assert_eq!(bench.state("a1"), InstrumentState::Ticking);
}

#[test]
fn what_is_wanted_again_after_its_release_was_said_is_asked_for_anew_in_order() {
    let mut bench = Bench::ready(10);
    bench.assign(whole(1, &["a1"]));
    bench.call();
    bench.tick("a1");
    bench.assign(change(2, &[], &["a1"]));
    assert_eq!(bench.call(), unsubscribe(&["a1"]));
    bench.assign(change(3, &["a1"], &[]));
    assert_eq!(bench.state("a1"), InstrumentState::Waiting);
    assert_eq!(bench.call(), None, "the release is unanswered");
    bench.subscriptions.unsubscribe_answered(bench.now, id("a1"));
    assert_eq!(bench.call(), subscribe(&["a1"]));
}

#[test]
fn a_release_without_an_answer_is_repeated_and_then_taken_for_done() {
    let mut bench = Bench::ready(10);
    bench.assign(whole(1, &["a1"]));
    bench.call();
    bench.yes("a1");
    bench.assign(change(2, &[], &["a1"]));
    for _ in 0..3 {
        assert_eq!(bench.call_within(ANSWER_DEADLINE), unsubscribe(&["a1"]));
    }
    bench.changes();
    assert_eq!(bench.call_within(Duration::from_secs(3600)), None);
    assert_eq!(bench.changes(), [("a1".into(), InstrumentState::Released)]);
}

#[test]
fn a_full_connection_makes_the_rest_wait_and_take_the_place_of_the_released() {
    let mut bench = Bench::ready(2);
    bench.assign(whole(1, &["a1", "b1", "c1"]));
    assert_eq!(bench.call(), subscribe(&["a1", "b1"]));
    bench.tick("a1");
    bench.tick("b1");
    assert_eq!(bench.call_within(Duration::from_secs(3600)), None);
    assert_eq!(bench.state("c1"), InstrumentState::Waiting);
    assert_eq!(bench.subscriptions.census().waiting_for_room, 1);
    bench.assign(change(2, &[], &["a1"]));
    assert_eq!(bench.call(), unsubscribe(&["a1"]));
    bench.subscriptions.unsubscribe_answered(bench.now, id("a1"));
    assert_eq!(bench.call(), subscribe(&["c1"]));
    // A refused one gives its place back.
    bench.assign(change(3, &["d1"], &[]));
    assert_eq!(bench.call(), None);
    bench.no("c1", 16);
    assert_eq!(bench.call(), subscribe(&["d1"]));
}

#[test]
fn assignments_must_follow_each_other() {
    let mut bench = Bench::ready(10);
    let refuse = |bench: &mut Bench, assignment| {
        assert_eq!(
            bench.subscriptions.assign(bench.now, assignment),
            Err(AssignmentError::OutOfOrder)
        );
    };
    refuse(&mut bench, change(1, &["a1"], &[]));
    bench.assign(whole(5, &["a1"]));
    refuse(&mut bench, whole(5, &["b1"]));
    refuse(&mut bench, whole(4, &["b1"]));
    refuse(&mut bench, change(5, &["b1"], &[]));
    refuse(&mut bench, change(7, &["b1"], &[]));
    let backwards = Assignment::Change {
        generation: Generation(5),
        after: Generation(5),
        add: vec![],
        remove: vec![],
    };
    refuse(&mut bench, backwards);
    bench.assign(change(6, &["b1"], &["a1"]));
    assert_eq!(bench.subscriptions.generation(), Some(Generation(6)));
    assert_eq!(bench.call(), subscribe(&["b1"]));
}

#[test]
fn an_assignment_beyond_all_bounds_is_refused_after_its_releases() {
    let mut bench = Bench::ready(10);
    bench.assign(whole(1, &["a1", "b1"]));
    assert_eq!(bench.call(), subscribe(&["a1", "b1"]));
    bench.yes("a1");
    bench.yes("b1");
    let instruments =
        (0..=ASSIGNED_INSTRUMENTS_MAX).map(|n| Carry::primary(id(&format!("x{n}")))).collect();
    let too_large = Assignment::Whole { generation: Generation(2), instruments };
    assert_eq!(bench.subscriptions.assign(bench.now, too_large), Err(AssignmentError::TooLarge));
    assert_eq!(bench.subscriptions.generation(), Some(Generation(1)));
    assert_eq!(bench.call(), unsubscribe(&["a1", "b1"]));
    let too_large = Assignment::Change {
        generation: Generation(2),
        after: Generation(1),
        add: (0..=ASSIGNED_INSTRUMENTS_MAX).map(|n| Carry::primary(id(&format!("x{n}")))).collect(),
        remove: vec![],
    };
    assert_eq!(bench.subscriptions.assign(bench.now, too_large), Err(AssignmentError::TooLarge));
    assert_eq!(bench.subscriptions.census().carried, 2, "nothing of it was added");
}

#[test]
fn what_an_assignment_releases_makes_room_for_what_it_adds() {
    let mut bench = Bench::new(10);
    let full = |generation: u64, prefix: &str| Assignment::Whole {
        generation: Generation(generation),
        instruments: (0..ASSIGNED_INSTRUMENTS_MAX)
            .map(|n| Carry::primary(id(&format!("{prefix}{n}"))))
            .collect(),
    };
    bench.assign(full(1, "x"));
    bench.assign(full(2, "y"));
    assert!(bench.subscriptions.entries.contains_key(&id("y0")));
    assert_eq!(bench.subscriptions.entries.len(), ASSIGNED_INSTRUMENTS_MAX);
}

#[test]
fn a_new_session_asks_for_everything_and_the_old_ones_answers_mean_nothing() {
    let mut bench = Bench::ready(10);
    bench.assign(whole(1, &["a1", "b1"]));
    bench.call();
    bench.tick("a1");
    bench.subscriptions.session_ends();
    assert_eq!(bench.state("a1"), InstrumentState::Waiting);
    bench.yes("b1");
    bench.tick("a1");
    assert_eq!(bench.state("b1"), InstrumentState::Waiting);
    assert_eq!(
        bench.subscriptions.census(),
        Census { carried: 2, acknowledged: 0, waiting_for_room: 0 }
    );
    bench.begin("20250303");
    assert_eq!(bench.call(), subscribe(&["a1", "b1"]));
}

#[test]
fn the_end_of_a_session_is_the_end_of_every_release() {
    let mut bench = Bench::ready(10);
    bench.assign(whole(1, &["a1", "b1"]));
    bench.call();
    bench.yes("a1");
    bench.assign(change(2, &[], &["a1", "b1"]));
    bench.changes();
    bench.subscriptions.session_ends();
    let gone = |text: &str| (text.to_owned(), InstrumentState::Released);
    assert_eq!(bench.changes(), [gone("a1"), gone("b1")]);
}

#[test]
fn lost_events_lead_to_asking_again_but_never_for_what_was_answered() {
    let mut bench = Bench::ready(10);
    bench.assign(whole(1, &["a1", "b1"]));
    bench.call();
    bench.yes("a1");
    bench.subscriptions.ask_again(bench.now);
    assert_eq!(bench.call(), subscribe(&["b1"]));
}

#[test]
fn a_refusal_beside_lost_answers_keeps_no_place_for_ever() {
    let mut bench = Bench::ready(10);
    bench.assign(whole(1, &["a1"]));
    bench.call();
    // Asked twice, and neither answer will ever come.
    assert_eq!(bench.call_within(ANSWER_DEADLINE), subscribe(&["a1"]));
    bench.subscriptions.ask_again(bench.now);
    assert_eq!(bench.call(), subscribe(&["a1"]));
    // Was one of the lost a yes? Told to stop, the front says no more about it.
    bench.no("a1", 99);
    assert_eq!(bench.call_within(Duration::from_secs(60)), unsubscribe(&["a1"]));
    bench.subscriptions.unsubscribe_answered(bench.now, id("a1"));
    assert_eq!(bench.call(), subscribe(&["a1"]));
    bench.no("a1", 99);
    assert_eq!(bench.state("a1"), InstrumentState::Waiting);
    assert_eq!(bench.subscriptions.places_taken, 0);
}

#[test]
fn a_refusal_beside_late_answers_gives_way_to_a_yes_or_a_tick() {
    for late_yes in [true, false] {
        let mut bench = Bench::ready(10);
        bench.assign(whole(1, &["a1"]));
        bench.call();
        assert_eq!(bench.call_within(ANSWER_DEADLINE), subscribe(&["a1"]));
        bench.no("a1", 99);
        if late_yes {
            bench.yes("a1");
            assert_eq!(bench.call_within(TICK_DEADLINE - CALLS_APART), None);
        }
        bench.tick("a1");
        assert_eq!(bench.call_within(Duration::from_secs(3600)), None);
    }
}

#[test]
fn the_inventory_is_whole_and_says_the_rest_as_changes() {
    let mut bench = Bench::ready(10);
    bench.assign(whole(1, &["a1", "b1", "c1"]));
    bench.call();
    bench.yes("a1");
    bench.assign(change(2, &[], &["b1"]));
    let first = bench.subscriptions.inventory(1);
    assert_eq!(
        first,
        [InstrumentReport {
            instrument: id("a1"),
            state: InstrumentState::Acknowledged,
            role: CarryRole::Primary
        }]
    );
    assert_eq!(bench.changes(), [("c1".into(), InstrumentState::Requested)]);
}

/// A bench whose front has said yes to these and sent nothing.
fn acknowledged(places: usize, instruments: &[&str]) -> Bench {
    let mut bench = Bench::ready(places);
    bench.assign(whole(1, instruments));
    bench.call();
    instruments.iter().for_each(|instrument| bench.yes(instrument));
    bench
}

#[test]
fn a_front_that_says_yes_and_sends_nothing_is_asked_again_for_ever() {
    let mut bench = acknowledged(10, &["a1"]);
    let mut said = bench.now;
    for (pause, state) in [
        (10, InstrumentState::Acknowledged),
        (10, InstrumentState::Acknowledged),
        (10, InstrumentState::Acknowledged),
        (60, InstrumentState::Silent),
        (60, InstrumentState::Silent),
    ] {
        assert_eq!(bench.call_within(Duration::from_secs(61)), subscribe(&["a1"]));
        assert_eq!((bench.now - said).as_secs(), pause);
        assert_eq!(bench.state("a1"), state);
        said = bench.now;
        bench.yes("a1");
        assert_eq!(bench.state("a1"), state, "the answer alone changes nothing");
    }
    assert_eq!(bench.subscriptions.asked_again(), 5);
    bench.changes();
    // A tick ends it, however late.
    bench.now += Duration::from_secs(5);
    bench.tick("a1");
    assert_eq!(bench.changes(), [("a1".into(), InstrumentState::Ticking)]);
    assert_eq!(bench.call_within(Duration::from_secs(3600)), None);
}

#[test]
fn a_front_that_does_not_even_answer_the_second_time_is_asked_at_the_same_pace() {
    let mut bench = acknowledged(10, &["a1"]);
    let mut said = bench.now;
    for pause in [10, 10, 10, 60, 60] {
        assert_eq!(bench.call_within(Duration::from_secs(61)), subscribe(&["a1"]));
        assert_eq!((bench.now - said).as_secs(), pause);
        said = bench.now;
    }
    assert_eq!(bench.state("a1"), InstrumentState::Silent);
    // An answer that is late by now is none any more, and a tick still is.
    bench.tick("a1");
    bench.yes("a1");
    assert_eq!(bench.state("a1"), InstrumentState::Ticking);
    assert_eq!(bench.call_within(Duration::from_secs(3600)), None);
}

#[test]
fn a_tick_in_time_leaves_it_at_one_question() {
    for before_the_answer in [true, false] {
        let mut bench = acknowledged(10, &["a1"]);
        assert_eq!(bench.call_within(TICK_DEADLINE), subscribe(&["a1"]));
        if !before_the_answer {
            bench.yes("a1");
        }
        bench.tick("a1");
        bench.yes("a1");
        assert_eq!(bench.state("a1"), InstrumentState::Ticking);
        assert_eq!(bench.call_within(Duration::from_secs(3600)), None);
        assert_eq!(bench.subscriptions.census().acknowledged, 1);
    }
}

#[test]
fn the_silent_keeps_its_place_and_gives_it_back_when_released() {
    let mut bench = acknowledged(1, &["a1"]);
    bench.assign(change(2, &["b1"], &[]));
    for _ in 0..5 {
        assert_eq!(bench.call_within(Duration::from_secs(61)), subscribe(&["a1"]));
        bench.yes("a1");
    }
    assert_eq!(bench.state("a1"), InstrumentState::Silent);
    assert_eq!(
        bench.subscriptions.census(),
        Census { carried: 2, acknowledged: 0, waiting_for_room: 1 }
    );
    bench.assign(change(3, &[], &["a1"]));
    assert_eq!(bench.call(), unsubscribe(&["a1"]));
    bench.subscriptions.unsubscribe_answered(bench.now, id("a1"));
    assert_eq!(bench.call(), subscribe(&["b1"]));
    // Wanted again, it has all its quick retries again.
    bench.no("b1", 16);
    bench.assign(change(4, &["a1"], &[]));
    assert_eq!(bench.call(), subscribe(&["a1"]));
    bench.yes("a1");
    assert_eq!(bench.call_within(TICK_DEADLINE), subscribe(&["a1"]));
    assert_eq!(bench.state("a1"), InstrumentState::Acknowledged);
}

#[test]
fn only_a_final_no_takes_back_a_yes() {
    let mut bench = acknowledged(10, &["a1", "b1"]);
    assert_eq!(bench.call_within(TICK_DEADLINE), subscribe(&["a1", "b1"]));
    bench.no("a1", 99);
    bench.no("b1", 16);
    assert_eq!(bench.state("a1"), InstrumentState::Acknowledged);
    assert_eq!(bench.state("b1"), InstrumentState::Refused { error_id: 16, message: "no".into() });
    assert_eq!(bench.subscriptions.places_taken, 1);
    assert_eq!(bench.call_within(TICK_DEADLINE), subscribe(&["a1"]));
}

#[test]
fn a_new_session_has_all_its_patience_again() {
    let mut bench = acknowledged(10, &["a1"]);
    for _ in 0..4 {
        assert_eq!(bench.call_within(Duration::from_secs(61)), subscribe(&["a1"]));
        bench.yes("a1");
    }
    assert_eq!(bench.state("a1"), InstrumentState::Silent);
    bench.begin("20250303");
    assert_eq!(bench.call(), subscribe(&["a1"]));
    bench.yes("a1");
    assert_eq!(bench.call_within(TICK_DEADLINE), subscribe(&["a1"]));
    assert_eq!(bench.state("a1"), InstrumentState::Acknowledged);
}

#[test]
fn what_is_released_while_it_is_asked_for_again_is_released() {
    let mut bench = acknowledged(10, &["a1"]);
    assert_eq!(bench.call_within(TICK_DEADLINE), subscribe(&["a1"]));
    bench.assign(change(2, &[], &["a1"]));
    assert_eq!(bench.call(), None, "the question is unanswered");
    bench.yes("a1");
    assert_eq!(bench.call(), unsubscribe(&["a1"]));
    // A tick that comes now changes nothing about it.
    bench.tick("a1");
    bench.subscriptions.unsubscribe_answered(bench.now, id("a1"));
    assert_eq!(bench.subscriptions.census(), Census::default());
}

#[test]
fn the_library_may_refuse_the_second_question_too() {
    let mut bench = acknowledged(10, &["a1"]);
    let call = bench.call_within(TICK_DEADLINE).unwrap();
    assert_eq!(Some(&call), subscribe(&["a1"]).as_ref());
    bench.subscriptions.call_refused(bench.now, &call);
    let refused_at = bench.now;
    assert_eq!(bench.call_within(Duration::from_secs(2)), Some(call));
    assert_eq!(bench.now - refused_at, Duration::from_secs(1));
    assert_eq!(bench.state("a1"), InstrumentState::Acknowledged);
}

fn report(text: &str, state: InstrumentState, role: CarryRole) -> InstrumentReport {
    InstrumentReport { instrument: id(text), state, role }
}

fn change_role(generation: u64, carry: Carry) -> Assignment {
    let after = Generation(generation - 1);
    Assignment::Change {
        generation: Generation(generation),
        after,
        add: vec![carry],
        remove: vec![],
    }
}

#[test]
fn a_change_of_role_is_said_and_asks_the_front_for_nothing() {
    let mut bench = Bench::ready(10);
    bench.assign(whole(1, &["a1"]));
    bench.call();
    bench.tick("a1");
    bench.changes();
    bench.assign(change_role(2, Carry::standby(id("a1"))));
    assert_eq!(bench.subscriptions.role(&id("a1")), Some(CarryRole::Standby));
    let standby = report("a1", InstrumentState::Ticking, CarryRole::Standby);
    assert_eq!(bench.subscriptions.take_changes(10), std::slice::from_ref(&standby));
    // Whoever tells us what we do already may not know it.
    bench.assign(change_role(3, Carry::standby(id("a1"))));
    assert_eq!(bench.subscriptions.take_changes(10), [standby]);
    assert!(!bench.subscriptions.has_changes());
    let primary = Assignment::Whole {
        generation: Generation(4),
        instruments: vec![Carry::primary(id("a1"))],
    };
    bench.assign(primary);
    let primary = report("a1", InstrumentState::Ticking, CarryRole::Primary);
    assert_eq!(bench.subscriptions.take_changes(10), [primary]);
    assert_eq!(bench.call_within(Duration::from_secs(3600)), None);
}

#[test]
fn what_is_released_is_standby_and_may_come_back_as_anything() {
    let mut bench = Bench::ready(10);
    bench.assign(whole(1, &["a1"]));
    bench.call();
    bench.tick("a1");
    bench.changes();
    bench.assign(change(2, &[], &["a1"]));
    // From the moment it is unwanted, not only from the front's answer on.
    assert_eq!(bench.subscriptions.entries[&id("a1")].role, CarryRole::Standby);
    assert_eq!(bench.subscriptions.role(&id("a1")), None);
    assert_eq!(bench.call(), unsubscribe(&["a1"]));
    bench.subscriptions.unsubscribe_answered(bench.now, id("a1"));
    let released = report("a1", InstrumentState::Released, CarryRole::Standby);
    assert_eq!(bench.subscriptions.take_changes(10), [released]);
    // Let go and taken back before the front heard of it.
    bench.assign(change(3, &["a1"], &[]));
    bench.call();
    bench.tick("a1");
    bench.assign(change(4, &[], &["a1"]));
    bench.assign(change_role(5, Carry::standby(id("a1"))));
    let standby = report("a1", InstrumentState::Ticking, CarryRole::Standby);
    assert_eq!(bench.subscriptions.take_changes(10), [standby]);
}

#[test]
fn roles_outlive_sessions_and_stand_in_the_inventory() {
    let mut bench = Bench::ready(10);
    let instruments = vec![Carry::primary(id("a1")), Carry::standby(id("b1"))];
    bench.assign(Assignment::Whole { generation: Generation(1), instruments });
    bench.call();
    bench.subscriptions.session_ends();
    let inventory = |bench: &mut Bench, state: InstrumentState| {
        assert_eq!(
            bench.subscriptions.inventory(10),
            [
                report("a1", state.clone(), CarryRole::Primary),
                report("b1", state, CarryRole::Standby)
            ]
        );
    };
    inventory(&mut bench, InstrumentState::Waiting);
    bench.begin("20250304");
    bench.call();
    inventory(&mut bench, InstrumentState::Requested);
    bench.tick("a1");
    let ticking = report("a1", InstrumentState::Ticking, CarryRole::Primary);
    assert_eq!(bench.subscriptions.take_changes(10), [ticking]);
}

/// What may happen, in any order.
#[derive(Debug, Clone)]
enum Happening {
    Want(usize),
    Unwant(usize),
    Pass(u64),
    Call(Fate),
    Deliver,
    LoseAnswer,
    Tick(usize),
    Mute(usize),
    Disconnect,
    Connect,
    EventsLost,
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Taken,
    RefusedByLibrary,
    /// Subscriptions only: the front drops it.
    DroppedByFront,
    /// Subscriptions only; what an earlier request achieved stays.
    AnsweredWithError,
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let fate = prop::sample::select(vec![
        Fate::Taken,
        Fate::Taken,
        Fate::RefusedByLibrary,
        Fate::DroppedByFront,
        Fate::AnsweredWithError,
    ]);
    let happening = prop_oneof![
        4 => (0_usize..8).prop_map(Happening::Want),
        2 => (0_usize..8).prop_map(Happening::Unwant),
        3 => (0_u64..15_000).prop_map(Happening::Pass),
        6 => fate.prop_map(Happening::Call),
        5 => Just(Happening::Deliver),
        2 => Just(Happening::LoseAnswer),
        2 => (0_usize..8).prop_map(Happening::Tick),
        1 => (0_usize..8).prop_map(Happening::Mute),
        1 => Just(Happening::Disconnect),
        1 => Just(Happening::Connect),
        1 => Just(Happening::EventsLost),
    ];
    prop::collection::vec(happening, 0..150)
}

#[derive(Debug, Clone, Copy)]
enum Said {
    Yes(InstrumentId),
    No(InstrumentId, i32),
    Gone(InstrumentId),
}

/// A front and the coordinator's wishes.
struct World {
    bench: Bench,
    generation: u64,
    wanted: BTreeSet<InstrumentId>,
    connected: bool,
    carried: BTreeSet<InstrumentId>,
    /// Told the worker that it is subscribed, in this session.
    known: BTreeSet<InstrumentId>,
    /// When it was last asked for these.
    asked: BTreeMap<InstrumentId, Instant>,
    /// Of these, those whose tick has come.
    ticked: BTreeSet<InstrumentId>,
    /// The front says yes to these and sends nothing.
    mute: BTreeSet<InstrumentId>,
    saying: VecDeque<Said>,
}

const PLACES: usize = 5;

impl World {
    fn new() -> Self {
        Self {
            bench: Bench::new(PLACES),
            generation: 0,
            wanted: BTreeSet::new(),
            connected: false,
            carried: BTreeSet::new(),
            known: BTreeSet::new(),
            asked: BTreeMap::new(),
            ticked: BTreeSet::new(),
            mute: BTreeSet::new(),
            saying: VecDeque::new(),
        }
    }

    fn instrument(number: usize) -> InstrumentId {
        // The last one exists nowhere.
        id(if number == 7 { "none" } else { ["a", "b", "c", "d", "e", "f", "g"][number] })
    }

    fn want(&mut self, add: Vec<InstrumentId>, remove: Vec<InstrumentId>) {
        self.generation += 1;
        let generation = Generation(self.generation);
        let add = add.into_iter().map(Carry::primary).collect();
        let assignment = if self.generation == 1 {
            Assignment::Whole { generation, instruments: add }
        } else {
            Assignment::Change { generation, after: Generation(self.generation - 1), add, remove }
        };
        self.bench.assign(assignment);
    }

    fn step(&mut self, happening: Happening) -> Result<(), TestCaseError> {
        match happening {
            Happening::Want(number) => {
                self.wanted.insert(Self::instrument(number));
                self.want(vec![Self::instrument(number)], vec![]);
            }
            Happening::Unwant(number) => {
                self.wanted.remove(&Self::instrument(number));
                self.want(vec![], vec![Self::instrument(number)]);
            }
            Happening::Pass(millis) => self.bench.now += Duration::from_millis(millis),
            Happening::Call(fate) => self.call(fate)?,
            Happening::Deliver => self.deliver(),
            Happening::LoseAnswer => {
                self.saying.pop_front();
            }
            Happening::Tick(number) => self.tick(Self::instrument(number)),
            Happening::Mute(number) => {
                let instrument = Self::instrument(number);
                if !self.mute.remove(&instrument) {
                    self.mute.insert(instrument);
                }
            }
            Happening::Disconnect => {
                self.connected = false;
                self.carried.clear();
                self.known.clear();
                self.asked.clear();
                self.ticked.clear();
                self.saying.clear();
                self.bench.subscriptions.session_ends();
            }
            Happening::Connect if !self.connected => {
                self.connected = true;
                self.bench.begin("20250303");
            }
            Happening::Connect => {}
            Happening::EventsLost => {
                self.saying.clear();
                // What is unanswered may be asked again at once.
                self.asked.clear();
                self.bench.subscriptions.ask_again(self.bench.now);
            }
        }
        let carried = self.bench.subscriptions.entries.values();
        let places = carried.filter(|entry| entry.front.takes_a_place()).count();
        prop_assert_eq!(places, self.bench.subscriptions.places_taken);
        prop_assert!(self.carried.len() <= PLACES && places <= PLACES);
        Ok(())
    }

    fn call(&mut self, fate: Fate) -> Result<(), TestCaseError> {
        let Some(call) = self.bench.subscriptions.next_call(self.bench.now) else { return Ok(()) };
        prop_assert!(self.connected, "a call without a session");
        if matches!(fate, Fate::RefusedByLibrary) {
            self.bench.subscriptions.call_refused(self.bench.now, &call);
            return Ok(());
        }
        match call {
            Call::Subscribe(instruments) => {
                for instrument in instruments {
                    prop_assert!(
                        !self.ticked.contains(&instrument),
                        "ticks and is asked for again"
                    );
                    let now = self.bench.now;
                    if let Some(last) = self.asked.insert(instrument, now)
                        && self.known.contains(&instrument)
                    {
                        prop_assert!(now - last >= TICK_DEADLINE, "asked again without patience");
                    }
                    let exists = instrument != id("none");
                    match fate {
                        Fate::DroppedByFront => {}
                        Fate::AnsweredWithError => self.saying.push_back(Said::No(instrument, 99)),
                        _ if !exists => self.saying.push_back(Said::No(instrument, 16)),
                        _ => {
                            self.carried.insert(instrument);
                            self.saying.push_back(Said::Yes(instrument));
                        }
                    }
                }
            }
            Call::Unsubscribe(instruments) => {
                for instrument in instruments {
                    self.carried.remove(&instrument);
                    self.known.remove(&instrument);
                    self.ticked.remove(&instrument);
                    self.saying.push_back(Said::Gone(instrument));
                }
            }
        }
        Ok(())
    }

    fn deliver(&mut self) {
        match self.saying.pop_front() {
            Some(Said::Yes(instrument)) => {
                if self.carried.contains(&instrument) {
                    self.known.insert(instrument);
                }
                self.bench.yes(instrument.as_str());
            }
            Some(Said::No(instrument, error_id)) => self.bench.no(instrument.as_str(), error_id),
            Some(Said::Gone(instrument)) => {
                self.bench.subscriptions.unsubscribe_answered(self.bench.now, instrument);
            }
            None => {}
        }
    }

    fn tick(&mut self, instrument: InstrumentId) {
        if self.carried.contains(&instrument) && !self.mute.contains(&instrument) {
            self.bench.tick(instrument.as_str());
            let entry = self.bench.subscriptions.entries.get(&instrument);
            if entry.is_some_and(|entry| entry.front == FrontSide::Ticking) {
                self.ticked.insert(instrument);
            }
        }
    }

    /// From here on all goes well: within minutes the front carries what is wanted, and nothing else.
    fn calm_down(&mut self) -> Result<(), TestCaseError> {
        self.step(Happening::Connect)?;
        for _ in 0..2000 {
            self.step(Happening::Call(Fate::Taken))?;
            while !self.saying.is_empty() {
                self.step(Happening::Deliver)?;
            }
            for number in 0..8 {
                self.step(Happening::Tick(number))?;
            }
            self.step(Happening::Pass(200))?;
        }
        let exist: BTreeSet<_> = self.wanted.iter().copied().filter(|i| *i != id("none")).collect();
        prop_assert_eq!(self.carried.len(), exist.len().min(PLACES));
        prop_assert!(self.carried.is_subset(&exist));
        for instrument in &self.carried {
            let mute = self.mute.contains(instrument);
            let state = if mute { InstrumentState::Silent } else { InstrumentState::Ticking };
            // What ticked before its front fell silent has ticked.
            let expected =
                if self.ticked.contains(instrument) { InstrumentState::Ticking } else { state };
            prop_assert_eq!(self.bench.state(instrument.as_str()), expected);
        }
        let census = self.bench.subscriptions.census();
        // What exists nowhere is refused, unless it still waits for room.
        prop_assert!((exist.len()..=self.wanted.len()).contains(&census.carried));
        prop_assert!(census.carried == exist.len() || exist.len() >= PLACES);
        let silent = self.carried.iter().filter(|i| !self.ticked.contains(i)).count();
        prop_assert_eq!(census.acknowledged, self.carried.len() - silent);
        Ok(())
    }
}

proptest! {
    #[test]
    fn the_wanted_is_ticking_at_last_and_nothing_else(history in happenings()) {
        let mut world = World::new();
        for happening in history {
            world.step(happening)?;
        }
        world.calm_down()?;
        // And should the silent speak after all, they tick, too.
        world.mute.clear();
        for number in 0..8 {
            world.step(Happening::Tick(number))?;
        }
        for instrument in &world.carried {
            prop_assert_eq!(world.bench.state(instrument.as_str()), InstrumentState::Ticking);
        }
    }

    #[test]
    fn what_was_said_adds_up_to_what_is(history in happenings()) {
        let mut world = World::new();
        let mut heard: BTreeMap<InstrumentId, InstrumentState> = BTreeMap::new();
        for happening in history {
            world.step(happening)?;
            for report in world.bench.subscriptions.take_changes(3) {
                heard.insert(report.instrument, report.state);
            }
        }
        for report in world.bench.subscriptions.take_changes(usize::MAX) {
            heard.insert(report.instrument, report.state);
        }
        for (instrument, entry) in &world.bench.subscriptions.entries {
            if entry.wanted {
                prop_assert_eq!(heard.get(instrument), Some(&entry.report()));
            }
        }
        for (instrument, state) in &heard {
            if !world.bench.subscriptions.entries.contains_key(instrument) {
                prop_assert_eq!(state, &InstrumentState::Released);
            }
        }
    }
}

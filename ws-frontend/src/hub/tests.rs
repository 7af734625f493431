//! The whole hub with made-up connections.

mod charts;
mod diff;
mod edges;
mod paging;
mod queries;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::rc::Rc;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::Value;
use shm_layout::clock::monotonic;
use shm_layout::control::ListedFacts;
use shm_layout::{Tick, TickFlags, TradingCalendar, product};

use super::*;
use crate::limits::*;
use crate::protocol::frame::lengths;

/// A client's connection that takes as many bytes as the test lets it.
#[derive(Debug)]
struct Pipe {
    wire: RefCell<Vec<u8>>,
    room: Cell<usize>,
    writes: Cell<usize>,
    broken: Cell<bool>,
    reading: Cell<bool>,
    awaits_writable: Cell<bool>,
    discards: Cell<bool>,
    finished: Cell<bool>,
    ended: Cell<bool>,
    heard_at: Cell<Instant>,
}

impl Peer for Rc<Pipe> {
    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        assert!(!self.awaits_writable.get(), "a blocked socket is not written to");
        assert!(!self.finished.get() && !self.ended.get());
        self.writes.set(self.writes.get() + 1);
        if self.broken.get() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let count = bytes.len().min(self.room.get());
        if count == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.room.set(self.room.get() - count);
        self.wire.borrow_mut().extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn await_writable(&self) {
        self.awaits_writable.set(true);
    }

    fn resume_reading(&self) {
        self.reading.set(true);
    }

    fn discard_input(&self) {
        self.discards.set(true);
    }

    fn finish_writing(&self) {
        self.finished.set(true);
    }

    fn end(&self) {
        self.ended.set(true);
    }

    fn heard_at(&self) -> Instant {
        self.heard_at.get()
    }
}

/// A hub, its clients, and a clock that the test moves.
struct Stage {
    hub: Hub<Rc<Pipe>>,
    now: Instant,
}

/// Those that are built in.
fn hours() -> TradingHours {
    TradingHours::new(TradingCalendar::default())
}

const UNIX_MS: i64 = 1_701_394_215_500;

impl Stage {
    fn new() -> Self {
        Self { hub: Hub::new(hours()), now: monotonic() }
    }

    fn client(&mut self) -> (SessionId, Rc<Pipe>) {
        let pipe = Rc::new(Pipe {
            wire: RefCell::default(),
            room: Cell::new(usize::MAX),
            writes: Cell::new(0),
            broken: Cell::new(false),
            reading: Cell::new(true),
            awaits_writable: Cell::new(false),
            discards: Cell::new(false),
            finished: Cell::new(false),
            ended: Cell::new(false),
            heard_at: Cell::new(self.now),
        });
        (self.hub.open(Rc::clone(&pipe), self.now), pipe)
    }

    fn moment(&self) -> Moment {
        Moment { now: self.now, unix_ms: UNIX_MS }
    }

    fn say(&mut self, id: SessionId, text: &str) {
        self.hub.text(id, text, self.moment());
        self.flush();
    }

    /// The coordinator lists these, ten units in a lot.
    fn list(&mut self, ids: &[&str]) {
        let listed = |id: &&str| ListedInstrument {
            instrument: InstrumentId::parse(id).unwrap(),
            exchange: product::exchange_of(id),
            facts: ListedFacts { volume_multiple: Some(10), ..ListedFacts::default() },
        };
        self.hub.list_instruments(true, &ids.iter().map(listed).collect::<Vec<_>>());
        self.flush();
    }

    fn subscribe(&mut self, id: SessionId, instruments: &[&str]) {
        let items = serde_json::to_string(instruments).unwrap();
        self.say(id, &format!(r#"{{"action":"subscribe","instruments":{items}}}"#));
    }

    fn unsubscribe(&mut self, id: SessionId, instruments: &[&str]) {
        let items = serde_json::to_string(instruments).unwrap();
        self.say(id, &format!(r#"{{"action":"unsubscribe","instruments":{items}}}"#));
    }

    fn tick(&mut self, instrument: &str, volume: i32) {
        let id = InstrumentId::parse(instrument).unwrap();
        let tick = Tick { instrument_id: *id.padded(), volume, ..Tick::EMPTY };
        self.hub.take_tick(&tick, self.now);
    }

    fn flush(&mut self) {
        for _ in 0..1000 {
            let opening = self.hub.open_next(self.now);
            if self.hub.flush(self.now) == Flushed::All && !opening {
                return;
            }
        }
        panic!("flushing does not end");
    }

    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while self.now < until {
            self.now = until.min(self.now + SWEEP_EVERY);
            let moment = self.moment();
            self.hub.sweep(moment);
            self.flush();
        }
    }

    /// Lets a client's socket take so many bytes more.
    fn make_room(&mut self, id: SessionId, pipe: &Pipe, bytes: usize) {
        pipe.room.set(pipe.room.get().saturating_add(bytes));
        if pipe.awaits_writable.replace(false) {
            self.hub.writable(id);
        }
        self.flush();
    }

    /// What the coordinator would know.
    fn demand(&mut self, known: &mut BTreeSet<String>) {
        while let Some(part) = self.hub.next_demand() {
            if part.first {
                known.clear();
            }
            for id in part.add {
                known.insert(id.to_string());
            }
            for id in part.remove {
                known.remove(id.as_str());
            }
        }
    }
}

/// What a client received: texts as JSON, close frames as their code, pings as null.
fn received(pipe: &Pipe) -> Vec<Value> {
    let wire = std::mem::take(&mut *pipe.wire.borrow_mut());
    let mut rest = wire.as_slice();
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (header, payload) = lengths(rest).expect("a whole header");
        let length = header + payload;
        assert!(length <= rest.len(), "{} bytes of a frame of {length}", rest.len());
        found.push(match rest[0] {
            0x81 => serde_json::from_slice(&rest[header..length]).unwrap(),
            0x88 => Value::from(u16::from_be_bytes([rest[2], rest[3]])),
            0x89 => Value::Null,
            other => panic!("opcode {other:x}"),
        });
        rest = &rest[length..];
    }
    found
}

/// A pushed tick as `id=volume`, another message as its type.
fn brief(pipe: &Pipe) -> Vec<String> {
    let text = |value: &Value| match value["type"].as_str() {
        Some("market_data") => {
            format!("{}={}", value["instrument_id"].as_str().unwrap(), value["volume"])
        }
        Some(kind) => kind.to_owned(),
        None => value.to_string(),
    };
    received(pipe).iter().map(text).collect()
}

#[test]
fn the_answer_comes_first_then_the_latest_known_ticks_then_every_tick() {
    let mut stage = Stage::new();
    let (id, pipe) = stage.client();
    stage.tick("rb2601", 1);
    stage.tick("rb2601", 2);
    stage.subscribe(id, &["au2512", "SHFE.rb2601", "rb2601"]);
    stage.subscribe(id, &["rb2601"]);
    let first = received(&pipe);
    let answer = r#"{"type":"subscribe_response","status":"success","subscribed_count":2,"message":"Successfully subscribed to 2 instruments"}"#;
    assert_eq!(first[0], serde_json::from_str::<Value>(answer).unwrap());
    assert_eq!((&first[1]["instrument_id"], &first[1]["volume"]), (&"rb2601".into(), &2.into()));
    assert_eq!(first[2]["subscribed_count"], 1);
    assert_eq!(first.len(), 3, "no snapshot of what was subscribed before");
    for volume in 3..6 {
        stage.tick("rb2601", volume);
        stage.tick("au2512", volume);
        stage.tick("cu2512", volume);
    }
    let writes = pipe.writes.get();
    stage.flush();
    assert_eq!(pipe.writes.get(), writes + 1, "what gathered goes out in one write");
    let all = ["rb2601=3", "au2512=3", "rb2601=4", "au2512=4", "rb2601=5", "au2512=5"];
    assert_eq!(brief(&pipe), all);
    stage.unsubscribe(id, &["au2512", "zz1", "au2512"]);
    stage.tick("au2512", 6);
    stage.flush();
    assert_eq!(
        received(&pipe),
        [
            serde_json::json!({"type":"unsubscribe_response","status":"success","unsubscribed_count":1})
        ]
    );
}

#[test]
fn a_client_that_keeps_up_gets_every_tick_though_it_subscribes_more() {
    let mut stage = Stage::new();
    let (id, pipe) = stage.client();
    stage.tick("B", 3);
    stage.subscribe(id, &["A"]);
    stage.tick("A", 1);
    // No write between the answer and the ticks: all in one turn.
    let request = r#"{"action":"subscribe","instruments":["B"]}"#;
    stage.hub.text(id, request, stage.moment());
    stage.tick("A", 2);
    stage.tick("A", 3);
    stage.tick("B", 4);
    stage.flush();
    let answer = "subscribe_response";
    assert_eq!(brief(&pipe), [answer, "A=1", answer, "B=3", "A=2", "A=3", "B=4"]);
    let stats = stage.hub.stats();
    assert_eq!((stats.pushed, stats.conflated, stats.overrun), (5, 0, 0));
}

#[test]
fn latest_known_ticks_beyond_the_bound_wait_as_marks_and_all_come() {
    let mut stage = Stage::new();
    let (id, pipe) = stage.client();
    let names: Vec<String> = (0..10_000).map(|number| format!("i{number}")).collect();
    names.iter().for_each(|name| stage.tick(name, 1));
    pipe.room.set(0);
    stage.subscribe(id, &names.iter().map(String::as_str).collect::<Vec<_>>());
    let session = stage.hub.sessions.get_mut(id.0).unwrap();
    assert!(session.outbox.is_lagging());
    assert!(session.outbox.pending() <= OUT_BUFFER_BYTES_MAX);
    stage.make_room(id, &pipe, usize::MAX);
    let expected = names.iter().map(|name| format!("{name}=1"));
    assert_eq!(
        brief(&pipe),
        std::iter::once("subscribe_response".into()).chain(expected).collect::<Vec<_>>()
    );
    let stats = stage.hub.stats();
    assert_eq!((stats.pushed, stats.conflated), (10_000, 0));
}

#[test]
fn a_tick_published_once_more_goes_to_nobody_who_has_it() {
    let mut stage = Stage::new();
    let (id, pipe) = stage.client();
    stage.subscribe(id, &["rb2601", "au2512"]);
    stage.tick("rb2601", 1);
    stage.flush();
    let _before = received(&pipe);
    let mut again = |instrument: &str, volume, sequence| {
        let id = InstrumentId::parse(instrument).unwrap();
        let flags = TickFlags::SNAPSHOT.0;
        let tick = Tick { instrument_id: *id.padded(), volume, flags, sequence, ..Tick::EMPTY };
        let wanted = stage.hub.take_tick(&tick, stage.now);
        stage.flush();
        (wanted, brief(&pipe))
    };
    assert_eq!(again("rb2601", 1, 2), (false, vec![]), "it has it");
    assert_eq!(again("rb2601", 2, 3), (true, vec!["rb2601=2".to_owned()]), "it is another one");
    assert_eq!(again("au2512", 1, 4), (true, vec!["au2512=1".to_owned()]), "nobody had it");
    let stats = stage.hub.stats();
    assert_eq!((stats.ticks, stats.pushed, stats.conflated + stats.overrun), (4, 3, 0));
}

#[test]
fn a_client_that_lags_is_conflated_and_holds_up_nobody() {
    let mut stage = Stage::new();
    let (slow, slow_pipe) = stage.client();
    let (fast, fast_pipe) = stage.client();
    for id in [slow, fast] {
        stage.subscribe(id, &["rb2601", "au2512"]);
    }
    let _answers = (received(&slow_pipe), received(&fast_pipe));
    slow_pipe.room.set(0);
    let total = 3000;
    for volume in 0..total {
        stage.tick("rb2601", volume);
        stage.tick("au2512", volume);
        stage.flush();
    }
    assert_eq!(brief(&fast_pipe).len(), 2 * total as usize);
    let stats = stage.hub.stats();
    assert!(stats.conflated > 0);
    stage.make_room(slow, &slow_pipe, usize::MAX);
    let got = brief(&slow_pipe);
    let last = total - 1;
    assert_eq!(got.len() as u64 + stats.conflated, 2 * total as u64, "all is accounted for");
    assert!(
        got.ends_with(&[format!("rb2601={last}"), format!("au2512={last}")]),
        "{:?}",
        &got[got.len() - 4..]
    );
    stage.tick("rb2601", total);
    stage.flush();
    assert_eq!(brief(&slow_pipe), [format!("rb2601={total}")], "it keeps up again");
    let pushed = stage.hub.stats().pushed;
    assert_eq!(pushed, got.len() as u64 + 1 + 2 * total as u64 + 1);
}

#[test]
fn when_ticks_come_faster_than_they_can_be_sent_the_latest_of_each_instrument_is() {
    let mut stage = Stage::new();
    let (one, one_pipe) = stage.client();
    let (two, two_pipe) = stage.client();
    stage.subscribe(one, &["rb2601", "au2512"]);
    stage.subscribe(two, &["rb2601"]);
    let _answers = (received(&one_pipe), received(&two_pipe));
    stage.tick("rb2601", 1);
    stage.hub.fall_behind(true);
    // The only tick of au2512 comes in the midst of a flood of the other's.
    for volume in 2..1000 {
        stage.tick("rb2601", volume);
        if volume == 500 {
            stage.tick("au2512", 7);
        }
    }
    stage.flush();
    assert_eq!((brief(&one_pipe).len(), brief(&two_pipe).len()), (1, 1), "one before the flood");
    assert!(stage.hub.catch_up(stage.now));
    stage.flush();
    assert_eq!(brief(&one_pipe), ["rb2601=999", "au2512=7"]);
    assert_eq!(brief(&two_pipe), ["rb2601=999"]);
    let stats = stage.hub.stats();
    let offered = 2 * 999 + 1;
    assert_eq!(
        (stats.pushed + stats.overrun, stats.conflated),
        (offered, 0),
        "all is accounted for"
    );

    // What comes before all is caught up with waits in line, though the flood is over.
    stage.tick("rb2601", 1000);
    stage.hub.fall_behind(false);
    stage.tick("au2512", 8);
    stage.flush();
    assert!(brief(&one_pipe).is_empty());
    assert!(stage.hub.catch_up(stage.now));
    stage.tick("rb2601", 1001);
    stage.flush();
    assert_eq!(brief(&one_pipe), ["rb2601=1000", "au2512=8", "rb2601=1001"]);
}

#[test]
fn catching_up_leaves_the_ring_its_turn() {
    let mut stage = Stage::new();
    let (id, pipe) = stage.client();
    let names: Vec<String> = (0..CATCH_UP_COPIES_MAX + 1).map(|n| format!("i{n}")).collect();
    stage.subscribe(id, &names.iter().map(String::as_str).collect::<Vec<_>>());
    stage.hub.fall_behind(true);
    names.iter().for_each(|name| stage.tick(name, 1));
    assert!(!stage.hub.catch_up(stage.now), "one turn is not enough");
    assert!(stage.hub.catch_up(stage.now));
    stage.make_room(id, &pipe, usize::MAX);
    assert_eq!(brief(&pipe).len(), 1 + names.len());
}

#[test]
fn a_client_that_takes_nothing_is_disconnected_with_1013_at_a_frame_boundary() {
    let mut stage = Stage::new();
    let (id, pipe) = stage.client();
    stage.subscribe(id, &["rb2601"]);
    let _answer = received(&pipe);
    pipe.room.set(100);
    for volume in 0..5 {
        stage.tick("rb2601", volume);
    }
    stage.flush();
    stage.pass(NO_PROGRESS_TIME_MAX - Duration::from_millis(1));
    assert!(!pipe.discards.get());
    stage.pass(Duration::from_millis(1));
    assert!(pipe.discards.get());
    assert_eq!((stage.hub.stats().slow_disconnects, stage.hub.stats().instruments), (1, 0));
    stage.make_room(id, &pipe, usize::MAX);
    assert_eq!(brief(&pipe), ["rb2601=0", "1013"]);
    assert!(pipe.finished.get() && !pipe.ended.get());
    stage.pass(CLOSE_LINGER);
    assert!(pipe.ended.get());
    assert_eq!(stage.hub.sessions(), 0);
}

#[test]
fn a_silent_client_is_pinged_then_dropped() {
    let mut stage = Stage::new();
    let (_, pipe) = stage.client();
    stage.pass(PING_AFTER);
    assert_eq!(received(&pipe), [Value::Null]);
    pipe.heard_at.set(stage.now);
    stage.pass(SILENCE_TIME_MAX - Duration::from_millis(1));
    assert_eq!(received(&pipe), [Value::Null], "once more, after it was heard");
    assert!(!pipe.ended.get());
    stage.pass(Duration::from_millis(1));
    assert!(pipe.ended.get());
    assert_eq!(stage.hub.stats().dead_disconnects, 1);
}

#[test]
fn clients_are_not_blamed_when_the_hub_itself_was_stopped() {
    let mut stage = Stage::new();
    let (id, pipe) = stage.client();
    stage.subscribe(id, &["rb2601"]);
    pipe.room.set(0);
    stage.tick("rb2601", 1);
    stage.pass(SWEEP_EVERY);
    stage.now += SILENCE_TIME_MAX * 2;
    stage.pass(SWEEP_EVERY);
    assert!(!pipe.ended.get() && !pipe.discards.get());
    stage.pass(NO_PROGRESS_TIME_MAX);
    assert!(pipe.discards.get());
}

#[test]
fn a_client_that_does_not_take_its_replies_is_not_read_from() {
    let mut stage = Stage::new();
    let (id, pipe) = stage.client();
    let ids: Vec<String> = (0..40_000).map(|number| format!("i{number}")).collect();
    stage.list(&ids.iter().map(String::as_str).collect::<Vec<_>>());
    pipe.room.set(0);
    let mut asked = 0;
    while pipe.reading.replace(false) {
        stage.say(id, r#"{"action":"list"}"#);
        asked += 1;
        assert!(asked < 100, "it is read from for ever");
    }
    assert!(asked >= 2, "replies are bounded in sum, not one by one");
    stage.pass(Duration::from_secs(1));
    assert!(!pipe.reading.get());
    stage.make_room(id, &pipe, usize::MAX);
    assert!(pipe.reading.get());
    let lists = received(&pipe);
    assert_eq!(lists.len(), asked);
    assert_eq!((&lists[0]["total_count"], &lists[0]["count"]), (&40_000.into(), &40_000.into()));
}

#[test]
fn a_wrong_message_gets_a_word_and_changes_nothing() {
    let mut stage = Stage::new();
    let (id, pipe) = stage.client();
    for text in ["[]", "1", "null", "{", r#"{"action":"subscribe","instruments":["rb2601",5]}"#] {
        stage.say(id, text);
        let got = received(&pipe);
        assert_eq!(got.len(), 1, "{text}");
        assert_eq!((&got[0]["type"], &got[0]["timestamp"]), (&"error".into(), &UNIX_MS.into()));
    }
    stage.hub.binary(id, stage.moment());
    stage.flush();
    assert_eq!(brief(&pipe), ["error"]);
    assert_eq!(stage.hub.stats().bad_messages, 6);
    assert_eq!(stage.hub.stats().instruments, 0);
    stage.subscribe(id, &[]);
    assert_eq!(received(&pipe)[0]["subscribed_count"], 0);
    assert!(pipe.reading.get() && !pipe.discards.get());
}

#[test]
fn breaking_the_rules_of_websocket_ends_the_connection_with_its_code() {
    for (how, expected) in [
        (Violation::TooLong, vec!["error", "1009"]),
        (Violation::NotUtf8, vec!["1007"]),
        (Violation::Protocol, vec!["1002"]),
    ] {
        let mut stage = Stage::new();
        let (id, pipe) = stage.client();
        stage.hub.violated(id, how, stage.moment());
        stage.hub.text(id, r#"{"action":"subscribe","instruments":["rb2601"]}"#, stage.moment());
        stage.flush();
        assert_eq!(brief(&pipe), expected);
        assert!(pipe.discards.get() && pipe.finished.get());
        let stats = stage.hub.stats();
        assert_eq!((stats.bad_messages, stats.instruments), (1, 0));
    }
}

#[test]
fn a_goodbye_is_answered_and_a_broken_connection_forgotten() {
    let mut stage = Stage::new();
    let (polite, polite_pipe) = stage.client();
    let (rude, rude_pipe) = stage.client();
    stage.subscribe(polite, &["rb2601"]);
    stage.subscribe(rude, &["au2512"]);
    let _answers = (received(&polite_pipe), received(&rude_pipe));
    stage.hub.said_goodbye(polite, &[0x88, 2, 0x03, 0xe8], stage.now);
    rude_pipe.broken.set(true);
    stage.tick("au2512", 1);
    stage.flush();
    assert_eq!(brief(&polite_pipe), ["1000"]);
    assert!(rude_pipe.ended.get());
    stage.hub.gone(polite, stage.now);
    assert_eq!((stage.hub.sessions(), stage.hub.stats().instruments), (0, 0));
}

#[test]
fn goodbye_to_all_comes_after_what_waits() {
    let mut stage = Stage::new();
    let (id, pipe) = stage.client();
    stage.subscribe(id, &["rb2601"]);
    stage.tick("rb2601", 1);
    stage.hub.close_all("the gateway stops", stage.now);
    stage.flush();
    assert_eq!(brief(&pipe), ["subscribe_response", "rb2601=1", "1001"]);
}

#[test]
fn demand_outlives_a_short_absence_and_then_the_book_forgets() {
    let mut stage = Stage::new();
    let mut known = BTreeSet::new();
    stage.hub.coordinator_connected();
    let (id, _) = stage.client();
    stage.subscribe(id, &["rb2601"]);
    stage.tick("rb2601", 1);
    stage.hub.gone(id, stage.now);
    stage.demand(&mut known);
    assert!(known.contains("rb2601"));
    let (id, pipe) = stage.client();
    stage.subscribe(id, &["rb2601"]);
    assert_eq!(brief(&pipe), ["subscribe_response", "rb2601=1"], "still fresh, still shown");
    stage.hub.gone(id, stage.now);
    stage.pass(DEMAND_LINGER);
    stage.demand(&mut known);
    assert!(known.is_empty());
    let (id, pipe) = stage.client();
    stage.subscribe(id, &["rb2601"]);
    assert_eq!(brief(&pipe), ["subscribe_response"], "what may be stale is not shown");
}

#[test]
fn a_session_may_not_have_more_than_its_share() {
    let mut stage = Stage::new();
    let (id, pipe) = stage.client();
    let names: Vec<String> = (0..SESSION_INSTRUMENTS_MAX).map(|n| format!("i{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    stage.subscribe(id, &names);
    stage.subscribe(id, &names[..10]);
    stage.subscribe(id, &["one-more", "i1"]);
    let got = received(&pipe);
    assert_eq!(got[0]["subscribed_count"], SESSION_INSTRUMENTS_MAX);
    assert_eq!(got[1]["subscribed_count"], 10);
    let message = got[2]["message"].as_str().unwrap();
    assert!(message.contains("has 30000 instruments and asks for 1 more"), "{message}");
    assert_eq!(stage.hub.stats().instruments as usize, SESSION_INSTRUMENTS_MAX);
}

#[test]
fn what_ticks_is_listed_and_found() {
    let mut stage = Stage::new();
    let (id, pipe) = stage.client();
    stage.list(&["rb2601"]);
    stage.say(id, r#"{"action":"list"}"#);
    stage.tick("RB2602", 1);
    stage.say(id, r#"{"action":"list_instruments"}"#);
    stage.say(id, r#"{"action":"search","pattern":"b260"}"#);
    let ids: Vec<Value> =
        received(&pipe).iter().map(|reply| reply["instruments"].clone()).collect();
    let both = serde_json::json!(["RB2602", "rb2601"]);
    assert_eq!(ids, [serde_json::json!(["rb2601"]), both.clone(), both]);
}

#[derive(Debug, Clone)]
enum Step {
    Come,
    Subscribe(usize, usize),
    Unsubscribe(usize, usize),
    Tick(usize),
    Room(usize, usize),
    Goodbye(usize),
    Gone(usize),
    Pass(u64),
    Coordinator(bool),
    Behind(bool),
    CatchUp,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        1 => Just(Step::Come),
        3 => (0..4_usize, 0..6_usize).prop_map(|(c, i)| Step::Subscribe(c, i)),
        2 => (0..4_usize, 0..6_usize).prop_map(|(c, i)| Step::Unsubscribe(c, i)),
        6 => (0..6_usize).prop_map(Step::Tick),
        3 => (0..4_usize, 0..3000_usize).prop_map(|(c, room)| Step::Room(c, room)),
        1 => (0..4_usize).prop_map(Step::Goodbye),
        1 => (0..4_usize).prop_map(Step::Gone),
        2 => (0..3000_u64).prop_map(Step::Pass),
        1 => any::<bool>().prop_map(Step::Coordinator),
        1 => any::<bool>().prop_map(Step::Behind),
        2 => Just(Step::CatchUp),
    ];
    prop::collection::vec(step, 0..150)
}

/// A client as the model sees it.
struct Client {
    id: SessionId,
    pipe: Rc<Pipe>,
    wants: BTreeSet<usize>,
    /// Everything it has received.
    wire: Vec<u8>,
}

fn name(instrument: usize) -> String {
    format!("i{instrument}")
}

/// Each client's ticks never go back, and its frames are whole but for the last.
fn check_wire(client: &Client) -> Result<(), TestCaseError> {
    let mut rest = client.wire.as_slice();
    let mut last: BTreeMap<String, i64> = BTreeMap::new();
    while let Some((header, payload)) = lengths(rest).filter(|(h, p)| h + p <= rest.len()) {
        let length = header + payload;
        if rest[0] == 0x81 {
            let value: Value = serde_json::from_slice(&rest[header..length])
                .map_err(|error| TestCaseError::fail(error.to_string()))?;
            if let (Some(id), Some(volume)) =
                (value["instrument_id"].as_str(), value["volume"].as_i64())
            {
                let before = last.insert(id.to_owned(), volume);
                // Equal: subscribed anew, and the latest known one was shown again.
                prop_assert!(before.is_none_or(|before| before <= volume), "{} went back", id);
            }
        }
        rest = &rest[length..];
    }
    Ok(())
}

fn play(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let mut stage = Stage::new();
    let mut clients: Vec<Client> = Vec::new();
    let mut known = BTreeSet::new();
    for (number, step) in (1..).zip(steps) {
        match step {
            Step::Come if clients.len() < 4 => {
                let (id, pipe) = stage.client();
                pipe.room.set(2000);
                clients.push(Client { id, pipe, wants: BTreeSet::new(), wire: Vec::new() });
            }
            Step::Subscribe(c, i) if c < clients.len() => {
                stage.subscribe(clients[c].id, &[&name(i)]);
                clients[c].wants.insert(i);
            }
            Step::Unsubscribe(c, i) if c < clients.len() => {
                stage.unsubscribe(clients[c].id, &[&name(i)]);
                clients[c].wants.remove(&i);
            }
            Step::Tick(i) => {
                stage.tick(&name(i), number);
                stage.flush();
            }
            Step::Room(c, room) if c < clients.len() => {
                let client = &clients[c];
                stage.make_room(client.id, &client.pipe, room);
            }
            Step::Goodbye(c) if c < clients.len() => {
                let client = clients.remove(c);
                stage.hub.said_goodbye(client.id, &[0x88, 0], stage.now);
                stage.flush();
                stage.hub.gone(client.id, stage.now);
            }
            Step::Gone(c) if c < clients.len() => {
                let client = clients.remove(c);
                stage.hub.gone(client.id, stage.now);
            }
            Step::Pass(ms) => {
                stage.pass(Duration::from_millis(ms));
                for client in &clients {
                    client.pipe.heard_at.set(stage.now);
                }
                // Who took nothing for too long was closed; the model forgets it too.
                clients.retain(|client| !client.pipe.discards.get());
            }
            Step::Behind(behind) => stage.hub.fall_behind(behind),
            Step::CatchUp => {
                stage.hub.catch_up(stage.now);
                stage.flush();
            }
            Step::Coordinator(true) => stage.hub.coordinator_connected(),
            Step::Coordinator(false) => stage.hub.coordinator_disconnected(),
            _ => {}
        }
        for client in &mut clients {
            client.wire.append(&mut client.pipe.wire.borrow_mut());
            check_wire(client)?;
        }
        let wanted: BTreeSet<String> =
            clients.iter().flat_map(|client| client.wants.iter().map(|i| name(*i))).collect();
        prop_assert_eq!(stage.hub.stats().instruments as usize, wanted.len());
        stage.demand(&mut known);
    }
    check_demand(&mut stage, &clients, known)
}

/// After the linger, the coordinator knows what sessions want, all of it and no more.
fn check_demand(
    stage: &mut Stage,
    clients: &[Client],
    mut known: BTreeSet<String>,
) -> Result<(), TestCaseError> {
    let wanted: BTreeSet<String> =
        clients.iter().flat_map(|client| client.wants.iter().map(|i| name(*i))).collect();
    stage.hub.coordinator_connected();
    stage.demand(&mut known);
    prop_assert!(known.is_superset(&wanted));
    stage.now += DEMAND_LINGER;
    for client in clients {
        client.pipe.heard_at.set(stage.now);
    }
    stage.make_all_room(clients);
    stage.pass(SWEEP_EVERY);
    stage.demand(&mut known);
    prop_assert_eq!(known, wanted, "demand is the union of what sessions want");
    Ok(())
}

impl Stage {
    fn make_all_room(&mut self, clients: &[Client]) {
        for client in clients {
            self.make_room(client.id, &client.pipe, usize::MAX);
        }
    }
}

proptest! {
    #[test]
    fn after_any_history_frames_are_whole_ticks_in_order_and_demand_is_the_union(steps in steps()) {
        play(steps)?;
    }
}

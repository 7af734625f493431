//! Callbacks in, ticks and events out.

use shm_layout::depth::{DepthOwner, DepthReader, Found, SlotFacts};
use shm_layout::shared_memory::{Opening, Place, Sharing};
use shm_layout::{ExchangeId, FleetPaths, Instance, Source, TradingCalendar};

use super::*;
use crate::ctp::fields::RspError;
use crate::ctp::layout::Layout;
use crate::event_queue::{EventReceiver, event_queue};
use crate::limits::{EVENT_QUEUE_MAX, EVENTS_RESERVED_FOR_SESSION};

/// Keeps what is published; refuses when told so.
#[derive(Clone, Default)]
struct Published {
    ticks: Arc<Mutex<Vec<Tick>>>,
    refuse: bool,
}

impl TickOutput for Published {
    fn publish(&mut self, tick: &mut Tick) -> bool {
        if !self.refuse {
            self.ticks.lock().unwrap().push(*tick);
        }
        !self.refuse
    }
}

struct Bench {
    sink: Arc<Sink>,
    events: EventReceiver,
    published: Published,
    counters: Arc<Counters>,
}

impl Bench {
    fn new(refuse: bool) -> Self {
        let counters = Arc::new(Counters::default());
        let (sender, events) = event_queue(Arc::clone(&counters));
        let published = Published { refuse, ..Published::default() };
        let context = Context {
            calendar: TradingCalendar::default(),
            login_trading_day: None,
            source: Source::Front,
        };
        let output = Box::new(published.clone());
        let sink = Arc::new(Sink::new(output, context, 10, sender, Arc::clone(&counters)));
        Self { sink, events, published, counters }
    }

    fn told(&self, what: CtpEventKind) {
        self.sink.told(what);
    }

    fn subscribed(&self, instrument: &str) {
        let instrument = InstrumentId::parse(instrument).ok();
        self.told(CtpEventKind::Subscribed { instrument, error: None });
    }

    /// A tick with its trading day and its time; of the day session, on that day.
    fn depth_of(&self, instrument: &[u8], trading_day: &[u8; 8], time: &[u8; 8]) {
        let layout = &Layout::newest().depth;
        let mut bytes = vec![0; layout.size];
        bytes[..8].copy_from_slice(trading_day);
        bytes[401..401 + instrument.len()].copy_from_slice(instrument);
        bytes[208..216].copy_from_slice(time);
        self.sink.depth(&Depth::new(&bytes, layout));
    }

    fn log_in(&self, day: &str) {
        let request = crate::ctp::event::RequestId(1);
        self.told(CtpEventKind::LoggedIn { request, outcome: Ok(Date::parse(day).ok()) });
    }

    /// The later days told since the last call.
    fn later_days(&mut self) -> Vec<u32> {
        let events = std::iter::from_fn(|| self.events.try_recv());
        events
            .filter_map(|event| match event.kind {
                CtpEventKind::LaterDay { trading_day } => Some(trading_day.yyyymmdd()),
                _ => None,
            })
            .collect()
    }

    fn depth(&self, instrument: &[u8]) {
        let layout = &Layout::newest().depth;
        let mut bytes = vec![0; layout.size];
        bytes[401..401 + instrument.len()].copy_from_slice(instrument);
        bytes[208..216].copy_from_slice(b"21:00:00");
        self.sink.depth(&Depth::new(&bytes, layout));
    }

    fn flags(&self) -> Vec<bool> {
        let ticks = self.published.ticks.lock().unwrap();
        ticks.iter().map(|tick| TickFlags(tick.flags).contains(TickFlags::SNAPSHOT)).collect()
    }

    fn ticking(&mut self) -> Vec<(u64, String)> {
        let events = std::iter::from_fn(|| self.events.try_recv());
        events
            .filter_map(|event| match event.kind {
                CtpEventKind::Ticking { instrument } => {
                    Some((event.link.0, instrument.to_string()))
                }
                _ => None,
            })
            .collect()
    }
}

#[test]
fn the_first_tick_after_each_subscription_is_a_snapshot_and_is_told_once() {
    let mut bench = Bench::new(false);
    bench.told(CtpEventKind::Connected);
    bench.subscribed("rb2601");
    bench.depth(b"rb2601");
    bench.depth(b"rb2601");
    bench.depth(b"au2512");
    // Subscribed again in the same session.
    bench.subscribed("rb2601");
    bench.depth(b"rb2601");
    // And in the next one.
    bench.told(CtpEventKind::Connected);
    bench.depth(b"rb2601");
    bench.depth(b"rb2601");
    assert_eq!(bench.flags(), [true, false, true, true, true, false]);
    let told = bench.ticking();
    let told: Vec<_> = told.iter().map(|(link, id)| (*link, id.as_str())).collect();
    assert_eq!(told, [(1, "rb2601"), (1, "au2512"), (1, "rb2601"), (2, "rb2601")]);
    assert_eq!(bench.counters.ticks.get(), 6);
}

impl Bench {
    /// What was published since the last call.
    fn take(&self) -> Vec<Tick> {
        std::mem::take(&mut *self.published.ticks.lock().unwrap())
    }
}

#[test]
fn the_logins_day_reaches_the_ticks() {
    let bench = Bench::new(false);
    let login =
        |outcome| CtpEventKind::LoggedIn { request: crate::ctp::event::RequestId(1), outcome };
    bench.told(login(Ok(Date::from_yyyymmdd(20_250_303))));
    bench.depth(b"rb2601");
    // Neither a refusal nor an answer without a day takes it away.
    bench.told(login(Err(RspError::new(7, "not yet"))));
    bench.told(login(Ok(None)));
    bench.depth(b"rb2601");
    let ticks = bench.published.ticks.lock().unwrap();
    let days: Vec<_> = ticks.iter().map(|tick| (tick.trading_day, tick.action_day)).collect();
    assert_eq!(days, [(20_250_303, 20_250_228); 2]);
}

#[test]
fn a_later_day_in_a_tick_is_told_once_and_dates_what_says_no_day() {
    let mut bench = Bench::new(false);
    bench.told(CtpEventKind::Connected);
    // Without a login there is nothing to be later than.
    bench.depth_of(b"rb2505", b"20250304", b"14:59:59");
    bench.log_in("20250303");
    bench.depth_of(b"rb2505", b"20250303", b"14:59:59");
    bench.depth_of(b"rb2505", b"20250228", b"14:59:59");
    // Garbage is no day that follows.
    bench.depth_of(b"rb2505", b"20991231", b"14:59:59");
    assert_eq!(bench.later_days(), Vec::<u32>::new());
    bench.take();
    bench.depth_of(b"rb2505", b"20250304", b"21:00:00");
    // SR says the calendar day at night, the other nothing at all.
    bench.depth_of(b"SR505", b"20250303", b"21:00:00");
    bench.depth_of(b"au2506", b"\0\0\0\0\0\0\0\0", b"21:00:00");
    // What is left of the old day keeps it.
    bench.depth_of(b"m2505", b"20250303", b"14:59:59");
    let days: Vec<_> = bench.take().iter().map(|t| (t.trading_day, t.action_day)).collect();
    let (new, old) = ((20_250_304, 20_250_303), (20_250_303, 20_250_303));
    assert_eq!(days, [new, new, new, old]);
    assert_eq!(bench.later_days(), [20_250_304]);
    // The login that follows settles it, and the next day is told anew.
    bench.log_in("20250304");
    bench.depth_of(b"rb2505", b"20250304", b"21:00:01");
    assert_eq!(bench.later_days(), Vec::<u32>::new());
    bench.depth_of(b"rb2505", b"20250305", b"21:00:01");
    assert_eq!(bench.later_days(), [20_250_305]);
}

#[test]
fn a_login_that_still_names_the_old_day_is_believed_until_the_next_tick() {
    let mut bench = Bench::new(false);
    bench.log_in("20250303");
    bench.depth_of(b"rb2505", b"20250304", b"21:00:00");
    bench.log_in("20250303");
    bench.depth_of(b"SR505", b"20250303", b"09:00:00");
    bench.depth_of(b"rb2505", b"20250304", b"21:00:00");
    bench.depth_of(b"SR505", b"20250303", b"21:00:00");
    let days: Vec<_> = bench.take().iter().map(|tick| tick.trading_day).collect();
    assert_eq!(days, [20_250_304, 20_250_303, 20_250_304, 20_250_304]);
    assert_eq!(bench.later_days(), [20_250_304, 20_250_304]);
}

#[test]
fn a_later_day_that_could_not_be_told_is_told_with_a_later_tick() {
    let mut bench = Bench::new(false);
    bench.log_in("20250303");
    for _ in 0..EVENT_QUEUE_MAX - EVENTS_RESERVED_FOR_SESSION {
        bench.told(CtpEventKind::HeartbeatWarning { lapse_s: 1 });
    }
    bench.depth_of(b"rb2505", b"20250304", b"21:00:00");
    assert_eq!(bench.later_days(), Vec::<u32>::new());
    bench.depth_of(b"rb2505", b"20250304", b"21:00:00");
    bench.depth_of(b"rb2505", b"20250304", b"21:00:00");
    assert_eq!(bench.later_days(), [20_250_304]);
}

#[test]
fn snapshots_are_counted_where_they_are_published() {
    for refuse in [false, true] {
        let bench = Bench::new(refuse);
        bench.told(CtpEventKind::Connected);
        for _ in 0..3 {
            bench.depth(b"rb2601");
        }
        bench.depth(b"au2512");
        let counted = (bench.counters.ticks.get(), bench.counters.snapshots.get());
        assert_eq!(counted, if refuse { (0, 0) } else { (4, 2) });
    }
}

#[test]
fn what_cannot_be_published_is_counted() {
    let bench = Bench::new(true);
    bench.depth(b"rb2601");
    bench.depth(b"X\x02\x0cz\x7f");
    bench.depth(b"");
    assert_eq!((bench.counters.unpublished.get(), bench.counters.malformed.get()), (1, 2));
    assert_eq!(bench.counters.ticks.get(), 0);
}

#[test]
fn a_first_tick_that_could_not_be_told_is_told_with_a_later_one() {
    let mut bench = Bench::new(false);
    bench.told(CtpEventKind::Connected);
    for _ in 0..EVENT_QUEUE_MAX - EVENTS_RESERVED_FOR_SESSION {
        bench.told(CtpEventKind::HeartbeatWarning { lapse_s: 1 });
    }
    bench.depth(b"rb2601");
    assert_eq!(bench.ticking(), []);
    bench.depth(b"rb2601");
    bench.depth(b"rb2601");
    assert_eq!(bench.ticking(), [(1, "rb2601".to_owned())]);
    assert_eq!(bench.flags(), [true, false, false]);
}

#[test]
fn a_closed_path_publishes_nothing() {
    let bench = Bench::new(false);
    bench.depth(b"rb2601");
    bench.take();
    bench.sink.close();
    bench.depth(b"rb2601");
    assert_eq!((bench.take(), bench.counters.ticks.get()), (vec![], 1));
}

#[test]
fn a_front_that_hangs_up_again_and_again_is_told_of_once() {
    let mut bench = Bench::new(false);
    let gone = |reason| CtpEventKind::Disconnected { reason };
    for what in [gone(1), gone(1), gone(2), gone(2), CtpEventKind::Connected, gone(2), gone(2)] {
        bench.told(what);
    }
    let told: Vec<_> =
        std::iter::from_fn(|| bench.events.try_recv()).map(|event| event.kind).collect();
    assert_eq!(told, [gone(1), gone(2), CtpEventKind::Connected, gone(2)]);
}

/// A depth segment of a test's own.
struct Segment {
    paths: FleetPaths,
    owner: DepthOwner,
}

impl Segment {
    fn new(name: &str) -> Self {
        let name = format!("sink{}-{name}", std::process::id());
        let paths =
            FleetPaths::new(Instance::parse(&name).unwrap(), "/tmp/nowhere".into()).unwrap();
        let owner = Self::made(&paths);
        Self { paths, owner }
    }

    fn made(paths: &FleetPaths) -> DepthOwner {
        let sharing = Sharing { mode: 0o640, group: None };
        let place = Place::named(&paths.depth_name());
        let (mut owner, _) = DepthOwner::open(&place, 8, sharing).unwrap();
        let facts = SlotFacts {
            exchange: ExchangeId::SHFE,
            volume_multiple: 10,
            price_tick: 1.0,
            product_class: 1,
        };
        for id in ["rb2601", "au2512"] {
            owner.add(&InstrumentId::parse(id).unwrap(), &facts).unwrap();
        }
        owner
    }

    fn writer(&self) -> CellWriter {
        CellWriter::open(&self.paths).unwrap().0
    }

    fn identity(&self) -> Option<(u64, u64)> {
        Place::named(&self.paths.depth_name()).identity()
    }

    /// The millisecond and the volume of what the segment holds.
    fn holds(&self, id: &str) -> Option<(i32, i32)> {
        let reader = DepthReader::open(&Place::named(&self.paths.depth_name())).unwrap();
        match reader.read(reader.find(&InstrumentId::parse(id).unwrap()).unwrap()) {
            Found::Latest(tick) => Some((tick.update_millisec, tick.volume)),
            Found::Nothing => None,
            Found::Busy => panic!("nobody writes"),
        }
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        Place::named(&self.paths.depth_name()).remove().unwrap();
    }
}

impl Bench {
    fn own(&self, gained: &[&str], given_up: &[&str]) {
        let ids = |ids: &[&str]| -> Vec<_> {
            ids.iter().map(|id| InstrumentId::parse(id).unwrap()).collect()
        };
        self.sink.set_own(&ids(gained), &ids(given_up));
    }

    fn tick(&self, id: &[u8], millisec: i32, volume: i32) {
        let layout = &Layout::newest().depth;
        let mut bytes = vec![0; layout.size];
        bytes[401..401 + id.len()].copy_from_slice(id);
        bytes[220..224].copy_from_slice(&millisec.to_ne_bytes());
        bytes[136..140].copy_from_slice(&volume.to_ne_bytes());
        self.sink.depth(&Depth::new(&bytes, layout));
    }
}

#[test]
fn only_what_is_its_own_is_written_and_at_once() {
    let segment = Segment::new("own");
    let bench = Bench::new(false);
    bench.told(CtpEventKind::Connected);
    bench.own(&["au2512"], &[]);
    bench.tick(b"au2512", 1, 10);
    assert_eq!(bench.counters.unwritten.get(), 1, "there is no segment yet");
    assert_eq!(bench.sink.look_for_cells(), None);
    bench.sink.set_cells(segment.writer());
    assert_eq!(bench.sink.look_for_cells(), segment.identity());
    assert_eq!(segment.holds("au2512"), Some((1, 10)), "what is known is written at once");
    bench.tick(b"rb2601", 2, 20);
    bench.tick(b"au2512", 3, 30);
    assert_eq!((segment.holds("rb2601"), segment.holds("au2512")), (None, Some((3, 30))));
    bench.own(&["rb2601"], &["au2512"]);
    assert_eq!(segment.holds("rb2601"), Some((2, 20)), "what it has seen is written at once");
    bench.tick(b"rb2601", 4, 40);
    bench.tick(b"au2512", 5, 50);
    assert_eq!((segment.holds("rb2601"), segment.holds("au2512")), (Some((4, 40)), Some((3, 30))));
    assert_eq!((bench.counters.cells.get(), bench.counters.ticks.get()), (4, 5));
}

#[test]
fn who_takes_over_from_a_faster_one_waits_until_it_has_caught_up() {
    let segment = Segment::new("behind");
    let faster = Bench::new(false);
    faster.sink.set_cells(segment.writer());
    faster.own(&["rb2601"], &[]);
    faster.tick(b"rb2601", 3, 30);
    let slower = Bench::new(false);
    slower.sink.set_cells(segment.writer());
    slower.tick(b"rb2601", 1, 10);
    faster.own(&[], &["rb2601"]);
    slower.own(&["rb2601"], &[]);
    assert_eq!(segment.holds("rb2601"), Some((3, 30)));
    slower.tick(b"rb2601", 2, 20);
    assert_eq!(segment.holds("rb2601"), Some((3, 30)), "readers never see it go back");
    slower.tick(b"rb2601", 3, 30);
    slower.tick(b"rb2601", 4, 40);
    assert_eq!(segment.holds("rb2601"), Some((4, 40)));
    // Whatever its front says from here on is the truth.
    slower.tick(b"rb2601", 5, 5);
    assert_eq!(segment.holds("rb2601"), Some((5, 5)));
}

#[test]
fn another_segment_in_its_place_is_written_from_the_next_look_on() {
    let mut segment = Segment::new("again");
    let bench = Bench::new(false);
    bench.sink.set_cells(segment.writer());
    bench.own(&["rb2601"], &[]);
    bench.tick(b"rb2601", 1, 10);
    // One of another version, as it were: it is put away, and retired.
    let place = Place::named(&segment.paths.depth_name());
    let (owner, opening) =
        DepthOwner::open(&place, 100_000, Sharing { mode: 0o640, group: None }).unwrap();
    assert!(matches!(opening, Opening::Replaced(_)), "{opening:?}");
    drop(owner);
    segment.owner = Segment::made(&segment.paths);
    assert_eq!(segment.holds("rb2601"), None);
    assert!(bench.sink.look_for_cells() != segment.identity());
    bench.sink.set_cells(segment.writer());
    assert_eq!(segment.holds("rb2601"), Some((1, 10)));
    bench.tick(b"rb2601", 2, 20);
    assert_eq!(segment.holds("rb2601"), Some((2, 20)));
    // What is learned later is found with the next look.
    bench.own(&["new01"], &[]);
    bench.tick(b"new01", 1, 10);
    assert_eq!(bench.counters.unwritten.get(), 1);
    let facts = SlotFacts {
        exchange: ExchangeId::UNKNOWN,
        volume_multiple: 0,
        price_tick: f64::NAN,
        product_class: 0,
    };
    segment.owner.add(&InstrumentId::parse("new01").unwrap(), &facts).unwrap();
    assert_eq!(bench.sink.look_for_cells(), segment.identity());
    assert_eq!(segment.holds("new01"), Some((1, 10)));
    bench.tick(b"new01", 2, 20);
    assert_eq!(segment.holds("new01"), Some((2, 20)));
}

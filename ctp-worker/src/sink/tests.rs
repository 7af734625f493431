//! Callbacks in, ticks and events out.

use shm_layout::{Source, TradingCalendar};

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
    bench.sink.close();
    bench.depth(b"rb2601");
    assert_eq!((bench.flags(), bench.counters.ticks.get()), (vec![], 0));
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

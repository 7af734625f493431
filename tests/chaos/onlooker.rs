//! A reader of the ring that nothing is done to: what it has not seen, no worker has brought in time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use qamd_tests::fleet::Fleet;
use qamd_tests::stepped::SteppedMarket;
use shm_layout::Tick;

/// Which worker brought each tick first, by instrument and multiple.
pub(crate) type Seen = BTreeMap<String, BTreeMap<i64, u32>>;

/// The reader, in a thread of its own.
#[derive(Debug)]
pub(crate) struct Onlooker {
    seen: Arc<Mutex<Seen>>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<u64>>,
}

// === impl Onlooker ===

impl Onlooker {
    /// Begins to read.
    pub(crate) fn begin(fleet: &Fleet, market: SteppedMarket) -> Self {
        /// A tenth of the market's period.
        const LOOK_EVERY: Duration = Duration::from_millis(10);
        let mut tap = fleet.tap();
        let seen = Arc::new(Mutex::new(Seen::new()));
        let ends = Arc::new(AtomicBool::new(false));
        let (noted, told) = (Arc::clone(&seen), Arc::clone(&ends));
        let thread = std::thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                let ticks = tap.take();
                let mut noted = noted.lock().unwrap_or_else(PoisonError::into_inner);
                ticks.iter().for_each(|tick| note(&mut noted, &market, tick));
                drop(noted);
                std::thread::sleep(LOOK_EVERY);
            }
            tap.lost()
        });
        Self { seen, ends, thread: Some(thread) }
    }

    /// What it has seen so far.
    pub(crate) fn seen(&self) -> Seen {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends; how many ticks it lost in the ring.
    pub(crate) fn end(&mut self) -> u64 {
        self.ends.store(true, Ordering::Relaxed);
        let thread = self.thread.take().expect("it is ended once");
        thread.join().expect("its thread does not panic")
    }
}

impl Drop for Onlooker {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.end();
        }
    }
}

fn note(seen: &mut Seen, market: &SteppedMarket, tick: &Tick) {
    let name = tick.instrument().unwrap().to_string();
    let multiple = market.multiple(tick.exchange_time_ns / 1_000_000);
    // The first one counts: a snapshot may be published once more.
    seen.entry(name).or_default().entry(multiple).or_insert(tick.worker);
}

//! The tick path: on the library's callback thread, from the record to the ring, and all other callbacks to the driver.
//!
//! Nothing here blocks, logs or allocates without bound. One mutex guards the path; only the callback thread takes it
//! while the process works, so it is never waited for.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shm_layout::ring::TickWriter;
use shm_layout::{Date, InstrumentId, Tick, TickFlags, clock};

use crate::counters::Counters;
use crate::ctp::callbacks::Receiver;
use crate::ctp::event::{CtpEvent, CtpEventKind, Link};
use crate::ctp::fields::Depth;
use crate::event_queue::EventSender;
use crate::limits::INSTRUMENTS_SEEN_MAX;
use crate::normalize::{self, Context};

/// Where ticks go.
pub trait TickOutput: Send {
    /// Stamps and publishes a tick; false when it was not taken.
    fn publish(&mut self, tick: &mut Tick) -> bool;
}

impl TickOutput for TickWriter {
    fn publish(&mut self, tick: &mut Tick) -> bool {
        Self::publish(self, std::slice::from_mut(tick)) == 0
    }
}

/// Takes the library's callbacks: ticks into the ring, the rest into the driver's queue.
pub struct Sink {
    path: Mutex<TickPath>,
    /// Counts OnFrontConnected; written by the callback thread alone.
    link: AtomicU64,
    events: EventSender,
    counters: Arc<Counters>,
}

struct TickPath {
    /// `None` once closed.
    output: Option<Box<dyn TickOutput>>,
    context: Context,
    /// Instruments that have ticked since their subscription; true when the driver was told.
    seen: HashMap<InstrumentId, bool>,
    /// The reason of the last disconnect, until the next connect.
    gone_for: Option<i32>,
}

// === impl Sink ===

impl Sink {
    /// A path to `output`, with room for `instruments` prepared.
    #[must_use]
    pub fn new(
        output: Box<dyn TickOutput>,
        context: Context,
        instruments: usize,
        events: EventSender,
        counters: Arc<Counters>,
    ) -> Self {
        let seen = HashMap::with_capacity(instruments.min(INSTRUMENTS_SEEN_MAX));
        let path = Mutex::new(TickPath { output: Some(output), context, seen, gone_for: None });
        Self { path, link: AtomicU64::new(0), events, counters }
    }

    /// Closes the path: what the library says from here on is dropped. Frees the output.
    pub fn close(&self) {
        let output = self.path().output.take();
        drop(output);
    }

    /// A panic in a callback leaves the path as usable as before: nothing in it spans two callbacks half done.
    fn path(&self) -> MutexGuard<'_, TickPath> {
        self.path.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn link(&self) -> Link {
        Link(self.link.load(Ordering::Relaxed))
    }
}

impl Receiver for Arc<Sink> {
    fn told(&self, what: CtpEventKind) {
        match what {
            CtpEventKind::Connected => {
                self.link.fetch_add(1, Ordering::Relaxed);
                let mut path = self.path();
                path.seen.clear();
                path.gone_for = None;
            }
            // Libraries before 6.7 try a front that hangs up thousands of times a second and say so each time.
            CtpEventKind::Disconnected { reason } if self.path().was_gone_for(reason) => return,
            CtpEventKind::LoggedIn { outcome: Ok(trading_day), .. } => {
                self.path().logged_in(trading_day);
            }
            // After each of these the next tick is a snapshot again.
            CtpEventKind::Subscribed { instrument: Some(instrument), error: None }
            | CtpEventKind::Unsubscribed { instrument: Some(instrument), .. } => {
                self.path().seen.remove(&instrument);
            }
            _ => {}
        }
        self.events.send(CtpEvent { link: self.link(), kind: what });
    }

    fn depth(&self, depth: &Depth<'_>) {
        let received_ns = clock::unix_ns();
        let mut path = self.path();
        let Some((instrument, mut tick)) = normalize::normalize(depth, &path.context, received_ns)
        else {
            self.counters.malformed.add_one();
            return;
        };
        if path.is_first(&instrument) {
            tick.flags |= TickFlags::SNAPSHOT.0;
        }
        let Some(output) = &mut path.output else { return };
        let taken = output.publish(&mut tick);
        let counter = if taken { &self.counters.ticks } else { &self.counters.unpublished };
        counter.add_one();
        path.announce(instrument, || {
            let kind = CtpEventKind::Ticking { instrument };
            self.events.send(CtpEvent { link: self.link(), kind })
        });
    }

    fn panicked(&self) {
        self.counters.panics.add_one();
    }
}

// === impl TickPath ===

impl TickPath {
    /// Notes a disconnect; true when the same was noted before and no connect since.
    fn was_gone_for(&mut self, reason: i32) -> bool {
        self.gone_for.replace(reason) == Some(reason)
    }

    fn logged_in(&mut self, trading_day: Option<Date>) {
        // An answer without a day says nothing new about it.
        if trading_day.is_some() {
            self.context.login_trading_day = trading_day;
        }
    }

    fn is_first(&self, instrument: &InstrumentId) -> bool {
        self.seen.len() < INSTRUMENTS_SEEN_MAX && !self.seen.contains_key(instrument)
    }

    /// Tells the driver of an instrument's first tick; should its queue be full, of the next one.
    fn announce(&mut self, instrument: InstrumentId, tell: impl FnOnce() -> bool) {
        let has_room = self.seen.len() < INSTRUMENTS_SEEN_MAX;
        match self.seen.get_mut(&instrument) {
            Some(true) => {}
            Some(told) => *told = tell(),
            None if has_room => {
                self.seen.insert(instrument, tell());
            }
            None => {}
        }
    }
}

#[cfg(test)]
mod tests;

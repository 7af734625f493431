//! The tick path: on the library's callback thread, from the record to the ring, and all other callbacks to the driver.
//!
//! Nothing here blocks, logs or allocates without bound. One mutex guards the path. Beside the callback thread only the
//! driver takes it, to say which cells are this worker's, and never for longer than a few of them take.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shm_layout::cells::CellWriter;
use shm_layout::qamddata::QamddataCells;
use shm_layout::ring::TickWriter;
use shm_layout::{Date, InstrumentId, Tick, TickFlags, clock};

use crate::counters::Counters;
use crate::ctp::callbacks::Receiver;
use crate::ctp::event::{CtpEvent, CtpEventKind, Link};
use crate::ctp::fields::Depth;
use crate::event_queue::EventSender;
use crate::limits::{INSTRUMENTS_SEEN_MAX, LATER_DAY_DAYS_MAX, ROLES_PER_LOCK_MAX};
use crate::normalize::{self, Context};
use crate::own_cells::OwnCells;

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
    cells: OwnCells,
    context: Context,
    /// Instruments that have ticked in this session and were not released since.
    seen: HashMap<InstrumentId, Seen>,
    /// The reason of the last disconnect, until the next connect.
    gone_for: Option<i32>,
    /// The trading day in use, as a number YYYYMMDD: the login's, or the latest that a tick has said since; 0 when unknown.
    day: u32,
    /// The latest day that a tick has said since the login, while the driver does not know of it.
    later_day: Option<Date>,
}

/// An instrument that has ticked.
struct Seen {
    /// As it was published.
    last: Tick,
    since: Since,
}

/// What is known of an instrument's ticks since its subscription was last acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Since {
    /// None came yet.
    Silent,
    /// The first came; the driver does not know.
    Untold,
    /// And the driver does.
    Told,
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
        let day = context.login_trading_day.map_or(0, Date::yyyymmdd);
        let output = Some(output);
        let cells = OwnCells::new(Arc::clone(&counters));
        let path = TickPath { output, cells, context, seen, gone_for: None, day, later_day: None };
        let path = Mutex::new(path);
        Self { path, link: AtomicU64::new(0), events, counters }
    }

    /// This worker writes the cells of the instruments `gained` from here on, and not those of `given_up`.
    pub fn set_own(&self, gained: &[InstrumentId], given_up: &[InstrumentId]) {
        for part in given_up.chunks(ROLES_PER_LOCK_MAX) {
            let mut path = self.path();
            part.iter().for_each(|instrument| path.cells.give_up(instrument));
        }
        for part in gained.chunks(ROLES_PER_LOCK_MAX) {
            let mut path = self.path();
            let TickPath { cells, seen, .. } = &mut *path;
            for instrument in part {
                cells.take(*instrument, seen.get(instrument).map(|seen| &seen.last));
            }
        }
    }

    /// Looks for the places of instruments that had none. Gives the depth segment that is open, by device and inode.
    pub fn look_for_cells(&self) -> Option<(u64, u64)> {
        let mut path = self.path();
        let TickPath { cells, seen, .. } = &mut *path;
        cells.look_again(|instrument| seen.get(instrument).map(|seen| &seen.last));
        cells.open_segment()
    }

    /// The `qamddata` that is to be opened, by name and inode.
    pub fn wanted_qamddata(&self) -> Option<(String, u64)> {
        self.path().cells.wanted_qamddata()
    }

    /// Takes a `qamddata` of this inode.
    pub fn set_qamddata(&self, opened: QamddataCells, inode: u64) {
        let before = self.path().cells.opened_qamddata(opened, inode);
        drop(before);
    }

    /// Takes the segments of the cells.
    pub fn set_cells(&self, writer: CellWriter) {
        let before = {
            let mut path = self.path();
            let TickPath { cells, seen, .. } = &mut *path;
            cells.opened(writer, |instrument| seen.get(instrument).map(|seen| &seen.last))
        };
        // Closing takes long, and the library's thread must not wait for it.
        drop(before);
    }

    /// Publishes and counts; false when the path is closed.
    fn publish(&self, path: &mut TickPath, tick: &mut Tick) -> bool {
        let Some(output) = &mut path.output else { return false };
        let taken = output.publish(tick);
        let counter = if taken { &self.counters.ticks } else { &self.counters.unpublished };
        counter.add_one();
        if taken && TickFlags(tick.flags).contains(TickFlags::SNAPSHOT) {
            self.counters.snapshots.add_one();
        }
        true
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
            // The next tick is a snapshot again.
            CtpEventKind::Subscribed { instrument: Some(instrument), error: None } => {
                if let Some(seen) = self.path().seen.get_mut(&instrument) {
                    seen.since = Since::Silent;
                }
            }
            CtpEventKind::Unsubscribed { instrument: Some(instrument), .. } => {
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
        if !self.publish(&mut path, &mut tick) {
            return;
        }
        path.cells.write(&instrument, &tick);
        path.note_day(tick.trading_day, |trading_day| {
            let kind = CtpEventKind::LaterDay { trading_day };
            self.events.send(CtpEvent { link: self.link(), kind })
        });
        path.note(instrument, &tick, || {
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

    /// A session begins, perhaps on the connection of the one before.
    fn logged_in(&mut self, trading_day: Option<Date>) {
        self.seen.clear();
        // An answer without a day says nothing new about it.
        if let Some(day) = trading_day {
            self.context.login_trading_day = trading_day;
            self.day = day.yyyymmdd();
            self.later_day = None;
        }
    }

    /// Takes a tick's trading day. Where it is later than the login's, the front has rolled and left the session as it was:
    /// from this tick on the new day helps to date those that do not say theirs, and the driver is told, should its queue
    /// be full with a later tick.
    fn note_day(&mut self, trading_day: u32, tell: impl FnOnce(Date) -> bool) {
        if self.day != 0
            && trading_day > self.day
            && let Some(later) = Date::from_yyyymmdd(trading_day)
            && self
                .context
                .login_trading_day
                .is_some_and(|login| later <= login.plus_days(LATER_DAY_DAYS_MAX))
        {
            self.day = trading_day;
            self.context.login_trading_day = Some(later);
            self.later_day = Some(later);
        }
        if self.later_day.is_some_and(tell) {
            self.later_day = None;
        }
    }

    fn is_first(&self, instrument: &InstrumentId) -> bool {
        match self.seen.get(instrument) {
            Some(seen) => seen.since == Since::Silent,
            None => self.seen.len() < INSTRUMENTS_SEEN_MAX,
        }
    }

    /// Keeps a tick as its instrument's last, and tells the driver of the first; should its queue be full, of the next.
    fn note(&mut self, instrument: InstrumentId, tick: &Tick, tell: impl FnOnce() -> bool) {
        let told = || if tell() { Since::Told } else { Since::Untold };
        let has_room = self.seen.len() < INSTRUMENTS_SEEN_MAX;
        match self.seen.get_mut(&instrument) {
            Some(seen) => {
                seen.last = *tick;
                if seen.since != Since::Told {
                    seen.since = told();
                }
            }
            None if has_room => {
                self.seen.insert(instrument, Seen { last: *tick, since: told() });
            }
            None => {}
        }
    }
}

#[cfg(test)]
mod tests;

//! Everything between ticks and clients, owned in one place: the quote book, who wants what, what waits for whom, and what
//! the coordinator is told. No clock, no sockets, no tasks: the driver brings ticks, words from clients, words from the
//! coordinator and the time; the hub answers through [`Peer`].
//!
//! * `fan_out`: ticks in, bytes out, one write a session and turn.
//! * `requests`: what clients ask.
//! * `sweep`: what the clock brings.

mod fan_out;
mod peer;
mod requests;
mod sweep;
mod table;

pub use fan_out::Flushed;
pub use peer::Peer;
pub use requests::{Moment, Violation};

use std::time::Instant;

use shm_layout::InstrumentId;
use shm_layout::control::FrontendStats;

use crate::demand::{Demand, DemandPart};
use crate::interests::{Interests, SessionIndex};
use crate::marks::Marks;
use crate::protocol::frame::{CloseCode, push_close};
use crate::quote_book::{InstrumentIndex, QuoteBook};
use crate::session::Session;
use crate::universe::Universe;
use crate::unseen::Unseen;
use table::Table;

/// A session's place in the hub; given anew after the session is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionId(SessionIndex);

/// The state of this process.
#[derive(Debug)]
pub struct Hub<P> {
    book: QuoteBook,
    interests: Interests,
    sessions: Table<Session<P>>,
    demand: Demand,
    unseen: Unseen,
    universe: Universe,
    stats: FrontendStats,
    /// Ticks come faster than they can be sent; see [`Hub::fall_behind`].
    behind: bool,
    /// Instruments whose latest tick is still to be sent to everybody, since we fell behind.
    overdue: Marks,
    /// Sessions that have something to be written, each once.
    touched: Vec<SessionIndex>,
    /// The frame of the tick being fanned out; kept for its memory.
    frame: Vec<u8>,
    /// The reply to `list`, as long as the universe stays as it is.
    list_reply: Option<Vec<u8>>,
    swept_at: Option<Instant>,
}

// === impl Hub ===

impl<P: Peer> Hub<P> {
    /// Without clients, knowing nothing.
    #[must_use]
    pub fn new() -> Self {
        Self {
            book: QuoteBook::default(),
            interests: Interests::default(),
            sessions: Table::default(),
            demand: Demand::default(),
            unseen: Unseen::default(),
            universe: Universe::default(),
            stats: FrontendStats::default(),
            behind: false,
            overdue: Marks::default(),
            touched: Vec::new(),
            frame: Vec::new(),
            list_reply: None,
            swept_at: None,
        }
    }

    /// A client came.
    pub fn open(&mut self, peer: P, now: Instant) -> SessionId {
        self.stats.sessions_opened += 1;
        SessionId(self.sessions.insert(Session::new(peer, now)))
    }

    /// A client's connection is gone.
    pub fn gone(&mut self, id: SessionId, now: Instant) {
        self.drop_session(id.0, now);
    }

    /// How many sessions there are, closing ones included.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// The counters now. The driver adds what it alone knows.
    #[must_use]
    pub fn stats(&self) -> FrontendStats {
        let count = |number| u32::try_from(number).unwrap_or(u32::MAX);
        FrontendStats {
            sessions: count(self.sessions.len()),
            instruments: count(self.interests.wanted()),
            ..self.stats
        }
    }

    /// So many ticks were lost before they could be taken.
    pub fn lost(&mut self, ticks: u64) {
        self.stats.ring_lost += ticks;
    }

    /// A part of the coordinator's list of instruments.
    pub fn list_instruments(
        &mut self,
        first: bool,
        instruments: impl IntoIterator<Item = InstrumentId>,
    ) {
        self.universe.list(first, instruments);
        self.list_reply = None;
    }

    /// A coordinator is there, and has been told nothing.
    pub fn coordinator_connected(&mut self) {
        self.demand.connected();
    }

    /// The coordinator is gone; all goes on.
    pub fn coordinator_disconnected(&mut self) {
        self.demand.disconnected();
    }

    /// The next thing to tell the coordinator about what is wanted; it counts as told.
    pub fn next_demand(&mut self) -> Option<DemandPart> {
        self.demand.next_part()
    }

    /// Says goodbye to all clients. What waits for them is sent first.
    pub fn close_all(&mut self, reason: &str, now: Instant) {
        for index in self.sessions.indices() {
            self.close(index, CloseCode::GoingAway, reason, Queued::Send, now);
        }
    }

    /// Begins the end of a session: no subscriptions, a close frame, nothing read.
    fn close(
        &mut self,
        at: SessionIndex,
        code: CloseCode,
        why: &str,
        queued: Queued,
        now: Instant,
    ) {
        let mut frame = Vec::new();
        push_close(&mut frame, code, why);
        self.close_with(at, &frame, queued, now);
    }

    fn close_with(&mut self, index: SessionIndex, frame: &[u8], queued: Queued, now: Instant) {
        self.forget_interests(index, now);
        let Some(session) = self.sessions.get_mut(index).filter(|session| session.is_open()) else {
            return;
        };
        session.outbox.close(frame, queued == Queued::Drop, now);
        session.close(now);
        session.peer.discard_input();
        touch(&mut self.touched, index, session);
    }

    fn drop_session(&mut self, index: SessionIndex, now: Instant) {
        self.forget_interests(index, now);
        if let Some(session) = self.sessions.remove(index) {
            session.peer.end();
        }
    }

    fn forget_interests(&mut self, index: SessionIndex, now: Instant) {
        for instrument in self.interests.remove_session(index) {
            self.release(instrument, now);
        }
    }

    fn release(&mut self, instrument: InstrumentIndex, now: Instant) {
        if let Some(instrument) = self.book.instrument(instrument) {
            self.demand.release(instrument, now);
        }
    }
}

impl<P: Peer> Default for Hub<P> {
    fn default() -> Self {
        Self::new()
    }
}

/// What becomes of what waits for a session that is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Queued {
    /// It is sent before the close frame.
    Send,
    /// It is dropped.
    Drop,
}

/// Puts a session on the list of those to be written to.
fn touch<P>(touched: &mut Vec<SessionIndex>, index: SessionIndex, session: &mut Session<P>) {
    if !std::mem::replace(&mut session.touched, true) {
        touched.push(index);
    }
}

#[cfg(test)]
mod tests;

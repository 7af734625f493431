//! Everything between ticks and clients, owned in one place: the quote book, who wants what, what waits for whom, and what
//! the coordinator is told. No clock, no sockets, no tasks: the driver brings ticks, words from clients, words from the
//! coordinator and the time; the hub answers through [`Peer`].
//!
//! * `fan_out`: ticks in, bytes out, one write a session and turn.
//! * `requests`: what clients ask in the `action` dialect; `diff`, `charts`, `queries`: in DIFF; `interest`: what either means for
//!   the demand.
//! * `events`: what clients are told of the fleet.
//! * `sweep`: what the clock brings.

mod charts;
mod diff;
mod events;
mod fan_out;
mod interest;
mod peer;
mod queries;
mod requests;
mod sweep;
mod table;

pub use fan_out::Flushed;
pub use peer::Peer;
pub use requests::{Moment, Violation};

use std::collections::VecDeque;
use std::time::Instant;

use shm_layout::control::{FrontendStats, ListedInstrument};
use shm_layout::{ExchangeId, InstrumentId, TradingHours};

use crate::demand::{Demand, DemandPart};
use crate::events::Condition;
use crate::hashing::Map;
use crate::interests::{Interests, SessionIndex};
use crate::marks::Marks;
use crate::protocol::frame::{CloseCode, push_close};
use crate::quote_book::InstrumentIndex;
use crate::session::{QueryToken, Session, Speech};
use crate::unseen::Unseen;
use crate::world::World;
use charts::Opening;
use queries::{Asked, Query};
use table::Table;

/// A session's place in the hub; given anew after the session is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionId(SessionIndex);

/// The state of this process.
#[derive(Debug)]
pub struct Hub<P> {
    world: World,
    interests: Interests,
    sessions: Table<Session<P>>,
    demand: Demand,
    unseen: Unseen,
    /// Instruments whose first tick came, for the catalog.
    seen: Vec<(InstrumentId, ExchangeId)>,
    /// Queries that are not answered yet, and those of them that the catalog does not have yet.
    asked: Map<QueryToken, Asked>,
    to_ask: VecDeque<Query>,
    /// Counts queries.
    tokens: u64,
    /// Charts whose series are being opened; at most one a session.
    openings: VecDeque<Opening>,
    condition: Condition,
    /// Ticks lost of which nobody was told yet.
    lost_untold: u64,
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
    /// Without clients, knowing nothing but when products trade.
    #[must_use]
    pub fn new(hours: TradingHours) -> Self {
        Self {
            world: World::new(hours),
            interests: Interests::default(),
            sessions: Table::default(),
            demand: Demand::default(),
            unseen: Unseen::default(),
            seen: Vec::new(),
            asked: Map::default(),
            to_ask: VecDeque::new(),
            tokens: 0,
            openings: VecDeque::new(),
            condition: Condition::default(),
            lost_untold: 0,
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
        let speaks_diff = |session: &&Session<P>| matches!(session.speech, Speech::Diff(_));
        FrontendStats {
            sessions: count(self.sessions.len()),
            diff_sessions: count(self.sessions.iter().filter(speaks_diff).count()),
            queries: self.tokens,
            unkept: self.world.series.unkept(),
            instruments: count(self.interests.wanted()),
            ..self.stats
        }
    }

    /// So many ticks were lost before they could be taken.
    pub fn lost(&mut self, ticks: u64) {
        self.stats.ring_lost += ticks;
        self.lost_untold += ticks;
    }

    /// A part of the coordinator's list of instruments.
    pub fn list_instruments(&mut self, first: bool, instruments: &[ListedInstrument]) {
        self.world.universe.list(first, instruments);
        self.list_reply = None;
        self.instruments_are_known();
    }

    /// Instruments whose first tick has come since this was asked last.
    pub fn take_seen(&mut self) -> Vec<(InstrumentId, ExchangeId)> {
        std::mem::take(&mut self.seen)
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
        let Some(session) = self.sessions.get_mut(index).filter(|session| session.is_open()) else {
            return;
        };
        if queued == Queued::Send
            && let Some(diff) = session.speech.diff_mut()
        {
            // What it is still to be told, such as why it is closed, as far as it has asked.
            session.outbox.append_with(now, |out| {
                diff.push_answer(out, &mut self.world);
            });
        }
        session.outbox.close(frame, queued == Queued::Drop, now);
        session.close(now);
        session.peer.discard_input();
        touch(&mut self.touched, index, session);
        self.forget_interests(index, now);
    }

    fn drop_session(&mut self, index: SessionIndex, now: Instant) {
        self.forget_interests(index, now);
        if let Some(session) = self.sessions.remove(index) {
            session.peer.end();
        }
    }

    fn forget_interests(&mut self, index: SessionIndex, now: Instant) {
        self.forget_openings(index);
        if let Some(session) = self.sessions.get_mut(index) {
            session.opens_chart = false;
            let asking = session.asking.take();
            if let Some(diff) = session.speech.diff_mut() {
                for series in diff.end(&mut self.world).series {
                    self.world.close_series(series);
                }
            }
            session.speech = Speech::Undecided;
            if let Some(token) = asking {
                self.forget_query(token);
            }
        }
        for instrument in self.interests.remove_session(index) {
            self.release(instrument, now);
        }
    }

    fn release(&mut self, instrument: InstrumentIndex, now: Instant) {
        if let Some(instrument) = self.world.book.instrument(instrument) {
            self.demand.release(instrument, now);
        }
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

//! Ticks in, bytes out. A tick is encoded once, when the first client needs its bytes, and copied to each that wants it;
//! what has gathered for a client goes to its socket in one write. For a DIFF client it is only noted that the instrument has
//! news; what it is told is made up when it asks, and its socket has taken all of before.

use std::io::ErrorKind;
use std::time::Instant;

use shm_layout::control::FrontendStats;
use shm_layout::{InstrumentId, Tick};

use super::{Hub, Peer, SessionId, touch};
use crate::interests::SessionIndex;
use crate::limits::{CATCH_UP_COPIES_MAX, FLUSH_ANSWERS_BYTES, WRITES_PER_TURN_MAX};
use crate::outbox::Offered;
use crate::protocol::action::push_market_data;
use crate::quote_book::{InstrumentIndex, Recorded};
use crate::session::{Session, Speech};
use crate::world::World;

/// What [`Hub::flush`] left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flushed {
    /// Nothing that can be written now.
    All,
    /// Sessions that would take more; flush again after the others had their turn.
    Some,
}

/// What became of one session's turn.
enum Turn {
    /// Nothing is left.
    Empty,
    /// The socket was full before.
    StillBlocked,
    /// The socket took no more.
    Blocked,
    /// It was long enough, and something is left.
    Over,
    /// The connection is gone.
    Broken,
}

impl<P: Peer> Hub<P> {
    /// True when ticks of shared memory would help: instruments are wanted of which none was seen, or with `again`, were
    /// looked for before.
    #[must_use]
    pub fn has_unseen(&self, again: bool) -> bool {
        if again { !self.unseen.is_empty() } else { self.unseen.has_fresh() }
    }

    /// Looks for instruments that are wanted and of which no tick was seen: the newly wanted ones, or with `again` some of those
    /// that were looked for before. What is found goes to those who want it.
    pub fn look_for_unseen(
        &mut self,
        again: bool,
        now: Instant,
        latest: impl Fn(&InstrumentId) -> Option<Box<Tick>>,
    ) {
        let looked_for = if again { self.unseen.take_some() } else { self.unseen.take_fresh() };
        for instrument in looked_for {
            let Some(number) = self.world.book.find(&instrument) else { continue };
            let wanted = !self.interests.sessions_of(number).is_empty();
            if !wanted || self.world.book.latest(number).is_some() {
                continue;
            }
            match latest(&instrument).map(|tick| self.world.book.seed(&tick)) {
                Some(Recorded::First(number)) => {
                    self.saw(number);
                    self.fan_out(number, now);
                }
                _ => self.unseen.put_back(instrument),
            }
        }
    }

    /// A tick of the ring: into the book, and towards every client that wants its instrument. True when one did.
    pub fn take_tick(&mut self, tick: &Tick, now: Instant) -> bool {
        self.stats.ticks += 1;
        let recorded = self.world.book.record(tick, now);
        if recorded != Recorded::Again
            && let Ok(instrument) = tick.instrument()
        {
            self.world.series.take(instrument, tick);
        }
        let instrument = match recorded {
            // Whoever wants it has it already, or has it coming.
            Recorded::Ignored | Recorded::Again => return false,
            Recorded::Later(instrument) => instrument,
            Recorded::First(instrument) => {
                self.saw(instrument);
                instrument
            }
        };
        // While one instrument is overdue, all wait in line: an instrument's ticks never overtake each other.
        let copies = if self.behind || !self.overdue.is_empty() {
            self.postpone(instrument)
        } else {
            self.fan_out(instrument, now)
        };
        copies > 0
    }

    /// Says whether ticks come faster than they can be sent. While they do, they only enter the book, and
    /// [`Self::catch_up`] sends the latest of each instrument: a tick that is overwritten in the ring is lost to everybody,
    /// and might have been its instrument's last.
    pub fn fall_behind(&mut self, behind: bool) {
        self.behind = behind;
    }

    /// Sends the latest ticks of instruments that are overdue, as many as one turn may. True when none is left.
    pub fn catch_up(&mut self, now: Instant) -> bool {
        let mut copies = 0;
        while copies < CATCH_UP_COPIES_MAX {
            let Some(instrument) = self.overdue.take_first() else { return true };
            copies += self.fan_out(instrument, now).max(1);
        }
        self.overdue.is_empty()
    }

    /// Marks an instrument as overdue: a tick of it that was overdue already is sent to nobody, counted `overrun`. Returns
    /// how many clients want it.
    fn postpone(&mut self, instrument: InstrumentIndex) -> usize {
        let wanted_by = self.interests.sessions_of(instrument).len();
        if wanted_by > 0 && !self.overdue.set(instrument) {
            self.stats.overrun += wanted_by as u64;
        }
        wanted_by
    }

    /// Offers the latest tick of an instrument to every client that wants it. Returns how many do.
    fn fan_out(&mut self, instrument: InstrumentIndex, now: Instant) -> usize {
        let Some(tick) = self.world.book.latest(instrument) else { return 0 };
        self.world.faces.update(instrument, tick);
        self.frame.clear();
        let sessions = self.interests.sessions_of(instrument);
        for index in sessions {
            let Some(session) = self.sessions.get_mut(*index) else { continue };
            if let Speech::Diff(diff) = &mut session.speech {
                diff.note(instrument);
                if diff.is_due() {
                    touch(&mut self.touched, *index, session);
                }
                continue;
            }
            let frame = &mut self.frame;
            let offered = session.outbox.offer(instrument, now, move || {
                if frame.is_empty() {
                    push_market_data(frame, tick);
                }
                frame
            });
            match offered {
                Offered::Queued => self.stats.pushed += 1,
                Offered::Marked => {}
                Offered::Conflated => self.stats.conflated += 1,
            }
            touch(&mut self.touched, *index, session);
        }
        sessions.len()
    }

    /// The first tick of an instrument is in the book.
    fn saw(&mut self, instrument: InstrumentIndex) {
        let id = self.world.book.instrument(instrument);
        if let (Some(id), Some(tick)) = (id, self.world.book.latest(instrument)) {
            self.world.universe.saw(id, tick.exchange());
            self.seen.push((id, tick.exchange()));
            self.list_reply = None;
        }
    }

    /// Writes what has gathered, as far as one turn may: answers to DIFF clients are encoded only up to
    /// [`FLUSH_ANSWERS_BYTES`]; the sessions behind have the next turn.
    pub fn flush(&mut self, now: Instant) -> Flushed {
        let mut turns = std::mem::take(&mut self.touched);
        let mut answers = 0;
        let mut rest = Vec::new();
        for index in turns.drain(..) {
            if answers >= FLUSH_ANSWERS_BYTES || self.flush_session(index, &mut answers, now) {
                rest.push(index);
            }
        }
        // Nothing was touched meanwhile but through the turns themselves.
        rest.append(&mut self.touched);
        self.touched = rest;
        if self.touched.is_empty() { Flushed::All } else { Flushed::Some }
    }

    /// A socket that took no more takes some again.
    pub fn writable(&mut self, id: SessionId) {
        if let Some(session) = self.sessions.get_mut(id.0) {
            session.blocked = false;
            touch(&mut self.touched, id.0, session);
        }
    }

    /// One session's turn; `answers` grows by the bytes of what a DIFF client is answered. True when it would take more.
    fn flush_session(&mut self, index: SessionIndex, answers: &mut usize, now: Instant) -> bool {
        let Some(session) = self.sessions.get_mut(index) else { return false };
        session.touched = false;
        *answers += answer_peek(session, &mut self.world, &mut self.stats, now);
        let turn = write_turn(session, &self.world, &mut self.stats, now);
        match turn {
            Turn::Broken => {
                self.drop_session(index, now);
                return false;
            }
            Turn::Blocked => {
                session.blocked = true;
                session.peer.await_writable();
            }
            Turn::Empty if !session.is_open() && !session.finished => {
                session.finished = true;
                session.peer.finish_writing();
            }
            Turn::Empty | Turn::StillBlocked | Turn::Over => {}
        }
        let is_busy = session.asking.is_some() || session.opens_chart;
        let may_speak = session.is_open() && !is_busy;
        if session.held && may_speak && !session.outbox.is_full() {
            session.resumed(now);
            session.peer.resume_reading();
        }
        // Another peek may be open, and another answer due.
        let is_due = session.speech.diff_mut().is_some_and(|diff| diff.is_due());
        let more = matches!(turn, Turn::Over) || (matches!(turn, Turn::Empty) && is_due);
        session.touched = more;
        more
    }
}

fn write_turn<P: Peer>(
    session: &mut Session<P>,
    world: &World,
    stats: &mut FrontendStats,
    now: Instant,
) -> Turn {
    if session.blocked {
        return Turn::StillBlocked;
    }
    for _ in 0..WRITES_PER_TURN_MAX {
        let encoded = session.outbox.refill(now, |instrument, out| {
            world.book.latest(instrument).is_some_and(|tick| push_market_data(out, tick))
        });
        stats.pushed += encoded as u64;
        if session.outbox.pending() == 0 {
            return Turn::Empty;
        }
        match session.peer.write(session.outbox.waiting()) {
            Ok(0) => return Turn::Broken,
            Ok(count) => {
                session.outbox.took(count, now);
                stats.bytes_sent += count as u64;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Turn::Blocked,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return Turn::Broken,
        }
    }
    if session.outbox.is_empty() { Turn::Empty } else { Turn::Over }
}

/// Answers a DIFF client's peek, if there is something to say. Only once all of before has left: what is encoded late is fresh.
/// Returns how many bytes that took.
fn answer_peek<P>(
    session: &mut Session<P>,
    world: &mut World,
    stats: &mut FrontendStats,
    now: Instant,
) -> usize {
    let Some(diff) = session.speech.diff_mut().filter(|diff| diff.is_due()) else { return 0 };
    if !session.outbox.is_empty() {
        return 0;
    }
    let mut answered = None;
    session.outbox.append_with(now, |out| answered = diff.push_answer(out, world));
    if let Some(answered) = answered {
        stats.pushed += answered.quotes as u64;
        stats.answers += 1;
    }
    session.outbox.pending()
}

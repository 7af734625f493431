//! What clients say.

use std::time::Instant;

use shm_layout::InstrumentId;

use super::{Hub, Peer, Queued, SessionId, touch};
use crate::diff_session::DiffSession;
use crate::hashing::Set;
use crate::interests::SessionIndex;
use crate::limits::MESSAGE_BYTES_MAX;
use crate::outbox::Offered;
use crate::protocol::action::{Reply, Request, push_market_data, push_reply};
use crate::protocol::frame::CloseCode;
use crate::protocol::{Spoken, binary, parse};
use crate::quote_book::InstrumentIndex;
use crate::session::{Session, Speech};

/// The time of one input: one clock for deadlines, one for people.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Monotonic.
    pub now: Instant,
    /// Wall clock, milliseconds since 1970-01-01 UTC.
    pub unix_ms: i64,
}

/// How a client broke the rules of WebSocket (not of the protocol inside, which is answered with an error only).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Violation {
    /// A message longer than [`MESSAGE_BYTES_MAX`]: answered with an error, then closed with 1009.
    TooLong,
    /// A text that is not UTF-8: closed with 1007, as RFC 6455 asks.
    NotUtf8,
    /// Anything else, such as an unmasked frame: closed with 1002.
    Protocol,
}

fn speaks_diff<P>(session: Option<&Session<P>>) -> bool {
    session.is_some_and(|session| matches!(session.speech, Speech::Diff(_)))
}

impl<P: Peer> Hub<P> {
    /// A client sent a text message. It is read from again once it was answered and took enough of what waits for it.
    pub fn text(&mut self, id: SessionId, text: &str, at: Moment) {
        if !self.is_open(id) {
            return;
        }
        let speaks = self.sessions.get(id.0).and_then(|session| session.speech.dialect());
        self.spoken(id.0, parse(text, speaks), at);
        self.hold(id);
    }

    /// A client sent a binary message.
    pub fn binary(&mut self, id: SessionId, at: Moment) {
        if self.is_open(id) {
            let speaks = self.sessions.get(id.0).and_then(|session| session.speech.dialect());
            self.spoken(id.0, binary(speaks), at);
            self.hold(id);
        }
    }

    /// The first message that is understood decides what a connection speaks.
    fn spoken(&mut self, index: SessionIndex, spoken: Spoken, at: Moment) {
        let Some(session) = self.sessions.get_mut(index) else { return };
        match spoken {
            Spoken::Action(Err(refusal)) => self.refuse(index, &refusal.to_string(), at),
            Spoken::Action(Ok(request)) => {
                if session.speech.dialect().is_none() {
                    session.speech = Speech::Action { events: false };
                }
                self.grant(index, request, at);
            }
            Spoken::Diff(outcome) => {
                if session.speech.dialect().is_none() {
                    let name = u64::try_from(at.unix_ms).unwrap_or_default();
                    session.speech = Speech::Diff(Box::new(DiffSession::new(name)));
                    self.tell_outages(index);
                }
                match outcome {
                    Ok(request) => self.grant_diff(index, request, at.now),
                    Err(refusal) => self.refuse_diff(index, &refusal.to_string()),
                }
            }
        }
    }

    /// Frames that the WebSocket protocol owes a client: pongs.
    pub fn control_frames(&mut self, id: SessionId, frames: &[u8], now: Instant) {
        if let Some(session) = self.sessions.get_mut(id.0) {
            session.outbox.append(frames, now);
        }
        self.hold(id);
    }

    /// A client said goodbye; `echo` is the close frame that answers it.
    pub fn said_goodbye(&mut self, id: SessionId, echo: &[u8], now: Instant) {
        self.close_with(id.0, echo, Queued::Drop, now);
    }

    /// A client broke the rules of WebSocket; the connection ends.
    pub fn violated(&mut self, id: SessionId, how: Violation, at: Moment) {
        if !self.is_open(id) {
            return;
        }
        let (code, why) = match how {
            Violation::TooLong => {
                let message = format!(
                    "the message is longer than {MESSAGE_BYTES_MAX} bytes; split the request; the connection is closed"
                );
                if speaks_diff(self.sessions.get(id.0)) {
                    self.refuse_diff(id.0, &message);
                } else {
                    self.refuse(id.0, &message, at);
                }
                (CloseCode::MessageTooLong, "message too long")
            }
            Violation::NotUtf8 => (CloseCode::InvalidText, "text is not UTF-8"),
            Violation::Protocol => (CloseCode::ProtocolError, "WebSocket protocol error"),
        };
        if how != Violation::TooLong {
            self.stats.bad_messages += 1;
        }
        self.close(id.0, code, why, Queued::Send, at.now);
    }

    /// False when the session is closing or gone: what it said before is no longer heard.
    fn is_open(&self, id: SessionId) -> bool {
        self.sessions.get(id.0).is_some_and(Session::is_open)
    }

    /// What a client sent was dealt with: it is read from again after the next flush, if it takes what waits for it.
    fn hold(&mut self, id: SessionId) {
        if let Some(session) = self.sessions.get_mut(id.0) {
            session.held = true;
            touch(&mut self.touched, id.0, session);
        }
    }

    fn grant(&mut self, index: SessionIndex, request: Request, at: Moment) {
        match request {
            Request::Subscribe(instruments) => self.subscribe(index, &instruments, at),
            Request::Unsubscribe(instruments) => self.unsubscribe(index, &instruments, at),
            Request::List => self.list(index, at),
            Request::Events(enable) => {
                if let Some(session) = self.sessions.get_mut(index) {
                    session.speech = Speech::Action { events: enable };
                }
                self.reply(index, &Reply::Events(enable), at);
                if enable {
                    self.tell_present(index, at);
                }
            }
            Request::Search(pattern) => {
                let instruments = self.world.universe.search(&pattern);
                let reply = Reply::Found { pattern: &pattern, instruments: &instruments };
                self.reply(index, &reply, at);
            }
        }
    }

    fn subscribe(&mut self, index: SessionIndex, instruments: &[InstrumentId], at: Moment) {
        let mut distinct = Set::default();
        let instruments: Vec<InstrumentId> =
            instruments.iter().copied().filter(|instrument| distinct.insert(*instrument)).collect();
        if let Err(message) = self.room_for(index, &instruments, 0) {
            return self.refuse(index, &message, at);
        }
        let mut fresh = Vec::new();
        for instrument in &instruments {
            let (number, new) = self.want(index, *instrument);
            if new {
                fresh.push(number);
            }
        }
        self.reply(index, &Reply::Subscribed(instruments.len()), at);
        self.show_latest(index, &fresh, at.now);
        let fresh: Vec<InstrumentId> =
            fresh.iter().filter_map(|number| self.world.book.instrument(*number)).collect();
        if let Some(stale) = self.stale_of(&fresh) {
            self.tell(index, &stale, at);
        }
    }

    /// Queues the latest ticks of what a client has just subscribed, behind the reply and before ticks to come. As bytes as
    /// long as there is room: a mark would have the client's other ticks conflated until all marks are bytes.
    fn show_latest(&mut self, index: SessionIndex, fresh: &[InstrumentIndex], now: Instant) {
        let Some(session) = self.sessions.get_mut(index) else { return };
        for number in fresh {
            let Some(tick) = self.world.book.latest(*number) else { continue };
            let frame = &mut self.frame;
            let offered = session.outbox.offer(*number, now, move || {
                frame.clear();
                push_market_data(frame, tick);
                frame
            });
            match offered {
                Offered::Queued => self.stats.pushed += 1,
                // A mark is counted when it becomes bytes, or when a later tick takes its place.
                Offered::Marked | Offered::Conflated => {}
            }
        }
    }

    fn unsubscribe(&mut self, index: SessionIndex, instruments: &[InstrumentId], at: Moment) {
        let mut ended = 0;
        for instrument in instruments {
            let Some(number) = self.world.book.find(instrument) else { continue };
            if !self.unwant(index, number, at.now) {
                continue;
            }
            ended += 1;
            if let Some(session) = self.sessions.get_mut(index) {
                session.outbox.unmark(number);
            }
        }
        self.reply(index, &Reply::Unsubscribed(ended), at);
    }

    fn list(&mut self, index: SessionIndex, at: Moment) {
        let universe = &self.world.universe;
        let frame = self.list_reply.get_or_insert_with(|| {
            let mut frame = Vec::new();
            push_reply(&mut frame, &Reply::Instruments(&universe.all()));
            frame
        });
        if let Some(session) = self.sessions.get_mut(index) {
            session.outbox.append(frame, at.now);
        }
    }

    pub(super) fn refuse(&mut self, index: SessionIndex, message: &str, at: Moment) {
        self.stats.bad_messages += 1;
        self.reply(index, &Reply::Refused { message, timestamp_ms: at.unix_ms }, at);
    }

    fn reply(&mut self, index: SessionIndex, reply: &Reply<'_>, at: Moment) {
        let mut frame = Vec::new();
        push_reply(&mut frame, reply);
        if let Some(session) = self.sessions.get_mut(index) {
            session.outbox.append(&frame, at.now);
        }
    }
}

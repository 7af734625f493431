//! One client as the hub sees it: what waits for it, and what is due by the clock.
//!
//! ```text
//!   open ---- slow, silent, hostile, or the gateway stops ----> closing ---- linger over, or it hung up ----> gone
//!     |                                                            ^
//!     +---- it said goodbye; its close frame is echoed ------------+
//! ```
//! A closing session has no subscriptions; what it sends is thrown away; it ends when it hangs up, and no later than
//! [`CLOSE_LINGER`] after the close frame was queued.

use std::time::Instant;

use crate::diff_session::DiffSession;
use crate::limits::{CLOSE_LINGER, NO_PROGRESS_TIME_MAX, PING_AFTER, SILENCE_TIME_MAX};
use crate::outbox::Outbox;
use crate::protocol::Dialect;

/// A client.
#[derive(Debug)]
pub struct Session<P> {
    /// Its connection.
    pub peer: P,
    /// What waits for it.
    pub outbox: Outbox,
    /// The protocol it speaks, and what that has to remember of it.
    pub speech: Speech,
    /// A query of it is being answered; until then it is not read from.
    pub asking: Option<QueryToken>,
    /// A chart of it is being opened; likewise.
    pub opens_chart: bool,
    /// The socket took no more; it will say when it does again.
    pub blocked: bool,
    /// It waits to be read from.
    pub held: bool,
    /// It stands in the hub's list of sessions to write to.
    pub touched: bool,
    /// All was written after the close frame, and the peer told so.
    pub finished: bool,
    closing_until: Option<Instant>,
    /// Reading was resumed, or a ping sent; silence counts from here or from the last word, whichever is later.
    listening_since: Instant,
    pinged_at: Option<Instant>,
}

/// Names a query that is being answered, whoever asked it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct QueryToken(pub u64);

/// What a client speaks. Its first message that is understood decides.
#[derive(Debug, Default)]
pub enum Speech {
    /// Nothing that was understood yet.
    #[default]
    Undecided,
    /// The `action` dialect.
    Action {
        /// It asked to be told what happens to the fleet.
        events: bool,
    },
    /// DIFF.
    Diff(Box<DiffSession>),
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Nothing.
    Nothing,
    /// A ping: nothing came for a while.
    Ping,
    /// To close it with 1013: it takes nothing.
    SlowConsumer,
    /// To drop it: it is silent even when pinged.
    Dead,
    /// To drop it: it was closed long enough ago.
    LingerOver,
}

// === impl Speech ===

impl Speech {
    /// The dialect, once it is decided.
    #[must_use]
    pub const fn dialect(&self) -> Option<Dialect> {
        match self {
            Self::Undecided => None,
            Self::Action { .. } => Some(Dialect::Action),
            Self::Diff(_) => Some(Dialect::Diff),
        }
    }

    /// True when the client is told what happens to the fleet.
    #[must_use]
    pub const fn hears_events(&self) -> bool {
        matches!(self, Self::Action { events: true } | Self::Diff(_))
    }

    /// What DIFF has to remember, of a client that speaks it.
    pub fn diff_mut(&mut self) -> Option<&mut DiffSession> {
        match self {
            Self::Diff(diff) => Some(diff),
            Self::Undecided | Self::Action { .. } => None,
        }
    }
}

// === impl Session ===

impl<P> Session<P> {
    /// A client that just came.
    pub fn new(peer: P, now: Instant) -> Self {
        Self {
            peer,
            outbox: Outbox::default(),
            speech: Speech::default(),
            asking: None,
            opens_chart: false,
            blocked: false,
            held: false,
            touched: false,
            finished: false,
            closing_until: None,
            listening_since: now,
            pinged_at: None,
        }
    }

    /// True until a close frame was queued.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.closing_until.is_none()
    }

    /// A close frame was queued.
    pub fn close(&mut self, now: Instant) {
        self.closing_until.get_or_insert(now + CLOSE_LINGER);
    }

    /// It is read from again; while it was not, it could not be heard.
    pub fn resumed(&mut self, now: Instant) {
        self.held = false;
        self.listening_since = now;
    }

    /// This process was stopped for a while: silence and lack of progress meanwhile are not the client's.
    pub fn forgive(&mut self, now: Instant) {
        self.listening_since = now;
        self.outbox.forgive(now);
    }

    /// What is due, given when it was last heard. A ping that is due counts as sent.
    pub fn due(&mut self, heard_at: Instant, now: Instant) -> Due {
        if let Some(until) = self.closing_until {
            return if now >= until { Due::LingerOver } else { Due::Nothing };
        }
        if self.outbox.stalled_for(now) >= NO_PROGRESS_TIME_MAX {
            return Due::SlowConsumer;
        }
        if self.held {
            return Due::Nothing;
        }
        let silent_since = heard_at.max(self.listening_since);
        let silence = now.saturating_duration_since(silent_since);
        if silence >= SILENCE_TIME_MAX {
            return Due::Dead;
        }
        let pinged = self.pinged_at.is_some_and(|at| at > silent_since);
        if silence >= PING_AFTER && !pinged {
            self.pinged_at = Some(now);
            return Due::Ping;
        }
        Due::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shm_layout::clock::monotonic;
    use std::time::Duration;

    fn session() -> (Session<()>, impl Fn(u64) -> Instant) {
        let start = monotonic();
        (Session::new((), start), move |seconds| start + Duration::from_secs(seconds))
    }

    #[test]
    fn a_silent_client_is_pinged_once_and_then_dropped() {
        let (mut session, at) = session();
        assert_eq!(session.due(at(0), at(14)), Due::Nothing);
        assert_eq!(session.due(at(0), at(15)), Due::Ping);
        assert_eq!(session.due(at(0), at(30)), Due::Nothing);
        assert_eq!(session.due(at(0), at(45)), Due::Dead);
    }

    #[test]
    fn a_client_that_answers_is_pinged_again_and_again() {
        let (mut session, at) = session();
        assert_eq!(session.due(at(0), at(15)), Due::Ping);
        assert_eq!(session.due(at(16), at(20)), Due::Nothing);
        assert_eq!(session.due(at(16), at(31)), Due::Ping);
        assert_eq!(session.due(at(32), at(46)), Due::Nothing);
    }

    #[test]
    fn a_client_that_is_not_read_from_is_not_called_silent() {
        let (mut session, at) = session();
        session.held = true;
        assert_eq!(session.due(at(0), at(100)), Due::Nothing);
        session.resumed(at(100));
        assert_eq!(session.due(at(0), at(101)), Due::Nothing);
        assert_eq!(session.due(at(0), at(115)), Due::Ping);
    }

    #[test]
    fn a_client_that_takes_nothing_is_slow_and_one_that_takes_little_is_not() {
        let (mut session, at) = session();
        session.outbox.append(&[0x81, 2, b'h', b'i'], at(0));
        session.outbox.append(&[0x81, 2, b'h', b'i'], at(0));
        assert_eq!(session.due(at(9), at(9)), Due::Nothing);
        session.outbox.took(1, at(9));
        assert_eq!(session.due(at(18), at(18)), Due::Nothing);
        assert_eq!(session.due(at(19), at(19)), Due::SlowConsumer);
    }

    #[test]
    fn a_client_is_not_blamed_for_our_own_absence() {
        let (mut session, at) = session();
        session.outbox.append(&[0x81, 2, b'h', b'i'], at(0));
        session.forgive(at(100));
        assert_eq!(session.due(at(0), at(109)), Due::Nothing);
        assert_eq!(session.due(at(0), at(110)), Due::SlowConsumer);
    }

    #[test]
    fn a_closing_client_lingers_and_no_longer() {
        let (mut session, at) = session();
        session.outbox.append(&[0x81, 2, b'h', b'i'], at(0));
        session.close(at(100));
        session.close(at(101));
        assert_eq!(session.due(at(0), at(104)), Due::Nothing);
        assert_eq!(session.due(at(0), at(105)), Due::LingerOver);
        assert!(!session.is_open());
    }
}

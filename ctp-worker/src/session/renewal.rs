//! A new login on a running session, when the trading day has rolled and the front left the session as it was (pure).
//!
//! ```text
//!            a later day is seen or due               accepted: the session ends and the next begins
//!     Ready ----------------------------> Ready, sent ----------------------------------------------> Ready
//!       ^                                   |     ^
//!       |                          refused, |     | a pause later
//!       |                not sent, no answer|     |
//!       |                                   v     |
//!       `---- quick retries used up ---- Ready, due
//! ```
//!
//! The running session goes on whatever becomes of this: a refusal is counted and changes nothing else. One that would be
//! for good at another time (bad credentials) ends the attempts until the next connect, since trying on locks the
//! account. An acceptance opens a new session even where it names the day before: the front may have forgotten what was
//! subscribed.

use std::time::Instant;

use shm_layout::Date;

use super::{LoginFailure, Session, SessionAction, is_final_login_error};
use crate::ctp::event::RequestId;
use crate::limits::LATER_DAY_DAYS_MAX;

/// A new login for a running session.
#[derive(Debug, Clone, Copy)]
pub(super) enum Renewal {
    /// To be sent.
    Due { at: Instant, failures: u32 },
    /// Sent, until the answer is late.
    Sent { request: RequestId, deadline: Instant, failures: u32 },
}

/// What a connection remembers of its renewals.
#[derive(Debug, Default)]
pub(super) struct Renewals {
    /// The one under way.
    pub(super) current: Option<Renewal>,
    /// The number of the last login before the session: answers to it and to earlier ones renew nothing.
    pub(super) session_request: Option<RequestId>,
    /// The latest day that ticks were seen of and a login was sent for.
    pub(super) seen: Option<Date>,
    /// A login was refused for good: none is sent on this connection any more.
    pub(super) forbidden: bool,
}

// === impl Session ===

impl Session {
    /// A tick said this trading day. One login is sent for each such day, since the front may roll its ticks first.
    pub(super) fn later_day_seen(
        &mut self,
        now: Instant,
        day: Date,
        actions: &mut Vec<SessionAction>,
    ) {
        if self.renewals.seen.is_none_or(|seen| seen < day) && self.begin_renewal(now, day, actions)
        {
            self.renewals.seen = Some(day);
        }
    }

    /// By the clock, the front offers this trading day by now.
    pub(super) fn later_day_due(
        &mut self,
        now: Instant,
        day: Date,
        actions: &mut Vec<SessionAction>,
    ) {
        self.begin_renewal(now, day, actions);
    }

    /// Sends a login for a later day unless one is under way; false when the day is not a later one.
    fn begin_renewal(&mut self, now: Instant, day: Date, actions: &mut Vec<SessionAction>) -> bool {
        let follows = self
            .trading_day
            .is_some_and(|own| own < day && day <= own.plus_days(LATER_DAY_DAYS_MAX));
        if !self.is_ready() || !follows || self.renewals.forbidden {
            return false;
        }
        if self.renewals.current.is_none() {
            self.renew(now, 0, actions);
        }
        true
    }

    fn renew(&mut self, now: Instant, failures: u32, actions: &mut Vec<SessionAction>) {
        let request = self.next_request();
        let deadline = now + self.settings.login_timeout;
        self.renewals.current = Some(Renewal::Sent { request, deadline, failures });
        actions.push(SessionAction::Login(request));
    }

    /// A login was answered while a session runs.
    pub(super) fn renewal_answered(
        &mut self,
        now: Instant,
        request: RequestId,
        outcome: Result<Option<Date>, LoginFailure>,
        actions: &mut Vec<SessionAction>,
    ) {
        if self.renewals.session_request.is_none_or(|of_session| request <= of_session) {
            return;
        }
        match outcome {
            Ok(trading_day) => {
                let trading_day = trading_day.or(self.trading_day);
                self.end(actions);
                self.accepted(trading_day, actions);
            }
            Err(failure) if is_final_login_error(failure.error_id) => {
                self.login_failures += 1;
                self.renewals.forbidden = true;
                self.renewals.current = None;
            }
            Err(_) => self.renewal_failed(now, request),
        }
    }

    /// The attempt `request` failed; an attempt given up before says nothing new.
    pub(super) fn renewal_failed(&mut self, now: Instant, request: RequestId) {
        let Some(Renewal::Sent { request: under_way, failures, .. }) = self.renewals.current else {
            return;
        };
        if under_way != request {
            return;
        }
        self.login_failures += 1;
        let failures = failures + 1;
        let again = self.settings.pace.is_quick(failures);
        let at = now + self.settings.pace.pause(failures);
        self.renewals.current = again.then_some(Renewal::Due { at, failures });
    }

    /// Time passed while a session runs.
    pub(super) fn renewal_time_passed(&mut self, now: Instant, actions: &mut Vec<SessionAction>) {
        match self.renewals.current {
            Some(Renewal::Due { at, failures }) if at <= now => self.renew(now, failures, actions),
            Some(Renewal::Sent { request, deadline, .. }) if deadline <= now => {
                self.renewal_failed(now, request);
            }
            _ => {}
        }
    }
}

// === impl Renewal ===

impl Renewal {
    /// When time alone changes something.
    pub(super) const fn deadline(&self) -> Instant {
        match self {
            Self::Due { at, .. } => *at,
            Self::Sent { deadline, .. } => *deadline,
        }
    }
}

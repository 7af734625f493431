//! The login session as a machine (pure): what to do when the library says something or time passes.
//!
//! ```text
//!                start
//!                  v            connect deadline
//!             Connecting ------------------------> Unreachable
//!                  |                                ^  |
//!        connected |   .--- connect deadline -------'  | connected
//!                  v   |                               v
//!            .-> LoggingIn <---------------------------'
//!            |     |  |  |
//!    back-off|     |  |  `-- refused for good ---------> Alarm
//!      is due|     |  |                                    ^
//!            |     |  `----- refused, not sent,            | refused for good, answered late
//!            |     |         no answer in time             |
//!            |     |                  v                    |
//!            `---- | ------------ LoginRetry --------------'
//!                  |                  |
//!          accepted|                  | accepted, answered late
//!                  v                  |
//!                Ready <--------------'
//!
//!     from every state but Alarm and Unreachable, the front gone: Disconnected -- connected --> LoggingIn
//!                                                                 (or LoginRetry while the back-off lasts)
//! ```
//!
//! * The library connects by itself, for ever; `Unreachable` only says that it has taken too long. A disconnect without
//!   a connect before it (6.7 sends one per failed attempt) does not move the deadline.
//! * A refused login is tried again after a back-off that a reconnect does not shorten: 1 s doubling for the quick
//!   retries, then every 60 s without end. An accepted one resets it.
//! * `Alarm` is left by nothing: another attempt would lock the account. A disconnect or a new connect changes nothing
//!   about a wrong password, so the state is kept over both; an operator restarts the worker.
//! * Whatever answer comes late is taken for what it says about the front, not about the attempt: an acceptance opens
//!   the session even after the deadline, a refusal worth a retry counts only for the attempt under way.
//! * A session that is left running while the trading day rolls is logged in anew: `session/renewal.rs`.

use std::time::{Duration, Instant};

use shm_layout::control::{SessionReport, SessionState};
use shm_layout::{Date, Epoch};

use crate::ctp::event::{Link, RequestId};
use crate::retry_pace::RetryPace;

mod renewal;

use renewal::Renewals;

/// How patient a session is.
#[derive(Debug, Clone, Copy)]
pub struct SessionSettings {
    /// How long a connect may take before the front counts as unreachable.
    pub connect_timeout: Duration,
    /// How long the answer to a login may take.
    pub login_timeout: Duration,
    /// When refused logins are tried again.
    pub pace: RetryPace,
}

/// Why a login did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginFailure {
    /// CTP's ErrorID; the return code when the library did not take the request; 0 when no answer came.
    pub error_id: i32,
    /// CTP's message, or ours.
    pub message: String,
}

/// What a session hears.
#[derive(Debug, Clone)]
pub enum SessionInput {
    /// The front is reached over this connection.
    Connected(Link),
    /// The front is gone, for CTP's reason.
    Disconnected(i32),
    /// A login was answered.
    LoginAnswered(RequestId, Result<Option<Date>, LoginFailure>),
    /// The library did not take a login, with this return code.
    LoginNotSent(RequestId, i32),
    /// The front ended the session and left the connection.
    LoggedOut,
    /// A tick said a later trading day than the login's.
    LaterDaySeen(Date),
    /// By the clock, the front offers this trading day by now.
    LaterDayDue(Date),
    /// Time passed.
    Time,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionAction {
    /// Send a login with this number.
    Login(RequestId),
    /// A session begins: subscribe everything.
    Begins,
    /// The session is over: nothing is subscribed any more.
    Ends,
}

#[derive(Debug, Clone)]
enum State {
    Connecting { deadline: Instant },
    Unreachable,
    LoggingIn { request: RequestId, deadline: Instant },
    Ready,
    Disconnected { reason: i32, deadline: Instant },
    LoginRetry { at: Instant, failure: LoginFailure },
    Alarm { failure: LoginFailure },
}

/// One connection's login session.
#[derive(Debug)]
pub struct Session {
    settings: SessionSettings,
    state: State,
    link: Link,
    epoch: Epoch,
    trading_day: Option<Date>,
    last_request: RequestId,
    /// Failed logins since the last accepted one.
    failures: u32,
    /// The last failure, and when the next login may be sent.
    back_off: Option<(Instant, LoginFailure)>,
    /// Logins that were refused, not answered or not sent, since the beginning.
    login_failures: u64,
    renewals: Renewals,
}

/// True for errors that another try would only make worse: wrong credentials, forbidden, password to be changed.
#[must_use]
pub const fn is_final_login_error(error_id: i32) -> bool {
    matches!(error_id, 3 | 63 | 64 | 75 | 140)
}

// === impl Session ===

impl Session {
    /// A session whose library was just told to connect.
    #[must_use]
    pub fn new(settings: SessionSettings, now: Instant) -> Self {
        Self {
            settings,
            state: State::Connecting { deadline: now + settings.connect_timeout },
            link: Link::default(),
            epoch: Epoch::default(),
            trading_day: None,
            last_request: RequestId(0),
            failures: 0,
            back_off: None,
            login_failures: 0,
            renewals: Renewals::default(),
        }
    }

    /// Takes one input and says what is to be done, in order.
    #[must_use]
    pub fn step(&mut self, now: Instant, input: SessionInput) -> Vec<SessionAction> {
        let mut actions = Vec::new();
        match input {
            SessionInput::Connected(link) => self.connected(now, link, &mut actions),
            SessionInput::Disconnected(reason) => self.disconnected(now, reason, &mut actions),
            SessionInput::LoginAnswered(request, outcome) => {
                self.login_answered(now, request, outcome, &mut actions);
            }
            SessionInput::LoginNotSent(request, code) => {
                let message = "the CTP library did not take the login".to_owned();
                self.login_failed(now, request, LoginFailure { error_id: code, message });
                self.renewal_failed(now, request);
            }
            SessionInput::LoggedOut => self.logged_out(now, &mut actions),
            SessionInput::LaterDaySeen(day) => self.later_day_seen(now, day, &mut actions),
            SessionInput::LaterDayDue(day) => self.later_day_due(now, day, &mut actions),
            SessionInput::Time => self.time_passed(now, &mut actions),
        }
        actions
    }

    /// When time alone changes something next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        match self.state {
            State::Connecting { deadline }
            | State::LoggingIn { deadline, .. }
            | State::Disconnected { deadline, .. } => Some(deadline),
            State::LoginRetry { at, .. } => Some(at),
            State::Ready => self.renewals.current.map(|renewal| renewal.deadline()),
            State::Unreachable | State::Alarm { .. } => None,
        }
    }

    /// The session as the coordinator hears of it.
    #[must_use]
    pub fn report(&self) -> SessionReport {
        let state = match &self.state {
            State::Connecting { .. } => SessionState::Connecting,
            State::Unreachable => SessionState::Unreachable,
            State::LoggingIn { .. } => SessionState::LoggingIn,
            State::Ready => SessionState::Ready,
            State::Disconnected { reason, .. } => SessionState::Disconnected { reason: *reason },
            State::LoginRetry { failure, .. } => SessionState::LoginRetry {
                error_id: failure.error_id,
                message: failure.message.clone(),
            },
            State::Alarm { failure } => {
                SessionState::Alarm { error_id: failure.error_id, message: failure.message.clone() }
            }
        };
        SessionReport { state, epoch: self.epoch, trading_day: self.trading_day }
    }

    /// True while logged in.
    #[must_use]
    pub const fn is_ready(&self) -> bool {
        matches!(self.state, State::Ready)
    }

    /// The connection in use; what came over an older one is stale.
    #[must_use]
    pub const fn link(&self) -> Link {
        self.link
    }

    /// Logins that were refused, not answered or not taken by the library, since the beginning.
    #[must_use]
    pub const fn login_failures(&self) -> u64 {
        self.login_failures
    }

    /// The trading day of the last login.
    #[must_use]
    pub const fn trading_day(&self) -> Option<Date> {
        self.trading_day
    }

    fn connected(&mut self, now: Instant, link: Link, actions: &mut Vec<SessionAction>) {
        self.link = link;
        self.renewals = Renewals::default();
        if matches!(self.state, State::Alarm { .. }) {
            return;
        }
        // A connect without the disconnect before it: whatever was, is over.
        self.end(actions);
        self.hung_up_during_login(now);
        match &self.back_off {
            Some((at, failure)) if *at > now => {
                self.state = State::LoginRetry { at: *at, failure: failure.clone() };
            }
            _ => self.log_in(now, actions),
        }
    }

    fn disconnected(&mut self, now: Instant, reason: i32, actions: &mut Vec<SessionAction>) {
        self.end(actions);
        let deadline = match self.state {
            State::Alarm { .. } | State::Unreachable => return,
            State::Connecting { deadline } | State::Disconnected { deadline, .. } => deadline,
            State::LoggingIn { .. } | State::Ready | State::LoginRetry { .. } => {
                now + self.settings.connect_timeout
            }
        };
        self.hung_up_during_login(now);
        self.state = State::Disconnected { reason, deadline };
    }

    /// A login that the front answered by hanging up has failed like any other.
    fn hung_up_during_login(&mut self, now: Instant) {
        if let State::LoggingIn { request, .. } = self.state {
            let message = "the front hung up during the login".to_owned();
            self.login_failed(now, request, LoginFailure { error_id: 0, message });
        }
    }

    fn login_answered(
        &mut self,
        now: Instant,
        request: RequestId,
        outcome: Result<Option<Date>, LoginFailure>,
        actions: &mut Vec<SessionAction>,
    ) {
        match self.state {
            State::LoggingIn { .. } | State::LoginRetry { .. } => {}
            State::Ready => return self.renewal_answered(now, request, outcome, actions),
            _ => return,
        }
        match outcome {
            Ok(trading_day) => self.accepted(trading_day, actions),
            Err(failure) if is_final_login_error(failure.error_id) => {
                self.login_failures += 1;
                self.state = State::Alarm { failure };
            }
            Err(failure) => self.login_failed(now, request, failure),
        }
    }

    /// A session begins.
    fn accepted(&mut self, trading_day: Option<Date>, actions: &mut Vec<SessionAction>) {
        self.state = State::Ready;
        self.epoch = self.epoch.next();
        self.trading_day = trading_day;
        self.failures = 0;
        self.back_off = None;
        self.renewals.current = None;
        self.renewals.session_request = Some(self.last_request);
        actions.push(SessionAction::Begins);
    }

    /// The attempt `request` failed and is worth another try; an attempt given up before says nothing new.
    fn login_failed(&mut self, now: Instant, request: RequestId, failure: LoginFailure) {
        if !matches!(self.state, State::LoggingIn { request: under_way, .. } if under_way == request)
        {
            return;
        }
        self.login_failures += 1;
        self.log_in_later(now, failure);
    }

    /// The next login follows after a pause.
    fn log_in_later(&mut self, now: Instant, failure: LoginFailure) {
        self.failures = self.failures.saturating_add(1);
        let at = now + self.settings.pace.pause(self.failures);
        self.back_off = Some((at, failure.clone()));
        self.state = State::LoginRetry { at, failure };
    }

    fn logged_out(&mut self, now: Instant, actions: &mut Vec<SessionAction>) {
        if !self.is_ready() {
            return;
        }
        self.end(actions);
        // The session goes through the same back-off as a refused login: a front that logs us out at once is a refusal.
        let message = "the front logged this session out".to_owned();
        self.log_in_later(now, LoginFailure { error_id: 0, message });
    }

    fn time_passed(&mut self, now: Instant, actions: &mut Vec<SessionAction>) {
        match self.state {
            State::Connecting { deadline } | State::Disconnected { deadline, .. }
                if deadline <= now =>
            {
                self.state = State::Unreachable;
            }
            State::LoggingIn { request, deadline } if deadline <= now => {
                let seconds = self.settings.login_timeout.as_secs_f32();
                let message = format!("no answer to the login within {seconds} s");
                self.login_failed(now, request, LoginFailure { error_id: 0, message });
            }
            State::LoginRetry { at, .. } if at <= now => self.log_in(now, actions),
            State::Ready => self.renewal_time_passed(now, actions),
            _ => {}
        }
    }

    fn log_in(&mut self, now: Instant, actions: &mut Vec<SessionAction>) {
        let request = self.next_request();
        let deadline = now + self.settings.login_timeout;
        self.state = State::LoggingIn { request, deadline };
        actions.push(SessionAction::Login(request));
    }

    fn end(&mut self, actions: &mut Vec<SessionAction>) {
        if self.is_ready() {
            self.renewals.current = None;
            actions.push(SessionAction::Ends);
        }
    }

    fn next_request(&mut self) -> RequestId {
        self.last_request = RequestId(self.last_request.0.wrapping_add(1).max(1));
        self.last_request
    }
}

#[cfg(test)]
mod tests;

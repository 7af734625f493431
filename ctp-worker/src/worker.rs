//! One broker's connection as a whole: session and subscriptions together, deaf to how their inputs come.
//!
//! The driver hands in what the library and the coordinator say and what time it is; calls go out through [`Front`].

use std::time::Instant;

use shm_layout::control::{Assignment, SessionReport, SessionState, WorkerHello, WorkerStats};
use shm_layout::{ConnectionId, Incarnation, InstrumentId, WorkerId};
use tracing::{debug, error, info, warn};

use crate::counters::Counters;
use crate::ctp::api::RequestRefused;
use crate::ctp::event::{CtpEvent, CtpEventKind, RequestId};
use crate::ctp::fields::RspError;
use crate::day_roll::DayRoll;
use crate::limits::REFUSALS_LOGGED_PER_SESSION_MAX;
use crate::session::{LoginFailure, Session, SessionAction, SessionInput};
use crate::subscriptions::{Answer, AssignmentError, Call, RoleChanges, Subscriptions};

/// The library's functions.
pub trait Front {
    /// Sends a login.
    ///
    /// # Errors
    /// [`RequestRefused`] when the library did not take it.
    fn log_in(&mut self, request: RequestId) -> Result<(), RequestRefused>;

    /// Subscribes in one call.
    ///
    /// # Errors
    /// As above.
    fn subscribe(&mut self, instruments: &[InstrumentId]) -> Result<(), RequestRefused>;

    /// Unsubscribes in one call.
    ///
    /// # Errors
    /// As above.
    fn unsubscribe(&mut self, instruments: &[InstrumentId]) -> Result<(), RequestRefused>;

    /// Writes the cells of the instruments that were gained from here on, and not those of the ones given up. Another may
    /// write those as soon as this returns.
    fn set_own(&mut self, changes: &RoleChanges);

    /// Opens the segments of the cells where that is due.
    fn refresh_cells(&mut self);
}

/// Who this worker is.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Its connection's name.
    pub connection: ConnectionId,
    /// Its number.
    pub worker: WorkerId,
    /// Its life.
    pub incarnation: Incarnation,
    /// What GetApiVersion answered.
    pub library_version: String,
}

/// Session and subscriptions of one connection.
#[derive(Debug)]
pub struct Worker<F> {
    identity: Identity,
    front: F,
    session: Session,
    subscriptions: Subscriptions,
    /// Looks whether a new day's login is due; `None` for a library that keeps a time of its own.
    day_roll: Option<DayRoll>,
    /// The session as it was last logged.
    logged: SessionState,
    logins: u64,
    disconnects: u64,
    calls_refused: u64,
    refusals_logged: u32,
}

// === impl Worker ===

impl<F: Front> Worker<F> {
    /// A worker whose library was just told to connect.
    pub fn new(
        identity: Identity,
        front: F,
        session: Session,
        subscriptions: Subscriptions,
        day_roll: Option<DayRoll>,
    ) -> Self {
        let logged = session.report().state;
        Self {
            identity,
            front,
            session,
            subscriptions,
            day_roll,
            logged,
            logins: 0,
            disconnects: 0,
            calls_refused: 0,
            refusals_logged: 0,
        }
    }

    /// Takes what the library said.
    pub fn library_said(&mut self, now: Instant, event: CtpEvent) {
        if let CtpEventKind::Connected = event.kind {
            return self.step_session(now, SessionInput::Connected(event.link));
        }
        if event.link != self.session.link() {
            debug!(?event, "an event of an older connection is ignored");
            return;
        }
        match event.kind {
            CtpEventKind::Connected => {}
            CtpEventKind::Disconnected { reason } => {
                self.disconnects += 1;
                self.step_session(now, SessionInput::Disconnected(reason));
            }
            CtpEventKind::HeartbeatWarning { lapse_s } => {
                warn!(lapse_s, "nothing has come from the front for a while");
            }
            CtpEventKind::LoggedIn { request, outcome } => {
                let outcome = outcome.map_err(|error| login_failure(&error));
                self.step_session(now, SessionInput::LoginAnswered(request, outcome));
            }
            CtpEventKind::LoggedOut => self.step_session(now, SessionInput::LoggedOut),
            CtpEventKind::Error { request, error } => {
                warn!(
                    request = request.0,
                    error_id = error.error_id,
                    text = error.message(),
                    "the front reports an error"
                );
                // Only logins carry a number, so this is how some fronts refuse one.
                if request.0 > 0 {
                    let outcome = Err(login_failure(&error));
                    self.step_session(now, SessionInput::LoginAnswered(request, outcome));
                }
            }
            CtpEventKind::Subscribed { instrument: Some(instrument), error } => {
                let answer = self.answer(instrument, error);
                self.subscriptions.subscribe_answered(now, instrument, answer);
            }
            CtpEventKind::Unsubscribed { instrument: Some(instrument), .. } => {
                self.subscriptions.unsubscribe_answered(now, instrument);
            }
            CtpEventKind::Subscribed { instrument: None, error }
            | CtpEventKind::Unsubscribed { instrument: None, error } => {
                warn!(
                    ?error,
                    "an answer names no instrument; what it was about is asked for again later"
                );
            }
            CtpEventKind::LaterDay { trading_day } => {
                info!(%trading_day, "ticks of the next trading day come on the session of the last");
                self.step_session(now, SessionInput::LaterDaySeen(trading_day));
            }
            CtpEventKind::Ticking { instrument } => self.subscriptions.ticked(now, instrument),
        }
    }

    /// Takes an assignment.
    ///
    /// # Errors
    /// [`AssignmentError`].
    pub fn assign(&mut self, now: Instant, assignment: Assignment) -> Result<(), AssignmentError> {
        let waiting_before = self.subscriptions.census().waiting_for_room;
        let taken = self.subscriptions.assign(now, assignment);
        // Before anybody hears that the assignment was taken, or was too large but for its releases.
        let changes = self.subscriptions.take_role_changes();
        if changes != RoleChanges::default() {
            // The coordinator made room for what it assigns, perhaps in segments that we have not seen yet.
            self.front.refresh_cells();
            self.front.set_own(&changes);
        }
        taken?;
        let waiting = self.subscriptions.census().waiting_for_room;
        if waiting > waiting_before {
            // For a moment that is usual: others are being let go.
            info!(
                waiting,
                "more instruments are assigned than this connection may carry; the rest waits for room"
            );
        }
        Ok(())
    }

    /// Opens the segments of the cells where that is due; to be called now and then.
    pub fn refresh_cells(&mut self) {
        self.front.refresh_cells();
    }

    /// Events were lost: asks again for what is unanswered.
    pub fn ask_again(&mut self, now: Instant) {
        self.subscriptions.ask_again(now);
    }

    /// Does what is due: a login, a deadline, a call. The wall clock is in milliseconds since 1970-01-01 UTC.
    pub fn do_what_is_due(&mut self, now: Instant, unix_ms: i64) {
        self.step_session(now, SessionInput::Time);
        if let Some(day) = self.day_roll.as_mut().and_then(|roll| roll.look(now, unix_ms)) {
            self.step_session(now, SessionInput::LaterDayDue(day));
        }
        while let Some(call) = self.subscriptions.next_call(now) {
            let outcome = match &call {
                Call::Subscribe(instruments) => {
                    debug!(instruments = instruments.len(), "subscribing");
                    self.front.subscribe(instruments)
                }
                Call::Unsubscribe(instruments) => {
                    debug!(instruments = instruments.len(), "unsubscribing");
                    self.front.unsubscribe(instruments)
                }
            };
            if let Err(refused) = outcome {
                warn!(code = refused.code, "{refused}; trying again");
                self.calls_refused += 1;
                self.subscriptions.call_refused(now, &call);
            }
        }
    }

    /// When something is due next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let deadlines = [
            self.session.next_deadline(),
            self.subscriptions.next_deadline(),
            self.day_roll.as_ref().and_then(DayRoll::next_deadline),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// The session as the coordinator hears of it.
    #[must_use]
    pub fn session_report(&self) -> SessionReport {
        self.session.report()
    }

    /// What it carries.
    pub fn subscriptions(&mut self) -> &mut Subscriptions {
        &mut self.subscriptions
    }

    /// What it says of itself at a connect.
    pub fn hello(&mut self, inventory_most: usize) -> WorkerHello {
        WorkerHello {
            connection: self.identity.connection,
            worker: self.identity.worker,
            incarnation: self.identity.incarnation,
            library_version: self.identity.library_version.clone(),
            generation: self.subscriptions.generation(),
            session: self.session.report(),
            inventory: self.subscriptions.inventory(inventory_most),
        }
    }

    /// Its counters, with those of the callbacks.
    #[must_use]
    pub fn stats(&self, counters: &Counters) -> WorkerStats {
        let census = self.subscriptions.census();
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        WorkerStats {
            ticks: counters.ticks.get(),
            malformed: counters.malformed.get(),
            unpublished: counters.unpublished.get(),
            panics: counters.panics.get(),
            dropped_events: counters.dropped_events.get(),
            logins: self.logins,
            disconnects: self.disconnects,
            instruments: count(census.carried),
            acknowledged: count(census.acknowledged),
            snapshots: counters.snapshots.get(),
            asked_again: self.subscriptions.asked_again(),
            cells: counters.cells.get(),
            unwritten: counters.unwritten.get(),
            login_failures: self.session.login_failures(),
            calls_refused: self.calls_refused,
        }
    }

    fn step_session(&mut self, now: Instant, input: SessionInput) {
        for action in self.session.step(now, input) {
            match action {
                SessionAction::Login(request) => {
                    if let Err(refused) = self.front.log_in(request) {
                        self.calls_refused += 1;
                        let input = SessionInput::LoginNotSent(request, refused.code);
                        // Not taking a login leads to a back-off, never to another action at once.
                        let further = self.session.step(now, input);
                        debug_assert!(further.is_empty());
                    }
                }
                SessionAction::Begins => {
                    self.logins += 1;
                    self.refusals_logged = 0;
                    if self.logged == SessionState::Ready {
                        self.log_renewal();
                    }
                    self.subscriptions.session_begins(now, self.session.trading_day());
                }
                SessionAction::Ends => self.subscriptions.session_ends(),
            }
        }
        self.log_session();
    }

    fn answer(&mut self, instrument: InstrumentId, error: Option<RspError>) -> Answer {
        let Some(error) = error else { return Answer::Yes };
        let (error_id, message) = (error.error_id, error.message());
        if self.refusals_logged < REFUSALS_LOGGED_PER_SESSION_MAX {
            self.refusals_logged += 1;
            warn!(%instrument, error_id, text = message, "the front refuses an instrument");
        }
        Answer::No { error_id, message }
    }

    /// A session follows another on the same connection, which its state does not show.
    fn log_renewal(&self) {
        let report = self.session.report();
        let day = report.trading_day.map_or_else(|| "unknown".to_owned(), |day| day.to_string());
        info!(epoch = %report.epoch, trading_day = day, "logged in anew on the running session");
    }

    fn log_session(&mut self) {
        let report = self.session.report();
        if report.state == self.logged {
            return;
        }
        match &report.state {
            SessionState::Connecting | SessionState::LoggingIn => {
                debug!(state = ?report.state, "session")
            }
            SessionState::Ready => {
                let day =
                    report.trading_day.map_or_else(|| "unknown".to_owned(), |day| day.to_string());
                info!(epoch = %report.epoch, trading_day = day, "logged in");
            }
            SessionState::Unreachable => {
                warn!("the front does not answer; the CTP library goes on trying");
            }
            SessionState::Disconnected { reason } => {
                warn!(
                    reason = format!("{reason:#06x}"),
                    "no connection to the front: {}",
                    disconnect_meaning(*reason)
                );
            }
            SessionState::LoginRetry { error_id, message } => {
                warn!(
                    error_id,
                    text = message,
                    "the login failed and is tried again after a back-off"
                );
            }
            SessionState::Alarm { error_id, message } => {
                error!(
                    error_id,
                    text = message,
                    "the login is refused for good and is not tried again: correct the configuration and restart qamd, or end this worker (process {})",
                    std::process::id()
                );
            }
        }
        self.logged = report.state;
    }
}

fn login_failure(error: &RspError) -> LoginFailure {
    LoginFailure { error_id: error.error_id, message: error.message() }
}

/// What CTP's reasons mean.
const fn disconnect_meaning(reason: i32) -> &'static str {
    match reason {
        0x1001 => "reading from the network failed",
        0x1002 => "writing to the network failed",
        0x2001 => "no heartbeat came",
        0x2002 => "no heartbeat could be sent",
        0x2003 => "a bad packet came",
        _ => "for a reason that CTP does not document",
    }
}

#[cfg(test)]
mod tests;

//! What clients may want to hear of the fleet: fronts that fall and come back, instruments that nobody delivers, the trading
//! day (pure).
//!
//! States are told, not changes: what is said goes by what the frontend was told last, so that nothing is said twice and
//! nothing that passes unseen is said late. A frontend that says hello is told all there is to know, and a coordinator that has just
//! started keeps silent about what it does not know yet.
//!
//! * A connection is *up* while its session stands and its worker is there, whether we can talk to it or not. It is *down*
//!   when it was up and is not, and when its first login has failed. In between nothing is said of it.
//! * What an operator does counts, too: a connection is down when it is switched off while the fleet runs, with that for a
//!   reason, and when it is removed from the configuration, after which it is forgotten. One that was never switched on is not
//!   spoken of.
//! * Why it is down is said as it was at the beginning, and once more when it turns out that a person has to act.

mod stale;

use std::collections::VecDeque;
use std::time::Instant;

use shm_layout::Date;
use shm_layout::control::{FleetEvent, SessionState, ToFrontend};

use super::worker::Worker;
use super::{Action, ClientId, Fleet};
use crate::life::Phase;
use crate::limits::{
    EVENTS_AT_ONCE_MAX, EVENTS_PAUSE, FRONT_EVENT_INTERVAL, TRADING_DAY_AHEAD_DAYS_MAX,
};
use stale::StaleInstruments;

/// What is known of the fleet and what of it was told, connections apart.
#[derive(Debug, Default)]
pub(super) struct Events {
    day: Option<Date>,
    day_told: Option<Date>,
    stale: StaleInstruments,
    /// Events that wait for their turn.
    waiting: VecDeque<FleetEvent>,
    said_at: Option<Instant>,
}

/// Whether a connection is up, and what was told of it.
#[derive(Debug, Default)]
pub(super) struct Front {
    /// `None` before anything is known.
    state: Option<FrontState>,
    told: Option<Told>,
    /// A frontend was told that there is this connection, and may know of it from an earlier coordinator.
    listed: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum FrontState {
    Up,
    Down(Fall),
}

/// Why a connection is down.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fall {
    why: String,
    /// Nothing helps but a person.
    for_good: bool,
    in_session: bool,
}

#[derive(Debug, Clone, Copy)]
struct Told {
    at: Instant,
    up: bool,
    for_good: bool,
}

// === impl Front ===

impl Front {
    /// True when the frontend was told something else.
    fn differs(&self) -> bool {
        match (&self.state, &self.told) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(FrontState::Up), Some(told)) => !told.up,
            (Some(FrontState::Down(fall)), Some(told)) => {
                told.up || (fall.for_good && !told.for_good)
            }
        }
    }

    /// When it may be told, if it is to be.
    fn due(&self) -> Option<Instant> {
        let told = self.told.filter(|_| self.differs())?;
        Some(told.at + FRONT_EVENT_INTERVAL)
    }
}

// === impl Worker ===

impl Worker {
    /// Looks whether the connection is up.
    fn look_at_front(&mut self, in_session: bool) {
        if self.is_ready() {
            self.front.state = Some(FrontState::Up);
            return;
        }
        let for_good = self.waits_for_a_person();
        let is_news = match &self.front.state {
            None => self.has_failed() || (self.is_off() && self.front.listed),
            Some(FrontState::Up) => true,
            Some(FrontState::Down(fall)) => for_good && !fall.for_good,
        };
        if is_news {
            let why = self.why_down();
            self.front.state = Some(FrontState::Down(Fall { why, for_good, in_session }));
        }
    }

    fn is_off(&self) -> bool {
        matches!(self.life.phase(), Phase::Disabled | Phase::Closing(_))
    }

    fn waits_for_a_person(&self) -> bool {
        let refused = |state: &SessionState| matches!(state, SessionState::Alarm { .. });
        self.life.phase() == Phase::Failed
            || self.state.session().is_some_and(|session| refused(&session.state))
    }

    /// It is more than on its way to its first login.
    fn has_failed(&self) -> bool {
        let on_its_way = |state: &SessionState| {
            matches!(
                state,
                SessionState::Connecting | SessionState::LoggingIn | SessionState::Ready
            )
        };
        let session = self.state.session();
        !self.is_off()
            && (self.life.last_exit().is_some()
                || session.is_some_and(|session| !on_its_way(&session.state)))
    }

    /// Why it is not up, in a sentence for a person; the log says the same.
    fn why_down(&self) -> String {
        let exit = self.life.last_exit().unwrap_or("it ended");
        match self.life.phase() {
            Phase::Disabled | Phase::Closing(_) => return "switched off by an operator".into(),
            Phase::Replacing(_) if self.silent => {
                return "nothing came from it within a trading session; its worker is restarted"
                    .into();
            }
            Phase::Replacing(_) => return "its worker is restarted".into(),
            Phase::Failed => return format!("its worker: {exit}; it is not started again"),
            Phase::BackingOff(_) | Phase::Starting => {
                return format!("its worker: {exit}; it is started again");
            }
            Phase::Running
            | Phase::Detached
            | Phase::Adopting
            | Phase::Stopping(_)
            | Phase::Ended => {}
        }
        match self.state.session().map(|session| &session.state) {
            Some(SessionState::Alarm { error_id, message }) => {
                format!("login refused for good: {message} (error {error_id})")
            }
            Some(SessionState::LoginRetry { error_id, message }) => {
                format!("login refused: {message} (error {error_id}); it is tried again")
            }
            Some(SessionState::Disconnected { reason }) => {
                format!("the front went away (reason {reason:#x}); the library reconnects")
            }
            Some(SessionState::Unreachable) => {
                "the front does not answer; the library goes on trying".into()
            }
            Some(SessionState::Connecting | SessionState::LoggingIn | SessionState::Ready)
            | None => "its session ended; it logs in anew".into(),
        }
    }
}

// === impl Fleet ===

impl Fleet {
    /// Tells the frontend what it does not know.
    pub(super) fn turn_events(&mut self, now: Instant) {
        for worker in self.workers.iter_mut().filter(|worker| !worker.is_removed()) {
            worker.look_at_front(self.in_session);
        }
        let ready = self.workers.iter().filter(|worker| worker.is_ready());
        let sessions = ready.filter_map(|worker| worker.state.session());
        let said = sessions.filter_map(|session| session.trading_day).collect();
        self.events.day = trading_day(said, self.events.day);
        if let Some(client) = self.frontend.client {
            self.prepare_fronts(now);
            self.events.prepare_day();
            self.say_events(client, now);
        }
    }

    fn prepare_fronts(&mut self, now: Instant) {
        for worker in self.workers.iter_mut().filter(|worker| worker.front.differs()) {
            if worker.front.due().is_some_and(|due| now < due) {
                continue;
            }
            let connection = worker.plan.connection_id;
            let (event, up, for_good) = match &worker.front.state {
                None => continue,
                Some(FrontState::Up) => (FleetEvent::FrontUp { connection }, true, false),
                Some(FrontState::Down(fall)) => {
                    let (why, in_session) = (fall.why.clone(), fall.in_session);
                    (FleetEvent::FrontDown { connection, why, in_session }, false, fall.for_good)
                }
            };
            self.events.waiting.push_back(event);
            worker.front.told = Some(Told { at: now, up, for_good });
        }
    }

    fn say_events(&mut self, client: ClientId, now: Instant) {
        if self.events.deadline(now).is_none_or(|due| now < due) {
            return;
        }
        self.events.said_at = Some(now);
        let bundle = self.events.waiting.len().min(EVENTS_AT_ONCE_MAX);
        let events = self.events.waiting.drain(..bundle);
        let told = events.map(|event| Action::TellFrontend(client, ToFrontend::Event(event)));
        self.actions.extend(told);
    }

    /// When there is something to tell.
    pub(super) fn events_deadline(&self) -> Option<Instant> {
        self.frontend.client.filter(|_| self.is_serving())?;
        let fronts = self.workers.iter().filter_map(|worker| worker.front.due());
        fronts.chain(self.events.deadline(self.turned_at)).min()
    }

    /// A frontend said hello: it is told everything from the beginning.
    pub(super) fn tell_anew(&mut self, client: ClientId) {
        let known = |worker: &&mut Worker| {
            !worker.is_removed() && (!worker.is_off() || worker.front.state.is_some())
        };
        let listed = |worker: &mut Worker| {
            (worker.front.listed, worker.front.told) = (true, None);
            worker.plan.connection_id
        };
        let connections = self.workers.iter_mut().filter(known).map(listed).collect();
        let anew = ToFrontend::Event(FleetEvent::Anew { connections });
        self.actions.push(Action::TellFrontend(client, anew));
        self.events.waiting.clear();
        (self.events.day_told, self.events.said_at) = (None, None);
        self.events.waiting.extend(self.events.stale.whole());
    }

    /// A connection is configured no longer.
    pub(super) fn front_removed(&mut self, index: usize) {
        let (worker, in_session) = (&mut self.workers[index], self.in_session);
        let connection = worker.plan.connection_id;
        let front = std::mem::take(&mut worker.front);
        if self.frontend.client.is_none() {
            return;
        }
        if front.told.is_some_and(|told| told.up) {
            let why = "removed from the configuration".into();
            let down = FleetEvent::FrontDown { connection, why, in_session };
            self.events.waiting.push_back(down);
        }
        self.events.waiting.push_back(FleetEvent::FrontRemoved { connection });
    }
}

/// The trading day by what the ready sessions say, after the one known so far: the latest of theirs, and it never falls. But a
/// front can be wrong: what lies more than [`TRADING_DAY_AHEAD_DAYS_MAX`] after the day that most of them say does not count,
/// and if it was known, it is no longer. Where as many say another, the one that was known holds, else the earlier.
fn trading_day(mut said: Vec<Date>, known: Option<Date>) -> Option<Date> {
    said.sort_unstable();
    let is_near = |day: Date, of: Date| {
        let days = day.days_since_epoch() - of.days_since_epoch();
        days.abs() <= TRADING_DAY_AHEAD_DAYS_MAX
    };
    let rank = |says: &&[Date]| (says.len(), known.is_some_and(|known| is_near(says[0], known)));
    // Of those that rank alike it finds the last, so they are looked at from the latest to the earliest.
    let Some(most) = said.chunk_by(Date::eq).rev().max_by_key(rank).map(|says| says[0]) else {
        return known;
    };
    let counts = |day: &Date| *day <= most || is_near(*day, most);
    said.into_iter().chain(known).filter(counts).max()
}

// === impl Events ===

impl Events {
    fn prepare_day(&mut self) {
        if let Some(day) = self.day.filter(|_| self.day_told != self.day) {
            self.day_told = Some(day);
            self.waiting.push_back(FleetEvent::TradingDay { day });
        }
    }

    /// When the next bundle may go, if anything waits.
    fn deadline(&self, now: Instant) -> Option<Instant> {
        let said_at = self.said_at.filter(|_| !self.waiting.is_empty());
        let due = said_at.map_or(now, |at| at + EVENTS_PAUSE);
        (!self.waiting.is_empty()).then_some(due)
    }
}

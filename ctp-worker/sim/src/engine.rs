//! The front as its client sees it: connections, logins, subscriptions, ticks, and faults.
//!
//! Pure: time comes in as nanoseconds since `Init`, what happens goes out through [`Callbacks`].
//!
//! ```text
//! Connecting --due--> Connected --login--> LoggedIn
//!     ^                   |                    |
//!     +--- reconnect -----+---- disconnect ----+        (Gone: it never comes back)
//! ```
//! * `Connecting` ends in `OnFrontConnected`, unless the script says unreachable (no callback at
//!   all) or disconnected before connected.
//! * `Connected` takes logins; instruments are answered with ErrorID 6 until then.
//! * A disconnect forgets the login, the subscriptions and all answers under way.

pub(crate) mod answers;
pub(crate) mod callbacks;
mod outlet;

use std::path::Path;

use crate::engine::answers::{Answers, Request};
use crate::engine::callbacks::{Callbacks, Names, Topic};
use crate::engine::outlet::TickOutlet;
use crate::faults::{Action, FaultSchedule, Muted, NETWORK_READ, Refusal};
use crate::feed::{Feed, FeedError};
use crate::instrument::InstrumentId;
use crate::layout::{RspUserLogin, put};
use crate::limits::{RECONNECT_NS_MIN, SUBSCRIPTIONS_MAX};
use crate::messages;
use crate::script::Script;

/// How often the genuine library tries a front that does not answer.
const RETRY_NS: u64 = 5_000_000_000;
/// How soon it comes back to a front that closed.
const RECONNECT_NS: u64 = 1_000_000_000;

/// How often a file is looked for that a fault waits for.
const LOOK_NS: u64 = 20 * MS;

const MS: u64 = 1_000_000;

/// One API object's front.
pub(crate) struct Engine {
    feed: Box<dyn Feed>,
    trading_day: Option<[u8; 9]>,
    relogin_each_trading_day: bool,
    connection: Connection,
    session_count: i32,
    answers: Answers,
    schedule: FaultSchedule,
    conditions: Conditions,
    outlet: TickOutlet,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Connection {
    Connecting { due_ns: u64 },
    Connected,
    LoggedIn { trading_day: [u8; 9] },
    Gone,
}

/// Faults that last.
#[derive(Debug, Default)]
struct Conditions {
    refusals: Vec<Refusal>,
    login_delay_ns: u64,
    ack_delay_ns: u64,
    acks_to_lose: u64,
    lost_acks_tick: bool,
    unreachable_until_ns: u64,
    /// Reason and how often.
    before_connect: (i32, u32),
}

impl Engine {
    /// A front that connects as the script says.
    pub(crate) fn new(script: &Script, feed: Box<dyn Feed>) -> Self {
        let due_ns = script.connect_after_ms.saturating_mul(MS);
        Self {
            feed,
            trading_day: script.trading_day,
            relogin_each_trading_day: script.relogin_each_trading_day
                && script.trading_day.is_none(),
            connection: Connection::Connecting { due_ns },
            session_count: 0,
            answers: Answers::default(),
            schedule: FaultSchedule::new(&script.faults),
            conditions: Conditions::default(),
            outlet: TickOutlet::default(),
        }
    }

    /// Takes a request of the client.
    pub(crate) fn request(&mut self, now_ns: u64, request: Request) {
        let delay_ns = match &request {
            Request::Login { .. } => self.conditions.login_delay_ns,
            Request::Instruments { .. } => self.conditions.ack_delay_ns,
            Request::Logout { .. } | Request::Multicast { .. } => 0,
        };
        // What is sent into a connection that is gone is lost.
        if matches!(self.connection, Connection::Connected | Connection::LoggedIn { .. }) {
            self.answers.put_off(now_ns.saturating_add(delay_ns), request);
        }
    }

    /// Does what is due, and says when there is more to do; `None` is at the next request.
    ///
    /// # Errors
    /// When the recording cannot be read any further.
    pub(crate) fn run(
        &mut self,
        now_ns: u64,
        callbacks: &mut dyn Callbacks,
    ) -> Result<Option<u64>, FeedError> {
        self.start_faults(now_ns, callbacks);
        self.connect(now_ns, callbacks);
        self.answer(now_ns, callbacks);
        let (feed, outlet) = (&mut self.feed, &mut self.outlet);
        outlet.stop_at = self.schedule.next_at_ticks();
        let tick_ns = feed.run(now_ns, &mut |depth| outlet.send(depth, now_ns, callbacks))?;
        if self.schedule.next_at_ticks().is_some_and(|at| self.outlet.sent >= at) {
            // Whatever is due at this count happens before the next tick.
            self.start_faults(now_ns, callbacks);
        }
        self.end_old_day(now_ns, callbacks);
        let connect_ns = match self.connection {
            Connection::Connecting { due_ns } => Some(due_ns),
            _ => None,
        };
        let fault_ns = self.schedule.next_at_ms().map(|at_ms| at_ms.saturating_mul(MS));
        let look_ns = self.schedule.awaits_a_file().then(|| now_ns.saturating_add(LOOK_NS));
        let next = [tick_ns, connect_ns, fault_ns, look_ns, self.answers.next_ns()];
        Ok(next.into_iter().flatten().min())
    }

    fn start_faults(&mut self, now_ns: u64, callbacks: &mut dyn Callbacks) {
        let elapsed_ms = now_ns / MS;
        loop {
            let is_there = |path: &Path| callbacks.is_there(path);
            let due = self.schedule.take_due(elapsed_ms, self.outlet.sent, is_there);
            let Some(fault) = due else { return };
            let happens = fault.once_file.as_deref().is_none_or(|path| callbacks.claim_once(path));
            if happens {
                self.start(&fault.action, now_ns, callbacks);
            }
        }
    }

    fn start(&mut self, action: &Action, now_ns: u64, callbacks: &mut dyn Callbacks) {
        let until = |for_ms: Option<u64>| {
            for_ms.map_or(u64::MAX, |ms| now_ns.saturating_add(ms.saturating_mul(MS)))
        };
        let conditions = &mut self.conditions;
        match action {
            Action::RefuseLogin { error_id, times } => {
                conditions.refusals.push(Refusal::of_login(*error_id, *times));
            }
            Action::RefuseInstrument { instrument, pattern, error_id, times } => {
                let pattern = pattern.as_ref().or(instrument.as_ref());
                let pattern = pattern.map_or("", String::as_str);
                conditions.refusals.push(Refusal::of_instruments(pattern, *error_id, *times));
            }
            Action::Disconnect { reason, reconnect_after_ms } => {
                let after_ns = reconnect_after_ms.map(|ms| ms.saturating_mul(MS));
                self.disconnect(now_ns, *reason, after_ns, callbacks);
            }
            Action::Silent { for_ms } => self.outlet.silent_until_ns = until(*for_ms),
            Action::Mute { instrument, pattern, for_ms } => {
                let pattern = pattern.as_ref().or(instrument.as_ref());
                let pattern = pattern.map_or("", String::as_str);
                self.outlet.muted.push(Muted::new(pattern, until(*for_ms)));
            }
            Action::Late { login_ms, acks_ms } => {
                conditions.login_delay_ns = login_ms.saturating_mul(MS);
                conditions.ack_delay_ns = acks_ms.saturating_mul(MS);
            }
            Action::LoseAcks { count, ticking } => {
                conditions.acks_to_lose = *count;
                conditions.lost_acks_tick = *ticking;
            }
            Action::Crash { how } => callbacks.die(*how),
            Action::DisconnectBeforeConnect { reason, times } => {
                conditions.before_connect = (*reason, *times);
            }
            Action::Unreachable { for_ms } => conditions.unreachable_until_ns = until(*for_ms),
            Action::ReturnCode { call, code, times } => callbacks.spoil_calls(*call, *code, *times),
            Action::GarbageInstrument { count } => self.outlet.garbage_left = *count,
            Action::SentinelLast { count } => self.outlet.sentinel_left = *count,
            Action::HeartbeatWarning { seconds } => callbacks.heartbeat_warning(*seconds),
            Action::RspError { error_id } => callbacks.error_answered(*error_id, 0),
            Action::HangRelease { for_ms } => callbacks.hang_release(*for_ms),
        }
    }

    fn connect(&mut self, now_ns: u64, callbacks: &mut dyn Callbacks) {
        let Connection::Connecting { due_ns } = self.connection else { return };
        if now_ns < due_ns {
            return;
        }
        let until_ns = self.conditions.unreachable_until_ns;
        if now_ns < until_ns {
            let due_ns = until_ns.min(now_ns.saturating_add(RETRY_NS));
            self.connection = Connection::Connecting { due_ns };
            return;
        }
        let (reason, times) = self.conditions.before_connect;
        if times > 0 {
            self.conditions.before_connect = (reason, times - 1);
            self.connection =
                Connection::Connecting { due_ns: now_ns.saturating_add(RECONNECT_NS) };
            callbacks.front_disconnected(reason);
            return;
        }
        self.connection = Connection::Connected;
        callbacks.set_connected(true);
        callbacks.front_connected();
    }

    // A front that was never there cannot go: the script's disconnect then only stops the attempts.
    fn disconnect(
        &mut self,
        now_ns: u64,
        reason: i32,
        reconnect_after_ns: Option<u64>,
        callbacks: &mut dyn Callbacks,
    ) {
        let was_there =
            matches!(self.connection, Connection::Connected | Connection::LoggedIn { .. });
        self.connection = match reconnect_after_ns {
            Some(after_ns) => {
                let due_ns = now_ns.saturating_add(after_ns.max(RECONNECT_NS_MIN));
                Connection::Connecting { due_ns }
            }
            None => Connection::Gone,
        };
        self.answers.clear();
        self.feed.end_session(now_ns);
        if was_there {
            callbacks.set_connected(false);
            callbacks.front_disconnected(reason);
        }
    }

    // Fronts end every session before a new trading day.
    fn end_old_day(&mut self, now_ns: u64, callbacks: &mut dyn Callbacks) {
        let Connection::LoggedIn { trading_day } = self.connection else { return };
        if self.relogin_each_trading_day && self.feed.trading_day(now_ns) != trading_day {
            self.disconnect(now_ns, NETWORK_READ, Some(RECONNECT_NS), callbacks);
        }
    }

    fn answer(&mut self, now_ns: u64, callbacks: &mut dyn Callbacks) {
        while let Some(request) = self.answers.take_due(now_ns) {
            match request {
                Request::Login { names, request_id } => {
                    self.answer_login(now_ns, names, request_id, callbacks);
                }
                Request::Logout { names, request_id } => {
                    self.answer_logout(now_ns, names, request_id, callbacks);
                }
                Request::Multicast { request_id } => {
                    callbacks.multicast_answered(messages::OK, request_id);
                }
                Request::Instruments { topic, ids } => {
                    self.answer_instruments(now_ns, topic, &ids, callbacks);
                }
            }
        }
    }

    fn answer_login(
        &mut self,
        now_ns: u64,
        names: Names,
        request_id: i32,
        callbacks: &mut dyn Callbacks,
    ) {
        let refused = self.conditions.refusals.iter_mut().find_map(|refusal| refusal.refuse(None));
        let mut login = RspUserLogin::empty();
        login.broker_id = names.broker_id;
        login.user_id = names.user_id;
        if let Some(error_id) = refused {
            callbacks.login_answered(&login, error_id, request_id);
            return;
        }
        let trading_day = self.feed.trading_day(now_ns);
        self.session_count += 1;
        self.connection = Connection::LoggedIn { trading_day };
        login.trading_day = self.trading_day.unwrap_or(trading_day);
        put(&mut login.system_name, b"qamd-sim");
        login.front_id = 1;
        login.session_id = self.session_count;
        callbacks.set_trading_day(login.trading_day);
        callbacks.login_answered(&login, messages::OK, request_id);
    }

    fn answer_logout(
        &mut self,
        now_ns: u64,
        names: Names,
        request_id: i32,
        callbacks: &mut dyn Callbacks,
    ) {
        let error_id = if matches!(self.connection, Connection::LoggedIn { .. }) {
            self.connection = Connection::Connected;
            self.feed.end_session(now_ns);
            messages::OK
        } else {
            messages::NOT_LOGGED_IN
        };
        callbacks.logout_answered(names, error_id, request_id);
    }

    // First all answers, then the snapshots of what was subscribed.
    fn answer_instruments(
        &mut self,
        now_ns: u64,
        topic: Topic,
        ids: &[InstrumentId],
        callbacks: &mut dyn Callbacks,
    ) {
        let mut to_show = Vec::new();
        for (place, id) in ids.iter().enumerate() {
            let lost = topic == Topic::Subscribe && self.conditions.acks_to_lose > 0;
            if lost {
                self.conditions.acks_to_lose -= 1;
            }
            if lost && !self.conditions.lost_acks_tick {
                continue;
            }
            let error_id = self.judge(topic, id);
            if error_id == messages::OK {
                match topic {
                    Topic::Subscribe => {
                        self.feed.subscribe(id, now_ns);
                        to_show.push(id);
                    }
                    Topic::Unsubscribe => self.feed.unsubscribe(id),
                    Topic::SubscribeForQuote | Topic::UnsubscribeForQuote => {}
                }
            }
            if !lost {
                callbacks.instrument_answered(topic, id, error_id, place + 1 == ids.len());
            }
        }
        for id in to_show {
            self.outlet.stop_at = self.schedule.next_at_ticks();
            let Some(depth) = self.feed.snapshot(id, now_ns) else { continue };
            if self.outlet.send(depth, now_ns, callbacks).is_break() {
                self.start_faults(now_ns, callbacks);
                if !matches!(self.connection, Connection::LoggedIn { .. }) {
                    return;
                }
            }
        }
    }

    fn judge(&mut self, topic: Topic, id: &InstrumentId) -> i32 {
        if !matches!(self.connection, Connection::LoggedIn { .. }) {
            return messages::NOT_LOGGED_IN;
        }
        if topic != Topic::Subscribe {
            return messages::OK;
        }
        if id.is_empty() {
            return messages::NO_SUCH_INSTRUMENT;
        }
        if self.feed.subscribed_count() >= SUBSCRIPTIONS_MAX {
            return messages::RETRY_LATER;
        }
        let refusals = &mut self.conditions.refusals;
        refusals.iter_mut().find_map(|refusal| refusal.refuse(Some(id))).unwrap_or(messages::OK)
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Engine")
            .field("connection", &self.connection)
            .field("outlet", &self.outlet)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "engine/tests.rs"]
mod tests;

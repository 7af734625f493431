//! Who said hello, and what they say afterwards.

use std::time::Instant;

use shm_layout::control::{
    FromFrontend, FromWorker, FrontendHello, Hello, InstrumentReport, InstrumentState, Role,
    SessionReport, SessionState, ToFrontend, ToWorker, WorkerHello,
};
use shm_layout::limits::CONTROL_INSTRUMENTS_PER_MESSAGE_MAX;
use tracing::{debug, error, info, warn};

use super::worker::FirstWord;
use super::{Action, ClientId, Fleet, Peer, seat_of};
use crate::demand::SourceId;
use crate::life::Phase;
use crate::limits::{
    INHERITED_DEMAND_LINGER, INVENTORY_WAIT, LOST_FRONTEND_DEMAND_LINGER, REPLACED_DEMAND_LINGER,
};

/// An adopted worker's inventory, of which parts are to come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Inheritance {
    /// In whose name it is wanted.
    pub(super) source: SourceId,
    /// Awaited no longer than this.
    pub(super) until: Instant,
}

impl Fleet {
    /// A worker or a frontend said hello. (Operators are none of the fleet's.)
    pub fn hello(&mut self, client: ClientId, hello: &Hello, now: Instant) {
        match &hello.role {
            Role::Worker(worker) => self.worker_hello(client, hello.pid, worker, now),
            Role::Frontend(frontend) => self.frontend_hello(client, hello.pid, frontend, now),
            Role::Operator => {}
        }
    }

    /// A worker said something.
    pub fn worker_said(&mut self, client: ClientId, message: FromWorker, now: Instant) {
        let Some(Peer::Worker(index)) = self.peers.get(&client).copied() else { return };
        let worker = &mut self.workers[index];
        worker.life.heard(now);
        match message {
            FromWorker::Session(report) => self.session_said(index, report, now),
            FromWorker::Instruments(reports) => {
                self.inherit(index, &reports);
                self.placement.reported(seat_of(index), &reports, now);
            }
            FromWorker::AssignmentTaken(generation) => {
                let heard =
                    |word: &mut _| matches!(word, FirstWord::Said(number) if *number <= generation);
                self.replan |= worker.of_another.take_if(heard).is_some();
                self.placement.taken(seat_of(index), generation);
            }
            FromWorker::Stats(stats) => {
                worker.state.counted(stats, now);
                worker.quality.observe_stats(&stats, now);
                worker.pulse.counted(stats.ticks.saturating_sub(stats.snapshots), now);
                // A worker says the rest of its inventory before its first counters.
                worker.inheritance = None;
            }
            FromWorker::AssignmentRefused { refused, current } => {
                warn!(connection = %worker.plan.connection_id, %refused, ?current, "assignment refused; all is said anew");
                worker.assigned.restart(current);
                self.counters.assignments_refused += 1;
                self.replan = true;
            }
        }
    }

    /// A frontend said something.
    pub fn frontend_said(&mut self, client: ClientId, message: FromFrontend, now: Instant) {
        if self.peers.get(&client) != Some(&Peer::Frontend) {
            return;
        }
        self.frontend.life.heard(now);
        match message {
            FromFrontend::Stats(stats) => self.frontend.stats = stats,
            FromFrontend::Connections(views) => self.viewed(&views, now),
            FromFrontend::Demand { first, add, remove } => {
                let Some(source) = self.frontend.source else { return };
                if first {
                    // A whole demand may come in parts: what it replaces stays a moment, so that nothing is released
                    // only to be asked for again.
                    let replaced = self.fresh_source();
                    self.demand.rename(source, replaced);
                    self.linger(replaced, now + REPLACED_DEMAND_LINGER);
                }
                for instrument in &remove {
                    self.demand.remove(source, instrument);
                }
                let refused = self.demand.refused();
                for instrument in add {
                    self.demand.add(source, instrument);
                }
                if self.demand.refused() > refused {
                    warn!(
                        refused = self.demand.refused() - refused,
                        "too many instruments are wanted"
                    );
                }
            }
        }
    }

    fn session_said(&mut self, index: usize, report: SessionReport, now: Instant) {
        let worker = &mut self.workers[index];
        let before = worker.state.session().cloned();
        if before.as_ref() == Some(&report) {
            return;
        }
        log_session(worker.plan.connection_id, &report);
        let was_ready = before.as_ref().is_some_and(is_ready);
        match &report.state {
            SessionState::Ready => worker.steadiness.rose(now),
            SessionState::Connecting | SessionState::LoggingIn if !was_ready => {}
            _ => {
                worker.steadiness.fell(now);
                // At the end of the day every front hangs up.
                if was_ready && self.in_session {
                    worker.quality.disconnected(now);
                }
            }
        }
        let another_day = report.trading_day.is_some()
            && before.as_ref().and_then(|before| before.trading_day) != report.trading_day;
        let another_epoch = before.as_ref().is_some_and(|before| before.epoch != report.epoch);
        let ready = is_ready(&report);
        worker.state.session_changed(report);
        worker.quality.ready(ready, now);
        if was_ready && (!ready || another_epoch) {
            self.placement.session_ended(seat_of(index));
        }
        if another_day {
            self.placement.new_trading_day(seat_of(index));
        }
        self.refresh_standing(index, now);
    }

    /// A control connection is gone.
    pub fn gone(&mut self, client: ClientId) {
        match self.peers.remove(&client) {
            Some(Peer::Worker(index)) => {
                let worker = &mut self.workers[index];
                debug!(connection = %worker.plan.connection_id, "control connection lost");
                worker.client = None;
                worker.life.detached();
            }
            // Its demand stays: the process serves its clients without us, and says all anew when it is back.
            Some(Peer::Frontend) => {
                debug!("control connection to the frontend lost");
                self.frontend.client = None;
                self.frontend.life.detached();
            }
            Some(Peer::Leaving) | None => {}
        }
    }

    fn worker_hello(&mut self, client: ClientId, pid: u32, hello: &WorkerHello, now: Instant) {
        let known = |worker: &super::Worker| {
            !worker.removed
                && worker.life.phase() != Phase::Disabled
                && worker.plan.connection_id == hello.connection
        };
        let Some(index) = self.workers.iter().position(known) else {
            info!(connection = %hello.connection, pid, "a worker of a connection that is not configured (any more) is told to stop");
            return self.send_away(client, true);
        };
        let worker = &mut self.workers[index];
        if worker.life.is_child() && worker.life.pid() != Some(pid) {
            let ours = worker.life.pid().unwrap_or_default();
            let reason =
                format!("connection {} has its worker already, pid {ours}", hello.connection);
            return self.actions.push(Action::Refuse(client, reason));
        }
        if hello.worker != worker.plan.worker && !matches!(worker.life.phase(), Phase::Stopping(_))
        {
            info!(connection = %hello.connection, pid, has = %hello.worker, "its worker has another number and is replaced");
            worker.life.introduced(pid, now);
            worker.life.replace(now);
        }
        if worker.life.is_ending() || worker.life.phase() == Phase::Ended {
            return self.send_away(client, true);
        }
        let adopted = (!worker.met || worker.inheritance.is_some()) && !worker.life.is_child();
        let another_life =
            worker.state.incarnation().is_some_and(|known| known != hello.incarnation);
        worker.life.introduced(pid, now);
        if another_life {
            self.placement.worker_died(seat_of(index));
        }
        worker.state.introduced(hello);
        if is_ready(&hello.session) {
            worker.steadiness.rose(now);
        }
        worker.quality.ready(is_ready(&hello.session), now);
        worker.assigned.restart(hello.generation);
        worker.met = true;
        if adopted {
            worker.of_another = Some(FirstWord::Unsaid);
        }
        let earlier = worker.client.replace(client);
        self.take_over(client, earlier, Peer::Worker(index));
        if adopted {
            info!(connection = %hello.connection, pid, carries = hello.inventory.len(), "adopted a running worker");
            self.begin_inheritance(index, hello, now);
        }
        self.placement.reported(seat_of(index), &hello.inventory, now);
        self.replan = true;
        log_session(hello.connection, &hello.session);
        self.refresh_standing(index, now);
    }

    /// What an adopted worker carries stays where it is, and stays wanted until the frontends have had time to speak. A
    /// hello holds so much of it; the rest follows in parts.
    fn begin_inheritance(&mut self, index: usize, hello: &WorkerHello, now: Instant) {
        let source = self.fresh_source();
        self.linger(source, now + INHERITED_DEMAND_LINGER);
        self.workers[index].inheritance = Some(Inheritance { source, until: now + INVENTORY_WAIT });
        self.inherit(index, &hello.inventory);
        if hello.inventory.len() < CONTROL_INSTRUMENTS_PER_MESSAGE_MAX {
            self.workers[index].inheritance = None;
        }
    }

    /// A part of what an adopted worker carries.
    fn inherit(&mut self, index: usize, reports: &[InstrumentReport]) {
        let Some(Inheritance { source, .. }) = self.workers[index].inheritance else { return };
        for report in reports.iter().filter(|report| report.state != InstrumentState::Released) {
            let instrument = report.instrument;
            self.demand.add(source, instrument);
            // Whoever wished for it first: what is not passed on is not known to the placement, and not adopted.
            if self.demand.has_changes() {
                self.pass_demand_on();
            }
            self.placement.adopt(seat_of(index), report);
        }
    }

    fn frontend_hello(&mut self, client: ClientId, pid: u32, hello: &FrontendHello, now: Instant) {
        let life = &mut self.frontend.life;
        if life.is_child() && life.pid() != Some(pid) {
            let reason = format!(
                "this fleet has its frontend already, pid {}",
                life.pid().unwrap_or_default()
            );
            return self.actions.push(Action::Refuse(client, reason));
        }
        if life.is_ending() || life.phase() == Phase::Ended {
            return self.send_away(client, false);
        }
        life.introduced(pid, now);
        info!(listening_on = %hello.listening_on, pid, "frontend connected");
        self.frontend.listening_on.clone_from(&hello.listening_on);
        let earlier = self.frontend.client.replace(client);
        let fresh = self.fresh_source();
        if let Some(source) = self.frontend.source.replace(fresh) {
            // The same process says its demand anew at once; another one's clients need a moment to come back.
            let same = self.frontend.source_pid == Some(pid);
            let linger = if same { REPLACED_DEMAND_LINGER } else { LOST_FRONTEND_DEMAND_LINGER };
            self.linger(source, now + linger);
        }
        self.frontend.source_pid = Some(pid);
        self.take_over(client, earlier, Peer::Frontend);
        self.send_universe(client);
        self.tell_anew(client);
    }

    /// Welcomes a client as the voice of a process; an earlier one is a connection that broke unnoticed.
    fn take_over(&mut self, client: ClientId, earlier: Option<ClientId>, peer: Peer) {
        if let Some(earlier) = earlier {
            self.peers.remove(&earlier);
            self.actions.push(Action::HangUp(earlier));
        }
        self.peers.insert(client, peer);
        self.actions.push(Action::Welcome(client));
    }

    /// Welcomes a client only to tell it to stop.
    fn send_away(&mut self, client: ClientId, is_worker: bool) {
        self.peers.insert(client, Peer::Leaving);
        self.actions.push(Action::Welcome(client));
        self.actions.push(if is_worker {
            Action::TellWorker(client, ToWorker::Stop)
        } else {
            Action::TellFrontend(client, ToFrontend::Stop)
        });
    }

    pub(super) fn fresh_source(&mut self) -> SourceId {
        self.next_source += 1;
        SourceId(self.next_source)
    }

    pub(super) fn linger(&mut self, source: SourceId, until: Instant) {
        self.lingering.push((until, source));
    }

    pub(super) fn send_universe(&mut self, client: ClientId) {
        let mut parts = self.universe.chunks(CONTROL_INSTRUMENTS_PER_MESSAGE_MAX);
        let mut first = true;
        while first || parts.len() > 0 {
            let instruments = parts.next().unwrap_or_default().to_vec();
            let part = ToFrontend::Universe { first, last: parts.len() == 0, instruments };
            self.actions.push(Action::TellFrontend(client, part));
            first = false;
        }
    }
}

const fn is_ready(report: &SessionReport) -> bool {
    matches!(report.state, SessionState::Ready)
}

/// Says in the log what an operator should know of a session.
fn log_session(connection: shm_layout::ConnectionId, report: &SessionReport) {
    match &report.state {
        SessionState::Alarm { error_id, message } => {
            error!(%connection, error_id, "login refused for good: {message}; correct the configuration and restart");
        }
        SessionState::LoginRetry { error_id, message } => {
            warn!(%connection, error_id, "login refused: {message}; it is tried again");
        }
        SessionState::Unreachable => {
            warn!(%connection, "the front does not answer; the library goes on trying")
        }
        SessionState::Disconnected { reason } => {
            warn!(%connection, reason = format!("{reason:#x}"), "the front is away; the library reconnects");
        }
        SessionState::Ready => info!(%connection, epoch = %report.epoch, "session ready"),
        SessionState::Connecting | SessionState::LoggingIn => {}
    }
}

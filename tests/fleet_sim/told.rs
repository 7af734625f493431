//! What the frontend knows of the fleet, beside what is.
//!
//! While things go wrong it may be late; a connection whose worker has said the same for a while, to a coordinator and on to
//! a frontend that both have done nothing but their work meanwhile, must be known to be down or not as it is. In the end
//! all of it must be true: connections, trading day, stale instruments.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use qamd_ws_frontend::demand::Demand;
use qamd_ws_frontend::events::Condition;
use shm_layout::control::{FleetEvent, SessionReport, SessionState, WorkerProcess, WorkerStatus};
use shm_layout::{ConnectionId, InstrumentId};

use crate::queue::{LinkId, Pid};
use crate::scenario::Defect;
use crate::world::World;

/// After so long a word has arrived wherever it had to: a second between two events, half a second on its way, and a beat
/// at which it is looked at.
const HEARD_AFTER: Duration = Duration::from_secs(5);

/// After so long in or out of a session everybody knows it: three looks, seven seconds apart while hours pass.
const STALE_TOLD_AFTER: Duration = Duration::from_secs(60);

/// A frontend.
#[derive(Debug, Default)]
pub(crate) struct FrontendSide {
    pub(crate) demand: Demand,
    pub(crate) condition: Condition,
}

/// What was seen of everybody at the last beats, and since when it has been so.
#[derive(Debug)]
pub(crate) struct Watched {
    workers: BTreeMap<ConnectionId, (WorkerSeen, Instant)>,
    stage: (Option<StageSeen>, Instant),
    trading: (bool, Instant),
}

/// A connection's only worker, and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct WorkerSeen {
    pid: Pid,
    link: LinkId,
    session: SessionReport,
}

/// Who coordinates, and who hears of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct StageSeen {
    life: u64,
    frontend: Pid,
    link: LinkId,
}

// === impl FrontendSide ===

impl FrontendSide {
    /// It hears something of the fleet.
    pub(crate) fn hears(&mut self, event: FleetEvent, defect: Defect) {
        if defect != Defect::DeafToFrontsUp || !matches!(event, FleetEvent::FrontUp { .. }) {
            self.condition.apply(event);
        }
    }
}

// === impl Watched ===

impl Watched {
    pub(crate) fn new(now: Instant) -> Self {
        Self { workers: BTreeMap::new(), stage: (None, now), trading: (false, now) }
    }
}

/// Notes what is seen; keeps the time since which it has been so.
fn note<T: PartialEq>(noted: &mut (T, Instant), seen: T, now: Instant) {
    if noted.0 != seen {
        *noted = (seen, now);
    }
}

impl World {
    /// At every beat: what has been so for a while is known.
    pub(crate) fn check_what_is_told(&mut self) {
        let (now, trading) = (self.now, self.trading);
        let stage = self.stage_seen();
        let workers = self.workers_seen();
        let watched = &mut self.watched;
        note(&mut watched.stage, stage, now);
        note(&mut watched.trading, trading, now);
        watched.workers.retain(|id, _| workers.contains_key(id));
        for (id, seen) in workers {
            note(watched.workers.entry(id).or_insert((seen.clone(), now)), seen, now);
        }
        let long_ago = |since: Instant| now >= since + HEARD_AFTER;
        let (Some(stage), since) = watched.stage else { return };
        if !long_ago(since) {
            return;
        }
        let Some(condition) = self.condition_of(stage.frontend) else { return };
        let known_down: BTreeSet<ConnectionId> = condition.down().collect();
        let settings = self.coordinator.as_ref().map(|coordinator| &coordinator.settings);
        let configured =
            |id| settings.is_some_and(|it| it.connections.iter().any(|section| section.id == id));
        let wrong = self.watched.workers.iter().find_map(|(id, (seen, since))| {
            let is_down = match seen.session.state {
                SessionState::Ready => false,
                // It may be at its first login.
                SessionState::Connecting | SessionState::LoggingIn => return None,
                _ => true,
            };
            let wrong = is_down != known_down.contains(id);
            (wrong && long_ago(*since) && configured(*id)).then(|| (*id, seen.clone()))
        });
        if let Some((id, WorkerSeen { pid, session, .. })) = wrong
            && !self.is_asked_to_end(id)
        {
            let told = if known_down.contains(&id) { "down" } else { "not down" };
            self.fail(format!("clients are told that {id} is {told}; {pid} says {session:?}"));
        }
    }

    /// The coordinator and the frontend, when both do nothing but their work.
    fn stage_seen(&self) -> Option<StageSeen> {
        let coordinator = self.coordinator.as_ref()?;
        let working = self.now > coordinator.held_until && coordinator.inbox.is_empty();
        let pid = self.holder_of(None).filter(|_| working)?;
        let process = self.processes.get(&pid).filter(|it| !it.stopped && it.line.up)?;
        let link = process.line.link?;
        (self.links.get(&link)?.life == coordinator.life).then_some(StageSeen {
            life: coordinator.life,
            frontend: pid,
            link,
        })
    }

    /// The workers that are alone on their connection, and free to speak.
    fn workers_seen(&self) -> BTreeMap<ConnectionId, WorkerSeen> {
        let mut seen = BTreeMap::new();
        let mut several = BTreeSet::new();
        for (pid, process, worker) in self.workers() {
            let id = worker.section.id;
            let free = process.begun && process.line.up && !process.stopped;
            let link = process.line.link.filter(|_| free && !process.line.congested);
            let (link, session) = (link.unwrap_or_default(), worker.worker.session_report());
            if link == 0 || seen.insert(id, WorkerSeen { pid, link, session }).is_some() {
                several.insert(id);
            }
        }
        seen.retain(|id, _| !several.contains(id));
        seen
    }

    /// The coordinator has decided that its worker ends, and the word may be on its way.
    fn is_asked_to_end(&self, id: ConnectionId) -> bool {
        let coordinator = self.coordinator.as_ref();
        let status = coordinator.map(|it| it.fleet.status(self.now, self.unix_ms()));
        let ends = |worker: &WorkerStatus| {
            use WorkerProcess::{Disabled, Restarting, Stopping};
            worker.connection_id == id && matches!(worker.process, Disabled | Restarting | Stopping)
        };
        status.is_some_and(|status| status.workers.iter().any(ends))
    }

    fn condition_of(&self, pid: Pid) -> Option<&Condition> {
        Some(&self.processes.get(&pid)?.frontend()?.condition)
    }

    /// In the end: connections that work are not told to be down, the trading day is that of the fronts, and what is wanted
    /// and due and comes from nowhere is told to be stale, and nothing else.
    pub(crate) fn fault_in_what_is_told(&self) -> Option<String> {
        let condition = self.holder_of(None).and_then(|pid| self.condition_of(pid));
        let Some(condition) = condition else { return Some("there is no frontend".into()) };
        let settings = &self.coordinator.as_ref()?.settings;
        let mut days = BTreeSet::new();
        for (_, _, worker) in self.workers() {
            let session = worker.worker.session_report();
            if session.state == SessionState::Ready {
                days.extend(session.trading_day);
                if condition.down().any(|id| id == worker.section.id) {
                    return Some(format!("clients are told that {} is down", worker.section.id));
                }
            }
        }
        let configured = |id| settings.connections.iter().any(|section| section.id == id);
        if let Some(id) = condition.down().find(|id| !configured(*id)) {
            return Some(format!("clients are told that {id} is down, which is not configured"));
        }
        if !days.is_empty() && condition.trading_day() != days.last().copied() {
            let told = condition.trading_day();
            return Some(format!("clients are told that the day is {told:?}, and it is {days:?}"));
        }
        self.fault_in_what_is_stale(condition)
    }

    fn fault_in_what_is_stale(&self, condition: &Condition) -> Option<String> {
        let (trading, since) = self.watched.trading;
        if self.now < since + STALE_TOLD_AFTER {
            return None;
        }
        let ticks = |instrument: &InstrumentId| {
            self.workers().any(|(_, _, worker)| worker.front.carried.get(instrument) == Some(&true))
        };
        let wanted = self.wanted();
        let due = wanted.iter().copied().filter(|instrument| trading && !ticks(instrument));
        let (due, told): (BTreeSet<_>, BTreeSet<_>) =
            (due.collect(), condition.stale().copied().collect());
        (due != told).then(|| {
            format!("clients are told that {told:?} are stale; {due:?} are, trading: {trading}")
        })
    }
}

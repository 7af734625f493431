//! Demand to placement to assignments, at a bounded pace.

use std::time::Instant;

use shm_layout::control::{Assignment, ToWorker};
use tracing::{debug, info, warn};

use super::{Action, ClientId, Fleet};
use crate::life::Phase;
use crate::limits::{ADOPTION_WAIT, PLAN_INTERVAL};

impl Fleet {
    /// Plans when something changed and the last plan is old enough.
    pub(super) fn turn_plan(&mut self, now: Instant) {
        if self.plan_deadline().is_some_and(|due| due <= now) {
            self.plan(now);
        }
    }

    /// When the next plan is due, if one is. Workers of an earlier coordinator are awaited for a while first: what they
    /// carry must be known before anything is placed.
    pub(super) fn plan_deadline(&self) -> Option<Instant> {
        let asked = self.replan || self.demand.has_changes() || self.republishes();
        if !self.is_serving() || !asked {
            return None;
        }
        let due = self.planned_at.map_or(self.started_at, |at| at + PLAN_INTERVAL);
        let awaiting = self.workers.iter().any(|worker| worker.life.phase() == Phase::Adopting);
        let due = if awaiting { due.max(self.started_at + ADOPTION_WAIT) } else { due };
        let inheriting = self.workers.iter().filter_map(|worker| worker.inheritance);
        Some(inheriting.map(|inheritance| inheritance.until).fold(due, Instant::max))
    }

    fn plan(&mut self, now: Instant) {
        (self.replan, self.planned_at) = (false, Some(now));
        self.counters.plans += 1;
        let waiting_before = self.placement.waiting();
        let changes = self.demand.take_changes();
        for instrument in &changes.removed {
            self.placement.release(instrument);
        }
        for instrument in &changes.added {
            self.placement.want(*instrument);
        }
        let waiting = self.placement.waiting();
        if waiting > 0 && waiting_before == 0 {
            warn!(waiting, "no connection has room for these instruments; they wait for it");
        } else if waiting == 0 && waiting_before > 0 {
            info!("every wanted instrument has found room");
        }
        if !changes.added.is_empty() || !changes.removed.is_empty() {
            debug!(
                added = changes.added.len(),
                removed = changes.removed.len(),
                waiting,
                "planned"
            );
        }
        self.assign();
        self.republish();
    }

    /// Tells every connected worker what changed for it, or all when that is due.
    fn assign(&mut self) {
        let mut told: Vec<(ClientId, Assignment)> = Vec::new();
        for worker in &mut self.workers {
            // What it has not said of its inventory by now is not awaited any longer.
            worker.inheritance = None;
            let Some(client) = worker.client else { continue };
            let number = worker.plan.worker;
            let changes = self.placement.take_changes(number);
            let messages = if worker.assigned.whole_due() {
                worker.assigned.whole(self.placement.carried(number))
            } else {
                worker.assigned.changes(changes)
            };
            told.extend(messages.into_iter().map(|message| (client, message)));
        }
        self.counters.assignments += told.len() as u64;
        self.actions.extend(
            told.into_iter().map(|(client, assignment)| {
                Action::TellWorker(client, ToWorker::Assign(assignment))
            }),
        );
    }
}

//! Demand to placement to assignments, at a bounded pace.

use std::time::Instant;

use shm_layout::control::{Assignment, ToWorker};
use tracing::{debug, info, warn};

use super::worker::FirstWord;
use super::{Action, ClientId, Fleet, seat_of};
use crate::life::Phase;
use crate::limits::{ADOPTION_WAIT, PLAN_INTERVAL};
use crate::placement::Tier;

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
        if !self.is_serving() {
            return None;
        }
        let asked = self.replan || self.demand.has_changes() || self.placement.wants_plan();
        let due = self.planned_at.map_or(self.started_at, |at| at + PLAN_INTERVAL);
        let due = if asked { due } else { self.placement.next_deadline()?.max(due) };
        Some(self.placing_begins().map_or(due, |begins| due.max(begins)))
    }

    /// Before when nothing is placed, because workers of an earlier coordinator are awaited or still say what they carry.
    pub(super) fn placing_begins(&self) -> Option<Instant> {
        let awaiting = self.workers.iter().any(|worker| worker.life.phase() == Phase::Adopting);
        let awaited = awaiting.then(|| self.started_at + ADOPTION_WAIT);
        let inheriting = self.workers.iter().filter_map(|worker| worker.inheritance);
        inheriting.map(|inheritance| inheritance.until).chain(awaited).max()
    }

    fn plan(&mut self, now: Instant) {
        (self.replan, self.planned_at) = (false, Some(now));
        self.counters.plans += 1;
        // What was not said of an inventory by now is not awaited any longer.
        self.workers.iter_mut().for_each(|worker| worker.inheritance = None);
        let waiting_before = self.placement.waiting().len();
        self.pass_demand_on();
        let planned = self.placement.plan(now, self.may_promote());
        self.counters.moves_for_balance += planned.voluntary as u64;
        let waiting = self.placement.waiting().len();
        if waiting > 0 && waiting_before == 0 {
            warn!(waiting, "no connection has room for these instruments; they wait for it");
        } else if waiting == 0 && waiting_before > 0 {
            info!("every wanted instrument has found room");
        }
        if planned.added + planned.dropped > 0 {
            let (added, dropped, voluntary) = (planned.added, planned.dropped, planned.voluntary);
            debug!(added, dropped, voluntary, waiting, "planned");
        }
        self.assign();
    }

    pub(super) fn pass_demand_on(&mut self) {
        let changes = self.demand.take_changes();
        for instrument in &changes.removed {
            self.placement.release(instrument);
        }
        for instrument in &changes.added {
            let always = self.demand.wanted_by(self.always_on, instrument);
            self.placement.want(*instrument, if always { Tier::AlwaysOn } else { Tier::Clients });
        }
    }

    /// A worker of an earlier coordinator that was not heard yet, or has not taken our word yet, may take itself for the
    /// primary of anything.
    fn may_promote(&self) -> bool {
        self.workers
            .iter()
            .filter(|worker| worker.life.is_alive() && !worker.life.is_child())
            .all(|worker| worker.met && worker.of_another.is_none())
    }

    /// Tells every connected worker what changed for it, or all when that is due.
    fn assign(&mut self) {
        let mut told: Vec<(ClientId, Assignment)> = Vec::new();
        for (index, worker) in self.workers.iter_mut().enumerate() {
            let Some(client) = worker.client else { continue };
            let seat = seat_of(index);
            let messages = if worker.assigned.whole_due() {
                let messages = worker.assigned.whole(&self.placement.take_whole(seat));
                if let Some(word) = &mut worker.of_another {
                    *word = FirstWord::Said(worker.assigned.generation());
                }
                messages
            } else if self.placement.has_changes(seat) {
                worker.assigned.changes(self.placement.take_changes(seat))
            } else {
                continue;
            };
            self.placement.told(seat, worker.assigned.generation());
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

//! A changed configuration: connections that came, went or changed, without a touch to the others.

use std::time::Instant;

use shm_layout::TradingHours;
use shm_layout::control::ListedInstrument;
use shm_layout::{ConnectionId, InstrumentId};

use super::wishes::Afterwards;
use super::{Fleet, PlannedConnection, seat_of};
use crate::config::Strategy;
use crate::life::{Life, Phase};
use crate::limits::FAREWELL_MAX;
use crate::placement::Tier;

/// What a fleet is to be from now on.
#[derive(Debug, Clone)]
pub struct Reload {
    /// The connections, in the order of the configuration; each says whether its worker has to be started anew to have
    /// its settings.
    pub connections: Vec<(PlannedConnection, bool)>,
    /// How instruments are spread.
    pub strategy: Strategy,
    /// Connections per instrument.
    pub redundancy: usize,
    /// Whether instruments leave a connection that cannot work.
    pub auto_failover: bool,
    /// The instruments that frontends list.
    pub universe: Vec<ListedInstrument>,
    /// Wanted without any client.
    pub always_on: Vec<InstrumentId>,
    /// When products trade.
    pub hours: TradingHours,
    /// Worth a word to whoever asks for the status.
    pub notices: Vec<String>,
    /// What changes beside all this, in lines for a person.
    pub said: Vec<String>,
}

impl Fleet {
    /// Takes a changed configuration. Says what is being done, in lines for a person.
    pub fn reload(&mut self, reload: Reload, now: Instant) -> Vec<String> {
        let mut said = self.other_policies(&reload);
        self.auto_failover = reload.auto_failover;
        self.notices = reload.notices;
        self.hours = reload.hours;
        self.placement.set_policy(reload.strategy, reload.redundancy);
        self.relist(reload.universe, reload.always_on, &mut said);
        let ids: Vec<ConnectionId> =
            reload.connections.iter().map(|(plan, _)| plan.connection_id).collect();
        for index in 0..self.workers.len() {
            let worker = &mut self.workers[index];
            if !worker.removed && !ids.contains(&worker.plan.connection_id) {
                said.push(format!("{} is removed", worker.plan.connection_id));
                worker.removed = true;
                self.front_removed(index);
                self.retire(index, Afterwards::Remove, now);
            }
        }
        for (plan, changed) in reload.connections {
            self.reload_connection(plan, changed, now, &mut said);
        }
        self.replan = true;
        if said.is_empty() {
            said.push("nothing has changed".into());
        }
        said
    }

    /// What differs of how instruments are placed.
    fn other_policies(&self, reload: &Reload) -> Vec<String> {
        let mut said = reload.said.clone();
        let (strategy, redundancy) = (self.placement.strategy(), self.placement.redundancy());
        if strategy != reload.strategy {
            said.push(format!("load_balance_strategy is {}, was {strategy}", reload.strategy));
        }
        if redundancy != reload.redundancy {
            said.push(format!("redundancy is {}, was {redundancy}", reload.redundancy));
        }
        if self.auto_failover != reload.auto_failover {
            said.push(format!("auto_failover is {}", reload.auto_failover));
        }
        said
    }

    fn relist(
        &mut self,
        universe: Vec<ListedInstrument>,
        always_on: Vec<InstrumentId>,
        said: &mut Vec<String>,
    ) {
        if universe != self.universe {
            said.push(format!("{} instruments are listed", universe.len()));
            self.universe = universe;
            if let Some(client) = self.frontend.client {
                self.send_universe(client);
            }
        }
        let before = self.demand.len();
        let always = self.fresh_source();
        for instrument in self.demand.of(self.always_on) {
            self.placement.set_tier(&instrument, Tier::Clients);
        }
        for instrument in always_on {
            self.demand.add(always, instrument);
            self.placement.set_tier(&instrument, Tier::AlwaysOn);
        }
        self.demand.forget(std::mem::replace(&mut self.always_on, always));
        if self.demand.len() != before {
            said.push(format!("{} instruments are wanted, {before} were", self.demand.len()));
        }
    }

    fn reload_connection(
        &mut self,
        plan: PlannedConnection,
        changed: bool,
        now: Instant,
        said: &mut Vec<String>,
    ) {
        let id = plan.connection_id;
        let known = |worker: &super::Worker| !worker.removed && worker.plan.connection_id == id;
        let leaving = |worker: &super::Worker| {
            worker.removed && worker.plan.connection_id == id && worker.life.is_alive()
        };
        if let Some(index) = self.workers.iter().position(leaving)
            && !self.workers.iter().any(known)
        {
            // Its worker is on its way out, and holds what a new one needs.
            said.push(format!("{id} is there again"));
            return self.take_back(index, plan, now);
        }
        let Some(index) = self.workers.iter().position(known) else {
            said.push(format!("{id} is added{}", if plan.enabled { "" } else { ", switched off" }));
            let life = Life::new(plan.enabled, now);
            self.add_worker(plan, life, now);
            return self.placement.unbalance();
        };
        let before = std::mem::replace(&mut self.workers[index].plan, plan);
        let plan = self.workers[index].plan.clone();
        self.placement.set_seat(seat_of(index), |seat| {
            seat.priority = plan.priority;
            seat.broker = plan.broker_id;
            // A running worker takes no more than it was started for; less holds at once.
            seat.capacity = seat.capacity.min(plan.max_subscriptions as usize);
        });
        if !self.workers[index].life.is_alive() {
            self.set_capacity(index);
        }
        // The file's word is newer than a person's before it.
        let (wish, drained) = (self.workers[index].wish.take(), self.workers[index].drained);
        self.workers[index].drained = false;
        if drained {
            said.push(format!("{id} is not drained any longer"));
        }
        let ran = self.workers[index].is_used();
        let worker = &mut self.workers[index];
        worker.outdated |= changed && worker.life.is_alive();
        if !plan.enabled && (ran || wish.is_some() || before.enabled) {
            said.push(format!("{id} is switched off"));
            self.retire(index, Afterwards::Disable, now);
        } else if plan.enabled && !ran {
            said.push(format!("{id} is started"));
            worker.retiring = None;
            worker.life.enable(now);
            if worker.outdated && worker.life.is_alive() && !worker.life.is_ending() {
                // It was still saying farewell, with the settings it has.
                self.restart_later(index);
            }
        } else if plan.enabled && changed {
            said.push(format!("{id} has other settings and is restarted"));
            self.restart_later(index);
        } else if before.priority != plan.priority {
            said.push(format!("{id} has another priority"));
        }
        self.refresh_standing(index, now);
    }

    /// A connection that was removed is configured again before its worker has gone.
    fn take_back(&mut self, index: usize, plan: PlannedConnection, now: Instant) {
        let worker = &mut self.workers[index];
        let enabled = plan.enabled;
        (worker.removed, worker.plan, worker.outdated) = (false, plan, true);
        if enabled {
            worker.life.enable(now);
            self.retire(index, Afterwards::Restart, now);
        } else {
            self.retire(index, Afterwards::Disable, now);
        }
    }

    /// What a worker that is started now may carry.
    pub(super) fn set_capacity(&mut self, index: usize) {
        let capacity = self.workers[index].plan.max_subscriptions as usize;
        self.placement.set_seat(seat_of(index), |seat| seat.capacity = capacity);
    }

    pub(super) fn restart_later(&mut self, index: usize) {
        if !self.to_restart.contains(&index) {
            self.to_restart.push_back(index);
        }
    }

    /// Restarts that wait go one after the other, each when the one before is back or has had its time: so there is
    /// always somewhere for the instruments to be meanwhile.
    pub(super) fn turn_restarts(&mut self, now: Instant) {
        while let Some(index) = self.to_restart.front().copied() {
            let worker = &self.workers[index];
            let gone = worker.removed || worker.life.phase() == Phase::Disabled;
            let busy = self
                .workers
                .iter()
                .any(|worker| worker.retiring.is_some() || worker.is_reviving(now));
            if !gone && busy {
                return;
            }
            self.to_restart.pop_front();
            if !gone {
                self.retire(index, Afterwards::Restart, now);
            }
        }
    }
}

impl super::Worker {
    /// Just started anew and not logged in yet; not for ever.
    fn is_reviving(&self, now: Instant) -> bool {
        let young = self.life.started_at().is_some_and(|at| now < at + FAREWELL_MAX);
        let starting = matches!(self.life.phase(), Phase::Starting | Phase::BackingOff(_));
        let running = self.life.phase() == Phase::Running && !self.is_ready();
        young && (starting || running)
    }
}

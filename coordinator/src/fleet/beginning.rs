//! A fleet at its start, and one more connection.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use shm_layout::control::{ConnectionView, FrontendStats};
use tracing::info;

use super::events::{Events, Front};
use super::standing::Verdict;
use super::{
    Action, Fleet, FleetCounters, FleetPlan, Found, Frontend, PlannedConnection, Worker, outline,
    seat_of, stop,
};
use crate::assignment::Assigned;
use crate::demand::{Demand, SourceId};
use crate::life::{Life, Phase};
use crate::limits::DEMAND_INSTRUMENTS_MAX;
use crate::placement::Placement;
use crate::pulse::Pulse;
use crate::quality::Quality;
use crate::steadiness::Steadiness;
use crate::worker_state::WorkerState;

impl Fleet {
    /// A fleet at its start.
    #[must_use]
    pub fn new(plan: FleetPlan, now: Instant) -> Self {
        let life = |found: Found, enabled| match found {
            Found::Running { pid } => Life::found(pid, true, now),
            Found::Outdated { pid } => Life::found(pid, false, now),
            Found::Nothing => Life::new(enabled, now),
        };
        let frontend = Frontend {
            life: life(plan.frontend, true),
            client: None,
            source: None,
            source_pid: None,
            listening_on: String::new(),
            stats: FrontendStats::default(),
        };
        let always_on = SourceId(0);
        let mut fleet = Self {
            instance: plan.instance,
            auto_failover: plan.auto_failover,
            universe: plan.universe,
            notices: plan.notices,
            http_address: plan.http_address,
            started_at: now,
            turned_at: now,
            workers: Vec::new(),
            frontend,
            peers: HashMap::new(),
            demand: Demand::new(DEMAND_INSTRUMENTS_MAX),
            lingering: Vec::new(),
            next_source: 0,
            placement: Placement::new(plan.strategy, plan.redundancy),
            always_on,
            hours: plan.hours,
            in_session: false,
            events: Events::default(),
            to_restart: VecDeque::new(),
            replan: true,
            planned_at: None,
            stage: stop::Stage::Serving,
            counters: FleetCounters::default(),
            actions: Vec::new(),
        };
        for connection in plan.connections {
            let mut life = life(connection.found, connection.enabled);
            if !connection.enabled {
                // One may run all the same, and be somebody's primary: it is asked to end, and its end is awaited.
                life.disable(now);
            }
            fleet.add_worker(connection, life, now);
        }
        for stray in plan.strays {
            let mut life = life(stray.found, true);
            life.disable(now);
            let index = fleet.add_worker(stray, life, now);
            fleet.workers[index].removed = true;
        }
        for instrument in plan.always_on {
            fleet.demand.add(always_on, instrument);
        }
        fleet.end_outdated();
        fleet
    }

    /// One more connection, at the end or in the place of one that is gone.
    pub(super) fn add_worker(
        &mut self,
        plan: PlannedConnection,
        life: Life,
        now: Instant,
    ) -> usize {
        let mut worker = Worker {
            life,
            client: None,
            state: WorkerState::default(),
            assigned: Assigned::default(),
            met: false,
            of_another: None,
            inheritance: None,
            verdict: Verdict::UNKNOWN,
            steadiness: Steadiness::default(),
            unresponsive: false,
            quality: Quality::new(now),
            pulse: Pulse::default(),
            view: ConnectionView::of(plan.worker),
            listening_since: None,
            silent: false,
            front: Front::default(),
            drained: false,
            wish: None,
            retiring: None,
            outdated: false,
            removed: false,
            plan,
        };
        let free = self.workers.iter().position(Worker::is_free);
        let index = free.unwrap_or(self.workers.len());
        if free.is_some() {
            // The placement knows the seat by what its worker was last told; nothing, since that one is dead.
            worker.assigned = self.workers[index].assigned;
            let fresh = outline::seat(&worker.plan);
            self.placement.set_seat(seat_of(index), |seat| *seat = fresh);
            self.workers[index] = worker;
        } else {
            self.placement.add_seat(outline::seat(&worker.plan));
            self.workers.push(worker);
        }
        self.refresh_standing(index, now);
        index
    }

    /// Asks the processes to end that run with other settings, and come back with ours, and those that are switched off.
    fn end_outdated(&mut self) {
        for process in self.processes() {
            let phase = self.life(process).phase();
            let Some(pid) = self.life(process).pid() else { continue };
            match phase {
                Phase::Replacing(_) => {
                    info!(process = %self.name(process), pid, "runs with other settings than the configuration's and is replaced");
                }
                Phase::Closing(_) => {
                    info!(process = %self.name(process), pid, "runs and is switched off; it is asked to end");
                }
                _ => continue,
            }
            self.actions.push(Action::Terminate(process, pid));
        }
    }
}

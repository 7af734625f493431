//! What must hold at every step.

use std::time::Duration;

use shm_layout::control::CarryRole;
use shm_layout::{Generation, InstrumentId};

use crate::process::WorkerSide;
use crate::queue::Pid;
use crate::scenario::Defect;
use crate::world::World;

/// What has been wanted for so long is known to everybody who should know.
const KNOWN_AFTER: Duration = Duration::from_secs(30);

impl World {
    /// No front carries more than its connection may.
    pub(crate) fn check_capacity(&mut self, pid: Pid, worker: &WorkerSide) {
        let less = if self.scenario.defect == Defect::Greedy { 1 } else { 0 };
        let capacity = worker.section.capacity as usize - less;
        let carried = worker.front.carried.len();
        if carried > capacity {
            self.fail(format!(
                "the front of {} carries {carried} instruments for {pid}, which may have {capacity}",
                worker.section.id
            ));
        }
    }

    /// What an assignment in force must be: newer than the one before, within the connection's capacity, and without a
    /// primary that another has, too.
    pub(crate) fn check_assignment(
        &mut self,
        pid: Pid,
        worker: &mut WorkerSide,
        generation: Generation,
    ) {
        let id = worker.section.id;
        if worker.took.is_some_and(|took| took >= generation) {
            self.fail(format!("{pid} ({id}) took {generation} after {:?}", worker.took));
        }
        worker.took = Some(generation);
        let subscriptions = worker.worker.subscriptions();
        let mut assigned = 0;
        worker.primaries.clear();
        for instrument in &self.scenario.instruments {
            match subscriptions.role(instrument) {
                Some(CarryRole::Primary) => {
                    worker.primaries.insert(*instrument);
                }
                Some(CarryRole::Standby) => {}
                None => continue,
            }
            assigned += 1;
        }
        // A greater capacity holds before the worker is started anew with it.
        let settings = self.coordinator.as_ref().map(|coordinator| &coordinator.settings);
        let section = settings
            .and_then(|settings| settings.connections.iter().find(|section| section.id == id));
        let configured = section.map_or(0, |section| section.capacity);
        let capacity = worker.section.capacity.max(configured) as usize;
        if assigned > capacity {
            self.fail(format!(
                "{assigned} instruments are assigned to {id}, which may have {capacity}"
            ));
        }
        if worker.calls.borrow().own != worker.primaries {
            self.fail(format!("{pid} ({id}) writes other cells than those it is the primary of"));
        }
        self.check_primaries(pid, worker);
    }

    fn check_primaries(&mut self, pid: Pid, worker: &WorkerSide) {
        let other = self.workers().find_map(|(other, _, rival)| {
            let shared = rival.primaries.intersection(&worker.primaries).next();
            shared.map(|instrument| (other, rival.section.id, *instrument))
        });
        if let Some((other, rival, instrument)) = other {
            let id = worker.section.id;
            self.fail(format!("two primaries of {instrument}: {pid} ({id}) and {other} ({rival})"));
        }
    }

    /// Nothing has failed: what ticked here and is wanted must tick elsewhere.
    pub(crate) fn check_make_before_break(&mut self, pid: Pid, instrument: InstrumentId) {
        let known = |since: &std::time::Instant| self.now >= *since + KNOWN_AFTER;
        if !self.clients.get(&instrument).is_some_and(known) {
            return;
        }
        let ticks = |worker: &WorkerSide| worker.front.carried.get(&instrument) == Some(&true);
        if !self.workers().any(|(other, _, worker)| other != pid && ticks(worker)) {
            self.fail(format!(
                "{instrument} is wanted and ticked at {pid}, which has left it; it ticks nowhere"
            ));
        }
    }
}

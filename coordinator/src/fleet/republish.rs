//! Last ticks once more: somebody wants an instrument that a worker carries already, so no snapshot of CTP's will come.

use shm_layout::InstrumentId;
use shm_layout::control::ToWorker;
use shm_layout::limits::CONTROL_INSTRUMENTS_PER_MESSAGE_MAX;

use super::{Action, Fleet};
use crate::demand::SourceId;

impl Fleet {
    /// The frontend adds an instrument to its demand: the worker that carries it, if one does and is connected, is to
    /// publish its last tick once more. One that is placed only now gets CTP's own snapshot, and a frontend that says
    /// its demand anew because its control connection broke has seen the tick.
    pub(super) fn wish_republished(&mut self, source: SourceId, instrument: InstrumentId) {
        let restates = !self.demand.wanted_by(source, &instrument)
            && self
                .frontend
                .restated
                .is_some_and(|restated| self.demand.wanted_by(restated, &instrument));
        if restates {
            return;
        }
        let Some(number) = self.placement.worker_of(&instrument) else { return };
        let carrier = self.workers.iter_mut().find(|worker| worker.plan.worker == number);
        if let Some(worker) = carrier.filter(|worker| worker.client.is_some()) {
            worker.republish.insert(instrument);
        }
    }

    /// True when a worker is to be told.
    pub(super) fn republishes(&self) -> bool {
        self.workers.iter().any(|worker| !worker.republish.is_empty())
    }

    /// Tells each worker at most one message of it per plan, so that a burst does not run over the ring; the rest waits
    /// for the next.
    pub(super) fn republish(&mut self) {
        for worker in &mut self.workers {
            // What has gone elsewhere meanwhile was placed anew there.
            let (placement, number) = (&self.placement, worker.plan.worker);
            worker.republish.retain(|instrument| placement.worker_of(instrument) == Some(number));
            let Some(client) = worker.client else { continue };
            let mut part = Vec::new();
            while part.len() < CONTROL_INSTRUMENTS_PER_MESSAGE_MAX
                && let Some(instrument) = worker.republish.pop_first()
            {
                part.push(instrument);
            }
            if !part.is_empty() {
                self.actions.push(Action::TellWorker(client, ToWorker::Republish(part)));
            }
        }
    }
}

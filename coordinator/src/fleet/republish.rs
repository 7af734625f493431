//! Last ticks once more: somebody wants an instrument that a worker carries already, so no snapshot of CTP's will come.

use shm_layout::InstrumentId;
use shm_layout::control::ToWorker;
use shm_layout::limits::CONTROL_INSTRUMENTS_PER_MESSAGE_MAX;

use super::{Action, Fleet, seat_of};
use crate::demand::SourceId;
use crate::planner::CopyState;

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
        let Some(index) = self.carrier_of(&instrument) else { return };
        self.workers[index].republish.insert(instrument);
    }

    /// The worker to ask for an instrument's last tick: a connected one that carries it, one where it ticks if possible.
    fn carrier_of(&self, instrument: &InstrumentId) -> Option<usize> {
        let copies = self.placement.copies_of(instrument);
        let reached = copies.filter(|copy| self.workers[usize::from(copy.seat)].client.is_some());
        let best = reached.max_by_key(|copy| (copy.state == CopyState::Ticking, copy.primary));
        best.map(|copy| usize::from(copy.seat))
    }

    /// True when a worker is to be told.
    pub(super) fn republishes(&self) -> bool {
        self.workers.iter().any(|worker| !worker.republish.is_empty())
    }

    /// Tells each worker at most one message of it per plan, so that a burst does not run over the ring; the rest waits
    /// for the next.
    pub(super) fn republish(&mut self) {
        for (index, worker) in self.workers.iter_mut().enumerate() {
            // What has gone elsewhere meanwhile was placed anew there.
            let (placement, seat) = (&self.placement, seat_of(index));
            worker
                .republish
                .retain(|instrument| placement.copies_of(instrument).any(|copy| copy.seat == seat));
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

//! A worker's share of the placement as numbered messages.
//!
//! Every message carries a greater [`Generation`] than the one before, so that a worker can refuse what is old. What a
//! worker is to carry is said whole after each of its hellos and whenever it refused something; changes follow.

use shm_layout::control::{Assignment, Carry};
use shm_layout::limits::CONTROL_INSTRUMENTS_PER_MESSAGE_MAX;
use shm_layout::{Generation, InstrumentId};

use crate::placement::WorkerChanges;

/// How far the assignments of one worker have come.
#[derive(Debug, Clone, Copy, Default)]
pub struct Assigned {
    generation: Generation,
    whole_due: bool,
}

// === impl Assigned ===

impl Assigned {
    /// A worker says (in its hello, or refusing) which assignment it has. The next one is said whole, with a greater number.
    pub fn restart(&mut self, has: Option<Generation>) {
        self.generation = self.generation.max(has.unwrap_or_default());
        self.whole_due = true;
    }

    /// The number of the last message.
    #[must_use]
    pub const fn generation(&self) -> Generation {
        self.generation
    }

    /// True when all is to be said anew.
    #[must_use]
    pub const fn whole_due(&self) -> bool {
        self.whole_due
    }

    /// All a worker is to carry.
    pub fn whole(&mut self, all: &[Carry]) -> Vec<Assignment> {
        self.whole_due = false;
        let cut = all.len().min(CONTROL_INSTRUMENTS_PER_MESSAGE_MAX);
        self.generation = self.generation.next();
        let mut messages = vec![Assignment::Whole {
            generation: self.generation,
            instruments: all[..cut].to_vec(),
        }];
        let rest = WorkerChanges { add: all[cut..].to_vec(), remove: Vec::new() };
        messages.extend(self.changes(rest));
        messages
    }

    /// A change of what a worker is to carry; releases come first, so that it is never asked to carry too much.
    pub fn changes(&mut self, changes: WorkerChanges) -> Vec<Assignment> {
        let mut messages = Vec::new();
        for remove in changes.remove.chunks(CONTROL_INSTRUMENTS_PER_MESSAGE_MAX) {
            messages.push(self.change(Vec::new(), remove.to_vec()));
        }
        for add in changes.add.chunks(CONTROL_INSTRUMENTS_PER_MESSAGE_MAX) {
            // The usual small change is one message, not two.
            if let Some(Assignment::Change { add: first, remove, .. }) = messages.last_mut()
                && first.len() + remove.len() + add.len() <= CONTROL_INSTRUMENTS_PER_MESSAGE_MAX
            {
                first.extend_from_slice(add);
            } else {
                messages.push(self.change(add.to_vec(), Vec::new()));
            }
        }
        messages
    }

    fn change(&mut self, add: Vec<Carry>, remove: Vec<InstrumentId>) -> Assignment {
        let after = self.generation;
        self.generation = after.next();
        Assignment::Change { generation: self.generation, after, add, remove }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use shm_layout::control::CarryRole;
    use std::collections::{BTreeMap, BTreeSet};

    fn carry(ids: &[InstrumentId]) -> Vec<Carry> {
        ids.iter().map(|id| Carry::primary(*id)).collect()
    }

    fn ids(range: std::ops::Range<usize>) -> Vec<InstrumentId> {
        range.map(|n| InstrumentId::parse(&format!("x{n}")).unwrap()).collect()
    }

    /// A worker as the contract describes it.
    #[derive(Default)]
    struct Worker {
        has: Option<Generation>,
        carries: BTreeMap<InstrumentId, CarryRole>,
    }

    impl Worker {
        fn take(&mut self, assignment: Assignment) -> bool {
            match assignment {
                Assignment::Whole { generation, instruments } => {
                    if Some(generation) <= self.has {
                        return false;
                    }
                    self.has = Some(generation);
                    self.carries =
                        instruments.iter().map(|carry| (carry.instrument, carry.role)).collect();
                }
                Assignment::Change { generation, after, add, remove } => {
                    if Some(after) != self.has || Some(generation) <= self.has {
                        return false;
                    }
                    assert!(add.len() + remove.len() <= CONTROL_INSTRUMENTS_PER_MESSAGE_MAX);
                    self.has = Some(generation);
                    remove.iter().for_each(|id| assert!(self.carries.remove(id).is_some()));
                    self.carries.extend(add.iter().map(|carry| (carry.instrument, carry.role)));
                }
            }
            true
        }
    }

    #[test]
    fn a_small_change_is_one_message() {
        let mut assigned = Assigned::default();
        let messages =
            assigned.changes(WorkerChanges { add: carry(&ids(0..2)), remove: ids(5..6) });
        assert_eq!(messages.len(), 1);
        assert!(assigned.changes(WorkerChanges::default()).is_empty());
    }

    #[test]
    fn long_lists_come_in_parts_that_follow_each_other() {
        let (mut assigned, mut worker) = (Assigned::default(), Worker::default());
        assigned.restart(None);
        let all = ids(0..20_000);
        let messages = assigned.whole(&carry(&all));
        assert_eq!(messages.len(), 3);
        assert!(messages.into_iter().all(|message| worker.take(message)));
        let changes =
            WorkerChanges { remove: all[..9_000].to_vec(), add: carry(&ids(30_000..40_000)) };
        assert!(assigned.changes(changes).into_iter().all(|message| worker.take(message)));
        assert_eq!(worker.carries.len(), 21_000);
    }

    #[test]
    fn a_new_coordinator_goes_on_above_what_the_worker_has() {
        let mut worker = Worker { has: Some(Generation(41)), ..Worker::default() };
        let mut assigned = Assigned::default();
        assigned.restart(worker.has);
        assert!(assigned.whole_due());
        assert!(worker.take(assigned.whole(&carry(&ids(0..4))).remove(0)));
        assert_eq!(worker.has, Some(Generation(42)));
        assert!(!assigned.whole_due());
    }

    proptest! {
        /// Whatever is lost with a connection, a worker that is told anew carries exactly what it should.
        #[test]
        fn a_worker_that_missed_messages_recovers(
            steps in prop::collection::vec((0..30_usize, any::<bool>(), any::<bool>()), 1..60),
        ) {
            let (mut assigned, mut worker) = (Assigned::default(), Worker::default());
            let mut wanted = BTreeSet::new();
            assigned.restart(None);
            for (n, add, lost) in steps {
                let instrument = ids(n..n + 1)[0];
                let changed = if add { wanted.insert(instrument) } else { wanted.remove(&instrument) };
                let messages = if assigned.whole_due() {
                    assigned.whole(&carry(&wanted.iter().copied().collect::<Vec<_>>()))
                } else if changed {
                    let changes = if add {
                        WorkerChanges { add: carry(&[instrument]), remove: Vec::new() }
                    } else {
                        WorkerChanges { add: Vec::new(), remove: vec![instrument] }
                    };
                    assigned.changes(changes)
                } else {
                    Vec::new()
                };
                for message in messages {
                    if !lost && !worker.take(message) {
                        assigned.restart(worker.has);
                    }
                }
            }
            assigned.restart(worker.has);
            for message in assigned.whole(&carry(&wanted.iter().copied().collect::<Vec<_>>())) {
                prop_assert!(worker.take(message));
            }
            prop_assert_eq!(worker.carries.into_keys().collect::<BTreeSet<_>>(), wanted);
        }
    }
}

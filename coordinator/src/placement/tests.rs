//! Examples and random histories.

use super::*;
use proptest::prelude::*;

const A: WorkerId = WorkerId(0);
const B: WorkerId = WorkerId(1);

fn id(n: u32) -> InstrumentId {
    InstrumentId::parse(&format!("rb{n:04}")).unwrap()
}

fn wanting(rooms: &[u32], count: u32) -> Placement {
    let mut placement = Placement::new((0..).map(WorkerId).zip(rooms.iter().copied()));
    (0..count).for_each(|n| placement.want(id(n)));
    placement
}

#[test]
fn each_takes_its_turn() {
    let placement = wanting(&[10, 10, 10], 6);
    assert_eq!([0, 1, 2].map(|n| placement.load(WorkerId(n))), [2, 2, 2]);
    assert_eq!(placement.worker_of(&id(0)), Some(A));
    assert_eq!(placement.worker_of(&id(4)), Some(B));
}

#[test]
fn the_full_are_passed_over_and_the_rest_waits_in_order() {
    let mut placement = wanting(&[1, 2], 5);
    assert_eq!((placement.placed(), placement.waiting()), (3, 2));
    placement.release(&id(0));
    assert_eq!(placement.worker_of(&id(3)), Some(A), "the first that waited gets the room");
    assert_eq!(placement.waiting(), 1);
    placement.release(&id(4));
    assert_eq!(placement.waiting(), 0);
}

#[test]
fn the_doubtful_come_last_and_keep_what_they_have() {
    let mut placement = wanting(&[10, 2], 2);
    placement.set_standing(A, Standing::Doubtful);
    assert_eq!(placement.worker_of(&id(0)), Some(A));
    placement.want(id(2));
    placement.want(id(3));
    assert_eq!(placement.worker_of(&id(2)), Some(B));
    assert_eq!(placement.worker_of(&id(3)), Some(A), "rather there than nowhere");
}

#[test]
fn what_the_closed_carried_is_placed_anew() {
    let mut placement = wanting(&[10, 3], 4);
    placement.take_changes(A);
    placement.take_changes(B);
    placement.set_standing(A, Standing::Closed);
    assert_eq!((placement.load(A), placement.load(B), placement.waiting()), (0, 3, 1));
    assert_eq!(placement.take_changes(A).remove, [id(0), id(2)]);
    assert_eq!(placement.take_changes(B).add, [id(0)]);
    placement.set_standing(A, Standing::Good);
    assert_eq!((placement.worker_of(&id(2)), placement.waiting()), (Some(A), 0));
}

#[test]
fn an_inventory_is_kept_where_it_is() {
    let mut placement = wanting(&[2, 2], 0);
    assert!(placement.keep(id(7), B) && placement.keep(id(8), B));
    assert!(!placement.keep(id(9), B), "it is full");
    assert!(!placement.keep(id(7), A), "another has it");
    assert!(!placement.keep(id(7), WorkerId(9)), "nobody knows this worker");
    placement.want(id(7));
    assert_eq!(placement.worker_of(&id(7)), Some(B));
    placement.set_standing(A, Standing::Closed);
    assert!(!placement.keep(id(1), A));
    placement.want(id(1));
    assert_eq!(placement.waiting(), 1);
    placement.release(&id(8));
    assert_eq!(placement.worker_of(&id(1)), Some(B));
}

#[test]
fn without_workers_everything_waits() {
    let placement = wanting(&[], 3);
    assert_eq!((placement.placed(), placement.waiting()), (0, 3));
}

#[derive(Debug, Clone)]
enum Step {
    Want(u32),
    Release(u32),
    Keep(u32, u32),
    Stand(u32, Standing),
    Take(u32),
}

fn step() -> impl Strategy<Value = Step> {
    let standing =
        prop_oneof![Just(Standing::Good), Just(Standing::Doubtful), Just(Standing::Closed)];
    prop_oneof![
        6 => (0..40_u32).prop_map(Step::Want),
        4 => (0..40_u32).prop_map(Step::Release),
        1 => (0..40_u32, 0..4_u32).prop_map(|(n, worker)| Step::Keep(n, worker)),
        1 => (0..4_u32, standing).prop_map(|(worker, standing)| Step::Stand(worker, standing)),
        2 => (0..4_u32).prop_map(Step::Take),
    ]
}

/// One run through a history: what each worker was told, what is wanted, where everything stood before the last step.
struct Run {
    placement: Placement,
    wanted: BTreeSet<InstrumentId>,
    standing: [Standing; 4],
    told: [BTreeSet<InstrumentId>; 4],
}

impl Run {
    fn new(rooms: &[u32]) -> Self {
        Self {
            placement: wanting(rooms, 0),
            wanted: BTreeSet::new(),
            standing: [Standing::Good; 4],
            told: Default::default(),
        }
    }

    /// Takes a step; gives the instruments that the step itself may move.
    fn take(&mut self, step: &Step) -> BTreeSet<InstrumentId> {
        match *step {
            Step::Want(n) => {
                self.wanted.insert(id(n));
                self.placement.want(id(n));
            }
            Step::Release(n) => {
                self.wanted.remove(&id(n));
                self.placement.release(&id(n));
                return BTreeSet::from([id(n)]);
            }
            Step::Keep(n, worker) => {
                if self.placement.keep(id(n), WorkerId(worker)) {
                    self.wanted.insert(id(n));
                }
            }
            Step::Stand(worker, standing) => {
                let carried = self.placement.carried(WorkerId(worker)).collect();
                self.standing[worker as usize] = standing;
                self.placement.set_standing(WorkerId(worker), standing);
                if standing == Standing::Closed {
                    return carried;
                }
            }
            Step::Take(worker) => self.tell(worker as usize),
        }
        BTreeSet::new()
    }

    fn tell(&mut self, worker: usize) {
        let changes = self.placement.take_changes(WorkerId(worker as u32));
        for instrument in changes.remove {
            assert!(self.told[worker].remove(&instrument), "released what it never had");
        }
        for instrument in changes.add {
            assert!(self.told[worker].insert(instrument), "given twice");
        }
    }

    fn places(&self) -> BTreeMap<InstrumentId, WorkerId> {
        let place = |n| self.placement.worker_of(&id(n)).map(|worker| (id(n), worker));
        (0..40).filter_map(place).collect()
    }
}

proptest! {
    #[test]
    fn the_rules_hold_after_any_history(
        rooms in prop::collection::vec(0..8_u32, 4),
        steps in prop::collection::vec(step(), 0..200),
    ) {
        let mut run = Run::new(&rooms);
        let mut again = Run::new(&rooms);
        for step in steps {
            let before = run.places();
            let may_move = run.take(&step);
            again.take(&step);
            let now = run.places();
            prop_assert_eq!(&now, &again.places(), "the same history, another placement");
            // Placed or waiting, each wanted one exactly once, and nothing else.
            prop_assert_eq!(run.placement.placed() + run.placement.waiting(), run.wanted.len());
            prop_assert!(now.keys().all(|instrument| run.wanted.contains(instrument)));
            let mut room_left = false;
            for (worker, room) in rooms.iter().map(|room| *room as usize).enumerate() {
                let number = WorkerId(worker as u32);
                let load = run.placement.load(number);
                prop_assert!(load <= room, "over capacity");
                prop_assert_eq!(load, now.values().filter(|placed| **placed == number).count());
                let open = run.standing[worker] != Standing::Closed;
                prop_assert!(open || load == 0, "the closed carry nothing");
                room_left |= open && load < room;
            }
            prop_assert!(run.placement.waiting() == 0 || !room_left, "waiting while there is room");
            for (instrument, worker) in before {
                if !may_move.contains(&instrument) {
                    prop_assert_eq!(now.get(&instrument), Some(&worker), "moved for no reason");
                }
            }
        }
        for worker in 0..4 {
            run.tell(worker);
            let carried: BTreeSet<_> = run.placement.carried(WorkerId(worker as u32)).collect();
            prop_assert_eq!(&run.told[worker], &carried, "the changes do not lead to what is carried");
        }
    }
}

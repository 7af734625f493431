//! What each worker was told, and what it is to be told next (pure).

use std::collections::{BTreeSet, HashMap};

use shm_layout::control::{Carry, CarryRole};
use shm_layout::{Generation, InstrumentId};

use super::Placement;
use crate::planner::{CopyState, ItemIndex, SeatIndex};

/// What changed for one worker.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WorkerChanges {
    /// To carry from now on, or in another role.
    pub add: Vec<Carry>,
    /// To release.
    pub remove: Vec<InstrumentId>,
}

/// What the workers were told, by seat.
#[derive(Debug, Default)]
pub(super) struct Telling {
    seats: Vec<Told>,
    /// How many seats were told of each item.
    told_on: HashMap<ItemIndex, u32>,
    /// Items that may be nobody's any more.
    let_go: BTreeSet<ItemIndex>,
}

#[derive(Debug, Default)]
struct Told {
    roles: HashMap<ItemIndex, CarryRole>,
    /// What may differ from what is decided.
    touched: BTreeSet<ItemIndex>,
}

// === impl Telling ===

impl Telling {
    pub(super) fn add_seat(&mut self) {
        self.seats.push(Told::default());
    }

    /// Something was decided about an item on a seat.
    pub(super) fn touch(&mut self, seat: SeatIndex, index: ItemIndex) {
        self.seats[usize::from(seat)].touched.insert(index);
        self.let_go.insert(index);
    }

    /// A worker knows nothing.
    pub(super) fn forget(&mut self, seat: SeatIndex) {
        let told = std::mem::take(&mut self.seats[usize::from(seat)]);
        for index in told.roles.into_keys() {
            self.untold(index);
        }
    }

    /// True when a worker was told to carry an item and not to release it.
    pub(super) fn is_told(&self, index: ItemIndex) -> bool {
        self.told_on.contains_key(&index)
    }

    pub(super) fn take_let_go(&mut self) -> BTreeSet<ItemIndex> {
        std::mem::take(&mut self.let_go)
    }

    pub(super) fn let_go(&mut self, index: ItemIndex) {
        self.let_go.insert(index);
    }

    fn tell(
        &mut self,
        seat: SeatIndex,
        index: ItemIndex,
        role: Option<CarryRole>,
    ) -> Option<CarryRole> {
        let roles = &mut self.seats[usize::from(seat)].roles;
        let before = match role {
            Some(role) => roles.insert(index, role),
            None => roles.remove(&index),
        };
        match (before, role) {
            (None, Some(_)) => *self.told_on.entry(index).or_default() += 1,
            (Some(_), None) => self.untold(index),
            _ => {}
        }
        before
    }

    fn untold(&mut self, index: ItemIndex) {
        self.let_go.insert(index);
        if let Some(count) = self.told_on.get_mut(&index) {
            *count -= 1;
            if *count == 0 {
                self.told_on.remove(&index);
            }
        }
    }
}

impl Placement {
    /// True when a worker is to be told something.
    #[must_use]
    pub fn has_changes(&self, seat: SeatIndex) -> bool {
        !self.telling.seats[usize::from(seat)].touched.is_empty()
    }

    /// What a worker is to be told since it was last told something. The messages made of it must be sent, and
    /// [`Self::told`] be called with the number of the last.
    pub fn take_changes(&mut self, seat: SeatIndex) -> WorkerChanges {
        let mut changes = WorkerChanges::default();
        let touched = std::mem::take(&mut self.telling.seats[usize::from(seat)].touched);
        for index in touched {
            let decided = self.decided(seat, index);
            let before = self.telling.tell(seat, index, decided);
            let Some(instrument) = self.instruments[index as usize] else { continue };
            // One that was taken away and given back before it was told of either is told again, so that it says how far it
            // is: what it said before went with the copy that was taken away.
            let unheard = || self.state_of(seat, index) == Some(CopyState::Unknown);
            match decided {
                Some(role) if before != decided || unheard() => {
                    changes.add.push(Carry { instrument, role });
                }
                None if before.is_some() => changes.remove.push(instrument),
                _ => {}
            }
            self.holders.tell(seat, index, decided);
        }
        changes
    }

    /// All a worker is to carry; as [`Self::take_changes`] otherwise. It counts as having been told nothing before.
    pub fn take_whole(&mut self, seat: SeatIndex) -> Vec<Carry> {
        self.telling.forget(seat);
        let mut whole = Vec::new();
        for index in self.carried[usize::from(seat)].clone() {
            let decided = self.decided(seat, index);
            self.telling.tell(seat, index, decided);
            self.holders.tell(seat, index, decided);
            if let (Some(role), Some(instrument)) = (decided, self.instruments[index as usize]) {
                whole.push(Carry { instrument, role });
            }
        }
        // What it held and does not carry any more it is told by not being named.
        for index in self.holders.held_by(seat) {
            self.holders.tell(seat, index, self.decided(seat, index));
        }
        whole
    }

    /// What was taken last has gone out under this number, or an earlier one.
    pub fn told(&mut self, seat: SeatIndex, generation: Generation) {
        self.holders.told(seat, generation);
    }

    /// A worker acts on every assignment up to this number.
    pub fn taken(&mut self, seat: SeatIndex, generation: Generation) {
        for index in self.holders.taken(seat, generation) {
            self.telling.let_go(index);
            self.changed = true;
        }
    }

    fn state_of(&self, seat: SeatIndex, index: ItemIndex) -> Option<CopyState> {
        self.item(index).copies.on(seat).map(|copy| copy.state)
    }

    fn decided(&self, seat: SeatIndex, index: ItemIndex) -> Option<CarryRole> {
        self.item(index)
            .copies
            .on(seat)
            .map(|copy| if copy.primary { CarryRole::Primary } else { CarryRole::Standby })
    }
}

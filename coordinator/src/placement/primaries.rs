//! Who writes an instrument's cells: never two (pure).
//!
//! A worker *holds* an instrument from the moment it is told to be its primary until it has taken an assignment that says
//! otherwise, or is dead. Nobody else is told meanwhile.

use std::collections::{BTreeSet, VecDeque};

use shm_layout::Generation;
use shm_layout::control::CarryRole;

use super::Placement;
use crate::planner::{CopyState, ItemIndex, SeatIndex};

/// Who holds what.
#[derive(Debug, Default)]
pub(super) struct Holders {
    /// By item.
    items: Vec<Vec<SeatIndex>>,
    seats: Vec<Held>,
    /// Items whose primary is to be looked at.
    unsettled: BTreeSet<ItemIndex>,
}

#[derive(Debug, Default)]
struct Held {
    items: BTreeSet<ItemIndex>,
    /// To be told that they are not held any longer; the messages are being made.
    ending: Vec<ItemIndex>,
    /// Told so under these numbers.
    ended: VecDeque<(Generation, Vec<ItemIndex>)>,
}

// === impl Holders ===

impl Holders {
    pub(super) fn add_seat(&mut self) {
        self.seats.push(Held::default());
    }

    pub(super) fn add_item(&mut self) {
        self.items.push(Vec::new());
    }

    pub(super) fn look_at(&mut self, index: ItemIndex) {
        self.unsettled.insert(index);
    }

    pub(super) fn is_held(&self, index: ItemIndex) -> bool {
        !self.items[index as usize].is_empty()
    }

    pub(super) fn held_by(&self, seat: SeatIndex) -> Vec<ItemIndex> {
        self.seats[usize::from(seat)].items.iter().copied().collect()
    }

    /// A worker takes itself for the primary of an item.
    pub(super) fn hold(&mut self, index: ItemIndex, seat: SeatIndex) {
        if self.seats[usize::from(seat)].items.insert(index) {
            self.items[index as usize].push(seat);
        }
    }

    /// A worker is being told what it is to an item.
    pub(super) fn tell(&mut self, seat: SeatIndex, index: ItemIndex, role: Option<CarryRole>) {
        if role == Some(CarryRole::Primary) {
            self.hold(index, seat);
            self.seats[usize::from(seat)].ending.retain(|other| *other != index);
            for (_, items) in &mut self.seats[usize::from(seat)].ended {
                items.retain(|other| *other != index);
            }
        } else if self.seats[usize::from(seat)].items.contains(&index) {
            self.seats[usize::from(seat)].ending.push(index);
        }
    }

    pub(super) fn told(&mut self, seat: SeatIndex, generation: Generation) {
        let held = &mut self.seats[usize::from(seat)];
        if !held.ending.is_empty() {
            held.ended.push_back((generation, std::mem::take(&mut held.ending)));
        }
    }

    /// The items that a worker holds no longer, now that it has taken an assignment.
    pub(super) fn taken(&mut self, seat: SeatIndex, generation: Generation) -> Vec<ItemIndex> {
        let mut freed = Vec::new();
        let held = &mut self.seats[usize::from(seat)];
        while held.ended.front().is_some_and(|(told, _)| *told <= generation) {
            freed.extend(held.ended.pop_front().into_iter().flat_map(|(_, items)| items));
        }
        freed.iter().for_each(|index| self.free(*index, seat));
        freed
    }

    /// The items that a worker held when it died.
    pub(super) fn died(&mut self, seat: SeatIndex) -> BTreeSet<ItemIndex> {
        let freed = std::mem::take(&mut self.seats[usize::from(seat)]).items;
        freed.iter().for_each(|index| self.free(*index, seat));
        freed
    }

    fn free(&mut self, index: ItemIndex, seat: SeatIndex) {
        self.seats[usize::from(seat)].items.remove(&index);
        self.items[index as usize].retain(|holder| *holder != seat);
        self.unsettled.insert(index);
    }

    /// True when nobody but this worker can take itself for the primary.
    fn is_free_for(&self, index: ItemIndex, seat: SeatIndex) -> bool {
        self.items[index as usize].iter().all(|holder| *holder == seat)
    }
}

impl Placement {
    /// Sees to it that every instrument has a primary, one that ticks where one does.
    pub(super) fn elect(&mut self, may_promote: bool) {
        for index in std::mem::take(&mut self.holders.unsettled) {
            if !self.elect_one(index, may_promote) {
                self.holders.look_at(index);
            }
        }
    }

    /// False when it has to be looked at again.
    fn elect_one(&mut self, index: ItemIndex, may_promote: bool) -> bool {
        let copies = self.item(index).copies;
        let ticking = copies.staying().find(|copy| copy.state == CopyState::Ticking);
        let mut led = false;
        for copy in copies.iter().filter(|copy| copy.primary) {
            let fit = !copy.leaving && copy.state == CopyState::Ticking;
            // One is enough, and one that ticks is better than one that does not.
            if led || (!fit && ticking.is_some()) {
                self.set_primary(index, copy.seat, false);
            } else {
                led = true;
            }
        }
        if led || copies.is_empty() {
            return true;
        }
        let next = ticking.or_else(|| copies.staying().next()).or_else(|| copies.iter().next());
        let Some(seat) = next.map(|copy| copy.seat) else { return true };
        if !may_promote || !self.holders.is_free_for(index, seat) {
            return false;
        }
        self.set_primary(index, seat, true);
        true
    }

    fn set_primary(&mut self, index: ItemIndex, seat: SeatIndex, primary: bool) {
        if let Some(copy) = self.board.items[index as usize].copies.on_mut(seat) {
            copy.primary = primary;
            self.telling.touch(seat, index);
        }
    }
}

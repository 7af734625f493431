//! What the placement says of itself (pure).

use shm_layout::InstrumentId;

use super::Placement;
use crate::config::Strategy;
use crate::planner::{Copies, Copy, ItemIndex, SeatIndex};

impl Placement {
    /// The connections that carry an instrument, those that stay first.
    pub fn copies_of(&self, instrument: &InstrumentId) -> impl Iterator<Item = &Copy> {
        let index = self.index.get(instrument).copied();
        let copies = index.map(|index| &self.item(index).copies);
        let staying = copies.into_iter().flat_map(|copies| copies.staying());
        let leaving =
            copies.into_iter().flat_map(|copies| copies.iter().filter(|copy| copy.leaving));
        staying.chain(leaving)
    }

    /// Everything a connection carries, with how far it has come.
    pub fn carried(&self, seat: SeatIndex) -> impl Iterator<Item = (InstrumentId, Copy)> {
        self.carried[usize::from(seat)].iter().filter_map(move |index| {
            let copy = self.item(*index).copies.on(seat).copied()?;
            Some((self.instruments[*index as usize]?, copy))
        })
    }

    /// Every wanted instrument with its copies.
    pub fn wanted(&self) -> impl Iterator<Item = (InstrumentId, &Copies)> {
        let items = self.instruments.iter().zip(&self.board.items);
        items.filter(|(_, item)| item.wanted).filter_map(|(id, item)| Some(((*id)?, &item.copies)))
    }

    /// How much a connection carries.
    #[must_use]
    pub fn load(&self, seat: SeatIndex) -> usize {
        self.seat(seat).load
    }

    /// Instruments that wait for room, in the order in which they will be served.
    pub fn waiting(&self) -> impl ExactSizeIterator<Item = InstrumentId> {
        let named = |index: &ItemIndex| self.instruments[*index as usize];
        self.waiting.iter().filter_map(named).collect::<Vec<_>>().into_iter()
    }

    /// Instruments with fewer copies than asked for, but some.
    #[must_use]
    pub const fn short(&self) -> usize {
        self.short
    }

    /// Copies that are on their way out, beside those that take their place.
    #[must_use]
    pub fn leaving(&self) -> usize {
        let leaving = |index: &ItemIndex| {
            let copies = self.item(*index).copies;
            let others = copies.staying().count();
            // One that has nowhere to go just now does not move.
            if others == 0 { 0 } else { copies.len() - others }
        };
        self.leavers.iter().map(leaving).sum()
    }

    /// Copies of each instrument that are asked for.
    #[must_use]
    pub const fn redundancy(&self) -> usize {
        self.redundancy
    }

    /// How a seat is chosen.
    #[must_use]
    pub const fn strategy(&self) -> Strategy {
        self.strategy
    }

    /// The number of the last plan.
    #[must_use]
    pub const fn plans(&self) -> u64 {
        self.plans
    }
}

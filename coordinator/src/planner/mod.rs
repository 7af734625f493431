//! Which connection carries which instrument: board in, plan out. Pure.
//!
//! A [`Board`] is the fleet as placing sees it: seats (connections) and items (instruments) with the copies they have.
//! [`plan`] says which steps lead to a better one, and changes nothing itself:
//!
//! 1. What nobody wants is dropped.
//! 2. Each wanted instrument gets `redundancy` copies on different connections, of different brokers where possible. A
//!    copy **stays where it is** as long as its seat keeps it. First copies go before second ones; within that the rank
//!    decides. A first copy that finds no room takes that of somebody's second.
//! 3. A copy whose seat does not keep it (its front is away, or it is being drained) **leaves**: it goes on where it is
//!    until the one that takes its place ticks; [`crate::placement`] sees to that. Without room elsewhere it stays.
//! 4. When all that is done, and the fleet has changed, some copies move for the sake of **balance** (`rebalance`).
//!
//! The same board leads to the same plan. No seat is ever filled beyond its capacity; leaving copies count.

mod board;
mod choice;
mod rebalance;
mod settle;

pub use board::{
    Acceptance, Board, COPIES_MAX, Copies, Copy, CopyState, Item, ItemIndex, Seat, SeatIndex,
};
pub use choice::hash_of;

use crate::config::Strategy;
use choice::Chooser;

/// What a plan goes by beside the board.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// How a seat is chosen among those that have room.
    pub strategy: Strategy,
    /// Copies of each instrument.
    pub redundancy: usize,
    /// How many copies may move for the sake of balance alone; 0 for none.
    pub voluntary_moves: usize,
}

/// One step of a plan.
#[derive(Debug, Clone, std::marker::Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// A new copy.
    Add(ItemIndex, SeatIndex),
    /// A leaving copy stays after all.
    Return(ItemIndex, SeatIndex),
    /// A copy is to go once others tick in its place.
    Leave(ItemIndex, SeatIndex),
    /// A copy goes at once.
    Drop(ItemIndex, SeatIndex),
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// In order: each keeps every seat within its capacity, given those before it.
    pub steps: Vec<Step>,
    /// Wanted items without any copy, in the order in which they will be served.
    pub waiting: Vec<ItemIndex>,
    /// Items with fewer copies than asked for where they may stay, but some.
    pub short: usize,
    /// Whose turn is next in round robin.
    pub turn: usize,
    /// How many of the steps begin a move for balance alone.
    pub voluntary: usize,
}

/// Makes a plan.
#[must_use]
pub fn plan(board: &Board, policy: &Policy) -> Plan {
    let chooser = Chooser::new(board, policy.strategy);
    let copies = board.items.iter().map(|item| item.copies).collect();
    let mut planner = Planner { board, policy, chooser, copies, plan: Plan::default() };
    planner.settle();
    let calm = planner.plan.steps.is_empty() && planner.plan.waiting.is_empty();
    if calm && policy.voluntary_moves > 0 {
        planner.rebalance();
    }
    planner.plan.turn = planner.chooser.turn();
    planner.plan
}

/// A plan in the making.
struct Planner<'a> {
    board: &'a Board,
    policy: &'a Policy,
    chooser: Chooser<'a>,
    /// The copies of each item as the steps so far leave them.
    copies: Vec<Copies>,
    plan: Plan,
}

impl<'a> Planner<'a> {
    fn item(&self, index: ItemIndex) -> &'a Item {
        &self.board.items[index as usize]
    }

    /// An item's copies as the steps so far leave them.
    fn copies(&self, index: ItemIndex) -> Copies {
        self.copies[index as usize]
    }

    /// True when a step has touched an item.
    fn is_changed(&self, index: ItemIndex) -> bool {
        self.copies[index as usize] != self.item(index).copies
    }

    /// Takes a step.
    fn step(&mut self, step: Step) {
        let (Step::Add(index, seat)
        | Step::Return(index, seat)
        | Step::Leave(index, seat)
        | Step::Drop(index, seat)) = step;
        let copies = &mut self.copies[index as usize];
        match step {
            Step::Add(..) => {
                copies.add(seat);
                self.chooser.load(seat);
            }
            Step::Return(..) => copies.set_leaving(seat, false),
            Step::Leave(..) => copies.set_leaving(seat, true),
            Step::Drop(..) => {
                copies.remove(seat);
                self.chooser.unload(seat);
            }
        }
        self.plan.steps.push(step);
    }
}

#[cfg(test)]
mod tests;

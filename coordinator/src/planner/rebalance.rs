//! What may be better: copies that move although they could stay (pure).
//!
//! Only from sound seats to sound seats, a bounded number at a time, and only where the gain is clear: the steps of one
//! round lead to a board on which the next round finds fewer, so that it ends.

use super::board::{Acceptance, Copies, Copy, CopyState, Item, ItemIndex, SeatIndex};
use super::choice::{Chooser, Reach};
use super::{Planner, Step};
use crate::config::Strategy;

/// How much fuller a seat must be than another before a copy moves, in shares of its capacity (connection_quality).
const FILL_SLACK: f64 = 0.10;

/// The same in copies (round_robin, least_connections): so many, and this share of the fuller one's.
const COUNT_SLACK: f64 = 2.0;
const COUNT_SLACK_SHARE: f64 = 0.10;

impl Planner<'_> {
    /// Moves copies towards what the strategy would choose for an empty board.
    pub(super) fn rebalance(&mut self) {
        if self.policy.redundancy > 1 {
            self.brokers_apart();
        }
        match self.policy.strategy {
            Strategy::HashBased => self.bring_nearer(),
            _ => self.level_loads(),
        }
    }

    /// True when a copy may move for balance: it is settled where it is, and everything of its item is.
    fn is_settled(&self, index: ItemIndex) -> bool {
        let item = self.item(index);
        item.wanted
            && !item.parked
            && !item.copies.is_empty()
            && item.copies.iter().all(|copy| !copy.leaving && self.chooser.seat(copy.seat).keeps)
            // One move of an item at a time.
            && !self.is_changed(index)
    }

    fn takes_gladly(&self, seat: SeatIndex) -> bool {
        self.chooser.seat(seat).accepts == Acceptance::First
    }

    /// Items that had to take two connections of one broker, now that another broker has room.
    fn brokers_apart(&mut self) {
        for (index, item) in (0..).zip(&self.board.items) {
            if self.plan.voluntary >= self.policy.voluntary_moves {
                return;
            }
            if item.copies.len() < 2 || !self.is_settled(index) {
                continue;
            }
            let shared = |copy: &&Copy| self.shares_a_broker(&without(item, copy.seat), copy.seat);
            let use_of = |copy: &&Copy| (copy.state == CopyState::Ticking, copy.primary);
            let least = item.copies.iter().filter(shared).min_by_key(use_of);
            let Some(from) = least.map(|copy| copy.seat) else { continue };
            if let Some(to) = self.better_seat(item, from)
                && !self.shares_a_broker(&without(item, from), to)
            {
                self.move_copy(index, from, to);
            }
        }
    }

    /// hash_based: each item to the nearest seats that have room.
    fn bring_nearer(&mut self) {
        for (index, item) in (0..).zip(&self.board.items) {
            if self.plan.voluntary >= self.policy.voluntary_moves {
                return;
            }
            if !self.is_settled(index) {
                continue;
            }
            let distance = |seat: SeatIndex| self.chooser.distance(item, seat);
            let mut seats: Vec<SeatIndex> = item.copies.iter().map(|copy| copy.seat).collect();
            seats.sort_by(|one, other| distance(*other).total_cmp(&distance(*one)));
            // The farthest first; where its broker binds it, one that is nearer may have somewhere to go.
            let nearer = |from: &SeatIndex| {
                let to = self.better_seat(item, *from)?;
                (distance(to) < distance(*from)).then_some((*from, to))
            };
            if let Some((from, to)) = seats.iter().find_map(nearer) {
                self.move_copy(index, from, to);
            }
        }
    }

    /// The best seat for an item if it were not on `from`.
    fn better_seat(&self, item: &Item, from: SeatIndex) -> Option<SeatIndex> {
        let others = without(item, from);
        let fits = |chooser: &Chooser<'_>, seat: SeatIndex| {
            seat != from
                && chooser.seat(seat).accepts == Acceptance::First
                && chooser.has_room(seat)
        };
        let to = self.chooser.best(item, &others, Reach::Sound, fits)?;
        // Never for the price of two copies with one broker.
        (!self.shares_a_broker(&others, to) || self.shares_a_broker(&others, from)).then_some(to)
    }

    fn shares_a_broker(&self, copies: &Copies, seat: SeatIndex) -> bool {
        let broker = self.chooser.seat(seat).broker;
        copies.staying().any(|copy| self.chooser.seat(copy.seat).broker == broker)
    }

    fn move_copy(&mut self, index: ItemIndex, from: SeatIndex, to: SeatIndex) {
        self.step(Step::Add(index, to));
        self.step(Step::Leave(index, from));
        self.plan.voluntary += 1;
    }

    /// The others: from the seat under the greatest pressure to the one under the least, while that is a clear gain.
    fn level_loads(&mut self) {
        let seats: Vec<SeatIndex> =
            self.chooser.order().iter().copied().filter(|seat| self.takes_gladly(*seat)).collect();
        if seats.len() < 2 {
            return;
        }
        let mut carried = self.movable();
        // What a seat will carry once the moves are through; what leaves still counts in the chooser's loads.
        let mut lasting: Vec<usize> = self.board.seats.iter().map(|seat| seat.load).collect();
        for copy in self.board.items.iter().flat_map(|item| item.copies.iter()) {
            lasting[usize::from(copy.seat)] -= usize::from(copy.leaving);
        }
        let mut exhausted = vec![false; self.board.seats.len()];
        while self.plan.voluntary < self.policy.voluntary_moves {
            let pressure = |seat: SeatIndex, more: usize| {
                self.pressure(seat, lasting[usize::from(seat)] + more)
            };
            let fullest = seats
                .iter()
                .copied()
                .filter(|seat| !exhausted[usize::from(*seat)] && lasting[usize::from(*seat)] > 0)
                .max_by(|one, other| pressure(*one, 0).total_cmp(&pressure(*other, 0)));
            let Some(from) = fullest else { return };
            let mut emptiest: Vec<SeatIndex> =
                seats.iter().copied().filter(|seat| self.chooser.has_room(*seat)).collect();
            emptiest.sort_by(|one, other| pressure(*one, 1).total_cmp(&pressure(*other, 1)));
            let enough = pressure(from, 0) - self.slack(lasting[usize::from(from)]);
            emptiest.retain(|to| pressure(*to, 1) < enough);
            if emptiest.is_empty() {
                return;
            }
            // The emptiest may be none for what is there: its broker has a copy already.
            let items = &mut carried[usize::from(from)];
            let step =
                emptiest.into_iter().find_map(|to| Some((self.candidate(items, from, to)?, to)));
            match step {
                Some((index, to)) => {
                    self.move_copy(index, from, to);
                    lasting[usize::from(from)] -= 1;
                    lasting[usize::from(to)] += 1;
                }
                None => exhausted[usize::from(from)] = true,
            }
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of a few thousand")]
    fn pressure(&self, seat: SeatIndex, load: usize) -> f64 {
        match self.policy.strategy {
            Strategy::ConnectionQuality => self.chooser.pressure(seat, load),
            _ => load as f64,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of a few thousand")]
    fn slack(&self, load: usize) -> f64 {
        match self.policy.strategy {
            Strategy::ConnectionQuality => FILL_SLACK,
            _ => (load as f64 * COUNT_SLACK_SHARE).max(COUNT_SLACK),
        }
    }

    /// The settled items of each seat, the last in the order of service at the end.
    fn movable(&self) -> Vec<Vec<ItemIndex>> {
        let mut carried = vec![Vec::new(); self.board.seats.len()];
        for (index, item) in (0..).zip(&self.board.items) {
            if self.is_settled(index) {
                for copy in item.copies.iter() {
                    carried[usize::from(copy.seat)].push(index);
                }
            }
        }
        for items in &mut carried {
            items.sort_by_key(|index| self.item(*index).rank);
        }
        carried
    }

    /// Takes from a seat's items the next that may go to another one.
    fn candidate(
        &self,
        items: &mut Vec<ItemIndex>,
        from: SeatIndex,
        to: SeatIndex,
    ) -> Option<ItemIndex> {
        let fits = |index: &ItemIndex| {
            let (item, others) = (self.item(*index), without(self.item(*index), from));
            !self.is_changed(*index)
                && !item.copies.is_full()
                && item.copies.on(to).is_none()
                && !item.banned.contains(&to)
                && !self.shares_a_broker(&others, to)
        };
        let at = items.iter().rposition(fits)?;
        Some(items.remove(at))
    }
}

/// The copies of an item but the one on a seat.
fn without(item: &Item, seat: SeatIndex) -> Copies {
    let mut others = item.copies;
    others.remove(seat);
    others
}

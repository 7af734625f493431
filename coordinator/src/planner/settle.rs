//! What must be: every wanted instrument on its seats (pure).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::board::{Copies, Copy, CopyState, Item, ItemIndex, SeatIndex};
use super::choice::{Chooser, Reach};
use super::{Planner, Step};

/// What an item lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Need {
    /// It has no copy that may stay.
    First,
    /// It has one, and too few or too many.
    Other,
}

/// Second copies that may have to make room, by seat; the first to go is last.
#[derive(Debug, Default)]
struct Standbys {
    seats: BTreeMap<SeatIndex, Vec<ItemIndex>>,
    /// Whose second copies went.
    givers: BTreeSet<ItemIndex>,
}

impl Planner<'_> {
    /// Settles every item: first copies first.
    pub(super) fn settle(&mut self) {
        let needy = self.survey();
        let mut standbys = None;
        for (need, _, index) in &needy {
            if *need == Need::First {
                self.place_first(*index, &mut standbys);
            }
        }
        let mut givers = standbys.map(|standbys| standbys.givers).unwrap_or_default();
        for (_, _, index) in &needy {
            self.complete(*index);
            givers.remove(index);
        }
        // For those that gave and needed nothing before there may be room elsewhere.
        let mut givers: Vec<ItemIndex> = givers.into_iter().collect();
        givers.sort_by_key(|index| self.item(*index).rank);
        givers.into_iter().for_each(|index| self.complete(index));
    }

    /// Drops what must go at once and finds who needs something, in the order of service.
    fn survey(&mut self) -> Vec<(Need, u64, ItemIndex)> {
        let mut needy = Vec::new();
        for (index, item) in (0..).zip(&self.board.items) {
            let placed = item.wanted && !item.parked;
            if item.copies.is_empty() && !placed {
                continue;
            }
            // What a front refuses for good takes a place there and is nothing.
            let must_go = |copy: &&Copy| {
                let dead = copy.state == CopyState::Refused;
                !placed || dead || !self.chooser.seat(copy.seat).carries
            };
            let gone: Vec<_> = item.copies.iter().filter(must_go).map(|copy| copy.seat).collect();
            gone.into_iter().for_each(|seat| self.step(Step::Drop(index, seat)));
            if placed {
                needy.extend(
                    self.need(item, &self.copies(index)).map(|need| (need, item.rank, index)),
                );
            }
        }
        needy.sort_unstable();
        needy
    }

    fn need(&self, item: &Item, copies: &Copies) -> Option<Need> {
        let (kept, staying) = (self.kept(item, copies), copies.staying().count());
        if kept == 0 {
            Some(Need::First)
        } else {
            (kept != self.policy.redundancy || kept != staying).then_some(Need::Other)
        }
    }

    fn keeps(&self, item: &Item, copy: &Copy) -> bool {
        self.chooser.seat(copy.seat).keeps && !item.banned.contains(&copy.seat)
    }

    /// How many copies stay and may.
    fn kept(&self, item: &Item, copies: &Copies) -> usize {
        copies.staying().filter(|copy| self.keeps(item, copy)).count()
    }

    /// An item without a copy that may stay gets one, or waits.
    fn place_first(&mut self, index: ItemIndex, standbys: &mut Option<Standbys>) {
        let (item, copies) = (self.item(index), self.copies(index));
        if self.return_one(index) {
            return;
        }
        let mut seat = self.chooser.choose(item, &copies, Reach::Sound);
        if seat.is_none() {
            seat = self.take_from_a_standby(item, &copies, standbys);
        }
        // Away from a front that does not answer it goes only to a sound one, but from nowhere to anywhere.
        if seat.is_none() && copies.is_empty() {
            seat = self.chooser.choose(item, &copies, Reach::Any);
        }
        match seat {
            Some(seat) => self.step(Step::Add(index, seat)),
            None if copies.is_empty() => self.plan.waiting.push(index),
            None => {}
        }
    }

    /// The copies of an item beyond the first: added up to the redundancy, released beyond it.
    fn complete(&mut self, index: ItemIndex) {
        let item = self.item(index);
        if self.kept(item, &self.copies(index)) > 0 {
            self.fill_up(index);
        }
        self.release_misplaced(index);
        while self.kept(item, &self.copies(index)) > self.policy.redundancy
            && let Some(seat) = self.least_useful(item, &self.copies(index))
        {
            self.step(Step::Leave(index, seat));
        }
    }

    /// Adds copies up to the redundancy, on sound seats only.
    fn fill_up(&mut self, index: ItemIndex) {
        let item = self.item(index);
        while self.kept(item, &self.copies(index)) < self.policy.redundancy {
            if self.return_one(index) {
                continue;
            }
            let Some(seat) = self.chooser.choose(item, &self.copies(index), Reach::Sound) else {
                self.plan.short += 1;
                return;
            };
            self.step(Step::Add(index, seat));
        }
    }

    /// A leaving copy whose seat keeps it again saves a move.
    fn return_one(&mut self, index: ItemIndex) -> bool {
        let (item, copies) = (self.item(index), self.copies(index));
        let back = copies.iter().find(|copy| copy.leaving && self.keeps(item, copy));
        let Some(seat) = back.map(|copy| copy.seat) else { return false };
        self.step(Step::Return(index, seat));
        true
    }

    /// As many copies that may not stay leave as others have come: while there are too few they are better than none.
    fn release_misplaced(&mut self, index: ItemIndex) {
        let item = self.item(index);
        loop {
            let copies = self.copies(index);
            let misplaced = copies.staying().find(|copy| !self.keeps(item, copy));
            let Some(seat) = misplaced.map(|copy| copy.seat) else { return };
            if copies.staying().count() <= self.policy.redundancy {
                return;
            }
            self.step(Step::Leave(index, seat));
        }
    }

    /// Of the copies that may stay, the one to give up first: one that does not tick, one whose broker has another, one
    /// on a doubtful seat, not the primary.
    fn least_useful(&self, item: &Item, copies: &Copies) -> Option<SeatIndex> {
        let broker = |copy: &Copy| self.chooser.seat(copy.seat).broker;
        let shared = |copy: &Copy| {
            copies.staying().filter(|other| broker(other) == broker(copy)).count() > 1
        };
        let use_of = |copy: &&Copy| {
            let ticks = copy.state == CopyState::Ticking;
            let standing = Reverse(self.chooser.seat(copy.seat).accepts);
            (ticks, !shared(copy), standing, copy.primary)
        };
        copies
            .staying()
            .filter(|copy| self.keeps(item, copy))
            .min_by_key(use_of)
            .map(|copy| copy.seat)
    }

    /// A place for a first copy that somebody's second one has: the second goes at once.
    fn take_from_a_standby(
        &mut self,
        item: &Item,
        copies: &Copies,
        standbys: &mut Option<Standbys>,
    ) -> Option<SeatIndex> {
        if self.policy.redundancy < 2 {
            return None;
        }
        let standbys = standbys.get_or_insert_with(|| self.standbys());
        loop {
            // On a seat that carries too much already, one that goes makes no room.
            let fits = |chooser: &Chooser<'_>, seat: SeatIndex| {
                standbys.has(seat) && chooser.load_of(seat) <= chooser.seat(seat).capacity
            };
            let seat = self.chooser.best(item, copies, Reach::Sound, fits)?;
            let Some(giver) = standbys.candidate(seat) else { continue };
            if self.may_give(giver, seat) {
                standbys.givers.insert(giver);
                self.step(Step::Drop(giver, seat));
                return Some(seat);
            }
        }
    }

    /// True when an item has another copy, one that ticks if this one does. It may have given that one meanwhile.
    fn may_give(&self, index: ItemIndex, seat: SeatIndex) -> bool {
        let (item, copies) = (self.item(index), self.copies(index));
        let ticks = copies.on(seat).is_some_and(|copy| copy.state == CopyState::Ticking);
        copies
            .staying()
            .filter(|other| other.seat != seat && self.keeps(item, other))
            .any(|other| !ticks || other.state == CopyState::Ticking)
    }

    /// The copies that are not the only ones of their instrument; those that are neither primary nor the only ones that
    /// tick go first. Only copies that are kept count.
    fn standbys(&self) -> Standbys {
        let mut by_rank: Vec<ItemIndex> = (0..).take(self.board.items.len()).collect();
        by_rank.sort_by_key(|index| self.item(*index).rank);
        let mut standbys = Standbys::default();
        // The last in a seat's list is the first to go.
        for of_use in [true, false] {
            for index in &by_rank {
                let (item, copies) = (self.item(*index), self.copies(*index));
                if !item.wanted || item.parked || self.kept(item, &copies) < 2 {
                    continue;
                }
                let kept = || copies.staying().filter(|copy| self.keeps(item, copy));
                let use_of = |copy: &&Copy| (copy.state == CopyState::Ticking, copy.primary);
                let Some(best) = kept().max_by_key(use_of).map(|copy| copy.seat) else { continue };
                for copy in kept().filter(|copy| (copy.seat == best) == of_use) {
                    standbys.seats.entry(copy.seat).or_default().push(*index);
                }
            }
        }
        standbys
    }
}

// === impl Standbys ===

impl Standbys {
    fn has(&self, seat: SeatIndex) -> bool {
        self.seats.get(&seat).is_some_and(|items| !items.is_empty())
    }

    fn candidate(&mut self, seat: SeatIndex) -> Option<ItemIndex> {
        self.seats.get_mut(&seat)?.pop()
    }
}

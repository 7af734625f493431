//! Who carries which instrument, as decided and as far as told: the [`planner`]'s board with a memory.
//!
//! * **Make before break.** A copy that is to go stays until every copy that stays ticks, or it does not tick itself.
//! * **At most one primary.** A worker is told to be an instrument's primary only when no other one can still take itself
//!   for that: it was told otherwise and has taken that assignment, or it is dead. (`primaries`)
//! * **What failed somewhere is tried elsewhere.** A front that refuses an instrument for good, or says yes and sends
//!   nothing, is avoided for that instrument. What several refuse is parked, with the reason. (`failures`)
//!
//! Pure: reports and the time come in, assignments go out.

mod failures;
mod heard;
mod primaries;
mod reading;
mod telling;

use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

use shm_layout::InstrumentId;

use crate::config::Strategy;
use crate::limits::VOLUNTARY_MOVES_MAX;
use crate::planner::{
    self, Board, Copy, CopyState, Item, ItemIndex, Plan, Policy, Seat, SeatIndex, Step, hash_of,
};

use failures::Failures;
pub use failures::Refusal;
use primaries::Holders;
use telling::Telling;
pub use telling::WorkerChanges;

/// Which instruments are served first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// Those wanted without any client.
    AlwaysOn,
    /// Those clients want.
    Clients,
}

/// The placement of every wanted instrument.
#[derive(Debug)]
pub struct Placement {
    strategy: Strategy,
    redundancy: usize,
    board: Board,
    /// By item; free places are `None`.
    instruments: Vec<Option<InstrumentId>>,
    index: HashMap<InstrumentId, ItemIndex>,
    free: Vec<ItemIndex>,
    next_rank: u64,
    /// What each seat carries, leaving copies included.
    carried: Vec<BTreeSet<ItemIndex>>,
    telling: Telling,
    holders: Holders,
    failures: Failures,
    /// Items with a leaving copy.
    leavers: BTreeSet<ItemIndex>,
    /// Something changed that a plan might answer.
    changed: bool,
    /// The connections changed; copies may move for balance until none has to.
    unbalanced: bool,
    waiting: Vec<ItemIndex>,
    short: usize,
    plans: u64,
}

/// What a plan did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Planned {
    /// Copies made.
    pub added: usize,
    /// Copies taken away.
    pub dropped: usize,
    /// Moves for balance alone.
    pub voluntary: usize,
}

// === impl Tier ===

impl Tier {
    /// The bit of a rank that puts one tier before another.
    const fn rank(self) -> u64 {
        match self {
            Self::AlwaysOn => 0,
            Self::Clients => 1 << 62,
        }
    }
}

// === impl Placement ===

impl Placement {
    /// An empty placement without connections.
    #[must_use]
    pub fn new(strategy: Strategy, redundancy: usize) -> Self {
        Self {
            strategy,
            redundancy,
            board: Board::default(),
            instruments: Vec::new(),
            index: HashMap::new(),
            free: Vec::new(),
            next_rank: 0,
            carried: Vec::new(),
            telling: Telling::default(),
            holders: Holders::default(),
            failures: Failures::default(),
            leavers: BTreeSet::new(),
            changed: true,
            unbalanced: false,
            waiting: Vec::new(),
            short: 0,
            plans: 0,
        }
    }

    /// Other settings; what is placed moves as far as they demand it.
    pub fn set_policy(&mut self, strategy: Strategy, redundancy: usize) {
        if (self.strategy, self.redundancy) != (strategy, redundancy) {
            (self.strategy, self.redundancy) = (strategy, redundancy);
            (self.changed, self.unbalanced) = (true, true);
        }
    }

    /// One more connection.
    pub fn add_seat(&mut self, seat: Seat) -> SeatIndex {
        self.board.seats.push(seat);
        self.carried.push(BTreeSet::new());
        self.telling.add_seat();
        self.holders.add_seat();
        self.changed = true;
        SeatIndex::try_from(self.board.seats.len() - 1).unwrap_or(SeatIndex::MAX)
    }

    /// A connection.
    #[must_use]
    pub fn seat(&self, seat: SeatIndex) -> &Seat {
        &self.board.seats[usize::from(seat)]
    }

    /// Changes a connection. Its load stays ours; what exceeds a lesser capacity goes at once: what is on its way out, what
    /// ticks elsewhere, and then what is served last.
    pub fn set_seat(&mut self, seat: SeatIndex, change: impl FnOnce(&mut Seat)) {
        let before = self.seat(seat).clone();
        let now = &mut self.board.seats[usize::from(seat)];
        change(now);
        now.load = before.load;
        let quality_only = Seat { quality: before.quality, ..now.clone() } == before;
        if !quality_only {
            self.changed = true;
            self.reopen_parked(seat);
        }
        let capacity = self.seat(seat).capacity;
        if capacity >= before.load {
            return;
        }
        let mut items: Vec<_> = self.carried[usize::from(seat)].iter().copied().collect();
        items.sort_by_cached_key(|index| {
            (self.is_missed_less(*index, seat), self.item(*index).rank)
        });
        for index in items.into_iter().skip(capacity) {
            self.drop_copy(index, seat);
        }
    }

    /// The higher, the less an item would miss its copy on a seat.
    fn is_missed_less(&self, index: ItemIndex, seat: SeatIndex) -> u8 {
        let item = self.item(index);
        let elsewhere =
            item.copies.iter().any(|copy| copy.seat != seat && copy.state == CopyState::Ticking);
        if !item.wanted {
            3
        } else if item.copies.on(seat).is_some_and(|copy| copy.leaving) && elsewhere {
            2
        } else {
            u8::from(elsewhere)
        }
    }

    /// The fleet changed for the better: copies may move for balance.
    pub fn unbalance(&mut self) {
        (self.unbalanced, self.changed) = (true, true);
    }

    /// An instrument is wanted.
    pub fn want(&mut self, instrument: InstrumentId, tier: Tier) {
        let index = self.index.get(&instrument).copied().unwrap_or_else(|| self.insert(instrument));
        self.next_rank += 1;
        let rank = tier.rank() | self.next_rank;
        let item = &mut self.board.items[index as usize];
        if !item.wanted {
            (item.wanted, item.rank) = (true, rank);
            self.changed = true;
        }
    }

    /// A wanted instrument is of another tier from now on; its place within that is by when it was wanted.
    pub fn set_tier(&mut self, instrument: &InstrumentId, tier: Tier) {
        if let Some(index) = self.index.get(instrument).copied() {
            let item = &mut self.board.items[index as usize];
            item.rank = tier.rank() | (item.rank & !Tier::Clients.rank());
            self.changed = true;
        }
    }

    /// An instrument is no longer wanted.
    pub fn release(&mut self, instrument: &InstrumentId) {
        if let Some(index) = self.index.get(instrument).copied() {
            self.board.items[index as usize].wanted = false;
            self.telling.let_go(index);
            self.changed = true;
        }
    }

    /// True when a plan might change something.
    #[must_use]
    pub const fn wants_plan(&self) -> bool {
        self.changed
    }

    /// When time alone makes a plan worth while.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.failures.next_deadline()
    }

    /// Plans, and does what the plan says. Without `may_promote` nobody becomes a primary: there may be a worker that was
    /// not heard yet.
    pub fn plan(&mut self, now: Instant, may_promote: bool) -> Planned {
        self.changed = false;
        self.plans += 1;
        self.forgive(now);
        let allowance = VOLUNTARY_MOVES_MAX.saturating_sub(self.leavers.len());
        let policy = Policy {
            strategy: self.strategy,
            redundancy: self.redundancy,
            voluntary_moves: if self.unbalanced { allowance } else { 0 },
        };
        let plan = planner::plan(&self.board, &policy);
        let planned = self.carry_out(&plan);
        if !plan.steps.is_empty() {
            // Balance comes after settling, and in parts.
            self.changed |= self.unbalanced;
        } else if plan.waiting.is_empty() && self.leavers.is_empty() {
            self.unbalanced = false;
        }
        self.board.turn = plan.turn;
        (self.waiting, self.short) = (plan.waiting, plan.short);
        self.drop_what_is_replaced();
        self.elect(may_promote);
        self.discard_unwanted();
        planned
    }

    fn carry_out(&mut self, plan: &Plan) -> Planned {
        let mut planned = Planned { voluntary: plan.voluntary, ..Planned::default() };
        for step in &plan.steps {
            match *step {
                Step::Add(index, seat) => {
                    self.add_copy(index, seat);
                    planned.added += 1;
                }
                Step::Return(index, seat) => self.set_leaving(index, seat, false),
                Step::Leave(index, seat) => self.set_leaving(index, seat, true),
                Step::Drop(index, seat) => {
                    self.drop_copy(index, seat);
                    planned.dropped += 1;
                }
            }
        }
        planned
    }

    /// Takes away the leaving copies that nobody misses: every copy that stays ticks, or they do not tick themselves and
    /// one stays that may. Only after a plan, which may want one of them to stay after all.
    fn drop_what_is_replaced(&mut self) {
        for index in self.leavers.clone() {
            let item = self.item(index);
            let copies = item.copies;
            let sound =
                |copy: &Copy| self.seat(copy.seat).keeps && !item.banned.contains(&copy.seat);
            let some_stay = copies.staying().next().is_some();
            let ticks =
                |copy: &Copy| copy.state == CopyState::Ticking && self.seat(copy.seat).works();
            let replaced = some_stay && copies.staying().all(ticks);
            // One that does not tick itself is missed only when there is no better one.
            let bettered = copies.staying().any(sound);
            let goes = |copy: &&Copy| {
                copy.leaving && (replaced || (bettered && copy.state != CopyState::Ticking))
            };
            for copy in copies.iter().filter(goes) {
                self.drop_copy(index, copy.seat);
            }
        }
    }

    fn add_copy(&mut self, index: ItemIndex, seat: SeatIndex) {
        if self.board.items[index as usize].copies.add(seat) {
            self.board.seats[usize::from(seat)].load += 1;
            self.carried[usize::from(seat)].insert(index);
            self.telling.touch(seat, index);
            self.holders.look_at(index);
        }
    }

    fn drop_copy(&mut self, index: ItemIndex, seat: SeatIndex) {
        if self.board.items[index as usize].copies.remove(seat).is_some() {
            self.board.seats[usize::from(seat)].load -= 1;
            self.carried[usize::from(seat)].remove(&index);
            self.telling.touch(seat, index);
            self.holders.look_at(index);
            self.note_leaving(index);
            self.changed = true;
        }
    }

    fn set_leaving(&mut self, index: ItemIndex, seat: SeatIndex, leaving: bool) {
        self.board.items[index as usize].copies.set_leaving(seat, leaving);
        self.holders.look_at(index);
        self.note_leaving(index);
    }

    fn note_leaving(&mut self, index: ItemIndex) {
        if self.item(index).copies.iter().any(|copy| copy.leaving) {
            self.leavers.insert(index);
        } else {
            self.leavers.remove(&index);
        }
    }

    fn item(&self, index: ItemIndex) -> &Item {
        &self.board.items[index as usize]
    }

    fn insert(&mut self, instrument: InstrumentId) -> ItemIndex {
        let item = Item { hash: hash_of(instrument.as_str()), ..Item::default() };
        let index = if let Some(index) = self.free.pop() {
            self.board.items[index as usize] = item;
            self.instruments[index as usize] = Some(instrument);
            index
        } else {
            self.board.items.push(item);
            self.instruments.push(Some(instrument));
            self.holders.add_item();
            ItemIndex::try_from(self.instruments.len() - 1).unwrap_or(ItemIndex::MAX)
        };
        self.index.insert(instrument, index);
        index
    }

    /// Forgets instruments that nobody wants, once no worker can still think otherwise.
    fn discard_unwanted(&mut self) {
        for index in self.telling.take_let_go() {
            let item = self.item(index);
            let bound = item.wanted
                || !item.copies.is_empty()
                || self.telling.is_told(index)
                || self.holders.is_held(index);
            if bound {
                continue;
            }
            if let Some(instrument) = self.instruments[index as usize].take() {
                self.index.remove(&instrument);
                self.failures.forget(index);
                self.free.push(index);
            }
        }
    }
}

#[cfg(test)]
mod tests;

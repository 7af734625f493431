//! Which worker carries which instrument: round robin within what each may carry.
//!
//! * A wanted instrument is placed on the next worker in turn that has room, and stays there (**sticky**) until it is no
//!   longer wanted or its worker is closed.
//! * Workers whose front is away are passed over while others have room; workers that cannot work are **closed**: what
//!   they carried is placed anew.
//! * When no worker has room an instrument **waits**, first come first served, and is placed as soon as one has.
//! * The same history leads to the same placement.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use shm_layout::{InstrumentId, WorkerId};

/// Whether new instruments go to a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// They do.
    Good,
    /// Only when no worker in good standing has room: its front does not answer just now.
    Doubtful,
    /// They do not, and what it carried goes elsewhere: it cannot work until somebody acts.
    Closed,
}

/// A worker's place in the round.
#[derive(Debug)]
struct Seat {
    worker: WorkerId,
    room: usize,
    standing: Standing,
    carries: BTreeSet<InstrumentId>,
    /// Changes since they were last taken: true for added, false for removed.
    changed: BTreeMap<InstrumentId, bool>,
}

/// The placement of every wanted instrument.
#[derive(Debug, Default)]
pub struct Placement {
    seats: Vec<Seat>,
    placed: HashMap<InstrumentId, usize>,
    /// By ticket: first come, first served.
    waiting: BTreeMap<u64, InstrumentId>,
    tickets: HashMap<InstrumentId, u64>,
    next_ticket: u64,
    /// The seat whose turn is next.
    turn: usize,
}

/// What changed for one worker.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WorkerChanges {
    /// To carry from now on.
    pub add: Vec<InstrumentId>,
    /// To release.
    pub remove: Vec<InstrumentId>,
}

// === impl Placement ===

impl Placement {
    /// An empty placement over workers in the order of their turns, with what each may carry.
    #[must_use]
    pub fn new(workers: impl IntoIterator<Item = (WorkerId, u32)>) -> Self {
        let seat = |(worker, room): (WorkerId, u32)| Seat {
            worker,
            room: room as usize,
            standing: Standing::Good,
            carries: BTreeSet::new(),
            changed: BTreeMap::new(),
        };
        Self { seats: workers.into_iter().map(seat).collect(), ..Self::default() }
    }

    /// An instrument is wanted. It is placed, or waits.
    pub fn want(&mut self, instrument: InstrumentId) {
        if self.placed.contains_key(&instrument) || self.tickets.contains_key(&instrument) {
            return;
        }
        match self.next_seat() {
            Some(seat) => self.put(instrument, seat),
            None => self.queue(instrument),
        }
    }

    /// An instrument is no longer wanted; its room goes to one that waits.
    pub fn release(&mut self, instrument: &InstrumentId) {
        if let Some(ticket) = self.tickets.remove(instrument) {
            self.waiting.remove(&ticket);
        } else if let Some(seat) = self.placed.remove(instrument) {
            self.seats[seat].take_away(*instrument);
            self.fill();
        }
    }

    /// A worker already carries an instrument, as its inventory says: it stays there, when it may.
    /// False when it may not (another carries it, or the worker is full or closed).
    pub fn keep(&mut self, instrument: InstrumentId, worker: WorkerId) -> bool {
        let Some(seat) = self.seat_of(worker) else { return false };
        if let Some(placed) = self.placed.get(&instrument) {
            return *placed == seat;
        }
        if !self.seats[seat].has_room() || self.seats[seat].standing == Standing::Closed {
            return false;
        }
        if let Some(ticket) = self.tickets.remove(&instrument) {
            self.waiting.remove(&ticket);
        }
        self.put(instrument, seat);
        true
    }

    /// A worker's standing changed.
    pub fn set_standing(&mut self, worker: WorkerId, standing: Standing) {
        let Some(seat) = self.seat_of(worker) else { return };
        if self.seats[seat].standing == standing {
            return;
        }
        self.seats[seat].standing = standing;
        if standing == Standing::Closed {
            let homeless: Vec<_> = self.seats[seat].carries.iter().copied().collect();
            for instrument in homeless {
                self.placed.remove(&instrument);
                self.seats[seat].take_away(instrument);
                self.queue(instrument);
            }
        }
        self.fill();
    }

    /// The changes for one worker since they were last taken.
    pub fn take_changes(&mut self, worker: WorkerId) -> WorkerChanges {
        let mut changes = WorkerChanges::default();
        if let Some(seat) = self.seat_of(worker) {
            for (instrument, added) in std::mem::take(&mut self.seats[seat].changed) {
                if added { changes.add.push(instrument) } else { changes.remove.push(instrument) }
            }
        }
        changes
    }

    /// Everything a worker carries, sorted.
    pub fn carried(&self, worker: WorkerId) -> impl Iterator<Item = InstrumentId> {
        self.seat_of(worker).into_iter().flat_map(|seat| self.seats[seat].carries.iter().copied())
    }

    /// How much a worker carries.
    #[must_use]
    pub fn load(&self, worker: WorkerId) -> usize {
        self.seat_of(worker).map_or(0, |seat| self.seats[seat].carries.len())
    }

    /// The worker that carries an instrument.
    #[must_use]
    pub fn worker_of(&self, instrument: &InstrumentId) -> Option<WorkerId> {
        self.placed.get(instrument).map(|seat| self.seats[*seat].worker)
    }

    /// How many instruments are placed.
    #[must_use]
    pub fn placed(&self) -> usize {
        self.placed.len()
    }

    /// How many wait for room.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    fn seat_of(&self, worker: WorkerId) -> Option<usize> {
        self.seats.iter().position(|seat| seat.worker == worker)
    }

    /// The next seat in turn with room: one in good standing, else a doubtful one.
    fn next_seat(&mut self) -> Option<usize> {
        let count = self.seats.len();
        let round = |standing: Standing| {
            (0..count)
                .map(|step| (self.turn + step) % count)
                .find(|seat| self.seats[*seat].standing == standing && self.seats[*seat].has_room())
        };
        let seat = round(Standing::Good).or_else(|| round(Standing::Doubtful))?;
        self.turn = (seat + 1) % count;
        Some(seat)
    }

    fn put(&mut self, instrument: InstrumentId, seat: usize) {
        self.placed.insert(instrument, seat);
        self.seats[seat].give(instrument);
    }

    fn queue(&mut self, instrument: InstrumentId) {
        self.waiting.insert(self.next_ticket, instrument);
        self.tickets.insert(instrument, self.next_ticket);
        self.next_ticket += 1;
    }

    /// Places what waits, as long as there is room.
    fn fill(&mut self) {
        while !self.waiting.is_empty()
            && let Some(seat) = self.next_seat()
            && let Some((_, instrument)) = self.waiting.pop_first()
        {
            self.tickets.remove(&instrument);
            self.put(instrument, seat);
        }
    }
}

// === impl Seat ===

impl Seat {
    fn has_room(&self) -> bool {
        self.carries.len() < self.room
    }

    fn give(&mut self, instrument: InstrumentId) {
        self.carries.insert(instrument);
        self.change(instrument, true);
    }

    fn take_away(&mut self, instrument: InstrumentId) {
        self.carries.remove(&instrument);
        self.change(instrument, false);
    }

    /// Notes a change; one that undoes a change not yet taken leaves none.
    fn change(&mut self, instrument: InstrumentId, added: bool) {
        if self.changed.remove(&instrument).is_none() {
            self.changed.insert(instrument, added);
        }
    }
}

#[cfg(test)]
mod tests;

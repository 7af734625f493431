//! Choosing a seat: the four strategies (pure).

use super::board::{Acceptance, Board, Copies, Item, Seat, SeatIndex};
use crate::config::Strategy;

/// How much of a seat's filling one point of quality is worth.
const FILL_PER_POINT: f64 = 0.02;

/// Seats with their loads as the plan in the making leaves them.
pub(super) struct Chooser<'a> {
    seats: &'a [Seat],
    strategy: Strategy,
    loads: Vec<usize>,
    /// The seats by priority, then as they stand in the configuration.
    order: Vec<SeatIndex>,
    /// Each seat's place in that order.
    places: Vec<usize>,
    turn: usize,
}

/// Which seats may be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Those in good standing, and what is nearly so.
    Sound,
    /// Those whose front is away, too: rather there than nowhere.
    Any,
}

/// Why one seat is better than another; the least is best, and of equals the first by turn.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
struct Merit {
    grade: u8,
    key: f64,
}

// === impl Chooser ===

impl<'a> Chooser<'a> {
    pub(super) fn new(board: &'a Board, strategy: Strategy) -> Self {
        let seats = board.seats.as_slice();
        let mut order: Vec<SeatIndex> = (0..).take(seats.len()).collect();
        order.sort_by_key(|seat| seats[usize::from(*seat)].priority);
        let mut places = vec![0; seats.len()];
        order.iter().enumerate().for_each(|(place, seat)| places[usize::from(*seat)] = place);
        let loads = seats.iter().map(|seat| seat.load).collect();
        let turn = board.turn % seats.len().max(1);
        Self { seats, strategy, loads, order, places, turn }
    }

    pub(super) const fn turn(&self) -> usize {
        self.turn
    }

    pub(super) fn load(&mut self, seat: SeatIndex) {
        self.loads[usize::from(seat)] += 1;
    }

    pub(super) fn unload(&mut self, seat: SeatIndex) {
        self.loads[usize::from(seat)] -= 1;
    }

    pub(super) fn seat(&self, seat: SeatIndex) -> &'a Seat {
        &self.seats[usize::from(seat)]
    }

    pub(super) fn load_of(&self, seat: SeatIndex) -> usize {
        self.loads[usize::from(seat)]
    }

    pub(super) fn has_room(&self, seat: SeatIndex) -> bool {
        self.loads[usize::from(seat)] < self.seats[usize::from(seat)].capacity
    }

    /// The seats in the order of their turns.
    pub(super) fn order(&self) -> &[SeatIndex] {
        &self.order
    }

    /// The best seat with room for one more copy of an item, given those it has. A seat that failed the item is taken
    /// only when nothing else is left and it has no other copy.
    pub(super) fn choose(
        &mut self,
        item: &Item,
        copies: &Copies,
        reach: Reach,
    ) -> Option<SeatIndex> {
        let best = self.best(item, copies, reach, |chooser, seat| chooser.has_room(seat))?;
        self.turn = (self.places[usize::from(best)] + 1) % self.order.len();
        Some(best)
    }

    /// As [`Self::choose`], among seats that fit.
    pub(super) fn best(
        &self,
        item: &Item,
        copies: &Copies,
        reach: Reach,
        fits: impl Fn(&Self, SeatIndex) -> bool,
    ) -> Option<SeatIndex> {
        if copies.is_full() {
            return None;
        }
        let mut best: Option<(Merit, SeatIndex)> = None;
        for (place, seat) in self.order.iter().copied().enumerate() {
            if !fits(self, seat) {
                continue;
            }
            let Some(grade) = self.grade(item, copies, seat, reach) else { continue };
            let to_beat = match best {
                Some((merit, _)) if merit.grade < grade => continue,
                Some((merit, _)) if merit.grade == grade => merit.key,
                _ => f64::INFINITY,
            };
            if let Some(key) = self.key_below(to_beat, item, seat, place) {
                best = Some((Merit { grade, key }, seat));
            }
        }
        best.map(|(_, seat)| seat)
    }

    /// The coarse order of seats for an item; `None` for those it may not have. A broker of its own is worth more than a
    /// connection beyond its probation; anything is worth more than a front that is away.
    fn grade(&self, item: &Item, copies: &Copies, seat: SeatIndex, reach: Reach) -> Option<u8> {
        let candidate = self.seat(seat);
        let usable = match candidate.accepts {
            Acceptance::Never => false,
            Acceptance::Last => reach == Reach::Any,
            Acceptance::First | Acceptance::Second => true,
        };
        if !usable || copies.on(seat).is_some() || item.refused_by.contains(&seat) {
            return None;
        }
        let banned = item.banned.contains(&seat);
        if banned && reach == Reach::Sound {
            return None;
        }
        let shared = copies.staying().any(|copy| {
            let other = self.seat(copy.seat);
            other.keeps && other.broker == candidate.broker
        });
        let standing = match candidate.accepts {
            Acceptance::First => 0,
            Acceptance::Second => 1,
            Acceptance::Last | Acceptance::Never => 4,
        };
        Some(standing + 2 * u8::from(shared) + 8 * u8::from(banned))
    }

    /// The fine order, by strategy: a seat's key, the least of which is best, if it is less than another.
    #[expect(clippy::cast_precision_loss, reason = "counts of a few thousand")]
    fn key_below(&self, other: f64, item: &Item, seat: SeatIndex, place: usize) -> Option<f64> {
        let key = match self.strategy {
            Strategy::RoundRobin if place >= self.turn => (place - self.turn) as f64,
            Strategy::RoundRobin => (place + self.order.len() - self.turn) as f64,
            Strategy::LeastConnections => self.loads[usize::from(seat)] as f64,
            Strategy::ConnectionQuality => self.pressure(seat, self.load_of(seat)),
            Strategy::HashBased => return self.distance_below(other, item, seat),
        };
        (key < other).then_some(key)
    }

    /// How little a seat wants one more: how full it is, and what its quality lacks.
    #[expect(clippy::cast_precision_loss, reason = "counts of a few thousand")]
    pub(super) fn pressure(&self, seat: SeatIndex, load: usize) -> f64 {
        let seat = self.seat(seat);
        let fill = load as f64 / seat.capacity.max(1) as f64;
        fill + (100.0 - seat.quality) * FILL_PER_POINT
    }

    /// Weighted rendezvous hashing: the seat at the least distance has the item. Each seat's distances are exponentially
    /// distributed with its capacity as the rate, so it is the nearest to that share of all items, and a seat that comes
    /// or goes moves only its own.
    pub(super) fn distance(&self, item: &Item, seat: SeatIndex) -> f64 {
        self.distance_below(f64::INFINITY, item, seat).unwrap_or(f64::INFINITY)
    }

    /// A seat's distance, if it is less than another.
    #[expect(clippy::cast_precision_loss, reason = "53 bits of a hash are plenty")]
    fn distance_below(&self, other: f64, item: &Item, seat: SeatIndex) -> Option<f64> {
        let seat = self.seat(seat);
        let hash = mix(item.hash ^ seat.seed);
        // In (0, 1]: a logarithm of zero would make one seat infinitely far.
        let uniform = ((hash >> 11) + 1) as f64 / (1_u64 << 53) as f64;
        let limit = other * seat.capacity.max(1) as f64;
        // The logarithm is what takes time, and -ln(x) >= 1 - x spares it nearly every seat.
        if 1.0 - uniform >= limit {
            return None;
        }
        let distance = -uniform.ln() / seat.capacity.max(1) as f64;
        (distance < other).then_some(distance)
    }
}

/// A finaliser in which every bit of the input reaches every bit of the output (the constants are those of splitmix64).
const fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// A hash of a name that is the same in every run and every build: FNV-1a, finished.
#[must_use]
pub fn hash_of(name: &str) -> u64 {
    let fnv = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    mix(fnv)
}

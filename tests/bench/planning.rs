//! What deciding costs: 25,000 instruments over 90 connections, planned from nothing, after the loss of a connection, and
//! after its return.
//!
//! `cargo bench -p qamd-tests --bench planning` runs all; words behind `--` choose strategies by a part of their name.
//! "planner" is the decision alone, "placement" the decision with all that is remembered of it. Beside each stands its
//! floor, one pass over the same instruments in the same minute: machines are shared and noisy, so look at the ratios.
#![expect(clippy::print_stdout, reason = "a bench tells its figures")]

use std::hint::black_box;
use std::time::Duration;

use qamd::config::Strategy;
use qamd::placement::{Placement, Tier};
use qamd::planner::{
    Acceptance, Board, CopyState, Item, Plan, Policy, Seat, SeatIndex, Step, hash_of, plan,
};
use shm_layout::control::{CarryRole, InstrumentReport, InstrumentState};
use shm_layout::{BrokerId, Generation, InstrumentId, clock};

const INSTRUMENTS: usize = 25_000;

/// How many connections of which capacity, as brokers grant them; 90 with room for 26,850.
const CAPACITIES: [(usize, usize); 9] =
    [(150, 4), (200, 17), (250, 29), (300, 19), (350, 2), (400, 8), (500, 2), (600, 7), (800, 2)];

const STRATEGIES: [Strategy; 4] = [
    Strategy::RoundRobin,
    Strategy::LeastConnections,
    Strategy::ConnectionQuality,
    Strategy::HashBased,
];

/// Plans from nothing, and losses with a return each, that a median is made of.
const EMPTY_RUNS: usize = 15;
const LOSS_RUNS: usize = 45;

/// As the placement allows itself.
const VOLUNTARY_MOVES: usize = qamd::limits::VOLUNTARY_MOVES_MAX;

/// Rounds until a return has to be settled; far more than it takes.
const ROUNDS_MAX: usize = 1_000;

fn main() {
    let words: Vec<String> =
        std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let named = |strategy: &Strategy| {
        let name = strategy.to_string();
        words.is_empty() || words.iter().any(|word| name.contains(word.as_str()))
    };
    let chosen: Vec<Strategy> = STRATEGIES.into_iter().filter(named).collect();
    if chosen.is_empty() {
        return;
    }
    println!("planning {INSTRUMENTS} instruments over {} connections, ms (median)", seats().len());
    println!(
        "{:<20} {:<10} {:<10} {:>9} {:>9} {:>8} {:>8}",
        "", "", "", "ms", "floor", "ratio", "copies"
    );
    for strategy in chosen {
        planner_alone(strategy);
        whole_placement(strategy);
    }
}

/// The connections, large and small ones mixed; each of a broker of its own.
fn seats() -> Vec<Seat> {
    let sizes = CAPACITIES.iter().flat_map(|(size, count)| std::iter::repeat_n(*size, *count));
    let sizes: Vec<usize> = sizes.collect();
    let count = sizes.len();
    // A step that shares no divisor with their number visits each once.
    let mixed = (0..count).map(|place| sizes[place * 37 % count]);
    (1..)
        .zip(mixed)
        .map(|(place, capacity)| Seat {
            capacity,
            load: 0,
            priority: place,
            broker: BrokerId::parse(&format!("{}", 1000 + place)).expect("a broker's id"),
            accepts: Acceptance::First,
            keeps: true,
            carries: true,
            proven: true,
            quality: 100.0 - f64::from(place % 7),
            seed: hash_of(&format!("connection_{place}")),
        })
        .collect()
}

fn instruments() -> Vec<InstrumentId> {
    let named = |n: usize| InstrumentId::parse(&format!("m{}-C-{}", 2600 + n / 500, n % 500 * 50));
    (0..INSTRUMENTS).map(|n| named(n).expect("an instrument's id")).collect()
}

fn set_away(seat: &mut Seat) {
    (seat.accepts, seat.keeps) = (Acceptance::Last, false);
}

fn set_good(seat: &mut Seat) {
    (seat.accepts, seat.keeps) = (Acceptance::First, true);
}

/// The connections that are lost in turn.
fn victims(count: usize) -> impl Iterator<Item = SeatIndex> {
    (0..LOSS_RUNS).map(move |run| SeatIndex::try_from(run * 7 % count).expect("a few seats"))
}

/// Times of one kind, and what was done in them.
#[derive(Default)]
struct Times {
    spent: Vec<Duration>,
    copies: usize,
}

// === impl Times ===

impl Times {
    fn measure<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let begun = clock::monotonic();
        let done = black_box(work());
        self.spent.push(clock::monotonic() - begun);
        done
    }

    fn median_ms(&self) -> f64 {
        let mut sorted = self.spent.clone();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
    }

    fn tell(&self, strategy: Strategy, what: &str, scenario: &str, floor: &Self) {
        let (ms, floor_ms) = (self.median_ms(), floor.median_ms());
        let copies = self.copies / self.spent.len().max(1);
        println!(
            "{:<20} {what:<10} {scenario:<10} {ms:>9.3} {floor_ms:>9.3} {:>7.0}x {copies:>8}",
            strategy.to_string(),
            ms / floor_ms
        );
    }
}

/// One pass over the instruments.
fn pass(board: &Board) -> usize {
    board.items.iter().filter(|item| item.wanted).map(|item| item.copies.len()).sum()
}

fn apply(board: &mut Board, plan: &Plan) {
    for step in &plan.steps {
        match *step {
            Step::Add(index, seat) => {
                board.items[index as usize].copies.add(seat);
                board.seats[usize::from(seat)].load += 1;
            }
            Step::Return(index, seat) => {
                board.items[index as usize].copies.set_leaving(seat, false);
            }
            Step::Leave(index, seat) | Step::Drop(index, seat) => {
                // Everything ticks at once here, so what leaves has been replaced.
                board.items[index as usize].copies.remove(seat);
                board.seats[usize::from(seat)].load -= 1;
            }
        }
    }
    for copy in board.items.iter_mut().flat_map(|item| item.copies.iter_mut()) {
        copy.state = CopyState::Ticking;
    }
    board.turn = plan.turn;
}

fn planner_alone(strategy: Strategy) {
    let policy = |voluntary_moves| Policy { strategy, redundancy: 1, voluntary_moves };
    let items = (1..).zip(instruments()).map(|(rank, instrument)| Item {
        rank,
        wanted: true,
        hash: hash_of(instrument.as_str()),
        ..Item::default()
    });
    let mut board = Board { seats: seats(), items: items.collect(), turn: 0 };
    let [mut empty, mut lost, mut returned, mut floor] = [(); 4].map(|()| Times::default());
    for _ in 0..EMPTY_RUNS {
        floor.measure(|| pass(&board));
        let plan = empty.measure(|| plan(&board, &policy(0)));
        empty.copies += plan.steps.len();
    }
    let first = plan(&board, &policy(0));
    assert!(first.waiting.is_empty(), "there is room for all");
    apply(&mut board, &first);
    settle(&mut board, &policy(VOLUNTARY_MOVES));
    for victim in victims(board.seats.len()) {
        floor.measure(|| pass(&board));
        set_away(&mut board.seats[usize::from(victim)]);
        let away = lost.measure(|| plan(&board, &policy(0)));
        lost.copies += away.steps.len() / 2;
        apply(&mut board, &away);
        set_good(&mut board.seats[usize::from(victim)]);
        let back = returned.measure(|| plan(&board, &policy(VOLUNTARY_MOVES)));
        returned.copies += back.voluntary;
        settle(&mut board, &policy(VOLUNTARY_MOVES));
    }
    empty.tell(strategy, "planner", "empty", &floor);
    lost.tell(strategy, "planner", "one lost", &floor);
    returned.tell(strategy, "planner", "returned", &floor);
}

/// Plans until nothing is left to do.
fn settle(board: &mut Board, policy: &Policy) {
    for _ in 0..ROUNDS_MAX {
        let plan = plan(board, policy);
        if plan.steps.is_empty() {
            return;
        }
        apply(board, &plan);
    }
    panic!("no end of plans");
}

/// A placement and the workers that do as it says.
struct Market {
    placement: Placement,
    seats: usize,
    generation: Generation,
}

// === impl Market ===

impl Market {
    fn new(strategy: Strategy, instruments: &[InstrumentId]) -> Self {
        let mut placement = Placement::new(strategy, 1);
        let seats: Vec<SeatIndex> =
            seats().into_iter().map(|seat| placement.add_seat(seat)).collect();
        instruments.iter().for_each(|instrument| placement.want(*instrument, Tier::Clients));
        Self { placement, seats: seats.len(), generation: Generation::default() }
    }

    /// Every worker takes what it is told, and all of that ticks.
    fn obey(&mut self) {
        self.generation = self.generation.next();
        for seat in (0..).take(self.seats) {
            if !self.placement.has_changes(seat) {
                continue;
            }
            let changes = self.placement.take_changes(seat);
            self.placement.told(seat, self.generation);
            self.placement.taken(seat, self.generation);
            let reports: Vec<InstrumentReport> = changes
                .add
                .iter()
                .map(|carry| InstrumentReport {
                    instrument: carry.instrument,
                    state: InstrumentState::Ticking,
                    role: CarryRole::Standby,
                })
                .collect();
            self.placement.reported(seat, &reports, clock::monotonic());
        }
    }

    fn settle(&mut self) {
        for _ in 0..ROUNDS_MAX {
            self.obey();
            if !self.placement.wants_plan() {
                return;
            }
            self.placement.plan(clock::monotonic(), true);
        }
        panic!("no end of plans");
    }
}

fn whole_placement(strategy: Strategy) {
    let instruments = instruments();
    let [mut empty, mut lost, mut returned, mut floor] = [(); 4].map(|()| Times::default());
    let mut market = Market::new(strategy, &instruments);
    for run in 0..EMPTY_RUNS {
        if run > 0 {
            market = Market::new(strategy, &instruments);
        }
        let planned = empty.measure(|| market.placement.plan(clock::monotonic(), true));
        empty.copies += planned.added;
        floor.measure(|| market.placement.wanted().map(|(_, copies)| copies.len()).sum::<usize>());
    }
    market.placement.unbalance();
    market.settle();
    for victim in victims(market.seats) {
        market.placement.set_seat(victim, set_away);
        market.placement.session_ended(victim);
        let planned = lost.measure(|| market.placement.plan(clock::monotonic(), true));
        lost.copies += planned.added;
        market.settle();
        market.placement.set_seat(victim, set_good);
        market.placement.unbalance();
        let planned = returned.measure(|| market.placement.plan(clock::monotonic(), true));
        returned.copies += planned.voluntary;
        market.settle();
    }
    empty.tell(strategy, "placement", "empty", &floor);
    lost.tell(strategy, "placement", "one lost", &floor);
    returned.tell(strategy, "placement", "returned", &floor);
}

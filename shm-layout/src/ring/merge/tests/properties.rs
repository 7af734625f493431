//! A true history, several workers that bring it with delays, gaps, beginnings and ends, and what a reader makes of it.

use proptest::prelude::*;

use super::*;

/// How an exchange goes on from one tick to the next.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    /// Time goes on, perhaps with trades.
    Later { ms: i64, traded: i32 },
    /// Another quote within the same time.
    Quote { bid: i32 },
    /// A trade within the same time.
    Trade { traded: i32 },
    /// The same once more.
    Duplicate,
    /// The next trading day.
    NextDay,
    /// Time runs back; volume goes on.
    Back { ms: i64 },
}

/// Time or volume grows with every tick, as at all exchanges but CZCE.
pub(super) fn growing() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (1..2_i64, 0..3_i32).prop_map(|(ms, traded)| Step::Later { ms: ms * 500, traded }),
        2 => (1..5_i32).prop_map(|traded| Step::Trade { traded }),
        1 => Just(Step::NextDay),
    ]
}

/// Everything that exchanges do.
fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..3_i32).prop_map(|traded| Step::Later { ms: 1000, traded }),
        6 => (0..4_i32).prop_map(|bid| Step::Quote { bid }),
        3 => (1..5_i32).prop_map(|traded| Step::Trade { traded }),
        2 => Just(Step::Duplicate),
        1 => Just(Step::NextDay),
        1 => (1..100_000_i64).prop_map(|ms| Step::Back { ms }),
    ]
}

/// The same, but no two ticks say the same.
fn any_step_that_differs() -> impl Strategy<Value = Step> {
    (any_step(), 0..i32::MAX).prop_map(|(step, bid)| match step {
        Step::Quote { .. } | Step::Duplicate => Step::Quote { bid },
        other => other,
    })
}

/// The history's ticks; each says its number in a field that identifies nothing.
pub(super) fn history(steps: &[Step]) -> Vec<Tick> {
    let (mut ms, mut day, mut volume, mut bid) = (0_i64, 20_250_303, 0_i32, 1_i32);
    let mut ticks = Vec::new();
    for (number, step) in (0_u32..).zip(steps) {
        match *step {
            Step::Later { ms: later, traded } => (ms, volume) = (ms + later, volume + traded),
            Step::Quote { bid: other } => bid = other,
            Step::Trade { traded } => volume += traded,
            Step::Duplicate => {}
            Step::NextDay => (ms, day, volume) = (ms + 40_000_000, day + 1, 0),
            Step::Back { ms: back } => ms -= back,
        }
        let tick = said(ms.div_euclid(1000), volume, bid);
        ticks.push(Tick {
            exchange_time_ns: START + ms * MS,
            update_millisec: i32::try_from(ms.rem_euclid(1000)).unwrap(),
            trading_day: day,
            turnover: f64::from(number),
            ..tick
        });
    }
    ticks
}

pub(super) fn number(tick: &Tick) -> usize {
    tick.turnover as usize
}

/// What one worker sends.
#[derive(Debug, Clone)]
pub(super) struct Sender {
    pub(super) life: Life,
    /// The numbers of the ticks, with a snapshot where it begins in the middle.
    pub(super) sends: Vec<(usize, bool)>,
    pub(super) sent: usize,
}

impl Sender {
    fn whole(worker: u32, ticks: usize) -> Self {
        Self::from(worker, 0, ticks, |_| true)
    }

    /// Begins with a snapshot of the tick before `begin`, if there is one, and goes on to `end`.
    pub(super) fn from(
        worker: u32,
        begin: usize,
        end: usize,
        keeps: impl Fn(usize) -> bool,
    ) -> Self {
        let snapshot = begin.checked_sub(1).map(|past| (past, true));
        let live = (begin..end).filter(|number| keeps(*number)).map(|number| (number, false));
        Self { life: Life(worker, 1), sends: snapshot.into_iter().chain(live).collect(), sent: 0 }
    }

    /// The number of the next tick.
    pub(super) fn next(&self) -> Option<usize> {
        self.sends.get(self.sent).map(|(number, _)| *number)
    }

    fn sends_snapshot(&self) -> bool {
        self.sends.get(self.sent).is_some_and(|(_, is_snapshot)| *is_snapshot)
    }

    /// Whether it may send: no more than so far ahead of the slowest, and a snapshot is of something past. One that is
    /// ahead of all the others by more than a tick costs what lies between; nobody could tell that this will still come.
    fn is_ready(&self, all: &[Self], apart: usize) -> bool {
        let Some(next) = self.next() else { return false };
        if self.sends_snapshot() {
            let is_past = |other: &Self| {
                other.next().is_none_or(|at| next < at || next == at && other.sends_snapshot())
            };
            all.iter().all(is_past)
        } else {
            all.iter().filter_map(Self::next).all(|other| next <= other + apart)
        }
    }
}

/// What happened at the reader.
#[derive(Debug, Default)]
struct Seen {
    handed_on: Vec<Tick>,
    /// All arrivals: the worker, the tick's number, and whether it was handed on.
    arrivals: Vec<(u32, usize, bool)>,
}

/// Lets the senders send in the order that `turns` chooses, none of them more than `apart` ticks ahead of the slowest.
fn run(ticks: &[Tick], mut senders: Vec<Sender>, turns: &[u8], apart: usize) -> (Seen, Stage) {
    let (mut stage, mut seen) = (Stage::new(), Seen::default());
    let mut turns = turns.iter().cycle();
    loop {
        let ready: Vec<usize> =
            (0..senders.len()).filter(|at| senders[*at].is_ready(&senders, apart)).collect();
        if ready.is_empty() {
            assert!(senders.iter().all(|sender| sender.next().is_none()), "{senders:?}");
            return (seen, stage);
        }
        let sender = &mut senders[ready[usize::from(*turns.next().unwrap()) % ready.len()]];
        let (number, is_snapshot) = sender.sends[sender.sent];
        sender.sent += 1;
        let tick = if is_snapshot { snapshot(&ticks[number]) } else { ticks[number] };
        let passed = stage.brings(sender.life, &tick);
        seen.arrivals.push((sender.life.0, number, passed));
        if passed
            && !(is_snapshot && seen.handed_on.last().is_some_and(|last| is_same_tick(last, &tick)))
        {
            seen.handed_on.push(tick);
        }
    }
}

fn contents(ticks: &[Tick]) -> Vec<[u64; 8]> {
    ticks.iter().map(identity).collect()
}

pub(super) fn turns() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 1..200),
        // Long runs of one sender.
        prop::collection::vec((any::<u8>(), 1..40_usize), 1..40).prop_map(|runs| {
            runs.into_iter().flat_map(|(who, count)| std::iter::repeat_n(who, count)).collect()
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn a_single_workers_stream_passes_whatever_it_is(
        steps in prop::collection::vec(any_step(), 0..200),
        flags in prop::collection::vec(0..2_u8, 200),
        places in prop::collection::vec(any::<prop::sample::Index>(), 0..300),
    ) {
        // Any ticks of the history in any order, flagged or not.
        let ticks = history(&steps);
        let mut stage = Stage::new();
        for (place, flags) in places.iter().zip(flags.iter().cycle()).filter(|_| !ticks.is_empty()) {
            let flags = *flags;
            let passed = stage.brings(A, &Tick { flags, ..ticks[place.index(ticks.len())] });
            prop_assert!(passed);
        }
    }

    /// With CZCE's seconds, duplicates, quotes that swing, time that runs back: if all leave out nothing, nothing is
    /// missing and nothing comes twice, whoever is ahead and by how much.
    #[test]
    fn complete_workers_make_the_history_itself(
        steps in prop::collection::vec(any_step(), 1..200),
        count in 2..4_u32,
        turns in turns(),
        apart in 0..MERGE_WINDOW_MIN,
    ) {
        let ticks = history(&steps);
        let senders = (0..count).map(|worker| Sender::whole(worker, ticks.len())).collect();
        let (seen, stage) = run(&ticks, senders, &turns, apart);
        prop_assert_eq!(contents(&seen.handed_on), contents(&ticks));
        for tally in stage.merge.tallies() {
            prop_assert_eq!((tally.missed, tally.late), (0, 0), "{:?}", tally);
        }
        let (won, copies) = stage.merge.tallies().iter()
            .fold((0, 0), |(won, copies), tally| (won + tally.won, copies + tally.copies));
        prop_assert_eq!(won, ticks.len() as u64);
        prop_assert_eq!(copies, won * u64::from(count - 1));
    }

    /// The same where one dies at any point, however far ahead it was.
    #[test]
    fn the_death_of_one_of_two_costs_nothing(
        steps in prop::collection::vec(any_step(), 1..200),
        death in any::<prop::sample::Index>(),
        turns in turns(),
        apart in 0..MERGE_WINDOW_MIN,
    ) {
        let ticks = history(&steps);
        let death = death.index(ticks.len() + 1);
        let senders = vec![Sender::from(0, 0, death, |_| true), Sender::whole(1, ticks.len())];
        let (seen, _) = run(&ticks, senders, &turns, apart);
        prop_assert_eq!(contents(&seen.handed_on), contents(&ticks));
    }

    /// Beside one that is complete others begin in the middle, with a snapshot as CTP sends it, and end at any time.
    #[test]
    fn who_comes_and_goes_disturbs_nobody(
        steps in prop::collection::vec(any_step_that_differs(), 1..200),
        guests in prop::collection::vec(
            (any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..4,
        ),
        turns in turns(),
        apart in 0..MERGE_WINDOW_MIN,
    ) {
        let ticks = history(&steps);
        let mut senders = vec![Sender::whole(0, ticks.len())];
        for (worker, (begin, end)) in (1..).zip(guests) {
            let begin = begin.index(ticks.len());
            let end = begin + end.index(ticks.len() + 1 - begin);
            senders.push(Sender::from(worker, begin, end, |_| true));
        }
        let (seen, _) = run(&ticks, senders, &turns, apart);
        prop_assert!(contents(&seen.handed_on) == contents(&ticks), "{:?}", seen.arrivals);
    }

    /// Any number of moves from worker to worker, each beginning with a snapshot before the other ends, and the lives
    /// numbered so that workers come back as themselves or anew.
    #[test]
    fn moves_that_overlap_lose_nothing_and_repeat_nothing(
        steps in prop::collection::vec(growing(), 50..200),
        moves in prop::collection::vec((20..40_usize, 1..9_usize, any::<bool>()), 1..8),
        turns in turns(),
    ) {
        let ticks = history(&steps);
        let (mut senders, mut begin, mut incarnation) = (Vec::new(), 0, 1);
        for (number, (carried, overlap, anew)) in (0_u32..).zip(moves) {
            let end = (begin + carried).min(ticks.len());
            let mut sender = Sender::from(number % 2, begin, end, |_| true);
            incarnation += u64::from(anew);
            sender.life.1 = incarnation;
            senders.push(sender);
            if end == ticks.len() {
                break;
            }
            begin = end.saturating_sub(overlap).max(1);
        }
        let last = senders.last().unwrap().sends.last().map_or(0, |(number, _)| number + 1);
        let (seen, _) = run(&ticks, senders, &turns, 2);
        prop_assert_eq!(contents(&seen.handed_on), contents(&ticks[..last]));
    }

    /// Workers with gaps, where time or volume grows: what anybody brought before anything later was handed on is handed
    /// on, once, and in order.
    #[test]
    fn with_gaps_everything_passes_that_came_in_time(
        steps in prop::collection::vec(growing(), 1..200),
        count in 2..4_u32,
        gaps in prop::collection::vec(0..10_u8, 600),
        begins in prop::collection::vec(0..50_usize, 3),
        turns in turns(),
        apart in 0..2 * MERGE_WINDOW_MAX,
    ) {
        let mut ticks = history(&steps);
        ticks.dedup_by(|one, other| is_same_tick(one, other));
        for (number, tick) in ticks.iter_mut().enumerate() {
            tick.turnover = number as f64;
        }
        let senders = (0..count).map(|worker| {
            let gaps = gaps.iter().skip(200 * worker as usize).copied().collect::<Vec<_>>();
            let begin = begins[worker as usize].min(ticks.len());
            Sender::from(worker, begin, ticks.len(), |number| gaps[number] > 1)
        }).collect();
        let (seen, _) = run(&ticks, senders, &turns, apart);
        let mut newest = None;
        for (arrival, (_, number, passed)) in seen.arrivals.iter().enumerate() {
            let is_new = newest.is_none_or(|newest| number > newest);
            // A snapshot of the newest passes once more.
            if is_new {
                prop_assert!(*passed, "arrival {} of tick {}", arrival, number);
                newest = Some(number);
            }
        }
        let numbers: Vec<usize> = seen.handed_on.iter().map(number).collect();
        prop_assert!(numbers.is_sorted_by(|one, other| one < other), "{:?}", numbers);
    }

    /// With gaps and everything that exchanges do but time running back: the order never goes back.
    #[test]
    fn whatever_is_left_out_the_order_never_goes_back(
        steps in prop::collection::vec(any_step(), 1..200),
        count in 2..4_u32,
        gaps in prop::collection::vec(0..10_u8, 600),
        turns in turns(),
        apart in 0..MERGE_WINDOW_MIN,
    ) {
        let steps: Vec<Step> =
            steps.into_iter().filter(|step| !matches!(step, Step::Back { .. })).collect();
        let ticks = history(&steps);
        let senders = (0..count).map(|worker| {
            let gaps = &gaps[200 * worker as usize..];
            Sender::from(worker, 0, ticks.len(), |number| gaps[number] > 0)
        }).collect();
        let (seen, _) = run(&ticks, senders, &turns, apart);
        // Ticks that say the same cannot be told apart: each is taken for the first one that is left, and one may stand for
        // several in a row.
        let mut left = ticks.iter();
        let mut handed_on = seen.handed_on.clone();
        handed_on.dedup_by(|one, other| is_same_tick(one, other));
        for tick in &handed_on {
            prop_assert!(left.any(|one| is_same_tick(one, tick)),
                "tick {} of {:?}", number(tick), seen.arrivals);
        }
    }
}

//! Whether ticks wait in the ring that will soon be overwritten. Pure.
//!
//! The ring holds so much of each worker, and does not say how much it holds; what was taken does. Since the ring was last
//! found empty, `n` ticks of a worker were taken, received over a span of time, and the latest of them is of some age. As
//! long as they come as they came, `n / span * age` of them wait. A pause of this process thus costs nothing as long as the
//! ring holds what came meanwhile: it is sent tick by tick, late. (What several workers bring is read in any order, so times
//! of one worker and another say nothing together.)
//!
//! Copies are dropped before they come here, and wait as others do: each worker is taken to have its share of them.
//!
//! The rate is an average since the ring was empty: a flood that begins in the midst of a long backlog is noticed late, and
//! what the ring then overwrites is counted as lost.
//!
//! Times are of the wall clock, the one that workers and this process share. It may step; then there is no estimate.

use shm_layout::limits::RING_READER_LAG_SAMPLES_MAX;
use shm_layout::{NO_TIME, Tick, TickFlags};

use crate::limits::{BACKLOG_SPAN_MIN_NS, BACKLOG_TICKS_MIN, BACKLOG_WAITING_MAX};

/// What is known of the ring since it was last found empty.
#[derive(Debug, Default)]
pub struct Backlog {
    streams: Vec<Stream>,
    /// Whose tick came last; the next is most likely of the same worker.
    last: usize,
    taken: u64,
    copies: u64,
    behind: bool,
}

/// What was taken of one worker.
#[derive(Debug)]
struct Stream {
    worker: u32,
    taken: u64,
    /// When the first and the latest of these were received, nanoseconds since 1970-01-01 UTC.
    received: Option<(i64, i64)>,
}

// === impl Backlog ===

impl Backlog {
    /// A tick was taken. One that was published once more says when it was received first; it counts, its time does not.
    pub fn took(&mut self, tick: &Tick) {
        self.taken += 1;
        let stream = self.stream(tick.worker);
        stream.taken += 1;
        let at = tick.receive_time_ns;
        if at == NO_TIME || TickFlags(tick.flags).contains(TickFlags::SNAPSHOT) {
            return;
        }
        stream.received.get_or_insert((at, at)).1 = at;
    }

    /// So many more were taken, and dropped as copies.
    pub fn took_copies(&mut self, count: usize) {
        self.copies += count as u64;
    }

    /// The ring was found empty: all begins anew.
    pub fn emptied(&mut self) {
        self.streams.clear();
        (self.last, self.taken, self.copies, self.behind) = (0, 0, 0, false);
    }

    /// True when the ring would soon overwrite ticks; from then on until it was found empty. `now_ns`: wall clock,
    /// nanoseconds since 1970-01-01 UTC.
    pub fn is_behind(&mut self, now_ns: i64) -> bool {
        self.behind =
            self.behind || self.streams.iter().any(|stream| self.falls_behind(stream, now_ns));
        self.behind
    }

    fn stream(&mut self, worker: u32) -> &mut Stream {
        let is_of = |stream: &Stream| stream.worker == worker;
        if !self.streams.get(self.last).is_some_and(is_of) {
            self.last = self.streams.iter().position(is_of).unwrap_or(self.streams.len());
            if self.last == self.streams.len() {
                self.streams.push(Stream { worker, taken: 0, received: None });
            }
        }
        &mut self.streams[self.last]
    }

    fn falls_behind(&self, stream: &Stream, now_ns: i64) -> bool {
        if stream.taken < BACKLOG_TICKS_MIN {
            return false;
        }
        match stream.millionths_waiting(now_ns) {
            Some(millionths) => {
                let waiting = millionths * i128::from(self.with_copies(stream)) / 1_000_000;
                waiting > i128::from(BACKLOG_WAITING_MAX)
            }
            // No estimate. Who took as many as the ring holds and still found more may well be losing ticks.
            None => {
                let is_fresh = stream.received.is_some_and(|(_, latest)| latest >= now_ns);
                self.with_copies(stream) >= RING_READER_LAG_SAMPLES_MAX as u64 && !is_fresh
            }
        }
    }

    /// How many ticks of a worker were taken, its share of the copies included.
    fn with_copies(&self, stream: &Stream) -> u64 {
        let copies = u128::from(self.copies) * u128::from(stream.taken) / u128::from(self.taken);
        stream.taken.saturating_add(u64::try_from(copies).unwrap_or(u64::MAX))
    }
}

// === impl Stream ===

impl Stream {
    /// How many ticks wait for every million taken, if they come as they came. None when the times say nothing.
    fn millionths_waiting(&self, now_ns: i64) -> Option<i128> {
        let (first, latest) = self.received?;
        let span = i128::from(latest) - i128::from(first);
        let age = i128::from(now_ns) - i128::from(latest);
        (span > 0 && age >= 0).then(|| 1_000_000 * age / span.max(i128::from(BACKLOG_SPAN_MIN_NS)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: i64 = 1_000_000_000;
    const START: i64 = 1_700_000_000 * SECOND;

    fn tick(receive_time_ns: i64) -> Tick {
        Tick { receive_time_ns, ..Tick::EMPTY }
    }

    /// Takes `count` ticks that came `per_second` from `START` on, at `taken_per_second` beginning `pause` after it.
    /// Returns after how long since `START` it fell behind, if it did before it had them all.
    fn falls_behind_after(
        count: i64,
        per_second: i64,
        pause: i64,
        taken_per_second: i64,
    ) -> Option<i64> {
        let mut backlog = Backlog::default();
        (0..count).find_map(|number| {
            let received = START + number * SECOND / per_second;
            // A tick cannot be taken before it was received.
            let now = (START + pause + number * SECOND / taken_per_second).max(received);
            backlog.took(&tick(received));
            backlog.is_behind(now).then_some(now - START)
        })
    }

    #[test]
    fn a_pause_that_the_ring_bridges_is_none_to_fall_behind_for() {
        assert_eq!(falls_behind_after(20_000, 5000, SECOND, 100_000), None);
        assert_eq!(falls_behind_after(20_000, 5000, SECOND * 3 / 2, 100_000), None);
        assert_eq!(falls_behind_after(40_000, 40_000, SECOND / 5, 100_000), None);
    }

    #[test]
    fn a_pause_that_it_does_not_bridge_is() {
        assert!(falls_behind_after(20_000, 5000, 3 * SECOND, 100_000).is_some());
    }

    #[test]
    fn a_flood_is_noticed_before_the_ring_is_full() {
        for taken_per_second in [50_000, 100_000, 250_000] {
            let after = falls_behind_after(500_000, 500_000, 0, taken_per_second);
            let waiting = |after| (500_000 - taken_per_second) * after / SECOND;
            let after = after.expect("it falls behind");
            assert!(waiting(after) <= RING_READER_LAG_SAMPLES_MAX as i64 * 6 / 10, "{after} ns");
        }
        // Taken as fast as they come, 16 ms late.
        let late = |pause| falls_behind_after(50_000, 500_000, pause, 500_000);
        assert_eq!((late(SECOND / 1000 * 15), late(SECOND / 1000 * 17).is_some()), (None, true));
    }

    #[test]
    fn once_behind_it_stays_so_until_the_ring_is_empty() {
        let mut backlog = Backlog::default();
        for number in 0..1000 {
            backlog.took(&tick(START + number * 2000));
        }
        assert!(backlog.is_behind(START + SECOND));
        backlog.took(&tick(START + SECOND));
        assert!(backlog.is_behind(START + SECOND));
        backlog.emptied();
        assert!(!backlog.is_behind(START + SECOND));
    }

    #[test]
    fn a_handful_of_ticks_says_nothing_however_old() {
        let mut backlog = Backlog::default();
        for number in 1..BACKLOG_TICKS_MIN {
            backlog.took(&tick(START + i64::try_from(number).unwrap()));
            assert!(!backlog.is_behind(START + 3600 * SECOND));
        }
        backlog.took(&tick(START + SECOND / 1000));
        assert!(backlog.is_behind(START + 3600 * SECOND));
    }

    #[test]
    fn without_an_estimate_the_whole_ring_is_the_bound() {
        let whole = RING_READER_LAG_SAMPLES_MAX as u64;
        let step_back = |number: u64| START - i64::try_from(number).unwrap();
        let same = |_| START;
        let none = |_| NO_TIME;
        /// When the tick of a number was received, the wall clock, and whether we are behind.
        type Case<'a> = (&'a dyn Fn(u64) -> i64, i64, bool);
        let cases: [Case<'_>; 6] = [
            (&step_back, START, true),
            (&same, START + 1, true),
            (&none, START, true),
            (&same, START, false),
            (&same, START - SECOND, false),
            (&|number| START + i64::try_from(number).unwrap(), START, false),
        ];
        for (case, (received, now, expected)) in cases.into_iter().enumerate() {
            let mut backlog = Backlog::default();
            for number in 1..whole {
                backlog.took(&tick(received(number)));
                assert!(!backlog.is_behind(now), "case {case}");
            }
            backlog.took(&tick(received(whole)));
            assert_eq!(backlog.is_behind(now), expected, "case {case}");
        }
    }

    #[test]
    fn ticks_published_once_more_count_but_their_times_do_not() {
        let mut backlog = Backlog::default();
        let old = Tick { flags: TickFlags::SNAPSHOT.0, ..tick(START - 3600 * SECOND) };
        for number in 0..10_000 {
            backlog.took(&old);
            if number % 100 == 0 {
                backlog.took(&tick(START + number * 100_000));
            }
        }
        assert!(!backlog.is_behind(START + SECOND));
    }

    #[test]
    fn copies_wait_in_the_ring_as_others_do() {
        let (mut alone, mut beside_copies) = (Backlog::default(), Backlog::default());
        for number in 0..1000 {
            let tick = tick(START + number * SECOND / 10_000);
            alone.took(&tick);
            beside_copies.took(&tick);
            beside_copies.took_copies(1);
        }
        // 5000 wait, or twice as many.
        let now = START + SECOND * 6 / 10;
        assert!(!alone.is_behind(now) && beside_copies.is_behind(now));
    }

    #[test]
    fn what_several_workers_bring_may_be_read_in_any_order() {
        // Five workers with 240 ticks a second each, after a pause of three seconds: little waits of each.
        const WORKERS: i64 = 5;
        let now = START + 3 * SECOND;
        for run in [1, 7, 64, 720] {
            let mut backlog = Backlog::default();
            for begin in (0..720).step_by(run) {
                for worker in 0..WORKERS {
                    for number in begin..(begin + run).min(720) {
                        let received = START + (number * WORKERS as usize) as i64 * SECOND / 1200;
                        let worker = u32::try_from(worker).unwrap();
                        backlog.took(&Tick { worker, ..tick(received + i64::from(worker)) });
                        backlog.took_copies(usize::from(number % 2 == 0));
                        assert!(!backlog.is_behind(now), "runs of {run}, {number} of {worker}");
                    }
                }
            }
        }
    }

    #[test]
    fn one_worker_that_floods_is_noticed_among_others() {
        let mut backlog = Backlog::default();
        for number in 0..10_000 {
            let calm = tick(START + number * SECOND / 10_000);
            backlog.took(&Tick { worker: 7, ..tick(START + number * SECOND / 100_000) });
            backlog.took(&Tick { worker: u32::try_from(number % 90).unwrap() + 10, ..calm });
        }
        assert!(!backlog.is_behind(START + SECOND / 10 + SECOND / 20));
        assert!(backlog.is_behind(START + SECOND / 10 + SECOND / 10));
    }

    proptest! {
        /// At a steady rate it falls behind when half a ring waits, neither before nor much later.
        #[test]
        fn half_a_ring_waiting_is_the_bound(
            per_second in 1000..400_000_i64,
            waiting in 0..RING_READER_LAG_SAMPLES_MAX as i64,
            taken in BACKLOG_TICKS_MIN as i64..20_000,
        ) {
            let mut backlog = Backlog::default();
            for number in 0..taken {
                backlog.took(&tick(START + number * SECOND / per_second));
            }
            let now = START + (taken - 1 + waiting) * SECOND / per_second;
            let bound = i64::try_from(BACKLOG_WAITING_MAX).unwrap();
            if waiting <= bound * 9 / 10 {
                prop_assert!(!backlog.is_behind(now));
            } else if waiting > bound {
                prop_assert!(backlog.is_behind(now));
            }
        }

        /// Whatever the clocks say: few ticks never, emptied never, behind stays behind, and no arithmetic fails.
        #[test]
        fn no_times_upset_it(times in prop::collection::vec((any::<i64>(), any::<i64>()), 0..2000)) {
            let mut backlog = Backlog::default();
            let mut was_behind = false;
            for (number, (received, now)) in (1_u64..).zip(times) {
                backlog.took(&tick(received));
                let behind = backlog.is_behind(now);
                prop_assert!(!behind || number >= BACKLOG_TICKS_MIN);
                prop_assert!(behind || !was_behind);
                was_behind = behind;
            }
            backlog.emptied();
            prop_assert!(!backlog.is_behind(i64::MAX));
        }
    }
}

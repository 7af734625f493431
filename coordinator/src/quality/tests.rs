//! Figures that an operator would compute by hand, and properties over random histories.

use super::*;
use proptest::prelude::*;
use shm_layout::WorkerId;
use shm_layout::clock::monotonic;

/// What happened to a connection within a span of time.
#[derive(Debug, Clone, Copy, Default)]
struct Happened {
    after_ms: u64,
    /// Added to the counters.
    stats: WorkerStats,
    /// Added to the counters.
    view: Added,
    disconnects: u8,
    deaths: u8,
    stale: bool,
    away: bool,
}

/// Growth of a [`ConnectionView`].
#[derive(Debug, Clone, Copy, Default)]
struct Added {
    ticks: u64,
    lost: u64,
    won: u64,
    copies: u64,
    behind_ns: u64,
    late: u64,
    missed: u64,
}

/// A connection with the counters it reports.
struct Bench {
    quality: Quality,
    now: Instant,
    stats: WorkerStats,
    view: ConnectionView,
}

impl Bench {
    /// Logged in, and first counters are said.
    fn new() -> Self {
        Self::begun(monotonic())
    }

    fn begun(now: Instant) -> Self {
        let (stats, view) = (WorkerStats::default(), ConnectionView::of(WorkerId(3)));
        let mut quality = Quality::new(now);
        quality.ready(true, now);
        let mut bench = Self { quality, now, stats, view };
        bench.report();
        bench
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    fn report(&mut self) {
        self.quality.observe_stats(&self.stats, self.now);
        self.quality.observe_view(self.view, self.now);
    }

    fn count(&mut self, stats: &WorkerStats, view: &Added) {
        let sum = &mut self.stats;
        sum.ticks += stats.ticks;
        sum.malformed += stats.malformed;
        sum.unpublished += stats.unpublished;
        sum.panics += stats.panics;
        sum.dropped_events += stats.dropped_events;
        sum.asked_again += stats.asked_again;
        sum.login_failures += stats.login_failures;
        sum.calls_refused += stats.calls_refused;
        sum.instruments = stats.instruments;
        let sum = &mut self.view;
        sum.ticks += view.ticks;
        sum.lost += view.lost;
        sum.won += view.won;
        sum.copies += view.copies;
        sum.behind_ns += view.behind_ns;
        sum.late += view.late;
        sum.missed += view.missed;
    }

    fn live(&mut self, happened: &Happened) {
        self.pass(Duration::from_millis(happened.after_ms));
        self.count(&happened.stats, &happened.view);
        self.report();
        (0..happened.disconnects).for_each(|_| self.quality.disconnected(self.now));
        (0..happened.deaths).for_each(|_| self.quality.died(self.now));
        self.quality.stale(happened.stale, self.now);
        self.quality.ready(!happened.away, self.now);
    }

    /// So many seconds of the same, reported every second.
    fn seconds(&mut self, seconds: u64, view: Added) {
        let stats = WorkerStats { ticks: view.ticks, ..WorkerStats::default() };
        for _ in 0..seconds {
            self.live(&Happened { after_ms: 1000, stats, view, ..Happened::default() });
        }
    }

    fn shown(&self) -> control::Quality {
        self.quality.report(self.now).expect("it was logged in")
    }

    fn score(&self) -> f32 {
        self.shown().score
    }
}

#[track_caller]
fn near(left: f32, right: f64) {
    assert!((f64::from(left) - right).abs() < 0.01, "{left} is not {right}");
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_connection_that_was_never_logged_in_has_no_score_and_then_begins_at_a_hundred() {
    let start = monotonic();
    let mut quality = Quality::new(start);
    quality.ready(false, start);
    quality.stale(false, start + seconds(1));
    quality.observe_stats(&WorkerStats::default(), start + seconds(2));
    assert_eq!((quality.score(start), quality.report(start + seconds(60))), (None, None));
    quality.ready(true, start + seconds(60));
    assert_eq!(quality.score(start + seconds(60)), Some(100.0));
}

#[test]
fn what_went_wrong_before_the_first_login_is_not_forgiven_by_it() {
    let start = monotonic();
    let mut quality = Quality::new(start);
    (0..2).for_each(|_| quality.died(start));
    quality.ready(true, start + seconds(100));
    let score = quality.score(start + seconds(100)).expect("it is logged in");
    near(100.0 - score, 30.0 * 300.0 / 290.0 * (0.5_f64.powf(1.0 / 3.0) - 0.5_f64.powi(10)));
}

#[test]
fn delay_costs_by_its_order_of_magnitude() {
    for (behind_ms, points) in
        [(0.3, 0.0), (1.0, 0.0), (3.162_278, 6.25), (10.0, 12.5), (100.0, 25.0), (2500.0, 25.0)]
    {
        let mut bench = Bench::new();
        // Half are won, so the copies lie twice as far behind as the mean.
        let behind_ns = (behind_ms * 100.0 * 1e6) as u64;
        let view = Added { ticks: 100, won: 50, copies: 50, behind_ns, ..Added::default() };
        bench.seconds(300, view);
        near(bench.shown().delay, points);
        near(bench.score(), 100.0 - points);
    }
}

#[test]
fn without_rivals_or_with_few_there_is_no_delay() {
    let mut bench = Bench::new();
    bench.seconds(60, Added { ticks: 500, ..Added::default() });
    near(bench.score(), 100.0);
    // 15 contested in five seconds.
    let view = Added { ticks: 500, copies: 3, behind_ns: 3_000_000_000, ..Added::default() };
    bench.seconds(60, view);
    near(bench.score(), 100.0);
}

#[test]
fn a_connection_whose_ticks_are_all_late_is_a_slow_one() {
    let mut bench = Bench::new();
    bench.seconds(300, Added { ticks: 100, late: 100, ..Added::default() });
    near(bench.shown().delay, 25.0);
    near(bench.shown().gaps, 0.0);
}

#[test]
fn gaps_cost_by_their_share() {
    for (missed, lost, points) in [
        (0, 0, 0.0),
        (1, 0, 0.0),
        (5, 5, 8.333),
        (60, 40, 16.667),
        (1000, 0, 25.0),
        (0, 9999, 25.0),
    ] {
        let mut bench = Bench::new();
        let ticks = 10_000 - missed - lost;
        bench.seconds(300, Added { ticks, missed, lost, ..Added::default() });
        near(bench.shown().gaps, points);
        near(bench.score(), 100.0 - points);
    }
}

#[test]
fn one_gap_in_a_quiet_market_is_a_small_one() {
    let mut bench = Bench::new();
    bench.seconds(4, Added::default());
    bench.seconds(1, Added { missed: 1, ticks: 2, ..Added::default() });
    assert!(bench.score() == 100.0, "a cause just found has had no time yet");
    bench.seconds(5, Added::default());
    // 1 in 1000 for five seconds.
    near(100.0 - bench.score(), 25.0 / 3.0 * (1.0 - 0.5_f64.sqrt()));
}

#[test]
fn what_the_worker_could_not_publish_counts_once_although_readers_see_it_too() {
    let mut bench = Bench::new();
    for _ in 0..300 {
        bench.live(&Happened {
            after_ms: 1000,
            stats: WorkerStats { ticks: 9900, unpublished: 100, ..WorkerStats::default() },
            view: Added { ticks: 9900, lost: 100, ..Added::default() },
            ..Happened::default()
        });
    }
    near(bench.shown().gaps, 16.667);
}

#[test]
fn each_error_has_its_price() {
    let none = WorkerStats { instruments: 200, ..WorkerStats::default() };
    for (stats, points) in [
        (WorkerStats { login_failures: 1, ..none }, 5.0),
        (WorkerStats { panics: 2, ..none }, 10.0),
        (WorkerStats { calls_refused: 3, ..none }, 3.0),
        (WorkerStats { dropped_events: 100, malformed: 50, ..none }, 3.0),
        (WorkerStats { asked_again: 200, ..none }, 10.0),
        (WorkerStats { asked_again: 2, instruments: 2, ..none }, 1.0),
        (WorkerStats { malformed: 1_000_000, ..none }, 20.0),
    ] {
        let mut bench = Bench::new();
        bench.live(&Happened { stats, ..Happened::default() });
        assert!(bench.score() == 100.0, "one bad moment moves nothing yet");
        bench.pass(seconds(30));
        let after_30_s = 60.0 / 50.0 * (0.5_f64.sqrt() - 0.5_f64.powi(3));
        near(bench.shown().errors, points * after_30_s);
    }
}

#[test]
fn disconnects_and_deaths_are_remembered_for_minutes() {
    let mut bench = Bench::new();
    bench.quality.disconnected(bench.now);
    near(bench.shown().disconnects, 0.0);
    bench.pass(seconds(300));
    near(bench.shown().disconnects, 10.0 * 300.0 / 290.0 * 0.5);
    bench.quality.died(bench.now);
    bench.quality.died(bench.now);
    bench.pass(seconds(60));
    assert!((20.0..30.0).contains(&bench.shown().disconnects), "30 at the most");
}

#[test]
fn points_that_follow_a_fading_cause_are_what_many_small_steps_come_to() {
    let mut bench = Bench::new();
    bench.quality.disconnected(bench.now);
    bench.quality.died(bench.now);
    let (mut cause, mut points, step_s) = (25.0_f64, 0.0_f64, 0.001);
    let (slow, fast) = (2.0_f64.ln() / 300.0, 2.0_f64.ln() / 10.0);
    for step in 1..=120_000_u32 {
        points += (cause - points) * fast * step_s;
        cause -= cause * slow * step_s;
        if step % 10_000 == 0 {
            bench.pass(seconds(10));
            near(bench.shown().disconnects, points);
        }
    }
}

#[test]
fn being_away_takes_everything_in_time_and_coming_back_gives_it_back() {
    let mut bench = Bench::new();
    bench.quality.ready(false, bench.now);
    bench.pass(seconds(10));
    near(bench.score(), 50.0);
    bench.pass(seconds(10));
    near(bench.score(), 25.0);
    bench.pass(seconds(3600));
    near(bench.score(), 0.0);
    near(bench.shown().disconnects, 100.0);
    bench.quality.ready(true, bench.now);
    bench.pass(seconds(20));
    near(bench.score(), 75.0);
}

#[test]
fn staleness_takes_forty() {
    let mut bench = Bench::new();
    bench.quality.stale(true, bench.now);
    bench.pass(seconds(10));
    near(bench.shown().staleness, 20.0);
    bench.pass(seconds(600));
    near(bench.score(), 60.0);
    bench.quality.stale(false, bench.now);
    bench.pass(seconds(10));
    near(bench.score(), 80.0);
}

#[test]
fn a_verdict_lapses_where_reports_end() {
    let mut bench = Bench::new();
    let view = Added { ticks: 50, missed: 50, ..Added::default() };
    bench.seconds(300, view);
    near(bench.shown().gaps, 25.0);
    bench.pass(seconds(15));
    near(bench.shown().gaps, 25.0);
    bench.pass(seconds(10));
    near(bench.shown().gaps, 12.5);
}

#[test]
fn what_was_before_the_first_report_is_history() {
    let now = monotonic();
    let mut quality = Quality::new(now);
    quality.ready(true, now);
    let stats = WorkerStats { panics: 9, unpublished: 99, ..WorkerStats::default() };
    let view = ConnectionView { missed: 1_000_000, late: 99, ..ConnectionView::of(WorkerId(0)) };
    for second in 0..60 {
        quality.observe_stats(&stats, now + seconds(second));
        quality.observe_view(view, now + seconds(second));
        assert_eq!(quality.score(now + seconds(second)), Some(100.0));
    }
}

/// Two frontends saw all of a day; one leaves, and the sum falls to what the other one saw.
#[test]
fn a_frontend_that_leaves_does_not_bring_up_the_past() {
    let mut bench = Bench::new();
    bench.seconds(300, Added { ticks: 1000, missed: 1000, ..Added::default() });
    bench.seconds(300, Added { ticks: 1000, ..Added::default() });
    near(bench.score(), 100.0);
    for at in 0..10 {
        bench.view.ticks = bench.view.ticks / 2 + at;
        bench.view.missed /= 2;
        bench.seconds(at, Added { ticks: 1000, ..Added::default() });
        near(bench.score(), 100.0);
    }
}

/// Of two frontends the one that missed nothing leaves: the other's few gaps are held against all the ticks that it saw.
#[test]
fn a_sum_that_falls_is_not_taken_for_silence() {
    let mut bench = Bench::new();
    bench.seconds(303, Added { ticks: 200_000, missed: 9, ..Added::default() });
    bench.view.ticks /= 2;
    bench.seconds(60, Added { ticks: 100_000, missed: 9, ..Added::default() });
    near(bench.score(), 100.0);
    assert!(bench.quality.gaps.points == 0.0, "nor was it ever");
}

prop_compose! {
    fn stats()(
        ticks in 0..5000_u64,
        asked_again in 0..50_u64,
        [malformed, unpublished, panics, dropped_events, login_failures, calls_refused] in
            prop::array::uniform6(prop_oneof![6 => Just(0), 1 => 0..20_u64]),
    ) -> WorkerStats {
        WorkerStats {
            ticks, malformed, unpublished, panics, dropped_events, asked_again, login_failures,
            calls_refused, instruments: 100, ..WorkerStats::default()
        }
    }
}

prop_compose! {
    fn view()(
        [ticks, won, copies] in prop::array::uniform3(0..500_u64),
        [lost, late, missed] in
            prop::array::uniform3(prop_oneof![3 => Just(0), 1 => 0..10_u64, 1 => 0..1000_u64]),
        behind_ns in prop_oneof![Just(0), 0..1_000_000_000_u64, 0..100_000_000_000_u64],
    ) -> Added {
        Added { ticks, lost, won, copies, behind_ns, late, missed }
    }
}

prop_compose! {
    fn happened()(
        after_ms in prop_oneof![Just(0), Just(1000), 0..3000_u64, 0..60_000_u64],
        stats in stats(),
        view in view(),
        [disconnects, deaths] in prop::array::uniform2(prop_oneof![9 => Just(0), 1 => 1..3_u8]),
        [stale, away] in prop::array::uniform2(prop::bool::weighted(0.1)),
    ) -> Happened {
        Happened { after_ms, stats, view, disconnects, deaths, stale, away }
    }
}

fn history(longest: usize) -> impl Strategy<Value = Vec<Happened>> {
    prop::collection::vec(happened(), 1..longest)
}

/// The same span of time with more trouble in it; what is no trouble stays.
fn worse(good: &Happened, more: &Happened) -> Happened {
    let mut bad = *good;
    bad.stats.malformed += more.stats.malformed;
    bad.stats.unpublished += more.stats.unpublished;
    bad.stats.panics += more.stats.panics;
    bad.stats.dropped_events += more.stats.dropped_events;
    bad.stats.asked_again += more.stats.asked_again;
    bad.stats.login_failures += more.stats.login_failures;
    bad.stats.calls_refused += more.stats.calls_refused;
    bad.view.lost += more.view.lost;
    bad.view.late += more.view.late;
    bad.view.missed += more.view.missed;
    bad.view.behind_ns += more.view.behind_ns;
    bad.disconnects += more.disconnects;
    bad.deaths += more.deaths;
    bad.stale |= more.stale;
    bad.away |= more.away;
    bad
}

proptest! {
    #[test]
    fn everything_stays_within_its_bounds(history in history(200)) {
        let mut bench = Bench::new();
        for happened in &history {
            bench.live(happened);
            let shown = bench.shown();
            prop_assert!((0.0..=100.0).contains(&shown.score));
            prop_assert!((0.0..=25.0).contains(&shown.delay));
            prop_assert!((0.0..=25.0).contains(&shown.gaps));
            prop_assert!((0.0..=20.0).contains(&shown.errors));
            prop_assert!((0.0..=130.0).contains(&shown.disconnects));
            prop_assert!((0.0..=40.0).contains(&shown.staleness));
            let left = 100.0 - shown.delay - shown.gaps - shown.errors - shown.disconnects
                - shown.staleness;
            prop_assert!((shown.score - left.max(0.0)).abs() < 1e-3, "the parts add up: {shown:?}");
            prop_assert_eq!(bench.quality.score(bench.now), Some(shown.score));
        }
    }

    #[test]
    fn more_trouble_never_raises_it(
        steps in prop::collection::vec((happened(), happened(), any::<bool>()), 1..100),
    ) {
        let start = monotonic();
        let (mut good, mut bad) = (Bench::begun(start), Bench::begun(start));
        for (happened, more, is_worse) in &steps {
            good.live(happened);
            bad.live(&if *is_worse { worse(happened, more) } else { *happened });
            prop_assert!(bad.score() <= good.score() + 1e-3);
        }
    }

    #[test]
    fn all_is_forgiven_in_time(history in history(50), reports in any::<bool>()) {
        let mut bench = Bench::new();
        history.iter().for_each(|happened| bench.live(happened));
        bench.live(&Happened::default());
        let mut last = bench.score();
        for _ in 0..120 {
            bench.pass(seconds(30));
            if reports {
                bench.report();
            }
            prop_assert!(bench.quality.score(bench.now).is_some());
        }
        prop_assert!(bench.score() > 99.9, "from {last} to {}", bench.score());
        for _ in 0..10 {
            bench.pass(seconds(60));
            prop_assert!(bench.score() >= last.min(99.9), "and it stays so");
            last = bench.score();
        }
    }

    /// The same history, looked at and advanced in between at random.
    #[test]
    fn it_does_not_matter_how_often_anybody_looks(
        steps in prop::collection::vec((happened(), prop::collection::vec(0..20_000_u64, 0..5)), 1..50),
    ) {
        let (mut once, mut often) = (Bench::new(), Bench::new());
        for (happened, looks) in &steps {
            // In no order: time that goes back stands still.
            for look in looks {
                let at = often.now + Duration::from_millis((*look).min(happened.after_ms));
                often.quality.advance(at);
            }
            once.live(happened);
            often.live(happened);
            let (a, b) = (once.shown(), often.shown());
            prop_assert!((a.score - b.score).abs() < 1e-3, "{a:?} {b:?}");
        }
    }

    /// Steady trouble, reported by one every quarter of a second and by the other when it likes: both settle alike, and
    /// on the way there they differ by no more than a window's time makes.
    #[test]
    fn it_hardly_matters_how_often_counters_come(
        [missed, late, refused] in prop::array::uniform3(0..4_u64),
        behind_us in 0..300_000_u64,
        quarters in prop::collection::vec(2..9_u64, 240),
    ) {
        let stats = WorkerStats { ticks: 100, calls_refused: refused, ..WorkerStats::default() };
        let behind_ns = 100 * 1000 * behind_us;
        let view = Added { ticks: 100, copies: 100, won: 20, behind_ns, missed, late, lost: 0 };
        let (mut fine, mut coarse) = (Bench::new(), Bench::new());
        let mut settled = 0;
        for quarters in quarters {
            for _ in 0..quarters {
                fine.live(&Happened { after_ms: 250, stats, view, ..Happened::default() });
                coarse.pass(Duration::from_millis(250));
                coarse.count(&stats, &view);
            }
            coarse.report();
            settled += quarters;
            let apart = (fine.score() - coarse.score()).abs();
            let most = if settled < 4 * 120 { 20.0 } else { 0.5 };
            prop_assert!(apart < most, "{apart} after {settled} quarters of a second");
        }
    }

    /// A faultless connection whose worker and frontends restart at will stays faultless.
    #[test]
    fn counters_that_restart_do_no_harm_to_the_good(
        steps in prop::collection::vec((0..5000_u64, 0..400_u64, any::<[bool; 2]>()), 1..200),
    ) {
        let mut bench = Bench::new();
        for (after_ms, ticks, [worker_restarts, readers_restart]) in steps {
            if worker_restarts {
                bench.stats = WorkerStats::default();
            }
            if readers_restart {
                bench.view = ConnectionView::of(bench.view.worker);
            }
            bench.live(&Happened {
                after_ms,
                stats: WorkerStats { ticks, ..WorkerStats::default() },
                view: Added { ticks, won: ticks / 2, copies: ticks / 2, ..Added::default() },
                ..Happened::default()
            });
            prop_assert!(bench.score() == 100.0);
        }
    }

    /// Errors cost the same whether or not the worker lost count in between, and gaps and delay never cost more than the
    /// worst second would.
    #[test]
    fn counters_that_restart_do_no_harm_to_the_bad(
        steps in prop::collection::vec((stats(), any::<[bool; 2]>()), 1..100),
    ) {
        let (mut whole, mut broken) = (Bench::new(), Bench::new());
        let behind_ns = 100 * 10_000_000;
        let view = Added { ticks: 9990, missed: 10, copies: 100, behind_ns, ..Added::default() };
        for (stats, [worker_restarts, readers_restart]) in steps {
            // A life that begins anew shows by a counter that falls: that of ticks does after a second of life.
            let worker_restarts = worker_restarts && broken.stats.ticks >= 1000;
            let ticks = if worker_restarts { 500 } else { 1000 };
            let stats = WorkerStats { ticks, unpublished: 0, ..stats };
            if worker_restarts {
                broken.stats = WorkerStats::default();
            }
            if readers_restart {
                broken.view = ConnectionView::of(broken.view.worker);
            }
            let happened = Happened { after_ms: 1000, stats, view, ..Happened::default() };
            whole.live(&happened);
            broken.live(&happened);
            let shown = broken.shown();
            prop_assert!(shown.delay < 12.51 && shown.gaps < 8.34, "{shown:?}");
            prop_assert!((shown.errors - whole.shown().errors).abs() < 1e-3);
            prop_assert!(shown.score >= whole.score() - 1e-3);
        }
    }
}

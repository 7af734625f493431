//! The simulated exchange's wall clock, which jumps over the pauses between sessions.
//!
//! Local time is milliseconds since 1970-01-01 00:00 as a clock in Shanghai shows it.

use crate::calendar::{Calendar, DAY_MS, Date};
use crate::sessions::{DAY_POSITION_MS, MINUTE_MS, ORIGIN_MS, position, position_of_ms};

/// Which sessions the clock goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Visited {
    /// Night and day.
    All,
    /// The day sessions only.
    Day,
    /// The night sessions only.
    Night,
}

/// What the clock does when no session is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pauses {
    /// It jumps to the next session.
    Skip,
    /// It goes through them as a real one does; nothing ticks meanwhile.
    Keep,
}

/// How the clock goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ClockPlan {
    /// Local time at its beginning, in milliseconds.
    pub(crate) start_local_ms: i64,
    /// Exchange seconds per real second.
    pub(crate) speed: f64,
    pub(crate) visited: Visited,
    pub(crate) pauses: Pauses,
}

/// A moment of the exchange's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Local time in milliseconds since 1970-01-01.
    pub(crate) local_ms: i64,
    /// The trading day it belongs to.
    pub(crate) trading_day: Date,
    /// Milliseconds since the trading day began at 20:59 of the evening before.
    pub(crate) position_ms: u32,
}

impl Moment {
    /// The moment of a local time.
    pub(crate) fn of(local_ms: i64, calendar: &Calendar) -> Self {
        let date = Date::of_local_ms(local_ms);
        let position_ms = position_of_ms(local_ms.rem_euclid(DAY_MS) as u32);
        let evening = local_ms.rem_euclid(DAY_MS) >= i64::from(ORIGIN_MS);
        let trading_day = if evening { calendar.after(date) } else { calendar.on_or_after(date) };
        // A weekend's hours are nobody's session: they stand between the night and the morning.
        let belongs = if position_ms >= DAY_POSITION_MS {
            date == trading_day
        } else {
            date.plus(if evening { 0 } else { -1 }) == calendar.before(trading_day)
        };
        let position_ms = if belongs { position_ms } else { DAY_POSITION_MS };
        Self { local_ms, trading_day, position_ms }
    }
}

/// The clock. Elapsed times handed to it never go back.
#[derive(Debug)]
pub(crate) struct ExchangeClock {
    plan: ClockPlan,
    calendar: Calendar,
    /// The session the clock stands in, `[start, end)` in local milliseconds.
    session: (i64, i64),
    /// Milliseconds the clock had run when it entered this session.
    run_before_ms: f64,
}

// The commodity exchanges' sessions and auctions, with the second after each end in which its last
// snapshots come. CFFEX trades in most of them.
const SESSIONS: [(u32, u32); 6] = [
    (position(20, 59), position(20, 59) + 1000),
    (position(21, 0), position(2, 30) + 1000),
    (position(8, 59), position(8, 59) + 1000),
    (position(9, 0), position(10, 15) + 1000),
    (position(10, 30), position(11, 30) + 1000),
    (position(13, 30), position(15, 0) + 1000),
];

impl ExchangeClock {
    /// A clock that shows the plan's start when no time has gone by.
    pub(crate) fn new(plan: ClockPlan, calendar: Calendar) -> Self {
        let mut clock = Self { plan, calendar, session: (0, 0), run_before_ms: 0.0 };
        clock.session = match plan.pauses {
            Pauses::Keep => (plan.start_local_ms, i64::MAX),
            Pauses::Skip => clock.session_from(plan.start_local_ms),
        };
        clock
    }

    /// The exchange's time when `elapsed_ns` real nanoseconds have gone by.
    pub(crate) fn at(&mut self, elapsed_ns: u64) -> Moment {
        let run_ms = elapsed_ns as f64 / 1e6 * self.plan.speed;
        loop {
            let (start, end) = self.session;
            let into_ms = run_ms - self.run_before_ms;
            if into_ms < (end - start) as f64 {
                return Moment::of(start + into_ms as i64, &self.calendar);
            }
            self.run_before_ms += (end - start) as f64;
            self.session = self.session_from(end);
        }
    }

    /// Real nanoseconds until the clock shows the next full second.
    pub(crate) fn ns_to_next_second(&self, moment: Moment) -> u64 {
        let left_ms = 1000 - moment.local_ms.rem_euclid(1000);
        (left_ms as f64 * 1e6 / self.plan.speed) as u64 + 1
    }

    /// The trading days it goes by.
    pub(crate) fn calendar(&self) -> &Calendar {
        &self.calendar
    }

    // The rest of the session that is open at `local_ms`, or else the next one.
    fn session_from(&self, local_ms: i64) -> (i64, i64) {
        let mut trading_day = Moment::of(local_ms, &self.calendar).trading_day;
        loop {
            for (start, end) in self.sessions_of(trading_day) {
                if local_ms < end {
                    return (start.max(local_ms), end);
                }
            }
            trading_day = self.calendar.after(trading_day);
        }
    }

    fn sessions_of(&self, trading_day: Date) -> impl Iterator<Item = (i64, i64)> {
        let evening = self.calendar.before(trading_day).local_ms() + i64::from(ORIGIN_MS);
        // Position 24 h would be the trading day's own 20:59.
        let morning = trading_day.local_ms() + i64::from(ORIGIN_MS) - DAY_MS;
        let has_night = self.calendar.begins_at_night(trading_day);
        let visited = self.plan.visited;
        SESSIONS.into_iter().filter_map(move |(start, end)| {
            let (start, end) = (i64::from(start), i64::from(end));
            let by_day = start >= i64::from(DAY_POSITION_MS);
            let wanted = match visited {
                Visited::All => by_day || has_night,
                Visited::Day => by_day,
                Visited::Night => !by_day && has_night,
            };
            let origin = if by_day { morning } else { evening };
            wanted.then_some((origin + start, origin + end))
        })
    }
}

const _: () = assert!(SESSIONS[1].0 == MINUTE_MS);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn local(date: &str, hour: i64, minute: i64, second: i64) -> i64 {
        let midnight = Date::parse(date).unwrap().local_ms();
        midnight + ((hour * 60 + minute) * 60 + second) * 1000
    }

    fn clock(start_local_ms: i64, visited: Visited, pauses: Pauses) -> ExchangeClock {
        let plan = ClockPlan { start_local_ms, speed: 1.0, visited, pauses };
        ExchangeClock::new(plan, Calendar::default())
    }

    fn seconds(count: u64) -> u64 {
        count * 1_000_000_000
    }

    #[test]
    fn the_evening_auction_is_followed_by_the_night_session() {
        let mut clock = clock(local("20250303", 20, 59, 0), Visited::All, Pauses::Skip);
        assert_eq!(clock.at(0).local_ms, local("20250303", 20, 59, 0));
        assert_eq!(clock.at(seconds(1)).local_ms, local("20250303", 21, 0, 0));
        let next = clock.at(seconds(11));
        assert_eq!(next.local_ms, local("20250303", 21, 0, 10));
        assert_eq!(next.trading_day, Date::parse("20250304").unwrap());
    }

    #[test]
    fn pauses_and_weekends_are_jumped_over() {
        let mut clock = clock(local("20250307", 15, 0, 0), Visited::All, Pauses::Skip);
        assert_eq!(clock.at(seconds(1)).local_ms, local("20250307", 20, 59, 0));
        let friday_night = clock.at(seconds(2));
        assert_eq!(friday_night.local_ms, local("20250307", 21, 0, 0));
        assert_eq!(friday_night.trading_day, Date::parse("20250310").unwrap());
        let night = 5 * 3600 + 30 * 60;
        let saturday = clock.at(seconds(2 + night));
        assert_eq!(saturday.local_ms, local("20250308", 2, 30, 0));
        assert_eq!(saturday.trading_day, Date::parse("20250310").unwrap());
        assert_eq!(clock.at(seconds(3 + night)).local_ms, local("20250310", 8, 59, 0));
    }

    #[test]
    fn a_start_in_a_pause_moves_to_the_next_session() {
        let mut noon = clock(local("20250304", 12, 0, 0), Visited::All, Pauses::Skip);
        assert_eq!(noon.at(0).local_ms, local("20250304", 13, 30, 0));
        let mut sunday = clock(local("20250309", 12, 0, 0), Visited::All, Pauses::Skip);
        // Monday's night was on Friday, so Monday's auction is next.
        assert_eq!(sunday.at(0).local_ms, local("20250310", 8, 59, 0));
        let mut kept = clock(local("20250304", 12, 0, 0), Visited::All, Pauses::Keep);
        assert_eq!(kept.at(seconds(3600)).local_ms, local("20250304", 13, 0, 0));
    }

    #[test]
    fn a_clock_may_visit_the_day_only() {
        let mut clock = clock(local("20250307", 14, 59, 0), Visited::Day, Pauses::Skip);
        assert_eq!(clock.at(seconds(61)).local_ms, local("20250310", 8, 59, 0));
    }

    #[test]
    fn no_night_on_the_eve_of_a_holiday() {
        let holidays = [Date::parse("20250501").unwrap(), Date::parse("20250502").unwrap()];
        let plan = ClockPlan {
            start_local_ms: local("20250430", 15, 0, 0),
            speed: 1.0,
            visited: Visited::All,
            pauses: Pauses::Skip,
        };
        let mut clock = ExchangeClock::new(plan, Calendar::new(holidays.into()));
        assert_eq!(clock.at(seconds(1)).local_ms, local("20250505", 8, 59, 0));
    }

    #[test]
    fn a_weekend_is_nobodys_session() {
        for (date, hour) in [("20250308", 10), ("20250308", 21), ("20250309", 1), ("20250309", 21)]
        {
            let moment = Moment::of(local(date, hour, 0, 0), &Calendar::default());
            assert_eq!(moment.trading_day, Date::parse("20250310").unwrap());
            assert_eq!(moment.position_ms, DAY_POSITION_MS, "{date} {hour}");
        }
        let saturday_night = Moment::of(local("20250308", 1, 0, 0), &Calendar::default());
        assert_eq!(saturday_night.position_ms, position(1, 0));
    }

    proptest! {
        #[test]
        fn time_never_goes_back(
            start in 0i64..400 * DAY_MS, speed in 0.1f64..100_000.0,
            mut at in proptest::collection::vec(0u64..200_000_000_000, 2..50), keep: bool,
        ) {
            let start_local_ms = Date::parse("20240101").unwrap().local_ms() + start;
            let pauses = if keep { Pauses::Keep } else { Pauses::Skip };
            let plan = ClockPlan { start_local_ms, speed, visited: Visited::All, pauses };
            let mut clock = ExchangeClock::new(plan, Calendar::default());
            at.sort_unstable();
            let moments: Vec<_> = at.iter().map(|&ns| clock.at(ns)).collect();
            for pair in moments.windows(2) {
                prop_assert!(pair[0].local_ms <= pair[1].local_ms);
                prop_assert!((pair[0].trading_day, pair[0].position_ms)
                    <= (pair[1].trading_day, pair[1].position_ms));
            }
        }
    }
}

//! When the clock says that a new trading day's login is due (pure).
//!
//! Fronts mostly end the session before the trading day rolls, and the next login brings the next day. One that does not
//! leaves a session whose login names the day before. So a running session is compared with the clock at a few fixed
//! moments, shortly before trading begins and again just before its auction:
//!
//! * at 20:30 and 20:52 on an evening with a night session, when fronts offer the next trading day,
//! * at 08:30 and 08:52 of a trading day, in case the evening had no night or its logins came too early.
//!
//! Nothing is asked at any other time: a login before the front has rolled only names the old day again. A moment that
//! passed unseen, as while the machine was suspended, counts as soon as the clock is looked at; of several only the
//! last. What is compared is a machine's clock in Shanghai's time, so this is not for a library that keeps a time of its
//! own, as the simulated one does.

use std::time::Instant;

use shm_layout::{Date, ShanghaiTime, TradingCalendar};

use crate::limits::DAY_ROLL_LOOKS_APART;

/// The moments of an evening at which the next trading day is due, in minutes since midnight.
const EVENING: [i64; 2] = [20 * 60 + 30, 20 * 60 + 52];
/// Those of a morning at which the day itself is.
const MORNING: [i64; 2] = [8 * 60 + 30, 8 * 60 + 52];
const MINUTE_MS: i64 = 60_000;

/// Looks at the clock now and then.
#[derive(Debug)]
pub struct DayRoll {
    calendar: TradingCalendar,
    /// What the wall clock showed at the last look, in milliseconds since 1970-01-01 UTC.
    looked_at_ms: Option<i64>,
    next_look: Option<Instant>,
}

// === impl DayRoll ===

impl DayRoll {
    /// One that has not looked at the clock yet.
    #[must_use]
    pub const fn new(calendar: TradingCalendar) -> Self {
        Self { calendar, looked_at_ms: None, next_look: None }
    }

    /// Looks at the wall clock, in milliseconds since 1970-01-01 UTC, when it is time to. The trading day whose login is
    /// due, if one of the moments has passed since the last look.
    pub fn look(&mut self, now: Instant, unix_ms: i64) -> Option<Date> {
        if self.next_look.is_some_and(|at| at > now) {
            return None;
        }
        self.next_look = Some(now + DAY_ROLL_LOOKS_APART);
        let before_ms = self.looked_at_ms.replace(unix_ms)?;
        let (at_ms, day) = self.last_moment(unix_ms)?;
        (before_ms < at_ms).then_some(day)
    }

    /// When to look next; `None` before the first look.
    #[must_use]
    pub const fn next_deadline(&self) -> Option<Instant> {
        self.next_look
    }

    /// The last of the moments until now, and the trading day that is due at it.
    fn last_moment(&self, unix_ms: i64) -> Option<(i64, Date)> {
        let today = ShanghaiTime::at(unix_ms)?.date;
        // The longest closure on record has eleven days; the moment before a longer one is of no use any more.
        let days = (0..16).map(|back| today.plus_days(-back));
        let mut moments = days.flat_map(|day| self.moments_of(day));
        moments.find(|(at_ms, _)| *at_ms <= unix_ms)
    }

    /// A day's moments, the last first.
    fn moments_of(&self, day: Date) -> impl Iterator<Item = (i64, Date)> + use<> {
        let evening = self.calendar.has_night(day).then(|| self.calendar.trading_day_after(day));
        let morning = self.calendar.is_trading_day(day).then_some(day);
        [(EVENING, evening), (MORNING, morning)].into_iter().flat_map(move |(minutes, due)| {
            let at = move |minute: i64| ShanghaiTime::unix_ms(day, minute * MINUTE_MS);
            let moments = minutes.into_iter().rev().map(at);
            moments.filter_map(move |at_ms| Some((at_ms, due?)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    fn date(text: &str) -> Date {
        Date::parse(text).unwrap()
    }

    /// A moment in Shanghai.
    fn at(day: &str, hour: i64, minute: i64, second: i64) -> i64 {
        ShanghaiTime::unix_ms(date(day), ((hour * 60 + minute) * 60 + second) * 1000)
    }

    /// All days that are due from one moment to another, with the time of day at which they were said.
    fn due(calendar: &str, from_ms: i64, to_ms: i64) -> Vec<(String, String)> {
        let mut roll = DayRoll::new(TradingCalendar::parse(calendar).unwrap());
        let (mut now, mut unix_ms) = (shm_layout::clock::monotonic(), from_ms);
        let mut due = Vec::new();
        while unix_ms < to_ms {
            if let Some(day) = roll.look(now, unix_ms) {
                let minute = ShanghaiTime::at(unix_ms).unwrap().ms_of_day / MINUTE_MS;
                due.push((format!("{:02}:{:02}", minute / 60, minute % 60), day.to_string()));
            }
            let next = roll.next_deadline().unwrap();
            unix_ms += i64::try_from((next - now).as_millis()).unwrap();
            now = next;
        }
        due
    }

    fn said(due: &[(&str, &str)]) -> Vec<(String, String)> {
        due.iter().map(|(time, day)| ((*time).to_owned(), (*day).to_owned())).collect()
    }

    #[test]
    fn a_day_is_due_before_its_night_and_again_in_the_morning() {
        let from = at("20260305", 19, 0, 7);
        let week = due("", from, at("20260309", 21, 0, 0));
        assert_eq!(
            week,
            said(&[
                ("20:30", "20260306"),
                ("20:52", "20260306"),
                ("08:30", "20260306"),
                ("08:52", "20260306"),
                // Friday's night belongs to Monday; the weekend is quiet.
                ("20:30", "20260309"),
                ("20:52", "20260309"),
                ("08:30", "20260309"),
                ("08:52", "20260309"),
                ("20:30", "20260310"),
                ("20:52", "20260310"),
            ])
        );
    }

    #[test]
    fn after_a_holiday_the_morning_is_the_first_moment() {
        let from = at("20260430", 20, 0, 0);
        let labour = due("20260501\n20260504\n20260505\n", from, at("20260506", 9, 0, 0));
        assert_eq!(labour, said(&[("08:30", "20260506"), ("08:52", "20260506")]));
    }

    #[test]
    fn a_first_look_says_nothing_and_a_long_pause_says_the_last() {
        let mut roll = DayRoll::new(TradingCalendar::default());
        let mut now = shm_layout::clock::monotonic();
        assert_eq!(roll.next_deadline(), None);
        assert_eq!(roll.look(now, at("20260305", 20, 40, 0)), None);
        assert_eq!(roll.look(now, at("20260305", 21, 0, 0)), None, "not yet time to look");
        // The machine slept from Thursday to Sunday.
        now += Duration::from_secs(3 * 86_400);
        assert_eq!(roll.look(now, at("20260308", 12, 0, 0)), Some(date("20260309")));
        // A clock that is put back says nothing, and what it passes again it says again.
        now += DAY_ROLL_LOOKS_APART;
        assert_eq!(roll.look(now, at("20260305", 20, 29, 59)), None);
        now += DAY_ROLL_LOOKS_APART;
        assert_eq!(roll.look(now, at("20260305", 20, 30, 0)), Some(date("20260306")));
        now += DAY_ROLL_LOOKS_APART;
        assert_eq!(roll.look(now, i64::MAX), None);
    }

    proptest! {
        /// Whatever the clock does, no more is asked for than twice an evening and twice a morning, and never a day
        /// that has not begun by the next session.
        #[test]
        fn logins_are_few_and_for_a_day_that_trades(
            start in 1_772_000_000_000_i64..1_780_000_000_000,
            steps in prop::collection::vec(0_i64..86_400_000, 0..60),
        ) {
            let calendar = TradingCalendar::parse("20260501\n20260504\n20260505\n").unwrap();
            let mut roll = DayRoll::new(calendar.clone());
            let (mut now, mut unix_ms) = (shm_layout::clock::monotonic(), start);
            let mut said = 0;
            for step in steps {
                if let Some(day) = roll.look(now, unix_ms) {
                    said += 1;
                    prop_assert!(calendar.is_trading_day(day));
                    let today = ShanghaiTime::at(unix_ms).unwrap().date;
                    prop_assert!(day <= calendar.trading_day_after(today));
                }
                unix_ms += step;
                now += Duration::from_millis(step.unsigned_abs());
            }
            prop_assert!(said <= 4 * ((unix_ms - start) / 86_400_000 + 2));
        }
    }
}

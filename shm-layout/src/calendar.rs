//! Which days are traded, until when, and which evenings have a night session (pure).

use std::collections::BTreeMap;

use crate::date::Date;

/// The trading days: every weekday that is not a listed holiday, and what a calendar file says of single days.
///
/// Without a list only weekends are skipped; a holiday is then taken for a trading day. That matters to a night tick
/// without an ActionDay on the first day after one (and there is no night session before that day), and it lets
/// [`crate::TradingHours`] see sessions where there are none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TradingCalendar {
    days: BTreeMap<Date, DayPlan>,
}

/// What a file says of one day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct DayPlan {
    /// Whether it trades; `None` leaves that to the weekday.
    trades: Option<bool>,
    /// No night session on its evening.
    no_night: bool,
    /// Its sessions end here, in minutes since midnight.
    until: Option<u32>,
}

/// What is wrong with a calendar file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "line {line} of the calendar: {text:?} {problem}; write YYYYMMDD for a holiday, or YYYYMMDD and one of closed, open \
     (trades although it is a weekend), no-night, until HH:MM; comments after '#'"
)]
pub struct CalendarError {
    /// The line, counted from 1.
    pub line: usize,
    /// What stands there.
    pub text: String,
    /// What is wrong with it.
    pub problem: CalendarProblem,
}

/// What is wrong with a line of a calendar file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CalendarProblem {
    /// It does not begin with a date.
    #[error("does not begin with a date")]
    NoDate,
    /// The word after the date is none of those that may stand there.
    #[error("says nothing that is known of the day")]
    UnknownWord,
    /// `until` without a time of day after it.
    #[error("has no time of day after `until`")]
    NoTime,
    /// An earlier line says that the day is closed, and this one that it trades, or the other way round.
    #[error("contradicts an earlier line about that day")]
    Contradiction,
}

/// A moment as clocks in Shanghai show it: UTC+8 throughout the year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShanghaiTime {
    /// The calendar day.
    pub date: Date,
    /// Milliseconds since its midnight, below 86,400,000.
    pub ms_of_day: i64,
}

// === impl ShanghaiTime ===

impl ShanghaiTime {
    /// Shanghai's midnight comes so many milliseconds before UTC's.
    pub(crate) const OFFSET_MS: i64 = 8 * 3_600_000;
    pub(crate) const DAY_MS: i64 = 86_400_000;

    /// The time in Shanghai at a moment in milliseconds since 1970-01-01 UTC; `None` before 1970 and after 2199.
    #[must_use]
    pub fn at(unix_ms: i64) -> Option<Self> {
        let local_ms = unix_ms.checked_add(Self::OFFSET_MS)?;
        let days = i32::try_from(local_ms.div_euclid(Self::DAY_MS)).ok()?;
        let date = Date::from_yyyymmdd(19_700_101)?.plus_days(days);
        let ms_of_day = local_ms.rem_euclid(Self::DAY_MS);
        (date.days_since_epoch() == days).then_some(Self { date, ms_of_day })
    }

    /// The moment of so many milliseconds after a day's midnight in Shanghai, in milliseconds since 1970-01-01 UTC.
    #[must_use]
    pub fn unix_ms(date: Date, ms_of_day: i64) -> i64 {
        i64::from(date.days_since_epoch()) * Self::DAY_MS - Self::OFFSET_MS + ms_of_day
    }
}

// === impl TradingCalendar ===

impl TradingCalendar {
    /// Reads a list of days, one a line; `#` begins a comment.
    ///
    /// | line | meaning |
    /// |---|---|
    /// | `20261001`, `20261001 closed` | a holiday |
    /// | `20260214 open` | it trades although it is a weekend |
    /// | `20260216 no-night` | no night session on that evening |
    /// | `20260216 until 11:30` | all sessions of that calendar day end then, and there is no night on that evening |
    ///
    /// The eve of a holiday needs no line: it has no night anyway. Several lines about one day add up.
    ///
    /// # Errors
    /// [`CalendarError`] names the first line that cannot stand there.
    pub fn parse(text: &str) -> Result<Self, CalendarError> {
        let mut calendar = Self::default();
        for (index, line) in text.lines().enumerate() {
            let entry = line.split('#').next().unwrap_or_default().trim();
            if entry.is_empty() {
                continue;
            }
            calendar.take_line(entry).map_err(|problem| CalendarError {
                line: index + 1,
                text: entry.to_owned(),
                problem,
            })?;
        }
        Ok(calendar)
    }

    fn take_line(&mut self, entry: &str) -> Result<(), CalendarProblem> {
        let words: Vec<&str> = entry.split_whitespace().collect();
        let [date, rest @ ..] = &words[..] else { return Err(CalendarProblem::NoDate) };
        let date = Date::parse(date).map_err(|_| CalendarProblem::NoDate)?;
        let plan = self.days.entry(date).or_default();
        let trades = match rest {
            [] | ["closed"] => Some(false),
            ["open"] => Some(true),
            ["no-night"] => {
                plan.no_night = true;
                None
            }
            ["until", time] => {
                plan.until = Some(minute_of_day(time).ok_or(CalendarProblem::NoTime)?);
                None
            }
            ["until"] => return Err(CalendarProblem::NoTime),
            _ => return Err(CalendarProblem::UnknownWord),
        };
        if trades.is_some() {
            if plan.trades.is_some_and(|before| Some(before) != trades) {
                return Err(CalendarProblem::Contradiction);
            }
            plan.trades = trades;
        }
        Ok(())
    }

    /// True when the exchanges trade on this day.
    #[must_use]
    pub fn is_trading_day(&self, date: Date) -> bool {
        self.plan(date).trades.unwrap_or(!date.is_weekend())
    }

    /// True when a night session begins on this day's evening: it is a trading day, and so is the next day that is not a
    /// weekend's. Friday's night belongs to Monday; the eve of a holiday has none.
    #[must_use]
    pub fn has_night(&self, date: Date) -> bool {
        let plan = self.plan(date);
        if plan.no_night || plan.until.is_some() || !self.is_trading_day(date) {
            return false;
        }
        let following = (1..=7).map(|days| date.plus_days(days));
        let next = following.into_iter().find(|day| !day.is_weekend() || self.is_trading_day(*day));
        next.is_some_and(|day| self.is_trading_day(day))
    }

    /// When all sessions of this calendar day end, in minutes since midnight in Shanghai, if a file says so.
    #[must_use]
    pub fn closes_early(&self, date: Date) -> Option<u32> {
        self.plan(date).until
    }

    /// The last trading day before this date.
    #[must_use]
    pub fn trading_day_before(&self, date: Date) -> Date {
        self.step(date, -1)
    }

    /// The first trading day after this date.
    #[must_use]
    pub fn trading_day_after(&self, date: Date) -> Date {
        self.step(date, 1)
    }

    fn plan(&self, date: Date) -> DayPlan {
        self.days.get(&date).copied().unwrap_or_default()
    }

    fn step(&self, date: Date, days: i32) -> Date {
        // The longest closure on record is eleven days; sixty bounds the walk whatever a file lists.
        let candidates = (1..=60).map(|n| date.plus_days(n * days));
        candidates.into_iter().find(|day| self.is_trading_day(*day)).unwrap_or(date.plus_days(days))
    }
}

/// The minute of a time of day written `HH:MM`, from 00:00 to 23:59.
pub(crate) fn minute_of_day(text: &str) -> Option<u32> {
    let [h1, h0, b':', m1, m0] = *text.as_bytes() else { return None };
    if ![h1, h0, m1, m0].iter().all(u8::is_ascii_digit) {
        return None;
    }
    let two = |tens: u8, ones: u8| u32::from(tens - b'0') * 10 + u32::from(ones - b'0');
    let (hour, minute) = (two(h1, h0), two(m1, m0));
    (hour < 24 && minute < 60).then_some(hour * 60 + minute)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn date(text: &str) -> Date {
        Date::parse(text).unwrap()
    }

    #[test]
    fn skips_weekends_and_listed_holidays() {
        let plain = TradingCalendar::default();
        assert_eq!(plain.trading_day_before(date("20181015")), date("20181012"));
        assert_eq!(plain.trading_day_after(date("20181012")), date("20181015"));
        let national = TradingCalendar::parse(
            "# National Day 2018\n20181001\n20181002 # Tuesday\n\n20181003\n20181004 closed\n20181005\n",
        )
        .unwrap();
        assert_eq!(national.trading_day_before(date("20181008")), date("20180928"));
    }

    #[test]
    fn nights_are_on_the_eve_of_the_next_weekday_that_trades() {
        let plain = TradingCalendar::default();
        // Friday's night is Monday's; Sunday's evening has none.
        assert!(plain.has_night(date("20260306")) && !plain.has_night(date("20260308")));
        let labour = TradingCalendar::parse("20260501\n20260504\n20260505\n").unwrap();
        assert!(labour.has_night(date("20260429")));
        assert!(!labour.has_night(date("20260430")), "the eve of a holiday");
        assert!(!labour.has_night(date("20260505")), "the last day of one");
        assert!(labour.has_night(date("20260506")));
        // A holiday on a Monday ends Friday's night, too.
        let qingming = TradingCalendar::parse("20260406").unwrap();
        assert!(!qingming.has_night(date("20260403")));
    }

    #[test]
    fn single_days_are_as_a_file_says() {
        let text = "20260214 open   # a Saturday\n20260213 no-night\n20260216 until 11:30\n\
                    20260217   closed\n20260217\n";
        let calendar = TradingCalendar::parse(text).unwrap();
        assert!(calendar.is_trading_day(date("20260214")));
        assert_eq!(calendar.trading_day_after(date("20260213")), date("20260214"));
        assert!(!calendar.has_night(date("20260213")));
        assert!(calendar.has_night(date("20260214")), "its night belongs to Monday");
        assert!(!calendar.has_night(date("20260215")));
        assert_eq!(calendar.closes_early(date("20260216")), Some(11 * 60 + 30));
        assert!(calendar.is_trading_day(date("20260216")) && !calendar.has_night(date("20260216")));
        assert!(!calendar.is_trading_day(date("20260217")));
        // Friday's night belongs to a Saturday that trades.
        let saturday = TradingCalendar::parse("20260214 open\n20260216\n").unwrap();
        assert!(saturday.has_night(date("20260213")) && !saturday.has_night(date("20260214")));
    }

    #[test]
    fn names_the_wrong_line_and_what_may_stand_there() {
        for (text, line, wrong, problem) in [
            ("20181001\n2018-10-02\n", 2, "2018-10-02", CalendarProblem::NoDate),
            ("20181001 shut # ?", 1, "20181001 shut", CalendarProblem::UnknownWord),
            ("20181001 closed open", 1, "20181001 closed open", CalendarProblem::UnknownWord),
            ("20181001 until", 1, "20181001 until", CalendarProblem::NoTime),
            ("20181001 until 24:00", 1, "20181001 until 24:00", CalendarProblem::NoTime),
            ("20181001\n\n20181001 open", 3, "20181001 open", CalendarProblem::Contradiction),
        ] {
            let error = TradingCalendar::parse(text).unwrap_err();
            assert_eq!(error, CalendarError { line, text: wrong.into(), problem });
            let said = error.to_string();
            assert!(said.contains(&format!("line {line}")) && said.contains(wrong), "{said}");
            for word in ["closed", "open", "no-night", "until HH:MM"] {
                assert!(said.contains(word), "{said}");
            }
        }
    }

    #[test]
    fn shanghais_midnight_is_four_in_the_afternoon_utc() {
        let at = ShanghaiTime::at(1_740_960_000_000).unwrap();
        assert_eq!((at.date, at.ms_of_day), (date("20250303"), 8 * 3_600_000));
        assert_eq!(ShanghaiTime::at(i64::MAX), None);
        assert_eq!(ShanghaiTime::at(i64::MIN), None);
        assert_eq!(ShanghaiTime::at(-ShanghaiTime::OFFSET_MS - 1), None);
    }

    proptest! {
        #[test]
        fn every_moment_reads_back(unix_ms in 0_i64..7_000_000_000_000) {
            let at = ShanghaiTime::at(unix_ms).unwrap();
            prop_assert!((0..ShanghaiTime::DAY_MS).contains(&at.ms_of_day));
            prop_assert_eq!(ShanghaiTime::unix_ms(at.date, at.ms_of_day), unix_ms);
        }

        #[test]
        fn a_file_of_any_text_never_panics(text in "[0-9a-z: #\n-]{0,80}") {
            drop(TradingCalendar::parse(&text));
        }

        /// Between two trading days in a row there is at most one night, and none without both.
        #[test]
        fn a_night_leads_to_the_next_trading_day(
            holidays in prop::collection::btree_set(20_000_i32..20_060, 0..20), day in 20_000_i32..20_060,
        ) {
            let epoch = date("19700101");
            let text: String = holidays.iter().map(|n| format!("{}\n", epoch.plus_days(*n))).collect();
            let calendar = TradingCalendar::parse(&text).unwrap();
            let day = epoch.plus_days(day);
            if calendar.has_night(day) {
                prop_assert!(calendar.is_trading_day(day));
                // Only a weekend may lie between an evening and the trading day it belongs to.
                let next = calendar.trading_day_after(day);
                prop_assert!((1..next.days_since_epoch() - day.days_since_epoch())
                    .all(|n| day.plus_days(n).is_weekend()));
            }
        }
    }
}

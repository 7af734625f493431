//! Which days are traded.

use std::collections::BTreeSet;

use crate::date::Date;

/// The trading days: every weekday that is not a listed holiday.
///
/// Without a list only weekends are skipped; a holiday is then taken for a trading day, which matters to nobody but a
/// night tick without an ActionDay on the first day after one, and there is no night session before that day.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TradingCalendar {
    holidays: BTreeSet<Date>,
}

/// What is wrong with a calendar file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "line {line} of the calendar: {text:?} is not a date written YYYYMMDD; write one holiday a line, comments after '#'"
)]
pub struct CalendarError {
    /// The line, counted from 1.
    pub line: usize,
    /// What stands there.
    pub text: String,
}

// === impl TradingCalendar ===

impl TradingCalendar {
    /// Reads a list of holidays: one `YYYYMMDD` a line; `#` begins a comment.
    ///
    /// # Errors
    /// [`CalendarError`] names the first line that is not a date.
    pub fn parse(text: &str) -> Result<Self, CalendarError> {
        let mut holidays = BTreeSet::new();
        for (index, line) in text.lines().enumerate() {
            let entry = line.split('#').next().unwrap_or_default().trim();
            if entry.is_empty() {
                continue;
            }
            let date = Date::parse(entry)
                .map_err(|_| CalendarError { line: index + 1, text: entry.to_owned() })?;
            holidays.insert(date);
        }
        Ok(Self { holidays })
    }

    /// True when the exchanges trade on this day.
    #[must_use]
    pub fn is_trading_day(&self, date: Date) -> bool {
        !date.is_weekend() && !self.holidays.contains(&date)
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

    fn step(&self, date: Date, days: i32) -> Date {
        // The longest closure on record is eleven days; sixty bounds the walk whatever a file lists.
        let candidates = (1..=60).map(|n| date.plus_days(n * days));
        candidates.into_iter().find(|day| self.is_trading_day(*day)).unwrap_or(date.plus_days(days))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skips_weekends_and_listed_holidays() {
        let date = |text: &str| Date::parse(text).unwrap();
        let plain = TradingCalendar::default();
        assert_eq!(plain.trading_day_before(date("20181015")), date("20181012"));
        assert_eq!(plain.trading_day_after(date("20181012")), date("20181015"));
        let national = TradingCalendar::parse(
            "# National Day 2018\n20181001\n20181002 # Tuesday\n\n20181003\n20181004\n20181005\n",
        )
        .unwrap();
        assert_eq!(national.trading_day_before(date("20181008")), date("20180928"));
    }

    #[test]
    fn names_the_wrong_line() {
        let error = TradingCalendar::parse("20181001\n2018-10-02\n").unwrap_err();
        assert_eq!(error, CalendarError { line: 2, text: "2018-10-02".into() });
    }
}

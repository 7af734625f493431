//! A calendar date, written `YYYYMMDD` as CTP writes it.

use serde::{Deserialize, Serialize};

/// A date of the Gregorian calendar. CTP uses it for trading days and action days alike.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Date {
    /// Days since 1970-01-01.
    days: i32,
}

/// Why a text or number is not a date.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a date written YYYYMMDD between 19700101 and 21991231")]
pub struct DateError {
    /// What was given.
    pub text: String,
}

// === impl Date ===

impl Date {
    const YEARS: std::ops::RangeInclusive<i32> = 1970..=2199;

    /// Takes eight digits `YYYYMMDD`.
    ///
    /// # Errors
    /// [`DateError`] for anything that is not a day of the calendar from 1970 to 2199.
    pub fn parse(text: &str) -> Result<Self, DateError> {
        Self::from_bytes(text.as_bytes()).ok_or_else(|| DateError { text: text.into() })
    }

    /// Takes eight ASCII digits from a foreign structure; `None` when they are not a date.
    #[must_use]
    pub fn from_bytes(text: &[u8]) -> Option<Self> {
        if text.len() != 8 || !text.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let number = text.iter().fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'));
        Self::from_yyyymmdd(number)
    }

    /// Takes a number such as 20250303; `None` when it is not a date from 1970 to 2199.
    #[must_use]
    pub fn from_yyyymmdd(number: u32) -> Option<Self> {
        let number = i32::try_from(number).ok()?;
        let (year, month, day) = (number / 10_000, number / 100 % 100, number % 100);
        if !Self::YEARS.contains(&year) || !(1..=12).contains(&month) || day < 1 {
            return None;
        }
        let date = Self { days: days_from_civil(year, month, day) };
        // An impossible day such as 31 April comes back as another one.
        (date.civil() == (year, month, day)).then_some(date)
    }

    /// Days since 1970-01-01.
    #[must_use]
    pub const fn days_since_epoch(self) -> i32 {
        self.days
    }

    /// The date so many days after (before, when negative), held inside the years this type knows.
    #[must_use]
    pub fn plus_days(self, days: i32) -> Self {
        let last = days_from_civil(*Self::YEARS.end(), 12, 31);
        Self { days: self.days.saturating_add(days).clamp(0, last) }
    }

    /// True on Saturday and Sunday.
    #[must_use]
    pub const fn is_weekend(self) -> bool {
        // 1970-01-01 was a Thursday.
        matches!((self.days + 3).rem_euclid(7), 5 | 6)
    }

    /// The date as a number such as 20250303.
    #[must_use]
    pub fn yyyymmdd(self) -> u32 {
        let (year, month, day) = self.civil();
        (year * 10_000 + month * 100 + day).unsigned_abs()
    }

    fn civil(self) -> (i32, i32, i32) {
        // Days are counted from 1 March of year 0, so that the leap day is a year's last day.
        let z = self.days + 719_468;
        let era = z.div_euclid(146_097);
        let day_of_era = z.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        (year_of_era + era * 400 + i32::from(month <= 2), month, day)
    }
}

fn days_from_civil(year: i32, month: i32, day: i32) -> i32 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

impl std::fmt::Display for Date {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:08}", self.yyyymmdd())
    }
}

impl std::fmt::Debug for Date {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Date({self})")
    }
}

impl std::str::FromStr for Date {
    type Err = DateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl TryFrom<u32> for Date {
    type Error = DateError;

    fn try_from(number: u32) -> Result<Self, Self::Error> {
        Self::from_yyyymmdd(number).ok_or_else(|| DateError { text: number.to_string() })
    }
}

impl From<Date> for u32 {
    fn from(date: Date) -> Self {
        date.yyyymmdd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn date(text: &str) -> Date {
        Date::parse(text).unwrap()
    }

    #[test]
    fn knows_weekends_and_leap_days() {
        assert!(date("20181013").is_weekend() && date("20181014").is_weekend());
        assert!(!date("20181012").is_weekend() && !date("20181015").is_weekend());
        assert_eq!(date("20240228").plus_days(2), date("20240301"));
        assert_eq!(date("19700101").days_since_epoch(), 0);
        assert_eq!(date("20181008").days_since_epoch(), 17_812);
    }

    #[test]
    fn refuses_days_that_do_not_exist() {
        for text in
            ["20230229", "20250431", "20251301", "20250100", "2025010", "2025-1-1", "", "30000101"]
        {
            assert!(Date::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_day_reads_back_as_written(days in 0_i32..80_000) {
            let date = date("19700101").plus_days(days);
            prop_assert_eq!(Date::parse(&date.to_string()), Ok(date));
            prop_assert_eq!(date.days_since_epoch(), days);
        }
    }
}

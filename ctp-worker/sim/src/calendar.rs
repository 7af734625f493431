//! Dates, trading days, and which evenings have a night session.

use std::collections::BTreeSet;

/// A day of the civil calendar, as days since 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Date(i32);

/// Milliseconds in a day.
pub(crate) const DAY_MS: i64 = 86_400_000;

impl Date {
    /// The date of a year, month and day; `None` when there is no such day within 1970-2199.
    pub(crate) fn from_ymd(year: i32, month: u32, day: u32) -> Option<Self> {
        if !(1970..2200).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return None;
        }
        // Days of the proleptic Gregorian calendar, years beginning in March (Hinnant's algorithm).
        let shifted_year = if month <= 2 { year - 1 } else { year };
        let era = shifted_year.div_euclid(400);
        let year_of_era = shifted_year.rem_euclid(400);
        let month_from_march = (month as i32 + 9) % 12;
        let day_of_year = (153 * month_from_march + 2) / 5 + day as i32 - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        let date = Self(era * 146_097 + day_of_era - 719_468);
        (date.ymd() == (year, month, day)).then_some(date)
    }

    /// Reads `YYYYMMDD` or `YYYY-MM-DD`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits: Vec<u8> = match text.as_bytes() {
            [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1] => {
                vec![*y0, *y1, *y2, *y3, *m0, *m1, *d0, *d1]
            }
            bytes => bytes.to_vec(),
        };
        if digits.len() != 8 || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let number =
            |part: &[u8]| part.iter().fold(0u32, |sum, digit| sum * 10 + u32::from(digit - b'0'));
        Self::from_ymd(number(&digits[..4]) as i32, number(&digits[4..6]), number(&digits[6..]))
    }

    /// Year, month and day.
    pub(crate) fn ymd(self) -> (i32, u32, u32) {
        let shifted = self.0 + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = (day_of_year - (153 * month_from_march + 2) / 5 + 1) as u32;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = year_of_era + era * 400 + i32::from(month <= 2);
        (year, month as u32, day)
    }

    /// `YYYYMMDD` with a closing NUL, as CTP carries it.
    pub(crate) fn ctp_bytes(self) -> [u8; 9] {
        let (year, month, day) = self.ymd();
        let mut number = year as u32 * 10_000 + month * 100 + day;
        let mut bytes = [0u8; 9];
        for byte in bytes[..8].iter_mut().rev() {
            *byte = b'0' + (number % 10) as u8;
            number /= 10;
        }
        bytes
    }

    /// The day `days` later (or earlier).
    pub(crate) const fn plus(self, days: i32) -> Self {
        Self(self.0 + days)
    }

    /// Monday is 0, Sunday is 6.
    pub(crate) const fn weekday(self) -> i32 {
        (self.0 + 3).rem_euclid(7)
    }

    /// Counts weekdays: Monday to Friday are five steps, a weekend none.
    pub(crate) fn business_index(self) -> i64 {
        let week = i64::from((self.0 + 3).div_euclid(7));
        week * 5 + i64::from(self.weekday().min(4))
    }

    /// Midnight at its beginning, in milliseconds of local time since 1970-01-01.
    pub(crate) const fn local_ms(self) -> i64 {
        self.0 as i64 * DAY_MS
    }

    /// The date of a local time in milliseconds since 1970-01-01.
    pub(crate) const fn of_local_ms(local_ms: i64) -> Self {
        Self(local_ms.div_euclid(DAY_MS) as i32)
    }
}

/// The exchanges' trading days: weekdays that are no holidays.
#[derive(Debug, Clone, Default)]
pub(crate) struct Calendar {
    holidays: BTreeSet<Date>,
}

impl Calendar {
    /// A calendar with these holidays.
    pub(crate) fn new(holidays: BTreeSet<Date>) -> Self {
        Self { holidays }
    }

    /// Whether the exchanges open on this day.
    pub(crate) fn is_trading_day(&self, date: Date) -> bool {
        date.weekday() < 5 && !self.holidays.contains(&date)
    }

    /// The first trading day that is not before `date`.
    pub(crate) fn on_or_after(&self, date: Date) -> Date {
        self.walk(date, 1)
    }

    /// The first trading day after `date`.
    pub(crate) fn after(&self, date: Date) -> Date {
        self.walk(date.plus(1), 1)
    }

    /// The last trading day before `date`.
    pub(crate) fn before(&self, date: Date) -> Date {
        self.walk(date.plus(-1), -1)
    }

    /// Whether the trading day begins with a night session: not when a holiday lies before it.
    pub(crate) fn begins_at_night(&self, trading_day: Date) -> bool {
        let weekday_before = if trading_day.weekday() == 0 { -3 } else { -1 };
        self.is_trading_day(trading_day.plus(weekday_before))
    }

    // Holidays are a finite set, so the walk ends.
    fn walk(&self, mut date: Date, step: i32) -> Date {
        while !self.is_trading_day(date) {
            date = date.plus(step);
        }
        date
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Date {
        Date::parse(text).unwrap()
    }

    #[test]
    fn dates_survive_a_round_trip() {
        let mut day = Date::from_ymd(1970, 1, 1).unwrap();
        assert_eq!(day.local_ms(), 0);
        for _ in 0..80_000 {
            let (year, month, of_month) = day.ymd();
            assert_eq!(Date::from_ymd(year, month, of_month), Some(day));
            let text = day.ctp_bytes();
            assert_eq!(Date::parse(std::str::from_utf8(&text[..8]).unwrap()), Some(day));
            assert_eq!(Date::of_local_ms(day.local_ms() + DAY_MS - 1), day);
            day = day.plus(1);
        }
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in ["", "2025", "20250230", "2025-13-01", "2025/01/01", "20250100", "１２３４"]
        {
            assert_eq!(Date::parse(text), None, "{text}");
        }
    }

    #[test]
    fn friday_night_belongs_to_monday() {
        let calendar = Calendar::default();
        assert_eq!(date("20250307").weekday(), 4);
        assert_eq!(calendar.after(date("20250307")), date("20250310"));
        assert!(calendar.begins_at_night(date("20250310")));
        assert_eq!(calendar.before(date("20250310")), date("20250307"));
    }

    #[test]
    fn no_night_on_the_eve_of_a_holiday() {
        let calendar = Calendar::new([date("20250501"), date("20250502")].into());
        assert_eq!(calendar.after(date("20250430")), date("20250505"));
        assert!(!calendar.begins_at_night(date("20250505")));
        assert!(calendar.begins_at_night(date("20250430")));
    }

    #[test]
    fn business_days_are_counted_without_weekends() {
        let friday = date("20250307").business_index();
        assert_eq!(date("20250310").business_index(), friday + 1);
        assert_eq!(date("20250308").business_index(), friday);
        assert_eq!(date("20250314").business_index(), friday + 5);
    }
}

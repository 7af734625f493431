//! How long a bar lasts, and which bar a moment belongs to (pure).
//!
//! ```text
//!             12:00          slot of 12 hours            24:00
//!   slots  ----|-----------------------------------------|----
//!   ticks         13:30 ... 15:00   |  21:00 ... 23:59
//!   days          Thursday's        |  Friday's
//!   bars        [ 12:00             ] [ 21:00            ]
//! ```
//! * Bars shorter than a day fill slots that are counted from Beijing's midnight. A slot that two trading days have ticks
//!   in becomes two bars; the later one begins when its session does.
//! * Bars of one day are trading days, whatever the clock says. Those of several are spans of calendar days, counted from
//!   Monday 1 January 1990, into which their trading days fall.

use shm_layout::Date;

use super::bar::{Bar, Part};

/// How long the bars of a series last: whole seconds up to a day, or whole days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BarDuration {
    ns: i64,
}

/// Why a number of nanoseconds is no duration of a bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{ns} ns is no duration of a bar: give whole seconds up to 86400 s, or whole days (0 for ticks)"
)]
pub struct BadDuration {
    /// What was given.
    pub ns: i64,
}

/// Where something that comes belongs, seen from the last bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Nowhere: it is older than the last bar, or of no trading day where bars are days.
    Nowhere,
    /// Into the last bar.
    Last,
    /// Into a new bar with this datetime.
    New(i64),
}

pub(super) const SECOND_NS: i64 = 1_000_000_000;
const MINUTE_NS: i64 = 60 * SECOND_NS;
const HOUR_NS: i64 = 60 * MINUTE_NS;
const DAY_NS: i64 = 24 * HOUR_NS;
/// Beijing's midnight comes so long before UTC's.
const OFFSET_NS: i64 = 8 * HOUR_NS;
/// Midnight of 1 January 2020 in Beijing, from which ids are counted.
const IDS_SINCE_NS: i64 = 1_577_836_800 * SECOND_NS - OFFSET_NS;
/// Midnight of 1 January 1990, from which spans of several days are counted, in days since 1970-01-01.
const SPANS_SINCE_DAYS: i64 = 7_305;
/// No pause that may end in another trading day is shorter: from 15:15 to 21:00 it is more than five and a half hours.
const SPLIT_MIN_NS: i64 = 5 * HOUR_NS;

// === impl BarDuration ===

impl BarDuration {
    /// One minute.
    pub const MINUTE: Self = Self { ns: MINUTE_NS };

    /// Takes nanoseconds.
    ///
    /// # Errors
    /// [`BadDuration`] for what is neither whole seconds up to a day nor whole days.
    pub const fn try_from_ns(ns: i64) -> Result<Self, BadDuration> {
        let unit = if ns > DAY_NS { DAY_NS } else { SECOND_NS };
        if ns <= 0 || ns % unit != 0 { Err(BadDuration { ns }) } else { Ok(Self { ns }) }
    }

    /// In nanoseconds.
    #[must_use]
    pub const fn as_ns(self) -> i64 {
        self.ns
    }

    /// True when its bars are trading days or spans of them.
    #[must_use]
    pub const fn is_daily(self) -> bool {
        self.ns >= DAY_NS
    }

    /// True when minute bars can be put together to such bars.
    pub(super) const fn is_of_minutes(self) -> bool {
        self.ns % MINUTE_NS == 0
    }

    /// Where a tick or a shorter bar belongs.
    pub(super) fn place(self, last: Option<&Bar>, part: &Part) -> Place {
        let day = part.bar.trading_day;
        if self.is_daily() && last.is_some_and(|last| last.trading_day == day) {
            return Place::Last;
        }
        let Some(slot) = self.slot(&part.bar) else { return Place::Nowhere };
        let Some(last) = last else { return Place::New(slot) };
        // A bar's datetime lies in its slot.
        let is_older = last.datetime_ns >= slot.saturating_add(self.ns);
        if is_older || day < last.trading_day {
            Place::Nowhere
        } else if last.datetime_ns < slot {
            Place::New(slot)
        } else if day == last.trading_day || self.is_daily() {
            Place::Last
        } else {
            Place::New(second_in_slot(last.datetime_ns, part))
        }
    }

    /// The number of a bar that is the first of its series: whole durations since 2020. Further bars count on from it, and
    /// never faster than durations pass, so that the first bar after a restart has a greater number than all before.
    /// Where slots may become two bars minutes are counted instead, or the numbers would overtake the time. Zero before
    /// 2020.
    pub(super) const fn first_id(self, datetime_ns: i64) -> i64 {
        let splits = !self.is_daily() && self.ns >= SPLIT_MIN_NS;
        let unit = if splits { MINUTE_NS } else { self.ns };
        number(datetime_ns, unit)
    }

    /// Where the slot of a bar begins; `None` for a day that is unknown.
    fn slot(self, bar: &Bar) -> Option<i64> {
        if !self.is_daily() {
            return Some(floor(bar.datetime_ns, self.ns));
        }
        let day = i64::from(Date::from_yyyymmdd(bar.trading_day)?.days_since_epoch());
        let days = self.ns / DAY_NS;
        let first = SPANS_SINCE_DAYS + (day - SPANS_SINCE_DAYS).div_euclid(days) * days;
        Some(first * DAY_NS - OFFSET_NS)
    }
}

/// The number of a tick that is the first of its series: quarters of a second since 2020.
pub(super) const fn first_tick_id(datetime_ns: i64) -> i64 {
    number(datetime_ns, SECOND_NS / 4)
}

const fn number(datetime_ns: i64, unit: i64) -> i64 {
    let number = datetime_ns.saturating_sub(IDS_SINCE_NS).div_euclid(unit);
    if number < 0 { 0 } else { number }
}

/// The last whole multiple of a duration, counted from Beijing's midnight of 1970-01-01, that is not after a moment.
const fn floor(time_ns: i64, duration_ns: i64) -> i64 {
    (time_ns + OFFSET_NS).div_euclid(duration_ns) * duration_ns - OFFSET_NS
}

/// The datetime of the first bar of a trading day in a slot where another's has begun before: its session's beginning.
/// Around the clock there is none; its minute will do, and when even that is the other bar's, the next nanosecond.
/// Minute bars must lead to the same as ticks, so nothing finer than the minute is looked at.
fn second_in_slot(last_ns: i64, part: &Part) -> i64 {
    let minute = floor(part.bar.datetime_ns, MINUTE_NS);
    let began = part.began_ns;
    if began > last_ns && began <= minute {
        began
    } else if minute > last_ns {
        minute
    } else {
        last_ns + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(datetime_ns: i64, trading_day: u32) -> Bar {
        let price = 1.0;
        let (open, high, low, close) = (price, price, price, price);
        Bar {
            datetime_ns,
            open,
            high,
            low,
            close,
            volume: 0,
            open_oi: 0.0,
            close_oi: 0.0,
            trading_day,
        }
    }

    fn part(datetime_ns: i64, trading_day: u32, began_ns: i64) -> Part {
        Part { bar: bar(datetime_ns, trading_day), began_ns }
    }

    /// A time on 5 March 2026, a Thursday, in Beijing.
    fn at(hour: i64, minute: i64) -> i64 {
        let midnight = Date::parse("20260305").unwrap().days_since_epoch();
        i64::from(midnight) * DAY_NS - OFFSET_NS + hour * HOUR_NS + minute * MINUTE_NS
    }

    fn of(ns: i64) -> BarDuration {
        BarDuration::try_from_ns(ns).unwrap()
    }

    #[test]
    fn durations_are_those_of_the_client_library() {
        for ns in [SECOND_NS, 7 * SECOND_NS, MINUTE_NS, DAY_NS - SECOND_NS, DAY_NS, 28 * DAY_NS] {
            assert_eq!(of(ns).as_ns(), ns);
            assert_eq!(of(ns).is_daily(), ns >= DAY_NS);
        }
        for ns in [i64::MIN, -DAY_NS, 0, 1, SECOND_NS + 1, DAY_NS + SECOND_NS, DAY_NS + HOUR_NS] {
            let bad = BarDuration::try_from_ns(ns).unwrap_err();
            assert!(bad.to_string().contains(&ns.to_string()), "{bad}");
        }
        assert!(of(MINUTE_NS).is_of_minutes() && of(DAY_NS).is_of_minutes());
        assert!(!of(90 * SECOND_NS).is_of_minutes());
    }

    #[test]
    fn hours_begin_with_the_hour_and_days_with_midnight() {
        let hour = of(HOUR_NS);
        for (time, slot) in [(at(9, 0), 9), (at(10, 14), 10), (at(10, 30), 10), (at(13, 30), 13)] {
            assert_eq!(hour.slot(&bar(time, 20_260_305)), Some(at(slot, 0)));
        }
        assert_eq!(hour.slot(&bar(at(21, 59), 20_260_306)), Some(at(21, 0)));
        assert_eq!(of(DAY_NS).slot(&bar(at(21, 0), 20_260_306)), Some(at(24, 0)), "Friday");
        assert_eq!(of(DAY_NS).slot(&bar(at(21, 0), 0)), None);
        // Weeks begin on Mondays.
        assert_eq!(of(7 * DAY_NS).slot(&bar(at(21, 0), 20_260_306)), Some(at(-72, 0)));
        assert_eq!(of(7 * DAY_NS).slot(&bar(at(21, 0), 20_260_309)), Some(at(96, 0)));
    }

    #[test]
    fn a_slot_of_two_trading_days_is_two_bars() {
        let half_day = of(12 * HOUR_NS);
        let (thursday, friday, night) = (20_260_305, 20_260_306, at(21, 0));
        let afternoon = bar(at(12, 0), thursday);
        let place = |last: &Bar, part: Part| half_day.place(Some(last), &part);
        assert_eq!(place(&afternoon, part(at(15, 0), thursday, at(13, 30))), Place::Last);
        assert_eq!(place(&afternoon, part(at(21, 5), friday, night)), Place::New(night));
        let evening = bar(night, friday);
        assert_eq!(place(&evening, part(at(23, 0), friday, night)), Place::Last);
        assert_eq!(place(&evening, part(at(24, 0), friday, night)), Place::New(at(24, 0)));
        assert_eq!(place(&evening, part(at(22, 0), thursday, night)), Place::Nowhere);
        assert_eq!(place(&evening, part(at(11, 0), friday, night)), Place::Nowhere);
        // Around the clock no session begins: the minute does, as long as datetimes grow.
        assert_eq!(place(&afternoon, part(at(21, 5) + 1, friday, 0)), Place::New(at(21, 5)));
        let minute = bar(at(21, 5), thursday);
        let next = BarDuration::MINUTE.place(Some(&minute), &part(at(21, 5) + 9, friday, 0));
        assert_eq!(next, Place::New(at(21, 5) + 1));
    }

    #[test]
    fn ids_come_from_the_time() {
        assert_eq!(BarDuration::MINUTE.first_id(IDS_SINCE_NS + 5 * MINUTE_NS), 5);
        assert_eq!(of(DAY_NS).first_id(IDS_SINCE_NS + 9 * DAY_NS), 9);
        assert_eq!(of(12 * HOUR_NS).first_id(IDS_SINCE_NS + DAY_NS), 1440);
        assert_eq!(first_tick_id(IDS_SINCE_NS + SECOND_NS), 4);
        for before in [i64::MIN, 0, IDS_SINCE_NS - 1] {
            assert_eq!((BarDuration::MINUTE.first_id(before), first_tick_id(before)), (0, 0));
        }
        let last = Date::parse("20361231").unwrap().days_since_epoch();
        let id = first_tick_id(i64::from(last) * DAY_NS);
        assert!(i32::try_from(id).is_ok(), "{id} at the end of 2036");
    }
}

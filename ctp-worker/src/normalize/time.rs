//! Which trading day and which calendar day a tick belongs to, and its time since the epoch (pure).
//!
//! What exchanges send, and what is made of it:
//!
//! | | TradingDay | ActionDay |
//! |---|---|---|
//! | SHFE, INE at night | the next trading day | the calendar day |
//! | DCE, GFEX at night | the next trading day | the next trading day too: no witness |
//! | CZCE at night | the calendar day: corrected by the login's trading day, see below | the calendar day |
//! | some fronts | | empty |
//!
//! * **Trading day:** TradingDay as sent. At CZCE's night it is the calendar day, so when the login's trading day is later,
//!   the trading day that follows the calendar day takes its place, or the login's where that is the earlier of the
//!   two. The login's also stands in when none was sent. It is not taken for all ticks: a front may roll to the next day
//!   without a new login, and last night's snapshot pushed after that would be misdated.
//! * **Calendar day:** ActionDay where it is a witness, that is, before the trading day (by no more than a month).
//!   Otherwise by the hour: from 20:00 the trading day before; before 04:00 that day and one more; else the trading day.
//!   The trading day before needs a calendar of holidays; without one only weekends are skipped.
//! * **CZCE's evening with nothing but one day**, sent twice or with an empty ActionDay, and no login for a later day: it is
//!   either tonight's tick on a connection that was not logged in anew since the day session (the day is the calendar
//!   day, the trading day is the next), or the last evening's tick pushed again in the morning (the day is the trading day,
//!   the calendar day is the one before). The record does not tell them apart, so this machine's clock does, here and
//!   nowhere else: received on that evening or later and not before the tick's own time, it is tonight's. A recording,
//!   received years after its days, is read as pushed again. The same holds for a tick of any exchange that says no trading
//!   day at all, with the login's in its place; and what a later login would correct is left as it is when the tick
//!   was received on the day it says, before the time it says.

use shm_layout::{Date, ExchangeId, NO_TIME, TradingCalendar};

/// A tick's own words about its time, and what helps to read them.
#[derive(Debug, Clone, Copy)]
pub struct RawTime<'a> {
    /// TradingDay as sent.
    pub trading_day: &'a [u8],
    /// ActionDay as sent.
    pub action_day: &'a [u8],
    /// UpdateTime as sent.
    pub update_time: &'a [u8],
    /// UpdateMillisec as sent.
    pub update_millisec: i32,
    /// The exchange, inferred if need be.
    pub exchange: ExchangeId,
    /// The trading day of the login's answer.
    pub login_trading_day: Option<Date>,
    /// When it was received, ns since 1970-01-01 UTC. Only chooses between two days, and only at night.
    pub receive_time_ns: i64,
    /// The trading days.
    pub calendar: &'a TradingCalendar,
}

/// What was derived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The trading day the tick belongs to.
    pub trading_day: Option<Date>,
    /// The calendar day of its time.
    pub action_day: Option<Date>,
    /// Its time in ns since 1970-01-01 UTC, or [`NO_TIME`].
    pub exchange_time_ns: i64,
}

/// From this hour on, a time is of a night session that belongs to the next trading day.
const NIGHT_BEGINS_HOUR: u32 = 20;
/// Before this hour, a time is of the night session that began on the evening before.
const NIGHT_ENDS_HOUR: u32 = 4;
/// CZCE's evening tick is taken for tonight's when received from here on (19:00; the auction is at 20:55) ...
const TONIGHT_BEGINS_S: i64 = 19 * 3600;
/// ... within these days; what is received later comes from a recording ...
const TONIGHT_SEEN_FOR_NS: i64 = 7 * DAY_S * SECOND_NS;
/// ... and not before its own time by more than two clocks may differ.
const CLOCKS_APART_NS: i64 = 600 * SECOND_NS;
/// An ActionDay further back is garbage, not a witness. The longest closure on record has eleven days.
const WITNESS_DAYS_MAX: i32 = 31;
/// Asia/Shanghai is UTC+8 throughout the year.
const SHANGHAI_OFFSET_S: i64 = 8 * 3600;
const DAY_S: i64 = 86_400;
const SECOND_NS: i64 = 1_000_000_000;
const MILLISECOND_NS: i64 = 1_000_000;

/// Derives days and time. What cannot be known stays unknown.
#[must_use]
pub fn derive(raw: &RawTime<'_>) -> Stamp {
    let sent_action_day = Date::from_bytes(raw.action_day);
    let Some(time) = TimeOfDay::parse(raw.update_time) else {
        let trading_day = Date::from_bytes(raw.trading_day).or(raw.login_trading_day);
        return Stamp { trading_day, action_day: sent_action_day, exchange_time_ns: NO_TIME };
    };
    if let Some(tonight) = tonight_at_zhengzhou(raw, time, sent_action_day) {
        return Stamp {
            trading_day: Some(raw.calendar.trading_day_after(tonight)),
            action_day: Some(tonight),
            exchange_time_ns: time.on_ns(tonight, raw.update_millisec),
        };
    }
    let trading_day = trading_day(raw, time);
    let action_day = match trading_day {
        Some(day) => Some(action_day(day, sent_action_day, time, raw.calendar)),
        None => sent_action_day,
    };
    let exchange_time_ns = action_day.map_or(NO_TIME, |day| time.on_ns(day, raw.update_millisec));
    Stamp { trading_day, action_day, exchange_time_ns }
}

fn trading_day(raw: &RawTime<'_>, time: TimeOfDay) -> Option<Date> {
    let login = raw.login_trading_day;
    let Some(sent) = Date::from_bytes(raw.trading_day) else { return login };
    let calendar_day_sent = raw.exchange == ExchangeId::CZCE && time.is_night();
    match login {
        // A login may be a day ahead of a snapshot: the night's own day is never later than what follows it.
        Some(login) if calendar_day_sent && sent < login && !raw.comes_before(sent, time) => {
            Some(login.min(day_of_night(sent, time, raw.calendar)))
        }
        _ => Some(sent),
    }
}

/// The trading day of a night session's tick by its calendar day. Nights are held only where no holiday follows, so this
/// needs no list of them.
fn day_of_night(calendar_day: Date, time: TimeOfDay, calendar: &TradingCalendar) -> Date {
    if time.hour < NIGHT_ENDS_HOUR && calendar.is_trading_day(calendar_day) {
        calendar_day
    } else {
        calendar.trading_day_after(calendar_day)
    }
}

/// The calendar day of a tick that says only one day in the evening, if that day is the evening's own. At CZCE it is the
/// tick's; a tick of any exchange that says no trading day has the login's.
fn tonight_at_zhengzhou(
    raw: &RawTime<'_>,
    time: TimeOfDay,
    sent_action_day: Option<Date>,
) -> Option<Date> {
    let day = match Date::from_bytes(raw.trading_day) {
        Some(sent) if raw.exchange == ExchangeId::CZCE => sent,
        Some(_) => return None,
        None => raw.login_trading_day?,
    };
    let says_one_day = sent_action_day.is_none_or(|sent| sent == day);
    let corrected_by_login = raw.login_trading_day.is_some_and(|login| login > day);
    if time.hour < NIGHT_BEGINS_HOUR || !says_one_day || corrected_by_login {
        return None;
    }
    let received = raw.receive_time_ns;
    let begins = midnight_ns(day) + TONIGHT_BEGINS_S * SECOND_NS;
    let is_of_that_night = (begins..=begins + TONIGHT_SEEN_FOR_NS).contains(&received);
    let has_happened =
        time.on_ns(day, raw.update_millisec) <= received.saturating_add(CLOCKS_APART_NS);
    (is_of_that_night && has_happened).then_some(day)
}

/// When a day begins in Shanghai, ns since the epoch.
fn midnight_ns(day: Date) -> i64 {
    (i64::from(day.days_since_epoch()) * DAY_S - SHANGHAI_OFFSET_S) * SECOND_NS
}

// === impl RawTime ===

impl RawTime<'_> {
    /// True when this time cannot be that day's: it was received on that very day, and earlier.
    fn comes_before(&self, day: Date, time: TimeOfDay) -> bool {
        let begins = midnight_ns(day);
        let on_that_day = (begins..begins + DAY_S * SECOND_NS).contains(&self.receive_time_ns);
        on_that_day && time.on_ns(day, 0) > self.receive_time_ns.saturating_add(CLOCKS_APART_NS)
    }
}

fn action_day(
    trading_day: Date,
    sent: Option<Date>,
    time: TimeOfDay,
    calendar: &TradingCalendar,
) -> Date {
    let witness = sent
        .filter(|sent| *sent < trading_day && *sent >= trading_day.plus_days(-WITNESS_DAYS_MAX));
    match witness {
        Some(witness) => witness,
        None if time.hour >= NIGHT_BEGINS_HOUR => calendar.trading_day_before(trading_day),
        None if time.hour < NIGHT_ENDS_HOUR => {
            calendar.trading_day_before(trading_day).plus_days(1)
        }
        None => trading_day,
    }
}

/// A wall clock's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct TimeOfDay {
    hour: u32,
    minute: u32,
    second: u32,
}

// === impl TimeOfDay ===

impl TimeOfDay {
    /// Takes `HH:MM:SS`; `None` for anything else, such as an empty text or 24:00:00.
    fn parse(text: &[u8]) -> Option<Self> {
        let [h1, h0, b':', m1, m0, b':', s1, s0] = *text else { return None };
        let two = |tens: u8, ones: u8| {
            let digits = tens.is_ascii_digit() && ones.is_ascii_digit();
            digits.then(|| u32::from(tens - b'0') * 10 + u32::from(ones - b'0'))
        };
        let time = Self { hour: two(h1, h0)?, minute: two(m1, m0)?, second: two(s1, s0)? };
        (time.hour < 24 && time.minute < 60 && time.second < 60).then_some(time)
    }

    const fn is_night(self) -> bool {
        self.hour >= NIGHT_BEGINS_HOUR || self.hour < NIGHT_ENDS_HOUR
    }

    /// This time on a day, ns since the epoch. Milliseconds outside 0 to 999 count as none.
    fn on_ns(self, day: Date, millisec: i32) -> i64 {
        let seconds = i64::from(self.hour * 3600 + self.minute * 60 + self.second);
        let millisec = if (0..1000).contains(&millisec) { i64::from(millisec) } else { 0 };
        midnight_ns(day) + seconds * SECOND_NS + millisec * MILLISECOND_NS
    }
}

#[cfg(test)]
mod tests;

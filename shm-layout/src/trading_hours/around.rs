//! Which session a tick belongs to that comes a little before one or after one (pure).
//!
//! Exchanges send ticks that carry a session's end, some seconds after it too, and before the first session of a day or
//! a night those of its call auction. They are that session's; what comes at any other time outside sessions
//! (settlement prices in the afternoon, snapshots at midnight) is none's.

use super::{Hours, HoursClass, MINUTE_MS, Span, TradingHours, TradingSession};
use crate::calendar::{ShanghaiTime, TradingCalendar};
use crate::date::Date;

/// For so long after a session's end ticks still belong to it, in milliseconds.
pub const CLOSING_TICKS_MS: i64 = 3 * MINUTE_MS;

/// For so long before the first session of a day or a night ticks belong to it already, in milliseconds.
pub const AUCTION_TICKS_MS: i64 = 30 * MINUTE_MS;

/// The session a moment belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Around {
    /// The session.
    pub session: TradingSession,
    /// Where the moment lies.
    pub relation: Relation,
}

/// Where a moment lies, seen from the session it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// Before it began: in the half hour before the first session of a day or a night, or in the pause since the one
    /// before.
    Before,
    /// From its beginning until its end, which is exclusive.
    Within,
    /// At its end or less than [`CLOSING_TICKS_MS`] after it.
    After,
}

/// A session that is held.
#[derive(Debug, Clone, Copy)]
struct Held {
    session: TradingSession,
    /// The day it belongs to, or the day of its evening.
    day: Date,
    night: bool,
}

// === impl TradingHours ===

impl TradingHours {
    /// The session a tick of this moment belongs to, in milliseconds since 1970-01-01 UTC; `None` when it belongs to none.
    ///
    /// A pause belongs to the session before it for [`CLOSING_TICKS_MS`], then to the one after it. A session that the
    /// calendar cuts off or drops is not waited for.
    #[must_use]
    pub fn nearest(&self, class: HoursClass, unix_ms: i64) -> Option<Around> {
        if let Some(session) = self.session(class, unix_ms) {
            return Some(Around { session, relation: Relation::Within });
        }
        let Some(Hours::Sessions(spans)) = self.classes.get(class.0 as usize) else { return None };
        let today = ShanghaiTime::at(unix_ms)?.date;
        let (mut ended, mut next) = (None::<Held>, None::<Held>);
        for day in [-1, 0, 1].map(|days| today.plus_days(days)) {
            for held in spans.iter().filter_map(|span| self.held_on(day, *span)) {
                let TradingSession { began_ms, ends_ms } = held.session;
                if ends_ms <= unix_ms && ended.is_none_or(|last| last.session.ends_ms < ends_ms) {
                    ended = Some(held);
                }
                if began_ms > unix_ms && next.is_none_or(|first| began_ms < first.session.began_ms)
                {
                    next = Some(held);
                }
            }
        }
        if let Some(Held { session, .. }) = ended
            && unix_ms - session.ends_ms < CLOSING_TICKS_MS
        {
            return Some(Around { session, relation: Relation::After });
        }
        let next = next?;
        let pause = ended.is_some_and(|last| last.day == next.day && last.night == next.night);
        let near = next.session.began_ms - unix_ms <= AUCTION_TICKS_MS;
        (pause || near).then_some(Around { session: next.session, relation: Relation::Before })
    }

    /// The trading day of a session: the day it is held on, for a night the next one. `None` around the clock, where no
    /// session begins anywhere.
    #[must_use]
    pub fn trading_day_of(&self, session: TradingSession) -> Option<Date> {
        if session.ends_ms == i64::MAX {
            return None;
        }
        let began = ShanghaiTime::at(session.began_ms)?;
        let minute = u32::try_from(began.ms_of_day / MINUTE_MS).ok()?;
        Some(trading_day(&self.calendar, began.date, minute))
    }

    fn held_on(&self, day: Date, span: Span) -> Option<Held> {
        let end = self.end_on(day, span).filter(|end| *end > span.begin)?;
        let at = |minute: u32| ShanghaiTime::unix_ms(day, i64::from(minute) * MINUTE_MS);
        let session = TradingSession { began_ms: at(span.begin), ends_ms: at(end) };
        Some(Held { session, day, night: span.is_night() })
    }
}

/// The trading day of a session that begins at this minute of a day.
fn trading_day(calendar: &TradingCalendar, date: Date, minute: u32) -> Date {
    if minute >= super::NIGHT_BEGINS {
        return calendar.trading_day_after(date);
    }
    // A night's second part that is listed alone begins after midnight, on a day that is the evening's next.
    let of_last_evening = minute < super::NIGHT_ENDS && calendar.has_night(date.plus_days(-1));
    if of_last_evening { calendar.trading_day_after(date.plus_days(-1)) } else { date }
}

#[cfg(test)]
mod tests;

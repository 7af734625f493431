//! When instruments trade, by their product and the calendar (pure).
//!
//! * A day session is held on every trading day of the [`TradingCalendar`], and ends early where the calendar says so.
//! * A session that begins at 18:00 or later is a night session: it is held on the evenings of [`TradingCalendar::has_night`].
//!   What it has after midnight belongs to that evening: Friday's runs on until Saturday 02:30. A session from midnight
//!   on that ends by 06:00 is a night's second part.
//! * Hours of `00:00-24:00` are around the clock on every day, weekends and holidays included, as the fronts that replay
//!   a market day and night do; the calendar says nothing about these.
//! * An instrument's product are the letters its id begins with, see [`crate::product::product_of`]: options trade with
//!   their underlying product, combinations with their first leg.
//! * A product that nobody lists counts as trading only while all products do (09:30-10:15, 10:30-11:30, 13:30-15:00).
//!   Hours decide whether silence is a fault, so hours too short overlook one for a while, and hours too long would
//!   find faults every day.
//!
//! Ends are exclusive here, while exchanges still send ticks that carry a session's end: [`TradingHours::nearest`] says
//! which session those belong to.

use std::collections::HashMap;

use crate::calendar::{ShanghaiTime, TradingCalendar};
use crate::date::Date;
use crate::instrument_id::InstrumentId;
use crate::product::product_of;

mod around;
mod builtin;
mod file;

pub use around::{AUCTION_TICKS_MS, Around, CLOSING_TICKS_MS, Relation};
pub use builtin::{DaySessions, Minutes, Night, ProductHours, hours_of};
pub use file::HoursFault;
use file::HoursFile;

/// When every instrument trades.
#[derive(Debug, Clone, PartialEq)]
pub struct TradingHours {
    calendar: TradingCalendar,
    classes: Vec<Hours>,
    products: HashMap<ProductKey, HoursClass>,
    /// The class of all other products.
    others: HoursClass,
}

/// Products that trade at the same time. It means something only to the [`TradingHours`] it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HoursClass(u32);

/// A trading session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TradingSession {
    /// Since when it has run, in milliseconds since 1970-01-01 UTC; 0 when trading never pauses.
    pub began_ms: i64,
    /// Until when, exclusively, in milliseconds since 1970-01-01 UTC; `i64::MAX` when trading never pauses.
    pub ends_ms: i64,
}

/// The hours of one class.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Hours {
    /// Around the clock, whatever the calendar says.
    Always,
    /// In order, without overlap.
    Sessions(Vec<Span>),
}

/// A session's time on the day it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Span {
    /// Minutes since midnight of the day whose session or whose evening's session it is; for a night's second part
    /// beyond 24:00.
    begin: u32,
    /// The same; beyond 24:00 for what ends on the next calendar day.
    end: u32,
}

/// Why two times make no session.
enum SpanFault {
    /// Its end is its beginning.
    Empty,
}

/// A product's letters without regard to case: product ids are unique even so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct ProductKey([u8; ProductKey::LETTERS_MAX]);

const MINUTES_PER_DAY: u32 = 24 * 60;
const MINUTE_MS: i64 = 60_000;
/// From 18:00 on a session is a night's.
const NIGHT_BEGINS: u32 = 18 * 60;
/// A session that begins after midnight and ends by 06:00 is a night's second part.
const NIGHT_ENDS: u32 = 6 * 60;

// === impl TradingHours ===

impl TradingHours {
    /// The hours that are built in: those of 2026.
    #[must_use]
    pub fn new(calendar: TradingCalendar) -> Self {
        Self::with(calendar, HoursFile::default())
    }

    /// The hours that are built in, with those of a file in their place where it names a product.
    ///
    /// One line a product, `product,sessions`, with blanks between sessions and comments after `#`:
    ///
    /// ```text
    /// rb,21:00-23:00 09:00-10:15 10:30-11:30 13:30-15:00
    /// au,21:00-02:30 09:00-10:15 10:30-11:30 13:30-15:00
    /// wr,
    /// *,00:00-24:00
    /// ```
    ///
    /// A session that ends before it begins crosses midnight; a product without sessions never trades; `*` are all
    /// products that the file does not name, built in or not.
    ///
    /// # Errors
    /// Every fault of the file, in its order; never empty.
    pub fn parse(text: &str, calendar: TradingCalendar) -> Result<Self, Vec<HoursFault>> {
        Ok(Self::with(calendar, HoursFile::parse(text)?))
    }

    fn with(calendar: TradingCalendar, file: HoursFile) -> Self {
        let others = HoursClass(0);
        let first =
            file.default.clone().unwrap_or_else(|| Hours::of_minutes(&builtin::COMMON_TO_ALL));
        let mut hours =
            Self { calendar, classes: vec![first.clone()], products: HashMap::new(), others };
        let mut known = HashMap::from([(first, others)]);
        if file.default.is_none() {
            for (product, listed) in builtin::products() {
                let Some(key) = ProductKey::of(product) else { continue };
                let night = listed.night.minutes();
                let all: Vec<_> = listed.day.minutes().iter().copied().chain(night).collect();
                hours.set(&mut known, key, Hours::of_minutes(&all));
            }
        }
        for (key, listed) in file.products {
            hours.set(&mut known, key, listed);
        }
        hours
    }

    fn set(&mut self, known: &mut HashMap<Hours, HoursClass>, product: ProductKey, hours: Hours) {
        let class = *known.entry(hours).or_insert_with_key(|hours| {
            self.classes.push(hours.clone());
            HoursClass(u32::try_from(self.classes.len() - 1).unwrap_or(u32::MAX))
        });
        self.products.insert(product, class);
    }

    /// The trading days in use.
    #[must_use]
    pub const fn calendar(&self) -> &TradingCalendar {
        &self.calendar
    }

    /// The class of an instrument's product. Ask once per instrument and keep it: [`Self::in_session`] is then cheap.
    #[must_use]
    pub fn class_of(&self, instrument: &InstrumentId) -> HoursClass {
        let key = ProductKey::of(product_of(instrument.as_str()));
        key.and_then(|key| self.products.get(&key).copied()).unwrap_or(self.others)
    }

    /// True when a class trades at this moment, in milliseconds since 1970-01-01 UTC.
    #[must_use]
    pub fn in_session(&self, class: HoursClass, unix_ms: i64) -> bool {
        self.session(class, unix_ms).is_some()
    }

    /// The session of a class at this moment, in milliseconds since 1970-01-01 UTC; `None` when none is held.
    #[must_use]
    pub fn session(&self, class: HoursClass, unix_ms: i64) -> Option<TradingSession> {
        let spans = match self.classes.get(class.0 as usize)? {
            Hours::Always => return Some(TradingSession { began_ms: 0, ends_ms: i64::MAX }),
            Hours::Sessions(spans) => spans,
        };
        let now = ShanghaiTime::at(unix_ms)?;
        // A session of yesterday may have crossed midnight.
        let days = [(now.date, 0), (now.date.plus_days(-1), ShanghaiTime::DAY_MS)];
        days.into_iter().find_map(|(day, gone_ms)| {
            let minute = u32::try_from((now.ms_of_day + gone_ms) / MINUTE_MS).ok()?;
            let span = spans.iter().find(|span| (span.begin..span.end).contains(&minute))?;
            let end = self.end_on(day, *span).filter(|end| minute < *end)?;
            let at = |minute: u32| ShanghaiTime::unix_ms(day, i64::from(minute) * MINUTE_MS);
            Some(TradingSession { began_ms: at(span.begin), ends_ms: at(end) })
        })
    }

    /// The session of an instrument at this moment, in milliseconds since 1970-01-01 UTC; `None` when none is held.
    #[must_use]
    pub fn session_at(&self, instrument: &InstrumentId, unix_ms: i64) -> Option<TradingSession> {
        self.session(self.class_of(instrument), unix_ms)
    }

    /// The sessions of a class on an ordinary day: those by day and those at night, each in minutes since midnight of the day
    /// it begins on; beyond 24:00 it is the next calendar day. Around the clock is one session by day.
    #[must_use]
    pub fn day_and_night(&self, class: HoursClass) -> (Vec<Minutes>, Vec<Minutes>) {
        match self.classes.get(class.0 as usize) {
            None => (Vec::new(), Vec::new()),
            Some(Hours::Always) => (vec![(0, MINUTES_PER_DAY)], Vec::new()),
            Some(Hours::Sessions(spans)) => {
                let of = |night| {
                    let those = spans.iter().filter(move |span| span.is_night() == night);
                    those.map(|span| (span.begin, span.end)).collect()
                };
                (of(false), of(true))
            }
        }
    }

    /// When a session of this day or of its evening ends; `None` when it is not held.
    fn end_on(&self, day: Date, span: Span) -> Option<u32> {
        if span.is_night() {
            return self.calendar.has_night(day).then_some(span.end);
        }
        let held = self.calendar.is_trading_day(day);
        held.then(|| self.calendar.closes_early(day).map_or(span.end, |end| end.min(span.end)))
    }
}

// === impl Hours ===

impl Hours {
    /// Puts sessions in order, and those that touch together: a session that is written in two parts is one.
    fn of(mut spans: Vec<Span>) -> Self {
        if spans.iter().any(|span| span.begin == 0 && span.end == MINUTES_PER_DAY) {
            return Self::Always;
        }
        spans.sort_unstable();
        let mut merged: Vec<Span> = Vec::with_capacity(spans.len());
        for span in spans {
            match merged.last_mut() {
                Some(last) if last.end == span.begin && last.is_night() == span.is_night() => {
                    last.end = span.end;
                }
                _ => merged.push(span),
            }
        }
        Self::Sessions(merged)
    }

    fn of_minutes(sessions: &[builtin::Minutes]) -> Self {
        Self::of(sessions.iter().map(|&(begin, end)| Span { begin, end }).collect())
    }
}

// === impl Span ===

impl Span {
    /// A session between two times of day, in minutes since midnight.
    fn of(begin: u32, end: u32) -> Result<Self, SpanFault> {
        if begin == end {
            return Err(SpanFault::Empty);
        }
        let end = if end < begin { end + MINUTES_PER_DAY } else { end };
        let belongs_to_last_evening = end <= NIGHT_ENDS;
        let shift = if belongs_to_last_evening { MINUTES_PER_DAY } else { 0 };
        Ok(Self { begin: begin + shift, end: end + shift })
    }

    const fn is_night(self) -> bool {
        self.begin >= NIGHT_BEGINS
    }

    /// True when the two have time in common, on the same day or one on the day before the other.
    fn overlaps(&self, other: &Self) -> bool {
        let shares = |one: &Self, two: &Self| one.begin < two.end && two.begin < one.end;
        let next_day = |span: &Self| Self {
            begin: span.begin + MINUTES_PER_DAY,
            end: span.end + MINUTES_PER_DAY,
        };
        shares(self, other) || shares(self, &next_day(other)) || shares(&next_day(self), other)
    }
}

// === impl ProductKey ===

impl ProductKey {
    /// The most letters a product may have; no exchange uses more than two.
    const LETTERS_MAX: usize = 16;

    /// The key of a product; `None` for what is no product.
    fn of(product: &str) -> Option<Self> {
        let bytes = product.as_bytes();
        let fits = (1..=Self::LETTERS_MAX).contains(&bytes.len());
        if !fits || !bytes.iter().all(u8::is_ascii_alphabetic) {
            return None;
        }
        let mut key = [0; Self::LETTERS_MAX];
        key[..bytes.len()].copy_from_slice(bytes);
        key.make_ascii_lowercase();
        Some(Self(key))
    }
}

#[cfg(test)]
mod tests;

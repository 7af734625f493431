//! The way of one instrument through one trading day: price, volume, turnover, open interest.
//!
//! Everything is a pure function of (seed, instrument, trading day, time), so that two libraries
//! with one seed and one clock send the same market, and one started at noon knows the morning. A
//! day is a walk over its trading minutes, tied to the next day's opening price; within a minute
//! the price changes every half second and volume grows by the millisecond.

use std::sync::Arc;

use crate::calendar::{Calendar, Date};
use crate::hash::{mix, nth, signed, unit};
use crate::market::listing::Listing;
use crate::products::PriceTick;
use crate::sessions::{MINUTE_MS, Progress, Schedule};

/// How often the last price may change.
const SLOT_MS: u32 = 500;
const SLOTS_PER_MINUTE: u32 = MINUTE_MS / SLOT_MS;

// Streams of noise under a day's key.
const STEP: u64 = 1 << 32;
const LOTS: u64 = 2 << 32;
const INTEREST: u64 = 3 << 32;
const JITTER: u64 = 4 << 32;
const RANGE: u64 = 5 << 32;

/// What does not change during a trading day; prices in ticks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DayFacts {
    pub(crate) trading_day: Date,
    /// The day on whose evening the trading day begins.
    pub(crate) evening: Date,
    pub(crate) pre_settlement: i64,
    pub(crate) pre_close: i64,
    pub(crate) settlement: i64,
    pub(crate) upper: i64,
    pub(crate) lower: i64,
    pub(crate) pre_open_interest: f64,
    /// Names the day's streams of noise.
    pub(crate) key: u64,
}

impl DayFacts {
    /// Noise that is the same for all instruments on this day.
    pub(crate) fn key_of_day(&self) -> u64 {
        mix(self.trading_day.local_ms() as u64)
    }
}

/// What has been traded so far; prices in ticks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Traded {
    pub(crate) last: i64,
    pub(crate) open: i64,
    pub(crate) high: i64,
    pub(crate) low: i64,
    pub(crate) volume: i64,
    /// In yuan.
    pub(crate) turnover: f64,
    pub(crate) open_interest: f64,
}

/// A day's path with a cursor that moves forward.
#[derive(Debug, Clone)]
pub(crate) struct DayPath {
    pub(crate) facts: DayFacts,
    pub(crate) schedule: Arc<Schedule>,
    tick: PriceTick,
    multiplier: f64,
    lots_per_minute: f64,
    opening: f64,
    closing: f64,
    swing: f64,
    /// Sum of the whole day's steps.
    walk_total: f64,
    cursor: Cursor,
}

/// The minute the path stands in, and what was before it.
#[derive(Debug, Clone, Copy)]
struct Cursor {
    minute: usize,
    slot: u32,
    /// Sum of the steps of the minutes before.
    walk: f64,
    from: i64,
    to: i64,
    /// What this minute trades.
    lots: i64,
    interest_after: f64,
    /// At the last slot looked at; volume, turnover and open interest as this minute began.
    traded: Traded,
}

impl DayPath {
    /// The path of an instrument on a trading day.
    pub(crate) fn new(
        listing: &Listing,
        trading_day: Date,
        calendar: &Calendar,
        schedule: Arc<Schedule>,
    ) -> Self {
        let evening = calendar.before(trading_day);
        let opening = listing.opening_price(trading_day);
        let closing = listing.opening_price(calendar.after(trading_day));
        let tick = listing.tick;
        // A day settles halfway between its opening and its closing price.
        let pre_settlement = tick.ticks((listing.opening_price(evening) + opening) / 2.0);
        let (upper, lower) = listing.limits(pre_settlement);
        let key = nth(listing.key, trading_day.local_ms() as u64);
        let wobble = 0.2 * signed(nth(key, INTEREST));
        let facts = DayFacts {
            trading_day,
            evening,
            pre_settlement,
            pre_close: tick.ticks(opening).clamp(lower, upper),
            settlement: tick.ticks((opening + closing) / 2.0).clamp(lower, upper),
            upper,
            lower,
            pre_open_interest: (listing.open_interest * (1.0 + wobble)).round(),
            key,
        };
        let minutes = schedule.minute_count();
        let walk_total = (0..minutes).map(|minute| step(key, minute)).sum();
        let mut path = Self {
            facts,
            tick,
            multiplier: listing.multiplier,
            lots_per_minute: listing.lots_per_day / minutes as f64,
            opening,
            closing,
            swing: listing.swing(opening),
            walk_total,
            schedule,
            cursor: Cursor::unset(facts),
        };
        path.cursor = path.first_minute();
        path
    }

    /// What has been traded when the day has come so far. `None` when nothing was.
    pub(crate) fn traded(&mut self, progress: Progress) -> Option<Traded> {
        if self.lots_per_minute <= 0.0 {
            return None;
        }
        let slot = progress.ms / SLOT_MS;
        if (progress.minute, slot) < (self.cursor.minute, self.cursor.slot) {
            self.cursor = self.first_minute();
        }
        while self.cursor.minute < progress.minute {
            self.cursor = self.next_minute();
        }
        while self.cursor.slot < slot {
            self.cursor.slot += 1;
            let last = self.price_at(self.cursor.slot);
            let traded = &mut self.cursor.traded;
            traded.last = last;
            traded.high = traded.high.max(last);
            traded.low = traded.low.min(last);
        }
        Some(self.within_minute(progress.ms))
    }

    fn within_minute(&self, ms: u32) -> Traded {
        let cursor = &self.cursor;
        let lots = cursor.lots * i64::from(ms) / i64::from(MINUTE_MS);
        let mut traded = cursor.traded;
        traded.volume += lots;
        traded.turnover += self.turnover_of(lots);
        if ms == MINUTE_MS {
            traded.open_interest = cursor.interest_after;
        }
        traded
    }

    // All lots of a minute change hands at its middle price: turnover only grows with volume.
    fn turnover_of(&self, lots: i64) -> f64 {
        let doubled = self.cursor.from + self.cursor.to;
        lots as f64 * self.tick.price(doubled) / 2.0 * self.multiplier
    }

    fn price_at(&self, slot: u32) -> i64 {
        let Cursor { from, to, minute, .. } = self.cursor;
        if slot >= SLOTS_PER_MINUTE {
            return to;
        }
        let noise = signed(nth(self.facts.key, JITTER + (minute as u64) * 128 + u64::from(slot)));
        let swing_ticks = self.swing / self.tick.price(1);
        let jitter = (noise * (swing_ticks / 4.0).max(1.2)) as i64;
        let straight = from + (to - from) * i64::from(slot) / i64::from(SLOTS_PER_MINUTE);
        let (low, high) = self.minute_range();
        (straight + jitter).clamp(low, high)
    }

    // The minute's extremes are fixed beforehand: who comes later must know them without its slots.
    fn minute_range(&self) -> (i64, i64) {
        let Cursor { from, to, minute, .. } = self.cursor;
        let noise = nth(self.facts.key, RANGE + minute as u64);
        let swing_ticks = self.swing / self.tick.price(1);
        let reach = 1 + (unit(noise) * swing_ticks / 4.0) as i64;
        let low = (from.min(to) - reach).max(self.facts.lower);
        let high = (from.max(to) + reach).min(self.facts.upper);
        (low, high)
    }

    /// The price at the beginning of a minute, when the walk has come so far.
    fn price_of(&self, minute: usize, walk: f64) -> i64 {
        let part = minute as f64 / self.schedule.minute_count() as f64;
        let straight = self.opening + (self.closing - self.opening) * part;
        let price = straight + self.swing * (walk - part * self.walk_total);
        self.tick.ticks(price).clamp(self.facts.lower, self.facts.upper)
    }

    fn first_minute(&self) -> Cursor {
        let mut cursor = Cursor::unset(self.facts);
        self.enter(&mut cursor, 0);
        let open = cursor.from;
        cursor.traded = Traded { last: open, open, high: open, low: open, ..cursor.traded };
        cursor
    }

    fn next_minute(&self) -> Cursor {
        let mut cursor = self.cursor;
        let (low, high) = self.minute_range();
        let traded = &mut cursor.traded;
        traded.volume += cursor.lots;
        traded.turnover += self.turnover_of(cursor.lots);
        traded.open_interest = cursor.interest_after;
        traded.last = cursor.to;
        traded.high = traded.high.max(high);
        traded.low = traded.low.min(low);
        cursor.walk += step(self.facts.key, cursor.minute);
        let minute = cursor.minute + 1;
        self.enter(&mut cursor, minute);
        cursor
    }

    fn enter(&self, cursor: &mut Cursor, minute: usize) {
        let key = self.facts.key;
        cursor.minute = minute;
        cursor.slot = 0;
        cursor.from = self.price_of(minute, cursor.walk);
        cursor.to = self.price_of(minute + 1, cursor.walk + step(key, minute));
        let noise = nth(key, LOTS + minute as u64);
        let mean = self.lots_per_minute * (0.4 + 1.2 * unit(noise));
        // The auction, minute 0, always trades: what trades at all has an opening price.
        cursor.lots = (mean + unit(noise.rotate_left(32))).max(f64::from(minute == 0)) as i64;
        let change = signed(nth(key, INTEREST + 1 + minute as u64)) * cursor.lots as f64 * 0.2;
        cursor.interest_after = (cursor.traded.open_interest + change).round().max(0.0);
    }
}

impl Cursor {
    fn unset(facts: DayFacts) -> Self {
        let price = facts.pre_close;
        let traded = Traded {
            last: price,
            open: price,
            high: price,
            low: price,
            volume: 0,
            turnover: 0.0,
            open_interest: facts.pre_open_interest,
        };
        let interest_after = facts.pre_open_interest;
        Self {
            minute: 0,
            slot: 0,
            walk: 0.0,
            from: price,
            to: price,
            lots: 0,
            interest_after,
            traded,
        }
    }
}

fn step(key: u64, minute: usize) -> f64 {
    signed(nth(key, STEP + minute as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instrument::InstrumentId;
    use crate::sessions::position;
    use proptest::prelude::*;

    fn path(id: &str, seed: u64, day: &str) -> DayPath {
        let listing = Listing::of(&InstrumentId::new(id.as_bytes()), seed);
        let schedule = Arc::new(Schedule::new(listing.hours, true));
        DayPath::new(&listing, Date::parse(day).unwrap(), &Calendar::default(), schedule)
    }

    #[test]
    fn a_day_closes_where_the_next_one_opens() {
        let (mut today, next) = (path("rb2505", 1, "20250304"), path("rb2505", 1, "20250305"));
        let end = today.schedule.progress(position(15, 0)).unwrap();
        assert_eq!(today.traded(end).unwrap().last, next.facts.pre_close);
        assert_eq!(today.facts.settlement, next.facts.pre_settlement);
    }

    #[test]
    fn what_is_only_quoted_trades_nothing() {
        let idle = (0..100)
            .map(|strike| path(&format!("m2505-C-{}", 2000 + strike * 50), 1, "20250304"))
            .find(|path| path.lots_per_minute <= 0.0);
        let mut idle = idle.unwrap();
        let end = idle.schedule.progress(position(15, 0)).unwrap();
        assert_eq!(idle.traded(end), None);
    }

    proptest! {
        #[test]
        fn a_day_is_consistent_and_the_same_for_all(
            seed: u64, which in 0..6usize,
            mut at in proptest::collection::vec(0..20 * 60 * MINUTE_MS, 2..60),
        ) {
            let id = ["rb2505", "IF2503", "TS2503", "SR505", "SP a2505&a2509", "sc2506P500"][which];
            let mut steady = path(id, seed, "20250304");
            let DayFacts { upper, lower, .. } = steady.facts;
            at.sort_unstable();
            let mut before: Option<Traded> = None;
            for &ms in &at {
                let Some(progress) = steady.schedule.progress(ms) else { continue };
                let Some(now) = steady.traded(progress) else { continue };
                // One that starts here and now sees the same.
                let late = path(id, seed, "20250304").traded(progress);
                prop_assert_eq!(late, Some(now));
                prop_assert!(lower <= now.low && now.low <= now.last, "{:?}", now);
                prop_assert!(now.last <= now.high && now.high <= upper, "{:?}", now);
                prop_assert!(now.low <= now.open && now.open <= now.high, "{:?}", now);
                prop_assert!(now.volume > 0);
                prop_assert!(now.open_interest >= 0.0);
                if let Some(before) = before {
                    prop_assert!(before.volume <= now.volume);
                    prop_assert!(before.high <= now.high && before.low >= now.low);
                    prop_assert_eq!(before.open, now.open);
                    if now.last > 0 && now.low > 0 {
                        prop_assert!(before.turnover <= now.turnover * (1.0 + 1e-12));
                    }
                }
                before = Some(now);
            }
        }
    }
}

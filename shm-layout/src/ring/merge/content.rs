//! What of a tick tells it from another one of its instrument, and what says which of the two is the later one. Pure.
//!
//! Two workers' copies of one tick are not equal byte by byte. Left out of the comparison, and why:
//! * who published it, when and why; what a worker derived (days, time, exchange): it depends on the worker's login and clock;
//! * TradingDay, ActionDay, ExchangeID, ExchangeInstID as sent: some fronts leave them empty, or put the login's in;
//! * Turnover and AveragePrice: at CZCE they are synthesised on the way. They never change without Volume;
//! * levels 2 to 5: not every front has them;
//! * price bands: older libraries do not have them; open, high, low, limits and the day before: they change with a trade,
//!   or not within a day;
//! * the last digits of prices, which are noise of their computation, and whether "none" is written as 0.
//!
//! What is left changes with whatever an exchange has to say. Should a front send even that differently, nothing breaks: its
//! ticks are then no copies, and go by time and volume alone.

use std::cmp::Ordering;

use crate::tick::{NO_TIME, Tick, price_of};

/// The finest price tick is 0.0001.
const PRICE_STEPS: f64 = 10_000.0;

/// Where a tick stands in its instrument's history, by what the exchange says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    /// The exchange's time in nanoseconds; without one the trading day, below all times.
    pub(super) when: i64,
    /// Lots traded since the trading day began.
    pub(super) volume: i32,
}

// === impl Moment ===

impl Moment {
    /// Times from here on are times.
    const TIMES_BEGIN: i64 = NO_TIME + (1 << 32);

    pub(super) fn of(tick: &Tick) -> Self {
        let when = match tick.exchange_time_ns {
            NO_TIME => NO_TIME + i64::from(tick.trading_day),
            time => time.max(Self::TIMES_BEGIN),
        };
        Self { when, volume: tick.volume }
    }

    /// The order of two ticks of one instrument. None when only one of them has a time. Equal ones may still be two: CZCE
    /// sends several ticks a second, dated by the second.
    pub(super) fn order(self, other: Self) -> Option<Ordering> {
        let comparable = (self.when >= Self::TIMES_BEGIN) == (other.when >= Self::TIMES_BEGIN);
        comparable.then(|| (self.when, self.volume).cmp(&(other.when, other.volume)))
    }
}

/// True when two ticks are one tick of the exchange, as far as can be known: brought by two workers, or published twice by
/// one. What a worker adds, and what differs between fronts and libraries, does not count. (Exchanges do send exact
/// duplicates now and then; those are taken for one here.)
#[must_use]
pub fn is_same_tick(one: &Tick, other: &Tick) -> bool {
    one.instrument_id == other.instrument_id && identity(one) == identity(other)
}

/// What identifies a tick among those of its instrument.
pub(super) fn identity(tick: &Tick) -> [u64; 8] {
    let best = &tick.levels[0];
    [
        u64::from_le_bytes(tick.raw_update_time),
        pair(tick.update_millisec, tick.volume),
        steps(tick.last_price),
        steps(tick.open_interest),
        quoted(best.bid_price, best.bid_volume),
        quoted(best.ask_price, best.ask_volume),
        pair(best.bid_volume, best.ask_volume),
        steps(tick.settlement_price),
    ]
}

fn pair(high: i32, low: i32) -> u64 {
    u64::from(high.cast_unsigned()) << 32 | u64::from(low.cast_unsigned())
}

/// A price where something is bid or asked; else it is 0 or the sentinel, as the front likes.
fn quoted(price: f64, volume: i32) -> u64 {
    if volume == 0 { 0 } else { steps(price) }
}

/// A number in its finest steps, without noise; none is 0.
fn steps(raw: f64) -> u64 {
    price_of(raw).map_or(0, |price| {
        // Rounded by hand: the function for it is a call. The cast saturates.
        ((price * PRICE_STEPS + 0.5_f64.copysign(price)) as i64).cast_unsigned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tick::{Level, NO_PRICE};

    fn sample() -> Tick {
        let mut levels = Tick::EMPTY.levels;
        levels[0] = Level { bid_price: 4179.0, ask_price: 4180.0, bid_volume: 10, ask_volume: 8 };
        Tick {
            raw_update_time: *b"09:30:15",
            update_millisec: 500,
            volume: 12_580,
            last_price: 4180.0,
            open_interest: 1_200_000.0,
            levels,
            ..Tick::EMPTY
        }
    }

    #[test]
    fn what_fronts_libraries_and_workers_make_different_is_the_same_tick() {
        /// A way in which a copy may differ.
        type Change = fn(&mut Tick);
        let changes: [Change; 16] = [
            |tick| tick.worker = 9,
            |tick| tick.incarnation = 9,
            |tick| tick.sequence = 9,
            |tick| tick.flags = 3,
            |tick| tick.receive_time_ns = 9,
            |tick| tick.exchange_time_ns = 9,
            |tick| tick.trading_day = 20_250_303,
            |tick| tick.action_day = 20_250_303,
            |tick| tick.exchange_id[0] = b'S',
            |tick| tick.exchange_instrument_id[0] = b' ',
            |tick| tick.raw_action_day = *b"20250303",
            |tick| tick.turnover = 5.0,
            |tick| tick.banding_upper_price = 0.0,
            |tick| tick.levels[1].bid_price = 0.0,
            |tick| tick.settlement_price = 0.0,
            |tick| tick.last_price = 4_180.000_000_000_001,
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut copy = sample();
            change(&mut copy);
            assert!(is_same_tick(&sample(), &copy), "change {number}");
        }
    }

    #[test]
    fn what_the_exchange_says_anew_is_another_tick() {
        /// A way in which the next tick differs.
        type Change = fn(&mut Tick);
        let changes: [Change; 11] = [
            |tick| tick.instrument_id[0] = b'x',
            |tick| tick.raw_update_time = *b"09:30:16",
            |tick| tick.update_millisec = 0,
            |tick| tick.volume += 1,
            |tick| tick.last_price = 4180.0001,
            |tick| tick.last_price = -4180.0,
            |tick| tick.open_interest += 1.0,
            |tick| tick.levels[0].bid_price = 4178.0,
            |tick| tick.levels[0].ask_price = 4181.0,
            |tick| tick.levels[0].bid_volume = 0,
            |tick| tick.settlement_price = 4175.0,
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut next = sample();
            change(&mut next);
            assert!(!is_same_tick(&sample(), &next), "change {number}");
        }
    }

    #[test]
    fn an_absent_side_is_written_in_two_ways() {
        let absent = |price| {
            let mut tick = sample();
            tick.levels[0].ask_price = price;
            tick.levels[0].ask_volume = 0;
            tick
        };
        assert!(is_same_tick(&absent(NO_PRICE), &absent(0.0)));
        let never_traded = |last_price| Tick { last_price, ..sample() };
        assert!(is_same_tick(&never_traded(NO_PRICE), &never_traded(-0.0)));
        assert!(is_same_tick(&never_traded(f64::NAN), &never_traded(f64::INFINITY)));
    }

    #[test]
    fn time_goes_before_volume_and_no_time_is_compared_with_no_time_alone() {
        let at = |exchange_time_ns, volume, trading_day| {
            Moment::of(&Tick { exchange_time_ns, volume, trading_day, ..Tick::EMPTY })
        };
        let order = |one: Moment, other| one.order(other);
        assert_eq!(order(at(2, 1, 0), at(1, 9, 0)), Some(Ordering::Greater));
        assert_eq!(order(at(2, 1, 0), at(2, 9, 0)), Some(Ordering::Less));
        assert_eq!(order(at(2, 1, 1), at(2, 1, 2)), Some(Ordering::Equal));
        assert_eq!(
            order(at(NO_TIME, 1, 20_250_304), at(NO_TIME, 9, 20_250_303)),
            Some(Ordering::Greater)
        );
        assert_eq!(order(at(NO_TIME, 1, 0), at(NO_TIME, 2, 0)), Some(Ordering::Less));
        assert_eq!(order(at(NO_TIME, 1, 0), at(0, 2, 0)), None);
        assert_eq!(order(at(NO_TIME + 1, 1, 0), at(0, 2, 0)), Some(Ordering::Less));
    }
}

//! What an instrument of the generated market is: read from its id, the product table and the seed.

use shm_layout::trading_hours::ProductHours;

use crate::calendar::Date;
use crate::hash::{key_of, nth, signed, smooth, unit};
use crate::instrument::{InstrumentId, OptionRight, Shape};
use crate::products::{Exchange, PriceTick, facts_of, hours_of};

// Streams of noise under an instrument's key.
const BASE: u64 = 1 << 32;
const DAILY: u64 = 2 << 32;
const SIZE: u64 = 3 << 32;

/// Weekdays between the points of the slow noise in day-to-day prices.
const SLOW_DAYS: i64 = 20;

/// An instrument of the generated market.
#[derive(Debug, Clone)]
pub(crate) struct Listing {
    pub(crate) exchange: Exchange,
    pub(crate) tick: PriceTick,
    pub(crate) multiplier: f64,
    pub(crate) hours: ProductHours,
    /// Names the instrument's streams of noise.
    pub(crate) key: u64,
    /// Lots traded on a day, on average; zero for what is only quoted.
    pub(crate) lots_per_day: f64,
    /// Open interest to begin with, in lots.
    pub(crate) open_interest: f64,
    limit: f64,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    /// A future around `level`.
    Outright { level: f64 },
    /// An option on a product whose price is around `level`.
    Premium { level: f64, underlying_key: u64, right: OptionRight, strike: f64 },
    /// The difference of two futures around `level`.
    Spread { level: f64 },
}

impl Listing {
    /// What the id says, under this seed.
    pub(crate) fn of(id: &InstrumentId, seed: u64) -> Self {
        let key = key_of(seed, id.as_bytes());
        let shape = Shape::of(id);
        let code = match shape {
            Shape::Future { product }
            | Shape::Option { product, .. }
            | Shape::Combination { product } => product,
            Shape::Other => "",
        };
        let facts = facts_of(code);
        let size = unit(nth(key, SIZE));
        let idle = nth(key, SIZE + 1).is_multiple_of(8);
        let quiet_lots = if idle { 0.0 } else { 10f64.powf(1.0 + 2.5 * size) };
        let level = facts.level;
        let (kind, lots_per_day) = match shape {
            Shape::Option { right, strike, .. } => {
                let underlying_key = key_of(seed, code.as_bytes());
                (Kind::Premium { level, underlying_key, right, strike }, quiet_lots)
            }
            Shape::Combination { .. } => (Kind::Spread { level }, quiet_lots),
            Shape::Future { .. } | Shape::Other => {
                let level = level * (1.0 + 0.02 * signed(nth(key, BASE)));
                (Kind::Outright { level }, 10f64.powf(3.3 + 2.4 * size))
            }
        };
        Self {
            exchange: facts.exchange,
            tick: facts.tick,
            multiplier: facts.multiplier,
            hours: hours_of(code),
            key,
            lots_per_day,
            open_interest: (lots_per_day * (0.5 + 1.5 * unit(nth(key, SIZE + 2)))).round(),
            limit: facts.limit,
            kind,
        }
    }

    /// The price a day opens with, which is the one the day before closed with.
    pub(crate) fn opening_price(&self, day: Date) -> f64 {
        match self.kind {
            Kind::Outright { level } => level * (1.0 + self.drift(self.key, day)),
            Kind::Spread { level } => {
                level * (0.02 * signed(nth(self.key, BASE)) + 0.3 * self.drift(self.key, day))
            }
            Kind::Premium { level, underlying_key, right, strike } => {
                let underlying = level * (1.0 + self.drift(underlying_key, day));
                let intrinsic = match right {
                    OptionRight::Call => underlying - strike,
                    OptionRight::Put => strike - underlying,
                };
                let distance = (underlying - strike).abs() / (0.08 * underlying);
                let time_value = 0.04 * underlying * (-distance).exp();
                (intrinsic.max(0.0) + time_value).max(self.tick.price(1))
            }
        }
    }

    /// Highest and lowest price of a day, in ticks.
    pub(crate) fn limits(&self, pre_settlement_ticks: i64) -> (i64, i64) {
        let reference = match self.kind {
            Kind::Outright { .. } => self.tick.price(pre_settlement_ticks),
            Kind::Premium { level, .. } | Kind::Spread { level } => level,
        };
        let band = self.tick.ticks(self.limit * reference).max(2);
        let lower = pre_settlement_ticks - band;
        let lower = match self.kind {
            Kind::Spread { .. } => lower,
            // A premium or an outright price is at least one tick.
            Kind::Outright { .. } | Kind::Premium { .. } => lower.max(1),
        };
        (pre_settlement_ticks + band, lower)
    }

    /// How far the price goes in one minute, at most.
    pub(crate) fn swing(&self, opening_price: f64) -> f64 {
        let scale = match self.kind {
            Kind::Outright { .. } => opening_price,
            Kind::Premium { .. } => 3.0 * opening_price,
            Kind::Spread { level } => 0.3 * level,
        };
        0.017 * self.limit * scale
    }

    // A day's distance from the level as a part of it; one day's step stays well within the limits.
    fn drift(&self, key: u64, day: Date) -> f64 {
        let index = day.business_index();
        let slow = smooth(key, index, SLOW_DAYS);
        let daily = signed(nth(key, DAILY + index as u64));
        self.limit * (0.6 * slow + 0.1 * daily)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(id: &str) -> Listing {
        Listing::of(&InstrumentId::new(id.as_bytes()), 1)
    }

    #[test]
    fn days_follow_each_other_within_the_limits() {
        for id in ["rb2505", "IF2503", "TS2503", "sc2506", "m2505-C-2800", "SP a2505&a2509", "??"] {
            let listing = listing(id);
            let mut day = Date::parse("20250101").unwrap();
            for _ in 0..300 {
                let (today, next) =
                    (listing.opening_price(day), listing.opening_price(day.plus(3)));
                let (upper, lower) = listing.limits(listing.tick.ticks(today));
                let next = listing.tick.ticks(next);
                assert!((lower..=upper).contains(&next), "{id}: {lower} {next} {upper}");
                day = day.plus(1);
            }
        }
    }

    #[test]
    fn premiums_are_positive_and_spreads_may_be_negative() {
        let day = Date::parse("20250304").unwrap();
        for strike in [100, 2800, 9000] {
            for right in ["C", "P"] {
                let listing = listing(&format!("m2505-{right}-{strike}"));
                assert!(listing.opening_price(day) >= listing.tick.price(1));
                assert!(listing.limits(1).1 >= 1);
            }
        }
        let spreads = (1..=12).flat_map(|month| (13..=24).map(move |other| (month, other)));
        let prices: Vec<f64> = spreads
            .map(|(month, other)| listing(&format!("SP a25{month:02}&a25{other}")))
            .map(|listing| listing.opening_price(day))
            .collect();
        let negative = prices.iter().filter(|&&price| price < 0.0).count();
        assert!((40..=104).contains(&negative), "{negative} of {}", prices.len());
    }
}

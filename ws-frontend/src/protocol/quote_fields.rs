//! Every number of a quote, in one table for both dialects: what each calls it, and where it stands in a tick (pure).
//!
//! The `action` dialect sends the exchange's values as they are. DIFF defines units of its own for two of them, the average
//! price and the amount; [`Terms`] say how to come by them, and where they do not, there is no value.

use shm_layout::{ExchangeId, Tick, price_of};

/// A number of a quote.
#[derive(Debug, Clone, Copy)]
pub struct QuoteField {
    /// Its key in the `action` dialect, as it stands before the value: `,"last_price":`.
    pub action: &'static str,
    /// Its key in DIFF, likewise; empty where DIFF does not have it.
    pub diff: &'static str,
    /// Where it stands in a tick.
    pub read: Read,
    /// DIFF says it of the ticks of a series, too.
    pub in_series: bool,
}

/// How to take a number out of a tick.
#[derive(Debug, Clone, Copy)]
pub enum Read {
    /// A price or another number with decimals, as the exchange sends it; the sentinel where it has no value.
    Price(fn(&Tick) -> f64),
    /// A price of trades: some exchanges send zero while there were none. DIFF says "no value" then.
    TradedPrice(fn(&Tick) -> f64),
    /// The price at the close: CZCE sends zero until then. DIFF says "no value" then.
    Close,
    /// A price of a level, and the level's volume beside it: both zero where there is no such level. DIFF says "no value" then.
    LevelPrice(fn(&Tick) -> (f64, i32)),
    /// The volume of a level, and its price beside it. DIFF leaves it out of a series where there is no such level.
    LevelVolume(fn(&Tick) -> (f64, i32)),
    /// A count that the exchange sends as a number with decimals. DIFF says it without.
    Lots(fn(&Tick) -> f64),
    /// A whole number.
    Count(fn(&Tick) -> i32),
    /// Money traded. DIFF's is in yuan.
    Turnover,
    /// Turnover by volume. DIFF's is a price.
    Average,
}

macro_rules! field {
    ($action:literal, none, $read:expr) => {
        QuoteField {
            action: concat!(",\"", $action, "\":"),
            diff: "",
            read: $read,
            in_series: false,
        }
    };
    ($action:literal, $diff:literal, $read:expr $(, $in_series:literal)?) => {
        QuoteField {
            action: concat!(",\"", $action, "\":"),
            diff: concat!(",\"", $diff, "\":"),
            read: $read,
            in_series: false $(|| $in_series)?,
        }
    };
}

/// How many there are.
pub const QUOTE_FIELDS_COUNT: usize = 37;

/// The table, in the order of the `action` dialect.
pub const QUOTE_FIELDS: [QuoteField; QUOTE_FIELDS_COUNT] = [
    field!("last_price", "last_price", Read::Price(|tick| tick.last_price), true),
    field!("pre_settlement_price", "pre_settlement", Read::Price(|tick| tick.pre_settlement_price)),
    field!("pre_close_price", "pre_close", Read::Price(|tick| tick.pre_close_price)),
    field!("pre_open_interest", "pre_open_interest", Read::Lots(|tick| tick.pre_open_interest)),
    field!("open_price", "open", Read::TradedPrice(|tick| tick.open_price)),
    field!("highest_price", "highest", Read::TradedPrice(|tick| tick.highest_price), true),
    field!("lowest_price", "lowest", Read::TradedPrice(|tick| tick.lowest_price), true),
    field!("volume", "volume", Read::Count(|tick| tick.volume), true),
    field!("turnover", "amount", Read::Turnover, true),
    field!("open_interest", "open_interest", Read::Lots(|tick| tick.open_interest), true),
    field!("close_price", "close", Read::Close),
    field!("settlement_price", "settlement", Read::Price(|tick| tick.settlement_price)),
    field!("upper_limit_price", "upper_limit", Read::Price(|tick| tick.upper_limit_price)),
    field!("lower_limit_price", "lower_limit", Read::Price(|tick| tick.lower_limit_price)),
    field!("pre_delta", none, Read::Price(|tick| tick.pre_delta)),
    field!("curr_delta", none, Read::Price(|tick| tick.curr_delta)),
    field!("bid_price1", "bid_price1", Read::LevelPrice(|tick| bid(tick, 0)), true),
    field!("bid_volume1", "bid_volume1", Read::LevelVolume(|tick| bid(tick, 0)), true),
    field!("ask_price1", "ask_price1", Read::LevelPrice(|tick| ask(tick, 0)), true),
    field!("ask_volume1", "ask_volume1", Read::LevelVolume(|tick| ask(tick, 0)), true),
    field!("bid_price2", "bid_price2", Read::LevelPrice(|tick| bid(tick, 1)), true),
    field!("bid_volume2", "bid_volume2", Read::LevelVolume(|tick| bid(tick, 1)), true),
    field!("ask_price2", "ask_price2", Read::LevelPrice(|tick| ask(tick, 1)), true),
    field!("ask_volume2", "ask_volume2", Read::LevelVolume(|tick| ask(tick, 1)), true),
    field!("bid_price3", "bid_price3", Read::LevelPrice(|tick| bid(tick, 2)), true),
    field!("bid_volume3", "bid_volume3", Read::LevelVolume(|tick| bid(tick, 2)), true),
    field!("ask_price3", "ask_price3", Read::LevelPrice(|tick| ask(tick, 2)), true),
    field!("ask_volume3", "ask_volume3", Read::LevelVolume(|tick| ask(tick, 2)), true),
    field!("bid_price4", "bid_price4", Read::LevelPrice(|tick| bid(tick, 3)), true),
    field!("bid_volume4", "bid_volume4", Read::LevelVolume(|tick| bid(tick, 3)), true),
    field!("ask_price4", "ask_price4", Read::LevelPrice(|tick| ask(tick, 3)), true),
    field!("ask_volume4", "ask_volume4", Read::LevelVolume(|tick| ask(tick, 3)), true),
    field!("bid_price5", "bid_price5", Read::LevelPrice(|tick| bid(tick, 4)), true),
    field!("bid_volume5", "bid_volume5", Read::LevelVolume(|tick| bid(tick, 4)), true),
    field!("ask_price5", "ask_price5", Read::LevelPrice(|tick| ask(tick, 4)), true),
    field!("ask_volume5", "ask_volume5", Read::LevelVolume(|tick| ask(tick, 4)), true),
    field!("average_price", "average", Read::Average, true),
];

/// How an instrument's numbers are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Terms {
    /// Units in one lot, where they are known.
    pub volume_multiple: Option<u32>,
    /// The exchange averages prices and sums up turnover without the multiplier, and sends zero for a close to come (CZCE).
    pub plain_prices: bool,
}

/// A number of a quote as the exchange sent it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RawValue {
    /// One with decimals; the sentinel where it has no value.
    Number(f64),
    /// A whole one.
    Whole(i32),
}

/// A number of a quote as DIFF says it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum DiffValue {
    /// A price, or another number with decimals.
    Price(f64),
    /// A whole number, as far as it is one.
    Lots(f64),
    /// A whole number.
    Count(i32),
    /// It has no value.
    None,
}

const fn bid(tick: &Tick, level: usize) -> (f64, i32) {
    (tick.levels[level].bid_price, tick.levels[level].bid_volume)
}

const fn ask(tick: &Tick, level: usize) -> (f64, i32) {
    (tick.levels[level].ask_price, tick.levels[level].ask_volume)
}

/// The price of a level, if there is such a level.
fn level_price((price, volume): (f64, i32)) -> Option<f64> {
    price_of(price).filter(|price| *price != 0.0 || volume != 0)
}

// === impl Terms ===

impl Terms {
    /// Those of an instrument of this exchange with so many units in one lot.
    #[must_use]
    pub fn new(exchange: ExchangeId, volume_multiple: Option<u32>) -> Self {
        Self { volume_multiple, plain_prices: exchange == ExchangeId::CZCE }
    }

    /// Money traded, in yuan, of a tick's turnover; `None` where that takes a multiplier nobody knows.
    #[must_use]
    pub fn amount(self, turnover: f64) -> Option<f64> {
        let turnover = price_of(turnover)?;
        if self.plain_prices { Some(turnover * self.multiple()?) } else { Some(turnover) }
    }

    /// The average price of a tick's average; `None` where that takes a multiplier nobody knows.
    #[must_use]
    pub fn average(self, average: f64) -> Option<f64> {
        let average = price_of(average)?;
        if self.plain_prices { Some(average) } else { Some(average / self.multiple()?) }
    }

    fn multiple(self) -> Option<f64> {
        self.volume_multiple.filter(|multiple| *multiple > 0).map(f64::from)
    }
}

// === impl Read ===

impl Read {
    /// What the `action` dialect says: the exchange's own number.
    #[must_use]
    pub fn raw(self, tick: &Tick) -> RawValue {
        match self {
            Self::Price(of) | Self::TradedPrice(of) | Self::Lots(of) => RawValue::Number(of(tick)),
            Self::LevelPrice(of) => RawValue::Number(of(tick).0),
            Self::LevelVolume(of) => RawValue::Whole(of(tick).1),
            Self::Count(of) => RawValue::Whole(of(tick)),
            Self::Close => RawValue::Number(tick.close_price),
            Self::Turnover => RawValue::Number(tick.turnover),
            Self::Average => RawValue::Number(tick.average_price),
        }
    }

    /// What DIFF says of a tick of a series: as [`Self::diff`], but that a level that does not exist has no volume either.
    #[must_use]
    pub fn in_series(self, tick: &Tick, terms: Terms) -> DiffValue {
        match self {
            Self::LevelVolume(of) if of(tick).1 == 0 && level_price(of(tick)).is_none() => {
                DiffValue::None
            }
            _ => self.diff(tick, terms),
        }
    }

    /// What DIFF says.
    #[must_use]
    pub fn diff(self, tick: &Tick, terms: Terms) -> DiffValue {
        let price = |price: Option<f64>| price.map_or(DiffValue::None, DiffValue::Price);
        match self {
            Self::Price(of) => price(price_of(of(tick))),
            Self::TradedPrice(of) => {
                price(price_of(of(tick)).filter(|price| *price != 0.0 || tick.volume != 0))
            }
            Self::Close => {
                let close = price_of(tick.close_price);
                price(close.filter(|price| *price != 0.0 || !terms.plain_prices))
            }
            Self::LevelPrice(of) => price(level_price(of(tick))),
            Self::Lots(of) => price_of(of(tick)).map_or(DiffValue::None, DiffValue::Lots),
            Self::LevelVolume(of) => DiffValue::Count(of(tick).1),
            Self::Count(of) => DiffValue::Count(of(tick)),
            Self::Turnover => price(terms.amount(tick.turnover)),
            Self::Average => price(terms.average(tick.average_price)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shm_layout::{Level, NO_PRICE};
    use std::collections::HashSet;

    const RB: Terms = Terms { volume_multiple: Some(10), plain_prices: false };
    const SR: Terms = Terms { volume_multiple: Some(10), plain_prices: true };

    fn diff(key: &str, tick: &Tick, terms: Terms) -> DiffValue {
        let key = format!(",\"{key}\":");
        let field = QUOTE_FIELDS.iter().find(|field| field.diff == key).unwrap();
        field.read.diff(tick, terms)
    }

    #[test]
    fn every_key_stands_once_in_each_dialect() {
        let actions: HashSet<_> = QUOTE_FIELDS.iter().map(|field| field.action).collect();
        assert_eq!(actions.len(), QUOTE_FIELDS_COUNT);
        let diffs: Vec<_> =
            QUOTE_FIELDS.iter().map(|field| field.diff).filter(|key| !key.is_empty()).collect();
        assert_eq!(diffs.len(), QUOTE_FIELDS_COUNT - 2, "the deltas are the action dialect's own");
        assert_eq!(diffs.iter().collect::<HashSet<_>>().len(), diffs.len());
    }

    #[test]
    fn amount_and_average_have_units_of_their_own() {
        let tick = Tick { turnover: 310_000.0, average_price: 31_000.0, ..Tick::EMPTY };
        assert_eq!(diff("amount", &tick, RB), DiffValue::Price(310_000.0));
        assert_eq!(diff("average", &tick, RB), DiffValue::Price(3100.0));
        assert_eq!(diff("amount", &tick, SR), DiffValue::Price(3_100_000.0));
        assert_eq!(diff("average", &tick, SR), DiffValue::Price(31_000.0));
        let unknown = |terms| Terms { volume_multiple: None, ..terms };
        assert_eq!(diff("amount", &tick, unknown(RB)), DiffValue::Price(310_000.0));
        assert_eq!(diff("average", &tick, unknown(RB)), DiffValue::None);
        assert_eq!(diff("amount", &tick, unknown(SR)), DiffValue::None);
    }

    #[test]
    fn zeros_that_mean_nothing_are_no_values_and_others_are() {
        let level = |price, volume| Level {
            bid_price: price,
            bid_volume: volume,
            ask_price: NO_PRICE,
            ask_volume: 0,
        };
        let mut tick = Tick { open_price: 0.0, close_price: 0.0, last_price: 0.0, ..Tick::EMPTY };
        tick.levels[0] = level(0.0, 3);
        tick.levels[1] = level(0.0, 0);
        assert_eq!(diff("open", &tick, RB), DiffValue::None);
        assert_eq!(diff("close", &tick, SR), DiffValue::None);
        assert_eq!(diff("close", &tick, RB), DiffValue::Price(0.0));
        assert_eq!(diff("last_price", &tick, RB), DiffValue::Price(0.0));
        assert_eq!(diff("bid_price1", &tick, RB), DiffValue::Price(0.0));
        assert_eq!(diff("bid_price2", &tick, RB), DiffValue::None);
        assert_eq!(diff("ask_price1", &tick, RB), DiffValue::None);
        assert_eq!(diff("ask_volume1", &tick, RB), DiffValue::Count(0));
        let traded = Tick { volume: 1, ..tick };
        assert_eq!(
            diff("open", &traded, RB),
            DiffValue::Price(0.0),
            "a spread's price may be zero"
        );
    }
}

//! Product facts for the generated market: price tick, size, and a price to begin with. When a product trades is not
//! among them: that is `shm_layout::trading_hours`, as for everybody.
//!
//! Levels and volumes are typical, not current; they only have to look like the real ones.

use shm_layout::trading_hours::{self, DaySessions, Night, ProductHours};

/// The six futures exchanges, and one for what nobody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exchange {
    Shfe,
    Ine,
    Dce,
    Czce,
    Cffex,
    Gfex,
    Unknown,
}

impl Exchange {
    /// SHFE and INE send five levels, the others one.
    pub(crate) fn levels(self) -> usize {
        match self {
            Self::Shfe | Self::Ine => 5,
            _ => 1,
        }
    }

    /// CZCE sends zero where the others send the sentinel: absent levels, prices before the open.
    pub(crate) fn absent_is_zero(self) -> bool {
        self == Self::Czce
    }

    /// What stands in `ExchangeID`: mostly nothing.
    pub(crate) fn id_bytes(self) -> &'static [u8] {
        match self {
            Self::Dce => b"DCE",
            Self::Ine => b"INE",
            Self::Gfex => b"GFEX",
            _ => b"",
        }
    }
}

/// A price step as a fraction, so that prices come out as the nearest double of their decimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PriceTick {
    pub(crate) numerator: i64,
    pub(crate) denominator: i64,
}

impl PriceTick {
    /// The price of so many ticks.
    pub(crate) fn price(self, ticks: i64) -> f64 {
        (ticks * self.numerator) as f64 / self.denominator as f64
    }

    /// The nearest number of ticks.
    pub(crate) fn ticks(self, price: f64) -> i64 {
        (price * self.denominator as f64 / self.numerator as f64).round() as i64
    }
}

/// What the generator has to know of a product.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Product {
    /// The letters of its instrument ids.
    pub(crate) code: &'static str,
    pub(crate) exchange: Exchange,
    pub(crate) tick: PriceTick,
    /// Units of the commodity in one lot.
    pub(crate) multiplier: f64,
    /// A typical price.
    pub(crate) level: f64,
    /// Daily price limit as a part of the previous settlement.
    pub(crate) limit: f64,
}

const fn product(
    code: &'static str,
    exchange: Exchange,
    (numerator, denominator): (i64, i64),
    multiplier: f64,
    level: f64,
) -> Product {
    let tick = PriceTick { numerator, denominator };
    Product { code, exchange, tick, multiplier, level, limit: 0.07 }
}

const fn financial(
    code: &'static str,
    (numerator, denominator): (i64, i64),
    multiplier: f64,
    level: f64,
    limit: f64,
) -> Product {
    let tick = PriceTick { numerator, denominator };
    Product { code, exchange: Exchange::Cffex, tick, multiplier, level, limit }
}

use Exchange::{Czce, Dce, Gfex, Ine, Shfe};

const ONE: (i64, i64) = (1, 1);
const TWO: (i64, i64) = (2, 1);
const FIVE: (i64, i64) = (5, 1);
const TEN: (i64, i64) = (10, 1);
const HALF: (i64, i64) = (1, 2);
const FIFTH: (i64, i64) = (1, 5);
const TENTH: (i64, i64) = (1, 10);
const TWENTIETH: (i64, i64) = (1, 20);
const FIFTIETH: (i64, i64) = (1, 50);
const HUNDREDTH: (i64, i64) = (1, 100);

#[rustfmt::skip]
static PRODUCTS: [Product; 92] = [
    product("ad", Shfe, FIVE, 10.0, 20_000.0),
    product("ag", Shfe, ONE, 15.0, 8_000.0),
    product("al", Shfe, FIVE, 5.0, 20_500.0),
    product("ao", Shfe, ONE, 20.0, 3_300.0),
    product("au", Shfe, FIFTIETH, 1000.0, 680.0),
    product("br", Shfe, FIVE, 5.0, 13_500.0),
    product("bu", Shfe, ONE, 10.0, 3_600.0),
    product("cu", Shfe, TEN, 5.0, 77_000.0),
    product("fu", Shfe, ONE, 10.0, 3_200.0),
    product("hc", Shfe, ONE, 10.0, 3_400.0),
    product("ni", Shfe, TEN, 1.0, 125_000.0),
    product("op", Shfe, TWO, 40.0, 4_200.0),
    product("pb", Shfe, FIVE, 5.0, 17_000.0),
    product("rb", Shfe, ONE, 10.0, 3_300.0),
    product("ru", Shfe, FIVE, 10.0, 17_000.0),
    product("sn", Shfe, TEN, 1.0, 260_000.0),
    product("sp", Shfe, TWO, 10.0, 5_800.0),
    product("ss", Shfe, FIVE, 5.0, 13_300.0),
    product("wr", Shfe, ONE, 10.0, 3_600.0),
    product("zn", Shfe, FIVE, 5.0, 23_500.0),
    product("bc", Ine, TEN, 5.0, 69_000.0),
    product("ec", Ine, TENTH, 50.0, 2_000.0),
    product("lu", Ine, ONE, 10.0, 3_700.0),
    product("nr", Ine, FIVE, 10.0, 14_500.0),
    product("sc", Ine, TENTH, 1000.0, 530.0),
    product("a", Dce, ONE, 10.0, 4_000.0),
    product("b", Dce, ONE, 10.0, 3_600.0),
    product("bb", Dce, TWENTIETH, 500.0, 200.0),
    product("bz", Dce, ONE, 30.0, 6_000.0),
    product("c", Dce, ONE, 10.0, 2_250.0),
    product("cs", Dce, ONE, 10.0, 2_600.0),
    product("eb", Dce, ONE, 5.0, 8_000.0),
    product("eg", Dce, ONE, 10.0, 4_500.0),
    product("fb", Dce, HALF, 10.0, 1_250.0),
    product("i", Dce, HALF, 100.0, 790.0),
    product("j", Dce, HALF, 100.0, 1_700.0),
    product("jd", Dce, ONE, 10.0, 3_300.0),
    product("jm", Dce, HALF, 60.0, 1_100.0),
    product("l", Dce, ONE, 5.0, 7_900.0),
    product("lg", Dce, HALF, 90.0, 850.0),
    product("lh", Dce, FIVE, 16.0, 13_500.0),
    product("m", Dce, ONE, 10.0, 2_850.0),
    product("p", Dce, TWO, 10.0, 8_800.0),
    product("pg", Dce, ONE, 20.0, 4_500.0),
    product("pp", Dce, ONE, 5.0, 7_300.0),
    product("rr", Dce, ONE, 10.0, 3_500.0),
    product("v", Dce, ONE, 5.0, 5_000.0),
    product("y", Dce, TWO, 10.0, 8_000.0),
    product("AP", Czce, ONE, 10.0, 7_500.0),
    product("CF", Czce, FIVE, 5.0, 13_500.0),
    product("CJ", Czce, FIVE, 5.0, 9_000.0),
    product("CY", Czce, FIVE, 5.0, 20_000.0),
    product("FG", Czce, ONE, 20.0, 1_200.0),
    product("JR", Czce, ONE, 20.0, 2_700.0),
    product("LR", Czce, ONE, 20.0, 2_500.0),
    product("MA", Czce, ONE, 10.0, 2_500.0),
    product("OI", Czce, ONE, 10.0, 9_000.0),
    product("PF", Czce, TWO, 5.0, 6_500.0),
    product("PK", Czce, TWO, 5.0, 8_000.0),
    product("PL", Czce, ONE, 20.0, 6_500.0),
    product("PM", Czce, ONE, 50.0, 2_600.0),
    product("PR", Czce, TWO, 15.0, 6_000.0),
    product("PX", Czce, TWO, 5.0, 6_800.0),
    product("RI", Czce, ONE, 20.0, 2_600.0),
    product("RM", Czce, ONE, 10.0, 2_500.0),
    product("RS", Czce, ONE, 10.0, 5_500.0),
    product("SA", Czce, ONE, 20.0, 1_400.0),
    product("SF", Czce, TWO, 5.0, 6_000.0),
    product("SH", Czce, ONE, 30.0, 2_700.0),
    product("SM", Czce, TWO, 5.0, 6_000.0),
    product("SR", Czce, ONE, 10.0, 5_900.0),
    product("TA", Czce, TWO, 5.0, 4_800.0),
    product("TC", Czce, FIFTH, 200.0, 500.0),
    product("UR", Czce, ONE, 20.0, 1_800.0),
    product("WH", Czce, ONE, 20.0, 2_900.0),
    product("ZC", Czce, FIFTH, 100.0, 800.0),
    product("lc", Gfex, (20, 1), 1.0, 70_000.0),
    product("pd", Gfex, TWENTIETH, 1000.0, 260.0),
    product("ps", Gfex, FIVE, 3.0, 42_000.0),
    product("pt", Gfex, TWENTIETH, 1000.0, 300.0),
    product("si", Gfex, FIVE, 5.0, 9_500.0),
    financial("IC", FIFTH, 200.0, 5_900.0, 0.10),
    financial("IF", FIFTH, 300.0, 3_900.0, 0.10),
    financial("IH", FIFTH, 300.0, 2_650.0, 0.10),
    financial("IM", FIFTH, 200.0, 6_200.0, 0.10),
    financial("IO", FIFTH, 100.0, 3_900.0, 0.10),
    financial("HO", FIFTH, 100.0, 2_650.0, 0.10),
    financial("MO", FIFTH, 100.0, 6_200.0, 0.10),
    financial("T", (1, 200), 10_000.0, 108.0, 0.02),
    financial("TF", (1, 200), 10_000.0, 106.0, 0.012),
    financial("TL", HUNDREDTH, 10_000.0, 118.0, 0.035),
    financial("TS", (1, 500), 20_000.0, 102.5, 0.005),
];

/// What an unknown product is taken for.
static UNKNOWN: Product = Product {
    code: "",
    exchange: Exchange::Unknown,
    tick: PriceTick { numerator: 1, denominator: 1 },
    multiplier: 10.0,
    level: 4_000.0,
    limit: 0.07,
};

/// When an unknown product trades.
const UNKNOWN_HOURS: ProductHours =
    ProductHours { day: DaySessions::Commodity, night: Night::To2300 };

/// The facts of a product; those of no known product are plausible ones (CTP is the truth: what is
/// asked for ticks). Codes are unique even when their case is ignored.
pub(crate) fn facts_of(code: &str) -> &'static Product {
    PRODUCTS.iter().find(|product| product.code.eq_ignore_ascii_case(code)).unwrap_or(&UNKNOWN)
}

/// When a product trades.
pub(crate) fn hours_of(code: &str) -> ProductHours {
    trading_hours::hours_of(code).unwrap_or(UNKNOWN_HOURS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_without_regard_to_case() {
        for (place, product) in PRODUCTS.iter().enumerate() {
            let first =
                PRODUCTS.iter().position(|other| other.code.eq_ignore_ascii_case(product.code));
            assert_eq!(first, Some(place), "{}", product.code);
        }
    }

    #[test]
    fn every_products_hours_are_known() {
        for product in &PRODUCTS {
            assert!(trading_hours::hours_of(product.code).is_some(), "{}", product.code);
        }
        assert_eq!(hours_of("xyz").night, Night::To2300);
    }

    #[test]
    fn exchanges_follow_their_spelling() {
        for product in &PRODUCTS {
            let upper = product.code.chars().all(|letter| letter.is_ascii_uppercase());
            let expected = matches!(product.exchange, Exchange::Cffex | Czce);
            assert_eq!(upper, expected, "{}", product.code);
            assert!(product.level > 100.0 * product.tick.price(1), "{}", product.code);
        }
        assert_eq!(facts_of("rb").exchange, Shfe);
        assert_eq!(facts_of("xyz").exchange, Exchange::Unknown);
    }

    #[test]
    fn prices_are_the_nearest_double_of_their_decimal() {
        let tick = facts_of("IF").tick;
        assert_eq!(tick.price(19_031).to_bits(), 3806.2f64.to_bits());
        let bond = facts_of("TS").tick;
        assert_eq!(bond.price(51_237).to_bits(), 102.474f64.to_bits());
        for ticks in -1000..1000 {
            assert_eq!(tick.ticks(tick.price(ticks)), ticks);
        }
    }
}

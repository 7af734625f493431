//! What an instrument's id says of it: its kind, product, month, strike and legs (pure).
//!
//! Exchanges spell ids each in its own way, and an id is often all there is. What it says is a guess that any list overrules.

use crate::exchange_id::ExchangeId;

/// What an id looks like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum InstrumentShape<'a> {
    /// `rb2601`, `SR601`, `sc_tas2601`.
    Future(FutureShape<'a>),
    /// `m2505-C-3000`, `SR501C5500`, `m2505-MS-C-3000`, `IO2501-C-4000`.
    Option(OptionShape<'a>),
    /// `SPD JR009&JR103`, `SP a2505&b2505`, `IPS SF501&SM501`.
    Combination(CombinationShape<'a>),
    /// Anything else, such as `10004233`.
    Other,
}

/// A futures contract by its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FutureShape<'a> {
    /// The letters before the month, `rb` or `sc_tas`.
    pub product: &'a str,
    /// The digits of its month.
    digits: &'a str,
}

/// An option by its id.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OptionShape<'a> {
    /// The contract its id begins with: `m2505` in `m2505-C-3000`. At the commodity exchanges it is the underlying one.
    pub contract: FutureShape<'a>,
    /// The id's part that names the contract.
    pub contract_id: &'a str,
    /// What stands between the month and the side: `MS` for a series of short-dated options, else empty.
    pub series: &'a str,
    /// True for a call, false for a put.
    pub is_call: bool,
    /// The price at which it may be exercised.
    pub strike: f64,
}

/// A combination by its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CombinationShape<'a> {
    /// What stands before the legs, such as `SPD`; may be empty.
    pub kind: &'a str,
    /// The ids of its two legs; `None` where the id does not name two.
    pub legs: Option<(&'a str, &'a str)>,
}

/// A month of delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeliveryMonth {
    /// The year, such as 2026.
    pub year: u32,
    /// The month, 1 to 12.
    pub month: u32,
}

/// The options of CFFEX and the indices they are on.
const INDEX_OPTIONS: [(&str, &str); 3] = [("IO", "000300"), ("HO", "000016"), ("MO", "000852")];

/// A year of one digit is the nearest to today's, and at most so many years before it: contracts are listed for less than
/// two years ahead, and lists keep some that have expired.
const YEARS_BACK_MAX: u32 = 4;

// === impl InstrumentShape ===

impl<'a> InstrumentShape<'a> {
    /// What this id looks like. Any text has a shape.
    #[must_use]
    pub fn of(id: &'a str) -> Self {
        if id.contains(['&', ' ']) {
            return Self::Combination(CombinationShape::of(id));
        }
        let after_product = id.trim_start_matches(|c: char| c.is_ascii_alphabetic() || c == '_');
        let rest = after_product.trim_start_matches(|c: char| c.is_ascii_digit());
        let product = &id[..id.len() - after_product.len()];
        let digits = &after_product[..after_product.len() - rest.len()];
        if product.is_empty() || digits.is_empty() {
            return Self::Other;
        }
        let contract = FutureShape { product, digits };
        if rest.is_empty() {
            return Self::Future(contract);
        }
        let contract_id = &id[..id.len() - rest.len()];
        OptionShape::of(contract, contract_id, rest).map_or(Self::Other, Self::Option)
    }
}

// === impl FutureShape ===

impl FutureShape<'_> {
    /// The month of delivery; `None` where the digits name none. CZCE writes one digit of the year: then it is the year from
    /// four before to five after `this_year` that ends so.
    #[must_use]
    pub fn delivery(&self, this_year: u32) -> Option<DeliveryMonth> {
        let number: u32 = self.digits.parse().ok()?;
        let (years, month) = (number / 100, number % 100);
        let year = match self.digits.len() {
            4 => 2000 + years,
            3 => {
                let first = this_year.saturating_sub(YEARS_BACK_MAX);
                first + (years + 10 - first % 10) % 10
            }
            _ => return None,
        };
        (1..=12).contains(&month).then_some(DeliveryMonth { year, month })
    }
}

// === impl OptionShape ===

impl<'a> OptionShape<'a> {
    /// Reads what follows the contract: `-C-3000`, `C5500`, `-MS-P-3000`.
    fn of(contract: FutureShape<'a>, contract_id: &'a str, rest: &'a str) -> Option<Self> {
        let before_strike = rest.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
        let strike: f64 = rest[before_strike.len()..].parse().ok()?;
        let side = before_strike.trim_end_matches('-');
        let series = side.strip_suffix(['C', 'P'])?;
        let is_call = side.ends_with('C');
        strike.is_finite().then_some(Self {
            contract,
            contract_id,
            series: series.trim_matches('-'),
            is_call,
            strike,
        })
    }

    /// The index that an option of CFFEX is on, and where it is known by that id; `None` for options on futures.
    #[must_use]
    pub fn underlying_index(&self) -> Option<(ExchangeId, &'static str)> {
        let (_, index) = INDEX_OPTIONS.iter().find(|(known, _)| *known == self.contract.product)?;
        Some((ExchangeId::known("SSE")?, index))
    }
}

// === impl CombinationShape ===

impl<'a> CombinationShape<'a> {
    fn of(id: &'a str) -> Self {
        let (kind, legs) = id.rsplit_once(' ').unwrap_or(("", id));
        let legs = legs.split_once('&').filter(|(first, second)| {
            !first.is_empty() && !second.is_empty() && !second.contains('&')
        });
        Self { kind, legs }
    }

    /// The product that exchanges file such a combination under, as `SP a&b`; `None` where a leg has no product.
    #[must_use]
    pub fn product(&self) -> Option<String> {
        let (first, second) = self.legs?;
        let product = |leg: &'a str| match InstrumentShape::of(leg) {
            InstrumentShape::Future(future) => Some(future.product),
            InstrumentShape::Option(option) => Some(option.contract.product),
            InstrumentShape::Combination(_) | InstrumentShape::Other => None,
        };
        let (first, second) = (product(first)?, product(second)?);
        let blank = if self.kind.is_empty() { "" } else { " " };
        Some(format!("{}{blank}{first}&{second}", self.kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn future(id: &str) -> FutureShape<'_> {
        match InstrumentShape::of(id) {
            InstrumentShape::Future(future) => future,
            other => panic!("{id} looks like {other:?}"),
        }
    }

    fn option(id: &str) -> OptionShape<'_> {
        match InstrumentShape::of(id) {
            InstrumentShape::Option(option) => option,
            other => panic!("{id} looks like {other:?}"),
        }
    }

    fn combination(id: &str) -> CombinationShape<'_> {
        match InstrumentShape::of(id) {
            InstrumentShape::Combination(combination) => combination,
            other => panic!("{id} looks like {other:?}"),
        }
    }

    #[test]
    fn futures_have_a_product_and_a_month() {
        for (id, product, delivery) in [
            ("rb2601", "rb", Some((2026, 1))),
            ("sc_tas2612", "sc_tas", Some((2026, 12))),
            ("SR601", "SR", Some((2026, 1))),
            ("SR001", "SR", Some((2030, 1))),
            ("SR112", "SR", Some((2031, 12))),
            ("SR205", "SR", Some((2022, 5))),
            ("rb2613", "rb", None),
            ("rb00", "rb", None),
            ("rb99999999999999999999", "rb", None),
        ] {
            assert_eq!(future(id).product, product);
            let of = future(id).delivery(2026).map(|delivery| (delivery.year, delivery.month));
            assert_eq!(of, delivery, "{id}");
        }
        let year = |this_year| future("SR001").delivery(this_year).unwrap().year;
        assert_eq!((year(2024), year(2025), year(2034), year(2035)), (2020, 2030, 2030, 2040));
    }

    #[test]
    fn options_have_a_side_a_strike_and_what_they_are_on() {
        for (id, contract, series, is_call, strike) in [
            ("m2505-C-3000", "m2505", "", true, 3000.0),
            ("SR501P5500", "SR501", "", false, 5500.0),
            ("cu2501C70000", "cu2501", "", true, 70000.0),
            ("i2505-P-97.5", "i2505", "", false, 97.5),
            ("IO2501-C-4000", "IO2501", "", true, 4000.0),
            ("m2505-MS-C-3000", "m2505", "MS", true, 3000.0),
            ("SR501MSC5500", "SR501", "MS", true, 5500.0),
        ] {
            let shape = option(id);
            assert_eq!((shape.contract_id, shape.series), (contract, series), "{id}");
            assert_eq!((shape.is_call, shape.strike), (is_call, strike), "{id}");
        }
        assert_eq!(option("IO2501-C-4000").underlying_index().unwrap().1, "000300");
        assert_eq!(option("HO2501-C-2600").underlying_index().unwrap().1, "000016");
        assert_eq!(option("MO2501-P-6000").underlying_index().unwrap().0.as_str(), "SSE");
        assert_eq!(option("m2505-C-3000").underlying_index(), None);
    }

    #[test]
    fn combinations_have_two_legs() {
        for (id, kind, legs, product) in [
            ("SPD JR009&JR103", "SPD", Some(("JR009", "JR103")), Some("SPD JR&JR")),
            ("SP a2505&b2505", "SP", Some(("a2505", "b2505")), Some("SP a&b")),
            ("IPS SF501&SM501", "IPS", Some(("SF501", "SM501")), Some("IPS SF&SM")),
            (
                "STD m2505-C-3000&m2505-P-3000",
                "STD",
                Some(("m2505-C-3000", "m2505-P-3000")),
                Some("STD m&m"),
            ),
            ("a2505&b2505", "", Some(("a2505", "b2505")), Some("a&b")),
            ("SP a2505&", "SP", None, None),
            ("SP a&b&c", "SP", None, None),
            ("SP 1&2", "SP", Some(("1", "2")), None),
            ("a b", "a", None, None),
        ] {
            let shape = combination(id);
            assert_eq!((shape.kind, shape.legs), (kind, legs), "{id}");
            assert_eq!(shape.product().as_deref(), product, "{id}");
        }
    }

    #[test]
    fn other_ids_say_nothing() {
        for id in ["", "10004233", "rb", "rb2601x", "rb2601-X-3", "rb2601C", "rb2601C1.2.3", "_"] {
            assert_eq!(InstrumentShape::of(id), InstrumentShape::Other, "{id}");
        }
    }

    proptest! {
        #[test]
        fn any_text_has_a_shape_made_of_its_own_parts(id in "[A-Za-z0-9_&. -]{0,40}|.{0,40}", year in 0_u32..4000) {
            match InstrumentShape::of(&id) {
                InstrumentShape::Future(shape) => {
                    prop_assert!(id.starts_with(shape.product));
                    if let Some(delivery) = shape.delivery(year) {
                        prop_assert!((1..=12).contains(&delivery.month));
                    }
                }
                InstrumentShape::Option(shape) => {
                    prop_assert!(id.starts_with(shape.contract_id));
                    prop_assert!(shape.strike.is_finite());
                    prop_assert_eq!(future(shape.contract_id), shape.contract);
                }
                InstrumentShape::Combination(shape) => {
                    prop_assert!(id.starts_with(shape.kind));
                    if let Some((first, second)) = shape.legs {
                        let legs = format!("{first}&{second}");
                        prop_assert!(id.ends_with(&legs));
                    }
                }
                InstrumentShape::Other => {}
            }
        }

        #[test]
        fn three_digits_mean_a_year_close_by(year in 2000_u32..2190, digit in 0_u32..10, month in 1_u32..=12) {
            let id = format!("SR{digit}{month:02}");
            let delivery = future(&id).delivery(year).unwrap();
            prop_assert_eq!((delivery.year % 10, delivery.month), (digit, month));
            prop_assert!((year - 4..=year + 5).contains(&delivery.year));
        }
    }
}

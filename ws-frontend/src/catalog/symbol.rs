//! An instrument as DIFF's clients name it: `SHFE.rb2601` (pure).

use shm_layout::instrument_shape::{FutureShape, InstrumentShape};
use shm_layout::{ExchangeId, InstrumentId};

/// An exchange and an instrument of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Symbol {
    /// The exchange; never unknown.
    pub exchange: ExchangeId,
    /// The instrument.
    pub instrument: InstrumentId,
}

// === impl Symbol ===

impl Symbol {
    /// Takes `EXCHANGE.id`; upper and lower case are different. SHFE's and INE's combinations of two futures have a second name,
    /// which TqSdk writes: `SHFE.cu2601-cu2602` is `SHFE.SP cu2601&cu2602`, and `SPC` with two products. `None` for anything
    /// else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (prefix, id) = text.split_once('.')?;
        let exchange = ExchangeId::parse(prefix).ok()?;
        if exchange.is_unknown() || exchange.as_str() != prefix {
            return None;
        }
        let combination = [ExchangeId::SHFE, ExchangeId::INE]
            .contains(&exchange)
            .then(|| combination_of(id))
            .flatten();
        let instrument = InstrumentId::parse(combination.as_deref().unwrap_or(id)).ok()?;
        Some(Self { exchange, instrument })
    }
}

impl std::fmt::Display for Symbol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.exchange, self.instrument)
    }
}

/// The exchange's id of `cu2601-cu2602`; `None` for what is not written just so.
fn combination_of(id: &str) -> Option<String> {
    let (first, second) = id.split_once('-')?;
    let product = |leg| match InstrumentShape::of(leg) {
        InstrumentShape::Future(FutureShape { product, .. }) => {
            let is_plain = product.len() == 2 && product.bytes().all(|c| c.is_ascii_lowercase());
            (is_plain && leg.len() == 6).then_some(product)
        }
        _ => None,
    };
    let kind = if product(first)? == product(second)? { "SP" } else { "SPC" };
    Some(format!("{kind} {first}&{second}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn both_names_of_a_combination_are_one() {
        for (text, symbol) in [
            ("SHFE.rb2601", Some("SHFE.rb2601")),
            ("SHFE.cu2601-cu2602", Some("SHFE.SP cu2601&cu2602")),
            ("INE.sc2601-lu2602", Some("INE.SPC sc2601&lu2602")),
            ("SHFE.SP cu2601&cu2602", Some("SHFE.SP cu2601&cu2602")),
            ("DCE.cs2601-cs2603", Some("DCE.cs2601-cs2603")),
            ("SHFE.cu2601-cu26022", Some("SHFE.cu2601-cu26022")),
            ("SHFE.CU2601-cu2602", Some("SHFE.CU2601-cu2602")),
            ("DCE.m2505-C-3000", Some("DCE.m2505-C-3000")),
            ("DCE.i2505-P-97.5", Some("DCE.i2505-P-97.5")),
            ("rb2601", None),
            (".rb2601", None),
            (" SHFE.rb2601", None),
            ("SHFE.", None),
            ("", None),
        ] {
            assert_eq!(Symbol::parse(text).map(|symbol| symbol.to_string()).as_deref(), symbol);
        }
    }

    proptest! {
        #[test]
        fn what_is_parsed_is_written_so_again(text in "[A-Za-z0-9.&\" -]{0,30}|.{0,90}") {
            if let Some(symbol) = Symbol::parse(&text) {
                prop_assert_eq!(Symbol::parse(&symbol.to_string()), Some(symbol));
            }
        }
    }
}

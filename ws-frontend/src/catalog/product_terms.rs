//! What the exchanges publish of their products: units in a lot and the least step of the price, as of 2026 (pure).
//!
//! They stand in for a list that says nothing, because TqSdk waits for a price step before it hands out an instrument. A list
//! overrides them.

/// Units in a lot, and the least step of the price.
type Terms = (u32, f64);

/// The futures of every exchange, by their terms; products are unique over all exchanges.
const FUTURES: [(Terms, &[&str]); 33] = [
    ((1, 10.0), &["ni", "sn"]),
    ((1, 20.0), &["lc"]),
    ((3, 5.0), &["ps"]),
    ((5, 1.0), &["eb", "l", "pp", "v"]),
    ((5, 2.0), &["PF", "PK", "PX", "SF", "SM", "TA"]),
    ((5, 5.0), &["CF", "CJ", "CY", "al", "br", "pb", "si", "ss", "zn"]),
    ((5, 10.0), &["bc", "cu"]),
    ((10, 0.5), &["fb"]),
    (
        (10, 1.0),
        &[
            "AP", "MA", "OI", "RM", "RS", "SR", "a", "b", "bu", "c", "cs", "eg", "fu", "hc", "jd",
            "lu", "m", "rb", "rr", "wr",
        ],
    ),
    ((10, 2.0), &["p", "sp", "y"]),
    ((10, 5.0), &["ad", "nr", "ru"]),
    ((15, 1.0), &["ag"]),
    ((15, 2.0), &["PR"]),
    ((16, 5.0), &["lh"]),
    ((20, 1.0), &["FG", "JR", "LR", "PL", "RI", "SA", "UR", "WH", "ao", "pg"]),
    ((30, 1.0), &["SH", "bz"]),
    ((40, 2.0), &["op"]),
    ((50, 0.1), &["ec"]),
    ((50, 1.0), &["PM"]),
    ((60, 0.5), &["jm"]),
    ((90, 0.5), &["lg"]),
    ((100, 0.2), &["ZC"]),
    ((100, 0.5), &["i", "j"]),
    ((200, 0.2), &["IC", "IM", "TC"]),
    ((300, 0.2), &["IF", "IH"]),
    ((500, 0.05), &["bb"]),
    ((1000, 0.02), &["au"]),
    ((1000, 0.05), &["pd", "pt"]),
    ((1000, 0.1), &["sc"]),
    ((10_000, 0.005), &["T", "TF"]),
    ((10_000, 0.01), &["TL"]),
    ((20_000, 0.002), &["TS"]),
    // Options on indices of CFFEX; those on futures have their future's units.
    ((100, 0.2), &["HO", "IO", "MO"]),
];

/// The least step of the price of options on futures, for those that are sure; others' are for the list to say.
const OPTIONS: [(f64, &[&str]); 6] = [
    (0.02, &["au"]),
    (0.05, &["sc"]),
    (0.1, &["i"]),
    (0.5, &["MA", "RM", "SR", "TA", "a", "b", "c", "l", "m", "p", "pp", "v", "y"]),
    (1.0, &["CF", "al", "ru", "zn"]),
    (2.0, &["cu"]),
];

/// The terms of a product's futures, or of CFFEX's options.
pub(super) fn of_product(product: &str) -> Option<Terms> {
    let found = FUTURES.iter().find(|(_, products)| products.contains(&product));
    found.map(|(terms, _)| *terms)
}

/// The price step of the options on a product's futures.
pub(super) fn option_price_tick(product: &str) -> Option<f64> {
    let found = OPTIONS.iter().find(|(_, products)| products.contains(&product));
    found.map(|(tick, _)| *tick)
}

#[cfg(test)]
mod tests {
    use shm_layout::{ExchangeId, product};

    use super::*;

    #[test]
    fn every_product_is_one_of_an_exchange_and_stands_once() {
        let mut all: Vec<_> = FUTURES.iter().flat_map(|(_, products)| products.iter()).collect();
        for product in &all {
            assert!(!product::exchange_of(product).is_unknown(), "{product}");
        }
        let listed = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!((all.len(), listed), (92, 92));
        for (_, products) in OPTIONS {
            for option in products {
                assert!(of_product(option).is_some(), "{option}");
                assert_ne!(product::exchange_of(option), ExchangeId::CFFEX);
            }
        }
    }

    #[test]
    fn terms_are_the_exchanges() {
        assert_eq!(of_product("TL"), Some((10_000, 0.01)));
        assert_eq!(of_product("IO"), Some((100, 0.2)));
        assert_eq!(of_product("au"), Some((1000, 0.02)));
        assert_eq!(of_product("zz"), None);
        assert_eq!((option_price_tick("m"), option_price_tick("rb")), (Some(0.5), None));
    }
}

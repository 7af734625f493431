//! Which exchange trades a product, for the many ticks whose ExchangeID is empty.
//!
//! Product ids are unique over the six futures exchanges, even ignoring case, so an instrument's leading letters say
//! where it is traded. For a combination the first leg's letters do.

use crate::exchange_id::ExchangeId;

/// The products of each exchange, as the exchange spells them.
const PRODUCTS: [(ExchangeId, &[&str]); 6] = [
    (
        ExchangeId::SHFE,
        &[
            "ad", "ag", "al", "ao", "au", "br", "bu", "cu", "fu", "hc", "ni", "op", "pb", "rb",
            "ru", "sn", "sp", "ss", "wr", "zn",
        ],
    ),
    (ExchangeId::INE, &["bc", "ec", "lu", "nr", "sc"]),
    (
        ExchangeId::DCE,
        &[
            "a", "b", "bb", "bz", "c", "cs", "eb", "eg", "fb", "i", "j", "jd", "jm", "l", "lg",
            "lh", "m", "p", "pg", "pp", "rr", "v", "y",
        ],
    ),
    (
        ExchangeId::CZCE,
        &[
            "AP", "CF", "CJ", "CY", "FG", "JR", "LR", "MA", "OI", "PF", "PK", "PL", "PM", "PR",
            "PX", "RI", "RM", "RS", "SA", "SF", "SH", "SM", "SR", "TA", "TC", "UR", "WH", "ZC",
        ],
    ),
    (ExchangeId::CFFEX, &["HO", "IC", "IF", "IH", "IM", "IO", "MO", "T", "TF", "TL", "TS"]),
    (ExchangeId::GFEX, &["lc", "pd", "ps", "pt", "si"]),
];

/// An instrument's product: the letters its id begins with; for a combination (`SPD JR009&JR103`) those of its first leg.
/// Empty when the id begins otherwise, as the numeric ids of ETF options do.
#[must_use]
pub fn product_of(instrument: &str) -> &str {
    let leg = instrument.rsplit_once(' ').map_or(instrument, |(_, legs)| legs);
    let end = leg.bytes().position(|byte| !byte.is_ascii_alphabetic()).unwrap_or(leg.len());
    &leg[..end]
}

/// The exchange that trades an instrument, inferred from its product; [`ExchangeId::UNKNOWN`] for products not listed.
#[must_use]
pub fn exchange_of(instrument: &str) -> ExchangeId {
    let product = product_of(instrument);
    let trades = |matches: fn(&str, &str) -> bool| {
        PRODUCTS.iter().find(|(_, products)| products.iter().any(|listed| matches(listed, product)))
    };
    trades(|listed, product| listed == product)
        .or_else(|| trades(|listed, product| listed.eq_ignore_ascii_case(product)))
        .map_or(ExchangeId::UNKNOWN, |(exchange, _)| *exchange)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_of_id_leads_to_its_exchange() {
        let shapes = [
            ("AP501", ExchangeId::CZCE),
            ("SR501C5500", ExchangeId::CZCE),
            ("IF2501", ExchangeId::CFFEX),
            ("IO2501-C-4000", ExchangeId::CFFEX),
            ("m2505", ExchangeId::DCE),
            ("m2505-C-3000", ExchangeId::DCE),
            ("si2501-P-10000", ExchangeId::GFEX),
            ("rb2601", ExchangeId::SHFE),
            ("cu2501C70000", ExchangeId::SHFE),
            ("sc2501", ExchangeId::INE),
            ("sc_tas2501", ExchangeId::INE),
            ("SP a2505&b2505", ExchangeId::DCE),
            ("SPC a2505&m2505", ExchangeId::DCE),
            ("SPD JR009&JR103", ExchangeId::CZCE),
            ("IPS SF501&SM501", ExchangeId::CZCE),
            ("RB2601", ExchangeId::SHFE),
            ("10004233", ExchangeId::UNKNOWN),
            ("zzz2501", ExchangeId::UNKNOWN),
            ("", ExchangeId::UNKNOWN),
        ];
        for (id, exchange) in shapes {
            assert_eq!(exchange_of(id), exchange, "{id}");
        }
    }

    #[test]
    fn products_are_unique_even_ignoring_case() {
        let mut all: Vec<String> = PRODUCTS
            .iter()
            .flat_map(|(_, products)| products.iter().map(|product| product.to_lowercase()))
            .collect();
        let listed = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), listed);
    }
}

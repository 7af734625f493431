//! What the segments say of an instrument apart from its ticks (pure).

use shm_layout::depth::SlotFacts;
use shm_layout::qamddata::{Instrument, KeyError, ProductClass, QamddataKey};
use shm_layout::{ExchangeId, InstrumentId};

use crate::instruments::Listing;

/// An instrument as the segments have it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Facts {
    /// Its key in `qamddata`, or why it has none.
    pub(super) key: Result<QamddataKey, KeyError>,
    /// For `qamddata`; its prices are unknown.
    pub(super) instrument: Instrument,
    /// For the depth segment.
    pub(super) slot: SlotFacts,
}

// === impl Facts ===

impl Facts {
    /// What a listing says.
    pub(super) fn of(listing: &Listing) -> Self {
        let class = class_of(listing);
        let volume_multiple = listing.volume_multiple.unwrap_or(0);
        let or_unknown = |number: Option<f64>| number.unwrap_or(f64::NAN);
        let price_tick = or_unknown(listing.price_tick);
        Self {
            key: QamddataKey::of(listing.exchange, &listing.instrument),
            instrument: Instrument {
                expired: u8::from(listing.expired),
                product_class: class.0,
                volume_multiple: i64::from(volume_multiple),
                margin: or_unknown(listing.margin),
                commission: or_unknown(listing.commission),
                price_tick,
                ..Instrument::UNKNOWN
            },
            slot: SlotFacts {
                exchange: listing.exchange,
                volume_multiple: u64::from(volume_multiple),
                price_tick,
                product_class: class.0.cast_unsigned(),
            },
        }
    }
}

/// The bits of an instrument's class: the file's word for it, else what its id looks like.
fn class_of(listing: &Listing) -> ProductClass {
    let option = || option_at(listing.exchange);
    match listing.product_class.as_deref() {
        Some("futures") => ProductClass::FUTURES,
        Some("options") => option(),
        Some("spot_option") => ProductClass::OPTIONS,
        Some("combination") => ProductClass::COMBINATION,
        Some("index") => ProductClass::INDEX,
        Some("continuous") => ProductClass::CONTINUOUS,
        Some("spot" | "stock") => ProductClass::STOCK,
        Some(_) => ProductClass::UNKNOWN,
        None => match shape_of(&listing.instrument) {
            Shape::Combination => ProductClass::COMBINATION,
            Shape::Option => option(),
            Shape::Futures => ProductClass::FUTURES,
            Shape::Other => ProductClass::UNKNOWN,
        },
    }
}

/// Options of the commodity exchanges are on futures, those of the others on indices and funds.
fn option_at(exchange: ExchangeId) -> ProductClass {
    let on_other = ["CFFEX", "SSE", "SZSE"].contains(&exchange.as_str());
    if on_other { ProductClass::OPTIONS } else { ProductClass::OPTION_ON_FUTURE }
}

/// What an id looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// `SPD JR009&JR103`.
    Combination,
    /// `m2505-C-3000`, `SR501C5500`, `m2505-MS-C-3000`.
    Option,
    /// `rb2601`, `sc_tas2501`.
    Futures,
    /// `10004233`.
    Other,
}

fn shape_of(instrument: &InstrumentId) -> Shape {
    let text = instrument.as_str();
    if text.contains(['&', ' ']) {
        return Shape::Combination;
    }
    let letters = text.trim_start_matches(|c: char| c.is_ascii_alphabetic() || c == '_');
    let month = letters.trim_start_matches(|c: char| c.is_ascii_digit());
    if letters.len() == text.len() || month.len() == letters.len() {
        return Shape::Other;
    }
    if month.is_empty() {
        return Shape::Futures;
    }
    let strike = month.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let side = strike.trim_end_matches('-');
    if strike.len() < month.len() && side.ends_with(['C', 'P']) {
        Shape::Option
    } else {
        Shape::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(id: &str, file: Option<&str>) -> i64 {
        let instrument = InstrumentId::parse(id).unwrap();
        let listing =
            Listing { product_class: file.map(Into::into), ..Listing::unlisted(instrument) };
        Facts::of(&listing).instrument.product_class
    }

    #[test]
    fn classes_are_the_files_or_what_an_id_looks_like() {
        for (id, bits) in [
            ("rb2601", 1),
            ("sc_tas2501", 1),
            ("SPD JR009&JR103", 4),
            ("m2505-C-3000", 8),
            ("m2505-MS-C-3000", 8),
            ("SR501C5500", 8),
            ("cu2501P70000", 8),
            ("IO2501-C-4000", 2),
            ("10004233", 0),
            ("rb2601x", 0),
        ] {
            assert_eq!(class(id, None), bits, "{id}");
        }
        for (file, bits) in [
            ("futures", 1),
            ("options", 8),
            ("spot_option", 2),
            ("combination", 4),
            ("index", 16),
            ("continuous", 32),
            ("stock", 64),
            ("efp", 0),
        ] {
            assert_eq!(class("rb2601", Some(file)), bits, "{file}");
        }
        assert_eq!(class("IO2501-C-4000", Some("options")), 2);
    }

    #[test]
    fn what_no_file_says_is_unknown() {
        let listing = Listing::unlisted(InstrumentId::parse("rb2601").unwrap());
        let facts = Facts::of(&listing);
        assert_eq!(facts.key.unwrap().to_string(), "SHFE.rb2601");
        assert_eq!((facts.instrument.volume_multiple, facts.slot.volume_multiple), (0, 0));
        for unknown in [facts.instrument.margin, facts.instrument.price_tick, facts.slot.price_tick]
        {
            assert!(unknown.is_nan());
        }
        let listed = Listing {
            volume_multiple: Some(10),
            price_tick: Some(0.5),
            margin: Some(0.12),
            commission: Some(3.0),
            expired: true,
            ..listing
        };
        let Facts { instrument, slot, .. } = Facts::of(&listed);
        assert_eq!((instrument.volume_multiple, slot.volume_multiple), (10, 10));
        assert_eq!((instrument.price_tick, slot.price_tick), (0.5, 0.5));
        assert_eq!((instrument.margin, instrument.commission, instrument.expired), (0.12, 3.0, 1));
    }
}

//! What the segments say of an instrument apart from its ticks (pure).

use shm_layout::ExchangeId;
use shm_layout::control::InstrumentClass;
use shm_layout::depth::SlotFacts;
use shm_layout::instrument_shape::InstrumentShape;
use shm_layout::qamddata::{Instrument, KeyError, ProductClass, QamddataKey};

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
        let listed = &listing.facts;
        let volume_multiple = listed.volume_multiple.unwrap_or(0);
        let or_unknown = |number: Option<f64>| number.unwrap_or(f64::NAN);
        let price_tick = or_unknown(listed.price_tick);
        Self {
            key: QamddataKey::of(listing.exchange, &listing.instrument),
            instrument: Instrument {
                expired: u8::from(listed.expired),
                product_class: class.0,
                volume_multiple: i64::from(volume_multiple),
                margin: or_unknown(listed.margin),
                commission: or_unknown(listed.commission),
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
    match listing.facts.class {
        Some(InstrumentClass::Futures) => ProductClass::FUTURES,
        Some(InstrumentClass::Options) => option(),
        Some(InstrumentClass::SpotOption) => ProductClass::OPTIONS,
        Some(InstrumentClass::Combination) => ProductClass::COMBINATION,
        Some(InstrumentClass::Index) => ProductClass::INDEX,
        Some(InstrumentClass::Continuous) => ProductClass::CONTINUOUS,
        Some(InstrumentClass::Spot | InstrumentClass::Stock) => ProductClass::STOCK,
        Some(InstrumentClass::Efp) => ProductClass::UNKNOWN,
        None => match InstrumentShape::of(listing.instrument.as_str()) {
            InstrumentShape::Combination(_) => ProductClass::COMBINATION,
            InstrumentShape::Option(_) => option(),
            InstrumentShape::Future(_) => ProductClass::FUTURES,
            InstrumentShape::Other => ProductClass::UNKNOWN,
        },
    }
}

/// Options of the commodity exchanges are on futures, those of the others on indices and funds.
fn option_at(exchange: ExchangeId) -> ProductClass {
    let on_other = ["CFFEX", "SSE", "SZSE"].contains(&exchange.as_str());
    if on_other { ProductClass::OPTIONS } else { ProductClass::OPTION_ON_FUTURE }
}

#[cfg(test)]
mod tests {
    use shm_layout::InstrumentId;
    use shm_layout::control::ListedFacts;

    use super::*;

    fn class(id: &str, file: Option<InstrumentClass>) -> i64 {
        let instrument = InstrumentId::parse(id).unwrap();
        let facts = ListedFacts { class: file, ..ListedFacts::default() };
        let listing = Listing { facts, ..Listing::unlisted(instrument) };
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
            (InstrumentClass::Futures, 1),
            (InstrumentClass::Options, 8),
            (InstrumentClass::SpotOption, 2),
            (InstrumentClass::Combination, 4),
            (InstrumentClass::Index, 16),
            (InstrumentClass::Continuous, 32),
            (InstrumentClass::Stock, 64),
            (InstrumentClass::Efp, 0),
        ] {
            assert_eq!(class("rb2601", Some(file)), bits, "{file:?}");
        }
        assert_eq!(class("IO2501-C-4000", Some(InstrumentClass::Options)), 2);
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
        let facts = ListedFacts {
            volume_multiple: Some(10),
            price_tick: Some(0.5),
            margin: Some(0.12),
            commission: Some(3.0),
            expired: true,
            ..ListedFacts::default()
        };
        let listed = Listing { facts, ..listing };
        let Facts { instrument, slot, .. } = Facts::of(&listed);
        assert_eq!((instrument.volume_multiple, slot.volume_multiple), (10, 10));
        assert_eq!((instrument.price_tick, slot.price_tick), (0.5, 0.5));
        assert_eq!((instrument.margin, instrument.commission, instrument.expired), (0.12, 3.0, 1));
    }
}

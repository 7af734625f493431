//! When the products of the six futures exchanges trade, as of 2026 (pure).
//!
//! Taken from the exchanges' published hours. An exchange changes a product's night now and then: a file of hours, see
//! [`super::TradingHours::parse`], says otherwise without a new version.

/// A product's sessions by day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DaySessions {
    /// 09:00-10:15, 10:30-11:30, 13:30-15:00.
    Commodity,
    /// 09:30-11:30, 13:00-15:00.
    Index,
    /// 09:30-11:30, 13:00-15:15.
    Bond,
}

/// A product's session at night, from 21:00.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Night {
    /// None.
    None,
    /// To 23:00.
    To2300,
    /// To 01:00 of the next calendar day.
    To0100,
    /// To 02:30 of the next calendar day.
    To0230,
}

/// When a product trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProductHours {
    /// By day.
    pub day: DaySessions,
    /// At night.
    pub night: Night,
}

/// A session: its beginning and its end, in minutes since midnight of the day it begins on.
pub type Minutes = (u32, u32);

const fn at(hour: u32, minute: u32) -> u32 {
    hour * 60 + minute
}

const COMMODITY: [Minutes; 3] =
    [(at(9, 0), at(10, 15)), (at(10, 30), at(11, 30)), (at(13, 30), at(15, 0))];
const INDEX: [Minutes; 2] = [(at(9, 30), at(11, 30)), (at(13, 0), at(15, 0))];
const BOND: [Minutes; 2] = [(at(9, 30), at(11, 30)), (at(13, 0), at(15, 15))];

// === impl DaySessions ===

impl DaySessions {
    /// The sessions, in minutes since midnight.
    #[must_use]
    pub const fn minutes(self) -> &'static [Minutes] {
        match self {
            Self::Commodity => &COMMODITY,
            Self::Index => &INDEX,
            Self::Bond => &BOND,
        }
    }
}

// === impl Night ===

impl Night {
    /// The session, in minutes since midnight of the evening's day; beyond 24:00 it is the next calendar day.
    #[must_use]
    pub const fn minutes(self) -> Option<Minutes> {
        match self {
            Self::None => None,
            Self::To2300 => Some((at(21, 0), at(23, 0))),
            Self::To0100 => Some((at(21, 0), at(25, 0))),
            Self::To0230 => Some((at(21, 0), at(26, 30))),
        }
    }
}

/// Hours in which every product trades, of whatever exchange: for a product that is not listed.
pub(super) const COMMON_TO_ALL: [Minutes; 3] =
    [(at(9, 30), at(10, 15)), (at(10, 30), at(11, 30)), (at(13, 30), at(15, 0))];

use DaySessions::{Bond, Commodity, Index};

const PRODUCTS: [(ProductHours, &[&str]); 6] = [
    (
        // SHFE, INE, DCE, CZCE and GFEX without a night.
        ProductHours { day: Commodity, night: Night::None },
        &[
            "wr", "ec", "bb", "fb", "jd", "lg", "lh", "AP", "CJ", "JR", "LR", "PK", "PM", "RI",
            "RS", "SF", "SM", "UR", "WH", "lc", "pd", "ps", "pt", "si",
        ],
    ),
    (
        ProductHours { day: Commodity, night: Night::To2300 },
        &[
            "br", "bu", "fu", "hc", "op", "rb", "ru", "sp", // SHFE
            "lu", "nr", // INE
            "a", "b", "bz", "c", "cs", "eb", "eg", "i", "j", "jm", "l", "m", "p", "pg", "pp", "rr",
            "v", "y", // DCE
            "CF", "CY", "FG", "MA", "OI", "PF", "PL", "PR", "PX", "RM", "SA", "SH", "SR", "TA",
            "TC", "ZC", // CZCE
        ],
    ),
    (
        // SHFE's metals, and INE's copper.
        ProductHours { day: Commodity, night: Night::To0100 },
        &["ad", "al", "ao", "cu", "ni", "pb", "sn", "ss", "zn", "bc"],
    ),
    (ProductHours { day: Commodity, night: Night::To0230 }, &["ag", "au", "sc"]),
    // The options IO, HO and MO trade as the indices do.
    (ProductHours { day: Index, night: Night::None }, &["IC", "IF", "IH", "IM", "IO", "HO", "MO"]),
    (ProductHours { day: Bond, night: Night::None }, &["T", "TF", "TL", "TS"]),
];

/// All products whose hours are built in, as their exchange spells them.
pub(super) fn products() -> impl Iterator<Item = (&'static str, ProductHours)> {
    PRODUCTS.iter().flat_map(|(hours, products)| products.iter().map(|product| (*product, *hours)))
}

/// The hours of a product, whatever the case of its letters; `None` when they are not built in.
#[must_use]
pub fn hours_of(product: &str) -> Option<ProductHours> {
    products().find(|(known, _)| known.eq_ignore_ascii_case(product)).map(|(_, hours)| hours)
}

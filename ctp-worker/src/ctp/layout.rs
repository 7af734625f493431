//! Which structures and tables each version of the library uses (pure).
//!
//! The numeric fields of the depth record lie at the same places in all versions; what changed is where the instrument's
//! id lies, how long the records are, and one slot of the callback table. Read from the vendor's headers and binaries:
//!
//! | versions | callback slots | depth record | instrument id | band prices |
//! |---|---|---|---|---|
//! | 6.3.11 to 6.3.15 | 12 | 408 bytes | 9\[31\] | - |
//! | 6.3.19 | 13 | 408 | 9\[31\] | - |
//! | 6.5.1 | 13 | 568 | 401\[81\] | - |
//! | 6.6.1 to 6.7.13 | 13 | 584 | 401\[81\] | 568, 576 |
//!
//! A version between two of these is read with the older layout: its records are no longer than the real ones, so
//! nothing is read beyond their end.

use super::version::VersionNumber;

/// A text field of a record: `len` bytes at `at`, ended by a zero if shorter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextField {
    /// Offset in bytes.
    pub at: usize,
    /// Length in bytes.
    pub len: usize,
}

/// How many slots the callback table has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpiSlots {
    /// Without OnRspQryMulticastInstrument.
    Twelve,
    /// With it, at slot 5.
    Thirteen,
}

/// `CThostFtdcDepthMarketDataField`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DepthLayout {
    /// Its length in bytes.
    pub size: usize,
    /// InstrumentID.
    pub instrument: TextField,
    /// The place where older versions had InstrumentID, kept as `reserve1`.
    pub old_instrument: Option<TextField>,
    /// ExchangeInstID.
    pub exchange_instrument: TextField,
    /// BandingUpperPrice and BandingLowerPrice.
    pub banding: Option<[usize; 2]>,
}

/// `CThostFtdcSpecificInstrumentField`, the subject of a subscription's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpecificLayout {
    /// Its length in bytes.
    pub size: usize,
    /// InstrumentID.
    pub instrument: TextField,
    /// The place where older versions had it.
    pub old_instrument: Option<TextField>,
}

/// What one family of versions uses.
#[derive(Debug, PartialEq, Eq)]
pub struct Layout {
    /// The first and the last version it was verified with; the name of the family.
    pub verified: (VersionNumber, VersionNumber),
    /// The callback table.
    pub spi_slots: SpiSlots,
    /// The depth record.
    pub depth: DepthLayout,
    /// The answer's subject.
    pub specific: SpecificLayout,
}

/// How well a version is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confidence {
    /// A version inside a verified span.
    Verified,
    /// Newer than all that is known: the newest layout.
    Newer,
    /// Between two spans: the older layout.
    Between,
    /// Older than all that is known: the oldest layout.
    Older,
    /// No version could be read, and the configuration admits that: the newest layout.
    Unreadable,
}

/// A layout and how well it is known to fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChosenLayout {
    /// The layout.
    pub layout: &'static Layout,
    /// How well it fits.
    pub confidence: Confidence,
}

const DEPTH_408: DepthLayout = DepthLayout {
    size: 408,
    instrument: TextField { at: 9, len: 31 },
    old_instrument: None,
    exchange_instrument: TextField { at: 49, len: 31 },
    banding: None,
};

const DEPTH_568: DepthLayout = DepthLayout {
    size: 568,
    instrument: TextField { at: 401, len: 81 },
    old_instrument: Some(TextField { at: 9, len: 31 }),
    exchange_instrument: TextField { at: 482, len: 81 },
    banding: None,
};

const DEPTH_584: DepthLayout = DepthLayout { size: 584, banding: Some([568, 576]), ..DEPTH_568 };

const SPECIFIC_31: SpecificLayout =
    SpecificLayout { size: 31, instrument: TextField { at: 0, len: 31 }, old_instrument: None };

const SPECIFIC_112: SpecificLayout = SpecificLayout {
    size: 112,
    instrument: TextField { at: 31, len: 81 },
    old_instrument: Some(TextField { at: 0, len: 31 }),
};

/// Every layout, oldest first.
pub static LAYOUTS: [Layout; 4] = [
    Layout {
        verified: (VersionNumber::new(6, 3, 11), VersionNumber::new(6, 3, 15)),
        spi_slots: SpiSlots::Twelve,
        depth: DEPTH_408,
        specific: SPECIFIC_31,
    },
    Layout {
        verified: (VersionNumber::new(6, 3, 19), VersionNumber::new(6, 3, 19)),
        spi_slots: SpiSlots::Thirteen,
        depth: DEPTH_408,
        specific: SPECIFIC_31,
    },
    Layout {
        verified: (VersionNumber::new(6, 5, 1), VersionNumber::new(6, 5, 1)),
        spi_slots: SpiSlots::Thirteen,
        depth: DEPTH_568,
        specific: SPECIFIC_112,
    },
    Layout {
        verified: (VersionNumber::new(6, 6, 1), VersionNumber::new(6, 7, 13)),
        spi_slots: SpiSlots::Thirteen,
        depth: DEPTH_584,
        specific: SPECIFIC_112,
    },
];

// === impl Layout ===

impl Layout {
    /// The layout of the newest versions known.
    #[must_use]
    pub fn newest() -> &'static Self {
        &LAYOUTS[LAYOUTS.len() - 1]
    }

    /// The layout for a version. `has_multicast_query` says whether the library exports
    /// `ReqQryMulticastInstrument`: it came together with the thirteenth callback slot, and so decides for the
    /// versions between 6.3.15 and 6.3.19, of which none was seen.
    #[must_use]
    pub fn choose(version: VersionNumber, has_multicast_query: bool) -> ChosenLayout {
        let (oldest, newest) = (&LAYOUTS[0], Self::newest());
        if version < oldest.verified.0 {
            return ChosenLayout { layout: oldest, confidence: Confidence::Older };
        }
        if version > newest.verified.1 {
            return ChosenLayout { layout: newest, confidence: Confidence::Newer };
        }
        let begun = LAYOUTS.iter().rposition(|layout| layout.verified.0 <= version).unwrap_or(0);
        if version <= LAYOUTS[begun].verified.1 {
            return ChosenLayout { layout: &LAYOUTS[begun], confidence: Confidence::Verified };
        }
        let slots_in_doubt = begun == 0 && has_multicast_query;
        let layout = if slots_in_doubt { &LAYOUTS[1] } else { &LAYOUTS[begun] };
        ChosenLayout { layout, confidence: Confidence::Between }
    }

    /// The name for people and logs, such as `6.6.1-6.7.13`.
    #[must_use]
    pub fn name(&self) -> String {
        let (first, last) = self.verified;
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn chosen(version: (u16, u16, u16)) -> (String, Confidence) {
        let (major, minor, patch) = version;
        let chosen = Layout::choose(VersionNumber { major, minor, patch }, false);
        (chosen.layout.name(), chosen.confidence)
    }

    #[test]
    fn every_version_in_the_facts_has_its_layout() {
        let expected = [
            ((6, 3, 11), "6.3.11-6.3.15"),
            ((6, 3, 15), "6.3.11-6.3.15"),
            ((6, 3, 19), "6.3.19"),
            ((6, 5, 1), "6.5.1"),
            ((6, 6, 1), "6.6.1-6.7.13"),
            ((6, 6, 9), "6.6.1-6.7.13"),
            ((6, 7, 2), "6.6.1-6.7.13"),
            ((6, 7, 13), "6.6.1-6.7.13"),
        ];
        for (version, name) in expected {
            assert_eq!(chosen(version), (name.to_owned(), Confidence::Verified));
        }
    }

    #[test]
    fn unknown_versions_get_the_nearest_that_reads_no_byte_too_many() {
        assert_eq!(chosen((6, 8, 0)), ("6.6.1-6.7.13".into(), Confidence::Newer));
        assert_eq!(chosen((6, 3, 6)), ("6.3.11-6.3.15".into(), Confidence::Older));
        assert_eq!(chosen((6, 4, 0)), ("6.3.19".into(), Confidence::Between));
        assert_eq!(chosen((6, 6, 0)), ("6.5.1".into(), Confidence::Between));
        assert_eq!(chosen((6, 3, 17)), ("6.3.11-6.3.15".into(), Confidence::Between));
        let with_query = Layout::choose(VersionNumber::new(6, 3, 17), true);
        assert_eq!(with_query.layout.spi_slots, SpiSlots::Thirteen);
    }

    #[test]
    fn every_field_lies_inside_its_record() {
        for layout in &LAYOUTS {
            let depth = layout.depth;
            for field in
                [Some(depth.instrument), depth.old_instrument, Some(depth.exchange_instrument)]
            {
                assert!(field.is_none_or(|field| field.at + field.len <= depth.size));
            }
            assert!(
                depth.banding.is_none_or(|banding| banding.iter().all(|at| at + 8 <= depth.size))
            );
            let specific = layout.specific;
            for field in [Some(specific.instrument), specific.old_instrument] {
                assert!(field.is_none_or(|field| field.at + field.len <= specific.size));
            }
        }
    }

    proptest! {
        #[test]
        fn every_version_has_a_layout_not_newer_than_itself(
            major in 5_u16..8, minor in 0_u16..12, patch in 0_u16..30, query in any::<bool>(),
        ) {
            let version = VersionNumber { major, minor, patch };
            let chosen = Layout::choose(version, query);
            let doubtful = query && chosen.confidence == Confidence::Between;
            prop_assert!(
                chosen.layout.verified.0 <= version || chosen.confidence == Confidence::Older || doubtful
            );
        }
    }
}

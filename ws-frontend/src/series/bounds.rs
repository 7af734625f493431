//! How much a [`super::SeriesBook`] keeps (pure).

use shm_layout::limits::UNIVERSE_INSTRUMENTS_MAX;

use super::bar::Bar;
use super::history::{CHUNK, HistoryBounds};
use super::tick_row::TickRow;
use crate::limits::{
    SERIES_BARS_EACH_MAX, SERIES_BARS_MAX, SERIES_ENDED_EACH_MAX, SERIES_MAX,
    SERIES_MINUTES_BYTES_MAX, SERIES_MINUTES_EACH_MAX, SERIES_TICKS_BYTES_MAX,
    SERIES_TICKS_EACH_MAX,
};

/// The bounds; those of the product are [`Bounds::PRODUCT`], tests have smaller ones.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) instruments: usize,
    pub(super) ticks: HistoryBounds,
    pub(super) minutes: HistoryBounds,
    /// Living series.
    pub(super) series: usize,
    /// Bars of one living series.
    pub(super) bars_each: usize,
    /// Bars of all living series.
    pub(super) bars: usize,
    /// Ended series that are remembered of one instrument.
    pub(super) ended_each: usize,
}

// === impl Bounds ===

impl Bounds {
    pub(super) const PRODUCT: Self = Self {
        instruments: UNIVERSE_INSTRUMENTS_MAX,
        ticks: HistoryBounds {
            records_each: SERIES_TICKS_EACH_MAX,
            chunks: SERIES_TICKS_BYTES_MAX / (CHUNK * size_of::<TickRow>()),
        },
        minutes: HistoryBounds {
            records_each: SERIES_MINUTES_EACH_MAX,
            chunks: SERIES_MINUTES_BYTES_MAX / (CHUNK * size_of::<Bar>()),
        },
        series: SERIES_MAX,
        bars_each: SERIES_BARS_EACH_MAX,
        bars: SERIES_BARS_MAX,
        ended_each: SERIES_ENDED_EACH_MAX,
    };
}

const _: () = assert!(Bounds::PRODUCT.ticks.records_each.is_multiple_of(CHUNK));
const _: () = assert!(Bounds::PRODUCT.minutes.records_each.is_multiple_of(CHUNK));

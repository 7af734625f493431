//! What both segments hold of an instrument, as it is printed and as it goes into JSON (pure).

use serde::Serialize;

/// What was asked for, and what was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct View {
    /// As it was asked for.
    pub(super) asked: String,
    /// In the depth segment.
    pub(super) depth: Option<DepthView>,
    /// In `qamddata`.
    pub(super) qamddata: Option<QamddataView>,
}

/// An instrument's slot in the depth segment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct DepthView {
    /// Its id, with the exchange where that is known.
    pub(super) instrument: String,
    /// Ticks written since the segment was made.
    pub(super) ticks: u64,
    /// Milliseconds since the fleet began to carry it; `None` while it does not, and the tick is old.
    pub(super) carried_for_ms: Option<u64>,
    /// The latest tick; `None` before the first, and when the writer was faster than every copy.
    pub(super) tick: Option<TickView>,
}

/// A tick's main fields. Prices are `None` where the exchange gave none.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct TickView {
    /// Milliseconds since it came.
    pub(super) age_ms: u64,
    /// The number of the worker that wrote it.
    pub(super) worker: u32,
    /// That worker's connection, where the fleet's memory knows it.
    pub(super) connection: Option<String>,
    /// It came on subscribing: it may be older than its arrival.
    pub(super) snapshot: bool,
    /// The trading day, YYYYMMDD; 0 when unknown.
    pub(super) trading_day: u32,
    /// The calendar day of the exchange's time, YYYYMMDD; 0 when unknown.
    pub(super) action_day: u32,
    /// The exchange's time of day as sent, with milliseconds.
    pub(super) update_time: String,
    /// Last price.
    pub(super) last_price: Option<f64>,
    /// Settlement price of the trading day before.
    pub(super) pre_settlement: Option<f64>,
    /// Upper price limit.
    pub(super) upper_limit: Option<f64>,
    /// Lower price limit.
    pub(super) lower_limit: Option<f64>,
    /// Lots traded on the trading day.
    pub(super) volume: i32,
    /// Open interest, lots.
    pub(super) open_interest: Option<f64>,
    /// Five levels, best first.
    pub(super) levels: Vec<LevelView>,
}

/// One level of depth.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct LevelView {
    /// Bid price.
    pub(super) bid_price: Option<f64>,
    /// Bid volume, lots.
    pub(super) bid_volume: i32,
    /// Ask price.
    pub(super) ask_price: Option<f64>,
    /// Ask volume, lots.
    pub(super) ask_volume: i32,
}

/// An instrument in `qamddata`: all of its fields. What is NaN there is `None`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct QamddataView {
    /// Its key.
    pub(super) key: String,
    /// It trades no more.
    pub(super) expired: bool,
    /// Its class, bits.
    pub(super) product_class: i64,
    /// Units in one lot; 0 when unknown.
    pub(super) volume_multiple: i64,
    /// Margin of one lot.
    pub(super) margin: Option<f64>,
    /// Commission of one lot.
    pub(super) commission: Option<f64>,
    /// The least step of the price.
    pub(super) price_tick: Option<f64>,
    /// Last price.
    pub(super) last_price: Option<f64>,
    /// Settlement price of the trading day before.
    pub(super) pre_settlement: Option<f64>,
    /// Upper price limit.
    pub(super) upper_limit: Option<f64>,
    /// Lower price limit.
    pub(super) lower_limit: Option<f64>,
    /// Best ask price.
    pub(super) ask_price1: Option<f64>,
    /// Best bid price.
    pub(super) bid_price1: Option<f64>,
}

// === impl View ===

impl View {
    /// True when it is in one segment at least.
    pub(super) const fn is_known(&self) -> bool {
        self.depth.is_some() || self.qamddata.is_some()
    }
}

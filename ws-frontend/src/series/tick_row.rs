//! What is kept of a tick: what clients are told of it, and what bars are made of (pure).

use shm_layout::{DEPTH_LEVELS, Level, Tick};

/// A tick as a series has it. Prices and volumes are the exchange's own, bit for bit; see [`shm_layout::price_of`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TickRow {
    /// The exchange's time, or when the tick was received where it has none; nanoseconds since 1970-01-01 UTC.
    pub datetime_ns: i64,
    /// Last price.
    pub last_price: f64,
    /// Turnover divided by volume, as sent.
    pub average_price: f64,
    /// Highest price of the trading day.
    pub highest: f64,
    /// Lowest price of the trading day.
    pub lowest: f64,
    /// Money traded since the trading day began, as sent.
    pub turnover: f64,
    /// Open interest, lots.
    pub open_interest: f64,
    /// The levels of depth, best first.
    pub levels: [Level; DEPTH_LEVELS],
    /// Lots traded since the trading day began.
    pub volume: i32,
    /// The trading day as a number YYYYMMDD; 0 when unknown.
    pub trading_day: u32,
    /// Lots traded since the tick before.
    pub(super) gained: i32,
    /// `datetime_ns` is the exchange's, and a time that can be.
    pub(super) is_timed: bool,
}

const _: () = assert!(size_of::<TickRow>() == 192);

// === impl TickRow ===

impl TickRow {
    /// The tick as far as it is kept; the rest has no value.
    #[must_use]
    pub const fn as_tick(&self) -> Tick {
        Tick {
            exchange_time_ns: self.datetime_ns,
            trading_day: self.trading_day,
            last_price: self.last_price,
            average_price: self.average_price,
            highest_price: self.highest,
            lowest_price: self.lowest,
            turnover: self.turnover,
            open_interest: self.open_interest,
            volume: self.volume,
            levels: self.levels,
            ..Tick::EMPTY
        }
    }
}

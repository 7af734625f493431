//! The record that travels from a worker to every reader: one depth snapshot of one instrument, 512 bytes.
//!
//! Prices, volumes and texts are the exchange's own, bit for bit. What the worker derived stands beside them, never in
//! their place: `trading_day`, `action_day`, `exchange_time_ns`, and the exchange when the front did not name it.

use std::cmp::Ordering;
use std::mem::offset_of;

#[cfg(feature = "ring")]
use iceoryx2::prelude::ZeroCopySend;

use crate::exchange_id::ExchangeId;
use crate::instrument_id::{InstrumentId, InstrumentIdError};
use crate::limits::MERGE_LATE_NS;
use crate::numbers::{Incarnation, WorkerId};

/// The levels of depth that CTP carries.
pub const DEPTH_LEVELS: usize = 5;

/// CTP's sentinel for "no value" in any price, settlement, close, delta: the greatest double.
pub const NO_PRICE: f64 = f64::MAX;

/// The sentinel for "no time" in a derived time.
pub const NO_TIME: i64 = i64::MIN;

/// The value a raw price stands for: `None` for [`NO_PRICE`] and anything not finite. Zero and negative prices are real.
#[must_use]
pub fn price_of(raw: f64) -> Option<f64> {
    (raw.is_finite() && raw != NO_PRICE).then_some(raw)
}

/// One level of depth.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "ring", derive(ZeroCopySend))]
#[cfg_attr(feature = "ring", type_name("qamd::Level"))]
pub struct Level {
    /// Bid price, raw: [`NO_PRICE`] or zero where the exchange has no such level.
    pub bid_price: f64,
    /// Ask price, raw.
    pub ask_price: f64,
    /// Bid volume in lots.
    pub bid_volume: i32,
    /// Ask volume in lots.
    pub ask_volume: i32,
}

/// Where a tick comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Source {
    /// A broker's front through the vendor's library.
    Front = 1,
    /// The simulated library: a made market or a recording.
    Simulation = 2,
}

/// What else is known of a tick; a set of bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TickFlags(pub u8);

impl TickFlags {
    /// The first tick after a subscription: CTP sends the last snapshot at any hour, so it may be old, and a reader may have
    /// it already.
    pub const SNAPSHOT: Self = Self(1);
    /// ExchangeID was empty; the exchange was inferred from the product.
    pub const EXCHANGE_INFERRED: Self = Self(2);

    /// These flags and the others.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// True when all of the others are set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// One depth snapshot as it travels. Plain data: any bit pattern is safe to read; texts are checked when taken out.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "ring", derive(ZeroCopySend))]
#[cfg_attr(feature = "ring", type_name("qamd::Tick"))]
pub struct Tick {
    /// The worker that published it, see [`WorkerId`].
    pub worker: u32,
    /// A [`Source`].
    pub source: u8,
    /// A [`TickFlags`].
    pub flags: u8,
    /// Zero.
    pub reserved: u16,
    /// Which life of the worker, see [`Incarnation`].
    pub incarnation: u64,
    /// Counts this incarnation's ticks from 1 without a gap: what a reader misses, it knows by this.
    pub sequence: u64,
    /// When the callback ran: wall clock, nanoseconds since 1970-01-01 UTC.
    pub receive_time_ns: i64,
    /// The exchange's time (`action_day` and the raw update time, Asia/Shanghai): nanoseconds since 1970-01-01 UTC, or
    /// [`NO_TIME`].
    pub exchange_time_ns: i64,
    /// The trading day this tick belongs to, derived, as a number YYYYMMDD; 0 when unknown.
    pub trading_day: u32,
    /// The calendar day of the exchange's time, derived, as a number YYYYMMDD; 0 when unknown.
    pub action_day: u32,
    /// The instrument's id, zero-padded.
    pub instrument_id: [u8; InstrumentId::CAPACITY],
    /// The exchange, zero-padded: the front's or, with [`TickFlags::EXCHANGE_INFERRED`], the product's.
    pub exchange_id: [u8; ExchangeId::CAPACITY],
    /// ExchangeInstID as sent, zero-padded.
    pub exchange_instrument_id: [u8; 80],
    /// TradingDay as sent, zero-padded; CZCE sends the calendar day at night.
    pub raw_trading_day: [u8; 8],
    /// ActionDay as sent, zero-padded; may be empty, and is the trading day at DCE.
    pub raw_action_day: [u8; 8],
    /// UpdateTime as sent, `HH:MM:SS`.
    pub raw_update_time: [u8; 8],
    /// UpdateMillisec as sent; always 0 at CZCE.
    pub update_millisec: i32,
    /// Lots traded since the trading day began.
    pub volume: i32,
    /// Last price.
    pub last_price: f64,
    /// Settlement price of the trading day before.
    pub pre_settlement_price: f64,
    /// Close price of the trading day before.
    pub pre_close_price: f64,
    /// Open interest at the end of the trading day before, lots.
    pub pre_open_interest: f64,
    /// First price of the trading day.
    pub open_price: f64,
    /// Highest price of the trading day.
    pub highest_price: f64,
    /// Lowest price of the trading day.
    pub lowest_price: f64,
    /// Money traded since the trading day began, yuan; at CZCE volume times average price without the multiplier.
    pub turnover: f64,
    /// Open interest, lots.
    pub open_interest: f64,
    /// Close price; no value before the close (0 at CZCE).
    pub close_price: f64,
    /// Settlement price; no value before it is set.
    pub settlement_price: f64,
    /// Upper price limit.
    pub upper_limit_price: f64,
    /// Lower price limit; may be negative for combinations.
    pub lower_limit_price: f64,
    /// Delta of the trading day before (options).
    pub pre_delta: f64,
    /// Delta (options).
    pub curr_delta: f64,
    /// Turnover divided by volume: times the multiplier, except at CZCE where it is a price.
    pub average_price: f64,
    /// Upper bound of the price band; no value from libraries before 6.6.1.
    pub banding_upper_price: f64,
    /// Lower bound of the price band; no value from libraries before 6.6.1.
    pub banding_lower_price: f64,
    /// The five levels of depth, best first.
    pub levels: [Level; DEPTH_LEVELS],
}

// Two processes are built on different days; these asserts are the reviewer who never forgets.
const _: () = {
    assert!(size_of::<Level>() == 24);
    assert!(size_of::<Tick>() == 512);
    assert!(align_of::<Tick>() == 8);
    assert!(offset_of!(Tick, source) == 4);
    assert!(offset_of!(Tick, incarnation) == 8);
    assert!(offset_of!(Tick, sequence) == 16);
    assert!(offset_of!(Tick, receive_time_ns) == 24);
    assert!(offset_of!(Tick, exchange_time_ns) == 32);
    assert!(offset_of!(Tick, trading_day) == 40);
    assert!(offset_of!(Tick, instrument_id) == 48);
    assert!(offset_of!(Tick, exchange_id) == 128);
    assert!(offset_of!(Tick, exchange_instrument_id) == 136);
    assert!(offset_of!(Tick, raw_trading_day) == 216);
    assert!(offset_of!(Tick, raw_action_day) == 224);
    assert!(offset_of!(Tick, raw_update_time) == 232);
    assert!(offset_of!(Tick, update_millisec) == 240);
    assert!(offset_of!(Tick, volume) == 244);
    assert!(offset_of!(Tick, last_price) == 248);
    assert!(offset_of!(Tick, turnover) == 304);
    assert!(offset_of!(Tick, average_price) == 368);
    assert!(offset_of!(Tick, banding_lower_price) == 384);
    assert!(offset_of!(Tick, levels) == 392);
};

// === impl Tick ===

impl Tick {
    /// A tick in which nothing has a value: zero bytes, [`NO_PRICE`] and [`NO_TIME`] throughout.
    pub const EMPTY: Self = Self {
        worker: 0,
        source: Source::Front as u8,
        flags: 0,
        reserved: 0,
        incarnation: 0,
        sequence: 0,
        receive_time_ns: NO_TIME,
        exchange_time_ns: NO_TIME,
        trading_day: 0,
        action_day: 0,
        instrument_id: [0; InstrumentId::CAPACITY],
        exchange_id: [0; ExchangeId::CAPACITY],
        exchange_instrument_id: [0; 80],
        raw_trading_day: [0; 8],
        raw_action_day: [0; 8],
        raw_update_time: [0; 8],
        update_millisec: 0,
        volume: 0,
        last_price: NO_PRICE,
        pre_settlement_price: NO_PRICE,
        pre_close_price: NO_PRICE,
        pre_open_interest: NO_PRICE,
        open_price: NO_PRICE,
        highest_price: NO_PRICE,
        lowest_price: NO_PRICE,
        turnover: NO_PRICE,
        open_interest: NO_PRICE,
        close_price: NO_PRICE,
        settlement_price: NO_PRICE,
        upper_limit_price: NO_PRICE,
        lower_limit_price: NO_PRICE,
        pre_delta: NO_PRICE,
        curr_delta: NO_PRICE,
        average_price: NO_PRICE,
        banding_upper_price: NO_PRICE,
        banding_lower_price: NO_PRICE,
        levels: [Level { bid_price: NO_PRICE, ask_price: NO_PRICE, bid_volume: 0, ask_volume: 0 };
            DEPTH_LEVELS],
    };

    /// The instrument, checked.
    ///
    /// # Errors
    /// [`InstrumentIdError`] when the bytes are no id; a worker never publishes such a tick.
    pub fn instrument(&self) -> Result<InstrumentId, InstrumentIdError> {
        InstrumentId::from_bytes(&self.instrument_id)
    }

    /// The exchange; unknown when the bytes are no name.
    #[must_use]
    pub fn exchange(&self) -> ExchangeId {
        ExchangeId::from_bytes(&self.exchange_id).unwrap_or_default()
    }

    /// The order of this tick to one that another worker brought, by days and times as the workers derived them and by volume;
    /// `None` when that one came so long before this that nobody is ahead of anybody any more.
    #[must_use]
    pub fn order_to_fresh(&self, other: &Self) -> Option<Ordering> {
        let moment = |tick: &Self| (tick.trading_day, tick.exchange_time_ns, tick.volume);
        let is_fresh = self.receive_time_ns.saturating_sub(other.receive_time_ns) < MERGE_LATE_NS;
        is_fresh.then(|| moment(self).cmp(&moment(other)))
    }

    /// The life of the worker that published this tick: sequences count within it.
    #[must_use]
    pub const fn origin(&self) -> (WorkerId, Incarnation) {
        (WorkerId(self.worker), Incarnation(self.incarnation))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_sentinel_and_the_infinite_are_no_value() {
        for raw in [NO_PRICE, f64::INFINITY, f64::NEG_INFINITY, f64::NAN] {
            assert_eq!(price_of(raw), None);
        }
        for raw in [0.0, -619.0, 0.0001, 3_594.000_000_000_000_5, 5_806.400_000_000_001, f64::MIN] {
            assert_eq!(price_of(raw).map(f64::to_bits), Some(raw.to_bits()));
        }
    }

    #[test]
    fn days_go_before_times_and_times_before_volumes_while_it_matters() {
        let at = |trading_day, exchange_time_ns, volume, receive_time_ns| Tick {
            trading_day,
            exchange_time_ns,
            volume,
            receive_time_ns,
            ..Tick::EMPTY
        };
        let kept = at(2, 2, 2, 0);
        for (tick, order) in [
            (at(2, 2, 2, 1), Ordering::Equal),
            (at(2, 2, 1, 1), Ordering::Less),
            (at(2, 1, 9, 1), Ordering::Less),
            (at(1, 9, 9, 1), Ordering::Less),
            (at(3, 1, 1, 1), Ordering::Greater),
        ] {
            assert_eq!(tick.order_to_fresh(&kept), Some(order));
        }
        assert_eq!(at(1, 1, 1, MERGE_LATE_NS).order_to_fresh(&kept), None);
    }

    #[test]
    fn flags_add_up() {
        let both = TickFlags::SNAPSHOT.with(TickFlags::EXCHANGE_INFERRED);
        assert!(both.contains(TickFlags::SNAPSHOT) && both.contains(TickFlags::EXCHANGE_INFERRED));
        assert!(!TickFlags::SNAPSHOT.contains(TickFlags::EXCHANGE_INFERRED));
    }
}

//! From the library's record to a [`Tick`] (pure): what the exchange said, bit for bit, and beside it what is derived.
//!
//! Derived are the trading day, the calendar day and the time in nanoseconds (see [`time`]), and the exchange where the
//! front did not name it.

pub mod time;

use shm_layout::{
    Date, ExchangeId, InstrumentId, Source, Tick, TickFlags, TradingCalendar, product,
};

use crate::ctp::fields::Depth;

/// What normalisation knows beside the record.
#[derive(Debug, Clone)]
pub struct Context {
    /// The trading days.
    pub calendar: TradingCalendar,
    /// The trading day of the login's answer, or a later one that a tick has said since.
    pub login_trading_day: Option<Date>,
    /// Where ticks come from.
    pub source: Source,
}

/// Makes a tick of a record received at `receive_time_ns` (wall clock, ns since 1970-01-01 UTC), together with its
/// instrument. `None` when the record names no instrument; nothing can be published then.
#[must_use]
pub fn normalize(
    depth: &Depth<'_>,
    context: &Context,
    receive_time_ns: i64,
) -> Option<(InstrumentId, Tick)> {
    let instrument = depth.instrument()?;
    let (exchange, inferred) = exchange(depth.exchange(), &instrument);
    let stamp = time::derive(&time::RawTime {
        trading_day: depth.trading_day(),
        action_day: depth.action_day(),
        update_time: depth.update_time(),
        update_millisec: depth.update_millisec(),
        exchange,
        login_trading_day: context.login_trading_day,
        receive_time_ns,
        calendar: &context.calendar,
    });
    let mut tick = Tick {
        source: context.source as u8,
        flags: if inferred { TickFlags::EXCHANGE_INFERRED.0 } else { 0 },
        receive_time_ns,
        exchange_time_ns: stamp.exchange_time_ns,
        trading_day: stamp.trading_day.map_or(0, Date::yyyymmdd),
        action_day: stamp.action_day.map_or(0, Date::yyyymmdd),
        instrument_id: *instrument.padded(),
        exchange_id: *exchange.padded(),
        exchange_instrument_id: padded(depth.exchange_instrument()),
        raw_trading_day: padded(depth.trading_day()),
        raw_action_day: padded(depth.action_day()),
        raw_update_time: padded(depth.update_time()),
        ..Tick::EMPTY
    };
    depth.copy_numbers(&mut tick);
    Some((instrument, tick))
}

/// The exchange as the front names it or, when it names none, the one that trades the product; true when inferred.
fn exchange(sent: &[u8], instrument: &InstrumentId) -> (ExchangeId, bool) {
    match ExchangeId::from_bytes(sent) {
        Some(exchange) if !exchange.is_unknown() => (exchange, false),
        _ => {
            let exchange = product::exchange_of(instrument.as_str());
            (exchange, !exchange.is_unknown())
        }
    }
}

/// A text in a zero-padded field of the tick; the records' fields have one byte more, for the closing zero.
fn padded<const N: usize>(text: &[u8]) -> [u8; N] {
    let mut bytes = [0; N];
    let length = text.len().min(N);
    bytes[..length].copy_from_slice(&text[..length]);
    bytes
}

#[cfg(test)]
mod tests;

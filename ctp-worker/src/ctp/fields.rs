//! Reading the library's records by offset (pure: bytes in, values out).
//!
//! Nothing is read beyond the length that the library's version gives the record; a place outside it has no value.

use shm_layout::{Date, InstrumentId, NO_PRICE};

use super::layout::{DepthLayout, SpecificLayout, TextField};

/// `TradingDay` of the login's answer: at its beginning in every version.
pub const LOGIN_TRADING_DAY: TextField = TextField { at: 0, len: 9 };

/// Bytes of the login's answer that are read; every version has more.
pub const LOGIN_BYTES: usize = LOGIN_TRADING_DAY.at + LOGIN_TRADING_DAY.len;

/// `CThostFtdcRspInfoField`: ErrorID, and ErrorMsg at 4\[81\].
pub const RSP_INFO_BYTES: usize = 88;

const ERROR_MESSAGE: TextField = TextField { at: 4, len: 81 };

/// Where the numeric fields of the depth record lie, in every version.
mod at {
    use super::TextField;

    pub(super) const TRADING_DAY: TextField = TextField { at: 0, len: 9 };
    pub(super) const EXCHANGE: TextField = TextField { at: 40, len: 9 };
    pub(super) const LAST_PRICE: usize = 80;
    pub(super) const PRE_SETTLEMENT: usize = 88;
    pub(super) const PRE_CLOSE: usize = 96;
    pub(super) const PRE_OPEN_INTEREST: usize = 104;
    pub(super) const OPEN: usize = 112;
    pub(super) const HIGHEST: usize = 120;
    pub(super) const LOWEST: usize = 128;
    pub(super) const VOLUME: usize = 136;
    pub(super) const TURNOVER: usize = 144;
    pub(super) const OPEN_INTEREST: usize = 152;
    pub(super) const CLOSE: usize = 160;
    pub(super) const SETTLEMENT: usize = 168;
    pub(super) const UPPER_LIMIT: usize = 176;
    pub(super) const LOWER_LIMIT: usize = 184;
    pub(super) const PRE_DELTA: usize = 192;
    pub(super) const CURR_DELTA: usize = 200;
    pub(super) const UPDATE_TIME: TextField = TextField { at: 208, len: 9 };
    pub(super) const UPDATE_MILLISEC: usize = 220;
    /// BidPrice1; a level has 32 bytes: bid price, bid volume, ask price, ask volume, each 8 with padding.
    pub(super) const LEVELS: usize = 224;
    pub(super) const LEVEL_STRIDE: usize = 32;
    pub(super) const AVERAGE_PRICE: usize = 384;
    pub(super) const ACTION_DAY: TextField = TextField { at: 392, len: 9 };
}

/// The text of a field: up to its first zero, empty when the field lies outside the record.
fn text(bytes: &[u8], field: TextField) -> &[u8] {
    let bytes = bytes.get(field.at..field.at + field.len).unwrap_or_default();
    &bytes[..bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len())]
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

/// One record of `OnRtnDepthMarketData` during its callback.
#[derive(Debug, Clone, Copy)]
pub struct Depth<'a> {
    bytes: &'a [u8],
    layout: &'static DepthLayout,
}

// === impl Depth ===

impl<'a> Depth<'a> {
    /// Views the bytes of a record as `layout` says.
    #[must_use]
    pub const fn new(bytes: &'a [u8], layout: &'static DepthLayout) -> Self {
        Self { bytes, layout }
    }

    fn price(&self, at: usize) -> f64 {
        array(self.bytes, at).map_or(NO_PRICE, f64::from_ne_bytes)
    }

    fn number(&self, at: usize) -> i32 {
        array(self.bytes, at).map_or(0, i32::from_ne_bytes)
    }

    /// The instrument: where this version has it or, when no id stands there, where older versions had it. That is seen
    /// when a front of another version fills the record.
    #[must_use]
    pub fn instrument(&self) -> Option<InstrumentId> {
        instrument_at(self.bytes, self.layout.instrument, self.layout.old_instrument)
    }

    /// TradingDay as sent.
    #[must_use]
    pub fn trading_day(&self) -> &'a [u8] {
        text(self.bytes, at::TRADING_DAY)
    }

    /// ActionDay as sent.
    #[must_use]
    pub fn action_day(&self) -> &'a [u8] {
        text(self.bytes, at::ACTION_DAY)
    }

    /// UpdateTime as sent.
    #[must_use]
    pub fn update_time(&self) -> &'a [u8] {
        text(self.bytes, at::UPDATE_TIME)
    }

    /// UpdateMillisec as sent.
    #[must_use]
    pub fn update_millisec(&self) -> i32 {
        self.number(at::UPDATE_MILLISEC)
    }

    /// ExchangeID as sent.
    #[must_use]
    pub fn exchange(&self) -> &'a [u8] {
        text(self.bytes, at::EXCHANGE)
    }

    /// ExchangeInstID as sent.
    #[must_use]
    pub fn exchange_instrument(&self) -> &'a [u8] {
        text(self.bytes, self.layout.exchange_instrument)
    }

    /// Copies prices, volumes, turnover and levels, bit for bit.
    pub fn copy_numbers(&self, tick: &mut shm_layout::Tick) {
        tick.update_millisec = self.update_millisec();
        tick.volume = self.number(at::VOLUME);
        tick.last_price = self.price(at::LAST_PRICE);
        tick.pre_settlement_price = self.price(at::PRE_SETTLEMENT);
        tick.pre_close_price = self.price(at::PRE_CLOSE);
        tick.pre_open_interest = self.price(at::PRE_OPEN_INTEREST);
        tick.open_price = self.price(at::OPEN);
        tick.highest_price = self.price(at::HIGHEST);
        tick.lowest_price = self.price(at::LOWEST);
        tick.turnover = self.price(at::TURNOVER);
        tick.open_interest = self.price(at::OPEN_INTEREST);
        tick.close_price = self.price(at::CLOSE);
        tick.settlement_price = self.price(at::SETTLEMENT);
        tick.upper_limit_price = self.price(at::UPPER_LIMIT);
        tick.lower_limit_price = self.price(at::LOWER_LIMIT);
        tick.pre_delta = self.price(at::PRE_DELTA);
        tick.curr_delta = self.price(at::CURR_DELTA);
        tick.average_price = self.price(at::AVERAGE_PRICE);
        if let Some([upper, lower]) = self.layout.banding {
            tick.banding_upper_price = self.price(upper);
            tick.banding_lower_price = self.price(lower);
        }
        for (index, level) in tick.levels.iter_mut().enumerate() {
            let at = at::LEVELS + index * at::LEVEL_STRIDE;
            level.bid_price = self.price(at);
            level.bid_volume = self.number(at + 8);
            level.ask_price = self.price(at + 16);
            level.ask_volume = self.number(at + 24);
        }
    }
}

fn instrument_at(bytes: &[u8], new: TextField, old: Option<TextField>) -> Option<InstrumentId> {
    let read = |field| InstrumentId::from_bytes(text(bytes, field)).ok();
    read(new).or_else(|| read(old?))
}

/// The subject of a subscription's answer.
#[must_use]
pub fn specific_instrument(bytes: &[u8], layout: &SpecificLayout) -> Option<InstrumentId> {
    instrument_at(bytes, layout.instrument, layout.old_instrument)
}

/// The trading day in a login's answer.
#[must_use]
pub fn login_trading_day(bytes: &[u8]) -> Option<Date> {
    Date::from_bytes(text(bytes, LOGIN_TRADING_DAY))
}

/// `CThostFtdcRspInfoField` with an ErrorID other than 0; its text is still in the vendor's encoding.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RspError {
    /// CTP's ErrorID.
    pub error_id: i32,
    message: [u8; ERROR_MESSAGE.len],
}

// === impl RspError ===

impl RspError {
    /// Reads the record; `None` when it says that all went well.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let error_id = array(bytes, 0).map_or(0, i32::from_ne_bytes);
        let message = array(bytes, ERROR_MESSAGE.at).unwrap_or([0; ERROR_MESSAGE.len]);
        (error_id != 0).then_some(Self { error_id, message })
    }

    /// An error of ours in the same form; the message is cut to the field's length.
    #[must_use]
    pub fn new(error_id: i32, message: &str) -> Self {
        let mut bytes = [0; ERROR_MESSAGE.len];
        let length = message.len().min(ERROR_MESSAGE.len);
        bytes[..length].copy_from_slice(&message.as_bytes()[..length]);
        Self { error_id, message: bytes }
    }

    /// The message, decoded.
    #[must_use]
    pub fn message(&self) -> String {
        super::gb18030::decode(&self.message)
    }
}

impl std::fmt::Debug for RspError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RspError({}, {:?})", self.error_id, self.message())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ctp::layout::{LAYOUTS, Layout};
    use shm_layout::Tick;

    /// A record of `layout` in which each eight bytes hold a number of their own.
    fn record(layout: &Layout) -> Vec<u8> {
        let words = layout.depth.size / 8;
        (0..words).flat_map(|n| f64::from(u32::try_from(n).unwrap()).to_ne_bytes()).collect()
    }

    #[test]
    fn numbers_come_from_the_same_places_in_every_layout() {
        for layout in &LAYOUTS {
            let bytes = record(layout);
            let mut tick = Tick::EMPTY;
            Depth::new(&bytes, &layout.depth).copy_numbers(&mut tick);
            assert_eq!(tick.last_price, 10.0);
            assert_eq!(tick.turnover, 18.0);
            assert_eq!(tick.curr_delta, 25.0);
            assert_eq!(tick.average_price, 48.0);
            let prices: Vec<f64> =
                tick.levels.iter().flat_map(|l| [l.bid_price, l.ask_price]).collect();
            assert_eq!(prices, [28.0, 30.0, 32.0, 34.0, 36.0, 38.0, 40.0, 42.0, 44.0, 46.0]);
            let banding = if layout.depth.banding.is_some() { [71.0, 72.0] } else { [NO_PRICE; 2] };
            assert_eq!([tick.banding_upper_price, tick.banding_lower_price], banding);
        }
    }

    #[test]
    fn a_record_that_ends_early_has_no_values_and_no_panic() {
        for layout in &LAYOUTS {
            for length in [0, 1, 9, 39, 83, 223, 391] {
                let bytes = vec![b'1'; length];
                let depth = Depth::new(&bytes, &layout.depth);
                let mut tick = Tick::EMPTY;
                depth.copy_numbers(&mut tick);
                assert_eq!(tick.average_price, NO_PRICE);
                assert_eq!(depth.instrument().is_some(), length >= 9 + 31);
            }
        }
    }

    #[test]
    fn the_instrument_is_where_the_version_has_it() {
        for layout in &LAYOUTS {
            let mut bytes = vec![0; layout.depth.size];
            let field = layout.depth.instrument;
            bytes[field.at..field.at + 6].copy_from_slice(b"rb2601");
            let depth = Depth::new(&bytes, &layout.depth);
            assert_eq!(depth.instrument().unwrap().as_str(), "rb2601");
            let mut specific = vec![0; layout.specific.size];
            let field = layout.specific.instrument;
            specific[field.at..field.at + 6].copy_from_slice(b"rb2601");
            assert_eq!(
                specific_instrument(&specific, &layout.specific).unwrap().as_str(),
                "rb2601"
            );
        }
    }

    #[test]
    fn a_garbage_id_gives_way_to_the_old_place() {
        // As quoted for zn2402: X\x02\fz\x7f in InstrumentID, the name in reserve1.
        let layout = &Layout::newest().depth;
        let mut bytes = vec![0; layout.size];
        bytes[401..406].copy_from_slice(b"X\x02\x0cz\x7f");
        assert_eq!(Depth::new(&bytes, layout).instrument(), None);
        bytes[9..15].copy_from_slice(b"zn2402");
        assert_eq!(Depth::new(&bytes, layout).instrument().unwrap().as_str(), "zn2402");
    }

    #[test]
    fn an_id_may_fill_its_field() {
        let layout = &LAYOUTS[0].depth;
        let bytes = vec![b'a'; layout.size];
        assert_eq!(Depth::new(&bytes, layout).instrument().unwrap().as_str().len(), 31);
    }

    #[test]
    fn an_error_is_one_only_with_an_id() {
        let mut bytes = [0; RSP_INFO_BYTES];
        assert_eq!(RspError::read(&bytes), None);
        bytes[0] = 3;
        // "CTP:不合法的登录" in GB18030.
        let text = b"CTP:\xb2\xbb\xba\xcf\xb7\xa8\xb5\xc4\xb5\xc7\xc2\xbc";
        bytes[4..4 + text.len()].copy_from_slice(text);
        let error = RspError::read(&bytes).unwrap();
        assert_eq!((error.error_id, error.message().as_str()), (3, "CTP:不合法的登录"));
    }

    #[test]
    fn reads_the_logins_day() {
        assert_eq!(login_trading_day(b"20250303\0"), Date::from_yyyymmdd(20_250_303));
        assert_eq!(login_trading_day(b"\0\0\0\0\0\0\0\0\0"), None);
        assert_eq!(login_trading_day(b""), None);
    }
}

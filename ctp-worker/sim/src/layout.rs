//! The structs of CTP's market-data interface, byte for byte, and the versions of that interface.
//!
//! The numbers come from `facts/ctp.md` (read from the genuine libraries). One struct serves all
//! versions: the numeric fields never moved, only the place of the instrument id did.

use std::mem::{offset_of, size_of};

use crate::instrument::InstrumentId;

/// What CTP puts where there is no value.
pub(crate) const NO_VALUE: f64 = f64::MAX;

/// A version of the interface whose layout the library shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Abi {
    /// 12 callbacks, the id in 31 bytes.
    V6_3_11,
    /// 13 callbacks, the id still in 31 bytes.
    V6_3_19,
    /// The id in 81 bytes at the end of each struct.
    V6_5_1,
    /// With banding prices.
    V6_6_1,
    /// Login answer of 204 bytes.
    V6_7_2,
    /// Login answer of 296 bytes.
    V6_7_13,
}

impl Abi {
    /// Each version by the name a script gives it.
    pub(crate) const NAMED: [(&'static str, Self); 6] = [
        ("6.3.11", Self::V6_3_11),
        ("6.3.19", Self::V6_3_19),
        ("6.5.1", Self::V6_5_1),
        ("6.6.1", Self::V6_6_1),
        ("6.7.2", Self::V6_7_2),
        ("6.7.13", Self::V6_7_13),
    ];

    /// The version's number, as in `6.7.13`.
    pub(crate) fn name(self) -> &'static str {
        Self::NAMED.iter().find(|(_, abi)| *abi == self).map_or("6.7.13", |(name, _)| name)
    }

    /// Whether the SPI table has `OnRspQryMulticastInstrument` as its slot 5.
    pub(crate) fn has_multicast_slot(self) -> bool {
        self != Self::V6_3_11
    }

    /// Whether the instrument id stands at the end of a struct, 81 bytes long.
    pub(crate) fn has_long_id(self) -> bool {
        !matches!(self, Self::V6_3_11 | Self::V6_3_19)
    }

    /// Bytes of `DepthMarketData` that belong to the version.
    pub(crate) fn depth_size(self) -> usize {
        match self {
            Self::V6_3_11 | Self::V6_3_19 => 408,
            Self::V6_5_1 => 568,
            Self::V6_6_1 | Self::V6_7_2 | Self::V6_7_13 => 584,
        }
    }
}

/// One level of the order book.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Level {
    pub(crate) bid_price: f64,
    pub(crate) bid_volume: i32,
    pub(crate) ask_price: f64,
    pub(crate) ask_volume: i32,
}

/// `CThostFtdcDepthMarketDataField`: a snapshot of one instrument.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(crate) struct DepthMarketData {
    pub(crate) trading_day: [u8; 9],
    /// `InstrumentID` up to 6.3.19, `reserve1` afterwards.
    pub(crate) short_instrument_id: [u8; 31],
    pub(crate) exchange_id: [u8; 9],
    /// `ExchangeInstID` up to 6.3.19, `reserve2` afterwards.
    pub(crate) short_exchange_inst_id: [u8; 31],
    pub(crate) last_price: f64,
    pub(crate) pre_settlement_price: f64,
    pub(crate) pre_close_price: f64,
    pub(crate) pre_open_interest: f64,
    pub(crate) open_price: f64,
    pub(crate) highest_price: f64,
    pub(crate) lowest_price: f64,
    pub(crate) volume: i32,
    pub(crate) turnover: f64,
    pub(crate) open_interest: f64,
    pub(crate) close_price: f64,
    pub(crate) settlement_price: f64,
    pub(crate) upper_limit_price: f64,
    pub(crate) lower_limit_price: f64,
    pub(crate) pre_delta: f64,
    pub(crate) curr_delta: f64,
    pub(crate) update_time: [u8; 9],
    pub(crate) update_millisec: i32,
    pub(crate) levels: [Level; 5],
    pub(crate) average_price: f64,
    pub(crate) action_day: [u8; 9],
    pub(crate) instrument_id: [u8; 81],
    pub(crate) exchange_inst_id: [u8; 81],
    pub(crate) banding_upper_price: f64,
    pub(crate) banding_lower_price: f64,
}

const _: () = {
    assert!(size_of::<Level>() == 32);
    assert!(size_of::<DepthMarketData>() == 584);
    assert!(offset_of!(DepthMarketData, short_instrument_id) == 9);
    assert!(offset_of!(DepthMarketData, exchange_id) == 40);
    assert!(offset_of!(DepthMarketData, short_exchange_inst_id) == 49);
    assert!(offset_of!(DepthMarketData, last_price) == 80);
    assert!(offset_of!(DepthMarketData, pre_settlement_price) == 88);
    assert!(offset_of!(DepthMarketData, pre_close_price) == 96);
    assert!(offset_of!(DepthMarketData, pre_open_interest) == 104);
    assert!(offset_of!(DepthMarketData, open_price) == 112);
    assert!(offset_of!(DepthMarketData, highest_price) == 120);
    assert!(offset_of!(DepthMarketData, lowest_price) == 128);
    assert!(offset_of!(DepthMarketData, volume) == 136);
    assert!(offset_of!(DepthMarketData, turnover) == 144);
    assert!(offset_of!(DepthMarketData, open_interest) == 152);
    assert!(offset_of!(DepthMarketData, close_price) == 160);
    assert!(offset_of!(DepthMarketData, settlement_price) == 168);
    assert!(offset_of!(DepthMarketData, upper_limit_price) == 176);
    assert!(offset_of!(DepthMarketData, lower_limit_price) == 184);
    assert!(offset_of!(DepthMarketData, pre_delta) == 192);
    assert!(offset_of!(DepthMarketData, curr_delta) == 200);
    assert!(offset_of!(DepthMarketData, update_time) == 208);
    assert!(offset_of!(DepthMarketData, update_millisec) == 220);
    assert!(offset_of!(DepthMarketData, levels) == 224);
    assert!(offset_of!(Level, bid_volume) == 8);
    assert!(offset_of!(Level, ask_price) == 16);
    assert!(offset_of!(Level, ask_volume) == 24);
    assert!(offset_of!(DepthMarketData, average_price) == 384);
    assert!(offset_of!(DepthMarketData, action_day) == 392);
    assert!(offset_of!(DepthMarketData, instrument_id) == 401);
    assert!(offset_of!(DepthMarketData, exchange_inst_id) == 482);
    assert!(offset_of!(DepthMarketData, banding_upper_price) == 568);
    assert!(offset_of!(DepthMarketData, banding_lower_price) == 576);
};

/// What stands in memory behind a shorter version's struct: nothing that a reader may rely on.
const BEYOND: u8 = 0xa5;

impl DepthMarketData {
    /// No value anywhere: prices are the sentinel, volumes zero, strings empty.
    pub(crate) const fn no_values() -> Self {
        let level =
            Level { bid_price: NO_VALUE, bid_volume: 0, ask_price: NO_VALUE, ask_volume: 0 };
        Self {
            trading_day: [0; 9],
            short_instrument_id: [0; 31],
            exchange_id: [0; 9],
            short_exchange_inst_id: [0; 31],
            last_price: NO_VALUE,
            pre_settlement_price: NO_VALUE,
            pre_close_price: NO_VALUE,
            pre_open_interest: NO_VALUE,
            open_price: NO_VALUE,
            highest_price: NO_VALUE,
            lowest_price: NO_VALUE,
            volume: 0,
            turnover: NO_VALUE,
            open_interest: NO_VALUE,
            close_price: NO_VALUE,
            settlement_price: NO_VALUE,
            upper_limit_price: NO_VALUE,
            lower_limit_price: NO_VALUE,
            pre_delta: NO_VALUE,
            curr_delta: NO_VALUE,
            update_time: [0; 9],
            update_millisec: 0,
            levels: [level; 5],
            average_price: NO_VALUE,
            action_day: [0; 9],
            instrument_id: [0; 81],
            exchange_inst_id: [0; 81],
            banding_upper_price: NO_VALUE,
            banding_lower_price: NO_VALUE,
        }
    }

    /// Puts the id where this version has it, and rubbish where it has nothing.
    pub(crate) fn set_instrument(&mut self, id: &InstrumentId, abi: Abi) {
        if abi.has_long_id() {
            self.short_instrument_id = [0; 31];
            put(&mut self.instrument_id, id.as_bytes());
        } else {
            put(&mut self.short_instrument_id, id.as_bytes());
            self.instrument_id = [BEYOND; 81];
            self.exchange_inst_id = [BEYOND; 81];
        }
        if abi.depth_size() < size_of::<Self>() {
            let rubbish = f64::from_bits(u64::from_ne_bytes([BEYOND; 8]));
            self.banding_upper_price = rubbish;
            self.banding_lower_price = rubbish;
        }
    }

    /// The id, from where this version has it.
    pub(crate) fn instrument(&self) -> InstrumentId {
        if self.short_instrument_id[0] == 0 {
            InstrumentId::new(&self.instrument_id)
        } else {
            InstrumentId::new(&self.short_instrument_id)
        }
    }

    /// Puts the exchange's own name of the instrument where this version has it.
    pub(crate) fn set_exchange_inst_id(&mut self, text: &[u8], abi: Abi) {
        if abi.has_long_id() {
            put(&mut self.exchange_inst_id, text);
        } else {
            put(&mut self.short_exchange_inst_id, text);
        }
    }

    /// Fills both places of the instrument id with bytes that are no text and never end.
    pub(crate) fn spoil_instrument(&mut self) {
        for (place, byte) in self.instrument_id.iter_mut().enumerate() {
            *byte = 0x80 | (place as u8).wrapping_mul(37);
        }
        self.short_instrument_id = [0xff; 31];
    }
}

/// Writes text into a fixed field: cut to leave a closing NUL, the rest zeroed.
pub(crate) fn put<const N: usize>(field: &mut [u8; N], text: &[u8]) {
    let length = text.len().min(N - 1);
    field[..length].copy_from_slice(&text[..length]);
    field[length..].fill(0);
}

/// `CThostFtdcRspUserLoginField` of the newest version; older ones are its beginning.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(crate) struct RspUserLogin {
    pub(crate) trading_day: [u8; 9],
    pub(crate) login_time: [u8; 9],
    pub(crate) broker_id: [u8; 11],
    pub(crate) user_id: [u8; 16],
    pub(crate) system_name: [u8; 41],
    pub(crate) front_id: i32,
    pub(crate) session_id: i32,
    pub(crate) max_order_ref: [u8; 13],
    /// SHFE, DCE, CZCE, CFFEX and INE, in this order.
    pub(crate) exchange_times: [[u8; 9]; 5],
    pub(crate) sys_version: [u8; 41],
    pub(crate) gfex_time: [u8; 9],
    pub(crate) login_dr_identity_id: i32,
    pub(crate) user_dr_identity_id: i32,
    pub(crate) last_login_time: [u8; 17],
    pub(crate) reserve_info: [u8; 65],
}

const _: () = {
    assert!(size_of::<RspUserLogin>() == 296);
    assert!(offset_of!(RspUserLogin, front_id) == 88);
    assert!(offset_of!(RspUserLogin, session_id) == 92);
    // 6.3.11 ends after INE's time (156 bytes with padding), 6.7.2 after GFEX's (204).
    assert!(offset_of!(RspUserLogin, sys_version) == 154);
    assert!(offset_of!(RspUserLogin, login_dr_identity_id) == 204);
};

impl RspUserLogin {
    /// Nothing but NULs and zeros.
    pub(crate) const fn empty() -> Self {
        Self {
            trading_day: [0; 9],
            login_time: [0; 9],
            broker_id: [0; 11],
            user_id: [0; 16],
            system_name: [0; 41],
            front_id: 0,
            session_id: 0,
            max_order_ref: [0; 13],
            exchange_times: [[0; 9]; 5],
            sys_version: [0; 41],
            gfex_time: [0; 9],
            login_dr_identity_id: 0,
            user_dr_identity_id: 0,
            last_login_time: [0; 17],
            reserve_info: [0; 65],
        }
    }
}

/// `CThostFtdcSpecificInstrumentField` since 6.5.1; before, its first 31 bytes were the whole.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(crate) struct SpecificInstrument {
    pub(crate) short_instrument_id: [u8; 31],
    pub(crate) instrument_id: [u8; 81],
}

const _: () = {
    assert!(size_of::<SpecificInstrument>() == 112);
    assert!(offset_of!(SpecificInstrument, instrument_id) == 31);
};

impl SpecificInstrument {
    /// The id where this version has it.
    pub(crate) fn new(id: &InstrumentId, abi: Abi) -> Self {
        let mut field = Self { short_instrument_id: [0; 31], instrument_id: [0; 81] };
        if abi.has_long_id() {
            put(&mut field.instrument_id, id.as_bytes());
        } else {
            put(&mut field.short_instrument_id, id.as_bytes());
            field.instrument_id = [BEYOND; 81];
        }
        field
    }
}

/// `CThostFtdcRspInfoField`: how a request ended.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(crate) struct RspInfo {
    pub(crate) error_id: i32,
    /// GB18030.
    pub(crate) error_msg: [u8; 81],
}

const _: () = {
    assert!(size_of::<RspInfo>() == 88);
    assert!(offset_of!(RspInfo, error_msg) == 4);
};

/// `CThostFtdcUserLogoutField`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(crate) struct UserLogout {
    pub(crate) broker_id: [u8; 11],
    pub(crate) user_id: [u8; 16],
}

const _: () = assert!(size_of::<UserLogout>() == 27);

/// The beginning of `CThostFtdcReqUserLoginField`, the same in every version.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReqUserLoginBeginning {
    pub(crate) trading_day: [u8; 9],
    pub(crate) broker_id: [u8; 11],
    pub(crate) user_id: [u8; 16],
}

const _: () = assert!(size_of::<ReqUserLoginBeginning>() == 36);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_stands_where_the_version_has_it() {
        let id = InstrumentId::new(b"SPD JR009&JR103");
        let mut depth = DepthMarketData::no_values();
        depth.set_instrument(&id, Abi::V6_7_13);
        assert_eq!(&depth.instrument_id[..16], b"SPD JR009&JR103\0");
        assert_eq!(depth.short_instrument_id, [0; 31]);
        depth.set_instrument(&id, Abi::V6_3_11);
        assert_eq!(&depth.short_instrument_id[..16], b"SPD JR009&JR103\0");
        assert_eq!(depth.instrument_id, [BEYOND; 81]);
        assert_eq!(&SpecificInstrument::new(&id, Abi::V6_3_19).short_instrument_id[..3], b"SPD");
    }

    #[test]
    fn long_text_is_cut_with_its_nul_kept() {
        let mut field = [1u8; 9];
        put(&mut field, b"0123456789");
        assert_eq!(&field, b"01234567\0");
        put(&mut field, b"ab");
        assert_eq!(&field, b"ab\0\0\0\0\0\0\0");
    }

    #[test]
    fn every_version_has_its_name() {
        for (name, abi) in Abi::NAMED {
            assert_eq!(abi.name(), name);
        }
    }
}

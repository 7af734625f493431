//! What the engine tells the outside: callbacks to the client's SPI, and what its calls return.

use std::path::Path;

use crate::faults::{Call, Death};
use crate::instrument::InstrumentId;
use crate::layout::{DepthMarketData, RspUserLogin};

/// Which request about instruments is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Topic {
    /// `SubscribeMarketData`.
    Subscribe,
    /// `UnSubscribeMarketData`.
    Unsubscribe,
    /// `SubscribeForQuoteRsp`.
    SubscribeForQuote,
    /// `UnSubscribeForQuoteRsp`.
    UnsubscribeForQuote,
}

/// Who logs in or out, as the client spelled it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) broker_id: [u8; 11],
    pub(crate) user_id: [u8; 16],
}

/// Where the engine's decisions go.
pub(crate) trait Callbacks {
    /// `OnFrontConnected`.
    fn front_connected(&mut self);
    /// `OnFrontDisconnected`.
    fn front_disconnected(&mut self, reason: i32);
    /// `OnHeartBeatWarning`.
    fn heartbeat_warning(&mut self, seconds: i32);
    /// `OnRspUserLogin`.
    fn login_answered(&mut self, login: &RspUserLogin, error_id: i32, request_id: i32);
    /// `OnRspUserLogout`.
    fn logout_answered(&mut self, names: Names, error_id: i32, request_id: i32);
    /// `OnRspError`.
    fn error_answered(&mut self, error_id: i32, request_id: i32);
    /// `OnRspQryMulticastInstrument`, without a result.
    fn multicast_answered(&mut self, error_id: i32, request_id: i32);
    /// `OnRspSubMarketData` and its kin.
    fn instrument_answered(&mut self, topic: Topic, id: &InstrumentId, error_id: i32, last: bool);
    /// `OnRtnDepthMarketData`.
    fn depth(&mut self, depth: &mut DepthMarketData);

    /// From now on requests do, or do not, find a connection.
    fn set_connected(&mut self, connected: bool);
    /// What `GetTradingDay` says from now on.
    fn set_trading_day(&mut self, trading_day: [u8; 9]);
    /// The next `times` calls of this kind return `code` and do nothing.
    fn spoil_calls(&mut self, call: Call, code: i32, times: u32);
    /// `Release` does not come back for so long, or never.
    fn hang_release(&mut self, for_ms: Option<u64>);
    /// Whether this process is the first that asks for this file.
    fn claim_once(&mut self, path: &Path) -> bool;
    /// Whether this file is there.
    fn is_there(&mut self, path: &Path) -> bool;
    /// Ends the process.
    fn die(&mut self, how: Death);
}

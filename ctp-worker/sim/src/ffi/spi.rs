//! Calls into the client's SPI object, slot by slot.

use std::ffi::{c_int, c_void};
use std::path::Path;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::engine::callbacks::{Callbacks, Names, Topic};
use crate::faults::{Call, Death};
use crate::ffi::shared::{Hang, Shared};
use crate::ffi::system::{die, monotonic_ns};
use crate::instrument::InstrumentId;
use crate::layout::{
    Abi, DepthMarketData, RspInfo, RspUserLogin, SpecificInstrument, UserLogout, put,
};
use crate::messages;

/// Slots of the SPI table since 6.3.19; before, slot 5 was missing.
#[derive(Debug, Clone, Copy)]
enum Slot {
    FrontConnected = 0,
    FrontDisconnected = 1,
    HeartBeatWarning = 2,
    RspUserLogin = 3,
    RspUserLogout = 4,
    RspQryMulticastInstrument = 5,
    RspError = 6,
    RspSubMarketData = 7,
    RspUnSubMarketData = 8,
    RspSubForQuoteRsp = 9,
    RspUnSubForQuoteRsp = 10,
    RtnDepthMarketData = 11,
}

impl Slot {
    fn index(self, abi: Abi) -> usize {
        let index = self as usize;
        let behind_gap = index > Self::RspQryMulticastInstrument as usize;
        index - usize::from(behind_gap && !abi.has_multicast_slot())
    }
}

type NoArguments = unsafe extern "C" fn(*mut c_void);
type OneNumber = unsafe extern "C" fn(*mut c_void, c_int);
type OneField<Field> = unsafe extern "C" fn(*mut c_void, *mut Field);
type ErrorOnly = unsafe extern "C" fn(*mut c_void, *mut RspInfo, c_int, bool);
type Answer<Field> = unsafe extern "C" fn(*mut c_void, *mut Field, *mut RspInfo, c_int, bool);

/// Makes the callbacks of one API object.
#[derive(Debug)]
pub(super) struct SpiCaller {
    shared: Arc<Shared>,
    abi: Abi,
    stamp_turnover: bool,
    trading_day_file: Vec<u8>,
}

impl SpiCaller {
    /// Callbacks go to the SPI registered in `shared`, in this version's layout.
    pub(super) fn new(
        shared: Arc<Shared>,
        abi: Abi,
        stamp_turnover: bool,
        trading_day_file: Vec<u8>,
    ) -> Self {
        Self { shared, abi, stamp_turnover, trading_day_file }
    }

    // The client's object and its function in a slot; `None` while no SPI is registered.
    fn function(&self, slot: Slot) -> Option<(*mut c_void, NonNull<c_void>)> {
        let spi = self.shared.spi.load(Ordering::Acquire);
        if spi.is_null()
            || (matches!(slot, Slot::RspQryMulticastInstrument) && !self.abi.has_multicast_slot())
        {
            return None;
        }
        // SAFETY: the client handed `spi` to RegisterSpi and keeps it alive until Release returns,
        // which waits for this thread. A C++ object with virtual functions begins with the pointer
        // to its table.
        let table = unsafe { spi.cast::<*const *mut c_void>().read() };
        // SAFETY: the table of a CThostFtdcMdSpi of this version has at least `index + 1` slots.
        let place = unsafe { table.add(slot.index(self.abi)) };
        // SAFETY: `place` is within the table, which lives as long as the client's code.
        let function = unsafe { place.read() };
        Some((spi, NonNull::new(function)?))
    }

    fn answer<Field>(
        &self,
        slot: Slot,
        field: *mut Field,
        error_id: i32,
        request_id: i32,
        last: bool,
    ) {
        let Some((spi, function)) = self.function(slot) else { return };
        // SAFETY: slots 3 to 5 and the instrument answers have this signature, with `Field` the
        // struct of the slot, as the caller of this function chose them.
        let call = unsafe { std::mem::transmute::<NonNull<c_void>, Answer<Field>>(function) };
        let mut info = rsp_info(error_id);
        // SAFETY: `spi` is the object the table belongs to; `field` is null or valid for the call,
        // and so is `info`.
        unsafe { call(spi, field, &raw mut info, request_id, last) };
    }

    fn number(&self, slot: Slot, number: i32) {
        let Some((spi, function)) = self.function(slot) else { return };
        // SAFETY: slots 1 and 2 take one int.
        let call = unsafe { std::mem::transmute::<NonNull<c_void>, OneNumber>(function) };
        // SAFETY: `spi` is the object the table belongs to.
        unsafe { call(spi, number) };
    }
}

fn rsp_info(error_id: i32) -> RspInfo {
    let mut info = RspInfo { error_id, error_msg: [0; 81] };
    put(&mut info.error_msg, messages::text_of(error_id));
    info
}

impl Callbacks for SpiCaller {
    fn front_connected(&mut self) {
        let Some((spi, function)) = self.function(Slot::FrontConnected) else { return };
        // SAFETY: slot 0 takes nothing but the object.
        let call = unsafe { std::mem::transmute::<NonNull<c_void>, NoArguments>(function) };
        // SAFETY: `spi` is the object the table belongs to.
        unsafe { call(spi) };
    }

    fn front_disconnected(&mut self, reason: i32) {
        self.number(Slot::FrontDisconnected, reason);
    }

    fn heartbeat_warning(&mut self, seconds: i32) {
        self.number(Slot::HeartBeatWarning, seconds);
    }

    fn login_answered(&mut self, login: &RspUserLogin, error_id: i32, request_id: i32) {
        let mut login = *login;
        self.answer(Slot::RspUserLogin, &raw mut login, error_id, request_id, true);
    }

    fn logout_answered(&mut self, names: Names, error_id: i32, request_id: i32) {
        let mut field = UserLogout { broker_id: names.broker_id, user_id: names.user_id };
        self.answer(Slot::RspUserLogout, &raw mut field, error_id, request_id, true);
    }

    fn error_answered(&mut self, error_id: i32, request_id: i32) {
        let Some((spi, function)) = self.function(Slot::RspError) else { return };
        // SAFETY: OnRspError takes the info, the request id and whether it is the last.
        let call = unsafe { std::mem::transmute::<NonNull<c_void>, ErrorOnly>(function) };
        let mut info = rsp_info(error_id);
        // SAFETY: `spi` is the object the table belongs to, `info` is valid for the call.
        unsafe { call(spi, &raw mut info, request_id, true) };
    }

    fn multicast_answered(&mut self, error_id: i32, request_id: i32) {
        let nothing: *mut c_void = ptr::null_mut();
        self.answer(Slot::RspQryMulticastInstrument, nothing, error_id, request_id, true);
    }

    fn instrument_answered(&mut self, topic: Topic, id: &InstrumentId, error_id: i32, last: bool) {
        let slot = match topic {
            Topic::Subscribe => Slot::RspSubMarketData,
            Topic::Unsubscribe => Slot::RspUnSubMarketData,
            Topic::SubscribeForQuote => Slot::RspSubForQuoteRsp,
            Topic::UnsubscribeForQuote => Slot::RspUnSubForQuoteRsp,
        };
        let mut field = SpecificInstrument::new(id, self.abi);
        self.answer(slot, &raw mut field, error_id, 0, last);
    }

    fn depth(&mut self, depth: &mut DepthMarketData) {
        let Some((spi, function)) = self.function(Slot::RtnDepthMarketData) else { return };
        // SAFETY: OnRtnDepthMarketData takes the snapshot only.
        let call =
            unsafe { std::mem::transmute::<NonNull<c_void>, OneField<DepthMarketData>>(function) };
        if self.stamp_turnover {
            depth.turnover = monotonic_ns() as f64;
        }
        // SAFETY: `spi` is the object the table belongs to; the snapshot is exclusively ours and
        // valid for the call. Versions with a shorter struct read its beginning.
        unsafe { call(spi, depth) };
    }

    fn set_connected(&mut self, connected: bool) {
        self.shared.set_connected(connected);
    }

    fn set_trading_day(&mut self, trading_day: [u8; 9]) {
        use std::os::unix::ffi::OsStrExt;
        self.shared.set_trading_day(trading_day);
        let path = Path::new(std::ffi::OsStr::from_bytes(&self.trading_day_file));
        // The file is there for the look of it; nobody reads what could not be written.
        let _written = std::fs::write(path, &trading_day[..8]);
    }

    fn spoil_calls(&mut self, call: Call, code: i32, times: u32) {
        self.shared.spoil(call, code, times);
    }

    fn hang_release(&mut self, for_ms: Option<u64>) {
        self.shared.hang(for_ms.map_or(Hang::Ever, |ms| Hang::For(Duration::from_millis(ms))));
    }

    fn claim_once(&mut self, path: &Path) -> bool {
        std::fs::OpenOptions::new().write(true).create_new(true).open(path).is_ok()
    }

    fn is_there(&mut self, path: &Path) -> bool {
        path.exists()
    }

    fn die(&mut self, how: Death) {
        die(how);
    }
}

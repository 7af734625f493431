//! The library's binary interface, written down by hand: two Itanium tables of functions.
//!
//! Neither class has a virtual destructor, so slot 0 is the first function. `this` is an ordinary first argument on
//! x86-64 and arm64 alike, and C++ `bool` is Rust's.

use std::ffi::{c_char, c_int, c_void};
use std::mem::offset_of;

use super::callbacks::Spi;

/// `CThostFtdcMdApi`: a pointer to its table, then what is the library's own.
#[repr(C)]
pub struct RawApi {
    /// Set by the library.
    pub vtable: *const ApiVtable,
}

/// The functions of `CThostFtdcMdApi` that every version has. From 6.3.19 a further slot follows, which is never called.
#[repr(C)]
pub struct ApiVtable {
    /// Slot 0, joins the library's threads. Never called, see [`super::end_process`].
    pub release: unsafe extern "C" fn(*mut RawApi),
    /// Slot 1, starts connecting.
    pub init: unsafe extern "C" fn(*mut RawApi),
    /// Slot 2.
    pub join: unsafe extern "C" fn(*mut RawApi) -> c_int,
    /// Slot 3.
    pub get_trading_day: unsafe extern "C" fn(*mut RawApi) -> *const c_char,
    /// Slot 4.
    pub register_front: unsafe extern "C" fn(*mut RawApi, *mut c_char),
    /// Slot 5.
    pub register_name_server: unsafe extern "C" fn(*mut RawApi, *mut c_char),
    /// Slot 6.
    pub register_fens_user_info: unsafe extern "C" fn(*mut RawApi, *mut c_void),
    /// Slot 7.
    pub register_spi: unsafe extern "C" fn(*mut RawApi, *mut Spi),
    /// Slot 8.
    pub subscribe_market_data: unsafe extern "C" fn(*mut RawApi, *mut *mut c_char, c_int) -> c_int,
    /// Slot 9.
    pub unsubscribe_market_data:
        unsafe extern "C" fn(*mut RawApi, *mut *mut c_char, c_int) -> c_int,
    /// Slot 10.
    pub subscribe_for_quote: unsafe extern "C" fn(*mut RawApi, *mut *mut c_char, c_int) -> c_int,
    /// Slot 11.
    pub unsubscribe_for_quote: unsafe extern "C" fn(*mut RawApi, *mut *mut c_char, c_int) -> c_int,
    /// Slot 12.
    pub req_user_login: unsafe extern "C" fn(*mut RawApi, *mut c_void, c_int) -> c_int,
    /// Slot 13.
    pub req_user_logout: unsafe extern "C" fn(*mut RawApi, *mut c_void, c_int) -> c_int,
}

/// `GetApiVersion`, in every version.
pub const GET_VERSION: &str = "_ZN15CThostFtdcMdApi13GetApiVersionEv";
/// `CreateFtdcMdApi(flow path, udp, multicast)`, up to 6.7.10.
pub const CREATE: &str = "_ZN15CThostFtdcMdApi15CreateFtdcMdApiEPKcbb";
/// `CreateFtdcMdApi(flow path, udp, multicast, production mode)`, from 6.7.11.
pub const CREATE_WITH_MODE: &str = "_ZN15CThostFtdcMdApi15CreateFtdcMdApiEPKcbbb";
/// The function that came together with the thirteenth callback slot.
pub const MULTICAST_QUERY: &str =
    "_ZN14CFtdcMdApiImpl25ReqQryMulticastInstrumentEP37CThostFtdcQryMulticastInstrumentFieldi";

/// The type of [`GET_VERSION`].
pub type GetVersion = unsafe extern "C" fn() -> *const c_char;
/// The type of [`CREATE`].
pub type Create = unsafe extern "C" fn(*const c_char, bool, bool) -> *mut RawApi;
/// The type of [`CREATE_WITH_MODE`].
pub type CreateWithMode = unsafe extern "C" fn(*const c_char, bool, bool, bool) -> *mut RawApi;

/// OnFrontConnected.
pub type OnConnected = unsafe extern "C" fn(*mut Spi);
/// A callback with one number.
pub type OnNumber = unsafe extern "C" fn(*mut Spi, c_int);
/// A callback with a record alone.
pub type OnRecord = unsafe extern "C" fn(*mut Spi, *const c_void);
/// An answer: record, info, request, last.
pub type OnResponse = unsafe extern "C" fn(*mut Spi, *const c_void, *const c_void, c_int, bool);
/// OnRspError: info, request, last.
pub type OnError = unsafe extern "C" fn(*mut Spi, *const c_void, c_int, bool);

/// The slots of the callback table before the one that was inserted at 6.3.19.
#[repr(C)]
pub struct SpiFirstSlots {
    /// Slot 0.
    pub on_front_connected: OnConnected,
    /// Slot 1.
    pub on_front_disconnected: OnNumber,
    /// Slot 2.
    pub on_heartbeat_warning: OnNumber,
    /// Slot 3.
    pub on_rsp_user_login: OnResponse,
    /// Slot 4.
    pub on_rsp_user_logout: OnResponse,
}

/// The slots after the inserted one.
#[repr(C)]
pub struct SpiLastSlots {
    /// Slot 5, or 6 from 6.3.19.
    pub on_rsp_error: OnError,
    /// The next.
    pub on_rsp_sub_market_data: OnResponse,
    /// The next.
    pub on_rsp_unsub_market_data: OnResponse,
    /// The next.
    pub on_rsp_sub_for_quote: OnResponse,
    /// The next.
    pub on_rsp_unsub_for_quote: OnResponse,
    /// The next.
    pub on_rtn_depth_market_data: OnRecord,
    /// The last.
    pub on_rtn_for_quote: OnRecord,
}

/// What stands before the slots of an Itanium table. The library never asks for a type at run time; zeroes say so.
#[repr(C)]
pub struct VtablePrefix {
    /// Zero: no base class lies elsewhere.
    pub offset_to_top: isize,
    /// Null: compiled without run-time types.
    pub type_info: usize,
}

/// The callback table up to 6.3.15. An object's pointer leads to `first`.
#[repr(C)]
pub struct SpiTable12 {
    /// Before the slots.
    pub prefix: VtablePrefix,
    /// Slots 0 to 4.
    pub first: SpiFirstSlots,
    /// Slots 5 to 11.
    pub last: SpiLastSlots,
}

/// The callback table from 6.3.19. An object's pointer leads to `first`.
#[repr(C)]
pub struct SpiTable13 {
    /// Before the slots.
    pub prefix: VtablePrefix,
    /// Slots 0 to 4.
    pub first: SpiFirstSlots,
    /// Slot 5, OnRspQryMulticastInstrument.
    pub on_rsp_qry_multicast_instrument: OnResponse,
    /// Slots 6 to 12.
    pub last: SpiLastSlots,
}

const SLOT: usize = size_of::<usize>();

const _: () = {
    assert!(size_of::<ApiVtable>() == 14 * SLOT);
    assert!(offset_of!(ApiVtable, release) == 0);
    assert!(offset_of!(ApiVtable, init) == SLOT);
    assert!(offset_of!(ApiVtable, register_front) == 4 * SLOT);
    assert!(offset_of!(ApiVtable, register_spi) == 7 * SLOT);
    assert!(offset_of!(ApiVtable, subscribe_market_data) == 8 * SLOT);
    assert!(offset_of!(ApiVtable, unsubscribe_market_data) == 9 * SLOT);
    assert!(offset_of!(ApiVtable, req_user_login) == 12 * SLOT);
    assert!(size_of::<SpiFirstSlots>() == 5 * SLOT);
    assert!(size_of::<SpiLastSlots>() == 7 * SLOT);
    assert!(offset_of!(SpiFirstSlots, on_rsp_user_login) == 3 * SLOT);
    assert!(offset_of!(SpiLastSlots, on_rsp_sub_market_data) == SLOT);
    assert!(offset_of!(SpiLastSlots, on_rtn_depth_market_data) == 5 * SLOT);
    assert!(offset_of!(SpiTable12, first) == 2 * SLOT);
    assert!(offset_of!(SpiTable12, last) == (2 + 5) * SLOT);
    assert!(offset_of!(SpiTable13, last) == (2 + 6) * SLOT);
    assert!(size_of::<SpiTable12>() == (2 + 12) * SLOT);
    assert!(size_of::<SpiTable13>() == (2 + 13) * SLOT);
};

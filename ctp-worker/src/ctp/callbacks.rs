//! Being called by the library: a C++ object made of a table and a [`Receiver`].
//!
//! Callbacks run on the library's own thread. Each copies what it was given, since the pointers die on return, hands it
//! to the receiver and returns. No panic crosses into C++: it is caught, counted and forgotten.

use std::ffi::{c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::abi::{SpiFirstSlots, SpiLastSlots, SpiTable12, SpiTable13, VtablePrefix};
use super::event::{CtpEventKind, RequestId};
use super::fields::{self, Depth, RspError};
use super::layout::{Layout, SpiSlots};

/// What takes the library's word. Its functions must not block, log or allocate without bound.
pub trait Receiver: Send + Sync {
    /// Something happened, other than a tick.
    fn told(&self, what: CtpEventKind);

    /// A tick came.
    fn depth(&self, depth: &Depth<'_>);

    /// A panic was caught in one of the other two.
    fn panicked(&self);
}

/// The object the library calls. Its first word leads to a table of [`super::abi`], as in C++.
#[repr(C)]
pub struct Spi {
    vtable: *const c_void,
    layout: &'static Layout,
    receiver: Box<dyn Receiver>,
}

// === impl Spi ===

impl Spi {
    /// Makes the object for a layout. It lives as long as the process: the library may call at any time.
    #[must_use]
    pub fn leak(layout: &'static Layout, receiver: Box<dyn Receiver>) -> &'static Self {
        let vtable: *const SpiFirstSlots = match layout.spi_slots {
            SpiSlots::Twelve => &raw const TABLE_12.first,
            SpiSlots::Thirteen => &raw const TABLE_13.first,
        };
        Box::leak(Box::new(Self { vtable: vtable.cast(), layout, receiver }))
    }

    fn told_response(
        &self,
        info: *const c_void,
        what: impl FnOnce(Option<RspError>) -> CtpEventKind,
    ) {
        // SAFETY: the library gives either null or an info record, whose length is the same in every version.
        let info = unsafe { record(info, fields::RSP_INFO_BYTES) };
        self.receiver.told(what(info.and_then(RspError::read)));
    }

    fn specific(&self, subject: *const c_void) -> Option<shm_layout::InstrumentId> {
        let layout = &self.layout.specific;
        // SAFETY: the library gives either null or a record of its version's length, or a longer one.
        let bytes = unsafe { record(subject, layout.size) };
        fields::specific_instrument(bytes?, layout)
    }
}

/// Views a record of the library during its callback; `None` for null.
///
/// # Safety
/// `record` is null or leads to `length` bytes that stay as they are until the callback returns.
unsafe fn record<'a>(record: *const c_void, length: usize) -> Option<&'a [u8]> {
    if record.is_null() {
        return None;
    }
    // SAFETY: not null and readable for `length` bytes, as the caller says; bytes need no alignment.
    Some(unsafe { std::slice::from_raw_parts(record.cast(), length) })
}

/// Runs a callback's body on the object; a panic ends here.
fn guarded(this: *const Spi, body: impl FnOnce(&Spi)) {
    // SAFETY: the library calls with the pointer it was registered with: a leaked `Spi`, never freed, never changed and
    // shared between threads, which `Receiver: Sync` permits.
    let Some(spi) = (unsafe { this.as_ref() }) else { return };
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| body(spi))) {
        // Dropping the payload might panic again.
        std::mem::forget(payload);
        spi.receiver.panicked();
    }
}

unsafe extern "C" fn on_front_connected(this: *mut Spi) {
    guarded(this, |spi| spi.receiver.told(CtpEventKind::Connected));
}

unsafe extern "C" fn on_front_disconnected(this: *mut Spi, reason: c_int) {
    guarded(this, |spi| spi.receiver.told(CtpEventKind::Disconnected { reason }));
}

unsafe extern "C" fn on_heartbeat_warning(this: *mut Spi, lapse_s: c_int) {
    guarded(this, |spi| spi.receiver.told(CtpEventKind::HeartbeatWarning { lapse_s }));
}

unsafe extern "C" fn on_rsp_user_login(
    this: *mut Spi,
    login: *const c_void,
    info: *const c_void,
    request: c_int,
    _last: bool,
) {
    guarded(this, |spi| {
        spi.told_response(info, |error| {
            // SAFETY: null or a login answer, which is longer than this in every version.
            let login = unsafe { record(login, fields::LOGIN_BYTES) };
            let day = login.and_then(fields::login_trading_day);
            let outcome = error.map_or(Ok(day), Err);
            CtpEventKind::LoggedIn { request: RequestId(request), outcome }
        });
    });
}

unsafe extern "C" fn on_rsp_user_logout(
    this: *mut Spi,
    _subject: *const c_void,
    _info: *const c_void,
    _request: c_int,
    _last: bool,
) {
    guarded(this, |spi| spi.receiver.told(CtpEventKind::LoggedOut));
}

unsafe extern "C" fn on_rsp_error(
    this: *mut Spi,
    info: *const c_void,
    request: c_int,
    _last: bool,
) {
    guarded(this, |spi| {
        spi.told_response(info, |error| CtpEventKind::Error {
            request: RequestId(request),
            error: error.unwrap_or_else(|| RspError::new(0, "OnRspError without an error")),
        });
    });
}

unsafe extern "C" fn on_rsp_sub_market_data(
    this: *mut Spi,
    subject: *const c_void,
    info: *const c_void,
    _request: c_int,
    _last: bool,
) {
    guarded(this, |spi| {
        let instrument = spi.specific(subject);
        spi.told_response(info, |error| CtpEventKind::Subscribed { instrument, error });
    });
}

unsafe extern "C" fn on_rsp_unsub_market_data(
    this: *mut Spi,
    subject: *const c_void,
    info: *const c_void,
    _request: c_int,
    _last: bool,
) {
    guarded(this, |spi| {
        let instrument = spi.specific(subject);
        spi.told_response(info, |error| CtpEventKind::Unsubscribed { instrument, error });
    });
}

unsafe extern "C" fn on_rtn_depth_market_data(this: *mut Spi, depth: *const c_void) {
    guarded(this, |spi| {
        let layout = &spi.layout.depth;
        // SAFETY: null or a depth record of this version's length, or a longer one.
        if let Some(bytes) = unsafe { record(depth, layout.size) } {
            spi.receiver.depth(&Depth::new(bytes, layout));
        }
    });
}

/// What nobody asked for: quotes and the multicast query.
unsafe extern "C" fn on_unasked_response(
    _this: *mut Spi,
    _subject: *const c_void,
    _info: *const c_void,
    _request: c_int,
    _last: bool,
) {
}

unsafe extern "C" fn on_unasked_record(_this: *mut Spi, _record: *const c_void) {}

const PREFIX: VtablePrefix = VtablePrefix { offset_to_top: 0, type_info: 0 };

const FIRST: SpiFirstSlots = SpiFirstSlots {
    on_front_connected,
    on_front_disconnected,
    on_heartbeat_warning,
    on_rsp_user_login,
    on_rsp_user_logout,
};

const LAST: SpiLastSlots = SpiLastSlots {
    on_rsp_error,
    on_rsp_sub_market_data,
    on_rsp_unsub_market_data,
    on_rsp_sub_for_quote: on_unasked_response,
    on_rsp_unsub_for_quote: on_unasked_response,
    on_rtn_depth_market_data,
    on_rtn_for_quote: on_unasked_record,
};

static TABLE_12: SpiTable12 = SpiTable12 { prefix: PREFIX, first: FIRST, last: LAST };

static TABLE_13: SpiTable13 = SpiTable13 {
    prefix: PREFIX,
    first: FIRST,
    on_rsp_qry_multicast_instrument: on_unasked_response,
    last: LAST,
};

#[cfg(test)]
mod tests;

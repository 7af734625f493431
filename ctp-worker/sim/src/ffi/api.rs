//! The API object, `CThostFtdcMdApi`: its table of functions and what they do.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::engine::answers::Request;
use crate::engine::callbacks::{Names, Topic};
use crate::faults::Call;
use crate::ffi::callback_thread;
use crate::ffi::shared::{ACCEPTED, Hang, NO_CONNECTION, Shared, TOO_MANY_PENDING};
use crate::ffi::spi::SpiCaller;
use crate::ffi::system::die_like_the_genuine;
use crate::instrument::{ID_BYTES_MAX, InstrumentId};
use crate::layout::{ReqUserLoginBeginning, UserLogout};
use crate::limits::{FRONTS_MAX, INSTRUMENTS_PER_CALL_MAX};
use crate::script::Script;

/// Longest id that versions before 6.5.1 hold.
const SHORT_ID_BYTES_MAX: usize = 30;

/// An API object as the client sees it: it begins with the pointer to its table.
#[repr(C)]
pub(super) struct MdApi {
    table: &'static ApiTable,
    script: Arc<Script>,
    shared: Arc<Shared>,
    flow_path: Vec<u8>,
    started: Mutex<Started>,
}

#[derive(Default)]
struct Started {
    fronts: Vec<Vec<u8>>,
    thread: Option<JoinHandle<()>>,
}

type This = *mut MdApi;

/// The virtual functions, in the order of the header; the last one is since 6.3.19.
#[repr(C)]
struct ApiTable {
    release: unsafe extern "C" fn(This),
    init: unsafe extern "C" fn(This),
    join: unsafe extern "C" fn(This) -> c_int,
    get_trading_day: unsafe extern "C" fn(This) -> *const c_char,
    register_front: unsafe extern "C" fn(This, *const c_char),
    register_name_server: unsafe extern "C" fn(This, *const c_char),
    register_fens_user_info: unsafe extern "C" fn(This, *const c_void),
    register_spi: unsafe extern "C" fn(This, *mut c_void),
    subscribe: unsafe extern "C" fn(This, *const *const c_char, c_int) -> c_int,
    unsubscribe: unsafe extern "C" fn(This, *const *const c_char, c_int) -> c_int,
    subscribe_for_quote: unsafe extern "C" fn(This, *const *const c_char, c_int) -> c_int,
    unsubscribe_for_quote: unsafe extern "C" fn(This, *const *const c_char, c_int) -> c_int,
    req_user_login: unsafe extern "C" fn(This, *const ReqUserLoginBeginning, c_int) -> c_int,
    req_user_logout: unsafe extern "C" fn(This, *const UserLogout, c_int) -> c_int,
    req_qry_multicast: unsafe extern "C" fn(This, *const c_void, c_int) -> c_int,
}

const _: () = assert!(size_of::<ApiTable>() == 15 * size_of::<usize>());
const _: () = assert!(std::mem::offset_of!(MdApi, table) == 0);

static TABLE: ApiTable = ApiTable {
    release,
    init,
    join,
    get_trading_day,
    register_front,
    register_name_server: register_front,
    register_fens_user_info,
    register_spi,
    subscribe,
    unsubscribe,
    subscribe_for_quote,
    unsubscribe_for_quote,
    req_user_login,
    req_user_logout,
    req_qry_multicast,
};

impl MdApi {
    /// An object that keeps its files under this prefix. Dies where it cannot, as the genuine one.
    pub(super) fn create(script: Arc<Script>, flow_path: &[u8]) -> *mut Self {
        let api = Self {
            table: &TABLE,
            script,
            shared: Arc::default(),
            flow_path: flow_path.to_vec(),
            started: Mutex::default(),
        };
        for name in ["DialogRsp.con", "QueryRsp.con", "TradingDay.con"] {
            use std::os::unix::ffi::OsStrExt;
            let path = api.file(name);
            if std::fs::write(std::ffi::OsStr::from_bytes(&path), b"").is_err() {
                die_like_the_genuine("the flow path's directory does not exist");
            }
        }
        Box::into_raw(Box::new(api))
    }

    // The flow path is a prefix, not a directory: that is why it has to end in a slash.
    fn file(&self, name: &str) -> Vec<u8> {
        [&self.flow_path, name.as_bytes()].concat()
    }

    fn init(&self) {
        let mut started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        let bad = |front: &Vec<u8>| front.starts_with(b"udp://") || front.starts_with(b"http://");
        if started.fronts.iter().any(bad) {
            die_like_the_genuine("a front with udp:// or http://");
        }
        // Without a front there is nobody to connect to, and no second thread for a second call.
        if started.fronts.is_empty() || started.thread.is_some() {
            return;
        }
        let (script, shared) = (Arc::clone(&self.script), Arc::clone(&self.shared));
        let file = self.file("TradingDay.con");
        let spi = SpiCaller::new(Arc::clone(&shared), script.abi, script.stamp_turnover, file);
        match callback_thread::start(script, shared, spi) {
            Ok(thread) => started.thread = Some(thread),
            Err(_no_thread) => die_like_the_genuine("no thread left"),
        }
    }

    fn end(&self) {
        match self.shared.stop() {
            None => {}
            Some(Hang::For(time)) => std::thread::sleep(time),
            Some(Hang::Ever) => loop {
                std::thread::park();
            },
        }
        let mut started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(thread) = started.thread.take() else {
            self.shared.set_ended();
            return;
        };
        if thread.thread().id() == std::thread::current().id() {
            die_like_the_genuine("Release called from a callback");
        }
        // The thread aborts the process rather than ending with a panic.
        let _ended = thread.join();
    }

    fn post_instruments(
        &self,
        topic: Topic,
        call: Option<Call>,
        ids: Option<Vec<InstrumentId>>,
    ) -> i32 {
        match ids {
            Some(ids) if ids.is_empty() => ACCEPTED,
            Some(ids) => self.shared.post(Request::Instruments { topic, ids }, call),
            None => TOO_MANY_PENDING,
        }
    }
}

// SAFETY of the functions below, one for all: `this` is what `create` returned and has not been
// released, for the client may call an object's functions no later; strings and structs it hands
// over are valid for the call. That is the contract of the genuine library, too.

unsafe fn object<'object>(this: This) -> &'object MdApi {
    // SAFETY: see above. Only shared references are made, because several threads may call at once.
    unsafe { &*this }
}

unsafe extern "C" fn release(this: This) {
    // SAFETY: see above.
    unsafe { object(this) }.end();
    // SAFETY: `this` came from Box::into_raw, the callback thread has ended, and the client may not
    // use the object any more.
    drop(unsafe { Box::from_raw(this) });
}

unsafe extern "C" fn init(this: This) {
    // SAFETY: see above.
    unsafe { object(this) }.init();
}

unsafe extern "C" fn join(this: This) -> c_int {
    // SAFETY: see above. The shared part outlives the object, which is released while this waits.
    let shared = Arc::clone(&unsafe { object(this) }.shared);
    shared.join();
    0
}

unsafe extern "C" fn get_trading_day(this: This) -> *const c_char {
    // SAFETY: see above.
    unsafe { object(this) }.shared.trading_day().cast()
}

unsafe extern "C" fn register_front(this: This, front: *const c_char) {
    // SAFETY: see above.
    let front = unsafe { text(front) };
    if !front.windows(3).any(|part| part == b"://") {
        die_like_the_genuine("RegisterFront without a scheme");
    }
    // SAFETY: see above.
    let api = unsafe { object(this) };
    let mut started = api.started.lock().unwrap_or_else(PoisonError::into_inner);
    if started.fronts.len() < FRONTS_MAX {
        started.fronts.push(front.to_vec());
    }
}

unsafe extern "C" fn register_fens_user_info(_this: This, _info: *const c_void) {}

unsafe extern "C" fn register_spi(this: This, spi: *mut c_void) {
    // SAFETY: see above.
    unsafe { object(this) }.shared.spi.store(spi, Ordering::Release);
}

unsafe extern "C" fn subscribe(this: This, ids: *const *const c_char, count: c_int) -> c_int {
    // SAFETY: see above.
    let api = unsafe { object(this) };
    // SAFETY: see above.
    let ids = unsafe { instruments(api, ids, count) };
    api.post_instruments(Topic::Subscribe, Some(Call::Subscribe), ids)
}

unsafe extern "C" fn unsubscribe(this: This, ids: *const *const c_char, count: c_int) -> c_int {
    // SAFETY: see above.
    let api = unsafe { object(this) };
    // SAFETY: see above.
    let ids = unsafe { instruments(api, ids, count) };
    api.post_instruments(Topic::Unsubscribe, Some(Call::Unsubscribe), ids)
}

unsafe extern "C" fn subscribe_for_quote(
    this: This,
    ids: *const *const c_char,
    count: c_int,
) -> c_int {
    // SAFETY: see above.
    let api = unsafe { object(this) };
    // SAFETY: see above.
    let ids = unsafe { instruments(api, ids, count) };
    api.post_instruments(Topic::SubscribeForQuote, None, ids)
}

unsafe extern "C" fn unsubscribe_for_quote(
    this: This,
    ids: *const *const c_char,
    count: c_int,
) -> c_int {
    // SAFETY: see above.
    let api = unsafe { object(this) };
    // SAFETY: see above.
    let ids = unsafe { instruments(api, ids, count) };
    api.post_instruments(Topic::UnsubscribeForQuote, None, ids)
}

unsafe extern "C" fn req_user_login(
    this: This,
    login: *const ReqUserLoginBeginning,
    request_id: c_int,
) -> c_int {
    if login.is_null() {
        return NO_CONNECTION;
    }
    // SAFETY: see above; every version's struct begins with these bytes, which need no alignment.
    let login = unsafe { login.read_unaligned() };
    let names = Names { broker_id: login.broker_id, user_id: login.user_id };
    // SAFETY: see above.
    let api = unsafe { object(this) };
    api.shared.post(Request::Login { names, request_id }, Some(Call::Login))
}

unsafe extern "C" fn req_user_logout(
    this: This,
    logout: *const UserLogout,
    request_id: c_int,
) -> c_int {
    if logout.is_null() {
        return NO_CONNECTION;
    }
    // SAFETY: see above; the struct is bytes only.
    let logout = unsafe { logout.read_unaligned() };
    let names = Names { broker_id: logout.broker_id, user_id: logout.user_id };
    // SAFETY: see above.
    unsafe { object(this) }.shared.post(Request::Logout { names, request_id }, None)
}

unsafe extern "C" fn req_qry_multicast(
    this: This,
    _query: *const c_void,
    request_id: c_int,
) -> c_int {
    // SAFETY: see above.
    unsafe { object(this) }.shared.post(Request::Multicast { request_id }, None)
}

/// The bytes of a C string; none for a null pointer.
pub(super) unsafe fn text<'text>(pointer: *const c_char) -> &'text [u8] {
    if pointer.is_null() {
        return b"";
    }
    // SAFETY: not null, and the client hands over strings that end in a NUL and live for the call.
    unsafe { CStr::from_ptr(pointer) }.to_bytes()
}

// The ids of an array; `None` when there are more than one call may bring.
unsafe fn instruments(
    api: &MdApi,
    ids: *const *const c_char,
    count: c_int,
) -> Option<Vec<InstrumentId>> {
    let count = usize::try_from(count).unwrap_or(0);
    if count > INSTRUMENTS_PER_CALL_MAX {
        return None;
    }
    if ids.is_null() {
        return Some(Vec::new());
    }
    let length_max = if api.script.abi.has_long_id() { ID_BYTES_MAX } else { SHORT_ID_BYTES_MAX };
    // SAFETY: not null, and the client says that so many pointers stand there.
    let pointers = unsafe { std::slice::from_raw_parts(ids, count) };
    let id_at = |pointer: &*const c_char| {
        // SAFETY: see above.
        let id = unsafe { text(*pointer) };
        InstrumentId::new(&id[..id.len().min(length_max)])
    };
    Some(pointers.iter().map(id_at).collect())
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;

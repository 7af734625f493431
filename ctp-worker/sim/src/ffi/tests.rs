//! A client as a C++ compiler would make it: raw tables, slots by their numbers.

use std::ffi::{CString, c_void};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use super::*;
use crate::layout::{DepthMarketData, RspInfo, RspUserLogin, SpecificInstrument};

/// A test that has waited so long is stuck.
const WATCHDOG: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, PartialEq)]
enum Event {
    Connected,
    Disconnected(i32),
    Login { error_id: i32, message: Vec<u8>, trading_day: Vec<u8>, broker: Vec<u8>, last: bool },
    Logout(i32),
    Multicast(i32),
    Subscribed { id: Vec<u8>, error_id: i32, last: bool },
    Unsubscribed(Vec<u8>),
    QuoteSubscribed(Vec<u8>),
    Tick { id: Vec<u8>, last_price: f64, turnover: f64 },
    WrongSlot(usize),
}

/// The client's SPI object: its table, then data.
#[repr(C)]
struct Spi {
    table: [*const c_void; 13],
    table_pointer: *const *const c_void,
    events: Sender<Event>,
    abi: Abi,
}

use crate::layout::Abi;

fn until_nul(field: &[u8]) -> Vec<u8> {
    field.iter().copied().take_while(|&byte| byte != 0).collect()
}

// Called with what the library hands to a callback, and with nothing else.
fn there<'call, Field>(pointer: *const Field) -> &'call Field {
    assert!(!pointer.is_null());
    // SAFETY: the library's pointers are valid for the callback they come with.
    unsafe { &*pointer }
}

// The object the library sees begins at `table_pointer`; the Spi around it begins 13 slots before.
fn spi<'spi>(this: *mut c_void) -> &'spi Spi {
    there(this.cast::<*const c_void>().wrapping_sub(13).cast::<Spi>())
}

fn told(spi: &Spi, event: Event) {
    spi.events.send(event).unwrap();
}

fn id_of(spi: &Spi, short: &[u8], long: &[u8]) -> Vec<u8> {
    until_nul(if spi.abi.has_long_id() { long } else { short })
}

extern "C" fn on_connected(this: *mut c_void) {
    told(spi(this), Event::Connected);
}

extern "C" fn on_disconnected(this: *mut c_void, reason: c_int) {
    told(spi(this), Event::Disconnected(reason));
}

extern "C" fn on_login(
    this: *mut c_void,
    login: *const RspUserLogin,
    info: *const RspInfo,
    _request_id: c_int,
    last: bool,
) {
    let (spi, login, info) = (spi(this), there(login), there(info));
    let event = Event::Login {
        error_id: info.error_id,
        message: until_nul(&info.error_msg),
        trading_day: until_nul(&login.trading_day),
        broker: until_nul(&login.broker_id),
        last,
    };
    told(spi, event);
}

extern "C" fn on_logout(
    this: *mut c_void,
    _logout: *const c_void,
    info: *const RspInfo,
    _request_id: c_int,
    _last: bool,
) {
    let (spi, info) = (spi(this), there(info));
    told(spi, Event::Logout(info.error_id));
}

extern "C" fn on_multicast(
    this: *mut c_void,
    field: *const c_void,
    info: *const RspInfo,
    _request_id: c_int,
    _last: bool,
) {
    assert!(field.is_null());
    let (spi, info) = (spi(this), there(info));
    told(spi, Event::Multicast(info.error_id));
}

extern "C" fn on_subscribed(
    this: *mut c_void,
    field: *const SpecificInstrument,
    info: *const RspInfo,
    _request_id: c_int,
    last: bool,
) {
    let (spi, field, info) = (spi(this), there(field), there(info));
    let id = id_of(spi, &field.short_instrument_id, &field.instrument_id);
    told(spi, Event::Subscribed { id, error_id: info.error_id, last });
}

extern "C" fn on_unsubscribed(
    this: *mut c_void,
    field: *const SpecificInstrument,
    _info: *const RspInfo,
    _request_id: c_int,
    _last: bool,
) {
    let (spi, field) = (spi(this), there(field));
    told(spi, Event::Unsubscribed(id_of(spi, &field.short_instrument_id, &field.instrument_id)));
}

extern "C" fn on_quote_subscribed(
    this: *mut c_void,
    field: *const SpecificInstrument,
    _info: *const RspInfo,
    _request_id: c_int,
    _last: bool,
) {
    let (spi, field) = (spi(this), there(field));
    told(spi, Event::QuoteSubscribed(id_of(spi, &field.short_instrument_id, &field.instrument_id)));
}

extern "C" fn on_depth(this: *mut c_void, depth: *const DepthMarketData) {
    let (spi, depth) = (spi(this), there(depth));
    let id = id_of(spi, &depth.short_instrument_id, &depth.instrument_id);
    let DepthMarketData { last_price, turnover, .. } = *depth;
    told(spi, Event::Tick { id, last_price, turnover });
}

extern "C" fn on_wrong_slot<const SLOT: usize>(this: *mut c_void) {
    told(spi(this), Event::WrongSlot(SLOT));
}

/// A library object, driven through its table.
struct Client {
    api: *mut c_void,
    spi: Box<Spi>,
    events: Receiver<Event>,
    directory: PathBuf,
}

type Function = *const c_void;

impl Client {
    fn new(json: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let script = Script::parse(json).unwrap();
        let abi = script.abi;
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("qamd-sim-flow-{}-{number}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&directory).unwrap();
        let flow = format!("{}/", directory.display());
        let api = MdApi::create(Arc::new(script), flow.as_bytes()).cast();
        let (sender, events) = channel();
        let mut table = vec![
            on_connected as Function,
            on_disconnected as Function,
            on_wrong_slot::<2> as Function,
            on_login as Function,
            on_logout as Function,
            on_multicast as Function,
            on_wrong_slot::<6> as Function,
            on_subscribed as Function,
            on_unsubscribed as Function,
            on_quote_subscribed as Function,
            on_wrong_slot::<10> as Function,
            on_depth as Function,
            on_wrong_slot::<12> as Function,
        ];
        if abi == Abi::V6_3_11 {
            table.remove(5);
            table.push(std::ptr::null());
        }
        let table = table.try_into().unwrap();
        let mut spi = Box::new(Spi { table, table_pointer: std::ptr::null(), events: sender, abi });
        spi.table_pointer = spi.table.as_ptr();
        Self { api, spi, events, directory }
    }

    // Function `slot` of the object's table.
    fn slot<F: Copy>(&self, slot: usize) -> F {
        assert_eq!(size_of::<F>(), size_of::<Function>());
        // The object begins with the pointer to its table of 15 functions.
        let table: &*const [Function; 15] = there(self.api.cast());
        let function = there(*table)[slot];
        // SAFETY: the caller names the slot's type, which is a pointer to a function.
        unsafe { std::mem::transmute_copy(&function) }
    }

    fn start(&mut self) {
        let front = CString::new("tcp://127.0.0.1:1").unwrap();
        let register_front: unsafe extern "C" fn(*mut c_void, *const c_char) = self.slot(4);
        let register_spi: unsafe extern "C" fn(*mut c_void, *mut c_void) = self.slot(7);
        let init: unsafe extern "C" fn(*mut c_void) = self.slot(1);
        let spi: *mut c_void = (&raw mut self.spi.table_pointer).cast();
        // SAFETY: the object lives; the front's text is valid for the call.
        unsafe { register_front(self.api, front.as_ptr()) };
        // SAFETY: the object lives; the SPI stays where it is until after the release.
        unsafe { register_spi(self.api, spi) };
        // SAFETY: the object lives.
        unsafe { init(self.api) };
    }

    fn subscribe(&self, slot: usize, ids: &[&str]) -> c_int {
        let texts: Vec<CString> = ids.iter().map(|id| CString::new(*id).unwrap()).collect();
        let pointers: Vec<*const c_char> = texts.iter().map(|text| text.as_ptr()).collect();
        let call: unsafe extern "C" fn(*mut c_void, *const *const c_char, c_int) -> c_int =
            self.slot(slot);
        // SAFETY: the object lives, and so do the pointers, for the call.
        unsafe { call(self.api, pointers.as_ptr(), ids.len() as c_int) }
    }

    fn login(&self) -> c_int {
        let mut login = [0u8; 264];
        login[9..13].copy_from_slice(b"9999");
        let call: unsafe extern "C" fn(*mut c_void, *const u8, c_int) -> c_int = self.slot(12);
        // SAFETY: the object lives; the struct is valid for the call.
        unsafe { call(self.api, login.as_ptr(), 1) }
    }

    fn request(&self, slot: usize) -> c_int {
        let empty = [0u8; 27];
        let call: unsafe extern "C" fn(*mut c_void, *const u8, c_int) -> c_int = self.slot(slot);
        // SAFETY: the object lives; the struct is valid for the call.
        unsafe { call(self.api, empty.as_ptr(), 1) }
    }

    fn trading_day(&self) -> Vec<u8> {
        let call: unsafe extern "C" fn(*mut c_void) -> *const c_char = self.slot(3);
        // SAFETY: the object lives.
        let day = unsafe { call(self.api) };
        // SAFETY: the text ends in a NUL and stays as long as the object.
        unsafe { text(day) }.to_vec()
    }

    fn next(&self) -> Event {
        self.events.recv_timeout(WATCHDOG).expect("the library is silent")
    }

    /// The next event that is no tick.
    fn next_answer(&self) -> Event {
        loop {
            match self.next() {
                Event::Tick { .. } => {}
                event => return event,
            }
        }
    }

    fn next_tick(&self) -> (Vec<u8>, f64, f64) {
        loop {
            if let Event::Tick { id, last_price, turnover } = self.next() {
                return (id, last_price, turnover);
            }
        }
    }

    fn ready(json: &str) -> Self {
        let mut client = Self::new(json);
        client.start();
        assert_eq!(client.next(), Event::Connected);
        assert_eq!(client.login(), 0);
        assert!(matches!(client.next(), Event::Login { error_id: 0, last: true, .. }));
        client
    }

    fn release(self) -> Receiver<Event> {
        let call: unsafe extern "C" fn(*mut c_void) = self.slot(0);
        // SAFETY: the object lives and is not used afterwards.
        unsafe { call(self.api) };
        let _gone = std::fs::remove_dir_all(&self.directory);
        self.events
    }
}

fn subscribed(id: &str, error_id: i32, last: bool) -> Event {
    Event::Subscribed { id: id.as_bytes().to_vec(), error_id, last }
}

const MORNING: &str = r#""clock": {"start": "2025-03-04T10:00:00"}"#;

#[test]
fn every_version_logs_in_and_ticks() {
    for (name, _) in Abi::NAMED {
        let client = Client::ready(&format!(r#"{{"abi": "{name}", {MORNING}}}"#));
        assert_eq!(client.trading_day(), b"20250304");
        assert_eq!(client.subscribe(8, &["rb2505", "SP a2505&a2509"]), 0);
        assert_eq!(client.next(), subscribed("rb2505", 0, false));
        assert_eq!(client.next(), subscribed("SP a2505&a2509", 0, true));
        let (id, last_price, turnover) = client.next_tick();
        assert_eq!(id, b"rb2505", "{name}");
        assert!(last_price > 1000.0 && last_price < 10_000.0 && turnover > 0.0, "{name}");
        assert_eq!(client.next_tick().0, b"SP a2505&a2509");
        assert_eq!(client.subscribe(9, &["rb2505"]), 0);
        assert_eq!(client.next_answer(), Event::Unsubscribed(b"rb2505".to_vec()));
        assert_eq!(client.subscribe(10, &["au2506"]), 0);
        assert_eq!(client.next_answer(), Event::QuoteSubscribed(b"au2506".to_vec()));
        if name != "6.3.11" {
            assert_eq!(client.request(14), 0);
            assert_eq!(client.next_answer(), Event::Multicast(0));
        }
        assert_eq!(client.request(13), 0);
        assert_eq!(client.next_answer(), Event::Logout(0));
        let late = client.release();
        assert!(late.try_iter().all(|event| matches!(event, Event::Tick { .. })));
    }
}

#[test]
fn a_refused_login_says_why_in_gb18030() {
    let mut client = Client::new(r#"{"faults": [{"do": "refuse_login", "error_id": 3}]}"#);
    client.start();
    assert_eq!(client.next(), Event::Connected);
    assert_eq!(client.login(), 0);
    let Event::Login { error_id, message, trading_day, broker, .. } = client.next() else {
        panic!("no login answer");
    };
    assert_eq!((error_id, broker, trading_day), (3, b"9999".to_vec(), Vec::new()));
    let (message, _, broken) = encoding_rs::GB18030.decode(&message);
    assert_eq!((&*message, broken), ("CTP:不合法的登录", false));
    assert_eq!(client.trading_day(), b"");
    client.release();
}

#[test]
fn calls_without_a_connection_fail() {
    let client = Client::new("{}");
    assert_eq!(client.login(), -1);
    assert_eq!(client.subscribe(8, &["rb2505"]), -1);
    assert_eq!(client.subscribe(8, &[]), 0);
    // Never started: releasing it is no different.
    client.release();
    let unreachable = r#"{"faults": [{"do": "unreachable"}]}"#;
    let mut client = Client::new(unreachable);
    client.start();
    assert_eq!(client.login(), -1);
    assert_eq!(client.release().try_iter().count(), 0);
}

#[test]
fn calls_may_be_spoiled() {
    let client = Client::ready(&format!(
        r#"{{{MORNING}, "faults": [{{"do": "return_code", "call": "subscribe", "code": -3, "times": 2}}]}}"#
    ));
    assert_eq!(client.subscribe(8, &["rb2505"]), -3);
    assert_eq!(client.subscribe(8, &["rb2505"]), -3);
    assert_eq!(client.subscribe(8, &["rb2505"]), 0);
    assert_eq!(client.next(), subscribed("rb2505", 0, true));
    client.release();
}

#[test]
fn a_disconnect_and_the_way_back() {
    let client = Client::ready(&format!(
        r#"{{{MORNING}, "faults": [{{"after_ticks": 3, "do": "disconnect", "reconnect_after_ms": 1}}]}}"#
    ));
    assert_eq!(client.subscribe(8, &["rb2505"]), 0);
    assert_eq!(client.next_answer(), subscribed("rb2505", 0, true));
    assert_eq!(client.next_answer(), Event::Disconnected(0x1001));
    assert_eq!(client.next(), Event::Connected);
    assert_eq!(client.subscribe(8, &["rb2505"]), 0);
    assert_eq!(client.next(), subscribed("rb2505", 6, true));
    client.release();
}

#[test]
fn many_instruments_in_one_call_are_answered_one_by_one() {
    let client = Client::ready(&format!("{{{MORNING}}}"));
    let ids: Vec<String> = (0..20_000).map(|number| format!("rb{number}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    assert_eq!(client.subscribe(8, &ids), 0);
    for (place, id) in ids.iter().enumerate() {
        assert_eq!(client.next(), subscribed(id, 0, place + 1 == ids.len()));
    }
    client.release();
}

#[test]
fn turnover_may_carry_the_time_of_the_callback() {
    let client = Client::ready(&format!(r#"{{{MORNING}, "stamp_turnover": true}}"#));
    let before = crate::ffi::system::monotonic_ns() as f64;
    assert_eq!(client.subscribe(8, &["rb2505"]), 0);
    let (_, _, stamp) = client.next_tick();
    let after = crate::ffi::system::monotonic_ns() as f64;
    assert!(before <= stamp && stamp <= after, "{before} {stamp} {after}");
    client.release();
}

#[test]
fn flow_files_are_written() {
    let client = Client::ready(r#"{"trading_day": "20240105"}"#);
    let file = client.directory.join("TradingDay.con");
    assert_eq!(std::fs::read(file).unwrap(), b"20240105");
    assert!(client.directory.join("DialogRsp.con").exists());
    assert!(client.directory.join("QueryRsp.con").exists());
    client.release();
}

#[test]
fn several_objects_live_in_one_process() {
    let clients: Vec<Client> =
        (0..4).map(|seed| Client::ready(&format!(r#"{{"seed": {seed}, {MORNING}}}"#))).collect();
    let mut prices = Vec::new();
    for client in &clients {
        assert_eq!(client.subscribe(8, &["rb2505"]), 0);
        prices.push(client.next_tick().1.to_bits());
    }
    prices.sort_unstable();
    prices.dedup();
    assert!(prices.len() > 1, "all seeds are one market");
    for client in clients {
        client.release();
    }
}

#[test]
fn join_waits_for_release() {
    let client = Client::ready(&format!("{{{MORNING}}}"));
    // What the object's Join does once it has been called; calling it through the table here would
    // race with the release.
    // SAFETY: the object lives.
    let shared = Arc::clone(&unsafe { object(client.api.cast()) }.shared);
    let released = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&released);
    let thread = std::thread::spawn(move || {
        shared.join();
        seen.load(Ordering::SeqCst)
    });
    released.store(true, Ordering::SeqCst);
    client.release();
    assert!(thread.join().unwrap(), "join came back before the release");
}

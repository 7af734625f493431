//! Calls the object as C++ would: by slot number, through the table its first word leads to.

use std::sync::{Arc, Mutex};

use super::*;
use crate::ctp::abi::{OnConnected, OnError, OnNumber, OnRecord, OnResponse};
use crate::ctp::layout::LAYOUTS;

/// Writes down what it is told; panics when told so.
#[derive(Default)]
struct Notes {
    told: Mutex<Vec<String>>,
    panics: Mutex<u32>,
    panic_on_depth: bool,
}

impl Receiver for Arc<Notes> {
    fn told(&self, what: CtpEventKind) {
        self.told.lock().unwrap().push(format!("{what:?}"));
    }

    fn depth(&self, depth: &Depth<'_>) {
        assert!(!self.panic_on_depth, "asked to panic");
        let id = depth.instrument().map(|id| id.to_string());
        self.told.lock().unwrap().push(format!("depth {id:?}"));
    }

    fn panicked(&self) {
        *self.panics.lock().unwrap() += 1;
    }
}

/// The library's side of the table: calls slots by number.
struct Caller {
    spi: &'static Spi,
}

impl Caller {
    /// The function in a slot of the object's table.
    fn slot<F: Copy>(&self, number: usize) -> F {
        assert_eq!(size_of::<F>(), size_of::<usize>());
        let slot = self.spi.vtable.cast::<F>().wrapping_add(number);
        // SAFETY: the table has more slots than any number used here; a function pointer has the size asserted.
        unsafe { slot.read() }
    }

    fn this(&self) -> *mut Spi {
        std::ptr::from_ref(self.spi).cast_mut()
    }

    fn connected(&self, slot: usize) {
        let call: OnConnected = self.slot(slot);
        // SAFETY: the slot has this type.
        unsafe { call(self.this()) }
    }

    fn number(&self, slot: usize, number: c_int) {
        let call: OnNumber = self.slot(slot);
        // SAFETY: the slot has this type.
        unsafe { call(self.this(), number) }
    }

    fn response(&self, slot: usize, subject: Option<&[u8]>, info: Option<&[u8]>, request: c_int) {
        let call: OnResponse = self.slot(slot);
        // SAFETY: the slot has this type; the records have the layout's length or are null.
        unsafe { call(self.this(), pointer(subject), pointer(info), request, true) }
    }

    fn error(&self, slot: usize, info: &[u8], request: c_int) {
        let call: OnError = self.slot(slot);
        // SAFETY: as above.
        unsafe { call(self.this(), pointer(Some(info)), request, true) }
    }

    fn record(&self, slot: usize, record: Option<&[u8]>) {
        let call: OnRecord = self.slot(slot);
        // SAFETY: as above.
        unsafe { call(self.this(), pointer(record)) }
    }
}

fn pointer(record: Option<&[u8]>) -> *const c_void {
    record.map_or(std::ptr::null(), |bytes| bytes.as_ptr().cast())
}

/// A record of `size` bytes with an instrument's id at `at`.
fn with_instrument(size: usize, at: usize) -> Vec<u8> {
    let mut record = vec![0; size];
    record[at..at + 6].copy_from_slice(b"rb2601");
    record
}

/// Calls each slot and returns what was told.
fn call_every_slot(layout: &'static Layout) -> Vec<String> {
    let notes = Arc::new(Notes::default());
    let library = Caller { spi: Spi::leak(layout, Box::new(Arc::clone(&notes))) };
    let after_inserted = match layout.spi_slots {
        SpiSlots::Twelve => 5,
        SpiSlots::Thirteen => 6,
    };
    let specific = with_instrument(layout.specific.size, layout.specific.instrument.at);
    let depth = with_instrument(layout.depth.size, layout.depth.instrument.at);
    let mut info = [0_u8; fields::RSP_INFO_BYTES];
    info[0] = 16;
    library.connected(0);
    library.number(1, 0x1001);
    library.number(2, 30);
    library.response(3, Some(b"20250303\0\0\0\0\0\0\0\0"), None, 7);
    library.response(3, None, Some(&info), 8);
    library.response(4, None, None, 0);
    library.error(after_inserted, &info, 9);
    library.response(after_inserted + 1, Some(&specific), None, 0);
    library.response(after_inserted + 1, None, Some(&info), 0);
    library.response(after_inserted + 2, Some(&specific), None, 0);
    library.response(after_inserted + 3, Some(&specific), None, 0);
    library.response(after_inserted + 4, Some(&specific), None, 0);
    library.record(after_inserted + 5, Some(&depth));
    library.record(after_inserted + 5, None);
    library.record(after_inserted + 6, None);
    let told = notes.told.lock().unwrap();
    told.clone()
}

#[test]
fn every_slot_of_both_tables_tells_the_right_thing() {
    for layout in &LAYOUTS {
        assert_eq!(
            call_every_slot(layout),
            [
                "Connected",
                "Disconnected { reason: 4097 }",
                "HeartbeatWarning { lapse_s: 30 }",
                "LoggedIn { request: RequestId(7), outcome: Ok(Some(Date(20250303))) }",
                "LoggedIn { request: RequestId(8), outcome: Err(RspError(16, \"\")) }",
                "LoggedOut",
                "Error { request: RequestId(9), error: RspError(16, \"\") }",
                "Subscribed { instrument: Some(InstrumentId(rb2601)), error: None }",
                "Subscribed { instrument: None, error: Some(RspError(16, \"\")) }",
                "Unsubscribed { instrument: Some(InstrumentId(rb2601)), error: None }",
                "depth Some(\"rb2601\")",
            ],
            "{}",
            layout.name()
        );
    }
}

#[test]
fn a_panic_stays_on_this_side_and_is_counted() {
    let notes = Arc::new(Notes { panic_on_depth: true, ..Notes::default() });
    let layout = Layout::newest();
    let library = Caller { spi: Spi::leak(layout, Box::new(Arc::clone(&notes))) };
    let depth = vec![0_u8; layout.depth.size];
    for _ in 0..3 {
        library.record(11, Some(&depth));
    }
    assert_eq!(*notes.panics.lock().unwrap(), 3);
    library.connected(0);
    assert_eq!(*notes.told.lock().unwrap(), ["Connected"]);
}

//! The C face of the library: pointers checked, panics kept in, errors as text. The only place here with `unsafe`.
#![expect(unsafe_code, reason = "C speaks in pointers")]

use std::ffi::{CStr, CString, OsStr, c_char, c_int};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::Duration;

use iceoryx2_log::LogLevel;
use shm_layout::error_text::chain;
use shm_layout::version::TICK_SCHEMA;
use shm_layout::{FleetPaths, Instance, Tick};

use crate::follower::{FollowError, Follower};

const OK: c_int = 0;
const NOT_READY: c_int = 1;
const ERROR: c_int = -1;
const REPLACED: c_int = -2;

const VERSION: &CStr =
    match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(version) => version,
        Err(_) => panic!("a version has no zero in it"),
    };

const PANICKED: &str = "a fault inside libqamd_reader: close this reader";

/// `qamd_reader` of the header.
pub struct Reader {
    follower: Follower,
    error: CString,
}

/// Discards what iceoryx2 would print; its errors come back as values.
struct Silence;

impl iceoryx2_log::Log for Silence {
    fn log(&self, _: LogLevel, _: std::fmt::Arguments<'_>, _: std::fmt::Arguments<'_>) {}
}

/// Keeps this library from printing. It has a Rust runtime of its own, so no other part of the program is touched.
fn be_silent() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        iceoryx2_log::set_logger(&Silence);
        std::panic::set_hook(Box::new(|_| {}));
    });
}

/// The library's version.
#[unsafe(no_mangle)]
pub const extern "C" fn qamd_reader_version() -> *const c_char {
    VERSION.as_ptr()
}

/// The version of the tick that this library writes.
#[unsafe(no_mangle)]
pub const extern "C" fn qamd_reader_tick_schema() -> u32 {
    TICK_SCHEMA
}

/// Opens a reader of a fleet's ring.
///
/// # Safety
/// The texts are NULL or end with a zero; `out` is NULL or valid for a pointer; `error` is NULL or valid for `error_bytes`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qamd_reader_open(
    instance: *const c_char,
    runtime_dir: *const c_char,
    out: *mut *mut Reader,
    error: *mut c_char,
    error_bytes: usize,
) -> c_int {
    be_silent();
    // SAFETY: the caller's promise.
    let instance = unsafe { text_at(instance) };
    // SAFETY: the caller's promise.
    let runtime_dir = unsafe { text_at(runtime_dir) };
    let opened = catch_unwind(AssertUnwindSafe(|| open(instance, runtime_dir, out.is_null())));
    let (state, reader, text) = match opened {
        Ok(Ok(reader)) => (OK, Box::into_raw(Box::new(reader)), String::new()),
        Ok(Err((state, text))) => (state, std::ptr::null_mut(), text),
        Err(_) => (ERROR, std::ptr::null_mut(), "a fault inside libqamd_reader".to_owned()),
    };
    if !out.is_null() {
        // SAFETY: the caller's promise.
        unsafe { out.write(reader) };
    }
    // SAFETY: the caller's promise.
    unsafe { write_text(&text, error, error_bytes) };
    state
}

/// Writes the next ticks.
///
/// # Safety
/// `reader` is NULL or came from [`qamd_reader_open`] and is open and used by this thread alone; `out` is NULL or valid
/// for `most` ticks.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qamd_reader_next(
    reader: *mut Reader,
    out: *mut Tick,
    most: usize,
    timeout_us: i64,
) -> i64 {
    // SAFETY: the caller's promise.
    let Some(reader) = (unsafe { reader.as_mut() }) else { return i64::from(ERROR) };
    reader.error = CString::default();
    if (out.is_null() && most > 0) || !out.is_aligned() {
        return reader.fail(ERROR, "the array for ticks is NULL or not aligned");
    }
    // More than an address space holds is not there; what is, is enough.
    let most = most.min(isize::MAX as usize / size_of::<Tick>());
    let places: &mut [MaybeUninit<Tick>] = if most == 0 {
        &mut []
    } else {
        // SAFETY: aligned and not null; valid for `most` ticks by the caller's promise; their bytes need not be initialised.
        unsafe { std::slice::from_raw_parts_mut(out.cast(), most) }
    };
    let timeout = u64::try_from(timeout_us).ok().map(Duration::from_micros);
    match catch_unwind(AssertUnwindSafe(|| reader.follower.next(places, timeout))) {
        Ok(Ok(count)) => i64::try_from(count).unwrap_or(i64::MAX),
        Ok(Err(FollowError::Replaced)) => reader.fail(REPLACED, &FollowError::Replaced.to_string()),
        Ok(Err(error)) => reader.fail(ERROR, &chain(&error)),
        Err(_) => reader.fail(ERROR, PANICKED),
    }
}

/// Why the last call of [`qamd_reader_next`] failed.
///
/// # Safety
/// As for [`qamd_reader_next`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qamd_reader_error(reader: *const Reader) -> *const c_char {
    // SAFETY: the caller's promise.
    let reader = unsafe { reader.as_ref() };
    reader.map_or(c"the reader is NULL".as_ptr(), |reader| reader.error.as_ptr())
}

/// Ticks lost so far.
///
/// # Safety
/// As for [`qamd_reader_next`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qamd_reader_lost(reader: *const Reader) -> u64 {
    // SAFETY: the caller's promise.
    unsafe { reader.as_ref() }.map_or(0, |reader| reader.follower.lost())
}

/// Ticks left out so far, since they were copies or late.
///
/// # Safety
/// As for [`qamd_reader_next`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qamd_reader_copies(reader: *const Reader) -> u64 {
    // SAFETY: the caller's promise.
    unsafe { reader.as_ref() }.map_or(0, |reader| reader.follower.copies())
}

/// Says that the caller is about to wait for the descriptor; 1 when it is to, 0 when ticks are there.
///
/// # Safety
/// As for [`qamd_reader_next`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qamd_reader_prepare(reader: *mut Reader) -> c_int {
    // SAFETY: the caller's promise.
    let Some(reader) = (unsafe { reader.as_mut() }) else { return 0 };
    catch_unwind(AssertUnwindSafe(|| reader.follower.arm())).map_or(0, c_int::from)
}

/// The descriptor to wait for; -1 without a reader.
///
/// # Safety
/// As for [`qamd_reader_next`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qamd_reader_fd(reader: *const Reader) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { reader.as_ref() }.map_or(-1, |reader| reader.follower.descriptor())
}

/// Closes a reader.
///
/// # Safety
/// `reader` is NULL or came from [`qamd_reader_open`], and nobody uses it any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qamd_reader_close(reader: *mut Reader) {
    if !reader.is_null() {
        // SAFETY: it came from `Box::into_raw`, and by the caller's promise this is its last use.
        let reader = unsafe { Box::from_raw(reader) };
        // A fault in closing has nobody left to be told.
        drop(catch_unwind(AssertUnwindSafe(|| drop(reader))));
    }
}

// === impl Reader ===

impl Reader {
    fn fail(&mut self, state: c_int, text: &str) -> i64 {
        // A text of ours with a zero in it is cut there.
        let text = text.split('\0').next().unwrap_or_default();
        self.error = CString::new(text).unwrap_or_default();
        i64::from(state)
    }
}

fn open(
    instance: Option<&[u8]>,
    runtime_dir: Option<&[u8]>,
    nowhere: bool,
) -> Result<Reader, (c_int, String)> {
    let error = |text: String| (ERROR, text);
    if nowhere {
        return Err(error("there is nowhere to write the reader to: out is NULL".to_owned()));
    }
    let instance = match instance {
        None => Instance::default(),
        Some(name) => Instance::parse(&String::from_utf8_lossy(name))
            .map_err(|refused| error(refused.to_string()))?,
    };
    // A fleet that runs as a service lives where its manager says.
    let dirs = match runtime_dir {
        Some(dir) => vec![PathBuf::from(OsStr::from_bytes(dir))],
        None => vec![usual_runtime_dir(&instance), FleetPaths::service_runtime_dir(&instance)],
    };
    let mut refusal = None;
    for dir in dirs {
        let paths = FleetPaths::new(instance, dir).map_err(|refused| error(refused.to_string()))?;
        match Follower::open(&paths) {
            Ok(follower) => return Ok(Reader { follower, error: CString::default() }),
            Err(failed @ FollowError::NotReady(_)) => {
                refusal.get_or_insert((NOT_READY, failed.to_string()));
            }
            Err(other) => return Err((ERROR, chain(&other))),
        }
    }
    Err(refusal.unwrap_or_else(|| error("there is no place to look for the fleet".into())))
}

fn usual_runtime_dir(instance: &Instance) -> PathBuf {
    let uid = nix::unistd::Uid::effective().as_raw();
    let of_session = std::env::var_os("XDG_RUNTIME_DIR");
    FleetPaths::usual_runtime_dir(instance, uid, of_session.as_deref().map(Path::new))
}

/// The bytes of a text of C's.
///
/// # Safety
/// `text` is NULL, or ends with a zero and stays as it is for as long as the result is used.
unsafe fn text_at<'a>(text: *const c_char) -> Option<&'a [u8]> {
    if text.is_null() {
        return None;
    }
    // SAFETY: the caller's promise.
    Some(unsafe { CStr::from_ptr(text) }.to_bytes())
}

/// Writes as much of a text as fits, with a zero behind it.
///
/// # Safety
/// `out` is NULL or valid for `room` bytes.
unsafe fn write_text(text: &str, out: *mut c_char, room: usize) {
    let Some(most) = room.checked_sub(1).filter(|_| !out.is_null()) else { return };
    let length = text.len().min(most);
    // SAFETY: `length + 1 <= room` bytes are written.
    unsafe { out.copy_from_nonoverlapping(text.as_ptr().cast(), length) };
    // SAFETY: as above.
    let end = unsafe { out.add(length) };
    // SAFETY: as above.
    unsafe { end.write(0) };
}

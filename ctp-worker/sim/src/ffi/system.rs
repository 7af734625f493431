//! What the library asks of the system: clocks, and ways to end the process.

use std::error::Error;
use std::ffi::{c_int, c_long};

use crate::faults::Death;

/// Exit code of a script that cannot be used (`EX_USAGE`).
const BAD_SCRIPT: i32 = 64;

const CLOCK_REALTIME: c_int = 0;
const CLOCK_MONOTONIC: c_int = 1;

/// `struct timespec` of 64-bit Linux.
#[repr(C)]
struct TimeSpec {
    seconds: i64,
    nanoseconds: c_long,
}

unsafe extern "C" {
    fn clock_gettime(clock: c_int, time: *mut TimeSpec) -> c_int;
}

fn time_of(clock: c_int) -> TimeSpec {
    let mut time = TimeSpec { seconds: 0, nanoseconds: 0 };
    // SAFETY: `time` is a valid, writable timespec of this platform's layout, and the call keeps no
    // pointer to it. The clocks named in this file always exist, so the call cannot fail.
    let _zero = unsafe { clock_gettime(clock, &raw mut time) };
    time
}

/// Nanoseconds of `CLOCK_MONOTONIC`, which all processes of a machine share.
pub(super) fn monotonic_ns() -> u64 {
    let time = time_of(CLOCK_MONOTONIC);
    time.seconds as u64 * 1_000_000_000 + time.nanoseconds as u64
}

/// Milliseconds since 1970-01-01 UTC.
pub(super) fn unix_ms() -> i64 {
    let time = time_of(CLOCK_REALTIME);
    time.seconds * 1000 + time.nanoseconds / 1_000_000
}

/// Ends the process because the script or its recording cannot be used. CTP's interface has no way
/// to say so, and a simulation that did something else than its script would be worse.
#[expect(clippy::print_stderr, reason = "the last words of a process without another voice")]
pub(super) fn refuse_script(error: &dyn Error) -> ! {
    let mut text = format!("qamd-sim: {error}");
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    eprintln!("{text}");
    std::process::exit(BAD_SCRIPT)
}

/// Dies where the genuine library dies, but says why first.
#[expect(clippy::print_stderr, reason = "the last words of a process without another voice")]
pub(super) fn die_like_the_genuine(reason: &str) -> ! {
    eprintln!("qamd-sim: the genuine library crashes here: {reason}");
    die(Death::Segv)
}

/// Ends the process as a script asks.
pub(super) fn die(how: Death) -> ! {
    if how == Death::Segv {
        let nowhere = std::ptr::without_provenance_mut::<u8>(8);
        // SAFETY: none, on purpose: the first page is never mapped, so this raises SIGSEGV in this
        // thread, which is what the script asks for.
        unsafe { nowhere.write_volatile(1) };
    }
    std::process::abort()
}

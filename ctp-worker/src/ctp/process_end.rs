//! Ending the process while the vendor's library is alive in it.

/// Ends the process at once with this exit code, running no destructor of any library.
///
/// The library's threads are still running. `Release` would join them and is known to hang; an ordinary exit would run
/// the library's static destructors under the feet of its threads. The kernel takes back everything the library holds;
/// what is ours has been closed before.
pub fn end_process(code: u8) -> ! {
    // SAFETY: `_exit` takes any number, touches no memory of this process and does not return.
    unsafe { nix::libc::_exit(i32::from(code)) }
}

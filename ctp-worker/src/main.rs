//! `qamd-ctp-worker`: one broker's connection. See the library of this crate.

fn main() {
    let code = qamd_ctp_worker::process::run();
    // Not a return: the vendor's threads are alive, and static destructors would run under them.
    qamd_ctp_worker::ctp::end_process(code)
}

//! The thread that makes all callbacks of one API object.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crate::engine::Engine;
use crate::feed::Feed;
use crate::ffi::shared::{Shared, Woken};
use crate::ffi::spi::SpiCaller;
use crate::ffi::system::{monotonic_ns, refuse_script, unix_ms};
use crate::market::Market;
use crate::replay::Replay;
use crate::script::{Script, Source};

/// Starts the thread; the time of `Init` is now.
///
/// # Errors
/// When the system has no thread left.
pub(super) fn start(
    script: Arc<Script>,
    shared: Arc<Shared>,
    spi: SpiCaller,
) -> std::io::Result<JoinHandle<()>> {
    let (init_ns, init_unix_ms) = (monotonic_ns(), unix_ms());
    std::thread::Builder::new().name("qamd-sim".to_owned()).spawn(move || {
        let body = || run(&script, &shared, spi, init_ns, init_unix_ms);
        if catch_unwind(AssertUnwindSafe(body)).is_err() {
            // The panic has been printed. A thread that silently ends would look like a dead front.
            std::process::abort();
        }
        shared.set_ended();
    })
}

fn run(script: &Script, shared: &Shared, mut spi: SpiCaller, init_ns: u64, init_unix_ms: i64) {
    let mut engine = Engine::new(script, open_feed(script, init_unix_ms));
    let now_ns = || monotonic_ns().saturating_sub(init_ns);
    let mut next_ns = Some(0u64);
    loop {
        let at_most = next_ns.map(|at_ns| Duration::from_nanos(at_ns.saturating_sub(now_ns())));
        let requests = match shared.wait(at_most) {
            Woken::Requests(requests) => requests,
            Woken::Stop => return,
        };
        let now_ns = now_ns();
        for request in requests {
            engine.request(now_ns, request);
        }
        next_ns = match engine.run(now_ns, &mut spi) {
            Ok(next_ns) => next_ns,
            Err(error) => refuse_script(&error),
        };
    }
}

fn open_feed(script: &Script, unix_ms: i64) -> Box<dyn Feed> {
    let slice_ns = script.slice_us.saturating_mul(1000);
    match &script.source {
        Source::Generated(plan) => Box::new(Market::new(plan, script.abi, slice_ns, unix_ms)),
        Source::Replay(plan) => {
            let relogin = script.relogin_each_trading_day && script.trading_day.is_none();
            match Replay::open(plan, script.abi, slice_ns, unix_ms, relogin) {
                Ok(replay) => Box::new(replay),
                Err(error) => refuse_script(&error),
            }
        }
    }
}

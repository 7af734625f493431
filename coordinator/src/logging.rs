//! The log: to stderr or to a file, its level by `QAMD_LOG` (tracing's filter syntax, default `info`).

use std::fs::File;
use std::io::IsTerminal;
use std::sync::Mutex;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// The variable that sets the level, inherited by every process of the fleet.
pub const LEVEL_VARIABLE: &str = "QAMD_LOG";

/// Logs to stderr.
pub fn to_stderr() {
    init(std::io::stderr, std::io::stderr().is_terminal());
}

/// Logs to a file.
pub fn to_file(file: File) {
    init(Mutex::new(file), false);
}

fn init<W>(writer: W, ansi: bool)
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let filter = EnvFilter::try_from_env(LEVEL_VARIABLE).unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(ansi)
        .with_target(false)
        // A log that nobody takes any more (its pipe or terminal is gone) is no reason to panic in whoever logs.
        .log_internal_errors(false);
    // A second call (in tests) changes nothing.
    log.try_init().unwrap_or_default();
}

//! `qamd-ws-frontend`: arguments, logging, exit code.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use qamd_ws_frontend::process::{Settings, run};
use tracing_subscriber::EnvFilter;

const BAD_USAGE: u8 = 64;

fn main() -> ExitCode {
    let settings = match Settings::try_parse() {
        Ok(settings) => settings,
        Err(error) => {
            // Nothing can be done when even the terminal is gone.
            let _unprinted = error.print();
            return match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
                _ => ExitCode::from(BAD_USAGE),
            };
        }
    };
    tracing_subscriber::fmt()
        .with_env_filter(
            EnvFilter::try_from_env("QAMD_LOG").unwrap_or_else(|_| EnvFilter::new("info")),
        )
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        // Else a log that cannot be written (its terminal or its reader is gone) panics in whatever task was logging.
        .log_internal_errors(false)
        .init();
    match run(&settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "the frontend ends");
            ExitCode::from(error.exit_code())
        }
    }
}

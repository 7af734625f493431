//! The verbs of the command line. Each gives the exit code: 0, 1 failed, 64 bad usage or configuration.

mod asking;
mod check_config;
mod demo;
mod run;
mod shm;
mod status;
mod wish;

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use shm_layout::control::ConnectionWish;

use crate::command_line::{CommandLine, FleetArgs, StatusArgs, Verb};

/// The exit code of bad usage, configuration or a refused library.
pub const EXIT_USAGE: u8 = 64;

/// Does what the command line says.
#[must_use]
pub fn main() -> ExitCode {
    let command_line = match CommandLine::try_parse() {
        Ok(command_line) => command_line,
        Err(error) => {
            let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            // A closed terminal is no reason to fail.
            error.print().unwrap_or_default();
            return if asked { ExitCode::SUCCESS } else { ExitCode::from(EXIT_USAGE) };
        }
    };
    match command_line.verb.unwrap_or(Verb::Run(command_line.run)) {
        Verb::Run(args) if args.status => {
            let config = match run::config_file(&args) {
                Ok(config) => config,
                Err(missing) => {
                    crate::output::complain_text(&missing);
                    return ExitCode::from(EXIT_USAGE);
                }
            };
            let fleet = FleetArgs { config, ..FleetArgs::default() };
            status::status(&StatusArgs { json: false, fleet })
        }
        Verb::Run(args) => run::run(&args),
        Verb::Status(args) => status::status(&args),
        Verb::Restart(args) => wish::connection(&args, ConnectionWish::Restart),
        Verb::Drain(args) => wish::connection(&args, ConnectionWish::Drain),
        Verb::Enable(args) => wish::connection(&args, ConnectionWish::Enable),
        Verb::Disable(args) => wish::connection(&args, ConnectionWish::Disable),
        Verb::Reload(args) => wish::reload(&args.fleet, args.json),
        Verb::Shm(args) => shm::shm(&args),
        Verb::CheckConfig(args) => check_config::check_config(&args),
        Verb::Demo(args) => demo::demo(&args),
    }
}

/// The runtime that every verb needs: one thread, since nothing here is heavy.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

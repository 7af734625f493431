//! `qamd run`, and `qamd` alone.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use shm_layout::{BrokerId, ConnectionId, FrontAddr};

use crate::command_line::RunArgs;
use crate::config::{Config, Fault, Faults, Files, load, load_files};
use crate::driver::Reread;
use crate::output::{chain, complain, complain_text};
use crate::runtime_dir::of_service;
use crate::signals::Signals;
use crate::verbs::{EXIT_USAGE, runtime};
use crate::{logging, start};

/// Where --multi-ctp looks for a configuration.
const CONFIG_FILES: [&str; 2] = ["config/multi_ctp_config.json", "config/qamd.json"];
const SIMNOW_FRONT: &str = "tcp://182.254.243.31:30011";
const SIMNOW_BROKER: &str = "9999";
const SINGLE_CONNECTION: &str = "single";

/// Runs the fleet until it is stopped.
pub(super) fn run(args: &RunArgs) -> ExitCode {
    let (config, files) = match configuration(args) {
        Ok(configuration) => configuration,
        Err(fault) => {
            complain_text(&fault);
            return ExitCode::from(EXIT_USAGE);
        }
    };
    logging::to_stderr();
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&error);
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(async {
        let signals = match Signals::listen() {
            Ok(signals) => signals,
            Err(error) => {
                complain(&error);
                return ExitCode::FAILURE;
            }
        };
        let coordinator = match start::start(config, files, reread(args), None).await {
            Ok(coordinator) => coordinator,
            Err(error) => {
                complain(&error);
                return ExitCode::from(error.exit_code());
            }
        };
        signals.forward(&coordinator.inbox());
        match coordinator.run().await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                tracing::error!("{}", chain(&error));
                ExitCode::FAILURE
            }
        }
    })
}

/// The configuration file that the arguments mean; `None` is a single connection from the command line.
///
/// # Errors
/// A sentence when there is none where there should be one.
pub(super) fn config_file(args: &RunArgs) -> Result<Option<PathBuf>, String> {
    if let Some(file) = &args.config {
        return Ok(Some(file.clone()));
    }
    if !args.multi_ctp {
        return Ok(None);
    }
    let found = CONFIG_FILES.into_iter().map(Path::new).find(|file| file.exists());
    found.map(|file| Some(file.to_owned())).ok_or_else(|| {
        format!("--multi-ctp needs a configuration: neither {} nor {} is there; name one with --config FILE", CONFIG_FILES[0], CONFIG_FILES[1])
    })
}

/// How the same configuration is read again.
fn reread(args: &RunArgs) -> Reread {
    let args = args.clone();
    Reread::new(move || configuration(&args))
}

fn configuration(args: &RunArgs) -> Result<(Config, Files), String> {
    let (mut config, files) = match config_file(args)? {
        Some(file) => load(&file).map_err(|faults| faults.to_string())?,
        None => single(args)?,
    };
    if let Some(strategy) = args.strategy {
        config.load_balance_strategy = strategy;
    }
    if let Some(port) = args.port {
        if port == config.http_port && port != 0 {
            return Err(format!(
                "--port {port} is the port of status and metrics already; choose another"
            ));
        }
        config.websocket_port = port;
    }
    config.runtime_dir =
        config.runtime_dir.or_else(|| of_service(std::env::var_os("RUNTIME_DIRECTORY")));
    Ok((config, files))
}

fn single(args: &RunArgs) -> Result<(Config, Files), String> {
    let known = |error: &dyn std::error::Error| error.to_string();
    let front_addr = match &args.front_addr {
        Some(front_addr) => front_addr.clone(),
        None => FrontAddr::parse(SIMNOW_FRONT).map_err(|error| known(&error))?,
    };
    let broker_id = match args.broker_id {
        Some(broker_id) => broker_id,
        None => BrokerId::parse(SIMNOW_BROKER).map_err(|error| known(&error))?,
    };
    let connection_id = ConnectionId::parse(SINGLE_CONNECTION).map_err(|error| known(&error))?;
    let config = Config::single(front_addr, broker_id, connection_id);
    let of_line =
        |faults: Vec<Fault>| Faults { file: "the command line".into(), faults }.to_string();
    let files = load_files(&config).map_err(of_line)?;
    Ok((config, files))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args() -> RunArgs {
        RunArgs {
            multi_ctp: false,
            config: None,
            strategy: None,
            front_addr: None,
            broker_id: None,
            port: None,
            status: false,
        }
    }

    #[test]
    fn alone_it_is_one_connection_to_simnow() {
        let (config, _) = configuration(&args()).unwrap();
        let connection = &config.connections[0];
        assert_eq!(connection.connection_id.as_str(), "single");
        assert_eq!(connection.front_addr.to_string(), SIMNOW_FRONT);
        assert_eq!((connection.broker_id.as_str(), config.websocket_port), ("9999", 7799));
        assert!(crate::config::notices(&config).is_empty());
    }

    #[test]
    fn the_port_can_be_given_but_not_twice() {
        assert_eq!(
            configuration(&RunArgs { port: Some(8000), ..args() }).unwrap().0.websocket_port,
            8000
        );
        assert!(
            configuration(&RunArgs { port: Some(7798), ..args() }).unwrap_err().contains("7798")
        );
    }

    #[test]
    fn a_configuration_that_is_not_there_is_named() {
        let missing = RunArgs { config: Some("no/such.json".into()), ..args() };
        assert_eq!(
            configuration(&missing).unwrap_err(),
            "no/such.json: 1 fault\n  no/such.json does not exist"
        );
    }
}

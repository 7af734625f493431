//! `qamd status`

use std::process::ExitCode;
use std::time::Duration;

use shm_layout::FleetPaths;
use shm_layout::control::ChannelError;

use crate::command_line::{FleetArgs, StatusArgs};
use crate::config::load;
use crate::control_server::ask_status;
use crate::output::{Style, chain, complain_text, say};
use crate::verbs::{EXIT_USAGE, runtime};
use crate::{start, status_table};

/// How long a coordinator may take to answer.
const ANSWER_WAIT: Duration = Duration::from_secs(5);

/// Shows how the running fleet is; never starts one.
pub(super) fn status(args: &StatusArgs) -> ExitCode {
    let paths = match find(&args.fleet) {
        Ok(paths) => paths,
        Err(fault) => {
            complain_text(&fault);
            return ExitCode::from(EXIT_USAGE);
        }
    };
    let asked = runtime().map_err(|error| error.to_string()).and_then(|runtime| {
        runtime.block_on(async {
            match tokio::time::timeout(ANSWER_WAIT, ask_status(&paths)).await {
                Ok(Ok(status)) => Ok(status),
                Ok(Err(ChannelError::Connect { .. })) => Err(format!(
                    "instance {} does not run (nothing answers at {})",
                    paths.instance(),
                    paths.control_socket().display()
                )),
                Ok(Err(error)) => Err(chain(&error)),
                Err(_) => {
                    Err(format!("the coordinator of instance {} does not answer", paths.instance()))
                }
            }
        })
    });
    match asked {
        Ok(status) => {
            let text = if args.json {
                // A status is maps, lists, texts and numbers: it always becomes JSON.
                serde_json::to_string_pretty(&status).unwrap_or_default() + "\n"
            } else {
                status_table::render(&status, Style::of_stdout())
            };
            say(&text);
            ExitCode::SUCCESS
        }
        Err(why) => {
            complain_text(&why);
            ExitCode::FAILURE
        }
    }
}

/// The places of the fleet that is meant.
fn find(args: &FleetArgs) -> Result<FleetPaths, String> {
    let mut instance = args.instance;
    let mut runtime_dir = args.runtime_dir.clone();
    if let Some(file) = &args.config {
        let (config, _) = load(file).map_err(|faults| faults.to_string())?;
        instance = instance.or(Some(config.instance));
        runtime_dir = runtime_dir.or(config.runtime_dir);
    }
    start::fleet_paths(instance.unwrap_or_default(), runtime_dir).map_err(|error| error.to_string())
}

//! `qamd check-config`

use std::process::ExitCode;

use serde_json::json;

use crate::command_line::CheckConfigArgs;
use crate::config::{load, notices};
use crate::output::{complain_text, say};
use crate::shown::counted;
use crate::verbs::EXIT_USAGE;

/// Checks a configuration and everything it names; prints all faults.
pub(super) fn check_config(args: &CheckConfigArgs) -> ExitCode {
    let file = args.file.display();
    match load(&args.file) {
        Ok((config, files)) => {
            let notices = notices(&config);
            if args.json {
                say(&format!(
                    "{}\n",
                    json!({"file": file.to_string(), "faults": [], "notices": notices})
                ));
            } else {
                let enabled =
                    config.connections.iter().filter(|connection| connection.enabled).count();
                let listed = counted(files.universe.instruments.len() as u64, "listed instrument");
                let connections = counted(config.connections.len() as u64, "connection");
                let notes: String =
                    notices.iter().map(|notice| format!("  note: {notice}\n")).collect();
                say(&format!("{file}: ok, {connections} ({enabled} enabled), {listed}\n{notes}"));
            }
            ExitCode::SUCCESS
        }
        Err(faults) => {
            if args.json {
                say(&format!("{}\n", json!({"file": faults.file, "faults": faults.faults})));
            } else {
                complain_text(&faults.to_string());
            }
            ExitCode::from(EXIT_USAGE)
        }
    }
}

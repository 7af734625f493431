//! `qamd status`

use std::process::ExitCode;

use shm_layout::control::{OperatorReply, OperatorRequest};

use crate::command_line::StatusArgs;
use crate::output::{Style, complain_text, say};
use crate::status_table;
use crate::verbs::EXIT_USAGE;
use crate::verbs::asking::{Unasked, ask_fleet};

/// Shows how the running fleet is; never starts one.
pub(super) fn status(args: &StatusArgs) -> ExitCode {
    let asked = match ask_fleet(&args.fleet, &OperatorRequest::Status) {
        Ok(OperatorReply::Status(status)) => Ok(status),
        Ok(_) => Err("the coordinator gave another answer than was asked for".into()),
        Err(Unasked::Usage(fault)) => {
            complain_text(&fault);
            return ExitCode::from(EXIT_USAGE);
        }
        Err(Unasked::NoAnswer(why)) => Err(why),
    };
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

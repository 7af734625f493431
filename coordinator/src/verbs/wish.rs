//! `qamd restart`, `drain`, `enable`, `disable` and `reload`: a wish to the running fleet.

use std::process::ExitCode;

use shm_layout::control::{ConnectionWish, OperatorReply, OperatorRequest};

use crate::command_line::{ConnectionArgs, FleetArgs};
use crate::output::{complain_text, say};
use crate::verbs::EXIT_USAGE;
use crate::verbs::asking::{Unasked, ask_fleet};

/// Wishes something of one connection.
pub(super) fn connection(args: &ConnectionArgs, wish: ConnectionWish) -> ExitCode {
    let request = OperatorRequest::Connection(args.connection, wish);
    answer(&args.fleet, &request, args.json)
}

/// Has the configuration read again.
pub(super) fn reload(args: &FleetArgs, json: bool) -> ExitCode {
    answer(args, &OperatorRequest::Reload, json)
}

fn answer(fleet: &FleetArgs, request: &OperatorRequest, json: bool) -> ExitCode {
    match ask_fleet(fleet, request) {
        Ok(OperatorReply::Done(lines)) => {
            tell(&lines, true, json);
            ExitCode::SUCCESS
        }
        Ok(OperatorReply::Refused(lines)) => {
            tell(&lines, false, json);
            ExitCode::FAILURE
        }
        Ok(OperatorReply::Status(_)) => {
            complain_text("the coordinator gave another answer than was asked for");
            ExitCode::FAILURE
        }
        Err(Unasked::Usage(fault)) => {
            complain_text(&fault);
            ExitCode::from(EXIT_USAGE)
        }
        Err(Unasked::NoAnswer(why)) => {
            complain_text(&why);
            ExitCode::FAILURE
        }
    }
}

/// What was done goes to stdout, what was not to stderr; as JSON both go to stdout.
fn tell(lines: &[String], done: bool, json: bool) {
    if json {
        let answer = serde_json::json!({"done": done, "lines": lines});
        say(&format!("{answer:#}\n"));
    } else if done {
        say(&(lines.join("\n") + "\n"));
    } else {
        complain_text(&lines.join("\n"));
    }
}

//! `qamd shm`: how the segments in shared memory are and what they hold, without asking the coordinator.
//!
//! * `segments` — which two are meant, and opening them.
//! * `health` and `health_text`, pure — what is known of them, and how it reads; `looking` finds it out.
//! * `view` and `view_text`, pure — the same for instruments; `viewing` reads them.
//! * `removing` — taking both away.

mod health;
mod health_text;
mod looking;
mod removing;
mod segments;
mod view;
mod view_text;
mod viewing;

use std::process::ExitCode;

use serde_json::json;
use shm_layout::QualifiedId;

use crate::command_line::{ShmArgs, ShmGetArgs, ShmRemoveArgs, ShmVerb};
use crate::output::{Style, complain_text, say};
use crate::verbs::EXIT_USAGE;
use health::State;
use segments::Segments;
use viewing::Open;

/// Does what was asked of the segments.
pub(super) fn shm(args: &ShmArgs) -> ExitCode {
    let done = match &args.verb {
        None => show(args),
        Some(ShmVerb::Get(args)) => get(args),
        Some(ShmVerb::Remove(args)) => remove(args),
    };
    done.unwrap_or_else(|fault| {
        complain_text(&fault);
        ExitCode::from(EXIT_USAGE)
    })
}

/// Shows the health of both; fails when one cannot be used.
fn show(args: &ShmArgs) -> Result<ExitCode, String> {
    let health = looking::look(&Segments::find(&args.fleet)?);
    if args.json {
        // Texts, numbers and options always become JSON.
        say(&(serde_json::to_string_pretty(&health).unwrap_or_default() + "\n"));
    } else {
        say(&health_text::render(&health, Style::of_stdout()));
    }
    Ok(code(health.is_well()))
}

/// Shows what both hold of some instruments; fails when neither knows one of them.
fn get(args: &ShmGetArgs) -> Result<ExitCode, String> {
    let parse = |text: &String| {
        let id = QualifiedId::parse(text).map_err(|error| error.to_string())?;
        Ok((text.clone(), id))
    };
    let asked = args.instruments.iter().map(parse).collect::<Result<Vec<_>, String>>()?;
    let segments = Segments::find(&args.fleet)?;
    let open = Open::of(&segments);
    let views: Vec<_> = asked.iter().map(|(text, id)| open.view(text, id)).collect();
    let depth = open.depth.as_ref().err();
    let qamddata = open.qamddata.as_ref().and_then(|open| open.as_ref().err());
    if args.json {
        let answer =
            json!({"unusable": {"depth": depth, "qamddata": qamddata}, "instruments": views});
        say(&format!("{answer:#}\n"));
    } else {
        let why = |state| match state {
            &State::NotThere => "the segment is not there; it is made when the fleet starts".into(),
            other => format!("the segment is {}", health_text::state(other).0),
        };
        let no_qamddata = match open.qamddata {
            None => Some("this fleet has none".to_owned()),
            Some(_) => qamddata.map(why),
        };
        let missing = [depth.map(why), no_qamddata];
        let texts = views.iter().map(|view| view_text::render(view, &missing, Style::of_stdout()));
        say(&texts.collect::<Vec<_>>().join("\n"));
    }
    Ok(code(views.iter().all(view::View::is_known)))
}

/// Removes both, unless a process of the fleet runs.
fn remove(args: &ShmRemoveArgs) -> Result<ExitCode, String> {
    let removed = removing::remove(&Segments::find(&args.fleet)?);
    let done = removed.is_ok();
    let lines = removed.unwrap_or_else(|why| vec![why]);
    if args.json {
        say(&format!("{:#}\n", json!({"done": done, "lines": lines})));
    } else if done {
        say(&(lines.join("\n") + "\n"));
    } else {
        complain_text(&lines.join("\n"));
    }
    Ok(code(done))
}

fn code(well: bool) -> ExitCode {
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

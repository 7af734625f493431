//! `qamd`: the coordinator and what an operator asks of it. See the library for everything.

use std::process::ExitCode;

fn main() -> ExitCode {
    qamd::verbs::main()
}

//! Who tidies up when the tests themselves are killed.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

/// Waits until its standard input ends, which it does with the tests' process however that dies, and removes what is left
/// of fleets whose names begin with `$1-`. A coordinator goes first, so that it starts nothing anew.
const SCRIPT: &str = r#"
trap '' INT TERM HUP
read -r _
for word in 'qamd run' "$1-"; do
    for process in /proc/[0-9]*; do
        line=$(tr '\0' ' ' 2>/dev/null <"$process/cmdline") || continue
        case $line in
            *"$1-"*) case $line in *"$word"*) kill -9 "${process#/proc/}" 2>/dev/null ;; esac ;;
        esac
    done
done
rm -rf /tmp/"$1"-* /dev/shm/"$1"-*
"#;

/// Starts the guardian of this process's fleets, once. Fleets run in process groups of their own, so nothing else would
/// end them after a Ctrl-C.
///
/// # Panics
/// When `sh` cannot be started.
pub(super) fn start(names_begin_with: &str) {
    static GUARDIAN: OnceLock<Child> = OnceLock::new();
    GUARDIAN.get_or_init(|| {
        Command::new("sh")
            .args(["-c", SCRIPT, "guardian", names_begin_with])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("sh can be started")
    });
}

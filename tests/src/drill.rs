//! What is done to a fleet under the eyes of clients, without keeping the test from anything else meanwhile.

use std::process::Stdio;

use shm_layout::control::{FleetStatus, SessionState, WorkerProcess, WorkerStatus};
use tokio::process::Command;

use crate::binaries;
use crate::fleet::{Fleet, session_state};

/// Types a verb with `--config` of the fleet; returns the exit code and what was said.
///
/// # Panics
/// When `qamd` cannot be started, or a signal ends it.
pub async fn verb(fleet: &Fleet, arguments: &[&str]) -> (i32, String) {
    let typed = Command::new(binaries::qamd())
        .args(arguments)
        .arg("--config")
        .arg(fleet.config())
        .current_dir(fleet.home().dir())
        .env_remove("QAMD_LOG")
        .stdin(Stdio::null())
        // Who does not wait for the answer leaves nobody behind.
        .kill_on_drop(true)
        .output();
    let output = typed.await.expect("qamd can be started");
    let said = [output.stdout, output.stderr].concat();
    let code = output.status.code().expect("qamd ends by itself");
    (code, String::from_utf8_lossy(&said).into_owned())
}

/// A verb that must succeed.
///
/// # Panics
/// When it fails.
pub async fn tell(fleet: &Fleet, arguments: &[&str]) {
    let (code, said) = verb(fleet, arguments).await;
    assert_eq!(code, 0, "{arguments:?}: {said}");
}

/// True when so many instruments have so many copies each, acknowledged and in their places.
#[must_use]
pub fn all_copies_tick(status: &FleetStatus, instruments: u32, copies: u32) -> bool {
    let acknowledged: u32 = status.workers.iter().map(|worker| worker.acknowledged).sum();
    let counts = (status.wanted, status.ticking, status.moving, status.short_of_copies);
    counts == (instruments, instruments, 0, 0) && acknowledged == instruments * copies
}

/// True when a worker runs and is logged in.
#[must_use]
pub fn is_at_work(worker: &WorkerStatus) -> bool {
    worker.process == WorkerProcess::Running && session_state(worker) == Some(&SessionState::Ready)
}

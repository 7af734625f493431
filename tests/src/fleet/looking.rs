//! Looking into a fleet's status.

use shm_layout::control::{FleetStatus, SessionState, WorkerStatus};

/// The worker of a connection.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn worker_of<'a>(status: &'a FleetStatus, connection_id: &str) -> &'a WorkerStatus {
    let named = status.workers.iter().find(|worker| worker.connection_id.as_str() == connection_id);
    named.unwrap_or_else(|| panic!("{connection_id} is no worker of {status:?}"))
}

/// The state of a worker's login session, once it said hello.
#[must_use]
pub fn session_state(worker: &WorkerStatus) -> Option<&SessionState> {
    worker.session.as_ref().map(|session| &session.state)
}

/// True when nothing is left to do: so many wanted instruments tick, on so many connections each, all of them where they
/// are to stay, and the workers say themselves that they carry these and nothing else.
#[must_use]
pub fn is_settled(status: &FleetStatus, instruments: u32, copies: u32) -> bool {
    let placed: u32 = status.workers.iter().map(|worker| worker.subscriptions).sum();
    let carried: u32 = status.workers.iter().map(|worker| worker.stats.instruments).sum();
    let counts = (status.wanted, status.ticking, status.moving, status.short_of_copies);
    counts == (instruments, instruments, 0, 0)
        && (placed, carried) == (instruments * copies, instruments * copies)
}

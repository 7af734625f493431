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

//! One connection and its worker, as the fleet keeps them.

use std::time::Instant;

use shm_layout::Generation;
use shm_layout::control::{ConnectionView, ConnectionWish};

use super::events::Front;
use super::standing::Verdict;
use super::wishes::{Afterwards, Retiring};
use super::{ClientId, PlannedConnection, peers};
use crate::assignment::Assigned;
use crate::life::{Life, Phase};
use crate::pulse::Pulse;
use crate::quality::Quality;
use crate::steadiness::Steadiness;
use crate::worker_state::WorkerState;

/// One connection and its worker.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) plan: PlannedConnection,
    pub(super) life: Life,
    pub(super) client: Option<ClientId>,
    pub(super) state: WorkerState,
    pub(super) assigned: Assigned,
    /// True after its first hello: what it carries since is what we told it.
    pub(super) met: bool,
    /// It was another coordinator's, and may take itself for the primary of what it has not told us yet, until it has taken
    /// an assignment of ours.
    pub(super) of_another: Option<FirstWord>,
    /// While it says the rest of what it carried before us.
    pub(super) inheritance: Option<peers::Inheritance>,
    /// What it is fit for, as the placement knows.
    pub(super) verdict: Verdict,
    pub(super) steadiness: Steadiness,
    /// It was, when it was last looked at.
    pub(super) unresponsive: bool,
    pub(super) quality: Quality,
    pub(super) pulse: Pulse,
    /// As the frontend sees it.
    pub(super) view: ConnectionView,
    /// Since when we listen without a pause of our own, when there was one.
    pub(super) listening_since: Option<Instant>,
    /// It sent nothing within a session, and has not made up for it.
    pub(super) silent: bool,
    /// Whether it is up, for clients, and what was told of it.
    pub(super) front: Front,
    /// A person wants it empty.
    pub(super) drained: bool,
    /// A person's last word about it.
    pub(super) wish: Option<ConnectionWish>,
    /// It is to end in an orderly way.
    pub(super) retiring: Option<Retiring>,
    /// Its worker runs with settings that are no longer ours; it is restarted before it is used on.
    pub(super) outdated: bool,
    /// Its connection is no longer configured; the place is given to the next new one once its worker is gone.
    pub(super) removed: bool,
}

/// What was said to another coordinator's worker that ends its doubts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FirstWord {
    /// Nothing yet.
    Unsaid,
    /// All it is to carry, under this number.
    Said(Generation),
}

// === impl Worker ===

impl Worker {
    /// Its connection is no longer configured.
    pub(super) const fn is_removed(&self) -> bool {
        self.removed
    }

    /// Nothing of it is left: its place may be given to another.
    pub(super) fn is_free(&self) -> bool {
        self.removed && !self.life.is_alive()
    }

    /// It is there to carry instruments.
    pub(super) fn is_used(&self) -> bool {
        !self.removed
            && !self.drained
            && !matches!(self.life.phase(), Phase::Disabled | Phase::Closing(_))
            && self.retiring.is_none_or(|retiring| retiring.then == Afterwards::Restart)
    }
}

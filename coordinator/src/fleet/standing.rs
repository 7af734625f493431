//! Whether a connection gets instruments, from all that is known of it.

use std::time::Instant;

use shm_layout::control::{SessionState, Standing};
use tracing::{info, warn};

use super::{Fleet, Worker};
use crate::life::Phase;
use crate::limits::UNRESPONSIVE_AFTER;
use crate::planner::Acceptance;

/// A connection's standing, and what it means to the planner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) standing: Standing,
    accepts: Acceptance,
    keeps: bool,
    carries: bool,
}

// === impl Verdict ===

impl Verdict {
    /// It may have worked all the time: a coordinator that meets it moves nothing for the sake of balance.
    fn is_out_of_touch(self) -> bool {
        self.keeps && self.accepts == Acceptance::Last
    }

    /// It works.
    const GOOD: Self =
        Self { standing: Standing::Good, accepts: Acceptance::First, keeps: true, carries: true };
    /// It works again, since a short while.
    const PROBATION: Self =
        Self { standing: Standing::Probation, accepts: Acceptance::Second, ..Self::GOOD };
    /// It works, and we cannot talk to it just now.
    const OUT_OF_TOUCH: Self =
        Self { standing: Standing::Probation, accepts: Acceptance::Last, ..Self::GOOD };
    /// It does not work, and may again.
    const AWAY: Self =
        Self { standing: Standing::Away, accepts: Acceptance::Last, keeps: false, carries: true };
    /// Nothing was decided yet.
    pub(super) const UNKNOWN: Self =
        Self { standing: Standing::Closed, accepts: Acceptance::Last, keeps: true, carries: true };
    /// It works, and a person or a change of its settings wants it empty.
    const DRAINING: Self = Self {
        standing: Standing::Closed,
        accepts: Acceptance::Never,
        keeps: false,
        carries: true,
    };
    /// It is switched off, or its login is refused for good.
    const CLOSED: Self = Self { carries: false, ..Self::DRAINING };
}

impl Worker {
    /// What it is fit for. Without failover what it has stays with it, whatever becomes of it.
    pub(super) fn verdict(&self, auto_failover: bool, now: Instant) -> Verdict {
        let verdict = self.verdict_with_failover(now);
        if auto_failover || self.drained || self.is_moving_out() || self.life_is_over() {
            verdict
        } else {
            Verdict { keeps: true, carries: true, ..verdict }
        }
    }

    fn is_moving_out(&self) -> bool {
        self.retiring.is_some_and(|retiring| retiring.moves())
    }

    fn life_is_over(&self) -> bool {
        matches!(self.life.phase(), Phase::Disabled | Phase::Closing(_) | Phase::Ended)
    }

    fn verdict_with_failover(&self, now: Instant) -> Verdict {
        if self.life_is_over() || self.life.phase() == Phase::Failed {
            return Verdict::CLOSED;
        }
        if self.retiring.is_some() || self.drained {
            return Verdict::DRAINING;
        }
        let session = self.state.session().map(|session| &session.state);
        match (self.life.phase(), session) {
            (_, Some(SessionState::Alarm { .. })) => Verdict::CLOSED,
            (Phase::Adopting, _) => Verdict::OUT_OF_TOUCH,
            (Phase::Detached, Some(SessionState::Ready)) => Verdict::OUT_OF_TOUCH,
            (Phase::Detached, _) => Verdict { keeps: true, ..Verdict::AWAY },
            (Phase::Running, Some(SessionState::Ready)) if !self.is_unresponsive(now) => {
                if self.steadiness.is_on_probation(now) {
                    Verdict::PROBATION
                } else {
                    Verdict::GOOD
                }
            }
            // At its first start it is trusted to get there.
            (
                Phase::Starting | Phase::BackingOff(_) | Phase::Running,
                None | Some(SessionState::Connecting | SessionState::LoggingIn),
            ) if !self.steadiness.is_down() => Verdict::GOOD,
            _ => Verdict::AWAY,
        }
    }

    /// It is connected and has not said its counters for long.
    pub(super) fn is_unresponsive(&self, now: Instant) -> bool {
        self.life.phase() == Phase::Running
            && now.saturating_duration_since(self.listened_since()) >= UNRESPONSIVE_AFTER
    }

    /// Since when it has said nothing and we have listened.
    fn listened_since(&self) -> Instant {
        self.listening_since.map_or(self.life.heard_at(), |since| since.max(self.life.heard_at()))
    }

    /// Falling silent towards us is a fall as any other: one that stands still now and then is trusted less and less.
    fn note_responsiveness(&mut self, now: Instant) {
        let unresponsive = self.is_unresponsive(now);
        if std::mem::replace(&mut self.unresponsive, unresponsive) == unresponsive {
            return;
        }
        if unresponsive {
            self.steadiness.fell(now);
        } else if self.life.phase() == Phase::Running && self.is_ready() {
            self.steadiness.rose(now);
        }
    }

    /// True while its login session stands and it is there to use it.
    pub(super) fn is_ready(&self) -> bool {
        matches!(self.life.phase(), Phase::Running | Phase::Detached)
            && self.state.session().is_some_and(|session| session.state == SessionState::Ready)
    }
}

impl Fleet {
    /// When time alone changes a standing.
    pub(super) fn standing_deadline(&self) -> Option<Instant> {
        let running = self
            .workers
            .iter()
            .filter(|worker| worker.life.phase() == Phase::Running && worker.is_ready());
        let changes = running.map(|worker| {
            let unresponsive = worker.listened_since() + UNRESPONSIVE_AFTER;
            let trusted = worker.steadiness.probation_ends();
            match worker.verdict.standing {
                Standing::Away | Standing::Closed => None,
                Standing::Probation => {
                    Some(trusted.map_or(unresponsive, |at| at.min(unresponsive)))
                }
                Standing::Good => Some(unresponsive),
            }
        });
        changes.flatten().min()
    }

    /// Looks at every connection, and says to the placement what changed.
    pub(super) fn refresh_standings(&mut self, now: Instant) {
        for index in 0..self.workers.len() {
            self.refresh_standing(index, now);
        }
    }

    /// Says to the placement what a connection is fit for.
    pub(super) fn refresh_standing(&mut self, index: usize, now: Instant) {
        let worker = &mut self.workers[index];
        worker.note_responsiveness(now);
        let verdict = worker.verdict(self.auto_failover, now);
        let before = std::mem::replace(&mut worker.verdict, verdict);
        if before == verdict {
            return;
        }
        let connection = worker.plan.connection_id;
        let seat = super::seat_of(index);
        match (before.standing, verdict.standing) {
            (from, to) if from == to => {}
            (_, Standing::Away) => {
                let carries = self.placement.load(seat);
                warn!(%connection, carries, "away; what it carries goes where there is room");
            }
            (_, Standing::Probation) => info!(%connection, "back, on probation"),
            (_, Standing::Good) => info!(%connection, "in good standing"),
            (_, Standing::Closed) => info!(%connection, "gets no instruments"),
        }
        self.placement.set_seat(seat, |seat| {
            (seat.accepts, seat.keeps, seat.carries) =
                (verdict.accepts, verdict.keeps, verdict.carries);
        });
        if verdict.standing == Standing::Good && self.auto_failover && !before.is_out_of_touch() {
            self.placement.unbalance();
        }
    }
}

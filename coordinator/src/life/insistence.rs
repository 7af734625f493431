//! Asking, terminating, killing: how far an end went (pure).

use std::time::Instant;

use super::Urge;
use crate::limits::{
    HURRIED_KILL_AFTER, STOP_GIVE_UP_AFTER, STOP_KILL_AFTER, STOP_TERMINATE_AFTER,
};

/// How far a stop went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Insistence {
    asked_at: Instant,
    terminated: bool,
    killed_at: Option<Instant>,
    pub(super) hurried: bool,
    pub(super) given_up: bool,
}

// === impl Insistence ===

impl Insistence {
    pub(super) const fn new(asked_at: Instant) -> Self {
        Self { asked_at, terminated: false, killed_at: None, hurried: false, given_up: false }
    }

    fn terminate_at(&self) -> Instant {
        if self.hurried { self.asked_at } else { self.asked_at + STOP_TERMINATE_AFTER }
    }

    fn kill_at(&self) -> Instant {
        self.asked_at + if self.hurried { HURRIED_KILL_AFTER } else { STOP_KILL_AFTER }
    }

    pub(super) fn due(&mut self, now: Instant) -> Option<Urge> {
        if let Some(at) = self.killed_at {
            self.given_up = now >= at + (STOP_GIVE_UP_AFTER - STOP_KILL_AFTER);
            None
        } else if now >= self.kill_at() {
            (self.terminated, self.killed_at) = (true, Some(now));
            Some(Urge::Kill)
        } else if !self.terminated && now >= self.terminate_at() {
            self.terminated = true;
            Some(Urge::Terminate)
        } else {
            None
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        match self.killed_at {
            Some(_) if self.given_up => None,
            Some(at) => Some(at + (STOP_GIVE_UP_AFTER - STOP_KILL_AFTER)),
            None if self.terminated => Some(self.kill_at()),
            None => Some(self.terminate_at()),
        }
    }
}

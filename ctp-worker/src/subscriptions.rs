//! What this worker carries (pure): from wanted to asked for, acknowledged and ticking, and back.
//!
//! ```text
//!   wanted:    Waiting --subscribe--> Requested --yes--> Acknowledged --tick--> Ticking
//!               ^                      |  |  `-------------- tick ----------------^
//!               |    no answer in 10 s |  |                |                      |
//!               `-- no, try later -----'  |                `-- none in 10 s, though asked again --> Silent
//!                                         `-- no for good --> Refused (for this trading day)
//!
//!   a session's end takes all but Refused back to Waiting
//!
//!   unwanted:  never asked for, or refused: gone at once
//!              else --unsubscribe--> answered, or three times unanswered: gone
//! ```
//!
//! * One request per instrument is under way at a time; an instrument wanted again while it is being released is asked
//!   for anew once that is answered. Only an answer that is late may meet the one after it. A refusal then decides nothing:
//!   the front is told to stop before it is asked again, so that it never carries what takes no place here.
//! * A wanted instrument is never forgotten: retries never end, quick first, then slow; a new session asks for
//!   everything; what was refused is asked for again on the next trading day.
//! * A front sends an instrument's last snapshot as soon as it is subscribed, at any hour. One that says yes and sends
//!   nothing has lost the subscription, or does not have the instrument: it is asked again, quickly and then slowly, without
//!   end, and keeps its place, since the front did say yes. Whatever it answers then, short of a final no, its first
//!   yes stands. A tick ends that at any time.
//! * Instruments beyond `max_subscriptions` wait, in order, until others are released.
//! * Calls are array calls, [`crate::limits::CALLS_APART`] apart; what comes meanwhile goes with the next. The front is told
//!   of a release [`crate::limits::RELEASE_GRACE`] late, so what is wanted again meanwhile simply stays.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use shm_layout::control::{Assignment, Carry, CarryRole};
use shm_layout::{Date, Generation, InstrumentId};

use crate::limits::{ASSIGNED_INSTRUMENTS_MAX, RELEASE_GRACE, TICK_DEADLINE};
use crate::retry_pace::RetryPace;

mod calls;
mod entry;
mod reports;
mod schedule;

pub use calls::{Answer, Call};
use entry::{Entry, FrontSide, Pending};
pub use reports::Census;
use schedule::Schedule;

/// Why an assignment was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AssignmentError {
    /// It is not newer than the one in force, or changes another one.
    #[error("it is not newer than the assignment in force, or does not follow it")]
    OutOfOrder,
    /// It would leave more instruments here than a worker may know.
    #[error("a worker takes at most {ASSIGNED_INSTRUMENTS_MAX} instruments")]
    TooLarge,
}

/// Whose cells this worker has to write, as it changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoleChanges {
    /// It is the primary of these from here on.
    pub gained: Vec<InstrumentId>,
    /// And no longer of these.
    pub given_up: Vec<InstrumentId>,
}

/// The instruments of one worker.
#[derive(Debug)]
pub struct Subscriptions {
    pace: RetryPace,
    max_subscriptions: usize,
    generation: Option<Generation>,
    ready: bool,
    trading_day: Option<Date>,
    entries: BTreeMap<InstrumentId, Entry>,
    to_ask: Schedule,
    to_ask_again: Schedule,
    to_release: Schedule,
    /// Requests under way, by when their answer is late, and acknowledged instruments, by when their first tick is.
    answers: Schedule,
    /// Calls rest until then.
    next_call: Option<Instant>,
    /// Which kind of call goes first when both are due; they take turns.
    release_first: bool,
    /// Entries that take one of the connection's places.
    places_taken: usize,
    acknowledged: usize,
    refused: usize,
    /// Answers and first ticks that did not come in time and are asked for again, since this worker's start.
    asked_again: u64,
    changed: BTreeSet<InstrumentId>,
    /// Whether this worker is the primary of instruments, where that has changed since the last look.
    primary: BTreeMap<InstrumentId, bool>,
}

// === impl Subscriptions ===

impl Subscriptions {
    /// No instruments and no session yet.
    #[must_use]
    pub fn new(max_subscriptions: usize, pace: RetryPace) -> Self {
        Self {
            pace,
            max_subscriptions,
            generation: None,
            ready: false,
            trading_day: None,
            entries: BTreeMap::new(),
            to_ask: Schedule::default(),
            to_ask_again: Schedule::default(),
            to_release: Schedule::default(),
            answers: Schedule::default(),
            next_call: None,
            release_first: true,
            places_taken: 0,
            acknowledged: 0,
            refused: 0,
            asked_again: 0,
            changed: BTreeSet::new(),
            primary: BTreeMap::new(),
        }
    }

    /// Takes an assignment whole or, where it is too large, its releases only: they are part of what makes room for the
    /// next one.
    ///
    /// # Errors
    /// [`AssignmentError`]; the assignment in force is as it was, but for those releases.
    pub fn assign(&mut self, now: Instant, assignment: Assignment) -> Result<(), AssignmentError> {
        let (generation, follows) = match &assignment {
            Assignment::Whole { generation, .. } => (*generation, true),
            Assignment::Change { generation, after, .. } => {
                (*generation, self.generation == Some(*after))
            }
        };
        if !follows || self.generation.is_some_and(|current| generation <= current) {
            return Err(AssignmentError::OutOfOrder);
        }
        let (add, remove) = match assignment {
            Assignment::Whole { instruments, .. } => {
                let kept: BTreeSet<InstrumentId> =
                    instruments.iter().map(|carry| carry.instrument).collect();
                let known = self.entries.keys().copied();
                let gone = known.filter(|id| !kept.contains(id)).collect();
                (instruments, gone)
            }
            Assignment::Change { add, remove, .. } => (add, remove),
        };
        for instrument in remove {
            self.unwant(now, instrument);
        }
        let is_new = |carry: &&Carry| !self.entries.contains_key(&carry.instrument);
        let new = add.iter().filter(is_new).count();
        if self.entries.len() + new > ASSIGNED_INSTRUMENTS_MAX {
            return Err(AssignmentError::TooLarge);
        }
        self.generation = Some(generation);
        for carry in add {
            self.want(now, carry);
        }
        Ok(())
    }

    /// The assignment in force.
    #[must_use]
    pub const fn generation(&self) -> Option<Generation> {
        self.generation
    }

    /// A session begins: everything is asked for anew. A refusal holds for the trading day it was given on.
    pub fn session_begins(&mut self, now: Instant, trading_day: Option<Date>) {
        self.session_ends();
        self.ready = true;
        self.next_call = None;
        let same_day = trading_day.is_some() && trading_day == self.trading_day;
        self.trading_day = trading_day;
        let all: Vec<InstrumentId> = self.entries.keys().copied().collect();
        for instrument in all {
            let refused = self.entries.get(&instrument).is_some_and(|e| e.front.is_refused());
            if refused && !same_day {
                self.set_front(instrument, FrontSide::Nothing);
            }
            self.settle(now, now, instrument);
        }
    }

    /// The session is over: the front carries nothing for us any more.
    pub fn session_ends(&mut self) {
        self.ready = false;
        for schedule in
            [&mut self.to_ask, &mut self.to_ask_again, &mut self.to_release, &mut self.answers]
        {
            schedule.clear();
        }
        let changed = &mut self.changed;
        self.entries.retain(|instrument, entry| {
            let said_otherwise = entry.front.takes_a_place() || entry.is_under_way();
            if said_otherwise || !entry.wanted {
                changed.insert(*instrument);
            }
            entry.pending = Pending::Nothing;
            entry.attempts = 0;
            entry.unanswered = 0;
            entry.silences = 0;
            entry.overdue = false;
            if !entry.front.is_refused() {
                entry.front = FrontSide::Nothing;
            }
            entry.wanted
        });
        self.places_taken = 0;
        self.acknowledged = 0;
        self.refused = self.entries.values().filter(|entry| entry.front.is_refused()).count();
    }

    /// True when an instrument is assigned here.
    #[must_use]
    pub fn wants(&self, instrument: &InstrumentId) -> bool {
        self.entries.get(instrument).is_some_and(|entry| entry.wanted)
    }

    /// The instruments of which this worker has become the primary since the last call, and those of which it is no longer.
    pub fn take_role_changes(&mut self) -> RoleChanges {
        let mut changes = RoleChanges::default();
        for (instrument, primary) in std::mem::take(&mut self.primary) {
            if primary { &mut changes.gained } else { &mut changes.given_up }.push(instrument);
        }
        changes
    }

    fn want(&mut self, now: Instant, Carry { instrument, role }: Carry) {
        match self.entries.get_mut(&instrument) {
            Some(entry) if entry.wanted => {
                // Said whether or not anything changed: whoever tells us to carry it may not know that we do.
                self.changed.insert(instrument);
                return self.set_role(instrument, role);
            }
            Some(entry) => {
                entry.wanted = true;
                entry.attempts = 0;
            }
            None => {
                self.entries.insert(instrument, Entry::new());
            }
        }
        self.set_role(instrument, role);
        self.changed.insert(instrument);
        self.settle(now, now, instrument);
    }

    fn unwant(&mut self, now: Instant, instrument: InstrumentId) {
        let Some(entry) = self.entries.get_mut(&instrument) else { return };
        if std::mem::replace(&mut entry.wanted, false) {
            entry.attempts = 0;
            self.set_role(instrument, CarryRole::Standby);
            self.settle(now, now, instrument);
        }
    }

    fn set_role(&mut self, instrument: InstrumentId, role: CarryRole) {
        let Some(entry) = self.entries.get_mut(&instrument) else { return };
        if std::mem::replace(&mut entry.role, role) != role {
            self.primary.insert(instrument, role == CarryRole::Primary);
        }
    }

    /// Decides what comes next for an instrument, at the earliest at `at`. The one place that does.
    fn settle(&mut self, now: Instant, at: Instant, instrument: InstrumentId) {
        let Some(entry) = self.entries.get_mut(&instrument) else { return };
        if entry.is_under_way() {
            return;
        }
        self.unschedule(instrument);
        let Some(entry) = self.entries.get(&instrument) else { return };
        if entry.wanted && matches!(entry.front, FrontSide::Releasing { .. }) {
            // The front hears of the release before whatever it is asked from here on.
            return self.released(now, instrument);
        }
        let takes_a_place = entry.front.takes_a_place();
        if !entry.wanted && !takes_a_place {
            self.set_front(instrument, FrontSide::Nothing);
            self.entries.remove(&instrument);
            self.changed.insert(instrument);
            return;
        }
        let Some(entry) = self.entries.get_mut(&instrument).filter(|_| self.ready) else { return };
        entry.pending = if !entry.wanted {
            let mut release_at = now;
            if !matches!(entry.front, FrontSide::Releasing { .. }) {
                // The attempts counted so far were to subscribe.
                entry.attempts = 0;
                release_at += RELEASE_GRACE;
            }
            Pending::ReleaseDue(self.to_release.insert(release_at, instrument))
        } else {
            match entry.front {
                FrontSide::Nothing => Pending::AskDue(self.to_ask.insert(at, instrument)),
                FrontSide::Asked => Pending::AskAgainDue(self.to_ask_again.insert(at, instrument)),
                FrontSide::Acknowledged | FrontSide::Silent if entry.overdue => {
                    Pending::AskAgainDue(self.to_ask_again.insert(at, instrument))
                }
                FrontSide::Acknowledged | FrontSide::Silent => {
                    Pending::TickDue(self.answers.insert(now + TICK_DEADLINE, instrument))
                }
                FrontSide::Ticking | FrontSide::Releasing { .. } | FrontSide::Refused { .. } => {
                    Pending::Nothing
                }
            }
        };
    }

    /// Takes an instrument off every schedule; nothing is pending for it afterwards.
    fn unschedule(&mut self, instrument: InstrumentId) {
        let Some(entry) = self.entries.get_mut(&instrument) else { return };
        match std::mem::replace(&mut entry.pending, Pending::Nothing) {
            Pending::Nothing => {}
            Pending::AskDue(due) => self.to_ask.remove(due),
            Pending::AskAgainDue(due) => self.to_ask_again.remove(due),
            Pending::ReleaseDue(due) => self.to_release.remove(due),
            Pending::AskSent(due) | Pending::TickDue(due) | Pending::ReleaseSent(due) => {
                self.answers.remove(due);
            }
        }
    }

    /// Notes what the front does with an instrument, and keeps the counts.
    fn set_front(&mut self, instrument: InstrumentId, front: FrontSide) {
        let Some(entry) = self.entries.get_mut(&instrument) else { return };
        if entry.front == front {
            return;
        }
        let before = std::mem::replace(&mut entry.front, front);
        let after = &entry.front;
        let count = |counter: &mut usize, was: bool, is: bool| match (was, is) {
            (false, true) => *counter += 1,
            (true, false) => *counter -= 1,
            _ => {}
        };
        count(&mut self.places_taken, before.takes_a_place(), after.takes_a_place());
        count(&mut self.acknowledged, before.is_acknowledged(), after.is_acknowledged());
        count(&mut self.refused, before.is_refused(), after.is_refused());
        self.changed.insert(instrument);
    }
}

#[cfg(test)]
mod tests;

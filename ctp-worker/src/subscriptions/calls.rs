//! Calls, their pacing, and what their answers change (pure).

use std::time::Instant;

use shm_layout::InstrumentId;

use super::Subscriptions;
use super::entry::{FrontSide, Pending};
use crate::limits::{
    ANSWER_DEADLINE, CALLS_APART, INSTRUMENTS_PER_CALL_MAX, REFUSED_CALL_PAUSE, RETRY_SLOW,
    TICK_DEADLINE, UNSUBSCRIBE_ATTEMPTS_MAX,
};

/// CTP's ErrorID for "no such instrument": permanent for the trading day.
const NO_SUCH_INSTRUMENT: i32 = 16;

/// One call of the library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// Subscribe these.
    Subscribe(Vec<InstrumentId>),
    /// Unsubscribe these.
    Unsubscribe(Vec<InstrumentId>),
}

/// The front's answer to a subscription of one instrument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It will send ticks.
    Yes,
    /// It will not.
    No {
        /// CTP's ErrorID.
        error_id: i32,
        /// CTP's message.
        message: String,
    },
}

// === impl Subscriptions ===

impl Subscriptions {
    /// The next call to be made now, if any. Its instruments count as asked from here on; when the library does not
    /// take the call, say so with [`Self::call_refused`].
    pub fn next_call(&mut self, now: Instant) -> Option<Call> {
        self.expire(now);
        if !self.ready || self.next_call.is_some_and(|next| next > now) {
            return None;
        }
        let mut call = None;
        for release in [self.release_first, !self.release_first] {
            let instruments =
                if release { self.take_to_release(now) } else { self.take_to_ask(now) };
            if !instruments.is_empty() {
                self.release_first = !release;
                call = Some(match release {
                    true => Call::Unsubscribe(instruments),
                    false => Call::Subscribe(instruments),
                });
                break;
            }
        }
        if call.is_some() {
            self.next_call = Some(now + CALLS_APART);
        }
        call
    }

    /// The library did not take a call: its instruments are due again, and all calls rest for a while.
    pub fn call_refused(&mut self, now: Instant, call: &Call) {
        let (Call::Subscribe(instruments) | Call::Unsubscribe(instruments)) = call;
        for instrument in instruments {
            if let Some(entry) = self.entries.get_mut(instrument) {
                entry.attempts = entry.attempts.saturating_sub(1);
                if matches!(entry.pending, Pending::AskSent(_)) {
                    entry.unanswered = entry.unanswered.saturating_sub(1);
                }
                if entry.attempts == 0 {
                    // No earlier call told it to stop either.
                    let front = entry.front.not_told_to_stop();
                    self.set_front(*instrument, front);
                }
                self.unschedule(*instrument);
                self.settle(now, now, *instrument);
            }
        }
        self.next_call = Some(now + REFUSED_CALL_PAUSE);
    }

    /// When [`Self::next_call`] has something to do next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        if !self.ready {
            return None;
        }
        let asking = if self.room() > 0 { self.to_ask.next() } else { None };
        let due = [asking, self.to_ask_again.next(), self.to_release.next()];
        let first = due.into_iter().flatten().min();
        let call = first.map(|at| self.next_call.map_or(at, |next| next.max(at)));
        [call, self.answers.next()].into_iter().flatten().min()
    }

    /// A subscription was answered.
    pub fn subscribe_answered(&mut self, now: Instant, instrument: InstrumentId, answer: Answer) {
        let Some(entry) = self.entries.get_mut(&instrument) else { return };
        entry.unanswered = entry.unanswered.saturating_sub(1);
        // In time or late: what counts is that the front has answered since the first yes.
        let asked_again = matches!(entry.pending, Pending::AskSent(_) | Pending::AskAgainDue(_));
        if entry.front.owes_a_tick() && asked_again {
            return self.asked_again_answered(now, instrument, answer);
        }
        // Said before, or said by ticks, or asked by nobody in this session.
        if entry.front != FrontSide::Asked {
            return;
        }
        let (attempts, is_last_word) = (entry.attempts, entry.unanswered == 0);
        self.unschedule(instrument);
        let mut at = now;
        match answer {
            Answer::Yes => {
                self.set_front(instrument, FrontSide::Acknowledged);
                self.forget_attempts(instrument);
            }
            Answer::No { error_id, message } if error_id == NO_SUCH_INSTRUMENT => {
                self.set_front(instrument, FrontSide::Refused { error_id, message });
                self.forget_attempts(instrument);
            }
            Answer::No { .. } => {
                at = now + self.pace.pause(attempts.max(1));
                if !is_last_word {
                    return self.make_certain(now, at, instrument);
                }
                self.set_front(instrument, FrontSide::Nothing);
            }
        }
        self.settle(now, at, instrument);
    }

    /// An instrument that was acknowledged and did not tick was asked for again, and that was answered.
    fn asked_again_answered(&mut self, now: Instant, instrument: InstrumentId, answer: Answer) {
        self.unschedule(instrument);
        self.forget_attempts(instrument);
        if let Some(entry) = self.entries.get_mut(&instrument) {
            entry.overdue = false;
        }
        match answer {
            Answer::No { error_id, message } if error_id == NO_SUCH_INSTRUMENT => {
                self.set_front(instrument, FrontSide::Refused { error_id, message });
            }
            // Another no may only say that it is subscribed already: the first yes stands, and the wait begins anew.
            Answer::Yes | Answer::No { .. } => {}
        }
        self.settle(now, now, instrument);
    }

    /// The first tick of an instrument came; that is an answer too.
    pub fn ticked(&mut self, now: Instant, instrument: InstrumentId) {
        let Some(entry) = self.entries.get_mut(&instrument) else { return };
        // What still comes of an instrument told to stop means nothing.
        if entry.front != FrontSide::Asked && !entry.front.owes_a_tick() {
            return;
        }
        entry.silences = 0;
        entry.overdue = false;
        self.set_front(instrument, FrontSide::Ticking);
        let Some(entry) = self.entries.get(&instrument) else { return };
        let to_make_certain = entry.wanted && matches!(entry.pending, Pending::ReleaseDue(_));
        let waits = matches!(
            entry.pending,
            Pending::AskSent(_) | Pending::AskAgainDue(_) | Pending::TickDue(_)
        );
        if to_make_certain || waits {
            self.unschedule(instrument);
            self.forget_attempts(instrument);
            self.settle(now, now, instrument);
        }
    }

    /// An unsubscription was answered; with an error or not, the front has nothing more to say about it.
    pub fn unsubscribe_answered(&mut self, now: Instant, instrument: InstrumentId) {
        let told_to_stop = self
            .entries
            .get(&instrument)
            .is_some_and(|entry| matches!(entry.front, FrontSide::Releasing { .. }));
        if told_to_stop {
            self.released(now, instrument);
        }
    }

    /// Events were lost: whatever is unanswered is asked for again.
    pub fn ask_again(&mut self, now: Instant) {
        let unanswered: Vec<InstrumentId> = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.is_under_way())
            .map(|(id, _)| *id)
            .collect();
        for instrument in unanswered {
            self.unschedule(instrument);
            self.settle(now, now, instrument);
        }
    }

    /// One of several requests was refused, and the others' answers may be late or lost: a yes among them would take a place
    /// that nobody knows of. Unless it comes first, the front is told to stop, and asked anew after that.
    fn make_certain(&mut self, now: Instant, at: Instant, instrument: InstrumentId) {
        self.settle(now, at, instrument);
        let wanted = self.entries.get(&instrument).is_some_and(|entry| entry.wanted);
        if !wanted {
            return;
        }
        self.unschedule(instrument);
        let due = self.to_release.insert(at, instrument);
        if let Some(entry) = self.entries.get_mut(&instrument) {
            entry.attempts = 0;
            entry.pending = Pending::ReleaseDue(due);
        }
    }

    fn room(&self) -> usize {
        self.max_subscriptions.saturating_sub(self.places_taken)
    }

    fn take_to_ask(&mut self, now: Instant) -> Vec<InstrumentId> {
        let mut instruments = Vec::new();
        while instruments.len() < INSTRUMENTS_PER_CALL_MAX
            && let Some(instrument) = self.to_ask_again.pop_due(now)
        {
            self.sent(now, instrument, Pending::AskSent);
            instruments.push(instrument);
        }
        while instruments.len() < INSTRUMENTS_PER_CALL_MAX
            && self.room() > 0
            && let Some(instrument) = self.to_ask.pop_due(now)
        {
            self.set_front(instrument, FrontSide::Asked);
            self.sent(now, instrument, Pending::AskSent);
            instruments.push(instrument);
        }
        instruments
    }

    fn take_to_release(&mut self, now: Instant) -> Vec<InstrumentId> {
        let mut instruments = Vec::new();
        while instruments.len() < INSTRUMENTS_PER_CALL_MAX
            && let Some(instrument) = self.to_release.pop_due(now)
        {
            if let Some(entry) = self.entries.get(&instrument) {
                let front = entry.front.told_to_stop();
                self.set_front(instrument, front);
            }
            self.sent(now, instrument, Pending::ReleaseSent);
            instruments.push(instrument);
        }
        instruments
    }

    fn sent(
        &mut self,
        now: Instant,
        instrument: InstrumentId,
        pending: fn(super::schedule::Due) -> Pending,
    ) {
        let due = self.answers.insert(now + ANSWER_DEADLINE, instrument);
        if let Some(entry) = self.entries.get_mut(&instrument) {
            entry.pending = pending(due);
            if matches!(entry.pending, Pending::AskSent(_)) {
                entry.unanswered = entry.unanswered.saturating_add(1);
            }
            entry.attempts = entry.attempts.saturating_add(1);
        }
    }

    /// Gives up on answers and first ticks that are late.
    fn expire(&mut self, now: Instant) {
        while let Some(instrument) = self.answers.pop_due(now) {
            let Some(entry) = self.entries.get_mut(&instrument) else { continue };
            let attempts = entry.attempts;
            let asked = matches!(entry.pending, Pending::AskSent(_));
            entry.pending = Pending::Nothing;
            if asked && !entry.wanted {
                self.settle(now, now, instrument);
            } else if entry.front.owes_a_tick() {
                self.is_silent(now, instrument);
            } else if asked {
                self.asked_again += 1;
                let quick = self.pace.is_quick(attempts);
                let at = if quick { now } else { now + (RETRY_SLOW - ANSWER_DEADLINE) };
                self.settle(now, at, instrument);
            } else if attempts >= UNSUBSCRIBE_ATTEMPTS_MAX {
                self.released(now, instrument);
            } else {
                self.asked_again += 1;
                self.settle(now, now, instrument);
            }
        }
    }

    /// An acknowledged instrument has sent nothing in time, not even an answer where it was asked for again.
    fn is_silent(&mut self, now: Instant, instrument: InstrumentId) {
        let Some(entry) = self.entries.get_mut(&instrument) else { return };
        entry.silences = entry.silences.saturating_add(1);
        entry.overdue = true;
        let quick = self.pace.is_quick(entry.silences);
        let at = if quick { now } else { now + (RETRY_SLOW - TICK_DEADLINE) };
        if !quick {
            self.set_front(instrument, FrontSide::Silent);
        }
        self.asked_again += 1;
        self.settle(now, at, instrument);
    }

    /// The front carries the instrument no more: it is gone, or asked for anew if it is wanted again.
    pub(super) fn released(&mut self, now: Instant, instrument: InstrumentId) {
        self.unschedule(instrument);
        self.forget_attempts(instrument);
        if let Some(entry) = self.entries.get_mut(&instrument) {
            // Whatever was asked before the release was answered before it, or never will be.
            entry.unanswered = 0;
            entry.silences = 0;
            entry.overdue = false;
        }
        self.set_front(instrument, FrontSide::Nothing);
        self.settle(now, now, instrument);
    }

    fn forget_attempts(&mut self, instrument: InstrumentId) {
        if let Some(entry) = self.entries.get_mut(&instrument) {
            entry.attempts = 0;
        }
    }
}

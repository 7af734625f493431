//! One instrument: what was handed on last, and how far in it each worker has come. Pure.
//!
//! A front sends an instrument's ticks in their order, so whoever has brought all that was handed on brings something newer
//! next, whatever its time says. Times and volumes decide only where that is not so: for a worker that is behind and
//! brings what none of the others has.

use std::cmp::Ordering;

use super::origin::{Arrival, Origin};
use super::tally::Slot;
use super::window::{Entry, Window};
use crate::limits::{
    MERGE_LATE_NS, MERGE_LATE_STREAK_MAX, MERGE_ORIGINS_MAX, MERGE_WINDOW_MAX, MERGE_WINDOW_MIN,
};
use crate::tick::NO_TIME;

/// What is to be done with a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is new: hand it on.
    New,
    /// A snapshot of the tick handed on last: hand it on, somebody may have asked for it.
    Again,
    /// It was handed on before.
    Copy(CopyOf),
    /// Something newer was handed on before.
    Late,
    /// A snapshot of something past, or one that was kept back and is past by now.
    Past,
    /// Its worker's place is not known, and it is newer than all that was handed on: others may have brought what lies in
    /// between, which waits in the ring. It is to be taken again once the ring was found empty.
    Early,
}

/// The tick that a copy is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CopyOf {
    /// Whose it is.
    pub(super) by: Slot,
    /// No other worker had brought it, too.
    pub(super) first_copy: bool,
    /// How far the copy lies behind it by the workers' receive times, nanoseconds.
    pub(super) behind_ns: u64,
}

/// A verdict, and what it brought to light.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) verdict: Verdict,
    /// Ticks of others that this worker has left out before this one.
    pub(super) missed: u64,
}

/// See the module.
#[derive(Debug)]
pub(super) struct History {
    window: Window,
    /// At most [`MERGE_ORIGINS_MAX`]; usually one.
    origins: Vec<Origin>,
    /// Entries before this place may be another's than the only origin's.
    mixed_until: u64,
}

// === impl History ===

impl History {
    pub(super) const fn new() -> Self {
        Self { window: Window::new(), origins: Vec::new(), mixed_until: 0 }
    }

    /// Takes a tick and says what is to be done with it.
    pub(super) fn take(&mut self, tick: &Arrival) -> Outcome {
        let Some(at) = self.find_origin(tick) else {
            // What a dead life left in the ring, read after its successor's first tick.
            return self.judge(&mut Origin::new(tick), tick);
        };
        let mut origin = self.origins[at];
        if !tick.may_be_early && tick.sequence < origin.sequence {
            // While it was kept back, its worker found its place by a later one.
            return Outcome { verdict: Verdict::Past, missed: 0 };
        }
        if origin.lost != tick.lost {
            // What this reader has lost, the worker has not left out.
            origin.steady = false;
        }
        let outcome = self.judge(&mut origin, tick);
        origin.seen_at = self.window.end();
        origin.lost = tick.lost;
        if outcome.verdict != Verdict::Early {
            origin.sequence = tick.sequence;
        }
        self.origins[at] = origin;
        outcome
    }

    fn find_origin(&mut self, tick: &Arrival) -> Option<usize> {
        if let [origin] = self.origins.as_slice()
            && origin.is_of(tick)
        {
            return Some(0);
        }
        self.forget_the_gone(tick);
        if let Some(at) = self.origins.iter().position(|origin| origin.is_of(tick)) {
            return Some(at);
        }
        let known = self.origins.iter().position(|origin| origin.worker == tick.worker);
        if known.is_some_and(|at| self.origins[at].incarnation > tick.incarnation) {
            return None;
        }
        self.mixed_until = self.window.end();
        let newcomer = Origin::new(tick);
        let furthest_behind = || {
            let places = self.origins.iter().enumerate();
            places.min_by_key(|(_, origin)| origin.next).map(|(at, _)| at)
        };
        let replaced = match known {
            None if self.origins.len() < MERGE_ORIGINS_MAX => None,
            None => furthest_behind(),
            predecessor => predecessor,
        };
        if let Some(at) = replaced {
            self.origins[at] = newcomer;
            return Some(at);
        }
        self.origins.reserve_exact(1);
        self.origins.push(newcomer);
        Some(self.origins.len() - 1)
    }

    /// Who brought nothing while a whole window was handed on carries the instrument no longer.
    fn forget_the_gone(&mut self, tick: &Arrival) {
        let end = self.window.end();
        let before = self.origins.len();
        self.origins
            .retain(|origin| origin.is_of(tick) || end - origin.seen_at < MERGE_WINDOW_MAX as u64);
        if self.origins.len() < before {
            self.mixed_until = end;
        }
    }

    fn judge(&mut self, origin: &mut Origin, tick: &Arrival) -> Outcome {
        if self.window.last().is_none() {
            return self.hand_on(origin, tick, 0);
        }
        if tick.snapshot {
            let verdict = self.judge_snapshot(origin, tick);
            return Outcome { verdict, missed: 0 };
        }
        let end = self.window.end();
        if origin.next == end && !origin.is_in_doubt() {
            return self.hand_on(origin, tick, 0);
        }
        if let Some((place, missed)) = self.find_copy(origin, tick.fingerprint) {
            return Outcome { verdict: self.copy(origin, tick, place), missed };
        }
        if origin.next == Origin::UNKNOWN && self.is_early(origin, tick) {
            return Outcome { verdict: Verdict::Early, missed: 0 };
        }
        let is_new = self.is_newer(tick) || origin.next == end && !origin.has_jumped;
        if !is_new && self.is_late(origin, tick) {
            origin.streak = if origin.seen_at == end { origin.streak + 1 } else { 1 };
            origin.steady = false;
            return Outcome { verdict: Verdict::Late, missed: 0 };
        }
        let skipped = if origin.steady { end - origin.next } else { 0 };
        let missed = origin.goes_on() + skipped;
        if is_new {
            return self.hand_on(origin, tick, missed);
        }
        // Nobody is ahead any more. Should it be behind after all, it will bring what was handed on.
        let passed_over = (origin.next.max(self.window.start()), end);
        let outcome = self.hand_on(origin, tick, missed);
        origin.doubt = passed_over;
        origin.has_jumped = true;
        outcome
    }

    /// CTP sends an instrument's last tick at each subscription, flagged; so is the first tick of a subscription that is a
    /// new one.
    fn judge_snapshot(&mut self, origin: &mut Origin, tick: &Arrival) -> Verdict {
        let Some(last) = self.window.last().copied() else { return Verdict::New };
        let is_last = last.fingerprint == tick.fingerprint;
        origin.steady = false;
        if self.is_alone(origin) {
            if !is_last {
                self.hand_on(origin, tick, 0);
                return Verdict::New;
            }
            return Verdict::Again;
        }
        let end = self.window.end();
        let own_last = self.window.get(origin.next.saturating_sub(1));
        let is_own_last = own_last.is_some_and(|entry| entry.fingerprint == tick.fingerprint);
        let was_ahead = origin.next == end;
        let start = self.window.start();
        let known = self.window.find_newest(start..end, tick.fingerprint);
        if let Some(place) = known {
            if !is_own_last {
                origin.begin_after(place, start);
            }
            return if is_last { Verdict::Again } else { Verdict::Past };
        }
        let is_past = match tick.moment.order(last.moment()) {
            Some(Ordering::Greater) => false,
            Some(Ordering::Less) => true,
            Some(Ordering::Equal) | None => !was_ahead && self.is_late(origin, tick),
        };
        if is_past {
            origin.lose_place();
            return Verdict::Past;
        }
        if self.is_early(origin, tick) {
            origin.lose_place();
            return Verdict::Early;
        }
        self.hand_on(origin, tick, 0);
        Verdict::New
    }

    /// Finds what a tick is a copy of, and moves its origin there. With it comes what the origin turns out to have missed.
    fn find_copy(&self, origin: &mut Origin, fingerprint: u64) -> Option<(u64, u64)> {
        let (from, to) = origin.doubt;
        if let Some(place) = self.window.find_newest(from..to, fingerprint) {
            // It was further back than was thought.
            origin.skipped = 0;
            origin.doubt.1 = place;
            origin.next = place + 1;
            return Some((place, 0));
        }
        let (start, end) = (self.window.start(), self.window.end());
        if origin.next == Origin::UNKNOWN {
            let place = self.window.find(start..end, fingerprint)?;
            origin.next = place + 1;
            origin.doubt = (start, place);
            origin.has_jumped = place > start;
            origin.steady = true;
            return Some((place, 0));
        }
        let next = origin.next;
        let place = self.window.find(next..end, fingerprint)?;
        let skipped = if origin.steady { place - next } else { 0 };
        let mut missed = 0;
        if origin.is_in_doubt() && self.is_same_moment(place, origin.doubt.1 - 1) {
            origin.doubt.1 = place;
            origin.has_jumped |= place > next;
            origin.skipped += skipped;
        } else {
            missed = origin.goes_on();
            origin.doubt = (next, place);
            origin.has_jumped = place > next;
            origin.skipped = skipped;
        }
        origin.next = place + 1;
        origin.steady = true;
        Some((place, missed))
    }

    fn copy(&mut self, origin: &mut Origin, tick: &Arrival, place: u64) -> Verdict {
        origin.streak = 0;
        let Some(entry) = self.window.get_mut(place) else { return Verdict::Late };
        let own = entry.by == tick.slot;
        let first_copy = !own && !std::mem::replace(&mut entry.contested, true);
        let behind_ns = nanoseconds_between(entry.received_ns, tick.received_ns).unwrap_or(0);
        let behind_ns = u64::try_from(behind_ns).unwrap_or(0);
        Verdict::Copy(CopyOf { by: entry.by, first_copy, behind_ns })
    }

    fn hand_on(&mut self, origin: &mut Origin, tick: &Arrival, missed: u64) -> Outcome {
        self.keep_room_for_the_slower(origin);
        let Arrival { fingerprint, moment, received_ns, slot, .. } = *tick;
        self.window.push(Entry::new(fingerprint, moment, received_ns, slot));
        origin.goes_on();
        origin.next = self.window.end();
        origin.steady = true;
        origin.streak = 0;
        Outcome { verdict: Verdict::New, missed }
    }

    /// Lets the window grow rather than forget what somebody is about to bring.
    fn keep_room_for_the_slower(&mut self, origin: &Origin) {
        if !self.window.is_full() || self.window.is_greatest() {
            return;
        }
        let (start, end) = (self.window.start(), self.window.end());
        let is_under_way = |other: &Origin| {
            let needs_oldest = other.next != Origin::UNKNOWN && other.next <= start;
            // Who has brought nothing for longer has ceased to carry it, most likely.
            let was_just_seen = end - other.seen_at < 2 * MERGE_WINDOW_MIN as u64;
            needs_oldest && was_just_seen && !other.is(origin)
        };
        if self.origins.iter().any(is_under_way) {
            self.window.grow();
        }
    }

    fn is_same_moment(&self, one: u64, other: u64) -> bool {
        let moment = |place| self.window.get(place).map(Entry::moment);
        moment(one) == moment(other)
    }

    /// True when nobody else has brought anything that is remembered.
    fn is_alone(&self, origin: &Origin) -> bool {
        matches!(self.origins.as_slice(), [only] if only.is(origin))
            && self.mixed_until <= self.window.start()
    }

    fn is_newer(&self, tick: &Arrival) -> bool {
        self.window
            .last()
            .is_some_and(|last| tick.moment.order(last.moment()) == Some(Ordering::Greater))
    }

    /// Whether a tick of a worker that begins, or begins anew, may be ahead of what others have brought. A reader that has
    /// not kept up finds it before theirs, if its worker began while they waited.
    fn is_early(&self, origin: &Origin, tick: &Arrival) -> bool {
        let is_other = |other: &Origin| !other.is(origin);
        tick.may_be_early && self.is_newer(tick) && self.origins.iter().any(is_other)
    }

    /// Whether a tick that is neither a copy nor newer comes too late: somebody else is ahead, and was just now.
    fn is_late(&self, origin: &Origin, tick: &Arrival) -> bool {
        let end = self.window.end();
        let Some(last) = self.window.last() else { return false };
        if !self.origins.iter().any(|other| other.next == end && !other.is(origin)) {
            return false;
        }
        match nanoseconds_between(last.received_ns, tick.received_ns) {
            Some(since) => since <= MERGE_LATE_NS,
            None => origin.seen_at != end || origin.streak < MERGE_LATE_STREAK_MAX,
        }
    }
}

/// How long after the first of two receive times the second is, if both are known.
fn nanoseconds_between(first: i64, second: i64) -> Option<i64> {
    (first != NO_TIME && second != NO_TIME).then(|| second.saturating_sub(first))
}

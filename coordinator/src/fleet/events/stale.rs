//! Instruments that are wanted and in a trading session, and of which no connection delivers ticks (pure).
//!
//! All wanted instruments are looked at once a second. As long as one copy ticks on a connection that works, that is all that
//! is done; the others' trading hours are looked up, and they are remembered with the time since which they have been
//! so.

use std::collections::HashMap;
use std::time::Instant;

use shm_layout::InstrumentId;
use shm_layout::control::FleetEvent;
use shm_layout::limits::CONTROL_INSTRUMENTS_PER_MESSAGE_MAX;
use shm_layout::{HoursClass, TradingHours};

use crate::fleet::Fleet;
use crate::fleet::worker::Worker;
use crate::limits::{STALE_INSTRUMENT_AFTER, STALE_LOOKS_MIN};
use crate::planner::{Copies, CopyState};

/// All that lack somebody who delivers them.
#[derive(Debug, Default)]
pub(super) struct StaleInstruments {
    lacking: HashMap<InstrumentId, Lack>,
    looks: u64,
    /// Since when this is looked at without a pause that explains itself: a coordinator's start.
    began: Option<Instant>,
    /// So long that what is not stale by now has not been so from the beginning.
    settled: bool,
}

/// Since when an instrument has been found without anybody who delivers it.
#[derive(Debug, Clone, Copy)]
struct Lack {
    since: Instant,
    looks: u32,
    /// The number of the last look that found it so.
    last: u64,
    stale: bool,
}

/// The trading sessions at one moment, class by class.
struct Sessions<'a> {
    hours: &'a TradingHours,
    unix_ms: i64,
    known: HashMap<HoursClass, bool>,
}

// === impl Sessions ===

impl Sessions<'_> {
    /// True when an instrument's session has run for long enough that a tick should have come.
    fn has_run(&mut self, instrument: &InstrumentId) -> bool {
        let class = self.hours.class_of(instrument);
        *self.known.entry(class).or_insert_with(|| {
            let wait = i64::try_from(STALE_INSTRUMENT_AFTER.as_millis()).unwrap_or(i64::MAX);
            let session = self.hours.session(class, self.unix_ms);
            session.is_some_and(|session| self.unix_ms.saturating_sub(session.began_ms) >= wait)
        })
    }
}

// === impl StaleInstruments ===

impl StaleInstruments {
    /// One look: these are wanted, and delivered nowhere. Gives what is to be said of it.
    fn look(&mut self, lacking: Vec<InstrumentId>, now: Instant) -> Vec<FleetEvent> {
        self.looks += 1;
        let began = *self.began.get_or_insert(now);
        let ripe = |since: Instant, looks: u64| {
            now.saturating_duration_since(since) >= STALE_INSTRUMENT_AFTER
                && looks >= u64::from(STALE_LOOKS_MIN)
        };
        let (mut stale, mut fresh) = (Vec::new(), Vec::new());
        for instrument in lacking {
            let new = Lack { since: now, looks: 0, last: 0, stale: false };
            let lack = self.lacking.entry(instrument).or_insert(new);
            (lack.looks, lack.last) = (lack.looks.saturating_add(1), self.looks);
            if !lack.stale && ripe(lack.since, u64::from(lack.looks)) {
                lack.stale = true;
                stale.push(instrument);
            }
        }
        self.lacking.retain(|instrument, lack| {
            let goes_on = lack.last == self.looks;
            if !goes_on && lack.stale {
                fresh.push(*instrument);
            }
            goes_on
        });
        if !self.settled {
            self.settled = ripe(began, self.looks);
            return self.whole();
        }
        // Two fleets with one history say the same: maps have no order.
        fresh.sort_unstable();
        stale.sort_unstable();
        in_parts(&fresh, |instruments| FleetEvent::Fresh { instruments })
            .chain(in_parts(&stale, |instruments| FleetEvent::Stale { instruments }))
            .collect()
    }

    /// All that is stale, once that is known.
    pub(super) fn whole(&self) -> Vec<FleetEvent> {
        if !self.settled {
            return Vec::new();
        }
        let stale = self.lacking.iter().filter(|(_, lack)| lack.stale);
        let mut stale: Vec<InstrumentId> = stale.map(|(instrument, _)| *instrument).collect();
        stale.sort_unstable();
        in_parts(&stale, |instruments| FleetEvent::Stale { instruments })
            .chain([FleetEvent::StaleTold])
            .collect()
    }
}

fn in_parts(
    instruments: &[InstrumentId],
    event: impl Fn(Vec<InstrumentId>) -> FleetEvent,
) -> impl Iterator<Item = FleetEvent> {
    instruments.chunks(CONTROL_INSTRUMENTS_PER_MESSAGE_MAX).map(move |part| event(part.to_vec()))
}

// === impl Worker ===

impl Worker {
    /// What ticks on it arrives, as far as is known.
    fn delivers(&self, now: Instant) -> bool {
        self.is_ready()
            && !self.silent
            && !self.is_unresponsive(now)
            && !self.pulse.is_overdue(None, now)
    }
}

// === impl Fleet ===

impl Fleet {
    /// Looks for instruments that nobody delivers. While it is not known what workers of an earlier coordinator carry, nothing
    /// is.
    pub(in crate::fleet) fn look_for_stale(&mut self, now: Instant, unix_ms: i64) {
        if self.planned_at.is_none() || self.placing_begins().is_some_and(|begins| now < begins) {
            return;
        }
        let delivers: Vec<bool> = self.workers.iter().map(|worker| worker.delivers(now)).collect();
        let delivered = |copies: &Copies| {
            let ticks = |state| state == CopyState::Ticking;
            copies.iter().any(|copy| ticks(copy.state) && delivers[usize::from(copy.seat)])
        };
        let mut sessions = Sessions { hours: &self.hours, unix_ms, known: HashMap::new() };
        let lacking = self
            .placement
            .wanted()
            .filter(|(_, copies)| !delivered(copies))
            .map(|(instrument, _)| instrument)
            .filter(|instrument| sessions.has_run(instrument))
            .collect();
        let events = self.events.stale.look(lacking, now);
        if self.frontend.client.is_some() {
            self.events.waiting.extend(events);
        }
    }
}

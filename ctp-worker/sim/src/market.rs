//! The generated market: every instrument anybody asks for, ticking at an even rate.

mod listing;
mod lockstep;
mod path;
mod quote;

use std::collections::HashMap;

use crate::clock::{ExchangeClock, Moment};
use crate::feed::{Feed, FeedError, Outlet};
use crate::instrument::InstrumentId;
use crate::layout::{Abi, DepthMarketData};
use crate::limits::TICKS_PER_TURN_MAX;
use crate::market::lockstep::Lockstep;
use crate::market::quote::{Quote, Schedules};
use crate::pacer::{Pacer, wake_ns};
use crate::script::{Burst, MarketPlan};

/// Ticks per second of each instrument when no rate is given, as the exchanges send at most.
const TICKS_PER_INSTRUMENT: f64 = 2.0;

/// The generated market of one API object.
pub(crate) struct Market {
    seed: u64,
    abi: Abi,
    rate: Option<f64>,
    slice_ns: u64,
    clock: ExchangeClock,
    /// Real time from the clock's anchor to `Init`; negative if the anchor is yet to come.
    anchored_ns: i64,
    schedules: Schedules,
    quotes: Vec<Quote>,
    places: HashMap<InstrumentId, usize>,
    /// Places of the quotes that trade, as of `active_until_ms` of the exchange's local time.
    active: Vec<u32>,
    active_until_ms: i64,
    next: usize,
    pacer: Pacer,
    /// Instead of the pacer, when the script says `every_ms`.
    lockstep: Option<Lockstep>,
    burst: BurstState,
}

/// How far the script's burst is.
enum BurstState {
    /// None, or over.
    None,
    /// Instruments are awaited.
    Awaiting(Burst),
    /// It begins at this time.
    Waiting(Burst, u64),
    /// So many ticks are left.
    Running(Pacer, u64),
}

impl Market {
    /// A market that begins now, at this real time.
    pub(crate) fn new(plan: &MarketPlan, abi: Abi, slice_ns: u64, unix_ms: i64) -> Self {
        let clock_plan = plan.clock.plan(unix_ms);
        let clock = || ExchangeClock::new(clock_plan, plan.clock.calendar.clone());
        let anchor_ms = plan.clock.anchor_unix_ms.unwrap_or(unix_ms);
        Self {
            seed: plan.seed,
            abi,
            rate: plan.rate,
            slice_ns,
            clock: clock(),
            anchored_ns: unix_ms.saturating_sub(anchor_ms).saturating_mul(1_000_000),
            schedules: Schedules::default(),
            quotes: Vec::new(),
            places: HashMap::new(),
            active: Vec::new(),
            active_until_ms: i64::MIN,
            next: 0,
            pacer: Pacer::new(0.0, 0),
            lockstep: plan.every_ms.map(|every_ms| Lockstep::new(every_ms, clock())),
            burst: plan.burst.map_or(BurstState::None, BurstState::Awaiting),
        }
    }

    // How long the clock has run, in real nanoseconds; none before its anchor.
    fn run_ns(&self, now_ns: u64) -> u64 {
        let run_ns = i128::from(now_ns) + i128::from(self.anchored_ns);
        u64::try_from(run_ns.max(0)).unwrap_or(u64::MAX)
    }

    fn moment(&mut self, now_ns: u64) -> Moment {
        let run_ns = self.run_ns(now_ns);
        self.clock.at(run_ns)
    }

    // Sends what is due in lockstep, and says when to be run again.
    fn run_lockstep(&mut self, now_ns: u64, out: &mut Outlet<'_>) -> Option<u64> {
        let run_ns = self.run_ns(now_ns);
        let lockstep = self.lockstep.as_mut()?;
        lockstep.catch_up(run_ns);
        let mut sent = 0;
        while let Some((multiple, moment)) = lockstep.next_due(run_ns) {
            for quote in &mut self.quotes {
                if !quote.advance_to(multiple) {
                    continue;
                }
                if !quote.is_open(moment, self.clock.calendar(), &mut self.schedules) {
                    continue;
                }
                let depth = quote.at(moment, self.clock.calendar(), &mut self.schedules);
                sent += 1;
                if out(depth).is_break() || sent >= TICKS_PER_TURN_MAX {
                    // The rest of this multiple follows in the next turn.
                    return Some(now_ns);
                }
            }
            lockstep.done(multiple, moment);
        }
        let next_ns = i128::from(lockstep.next_ns()) - i128::from(self.anchored_ns);
        Some(u64::try_from(next_ns.max(0)).unwrap_or(u64::MAX))
    }

    // Looks once in a second of the exchange's time which instruments trade.
    fn refresh_active(&mut self, moment: Moment, now_ns: u64) {
        if moment.local_ms < self.active_until_ms {
            return;
        }
        self.active_until_ms = moment.local_ms.div_euclid(1000) * 1000 + 1000;
        self.active.clear();
        for (place, quote) in self.quotes.iter_mut().enumerate() {
            if quote.is_open(moment, self.clock.calendar(), &mut self.schedules) {
                self.active.push(place as u32);
            }
        }
        let everyone = self.active.len() as f64 * TICKS_PER_INSTRUMENT;
        let rate = if self.active.is_empty() { 0.0 } else { self.rate.unwrap_or(everyone) };
        self.pacer.change_rate(rate, now_ns);
    }

    // Sends `count` ticks, one instrument after the other. Says how many went out.
    fn send(&mut self, count: u64, all: bool, moment: Moment, out: &mut Outlet<'_>) -> (u64, bool) {
        for sent in 0..count {
            let among = if all { self.quotes.len() } else { self.active.len() };
            self.next = if self.next + 1 < among { self.next + 1 } else { 0 };
            let place = if all { self.next } else { self.active[self.next] as usize };
            let quote = &mut self.quotes[place];
            let depth = quote.at(moment, self.clock.calendar(), &mut self.schedules);
            if out(depth).is_break() {
                return (sent + 1, true);
            }
        }
        (count, false)
    }

    // Moves the burst on. `Some` while it runs: when to be run again.
    fn run_burst(&mut self, now_ns: u64, out: &mut Outlet<'_>) -> Option<u64> {
        if let BurstState::Awaiting(burst) = self.burst
            && self.quotes.len() >= burst.await_instruments.max(1)
        {
            self.burst = BurstState::Waiting(burst, now_ns + burst.after_ms * 1_000_000);
        }
        if let BurstState::Waiting(burst, at_ns) = self.burst
            && now_ns >= at_ns
        {
            self.burst = BurstState::Running(Pacer::new(burst.per_second, at_ns), burst.ticks);
        }
        let BurstState::Running(pacer, left) = &self.burst else { return None };
        let (mut pacer, left) = (pacer.clone(), *left);
        if self.quotes.is_empty() {
            // The front was lost in the middle: the burst goes on when instruments are back.
            return None;
        }
        let due = pacer.due_whole(now_ns).min(left).min(TICKS_PER_TURN_MAX as u64);
        let moment = self.moment(now_ns);
        let (sent, broken) = self.send(due, true, moment, out);
        pacer.take(sent);
        let more = pacer.due_whole(now_ns) > 0;
        let next_ns = pacer.next_ns().unwrap_or(now_ns);
        self.burst = if left > sent {
            BurstState::Running(pacer, left - sent)
        } else {
            // What fell due meanwhile at the even rate is not made up for.
            self.pacer = Pacer::new(0.0, now_ns);
            self.active_until_ms = i64::MIN;
            BurstState::None
        };
        Some(if broken || more { now_ns } else { wake_ns(next_ns, now_ns, self.slice_ns) })
    }

    fn next_event(&self, moment: Moment, now_ns: u64) -> Option<u64> {
        if self.quotes.is_empty() {
            return None;
        }
        let mut next = now_ns + self.clock.ns_to_next_second(moment);
        if let Some(due_ns) = self.pacer.next_ns() {
            next = next.min(wake_ns(due_ns, now_ns, self.slice_of(due_ns, now_ns)));
        }
        if let BurstState::Waiting(_, at_ns) = self.burst {
            next = next.min(at_ns);
        }
        Some(next)
    }

    // A tick further away than a slice is waited for exactly.
    fn slice_of(&self, due_ns: u64, now_ns: u64) -> u64 {
        if due_ns.saturating_sub(now_ns) >= self.slice_ns { 0 } else { self.slice_ns }
    }
}

impl Feed for Market {
    fn subscribe(&mut self, id: &InstrumentId, now_ns: u64) {
        if self.places.contains_key(id) {
            return;
        }
        let run_ns = self.run_ns(now_ns);
        if let Some(lockstep) = &mut self.lockstep {
            if self.quotes.is_empty() {
                // Nobody is owed anything.
                lockstep.skip_to(run_ns);
            }
            lockstep.catch_up(run_ns);
        }
        let day = self.moment(now_ns).trading_day;
        let calendar = self.clock.calendar();
        let quote = Quote::new(*id, self.seed, self.abi, day, calendar, &mut self.schedules);
        self.places.insert(*id, self.quotes.len());
        self.quotes.push(quote);
        self.active_until_ms = i64::MIN;
    }

    fn unsubscribe(&mut self, id: &InstrumentId) {
        let Some(place) = self.places.remove(id) else { return };
        self.quotes.swap_remove(place);
        if let Some(moved) = self.quotes.get(place) {
            self.places.insert(moved.id, place);
        }
        self.active_until_ms = i64::MIN;
    }

    fn end_session(&mut self, now_ns: u64) {
        self.quotes.clear();
        self.places.clear();
        self.active.clear();
        self.active_until_ms = i64::MIN;
        self.pacer = Pacer::new(0.0, now_ns);
    }

    fn subscribed_count(&self) -> usize {
        self.quotes.len()
    }

    fn snapshot(&mut self, id: &InstrumentId, now_ns: u64) -> Option<&mut DepthMarketData> {
        let now = self.moment(now_ns);
        let quote = self.quotes.get_mut(*self.places.get(id)?)?;
        let moment = self.lockstep.as_mut().map_or(now, |lockstep| lockstep.shown(quote));
        Some(quote.at(moment, self.clock.calendar(), &mut self.schedules))
    }

    fn trading_day(&mut self, now_ns: u64) -> [u8; 9] {
        self.moment(now_ns).trading_day.ctp_bytes()
    }

    fn run(&mut self, now_ns: u64, out: &mut Outlet<'_>) -> Result<Option<u64>, FeedError> {
        if let Some(wake) = self.run_burst(now_ns, out) {
            return Ok(Some(wake));
        }
        if self.quotes.is_empty() {
            return Ok(None);
        }
        if self.lockstep.is_some() {
            return Ok(self.run_lockstep(now_ns, out));
        }
        let moment = self.moment(now_ns);
        self.refresh_active(moment, now_ns);
        if self.active.is_empty() {
            return Ok(self.next_event(moment, now_ns));
        }
        let due = self.pacer.due(now_ns);
        let (sent, broken) = self.send(due.min(TICKS_PER_TURN_MAX as u64), false, moment, out);
        self.pacer.take(sent);
        if broken || sent < due {
            return Ok(Some(now_ns));
        }
        Ok(self.next_event(moment, now_ns))
    }
}

impl std::fmt::Debug for Market {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Market").field("subscribed", &self.quotes.len()).finish()
    }
}

#[cfg(test)]
#[path = "market/tests.rs"]
mod tests;

#[cfg(test)]
#[path = "market/lockstep_tests.rs"]
mod lockstep_tests;

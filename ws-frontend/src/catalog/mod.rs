//! What is known of instruments apart from their ticks, and the queries about it (pure).
//!
//! [`Instruments`] collects what the coordinator lists and what ticks; a [`Catalog`] is made of it for one day and never
//! changes; [`answer`] answers a query in GraphQL from it. Whoever owns them makes the catalog anew after a change.
//!
//! ```text
//!   list, ticks ──▶ Instruments ──▶ Catalog of Contracts ──▶ answer ──▶ JSON
//!                                                   query ──▶ document ──▶ plan ─┘
//! ```
//! A contract's facts are the list's, else what its id says, else what others of its product or the exchange's terms say.

mod answering;
mod asked;
mod contract;
mod document;
mod filter;
mod given;
mod plan;
mod product_terms;
mod query_error;
mod schema;
mod symbol;

use shm_layout::control::{ListedFacts, ListedInstrument};
use shm_layout::limits::UNIVERSE_INSTRUMENTS_MAX;
use shm_layout::trading_hours::Minutes;
use shm_layout::{Date, ExchangeId, HoursClass, InstrumentId, TradingHours, product};

pub use answering::{Answer, Latest, Unknown, answer};
pub use contract::{Class, Contract};
pub use query_error::QueryError;
pub use symbol::Symbol;

use crate::hashing::Map;
use contract::{Day, Draft, ProductTerms};

/// The instruments listed and seen ticking. Beyond [`UNIVERSE_INSTRUMENTS_MAX`] of each further ones are left out.
#[derive(Debug, Default)]
pub struct Instruments {
    listed: Vec<ListedInstrument>,
    /// In the order in which they were seen first.
    seen: Vec<InstrumentId>,
    /// The exchanges that ticks name, where they do.
    seen_at: Map<InstrumentId, ExchangeId>,
}

/// All contracts as of one day.
#[derive(Debug)]
pub struct Catalog {
    /// Those listed in the list's order, those only seen in theirs, then those that another's id or facts name.
    contracts: Vec<Contract>,
    /// How many of them are listed or seen: those that a query which names no ids looks at.
    known: usize,
    by_id: Map<InstrumentId, usize>,
    /// By contract, those on it.
    derivatives: Map<usize, Vec<usize>>,
    times: Map<HoursClass, TradingTime>,
}

/// When instruments trade, as JSON: lists of pairs such as `["21:00:00","25:00:00"]`; beyond 24:00 it is the next day.
#[derive(Debug)]
struct TradingTime {
    day: Vec<u8>,
    night: Vec<u8>,
}

/// Units in a lot of an instrument, as its exchange publishes them of its product; `None` where they are not built in.
#[must_use]
pub fn published_multiple(instrument: &InstrumentId) -> Option<u32> {
    let (multiple, _) = product_terms::of_product(product::product_of(instrument.as_str()))?;
    Some(multiple)
}

// === impl Instruments ===

impl Instruments {
    /// Takes a part of the coordinator's list; the first part of a list takes the place of the list before.
    pub fn list(&mut self, first: bool, instruments: Vec<ListedInstrument>) {
        if first {
            self.listed.clear();
        }
        let room = UNIVERSE_INSTRUMENTS_MAX - self.listed.len();
        self.listed.extend(instruments.into_iter().take(room));
    }

    /// An instrument ticks; the exchange is its tick's, or unknown. True when that says something new.
    pub fn saw(&mut self, instrument: InstrumentId, exchange: ExchangeId) -> bool {
        if let Some(known) = self.seen_at.get_mut(&instrument) {
            let is_new = known.is_unknown() && !exchange.is_unknown();
            if is_new {
                *known = exchange;
            }
            return is_new;
        }
        let has_room = self.seen.len() < UNIVERSE_INSTRUMENTS_MAX;
        if has_room {
            self.seen.push(instrument);
            self.seen_at.insert(instrument, exchange);
        }
        has_room
    }

    /// Where an instrument is traded: by the list, else by its ticks, else by its product.
    fn symbol(&self, instrument: InstrumentId, listed: ExchangeId) -> Symbol {
        let seen = || self.seen_at.get(&instrument).copied().filter(|seen| !seen.is_unknown());
        let known = Some(listed).filter(|listed| !listed.is_unknown()).or_else(seen);
        let inferred = || product::exchange_of(instrument.as_str());
        Symbol { exchange: known.unwrap_or_else(inferred), instrument }
    }
}

// === impl Catalog ===

impl Catalog {
    /// Puts together what is known on a day.
    #[must_use]
    pub fn of(instruments: &Instruments, hours: &TradingHours, today: Date) -> Self {
        let mut catalog = Self {
            contracts: Vec::with_capacity(instruments.listed.len() + instruments.seen.len()),
            known: 0,
            by_id: Map::default(),
            derivatives: Map::default(),
            times: Map::default(),
        };
        let mut drafts = Vec::new();
        let on = Day { hours, today };
        for listed in &instruments.listed {
            let symbol = instruments.symbol(listed.instrument, listed.exchange);
            catalog.add(&mut drafts, symbol, &listed.facts, on);
        }
        let nothing = ListedFacts::default();
        for instrument in &instruments.seen {
            let symbol = instruments.symbol(*instrument, ExchangeId::UNKNOWN);
            catalog.add(&mut drafts, symbol, &nothing, on);
        }
        catalog.known = catalog.contracts.len();
        catalog.relate(drafts, on);
        catalog.complete_terms();
        catalog
    }

    /// The contract of an id.
    #[must_use]
    pub fn contract(&self, instrument: &InstrumentId) -> Option<&Contract> {
        self.contracts.get(*self.by_id.get(instrument)?)
    }

    /// The contract that a client names so; `None` where nobody lists it, it does not tick, and no other one is on it.
    #[must_use]
    pub fn named(&self, symbol: &str) -> Option<&Contract> {
        self.index_of(&Symbol::parse(symbol)?).map(|index| &self.contracts[index])
    }

    fn index_of(&self, symbol: &Symbol) -> Option<usize> {
        let index = *self.by_id.get(&symbol.instrument)?;
        (self.contracts[index].exchange == symbol.exchange).then_some(index)
    }

    /// Takes an instrument, unless it is there already or nobody knows its exchange: then it has no symbol.
    fn add(
        &mut self,
        drafts: &mut Vec<Draft>,
        symbol: Symbol,
        facts: &ListedFacts,
        on: Day<'_>,
    ) -> Option<usize> {
        let known = self.by_id.get(&symbol.instrument).copied();
        if known.is_some() || symbol.exchange.is_unknown() {
            return known;
        }
        let index = self.contracts.len();
        let (contract, draft) = contract::read(symbol, facts, on);
        self.times
            .entry(contract.hours)
            .or_insert_with(|| TradingTime::of(&on.hours.day_and_night(contract.hours)));
        self.by_id.insert(symbol.instrument, index);
        self.contracts.push(contract);
        drafts.push(draft);
        Some(index)
    }

    /// Finds what options are on and what combinations consist of; those that nobody lists join the catalog by their id.
    fn relate(&mut self, mut drafts: Vec<Draft>, on: Day<'_>) {
        let nothing = ListedFacts::default();
        let mut next = 0;
        // Legs that are options have an underlying in their turn; a leg is never a combination, so this ends.
        while let Some(draft) = drafts.get(next).copied() {
            let named = |catalog: &mut Self, drafts: &mut Vec<Draft>, symbol: Option<Symbol>| {
                catalog.add(drafts, symbol?, &nothing, on)
            };
            let underlying = named(self, &mut drafts, draft.underlying);
            let legs = draft.legs.map(|leg| named(self, &mut drafts, leg));
            if let Some(underlying) = underlying {
                self.derivatives.entry(underlying).or_default().push(next);
            }
            self.contracts[next].underlying = underlying;
            self.contracts[next].legs = legs;
            next += 1;
        }
    }

    /// Fills in multipliers and price ticks that no list says: another listed contract's of the same product and class, else the
    /// exchange's published ones; an option on a future has its future's multiplier, a combination its first leg's terms.
    fn complete_terms(&mut self) {
        let terms = ProductTerms::of(&self.contracts);
        let completed = |contract: &Contract| {
            let related = match contract.class {
                Class::Combine => contract.legs[0],
                Class::Option => contract.underlying,
                _ => None,
            };
            terms.complete(contract, related.map(|related| &self.contracts[related]))
        };
        let completed: Vec<_> = self.contracts.iter().map(completed).collect();
        for (contract, (multiple, tick)) in self.contracts.iter_mut().zip(completed) {
            contract.volume_multiple = multiple;
            contract.price_tick = tick;
        }
    }

    fn trading_time(&self, contract: &Contract) -> &TradingTime {
        &self.times[&contract.hours]
    }

    /// What an option is on, as clients are told. TqSdk waits for its price step and its price before it hands out the option:
    /// so what has no step is not told, and what futures fronts do not quote, an index or a fund, only where it is listed or
    /// ticks.
    fn underlying_told(&self, contract: &Contract) -> Option<usize> {
        let index = contract.underlying?;
        let underlying = &self.contracts[index];
        let is_future = underlying.class == Class::Future;
        // TqSdk takes the month of an option at these exchanges from its underlying future, and fails where it is none.
        let needs_future = contract.class == Class::Option
            && [ExchangeId::DCE, ExchangeId::CZCE, ExchangeId::SHFE, ExchangeId::GFEX]
                .contains(&contract.exchange);
        let is_awaited = is_future || index < self.known && !needs_future;
        (is_awaited && underlying.price_tick.is_some()).then_some(index)
    }
}

// === impl TradingTime ===

impl TradingTime {
    fn of((day, night): &(Vec<Minutes>, Vec<Minutes>)) -> Self {
        let time = |minutes: u32| format!("\"{:02}:{:02}:00\"", minutes / 60, minutes % 60);
        let all = |sessions: &[Minutes]| {
            let pair = |(begin, end): &Minutes| format!("[{},{}]", time(*begin), time(*end));
            let pairs: Vec<String> = sessions.iter().map(pair).collect();
            format!("[{}]", pairs.join(",")).into_bytes()
        };
        Self { day: all(day), night: all(night) }
    }

    fn has_night(&self) -> bool {
        self.night != b"[]"
    }
}

#[cfg(test)]
mod tests;

//! One instrument's snapshot, as its exchange would send it.

use std::sync::Arc;

use shm_layout::trading_hours::ProductHours;

use crate::calendar::{Calendar, DAY_MS, Date};
use crate::clock::Moment;
use crate::hash::nth;
use crate::instrument::InstrumentId;
use crate::layout::{Abi, DepthMarketData, NO_VALUE, put};
use crate::market::listing::Listing;
use crate::market::path::{DayPath, Traded};
use crate::products::Exchange;
use crate::sessions::{DAY_POSITION_MS, ORIGIN_MS, Progress, Schedule};

/// Where schedules are kept: one for all instruments with the same hours.
#[derive(Debug, Default)]
pub(crate) struct Schedules {
    known: Vec<(ProductHours, bool, Arc<Schedule>)>,
}

impl Schedules {
    fn get(&mut self, hours: ProductHours, begins_at_night: bool) -> Arc<Schedule> {
        let known =
            self.known.iter().find(|(of, night, _)| (*of, *night) == (hours, begins_at_night));
        if let Some((_, _, schedule)) = known {
            return Arc::clone(schedule);
        }
        let schedule = Arc::new(Schedule::new(hours, begins_at_night));
        self.known.push((hours, begins_at_night, Arc::clone(&schedule)));
        schedule
    }
}

/// A subscribed instrument: its listing, its day, and the snapshot that is changed in place.
#[derive(Debug)]
pub(crate) struct Quote {
    pub(crate) id: InstrumentId,
    listing: Listing,
    path: DayPath,
    depth: DepthMarketData,
    /// In lockstep: the multiple that it came to last.
    multiple: u64,
}

impl Quote {
    /// An instrument as it stands on the moment's trading day.
    pub(crate) fn new(
        id: InstrumentId,
        seed: u64,
        abi: Abi,
        trading_day: Date,
        calendar: &Calendar,
        schedules: &mut Schedules,
    ) -> Self {
        let listing = Listing::of(&id, seed);
        let schedule = schedules.get(listing.hours, calendar.begins_at_night(trading_day));
        let path = DayPath::new(&listing, trading_day, calendar, schedule);
        let mut depth = DepthMarketData::no_values();
        depth.set_instrument(&id, abi);
        put(&mut depth.exchange_id, listing.exchange.id_bytes());
        let own_name: &[u8] = match listing.exchange {
            Exchange::Dce | Exchange::Gfex => id.as_bytes(),
            // INE really sends one blank.
            Exchange::Ine => b" ",
            _ => b"",
        };
        depth.set_exchange_inst_id(own_name, abi);
        if abi.depth_size() == size_of::<DepthMarketData>() {
            depth.banding_upper_price = 0.0;
            depth.banding_lower_price = 0.0;
        }
        let mut quote = Self { id, listing, path, depth, multiple: 0 };
        quote.begin_day();
        quote
    }

    /// The multiple that it came to last, in lockstep.
    pub(crate) const fn multiple(&self) -> u64 {
        self.multiple
    }

    /// Comes to a multiple; false when it was there already.
    pub(crate) const fn advance_to(&mut self, multiple: u64) -> bool {
        let advances = self.multiple < multiple;
        if advances {
            self.multiple = multiple;
        }
        advances
    }

    /// Whether the instrument ticks at this moment. Enters the moment's trading day.
    pub(crate) fn is_open(
        &mut self,
        moment: Moment,
        calendar: &Calendar,
        schedules: &mut Schedules,
    ) -> bool {
        self.enter(moment.trading_day, calendar, schedules);
        self.path.schedule.is_open(moment.position_ms)
    }

    /// The snapshot at this moment, or at the last one that traded.
    pub(crate) fn at(
        &mut self,
        moment: Moment,
        calendar: &Calendar,
        schedules: &mut Schedules,
    ) -> &mut DepthMarketData {
        self.enter(moment.trading_day, calendar, schedules);
        let progress = self.path.schedule.progress(moment.position_ms);
        self.stamp(progress.map_or(moment.position_ms, |progress| progress.position_ms));
        let traded = progress.and_then(|progress| self.path.traded(progress));
        if let Some(progress) = progress {
            self.show_book(progress, traded.map_or(self.path.facts.pre_settlement, |now| now.last));
        }
        if let Some(traded) = traded {
            self.show_trades(&traded);
        }
        if progress.is_some_and(|progress| progress.closed) {
            let tick = self.listing.tick;
            let close = traded.map_or(self.path.facts.pre_settlement, |now| now.last);
            self.depth.close_price = tick.price(close);
            self.depth.settlement_price = tick.price(self.path.facts.settlement);
        }
        &mut self.depth
    }

    fn enter(&mut self, trading_day: Date, calendar: &Calendar, schedules: &mut Schedules) {
        if trading_day == self.path.facts.trading_day {
            return;
        }
        let hours = self.listing.hours;
        let schedule = schedules.get(hours, calendar.begins_at_night(trading_day));
        self.path = DayPath::new(&self.listing, trading_day, calendar, schedule);
        self.begin_day();
    }

    fn begin_day(&mut self) {
        let (facts, tick) = (&self.path.facts, self.listing.tick);
        let zeroes = self.listing.exchange.absent_is_zero();
        let absent = if zeroes { 0.0 } else { NO_VALUE };
        let depth = &mut self.depth;
        depth.pre_settlement_price = tick.price(facts.pre_settlement);
        depth.pre_close_price = tick.price(facts.pre_close);
        depth.pre_open_interest = facts.pre_open_interest;
        depth.upper_limit_price = tick.price(facts.upper);
        depth.lower_limit_price = tick.price(facts.lower);
        depth.last_price = depth.pre_close_price;
        depth.open_price = absent;
        depth.highest_price = absent;
        depth.lowest_price = absent;
        depth.volume = 0;
        depth.turnover = 0.0;
        depth.open_interest = facts.pre_open_interest;
        depth.close_price = absent;
        depth.settlement_price = NO_VALUE;
        (depth.pre_delta, depth.curr_delta) = match self.listing.exchange {
            Exchange::Czce => (0.0, 0.0),
            Exchange::Dce => (0.0, NO_VALUE),
            _ => (NO_VALUE, NO_VALUE),
        };
        depth.average_price = 0.0;
        for level in &mut depth.levels {
            (level.bid_price, level.bid_volume) = (absent, 0);
            (level.ask_price, level.ask_volume) = (absent, 0);
        }
    }

    // Time and days, each exchange in its own way.
    fn stamp(&mut self, position_ms: u32) {
        let facts = &self.path.facts;
        let shown_ms = match self.listing.exchange {
            Exchange::Czce => position_ms - position_ms % 1000,
            Exchange::Dce | Exchange::Gfex => position_ms,
            Exchange::Cffex => {
                // The phase of CFFEX's half seconds changes from day to day.
                let phase = (facts.key_of_day() % 5) as u32 * 100;
                (position_ms.saturating_sub(phase)) / 500 * 500 + phase
            }
            Exchange::Shfe | Exchange::Ine | Exchange::Unknown => position_ms - position_ms % 500,
        };
        let ms_of_day = (shown_ms + ORIGIN_MS) % DAY_MS as u32;
        let date = if position_ms >= DAY_POSITION_MS {
            facts.trading_day
        } else if ms_of_day >= ORIGIN_MS {
            facts.evening
        } else {
            facts.evening.plus(1)
        };
        let (trading_day, action_day) = match self.listing.exchange {
            Exchange::Czce => (date, date),
            Exchange::Dce => (facts.trading_day, facts.trading_day),
            _ => (facts.trading_day, date),
        };
        self.depth.trading_day = trading_day.ctp_bytes();
        self.depth.action_day = action_day.ctp_bytes();
        self.depth.update_time = clock_text(ms_of_day / 1000);
        self.depth.update_millisec = (ms_of_day % 1000) as i32;
    }

    fn show_trades(&mut self, traded: &Traded) {
        let tick = self.listing.tick;
        let depth = &mut self.depth;
        depth.last_price = tick.price(traded.last);
        depth.open_price = tick.price(traded.open);
        depth.highest_price = tick.price(traded.high);
        depth.lowest_price = tick.price(traded.low);
        depth.volume = i32::try_from(traded.volume).unwrap_or(i32::MAX);
        depth.open_interest = traded.open_interest;
        let volume = traded.volume as f64;
        if self.listing.exchange == Exchange::Czce {
            // CTP makes CZCE's turnover up: volume times rounded average, without the multiplier.
            let average = traded.turnover / volume / self.listing.multiplier;
            depth.average_price = tick.price(tick.ticks(average));
            depth.turnover = volume * depth.average_price;
        } else {
            depth.turnover = traded.turnover;
            depth.average_price = traded.turnover / volume;
        }
    }

    fn show_book(&mut self, progress: Progress, last: i64) {
        let (facts, tick) = (&self.path.facts, self.listing.tick);
        let absent = if self.listing.exchange.absent_is_zero() { 0.0 } else { NO_VALUE };
        let count = self.listing.exchange.levels();
        let slot = (progress.minute as u64) << 20 | u64::from(progress.ms);
        let noise = nth(facts.key, slot | 1 << 60);
        let best_bid = last - (noise & 1) as i64;
        let spread = 1 + i64::from(noise >> 1 & 7 == 0);
        for (place, level) in self.depth.levels[..count].iter_mut().enumerate() {
            let sizes = nth(noise, place as u64);
            let bid = best_bid - place as i64;
            let ask = best_bid + spread + place as i64;
            (level.bid_price, level.bid_volume) = if bid >= facts.lower {
                (tick.price(bid), 1 + (sizes % 200) as i32)
            } else {
                (absent, 0)
            };
            (level.ask_price, level.ask_volume) = if ask <= facts.upper {
                (tick.price(ask), 1 + ((sizes >> 32) % 200) as i32)
            } else {
                (absent, 0)
            };
        }
    }
}

/// `HH:MM:SS` with a closing NUL.
fn clock_text(second_of_day: u32) -> [u8; 9] {
    let parts = [second_of_day / 3600, second_of_day / 60 % 60, second_of_day % 60];
    let mut text = *b"00:00:00\0";
    for (place, part) in parts.into_iter().enumerate() {
        text[place * 3] = b'0' + (part / 10) as u8;
        text[place * 3 + 1] = b'0' + (part % 10) as u8;
    }
    text
}

#[cfg(test)]
#[path = "quote_tests.rs"]
mod tests;

//! The naive model: it keeps every tick, and makes bars anew each time by sorting them into groups.

use super::*;

/// A tick as bars see it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) price: f64,
    pub(super) open_interest: f64,
    gained: i64,
    day: u32,
    /// The moment within its session, and when that began, both in nanoseconds; `None` when it is of none.
    moment: Option<(i64, i64)>,
}

/// All that one instrument ever ticked.
#[derive(Debug, Default)]
pub(super) struct Model {
    ticks: Vec<Seen>,
    volume: Option<i64>,
    day: u32,
    time: i64,
}

impl Model {
    pub(super) fn take(&mut self, hours: &TradingHours, instrument: InstrumentId, tick: &Tick) {
        let class = hours.class_of(&instrument);
        let around = hours.nearest(class, tick.exchange_time_ns.div_euclid(1_000_000));
        let session = around.map(|around| around.session);
        let derived = session.and_then(|session| hours.trading_day_of(session));
        let day = match tick.trading_day {
            0 => derived.map_or(self.day, Date::yyyymmdd),
            day => day,
        };
        let volume = i64::from(tick.volume);
        let new_day = self.day != 0 && day > self.day;
        let older = day < self.day || (!new_day && tick.exchange_time_ns < self.time);
        let gained = match self.volume {
            None => 0,
            Some(_) if older => 0,
            Some(_) if new_day => volume.max(0),
            Some(base) => (volume - base).max(0),
        };
        if self.volume.is_none() || !older {
            (self.volume, self.day, self.time) = (Some(volume), day, tick.exchange_time_ns);
        }
        let moment = session.and_then(|session| {
            let began = session.began_ms * 1_000_000;
            let last = session.ends_ms.saturating_mul(1_000_000).saturating_sub(1);
            let is_of_yesterday = volume == 0 && tick.exchange_time_ns < began;
            (!is_of_yesterday).then_some((tick.exchange_time_ns.clamp(began, last), began))
        });
        let (price, open_interest) = (tick.last_price, tick.open_interest);
        self.ticks.push(Seen { price, open_interest, gained, day, moment });
    }

    pub(super) fn count(&self) -> usize {
        self.ticks.len()
    }

    /// Minute bars ever made.
    pub(super) fn minutes(&self) -> usize {
        self.grouped(BarDuration::MINUTE, &self.fit(BarDuration::MINUTE, 0)).len()
    }

    /// The number of the first tick of the last so many minute bars.
    pub(super) fn first_of_minutes(&self, kept: usize) -> usize {
        let groups = self.grouped(BarDuration::MINUTE, &self.fit(BarDuration::MINUTE, 0));
        groups.len().checked_sub(kept).and_then(|n| groups.get(n)).map_or(self.count(), |g| g[0])
    }

    /// The bars of all ticks from a number on.
    pub(super) fn bars(&self, duration: BarDuration, since: usize) -> Vec<Bar> {
        let of_minutes = duration.as_ns() % 60_000_000_000 == 0;
        let fitting: Vec<usize> = if of_minutes {
            let all = self.fit(BarDuration::MINUTE, 0);
            all.into_iter().filter(|n| *n >= since && self.slot(duration, *n).is_some()).collect()
        } else {
            self.fit(duration, since)
        };
        let mut bars: Vec<Bar> = Vec::new();
        for group in self.grouped(duration, &fitting) {
            let ticks: Vec<Seen> = group.iter().map(|n| self.ticks[*n]).collect();
            let (first, last) = (ticks[0], ticks[ticks.len() - 1]);
            let slot = self.slot(duration, group[0]).unwrap();
            let before = bars.last().map_or(i64::MIN, |bar| bar.datetime_ns);
            let (moment, began) = first.moment.unwrap();
            let minute = moment - moment.rem_euclid(60_000_000_000);
            let candidates = [slot, began, minute, before.saturating_add(1)];
            let datetime_ns = candidates
                .into_iter()
                .find(|time| {
                    *time > before && (*time == slot || *time <= minute || *time == before + 1)
                })
                .unwrap();
            let prices = || ticks.iter().map(|tick| tick.price);
            bars.push(Bar {
                datetime_ns,
                open: first.price,
                high: prices().fold(f64::NEG_INFINITY, f64::max),
                low: prices().fold(f64::INFINITY, f64::min),
                close: last.price,
                volume: ticks.iter().map(|tick| tick.gained).sum(),
                open_oi: first.open_interest,
                close_oi: last.open_interest,
                trading_day: last.day,
            });
        }
        bars
    }

    /// The slot of a tick: days of the calendar for days, time for shorter ones.
    fn slot(&self, duration: BarDuration, tick: usize) -> Option<i64> {
        let Seen { price, day, moment, .. } = self.ticks[tick];
        price_of(price)?;
        let (moment, _) = moment?;
        let day_ns = 86_400_000_000_000;
        let offset = day_ns / 3;
        let ns = duration.as_ns();
        if ns < day_ns {
            return Some(moment - (moment + offset).rem_euclid(ns));
        }
        let of = |day: u32| Some(i64::from(Date::from_yyyymmdd(day)?.days_since_epoch()));
        let (day, monday) = (of(day)?, of(19_900_101)?);
        Some((day - (day - monday).rem_euclid(ns / day_ns)) * day_ns - offset)
    }

    /// The ticks from a number on that are not older, by slot or by day, than one that fits before them.
    fn fit(&self, duration: BarDuration, since: usize) -> Vec<usize> {
        let (mut fitting, mut latest) = (Vec::new(), (i64::MIN, 0));
        for tick in since..self.ticks.len() {
            let Some(slot) = self.slot(duration, tick) else { continue };
            let day = self.ticks[tick].day;
            if slot >= latest.0 && day >= latest.1 {
                latest = (slot, day);
                fitting.push(tick);
            }
        }
        fitting
    }

    fn grouped(&self, duration: BarDuration, fitting: &[usize]) -> Vec<Vec<usize>> {
        let daily = duration.as_ns() >= 86_400_000_000_000;
        let key =
            |tick: usize| (self.slot(duration, tick), if daily { 0 } else { self.ticks[tick].day });
        fitting.chunk_by(|a, b| key(*a) == key(*b)).map(<[usize]>::to_vec).collect()
    }
}

//! What is known of one instrument between its ticks: its hours, its volume so far, where its series stand (pure).
//!
//! One wrong tick must not end an instrument's bars, where all that follows would be older than it:
//!
//! * A trading day far after the tick's own time is not believed, and is as if it were unknown; see
//!   [`TRADING_DAY_AHEAD_DAYS_MAX`].
//! * A time that lies far ahead both of the tick before and of the moment of receipt is a leap; see [`LEAP_NS`]. Such a tick is
//!   in no bar, and its growth belongs to the next one. One leap alone is an error; when the next tick is as late, it is
//!   believed, since recorded and simulated days may lie ahead of our clock. So two wrong times in a row are believed.
//!
//! Bars hold what was seen. What a snapshot shows to have been traded while nobody listened is in none; see [`GAP_NS`].

use shm_layout::trading_hours::Relation;
use shm_layout::{
    Date, HoursClass, InstrumentId, NO_TIME, ShanghaiTime, Tick, TickFlags, TradingHours,
    TradingSession, price_of,
};

use super::bar::{Bar, Part};
use super::bar_duration::{BarDuration, SECOND_NS};
use super::tick_row::TickRow;

/// An instrument that ticked, or that somebody has a series of.
#[derive(Debug)]
pub(super) struct Instrument {
    pub(super) id: InstrumentId,
    class: HoursClass,
    /// The session of the tick before, in nanoseconds: that of most ticks.
    session: SessionNs,
    /// False before the first tick whose volume is believed.
    has_volume: bool,
    /// Lots traded by the latest tick.
    volume: i32,
    /// The trading day of the latest tick; 0 when unknown.
    trading_day: u32,
    /// The exchange's time of the latest tick of that day.
    time_ns: i64,
    /// The exchange's time of the tick before, whether it was believed or not; `None` before the first that has one.
    heard_ns: Option<i64>,
    /// Places of its living series.
    pub(super) series: Vec<u32>,
    /// Where series that were closed ended, the longest ago first.
    pub(super) ended: Vec<(BarDuration, Ended)>,
}

/// The last bar of a series that was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) datetime_ns: i64,
    pub(super) id: i64,
}

#[derive(Debug, Clone, Copy)]
struct SessionNs {
    began: i64,
    ends: i64,
}

const MS_NS: i64 = 1_000_000;
const DAY_NS: i64 = 86_400 * SECOND_NS;
/// Days that a trading day may lie after the time of a tick of it; the longest holiday is eleven days.
const TRADING_DAY_AHEAD_DAYS_MAX: i64 = 15;
/// Ahead by more than this, a tick's time is not taken at its word. Clocks of fronts and of this machine differ by less.
const LEAP_NS: i64 = 3_600 * SECOND_NS;
/// A snapshot that comes so long after the tick before, or after a trading day has begun, follows upon a time in which nobody
/// listened. A shorter time is a connection that was lost, or changed: what was traded meanwhile belongs to where it is seen.
const GAP_NS: i64 = 60 * SECOND_NS;
/// Night sessions begin after this hour of Shanghai's day.
const EVENING_MS: i64 = 18 * 3_600_000;
/// Times from 1970 to 2199 can be; others are the fault of whoever sent them.
const TIME_MAX_NS: i64 = 7_258_000_000 * SECOND_NS;

// === impl Instrument ===

impl Instrument {
    pub(super) fn new(id: InstrumentId, hours: &TradingHours) -> Self {
        Self {
            id,
            class: hours.class_of(&id),
            session: SessionNs { began: 0, ends: 0 },
            has_volume: false,
            volume: 0,
            trading_day: 0,
            time_ns: 0,
            heard_ns: None,
            series: Vec::new(),
            ended: Vec::new(),
        }
    }

    /// Takes a tick: what will be kept of it.
    pub(super) fn take(&mut self, hours: &TradingHours, tick: &Tick) -> TickRow {
        let sent_ns = tick.exchange_time_ns;
        let time_ns = Some(sent_ns).filter(|time| (0..TIME_MAX_NS).contains(time));
        let leaps = time_ns.is_some_and(|time| self.leaps(time, tick.receive_time_ns));
        self.heard_ns = time_ns.or(self.heard_ns);
        let time_ns = time_ns.filter(|_| !leaps);
        let trading_day = if is_believed(tick.trading_day, time_ns.unwrap_or(tick.receive_time_ns))
        {
            tick.trading_day
        } else {
            self.derived_trading_day(hours, time_ns)
        };
        TickRow {
            datetime_ns: if sent_ns == NO_TIME { tick.receive_time_ns } else { sent_ns },
            last_price: tick.last_price,
            average_price: tick.average_price,
            highest: tick.highest_price,
            lowest: tick.lowest_price,
            turnover: tick.turnover,
            open_interest: tick.open_interest,
            levels: tick.levels,
            volume: tick.volume,
            trading_day,
            gained: if leaps { 0 } else { self.gain(hours, trading_day, time_ns, tick) },
            is_timed: time_ns.is_some(),
        }
    }

    /// What a kept tick brings to bars; `None` when it has no price, no time, or comes at a time of no session.
    pub(super) fn part_of(&mut self, hours: &TradingHours, row: &TickRow) -> Option<Part> {
        let price = price_of(row.last_price)?;
        if !row.is_timed {
            return None;
        }
        let (time_ns, began_ns) = self.in_session(hours, row.datetime_ns)?;
        // Before the day's first trade a front repeats the close of the day before.
        if row.volume == 0 && row.datetime_ns < began_ns {
            return None;
        }
        let bar = Bar {
            datetime_ns: time_ns,
            open: price,
            high: price,
            low: price,
            close: price,
            volume: i64::from(row.gained),
            open_oi: row.open_interest,
            close_oi: row.open_interest,
            trading_day: row.trading_day,
        };
        Some(Part { bar, began_ns })
    }

    /// What a minute bar brings to longer ones.
    pub(super) fn part_of_minute(&mut self, hours: &TradingHours, minute: &Bar) -> Option<Part> {
        let (_, began_ns) = self.in_session(hours, minute.datetime_ns)?;
        Some(Part { bar: *minute, began_ns })
    }

    /// Where the last series of this duration ended.
    pub(super) fn ended(&self, duration: BarDuration) -> Option<Ended> {
        self.ended.iter().find(|(of, _)| *of == duration).map(|(_, ended)| *ended)
    }

    /// Remembers where a series ended; of the durations beyond `each_max` the one that ended first is forgotten.
    pub(super) fn remember(&mut self, duration: BarDuration, ended: Ended, each_max: usize) {
        self.ended.retain(|(of, _)| *of != duration);
        if self.ended.len() >= each_max && !self.ended.is_empty() {
            self.ended.remove(0);
        }
        self.ended.push((duration, ended));
    }

    /// True for a time far ahead of the moment of receipt, and of the tick before if there was one.
    fn leaps(&self, time_ns: i64, received_ns: i64) -> bool {
        received_ns > 0
            && time_ns - received_ns > LEAP_NS
            && self.heard_ns.is_none_or(|heard| time_ns - heard > LEAP_NS)
    }

    /// A moment moved into the session it belongs to, and when that began; `None` when it belongs to none.
    fn in_session(&mut self, hours: &TradingHours, time_ns: i64) -> Option<(i64, i64)> {
        if (self.session.began..self.session.ends).contains(&time_ns) {
            return Some((time_ns, self.session.began));
        }
        let around = hours.nearest(self.class, time_ns.div_euclid(MS_NS))?;
        let session = SessionNs::of(around.session);
        Some(match around.relation {
            Relation::Before => (session.began, session.began),
            Relation::After => (session.ends - 1, session.began),
            Relation::Within => {
                self.session = session;
                (time_ns, session.began)
            }
        })
    }

    /// The trading day of a tick that does not say: its session's, else that of the tick before.
    fn derived_trading_day(&self, hours: &TradingHours, time_ns: Option<i64>) -> u32 {
        let around = time_ns.and_then(|time| hours.nearest(self.class, time.div_euclid(MS_NS)));
        let day = around.and_then(|around| hours.trading_day_of(around.session));
        day.map_or(self.trading_day, Date::yyyymmdd)
    }

    /// True for a moment that lies before the end of its trading day's first minute.
    fn opens_day(&self, hours: &TradingHours, time_ns: i64) -> bool {
        let Some(around) = hours.nearest(self.class, time_ns.div_euclid(MS_NS)) else {
            return false;
        };
        let session = SessionNs::of(around.session);
        let (_, night) = hours.day_and_night(self.class);
        let began = ShanghaiTime::at(around.session.began_ms);
        let in_evening = began.is_some_and(|began| began.ms_of_day >= EVENING_MS);
        time_ns < session.began + GAP_NS && (night.is_empty() || in_evening)
    }

    /// Lots traded since the latest tick, by this one. What is older than the latest says nothing of that, nor does what
    /// follows upon a time in which nobody listened.
    fn gain(
        &mut self,
        hours: &TradingHours,
        trading_day: u32,
        time_ns: Option<i64>,
        tick: &Tick,
    ) -> i32 {
        let is_new_day = trading_day > self.trading_day && self.trading_day != 0;
        let is_older = !is_new_day && time_ns.is_some_and(|time| time < self.time_ns);
        if self.has_volume && (trading_day < self.trading_day || is_older) {
            return 0;
        }
        let is_unseen = TickFlags(tick.flags).contains(TickFlags::SNAPSHOT)
            && time_ns.is_some_and(|time| {
                if is_new_day {
                    !self.opens_day(hours, time)
                } else {
                    time - self.time_ns >= GAP_NS
                }
            });
        let base = match (self.has_volume && !is_unseen, is_new_day) {
            (false, _) => tick.volume,
            (true, true) => 0,
            (true, false) => self.volume,
        };
        self.has_volume = true;
        self.volume = tick.volume;
        self.trading_day = trading_day;
        self.time_ns = time_ns.unwrap_or(if is_new_day { 0 } else { self.time_ns });
        tick.volume.saturating_sub(base).max(0)
    }
}

/// True for a trading day that a tick of this time may be of. An unknown day is none; of an unknown time any may be.
fn is_believed(trading_day: u32, time_ns: i64) -> bool {
    let day = Date::from_yyyymmdd(trading_day);
    trading_day != 0
        && (time_ns <= 0
            || day.is_some_and(|day| {
                i64::from(day.days_since_epoch()) - time_ns.div_euclid(DAY_NS)
                    <= TRADING_DAY_AHEAD_DAYS_MAX
            }))
}

// === impl SessionNs ===

impl SessionNs {
    fn of(session: TradingSession) -> Self {
        Self {
            began: session.began_ms.saturating_mul(MS_NS),
            ends: session.ends_ms.saturating_mul(MS_NS),
        }
    }
}

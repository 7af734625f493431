//! What was seen of every instrument since this process started: ticks, and bars of any duration (pure).
//!
//! ```text
//!                  +--> the latest ticks of each instrument ----- opening, seconds ---+
//!   every tick ----+                                                                  v
//!                  +--> the latest minute bars of each ---------- opening, minutes -> living series <-- every tick
//! ```
//! Ticks and minute bars are kept of whatever ticks, within [`crate::limits`]. A series of bars lives while somebody has it
//! open: it is made of what is kept, as if it had lived since, and then takes every tick itself.
//!
//! * **Ids** are contiguous. The first record of a series has an id that comes from its time, each further one the next; so
//!   ids go on growing when this process starts anew, and when a series is opened again. A series that never had a record
//!   has the first id 0 and the last id -1, and goes from there to the id of its first record's time; one that has lost all
//!   of them begins behind the last that it had. Opened again, a series has the ids it had, counted from the bar that was
//!   its last; only its oldest bars may be others, where what made them differ (the other bar of a slot, a tick that others
//!   came too late for) is kept no longer. Around the clock, where trading days change within a bar's slot, ids may be ahead
//!   of the time by the number of such days, and fall back by that when the process starts anew.
//! * **A bar** has the ticks of one slot of time and one trading day, see [`BarDuration`], by the exchange's time and the
//!   product's sessions, see [`TradingHours::nearest`]. A tick without a last price, without the exchange's time, with one
//!   hours ahead of all others, or of no session is in no bar. Where it names no trading day, or one weeks ahead, its session's
//!   is taken, else that of the tick before; days are not charted of what trades around the clock without saying them.
//! * **Snapshots** that a front sends on a subscription are left out when nothing in them is later than what came before.
//! * **Order** is that of arrival. What is older than the current bar, by slot or trading day, is in none. Bars of whole
//!   minutes are made of minutes: what is too late for its minute is too late for all of them.
//! * **Volume** is the growth between an instrument's ticks, and belongs to the bar of the later one. The first tick of all
//!   shows none, nor does one older than the one before, nor a snapshot after a pause of a minute or on another day: bars hold
//!   what was seen. A trading day begins at 0; a volume that went back is where growth is counted from.

mod bar;
mod bar_duration;
mod bounds;
mod history;
mod instrument;
mod live;
mod tick_row;

use shm_layout::{InstrumentId, Tick, TickFlags, TradingHours};

use crate::hashing::Map;
use bar::Part;
use bar_duration::{Place, first_tick_id};
use bounds::Bounds;
use history::History;
use instrument::Instrument;
use live::Live;

pub use bar::{BAR_FIELDS, Bar, BarField};
pub use bar_duration::{BadDuration, BarDuration};
pub use tick_row::TickRow;

/// What a series consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Ticks, as they came.
    Ticks,
    /// Bars.
    Bars(BarDuration),
}

/// A living series. It means something only to the [`SeriesBook`] it came from, until it is closed as often as opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SeriesId {
    place: u32,
    /// Which of the series that have had this place.
    life: u32,
}

/// Why a series cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoRoom {
    /// The living series of all clients are as many as there may be.
    #[error("{max} series are open, and no more are served at a time")]
    Series {
        /// How many there may be.
        max: usize,
    },
    /// With its bars the living series would have more than they may.
    #[error("the open series would hold more than {max} bars together")]
    Bars {
        /// How many bars there may be.
        max: usize,
    },
    /// So many instruments have ticked that this one is not kept.
    #[error("{max} instruments are charted, and no more are")]
    Instruments {
        /// How many there may be.
        max: usize,
    },
}

/// A place for a living series.
#[derive(Debug)]
struct Seat {
    life: u32,
    live: Option<Live>,
}

/// The ticks, the minute bars and the living series of all instruments.
#[derive(Debug)]
pub struct SeriesBook {
    hours: TradingHours,
    bounds: Bounds,
    index: Map<InstrumentId, u32>,
    instruments: Vec<Instrument>,
    /// Instruments that somebody had open, and that never ticked.
    free: Vec<u32>,
    ticks: History<TickRow>,
    minutes: History<Bar>,
    seats: Vec<Seat>,
    free_seats: Vec<u32>,
    /// Bars of all living series, as [`Live::counted`].
    bars: usize,
    unkept: u64,
}

// === impl SeriesBook ===

impl SeriesBook {
    /// A book that has seen nothing.
    #[must_use]
    pub fn new(hours: TradingHours) -> Self {
        Self::with(hours, Bounds::PRODUCT)
    }

    fn with(hours: TradingHours, bounds: Bounds) -> Self {
        Self {
            hours,
            bounds,
            index: Map::default(),
            instruments: Vec::new(),
            free: Vec::new(),
            ticks: History::new(bounds.ticks),
            minutes: History::new(bounds.minutes),
            seats: Vec::new(),
            free_seats: Vec::new(),
            bars: 0,
            unkept: 0,
        }
    }

    /// Takes a tick that is news.
    pub fn take(&mut self, instrument: InstrumentId, tick: &Tick) {
        let Some(index) = self.index_of(instrument) else {
            self.unkept += 1;
            return;
        };
        if self.is_known_snapshot(index, tick) {
            return;
        }
        let known = &mut self.instruments[index as usize];
        let row = known.take(&self.hours, tick);
        let part = known.part_of(&self.hours, &row);
        // Ids grow over restarts as the moments do that the first are made from: none of them must be wrong.
        let moment_ns = if row.is_timed { row.datetime_ns } else { tick.receive_time_ns };
        self.ticks.push(index, row, first_tick_id(moment_ns));
        let Some(part) = part else { return };
        let in_minute = self.take_minute(index, &part);
        for place in &self.instruments[index as usize].series {
            let Some(live) = self.seats[*place as usize].live.as_mut() else { continue };
            let Kind::Bars(duration) = live.kind else { continue };
            if in_minute || !duration.is_of_minutes() {
                let counted = live.counted();
                let is_full = self.bars >= self.bounds.bars;
                let bars_max = if is_full { live.bars.len() } else { self.bounds.bars_each };
                live.take(duration, &part, bars_max.min(self.bounds.bars_each));
                self.bars += live.counted() - counted;
            }
        }
    }

    /// Opens a series; each opening needs a [`Self::close`]. Who opens what others have open shares it.
    ///
    /// # Errors
    /// [`NoRoom`] says which bound is reached.
    pub fn open(&mut self, instrument: InstrumentId, kind: Kind) -> Result<SeriesId, NoRoom> {
        let max = self.bounds.instruments;
        let index = self.index_of(instrument).ok_or(NoRoom::Instruments { max })?;
        let opened = self.open_known(index, kind);
        self.forget_if_unused(index);
        opened
    }

    /// Gives back one opening. A series that nobody has open any longer is forgotten but for its last id.
    pub fn close(&mut self, series: SeriesId) {
        let Some(live) = self.live_mut(series) else { return };
        live.openings -= 1;
        if live.openings > 0 {
            return;
        }
        let seat = &mut self.seats[series.place as usize];
        seat.life = seat.life.wrapping_add(1);
        let Some(live) = seat.live.take() else { return };
        self.free_seats.push(series.place);
        self.bars -= live.counted();
        let instrument = &mut self.instruments[live.instrument as usize];
        instrument.series.retain(|place| *place != series.place);
        if let (Kind::Bars(duration), Some(ended)) = (live.kind, live.end()) {
            instrument.remember(duration, ended, self.bounds.ended_each);
        }
        self.forget_if_unused(live.instrument);
    }

    /// The id of the oldest record; of the next one when there is none. 0 for what is not open.
    #[must_use]
    pub fn first_id(&self, series: SeriesId) -> i64 {
        let live = self.live(series);
        live.map_or(0, |live| match live.kind {
            Kind::Ticks => self.ticks.ring(live.instrument).first_id(),
            Kind::Bars(_) => live.first_id,
        })
    }

    /// The id of the newest record; one less than [`Self::first_id`] when there is none.
    #[must_use]
    pub fn last_id(&self, series: SeriesId) -> i64 {
        let live = self.live(series);
        live.map_or(-1, |live| match live.kind {
            Kind::Ticks => {
                let ring = self.ticks.ring(live.instrument);
                ring.first_id() + i64::try_from(ring.len()).unwrap_or(0) - 1
            }
            Kind::Bars(_) => live.last_id(),
        })
    }

    /// A tick of a series of ticks.
    #[must_use]
    pub fn tick(&self, series: SeriesId, id: i64) -> Option<&TickRow> {
        let live = self.live(series).filter(|live| live.kind == Kind::Ticks)?;
        let ring = self.ticks.ring(live.instrument);
        ring.get(usize::try_from(id.checked_sub(ring.first_id())?).ok()?)
    }

    /// A bar of a series of bars.
    #[must_use]
    pub fn bar(&self, series: SeriesId, id: i64) -> Option<&Bar> {
        let live = self.live(series)?;
        live.bars.get(usize::try_from(id.checked_sub(live.first_id)?).ok()?)
    }

    /// Grows with every change that a client could see; 0 when there is nothing yet. It means nothing beyond the series' life.
    #[must_use]
    pub fn revision(&self, series: SeriesId) -> u64 {
        let live = self.live(series);
        live.map_or(0, |live| match live.kind {
            Kind::Ticks => self.ticks.ring(live.instrument).revision(),
            Kind::Bars(_) => live.revision,
        })
    }

    /// The revision in which each field of the last bar changed, in the order of [`BarField`]. Bars before it never change.
    /// Zeros for ticks, which never change either.
    #[must_use]
    pub fn changed(&self, series: SeriesId) -> &[u64; BAR_FIELDS] {
        static NEVER: [u64; BAR_FIELDS] = [0; BAR_FIELDS];
        self.live(series).map_or(&NEVER, |live| &live.changed)
    }

    /// The first id whose datetime is this moment (nanoseconds since 1970-01-01 UTC) or later; the one after the last when
    /// there is none. Datetimes of ticks may go back, so it looks at all of them; at a few bars only.
    #[must_use]
    pub fn find(&self, series: SeriesId, datetime_ns: i64) -> i64 {
        let index = self.live(series).map_or(0, |live| match live.kind {
            Kind::Ticks => {
                let ring = self.ticks.ring(live.instrument);
                let found = ring.iter().position(|row| row.datetime_ns >= datetime_ns);
                found.unwrap_or(ring.len())
            }
            Kind::Bars(_) => live.bars.partition_point(|bar| bar.datetime_ns < datetime_ns),
        });
        self.first_id(series) + i64::try_from(index).unwrap_or(0)
    }

    /// Ticks of instruments beyond those that are kept.
    #[must_use]
    pub fn unkept(&self) -> u64 {
        self.unkept
    }

    /// True for what a front sent once more on a subscription, and what came before: it is no later than the tick before it.
    fn is_known_snapshot(&self, index: u32, tick: &Tick) -> bool {
        let last = self.ticks.ring(index).last();
        TickFlags(tick.flags).contains(TickFlags::SNAPSHOT)
            && last.is_some_and(|last| {
                tick.exchange_time_ns <= last.datetime_ns && tick.volume <= last.volume
            })
    }

    /// Adds a tick to the minute bars; false when it is too old for them.
    fn take_minute(&mut self, index: u32, part: &Part) -> bool {
        let mut last = self.minutes.last_mut(index);
        match (BarDuration::MINUTE.place(last.as_deref(), part), last.as_mut()) {
            (Place::New(datetime_ns), _) => {
                self.minutes.push(index, Bar { datetime_ns, ..part.bar }, 0);
                true
            }
            (Place::Last, Some(last)) => {
                last.absorb(&part.bar);
                true
            }
            (Place::Last, None) | (Place::Nowhere, _) => false,
        }
    }

    fn open_known(&mut self, index: u32, kind: Kind) -> Result<SeriesId, NoRoom> {
        for place in &self.instruments[index as usize].series {
            let seat = &mut self.seats[*place as usize];
            if let Some(live) = seat.live.as_mut().filter(|live| live.kind == kind) {
                live.openings += 1;
                return Ok(SeriesId { place: *place, life: seat.life });
            }
        }
        if self.seats.len() - self.free_seats.len() >= self.bounds.series {
            return Err(NoRoom::Series { max: self.bounds.series });
        }
        let live = match kind {
            Kind::Ticks => Live::new(index, kind, None),
            Kind::Bars(duration) => self.made_of_what_is_kept(index, duration),
        };
        if self.bars + live.counted() > self.bounds.bars {
            return Err(NoRoom::Bars { max: self.bounds.bars });
        }
        self.bars += live.counted();
        let place = self.free_seats.pop().unwrap_or_else(|| {
            self.seats.push(Seat { life: 0, live: None });
            (self.seats.len() - 1).try_into().unwrap_or(u32::MAX)
        });
        let seat = &mut self.seats[place as usize];
        seat.live = Some(live);
        self.instruments[index as usize].series.push(place);
        Ok(SeriesId { place, life: seat.life })
    }

    fn made_of_what_is_kept(&mut self, index: u32, duration: BarDuration) -> Live {
        let known = &mut self.instruments[index as usize];
        let ended = known.ended(duration);
        let mut live = Live::new(index, Kind::Bars(duration), ended);
        let bars_max = self.bounds.bars_each;
        if duration.is_of_minutes() {
            for minute in self.minutes.ring(index).iter() {
                if let Some(part) = known.part_of_minute(&self.hours, minute) {
                    live.take(duration, &part, bars_max);
                }
            }
        } else {
            for row in self.ticks.ring(index).iter() {
                if let Some(part) = known.part_of(&self.hours, row) {
                    live.take(duration, &part, bars_max);
                }
            }
        }
        if let Some(ended) = ended.filter(|_| !live.bars.is_empty()) {
            live.go_on_from(ended, duration);
        }
        live
    }

    /// The number of an instrument, given now if it has none; `None` when there are too many.
    fn index_of(&mut self, instrument: InstrumentId) -> Option<u32> {
        if let Some(index) = self.index.get(&instrument) {
            return Some(*index);
        }
        if self.index.len() >= self.bounds.instruments {
            return None;
        }
        let entry = Instrument::new(instrument, &self.hours);
        let index = if let Some(index) = self.free.pop() {
            self.instruments[index as usize] = entry;
            index
        } else {
            let index = u32::try_from(self.instruments.len()).ok()?;
            self.instruments.push(entry);
            self.ticks.add_ring();
            self.minutes.add_ring();
            index
        };
        self.index.insert(instrument, index);
        Some(index)
    }

    /// Forgets an instrument that never ticked and that nobody has open: clients may ask for whatever they like.
    fn forget_if_unused(&mut self, index: u32) {
        let Instrument { id, series, .. } = &self.instruments[index as usize];
        if self.ticks.ring(index).revision() == 0 && series.is_empty() {
            self.index.remove(id);
            self.free.push(index);
        }
    }

    fn live(&self, series: SeriesId) -> Option<&Live> {
        let seat = self.seats.get(series.place as usize)?;
        seat.live.as_ref().filter(|_| seat.life == series.life)
    }

    fn live_mut(&mut self, series: SeriesId) -> Option<&mut Live> {
        let seat = self.seats.get_mut(series.place as usize)?;
        seat.live.as_mut().filter(|_| seat.life == series.life)
    }
}

#[cfg(test)]
mod tests;

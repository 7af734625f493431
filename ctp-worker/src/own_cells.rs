//! The cells that this worker writes: those of the instruments of which it is the primary.
//!
//! An instrument's cells have one writer at a time, so a worker writes them from the assignment that makes it the primary
//! to the one that makes another so. Whoever becomes the primary may be behind what the cells hold, since brokers' fronts differ;
//! until it has caught up, or the cells have not moved for a while, it leaves them as they are: readers never see an
//! instrument go back.

use std::cmp::Ordering::Less;
use std::collections::HashMap;
use std::sync::Arc;

use shm_layout::cells::{Cell, CellWriter};
use shm_layout::qamddata::QamddataCells;
use shm_layout::{InstrumentId, Tick};

use crate::counters::Counters;

/// Writes an instrument's latest tick where everybody can read it.
#[derive(Debug)]
pub struct OwnCells {
    /// `None` until the coordinator has made the segments.
    writer: Option<CellWriter>,
    own: HashMap<InstrumentId, Own>,
    counters: Arc<Counters>,
}

/// An instrument of which this worker is the primary.
#[derive(Debug, Clone, Copy)]
struct Own {
    /// `None` where the segments have no place for it.
    cell: Option<Cell>,
    caught_up: bool,
}

// === impl OwnCells ===

impl OwnCells {
    /// No segments and no instruments yet.
    #[must_use]
    pub fn new(counters: Arc<Counters>) -> Self {
        Self { writer: None, own: HashMap::new(), counters }
    }

    /// The depth segment that is open, by device and inode.
    #[must_use]
    pub fn open_segment(&self) -> Option<(u64, u64)> {
        self.writer.as_ref().map(CellWriter::identity)
    }

    /// The `qamddata` that is to be opened, by name and inode.
    #[must_use]
    pub fn wanted_qamddata(&self) -> Option<(String, u64)> {
        self.writer.as_ref().and_then(CellWriter::wanted_qamddata)
    }

    /// Takes a `qamddata` of this inode, and writes what is known; gives the one that was used until now.
    pub fn opened_qamddata(&mut self, cells: QamddataCells, inode: u64) -> Option<QamddataCells> {
        let writer = self.writer.as_mut()?;
        let before = writer.take_qamddata(cells, inode);
        self.look_again(|_| None);
        before
    }

    /// Takes the segments, and writes what is known; gives those that were used until now, to be closed where nobody waits for
    /// it.
    pub fn opened<'a>(
        &mut self,
        writer: CellWriter,
        last: impl Fn(&InstrumentId) -> Option<&'a Tick>,
    ) -> Option<CellWriter> {
        for own in self.own.values_mut() {
            *own = Own { cell: None, caught_up: false };
        }
        let before = self.writer.replace(writer);
        self.look_again(last);
        before
    }

    /// Looks for the places of instruments that had none, in either segment, and writes what is known of them.
    pub fn look_again<'a>(&mut self, last: impl Fn(&InstrumentId) -> Option<&'a Tick>) {
        let Some(writer) = &self.writer else { return };
        let mut found = Vec::new();
        for (instrument, own) in &mut self.own {
            if let Some(cell) = &mut own.cell {
                writer.complete(cell);
                continue;
            }
            own.cell = writer.find(instrument);
            if own.cell.is_some() {
                found.push(*instrument);
            }
        }
        for instrument in found {
            if let Some(last) = last(&instrument) {
                self.write(&instrument, last);
            }
        }
    }

    /// This worker is an instrument's primary from here on. What it knows of it is written at once.
    pub fn take(&mut self, instrument: InstrumentId, last: Option<&Tick>) {
        let cell = self.writer.as_ref().and_then(|writer| writer.find(&instrument));
        self.own.insert(instrument, Own { cell, caught_up: false });
        if let Some(last) = last {
            self.write(&instrument, last);
        }
    }

    /// Another may be an instrument's primary from here on.
    pub fn give_up(&mut self, instrument: &InstrumentId) {
        self.own.remove(instrument);
    }

    /// Writes a tick, if the instrument is this worker's.
    pub fn write(&mut self, instrument: &InstrumentId, tick: &Tick) {
        let Some(own) = self.own.get_mut(instrument) else { return };
        let (Some(writer), Some(cell)) = (&self.writer, &mut own.cell) else {
            self.counters.unwritten.add_one();
            return;
        };
        if !own.caught_up {
            // What the cells hold may be later, and its writer the faster one still.
            if writer.latest(cell).is_some_and(|kept| tick.order_to_fresh(&kept) == Some(Less)) {
                return;
            }
            own.caught_up = true;
        }
        let whole = writer.write(cell, tick);
        let counter = if whole { &self.counters.cells } else { &self.counters.unwritten };
        counter.add_one();
    }
}

//! A worker's cells: where the latest tick of each of its instruments goes, in the depth segment and in `qamddata`.

use crate::depth::{DepthOpenError, DepthWriter, SlotIndex};
use crate::instrument_id::InstrumentId;
use crate::paths::FleetPaths;
use crate::qamddata::{CellsFault, QamddataCells};
use crate::shared_memory::Place;
use crate::tick::Tick;

/// Both segments, mapped for writing ticks. The writer that is the only one of an instrument is found by the fleet's
/// placement: the worker that is its primary.
#[derive(Debug)]
pub struct CellWriter {
    depth: DepthWriter,
    qamddata: Option<QamddataCells>,
    /// The `qamddata` that is open; 0 for none.
    qamddata_inode: u64,
}

/// An instrument's place in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    instrument: InstrumentId,
    slot: SlotIndex,
    /// What the slot last said of `qamddata`.
    offset: u64,
    /// The instrument was found to lie there.
    approved: bool,
}

// === impl CellWriter ===

impl CellWriter {
    /// Opens the fleet's segments. Where `qamddata` cannot be opened the depth segment is written alone, and why is said.
    ///
    /// # Errors
    /// [`DepthOpenError`]; without a coordinator there may be no segment yet.
    pub fn open(paths: &FleetPaths) -> Result<(Self, Option<CellsFault>), DepthOpenError> {
        let depth = DepthWriter::open(&Place::named(&paths.depth_name()))?;
        let named = depth.qamddata();
        let opened = named.map(|(name, inode)| (inode, QamddataCells::open(&name, inode)));
        let (qamddata, qamddata_inode, fault) = match opened {
            None => (None, 0, None),
            Some((inode, Ok(qamddata))) => (Some(qamddata), inode, None),
            // Outdated from the beginning, and so tried again.
            Some((_, Err(fault))) => (None, 0, Some(fault)),
        };
        Ok((Self { depth, qamddata, qamddata_inode }, fault))
    }

    /// True when another segment has taken the place of one of these: they are to be opened anew.
    #[must_use]
    pub fn is_outdated(&self) -> bool {
        self.depth.is_retired() || self.depth.qamddata_inode() != self.qamddata_inode
    }

    /// The cell of an instrument, when it has one.
    #[must_use]
    pub fn find(&self, instrument: &InstrumentId) -> Option<Cell> {
        let slot = self.depth.find(instrument)?;
        Some(Cell { instrument: *instrument, slot, offset: 0, approved: false })
    }

    /// The tick that a cell holds.
    #[must_use]
    pub fn latest(&self, cell: &Cell) -> Option<Tick> {
        self.depth.latest(cell.slot)
    }

    /// Writes an instrument's latest tick.
    pub fn write(&self, cell: &mut Cell, tick: &Tick) {
        self.depth.write(cell.slot, tick);
        let Some(qamddata) = &self.qamddata else { return };
        // It may have been given its place there since the last tick, or another.
        self.look_up(qamddata, cell);
        if cell.approved {
            qamddata.write(cell.offset, tick);
        }
    }

    /// Writes into `qamddata` what the depth segment has of an instrument that was given its place there only now: its next
    /// tick may be hours away. Does nothing for one that has its place.
    pub fn complete(&self, cell: &mut Cell) {
        let Some(qamddata) = self.qamddata.as_ref().filter(|_| cell.offset == 0) else { return };
        self.look_up(qamddata, cell);
        if cell.approved
            && let Some(tick) = self.latest(cell)
        {
            qamddata.write(cell.offset, &tick);
        }
    }

    fn look_up(&self, qamddata: &QamddataCells, cell: &mut Cell) {
        let offset = self.depth.cells(cell.slot);
        if offset != cell.offset {
            cell.offset = offset;
            cell.approved = qamddata.holds(offset, &cell.instrument);
        }
    }
}

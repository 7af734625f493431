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
    /// The `qamddata` that is open, and its inode.
    qamddata: Option<(QamddataCells, u64)>,
}

/// An instrument's place in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    instrument: InstrumentId,
    slot: SlotIndex,
    /// What the slot last said of `qamddata`.
    offset: u64,
    /// And of which that was.
    inode: u64,
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
        let mut writer = Self { depth, qamddata: None };
        let Some((name, inode)) = writer.wanted_qamddata() else { return Ok((writer, None)) };
        match QamddataCells::open(&name, inode) {
            Ok(cells) => {
                writer.take_qamddata(cells, inode);
                Ok((writer, None))
            }
            Err(fault) => Ok((writer, Some(fault))),
        }
    }

    /// Device and inode of the depth segment: where another stands under its name, this is to be opened anew.
    #[must_use]
    pub const fn identity(&self) -> (u64, u64) {
        self.depth.identity()
    }

    /// The name and inode of a `qamddata` that belongs to the depth segment and is not the one that is open.
    #[must_use]
    pub fn wanted_qamddata(&self) -> Option<(String, u64)> {
        self.depth.qamddata().filter(|(_, inode)| *inode != self.open_inode())
    }

    /// Takes a `qamddata`, of this inode; gives the one that was open until now.
    pub fn take_qamddata(&mut self, cells: QamddataCells, inode: u64) -> Option<QamddataCells> {
        self.qamddata.replace((cells, inode)).map(|(before, _)| before)
    }

    /// The cell of an instrument, when it has one.
    #[must_use]
    pub fn find(&self, instrument: &InstrumentId) -> Option<Cell> {
        let slot = self.depth.find(instrument)?;
        Some(Cell { instrument: *instrument, slot, offset: 0, inode: 0, approved: false })
    }

    /// The tick that a cell holds.
    #[must_use]
    pub fn latest(&self, cell: &Cell) -> Option<Tick> {
        self.depth.latest(cell.slot)
    }

    /// Writes an instrument's latest tick. False when it has a place in `qamddata` and did not get there.
    pub fn write(&self, cell: &mut Cell, tick: &Tick) -> bool {
        self.depth.write(cell.slot, tick);
        // It may have been given its place there since the last tick, or another.
        self.look_up(cell);
        if cell.approved
            && let Some((qamddata, _)) = &self.qamddata
        {
            qamddata.write(cell.offset, tick);
        }
        cell.approved || cell.offset == 0
    }

    /// Writes into `qamddata` what the depth segment has of an instrument that was given its place there, or another, since
    /// its last tick: its next one may be hours away. Does nothing for others.
    pub fn complete(&self, cell: &mut Cell) {
        if self.look_up(cell)
            && cell.approved
            && let (Some((qamddata, _)), Some(tick)) = (&self.qamddata, self.latest(cell))
        {
            qamddata.write(cell.offset, &tick);
        }
    }

    /// The inode of the `qamddata` that is open; 0 for none.
    fn open_inode(&self) -> u64 {
        self.qamddata.as_ref().map_or(0, |(_, inode)| *inode)
    }

    /// Looks where an instrument lies in `qamddata`. True when that is elsewhere than it was.
    fn look_up(&self, cell: &mut Cell) -> bool {
        let offset = self.depth.cells(cell.slot);
        let open = self.open_inode();
        if (offset, open) == (cell.offset, cell.inode) {
            return false;
        }
        (cell.offset, cell.inode) = (offset, open);
        let holds = |(cells, _): &(QamddataCells, u64)| cells.holds(offset, &cell.instrument);
        cell.approved = self.qamddata.as_ref().is_some_and(holds);
        true
    }
}

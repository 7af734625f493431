//! The ring of a fleet, read in the test's own process.

use std::collections::BTreeMap;

use shm_layout::ring::{RingNode, TickReader, TickSource};
use shm_layout::{FleetPaths, Tick};

/// A reader beside the frontend.
#[derive(Debug)]
pub struct RingTap {
    reader: TickReader,
    // After the reader, so that it goes last.
    _node: RingNode,
    lost: u64,
}

impl RingTap {
    /// Begins to read.
    ///
    /// # Panics
    /// When the ring cannot be opened.
    #[must_use]
    pub fn open(paths: &FleetPaths) -> Self {
        let node = RingNode::open(paths).expect("the ring can be opened");
        let reader = TickReader::open(&node).expect("the ring takes one more reader");
        Self { reader, _node: node, lost: 0 }
    }

    /// Everything that has come since the last call.
    ///
    /// # Panics
    /// When the ring is broken.
    pub fn take(&mut self) -> Vec<Tick> {
        let mut ticks = Vec::new();
        loop {
            let drained = self.reader.drain(4096, &mut |tick| ticks.push(*tick));
            let drained = drained.expect("the ring can be read");
            self.lost += drained.lost;
            if drained.ticks == 0 {
                return ticks;
            }
        }
    }

    /// Ticks lost so far.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.lost
    }
}

/// Which worker carries each instrument, by these ticks.
///
/// # Panics
/// When a tick's instrument is no id.
#[must_use]
pub fn carriers(ticks: &[Tick]) -> BTreeMap<String, u32> {
    let named = |tick: &Tick| tick.instrument().expect("a published id is one").to_string();
    ticks.iter().map(|tick| (named(tick), tick.worker)).collect()
}

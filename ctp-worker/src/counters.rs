//! What is counted on the callback thread and read by the driver.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters since the process began. Written by callbacks, each with one relaxed addition: no other memory depends on
/// them, the driver only reports them.
#[derive(Debug, Default)]
pub struct Counters {
    /// Ticks the ring took.
    pub ticks: Count,
    /// Of these, those flagged as snapshots.
    pub snapshots: Count,
    /// Records without an instrument id.
    pub malformed: Count,
    /// Ticks the ring did not take.
    pub unpublished: Count,
    /// Ticks written into the cells that this worker owns.
    pub cells: Count,
    /// Ticks of instruments of its own that have no cells: there is no segment, or no room in it.
    pub unwritten: Count,
    /// Panics caught at the border to the library.
    pub panics: Count,
    /// Events dropped because the queue was full.
    pub dropped_events: Count,
}

/// One counter.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

// === impl Count ===

impl Count {
    /// Counts one more.
    pub fn add_one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// The count.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

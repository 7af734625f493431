//! A worker's end of the ring.

use iceoryx2::port::publisher::Publisher;
use iceoryx2::prelude::*;

use super::node::{Ring, RingError, RingNode};
use super::wake::WakeWriter;
use crate::limits::{RING_SHARDS, RING_TICKS_PER_SAMPLE_MAX};
use crate::numbers::{Incarnation, WorkerId};
use crate::tick::Tick;

/// Publishes one worker's ticks. It never blocks: a reader that lags loses its oldest samples and counts them.
#[derive(Debug)]
pub struct TickWriter {
    publisher: Publisher<Ring, [Tick], ()>,
    wake: WakeWriter,
    worker: WorkerId,
    incarnation: Incarnation,
    /// The last sequence given out.
    sequence: u64,
}

// === impl TickWriter ===

impl TickWriter {
    /// Opens the writing end for one life of a worker.
    ///
    /// # Errors
    /// [`RingError`] when iceoryx2 refuses or the wake table cannot be mapped.
    pub fn open(
        node: &RingNode,
        worker: WorkerId,
        incarnation: Incarnation,
    ) -> Result<Self, RingError> {
        let publisher = node
            .shard(worker.0 % RING_SHARDS)?
            .publisher_builder()
            .initial_max_slice_len(RING_TICKS_PER_SAMPLE_MAX)
            .allocation_strategy(AllocationStrategy::Static)
            .max_loaned_samples(1)
            .backpressure_strategy(BackpressureStrategy::DiscardData)
            .create()
            .map_err(|error| RingError::iceoryx("making a publisher", error))?;
        let wake = WakeWriter::open(node.paths())?;
        Ok(Self { publisher, wake, worker, incarnation, sequence: 0 })
    }

    /// Stamps worker, incarnation and sequence into the ticks, publishes them in order and wakes readers that sleep.
    /// Returns how many the ring did not take; readers count these too, by the gap they leave.
    pub fn publish(&mut self, ticks: &mut [Tick]) -> usize {
        let mut refused = 0;
        for part in ticks.chunks_mut(RING_TICKS_PER_SAMPLE_MAX) {
            for tick in &mut *part {
                self.sequence += 1;
                tick.worker = self.worker.0;
                tick.incarnation = self.incarnation.0;
                tick.sequence = self.sequence;
            }
            let sent = self
                .publisher
                .loan_slice_uninit(part.len())
                .is_ok_and(|sample| sample.write_from_slice(part).send().is_ok());
            if !sent {
                refused += part.len();
            }
        }
        self.wake.wake_sleepers();
        refused
    }
}

//! A reader's end of the ring.

use iceoryx2::port::subscriber::Subscriber;

use super::loss::LossCounter;
use super::node::{Ring, RingError, RingNode};
use crate::clock;
use crate::limits::{RING_READER_LAG_SAMPLES_MAX, RING_SHARDS};
use crate::tick::Tick;

/// What one call of [`TickSource::drain`] brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Drained {
    /// Ticks handed over.
    pub ticks: usize,
    /// Ticks known to be missing before or between these.
    pub lost: u64,
}

/// Where a reader's ticks come from. The ring of this machine is one such source; a source on another machine can stand
/// in its place.
pub trait TickSource {
    /// Hands over ticks in order per instrument, about `most` of them at the most (a sample under way is finished).
    /// Returns at once when there is nothing.
    ///
    /// # Errors
    /// [`RingError`] when the source is broken; what was handed over before stays valid.
    fn drain(&mut self, most: usize, each: &mut dyn FnMut(&Tick)) -> Result<Drained, RingError>;

    /// True when a call of [`TickSource::drain`] would bring something.
    fn has_ticks(&self) -> bool;
}

/// Takes the ticks of every worker of the fleet.
#[derive(Debug)]
pub struct TickReader {
    shards: Vec<Subscriber<Ring, [Tick], ()>>,
    /// The shard to begin with next time, so that none is always first.
    first: usize,
    losses: LossCounter,
}

// === impl TickReader ===

impl TickReader {
    /// Samples taken from one shard before the next one's turn.
    const SAMPLES_PER_TURN: usize = 64;

    /// Opens the reading end: from now on every tick of every worker arrives or is counted as lost.
    ///
    /// # Errors
    /// [`RingError`] when iceoryx2 refuses, as it does when all readers' places are taken.
    pub fn open(node: &RingNode) -> Result<Self, RingError> {
        let attached_at = clock::boot_ns();
        let shards = (0..RING_SHARDS)
            .map(|shard| {
                node.shard(shard)?
                    .subscriber_builder()
                    .buffer_size(RING_READER_LAG_SAMPLES_MAX)
                    .create()
                    .map_err(|error| RingError::iceoryx("making a subscriber", error))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { shards, first: 0, losses: LossCounter::new(attached_at) })
    }

    fn drain_shard(
        shard: &Subscriber<Ring, [Tick], ()>,
        losses: &mut LossCounter,
        room: usize,
        each: &mut dyn FnMut(&Tick),
    ) -> Result<Drained, RingError> {
        let mut drained = Drained::default();
        for _ in 0..Self::SAMPLES_PER_TURN {
            if drained.ticks >= room {
                break;
            }
            let sample = shard.receive().map_err(|error| RingError::iceoryx("receiving", error))?;
            let Some(sample) = sample else { break };
            for tick in sample.payload() {
                let (worker, incarnation) = tick.origin();
                drained.lost += losses.note(worker, incarnation, tick.sequence);
                drained.ticks += 1;
                each(tick);
            }
        }
        Ok(drained)
    }
}

impl TickSource for TickReader {
    fn drain(&mut self, most: usize, each: &mut dyn FnMut(&Tick)) -> Result<Drained, RingError> {
        let mut total = Drained::default();
        let mut idle = 0;
        while idle < self.shards.len() && total.ticks < most {
            let shard = &self.shards[self.first];
            let turn = Self::drain_shard(shard, &mut self.losses, most - total.ticks, each)?;
            self.first = (self.first + 1) % self.shards.len();
            total.ticks += turn.ticks;
            total.lost += turn.lost;
            idle = if turn.ticks == 0 { idle + 1 } else { 0 };
        }
        Ok(total)
    }

    fn has_ticks(&self) -> bool {
        self.shards.iter().any(|shard| shard.has_samples().unwrap_or(true))
    }
}

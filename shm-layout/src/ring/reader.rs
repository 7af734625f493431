//! A reader's end of the ring.
//!
//! What several workers bring is merged here (`merge.rs`): whoever reads gets each tick once.

use iceoryx2::port::subscriber::Subscriber;

use super::loss::LossCounter;
#[cfg(feature = "control")]
use super::merge::Tally;
use super::merge::{Merge, Merged};
use super::node::{Ring, RingError, RingNode};
use crate::clock;
#[cfg(feature = "control")]
use crate::control::ConnectionView;
use crate::limits::{RING_READER_LAG_SAMPLES_MAX, RING_SHARDS};
use crate::tick::Tick;

/// What one call of [`TickSource::drain`] brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Drained {
    /// Ticks taken from the source. When there are none, it was empty.
    pub ticks: usize,
    /// Ticks not handed over: copies of what another worker had brought before, and ticks that came after later ones of
    /// their instrument. A tick that an earlier call kept back, since others' earlier ones might wait, counts when it is
    /// dropped.
    pub dropped: usize,
    /// Of these, ticks handed over though they may be copies: there are more instruments than
    /// [`crate::limits::MERGE_INSTRUMENTS_MAX`].
    pub unmerged: usize,
    /// Ticks known to be missing before or between these.
    pub lost: u64,
}

// === impl Drained ===

impl Drained {
    fn add(&mut self, other: Self) {
        self.ticks += other.ticks;
        self.dropped += other.dropped;
        self.unmerged += other.unmerged;
        self.lost += other.lost;
    }
}

/// Where a reader's ticks come from. The ring of this machine is one such source; a source on another machine can stand
/// in its place.
pub trait TickSource {
    /// Takes about `most` ticks at the most (a sample under way is finished) and hands over what is new of them: each tick
    /// once, in order per instrument, whichever workers bring it. Returns at once when there is nothing.
    ///
    /// The last tick of an instrument may be handed over once more, flagged [`crate::TickFlags::SNAPSHOT`]: the front sends
    /// it at each subscription, perhaps for one who has not seen it. Whoever has it knows it by [`super::is_same_tick`].
    ///
    /// # Errors
    /// [`RingError`] when the source is broken; what was handed over before stays valid.
    fn drain(&mut self, most: usize, each: &mut dyn FnMut(&Tick)) -> Result<Drained, RingError>;

    /// True when a call of [`TickSource::drain`] would bring something.
    fn has_ticks(&self) -> bool;

    /// How the workers compare, for a source that knows: those of which it has seen ticks.
    #[cfg(feature = "control")]
    fn connections(&self) -> Vec<ConnectionView> {
        Vec::new()
    }
}

/// Takes the ticks of every worker of the fleet.
#[derive(Debug)]
pub struct TickReader {
    shards: Vec<Subscriber<Ring, [Tick], ()>>,
    /// The shard to begin with next time, so that none is always first.
    first: usize,
    losses: LossCounter,
    merge: Merge,
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
        Ok(Self {
            shards,
            first: 0,
            losses: LossCounter::new(attached_at),
            merge: Merge::default(),
        })
    }

    fn drain_shard(
        shard: &Subscriber<Ring, [Tick], ()>,
        losses: &mut LossCounter,
        merge: &mut Merge,
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
                let lost = losses.note(worker, incarnation, tick.sequence);
                drained.lost += lost;
                drained.ticks += 1;
                match merge.take(tick, lost) {
                    Merged::Drop => {
                        drained.dropped += 1;
                        continue;
                    }
                    Merged::KeptBack => {
                        if merge.is_full() {
                            drained.dropped += merge.release(each);
                        }
                        continue;
                    }
                    Merged::Unmerged => drained.unmerged += 1,
                    Merged::HandOn => {}
                }
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
            let room = most - total.ticks;
            let turn = Self::drain_shard(shard, &mut self.losses, &mut self.merge, room, each)?;
            self.first = (self.first + 1) % self.shards.len();
            total.add(turn);
            idle = if turn.ticks == 0 { idle + 1 } else { 0 };
        }
        if idle == self.shards.len() && self.merge.keeps_some_back() {
            total.dropped += self.merge.release(each);
        }
        Ok(total)
    }

    fn has_ticks(&self) -> bool {
        self.merge.keeps_some_back()
            || self.shards.iter().any(|shard| shard.has_samples().unwrap_or(true))
    }

    #[cfg(feature = "control")]
    fn connections(&self) -> Vec<ConnectionView> {
        let view = |tally: &Tally| ConnectionView {
            worker: tally.worker,
            ticks: tally.ticks,
            lost: tally.lost,
            won: tally.won,
            copies: tally.copies,
            behind_ns: tally.behind_ns,
            late: tally.late,
            missed: tally.missed,
        };
        self.merge.tallies().iter().map(view).collect()
    }
}

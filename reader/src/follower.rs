//! Following one fleet's ring: first arrivals in order, with a sleep while there are none.

use std::collections::VecDeque;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use shm_layout::ring::{RingError, RingNode, TickReader, TickSource, WakeReader};
use shm_layout::{FleetPaths, Tick, clock};

/// The longest sleep without a look at the ring: a worker that is killed at the wrong moment wakes nobody.
const SLEEP_MAX: Duration = Duration::from_millis(100);

/// How often it is looked whether the fleet still has this ring, while no tick comes.
const IDENTITY_PERIOD: Duration = Duration::from_secs(1);

/// Why there are no ticks to follow.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FollowError {
    /// No fleet has run here yet, or it was stopped.
    #[error("there is no ring in {} (yet); it is made when the fleet starts", .0.display())]
    NotReady(PathBuf),
    /// The ring refuses.
    #[error(transparent)]
    Ring(#[from] RingError),
    /// The fleet was stopped, and this ring is no longer the one that it uses.
    #[error("the fleet was stopped and its ring removed: close this reader and open another")]
    Replaced,
    /// The system would not let it sleep.
    #[error("waiting for ticks failed: {0}")]
    Wait(Errno),
}

/// The ports, in the order in which they go.
struct Ports {
    reader: TickReader,
    _node: RingNode,
}

/// A reader of the ring.
pub(crate) struct Follower {
    /// `None` once another ring has taken the place of this one.
    ports: Option<Ports>,
    wake: WakeReader,
    /// It was said that this reader sleeps, and the caller does the sleeping.
    armed: bool,
    ring_dir: PathBuf,
    /// Device and inode of that directory when the ring was opened.
    identity: Option<(u64, u64)>,
    looked_at: Instant,
    /// Ticks that did not fit the caller's array: the rest of a sample, or what was kept back.
    waiting: VecDeque<Tick>,
    lost: u64,
    copies: u64,
}

// === impl Follower ===

impl Follower {
    /// Joins the ring of a fleet: every tick from now on arrives or is counted as lost.
    ///
    /// # Errors
    /// [`FollowError::NotReady`] passes when the fleet starts.
    pub(crate) fn open(paths: &FleetPaths) -> Result<Self, FollowError> {
        let ring_dir = paths.ring_dir();
        // Making the directory is left to the fleet: it begins by removing what it finds.
        let identity = identity_of(&ring_dir);
        if identity.is_none() {
            return Err(FollowError::NotReady(ring_dir));
        }
        let node = RingNode::open(paths)?;
        let reader = TickReader::open(&node)?;
        let wake = WakeReader::open(paths)?;
        Ok(Self {
            ports: Some(Ports { reader, _node: node }),
            wake,
            armed: false,
            ring_dir,
            identity,
            looked_at: clock::monotonic(),
            waiting: VecDeque::new(),
            lost: 0,
            copies: 0,
        })
    }

    /// Writes the next ticks into the front of an array and says how many. Waits until there is one, or the time is up, or
    /// a signal comes: then there are none. Without a timeout it waits as long as it takes.
    ///
    /// # Errors
    /// [`FollowError`].
    pub(crate) fn next(
        &mut self,
        out: &mut [MaybeUninit<Tick>],
        timeout: Option<Duration>,
    ) -> Result<usize, FollowError> {
        self.disarm();
        let count = self.take_waiting(out);
        if count > 0 || out.is_empty() {
            return Ok(count);
        }
        // A timeout beyond the clock's end is none.
        let deadline = timeout.and_then(|timeout| clock::monotonic().checked_add(timeout));
        loop {
            let (handed, taken) = self.drain(out)?;
            if handed > 0 {
                return Ok(handed);
            }
            let now = clock::monotonic();
            if taken == 0 {
                self.look_for_another_ring(now)?;
            }
            let left =
                deadline.map_or(SLEEP_MAX, |deadline| deadline.saturating_duration_since(now));
            if left.is_zero() || (taken == 0 && !self.sleep(left.min(SLEEP_MAX))?) {
                return Ok(0);
            }
        }
    }

    /// Says that the caller is about to wait for [`Self::descriptor`]. False when it need not, since ticks are there.
    pub(crate) fn arm(&mut self) -> bool {
        if !self.waiting.is_empty() || self.has_ticks() {
            return false;
        }
        self.wake.prepare_sleep();
        self.armed = true;
        // One that came before the bit was set has woken nobody.
        if self.has_ticks() {
            self.disarm();
        }
        self.armed
    }

    /// Becomes readable when a tick comes, provided that [`Self::arm`] was called and said yes.
    pub(crate) fn descriptor(&self) -> RawFd {
        self.wake.as_raw_fd()
    }

    /// Ticks lost so far, since this reader did not keep up.
    pub(crate) const fn lost(&self) -> u64 {
        self.lost
    }

    /// Ticks left out so far because another worker had brought them before, or a later one of their instrument.
    pub(crate) const fn copies(&self) -> u64 {
        self.copies
    }

    fn disarm(&mut self) {
        if std::mem::take(&mut self.armed) {
            self.wake.awake();
        }
    }

    /// Gone with the ring, it is for `next` to say so.
    fn has_ticks(&self) -> bool {
        self.ports.as_ref().is_none_or(|ports| ports.reader.has_ticks())
    }

    fn take_waiting(&mut self, out: &mut [MaybeUninit<Tick>]) -> usize {
        let count = self.waiting.len().min(out.len());
        for (place, tick) in out.iter_mut().zip(self.waiting.drain(..count)) {
            place.write(tick);
        }
        count
    }

    /// Takes what is in the ring. Returns how many ticks it handed on, and how many it took.
    fn drain(&mut self, out: &mut [MaybeUninit<Tick>]) -> Result<(usize, usize), FollowError> {
        let Some(ports) = &mut self.ports else { return Err(FollowError::Replaced) };
        let waiting = &mut self.waiting;
        let mut handed = 0;
        let most = out.len();
        let drained = ports.reader.drain(most, &mut |tick| match out.get_mut(handed) {
            Some(place) => {
                place.write(*tick);
                handed += 1;
            }
            None => waiting.push_back(*tick),
        });
        match drained {
            Ok(drained) => {
                self.lost += drained.lost;
                self.copies += drained.dropped as u64;
                Ok((handed, drained.ticks))
            }
            // What was handed on stays valid; the fault shows again at the next call.
            Err(_) if handed > 0 => Ok((handed, handed)),
            Err(error) => Err(error.into()),
        }
    }

    /// False when a signal ended the sleep.
    fn sleep(&mut self, longest: Duration) -> Result<bool, FollowError> {
        if !self.arm() {
            return Ok(true);
        }
        // Rounded up, so that the last part of a millisecond is not spent turning.
        let whole_ms = u16::try_from(longest.as_millis()).unwrap_or(u16::MAX).saturating_add(1);
        let mut wait = [PollFd::new(self.wake.as_fd(), PollFlags::POLLIN)];
        let polled = poll(&mut wait, PollTimeout::from(whole_ms));
        self.disarm();
        match polled {
            Ok(_) => Ok(true),
            Err(Errno::EINTR) => Ok(false),
            Err(error) => Err(FollowError::Wait(error)),
        }
    }

    fn look_for_another_ring(&mut self, now: Instant) -> Result<(), FollowError> {
        if now.saturating_duration_since(self.looked_at) < IDENTITY_PERIOD {
            return Ok(());
        }
        self.looked_at = now;
        if self.is_replaced() {
            self.leave();
            return Err(FollowError::Replaced);
        }
        Ok(())
    }

    fn is_replaced(&self) -> bool {
        identity_of(&self.ring_dir) != self.identity
    }

    /// Ports that close remove the files of their names, and these are another ring's by now: so they are left to the end of the
    /// process, with what they have mapped.
    fn leave(&mut self) {
        std::mem::forget(self.ports.take());
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        if self.is_replaced() {
            self.leave();
        }
    }
}

fn identity_of(dir: &Path) -> Option<(u64, u64)> {
    let found = std::fs::metadata(dir).ok()?;
    found.is_dir().then(|| (found.dev(), found.ino()))
}

// A handle may be used by another thread than the one that opened it, one at a time.
const _: () = {
    const fn moves_between_threads<T: Send>() {}
    moves_between_threads::<Follower>();
};

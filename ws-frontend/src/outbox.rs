//! What waits for one client's socket: bytes, and behind them marks.
//!
//! ```text
//!                       the bound is reached
//!   keeping up  ------------------------------->  lagging
//!   every tick becomes bytes, in order            every tick becomes a mark on its instrument; a marked
//!       ^                                         instrument's next tick takes the place of the one before
//!       |                                             |
//!       +---------------------------------------------+
//!                  the last mark became bytes
//! ```
//!
//! Marks are turned into bytes in the order they were first set, each into the latest tick of its instrument, and only as
//! far ahead as [`REFILL_BYTES_MAX`]: what waits as a mark stays fresh. While one instrument is marked, ticks of all wait
//! behind it, so an instrument's ticks never overtake each other. Replies are never conflated.
//!
//! The bytes are whole WebSocket frames, but the first may have begun to leave. Where it ends is found by reading the
//! lengths in the frames themselves, and only after a write that took a part.

use std::time::{Duration, Instant};

use crate::limits::{OUT_BUFFER_BYTES_MAX, OUT_BUFFER_KEPT_BYTES_MAX, REFILL_BYTES_MAX};
use crate::marks::Marks;
use crate::protocol::frame::frame_length;
use crate::quote_book::InstrumentIndex;

/// What became of a tick offered to a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offered {
    /// It will be sent as it is.
    Queued,
    /// It waits as a mark: it will be sent unless a later one of its instrument comes first.
    Marked,
    /// As [`Self::Marked`], and the one that waited before it will not be sent.
    Conflated,
}

/// What waits for one client.
#[derive(Debug, Default)]
pub struct Outbox {
    bytes: Vec<u8>,
    /// So many of `bytes` have left.
    sent: usize,
    /// Where the first frame that has not begun to leave starts; `sent` or greater.
    boundary: usize,
    marks: Marks,
    /// Since when bytes have waited without any leaving.
    stalled_since: Option<Instant>,
    /// A close frame was queued; nothing may follow it.
    closed: bool,
}

// === impl Outbox ===

impl Outbox {
    /// Offers a tick. `frame` is asked for its bytes only when they are to be sent.
    pub fn offer<'f>(
        &mut self,
        instrument: InstrumentIndex,
        now: Instant,
        frame: impl FnOnce() -> &'f [u8],
    ) -> Offered {
        if self.marks.is_empty() && !self.closed {
            let frame = frame();
            if self.pending() + frame.len() <= OUT_BUFFER_BYTES_MAX {
                self.append(frame, now);
                return Offered::Queued;
            }
        }
        if self.mark(instrument) { Offered::Marked } else { Offered::Conflated }
    }

    /// Sets a mark: the latest tick of this instrument will be sent. False when it was set before.
    pub fn mark(&mut self, instrument: InstrumentIndex) -> bool {
        self.marks.set(instrument)
    }

    /// Takes a mark back: the client does not want this instrument any longer.
    pub fn unmark(&mut self, instrument: InstrumentIndex) {
        self.marks.take_back(instrument);
    }

    /// Queues whole frames that are not ticks, beyond the bound if need be.
    pub fn append(&mut self, frames: &[u8], now: Instant) {
        self.append_with(now, |bytes| bytes.extend_from_slice(frames));
    }

    /// Queues what `write` appends, whole frames or nothing, beyond the bound if need be.
    pub fn append_with(&mut self, now: Instant, write: impl FnOnce(&mut Vec<u8>)) {
        if self.closed {
            return;
        }
        let (was_empty, before) = (self.pending() == 0, self.bytes.len());
        write(&mut self.bytes);
        if was_empty && self.bytes.len() > before {
            self.stalled_since = Some(now);
        }
    }

    /// Turns marks into bytes as long as few bytes wait. `encode` appends the frame of an instrument's latest tick and says
    /// whether it had one. Returns how many it had.
    pub fn refill(
        &mut self,
        now: Instant,
        mut encode: impl FnMut(InstrumentIndex, &mut Vec<u8>) -> bool,
    ) -> usize {
        let mut encoded = 0;
        while !self.closed && self.pending() < REFILL_BYTES_MAX {
            let Some(instrument) = self.marks.take_first() else { break };
            let was_empty = self.pending() == 0;
            if encode(instrument, &mut self.bytes) {
                encoded += 1;
                if was_empty {
                    self.stalled_since = Some(now);
                }
            }
        }
        encoded
    }

    /// The bytes that wait, the next to leave first.
    #[must_use]
    pub fn waiting(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    /// How many bytes wait.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.bytes.len() - self.sent
    }

    /// True when ticks are conflated.
    #[must_use]
    pub fn is_lagging(&self) -> bool {
        !self.marks.is_empty()
    }

    /// True when so much waits that the client should take some before it asks for more.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.pending() > OUT_BUFFER_BYTES_MAX
    }

    /// True when nothing waits, neither as bytes nor as a mark.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pending() == 0 && (self.closed || self.marks.is_empty())
    }

    /// The socket took the first `count` of the waiting bytes.
    pub fn took(&mut self, count: usize, now: Instant) {
        if count == 0 {
            return;
        }
        self.sent = (self.sent + count).min(self.bytes.len());
        if self.sent == self.bytes.len() {
            self.bytes.clear();
            self.bytes.shrink_to(OUT_BUFFER_KEPT_BYTES_MAX);
            self.sent = 0;
            self.boundary = 0;
            self.stalled_since = None;
            return;
        }
        self.stalled_since = Some(now);
        while self.boundary < self.sent {
            // Only whole frames are ever appended, so there is always a length.
            let length = frame_length(&self.bytes[self.boundary..]).unwrap_or(usize::MAX);
            self.boundary = self.boundary.saturating_add(length).min(self.bytes.len());
        }
        // Moving what waits costs as much as was sent since the last move, at most.
        if self.sent >= self.pending() {
            self.bytes.drain(..self.sent);
            self.boundary -= self.sent;
            self.sent = 0;
        }
    }

    /// For how long bytes have waited without any leaving.
    #[must_use]
    pub fn stalled_for(&self, now: Instant) -> Duration {
        self.stalled_since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// Time without progress begins anew.
    pub fn forgive(&mut self, now: Instant) {
        self.stalled_since = self.stalled_since.map(|_| now);
    }

    /// Queues the last frame. With `drop_queued` what waits is dropped, except the rest of the frame that has begun to
    /// leave: frames must stay whole for the close frame to be read as one. Marks are dropped always.
    pub fn close(&mut self, close_frame: &[u8], drop_queued: bool, now: Instant) {
        if self.closed {
            return;
        }
        if drop_queued {
            self.bytes.truncate(self.boundary.max(self.sent));
        }
        self.marks = Marks::default();
        self.append(close_frame, now);
        self.closed = true;
    }
}

#[cfg(test)]
mod tests;

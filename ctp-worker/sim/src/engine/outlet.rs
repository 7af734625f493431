//! The last step of every tick: silence, rubbish and missing prices of the fault script.

use std::ops::ControlFlow;

use crate::engine::callbacks::Callbacks;
use crate::faults::Muted;
use crate::layout::{DepthMarketData, NO_VALUE};

/// What stands between a source and the client.
#[derive(Debug, Default)]
pub(crate) struct TickOutlet {
    /// Ticks sent so far, snapshots included.
    pub(crate) sent: u64,
    /// Ticks that a silent front kept to itself.
    pub(crate) kept: u64,
    /// Nothing is sent before this time.
    pub(crate) silent_until_ns: u64,
    /// Nothing of these instruments is sent.
    pub(crate) muted: Vec<Muted>,
    /// So many ticks come twice, first with rubbish for an id.
    pub(crate) garbage_left: u32,
    /// So many ticks come without a last price.
    pub(crate) sentinel_left: u32,
    /// At this count the source has to stop, because a fault is due.
    pub(crate) stop_at: Option<u64>,
}

impl TickOutlet {
    /// Sends a tick. `Break` when a fault is due.
    pub(crate) fn send(
        &mut self,
        depth: &mut DepthMarketData,
        now_ns: u64,
        callbacks: &mut dyn Callbacks,
    ) -> ControlFlow<()> {
        let muted = |muted: &Muted| muted.keeps(&depth.instrument(), now_ns);
        if now_ns < self.silent_until_ns || self.muted.iter().any(muted) {
            self.kept += 1;
            return ControlFlow::Continue(());
        }
        if self.garbage_left > 0 {
            self.garbage_left -= 1;
            let mut spoiled = *depth;
            spoiled.spoil_instrument();
            callbacks.depth(&mut spoiled);
        }
        if self.sentinel_left > 0 {
            self.sentinel_left -= 1;
            // A copy: the source goes on from what it sent.
            let mut spoiled = *depth;
            spoiled.last_price = NO_VALUE;
            callbacks.depth(&mut spoiled);
        } else {
            callbacks.depth(depth);
        }
        self.sent += 1;
        if self.stop_at.is_some_and(|stop_at| self.sent >= stop_at) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

//! What the engine asks of a source of ticks, be it generated or recorded.

use std::ops::ControlFlow;

use crate::instrument::InstrumentId;
use crate::layout::DepthMarketData;
use crate::replay::recording::RecordingError;

/// Takes one tick; `Break` asks the source to stop here and be run again.
pub(crate) type Outlet<'a> = dyn FnMut(&mut DepthMarketData) -> ControlFlow<()> + 'a;

/// Why a source cannot go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FeedError {
    /// The recording is broken.
    #[error("replaying")]
    Recording(#[from] RecordingError),
}

/// A source of ticks. Times are nanoseconds since `Init`.
pub(crate) trait Feed: Send {
    /// The instrument ticks from now on; subscribing again changes nothing.
    fn subscribe(&mut self, id: &InstrumentId, now_ns: u64);

    /// The instrument ticks no more.
    fn unsubscribe(&mut self, id: &InstrumentId);

    /// The front lost the session: nothing is subscribed any more.
    fn end_session(&mut self, now_ns: u64);

    /// How many instruments are subscribed.
    fn subscribed_count(&self) -> usize;

    /// The last known snapshot of a subscribed instrument, if there is one.
    fn snapshot(&mut self, id: &InstrumentId, now_ns: u64) -> Option<&mut DepthMarketData>;

    /// The trading day a login is answered with.
    fn trading_day(&mut self, now_ns: u64) -> [u8; 9];

    /// Sends what is due, and says when to be run again; `None` is when something changes.
    ///
    /// # Errors
    /// When the recording cannot be read any further.
    fn run(&mut self, now_ns: u64, out: &mut Outlet<'_>) -> Result<Option<u64>, FeedError>;
}

//! Ticks at fixed moments: all instruments at each multiple of a period since the clock's anchor.
//!
//! Whoever runs late, or was held up, sends for each multiple what that moment showed, in order: libraries with one seed,
//! start and anchor send the very same ticks, only not at the very same time.

use crate::clock::{ExchangeClock, Moment};
use crate::limits::LOCKSTEP_OWED_NS_MAX;
use crate::market::quote::Quote;

/// How far a market in lockstep has come. Times are real nanoseconds since the anchor.
#[derive(Debug)]
pub(crate) struct Lockstep {
    every_ns: u64,
    /// Not the market's own clock, which shows the present and never goes back.
    clock: ExchangeClock,
    /// The last multiple that everybody was sent, and its moment.
    done: (u64, Moment),
}

impl Lockstep {
    /// Nothing was sent; the clock shows its start.
    pub(crate) fn new(every_ms: u64, mut clock: ExchangeClock) -> Self {
        let start = clock.at(0);
        Self { every_ns: every_ms.saturating_mul(1_000_000), clock, done: (0, start) }
    }

    /// Leaves out all that was due until now.
    pub(crate) fn skip_to(&mut self, run_ns: u64) {
        self.leave_out_until(run_ns / self.every_ns);
    }

    /// Leaves out what is too old to be sent.
    pub(crate) fn catch_up(&mut self, run_ns: u64) {
        self.leave_out_until(run_ns.saturating_sub(LOCKSTEP_OWED_NS_MAX) / self.every_ns);
    }

    /// The next multiple, if it is due, and its moment.
    pub(crate) fn next_due(&mut self, run_ns: u64) -> Option<(u64, Moment)> {
        let multiple = self.done.0 + 1;
        (multiple <= run_ns / self.every_ns).then(|| (multiple, self.moment(multiple)))
    }

    /// When the next multiple is due.
    pub(crate) const fn next_ns(&self) -> u64 {
        (self.done.0 + 1).saturating_mul(self.every_ns)
    }

    /// Everybody was sent this multiple.
    pub(crate) const fn done(&mut self, multiple: u64, moment: Moment) {
        self.done = (multiple, moment);
    }

    /// The moment that a subscriber's snapshot shows; the next multiple follows for it.
    pub(crate) fn shown(&mut self, quote: &mut Quote) -> Moment {
        let (done, moment) = self.done;
        quote.advance_to(done);
        if quote.multiple() > done { self.moment(quote.multiple()) } else { moment }
    }

    fn leave_out_until(&mut self, multiple: u64) {
        if self.done.0 < multiple {
            self.done = (multiple, self.moment(multiple));
        }
    }

    fn moment(&mut self, multiple: u64) -> Moment {
        self.clock.at(multiple.saturating_mul(self.every_ns))
    }
}

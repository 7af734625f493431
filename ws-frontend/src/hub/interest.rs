//! What sessions want, and what that means for the demand.

use std::time::Instant;

use shm_layout::InstrumentId;

use super::{Hub, Peer};
use crate::interests::{Added, Removed, SessionIndex};
use crate::limits::{DEMAND_INSTRUMENTS_MAX, SESSION_INSTRUMENTS_MAX, SUBSCRIPTIONS_MAX};
use crate::quote_book::InstrumentIndex;

impl<P: Peer> Hub<P> {
    /// A session wants an instrument. The number, and whether the session did not want it before.
    pub(super) fn want(
        &mut self,
        index: SessionIndex,
        instrument: InstrumentId,
    ) -> (InstrumentIndex, bool) {
        let number = self.world.book.want(instrument);
        match self.interests.add(index, number) {
            Added::Before => return (number, false),
            Added::First => self.demand.want(instrument),
            Added::Further => {}
        }
        if self.world.book.latest(number).is_none() {
            self.unseen.add(instrument);
        }
        (number, true)
    }

    /// A session wants an instrument no longer. True when it did.
    pub(super) fn unwant(
        &mut self,
        index: SessionIndex,
        number: InstrumentIndex,
        now: Instant,
    ) -> bool {
        match self.interests.remove(index, number) {
            Removed::NeverHad => return false,
            Removed::Last => self.release(number, now),
            Removed::NotLast => {}
        }
        true
    }

    /// Whether a session may want all of these, and nothing of what it wants already but `dropped`, else why not.
    pub(super) fn room_for(
        &self,
        index: SessionIndex,
        instruments: &[InstrumentId],
        dropped: usize,
    ) -> Result<(), String> {
        let is_new = |instrument: &&InstrumentId| {
            self.world.book.find(instrument).is_none_or(|number| !self.interests.has(index, number))
        };
        let is_unwanted = |instrument: &&InstrumentId| {
            let wanted = |number| !self.interests.sessions_of(number).is_empty();
            !self.world.book.find(instrument).is_some_and(wanted)
        };
        let new = instruments.iter().filter(is_new).count();
        let has = self.interests.count_of(index).saturating_sub(dropped);
        if has + new > SESSION_INSTRUMENTS_MAX {
            return Err(format!(
                "this session has {has} instruments and asks for {new} more; it may have {SESSION_INSTRUMENTS_MAX}: \
                 unsubscribe some or open another session; nothing was changed"
            ));
        }
        let unwanted = instruments.iter().filter(is_unwanted).count();
        if self.demand.len() + unwanted > DEMAND_INSTRUMENTS_MAX
            || self.interests.subscriptions() + new > SUBSCRIPTIONS_MAX
        {
            return Err(format!(
                "the gateway's sessions together may have {DEMAND_INSTRUMENTS_MAX} instruments and \
                 {SUBSCRIPTIONS_MAX} subscriptions, and {new} more exceed that: unsubscribe what is not needed; \
                 nothing was changed"
            ));
        }
        Ok(())
    }
}

//! What the catalog's thread is told and asked, and what it answers.

use shm_layout::ring::TickSource;
use tokio::sync::mpsc::error::TrySendError;

use super::{Driver, DriverError, Task, heard_from};
use crate::catalog_thread::{Answered, ToCatalog};
use crate::session::QueryToken;

impl<S: TickSource> Driver<S> {
    pub(super) fn hear_catalog(&mut self) -> Result<(), DriverError> {
        while let Some(answered) = heard_from(&mut self.channels.from_catalog, Task::Catalog)? {
            self.hear_answer(answered);
        }
        Ok(())
    }

    pub(super) fn hear_answer(&mut self, answered: Answered<QueryToken>) {
        self.hub.answered(answered.token, answered.json, &answered.unknown);
    }

    /// Hands on what is new of instruments, and queries behind it, as far as the queue has room.
    pub(super) fn feed_catalog(&mut self) -> Result<(), DriverError> {
        let seen = self.hub.take_seen();
        self.to_list.extend(seen.into_iter().map(|(id, exchange)| ToCatalog::Saw(id, exchange)));
        loop {
            let place = match self.channels.to_catalog.try_reserve() {
                Ok(place) => place,
                Err(TrySendError::Full(())) => return Ok(()),
                Err(TrySendError::Closed(())) => return Err(DriverError::TaskGone(Task::Catalog)),
            };
            if let Some(news) = self.to_list.pop_front() {
                place.send(news);
            } else if let Some((token, query, variables)) = self.hub.next_query() {
                place.send(ToCatalog::Query { token, query, variables });
            } else {
                return Ok(());
            }
        }
    }
}

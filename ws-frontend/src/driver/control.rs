//! What the coordinator says, and what it is told.

use std::time::Instant;

use shm_layout::clock;
use shm_layout::control::{FromFrontend, FrontendStats, ToFrontend};
use shm_layout::ring::TickSource;

use super::{Driver, DriverError, Task, heard_from};
use crate::catalog_thread::ToCatalog;
use crate::demand_client::{FromCoordinator, ToCoordinator};
use crate::hub::Moment;
use crate::limits::STATS_EVERY;

impl<S: TickSource> Driver<S> {
    pub(super) fn hear_coordinator(&mut self, now: Instant) -> Result<(), DriverError> {
        while let Some(heard) =
            heard_from(&mut self.channels.from_coordinator, Task::ControlConnection)?
        {
            self.hear_one_of_coordinator(heard, now);
        }
        Ok(())
    }

    pub(super) fn hear_one_of_coordinator(&mut self, heard: FromCoordinator, now: Instant) {
        match heard {
            FromCoordinator::Connected(epoch) => {
                self.control = Some(epoch);
                self.hub.coordinator_connected();
                self.next_stats = now;
            }
            FromCoordinator::Disconnected => {
                self.control = None;
                self.hub.coordinator_disconnected();
            }
            FromCoordinator::Said(ToFrontend::Universe { first, last, instruments }) => {
                self.hub.list_instruments(first, &instruments);
                self.to_list.push_back(ToCatalog::List { first, last, instruments });
            }
            FromCoordinator::Said(ToFrontend::Event(event)) => {
                self.hub.heard_of_fleet(event, Moment { now, unix_ms: clock::unix_ms() });
            }
            FromCoordinator::Said(ToFrontend::Stop) => {
                tracing::info!("the coordinator says stop");
                self.stopping = true;
            }
        }
    }

    /// Tells what is wanted, and once in a while the counters and how the connections compare; as far as the queue has room.
    pub(super) fn tell_coordinator(&mut self, now: Instant) {
        let Some(epoch) = self.control else { return };
        while let Ok(place) = self.channels.to_coordinator.try_reserve() {
            let message = if let Some(part) = self.hub.next_demand() {
                FromFrontend::Demand { first: part.first, add: part.add, remove: part.remove }
            } else if now >= self.next_stats {
                self.next_stats = now + STATS_EVERY;
                self.comparison_due = true;
                FromFrontend::Stats(self.stats())
            } else if std::mem::take(&mut self.comparison_due) {
                FromFrontend::Connections(self.source.connections())
            } else {
                return;
            };
            place.send(ToCoordinator { epoch, message });
        }
    }

    fn stats(&self) -> FrontendStats {
        let mut stats = self.hub.stats();
        stats.sessions_refused = self.channels.turned_away.refused.get();
        stats.handshakes_failed = self.channels.turned_away.handshakes_failed.get();
        stats
    }
}

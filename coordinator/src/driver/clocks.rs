//! What the driver's clocks bring.

use std::time::Instant;

use shm_layout::clock::monotonic;
use tokio::time::{Interval, MissedTickBehavior, interval_at, sleep_until};

use crate::limits::{LOCK_PROBE_INTERVAL, MARKET_LOOK_INTERVAL};
use crate::settings::Settings;

/// Clocks that tick for as long as the driver runs.
pub(super) struct Clocks {
    pub(super) health: Interval,
    pub(super) maintenance: Interval,
    pub(super) probe: Interval,
    pub(super) market: Interval,
}

// === impl Clocks ===

impl Clocks {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            health: every(settings.config.health_check_interval),
            maintenance: every(settings.config.maintenance_interval),
            probe: every(LOCK_PROBE_INTERVAL),
            market: every(MARKET_LOOK_INTERVAL),
        }
    }
}

pub(super) fn every(period: std::time::Duration) -> Interval {
    let mut interval = interval_at((monotonic() + period).into(), period);
    // After a pause of the whole machine one tick is enough: two in a row would look like silence to the health check.
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

pub(super) async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

//! What is measured of each worker and its connection. Pure.

use shm_layout::control::{SessionState, Standing, WorkerProcess, WorkerStatus};

use super::page::{Metric, counter, flag, gauge, gauge_by, gauge_if};

/// What a worker counts and is.
#[expect(clippy::cast_precision_loss, reason = "Prometheus' numbers are doubles")]
pub(super) const OF_A_WORKER: &[Metric<WorkerStatus>] = &[
    gauge("qamd_worker_up", "1 while the worker's process lives.", |w| {
        flag(matches!(w.process, WorkerProcess::Running | WorkerProcess::Detached))
    }),
    gauge("qamd_worker_connected", "1 while the worker talks to the coordinator.", |w| {
        flag(w.process == WorkerProcess::Running)
    }),
    counter(
        "qamd_worker_restarts_total",
        "How often the worker was started anew after it died.",
        |w| w.restarts as f64,
    ),
    counter("qamd_worker_ticks_total", "Ticks published.", |w| w.stats.ticks as f64),
    gauge("qamd_worker_ticks_per_second", "Ticks per second over the last few seconds.", |w| {
        w.ticks_per_second
    }),
    counter("qamd_worker_malformed_total", "Callbacks whose instrument id was none.", |w| {
        w.stats.malformed as f64
    }),
    counter("qamd_worker_unpublished_total", "Ticks that the ring did not take.", |w| {
        w.stats.unpublished as f64
    }),
    counter("qamd_worker_panics_total", "Panics caught at the border to the library.", |w| {
        w.stats.panics as f64
    }),
    counter(
        "qamd_worker_dropped_events_total",
        "Events of the library dropped because a queue was full.",
        |w| w.stats.dropped_events as f64,
    ),
    counter("qamd_worker_logins_total", "Logins that succeeded.", |w| w.stats.logins as f64),
    counter("qamd_worker_disconnects_total", "Disconnects by the front.", |w| {
        w.stats.disconnects as f64
    }),
    gauge("qamd_subscriptions", "Instruments placed on the connection.", |w| {
        f64::from(w.subscriptions)
    }),
    gauge(
        "qamd_subscriptions_acknowledged",
        "Placed instruments that are acknowledged or tick.",
        |w| f64::from(w.acknowledged),
    ),
    gauge("qamd_subscriptions_max", "The most instruments the connection may carry.", |w| {
        f64::from(w.max_subscriptions)
    }),
    gauge("qamd_worker_primary", "Instruments whose cells this worker writes.", |w| {
        f64::from(w.primary)
    }),
    counter(
        "qamd_worker_snapshots_total",
        "Of the ticks published, snapshots: they tell nothing of whether the market moves.",
        |w| w.stats.snapshots as f64,
    ),
    counter(
        "qamd_worker_asked_again_total",
        "Requests sent again because no answer, or no tick, came in time.",
        |w| w.stats.asked_again as f64,
    ),
    counter("qamd_worker_login_failures_total", "Logins that were refused or not answered.", |w| {
        w.stats.login_failures as f64
    }),
    counter(
        "qamd_worker_cells_total",
        "Ticks written into shared memory for other programs.",
        |w| w.stats.cells as f64,
    ),
    counter(
        "qamd_worker_unwritten_total",
        "Ticks that have no place there: a segment is missing, or full.",
        |w| w.stats.unwritten as f64,
    ),
    counter("qamd_worker_calls_refused_total", "Calls that the library did not take.", |w| {
        w.stats.calls_refused as f64
    }),
    gauge_by(
        "qamd_worker_standing",
        "1 for the standing that the connection has: whether it gets instruments.",
        "standing",
        |w| {
            STANDINGS
                .iter()
                .map(|(name, standing)| (*name, flag(w.standing == *standing)))
                .collect()
        },
    ),
    gauge_if(
        "qamd_worker_quality",
        "How good the connection has been, 0 to 100; absent before it was ever logged in.",
        |w| w.quality.map(|quality| f64::from(quality.score)),
    ),
    gauge_by(
        "qamd_worker_quality_lost",
        "Points that the quality lost for each of its parts; absent as the quality is.",
        "part",
        |w| {
            let parts = w.quality.map(|quality| {
                [
                    ("delay", f64::from(quality.delay)),
                    ("gaps", f64::from(quality.gaps)),
                    ("errors", f64::from(quality.errors)),
                    ("disconnects", f64::from(quality.disconnects)),
                    ("staleness", f64::from(quality.staleness)),
                ]
            });
            parts.into_iter().flatten().collect()
        },
    ),
];

/// How a worker's ticks compare with those of the others, counted by the frontends since they started.
#[expect(clippy::cast_precision_loss, reason = "Prometheus' numbers are doubles")]
pub(super) const OF_A_VIEW: &[Metric<WorkerStatus>] = &[
    counter(
        "qamd_worker_read_total",
        "Ticks of the worker that readers took from the ring.",
        |w| w.view.ticks as f64,
    ),
    counter(
        "qamd_worker_lost_total",
        "Ticks missing by the worker's sequences: overwritten in the ring, or published into nothing.",
        |w| w.view.lost as f64,
    ),
    counter(
        "qamd_worker_won_total",
        "Ticks of the worker that were first, and came later from another worker.",
        |w| w.view.won as f64,
    ),
    counter(
        "qamd_worker_copies_total",
        "Ticks of the worker that another had brought before.",
        |w| w.view.copies as f64,
    ),
    counter(
        "qamd_worker_behind_seconds_total",
        "How far these copies lay behind the first arrival, summed.",
        |w| w.view.behind_ns as f64 / 1e9,
    ),
    counter(
        "qamd_worker_late_total",
        "Ticks of the worker dropped because a later one of the same instrument was out already.",
        |w| w.view.late as f64,
    ),
    counter(
        "qamd_worker_missed_total",
        "Ticks that another worker brought and this one, which carries the instrument, left out.",
        |w| w.view.missed as f64,
    ),
];

/// The state of a connection's login session.
pub(super) const OF_A_SESSION: &[Metric<WorkerStatus>] = &[
    gauge("qamd_session_ready", "1 while the connection is logged in.", |w| {
        flag(in_state(w, |state| *state == SessionState::Ready))
    }),
    gauge(
        "qamd_session_alarm",
        "1 while the login is refused for good and an operator has to act.",
        |w| flag(in_state(w, |state| matches!(state, SessionState::Alarm { .. }))),
    ),
];

fn in_state(worker: &WorkerStatus, is: fn(&SessionState) -> bool) -> bool {
    worker.session.as_ref().is_some_and(|session| is(&session.state))
}

/// Each standing by the name that it has in the status, too.
const STANDINGS: [(&str, Standing); 4] = [
    ("good", Standing::Good),
    ("probation", Standing::Probation),
    ("away", Standing::Away),
    ("closed", Standing::Closed),
];

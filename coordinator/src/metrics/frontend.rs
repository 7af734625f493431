//! What is measured of each frontend. Pure.

use shm_layout::control::FrontendStatus;

use super::page::{Metric, counter, flag, gauge};

/// What a frontend counts and is.
#[expect(clippy::cast_precision_loss, reason = "Prometheus' numbers are doubles")]
pub(super) const OF_A_FRONTEND: &[Metric<FrontendStatus>] = &[
    gauge("qamd_frontend_up", "1 while the frontend talks to the coordinator.", |f| {
        flag(f.connected)
    }),
    counter(
        "qamd_frontend_restarts_total",
        "How often the frontend was started anew after it died.",
        |f| f.restarts as f64,
    ),
    gauge("qamd_frontend_sessions", "Sessions open.", |f| f64::from(f.stats.sessions)),
    gauge("qamd_frontend_diff_sessions", "Of the sessions open, those that speak DIFF.", |f| {
        f64::from(f.stats.diff_sessions)
    }),
    counter("qamd_frontend_sessions_opened_total", "Sessions ever opened.", |f| {
        f.stats.sessions_opened as f64
    }),
    counter(
        "qamd_frontend_sessions_refused_total",
        "Connections refused because there were too many.",
        |f| f.stats.sessions_refused as f64,
    ),
    counter(
        "qamd_frontend_handshakes_failed_total",
        "Handshakes that failed or took too long.",
        |f| f.stats.handshakes_failed as f64,
    ),
    gauge("qamd_frontend_instruments", "Instruments wanted by a session.", |f| {
        f64::from(f.stats.instruments)
    }),
    counter("qamd_frontend_ticks_total", "Ticks read from the ring.", |f| f.stats.ticks as f64),
    counter("qamd_ring_lost_total", "Ticks lost in the ring before the frontend took them.", |f| {
        f.stats.ring_lost as f64
    }),
    counter("qamd_frontend_pushed_total", "Ticks queued for clients.", |f| f.stats.pushed as f64),
    counter(
        "qamd_frontend_conflated_total",
        "Ticks a lagging client did not get one by one.",
        |f| f.stats.conflated as f64,
    ),
    counter(
        "qamd_frontend_overrun_total",
        "Ticks merged for clients that kept up, because ticks came faster than they could be sent.",
        |f| f.stats.overrun as f64,
    ),
    counter("qamd_frontend_answers_total", "Answers to peeks of DIFF clients.", |f| {
        f.stats.answers as f64
    }),
    counter("qamd_frontend_queries_total", "Queries of DIFF clients about instruments.", |f| {
        f.stats.queries as f64
    }),
    counter("qamd_frontend_events_total", "Events told to clients.", |f| f.stats.events as f64),
    counter(
        "qamd_frontend_events_left_out_total",
        "Events not told because the client's socket took nothing.",
        |f| f.stats.events_left_out as f64,
    ),
    counter(
        "qamd_frontend_unkept_total",
        "Ticks that no series keeps, because too many instruments have ticked.",
        |f| f.stats.unkept as f64,
    ),
    counter(
        "qamd_frontend_slow_disconnects_total",
        "Clients disconnected because they took nothing for too long.",
        |f| f.stats.slow_disconnects as f64,
    ),
    counter(
        "qamd_frontend_dead_disconnects_total",
        "Clients disconnected because they answered no ping.",
        |f| f.stats.dead_disconnects as f64,
    ),
    counter(
        "qamd_frontend_bad_messages_total",
        "Messages of clients answered with an error.",
        |f| f.stats.bad_messages as f64,
    ),
    counter("qamd_frontend_sent_bytes_total", "Bytes written to clients.", |f| {
        f.stats.bytes_sent as f64
    }),
];

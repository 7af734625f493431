//! What is measured of the fleet as a whole and of the coordinator itself. Pure.

use super::page::{Metric, counter, flag, gauge};
use crate::driver::Snapshot;

/// What the fleet is, and what the coordinator counts.
#[expect(clippy::cast_precision_loss, reason = "Prometheus' numbers are doubles")]
pub(super) const OF_THE_FLEET: &[Metric<Snapshot>] = &[
    gauge("qamd_uptime_seconds", "Seconds since the coordinator's start.", |s| {
        s.status.uptime_ms as f64 / 1000.0
    }),
    gauge("qamd_instruments_wanted", "Instruments wanted by a client or always on.", |s| {
        f64::from(s.status.wanted)
    }),
    gauge("qamd_instruments_placed", "Wanted instruments that a worker carries.", |s| {
        f64::from(s.status.placed)
    }),
    gauge(
        "qamd_instruments_acknowledged",
        "Wanted instruments acknowledged by a front or ticking.",
        |s| f64::from(s.status.acknowledged),
    ),
    gauge("qamd_instruments_ticking", "Wanted instruments that tick.", |s| {
        f64::from(s.status.ticking)
    }),
    gauge(
        "qamd_instruments_waiting_for_room",
        "Wanted instruments for which no connection has room.",
        |s| f64::from(s.status.waiting_for_room),
    ),
    gauge(
        "qamd_instruments_refused",
        "Wanted instruments that a front refused for good, at most the number shown in the status.",
        |s| s.status.refused.len() as f64,
    ),
    gauge(
        "qamd_instruments_silent",
        "Wanted instruments that a front acknowledged and never sends, although it is asked again and again.",
        |s| f64::from(s.status.silent),
    ),
    gauge(
        "qamd_instruments_refused_for_good",
        "Wanted instruments that no connection will carry for now, since the fronts refuse them.",
        |s| f64::from(s.status.refused_for_good),
    ),
    gauge(
        "qamd_instruments_short_of_copies",
        "Instruments on fewer connections than the redundancy asks for.",
        |s| f64::from(s.status.short_of_copies),
    ),
    gauge(
        "qamd_copies_moving",
        "Copies that go on ticking where they were until they tick where they go.",
        |s| f64::from(s.status.moving),
    ),
    gauge("qamd_redundancy", "Connections per instrument that are asked for.", |s| {
        f64::from(s.status.redundancy)
    }),
    gauge(
        "qamd_in_session",
        "1 while some wanted instrument trades, by its hours and the calendar.",
        |s| flag(s.status.in_session),
    ),
    counter("qamd_plans_total", "Plans made of demand and placement.", |s| s.counters.plans as f64),
    counter("qamd_assignments_total", "Assignments sent to workers.", |s| {
        s.counters.assignments as f64
    }),
    counter(
        "qamd_assignments_refused_total",
        "Assignments that workers refused; all was then said anew.",
        |s| s.counters.assignments_refused as f64,
    ),
    counter(
        "qamd_demand_refused_total",
        "Instruments refused because too many were wanted.",
        |s| s.counters.demand_refused as f64,
    ),
    counter(
        "qamd_stale_restarts_total",
        "Workers started anew because nothing came from their front while ticks were due.",
        |s| s.counters.stale_restarts as f64,
    ),
    counter(
        "qamd_moves_for_balance_total",
        "Copies of instruments moved for the sake of balance alone.",
        |s| s.counters.moves_for_balance as f64,
    ),
    counter(
        "qamd_hung_killed_total",
        "Processes killed because they said nothing for too long.",
        |s| s.counters.hung_killed as f64,
    ),
    gauge("qamd_depth_instruments", "Instruments in the depth segment.", |s| {
        s.segments.depth_instruments as f64
    }),
    gauge("qamd_depth_room", "Instruments that the depth segment has room for beside them.", |s| {
        s.segments.depth_room as f64
    }),
    gauge("qamd_qamddata_instruments", "Instruments in qamddata; 0 when there is none.", |s| {
        s.segments.qamddata_instruments.unwrap_or(0) as f64
    }),
    gauge(
        "qamd_qamddata_waiting",
        "Instruments that wait for their turn to be added to qamddata.",
        |s| s.segments.waiting as f64,
    ),
    gauge(
        "qamd_segments_without_place",
        "Instruments that have no place in one of the segments.",
        |s| s.segments.without_place as f64,
    ),
    gauge(
        "qamd_qamddata_closed",
        "1 when nothing is added to qamddata any more: it is full, or others have damaged it.",
        |s| flag(s.segments.closed.is_some()),
    ),
    gauge(
        "qamd_segments_displaced",
        "Segments that others have removed or replaced while the fleet runs.",
        |s| s.segments.displaced.len() as f64,
    ),
    counter(
        "qamd_qamddata_locks_freed_total",
        "Locks of qamddata that were freed because programs had died with them.",
        |s| s.segments.locks_freed as f64,
    ),
    gauge("qamd_control_clients", "Control connections.", |s| s.control.clients as f64),
    counter("qamd_control_refused_total", "Control connections refused.", |s| {
        s.control.refused as f64
    }),
    counter(
        "qamd_control_overflowed_total",
        "Control connections closed because they did not take their messages.",
        |s| s.control.overflowed as f64,
    ),
];

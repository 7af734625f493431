//! The fleet's numbers in Prometheus' text format. Pure: a snapshot in, text out.
//!
//! Counters of a worker or a frontend begin anew with its process, as Prometheus expects.

use std::fmt::{Display, Write};

use shm_layout::control::{FrontendStatus, SessionState, WorkerProcess, WorkerStatus};

use crate::driver::Snapshot;

/// The content type of [`render`]'s text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All metrics of a snapshot.
#[must_use]
pub fn render(snapshot: &Snapshot) -> String {
    let mut page = Page::default();
    fleet(&mut page, snapshot);
    coordinator(&mut page, snapshot);
    workers(&mut page, &snapshot.status.workers);
    sessions(&mut page, &snapshot.status.workers);
    frontends(&mut page, &snapshot.status.frontends);
    page.text
}

fn fleet(page: &mut Page, snapshot: &Snapshot) {
    let status = &snapshot.status;
    page.family("qamd_build_info", "gauge", "Always 1; the label is qamd's version.");
    page.sample("qamd_build_info", &[("version", &status.version)], 1);
    page.single(
        "qamd_uptime_seconds",
        "gauge",
        "Seconds since the coordinator's start.",
        seconds(status.uptime_ms),
    );
    page.single(
        "qamd_instruments_wanted",
        "gauge",
        "Instruments wanted by a client or always on.",
        status.wanted,
    );
    page.single(
        "qamd_instruments_placed",
        "gauge",
        "Wanted instruments that a worker carries.",
        status.placed,
    );
    page.single(
        "qamd_instruments_acknowledged",
        "gauge",
        "Wanted instruments acknowledged by a front or ticking.",
        status.acknowledged,
    );
    page.single(
        "qamd_instruments_ticking",
        "gauge",
        "Wanted instruments that tick.",
        status.ticking,
    );
    page.single(
        "qamd_instruments_waiting_for_room",
        "gauge",
        "Wanted instruments for which no connection has room.",
        status.waiting_for_room,
    );
    page.single(
        "qamd_instruments_refused",
        "gauge",
        "Wanted instruments that a front refused for good, at most the number shown in the status.",
        status.refused.len(),
    );
}

fn coordinator(page: &mut Page, snapshot: &Snapshot) {
    let (counters, control) = (&snapshot.counters, &snapshot.control);
    page.single(
        "qamd_plans_total",
        "counter",
        "Plans made of demand and placement.",
        counters.plans,
    );
    page.single(
        "qamd_assignments_total",
        "counter",
        "Assignments sent to workers.",
        counters.assignments,
    );
    page.single(
        "qamd_assignments_refused_total",
        "counter",
        "Assignments that workers refused; all was then said anew.",
        counters.assignments_refused,
    );
    page.single(
        "qamd_demand_refused_total",
        "counter",
        "Instruments refused because too many were wanted.",
        counters.demand_refused,
    );
    page.single(
        "qamd_stale_restarts_total",
        "counter",
        "Workers started anew because nothing came from their front while ticks were due.",
        counters.stale_restarts,
    );
    page.single(
        "qamd_moves_for_balance_total",
        "counter",
        "Copies of instruments moved for the sake of balance alone.",
        counters.moves_for_balance,
    );
    page.single(
        "qamd_hung_killed_total",
        "counter",
        "Processes killed because they said nothing for too long.",
        counters.hung_killed,
    );
    page.single("qamd_control_clients", "gauge", "Control connections.", control.clients);
    page.single(
        "qamd_control_refused_total",
        "counter",
        "Control connections refused.",
        control.refused,
    );
    page.single(
        "qamd_control_overflowed_total",
        "counter",
        "Control connections closed because they did not take their messages.",
        control.overflowed,
    );
}

/// A metric of one thing: its name, kind, help and value.
type Metric<T> = (&'static str, &'static str, &'static str, fn(&T) -> f64);

/// What is said of each worker.
#[expect(clippy::cast_precision_loss, reason = "Prometheus' numbers are doubles")]
const OF_A_WORKER: [Metric<WorkerStatus>; 14] = [
    ("qamd_worker_up", "gauge", "1 while the worker's process lives.", |w| {
        flag(matches!(w.process, WorkerProcess::Running | WorkerProcess::Detached))
    }),
    ("qamd_worker_connected", "gauge", "1 while the worker talks to the coordinator.", |w| {
        flag(w.process == WorkerProcess::Running)
    }),
    (
        "qamd_worker_restarts_total",
        "counter",
        "How often the worker was started anew after it died.",
        |w| w.restarts as f64,
    ),
    ("qamd_worker_ticks_total", "counter", "Ticks published.", |w| w.stats.ticks as f64),
    ("qamd_worker_ticks_per_second", "gauge", "Ticks per second over the last few seconds.", |w| {
        w.ticks_per_second
    }),
    ("qamd_worker_malformed_total", "counter", "Callbacks whose instrument id was none.", |w| {
        w.stats.malformed as f64
    }),
    ("qamd_worker_unpublished_total", "counter", "Ticks that the ring did not take.", |w| {
        w.stats.unpublished as f64
    }),
    ("qamd_worker_panics_total", "counter", "Panics caught at the border to the library.", |w| {
        w.stats.panics as f64
    }),
    (
        "qamd_worker_dropped_events_total",
        "counter",
        "Events of the library dropped because a queue was full.",
        |w| w.stats.dropped_events as f64,
    ),
    ("qamd_worker_logins_total", "counter", "Logins that succeeded.", |w| w.stats.logins as f64),
    ("qamd_worker_disconnects_total", "counter", "Disconnects by the front.", |w| {
        w.stats.disconnects as f64
    }),
    ("qamd_subscriptions", "gauge", "Instruments placed on the connection.", |w| {
        f64::from(w.subscriptions)
    }),
    (
        "qamd_subscriptions_acknowledged",
        "gauge",
        "Placed instruments that are acknowledged or tick.",
        |w| f64::from(w.acknowledged),
    ),
    ("qamd_subscriptions_max", "gauge", "The most instruments the connection may carry.", |w| {
        f64::from(w.max_subscriptions)
    }),
];

fn workers(page: &mut Page, workers: &[WorkerStatus]) {
    for (name, kind, help, value) in OF_A_WORKER {
        page.family(name, kind, help);
        for worker in workers {
            let labels = [
                ("connection_id", worker.connection_id.as_str()),
                ("broker_id", worker.broker_id.as_str()),
            ];
            page.sample(name, &labels, value(worker));
        }
    }
}

fn sessions(page: &mut Page, workers: &[WorkerStatus]) {
    page.family("qamd_session_ready", "gauge", "1 while the connection is logged in.");
    for worker in workers {
        let ready =
            worker.session.as_ref().is_some_and(|session| session.state == SessionState::Ready);
        page.sample(
            "qamd_session_ready",
            &[("connection_id", worker.connection_id.as_str())],
            flag(ready),
        );
    }
    page.family(
        "qamd_session_alarm",
        "gauge",
        "1 while the login is refused for good and an operator has to act.",
    );
    for worker in workers {
        let alarm = worker
            .session
            .as_ref()
            .is_some_and(|session| matches!(session.state, SessionState::Alarm { .. }));
        page.sample(
            "qamd_session_alarm",
            &[("connection_id", worker.connection_id.as_str())],
            flag(alarm),
        );
    }
}

/// What is said of each frontend.
#[expect(clippy::cast_precision_loss, reason = "Prometheus' numbers are doubles")]
const OF_A_FRONTEND: [Metric<FrontendStatus>; 16] = [
    ("qamd_frontend_up", "gauge", "1 while the frontend talks to the coordinator.", |f| {
        flag(f.connected)
    }),
    (
        "qamd_frontend_restarts_total",
        "counter",
        "How often the frontend was started anew after it died.",
        |f| f.restarts as f64,
    ),
    ("qamd_frontend_sessions", "gauge", "Sessions open.", |f| f64::from(f.stats.sessions)),
    ("qamd_frontend_sessions_opened_total", "counter", "Sessions ever opened.", |f| {
        f.stats.sessions_opened as f64
    }),
    (
        "qamd_frontend_sessions_refused_total",
        "counter",
        "Connections refused because there were too many.",
        |f| f.stats.sessions_refused as f64,
    ),
    (
        "qamd_frontend_handshakes_failed_total",
        "counter",
        "Handshakes that failed or took too long.",
        |f| f.stats.handshakes_failed as f64,
    ),
    ("qamd_frontend_instruments", "gauge", "Instruments wanted by a session.", |f| {
        f64::from(f.stats.instruments)
    }),
    ("qamd_frontend_ticks_total", "counter", "Ticks read from the ring.", |f| f.stats.ticks as f64),
    (
        "qamd_ring_lost_total",
        "counter",
        "Ticks lost in the ring before the frontend took them.",
        |f| f.stats.ring_lost as f64,
    ),
    ("qamd_frontend_pushed_total", "counter", "Ticks queued for clients.", |f| {
        f.stats.pushed as f64
    }),
    (
        "qamd_frontend_conflated_total",
        "counter",
        "Ticks a lagging client did not get one by one.",
        |f| f.stats.conflated as f64,
    ),
    (
        "qamd_frontend_overrun_total",
        "counter",
        "Ticks merged for clients that kept up, because ticks came faster than they could be sent.",
        |f| f.stats.overrun as f64,
    ),
    (
        "qamd_frontend_slow_disconnects_total",
        "counter",
        "Clients disconnected because they took nothing for too long.",
        |f| f.stats.slow_disconnects as f64,
    ),
    (
        "qamd_frontend_dead_disconnects_total",
        "counter",
        "Clients disconnected because they answered no ping.",
        |f| f.stats.dead_disconnects as f64,
    ),
    (
        "qamd_frontend_bad_messages_total",
        "counter",
        "Messages of clients answered with an error.",
        |f| f.stats.bad_messages as f64,
    ),
    ("qamd_frontend_sent_bytes_total", "counter", "Bytes written to clients.", |f| {
        f.stats.bytes_sent as f64
    }),
];

fn frontends(page: &mut Page, frontends: &[FrontendStatus]) {
    for (name, kind, help, value) in OF_A_FRONTEND {
        page.family(name, kind, help);
        for frontend in frontends {
            page.sample(name, &[("listening_on", &frontend.listening_on)], value(frontend));
        }
    }
}

fn flag(set: bool) -> f64 {
    f64::from(u8::from(set))
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus' numbers are doubles")]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

/// Text in the making.
#[derive(Default)]
struct Page {
    text: String,
}

// === impl Page ===

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    fn single(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.family(name, kind, help);
        self.sample(name, &[], value);
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels: Vec<String> =
            labels.iter().map(|(label, text)| format!("{label}=\"{}\"", escaped(text))).collect();
        if labels.is_empty() {
            self.line(format_args!("{name} {value}"));
        } else {
            self.line(format_args!("{name}{{{}}} {value}", labels.join(",")));
        }
    }

    fn line(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        writeln!(self.text, "{text}").unwrap_or_default();
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;
    use std::collections::HashSet;

    #[test]
    fn every_sample_follows_its_help_and_type_and_no_family_comes_twice() {
        let text = render(&example::snapshot());
        let mut families = HashSet::new();
        let mut current = "";
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                current = rest.split(' ').next().unwrap();
                assert!(families.insert(current), "{current} comes twice");
                assert!(rest.len() > current.len() + 1, "{current} has no help");
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert_eq!(name, current);
                assert_eq!(kind == "counter", name.ends_with("_total"), "{name} is a {kind}");
            } else {
                let name = line.split(['{', ' ']).next().unwrap();
                assert_eq!(name, current);
                let value = line.rsplit(' ').next().unwrap();
                assert!(value.parse::<f64>().is_ok(), "{line}");
            }
        }
        assert!(text.ends_with('\n'));
    }

    #[test]
    fn numbers_are_those_of_the_snapshot() {
        let text = render(&example::snapshot());
        for line in [
            "qamd_instruments_wanted 5",
            "qamd_worker_ticks_total{connection_id=\"guangfa_telecom\",broker_id=\"9000\"} 123456",
            "qamd_worker_ticks_per_second{connection_id=\"guangfa_telecom\",broker_id=\"9000\"} 41.5",
            "qamd_session_ready{connection_id=\"guangfa_telecom\"} 1",
            "qamd_session_alarm{connection_id=\"simnow\"} 1",
            "qamd_worker_up{connection_id=\"off\",broker_id=\"1\"} 0",
            "qamd_ring_lost_total{listening_on=\"127.0.0.1:7799\"} 7",
            "qamd_frontend_overrun_total{listening_on=\"127.0.0.1:7799\"} 12",
            "qamd_control_overflowed_total 3",
        ] {
            assert!(text.lines().any(|found| found == line), "missing: {line}\n{text}");
        }
    }

    #[test]
    fn labels_are_escaped() {
        assert_eq!(escaped("a\"b\\c\nd"), "a\\\"b\\\\c\\nd");
    }
}

//! What is true of the whole fleet, in a few lines. Pure.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use shm_layout::control::{
    FleetStatus, FrontendStats, FrontendStatus, WorkerProcess, WorkerStatus,
};

use super::prose::Prose;
use super::state::{is_logged_in, state};
use crate::output::{Paint, Style};
use crate::shown::{counted, cut, duration, grouped, listed};

/// A fleet with more connections is summed up by state: its table is longer than a screen.
const TABLE_ROWS_AT_A_GLANCE: usize = 30;
/// Waiting instruments that are named.
const QUEUE_NAMED: usize = 5;
/// The longest part of a library's version that is shown.
const LIBRARY_WIDTH_MAX: usize = 24;

/// The lines before the table.
pub(super) fn lines(status: &FleetStatus, style: Style) -> Vec<String> {
    let up = duration(status.uptime_ms);
    let title = Prose::new("  ")
        .piece("", &format!("qamd {}", status.version), Some(Paint::Strong))
        .piece("  ", &format!("instance {}", status.instance), None)
        .piece(", ", &format!("pid {}", status.pid), None)
        .piece(", ", &format!("up {up}"), None);
    let address = format!("http://{}/status and /metrics", status.http_address);
    let mut parts = vec![title, Prose::new("  ").piece("", &address, None)];
    parts.extend(status.frontends.iter().flat_map(frontend));
    parts.extend(in_common(&status.workers));
    parts.push(plan(status));
    parts.push(instruments(status));
    parts.extend(queue(status));
    parts.extend(summary(&status.workers));
    parts.into_iter().flat_map(|part| part.lines(style)).collect()
}

fn frontend(frontend: &FrontendStatus) -> Vec<Prose> {
    if !frontend.connected {
        let pid = frontend
            .pid
            .map_or_else(|| "not running".to_owned(), |pid| format!("pid {pid}, not connected"));
        let restarts = counted(frontend.restarts, "restart");
        let text = format!("WebSocket frontend: {pid}, {restarts}");
        return vec![Prose::new("  ").piece("", &text, Some(Paint::Bad))];
    }
    let stats = &frontend.stats;
    let text = Prose::new("  ")
        .piece("", &format!("ws://{}", frontend.listening_on), None)
        .piece("  ", &format!("pid {}", frontend.pid.unwrap_or_default()), None)
        .piece(", ", &sessions(stats), None)
        .piece(", ", &counted(u64::from(stats.instruments), "instrument"), None)
        .piece(", ", &format!("{} pushed", counted(stats.pushed, "tick")), None);
    let mut losses = Vec::new();
    for (count, what) in [
        (stats.ring_lost, "lost in the ring"),
        (stats.conflated, "conflated for slow clients"),
        (stats.overrun, "merged because ticks came faster than they could be sent"),
        (stats.slow_disconnects, "slow clients disconnected"),
        (stats.sessions_refused, "clients refused"),
    ] {
        if count > 0 {
            losses.push(format!("{} {what}", grouped(count)));
        }
    }
    if frontend.restarts > 0 {
        losses.push(counted(frontend.restarts, "restart"));
    }
    let mut separator = "  ";
    let losses = losses.iter().fold(Prose::new("  "), |prose, loss| {
        let next = prose.piece(separator, loss, Some(Paint::Warn));
        separator = ", ";
        next
    });
    vec![text, losses]
}

/// The trading day and the library, as far as the connections agree; `problems` names those that do not.
fn in_common(workers: &[WorkerStatus]) -> Option<Prose> {
    let of = |named: &str, values: Vec<Shared<'_>>| {
        let most = values.into_iter().next()?;
        Some(format!("{named} {}", most.value))
    };
    let day = of("trading day", trading_days(workers));
    let library = of("CTP library", libraries(workers));
    let text: Vec<String> = day.into_iter().chain(library).collect();
    (!text.is_empty()).then(|| Prose::new("  ").piece("", &text.join(", "), None))
}

/// A value and the connections that have it.
pub(super) struct Shared<'a> {
    pub(super) value: String,
    pub(super) connections: Vec<&'a str>,
}

/// The trading days; that of most connections first, then the latest. Where any connection is logged in, the others do
/// not count: they are not expected to have heard of a new day.
pub(super) fn trading_days(workers: &[WorkerStatus]) -> Vec<Shared<'_>> {
    let any_logged_in = workers.iter().any(is_logged_in);
    shared(workers, |worker| {
        let counts = is_logged_in(worker) || !any_logged_in;
        let day = worker.session.as_ref().filter(|_| counts)?.trading_day?.yyyymmdd();
        Some(format!("{:04}-{:02}-{:02}", day / 10_000, day / 100 % 100, day % 100))
    })
}

/// The versions of the CTP library; that of most connections first, then the latest.
pub(super) fn libraries(workers: &[WorkerStatus]) -> Vec<Shared<'_>> {
    shared(workers, |worker| {
        let used = worker.process != WorkerProcess::Disabled;
        let version = worker.library_version.as_deref().filter(|_| used).map(library);
        version.filter(|version| !version.is_empty())
    })
}

fn shared<'a>(
    workers: &'a [WorkerStatus],
    value: impl Fn(&WorkerStatus) -> Option<String>,
) -> Vec<Shared<'a>> {
    let mut by_value: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for worker in workers {
        if let Some(value) = value(worker) {
            by_value.entry(value).or_default().push(worker.connection_id.as_str());
        }
    }
    let mut values: Vec<Shared<'_>> = by_value
        .into_iter()
        .rev()
        .map(|(value, connections)| Shared { value, connections })
        .collect();
    values.sort_by_key(|shared| Reverse(shared.connections.len()));
    values
}

/// `v6.7.13_20260225 14:16:30.12079` as `6.7.13`, a simulated one as `6.7.13 sim`.
fn library(version: &str) -> String {
    let number = version.split('_').next().unwrap_or(version).trim_start_matches('v');
    let simulated = if version.contains("qamd-sim") { " sim" } else { "" };
    cut(format!("{number}{simulated}").trim(), LIBRARY_WIDTH_MAX)
}

fn plan(status: &FleetStatus) -> Prose {
    let copies = format!("{} per instrument", counted(u64::from(status.redundancy), "connection"));
    let plan = Prose::new("  ").piece("", &status.strategy, None).piece(", ", &copies, None).piece(
        ", ",
        &format!("plan {}", grouped(status.plan)),
        None,
    );
    match (status.wanted, status.in_session) {
        // Sessions are those of wanted instruments.
        (0, _) => plan,
        (_, true) => plan.piece(", ", "in a trading session", None),
        (_, false) => plan.piece(", ", "outside trading sessions", None),
    }
}

fn instruments(status: &FleetStatus) -> Prose {
    let wanted = counted(u64::from(status.wanted), "instrument");
    let ticking = grouped(u64::from(status.ticking));
    let expected = status.acknowledged.saturating_sub(status.ticking);
    let mut prose =
        Prose::new("  ").piece("", &format!("{wanted} wanted: {ticking} ticking"), None);
    for (count, what, paint) in [
        (
            expected.saturating_sub(status.silent),
            "acknowledged without a tick yet",
            Some(Paint::Faint),
        ),
        (status.silent, "silent (asked again and again)", Some(Paint::Warn)),
        (status.placed.saturating_sub(status.acknowledged), "not acknowledged", Some(Paint::Warn)),
        (status.waiting_for_room, "waiting for room", Some(Paint::Bad)),
        (status.moving, "moving", None),
        (status.short_of_copies, "short of copies", Some(Paint::Warn)),
        (status.refused_for_good, "refused for good", Some(Paint::Bad)),
    ] {
        if count > 0 {
            prose = prose.piece(", ", &format!("{} {what}", grouped(u64::from(count))), paint);
        }
    }
    prose
}

fn queue(status: &FleetStatus) -> Option<Prose> {
    let total = usize::try_from(status.waiting_for_room).unwrap_or(usize::MAX);
    let named = listed(&status.queue, QUEUE_NAMED, total.max(status.queue.len()));
    let text = format!("queue: {named}");
    (!status.queue.is_empty()).then(|| Prose::new("  ").words(&text, Some(Paint::Bad)))
}

/// How many connections are how, the commonest first.
fn summary(workers: &[WorkerStatus]) -> Option<Prose> {
    if workers.len() <= TABLE_ROWS_AT_A_GLANCE {
        return None;
    }
    let mut counts: Vec<(&str, Paint, usize)> = Vec::new();
    for worker in workers {
        let (word, paint) = state(worker);
        match counts
            .iter_mut()
            .find(|(known, known_paint, _)| (*known, *known_paint) == (word, paint))
        {
            Some((_, _, count)) => *count += 1,
            None => counts.push((word, paint, 1)),
        }
    }
    counts.sort_by_key(|(_, _, count)| Reverse(*count));
    let mut separator = ": ";
    let total = counted(workers.len() as u64, "connection");
    let prose = counts.iter().fold(
        Prose::new("  ").piece("", &total, None),
        |prose, (word, paint, count)| {
            let next = prose.piece(separator, &format!("{count} {word}"), Some(*paint));
            separator = ", ";
            next
        },
    );
    Some(prose)
}

/// The sessions, and how many of them speak DIFF.
fn sessions(stats: &FrontendStats) -> String {
    let all = counted(u64::from(stats.sessions), "session");
    match stats.diff_sessions {
        0 => all,
        diff => format!("{all} ({} by DIFF)", grouped(u64::from(diff))),
    }
}

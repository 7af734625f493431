//! A fleet's state as a table of at most 100 columns. Pure: status in, text out.

use std::fmt::Write;

use shm_layout::control::{FleetStatus, FrontendStatus, SessionState, WorkerProcess, WorkerStatus};

use crate::output::{Paint, Style};
use crate::shown::{counted, cut, duration, grouped, wrapped};

/// The widest a connection's name is shown.
const NAME_WIDTH_MAX: usize = 24;
/// Longer texts are broken here.
const WIDTH: usize = 100;

/// The table of a status.
#[must_use]
pub fn render(status: &FleetStatus, style: Style) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail; the lines are joined at the end.
    let mut line = |content: &str| writeln!(text, "{}", content.trim_end()).unwrap_or_default();
    let title = format!("qamd {}", status.version);
    let up = duration(status.uptime_ms);
    line(&format!(
        "{}  instance {}, pid {}, up {up}",
        style.paint(Paint::Strong, &title),
        status.instance,
        status.pid
    ));
    line(&format!("http://{}/status and /metrics", status.http_address));
    status.frontends.iter().for_each(|frontend| line(&frontend_line(frontend, style)));
    line(&instruments_line(status, style));
    line("");
    table(&status.workers, style).iter().for_each(|row| line(row));
    let problems: Vec<String> =
        status.workers.iter().flat_map(|worker| problems(worker, style)).collect();
    let refused = refused_lines(status, style);
    if !problems.is_empty() || !refused.is_empty() {
        line("");
        problems.iter().chain(&refused).for_each(|problem| line(problem));
    }
    if !status.notices.is_empty() {
        line("");
        for notice in &status.notices {
            for part in wrapped(&format!("note: {notice}"), WIDTH, "      ") {
                line(&style.paint(Paint::Faint, &part));
            }
        }
    }
    text
}

fn frontend_line(frontend: &FrontendStatus, style: Style) -> String {
    if !frontend.connected {
        let pid = frontend
            .pid
            .map_or_else(|| "not running".to_owned(), |pid| format!("pid {pid}, not connected"));
        return style.paint(
            Paint::Bad,
            &format!("WebSocket frontend: {pid}, {}", counted(frontend.restarts, "restart")),
        );
    }
    let stats = &frontend.stats;
    let mut text = format!(
        "ws://{}  pid {}, {}, {}, {} pushed",
        frontend.listening_on,
        frontend.pid.unwrap_or_default(),
        counted(u64::from(stats.sessions), "session"),
        counted(u64::from(stats.instruments), "instrument"),
        counted(stats.pushed, "tick"),
    );
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
    if !losses.is_empty() {
        let losses = style.paint(Paint::Warn, &losses.join(", "));
        write!(text, "\n  {losses}").unwrap_or_default();
    }
    text
}

fn instruments_line(status: &FleetStatus, style: Style) -> String {
    let ticking = grouped(u64::from(status.ticking));
    let mut text =
        format!("{} wanted: {ticking} ticking", counted(u64::from(status.wanted), "instrument"));
    let silent = status.acknowledged.saturating_sub(status.ticking);
    let placed = status.placed.saturating_sub(status.acknowledged);
    for (count, what, paint) in [
        (silent, "acknowledged without a tick yet", Paint::Faint),
        (placed, "not acknowledged", Paint::Warn),
        (status.waiting_for_room, "waiting for room", Paint::Bad),
    ] {
        if count > 0 {
            let part = format!("{} {what}", grouped(u64::from(count)));
            write!(text, ", {}", style.paint(paint, &part)).unwrap_or_default();
        }
    }
    text
}

fn table(workers: &[WorkerStatus], style: Style) -> Vec<String> {
    const HEAD: [&str; 7] =
        ["CONNECTION", "BROKER", "STATE", "LIBRARY", "TRADING DAY", "SUBSCRIBED", "TICKS/S"];
    let rows: Vec<[String; 7]> = workers.iter().map(row).collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([HEAD[column].len()]).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
    let line = |cells: [&str; 7], paint: &dyn Fn(usize, &str) -> String| {
        let padded = (0..cells.len()).map(|column| {
            let (cell, width) = (cells[column], widths[column]);
            // The last two columns are numbers.
            let text =
                if column >= 5 { format!("{cell:>width$}") } else { format!("{cell:<width$}") };
            paint(column, &text)
        });
        padded.collect::<Vec<_>>().join("  ")
    };
    let mut lines = vec![line(HEAD, &|_, text| style.paint(Paint::Faint, text))];
    for (row, worker) in rows.iter().zip(workers) {
        let paint = state(worker).1;
        let coloured = |column: usize, text: &str| {
            if column == 2 { style.paint(paint, text) } else { text.to_owned() }
        };
        lines.push(line(row.each_ref().map(String::as_str), &coloured));
    }
    lines
}

fn row(worker: &WorkerStatus) -> [String; 7] {
    let day = worker.session.as_ref().and_then(|session| session.trading_day).map_or_else(
        || "-".to_owned(),
        |day| {
            let number = day.yyyymmdd();
            format!("{:04}-{:02}-{:02}", number / 10_000, number / 100 % 100, number % 100)
        },
    );
    let disabled = worker.process == WorkerProcess::Disabled;
    let subscribed = if disabled {
        "-".to_owned()
    } else {
        format!("{}/{} of {}", worker.acknowledged, worker.subscriptions, worker.max_subscriptions)
    };
    [
        cut(worker.connection_id.as_str(), NAME_WIDTH_MAX),
        worker.broker_id.to_string(),
        state(worker).0.to_owned(),
        worker.library_version.as_deref().map_or_else(|| "-".to_owned(), library),
        day,
        subscribed,
        if disabled { "-".to_owned() } else { format!("{:.1}", worker.ticks_per_second) },
    ]
}

/// `v6.7.13_20260225 14:16:30.12079` as `6.7.13`, a simulated one as `6.7.13 sim`.
fn library(version: &str) -> String {
    let number = version.split('_').next().unwrap_or(version).trim_start_matches('v');
    let simulated = if version.contains("qamd-sim") { " sim" } else { "" };
    cut(&format!("{number}{simulated}"), 12)
}

fn state(worker: &WorkerStatus) -> (&'static str, Paint) {
    match worker.process {
        WorkerProcess::Disabled => ("disabled", Paint::Faint),
        WorkerProcess::Starting => ("starting", Paint::Warn),
        WorkerProcess::Detached => ("detached", Paint::Warn),
        WorkerProcess::BackingOff => ("restarting", Paint::Bad),
        WorkerProcess::Failed => ("FAILED", Paint::Bad),
        WorkerProcess::Stopping => ("stopping", Paint::Warn),
        WorkerProcess::Running => match worker.session.as_ref().map(|session| &session.state) {
            None | Some(SessionState::Connecting) => ("connecting", Paint::Warn),
            Some(SessionState::Unreachable) => ("unreachable", Paint::Bad),
            Some(SessionState::LoggingIn) => ("logging in", Paint::Warn),
            Some(SessionState::Ready) => ("ready", Paint::Good),
            Some(SessionState::Disconnected { .. }) => ("disconnected", Paint::Bad),
            Some(SessionState::LoginRetry { .. }) => ("login retry", Paint::Bad),
            Some(SessionState::Alarm { .. }) => ("ALARM", Paint::Bad),
        },
    }
}

/// What is wrong with a worker, in words.
fn problems(worker: &WorkerStatus, style: Style) -> Vec<String> {
    let mut problems = Vec::new();
    match worker.session.as_ref().map(|session| &session.state) {
        Some(SessionState::Alarm { error_id, message }) => problems.push(format!(
            "login refused for good: {message} (error {error_id}); correct the configuration and restart"
        )),
        Some(SessionState::LoginRetry { error_id, message }) => {
            problems.push(format!("login refused: {message} (error {error_id}); it is tried again"));
        }
        Some(SessionState::Disconnected { reason }) => {
            problems.push(format!("the front went away (reason {reason:#x}); the library reconnects"));
        }
        Some(SessionState::Unreachable) => {
            problems.push(format!("{} does not answer; the library goes on trying", worker.front_addr));
        }
        _ => {}
    }
    if let Some(exit) = &worker.last_exit {
        let restarted = match (worker.process, worker.restarts) {
            (WorkerProcess::Failed, _) => "not started again".to_owned(),
            (_, 0) => "to be started again".to_owned(),
            (_, restarts) => format!("started again {}", counted(restarts, "time")),
        };
        problems.push(format!("{exit}; {restarted}"));
    }
    let stats = &worker.stats;
    for (count, what) in [
        (stats.unpublished, "ticks did not fit into the ring"),
        (stats.malformed, "ticks had no instrument id"),
        (stats.panics, "callbacks failed"),
        (stats.dropped_events, "events of the library were dropped"),
    ] {
        if count > 0 {
            problems.push(format!("{} {what}", grouped(count)));
        }
    }
    // What a worker that is well again has been through is worth a word, not an alarm.
    let mark = if state(worker).1 == Paint::Good {
        style.paint(Paint::Faint, "·")
    } else {
        style.paint(Paint::Bad, "!")
    };
    problems
        .into_iter()
        .map(|problem| format!("{mark} {}: {problem}", worker.connection_id))
        .collect()
}

fn refused_lines(status: &FleetStatus, style: Style) -> Vec<String> {
    const SHOWN: usize = 10;
    let mark = style.paint(Paint::Warn, "!");
    let mut lines: Vec<String> = status
        .refused
        .iter()
        .take(SHOWN)
        .map(|refused| {
            let (instrument, connection) = (refused.instrument, refused.connection_id);
            format!(
                "{mark} {instrument}: refused by {connection}: {} (error {})",
                refused.message, refused.error_id
            )
        })
        .collect();
    if status.refused.len() > SHOWN {
        lines.push(format!("{mark} and {} more refused; see --json", status.refused.len() - SHOWN));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;

    #[test]
    fn a_fleet_with_every_trouble() {
        let golden = "\
qamd 0.1.0  instance qamd, pid 4710, up 1 h 02 min
http://127.0.0.1:7798/status and /metrics
ws://127.0.0.1:7799  pid 4712, 2 sessions, 0 instruments, 2,000 ticks pushed
  7 lost in the ring, 12 merged because ticks came faster than they could be sent
5 instruments wanted: 2 ticking, 1 acknowledged without a tick yet, 1 not acknowledged, 1 waiting for room

CONNECTION                BROKER  STATE       LIBRARY  TRADING DAY  SUBSCRIBED  TICKS/S
guangfa_telecom           9000    ready       6.7.13   2026-11-23   3/4 of 600     41.5
simnow                    9999    ALARM       6.7.13   2026-11-23   0/0 of 600      0.0
haitong_unicom_with_a_r…  8000    restarting  6.7.13   -            3/4 of 600     41.5
off                       1       disabled    -        -                     -        -

! simnow: login refused for good: CTP:不合法的登录 (error 3); correct the configuration and restart
! haitong_unicom_with_a_rather_long_name: killed by signal 11 SIGSEGV, core dumped; started again 3 times
! rb9999: refused by guangfa_telecom: CTP:找不到合约 (error 16)

note: redundancy: 2 connections per instrument are asked for; this version uses one
";
        assert_eq!(render(&example::status(), Style::default()), golden);
    }

    #[test]
    fn the_table_fits_a_hundred_columns_whatever_the_names() {
        let mut status = example::status();
        for worker in &mut status.workers {
            worker.broker_id = shm_layout::BrokerId::parse("1234567890").unwrap();
            (worker.subscriptions, worker.acknowledged, worker.max_subscriptions) = (600, 600, 600);
            worker.library_version = Some("v6.7.13_qamd-sim 0.1.0".into());
        }
        let text = render(&status, Style::default());
        let table = text.lines().skip(6).take(5);
        assert!(table.clone().all(|line| line.chars().count() <= 100), "{text}");
    }

    #[test]
    fn colours_change_no_letter() {
        let plain = render(&example::status(), Style::default());
        let mut coloured = render(&example::status(), Style { colour: true });
        assert_ne!(plain, coloured);
        while let Some(start) = coloured.find("\x1b[") {
            let end = start + coloured[start..].find('m').unwrap();
            coloured.replace_range(start..=end, "");
        }
        assert_eq!(plain, coloured);
    }

    #[test]
    fn a_frontend_that_is_gone_is_said_before_all_else() {
        let mut status = example::status();
        (status.frontends[0].connected, status.frontends[0].pid, status.frontends[0].restarts) =
            (false, None, 2);
        let text = render(&status, Style::default());
        assert_eq!(text.lines().nth(2), Some("WebSocket frontend: not running, 2 restarts"));
    }
}

//! What is wrong, in sentences: the worst first, and no more of them than a screen holds. Pure.

use shm_layout::control::{FleetStatus, Quality, SessionState, WorkerProcess, WorkerStatus};

use super::WIDTH;
use super::head::{Shared, libraries, trading_days};
use super::state::{is_logged_in, quality_paint, state};
use crate::output::{Paint, Style};
use crate::shown::{counted, cut, grouped, listed, wrapped};

/// Problems that are said; further ones are only counted.
const PROBLEMS_SHOWN: usize = 20;
/// Of these, refused instruments.
const REFUSED_SHOWN: usize = 10;
/// Connections that a problem of several names.
const CONNECTIONS_NAMED: usize = 3;
/// Columns of an address; the whole one is in the configuration.
const ADDRESS_WIDTH_MAX: usize = 64;

/// What comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// Nothing helps but a person.
    NeedsAPerson,
    /// Something does not work, and may again.
    Broken,
    /// Instruments that a front refuses.
    Refused,
    /// Connections differ that should not.
    Different,
    /// It works badly.
    Poor,
    /// It is over, or no fault.
    Past,
}

struct Problem {
    rank: Rank,
    /// The quality that is the problem, else 0: the worst of a rank comes first.
    quality: f32,
    text: String,
}

/// The lines of all problems; none when there are none.
pub(super) fn lines(status: &FleetStatus, style: Style) -> Vec<String> {
    let mut problems: Vec<Problem> = status.workers.iter().flat_map(of_worker).collect();
    problems.extend(refused(status));
    problems.extend(differing("trading day", trading_days(&status.workers), Rank::Different));
    // Connections may well have libraries of their own.
    problems.extend(differing("CTP library", libraries(&status.workers), Rank::Past));
    problems.sort_by(|one, other| {
        one.rank.cmp(&other.rank).then(one.quality.total_cmp(&other.quality))
    });
    let more = problems.len().saturating_sub(PROBLEMS_SHOWN);
    let mut lines: Vec<String> =
        problems.iter().take(PROBLEMS_SHOWN).flat_map(|problem| problem.lines(style)).collect();
    if more > 0 {
        lines.push(format!("  and {} more; see --json", grouped(more as u64)));
    }
    lines
}

// === impl Problem ===

impl Problem {
    const fn new(rank: Rank, text: String) -> Self {
        Self { rank, quality: 0.0, text }
    }

    fn lines(&self, style: Style) -> Vec<String> {
        const INDENT: &str = "  ";
        // What a worker that is well again has been through is worth a word, not an alarm.
        let (mark, paint) = match self.rank {
            Rank::NeedsAPerson | Rank::Broken => ("!", Paint::Bad),
            Rank::Refused | Rank::Different | Rank::Poor => ("!", Paint::Warn),
            Rank::Past => ("·", Paint::Faint),
        };
        let mark = style.paint(paint, mark);
        let text = wrapped(&self.text, WIDTH - INDENT.len(), "");
        let begin = |index: usize| if index == 0 { format!("{mark} ") } else { INDENT.to_owned() };
        text.iter().enumerate().map(|(index, line)| begin(index) + line).collect()
    }
}

fn of_worker(worker: &WorkerStatus) -> Vec<Problem> {
    let now = match state(worker) {
        ("ALARM" | "FAILED", _) => Rank::NeedsAPerson,
        (_, Paint::Good | Paint::Faint) => Rank::Past,
        _ => Rank::Broken,
    };
    let mut said: Vec<String> = session(worker).into_iter().chain(last_exit(worker)).collect();
    let stats = &worker.stats;
    for (count, what) in [
        (stats.unpublished, "ticks did not fit into the ring"),
        (stats.malformed, "ticks had no instrument id"),
        (stats.panics, "callbacks failed"),
        (stats.dropped_events, "events of the library were dropped"),
        (stats.calls_refused, "calls were not taken by the library"),
    ] {
        if count > 0 {
            said.push(format!("{} {what}", grouped(count)));
        }
    }
    let name = worker.connection_id;
    let said = said.into_iter().map(|text| Problem::new(now, format!("{name}: {text}")));
    said.chain(low_quality(worker)).collect()
}

fn session(worker: &WorkerStatus) -> Option<String> {
    match &worker.session.as_ref()?.state {
        SessionState::Alarm { error_id, message } => Some(format!(
            "login refused for good: {message} (error {error_id}); correct the configuration and restart"
        )),
        SessionState::LoginRetry { error_id, message } => {
            Some(format!("login refused: {message} (error {error_id}); it is tried again"))
        }
        SessionState::Disconnected { reason } => {
            Some(format!("the front went away (reason {reason:#x}); the library reconnects"))
        }
        SessionState::Unreachable => {
            let address = cut(&worker.front_addr.to_string(), ADDRESS_WIDTH_MAX);
            Some(format!("{address} does not answer; the library goes on trying"))
        }
        SessionState::Ready if state(worker).0 == "silent" => Some(
            "its worker has not been heard of for too long; if that goes on it is started anew"
                .into(),
        ),
        SessionState::Ready | SessionState::Connecting | SessionState::LoggingIn => None,
    }
}

fn last_exit(worker: &WorkerStatus) -> Option<String> {
    let exit = worker.last_exit.as_ref()?;
    let restarted = match (worker.process, worker.restarts) {
        (WorkerProcess::Failed, _) => "not started again".to_owned(),
        (WorkerProcess::Disabled, _) => "switched off since".to_owned(),
        (WorkerProcess::BackingOff, 0) => "to be started again".to_owned(),
        // A person had it started after it had failed; that is not counted.
        (_, 0) => "started again since".to_owned(),
        (_, restarts) => format!("started again {}", counted(restarts, "time")),
    };
    Some(format!("{exit}; {restarted}"))
}

/// What a low quality is made of. That of a connection which is not logged in is low for that, as its state says.
fn low_quality(worker: &WorkerStatus) -> Option<Problem> {
    let quality = worker.quality.filter(|_| is_logged_in(worker))?;
    quality_paint(quality.score)?;
    let (name, score) = (worker.connection_id, quality.score.round());
    let text = format!("{name}: quality {score:.0}: {}", parts(&quality));
    Some(Problem { quality: quality.score, ..Problem::new(Rank::Poor, text) })
}

/// The parts worth a point, the greatest first.
fn parts(quality: &Quality) -> String {
    let mut parts = [
        (quality.delay, "tick delay"),
        (quality.gaps, "gaps"),
        (quality.errors, "errors"),
        (quality.disconnects, "disconnects"),
        (quality.staleness, "silence while others tick"),
    ];
    parts.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    let said = parts.iter().filter(|(points, _)| points.round() >= 1.0);
    let said: Vec<String> =
        said.map(|(points, what)| format!("{:.0} for {what}", points.round())).collect();
    said.join(", ")
}

fn refused(status: &FleetStatus) -> Vec<Problem> {
    let of = |text: String| Problem::new(Rank::Refused, text);
    let mut problems: Vec<Problem> = status
        .refused
        .iter()
        .take(REFUSED_SHOWN)
        .map(|refused| {
            let (instrument, connection) = (refused.instrument, refused.connection_id);
            let (message, error_id) = (&refused.message, refused.error_id);
            of(format!("{instrument}: refused by {connection}: {message} (error {error_id})"))
        })
        .collect();
    if let Some(more @ 1..) = status.refused.len().checked_sub(REFUSED_SHOWN) {
        problems.push(of(format!("and {more} more refused; see --json")));
    }
    problems
}

/// A problem for each value that is not that of most connections.
fn differing<'a>(
    named: &'a str,
    values: Vec<Shared<'a>>,
    rank: Rank,
) -> impl Iterator<Item = Problem> + 'a {
    values.into_iter().skip(1).map(move |Shared { value, connections }| {
        let names = listed(&connections, CONNECTIONS_NAMED, connections.len());
        Problem::new(rank, format!("{named} {value}: {names}"))
    })
}

//! The table: a row per connection. Pure.

use shm_layout::control::{ConnectionView, FleetStatus, WorkerProcess, WorkerStatus};

use super::WIDTH;
use super::state::{quality_paint, state};
use crate::output::{Paint, Style};
use crate::shown::{columns, cut};

/// The widest a connection's name is shown; less where the other columns are so wide that a row would not fit.
const NAME_WIDTH_MAX: usize = 24;
/// Room for the numbers of any connection that a configuration can hold.
const SUBSCRIBED_WIDTH_MAX: usize = 24;
const TICKS_PER_SECOND_MAX: f64 = 99_999_999.0;
const BEHIND_MS_MAX: f64 = 99_999.9;
/// Between two columns.
const GAP: &str = "  ";

/// What stands in a cell without a value.
const NOTHING: &str = "-";

struct Column {
    head: &'static str,
    is_number: bool,
    cell: fn(&WorkerStatus) -> (String, Option<Paint>),
}

const NAME: Column = Column {
    head: "CONNECTION",
    is_number: false,
    cell: |worker| (cut(worker.connection_id.as_str(), NAME_WIDTH_MAX), None),
};

const REST: [Column; 5] = [
    Column {
        head: "BROKER",
        is_number: false,
        cell: |worker| (worker.broker_id.to_string(), None),
    },
    Column {
        head: "STATE",
        is_number: false,
        cell: |worker| {
            let (word, paint) = state(worker);
            (word.to_owned(), Some(paint))
        },
    },
    Column { head: "QUALITY", is_number: true, cell: quality },
    Column {
        head: "SUBSCRIBED",
        is_number: true,
        cell: |worker| unless_disabled(worker, subscribed),
    },
    Column {
        head: "TICKS/S",
        is_number: true,
        cell: |worker| unless_disabled(worker, |worker| rate(worker.ticks_per_second)),
    },
];

/// How a connection's ticks compare with those of the others; only where there is something to compare.
const CONTEST: [Column; 2] = [
    Column { head: "WON", is_number: true, cell: |worker| (won(&worker.view), None) },
    Column { head: "BEHIND", is_number: true, cell: |worker| (behind(&worker.view), None) },
];

/// The table with its head.
pub(super) fn lines(status: &FleetStatus, style: Style) -> Vec<String> {
    let contest = status.redundancy > 1 || status.workers.iter().any(was_compared);
    let all: Vec<&Column> =
        [&NAME].into_iter().chain(&REST).chain(CONTEST.iter().filter(|_| contest)).collect();
    let mut rows: Vec<Vec<(String, Option<Paint>)>> = Vec::new();
    rows.push(all.iter().map(|column| (column.head.to_owned(), Some(Paint::Faint))).collect());
    for worker in &status.workers {
        rows.push(all.iter().map(|column| (column.cell)(worker)).collect());
    }
    let mut widths: Vec<usize> = (0..all.len())
        .map(|column| rows.iter().map(|row| columns(&row[column].0)).max().unwrap_or_default())
        .collect();
    let taken = widths.iter().sum::<usize>() + GAP.len() * (widths.len() - 1);
    widths[0] = widths[0].saturating_sub(taken.saturating_sub(WIDTH)).max(NAME.head.len());
    let line = |row: &Vec<(String, Option<Paint>)>| {
        let cells = row.iter().zip(&all).zip(&widths).map(|(((text, paint), column), &width)| {
            let text = cut(text, width);
            let padded = if column.is_number {
                format!("{text:>width$}")
            } else {
                format!("{text:<width$}")
            };
            paint.map_or_else(|| padded.clone(), |paint| style.paint(paint, &padded))
        });
        cells.collect::<Vec<_>>().join(GAP)
    };
    rows.iter().map(line).collect()
}

fn unless_disabled(
    worker: &WorkerStatus,
    cell: fn(&WorkerStatus) -> String,
) -> (String, Option<Paint>) {
    if worker.process == WorkerProcess::Disabled {
        (NOTHING.to_owned(), None)
    } else {
        (cell(worker), None)
    }
}

fn quality(worker: &WorkerStatus) -> (String, Option<Paint>) {
    match worker.quality {
        // What it was worth before it was switched off says nothing any more.
        Some(quality) if worker.process != WorkerProcess::Disabled => {
            (format!("{:.0}", quality.score.round()), quality_paint(quality.score))
        }
        _ => (NOTHING.to_owned(), None),
    }
}

fn subscribed(worker: &WorkerStatus) -> String {
    let text =
        format!("{}/{} of {}", worker.acknowledged, worker.subscriptions, worker.max_subscriptions);
    cut(&text, SUBSCRIBED_WIDTH_MAX)
}

/// With one decimal while that fits.
fn rate(per_second: f64) -> String {
    if per_second < 100_000.0 {
        format!("{per_second:.1}")
    } else {
        format!("{:.0}", per_second.min(TICKS_PER_SECOND_MAX))
    }
}

/// It won, or was measured against who did. Late ticks alone, as a copy's first ones are while it moves, say nothing.
const fn was_compared(worker: &WorkerStatus) -> bool {
    worker.view.won > 0 || worker.view.copies > 0
}

/// Ticks that several connections brought.
const fn contested(view: &ConnectionView) -> u64 {
    view.won.saturating_add(view.copies).saturating_add(view.late)
}

/// The share of its contested ticks that it brought first. Rounded down: only who won all has 100 %.
fn won(view: &ConnectionView) -> String {
    let (won, all) = (u128::from(view.won), u128::from(contested(view)));
    (won * 100).checked_div(all).map_or_else(|| NOTHING.to_owned(), |share| format!("{share}%"))
}

/// How far its contested ticks lay behind the first arrival on average, milliseconds; those it won count as not at all.
/// Late ones are left out: nobody measured how far behind they were.
fn behind(view: &ConnectionView) -> String {
    let measured = view.won.saturating_add(view.copies);
    if measured == 0 {
        return NOTHING.to_owned();
    }
    #[expect(clippy::cast_precision_loss, reason = "a mean is shown with one decimal")]
    let ms = view.behind_ns as f64 / 1e6 / measured as f64;
    format!("{:.1}", ms.min(BEHIND_MS_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use shm_layout::WorkerId;

    #[test]
    fn a_contest_in_numbers() {
        let nothing = ConnectionView::of(WorkerId(0));
        assert_eq!((won(&nothing), behind(&nothing)), ("-".into(), "-".into()));
        let of = |won, copies, late, behind_ns| ConnectionView {
            won,
            copies,
            late,
            behind_ns,
            ..nothing
        };
        let view = of(999, 1, 0, 260_000_000);
        assert_eq!((won(&view), behind(&view)), ("99%".into(), "0.3".into()));
        let view = of(0, 0, 7, 0);
        assert_eq!((won(&view), behind(&view)), ("0%".into(), "-".into()));
        let view = of(5, 0, 0, 0);
        assert_eq!((won(&view), behind(&view)), ("100%".into(), "0.0".into()));
        let view = of(0, 1, 0, u64::MAX);
        assert_eq!((won(&view), behind(&view)), ("0%".into(), "99999.9".into()));
    }

    #[test]
    fn a_rate_stays_narrow() {
        assert_eq!([0.0, 41.46, 99_999.9].map(rate), ["0.0", "41.5", "99999.9"]);
        assert_eq!([100_000.4, 1e300].map(rate), ["100000", "99999999"]);
    }
}

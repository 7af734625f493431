//! Items of series as DIFF clients are told them, and the latest changes of each series, encoded once for all sessions that
//! were told as far (pure).

use crate::diff_session::Shown;
use crate::encoded::Encoded;
use crate::hashing::Map;
use crate::json_out::{push, push_int};
use crate::limits::SERIES_CHANGES_KEPT_MAX;
use crate::protocol::diff::{push_bar, push_tick_row};
use crate::protocol::quote_fields::Terms;
use crate::series::{Kind, SeriesBook, SeriesId};

/// How far a session has been told of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowsTold {
    /// The series' revision then.
    pub revision: u64,
    /// The first item that it has not been told.
    pub end: i64,
}

/// The latest changes of series.
#[derive(Debug, Default)]
pub struct SeriesRows {
    latest: Map<SeriesId, Latest>,
}

#[derive(Debug, Default)]
struct Latest {
    revision: u64,
    encoded: Encoded<RowsTold>,
}

// === impl SeriesRows ===

impl SeriesRows {
    /// What leads from what a session was told to the present: members of the series' object, each with a comma before it.
    pub fn since(
        &mut self,
        series: &SeriesBook,
        shown: &Shown,
        terms: Terms,
        told: RowsTold,
    ) -> &[u8] {
        let latest = self.latest.entry(shown.series).or_default();
        let revision = series.revision(shown.series);
        if std::mem::replace(&mut latest.revision, revision) != revision {
            latest.encoded.clear();
        }
        latest.encoded.since(told, SERIES_CHANGES_KEPT_MAX, |out| {
            push_change(out, series, shown, terms, told);
        })
    }

    /// A series is closed.
    pub fn forget(&mut self, series: SeriesId) {
        self.latest.remove(&series);
    }
}

fn push_change(
    out: &mut Vec<u8>,
    series: &SeriesBook,
    shown: &Shown,
    terms: Terms,
    told: RowsTold,
) {
    let id = shown.series;
    let last = series.last_id(id);
    let mut before = ",\"data\":{";
    if series.revision(id) > told.revision && matches!(shown.kind, Kind::Bars(_)) {
        let its_last = told.end - 1;
        if its_last < last {
            if push_row(out, before, series, id, its_last, terms) {
                before = ",";
            }
        } else if let Some(bar) = series.bar(id, its_last) {
            push_name(out, before, its_last);
            push_bar(out, bar, Some((series.changed(id), told.revision)));
            before = ",";
        }
    }
    for item in told.end..=last {
        if push_row(out, before, series, id, item, terms) {
            before = ",";
        }
    }
    if before == "," {
        out.push(b'}');
    }
    if told.end <= last {
        push(out, ",\"last_id\":");
        push_int(out, last);
    }
}

/// Appends an item under its id; false, and nothing, for one that is not kept.
pub fn push_row(
    out: &mut Vec<u8>,
    before: &str,
    series: &SeriesBook,
    id: SeriesId,
    item: i64,
    terms: Terms,
) -> bool {
    if let Some(bar) = series.bar(id, item) {
        push_name(out, before, item);
        push_bar(out, bar, None);
    } else if let Some(row) = series.tick(id, item) {
        push_name(out, before, item);
        push_tick_row(out, row, terms);
    } else {
        return false;
    }
    true
}

fn push_name(out: &mut Vec<u8>, before: &str, item: i64) {
    push(out, before);
    out.push(b'"');
    push_int(out, item);
    push(out, "\":");
}

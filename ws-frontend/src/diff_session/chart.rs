//! One chart of a client: which items it looks at, and what it says of itself.

use std::collections::BTreeMap;

use serde::de::IgnoredAny;

use super::bindings::Binding;
use super::held::{Held, NO_ITEM_YET, Shown};
use crate::hashing::Map;
use crate::json_out::{push, push_int, push_string};
use crate::protocol::diff::{SetChart, Window, close_object};
use crate::series::{Kind, SeriesBook, SeriesId};

/// A chart.
#[derive(Debug)]
pub(super) struct Chart {
    /// The message that set it.
    pack: Box<str>,
    pub(super) series: Vec<SeriesId>,
    view_width: i64,
    /// The first item that the client looks at, of each series; `None` for the latest ones.
    fixed_left: Option<Vec<i64>>,
    bindings: Vec<Binding>,
    /// Of a chart that cannot be shown: where its series would stand, and what the client was told of them last.
    nothing: Vec<Box<str>>,
    nothing_told: Option<i64>,
    duration_ns: i64,
    told: Option<View>,
    /// The client has one of this name in its snapshot, this or the one before.
    pub(super) in_snapshot: bool,
    /// Keys of the one before that this one does not have are in the snapshot's state.
    has_remains: bool,
}

/// What a chart says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct View {
    left_id: i64,
    right_id: i64,
    pub(super) ready: bool,
}

/// What of a chart's name the client has in its snapshot.
#[derive(Debug, Clone, Copy)]
pub(super) enum Before<'a> {
    /// It was never told of one.
    Nothing,
    /// One that is not known any more.
    Unknown,
    /// This one, or what this one found there.
    Chart(&'a Chart),
}

/// True when one message has a key that another has not.
fn has_more_keys(one: &str, other: &str) -> bool {
    let keys = |text| serde_json::from_str::<BTreeMap<String, IgnoredAny>>(text);
    match (keys(one), keys(other)) {
        (Ok(one), Ok(other)) => one.keys().any(|key| !other.contains_key(key)),
        _ => true,
    }
}

// === impl Chart ===

impl Chart {
    /// One that the client has not been told of.
    pub(super) fn new(
        request: SetChart,
        shown: &[Shown],
        before: Before<'_>,
        series: &SeriesBook,
    ) -> Self {
        let fixed = |shown: &Shown| match request.window {
            Window::Latest => None,
            Window::From { left_id } => Some(left_id.max(series.first_id(shown.series))),
            Window::Around { datetime_ns, position } => {
                let left_id = series.find(shown.series, datetime_ns) - position;
                Some(left_id.max(series.first_id(shown.series)))
            }
        };
        let has_remains = match before {
            Before::Nothing => false,
            Before::Unknown => true,
            Before::Chart(before) => {
                before.has_remains || has_more_keys(&before.pack, &request.pack)
            }
        };
        let nothing = if shown.is_empty() { request.symbols } else { Vec::new() };
        Self {
            nothing,
            nothing_told: None,
            duration_ns: request.duration_ns,
            fixed_left: shown.iter().map(fixed).collect(),
            pack: request.pack,
            series: shown.iter().map(|shown| shown.series).collect(),
            view_width: request.view_width,
            bindings: shown.iter().skip(1).map(|_| Binding::default()).collect(),
            told: None,
            in_snapshot: !matches!(before, Before::Nothing),
            has_remains,
        }
    }

    /// True until the client was told that it has all that the chart looks at.
    pub(super) fn has_more_data(&self) -> bool {
        self.told.is_none_or(|told| !told.ready)
    }

    /// True when the latest items are looked at, whichever they are.
    pub(super) const fn is_live(&self) -> bool {
        self.fixed_left.is_none()
    }

    /// The first and the last item that the client looks at, of the series at a place.
    pub(super) fn window(&self, at: usize, series: &SeriesBook) -> (i64, i64) {
        let id = self.series[at];
        let (first, last) = (series.first_id(id), series.last_id(id));
        match self.fixed_left.as_ref().and_then(|left| left.get(at)) {
            None => (first.max(last - self.view_width + 1), last),
            Some(left) => {
                let left = (*left).clamp(first, last + 1);
                (left, last.min(left.saturating_add(self.view_width - 1)))
            }
        }
    }

    /// What it says of itself now, when that is not what the client was told.
    pub(super) fn news(&self, held: &Map<SeriesId, Held>, series: &SeriesBook) -> Option<View> {
        let mut ready = true;
        for (at, id) in self.series.iter().enumerate() {
            let (left, right) = self.window(at, series);
            ready &= held.get(id).is_some_and(|held| held.covers(left, right));
        }
        let main = self.series.first().and_then(|id| held.get(id));
        let (left_id, right_id) = match main {
            // As for a series without an item.
            None => (NO_ITEM_YET + 1, NO_ITEM_YET),
            Some(main) => match main.last_id_told {
                None | Some(-1) => (-1, -1),
                Some(NO_ITEM_YET) if main.first == main.end => (NO_ITEM_YET + 1, NO_ITEM_YET),
                Some(_) => {
                    let (left, right) = self.window(0, series);
                    match self.fixed_left {
                        None => (left.max(main.first), right.min(main.end - 1)),
                        // Who pages through a series knows its end by ids in view that have no item.
                        Some(_) => (left, left.saturating_add(self.view_width - 1)),
                    }
                }
            },
        };
        let ready = ready || self.told.is_some_and(|told| told.ready);
        let view = View { left_id, right_id, ready };
        (self.told != Some(view)).then_some(view)
    }

    /// Appends what is new of what it says, and of a new one its state.
    pub(super) fn push(&mut self, out: &mut Vec<u8>, view: View) {
        let start = out.len();
        let told = self.told.replace(view);
        self.in_snapshot = true;
        if told.is_none_or(|told| told.left_id != view.left_id) {
            push(out, ",\"left_id\":");
            push_int(out, view.left_id);
        }
        if told.is_none_or(|told| told.right_id != view.right_id) {
            push(out, ",\"right_id\":");
            push_int(out, view.right_id);
        }
        if told.is_none_or(|told| told.ready != view.ready) {
            push(out, ",\"more_data\":");
            push(out, if view.ready { "false" } else { "true" });
            push(out, ",\"ready\":");
            push(out, if view.ready { "true" } else { "false" });
        }
        if told.is_none() {
            push(out, ",\"state\":");
            push(out, &self.pack);
        }
        close_object(out, start);
    }

    /// Says of a chart that cannot be shown that there is nothing, as [`Held::push`] does of a series without an item. True when
    /// there is more to say.
    pub(super) fn push_nothing(&mut self, out: &mut Vec<u8>) -> bool {
        if self.nothing.is_empty() {
            return false;
        }
        let last_id = self.nothing_told.map_or(-1, |_| NO_ITEM_YET);
        self.nothing_told = Some(last_id);
        for symbol in &self.nothing {
            push(out, if self.duration_ns == 0 { ",{\"ticks\":{" } else { ",{\"klines\":{" });
            push_string(out, symbol);
            if self.duration_ns != 0 {
                push(out, ":{\"");
                push_int(out, self.duration_ns);
                push(out, "\"");
            }
            push(out, ":{\"last_id\":");
            push_int(out, last_id);
            push(out, if self.duration_ns == 0 { "}}}" } else { "}}}}" });
        }
        if last_id == -1 {
            return true;
        }
        self.nothing = Vec::new();
        false
    }

    /// Takes the state of the chart of the same name before out of the client's snapshot where keys of it would stay.
    pub(super) fn push_oblivion(&mut self, out: &mut Vec<u8>, chart_id: &str) {
        if std::mem::take(&mut self.has_remains) {
            push(out, ",{\"charts\":{");
            push_string(out, chart_id);
            push(out, ":{\"state\":null}}}");
        }
    }

    /// Says which bars of the other series stand beside those of the first.
    pub(super) fn push_bindings(
        &mut self,
        out: &mut Vec<u8>,
        held: &Map<SeriesId, Held>,
        series: &SeriesBook,
    ) {
        let Some(main) = self.series.first().and_then(|id| held.get(id)) else { return };
        let Kind::Bars(duration) = main.shown.kind else { return };
        let others = self.series.iter().skip(1).filter_map(|id| held.get(id));
        for (other, binding) in others.zip(&mut self.bindings) {
            let start = out.len();
            push(out, ",{\"klines\":{");
            push_string(out, &main.shown.symbol);
            push(out, ":{\"");
            push_int(out, duration.as_ns());
            push(out, "\":{\"binding\":{");
            push_string(out, &other.shown.symbol);
            push(out, ":{");
            let datetime =
                |held: &Held, id: i64| series.bar(held.shown.series, id).map(|bar| bar.datetime_ns);
            let said = binding.push(
                out,
                (main.first..main.end, |id| datetime(main, id)),
                (other.first..other.end, |id| datetime(other, id)),
            );
            if said {
                push(out, "}}}}}}");
            } else {
                out.truncate(start);
            }
        }
    }
}

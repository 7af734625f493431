//! The series in a client's snapshot: its charts, and which items of each series it has been told.
//!
//! Charts of one series share its items. Of every series the client has one run of items without a gap, which grows at
//! both ends until it covers what all charts look at; of the last item it is told what changes.

use std::collections::{BTreeMap, VecDeque};

use super::chart::Chart;
use super::held::{Held, Shown, Wanted};
use crate::hashing::Map;
use crate::json_out::{push, push_string};
use crate::protocol::diff::SetChart;
use crate::quote_book::InstrumentIndex;
use crate::series::{SeriesBook, SeriesId};
use crate::world::World;

/// What a client gives back when a chart ends.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// To be closed, as often as they stand here.
    pub series: Vec<SeriesId>,
    /// Their instruments, of which nothing else may be wanted.
    pub instruments: Vec<InstrumentIndex>,
}

/// The charts of a client.
#[derive(Debug, Default)]
pub(super) struct Charts {
    charts: BTreeMap<Box<str>, Chart>,
    held: Map<SeriesId, Held>,
    of_instrument: Map<InstrumentIndex, Vec<SeriesId>>,
    /// Series that may have news, each once.
    news: VecDeque<SeriesId>,
    /// Charts that are no more, and that the client has in its snapshot.
    removed: Vec<Box<str>>,
    /// A chart was set, and the client not told of it.
    set: bool,
    more_data_told: bool,
}

// === impl Charts ===

impl Charts {
    /// Sets a chart; `shown` are its series, none where there is nothing to show. What the chart of that name had is given back.
    pub(super) fn set(
        &mut self,
        request: SetChart,
        shown: Vec<Shown>,
        series: &SeriesBook,
    ) -> Ended {
        let before = self.charts.get(&request.chart_id);
        let in_snapshot = before.is_some_and(|chart| chart.in_snapshot)
            || self.removed.contains(&request.chart_id);
        let ended = self.take_out(&request.chart_id);
        self.removed.retain(|chart_id| *chart_id != request.chart_id);
        let chart_id = request.chart_id.clone();
        let chart = Chart::new(request, &shown, in_snapshot, series);
        for shown in shown {
            let id = shown.series;
            let held = self.held.entry(id).or_insert_with(|| {
                self.of_instrument.entry(shown.instrument).or_default().push(id);
                Held::new(shown)
            });
            held.charts += 1;
            if !std::mem::replace(&mut held.queued, true) {
                self.news.push_back(id);
            }
        }
        self.charts.insert(chart_id, chart);
        self.set = true;
        ended
    }

    /// Takes a chart away.
    pub(super) fn remove(&mut self, chart_id: &str) -> Ended {
        let in_snapshot = self.charts.get(chart_id).is_some_and(|chart| chart.in_snapshot);
        let ended = self.take_out(chart_id);
        if in_snapshot {
            self.removed.push(chart_id.into());
        }
        ended
    }

    /// The client is gone.
    pub(super) fn clear(&mut self) -> Ended {
        let mut all = Ended::default();
        while let Some(chart_id) = self.charts.keys().next().cloned() {
            let ended = self.take_out(&chart_id);
            all.series.extend(ended.series);
            all.instruments.extend(ended.instruments);
        }
        all
    }

    pub(super) fn len(&self) -> usize {
        self.charts.len()
    }

    pub(super) fn has(&self, chart_id: &str) -> bool {
        self.charts.contains_key(chart_id)
    }

    pub(super) fn shows(&self, instrument: InstrumentIndex) -> bool {
        self.of_instrument.contains_key(&instrument)
    }

    /// An instrument has ticked.
    pub(super) fn note(&mut self, instrument: InstrumentIndex) {
        for id in self.of_instrument.get(&instrument).into_iter().flatten() {
            if let Some(held) = self.held.get_mut(id)
                && !std::mem::replace(&mut held.queued, true)
            {
                self.news.push_back(*id);
            }
        }
    }

    pub(super) fn has_news(&self) -> bool {
        self.set || !self.news.is_empty() || !self.removed.is_empty()
    }

    /// The client is told for the first time whether there is more data; true when there is.
    pub(super) fn greet(&mut self) -> bool {
        self.more_data_told = self.has_more_data();
        self.more_data_told
    }

    /// True while items that a chart looks at are still to be told.
    fn has_more_data(&self) -> bool {
        self.charts.values().any(Chart::has_more_data)
    }

    /// Appends patches, each with a comma before it, as far as there is something to say; `most` is where `out` should end.
    pub(super) fn push(&mut self, out: &mut Vec<u8>, most: usize, world: &mut World) {
        let turns = self.news.len();
        for _ in 0..turns {
            if out.len() >= most {
                break;
            }
            let Some(id) = self.news.pop_front() else { break };
            let wanted = self.wanted_of(id, &world.series);
            let Some(held) = self.held.get_mut(&id) else { continue };
            held.queued = held.push(out, most, wanted, world);
            if held.queued {
                self.news.push_back(id);
            }
        }
        self.push_charts(out, &world.series);
    }

    /// The items of a series that its charts look at, first and end.
    fn wanted_of(&self, id: SeriesId, series: &SeriesBook) -> Option<Wanted> {
        let mut wanted: Option<Wanted> = None;
        for chart in self.charts.values() {
            for (at, _) in chart.series.iter().enumerate().filter(|(_, shown)| **shown == id) {
                let (left, right) = chart.window(at, series);
                let live = chart.is_live();
                let all = wanted.get_or_insert(Wanted { first: left, end: right + 1, live });
                all.first = all.first.min(left);
                all.end = all.end.max(right + 1);
                all.live |= live;
            }
        }
        wanted
    }

    fn push_charts(&mut self, out: &mut Vec<u8>, series: &SeriesBook) {
        self.set = false;
        for chart in self.charts.values_mut() {
            chart.push_bindings(out, &self.held, series);
        }
        let start = out.len();
        let mut before = ",{\"charts\":{";
        for (chart_id, chart) in &mut self.charts {
            let Some(view) = chart.news(&self.held, series) else { continue };
            push(out, std::mem::replace(&mut before, ","));
            push_string(out, chart_id);
            out.push(b':');
            chart.push(out, view);
        }
        for chart_id in self.removed.drain(..) {
            push(out, std::mem::replace(&mut before, ","));
            push_string(out, &chart_id);
            push(out, ":null");
        }
        if out.len() > start {
            out.push(b'}');
            let more_data = self.has_more_data();
            if std::mem::replace(&mut self.more_data_told, more_data) != more_data {
                push(out, ",\"mdhis_more_data\":");
                push(out, if more_data { "true" } else { "false" });
            }
            out.push(b'}');
        }
    }

    fn take_out(&mut self, chart_id: &str) -> Ended {
        let mut ended = Ended::default();
        let Some(chart) = self.charts.remove(chart_id) else { return ended };
        for id in chart.series {
            ended.series.push(id);
            let Some(held) = self.held.get_mut(&id) else { continue };
            held.charts -= 1;
            let instrument = held.shown.instrument;
            ended.instruments.push(instrument);
            if held.charts > 0 {
                continue;
            }
            self.held.remove(&id);
            self.news.retain(|queued| *queued != id);
            if let Some(of_instrument) = self.of_instrument.get_mut(&instrument) {
                of_instrument.retain(|series| *series != id);
                if of_instrument.is_empty() {
                    self.of_instrument.remove(&instrument);
                }
            }
        }
        ended
    }
}

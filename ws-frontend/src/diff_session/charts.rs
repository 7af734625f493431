//! The series in a client's snapshot: its charts, and which items of each series it has been told.
//!
//! Charts of one series share its items. Of every series the client has one run of items without a gap, which grows at
//! both ends until it covers what all charts look at; of the last item it is told what changes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use super::chart::{Before, Chart};
use super::held::{Held, Shown, Wanted};
use crate::hashing::Map;
use crate::json_out::{push, push_flag, push_string};
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
    charts: BTreeMap<Rc<str>, Chart>,
    held: Map<SeriesId, Held>,
    of_instrument: Map<InstrumentIndex, Vec<SeriesId>>,
    /// Series that may have news; some are held no longer.
    news: VecDeque<SeriesId>,
    /// Charts that may have something else to say of themselves than they said.
    unsettled: BTreeSet<Rc<str>>,
    /// Charts that are no more, and that the client has in its snapshot.
    removed: BTreeSet<Rc<str>>,
    /// Charts of which the client has not been told that they are ready.
    unready: usize,
    more_data_told: bool,
}

// === impl Charts ===

impl Charts {
    /// Entries of series no longer held that the queue of news may have beside the others.
    const STALE_NEWS_MAX: usize = 64;

    /// Sets a chart; `shown` are its series. What the chart of that name had is given back; what both show is not told anew.
    pub(super) fn set(
        &mut self,
        request: SetChart,
        shown: Vec<Shown>,
        series: &SeriesBook,
    ) -> Ended {
        let id: Rc<str> = Rc::from(&*request.chart_id);
        let replaced = self.charts.remove(&id);
        let before = match &replaced {
            _ if self.removed.remove(&id) => Before::Unknown,
            Some(chart) if chart.in_snapshot => Before::Chart(chart),
            _ => Before::Nothing,
        };
        let chart = Chart::new(request, &shown, before, series);
        for shown in shown {
            let series = shown.series;
            let held = self.held.entry(series).or_insert_with(|| {
                self.of_instrument.entry(shown.instrument).or_default().push(series);
                Held::new(shown)
            });
            held.charts.push(Rc::clone(&id));
            self.queue(series);
        }
        self.unready += 1;
        self.charts.insert(Rc::clone(&id), chart);
        let ended = replaced.map_or_else(Ended::default, |replaced| self.let_go(&id, replaced));
        self.unsettled.insert(id);
        ended
    }

    /// Takes a chart away.
    pub(super) fn remove(&mut self, chart_id: &str) -> Ended {
        let Some((id, chart)) = self.charts.remove_entry(chart_id) else { return Ended::default() };
        self.unsettled.remove(&id);
        if chart.in_snapshot {
            self.removed.insert(Rc::clone(&id));
        }
        self.let_go(&id, chart)
    }

    /// The client is gone.
    pub(super) fn clear(&mut self) -> Ended {
        let mut all = Ended::default();
        for (_, chart) in std::mem::take(&mut self.charts) {
            all.series.extend(chart.series);
        }
        *self = Self::default();
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

    /// The name under which an instrument is shown.
    pub(super) fn name_of(&self, instrument: InstrumentIndex) -> Option<&str> {
        let series = self.of_instrument.get(&instrument)?.first()?;
        Some(&self.held.get(series)?.shown.symbol)
    }

    /// An instrument has ticked.
    pub(super) fn note(&mut self, instrument: InstrumentIndex) {
        let series = self.of_instrument.get(&instrument).into_iter().flatten();
        for id in series {
            queue(&mut self.held, &mut self.news, *id);
        }
    }

    pub(super) fn has_news(&self) -> bool {
        !self.news.is_empty() || !self.unsettled.is_empty() || !self.removed.is_empty()
    }

    /// The client is told for the first time whether there is more data; true when there is.
    pub(super) const fn greet(&mut self) -> bool {
        self.more_data_told = self.unready > 0;
        self.more_data_told
    }

    /// Appends patches, each with a comma before it, as far as there is something to say; `most` is where `out` should end.
    pub(super) fn push(&mut self, out: &mut Vec<u8>, most: usize, world: &mut World) {
        for _ in 0..self.news.len() {
            if out.len() >= most {
                break;
            }
            let Some(id) = self.news.pop_front() else { break };
            let wanted = self.wanted_of(id, &world.series);
            let Some(held) = self.held.get_mut(&id) else { continue };
            if !std::mem::take(&mut held.queued) {
                continue;
            }
            let more = held.push(out, most, wanted, world);
            self.unsettled.extend(held.charts.iter().cloned());
            if more {
                self.queue(id);
            }
        }
        self.push_charts(out, &world.series);
    }

    /// The items of a series that its charts look at, first and end.
    fn wanted_of(&self, id: SeriesId, series: &SeriesBook) -> Option<Wanted> {
        let mut wanted: Option<Wanted> = None;
        let charts = self.held.get(&id)?.charts.iter();
        for chart in charts.filter_map(|chart| self.charts.get(chart)) {
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
        let unsettled = std::mem::take(&mut self.unsettled);
        for id in &unsettled {
            let Some(chart) = self.charts.get_mut(id) else { continue };
            chart.push_bindings(out, &self.held, series);
            chart.push_oblivion(out, id);
            if chart.push_nothing(out) {
                self.unsettled.insert(Rc::clone(id));
            }
        }
        let start = out.len();
        let mut before = ",{\"charts\":{";
        for id in &unsettled {
            let Some(chart) = self.charts.get_mut(id) else { continue };
            let Some(view) = chart.news(&self.held, series) else { continue };
            push(out, std::mem::replace(&mut before, ","));
            push_string(out, id);
            out.push(b':');
            self.unready -= usize::from(chart.has_more_data() && view.ready);
            chart.push(out, view);
        }
        for id in std::mem::take(&mut self.removed) {
            push(out, std::mem::replace(&mut before, ","));
            push_string(out, &id);
            push(out, ":null");
        }
        if before == "," {
            out.push(b'}');
        }
        let more_data = self.unready > 0;
        if std::mem::replace(&mut self.more_data_told, more_data) != more_data {
            push(
                out,
                if before == "," { ",\"mdhis_more_data\":" } else { ",{\"mdhis_more_data\":" },
            );
            push_flag(out, more_data);
        }
        if out.len() > start {
            out.push(b'}');
        }
    }

    /// Gives back what a chart had that is no more.
    fn let_go(&mut self, id: &Rc<str>, chart: Chart) -> Ended {
        let mut ended = Ended::default();
        self.unready -= usize::from(chart.has_more_data());
        for series in chart.series {
            ended.series.push(series);
            let Some(held) = self.held.get_mut(&series) else { continue };
            if let Some(at) = held.charts.iter().position(|chart| chart == id) {
                held.charts.swap_remove(at);
            }
            let instrument = held.shown.instrument;
            ended.instruments.push(instrument);
            if !held.charts.is_empty() {
                continue;
            }
            self.held.remove(&series);
            if let Some(of_instrument) = self.of_instrument.get_mut(&instrument) {
                of_instrument.retain(|other| *other != series);
                if of_instrument.is_empty() {
                    self.of_instrument.remove(&instrument);
                }
            }
        }
        ended
    }

    fn queue(&mut self, id: SeriesId) {
        queue(&mut self.held, &mut self.news, id);
        if self.news.len() > 2 * self.held.len() + Self::STALE_NEWS_MAX {
            let held = &self.held;
            self.news.retain(|id| held.contains_key(id));
        }
    }
}

/// Notes that a series may have news; each stands in the queue once.
fn queue(held: &mut Map<SeriesId, Held>, news: &mut VecDeque<SeriesId>, id: SeriesId) {
    if let Some(held) = held.get_mut(&id)
        && !std::mem::replace(&mut held.queued, true)
    {
        news.push_back(id);
    }
}

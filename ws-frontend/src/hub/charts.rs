//! Charts of DIFF clients. To open a series is to make its bars, which takes up to some milliseconds: of a chart of several
//! instruments one is opened in a turn, and its client is not read from until all are.

use std::collections::VecDeque;
use std::time::Instant;

use shm_layout::InstrumentId;

use super::{Hub, Peer, touch};
use crate::catalog::Symbol;
use crate::diff_session::{Ended, Shown};
use crate::interests::SessionIndex;
use crate::limits::{CHART_INSTRUMENTS_MAX, CHARTS_MAX};
use crate::protocol::diff::SetChart;
use crate::protocol::shortened;
use crate::series::{BarDuration, Kind};

/// As clients write them, and what they name.
type Symbols = VecDeque<(Box<str>, Symbol)>;

/// A chart that is being opened.
#[derive(Debug)]
pub(super) struct Opening {
    session: SessionIndex,
    chart: SetChart,
    kind: Kind,
    /// Still to be opened.
    symbols: Symbols,
    shown: Vec<Shown>,
}

impl<P: Peer> Hub<P> {
    /// Sets a chart; one that cannot be shown is set all the same, with nothing in it, and the client told why.
    pub(super) fn set_chart(&mut self, index: SessionIndex, chart: SetChart, now: Instant) {
        let mut charts = 0;
        self.with_diff(index, |diff, _| charts = diff.charts_with(&chart.chart_id));
        if charts > CHARTS_MAX {
            let message = format!(
                "a client may have {CHARTS_MAX} charts; remove some (an empty \"ins_list\"); chart {:?} was not set",
                shortened(&chart.chart_id)
            );
            return self.refuse_diff(index, &message);
        }
        match self.resolve(index, &chart) {
            Ok((kind, symbols)) => {
                let opening = Opening { session: index, chart, kind, symbols, shown: Vec::new() };
                if let Some(session) = self.sessions.get_mut(index) {
                    session.opens_chart = true;
                }
                self.openings.push_back(opening);
                self.open_next(now);
            }
            Err(message) => {
                self.refuse_diff(index, &message);
                self.put_chart(index, chart, Vec::new(), now);
            }
        }
    }

    pub(super) fn remove_chart(&mut self, index: SessionIndex, chart_id: &str, now: Instant) {
        let mut ended = Ended::default();
        self.with_diff(index, |diff, _| ended = diff.remove_chart(chart_id));
        self.give_back(index, ended, now);
    }

    /// Opens the next series of the charts that wait for theirs. True when there is more to open.
    pub fn open_next(&mut self, now: Instant) -> bool {
        let Some(mut opening) = self.openings.pop_front() else { return false };
        if let Some((symbol, Symbol { exchange, instrument })) = opening.symbols.pop_front() {
            match self.world.series.open(instrument, opening.kind) {
                Ok(series) => {
                    let (instrument, _) = self.want(opening.session, instrument);
                    let kind = opening.kind;
                    opening.shown.push(Shown { instrument, symbol, exchange, kind, series });
                }
                Err(error) => {
                    opening.symbols.clear();
                    self.take_back(opening.session, std::mem::take(&mut opening.shown), now);
                    let message = format!("{}: {error}", shortened(&symbol));
                    self.refuse_diff(opening.session, &message);
                }
            }
        }
        if opening.symbols.is_empty() {
            if let Some(session) = self.sessions.get_mut(opening.session) {
                session.opens_chart = false;
                touch(&mut self.touched, opening.session, session);
            }
            self.put_chart(opening.session, opening.chart, opening.shown, now);
        } else {
            self.openings.push_back(opening);
        }
        !self.openings.is_empty()
    }

    /// The client is gone, or closing.
    pub(super) fn forget_openings(&mut self, index: SessionIndex) {
        let (its, others): (Vec<_>, Vec<_>) = std::mem::take(&mut self.openings)
            .into_iter()
            .partition(|opening| opening.session == index);
        self.openings = others.into();
        for shown in its.iter().flat_map(|opening| &opening.shown) {
            self.world.close_series(shown.series);
        }
    }

    /// What a chart shows, or why it cannot.
    fn resolve(
        &mut self,
        index: SessionIndex,
        chart: &SetChart,
    ) -> Result<(Kind, Symbols), String> {
        if chart.symbols.len() > CHART_INSTRUMENTS_MAX {
            return Err(format!(
                "\"ins_list\" has {} symbols; a chart may have {CHART_INSTRUMENTS_MAX}",
                chart.symbols.len()
            ));
        }
        let kind = match chart.duration_ns {
            0 => Kind::Ticks,
            ns => Kind::Bars(BarDuration::try_from_ns(ns).map_err(|error| error.to_string())?),
        };
        let mut symbols = Symbols::new();
        for text in &chart.symbols {
            let shown = shortened(text);
            let symbol = Symbol::parse(text).ok_or_else(|| {
                format!("{shown:?} is no symbol; one is an exchange, a point and an instrument, such as SHFE.rb2601")
            })?;
            let Symbol { exchange, instrument } = symbol;
            if !self.world.may_be_at(&instrument, exchange) {
                return Err(format!("{shown}: there is no such contract at {exchange}"));
            }
            let beside = symbols.iter().find(|(_, other)| other.instrument == instrument);
            let beside = beside.map(|(name, _)| name.to_string());
            if let Some(name) = beside.or_else(|| self.chart_name_of(index, &instrument))
                && *name != **text
            {
                let name = shortened(&name);
                return Err(format!(
                    "{shown}: this client has charts of the same instrument as {name}; one of its names has to do"
                ));
            }
            symbols.push_back((text.clone(), symbol));
        }
        let instruments: Vec<InstrumentId> =
            symbols.iter().map(|(_, symbol)| symbol.instrument).collect();
        self.room_for(index, &instruments, 0)?;
        Ok((kind, symbols))
    }

    fn chart_name_of(&mut self, index: SessionIndex, instrument: &InstrumentId) -> Option<String> {
        let number = self.world.book.find(instrument)?;
        let mut name = None;
        self.with_diff(index, |diff, _| name = diff.chart_name_of(number).map(str::to_owned));
        name
    }

    fn put_chart(&mut self, index: SessionIndex, chart: SetChart, shown: Vec<Shown>, now: Instant) {
        let mut ended = Ended::default();
        self.with_diff(index, |diff, world| ended = diff.set_chart(chart, shown, &world.series));
        self.give_back(index, ended, now);
    }

    /// What was opened of a chart that cannot be shown after all.
    fn take_back(&mut self, index: SessionIndex, shown: Vec<Shown>, now: Instant) {
        let mut ended = Ended::default();
        for shown in shown {
            ended.series.push(shown.series);
            ended.instruments.push(shown.instrument);
        }
        self.with_diff(index, |diff, _| {
            ended.instruments.retain(|instrument| !diff.wants(*instrument));
        });
        self.give_back(index, ended, now);
    }

    /// Series and instruments that a client has no use for any longer.
    fn give_back(&mut self, index: SessionIndex, ended: Ended, now: Instant) {
        ended.series.into_iter().for_each(|series| self.world.close_series(series));
        for number in ended.instruments {
            self.unwant(index, number, now);
        }
    }
}

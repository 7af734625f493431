//! What clients ask in DIFF.

use std::time::Instant;

use shm_layout::InstrumentId;

use super::{Hub, Peer, touch};
use crate::catalog::Symbol;
use crate::diff_session::{DiffSession, Ended, Listed, Shown};
use crate::hashing::Set;
use crate::interests::SessionIndex;
use crate::limits::CHARTS_MAX;
use crate::protocol::diff::{Notice, Request, SetChart, push_answered, push_refused, symbols_of};
use crate::series::{BarDuration, Kind};
use crate::session::{QueryToken, Speech};
use crate::world::World;

/// A query that the catalog has, or is about to have.
#[derive(Debug)]
pub(super) struct Asked {
    session: SessionIndex,
    /// The client's name for it.
    query_id: Box<str>,
    query: Box<str>,
    variables: Option<serde_json::Value>,
}

impl<P: Peer> Hub<P> {
    pub(super) fn grant_diff(&mut self, index: SessionIndex, request: Request, now: Instant) {
        match request {
            Request::Peek => self.with_diff(index, |diff, _| diff.peek()),
            Request::SubscribeQuote { ins_list } => self.list_quotes(index, &ins_list, now),
            Request::Query { query_id, query, variables } => {
                self.ask(index, query_id, query, variables);
            }
            Request::ForgetQuery { query_id } => self.answer(index, &query_id, b"null".to_vec()),
            Request::SetChart(chart) => self.set_chart(index, chart, now),
            Request::RemoveChart { chart_id } => {
                let mut ended = Ended::default();
                self.with_diff(index, |diff, _| ended = diff.remove_chart(&chart_id));
                self.give_back(index, ended, now);
            }
        }
    }

    /// Says to a DIFF client what was wrong with its message.
    pub(super) fn refuse_diff(&mut self, index: SessionIndex, message: &str) {
        self.stats.bad_messages += 1;
        self.with_diff(index, |diff, _| diff.notice(Notice::refusal(message)));
    }

    /// More instruments are known to exist, and perhaps more of those that were.
    pub(super) fn instruments_are_known(&mut self) {
        self.world.refresh_terms();
        for index in self.sessions.indices() {
            self.with_diff(index, |diff, _| diff.note_unknown());
        }
    }

    fn list_quotes(&mut self, index: SessionIndex, ins_list: &str, now: Instant) {
        let symbols: Vec<(&str, Option<Symbol>)> =
            symbols_of(ins_list).map(|text| (text, Symbol::parse(text))).collect();
        let known = symbols.iter().filter_map(|(_, symbol)| symbol.as_ref());
        let distinct: Set<InstrumentId> = known.map(|symbol| symbol.instrument).collect();
        let instruments: Vec<InstrumentId> = distinct.into_iter().collect();
        let dropped = self.interests.count_of(index);
        if let Err(message) = self.room_for(index, &instruments, dropped) {
            return self.refuse_diff(index, &message);
        }
        let mut listed = Vec::with_capacity(symbols.len());
        let (mut fresh, mut strange) = (Vec::new(), Vec::new());
        for (text, symbol) in symbols {
            match symbol {
                Some(symbol) => {
                    let (number, new) = self.want(index, symbol.instrument);
                    if new {
                        fresh.push(symbol.instrument);
                    }
                    listed
                        .push((number, Listed { symbol: text.into(), exchange: symbol.exchange }));
                }
                None => strange.push(text),
            }
        }
        let mut dropped = Vec::new();
        self.with_diff(index, |diff, world| dropped = diff.list(ins_list, listed, world));
        for number in dropped {
            self.unwant(index, number, now);
        }
        self.tell_stale(index, &fresh);
        if let Some(first) = strange.first() {
            let message = format!(
                "{} of the symbols subscribed are none, {first:?} among them; a symbol is an exchange, a point and an instrument, such as SHFE.rb2601",
                strange.len()
            );
            self.refuse_diff(index, &message);
        }
    }

    /// Sets a chart; one that cannot be shown is set all the same, with nothing in it, and the client told why.
    fn set_chart(&mut self, index: SessionIndex, chart: SetChart, now: Instant) {
        let shown = self.show(index, &chart).unwrap_or_else(|message| {
            self.refuse_diff(index, &message);
            Vec::new()
        });
        let mut ended = Ended::default();
        self.with_diff(index, |diff, world| ended = diff.set_chart(chart, shown, &world.series));
        self.give_back(index, ended, now);
    }

    /// Opens what a chart shows, or says why not.
    fn show(&mut self, index: SessionIndex, chart: &SetChart) -> Result<Vec<Shown>, String> {
        let mut charts = 0;
        self.with_diff(index, |diff, _| charts = diff.charts_with(&chart.chart_id));
        if charts > CHARTS_MAX {
            return Err(format!(
                "this client has {CHARTS_MAX} charts; remove some (an empty \"ins_list\"); chart {:?} stays empty",
                chart.chart_id
            ));
        }
        let kind = match chart.duration_ns {
            0 => Kind::Ticks,
            ns => Kind::Bars(BarDuration::try_from_ns(ns).map_err(|error| error.to_string())?),
        };
        let mut symbols = Vec::with_capacity(chart.symbols.len());
        for text in &chart.symbols {
            let symbol = Symbol::parse(text).ok_or_else(|| {
                format!("{text:?} is no symbol; one is an exchange, a point and an instrument, such as SHFE.rb2601")
            })?;
            symbols.push((text, symbol));
        }
        let instruments: Vec<InstrumentId> =
            symbols.iter().map(|(_, symbol)| symbol.instrument).collect();
        self.room_for(index, &instruments, 0)?;
        let mut shown: Vec<Shown> = Vec::with_capacity(symbols.len());
        for (text, Symbol { exchange, instrument }) in symbols {
            match self.world.series.open(instrument, kind) {
                Ok(series) => {
                    let (instrument, _) = self.want(index, instrument);
                    let symbol = text.clone();
                    shown.push(Shown { instrument, symbol, exchange, kind, series });
                }
                Err(error) => {
                    shown.iter().for_each(|shown| self.world.close_series(shown.series));
                    return Err(format!("{text}: {error}"));
                }
            }
        }
        Ok(shown)
    }

    /// Series and instruments that a client has no use for any longer.
    fn give_back(&mut self, index: SessionIndex, ended: Ended, now: Instant) {
        ended.series.into_iter().for_each(|series| self.world.close_series(series));
        for number in ended.instruments {
            self.unwant(index, number, now);
        }
    }

    fn ask(
        &mut self,
        index: SessionIndex,
        query_id: Box<str>,
        query: Box<str>,
        variables: Option<serde_json::Value>,
    ) {
        let Some(session) = self.sessions.get_mut(index) else { return };
        self.tokens += 1;
        let token = QueryToken(self.tokens);
        session.asking = Some(token);
        self.to_ask.push_back(token);
        self.asked.insert(token, Asked { session: index, query_id, query, variables });
    }

    /// The next query for the catalog, and the values of its variables; its client is not read from until it is answered.
    pub fn next_query(&mut self) -> Option<(QueryToken, String, Option<serde_json::Value>)> {
        let token = self.to_ask.pop_front()?;
        let asked = self.asked.get(&token)?;
        Some((token, asked.query.to_string(), asked.variables.clone()))
    }

    /// The catalog's answer to a query: the JSON of its result, or why there is none.
    pub fn answered(&mut self, token: QueryToken, outcome: Result<&[u8], &str>) {
        let Some(asked) = self.asked.remove(&token) else { return };
        let Some(session) = self.sessions.get_mut(asked.session) else { return };
        // It is gone, and another may have its place.
        if session.asking != Some(token) {
            return;
        }
        session.asking = None;
        touch(&mut self.touched, asked.session, session);
        let mut json = Vec::new();
        push_answered(&mut json, &asked.query, asked.variables.as_ref(), outcome);
        self.answer(asked.session, &asked.query_id, json);
    }

    fn answer(&mut self, index: SessionIndex, query_id: &str, json: Vec<u8>) {
        let mut refused = None;
        self.with_diff(index, |diff, _| refused = diff.answer_query(query_id, json).err());
        if let Some(refused) = refused {
            let mut json = Vec::new();
            push_refused(&mut json, &refused.to_string());
            self.with_diff(index, |diff, _| {
                // Where even that has no place, the client has taken no answer for long.
                let _dropped = diff.answer_query(query_id, json);
            });
        }
    }

    /// Does something with what DIFF remembers of a client, which may then be due an answer.
    pub(super) fn with_diff(
        &mut self,
        index: SessionIndex,
        work: impl FnOnce(&mut DiffSession, &mut World),
    ) {
        let Some(session) = self.sessions.get_mut(index) else { return };
        let Speech::Diff(diff) = &mut session.speech else { return };
        work(diff, &mut self.world);
        if diff.is_due() {
            touch(&mut self.touched, index, session);
        }
    }
}

//! What clients ask in DIFF; charts and queries stand beside it.

use std::time::Instant;

use shm_layout::InstrumentId;

use super::{Hub, Peer, touch};
use crate::catalog::Symbol;
use crate::diff_session::{DiffSession, Listed};
use crate::hashing::Set;
use crate::interests::SessionIndex;
use crate::protocol::diff::{Notice, Request, symbols_of};
use crate::protocol::shortened;
use crate::session::Speech;
use crate::world::World;

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
            Request::RemoveChart { chart_id } => self.remove_chart(index, &chart_id, now),
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
            self.with_diff(index, |diff, _| diff.note_all());
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
            let Some(Symbol { exchange, instrument }) = symbol else {
                strange.push(text);
                continue;
            };
            // There is no such contract.
            if !self.world.may_be_at(&instrument, exchange) {
                continue;
            }
            let (number, new) = self.want(index, instrument);
            if new {
                fresh.push(instrument);
            }
            listed.push((number, Listed { symbol: text.into(), exchange }));
        }
        let mut dropped = Vec::new();
        self.with_diff(index, |diff, world| dropped = diff.list(ins_list, listed, world));
        for number in dropped {
            self.unwant(index, number, now);
        }
        self.tell_stale(index, &fresh);
        if let Some(first) = strange.first() {
            let message = format!(
                "{} of the symbols subscribed are none, {:?} among them; a symbol is an exchange, a point and an instrument, such as SHFE.rb2601",
                strange.len(),
                shortened(first)
            );
            self.refuse_diff(index, &message);
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

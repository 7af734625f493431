//! Queries of DIFF clients about instruments, on their way to the catalog and back.

use super::{Hub, Peer, touch};
use crate::catalog::Unknown;
use crate::interests::SessionIndex;
use crate::protocol::diff::{Notice, push_refused};
use crate::session::QueryToken;

/// A query on its way to the catalog.
#[derive(Debug)]
pub(super) struct Query {
    /// To be given back with the answer.
    pub(super) token: QueryToken,
    /// In GraphQL.
    pub(super) query: Box<str>,
    /// An object with the values of its variables, in JSON.
    pub(super) variables: Option<Box<str>>,
}

/// Who waits for an answer.
#[derive(Debug)]
pub(super) struct Asked {
    session: SessionIndex,
    /// The client's name for the query.
    query_id: Box<str>,
}

impl<P: Peer> Hub<P> {
    pub(super) fn ask(
        &mut self,
        index: SessionIndex,
        query_id: Box<str>,
        query: Box<str>,
        variables: Option<Box<str>>,
    ) {
        let Some(session) = self.sessions.get_mut(index) else { return };
        self.tokens += 1;
        let token = QueryToken(self.tokens);
        session.asking = Some(token);
        self.to_ask.push_back(Query { token, query, variables });
        self.asked.insert(token, Asked { session: index, query_id });
    }

    /// The next query for the catalog, in GraphQL, and the values of its variables; its client is not read from until it is
    /// answered.
    pub fn next_query(&mut self) -> Option<(QueryToken, String, Option<Box<str>>)> {
        while let Some(Query { token, query, variables }) = self.to_ask.pop_front() {
            // Of one whose client is gone nobody waits for the answer.
            if self.asked.contains_key(&token) {
                return Some((token, query.into_string(), variables));
            }
        }
        None
    }

    /// The catalog's answer to a query. Who names what nobody knows is told so: TqSdk goes on waiting for it, for 30 s.
    pub fn answered(&mut self, token: QueryToken, json: Vec<u8>, unknown: &Unknown) {
        let Some(asked) = self.asked.remove(&token) else { return };
        let Some(session) = self.sessions.get_mut(asked.session) else { return };
        session.asking = None;
        touch(&mut self.touched, asked.session, session);
        if unknown.count > 0 {
            self.with_diff(asked.session, |diff, _| diff.notice(Notice::unknown(unknown)));
        }
        self.answer(asked.session, &asked.query_id, json);
    }

    pub(super) fn answer(&mut self, index: SessionIndex, query_id: &str, json: Vec<u8>) {
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

    /// The client that asked is gone, or closing.
    pub(super) fn forget_query(&mut self, token: QueryToken) {
        self.asked.remove(&token);
    }
}

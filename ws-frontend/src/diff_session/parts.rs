//! What waits for a client beside quotes and series: answers to queries, and notices.

use std::collections::VecDeque;

use crate::json_out::{push, push_string};
use crate::limits::{ANSWERS_WAITING_BYTES_MAX, ANSWERS_WAITING_MAX, NOTICES_WAITING_MAX};
use crate::protocol::diff::Notice;

/// Parts of the client's snapshot that are sent as they are.
#[derive(Debug, Default)]
pub(super) struct Parts {
    /// By the client's name for the query; the JSON of what stands under it.
    answers: VecDeque<(Box<str>, Vec<u8>)>,
    answers_bytes: usize,
    notices: VecDeque<Notice>,
    /// Notices that had no place.
    unsaid: u64,
    /// Names notices: no two have the same name, in this connection or another, since a client keeps those of before.
    name: u64,
    noticed: u64,
}

/// Why an answer does not wait for its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "too many answers to queries wait for this client ({ANSWERS_WAITING_MAX}, or {ANSWERS_WAITING_BYTES_MAX} bytes); send peek_message to get them, or ask for less"
)]
pub struct TooManyAnswers;

// === impl Parts ===

impl Parts {
    /// Nothing. `name`: a number that no other connection of this client has.
    pub(super) fn new(name: u64) -> Self {
        Self { name, ..Self::default() }
    }

    /// The answer to a query, as JSON; it takes the place of one that waits under the same name.
    pub(super) fn answer(&mut self, query_id: &str, json: Vec<u8>) -> Result<(), TooManyAnswers> {
        if let Some(at) = self.answers.iter().position(|(id, _)| **id == *query_id)
            && let Some((_, before)) = self.answers.remove(at)
        {
            self.answers_bytes -= before.len() + query_id.len();
        }
        if self.answers.len() >= ANSWERS_WAITING_MAX
            || self.answers_bytes + json.len() + query_id.len() > ANSWERS_WAITING_BYTES_MAX
        {
            return Err(TooManyAnswers);
        }
        self.answers_bytes += json.len() + query_id.len();
        self.answers.push_back((query_id.into(), json));
        Ok(())
    }

    /// A notice. One that has no place is counted, and the client told how many there were.
    pub(super) fn notice(&mut self, notice: Notice) {
        if self.notices.len() >= NOTICES_WAITING_MAX {
            self.unsaid += 1;
        } else {
            self.notices.push_back(notice);
        }
    }

    pub(super) fn has_news(&self) -> bool {
        !self.answers.is_empty() || !self.notices.is_empty() || self.unsaid > 0
    }

    /// Appends all of it as members of a JSON object, each with a comma before it.
    pub(super) fn push(&mut self, out: &mut Vec<u8>) {
        let mut before = ",\"symbols\":{";
        for (query_id, json) in self.answers.drain(..) {
            push(out, std::mem::replace(&mut before, ","));
            push_string(out, &query_id);
            out.push(b':');
            out.extend_from_slice(&json);
        }
        if before == "," {
            out.push(b'}');
        }
        self.answers_bytes = 0;
        if self.unsaid > 0 {
            self.notices.push_back(Notice::left_out(std::mem::take(&mut self.unsaid)));
        }
        let mut before = ",\"notify\":{";
        for notice in self.notices.drain(..) {
            self.noticed += 1;
            push(out, std::mem::replace(&mut before, ","));
            push_string(out, &format!("qamd-{}-{}", self.name, self.noticed));
            out.push(b':');
            notice.push_json(out);
        }
        if before == "," {
            out.push(b'}');
        }
    }
}

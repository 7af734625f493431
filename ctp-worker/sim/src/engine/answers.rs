//! Answers that wait for their moment.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use crate::engine::callbacks::{Names, Topic};
use crate::instrument::InstrumentId;
use crate::limits::PENDING_ANSWERS_MAX;

/// A request that will be answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Login { names: Names, request_id: i32 },
    Logout { names: Names, request_id: i32 },
    Multicast { request_id: i32 },
    Instruments { topic: Topic, ids: Vec<InstrumentId> },
}

/// Requests in the order of their answers: by time, then as they came.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    waiting: BinaryHeap<Reverse<Waiting>>,
    came: u64,
}

#[derive(Debug, PartialEq, Eq)]
struct Waiting {
    due_ns: u64,
    came: u64,
    request: Request,
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.due_ns, self.came).cmp(&(other.due_ns, other.came))
    }
}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Answers {
    /// Puts a request off until `due_ns`. Beyond the bound it is lost.
    pub(crate) fn put_off(&mut self, due_ns: u64, request: Request) {
        if self.waiting.len() < PENDING_ANSWERS_MAX {
            self.came += 1;
            self.waiting.push(Reverse(Waiting { due_ns, came: self.came, request }));
        }
    }

    /// Takes the next request whose answer is due.
    pub(crate) fn take_due(&mut self, now_ns: u64) -> Option<Request> {
        let Reverse(first) = self.waiting.peek()?;
        if first.due_ns > now_ns {
            return None;
        }
        self.waiting.pop().map(|Reverse(waiting)| waiting.request)
    }

    /// When the next answer is due.
    pub(crate) fn next_ns(&self) -> Option<u64> {
        self.waiting.peek().map(|Reverse(waiting)| waiting.due_ns)
    }

    /// Forgets all: the connection they came over is gone.
    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn multicast(request_id: i32) -> Request {
        Request::Multicast { request_id }
    }

    #[test]
    fn answers_come_by_time_and_then_in_order() {
        let mut answers = Answers::default();
        for (due_ns, request_id) in [(20, 1), (10, 2), (20, 3), (10, 4)] {
            answers.put_off(due_ns, multicast(request_id));
        }
        assert_eq!(answers.next_ns(), Some(10));
        assert_eq!(answers.take_due(9), None);
        let order: Vec<_> = std::iter::from_fn(|| answers.take_due(20)).collect();
        assert_eq!(order, [multicast(2), multicast(4), multicast(1), multicast(3)]);
    }

    #[test]
    fn beyond_the_bound_requests_are_lost() {
        let mut answers = Answers::default();
        for request_id in 0..PENDING_ANSWERS_MAX as i32 + 5 {
            answers.put_off(0, multicast(request_id));
        }
        assert_eq!(std::iter::from_fn(|| answers.take_due(0)).count(), PENDING_ANSWERS_MAX);
    }
}

//! Which bar of another series stands beside each bar of a chart's first: the one of the same time (pure).

use std::ops::Range;

use crate::json_out::{push, push_int};

/// How far two series were compared. Bars come in the order of their times, so each is looked at once.
#[derive(Debug, Default)]
pub(super) struct Binding {
    /// The next of the first series, and of the other.
    next: Option<(i64, i64)>,
    /// Where the two began when that was found.
    began: (i64, i64),
}

// === impl Binding ===

impl Binding {
    /// Appends `"id":other_id` for every pair that was found since, with commas between them; both series as the run of ids
    /// that the client has, and their bars' times. False when there was none.
    pub(super) fn push(
        &mut self,
        out: &mut Vec<u8>,
        (main_run, main): (Range<i64>, impl Fn(i64) -> Option<i64>),
        (other_run, other): (Range<i64>, impl Fn(i64) -> Option<i64>),
    ) -> bool {
        if main_run.is_empty() || other_run.is_empty() {
            return false;
        }
        let begin = (main_run.start, other_run.start);
        // A run that has grown at its beginning is compared from there again: a pair said twice is no harm.
        let next = self.next.filter(|_| begin.0 >= self.began.0 && begin.1 >= self.began.1);
        let (at, beside) = next.unwrap_or(begin);
        // What a run has left behind the client never got.
        let (mut at, mut beside) = (at.max(begin.0), beside.max(begin.1));
        self.began = begin;
        let mut said = false;
        while at < main_run.end && beside < other_run.end {
            match (main(at), other(beside)) {
                (Some(time), Some(other_time)) if time == other_time => {
                    push(out, if said { ",\"" } else { "\"" });
                    push_int(out, at);
                    push(out, "\":");
                    push_int(out, beside);
                    said = true;
                    (at, beside) = (at + 1, beside + 1);
                }
                (Some(time), Some(other_time)) if time > other_time => beside += 1,
                (None, _) | (Some(_), Some(_)) => at += 1,
                (Some(_), None) => beside += 1,
            }
        }
        self.next = Some((at, beside));
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_of_the_same_time_are_paired_once_and_as_they_come() {
        let main = [0, 60, 180, 240, 300];
        let other = [60, 120, 180, 300];
        let mut binding = Binding::default();
        let mut pairs = |have_main: i64, have_other: i64| {
            let mut out = Vec::new();
            let time = |of: &[i64], first: i64, id: i64| {
                of.get(usize::try_from(id - first).unwrap()).copied()
            };
            binding.push(
                &mut out,
                (10..10 + have_main, |id| time(&main, 10, id)),
                (100..100 + have_other, |id| time(&other, 100, id)),
            );
            String::from_utf8(out).unwrap()
        };
        assert_eq!(pairs(0, 2), "");
        assert_eq!(pairs(2, 1), "\"11\":100");
        assert_eq!(pairs(3, 2), "");
        assert_eq!(pairs(4, 3), "\"12\":102");
        assert_eq!(pairs(5, 4), "\"14\":103");
        assert_eq!(pairs(5, 4), "");
    }

    #[test]
    fn what_comes_before_is_paired_too() {
        let mut binding = Binding::default();
        let mut pairs = |main: Range<i64>, other: Range<i64>| {
            let mut out = Vec::new();
            binding.push(&mut out, (main, |id| Some(id * 60)), (other, |id| Some(id * 60)));
            String::from_utf8(out).unwrap()
        };
        assert_eq!(pairs(5..7, 5..7), "\"5\":5,\"6\":6");
        assert_eq!(pairs(4..7, 4..7), "\"4\":4,\"5\":5,\"6\":6");
        assert_eq!(pairs(4..8, 4..8), "\"7\":7");
    }

    /// A client that did not peek for long is told no bars that it looks at no longer.
    #[test]
    fn nothing_is_paired_that_the_client_was_never_sent() {
        let mut binding = Binding::default();
        let mut pairs = |main: Range<i64>, other: Range<i64>| {
            let mut out = Vec::new();
            binding.push(&mut out, (main, |id| Some(id * 180)), (other, |id| Some(id * 60)));
            String::from_utf8(out).unwrap()
        };
        assert_eq!(pairs(0..3, 0..5), "\"0\":0,\"1\":3");
        assert_eq!(pairs(0..16, 37..47), "\"13\":39,\"14\":42,\"15\":45");
        assert_eq!(pairs(20..22, 37..62), "\"20\":60");
    }
}

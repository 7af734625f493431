//! Why each missing tick is missing.

use std::collections::BTreeMap;
use std::fmt::Write;

use qamd_tests::witness::{Absence, Account, Gap};

use crate::log::Log;
use crate::onlooker::Seen;
use crate::scene::{EVERY_MS, Scene};

/// Why a client missed a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cause {
    /// The client had hung up.
    OwnAbsence,
    /// The frontend was gone.
    FrontendGone,
    /// No worker brought it in time: two were down, one of which had carried the instrument.
    WorkersDown,
    /// The frontend had stood still, and counted what it left out.
    FrontendBehind,
}

/// All missing ticks by their causes.
#[derive(Debug, Default)]
pub(crate) struct Causes {
    ticks: u64,
    known: BTreeMap<Cause, u64>,
    unknown: Vec<String>,
    /// What a frontend that had stood still left out.
    behind: Vec<String>,
    disorders: Vec<String>,
}

/// How many ticks before a missing one are looked at for who carried the instrument.
const CARRIED_LATELY: usize = 50;

/// A tick due just before a connection ended may not have come yet: threads wake late on a busy machine. And the first one
/// of a new connection is the first of some instrument, not of all.
const ABSENCE_MARGIN_MS: i64 = 500;

// === impl Causes ===

impl Causes {
    /// Looks for the causes of all that the witnesses have missed.
    pub(crate) fn of(scene: &Scene) -> Self {
        let seen = scene.onlooker.seen();
        let mut causes = Self::default();
        for (number, witness) in scene.witnesses.iter().enumerate() {
            let account = witness.account();
            causes.ticks += account.ticks;
            causes
                .disorders
                .extend(account.disorders.iter().map(|what| format!("{number}: {what}")));
            for gap in &account.gaps {
                causes.explain(number, gap, &account, &seen, &scene.log);
            }
        }
        causes
    }

    fn explain(&mut self, client: usize, gap: &Gap, account: &Account, seen: &Seen, log: &Log) {
        let mut unknown = Vec::new();
        for multiple in gap.multiples.0..=gap.multiples.1 {
            let due_ms = gap.due_unix_ms.0 + (multiple - gap.multiples.0) * EVERY_MS;
            match cause_of(gap, multiple, due_ms, account, seen, log) {
                Some(cause) => {
                    *self.known.entry(cause).or_default() += 1;
                    if cause == Cause::FrontendBehind {
                        let at_ms = log.since_begin(due_ms);
                        let by = seen.get(&gap.instrument).and_then(|ring| ring.get(&multiple));
                        let what =
                            format!("client {client}, {}, due {at_ms}, by {by:?}", gap.instrument);
                        self.behind.push(what);
                    }
                }
                None => unknown.push((multiple, due_ms)),
            }
        }
        if let (Some(first), Some(last)) = (unknown.first(), unknown.last()) {
            let ring = seen.get(&gap.instrument);
            let in_ring = |multiple: &i64| ring.is_some_and(|ring| ring.contains_key(multiple));
            let lacking = unknown.iter().filter(|(multiple, _)| !in_ring(multiple)).count();
            self.unknown.push(format!(
                "client {client}, {}: {} ticks due {} to {}, {lacking} of them not in the ring; down then: {:?}",
                gap.instrument,
                unknown.len(),
                log.since_begin(first.1),
                log.since_begin(last.1),
                log.down_at(first.1),
            ));
        }
    }

    /// The causes and how many ticks each has cost, in lines for a person.
    pub(crate) fn table(&self, log: &Log) -> String {
        let mut text = format!("done: {}\n{} ticks seen; missed:\n", log.summary(), self.ticks);
        for (cause, ticks) in &self.known {
            writeln!(text, "  {ticks:8} {}", cause.word()).unwrap();
        }
        let counted = log.counted();
        writeln!(text, "  {:8} gaps for no known cause", self.unknown.len()).unwrap();
        write!(text, "counted: {counted:?}, late {}", log.late()).unwrap();
        text
    }

    /// Fails when something was missed without a cause, or came twice or out of order, or was not counted.
    pub(crate) fn assert_all_known(&self, scene: &Scene) {
        assert!(self.unknown.is_empty(), "missed without a cause: {:#?}", self.unknown);
        assert!(self.disorders.is_empty(), "twice or out of order: {:#?}", self.disorders);
        let behind = self.known.get(&Cause::FrontendBehind).copied().unwrap_or(0);
        let counted = scene.log.counted();
        // What a frontend loses, all its clients lose; what it conflates, it conflates for each.
        let lost = (counted.ring_lost + scene.log.late()) * scene.witnesses.len() as u64;
        assert!(
            behind <= lost + counted.conflated,
            "{behind} left out, {counted:?} counted: {:#?}",
            self.behind
        );
        assert_eq!(counted.cut_off, 0, "no client was slow");
    }
}

// === impl Cause ===

impl Cause {
    const fn word(self) -> &'static str {
        match self {
            Self::OwnAbsence => "while the client had hung up",
            Self::FrontendGone => "while the frontend was gone",
            Self::WorkersDown => "while both connections of the instrument were down",
            Self::FrontendBehind => "left out and counted by a frontend that had stood still",
        }
    }
}

fn cause_of(
    gap: &Gap,
    multiple: i64,
    due_ms: i64,
    account: &Account,
    seen: &Seen,
    log: &Log,
) -> Option<Cause> {
    let absence =
        account.absences.iter().find(|absence| gap.across && covers(absence, due_ms, log));
    if let Some(absence) = absence {
        return Some(if absence.wanted { Cause::OwnAbsence } else { Cause::FrontendGone });
    }
    let ring = seen.get(&gap.instrument)?;
    if !ring.contains_key(&multiple) {
        let down = log.down_at(due_ms);
        let mut carriers = ring.range(..multiple).rev().take(CARRIED_LATELY).map(|(_, by)| by);
        let carried = carriers.any(|worker| down.contains(worker));
        return (down.len() >= 2 && carried).then_some(Cause::WorkersDown);
    }
    log.stood_still_at(due_ms).then_some(Cause::FrontendBehind)
}

/// Who hangs up on a frontend that stands still does not get what waits there.
fn covers(absence: &Absence, at_ms: i64, log: &Log) -> bool {
    let ended = absence.until_ms.is_none_or(|until| at_ms <= until + ABSENCE_MARGIN_MS);
    let from_ms = log.stood_still_since(absence.from_ms).unwrap_or(absence.from_ms);
    from_ms - ABSENCE_MARGIN_MS <= at_ms && ended
}

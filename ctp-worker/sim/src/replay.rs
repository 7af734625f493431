//! A recording as a source of ticks: its rows in their order, at the script's pace.

mod open;
pub(crate) mod recording;

use std::collections::{HashMap, HashSet};

use crate::feed::{Feed, FeedError, Outlet};
use crate::instrument::InstrumentId;
use crate::layout::{Abi, DepthMarketData};
use crate::limits::{RECORDING_INSTRUMENTS_MAX, ROWS_PER_TURN_MAX};
use crate::pacer::wake_ns;
use crate::replay::recording::{Recording, RecordingError, Row};
use crate::script::{Awaited, Pace, ReplayPlan};

/// The replay of one API object.
#[derive(Debug)]
pub(crate) struct Replay {
    plan: ReplayPlan,
    abi: Abi,
    slice_ns: u64,
    recording: Recording,
    /// The row to send next; `None` when the recording is over.
    ahead: Option<Row>,
    /// When it is due, in nanoseconds of the replay's own time.
    due_ns: f64,
    rows_passed: u64,
    /// Time of day of the row before, in milliseconds.
    time_before_ms: Option<i64>,
    stage: Stage,
    /// The script's wall-clock start, as nanoseconds since `Init`.
    not_before_ns: u64,
    /// How long before `Init` it began, by the script's anchor: what was due by then passes unseen.
    run_before_ns: u64,
    subscribed: HashSet<InstrumentId>,
    /// The last row of each instrument that has passed.
    passed: HashMap<InstrumentId, DepthMarketData>,
    trading_day: [u8; 9],
    /// Whether a row of a later trading day waits until the session has logged in anew.
    relogin_each_trading_day: bool,
    /// Such a row is ahead, and the session is still the old one.
    new_day_ahead: bool,
    session: Session,
}

/// How far the replay is.
#[derive(Debug)]
enum Stage {
    /// These instruments, or so many of them, are awaited.
    Awaiting { wanted: HashSet<InstrumentId>, count: usize },
    /// It starts at this time.
    Waiting(u64),
    /// Its own time runs since this moment.
    Running(u64),
    /// Its own time stands still since it had come so far.
    Paused(u64),
}

/// What the front knows of its client.
#[derive(Debug)]
enum Session {
    /// Nothing special.
    Usual,
    /// It was lost; these instruments have to be subscribed before the replay goes on.
    Missing(HashSet<InstrumentId>),
}

impl Replay {
    /// Opens the script's recording.
    ///
    /// # Errors
    /// When it cannot be read, or has no rows.
    pub(crate) fn open(
        plan: &ReplayPlan,
        abi: Abi,
        slice_ns: u64,
        unix_ms: i64,
        relogin_each_trading_day: bool,
    ) -> Result<Self, RecordingError> {
        let mut recording = Recording::open(&plan.file, abi)?;
        let first = recording.next_row()?;
        let first = first.ok_or_else(|| RecordingError::Empty { path: plan.file.clone() })?;
        let wait_ms = plan.start_at_unix_ms.map_or(0, |at_ms| at_ms.saturating_sub(unix_ms).max(0));
        let not_before_ns = (wait_ms as u64).saturating_mul(1_000_000);
        let run_before_ms =
            plan.anchor_unix_ms.map_or(0, |at_ms| unix_ms.saturating_sub(at_ms).max(0));
        let stage = match plan.start {
            Awaited::Nothing => Stage::Waiting(start_ns(plan, not_before_ns, 0)),
            Awaited::All => {
                let wanted = instruments_of(&plan.file, abi)?;
                Stage::Awaiting { count: wanted.len(), wanted }
            }
            Awaited::Count(count) => {
                let wanted = instruments_of(&plan.file, abi)?;
                Stage::Awaiting { count: count.min(wanted.len()), wanted }
            }
        };
        let mut replay = Self {
            plan: plan.clone(),
            abi,
            slice_ns,
            recording,
            ahead: None,
            due_ns: 0.0,
            rows_passed: 0,
            time_before_ms: None,
            stage,
            not_before_ns,
            run_before_ns: (run_before_ms as u64).saturating_mul(1_000_000),
            subscribed: HashSet::new(),
            passed: HashMap::new(),
            trading_day: first.depth.trading_day,
            relogin_each_trading_day,
            new_day_ahead: false,
            session: Session::Usual,
        };
        replay.look_at(first);
        Ok(replay)
    }

    // Reckons when a row is due and puts it ahead.
    fn look_at(&mut self, row: Row) {
        let time_ms = time_of_day_ms(&row.depth);
        match self.plan.pace {
            Pace::Unpaced => {}
            Pace::Rate(per_second) => self.due_ns = self.rows_passed as f64 * 1e9 / per_second,
            Pace::Speed(speed) => {
                let gap_ms = match (self.time_before_ms, time_ms) {
                    (Some(before_ms), Some(now_ms)) => gap_ms(before_ms, now_ms),
                    _ => 0,
                };
                self.due_ns += gap_ms.min(self.plan.max_gap_ms) as f64 * 1e6 / speed;
            }
        }
        self.time_before_ms = time_ms.or(self.time_before_ms);
        self.ahead = Some(row);
    }

    fn advance(&mut self) -> Result<(), RecordingError> {
        self.rows_passed += 1;
        self.ahead = None;
        let mut row = self.recording.next_row()?;
        if row.is_none() && self.plan.repeat {
            self.recording = Recording::open(self.recording.path(), self.abi)?;
            row = self.recording.next_row()?;
        }
        if let Some(row) = row {
            self.look_at(row);
        }
        Ok(())
    }

    // Starts, pauses and resumes the replay's own time. `Some` is how far it has come.
    fn own_time_ns(&mut self, now_ns: u64) -> Option<u64> {
        if let Stage::Awaiting { wanted, count } = &self.stage {
            let there = self.subscribed.iter().filter(|id| wanted.contains(*id)).count();
            if there >= *count {
                self.stage = Stage::Waiting(start_ns(&self.plan, self.not_before_ns, now_ns));
            }
        }
        if let Stage::Waiting(at_ns) = self.stage
            && now_ns >= at_ns
        {
            self.stage = Stage::Running(at_ns);
        }
        if let Session::Missing(missing) = &self.session
            && missing.is_empty()
        {
            self.session = Session::Usual;
        }
        let pausing = matches!(self.session, Session::Missing(_));
        match self.stage {
            Stage::Running(since_ns) if pausing => {
                self.stage = Stage::Paused(now_ns.saturating_sub(since_ns));
                None
            }
            Stage::Running(since_ns) => {
                Some(now_ns.saturating_sub(since_ns).saturating_add(self.run_before_ns))
            }
            Stage::Paused(own_ns) if !pausing => {
                self.stage = Stage::Running(now_ns.saturating_sub(own_ns));
                Some(own_ns)
            }
            _ => None,
        }
    }

    // Whether the row ahead has to wait until the client has logged in on its trading day.
    fn needs_new_day(&self, row: &Row) -> bool {
        self.relogin_each_trading_day
            && !self.subscribed.is_empty()
            && is_later(&row.depth.trading_day, &self.trading_day)
    }

    // Passes rows that are due. Says whether there may be more.
    fn pass_rows(&mut self, own_ns: u64, out: &mut Outlet<'_>) -> Result<bool, RecordingError> {
        for _ in 0..ROWS_PER_TURN_MAX {
            let Some(mut row) = self.ahead else { return Ok(false) };
            let unseen = self.due_ns < self.run_before_ns as f64;
            if self.due_ns > own_ns as f64 {
                return Ok(false);
            }
            if self.needs_new_day(&row) {
                // The engine sees the new trading day and ends the session; the row waits.
                self.trading_day = row.depth.trading_day;
                self.new_day_ahead = true;
                return Ok(true);
            }
            if is_later(&row.depth.trading_day, &self.trading_day) {
                self.trading_day = row.depth.trading_day;
            }
            self.advance()?;
            let room = self.passed.len() < RECORDING_INSTRUMENTS_MAX;
            if !room && !self.passed.contains_key(&row.id) {
                let path = self.recording.path().to_owned();
                return Err(RecordingError::TooManyInstruments { path });
            }
            self.passed.insert(row.id, row.depth);
            if !unseen && self.subscribed.contains(&row.id) && out(&mut row.depth).is_break() {
                return Ok(true);
            }
        }
        Ok(true)
    }
}

impl Feed for Replay {
    fn subscribe(&mut self, id: &InstrumentId, _now_ns: u64) {
        self.subscribed.insert(*id);
        if let Session::Missing(missing) = &mut self.session {
            missing.remove(id);
        }
    }

    fn unsubscribe(&mut self, id: &InstrumentId) {
        self.subscribed.remove(id);
    }

    fn end_session(&mut self, now_ns: u64) {
        let lost = std::mem::take(&mut self.subscribed);
        let new_day = std::mem::take(&mut self.new_day_ahead);
        if self.plan.pause_while_disconnected || new_day {
            let Session::Missing(missing) = &mut self.session else {
                self.session = Session::Missing(lost);
                // The replay's own time stands still from here on.
                let _paused = self.own_time_ns(now_ns);
                return;
            };
            missing.extend(lost);
        }
    }

    fn subscribed_count(&self) -> usize {
        self.subscribed.len()
    }

    fn snapshot(&mut self, id: &InstrumentId, _now_ns: u64) -> Option<&mut DepthMarketData> {
        if self.subscribed.contains(id) { self.passed.get_mut(id) } else { None }
    }

    fn trading_day(&mut self, _now_ns: u64) -> [u8; 9] {
        self.trading_day
    }

    fn run(&mut self, now_ns: u64, out: &mut Outlet<'_>) -> Result<Option<u64>, FeedError> {
        let Some(own_ns) = self.own_time_ns(now_ns) else {
            return Ok(match self.stage {
                Stage::Waiting(at_ns) => Some(at_ns),
                _ => None,
            });
        };
        if self.pass_rows(own_ns, out)? {
            return Ok(Some(now_ns));
        }
        let Stage::Running(since_ns) = self.stage else { return Ok(None) };
        let own_due_ns = (self.due_ns.ceil() as u64).saturating_sub(self.run_before_ns);
        let due_ns = since_ns.saturating_add(own_due_ns);
        let slice_ns =
            if due_ns.saturating_sub(now_ns) >= self.slice_ns { 0 } else { self.slice_ns };
        Ok(self.ahead.map(|_row| wake_ns(due_ns, now_ns, slice_ns)))
    }
}

// When a replay starts that may start at `now_ns`.
fn start_ns(plan: &ReplayPlan, not_before_ns: u64, now_ns: u64) -> u64 {
    let after_ns = now_ns.saturating_add(plan.start_after_ms.saturating_mul(1_000_000));
    after_ns.max(not_before_ns)
}

fn instruments_of(
    path: &std::path::Path,
    abi: Abi,
) -> Result<HashSet<InstrumentId>, RecordingError> {
    let mut recording = Recording::open(path, abi)?;
    let mut instruments = HashSet::new();
    while let Some(row) = recording.next_row()? {
        instruments.insert(row.id);
        if instruments.len() > RECORDING_INSTRUMENTS_MAX {
            return Err(RecordingError::TooManyInstruments { path: path.to_owned() });
        }
    }
    Ok(instruments)
}

// Trading days are eight digits; an empty one is never later.
fn is_later(day: &[u8; 9], than: &[u8; 9]) -> bool {
    day[0] != 0 && day > than
}

fn time_of_day_ms(depth: &DepthMarketData) -> Option<i64> {
    let [h1, h2, b':', m1, m2, b':', s1, s2, _] = depth.update_time else { return None };
    let two = |tens: u8, ones: u8| {
        (tens.is_ascii_digit() && ones.is_ascii_digit())
            .then(|| i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
    };
    let seconds = (two(h1, h2)? * 60 + two(m1, m2)?) * 60 + two(s1, s2)?;
    Some(seconds * 1000 + i64::from(depth.update_millisec))
}

/// Milliseconds from one row to the next. Recorded time may run backwards: that is no gap. Past
/// midnight it begins anew: that is no step back.
fn gap_ms(before_ms: i64, now_ms: i64) -> u64 {
    const DAY_MS: i64 = 86_400_000;
    let gap = now_ms - before_ms;
    let gap = if gap < -DAY_MS / 2 { gap + DAY_MS } else { gap };
    gap.max(0) as u64
}

#[cfg(test)]
#[path = "replay/tests.rs"]
mod tests;

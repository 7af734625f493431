//! When products trade, on a scale of one trading day.
//!
//! A *position* counts milliseconds of one trading day from 20:59 of the evening it begins with:
//! night first, then the day, so that a position only grows within a trading day.

use shm_layout::trading_hours::ProductHours;

/// Milliseconds in a minute.
pub(crate) const MINUTE_MS: u32 = 60_000;

/// Milliseconds of a day at which positions begin: 20:59.
pub(crate) const ORIGIN_MS: u32 = (20 * 60 + 59) * MINUTE_MS;

/// Positions from here on belong to the calendar day of the trading day itself (06:00).
pub(crate) const DAY_POSITION_MS: u32 = position(6, 0);

/// A session's last snapshots carry its closing time and may come half a second after it.
const GRACE_MS: u32 = 1000;

/// The position of a time of day.
pub(crate) const fn position(hour: u32, minute: u32) -> u32 {
    position_of_ms((hour * 60 + minute) * MINUTE_MS)
}

/// The position of a millisecond of the day.
pub(crate) const fn position_of_ms(ms_of_day: u32) -> u32 {
    (ms_of_day + 24 * 60 * MINUTE_MS - ORIGIN_MS) % (24 * 60 * MINUTE_MS)
}

/// A stretch of trading, in positions; ticks come from `start_ms` to before `end_ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) start_ms: u32,
    pub(crate) end_ms: u32,
}

/// One trading day's hours of a product: its auction, then its sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Schedule {
    windows: Vec<Window>,
    /// The position of each minute that trades; the auction is the first.
    minutes: Vec<u32>,
}

/// Where within its schedule a product stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Which of the schedule's trading minutes.
    pub(crate) minute: usize,
    /// Milliseconds of that minute gone by, 60,000 when it is over.
    pub(crate) ms: u32,
    /// The position at which this was reached: now, or the end of the last session.
    pub(crate) position_ms: u32,
    /// Whether the trading day is over.
    pub(crate) closed: bool,
}

impl Schedule {
    /// The schedule of these hours on a trading day with or without a night before it.
    pub(crate) fn new(hours: ProductHours, begins_at_night: bool) -> Self {
        let night = hours.night.minutes().filter(|_| begins_at_night);
        let sessions = night.into_iter().chain(hours.day.minutes().iter().copied());
        let at = |minute: u32| position(minute / 60, minute % 60);
        let windows = sessions.map(|(from, to)| Window { start_ms: at(from), end_ms: at(to) });
        Self::of_sessions(&windows.collect::<Vec<_>>())
    }

    fn of_sessions(sessions: &[Window]) -> Self {
        // The auction's result is published in the minute before the first session.
        let auction_ms = sessions.first().map_or(0, |first| first.start_ms - MINUTE_MS);
        let mut windows = vec![Window { start_ms: auction_ms, end_ms: auction_ms + GRACE_MS }];
        let mut minutes = vec![auction_ms];
        for session in sessions {
            minutes.extend((session.start_ms..session.end_ms).step_by(MINUTE_MS as usize));
            windows.push(Window { end_ms: session.end_ms + GRACE_MS, ..*session });
        }
        Self { windows, minutes }
    }

    /// How many minutes of the trading day trade, the auction being one.
    pub(crate) fn minute_count(&self) -> usize {
        self.minutes.len()
    }

    /// Whether ticks come at this position.
    pub(crate) fn is_open(&self, position_ms: u32) -> bool {
        self.windows.iter().any(|window| (window.start_ms..window.end_ms).contains(&position_ms))
    }

    /// How far trading is at this position; `None` before the auction.
    pub(crate) fn progress(&self, position_ms: u32) -> Option<Progress> {
        let begun = self.minutes.partition_point(|&start_ms| start_ms <= position_ms);
        let minute = begun.checked_sub(1)?;
        let start_ms = self.minutes[minute];
        let window = self.windows.iter().rev().find(|window| window.start_ms <= position_ms)?;
        // After a session its last snapshot stands: the closing time itself and half a second more.
        let reached_ms = position_ms.min(window.end_ms - GRACE_MS / 2);
        let gone = if minute == 0 { MINUTE_MS } else { (reached_ms - start_ms).min(MINUTE_MS) };
        let last = self.windows.last().map_or(0, |last| last.end_ms - GRACE_MS);
        let closed = position_ms >= last;
        Some(Progress { minute, ms: gone, position_ms: reached_ms, closed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use shm_layout::trading_hours::{DaySessions, Night};

    const RB: ProductHours = ProductHours { night: Night::To2300, day: DaySessions::Commodity };
    const AU: ProductHours = ProductHours { night: Night::To0230, day: DaySessions::Commodity };
    const IF: ProductHours = ProductHours { night: Night::None, day: DaySessions::Index };

    #[test]
    fn positions_begin_in_the_evening() {
        assert_eq!(position(20, 59), 0);
        assert_eq!(position(21, 0), MINUTE_MS);
        assert!(position(23, 59) < position(0, 0));
        assert!(position(2, 30) < DAY_POSITION_MS);
        assert!(position(8, 59) > DAY_POSITION_MS);
    }

    #[test]
    fn session_ends_are_inclusive() {
        let schedule = Schedule::new(RB, true);
        for (hour, minute) in [(23, 0), (10, 15), (11, 30), (15, 0)] {
            let end_ms = position(hour, minute);
            assert!(schedule.is_open(end_ms), "{hour}:{minute}");
            assert!(schedule.is_open(end_ms + 500), "{hour}:{minute}");
            assert!(!schedule.is_open(end_ms + 1000), "{hour}:{minute}");
        }
        assert!(schedule.is_open(position(20, 59)));
        assert!(!schedule.is_open(position(20, 59) + 1000));
        assert!(!schedule.is_open(position(1, 0)));
        assert!(Schedule::new(AU, true).is_open(position(1, 0)));
    }

    #[test]
    fn a_day_without_a_night_begins_with_the_morning_auction() {
        let schedule = Schedule::new(RB, false);
        assert!(!schedule.is_open(position(21, 0)));
        assert_eq!(schedule.progress(position(21, 0)), None);
        assert!(schedule.is_open(position(8, 59)));
        assert!(Schedule::new(IF, true).is_open(position(9, 29)));
        assert_eq!(Schedule::new(IF, true).progress(position(9, 0)), None);
    }

    #[test]
    fn a_pause_stands_at_the_end_of_its_session() {
        let schedule = Schedule::new(RB, true);
        let at_end = schedule.progress(position(23, 0) + 500).unwrap();
        assert_eq!(schedule.progress(position(3, 0)), Some(at_end));
        assert_eq!(at_end.ms, MINUTE_MS);
        assert!(!at_end.closed);
        assert!(schedule.progress(position(15, 0)).unwrap().closed);
        assert!(!schedule.progress(position(14, 59)).unwrap().closed);
    }

    #[test]
    fn minutes_are_those_that_trade() {
        assert_eq!(Schedule::new(RB, true).minute_count(), 1 + 120 + 75 + 60 + 90);
        assert_eq!(Schedule::new(AU, false).minute_count(), 1 + 75 + 60 + 90);
        assert_eq!(Schedule::new(IF, true).minute_count(), 1 + 120 + 120);
    }

    proptest! {
        #[test]
        fn progress_never_goes_back(
            night in 0..4usize, day in 0..3usize, begins_at_night: bool,
            mut at in proptest::collection::vec(0..24 * 60 * MINUTE_MS, 2..40),
        ) {
            let night = [Night::None, Night::To2300, Night::To0100, Night::To0230][night];
            let day = [DaySessions::Commodity, DaySessions::Index, DaySessions::Bond][day];
            let schedule = Schedule::new(ProductHours { night, day }, begins_at_night);
            at.sort_unstable();
            let reached: Vec<_> = at.iter().filter_map(|&ms| schedule.progress(ms)).collect();
            for pair in reached.windows(2) {
                prop_assert!((pair[0].minute, pair[0].ms) <= (pair[1].minute, pair[1].ms));
                prop_assert!(pair[0].position_ms <= pair[1].position_ms);
            }
            for &ms in &at {
                if schedule.is_open(ms) {
                    let progress = schedule.progress(ms).unwrap();
                    prop_assert!(ms - progress.position_ms <= GRACE_MS / 2);
                }
            }
        }
    }
}

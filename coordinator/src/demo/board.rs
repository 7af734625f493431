//! Ticks as lines for a person. Pure: a message of the frontend and the time in, perhaps a line out.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::output::{Paint, Style};
use crate::shown::grouped;

/// At most one line in this time, over all instruments: an eye follows no more.
const LINE_EVERY: Duration = Duration::from_millis(250);
/// At most one line in this time for each instrument, so that each gets its turn.
const INSTRUMENT_EVERY: Duration = Duration::from_millis(2500);
/// The heading is repeated after so many lines.
const HEADING_EVERY: u32 = 30;
/// Decimals beyond these are noise of the sender's arithmetic.
const DECIMALS_MAX: usize = 4;

/// What of a `market_data` push is shown.
#[derive(Debug, Clone, Deserialize)]
pub struct Push {
    /// The instrument.
    pub instrument_id: String,
    /// The exchange, when the frontend names it.
    #[serde(default)]
    pub exchange_id: Option<String>,
    /// `HH:MM:SS`.
    pub update_time: Option<String>,
    /// Milliseconds beside it.
    pub update_millisec: i32,
    /// Last price.
    pub last_price: Option<f64>,
    /// The settlement of the trading day before.
    pub pre_settlement_price: Option<f64>,
    /// Lots traded today.
    pub volume: i64,
    /// Open interest.
    pub open_interest: Option<f64>,
    /// Best bid.
    pub bid_price1: Option<f64>,
    /// Its lots.
    pub bid_volume1: i64,
    /// Best ask.
    pub ask_price1: Option<f64>,
    /// Its lots.
    pub ask_volume1: i64,
}

/// Decides which ticks are shown, and writes them.
#[derive(Debug)]
pub struct Board {
    style: Style,
    last_line: Option<Instant>,
    shown: HashMap<String, Shown>,
    lines: u32,
}

/// What is remembered of an instrument.
#[derive(Debug, Default)]
struct Shown {
    at: Option<Instant>,
    /// The most decimals its prices have had, so that its column stands still.
    decimals: usize,
}

// === impl Board ===

impl Board {
    /// An empty board.
    #[must_use]
    pub fn new(style: Style) -> Self {
        Self { style, last_line: None, shown: HashMap::new(), lines: 0 }
    }

    /// A tick came. Gives a line, with the heading before it when that is due, unless there were enough just now.
    pub fn show(&mut self, push: &Push, now: Instant) -> Option<String> {
        let shown = self.shown.entry(push.instrument_id.clone()).or_default();
        for price in [push.last_price, push.bid_price1, push.ask_price1].into_iter().flatten() {
            shown.decimals = shown.decimals.max(decimals(price));
        }
        let recent = |at: Option<Instant>, every| {
            at.is_some_and(|at| now.saturating_duration_since(at) < every)
        };
        let alone = self.shown.len() <= 3;
        let shown = self.shown.get_mut(&push.instrument_id)?;
        if recent(self.last_line, LINE_EVERY) || (!alone && recent(shown.at, INSTRUMENT_EVERY)) {
            return None;
        }
        shown.at = Some(now);
        let line = line(push, shown.decimals, self.style);
        self.last_line = Some(now);
        let heading = (self.lines.is_multiple_of(HEADING_EVERY))
            .then(|| self.style.paint(Paint::Faint, &heading()) + "\n");
        self.lines += 1;
        Some(heading.unwrap_or_default() + &line + "\n")
    }
}

/// A hundred columns, so that a usual window does not break the lines.
fn heading() -> String {
    format!(
        "{:<12} {:<10} {:<5} {:>9} {:>8} {:>7} {:>10} {:>9}   {:<4}{:>9}   LOTS",
        "TIME", "INSTRUMENT", "EXCH", "LAST", "CHANGE", "", "VOLUME", "BID", "LOTS", "ASK"
    )
}

fn line(push: &Push, decimals: usize, style: Style) -> String {
    let time = push.update_time.as_deref().unwrap_or("--:--:--");
    let exchange = push.exchange_id.as_deref().unwrap_or("");
    let last = push.last_price.map_or_else(|| "-".to_owned(), |price| shown_price(price, decimals));
    let (change, percent, paint) = change(push, decimals);
    let side = |price: Option<f64>, volume: i64| match price {
        Some(price) if volume > 0 => {
            format!("{:>9} x {volume:<4}", shown_price(price, decimals))
        }
        _ => format!("{:>9}   {:<4}", "-", ""),
    };
    let figures = format!("{last:>9} {change:>8} {percent:>7}");
    let figures = paint.map_or_else(|| figures.clone(), |paint| style.paint(paint, &figures));
    let text = format!(
        "{time}.{:03} {:<10} {exchange:<5} {figures} {:>10} {}{}",
        push.update_millisec.clamp(0, 999),
        push.instrument_id,
        grouped(push.volume.unsigned_abs()),
        side(push.bid_price1, push.bid_volume1),
        side(push.ask_price1, push.ask_volume1),
    );
    text.trim_end().to_owned()
}

/// Change against the settlement of the day before, in points and per cent, and its colour.
fn change(push: &Push, decimals: usize) -> (String, String, Option<Paint>) {
    let (Some(last), Some(before)) = (push.last_price, push.pre_settlement_price) else {
        return (String::new(), String::new(), None);
    };
    let points = last - before;
    let percent = if before == 0.0 {
        String::new()
    } else {
        format!("{:+.2}%", points / before.abs() * 100.0)
    };
    let paint = if points > 0.0 {
        Some(Paint::Up)
    } else if points < 0.0 {
        Some(Paint::Down)
    } else {
        None
    };
    (format!("{points:+.decimals$}"), percent, paint)
}

/// A price with its thousands grouped and a fixed number of decimals.
fn shown_price(price: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$}", price.abs());
    let (whole, fraction) =
        text.split_once('.').map_or((text.as_str(), ""), |(whole, fraction)| (whole, fraction));
    let whole = whole.parse().map_or_else(|_| whole.to_owned(), grouped);
    let sign = if price < 0.0 { "-" } else { "" };
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

/// How many decimals a price has, as far as they mean anything.
fn decimals(price: f64) -> usize {
    let text = format!("{price:.DECIMALS_MAX$}");
    text.trim_end_matches('0').rsplit_once('.').map_or(0, |(_, fraction)| fraction.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use shm_layout::clock::monotonic;

    fn push(id: &str, last: f64) -> Push {
        serde_json::from_value(serde_json::json!({
            "type": "market_data", "instrument_id": id, "exchange_id": "SHFE", "update_time": "09:30:15",
            "update_millisec": 500, "last_price": last, "pre_settlement_price": 4170.0, "volume": 12580,
            "open_interest": 156_890.0, "bid_price1": last - 1.0, "bid_volume1": 10, "ask_price1": null,
            "ask_volume1": 0, "turnover": 1.0
        }))
        .unwrap()
    }

    #[test]
    fn a_tick_is_a_line_under_a_heading() {
        let mut board = Board::new(Style::default());
        let text = board.show(&push("rb2705", 4180.0), monotonic()).unwrap();
        assert_eq!(
            text,
            "TIME         INSTRUMENT EXCH       LAST   CHANGE             VOLUME       BID   LOTS      ASK   LOTS\n\
             09:30:15.500 rb2705     SHFE      4,180      +10  +0.24%     12,580     4,179 x 10          -\n"
        );
    }

    #[test]
    fn no_more_lines_than_an_eye_follows_and_each_gets_its_turn() {
        let (mut board, start) = (Board::new(Style::default()), monotonic());
        let ids: Vec<String> = (0..8).map(|n| format!("rb27{n:02}")).collect();
        let mut lines: HashMap<&str, u32> = HashMap::new();
        for ms in (0..60_000).step_by(50) {
            for id in &ids {
                if board.show(&push(id, 4180.0), start + Duration::from_millis(ms)).is_some() {
                    *lines.entry(id).or_default() += 1;
                }
            }
        }
        assert!(lines.values().sum::<u32>() <= 240);
        assert_eq!(lines.len(), 8);
        assert!(lines.values().all(|count| *count >= 20), "{lines:?}");
    }

    #[test]
    fn a_single_instrument_is_shown_as_it_ticks() {
        let (mut board, start) = (Board::new(Style::default()), monotonic());
        let ticks = (0..10).filter(|n| {
            board.show(&push("rb2705", 1.0), start + Duration::from_millis(n * 500)).is_some()
        });
        assert_eq!(ticks.count(), 10);
    }

    #[test]
    fn decimals_are_the_instruments_own_and_stand_still() {
        assert_eq!([4180.0, 78.5, 101.025, 3_594.000_000_000_000_5].map(decimals), [0, 1, 3, 0]);
        assert_eq!(shown_price(-1234.5, 2), "-1,234.50");
        let mut board = Board::new(Style::default());
        let start = monotonic();
        board.show(&push("rb2705", 4180.5), start);
        let later = board.show(&push("rb2705", 4181.0), start + Duration::from_secs(9)).unwrap();
        assert!(later.contains("4,181.0"), "{later}");
    }

    #[test]
    fn absent_values_are_dashes() {
        let mut absent = push("rb2705", 1.0);
        (absent.last_price, absent.bid_price1, absent.update_time) = (None, None, None);
        let text = Board::new(Style::default()).show(&absent, monotonic()).unwrap();
        assert!(text.contains("--:--:--.500 rb2705"), "{text}");
    }
}

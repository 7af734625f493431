//! What the library is told to do: the JSON of `QAMD_SIM`, read once and checked whole.

mod raw;

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::calendar::{Calendar, Date};
use crate::clock::{ClockPlan, Pauses, Visited};
use crate::faults::{Fault, FaultError};
use crate::layout::Abi;
use crate::limits::SCRIPT_BYTES_MAX;
use crate::script::raw::RawScript;

/// Why a script was refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ScriptError {
    /// The file named by `QAMD_SIM` cannot be read.
    #[error("reading the script {path}")]
    Read { path: PathBuf, source: std::io::Error },
    /// The file is larger than any script.
    #[error("reading the script {path}: larger than {SCRIPT_BYTES_MAX} bytes")]
    TooLarge { path: PathBuf },
    /// Not JSON, an unknown key, or a value of the wrong kind.
    #[error("parsing the script")]
    Parse(#[source] serde_json::Error),
    /// A fault that cannot be understood.
    #[error("parsing `faults[{index}]`")]
    Fault { index: usize, source: FaultError },
    /// A value outside its range.
    #[error("checking `{key}`: {reason}")]
    Value { key: &'static str, reason: String },
}

/// Everything the library can be told.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    pub(crate) abi: Abi,
    /// What `GetApiVersion` says.
    pub(crate) version: String,
    pub(crate) connect_after_ms: u64,
    pub(crate) trading_day: Option<[u8; 9]>,
    pub(crate) relogin_each_trading_day: bool,
    pub(crate) stamp_turnover: bool,
    pub(crate) slice_us: u64,
    pub(crate) source: Source,
    pub(crate) faults: Vec<Fault>,
}

/// Where ticks come from.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// The generated market.
    Generated(MarketPlan),
    /// A recording.
    Replay(ReplayPlan),
}

/// How the market is generated.
#[derive(Debug, Clone)]
pub(crate) struct MarketPlan {
    pub(crate) seed: u64,
    /// Ticks per second over all subscribed instruments; `None` is two for each.
    pub(crate) rate: Option<f64>,
    /// Instead of a rate: every instrument ticks at each multiple of so many milliseconds.
    pub(crate) every_ms: Option<u64>,
    pub(crate) clock: ClockChoice,
    pub(crate) burst: Option<Burst>,
}

/// How the exchange's clock is set.
#[derive(Debug, Clone)]
pub(crate) struct ClockChoice {
    /// Local time it starts at; `None` leaves the choice to [`ClockChoice::plan`].
    start_local_ms: Option<i64>,
    /// Real time at which it showed `start`, in milliseconds since the epoch.
    pub(crate) anchor_unix_ms: Option<i64>,
    speed: f64,
    visited: Visited,
    pauses: Pauses,
    pub(crate) calendar: Calendar,
}

impl ClockChoice {
    /// The clock for a library started at this real time. Without a `start` it shows 09:30 of the
    /// present trading day, when every product trades.
    pub(crate) fn plan(&self, unix_ms: i64) -> ClockPlan {
        const SHANGHAI_MS: i64 = 8 * 3600 * 1000;
        const HALF_PAST_NINE_MS: i64 = (9 * 60 + 30) * 60_000;
        let start_local_ms = self.start_local_ms.unwrap_or_else(|| {
            let today = Date::of_local_ms(unix_ms + SHANGHAI_MS);
            self.calendar.before(today.plus(1)).local_ms() + HALF_PAST_NINE_MS
        });
        ClockPlan { start_local_ms, speed: self.speed, visited: self.visited, pauses: self.pauses }
    }
}

/// A one-time burst of ticks.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Burst {
    /// So long after `await_instruments` instruments are subscribed.
    #[serde(default)]
    pub(crate) after_ms: u64,
    /// How many ticks.
    pub(crate) ticks: u64,
    /// How fast.
    pub(crate) per_second: f64,
    /// How many instruments have to be subscribed first.
    #[serde(default = "one")]
    pub(crate) await_instruments: usize,
}

/// How a recording is replayed.
#[derive(Debug, Clone)]
pub(crate) struct ReplayPlan {
    pub(crate) file: PathBuf,
    pub(crate) pace: Pace,
    pub(crate) max_gap_ms: u64,
    pub(crate) start: Awaited,
    pub(crate) start_after_ms: u64,
    pub(crate) start_at_unix_ms: Option<i64>,
    /// Real time at which it began, or begins, whenever the library was started.
    pub(crate) anchor_unix_ms: Option<i64>,
    pub(crate) repeat: bool,
    pub(crate) pause_while_disconnected: bool,
}

/// How fast rows follow each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Pace {
    /// As their times say, so many times faster.
    Speed(f64),
    /// So many rows per second.
    Rate(f64),
    /// One after the other.
    Unpaced,
}

/// What a replay waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Awaited {
    /// Nothing.
    Nothing,
    /// So many of the recording's instruments are subscribed.
    Count(usize),
    /// All of them are.
    All,
}

impl Script {
    /// Reads the value of `QAMD_SIM`: JSON if it begins with `{`, else a file of it, and all
    /// defaults if there is none.
    ///
    /// # Errors
    /// Names the key or the place that is wrong.
    pub(crate) fn load(value: Option<&str>) -> Result<Self, ScriptError> {
        match value.map(str::trim) {
            None | Some("") => Self::parse("{}"),
            Some(text) if text.starts_with('{') => Self::parse(text),
            Some(path) => Self::parse(&read(Path::new(path))?),
        }
    }

    /// Reads a script's JSON.
    ///
    /// # Errors
    /// Names the key or the place that is wrong.
    pub(crate) fn parse(json: &str) -> Result<Self, ScriptError> {
        let raw: RawScript = serde_json::from_str(json).map_err(ScriptError::Parse)?;
        raw.check()
    }
}

fn read(path: &Path) -> Result<String, ScriptError> {
    let failed = |source| ScriptError::Read { path: path.to_owned(), source };
    if std::fs::metadata(path).map_err(failed)?.len() > SCRIPT_BYTES_MAX {
        return Err(ScriptError::TooLarge { path: path.to_owned() });
    }
    std::fs::read_to_string(path).map_err(failed)
}

const fn one() -> usize {
    1
}

#[cfg(test)]
mod tests {
    use super::raw::local_time;
    use super::*;
    use std::error::Error;

    fn chain(error: &dyn Error) -> String {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(inner) = source {
            text = format!("{text}: {inner}");
            source = inner.source();
        }
        text
    }

    fn refused(json: &str) -> String {
        chain(&Script::parse(json).unwrap_err())
    }

    fn generated(script: &Script) -> &MarketPlan {
        match &script.source {
            Source::Generated(plan) => plan,
            Source::Replay(_) => panic!("a replay"),
        }
    }

    #[test]
    fn no_script_is_the_generated_market() {
        let script = Script::load(None).unwrap();
        assert_eq!(script.version, format!("v6.7.13_qamd-sim {}", env!("CARGO_PKG_VERSION")));
        assert!(script.relogin_each_trading_day);
        assert!(script.faults.is_empty());
        let plan = generated(&script);
        assert_eq!((plan.seed, plan.rate, plan.every_ms, plan.burst), (1, None, None, None));
        let lockstep = Script::parse(r#"{"every_ms": 100}"#).unwrap();
        assert_eq!(generated(&lockstep).every_ms, Some(100));
    }

    #[test]
    fn the_default_clock_shows_half_past_nine_of_a_trading_day() {
        let script = Script::parse("{}").unwrap();
        // Sunday 2025-03-09 06:00 UTC is a weekend in Shanghai; the Friday before it stands in.
        let sunday = Date::parse("2025-03-09").unwrap().local_ms() + 6 * 3_600_000;
        let plan = generated(&script).clock.plan(sunday);
        let friday = local_time("2025-03-07T09:30:00").unwrap();
        assert_eq!((plan.start_local_ms, plan.visited), (friday, Visited::Day));
        // Thursday 17:00 UTC is Friday already.
        let thursday = Date::parse("2025-03-06").unwrap().local_ms() + 17 * 3_600_000;
        assert_eq!(generated(&script).clock.plan(thursday).start_local_ms, friday);
    }

    #[test]
    fn a_whole_script_is_understood() {
        let script = Script::parse(
            r#"{"abi": "6.3.11", "trading_day": "20250304", "seed": 9, "rate": 0.5,
                "connect_after_ms": 0, "stamp_turnover": true, "slice_us": 100,
                "relogin_each_trading_day": false,
                "clock": {"start": "2025-03-03T20:59:00", "speed": 2.5, "sessions": "night",
                          "pauses": "keep", "holidays": ["2025-05-01"], "anchor_unix_ms": 5},
                "burst": {"after_ms": 10, "ticks": 500000, "per_second": 500000},
                "faults": [{"at_ms": 5, "do": "disconnect"}]}"#,
        )
        .unwrap();
        assert_eq!(script.abi, Abi::V6_3_11);
        assert!(script.version.starts_with("v6.3.11_qamd-sim "));
        assert_eq!(script.trading_day.as_ref(), Some(b"20250304\0"));
        assert_eq!(script.faults.len(), 1);
        let plan = generated(&script);
        assert_eq!(plan.burst.unwrap().await_instruments, 1);
        let clock = plan.clock.plan(0);
        assert_eq!((clock.visited, clock.pauses), (Visited::Night, Pauses::Keep));
    }

    #[test]
    fn a_replay_is_understood() {
        let json = r#"{"replay": {"file": "a.csv", "rate": 0, "await_subscriptions": 3,
                       "loop": true, "pause_while_disconnected": true}}"#;
        let Source::Replay(plan) = Script::parse(json).unwrap().source else { panic!() };
        assert_eq!((plan.pace, plan.start), (Pace::Unpaced, Awaited::Count(3)));
        assert!(plan.repeat && plan.pause_while_disconnected);
        let json = r#"{"replay": {"file": "a.csv", "await_subscriptions": true, "speed": 60}}"#;
        let Source::Replay(plan) = Script::parse(json).unwrap().source else { panic!() };
        assert_eq!((plan.pace, plan.start), (Pace::Speed(60.0), Awaited::All));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (json, named) in [
            ("{", "EOF"),
            (r#"{"ratee": 1}"#, "`ratee`"),
            (r#"{"rate": 0}"#, "`rate`"),
            (r#"{"rate": 1e9}"#, "`rate`"),
            (r#"{"every_ms": 0}"#, "`every_ms`"),
            (r#"{"every_ms": 3600001}"#, "`every_ms`"),
            (r#"{"every_ms": 100, "rate": 5}"#, "`every_ms`"),
            (r#"{"every_ms": 100, "burst": {"ticks": 1, "per_second": 1}}"#, "`every_ms`"),
            (r#"{"replay": {"file": "a"}, "every_ms": 100}"#, "`every_ms`"),
            (r#"{"abi": "7.0"}"#, "`abi`"),
            (r#"{"version": ""}"#, "`version`"),
            (r#"{"trading_day": "2025-03-04"}"#, "`trading_day`"),
            (r#"{"clock": {"start": "20:59"}}"#, "`clock.start`"),
            (r#"{"clock": {"speed": 0}}"#, "`clock.speed`"),
            (r#"{"clock": {"anchor_unix_ms": 1}}"#, "`clock.anchor_unix_ms`"),
            (r#"{"clock": {"holidays": ["x"]}}"#, "`clock.holidays`"),
            (r#"{"clock": {"sessions": "noon"}}"#, "`noon`"),
            (r#"{"burst": {"ticks": 1, "per_second": -1}}"#, "`burst.per_second`"),
            (r#"{"burst": {"per_second": 1}}"#, "`ticks`"),
            (r#"{"replay": {}}"#, "`file`"),
            (r#"{"replay": {"file": "a", "speed": -1}}"#, "`replay.speed`"),
            (r#"{"replay": {"file": "a", "await_subscriptions": "x"}}"#, "`await_subscriptions`"),
            (r#"{"replay": {"file": "a"}, "rate": 5}"#, "`rate`"),
            (
                r#"{"replay": {"file": "a", "anchor_unix_ms": 1, "rate": 0}}"#,
                "`replay.anchor_unix_ms`",
            ),
            (
                r#"{"replay": {"file": "a", "anchor_unix_ms": 1, "start_after_ms": 1}}"#,
                "`replay.anchor_unix_ms`",
            ),
            (r#"{"faults": [{"do": "silent"}, {"do": "explode"}]}"#, "`faults[1]`"),
        ] {
            let text = refused(json);
            assert!(text.contains(named), "{json} -> {text}");
        }
    }

    #[test]
    fn a_script_file_that_is_not_there_is_named() {
        let text = chain(&Script::load(Some("/nowhere/script.json")).unwrap_err());
        assert!(text.contains("/nowhere/script.json"), "{text}");
    }
}

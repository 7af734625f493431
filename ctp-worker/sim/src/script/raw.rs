//! The script as it stands in the file, and the checks that make a [`Script`] of it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;

use crate::calendar::{Calendar, Date};
use crate::clock::{Pauses, Visited};
use crate::faults::Fault;
use crate::layout::Abi;
use crate::script::{
    Awaited, Burst, ClockChoice, MarketPlan, Pace, ReplayPlan, Script, ScriptError, Source,
};

/// Most ticks per second a script may ask for.
const RATE_MAX: f64 = 10_000_000.0;

/// The longest time between two ticks in lockstep that a script may ask for.
const EVERY_MS_MAX: u64 = 3_600_000;

/// The file's keys; every one may be absent.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawScript {
    abi: Option<String>,
    version: Option<String>,
    connect_after_ms: Option<u64>,
    trading_day: Option<String>,
    relogin_each_trading_day: Option<bool>,
    stamp_turnover: Option<bool>,
    slice_us: Option<u64>,
    seed: Option<u64>,
    rate: Option<f64>,
    every_ms: Option<u64>,
    clock: Option<RawClock>,
    burst: Option<Burst>,
    replay: Option<RawReplay>,
    faults: Option<Vec<Value>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawClock {
    start: Option<String>,
    anchor_unix_ms: Option<i64>,
    speed: Option<f64>,
    sessions: Option<RawSessions>,
    pauses: Option<RawPauses>,
    holidays: Option<Vec<String>>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RawSessions {
    All,
    Day,
    Night,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RawPauses {
    Skip,
    Keep,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawReplay {
    file: PathBuf,
    speed: Option<f64>,
    rate: Option<f64>,
    max_gap_ms: Option<u64>,
    await_subscriptions: Option<RawAwaited>,
    start_after_ms: Option<u64>,
    start_at_unix_ms: Option<i64>,
    anchor_unix_ms: Option<i64>,
    #[serde(rename = "loop")]
    repeat: Option<bool>,
    pause_while_disconnected: Option<bool>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged, expecting = "`await_subscriptions` is true, false or a number of instruments")]
enum RawAwaited {
    All(bool),
    Count(usize),
}

impl RawScript {
    /// Checks every value and fills in the defaults.
    pub(super) fn check(self) -> Result<Script, ScriptError> {
        let abi = self.abi()?;
        let version = self.version.clone();
        let version = version
            .unwrap_or_else(|| format!("v{}_qamd-sim {}", abi.name(), env!("CARGO_PKG_VERSION")));
        if version.is_empty() || version.contains('\0') {
            return Err(wrong("version", "empty, or with a NUL in it"));
        }
        let trading_day = match &self.trading_day {
            None => None,
            Some(text) => match Date::parse(text).filter(|_| text.len() == 8) {
                Some(date) => Some(date.ctp_bytes()),
                None => return Err(wrong("trading_day", "not a date like 20250303")),
            },
        };
        let faults = self.faults.as_deref().unwrap_or_default();
        let faults = faults.iter().enumerate().map(|(index, fault)| {
            Fault::parse(fault).map_err(|source| ScriptError::Fault { index, source })
        });
        let faults = faults.collect::<Result<_, _>>()?;
        let generated = self.replay.is_none();
        Ok(Script {
            abi,
            version,
            connect_after_ms: self.connect_after_ms.unwrap_or(10),
            trading_day,
            relogin_each_trading_day: self.relogin_each_trading_day.unwrap_or(generated),
            stamp_turnover: self.stamp_turnover.unwrap_or(false),
            slice_us: self.slice_us.unwrap_or(1000),
            faults,
            source: self.source()?,
        })
    }

    fn abi(&self) -> Result<Abi, ScriptError> {
        let name = self.abi.as_deref().unwrap_or("6.7.13");
        let known = Abi::NAMED.iter().find(|(known, _)| *known == name);
        known.map(|(_, abi)| *abi).ok_or_else(|| {
            let names: Vec<_> = Abi::NAMED.iter().map(|(known, _)| *known).collect();
            wrong("abi", &format!("`{name}` is none of {}", names.join(", ")))
        })
    }

    fn source(self) -> Result<Source, ScriptError> {
        if let Some(replay) = self.replay {
            let strangers = [
                ("seed", self.seed.is_some()),
                ("rate", self.rate.is_some()),
                ("every_ms", self.every_ms.is_some()),
                ("clock", self.clock.is_some()),
                ("burst", self.burst.is_some()),
            ];
            if let Some((key, _)) = strangers.into_iter().find(|(_, given)| *given) {
                return Err(wrong(key, "belongs to the generated market, not to a replay"));
            }
            return Ok(Source::Replay(replay.check()?));
        }
        if let Some(rate) = self.rate {
            check_rate("rate", rate)?;
        }
        if let Some(burst) = &self.burst {
            check_rate("burst.per_second", burst.per_second)?;
        }
        if let Some(every_ms) = self.every_ms {
            if !(1..=EVERY_MS_MAX).contains(&every_ms) {
                let reason = format!("{every_ms} is not from 1 to {EVERY_MS_MAX}");
                return Err(wrong("every_ms", &reason));
            }
            if self.rate.is_some() || self.burst.is_some() {
                return Err(wrong("every_ms", "excludes `rate` and `burst`"));
            }
        }
        Ok(Source::Generated(MarketPlan {
            seed: self.seed.unwrap_or(1),
            rate: self.rate,
            every_ms: self.every_ms,
            clock: self.clock.unwrap_or_default().check()?,
            burst: self.burst,
        }))
    }
}

impl RawClock {
    fn check(self) -> Result<ClockChoice, ScriptError> {
        let start_local_ms = match &self.start {
            None => None,
            Some(text) => Some(local_time(text).ok_or_else(|| {
                wrong("clock.start", &format!("`{text}` is no time like 2025-03-03T20:59:00"))
            })?),
        };
        if self.anchor_unix_ms.is_some() && start_local_ms.is_none() {
            return Err(wrong("clock.anchor_unix_ms", "needs `clock.start`"));
        }
        let speed = self.speed.unwrap_or(1.0);
        if !(speed > 0.0 && speed <= 1e6) {
            return Err(wrong("clock.speed", "not above 0 and at most 1000000"));
        }
        let mut holidays = BTreeSet::new();
        for text in self.holidays.unwrap_or_default() {
            let date = Date::parse(&text);
            holidays.insert(date.ok_or_else(|| {
                wrong("clock.holidays", &format!("`{text}` is no date like 2025-05-01"))
            })?);
        }
        let visited = match (self.sessions, start_local_ms) {
            (Some(RawSessions::All), _) | (None, Some(_)) => Visited::All,
            (Some(RawSessions::Day), _) | (None, None) => Visited::Day,
            (Some(RawSessions::Night), _) => Visited::Night,
        };
        let pauses = match self.pauses {
            Some(RawPauses::Keep) => Pauses::Keep,
            Some(RawPauses::Skip) | None => Pauses::Skip,
        };
        Ok(ClockChoice {
            start_local_ms,
            anchor_unix_ms: self.anchor_unix_ms,
            speed,
            visited,
            pauses,
            calendar: Calendar::new(holidays),
        })
    }
}

impl RawReplay {
    fn check(self) -> Result<ReplayPlan, ScriptError> {
        let pace = match (self.rate, self.speed) {
            (Some(0.0), _) => Pace::Unpaced,
            (Some(rate), _) => {
                check_rate("replay.rate", rate)?;
                Pace::Rate(rate)
            }
            (None, speed) => {
                let speed = speed.unwrap_or(1.0);
                if !(speed > 0.0 && speed <= 1e6) {
                    return Err(wrong("replay.speed", "not above 0 and at most 1000000"));
                }
                Pace::Speed(speed)
            }
        };
        let start = match self.await_subscriptions {
            None | Some(RawAwaited::All(false)) | Some(RawAwaited::Count(0)) => Awaited::Nothing,
            Some(RawAwaited::All(true)) => Awaited::All,
            Some(RawAwaited::Count(count)) => Awaited::Count(count),
        };
        let begins_elsewise = self.start_at_unix_ms.is_some()
            || self.start_after_ms.is_some()
            || self.await_subscriptions.is_some()
            || self.pause_while_disconnected == Some(true);
        if self.anchor_unix_ms.is_some() && (begins_elsewise || pace == Pace::Unpaced) {
            let reason = "excludes the other ways to begin, pauses, and rate 0";
            return Err(wrong("replay.anchor_unix_ms", reason));
        }
        Ok(ReplayPlan {
            file: self.file,
            pace,
            max_gap_ms: self.max_gap_ms.unwrap_or(10_000),
            start,
            start_after_ms: self.start_after_ms.unwrap_or(0),
            start_at_unix_ms: self.start_at_unix_ms.or(self.anchor_unix_ms),
            anchor_unix_ms: self.anchor_unix_ms,
            repeat: self.repeat.unwrap_or(false),
            pause_while_disconnected: self.pause_while_disconnected.unwrap_or(false),
        })
    }
}

fn wrong(key: &'static str, reason: &str) -> ScriptError {
    ScriptError::Value { key, reason: reason.to_owned() }
}

fn check_rate(key: &'static str, rate: f64) -> Result<(), ScriptError> {
    if rate > 0.0 && rate <= RATE_MAX {
        Ok(())
    } else {
        Err(wrong(key, &format!("{rate} is not above 0 and at most {RATE_MAX}")))
    }
}

/// Reads `2025-03-03T20:59:00` (or with a blank for the `T`) as local milliseconds.
pub(super) fn local_time(text: &str) -> Option<i64> {
    let (date, time) = text.split_once(['T', ' '])?;
    let date = Date::parse(date)?;
    let mut parts = [0i64; 3];
    let mut count = 0;
    for part in time.split(':') {
        if part.len() != 2 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *parts.get_mut(count)? = part.parse().ok()?;
        count += 1;
    }
    let [hour, minute, second] = parts;
    let fits = (2..=3).contains(&count) && hour < 24 && minute < 60 && second < 60;
    fits.then(|| date.local_ms() + ((hour * 60 + minute) * 60 + second) * 1000)
}

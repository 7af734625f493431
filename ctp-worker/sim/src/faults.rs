//! The fault script: what goes wrong, when, and how often.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use crate::instrument::InstrumentId;
use crate::messages;

/// Network read failed: the reason a front's closing carries.
pub(crate) const NETWORK_READ: i32 = 0x1001;

/// Why a fault was refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FaultError {
    /// The entry is no object.
    #[error("not an object")]
    NotAnObject,
    /// Several moments are given.
    #[error("`at_ms`, `after_ticks` and `when_file` exclude each other")]
    SeveralMoments,
    /// An unknown key or a value of the wrong kind.
    #[error("reading its keys")]
    Keys(#[source] serde_json::Error),
    /// A value outside its range.
    #[error("`{key}`: {reason}")]
    Value { key: &'static str, reason: &'static str },
}

/// When a fault happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// So many milliseconds after `Init`.
    AtMs(u64),
    /// As soon as so many ticks were sent.
    AfterTicks(u64),
    /// As soon as this file is there.
    WhenFile(PathBuf),
}

/// One entry of the script.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fault {
    pub(crate) trigger: Trigger,
    /// The fault happens only if this file can be created: once among all processes.
    pub(crate) once_file: Option<PathBuf>,
    pub(crate) action: Action,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Action {
    /// Logins are answered with an error.
    RefuseLogin {
        #[serde(default = "bad_login")]
        error_id: i32,
        times: Option<u32>,
    },
    /// Subscriptions are answered with an error.
    RefuseInstrument {
        instrument: Option<String>,
        pattern: Option<String>,
        #[serde(default = "no_such_instrument")]
        error_id: i32,
        times: Option<u32>,
    },
    /// The front closes the connection.
    Disconnect {
        #[serde(default = "network_read")]
        reason: i32,
        /// `null`: it does not come back.
        #[serde(default = "a_second")]
        reconnect_after_ms: Option<u64>,
    },
    /// No ticks any more.
    Silent { for_ms: Option<u64> },
    /// No ticks of some instruments any more.
    Mute { instrument: Option<String>, pattern: Option<String>, for_ms: Option<u64> },
    /// Answers take their time.
    Late {
        #[serde(default)]
        login_ms: u64,
        #[serde(default)]
        acks_ms: u64,
    },
    /// Subscription answers get lost.
    LoseAcks {
        count: u64,
        /// Whether the subscription itself arrives.
        #[serde(default = "yes")]
        ticking: bool,
    },
    /// The process dies in the callback thread.
    Crash {
        #[serde(default)]
        how: Death,
    },
    /// `OnFrontDisconnected` without any `OnFrontConnected`.
    DisconnectBeforeConnect {
        #[serde(default = "network_read")]
        reason: i32,
        #[serde(default = "once")]
        times: u32,
    },
    /// No front answers: no callback at all.
    Unreachable { for_ms: Option<u64> },
    /// Calls return an error.
    ReturnCode {
        call: Call,
        code: i32,
        #[serde(default = "once")]
        times: u32,
    },
    /// Ticks come twice: first with rubbish for an id.
    GarbageInstrument {
        #[serde(default = "once")]
        count: u32,
    },
    /// Ticks come without a last price.
    SentinelLast {
        #[serde(default = "once")]
        count: u32,
    },
    /// `OnHeartBeatWarning`.
    HeartbeatWarning {
        #[serde(default = "ten")]
        seconds: i32,
    },
    /// `OnRspError`.
    RspError { error_id: i32 },
    /// `Release` takes its time, or never ends.
    HangRelease { for_ms: Option<u64> },
}

/// How a process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Death {
    /// By writing where nothing is.
    #[default]
    Segv,
    /// By calling `abort`.
    Abort,
}

/// A call with a return code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Call {
    Login,
    Subscribe,
    Unsubscribe,
}

const fn bad_login() -> i32 {
    3
}
const fn no_such_instrument() -> i32 {
    messages::NO_SUCH_INSTRUMENT
}
const fn network_read() -> i32 {
    NETWORK_READ
}
#[expect(clippy::unnecessary_wraps, reason = "the default of an optional key")]
const fn a_second() -> Option<u64> {
    Some(1000)
}
const fn yes() -> bool {
    true
}
const fn once() -> u32 {
    1
}
const fn ten() -> i32 {
    10
}

impl Fault {
    /// Reads an entry of the script.
    ///
    /// # Errors
    /// Names the key that is wrong.
    pub(crate) fn parse(value: &Value) -> Result<Self, FaultError> {
        #[derive(Deserialize)]
        struct When {
            at_ms: Option<u64>,
            after_ticks: Option<u64>,
            when_file: Option<PathBuf>,
            once_file: Option<PathBuf>,
        }
        let mut keys = value.as_object().ok_or(FaultError::NotAnObject)?.clone();
        let when: When = serde_json::from_value(value.clone()).map_err(FaultError::Keys)?;
        for key in ["at_ms", "after_ticks", "when_file", "once_file"] {
            keys.remove(key);
        }
        let trigger = match (when.at_ms, when.after_ticks, when.when_file) {
            (at_ms, None, None) => Trigger::AtMs(at_ms.unwrap_or(0)),
            (None, Some(ticks), None) => Trigger::AfterTicks(ticks),
            (None, None, Some(file)) => Trigger::WhenFile(file),
            _ => return Err(FaultError::SeveralMoments),
        };
        let action: Action =
            serde_json::from_value(Value::Object(keys)).map_err(FaultError::Keys)?;
        check(&action)?;
        Ok(Self { trigger, once_file: when.once_file, action })
    }
}

fn check(action: &Action) -> Result<(), FaultError> {
    let wrong = |key, reason| Err(FaultError::Value { key, reason });
    match action {
        Action::RefuseInstrument { instrument: Some(_), pattern: Some(_), .. }
        | Action::Mute { instrument: Some(_), pattern: Some(_), .. } => {
            wrong("pattern", "excludes `instrument`")
        }
        Action::RefuseInstrument { instrument: None, pattern: None, .. }
        | Action::Mute { instrument: None, pattern: None, .. } => {
            wrong("instrument", "missing, and no `pattern` either")
        }
        Action::RefuseInstrument { error_id: 0, .. } | Action::RefuseLogin { error_id: 0, .. } => {
            wrong("error_id", "0 is success")
        }
        Action::ReturnCode { code, .. } if *code >= 0 => wrong("code", "not negative"),
        _ => Ok(()),
    }
}

/// The faults still to come.
#[derive(Debug, Clone)]
pub(crate) struct FaultSchedule {
    pending: Vec<Fault>,
}

impl FaultSchedule {
    /// All faults of a script.
    pub(crate) fn new(faults: &[Fault]) -> Self {
        Self { pending: faults.to_vec() }
    }

    /// Takes the first fault that is due, in the script's order.
    pub(crate) fn take_due(
        &mut self,
        elapsed_ms: u64,
        ticks: u64,
        mut is_there: impl FnMut(&Path) -> bool,
    ) -> Option<Fault> {
        let due = self.pending.iter().position(|fault| match &fault.trigger {
            Trigger::AtMs(at_ms) => elapsed_ms >= *at_ms,
            Trigger::AfterTicks(after) => ticks >= *after,
            Trigger::WhenFile(file) => is_there(file),
        })?;
        Some(self.pending.remove(due))
    }

    /// When the next fault with a time is due, in milliseconds since `Init`.
    pub(crate) fn next_at_ms(&self) -> Option<u64> {
        let times = self.pending.iter().filter_map(|fault| match fault.trigger {
            Trigger::AtMs(at_ms) => Some(at_ms),
            Trigger::AfterTicks(_) | Trigger::WhenFile(_) => None,
        });
        times.min()
    }

    /// True while a fault waits for a file, which has to be looked for.
    pub(crate) fn awaits_a_file(&self) -> bool {
        self.pending.iter().any(|fault| matches!(fault.trigger, Trigger::WhenFile(_)))
    }

    /// The count of ticks at which the next fault is due.
    pub(crate) fn next_at_ticks(&self) -> Option<u64> {
        let counts = self.pending.iter().filter_map(|fault| match fault.trigger {
            Trigger::AtMs(_) | Trigger::WhenFile(_) => None,
            Trigger::AfterTicks(ticks) => Some(ticks),
        });
        counts.min()
    }
}

/// A rule that says what to refuse, so many times.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    /// `*` is any text, `?` any byte; `None` for logins.
    pattern: Option<Vec<u8>>,
    error_id: i32,
    left: Option<u32>,
}

impl Refusal {
    /// Refuses logins.
    pub(crate) fn of_login(error_id: i32, times: Option<u32>) -> Self {
        Self { pattern: None, error_id, left: times }
    }

    /// Refuses the instruments a pattern fits.
    pub(crate) fn of_instruments(pattern: &str, error_id: i32, times: Option<u32>) -> Self {
        Self { pattern: Some(pattern.as_bytes().to_vec()), error_id, left: times }
    }

    /// The ErrorID if this refuses the instrument (`None`: the login), and one time less from now.
    pub(crate) fn refuse(&mut self, instrument: Option<&InstrumentId>) -> Option<i32> {
        let fits = match (&self.pattern, instrument) {
            (Some(pattern), Some(id)) => fits(pattern, id.as_bytes()),
            (None, None) => true,
            _ => false,
        };
        if !fits || self.left == Some(0) {
            return None;
        }
        self.left = self.left.map(|left| left - 1);
        Some(self.error_id)
    }
}

/// Instruments whose ticks the front keeps to itself.
#[derive(Debug, Clone)]
pub(crate) struct Muted {
    /// As [`Refusal`]'s.
    pattern: Vec<u8>,
    until_ns: u64,
}

impl Muted {
    /// The instruments a pattern fits, until then.
    pub(crate) fn new(pattern: &str, until_ns: u64) -> Self {
        Self { pattern: pattern.as_bytes().to_vec(), until_ns }
    }

    /// Whether an instrument's tick is kept now.
    pub(crate) fn keeps(&self, instrument: &InstrumentId, now_ns: u64) -> bool {
        now_ns < self.until_ns && fits(&self.pattern, instrument.as_bytes())
    }
}

/// Whether a pattern with `*` and `?` fits a text.
fn fits(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut from) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while from < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(&byte) if byte == b'?' || byte == text[from] => {
                at += 1;
                from += 1;
            }
            _ => {
                // Let the last star take one byte more and try again.
                let Some((star_at, taken)) = star else { return false };
                star = Some((star_at, taken + 1));
                at = star_at + 1;
                from = taken + 1;
            }
        }
    }
    pattern[at..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(json: &str) -> Result<Fault, FaultError> {
        Fault::parse(&serde_json::from_str(json).unwrap())
    }

    #[test]
    fn entries_have_their_defaults() {
        let fault = parse(r#"{"do": "disconnect"}"#).unwrap();
        let reconnect_after_ms = Some(1000);
        assert_eq!(fault.action, Action::Disconnect { reason: 0x1001, reconnect_after_ms });
        assert_eq!(fault.trigger, Trigger::AtMs(0));
        let for_ever = parse(r#"{"do": "disconnect", "reconnect_after_ms": null}"#).unwrap();
        let reconnect_after_ms = None;
        assert_eq!(for_ever.action, Action::Disconnect { reason: 0x1001, reconnect_after_ms });
        let crash = parse(r#"{"after_ticks": 7, "do": "crash", "once_file": "/tmp/x"}"#).unwrap();
        assert_eq!(crash.trigger, Trigger::AfterTicks(7));
        assert_eq!(crash.action, Action::Crash { how: Death::Segv });
        assert_eq!(crash.once_file, Some(PathBuf::from("/tmp/x")));
    }

    #[test]
    fn nonsense_is_refused() {
        for json in [
            "3",
            "{}",
            r#"{"do": "explode"}"#,
            r#"{"do": "silent", "for": 3}"#,
            r#"{"do": "silent", "at_ms": 1, "after_ticks": 1}"#,
            r#"{"do": "silent", "at_ms": -1}"#,
            r#"{"do": "refuse_instrument"}"#,
            r#"{"do": "refuse_instrument", "instrument": "a", "pattern": "b"}"#,
            r#"{"do": "silent", "at_ms": 1, "when_file": "/tmp/x"}"#,
            r#"{"do": "silent", "after_ticks": 1, "when_file": "/tmp/x"}"#,
            r#"{"do": "mute"}"#,
            r#"{"do": "mute", "instrument": "a", "pattern": "b"}"#,
            r#"{"do": "refuse_login", "error_id": 0}"#,
            r#"{"do": "return_code", "call": "login", "code": 1}"#,
            r#"{"do": "return_code", "call": "fly", "code": -2}"#,
        ] {
            assert!(parse(json).is_err(), "{json}");
        }
    }

    #[test]
    fn faults_come_once_and_in_order() {
        let faults = [
            parse(r#"{"at_ms": 10, "do": "silent"}"#).unwrap(),
            parse(r#"{"after_ticks": 3, "do": "crash"}"#).unwrap(),
            parse(r#"{"at_ms": 5, "do": "disconnect"}"#).unwrap(),
        ];
        let mut schedule = FaultSchedule::new(&faults);
        let no_file = |_: &Path| panic!("no fault waits for a file");
        assert_eq!(schedule.take_due(4, 2, no_file), None);
        assert_eq!(schedule.next_at_ms(), Some(5));
        assert_eq!(schedule.next_at_ticks(), Some(3));
        assert_eq!(schedule.take_due(20, 2, no_file).as_ref(), Some(&faults[0]));
        assert_eq!(schedule.take_due(20, 2, no_file).as_ref(), Some(&faults[2]));
        assert_eq!(schedule.take_due(20, 2, no_file), None);
        assert_eq!(schedule.take_due(20, 3, no_file).as_ref(), Some(&faults[1]));
        assert_eq!((schedule.next_at_ms(), schedule.next_at_ticks()), (None, None));
    }

    #[test]
    fn a_fault_may_wait_for_a_file() {
        let fault = parse(r#"{"when_file": "/tmp/go", "do": "silent"}"#).unwrap();
        let mut schedule = FaultSchedule::new(std::slice::from_ref(&fault));
        assert!(schedule.awaits_a_file());
        assert_eq!(schedule.take_due(u64::MAX, u64::MAX, |_| false), None);
        assert_eq!((schedule.next_at_ms(), schedule.next_at_ticks()), (None, None));
        let due = schedule.take_due(0, 0, |path| path == Path::new("/tmp/go"));
        assert_eq!(due, Some(fault));
        assert!(!schedule.awaits_a_file());
    }

    #[test]
    fn patterns_fit_as_file_names_do() {
        for (pattern, text, expected) in [
            ("rb2505", "rb2505", true),
            ("rb2505", "rb25051", false),
            ("rb*", "rb2505", true),
            ("*", "", true),
            ("", "", true),
            ("?", "", false),
            ("rb????", "rb2505", true),
            ("*C*", "SR505C5600", true),
            ("*C*0", "SR505C5601", false),
            ("a*a*a", "aabaa", true),
        ] {
            assert_eq!(fits(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn refusals_run_out() {
        let mut refusal = Refusal::of_instruments("x*", 16, Some(2));
        let (fitting, other) = (InstrumentId::new(b"x1"), InstrumentId::new(b"y1"));
        assert_eq!(refusal.refuse(Some(&other)), None);
        assert_eq!(refusal.refuse(Some(&fitting)), Some(16));
        assert_eq!(refusal.refuse(Some(&fitting)), Some(16));
        assert_eq!(refusal.refuse(Some(&fitting)), None);
        let mut for_ever = Refusal::of_login(3, None);
        assert_eq!(for_ever.refuse(None), Some(3));
        assert_eq!(for_ever.refuse(None), Some(3));
        assert_eq!(for_ever.refuse(Some(&fitting)), None);
    }

    proptest! {
        #[test]
        fn a_star_fits_whatever_stands_there(
            before in "[ab]{0,6}", between in "[abc]{0,6}", after in "[ab]{0,6}",
        ) {
            let text = format!("{before}{between}{after}");
            let pattern = format!("{before}*{after}");
            prop_assert!(fits(pattern.as_bytes(), text.as_bytes()));
            prop_assert!(fits(text.as_bytes(), text.as_bytes()));
        }
    }
}

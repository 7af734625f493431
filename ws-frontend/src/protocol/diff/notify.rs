//! From a happening to what a DIFF client finds under `notify` in its snapshot.
//!
//! TqSdk prints the content to its user, in the level's name, and takes some codes of its own for events of the network: with
//! 2019112902 it takes its connection for a new one and asks for everything again. Ours are far from those, and each
//! means one thing for ever.
//!
//! | code | level | means |
//! |---|---|---|
//! | 77990001 | WARNING in a trading session, else INFO | a connection is down |
//! | 77990002 | INFO | a connection is up again |
//! | 77990003 | WARNING | instruments are stale |
//! | 77990004 | INFO | instruments are stale no longer |
//! | 77990005 | INFO | the trading day |
//! | 77990006 | ERROR | ticks were lost and will not come again |
//! | 77990007 | WARNING | a message of this client was not understood or not granted |
//! | 77990008 | WARNING | so many notices were left out, since nobody peeked |

use shm_layout::InstrumentId;

use crate::catalog::Unknown;
use crate::events::Happening;
use crate::json_out::{push, push_int, push_string};
use crate::limits::NOTICE_INSTRUMENTS_MAX;

/// How grave a notice is, as Python's logging names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeLevel {
    /// Good to know.
    Info,
    /// Something does not work, and may again.
    Warning,
    /// Something is lost.
    Error,
}

/// One notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// How grave it is.
    pub level: NoticeLevel,
    /// What kind of thing happened, see above.
    pub code: u32,
    /// What happened, for a person who reads Chinese.
    pub content: String,
}

// === impl NoticeLevel ===

impl NoticeLevel {
    /// The level's name in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "INFO",
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
        }
    }
}

// === impl Notice ===

impl Notice {
    /// What was wrong with a client's message.
    #[must_use]
    pub fn refusal(message: &str) -> Self {
        Self { level: NoticeLevel::Warning, code: 77_990_007, content: message.into() }
    }

    /// Nobody knows the instruments that a client asked about.
    #[must_use]
    pub fn unknown(symbols: &Unknown) -> Self {
        let names = and_more(symbols.first.join("、"), symbols.first.len(), symbols.count);
        let content = format!("没有合约资料（不在合约表中，也没有行情）：{names}");
        Self { level: NoticeLevel::Warning, code: 77_990_009, content }
    }

    /// So many notices were left out.
    #[must_use]
    pub fn left_out(count: u64) -> Self {
        let content = format!("另有 {count} 条通知被省略");
        Self { level: NoticeLevel::Warning, code: 77_990_008, content }
    }

    /// Appends it as the JSON object that stands under its id in `notify`.
    pub fn push_json(&self, out: &mut Vec<u8>) {
        push(out, "{\"type\":\"MESSAGE\",\"level\":\"");
        push(out, self.level.as_str());
        push(out, "\",\"code\":");
        push_int(out, self.code);
        push(out, ",\"content\":");
        push_string(out, &self.content);
        push(out, "}");
    }
}

/// The notice of a happening.
#[must_use]
pub fn notify_of(happening: &Happening) -> Notice {
    use NoticeLevel::{Error, Info, Warning};
    let (level, code, content) = match happening {
        Happening::FrontDown { connection, why, in_session: true } => {
            (Warning, 77_990_001, format!("行情连接 {connection} 中断：{why}"))
        }
        Happening::FrontDown { connection, why, in_session: false } => {
            (Info, 77_990_001, format!("行情连接 {connection} 在非交易时段中断：{why}"))
        }
        Happening::FrontUp { connection } => {
            (Info, 77_990_002, format!("行情连接 {connection} 已恢复"))
        }
        Happening::Stale(instruments) => {
            (Warning, 77_990_003, format!("合约行情中断：{}", named(instruments)))
        }
        Happening::Fresh(instruments) => (
            Info,
            77_990_004,
            format!("合约行情中断结束（已恢复或已休市）：{}", named(instruments)),
        ),
        Happening::TradingDay(day) => (Info, 77_990_005, format!("当前交易日：{day}")),
        Happening::Losses { ticks } => {
            (Error, 77_990_006, format!("行情网关丢失了 {ticks} 笔行情"))
        }
    };
    Notice { level, code, content }
}

/// The first few of them, and how many there are when that is not all.
fn named(instruments: &[InstrumentId]) -> String {
    let first = instruments.iter().take(NOTICE_INSTRUMENTS_MAX).map(InstrumentId::as_str);
    let names = first.collect::<Vec<_>>();
    and_more(names.join("、"), names.len(), instruments.len())
}

fn and_more(names: String, named: usize, all: usize) -> String {
    if all > named { format!("{names} 等 {all} 个合约") } else { names }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use shm_layout::{ConnectionId, Date};

    fn connection() -> ConnectionId {
        ConnectionId::parse("guangfa").unwrap()
    }

    fn down(why: &str, in_session: bool) -> Happening {
        Happening::FrontDown { connection: connection(), why: why.into(), in_session }
    }

    fn ids(count: usize) -> Vec<InstrumentId> {
        (0..count).map(|number| InstrumentId::parse(&format!("rb{number:04}")).unwrap()).collect()
    }

    fn json(happening: &Happening) -> String {
        let mut out = Vec::new();
        notify_of(happening).push_json(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_happening_has_its_golden_bytes() {
        let away = "the front went away (reason 0x1001); the library reconnects";
        let cases = [
            (
                down(away, true),
                r#"{"type":"MESSAGE","level":"WARNING","code":77990001,"content":"行情连接 guangfa 中断：the front went away (reason 0x1001); the library reconnects"}"#,
            ),
            (
                down("\"x\"", false),
                r#"{"type":"MESSAGE","level":"INFO","code":77990001,"content":"行情连接 guangfa 在非交易时段中断：\"x\""}"#,
            ),
            (
                Happening::FrontUp { connection: connection() },
                r#"{"type":"MESSAGE","level":"INFO","code":77990002,"content":"行情连接 guangfa 已恢复"}"#,
            ),
            (
                Happening::Stale(ids(2)),
                r#"{"type":"MESSAGE","level":"WARNING","code":77990003,"content":"合约行情中断：rb0000、rb0001"}"#,
            ),
            (
                Happening::Stale(ids(700)),
                r#"{"type":"MESSAGE","level":"WARNING","code":77990003,"content":"合约行情中断：rb0000、rb0001、rb0002、rb0003、rb0004 等 700 个合约"}"#,
            ),
            (
                Happening::Fresh(ids(1)),
                r#"{"type":"MESSAGE","level":"INFO","code":77990004,"content":"合约行情中断结束（已恢复或已休市）：rb0000"}"#,
            ),
            (
                Happening::TradingDay(Date::parse("20231201").unwrap()),
                r#"{"type":"MESSAGE","level":"INFO","code":77990005,"content":"当前交易日：20231201"}"#,
            ),
            (
                Happening::Losses { ticks: 12 },
                r#"{"type":"MESSAGE","level":"ERROR","code":77990006,"content":"行情网关丢失了 12 笔行情"}"#,
            ),
        ];
        for (happening, golden) in cases {
            assert_eq!(json(&happening), golden);
        }
    }

    proptest! {
        #[test]
        fn any_reason_is_sound_json(why in "\\PC{0,200}", in_session: bool) {
            let value: serde_json::Value = serde_json::from_str(&json(&down(&why, in_session))).unwrap();
            prop_assert!(value["content"].as_str().unwrap().ends_with(&why));
        }
    }
}

//! From a happening to a text frame, for clients that asked for events.
//!
//! | `event` | with it |
//! |---|---|
//! | `front_down` | `connection_id`, `message` (why, for a person), `in_session` |
//! | `front_up` | `connection_id` |
//! | `stale`, `fresh` | `instruments` (the first [`EVENT_INSTRUMENTS_MAX`]), `count` (of all) |
//! | `trading_day` | `trading_day`, as `YYYYMMDD` |
//! | `losses` | `ticks` |

use shm_layout::InstrumentId;

use crate::events::Happening;
use crate::json_out::{push, push_int, push_string};
use crate::limits::EVENT_INSTRUMENTS_MAX;
use crate::protocol::frame::push_text;

/// Appends a happening as one WebSocket text frame. `timestamp_ms` is the wall clock, milliseconds since 1970-01-01 UTC.
pub fn push_event(out: &mut Vec<u8>, happening: &Happening, timestamp_ms: i64) {
    push_text(out, |out| {
        push(out, "{\"type\":\"event\",\"event\":\"");
        match happening {
            Happening::FrontDown { connection, why, in_session } => {
                push(out, "front_down\",\"connection_id\":");
                push_string(out, connection.as_str());
                push(out, ",\"message\":");
                push_string(out, why);
                push(out, ",\"in_session\":");
                push(out, if *in_session { "true" } else { "false" });
            }
            Happening::FrontUp { connection } => {
                push(out, "front_up\",\"connection_id\":");
                push_string(out, connection.as_str());
            }
            Happening::Stale(instruments) => {
                push(out, "stale\"");
                push_instruments(out, instruments);
            }
            Happening::Fresh(instruments) => {
                push(out, "fresh\"");
                push_instruments(out, instruments);
            }
            Happening::TradingDay(day) => {
                push(out, "trading_day\",\"trading_day\":");
                push_string(out, &day.to_string());
            }
            Happening::Losses { ticks } => {
                push(out, "losses\",\"ticks\":");
                push_int(out, *ticks);
            }
        }
        push(out, ",\"timestamp\":");
        push_int(out, timestamp_ms);
        push(out, "}");
    });
}

fn push_instruments(out: &mut Vec<u8>, instruments: &[InstrumentId]) {
    push(out, ",\"instruments\":[");
    for (number, instrument) in instruments.iter().take(EVENT_INSTRUMENTS_MAX).enumerate() {
        push(out, if number == 0 { "" } else { "," });
        push_string(out, instrument.as_str());
    }
    push(out, "],\"count\":");
    push_int(out, instruments.len());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::frame::lengths;
    use proptest::prelude::*;
    use shm_layout::{ConnectionId, Date};

    fn payload(happening: &Happening) -> String {
        let mut out = Vec::new();
        push_event(&mut out, happening, 1_701_394_215_500);
        let (header, payload) = lengths(&out).unwrap();
        assert_eq!(header + payload, out.len());
        String::from_utf8(out.split_off(header)).unwrap()
    }

    fn connection() -> ConnectionId {
        ConnectionId::parse("guangfa").unwrap()
    }

    #[test]
    fn every_happening_has_its_golden_bytes() {
        let ids: Vec<InstrumentId> =
            ["rb2501", "SPD SR001&SR003"].map(|id| InstrumentId::parse(id).unwrap()).into();
        let why = "login refused: 密码 \"x\" (error 3)".to_owned();
        let cases = [
            (
                Happening::FrontDown { connection: connection(), why, in_session: true },
                r#"{"type":"event","event":"front_down","connection_id":"guangfa","message":"login refused: 密码 \"x\" (error 3)","in_session":true,"timestamp":1701394215500}"#,
            ),
            (
                Happening::FrontUp { connection: connection() },
                r#"{"type":"event","event":"front_up","connection_id":"guangfa","timestamp":1701394215500}"#,
            ),
            (
                Happening::Stale(ids.clone()),
                r#"{"type":"event","event":"stale","instruments":["rb2501","SPD SR001&SR003"],"count":2,"timestamp":1701394215500}"#,
            ),
            (
                Happening::Fresh(ids[..1].to_vec()),
                r#"{"type":"event","event":"fresh","instruments":["rb2501"],"count":1,"timestamp":1701394215500}"#,
            ),
            (
                Happening::TradingDay(Date::parse("20231201").unwrap()),
                r#"{"type":"event","event":"trading_day","trading_day":"20231201","timestamp":1701394215500}"#,
            ),
            (
                Happening::Losses { ticks: 12 },
                r#"{"type":"event","event":"losses","ticks":12,"timestamp":1701394215500}"#,
            ),
        ];
        for (happening, golden) in cases {
            assert_eq!(payload(&happening), golden);
        }
    }

    #[test]
    fn of_many_instruments_the_first_are_named_and_all_are_counted() {
        let ids = (0..EVENT_INSTRUMENTS_MAX + 7)
            .map(|number| InstrumentId::parse(&format!("i{number:06}")).unwrap());
        let text = payload(&Happening::Stale(ids.collect()));
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["instruments"].as_array().unwrap().len(), EVENT_INSTRUMENTS_MAX);
        assert_eq!(value["count"], EVENT_INSTRUMENTS_MAX + 7);
    }

    proptest! {
        #[test]
        fn any_reason_comes_through_as_it_was(why in "\\PC{0,200}") {
            let down = Happening::FrontDown { connection: connection(), why, in_session: false };
            let value: serde_json::Value = serde_json::from_str(&payload(&down)).unwrap();
            let Happening::FrontDown { why, .. } = down else { unreachable!() };
            prop_assert_eq!(value["message"].as_str(), Some(why.as_str()));
            prop_assert_eq!(value["in_session"].as_bool(), Some(false));
        }
    }
}

//! From a reply to a text frame. The keys stand in the order that clients of this protocol know.

use shm_layout::InstrumentId;

use crate::json_out::{push, push_string};
use crate::protocol::frame::push_text;

/// What a client is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply<'a> {
    /// So many different instruments of the request are subscribed now.
    Subscribed(usize),
    /// So many different instruments of the request were subscribed and are no longer.
    Unsubscribed(usize),
    /// All instruments, sorted.
    Instruments(&'a [InstrumentId]),
    /// The instruments whose id holds the pattern, sorted.
    Found {
        /// As the client sent it.
        pattern: &'a str,
        /// The instruments.
        instruments: &'a [InstrumentId],
    },
    /// Events are told from now on, or no longer.
    Events(bool),
    /// The request was not understood or not granted; nothing was changed.
    Refused {
        /// What was wrong, and what to do about it.
        message: &'a str,
        /// When, milliseconds since 1970-01-01 UTC.
        timestamp_ms: i64,
    },
}

/// Appends a reply as one WebSocket text frame.
pub fn push_reply(out: &mut Vec<u8>, reply: &Reply<'_>) {
    push_text(out, |out| match reply {
        Reply::Subscribed(count) => {
            push(
                out,
                "{\"type\":\"subscribe_response\",\"status\":\"success\",\"subscribed_count\":",
            );
            push_count(out, *count);
            push(out, ",\"message\":\"Successfully subscribed to ");
            push_count(out, *count);
            push(out, " instruments\"}");
        }
        Reply::Unsubscribed(count) => {
            push(
                out,
                "{\"type\":\"unsubscribe_response\",\"status\":\"success\",\"unsubscribed_count\":",
            );
            push_count(out, *count);
            push(out, "}");
        }
        Reply::Instruments(instruments) => {
            push(out, "{\"type\":\"instrument_list\",\"instruments\":");
            push_ids(out, instruments);
            push(out, ",\"total_count\":");
            push_count(out, instruments.len());
            push(out, ",\"count\":");
            push_count(out, instruments.len());
            push(out, "}");
        }
        Reply::Found { pattern, instruments } => {
            push(out, "{\"type\":\"search_result\",\"pattern\":");
            push_string(out, pattern);
            push(out, ",\"instruments\":");
            push_ids(out, instruments);
            push(out, ",\"match_count\":");
            push_count(out, instruments.len());
            push(out, ",\"count\":");
            push_count(out, instruments.len());
            push(out, "}");
        }
        Reply::Events(enabled) => {
            push(out, "{\"type\":\"events_response\",\"status\":\"success\",\"enabled\":");
            push(out, if *enabled { "true}" } else { "false}" });
        }
        Reply::Refused { message, timestamp_ms } => {
            push(out, "{\"type\":\"error\",\"message\":");
            push_string(out, message);
            push(out, ",\"timestamp\":");
            push(out, itoa::Buffer::new().format(*timestamp_ms));
            push(out, "}");
        }
    });
}

fn push_count(out: &mut Vec<u8>, count: usize) {
    push(out, itoa::Buffer::new().format(count));
}

/// An id stands in JSON as it is: it holds no quotes, backslashes or control characters.
fn push_ids(out: &mut Vec<u8>, instruments: &[InstrumentId]) {
    out.push(b'[');
    for (number, instrument) in instruments.iter().enumerate() {
        push(out, if number == 0 { "\"" } else { ",\"" });
        push(out, instrument.as_str());
        out.push(b'"');
    }
    out.push(b']');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::frame::lengths;
    use proptest::prelude::*;

    fn payload(reply: &Reply<'_>) -> String {
        let mut out = Vec::new();
        push_reply(&mut out, reply);
        let (header, payload) = lengths(&out).unwrap();
        assert_eq!(header + payload, out.len());
        String::from_utf8(out.split_off(header)).unwrap()
    }

    #[test]
    fn every_reply_has_its_golden_bytes() {
        let ids: Vec<InstrumentId> =
            ["rb2501", "SPD SR001&SR003"].map(|id| InstrumentId::parse(id).unwrap()).into();
        let cases = [
            (
                Reply::Subscribed(3),
                r#"{"type":"subscribe_response","status":"success","subscribed_count":3,"message":"Successfully subscribed to 3 instruments"}"#,
            ),
            (
                Reply::Unsubscribed(1),
                r#"{"type":"unsubscribe_response","status":"success","unsubscribed_count":1}"#,
            ),
            (
                Reply::Instruments(&ids),
                r#"{"type":"instrument_list","instruments":["rb2501","SPD SR001&SR003"],"total_count":2,"count":2}"#,
            ),
            (
                Reply::Instruments(&[]),
                r#"{"type":"instrument_list","instruments":[],"total_count":0,"count":0}"#,
            ),
            (
                Reply::Found { pattern: "r\"b\n", instruments: &ids[..1] },
                r#"{"type":"search_result","pattern":"r\"b\n","instruments":["rb2501"],"match_count":1,"count":1}"#,
            ),
            (
                Reply::Events(true),
                r#"{"type":"events_response","status":"success","enabled":true}"#,
            ),
            (
                Reply::Refused { message: "no \"action\"", timestamp_ms: 1_701_394_215_500 },
                r#"{"type":"error","message":"no \"action\"","timestamp":1701394215500}"#,
            ),
        ];
        for (reply, golden) in cases {
            assert_eq!(payload(&reply), golden);
        }
    }

    proptest! {
        #[test]
        fn any_pattern_comes_back_as_it_was(pattern in "\\PC{0,300}") {
            let text = payload(&Reply::Found { pattern: &pattern, instruments: &[] });
            let value: serde_json::Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(value["pattern"].as_str(), Some(pattern.as_str()));
        }
    }
}

//! From a tick to a text frame. Numbers stand as the exchange sent them, in the fewest digits that read back to the same
//! number; what has no value is null.

use shm_layout::{NO_TIME, Tick};

use crate::json_out::{push, push_int, push_price_or_null};
use crate::protocol::frame::push_text;
use crate::protocol::quote_fields::{QUOTE_FIELDS, RawValue};

const NANOSECONDS_PER_MILLISECOND: i64 = 1_000_000;

/// Appends a tick as one WebSocket text frame. `false`, and nothing is appended, when its instrument id is none.
pub fn push_market_data(out: &mut Vec<u8>, tick: &Tick) -> bool {
    let Ok(instrument) = tick.instrument() else { return false };
    push_text(out, |out| {
        push(out, "{\"type\":\"market_data\",\"instrument_id\":\"");
        push(out, instrument.as_str());
        push(out, "\"");
        push_raw(out, ",\"trading_day\":", &tick.raw_trading_day);
        push_raw(out, ",\"update_time\":", &tick.raw_update_time);
        push(out, ",\"update_millisec\":");
        push_int(out, tick.update_millisec);
        for field in &QUOTE_FIELDS {
            push(out, field.action);
            match field.read.raw(tick) {
                RawValue::Number(number) => push_price_or_null(out, number),
                RawValue::Whole(whole) => push_int(out, whole),
            }
        }
        push_raw(out, ",\"action_day\":", &tick.raw_action_day);
        push_timestamp(out, tick.exchange_time_ns);
        push_exchange(out, tick);
        push(out, "}");
    });
    true
}

/// A text as the exchange sent it, up to its first zero; null when it is empty or cannot stand in JSON as it is.
fn push_raw(out: &mut Vec<u8>, key: &str, raw: &[u8]) {
    push(out, key);
    let end = raw.iter().position(|byte| *byte == 0).unwrap_or(raw.len());
    let text = &raw[..end];
    let stands = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
    if !text.is_empty() && text.iter().all(stands) {
        out.push(b'"');
        out.extend_from_slice(text);
        out.push(b'"');
    } else {
        push(out, "null");
    }
}

fn push_timestamp(out: &mut Vec<u8>, exchange_time_ns: i64) {
    push(out, ",\"timestamp\":");
    if exchange_time_ns == NO_TIME {
        push(out, "null");
    } else {
        let milliseconds = exchange_time_ns.div_euclid(NANOSECONDS_PER_MILLISECOND);
        push_int(out, milliseconds);
    }
}

fn push_exchange(out: &mut Vec<u8>, tick: &Tick) {
    push(out, ",\"exchange_id\":");
    let exchange = tick.exchange();
    if exchange.is_unknown() {
        push(out, "null");
    } else {
        push(out, "\"");
        push(out, exchange.as_str());
        push(out, "\"");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;
    use shm_layout::{ExchangeId, InstrumentId, Level, price_of};

    fn payload(tick: &Tick) -> String {
        let mut out = Vec::new();
        assert!(push_market_data(&mut out, tick));
        String::from_utf8(out.split_off(4)).unwrap()
    }

    fn text<const N: usize>(text: &str) -> [u8; N] {
        let mut bytes = [0; N];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        bytes
    }

    fn level(bid_price: f64, bid_volume: i32, ask_price: f64, ask_volume: i32) -> Level {
        Level { bid_price, ask_price, bid_volume, ask_volume }
    }

    fn full() -> Tick {
        Tick {
            instrument_id: *InstrumentId::parse("rb2501").unwrap().padded(),
            exchange_id: *ExchangeId::SHFE.padded(),
            raw_trading_day: text("20231201"),
            raw_action_day: text("20231201"),
            raw_update_time: text("09:30:15"),
            update_millisec: 500,
            exchange_time_ns: 1_701_394_215_500_000_000,
            last_price: 4180.0,
            pre_settlement_price: 4170.0,
            pre_close_price: 4175.0,
            pre_open_interest: 155_000.0,
            open_price: 4175.0,
            highest_price: 4185.0,
            lowest_price: 4172.0,
            volume: 12580,
            turnover: 525_490_000.0,
            open_interest: 156_890.0,
            close_price: 4178.0,
            settlement_price: 4179.0,
            upper_limit_price: 4587.0,
            lower_limit_price: 3753.0,
            pre_delta: 0.0,
            curr_delta: -0.25,
            levels: [
                level(4179.0, 10, 4180.0, 8),
                level(4178.0, 15, 4181.0, 12),
                level(4177.0, 16, 4182.0, 13),
                level(4176.0, 17, 4183.0, 14),
                level(4175.0, 18, 4184.0, 15),
            ],
            average_price: 4177.5,
            ..Tick::EMPTY
        }
    }

    #[test]
    fn a_full_tick_has_its_golden_bytes() {
        assert_eq!(
            payload(&full()),
            concat!(
                r#"{"type":"market_data","instrument_id":"rb2501","trading_day":"20231201","#,
                r#""update_time":"09:30:15","update_millisec":500,"last_price":4180.0,"#,
                r#""pre_settlement_price":4170.0,"pre_close_price":4175.0,"#,
                r#""pre_open_interest":155000.0,"open_price":4175.0,"highest_price":4185.0,"#,
                r#""lowest_price":4172.0,"volume":12580,"turnover":525490000.0,"#,
                r#""open_interest":156890.0,"close_price":4178.0,"settlement_price":4179.0,"#,
                r#""upper_limit_price":4587.0,"lower_limit_price":3753.0,"pre_delta":0.0,"#,
                r#""curr_delta":-0.25,"#,
                r#""bid_price1":4179.0,"bid_volume1":10,"ask_price1":4180.0,"ask_volume1":8,"#,
                r#""bid_price2":4178.0,"bid_volume2":15,"ask_price2":4181.0,"ask_volume2":12,"#,
                r#""bid_price3":4177.0,"bid_volume3":16,"ask_price3":4182.0,"ask_volume3":13,"#,
                r#""bid_price4":4176.0,"bid_volume4":17,"ask_price4":4183.0,"ask_volume4":14,"#,
                r#""bid_price5":4175.0,"bid_volume5":18,"ask_price5":4184.0,"ask_volume5":15,"#,
                r#""average_price":4177.5,"action_day":"20231201","timestamp":1701394215500,"#,
                r#""exchange_id":"SHFE"}"#
            )
        );
    }

    #[test]
    fn what_has_no_value_is_null() {
        let id = InstrumentId::parse("rb2501").unwrap();
        let empty = Tick { instrument_id: *id.padded(), ..Tick::EMPTY };
        let value: Value = serde_json::from_str(&payload(&empty)).unwrap();
        let full: Value = serde_json::from_str(&payload(&full())).unwrap();
        let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&value), keys(&full));
        for (key, value) in value.as_object().unwrap() {
            match key.as_str() {
                "type" => assert_eq!(value, "market_data"),
                "instrument_id" => assert_eq!(value, "rb2501"),
                "update_millisec" | "volume" => assert_eq!(value, 0),
                key if key.contains("volume") => assert_eq!(value, 0, "{key}"),
                key => assert!(value.is_null(), "{key}: {value}"),
            }
        }
    }

    #[test]
    fn numbers_stand_as_the_exchange_sent_them() {
        let raws = [
            (3_594.000_000_000_000_5, "3594.0000000000005"),
            (5_806.400_000_000_001, "5806.400000000001"),
            (0.0, "0.0"),
            (-619.0, "-619.0"),
            (0.005, "0.005"),
            (f64::NAN, "null"),
            (f64::INFINITY, "null"),
            (f64::MAX, "null"),
        ];
        for (raw, expected) in raws {
            let tick = Tick { last_price: raw, ..full() };
            let expected = format!("\"last_price\":{expected},");
            assert!(payload(&tick).contains(&expected), "{expected}");
        }
    }

    #[test]
    fn times_before_1970_round_down_and_odd_texts_are_null() {
        let odd = Tick {
            exchange_time_ns: -1,
            raw_trading_day: *b"2023\"201",
            raw_action_day: [0xff; 8],
            raw_update_time: *b"9:30:15\0",
            ..full()
        };
        let value: Value = serde_json::from_str(&payload(&odd)).unwrap();
        assert_eq!(value["timestamp"], -1);
        assert_eq!(value["update_time"], "9:30:15");
        assert!(value["trading_day"].is_null() && value["action_day"].is_null());
        assert!(!push_market_data(&mut Vec::new(), &Tick::EMPTY));
    }

    proptest! {
        #[test]
        fn any_tick_is_json_and_every_price_reads_back_bit_for_bit(
            price in any::<f64>(), volume in any::<i32>(), time in any::<i64>(),
            day in any::<[u8; 8]>(), exchange in any::<[u8; 8]>(),
        ) {
            let tick = Tick {
                last_price: price,
                volume,
                exchange_time_ns: time,
                raw_trading_day: day,
                exchange_id: exchange,
                ..full()
            };
            let text = payload(&tick);
            let value: Value = serde_json::from_str(&text).unwrap();
            let (_, rest) = text.split_once("\"last_price\":").unwrap();
            let (number, _) = rest.split_once(',').unwrap();
            // serde_json's own reading of numbers may be off by a digit; the standard library's is exact.
            let read = number.parse::<f64>().ok().map(f64::to_bits);
            prop_assert_eq!(read, price_of(price).map(f64::to_bits));
            prop_assert_eq!(value["volume"].as_i64(), Some(i64::from(volume)));
        }
    }
}

//! A quote of a client's snapshot, or what has changed of it.

use shm_layout::{NO_TIME, ShanghaiTime};

use crate::json_out::{push, push_finite, push_int, push_lots, push_string};
use crate::protocol::quote_fields::{DiffValue, QUOTE_FIELDS, QUOTE_FIELDS_COUNT};

/// What DIFF has for levels that CTP does not carry; sent once, with the whole quote.
const NO_LEVELS: &str = concat!(
    ",\"bid_price6\":\"-\",\"bid_volume6\":\"-\",\"ask_price6\":\"-\",\"ask_volume6\":\"-\"",
    ",\"bid_price7\":\"-\",\"bid_volume7\":\"-\",\"ask_price7\":\"-\",\"ask_volume7\":\"-\"",
    ",\"bid_price8\":\"-\",\"bid_volume8\":\"-\",\"ask_price8\":\"-\",\"ask_volume8\":\"-\"",
    ",\"bid_price9\":\"-\",\"bid_volume9\":\"-\",\"ask_price9\":\"-\",\"ask_volume9\":\"-\"",
    ",\"bid_price10\":\"-\",\"bid_volume10\":\"-\",\"ask_price10\":\"-\",\"ask_volume10\":\"-\"",
);

/// A quote as DIFF says it.
#[derive(Debug, Clone, PartialEq)]
pub struct Quote {
    /// Nanoseconds since 1970-01-01 UTC; [`NO_TIME`] before the first tick.
    pub time_ns: i64,
    /// By the table of fields; those that DIFF does not have are none.
    pub values: [DiffValue; QUOTE_FIELDS_COUNT],
}

/// Which parts of a quote have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuoteChange {
    /// The time.
    pub time: bool,
    /// A bit for each field, by its place in the table.
    pub fields: u64,
}

const _: () = assert!(QUOTE_FIELDS_COUNT <= u64::BITS as usize);

/// Appends the whole of a quote but its symbol: members of an object, each with a comma before it.
pub fn push_quote(out: &mut Vec<u8>, quote: &Quote) {
    push_fields(out, quote, QuoteChange { time: true, fields: u64::MAX });
    push(out, NO_LEVELS);
}

/// Appends what has changed of a quote, likewise.
pub fn push_quote_change(out: &mut Vec<u8>, quote: &Quote, change: QuoteChange) {
    push_fields(out, quote, change);
}

/// Appends an object of such members: with `symbol` a whole quote's.
pub fn push_quote_object(out: &mut Vec<u8>, symbol: Option<&str>, members: &[u8]) {
    let start = out.len();
    if let Some(symbol) = symbol {
        push(out, ",\"instrument_id\":");
        push_string(out, symbol);
    }
    out.extend_from_slice(members);
    close_object(out, start);
}

fn push_fields(out: &mut Vec<u8>, quote: &Quote, change: QuoteChange) {
    if change.time {
        push(out, ",\"datetime\":\"");
        push_datetime(out, quote.time_ns);
        out.push(b'"');
    }
    for (at, (field, value)) in QUOTE_FIELDS.iter().zip(&quote.values).enumerate() {
        if change.fields & (1 << at) == 0 || field.diff.is_empty() {
            continue;
        }
        push(out, field.diff);
        push_value(out, *value);
    }
}

/// What has no value is the text `"-"`.
pub(super) fn push_value(out: &mut Vec<u8>, value: DiffValue) {
    match value {
        DiffValue::Price(price) => push_finite(out, price),
        DiffValue::Lots(lots) => push_lots(out, lots),
        DiffValue::Count(count) => push_int(out, count),
        DiffValue::None => push(out, "\"-\""),
    }
}

/// Makes an object of the members since `start`, each of which begins with a comma.
pub(crate) fn close_object(out: &mut Vec<u8>, start: usize) {
    match out.get_mut(start) {
        Some(first) => *first = b'{',
        None => out.push(b'{'),
    }
    out.push(b'}');
}

/// A time as `2026-11-23 21:00:00.500000`, Beijing; nothing for one that is none.
fn push_datetime(out: &mut Vec<u8>, time_ns: i64) {
    const NS_PER_MS: i64 = 1_000_000;
    const NS_PER_US: i64 = 1_000;
    if time_ns == NO_TIME {
        return;
    }
    let Some(at) = ShanghaiTime::at(time_ns.div_euclid(NS_PER_MS)) else { return };
    let day = at.date.yyyymmdd();
    let seconds = at.ms_of_day / 1000;
    let micros = at.ms_of_day % 1000 * 1000 + time_ns.rem_euclid(NS_PER_MS) / NS_PER_US;
    push_digits::<4>(out, i64::from(day / 10_000));
    out.push(b'-');
    push_digits::<2>(out, i64::from(day / 100 % 100));
    out.push(b'-');
    push_digits::<2>(out, i64::from(day % 100));
    out.push(b' ');
    push_digits::<2>(out, seconds / 3600);
    out.push(b':');
    push_digits::<2>(out, seconds / 60 % 60);
    out.push(b':');
    push_digits::<2>(out, seconds % 60);
    out.push(b'.');
    push_digits::<6>(out, micros);
}

/// The last digits of a number that is not negative, with zeros before it.
fn push_digits<const DIGITS: usize>(out: &mut Vec<u8>, mut number: i64) {
    let mut digits = [b'0'; DIGITS];
    for digit in digits.iter_mut().rev() {
        *digit += u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
    }
    out.extend_from_slice(&digits);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn datetime(time_ns: i64) -> String {
        let mut out = Vec::new();
        push_datetime(&mut out, time_ns);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn times_are_beijings_to_the_microsecond() {
        assert_eq!(datetime(1_701_394_215_500_000_000), "2023-12-01 09:30:15.500000");
        assert_eq!(datetime(1_701_394_215_000_001_999), "2023-12-01 09:30:15.000001");
        assert_eq!(datetime(0), "1970-01-01 08:00:00.000000");
        assert_eq!(datetime(NO_TIME), "");
        assert_eq!(datetime(i64::MAX), "");
    }

    #[test]
    fn a_quote_without_a_tick_is_whole_and_says_that_nothing_has_a_value() {
        let quote = Quote { time_ns: NO_TIME, values: [DiffValue::None; QUOTE_FIELDS_COUNT] };
        let (mut members, mut out) = (Vec::new(), Vec::new());
        push_quote(&mut members, &quote);
        push_quote_object(&mut out, Some("SHFE.SP cu2601&cu2602"), &members);
        let value: Value = serde_json::from_slice(&out).unwrap();
        let keys = value.as_object().unwrap();
        assert_eq!(keys["instrument_id"], "SHFE.SP cu2601&cu2602");
        assert_eq!(keys["datetime"], "");
        assert_eq!(keys["ask_volume10"], "-");
        // Two for the symbol and the time, the deltas of the action dialect left out, five levels more.
        assert_eq!(keys.len(), 2 + QUOTE_FIELDS_COUNT - 2 + 5 * 4);
    }

    #[test]
    fn a_change_says_what_changed_and_no_more() {
        let mut values = [DiffValue::None; QUOTE_FIELDS_COUNT];
        values[0] = DiffValue::Price(3145.0);
        values[7] = DiffValue::Count(12);
        values[9] = DiffValue::Lots(156_890.0);
        let quote = Quote { time_ns: 0, values };
        let text = |change| {
            let (mut members, mut out) = (Vec::new(), b"x".to_vec());
            push_quote_change(&mut members, &quote, change);
            push_quote_object(&mut out, None, &members);
            String::from_utf8(out).unwrap()
        };
        let change = |time, fields| QuoteChange { time, fields };
        assert_eq!(text(change(false, 0)), "x{}");
        assert_eq!(text(change(false, 1)), r#"x{"last_price":3145.0}"#);
        assert_eq!(
            text(change(true, 0b10_1000_0010)),
            r#"x{"datetime":"1970-01-01 08:00:00.000000","pre_settlement":"-","volume":12,"open_interest":156890}"#
        );
    }
}

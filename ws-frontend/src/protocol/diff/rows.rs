//! The items of a series: ticks and bars. An item leaves out what has no value.

use shm_layout::price_of;

use super::quote::{close_object, push_value};
use crate::json_out::{push, push_finite, push_int, push_lots};
use crate::protocol::quote_fields::{DiffValue, QUOTE_FIELDS, Terms};
use crate::quote_faces::Revision;
use crate::series::{BAR_FIELDS, Bar, TickRow};

/// Appends a bar as a JSON object: the whole of it, or with `changed` the fields that changed after a revision. A bar's fields
/// stand in the order of [`crate::series::BarField`].
pub fn push_bar(out: &mut Vec<u8>, bar: &Bar, changed: Option<(&[u64; BAR_FIELDS], Revision)>) {
    let start = out.len();
    let is_due = |field: usize| changed.is_none_or(|(changed, told)| changed[field] > told);
    let prices = [bar.open, bar.high, bar.low, bar.close];
    let keys = [",\"open\":", ",\"high\":", ",\"low\":", ",\"close\":"];
    if is_due(0) {
        push(out, ",\"datetime\":");
        push_int(out, bar.datetime_ns);
    }
    for (field, (key, price)) in (1..).zip(keys.into_iter().zip(prices)) {
        if is_due(field) {
            push_price(out, key, price);
        }
    }
    if is_due(5) {
        push(out, ",\"volume\":");
        push_int(out, bar.volume);
    }
    for (field, key, lots) in
        [(6, ",\"open_oi\":", bar.open_oi), (7, ",\"close_oi\":", bar.close_oi)]
    {
        if is_due(field) {
            push_open_interest(out, key, lots);
        }
    }
    close_object(out, start);
}

/// Appends a tick of a series as a JSON object.
pub fn push_tick_row(out: &mut Vec<u8>, row: &TickRow, terms: Terms) {
    let start = out.len();
    push(out, ",\"datetime\":");
    push_int(out, row.datetime_ns);
    let tick = row.as_tick();
    for field in QUOTE_FIELDS.iter().filter(|field| field.in_series) {
        match field.read.in_series(&tick, terms) {
            DiffValue::None => {}
            value => {
                push(out, field.diff);
                push_value(out, value);
            }
        }
    }
    close_object(out, start);
}

fn push_price(out: &mut Vec<u8>, key: &str, price: f64) {
    if let Some(price) = price_of(price) {
        push(out, key);
        push_finite(out, price);
    }
}

fn push_open_interest(out: &mut Vec<u8>, key: &str, lots: f64) {
    if let Some(lots) = price_of(lots) {
        push(out, key);
        push_lots(out, lots);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use shm_layout::{InstrumentId, Level, Tick, TradingCalendar, TradingHours};

    use crate::series::{BarDuration, Kind, SeriesBook};

    /// 2026-11-23 09:00:00 in Beijing.
    const NINE: i64 = 1_795_395_600_000_000_000;

    fn book() -> (SeriesBook, InstrumentId) {
        let id = InstrumentId::parse("rb2705").unwrap();
        let mut book = SeriesBook::new(TradingHours::new(TradingCalendar::default()));
        let mut tick = Tick {
            instrument_id: *id.padded(),
            exchange_time_ns: NINE + 500_000_000,
            trading_day: 20_261_123,
            last_price: 3145.0,
            average_price: 31_400.0,
            highest_price: 3146.5,
            volume: 12,
            turnover: 376_800.0,
            open_interest: 1000.0,
            ..Tick::EMPTY
        };
        tick.levels[0] = Level { bid_price: 3144.0, bid_volume: 5, ..tick.levels[0] };
        tick.levels[1] = Level { bid_price: 0.0, ask_price: 0.0, ..tick.levels[1] };
        book.take(id, &tick);
        (book, id)
    }

    #[test]
    fn a_tick_says_what_has_a_value() {
        let (mut book, id) = book();
        let series = book.open(id, Kind::Ticks).unwrap();
        let row = book.tick(series, book.last_id(series)).unwrap();
        let mut out = Vec::new();
        push_tick_row(&mut out, row, Terms { volume_multiple: Some(10), plain_prices: false });
        assert_eq!(
            serde_json::from_slice::<Value>(&out).unwrap(),
            json!({"datetime": NINE + 500_000_000, "last_price": 3145.0, "average": 3140.0, "highest": 3146.5,
                "volume": 12, "amount": 376_800.0, "open_interest": 1000, "bid_price1": 3144.0, "bid_volume1": 5})
        );
    }

    #[test]
    fn a_bar_is_told_whole_or_as_far_as_it_changed() {
        let (mut book, id) = book();
        let minute = Kind::Bars(BarDuration::try_from_ns(60_000_000_000).unwrap());
        let series = book.open(id, minute).unwrap();
        let told = book.revision(series);
        let text = |book: &SeriesBook, changed: bool| {
            let mut out = Vec::new();
            let bar = book.bar(series, book.last_id(series)).unwrap();
            push_bar(&mut out, bar, changed.then(|| (book.changed(series), told)));
            String::from_utf8(out).unwrap()
        };
        assert_eq!(
            text(&book, false),
            format!(
                r#"{{"datetime":{NINE},"open":3145.0,"high":3145.0,"low":3145.0,"close":3145.0,"volume":0,"open_oi":1000,"close_oi":1000}}"#
            )
        );
        assert_eq!(text(&book, true), "{}");
        let next = Tick {
            exchange_time_ns: NINE + 1_000_000_000,
            trading_day: 20_261_123,
            last_price: 3144.0,
            volume: 14,
            open_interest: 1000.0,
            ..Tick::EMPTY
        };
        book.take(id, &next);
        assert_eq!(text(&book, true), r#"{"low":3144.0,"close":3144.0,"volume":2}"#);
    }
}

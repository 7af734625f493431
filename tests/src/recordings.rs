//! Ticks in CTP's columns, recorded or made, and what a client must see of each row. This reads CSV by itself and shares
//! nothing with the parts under test.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use csv::StringRecord;
use shm_layout::Date;

use crate::push::{Field, Push};

/// How a column stands in a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A string; null when empty.
    Text,
    /// A double, bit for bit; null when empty or CTP's sentinel.
    Price,
    /// An integer; 0 when empty.
    Count,
}

/// The fields of a push between `type` and `timestamp`, in the order of the protocol, with their columns.
const FIELDS: [(&str, &str, Kind); 43] = {
    use Kind::{Count, Price, Text};
    [
        ("instrument_id", "InstrumentID", Text),
        ("trading_day", "TradingDay", Text),
        ("update_time", "UpdateTime", Text),
        ("update_millisec", "UpdateMillisec", Count),
        ("last_price", "LastPrice", Price),
        ("pre_settlement_price", "PreSettlementPrice", Price),
        ("pre_close_price", "PreClosePrice", Price),
        ("pre_open_interest", "PreOpenInterest", Price),
        ("open_price", "OpenPrice", Price),
        ("highest_price", "HighestPrice", Price),
        ("lowest_price", "LowestPrice", Price),
        ("volume", "Volume", Count),
        ("turnover", "Turnover", Price),
        ("open_interest", "OpenInterest", Price),
        ("close_price", "ClosePrice", Price),
        ("settlement_price", "SettlementPrice", Price),
        ("upper_limit_price", "UpperLimitPrice", Price),
        ("lower_limit_price", "LowerLimitPrice", Price),
        ("pre_delta", "PreDelta", Price),
        ("curr_delta", "CurrDelta", Price),
        ("bid_price1", "BidPrice1", Price),
        ("bid_volume1", "BidVolume1", Count),
        ("ask_price1", "AskPrice1", Price),
        ("ask_volume1", "AskVolume1", Count),
        ("bid_price2", "BidPrice2", Price),
        ("bid_volume2", "BidVolume2", Count),
        ("ask_price2", "AskPrice2", Price),
        ("ask_volume2", "AskVolume2", Count),
        ("bid_price3", "BidPrice3", Price),
        ("bid_volume3", "BidVolume3", Count),
        ("ask_price3", "AskPrice3", Price),
        ("ask_volume3", "AskVolume3", Count),
        ("bid_price4", "BidPrice4", Price),
        ("bid_volume4", "BidVolume4", Count),
        ("ask_price4", "AskPrice4", Price),
        ("ask_volume4", "AskVolume4", Count),
        ("bid_price5", "BidPrice5", Price),
        ("bid_volume5", "BidVolume5", Count),
        ("ask_price5", "AskPrice5", Price),
        ("ask_volume5", "AskVolume5", Count),
        ("average_price", "AveragePrice", Price),
        ("action_day", "ActionDay", Text),
        // Not in every recording, and inferred when empty; compared apart.
        ("exchange_id", "ExchangeID", Text),
    ]
};

/// The greatest double: CTP's "no value".
const SENTINEL: f64 = f64::MAX;

/// The file of recorded ticks that the project carries.
#[must_use]
pub fn own_sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/sample.csv")
}

/// The folder of recorded ticks that the environment names (`QAMD_RECORDINGS`).
#[must_use]
pub fn folder() -> Option<PathBuf> {
    std::env::var_os("QAMD_RECORDINGS").filter(|folder| !folder.is_empty()).map(PathBuf::from)
}

/// A file of ticks, read row by row.
pub struct Recording {
    rows: csv::Reader<Box<dyn Read>>,
    /// The place of each of [`FIELDS`] in a row.
    places: Rc<[usize]>,
}

/// One row of a recording.
#[derive(Debug, Clone)]
pub struct Row {
    record: StringRecord,
    places: Rc<[usize]>,
    /// Its line in the file, the header being line 1.
    pub line: u64,
}

// === impl Recording ===

impl Recording {
    /// Opens a `.csv` or `.csv.zst`.
    ///
    /// # Panics
    /// When it cannot be read, or a column is missing.
    #[must_use]
    pub fn open(path: &Path) -> Self {
        let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let file = BufReader::new(file);
        let bytes: Box<dyn Read> = if path.extension().is_some_and(|extension| extension == "zst") {
            let stream = ruzstd::decoding::StreamingDecoder::new(file);
            Box::new(stream.expect("a zst file begins with a frame"))
        } else {
            Box::new(file)
        };
        let mut rows = csv::ReaderBuilder::new().from_reader(bytes);
        let header = rows.headers().expect("a recording has a header").clone();
        let place = |column: &str| {
            let place = header.iter().position(|name| name == column);
            place.unwrap_or_else(|| panic!("{}: no column {column}", path.display()))
        };
        let places = FIELDS.iter().map(|(_, column, _)| place(column)).collect();
        Self { rows, places }
    }

    /// The distinct instruments of a file, in the order of their first rows.
    ///
    /// # Panics
    /// As [`Self::open`].
    #[must_use]
    pub fn instruments(path: &Path) -> Vec<String> {
        let mut instruments: Vec<String> = Vec::new();
        for row in Self::open(path) {
            if !instruments.iter().any(|known| known == row.instrument()) {
                instruments.push(row.instrument().to_owned());
            }
        }
        instruments
    }
}

impl Iterator for Recording {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        let mut record = StringRecord::new();
        if !self.rows.read_record(&mut record).expect("a recording's rows can be read") {
            return None;
        }
        let line = record.position().map_or(0, csv::Position::line);
        Some(Row { record, places: Rc::clone(&self.places), line })
    }
}

// === impl Row ===

impl Row {
    /// A column that pushes carry.
    ///
    /// # Panics
    /// When there is no such column.
    #[must_use]
    pub fn column(&self, name: &str) -> &str {
        let index = FIELDS.iter().position(|(_, column, _)| *column == name);
        self.cell(index.unwrap_or_else(|| panic!("{name} is no column")))
    }

    /// The instrument.
    #[must_use]
    pub fn instrument(&self) -> &str {
        self.cell(0)
    }

    /// The hour of UpdateTime.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn hour(&self) -> u32 {
        self.column("UpdateTime")[..2].parse().expect("an hour")
    }

    /// The exchange's time of this row on the given day, milliseconds since 1970-01-01 UTC.
    ///
    /// # Panics
    /// When the day or the time is none.
    #[must_use]
    pub fn time_ms(&self, day: &str) -> i64 {
        const SHANGHAI_AHEAD_MS: i64 = 8 * 3_600_000;
        let days = Date::parse(day).expect("a day").days_since_epoch();
        let clock = self.column("UpdateTime").split(':').map(|part| part.parse::<i64>());
        let clock = clock.fold(0, |sum, part| sum * 60 + part.expect("a time"));
        let millis: i64 = self.column("UpdateMillisec").parse().expect("milliseconds");
        i64::from(days) * 86_400_000 + clock * 1000 + millis - SHANGHAI_AHEAD_MS
    }

    /// Compares every field of a push with this row. `day` is the calendar day on which the exchange sent it.
    ///
    /// # Errors
    /// Names the first field that differs.
    pub fn compare(&self, push: &Push, day: &str) -> Result<(), String> {
        let mut shown = push.fields();
        let mut next = || shown.next().unwrap_or(("nothing", Field::Null));
        let wrong = |key: &str, expected: &str, found: (&str, Field<'_>)| {
            let line = self.line;
            Err(format!("line {line}: {key} {expected} expected, {found:?} found: {}", push.text()))
        };
        let kind = next();
        if kind != ("type", Field::Text("market_data")) {
            return wrong("type", "market_data", kind);
        }
        let (fields, exchange) = FIELDS.split_at(FIELDS.len() - 1);
        for (index, (key, _, kind)) in fields.iter().enumerate() {
            let found = next();
            if found.0 != *key || !shows(*kind, self.cell(index), found.1) {
                return wrong(key, self.cell(index), found);
            }
        }
        let time = self.time_ms(day).to_string();
        let found = next();
        if found != ("timestamp", Field::Number(&time)) {
            return wrong("timestamp", &time, found);
        }
        let found = next();
        let expected = self.exchange();
        if found != (exchange[0].0, Field::Text(&expected)) {
            return wrong("exchange_id", &expected, found);
        }
        let beyond = next();
        if beyond.0 == "nothing" { Ok(()) } else { wrong("nothing", "more", beyond) }
    }

    fn exchange(&self) -> String {
        let named = self.column("ExchangeID").trim();
        if !named.is_empty() {
            return named.to_owned();
        }
        // By hand for the products of the recordings, apart from the list under test.
        let leg = self.instrument().rsplit(' ').next().unwrap_or_default();
        let product: String = leg.chars().take_while(char::is_ascii_alphabetic).collect();
        match product.as_str() {
            "ru" | "rb" | "au" | "ni" | "zn" | "cu" => "SHFE",
            "AP" | "SR" | "JR" => "CZCE",
            "m" | "j" => "DCE",
            "IF" => "CFFEX",
            other => panic!("add the exchange of {other} here"),
        }
        .to_owned()
    }

    fn cell(&self, index: usize) -> &str {
        &self.record[self.places[index]]
    }
}

/// True when a field of a push shows a cell of a recording.
fn shows(kind: Kind, cell: &str, field: Field<'_>) -> bool {
    match (kind, field) {
        (Kind::Text, Field::Null) => cell.is_empty(),
        (Kind::Text, Field::Text(text)) => !cell.is_empty() && text == cell,
        (Kind::Price, Field::Null) => value_of(cell).is_none(),
        (Kind::Price, Field::Number(number)) => {
            let shown = number.parse::<f64>().ok().map(f64::to_bits);
            shown.is_some() && shown == value_of(cell).map(f64::to_bits)
        }
        (Kind::Count, Field::Number(number)) => {
            let sent = if cell.is_empty() { Ok(0) } else { cell.parse::<i32>() };
            sent.is_ok() && sent == number.parse::<i32>()
        }
        _ => false,
    }
}

fn value_of(cell: &str) -> Option<f64> {
    let value: f64 = if cell.is_empty() { SENTINEL } else { cell.parse().expect("a price") };
    (value.is_finite() && value != SENTINEL).then_some(value)
}

/// A made recording in which every row can be told from every other: `rows` rows of each instrument in turn, whose
/// Volume counts 1, 2, 3, ... and whose LastPrice is 1000 plus that.
#[must_use]
pub fn counting(instruments: &[&str], rows: usize) -> String {
    let mut text = String::from(
        "TradingDay,InstrumentID,LastPrice,Volume,UpdateTime,UpdateMillisec,BidPrice1,BidVolume1,AskPrice1,AskVolume1,ActionDay\n",
    );
    for row in 1..=rows {
        let second = 9 * 3600 + row / 2;
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        for instrument in instruments {
            let price = 1000 + row;
            text.push_str(&format!(
                "20260112,{instrument},{price}.0,{row},{hour:02}:{minute:02}:{second:02},{},{price}.0,3,{}.0,4,20260112\n",
                row % 2 * 500,
                price + 1,
            ));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_compared_bit_for_bit() {
        let price = |cell, number| shows(Kind::Price, cell, Field::Number(number));
        assert!(price("5806.400000000001", "5806.400000000001"));
        assert!(!price("5806.400000000001", "5806.4"));
        assert!(price("12585.00", "12585.0") && price("0.00", "0.0") && price("-619.00", "-619.0"));
        assert!(!price("0.00", "-0.0"));
        assert!(shows(Kind::Price, "1.7976931348623157e+308", Field::Null));
        assert!(shows(Kind::Price, "", Field::Null) && !shows(Kind::Price, "0.0", Field::Null));
        assert!(shows(Kind::Count, "", Field::Number("0")));
        assert!(shows(Kind::Text, "", Field::Null) && !shows(Kind::Text, "x", Field::Null));
    }

    /// Without this, a comparison that finds nothing wrong proves nothing.
    #[test]
    fn a_push_fits_its_own_row_and_no_other() {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/golden");
        let text = std::fs::read_to_string(golden.join("pushes.txt")).unwrap();
        let pushes: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("= ")).collect();
        let days = ["20260109", "20260112", "20260112", "20260112"];
        for (place, row) in Recording::open(&golden.join("pushes.csv")).enumerate() {
            for (other, push) in pushes[..days.len()].iter().enumerate() {
                let push = Push::parse((*push).to_owned()).unwrap();
                let outcome = row.compare(&push, days[place]);
                assert_eq!(outcome.is_ok(), place == other, "{outcome:?}");
            }
            assert!(
                row.compare(&Push::parse(pushes[place].to_owned()).unwrap(), "20260113").is_err()
            );
            // Any digit of any value.
            for (at, _) in pushes[place].match_indices(|c: char| c.is_ascii_digit()) {
                if pushes[place][..at].ends_with(['.', ':', ',', '-']) {
                    let changed = if &pushes[place][at..=at] == "7" { "8" } else { "7" };
                    let push = [&pushes[place][..at], changed, &pushes[place][at + 1..]].concat();
                    let push = Push::parse(push).unwrap();
                    assert!(row.compare(&push, days[place]).is_err(), "{}", push.text());
                }
            }
        }
    }

    #[test]
    fn the_sample_can_be_read() {
        let instruments = Recording::instruments(&own_sample());
        assert!(instruments.len() >= 3, "{instruments:?}");
    }
}

//! A recording of ticks: CSV with CTP's column names, one snapshot a row.
//!
//! The header decides the order of the columns. A missing column or an empty price is "no value",
//! an empty volume is zero, an empty text stays empty. Numbers are read by Rust's own parser, which
//! gives the nearest double, so that what a recorder wrote in full comes back bit for bit.

use std::io::Read;
use std::path::{Path, PathBuf};

use csv::ByteRecord;

use crate::instrument::InstrumentId;
use crate::layout::{Abi, DepthMarketData, put};
use crate::replay::open::open;

/// Why a recording cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordingError {
    /// The file cannot be opened.
    #[error("opening the recording {path}")]
    Open { path: PathBuf, source: std::io::Error },
    /// The file is no CSV, or cannot be read to its end.
    #[error("reading the recording {path}")]
    Read { path: PathBuf, source: csv::Error },
    /// The header has no such column.
    #[error("reading the header of {path}: no column `{column}`")]
    NoColumn { path: PathBuf, column: &'static str },
    /// The header has a column twice.
    #[error("reading the header of {path}: `{column}` twice")]
    TwiceColumn { path: PathBuf, column: String },
    /// A field is no number.
    #[error("reading {path}, line {line}: `{column}` is no number: {text:?}")]
    Number { path: PathBuf, line: u64, column: &'static str, text: String },
    /// There are no rows.
    #[error("reading the recording {path}: no rows")]
    Empty { path: PathBuf },
    /// There are more instruments than anybody records.
    #[error("reading the recording {path}: too many instruments")]
    TooManyInstruments { path: PathBuf },
}

/// What a column fills.
#[derive(Clone, Copy)]
enum Field {
    InstrumentId,
    Text(fn(&mut DepthMarketData, &[u8])),
    ExchangeInstId,
    Price(fn(&mut DepthMarketData) -> &mut f64),
    Count(fn(&mut DepthMarketData) -> &mut i32),
}

/// A column that is known, by CTP's name.
type Column = (&'static str, Field);

macro_rules! text {
    ($field:ident) => {
        Field::Text(|depth, text| put(&mut depth.$field, text))
    };
}

macro_rules! price {
    ($($place:tt)+) => { Field::Price(|depth| &mut depth.$($place)+) };
}

macro_rules! count {
    ($($place:tt)+) => { Field::Count(|depth| &mut depth.$($place)+) };
}

static COLUMNS: [Column; 46] = [
    ("TradingDay", text!(trading_day)),
    ("InstrumentID", Field::InstrumentId),
    ("ExchangeID", text!(exchange_id)),
    ("ExchangeInstID", Field::ExchangeInstId),
    ("LastPrice", price!(last_price)),
    ("PreSettlementPrice", price!(pre_settlement_price)),
    ("PreClosePrice", price!(pre_close_price)),
    ("PreOpenInterest", price!(pre_open_interest)),
    ("OpenPrice", price!(open_price)),
    ("HighestPrice", price!(highest_price)),
    ("LowestPrice", price!(lowest_price)),
    ("Volume", count!(volume)),
    ("Turnover", price!(turnover)),
    ("OpenInterest", price!(open_interest)),
    ("ClosePrice", price!(close_price)),
    ("SettlementPrice", price!(settlement_price)),
    ("UpperLimitPrice", price!(upper_limit_price)),
    ("LowerLimitPrice", price!(lower_limit_price)),
    ("PreDelta", price!(pre_delta)),
    ("CurrDelta", price!(curr_delta)),
    ("UpdateTime", text!(update_time)),
    ("UpdateMillisec", count!(update_millisec)),
    ("BidPrice1", price!(levels[0].bid_price)),
    ("BidVolume1", count!(levels[0].bid_volume)),
    ("AskPrice1", price!(levels[0].ask_price)),
    ("AskVolume1", count!(levels[0].ask_volume)),
    ("BidPrice2", price!(levels[1].bid_price)),
    ("BidVolume2", count!(levels[1].bid_volume)),
    ("AskPrice2", price!(levels[1].ask_price)),
    ("AskVolume2", count!(levels[1].ask_volume)),
    ("BidPrice3", price!(levels[2].bid_price)),
    ("BidVolume3", count!(levels[2].bid_volume)),
    ("AskPrice3", price!(levels[2].ask_price)),
    ("AskVolume3", count!(levels[2].ask_volume)),
    ("BidPrice4", price!(levels[3].bid_price)),
    ("BidVolume4", count!(levels[3].bid_volume)),
    ("AskPrice4", price!(levels[3].ask_price)),
    ("AskVolume4", count!(levels[3].ask_volume)),
    ("BidPrice5", price!(levels[4].bid_price)),
    ("BidVolume5", count!(levels[4].bid_volume)),
    ("AskPrice5", price!(levels[4].ask_price)),
    ("AskVolume5", count!(levels[4].ask_volume)),
    ("AveragePrice", price!(average_price)),
    ("ActionDay", text!(action_day)),
    ("BandingUpperPrice", price!(banding_upper_price)),
    ("BandingLowerPrice", price!(banding_lower_price)),
];

/// A recording that is being read.
pub(crate) struct Recording {
    path: PathBuf,
    abi: Abi,
    reader: csv::Reader<Box<dyn Read + Send>>,
    /// What each of the file's columns fills.
    columns: Vec<Option<&'static Column>>,
    record: ByteRecord,
}

/// One row: a snapshot and whose it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    pub(crate) id: InstrumentId,
    pub(crate) depth: DepthMarketData,
}

impl Recording {
    /// Opens a recording and reads its header.
    ///
    /// # Errors
    /// When the file cannot be read or its header lacks `InstrumentID` or `UpdateTime`.
    pub(crate) fn open(path: &Path, abi: Abi) -> Result<Self, RecordingError> {
        let bytes =
            open(path).map_err(|source| RecordingError::Open { path: path.to_owned(), source })?;
        let mut reader = csv::ReaderBuilder::new().from_reader(bytes);
        let failed = |source| RecordingError::Read { path: path.to_owned(), source };
        let header = reader.byte_headers().map_err(failed)?.clone();
        let mut columns: Vec<Option<&'static Column>> = Vec::with_capacity(header.len());
        for name in &header {
            let name = name.strip_prefix(b"\xef\xbb\xbf").unwrap_or(name).trim_ascii();
            let known = COLUMNS.iter().find(|(column, _)| column.as_bytes() == name);
            if let Some((column, _)) = known
                && columns.iter().flatten().any(|(other, _)| other == column)
            {
                let column = (*column).to_owned();
                return Err(RecordingError::TwiceColumn { path: path.to_owned(), column });
            }
            columns.push(known);
        }
        for column in ["InstrumentID", "UpdateTime"] {
            if !columns.iter().flatten().any(|(name, _)| *name == column) {
                return Err(RecordingError::NoColumn { path: path.to_owned(), column });
            }
        }
        Ok(Self { path: path.to_owned(), abi, reader, columns, record: ByteRecord::new() })
    }

    /// The next row, in the file's order; `None` at its end.
    ///
    /// # Errors
    /// When the file is damaged or a field is no number.
    pub(crate) fn next_row(&mut self) -> Result<Option<Row>, RecordingError> {
        let more = self.reader.read_byte_record(&mut self.record);
        let more =
            more.map_err(|source| RecordingError::Read { path: self.path.clone(), source })?;
        if !more {
            return Ok(None);
        }
        let mut depth = DepthMarketData::no_values();
        let mut id = InstrumentId::new(b"");
        let mut exchange_inst_id: &[u8] = b"";
        for (column, text) in self.columns.iter().zip(&self.record) {
            let Some((name, field)) = column else { continue };
            match field {
                Field::InstrumentId => id = InstrumentId::new(text),
                Field::ExchangeInstId => exchange_inst_id = text,
                Field::Text(set) => set(&mut depth, text),
                Field::Price(_) | Field::Count(_) if text.is_empty() => {}
                Field::Price(at) => {
                    *at(&mut depth) = number(text).ok_or_else(|| self.not_a_number(name, text))?;
                }
                Field::Count(at) => {
                    *at(&mut depth) = whole(text).ok_or_else(|| self.not_a_number(name, text))?;
                }
            }
        }
        // In this order: an older version's rubbish must not overwrite the name.
        let (upper, lower) = (depth.banding_upper_price, depth.banding_lower_price);
        depth.set_instrument(&id, self.abi);
        depth.set_exchange_inst_id(exchange_inst_id, self.abi);
        if self.abi.depth_size() == size_of::<DepthMarketData>() {
            depth.banding_upper_price = upper;
            depth.banding_lower_price = lower;
        }
        Ok(Some(Row { id, depth }))
    }

    /// Where the recording is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn not_a_number(&self, column: &'static str, text: &[u8]) -> RecordingError {
        let line = self.record.position().map_or(0, csv::Position::line);
        let text = String::from_utf8_lossy(text).into_owned();
        RecordingError::Number { path: self.path.clone(), line, column, text }
    }
}

fn number(text: &[u8]) -> Option<f64> {
    std::str::from_utf8(text).ok()?.trim().parse().ok()
}

// Some recorders write volumes with a decimal point.
fn whole(text: &[u8]) -> Option<i32> {
    let text = std::str::from_utf8(text).ok()?.trim();
    if let Ok(count) = text.parse() {
        return Some(count);
    }
    let count: f64 = text.parse().ok()?;
    let fits = count.fract() == 0.0 && (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&count);
    fits.then_some(count as i32)
}

impl std::fmt::Debug for Recording {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Recording").field("path", &self.path).finish()
    }
}

#[cfg(test)]
#[path = "recording_tests.rs"]
pub(crate) mod tests;

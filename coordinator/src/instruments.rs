//! The universe: which instruments the operator lists.
//!
//! A CSV file with a header; `instrument_id` is the only column that must be there. Lines that begin with `#` are
//! comments. The list limits nothing: an instrument it does not name is subscribed all the same.

mod row;

use std::collections::HashMap;

use shm_layout::control::{ListedFacts, ListedInstrument};
use shm_layout::limits::UNIVERSE_INSTRUMENTS_MAX;
use shm_layout::{ExchangeId, InstrumentId, product};

use crate::config::Fault;
pub use row::COLUMNS;
use row::{Columns, fault_at};

/// The listed instruments.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Universe {
    /// In the order of the file.
    pub instruments: Vec<Listing>,
}

/// One listed instrument.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing {
    /// Its id.
    pub instrument: InstrumentId,
    /// Its exchange: the file's, or the product's.
    pub exchange: ExchangeId,
    /// Its product, when the file says.
    pub product: Option<String>,
    /// Its product's class, when the file says.
    pub product_class: Option<String>,
    /// Units in one lot, when the file says.
    pub volume_multiple: Option<u32>,
    /// The least step of its price, when the file says.
    pub price_tick: Option<f64>,
    /// Margin of one lot, when the file says; in whatever unit it says it.
    pub margin: Option<f64>,
    /// Commission of one lot, likewise.
    pub commission: Option<f64>,
    /// Traded no longer.
    pub expired: bool,
    /// Subscribed without any client.
    pub always_on: bool,
}

// === impl Universe ===

impl Universe {
    /// Reads an instruments file.
    ///
    /// # Errors
    /// Every fault, each with its line and column.
    pub fn parse(text: &str) -> Result<Self, Vec<Fault>> {
        let mut reader = csv::ReaderBuilder::new()
            .comment(Some(b'#'))
            .trim(csv::Trim::All)
            .from_reader(text.as_bytes());
        let mut faults = Vec::new();
        let columns = match reader.headers() {
            Ok(header) => Columns::of(header, &mut faults),
            Err(error) => {
                faults.push(csv_fault(&error));
                return Err(faults);
            }
        };
        let mut universe = Self::default();
        let mut first_at = HashMap::new();
        for record in reader.records() {
            let record = match record {
                Ok(record) => record,
                Err(error) => {
                    faults.push(csv_fault(&error));
                    continue;
                }
            };
            let line = record.position().map_or(0, csv::Position::line);
            let Some(listing) = columns.read(&record, line, &mut faults) else { continue };
            if let Some(first) = first_at.insert(listing.instrument, line) {
                let what = format!("{} is already listed on line {first}", listing.instrument);
                faults.push(fault_at(line, "instrument_id", what));
            }
            universe.instruments.push(listing);
        }
        if universe.instruments.len() > UNIVERSE_INSTRUMENTS_MAX {
            let what = format!(
                "{} instruments are listed; at most {UNIVERSE_INSTRUMENTS_MAX} are possible",
                universe.instruments.len()
            );
            faults.push(Fault { place: String::new(), what });
        }
        if faults.is_empty() { Ok(universe) } else { Err(faults) }
    }

    /// A universe of bare ids, as a recording or a demonstration names them.
    pub fn of_ids(ids: impl IntoIterator<Item = InstrumentId>) -> Self {
        Self { instruments: ids.into_iter().map(Listing::unlisted).collect() }
    }

    /// The list as frontends get it.
    #[must_use]
    pub fn listed(&self) -> Vec<ListedInstrument> {
        self.instruments
            .iter()
            .map(|listing| ListedInstrument {
                instrument: listing.instrument,
                exchange: listing.exchange,
                facts: ListedFacts::default(),
            })
            .collect()
    }

    /// The instruments that are subscribed without any client.
    #[must_use]
    pub fn always_on(&self) -> Vec<InstrumentId> {
        self.instruments
            .iter()
            .filter(|listing| listing.always_on)
            .map(|listing| listing.instrument)
            .collect()
    }
}

// === impl Listing ===

impl Listing {
    /// What is known of an instrument that no file lists: what its id says.
    #[must_use]
    pub fn unlisted(instrument: InstrumentId) -> Self {
        Self {
            instrument,
            exchange: product::exchange_of(instrument.as_str()),
            product: None,
            product_class: None,
            volume_multiple: None,
            price_tick: None,
            margin: None,
            commission: None,
            expired: false,
            always_on: false,
        }
    }
}

fn csv_fault(error: &csv::Error) -> Fault {
    let (line, what) = match error.kind() {
        csv::ErrorKind::UnequalLengths { pos, expected_len, len } => (
            pos.as_ref().map_or(0, csv::Position::line),
            format!("has {len} fields; the header has {expected_len}"),
        ),
        _ => (error.position().map_or(0, csv::Position::line), error.to_string()),
    };
    Fault { place: format!("line {line}"), what }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults_of(text: &str) -> Vec<String> {
        Universe::parse(text).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn reads_a_list_in_its_order() {
        let universe = Universe::parse(
            "# an example\ninstrument_id,exchange_id,product_id,product_class,volume_multiple,price_tick,always_on\n\
             rb2705,SHFE,rb,futures,10,1,true\nSPD JR009&JR103,,,combination,,,\nzzz99,,,,,0.05,no\n",
        )
        .unwrap();
        let ids: Vec<_> =
            universe.instruments.iter().map(|listing| listing.instrument.to_string()).collect();
        assert_eq!(ids, ["rb2705", "SPD JR009&JR103", "zzz99"]);
        assert_eq!(universe.instruments[1].exchange, ExchangeId::CZCE);
        assert_eq!(universe.instruments[2].exchange, ExchangeId::UNKNOWN);
        assert_eq!(universe.instruments[0].price_tick, Some(1.0));
        assert_eq!(universe.always_on().len(), 1);
        assert_eq!(universe.listed()[0].exchange, ExchangeId::SHFE);
    }

    #[test]
    fn one_column_is_enough() {
        let universe = Universe::parse("instrument_id\nrb2705\n\nau2706\n").unwrap();
        assert_eq!(universe.instruments.len(), 2);
        assert_eq!(Universe::parse("instrument_id\n").unwrap(), Universe::default());
    }

    #[test]
    fn every_fault_names_its_line_and_column() {
        let text = "# c\ninstrument_id,exchange_id,volume_multiple,price_tick,always_on,product_class\n\
                    rb2705,DCE,10,1,true,futures\n\
                    rb\"2706,SHFE,10,1,true,futures\n\
                    au2706,NYSE,0,-1,maybe,paper\n\
                    cu2706,SHFE\n\
                    rb2707,,,,,\n\
                    rb2707,,,,,\n";
        assert_eq!(
            faults_of(text),
            [
                "line 3 column exchange_id: rb2705 stands at DCE, but rb is traded at SHFE",
                "line 4 column instrument_id: instrument id \"rb\\\"2706\" holds a character that no exchange uses (printable ASCII without quotes and backslash)",
                "line 5 column exchange_id: \"NYSE\" is not an exchange; known are SHFE, INE, DCE, CZCE, CFFEX, GFEX, SSE, SZSE",
                "line 5 column product_class: \"paper\" is not a class; known are futures, options, combination, spot, efp, spot_option, index, continuous, stock",
                "line 5 column volume_multiple: \"0\" is not a whole number above zero",
                "line 5 column price_tick: \"-1\" is not a number above zero",
                "line 5 column always_on: \"maybe\" is neither true nor false",
                "line 6: has 2 fields; the header has 6",
                "line 8 column instrument_id: rb2707 is already listed on line 7",
            ]
        );
    }

    #[test]
    fn the_header_is_checked() {
        assert_eq!(
            faults_of("rb2705,SHFE\n")[2],
            "line 1 column instrument_id: the header must name the column instrument_id; the first line is the header"
        );
        assert_eq!(
            faults_of("instrument_id,instrument_id\n"),
            ["line 1 column instrument_id: this column is given twice"]
        );
        assert_eq!(
            faults_of("instrument_id,expiry\n"),
            [
                "line 1 column expiry: unknown column; known are instrument_id, exchange_id, product_id, product_class, volume_multiple, price_tick, margin, commission, expired, always_on"
            ]
        );
    }
}

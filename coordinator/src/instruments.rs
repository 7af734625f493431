//! The universe: which instruments the operator lists.
//!
//! A CSV file with a header; `instrument_id` is the only column that must be there. Lines that begin with `#` are
//! comments. The list limits nothing: an instrument it does not name is subscribed all the same.

mod lines;
mod row;

use std::collections::HashMap;

use shm_layout::control::{ListedFacts, ListedInstrument};
use shm_layout::limits::UNIVERSE_INSTRUMENTS_MAX;
use shm_layout::{ExchangeId, InstrumentId, product};

use crate::config::Fault;
use lines::Lines;
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
    /// What else the file says of it.
    pub facts: ListedFacts,
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
        let lines = Lines::of(text);
        let mut faults = Vec::new();
        let columns = match reader.headers() {
            Ok(header) => Columns::of(header, &mut faults),
            Err(error) => {
                faults.push(csv_fault(&error, &lines));
                return Err(faults);
            }
        };
        let mut universe = Self::default();
        let mut first_at = HashMap::new();
        for record in reader.records() {
            let record = match record {
                Ok(record) => record,
                Err(error) => {
                    faults.push(csv_fault(&error, &lines));
                    continue;
                }
            };
            let line = lines.of_record(record.position());
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
                facts: listing.facts.clone(),
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
            facts: ListedFacts::default(),
            always_on: false,
        }
    }
}

fn csv_fault(error: &csv::Error, lines: &Lines<'_>) -> Fault {
    let line = lines.of_record(error.position());
    let what = match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("has {len} fields; the header has {expected_len}")
        }
        _ => error.to_string(),
    };
    Fault { place: format!("line {line}"), what }
}

#[cfg(test)]
mod tests {
    use shm_layout::Date;
    use shm_layout::control::{InstrumentClass, OptionSide, OrderVolume};

    use super::*;
    use shm_layout::limits::LISTED_TEXT_BYTES_MAX;

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
        assert_eq!(universe.instruments[0].facts.price_tick, Some(1.0));
        assert_eq!(universe.instruments[0].facts.class, Some(InstrumentClass::Futures));
        assert_eq!(universe.always_on().len(), 1);
        assert_eq!(universe.listed()[0].exchange, ExchangeId::SHFE);
    }

    #[test]
    fn frontends_get_all_that_a_line_says() {
        let universe = Universe::parse(
            "instrument_id,exchange_id,product_id,product_class,instrument_name,volume_multiple,price_tick,margin,\
             commission,expired,expire_date,delivery_month,underlying,strike_price,option_side,max_limit_order_volume,\
             min_limit_order_volume,max_market_order_volume,min_market_order_volume\n\
             IO2612-C-4000,CFFEX,IO,options,沪深300购12月4000,100,0.2,0.1,15,yes,20261218,202612,SSE.000300,4000,\
             call,20,1,10,2\n\
             rb2701,,,,,,,,,,,,,,,,,,\n",
        )
        .unwrap();
        let listed = universe.listed();
        let expected = ListedFacts {
            class: Some(InstrumentClass::Options),
            product: Some("IO".into()),
            name: Some("沪深300购12月4000".into()),
            volume_multiple: Some(100),
            price_tick: Some(0.2),
            margin: Some(0.1),
            commission: Some(15.0),
            expired: true,
            expire_date: Date::from_yyyymmdd(20_261_218),
            delivery_month: Some(202_612),
            underlying: Some("SSE.000300".into()),
            strike_price: Some(4000.0),
            option_side: Some(OptionSide::Call),
            limit_order_volume: OrderVolume { max: Some(20), min: Some(1) },
            market_order_volume: OrderVolume { max: Some(10), min: Some(2) },
        };
        assert_eq!(listed[0].facts, expected);
        assert_eq!(listed[1].facts, ListedFacts::default());
        let of_ids = Universe::of_ids([listed[0].instrument]);
        assert_eq!(of_ids.listed()[0].facts, ListedFacts::default());
    }

    #[test]
    fn faults_of_what_only_clients_are_told() {
        let long = "x".repeat(LISTED_TEXT_BYTES_MAX + 1);
        let text = format!(
            "instrument_id,instrument_name,expire_date,delivery_month,underlying,strike_price,option_side,\
             max_limit_order_volume,min_limit_order_volume\n\
             rb2701,{long},20270231,202713,SHFE.,0,C,1,2\n\
             rb2702,a\u{7}b,2027,2027,x\\y,-1,put,0,1.5\n"
        );
        assert_eq!(
            faults_of(&text),
            [
                "line 2 column instrument_name: has 65 bytes; at most 64 are possible",
                "line 2 column expire_date: \"20270231\" is not a date written YYYYMMDD between 19700101 and 21991231",
                "line 2 column delivery_month: \"202713\" is not a month written YYYYMM between 197001 and 219912",
                "line 2 column underlying: an instrument id is empty",
                "line 2 column strike_price: \"0\" is not a number above zero",
                "line 2 column option_side: \"C\" is neither call nor put",
                "line 2 column min_limit_order_volume: 2 is more than the greatest order may have, 1",
                "line 3 column instrument_name: holds a control character",
                "line 3 column expire_date: \"2027\" is not a date written YYYYMMDD between 19700101 and 21991231",
                "line 3 column delivery_month: \"2027\" is not a month written YYYYMM between 197001 and 219912",
                "line 3 column underlying: instrument id \"x\\\\y\" holds a character that no exchange uses (printable ASCII without quotes and backslash)",
                "line 3 column strike_price: \"-1\" is not a number above zero",
                "line 3 column max_limit_order_volume: \"0\" is not a whole number above zero",
                "line 3 column min_limit_order_volume: \"1.5\" is not a whole number above zero",
            ]
        );
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
                "line 1 column expiry: unknown column; known are instrument_id, exchange_id, product_id, product_class, volume_multiple, price_tick, margin, commission, expired, always_on, instrument_name, expire_date, delivery_month, underlying, strike_price, option_side, max_limit_order_volume, min_limit_order_volume, max_market_order_volume, min_market_order_volume"
            ]
        );
    }
}

//! One line of an instruments file, column by column (pure).

use std::collections::HashMap;

use shm_layout::{ExchangeId, InstrumentId, product};

use super::Listing;
use crate::config::Fault;

/// The columns an instruments file may have.
pub const COLUMNS: [&str; 10] = [
    "instrument_id",
    "exchange_id",
    "product_id",
    "product_class",
    "volume_multiple",
    "price_tick",
    "margin",
    "commission",
    "expired",
    "always_on",
];

/// CTP's classes of products, by their names in the API, and those that others know beside them.
const PRODUCT_CLASSES: [&str; 9] = [
    "futures",
    "options",
    "combination",
    "spot",
    "efp",
    "spot_option",
    "index",
    "continuous",
    "stock",
];

/// Where the file keeps each column.
pub(super) struct Columns {
    of: HashMap<&'static str, usize>,
}

// === impl Columns ===

impl Columns {
    pub(super) fn of(header: &csv::StringRecord, faults: &mut Vec<Fault>) -> Self {
        let line = header.position().map_or(1, csv::Position::line);
        let mut of = HashMap::new();
        for (index, name) in header.iter().enumerate() {
            match COLUMNS.into_iter().find(|known| *known == name) {
                None => faults.push(fault_at(
                    line,
                    name,
                    format!("unknown column; known are {}", COLUMNS.join(", ")),
                )),
                Some(known) => {
                    if of.insert(known, index).is_some() {
                        faults.push(fault_at(line, name, "this column is given twice".into()));
                    }
                }
            }
        }
        if !of.contains_key("instrument_id") {
            let what =
                "the header must name the column instrument_id; the first line is the header"
                    .into();
            faults.push(fault_at(line, "instrument_id", what));
        }
        Self { of }
    }

    /// Reads a line; `None` when it has faults, which are added to the others.
    pub(super) fn read(
        &self,
        record: &csv::StringRecord,
        line: u64,
        faults: &mut Vec<Fault>,
    ) -> Option<Listing> {
        let faults_before = faults.len();
        let mut row = Row { columns: self, record, line, faults };
        let id = self.of.get("instrument_id").and_then(|index| record.get(*index))?;
        let instrument = InstrumentId::parse(id);
        let instrument =
            instrument.map_err(|error| row.fault("instrument_id", error.to_string())).ok();
        let exchange = row.exchange(id);
        let product_class = row.product_class();
        let volume_multiple = row.whole_number("volume_multiple");
        let price_tick = row.number("price_tick", f64::MIN_POSITIVE, "above zero");
        let margin = row.number("margin", 0.0, "of zero or more");
        let commission = row.number("commission", 0.0, "of zero or more");
        let expired = row.flag("expired");
        let always_on = row.flag("always_on");
        let product = row.text("product_id").map(str::to_owned);
        let sound = faults.len() == faults_before;
        sound.then_some(Listing {
            instrument: instrument?,
            exchange,
            product,
            product_class,
            volume_multiple,
            price_tick,
            margin,
            commission,
            expired,
            always_on,
        })
    }
}

/// A line, and where its faults go.
struct Row<'a> {
    columns: &'a Columns,
    record: &'a csv::StringRecord,
    line: u64,
    faults: &'a mut Vec<Fault>,
}

// === impl Row ===

impl<'a> Row<'a> {
    fn fault(&mut self, column: &str, what: String) {
        self.faults.push(fault_at(self.line, column, what));
    }

    /// What stands in a column; `None` when it is empty or there is none.
    fn text(&self, column: &str) -> Option<&'a str> {
        let index = self.columns.of.get(column)?;
        self.record.get(*index).filter(|text| !text.is_empty())
    }

    /// The exchange that the line names, else that of the product.
    fn exchange(&mut self, id: &str) -> ExchangeId {
        let inferred = product::exchange_of(id);
        let Some(name) = self.text("exchange_id") else { return inferred };
        let Some(named) = ExchangeId::known(name) else {
            let known = ExchangeId::KNOWN.map(|exchange| exchange.to_string()).join(", ");
            self.fault("exchange_id", format!("{name:?} is not an exchange; known are {known}"));
            return inferred;
        };
        if !inferred.is_unknown() && named != inferred {
            let product = product::product_of(id);
            let what = format!("{id} stands at {name}, but {product} is traded at {inferred}");
            self.fault("exchange_id", what);
        }
        named
    }

    fn product_class(&mut self) -> Option<String> {
        let class = self.text("product_class")?;
        if !PRODUCT_CLASSES.contains(&class) {
            let known = PRODUCT_CLASSES.join(", ");
            self.fault("product_class", format!("{class:?} is not a class; known are {known}"));
        }
        Some(class.to_owned())
    }

    fn whole_number(&mut self, column: &str) -> Option<u32> {
        let text = self.text(column)?;
        let number = text.parse::<u32>().ok().filter(|n| *n > 0);
        if number.is_none() {
            self.fault(column, format!("{text:?} is not a whole number above zero"));
        }
        number
    }

    fn number(&mut self, column: &str, least: f64, what: &str) -> Option<f64> {
        let text = self.text(column)?;
        let number = text.parse::<f64>().ok().filter(|n| n.is_finite() && *n >= least);
        if number.is_none() {
            self.fault(column, format!("{text:?} is not a number {what}"));
        }
        number
    }

    fn flag(&mut self, column: &str) -> bool {
        match self.text(column) {
            None | Some("false" | "0" | "no") => false,
            Some("true" | "1" | "yes") => true,
            Some(other) => {
                self.fault(column, format!("{other:?} is neither true nor false"));
                false
            }
        }
    }
}

pub(super) fn fault_at(line: u64, column: &str, what: String) -> Fault {
    Fault { place: format!("line {line} column {column}"), what }
}

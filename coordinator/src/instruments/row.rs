//! One line of an instruments file, column by column (pure).

use std::collections::HashMap;

use shm_layout::control::{InstrumentClass, ListedFacts, OptionSide, OrderVolume};
use shm_layout::limits::LISTED_TEXT_BYTES_MAX;
use shm_layout::{Date, ExchangeId, InstrumentId, QualifiedId, product};

use super::Listing;
use crate::config::Fault;

/// The columns an instruments file may have.
pub const COLUMNS: [&str; 20] = [
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
    "instrument_name",
    "expire_date",
    "delivery_month",
    "underlying",
    "strike_price",
    "option_side",
    "max_limit_order_volume",
    "min_limit_order_volume",
    "max_market_order_volume",
    "min_market_order_volume",
];

/// CTP's classes of products, by their names in the API, and those that others know beside them.
const PRODUCT_CLASSES: [(&str, InstrumentClass); 9] = [
    ("futures", InstrumentClass::Futures),
    ("options", InstrumentClass::Options),
    ("combination", InstrumentClass::Combination),
    ("spot", InstrumentClass::Spot),
    ("efp", InstrumentClass::Efp),
    ("spot_option", InstrumentClass::SpotOption),
    ("index", InstrumentClass::Index),
    ("continuous", InstrumentClass::Continuous),
    ("stock", InstrumentClass::Stock),
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
        let facts = row.facts();
        let always_on = row.flag("always_on");
        let sound = faults.len() == faults_before;
        sound.then_some(Listing { instrument: instrument?, exchange, facts, always_on })
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

    /// Everything else that frontends are told.
    fn facts(&mut self) -> ListedFacts {
        ListedFacts {
            product: self.short_text("product_id"),
            class: self.product_class(),
            name: self.short_text("instrument_name"),
            volume_multiple: self.whole_number("volume_multiple"),
            price_tick: self.number("price_tick", f64::MIN_POSITIVE, "above zero"),
            margin: self.number("margin", 0.0, "of zero or more"),
            commission: self.number("commission", 0.0, "of zero or more"),
            expired: self.flag("expired"),
            expire_date: self.expire_date(),
            delivery_month: self.delivery_month(),
            underlying: self.underlying(),
            strike_price: self.number("strike_price", f64::MIN_POSITIVE, "above zero"),
            option_side: self.option_side(),
            limit_order_volume: self
                .order_volume("max_limit_order_volume", "min_limit_order_volume"),
            market_order_volume: self
                .order_volume("max_market_order_volume", "min_market_order_volume"),
        }
    }

    fn product_class(&mut self) -> Option<InstrumentClass> {
        let named = self.text("product_class")?;
        let class = PRODUCT_CLASSES.iter().find(|(name, _)| *name == named);
        if class.is_none() {
            let known = PRODUCT_CLASSES.map(|(name, _)| name).join(", ");
            self.fault("product_class", format!("{named:?} is not a class; known are {known}"));
        }
        class.map(|(_, class)| *class)
    }

    /// A text that control messages can carry.
    fn short_text(&mut self, column: &str) -> Option<Box<str>> {
        let text = self.text(column)?;
        if text.len() > LISTED_TEXT_BYTES_MAX {
            let bytes = text.len();
            let what = format!("has {bytes} bytes; at most {LISTED_TEXT_BYTES_MAX} are possible");
            self.fault(column, what);
        }
        if text.contains(char::is_control) {
            self.fault(column, "holds a control character".into());
        }
        Some(text.into())
    }

    fn expire_date(&mut self) -> Option<Date> {
        let parsed = Date::parse(self.text("expire_date")?);
        parsed.map_err(|error| self.fault("expire_date", error.to_string())).ok()
    }

    fn delivery_month(&mut self) -> Option<u32> {
        let text = self.text("delivery_month")?;
        // A month is one that has a first day.
        let is_month = Date::parse(&format!("{text}01")).is_ok();
        let month = text.parse().ok().filter(|_| is_month);
        if month.is_none() {
            let what = format!("{text:?} is not a month written YYYYMM between 197001 and 219912");
            self.fault("delivery_month", what);
        }
        month
    }

    fn underlying(&mut self) -> Option<Box<str>> {
        let text = self.short_text("underlying")?;
        if let Err(error) = QualifiedId::parse(&text) {
            self.fault("underlying", error.to_string());
        }
        Some(text)
    }

    fn option_side(&mut self) -> Option<OptionSide> {
        match self.text("option_side")? {
            "call" => Some(OptionSide::Call),
            "put" => Some(OptionSide::Put),
            other => {
                self.fault("option_side", format!("{other:?} is neither call nor put"));
                None
            }
        }
    }

    fn order_volume(&mut self, greatest: &str, least: &str) -> OrderVolume {
        let volume =
            OrderVolume { max: self.whole_number(greatest), min: self.whole_number(least) };
        if let (Some(max), Some(min)) = (volume.max, volume.min)
            && min > max
        {
            self.fault(least, format!("{min} is more than the greatest order may have, {max}"));
        }
        volume
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

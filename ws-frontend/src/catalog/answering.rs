//! Answers to queries about instruments (pure).
//!
//! Prices, open interest and the trading day are those of an instrument's latest tick. An option's last day of exercise is its
//! last day, and where no list says that it is estimated by the month in its id, because TqSdk tells options' months by it: at
//! CFFEX the month's third Friday, elsewhere the 15th of the month before.

use std::cell::OnceCell;

use shm_layout::control::OptionSide;
use shm_layout::{Date, ExchangeId, InstrumentId, ShanghaiTime, Tick, price_of};

use super::contract::{Class, Contract};
use super::document::{Document, shortened};
use super::filter::{Beside, Filter};
use super::plan::{self, ConnectionPart, EdgePart, Parts, Plan, RootPart, TimePart, What};
use super::query_error::QueryError;
use super::schema::Leaf;
use super::symbol::Symbol;
use super::{Catalog, TradingTime};
use crate::json_out::{
    push_flag, push_int_or_null, push_null, push_number_or_null, push_string, push_string_or_null,
};
use crate::limits::{NOTICE_INSTRUMENTS_MAX, QUERY_ANSWER_BYTES_MAX, QUERY_STEPS_MAX};

/// Where an instrument's latest tick comes from; `None` where there is none.
pub type Latest<'a> = dyn Fn(&InstrumentId) -> Option<Box<Tick>> + 'a;

/// The answer to a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The object that belongs under `result`.
    pub json: Vec<u8>,
    /// Those that the query names and nobody knows.
    pub unknown: Unknown,
}

/// Symbols that nobody knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unknown {
    /// How many there are.
    pub count: usize,
    /// The first [`NOTICE_INSTRUMENTS_MAX`], as the client wrote them, shortened.
    pub first: Vec<String>,
}

/// An answer that is being written.
struct Answering<'a> {
    catalog: &'a Catalog,
    latest: &'a Latest<'a>,
    out: Vec<u8>,
    unknown: Unknown,
    steps_left: u64,
}

/// An instrument that is being written.
struct Node<'a> {
    contract: &'a Contract,
    /// The name that the client knows it by, where it named it.
    asked_as: Option<&'a str>,
    tick: OnceCell<Option<Box<Tick>>>,
}

/// Trading on a last day ends at 15:00 in Shanghai.
const LAST_DAY_ENDS_MS: i64 = 15 * 3_600_000;

/// Answers a query. Instruments come in the order of the catalog, whatever the order they are named in; those that nobody knows are
/// left out.
///
/// # Errors
/// [`QueryError`] says, for the client, what is wrong with the query.
pub fn answer(
    catalog: &Catalog,
    query: &str,
    variables: Option<&serde_json::Value>,
    latest: &Latest<'_>,
) -> Result<Answer, QueryError> {
    let document = Document::parse(query, variables)?;
    let plan = plan::plan(&document)?;
    let mut answering = Answering {
        catalog,
        latest,
        out: Vec::new(),
        unknown: Unknown::default(),
        steps_left: QUERY_STEPS_MAX,
    };
    answering.root(&plan)?;
    Ok(Answer { json: answering.out, unknown: answering.unknown })
}

// === impl Unknown ===

impl Unknown {
    fn add(&mut self, symbol: &str) {
        self.count += 1;
        if self.first.len() < NOTICE_INSTRUMENTS_MAX {
            self.first.push(shortened(symbol));
        }
    }
}

// === impl Answering ===

impl Answering<'_> {
    fn root(&mut self, parts: &Parts<RootPart<'_>>) -> Result<(), QueryError> {
        self.object(parts, |answering, part| match part {
            RootPart::TypeName => answering.text("rootQuery"),
            RootPart::Instruments(filter, plan) => answering.instruments(filter, plan),
        })
    }

    /// A list of the instruments that a filter takes.
    fn instruments(&mut self, filter: &Filter<'_>, plan: &Plan<'_>) -> Result<(), QueryError> {
        let catalog = self.catalog;
        let mut found: Vec<(usize, Option<&str>)> = match &filter.symbols {
            None => (0..catalog.known).map(|index| (index, None)).collect(),
            Some(symbols) => {
                let named = |text| catalog.index_of(&Symbol::parse(text)?);
                let mut found = Vec::with_capacity(symbols.len());
                for text in symbols {
                    match named(text) {
                        Some(index) => found.push((index, Some(*text))),
                        None => self.unknown.add(text),
                    }
                }
                found
            }
        };
        found.sort_by_key(|(index, _)| *index);
        found.dedup_by_key(|(index, _)| *index);
        self.out.push(b'[');
        let mut is_first = true;
        for (index, asked_as) in found {
            if self.takes(filter, index)? {
                self.separate(&mut is_first);
                self.contract(index, asked_as, plan)?;
            }
        }
        self.out.push(b']');
        Ok(())
    }

    fn takes(&mut self, filter: &Filter<'_>, index: usize) -> Result<bool, QueryError> {
        self.steps(1)?;
        let contract = &self.catalog.contracts[index];
        let has_night = self.catalog.trading_time(contract).has_night();
        let has_derivatives = self.catalog.derivatives.contains_key(&index);
        Ok(filter.takes(contract, &Beside { has_night, has_derivatives }))
    }

    fn contract(
        &mut self,
        index: usize,
        asked_as: Option<&str>,
        plan: &Plan<'_>,
    ) -> Result<(), QueryError> {
        self.steps(plan.steps)?;
        let contract = &self.catalog.contracts[index];
        let node = Node { contract, asked_as, tick: OnceCell::new() };
        self.out.push(b'{');
        let mut is_first = true;
        for entry in plan.entries.iter().filter(|entry| entry.classes.contains(contract.class)) {
            if let What::Leg(leg, _) = entry.what
                && contract.legs[leg].is_none()
            {
                continue;
            }
            self.separate(&mut is_first);
            self.out.extend_from_slice(&entry.key);
            self.what(index, &node, &entry.what)?;
        }
        self.out.push(b'}');
        Ok(())
    }

    fn what(&mut self, index: usize, node: &Node<'_>, what: &What<'_>) -> Result<(), QueryError> {
        let catalog = self.catalog;
        match what {
            What::TypeName => self.text(node.contract.class.type_name()),
            What::Leaf(leaf) => {
                self.leaf(node, *leaf);
                Ok(())
            }
            What::TradingTime(parts) => {
                let time = catalog.trading_time(node.contract);
                self.trading_time(time, parts)
            }
            What::Categories => {
                self.out.extend_from_slice(b"[]");
                Ok(())
            }
            What::Leg(leg, plan) => match node.contract.legs[*leg] {
                Some(leg) => self.contract(leg, None, plan),
                None => self.null(),
            },
            What::Underlying(parts) => match catalog.underlying_told(node.contract) {
                Some(underlying) => self.connection(&[underlying], parts),
                None => self.null(),
            },
            What::Derivatives(filter, parts) => {
                let all = catalog.derivatives.get(&index).map_or(&[][..], Vec::as_slice);
                let mut taken = Vec::new();
                for derivative in all {
                    if self.takes(filter, *derivative)? {
                        taken.push(*derivative);
                    }
                }
                self.connection(&taken, parts)
            }
        }
    }

    fn connection(
        &mut self,
        nodes: &[usize],
        parts: &Parts<ConnectionPart<'_>>,
    ) -> Result<(), QueryError> {
        self.object(parts, |answering, part| match part {
            ConnectionPart::TypeName => answering.text("derivativeConnection"),
            ConnectionPart::Count => {
                push_int_or_null(&mut answering.out, Some(nodes.len()));
                Ok(())
            }
            ConnectionPart::Edges(parts) => {
                answering.out.push(b'[');
                let mut is_first = true;
                for node in nodes {
                    answering.separate(&mut is_first);
                    answering.object(parts, |answering, part| match part {
                        EdgePart::TypeName => answering.text("derivativeEdges"),
                        EdgePart::UnderlyingMultiple => answering.null(),
                        EdgePart::Node(plan) => answering.contract(*node, None, plan),
                    })?;
                }
                answering.out.push(b']');
                Ok(())
            }
        })
    }

    fn trading_time(
        &mut self,
        time: &TradingTime,
        parts: &Parts<TimePart>,
    ) -> Result<(), QueryError> {
        self.object(parts, |answering, part| {
            match part {
                TimePart::TypeName => return answering.text("tradingTime"),
                TimePart::Day => answering.out.extend_from_slice(&time.day),
                TimePart::Night => answering.out.extend_from_slice(&time.night),
            }
            Ok(())
        })
    }

    fn leaf(&mut self, node: &Node<'_>, leaf: Leaf) {
        let contract = node.contract;
        let latest = self.latest;
        let out = &mut self.out;
        let text = push_string_or_null;
        let price = |of: fn(&Tick) -> f64| node.tick(latest).and_then(|tick| price_of(of(tick)));
        match leaf {
            Leaf::Symbol => push_string(out, node.asked_as.unwrap_or(&contract.symbol)),
            Leaf::Id => push_string(out, contract.instrument.as_str()),
            Leaf::Exchange => push_string(out, contract.exchange.as_str()),
            Leaf::Name => text(out, contract.name.as_deref()),
            Leaf::EnglishName => push_string(out, ""),
            Leaf::Class => push_string(out, contract.class.name()),
            Leaf::PriceTick => push_number_or_null(out, contract.price_tick),
            Leaf::PriceDecimals => push_int_or_null(out, Some(contract.price_decimals())),
            Leaf::TradingDay => text(out, node.trading_day(latest).as_deref()),
            Leaf::VolumeMultiple | Leaf::IndexMultiple => {
                push_int_or_null(out, contract.volume_multiple)
            }
            Leaf::PreClose => push_number_or_null(out, price(|tick| tick.pre_close_price)),
            Leaf::UpperLimit => push_number_or_null(out, price(|tick| tick.upper_limit_price)),
            Leaf::LowerLimit => push_number_or_null(out, price(|tick| tick.lower_limit_price)),
            Leaf::PreSettlement => {
                push_number_or_null(out, price(|tick| tick.pre_settlement_price))
            }
            Leaf::PreOpenInterest => {
                let lots = price(|tick| tick.pre_open_interest);
                match lots {
                    Some(lots) => out.extend_from_slice(format!("{lots:.0}").as_bytes()),
                    None => push_null(out),
                }
            }
            Leaf::Expired => push_flag(out, contract.expired),
            Leaf::Product => text(out, contract.product.as_deref()),
            Leaf::DeliveryYear => {
                push_int_or_null(out, contract.delivery.map(|delivery| delivery.year))
            }
            Leaf::DeliveryMonth => {
                push_int_or_null(out, contract.delivery.map(|delivery| delivery.month))
            }
            Leaf::ExpireTime => push_int_or_null(out, contract.expire_date.map(end_of_day_ns)),
            Leaf::LastExerciseTime => push_int_or_null(out, Some(last_exercise_ns(contract))),
            Leaf::ExerciseType => push_string(out, if contract.is_european() { "E" } else { "A" }),
            Leaf::StrikePrice => push_number_or_null(out, contract.strike_price),
            Leaf::OptionSide => text(out, contract.option_side.map(side)),
            Leaf::MaxLimitOrder => push_int_or_null(out, contract.limit_order_volume.max),
            Leaf::MinLimitOrder => push_int_or_null(out, contract.limit_order_volume.min),
            Leaf::MaxMarketOrder => push_int_or_null(out, contract.market_order_volume.max),
            Leaf::MinMarketOrder => push_int_or_null(out, contract.market_order_volume.min),
            Leaf::Margin => push_number_or_null(out, contract.margin),
            Leaf::Commission => push_number_or_null(out, contract.commission),
            Leaf::EmptyList => out.extend_from_slice(b"[]"),
            Leaf::Nothing => push_null(out),
        }
    }

    fn object<T>(
        &mut self,
        parts: &Parts<T>,
        mut write: impl FnMut(&mut Self, &T) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        self.steps(parts.len() as u64)?;
        self.out.push(b'{');
        let mut is_first = true;
        for (key, part) in parts {
            self.separate(&mut is_first);
            self.out.extend_from_slice(key);
            write(self, part)?;
        }
        self.out.push(b'}');
        Ok(())
    }

    fn separate(&mut self, is_first: &mut bool) {
        if !std::mem::take(is_first) {
            self.out.push(b',');
        }
    }

    fn text(&mut self, text: &str) -> Result<(), QueryError> {
        push_string(&mut self.out, text);
        Ok(())
    }

    fn null(&mut self) -> Result<(), QueryError> {
        push_null(&mut self.out);
        Ok(())
    }

    /// Goes on by so many steps, unless that is too much.
    fn steps(&mut self, count: u64) -> Result<(), QueryError> {
        self.steps_left = self.steps_left.checked_sub(count).ok_or(QueryError::TooMuch)?;
        if self.out.len() > QUERY_ANSWER_BYTES_MAX {
            return Err(QueryError::TooMuch);
        }
        Ok(())
    }
}

// === impl Node ===

impl Node<'_> {
    fn tick(&self, latest: &Latest<'_>) -> Option<&Tick> {
        self.tick.get_or_init(|| latest(&self.contract.instrument)).as_deref()
    }

    fn trading_day(&self, latest: &Latest<'_>) -> Option<String> {
        let day = self.tick(latest)?.trading_day;
        Date::from_yyyymmdd(day).map(|day| day.to_string())
    }
}

const fn side(side: OptionSide) -> &'static str {
    match side {
        OptionSide::Call => "CALL",
        OptionSide::Put => "PUT",
    }
}

/// Nanoseconds since 1970-01-01 UTC of a last day's end.
fn end_of_day_ns(day: Date) -> i64 {
    ShanghaiTime::unix_ms(day, LAST_DAY_ENDS_MS) * 1_000_000
}

/// As [`end_of_day_ns`], of the last day of exercise; 0 where nothing is known of it.
fn last_exercise_ns(contract: &Contract) -> i64 {
    let estimated = || {
        let delivery = contract.delivery.filter(|_| contract.class == Class::Option)?;
        let day = |day| Date::from_yyyymmdd(delivery.year * 10_000 + delivery.month * 100 + day);
        if contract.exchange == ExchangeId::CFFEX {
            // 1970-01-01 was a Thursday.
            let is_friday = |day: &Date| (day.days_since_epoch() + 3).rem_euclid(7) == 4;
            return (15..=21).filter_map(day).find(is_friday);
        }
        let before = day(1)?.plus_days(-1);
        Date::from_yyyymmdd(before.yyyymmdd() / 100 * 100 + 15)
    };
    contract.expire_date.or_else(estimated).map_or(0, end_of_day_ns)
}

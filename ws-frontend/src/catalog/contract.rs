//! One instrument as clients are told of it (pure).

use shm_layout::control::{InstrumentClass, ListedFacts, OptionSide, OrderVolume};
use shm_layout::instrument_shape::{DeliveryMonth, InstrumentShape, OptionShape};
use shm_layout::{Date, ExchangeId, HoursClass, InstrumentId, QualifiedId, TradingHours, product};

use super::product_terms;
use super::symbol::Symbol;
use crate::hashing::Map;

/// What an instrument is, in DIFF's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// A futures contract; also what nobody can tell.
    Future,
    /// An option.
    Option,
    /// Several contracts traded as one; also CTP's future against its spot.
    Combine,
    /// An index.
    Index,
    /// A product's leading contract.
    Cont,
    /// A share.
    Stock,
    /// A bond; no list of ours has any.
    Bond,
    /// A fund; by its number alone, lists have no word for it.
    Fund,
    /// A commodity itself.
    Spot,
}

/// An instrument.
#[derive(Debug, Clone, PartialEq)]
pub struct Contract {
    /// Its id as the exchange spells it.
    pub instrument: InstrumentId,
    /// Its exchange.
    pub exchange: ExchangeId,
    /// Both, `SHFE.rb2601`.
    pub symbol: Box<str>,
    /// What it is.
    pub class: Class,
    /// Its product, such as `rb` or `SP a&b`.
    pub product: Option<Box<str>>,
    /// Its name for people.
    pub name: Option<Box<str>>,
    /// Units in one lot.
    pub volume_multiple: Option<u32>,
    /// The least step of its price.
    pub price_tick: Option<f64>,
    /// Margin of one lot, as the list says it.
    pub margin: Option<f64>,
    /// Commission of one lot, as the list says it.
    pub commission: Option<f64>,
    /// Traded no longer: by the list's word, or because its last day has passed.
    pub expired: bool,
    /// The last day on which it is traded.
    pub expire_date: Option<Date>,
    /// The month of delivery; for an option that of the contract its id begins with.
    pub delivery: Option<DeliveryMonth>,
    /// The price at which an option may be exercised.
    pub strike_price: Option<f64>,
    /// Whether an option is to buy or to sell.
    pub option_side: Option<OptionSide>,
    /// Lots of one limit order.
    pub limit_order_volume: OrderVolume,
    /// Lots of one market order.
    pub market_order_volume: OrderVolume,
    /// When it trades.
    pub hours: HoursClass,
    /// The contract it is on, by its place in the catalog.
    pub(super) underlying: Option<usize>,
    /// Its legs' places.
    pub(super) legs: [Option<usize>; 2],
}

/// What a contract refers to, before those are looked up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Draft {
    pub(super) underlying: Option<Symbol>,
    pub(super) legs: [Option<Symbol>; 2],
}

/// The day that facts are put together on.
#[derive(Clone, Copy)]
pub(super) struct Day<'a> {
    pub(super) hours: &'a TradingHours,
    pub(super) today: Date,
}

/// Units in a lot and the price step, as far as known.
type Terms = (Option<u32>, Option<f64>);

/// What is known of contracts by their product.
pub(super) struct ProductTerms<'a> {
    /// The first listed multiplier and price tick of each product and class.
    listed: Map<(ExchangeId, Class, &'a str), Terms>,
}

// === impl Class ===

impl Class {
    /// All.
    pub(super) const ALL: [Self; 9] = [
        Self::Future,
        Self::Option,
        Self::Combine,
        Self::Index,
        Self::Cont,
        Self::Stock,
        Self::Bond,
        Self::Fund,
        Self::Spot,
    ];

    /// As clients write it, in capital letters.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Future => "FUTURE",
            Self::Option => "OPTION",
            Self::Combine => "COMBINE",
            Self::Index => "INDEX",
            Self::Cont => "CONT",
            Self::Stock => "STOCK",
            Self::Bond => "BOND",
            Self::Fund => "FUND",
            Self::Spot => "SPOT",
        }
    }

    /// The class by the list's word, else by the looks of the id.
    fn of(listed: Option<InstrumentClass>, symbol: Symbol) -> Self {
        match listed {
            Some(InstrumentClass::Futures) => Self::Future,
            Some(InstrumentClass::Options | InstrumentClass::SpotOption) => Self::Option,
            Some(InstrumentClass::Combination | InstrumentClass::Efp) => Self::Combine,
            Some(InstrumentClass::Spot) => Self::Spot,
            Some(InstrumentClass::Index) => Self::Index,
            Some(InstrumentClass::Continuous) => Self::Cont,
            Some(InstrumentClass::Stock) => Self::Stock,
            None => match InstrumentShape::of(symbol.instrument.as_str()) {
                InstrumentShape::Future(_) => Self::Future,
                InstrumentShape::Option(_) => Self::Option,
                InstrumentShape::Combination(_) => Self::Combine,
                InstrumentShape::Other => Self::of_number(symbol).unwrap_or(Self::Future),
            },
        }
    }

    /// What the stock exchanges number so: options with eight digits, indices, funds and shares with six.
    fn of_number(symbol: Symbol) -> Option<Self> {
        let id = symbol.instrument.as_str();
        let of_six = [("SSE", "000", Self::Index), ("SZSE", "399", Self::Index)]
            .into_iter()
            .chain([("SSE", "5", Self::Fund), ("SZSE", "15", Self::Fund)]);
        let mut of_six = of_six
            .filter(|(at, begin, _)| symbol.exchange.as_str() == *at && id.starts_with(begin));
        match id.len() {
            _ if !is_securities(symbol.exchange) => None,
            8 => Some(Self::Option),
            6 => Some(of_six.next().map_or(Self::Stock, |(_, _, class)| class)),
            _ => None,
        }
    }
}

// === impl Contract ===

impl Contract {
    /// Decimals of its price step in its shortest form; 0 where nobody knows the step.
    #[must_use]
    pub fn price_decimals(&self) -> usize {
        let text = self.price_tick.map(|tick| tick.to_string()).unwrap_or_default();
        text.split_once('.').map_or(0, |(_, decimals)| decimals.len())
    }

    /// True when its options may be exercised on their last day only: those of CFFEX and of the stock exchanges.
    pub(super) fn is_european(&self) -> bool {
        self.exchange == ExchangeId::CFFEX || is_securities(self.exchange)
    }
}

fn is_securities(exchange: ExchangeId) -> bool {
    ["SSE", "SZSE"].contains(&exchange.as_str())
}

/// Puts together what a list and an id say. What is related to it is to be looked up later.
pub(super) fn read(symbol: Symbol, facts: &ListedFacts, on: Day<'_>) -> (Contract, Draft) {
    let Day { hours, today } = on;
    let id = symbol.instrument.as_str();
    let shape = InstrumentShape::of(id);
    let class = Class::of(facts.class, symbol);
    let (month, option) = match shape {
        InstrumentShape::Future(future) => (Some(future), None),
        InstrumentShape::Option(option) => (Some(option.contract), Some(option)),
        InstrumentShape::Combination(_) | InstrumentShape::Other => (None, None),
    };
    let option = option.filter(|_| class == Class::Option);
    let listed_month = facts.delivery_month;
    let listed_month = listed_month.map(|m| DeliveryMonth { year: m / 100, month: m % 100 });
    let said_product = match shape {
        InstrumentShape::Combination(combination) => combination.product().map(Into::into),
        _ => month.map(|contract| contract.product.into()),
    };
    let side = |option: OptionShape<'_>| {
        if option.is_call { OptionSide::Call } else { OptionSide::Put }
    };
    let contract = Contract {
        instrument: symbol.instrument,
        exchange: symbol.exchange,
        symbol: symbol.to_string().into(),
        class,
        product: facts.product.clone().or(said_product),
        name: facts.name.clone(),
        volume_multiple: facts.volume_multiple,
        price_tick: facts.price_tick,
        margin: facts.margin,
        commission: facts.commission,
        expired: facts.expired || facts.expire_date.is_some_and(|last| last < today),
        expire_date: facts.expire_date,
        delivery: listed_month.or_else(|| month?.delivery(today.yyyymmdd() / 10_000)),
        strike_price: facts.strike_price.or(option.map(|option| option.strike)),
        option_side: facts.option_side.or(option.map(side)),
        limit_order_volume: facts.limit_order_volume,
        market_order_volume: facts.market_order_volume,
        hours: hours.class_of(&symbol.instrument),
        underlying: None,
        legs: [None; 2],
    };
    let is_on_another = matches!(class, Class::Option | Class::Cont);
    let underlying = is_on_another.then(|| underlying_of(symbol.exchange, facts, option)).flatten();
    let legs = match shape {
        InstrumentShape::Combination(combination) if class == Class::Combine => {
            let legs = combination.legs.map(<[&str; 2]>::from);
            legs.map_or([None; 2], |legs| legs.map(|leg| leg_of(symbol.exchange, leg)))
        }
        _ => [None; 2],
    };
    (contract, Draft { underlying, legs })
}

/// What an option or a leading contract is on: the list's word, with an exchange or of the same one, else the id's. CTP says
/// `IO2612` of an option on an index: that is nothing that is traded, so there the id's word counts.
fn underlying_of(
    exchange: ExchangeId,
    facts: &ListedFacts,
    option: Option<OptionShape<'_>>,
) -> Option<Symbol> {
    let listed = facts.underlying.as_deref().and_then(|text| QualifiedId::parse(text).ok());
    if let Some(QualifiedId { exchange: Some(exchange), instrument }) = listed {
        return Some(Symbol { exchange, instrument });
    }
    if let Some((exchange, index)) = option.and_then(|option| option.underlying_index()) {
        return Some(Symbol { exchange, instrument: InstrumentId::parse(index).ok()? });
    }
    let said = || InstrumentId::parse(option?.contract_id).ok();
    let instrument = listed.map(|listed| listed.instrument).or_else(said)?;
    Some(Symbol { exchange, instrument })
}

/// A leg is what a combination consists of, and none itself.
fn leg_of(exchange: ExchangeId, leg: &str) -> Option<Symbol> {
    let instrument = InstrumentId::parse(leg).ok()?;
    let is_combination = matches!(InstrumentShape::of(leg), InstrumentShape::Combination(_));
    (!is_combination).then_some(Symbol { exchange, instrument })
}

// === impl ProductTerms ===

impl<'a> ProductTerms<'a> {
    /// Those of all contracts.
    pub(super) fn of(contracts: &'a [Contract]) -> Self {
        let mut listed = Map::<_, Terms>::default();
        for contract in contracts {
            let Some(product) = contract.product.as_deref() else { continue };
            let terms = listed.entry((contract.exchange, contract.class, product)).or_default();
            terms.0 = terms.0.or(contract.volume_multiple);
            terms.1 = terms.1.or(contract.price_tick);
        }
        Self { listed }
    }

    /// The multiplier and the price tick of a contract, as far as anybody knows: its own, those of another listed contract of
    /// its product and class, the exchange's. `related` is what an option is on, or a combination's first leg.
    pub(super) fn complete(&self, contract: &Contract, related: Option<&Contract>) -> Terms {
        let key = |product| (contract.exchange, contract.class, product);
        let of_product = contract.product.as_deref().map(key);
        let (multiple, tick) =
            of_product.and_then(|key| self.listed.get(&key).copied()).unwrap_or_default();
        let (published_multiple, published_tick) = self.published(contract, related);
        (
            contract.volume_multiple.or(multiple).or(published_multiple),
            contract.price_tick.or(tick).or(published_tick),
        )
    }

    fn published(&self, contract: &Contract, related: Option<&Contract>) -> Terms {
        let letters = product::product_of(contract.instrument.as_str());
        let terms = product_terms::of_product(letters);
        let of_futures = (terms.map(|terms| terms.0), terms.map(|terms| terms.1));
        let of_related = || related.map(|related| self.complete(related, None));
        match contract.class {
            Class::Future | Class::Cont => of_futures,
            Class::Combine => of_related().unwrap_or(of_futures),
            Class::Option if contract.exchange == ExchangeId::CFFEX => of_futures,
            Class::Option if !is_securities(contract.exchange) => (
                of_related().and_then(|(multiple, _)| multiple),
                product_terms::option_price_tick(letters),
            ),
            // Indices are quoted in hundredths of a point.
            Class::Index => (None, Some(0.01)),
            _ => (None, None),
        }
    }
}

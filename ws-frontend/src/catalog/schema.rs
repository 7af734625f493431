//! The types and fields that queries may name, as TqSdk knows them (pure).
//!
//! Fields that this gateway has no value for are null, except where TqSdk cannot take that:
//!
//! | field | is then |
//! |---|---|
//! | `leg1`, `leg2` | left out: TqSdk looks into whatever is there |
//! | `last_exercise_datetime` | estimated from the month, see [`super::answering`]; 0 where there is none |
//! | `english_name` | empty: TqSdk counts letters in it |
//! | `price_decs` | 0: TqSdk puts it in a column of whole numbers |
//! | `categories`, `stock_dividend_ratio`, `cash_dividend_ratio` | an empty list |
//! | `trading_time` | the hours in which all products trade, for a product nobody knows |
//!
//! A field may be asked for on any type that some class with the field belongs to; the others leave it out.

use super::contract::Class;

/// Classes of instruments, a bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Classes(u16);

/// What an instrument's field is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaf {
    Symbol,
    Id,
    Exchange,
    Name,
    EnglishName,
    Class,
    PriceTick,
    PriceDecimals,
    TradingDay,
    VolumeMultiple,
    IndexMultiple,
    PreClose,
    UpperLimit,
    LowerLimit,
    PreSettlement,
    PreOpenInterest,
    Expired,
    Product,
    DeliveryYear,
    DeliveryMonth,
    ExpireTime,
    LastExerciseTime,
    ExerciseType,
    StrikePrice,
    OptionSide,
    MaxLimitOrder,
    MinLimitOrder,
    MaxMarketOrder,
    MinMarketOrder,
    Margin,
    Commission,
    EmptyList,
    Nothing,
}

/// What follows a field in braces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nested {
    TradingTime,
    Categories,
    Underlying,
    Derivatives,
    Leg(usize),
}

/// An instrument's field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// With a value.
    Leaf(Leaf),
    /// With fields of its own.
    Nested(Nested),
}

/// A field of instruments.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FieldOf {
    pub(super) name: &'static str,
    pub(super) classes: Classes,
    pub(super) kind: Kind,
}

const FUTURE: Classes = Classes::one(Class::Future);
const OPTION: Classes = Classes::one(Class::Option);
const COMBINE: Classes = Classes::one(Class::Combine);
const INDEX: Classes = Classes::one(Class::Index);
const CONT: Classes = Classes::one(Class::Cont);
const STOCK: Classes = Classes::one(Class::Stock);
const BOND: Classes = Classes::one(Class::Bond);
const FUND: Classes = Classes::one(Class::Fund);
const SPOT: Classes = Classes::one(Class::Spot);
const SECURITIES: Classes = STOCK.or(BOND).or(FUND);
const TRADEABLE: Classes = SECURITIES.or(FUTURE).or(OPTION).or(CONT).or(SPOT);
const DERIVATIVE: Classes = OPTION.or(CONT);
const ORDERED: Classes = FUTURE.or(OPTION).or(COMBINE);
const ALL: Classes = TRADEABLE.or(COMBINE).or(INDEX);

/// The types an instrument may be asked to be.
const TYPES: [(&str, Classes); 14] = [
    ("allClassUnion", ALL),
    ("basic", ALL),
    ("tradeable", TRADEABLE),
    ("derivative", DERIVATIVE),
    ("securities", SECURITIES),
    ("future", FUTURE),
    ("option", OPTION),
    ("combine", COMBINE),
    ("index", INDEX),
    ("cont", CONT),
    ("stock", STOCK),
    ("bond", BOND),
    ("fund", FUND),
    ("spot", SPOT),
];

const fn leaf(name: &'static str, classes: Classes, leaf: Leaf) -> FieldOf {
    FieldOf { name, classes, kind: Kind::Leaf(leaf) }
}

const fn nested(name: &'static str, classes: Classes, nested: Nested) -> FieldOf {
    FieldOf { name, classes, kind: Kind::Nested(nested) }
}

use Leaf::Nothing;

#[rustfmt::skip]
static FIELDS: [FieldOf; 68] = [
    leaf("instrument_id", ALL, Leaf::Symbol),
    leaf("ins_id", ALL, Leaf::Id),
    leaf("exchange_id", ALL, Leaf::Exchange),
    leaf("instrument_name", ALL, Leaf::Name),
    leaf("instrument_name_wh", ALL, Nothing),
    leaf("py_wh", ALL, Nothing),
    leaf("english_name", ALL, Leaf::EnglishName),
    leaf("class", ALL, Leaf::Class),
    leaf("price_tick", ALL, Leaf::PriceTick),
    leaf("price_decs", ALL, Leaf::PriceDecimals),
    leaf("trading_day", ALL, Leaf::TradingDay),
    nested("trading_time", ALL, Nested::TradingTime),
    nested("derivatives", ALL, Nested::Derivatives),
    nested("derivative", ALL, Nested::Derivatives),
    nested("underlying", DERIVATIVE, Nested::Underlying),
    leaf("pre_close", TRADEABLE, Leaf::PreClose),
    leaf("upper_limit", TRADEABLE, Leaf::UpperLimit),
    leaf("lower_limit", TRADEABLE, Leaf::LowerLimit),
    leaf("volume_multiple", TRADEABLE, Leaf::VolumeMultiple),
    leaf("quote_multiple", TRADEABLE, Nothing),
    leaf("index_multiple", INDEX, Leaf::IndexMultiple),
    leaf("expired", ORDERED, Leaf::Expired),
    leaf("expire_datetime", ORDERED, Leaf::ExpireTime),
    leaf("product_id", FUTURE.or(COMBINE), Leaf::Product),
    leaf("product_short_name", FUTURE.or(OPTION), Nothing),
    leaf("product_short_name_wh", FUTURE, Nothing),
    leaf("delivery_year", FUTURE, Leaf::DeliveryYear),
    leaf("delivery_month", FUTURE, Leaf::DeliveryMonth),
    leaf("settlement_price", FUTURE.or(OPTION), Leaf::PreSettlement),
    leaf("pre_open_interest", FUTURE.or(OPTION), Leaf::PreOpenInterest),
    leaf("pre_open_interest2", FUTURE.or(OPTION), Nothing),
    leaf("max_limit_order_volume", ORDERED, Leaf::MaxLimitOrder),
    leaf("min_limit_order_volume", ORDERED, Leaf::MinLimitOrder),
    leaf("max_market_order_volume", ORDERED, Leaf::MaxMarketOrder),
    leaf("min_market_order_volume", ORDERED, Leaf::MinMarketOrder),
    leaf("open_max_limit_order_volume", ORDERED, Nothing),
    leaf("open_min_limit_order_volume", ORDERED, Nothing),
    leaf("open_max_market_order_volume", ORDERED, Nothing),
    leaf("open_min_market_order_volume", ORDERED, Nothing),
    leaf("close_max_limit_order_volume", ORDERED, Nothing),
    leaf("close_min_limit_order_volume", ORDERED, Nothing),
    leaf("close_max_market_order_volume", ORDERED, Nothing),
    leaf("close_min_market_order_volume", ORDERED, Nothing),
    leaf("open_limit", FUTURE, Nothing),
    leaf("position_limit", FUTURE.or(OPTION), Nothing),
    leaf("margin", FUTURE, Leaf::Margin),
    leaf("commission", FUTURE, Leaf::Commission),
    leaf("mmsa", FUTURE, Nothing),
    nested("categories", FUTURE, Nested::Categories),
    leaf("strike_price", OPTION, Leaf::StrikePrice),
    leaf("call_or_put", OPTION, Leaf::OptionSide),
    leaf("exercise_type", OPTION, Leaf::ExerciseType),
    leaf("last_exercise_datetime", OPTION, Leaf::LastExerciseTime),
    leaf("last_exercise_day", OPTION, Nothing),
    nested("leg1", COMBINE, Nested::Leg(0)),
    nested("leg2", COMBINE, Nested::Leg(1)),
    leaf("currency", SECURITIES, Nothing),
    leaf("face_value", SECURITIES, Nothing),
    leaf("first_trading_datetime", SECURITIES, Nothing),
    leaf("first_trading_day", SECURITIES, Nothing),
    leaf("buy_volume_unit", SECURITIES, Nothing),
    leaf("sell_volume_unit", SECURITIES, Nothing),
    leaf("status", SECURITIES, Nothing),
    leaf("public_float_share_quantity", SECURITIES, Nothing),
    leaf("stock_dividend_ratio", STOCK, Leaf::EmptyList),
    leaf("cash_dividend_ratio", STOCK.or(FUND), Leaf::EmptyList),
    leaf("maturity_date", BOND, Nothing),
    leaf("maturity_datetime", BOND, Nothing),
];

// === impl Classes ===

impl Classes {
    /// None.
    pub(super) const NONE: Self = Self(0);
    /// All.
    pub(super) const ALL: Self = ALL;

    /// One.
    pub(super) const fn one(class: Class) -> Self {
        Self(1 << class as u16)
    }

    /// Those in either.
    pub(super) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those in both.
    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Those not in the other.
    pub(super) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// True when there is none.
    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// True for a class among them.
    pub(super) const fn contains(self, class: Class) -> bool {
        !self.and(Self::one(class)).is_empty()
    }

    /// The classes that belong to a type, and its name; `None` for what is no type.
    pub(super) fn of_type(name: &str) -> Option<(&'static str, Self)> {
        TYPES.into_iter().find(|(known, _)| *known == name)
    }
}

impl std::ops::BitOrAssign for Classes {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

// === impl FieldOf ===

impl FieldOf {
    /// The field of a name.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        FIELDS.iter().find(|field| field.name == name)
    }
}

// === impl Leaf ===

impl Leaf {
    /// True when it is told from the instrument's latest tick.
    pub(super) const fn is_of_tick(self) -> bool {
        matches!(
            self,
            Self::TradingDay
                | Self::PreClose
                | Self::UpperLimit
                | Self::LowerLimit
                | Self::PreSettlement
                | Self::PreOpenInterest
        )
    }
}

// === impl Class ===

impl Class {
    /// Its type, what `__typename` says.
    pub(super) fn type_name(self) -> &'static str {
        // The last types are one class each.
        let found = TYPES.iter().skip(5).find(|(_, classes)| classes.contains(self));
        found.map_or("future", |(name, _)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_is_a_type_of_its_own_and_names_stand_once() {
        for class in Class::ALL {
            assert_eq!(class.type_name().to_uppercase(), class.name());
            assert_eq!(Classes::of_type(class.type_name()).unwrap().1, Classes::one(class));
            assert!(Classes::ALL.contains(class));
        }
        let mut names: Vec<_> = FIELDS.iter().map(|field| field.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), FIELDS.len());
    }
}

//! What a query asks for, checked against the [`super::schema`] and laid flat: of each object the fields in order, fragments
//! unfolded, each with the classes of instruments that it is meant for (pure).

use super::asked::{AllAsked, Asked, Groups, Scope, unknown};
use super::document::{Document, Selection, shortened};
use super::filter::Filter;
use super::given::ValuesLeft;
use super::query_error::QueryError;
use super::schema::{Classes, FieldOf, Kind, Leaf, Nested};
use crate::json_out::push_string;
use crate::limits::{QUERY_DEPTH_MAX, QUERY_SELECTIONS_MAX};

/// A field's name in the answer, quoted and with its colon.
pub(super) type Key = Vec<u8>;

/// Fields of an object, each under its key.
pub(super) type Parts<T> = Vec<(Key, T)>;

/// Fields of an instrument.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) entries: Vec<Entry<'a>>,
    /// What an instrument costs of [`crate::limits::QUERY_STEPS_MAX`], apart from others that it leads to.
    pub(super) steps: u64,
}

/// A field of the instruments of some classes.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    pub(super) key: Key,
    pub(super) classes: Classes,
    pub(super) what: What<'a>,
}

/// What a field of an instrument holds.
#[derive(Debug)]
pub(super) enum What<'a> {
    TypeName,
    Leaf(Leaf),
    TradingTime(Parts<TimePart>),
    /// A list that is always empty.
    Categories,
    Leg(usize, Plan<'a>),
    Underlying(Parts<ConnectionPart<'a>>),
    Derivatives(Filter<'a>, Parts<ConnectionPart<'a>>),
}

/// Fields of trading times.
#[derive(Debug, Clone, Copy)]
pub(super) enum TimePart {
    TypeName,
    Day,
    Night,
}

/// Fields of what relates an instrument to others.
#[derive(Debug)]
pub(super) enum ConnectionPart<'a> {
    TypeName,
    Count,
    Edges(Parts<EdgePart<'a>>),
}

/// Fields of one such relation.
#[derive(Debug)]
pub(super) enum EdgePart<'a> {
    TypeName,
    UnderlyingMultiple,
    Node(Plan<'a>),
}

/// Fields of the query itself.
#[derive(Debug)]
pub(super) enum RootPart<'a> {
    TypeName,
    Instruments(Filter<'a>, Plan<'a>),
}

/// Fetching an instrument's latest tick takes as long as so many other fields.
const STEPS_OF_TICK: u64 = 8;

/// Reads a query's selections.
struct Planner<'a> {
    document: &'a Document<'a>,
    selections_left: usize,
    values_left: ValuesLeft,
}

/// Checks a query and plans its answer.
pub(super) fn plan<'a>(document: &'a Document<'a>) -> Result<Parts<RootPart<'a>>, QueryError> {
    let mut planner = Planner {
        document,
        selections_left: QUERY_SELECTIONS_MAX,
        values_left: ValuesLeft::of_a_query(),
    };
    planner.object(&[&document.selections], "rootQuery", 0, |planner, name, asked| {
        Ok(Some(match name {
            "multi_symbol_info" | "symbol_info" => {
                let name = if name == "symbol_info" { "symbol_info" } else { "multi_symbol_info" };
                let filter = Filter::of(name, asked.field, &mut planner.values_left)?;
                RootPart::Instruments(filter, planner.instrument(asked.braces(name)?, 1)?)
            }
            "__typename" => RootPart::TypeName,
            _ => return Ok(None),
        }))
    })
}

// === impl Planner ===

impl<'a> Planner<'a> {
    fn instrument(&mut self, groups: Groups<'_, 'a>, depth: usize) -> Result<Plan<'a>, QueryError> {
        let scope = Scope { name: "allClassUnion", classes: Some(Classes::ALL) };
        let mut entries = Vec::new();
        for asked in self.flatten(groups, scope, depth)? {
            let what = if asked.field.name == "__typename" {
                asked.no_braces("__typename")?;
                What::TypeName
            } else {
                let name = &asked.field.name;
                let known = FieldOf::named(name).ok_or_else(|| unknown(scope.name, name))?;
                self.what(known, &asked, depth + 1)?
            };
            entries.push(Entry { key: key(&asked.field.key), classes: asked.classes, what });
        }
        let steps = entries.iter().map(|entry| entry.what.steps()).sum::<u64>() + 1;
        Ok(Plan { entries, steps })
    }

    fn what(
        &mut self,
        known: &'static FieldOf,
        asked: &Asked<'a>,
        depth: usize,
    ) -> Result<What<'a>, QueryError> {
        let name = known.name;
        let filter = Filter::of(name, asked.field, &mut self.values_left)?;
        let nested = match known.kind {
            Kind::Leaf(leaf) => {
                asked.no_braces(name)?;
                return Ok(What::Leaf(leaf));
            }
            Kind::Nested(nested) => nested,
        };
        let groups = asked.braces(name)?;
        Ok(match nested {
            Nested::TradingTime => What::TradingTime(self.trading_time(groups, depth)?),
            Nested::Categories => {
                self.object(groups, "categoryInfo", depth, |_, name, asked| {
                    asked.no_braces("a category's field")?;
                    Ok(matches!(name, "id" | "name" | "__typename").then_some(()))
                })?;
                What::Categories
            }
            Nested::Leg(leg) => What::Leg(leg, self.instrument(groups, depth)?),
            Nested::Underlying => What::Underlying(self.connection(groups, depth)?),
            Nested::Derivatives => What::Derivatives(filter, self.connection(groups, depth)?),
        })
    }

    fn trading_time(
        &mut self,
        groups: Groups<'_, 'a>,
        depth: usize,
    ) -> Result<Parts<TimePart>, QueryError> {
        self.object(groups, "tradingTime", depth, |_, name, asked| {
            asked.no_braces("a trading time")?;
            Ok(match name {
                "day" => Some(TimePart::Day),
                "night" => Some(TimePart::Night),
                "__typename" => Some(TimePart::TypeName),
                _ => None,
            })
        })
    }

    fn connection(
        &mut self,
        groups: Groups<'_, 'a>,
        depth: usize,
    ) -> Result<Parts<ConnectionPart<'a>>, QueryError> {
        self.object(groups, "derivativeConnection", depth, |planner, name, asked| {
            Ok(Some(match name {
                "edges" => {
                    let groups = asked.braces("edges")?;
                    ConnectionPart::Edges(planner.edges(groups, depth + 1)?)
                }
                "count" => {
                    asked.no_braces("count")?;
                    ConnectionPart::Count
                }
                "__typename" => ConnectionPart::TypeName,
                _ => return Ok(None),
            }))
        })
    }

    fn edges(
        &mut self,
        groups: Groups<'_, 'a>,
        depth: usize,
    ) -> Result<Parts<EdgePart<'a>>, QueryError> {
        self.object(groups, "derivativeEdges", depth, |planner, name, asked| {
            Ok(Some(match name {
                "node" => EdgePart::Node(planner.instrument(asked.braces("node")?, depth + 1)?),
                "underlying_multiple" => {
                    asked.no_braces("underlying_multiple")?;
                    EdgePart::UnderlyingMultiple
                }
                "__typename" => EdgePart::TypeName,
                _ => return Ok(None),
            }))
        })
    }

    /// The fields of an object that is no instrument; `part` knows them by name.
    fn object<T>(
        &mut self,
        groups: Groups<'_, 'a>,
        type_name: &'static str,
        depth: usize,
        mut part: impl FnMut(&mut Self, &str, &Asked<'a>) -> Result<Option<T>, QueryError>,
    ) -> Result<Parts<T>, QueryError> {
        let mut parts = Vec::new();
        for asked in self.flatten(groups, Scope { name: type_name, classes: None }, depth)? {
            let name = asked.field.name.as_str();
            let found = part(self, name, &asked)?.ok_or_else(|| unknown(type_name, name))?;
            if type_name != "rootQuery" && !asked.field.arguments.is_empty() {
                let argument = shortened(&asked.field.arguments[0].0);
                return Err(QueryError::Argument { field: type_name, argument });
            }
            parts.push((key(&asked.field.key), found));
        }
        Ok(parts)
    }

    /// The fields in these braces, fragments unfolded, each key once per class.
    fn flatten(
        &mut self,
        groups: Groups<'_, 'a>,
        scope: Scope,
        depth: usize,
    ) -> Result<Vec<Asked<'a>>, QueryError> {
        let mut all = AllAsked::default();
        for group in groups {
            self.unfold(group, scope, depth, &mut all)?;
        }
        Ok(all.in_order)
    }

    fn unfold(
        &mut self,
        selections: &'a [Selection<'a>],
        scope: Scope,
        depth: usize,
        all: &mut AllAsked<'a>,
    ) -> Result<(), QueryError> {
        if depth > QUERY_DEPTH_MAX {
            return Err(QueryError::TooGreat);
        }
        for selection in selections {
            self.selections_left =
                self.selections_left.checked_sub(1).ok_or(QueryError::TooManySelections)?;
            let fragment = match selection {
                Selection::Field(field) => {
                    all.add(field, scope)?;
                    continue;
                }
                Selection::Inline(fragment) => fragment,
                Selection::Spread(name) => {
                    let found = self.document.fragments.get(name);
                    found.ok_or_else(|| QueryError::Fragment(shortened(name)))?
                }
            };
            let inner = scope.narrowed(fragment.on.as_deref())?;
            if inner.classes.is_none_or(|classes| !classes.is_empty()) {
                self.unfold(&fragment.selections, inner, depth + 1, all)?;
            }
        }
        Ok(())
    }
}

// === impl What ===

impl What<'_> {
    /// What it costs of [`crate::limits::QUERY_STEPS_MAX`].
    const fn steps(&self) -> u64 {
        match self {
            Self::Leaf(leaf) if leaf.is_of_tick() => STEPS_OF_TICK,
            _ => 1,
        }
    }
}

fn key(text: &str) -> Key {
    let mut key = Vec::with_capacity(text.len() + 3);
    push_string(&mut key, text);
    key.push(b':');
    key
}

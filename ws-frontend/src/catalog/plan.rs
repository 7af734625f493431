//! What a query asks for, checked against the [`super::schema`] and laid flat: of each object the fields in order, fragments
//! unfolded, each with the classes of instruments that it is meant for (pure).

use super::document::{Document, Field, Selection, shortened};
use super::filter::Filter;

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
pub(super) struct Plan {
    pub(super) entries: Vec<Entry>,
}

/// A field of the instruments of some classes.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: Key,
    pub(super) classes: Classes,
    pub(super) what: What,
}

/// What a field of an instrument holds.
#[derive(Debug)]
pub(super) enum What {
    TypeName,
    Leaf(Leaf),
    TradingTime(Parts<TimePart>),
    /// A list that is always empty.
    Categories,
    Leg(usize, Plan),
    Underlying(Parts<ConnectionPart>),
    Derivatives(Filter, Parts<ConnectionPart>),
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
pub(super) enum ConnectionPart {
    TypeName,
    Count,
    Edges(Parts<EdgePart>),
}

/// Fields of one such relation.
#[derive(Debug)]
pub(super) enum EdgePart {
    TypeName,
    UnderlyingMultiple,
    Node(Plan),
}

/// Fields of the query itself.
#[derive(Debug)]
pub(super) enum RootPart {
    TypeName,
    Instruments(Filter, Plan),
}

/// Reads a query's selections.
struct Planner<'a> {
    document: &'a Document,
    selections_left: usize,
}

/// The type that selections are made on.
#[derive(Clone, Copy)]
struct Scope {
    name: &'static str,
    /// The classes of instruments, for an instrument's type.
    classes: Option<Classes>,
}

/// A field asked for, with all the braces that follow it in several places.
struct Asked<'a> {
    field: &'a Field,
    classes: Classes,
    groups: Vec<&'a [Selection]>,
}

/// The braces that follow a field.
type Groups<'g, 'a> = &'g [&'a [Selection]];

/// Checks a query and plans its answer.
pub(super) fn plan(document: &Document) -> Result<Parts<RootPart>, QueryError> {
    let mut planner = Planner { document, selections_left: QUERY_SELECTIONS_MAX };
    planner.object(&[&document.selections], "rootQuery", 0, |planner, name, asked| {
        Ok(Some(match name {
            "multi_symbol_info" | "symbol_info" => {
                let name = if name == "symbol_info" { "symbol_info" } else { "multi_symbol_info" };
                let filter = Filter::of(name, asked.field)?;
                RootPart::Instruments(filter, planner.instrument(asked.braces(name)?, 1)?)
            }
            "__typename" => RootPart::TypeName,
            _ => return Ok(None),
        }))
    })
}

// === impl Planner ===

impl<'a> Planner<'a> {
    fn instrument(&mut self, groups: Groups<'_, 'a>, depth: usize) -> Result<Plan, QueryError> {
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
        Ok(Plan { entries })
    }

    fn what(
        &mut self,
        known: &'static FieldOf,
        asked: &Asked<'a>,
        depth: usize,
    ) -> Result<What, QueryError> {
        let name = known.name;
        let filter = Filter::of(name, asked.field)?;
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
    ) -> Result<Parts<ConnectionPart>, QueryError> {
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
    ) -> Result<Parts<EdgePart>, QueryError> {
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
        let mut all = Vec::new();
        for group in groups {
            self.unfold(group, scope, depth, &mut all)?;
        }
        Ok(all)
    }

    fn unfold(
        &mut self,
        selections: &'a [Selection],
        scope: Scope,
        depth: usize,
        all: &mut Vec<Asked<'a>>,
    ) -> Result<(), QueryError> {
        if depth > QUERY_DEPTH_MAX {
            return Err(QueryError::TooGreat);
        }
        for selection in selections {
            self.selections_left =
                self.selections_left.checked_sub(1).ok_or(QueryError::TooManySelections)?;
            let fragment = match selection {
                Selection::Field(field) => {
                    add(all, field, scope)?;
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

// === impl Scope ===

impl Scope {
    /// The type within a fragment.
    fn narrowed(self, on: Option<&str>) -> Result<Self, QueryError> {
        let Some(on) = on else { return Ok(self) };
        match self.classes {
            Some(classes) => {
                let (name, of_type) =
                    Classes::of_type(on).ok_or_else(|| QueryError::Type(shortened(on)))?;
                Ok(Self { name, classes: Some(classes.and(of_type)) })
            }
            None if on == self.name => Ok(self),
            None => Err(QueryError::Type(shortened(on))),
        }
    }
}

// === impl Asked ===

impl<'a> Asked<'a> {
    fn braces(&self, field: &'static str) -> Result<Groups<'_, 'a>, QueryError> {
        let what = "has fields: say which, in braces";
        if self.field.selections.is_none() {
            return Err(QueryError::Selection { field, what });
        }
        Ok(&self.groups)
    }

    fn no_braces(&self, field: &'static str) -> Result<(), QueryError> {
        if self.field.selections.is_some() {
            return Err(QueryError::Selection { field, what: "has no fields" });
        }
        Ok(())
    }
}

/// Adds a field to those asked for. What is asked for already is not asked for twice; where only some classes have it so, they
/// part from the others.
fn add<'a>(all: &mut Vec<Asked<'a>>, field: &'a Field, scope: Scope) -> Result<(), QueryError> {
    let mut classes = match scope.classes {
        None => Classes::ALL,
        Some(classes) if field.name == "__typename" => classes,
        Some(classes) => {
            let known = FieldOf::named(&field.name);
            let classes = known.map_or(Classes::NONE, |known| known.classes.and(classes));
            if classes.is_empty() {
                return Err(unknown(scope.name, &field.name));
            }
            classes
        }
    };
    let group = field.selections.as_deref();
    let mut parted = Vec::new();
    for asked in all.iter_mut().filter(|asked| asked.field.key == field.key) {
        let both = asked.classes.and(classes);
        if both.is_empty() {
            continue;
        }
        let is_same = asked.field.name == field.name
            && asked.field.arguments == field.arguments
            && asked.field.selections.is_some() == group.is_some();
        if !is_same {
            return Err(QueryError::Conflict(shortened(&field.key)));
        }
        classes = classes.without(both);
        let Some(group) = group else { continue };
        if asked.classes == both {
            asked.groups.push(group);
        } else {
            asked.classes = asked.classes.without(both);
            let groups = asked.groups.iter().copied().chain([group]).collect();
            parted.push(Asked { field: asked.field, classes: both, groups });
        }
    }
    all.append(&mut parted);
    if !classes.is_empty() {
        all.push(Asked { field, classes, groups: group.into_iter().collect() });
    }
    Ok(())
}

fn key(text: &str) -> Key {
    let mut key = Vec::with_capacity(text.len() + 3);
    push_string(&mut key, text);
    key.push(b':');
    key
}

fn unknown(of: &'static str, field: &str) -> QueryError {
    QueryError::Field { of, field: shortened(field) }
}

//! The fields asked for of one object, fragments unfolded: each key once per class of instruments (pure).

use std::rc::Rc;

use super::document::{Field, Selection, shortened};
use super::query_error::QueryError;
use super::schema::{Classes, FieldOf};
use crate::hashing::Map;

/// The type that selections are made on.
#[derive(Clone, Copy)]
pub(super) struct Scope {
    pub(super) name: &'static str,
    /// The classes of instruments, for an instrument's type.
    pub(super) classes: Option<Classes>,
}

/// A field asked for, with all the braces that follow it in several places.
pub(super) struct Asked<'a> {
    pub(super) field: &'a Field<'a>,
    pub(super) classes: Classes,
    groups: Vec<&'a [Selection<'a>]>,
}

/// The braces that follow a field.
pub(super) type Groups<'g, 'a> = &'g [&'a [Selection<'a>]];

/// All fields asked for of an object so far.
#[derive(Default)]
pub(super) struct AllAsked<'a> {
    /// In the order in which they are to be told.
    pub(super) in_order: Vec<Asked<'a>>,
    /// Where each key's are.
    by_key: Map<&'a str, Vec<usize>>,
}

// === impl Scope ===

impl Scope {
    /// The type within a fragment.
    pub(super) fn narrowed(self, on: Option<&str>) -> Result<Self, QueryError> {
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
    pub(super) fn braces(&self, field: &'static str) -> Result<Groups<'_, 'a>, QueryError> {
        let what = "has fields: say which, in braces";
        if self.field.selections.is_none() {
            return Err(QueryError::Selection { field, what });
        }
        Ok(&self.groups)
    }

    pub(super) fn no_braces(&self, field: &'static str) -> Result<(), QueryError> {
        if self.field.selections.is_some() {
            return Err(QueryError::Selection { field, what: "has no fields" });
        }
        Ok(())
    }
}

// === impl AllAsked ===

impl<'a> AllAsked<'a> {
    /// Adds a field to those asked for. What is asked for already is not asked for twice; where only some classes have it so,
    /// they part from the others.
    pub(super) fn add(&mut self, field: &'a Field<'a>, scope: Scope) -> Result<(), QueryError> {
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
        let places = self.by_key.entry(&field.key).or_default();
        let mut parted = Vec::new();
        for place in places.iter() {
            let asked = &mut self.in_order[*place];
            let both = asked.classes.and(classes);
            if both.is_empty() {
                continue;
            }
            let is_same = asked.field.name == field.name
                && (Rc::ptr_eq(&asked.field.arguments, &field.arguments)
                    || (asked.field.arguments.is_empty() && field.arguments.is_empty()))
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
        if !classes.is_empty() {
            parted.push(Asked { field, classes, groups: group.into_iter().collect() });
        }
        places.extend(self.in_order.len()..self.in_order.len() + parted.len());
        self.in_order.append(&mut parted);
        Ok(())
    }
}

/// No field of such a name.
pub(super) fn unknown(of: &'static str, field: &str) -> QueryError {
    QueryError::Field { of, field: shortened(field) }
}

//! Why a query has no answer; for the client who sent it (pure).

use crate::limits::{
    QUERY_ANSWER_BYTES_MAX, QUERY_DEPTH_MAX, QUERY_SELECTIONS_MAX, QUERY_TOKENS_MAX,
    QUERY_VALUES_MAX,
};

/// Why a query has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// The text is no query.
    #[error("the query cannot be read at its byte {at}: {what}")]
    Syntax {
        /// Where, in bytes from its beginning.
        at: usize,
        /// What stands in the way.
        what: String,
    },
    /// It has more tokens than [`QUERY_TOKENS_MAX`], or is nested deeper than [`QUERY_DEPTH_MAX`].
    #[error(
        "the query is too long or nested too deep; at most {QUERY_TOKENS_MAX} tokens, {QUERY_DEPTH_MAX} deep, are possible"
    )]
    TooGreat,
    /// Its fragments unfold to more than [`QUERY_SELECTIONS_MAX`].
    #[error(
        "the query selects too much; at most {QUERY_SELECTIONS_MAX} fields and fragments, counted at each place they are used, are possible"
    )]
    TooManySelections,
    /// Its arguments hold more than [`QUERY_VALUES_MAX`], counted at each place where they are used.
    #[error(
        "the query's arguments hold too much; at most {QUERY_VALUES_MAX} values, counted at each place they are used, are possible"
    )]
    TooManyValues,
    /// It is not one query and its fragments.
    #[error("{0}")]
    Operation(&'static str),
    /// A type has no such field.
    #[error("{of} has no field {field:?}")]
    Field {
        /// The type.
        of: &'static str,
        /// The name, shortened.
        field: String,
    },
    /// A field that has fields itself needs to know which, and another has none.
    #[error("{field} {what}")]
    Selection {
        /// The field.
        field: &'static str,
        /// What is wrong.
        what: &'static str,
    },
    /// There is no such type.
    #[error("there is no type {0:?}")]
    Type(String),
    /// There is no such fragment.
    #[error("there is no fragment {0:?}")]
    Fragment(String),
    /// A field takes no such argument.
    #[error("{field} takes no argument {argument:?}")]
    Argument {
        /// The field.
        field: &'static str,
        /// The name, shortened.
        argument: String,
    },
    /// An argument's value is not of its kind.
    #[error("the argument {argument} must be {must_be}")]
    Value {
        /// The argument.
        argument: &'static str,
        /// What it must be.
        must_be: String,
    },
    /// Two fields of one object would have the same name.
    #[error("{0:?} is asked for twice with different meanings; give one of them an alias")]
    Conflict(String),
    /// The answer would have more bytes than [`QUERY_ANSWER_BYTES_MAX`], or take too long.
    #[error(
        "the answer would be longer than {QUERY_ANSWER_BYTES_MAX} bytes or take too long; ask for fewer instruments or fields"
    )]
    TooMuch,
}

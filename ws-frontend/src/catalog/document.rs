//! A query in GraphQL, read and with its variables filled in (pure).
//!
//! Of the language there is what queries need: one query, fields with aliases and arguments, named and inline fragments,
//! variables with defaults. Directives are refused, since ignoring one would give another answer than it asks for.

use std::rc::Rc;

use apollo_parser::cst::{self, CstNode};
use apollo_parser::{Parser, SyntaxKind, SyntaxNode, SyntaxToken};
use serde_json::{Map as Object, Value};

use super::given::{Arguments, Given};
use super::query_error::QueryError;
use crate::hashing::Map;
use crate::limits::{
    ECHO_CHARS_MAX, NAME_BYTES_MAX, QUERY_ARGUMENTS_MAX, QUERY_DEPTH_MAX, QUERY_SELECTIONS_MAX,
    QUERY_TOKENS_MAX,
};

/// A query and its fragments.
#[derive(Debug)]
pub(super) struct Document<'v> {
    pub(super) selections: Vec<Selection<'v>>,
    pub(super) fragments: Map<String, Fragment<'v>>,
}

/// Selections that hold for a type.
#[derive(Debug)]
pub(super) struct Fragment<'v> {
    pub(super) on: Option<String>,
    pub(super) selections: Vec<Selection<'v>>,
}

/// What stands in braces.
#[derive(Debug)]
pub(super) enum Selection<'v> {
    Field(Field<'v>),
    Spread(String),
    Inline(Fragment<'v>),
}

/// A field as it is asked for.
#[derive(Debug)]
pub(super) struct Field<'v> {
    /// Under which name the answer has it.
    pub(super) key: String,
    pub(super) name: String,
    pub(super) arguments: Arguments<'v>,
    /// `None` where no braces follow.
    pub(super) selections: Option<Vec<Selection<'v>>>,
}

/// What a query is read with.
struct Reader<'v> {
    /// Those that are declared, each with what it was given, else its default, else null.
    variables: Map<String, Rc<Given<'v>>>,
    /// Those read so far, by their text.
    arguments: Map<String, Arguments<'v>>,
    selections_left: usize,
}

// === impl Document ===

impl<'v> Document<'v> {
    /// Reads a query.
    pub(super) fn parse(text: &str, variables: Option<&'v Value>) -> Result<Self, QueryError> {
        let parser = Parser::new(text).recursion_limit(QUERY_DEPTH_MAX);
        let tree = parser.token_limit(QUERY_TOKENS_MAX).parse();
        if let Some(error) = tree.errors().next() {
            return Err(if error.is_limit() {
                QueryError::TooGreat
            } else {
                QueryError::Syntax {
                    at: error.index(),
                    what: error.message().chars().take(100).collect(),
                }
            });
        }
        let variables = match variables {
            None | Some(Value::Null) => None,
            Some(Value::Object(variables)) => Some(variables),
            Some(_) => return Err(QueryError::Operation("variables must be an object")),
        };
        let mut operation = None;
        let mut fragments = Vec::new();
        for definition in tree.document().definitions() {
            match definition {
                cst::Definition::OperationDefinition(found) if operation.is_none() => {
                    operation = Some(found);
                }
                cst::Definition::FragmentDefinition(fragment) => fragments.push(fragment),
                _ => return Err(QueryError::Operation("give one query and its fragments")),
            }
        }
        let operation = operation.ok_or(QueryError::Operation("there is no query"))?;
        if operation.operation_type().is_some_and(|kind| kind.query_token().is_none()) {
            return Err(QueryError::Operation("only queries are answered"));
        }
        no_directives(operation.directives().is_some())?;
        let mut reader = Reader::of(&operation, variables)?;
        let selections = reader.selections(operation.selection_set())?;
        let mut named = Map::default();
        for fragment in fragments {
            let name = fragment.fragment_name().and_then(|name| name.name());
            no_directives(fragment.directives().is_some())?;
            let read = Fragment {
                on: type_of(fragment.type_condition())?,
                selections: reader.selections(fragment.selection_set())?,
            };
            if named.insert(name_of(name)?, read).is_some() {
                return Err(QueryError::Operation("two fragments have the same name"));
            }
        }
        Ok(Self { selections, fragments: named })
    }
}

// === impl Reader ===

impl<'v> Reader<'v> {
    fn of(
        operation: &cst::OperationDefinition,
        sent: Option<&'v Object<String, Value>>,
    ) -> Result<Self, QueryError> {
        let mut reader = Self {
            variables: Map::default(),
            arguments: Map::default(),
            selections_left: QUERY_SELECTIONS_MAX,
        };
        let declared = operation.variable_definitions();
        for variable in declared.iter().flat_map(cst::VariableDefinitions::variable_definitions) {
            let name = name_of(variable.variable().and_then(|variable| variable.name()))?;
            let default = variable.default_value().and_then(|default| default.value());
            let default = default.map(|value| reader.value(&value)).transpose()?;
            let sent = sent.and_then(|sent| sent.get(&name)).map(Given::Sent);
            let value = sent.or(default).unwrap_or(Given::Literal(Value::Null));
            reader.variables.insert(name, Rc::new(value));
        }
        Ok(reader)
    }

    fn selections(
        &mut self,
        set: Option<cst::SelectionSet>,
    ) -> Result<Vec<Selection<'v>>, QueryError> {
        let set = set.ok_or(QueryError::Operation("braces are missing"))?;
        set.selections().map(|selection| self.selection(selection)).collect()
    }

    fn selection(&mut self, selection: cst::Selection) -> Result<Selection<'v>, QueryError> {
        self.selections_left =
            self.selections_left.checked_sub(1).ok_or(QueryError::TooManySelections)?;
        Ok(match selection {
            cst::Selection::Field(field) => {
                no_directives(field.directives().is_some())?;
                let name = name_of(field.name())?;
                let alias = field.alias().map(|alias| name_of(alias.name())).transpose()?;
                let set = field.selection_set();
                Selection::Field(Field {
                    key: alias.unwrap_or_else(|| name.clone()),
                    name,
                    arguments: self.arguments(field.arguments())?,
                    selections: set.map(|set| self.selections(Some(set))).transpose()?,
                })
            }
            cst::Selection::FragmentSpread(spread) => {
                no_directives(spread.directives().is_some())?;
                Selection::Spread(name_of(spread.fragment_name().and_then(|name| name.name()))?)
            }
            cst::Selection::InlineFragment(fragment) => {
                no_directives(fragment.directives().is_some())?;
                Selection::Inline(Fragment {
                    on: type_of(fragment.type_condition())?,
                    selections: self.selections(fragment.selection_set())?,
                })
            }
        })
    }

    fn arguments(
        &mut self,
        arguments: Option<cst::Arguments>,
    ) -> Result<Arguments<'v>, QueryError> {
        let Some(arguments) = arguments else { return Ok(Arguments::default()) };
        let text = without_layout(arguments.syntax());
        if let Some(known) = self.arguments.get(&text) {
            return Ok(Rc::clone(known));
        }
        let mut read: Vec<(String, Given<'v>)> = Vec::new();
        for argument in arguments.arguments() {
            let name = name_of(argument.name())?;
            if read.iter().any(|(known, _)| *known == name) {
                return Err(QueryError::Operation("an argument is given twice"));
            }
            if read.len() == QUERY_ARGUMENTS_MAX {
                return Err(QueryError::Operation("no field takes so many arguments"));
            }
            let value = argument.value().ok_or(QueryError::Operation("a value is missing"))?;
            read.push((name, self.value(&value)?));
        }
        let read = Rc::new(read);
        self.arguments.insert(text, Rc::clone(&read));
        Ok(read)
    }

    fn value(&self, value: &cst::Value) -> Result<Given<'v>, QueryError> {
        Ok(Given::Literal(match value {
            cst::Value::Variable(variable) => {
                let Some(value) = self.variables.get(&name_of(variable.name())?) else {
                    return Err(QueryError::Operation("a variable is used that is not declared"));
                };
                return Ok(Given::Variable(Rc::clone(value)));
            }
            cst::Value::ListValue(list) => {
                let values = list.values().map(|one| self.value(&one));
                return Ok(Given::List(values.collect::<Result<_, _>>()?));
            }
            cst::Value::StringValue(text) => Value::String(text_of(text)?),
            cst::Value::IntValue(number) => number_of(number.syntax().first_token())?,
            cst::Value::FloatValue(number) => number_of(number.syntax().first_token())?,
            cst::Value::BooleanValue(flag) => Value::Bool(flag.true_token().is_some()),
            cst::Value::NullValue(_) => Value::Null,
            cst::Value::EnumValue(name) => Value::String(name_of(name.name())?),
            cst::Value::ObjectValue(_) => {
                return Err(QueryError::Operation("no argument is an object"));
            }
        }))
    }
}

fn no_directives(there_are: bool) -> Result<(), QueryError> {
    if there_are {
        return Err(QueryError::Operation("directives are not possible"));
    }
    Ok(())
}

/// The text of a part of the query with its tokens set alike.
fn without_layout(node: &SyntaxNode) -> String {
    let mut text = String::new();
    for token in node.descendants_with_tokens().filter_map(|element| element.into_token()) {
        if !matches!(token.kind(), SyntaxKind::WHITESPACE | SyntaxKind::COMMA | SyntaxKind::COMMENT)
        {
            text.push_str(token.text());
            text.push(' ');
        }
    }
    text
}

/// A name; the parser lets none be missing where it finds no fault. Names are copied to wherever they are used, so that long ones
/// are refused.
fn name_of(name: Option<cst::Name>) -> Result<String, QueryError> {
    let name = name.ok_or(QueryError::Operation("a name is missing"))?;
    let text = name.text();
    if text.len() > NAME_BYTES_MAX {
        return Err(QueryError::Operation("a name is longer than 256 bytes"));
    }
    Ok(text.to_string())
}

fn type_of(condition: Option<cst::TypeCondition>) -> Result<Option<String>, QueryError> {
    let named = condition.and_then(|condition| condition.named_type());
    named.map(|named| name_of(named.name())).transpose()
}

fn number_of(token: Option<SyntaxToken>) -> Result<Value, QueryError> {
    let number = token.and_then(|token| serde_json::from_str(token.text()).ok());
    number.ok_or(QueryError::Operation("a number is out of range"))
}

/// The text between quotes. GraphQL's escapes are JSON's but for one, `\u{...}`, that no name of an instrument needs.
fn text_of(value: &cst::StringValue) -> Result<String, QueryError> {
    let missing = QueryError::Operation("a text is missing");
    let token = value.syntax().first_token().ok_or(missing)?;
    let text = token.text();
    let is_block = text.len() >= 6 && text.starts_with("\"\"\"");
    if is_block {
        return Ok(text.trim_matches('"').trim().to_owned());
    }
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    if !inner.contains('\\') {
        return Ok(inner.to_owned());
    }
    serde_json::from_str(text)
        .map_err(|_| QueryError::Operation("a text holds an escape that is not possible"))
}

/// A client's own words, short enough for an error.
pub(super) fn shortened(text: &str) -> String {
    text.chars().take(ECHO_CHARS_MAX).collect()
}

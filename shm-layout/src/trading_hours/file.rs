//! A shop's own hours, read from a file (pure).

use std::collections::HashMap;

use super::{Hours, ProductKey, Span, SpanFault};
use crate::calendar::minute_of_day;

/// One fault of a file of hours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} column {column}: {text:?} {remedy}")]
pub struct HoursFault {
    /// The line, counted from 1.
    pub line: usize,
    /// The character of the line at which `text` begins, counted from 1.
    pub column: usize,
    /// What stands there.
    pub text: String,
    /// What is wrong with it, and what to write instead.
    pub remedy: &'static str,
}

/// What a file says.
#[derive(Debug, Default)]
pub(super) struct HoursFile {
    /// The hours of products.
    pub(super) products: HashMap<ProductKey, Hours>,
    /// Those of all others, if the file says so.
    pub(super) default: Option<Hours>,
}

const COLUMNS: &str = "has no comma: write a product, a comma and its sessions, such as rb,21:00-23:00 09:00-10:15; \
                       with nothing after the comma the product never trades";
const PRODUCT: &str =
    "is no product: write the letters its instruments begin with, such as rb, or * for all others";
const TWICE: &str = "is listed on an earlier line already: keep one of the two";
const COMMA: &str = "holds a second comma: put blanks between sessions";
const SESSION: &str =
    "is no session: write HH:MM-HH:MM, such as 21:00-02:30, or 00:00-24:00 for around the clock";
const EMPTY: &str = "ends when it begins: write 00:00-24:00 for around the clock";
const OVERLAP: &str =
    "overlaps another session of the product: give every session once, without the others' time";

impl HoursFile {
    /// Reads `product,sessions` lines.
    ///
    /// # Errors
    /// Every fault of the file, in its order.
    pub(super) fn parse(text: &str) -> Result<Self, Vec<HoursFault>> {
        let mut file = Self::default();
        let mut faults = Vec::new();
        // Spreadsheets put a byte order mark first.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for (index, line) in text.lines().enumerate() {
            let content = line.split('#').next().unwrap_or_default();
            let is_header = content.trim().eq_ignore_ascii_case("product,sessions");
            if !content.trim().is_empty() && !is_header {
                file.take_line(&mut Line { number: index + 1, content, faults: &mut faults });
            }
        }
        if faults.is_empty() { Ok(file) } else { Err(faults) }
    }

    fn take_line(&mut self, line: &mut Line<'_>) {
        let Some((product, sessions)) = line.content.split_once(',') else {
            return line.fault(line.content.trim(), COLUMNS);
        };
        let product = product.trim();
        let key = match product {
            "*" => None,
            _ => match ProductKey::of(product) {
                Some(key) => Some(key),
                None => {
                    // An empty product has no place of its own: the line says where.
                    let shown = if product.is_empty() { line.content.trim() } else { product };
                    return line.fault(shown, PRODUCT);
                }
            },
        };
        let known = match &key {
            Some(key) => self.products.contains_key(key),
            None => self.default.is_some(),
        };
        if known {
            line.fault(product, TWICE);
        }
        let hours = line.hours(sessions);
        match key {
            Some(key) => drop(self.products.insert(key, hours)),
            None => self.default = Some(hours),
        }
    }
}

/// A line under way.
struct Line<'a> {
    number: usize,
    content: &'a str,
    faults: &'a mut Vec<HoursFault>,
}

impl Line<'_> {
    /// Notes a fault of a part of this line.
    fn fault(&mut self, part: &str, remedy: &'static str) {
        // The part is a slice of the line, so its address says where it begins.
        let begins = (part.as_ptr() as usize).saturating_sub(self.content.as_ptr() as usize);
        let before = self.content.get(..begins).unwrap_or_default();
        let column = before.chars().count() + 1;
        self.faults.push(HoursFault { line: self.number, column, text: part.to_owned(), remedy });
    }

    fn hours(&mut self, sessions: &str) -> Hours {
        let mut spans: Vec<(Span, &str)> = Vec::new();
        if let Some((_, behind)) = sessions.split_once(',') {
            self.fault(behind.trim_end(), COMMA);
            return Hours::Sessions(Vec::new());
        }
        for text in sessions.split_whitespace() {
            let Some(span) = self.span(text) else { continue };
            if spans.iter().any(|(other, _)| span.overlaps(other)) {
                self.fault(text, OVERLAP);
            }
            spans.push((span, text));
        }
        Hours::of(spans.into_iter().map(|(span, _)| span).collect())
    }

    fn span(&mut self, text: &str) -> Option<Span> {
        let times = text.split_once('-').and_then(|(begin, end)| {
            let end = if end == "24:00" { Some(24 * 60) } else { minute_of_day(end) };
            Some((minute_of_day(begin)?, end?))
        });
        let remedy = match times.map(|(begin, end)| Span::of(begin, end)) {
            Some(Ok(span)) => return Some(span),
            Some(Err(SpanFault::Empty)) => EMPTY,
            None => SESSION,
        };
        self.fault(text, remedy);
        None
    }
}

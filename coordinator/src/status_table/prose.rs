//! Painted text broken into lines. Pure.

use super::WIDTH;
use crate::output::{Paint, Style};
use crate::shown::{columns, wrapped};

/// Pieces of text, each with a colour of its own, that follow one another and are broken between pieces.
pub(super) struct Prose {
    /// What later lines begin with.
    indent: &'static str,
    lines: Vec<Vec<(String, Option<Paint>)>>,
    /// Columns taken in the last line.
    taken: usize,
}

// === impl Prose ===

impl Prose {
    pub(super) const fn new(indent: &'static str) -> Self {
        Self { indent, lines: Vec::new(), taken: 0 }
    }

    /// A piece that is kept whole, after this separator. Where a line is broken, the separator's blanks go.
    pub(super) fn piece(mut self, separator: &str, text: &str, paint: Option<Paint>) -> Self {
        let needed = columns(separator) + columns(text);
        match self.lines.last_mut() {
            // One column stays free for the separator that may end the line.
            Some(line) if self.taken + needed < WIDTH => {
                line.push((separator.to_owned(), None));
                self.taken += needed;
            }
            Some(line) => {
                line.push((separator.trim_end().to_owned(), None));
                self.lines.push(vec![(self.indent.to_owned(), None)]);
                self.taken = columns(self.indent) + columns(text);
            }
            None => {
                self.lines.push(vec![(separator.to_owned(), None)]);
                self.taken = needed;
            }
        }
        if let Some(line) = self.lines.last_mut() {
            line.push((text.to_owned(), paint));
        }
        self
    }

    /// A text in lines of its own, broken at its blanks.
    pub(super) fn words(mut self, text: &str, paint: Option<Paint>) -> Self {
        for line in wrapped(text, WIDTH, self.indent) {
            self.taken = columns(&line);
            self.lines.push(vec![(line, paint)]);
        }
        self
    }

    pub(super) fn lines(self, style: Style) -> Vec<String> {
        let painted = |(text, paint): (String, Option<Paint>)| match paint {
            Some(paint) => style.paint(paint, &text),
            None => text,
        };
        self.lines.into_iter().map(|line| line.into_iter().map(painted).collect()).collect()
    }
}

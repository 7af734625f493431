//! A fleet's state as text for a terminal: 80 columns where names are short, 100 at most. Pure: status in, text out.
//!
//! * `head` — what is true of the whole fleet, in a few lines.
//! * `rows` — the table, a row per connection.
//! * `state` — the one word for a connection's process, session and standing.
//! * `problems` — what is wrong, in sentences, the worst first.
//! * `prose` — painted text broken into lines.

mod head;
mod problems;
mod prose;
mod rows;
mod state;

use shm_layout::control::FleetStatus;

use crate::output::{Paint, Style};
use prose::Prose;

/// No line is longer, in columns of a terminal, but for one that holds a single long word.
const WIDTH: usize = 100;

/// The text of a status.
#[must_use]
pub fn render(status: &FleetStatus, style: Style) -> String {
    let notes: Vec<String> = status
        .notices
        .iter()
        .flat_map(|notice| {
            Prose::new("      ").words(&format!("note: {notice}"), Some(Paint::Faint)).lines(style)
        })
        .collect();
    let blocks = [
        head::lines(status, style),
        rows::lines(status, style),
        problems::lines(status, style),
        notes,
    ];
    let mut text = String::new();
    for block in blocks.iter().filter(|block| !block.is_empty()) {
        if !text.is_empty() {
            text.push('\n');
        }
        for line in block {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests;

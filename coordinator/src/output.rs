//! What a person at a terminal reads. The only file that writes to stdout and, but for the log, to stderr.

use std::error::Error;
use std::io::{IsTerminal, Write};

/// How text is dressed: colours on a terminal only, and never when `NO_COLOR` is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    /// Whether colours are used.
    pub colour: bool,
}

/// A colour's meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// All is well.
    Good,
    /// Worth a look.
    Warn,
    /// Somebody has to act.
    Bad,
    /// Of lesser weight.
    Faint,
    /// A heading.
    Strong,
    /// A price that rose: red, as in China.
    Up,
    /// A price that fell: green, as in China.
    Down,
}

// === impl Style ===

impl Style {
    /// The style of stdout.
    #[must_use]
    pub fn of_stdout() -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { colour: wanted && std::io::stdout().is_terminal() }
    }

    /// A text in a colour.
    #[must_use]
    pub fn paint(self, paint: Paint, text: &str) -> String {
        if !self.colour || text.is_empty() {
            return text.to_owned();
        }
        let code = match paint {
            Paint::Good | Paint::Down => "32",
            Paint::Warn => "33",
            Paint::Bad | Paint::Up => "31",
            Paint::Faint => "2",
            Paint::Strong => "1",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// Prints to stdout. False when nobody reads it any more (`qamd status | head`), which is no fault.
pub fn say(text: &str) -> bool {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_ok()
}

/// Prints one fault to stderr, with everything that led to it.
pub fn complain(error: &dyn Error) {
    complain_text(&chain(error));
}

/// Prints a fault to stderr.
pub fn complain_text(text: &str) {
    // When stderr is closed there is nobody left to tell.
    writeln!(std::io::stderr().lock(), "qamd: {text}").unwrap_or_default();
}

pub use shm_layout::error_text::chain;

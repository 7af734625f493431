//! Where this process's words go: stderr, since stdout belongs to the vendor's library.
//!
//! A stderr that is gone (a closed terminal, a pipe whose reader ended) costs the words and nothing else.

use std::error::Error;
use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// The environment variable that sets the level, in the syntax of `EnvFilter`; "info" when unset.
pub const LEVEL_VARIABLE: &str = "QAMD_LOG";

/// Begins logging. A second call changes nothing.
pub fn begin() {
    let filter = EnvFilter::try_from_env(LEVEL_VARIABLE).unwrap_or_else(|_| EnvFilter::new("info"));
    let begun = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        // Otherwise a failed write is told with `eprintln!`, which panics in whoever was logging.
        .log_internal_errors(false)
        .try_init();
    if begun.is_err() {
        tracing::debug!("logging had begun before");
    }
}

/// An error with all its causes, in one line.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("loading x failed")]
    struct Outer(#[source] std::fmt::Error);

    #[test]
    fn a_chain_names_every_cause() {
        let text = chain(&Outer(std::fmt::Error));
        assert!(text.starts_with("loading x failed: ") && text.len() > 20, "{text}");
    }
}

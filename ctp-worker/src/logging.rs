//! Where this process's words go: stderr, since stdout belongs to the vendor's library.
//!
//! A stderr that is gone (a closed terminal, a pipe whose reader ended) costs the words and nothing else.

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

pub use shm_layout::error_text::chain;

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

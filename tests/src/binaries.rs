//! Where the binaries under test are.

use std::path::PathBuf;

/// A file that the build puts beside the tests' own directory (`target/debug`).
///
/// # Panics
/// When it was not built: the message says how to build it.
#[must_use]
pub fn built(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    let profile = test.ancestors().nth(2).expect("a test lies in <target>/<profile>/deps");
    let path = profile.join(name);
    assert!(
        path.exists(),
        "{} is missing: these tests run the real binaries; build them with `make build` (or `cargo build --workspace`)",
        path.display()
    );
    path
}

/// A directory for what tests fetch once and keep (`target/qamd-tests`).
#[must_use]
pub fn cache_dir() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    let target = test.ancestors().nth(3).expect("a test lies in <target>/<profile>/deps");
    target.join("qamd-tests")
}

/// The coordinator and the command line.
#[must_use]
pub fn qamd() -> PathBuf {
    built("qamd")
}

/// One broker's worker.
#[must_use]
pub fn worker() -> PathBuf {
    built("qamd-ctp-worker")
}

/// The simulated library.
#[must_use]
pub fn simulated_library() -> PathBuf {
    built("libqamd_ctp_sim.so")
}

//! Programs in C++ that use `qamddata` as existing ones do, beside a fleet.

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use qamd_tests::fleet::Fleet;
use qamd_tests::programs::{Program, Workshop};
use shm_layout::shared_memory::Place;

/// Compiles the program that does it all.
pub(crate) fn segment_user(workshop: &Workshop) -> PathBuf {
    workshop.boost("segment_user", "tests/e2e/programs/segment_user.cpp")
}

/// The program on a fleet's segment, told what to do.
pub(crate) fn using(program: &Path, fleet: &Fleet, words: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.arg(&fleet.home().segments()[1]).args(words);
    command
}

/// A fresh reader finds a key; gives its last price.
pub(crate) fn finds(program: &Path, fleet: &Fleet, key: &str) -> f64 {
    let (status, lines) = Program::start(&mut using(program, fleet, &["get", key])).end();
    assert!(status.success(), "{key} was looked up: {status}");
    lines[0].parse().unwrap()
}

/// A fresh reader goes through the whole map; gives its keys.
pub(crate) fn walked(program: &Path, fleet: &Fleet) -> Vec<String> {
    let (status, keys) = Program::start(&mut using(program, fleet, &["walk"])).end();
    assert!(status.success(), "the map was walked: {status}");
    keys
}

/// Writes 32 bits into a segment.
pub(crate) fn put(place: &Place, at: u64, value: u64) {
    let value = u32::try_from(value).unwrap();
    place.open_write().unwrap().write_all_at(&value.to_le_bytes(), at).unwrap();
}

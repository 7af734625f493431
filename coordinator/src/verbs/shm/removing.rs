//! Removing both segments of a fleet that does not run, and what lies beside them.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use shm_layout::Instance;
use shm_layout::lock_file::note_in;
use shm_layout::shared_memory::Place;

use super::health::Holder;
use super::health_text::{holder as in_words, size};
use super::segments::{Segments, holder};
use crate::output::chain;
use crate::runtime_dir::held_locks;
use crate::shown::listed;
use crate::verbs::asking::named;

/// Programs that are named.
const PROGRAMS_NAMED: usize = 8;

/// Removes them. Gives what was done, a sentence a line; and why nothing was, or not all.
pub(super) fn remove(segments: &Segments) -> Result<Vec<String>, String> {
    let qamddata = qamddata_of(segments);
    let places: Vec<&Place> = std::iter::once(&segments.depth).chain(qamddata).collect();
    let owner = qamddata.map(Place::owner_lock);
    let locks: Vec<PathBuf> =
        std::iter::once(segments.paths().instance_claim()).chain(owner).collect();
    refuse_while_it_runs(segments, &locks)?;
    // Held until the end, so that no coordinator starts meanwhile.
    let held = locks.iter().map(|lock| hold(lock)).collect::<Result<Vec<_>, String>>()?;
    let programs = programs_that_map(&places);
    let mut lines = Vec::new();
    let mut had_segment = false;
    for place in &places {
        had_segment |= note(place.path(), &mut lines);
        note(&place.quarantine(), &mut lines);
        place.remove().map_err(|error| chain(&error))?;
        place.clear_asides();
    }
    for lock in &locks {
        std::fs::remove_file(lock).map_err(|error| failed(lock, &error))?;
    }
    drop(held);
    if had_segment {
        lines.push(
            "Programs that have them mapped keep the old memory, which nobody writes any more: \
             restart them when the fleet runs again."
                .into(),
        );
        if !programs.is_empty() {
            let names = listed(&programs, PROGRAMS_NAMED, programs.len());
            lines.push(format!("These have them mapped now: {names}."));
        }
    }
    if let Some(other) =
        segments.qamddata.as_ref().filter(|other| qamddata.is_none() && other.path().exists())
    {
        lines.push(format!(
            "{} stays: nothing says that it belongs to instance {}; say so with --config.",
            other.path().display(),
            segments.paths().instance()
        ));
    }
    if lines.is_empty() {
        lines.push("There is nothing to remove.".into());
    }
    Ok(lines)
}

/// The `qamddata` that is the fleet's for certain: with a mistyped name another fleet's would go.
fn qamddata_of(segments: &Segments) -> Option<&Place> {
    let by_default = *segments.paths().instance() == Instance::default();
    let ours = |place: &&Place| {
        // The lock's second line says where the fleet lives that filled it last.
        let by = note_in(&place.owner_lock());
        let is_one = |dir: &Path| segments.places.iter().any(|paths| paths.runtime_dir() == dir);
        by.is_none_or(|dir| is_one(Path::new(&dir)))
    };
    let sure = |place: &&Place| !segments.guessed || (by_default && ours(place));
    segments.qamddata.as_ref().filter(sure)
}

fn refuse_while_it_runs(segments: &Segments, locks: &[PathBuf]) -> Result<(), String> {
    let instance = segments.paths().instance();
    let mut dirs: BTreeSet<PathBuf> =
        segments.places.iter().map(|paths| paths.runtime_dir().to_owned()).collect();
    // A lock's second line says where the fleet lives that took it last.
    dirs.extend(locks.iter().filter_map(|lock| note_in(lock)).map(PathBuf::from));
    let mut running: Vec<String> = Vec::new();
    for dir in &dirs {
        if let Holder::Process { pid } = holder(&dir.join("coordinator.lock")) {
            running.push(named(&(dir.join("coordinator.lock"), pid)));
        }
        running.extend(held_locks(dir).iter().map(named));
    }
    running.sort_unstable();
    if !running.is_empty() {
        return Err(format!("the fleet runs ({}); stop it first", running.join(", ")));
    }
    for lock in locks {
        let path = lock.display();
        match holder(lock) {
            Holder::Nobody => {}
            Holder::Unknown => {
                return Err(format!(
                    "{path} is another user's, so nobody can tell whether a fleet uses the segments; \
                     ask as that user or as root"
                ));
            }
            process @ Holder::Process { .. } => {
                return Err(format!(
                    "{} holds {path}: a coordinator uses the segments of instance {instance}; stop \
                     it first",
                    in_words(&process)
                ));
            }
        }
    }
    Ok(())
}

/// Takes a lock, also of another user's file where we are root; and makes it where there is none.
fn hold(lock: &Path) -> Result<File, String> {
    let open = |make: bool| {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(make).mode(0o600).open(lock)
    };
    let file = open(false).or_else(|error| match error.kind() {
        ErrorKind::NotFound => open(true),
        _ => Err(error),
    });
    let file = file.map_err(|error| format!("{} cannot be taken: {error}", lock.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(format!("{} was just taken: is the fleet being started?", lock.display()))
        }
        Err(TryLockError::Error(error)) => {
            Err(format!("{} cannot be taken: {error}", lock.display()))
        }
    }
}

/// Notes what is about to go, where there is something. True when there is.
fn note(path: &Path, lines: &mut Vec<String>) -> bool {
    let found = path.symlink_metadata();
    if let Ok(found) = &found {
        lines.push(format!("removed {}, {}", path.display(), size(found.len())));
    }
    found.is_ok()
}

fn failed(path: &Path, error: &io::Error) -> String {
    format!("{} cannot be removed: {error}", path.display())
}

/// The programs that have a segment mapped, as far as this user may look: `strategy (pid 7)`.
fn programs_that_map(places: &[&Place]) -> Vec<String> {
    let paths: Vec<String> =
        places.iter().map(|place| format!(" {}\n", place.path().display())).collect();
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let mapping = entries.filter_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let maps = std::fs::read_to_string(entry.path().join("maps")).ok()?;
        if !paths.iter().any(|path| maps.contains(path)) {
            return None;
        }
        let name = std::fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
        Some(format!("{} (pid {pid})", name.trim()))
    });
    mapping.collect()
}

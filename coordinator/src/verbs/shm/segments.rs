//! Which two segments are meant, and opening them for reading.

use std::io::ErrorKind;
use std::path::Path;

use serde_json::Value;
use shm_layout::FleetPaths;
use shm_layout::depth::{DepthFault, DepthOpenError, DepthReader};
use shm_layout::lock_file::{LockState, try_probe};
use shm_layout::qamddata::check::{Sound, check};
use shm_layout::shared_memory::{Place, PlaceError, ReadOnly};

use super::health::{Holder, State};
use crate::command_line::FleetArgs;
use crate::config::{QAMDDATA_NAME_DEFAULT, read_text};
use crate::output::chain;
use crate::verbs::asking;

/// So often a segment is looked at anew that seems damaged: an insertion may be under way.
const LOOKS_MAX: u32 = 5;

/// The segments of a fleet.
#[derive(Debug)]
pub(super) struct Segments {
    /// Where the fleet may be; one at least.
    pub(super) places: Vec<FleetPaths>,
    /// The depth segment.
    pub(super) depth: Place,
    /// `qamddata`, unless the fleet has none.
    pub(super) qamddata: Option<Place>,
    /// Neither the depth segment nor a configuration says that this `qamddata` is the fleet's: it is the usual one.
    pub(super) guessed: bool,
}

// === impl Segments ===

impl Segments {
    /// The segments that the arguments mean.
    ///
    /// # Errors
    /// What is wrong with the arguments, as a sentence.
    pub(super) fn find(args: &FleetArgs) -> Result<Self, String> {
        let places = asking::find(args)?;
        let Some(paths) = places.first() else { return Err("no fleet is meant".into()) };
        let depth = Place::named(&paths.depth_name());
        let written = written_name(&depth);
        let guessed = written.is_none() && args.config.is_none();
        let name = match written {
            Some(name) => name,
            None => args.config.as_deref().map_or_else(default_name, configured_name),
        };
        Ok(Self { places, depth, qamddata: name.map(|name| Place::named(&name)), guessed })
    }

    /// The places of the fleet in shared memory, which are the same wherever its runtime directory is.
    pub(super) fn paths(&self) -> &FleetPaths {
        // `find` makes no value without one.
        &self.places[0]
    }
}

/// The name that the depth segment leads to: that of the fleet that ran last. `None` when it says nothing to be trusted.
fn written_name(depth: &Place) -> Option<Option<String>> {
    let name = DepthReader::open(depth).ok()?.qamddata_name();
    // A segment's header holds what somebody wrote there.
    name.as_deref().is_none_or(Place::is_name).then_some(name)
}

/// The name in a configuration, whatever else is wrong with the file: an operator may be editing it.
fn configured_name(file: &Path) -> Option<String> {
    let text = read_text(file).unwrap_or_default();
    let document = serde_json::from_str(text.trim_start_matches('\u{feff}'));
    let document: Value = document.unwrap_or_default();
    match document.get("qamddata_name") {
        Some(Value::Null) => None,
        Some(Value::String(name)) if Place::is_name(name) => Some(name.clone()),
        _ => default_name(),
    }
}

fn default_name() -> Option<String> {
    Some(QAMDDATA_NAME_DEFAULT.into())
}

/// Opens the depth segment; what it is instead where it cannot be read.
///
/// # Errors
/// Any state but sound.
pub(super) fn open_depth(place: &Place) -> Result<DepthReader, State> {
    DepthReader::open(place).map_err(|error| match error {
        DepthOpenError::NotReady(_) if place.path().symlink_metadata().is_ok() => State::NotReady,
        DepthOpenError::NotReady(_) => State::NotThere,
        DepthOpenError::Fault { fault, .. } => match fault {
            DepthFault::Foreign { field, .. } if field != "magic number" && field != "state" => {
                State::OtherVersion(fault.to_string())
            }
            fault => State::Damaged(fault.to_string()),
        },
        DepthOpenError::Place(error) => unopened(place, &error),
    })
}

/// Opens `qamddata` and checks all of it.
///
/// # Errors
/// Any state but sound.
pub(super) fn open_qamddata(place: &Place) -> Result<(ReadOnly, Sound), State> {
    let file = place.open_read().map_err(|error| unopened(place, &error))?;
    let memory = ReadOnly::map(&file).map_err(|error| unreadable(place, &error))?;
    let mut looks = 1;
    loop {
        match check(&memory) {
            Ok(sound) => return Ok((memory, sound)),
            Err(_) if looks < LOOKS_MAX => looks += 1,
            Err(damage) => return Err(State::Damaged(damage.to_string())),
        }
    }
}

fn unopened(place: &Place, error: &PlaceError) -> State {
    unreadable(place, &error.source)
}

fn unreadable(place: &Place, error: &std::io::Error) -> State {
    if place.path().is_symlink() {
        return State::Damaged("it is a symbolic link".into());
    }
    match error.kind() {
        ErrorKind::NotFound => State::NotThere,
        // It was opened, and is not what can be mapped.
        ErrorKind::InvalidData => State::Damaged(chain(error)),
        ErrorKind::PermissionDenied => {
            State::NotReadable("this user may not open it; ask as its user or as root".into())
        }
        _ => State::NotReadable(chain(error)),
    }
}

/// Who holds a lock file.
pub(super) fn holder(lock: &Path) -> Holder {
    match try_probe(lock) {
        Ok(LockState::Held { pid }) => Holder::Process { pid },
        Ok(LockState::Free) => Holder::Nobody,
        Err(_) => Holder::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_is_not_there_is_nobodys() {
        assert_eq!(holder(Path::new("/nowhere/x.owner")), Holder::Nobody);
    }
}

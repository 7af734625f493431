//! Opening the depth segment, for whoever does not own it.

use std::fs::File;
use std::io;

use super::check::{DepthFault, check_header};
use super::layout::Sizes;
use crate::shared_memory::{Place, PlaceError, Words};

/// Why the depth segment cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum DepthOpenError {
    /// There is none, or it is being made: the fleet was never started. Try again later.
    #[error("there is no depth segment {} (yet); it is made when the fleet starts", .0.path().display())]
    NotReady(Place),
    /// It is none of this version.
    #[error("{} is no depth segment of this version: {fault}", place.path().display())]
    Fault {
        /// Where it lies.
        place: Place,
        /// What is wrong with it.
        fault: DepthFault,
    },
    /// It cannot be opened.
    #[error(transparent)]
    Place(#[from] PlaceError),
}

/// Maps what was opened in a place, and checks what is relied on. Gives its sizes as well.
///
/// # Errors
/// [`DepthOpenError`]; `NotReady` passes when the fleet starts.
pub(super) fn map<M: Words>(
    place: &Place,
    opened: Result<File, PlaceError>,
    map: impl FnOnce(&File) -> io::Result<M>,
) -> Result<(M, Sizes), DepthOpenError> {
    let not_ready = || DepthOpenError::NotReady(place.clone());
    let file = match opened {
        Err(error) if error.is_not_there() => return Err(not_ready()),
        other => other?,
    };
    let memory = map(&file).map_err(|error| place.failed("mapping", error))?;
    match check_header(&memory) {
        Ok(sizes) => Ok((memory, sizes)),
        Err(DepthFault::NotReady | DepthFault::Retired) => Err(not_ready()),
        Err(fault) => Err(DepthOpenError::Fault { place: place.clone(), fault }),
    }
}

//! The latest ticks that shared memory holds, for instruments of which this process has seen none yet.

use shm_layout::depth::{DepthReader, Found};
use shm_layout::shared_memory::Place;
use shm_layout::{FleetPaths, InstrumentId, Tick};

/// The depth segment, opened anew when another has taken its place.
#[derive(Debug)]
pub struct LatestTicks {
    place: Place,
    reader: Option<DepthReader>,
}

// === impl LatestTicks ===

impl LatestTicks {
    /// Those of a fleet, where it has made the segment by now.
    #[must_use]
    pub fn of(paths: &FleetPaths) -> Self {
        let mut latest = Self { place: Place::named(&paths.depth_name()), reader: None };
        latest.refresh();
        latest
    }

    /// Looks whether the segment is still the one that stands there, and opens it where it is not; to be called now and then.
    pub fn refresh(&mut self) {
        if !self.reader.as_ref().is_some_and(DepthReader::is_current)
            // The coordinator makes it before it starts anybody. Where it is missing or of another version, clients see
            // a price with the next tick; one that was removed is written on until there is another.
            && let Ok(reader) = DepthReader::open(&self.place)
        {
            self.reader = Some(reader);
        }
    }

    /// The latest tick of an instrument that the fleet carries, if it came since the fleet does. What it does not carry, or has
    /// only begun to, may have been left there long ago.
    #[must_use]
    pub fn get(&self, instrument: &InstrumentId) -> Option<Box<Tick>> {
        let reader = self.reader.as_ref()?;
        let slot = reader.find(instrument)?;
        let since = reader.head(slot)?.carried_since_ns?;
        let is_it = |tick: &Tick| {
            tick.receive_time_ns >= since && tick.instrument_id == *instrument.padded()
        };
        match reader.read(slot) {
            Found::Latest(tick) => Some(tick).filter(|tick| is_it(tick)),
            // One that is overtaken all the time is about to come by itself.
            Found::Nothing | Found::Busy => None,
        }
    }
}

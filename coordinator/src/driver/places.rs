//! Which instruments get a place in the segments, and when.

use shm_layout::InstrumentId;
use shm_layout::control::{Assignment, Carry, InstrumentReport, InstrumentState};

use super::Driver;

impl Driver {
    /// What ticks has its place, whether it is listed or not.
    pub(super) fn make_room(&mut self, ticking: Vec<InstrumentId>) {
        for instrument in ticking {
            if self.fleet.is_carried(&instrument) {
                self.hands.segments.ticks(instrument);
            }
        }
    }

    /// What is listed has its place before a worker hears of it.
    pub(super) fn prepare_segments(&mut self, assignment: &Assignment) {
        let segments = &mut self.hands.segments;
        for Carry { instrument, .. } in assignment.carried() {
            segments.assigned(*instrument);
        }
        for instrument in assignment.released() {
            segments.set_carried(instrument, self.fleet.is_carried(instrument));
        }
    }
}

/// The instruments of these that tick.
pub(super) fn ticking_of(reports: &[InstrumentReport]) -> Vec<InstrumentId> {
    let ticking = reports.iter().filter(|report| report.state == InstrumentState::Ticking);
    ticking.map(|report| report.instrument).collect()
}

//! What the coordinator hears of the instruments (pure).

use shm_layout::InstrumentId;
use shm_layout::control::{CarryRole, InstrumentReport, InstrumentState};

use super::Subscriptions;

/// How many instruments are in which state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Census {
    /// Known here, in any state but refused.
    pub carried: usize,
    /// Acknowledged or ticking.
    pub acknowledged: usize,
    /// Wanted and not asked for because all places are taken.
    pub waiting_for_room: usize,
}

// === impl Subscriptions ===

impl Subscriptions {
    /// What this worker is to an instrument; `None` for what is not assigned here.
    #[must_use]
    pub fn role(&self, instrument: &InstrumentId) -> Option<CarryRole> {
        self.entries.get(instrument).filter(|entry| entry.wanted).map(|entry| entry.role)
    }

    /// How many instruments are in which state.
    #[must_use]
    pub fn census(&self) -> Census {
        let carried = self.entries.len() - self.refused;
        Census {
            carried,
            acknowledged: self.acknowledged,
            waiting_for_room: carried.saturating_sub(self.max_subscriptions),
        }
    }

    /// Everything wanted, for a coordinator that begins anew; beyond `most` the rest is left to [`Self::take_changes`].
    pub fn inventory(&mut self, most: usize) -> Vec<InstrumentReport> {
        self.changed.clear();
        let mut inventory = Vec::new();
        for (instrument, entry) in self.entries.iter().filter(|(_, entry)| entry.wanted) {
            if inventory.len() < most {
                inventory.push(InstrumentReport {
                    instrument: *instrument,
                    state: entry.report(),
                    role: entry.role,
                });
            } else {
                self.changed.insert(*instrument);
            }
        }
        inventory
    }

    /// True when [`Self::take_changes`] has something to say.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        !self.changed.is_empty()
    }

    /// What changed since it was last said, the newest state only, at most so many.
    pub fn take_changes(&mut self, most: usize) -> Vec<InstrumentReport> {
        let mut reports = Vec::new();
        while reports.len() < most
            && let Some(instrument) = self.changed.pop_first()
        {
            let (state, role) = match self.entries.get(&instrument) {
                Some(entry) if entry.wanted => (entry.report(), entry.role),
                // On its way out; said when it is gone.
                Some(_) => continue,
                None => (InstrumentState::Released, CarryRole::Standby),
            };
            reports.push(InstrumentReport { instrument, state, role });
        }
        reports
    }

    /// Answers and first ticks that did not come in time and were asked for again, since this worker's start.
    #[must_use]
    pub const fn asked_again(&self) -> u64 {
        self.asked_again
    }
}

//! What this frontend wants from the fleet, and how much of it the coordinator has been told.
//!
//! Level-triggered: for each instrument there is what is wanted and what was told, and a difference stays marked until a
//! message took it. So a full queue or a lost connection loses nothing: the mark waits, and a new connection is told all.
//!
//! An instrument that nobody wants any longer stays wanted for [`DEMAND_LINGER`]: a client that reconnects does not cost the
//! broker an unsubscribe and a subscribe.

use std::collections::VecDeque;
use std::time::Instant;

use shm_layout::InstrumentId;

use crate::hashing::Map;
use crate::limits::{DEMAND_LINGER, DEMAND_PART_MAX};

/// A message's worth of difference.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DemandPart {
    /// The coordinator is to forget what it was told before.
    pub first: bool,
    /// Wanted from now on.
    pub add: Vec<InstrumentId>,
    /// No longer wanted.
    pub remove: Vec<InstrumentId>,
}

/// What is wanted, and what was told.
#[derive(Debug, Default)]
pub struct Demand {
    states: Map<InstrumentId, State>,
    /// Where wanted and told may differ, each instrument at most once.
    marked: VecDeque<InstrumentId>,
    /// Released instruments, each at most once, with when to look at it again; some were wanted again since.
    lingering: VecDeque<(Instant, InstrumentId)>,
    connected: bool,
    begin_anew: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    wanted: bool,
    linger_until: Option<Instant>,
    /// It stands in `lingering`.
    lingers: bool,
    told: bool,
    /// It stands in `marked`.
    marked: bool,
}

impl State {
    const fn is_desired(self) -> bool {
        self.wanted || self.linger_until.is_some()
    }
}

// === impl Demand ===

impl Demand {
    /// Somebody wants an instrument that nobody wanted.
    pub fn want(&mut self, instrument: InstrumentId) {
        let state = self.states.entry(instrument).or_default();
        state.wanted = true;
        state.linger_until = None;
        self.mark(instrument);
    }

    /// Nobody wants an instrument any longer.
    pub fn release(&mut self, instrument: InstrumentId, now: Instant) {
        let Some(state) = self.states.get_mut(&instrument) else { return };
        state.wanted = false;
        let until = now + DEMAND_LINGER;
        state.linger_until = Some(until);
        if !std::mem::replace(&mut state.lingers, true) {
            self.lingering.push_back((until, instrument));
        }
    }

    /// Ends what has lingered long enough; returns what is no longer wanted by that.
    pub fn expire(&mut self, now: Instant) -> Vec<InstrumentId> {
        let mut ended = Vec::new();
        while let Some((_, instrument)) =
            self.lingering.front().copied().filter(|(until, _)| *until <= now)
        {
            self.lingering.pop_front();
            let Some(state) = self.states.get_mut(&instrument) else { continue };
            state.lingers = false;
            match state.linger_until {
                // Wanted again.
                None => {}
                Some(later) if later > now => {
                    // Wanted again and released again.
                    state.lingers = true;
                    self.lingering.push_back((later, instrument));
                }
                Some(_) => {
                    state.linger_until = None;
                    ended.push(instrument);
                    self.mark(instrument);
                }
            }
        }
        ended
    }

    /// A coordinator is there, and has been told nothing.
    pub fn connected(&mut self) {
        self.connected = true;
        self.begin_anew = true;
        self.states.retain(|_, state| state.is_desired());
        self.marked.clear();
        for (instrument, state) in &mut self.states {
            state.told = false;
            state.marked = true;
            self.marked.push_back(*instrument);
        }
    }

    /// The coordinator is gone.
    pub fn disconnected(&mut self) {
        self.connected = false;
        // The next one is told all.
        self.marked.clear();
    }

    /// The next message for the coordinator, which is thereby told; `None` when it knows all or is not there.
    pub fn next_part(&mut self) -> Option<DemandPart> {
        if !self.connected {
            return None;
        }
        let first = std::mem::take(&mut self.begin_anew);
        let mut part = DemandPart { first, ..DemandPart::default() };
        while part.add.len() + part.remove.len() < DEMAND_PART_MAX {
            let Some(instrument) = self.marked.pop_front() else { break };
            let Some(state) = self.states.get_mut(&instrument) else { continue };
            state.marked = false;
            let desired = state.is_desired();
            if desired != state.told {
                if desired {
                    part.add.push(instrument)
                } else {
                    part.remove.push(instrument)
                }
                state.told = desired;
            }
            if !desired {
                self.states.remove(&instrument);
            }
        }
        (part != DemandPart::default()).then_some(part)
    }

    /// How many instruments are wanted or linger or are still to be taken back.
    #[must_use]
    pub fn len(&self) -> usize {
        self.states.len()
    }

    /// True when nothing is wanted and nothing is left to be told.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.states.is_empty()
    }

    fn mark(&mut self, instrument: InstrumentId) {
        let Some(state) = self.states.get_mut(&instrument) else { return };
        if self.connected {
            if !std::mem::replace(&mut state.marked, true) {
                self.marked.push_back(instrument);
            }
        } else if !state.is_desired() {
            // Nobody is there to be told, and who was told is gone.
            self.states.remove(&instrument);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use shm_layout::clock::monotonic;
    use std::collections::BTreeSet;
    use std::time::Duration;

    fn id(number: u8) -> InstrumentId {
        InstrumentId::parse(&format!("i{number}")).unwrap()
    }

    /// What a coordinator makes of the parts.
    fn hear(known: &mut BTreeSet<InstrumentId>, part: DemandPart) {
        if part.first {
            known.clear();
        }
        for instrument in part.add {
            assert!(known.insert(instrument), "{instrument} is told twice");
        }
        for instrument in part.remove {
            assert!(known.remove(&instrument), "{instrument} was not known");
        }
    }

    fn hear_all(demand: &mut Demand, known: &mut BTreeSet<InstrumentId>) {
        while let Some(part) = demand.next_part() {
            hear(known, part);
        }
    }

    #[test]
    fn a_client_that_comes_back_in_time_costs_nothing() {
        let (mut demand, now) = (Demand::default(), monotonic());
        let mut known = BTreeSet::new();
        demand.connected();
        demand.want(id(1));
        hear_all(&mut demand, &mut known);
        demand.release(id(1), now);
        demand.want(id(1));
        assert_eq!(demand.expire(now + DEMAND_LINGER), []);
        assert_eq!(demand.next_part(), None);
        demand.release(id(1), now);
        assert_eq!(demand.expire(now + DEMAND_LINGER), [id(1)]);
        hear_all(&mut demand, &mut known);
        assert!(known.is_empty() && demand.is_empty());
    }

    #[test]
    fn a_new_coordinator_is_told_all_even_if_that_is_nothing() {
        let mut demand = Demand::default();
        demand.connected();
        assert_eq!(demand.next_part(), Some(DemandPart { first: true, ..DemandPart::default() }));
        assert_eq!(demand.next_part(), None);
    }

    #[test]
    fn a_long_demand_goes_in_parts_of_which_one_is_first() {
        let mut demand = Demand::default();
        for number in 0..DEMAND_PART_MAX + 1 {
            demand.want(InstrumentId::parse(&format!("i{number}")).unwrap());
        }
        assert_eq!(demand.next_part(), None, "nobody is there");
        demand.connected();
        let parts: Vec<DemandPart> = std::iter::from_fn(|| demand.next_part()).collect();
        let shape: Vec<(bool, usize)> = parts.iter().map(|p| (p.first, p.add.len())).collect();
        assert_eq!(shape, [(true, DEMAND_PART_MAX), (false, 1)]);
    }

    proptest! {
        #[test]
        fn after_any_history_the_coordinator_knows_what_is_wanted(
            steps in prop::collection::vec((0..6_u8, 0..6_u8), 0..300),
        ) {
            let (mut demand, mut now) = (Demand::default(), monotonic());
            let (mut known, mut wanted) = (BTreeSet::new(), BTreeSet::new());
            for (what, which) in steps {
                match what {
                    0 if wanted.insert(id(which)) => demand.want(id(which)),
                    1 if wanted.remove(&id(which)) => demand.release(id(which), now),
                    2 => {
                        now += Duration::from_millis(u64::from(which) * 200);
                        for ended in demand.expire(now) {
                            prop_assert!(!wanted.contains(&ended));
                        }
                    }
                    3 => if let Some(part) = demand.next_part() { hear(&mut known, part) },
                    4 => demand.connected(),
                    5 => demand.disconnected(),
                    _ => {}
                }
                prop_assert!(demand.marked.len() <= demand.states.len());
                prop_assert!(demand.lingering.len() <= demand.states.len());
            }
            demand.connected();
            hear_all(&mut demand, &mut known);
            prop_assert!(known.is_superset(&wanted), "what is wanted is never forgotten");
            demand.expire(now + DEMAND_LINGER);
            hear_all(&mut demand, &mut known);
            prop_assert_eq!(&known, &wanted);
            prop_assert_eq!(demand.len(), wanted.len(), "what ended leaves nothing behind");
        }
    }
}

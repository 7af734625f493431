//! Who wants what: sessions by instrument for the fan-out, instruments by session for its end. Each subscription stands in
//! both, and knows its place in the other, so that taking one away costs the same however many there are.

use crate::hashing::Map;
use crate::quote_book::InstrumentIndex;

/// A session's place in the hub's table.
pub type SessionIndex = u32;

/// Who wants what.
#[derive(Debug, Default)]
pub struct Interests {
    /// Indexed by instrument.
    sessions: Vec<Vec<SessionIndex>>,
    /// For each session its instruments, and where the session stands in the instrument's list.
    instruments: Map<SessionIndex, Map<InstrumentIndex, u32>>,
    subscriptions: usize,
    wanted: usize,
}

/// What became of a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// The instrument's first.
    First,
    /// A further one of the instrument.
    Further,
    /// The session had it.
    Before,
}

/// What became of the end of a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removed {
    /// It was the instrument's last.
    Last,
    /// Others want the instrument still.
    NotLast,
    /// The session did not have it.
    NeverHad,
}

// === impl Interests ===

impl Interests {
    /// The sessions that want an instrument.
    #[must_use]
    pub fn sessions_of(&self, instrument: InstrumentIndex) -> &[SessionIndex] {
        self.sessions.get(instrument as usize).map_or(&[], Vec::as_slice)
    }

    /// How many instruments a session wants.
    #[must_use]
    pub fn count_of(&self, session: SessionIndex) -> usize {
        self.instruments.get(&session).map_or(0, Map::len)
    }

    /// True when a session wants an instrument.
    #[must_use]
    pub fn has(&self, session: SessionIndex, instrument: InstrumentIndex) -> bool {
        self.instruments.get(&session).is_some_and(|its| its.contains_key(&instrument))
    }

    /// Subscriptions of all sessions.
    #[must_use]
    pub const fn subscriptions(&self) -> usize {
        self.subscriptions
    }

    /// Instruments that one session or more want.
    #[must_use]
    pub const fn wanted(&self) -> usize {
        self.wanted
    }

    /// A session wants an instrument.
    pub fn add(&mut self, session: SessionIndex, instrument: InstrumentIndex) -> Added {
        let its = self.instruments.entry(session).or_default();
        if its.contains_key(&instrument) {
            return Added::Before;
        }
        let at = instrument as usize;
        if self.sessions.len() <= at {
            self.sessions.resize_with(at + 1, Vec::new);
        }
        let sessions = &mut self.sessions[at];
        its.insert(instrument, place(sessions.len()));
        sessions.push(session);
        self.subscriptions += 1;
        if sessions.len() == 1 {
            self.wanted += 1;
            Added::First
        } else {
            Added::Further
        }
    }

    /// A session no longer wants an instrument.
    pub fn remove(&mut self, session: SessionIndex, instrument: InstrumentIndex) -> Removed {
        let Some(its) = self.instruments.get_mut(&session) else { return Removed::NeverHad };
        let Some(at) = its.remove(&instrument) else { return Removed::NeverHad };
        if its.is_empty() {
            self.instruments.remove(&session);
        }
        self.take_out(instrument, at)
    }

    /// A session is gone. Returns the instruments that nobody wants any longer.
    pub fn remove_session(&mut self, session: SessionIndex) -> Vec<InstrumentIndex> {
        let Some(its) = self.instruments.remove(&session) else { return Vec::new() };
        its.into_iter()
            .filter(|(instrument, at)| self.take_out(*instrument, *at) == Removed::Last)
            .map(|(instrument, _)| instrument)
            .collect()
    }

    /// Takes the session at a place out of an instrument's list; the last of the list moves into its place.
    fn take_out(&mut self, instrument: InstrumentIndex, at: u32) -> Removed {
        let sessions = &mut self.sessions[instrument as usize];
        sessions.swap_remove(at as usize);
        self.subscriptions -= 1;
        if let Some(moved) = sessions.get(at as usize)
            && let Some(its_place) =
                self.instruments.get_mut(moved).and_then(|its| its.get_mut(&instrument))
        {
            *its_place = at;
        }
        if sessions.is_empty() {
            *sessions = Vec::new();
            self.wanted -= 1;
            Removed::Last
        } else {
            Removed::NotLast
        }
    }
}

fn place(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    #[derive(Debug, Clone)]
    enum Step {
        Add(SessionIndex, InstrumentIndex),
        Remove(SessionIndex, InstrumentIndex),
        Gone(SessionIndex),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            6 => (0..6_u32, 0..9_u32).prop_map(|(s, i)| Step::Add(s, i)),
            3 => (0..6_u32, 0..9_u32).prop_map(|(s, i)| Step::Remove(s, i)),
            1 => (0..6_u32).prop_map(Step::Gone),
        ];
        prop::collection::vec(step, 0..300)
    }

    proptest! {
        #[test]
        fn both_sides_agree_with_a_set_of_pairs_after_any_history(steps in steps()) {
            let mut interests = Interests::default();
            let mut pairs: BTreeSet<(InstrumentIndex, SessionIndex)> = BTreeSet::new();
            let of = |pairs: &BTreeSet<(u32, u32)>, i| pairs.iter().filter(|(x, _)| *x == i).count();
            for step in steps {
                match step {
                    Step::Add(s, i) => {
                        let expected = match (pairs.contains(&(i, s)), of(&pairs, i)) {
                            (true, _) => Added::Before,
                            (false, 0) => Added::First,
                            (false, _) => Added::Further,
                        };
                        prop_assert_eq!(interests.add(s, i), expected);
                        pairs.insert((i, s));
                    }
                    Step::Remove(s, i) => {
                        let had = pairs.remove(&(i, s));
                        let expected = match (had, of(&pairs, i)) {
                            (false, _) => Removed::NeverHad,
                            (true, 0) => Removed::Last,
                            (true, _) => Removed::NotLast,
                        };
                        prop_assert_eq!(interests.remove(s, i), expected);
                    }
                    Step::Gone(s) => {
                        let before: BTreeSet<u32> = pairs.iter().map(|(i, _)| *i).collect();
                        pairs.retain(|(_, x)| *x != s);
                        let after: BTreeSet<u32> = pairs.iter().map(|(i, _)| *i).collect();
                        let ended: BTreeSet<u32> = interests.remove_session(s).into_iter().collect();
                        prop_assert_eq!(ended, &before - &after);
                    }
                }
                let mut by_instrument: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
                for (i, s) in &pairs {
                    by_instrument.entry(*i).or_default().insert(*s);
                }
                for i in 0..9 {
                    let listed = interests.sessions_of(i);
                    let set: BTreeSet<u32> = listed.iter().copied().collect();
                    prop_assert_eq!(set.len(), listed.len(), "nobody is listed twice");
                    prop_assert_eq!(set, by_instrument.get(&i).cloned().unwrap_or_default());
                }
                for s in 0..6 {
                    prop_assert_eq!(interests.count_of(s), pairs.iter().filter(|p| p.1 == s).count());
                }
                prop_assert_eq!(interests.subscriptions(), pairs.len());
                prop_assert_eq!(interests.wanted(), by_instrument.len());
            }
        }
    }
}

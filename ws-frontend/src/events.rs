//! What clients are told of the fleet (pure).
//!
//! The coordinator tells states ([`FleetEvent`]); [`Condition`] is what is known by them, and [`Happening`] what is new to a
//! client: nothing is told twice. A session that begins to listen gets the [`Condition::present`] state first, and then of
//! each happening what concerns it.
//!
//! While there is no coordinator, what was known holds. The next one says all anew; a front that came up meanwhile is told to be
//! up, a connection that is there no longer is forgotten, and instruments that are not said to be stale again are fresh once
//! the coordinator says that it has named all.

use std::collections::BTreeMap;

use shm_layout::control::FleetEvent;
use shm_layout::{ConnectionId, Date, InstrumentId};

use crate::hashing::Set;
use crate::limits::{EVENT_CONNECTIONS_MAX, EVENT_INSTRUMENTS_KEPT_MAX, EVENT_WHY_CHARS_MAX};

/// A trading day so many days ahead of the next one told was wrong: no holiday is as long.
const WRONG_DAYS: i32 = 15;

/// What is known of the fleet.
#[derive(Debug, Clone, Default)]
pub struct Condition {
    down: BTreeMap<ConnectionId, Outage>,
    stale: Set<InstrumentId>,
    /// Of the stale ones those that were said by an earlier coordinator, or over an earlier connection to it, and not since.
    unconfirmed: Set<InstrumentId>,
    day: Option<Date>,
}

/// Why a connection is down.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Outage {
    why: String,
    in_session: bool,
}

/// Something new to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happening {
    /// A connection delivers nothing.
    FrontDown {
        /// The connection.
        connection: ConnectionId,
        /// Why, in a sentence for a person, of at most [`EVENT_WHY_CHARS_MAX`] characters.
        why: String,
        /// Whether it happened within a trading session.
        in_session: bool,
    },
    /// A connection delivers again.
    FrontUp {
        /// The connection.
        connection: ConnectionId,
    },
    /// Instruments that are due and that no connection delivers; sorted, never empty.
    Stale(Vec<InstrumentId>),
    /// Instruments that were stale and are no longer; sorted, never empty.
    Fresh(Vec<InstrumentId>),
    /// The trading day that the fronts are in.
    TradingDay(Date),
    /// Ticks that this gateway lost before it could send them to anybody.
    Losses {
        /// How many since the last time it was told.
        ticks: u64,
    },
}

// === impl Condition ===

impl Condition {
    /// The coordinator told something. Gives what is new of it to clients; nothing, most often one happening.
    pub fn apply(&mut self, event: FleetEvent) -> Vec<Happening> {
        let happening = match event {
            FleetEvent::Anew { connections } => {
                self.down.retain(|connection, _| connections.contains(connection));
                self.unconfirmed.clone_from(&self.stale);
                None
            }
            FleetEvent::FrontDown { connection, why, in_session } => {
                let why = why.chars().take(EVENT_WHY_CHARS_MAX).collect();
                self.front_down(connection, Outage { why, in_session })
            }
            FleetEvent::FrontUp { connection } => {
                let was_down = self.down.remove(&connection).is_some();
                was_down.then_some(Happening::FrontUp { connection })
            }
            FleetEvent::FrontRemoved { connection } => {
                self.down.remove(&connection);
                None
            }
            FleetEvent::Stale { instruments } => self.fell_stale(instruments),
            FleetEvent::Fresh { instruments } => {
                let was_stale = |instrument: &InstrumentId| self.stale.remove(instrument);
                let fresh = sorted(instruments.into_iter().filter(was_stale));
                fresh.iter().for_each(|instrument| {
                    self.unconfirmed.remove(instrument);
                });
                (!fresh.is_empty()).then_some(Happening::Fresh(fresh))
            }
            FleetEvent::StaleTold => {
                let fresh = sorted(std::mem::take(&mut self.unconfirmed));
                fresh.iter().for_each(|instrument| {
                    self.stale.remove(instrument);
                });
                (!fresh.is_empty()).then_some(Happening::Fresh(fresh))
            }
            FleetEvent::TradingDay { day } => {
                // Fronts roll one after the other, and a new coordinator may hear the last one first. One that takes back a day far
                // ahead was told a wrong one before.
                let is_news = |known: Date| {
                    known < day || known.days_since_epoch() - day.days_since_epoch() > WRONG_DAYS
                };
                self.day.is_none_or(is_news).then(|| Happening::TradingDay(*self.day.insert(day)))
            }
        };
        happening.into_iter().collect()
    }

    fn front_down(&mut self, connection: ConnectionId, outage: Outage) -> Option<Happening> {
        let known = self.down.get(&connection);
        // That it happened in a session is no news of its own: the next coordinator may not know it.
        let is_news = known.is_none_or(|known| known.why != outage.why);
        if !is_news || (known.is_none() && self.down.len() >= EVENT_CONNECTIONS_MAX) {
            return None;
        }
        self.down.insert(connection, outage.clone());
        let Outage { why, in_session } = outage;
        Some(Happening::FrontDown { connection, why, in_session })
    }

    fn fell_stale(&mut self, instruments: Vec<InstrumentId>) -> Option<Happening> {
        let mut stale = Vec::new();
        for instrument in instruments {
            self.unconfirmed.remove(&instrument);
            if self.stale.len() < EVENT_INSTRUMENTS_KEPT_MAX && self.stale.insert(instrument) {
                stale.push(instrument);
            }
        }
        stale.sort_unstable();
        (!stale.is_empty()).then_some(Happening::Stale(stale))
    }

    /// What a session is told that begins to listen and wants these instruments: the trading day, the connections that are
    /// down, and which of its instruments are stale. What is well is not mentioned.
    pub fn present(&self, wants: impl Fn(&InstrumentId) -> bool) -> Vec<Happening> {
        let day = self.day.map(Happening::TradingDay);
        let down = self.down.iter().map(|(connection, outage)| Happening::FrontDown {
            connection: *connection,
            why: outage.why.clone(),
            in_session: outage.in_session,
        });
        let stale = sorted(self.stale.iter().copied().filter(|instrument| wants(instrument)));
        let stale = (!stale.is_empty()).then_some(Happening::Stale(stale));
        day.into_iter().chain(down).chain(stale).collect()
    }

    /// The connections that are down, in the order of their names.
    pub fn down(&self) -> impl Iterator<Item = ConnectionId> {
        self.down.keys().copied()
    }

    /// The instruments that are stale, in no order.
    pub fn stale(&self) -> impl Iterator<Item = &InstrumentId> {
        self.stale.iter()
    }

    /// True when an instrument is stale.
    #[must_use]
    pub fn is_stale(&self, instrument: &InstrumentId) -> bool {
        self.stale.contains(instrument)
    }

    /// The trading day, once a coordinator has said one.
    #[must_use]
    pub const fn trading_day(&self) -> Option<Date> {
        self.day
    }
}

// === impl Happening ===

impl Happening {
    /// What of it concerns a session that wants these instruments; `None` when nothing does. What concerns the fleet concerns
    /// everybody.
    #[must_use]
    pub fn concerning(&self, wants: impl Fn(&InstrumentId) -> bool) -> Option<Self> {
        let wanted = |instruments: &[InstrumentId]| -> Option<Vec<InstrumentId>> {
            let wanted: Vec<_> = instruments.iter().copied().filter(|it| wants(it)).collect();
            (!wanted.is_empty()).then_some(wanted)
        };
        match self {
            Self::Stale(instruments) => wanted(instruments).map(Self::Stale),
            Self::Fresh(instruments) => wanted(instruments).map(Self::Fresh),
            Self::FrontDown { .. }
            | Self::FrontUp { .. }
            | Self::TradingDay(_)
            | Self::Losses { .. } => Some(self.clone()),
        }
    }
}

fn sorted(instruments: impl IntoIterator<Item = InstrumentId>) -> Vec<InstrumentId> {
    let mut instruments: Vec<_> = instruments.into_iter().collect();
    instruments.sort_unstable();
    instruments
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> InstrumentId {
        InstrumentId::parse(text).unwrap()
    }

    fn ids(texts: &[&str]) -> Vec<InstrumentId> {
        texts.iter().map(|text| id(text)).collect()
    }

    fn connection(text: &str) -> ConnectionId {
        ConnectionId::parse(text).unwrap()
    }

    fn down(name: &str, why: &str) -> FleetEvent {
        FleetEvent::FrontDown { connection: connection(name), why: why.into(), in_session: true }
    }

    fn up(name: &str) -> FleetEvent {
        FleetEvent::FrontUp { connection: connection(name) }
    }

    fn anew(names: &[&str]) -> FleetEvent {
        FleetEvent::Anew { connections: names.iter().map(|name| connection(name)).collect() }
    }

    fn stale(texts: &[&str]) -> FleetEvent {
        FleetEvent::Stale { instruments: ids(texts) }
    }

    fn fresh(texts: &[&str]) -> FleetEvent {
        FleetEvent::Fresh { instruments: ids(texts) }
    }

    fn day(text: &str) -> FleetEvent {
        FleetEvent::TradingDay { day: Date::parse(text).unwrap() }
    }

    /// All of these; the happenings of the last.
    fn told(
        condition: &mut Condition,
        events: impl IntoIterator<Item = FleetEvent>,
    ) -> Vec<Happening> {
        events.into_iter().map(|event| condition.apply(event)).last().unwrap_or_default()
    }

    fn fell(name: &str, why: &str) -> Happening {
        Happening::FrontDown { connection: connection(name), why: why.into(), in_session: true }
    }

    #[test]
    fn a_front_is_told_down_once_and_up_once() {
        let mut condition = Condition::default();
        assert_eq!(condition.apply(up("a")), [], "it was never down");
        assert_eq!(condition.apply(down("a", "gone")), [fell("a", "gone")]);
        assert_eq!(condition.apply(down("a", "gone")), []);
        assert_eq!(condition.apply(down("a", "refused")), [fell("a", "refused")], "another reason");
        assert_eq!(condition.apply(up("a")), [Happening::FrontUp { connection: connection("a") }]);
        assert_eq!(condition.apply(up("a")), []);
        assert_eq!(condition.present(|_| true), []);
    }

    #[test]
    fn instruments_are_told_as_far_as_they_are_new() {
        let mut condition = Condition::default();
        let first = condition.apply(stale(&["b", "a"]));
        assert_eq!(first, [Happening::Stale(ids(&["a", "b"]))]);
        let second = condition.apply(stale(&["b", "c"]));
        assert_eq!(second, [Happening::Stale(ids(&["c"]))]);
        assert_eq!(condition.apply(fresh(&["x"])), []);
        let third = condition.apply(fresh(&["c", "b", "x"]));
        assert_eq!(third, [Happening::Fresh(ids(&["b", "c"]))]);
        assert_eq!(condition.present(|_| true), [Happening::Stale(ids(&["a"]))]);
    }

    #[test]
    fn the_trading_day_only_grows() {
        let mut condition = Condition::default();
        let said = condition.apply(day("20260304"));
        assert_eq!(said, [Happening::TradingDay(Date::parse("20260304").unwrap())]);
        assert_eq!(condition.apply(day("20260304")), []);
        assert_eq!(condition.apply(day("20260303")), []);
        assert_eq!(condition.apply(day("20260305")).len(), 1);
    }

    #[test]
    fn a_new_coordinator_that_says_the_same_says_nothing_new() {
        let mut condition = Condition::default();
        let state = || {
            [down("a", "gone"), up("b"), day("20260304"), stale(&["x", "y"]), FleetEvent::StaleTold]
        };
        told(&mut condition, [anew(&["a", "b"])].into_iter().chain(state()));
        let before = condition.present(|_| true);
        for event in [anew(&["a", "b"])].into_iter().chain(state()) {
            assert_eq!(condition.apply(event), []);
        }
        assert_eq!(condition.present(|_| true), before);
    }

    #[test]
    fn what_a_new_coordinator_does_not_repeat_ends() {
        let mut condition = Condition::default();
        told(&mut condition, [down("a", "gone"), down("b", "gone"), stale(&["x", "y", "z"])]);
        assert_eq!(condition.apply(anew(&["a", "c"])), []);
        assert_eq!(
            condition.down().collect::<Vec<_>>(),
            [connection("a")],
            "b is configured no longer"
        );
        assert_eq!(condition.apply(up("a")), [Happening::FrontUp { connection: connection("a") }]);
        assert_eq!(condition.apply(stale(&["y"])), [], "known");
        assert_eq!(condition.apply(fresh(&["z"])), [Happening::Fresh(ids(&["z"]))]);
        assert_eq!(condition.apply(FleetEvent::StaleTold), [Happening::Fresh(ids(&["x"]))]);
        assert_eq!(condition.apply(FleetEvent::StaleTold), []);
        assert_eq!(condition.present(|_| true), [Happening::Stale(ids(&["y"]))]);
    }

    #[test]
    fn a_connection_that_is_removed_is_forgotten_in_silence() {
        let mut condition = Condition::default();
        condition.apply(down("a", "removed"));
        let removed = FleetEvent::FrontRemoved { connection: connection("a") };
        assert_eq!(condition.apply(removed), []);
        assert_eq!(condition.down().count(), 0);
    }

    #[test]
    fn a_session_hears_of_its_own_instruments_only() {
        let mut condition = Condition::default();
        told(&mut condition, [day("20260304"), down("a", "gone"), stale(&["x", "y", "z"])]);
        let wants = |instrument: &InstrumentId| *instrument != id("y");
        let day = Happening::TradingDay(Date::parse("20260304").unwrap());
        let mine = Happening::Stale(ids(&["x", "z"]));
        assert_eq!(condition.present(wants), [day.clone(), fell("a", "gone"), mine.clone()]);
        assert_eq!(condition.present(|_| false), [day, fell("a", "gone")]);
        let all = Happening::Stale(ids(&["x", "y", "z"]));
        assert_eq!(all.concerning(wants), Some(mine));
        assert_eq!(all.concerning(|_| false), None);
        let losses = Happening::Losses { ticks: 7 };
        assert_eq!(losses.concerning(|_| false), Some(losses.clone()));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut condition = Condition::default();
        for number in 0..EVENT_CONNECTIONS_MAX + 3 {
            condition.apply(down(&format!("c{number}"), &"why ".repeat(1000)));
        }
        assert_eq!(condition.down().count(), EVENT_CONNECTIONS_MAX);
        assert!(condition.down.values().all(|it| it.why.chars().count() == EVENT_WHY_CHARS_MAX));
        assert_eq!(condition.apply(down("c0", "other")).len(), 1, "a known one is still heard");
        let many = (0..EVENT_INSTRUMENTS_KEPT_MAX + 3).map(|number| id(&format!("i{number}")));
        let said = condition.apply(FleetEvent::Stale { instruments: many.collect() });
        assert_eq!(condition.stale().count(), EVENT_INSTRUMENTS_KEPT_MAX);
        let Happening::Stale(told) = &said[0] else { panic!("{said:?}") };
        assert_eq!(told.len(), EVENT_INSTRUMENTS_KEPT_MAX);
    }

    #[test]
    fn a_trading_day_far_ahead_is_taken_back() {
        let mut condition = Condition::default();
        let mut told = |day: &str| {
            let day = Date::parse(day).unwrap();
            condition.apply(FleetEvent::TradingDay { day }).len()
        };
        assert_eq!((told("20261123"), told("20261120"), told("20261124")), (1, 0, 1));
        assert_eq!((told("20991231"), told("20261125"), told("20261124")), (1, 1, 0));
    }
}

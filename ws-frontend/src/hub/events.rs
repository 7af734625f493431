//! What clients are told of the fleet: those of the `action` dialect that asked for it, and DIFF clients.

use shm_layout::InstrumentId;
use shm_layout::control::FleetEvent;

use super::{Hub, Moment, Peer, touch};
use crate::events::Happening;
use crate::hashing::{Map, Set};
use crate::interests::SessionIndex;
use crate::protocol::action::push_event;
use crate::protocol::diff::notify_of;
use crate::session::Speech;

impl<P: Peer> Hub<P> {
    /// The coordinator tells something of the fleet.
    pub fn heard_of_fleet(&mut self, event: FleetEvent, at: Moment) {
        for happening in self.condition.apply(event) {
            self.tell_everybody(&happening, at);
        }
    }

    /// Ticks that were lost since the last time are told together.
    pub(super) fn tell_losses(&mut self, at: Moment) {
        let ticks = std::mem::take(&mut self.lost_untold);
        if ticks > 0 {
            self.tell_everybody(&Happening::Losses { ticks }, at);
        }
    }

    /// A client of the `action` dialect begins to listen: it is told how things stand.
    pub(super) fn tell_present(&mut self, index: SessionIndex, at: Moment) {
        let present = self.condition.present(|instrument| self.is_wanted_by(index, instrument));
        for happening in present {
            self.tell(index, &happening, at);
        }
    }

    /// A DIFF client came: it is told which connections are down that should not be. TqSdk prints all it is told, so the rest goes
    /// without saying.
    pub(super) fn tell_outages(&mut self, index: SessionIndex) {
        for happening in self.condition.present(|_| false) {
            if matches!(happening, Happening::FrontDown { in_session: true, .. }) {
                self.with_diff(index, |diff, _| diff.notice(notify_of(&happening)));
            }
        }
    }

    /// A DIFF client wants further instruments: it is told which of them are stale.
    pub(super) fn tell_stale(&mut self, index: SessionIndex, further: &[InstrumentId]) {
        let stale = self.stale_of(further);
        if let Some(happening) = stale {
            self.with_diff(index, |diff, _| diff.notice(notify_of(&happening)));
        }
    }

    /// Those of these instruments that are stale.
    pub(super) fn stale_of(&self, instruments: &[InstrumentId]) -> Option<Happening> {
        let mut stale: Vec<InstrumentId> =
            instruments.iter().copied().filter(|it| self.condition.is_stale(it)).collect();
        stale.sort_unstable();
        (!stale.is_empty()).then_some(Happening::Stale(stale))
    }

    fn tell_everybody(&mut self, happening: &Happening, at: Moment) {
        let listeners: Set<SessionIndex> = self
            .sessions
            .indices()
            .into_iter()
            .filter(|index| self.sessions.get(*index).is_some_and(|it| it.speech.hears_events()))
            .collect();
        match happening {
            Happening::Stale(instruments) => {
                for (index, its) in self.concerned(instruments, &listeners) {
                    self.tell(index, &Happening::Stale(its), at);
                }
            }
            Happening::Fresh(instruments) => {
                for (index, its) in self.concerned(instruments, &listeners) {
                    self.tell(index, &Happening::Fresh(its), at);
                }
            }
            of_the_fleet => {
                for index in listeners {
                    self.tell(index, of_the_fleet, at);
                }
            }
        }
    }

    /// Of these instruments, which each of the sessions wants: only those that want one.
    fn concerned(
        &self,
        instruments: &[InstrumentId],
        among: &Set<SessionIndex>,
    ) -> Map<SessionIndex, Vec<InstrumentId>> {
        let mut concerned: Map<SessionIndex, Vec<InstrumentId>> = Map::default();
        for instrument in instruments {
            let Some(number) = self.world.book.find(instrument) else { continue };
            for index in self.interests.sessions_of(number) {
                if among.contains(index) {
                    concerned.entry(*index).or_default().push(*instrument);
                }
            }
        }
        concerned
    }

    /// Tells a client something, if it listens. One whose socket takes nothing is not told: events are news, not data.
    pub(super) fn tell(&mut self, index: SessionIndex, happening: &Happening, at: Moment) {
        let Some(session) = self.sessions.get_mut(index).filter(|session| session.is_open()) else {
            return;
        };
        match &mut session.speech {
            Speech::Action { events: true } if session.outbox.is_full() => {
                self.stats.events_left_out += 1;
            }
            Speech::Action { events: true } => {
                self.frame.clear();
                push_event(&mut self.frame, happening, at.unix_ms);
                session.outbox.append(&self.frame, at.now);
                self.stats.events += 1;
                touch(&mut self.touched, index, session);
            }
            Speech::Diff(diff) => {
                diff.notice(notify_of(happening));
                self.stats.events += 1;
                if diff.is_due() {
                    touch(&mut self.touched, index, session);
                }
            }
            Speech::Action { events: false } | Speech::Undecided => {}
        }
    }

    fn is_wanted_by(&self, index: SessionIndex, instrument: &InstrumentId) -> bool {
        let number = self.world.book.find(instrument);
        number.is_some_and(|number| self.interests.has(index, number))
    }
}

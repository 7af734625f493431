//! What must hold after a long time in which nothing went wrong.

use std::collections::{BTreeMap, BTreeSet};

use shm_layout::control::{CarryRole, ConnectionWish, FleetStatus, SessionState};
use shm_layout::{ConnectionId, InstrumentId};

use crate::queue::Pid;
use crate::scenario::ConnectionSection;
use crate::world::{World, traced};

/// Actions of the coordinator in the last hour where it may have some.
const RESTLESS_ACTIONS_MAX: u32 = 40;

/// A worker as it is in truth.
struct Carrier {
    pid: Pid,
    id: ConnectionId,
    connected: bool,
    ready: bool,
    /// By its own view.
    roles: BTreeMap<InstrumentId, CarryRole>,
    /// By its front's; true for what has ticked in this session.
    carried: BTreeMap<InstrumentId, bool>,
}

/// What is to be expected of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Used,
    Drained,
    Off,
}

/// The end, seen as a whole.
struct Settled {
    carriers: Vec<Carrier>,
    sections: Vec<(ConnectionSection, Use)>,
    wanted: BTreeSet<InstrumentId>,
    redundancy: usize,
    status: FleetStatus,
}

impl World {
    /// Everything must have settled.
    pub(crate) fn check_the_end(&mut self) {
        let Some(settled) = self.settled() else {
            return self.fail("nobody coordinates the fleet");
        };
        let faults = [
            settled.processes(),
            settled.ticking(self),
            settled.unwanted(),
            settled.primaries(self),
            settled.status(self),
            self.fault_in_what_is_told(),
        ];
        if let Some(fault) = faults.into_iter().flatten().next() {
            traced!(self, "{:?}", self.coordinator.as_ref().map(|coordinator| &coordinator.fleet));
            return self.fail(fault);
        }
        // What fronts acknowledge and never send, and what they refuse, is tried elsewhere after hours; and where connections
        // are compared, a few copies follow the comparison.
        let restless =
            |id: &InstrumentId| self.scenario.mute.contains(id) || self.scenario.refusals(*id) > 0;
        let restless = self.scenario.views || settled.wanted.iter().any(restless);
        let most = if restless { RESTLESS_ACTIONS_MAX } else { 0 };
        if self.acted > most {
            let acted = self.acted;
            self.fail(format!("the coordinator finds no peace: {acted} actions in the last hour"));
        }
    }

    fn settled(&mut self) -> Option<Settled> {
        let wanted = self.wanted();
        let mut carriers = Vec::new();
        for (pid, process) in &mut self.processes {
            let (connected, pid) = (process.line.up, *pid);
            let Some(worker) = process.worker_mut() else { continue };
            let ready = worker.worker.session_report().state == SessionState::Ready;
            let subscriptions = worker.worker.subscriptions();
            let role = |id: &InstrumentId| Some((*id, subscriptions.role(id)?));
            let roles = self.scenario.instruments.iter().filter_map(role).collect();
            let carried = worker.front.carried.clone();
            carriers.push(Carrier { pid, id: worker.section.id, connected, ready, roles, carried });
        }
        let unix_ms = self.unix_ms();
        let coordinator = self.coordinator.as_ref()?;
        let sections = coordinator.settings.connections.iter().map(|section| {
            let used = match coordinator.wishes.get(&section.id) {
                Some(ConnectionWish::Drain) => Use::Drained,
                Some(ConnectionWish::Disable) => Use::Off,
                Some(ConnectionWish::Enable | ConnectionWish::Restart) => Use::Used,
                None if section.enabled => Use::Used,
                None => Use::Off,
            };
            (section.clone(), used)
        });
        Some(Settled {
            carriers,
            sections: sections.collect(),
            wanted,
            redundancy: coordinator.settings.redundancy,
            status: coordinator.fleet.status(self.now, unix_ms),
        })
    }
}

impl Settled {
    /// Each connection in use has its one worker, connected and logged in; nobody else runs.
    fn processes(&self) -> Option<String> {
        for (section, used) in &self.sections {
            let of_it: Vec<&Carrier> =
                self.carriers.iter().filter(|carrier| carrier.id == section.id).collect();
            let as_expected = match (used, of_it.as_slice()) {
                (Use::Off, []) => true,
                (Use::Used | Use::Drained, [one]) => one.connected && one.ready,
                _ => false,
            };
            if !as_expected {
                let pids: Vec<Pid> = of_it.iter().map(|carrier| carrier.pid).collect();
                let shown = self.status.workers.iter().find(|it| it.connection_id == section.id);
                return Some(format!(
                    "{} is {used:?} and has workers {pids:?}; it is shown as {:?}",
                    section.id,
                    shown.map(|it| (it.process, it.standing, it.session.clone()))
                ));
            }
        }
        let known = |carrier: &&Carrier| self.sections.iter().all(|(it, _)| it.id != carrier.id);
        let stray = self.carriers.iter().find(known)?;
        Some(format!("{} runs for {}, which is not configured", stray.pid, stray.id))
    }

    fn ticking_on(&self, instrument: InstrumentId) -> usize {
        let ticks =
            |carrier: &&Carrier| carrier.carried.get(&instrument) == Some(&true) && carrier.ready;
        self.carriers.iter().filter(ticks).count()
    }

    fn carrier(&self, id: ConnectionId) -> Option<&Carrier> {
        self.carriers.iter().find(|carrier| carrier.id == id)
    }

    /// Every wanted instrument ticks on as many connections as have room for it and would send it.
    fn ticking(&self, world: &World) -> Option<String> {
        for instrument in self.wanted.iter().copied() {
            // What three fronts refuse for good is not tried at a fourth.
            let ticking = self.ticking_on(instrument);
            if ticking >= self.redundancy || world.scenario.refusals(instrument) >= 3 {
                continue;
            }
            let place = self.sections.iter().find(|(section, used)| {
                *used == Use::Used
                    && world.scenario.sends(section.id, instrument)
                    && self.has_a_place(section, instrument, ticking, &world.scenario.refused)
            });
            if let Some((section, _)) = place {
                return Some(format!(
                    "{instrument} is wanted and ticks on {ticking} of {} connections, and {} would have it",
                    self.redundancy, section.id
                ));
            }
        }
        None
    }

    /// There is room, or would be if the second copy of another instrument went.
    fn has_a_place(
        &self,
        section: &ConnectionSection,
        instrument: InstrumentId,
        ticking: usize,
        refused: &BTreeSet<(ConnectionId, InstrumentId)>,
    ) -> bool {
        let Some(carrier) = self.carrier(section.id) else { return false };
        if carrier.roles.contains_key(&instrument) {
            // It is there and would tick, but does not.
            return carrier.carried.get(&instrument) != Some(&true);
        }
        // What its front refuses for good takes no place there.
        let refused = |id: &&InstrumentId| refused.contains(&(section.id, **id));
        let taken = carrier.roles.len() - carrier.roles.keys().filter(refused).count();
        let room = taken < section.capacity as usize;
        // One on a connection that is drained is not taken for granted.
        let spare = |other: &InstrumentId| {
            let on = |(it, used): &(ConnectionSection, Use)| {
                let carrier = self.carrier(it.id).filter(|_| *used == Use::Used);
                carrier.is_some_and(|carrier| carrier.carried.get(other) == Some(&true))
            };
            self.sections.iter().filter(|it| on(it)).count() > 1
        };
        room || (ticking == 0 && carrier.roles.keys().any(spare))
    }

    /// What nobody wants is carried nowhere.
    fn unwanted(&self) -> Option<String> {
        self.carriers.iter().find_map(|carrier| {
            let mut all = carrier.carried.keys().chain(carrier.roles.keys());
            let stray = all.find(|instrument| !self.wanted.contains(instrument))?;
            Some(format!("{stray} is carried by {} ({}) and not wanted", carrier.pid, carrier.id))
        })
    }

    /// What ticks has exactly one primary.
    fn primaries(&self, world: &World) -> Option<String> {
        let sound = |id: &&InstrumentId| !world.scenario.mute.contains(id);
        self.wanted.iter().filter(sound).find_map(|instrument| {
            let primary =
                |carrier: &&Carrier| carrier.roles.get(instrument) == Some(&CarryRole::Primary);
            let primaries = self.carriers.iter().filter(primary).count();
            let carried = self.carriers.iter().any(|it| it.roles.contains_key(instrument));
            (primaries != usize::from(carried))
                .then(|| format!("{instrument} has {primaries} primaries"))
        })
    }

    /// The coordinator says what is.
    fn status(&self, world: &World) -> Option<String> {
        let count = |holds: &dyn Fn(&InstrumentId) -> bool| {
            self.wanted.iter().filter(|instrument| holds(instrument)).count() as u64
        };
        let placed = |id: &InstrumentId| self.carriers.iter().any(|it| it.roles.contains_key(id));
        let copies =
            |id: &InstrumentId| self.carriers.iter().filter(|it| it.roles.contains_key(id)).count();
        let status = &self.status;
        let mut shown: Vec<(&str, u64, u64)> = vec![
            ("wanted", u64::from(status.wanted), self.wanted.len() as u64),
            ("ticking", u64::from(status.ticking), count(&|id| self.ticking_on(*id) > 0)),
        ];
        // What is acknowledged and never sent is on its way from one connection to the next at any time.
        let restless = self.wanted.iter().any(|id| world.scenario.mute.contains(id));
        if !restless {
            shown.push(("placed", u64::from(status.placed), count(&placed)));
            let unplaced = u64::from(status.waiting_for_room + status.refused_for_good);
            shown.push(("waiting and refused for good", unplaced, count(&|id| !placed(id))));
            shown.push(("moving", u64::from(status.moving), 0));
            for worker in &status.workers {
                let carrier = self.carrier(worker.connection_id);
                let carried = carrier.map_or(0, |it| it.roles.len() as u64);
                shown.push(("subscriptions", u64::from(worker.subscriptions), carried));
            }
        }
        let refused = self.wanted.iter().any(|id| world.scenario.refusals(*id) > 0);
        if !restless && !refused {
            let short = count(&|id| placed(id) && copies(id) < self.redundancy);
            shown.push(("short of copies", u64::from(status.short_of_copies), short));
        }
        let wrong = shown.into_iter().find(|(_, says, is)| says != is)?;
        Some(format!("the status says {} {}, in truth it is {}", wrong.0, wrong.1, wrong.2))
    }
}

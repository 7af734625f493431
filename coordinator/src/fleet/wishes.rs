//! What a person wants of one connection: restart, drain, enable, disable; and orderly farewells in general.

use std::time::Instant;

use shm_layout::ConnectionId;
use shm_layout::control::ConnectionWish;
use tracing::info;

use super::{Fleet, ProcessId, seat_of};
use crate::life::Phase;
use crate::limits::FAREWELL_MAX;
use crate::shown::counted;

/// A worker that is to end in an orderly way: its instruments go first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Retiring {
    /// What follows.
    pub(super) then: Afterwards,
    /// It is asked to end then, whatever it still carries.
    until: Instant,
    /// It was asked to end.
    asked: bool,
    /// Its instruments go elsewhere first.
    moves: bool,
}

impl Retiring {
    /// Its instruments stay with it, so that there is nothing to wait for.
    pub(super) fn stay(&mut self, now: Instant) {
        (self.moves, self.until) = (false, now);
    }

    /// True when its instruments go elsewhere.
    pub(super) const fn moves(&self) -> bool {
        self.moves
    }
}

/// What follows a farewell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Afterwards {
    /// It is started anew.
    Restart,
    /// It stays away.
    Disable,
    /// Its connection is no longer configured.
    Remove,
}

/// Why a wish was not granted, in lines for a person.
pub type Refused = Vec<String>;

impl Fleet {
    /// A person wants something of a connection. Says what is being done.
    ///
    /// # Errors
    /// Why it cannot be, and what to do instead.
    pub fn wish(
        &mut self,
        connection: ConnectionId,
        wish: ConnectionWish,
        now: Instant,
    ) -> Result<Vec<String>, Refused> {
        if !self.is_serving() {
            return Err(vec!["the fleet is stopping".into()]);
        }
        let known = |worker: &super::Worker| {
            worker.plan.connection_id == connection && !worker.is_removed()
        };
        let Some(index) = self.workers.iter().position(known) else {
            let ids = self.workers.iter().filter(|worker| !worker.is_removed());
            let ids: Vec<_> = ids.map(|worker| worker.plan.connection_id.to_string()).collect();
            return Err(vec![format!(
                "no connection is named {connection}; configured are {}",
                ids.join(", ")
            )]);
        };
        info!(%connection, ?wish, "a person wishes");
        let said = match wish {
            ConnectionWish::Restart => self.wish_restart(index, now),
            ConnectionWish::Drain => self.wish_drain(index),
            ConnectionWish::Enable => self.wish_enable(index, now),
            ConnectionWish::Disable => self.wish_disable(index, now),
        };
        self.refresh_standing(index, now);
        said.map(|line| vec![line]).map_err(|line| vec![line])
    }

    fn wish_restart(&mut self, index: usize, now: Instant) -> Result<String, String> {
        let worker = &mut self.workers[index];
        let id = worker.plan.connection_id;
        match worker.life.phase() {
            _ if worker.is_switched_off() => {
                Err(format!("{id} is switched off; qamd enable {id} starts it"))
            }
            Phase::Failed | Phase::BackingOff(_) | Phase::Ended => {
                worker.life.replace(now);
                worker.steadiness.pardon();
                Ok(format!("{id} had no running worker; it is started now"))
            }
            _ => {
                worker.steadiness.pardon();
                let carries = counted(self.placement.load(seat_of(index)) as u64, "instrument");
                self.retire(index, Afterwards::Restart, now);
                Ok(format!(
                    "{id} is restarted; its {carries} tick elsewhere first where there is room"
                ))
            }
        }
    }

    fn wish_drain(&mut self, index: usize) -> Result<String, String> {
        let worker = &mut self.workers[index];
        let id = worker.plan.connection_id;
        if worker.is_switched_off() {
            return Err(format!("{id} is switched off; qamd enable {id} starts it"));
        }
        (worker.drained, worker.wish) = (true, Some(ConnectionWish::Drain));
        let carries = counted(self.placement.load(seat_of(index)) as u64, "instrument");
        let alone = !self.workers.iter().any(super::Worker::is_used);
        let warning = if alone { "; no other connection is in use, so they stay" } else { "" };
        Ok(format!(
            "{id} is drained: its {carries} go elsewhere where there is room, and it gets no others; qamd enable {id} undoes this{warning}"
        ))
    }

    fn wish_enable(&mut self, index: usize, now: Instant) -> Result<String, String> {
        let worker = &mut self.workers[index];
        let id = worker.plan.connection_id;
        let was_off = matches!(worker.life.phase(), Phase::Disabled | Phase::Closing(_));
        let was_drained = std::mem::take(&mut worker.drained);
        let was_retiring =
            worker.retiring.take_if(|retiring| retiring.then == Afterwards::Disable).is_some();
        worker.wish = (!worker.plan.enabled).then_some(ConnectionWish::Enable);
        worker.steadiness.pardon();
        worker.life.enable(now);
        let failed = worker.life.phase() == Phase::Failed;
        if failed {
            worker.life.replace(now);
        }
        let keeps_running = worker.life.is_alive() && !worker.life.is_ending();
        if worker.outdated && keeps_running && worker.retiring.is_none() {
            // The file gave it other settings while it was switched off, and it has not ended since.
            self.restart_later(index);
            return Ok(format!("{id} is used again, and restarted with its new settings"));
        }
        Ok(if was_off || failed {
            format!("{id} is started")
        } else if was_drained || was_retiring {
            format!("{id} is used again")
        } else {
            format!("{id} was in use already")
        })
    }

    fn wish_disable(&mut self, index: usize, now: Instant) -> Result<String, String> {
        let others = (0..self.workers.len())
            .filter(|other| *other != index && self.workers[*other].is_used());
        let is_last = others.count() == 0;
        let worker = &mut self.workers[index];
        let id = worker.plan.connection_id;
        if !worker.is_used() && !worker.drained {
            return Ok(format!("{id} was switched off already"));
        }
        worker.wish = Some(ConnectionWish::Disable);
        worker.drained = false;
        self.retire(index, Afterwards::Disable, now);
        let warning = if is_last { "; it was the last one in use: nothing ticks now" } else { "" };
        Ok(format!("{id} is switched off; qamd enable {id} undoes this{warning}"))
    }

    /// Begins a farewell. One under way only changes what follows it.
    pub(super) fn retire(&mut self, index: usize, then: Afterwards, now: Instant) {
        let worker = &mut self.workers[index];
        let retiring = worker.retiring.get_or_insert(Retiring {
            then,
            until: now + FAREWELL_MAX,
            asked: false,
            moves: true,
        });
        retiring.then = then;
        if retiring.asked || !worker.life.is_alive() {
            self.ask_to_end(index, then, now);
        }
        self.refresh_standing(index, now);
    }

    /// Asks workers to end whose instruments tick elsewhere, or that have been waited for long enough.
    pub(super) fn turn_farewells(&mut self, now: Instant) {
        // While nothing is placed, nothing moves, and what a worker of an earlier coordinator carries may not be known yet.
        let may_move_from = self.placing_begins();
        for index in 0..self.workers.len() {
            let Some(retiring) = &mut self.workers[index].retiring else { continue };
            if retiring.asked {
                continue;
            }
            if let Some(from) = may_move_from.filter(|from| now < *from) {
                retiring.until = retiring.until.max(from + FAREWELL_MAX);
                continue;
            }
            let retiring = *retiring;
            let empty = self.placement.load(seat_of(index)) == 0;
            // What was released has to have been said, so that the library lets go in peace.
            if (empty && !self.placement.has_changes(seat_of(index))) || retiring.until <= now {
                self.ask_to_end(index, retiring.then, now);
            }
        }
    }

    /// When the next farewell is due.
    pub(super) fn farewell_deadline(&self) -> Option<Instant> {
        let retiring = self.workers.iter().filter_map(|worker| worker.retiring);
        retiring.filter(|retiring| !retiring.asked).map(|retiring| retiring.until).min()
    }

    fn ask_to_end(&mut self, index: usize, then: Afterwards, now: Instant) {
        let worker = &mut self.workers[index];
        let runs = match then {
            Afterwards::Restart => worker.life.replace(now),
            Afterwards::Disable | Afterwards::Remove => worker.life.disable(now),
        };
        if let Some(retiring) = &mut worker.retiring {
            retiring.asked = true;
        }
        if !worker.life.is_alive() {
            worker.retiring = None;
        }
        if runs {
            self.say_stop(ProcessId::Worker(index));
        }
    }
}

impl super::Worker {
    /// A person or the configuration switched it off; its farewell may still be under way.
    fn is_switched_off(&self) -> bool {
        let leaves = self.retiring.is_some_and(|retiring| retiring.then == Afterwards::Disable);
        leaves || matches!(self.life.phase(), Phase::Disabled | Phase::Closing(_))
    }
}

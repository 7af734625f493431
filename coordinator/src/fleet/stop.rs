//! The end: frontends first, so that clients hear a goodbye, then workers.

use std::time::Instant;

use shm_layout::control::{ToFrontend, ToWorker};
use tracing::{error, info};

use super::{Action, Fleet, ProcessId};
use crate::life::Phase;

/// How far the fleet's end has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Not begun.
    Serving,
    /// The frontends say goodbye.
    Frontends,
    /// The workers end.
    Workers,
    /// Everybody is gone, or past help.
    Done,
}

impl Fleet {
    /// Begins the end. Again: hurries.
    pub fn stop(&mut self, now: Instant) {
        if self.stage == Stage::Serving {
            info!("stopping: frontends first, then workers");
            self.stage = Stage::Frontends;
            // What is dead stays so.
            let dead =
                self.processes().into_iter().filter(|process| !self.life(*process).is_alive());
            for process in dead.collect::<Vec<_>>() {
                self.life_mut(process).stop(now);
            }
            self.ask(ProcessId::Frontend, now);
        } else {
            info!("stopping without further patience");
            self.stage = self.stage.max_workers();
            for process in self.processes() {
                self.ask(process, now);
                self.life_mut(process).hurry();
            }
        }
    }

    /// True when the end is reached.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stage == Stage::Done
    }

    /// True before the end begins.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        self.stage == Stage::Serving
    }

    /// Processes that outlived their SIGKILL, by name.
    #[must_use]
    pub fn left_behind(&self) -> Vec<String> {
        let alive = self.processes().into_iter().filter(|process| self.life(*process).is_alive());
        alive.map(|process| self.name(process)).collect()
    }

    pub(super) fn turn_stop(&mut self, now: Instant) {
        if self.stage == Stage::Frontends && self.is_over(ProcessId::Frontend) {
            self.stage = Stage::Workers;
            (0..self.workers.len()).for_each(|index| self.ask(ProcessId::Worker(index), now));
        }
        if self.stage == Stage::Workers
            && self.processes().into_iter().all(|process| self.is_over(process))
        {
            self.stage = Stage::Done;
            for name in self.left_behind() {
                error!("{name} outlived its SIGKILL and is left behind");
            }
        }
    }

    fn is_over(&self, process: ProcessId) -> bool {
        let life = self.life(process);
        !life.is_alive() || life.is_past_help()
    }

    /// Asks a process to end: through its control connection, or by SIGTERM when it has none.
    fn ask(&mut self, process: ProcessId, now: Instant) {
        if matches!(self.life(process).phase(), Phase::Stopping(_))
            || !self.life_mut(process).stop(now)
        {
            return;
        }
        self.say_stop(process);
    }

    /// Asks a process to end: through its control connection, or by SIGTERM when it has none.
    pub(super) fn say_stop(&mut self, process: ProcessId) {
        let pid = self.life(process).pid();
        match (self.client_of(process), process, pid) {
            (Some(client), ProcessId::Worker(_), _) => {
                self.actions.push(Action::TellWorker(client, ToWorker::Stop));
            }
            (Some(client), ProcessId::Frontend, _) => {
                self.actions.push(Action::TellFrontend(client, ToFrontend::Stop));
            }
            (None, _, Some(pid)) => self.actions.push(Action::Terminate(process, pid)),
            (None, _, None) => {}
        }
    }
}

impl Stage {
    const fn max_workers(self) -> Self {
        match self {
            Self::Done => Self::Done,
            _ => Self::Workers,
        }
    }
}

//! What happens to the fleet.

use std::time::Duration;

use nix::sys::signal::Signal;
use qamd_tests::chance::Chance;
use qamd_tests::drill::verb;
use qamd_tests::processes;
use serde_json::{Value, json};
use shm_layout::clock;
use shm_layout::control::{ConnectionWish, WorkerStatus};

use crate::scene::{CONNECTIONS, Scene, Sequel};

/// The longest time for which a process is stopped, milliseconds.
const STOPPED_MS_MAX: usize = 3000;

/// How long a service manager waits before it starts a coordinator anew, milliseconds.
const START_AFTER_MS: (usize, usize) = (100, 1500);

/// A fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    KillWorker,
    StopWorker,
    KillFrontend,
    StopFrontend,
    KillCoordinator,
    StopCoordinator,
    Reconnect,
    Restart,
    DrainOrDisable,
    Reload,
}

/// Of a hundred faults, so many are this one. A frontend's death costs all clients their ticks and, with the back-off,
/// takes longer each time: few of those.
const SHARES: [(Fault, usize); 10] = [
    (Fault::KillWorker, 30),
    (Fault::StopWorker, 14),
    (Fault::KillFrontend, 5),
    (Fault::StopFrontend, 7),
    (Fault::KillCoordinator, 7),
    (Fault::StopCoordinator, 7),
    (Fault::Reconnect, 10),
    (Fault::Restart, 7),
    (Fault::DrainOrDisable, 8),
    (Fault::Reload, 5),
];

const fn sum_of_shares() -> usize {
    let (mut sum, mut at) = (0, 0);
    while at < SHARES.len() {
        sum += SHARES[at].1;
        at += 1;
    }
    sum
}

const _: () = assert!(sum_of_shares() == 100);

fn draw(chance: &mut Chance) -> Fault {
    let mut left = chance.below(100);
    for (fault, share) in SHARES {
        if left < share {
            return fault;
        }
        left -= share;
    }
    Fault::KillWorker
}

impl Scene {
    /// Lets one fault happen. Frontend and coordinator are killed only if `all_die`.
    pub(crate) async fn strike(&mut self, chance: &mut Chance, all_die: bool) {
        let fault = draw(chance);
        let worker = chance.one_of(&self.status.workers).expect("there are workers");
        let stopped = Duration::from_millis(chance.between(100, STOPPED_MS_MAX) as u64);
        let restart = chance.between(START_AFTER_MS.0, START_AFTER_MS.1) as u64;
        let which = chance.below(usize::MAX);
        match fault {
            Fault::KillWorker => self.kill_worker(&worker),
            Fault::StopWorker => self.stop_worker(&worker, stopped),
            Fault::KillFrontend if all_die => self.kill_frontend(),
            Fault::KillFrontend | Fault::StopFrontend => self.stop_frontend(stopped),
            Fault::KillCoordinator if all_die => {
                self.kill_coordinator(Duration::from_millis(restart));
            }
            Fault::KillCoordinator | Fault::StopCoordinator => self.stop_coordinator(stopped),
            Fault::Reconnect => self.reconnect(which),
            Fault::Restart => self.wish("restart", &worker).await,
            Fault::DrainOrDisable => self.drain_or_disable(&worker, which).await,
            Fault::Reload => self.reload(which).await,
        }
    }

    fn is_ours(&self, pid: u32) -> bool {
        self.fleet.processes().iter().any(|process| process.pid == pid)
    }

    fn kill_worker(&mut self, worker: &WorkerStatus) {
        let Some(pid) = worker.pid.filter(|pid| self.is_ours(*pid)) else { return };
        self.log.worker_down(worker.worker.0, pid, true);
        processes::signal(pid, Signal::SIGKILL);
        self.log.note(format!("kill worker {} {pid}", worker.connection_id));
    }

    fn stop_worker(&mut self, worker: &WorkerStatus, stopped: Duration) {
        let Some(pid) = worker.pid.filter(|pid| self.is_ours(*pid)) else { return };
        self.log.worker_down(worker.worker.0, pid, false);
        self.stop(pid, &format!("worker {}", worker.connection_id), stopped);
    }

    fn kill_frontend(&mut self) {
        let pid = self.status.frontends.first().and_then(|frontend| frontend.pid);
        let Some(pid) = pid.filter(|pid| self.is_ours(*pid)) else { return };
        processes::signal(pid, Signal::SIGKILL);
        self.log.note(format!("kill frontend {pid}"));
    }

    fn stop_frontend(&mut self, stopped: Duration) {
        let pid = self.status.frontends.first().and_then(|frontend| frontend.pid);
        let Some(pid) = pid.filter(|pid| self.is_ours(*pid)) else { return };
        self.log.frontend_stopped();
        self.stop(pid, "frontend", stopped);
    }

    fn kill_coordinator(&mut self, restart: Duration) {
        if !self.has_coordinator {
            return;
        }
        self.log.note("kill coordinator".to_owned());
        self.fleet.kill_coordinator();
        self.has_coordinator = false;
        self.agenda.push((clock::monotonic() + restart, Sequel::StartCoordinator));
    }

    fn stop_coordinator(&mut self, stopped: Duration) {
        if self.has_coordinator {
            self.stop(self.fleet.coordinator_pid(), "coordinator", stopped);
        }
    }

    fn stop(&mut self, pid: u32, what: &str, stopped: Duration) {
        if self.agenda.iter().any(|(_, sequel)| *sequel == Sequel::Continue(pid)) {
            return;
        }
        processes::signal(pid, Signal::SIGSTOP);
        self.log.note(format!("stop {what} {pid} for {stopped:?}"));
        self.agenda.push((clock::monotonic() + stopped, Sequel::Continue(pid)));
    }

    fn reconnect(&mut self, which: usize) {
        let client = which % self.witnesses.len();
        self.log.note(format!("reconnect client {client}"));
        self.witnesses[client].reconnect();
    }

    /// One at a time is switched off, so that there are enough others.
    async fn drain_or_disable(&mut self, worker: &WorkerStatus, which: usize) {
        let is_off = |worker: &&WorkerStatus| {
            matches!(worker.wish, Some(ConnectionWish::Drain | ConnectionWish::Disable))
        };
        match self.status.workers.iter().find(is_off).cloned() {
            Some(off) => self.wish("enable", &off).await,
            None if which.is_multiple_of(2) => self.wish("drain", worker).await,
            None => self.wish("disable", worker).await,
        }
    }

    async fn wish(&mut self, wish: &str, worker: &WorkerStatus) {
        let id = worker.connection_id.to_string();
        self.say(&[wish, &id]).await;
    }

    /// Changes an order of preference, which ends no process: a coordinator that is started over other settings than a
    /// worker runs with ends that worker at once.
    async fn reload(&mut self, which: usize) {
        let priority = 1 + which / CONNECTIONS % 3;
        self.fleet.edit_config(|config: &mut Value| {
            config["connections"][which % CONNECTIONS]["priority"] = json!(priority);
        });
        self.say(&["reload"]).await;
    }

    /// Types a verb. It may fail: the coordinator may be dead or stopped.
    async fn say(&mut self, arguments: &[&str]) {
        /// Nobody waits for a coordinator that was stopped.
        const WITHIN: Duration = Duration::from_secs(1);
        let said = tokio::time::timeout(WITHIN, verb(&self.fleet, arguments)).await;
        let outcome = match said {
            Ok((code, said)) => {
                assert!(code == 0 || code == 1, "{arguments:?}: {code} {said}");
                format!("said {code}")
            }
            Err(_) => "heard nothing".to_owned(),
        };
        self.log.note(format!("say {}: {outcome}", arguments.join(" ")));
    }
}

//! Programs that have the segments mapped go on through restarts and moves, and never see an instrument go back.

use std::process::Command;

use nix::sys::signal::Signal;
use qamd_tests::chance::number_from;
use qamd_tests::drill::{all_copies_tick, tell};
use qamd_tests::fleet::{Fleet, FleetPlan, Home, worker_of};
use qamd_tests::lockstep::Lockstep;
use qamd_tests::processes;
use qamd_tests::programs::{Program, Workshop};
use qamd_tests::push::Push;
use qamd_tests::stepped::SteppedMarket;
use qamd_tests::watch::eventually;
use serde_json::json;
use shm_layout::clock;
use shm_layout::control::{FleetStatus, WorkerProcess};

/// Kills of the worker, and of the coordinator; `QAMD_RESTARTS` is two other numbers, with a comma between.
const RESTARTS: (u64, u64) = (12, 4);

/// A C program at the depth segment, which looks all the time.
struct Watch(Program);

/// What it says.
struct Seen {
    /// New ticks of the instrument that had fewest, since the mark.
    new: i64,
    /// Faults since the beginning: an instrument that went back, a read that was overtaken, another's tick.
    faults: [i64; 3],
    current: bool,
}

// === impl Watch ===

impl Watch {
    fn begin(workshop: &Workshop, fleet: &Fleet, instruments: &[String]) -> Self {
        let program = workshop.c("depth_watch", "tests/e2e/programs/depth_watch.c");
        let [depth, _] = fleet.home().segments();
        Self(Program::start(Command::new(program).arg(depth).args(instruments)))
    }

    fn ask(&mut self, question: &str) -> Seen {
        let said = Push::parse(self.0.ask(question)).unwrap();
        let number = |key| said.integer(key).unwrap();
        Seen {
            new: number("new"),
            faults: ["back", "busy", "foreign"].map(number),
            current: number("current") == 1,
        }
    }

    /// Waits until every instrument has had so many ticks from now on.
    async fn go_on(&mut self, ticks: i64) {
        self.ask("mark");
        let going = eventually("the depth segment goes on", async || {
            (self.ask("tell").new >= ticks).then_some(())
        });
        going.await;
    }

    /// Nothing went back, nothing was torn or foreign, and the segment is still the same.
    fn assert_whole(&mut self, context: &str) {
        let seen = self.ask("tell");
        assert_eq!(seen.faults, [0, 0, 0], "{context}: [back, busy, foreign]");
        assert!(seen.current, "{context}: another segment is in its place");
    }
}

/// A Boost program that found its keys once.
struct Old(Program);

// === impl Old ===

impl Old {
    fn begin(workshop: &Workshop, fleet: &Fleet, keys: &[String]) -> Self {
        let program = workshop.boost("old_reader", "tests/e2e/programs/old_reader.cpp");
        let [_, qamddata] = fleet.home().segments();
        let mut program = Program::start(Command::new(program).arg(qamddata));
        for key in keys {
            assert_eq!(program.ask(&format!("find {key}")), "found", "{key}");
        }
        Self(program)
    }

    /// Waits until every key has another last price than now.
    async fn go_on(&mut self) {
        self.0.ask("mark");
        let going = eventually("qamddata goes on", async || {
            let said = Push::parse(self.0.ask("tell")).unwrap();
            (said.integer("changed") == said.integer("kept")).then_some(())
        });
        going.await;
    }
}

/// Kills a worker and waits until it is dead, so that nobody writes what it wrote.
async fn kill(fleet: &Fleet, connection: &str) {
    let before = fleet.status_now().await;
    let pid = worker_of(&before, connection).pid.unwrap();
    processes::signal(pid, Signal::SIGKILL);
    eventually("its death", async || (!processes::is_alive(pid)).then_some(())).await;
}

/// Has a dead worker started anew without a back-off.
async fn hurry(fleet: &Fleet, connection: &str, dead: u32) {
    let is_seen = |status: &FleetStatus| worker_of(status, connection).pid != Some(dead);
    let status = fleet.status_when("the death was seen", is_seen).await;
    if worker_of(&status, connection).process == WorkerProcess::BackingOff {
        tell(fleet, &["restart", connection]).await;
    }
}

fn restarts() -> (u64, u64) {
    let Ok(wanted) = std::env::var("QAMD_RESTARTS") else { return RESTARTS };
    let parsed = wanted.split_once(',').map(|(workers, coordinators)| {
        (workers.trim().parse().unwrap(), coordinators.trim().parse().unwrap())
    });
    parsed.expect("QAMD_RESTARTS is two numbers, as 1000,100")
}

//! Losing one of two connections costs clients not one tick, nor does moving away from one that works.

use nix::sys::signal::Signal;
use qamd_tests::chance::{Chance, number_from};
use qamd_tests::drill::{all_copies_tick, is_at_work, tell};
use qamd_tests::fleet::{Fleet, FleetPlan, Home, session_state, worker_of};
use qamd_tests::processes;
use qamd_tests::stepped::SteppedMarket;
use qamd_tests::watch::eventually;
use qamd_tests::witness::Witness;
use serde_json::{Value, json};
use shm_layout::control::{FleetStatus, SessionState, WorkerProcess};
use tokio::sync::watch;

const EVERY_MS: i64 = 100;
const INSTRUMENTS: u32 = 20;
const CONNECTIONS: [&str; 3] = ["alpha", "beta", "gamma"];

/// How many kills there are without the environment's `QAMD_KILLS`.
const KILLS: u64 = 30;

/// A fleet, its market, and a client that sees all of it.
struct Scene {
    fleet: Fleet,
    witness: Witness,
    copies: u32,
}

// === impl Scene ===

impl Scene {
    /// Connections of brokers of their own, one of which has faults.
    async fn new(copies: u32, faults: impl FnOnce(&Home) -> Value) -> Self {
        let market = SteppedMarket::begin(EVERY_MS);
        let home = Home::new();
        let faulty = market.with_faults(faults(&home));
        let mut plan = FleetPlan::in_home(home).set("redundancy", copies);
        for (number, connection) in CONNECTIONS.iter().enumerate() {
            let script = if number == 0 { &faulty } else { &market.script() };
            plan = plan.connection(json!({
                "connection_id": connection,
                "broker_id": format!("100{number}"),
                "env": {"QAMD_SIM": script.to_string()},
            }));
        }
        let fleet = plan.start_ready().await;
        let address = watch::channel(fleet.address().await).1;
        let instruments = SteppedMarket::instruments(INSTRUMENTS as usize);
        let witness = Witness::begin(market, &instruments, address);
        let scene = Self { fleet, witness, copies };
        scene.settled("everything ticks").await;
        scene.go_on().await;
        scene
    }

    /// Waits until every instrument has all its copies and every worker in use works.
    async fn settled(&self, what: &str) -> FleetStatus {
        let settled = |status: &FleetStatus| {
            let in_use = |process| process != WorkerProcess::Disabled;
            let mut used = status.workers.iter().filter(|worker| in_use(worker.process));
            all_copies_tick(status, INSTRUMENTS, self.copies) && used.all(is_at_work)
        };
        self.fleet.status_when(what, settled).await
    }

    /// Waits until the client has seen some more ticks of every instrument, none missing.
    async fn go_on(&self) {
        let reached = self.witness.account().reached();
        eventually("every instrument goes on", async || {
            let account = self.witness.account();
            (account.instruments() == INSTRUMENTS as usize && account.reached() > reached + 3)
                .then_some(())
        })
        .await;
    }

    /// Looks whether anything was lost, or had to be conflated.
    async fn assert_nothing_lost(&self, context: &str) {
        self.go_on().await;
        self.witness.account().assert_whole(&context);
        let stats = self.fleet.frontend_stats().await;
        let losses = (stats.ring_lost, stats.conflated, stats.overrun, stats.slow_disconnects);
        assert_eq!(losses, (0, 0, 0, 0), "{context}");
    }

    /// Kills a worker, and has it started anew without a back-off.
    async fn kill(&self, connection: &str) {
        let before = self.fleet.status_now().await;
        let pid = worker_of(&before, connection).pid.unwrap();
        processes::signal(pid, Signal::SIGKILL);
        let is_seen = |status: &FleetStatus| worker_of(status, connection).pid != Some(pid);
        let status = self.fleet.status_when("the death was seen", is_seen).await;
        if worker_of(&status, connection).process == WorkerProcess::BackingOff {
            tell(&self.fleet, &["restart", connection]).await;
        }
    }
}

fn no_faults(_home: &Home) -> Value {
    json!([])
}

#[tokio::test]
async fn random_kills_cost_no_tick() {
    let kills = number_from("QAMD_KILLS", KILLS);
    let mut chance = Chance::from_variable("QAMD_SEED", 20_250_304);
    let scene = Scene::new(2, no_faults).await;
    for kill in 1..=kills {
        let victim = chance.one_of(&CONNECTIONS).unwrap();
        scene.kill(victim).await;
        scene.settled("two copies of each tick again").await;
        let context = format!("after kill {kill}, of {victim}, with {}", chance.again());
        scene.witness.account().assert_whole(&context);
    }
    scene.assert_nothing_lost("after all kills").await;
    let status = scene.fleet.status_now().await;
    assert_eq!(status.workers.iter().map(|worker| worker.restarts).sum::<u64>(), kills);
    for worker in &status.workers {
        let view = worker.view;
        assert!(view.won > 0 && view.copies > 0, "both bring what the other brings: {view:?}");
        assert_eq!((view.lost, view.missed), (0, 0), "{view:?}");
    }
    scene.fleet.stop().await;
}

#[tokio::test]
async fn losing_one_of_two_connections_costs_no_tick() {
    let gone = |home: &Home| home.path("gone");
    let scene = Scene::new(
        2,
        |home| json!([{"when_file": gone(home), "do": "disconnect", "reconnect_after_ms": 1000}]),
    )
    .await;
    let fleet = &scene.fleet;

    scene.kill("beta").await;
    scene.settled("what was killed is back").await;
    scene.assert_nothing_lost("a worker was killed").await;

    fleet.home().write("gone", "");
    let is_away = |status: &FleetStatus| {
        let state = session_state(worker_of(status, "alpha"));
        matches!(state, Some(SessionState::Disconnected { .. }))
    };
    fleet.status_when("the front is gone", is_away).await;
    scene.settled("the front is back").await;
    scene.assert_nothing_lost("a front went away").await;

    let pid = worker_of(&fleet.status_now().await, "beta").pid.unwrap();
    processes::signal(pid, Signal::SIGSTOP);
    let stopped_at = scene.witness.account().reached();
    eventually("three seconds of ticks", async || {
        (scene.witness.account().reached() > stopped_at + 3000 / EVERY_MS).then_some(())
    })
    .await;
    processes::signal(pid, Signal::SIGCONT);
    scene.settled("it goes on").await;
    scene.assert_nothing_lost("a worker stood still").await;

    tell(fleet, &["disable", "beta"]).await;
    let is_off = |status: &FleetStatus| {
        worker_of(status, "beta").process == WorkerProcess::Disabled
            && all_copies_tick(status, INSTRUMENTS, 2)
    };
    fleet.status_when("it is switched off", is_off).await;
    scene.assert_nothing_lost("a connection was switched off").await;
    tell(fleet, &["enable", "beta"]).await;
    scene.settled("it is used again").await;
    scene.assert_nothing_lost("a connection was switched on").await;

    let survivor_is_judged = |status: &FleetStatus| {
        let gamma = worker_of(status, "gamma");
        let score = gamma.quality.map(|quality| quality.score);
        // The machine may be busy, which costs a point or two for delay; a fault costs at least ten.
        gamma.view.won > 0 && gamma.view.copies > 0 && score.is_some_and(|score| score > 90.0)
    };
    let status = fleet.status_when("the survivor's quality is high", survivor_is_judged).await;
    assert_eq!(worker_of(&status, "gamma").stats.logins, 1);
    scene.fleet.stop().await;
}

#[tokio::test]
async fn a_voluntary_move_costs_no_tick_without_redundancy() {
    let scene = Scene::new(1, no_faults).await;
    for connection in CONNECTIONS {
        tell(&scene.fleet, &["drain", connection]).await;
        let is_empty = |status: &FleetStatus| {
            worker_of(status, connection).subscriptions == 0
                && all_copies_tick(status, INSTRUMENTS, 1)
        };
        scene.fleet.status_when("it carries nothing any more", is_empty).await;
        scene.assert_nothing_lost(&format!("{connection} was drained")).await;
        tell(&scene.fleet, &["enable", connection]).await;
        let carries = |status: &FleetStatus| {
            worker_of(status, connection).subscriptions > 0
                && all_copies_tick(status, INSTRUMENTS, 1)
        };
        scene.fleet.status_when("it carries some again", carries).await;
        scene.assert_nothing_lost(&format!("{connection} was enabled")).await;
        tell(&scene.fleet, &["restart", connection]).await;
        scene.settled("it was restarted").await;
        scene.assert_nothing_lost(&format!("{connection} was restarted")).await;
    }
    scene.fleet.stop().await;
}

#[tokio::test]
async fn a_frontend_that_stands_still_while_connections_change_misses_nothing() {
    let scene = Scene::new(2, no_faults).await;
    for round in 0..3 {
        let status = scene.fleet.status_now().await;
        let pid = status.frontends[0].pid.unwrap();
        processes::signal(pid, Signal::SIGSTOP);
        for connection in CONNECTIONS {
            scene.kill(connection).await;
            scene.settled("two copies of each tick again").await;
        }
        processes::signal(pid, Signal::SIGCONT);
        scene.assert_nothing_lost(&format!("round {round}")).await;
    }
    scene.fleet.stop().await;
}

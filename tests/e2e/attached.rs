//! Programs that have the segments mapped go on through restarts and moves, and never see an instrument go back.

use std::process::Command;

use nix::sys::signal::Signal;
use qamd_tests::drill::{all_copies_tick, tell};
use qamd_tests::fleet::{Fleet, FleetPlan, Home, worker_of};
use qamd_tests::lockstep::Lockstep;
use qamd_tests::processes;
use qamd_tests::programs::{Program, Workshop};
use qamd_tests::push::Push;
use qamd_tests::stepped::SteppedMarket;
use qamd_tests::watch::eventually;
use qamd_tests::word::say;
use serde_json::json;
use shm_layout::control::{FleetStatus, WorkerProcess};
use shm_layout::depth::{DepthOwner, DepthWriter, SlotFacts};
use shm_layout::shared_memory::{Place, Sharing};
use shm_layout::{ExchangeId, InstrumentId, Tick, clock};

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
    fn of(workshop: &Workshop, home: &Home, instruments: &[String]) -> Self {
        let program = workshop.c("depth_watch", "tests/e2e/programs/depth_watch.c");
        let [depth, _] = home.segments();
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

/// Kills a worker, waits until it is dead, so that nobody writes what it wrote, and has it started anew without a back-off.
async fn kill(fleet: &Fleet, connection: &str) {
    let pid = worker_of(&fleet.status_now().await, connection).pid.unwrap();
    processes::signal(pid, Signal::SIGKILL);
    eventually("its death", async || (!processes::is_alive(pid)).then_some(())).await;
    let is_seen = |status: &FleetStatus| worker_of(status, connection).pid != Some(pid);
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

/// A list of instruments that need no client.
fn always_on(instruments: &[String]) -> String {
    let rows: String = instruments.iter().map(|name| format!("{name},true\n")).collect();
    format!("instrument_id,always_on\n{rows}")
}

#[tokio::test]
async fn programs_attached_across_restarts_see_values_go_on() {
    let (worker_kills, coordinator_kills) = restarts();
    let instruments = ["rb2601", "rb2605", "au2606", "cu2602"].map(str::to_owned);
    let home = Home::new();
    let names = instruments.each_ref().map(String::as_str);
    // Every tick has a last price that the one before did not have.
    let script = Lockstep::begin(&home, &names, 5000, 50).script();
    let plan = FleetPlan::in_home(home).instruments(&always_on(&instruments));
    let mut fleet = plan.simulated("alpha", &script).start_ready().await;
    let workshop = Workshop::new();
    let keys = instruments.each_ref().map(|name| format!("SHFE.{name}"));
    let mut watch = Watch::of(&workshop, fleet.home(), &instruments);
    let mut old = Old::begin(&workshop, &fleet, &keys);
    watch.go_on(1).await;
    old.go_on().await;

    let begun = clock::monotonic();
    let every = worker_kills.div_ceil(coordinator_kills + 1).max(1);
    let mut coordinators = 0;
    for number in 1..=worker_kills {
        kill(&fleet, "alpha").await;
        watch.go_on(1).await;
        old.go_on().await;
        if number % every == 0 && coordinators < coordinator_kills {
            coordinators += 1;
            fleet.kill_coordinator();
            watch.go_on(1).await;
            old.go_on().await;
            fleet.run();
            fleet.wait_serving().await;
        }
        if number == worker_kills / 2 {
            processes::signal(fleet.coordinator_pid(), Signal::SIGTERM);
            assert_eq!(fleet.wait_ended().await.code(), Some(0));
            fleet.run();
            fleet.wait_serving().await;
        }
        watch.go_on(1).await;
        old.go_on().await;
    }
    assert_eq!(coordinators, coordinator_kills);
    if (worker_kills, coordinators) != RESTARTS {
        let took = begun.elapsed();
        say(&format!(
            "{worker_kills} kills of the worker, {coordinators} of the coordinator: {took:.0?}"
        ));
    }
    let seen = watch.ask("tell");
    assert!(seen.current && seen.faults[1..] == [0, 0], "{:?}", seen.faults);
    for key in &keys {
        assert_eq!(old.0.ask(&format!("find {key}")), "found", "looked up once more");
    }
    drop((watch, old));
    fleet.stop().await;
}

/// Without this, a watch that finds nothing wrong proves nothing.
#[tokio::test]
async fn the_watch_sees_what_goes_back() {
    let home = Home::new();
    let [depth, _] = home.segments();
    let place = Place::named(&depth);
    let (mut owner, _) = DepthOwner::open(&place, 2, Sharing { mode: 0o600, group: None }).unwrap();
    let (exchange, price_tick) = (ExchangeId::SHFE, f64::NAN);
    let facts = SlotFacts { exchange, volume_multiple: 0, price_tick, product_class: 1 };
    let id = InstrumentId::parse("rb2601").unwrap();
    owner.add(&id, &facts).unwrap();
    let writer = DepthWriter::open(&place).unwrap();
    let slot = writer.find(&id).unwrap();
    let mut tick = Tick { volume: 7, ..Tick::EMPTY };
    tick.instrument_id[..6].copy_from_slice(b"rb2601");

    let workshop = Workshop::new();
    let mut watch = Watch::of(&workshop, &home, &["rb2601".to_owned()]);
    for (volume, trading_day, back) in [(7, 2, 0), (8, 2, 0), (7, 2, 1), (3, 3, 1), (4, 2, 2)] {
        watch.ask("mark");
        writer.write(slot, &Tick { volume, trading_day, ..tick });
        eventually("it is seen", async || (watch.ask("tell").new == 1).then_some(())).await;
        assert_eq!(watch.ask("tell").faults, [back, 0, 0]);
    }
    drop((owner, writer));
    place.remove().unwrap();
    assert!(!watch.ask("tell").current);
}

const CONNECTIONS: [&str; 3] = ["alpha", "beta", "gamma"];

async fn nothing_goes_back(copies: u32) {
    const INSTRUMENTS: u32 = 9;
    let market = SteppedMarket::begin(50);
    let instruments = SteppedMarket::instruments(INSTRUMENTS as usize);
    let mut plan = FleetPlan::new().instruments(&always_on(&instruments)).set("redundancy", copies);
    for (number, connection) in CONNECTIONS.iter().enumerate() {
        plan = plan.connection(json!({
            "connection_id": connection,
            "broker_id": format!("100{number}"),
            "env": {"QAMD_SIM": market.script().to_string()},
        }));
    }
    let fleet = plan.start_ready().await;
    let settled = |status: &FleetStatus| all_copies_tick(status, INSTRUMENTS, copies);
    fleet.status_when("everything ticks", settled).await;
    let workshop = Workshop::new();
    let mut watch = Watch::of(&workshop, fleet.home(), &instruments);
    watch.go_on(3).await;
    for connection in CONNECTIONS {
        tell(&fleet, &["drain", connection]).await;
        let is_empty = |status: &FleetStatus| {
            worker_of(status, connection).subscriptions == 0 && settled(status)
        };
        fleet.status_when("it carries nothing any more", is_empty).await;
        watch.go_on(3).await;
        watch.assert_whole(&format!("{connection} was drained"));
        tell(&fleet, &["enable", connection]).await;
        let carries = |status: &FleetStatus| {
            worker_of(status, connection).subscriptions > 0 && settled(status)
        };
        fleet.status_when("it carries some again", carries).await;
        watch.go_on(3).await;
        watch.assert_whole(&format!("{connection} was enabled"));
        kill(&fleet, connection).await;
        watch.go_on(3).await;
        watch.assert_whole(&format!("{connection} was killed"));
        fleet.status_when("all copies tick", settled).await;
        watch.go_on(3).await;
        watch.assert_whole(&format!("{connection} is back"));
    }
    drop(watch);
    fleet.stop().await;
}

#[tokio::test]
async fn what_moves_between_connections_never_goes_back() {
    nothing_goes_back(1).await;
}

#[tokio::test]
async fn what_has_two_connections_never_goes_back() {
    nothing_goes_back(2).await;
}

//! Readers, workers and the coordinator are killed while they use the segments in shared memory: whoever comes after
//! them, and whoever was there all along, goes on.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use qamd_tests::chance::Chance;
use qamd_tests::fleet::{Fleet, FleetPlan, Home};
use qamd_tests::processes;
use qamd_tests::programs::{Program, Workshop};
use qamd_tests::watch::eventually;
use serde_json::json;
use shm_layout::control::WorkerProcess;
use shm_layout::depth::DepthReader;
use shm_layout::qamddata::check::check;
use shm_layout::qamddata::layout::{ALLOCATOR_MUTEX, mutex};
use shm_layout::shared_memory::{Place, ReadOnly};

use crate::scripts::counting_file;
use crate::segment_users::{finds, put, segment_user, using, walked};

const KEY: &str = "SHFE.rb2601";
const FREED: &str = "qamd_qamddata_locks_freed_total";

/// A fleet that carries rb2601 and cu2601 from the start.
async fn fleet() -> Fleet {
    FleetPlan::new()
        .simulated("alpha", &json!({"rate": 50}))
        .instruments("instrument_id,always_on\nrb2601,true\ncu2601,true\n")
        .start_ready()
        .await
}

/// A reader that looks up a key as fast as it can.
fn spinning(program: &Path, fleet: &Fleet) -> Program {
    let mut reader = Program::start(&mut using(program, fleet, &["spin", KEY]));
    assert_eq!(reader.line(), "spinning");
    reader
}

/// A reader that has the index's mutex, which `find` takes, and keeps it.
fn holding(program: &Path, fleet: &Fleet) -> Program {
    let mut reader = Program::start(&mut using(program, fleet, &["hold"]));
    assert_eq!(reader.line(), "holding");
    reader
}

async fn a_moment(chance: &mut Chance, most_us: usize) {
    let moment = chance.below(most_us);
    tokio::time::sleep(Duration::from_micros(moment as u64)).await;
}

#[tokio::test]
async fn readers_killed_while_they_look_up_keys_stop_nobody() {
    const AT_A_TIME: usize = 24;
    const KILLS_MAX: usize = 400;
    let mut chance = Chance::from_variable("QAMD_DEATHS_SEED", 1);
    let workshop = Workshop::new();
    let program = segment_user(&workshop);
    let fleet = fleet().await;
    let mut survivor = spinning(&program, &fleet);
    let mut crowd: Vec<Program> = (0..AT_A_TIME).map(|_| spinning(&program, &fleet)).collect();
    let mut kills = 0;
    while fleet.metric(FREED).await < 1.0 {
        assert!(kills < KILLS_MAX, "none of {kills} died in its find");
        for _ in 0..8 {
            a_moment(&mut chance, 5000).await;
            drop(crowd.swap_remove(chance.below(crowd.len())));
            finds(&program, &fleet, KEY);
            crowd.push(spinning(&program, &fleet));
            kills += 1;
        }
    }
    // All that are left go on, and none of them ever missed the key.
    for reader in crowd.iter_mut().chain([&mut survivor]) {
        let counts = reader.ask("how many");
        assert!(counts.ends_with(" 0") && !counts.starts_with("0 "), "{counts}");
    }
    drop((crowd, survivor));
    fleet.stop().await;
}

#[tokio::test]
async fn a_crowd_of_living_readers_is_never_robbed_of_the_lock() {
    let workshop = Workshop::new();
    let program = segment_user(&workshop);
    let fleet = fleet().await;
    let mut crowd: Vec<Program> = (0..8).map(|_| spinning(&program, &fleet)).collect();
    watched_so_often(&fleet, 60).await;
    for reader in &mut crowd {
        let counts = reader.ask("how many");
        assert!(counts.ends_with(" 0") && !counts.starts_with("0 "), "{counts}");
    }
    assert_eq!(fleet.metric(FREED).await, 0.0, "{}", fleet.log());
    drop(crowd);
    fleet.stop().await;
}

#[tokio::test]
async fn additions_and_restarts_go_on_in_a_crowd_of_readers() {
    const RESTARTS: usize = 10;
    let workshop = Workshop::new();
    let program = segment_user(&workshop);
    let mut fleet = fleet().await;
    let place = Place::named(&fleet.home().segments()[1]);
    let mut crowd: Vec<Program> = (0..8).map(|_| spinning(&program, &fleet)).collect();
    let names: Vec<String> = (0..300).map(|n| format!("rb{}", 3000 + n)).collect();
    let mut client = fleet.client().await;
    client.subscribe(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let reading = tokio::spawn(async move { client.hear_out().await });
    let whole = names.len() + 2;
    for restart in 1..=RESTARTS {
        let most = whole * restart / RESTARTS;
        eventually("additions go on", async || held(&place).filter(|held| *held >= most)).await;
        assert_eq!(fleet.metric("qamd_qamddata_closed").await, 0.0, "{}", fleet.log());
        fleet.kill_coordinator();
        let from = fleet.log().len();
        fleet.run();
        fleet.wait_serving().await;
        let said = said_of(&fleet, &place, from);
        assert!(said.contains("goes on"), "{said}");
    }
    for reader in &mut crowd {
        let counts = reader.ask("how many");
        assert!(!counts.starts_with("0 "), "{counts}");
    }
    assert_eq!(fleet.metric(FREED).await, 0.0, "{}", fleet.log());
    assert_eq!(walked(&program, &fleet).len(), whole);
    drop(crowd);
    reading.abort();
    fleet.stop().await;
}

/// Waits until the coordinator has looked at the lock so often, as it says in the depth segment.
async fn watched_so_often(fleet: &Fleet, looks: u32) {
    let place = Place::named(&fleet.paths().depth_name());
    let reader = DepthReader::open(&place).unwrap();
    let mut last = reader.owner().1;
    for _ in 0..looks {
        last = eventually("the coordinator looks after the segments", async || {
            Some(reader.owner().1).filter(|seen| *seen != last)
        })
        .await;
    }
}

#[tokio::test]
async fn a_lock_whose_holder_was_killed_is_freed_for_those_who_wait_and_those_who_come() {
    let workshop = Workshop::new();
    let program = segment_user(&workshop);
    let fleet = fleet().await;
    for round in 1..=3 {
        let holder = holding(&program, &fleet);
        let mut waiting = spinning(&program, &fleet);
        let mut late = Program::start(&mut using(&program, &fleet, &["hold"]));
        watched_so_often(&fleet, 4).await;
        assert_eq!(late.line_if_any(), None, "the living holder keeps the lock");
        assert_eq!(fleet.metric(FREED).await, f64::from(round - 1));
        drop(holder);
        assert_eq!(late.line(), "holding", "it is the next one's");
        assert_eq!(late.ask("go"), "let go");
        assert!(waiting.ask("how many").ends_with(" 0"));
        // Killed, it might die with the lock as well.
        assert!(waiting.end().0.success());
        finds(&program, &fleet, KEY);
        assert_eq!(fleet.metric(FREED).await, f64::from(round));
    }
    let freed = "a program died while it looked up a key in qamddata; its lock is freed";
    assert_eq!(fleet.log().matches(freed).count(), 3);
    fleet.stop().await;
}

#[tokio::test]
async fn a_stopped_holder_keeps_the_lock_and_is_spoken_of_once() {
    let workshop = Workshop::new();
    let program = segment_user(&workshop);
    let fleet = fleet().await;
    let mut holder = holding(&program, &fleet);
    processes::signal(holder.pid(), Signal::SIGSTOP);
    let mut waiting = Program::start(&mut using(&program, &fleet, &["hold"]));
    let warned = "a program has held the lock of qamddata for seconds";
    let warnings = || fleet.log().matches(warned).count();
    eventually("a warning", async || (warnings() > 0).then_some(())).await;
    watched_so_often(&fleet, 12).await;
    assert_eq!((warnings(), fleet.metric(FREED).await), (1, 0.0));
    assert_eq!(waiting.line_if_any(), None);
    assert!(fleet.log().contains(&format!("thread={}", holder.pid())), "it is named");
    processes::signal(holder.pid(), Signal::SIGCONT);
    assert_eq!(holder.ask("go"), "let go");
    assert_eq!(waiting.line(), "holding");
    assert_eq!(waiting.ask("go"), "let go");
    finds(&program, &fleet, KEY);
    assert_eq!(fleet.metric(FREED).await, 0.0);
    drop((holder, waiting));
    fleet.stop().await;
}

/// What `depth_torn` answered: rounds, torn, busy, the fewest changes, and whether the segment is current.
fn look(reader: &mut Program) -> [i64; 5] {
    let answer = reader.ask("look");
    let numbers: Vec<i64> = answer.split(' ').map(|number| number.parse().unwrap()).collect();
    numbers.try_into().unwrap()
}

/// Waits until every instrument has changed a few times more; no tick was torn, and none could not be read.
async fn everything_changes(reader: &mut Program) {
    let begun = look(reader)[0];
    let mut changes = 0;
    eventually("further ticks of every instrument", async || {
        let [rounds, torn, busy, fewest, current] = look(reader);
        assert_eq!((torn, busy, current), (0, 0, 1));
        changes += fewest;
        (changes >= 3 && rounds > begun).then_some(())
    })
    .await;
}

#[tokio::test]
async fn workers_killed_while_they_write_leave_whole_ticks() {
    const KILLS: usize = 30;
    const WORKERS: usize = 10;
    let names: Vec<String> = (1..=WORKERS).map(|month| format!("rb26{month:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut chance = Chance::from_variable("QAMD_DEATHS_SEED", 2);
    let workshop = Workshop::new();
    let legacy = segment_user(&workshop);
    let depth_torn = workshop.c("depth_torn", "tests/e2e/programs/depth_torn.c");
    let home = Home::new();
    let file = counting_file(&home, &names);
    let script = json!({"replay": {"file": file, "rate": 50_000, "loop": true}});
    let listed: String = names.iter().map(|name| format!("{name},true\n")).collect();
    let plan = FleetPlan::in_home(home).instruments(&format!("instrument_id,always_on\n{listed}"));
    // Many, so that none of them has died so often that it is started late.
    let plan = (0..WORKERS).fold(plan, |plan, n| plan.simulated(&format!("worker{n}"), &script));
    let fleet = plan.start_ready().await;
    let reading = || {
        let mut command = Command::new(&depth_torn);
        Program::start(command.arg(fleet.paths().depth_name()).args(&names))
    };
    let mut attached = reading();
    everything_changes(&mut attached).await;
    for kill in 0..KILLS {
        let status = fleet.status_now().await;
        let running = |worker: &&shm_layout::control::WorkerStatus| {
            worker.process == WorkerProcess::Running && worker.subscriptions > 0
        };
        let pids: Vec<u32> =
            status.workers.iter().filter(running).filter_map(|worker| worker.pid).collect();
        a_moment(&mut chance, 20_000).await;
        processes::signal(chance.one_of(&pids).unwrap(), Signal::SIGKILL);
        everything_changes(&mut attached).await;
        everything_changes(&mut reading()).await;
        let price: f64 = finds(&legacy, &fleet, &format!("SHFE.{}", names[kill % WORKERS]));
        assert!(price > 1000.0 && price.fract() == 0.0, "{price}");
    }
    assert_eq!(walked(&legacy, &fleet).len(), names.len());
    drop(attached);
    fleet.stop().await;
}

/// How many instruments the segment holds, when it is sound.
fn held(place: &Place) -> Option<usize> {
    let memory = ReadOnly::map(&place.open_read().ok()?).ok()?;
    check(&memory).ok().map(|sound| sound.instruments.len())
}

fn keys_of(names: &[String]) -> Vec<String> {
    let mut keys: Vec<String> = names.iter().map(|name| format!("SHFE.{name}")).collect();
    keys.sort();
    keys
}

/// What the start said of `qamddata`, behind what was logged before.
fn said_of(fleet: &Fleet, place: &Place, from: usize) -> String {
    let path = format!("{} ", place.path().display());
    let log = fleet.log()[from..].to_owned();
    let mut lines = log.lines().filter(|line| line.contains(&path)).filter(|line| {
        ["goes on", "is made", "could not be used"].iter().any(|word| line.contains(word))
    });
    let line = lines.next().unwrap_or_else(|| panic!("nothing is said of {path}: {log}"));
    assert_eq!(lines.next(), None, "it is said once");
    line.to_owned()
}

#[tokio::test]
async fn a_coordinator_killed_while_it_adds_instruments_leaves_what_the_next_one_completes() {
    const KILLS: usize = 15;
    const WANTED: usize = 400;
    let names: Vec<String> = (0..WANTED).map(|n| format!("rb{}", 3000 + n)).collect();
    let mut chance = Chance::from_variable("QAMD_DEATHS_SEED", 3);
    let workshop = Workshop::new();
    let program = segment_user(&workshop);
    let mut fleet = FleetPlan::new().simulated("alpha", &json!({"rate": 2000})).start_ready().await;
    let place = Place::named(&fleet.home().segments()[1]);
    let mut client = fleet.client().await;
    let wanted: Vec<&str> = names.iter().map(String::as_str).collect();
    client.subscribe(&wanted).await;
    let reading = tokio::spawn(async move { client.hear_out().await });
    for kill in 1..=KILLS {
        // Damage ends the additions, so the count only stands still when all are there.
        let before = held(&place).unwrap_or(0);
        eventually("additions go on", async || {
            held(&place).filter(|held| *held > before || *held == WANTED)
        })
        .await;
        a_moment(&mut chance, 25_000).await;
        fleet.kill_coordinator();
        if kill == KILLS {
            // As a death in the very middle of an insertion leaves it.
            put(&place, ALLOCATOR_MUTEX + mutex::LOCK, 1);
            put(&place, ALLOCATOR_MUTEX + mutex::OWNER, u64::from(u32::MAX >> 2));
        }
        let from = fleet.log().len();
        fleet.run();
        fleet.wait_serving().await;
        let said = said_of(&fleet, &place, from);
        if said.contains("could not be used") {
            assert!(said.contains(&place.quarantine().display().to_string()), "{said}");
        } else {
            assert!(said.contains("goes on") && kill < KILLS, "{said}");
        }
        let shown = fleet.type_verb(&["shm"]);
        assert_eq!(shown.code, 0, "{shown:?}");
        walked(&program, &fleet);
    }
    eventually("every wanted instrument is there", async || {
        held(&place).filter(|held| *held == WANTED)
    })
    .await;
    assert_eq!(walked(&program, &fleet), keys_of(&names));
    eventually("ticks reach the new one", async || {
        let said = fleet.type_verb(&["shm", "--json"]).json();
        (said["qamddata"]["facts"]["priced"] == json!(WANTED)).then_some(())
    })
    .await;
    reading.abort();
    // What was put away stays for whoever wants to look at it.
    std::fs::remove_file(place.quarantine()).unwrap();
    fleet.stop().await;
}

/// The files beside the segments that are half made.
fn asides(fleet: &Fleet) -> Vec<PathBuf> {
    let mut shared = processes::shared_memory_of(fleet.home().instance().as_str());
    shared.retain(|path| path.to_string_lossy().contains(".new-"));
    shared
}

#[tokio::test]
async fn a_coordinator_killed_while_it_makes_the_segments_leaves_nothing_for_long() {
    const ATTEMPTS_MAX: usize = 40;
    let listed: String = (0..20_000).map(|n| format!("rb{n:05}\n")).collect();
    let mut fleet = FleetPlan::new()
        .simulated("alpha", &json!({"rate": 50}))
        .instruments(&format!("instrument_id\n{listed}"))
        .prepare();
    for segment in fleet.home().segments() {
        let mut caught = false;
        for _ in 0..ATTEMPTS_MAX {
            for name in fleet.home().segments() {
                drop(Place::named(&name).remove());
            }
            fleet.run();
            let aside = format!("/dev/shm/{segment}.new-{}", fleet.coordinator_pid());
            let made = Place::named(&segment).path().to_owned();
            // As fast as it goes: it is there for a few milliseconds.
            while !Path::new(&aside).exists() && !made.exists() {
                assert!(processes::is_alive(fleet.coordinator_pid()), "{}", fleet.log());
            }
            fleet.kill_coordinator();
            caught = asides(&fleet) == [PathBuf::from(&aside)];
            if caught {
                break;
            }
        }
        assert!(caught, "{segment} was never caught half made");
        fleet.run();
        fleet.wait_serving().await;
        assert_eq!(asides(&fleet), Vec::<PathBuf>::new());
        assert_eq!(held(&Place::named(&fleet.home().segments()[1])), Some(20_000));
        let shown = fleet.type_verb(&["shm"]);
        assert_eq!(shown.code, 0, "{shown:?}");
        processes::signal(fleet.coordinator_pid(), Signal::SIGTERM);
        assert_eq!(fleet.wait_ended().await.code(), Some(0));
        fleet.assert_nothing_left();
    }
}

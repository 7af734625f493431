//! What a full market costs: 90 workers, 25,000 instruments.
//!
//! `cargo bench -p qamd-tests --bench fleet` runs every part; `-- failover` those whose name contains the word.
//!
//! * `market` — from `qamd run` to every instrument acknowledged and ticking; proportional memory of all processes; share
//!   of a core when nothing ticks.
//! * `failover` — a worker with 280 instruments killed, until all of them tick elsewhere; twenty times.
//!
//! Machines are shared and noisy: each part prints the processor time it had beside the time it took.
#![expect(clippy::print_stdout, reason = "a bench tells its figures")]

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use qamd_tests::fleet::{Fleet, FleetPlan};
use qamd_tests::processes;
use serde_json::json;
use shm_layout::clock::{monotonic, unix_ms};
use shm_layout::control::{FleetStatus, WorkerProcess};

const CONNECTIONS: usize = 90;
const INSTRUMENTS: usize = 25_000;

/// Capacities like those brokers grant: 200 to 800, 26,850 in all.
fn capacities() -> Vec<u32> {
    const STEPS: [u32; 9] = [200, 250, 300, 300, 300, 300, 250, 400, 350];
    let mut capacities: Vec<u32> = STEPS.into_iter().cycle().take(CONNECTIONS).collect();
    capacities[4] = 800;
    capacities[13] = 600;
    capacities
}

/// Ids of every exchange's shapes, futures and options.
fn instruments() -> impl Iterator<Item = String> {
    (0..).map(|n: usize| match n % 5 {
        0 => format!("rb2705C{}", 1000 + n),
        1 => format!("m2705-C-{}", 1000 + n),
        2 => format!("TA705C{}", 1000 + n),
        3 => format!("IO2705-P-{}", 1000 + n),
        _ => format!("sc2705P{}", 1000 + n),
    })
}

fn main() {
    let words: Vec<String> =
        std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let wanted =
        |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word.as_str()));
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    if wanted("market") {
        runtime.block_on(market());
    }
    if wanted("failover") {
        runtime.block_on(failover());
    }
}

fn plan(capacities: &[u32], instruments: usize, rate: f64) -> FleetPlan {
    let listed: Vec<String> = instruments_csv(instruments);
    let mut plan = FleetPlan::new().instruments(&listed.join("\n"));
    // One market for all: a tick of one worker and its copy from another are the same.
    let script = json!({
        "rate": rate,
        "clock": {"start": "2026-11-23T10:00:00", "anchor_unix_ms": unix_ms()},
    });
    for (index, capacity) in capacities.iter().enumerate() {
        plan = plan.connection(json!({
            "connection_id": format!("broker{index:02}"),
            "broker_id": format!("{}", 1000 + index),
            "max_subscriptions": capacity,
            "env": {"QAMD_SIM": script.to_string()},
        }));
    }
    plan.set("load_balance_strategy", "connection_quality")
}

fn instruments_csv(count: usize) -> Vec<String> {
    let rows = instruments().take(count).map(|id| format!("{id},1"));
    std::iter::once("instrument_id,always_on".to_owned()).chain(rows).collect()
}

async fn market() {
    // As good as no ticks at all, but every instrument has its snapshot: a market that is closed.
    let mut fleet = plan(&capacities(), INSTRUMENTS, 0.01).prepare();
    let begun = monotonic();
    fleet.run();
    let pid = fleet.coordinator_pid();
    let all = |count: fn(&FleetStatus) -> u32| {
        move |status: &FleetStatus| count(status) as usize == INSTRUMENTS
    };
    let acknowledged = reached(&fleet, begun, all(|status| status.acknowledged)).await;
    let ticking = reached(&fleet, begun, all(|status| status.ticking)).await;
    let processes = fleet.processes();
    let pids: Vec<u32> = processes.iter().map(|process| process.pid).collect();
    println!(
        "{CONNECTIONS} workers, {INSTRUMENTS} instruments: all acknowledged after {:.1} s, all with their snapshot after {:.1} s; {:.1} s of processor time until then",
        acknowledged.as_secs_f64(),
        ticking.as_secs_f64(),
        pids.iter().map(|pid| processes::cpu_seconds(*pid)).sum::<f64>()
    );
    let settled = monotonic() + Duration::from_secs(5);
    tokio::time::sleep_until(settled.into()).await;
    let memory = |binary: &str| -> u64 {
        let of_it = processes.iter().filter(|process| process.is(binary));
        of_it.map(|process| processes::proportional_memory_kib(process.pid)).sum()
    };
    let (workers, frontend, coordinator) =
        (memory("qamd-ctp-worker"), memory("qamd-ws-frontend"), memory("qamd"));
    println!(
        "proportional set size of {} processes: {:.0} MiB (a worker {:.1} MiB, the frontend {:.1} MiB, the coordinator {:.1} MiB)",
        pids.len(),
        mib(workers + frontend + coordinator),
        mib(workers / CONNECTIONS as u64),
        mib(frontend),
        mib(coordinator)
    );
    let used = |pids: &[u32]| pids.iter().map(|pid| processes::cpu_seconds(*pid)).sum::<f64>();
    let (before, coordinator) = (used(&pids), processes::cpu_seconds(pid));
    let wait = Duration::from_secs(30);
    tokio::time::sleep(wait).await;
    let share = |used: f64| 100.0 * used / wait.as_secs_f64();
    println!(
        "idle: {:.1} % of a core, of that the coordinator {:.1} %",
        share(used(&pids) - before),
        share(processes::cpu_seconds(pid) - coordinator)
    );
    fleet.stop().await;
}

#[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

/// Asks until the status fits; says after what time it did.
async fn reached(fleet: &Fleet, begun: Instant, fits: impl Fn(&FleetStatus) -> bool) -> Duration {
    fleet.status_when("the whole market", |status| fits(status)).await;
    monotonic() - begun
}

/// Kills of a worker with 280 instruments, each measured from the signal to the moment at which all tick elsewhere.
async fn failover() {
    const CARRIED: usize = 280;
    const KILLS: usize = 20;
    let plan =
        plan(&[400; 6], CARRIED * 5, 1000.0).set("load_balance_strategy", "least_connections");
    let fleet = plan.start_ready().await;
    let total = u32::try_from(CARRIED * 5).expect("a small number");
    let mut times = Vec::new();
    // The sixth is empty but for what returns; the one with 280 or more is chosen anew each time.
    for _ in 0..KILLS {
        let status = fleet
            .status_when("all tick and rest", |status| {
                status.ticking == total && status.moving == 0
            })
            .await;
        let victim = status
            .workers
            .iter()
            .filter(|worker| worker.process == WorkerProcess::Running)
            .min_by_key(|worker| worker.subscriptions.abs_diff(CARRIED as u32))
            .expect("a worker");
        let (pid, id) = (victim.pid.expect("it runs"), victim.connection_id);
        let carried = victim.subscriptions;
        let killed = monotonic();
        processes::signal(pid, Signal::SIGKILL);
        fleet
            .status_when("all tick elsewhere", |status| {
                let worker = status.workers.iter().find(|worker| worker.connection_id == id);
                status.ticking == total && worker.is_some_and(|worker| worker.pid != Some(pid))
            })
            .await;
        times.push((monotonic() - killed, carried));
        fleet
            .status_when("it is back", |status| {
                status.workers.iter().all(|worker| worker.process == WorkerProcess::Running)
            })
            .await;
    }
    times.sort_unstable();
    let ms = |at: usize| times[at].0.as_secs_f64() * 1000.0;
    let carried: Vec<u32> = times.iter().map(|(_, carried)| *carried).collect();
    println!(
        "failover, {KILLS} kills of a worker with {} to {} instruments: all tick elsewhere after {:.0} ms at the median, {:.0} at the least, {:.0} at the most",
        carried.iter().min().expect("kills"),
        carried.iter().max().expect("kills"),
        ms(KILLS / 2),
        ms(0),
        ms(KILLS - 1)
    );
    fleet.stop().await;
}

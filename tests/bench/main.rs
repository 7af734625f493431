//! What the gateway costs: from the library's callback to a client that holds the message.
//!
//! `make bench` runs every scenario; `make bench BENCH_ARGS='-- 10k'` those whose name contains the word. The simulated
//! library stamps CLOCK_MONOTONIC into Turnover at the moment of its callback; the client subtracts. Each scenario runs
//! beside its floor, in the same minute on the same machine: one thread that writes ready frames of the same length to
//! the same number of loopback sockets. Machines are shared and noisy, so look at the ratios.
#![expect(clippy::print_stdout, reason = "a bench tells its figures")]

mod client;
mod floor;
mod latency;

use std::net::SocketAddr;
use std::time::Duration;

use client::{LoadClient, Seen, monotonic_ns};
use latency::Delays;
use qamd_tests::fleet::{Fleet, FleetPlan};
use qamd_tests::processes::cpu_seconds;
use serde_json::json;
use shm_layout::control::FleetStatus;

struct Scenario {
    name: &'static str,
    rate: u32,
    sessions: usize,
}

const INSTRUMENTS: usize = 100;
const RUN: Duration = Duration::from_secs(5);
const SCENARIOS: [Scenario; 4] = [
    Scenario { name: "1k x 10", rate: 1_000, sessions: 10 },
    Scenario { name: "10k x 10", rate: 10_000, sessions: 10 },
    Scenario { name: "50k x 10", rate: 50_000, sessions: 10 },
    Scenario { name: "10k x 100", rate: 10_000, sessions: 100 },
];

fn main() {
    let words: Vec<String> =
        std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let wanted =
        |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word.as_str()));
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");

    println!(
        "delay from callback to client, microseconds; {INSTRUMENTS} instruments in every session; {} s each",
        RUN.as_secs()
    );
    println!(
        "{:<12} {:<8} {:>8} {:>8} {:>8} {:>10} {:>6} {:>6}  cores: worker, frontend",
        "ticks x sess", "", "p50", "p99", "p99.9", "pushes", "lost", "merged"
    );
    for scenario in SCENARIOS.iter().filter(|scenario| wanted(scenario.name)) {
        latency(&runtime, scenario);
    }
    if wanted("burst") {
        burst(&runtime);
    }
    if wanted("idle") {
        idle(&runtime);
    }
}

fn instruments() -> Vec<String> {
    (0..INSTRUMENTS).map(|n| format!("rb{}", 2601 + n)).collect()
}

fn frontend_address(runtime: &tokio::runtime::Runtime, fleet: &Fleet) -> SocketAddr {
    runtime.block_on(fleet.address()).parse().expect("host:port")
}

fn cpu_of(status: &FleetStatus) -> (f64, f64) {
    let sum = |pids: Vec<Option<u32>>| pids.into_iter().flatten().map(cpu_seconds).sum();
    (
        sum(status.workers.iter().map(|worker| worker.pid).collect()),
        sum(status.frontends.iter().map(|frontend| frontend.pid).collect()),
    )
}

fn latency(runtime: &tokio::runtime::Runtime, scenario: &Scenario) {
    let script = json!({"rate": scenario.rate, "stamp_turnover": true, "slice_us": 100});
    let plan = FleetPlan::new().simulated("bench", &script);
    let fleet = runtime.block_on(plan.start_ready());
    let ids = instruments();
    let mut client =
        LoadClient::connect(frontend_address(runtime, &fleet), scenario.sessions, &ids);
    let status =
        runtime.block_on(fleet.status_when("every instrument ticking", |status| {
            status.ticking as usize == INSTRUMENTS
        }));
    // A second to settle; its ticks are read and not counted.
    let settled = monotonic_ns() + 1_000_000_000;
    client.run(Duration::from_secs(1), settled);
    let stats = runtime.block_on(fleet.frontend_stats());
    let before = cpu_of(&status);
    let seen = client.run(RUN, settled);
    let after = cpu_of(&status);
    let later = runtime.block_on(fleet.frontend_stats());
    let cores = |used: f64| used / RUN.as_secs_f64();
    let tail = format!(
        "{:>6} {:>6}  {:.2}, {:.2}",
        later.ring_lost - stats.ring_lost,
        (later.conflated + later.overrun) - (stats.conflated + stats.overrun),
        cores(after.0 - before.0),
        cores(after.1 - before.1)
    );
    row(scenario.name, "qamd", &seen, &tail);
    runtime.block_on(fleet.stop());
    row("", "floor", &floor::run(scenario.rate, scenario.sessions, RUN), "");
}

fn row(name: &str, what: &str, seen: &Seen, tail: &str) {
    let delays = Delays::new(seen.delays_ns.clone());
    println!("{name:<12} {what:<8} {delays} {:>10} {tail}", delays.count());
}

fn burst(runtime: &tokio::runtime::Runtime) {
    let script = json!({
        "rate": 10,
        "burst": {"after_ms": 2000, "ticks": 500_000, "per_second": 500_000},
    });
    let fleet = runtime.block_on(FleetPlan::new().simulated("bench", &script).start_ready());
    let mut client = LoadClient::connect(frontend_address(runtime, &fleet), 10, &instruments());
    let pid = runtime.block_on(fleet.status_now()).frontends[0].pid.unwrap_or(0);
    let resident_before = qamd_tests::processes::own_memory_kib(pid);
    client.run(Duration::from_secs(6), u64::MAX);
    let status = runtime.block_on(
        fleet.status_when("the burst published", |status| status.workers[0].stats.ticks >= 500_000),
    );
    let stats = status.frontends[0].stats;
    println!(
        "burst: {} ticks published in about a second; frontend read {}, lost in the ring {}, pushed {} of {}, merged {}; frontend memory {} -> {} MiB",
        status.workers[0].stats.ticks,
        stats.ticks,
        stats.ring_lost,
        stats.pushed,
        stats.ticks * 10,
        stats.conflated + stats.overrun,
        resident_before / 1024,
        qamd_tests::processes::own_memory_kib(pid) / 1024,
    );
    runtime.block_on(fleet.stop());
}

fn idle(runtime: &tokio::runtime::Runtime) {
    let script = json!({"faults": [{"do": "silent"}]});
    let plan = ["one", "two", "three"]
        .iter()
        .fold(FleetPlan::new(), |plan, id| plan.simulated(id, &script));
    let fleet = runtime.block_on(plan.start_ready());
    let status = runtime.block_on(fleet.status_now());
    let (workers, frontend) = cpu_of(&status);
    let coordinator = cpu_seconds(status.pid);
    std::thread::sleep(Duration::from_secs(20));
    let (workers_after, frontend_after) = cpu_of(&status);
    let coordinator_after = cpu_seconds(status.pid);
    let share = |used: f64| 100.0 * used / 20.0;
    println!(
        "idle fleet of three workers: {:.2} % of a core (workers {:.2}, frontend {:.2}, coordinator {:.2})",
        share(
            workers_after - workers + frontend_after - frontend + coordinator_after - coordinator
        ),
        share(workers_after - workers),
        share(frontend_after - frontend),
        share(coordinator_after - coordinator),
    );
    runtime.block_on(fleet.stop());
}

//! What the gateway costs: from the library's callback to a client that holds the message.
//!
//! `make bench` runs every scenario; `make bench BENCH_ARGS='-- 10k'` those whose name contains the word. The simulated
//! library stamps CLOCK_MONOTONIC into Turnover at the moment of its callback; the client subtracts.
//!
//! In DIFF the stamp is `amount`, and each quote in an answer counts: its age is that of the latest tick in it; `merged` says
//! how many earlier ones went into it unseen, whose waiting no figure shows. Memory is the frontend's own (RssAnon); per
//! session, what it grew by with the sessions beyond what it grows by anyway, so what they share is in it.
//!
//! `usual p99` is the middle one of the 99th percentiles of the fiftieths of a run, and `waited` how long the frontend and the
//! client were ready to run and had no processor: a machine that holds one back for 8 ms now and then decides p99, whatever is
//! measured, but not these.
//!
//! Each `action` scenario runs beside its floor, in the same minute on the same machine: one thread that writes ready frames
//! of the same length to the same number of loopback sockets. Machines are shared and noisy, so look at the ratios.
#![expect(clippy::print_stdout, reason = "a bench tells its figures")]

mod client;
mod floor;
mod latency;
mod requests;
mod scenario;
mod socket;

use std::time::Duration;

use client::{LoadClient, Seen};
use latency::Delays;
use qamd_tests::fleet::FleetPlan;
use qamd_tests::processes::cpu_seconds;
use scenario::{
    Cores, INSTRUMENTS, Measured, RUN, Scenario, Speech, Waited, cpu_of, frontend_address,
    instruments, measure,
};
use serde_json::json;

const DIFF: Speech = Speech::Diff { groups: 1, charts: false };

const SCENARIOS: [Scenario; 9] = [
    Scenario { name: "1k x 10", rate: 1_000, sessions: 10, speech: Speech::Action },
    Scenario { name: "10k x 10", rate: 10_000, sessions: 10, speech: Speech::Action },
    Scenario { name: "50k x 10", rate: 50_000, sessions: 10, speech: Speech::Action },
    Scenario { name: "10k x 100", rate: 10_000, sessions: 100, speech: Speech::Action },
    Scenario { name: "DIFF 10k x 100", rate: 10_000, sessions: 100, speech: DIFF },
    Scenario {
        name: "DIFF 10k x 100, ten lists",
        rate: 10_000,
        sessions: 100,
        speech: Speech::Diff { groups: 10, charts: false },
    },
    Scenario {
        name: "DIFF 10k x 100, charts",
        rate: 10_000,
        sessions: 100,
        speech: Speech::Diff { groups: 1, charts: true },
    },
    Scenario { name: "DIFF 10k x 10", rate: 10_000, sessions: 10, speech: DIFF },
    Scenario { name: "DIFF 1k x 100", rate: 1_000, sessions: 100, speech: DIFF },
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
        "{:<25} {:<5} {:>8} {:>8} {:>9} {:>8} {:>9} {:>6} {:>8} {:>10} {:>6}  {:<31}  {:<26} {:>5} {:>11}",
        "ticks/s x sessions",
        "",
        "p50",
        "p99",
        "usual p99",
        "p99.9",
        "quotes",
        "lost",
        "merged",
        "messages/s",
        "MB/s",
        "cores: worker, frontend, client",
        "waited: frontend, client",
        "MiB",
        "KiB/session"
    );
    for scenario in SCENARIOS.iter().filter(|scenario| wanted(scenario.name)) {
        let measured = measure(&runtime, scenario);
        row(scenario.name, "qamd", &measured.seen, &told(&measured));
        if let Speech::Action = scenario.speech {
            row("", "floor", &floor::run(scenario.rate, scenario.sessions, RUN), "");
        }
    }
    if wanted("burst") {
        burst(&runtime);
    }
    if wanted("idle") {
        idle(&runtime);
    }
}

/// What a row says of the gateway and not of a floor.
fn told(measured: &Measured) -> String {
    let per_s = |count: u64| count as f64 / RUN.as_secs_f64();
    let session = measured.session_kib.map_or_else(String::new, |kib| format!("{kib:.0}"));
    let Cores { worker, frontend, client } = measured.cores;
    let cores = format!("{worker:.2}, {frontend:.2}, {client:.2}");
    let Waited { frontend, client } = measured.waited;
    let waited = format!("{frontend:.0} ms, {client:.0} ms");
    format!(
        "{:>6} {:>8} {:>10.0} {:>6.1}  {cores:<31}  {waited:<26} {:>5.1} {session:>11}",
        measured.lost,
        measured.merged,
        per_s(measured.seen.messages),
        per_s(measured.seen.bytes) / 1e6,
        measured.memory_kib as f64 / 1024.0,
    )
}

fn row(name: &str, what: &str, seen: &Seen, tail: &str) {
    let delays = Delays::new(seen.delays_ns.clone());
    if delays.count() == 0 {
        println!("{name:<25} {what:<5} nothing was measured: no stamp came back");
        return;
    }
    println!("{name:<25} {what:<5} {delays} {:>9} {tail}", delays.count());
    if seen.with_bars > 0 {
        println!("{:<31} {} of the answers told of bars", "", seen.with_bars);
    }
}

fn burst(runtime: &tokio::runtime::Runtime) {
    let script = json!({
        "rate": 10,
        "burst": {"after_ms": 2000, "ticks": 500_000, "per_second": 500_000},
    });
    let fleet = runtime.block_on(FleetPlan::new().simulated("bench", &script).start_ready());
    let mut client =
        LoadClient::action(frontend_address(runtime, &fleet), 10, &instruments(INSTRUMENTS));
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

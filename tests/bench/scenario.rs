//! One load on a whole fleet, and what it looks like from outside.

use std::net::SocketAddr;
use std::time::Duration;

use qamd_tests::fleet::{Fleet, FleetPlan};
use qamd_tests::processes::{cpu_seconds, own_memory_kib, waited_seconds};
use serde_json::{Value, json};
use shm_layout::control::{FleetStatus, FrontendStats};
use tokio::runtime::Runtime;

use crate::client::{LoadClient, Seen, monotonic_ns};
use crate::requests;

/// Instruments in every session.
pub(crate) const INSTRUMENTS: usize = 100;

/// How long a scenario is measured.
pub(crate) const RUN: Duration = Duration::from_secs(5);

/// Ticks of this time are read and not counted.
const SETTLE: Duration = Duration::from_secs(1);

/// A load.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// Ticks a second, of all instruments together.
    pub(crate) rate: u32,
    pub(crate) sessions: usize,
    pub(crate) speech: Speech,
}

/// What the sessions speak.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Speech {
    /// A push for every tick.
    Action,
    /// An answer for every peek, and the next peek at once.
    Diff {
        /// Lists of instruments, no two with one in common; session after session takes the next.
        groups: usize,
        /// Each session has a chart beside its quotes: 60 s bars of one of its instruments.
        charts: bool,
    },
}

/// What a run was like.
pub(crate) struct Measured {
    pub(crate) seen: Seen,
    /// Ticks that the frontend lost in the ring.
    pub(crate) lost: u64,
    /// Ticks that a session got no message of, since a later one of their instrument was there when its turn came.
    pub(crate) merged: u64,
    pub(crate) cores: Cores,
    pub(crate) waited: Waited,
    /// The frontend's own memory at the end, KiB.
    pub(crate) memory_kib: u64,
    /// What each session added to it, KiB; where that was looked at.
    pub(crate) session_kib: Option<f64>,
}

/// Processor time by time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cores {
    pub(crate) worker: f64,
    pub(crate) frontend: f64,
    /// This process.
    pub(crate) client: f64,
}

/// How long processes were ready to run and had no processor, ms.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waited {
    pub(crate) frontend: f64,
    /// This process.
    pub(crate) client: f64,
}

/// Sessions on a fleet at work.
struct Load {
    client: LoadClient,
    status: FleetStatus,
    before: Option<MemoryBefore>,
    // It only has to be there.
    _onlooker: Option<LoadClient>,
}

/// The frontend's own memory before the sessions came.
struct MemoryBefore {
    kib: f64,
    /// What it grows by anyway: the ticks that are kept for charts.
    growth_kib_per_s: f64,
    at_ns: u64,
}

// === impl Scenario ===

impl Scenario {
    /// What the simulated library does. The exchange's clock runs so fast that each tick of an instrument is half a second
    /// after the one before, as on a real front: with each come another time, trades, and what follows from them.
    fn script(&self) -> Value {
        const BETWEEN_TICKS_S: f64 = 0.5;
        let ticks_per_s = f64::from(self.rate) / self.instruments() as f64;
        json!({
            "rate": self.rate,
            "stamp_turnover": true,
            "slice_us": 100,
            "clock": {"speed": BETWEEN_TICKS_S * ticks_per_s},
        })
    }

    /// Different instruments in all sessions.
    const fn instruments(&self) -> usize {
        match self.speech {
            Speech::Action => INSTRUMENTS,
            Speech::Diff { groups, .. } => INSTRUMENTS * groups,
        }
    }
}

/// Starts a fleet, puts the load on it, measures, and stops it.
pub(crate) fn measure(runtime: &Runtime, scenario: &Scenario) -> Measured {
    let plan = FleetPlan::new().simulated("bench", &scenario.script());
    let fleet = runtime.block_on(plan.start_ready());
    let mut load = match scenario.speech {
        Speech::Action => put_action(runtime, &fleet, scenario.sessions),
        Speech::Diff { groups, charts } => put_diff(runtime, &fleet, scenario, groups, charts),
    };
    let settled = monotonic_ns() + u64::try_from(SETTLE.as_nanos()).expect("a second");
    load.client.run(SETTLE, settled);
    let stats = runtime.block_on(fleet.frontend_stats());
    let used = cpu_of(&load.status);
    let own = cpu_seconds(std::process::id());
    let waited = Waited::so_far(&load.status);
    let seen = load.client.run(RUN, settled);
    let used_later = cpu_of(&load.status);
    let waited = Waited::so_far(&load.status).since(waited);
    let own_later = cpu_seconds(std::process::id());
    let memory_kib = frontend_memory_kib(&load.status);
    let beyond = load.before.as_ref().map(|before| before.grown_beyond_kib(memory_kib));
    let later = runtime.block_on(fleet.frontend_stats());
    runtime.block_on(fleet.stop());
    let cores = |used: f64| used / RUN.as_secs_f64();
    Measured {
        seen,
        lost: later.ring_lost - stats.ring_lost,
        merged: merged(scenario, &stats, &later),
        cores: Cores {
            worker: cores(used_later.0 - used.0),
            frontend: cores(used_later.1 - used.1),
            client: cores(own_later - own),
        },
        waited,
        memory_kib,
        session_kib: beyond.map(|kib| kib / scenario.sessions as f64),
    }
}

/// Names of instruments that the simulated library has: a hundred months of SHFE's products, one product after the other.
/// They are all months of the calendar, since bars are made for what is known to be a future of a product with hours.
pub(crate) fn instruments(count: usize) -> Vec<String> {
    const PRODUCTS: [&str; 10] = ["rb", "cu", "al", "zn", "ni", "sn", "au", "ag", "ru", "hc"];
    let month = |n: usize| 2601 + n / 12 * 100 + n % 12;
    let name = |n: usize| format!("{}{}", PRODUCTS[n / 100], month(n % 100));
    (0..count).map(name).collect()
}

/// Where clients connect.
pub(crate) fn frontend_address(runtime: &Runtime, fleet: &Fleet) -> SocketAddr {
    runtime.block_on(fleet.address()).parse().expect("host:port")
}

/// Processor time that the workers have used, and the frontends, seconds.
pub(crate) fn cpu_of(status: &FleetStatus) -> (f64, f64) {
    let sum = |pids: Vec<Option<u32>>| pids.into_iter().flatten().map(cpu_seconds).sum();
    (
        sum(status.workers.iter().map(|worker| worker.pid).collect()),
        sum(status.frontends.iter().map(|frontend| frontend.pid).collect()),
    )
}

fn put_action(runtime: &Runtime, fleet: &Fleet, sessions: usize) -> Load {
    let addr = frontend_address(runtime, fleet);
    let client = LoadClient::action(addr, sessions, &instruments(INSTRUMENTS));
    let status = all_ticking(runtime, fleet, INSTRUMENTS);
    Load { client, status, before: None, _onlooker: None }
}

fn put_diff(
    runtime: &Runtime,
    fleet: &Fleet,
    scenario: &Scenario,
    groups: usize,
    charts: bool,
) -> Load {
    let addr = frontend_address(runtime, fleet);
    let ids = instruments(scenario.instruments());
    // It peeks once and costs next to nothing from then on; it is there for the instruments to tick before the sessions come.
    let onlooker = LoadClient::diff(addr, std::iter::once(vec![requests::subscribe_quote(&ids)]));
    let status = all_ticking(runtime, fleet, ids.len());
    let before = MemoryBefore::look(&status);
    let lists: Vec<&[String]> = ids.chunks(INSTRUMENTS).collect();
    let requests = (0..scenario.sessions).map(|session| {
        let list = lists[session % groups];
        let mut requests = vec![requests::subscribe_quote(list)];
        if charts {
            requests.push(requests::set_chart(&list[session % list.len()]));
        }
        requests
    });
    let client = LoadClient::diff(addr, requests);
    Load { client, status, before: Some(before), _onlooker: Some(onlooker) }
}

fn all_ticking(runtime: &Runtime, fleet: &Fleet, instruments: usize) -> FleetStatus {
    runtime.block_on(
        fleet.status_when("every instrument ticking", |status| {
            status.ticking as usize == instruments
        }),
    )
}

/// Of the ticks between two looks at the counters: for how many copies of them nothing was sent.
fn merged(scenario: &Scenario, before: &FrontendStats, after: &FrontendStats) -> u64 {
    match scenario.speech {
        Speech::Action => (after.conflated + after.overrun) - (before.conflated + before.overrun),
        Speech::Diff { groups, .. } => {
            // An instrument is in one list only, and every list is that of as many sessions.
            let copies = (after.ticks - before.ticks) * (scenario.sessions / groups) as u64;
            // A tick may be counted already whose quote is not.
            copies.saturating_sub(after.pushed - before.pushed)
        }
    }
}

fn frontend_memory_kib(status: &FleetStatus) -> u64 {
    status.frontends.iter().filter_map(|frontend| frontend.pid).map(own_memory_kib).sum()
}

// === impl Waited ===

impl Waited {
    fn so_far(status: &FleetStatus) -> Self {
        let frontends = status.frontends.iter().filter_map(|frontend| frontend.pid);
        Self {
            frontend: frontends.map(waited_seconds).sum::<f64>() * 1e3,
            client: waited_seconds(std::process::id()) * 1e3,
        }
    }

    fn since(self, before: Self) -> Self {
        Self { frontend: self.frontend - before.frontend, client: self.client - before.client }
    }
}

// === impl MemoryBefore ===

impl MemoryBefore {
    /// Looks at it twice, two seconds apart.
    fn look(status: &FleetStatus) -> Self {
        const APART: Duration = Duration::from_secs(2);
        let earlier = frontend_memory_kib(status) as f64;
        std::thread::sleep(APART);
        let kib = frontend_memory_kib(status) as f64;
        let growth_kib_per_s = (kib - earlier) / APART.as_secs_f64();
        Self { kib, growth_kib_per_s, at_ns: monotonic_ns() }
    }

    /// What it has grown by until now beyond what it would have anyway, KiB.
    fn grown_beyond_kib(&self, now_kib: u64) -> f64 {
        let seconds = (monotonic_ns() - self.at_ns) as f64 / 1e9;
        now_kib as f64 - self.kib - self.growth_kib_per_s * seconds
    }
}

//! The fleet, its clients, and what is under way.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use qamd_tests::chance::Chance;
use qamd_tests::drill::{all_copies_tick, is_at_work, tell};
use qamd_tests::fleet::{Fleet, FleetPlan, Home};
use qamd_tests::processes;
use qamd_tests::stepped::SteppedMarket;
use qamd_tests::watch::eventually;
use qamd_tests::witness::Witness;
use serde_json::json;
use shm_layout::clock;
use shm_layout::control::{FleetStatus, WorkerProcess};
use tokio::sync::watch;

use crate::log::Log;
use crate::onlooker::Onlooker;

/// The market's period, milliseconds.
pub(crate) const EVERY_MS: i64 = 100;

/// How many connections there are.
pub(crate) const CONNECTIONS: usize = 5;
const CLIENTS: usize = 4;
const INSTRUMENTS: u32 = 60;
const COPIES: u32 = 2;

/// How often what is under way is looked after.
const TURN: Duration = Duration::from_millis(30);

/// How long a coordinator has to say how the fleet is, before it is taken for stopped.
const STATUS_WITHIN: Duration = Duration::from_millis(500);

/// Something that follows upon a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sequel {
    /// A stopped process goes on.
    Continue(u32),
    /// The service manager starts the coordinator anew.
    StartCoordinator,
}

/// Everything there is.
pub(crate) struct Scene {
    // Clients and readers go before the fleet.
    pub(crate) witnesses: Vec<Witness>,
    pub(crate) onlooker: Onlooker,
    pub(crate) fleet: Fleet,
    pub(crate) log: Log,
    pub(crate) has_coordinator: bool,
    pub(crate) agenda: Vec<(Instant, Sequel)>,
    /// The last status heard.
    pub(crate) status: FleetStatus,
    address: watch::Sender<String>,
}

// === impl Scene ===

impl Scene {
    /// A fleet at work, with its clients.
    pub(crate) async fn new() -> Self {
        let market = SteppedMarket::begin(EVERY_MS);
        let mut plan = FleetPlan::in_home(Home::new()).set("redundancy", COPIES);
        for number in 0..CONNECTIONS {
            plan = plan.connection(json!({
                "connection_id": format!("c{number}"),
                "broker_id": format!("100{number}"),
                "env": {"QAMD_SIM": market.script().to_string()},
            }));
        }
        let fleet = plan.start_ready().await;
        let onlooker = Onlooker::begin(&fleet, market);
        let address = watch::Sender::new(fleet.address().await);
        let instruments = SteppedMarket::instruments(INSTRUMENTS as usize);
        let witness = || Witness::begin(market, &instruments, address.subscribe());
        let witnesses = (0..CLIENTS).map(|_| witness()).collect();
        let status = fleet.status_when("everything ticks", is_settled).await;
        let (log, agenda) = (Log::default(), Vec::new());
        let scene = Self {
            witnesses,
            onlooker,
            fleet,
            log,
            has_coordinator: true,
            agenda,
            status,
            address,
        };
        scene.clients_go_on("at the beginning").await;
        scene
    }

    /// Lets faults happen until then.
    pub(crate) async fn disturb(&mut self, chance: &mut Chance, until: Instant, all_die: bool) {
        while clock::monotonic() < until {
            self.strike(chance, all_die).await;
            let pause = Duration::from_millis(chance.between(100, 1000) as u64);
            let next = (clock::monotonic() + pause).min(until);
            while clock::monotonic() < next {
                self.turn().await;
            }
        }
    }

    /// Does what is due, and looks how the fleet is.
    async fn turn(&mut self) {
        self.do_what_is_due();
        self.look().await;
        tokio::time::sleep(TURN).await;
    }

    fn do_what_is_due(&mut self) {
        let now = clock::monotonic();
        let (due, later) = self.agenda.drain(..).partition(|(at, _)| *at <= now);
        self.agenda = later;
        let due: Vec<(Instant, Sequel)> = due;
        for (_, sequel) in due {
            match sequel {
                Sequel::Continue(pid) => self.let_go_on(pid),
                Sequel::StartCoordinator => {
                    self.log.note("start coordinator".to_owned());
                    self.fleet.run();
                    self.has_coordinator = true;
                }
            }
        }
    }

    fn let_go_on(&mut self, pid: u32) {
        // It may be dead by now, and its number another's.
        if self.fleet.processes().iter().any(|process| process.pid == pid) {
            processes::signal(pid, Signal::SIGCONT);
            self.log.note(format!("continue process {pid}"));
        }
        self.log.went_on(pid);
    }

    /// Asks how the fleet is; `None` when nobody answers.
    async fn look(&mut self) -> Option<FleetStatus> {
        let asked_ms = clock::unix_ms();
        let answer = tokio::time::timeout(STATUS_WITHIN, self.fleet.status()).await;
        let status = answer.ok().flatten()?;
        self.log.heard(&status, asked_ms, is_settled(&status));
        if let Some(frontend) = status.frontends.first()
            && !frontend.listening_on.is_empty()
            && frontend.listening_on != *self.address.borrow()
        {
            self.address.send_replace(frontend.listening_on.clone());
        }
        let is_stopped = |pid| self.agenda.iter().any(|(_, to)| *to == Sequel::Continue(pid));
        if status.frontends.iter().all(|frontend| !frontend.pid.is_some_and(is_stopped)) {
            self.log.frontend_caught_up();
        }
        self.status = status.clone();
        Some(status)
    }

    /// Ends all faults and waits until nothing of them is to be seen any more.
    pub(crate) async fn recover(&mut self, what: &str) {
        self.log.note(format!("recover {what}"));
        for (at, _) in &mut self.agenda {
            *at = clock::monotonic();
        }
        self.do_what_is_due();
        let begun = clock::monotonic();
        let mut asked = Vec::new();
        loop {
            assert!(begun.elapsed() < qamd_tests::watch::WATCHDOG, "{what}: {:#?}", self.status);
            let Some(status) = self.look().await else {
                tokio::time::sleep(TURN).await;
                continue;
            };
            if is_settled(&status) && status.workers.iter().all(is_at_work) {
                break;
            }
            // Nobody waits for back-offs here.
            for worker in &status.workers {
                let id = worker.connection_id.to_string();
                let verb = match worker.process {
                    WorkerProcess::BackingOff => "restart",
                    _ if worker.wish.is_some() => "enable",
                    _ => continue,
                };
                if !asked.contains(&(id.clone(), verb)) {
                    tell(&self.fleet, &[verb, &id]).await;
                    asked.push((id, verb));
                }
            }
            tokio::time::sleep(TURN).await;
        }
        self.clients_go_on(what).await;
        self.hear_all_counted().await;
    }

    /// Counters come once a second: waits for two more reports of the frontend.
    async fn hear_all_counted(&mut self) {
        for _ in 0..2 {
            let ticks = |status: &FleetStatus| status.frontends[0].stats.ticks;
            let before = ticks(&self.status);
            let status = self.fleet.status_when("a report", |status| ticks(status) != before).await;
            self.log.heard(&status, clock::unix_ms(), false);
            self.status = status;
        }
    }

    /// Waits until everything is where it is to be, by the workers' own counts, too.
    pub(crate) async fn settled(&self, what: &str) -> FleetStatus {
        self.fleet.status_when(what, |status| is_settled(status) && is_carried(status)).await
    }

    /// Looks whether every instrument has its connections, and one of them is the primary.
    pub(crate) fn assert_all_carried_twice(&self, status: &FleetStatus) {
        let primaries: u32 = status.workers.iter().map(|worker| worker.primary).sum();
        assert_eq!(primaries, INSTRUMENTS, "one primary each: {status:#?}");
        assert!(status.workers.iter().all(is_at_work), "{status:#?}");
    }

    /// Ends it all; nothing may be left.
    pub(crate) async fn end(mut self) {
        self.witnesses.clear();
        assert_eq!(self.onlooker.end(), 0, "a reader that nothing was done to lost ticks");
        let Self { fleet, .. } = self;
        fleet.stop().await;
    }

    async fn clients_go_on(&self, what: &str) {
        for witness in &self.witnesses {
            let reached = witness.account().reached();
            eventually(&format!("all clients see all instruments go on {what}"), async || {
                let account = witness.account();
                let all = account.instruments() == INSTRUMENTS as usize;
                (all && account.reached() > reached + 3).then_some(())
            })
            .await;
        }
    }
}

fn is_settled(status: &FleetStatus) -> bool {
    all_copies_tick(status, INSTRUMENTS, COPIES)
}

/// True when the workers say themselves that they carry what is placed on them, and nothing else.
fn is_carried(status: &FleetStatus) -> bool {
    let said: u32 = status.workers.iter().map(|worker| worker.stats.instruments).sum();
    said == INSTRUMENTS * COPIES
}

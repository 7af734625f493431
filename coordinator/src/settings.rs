//! What the children of this fleet are started with, what was found running of it, and what changes when the
//! configuration is read again.

use std::path::PathBuf;
use std::time::Duration;

use shm_layout::{ConnectionId, WorkerId};

use crate::config::{Config, Connection, Files, notices};
use crate::fleet::{FleetPlan, Found, PlannedConnection, Reload};
use crate::launch::{Launch, Places};
use crate::launched::{Launched, LaunchedWorker};
use shm_layout::lock_file::{LockState, probe};

/// A checked configuration with everything a start adds to it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The configuration.
    pub config: Config,
    /// Where things are.
    pub places: Places,
    /// What the files it names hold.
    pub files: Files,
    /// The workers' numbers, and with which settings they run.
    memory: Launched,
}

// === impl Settings ===

impl Settings {
    /// The settings of a start; an earlier coordinator's memory keeps the workers' numbers.
    #[must_use]
    pub fn new(config: Config, places: Places, files: Files, memory: &Launched) -> Self {
        let mut settings = Self { config, places, files, memory: memory.clone() };
        let ids: Vec<ConnectionId> =
            settings.config.connections.iter().map(|c| c.connection_id).collect();
        for (connection, number) in settings.config.connections.iter().zip(memory.numbers(&ids)) {
            let known = memory.workers.get(&connection.connection_id);
            let worker = LaunchedWorker {
                number,
                // What it was started with, until it is started with something else.
                settings: known.map(|known| known.settings.clone()).unwrap_or_default(),
                broker_id: Some(connection.broker_id),
                front_addr: Some(connection.front_addr.clone()),
            };
            settings.memory.workers.insert(connection.connection_id, worker);
        }
        settings
    }

    /// A worker is about to be started with our settings. A memory that is ahead of a process which never came to be does
    /// no harm: its lock file is free.
    pub fn starts_worker(&mut self, id: &ConnectionId) {
        let ours = self.worker(id).map(|launch| launch.fingerprint());
        if let Some(worker) = self.memory.workers.get_mut(id) {
            worker.settings = ours.unwrap_or_default();
        }
    }

    /// The frontend is about to be started with our settings.
    pub fn starts_frontend(&mut self) {
        self.memory.frontend = Some(self.frontend(None).fingerprint());
    }

    fn connection(&self, id: &ConnectionId) -> Option<&Connection> {
        self.config.connections.iter().find(|connection| connection.connection_id == *id)
    }

    /// A connection's worker's number.
    fn number(&self, id: &ConnectionId) -> WorkerId {
        self.memory.workers.get(id).map_or(WorkerId(u32::MAX), |worker| worker.number)
    }

    /// How the worker of a connection is started; `None` when it is not configured.
    #[must_use]
    pub fn worker(&self, id: &ConnectionId) -> Option<Launch> {
        let connection = self.connection(id)?;
        Some(Launch::worker(&self.config, &self.places, connection, self.number(id)))
    }

    /// How the frontend is started: again at the port it was given, when the system may choose one.
    #[must_use]
    pub fn frontend(&self, port_before: Option<u16>) -> Launch {
        let port = match self.config.websocket_port {
            0 => port_before.unwrap_or(0),
            port => port,
        };
        Launch::frontend(&self.config, &self.places, port)
    }

    /// The lock file of a connection's worker.
    #[must_use]
    pub fn worker_lock(&self, id: &ConnectionId) -> PathBuf {
        self.places.paths.worker_lock(id)
    }

    /// What is to be remembered for the coordinator that comes after.
    #[must_use]
    pub const fn memory(&self) -> &Launched {
        &self.memory
    }

    /// The fleet to begin with, given what an earlier coordinator remembered of what runs already.
    #[must_use]
    pub fn plan(&self, memory: &Launched) -> FleetPlan {
        let connections = self.config.connections.iter().map(|connection| {
            let remembered = memory
                .workers
                .get(&connection.connection_id)
                .map(|worker| worker.settings.as_str());
            let ours = self.worker(&connection.connection_id);
            let lock = self.worker_lock(&connection.connection_id);
            let found = ours.map_or(Found::Nothing, |ours| found(&lock, remembered, &ours));
            PlannedConnection { found, ..self.planned(connection) }
        });
        let frontend_lock = self.places.paths.frontend_lock();
        FleetPlan {
            instance: self.config.instance,
            connections: connections.collect(),
            strays: self.strays(memory),
            frontend: found(&frontend_lock, memory.frontend.as_deref(), &self.frontend(None)),
            universe: self.files.universe.listed(),
            always_on: self.files.universe.always_on(),
            auto_failover: self.config.auto_failover,
            strategy: self.config.load_balance_strategy,
            redundancy: self.config.redundancy as usize,
            hours: self.files.hours.clone(),
            http_address: String::new(),
            notices: notices(&self.config),
        }
    }

    /// Workers that run for connections which are not configured any more.
    fn strays(&self, memory: &Launched) -> Vec<PlannedConnection> {
        let unknown = memory.workers.iter().filter(|(id, _)| self.connection(id).is_none());
        let running = unknown.filter_map(|(id, worker)| {
            let LockState::Held { pid } = probe(&self.worker_lock(id)) else { return None };
            Some(PlannedConnection {
                connection_id: *id,
                worker: worker.number,
                broker_id: worker.broker_id?,
                front_addr: worker.front_addr.clone()?,
                max_subscriptions: 0,
                priority: 0,
                enabled: false,
                found: Found::Outdated { pid },
            })
        });
        running.collect()
    }

    fn planned(&self, connection: &Connection) -> PlannedConnection {
        PlannedConnection {
            connection_id: connection.connection_id,
            worker: self.number(&connection.connection_id),
            broker_id: connection.broker_id,
            front_addr: connection.front_addr.clone(),
            max_subscriptions: connection.max_subscriptions,
            priority: connection.priority,
            enabled: connection.enabled,
            found: Found::Nothing,
        }
    }

    /// The settings of a configuration that was read again, what they change of the fleet, and what of them only the next
    /// start brings, in lines for a person.
    #[must_use]
    pub fn reload(&self, config: Config, files: Files) -> (Self, Reload, Vec<String>) {
        let later = self.only_at_a_start(&config);
        // What a running fleet cannot change stays as it is, so that nothing half of it happens.
        let config = Config {
            instance: self.config.instance,
            runtime_dir: self.config.runtime_dir.clone(),
            websocket_host: self.config.websocket_host.clone(),
            websocket_port: self.config.websocket_port,
            http_port: self.config.http_port,
            ..config
        };
        let settings = Self::new(config, self.places.clone(), files, &self.memory);
        let connections = settings.config.connections.iter().map(|connection| {
            let id = &connection.connection_id;
            let ours = settings.worker(id).map(|launch| launch.fingerprint());
            let runs_with = settings.memory.workers.get(id).map(|worker| worker.settings.clone());
            (settings.planned(connection), ours != runs_with)
        });
        let said = self.changed_keys(&settings);
        let reload = Reload {
            connections: connections.collect(),
            strategy: settings.config.load_balance_strategy,
            redundancy: settings.config.redundancy as usize,
            auto_failover: settings.config.auto_failover,
            universe: settings.files.universe.listed(),
            always_on: settings.files.universe.always_on(),
            hours: settings.files.hours.clone(),
            notices: notices(&settings.config),
            said,
        };
        (settings, reload, later)
    }

    /// Changes that show nowhere else, in lines for a person.
    fn changed_keys(&self, other: &Self) -> Vec<String> {
        let (own, new) = (&self.config, &other.config);
        let seconds = |key: &str, before: Duration, now: Duration| {
            (before != now).then(|| format!("{key} is {} s now", now.as_secs()))
        };
        let hours = self.files.hours != other.files.hours;
        [
            seconds("health_check_interval", own.health_check_interval, new.health_check_interval),
            seconds("maintenance_interval", own.maintenance_interval, new.maintenance_interval),
            hours.then(|| {
                "trading hours or calendar have changed; the frontend's bars follow at its next start"
                    .to_owned()
            }),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn only_at_a_start(&self, other: &Config) -> Vec<String> {
        let own = &self.config;
        let differing = [
            ("instance", own.instance != other.instance),
            ("runtime_dir", own.runtime_dir != other.runtime_dir),
            ("websocket_host", own.websocket_host != other.websocket_host),
            ("websocket_port", own.websocket_port != other.websocket_port),
            ("http_port", own.http_port != other.http_port),
            ("qamddata_name", own.qamddata_name != other.qamddata_name),
            ("shm_group", own.shm_group != other.shm_group),
        ];
        let differing = differing.into_iter().filter(|(_, differs)| *differs);
        differing.map(|(key, _)| format!("{key} has changed; it takes a restart of qamd")).collect()
    }
}

/// What runs behind a lock file. What nobody remembers is taken as it is: it will say hello.
fn found(lock: &std::path::Path, remembered: Option<&str>, ours: &Launch) -> Found {
    match probe(lock) {
        LockState::Free => Found::Nothing,
        LockState::Held { pid } => match remembered {
            Some(settings) if settings != ours.fingerprint() => Found::Outdated { pid },
            _ => Found::Running { pid },
        },
    }
}

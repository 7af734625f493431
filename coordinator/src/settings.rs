//! What the children of this fleet are started with, and what was found running of it.

use std::path::PathBuf;

use shm_layout::WorkerId;
use shm_layout::control::ListedInstrument;
use shm_layout::{ConnectionId, InstrumentId};

use crate::config::{Config, Connection, notices};
use crate::fleet::{FleetPlan, Found, PlannedConnection};
use crate::instruments::Universe;
use crate::launch::{Launch, Places};
use crate::launched::{Launched, LaunchedWorker};
use crate::lock_file::{LockState, probe};

/// A checked configuration with everything a start adds to it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The configuration.
    pub config: Config,
    /// Where things are.
    pub places: Places,
    /// The universe.
    pub universe: Universe,
    /// The workers' numbers, in the order of the connections.
    pub numbers: Vec<WorkerId>,
}

// === impl Settings ===

impl Settings {
    /// The settings of a start; an earlier coordinator's memory keeps the workers' numbers.
    #[must_use]
    pub fn new(config: Config, places: Places, universe: Universe, memory: &Launched) -> Self {
        let ids: Vec<ConnectionId> = config.connections.iter().map(|c| c.connection_id).collect();
        let numbers = memory.numbers(&ids);
        Self { config, places, universe, numbers }
    }

    /// How the worker of a connection is started.
    #[must_use]
    pub fn worker(&self, index: usize) -> Launch {
        Launch::worker(
            &self.config,
            &self.places,
            &self.config.connections[index],
            self.numbers[index],
        )
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
    pub fn worker_lock(&self, index: usize) -> PathBuf {
        self.places.paths.worker_lock(&self.config.connections[index].connection_id)
    }

    /// What is to be remembered for the coordinator that comes after.
    #[must_use]
    pub fn memory(&self) -> Launched {
        let enabled =
            self.config.connections.iter().enumerate().filter(|(_, connection)| connection.enabled);
        let worker = |(index, connection): (usize, &Connection)| {
            let settings = self.worker(index).fingerprint();
            (connection.connection_id, LaunchedWorker { number: self.numbers[index], settings })
        };
        Launched {
            workers: enabled.map(worker).collect(),
            frontend: Some(self.frontend(None).fingerprint()),
        }
    }

    /// The fleet to begin with, given what runs of it already.
    #[must_use]
    pub fn plan(&self, memory: &Launched) -> FleetPlan {
        let connections = self.config.connections.iter().enumerate().map(|(index, connection)| {
            let remembered = memory
                .workers
                .get(&connection.connection_id)
                .map(|worker| worker.settings.as_str());
            PlannedConnection {
                connection_id: connection.connection_id,
                worker: self.numbers[index],
                broker_id: connection.broker_id,
                front_addr: connection.front_addr.clone(),
                max_subscriptions: connection.max_subscriptions,
                priority: connection.priority,
                enabled: connection.enabled,
                found: found(&self.worker_lock(index), remembered, &self.worker(index)),
            }
        });
        let frontend_lock = self.places.paths.frontend_lock();
        FleetPlan {
            instance: self.config.instance,
            connections: connections.collect(),
            frontend: found(&frontend_lock, memory.frontend.as_deref(), &self.frontend(None)),
            universe: self.listed(),
            always_on: self.always_on(),
            auto_failover: self.config.auto_failover,
            http_address: String::new(),
            notices: notices(&self.config),
        }
    }

    fn listed(&self) -> Vec<ListedInstrument> {
        self.universe.listed()
    }

    fn always_on(&self) -> Vec<InstrumentId> {
        self.universe.always_on()
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

//! The configuration: read once, checked whole, before anything happens.
//!
//! [`Config::parse`] is pure: text in, configuration or all faults out. [`load`] reads files.

mod connection;
mod fault;
mod json;
mod load;
mod nearest;
mod notices;
mod section;
mod strategy;

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use shm_layout::shared_memory::Place;
use shm_layout::{BrokerId, ConnectionId, FleetPaths, FrontAddr, Instance};

use crate::limits::CONNECTIONS_MAX;
use section::{Section, kind};

pub use connection::{Connection, MAX_SUBSCRIPTIONS_DEFAULT, PRIORITY_DEFAULT, Password};
pub use fault::{Fault, Faults};
pub use load::{Files, load, load_files, locate, read_text};
pub use notices::notices;
pub use strategy::{Strategy, StrategyError};

/// A fleet's configuration, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where WebSocket clients connect, and the host of the HTTP port too.
    pub websocket_host: String,
    /// The WebSocket port; 0 lets the system choose.
    pub websocket_port: u16,
    /// The port of status and metrics; 0 lets the system choose.
    pub http_port: u16,
    /// Redis, when ticks are to go there.
    pub redis: Option<Redis>,
    /// How instruments find their connection.
    pub load_balance_strategy: Strategy,
    /// How often the children are checked for life.
    pub health_check_interval: Duration,
    /// How often remains of dead processes are cleared away.
    pub maintenance_interval: Duration,
    /// Quick retries before the slow ones.
    pub max_retry_count: u32,
    /// Whether instruments leave a lost connection.
    pub auto_failover: bool,
    /// Connections per instrument.
    pub redundancy: u32,
    /// The fleet's name.
    pub instance: Instance,
    /// The runtime directory; `None` is the usual one.
    pub runtime_dir: Option<PathBuf>,
    /// The directory of the connections' flow directories.
    pub flow_dir: PathBuf,
    /// The name of the Boost segment; `None` for none.
    pub qamddata_name: Option<String>,
    /// The group whose members may open the segments in shared memory; `None` is the process's own.
    pub shm_group: Option<String>,
    /// The CTP library of connections that name none.
    pub ctp_library: PathBuf,
    /// Whether a library whose version cannot be read may be used.
    pub ctp_allow_unknown_version: bool,
    /// The instruments file, when the file names one.
    pub instruments: Option<PathBuf>,
    /// The list of holidays, when the file names one.
    pub calendar: Option<PathBuf>,
    /// When products trade, where that differs from what is built in.
    pub trading_hours: Option<PathBuf>,
    /// The connections, in the order of the file.
    pub connections: Vec<Connection>,
}

/// Where Redis listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redis {
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// The WebSocket port when nothing says otherwise.
pub const WEBSOCKET_PORT_DEFAULT: u16 = 7799;
/// The HTTP port when nothing says otherwise.
pub const HTTP_PORT_DEFAULT: u16 = 7798;
/// The instruments file that is read when it is there and none is named.
pub const INSTRUMENTS_DEFAULT: &str = "config/instruments.csv";
/// The library when nothing says otherwise.
pub const CTP_LIBRARY_DEFAULT: &str = "libs/thostmduserapi_se.so";

/// The Boost segment's name when nothing says otherwise.
pub const QAMDDATA_NAME_DEFAULT: &str = "qamddata";

const REDIS_PORT_DEFAULT: u16 = 6379;

const KEYS: [&str; 22] = [
    "websocket_host",
    "websocket_port",
    "http_port",
    "redis_host",
    "redis_port",
    "load_balance_strategy",
    "health_check_interval",
    "maintenance_interval",
    "max_retry_count",
    "auto_failover",
    "redundancy",
    "instance",
    "runtime_dir",
    "flow_dir",
    "qamddata_name",
    "shm_group",
    "ctp_library",
    "ctp_allow_unknown_version",
    "instruments",
    "calendar",
    "trading_hours",
    "connections",
];

// === impl Config ===

impl Config {
    /// The configuration of a fleet with these connections and every other key at its default.
    #[must_use]
    pub fn of(connections: Vec<Connection>) -> Self {
        Self {
            websocket_host: "127.0.0.1".into(),
            websocket_port: WEBSOCKET_PORT_DEFAULT,
            http_port: HTTP_PORT_DEFAULT,
            redis: None,
            load_balance_strategy: Strategy::default(),
            health_check_interval: Duration::from_secs(30),
            maintenance_interval: Duration::from_secs(60),
            max_retry_count: 3,
            auto_failover: true,
            redundancy: 1,
            instance: Instance::default(),
            runtime_dir: None,
            flow_dir: "./ctpflow".into(),
            qamddata_name: Some(QAMDDATA_NAME_DEFAULT.into()),
            shm_group: None,
            ctp_library: CTP_LIBRARY_DEFAULT.into(),
            ctp_allow_unknown_version: false,
            instruments: None,
            calendar: None,
            trading_hours: None,
            connections,
        }
    }

    /// The configuration of one connection, as the command line gives it. With one connection there is nothing to
    /// balance and nothing to fail over to, so neither is asked for.
    #[must_use]
    pub fn single(front_addr: FrontAddr, broker_id: BrokerId, connection_id: ConnectionId) -> Self {
        let connection = Connection {
            connection_id,
            front_addr,
            broker_id,
            max_subscriptions: MAX_SUBSCRIPTIONS_DEFAULT,
            priority: PRIORITY_DEFAULT,
            enabled: true,
            user_id: None,
            password: None,
            ctp_library: None,
            env: std::collections::BTreeMap::new(),
        };
        Self {
            load_balance_strategy: Strategy::RoundRobin,
            auto_failover: false,
            ..Self::of(vec![connection])
        }
    }

    /// The library of one connection.
    #[must_use]
    pub fn library_of<'a>(&'a self, connection: &'a Connection) -> &'a PathBuf {
        connection.ctp_library.as_ref().unwrap_or(&self.ctp_library)
    }

    /// Reads a configuration.
    ///
    /// # Errors
    /// Every fault of the text, each with its place.
    pub fn parse(text: &str) -> Result<Self, Vec<Fault>> {
        let faults = RefCell::new(Vec::new());
        let config = json::parse(text, &faults).and_then(|document| Self::read(&document, &faults));
        let faults = faults.into_inner();
        match config {
            Some(config) if faults.is_empty() => Ok(config),
            _ => Err(faults),
        }
    }

    /// Where the fleet of a configuration lives: its instance and its runtime directory.
    ///
    /// # Errors
    /// What is wrong with the text as JSON, or with these two keys.
    pub fn locate(text: &str) -> Result<(Instance, Option<PathBuf>), Vec<Fault>> {
        let faults = RefCell::new(Vec::new());
        let located = json::parse(text, &faults).and_then(|document| {
            // What is wrong with other keys is no concern here.
            let others = RefCell::new(Vec::new());
            let mut config = Self::of(Vec::new());
            config.read_places(&Section::of(String::new(), &document, &KEYS, &others)?);
            let own = |fault: &Fault| ["instance", "runtime_dir"].contains(&fault.place.as_str());
            faults.replace(others.into_inner().into_iter().filter(own).collect());
            Some((config.instance, config.runtime_dir))
        });
        match (located, faults.into_inner()) {
            (Some(located), faults) if faults.is_empty() => Ok(located),
            (_, faults) => Err(faults),
        }
    }

    fn read(document: &Value, faults: &RefCell<Vec<Fault>>) -> Option<Self> {
        let section = Section::of(String::new(), document, &KEYS, faults)?;
        let connections = read_connections(&section, faults);
        let mut config = Self::of(connections);
        config.read_ports(&section);
        config.read_policies(&section);
        config.read_places(&section);
        Some(config)
    }

    fn read_ports(&mut self, section: &Section<'_>) {
        let port = |key: &str, least: u64| {
            section.number(key, least..=65_535).and_then(|port| u16::try_from(port).ok())
        };
        if let Some(host) = section.line("websocket_host") {
            if host.chars().any(|c| c.is_whitespace() || c == '/') {
                section.fault("websocket_host", format!("{host:?} is not a host name or an IP address, as \"127.0.0.1\" or \"0.0.0.0\""));
            }
            self.websocket_host = host.to_owned();
        }
        self.websocket_port = port("websocket_port", 0).unwrap_or(self.websocket_port);
        self.http_port = port("http_port", 0).unwrap_or(self.http_port);
        if self.websocket_port == self.http_port && self.http_port != 0 {
            let key = if section.gives("http_port") { "http_port" } else { "websocket_port" };
            section.fault(
                key,
                format!(
                    "websocket_port and http_port are both {}; they must differ",
                    self.http_port
                ),
            );
        }
        let redis_port = port("redis_port", 1);
        self.redis = section.line("redis_host").map(|host| Redis {
            host: host.to_owned(),
            port: redis_port.unwrap_or(REDIS_PORT_DEFAULT),
        });
        if section.gives("redis_port") && !section.gives("redis_host") {
            section
                .fault("redis_port", "is given without redis_host; give redis_host or remove it");
        }
    }

    fn read_policies(&mut self, section: &Section<'_>) {
        let number =
            |key: &str, range| section.number(key, range).and_then(|n| u32::try_from(n).ok());
        let seconds = |key: &str, most: u64| section.number(key, 1..=most).map(Duration::from_secs);
        if let Some(strategy) = section.parsed("load_balance_strategy") {
            self.load_balance_strategy = strategy;
        }
        self.health_check_interval =
            seconds("health_check_interval", 3600).unwrap_or(self.health_check_interval);
        self.maintenance_interval =
            seconds("maintenance_interval", 86_400).unwrap_or(self.maintenance_interval);
        self.max_retry_count = number("max_retry_count", 0..=1000).unwrap_or(self.max_retry_count);
        self.auto_failover = section.flag("auto_failover").unwrap_or(self.auto_failover);
        self.redundancy = number("redundancy", 1..=8).unwrap_or(self.redundancy);
        self.ctp_allow_unknown_version =
            section.flag("ctp_allow_unknown_version").unwrap_or(self.ctp_allow_unknown_version);
    }

    fn read_places(&mut self, section: &Section<'_>) {
        let path = |key: &str| section.line(key).map(PathBuf::from);
        if let Some(instance) = section.parsed("instance") {
            self.instance = instance;
        }
        self.runtime_dir = path("runtime_dir");
        if let Some(dir) = &self.runtime_dir
            && let Err(error) = FleetPaths::new(self.instance, dir.clone())
        {
            section.fault("runtime_dir", error.to_string());
        }
        if let Some(dir) = path("flow_dir") {
            self.flow_dir = dir;
        }
        if let Some(library) = path("ctp_library") {
            self.ctp_library = library;
        }
        self.instruments = path("instruments");
        self.calendar = path("calendar");
        self.trading_hours = path("trading_hours");
        self.shm_group = section.line("shm_group").map(str::to_owned);
        match section.value("qamddata_name") {
            None => {}
            Some(Value::Null) => self.qamddata_name = None,
            Some(_) => self.qamddata_name = section.line("qamddata_name").map(str::to_owned),
        }
        let Some(name) = &self.qamddata_name else { return };
        if FleetPaths::takes_name(&self.instance, name) || Place::is_beside(name) {
            let what = format!(
                "{name:?} is a name that the fleet has in shared memory for something else"
            );
            section.fault("qamddata_name", what);
        }
        if !Place::is_name(name) {
            section.fault("qamddata_name", format!("{name:?} is not the name of a shared memory segment (letters, digits, '_', '-' or '.', which is not the first); null for none"));
        }
    }
}

fn read_connections(section: &Section<'_>, faults: &RefCell<Vec<Fault>>) -> Vec<Connection> {
    let key = "connections";
    section.require(key, "[{\"connection_id\": \"simnow\", \"front_addr\": \"tcp://182.254.243.31:30011\", \"broker_id\": \"9999\"}]");
    let Some(value) = section.value(key) else { return Vec::new() };
    let Value::Array(entries) = value else {
        section.fault(key, format!("must be a list [...], not {}", kind(value)));
        return Vec::new();
    };
    if entries.is_empty() {
        section.fault(key, "is empty; give at least one connection");
    }
    if entries.len() > CONNECTIONS_MAX {
        section.fault(
            key,
            format!("has {} entries; at most {CONNECTIONS_MAX} are possible", entries.len()),
        );
        return Vec::new();
    }
    let faults_before = faults.borrow().len();
    let mut connections = Vec::new();
    let mut first_at = HashMap::new();
    for (index, entry) in entries.iter().enumerate() {
        let place = format!("{key}[{index}]");
        // Asked of the text, since an entry with other faults must not hide this one.
        if let Some(id) = entry.get("connection_id").and_then(Value::as_str) {
            let first = *first_at.entry(id).or_insert(index);
            if first != index {
                section.fault(
                    &format!("{place}.connection_id"),
                    format!(
                        "\"{id}\" is already the name of {key}[{first}]; each connection needs a name of its own"
                    ),
                );
            }
        }
        connections.extend(Connection::read(place, entry, faults));
    }
    let sound = faults.borrow().len() == faults_before;
    if sound && !connections.is_empty() && connections.iter().all(|connection| !connection.enabled)
    {
        section.fault(key, "none is enabled; set \"enabled\": true on at least one");
    }
    connections
}

#[cfg(test)]
mod tests;

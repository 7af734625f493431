//! What a fleet is to be.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::home::Home;
use super::running::Fleet;
use crate::binaries;

/// A fleet's configuration under construction. Ports are 0, so that fleets never collide.
#[derive(Debug)]
pub struct FleetPlan {
    home: Home,
    keys: Map<String, Value>,
    connections: Vec<Value>,
    environment: Vec<(String, String)>,
}

impl FleetPlan {
    /// A fleet without connections in a home of its own.
    #[must_use]
    #[expect(
        clippy::new_without_default,
        reason = "a default that makes a directory would surprise"
    )]
    pub fn new() -> Self {
        Self::in_home(Home::new())
    }

    /// A fleet without connections in a home that exists.
    ///
    /// # Panics
    /// When the library was not built.
    #[must_use]
    pub fn in_home(home: Home) -> Self {
        let keys = json!({
            "instance": home.instance().to_string(),
            "runtime_dir": home.path("run"),
            "flow_dir": home.path("flow"),
            "websocket_host": "127.0.0.1",
            "websocket_port": 0,
            "http_port": 0,
            "qamddata_name": format!("{}_data", home.instance()),
            "load_balance_strategy": "round_robin",
            "ctp_library": binaries::simulated_library(),
        });
        let Value::Object(keys) = keys else { unreachable!("an object was written above") };
        Self { home, keys, connections: Vec::new(), environment: Vec::new() }
    }

    /// One more connection on the simulated library, which does as `script` says.
    #[must_use]
    pub fn simulated(self, connection_id: &str, script: &Value) -> Self {
        self.connection(json!({
            "connection_id": connection_id,
            "env": {"QAMD_SIM": script.to_string()},
        }))
    }

    /// One more connection; what is not given gets a value.
    ///
    /// # Panics
    /// When `connection` is no object.
    #[must_use]
    pub fn connection(mut self, connection: Value) -> Self {
        let mut whole = json!({
            // Nothing listens there; the simulated library does not care.
            "front_addr": "tcp://127.0.0.1:1",
            "broker_id": "9999",
            "max_subscriptions": 1000,
            "priority": 1,
            "enabled": true,
        });
        let given = connection.as_object().expect("a connection is an object").clone();
        whole.as_object_mut().expect("an object was written above").extend(given);
        self.connections.push(whole);
        self
    }

    /// Sets a key of the configuration.
    #[must_use]
    pub fn set(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.keys.insert(key.to_owned(), value.into());
        self
    }

    /// Sets a variable of the coordinator's environment.
    #[must_use]
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Lists instruments: the text of the file that `instruments` names.
    #[must_use]
    pub fn instruments(self, csv: &str) -> Self {
        let path = self.home.write("instruments.csv", csv);
        self.set("instruments", path.display().to_string())
    }

    /// Writes the configuration and starts nothing.
    ///
    /// # Panics
    /// When it cannot be written.
    #[must_use]
    pub fn prepare(self) -> Fleet {
        let config = self.write();
        Fleet::prepared(self.home, config, self.environment)
    }

    /// Starts the fleet and waits until the frontend serves and every enabled worker has said hello.
    ///
    /// # Panics
    /// When the coordinator ends, or the watchdog is through.
    pub async fn start(self) -> Fleet {
        let mut fleet = self.prepare();
        fleet.run();
        fleet.wait_serving().await;
        fleet
    }

    /// As [`Self::start`], and waits until every enabled worker is logged in.
    ///
    /// # Panics
    /// As [`Self::start`].
    pub async fn start_ready(self) -> Fleet {
        let fleet = self.start().await;
        fleet.wait_ready().await;
        fleet
    }

    fn write(&self) -> PathBuf {
        let mut keys = self.keys.clone();
        keys.insert("connections".to_owned(), Value::Array(self.connections.clone()));
        let text = serde_json::to_string_pretty(&keys).expect("a configuration is JSON");
        self.home.write("qamd.json", text)
    }
}

//! What a child is started with. Pure: the command line and the environment as the contract between processes names them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use shm_layout::{FleetPaths, WorkerId};

use crate::config::{Config, Connection};

/// The programs of a fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// One broker's connection.
    Worker,
    /// The WebSocket frontend.
    Frontend,
}

/// A child's command line and environment.
#[derive(Clone, PartialEq, Eq)]
pub struct Launch {
    /// The program.
    pub program: Program,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Added to the coordinator's own environment.
    pub env: Vec<(String, String)>,
}

// The environment may hold a password.
impl std::fmt::Debug for Launch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Launch")
            .field("program", &self.program)
            .field("args", &self.args)
            .finish_non_exhaustive()
    }
}

/// The paths of a configuration made absolute, so that the working directory is asked for once.
#[derive(Debug, Clone)]
pub struct Places {
    /// The working directory.
    pub working_dir: PathBuf,
    /// The fleet's runtime directory and names.
    pub paths: FleetPaths,
}

// === impl Program ===

impl Program {
    /// The name of its executable file.
    #[must_use]
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::Worker => "qamd-ctp-worker",
            Self::Frontend => "qamd-ws-frontend",
        }
    }
}

// === impl Launch ===

impl Launch {
    /// A connection's worker.
    #[must_use]
    pub fn worker(
        config: &Config,
        places: &Places,
        connection: &Connection,
        number: WorkerId,
    ) -> Self {
        let id = connection.connection_id;
        let mut launch = Self::new(Program::Worker, places);
        launch.arg("--flow-dir", places.absolute(&config.flow_dir).join(id.as_str()));
        launch.arg("--connection-id", id.as_str());
        launch.arg("--worker", number.to_string());
        launch.arg("--front-addr", connection.front_addr.to_string());
        launch.arg("--broker-id", connection.broker_id.as_str());
        launch.arg("--ctp-library", places.absolute(config.library_of(connection)));
        launch.arg("--max-subscriptions", connection.max_subscriptions.to_string());
        launch.arg("--quick-retries", config.max_retry_count.to_string());
        if let Some(user) = &connection.user_id {
            launch.arg("--user-id", user);
        }
        if let Some(calendar) = &config.calendar {
            launch.arg("--calendar", places.absolute(calendar));
        }
        if config.ctp_allow_unknown_version {
            launch.args.push("--allow-unknown-version".into());
        }
        launch.env.extend(connection.env.clone());
        if let Some(password) = &connection.password {
            launch.env.push(("QAMD_PASSWORD".into(), password.reveal().into()));
        }
        launch
    }

    /// The WebSocket frontend at a port: the configured one, or the one it had before when the system may choose.
    #[must_use]
    pub fn frontend(config: &Config, places: &Places, port: u16) -> Self {
        let mut launch = Self::new(Program::Frontend, places);
        launch.arg("--host", &config.websocket_host);
        launch.arg("--port", port.to_string());
        if let Some(calendar) = &config.calendar {
            launch.arg("--calendar", places.absolute(calendar));
        }
        if let Some(hours) = &config.trading_hours {
            launch.arg("--trading-hours", places.absolute(hours));
        }
        launch
    }

    /// A number that differs when anything of it differs: the next coordinator knows by it whether a running process
    /// has the settings it would give. FNV-1a, since it must not change between builds.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let args = self.args.iter().map(|arg| arg.as_encoded_bytes());
        let env = self.env.iter().flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]);
        let hash = args.chain([b"\0".as_slice()]).chain(env).fold(
            0xcbf2_9ce4_8422_2325_u64,
            |hash, part| {
                let eat =
                    |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
                // A byte that no text holds keeps ("ab", "c") from ("a", "bc").
                part.iter().chain([&0xff]).fold(hash, eat)
            },
        );
        format!("{hash:016x}")
    }

    fn new(program: Program, places: &Places) -> Self {
        let mut launch = Self { program, args: Vec::new(), env: Vec::new() };
        launch.arg("--instance", places.paths.instance().as_str());
        launch.arg("--runtime-dir", places.paths.runtime_dir());
        launch
    }

    fn arg(&mut self, flag: &str, value: impl Into<OsString>) {
        self.args.extend([flag.into(), value.into()]);
    }
}

impl Places {
    /// A path of the configuration: relative ones begin at the working directory.
    #[must_use]
    pub fn absolute(&self, path: &Path) -> PathBuf {
        // Joining keeps "./" in the middle; going over the components drops it.
        self.working_dir.join(path).components().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shm_layout::Instance;

    fn places() -> Places {
        let paths = FleetPaths::new(Instance::default(), "/run/qamd".into()).unwrap();
        Places { working_dir: "/srv/md".into(), paths }
    }

    fn config() -> Config {
        Config::parse(
            r#"{"calendar":"h.txt","connections":[{"connection_id":"a","front_addr":"tcp://1.2.3.4:5","broker_id":"9999",
                "user_id":"u","password":"p","env":{"X":"1"},"ctp_library":"/opt/x.so","max_subscriptions":7}]}"#,
        )
        .unwrap()
    }

    #[test]
    fn a_worker_gets_everything_on_its_command_line_but_its_password() {
        let config = config();
        let launch = Launch::worker(&config, &places(), &config.connections[0], WorkerId(3));
        let args: Vec<_> = launch.args.iter().map(|arg| arg.to_str().unwrap()).collect();
        assert_eq!(
            args.join(" "),
            "--instance qamd --runtime-dir /run/qamd --flow-dir /srv/md/ctpflow/a --connection-id a --worker 3 \
             --front-addr tcp://1.2.3.4:5 --broker-id 9999 --ctp-library /opt/x.so --max-subscriptions 7 \
             --quick-retries 3 --user-id u --calendar /srv/md/h.txt"
        );
        let env = [("X".to_owned(), "1".to_owned()), ("QAMD_PASSWORD".to_owned(), "p".to_owned())];
        assert_eq!(launch.env, env);
        assert!(!format!("{launch:?}").contains("PASSWORD"));
    }

    #[test]
    fn a_frontend_gets_its_host_and_port_and_when_products_trade() {
        let config = Config { trading_hours: Some("hours.txt".into()), ..config() };
        let launch = Launch::frontend(&config, &places(), 1234);
        let args: Vec<_> = launch.args.iter().map(|arg| arg.to_str().unwrap()).collect();
        assert_eq!(
            args.join(" "),
            "--instance qamd --runtime-dir /run/qamd --host 127.0.0.1 --port 1234 --calendar /srv/md/h.txt \
             --trading-hours /srv/md/hours.txt"
        );
    }

    #[test]
    fn the_fingerprint_tells_settings_apart_and_stays_over_builds() {
        let config = config();
        let of =
            |number| Launch::worker(&config, &places(), &config.connections[0], WorkerId(number));
        assert_eq!(of(1).fingerprint(), of(1).fingerprint());
        assert_ne!(of(1).fingerprint(), of(2).fingerprint());
        let mut other = of(1);
        other.env[1].1 = "q".into();
        assert_ne!(of(1).fingerprint(), other.fingerprint());
        let known = Launch { program: Program::Worker, args: vec!["a".into()], env: Vec::new() };
        assert_eq!(
            known.fingerprint(),
            "d3f3718193a8507c",
            "running processes would be taken for outdated"
        );
    }
}

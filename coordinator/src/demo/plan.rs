//! The demonstration's fleet.

use std::path::{Path, PathBuf};

use serde_json::json;
use shm_layout::{BrokerId, ConnectionId, Date, FrontAddr, InstrumentId};

use super::recording::{RecordingError, recording_ids};
use crate::command_line::DemoArgs;
use crate::config::{
    Config, Files, HTTP_PORT_DEFAULT, MAX_SUBSCRIPTIONS_DEFAULT, Strategy, WEBSOCKET_PORT_DEFAULT,
};
use crate::instruments::Universe;
use crate::spawn::{SpawnError, own_directory};

/// The fleet's name, so that a demonstration never meets a real one.
pub const INSTANCE: &str = "qamd-demo";
const SIMULATED_LIBRARY: &str = "libqamd_ctp_sim.so";
/// Nothing listens there, and the simulated library does not look.
const NOWHERE: &str = "tcp://127.0.0.1:1";
/// Pauses of a recording, such as the night, are cut to this: nobody wants to wait for the morning.
const PAUSE_MS_MAX: u64 = 2000;
const SPEED_MAX: f64 = 10_000.0;

/// Products whose near contracts are shown, with the months in which they are mainly traded.
const SHOWN: [(&str, &[u32]); 12] = [
    ("rb", &[1, 5, 10]),
    ("au", &[2, 4, 6, 8, 10, 12]),
    ("cu", &EVERY_MONTH),
    ("sc", &EVERY_MONTH),
    ("i", &[1, 5, 9]),
    ("m", &[1, 5, 9]),
    ("p", &[1, 5, 9]),
    ("SR", &[1, 5, 9]),
    ("TA", &[1, 5, 9]),
    ("IF", &EVERY_MONTH),
    ("T", &[3, 6, 9, 12]),
    ("lc", &EVERY_MONTH),
];
const EVERY_MONTH: [u32; 12] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];

/// Why a demonstration cannot be given.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The simulated library is missing.
    #[error(
        "{SIMULATED_LIBRARY} is neither in {beside} nor in {installed}; build the whole workspace (make all)"
    )]
    LibraryMissing {
        /// The directory of this executable.
        beside: PathBuf,
        /// Where an installation has it.
        installed: PathBuf,
    },
    /// The speed is none.
    #[error("--speed must be a number above 0 and at most {SPEED_MAX}")]
    Speed,
    /// Two ports are one.
    #[error("--port {HTTP_PORT_DEFAULT} is the port of status and metrics; choose another")]
    Port,
    /// The recording cannot be read.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// This process does not know where it was started from.
    #[error(transparent)]
    OwnPath(#[from] SpawnError),
    /// A name of ours is none. Never happens.
    #[error("the demonstration's own names are wrong: {0}")]
    Names(String),
}

/// What is shown.
#[derive(Debug)]
pub struct DemoPlan {
    /// The fleet.
    pub config: Config,
    /// Its universe.
    pub files: Files,
    /// What the client subscribes.
    pub instruments: Vec<InstrumentId>,
    /// In a few words.
    pub title: String,
}

// === impl DemoPlan ===

impl DemoPlan {
    /// The fleet that the arguments ask for; its flow files go to `flow_dir`, and its contracts are those near `today`.
    ///
    /// # Errors
    /// [`DemoError`] says what is missing.
    pub fn new(args: &DemoArgs, flow_dir: &Path, today: Date) -> Result<Self, DemoError> {
        if !(args.speed > 0.0 && args.speed <= SPEED_MAX) {
            return Err(DemoError::Speed);
        }
        if args.port == HTTP_PORT_DEFAULT {
            return Err(DemoError::Port);
        }
        let library = simulated_library()?;
        let (connections, instruments, title) = match &args.replay {
            None => made_market(args.speed, today)?,
            Some(file) => replayed(file, args.speed)?,
        };
        let connections: Result<Vec<_>, DemoError> =
            connections.into_iter().map(Script::connection).collect();
        let own_ports = args.port == WEBSOCKET_PORT_DEFAULT;
        let config = Config {
            websocket_port: args.port,
            // A second demonstration beside the first gets a port of its own here too.
            http_port: if own_ports { HTTP_PORT_DEFAULT } else { 0 },
            load_balance_strategy: Strategy::RoundRobin,
            auto_failover: false,
            instance: args.instance,
            // Beside a fleet that is meant.
            qamddata_name: Some(format!("{}_data", args.instance)),
            flow_dir: flow_dir.to_owned(),
            ctp_library: library,
            ..Config::of(connections?)
        };
        let files =
            Files { universe: Universe::of_ids(instruments.iter().copied()), ..Files::default() };
        Ok(Self { config, files, instruments, title })
    }
}

/// What one connection's simulated library is told.
struct Script {
    name: &'static str,
    broker: &'static str,
    script: serde_json::Value,
    room: u32,
}

type Market = (Vec<Script>, Vec<InstrumentId>, String);

fn made_market(speed: f64, today: Date) -> Result<Market, DemoError> {
    let brokers = [
        ("demo_shanghai", "9001", 11),
        ("demo_beijing", "9002", 22),
        ("demo_shenzhen", "9003", 33),
    ];
    let script = |(name, broker, seed): (&'static str, &'static str, u64)| Script {
        name,
        broker,
        script: json!({"seed": seed, "clock": {"speed": speed}}),
        room: MAX_SUBSCRIPTIONS_DEFAULT,
    };
    let ids = near_contracts(today)
        .iter()
        .map(|id| InstrumentId::parse(id))
        .collect::<Result<Vec<_>, _>>();
    let ids = ids.map_err(|error| DemoError::Names(error.to_string()))?;
    let title = "three simulated brokers and a made market".to_owned();
    Ok((brokers.map(script).into(), ids, title))
}

fn replayed(file: &Path, speed: f64) -> Result<Market, DemoError> {
    let ids = recording_ids(file)?;
    let absolute = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let script = json!({"replay": {"file": absolute, "speed": speed, "max_gap_ms": PAUSE_MS_MAX, "await_subscriptions": ids.len()}});
    let room = u32::try_from(ids.len()).unwrap_or(MAX_SUBSCRIPTIONS_DEFAULT).max(1);
    let title = format!("one simulated broker replays {}", file.display());
    Ok((vec![Script { name: "demo_replay", broker: "9001", script, room }], ids, title))
}

/// The contracts mainly traded near a day, as their exchanges spell them: the next main month of each product after this
/// month.
#[must_use]
pub fn near_contracts(today: Date) -> Vec<String> {
    let (year, month) = (today.yyyymmdd() / 10_000, today.yyyymmdd() / 100 % 100);
    let contract = |(product, months): (&str, &[u32])| {
        let (year, month) = match months.iter().find(|main| **main > month) {
            Some(main) => (year, *main),
            None => (year + 1, months.first().copied().unwrap_or(1)),
        };
        // Zhengzhou writes one digit of the year.
        let is_czce = shm_layout::product::exchange_of(product) == shm_layout::ExchangeId::CZCE;
        if is_czce {
            format!("{product}{}{month:02}", year % 10)
        } else {
            format!("{product}{:02}{month:02}", year % 100)
        }
    };
    SHOWN.into_iter().map(contract).collect()
}

fn simulated_library() -> Result<PathBuf, DemoError> {
    let beside = own_directory()?;
    let installed = beside.join("../lib/qamd");
    let found = [&beside, &installed]
        .map(|dir| dir.join(SIMULATED_LIBRARY))
        .into_iter()
        .find(|path| path.is_file());
    found.ok_or(DemoError::LibraryMissing { beside, installed })
}

impl Script {
    fn connection(self) -> Result<crate::config::Connection, DemoError> {
        let wrong = |error: &dyn std::error::Error| DemoError::Names(error.to_string());
        let id = ConnectionId::parse(self.name).map_err(|error| wrong(&error))?;
        let broker = BrokerId::parse(self.broker).map_err(|error| wrong(&error))?;
        let front = FrontAddr::parse(NOWHERE).map_err(|error| wrong(&error))?;
        let mut connection = Config::single(front, broker, id).connections.remove(0);
        connection.max_subscriptions = self.room;
        connection.env.insert("QAMD_SIM".into(), self.script.to_string());
        Ok(connection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_contracts_lie_after_this_month() {
        let on = |day: &str| near_contracts(Date::parse(day).unwrap());
        assert_eq!(
            on("20261122"),
            [
                "rb2701", "au2612", "cu2612", "sc2612", "i2701", "m2701", "p2701", "SR701",
                "TA701", "IF2612", "T2612", "lc2612"
            ]
        );
        assert_eq!(on("20261231")[..3], ["rb2701", "au2702", "cu2701"]);
        assert_eq!(on("20290601")[7], "SR909");
    }

    #[test]
    fn two_brokers_never_make_the_same_market() {
        let (scripts, ids, _) = made_market(2.0, Date::parse("20261122").unwrap()).unwrap();
        assert_eq!((scripts.len(), ids.len()), (3, 12));
        assert_ne!(scripts[0].script, scripts[1].script);
        let connection = scripts.into_iter().next().unwrap().connection().unwrap();
        assert_eq!(connection.env["QAMD_SIM"], r#"{"clock":{"speed":2.0},"seed":11}"#);
    }
}

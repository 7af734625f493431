//! One entry of `connections[]`.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;
use shm_layout::{BrokerId, ConnectionId, FrontAddr};

use super::fault::Fault;
use super::json::join;
use super::section::{Section, kind};
use crate::limits::SUBSCRIPTIONS_PER_CONNECTION_MAX;

/// One connection to one front of one broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// The operator's name for it; also the name of its flow directory.
    pub connection_id: ConnectionId,
    /// The front.
    pub front_addr: FrontAddr,
    /// The broker.
    pub broker_id: BrokerId,
    /// The most instruments it may carry.
    pub max_subscriptions: u32,
    /// Its turn in placing: smaller numbers take theirs first; equal ones in the order of the file.
    pub priority: u32,
    /// Whether it is used at all.
    pub enabled: bool,
    /// The user to log in as; market data fronts take an empty one.
    pub user_id: Option<String>,
    /// The user's password.
    pub password: Option<Password>,
    /// A library of its own instead of the fleet's.
    pub ctp_library: Option<PathBuf>,
    /// Added to the worker's environment.
    pub env: BTreeMap<String, String>,
}

/// A password: never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// The password itself, for the worker's environment.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(...)")
    }
}

/// Instruments a connection carries when its entry does not say: what brokers commonly allow.
pub const MAX_SUBSCRIPTIONS_DEFAULT: u32 = 500;

/// The default turn.
pub const PRIORITY_DEFAULT: u32 = 1;

const KEYS: [&str; 10] = [
    "connection_id",
    "front_addr",
    "broker_id",
    "max_subscriptions",
    "priority",
    "enabled",
    "user_id",
    "password",
    "ctp_library",
    "env",
];

/// CTP's TThostFtdcUserIDType has 16 bytes with its closing zero, TThostFtdcPasswordType 41.
const USER_ID_BYTES_MAX: usize = 15;
const PASSWORD_BYTES_MAX: usize = 40;

impl Connection {
    /// Reads the entry at a place; `None` when it has a fault that leaves nothing to go on with.
    pub(super) fn read(place: String, value: &Value, faults: &RefCell<Vec<Fault>>) -> Option<Self> {
        let env_place = join(&place, "env");
        let section = Section::of(place, value, &KEYS, faults)?;
        section.require("connection_id", "\"simnow\"");
        section.require("front_addr", "\"tcp://182.254.243.31:30011\"");
        section.require("broker_id", "\"9999\"");
        let connection_id = section.parsed("connection_id");
        let front_addr = section.parsed("front_addr");
        let broker_id = section.parsed("broker_id");
        let max_subscriptions =
            section.number("max_subscriptions", 1..=u64::from(SUBSCRIPTIONS_PER_CONNECTION_MAX));
        let priority = section.number("priority", 0..=1000);
        let enabled = section.flag("enabled").unwrap_or(true);
        let user_id = credential(&section, "user_id", USER_ID_BYTES_MAX);
        let password = credential(&section, "password", PASSWORD_BYTES_MAX).map(Password);
        if password.is_some() && !section.gives("user_id") {
            section.fault("password", "is given without user_id; give both or neither");
        }
        let ctp_library = section.line("ctp_library").map(PathBuf::from);
        let env = section.value("env").map(|env| environment(&env_place, env, faults));
        let number = |value: Option<u64>, default| {
            value.and_then(|v| u32::try_from(v).ok()).unwrap_or(default)
        };
        Some(Self {
            connection_id: connection_id?,
            front_addr: front_addr?,
            broker_id: broker_id?,
            max_subscriptions: number(max_subscriptions, MAX_SUBSCRIPTIONS_DEFAULT),
            priority: number(priority, PRIORITY_DEFAULT),
            enabled,
            user_id,
            password,
            ctp_library,
            env: env.unwrap_or_default(),
        })
    }
}

/// A credential: what fits CTP's field. The faults never show it.
fn credential(section: &Section<'_>, key: &str, bytes_max: usize) -> Option<String> {
    let text = section.text(key)?;
    let printable = text.bytes().all(|byte| byte.is_ascii_graphic());
    if !printable || text.is_empty() || text.len() > bytes_max {
        section.fault(
            key,
            format!("must have 1 to {bytes_max} printable ASCII characters without blanks"),
        );
        return None;
    }
    Some(text.to_owned())
}

fn environment(
    place: &str,
    value: &Value,
    faults: &RefCell<Vec<Fault>>,
) -> BTreeMap<String, String> {
    let fault = |place: String, what: String| faults.borrow_mut().push(Fault { place, what });
    let Value::Object(map) = value else {
        fault(
            place.to_owned(),
            format!("must be an object of texts, as {{\"NAME\": \"value\"}}, not {}", kind(value)),
        );
        return BTreeMap::new();
    };
    let mut env = BTreeMap::new();
    for (name, value) in map {
        let place = join(place, name);
        let Value::String(text) = value else {
            fault(place, format!("must be a text \"...\", not {}", kind(value)));
            continue;
        };
        if name.is_empty() || name.contains(['=', '\0']) {
            fault(place, "is not the name of an environment variable".into());
        } else if text.contains('\0') {
            fault(place, "holds a zero character".into());
        } else if name == "QAMD_PASSWORD" {
            fault(place, "is how a worker gets its password; use the key \"password\"".into());
        } else {
            env.insert(name.clone(), text.clone());
        }
    }
    env
}

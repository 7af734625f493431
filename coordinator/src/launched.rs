//! What was started, for the coordinator that comes after: each worker's number, and with which settings it runs.
//!
//! A small file in the runtime directory. Without it nothing is lost but ease: running processes are then taken as they
//! say hello.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use shm_layout::{BrokerId, ConnectionId, FrontAddr, WorkerId};

/// The memory of what was started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launched {
    /// By connection.
    pub workers: BTreeMap<ConnectionId, LaunchedWorker>,
    /// The frontend's settings, as [`crate::launch::Launch::fingerprint`] gives them.
    pub frontend: Option<String>,
}

/// What is remembered of one worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchedWorker {
    /// Its number.
    pub number: WorkerId,
    /// Its settings, as [`crate::launch::Launch::fingerprint`] gives them.
    pub settings: String,
    /// The broker; `None` from a version that did not write it.
    #[serde(default)]
    pub broker_id: Option<BrokerId>,
    /// The front; as above.
    #[serde(default)]
    pub front_addr: Option<FrontAddr>,
}

/// Why the memory could not be written.
#[derive(Debug, thiserror::Error)]
#[error("writing {path} failed")]
pub struct LaunchedError {
    /// The file.
    pub path: PathBuf,
    /// What the system said.
    #[source]
    pub source: std::io::Error,
}

// === impl Launched ===

impl Launched {
    /// The file of a runtime directory.
    #[must_use]
    pub fn path(runtime_dir: &Path) -> PathBuf {
        runtime_dir.join("launched.json")
    }

    /// What an earlier coordinator has left; empty when it left nothing readable.
    #[must_use]
    pub fn load(runtime_dir: &Path) -> Self {
        let text = std::fs::read(Self::path(runtime_dir)).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// Writes it, whole or not at all.
    ///
    /// # Errors
    /// [`LaunchedError`] names the file.
    pub fn save(&self, runtime_dir: &Path) -> Result<(), LaunchedError> {
        let path = Self::path(runtime_dir);
        let aside = path.with_extension("json.new");
        let written = serde_json::to_vec_pretty(self)
            .map_err(std::io::Error::from)
            .and_then(|text| std::fs::write(&aside, text))
            .and_then(|()| std::fs::rename(&aside, &path));
        written.map_err(|source| LaunchedError { path, source })
    }

    /// A number for each connection: the one it had, else the least that was never given. Numbers of connections that
    /// are gone are not given again as long as this memory lives: their last ticks may still be under way.
    #[must_use]
    pub fn numbers(&self, connections: &[ConnectionId]) -> Vec<WorkerId> {
        let mut given: BTreeSet<u32> =
            self.workers.values().map(|worker| worker.number.0).collect();
        let mut next = 0;
        let mut fresh = || {
            while !given.insert(next) {
                next += 1;
            }
            WorkerId(next)
        };
        connections
            .iter()
            .map(|id| self.workers.get(id).map_or_else(&mut fresh, |worker| worker.number))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> ConnectionId {
        ConnectionId::parse(text).unwrap()
    }

    fn remembered(workers: &[(&str, u32)]) -> Launched {
        let worker = |number| LaunchedWorker {
            number: WorkerId(number),
            settings: String::new(),
            broker_id: None,
            front_addr: FrontAddr::parse("tcp://127.0.0.1:1").ok(),
        };
        Launched {
            workers: workers.iter().map(|(name, n)| (id(name), worker(*n))).collect(),
            frontend: None,
        }
    }

    #[test]
    fn a_connection_keeps_its_number_wherever_it_stands() {
        let fresh = Launched::default().numbers(&[id("a"), id("b")]);
        assert_eq!(fresh, [WorkerId(0), WorkerId(1)]);
        let later = remembered(&[("a", 0), ("b", 1), ("gone", 2)]);
        let numbers = later.numbers(&[id("new"), id("b"), id("a"), id("newer")]);
        assert_eq!(numbers, [WorkerId(3), WorkerId(1), WorkerId(0), WorkerId(4)]);
    }

    #[test]
    fn it_comes_back_as_written_and_rubbish_is_nothing() {
        let dir = std::env::temp_dir().join(format!("qamd-launched-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let memory = Launched { frontend: Some("ff".into()), ..remembered(&[("a", 5)]) };
        memory.save(&dir).unwrap();
        assert_eq!(Launched::load(&dir), memory);
        std::fs::write(Launched::path(&dir), "{").unwrap();
        assert_eq!(Launched::load(&dir), Launched::default());
        std::fs::remove_dir_all(&dir).unwrap();
        assert!(memory.save(&dir).is_err());
    }
}

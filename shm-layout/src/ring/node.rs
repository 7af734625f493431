//! A process's foot in the fleet's iceoryx2 domain.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use iceoryx2::config::Config;
use iceoryx2::prelude::*;
use iceoryx2::service::attribute::{AttributeKey, AttributeValue};
use iceoryx2::service::port_factory::publish_subscribe::PortFactory;
use iceoryx2_bb_container::semantic_string::SemanticString;
use iceoryx2_bb_system_types::file_name::FileName;
use iceoryx2_bb_system_types::file_path::FilePath;
use iceoryx2_bb_system_types::path::Path as IoxPath;

use crate::limits::{
    RING_BORROWED_SAMPLES_MAX, RING_READER_LAG_SAMPLES_MAX, RING_READERS_MAX,
    RING_WORKERS_PER_SHARD_MAX,
};
use crate::paths::FleetPaths;
use crate::tick::Tick;
use crate::version::TICK_SCHEMA;

/// Ports that may move between threads: a callback thread of the vendor's library publishes, another one made the port.
pub(super) type Ring = ipc_threadsafe::Service;

/// Why the ring could not be opened or used.
#[derive(Debug, thiserror::Error)]
pub enum RingError {
    /// A file or directory of the ring could not be made or read.
    #[error("{doing} {path} failed")]
    File {
        /// What was tried.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// iceoryx2 refused; its own name of the error.
    #[error("iceoryx2: {doing} failed: {error}")]
    Iceoryx {
        /// What was tried.
        doing: &'static str,
        /// The error's name.
        error: String,
    },
    /// The service exists with another version of the tick.
    #[error(
        "the ring was made by another version of qamd (this one has tick schema {TICK_SCHEMA}): stop the whole fleet and start it with one version; details: {error}"
    )]
    Version {
        /// The error's name.
        error: String,
    },
    /// Every slot of the wake table is taken.
    #[error("{0} readers sleep on this fleet's ring already, which is the limit: stop one")]
    TooManyReaders(usize),
    /// The wake table is not one.
    #[error("{path} is not a wake table of this version: stop the whole fleet and remove it")]
    ForeignWakeTable {
        /// The file.
        path: PathBuf,
    },
}

impl RingError {
    pub(super) fn file(
        doing: &'static str,
        path: impl Into<PathBuf>,
        source: impl Into<std::io::Error>,
    ) -> Self {
        Self::File { doing, path: path.into(), source: source.into() }
    }

    pub(super) fn iceoryx(doing: &'static str, error: impl std::fmt::Debug) -> Self {
        Self::Iceoryx { doing, error: format!("{error:?}") }
    }
}

/// This process in the fleet's iceoryx2 domain. Keep it as long as any port made from it.
#[derive(Debug)]
pub struct RingNode {
    node: Node<Ring>,
    paths: FleetPaths,
}

// === impl RingNode ===

impl RingNode {
    /// Joins the fleet's domain, making its directory if it is the first.
    ///
    /// The first call of a process also installs the configuration process-wide: passed through the builder alone, a
    /// process killed during its start would leave a dead node that nobody can reap.
    ///
    /// # Errors
    /// [`RingError`] when the directory cannot be made or iceoryx2 refuses.
    pub fn open(paths: &FleetPaths) -> Result<Self, RingError> {
        set_log_level_from_env_or(LogLevel::Error);
        let config = Self::config(paths)?;
        let node = NodeBuilder::new()
            .config(&config)
            .signal_handling_mode(SignalHandlingMode::Disabled)
            .create::<Ring>()
            .map_err(|error| RingError::iceoryx("making a node", error))?;
        Ok(Self { node, paths: paths.clone() })
    }

    /// Frees what processes that died have left in the ring; to be called after each child's exit. Returns how many
    /// were reaped.
    pub fn reap_dead_nodes(&self) -> u64 {
        self.node.try_cleanup_dead_nodes().cleanups
    }

    pub(super) fn paths(&self) -> &FleetPaths {
        &self.paths
    }

    /// The service of one shard; whoever comes first makes it, so no process waits for another.
    pub(super) fn shard(&self, shard: u32) -> Result<PortFactory<Ring, [Tick], ()>, RingError> {
        let name = format!("qamd/ticks/{shard}");
        let name = ServiceName::new(&name).map_err(|e| RingError::iceoryx("naming a shard", e))?;
        let key = AttributeKey::try_from("qamd.tick_schema")
            .map_err(|e| RingError::iceoryx("naming the schema", e))?;
        let value = AttributeValue::try_from(TICK_SCHEMA.to_string().as_str())
            .map_err(|e| RingError::iceoryx("naming the schema", e))?;
        let verifier = AttributeVerifier::new()
            .require(&key, &value)
            .map_err(|e| RingError::iceoryx("requiring the schema", e))?;
        self.node
            .service_builder(&name)
            .publish_subscribe::<[Tick]>()
            .enable_safe_overflow(true)
            .history_size(0)
            .max_publishers(RING_WORKERS_PER_SHARD_MAX)
            .max_subscribers(RING_READERS_MAX)
            .subscriber_max_buffer_size(RING_READER_LAG_SAMPLES_MAX)
            .subscriber_max_borrowed_samples(RING_BORROWED_SAMPLES_MAX)
            .max_nodes(2 * (RING_WORKERS_PER_SHARD_MAX + RING_READERS_MAX))
            .open_or_create_with_attributes(&verifier)
            .map_err(|error| {
                let error = format!("{error:?}");
                let foreign = ["Attributes", "Incompatible", "Corrupted", "DoesNotSupport"];
                if foreign.iter().any(|word| error.contains(word)) {
                    RingError::Version { error }
                } else {
                    RingError::Iceoryx { doing: "opening a shard", error }
                }
            })
    }

    fn config(paths: &FleetPaths) -> Result<Config, RingError> {
        let dir = paths.ring_dir();
        std::fs::create_dir_all(&dir).map_err(|e| RingError::file("making", &dir, e))?;
        let root = IoxPath::new(dir.as_os_str().as_encoded_bytes())
            .map_err(|e| RingError::iceoryx("taking the ring directory", e))?;
        let prefix = FileName::new(paths.ring_prefix().as_bytes())
            .map_err(|e| RingError::iceoryx("taking the prefix", e))?;
        Self::install_process_wide(paths)?;
        let mut config = Config::default();
        config.global.set_root_path(&root);
        config.global.prefix = prefix;
        Ok(config)
    }

    fn install_process_wide(paths: &FleetPaths) -> Result<(), RingError> {
        let file = paths.ring_dir().join("config.toml");
        let text = format!(
            "[global]\nroot-path = {:?}\nprefix = {:?}\n",
            paths.ring_dir().display().to_string(),
            paths.ring_prefix()
        );
        // Several processes, and threads of one, start at once and all write the same text; the rename keeps every reader
        // from a half file, the name of its own from another's.
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let own = format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let aside = paths.ring_dir().join(format!("config.toml.{own}"));
        std::fs::write(&aside, text).map_err(|e| RingError::file("writing", &aside, e))?;
        std::fs::rename(&aside, &file).map_err(|e| RingError::file("renaming to", &file, e))?;
        let path = FilePath::new(file.as_os_str().as_encoded_bytes())
            .map_err(|e| RingError::iceoryx("taking the configuration's path", e))?;
        Config::setup_global_config_from_file(&path)
            .map(|_| ())
            .map_err(|e| RingError::iceoryx("reading the configuration", e))
    }
}

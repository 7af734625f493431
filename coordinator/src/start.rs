//! From a checked configuration to a running coordinator, and from its end to a clean machine.

use std::collections::HashSet;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::unistd::Group;
use shm_layout::clock::monotonic;
use shm_layout::ring::{RingError, RingNode, remove_remains};
use shm_layout::shared_memory::Place;
use shm_layout::{ConnectionId, FleetPaths, FleetPathsError, Instance};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::{info, warn};

use crate::config::{Config, Files};
use crate::control_server::{ControlCounters, ControlServer, ControlServerError};
use crate::driver::{Driver, Hands, Inbound, Reread};
use crate::fleet::{Fleet, FleetPlan, Found};
use crate::launch::Places;
use crate::launched::{Launched, LaunchedError};
use crate::limits::INBOX_INPUTS_MAX;
use crate::runtime_dir::{self, Premises, RuntimeDirError, held_locks};
use crate::segments::{SegmentSettings, Segments, SegmentsError};
use crate::settings::Settings;
use crate::spawn::{SpawnError, Spawner};

/// Why a fleet could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The CTP library is not where the configuration says.
    #[error(
        "connection {connection} needs the CTP library {path}, which is not there: `make ctp-library` brings it; `qamd demo` \
         shows everything on a simulated one"
    )]
    LibraryMissing {
        /// The first connection that needs it.
        connection: ConnectionId,
        /// Where it should be.
        path: PathBuf,
    },
    /// The runtime directory's path cannot serve.
    #[error(transparent)]
    Paths(#[from] FleetPathsError),
    /// The working directory is gone.
    #[error("finding the working directory failed")]
    WorkingDir(#[source] std::io::Error),
    /// The runtime directory or the fleet's name cannot be taken.
    #[error(transparent)]
    RuntimeDir(#[from] RuntimeDirError),
    /// A program of the fleet cannot be found.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// A port cannot be opened.
    #[error(
        "port {port} of {host} cannot be opened for {purpose}; set {key} to another port, or stop what uses it"
    )]
    Port {
        /// The host.
        host: String,
        /// The port.
        port: u16,
        /// What it is for.
        purpose: &'static str,
        /// The key that sets it.
        key: &'static str,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The ring cannot be opened or cleared.
    #[error(transparent)]
    Ring(#[from] RingError),
    /// The segments in shared memory cannot be made.
    #[error(transparent)]
    Segments(#[from] SegmentsError),
    /// No such group.
    #[error("shm_group {0:?} is not a group of this machine")]
    Group(String),
    /// The memory for the next coordinator cannot be written.
    #[error(transparent)]
    Launched(#[from] LaunchedError),
    /// The control socket cannot be opened.
    #[error(transparent)]
    Control(#[from] ControlServerError),
}

/// Why a fleet did not stop cleanly.
#[derive(Debug, thiserror::Error)]
pub enum StopError {
    /// Processes are still there.
    #[error("still running: {0}; the fleet's files stay for them")]
    LeftBehind(String),
    /// The ring could not be cleared.
    #[error(transparent)]
    Ring(#[from] RingError),
    /// A file could not be removed.
    #[error("removing the fleet's files from {path} failed")]
    Files {
        /// The runtime directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// A coordinator that is ready to run.
#[derive(Debug)]
pub struct Coordinator {
    driver: Driver,
    premises: Premises,
    paths: FleetPaths,
    tasks: Vec<JoinHandle<()>>,
    inbox: mpsc::Sender<Inbound>,
    http: SocketAddr,
}

// === impl StartError ===

impl StartError {
    /// 64 when the settings are at fault and another try would end the same way, 1 otherwise.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::LibraryMissing { .. } | Self::Paths(_) | Self::Group(_) => 64,
            _ => 1,
        }
    }
}

/// Where a fleet of this name lives, unless told otherwise.
///
/// # Errors
/// [`FleetPathsError`] when the directory cannot serve.
pub fn fleet_paths(
    instance: Instance,
    runtime_dir: Option<PathBuf>,
) -> Result<FleetPaths, FleetPathsError> {
    let usual = || {
        let xdg = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        FleetPaths::usual_runtime_dir(&instance, nix::unistd::geteuid().as_raw(), xdg.as_deref())
    };
    FleetPaths::new(instance, runtime_dir.unwrap_or_else(usual))
}

/// Starts a coordinator: checks everything a fleet needs, takes its places, and gets ready to run. The children's output
/// goes to `log`, or to our own stderr.
///
/// # Errors
/// [`StartError`], with nothing left behind.
pub async fn start(
    config: Config,
    files: Files,
    reread: Reread,
    log: Option<File>,
) -> Result<Coordinator, StartError> {
    let paths = fleet_paths(config.instance, config.runtime_dir.clone())?;
    let working_dir = std::env::current_dir().map_err(StartError::WorkingDir)?;
    let places = Places { working_dir, paths: paths.clone() };
    check_libraries(&config, &places)?;
    let spawner = Spawner::new(log)?;
    let segments = segment_settings(&config)?;
    let place = segments.qamddata.as_deref().map(Place::named);
    let premises = runtime_dir::take(&paths, place.as_ref(), nix::unistd::geteuid().as_raw())?;
    let memory = Launched::load(paths.runtime_dir());
    let settings = Settings::new(config, places, files, &memory);
    match prepare(settings, &segments, &memory, spawner, reread).await {
        Ok(Prepared { driver, tasks, inbox, http }) => {
            Ok(Coordinator { driver, premises, paths, tasks, inbox, http })
        }
        Err(error) => {
            leave_after_failure(premises, &paths);
            Err(error)
        }
    }
}

/// Everything of a coordinator but its premises.
struct Prepared {
    driver: Driver,
    tasks: Vec<JoinHandle<()>>,
    inbox: mpsc::Sender<Inbound>,
    http: SocketAddr,
}

/// Looks whether every CTP library is where the configuration says.
///
/// # Errors
/// [`StartError::LibraryMissing`] names the first that is not.
pub(crate) fn check_libraries(config: &Config, places: &Places) -> Result<(), StartError> {
    for connection in config.connections.iter().filter(|connection| connection.enabled) {
        let path = places.absolute(config.library_of(connection));
        if !path.is_file() {
            return Err(StartError::LibraryMissing { connection: connection.connection_id, path });
        }
    }
    Ok(())
}

/// Who may open the segments.
fn segment_settings(config: &Config) -> Result<SegmentSettings, StartError> {
    let gid = |name: &String| match Group::from_name(name) {
        Ok(Some(group)) => Ok(group.gid.as_raw()),
        _ => Err(StartError::Group(name.clone())),
    };
    let own = nix::unistd::getegid().as_raw();
    let group = config.shm_group.as_ref().map_or(Ok(own), gid)?;
    Ok(SegmentSettings { qamddata: config.qamddata_name.clone(), group })
}

async fn prepare(
    settings: Settings,
    segments: &SegmentSettings,
    memory: &Launched,
    spawner: Spawner,
    reread: Reread,
) -> Result<Prepared, StartError> {
    let paths = settings.places.paths.clone();
    let mut plan = settings.plan(memory);
    let alone = held_locks(paths.runtime_dir()).is_empty();
    if alone {
        // Nothing of this fleet runs: whatever is left of an earlier one is in the way.
        remove_remains(&paths)?;
    }
    let host = settings.config.websocket_host.clone();
    if plan.frontend == Found::Nothing {
        let port = settings.config.websocket_port;
        // The frontend opens it for good; here a port in use is still one clear line.
        drop(open_port(&host, port, "WebSocket clients", "websocket_port").await?);
    }
    let http =
        open_port(&host, settings.config.http_port, "status and metrics", "http_port").await?;
    let http_addr = http.local_addr().map_err(|source| {
        port_error(&host, settings.config.http_port, "status and metrics", "http_port", source)
    })?;
    let node = RingNode::open(&paths)?;
    settings.memory().save(paths.runtime_dir())?;
    plan.http_address = http_addr.to_string();
    announce(&settings, &plan);
    let (sender, receiver) = mpsc::channel(INBOX_INPUTS_MAX);
    let counters = Arc::new(ControlCounters::default());
    let uid = nix::unistd::geteuid().as_raw();
    let server = ControlServer::open(
        &paths.control_socket(),
        *paths.instance(),
        uid,
        sender.clone(),
        Arc::clone(&counters),
    )?;
    // Last of all that may fail, since they stay when the fleet has gone.
    let mut segments = Segments::open(&paths, segments, &settings.files.universe, monotonic())?;
    if alone {
        segments.set_all_carried(&HashSet::new());
    }
    let tasks =
        vec![tokio::spawn(server.serve()), tokio::spawn(crate::http::serve(http, sender.clone()))];
    let fleet = Fleet::new(plan, monotonic());
    let driver = Driver::new(
        fleet,
        settings,
        Hands { spawner, node, segments },
        (sender.clone(), receiver),
        counters,
        reread,
    );
    Ok(Prepared { driver, tasks, inbox: sender, http: http_addr })
}

async fn open_port(
    host: &str,
    port: u16,
    purpose: &'static str,
    key: &'static str,
) -> Result<TcpListener, StartError> {
    TcpListener::bind((host, port))
        .await
        .map_err(|source| port_error(host, port, purpose, key, source))
}

fn port_error(
    host: &str,
    port: u16,
    purpose: &'static str,
    key: &'static str,
    source: std::io::Error,
) -> StartError {
    StartError::Port { host: host.to_owned(), port, purpose, key, source }
}

fn announce(settings: &Settings, plan: &FleetPlan) {
    let enabled = plan.connections.iter().filter(|connection| connection.enabled).count();
    info!(
        instance = %plan.instance,
        runtime_dir = %settings.places.paths.runtime_dir().display(),
        connections = enabled,
        disabled = plan.connections.len() - enabled,
        listed_instruments = plan.universe.len(),
        always_on = plan.always_on.len(),
        "qamd {} starts", env!("CARGO_PKG_VERSION")
    );
    let http = &plan.http_address;
    info!("status and metrics at http://{http}/status and http://{http}/metrics");
    for notice in &plan.notices {
        warn!("{notice}");
    }
    let running =
        plan.connections.iter().filter(|connection| connection.found != Found::Nothing).count();
    if running > 0 {
        info!(running, "workers of an earlier coordinator run and are taken over");
    }
}

fn leave_after_failure(premises: Premises, paths: &FleetPaths) {
    // With processes of an earlier coordinator alive everything stays as they need it.
    if held_locks(paths.runtime_dir()).is_empty()
        && let Err(error) = remove_remains(paths)
            .map_err(StopError::from)
            .and_then(|()| leave(premises, paths.runtime_dir()))
    {
        warn!("tidying up after the failed start: {}", crate::output::chain(&error));
    }
}

fn leave(premises: Premises, runtime_dir: &Path) -> Result<(), StopError> {
    premises.leave().map_err(|source| StopError::Files { path: runtime_dir.to_owned(), source })
}

// === impl Coordinator ===

impl Coordinator {
    /// The way into the driver: questions, and the wish to stop.
    #[must_use]
    pub fn inbox(&self) -> mpsc::Sender<Inbound> {
        self.inbox.clone()
    }

    /// Where status and metrics are.
    #[must_use]
    pub const fn http(&self) -> SocketAddr {
        self.http
    }

    /// Runs the fleet until it has stopped, and removes what it leaves.
    ///
    /// # Errors
    /// [`StopError`] when something could not be ended or removed.
    pub async fn run(self) -> Result<(), StopError> {
        let left_behind = self.driver.run().await;
        self.tasks.iter().for_each(JoinHandle::abort);
        let held = held_locks(self.paths.runtime_dir());
        if !left_behind.is_empty() || !held.is_empty() {
            let held = held.iter().map(|(path, pid)| {
                let pid = pid.map_or_else(String::new, |pid| format!(" (pid {pid})"));
                format!("the holder of {}{pid}", path.display())
            });
            let names: Vec<String> = left_behind.into_iter().chain(held).collect();
            return Err(StopError::LeftBehind(names.join(", ")));
        }
        remove_remains(&self.paths)?;
        leave(self.premises, self.paths.runtime_dir())?;
        info!("stopped");
        Ok(())
    }
}

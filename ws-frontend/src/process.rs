//! From the command line to a running frontend, and its orderly end.

use std::fs::read_to_string;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use clap::Parser;
use nix::sys::prctl::set_timerslack;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use shm_layout::ring::{RingError, RingNode, TickReader, WakeReader};
use shm_layout::{FleetPaths, FleetPathsError, Instance, TradingCalendar, TradingHours};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::{LocalSet, spawn_local};

use crate::bell::Bell;
use crate::catalog_thread;
use crate::demand_client::keep_connected;
use crate::driver::{Channels, Driver, DriverError};
use crate::hub::Hub;
use crate::latest_ticks::LatestTicks;
use crate::limits::{
    CATALOG_QUEUE_MAX, COORDINATOR_QUEUE_MAX, INPUT_QUEUE_MAX, TO_COORDINATOR_QUEUE_MAX,
};
use crate::listener::{ListenError, TurnedAway, accept, listen};
use shm_layout::lock_file::{LockError, LockFile};

/// What the coordinator tells this process on its command line.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "qamd-ws-frontend",
    version,
    about = "Reads the tick ring and serves WebSocket clients; started by qamd"
)]
pub struct Settings {
    /// The fleet's name
    #[arg(long)]
    pub instance: Instance,
    /// The fleet's runtime directory, absolute
    #[arg(long)]
    pub runtime_dir: PathBuf,
    /// The address clients connect to
    #[arg(long)]
    pub host: String,
    /// The port clients connect to; 0 lets the system choose one
    #[arg(long)]
    pub port: u16,
    /// A file of trading days; without one all days but weekends are
    #[arg(long)]
    pub calendar: Option<PathBuf>,
    /// A file of trading hours; without one those that are built in hold
    #[arg(long)]
    pub trading_hours: Option<PathBuf>,
}

/// Why the process ended with a failure.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The runtime directory cannot serve.
    #[error("the settings do not hold")]
    Settings(#[from] FleetPathsError),
    /// When products trade cannot be read.
    #[error("{path} cannot be used; set right what is wrong with it, and start again")]
    Hours {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: Box<dyn std::error::Error>,
    },
    /// The place is taken.
    #[error("this frontend cannot run")]
    Lock(#[from] LockError),
    /// Nobody could connect.
    #[error("clients cannot be served")]
    Listen(#[from] ListenError),
    /// No ticks would come.
    #[error("opening the tick ring of {runtime_dir} failed")]
    Ring {
        /// The fleet's runtime directory.
        runtime_dir: PathBuf,
        /// Why.
        #[source]
        source: RingError,
    },
    /// It could not go on.
    #[error("serving clients failed")]
    Driver(#[from] DriverError),
    /// The system refused something every process has.
    #[error("{what} failed")]
    System {
        /// What.
        what: &'static str,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

// === impl ProcessError ===

impl ProcessError {
    /// 64 when starting again would not help, else 1.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Settings(_) | Self::Hours { .. } | Self::Lock(LockError::Held { .. }) => 64,
            _ => 1,
        }
    }
}

/// Runs the frontend until it is told to stop.
///
/// # Errors
/// [`ProcessError`]; its exit code says whether starting again may help.
pub fn run(settings: &Settings) -> Result<(), ProcessError> {
    let paths = FleetPaths::new(settings.instance, settings.runtime_dir.clone())?;
    let hours = trading_hours(settings)?;
    let lock = LockFile::take(&paths.frontend_lock(), "frontend of this fleet")?;
    tune();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| ProcessError::System { what: "making the runtime", source })?;
    runtime.block_on(LocalSet::new().run_until(serve(settings, &paths, hours)))?;
    lock.remove().map_err(|source| ProcessError::System { what: "removing the lock file", source })
}

/// When products trade, by the files that the coordinator has read as well.
fn trading_hours(settings: &Settings) -> Result<TradingHours, ProcessError> {
    let faulty = |path: &Path| {
        let path = path.to_owned();
        move |source| ProcessError::Hours { path, source }
    };
    let calendar = match &settings.calendar {
        None => TradingCalendar::default(),
        Some(path) => {
            let text = read_to_string(path).map_err(|error| faulty(path)(error.into()))?;
            TradingCalendar::parse(&text).map_err(|error| faulty(path)(error.into()))?
        }
    };
    let Some(path) = &settings.trading_hours else { return Ok(TradingHours::new(calendar)) };
    let text = read_to_string(path).map_err(|error| faulty(path)(error.into()))?;
    TradingHours::parse(&text, calendar).map_err(|faults| {
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        faulty(path)(faults.join("; ").into())
    })
}

async fn serve(
    settings: &Settings,
    paths: &FleetPaths,
    hours: TradingHours,
) -> Result<(), ProcessError> {
    let ring = |source| ProcessError::Ring { runtime_dir: settings.runtime_dir.clone(), source };
    let listener = listen(&settings.host, settings.port).await?;
    let address = listener
        .local_addr()
        .map_err(|source| ProcessError::System { what: "asking for our address", source })?;
    let node = RingNode::open(paths).map_err(ring)?;
    let source = TickReader::open(&node).map_err(ring)?;
    let bell = Bell::new(WakeReader::open(paths).map_err(ring)?)
        .map_err(|source| ProcessError::System { what: "watching the wake-up pipe", source })?;

    let (to_hub, inputs) = mpsc::channel(INPUT_QUEUE_MAX);
    let (control_to_hub, from_coordinator) = mpsc::channel(COORDINATOR_QUEUE_MAX);
    let (to_coordinator, outgoing) = mpsc::channel(TO_COORDINATOR_QUEUE_MAX);
    let (answers, from_catalog) = mpsc::channel(CATALOG_QUEUE_MAX);
    let to_catalog = catalog_thread::start(paths.clone(), hours.clone(), answers)
        .map_err(|source| ProcessError::System { what: "starting the catalog's thread", source })?;
    let (ring_stop, stop) = mpsc::channel(1);
    let turned_away = Rc::new(TurnedAway::default());
    let channels = Channels {
        inputs,
        from_coordinator,
        to_coordinator,
        stop,
        to_catalog,
        from_catalog,
        turned_away: Rc::clone(&turned_away),
    };
    stop_on_signal(ring_stop)
        .map_err(|source| ProcessError::System { what: "watching for signals", source })?;
    let accepting = spawn_local(accept(listener, to_hub, turned_away));
    let speaking =
        spawn_local(keep_connected(paths.clone(), address.to_string(), control_to_hub, outgoing));
    let driver = Driver::new(
        source,
        LatestTicks::of(paths),
        bell,
        channels,
        accepting.abort_handle(),
        Hub::new(hours),
    );
    tracing::info!(%address, instance = %settings.instance, "serving WebSocket clients");
    let outcome = driver.run().await;
    speaking.abort();
    Ok(outcome?)
}

/// Rings once when the process is asked to end.
fn stop_on_signal(stop: mpsc::Sender<()>) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    spawn_local(async move {
        let signal = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        // First of all. The driver is gone when nobody listens: then there is nothing left to stop.
        let _stopped = stop.send(()).await;
        tracing::info!("{signal}: stopping");
    });
    Ok(())
}

/// Asks the system for what many clients and short rests need; goes on without it.
fn tune() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        tracing::warn!(%error, "the limit of open files stays as it is; fewer clients fit");
    }
    if let Err(error) = set_timerslack(1) {
        tracing::warn!(%error, "rests between fan-outs will be 50 us too long");
    }
}

//! The process from its command line to its exit code.

use std::io::Write;
use std::sync::Arc;

use shm_layout::cells::CellWriter;
use shm_layout::control::SessionState;
use shm_layout::qamddata::QamddataCells;
use shm_layout::ring::{RingError, RingNode, TickWriter};
use shm_layout::shared_memory::Place;
use shm_layout::{BrokerId, FleetPaths, Incarnation, InstrumentId, Source, clock};
use tracing::{error, info, info_span, warn};

use crate::args::{self, LibrarySettings, Order, PASSWORD_VARIABLE, UsageError, WorkerSettings};
use crate::coordinator_link::LinkSettings;
use crate::counters::Counters;
use crate::ctp::api::{ApiError, CtpApi, RequestRefused};
use crate::ctp::callbacks::Spi;
use crate::ctp::event::RequestId;
use crate::ctp::layout::Confidence;
use crate::ctp::library::{CtpLibrary, LibraryError};
use crate::ctp::login_request::Credentials;
use crate::day_roll::DayRoll;
use crate::driver::{Driver, DriverError};
use crate::event_queue::{EventReceiver, event_queue};
use crate::flow_dir::{FlowDir, FlowDirError};
use crate::logging;
use crate::normalize::Context;
use crate::retry_pace::RetryPace;
use crate::session::{Session, SessionSettings};
use crate::sink::Sink;
use crate::subscriptions::{RoleChanges, Subscriptions};
use crate::worker::{Front, Identity, Worker};
use shm_layout::lock_file::{LockError, LockFile};

/// It was asked to end, and did.
pub const EXIT_CLEAN: u8 = 0;
/// It failed; starting again may help.
pub const EXIT_FAILED: u8 = 1;
/// Usage, configuration or the library are wrong; starting again would not help.
pub const EXIT_REFUSED: u8 = 64;

/// Why the process ends before its time.
#[derive(Debug, thiserror::Error)]
enum ProcessError {
    #[error(transparent)]
    Usage(#[from] UsageError),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    FlowDir(#[from] FlowDirError),
    #[error(transparent)]
    Library(#[from] LibraryError),
    #[error("opening the ring failed")]
    Ring(#[from] RingError),
    #[error(transparent)]
    Api(#[from] ApiError),
    #[error(transparent)]
    Driver(#[from] DriverError),
    #[error("starting the runtime failed")]
    Runtime(#[source] std::io::Error),
    #[error("writing to stdout failed")]
    Stdout(#[source] std::io::Error),
}

// === impl ProcessError ===

impl ProcessError {
    const fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Library(_) => EXIT_REFUSED,
            Self::Lock(LockError::Held { .. })
            | Self::FlowDir(FlowDirError::Lock(LockError::Held { .. })) => EXIT_REFUSED,
            _ => EXIT_FAILED,
        }
    }
}

/// Does what the command line asks and returns the exit code. The caller ends the process with
/// [`crate::ctp::end_process`], since the vendor's library may be alive.
#[must_use]
pub fn run() -> u8 {
    logging::begin();
    let password = std::env::var(PASSWORD_VARIABLE).ok();
    let done = args::read(std::env::args_os(), password).map_err(Into::into).and_then(obey);
    match done {
        Ok(()) => EXIT_CLEAN,
        Err(failed) => {
            error!("{}", logging::chain(&failed));
            failed.exit_code()
        }
    }
}

fn obey(order: Order) -> Result<(), ProcessError> {
    match order {
        Order::Print(text) => print(&text),
        Order::Probe(library) => probe(&library),
        Order::Run(settings) => {
            let _span = info_span!("worker", connection = %settings.connection).entered();
            carry(*settings)
        }
    }
}

fn print(text: &str) -> Result<(), ProcessError> {
    let mut stdout = std::io::stdout();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(ProcessError::Stdout)
}

/// Prints what a library is, as one line of JSON.
fn probe(settings: &LibrarySettings) -> Result<(), ProcessError> {
    let library = load(settings)?;
    let report = serde_json::json!({
        "version": library.version_text(),
        "layout": library.layout().layout.name(),
        "verified": library.layout().confidence == Confidence::Verified,
        "simulation": library.is_simulation(),
        "create_symbol": library.create_symbol(),
    });
    print(&format!("{report}\n"))
}

fn load(settings: &LibrarySettings) -> Result<CtpLibrary, LibraryError> {
    let library = CtpLibrary::load(&settings.path, settings.allow_unknown_version)?;
    let (version, layout) = (library.version_text(), library.layout().layout.name());
    let path = library.path().display();
    match library.layout().confidence {
        Confidence::Verified => info!(version, layout, "loaded {path}"),
        Confidence::Newer => {
            warn!(
                version,
                layout, "{path} is newer than any known version; it is read with the newest layout"
            );
        }
        Confidence::Between => {
            warn!(
                version,
                layout,
                "the version of {path} was never verified; it is read with the nearest older layout"
            );
        }
        Confidence::Older => {
            warn!(
                version,
                layout, "{path} is older than any known version; it is read with the oldest layout"
            );
        }
        Confidence::Unreadable => {
            warn!(
                version,
                layout,
                "the version of {path} cannot be read; it is read with the newest layout, as configured"
            );
        }
    }
    Ok(library)
}

/// The library as the worker calls it.
struct CtpFront {
    api: CtpApi,
    sink: Arc<Sink>,
    broker: BrokerId,
    credentials: Credentials,
    paths: FleetPaths,
    /// Why the segments of the cells are not open.
    cells_fault: Option<String>,
}

impl Front for CtpFront {
    fn log_in(&mut self, request: RequestId) -> Result<(), RequestRefused> {
        self.api.request_login(&self.broker, &self.credentials, request)
    }

    fn subscribe(&mut self, instruments: &[InstrumentId]) -> Result<(), RequestRefused> {
        self.api.subscribe(instruments)
    }

    fn unsubscribe(&mut self, instruments: &[InstrumentId]) -> Result<(), RequestRefused> {
        self.api.unsubscribe(instruments)
    }

    fn set_own(&mut self, changes: &RoleChanges) {
        self.sink.set_own(&changes.gained, &changes.given_up);
    }

    fn refresh_cells(&mut self) {
        let fault = self.open_cells().err();
        let before = std::mem::replace(&mut self.cells_fault, fault);
        if let Some(fault) =
            self.cells_fault.as_ref().filter(|fault| before.as_ref() != Some(*fault))
        {
            warn!("not all ticks get into shared memory; trying again: {fault}");
        }
    }
}

impl CtpFront {
    /// Opens what is not open, or not what stands there now.
    ///
    /// # Errors
    /// Why something stays closed, for a person.
    fn open_cells(&self) -> Result<(), String> {
        let place = Place::named(&self.paths.depth_name());
        let open = self.sink.look_for_cells();
        // One that was removed is written on until there is another.
        if open.is_none() || place.identity().is_some_and(|stands| Some(stands) != open) {
            let (writer, fault) =
                CellWriter::open(&self.paths).map_err(|error| logging::chain(&error))?;
            self.sink.set_cells(writer);
            return fault.map_or(Ok(()), |fault| Err(logging::chain(&fault)));
        }
        if let Some((name, inode)) = self.sink.wanted_qamddata() {
            let cells =
                QamddataCells::open(&name, inode).map_err(|fault| logging::chain(&fault))?;
            self.sink.set_qamddata(cells, inode);
        }
        Ok(())
    }
}

/// Carries a connection until asked to end.
fn carry(settings: WorkerSettings) -> Result<(), ProcessError> {
    let lock = LockFile::take(
        &settings.paths.worker_lock(&settings.connection),
        "worker of this connection",
    )?;
    let flow_dir = FlowDir::open(&settings.flow_dir)?;
    let library = load(&settings.library)?;
    let incarnation = Incarnation(clock::boot_ns());
    let node = RingNode::open(&settings.paths)?;
    let writer = TickWriter::open(&node, settings.worker, incarnation)?;

    let counters = Arc::new(Counters::default());
    let (events, library_events) = event_queue(Arc::clone(&counters));
    let source = if library.is_simulation() { Source::Simulation } else { Source::Front };
    let context = Context { calendar: settings.calendar.clone(), login_trading_day: None, source };
    let sink = Arc::new(Sink::new(
        Box::new(writer),
        context,
        settings.max_subscriptions,
        events,
        Arc::clone(&counters),
    ));
    let outcome =
        drive(&settings, &library, &flow_dir, &sink, incarnation, library_events, counters);
    // From here on callbacks publish nothing, so that the ring's files can go while the library still runs.
    sink.close();
    drop(node);
    for removed in [flow_dir.close(), lock.remove()] {
        if let Err(error) = removed {
            warn!("a lock file stays behind: {error}");
        }
    }
    outcome
}

fn drive(
    settings: &WorkerSettings,
    library: &CtpLibrary,
    flow_dir: &FlowDir,
    sink: &Arc<Sink>,
    incarnation: Incarnation,
    library_events: EventReceiver,
    counters: Arc<Counters>,
) -> Result<(), ProcessError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(ProcessError::Runtime)?;
    let spi = Spi::leak(library.layout().layout, Box::new(Arc::clone(sink)));
    let pace = RetryPace::new(settings.quick_retries);
    let session_settings = SessionSettings {
        connect_timeout: settings.connect_timeout,
        login_timeout: settings.login_timeout,
        pace,
    };
    info!(front = %settings.front, broker = %settings.broker, "connecting");
    let api = CtpApi::start(library, flow_dir.path(), spi, &settings.front)?;
    let front = CtpFront {
        api,
        sink: Arc::clone(sink),
        broker: settings.broker,
        credentials: settings.credentials.clone(),
        paths: settings.paths.clone(),
        cells_fault: None,
    };
    let identity = Identity {
        connection: settings.connection,
        worker: settings.worker,
        incarnation,
        library_version: library.version_text().to_owned(),
    };
    let session = Session::new(session_settings, clock::monotonic());
    debug_assert_eq!(session.report().state, SessionState::Connecting);
    let subscriptions = Subscriptions::new(settings.max_subscriptions, pace);
    // A simulated exchange has a clock of its own, and this machine's says nothing about its day.
    let keeps_own_time = library.is_simulation();
    let day_roll = (!keeps_own_time).then(|| DayRoll::new(settings.calendar.clone()));
    let worker = Worker::new(identity, front, session, subscriptions, day_roll);
    let link = LinkSettings {
        socket: settings.paths.control_socket(),
        instance: *settings.paths.instance(),
    };
    runtime.block_on(async {
        Driver::new(worker, library_events, counters, link)?.run().await?;
        Ok(())
    })
}

//! The command line, parsed into values that cannot be wrong.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use shm_layout::{
    BrokerId, ConnectionId, FleetPaths, FleetPathsError, FrontAddr, Instance, TradingCalendar,
    WorkerId,
};

use crate::ctp::login_request::{Credentials, CredentialsError};

/// The environment variable with the password; the command line of a process is everybody's to read.
pub const PASSWORD_VARIABLE: &str = "QAMD_PASSWORD";

#[derive(Debug, clap::Args)]
struct LibraryArgs {
    /// The CTP market-data library
    #[arg(long, value_name = "FILE")]
    ctp_library: PathBuf,
    /// Take a library whose version cannot be read for the newest known
    #[arg(long)]
    allow_unknown_version: bool,
}

/// Prints a CTP market-data library's version and layout as JSON.
#[derive(Debug, Parser)]
#[command(name = "qamd-ctp-worker", version)]
struct ProbeLine {
    #[arg(long, required = true, hide = true)]
    probe: bool,
    #[command(flatten)]
    library: LibraryArgs,
}

/// One broker's connection: loads a CTP market-data library and publishes its ticks. Started by `qamd`.
#[derive(Debug, Parser)]
#[command(
    name = "qamd-ctp-worker",
    version,
    after_help = "With --probe and --ctp-library alone: print the library's version and layout as JSON, and end.\n"
)]
struct RunLine {
    #[command(flatten)]
    library: LibraryArgs,
    /// The fleet's name
    #[arg(long, default_value = "qamd")]
    instance: Instance,
    /// Where the fleet's socket and locks are
    #[arg(long, value_name = "DIR")]
    runtime_dir: PathBuf,
    /// Where this connection's flow files go
    #[arg(long, value_name = "DIR")]
    flow_dir: PathBuf,
    /// The connection's name
    #[arg(long, value_name = "ID")]
    connection_id: ConnectionId,
    /// This worker's number in its fleet
    #[arg(long, value_name = "N")]
    worker: WorkerId,
    /// The front, tcp://host:port
    #[arg(long, value_name = "ADDR")]
    front_addr: FrontAddr,
    /// The broker's number
    #[arg(long, value_name = "ID")]
    broker_id: BrokerId,
    /// The most instruments to carry at once
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_subscriptions: u32,
    /// The user, where the front wants one; the password comes in QAMD_PASSWORD
    #[arg(long, value_name = "U")]
    user_id: Option<String>,
    /// A list of holidays, one YYYYMMDD a line
    #[arg(long, value_name = "FILE")]
    calendar: Option<PathBuf>,
    /// How long a connect may take before the front counts as unreachable
    #[arg(long, value_name = "MS", default_value_t = 10_000, value_parser = millis_parser())]
    connect_timeout_ms: u64,
    /// How long the answer to a login may take
    #[arg(long, value_name = "MS", default_value_t = 10_000, value_parser = millis_parser())]
    login_timeout_ms: u64,
    /// Quick retries before the slow ones, which never end
    #[arg(long, value_name = "N", default_value_t = 3)]
    quick_retries: u32,
}

/// A timeout of at least a millisecond and at most a day.
fn millis_parser() -> clap::builder::RangedU64ValueParser<u64> {
    clap::value_parser!(u64).range(1..=86_400_000)
}

/// What the process is to do.
#[derive(Debug)]
pub enum Order {
    /// Say what a library is, and end.
    Probe(LibrarySettings),
    /// Carry a connection.
    Run(Box<WorkerSettings>),
    /// Print this text and end: help or version.
    Print(String),
}

/// Which library.
#[derive(Debug, Clone)]
pub struct LibrarySettings {
    /// Its path.
    pub path: PathBuf,
    /// Take an unreadable version for the newest.
    pub allow_unknown_version: bool,
}

/// All a worker needs to know.
#[derive(Debug)]
pub struct WorkerSettings {
    /// The library.
    pub library: LibrarySettings,
    /// The fleet's places.
    pub paths: FleetPaths,
    /// Where the flow files go.
    pub flow_dir: PathBuf,
    /// The connection's name.
    pub connection: ConnectionId,
    /// The worker's number.
    pub worker: WorkerId,
    /// The front.
    pub front: FrontAddr,
    /// The broker.
    pub broker: BrokerId,
    /// The user, if any.
    pub credentials: Credentials,
    /// The most instruments at once.
    pub max_subscriptions: usize,
    /// The trading days.
    pub calendar: TradingCalendar,
    /// How long a connect may take.
    pub connect_timeout: Duration,
    /// How long a login's answer may take.
    pub login_timeout: Duration,
    /// Quick retries before the slow ones.
    pub quick_retries: u32,
}

/// What is wrong with the command line.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    /// A flag is missing, unknown or wrong; clap's own words.
    #[error("{0}")]
    CommandLine(String),
    /// The runtime directory cannot serve.
    #[error(transparent)]
    Paths(#[from] FleetPathsError),
    /// User or password do not fit.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The calendar cannot be read.
    #[error("the calendar {} cannot be read", path.display())]
    Calendar {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Reads the command line and the password.
///
/// # Errors
/// [`UsageError`] says what is wrong.
pub fn read(
    arguments: impl IntoIterator<Item = std::ffi::OsString>,
    password: Option<String>,
) -> Result<Order, UsageError> {
    let arguments: Vec<_> = arguments.into_iter().collect();
    if arguments.iter().any(|argument| argument == "--probe") {
        return Ok(match parse::<ProbeLine>(arguments)? {
            Ok(line) => Order::Probe(line.library.into()),
            Err(text) => Order::Print(text),
        });
    }
    match parse::<RunLine>(arguments)? {
        Ok(line) => line.check(password.as_deref()).map(|settings| Order::Run(Box::new(settings))),
        Err(text) => Ok(Order::Print(text)),
    }
}

/// Parses, or returns the text of `--help` and `--version`.
fn parse<L: Parser>(arguments: Vec<std::ffi::OsString>) -> Result<Result<L, String>, UsageError> {
    match L::try_parse_from(arguments) {
        Ok(line) => Ok(Ok(line)),
        Err(error) if !error.use_stderr() => Ok(Err(error.to_string())),
        Err(error) => Err(UsageError::CommandLine(error.to_string())),
    }
}

impl From<LibraryArgs> for LibrarySettings {
    fn from(args: LibraryArgs) -> Self {
        Self { path: args.ctp_library, allow_unknown_version: args.allow_unknown_version }
    }
}

impl RunLine {
    fn check(self, password: Option<&str>) -> Result<WorkerSettings, UsageError> {
        let user = self.user_id.unwrap_or_default();
        let calendar = self.calendar.map_or_else(|| Ok(TradingCalendar::default()), read_calendar);
        Ok(WorkerSettings {
            library: self.library.into(),
            paths: FleetPaths::new(self.instance, self.runtime_dir)?,
            flow_dir: self.flow_dir,
            connection: self.connection_id,
            worker: self.worker,
            front: self.front_addr,
            broker: self.broker_id,
            credentials: Credentials::new(&user, password.unwrap_or_default())?,
            max_subscriptions: usize::try_from(self.max_subscriptions).unwrap_or(usize::MAX),
            calendar: calendar?,
            connect_timeout: Duration::from_millis(self.connect_timeout_ms),
            login_timeout: Duration::from_millis(self.login_timeout_ms),
            quick_retries: self.quick_retries,
        })
    }
}

fn read_calendar(path: PathBuf) -> Result<TradingCalendar, UsageError> {
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(source) => return Err(UsageError::Calendar { path, source: Box::new(source) }),
    };
    TradingCalendar::parse(&text)
        .map_err(|source| UsageError::Calendar { path, source: Box::new(source) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "w --ctp-library l.so --runtime-dir /run/x --flow-dir f --connection-id c --worker 3 \
        --front-addr tcp://127.0.0.1:1 --broker-id 9999 --max-subscriptions 500";

    fn read_line(line: &str, password: Option<&str>) -> Result<Order, UsageError> {
        read(line.split_whitespace().map(Into::into), password.map(Into::into))
    }

    #[test]
    fn a_whole_line_makes_a_worker_with_the_usual_timeouts() {
        let Ok(Order::Run(settings)) = read_line(WHOLE, None) else { panic!("no worker") };
        assert_eq!((settings.worker, settings.max_subscriptions), (WorkerId(3), 500));
        assert_eq!(settings.paths.instance().as_str(), "qamd");
        assert_eq!(settings.connect_timeout, Duration::from_secs(10));
        assert_eq!((settings.quick_retries, &settings.credentials), (3, &Credentials::default()));
    }

    #[test]
    fn a_probe_needs_a_library_alone() {
        let order = read_line("w --probe --ctp-library l.so", None);
        assert!(matches!(order, Ok(Order::Probe(_))), "{order:?}");
        assert!(read_line("w --probe", None).is_err());
    }

    #[test]
    fn what_would_harm_the_library_is_refused_here() {
        for (good, bad) in [
            ("tcp://127.0.0.1:1", "udp://127.0.0.1:1"),
            ("tcp://127.0.0.1:1", "127.0.0.1:1"),
            ("9999", "99999999999"),
            ("--connection-id c", "--connection-id ../c"),
            ("--max-subscriptions 500", "--max-subscriptions 0"),
            ("/run/x", "run/x"),
            ("--worker 3", ""),
        ] {
            let line = WHOLE.replace(good, bad);
            assert!(read_line(&line, None).is_err(), "{bad}");
        }
        assert!(read_line("w --ctp-library l.so", None).is_err());
        let long = "p".repeat(41);
        let error = read_line(WHOLE, Some(&long)).unwrap_err().to_string();
        assert!(error.contains("password") && !error.contains(&long), "{error}");
    }

    #[test]
    fn a_calendar_is_read_whole_or_named() {
        let path = std::env::temp_dir().join(format!("qamd-calendar-{}", std::process::id()));
        std::fs::write(&path, "20251001 # National Day\n").unwrap();
        let line = format!("{WHOLE} --calendar {}", path.display());
        assert!(matches!(read_line(&line, None), Ok(Order::Run(_))));
        std::fs::write(&path, "1 October\n").unwrap();
        let error = crate::logging::chain(&read_line(&line, None).unwrap_err());
        assert!(error.contains("line 1") && error.contains("qamd-calendar"), "{error}");
        std::fs::remove_file(&path).unwrap();
        assert!(read_line(&line, None).is_err());
    }

    #[test]
    fn help_and_version_are_no_errors() {
        assert!(matches!(read_line("w --help", None), Ok(Order::Print(_))));
        assert!(matches!(read_line("w --version", None), Ok(Order::Print(_))));
    }
}

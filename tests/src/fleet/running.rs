//! A fleet at work.

use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use shm_layout::control::{
    FleetStatus, FrontendStats, Hello, OperatorReply, OperatorRequest, Role, SessionState,
    WorkerProcess, connect,
};
use shm_layout::ring::remove_remains;
use shm_layout::shared_memory::Place;
use shm_layout::{FleetPaths, version};

use super::home::Home;
use super::looking::session_state;
use crate::client::Client;
use crate::ring_tap::RingTap;
use crate::watch::{LOOK_EVERY, eventually};
use crate::{binaries, processes};

/// A fleet: its coordinator is a child of the test, the others are the coordinator's. Whatever still runs when this goes
/// is killed, by its id.
#[derive(Debug)]
pub struct Fleet {
    home: Home,
    paths: FleetPaths,
    config: PathBuf,
    environment: Vec<(String, String)>,
    coordinator: Option<Child>,
}

impl Fleet {
    pub(super) fn prepared(
        home: Home,
        config: PathBuf,
        environment: Vec<(String, String)>,
    ) -> Self {
        let paths = home.fleet_paths();
        Self { home, paths, config, environment, coordinator: None }
    }

    /// Starts `qamd run`.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn run(&mut self) {
        let log = self.open_log();
        let both = log.try_clone().expect("the log can be opened twice");
        self.spawn(both.into(), log.into());
    }

    /// Starts `qamd run` with its log going into a pipe that nobody reads any more, as when `tee` or a terminal is gone.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn run_unheard(&mut self) {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let both = writer.try_clone().expect("the pipe's end can be opened twice");
        self.spawn(both.into(), writer.into());
    }

    fn spawn(&mut self, stdout: Stdio, stderr: Stdio) {
        let child = Command::new(binaries::qamd())
            .args(["run", "--config"])
            .arg(&self.config)
            .current_dir(self.home.dir())
            .env_remove("QAMD_SIM")
            .env("QAMD_LOG", std::env::var("QAMD_LOG").as_deref().unwrap_or("info"))
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr)
            // As from a shell with job control: a signal to the tests' group is no signal to the fleet.
            .process_group(0)
            .spawn()
            .expect("qamd can be started");
        self.coordinator = Some(child);
    }

    /// Waits until the frontend listens and every enabled worker has said hello.
    ///
    /// # Panics
    /// When the coordinator ends, or the watchdog is through.
    pub async fn wait_serving(&mut self) -> FleetStatus {
        eventually("a fleet that serves", async || {
            let ended = self.coordinator.as_mut().and_then(|child| child.try_wait().expect("wait"));
            assert!(ended.is_none(), "the coordinator ended: {ended:?}");
            self.status().await.filter(serves)
        })
        .await
    }

    /// Waits until every enabled worker is logged in.
    ///
    /// # Panics
    /// When the watchdog is through.
    pub async fn wait_ready(&self) -> FleetStatus {
        self.status_when("every worker is logged in", |status| {
            status
                .workers
                .iter()
                .filter(|worker| worker.process != WorkerProcess::Disabled)
                .all(|worker| session_state(worker) == Some(&SessionState::Ready))
        })
        .await
    }

    /// Asks the coordinator, as `qamd status` does; `None` when there is no answer.
    pub async fn status(&self) -> Option<FleetStatus> {
        let hello = Hello {
            protocol: version::CONTROL_PROTOCOL,
            instance: *self.home.instance(),
            pid: std::process::id(),
            role: Role::Operator,
        };
        let asking = async {
            let (mut reader, mut writer) =
                connect(&self.paths.control_socket(), &hello).await.ok()?;
            writer.write(&OperatorRequest::Status).await.ok()?;
            match reader.read().await.ok()? {
                OperatorReply::Status(status) => Some(*status),
                other => panic!("a status was asked for, not {other:?}"),
            }
        };
        tokio::time::timeout(Duration::from_secs(5), asking).await.ok().flatten()
    }

    /// Asks until the status fits, and returns it.
    ///
    /// # Panics
    /// When the watchdog is through; the message carries the last status.
    pub async fn status_when(
        &self,
        what: &str,
        mut fits: impl FnMut(&FleetStatus) -> bool,
    ) -> FleetStatus {
        let last = LastStatus { what, status: RefCell::new(None) };
        eventually(what, async || {
            let status = self.status().await;
            last.status.replace(status.clone());
            status.filter(&mut fits)
        })
        .await
    }

    /// The status now.
    ///
    /// # Panics
    /// When the coordinator gives none until the watchdog is through.
    pub async fn status_now(&self) -> FleetStatus {
        self.status_when("a status", |_| true).await
    }

    /// The frontend's counters now.
    ///
    /// # Panics
    /// As [`Self::status_now`].
    pub async fn frontend_stats(&self) -> FrontendStats {
        self.status_now().await.frontends[0].stats
    }

    /// Where clients connect.
    ///
    /// # Panics
    /// When no frontend listens until the watchdog is through.
    pub async fn address(&self) -> String {
        let listens = |status: &FleetStatus| {
            status.frontends.iter().any(|frontend| !frontend.listening_on.is_empty())
        };
        let status = self.status_when("a frontend listens", listens).await;
        status.frontends[0].listening_on.clone()
    }

    /// A client of this fleet.
    ///
    /// # Panics
    /// When the frontend does not take it.
    pub async fn client(&self) -> Client {
        Client::connect(&self.address().await).await
    }

    /// A reader of this fleet's ring.
    #[must_use]
    pub fn tap(&self) -> RingTap {
        RingTap::open(&self.paths)
    }

    /// The coordinator's process id.
    ///
    /// # Panics
    /// When it was not started.
    #[must_use]
    pub fn coordinator_pid(&self) -> u32 {
        self.coordinator.as_ref().expect("the coordinator was started").id()
    }

    /// Where this fleet keeps its files.
    #[must_use]
    pub const fn paths(&self) -> &FleetPaths {
        &self.paths
    }

    /// The fleet's name and directory.
    #[must_use]
    pub const fn home(&self) -> &Home {
        &self.home
    }

    /// The configuration file.
    #[must_use]
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// Runs `qamd` with these arguments in the fleet's directory and waits for its end.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn qamd(&self, arguments: &[&str]) -> Output {
        Command::new(binaries::qamd())
            .args(arguments)
            .current_dir(self.home.dir())
            .env_remove("QAMD_LOG")
            .stdin(Stdio::null())
            .output()
            .expect("qamd can be started")
    }

    /// `qamd` with a verb and `--config` of this fleet.
    ///
    /// # Panics
    /// As [`Self::qamd`].
    #[must_use]
    pub fn verb(&self, arguments: &[&str]) -> Output {
        let config = self.config.display().to_string();
        self.qamd(&[arguments, &["--config", &config]].concat())
    }

    /// Everything the fleet has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read(self.log_path())
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// Kills the coordinator without a chance to tidy up; the others live on.
    ///
    /// # Panics
    /// When it was not started.
    pub fn kill_coordinator(&mut self) {
        let mut child = self.coordinator.take().expect("the coordinator was started");
        child.kill().expect("the coordinator can be killed");
        child.wait().expect("the coordinator can be waited for");
    }

    /// Waits for the coordinator's end.
    ///
    /// # Panics
    /// When it was not started, or does not end until the watchdog is through.
    pub async fn wait_ended(&mut self) -> ExitStatus {
        let mut child = self.coordinator.take().expect("the coordinator was started");
        eventually("the coordinator's end", async || child.try_wait().expect("wait")).await
    }

    /// Stops the fleet as an operator does and looks whether anything was left behind.
    ///
    /// # Panics
    /// When the coordinator's exit code is not 0, a process still runs, or a file other than its segments was left in `/dev/shm`,
    /// or any in the runtime directory.
    pub async fn stop(self) {
        self.stop_by(Signal::SIGTERM).await;
    }

    /// As [`Self::stop`], with another signal.
    ///
    /// # Panics
    /// As [`Self::stop`].
    pub async fn stop_by(mut self, signal: Signal) {
        processes::signal(self.coordinator_pid(), signal);
        let status = self.wait_ended().await;
        assert_eq!(status.code(), Some(0), "the coordinator ended: {status}");
        self.assert_nothing_left();
    }

    /// Looks whether anything of this fleet is left.
    ///
    /// # Panics
    /// When something is.
    pub fn assert_nothing_left(&self) {
        let running = self.processes();
        assert!(running.is_empty(), "still running: {running:#?}");
        // Its segments stay for those who have them mapped.
        let stays = self.home.segments().map(|name| Place::named(&name).path().to_owned());
        let mut shared = processes::shared_memory_of(self.home.instance().as_str());
        shared.retain(|path| !stays.contains(path));
        assert!(shared.is_empty(), "left in shared memory: {shared:#?}");
        let files: Vec<_> = std::fs::read_dir(self.paths.runtime_dir())
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .collect();
        assert!(files.is_empty(), "left in the runtime directory: {files:#?}");
    }

    /// Every living process of this fleet.
    #[must_use]
    pub fn processes(&self) -> Vec<processes::Process> {
        processes::mentioning(self.home.instance().as_str())
    }

    fn log_path(&self) -> PathBuf {
        self.home.path("fleet.log")
    }

    fn open_log(&self) -> File {
        let path = self.log_path();
        let opened = OpenOptions::new().create(true).append(true).open(path);
        opened.expect("the log can be opened")
    }

    fn print_log(&self) {
        const LINES: usize = 60;
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines[lines.len().saturating_sub(LINES)..].join("\n");
        let text = format!("--- the end of the log of {}\n{tail}\n---\n", self.home.instance());
        // Nobody is left to tell when this fails.
        drop(std::io::stderr().write_all(text.as_bytes()));
    }

    fn kill_all(&mut self) {
        if let Some(mut child) = self.coordinator.take() {
            drop(child.kill());
            drop(child.wait());
        }
        // A coordinator killed while it started a child may leave one that was not there at the first look.
        for _ in 0..200 {
            let running = self.processes();
            if running.is_empty() {
                return;
            }
            for process in running {
                processes::signal(process.pid, Signal::SIGKILL);
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.print_log();
        }
        self.kill_all();
        drop(remove_remains(&self.paths));
        for path in processes::shared_memory_of(self.home.instance().as_str()) {
            drop(std::fs::remove_file(path));
        }
    }
}

/// Prints the last status of a wait that failed.
struct LastStatus<'a> {
    what: &'a str,
    status: RefCell<Option<FleetStatus>>,
}

impl Drop for LastStatus<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let status = serde_json::to_string_pretty(&*self.status.borrow()).unwrap_or_default();
            let text = format!("--- the last status while waiting for: {}\n{status}\n", self.what);
            drop(std::io::stderr().write_all(text.as_bytes()));
        }
    }
}

fn serves(status: &FleetStatus) -> bool {
    let listens = status
        .frontends
        .iter()
        .any(|frontend| frontend.connected && !frontend.listening_on.is_empty());
    let enabled = status.workers.iter().filter(|worker| worker.process != WorkerProcess::Disabled);
    listens && enabled.clone().all(|worker| worker.process == WorkerProcess::Running)
}

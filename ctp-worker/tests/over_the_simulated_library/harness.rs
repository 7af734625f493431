//! One worker over the simulated library, with this test as its coordinator and its only reader.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use shm_layout::control::{
    self, Assignment, Carry, FrameReader, FrameWriter, FromWorker, HelloReply, InstrumentState,
    Role, SessionState, ToWorker, WorkerHello, WorkerStats,
};
use shm_layout::ring::{RingNode, TickReader, TickSource, remove_remains};
use shm_layout::{ConnectionId, FleetPaths, Generation, Instance, InstrumentId, Tick};
use tokio::net::UnixListener;

/// A test that takes this long hangs; nothing here is expected to be fast.
pub(crate) const WATCHDOG: Duration = Duration::from_secs(60);

pub(crate) const CONNECTION: &str = "sim";

/// Where the simulated library lies; built first, since no test depends on a cdylib.
pub(crate) fn simulated_library() -> PathBuf {
    static BUILT: Once = Once::new();
    let beside = Path::new(env!("CARGO_BIN_EXE_qamd-ctp-worker")).parent().expect("a directory");
    BUILT.call_once(|| {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--package", "qamd-ctp-sim"]);
        if beside.ends_with("release") {
            build.arg("--release");
        }
        let built = build.status().expect("cargo runs");
        assert!(
            built.success(),
            "building the simulated library failed: cargo build -p qamd-ctp-sim"
        );
    });
    beside.join("libqamd_ctp_sim.so")
}

/// A fleet of one worker. Everything of it is removed at the end.
pub(crate) struct Fleet {
    pub(crate) paths: FleetPaths,
    pub(crate) flow_dir: PathBuf,
    root: PathBuf,
    listener: Option<UnixListener>,
    ticks: TickReader,
    _node: RingNode,
    worker: Option<Child>,
}

/// The worker's connection to the coordinator.
pub(crate) struct Worker {
    pub(crate) hello: WorkerHello,
    reader: FrameReader,
    writer: FrameWriter,
}

pub(crate) fn id(text: &str) -> InstrumentId {
    InstrumentId::parse(text).expect("an id")
}

impl Fleet {
    /// Prepares a fleet of its own name. Must run in a tokio runtime.
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("w{}-{count}", std::process::id());
        let root = std::env::temp_dir().join(format!("qamd-{name}"));
        std::fs::create_dir_all(root.join("run")).expect("a directory");
        let instance = Instance::parse(&name).expect("a name");
        let paths = FleetPaths::new(instance, root.join("run")).expect("paths");
        let node = RingNode::open(&paths).expect("a node");
        let ticks = TickReader::open(&node).expect("a reader");
        let flow_dir = root.join("flow").join(CONNECTION);
        let mut fleet =
            Self { paths, flow_dir, root, listener: None, ticks, _node: node, worker: None };
        fleet.listen();
        fleet
    }

    pub(crate) fn listen(&mut self) {
        let socket = self.paths.control_socket();
        drop(self.listener.take());
        drop(std::fs::remove_file(&socket));
        self.listener = Some(UnixListener::bind(socket).expect("a socket"));
    }

    /// The worker's command line over the simulated library doing what `script` says.
    pub(crate) fn command(&self, script: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_qamd-ctp-worker"));
        command
            .arg("--instance")
            .arg(self.paths.instance().as_str())
            .arg("--runtime-dir")
            .arg(self.paths.runtime_dir())
            .arg("--flow-dir")
            .arg(&self.flow_dir)
            .args(["--connection-id", CONNECTION, "--worker", "5", "--broker-id", "9999"])
            .args(["--front-addr", "tcp://127.0.0.1:1", "--max-subscriptions", "500"])
            .arg("--ctp-library")
            .arg(simulated_library())
            .env("QAMD_SIM", script)
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn start_command(&mut self, mut command: Command) {
        self.worker = Some(command.spawn().expect("a worker"));
    }

    /// Takes the worker's next connection.
    pub(crate) async fn accept(&mut self) -> Worker {
        let listener = self.listener.as_ref().expect("listening");
        let (stream, _) = listener.accept().await.expect("a client");
        let own = nix::unistd::geteuid().as_raw();
        let (hello, reader, mut writer) =
            control::accept(stream, self.paths.instance(), own).await.expect("a hello");
        writer.write(&HelloReply::Welcome).await.expect("written");
        let Role::Worker(hello) = hello.role else { panic!("no worker: {hello:?}") };
        Worker { hello: *hello, reader, writer }
    }

    pub(crate) async fn start_and_accept(&mut self, script: &str) -> Worker {
        self.start_command(self.command(script));
        self.accept().await
    }

    /// Ticks as they come until `enough` says so.
    pub(crate) async fn ticks_until(
        &mut self,
        mut enough: impl FnMut(&[Tick]) -> bool,
    ) -> Vec<Tick> {
        let mut ticks = Vec::new();
        while !enough(&ticks) {
            let drained = self.ticks.drain(1000, &mut |tick| ticks.push(*tick)).expect("a ring");
            assert_eq!(drained.lost, 0);
            if drained.ticks == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        ticks
    }

    /// The exit code of the worker once it has ended; `None` when a signal ended it.
    pub(crate) async fn ended(&mut self) -> Option<i32> {
        let worker = self.worker.as_mut().expect("a worker");
        loop {
            if let Some(status) = worker.try_wait().expect("a child") {
                self.worker = None;
                return status.code();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) fn worker_pid(&self) -> u32 {
        self.worker.as_ref().expect("a worker").id()
    }

    pub(crate) fn worker_lock(&self) -> PathBuf {
        self.paths.worker_lock(&ConnectionId::parse(CONNECTION).expect("an id"))
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        if let Some(mut worker) = self.worker.take() {
            drop(worker.kill());
            drop(worker.wait());
        }
        drop(remove_remains(&self.paths));
        drop(std::fs::remove_dir_all(&self.root));
    }
}

impl Worker {
    pub(crate) async fn say(&mut self, message: ToWorker) {
        self.writer.write(&message).await.expect("written");
    }

    pub(crate) async fn assign(&mut self, generation: u64, instruments: &[&str]) {
        let instruments = instruments.iter().map(|text| Carry::primary(id(text))).collect();
        let generation = Generation(generation);
        self.say(ToWorker::Assign(Assignment::Whole { generation, instruments })).await;
    }

    /// The next message that is not about counters.
    pub(crate) async fn hear(&mut self) -> FromWorker {
        loop {
            let message = self.reader.read().await.expect("a message");
            if !matches!(message, FromWorker::Stats(_)) {
                return message;
            }
        }
    }

    /// Waits until the session is as wanted; returns all states on the way, that one included.
    pub(crate) async fn session_until(
        &mut self,
        wanted: impl Fn(&SessionState) -> bool,
    ) -> Vec<SessionState> {
        let mut states = Vec::new();
        loop {
            if let FromWorker::Session(report) = self.hear().await {
                states.push(report.state.clone());
                if wanted(&report.state) {
                    return states;
                }
            }
        }
    }

    /// Waits until an instrument is in a state that is wanted, and returns it.
    pub(crate) async fn instrument_until(
        &mut self,
        instrument: &str,
        wanted: impl Fn(&InstrumentState) -> bool,
    ) -> InstrumentState {
        loop {
            if let FromWorker::Instruments(reports) = self.hear().await {
                let of_it = reports.into_iter().find(|report| report.instrument == id(instrument));
                if let Some(report) = of_it.filter(|report| wanted(&report.state)) {
                    return report.state;
                }
            }
        }
    }

    /// The next counters.
    pub(crate) async fn next_stats(&mut self) -> WorkerStats {
        loop {
            if let FromWorker::Stats(stats) = self.reader.read().await.expect("a message") {
                return stats;
            }
        }
    }

    /// Waits until the counters are as wanted.
    pub(crate) async fn stats_until(&mut self, wanted: impl Fn(&WorkerStats) -> bool) {
        while !wanted(&self.next_stats().await) {}
    }

    /// Waits until each of the instruments was reported as ticking.
    pub(crate) async fn all_ticking(&mut self, instruments: &[&str]) {
        let mut silent: Vec<_> = instruments.iter().map(|text| id(text)).collect();
        while !silent.is_empty() {
            if let FromWorker::Instruments(reports) = self.hear().await {
                for report in reports {
                    let ticks = report.state == InstrumentState::Ticking;
                    silent.retain(|instrument| !ticks || *instrument != report.instrument);
                }
            }
        }
    }

    /// Everything until the worker hangs up.
    pub(crate) async fn last_words(mut self) -> Vec<FromWorker> {
        let mut words = Vec::new();
        while let Ok(message) = self.reader.read().await {
            words.push(message);
        }
        words
    }
}

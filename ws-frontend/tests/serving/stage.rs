//! One frontend process with everything around it.

use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getuid};
use serde_json::Value;
use shm_layout::control::{
    ConnectionView, FrameReader, FrameWriter, FromFrontend, FrontendStats, HelloReply, Role,
    ToFrontend, accept,
};
use shm_layout::ring::{RingNode, TickWriter, remove_remains};
use shm_layout::{FleetPaths, Incarnation, Instance, InstrumentId, Tick, WorkerId, clock};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::{TcpSocket, TcpStream, UnixListener};
use tokio::process::{Child, Command};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

/// No test is meant to take so long; one that does hangs.
const WATCHDOG: Duration = Duration::from_secs(60);

/// Waits, but not for ever.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(WATCHDOG, future).await {
        Ok(done) => done,
        Err(_) => panic!("waiting for {what} takes too long"),
    }
}

/// A fleet of one frontend.
pub(crate) struct Stage {
    pub(crate) paths: FleetPaths,
    pub(crate) node: RingNode,
    listener: Option<UnixListener>,
    pub(crate) child: Child,
}

/// The coordinator's end of the control channel.
pub(crate) struct Coordinator {
    pub(crate) listening_on: String,
    reader: FrameReader,
    writer: FrameWriter,
    /// What it was told is wanted.
    pub(crate) demand: std::collections::BTreeSet<String>,
    /// The last counters it was told.
    pub(crate) stats: FrontendStats,
    /// How the connections compare, as it was told last.
    pub(crate) views: Vec<ConnectionView>,
    /// True when the first thing it was told about demand began anew.
    pub(crate) began_anew: bool,
}

/// A client.
pub(crate) struct Client {
    pub(crate) socket: WebSocketStream<TcpStream>,
}

pub(crate) fn fresh_paths() -> FleetPaths {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("wsf{}-{count}", std::process::id());
    let dir: PathBuf = std::env::temp_dir().join(format!("qamd-test-{name}"));
    std::fs::create_dir_all(&dir).unwrap();
    FleetPaths::new(Instance::parse(&name).unwrap(), dir).unwrap()
}

pub(crate) fn command(paths: &FleetPaths, port: u16) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_qamd-ws-frontend"));
    command
        .args(["--instance", paths.instance().as_str()])
        .arg("--runtime-dir")
        .arg(paths.runtime_dir())
        .args(["--host", "127.0.0.1", "--port", &port.to_string()])
        .env("QAMD_LOG", "info")
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

fn spawn(paths: &FleetPaths) -> Child {
    let mut child = command(paths, 0).spawn().unwrap();
    // Its log belongs to whoever looks at a failure.
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    tokio::spawn(async move {
        while let Ok(Some(line)) = log.next_line().await {
            println!("frontend: {line}");
        }
    });
    child
}

// === impl Stage ===

impl Stage {
    /// Starts a frontend and takes its control connection.
    pub(crate) async fn start() -> (Self, Coordinator) {
        let paths = fresh_paths();
        let listener = UnixListener::bind(paths.control_socket()).unwrap();
        let node = RingNode::open(&paths).unwrap();
        let child = spawn(&paths);
        let mut stage = Self { paths, node, listener: Some(listener), child };
        let coordinator = stage.coordinator().await;
        (stage, coordinator)
    }

    /// Starts the frontend with a log that nobody reads.
    pub(crate) async fn start_unheard() -> (Self, Coordinator) {
        let paths = fresh_paths();
        let listener = UnixListener::bind(paths.control_socket()).unwrap();
        let node = RingNode::open(&paths).unwrap();
        let mut child = command(&paths, 0).spawn().unwrap();
        drop(child.stderr.take());
        let mut stage = Self { paths, node, listener: Some(listener), child };
        let coordinator = stage.coordinator().await;
        (stage, coordinator)
    }

    /// Starts the frontend again, after its end.
    pub(crate) async fn restart(&mut self) -> Coordinator {
        self.child = spawn(&self.paths);
        self.coordinator().await
    }

    /// Takes a control connection, as a coordinator that just started.
    pub(crate) async fn coordinator(&mut self) -> Coordinator {
        if self.listener.is_none() {
            self.listener = Some(UnixListener::bind(self.paths.control_socket()).unwrap());
        }
        let listener = self.listener.as_ref().unwrap();
        let (stream, _) = within("a control connection", listener.accept()).await.unwrap();
        let uid = getuid().as_raw();
        let (hello, reader, mut writer) =
            within("a hello", accept(stream, self.paths.instance(), uid)).await.unwrap();
        writer.write(&HelloReply::Welcome).await.unwrap();
        let Role::Frontend(frontend) = hello.role else { panic!("{hello:?}") };
        Coordinator {
            listening_on: frontend.listening_on,
            reader,
            writer,
            demand: Default::default(),
            stats: FrontendStats::default(),
            views: Vec::new(),
            began_anew: false,
        }
    }

    /// Nobody listens at the control socket any longer.
    pub(crate) fn close_control_socket(&mut self) {
        self.listener = None;
        std::fs::remove_file(self.paths.control_socket()).unwrap();
    }

    /// A worker that publishes.
    pub(crate) fn worker(&self, worker: u32) -> TickWriter {
        let incarnation = Incarnation(clock::boot_ns());
        TickWriter::open(&self.node, WorkerId(worker), incarnation).unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id().unwrap()).unwrap();
        kill(Pid::from_raw(pid), signal).unwrap();
    }

    pub(crate) async fn exit(&mut self) -> ExitStatus {
        within("the frontend's end", self.child.wait()).await.unwrap()
    }

    /// The frontend's resident memory in KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id().unwrap()));
        let status = status.unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(pid) = self.child.id() {
            let pid = Pid::from_raw(i32::try_from(pid).unwrap());
            let _gone_already = kill(pid, Signal::SIGKILL);
            let _reaped_elsewhere = nix::sys::wait::waitpid(pid, None);
        }
        let removed = remove_remains(&self.paths);
        let _gone_already = std::fs::remove_dir_all(self.paths.runtime_dir());
        if !std::thread::panicking() {
            removed.unwrap();
        }
    }
}

// === impl Coordinator ===

impl Coordinator {
    pub(crate) async fn hear(&mut self) -> FromFrontend {
        let heard: FromFrontend =
            within("a word of the frontend", self.reader.read()).await.unwrap();
        match &heard {
            FromFrontend::Stats(stats) => self.stats = *stats,
            FromFrontend::Connections(views) => self.views.clone_from(views),
            FromFrontend::Demand { first, add, remove } => {
                if *first {
                    self.began_anew = true;
                    self.demand.clear();
                }
                self.demand.extend(add.iter().map(InstrumentId::to_string));
                for instrument in remove {
                    assert!(self.demand.remove(instrument.as_str()));
                }
            }
        }
        heard
    }

    /// Listens until what was said makes it so.
    pub(crate) async fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        within(what, async {
            while !is_so(self) {
                self.hear().await;
            }
        })
        .await;
    }

    pub(crate) async fn until_demand(&mut self, wanted: &[&str]) {
        let wanted = wanted.iter().map(ToString::to_string).collect();
        self.until("demand", |told| told.began_anew && told.demand == wanted).await;
    }

    pub(crate) async fn say(&mut self, message: &ToFrontend) {
        self.writer.write(message).await.unwrap();
    }

    pub(crate) async fn client(&self) -> Client {
        Client::connect(&self.listening_on, None).await
    }
}

// === impl Client ===

impl Client {
    /// Connects; with a receive buffer of that many bytes if given.
    pub(crate) async fn connect(address: &str, receive_buffer: Option<u32>) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        if let Some(bytes) = receive_buffer {
            socket.set_recv_buffer_size(bytes).unwrap();
        }
        let stream = socket.connect(address.parse().unwrap()).await.unwrap();
        let url = format!("ws://{address}/");
        let (socket, _) = within("a handshake", client_async(url, stream)).await.unwrap();
        Self { socket }
    }

    pub(crate) async fn send(&mut self, message: impl Into<Message>) {
        within("sending", self.socket.send(message.into())).await.unwrap();
    }

    /// The next message. Pings may come at any time when the machine is slow; the socket answers them.
    pub(crate) async fn message(&mut self) -> Message {
        loop {
            let message = within("a message", self.socket.next()).await;
            match message.expect("the connection ended").unwrap() {
                Message::Ping(_) => {}
                message => return message,
            }
        }
    }

    pub(crate) async fn text(&mut self) -> String {
        match self.message().await {
            Message::Text(text) => text.as_str().to_owned(),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn json(&mut self) -> Value {
        serde_json::from_str(&self.text().await).unwrap()
    }

    /// Subscribes and takes the answer.
    pub(crate) async fn subscribe(&mut self, instruments: &[&str]) {
        let request = serde_json::json!({"action": "subscribe", "instruments": instruments});
        self.send(Message::text(request.to_string())).await;
        let answer = self.json().await;
        assert_eq!(
            (&answer["type"], &answer["subscribed_count"]),
            (&"subscribe_response".into(), &instruments.len().into())
        );
    }

    /// The next tick as its instrument and volume.
    pub(crate) async fn tick(&mut self) -> (String, i64) {
        let tick = self.json().await;
        assert_eq!(tick["type"], "market_data", "{tick}");
        (tick["instrument_id"].as_str().unwrap().to_owned(), tick["volume"].as_i64().unwrap())
    }

    /// Reads on to the close frame and the end after it; returns the close code and the texts before.
    pub(crate) async fn until_closed(mut self) -> (u16, Vec<String>) {
        let mut texts = Vec::new();
        loop {
            match self.message().await {
                Message::Text(text) => texts.push(text.as_str().to_owned()),
                Message::Close(Some(frame)) => {
                    let code = u16::from(frame.code);
                    while within("the end", self.socket.next()).await.is_some_and(|m| m.is_ok()) {}
                    return (code, texts);
                }
                Message::Close(None) => panic!("a close frame without a code"),
                _ => {}
            }
        }
    }
}

/// A tick that does not say when it was received, so that the frontend takes its age for no reason to hurry.
pub(crate) fn tick(instrument: &str, volume: i32) -> Tick {
    let id = InstrumentId::parse(instrument).unwrap();
    Tick { instrument_id: *id.padded(), volume, last_price: 4180.0, ..Tick::EMPTY }
}

/// Publishes one tick.
pub(crate) fn publish(worker: &mut TickWriter, instrument: &str, volume: i32) {
    assert_eq!(worker.publish(&mut [tick(instrument, volume)]), 0);
}

/// Everything a process says on stderr, and how it ended.
pub(crate) async fn run_to_end(mut command: Command) -> (Option<i32>, String) {
    let mut child = command.spawn().unwrap();
    let mut said = String::new();
    let mut stderr = child.stderr.take().unwrap();
    within("its last words", stderr.read_to_string(&mut said)).await.unwrap();
    (within("its end", child.wait()).await.unwrap().code(), said)
}

//! The demonstration's client: subscribes over WebSocket as anybody would, and prints what it gets.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use shm_layout::InstrumentId;
use shm_layout::clock::monotonic;
use shm_layout::control::{FleetStatus, SessionState, WorkerProcess};
use tokio::sync::mpsc;
use tokio::time::{sleep, sleep_until};
use tokio_tungstenite::tungstenite::Message;

use super::board::{Board, Push};
use crate::driver::Inbound;
use crate::http::ask;
use crate::output::{Style, say};

/// How long the fleet may take until every worker is logged in.
const READY_WAIT: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// After so long without a tick a word is said, once.
const SILENCE: Duration = Duration::from_secs(6);
/// How often the fleet's losses are asked for.
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// What was seen of the demonstration.
#[derive(Debug, Default)]
pub struct Seen {
    /// Ticks received.
    pub ticks: u64,
    /// Different instruments among them.
    pub instruments: usize,
    /// Ticks lost or conflated on the way, by the fleet's own count.
    pub missed: u64,
    /// From the first subscription to the end.
    pub duration: Duration,
    /// What kept the demonstration from being given.
    pub failure: Option<String>,
}

/// The client.
#[derive(Debug)]
pub struct Viewer {
    inbox: mpsc::Sender<Inbound>,
    instruments: Vec<InstrumentId>,
    until: Option<Instant>,
    style: Style,
    ids: HashSet<String>,
    last_tick: Option<Instant>,
    seen: Seen,
}

// === impl Viewer ===

impl Viewer {
    /// A client for these instruments, through the frontend of the coordinator behind `inbox`.
    #[must_use]
    pub fn new(inbox: mpsc::Sender<Inbound>, instruments: Vec<InstrumentId>, style: Style) -> Self {
        Self {
            inbox,
            instruments,
            until: None,
            style,
            ids: HashSet::new(),
            last_tick: None,
            seen: Seen::default(),
        }
    }

    /// Shows ticks until the fleet stops, or for so long; `introduce` is told where the frontend listens.
    pub async fn run(
        mut self,
        for_a_while: Option<Duration>,
        introduce: impl FnOnce(&str),
    ) -> Seen {
        match self.wait_ready().await {
            Ok(address) => {
                introduce(&address);
                let begun = monotonic();
                self.until = for_a_while.map(|a_while| begun + a_while);
                if let Err(why) = self.watch(&address).await {
                    self.seen.failure = Some(why);
                }
                self.seen.duration = monotonic().saturating_duration_since(begun);
            }
            Err(why) => self.seen.failure = why,
        }
        // The fleet may have stopped already.
        self.inbox.send(Inbound::Stop).await.unwrap_or_default();
        self.seen.instruments = self.ids.len();
        self.seen
    }

    /// Waits until every worker is logged in and the frontend listens. No reason is given when the person stopped it.
    async fn wait_ready(&self) -> Result<String, Option<String>> {
        let begun = monotonic();
        loop {
            let status = ask(&self.inbox).await.ok_or(None)?.status;
            if status.workers.iter().any(|worker| worker.process == WorkerProcess::Stopping) {
                return Err(None);
            }
            if let Some(address) = ready_address(&status) {
                return Ok(address);
            }
            let refused =
                status.workers.iter().any(|worker| worker.process == WorkerProcess::Failed);
            if refused || monotonic().saturating_duration_since(begun) > READY_WAIT {
                let table = crate::status_table::render(&status, self.style);
                return Err(Some(format!("the fleet did not get ready\n{table}")));
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// One connection from its subscription to its end.
    async fn watch(&mut self, address: &str) -> Result<(), String> {
        let url = format!("ws://{address}/");
        let (mut socket, _) = tokio_tungstenite::connect_async(&url)
            .await
            .map_err(|error| format!("connecting to {url}: {error}"))?;
        let ids: Vec<&str> = self.instruments.iter().map(InstrumentId::as_str).collect();
        let wish = json!({"action": "subscribe", "instruments": ids}).to_string();
        socket.send(Message::text(wish)).await.map_err(|error| format!("subscribing: {error}"))?;
        let mut board = Board::new(self.style);
        let mut count = tokio::time::interval(COUNT_EVERY);
        loop {
            tokio::select! {
                message = socket.next() => match message {
                    Some(Ok(Message::Text(text))) => self.take(text.as_str(), &mut board)?,
                    // 1001 or a broken connection: the fleet stops, or its frontend died and nobody is left to show it.
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return Ok(()),
                    Some(Ok(_)) => {}
                },
                _ = count.tick() => match ask(&self.inbox).await {
                    Some(snapshot) => {
                        self.seen.missed = missed(&snapshot.status);
                        self.mention_silence();
                    }
                    None => return Ok(()),
                },
                () = until(self.until) => {
                    // A goodbye is polite; a frontend that does not hear it ends all the same.
                    drop(socket.close(None).await);
                    return Ok(());
                }
            }
        }
    }

    /// A recording ends, and nothing tells a client: say what the silence means.
    fn mention_silence(&mut self) {
        let now = monotonic();
        let silent = |at: &mut Instant| now.saturating_duration_since(*at) >= SILENCE;
        if self.last_tick.take_if(silent).is_some() {
            say("(no tick for a while: a recording is at its end; Ctrl-C stops)\n");
        }
    }

    fn take(&mut self, text: &str, board: &mut Board) -> Result<(), String> {
        if let Ok(push) = serde_json::from_str::<Push>(text) {
            self.seen.ticks += 1;
            let now = monotonic();
            self.last_tick = Some(now);
            if let Some(line) = board.show(&push, now) {
                say(&line);
            }
            if !self.ids.contains(&push.instrument_id) {
                self.ids.insert(push.instrument_id);
            }
            return Ok(());
        }
        let answer: Value = serde_json::from_str(text).unwrap_or_default();
        if answer["type"] == "error" {
            return Err(format!("the frontend answered: {text}"));
        }
        Ok(())
    }
}

/// Where the frontend listens, once it does and every worker is logged in.
fn ready_address(status: &FleetStatus) -> Option<String> {
    let frontend = status.frontends.iter().find(|frontend| frontend.connected)?;
    let ready = status.workers.iter().all(|worker| {
        worker.session.as_ref().is_some_and(|session| session.state == SessionState::Ready)
    });
    (ready && !frontend.listening_on.is_empty()).then(|| frontend.listening_on.clone())
}

/// Everything the fleet counted as not delivered one by one.
fn missed(status: &FleetStatus) -> u64 {
    let frontends = status.frontends.iter().map(|frontend| {
        frontend.stats.ring_lost + frontend.stats.conflated + frontend.stats.overrun
    });
    let workers =
        status.workers.iter().map(|worker| worker.stats.unpublished + worker.stats.malformed);
    frontends.chain(workers).sum()
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

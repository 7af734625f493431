//! The control socket: takes clients, checks their hello, and carries messages between them and the driver.
//!
//! Each client has a task of its own and a bounded outbox. A client that does not take its messages is disconnected: it
//! reconnects, says all it has and hears all it needs. The driver waits for no client.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use shm_layout::Instance;
use shm_layout::control::{
    ChannelError, FrameReader, FrameWriter, FromFrontend, FromWorker, Hello, HelloReply,
    OperatorReply, OperatorRequest, Role, ToFrontend, ToWorker, accept,
};
use tokio::net::UnixListener;
use tokio::sync::{Semaphore, mpsc};
use tracing::{debug, info, warn};

use crate::driver::Inbound;
use crate::fleet::ClientId;
use crate::limits::{CLIENT_OUTBOX_MESSAGES_MAX, CONTROL_CLIENTS_MAX, HELLO_WAIT};

/// What goes to a client.
#[derive(Debug)]
pub enum Outgoing {
    /// The answer to its hello.
    Reply(HelloReply),
    /// To a worker.
    Worker(ToWorker),
    /// To a frontend.
    Frontend(ToFrontend),
    /// To a person's command.
    Operator(OperatorReply),
}

/// What a client says after its hello.
#[derive(Debug)]
pub enum Incoming {
    /// A worker.
    Worker(FromWorker),
    /// A frontend.
    Frontend(FromFrontend),
    /// A person's command.
    Operator(OperatorRequest),
}

/// Why the control socket could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("opening the control socket {path} failed")]
pub struct ControlServerError {
    /// The socket.
    pub path: PathBuf,
    /// What the system said.
    #[source]
    pub source: std::io::Error,
}

/// What the server counts.
#[derive(Debug, Default)]
pub struct ControlCounters {
    /// Clients whose hello was not answered with a welcome, or that came too many.
    pub refused: AtomicU64,
}

/// The open control socket.
#[derive(Debug)]
pub struct ControlServer {
    listener: UnixListener,
    instance: Instance,
    own_uid: u32,
    inbox: mpsc::Sender<Inbound>,
    counters: Arc<ControlCounters>,
}

// === impl ControlServer ===

impl ControlServer {
    /// Opens the socket; one left by a dead coordinator is replaced, since whoever calls this holds its lock.
    ///
    /// # Errors
    /// [`ControlServerError`] names the socket.
    pub fn open(
        path: &Path,
        instance: Instance,
        own_uid: u32,
        inbox: mpsc::Sender<Inbound>,
        counters: Arc<ControlCounters>,
    ) -> Result<Self, ControlServerError> {
        let failed = |source| ControlServerError { path: path.to_owned(), source };
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed(error));
            }
            _ => {}
        }
        let listener = UnixListener::bind(path).map_err(failed)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
        Ok(Self { listener, instance, own_uid, inbox, counters })
    }

    /// Takes clients for ever.
    pub async fn serve(self) {
        let places = Arc::new(Semaphore::new(CONTROL_CLIENTS_MAX));
        let mut next = 0;
        loop {
            let stream = match self.listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of descriptors, most likely; waiting a moment is all that can be done.
                    warn!("accepting a control client failed: {error}");
                    tokio::time::sleep(HELLO_WAIT / 10).await;
                    continue;
                }
            };
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                warn!(
                    "{CONTROL_CLIENTS_MAX} control clients are connected already; one more was closed unheard"
                );
                self.counters.refused.fetch_add(1, Ordering::Relaxed);
                continue;
            };
            next += 1;
            let (client, instance, own_uid) = (ClientId(next), self.instance, self.own_uid);
            let (inbox, counters) = (self.inbox.clone(), Arc::clone(&self.counters));
            tokio::spawn(async move {
                let met =
                    tokio::time::timeout(HELLO_WAIT, accept(stream, &instance, own_uid)).await;
                match met {
                    Ok(Ok((hello, reader, writer))) => {
                        converse(client, hello, reader, writer, inbox).await
                    }
                    Ok(Err(ChannelError::Closed)) => {
                        debug!("a control client left without a hello")
                    }
                    Ok(Err(error)) => {
                        counters.refused.fetch_add(1, Ordering::Relaxed);
                        warn!("a control client was refused: {error}");
                    }
                    Err(_) => {
                        counters.refused.fetch_add(1, Ordering::Relaxed);
                        warn!("a control client said no hello in time");
                    }
                }
                drop(place);
            });
        }
    }
}

/// One client from its hello to its end. Either half ends it.
async fn converse(
    client: ClientId,
    hello: Hello,
    reader: FrameReader,
    writer: FrameWriter,
    inbox: mpsc::Sender<Inbound>,
) {
    let (outbox, outgoing) = mpsc::channel(CLIENT_OUTBOX_MESSAGES_MAX);
    let role = hello.role.clone();
    if inbox.send(Inbound::Hello { client, hello, outbox }).await.is_err() {
        return;
    }
    let ended = tokio::select! {
        ended = listen(client, &role, reader, &inbox) => ended,
        ended = speak(writer, outgoing) => ended,
    };
    match ended {
        Ok(()) | Err(ChannelError::Closed) => debug!(client = client.0, "control client gone"),
        Err(error) => info!(client = client.0, "control connection ended: {error}"),
    }
    // A driver that is gone needs no word.
    inbox.send(Inbound::Gone(client)).await.unwrap_or_default();
}

async fn listen(
    client: ClientId,
    role: &Role,
    mut reader: FrameReader,
    inbox: &mpsc::Sender<Inbound>,
) -> Result<(), ChannelError> {
    loop {
        let message = match role {
            Role::Worker(_) => Incoming::Worker(reader.read().await?),
            Role::Frontend(_) => Incoming::Frontend(reader.read().await?),
            Role::Operator => Incoming::Operator(reader.read().await?),
        };
        if inbox.send(Inbound::Said(client, message)).await.is_err() {
            return Ok(());
        }
    }
}

/// Writes until the driver lets go of the outbox, and what is in it is written.
async fn speak(
    mut writer: FrameWriter,
    mut outgoing: mpsc::Receiver<Outgoing>,
) -> Result<(), ChannelError> {
    while let Some(message) = outgoing.recv().await {
        match message {
            Outgoing::Reply(reply) => writer.write(&reply).await?,
            Outgoing::Worker(message) => writer.write(&message).await?,
            Outgoing::Frontend(message) => writer.write(&message).await?,
            Outgoing::Operator(reply) => writer.write(&reply).await?,
        }
    }
    Ok(())
}

/// Asks a running coordinator something.
///
/// # Errors
/// [`ChannelError`] when none answers.
pub async fn ask(
    paths: &shm_layout::FleetPaths,
    request: &OperatorRequest,
) -> Result<OperatorReply, ChannelError> {
    let hello = Hello {
        protocol: shm_layout::version::CONTROL_PROTOCOL,
        instance: *paths.instance(),
        pid: std::process::id(),
        role: Role::Operator,
    };
    let (mut reader, mut writer) =
        shm_layout::control::connect(&paths.control_socket(), &hello).await?;
    writer.write(request).await?;
    reader.read().await
}

//! Where clients come in: accepting, the bound on connections.

use std::rc::Rc;
use std::sync::Arc;

use std::cell::Cell;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket, TcpStream, lookup_host};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::spawn_local;
use tokio::time::sleep;

use crate::connection::Input;
use crate::handshake::Refusal;
use crate::limits::{ACCEPT_PAUSE, FAREWELLS_MAX, LISTEN_BACKLOG, SESSIONS_MAX};
use crate::welcome::{turn_away, welcome};

/// What the hub cannot count, since it never meets these clients.
#[derive(Debug, Default)]
pub struct TurnedAway {
    /// Refused because all places were taken.
    pub refused: Cell<u64>,
    /// The handshake failed or took too long.
    pub handshakes_failed: Cell<u64>,
}

/// Why nobody can come in.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The port is taken.
    #[error(
        "port {port} is in use on {host}; set websocket_port to a free one, or stop the program that listens there (ss -tlnp)"
    )]
    PortInUse {
        /// As configured.
        host: String,
        /// As configured.
        port: u16,
    },
    /// Something else is wrong with the address.
    #[error(
        "listening on {host} port {port} failed; set websocket_host to an address of this machine"
    )]
    Bind {
        /// As configured.
        host: String,
        /// As configured.
        port: u16,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

// === impl TurnedAway ===

impl TurnedAway {
    pub(crate) fn count(counter: &Cell<u64>) {
        counter.set(counter.get() + 1);
    }
}

/// Listens.
///
/// # Errors
/// [`ListenError`] names the address and what to change.
pub async fn listen(host: &str, port: u16) -> Result<TcpListener, ListenError> {
    bind(host, port).await.map_err(|source| match source.kind() {
        std::io::ErrorKind::AddrInUse => ListenError::PortInUse { host: host.into(), port },
        _ => ListenError::Bind { host: host.into(), port, source },
    })
}

async fn bind(host: &str, port: u16) -> std::io::Result<TcpListener> {
    let mut refusal = std::io::Error::from(std::io::ErrorKind::NotFound);
    for address in lookup_host((host, port)).await? {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        // A restart must not wait for the last life's connections to time out.
        socket.set_reuseaddr(true)?;
        match socket.bind(address).and_then(|()| socket.listen(LISTEN_BACKLOG)) {
            Ok(listener) => return Ok(listener),
            Err(error) => refusal = error,
        }
    }
    Err(refusal)
}

/// Takes clients for ever and gives each a task of its own.
pub async fn accept(listener: TcpListener, hub: mpsc::Sender<Input>, away: Rc<TurnedAway>) {
    let places = Arc::new(Semaphore::new(SESSIONS_MAX));
    let farewells = Arc::new(Semaphore::new(FAREWELLS_MAX));
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of descriptors, or the client hung up before it was taken. The first would come again at once.
                tracing::warn!(%error, "accepting a client failed");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
            spawn_local(welcome(stream, place, hub.clone(), Rc::clone(&away)));
            continue;
        }
        TurnedAway::count(&away.refused);
        match Arc::clone(&farewells).try_acquire_owned() {
            Ok(place) => {
                spawn_local(async move {
                    turn_away(stream, Refusal::NoPlace).await;
                    drop(place);
                });
            }
            Err(_) => tell(&stream, Refusal::NoPlace).await,
        }
    }
}

/// Says why, as far as the socket takes it at once.
async fn tell(stream: &TcpStream, refusal: Refusal) {
    if stream.writable().await.is_ok() {
        // A client that cannot even be told is gone.
        let _untold = stream.try_write(&refusal.answer());
    }
}

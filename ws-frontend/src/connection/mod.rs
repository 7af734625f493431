//! One client's connection: the task that reads it, and the hub's hand on it.
//!
//! The two share the socket. The task reads, through tungstenite, and sends what it hears to the hub; then it waits until the
//! hub has dealt with it ([`Peer::resume_reading`]), so a client has one message under way and no more. The hub writes, by
//! itself and without waiting; when the socket is full it asks the task to tell it when it no longer is.

mod reading;

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::Instant;

use nix::sys::socket::{Shutdown, shutdown};
use shm_layout::clock;
use std::os::fd::AsRawFd;
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};

use crate::hub::{Peer, SessionId, Violation};
use crate::limits::READ_BYTES_PER_TURN_MAX;
use reading::Reading;

/// A word from a connection to the hub.
#[derive(Debug)]
pub struct Input {
    /// Whose.
    pub link: Rc<Link>,
    /// What.
    pub what: Heard,
}

/// What a connection has to say.
#[derive(Debug)]
pub enum Heard {
    /// It is there.
    Opened,
    /// A text message; pongs to be sent may precede the answer.
    Text(tokio_tungstenite::tungstenite::Utf8Bytes, Vec<u8>),
    /// A binary message; likewise.
    Binary(Vec<u8>),
    /// Pongs to be sent.
    Pongs(Vec<u8>),
    /// It says goodbye; the close frame that answers it.
    Goodbye(Vec<u8>),
    /// It broke the rules of WebSocket.
    Violated(Violation),
    /// Its socket takes bytes again.
    Writable,
    /// It is gone.
    Gone,
}

/// What the task and the hub share of a connection.
#[derive(Debug)]
pub struct Link {
    stream: TcpStream,
    /// Set by the hub's driver as long as the hub knows the session.
    id: Cell<Option<SessionId>>,
    heard_at: Cell<Instant>,
    /// The hub has not yet dealt with what was heard last.
    held: Cell<bool>,
    /// The hub wants to know when the socket takes bytes again.
    wants_writable: Cell<bool>,
    discards: Cell<bool>,
    ended: Cell<bool>,
    /// Rung when one of the flags changed.
    changed: Notify,
}

// === impl Link ===

impl Link {
    /// The hub's side of a connection whose handshake is done.
    #[must_use]
    pub fn new(stream: TcpStream) -> Rc<Self> {
        Rc::new(Self {
            stream,
            id: Cell::new(None),
            heard_at: Cell::new(clock::monotonic()),
            held: Cell::new(false),
            wants_writable: Cell::new(false),
            discards: Cell::new(false),
            ended: Cell::new(false),
            changed: Notify::new(),
        })
    }

    /// The session this connection has at the hub.
    #[must_use]
    pub fn session(&self) -> Option<SessionId> {
        self.id.get()
    }

    /// The hub has given it a session.
    pub fn set_session(&self, id: SessionId) {
        self.id.set(Some(id));
    }
}

impl Peer for Rc<Link> {
    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.try_write(bytes)
    }

    fn await_writable(&self) {
        self.wants_writable.set(true);
        self.changed.notify_one();
    }

    fn resume_reading(&self) {
        self.held.set(false);
        self.changed.notify_one();
    }

    fn discard_input(&self) {
        self.discards.set(true);
        self.changed.notify_one();
    }

    fn finish_writing(&self) {
        // Fails when the connection is gone already; then its end is on its way.
        let _gone = shutdown(self.stream.as_raw_fd(), Shutdown::Write);
    }

    fn end(&self) {
        self.id.set(None);
        self.ended.set(true);
        self.changed.notify_one();
    }

    fn heard_at(&self) -> Instant {
        self.heard_at.get()
    }
}

/// Reads a connection until it ends. The caller has done the handshake; `early` is what came behind it.
pub async fn serve(link: Rc<Link>, early: Vec<u8>, hub: mpsc::Sender<Input>) {
    let say = async |what| hub.send(Input { link: Rc::clone(&link), what }).await.is_ok();
    if !say(Heard::Opened).await {
        return;
    }
    // `early` needs no turn of its own: to tokio a socket stays readable until a read finds nothing, and the read that found
    // `early` found something. So does the second of two messages that came in one segment.
    let mut reading = Reading::new(Rc::clone(&link), early);
    while !link.ended.get() {
        let reads = link.discards.get() || !link.held.get();
        let writable = tokio::select! {
            () = link.changed.notified() => continue,
            _ = link.stream.writable(), if link.wants_writable.get() => true,
            _ = link.stream.readable(), if reads => false,
        };
        let heard = if writable {
            link.wants_writable.set(false);
            Some(Heard::Writable)
        } else if link.discards.get() {
            discard(&link)
        } else {
            reading.next()
        };
        match heard {
            None => tokio::task::yield_now().await,
            Some(heard) => {
                let last = matches!(heard, Heard::Gone);
                if !matches!(heard, Heard::Writable) {
                    link.held.set(true);
                }
                if !say(heard).await || last {
                    return;
                }
            }
        }
    }
}

/// Takes and throws away what the client sends, so that it gets our last words instead of a reset.
fn discard(link: &Link) -> Option<Heard> {
    let mut bytes = [0; 8 << 10];
    for _ in 0..READ_BYTES_PER_TURN_MAX / bytes.len() {
        match link.stream.try_read(&mut bytes) {
            Ok(0) => return Some(Heard::Gone),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
            Err(_) => return Some(Heard::Gone),
        }
    }
    None
}

//! From a socket's bytes to messages. tungstenite reads; what it would write (pongs, the answer to a close frame) is kept
//! aside for the hub, which alone writes.

use std::io::{self, Read, Write};
use std::rc::Rc;

use shm_layout::clock;
use tokio_tungstenite::tungstenite::error::Error;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocket, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use super::{Heard, Link};
use crate::hub::Violation;
use crate::limits::{
    MESSAGE_BYTES_MAX, READ_BUFFER_BYTES, READ_BYTES_PER_TURN_MAX, READ_FRAMES_PER_TURN_MAX,
};

/// tungstenite's settings; the write buffer holds one control frame at a time.
fn websocket_config() -> WebSocketConfig {
    const CONTROL_FRAMES_BYTES_MAX: usize = 4 << 10;
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(CONTROL_FRAMES_BYTES_MAX)
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX))
}

/// The reading half of a connection.
pub(super) struct Reading {
    websocket: WebSocket<Shim>,
}

/// Reads from the socket, at most so much in a turn; writes into memory.
struct Shim {
    link: Rc<Link>,
    /// Bytes that may still be read in this turn.
    left: usize,
    replies: Vec<u8>,
}

// === impl Reading ===

impl Reading {
    /// `early` was read from the socket already.
    pub(super) fn new(link: Rc<Link>, early: Vec<u8>) -> Self {
        let shim = Shim { link, left: 0, replies: Vec::new() };
        let config = Some(websocket_config());
        Self { websocket: WebSocket::from_partially_read(shim, early, Role::Server, config) }
    }

    /// The next thing heard; `None` when the socket has no more for now, or the turn is over.
    pub(super) fn next(&mut self) -> Option<Heard> {
        self.websocket.get_mut().left = READ_BYTES_PER_TURN_MAX;
        for _ in 0..READ_FRAMES_PER_TURN_MAX {
            match self.websocket.read() {
                Ok(Message::Text(text)) => return Some(self.text(text)),
                Ok(Message::Binary(_)) => return Some(Heard::Binary(self.replies())),
                // A pong is due, or an end; tungstenite gives it out at the next read.
                Ok(_) => {}
                Err(error) => return self.failed(&error),
            }
        }
        self.pongs()
    }

    fn text(&mut self, text: Utf8Bytes) -> Heard {
        Heard::Text(text, self.replies())
    }

    fn pongs(&mut self) -> Option<Heard> {
        let replies = self.replies();
        (!replies.is_empty()).then_some(Heard::Pongs(replies))
    }

    fn replies(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.websocket.get_mut().replies)
    }

    fn failed(&mut self, error: &Error) -> Option<Heard> {
        Some(match error {
            Error::Io(error) if error.kind() == io::ErrorKind::WouldBlock => return self.pongs(),
            Error::ConnectionClosed => Heard::Goodbye(self.replies()),
            Error::Capacity(_) => Heard::Violated(Violation::TooLong),
            Error::Utf8(_) => Heard::Violated(Violation::NotUtf8),
            Error::Protocol(
                tokio_tungstenite::tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
            )
            | Error::Io(_)
            | Error::AlreadyClosed => Heard::Gone,
            _ => Heard::Violated(Violation::Protocol),
        })
    }
}

// === impl Shim ===

impl Read for Shim {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = into.len().min(self.left);
        if most == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count = self.link.stream.try_read(&mut into[..most])?;
        self.left -= count;
        if count > 0 {
            self.link.heard_at.set(clock::monotonic());
        }
        Ok(count)
    }
}

impl Write for Shim {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.replies.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

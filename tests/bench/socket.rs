//! A WebSocket session of a load client. It reads frames itself, since a general client would spend more than the gateway.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};

const BUFFER_BYTES: usize = 4 << 20;
const TEXT: u8 = 0x81;

/// A connection and what has come of frames that are not whole yet.
pub(crate) struct Socket {
    stream: TcpStream,
    buffer: Vec<u8>,
    filled: usize,
}

impl Socket {
    /// A bare TCP connection on which frames come.
    pub(crate) fn new(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("nodelay");
        stream.set_nonblocking(true).expect("non-blocking");
        Self { stream, buffer: vec![0; BUFFER_BYTES], filled: 0 }
    }

    /// Connects, shakes hands, and sends these texts.
    pub(crate) fn connect(addr: SocketAddr, texts: &[String]) -> Self {
        let mut stream = TcpStream::connect(addr).expect("the frontend listens");
        let handshake = format!(
            "GET / HTTP/1.1\r\nHost: {addr}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        );
        stream.write_all(handshake.as_bytes()).expect("handshake");
        let mut answer = Vec::new();
        let mut byte = [0];
        while !answer.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).expect("handshake answer");
            answer.push(byte[0]);
        }
        assert!(answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
        for text in texts {
            stream.write_all(&text_frame(text)).expect("a request");
        }
        Self::new(stream)
    }

    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    /// Sends bytes so few that the socket always has room for them.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("room for a short message");
    }

    /// Reads what there is. False when there is nothing.
    pub(crate) fn read(&mut self) -> bool {
        match self.stream.read(&mut self.buffer[self.filled..]) {
            Ok(0) => panic!("the gateway closed a session of the bench, or sent too long a frame"),
            Ok(read) => self.filled += read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
            Err(error) => panic!("reading: {error}"),
        }
        true
    }

    /// Gives the texts of all frames that are whole to `look`, and forgets them.
    pub(crate) fn texts(&mut self, mut look: impl FnMut(&[u8])) {
        let mut at = 0;
        while let Some((payload, next)) = frame(&self.buffer[..self.filled], at) {
            if self.buffer[at] == TEXT {
                look(payload);
            }
            at = next;
        }
        self.buffer.copy_within(at..self.filled, 0);
        self.filled -= at;
    }
}

/// A client's text frame. It is masked, as it must be; a mask of zeros leaves the text as it is.
pub(crate) fn text_frame(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).expect("a request below 64 KiB");
    let mut frame = vec![TEXT];
    match u8::try_from(length) {
        Ok(short @ ..=125) => frame.push(0x80 | short),
        _ => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&length.to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(text.as_bytes());
    frame
}

/// The payload of the unmasked frame at `at`, and where the next begins; `None` when it is not all there.
fn frame(bytes: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let short = usize::from(*bytes.get(at + 1)? & 0x7f);
    let (length, body) = match short {
        126 => {
            (usize::from(u16::from_be_bytes(bytes.get(at + 2..at + 4)?.try_into().ok()?)), at + 4)
        }
        127 => {
            let long = u64::from_be_bytes(bytes.get(at + 2..at + 10)?.try_into().ok()?);
            (usize::try_from(long).ok()?, at + 10)
        }
        _ => (short, at + 2),
    };
    Some((bytes.get(body..body + length)?, body + length))
}

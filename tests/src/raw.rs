//! Bytes on a TCP connection: what a broken or hostile client sends.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::watch::guarded;

/// What the first byte of a frame says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opcode {
    /// The rest of a message in parts.
    Continuation = 0,
    /// Text.
    Text = 1,
    /// Bytes.
    Binary = 2,
    /// Goodbye.
    Close = 8,
    /// Are you there?
    Ping = 9,
}

/// A TCP connection to the WebSocket port.
#[derive(Debug)]
pub struct RawClient {
    stream: TcpStream,
}

impl RawClient {
    /// Connects, without a word.
    ///
    /// # Panics
    /// When the server does not take the connection.
    pub async fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).await.expect("the frontend takes connections");
        stream.set_nodelay(true).expect("TCP_NODELAY can be set");
        Self { stream }
    }

    /// Connects and shakes hands.
    ///
    /// # Panics
    /// When the server does not answer with 101.
    pub async fn shake_hands(address: &str) -> Self {
        let mut client = Self::connect(address).await;
        let request = format!(
            "GET / HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        );
        client.write(request.as_bytes()).await.expect("the handshake is written");
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            let byte = guarded("the handshake's answer", client.stream.read_u8()).await;
            answer.push(byte.expect("the handshake is answered"));
        }
        assert!(answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
        client
    }

    /// Writes bytes.
    ///
    /// # Errors
    /// What the system says, as when the server has hung up.
    pub async fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        guarded("room to write", self.stream.write_all(bytes)).await
    }

    /// Writes bytes, as far as the server takes them, and reads meanwhile until it hangs up; returns what it said.
    pub async fn pour(self, bytes: &[u8]) -> Vec<u8> {
        let (mut reading, mut writing) = self.stream.into_split();
        let mut said = Vec::new();
        let both = async {
            // The server may well hang up before it has taken everything; what it said is what counts.
            let outcomes = tokio::join!(writing.write_all(bytes), reading.read_to_end(&mut said));
            drop(outcomes);
        };
        guarded("the server to hang up", both).await;
        said
    }

    /// Reads until the server hangs up; returns what it said.
    pub async fn read_out(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // A reset ends the conversation as an end of file does.
        let outcome = guarded("the server to hang up", self.stream.read_to_end(&mut bytes)).await;
        drop(outcome);
        bytes
    }
}

/// A client's frame: masked, whole.
#[must_use]
pub fn frame(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut bytes = header(opcode, true, payload.len());
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// The header of a client's frame, with its mask.
#[must_use]
pub fn header(opcode: Opcode, last: bool, length: usize) -> Vec<u8> {
    let mut bytes = vec![opcode as u8 | if last { 0x80 } else { 0 }];
    match length {
        0..=125 => bytes.push(0x80 | u8::try_from(length).expect("it fits")),
        126..=0xffff => {
            bytes.push(0x80 | 126);
            bytes.extend(u16::try_from(length).expect("it fits").to_be_bytes());
        }
        _ => {
            bytes.push(0x80 | 127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend(MASK);
    bytes
}

/// The close code in the last close frame of what a server said, when there is one.
#[must_use]
pub fn close_code(said: &[u8]) -> Option<u16> {
    let mut rest = said;
    let mut code = None;
    while let [first, length, tail @ ..] = rest {
        let (length, tail) = match length & 0x7f {
            126 => (usize::from(u16::from_be_bytes(*tail.first_chunk()?)), tail.get(2..)?),
            127 => {
                (usize::try_from(u64::from_be_bytes(*tail.first_chunk()?)).ok()?, tail.get(8..)?)
            }
            short => (usize::from(short), tail),
        };
        let payload = tail.get(..length)?;
        if first & 0x0f == Opcode::Close as u8 {
            code = payload.first_chunk().map(|code| u16::from_be_bytes(*code));
        }
        rest = &tail[length..];
    }
    code
}

const MASK: [u8; 4] = [0x12, 0x34, 0x56, 0x78];

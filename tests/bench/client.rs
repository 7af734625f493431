//! A load client: many WebSocket sessions on one thread, which looks at every push and nothing else.
//!
//! It reads frames itself, since a general client would spend more than the gateway.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::time::{ClockId, clock_gettime};

/// Nanoseconds of CLOCK_MONOTONIC, the clock that the simulated library stamps into Turnover.
pub(crate) fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("the monotonic clock");
    now.tv_sec().unsigned_abs() * 1_000_000_000 + now.tv_nsec().unsigned_abs()
}

struct Session {
    stream: TcpStream,
    buffer: Vec<u8>,
    filled: usize,
}

/// What the sessions saw of one run.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// From the stamp to the look at it, for each push.
    pub(crate) delays_ns: Vec<u64>,
    /// Pushes without a stamp (snapshots from before, sentinel).
    pub(crate) unstamped: u64,
}

pub(crate) struct LoadClient {
    sessions: Vec<Session>,
}

const BUFFER_BYTES: usize = 4 << 20;

impl LoadClient {
    /// Opens `sessions` connections that all subscribe the same instruments.
    pub(crate) fn connect(addr: SocketAddr, sessions: usize, instruments: &[String]) -> Self {
        let request =
            format!(r#"{{"action":"subscribe","instruments":["{}"]}}"#, instruments.join("\",\""));
        let sessions = (0..sessions).map(|_| Session::connect(addr, &request)).collect();
        Self { sessions }
    }

    /// Sessions over bare TCP that receive ready frames: the floor's client.
    pub(crate) fn bare(streams: Vec<TcpStream>) -> Self {
        Self { sessions: streams.into_iter().map(Session::new).collect() }
    }

    /// Reads for so long. Pushes with a stamp before `from_ns` are not counted.
    pub(crate) fn run(&mut self, run: Duration, from_ns: u64) -> Seen {
        let mut seen = Seen::default();
        let end = shm_layout::clock::monotonic() + run;
        while shm_layout::clock::monotonic() < end {
            self.wait(end);
            for session in &mut self.sessions {
                session.take(from_ns, &mut seen);
            }
        }
        seen
    }

    fn wait(&self, end: Instant) {
        let mut fds: Vec<PollFd<'_>> = self
            .sessions
            .iter()
            .map(|s| PollFd::new(s.stream.as_fd(), PollFlags::POLLIN))
            .collect();
        let left = end.saturating_duration_since(shm_layout::clock::monotonic());
        let timeout = PollTimeout::try_from(left.as_millis() + 1).unwrap_or(PollTimeout::MAX);
        poll(&mut fds, timeout).expect("poll");
    }
}

impl Session {
    fn new(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("nodelay");
        stream.set_nonblocking(true).expect("non-blocking");
        Self { stream, buffer: vec![0; BUFFER_BYTES], filled: 0 }
    }

    fn connect(addr: SocketAddr, request: &str) -> Self {
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
        // A client's frames are masked; a mask of zeros leaves the text as it is.
        let mut frame = vec![0x81, 0x80 | 126];
        let length = u16::try_from(request.len()).expect("a request below 64 KiB");
        frame.extend_from_slice(&length.to_be_bytes());
        frame.extend_from_slice(&[0; 4]);
        frame.extend_from_slice(request.as_bytes());
        stream.write_all(&frame).expect("subscribe");
        Self::new(stream)
    }

    fn take(&mut self, from_ns: u64, seen: &mut Seen) {
        match self.stream.read(&mut self.buffer[self.filled..]) {
            Ok(0) => panic!("the gateway closed a session of the bench"),
            Ok(read) => self.filled += read,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return,
            Err(error) => panic!("reading: {error}"),
        }
        let now = monotonic_ns();
        let mut at = 0;
        while let Some((payload, next)) = frame(&self.buffer[..self.filled], at) {
            match stamp(payload) {
                Some(stamp) if stamp >= from_ns => seen.delays_ns.push(now.saturating_sub(stamp)),
                Some(_) => {}
                None => seen.unstamped += 1,
            }
            at = next;
        }
        self.buffer.copy_within(at..self.filled, 0);
        self.filled -= at;
    }
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

/// The time stamped into a push's turnover.
fn stamp(payload: &[u8]) -> Option<u64> {
    const KEY: &[u8] = b"\"turnover\":";
    let start = payload.windows(KEY.len()).position(|window| window == KEY)? + KEY.len();
    let rest = &payload[start..];
    let end = rest.iter().position(|byte| matches!(byte, b',' | b'}'))?;
    let text = std::str::from_utf8(&rest[..end]).ok()?;
    text.parse::<f64>().ok().map(|stamp| stamp as u64)
}

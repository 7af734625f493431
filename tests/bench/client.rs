//! A load client: many WebSocket sessions on one thread, which looks for the stamps in what comes and at nothing else.

use std::io::BufRead;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::time::{ClockId, clock_gettime};

use crate::socket::{Socket, text_frame};

/// Nanoseconds of CLOCK_MONOTONIC, the clock that the simulated library stamps into Turnover.
pub(crate) fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("the monotonic clock");
    now.tv_sec().unsigned_abs() * 1_000_000_000 + now.tv_nsec().unsigned_abs()
}

/// What a session speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    /// A message for each tick, its stamp under `turnover`.
    Action,
    /// An answer for each peek, with the stamp of every quote in it under `amount`; the next peek goes out at once.
    Diff,
}

struct Session {
    socket: Socket,
    dialect: Dialect,
}

/// What the sessions saw of one run.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// From the stamp to the look at it, for each push of `action` and for each quote in an answer of DIFF.
    pub(crate) delays_ns: Vec<u64>,
    /// Pushes without a stamp (snapshots from before, sentinel).
    pub(crate) unstamped: u64,
    /// Messages: pushes of `action`, answers of DIFF.
    pub(crate) messages: u64,
    /// Those of them that told something of a chart's bars.
    pub(crate) with_bars: u64,
    /// Bytes of their texts.
    pub(crate) bytes: u64,
}

/// Sessions that are read together.
pub(crate) struct LoadClient {
    sessions: Vec<Session>,
    peek: Vec<u8>,
}

// === impl LoadClient ===

impl LoadClient {
    /// Opens `sessions` connections that all subscribe the same instruments.
    pub(crate) fn action(addr: SocketAddr, sessions: usize, instruments: &[String]) -> Self {
        let request =
            format!(r#"{{"action":"subscribe","instruments":["{}"]}}"#, instruments.join("\",\""));
        let sockets = (0..sessions).map(|_| Socket::connect(addr, std::slice::from_ref(&request)));
        Self::new(Dialect::Action, sockets)
    }

    /// Opens a DIFF session for each list of requests, which it sends before its first peek.
    pub(crate) fn diff(addr: SocketAddr, requests: impl Iterator<Item = Vec<String>>) -> Self {
        let sockets = requests.map(|requests| {
            let mut socket = Socket::connect(addr, &requests);
            socket.send(&text_frame(PEEK));
            socket
        });
        Self::new(Dialect::Diff, sockets)
    }

    /// Sessions over bare TCP that receive ready frames: the floor's client.
    pub(crate) fn bare(streams: Vec<TcpStream>) -> Self {
        Self::new(Dialect::Action, streams.into_iter().map(Socket::new))
    }

    fn new(dialect: Dialect, sockets: impl Iterator<Item = Socket>) -> Self {
        let sessions = sockets.map(|socket| Session { socket, dialect }).collect();
        Self { sessions, peek: text_frame(PEEK) }
    }

    /// Reads for so long. Pushes with a stamp before `from_ns` are not counted.
    pub(crate) fn run(&mut self, run: Duration, from_ns: u64) -> Seen {
        let mut seen = Seen::default();
        let end = shm_layout::clock::monotonic() + run;
        while shm_layout::clock::monotonic() < end {
            self.wait(end);
            for session in &mut self.sessions {
                session.take(&self.peek, from_ns, &mut seen);
            }
        }
        seen
    }

    fn wait(&self, end: Instant) {
        let mut fds: Vec<PollFd<'_>> = self
            .sessions
            .iter()
            .map(|s| PollFd::new(s.socket.as_fd(), PollFlags::POLLIN))
            .collect();
        let left = end.saturating_duration_since(shm_layout::clock::monotonic());
        let timeout = PollTimeout::try_from(left.as_millis() + 1).unwrap_or(PollTimeout::MAX);
        poll(&mut fds, timeout).expect("poll");
    }
}

const PEEK: &str = r#"{"aid":"peek_message"}"#;

// === impl Session ===

impl Session {
    fn take(&mut self, peek: &[u8], from_ns: u64, seen: &mut Seen) {
        if !self.socket.read() {
            return;
        }
        let now = monotonic_ns();
        let mut answers = 0;
        let dialect = self.dialect;
        self.socket.texts(|text| {
            answers += 1;
            seen.messages += 1;
            seen.bytes += text.len() as u64;
            match dialect {
                Dialect::Action => seen.count(stamp(text), now, from_ns),
                Dialect::Diff => {
                    let rest = each_amount(text, |stamp| seen.count(stamp, now, from_ns));
                    seen.with_bars += u64::from(find(rest, b"\"klines\":").is_some());
                }
            }
        });
        if dialect == Dialect::Diff {
            (0..answers).for_each(|_| self.socket.send(peek));
        }
    }
}

// === impl Seen ===

impl Seen {
    fn count(&mut self, stamp: Option<u64>, now: u64, from_ns: u64) {
        match stamp {
            Some(stamp) if stamp >= from_ns => self.delays_ns.push(now.saturating_sub(stamp)),
            Some(_) => {}
            None => self.unstamped += 1,
        }
    }
}

/// The time stamped into a push's turnover.
fn stamp(push: &[u8]) -> Option<u64> {
    const KEY: &[u8] = b"\"turnover\":";
    number(&push[find(push, KEY)? + KEY.len()..])
}

/// The time stamped into each quote of an answer; `None` for a quote without one. Returns what stands behind the last.
///
/// An amount is turnover as it is, but for CZCE. It has another value with every tick, so no change of a quote comes without.
fn each_amount(answer: &[u8], mut found: impl FnMut(Option<u64>)) -> &[u8] {
    const AFTER_M: &[u8] = b"ount\":";
    let mut rest = answer;
    let mut behind = answer;
    // From one quote to the next by the search for one byte that the system's library has; a buffer in memory never fails.
    while rest.skip_until(b'm').is_ok_and(|skipped| skipped > 0) {
        if let Some(value) = rest.strip_prefix(AFTER_M) {
            found(number(value));
            rest = value;
            behind = value;
            drop(rest.skip_until(b'{'));
        }
    }
    behind
}

fn find(text: &[u8], word: &[u8]) -> Option<usize> {
    text.windows(word.len()).position(|window| window == word)
}

fn number(text: &[u8]) -> Option<u64> {
    let end = text.iter().position(|byte| matches!(byte, b',' | b'}'))?;
    let text = std::str::from_utf8(&text[..end]).ok()?;
    text.parse::<f64>().ok().map(|stamp| stamp as u64)
}

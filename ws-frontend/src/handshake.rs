//! The HTTP request a WebSocket begins with: bytes in, verdict out. Pure.
//!
//! What RFC 6455 asks of a server, and more forgiving where it costs nothing: the key may be anything visible, for people
//! test with `curl` and a key out of a manual. It is no secret; the client only wants to see it come back hashed.
//! Whoever does not speak WebSocket is told so in HTTP.

use httparse::{EMPTY_HEADER, Request, Status};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::limits::{HANDSHAKE_HEAD_BYTES_MAX, HANDSHAKE_HEADERS_MAX, WEBSOCKET_KEY_BYTES_MAX};

/// What a client's first bytes amount to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// More is needed.
    Incomplete,
    /// A WebSocket client.
    Welcome {
        /// What to send.
        answer: Vec<u8>,
        /// So many bytes were the request; those behind are WebSocket frames.
        head_bytes: usize,
    },
    /// Anything else.
    Refused(Refusal),
}

/// Why a client cannot come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Not HTTP/1: another protocol (TLS, HTTP/2) or garbage.
    NotHttp,
    /// The request is longer than [`HANDSHAKE_HEAD_BYTES_MAX`].
    TooLong,
    /// The request has more than [`HANDSHAKE_HEADERS_MAX`] headers.
    TooManyHeaders,
    /// Another method than GET.
    Method,
    /// HEAD, whose answer has no body.
    Head,
    /// A plain HTTP request.
    NoUpgrade,
    /// `Upgrade: websocket` without `Connection: Upgrade`.
    NoConnectionUpgrade,
    /// An upgrade in HTTP/1.0, which has none.
    OldHttp,
    /// Another version of WebSocket than 13, or none.
    Version,
    /// No key, two, or none that can be one.
    Key,
    /// The request did not come to its end in time.
    TooLate,
    /// All places are taken.
    NoPlace,
}

/// Judges what a client has sent so far, from its first byte on. More bytes do not change a verdict that is final.
#[must_use]
pub fn judge(bytes: &[u8]) -> Verdict {
    // No byte beyond counts, or the verdict would depend on how many came at once.
    let head = &bytes[..bytes.len().min(HANDSHAKE_HEAD_BYTES_MAX)];
    let mut headers = [EMPTY_HEADER; HANDSHAKE_HEADERS_MAX];
    let mut request = Request::new(&mut headers);
    match request.parse(head) {
        Ok(Status::Complete(head_bytes)) => match accepted_key(&request) {
            Ok(key) => Verdict::Welcome { answer: welcome(key), head_bytes },
            Err(refusal) => Verdict::Refused(refusal),
        },
        Ok(Status::Partial) if head.len() < HANDSHAKE_HEAD_BYTES_MAX => Verdict::Incomplete,
        Ok(Status::Partial) => Verdict::Refused(Refusal::TooLong),
        Err(httparse::Error::TooManyHeaders) => Verdict::Refused(Refusal::TooManyHeaders),
        Err(_) => Verdict::Refused(Refusal::NotHttp),
    }
}

fn accepted_key<'b>(request: &Request<'_, 'b>) -> Result<&'b [u8], Refusal> {
    match request.method {
        Some("GET") => {}
        Some("HEAD") => return Err(Refusal::Head),
        _ => return Err(Refusal::Method),
    }
    if !lists(request, "Upgrade", "websocket") {
        return Err(Refusal::NoUpgrade);
    }
    if request.version != Some(1) {
        return Err(Refusal::OldHttp);
    }
    if !lists(request, "Connection", "Upgrade") {
        return Err(Refusal::NoConnectionUpgrade);
    }
    if single(request, "Sec-WebSocket-Version") != Some(b"13") {
        return Err(Refusal::Version);
    }
    single(request, "Sec-WebSocket-Key").filter(|key| can_be_key(key)).ok_or(Refusal::Key)
}

fn can_be_key(key: &[u8]) -> bool {
    (1..=WEBSOCKET_KEY_BYTES_MAX).contains(&key.len()) && key.iter().all(u8::is_ascii_graphic)
}

fn values<'b>(request: &Request<'_, 'b>, name: &str) -> impl Iterator<Item = &'b [u8]> {
    let named = request.headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name));
    named.map(|header| header.value.trim_ascii())
}

/// True when the comma-separated lists of all headers of that name have the token.
fn lists(request: &Request<'_, '_>, name: &str, token: &str) -> bool {
    values(request, name)
        .flat_map(|value| value.split(|byte| matches!(byte, b',' | b' ' | b'\t')))
        .any(|listed| listed.eq_ignore_ascii_case(token.as_bytes()))
}

/// The value of a header that is there once.
fn single<'b>(request: &Request<'_, 'b>, name: &str) -> Option<&'b [u8]> {
    let mut values = values(request, name);
    values.next().filter(|_| values.next().is_none())
}

fn welcome(key: &[u8]) -> Vec<u8> {
    let accept = derive_accept_key(key);
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )
    .into_bytes()
}

// === impl Refusal ===

impl Refusal {
    /// The HTTP answer; the connection ends behind it.
    #[must_use]
    pub fn answer(self) -> Vec<u8> {
        let status = self.status();
        let headers = self.headers();
        let line = self.line();
        let length = line.len() + 1;
        let mut answer = format!(
            "HTTP/1.1 {status}\r\n{headers}Content-Type: text/plain; charset=utf-8\r\nContent-Length: {length}\r\n\r\n"
        );
        if self != Self::Head {
            answer.push_str(line);
            answer.push('\n');
        }
        answer.into_bytes()
    }

    const fn status(self) -> &'static str {
        match self {
            Self::NotHttp | Self::Key => "400 Bad Request",
            Self::Method | Self::Head => "405 Method Not Allowed",
            Self::TooLate => "408 Request Timeout",
            Self::NoUpgrade | Self::NoConnectionUpgrade | Self::OldHttp | Self::Version => {
                "426 Upgrade Required"
            }
            Self::TooLong | Self::TooManyHeaders => "431 Request Header Fields Too Large",
            Self::NoPlace => "503 Service Unavailable",
        }
    }

    const fn headers(self) -> &'static str {
        match self {
            Self::Method | Self::Head => "Allow: GET\r\nConnection: close\r\n",
            Self::NoUpgrade | Self::NoConnectionUpgrade | Self::OldHttp => {
                "Upgrade: websocket\r\nConnection: Upgrade, close\r\n"
            }
            Self::Version => {
                "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nConnection: Upgrade, close\r\n"
            }
            _ => "Connection: close\r\n",
        }
    }

    /// What is wrong and what to do, for the eyes of whoever tried.
    const fn line(self) -> &'static str {
        match self {
            Self::NotHttp => {
                "This is qamd's WebSocket port, and what came is no HTTP/1.1 request. Connect with ws:// (not wss:// or https://)."
            }
            Self::TooLong => "The request is too long: 8 KiB are taken.",
            Self::TooManyHeaders => "The request has too many headers: 64 are taken.",
            Self::Method | Self::Head | Self::NoUpgrade => {
                "This is qamd's WebSocket port: connect with ws:// instead of http:// to the same host and port. Status and metrics are on the HTTP port."
            }
            Self::NoConnectionUpgrade => {
                "The request says \"Upgrade: websocket\" but not \"Connection: Upgrade\". A proxy in between must pass both on."
            }
            Self::OldHttp => {
                "A WebSocket begins with HTTP/1.1, and the request is HTTP/1.0. A proxy in between must speak HTTP/1.1 (nginx: proxy_http_version 1.1)."
            }
            Self::Version => "The request must say \"Sec-WebSocket-Version: 13\".",
            Self::Key => {
                "The request must have one Sec-WebSocket-Key, of at most 128 visible ASCII characters."
            }
            Self::TooLate => "The request did not come to its end in time.",
            Self::NoPlace => "All client places are taken.",
        }
    }
}

// The lines above name them.
const _: () = assert!(HANDSHAKE_HEAD_BYTES_MAX == 8 << 10);
const _: () = assert!(HANDSHAKE_HEADERS_MAX == 64);
const _: () = assert!(WEBSOCKET_KEY_BYTES_MAX == 128);

#[cfg(test)]
mod tests;

//! A test double of TqSdk's login, and of nothing else: an HTTP server on this machine that lets everybody in.
//!
//! TqSdk asks its vendor for a token before it connects to anything. Tests have no network, so this stands in for that. It belongs to the tests: the product has no login, and replaces nobody's.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::watch::guarded;

/// The one request that is answered.
const TOKEN_REQUEST: &str = "POST /auth/realms/shinnytech/protocol/openid-connect/token";

/// What TqSdk asks besides: until when its user's licence lasts. It does without an answer.
const LICENCE_REQUEST: &str = "GET /auth/realms/shinnytech/rest/get-grant/tq";

/// The bytes of a request that are looked at; TqSdk's has a few hundred.
const REQUEST_BYTES_MAX: usize = 64 << 10;

/// The double at work, until this goes.
#[derive(Debug)]
pub struct LoginDouble {
    port: u16,
    requests: Arc<Mutex<VecDeque<String>>>,
    task: JoinHandle<()>,
}

// === impl LoginDouble ===

impl LoginDouble {
    /// Begins to listen.
    ///
    /// # Panics
    /// When there is no port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port of this machine");
        let port = listener.local_addr().expect("a listener has an address").port();
        let requests = Arc::new(Mutex::new(VecDeque::new()));
        let seen = Arc::clone(&requests);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let seen = Arc::clone(&seen);
                tokio::spawn(async move {
                    // A client that hangs up early needs no answer.
                    if let Some(request) = answer(stream).await {
                        seen.lock().unwrap_or_else(PoisonError::into_inner).push_back(request);
                    }
                });
            }
        });
        Self { port, requests, task }
    }

    /// `host:port`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// What `TQ_AUTH_URL` is to be.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// How many have logged in.
    ///
    /// # Panics
    /// When anybody asked for anything else.
    #[must_use]
    pub fn logins(&self) -> usize {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let known = [TOKEN_REQUEST, LICENCE_REQUEST];
        let strange = requests.iter().find(|request| !known.contains(&request.as_str()));
        assert_eq!(strange, None, "TqSdk asks for more than a login");
        requests.iter().filter(|request| *request == TOKEN_REQUEST).count()
    }
}

impl Drop for LoginDouble {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Reads a request and answers it. Gives its method and path.
async fn answer(mut stream: TcpStream) -> Option<String> {
    let request = guarded("TqSdk's login request", read(&mut stream)).await?;
    let (status, body) = if request == TOKEN_REQUEST {
        ("200 OK", json!({"access_token": token(), "refresh_token": token()}))
    } else {
        ("404 Not Found", json!({"error": "this is a test double of the login"}))
    };
    let body = body.to_string();
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all((head + &body).as_bytes()).await.ok()?;
    stream.shutdown().await.ok()?;
    Some(request)
}

/// Method and path of a request that has come with its whole body.
async fn read(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let lower = head.to_ascii_lowercase();
            let length = lower.lines().find_map(|line| line.strip_prefix("content-length:"));
            let length: usize = length.map_or(Some(0), |length| length.trim().parse().ok())?;
            if body.len() >= length {
                return head.split(" HTTP/").next().map(str::to_owned);
            }
        }
        let mut part = [0; 4096];
        let count = stream.read(&mut part).await.ok()?;
        if count == 0 || bytes.len() > REQUEST_BYTES_MAX {
            return None;
        }
        bytes.extend_from_slice(&part[..count]);
    }
}

/// A JSON Web Token with what TqSdk reads of it: a name, and the right to see futures and to download. Its signature is none.
fn token() -> String {
    let claims =
        json!({"sub": "tester", "grants": {"features": ["futr", "tq_dl"], "accounts": []}});
    let part = |value: &Value| base64url(value.to_string().as_bytes());
    format!(
        "{}.{}.{}",
        part(&json!({"alg": "HS256", "typ": "JWT"})),
        part(&claims),
        base64url(b"none")
    )
}

/// Base64 in the alphabet for addresses, without padding.
fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let group =
            (0..3).fold(0_usize, |sum, at| sum << 8 | usize::from(*chunk.get(at).unwrap_or(&0)));
        for digit in 0..=chunk.len() {
            let letter = ALPHABET[group >> (18 - 6 * digit) & 63];
            write!(text, "{}", char::from(letter)).expect("a string takes text");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_standard() {
        let cases = [("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg")];
        for (plain, encoded) in cases {
            assert_eq!(base64url(plain.as_bytes()), encoded);
        }
        assert_eq!(base64url(&[0xfb, 0xff]), "-_8");
    }
}

//! Just enough HTTP to read a page.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::watch::guarded;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The status code.
    pub code: u16,
    /// The header lines, in lower case.
    pub head: String,
    /// The body.
    pub body: String,
}

/// Gets a path from a server of this machine.
///
/// # Panics
/// When there is no answer.
pub async fn get(port: u16, path: &str) -> Page {
    guarded("an HTTP answer", async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("HTTP connects");
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("the request is written");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("the answer is read");
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
        let code = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        let code = code.expect("an answer has a status code");
        Page { code, head: head.to_ascii_lowercase(), body: body.to_owned() }
    })
    .await
}

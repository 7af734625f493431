//! A WebSocket client of the gateway.

use std::collections::VecDeque;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use crate::push::Push;
use crate::watch::guarded;

/// What a client hears.
#[derive(Debug)]
pub enum Heard {
    /// A text message.
    Text(String),
    /// The server says goodbye, with its code.
    Closed(u16),
    /// The connection is gone without a goodbye.
    Gone,
}

/// A client. Messages that nobody asked for (pushes) are kept aside while an answer is awaited.
#[derive(Debug)]
pub struct Client {
    stream: WebSocketStream<TcpStream>,
    pushes: VecDeque<Push>,
}

impl Client {
    /// Connects to `host:port`.
    ///
    /// # Panics
    /// When the server does not take the connection.
    pub async fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).await.expect("the frontend takes connections");
        Self::over(stream, address).await
    }

    /// Connects with a small receive buffer, so that what this client does not read soon piles up at the server.
    ///
    /// # Panics
    /// When the server does not take the connection.
    pub async fn connect_narrow(address: &str) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(4096).expect("the receive buffer can be set");
        let target = address.parse().expect("an address host:port");
        let stream = socket.connect(target).await.expect("the frontend takes connections");
        Self::over(stream, address).await
    }

    async fn over(stream: TcpStream, address: &str) -> Self {
        stream.set_nodelay(true).expect("TCP_NODELAY can be set");
        let shaking = tokio_tungstenite::client_async(format!("ws://{address}/"), stream);
        let (stream, _) = guarded("the handshake", shaking).await.expect("the handshake succeeds");
        Self { stream, pushes: VecDeque::new() }
    }

    /// Sends a message.
    ///
    /// # Panics
    /// When the connection is gone.
    pub async fn send(&mut self, message: Message) {
        guarded("room to send", self.stream.send(message)).await.expect("the message is sent");
    }

    /// Sends a text.
    ///
    /// # Panics
    /// When the connection is gone.
    pub async fn send_text(&mut self, text: impl Into<String>) {
        self.send(Message::text(text.into())).await;
    }

    /// The next thing the server says, pings aside.
    pub async fn hear(&mut self) -> Heard {
        loop {
            return match guarded("a message", self.stream.next()).await {
                Some(Ok(Message::Text(text))) => Heard::Text(text.as_str().to_owned()),
                Some(Ok(Message::Close(frame))) => Heard::Closed(code_of(frame.as_ref())),
                Some(Ok(_)) => continue,
                Some(Err(_)) | None => Heard::Gone,
            };
        }
    }

    /// The next text, answer or push.
    ///
    /// # Panics
    /// When the server closes the connection.
    pub async fn next_text(&mut self) -> String {
        match self.hear().await {
            Heard::Text(text) => text,
            other => panic!("a message was awaited, the connection ended: {other:?}"),
        }
    }

    /// The next message that is no push. Pushes on the way are kept for [`Self::next_push`].
    ///
    /// # Panics
    /// When the server closes the connection.
    pub async fn next_answer_text(&mut self) -> String {
        loop {
            let text = self.next_text().await;
            if !Push::is_market_data(&text) {
                return text;
            }
            self.pushes.push_back(Push::parse(text).expect("a push is a flat object"));
        }
    }

    /// Sends a request and returns its answer.
    ///
    /// # Panics
    /// When the server closes the connection, or the answer is not JSON.
    pub async fn ask(&mut self, request: Value) -> Value {
        self.ask_text(request.to_string()).await
    }

    /// Sends a text and returns the answer.
    ///
    /// # Panics
    /// When the server closes the connection, or the answer is not JSON.
    pub async fn ask_text(&mut self, request: impl Into<String>) -> Value {
        self.send_text(request).await;
        let answer = self.next_answer_text().await;
        serde_json::from_str(&answer).expect("an answer is JSON")
    }

    /// Subscribes.
    ///
    /// # Panics
    /// When the answer is not the one of success for so many instruments.
    pub async fn subscribe(&mut self, instruments: &[&str]) {
        let request = json!({"action": "subscribe", "instruments": instruments});
        let answer = self.ask(request).await;
        assert_eq!(answer["type"], "subscribe_response", "{answer}");
        assert_eq!(answer["status"], "success", "{answer}");
        assert_eq!(answer["subscribed_count"], instruments.len(), "{answer}");
    }

    /// Unsubscribes.
    ///
    /// # Panics
    /// When the answer is not the one of success for so many instruments.
    pub async fn unsubscribe(&mut self, instruments: &[&str]) {
        let request = json!({"action": "unsubscribe", "instruments": instruments});
        let answer = self.ask(request).await;
        assert_eq!(answer["type"], "unsubscribe_response", "{answer}");
        assert_eq!(answer["unsubscribed_count"], instruments.len(), "{answer}");
    }

    /// The next push, those kept aside first.
    ///
    /// # Panics
    /// When another message comes, or the server closes the connection.
    pub async fn next_push(&mut self) -> Push {
        if let Some(kept) = self.pushes.pop_front() {
            return kept;
        }
        let text = self.next_text().await;
        assert!(Push::is_market_data(&text), "a push was awaited: {text}");
        Push::parse(text).expect("a push is a flat object")
    }

    /// Pushes until one fits; returns that one.
    ///
    /// # Panics
    /// As [`Self::next_push`], and when the watchdog is through.
    pub async fn push_until(&mut self, what: &str, mut fits: impl FnMut(&Push) -> bool) -> Push {
        guarded(what, async {
            loop {
                let push = self.next_push().await;
                if fits(&push) {
                    return push;
                }
            }
        })
        .await
    }

    /// Hears until the connection ends; returns the texts on the way and how it ended.
    pub async fn hear_out(&mut self) -> (usize, Heard) {
        let mut texts = 0;
        loop {
            match self.hear().await {
                Heard::Text(_) => texts += 1,
                end => return (texts, end),
            }
        }
    }

    /// Says goodbye and waits for the server's.
    ///
    /// # Panics
    /// When the server's goodbye does not come.
    pub async fn close(mut self) {
        self.stream.close(None).await.expect("the goodbye is sent");
        let (_, end) = self.hear_out().await;
        assert!(matches!(end, Heard::Closed(_) | Heard::Gone), "{end:?}");
    }
}

fn code_of(frame: Option<&CloseFrame>) -> u16 {
    // 1005 is what the standard calls a goodbye without a code.
    frame.map_or(1005, |frame| frame.code.into())
}

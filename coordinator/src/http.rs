//! The HTTP port: `/status` (JSON), `/metrics` (Prometheus), `/healthz`.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::{Sleep, sleep};
use tracing::warn;

use crate::driver::{Inbound, Snapshot};
use crate::limits::{HTTP_CONNECTION_LIFE, HTTP_CONNECTIONS_MAX};
use crate::metrics;

/// Serves until the coordinator ends. What goes wrong with one connection concerns nobody else.
pub async fn serve(listener: TcpListener, inbox: mpsc::Sender<Inbound>) {
    let routes = Router::new()
        .route("/", get(welcome))
        .route("/status", get(status))
        .route("/metrics", get(metrics_page))
        .route("/healthz", get(health))
        .with_state(inbox);
    let listener = Bounded { listener, places: Arc::new(Semaphore::new(HTTP_CONNECTIONS_MAX)) };
    if let Err(error) = axum::serve(listener, routes).await {
        warn!("the HTTP port ended: {error}");
    }
}

async fn welcome() -> &'static str {
    "qamd: /status (JSON), /metrics (Prometheus), /healthz\n"
}

async fn status(State(inbox): State<mpsc::Sender<Inbound>>) -> Response {
    match ask(&inbox).await {
        Some(snapshot) => Json(snapshot.status).into_response(),
        None => gone(),
    }
}

async fn metrics_page(State(inbox): State<mpsc::Sender<Inbound>>) -> Response {
    match ask(&inbox).await {
        Some(snapshot) => {
            ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], metrics::render(&snapshot))
                .into_response()
        }
        None => gone(),
    }
}

/// Healthy is a coordinator whose driver answers; whether fronts answer is another question, see `/status`.
async fn health(State(inbox): State<mpsc::Sender<Inbound>>) -> Response {
    match ask(&inbox).await {
        Some(_) => "ok\n".into_response(),
        None => gone(),
    }
}

fn gone() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, "the coordinator is stopping\n").into_response()
}

/// Asks the driver for a snapshot; `None` when it has ended.
pub async fn ask(inbox: &mpsc::Sender<Inbound>) -> Option<Snapshot> {
    let (answer, answered) = oneshot::channel();
    inbox.send(Inbound::Ask(answer)).await.ok()?;
    answered.await.ok()
}

/// A listener whose connections are bounded in number and life.
struct Bounded {
    listener: TcpListener,
    places: Arc<Semaphore>,
}

impl axum::serve::Listener for Bounded {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        loop {
            // The semaphore is never closed; if it were, nobody could be served.
            let Ok(place) = Arc::clone(&self.places).acquire_owned().await else {
                std::future::pending::<()>().await;
                continue;
            };
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    let life = Box::pin(sleep(HTTP_CONNECTION_LIFE));
                    return (Connection { stream, life, _place: place }, peer);
                }
                Err(error) => {
                    warn!("accepting an HTTP connection failed: {error}");
                    sleep(HTTP_CONNECTION_LIFE / 100).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// One HTTP connection, cut at the end of its life.
struct Connection {
    stream: TcpStream,
    life: Pin<Box<Sleep>>,
    _place: OwnedSemaphorePermit,
}

impl Connection {
    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        self.life.as_mut().poll(cx).is_ready()
    }
}

fn too_old() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the connection's life is over")
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_over(cx) {
            return Poll::Ready(Err(too_old()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_over(cx) {
            return Poll::Ready(Err(too_old()));
        }
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

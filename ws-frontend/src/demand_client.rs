//! The control connection to the coordinator: made again for ever, whole demand first.
//!
//! Each connection has a number. What the hub wanted told to one connection is not told to the next, which is told all; so
//! messages carry the number and are thrown away when it is no longer the connection's.

use std::time::Duration;

use shm_layout::FleetPaths;
use shm_layout::control::{
    ChannelError, FrameReader, FrameWriter, FromFrontend, FrontendHello, Hello, Role, ToFrontend,
    connect,
};
use shm_layout::version::CONTROL_PROTOCOL;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::limits::{CONTROL_HELLO_TIME_MAX, RECONNECT_PAUSE_MAX, RECONNECT_PAUSE_MIN};

/// Counts control connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ControlEpoch(u64);

/// From the control connection to the hub.
#[derive(Debug)]
pub enum FromCoordinator {
    /// A connection stands; its coordinator has been told nothing.
    Connected(ControlEpoch),
    /// The connection is gone.
    Disconnected,
    /// The coordinator said something.
    Said(ToFrontend),
}

/// From the hub to the control connection of that number.
#[derive(Debug)]
pub struct ToCoordinator {
    /// The connection it is meant for.
    pub epoch: ControlEpoch,
    /// The message.
    pub message: FromFrontend,
}

/// Connects, speaks, and connects again, until the hub is gone.
pub async fn keep_connected(
    paths: FleetPaths,
    listening_on: String,
    hub: mpsc::Sender<FromCoordinator>,
    mut outgoing: mpsc::Receiver<ToCoordinator>,
) {
    let hello = Hello {
        protocol: CONTROL_PROTOCOL,
        instance: *paths.instance(),
        pid: std::process::id(),
        role: Role::Frontend(FrontendHello { listening_on }),
    };
    let mut epoch = ControlEpoch::default();
    let mut pause = RECONNECT_PAUSE_MIN;
    loop {
        match reach(&paths, &hello).await {
            Ok((reader, writer)) => {
                tracing::info!("connected to the coordinator");
                pause = RECONNECT_PAUSE_MIN;
                epoch = ControlEpoch(epoch.0 + 1);
                if hub.send(FromCoordinator::Connected(epoch)).await.is_err() {
                    return;
                }
                let error = speak(reader, writer, epoch, &hub, &mut outgoing).await;
                if hub.send(FromCoordinator::Disconnected).await.is_err() {
                    return;
                }
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the coordinator is gone; clients are served on"
                );
            }
            // Said once, not at every try.
            Err(error) if pause == RECONNECT_PAUSE_MIN => tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the coordinator cannot be reached; trying on"
            ),
            Err(error) => tracing::debug!(%error, "the coordinator still cannot be reached"),
        }
        sleep(pause).await;
        pause = longer(pause);
    }
}

fn longer(pause: Duration) -> Duration {
    (pause * 2).min(RECONNECT_PAUSE_MAX)
}

async fn reach(
    paths: &FleetPaths,
    hello: &Hello,
) -> Result<(FrameReader, FrameWriter), ChannelError> {
    match timeout(CONTROL_HELLO_TIME_MAX, connect(&paths.control_socket(), hello)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(ChannelError::Io(std::io::ErrorKind::TimedOut.into())),
    }
}

/// Speaks and listens until one of the two fails. Each is given up at the first failure of the other; a frame cut short
/// by that belongs to a connection that is dropped.
async fn speak(
    mut reader: FrameReader,
    mut writer: FrameWriter,
    epoch: ControlEpoch,
    hub: &mpsc::Sender<FromCoordinator>,
    outgoing: &mut mpsc::Receiver<ToCoordinator>,
) -> ChannelError {
    let listen = async {
        loop {
            match reader.read().await {
                Err(error) => return error,
                Ok(said) => {
                    if hub.send(FromCoordinator::Said(said)).await.is_err() {
                        return ChannelError::Closed;
                    }
                }
            }
        }
    };
    let tell = async {
        while let Some(ToCoordinator { epoch: meant_for, message }) = outgoing.recv().await {
            if meant_for != epoch {
                continue;
            }
            if let Err(error) = writer.write(&message).await {
                return error;
            }
        }
        ChannelError::Closed
    };
    tokio::select! {
        error = listen => error,
        error = tell => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end_growing() {
        let pauses: Vec<u128> =
            std::iter::successors(Some(RECONNECT_PAUSE_MIN), |p| Some(longer(*p)))
                .take(7)
                .map(|pause| pause.as_millis())
                .collect();
        assert_eq!(pauses, [200, 400, 800, 1600, 3200, 5000, 5000]);
    }
}

//! The way to the coordinator: a connection that is made again for ever, and never in the way of ticks.
//!
//! A task of its own owns the socket. It asks the driver for a hello at each attempt, since the driver owns the state;
//! hands over what it hears; and writes what it is given through a bounded queue.

use std::path::PathBuf;
use std::time::Duration;

use shm_layout::Instance;
use shm_layout::clock;
use shm_layout::control::{
    self, ChannelError, FrameReader, FrameWriter, FromWorker, Hello, Role, ToWorker, WorkerHello,
};
use shm_layout::version::CONTROL_PROTOCOL;
use tokio::sync::{mpsc, oneshot};
use tracing::{debug, info, warn};

use crate::limits::{
    LINK_HELLO_DEADLINE, LINK_INCOMING_MAX, LINK_OUTGOING_MAX, LINK_RETRY_FIRST, LINK_RETRY_MAX,
};

/// What the link tells the driver.
#[derive(Debug)]
pub enum LinkEvent {
    /// It is about to connect and needs to say who this is and what it carries.
    HelloWanted(oneshot::Sender<WorkerHello>),
    /// The connection stands; what is to be said goes here. Dropping it ends the connection after the last word.
    Up(mpsc::Sender<FromWorker>),
    /// The coordinator said something.
    Heard(ToWorker),
    /// The connection is gone.
    Down,
}

/// Where the coordinator is.
#[derive(Debug, Clone)]
pub struct LinkSettings {
    /// Its socket.
    pub socket: PathBuf,
    /// The fleet.
    pub instance: Instance,
}

/// Starts the task. It ends when the receiver is dropped.
pub fn spawn(settings: LinkSettings) -> mpsc::Receiver<LinkEvent> {
    let (events, receiver) = mpsc::channel(LINK_INCOMING_MAX);
    tokio::spawn(async move {
        let mut link = Link { settings, events, told_missing: false };
        // The only way out is that the driver is gone, which is no error.
        let Err(DriverGone) = link.run().await;
    });
    receiver
}

/// The driver's end of the channel is closed.
struct DriverGone;

struct Link {
    settings: LinkSettings,
    events: mpsc::Sender<LinkEvent>,
    /// True once it was logged that nobody answers; once is enough.
    told_missing: bool,
}

enum Never {}

// === impl Link ===

impl Link {
    async fn run(&mut self) -> Result<Never, DriverGone> {
        let mut pause = LINK_RETRY_FIRST;
        loop {
            let begun = clock::monotonic();
            if let Some((reader, writer)) = self.connect().await? {
                self.serve(reader, writer).await?;
            }
            // A coordinator that took us for a while and went is one that restarts; one that never does is not hurried.
            let stood = clock::monotonic().duration_since(begun) >= LINK_RETRY_MAX;
            pause = if stood { LINK_RETRY_FIRST } else { pause };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.events.closed() => return Err(DriverGone),
            }
            pause = (pause * 2).min(LINK_RETRY_MAX);
        }
    }

    async fn connect(&mut self) -> Result<Option<(FrameReader, FrameWriter)>, DriverGone> {
        // Without a socket there is nobody to collect a whole inventory for.
        if !self.settings.socket.exists() {
            self.note_failure(&"its socket does not exist");
            return Ok(None);
        }
        let (reply, hello) = oneshot::channel();
        self.tell(LinkEvent::HelloWanted(reply)).await?;
        let hello = hello.await.map_err(|_| DriverGone)?;
        let hello = Hello {
            protocol: CONTROL_PROTOCOL,
            instance: self.settings.instance,
            pid: std::process::id(),
            role: Role::Worker(Box::new(hello)),
        };
        let attempt = control::connect(&self.settings.socket, &hello);
        match tokio::time::timeout(LINK_HELLO_DEADLINE, attempt).await {
            Ok(Ok(halves)) => {
                info!("connected to the coordinator");
                self.told_missing = false;
                return Ok(Some(halves));
            }
            Ok(Err(refused @ ChannelError::Refused(_))) => warn!("{refused}"),
            Ok(Err(error)) => self.note_failure(&error),
            Err(_) => self.note_failure(&"it did not answer the hello in time"),
        }
        Ok(None)
    }

    /// Passes messages both ways until either side ends.
    async fn serve(
        &self,
        mut reader: FrameReader,
        mut writer: FrameWriter,
    ) -> Result<(), DriverGone> {
        let (outgoing, mut to_say) = mpsc::channel(LINK_OUTGOING_MAX);
        self.tell(LinkEvent::Up(outgoing)).await?;
        let hearing = async {
            loop {
                match reader.read().await {
                    Ok(heard) => self.tell(LinkEvent::Heard(heard)).await?,
                    Err(error) => return Ok::<_, DriverGone>(error),
                }
            }
        };
        let saying = async {
            while let Some(message) = to_say.recv().await {
                writer.write(&message).await?;
            }
            Ok::<_, ChannelError>(())
        };
        // Reading is not cancel-safe within a frame; whichever ends first ends the connection, so no frame is resumed.
        let ended_by = tokio::select! {
            error = hearing => Some(error?),
            said = saying => said.err(),
        };
        match ended_by {
            Some(error) => warn!("the coordinator is gone ({error}); ticks go on, reconnecting"),
            None => debug!("the last word to the coordinator is said"),
        }
        self.tell(LinkEvent::Down).await
    }

    async fn tell(&self, event: LinkEvent) -> Result<(), DriverGone> {
        self.events.send(event).await.map_err(|_| DriverGone)
    }

    fn note_failure(&mut self, error: &dyn std::fmt::Display) {
        if std::mem::replace(&mut self.told_missing, true) {
            debug!("no coordinator: {error}");
        } else {
            let seconds = LINK_RETRY_MAX.as_secs();
            warn!("no coordinator: {error}; trying again for ever, at least every {seconds} s");
        }
    }
}

const _: () = assert!(LINK_RETRY_FIRST.as_millis() > 0 && !Duration::is_zero(&LINK_RETRY_MAX));

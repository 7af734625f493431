//! Frames over a Unix stream, with a hello first.

use std::path::{Path, PathBuf};

use serde::{Serialize, de::DeserializeOwned};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use super::codec::{self, CodecError};
use super::message::{Hello, HelloReply};
use crate::limits::CONTROL_FRAME_BYTES_MAX;
use crate::{Instance, version::CONTROL_PROTOCOL};

/// Why a control connection could not be made or went away.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// Nobody listens at the socket.
    #[error("no coordinator answers at {path}")]
    Connect {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Reading or writing failed.
    #[error("the control connection broke")]
    Io(#[from] std::io::Error),
    /// A frame announced more bytes than any may have.
    #[error("a control frame of {0} bytes exceeds the limit of {CONTROL_FRAME_BYTES_MAX}")]
    FrameTooLong(usize),
    /// A frame could not be made or understood.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The other side hung up.
    #[error("the control connection was closed by the other side")]
    Closed,
    /// The coordinator refused the hello.
    #[error("the coordinator refused this connection: {0}")]
    Refused(String),
    /// The client belongs to another user.
    #[error("a process of uid {0} tried to connect; only this user's and root's may")]
    ForeignUser(u32),
}

/// Reads frames. Not cancel-safe within a frame: give it a task of its own.
#[derive(Debug)]
pub struct FrameReader {
    stream: OwnedReadHalf,
}

/// Writes frames.
#[derive(Debug)]
pub struct FrameWriter {
    stream: OwnedWriteHalf,
}

/// Connects to the coordinator and says hello.
///
/// # Errors
/// [`ChannelError`]; `Refused` carries the coordinator's reason.
pub async fn connect(
    path: &Path,
    hello: &Hello,
) -> Result<(FrameReader, FrameWriter), ChannelError> {
    let stream = UnixStream::connect(path)
        .await
        .map_err(|source| ChannelError::Connect { path: path.to_owned(), source })?;
    let (mut reader, mut writer) = halves(stream);
    writer.write(hello).await?;
    match reader.read().await? {
        HelloReply::Welcome => Ok((reader, writer)),
        HelloReply::Refused(reason) => Err(ChannelError::Refused(reason)),
    }
}

/// Takes a client: checks its user, reads its hello and, when protocol and instance agree, returns it with the two
/// halves. The caller still answers with [`HelloReply::Welcome`] or a refusal of its own.
///
/// # Errors
/// [`ChannelError`]; a client of another protocol or instance has been told so.
pub async fn accept(
    stream: UnixStream,
    instance: &Instance,
    own_uid: u32,
) -> Result<(Hello, FrameReader, FrameWriter), ChannelError> {
    let peer = stream.peer_cred()?.uid();
    if peer != own_uid && peer != 0 {
        return Err(ChannelError::ForeignUser(peer));
    }
    let (mut reader, mut writer) = halves(stream);
    let hello: Hello = reader.read().await?;
    let reason = if hello.protocol != CONTROL_PROTOCOL {
        Some(format!(
            "it speaks control protocol {}, the coordinator speaks {CONTROL_PROTOCOL}: install one version of qamd",
            hello.protocol
        ))
    } else if hello.instance != *instance {
        Some(format!("it belongs to instance {}, this is {instance}", hello.instance))
    } else {
        None
    };
    match reason {
        None => Ok((hello, reader, writer)),
        Some(reason) => {
            writer.write(&HelloReply::Refused(reason.clone())).await?;
            Err(ChannelError::Refused(reason))
        }
    }
}

fn halves(stream: UnixStream) -> (FrameReader, FrameWriter) {
    let (read, write) = stream.into_split();
    (FrameReader { stream: read }, FrameWriter { stream: write })
}

// === impl FrameReader ===

impl FrameReader {
    /// The next message.
    ///
    /// # Errors
    /// [`ChannelError::Closed`] at the end of the stream; the others as named.
    pub async fn read<M: DeserializeOwned>(&mut self) -> Result<M, ChannelError> {
        let mut length = [0; 4];
        self.fill(&mut length).await?;
        let length = u32::from_le_bytes(length) as usize;
        if length > CONTROL_FRAME_BYTES_MAX {
            return Err(ChannelError::FrameTooLong(length));
        }
        let mut body = vec![0; length];
        self.fill(&mut body).await?;
        Ok(codec::decode(&body)?)
    }

    async fn fill(&mut self, bytes: &mut [u8]) -> Result<(), ChannelError> {
        match self.stream.read_exact(bytes).await {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                Err(ChannelError::Closed)
            }
            Err(error) => Err(error.into()),
        }
    }
}

// === impl FrameWriter ===

impl FrameWriter {
    /// Sends one message.
    ///
    /// # Errors
    /// [`ChannelError`] when it is too long or the connection is gone.
    pub async fn write<M: Serialize>(&mut self, message: &M) -> Result<(), ChannelError> {
        let body = codec::encode(message)?;
        let length =
            u32::try_from(body.len()).map_err(|_| ChannelError::FrameTooLong(body.len()))?;
        let mut frame = Vec::with_capacity(body.len() + 4);
        frame.extend_from_slice(&length.to_le_bytes());
        frame.extend_from_slice(&body);
        Ok(self.stream.write_all(&frame).await?)
    }
}

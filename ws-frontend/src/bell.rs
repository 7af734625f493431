//! The wake-up pipe of the ring as something this runtime can wait for.

use std::io;
use std::os::fd::AsFd;

use shm_layout::ring::WakeReader;
use tokio::net::unix::pipe::Receiver;

/// Rings when a tick was published while we slept.
#[derive(Debug)]
pub struct Bell {
    reader: WakeReader,
    /// The same pipe, as tokio knows it.
    pipe: Receiver,
}

// === impl Bell ===

impl Bell {
    /// Needs a tokio runtime around it.
    ///
    /// # Errors
    /// What the system said when the pipe could not be registered.
    pub fn new(reader: WakeReader) -> io::Result<Self> {
        let pipe = Receiver::from_owned_fd(reader.as_fd().try_clone_to_owned()?)?;
        Ok(Self { reader, pipe })
    }

    /// Says that we are about to sleep. Look at the ring once more after it, then wait for [`Bell::rings`].
    pub fn prepare_sleep(&self) {
        self.reader.prepare_sleep();
    }

    /// Waits until it rings.
    ///
    /// # Errors
    /// What the system said.
    pub async fn rings(&self) -> io::Result<()> {
        self.pipe.readable().await
    }

    /// Says that we are awake, and takes what rang.
    pub fn awake(&self) {
        self.reader.awake();
        // The pipe is empty now; this lets tokio see it, or takes a byte that came meanwhile.
        let _empty = self.pipe.try_read(&mut [0; 64]);
    }
}

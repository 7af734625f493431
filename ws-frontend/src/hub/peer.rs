//! What the hub needs of a client's connection.

use std::io;
use std::time::Instant;

/// A client's connection. None of these waits.
pub trait Peer {
    /// Gives bytes to the socket; returns how many it took.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when it takes none now; anything else when the connection is gone.
    fn write(&self, bytes: &[u8]) -> io::Result<usize>;

    /// The socket took no more: say so to the hub once it does again.
    fn await_writable(&self);

    /// What was heard last has been dealt with: read on.
    fn resume_reading(&self);

    /// From now on what the client sends is thrown away.
    fn discard_input(&self);

    /// All is written: say so to the client, so that it hangs up.
    fn finish_writing(&self);

    /// The connection ends now.
    fn end(&self);

    /// When something was last heard from the client.
    fn heard_at(&self) -> Instant;
}

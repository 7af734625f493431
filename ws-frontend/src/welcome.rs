//! From an accepted connection to a WebSocket, or to a farewell.

use std::io;
use std::rc::Rc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::timeout;

use crate::connection::{Input, Link, serve};
use crate::handshake::{Refusal, Verdict, judge};
use crate::limits::{FAREWELL_BYTES_MAX, FAREWELL_TIME_MAX, HANDSHAKE_TIME_MAX};
use crate::listener::TurnedAway;

/// Why a handshake came to nothing.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the request was refused: {0:?}")]
    Refused(Refusal),
    #[error("the client hung up before its request was whole")]
    HungUp,
    #[error("the client said nothing")]
    Silent,
    #[error("the connection broke")]
    Broken(#[from] io::Error),
}

/// Shakes hands with a client and serves it to its end. It keeps its `place` as long.
pub(crate) async fn welcome(
    mut stream: TcpStream,
    place: OwnedSemaphorePermit,
    hub: mpsc::Sender<Input>,
    away: Rc<TurnedAway>,
) {
    let mut heard = Vec::new();
    let outcome = match timeout(HANDSHAKE_TIME_MAX, shake_hands(&mut stream, &mut heard)).await {
        Ok(outcome) => outcome,
        // Browsers connect ahead of need; an answer to nothing would be taken for the answer to what they ask next.
        Err(_) if heard.is_empty() => Err(Failure::Silent),
        Err(_) => Err(Failure::Refused(Refusal::TooLate)),
    };
    // Not for as long as the session.
    drop(heard);
    match outcome {
        Ok(early) => serve(Link::new(stream), early, hub).await,
        Err(failure) => {
            TurnedAway::count(&away.handshakes_failed);
            let client = stream.peer_addr().ok();
            tracing::debug!(?client, error = &failure as &dyn std::error::Error, "no handshake");
            if let Failure::Refused(refusal) = failure {
                turn_away(stream, refusal).await;
            }
        }
    }
    drop(place);
}

/// Answers the request and returns what came behind it; `heard` is what came so far.
async fn shake_hands(stream: &mut TcpStream, heard: &mut Vec<u8>) -> Result<Vec<u8>, Failure> {
    // Without it every push waits for the client's acknowledgement of the one before: 40 ms.
    stream.set_nodelay(true)?;
    loop {
        stream.readable().await?;
        match take(stream, heard) {
            Ok(0) => return Err(Failure::HungUp),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error.into()),
        }
        // From the beginning each time: a client that sends byte by byte costs more in system calls than in this.
        match judge(heard) {
            Verdict::Incomplete => {}
            Verdict::Welcome { answer, head_bytes } => {
                stream.write_all(&answer).await?;
                return Ok(heard.split_off(head_bytes));
            }
            Verdict::Refused(refusal) => return Err(Failure::Refused(refusal)),
        }
    }
}

/// Reads what is there, or a good part of it. `try_read`, for the sake of [`serve`]: other ways of reading forget that the
/// socket is readable when they get less than they asked for.
fn take(stream: &TcpStream, heard: &mut Vec<u8>) -> io::Result<usize> {
    let mut bytes = [0; 2 << 10];
    let count = stream.try_read(&mut bytes)?;
    heard.extend_from_slice(&bytes[..count]);
    Ok(count)
}

/// Says why, and waits until the client has heard it: to close a socket with unread bytes is to reset the connection, and a
/// reset takes back what was sent.
pub(crate) async fn turn_away(mut stream: TcpStream, refusal: Refusal) {
    let parting = async {
        stream.write_all(&refusal.answer()).await?;
        stream.shutdown().await?;
        let mut scrap = vec![0; 8 << 10];
        let mut left = FAREWELL_BYTES_MAX;
        while left > 0 {
            match stream.read(&mut scrap).await? {
                0 => break,
                count => left = left.saturating_sub(count),
            }
        }
        Ok::<_, io::Error>(())
    };
    // A client that is gone already, or does not go, has had its chance.
    let _untold = timeout(FAREWELL_TIME_MAX, parting).await;
}

//! WebSocket frames as a server writes them (RFC 6455, section 5.2): whole, final and unmasked.

/// Bytes of the header that [`begin_text`] leaves room for.
const HEADER_BYTES_MAX: usize = 10;

const FINAL_TEXT: u8 = 0x81;
const FINAL_CLOSE: u8 = 0x88;
const FINAL_PING: u8 = 0x89;
/// Payload length 126: the true one follows in two bytes.
const LENGTH_IN_TWO: u8 = 126;
/// Payload length 127: the true one follows in eight bytes.
const LENGTH_IN_EIGHT: u8 = 127;

/// Why a connection is closed (RFC 6455, section 7.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum CloseCode {
    /// The gateway stops.
    GoingAway = 1001,
    /// The client broke the WebSocket protocol.
    ProtocolError = 1002,
    /// A text was not UTF-8.
    InvalidText = 1007,
    /// A message was too long.
    MessageTooLong = 1009,
    /// The client does not keep up; it may come back.
    TryAgainLater = 1013,
}

/// Writes one text frame at the end of `out`; `write_payload` appends the payload.
pub fn push_text(out: &mut Vec<u8>, write_payload: impl FnOnce(&mut Vec<u8>)) {
    // The length is known last. Most payloads need four bytes of header, so those never move.
    const USUAL: usize = 4;
    let start = out.len();
    out.extend_from_slice(&[0; USUAL]);
    write_payload(out);
    let length = out.len() - start - USUAL;
    let mut header = [0; HEADER_BYTES_MAX];
    let used = header_of(length, &mut header);
    if used != USUAL {
        out.splice(start..start + USUAL, header[..used].iter().copied());
    } else {
        out[start..start + USUAL].copy_from_slice(&header[..USUAL]);
    }
}

/// Writes one close frame. The reason is cut to what a control frame may carry; give ASCII.
pub fn push_close(out: &mut Vec<u8>, code: CloseCode, reason: &str) {
    const REASON_BYTES_MAX: usize = 123;
    let reason = &reason.as_bytes()[..reason.len().min(REASON_BYTES_MAX)];
    out.push(FINAL_CLOSE);
    out.push(u8::try_from(reason.len() + 2).unwrap_or(u8::MAX));
    out.extend_from_slice(&(code as u16).to_be_bytes());
    out.extend_from_slice(reason);
}

/// Writes one ping frame without a payload.
pub fn push_ping(out: &mut Vec<u8>) {
    out.extend_from_slice(&[FINAL_PING, 0]);
}

/// The length in bytes, header included, of the unmasked frame that `bytes` begins with; `None` when even its header is
/// not whole.
#[must_use]
pub fn frame_length(bytes: &[u8]) -> Option<usize> {
    let (header, payload) = lengths(bytes)?;
    header.checked_add(payload)
}

/// The lengths in bytes of header and payload of the unmasked frame that `bytes` begins with.
pub(crate) fn lengths(bytes: &[u8]) -> Option<(usize, usize)> {
    match *bytes.get(1)? {
        LENGTH_IN_TWO => {
            Some((4, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))))
        }
        LENGTH_IN_EIGHT => {
            let length = u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?);
            Some((10, usize::try_from(length).ok()?))
        }
        short => Some((2, usize::from(short))),
    }
}

fn header_of(payload: usize, header: &mut [u8; HEADER_BYTES_MAX]) -> usize {
    header[0] = FINAL_TEXT;
    if let Some(short) = u8::try_from(payload).ok().filter(|length| *length < LENGTH_IN_TWO) {
        header[1] = short;
        2
    } else if let Ok(length) = u16::try_from(payload) {
        header[1] = LENGTH_IN_TWO;
        header[2..4].copy_from_slice(&length.to_be_bytes());
        4
    } else {
        header[1] = LENGTH_IN_EIGHT;
        header[2..10].copy_from_slice(&(payload as u64).to_be_bytes());
        10
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;
    use tokio_tungstenite::tungstenite::protocol::{Role, WebSocket, WebSocketConfig};
    use tokio_tungstenite::tungstenite::{Message, protocol::frame::coding::CloseCode as Code};

    fn read_back(bytes: Vec<u8>) -> Vec<Message> {
        let config = WebSocketConfig::default();
        let mut client = WebSocket::from_raw_socket(Cursor::new(bytes), Role::Client, Some(config));
        std::iter::from_fn(|| client.read().ok()).collect()
    }

    #[test]
    fn every_length_is_read_as_written() {
        for length in [0, 1, 125, 126, 127, 4096, 65_535, 65_536, 70_000] {
            let text = "x".repeat(length);
            let mut out = b"before".to_vec();
            push_text(&mut out, |out| out.extend_from_slice(text.as_bytes()));
            let frame = out.split_off(6);
            assert_eq!(out, b"before");
            assert_eq!(frame_length(&frame), Some(frame.len()), "{length}");
            let mut twice = frame.clone();
            twice.extend_from_slice(&frame);
            let text = Message::text(text);
            assert_eq!(read_back(twice), [text.clone(), text], "{length}");
        }
    }

    #[test]
    fn control_frames_are_read_as_written() {
        let mut out = Vec::new();
        push_ping(&mut out);
        assert_eq!(frame_length(&out), Some(2));
        push_close(&mut out, CloseCode::TryAgainLater, "slow consumer");
        assert_eq!(frame_length(&out[2..]), Some(out.len() - 2));
        let read = read_back(out);
        assert_eq!(read[0], Message::Ping(Vec::new().into()));
        let Message::Close(Some(close)) = &read[1] else { panic!("{read:?}") };
        assert_eq!((close.code, close.reason.as_str()), (Code::Again, "slow consumer"));
    }

    #[test]
    fn a_header_cut_short_has_no_length() {
        let mut out = Vec::new();
        push_text(&mut out, |out| out.resize(out.len() + 70_000, b'x'));
        for cut in 0..10 {
            assert!(frame_length(&out[..cut]).is_none(), "{cut}");
        }
    }
}

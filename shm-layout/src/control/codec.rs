//! Messages to bytes and back. The only file that names bincode.

use serde::{Serialize, de::DeserializeOwned};

use crate::limits::CONTROL_FRAME_BYTES_MAX;

/// Why a frame could not be made or understood.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// A message could not be encoded.
    #[error("encoding a control message failed")]
    Encode(#[source] bincode::error::EncodeError),
    /// A frame could not be decoded.
    #[error("decoding a control frame failed; are both processes of the same version?")]
    Decode(#[source] bincode::error::DecodeError),
    /// Bytes were left over.
    #[error("a control frame has {0} bytes too many; are both processes of the same version?")]
    Trailing(usize),
    /// The message exceeds [`CONTROL_FRAME_BYTES_MAX`].
    #[error("a control message of {0} bytes exceeds the frame limit of {CONTROL_FRAME_BYTES_MAX}")]
    TooLong(usize),
}

const CONFIG: bincode::config::Configuration<
    bincode::config::LittleEndian,
    bincode::config::Varint,
    bincode::config::Limit<CONTROL_FRAME_BYTES_MAX>,
> = bincode::config::standard().with_limit::<CONTROL_FRAME_BYTES_MAX>();

pub(super) fn encode<M: Serialize>(message: &M) -> Result<Vec<u8>, CodecError> {
    let body = bincode::serde::encode_to_vec(message, CONFIG).map_err(CodecError::Encode)?;
    if body.len() > CONTROL_FRAME_BYTES_MAX {
        Err(CodecError::TooLong(body.len()))
    } else {
        Ok(body)
    }
}

pub(super) fn decode<M: DeserializeOwned>(body: &[u8]) -> Result<M, CodecError> {
    let (message, used) =
        bincode::serde::decode_from_slice(body, CONFIG).map_err(CodecError::Decode)?;
    if used == body.len() { Ok(message) } else { Err(CodecError::Trailing(body.len() - used)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::{Assignment, Carry, ToWorker};
    use crate::{Generation, InstrumentId};
    use proptest::prelude::*;

    fn assignment(ids: &[String]) -> ToWorker {
        ToWorker::Assign(Assignment::Whole {
            generation: Generation(7),
            instruments: ids
                .iter()
                .map(|id| Carry::primary(InstrumentId::parse(id).unwrap()))
                .collect(),
        })
    }

    proptest! {
        #[test]
        fn messages_come_back_as_sent(ids in prop::collection::vec("[a-zA-Z][a-zA-Z0-9&-]{0,30}", 0..50)) {
            let message = assignment(&ids);
            let back: ToWorker = decode(&encode(&message).unwrap()).unwrap();
            prop_assert_eq!(back, message);
        }

        #[test]
        fn foreign_bytes_never_panic(body in prop::collection::vec(any::<u8>(), 0..300)) {
            let outcome: Result<ToWorker, CodecError> = decode(&body);
            if let Ok(message) = outcome {
                prop_assert!(encode(&message).is_ok());
            }
        }
    }

    #[test]
    fn refuses_what_is_left_over() {
        let mut body = encode(&assignment(&[])).unwrap();
        body.push(0);
        assert!(matches!(decode::<ToWorker>(&body), Err(CodecError::Trailing(1))));
    }
}

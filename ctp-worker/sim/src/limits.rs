//! Every bound of the simulated library, and what happens there.

/// Calls waiting for the callback thread. Policy: refuse; the call returns -2 ("too many pending"),
/// as the genuine library does.
pub(crate) const PENDING_CALLS_MAX: usize = 4096;

/// Instruments in one subscribe call. Policy: refuse; the call returns -2.
pub(crate) const INSTRUMENTS_PER_CALL_MAX: usize = 100_000;

/// Instruments subscribed in one session. Policy: refuse; the answer carries ErrorID 90.
pub(crate) const SUBSCRIPTIONS_MAX: usize = 200_000;

/// Answers waiting for their moment (`late`). Policy: the request is lost without an answer, as one
/// that an overloaded front drops.
pub(crate) const PENDING_ANSWERS_MAX: usize = 65_536;

/// Ticks in one turn of the callback thread before it looks at its calls again.
pub(crate) const TICKS_PER_TURN_MAX: usize = 2048;

/// Recorded rows read in one turn of the callback thread, passed on or not.
pub(crate) const ROWS_PER_TURN_MAX: usize = 4096;

/// Different instruments in a recording. Policy: the recording is refused, exit code 64.
pub(crate) const RECORDING_INSTRUMENTS_MAX: usize = 200_000;

/// Ticks that fell due while the callback was held up are made up for, up to so much time; what is
/// older is left out (a front does not send the past). A `burst` always comes whole.
pub(crate) const CATCH_UP_NS_MAX: u64 = 1_000_000_000;

/// The same in lockstep (`every_ms`): what is owed comes whole and in order up to so much time, as out of a TCP
/// connection's buffers; what is older is left out.
pub(crate) const LOCKSTEP_OWED_NS_MAX: u64 = 10_000_000_000;

/// Size of a script file. Policy: the script is refused, exit code 64.
pub(crate) const SCRIPT_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Fronts one API object remembers. Policy: later ones are ignored.
pub(crate) const FRONTS_MAX: usize = 64;

/// A simulated session never connects twice within so much time, whatever a script says: a script
/// that disconnects at once for ever must not spin.
pub(crate) const RECONNECT_NS_MIN: u64 = 1_000_000;

const _: () = assert!(TICKS_PER_TURN_MAX <= ROWS_PER_TURN_MAX);
const _: () = assert!(INSTRUMENTS_PER_CALL_MAX <= SUBSCRIPTIONS_MAX);

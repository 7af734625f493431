//! The bounds that two processes must agree on, and what happens at each.

/// Services the ring is spread over. Receiving is unfair between publishers of one service, so readers drain several in
/// turn; more services cost an idle reader more.
pub const RING_SHARDS: u32 = 4;

/// Ticks one ring sample may carry. A writer with more sends several samples.
pub const RING_TICKS_PER_SAMPLE_MAX: usize = 4;

/// Samples a reader may lag behind one worker: 0.4 s of the greatest burst seen in a real market (40,000 ticks/s). At the
/// limit the oldest is overwritten, and the reader counts the loss by the gap in sequences. Costs 24 resident bytes each
/// per worker and reader; the samples' own memory is touched only as far as a reader really lags.
pub const RING_READER_LAG_SAMPLES_MAX: usize = 16_384;

/// Readers (frontends, recorders, followers) of one ring service. At the limit a further reader is refused.
pub const RING_READERS_MAX: usize = 8;

/// Workers of one ring service. At the limit a further worker fails to start, and says so.
pub const RING_WORKERS_PER_SHARD_MAX: usize = 64;

/// Samples a reader may hold at once; it copies out and lets go.
pub const RING_BORROWED_SAMPLES_MAX: usize = 2;

/// Readers that may sleep on the wake table: one bit each. At the limit a further reader is refused.
pub const WAKE_READERS_MAX: usize = 64;

/// Bytes of one control frame. A longer one ends the connection: both sides are ours, so it is a fault.
pub const CONTROL_FRAME_BYTES_MAX: usize = 4 << 20;

/// Instruments in one control message. Longer lists are sent in parts.
pub const CONTROL_INSTRUMENTS_PER_MESSAGE_MAX: usize = 8192;

/// Instruments the fleet knows of, listed or learned. Beyond it further ones are served but not listed.
pub const UNIVERSE_INSTRUMENTS_MAX: usize = 200_000;

// An id is at most 80 bytes and a frame carries little beside ids.
const _: () = assert!(CONTROL_INSTRUMENTS_PER_MESSAGE_MAX * 128 <= CONTROL_FRAME_BYTES_MAX);
const _: () = assert!(WAKE_READERS_MAX <= u64::BITS as usize);

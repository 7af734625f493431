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

/// Ticks of one instrument that a reader remembers at first, to know a copy of them when another worker brings it: four
/// seconds at CTP's greatest pace.
pub const MERGE_WINDOW_MIN: usize = 8;

/// As [`MERGE_WINDOW_MIN`], for an instrument that some worker brings later than that. A copy of a tick further back is
/// dropped for its time and counted as late; if it looks newer than all that is remembered, it is handed on once more.
pub const MERGE_WINDOW_MAX: usize = 32;

/// Workers' lives that a reader tells apart for one instrument. One more takes the place of the one that lies furthest
/// behind; should that one go on, it begins as if it were new, and what it leaves out is not counted.
pub const MERGE_ORIGINS_MAX: usize = 8;

/// Ticks that a reader keeps back until it has found the ring empty, because others' earlier ones may wait there. At the
/// limit it waits no longer: those that come then are late.
pub const MERGE_EARLY_MAX: usize = 8192;

/// Instruments in which a reader merges what several workers bring. Ticks of further ones pass as they come, copies
/// included, and are counted as unmerged.
pub const MERGE_INSTRUMENTS_MAX: usize = UNIVERSE_INSTRUMENTS_MAX;

/// How long, in nanoseconds by the workers' receive times, after an instrument's newest tick another worker's tick that is
/// neither a copy nor newer is taken for a late one and dropped. After that nobody is ahead any more, and it is handed on.
/// Brokers' fronts differ by less than a second.
pub const MERGE_LATE_NS: i64 = 3_000_000_000;

/// Where workers do not say when they received their ticks: so many such ticks of one worker in a row are dropped while
/// nothing is handed on. A reader that comes back from a pause may find as many of them behind the other worker's.
pub const MERGE_LATE_STREAK_MAX: u32 = RING_READER_LAG_SAMPLES_MAX as u32;

/// Workers that a reader keeps counters of, dead ones included. Ticks of further ones are merged all the same, and counted
/// in the sums alone.
pub const CONNECTION_VIEWS_MAX: usize = 4096;

/// Bytes of one control frame. A longer one ends the connection: both sides are ours, so it is a fault.
pub const CONTROL_FRAME_BYTES_MAX: usize = 4 << 20;

/// Instruments in one control message. Longer lists are sent in parts.
pub const CONTROL_INSTRUMENTS_PER_MESSAGE_MAX: usize = 8192;

/// Instruments the fleet knows of, listed or learned. Beyond it further ones are served but not listed.
pub const UNIVERSE_INSTRUMENTS_MAX: usize = 200_000;

/// Bytes of any one text that a list of instruments says of an instrument (name, product, underlying). A longer one is a
/// fault of the list.
pub const LISTED_TEXT_BYTES_MAX: usize = 64;

// Listed instruments are the longest: an id of at most 80 bytes, three texts, and numbers of at most nine bytes.
const _: () = assert!(
    CONTROL_INSTRUMENTS_PER_MESSAGE_MAX * (80 + 3 * LISTED_TEXT_BYTES_MAX + 16 * 9)
        <= CONTROL_FRAME_BYTES_MAX
);
// A view is eight numbers of at most nine bytes.
const _: () = assert!(CONNECTION_VIEWS_MAX * 128 <= CONTROL_FRAME_BYTES_MAX);
const _: () = assert!(MERGE_WINDOW_MIN.is_power_of_two() && MERGE_WINDOW_MAX.is_power_of_two());
const _: () = assert!(MERGE_WINDOW_MIN <= MERGE_WINDOW_MAX);
const _: () = assert!(WAKE_READERS_MAX <= u64::BITS as usize);

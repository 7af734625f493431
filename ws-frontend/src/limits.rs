//! Every bound of this process, and what happens at it.

use std::time::Duration;

use shm_layout::limits::{
    CONTROL_INSTRUMENTS_PER_MESSAGE_MAX, RING_READER_LAG_SAMPLES_MAX, UNIVERSE_INSTRUMENTS_MAX,
};

/// Connections at a time, handshakes included. Refused with HTTP 503, counted `sessions_refused`.
pub const SESSIONS_MAX: usize = 1024;

/// From the accepted connection to the finished WebSocket handshake. Disconnected, counted `handshakes_failed`.
pub const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(5);

/// Bytes of one message from a client. A longer one is answered with an error and close code 1009, before it is read.
pub const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// Instruments one session may subscribe. A request that would exceed it is refused whole.
pub const SESSION_INSTRUMENTS_MAX: usize = 30_000;

/// Different instruments that all sessions together may want. A request that would exceed it is refused whole.
pub const DEMAND_INSTRUMENTS_MAX: usize = UNIVERSE_INSTRUMENTS_MAX;

/// Subscriptions of all sessions together, some 20 bytes each, of a DIFF client some 200. A request that would exceed it is
/// refused whole.
pub const SUBSCRIPTIONS_MAX: usize = 5_000_000;

/// Instruments whose latest tick is kept though nobody here wants them. Beyond it ticks of further ones are counted and
/// forgotten.
pub const BOOK_UNWANTED_MAX: usize = UNIVERSE_INSTRUMENTS_MAX;

/// Bytes that wait for one client's socket. At the limit its ticks are conflated per instrument, and it is not read from
/// until it takes some; replies alone may pass it, by one reply.
pub const OUT_BUFFER_BYTES_MAX: usize = 1 << 20;

/// While a client lags, no more than this is encoded ahead: what waits as a mark stays fresh, what waits as bytes ages.
pub const REFILL_BYTES_MAX: usize = 128 << 10;

/// Capacity an emptied out-buffer keeps; a greater one is given back.
pub const OUT_BUFFER_KEPT_BYTES_MAX: usize = 64 << 10;

/// A client that takes no byte for so long while some wait is disconnected with 1013, counted `slow_disconnects`.
pub const NO_PROGRESS_TIME_MAX: Duration = Duration::from_secs(10);

/// From a close frame queued to the end of the connection, whatever the client does.
pub const CLOSE_LINGER: Duration = Duration::from_secs(5);

/// A client from which nothing came for so long is pinged.
pub const PING_AFTER: Duration = Duration::from_secs(15);

/// A client from which nothing came for so long is disconnected, counted `dead_disconnects`.
pub const SILENCE_TIME_MAX: Duration = Duration::from_secs(45);

/// How often sessions are looked at for the times above.
pub const SWEEP_EVERY: Duration = Duration::from_millis(250);

/// Sweeps further apart than this mean that this process itself was stopped (a debugger, a paused machine). The times above
/// then begin anew: clients are not blamed for it.
pub const ABSENCE_MIN: Duration = Duration::from_secs(2);

/// How often counters go to the coordinator. One that finds the queue full is left out; the next has it all.
pub const STATS_EVERY: Duration = Duration::from_secs(1);

/// Wakes the hub though nobody rang: a wake-up lost with a writer that died costs no more than this.
pub const WAKE_BACKSTOP: Duration = Duration::from_millis(100);

/// An instrument that lost its last subscriber stays wanted for so long, so that a client that reconnects costs no
/// subscription at the broker.
pub const DEMAND_LINGER: Duration = Duration::from_secs(1);

/// Wanted instruments without a tick that are looked for in shared memory in one sweep; the others' turn comes with the next.
pub const UNSEEN_LOOKED_FOR_AT_ONCE_MAX: usize = 4096;

/// Ticks of an instrument no longer wanted may still be on their way for so long; they do not enter the book again.
pub const QUIET_AFTER_RELEASE: Duration = Duration::from_secs(5);

/// Inputs from connections that wait for the hub. At the limit connections are not read from.
pub const INPUT_QUEUE_MAX: usize = 1024;

/// Messages from the coordinator that wait for the hub. At the limit the control connection is not read from.
pub const COORDINATOR_QUEUE_MAX: usize = 16;

/// Messages that wait for the coordinator. At the limit changes of demand stay marked and go later, counters are left out.
pub const TO_COORDINATOR_QUEUE_MAX: usize = 4;

/// Instruments in one message to the coordinator; more go in parts.
pub const DEMAND_PART_MAX: usize = CONTROL_INSTRUMENTS_PER_MESSAGE_MAX;

/// Waiting for the coordinator's answer to a hello.
pub const CONTROL_HELLO_TIME_MAX: Duration = Duration::from_secs(5);

/// The first pause before connecting to the coordinator again; doubles up to [`RECONNECT_PAUSE_MAX`].
pub const RECONNECT_PAUSE_MIN: Duration = Duration::from_millis(200);

/// The longest pause before connecting to the coordinator again.
pub const RECONNECT_PAUSE_MAX: Duration = Duration::from_secs(5);

/// Ticks taken from the ring between two looks at the clock.
pub const DRAIN_TICKS: usize = 64;

/// Taking ticks ends after so long even when more wait, so that what was encoded goes out.
pub const DRAIN_TIME_MAX: Duration = Duration::from_micros(500);

/// Ticks of one worker that wait in the ring, as [`crate::backlog`] estimates. Beyond half of what it holds of each it would
/// soon overwrite some: from then on it is emptied first, and of each instrument the latest tick is sent, the others counted
/// `overrun`, until all has been caught up with.
pub const BACKLOG_WAITING_MAX: u64 = RING_READER_LAG_SAMPLES_MAX as u64 / 2;

/// Ticks of a worker taken without finding the ring empty before that estimate is made at all.
pub const BACKLOG_TICKS_MIN: u64 = 512;

/// The shortest span of time, in nanoseconds, that a rate of ticks is taken from: a batch of some hundred at one moment is
/// no rate.
pub const BACKLOG_SPAN_MIN_NS: i64 = 1_000_000;

/// As [`DRAIN_TIME_MAX`], while the ring is emptied first.
pub const CATCH_UP_TIME_MAX: Duration = Duration::from_millis(4);

/// Ticks sent to clients in one turn while catching up, each client's copy counted; then the ring has its turn again.
pub const CATCH_UP_COPIES_MAX: usize = 4096;

/// Inputs are taken for so long in one turn (one at least), then ticks have theirs.
pub const INPUT_TIME_MAX: Duration = Duration::from_micros(200);

/// Writes to one session in one turn; a session that takes more has its next turn.
pub const WRITES_PER_TURN_MAX: usize = 4;

/// Bytes read from one client in one turn.
pub const READ_BYTES_PER_TURN_MAX: usize = 64 << 10;

/// Frames read from one client in one turn without a message among them (pings, pongs).
pub const READ_FRAMES_PER_TURN_MAX: usize = 32;

/// Bytes one read asks for; each session owns such a buffer.
pub const READ_BUFFER_BYTES: usize = 8 << 10;

/// Connections in the kernel's queue before they are accepted.
pub const LISTEN_BACKLOG: u32 = 1024;

/// Pause after the system refused to accept (no descriptors left).
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A fan-out no longer than this is followed by the next at once. One tick to ten sessions takes half of it; resting after
/// those would double what their ticks wait and save nothing.
pub const REST_AFTER: Duration = Duration::from_micros(100);

/// The longest rest after a fan-out. Measured with 100 sessions at 10,000 ticks a second: with three times as much p99 is twice
/// as long, and a tenth less of a core is used.
pub const REST_MAX: Duration = Duration::from_micros(300);

/// Saying goodbye to all clients takes no longer than this.
pub const STOP_TIME_MAX: Duration = Duration::from_secs(1);

/// Characters of a client's own text that an error message repeats.
pub const ECHO_CHARS_MAX: usize = 40;

/// Bytes of the HTTP request a client begins with, body excluded. A longer one is answered with 431.
pub const HANDSHAKE_HEAD_BYTES_MAX: usize = 8 << 10;

/// Headers of that request. One with more is answered with 431.
pub const HANDSHAKE_HEADERS_MAX: usize = 64;

/// Bytes of a `Sec-WebSocket-Key`. A longer one is answered with 400.
pub const WEBSOCKET_KEY_BYTES_MAX: usize = 128;

/// A client that was turned away has so long to take the answer and hang up; its place is taken meanwhile.
pub const FAREWELL_TIME_MAX: Duration = Duration::from_secs(1);

/// Bytes thrown away from a client that was turned away. Beyond them it is disconnected, and may lose the answer.
pub const FAREWELL_BYTES_MAX: usize = 1 << 20;

/// Clients beyond [`SESSIONS_MAX`] that are waited for to take their 503. Further ones get it and are disconnected at once.
pub const FAREWELLS_MAX: usize = 64;

/// Tokens of one query about instruments, commas included: 60,000 ids in it are possible. A longer one is answered with an
/// error.
pub const QUERY_TOKENS_MAX: usize = 200_000;

/// How deep fields and fragments of a query may be nested; TqSdk's own go six deep. A deeper one is answered with an error.
pub const QUERY_DEPTH_MAX: usize = 32;

/// Fields and fragments of a query, counted at each place where they are used. One that unfolds to more is answered with an
/// error.
pub const QUERY_SELECTIONS_MAX: usize = 10_000;

/// Arguments of one field; none takes more than nine. A query with more is answered with an error.
pub const QUERY_ARGUMENTS_MAX: usize = 16;

/// Values in the arguments of a query, counted at each place where they are used; a text counts once more for every 64 bytes.
/// One with more is answered with an error.
pub const QUERY_VALUES_MAX: usize = 200_000;

/// Bytes of one answer about instruments. A longer one is not made; the client is told to ask for less.
pub const QUERY_ANSWER_BYTES_MAX: usize = 32 << 20;

/// Contracts looked at for one query and fields told of them, each as often as it is; what is told of the latest tick counts
/// eightfold. Beyond it the query is given up as if its answer were too long.
///
/// One thread answers all clients, one query after the other, so that this is also what a client waits for another. Measured with
/// 25,000 instruments, optimized: no query found takes longer than 120 ms (a filter by exchange and product that takes
/// nothing, given 4,900 times); TqSdk's own take 1 ms for all ids, 3 ms for all that is known of 1,000 instruments and 33 ms of
/// 10,000. Reading the longest possible query takes 25 ms of that, and none needs more than 50 MiB beside the catalog.
pub const QUERY_STEPS_MAX: u64 = 5_000_000;

/// Messages that wait for the thread of the catalog; 8,192 instruments or one query each. What happens at the limit is its
/// feeder's to decide.
pub const CATALOG_QUEUE_MAX: usize = 64;

/// Queries wait so long for a list of instruments that is on its way, as at the start. Then they are answered from what is
/// there.
pub const LIST_AWAITED_MAX: Duration = Duration::from_secs(3);

/// Instruments that one event names. Of more these are named, and how many there are is said.
pub const EVENT_INSTRUMENTS_MAX: usize = 1000;

/// Instruments that one event names in a line for a person. Of more these are named, and how many there are is said.
pub const NOTICE_INSTRUMENTS_MAX: usize = 5;

/// Characters of why a connection is down. A longer text is cut.
pub const EVENT_WHY_CHARS_MAX: usize = 200;

/// Connections that are known to be down. Further ones are not told to clients.
pub const EVENT_CONNECTIONS_MAX: usize = 4096;

/// Instruments that are known to be stale. Further ones are not told to clients.
pub const EVENT_INSTRUMENTS_KEPT_MAX: usize = UNIVERSE_INSTRUMENTS_MAX;

/// Ticks kept of one instrument for `set_chart`, the widest view of TqSdk. At the limit its oldest sixteen go for the next.
pub const SERIES_TICKS_EACH_MAX: usize = 10_000;

/// Bytes of the ticks kept of all instruments, 192 each (1,398,096 ticks). At the limit the sixteen that were full first go,
/// whichever instrument's they are.
pub const SERIES_TICKS_BYTES_MAX: usize = 256 << 20;

/// Minute bars kept of one instrument. At the limit its oldest sixteen go for the next.
pub const SERIES_MINUTES_EACH_MAX: usize = 10_000;

/// Bytes of the minute bars kept of all instruments, 72 each (1,398,096 bars). At the limit the sixteen that were full
/// first go, whichever instrument's they are.
pub const SERIES_MINUTES_BYTES_MAX: usize = 96 << 20;

/// Series that clients have open, those that share one counted once. A further one is refused.
pub const SERIES_MAX: usize = 20_000;

/// Bars of one open series. At the limit its oldest goes for the next.
pub const SERIES_BARS_EACH_MAX: usize = 10_000;

/// Bars of all open series, 72 bytes each and an eighth more for growing (154 MiB). A series that would exceed it is refused;
/// an open one that gains a bar then loses its oldest.
pub const SERIES_BARS_MAX: usize = 2_000_000;

/// Closed series of one instrument whose last id is remembered, 24 bytes each. Beyond it the one that was closed first is
/// forgotten; opened again, it has ids by its bars' time.
pub const SERIES_ENDED_EACH_MAX: usize = 8;

const _: () = assert!(REFILL_BYTES_MAX < OUT_BUFFER_BYTES_MAX);
const _: () = assert!(OUT_BUFFER_KEPT_BYTES_MAX <= OUT_BUFFER_BYTES_MAX);
const _: () = assert!(SESSION_INSTRUMENTS_MAX <= DEMAND_INSTRUMENTS_MAX);
const _: () = assert!(SWEEP_EVERY.as_nanos() * 4 < ABSENCE_MIN.as_nanos());
const _: () = assert!(PING_AFTER.as_nanos() * 2 < SILENCE_TIME_MAX.as_nanos());

/// Items of a series that one chart of a DIFF client may show: what TqSdk asks for at most. A wider one is cut to this.
pub const CHART_WIDTH_MAX: i64 = 10_000;

/// Instruments of one chart. One with more is shown empty, and its client told so.
pub const CHART_INSTRUMENTS_MAX: usize = 64;

/// Changes of one quote that are kept encoded for sessions that were told as far as others. Beyond it those of before are
/// encoded again.
pub const QUOTE_CHANGES_KEPT_MAX: usize = 8;

/// Bytes of one answer to a DIFF client's peek, as far as quotes and series go; what does not fit comes with the next one.
/// The quote or the item that reaches it is still sent.
pub const ANSWER_BYTES_MAX: usize = 256 << 10;

/// Of these, what quotes leave to series: a client that cannot take all news of its quotes has charts all the same.
pub const ANSWER_CHARTS_BYTES_MIN: usize = 64 << 10;

/// Bytes of answers to DIFF clients that are encoded in one turn, a millisecond's worth or two; then ticks have theirs. The
/// answer that reaches it is still sent, whole.
pub const FLUSH_ANSWERS_BYTES: usize = 512 << 10;

/// Bytes of the message that sets a chart: its chart repeats it. A longer one is refused.
pub const CHART_PACK_BYTES_MAX: usize = 8 << 10;

/// Bytes of a client's name for a chart or a query. A longer one is refused.
pub const NAME_BYTES_MAX: usize = 256;

/// Bytes of the values of a query's variables. Longer ones are refused.
pub const VARIABLES_BYTES_MAX: usize = 64 << 10;

/// Bytes of answers to queries that wait for one client to peek. A query whose answer does not fit beside them is answered
/// with an error.
pub const ANSWERS_WAITING_BYTES_MAX: usize = 64 << 20;

/// Answers to queries that wait for one client to peek, likewise.
pub const ANSWERS_WAITING_MAX: usize = 256;

/// Notices that wait for one client to peek. Further ones are left out and counted, and the client is told how many.
pub const NOTICES_WAITING_MAX: usize = 64;

/// Changes of one series that are kept encoded for sessions that were told as far as others. Beyond it those of before are
/// encoded again.
pub const SERIES_CHANGES_KEPT_MAX: usize = 8;

/// Charts of one client. A request for one more is refused.
pub const CHARTS_MAX: usize = 1024;

//! Every bound of this process, and what happens at it.

use std::time::Duration;

/// Library events (all but ticks) between the callback thread and the driver. At the limit minus
/// [`EVENTS_RESERVED_FOR_SESSION`], answers and first ticks are dropped and counted, and the driver asks again for
/// everything unanswered. At the limit itself the process ends: it no longer knows its session.
pub const EVENT_QUEUE_MAX: usize = 16_384;

/// Places of the event queue that only session events (connected, disconnected, login) may take.
pub const EVENTS_RESERVED_FOR_SESSION: usize = 256;

/// Library events handled before the driver looks at its other sources again.
pub const EVENTS_PER_TURN_MAX: usize = 1024;

/// Instruments in one subscribe or unsubscribe call. More wait for the next call.
pub const INSTRUMENTS_PER_CALL_MAX: usize = 500;

/// The least time between two subscribe or unsubscribe calls; what comes meanwhile is coalesced. Per-instrument calls
/// without a pause get the connection cut by the front.
pub const CALLS_APART: Duration = Duration::from_millis(200);

/// How long calls rest after the library refused one (-1 network, -2 too many pending, -3 too many per second).
pub const REFUSED_CALL_PAUSE: Duration = Duration::from_secs(1);

/// How long an instrument's answer may take. After it the instrument is asked for again.
pub const ANSWER_DEADLINE: Duration = Duration::from_secs(10);

/// How long the first tick of an acknowledged instrument may take; fronts push the last snapshot at once, at any hour. After
/// it the instrument is asked for again, and once the quick retries are used up it is reported as silent.
pub const TICK_DEADLINE: Duration = Duration::from_secs(10);

/// The first back-off after a refused login or instrument; doubles with each refusal.
pub const RETRY_FIRST: Duration = Duration::from_secs(1);

/// The longest back-off, and the pace once the quick retries are used up. Retrying never ends.
pub const RETRY_SLOW: Duration = Duration::from_secs(60);

/// How long an unwanted instrument is kept before the front is told: what is wanted again meanwhile simply stays, as
/// after a client's reconnect, or when a long assignment comes in parts.
pub const RELEASE_GRACE: Duration = Duration::from_millis(100);

/// Unsubscribe calls for one instrument without an answer before it is taken for gone.
pub const UNSUBSCRIBE_ATTEMPTS_MAX: u32 = 3;

/// Instruments one assignment may leave with this worker, carried or waiting. Above it the assignment is refused.
pub const ASSIGNED_INSTRUMENTS_MAX: usize = 65_536;

/// Instruments whose ticks the tick path remembers: that there was one, and the last one. Beyond it ticks travel all the
/// same, without the snapshot flag; the instrument is not reported as ticking.
pub const INSTRUMENTS_SEEN_MAX: usize = 65_536;

/// How many days later than the running login's trading day another may be and still count as the one that follows it. A
/// tick or a clock further ahead is taken for wrong: nothing is dated by it, and no login is sent. The longest closure
/// on record has eleven days.
pub const LATER_DAY_DAYS_MAX: i32 = 31;

/// The time between two looks whether a new trading day's login is due. A login is that much late at most.
pub const DAY_ROLL_LOOKS_APART: Duration = Duration::from_secs(20);

/// Instruments whose cells become ours or another's while the tick path is locked; the library's thread waits no longer
/// than these take.
pub const ROLES_PER_LOCK_MAX: usize = 64;

/// Messages between the driver and the control connection's writer. At the limit the driver keeps what it has to say
/// as "changed" and says the newest when there is room (conflated).
pub const LINK_OUTGOING_MAX: usize = 64;

/// Messages from the control connection to the driver. At the limit the connection's reader waits (backpressure to the
/// coordinator's bounded queue).
pub const LINK_INCOMING_MAX: usize = 16;

/// The first pause before another attempt to reach the coordinator; doubles.
pub const LINK_RETRY_FIRST: Duration = Duration::from_millis(200);

/// The longest pause before another attempt to reach the coordinator. It never gives up.
pub const LINK_RETRY_MAX: Duration = Duration::from_secs(5);

/// How long the coordinator may take to answer a hello. After it the attempt counts as failed.
pub const LINK_HELLO_DEADLINE: Duration = Duration::from_secs(5);

/// How long a clean stop waits for the last words to reach the coordinator.
pub const GOODBYE_DEADLINE: Duration = Duration::from_millis(500);

/// The time between two reports of counters.
pub const STATS_APART: Duration = Duration::from_secs(1);

/// Refused instruments logged one by one in a session; all are reported to the coordinator.
pub const REFUSALS_LOGGED_PER_SESSION_MAX: u32 = 20;

// A session must be able to say what happened to it while a full answer of every instrument lies in the queue.
const _: () = assert!(EVENTS_RESERVED_FOR_SESSION * 2 < EVENT_QUEUE_MAX);
// A call's answers fit the queue many times over, so that a driver held up for a moment loses nothing.
const _: () = assert!(INSTRUMENTS_PER_CALL_MAX * 8 < EVENT_QUEUE_MAX);
const _: () = assert!(RETRY_FIRST.as_millis() < RETRY_SLOW.as_millis());
// What was waited for already is taken off the slow pace.
const _: () = assert!(ANSWER_DEADLINE.as_millis() < RETRY_SLOW.as_millis());
const _: () = assert!(TICK_DEADLINE.as_millis() < RETRY_SLOW.as_millis());

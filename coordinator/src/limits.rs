//! Every bound of the coordinator, and what happens at each.

use std::time::Duration;

use shm_layout::limits::{CONTROL_INSTRUMENTS_PER_MESSAGE_MAX, UNIVERSE_INSTRUMENTS_MAX};

/// Inputs waiting for the driver. At the limit the senders wait: a client that floods is read no faster than it is served.
pub const INBOX_INPUTS_MAX: usize = 1024;

/// Inputs taken in one turn before the driver acts on them, so that a burst of changes makes one plan.
pub const INPUTS_PER_TURN_MAX: usize = 1024;

/// Messages waiting for one control client. At the limit the client is disconnected; it reconnects and hears all anew.
pub const CLIENT_OUTBOX_MESSAGES_MAX: usize = 64;

/// Control connections open at once. At the limit a further one is closed unheard, and counted.
pub const CONTROL_CLIENTS_MAX: usize = 512;

/// Time for a control client's hello. Afterwards it is disconnected.
pub const HELLO_WAIT: Duration = Duration::from_secs(2);

/// HTTP connections open at once. At the limit further ones wait in the listener's backlog.
pub const HTTP_CONNECTIONS_MAX: usize = 64;

/// The longest life of one HTTP connection. Afterwards it is cut, whatever it is doing.
pub const HTTP_CONNECTION_LIFE: Duration = Duration::from_secs(30);

/// Distinct instruments all frontends together may want. Beyond it further ones are refused, and counted.
pub const DEMAND_INSTRUMENTS_MAX: usize = UNIVERSE_INSTRUMENTS_MAX;

/// Connections in a configuration: what the ring's services hold. Beyond it the configuration is refused.
pub const CONNECTIONS_MAX: usize = 200;

/// The most a connection may be told to carry: more than all exchanges list. Beyond it the configuration is refused.
pub const SUBSCRIPTIONS_PER_CONNECTION_MAX: u32 = 50_000;

/// Refused instruments shown in the status; beyond it they are only counted.
pub const REFUSED_SHOWN_MAX: usize = 100;

/// Bytes of a configuration file, an instruments file or a calendar. A longer one is refused.
pub const FILE_BYTES_MAX: u64 = 64 << 20;

/// Faults of a file that are listed; beyond it they are only counted.
pub const FAULTS_SHOWN_MAX: usize = 100;

/// The least time between two plans, so that many small changes become few messages.
pub const PLAN_INTERVAL: Duration = Duration::from_millis(20);

/// How long a new coordinator waits for the workers it found running, before it places anything without them. Their
/// reconnect back-off ends at 5 s.
pub const ADOPTION_WAIT: Duration = Duration::from_secs(7);

/// How long a worker of an earlier coordinator has to say the rest of what it carries, after its hello; nothing is placed
/// meanwhile.
pub const INVENTORY_WAIT: Duration = Duration::from_secs(2);

/// How long what adopted workers carry stays wanted without a frontend asking for it.
pub const INHERITED_DEMAND_LINGER: Duration = Duration::from_secs(20);

/// How long the demand of a frontend that went away stays: its clients come back to the next one.
pub const LOST_FRONTEND_DEMAND_LINGER: Duration = Duration::from_secs(15);

/// How long a frontend's demand stays after it began to say it anew, so that a demand said in parts releases nothing.
pub const REPLACED_DEMAND_LINGER: Duration = Duration::from_secs(2);

/// How often the lock file of a process that is not our child is probed.
pub const LOCK_PROBE_INTERVAL: Duration = Duration::from_secs(1);

/// The same while stopping.
pub const LOCK_PROBE_INTERVAL_STOPPING: Duration = Duration::from_millis(50);

/// The first delay before a dead process is started anew; each further death doubles it.
pub const RESTART_DELAY_FIRST: Duration = Duration::from_millis(200);

/// The longest such delay.
pub const RESTART_DELAY_MAX: Duration = Duration::from_secs(30);

/// A process that lived this long is healthy: its next death counts as a first one.
pub const HEALTHY_AFTER: Duration = Duration::from_secs(60);

/// After being asked to stop, a process gets SIGTERM after this,
pub const STOP_TERMINATE_AFTER: Duration = Duration::from_millis(1500);

/// and SIGKILL after this. Frontends and workers stop one after the other, so a stop takes at most twice as long and a bit.
pub const STOP_KILL_AFTER: Duration = Duration::from_millis(3000);

/// After a second signal a process gets SIGTERM at once and SIGKILL after this.
pub const HURRIED_KILL_AFTER: Duration = Duration::from_millis(500);

/// A killed process that is not gone after this (it hangs in the kernel) is left behind, and named.
pub const STOP_GIVE_UP_AFTER: Duration = Duration::from_millis(3800);

/// A process is never taken for hung before this silence, however often its health is checked: a busy machine is slow.
pub const HUNG_AFTER: Duration = Duration::from_secs(15);

/// Seconds over which ticks per second are averaged.
pub const RATE_WINDOW: Duration = Duration::from_secs(5);

/// Counter samples kept for that average. At the limit the oldest goes.
pub const RATE_SAMPLES_MAX: usize = 16;

// A universe in parts fits an outbox, with room for what comes beside it.
const _: () = assert!(
    UNIVERSE_INSTRUMENTS_MAX.div_ceil(CONTROL_INSTRUMENTS_PER_MESSAGE_MAX) * 2
        <= CLIENT_OUTBOX_MESSAGES_MAX
);
// Every worker, the frontends and a few people can be connected at once, with half of them reconnecting.
const _: () = assert!(CONNECTIONS_MAX * 2 + 64 <= CONTROL_CLIENTS_MAX);
const _: () = assert!(
    CONNECTIONS_MAX
        <= shm_layout::limits::RING_SHARDS as usize
            * shm_layout::limits::RING_WORKERS_PER_SHARD_MAX
);

/// Copies that may be on their way for the sake of balance alone. Further ones wait until some have arrived.
pub const VOLUNTARY_MOVES_MAX: usize = 256;

/// Connections that have to refuse an instrument for good before no further one is tried, for as long as they are
/// remembered.
pub const REFUSALS_ENOUGH: usize = 3;

/// How long a final no is remembered when no new trading day ends it before.
pub const REFUSAL_MEMORY: Duration = Duration::from_secs(12 * 3600);

/// How long a connection is avoided for an instrument that it acknowledged and never sent; doubles with each further
/// connection that does the same, since what nobody sends need not be carried around,
pub const SILENCE_MEMORY: Duration = Duration::from_secs(600);

/// up to this.
pub const SILENCE_MEMORY_MAX: Duration = Duration::from_secs(12 * 3600);

/// Points a connection's quality loses at most for delay. At the limit a slower one scores no less.
pub const QUALITY_DELAY_POINTS_MAX: f64 = 25.0;

/// The same for gaps. At the limit further gaps cost nothing.
pub const QUALITY_GAPS_POINTS_MAX: f64 = 25.0;

/// The same for errors. At the limit a further error only puts off the forgetting.
pub const QUALITY_ERRORS_POINTS_MAX: f64 = 20.0;

/// The same for disconnects and deaths of the past. At the limit a further one only puts off the forgetting.
pub const QUALITY_DISCONNECTS_POINTS_MAX: f64 = 30.0;

/// Points for silence while others tick.
pub const QUALITY_STALE_POINTS: f64 = 40.0;

/// Points for not being logged in: all of them.
pub const QUALITY_AWAY_POINTS: f64 = 100.0;

/// Points for one disconnect,
pub const QUALITY_DISCONNECT_POINTS: f64 = 10.0;

/// for one death of the worker,
pub const QUALITY_DEATH_POINTS: f64 = 15.0;

/// for one login refused or unanswered, and for one panic at the border to the library,
pub const QUALITY_GRAVE_ERROR_POINTS: f64 = 5.0;

/// for one call that the library did not take,
pub const QUALITY_REFUSED_CALL_POINTS: f64 = 1.0;

/// for one event dropped and one malformed callback, which come in crowds,
pub const QUALITY_SMALL_ERROR_POINTS: f64 = 0.02;

/// and for asking once more for every instrument carried.
pub const QUALITY_ALL_ASKED_AGAIN_POINTS: f64 = 10.0;

/// A worker that carries fewer instruments is taken to carry so many, when what it asked again for is held against that.
pub const QUALITY_CARRIED_MIN: f64 = 20.0;

/// Every part of a quality follows its cause with this half-life, so that one bad second moves nothing.
pub const QUALITY_SMOOTHING_HALF_LIFE: Duration = Duration::from_secs(10);

/// In this time half of what errors cost is forgotten,
pub const QUALITY_ERRORS_HALF_LIFE: Duration = Duration::from_secs(60);

/// and in this time half of what disconnects and deaths cost.
pub const QUALITY_DISCONNECTS_HALF_LIFE: Duration = Duration::from_secs(300);

/// Counters are judged over at least this long; a report before that waits for a later one.
pub const QUALITY_WINDOW: Duration = Duration::from_secs(5);

/// Without reports the last verdict on gaps holds for this long; then nothing is held against the connection.
pub const QUALITY_VERDICT_LIFE: Duration = Duration::from_secs(15);

/// Without anything to compare with the last verdict on delay holds for this long: through a pause of the market.
pub const QUALITY_DELAY_VERDICT_LIFE: Duration = Duration::from_secs(1800);

/// Contested ticks of a window below which its delay is not judged.
pub const QUALITY_CONTESTED_MIN: u64 = 20;

/// Behind the first by no more than this on average costs nothing, milliseconds.
pub const QUALITY_DELAY_FREE_MS: f64 = 1.0;

/// Behind the first by so much on average costs all the points for delay, milliseconds. A late tick counts as so much.
pub const QUALITY_DELAY_FULL_MS: f64 = 100.0;

/// A share of gaps up to this costs nothing.
pub const QUALITY_GAPS_FREE: f64 = 0.0001;

/// This share of gaps costs all the points for gaps.
pub const QUALITY_GAPS_FULL: f64 = 0.1;

/// A window with fewer ticks is taken to have so many, so that one gap in a quiet minute is not taken for a bad share.
pub const QUALITY_TICKS_MIN: u64 = 1000;

// What a part's points are forgotten with is slower than the smoothing; the formula divides by the difference.
const _: () = assert!(
    QUALITY_SMOOTHING_HALF_LIFE.as_millis() < QUALITY_ERRORS_HALF_LIFE.as_millis()
        && QUALITY_SMOOTHING_HALF_LIFE.as_millis() < QUALITY_DISCONNECTS_HALF_LIFE.as_millis()
);
// Reports of once a second renew a verdict long before it lapses.
const _: () = assert!(QUALITY_WINDOW.as_millis() * 2 < QUALITY_VERDICT_LIFE.as_millis());

/// How long a connection that was away once has to hold before instruments return to it; each further fall doubles it.
pub const PROBATION_FIRST: Duration = Duration::from_secs(10);

/// The longest such time.
pub const PROBATION_MAX: Duration = Duration::from_secs(1800);

/// Falling silent within a trading session counts as so many falls: about ten minutes of probation.
pub const SILENT_FALLS: u32 = 7;

/// After a pause of the coordinator itself of so long it has heard nobody, which is nobody's fault: the time in which a
/// worker must say something begins anew.
pub const OWN_PAUSE: Duration = Duration::from_secs(3);

/// A connection that held for so long has no falls behind it.
pub const FALLS_FORGOTTEN_AFTER: Duration = Duration::from_secs(3600);

/// A worker that is connected and says nothing for so long gets no instruments, and what it carries goes elsewhere; it
/// says its counters once a second. (After [`HUNG_AFTER`] it is killed.)
pub const UNRESPONSIVE_AFTER: Duration = Duration::from_secs(8);

/// How long a worker that is to end in an orderly way may wait for its instruments to tick elsewhere.
pub const FAREWELL_MAX: Duration = Duration::from_secs(5);

/// How often the connections are looked at for silence, and their quality for the planner.
pub const MARKET_LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// A connection whose quality differs by so many points from what the last plan went by is worth another plan.
pub const QUALITY_STEP: f64 = 10.0;

/// A quality that lacks less than this of 100 is as good as 100.
pub const QUALITY_MENDED: f64 = 0.5;

/// Instruments of the queue that the status names.
pub const QUEUE_SHOWN_MAX: usize = 100;

/// How long a connection may send nothing within trading sessions, while ticks are due, before it counts as stale.
pub const STALE_AFTER: Duration = Duration::from_secs(20);

/// Ticks that have to be due for silence to mean something.
pub const TICKS_DUE_MIN: f64 = 30.0;

/// Over how much time in sessions a connection's usual rate is taken.
pub const PULSE_MEMORY: Duration = Duration::from_secs(600);

/// An instrument that is wanted and in a trading session, and that no connection has delivered for so long, is told to be
/// stale. Failing over takes less than a second.
pub const STALE_INSTRUMENT_AFTER: Duration = Duration::from_secs(5);

/// It has to be found so by that many looks in a row: after a pause of the coordinator itself the first look knows nothing of
/// what has been said meanwhile.
pub const STALE_LOOKS_MIN: u32 = 3;

/// Of each connection no more than one event goes to the frontend in so long; what lies between two is left out.
pub const FRONT_EVENT_INTERVAL: Duration = Duration::from_secs(1);

/// Events that go to the frontend at once; further ones follow after [`EVENTS_PAUSE`], so that they never fill its outbox.
pub const EVENTS_AT_ONCE_MAX: usize = 16;

/// The pause between such bundles.
pub const EVENTS_PAUSE: Duration = Duration::from_millis(10);

/// Days that a trading day may lie after the one most sessions say; the longest holiday is eleven days. One further ahead is
/// taken for an error, and clients are not told it.
pub const TRADING_DAY_AHEAD_DAYS_MAX: i32 = 15;

// A universe in parts and a bundle of events beside it fit an outbox.
const _: () = assert!(
    UNIVERSE_INSTRUMENTS_MAX.div_ceil(CONTROL_INSTRUMENTS_PER_MESSAGE_MAX) + EVENTS_AT_ONCE_MAX
        < CLIENT_OUTBOX_MESSAGES_MAX
);

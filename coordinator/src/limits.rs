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

/// Instruments of one worker whose state is remembered; twice what it may carry, since released ones report too.
/// Beyond it reports of further instruments are dropped, and counted.
pub const REPORTED_INSTRUMENTS_MAX: usize = 2 * SUBSCRIPTIONS_PER_CONNECTION_MAX as usize;

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

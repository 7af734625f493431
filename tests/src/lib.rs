//! The harness of the end-to-end tests: whole fleets of the real binaries, each with a name and directories of its own.
//!
//! * [`fleet`]: writes a configuration, starts `qamd run`, waits until the fleet serves, stops it, and looks whether
//!   anything was left behind.
//! * [`client`]: a WebSocket client that waits for what must come, with a watchdog.
//! * [`raw`]: bytes on a TCP connection, for what no decent client sends.
//! * [`push`]: one `market_data` message, its numbers taken from the text bit for bit.
//! * [`recordings`]: recorded and made ticks in CTP's columns, and what a client must see of each row.
//! * [`lockstep`]: a recording that every worker replays in step, so that a client can tell whether it missed a tick while
//!   instruments moved.
//! * [`stepped`]: a generated market in which every instrument ticks at each multiple of a period, and [`witness`]: a client
//!   that keeps account of every tick of it that is missing.
//! * [`drill`]: what is done to a fleet meanwhile, and [`chance`]: what of it, by a seed.
//! * [`programs`]: readers in other languages, compiled and talked to.
//! * [`tqsdk`]: programs that use the unmodified TqSdk, and [`login_double`]: what they log in to.
//! * [`ring_tap`]: the ring as a reader in the test's own process sees it.
//!
//! Nothing here shares code with the parts under test but the contract (`shm-layout`). A test that fails prints the end
//! of its fleet's log. No test sleeps and hopes: each waits for a condition and fails when the watchdog is through.

pub mod binaries;
pub mod chance;
pub mod client;
pub mod diff_client;
pub mod drill;
pub mod fleet;
pub mod http;
pub mod lockstep;
pub mod login_double;
pub mod processes;
pub mod programs;
pub mod push;
pub mod raw;
pub mod recordings;
pub mod ring_tap;
pub mod stepped;
pub mod tqsdk;
pub mod watch;
pub mod witness;
pub mod word;

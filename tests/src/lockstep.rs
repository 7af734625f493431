//! One market for all workers of a fleet: a counting recording that every simulated library replays in step, whenever it
//! was started. A tick is the same from whichever worker it comes, so a client that follows an instrument over a move, a
//! failover or a restart sees by the volumes which ticks it missed.

use serde_json::{Value, json};
use shm_layout::clock;

use crate::fleet::Home;
use crate::recordings;

/// A recording in step.
#[derive(Debug, Clone)]
pub struct Lockstep {
    replay: Value,
}

impl Lockstep {
    /// So many rows of each of these instruments, `per_second` of each a second from now on, and again from the first one.
    ///
    /// # Panics
    /// When the recording cannot be written.
    #[must_use]
    pub fn begin(home: &Home, instruments: &[&str], rows: usize, per_second: usize) -> Self {
        let file = home.write("lockstep.csv", recordings::counting(instruments, rows));
        let rate = per_second * instruments.len();
        let anchor = clock::unix_ms();
        Self { replay: json!({"file": file, "rate": rate, "loop": true, "anchor_unix_ms": anchor}) }
    }

    /// What a library is told that does nothing but replay.
    #[must_use]
    pub fn script(&self) -> Value {
        self.with_faults(json!([]))
    }

    /// What a library is told to which these things happen.
    #[must_use]
    pub fn with_faults(&self, faults: Value) -> Value {
        json!({"replay": self.replay, "faults": faults})
    }
}

//! One generated market for all workers of a fleet, in which every instrument ticks at each multiple of a period: the
//! exchange's time steps by exactly that much, so whoever reads sees which ticks are missing, and when each was due.

use serde_json::{Value, json};
use shm_layout::clock;

/// When the exchange's clock starts, as the scripts have it, and in milliseconds since 1970-01-01 UTC. The session goes on
/// for 45 minutes from there.
const START: (&str, i64) = ("2025-03-04T09:30:00", 1_741_051_800_000);

/// Products of DCE, which dates its ticks to the millisecond.
const PRODUCTS: [&str; 12] = ["m", "y", "a", "p", "c", "i", "jm", "j", "l", "v", "pp", "eg"];

/// A market in step.
#[derive(Debug, Clone, Copy)]
pub struct SteppedMarket {
    every_ms: i64,
    anchor_unix_ms: i64,
}

impl SteppedMarket {
    /// A market that begins now, with a tick of every instrument every so many milliseconds.
    #[must_use]
    pub fn begin(every_ms: i64) -> Self {
        Self { every_ms, anchor_unix_ms: clock::unix_ms() }
    }

    /// So many instruments of this market.
    #[must_use]
    pub fn instruments(count: usize) -> Vec<String> {
        let product = |number: usize| PRODUCTS[number % PRODUCTS.len()];
        let month = |number: usize| 2505 + number / PRODUCTS.len();
        (0..count).map(|number| format!("{}{}", product(number), month(number))).collect()
    }

    /// What a library is told that does nothing but tick.
    #[must_use]
    pub fn script(&self) -> Value {
        self.with_faults(json!([]))
    }

    /// What a library is told to which these things happen.
    #[must_use]
    pub fn with_faults(&self, faults: Value) -> Value {
        json!({
            "every_ms": self.every_ms,
            "clock": {"start": START.0, "anchor_unix_ms": self.anchor_unix_ms},
            "faults": faults,
        })
    }

    /// Which multiple a tick is of, by the exchange's time in milliseconds since 1970-01-01 UTC.
    ///
    /// # Panics
    /// When it is of none.
    #[must_use]
    pub fn multiple(&self, exchange_unix_ms: i64) -> i64 {
        let since_start = exchange_unix_ms - START.1;
        assert_eq!(since_start % self.every_ms, 0, "{exchange_unix_ms} is no time of this market");
        since_start / self.every_ms
    }

    /// When a multiple is due, milliseconds since 1970-01-01 UTC.
    #[must_use]
    pub const fn due_unix_ms(&self, multiple: i64) -> i64 {
        self.anchor_unix_ms + multiple * self.every_ms
    }
}

//! Delays in nanoseconds and what they look like in a table.

use std::fmt;

/// Delays of one run, sorted.
#[derive(Debug, Default)]
pub(crate) struct Delays {
    sorted_ns: Vec<u64>,
}

impl Delays {
    pub(crate) fn new(mut delays_ns: Vec<u64>) -> Self {
        delays_ns.sort_unstable();
        Self { sorted_ns: delays_ns }
    }

    pub(crate) fn count(&self) -> usize {
        self.sorted_ns.len()
    }

    /// The delay that a share of `per_mille` / 1000 of all does not exceed, microseconds.
    pub(crate) fn quantile_us(&self, per_mille: usize) -> f64 {
        let last = self.sorted_ns.len().saturating_sub(1);
        let index = (self.sorted_ns.len() * per_mille / 1000).min(last);
        self.sorted_ns.get(index).map_or(f64::NAN, |ns| *ns as f64 / 1000.0)
    }
}

impl fmt::Display for Delays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [p50, p99, p999] = [500, 990, 999].map(|q| self.quantile_us(q));
        write!(f, "{p50:>8.0} {p99:>8.0} {p999:>8.0}")
    }
}

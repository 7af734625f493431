//! Delays in nanoseconds and what they look like in a table.

use std::fmt;

/// Into how many parts a run is divided.
const PARTS: usize = 50;

/// Delays of one run.
#[derive(Debug, Default)]
pub(crate) struct Delays {
    sorted_ns: Vec<u64>,
    /// The 99th percentile of each part of the run; sorted.
    p99_of_parts_ns: Vec<u64>,
}

impl Delays {
    /// `delays_ns`: in the order in which they were seen.
    pub(crate) fn new(mut delays_ns: Vec<u64>) -> Self {
        let part = delays_ns.len().div_ceil(PARTS).max(1);
        let p99_of = |part: &[u64]| quantile_ns(&sorted(part.to_vec()), 990);
        let p99_of_parts_ns = sorted(delays_ns.chunks(part).filter_map(p99_of).collect());
        delays_ns.sort_unstable();
        Self { sorted_ns: delays_ns, p99_of_parts_ns }
    }

    pub(crate) fn count(&self) -> usize {
        self.sorted_ns.len()
    }

    /// The delay that a share of `per_mille` / 1000 of all does not exceed, microseconds.
    pub(crate) fn quantile_us(&self, per_mille: usize) -> f64 {
        us(quantile_ns(&self.sorted_ns, per_mille))
    }

    /// The middle one of the 99th percentiles of the fiftieths of the run, microseconds: a machine that stands still now and then
    /// decides the percentile of the whole, but not this one.
    pub(crate) fn usual_p99_us(&self) -> f64 {
        us(quantile_ns(&self.p99_of_parts_ns, 500))
    }
}

impl fmt::Display for Delays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [p50, p99, p999] = [500, 990, 999].map(|q| self.quantile_us(q));
        write!(f, "{p50:>8.0} {p99:>8.0} {:>9.0} {p999:>8.0}", self.usual_p99_us())
    }
}

fn sorted(mut delays_ns: Vec<u64>) -> Vec<u64> {
    delays_ns.sort_unstable();
    delays_ns
}

fn quantile_ns(sorted_ns: &[u64], per_mille: usize) -> Option<u64> {
    let last = sorted_ns.len().checked_sub(1)?;
    sorted_ns.get((sorted_ns.len() * per_mille / 1000).min(last)).copied()
}

fn us(ns: Option<u64>) -> f64 {
    ns.map_or(f64::NAN, |ns| ns as f64 / 1000.0)
}

//! What was done to whom, and when. All times are milliseconds since 1970-01-01 UTC.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use shm_layout::clock;
use shm_layout::control::FleetStatus;

/// A time in which a worker could not bring what it carried, or nobody had taken its place yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Downtime {
    /// Its number.
    pub(crate) worker: u32,
    pid: u32,
    killed: bool,
    from_ms: i64,
    /// When it was let go on; of a killed one, when it was killed.
    over_ms: Option<i64>,
    /// When every instrument had all its copies again.
    until_ms: Option<i64>,
}

/// A time in which a frontend stood still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standstill {
    from_ms: i64,
    until_ms: Option<i64>,
}

/// What the frontends have counted in all their lives: the last that was heard of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counted {
    /// Lost in the ring.
    pub(crate) ring_lost: u64,
    /// Not sent one by one, for a client's or the frontend's sake.
    pub(crate) conflated: u64,
    /// Clients disconnected for their slowness or silence.
    pub(crate) cut_off: u64,
}

/// The log.
#[derive(Debug, Default)]
pub(crate) struct Log {
    lines: Vec<(i64, String)>,
    downtimes: Vec<Downtime>,
    standstills: Vec<Standstill>,
    counted: BTreeMap<u32, Counted>,
    late: BTreeMap<(u32, u32), u64>,
    kinds: BTreeMap<String, u64>,
}

// === impl Downtime ===

impl Downtime {
    /// What is published just before a worker dies, or would have been, is due a little earlier: threads wake late on a
    /// busy machine.
    const EARLIER_MS: i64 = 250;

    fn covers(&self, at_ms: i64) -> bool {
        self.from_ms - Self::EARLIER_MS <= at_ms && self.until_ms.is_none_or(|until| at_ms <= until)
    }
}

// === impl Log ===

impl Log {
    /// Notes what was done.
    pub(crate) fn note(&mut self, what: String) {
        let kind = what.split([' ', ':']).take(2).collect::<Vec<_>>().join(" ");
        *self.kinds.entry(kind).or_default() += 1;
        self.lines.push((clock::unix_ms(), what));
    }

    /// A worker was killed or stopped.
    pub(crate) fn worker_down(&mut self, worker: u32, pid: u32, killed: bool) {
        let from_ms = clock::unix_ms();
        let over_ms = killed.then_some(from_ms);
        let downtime = Downtime { worker, pid, killed, from_ms, over_ms, until_ms: None };
        self.downtimes.push(downtime);
    }

    /// The frontend was stopped.
    pub(crate) fn frontend_stopped(&mut self) {
        self.standstills.push(Standstill { from_ms: clock::unix_ms(), until_ms: None });
    }

    /// Whatever stood still goes on.
    pub(crate) fn went_on(&mut self, pid: u32) {
        let now_ms = clock::unix_ms();
        let down = self.downtimes.iter_mut().filter(|downtime| downtime.pid == pid);
        down.for_each(|downtime| {
            downtime.over_ms.get_or_insert(now_ms);
        });
    }

    /// The frontend has caught up, as far as is known.
    pub(crate) fn frontend_caught_up(&mut self) {
        let now_ms = clock::unix_ms();
        for standstill in &mut self.standstills {
            standstill.until_ms.get_or_insert(now_ms);
        }
    }

    /// Takes note of a status that was asked for at this time.
    pub(crate) fn heard(&mut self, status: &FleetStatus, asked_ms: i64, is_settled: bool) {
        for frontend in &status.frontends {
            let Some(pid) = frontend.pid else { continue };
            let stats = frontend.stats;
            let counted = Counted {
                ring_lost: stats.ring_lost,
                conflated: stats.conflated + stats.overrun,
                cut_off: stats.slow_disconnects + stats.dead_disconnects,
            };
            self.counted.insert(pid, counted);
            for worker in &status.workers {
                self.late.insert((pid, worker.worker.0), worker.view.late);
            }
        }
        if !is_settled {
            return;
        }
        for downtime in self.downtimes.iter_mut().filter(|downtime| downtime.until_ms.is_none()) {
            // A coordinator that has not noticed the death yet takes all for well.
            let unnoticed = downtime.killed
                && status.workers.iter().any(|worker| worker.pid == Some(downtime.pid));
            if downtime.over_ms.is_some_and(|over_ms| over_ms < asked_ms) && !unnoticed {
                downtime.until_ms = Some(clock::unix_ms());
            }
        }
    }

    /// The workers that were down at a time.
    pub(crate) fn down_at(&self, at_ms: i64) -> BTreeSet<u32> {
        let down = self.downtimes.iter().filter(|downtime| downtime.covers(at_ms));
        down.map(|downtime| downtime.worker).collect()
    }

    /// True while a frontend stood still, or had just been let go on.
    pub(crate) fn stood_still_at(&self, at_ms: i64) -> bool {
        self.standstills.iter().any(|standstill| {
            standstill.from_ms - Downtime::EARLIER_MS <= at_ms
                && standstill.until_ms.is_none_or(|until| at_ms <= until)
        })
    }

    /// Since when a frontend had stood still, if it did.
    pub(crate) fn stood_still_since(&self, at_ms: i64) -> Option<i64> {
        let covers = |standstill: &&Standstill| {
            standstill.from_ms <= at_ms && standstill.until_ms.is_none_or(|until| at_ms <= until)
        };
        self.standstills.iter().filter(covers).map(|standstill| standstill.from_ms).min()
    }

    /// What the frontends have counted.
    pub(crate) fn counted(&self) -> Counted {
        self.counted.values().fold(Counted::default(), |sum, one| Counted {
            ring_lost: sum.ring_lost + one.ring_lost,
            conflated: sum.conflated + one.conflated,
            cut_off: sum.cut_off + one.cut_off,
        })
    }

    /// Ticks dropped as late, over all workers and frontends.
    pub(crate) fn late(&self) -> u64 {
        self.late.values().sum()
    }

    /// A time, counted from the first thing done.
    pub(crate) fn since_begin(&self, at_ms: i64) -> i64 {
        at_ms - self.lines.first().map_or(0, |(first_ms, _)| *first_ms)
    }

    /// How often what was done.
    pub(crate) fn summary(&self) -> String {
        let kinds = self.kinds.iter().map(|(kind, times)| format!("{times} {kind}"));
        kinds.collect::<Vec<_>>().join(", ")
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let first_ms = self.lines.first().map_or(0, |(at_ms, _)| *at_ms);
            let mut text = format!("--- what was done, by milliseconds after {first_ms}\n");
            for (at_ms, what) in &self.lines {
                text.push_str(&format!("{:8} {what}\n", at_ms - first_ms));
            }
            // Nobody is left to tell when this fails.
            drop(std::io::stderr().write_all(text.as_bytes()));
        }
    }
}

//! What the long-lived processes hold: descriptors, memory, shared memory.

use std::collections::BTreeMap;

use qamd_tests::fleet::Fleet;
use qamd_tests::processes;
use qamd_tests::watch::eventually;
use qamd_tests::word::say;
use shm_layout::control::FleetStatus;

/// Descriptors that come and go: a status that is being asked for, a worker that just connects.
const DESCRIPTORS_MORE_MAX: usize = 8;

/// Memory a process may grow by, KiB. What grows with what happened is small and bounded: a worker's life costs a reader
/// its counters, each instrument's remembered ticks may grow from 8 to 32 of 32 bytes, and logs and queues keep the
/// capacity of their worst moment. All that is below 1 MiB here; a leak of 4 KiB per fault or tick would be seen.
const OWN_MEMORY_MORE_KIB_MAX: u64 = 4096;

/// What is held.
#[derive(Debug)]
pub(crate) struct Footprint {
    /// Descriptors and own memory in KiB, by process.
    held: BTreeMap<u32, (usize, u64)>,
    shared: usize,
}

// === impl Footprint ===

impl Footprint {
    /// What coordinator and frontend hold now.
    pub(crate) fn of(status: &FleetStatus, fleet: &Fleet) -> Self {
        let frontends = status.frontends.iter().filter_map(|frontend| frontend.pid);
        let pids = frontends.chain([fleet.coordinator_pid()]);
        let held = pids.map(|pid| (pid, (descriptors(pid), processes::own_memory_kib(pid))));
        Self { held: held.collect(), shared: shared_files(fleet) }
    }

    /// Fails when they hold more, or do not live any more.
    pub(crate) async fn assert_not_outgrown(&self, fleet: &Fleet) {
        for (pid, (descriptors_before, memory_before)) in &self.held {
            assert!(processes::is_alive(*pid), "process {pid} was to live");
            eventually("as many descriptors as before", async || {
                (descriptors(*pid) <= descriptors_before + DESCRIPTORS_MORE_MAX).then_some(())
            })
            .await;
            let memory = processes::own_memory_kib(*pid);
            assert!(memory <= memory_before + OWN_MEMORY_MORE_KIB_MAX, "{pid}: {self:?}, {memory}");
            say(&format!(
                "process {pid}: descriptors {descriptors_before}, then {}; own memory {memory_before} KiB, then {memory}",
                descriptors(*pid),
            ));
        }
        eventually("no more files in shared memory than before", async || {
            (shared_files(fleet) <= self.shared).then_some(())
        })
        .await;
    }
}

fn descriptors(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, |entries| entries.count())
}

fn shared_files(fleet: &Fleet) -> usize {
    processes::shared_memory_of(fleet.home().instance().as_str()).len()
}

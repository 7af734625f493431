//! A worker dies while it ticks: the others' instruments show no gap, its own come back, nothing piles up.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;

use nix::sys::signal::Signal;
use qamd_tests::client::Client;
use qamd_tests::fleet::{Fleet, FleetPlan, Home, session_state, worker_of};
use qamd_tests::processes;
use qamd_tests::ring_tap::carriers;
use qamd_tests::watch::eventually;
use serde_json::json;
use shm_layout::control::{FleetStatus, SessionState};

use crate::scripts::{Follower, counting, counting_file};

/// Which instruments each connection carries, once all of them tick.
async fn carried(fleet: &Fleet, instruments: usize) -> BTreeMap<String, Vec<String>> {
    let mut tap = fleet.tap();
    let mut ticks = Vec::new();
    let carriers = eventually("every instrument ticks in the ring", async || {
        ticks.extend(tap.take());
        Some(carriers(&ticks)).filter(|carriers| carriers.len() == instruments)
    })
    .await;
    let status = fleet.status_now().await;
    let mut carried: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (instrument, number) in carriers {
        let worker = status.workers.iter().find(|worker| worker.worker.0 == number).unwrap();
        carried.entry(worker.connection_id.to_string()).or_default().push(instrument);
    }
    carried
}

fn names(instruments: &[String]) -> Vec<&str> {
    instruments.iter().map(String::as_str).collect()
}

fn shared_bytes(fleet: &Fleet) -> (usize, u64) {
    let paths = processes::shared_memory_of(fleet.home().instance().as_str());
    let sizes = paths.iter().filter_map(|path| std::fs::metadata(path).ok());
    (paths.len(), sizes.map(|file| file.size()).sum())
}

async fn kill_and_return(fleet: &Fleet, connection_id: &str) {
    let before = fleet.status_now().await;
    let (pid, restarts) = {
        let worker = worker_of(&before, connection_id);
        (worker.pid.unwrap(), worker.restarts)
    };
    processes::signal(pid, Signal::SIGKILL);
    let after = fleet
        .status_when("the worker was started anew", |status| {
            let worker = worker_of(status, connection_id);
            worker.restarts == restarts + 1
                && worker.pid.is_some_and(|new| new != pid)
                && session_state(worker) == Some(&SessionState::Ready)
        })
        .await;
    let exit = worker_of(&after, connection_id).last_exit.clone().unwrap_or_default();
    assert!(exit.contains("KILL") || exit.contains('9'), "last_exit says how it ended: {exit:?}");
}

#[tokio::test]
async fn killed_workers_come_back_and_touch_no_other() {
    let instruments = ["rb2601", "rb2605", "cu2601", "cu2602", "al2601", "al2602"];
    let home = Home::new();
    let script = counting(&home, &instruments, 300);
    let fleet = FleetPlan::in_home(home)
        .simulated("alpha", &script)
        .simulated("beta", &script)
        .simulated("gamma", &script)
        .start_ready()
        .await;
    let mut client = fleet.client().await;
    let mut follower = Follower::default();
    client.subscribe(&instruments).await;
    let carried = carried(&fleet, instruments.len()).await;
    assert_eq!(carried.len(), 3, "each connection carries some: {carried:?}");
    follower.advance(&mut client, &instruments, 5).await;

    let mut shared = None;
    for _ in 0..5 {
        for victim in ["beta", "gamma"] {
            kill_and_return(&fleet, victim).await;
            follower.advance(&mut client, &names(&carried[victim]), 3).await;
        }
        let expected = *shared.get_or_insert_with(|| shared_bytes(&fleet));
        eventually("shared memory is as small as after the first deaths", async || {
            let now = shared_bytes(&fleet);
            (now.0 <= expected.0 && now.1 <= expected.1).then_some(())
        })
        .await;
    }

    for survivor in &carried["alpha"] {
        assert_eq!(follower.jumps(survivor), 0, "{survivor}: {follower:?}");
    }
    for risen in carried["beta"].iter().chain(&carried["gamma"]) {
        assert!(follower.jumps(risen) >= 1, "its worker began anew five times: {follower:?}");
    }
    let status = fleet.status_now().await;
    assert_eq!(worker_of(&status, "alpha").restarts, 0);
    assert_eq!(worker_of(&status, "beta").restarts, 5);
    assert_eq!(worker_of(&status, "gamma").restarts, 5);
    assert_eq!(status.frontends[0].stats.sessions_opened, 1, "the client noticed nothing else");
    fleet.stop().await;
}

#[tokio::test]
async fn a_library_that_crashes_in_a_callback_takes_only_its_own_worker_along() {
    let instruments = ["rb2601", "cu2601"];
    let home = Home::new();
    let file = counting_file(&home, &instruments);
    let replay = json!({"file": file, "rate": 200, "loop": true});
    let once = home.path("crashed-once");
    let crashing = json!({
        "replay": replay,
        "faults": [{"after_ticks": 40, "do": "crash", "once_file": once}],
    });
    let fleet = FleetPlan::in_home(home)
        .simulated("sound", &json!({"replay": replay}))
        .simulated("crashing", &crashing)
        .start_ready()
        .await;
    let mut client: Client = fleet.client().await;
    client.subscribe(&instruments).await;
    let mut follower = Follower::default();
    let carried = carried(&fleet, instruments.len()).await;
    let (sound, crashing) = (names(&carried["sound"]), names(&carried["crashing"]));

    let crashed = |status: &FleetStatus| worker_of(status, "crashing").restarts == 1;
    fleet.status_when("the crash", crashed).await;
    follower.advance(&mut client, &instruments, 50).await;
    assert!(follower.jumps(crashing[0]) <= 1, "{follower:?}");
    assert_eq!(follower.jumps(sound[0]), 0, "{follower:?}");
    let status = fleet.status_now().await;
    let worker = worker_of(&status, "crashing");
    assert_eq!((worker.restarts, worker_of(&status, "sound").restarts), (1, 0));
    let exit = worker.last_exit.clone().unwrap_or_default();
    assert!(exit.contains("SEGV") || exit.contains("11"), "last_exit names the signal: {exit:?}");
    fleet.stop().await;
}

#[tokio::test]
async fn a_killed_frontend_comes_back_on_the_same_port() {
    let home = Home::new();
    let script = counting(&home, &["rb2601"], 100);
    let fleet = FleetPlan::in_home(home).simulated("alpha", &script).start_ready().await;
    let mut client = fleet.client().await;
    client.subscribe(&["rb2601"]).await;
    client.next_push().await;
    let before = fleet.status_now().await;
    processes::signal(before.frontends[0].pid.unwrap(), Signal::SIGKILL);
    let (_, end) = client.hear_out().await;
    assert!(matches!(end, qamd_tests::client::Heard::Gone), "{end:?}");
    let after = fleet
        .status_when("a new frontend serves", |status| {
            let frontend = &status.frontends[0];
            frontend.restarts == 1 && frontend.connected && frontend.pid != before.frontends[0].pid
        })
        .await;
    assert_eq!(after.workers[0].pid, before.workers[0].pid, "no worker was touched");
    let mut client = fleet.client().await;
    client.subscribe(&["rb2601"]).await;
    client.next_push().await;
    fleet.stop().await;
}

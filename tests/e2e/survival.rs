//! The data path survives the control path.

use nix::sys::signal::Signal;
use qamd_tests::fleet::{FleetPlan, Home};
use qamd_tests::processes;
use qamd_tests::watch::eventually;
use serde_json::json;
use shm_layout::control::FleetStatus;

use crate::scripts::{Follower, counting};

fn pids(status: &FleetStatus) -> Vec<Option<u32>> {
    let workers = status.workers.iter().map(|worker| worker.pid);
    workers.chain(status.frontends.iter().map(|frontend| frontend.pid)).collect()
}

#[tokio::test]
async fn a_killed_coordinator_stops_no_tick_and_the_next_one_adopts_the_fleet() {
    let instruments = ["rb2601", "rb2602", "rb2603", "rb2604"];
    let home = Home::new();
    let script = counting(&home, &[&instruments[..], &["cu2601"]].concat(), 400);
    let mut fleet = FleetPlan::in_home(home)
        .simulated("alpha", &script)
        .simulated("beta", &script)
        .start_ready()
        .await;
    let mut client = fleet.client().await;
    client.subscribe(&instruments).await;
    let mut follower = Follower::default();
    follower.advance(&mut client, &instruments, 5).await;
    let before = fleet.status_when("all tick", |status| status.ticking == 4).await;
    let address = fleet.address().await;

    fleet.kill_coordinator();
    follower.advance(&mut client, &instruments, 30).await;
    // Others come and go meanwhile; what they want is carried out later.
    let mut late = qamd_tests::client::Client::connect(&address).await;
    late.subscribe(&["rb2601", "cu2601"]).await;
    late.push_until("an instrument that ticks already", |push| push.instrument() == "rb2601").await;
    let answer = late.ask(json!({"action": "search", "pattern": "rb26"})).await;
    assert_eq!(answer["count"], 4, "the list is known without the coordinator: {answer}");

    fleet.run();
    let after = fleet.wait_serving().await;
    assert_ne!(after.pid, before.pid);
    late.push_until("what was wanted meanwhile", |push| push.instrument() == "cu2601").await;
    follower.advance(&mut client, &instruments, 30).await;
    for instrument in instruments {
        assert_eq!(follower.jumps(instrument), 0, "{instrument}: {follower:?}");
    }
    let after = fleet.status_when("all five tick", |status| status.ticking == 5).await;
    assert_eq!(pids(&after), pids(&before), "the same processes go on");
    // The counters come with the workers' next reports.
    let after = fleet
        .status_when("every worker has logged in once and never again", |status| {
            status.workers.iter().all(|worker| worker.stats.logins == 1)
        })
        .await;
    assert_eq!(after.workers.iter().map(|worker| worker.restarts).sum::<u64>(), 0);
    fleet.stop().await;
}

#[tokio::test]
async fn an_adopted_worker_that_dies_is_started_anew() {
    let home = Home::new();
    let script = counting(&home, &["rb2601"], 100);
    let mut fleet = FleetPlan::in_home(home).simulated("alpha", &script).start_ready().await;
    let mut client = fleet.client().await;
    client.subscribe(&["rb2601"]).await;
    client.next_push().await;
    fleet.kill_coordinator();
    fleet.run();
    let adopted = fleet.wait_serving().await;
    let pid = adopted.workers[0].pid.unwrap();
    processes::signal(pid, Signal::SIGKILL);
    let status = fleet.status_when("another worker ticks", |status| {
        status.ticking == 1 && status.workers[0].pid.is_some_and(|new| new != pid)
    });
    status.await;
    let mut follower = Follower::default();
    follower
        .until(&mut client, "ticks of the new worker", |follower| follower.jumps("rb2601") > 0)
        .await;
    fleet.stop().await;
}

#[tokio::test]
async fn a_fleet_killed_whole_starts_again_over_its_own_remains() {
    let home = Home::new();
    let script = counting(&home, &["rb2601"], 100);
    let mut fleet = FleetPlan::in_home(home).simulated("alpha", &script).start_ready().await;
    let mut client = fleet.client().await;
    client.subscribe(&["rb2601"]).await;
    client.next_push().await;
    let running = fleet.processes();
    fleet.kill_coordinator();
    for process in running {
        processes::signal(process.pid, Signal::SIGKILL);
    }
    eventually("all are dead", async || fleet.processes().is_empty().then_some(())).await;
    fleet.run();
    fleet.wait_serving().await;
    let mut client = fleet.client().await;
    client.subscribe(&["rb2601"]).await;
    client.next_push().await;
    fleet.stop().await;
}

#[tokio::test]
async fn a_log_that_nobody_reads_any_more_harms_nobody() {
    let instruments = ["rb2601", "rb2602"];
    let home = Home::new();
    let script = counting(&home, &instruments, 400);
    let mut fleet = FleetPlan::in_home(home).simulated("alpha", &script).prepare();
    fleet.run_unheard();
    let before = fleet.wait_ready().await;
    let mut client = fleet.client().await;
    client.subscribe(&instruments).await;
    let mut follower = Follower::default();
    follower.advance(&mut client, &instruments, 5).await;

    // Everybody has something to say now, and nowhere to say it.
    fleet.kill_coordinator();
    follower.advance(&mut client, &instruments, 100).await;
    fleet.run_unheard();
    let after = fleet
        .status_when("the same processes are back", |status| {
            pids(status) == pids(&before) && status.frontends[0].connected && status.ticking == 2
        })
        .await;
    assert_eq!(after.workers[0].restarts, 0);
    follower.advance(&mut client, &instruments, 5).await;
    assert_eq!(instruments.map(|name| follower.jumps(name)), [0, 0], "{follower:?}");
    // It hears signals, though it cannot say so.
    fleet.stop().await;
}

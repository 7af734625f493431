//! A clean stop.

use nix::sys::signal::Signal;
use qamd_tests::client::Heard;
use qamd_tests::fleet::{FleetPlan, Home};
use qamd_tests::raw::RawClient;
use serde_json::json;

use crate::scripts::counting;

async fn stops_by(signal: Signal) {
    let home = Home::new();
    let script = counting(&home, &["rb2601", "cu2601"], 500);
    let fleet = FleetPlan::in_home(home)
        .simulated("alpha", &script)
        .simulated("beta", &script)
        .connection(json!({"connection_id": "switched_off", "enabled": false}))
        .start_ready()
        .await;
    let mut client = fleet.client().await;
    client.subscribe(&["rb2601", "cu2601"]).await;
    client.next_push().await;
    // A connection in the middle of a handshake holds nothing up.
    let _half = RawClient::connect(&fleet.address().await).await;
    let running = fleet.processes();
    assert_eq!(running.len(), 4, "a coordinator, a frontend, two workers: {running:#?}");
    let flow = fleet.home().path("flow/alpha");
    assert!(flow.is_dir(), "the library keeps its files there");

    let (_, end) = tokio::join!(fleet.stop_by(signal), async {
        let (_, end) = client.hear_out().await;
        assert!(matches!(end, Heard::Closed(1001)), "clients are told: {end:?}");
    });
    let () = end;
}

#[tokio::test]
async fn sigterm_leaves_nothing_behind() {
    stops_by(Signal::SIGTERM).await;
}

#[tokio::test]
async fn sigint_leaves_nothing_behind() {
    stops_by(Signal::SIGINT).await;
}

#[tokio::test]
async fn a_fleet_that_was_stopped_starts_again() {
    let home = Home::new();
    let script = counting(&home, &["rb2601"], 100);
    let mut fleet = FleetPlan::in_home(home).simulated("alpha", &script).start_ready().await;
    qamd_tests::processes::signal(fleet.coordinator_pid(), Signal::SIGTERM);
    assert_eq!(fleet.wait_ended().await.code(), Some(0));
    fleet.assert_nothing_left();
    fleet.run();
    fleet.wait_serving().await;
    let mut client = fleet.client().await;
    client.subscribe(&["rb2601"]).await;
    client.next_push().await;
    fleet.stop().await;
}

//! The coordinator's socket: who is not of this fleet, or not of this version, or not of this world.

use futures_util::future::join_all;
use qamd_tests::fleet::{Fleet, FleetPlan, Home};
use qamd_tests::watch::guarded;
use serde_json::json;
use shm_layout::control::{ChannelError, Hello, Role, connect};
use shm_layout::{Instance, version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::scripts::{Follower, counting};

async fn refusal(fleet: &Fleet, hello: &Hello) -> String {
    match guarded("an answer to the hello", connect(&fleet.paths().control_socket(), hello)).await {
        Err(ChannelError::Refused(reason)) => reason,
        other => panic!("a refusal was expected: {other:?}"),
    }
}

/// Says these bytes and reads until the coordinator hangs up.
async fn say(fleet: &Fleet, bytes: &[u8]) {
    let mut stream = UnixStream::connect(fleet.paths().control_socket()).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let outcome = guarded("the coordinator to hang up", stream.read_to_end(&mut answer)).await;
    assert!(outcome.is_ok() || answer.is_empty());
}

#[tokio::test]
async fn strangers_are_refused_and_the_fleet_lives() {
    let home = Home::new();
    let script = counting(&home, &["rb2601"], 100);
    let fleet = FleetPlan::in_home(home).simulated("alpha", &script).start_ready().await;
    let mut client = fleet.client().await;
    client.subscribe(&["rb2601"]).await;
    let hello = Hello {
        protocol: version::CONTROL_PROTOCOL,
        instance: *fleet.home().instance(),
        pid: std::process::id(),
        role: Role::Operator,
    };

    let protocol = version::CONTROL_PROTOCOL + 1;
    let reason = refusal(&fleet, &Hello { protocol, ..hello.clone() }).await;
    assert!(reason.contains("protocol") && reason.contains(&protocol.to_string()), "{reason}");
    let instance = Instance::parse("another").unwrap();
    let reason = refusal(&fleet, &Hello { instance, ..hello }).await;
    assert!(reason.contains("another"), "{reason}");

    say(&fleet, &[0xff; 64]).await;
    say(&fleet, b"GET / HTTP/1.1\r\n\r\n").await;
    say(&fleet, &[5, 0, 0, 0, 1, 2, 3, 4, 5]).await;
    say(&fleet, &[0, 0, 0, 0]).await;
    // Half a frame, and nothing at all: the hello has a deadline.
    say(&fleet, &[200, 0, 0, 0, 1]).await;
    join_all((0..40).map(|_| say(&fleet, &[]))).await;

    let mut follower = Follower::default();
    follower.advance(&mut client, &["rb2601"], 10).await;
    assert_eq!(follower.jumps("rb2601"), 0);
    let status = fleet.status_now().await;
    assert_eq!(status.workers[0].restarts + status.frontends[0].restarts, 0);
    fleet.stop().await;
}

#[tokio::test]
async fn a_second_coordinator_of_the_same_instance_is_refused() {
    let fleet = FleetPlan::new().simulated("alpha", &json!({"rate": 20})).start_ready().await;
    let second = fleet.verb(&["run"]);
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(1), "{said}");
    assert!(said.contains(&fleet.coordinator_pid().to_string()), "it names the pid: {said}");
    let status = fleet.status_now().await;
    assert_eq!(status.pid, fleet.coordinator_pid());
    assert_eq!(status.workers[0].restarts, 0);
    let mut client = fleet.client().await;
    client.subscribe(&["rb2601"]).await;
    client.next_push().await;
    fleet.stop().await;
}

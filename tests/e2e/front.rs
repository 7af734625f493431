//! A front that goes and returns.

use qamd_tests::fleet::{FleetPlan, Home, worker_of};
use serde_json::json;
use shm_layout::Epoch;
use shm_layout::control::SessionState;

use crate::scripts::{Follower, counting_file};

#[tokio::test]
async fn subscriptions_are_restored_and_the_client_notices_only_the_gap() {
    let instruments = ["rb2601", "cu2601"];
    let home = Home::new();
    let file = counting_file(&home, &instruments);
    let script = json!({
        "replay": {"file": file, "rate": 200, "loop": true},
        "faults": [{"after_ticks": 60, "do": "disconnect", "reason": 4097, "reconnect_after_ms": 500}],
    });
    let fleet = FleetPlan::in_home(home).simulated("alpha", &script).start_ready().await;
    let mut client = fleet.client().await;
    client.subscribe(&instruments).await;
    let mut follower = Follower::default();
    let gap = |follower: &Follower| instruments.iter().all(|name| follower.jumps(name) > 0);
    follower.until(&mut client, "the gap of every instrument", gap).await;
    follower.advance(&mut client, &instruments, 50).await;
    for instrument in instruments {
        assert_eq!(follower.jumps(instrument), 1, "one gap and no more: {follower:?}");
    }
    let status = fleet.status_when("counters of the outage", |status| {
        worker_of(status, "alpha").stats.disconnects == 1
    });
    let status = status.await;
    let worker = worker_of(&status, "alpha");
    let session = worker.session.as_ref().unwrap();
    assert_eq!((&session.state, session.epoch), (&SessionState::Ready, Epoch(2)));
    assert_eq!((worker.stats.logins, worker.restarts), (2, 0));
    assert_eq!((status.wanted, status.ticking), (2, 2));
    assert_eq!(status.frontends[0].stats.sessions_opened, 1);
    fleet.stop().await;
}

#[tokio::test]
async fn a_front_that_stays_away_is_shown_with_its_reason() {
    let script = json!({
        "rate": 50,
        "faults": [{"after_ticks": 5, "do": "disconnect", "reason": 8193, "reconnect_after_ms": null}],
    });
    let fleet = FleetPlan::new().simulated("alpha", &script).start_ready().await;
    let mut client = fleet.client().await;
    client.subscribe(&["rb2601"]).await;
    client.next_push().await;
    let status = fleet.status_when("the session is disconnected with 0x2001", |status| {
        let session = worker_of(status, "alpha").session.as_ref();
        session
            .is_some_and(|session| session.state == SessionState::Disconnected { reason: 0x2001 })
    });
    let status = status.await;
    assert_eq!(
        (status.wanted, status.placed, status.ticking),
        (1, 1, 0),
        "wanted is never forgotten"
    );
    let answer = client.ask(json!({"action": "list"})).await;
    assert_eq!(answer["type"], "instrument_list", "the client is served on");
    fleet.stop().await;
}

#[tokio::test]
async fn lost_answers_and_refused_calls_are_made_good() {
    let script = json!({
        "rate": 50,
        "faults": [
            {"do": "return_code", "call": "login", "code": -2, "times": 1},
            {"do": "return_code", "call": "subscribe", "code": -3, "times": 1},
        ],
    });
    let fleet = FleetPlan::new().simulated("alpha", &script).start_ready().await;
    let mut client = fleet.client().await;
    client.subscribe(&["rb2601", "cu2601"]).await;
    client.push_until("a tick of rb2601", |push| push.instrument() == "rb2601").await;
    client.push_until("a tick of cu2601", |push| push.instrument() == "cu2601").await;
    fleet.stop().await;
}

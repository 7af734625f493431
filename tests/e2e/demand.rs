//! What clients want reaches a worker once, and ends with the last of them.

use qamd_tests::fleet::{Fleet, FleetPlan, Home, worker_of};
use serde_json::json;

use crate::scripts::{Follower, counting};

async fn carried(fleet: &Fleet, count: u32) {
    let what = format!("the worker carries {count} and {count} are wanted");
    let fits = |status: &shm_layout::control::FleetStatus| {
        let worker = worker_of(status, "alpha");
        (status.wanted, worker.subscriptions, worker.stats.instruments) == (count, count, count)
    };
    fleet.status_when(&what, fits).await;
}

#[tokio::test]
async fn the_first_client_subscribes_and_the_last_unsubscribes() {
    let home = Home::new();
    let script = counting(&home, &["rb2601", "cu2601"], 200);
    let fleet = FleetPlan::in_home(home).simulated("alpha", &script).start_ready().await;
    let (mut first, mut second) = (fleet.client().await, fleet.client().await);
    first.subscribe(&["SHFE.rb2601"]).await;
    assert_eq!(first.next_push().await.instrument(), "rb2601", "the push carries the bare id");
    second.subscribe(&["rb2601", "cu2601"]).await;
    carried(&fleet, 2).await;

    first.unsubscribe(&["rb2601"]).await;
    let mut follower = Follower::default();
    follower.advance(&mut second, &["rb2601", "cu2601"], 20).await;
    assert_eq!(follower.jumps("rb2601"), 0, "the other client's ticks went on without a gap");
    carried(&fleet, 2).await;

    // Without a goodbye: as a client that crashed.
    drop(second);
    carried(&fleet, 0).await;
    first.subscribe(&["rb2601"]).await;
    first.push_until("ticks after all was released", |push| push.instrument() == "rb2601").await;
    carried(&fleet, 1).await;
    first.close().await;
    carried(&fleet, 0).await;
    fleet.stop().await;
}

#[tokio::test]
async fn an_instrument_that_nobody_lists_is_subscribed_all_the_same() {
    let fleet = FleetPlan::new()
        .instruments("instrument_id\nrb2601\n")
        .simulated("alpha", &json!({"rate": 50}))
        .start_ready()
        .await;
    let mut client = fleet.client().await;
    for instrument in ["zz2712", "SPD SR605&SR609", "IO2603-C-4000"] {
        client.subscribe(&[instrument]).await;
        client.push_until("its tick", |push| push.instrument() == instrument).await;
    }
    let answer = client.ask(json!({"action": "search", "pattern": "zz27"})).await;
    assert_eq!(answer["instruments"], json!(["zz2712"]), "and it is learned");
    fleet.stop().await;
}

#[tokio::test]
async fn always_on_instruments_need_no_client() {
    let fleet = FleetPlan::new()
        .instruments("instrument_id,always_on\nrb2601,true\ncu2601,false\n")
        .simulated("alpha", &json!({"rate": 50}))
        .start_ready()
        .await;
    let status = fleet.status_when("it ticks", |status| status.ticking == 1).await;
    assert_eq!((status.wanted, status.placed), (1, 1));
    fleet.stop().await;
}

#[tokio::test]
async fn what_finds_no_room_waits_and_is_placed_when_there_is_some() {
    let env = json!({"QAMD_SIM": json!({"rate": 50}).to_string()});
    let fleet = FleetPlan::new()
        .connection(json!({"connection_id": "alpha", "env": env, "max_subscriptions": 2}))
        .connection(json!({"connection_id": "beta", "env": env, "max_subscriptions": 1}))
        .start_ready()
        .await;
    let mut client = fleet.client().await;
    client.subscribe(&["rb2601", "rb2602", "rb2603", "rb2604", "rb2605"]).await;
    let full = fleet.status_when("all room is taken", |status| status.ticking == 3).await;
    assert_eq!((full.wanted, full.placed, full.waiting_for_room), (5, 3, 2));
    assert_eq!(worker_of(&full, "alpha").subscriptions, 2);
    assert_eq!(worker_of(&full, "beta").subscriptions, 1);

    client.unsubscribe(&["rb2601", "rb2602", "rb2603"]).await;
    let status = fleet.status_when("those that waited tick", |status| {
        (status.wanted, status.ticking, status.waiting_for_room) == (2, 2, 0)
    });
    status.await;
    fleet.stop().await;
}

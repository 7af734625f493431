//! Instruments that a front does not have: it says no for good, or says yes and sends nothing.

use qamd_tests::fleet::{FleetPlan, worker_of};
use serde_json::json;
use shm_layout::control::FleetStatus;

fn names<'a>(status: &'a FleetStatus, connection: &str) -> Vec<&'a str> {
    let refused = status.refused.iter();
    let of_one = refused.filter(|refused| refused.connection_id.as_str() == connection);
    of_one.map(|refused| refused.instrument.as_str()).collect()
}

#[tokio::test]
async fn what_one_front_refuses_ticks_elsewhere_and_what_all_refuse_is_shown() {
    let refuse = |pattern: &str| json!({"do": "refuse_instrument", "pattern": pattern});
    let fleet = FleetPlan::new()
        .simulated("alpha", &json!({"faults": [refuse("ru*"), refuse("zz*")]}))
        .simulated("beta", &json!({"faults": [refuse("au*"), refuse("zz*")]}))
        .start_ready()
        .await;
    let mut client = fleet.client().await;
    let ticking = ["rb2601", "rb2602", "ru2601", "ru2605", "au2604", "au2606"];
    client.subscribe(&["zz2601"]).await;
    client.subscribe(&ticking).await;
    let status = fleet
        .status_when("all tick but one", |status| {
            (status.wanted, status.ticking, status.refused_for_good) == (7, 6, 1)
        })
        .await;
    for instrument in ticking {
        client.push_until("its tick", |push| push.instrument() == instrument).await;
    }
    let last = status.refused.iter().find(|refused| refused.instrument.as_str() == "zz2601");
    let last = last.unwrap();
    assert_eq!(last.error_id, 16);
    assert!(!last.message.is_empty(), "the front's own words");
    assert!(names(&status, "alpha").iter().all(|name| !name.starts_with("au")), "{status:?}");
    assert!(names(&status, "beta").iter().all(|name| !name.starts_with("ru")), "{status:?}");
    let table = fleet.told(&["status"]);
    assert!(table.contains("zz2601") && table.contains(&last.message), "{table}");
    assert_eq!(fleet.metric("qamd_instruments_refused_for_good").await, 1.0);

    // It takes no place, and is forgotten with the last client that wants it.
    let placed: u32 = status.workers.iter().map(|worker| worker.subscriptions).sum();
    assert_eq!(placed, 6);
    client.unsubscribe(&["zz2601"]).await;
    fleet
        .status_when("nothing is refused for good any more", |status| {
            (status.wanted, status.refused_for_good) == (6, 0)
                && status.refused.iter().all(|refused| refused.instrument.as_str() != "zz2601")
        })
        .await;
    fleet.stop().await;
}

#[tokio::test]
async fn what_a_front_acknowledges_and_never_sends_is_tried_elsewhere_and_shown() {
    let mute = |pattern: &str| json!({"do": "mute", "pattern": pattern});
    let fleet = FleetPlan::new()
        .set("max_retry_count", 0)
        .simulated("alpha", &json!({"faults": [mute("ru*"), mute("zz*")]}))
        .simulated("beta", &json!({"faults": [mute("au*"), mute("zz*")]}))
        .start_ready()
        .await;
    let mut client = fleet.client().await;
    // In turn: ru to alpha, au to beta, each to the front that does not have it.
    for instrument in ["ru2601", "au2606", "zz2601", "rb2601"] {
        client.subscribe(&[instrument]).await;
    }
    let misled = fleet.status_when("all are acknowledged", |status| status.acknowledged == 4).await;
    assert_eq!(misled.ticking, 1, "the fronts said yes, and only one of them meant it");
    for instrument in ["rb2601", "ru2601", "au2606"] {
        client.push_until("its tick", |push| push.instrument() == instrument).await;
    }
    let status = fleet
        .status_when("the one that nobody has is all that is silent", |status| {
            (status.wanted, status.ticking, status.silent) == (4, 3, 1) && status.moving == 0
        })
        .await;
    assert_eq!(status.refused_for_good, 0);
    let carried: u32 = status.workers.iter().map(|worker| worker.subscriptions).sum();
    assert_eq!(carried, 4, "it is waited for in one place");
    for connection in ["alpha", "beta"] {
        let worker = worker_of(&status, connection);
        assert_eq!((worker.restarts, worker.stats.logins), (0, 1), "{connection} is not to blame");
    }
    assert_eq!(fleet.metric("qamd_instruments_silent").await, 1.0);
    fleet.stop().await;
}

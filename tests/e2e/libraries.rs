//! Libraries that are none, and every layout that there ever was.

use std::path::Path;

use qamd_tests::fleet::{FleetPlan, worker_of};
use serde_json::json;
use shm_layout::control::{FleetStatus, WorkerProcess};

/// A library of this system that exports nothing of CTP.
fn some_other_library() -> &'static str {
    let places = ["/lib/x86_64-linux-gnu/libm.so.6", "/lib64/libm.so.6", "/usr/lib/libm.so.6"];
    places.into_iter().find(|place| Path::new(place).exists()).expect("a system has libm")
}

fn has_failed(status: &FleetStatus, connection_id: &str) -> bool {
    worker_of(status, connection_id).process == WorkerProcess::Failed
}

#[tokio::test]
async fn what_is_no_ctp_library_fails_once_and_says_why() {
    let plan = FleetPlan::new().simulated("sound", &json!({"rate": 50}));
    let home = qamd_tests::fleet::Home::new();
    let text = home.write("text.so", "this is no library\n");
    let mut fleet = plan
        .connection(json!({"connection_id": "text", "ctp_library": text}))
        .connection(json!({"connection_id": "foreign", "ctp_library": some_other_library()}))
        .connection(json!({
            "connection_id": "unparsable",
            "env": {"QAMD_SIM": json!({"version": "who knows"}).to_string()},
        }))
        .prepare();
    fleet.run();
    let failed = ["text", "foreign", "unparsable"];
    let status = fleet.status_when("all three have failed", |status| {
        failed.iter().all(|name| has_failed(status, name))
    });
    let status = status.await;
    for name in failed {
        let worker = worker_of(&status, name);
        assert_eq!((worker.restarts, worker.pid), (0, None), "it is not tried again: {worker:?}");
        assert!(worker.last_exit.as_ref().is_some_and(|exit| exit.contains("64")), "{worker:?}");
    }
    let mut client = fleet.client().await;
    client.subscribe(&["rb2601"]).await;
    client.next_push().await;
    let later = fleet.status_now().await;
    assert!(failed.iter().all(|name| has_failed(&later, name)), "{later:?}");
    let log = fleet.log();
    for word in ["text.so", some_other_library(), "make ctp-library", "who knows"] {
        assert!(log.contains(word), "{word} is not in the log:\n{log}");
    }
    fleet.stop().await;
}

#[tokio::test]
async fn every_layout_ticks() {
    let layouts = ["6.3.11", "6.3.15", "6.3.19", "6.5.1", "6.6.1", "6.7.2", "6.7.13"];
    let mut plan = FleetPlan::new();
    for layout in layouts {
        let id = format!("v{}", layout.replace('.', "_"));
        // The simulation knows the layout of 6.3.15 by the name of 6.3.11.
        let abi = if layout == "6.3.15" { "6.3.11" } else { layout };
        let version = format!("v{layout}_20200101 10:00:00.1");
        plan = plan.simulated(&id, &json!({"abi": abi, "version": version, "rate": 20}));
    }
    let fleet = plan.start_ready().await;
    let instruments: Vec<String> =
        (0..layouts.len()).map(|n| format!("rb26{:02}", n + 1)).collect();
    let instruments: Vec<&str> = instruments.iter().map(String::as_str).collect();
    let mut client = fleet.client().await;
    client.subscribe(&instruments).await;
    for instrument in &instruments {
        let push = client.push_until("its tick", |push| push.instrument() == *instrument).await;
        let (low, high) = (push.number("lower_limit_price"), push.number("upper_limit_price"));
        let last = push.number("last_price");
        assert!(low <= last && last <= high && low > Some(0.0), "{}", push.text());
    }
    let status = fleet.status_now().await;
    for layout in layouts {
        let worker = worker_of(&status, &format!("v{}", layout.replace('.', "_")));
        assert!(worker.library_version.as_ref().unwrap().contains(layout), "{worker:?}");
        assert_eq!((worker.subscriptions, worker.stats.malformed), (1, 0), "{worker:?}");
    }
    fleet.stop().await;
}

#[tokio::test]
async fn a_newer_version_uses_the_newest_layout_and_warns() {
    let fleet = FleetPlan::new()
        .simulated("newer", &json!({"version": "v9.9.9_20300101 10:00:00", "rate": 20}))
        .start_ready()
        .await;
    let mut client = fleet.client().await;
    client.subscribe(&["rb2601"]).await;
    client.next_push().await;
    let log = fleet.log();
    let warned = log.lines().any(|line| line.contains("WARN") && line.contains("9.9.9"));
    assert!(warned, "{log}");
    fleet.stop().await;
}

#[tokio::test]
async fn an_unparsable_version_is_taken_when_the_operator_says_so() {
    let fleet = FleetPlan::new()
        .set("ctp_allow_unknown_version", true)
        .simulated("odd", &json!({"version": "who knows", "rate": 20}))
        .start_ready()
        .await;
    let mut client = fleet.client().await;
    client.subscribe(&["rb2601"]).await;
    client.next_push().await;
    fleet.stop().await;
}

#[tokio::test]
async fn a_garbage_id_is_counted_and_not_published() {
    let script = json!({
        "rate": 50,
        "faults": [{"after_ticks": 5, "do": "garbage_instrument", "count": 3}],
    });
    let fleet = FleetPlan::new().simulated("alpha", &script).start_ready().await;
    let mut client = fleet.client().await;
    client.subscribe(&["rb2601"]).await;
    for _ in 0..40 {
        assert_eq!(client.next_push().await.instrument(), "rb2601");
    }
    let status = fleet
        .status_when("they are counted", |status| worker_of(status, "alpha").stats.malformed == 3);
    assert_eq!(worker_of(&status.await, "alpha").restarts, 0);
    fleet.stop().await;
}

//! What clients are told of the fleet, in both dialects.

use nix::sys::signal::Signal;
use qamd_tests::client::Client;
use qamd_tests::diff_client::DiffClient;
use qamd_tests::fleet::{Fleet, FleetPlan, Home, worker_of};
use qamd_tests::processes;
use serde_json::{Value, json};

/// An `action` client that asked for events.
async fn listener(fleet: &Fleet) -> Client {
    let mut client = fleet.client().await;
    let answer = client.ask(json!({"action": "events", "enable": true})).await;
    assert_eq!(answer, json!({"type": "events_response", "status": "success", "enabled": true}));
    client
}

/// Answers until an event fits.
async fn event(client: &mut Client, fits: impl Fn(&Value) -> bool) -> Value {
    loop {
        let text = client.next_answer_text().await;
        let event: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(event["type"], "event", "{event}");
        if fits(&event) {
            return event;
        }
    }
}

/// A market around the clock, so that silence is a fault whenever this runs.
fn plan() -> FleetPlan {
    let home = Home::new();
    let hours = home.write("hours.csv", "*,00:00-24:00\n");
    FleetPlan::in_home(home).set("trading_hours", hours.display().to_string())
}

#[tokio::test]
async fn fronts_and_instruments_that_fall_and_rise_are_told() {
    let script = json!({"rate": 20});
    let fleet = plan().simulated("alpha", &script).start_ready().await;
    let mut action = listener(&fleet).await;
    let first = event(&mut action, |_| true).await;
    assert_eq!(first["event"], "trading_day", "how things stand comes first");
    assert_eq!(first["trading_day"].as_str().unwrap().len(), 8);
    let mut silent = fleet.client().await;
    silent.subscribe(&["rb2705"]).await;
    action.subscribe(&["rb2705"]).await;
    action.push_until("its ticks", |push| push.instrument() == "rb2705").await;
    let mut diff = DiffClient::connect(&fleet.address().await).await;
    diff.list("SHFE.rb2705").await;
    diff.until("its price", |snapshot| snapshot["quotes"]["SHFE.rb2705"]["last_price"].is_number())
        .await;
    // It is not started again before somebody says so: the instrument stays without ticks.
    let worker = worker_of(&fleet.status_now().await, "alpha").pid.unwrap();
    processes::signal(worker, Signal::SIGSTOP);
    let stale = event(&mut action, |event| event["event"] == "stale").await;
    assert_eq!((&stale["instruments"], &stale["count"]), (&json!(["rb2705"]), &json!(1)));
    assert!(stale["timestamp"].is_i64());
    processes::signal(worker, Signal::SIGCONT);
    let fresh = event(&mut action, |event| event["event"] == "fresh").await;
    assert_eq!(fresh["instruments"], json!(["rb2705"]));
    processes::signal(worker, Signal::SIGKILL);
    let down = event(&mut action, |event| event["event"] == "front_down").await;
    assert_eq!(down["connection_id"], "alpha");
    assert!(!down["message"].as_str().unwrap().is_empty() && down["in_session"] == true);
    let up = event(&mut action, |event| event["event"] == "front_up").await;
    assert_eq!(up["connection_id"], "alpha");
    let told = |snapshot: &Value| {
        let notices = snapshot["notify"].as_object().into_iter().flatten();
        let codes: Vec<u64> = notices.filter_map(|(_, notice)| notice["code"].as_u64()).collect();
        [77_990_001, 77_990_002, 77_990_003, 77_990_004].iter().all(|code| codes.contains(code))
    };
    diff.until("the same as notices", told).await;
    silent.push_until("ticks again", |push| push.instrument() == "rb2705").await;
    let answer = action.ask(json!({"action": "events", "enable": false})).await;
    assert_eq!(answer["enabled"], false);
    fleet.stop().await;
}

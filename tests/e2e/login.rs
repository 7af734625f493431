//! Refused logins and refused instruments.

use qamd_tests::fleet::{FleetPlan, Home, session_state, worker_of};
use serde_json::json;
use shm_layout::control::{FleetStatus, SessionState};

use crate::scripts::{Follower, counting_file};

/// How long a worker in alarm is watched for a login it must not try, in the fleet's own uptime.
const WATCHED_MS: u64 = 4000;

#[tokio::test]
async fn a_bad_login_raises_an_alarm_and_is_never_tried_again() {
    let home = Home::new();
    let wanted = ["rb2601", "cu2601"];
    let file = counting_file(&home, &wanted);
    let replay = json!({"file": file, "rate": 100, "loop": true});
    // One refusal only: a second try would succeed, and be seen.
    let refusing = json!({"faults": [{"do": "refuse_login", "error_id": 3, "times": 1}]});
    let fleet = FleetPlan::in_home(home)
        .simulated("refused", &refusing)
        .simulated("sound", &json!({"replay": replay}))
        .start()
        .await;
    let alarmed = |status: &FleetStatus| {
        matches!(
            session_state(worker_of(status, "refused")),
            Some(SessionState::Alarm { error_id: 3, message }) if message.contains("不合法的登录")
        )
    };
    let first = fleet.status_when("an alarm with the front's own words", alarmed).await;
    let mut client = fleet.client().await;
    client.subscribe(&wanted).await;
    client.next_push().await;
    let later = fleet
        .status_when("some seconds after the alarm", |status| {
            status.uptime_ms > first.uptime_ms + WATCHED_MS
        })
        .await;
    assert!(alarmed(&later), "{later:?}");
    let worker = worker_of(&later, "refused");
    assert_eq!((worker.stats.logins, worker.restarts), (0, 0), "no login storm, no restart");
    assert_eq!(session_state(worker_of(&later, "sound")), Some(&SessionState::Ready));
    let printed = fleet.verb(&["status"]);
    let printed = String::from_utf8(printed.stdout).unwrap();
    assert!(printed.to_lowercase().contains("alarm"), "an operator sees it:\n{printed}");
    fleet.stop().await;
}

#[tokio::test]
async fn a_front_that_is_not_ready_is_tried_again() {
    let script = json!({
        "rate": 20,
        "faults": [{"do": "refuse_login", "error_id": 7, "times": 2}],
    });
    let fleet = FleetPlan::new().simulated("alpha", &script).start().await;
    let status = fleet.wait_ready().await;
    assert_eq!(worker_of(&status, "alpha").restarts, 0, "it was tried again by the same process");
    let mut client = fleet.client().await;
    client.subscribe(&["rb2601"]).await;
    client.next_push().await;
    fleet.stop().await;
}

#[tokio::test]
async fn an_instrument_that_does_not_exist_is_shown_and_stands_in_nobodys_way() {
    let home = Home::new();
    let file = counting_file(&home, &["rb2601"]);
    let script = json!({
        "replay": {"file": file, "rate": 100, "loop": true},
        "faults": [{"do": "refuse_instrument", "instrument": "rb9999", "error_id": 16}],
    });
    let fleet = FleetPlan::in_home(home).simulated("alpha", &script).start_ready().await;
    let mut client = fleet.client().await;
    client.subscribe(&["rb9999", "rb2601"]).await;
    let mut follower = Follower::default();
    follower.advance(&mut client, &["rb2601"], 20).await;
    let status = fleet.status_when("the refusal", |status| !status.refused.is_empty()).await;
    let refused = &status.refused[0];
    assert_eq!(refused.instrument.as_str(), "rb9999");
    assert_eq!((refused.error_id, refused.connection_id.as_str()), (16, "alpha"));
    assert!(refused.message.starts_with("CTP"), "the front's own words: {}", refused.message);
    assert_eq!((status.wanted, status.ticking), (2, 1));
    assert_eq!(follower.seen("rb9999"), 0);
    fleet.stop().await;
}

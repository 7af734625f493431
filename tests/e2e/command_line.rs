//! The command line as a person meets it.

use std::process::Output;

use qamd_tests::fleet::{Fleet, FleetPlan, worker_of};
use qamd_tests::{http, processes};
use serde_json::{Value, json};
use shm_layout::control::FleetStatus;

fn said(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8(text).unwrap()
}

fn assert_ends(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{}", said(output));
}

/// A fleet that is never started, with this for a configuration.
fn with_config(text: &str) -> Fleet {
    let fleet = FleetPlan::new().prepare();
    std::fs::write(fleet.config(), text).unwrap();
    fleet
}

fn check(fleet: &Fleet) -> Output {
    fleet.qamd(&["check-config", &fleet.config().display().to_string()])
}

#[test]
fn check_config_says_all_faults_at_once_with_their_places() {
    let fleet = with_config(
        &json!({
            "instance": "Not A Name",
            "websocket_port": 99999,
            "websocket_prot": 7799,
            "load_balance_strategy": "magic",
            "connections": [
                {"connection_id": "a", "front_addr": "tcp://127.0.0.1:1", "broker_id": "9999", "max_subscriptions": 10},
                {"connection_id": "a", "front_addr": "udp://127.0.0.1:1", "broker_id": "9999", "max_subscriptions": 10},
                {"connection_id": "b", "front_addr": "127.0.0.1:1", "broker_id": "", "max_subscriptions": 0},
                {"connection_id": "c", "front_addr": "tcp://127.0.0.1", "broker_id": "9999", "max_subscription": 5},
            ],
        })
        .to_string(),
    );
    let output = check(&fleet);
    assert_ends(&output, 64);
    let text = said(&output);
    for place in [
        "instance",
        "websocket_port",
        "websocket_prot",
        "load_balance_strategy",
        "connections[1].connection_id",
        "connections[1].front_addr",
        "connections[2].front_addr",
        "connections[2].broker_id",
        "connections[2].max_subscriptions",
        "connections[3].front_addr",
        "connections[3].max_subscription",
    ] {
        assert!(text.contains(place), "{place} is not named in:\n{text}");
    }
    assert!(text.contains("tcp://"), "it says what an address looks like:\n{text}");
    let run = fleet.verb(&["run"]);
    assert_ends(&run, 64);
    assert!(fleet.processes().is_empty(), "nothing was started");
}

#[test]
fn check_config_passes_a_good_file_and_names_the_line_of_a_broken_one() {
    let good = FleetPlan::new().simulated("alpha", &json!({})).prepare();
    assert_ends(&check(&good), 0);
    let broken = with_config("{\n  \"instance\": \"x\",\n  oops\n}\n");
    let output = check(&broken);
    assert_ends(&output, 64);
    assert!(said(&output).contains("line 3"), "{}", said(&output));
    let missing = broken.qamd(&["check-config", "/nowhere/qamd.json"]);
    assert_ne!(missing.status.code(), Some(0));
    assert!(said(&missing).contains("/nowhere/qamd.json"), "{}", said(&missing));
}

#[test]
fn the_configurations_of_the_project_are_good() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../config");
    let fleet = FleetPlan::new().prepare();
    let mut checked = 0;
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        if entry.path().extension().is_some_and(|extension| extension == "json") {
            // Its paths are relative to the project.
            let path = entry.path().canonicalize().unwrap();
            let output = std::process::Command::new(qamd_tests::binaries::qamd())
                .arg("check-config")
                .arg(&path)
                .current_dir(path.parent().unwrap().parent().unwrap())
                .output()
                .unwrap();
            assert_ends(&output, 0);
            checked += 1;
        }
    }
    assert!(checked > 0 && fleet.processes().is_empty());
}

#[test]
fn status_without_a_fleet_is_one_clear_line_and_starts_nothing() {
    let fleet = FleetPlan::new().simulated("alpha", &json!({})).prepare();
    for arguments in [&["status"][..], &["status", "--json"], &["--status"], &["run", "--status"]] {
        let output = fleet.verb(arguments);
        assert_ends(&output, 1);
        let text = said(&output);
        assert_eq!(text.trim().lines().count(), 1, "{arguments:?}: {text}");
        assert!(text.contains(&fleet.home().instance().to_string()), "{arguments:?}: {text}");
    }
    fleet.assert_nothing_left();
}

#[test]
fn a_missing_library_is_one_clear_line_that_names_the_remedy() {
    let fleet = FleetPlan::new()
        .simulated("alpha", &json!({}))
        .set("ctp_library", "libs/thostmduserapi_se.so")
        .prepare();
    let output = fleet.verb(&["run"]);
    let text = said(&output);
    assert_ends(&output, 64);
    assert!(text.contains("libs/thostmduserapi_se.so"), "{text}");
    assert!(text.contains("make ctp-library") && text.contains("qamd demo"), "{text}");
    fleet.assert_nothing_left();
}

#[test]
fn bad_usage_ends_with_64_and_help_with_0() {
    let fleet = FleetPlan::new().prepare();
    for arguments in [&["frobnicate"][..], &["status", "--jsn"], &["run", "--port", "x"]] {
        assert_ends(&fleet.qamd(arguments), 64);
    }
    for arguments in [&["--help"][..], &["run", "--help"], &["status", "--help"], &["--version"]] {
        assert_ends(&fleet.qamd(arguments), 0);
    }
    let bad_front =
        fleet.qamd(&["run", "--front-addr", "http://127.0.0.1:1", "--broker-id", "9999"]);
    assert_ends(&bad_front, 64);
    assert!(said(&bad_front).contains("tcp://"), "{}", said(&bad_front));
    assert!(fleet.processes().is_empty());
}

#[tokio::test]
async fn status_shows_the_fleet() {
    let fleet = FleetPlan::new()
        .simulated("alpha", &json!({"rate": 100, "trading_day": "20260112"}))
        .connection(json!({"connection_id": "off", "enabled": false}))
        .start_ready()
        .await;
    let mut client = fleet.client().await;
    client.subscribe(&["rb2601", "rb2602"]).await;
    fleet
        .status_when("ticks per second are known", |status| {
            status.ticking == 2 && worker_of(status, "alpha").ticks_per_second > 50.0
        })
        .await;
    let json = fleet.verb(&["status", "--json"]);
    assert_ends(&json, 0);
    let status: FleetStatus = serde_json::from_slice(&json.stdout).unwrap();
    let worker = worker_of(&status, "alpha");
    assert_eq!(worker.subscriptions, 2);
    assert!(worker.library_version.as_ref().unwrap().contains("6.7.13"), "{worker:?}");
    let trading_day = worker.session.as_ref().unwrap().trading_day.unwrap();
    assert_eq!(trading_day.yyyymmdd(), 20_260_112);

    let table = fleet.verb(&["status"]);
    assert_ends(&table, 0);
    let text = String::from_utf8(table.stdout).unwrap();
    let in_common = "trading day 2026-01-12, CTP library 6.7.13";
    for word in ["alpha", "QUALITY", in_common, "off", fleet.home().instance().as_str()] {
        assert!(text.contains(word), "{word} is missing in\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "no colours without a terminal:\n{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 100), "it fits:\n{text}");
    // By name and directory, without the configuration.
    let run = fleet.home().path("run").display().to_string();
    let instance = fleet.home().instance().to_string();
    let by_name = fleet.qamd(&["status", "--json", "--instance", &instance, "--runtime-dir", &run]);
    assert_ends(&by_name, 0);
    // As the C++ gateway's users ask.
    assert_ends(&fleet.verb(&["--multi-ctp", "--status"]), 0);
    fleet.stop().await;
}

#[tokio::test]
async fn http_shows_status_metrics_and_health() {
    let fleet = FleetPlan::new().simulated("alpha", &json!({"rate": 100})).start_ready().await;
    let mut client = fleet.client().await;
    client.subscribe(&["rb2601"]).await;
    client.next_push().await;
    let ports = processes::listening_ports(fleet.coordinator_pid());
    let [port] = ports[..] else { panic!("one HTTP port: {ports:?}") };
    let status = http::get(port, "/status").await;
    assert_eq!(status.code, 200);
    let shown: Value = serde_json::from_str(&status.body).unwrap();
    assert_eq!(shown["workers"][0]["connection_id"], "alpha");
    assert!(serde_json::from_str::<FleetStatus>(&status.body).is_ok());
    let health = http::get(port, "/healthz").await;
    assert_eq!(health.code, 200, "{health:?}");
    let metrics = http::get(port, "/metrics").await;
    assert!(metrics.head.contains("text/plain"), "{}", metrics.head);
    assert!(
        metrics.body.contains("qamd_worker_ticks_total{connection_id=\"alpha\""),
        "{}",
        metrics.body
    );
    for line in metrics.body.lines().filter(|line| !line.starts_with('#')) {
        let value = line.rsplit_once(' ').map(|(_, value)| value.parse::<f64>());
        assert!(matches!(value, Some(Ok(_))), "{line}");
        let name = line.split(['{', ' ']).next().unwrap();
        assert!(metrics.body.contains(&format!("# TYPE {name} ")), "{name} has no type");
        assert!(metrics.body.contains(&format!("# HELP {name} ")), "{name} has no help");
    }
    assert_eq!(http::get(port, "/nothing").await.code, 404);
    fleet.stop().await;
}

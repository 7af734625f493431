//! The vendor's own library, fetched from its PyPI package into the build directory and never committed.
//!
//! Without a package registry these tests say so and pass: they cannot be run there.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use qamd_tests::binaries;
use qamd_tests::fleet::{FleetPlan, session_state, worker_of};
use qamd_tests::programs::{run, workspace};
use qamd_tests::word::say;
use serde_json::{Value, json};
use shm_layout::control::SessionState;
use tokio::net::TcpListener;

/// What GetApiVersion answers, its beginning without the `v`.
const NEWEST: &str = "6.7.13";

/// Older ones: 12 callback slots and the id at its old place; the first with the id at its new place.
const OLDER: [&str; 2] = ["6.3.15", "6.5.1"];

/// The library of a version; fetched once and kept in the build directory. `None`, with a word, when there is no registry
/// or it has no such package.
fn library(version: &str) -> Option<PathBuf> {
    let folder = binaries::cache_dir().join(format!("ctp-{version}"));
    let script = workspace().join("scripts/ctp-library.sh");
    let made = run(Command::new("bash").arg(script).arg(&folder).arg(version));
    match made.code {
        Some(0) => Some(folder.join("thostmduserapi_se.so")),
        Some(1) => {
            let why = made.complaints.trim().replace('\n', "; ");
            say(&format!(
                "CTP {version} cannot be fetched, the genuine library is NOT TESTED: {why}"
            ));
            None
        }
        code => panic!("{code:?}: {}", made.complaints),
    }
}

/// `qamd-ctp-worker --probe` on a library.
fn probe(library: &Path) -> Value {
    let output = Command::new(binaries::worker())
        .args(["--probe", "--ctp-library"])
        .arg(library)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}{complaint}");
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error} in {said:?}"))
}

/// A front that takes connections and hangs up: the library must call OnFrontDisconnected through our table.
async fn meets_a_front_that_hangs_up(library: &Path, version: &str) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let front = tokio::spawn(async move {
        let mut taken = 0_u32;
        loop {
            let (connection, _) = listener.accept().await.unwrap();
            drop(connection);
            taken += 1;
            assert!(taken < 10_000, "a storm of connections");
        }
    });
    let fleet = FleetPlan::new()
        .connection(json!({
            "connection_id": "genuine",
            "front_addr": format!("tcp://127.0.0.1:{port}"),
            "ctp_library": library,
        }))
        .start()
        .await;
    let status = fleet.status_when("OnFrontDisconnected with 0x1001", |status| {
        let state = session_state(worker_of(status, "genuine"));
        state == Some(&SessionState::Disconnected { reason: 0x1001 })
    });
    let status = status.await;
    let worker = worker_of(&status, "genuine");
    assert!(worker.library_version.as_ref().unwrap().contains(version), "{worker:?}");
    assert_eq!((worker.stats.panics, worker.restarts), (0, 0), "{worker:?}");
    assert!(fleet.home().path("flow/genuine").is_dir());
    assert!(!front.is_finished(), "the front is still there");
    fleet.stop().await;
    front.abort();
}

#[tokio::test]
async fn the_newest_library_is_loaded_and_calls_back() {
    let Some(library) = library(NEWEST) else { return };
    let probed = probe(&library);
    assert!(probed["version"].as_str().unwrap().contains(NEWEST), "{probed}");
    meets_a_front_that_hangs_up(&library, NEWEST).await;
}

#[tokio::test]
async fn older_libraries_are_loaded_and_call_back() {
    for version in OLDER {
        let Some(library) = library(version) else { continue };
        let probed = probe(&library);
        assert!(probed["version"].as_str().unwrap().contains(version), "{probed}");
        meets_a_front_that_hangs_up(&library, version).await;
    }
}

#[test]
fn addresses_that_would_crash_it_never_reach_it() {
    let Some(library) = library(NEWEST) else { return };
    for address in
        ["", "127.0.0.1:1", "udp://127.0.0.1:1", "http://127.0.0.1:1", "tcp://x", "tcp://x:99999"]
    {
        let fleet = FleetPlan::new()
            .connection(json!({
                "connection_id": "genuine",
                "front_addr": address,
                "ctp_library": &library,
            }))
            .prepare();
        let output = fleet.verb(&["run"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(64), "{address}: {said}");
        assert!(said.contains("connections[0].front_addr"), "{address}: {said}");
    }
}

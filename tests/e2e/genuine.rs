//! The vendor's own library, fetched from its PyPI package into the build directory and never committed.
//!
//! Without a package registry these tests say so and pass: they cannot be run there.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use qamd_tests::binaries;
use qamd_tests::fleet::{FleetPlan, session_state, worker_of};
use qamd_tests::word::say;
use serde_json::{Value, json};
use shm_layout::control::SessionState;
use tokio::net::TcpListener;

/// A package that carries the library.
struct Package {
    /// Its name and version for pip.
    name: &'static str,
    /// What tells the library from other files inside.
    member: &'static str,
    /// What GetApiVersion answers, its beginning without the `v`.
    version: &'static str,
    /// The sum of the library.
    sha256: &'static str,
    /// Further words for pip.
    options: &'static [&'static str],
}

const CPYTHON_311: &[&str] = &[
    "--implementation",
    "cp",
    "--python-version",
    "3.11",
    "--abi",
    "cp311",
    "--platform",
    "manylinux_2_28_x86_64",
    "--platform",
    "manylinux_2_24_x86_64",
];

const NEWEST: Package = Package {
    name: "ctp-python==6.7.13",
    member: "libthostmduserapi_se.so",
    version: "6.7.13",
    sha256: "204ad48dd082b2282422c5826b3d006d7e865833ae91556d6cf7c6aea8c56a18",
    options: CPYTHON_311,
};

/// Older libraries: 12 callback slots and the id at its old place; the first with the id at its new place.
const OLDER: [Package; 2] = [
    Package {
        name: "openctp-ctp==6.3.15.7",
        member: "libs/libthostmduserapi_se",
        version: "6.3.15",
        sha256: "b2985601380322faacdb99e2479fbd38c57061cfceadc78c598d0a7bd054e93f",
        options: &[],
    },
    Package {
        name: "openctp-ctp==6.5.1.7",
        member: "libs/libthostmduserapi_se",
        version: "6.5.1",
        sha256: "deb52cb624d34224606bc39833442953ef8e11a8bf8bda3daa2aa346b8693d43",
        options: &[],
    },
];

/// The library of a package; fetched once and kept in the build directory. `None`, with a word, when there is no
/// registry or it has no such package.
fn library(package: &Package) -> Option<PathBuf> {
    let folder = binaries::cache_dir().join(package.name.replace("==", "-"));
    let library = folder.join("libthostmduserapi_se.so");
    if !library.exists() {
        std::fs::create_dir_all(&folder).unwrap();
        if let Err(why) = fetch(package, &folder, &library) {
            let name = package.name;
            say(&format!("{name} cannot be fetched, the genuine library is NOT TESTED: {why}"));
            return None;
        }
    }
    let output = Command::new("sha256sum").arg(&library).output().unwrap();
    let sum = String::from_utf8(output.stdout).unwrap();
    assert!(sum.starts_with(package.sha256), "{}: another checksum: {sum}", library.display());
    Some(library)
}

fn fetch(package: &Package, folder: &Path, library: &Path) -> Result<(), String> {
    let output = Command::new("python3")
        .args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"])
        .args(["--only-binary=:all:", "--retries", "0", "--timeout", "20"])
        .args(package.options)
        .arg("--dest")
        .args([folder.as_os_str(), package.name.as_ref()])
        .output()
        .map_err(|error| format!("python3 cannot be run: {error}"))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(text.lines().last().unwrap_or("pip said nothing").to_owned());
    }
    const UNPACK: &str = "
import glob, sys, zipfile
folder, member, target = sys.argv[1:]
wheel = zipfile.ZipFile(glob.glob(folder + '/*.whl')[0])
name = [name for name in wheel.namelist() if member in name][0]
open(target, 'wb').write(wheel.read(name))
";
    let part = library.with_extension(format!("part{}", std::process::id()));
    let output = Command::new("python3")
        .args(["-c", UNPACK])
        .arg(folder)
        .arg(package.member)
        .arg(&part)
        .output()
        .map_err(|error| format!("python3 cannot be run: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    std::fs::rename(&part, library).map_err(|error| error.to_string())
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
    let Some(library) = library(&NEWEST) else { return };
    let probed = probe(&library);
    assert!(probed["version"].as_str().unwrap().contains("6.7.13"), "{probed}");
    meets_a_front_that_hangs_up(&library, NEWEST.version).await;
}

#[tokio::test]
async fn older_libraries_are_loaded_and_call_back() {
    for package in &OLDER {
        let Some(library) = library(package) else { continue };
        let probed = probe(&library);
        assert!(probed["version"].as_str().unwrap().contains(package.version), "{probed}");
        meets_a_front_that_hangs_up(&library, package.version).await;
    }
}

#[test]
fn addresses_that_would_crash_it_never_reach_it() {
    let Some(library) = library(&NEWEST) else { return };
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

//! Recorded ticks replayed unchanged: library, worker, ring, frontend, client. Every field of every row is compared.
//!
//! `QAMD_RECORDINGS` names a folder of recordings (`*.csv.zst`, `*.csv`, `slices/*.csv`). Without it the project's own
//! sample is all there is.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::{Path, PathBuf};

use futures_util::future::join_all;
use qamd_tests::client::Client;
use qamd_tests::fleet::{FleetPlan, Home};
use qamd_tests::recordings::{Recording, Row, folder, own_sample};
use qamd_tests::word::say;
use serde_json::json;

/// Rows a second of each replay. A worker that was held up makes up for at most a second at once; that must fit into the
/// ring (16,384 samples), so that a loaded machine loses nothing either.
const RATE: u32 = 4000;

/// Replays a file and compares what the client gets, row by row. `day` says on which calendar day the exchange sent a
/// row. Returns the number of rows.
async fn replay(file: &Path, trading_day: Option<&str>, day: impl Fn(&Row) -> String) -> u64 {
    let home = Home::new();
    let mut script = json!({"replay": {"file": file, "rate": RATE, "await_subscriptions": true}});
    if let Some(trading_day) = trading_day {
        script["trading_day"] = trading_day.into();
    }
    let fleet = FleetPlan::in_home(home).simulated("replaying", &script).start_ready().await;
    let instruments = Recording::instruments(file);
    let instruments: Vec<&str> = instruments.iter().map(String::as_str).collect();
    let mut client: Client = fleet.client().await;
    client.subscribe(&instruments).await;
    let mut rows = 0;
    for row in Recording::open(file) {
        let push = client.next_push().await;
        if let Err(difference) = row.compare(&push, &day(&row)) {
            let stats = fleet.frontend_stats().await;
            panic!("{}: {difference}\n{stats:?}", file.display());
        }
        rows += 1;
    }
    let stats =
        fleet.status_when("all are counted", |status| status.frontends[0].stats.pushed == rows);
    let stats = stats.await.frontends[0].stats;
    assert_eq!((stats.ring_lost, stats.conflated, stats.overrun), (0, 0, 0));
    fleet.stop().await;
    rows
}

/// The day of a row whose ActionDay is the calendar's; the trading day where it is empty.
fn action_day(row: &Row) -> String {
    match row.column("ActionDay") {
        "" => row.column("TradingDay").to_owned(),
        day => day.to_owned(),
    }
}

#[tokio::test]
async fn the_projects_own_sample() {
    let sample = own_sample();
    let rows = replay(&sample, None, |row| {
        // DCE sends the trading day as ActionDay at night; the night of that Monday was Friday's.
        if row.instrument() == "m2605" && row.hour() >= 20 {
            return "20260109".to_owned();
        }
        action_day(row)
    });
    assert_eq!(rows.await, 183);
}

fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
    let mut files: Vec<_> =
        entries.filter(|path| path.to_string_lossy().ends_with(ending)).collect();
    files.sort();
    files
}

/// The folder of recordings, or a word about what is left out.
fn recordings() -> Option<PathBuf> {
    let folder = folder();
    if folder.is_none() {
        say("QAMD_RECORDINGS is not set: replaying the project's own sample only");
    }
    folder
}

#[tokio::test]
async fn recorded_streams() {
    let Some(folder) = recordings() else { return };
    let files = files(&folder, ".csv.zst");
    assert!(!files.is_empty(), "no *.csv.zst in {}", folder.display());
    // A fleet for each, side by side. ActionDay is the calendar's in all of them.
    let replays = files.iter().map(async |file| (file, replay(file, None, action_day).await));
    for (file, rows) in join_all(replays).await {
        say(&format!("{}: {rows} rows, every field as recorded", file.display()));
        assert!(rows > 0);
    }
}

#[tokio::test]
async fn slices_of_recordings() {
    let Some(folder) = recordings() else { return };
    for file in files(&folder.join("slices"), ".csv") {
        let rows = replay(&file, None, action_day).await;
        say(&format!("{}: {rows} rows, every field as recorded", file.display()));
        assert!(rows > 0);
    }
}

#[tokio::test]
async fn single_rows_quoted_from_everywhere() {
    let Some(folder) = recordings() else { return };
    let file = folder.join("edge_quoted_rows.csv");
    if !file.exists() {
        say(&format!("{} is not there: left out", file.display()));
        return;
    }
    // The trading day of the login is that of the rows of SR001, whose dates depend on it.
    let rows = replay(&file, Some("20190902"), |row| match row.line {
        // Friday's last night tick, pushed again on Monday with Monday's date.
        15 => "20190830".to_owned(),
        _ => action_day(row),
    });
    assert_eq!(rows.await, 17);
}

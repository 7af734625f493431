//! Half a million ticks in a second through one worker: nothing blocks, memory is bounded, every tick is accounted for.

use std::collections::BTreeMap;

use qamd_tests::client::Client;
use qamd_tests::fleet::{Fleet, FleetPlan};
use qamd_tests::processes::own_memory_kib;
use qamd_ws_frontend::limits::SERIES_TICKS_EACH_MAX;
use serde_json::json;
use shm_layout::control::FrontendStats;
use tokio::sync::watch;

const TICKS: u64 = 500_000;
const INSTRUMENTS: usize = 40;

/// What the frontend keeps for charts, 192 bytes a tick, and 64 MiB for all else.
const MEMORY_KIB_MAX: u64 = ((INSTRUMENTS * SERIES_TICKS_EACH_MAX * 192) as u64 >> 10) + (64 << 10);

#[tokio::test]
async fn half_a_million_ticks_are_delivered_conflated_or_counted_as_lost() {
    // Beside the burst next to nothing ticks, so that the counters come to rest.
    let script = json!({
        "rate": 0.001,
        "burst": {"ticks": TICKS, "per_second": 500_000.0, "await_instruments": INSTRUMENTS},
    });
    let fleet = FleetPlan::new().simulated("alpha", &script).start_ready().await;
    let mut tap = fleet.tap();
    let instruments: Vec<String> = (0..INSTRUMENTS).map(|n| format!("rb{}", 2601 + n)).collect();
    let instruments: Vec<&str> = instruments.iter().map(String::as_str).collect();
    let mut client = fleet.client().await;
    client.subscribe(&instruments).await;

    let (announce, announced) = watch::channel(None);
    let (heard, (stats, memory_kib)) = tokio::join!(hear(&mut client, announced), async {
        let counted = count(&fleet).await;
        announce.send(Some(counted.0.pushed)).unwrap();
        counted
    });
    assert!(memory_kib < MEMORY_KIB_MAX, "{memory_kib} KiB");
    assert_eq!(heard.pushes, stats.pushed, "what was queued for the client arrived: {stats:?}");
    assert_eq!((stats.sessions, stats.slow_disconnects), (1, 0), "{stats:?}");

    // The ring keeps the end of the burst for this late reader; the client has got to the same end.
    let ticks = tap.take();
    let latest: BTreeMap<String, i64> = ticks
        .iter()
        .map(|tick| (tick.instrument().unwrap().to_string(), i64::from(tick.volume)))
        .collect();
    assert_eq!(latest.len(), INSTRUMENTS);
    assert_eq!(heard.latest, latest);
    drop(tap);
    fleet.stop().await;
}

/// Waits until every tick is accounted for; returns the counters then, and the most memory the frontend had.
async fn count(fleet: &Fleet) -> (FrontendStats, u64) {
    let mut memory_kib = 0;
    let status = fleet.status_when("every tick is accounted for", |status| {
        let frontend = &status.frontends[0];
        memory_kib = memory_kib.max(own_memory_kib(frontend.pid.unwrap()));
        let (published, stats) = (status.workers[0].stats.ticks, frontend.stats);
        published >= TICKS
            && stats.ticks + stats.ring_lost == published
            && stats.pushed + stats.conflated + stats.overrun == stats.ticks
    });
    let status = status.await;
    (status.frontends[0].stats, memory_kib)
}

#[derive(Default)]
struct Heard {
    pushes: u64,
    latest: BTreeMap<String, i64>,
}

/// Hears pushes until as many have come as are announced at the end.
async fn hear(client: &mut Client, mut announced: watch::Receiver<Option<u64>>) -> Heard {
    let mut heard = Heard::default();
    loop {
        let goal = *announced.borrow_and_update();
        if goal.is_some_and(|goal| heard.pushes >= goal) {
            return heard;
        }
        let push = tokio::select! {
            push = client.next_push() => push,
            _ = announced.changed(), if goal.is_none() => continue,
        };
        heard.pushes += 1;
        let volume = push.volume();
        let before = heard.latest.insert(push.instrument().to_owned(), volume);
        assert!(before <= Some(volume), "{} went back from {before:?}", push.text());
    }
}

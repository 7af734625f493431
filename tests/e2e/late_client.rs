//! Who comes later sees the latest tick at once though the market stands still, and then every tick once; and never one that
//! was left in shared memory by what is not carried any more.

use nix::sys::signal::Signal;
use qamd_tests::client::Client;
use qamd_tests::fleet::{Fleet, FleetPlan, Home, worker_of};
use qamd_tests::lockstep::Lockstep;
use qamd_tests::processes;
use qamd_tests::push::Push;
use qamd_tests::recordings;
use qamd_tests::ring_tap::RingTap;
use qamd_tests::watch::eventually;
use serde_json::json;
use shm_layout::control::FleetStatus;
use shm_layout::depth::{DepthReader, Found};
use shm_layout::shared_memory::Place;
use shm_layout::{InstrumentId, Tick};

/// What clients want. DCE dates its ticks to the millisecond, so they differ.
const WANTED: &str = "m2605";

/// What sets the market in motion as soon as it is subscribed.
const GUN: &str = "y2605";

/// Ticks of each of the two from then on.
const TICKS: usize = 200;

/// A market that stands still after its snapshots, until the gun is fired.
async fn still_market(list: &str) -> Fleet {
    let burst = json!({"ticks": 2 * TICKS, "per_second": 400, "await_instruments": 2});
    // The next tick by itself would come after a quarter of an hour.
    let script = json!({"rate": 0.001, "burst": burst});
    let fleet = FleetPlan::new().instruments(list).simulated("alpha", &script).start_ready().await;
    if list.contains("true") {
        fleet.status_when("its snapshot came", |status| status.ticking == 1).await;
    }
    fleet
}

/// Always subscribed, without any client.
const CARRIED: &str = "instrument_id,always_on\nm2605,true\n";

/// Takes a client's subscription, whose latest tick comes at once.
async fn latest(client: &mut Client) -> Push {
    client.subscribe(&[WANTED]).await;
    client.next_push().await
}

/// Fires the gun: every one of these clients sees every tick of the ring, once, in order, and nothing else.
async fn assert_every_later_tick(fleet: &Fleet, mut tap: RingTap, clients: &mut [&mut Client]) {
    tap.take();
    let mut gun = fleet.client().await;
    gun.subscribe(&[GUN]).await;
    let mut ticks: Vec<Tick> = Vec::new();
    eventually("all ticks in the ring", async || {
        let fresh = tap.take();
        ticks
            .extend(fresh.into_iter().filter(|tick| tick.instrument().unwrap().as_str() == WANTED));
        (ticks.len() >= TICKS).then_some(())
    })
    .await;
    assert_eq!((ticks.len(), tap.lost()), (TICKS, 0));
    let told = |tick: &Tick| (Some(tick.exchange_time_ns / 1_000_000), i64::from(tick.volume));
    let ticks: Vec<_> = ticks.iter().map(told).collect();
    for client in clients {
        let mut seen = Vec::new();
        for _ in 0..TICKS {
            let push = client.next_push().await;
            assert_eq!(push.instrument(), WANTED);
            seen.push((push.integer("timestamp"), push.volume()));
        }
        assert_eq!(seen, ticks);
    }
}

async fn another_frontend(fleet: &Fleet) {
    let status = fleet.status_now().await;
    processes::signal(status.frontends[0].pid.unwrap(), Signal::SIGKILL);
    let is_back =
        |status: &FleetStatus| status.frontends[0].connected && status.frontends[0].restarts == 1;
    fleet.status_when("another frontend", is_back).await;
}

#[tokio::test]
async fn every_client_of_one_frontend_sees_the_latest_tick_at_once() {
    let fleet = still_market("instrument_id\nm2605\n").await;
    let mut first = fleet.client().await;
    let snapshot = latest(&mut first).await;
    let (mut second, mut third) = (fleet.client().await, fleet.client().await);
    assert_eq!(latest(&mut second).await, snapshot);
    assert_eq!(latest(&mut third).await, snapshot);
    let tap = fleet.tap();
    assert_every_later_tick(&fleet, tap, &mut [&mut first, &mut second, &mut third]).await;
    fleet.stop().await;
}

#[tokio::test]
async fn a_new_frontend_shows_what_it_never_saw() {
    let fleet = still_market(CARRIED).await;
    let mut early = fleet.client().await;
    let snapshot = latest(&mut early).await;
    another_frontend(&fleet).await;
    let tap = fleet.tap();
    let (mut first, mut second) = (fleet.client().await, fleet.client().await);
    assert_eq!(latest(&mut first).await, snapshot);
    assert_eq!(latest(&mut second).await, snapshot);
    assert_every_later_tick(&fleet, tap, &mut [&mut first, &mut second]).await;
    fleet.stop().await;
}

#[tokio::test]
async fn the_latest_tick_outlives_coordinator_and_frontend() {
    let mut fleet = still_market(CARRIED).await;
    let mut early = fleet.client().await;
    let snapshot = latest(&mut early).await;
    fleet.kill_coordinator();
    fleet.run();
    fleet.wait_serving().await;
    fleet.status_when("it is carried still", |status| status.ticking == 1).await;
    let frontend = fleet.status_now().await.frontends[0].pid.unwrap();
    processes::signal(frontend, Signal::SIGKILL);
    let is_another = |status: &FleetStatus| {
        let now = &status.frontends[0];
        now.connected && !now.listening_on.is_empty() && now.pid != Some(frontend)
    };
    fleet.status_when("another frontend", is_another).await;
    let tap = fleet.tap();
    let mut late = fleet.client().await;
    assert_eq!(latest(&mut late).await, snapshot);
    assert_every_later_tick(&fleet, tap, &mut [&mut late]).await;
    fleet.stop().await;
}

#[tokio::test]
async fn without_the_depth_segment_clients_see_the_next_ticks() {
    let fleet = still_market(CARRIED).await;
    let [depth, _] = fleet.home().segments();
    std::fs::remove_file(Place::named(&depth).path()).unwrap();
    another_frontend(&fleet).await;
    let tap = fleet.tap();
    let mut client = fleet.client().await;
    client.subscribe(&[WANTED]).await;
    assert_every_later_tick(&fleet, tap, &mut [&mut client]).await;
    fleet.stop().await;
}

/// Waits until nothing is carried: the depth segment says so, and holds what was left there, which is returned.
async fn released(fleet: &Fleet) -> Box<Tick> {
    let is_empty = |status: &FleetStatus| {
        let worker = worker_of(status, "alpha");
        (status.wanted, worker.subscriptions, worker.stats.instruments) == (0, 0, 0)
    };
    fleet.status_when("nothing is carried", is_empty).await;
    let [depth, _] = fleet.home().segments();
    let reader = DepthReader::open(&Place::named(&depth)).unwrap();
    let slot = reader.find(&InstrumentId::parse(WANTED).unwrap()).unwrap();
    let head = reader.head(slot).unwrap();
    assert_eq!(head.carried_since_ns, None);
    let Found::Latest(left) = reader.read(slot) else { panic!("nothing is left of it: {head:?}") };
    left
}

#[tokio::test]
async fn what_was_released_comes_once_and_from_its_front() {
    // Three ticks, and then nothing for ever.
    let home = Home::new();
    let file = home.write("three.csv", recordings::counting(&[WANTED, GUN], 3));
    let script = json!({"replay": {"file": file, "rate": 50, "await_subscriptions": 1}});
    let fleet = FleetPlan::in_home(home).simulated("alpha", &script).start_ready().await;
    let mut client = fleet.client().await;
    client.subscribe(&[WANTED]).await;
    let last = client.push_until("the third tick", |push| push.volume() == 3).await;
    client.subscribe(&[GUN]).await;
    assert_eq!(client.next_push().await.instrument(), GUN);
    for _ in 0..3 {
        client.unsubscribe(&[WANTED, GUN]).await;
        released(&fleet).await;
        client.subscribe(&[WANTED]).await;
        assert_eq!(client.next_push().await, last, "the front's snapshot");
        // Whatever else there was to say of the first is said before the second's.
        client.subscribe(&[GUN]).await;
        assert_eq!(client.next_push().await.instrument(), GUN, "nothing came twice");
    }
    fleet.stop().await;
}

#[tokio::test]
async fn what_is_left_of_a_released_instrument_is_never_shown() {
    let home = Home::new();
    let (silence, silent) = (home.path("silence"), home.path("silent"));
    // From when the test says so the front keeps silent for a while: what shared memory holds would come first.
    let faults = json!([{"when_file": silence, "once_file": silent, "do": "mute", "pattern": "*", "for_ms": 3000}]);
    let script = Lockstep::begin(&home, &[WANTED], 5000, 20).with_faults(faults);
    let fleet = FleetPlan::in_home(home).simulated("alpha", &script).start_ready().await;
    let mut client = fleet.client().await;
    client.subscribe(&[WANTED]).await;
    client.next_push().await;
    client.unsubscribe(&[WANTED]).await;
    let left = released(&fleet).await;
    fleet.home().write("silence", "");
    eventually("a silent front", async || silent.exists().then_some(())).await;
    // Twenty rows a second pass meanwhile.
    let fresh = latest(&mut client).await;
    let ahead = fresh.volume() - i64::from(left.volume);
    assert!(ahead > 0, "{} is what was left", fresh.text());
    fleet.stop().await;
}

//! A client that stops reading.

use qamd_tests::client::{Client, Heard};
use qamd_tests::fleet::{FleetPlan, Home};
use qamd_tests::processes::own_memory_kib;

use crate::scripts::{Follower, counting};

/// More than any number of bounded buffers of one session may take, less than what an unbounded one would hold.
const MEMORY_KIB_MAX: u64 = 64 << 10;

#[tokio::test]
async fn it_is_conflated_then_disconnected_and_nobody_else_notices() {
    let instruments = ["rb2601", "rb2602", "rb2603", "rb2604"];
    let home = Home::new();
    let script = counting(&home, &instruments, 8000);
    let fleet = FleetPlan::in_home(home).simulated("alpha", &script).start_ready().await;
    let mut stalled = Client::connect_narrow(&fleet.address().await).await;
    stalled.subscribe(&instruments).await;
    let mut good = fleet.client().await;
    good.subscribe(&instruments[..1]).await;

    let mut follower = Follower::default();
    let mut conflated = 0;
    let mut memory_kib = 0;
    let disconnected = loop {
        follower.advance(&mut good, &instruments[..1], 500).await;
        let status = fleet.status_now().await;
        let frontend = &status.frontends[0];
        conflated = conflated.max(frontend.stats.conflated);
        memory_kib = memory_kib.max(own_memory_kib(frontend.pid.unwrap()));
        if frontend.stats.slow_disconnects > 0 {
            break frontend.stats;
        }
    };
    assert!(conflated > 10_000, "four instruments at thousands a second: {disconnected:?}");
    assert_eq!((disconnected.slow_disconnects, disconnected.ring_lost), (1, 0));
    assert!(memory_kib < MEMORY_KIB_MAX, "{memory_kib} KiB");
    assert_eq!(follower.jumps(instruments[0]), 0, "the good client lost nothing: {follower:?}");

    // It reads again before the linger is over: what lay in the sockets' buffers, then the reason.
    let (texts, end) = stalled.hear_out().await;
    assert!(texts > 0, "what lay in the socket's buffers arrives");
    assert!(matches!(end, Heard::Closed(1013)), "{end:?}");
    fleet
        .status_when("its session is gone", |status| status.frontends[0].stats.sessions == 1)
        .await;
    follower.advance(&mut good, &instruments[..1], 500).await;
    fleet.stop().await;
}

#[tokio::test]
async fn it_gets_the_latest_of_each_instrument_when_it_reads_again() {
    let instruments = ["rb2601", "rb2602", "rb2603"];
    let home = Home::new();
    let script = counting(&home, &instruments, 8000);
    let fleet = FleetPlan::in_home(home).simulated("alpha", &script).start_ready().await;
    let mut client = Client::connect_narrow(&fleet.address().await).await;
    client.subscribe(&instruments).await;
    let lagging = fleet
        .status_when("the client lags", |status| status.frontends[0].stats.conflated > 3000)
        .await;
    assert_eq!(lagging.frontends[0].stats.slow_disconnects, 0);

    // It reads again, faster than ticks come: first what lay in the sockets' buffers, then the latest of each, and when it
    // has caught up, every tick once more.
    let mut follower = Follower::default();
    let jumps =
        |follower: &Follower| instruments.iter().map(|name| follower.jumps(name)).sum::<u64>();
    follower.until(&mut client, "the conflated ones", |follower| jumps(follower) > 0).await;
    let (mut straight, mut before) = (0, 0);
    follower
        .until(&mut client, "every tick once more", |follower| {
            let now = jumps(follower);
            straight = if now == before { straight + 1 } else { 0 };
            before = now;
            straight >= 3000
        })
        .await;
    client.close().await;
    fleet.stop().await;
}

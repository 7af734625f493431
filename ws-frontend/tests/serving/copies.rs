//! Several workers carry one instrument: clients see one stream, and the coordinator how the workers compare.

use shm_layout::ring::TickWriter;
use shm_layout::{NO_TIME, Tick, TickFlags, WorkerId};
use tokio_tungstenite::tungstenite::Message;

use crate::stage::{Stage, publish, tick};

/// Publishes a tick as two fronts send it: what they add differs.
fn publish_by_both(first: &mut TickWriter, second: &mut TickWriter, volume: i32) {
    publish(first, "AP610", volume);
    let added =
        Tick { turnover: f64::from(volume), banding_upper_price: 0.0, ..tick("AP610", volume) };
    assert_eq!(second.publish(&mut [added]), 0);
}

#[tokio::test]
async fn a_client_gets_each_tick_once_and_notices_no_death() {
    const TICKS: i32 = 2000;
    let (stage, mut coordinator) = Stage::start().await;
    let mut client = coordinator.client().await;
    client.subscribe(&["AP610"]).await;
    let (mut one, mut other) = (stage.worker(3), stage.worker(4));
    // A few at a time: of a worker that is far ahead in the ring the others' ticks count as late, and not as copies.
    for round in 0..TICKS / 5 {
        let volumes = round * 5..(round + 1) * 5;
        for volume in volumes.clone() {
            if round % 10 < 7 {
                publish_by_both(&mut one, &mut other, volume);
            } else {
                publish_by_both(&mut other, &mut one, volume);
            }
            // The exchange says the same once more, and means it.
            if volume % 100 == 0 {
                publish_by_both(&mut one, &mut other, volume);
            }
        }
        for volume in volumes {
            for _ in 0..=i32::from(volume % 100 == 0) {
                assert_eq!(client.tick().await.1, i64::from(volume));
            }
        }
    }
    let each = u64::from(TICKS.unsigned_abs()) * 101 / 100;
    coordinator
        .until("both workers' ticks", |told| {
            told.views.len() == 2 && told.views.iter().all(|view| view.ticks == each)
        })
        .await;
    let views = &coordinator.views;
    let sum =
        |of: fn(&shm_layout::control::ConnectionView) -> u64| views.iter().map(of).sum::<u64>();
    assert_eq!((sum(|v| v.copies), sum(|v| v.won)), (each, each), "{views:?}");
    assert_eq!((sum(|v| v.late), sum(|v| v.missed), sum(|v| v.lost)), (0, 0, 0), "{views:?}");
    let mut workers: Vec<WorkerId> = views.iter().map(|view| view.worker).collect();
    workers.sort_unstable();
    assert_eq!(workers, [WorkerId(3), WorkerId(4)]);

    // One ends while it is ahead.
    for volume in TICKS..TICKS + 5 {
        publish(&mut one, "AP610", volume);
    }
    drop(one);
    for volume in TICKS..TICKS + 50 {
        publish(&mut other, "AP610", volume);
    }
    for volume in TICKS..TICKS + 50 {
        assert_eq!(client.tick().await.1, i64::from(volume));
    }
    coordinator.until("all", |told| told.stats.ticks == each + 50).await;
    let stats = coordinator.stats;
    assert_eq!(
        (stats.pushed, stats.conflated, stats.overrun, stats.ring_lost),
        (each + 50, 0, 0, 0)
    );
}

#[tokio::test]
async fn the_last_tick_published_once_more_reaches_who_has_not_seen_it_and_nobody_else() {
    let (stage, mut coordinator) = Stage::start().await;
    let (mut one, mut other) = (stage.worker(0), stage.worker(1));
    let mut returning = coordinator.client().await;
    returning.subscribe(&["rb2601"]).await;
    publish(&mut one, "rb2601", 7);
    publish(&mut other, "rb2601", 7);
    assert_eq!(returning.tick().await.1, 7);
    // The frontend forgets the tick with its last client.
    returning.send(Message::text(r#"{"action":"unsubscribe","instruments":["rb2601"]}"#)).await;
    coordinator.until_demand(&["rb2601"]).await;
    coordinator.until_demand(&[]).await;
    returning.json().await;
    returning.subscribe(&["rb2601"]).await;
    coordinator.until_demand(&["rb2601"]).await;
    let snapshot = Tick { flags: TickFlags::SNAPSHOT.0, ..tick("rb2601", 7) };
    assert_eq!(snapshot.receive_time_ns, NO_TIME);
    // Asked for by this frontend, then by another one.
    for _ in 0..2 {
        assert_eq!(other.publish(&mut [snapshot]), 0);
        let added = Tick { banding_upper_price: 0.0, ..snapshot };
        assert_eq!(one.publish(&mut [added]), 0);
    }
    publish(&mut one, "rb2601", 8);
    assert_eq!(returning.tick().await.1, 7);
    assert_eq!(returning.tick().await.1, 8);
}

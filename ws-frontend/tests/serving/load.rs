//! More than somebody can take.

use std::collections::HashMap;

use futures_util::StreamExt;
use nix::sys::signal::Signal;
use shm_layout::{Tick, clock};
use tokio_tungstenite::tungstenite::Message;

use crate::stage::{Client, Stage, publish, tick, within};

#[tokio::test]
async fn a_stalled_client_is_conflated_then_disconnected_and_nobody_else_notices() {
    let (stage, mut coordinator) = Stage::start().await;
    let mut worker = stage.worker(0);
    let mut stalled = Client::connect(&coordinator.listening_on, Some(4096)).await;
    stalled.subscribe(&["rb2601", "au2512"]).await;
    let mut reader = coordinator.client().await;
    reader.subscribe(&["rb2601"]).await;
    let mut volume = 0;
    while coordinator.stats.conflated == 0 {
        for _ in 0..2000 {
            publish(&mut worker, "rb2601", volume);
            publish(&mut worker, "au2512", volume);
            assert_eq!(reader.tick().await, ("rb2601".to_owned(), i64::from(volume)));
            volume += 1;
        }
        coordinator
            .until("counters", |told| told.stats.ticks == 2 * u64::from(volume.unsigned_abs()))
            .await;
    }
    coordinator.until("the end of its patience", |told| told.stats.slow_disconnects == 1).await;
    publish(&mut worker, "rb2601", volume);
    assert_eq!(reader.tick().await.1, i64::from(volume));
    // What was under way arrives whole and in order, then the close frame.
    let (code, texts) = stalled.until_closed().await;
    assert_eq!(code, 1013);
    let mut last = HashMap::new();
    for text in &texts {
        let tick: serde_json::Value = serde_json::from_str(text).unwrap();
        let before =
            last.insert(tick["instrument_id"].to_string(), tick["volume"].as_i64().unwrap());
        assert!(before.is_none_or(|before| before < tick["volume"].as_i64().unwrap()));
    }
    assert_eq!(last.len(), 2);
}

#[tokio::test]
async fn a_client_that_pauses_gets_the_latest_of_each_instrument_when_it_reads_again() {
    let (stage, mut coordinator) = Stage::start().await;
    let mut worker = stage.worker(0);
    let mut pausing = Client::connect(&coordinator.listening_on, Some(4096)).await;
    let names: Vec<String> = (0..50).map(|number| format!("i{number}")).collect();
    let borrowed: Vec<&str> = names.iter().map(String::as_str).collect();
    pausing.subscribe(&borrowed).await;
    let mut round = 0;
    while coordinator.stats.conflated == 0 {
        for _ in 0..100 {
            let mut ticks: Vec<_> = names.iter().map(|name| tick(name, round)).collect();
            assert_eq!(worker.publish(&mut ticks), 0);
            round += 1;
        }
        let all = u64::from(round.unsigned_abs()) * names.len() as u64;
        coordinator.until("counters", |told| told.stats.ticks + told.stats.ring_lost == all).await;
    }
    let newest = i64::from(round - 1);
    let mut last: HashMap<String, i64> = HashMap::new();
    let mut read = 0;
    while names.iter().any(|name| last.get(name) != Some(&newest)) {
        let (instrument, volume) = pausing.tick().await;
        let before = last.insert(instrument, volume);
        assert!(before.is_none_or(|before| before < volume));
        read += 1;
    }
    coordinator.until("counters", |told| told.stats.pushed >= read).await;
    let stats = coordinator.stats;
    assert_eq!((stats.pushed, stats.slow_disconnects), (read, 0));
    assert_eq!(stats.pushed + stats.conflated + stats.overrun, stats.ticks, "all is accounted for");
}

#[tokio::test]
async fn ticks_that_the_ring_kept_during_a_pause_of_the_frontend_are_sent_one_by_one() {
    const TICKS: i32 = 4000;
    let (stage, mut coordinator) = Stage::start().await;
    let mut worker = stage.worker(0);
    let mut client = coordinator.client().await;
    client.subscribe(&["rb2601"]).await;
    stage.signal(Signal::SIGSTOP);
    // As if it had been stopped for four seconds.
    let began = clock::unix_ns() - i64::from(TICKS) * 1_000_000;
    for volume in 0..TICKS {
        let receive_time_ns = began + i64::from(volume) * 1_000_000;
        let tick = Tick { receive_time_ns, ..tick("rb2601", volume) };
        assert_eq!(worker.publish(&mut [tick]), 0);
    }
    stage.signal(Signal::SIGCONT);
    for volume in 0..TICKS {
        assert_eq!(client.tick().await.1, i64::from(volume));
    }
    let all = u64::from(TICKS.unsigned_abs());
    coordinator.until("all ticks to be counted", |told| told.stats.ticks == all).await;
    let stats = coordinator.stats;
    assert_eq!((stats.pushed, stats.conflated, stats.overrun, stats.ring_lost), (all, 0, 0, 0));
}

#[tokio::test]
async fn half_a_million_ticks_at_once_leave_memory_bounded_and_every_loss_counted() {
    const TICKS: u64 = 500_000;
    const INSTRUMENTS: u64 = 500;
    let (stage, mut coordinator) = Stage::start().await;
    let mut worker = stage.worker(0);
    let mut client = coordinator.client().await;
    let names: Vec<String> = (0..INSTRUMENTS).map(|number| format!("i{number}")).collect();
    let borrowed: Vec<&str> = names.iter().map(String::as_str).collect();
    client.subscribe(&borrowed).await;
    let before = stage.resident_kib();
    let burst = tokio::task::spawn_blocking(move || {
        let mut unpublished = 0;
        for round in 0..TICKS / INSTRUMENTS {
            let round = i32::try_from(round).unwrap();
            let receive_time_ns = clock::unix_ns();
            let received = |name| Tick { receive_time_ns, ..tick(name, round) };
            let mut ticks: Vec<_> = names.iter().map(|name| received(name)).collect();
            unpublished += worker.publish(&mut ticks) as u64;
        }
        (worker, unpublished)
    });
    let (mut worker, unpublished) = burst.await.unwrap();
    assert_eq!(unpublished, 0);
    // One more, so that what was lost before it is known.
    publish(&mut worker, "i0", i32::MAX);
    let reading = async {
        let mut read = 0_u64;
        loop {
            let message = within("a tick", client.socket.next()).await.unwrap().unwrap();
            read += 1;
            let Message::Text(text) = message else { panic!("{message:?}") };
            if text.contains(&format!("\"volume\":{},", i32::MAX)) {
                return read;
            }
        }
    };
    let listening = coordinator.until("all ticks to be counted", |told| {
        told.stats.ticks + told.stats.ring_lost == TICKS + 1
    });
    let (read, ()) = tokio::join!(reading, listening);
    let stats = coordinator.stats;
    println!("read {read}, {stats:?}");
    assert!(stats.pushed + stats.conflated + stats.overrun <= stats.ticks);
    let grown = stage.resident_kib().saturating_sub(before);
    assert!(grown < 128 << 10, "grew by {grown} KiB");
}

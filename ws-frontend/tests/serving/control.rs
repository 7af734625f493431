//! The frontend and its coordinator: demand, absence, the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::Signal;
use shm_layout::control::{ListedFacts, ListedInstrument, ToFrontend};
use shm_layout::{ExchangeId, InstrumentId};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message;

use crate::stage::{Stage, command, publish, run_to_end, tick};

fn listed(ids: &[&str]) -> Vec<ListedInstrument> {
    let listed = |id: &&str| ListedInstrument {
        instrument: InstrumentId::parse(id).unwrap(),
        exchange: ExchangeId::SHFE,
        facts: ListedFacts::default(),
    };
    ids.iter().map(listed).collect()
}

#[tokio::test]
async fn demand_follows_the_clients_and_a_dropped_connection_ends_its_own() {
    let (_stage, mut coordinator) = Stage::start().await;
    coordinator.until_demand(&[]).await;
    let mut first = coordinator.client().await;
    let mut second = coordinator.client().await;
    first.subscribe(&["rb2601", "au2512"]).await;
    second.subscribe(&["au2512", "cu2512"]).await;
    coordinator.until_demand(&["au2512", "cu2512", "rb2601"]).await;
    second.send(Message::text(r#"{"action":"unsubscribe","instruments":["cu2512"]}"#)).await;
    coordinator.until_demand(&["au2512", "rb2601"]).await;
    drop(first);
    coordinator.until_demand(&["au2512"]).await;
    coordinator.until("the session's end", |told| told.stats.sessions == 1).await;
    second.socket.close(None).await.unwrap();
    coordinator.until_demand(&[]).await;
    coordinator.until("the session's end", |told| told.stats.sessions == 0).await;
    assert_eq!(coordinator.stats.sessions_opened, 2);
}

#[tokio::test]
async fn all_goes_on_without_a_coordinator_and_the_next_one_is_told_all() {
    let (mut stage, mut coordinator) = Stage::start().await;
    let mut worker = stage.worker(0);
    coordinator
        .say(&ToFrontend::Universe { first: true, last: false, instruments: listed(&["rb2601"]) })
        .await;
    coordinator
        .say(&ToFrontend::Universe { first: false, last: true, instruments: listed(&["cu2512"]) })
        .await;
    let mut client = coordinator.client().await;
    client.subscribe(&["rb2601"]).await;
    coordinator.until_demand(&["rb2601"]).await;
    let address = coordinator.listening_on.clone();
    drop(coordinator);
    stage.close_control_socket();

    publish(&mut worker, "rb2601", 1);
    assert_eq!(client.tick().await.1, 1);
    client.subscribe(&["au2512"]).await;
    publish(&mut worker, "au2512", 2);
    assert_eq!(client.tick().await.1, 2);
    client.send(Message::text(r#"{"action":"list"}"#)).await;
    assert_eq!(
        client.text().await,
        r#"{"type":"instrument_list","instruments":["au2512","cu2512","rb2601"],"total_count":3,"count":3}"#
    );
    client.send(Message::text(r#"{"action":"search","pattern":"B26"}"#)).await;
    assert_eq!(
        client.text().await,
        r#"{"type":"search_result","pattern":"B26","instruments":["rb2601"],"match_count":1,"count":1}"#
    );

    let mut next = stage.coordinator().await;
    assert_eq!(next.listening_on, address);
    next.until_demand(&["au2512", "rb2601"]).await;
    publish(&mut worker, "rb2601", 3);
    assert_eq!(client.tick().await.1, 3);
}

#[tokio::test]
async fn a_log_that_cannot_be_written_ends_nothing() {
    let (mut stage, coordinator) = Stage::start_unheard().await;
    let mut worker = stage.worker(0);
    let mut client = coordinator.client().await;
    client.subscribe(&["rb2601"]).await;
    // It has something to say about this.
    drop(coordinator);
    let mut next = stage.coordinator().await;
    next.until_demand(&["rb2601"]).await;
    publish(&mut worker, "rb2601", 1);
    assert_eq!(client.tick().await.1, 1);
    stage.signal(Signal::SIGTERM);
    assert_eq!(client.until_closed().await, (1001, vec![]));
    assert_eq!(stage.exit().await.code(), Some(0));
}

#[tokio::test]
async fn a_signal_says_goodbye_to_all_and_leaves_no_lock() {
    let (mut stage, coordinator) = Stage::start().await;
    let clients = [coordinator.client().await, coordinator.client().await];
    stage.signal(Signal::SIGTERM);
    for client in clients {
        assert_eq!(client.until_closed().await, (1001, vec![]));
    }
    assert_eq!(stage.exit().await.code(), Some(0));
    assert!(!stage.paths.frontend_lock().exists());
}

#[tokio::test]
async fn a_signal_is_heard_under_load() {
    let (mut stage, coordinator) = Stage::start().await;
    let mut client = coordinator.client().await;
    client.subscribe(&["rb2601"]).await;
    let mut worker = stage.worker(0);
    let enough = Arc::new(AtomicBool::new(false));
    let publishing = tokio::task::spawn_blocking({
        let enough = Arc::clone(&enough);
        move || {
            while !enough.load(Ordering::Relaxed) {
                assert_eq!(worker.publish(&mut [tick("rb2601", 1); 64]), 0);
            }
            worker
        }
    });
    client.tick().await;
    stage.signal(Signal::SIGTERM);
    let (code, _) = client.until_closed().await;
    let status = stage.exit().await;
    enough.store(true, Ordering::Relaxed);
    let _worker = publishing.await.unwrap();
    assert_eq!((code, status.code()), (1001, Some(0)));
}

#[tokio::test]
async fn a_killed_frontend_leaves_room_for_the_next() {
    let (mut stage, coordinator) = Stage::start().await;
    let client = coordinator.client().await;
    stage.signal(Signal::SIGKILL);
    assert_eq!(stage.exit().await.code(), None);
    assert!(stage.paths.frontend_lock().exists());
    drop((client, coordinator));
    let mut coordinator = stage.restart().await;
    coordinator.until_demand(&[]).await;
    let mut client = coordinator.client().await;
    client.subscribe(&["rb2601"]).await;
    let mut worker = stage.worker(0);
    publish(&mut worker, "rb2601", 1);
    assert_eq!(client.tick().await.1, 1);
}

#[tokio::test]
async fn the_coordinators_word_ends_it_too_even_with_a_client_that_does_not_listen() {
    let (mut stage, mut coordinator) = Stage::start().await;
    let _deaf = coordinator.client().await;
    coordinator.say(&ToFrontend::Stop).await;
    assert_eq!(stage.exit().await.code(), Some(0));
}

#[tokio::test]
async fn what_cannot_work_is_said_with_its_remedy_and_exit_code() {
    let (stage, _coordinator) = Stage::start().await;
    let (code, said) = run_to_end(command(&stage.paths, 0)).await;
    assert_eq!(code, Some(64), "{said}");
    assert!(said.contains(&format!("process {}", stage.child.id().unwrap())), "{said}");

    let (mut other, _coordinator) = Stage::start().await;
    other.signal(Signal::SIGINT);
    assert_eq!(other.exit().await.code(), Some(0));
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port();
    let (code, said) = run_to_end(command(&other.paths, port)).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains(&format!("port {port} is in use")) && said.contains("websocket_port"),
        "{said}"
    );

    let mut bad = command(&other.paths, 0);
    bad.arg("--nonsense");
    let (code, said) = run_to_end(bad).await;
    assert_eq!(code, Some(64), "{said}");
}

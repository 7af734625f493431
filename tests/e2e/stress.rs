//! Many clients, many instruments, five brokers of different sizes, each strategy: everybody gets everything, spread as the
//! strategy says, while a worker dies and a front goes away; and nothing is left when nobody wants anything.

use std::collections::BTreeMap;

use nix::sys::signal::Signal;
use qamd_tests::client::Client;
use qamd_tests::fleet::{Fleet, FleetPlan, Home, is_settled, worker_of};
use qamd_tests::processes;
use qamd_tests::ring_tap::carriers;
use qamd_tests::watch::{eventually, guarded};
use serde_json::json;
use shm_layout::clock;
use shm_layout::control::FleetStatus;

/// What each connection may carry.
const ROOM: [(&str, u32); 5] =
    [("alpha", 20), ("beta", 30), ("gamma", 40), ("delta", 25), ("epsilon", 35)];
const PRODUCTS: [&str; 10] = ["rb", "hc", "cu", "al", "zn", "au", "ag", "ru", "m", "y"];
const INSTRUMENTS: u32 = 71;

fn universe() -> Vec<String> {
    let months =
        (0..8).flat_map(|month| PRODUCTS.map(|product| format!("{product}{}", 2601 + month)));
    months.take(INSTRUMENTS as usize).collect()
}

/// A fleet whose fronts send one market, and whose epsilon goes away for good once a file is made.
async fn five(strategy: &str) -> Fleet {
    let home = Home::new();
    let clock = json!({"start": "2026-01-12T09:30:00", "anchor_unix_ms": clock::unix_ms()});
    let gone = home.path("gone");
    let mut plan = FleetPlan::in_home(home).set("load_balance_strategy", strategy);
    for (number, (id, room)) in (1..).zip(ROOM) {
        let faults = match id {
            "epsilon" => json!([
                {"when_file": gone, "do": "disconnect", "reconnect_after_ms": null}
            ]),
            _ => json!([]),
        };
        let script = json!({"clock": clock, "faults": faults});
        plan = plan.connection(json!({
            "connection_id": id,
            "broker_id": format!("100{number}"),
            "max_subscriptions": room,
            "priority": number,
            "env": {"QAMD_SIM": script.to_string()},
        }));
    }
    plan.start_ready().await
}

/// Three clients: one wants the first forty, one the last forty, one everything.
async fn clients(fleet: &Fleet) -> Vec<(Client, Vec<String>)> {
    let all = universe();
    let mut clients = Vec::new();
    for wanted in [&all[..40], &all[31..], &all[..]] {
        clients.push((fleet.client().await, wanted.to_vec()));
    }
    // All at once.
    for (client, wanted) in &mut clients {
        let request = json!({"action": "subscribe", "instruments": wanted});
        client.send_text(request.to_string()).await;
    }
    for (client, wanted) in &mut clients {
        let answer: serde_json::Value =
            serde_json::from_str(&client.next_answer_text().await).unwrap();
        assert_eq!(answer["subscribed_count"], wanted.len(), "{answer}");
    }
    clients
}

/// Every client sees further ticks of everything it wants.
async fn all_tick(clients: &mut [(Client, Vec<String>)]) {
    for (client, wanted) in clients {
        let mut missing: BTreeMap<&str, u32> =
            wanted.iter().map(|instrument| (instrument.as_str(), 3)).collect();
        guarded("ticks of everything a client wants", async {
            while !missing.is_empty() {
                let push = client.next_push().await;
                if let Some(left) = missing.get_mut(push.instrument()) {
                    *left -= 1;
                    if *left == 0 {
                        missing.remove(push.instrument());
                    }
                }
            }
        })
        .await;
    }
}

async fn settled(fleet: &Fleet) -> FleetStatus {
    let fits = |status: &FleetStatus| is_settled(status, INSTRUMENTS, 1);
    let status = fleet.status_when("everything ticks where it is to stay", fits).await;
    for worker in &status.workers {
        assert!(worker.subscriptions <= worker.max_subscriptions, "{worker:?}");
    }
    status
}

fn loads(status: &FleetStatus) -> Vec<u32> {
    ROOM.iter().map(|(id, _)| worker_of(status, id).subscriptions).collect()
}

/// Who carries each instrument, by the ring.
async fn places(fleet: &Fleet) -> BTreeMap<String, u32> {
    let (mut tap, mut ticks) = (fleet.tap(), Vec::new());
    eventually("every instrument ticks in the ring", async || {
        ticks.extend(tap.take());
        Some(carriers(&ticks)).filter(|carriers| carriers.len() == INSTRUMENTS as usize)
    })
    .await
}

/// One worker dies and another's front goes for good; everybody still gets everything. Then nobody wants anything.
async fn weather(fleet: Fleet, mut clients: Vec<(Client, Vec<String>)>) {
    let before = fleet.status_now().await;
    std::fs::write(fleet.home().path("gone"), "").unwrap();
    processes::signal(worker_of(&before, "gamma").pid.unwrap(), Signal::SIGKILL);
    fleet
        .status_when("the others carry what those two did", |status| {
            worker_of(status, "epsilon").subscriptions == 0
                && worker_of(status, "gamma").restarts == 1
                && is_settled(status, INSTRUMENTS, 1)
        })
        .await;
    all_tick(&mut clients).await;
    let after = settled(&fleet).await;
    for id in ["alpha", "beta", "delta"] {
        let (known, now) = (worker_of(&before, id), worker_of(&after, id));
        assert_eq!((known.pid, now.stats.logins), (now.pid, 1), "{id} was left alone");
    }
    for (client, wanted) in &mut clients {
        client.unsubscribe(&wanted.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }
    fleet
        .status_when("nothing is subscribed anywhere", |status| {
            let nothing = |worker: &shm_layout::control::WorkerStatus| {
                (worker.subscriptions, worker.stats.instruments) == (0, 0)
            };
            status.wanted == 0 && status.workers.iter().all(nothing)
        })
        .await;
    fleet.stop().await;
}

/// The loads once everybody has everything.
async fn spread(strategy: &str) -> (Fleet, Vec<(Client, Vec<String>)>, Vec<u32>) {
    let fleet = five(strategy).await;
    let mut clients = clients(&fleet).await;
    let status = settled(&fleet).await;
    assert_eq!(status.strategy, strategy);
    all_tick(&mut clients).await;
    (fleet, clients, loads(&status))
}

#[tokio::test]
async fn round_robin_spreads_evenly() {
    let (fleet, clients, loads) = spread("round_robin").await;
    assert_eq!(loads, [15, 14, 14, 14, 14], "in turn, the first one first");
    weather(fleet, clients).await;
}

#[tokio::test]
async fn least_connections_spreads_evenly() {
    let (fleet, clients, loads) = spread("least_connections").await;
    assert!(loads.iter().all(|load| [14, 15].contains(load)), "{loads:?}");
    weather(fleet, clients).await;
}

#[tokio::test]
async fn connection_quality_spreads_by_capacity() {
    let (fleet, clients, loads) = spread("connection_quality").await;
    let room: u32 = ROOM.iter().map(|(_, room)| room).sum();
    for ((id, own), load) in ROOM.iter().zip(&loads) {
        let share = f64::from(INSTRUMENTS) * f64::from(*own) / f64::from(room);
        assert!((f64::from(*load) - share).abs() <= 1.5, "{id} has {load} of {loads:?}");
    }
    weather(fleet, clients).await;
}

#[tokio::test]
async fn hash_based_puts_everything_back_where_it_was() {
    let (mut fleet, clients_before, loads_before) = spread("hash_based").await;
    assert!(loads_before.iter().all(|load| *load > 0), "everybody has a share: {loads_before:?}");
    let before = places(&fleet).await;
    drop(clients_before);
    processes::signal(fleet.coordinator_pid(), Signal::SIGTERM);
    assert_eq!(fleet.wait_ended().await.code(), Some(0));
    fleet.assert_nothing_left();
    fleet.run();
    fleet.wait_serving().await;
    fleet.wait_ready().await;
    let mut again = clients(&fleet).await;
    settled(&fleet).await;
    all_tick(&mut again).await;
    assert_eq!(places(&fleet).await, before, "the same names lead to the same places");
    weather(fleet, again).await;
}

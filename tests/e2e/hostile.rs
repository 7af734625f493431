//! Clients that send what no client should. The fleet lives, and a good client beside them loses nothing.

use std::time::Duration;

use qamd_tests::client::Client;
use qamd_tests::fleet::{Fleet, FleetPlan, Home, worker_of};
use qamd_tests::raw::{Opcode, RawClient, close_code, frame, header};
use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;

use crate::scripts::{Follower, counting};

/// A fleet with a good client on it.
struct Scene {
    fleet: Fleet,
    address: String,
    good: Client,
    follower: Follower,
    pids: Vec<Option<u32>>,
}

const GOOD: [&str; 1] = ["rb2601"];

impl Scene {
    async fn begin() -> Self {
        let home = Home::new();
        let script = counting(&home, &["rb2601", "cu2601"], 100);
        let fleet = FleetPlan::in_home(home).simulated("alpha", &script).start_ready().await;
        let address = fleet.address().await;
        let mut good = fleet.client().await;
        good.subscribe(&GOOD).await;
        let mut follower = Follower::default();
        follower.advance(&mut good, &GOOD, 3).await;
        let pids = pids(&fleet).await;
        Self { fleet, address, good, follower, pids }
    }

    /// The good client's ticks went on without a gap, and no process died.
    async fn end(mut self) {
        self.follower.advance(&mut self.good, &GOOD, 10).await;
        assert_eq!(self.follower.jumps("rb2601"), 0);
        assert_eq!(pids(&self.fleet).await, self.pids, "no process died");
        self.fleet.stop().await;
    }
}

async fn pids(fleet: &Fleet) -> Vec<Option<u32>> {
    let status = fleet.status_now().await;
    vec![Some(status.pid), status.frontends[0].pid, worker_of(&status, "alpha").pid]
}

fn assert_error(answer: &Value, of: &str) {
    assert_eq!(answer["type"], "error", "{of}: {answer}");
    assert!(answer["message"].as_str().is_some_and(|text| text.len() > 10), "{of}: {answer}");
    assert!(answer["timestamp"].is_i64(), "{of}: {answer}");
    assert!(answer.to_string().len() < 1000, "{of} is not repeated whole: {answer}");
}

#[tokio::test]
async fn wrong_json_is_answered_and_the_connection_lives() {
    let scene = Scene::begin().await;
    let mut client = Client::connect(&scene.address).await;
    let deep = format!("{}1{}", "[".repeat(50_000), "]".repeat(50_000));
    let deep_object = "{\"a\":".repeat(50_000);
    let long_id = format!(r#"{{"action":"subscribe","instruments":["{}"]}}"#, "x".repeat(500_000));
    let texts = [
        "[]",
        "1",
        "null",
        "true",
        "\"subscribe\"",
        "",
        " ",
        "\u{feff}{}",
        "{",
        "}{",
        "{}",
        "[[]]",
        "-0",
        "1e999",
        "NaN",
        r#"{"action":{}}"#,
        r#"{"action":[]}"#,
        r#"{"action":""}"#,
        r#"{"action":"SUBSCRIBE","instruments":["rb2601"]}"#,
        r#"{"action":"subscribe"}"#,
        r#"{"action":"subscribe","instruments":null}"#,
        r#"{"action":"subscribe","instruments":"rb2601"}"#,
        r#"{"action":"subscribe","instruments":{"0":"rb2601"}}"#,
        r#"{"action":"subscribe","instruments":[null]}"#,
        r#"{"action":"subscribe","instruments":["rb2601",["rb2602"]]}"#,
        r#"{"action":"subscribe","instruments":["rb2601\u0000"]}"#,
        r#"{"action":"subscribe","instruments":["rb\"2601"]}"#,
        r#"{"action":"subscribe","instruments":["../../etc/passwd\n"]}"#,
        r#"{"action":"subscribe","instruments":["\ud800"]}"#,
        r#"{"action":"search"}"#,
        r#"{"action":"search","pattern":{}}"#,
        deep.as_str(),
        deep_object.as_str(),
        long_id.as_str(),
    ];
    for text in texts {
        let shown: String = text.chars().take(60).collect();
        assert_error(&client.ask_text(text).await, &shown);
    }
    for bytes in [&b""[..], b"\x00\xff", br#"{"action":"list"}"#] {
        client.send(Message::binary(bytes.to_vec())).await;
        let answer = client.next_answer_text().await;
        assert_error(&serde_json::from_str(&answer).unwrap(), "a binary message");
    }
    client.subscribe(&["cu2601"]).await;
    client
        .push_until("the same connection still subscribes", |push| push.instrument() == "cu2601")
        .await;
    let stats = scene.fleet.status_when("all are counted", |status| {
        status.frontends[0].stats.bad_messages == texts.len() as u64 + 3
    });
    stats.await;
    scene.end().await;
}

#[tokio::test]
async fn broken_frames_end_their_own_connection_with_the_standards_code() {
    let scene = Scene::begin().await;
    let mut unmasked = header(Opcode::Text, true, 2);
    unmasked[1] &= 0x7f;
    unmasked.truncate(2);
    unmasked.extend(b"{}");
    let mut reserved = frame(Opcode::Text, b"{}");
    reserved[0] |= 0x40;
    let cases: [(&str, Vec<u8>, &[u16]); 7] = [
        ("invalid UTF-8", frame(Opcode::Text, b"{\"action\":\"\xff\xfe\"}"), &[1007]),
        ("10 MB", frame(Opcode::Text, &vec![b'x'; 10 << 20]), &[1009]),
        ("a length beyond any memory", header(Opcode::Text, true, usize::MAX >> 1), &[1009, 1002]),
        ("an unmasked frame", unmasked, &[1002]),
        ("a reserved bit", reserved, &[1002]),
        ("a continuation of nothing", frame(Opcode::Continuation, b"{}"), &[1002]),
        ("a ping of 1000 bytes", frame(Opcode::Ping, &[0; 1000]), &[1002]),
    ];
    for (what, bytes, codes) in cases {
        let client = RawClient::shake_hands(&scene.address).await;
        let said = client.pour(&bytes).await;
        let code = close_code(&said);
        assert!(code.is_some_and(|code| codes.contains(&code)), "{what}: {code:?}");
    }
    scene.end().await;
}

#[tokio::test]
async fn a_million_instruments_are_refused_and_many_are_not() {
    let scene = Scene::begin().await;
    let request = |count: usize| {
        let ids: Vec<String> = (0..count).map(|number| format!("\"a{number}\"")).collect();
        format!(r#"{{"action":"subscribe","instruments":[{}]}}"#, ids.join(","))
    };
    // More bytes than a message may have.
    let client = RawClient::shake_hands(&scene.address).await;
    let said = client.pour(&frame(Opcode::Text, request(1_000_000).as_bytes())).await;
    assert_eq!(close_code(&said), Some(1009));
    // Few enough bytes, more instruments than a session may have.
    let mut client = Client::connect(&scene.address).await;
    assert_error(&client.ask_text(request(100_000)).await, "100,000 instruments");
    let status = scene.fleet.status_now().await;
    assert_eq!(status.wanted, 1, "nothing was subscribed");
    // As many as a session may have: more than the fleet has room for.
    let answer = client.ask_text(request(29_999)).await;
    assert_eq!(answer["subscribed_count"], 29_999, "{answer}");
    let status = scene.fleet.status_when("all that fit are placed", |status| {
        (status.wanted, status.placed) == (30_000, 1000)
    });
    assert_eq!(status.await.waiting_for_room, 29_000);
    drop(client);
    scene.fleet.status_when("all of it is released", |status| status.wanted == 1).await;
    scene.end().await;
}

#[tokio::test]
async fn half_of_anything_costs_nothing() {
    let scene = Scene::begin().await;
    // A request that never ends, a handshake that is none, and connections without a word.
    let mut halves = Vec::new();
    for bytes in [&b"GET / HT"[..], b"GET / HTTP/1.1\r\nHost: x\r\n", b"\x16\x03\x01\x02\x00", b""]
    {
        let mut client = RawClient::connect(&scene.address).await;
        client.write(bytes).await.unwrap();
        halves.push(client);
    }
    // Half a frame, then silence; half a frame, then gone.
    let whole = frame(Opcode::Text, br#"{"action":"subscribe","instruments":["cu2601"]}"#);
    let mut half = RawClient::shake_hands(&scene.address).await;
    half.write(&whole[..whole.len() / 2]).await.unwrap();
    let mut gone = RawClient::shake_hands(&scene.address).await;
    gone.write(&whole[..1]).await.unwrap();
    drop(gone);
    // A plain HTTP request gets an answer and no connection.
    let mut plain = RawClient::connect(&scene.address).await;
    plain.write(b"GET /status HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let answer = String::from_utf8_lossy(&plain.read_out().await).into_owned();
    assert!(answer.starts_with("HTTP/1.1 426"), "{answer}");

    // Handshakes that do not come to an end are ended.
    for client in &mut halves {
        client.read_out().await;
    }
    // The other half, later: the message is whole.
    half.write(&whole[whole.len() / 2..]).await.unwrap();
    scene.fleet.status_when("the late half subscribes", |status| status.wanted == 2).await;
    let counted = scene
        .fleet
        .status_when("they are counted", |status| status.frontends[0].stats.handshakes_failed >= 4);
    counted.await;
    scene.end().await;
}

#[tokio::test]
async fn many_connections_that_come_and_go_leave_nothing() {
    let scene = Scene::begin().await;
    for _ in 0..20 {
        let mut clients = Vec::new();
        for _ in 0..10 {
            let mut client = Client::connect(&scene.address).await;
            client.subscribe(&["cu2601", "rb2601"]).await;
            clients.push(client);
        }
        // All at once, without a goodbye.
        drop(clients);
    }
    let status = scene.fleet.status_when("only the good client is left", |status| {
        let stats = &status.frontends[0].stats;
        (stats.sessions, stats.sessions_opened, status.wanted) == (1, 201, 1)
    });
    status.await;
    tokio::time::timeout(Duration::from_secs(60), scene.end()).await.unwrap();
}

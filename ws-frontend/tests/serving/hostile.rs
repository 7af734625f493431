//! Clients that do not know the rules, and clients that know them well enough to break them.

use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::stage::{Client, Stage, publish, within};

#[tokio::test]
async fn a_wrong_message_is_answered_and_the_connection_lives_on() {
    let (stage, mut coordinator) = Stage::start().await;
    let mut worker = stage.worker(0);
    let mut client = coordinator.client().await;
    let many = vec!["\"rb2601\""; 100_000].join(",");
    let million = format!(r#"{{"action":"subscribe","instruments":[{many}]}}"#);
    let long_id = format!(r#"{{"action":"subscribe","instruments":["{}"]}}"#, "x".repeat(1 << 19));
    let deep = "[".repeat(500_000);
    let wrong: [(Message, &str); 12] = [
        (Message::text("[]"), "the message is an array"),
        (Message::text("1"), "the message is a number"),
        (Message::text("null"), "the message is null"),
        (Message::text(""), "not JSON"),
        (Message::text("{}"), "no \"action\""),
        (Message::text(r#"{"action":"drop tables"}"#), "unknown action \"drop tables\""),
        (
            Message::text(r#"{"action":"subscribe","instruments":["rb2601",null]}"#),
            "item 2 of \"instruments\" is null",
        ),
        (
            Message::text(r#"{"action":"subscribe","instruments":["DCE.rb2601"]}"#),
            "rb2601 is traded on SHFE, not DCE",
        ),
        (Message::text(million), "\"instruments\" has 100000 items"),
        (Message::text(long_id), "longer than 80 bytes"),
        (Message::text(deep), "not JSON"),
        (Message::binary(vec![1, 2, 3]), "a binary message was sent"),
    ];
    let count = wrong.len() as u64;
    for (message, expected) in wrong {
        client.send(message).await;
        let answer = client.json().await;
        assert_eq!(answer["type"], "error");
        assert!(answer["message"].as_str().unwrap().contains(expected), "{answer}");
        assert!(answer["timestamp"].as_i64().unwrap() > 1_700_000_000_000);
    }
    client.send(Message::Ping(b"hello".as_slice().into())).await;
    assert_eq!(client.message().await, Message::Pong(b"hello".as_slice().into()));
    client.subscribe(&["rb2601"]).await;
    publish(&mut worker, "rb2601", 1);
    assert_eq!(client.tick().await.1, 1);
    coordinator.until("the counters", |told| told.stats.bad_messages == count).await;
}

#[tokio::test]
async fn breaking_websocket_itself_ends_that_connection_with_its_code() {
    let (stage, mut coordinator) = Stage::start().await;
    let mut worker = stage.worker(0);
    let mut bystander = coordinator.client().await;
    bystander.subscribe(&["rb2601"]).await;

    let mut huge = coordinator.client().await;
    // It may be closed while it still sends.
    let sending = huge.socket.get_mut();
    let mut frame = vec![0x81, 0xff];
    frame.extend_from_slice(&(10_u64 << 20).to_be_bytes());
    frame.extend_from_slice(&[0; 4]);
    frame.resize(frame.len() + (10 << 20), b' ');
    sending.write_all(&frame).await.unwrap();
    let (code, texts) = huge.until_closed().await;
    assert_eq!(code, 1009);
    assert!(texts.len() == 1 && texts[0].contains("longer than 1048576 bytes"), "{texts:?}");

    let mut not_text = coordinator.client().await;
    let frame = Frame::message(vec![0xff, 0xfe], OpCode::Data(Data::Text), true);
    not_text.send(Message::Frame(frame)).await;
    assert_eq!(not_text.until_closed().await, (1007, vec![]));

    let mut unmasked = coordinator.client().await;
    unmasked.socket.get_mut().write_all(&[0x81, 2, b'h', b'i']).await.unwrap();
    assert_eq!(unmasked.until_closed().await, (1002, vec![]));

    let mut half = coordinator.client().await;
    half.socket.get_mut().write_all(&[0x81, 0xfe, 0x10]).await.unwrap();
    drop(half);

    publish(&mut worker, "rb2601", 1);
    assert_eq!(bystander.tick().await.1, 1);
    coordinator
        .until("the others to be gone", |told| {
            told.stats.sessions == 1 && told.stats.sessions_opened == 5
        })
        .await;
}

#[tokio::test]
async fn a_client_that_asks_and_never_reads_is_not_read_from_and_costs_little() {
    const ASKED: usize = 20_000;
    let (stage, mut coordinator) = Stage::start().await;
    let mut worker = stage.worker(0);
    for number in 0..2000 {
        publish(&mut worker, &format!("i{number}"), 1);
    }
    coordinator.until("the ticks", |told| told.stats.ticks == 2000).await;
    let before = stage.resident_kib();
    let mut greedy = Client::connect(&coordinator.listening_on, Some(4096)).await;
    let mut polite = coordinator.client().await;
    polite.subscribe(&["rb2601"]).await;
    let asking = async {
        // The kernel's buffers fill, and then it waits until it is disconnected.
        for _ in 0..ASKED {
            let request = Message::text(r#"{"action":"list"}"#);
            if futures_util::SinkExt::send(&mut greedy.socket, request).await.is_err() {
                break;
            }
        }
    };
    let serving = async {
        coordinator.until("its end", |told| told.stats.slow_disconnects == 1).await;
        publish(&mut worker, "rb2601", 1);
        assert_eq!(polite.tick().await.1, 1);
    };
    within("both", async { tokio::join!(asking, serving) }).await;
    let grown = stage.resident_kib().saturating_sub(before);
    assert!(grown < 64 << 10, "grew by {grown} KiB");
}

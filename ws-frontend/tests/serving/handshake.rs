//! Where WebSocket begins, and what everything else on its port is told.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use qamd_ws_frontend::limits::{HANDSHAKE_HEAD_BYTES_MAX, SESSIONS_MAX};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::stage::{Client, Coordinator, Stage, publish, within};

/// What the seed's manual tells people to type; its key is 13 bytes, not 16.
const CURL: &[u8] =
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n\
    Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: SGVsbG8sIHdvcmxkIQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

const WELCOME: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Accept: qGEgH3En71di5rrssAZTmtRTyFk=\r\n\r\n";

async fn connect(coordinator: &Coordinator) -> TcpStream {
    let stream = TcpStream::connect(&coordinator.listening_on).await.unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Reads a head to its end and no further.
async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(within("a byte of the answer", stream.read_u8()).await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// Sends all and reads to the end: an answer, whole, and no reset behind it.
async fn answer(coordinator: &Coordinator, request: &[u8]) -> String {
    let (mut reading, mut writing) = connect(coordinator).await.into_split();
    let mut answer = Vec::new();
    let both = async { tokio::join!(writing.write_all(request), reading.read_to_end(&mut answer)) };
    let (sent, read) = within("the end", both).await;
    sent.unwrap();
    read.unwrap();
    String::from_utf8(answer).unwrap()
}

/// A text frame as a client sends it; masked with zeros, so to be read.
fn frame(text: &str) -> Vec<u8> {
    let mut frame = vec![0x81, 0x80 | u8::try_from(text.len()).unwrap(), 0, 0, 0, 0];
    assert!(text.len() < 126);
    frame.extend_from_slice(text.as_bytes());
    frame
}

/// A client whose handshake is done.
async fn client(stream: TcpStream) -> Client {
    Client { socket: WebSocketStream::from_raw_socket(stream, Role::Client, None).await }
}

#[tokio::test]
async fn the_manuals_curl_is_welcome_whole_and_byte_by_byte() {
    let (stage, mut coordinator) = Stage::start().await;
    let mut worker = stage.worker(0);
    for piece in [CURL.len(), 1] {
        let mut stream = connect(&coordinator).await;
        for bytes in CURL.chunks(piece) {
            stream.write_all(bytes).await.unwrap();
            tokio::task::yield_now().await;
        }
        assert_eq!(head(&mut stream).await, WELCOME);
        let mut client = client(stream).await;
        client.subscribe(&["rb2601"]).await;
        publish(&mut worker, "rb2601", 1);
        assert_eq!(client.tick().await.1, 1);
        drop(client);
        coordinator.until_demand(&[]).await;
    }
    coordinator.until("the counters", |told| told.stats.sessions_opened == 2).await;
    assert_eq!(coordinator.stats.handshakes_failed, 0);
}

#[tokio::test]
async fn what_comes_right_behind_the_request_is_not_lost() {
    let (_stage, coordinator) = Stage::start().await;
    let list = frame(r#"{"action":"list"}"#);
    let both = [list.clone(), frame(r#"{"action":"search","pattern":"rb"}"#)].concat();
    // Two messages, one, and one whose end comes when the first part has been answered.
    for (early, late, types) in [
        (&both[..], &b""[..], &["instrument_list", "search_result"][..]),
        (&list[..], b"", &["instrument_list"]),
        (&list[..9], &list[9..], &["instrument_list"]),
    ] {
        let mut stream = connect(&coordinator).await;
        stream.write_all(&[CURL, early].concat()).await.unwrap();
        assert_eq!(head(&mut stream).await, WELCOME);
        stream.write_all(late).await.unwrap();
        let mut client = client(stream).await;
        for expected in types {
            assert_eq!(client.json().await["type"], *expected);
        }
        client.send(Message::Ping(b"still".as_slice().into())).await;
        assert_eq!(client.message().await, Message::Pong(b"still".as_slice().into()));
    }
}

#[tokio::test]
async fn what_is_no_websocket_is_told_so() {
    let (_stage, mut coordinator) = Stage::start().await;
    let curl = String::from_utf8(CURL.to_vec()).unwrap();
    // Far more than the request's head: whoever sends it shall hear the answer all the same.
    let post = format!("POST / HTTP/1.1\r\nContent-Length: 500000\r\n\r\n{}", "x".repeat(500_000));
    let long = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(HANDSHAKE_HEAD_BYTES_MAX));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(65));
    let cases = [
        ("GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), "426 Upgrade Required"),
        (curl.replace("Version: 13", "Version: 8"), "426 Upgrade Required"),
        (curl.replace("HTTP/1.1", "HTTP/1.0"), "426 Upgrade Required"),
        (curl.replace("SGVsbG8sIHdvcmxkIQ==", ""), "400 Bad Request"),
        (post, "405 Method Not Allowed"),
        (long, "431 Request Header Fields Too Large"),
        (many, "431 Request Header Fields Too Large"),
        ("\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}".to_owned(), "400 Bad Request"),
    ];
    let count = cases.len() as u64;
    for (request, expected) in cases {
        let answer = answer(&coordinator, request.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {expected}\r\n")), "{answer}");
        assert!(answer.ends_with(".\n"), "{answer}");
    }
    let plain = answer(&coordinator, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(plain.contains("\r\nUpgrade: websocket\r\nConnection: Upgrade"), "{plain}");
    assert!(plain.contains("connect with ws://"), "{plain}");
    let counted = count + 1;
    coordinator.until("the counter", |told| told.stats.handshakes_failed == counted).await;
    let _still_served = coordinator.client().await;
}

#[tokio::test]
async fn who_does_not_come_to_the_point_is_let_go() {
    let (_stage, mut coordinator) = Stage::start().await;
    let mut gone = connect(&coordinator).await;
    gone.write_all(&CURL[..20]).await.unwrap();
    drop(gone);
    let (silent, half) =
        tokio::join!(answer(&coordinator, b""), answer(&coordinator, &CURL[..CURL.len() - 1]));
    assert_eq!(silent, "");
    assert!(half.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{half}");
    coordinator.until("the counter", |told| told.stats.handshakes_failed == 3).await;
    let _still_served = coordinator.client().await;
}

#[tokio::test]
async fn one_too_many_is_told_so_and_finds_a_place_later() {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, most, most).unwrap();
    let (_stage, mut coordinator) = Stage::start().await;
    let mut guests = Vec::new();
    for _ in 0..SESSIONS_MAX {
        let mut stream = connect(&coordinator).await;
        stream.write_all(CURL).await.unwrap();
        guests.push(stream);
    }
    for guest in &mut guests {
        assert_eq!(head(guest).await, WELCOME);
    }
    let refused = answer(&coordinator, CURL).await;
    assert!(refused.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{refused}");
    coordinator.until("the counter", |told| told.stats.sessions_refused == 1).await;
    assert_eq!(coordinator.stats.handshakes_failed, 0);

    drop(guests.pop());
    let one_left = |told: &Coordinator| told.stats.sessions as usize == SESSIONS_MAX - 1;
    coordinator.until("a place", one_left).await;
    let _taken_in = coordinator.client().await;
}

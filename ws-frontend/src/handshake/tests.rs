//! Requests that come in whole, in pieces, and wrong.

use proptest::prelude::*;

use super::*;

/// What the manual of the gateway before this one tells people to type; the key is 13 bytes, not 16.
const CURL: &str = "GET / HTTP/1.1\r\nHost: localhost:7799\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n\
    Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: SGVsbG8sIHdvcmxkIQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

const EVERY_REFUSAL: [Refusal; 12] = [
    Refusal::NotHttp,
    Refusal::TooLong,
    Refusal::TooManyHeaders,
    Refusal::Method,
    Refusal::Head,
    Refusal::NoUpgrade,
    Refusal::NoConnectionUpgrade,
    Refusal::OldHttp,
    Refusal::Version,
    Refusal::Key,
    Refusal::TooLate,
    Refusal::NoPlace,
];

/// A good request but for the headers given, which take the place of those of the same name; an empty value leaves one out.
fn request(changes: &[(&str, &str)]) -> String {
    let good = [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let kept = good.iter().filter(|(name, _)| changes.iter().all(|(other, _)| other != name));
    let mut request = String::from("GET / HTTP/1.1\r\n");
    for (name, value) in kept.chain(changes).filter(|(_, value)| !value.is_empty()) {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request + "\r\n"
}

fn refusal(bytes: impl AsRef<[u8]>) -> Option<Refusal> {
    match judge(bytes.as_ref()) {
        Verdict::Refused(refusal) => Some(refusal),
        Verdict::Incomplete | Verdict::Welcome { .. } => None,
    }
}

fn is_welcome(bytes: impl AsRef<[u8]>) -> bool {
    matches!(judge(bytes.as_ref()), Verdict::Welcome { .. })
}

/// The first verdict that is final when the bytes come one by one.
fn judged_bit_by_bit(bytes: &[u8]) -> Verdict {
    let verdicts = (0..=bytes.len()).map(|count| judge(&bytes[..count]));
    verdicts.into_iter().find(|v| *v != Verdict::Incomplete).unwrap_or(Verdict::Incomplete)
}

#[test]
fn the_manuals_curl_is_welcome() {
    let Verdict::Welcome { answer, head_bytes } = judge(CURL.as_bytes()) else {
        panic!("{:?}", judge(CURL.as_bytes()));
    };
    assert_eq!(head_bytes, CURL.len());
    assert_eq!(
        String::from_utf8(answer).unwrap(),
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: qGEgH3En71di5rrssAZTmtRTyFk=\r\n\r\n"
    );
}

#[test]
fn the_standards_example_gets_the_standards_answer() {
    let Verdict::Welcome { answer, .. } = judge(request(&[]).as_bytes()) else { panic!() };
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{answer}");
}

#[test]
fn the_verdict_is_the_same_however_the_bytes_come() {
    for end in ["", "\u{1}behind it", "GET / HTTP/1.1\r\n"] {
        let bytes = format!("{CURL}{end}");
        let whole = judge(bytes.as_bytes());
        for count in 0..=bytes.len() {
            let verdict = judge(&bytes.as_bytes()[..count]);
            let expected = if count < CURL.len() { &Verdict::Incomplete } else { &whole };
            assert_eq!(&verdict, expected, "after {count} bytes");
        }
    }
}

#[test]
fn what_is_written_another_way_is_the_same() {
    let good: [&[(&str, &str)]; 9] = [
        &[("Connection", ""), ("connection", "upgrade")],
        &[("Connection", ""), ("CONNECTION", "UPGRADE")],
        &[("Connection", "keep-alive, Upgrade")],
        &[("Connection", "Upgrade,keep-alive")],
        &[("Connection", ""), ("CONNECTION", "keep-alive"), ("connection", "upgrade")],
        &[("Upgrade", "WebSocket")],
        &[("Upgrade", "h2c, websocket")],
        &[("Sec-WebSocket-Version", ""), ("sec-websocket-version", "13  ")],
        &[("Sec-WebSocket-Extensions", "permessage-deflate"), ("Sec-WebSocket-Protocol", "a, b")],
    ];
    for changes in good {
        assert!(
            is_welcome(request(changes)),
            "{changes:?}: {:?}",
            judge(request(changes).as_bytes())
        );
    }
    assert!(is_welcome(request(&[]).replace("GET / ", "GET /market?x=1 ")), "any path");
}

#[test]
fn what_is_no_upgrade_is_refused_for_its_own_reason() {
    let cases: [(&[(&str, &str)], Refusal); 11] = [
        (&[("Upgrade", "")], Refusal::NoUpgrade),
        (&[("Upgrade", "h2c")], Refusal::NoUpgrade),
        (&[("Upgrade", "websocket2")], Refusal::NoUpgrade),
        (&[("Connection", "")], Refusal::NoConnectionUpgrade),
        (&[("Connection", "keep-alive")], Refusal::NoConnectionUpgrade),
        (&[("Sec-WebSocket-Version", "")], Refusal::Version),
        (&[("Sec-WebSocket-Version", "8")], Refusal::Version),
        (&[("Sec-WebSocket-Version", "13"), ("sec-websocket-version", "13")], Refusal::Version),
        (&[("Sec-WebSocket-Key", "")], Refusal::Key),
        (&[("Sec-WebSocket-Key", "a b")], Refusal::Key),
        (&[("Sec-WebSocket-Key", "a"), ("sec-websocket-key", "a")], Refusal::Key),
    ];
    for (changes, expected) in cases {
        assert_eq!(refusal(request(changes)), Some(expected), "{changes:?}");
    }
    let good = request(&[]);
    assert_eq!(refusal("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), Some(Refusal::NoUpgrade));
    assert_eq!(refusal("GET / HTTP/1.0\r\n\r\n"), Some(Refusal::NoUpgrade));
    assert_eq!(refusal(good.replace("HTTP/1.1", "HTTP/1.0")), Some(Refusal::OldHttp));
    assert_eq!(refusal(good.replace("GET", "HEAD")), Some(Refusal::Head));
    for method in ["POST", "PUT", "OPTIONS", "CONNECT", "get"] {
        assert_eq!(refusal(good.replace("GET", method)), Some(Refusal::Method), "{method}");
    }
}

#[test]
fn what_is_no_http_is_refused_as_early_as_it_shows() {
    let wrong: [&[u8]; 6] = [
        b"\x16\x03\x01\x02\x00",
        b"PRI * HTTP/2.0\r\n",
        b"GET / HTTP/9",
        b"GET / HTTP/1.1\r\nno colon\r\n",
        b"GET / HTTP/1.1\r\nConnection : Upgrade\r\n",
        b"GET / HTTP/1.1\r\nfolded: a\r\n b\r\n",
    ];
    for bytes in wrong {
        let shown = bytes.escape_ascii().to_string();
        assert_eq!(refusal(bytes), Some(Refusal::NotHttp), "{shown}");
        assert_eq!(judged_bit_by_bit(bytes), judge(bytes), "{shown}");
    }
}

#[test]
fn the_bounds_are_where_they_are_said_to_be() {
    let padded = |length: usize| {
        let short = request(&[("x", "y")]).len() - 1;
        request(&[("x", &"y".repeat(length - short))])
    };
    assert_eq!(padded(HANDSHAKE_HEAD_BYTES_MAX).len(), HANDSHAKE_HEAD_BYTES_MAX);
    assert!(is_welcome(padded(HANDSHAKE_HEAD_BYTES_MAX)));
    assert!(is_welcome(padded(HANDSHAKE_HEAD_BYTES_MAX) + "behind"));
    let long = padded(HANDSHAKE_HEAD_BYTES_MAX + 1);
    assert_eq!(refusal(&long), Some(Refusal::TooLong));
    assert_eq!(judge(&long.as_bytes()[..HANDSHAKE_HEAD_BYTES_MAX - 1]), Verdict::Incomplete);
    assert_eq!(refusal(&long[..HANDSHAKE_HEAD_BYTES_MAX]), Some(Refusal::TooLong));
    // What is wrong beyond the bound is not seen, however much came at once.
    assert_eq!(refusal(long + "\0\0\0\0"), Some(Refusal::TooLong));

    assert!(is_welcome(request(&[("x", "y"); HANDSHAKE_HEADERS_MAX - 4])));
    let many = request(&[("x", "y"); HANDSHAKE_HEADERS_MAX - 3]);
    assert_eq!(refusal(many), Some(Refusal::TooManyHeaders));

    let key = "k".repeat(WEBSOCKET_KEY_BYTES_MAX);
    assert!(is_welcome(request(&[("Sec-WebSocket-Key", &key)])));
    assert!(is_welcome(request(&[("Sec-WebSocket-Key", "k")])));
    assert_eq!(refusal(request(&[("Sec-WebSocket-Key", &(key + "k"))])), Some(Refusal::Key));
}

#[test]
fn every_refusal_is_a_whole_answer_that_ends_the_connection() {
    for refusal in EVERY_REFUSAL {
        let answer = String::from_utf8(refusal.answer()).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 4") || refusal == Refusal::NoPlace, "{head}");
        assert!(head.contains("Connection: ") && head.contains("close"), "{head}");
        let length = format!("Content-Length: {}", refusal.line().len() + 1);
        assert!(head.lines().any(|line| line == length), "{head}");
        assert_eq!(body.is_empty(), refusal == Refusal::Head, "{answer}");
        assert!(body.is_empty() || body == format!("{}\n", refusal.line()), "{answer}");
        assert_eq!(head.contains(" 426 "), head.contains("Upgrade: websocket"), "{head}");
    }
    let answer = String::from_utf8(Refusal::Version.answer()).unwrap();
    assert!(answer.contains("\r\nSec-WebSocket-Version: 13\r\n"), "{answer}");
    assert!(String::from_utf8(Refusal::NoPlace.answer()).unwrap().starts_with("HTTP/1.1 503 "));
}

/// Pieces of requests, good and bad, so that random ones get somewhere.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"GET / HTTP/1.1\r\n".to_vec()),
        Just(b"POST /x HTTP/1.0\r\n".to_vec()),
        Just(b"Connection: keep-alive, Upgrade\r\n".to_vec()),
        Just(b"upgrade: WebSocket\r\n".to_vec()),
        Just(b"Sec-WebSocket-Version: 13\r\n".to_vec()),
        Just(b"Sec-WebSocket-Key: SGVsbG8sIHdvcmxkIQ==\r\n".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"\n".to_vec()),
        Just(vec![b'a'; 3000]),
        Just(b"a:b\r\n".repeat(30)),
        prop::collection::vec(any::<u8>(), 0..6),
        "[ -~]{0,20}".prop_map(String::into_bytes),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn random_bytes_are_judged(bytes in prop::collection::vec(any::<u8>(), 0..10_000)) {
        prop_assert!(!is_welcome(&bytes));
    }

    #[test]
    fn a_final_verdict_stands_whatever_follows(bytes in pieces(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 8)) {
        let whole = judge(&bytes);
        for cut in cuts {
            let verdict = judge(&bytes[..cut.index(bytes.len() + 1)]);
            prop_assert!(verdict == Verdict::Incomplete || verdict == whole, "{verdict:?} then {whole:?}");
        }
        if bytes.len() < 600 {
            prop_assert_eq!(judged_bit_by_bit(&bytes), whole);
        }
    }

    #[test]
    fn any_key_that_can_be_seen_comes_back_hashed(key in "[!-~]{1,128}") {
        let Verdict::Welcome { answer, .. } = judge(request(&[("Sec-WebSocket-Key", &key)]).as_bytes()) else {
            panic!("{key}");
        };
        let expected = format!("\r\nSec-WebSocket-Accept: {}\r\n", derive_accept_key(key.as_bytes()));
        prop_assert!(String::from_utf8(answer).unwrap().contains(&expected));
    }
}

//! Every message of the protocol, byte by byte.
//!
//! `golden/*.txt` are conversations: `>` is what the client sends (`>b` as a binary message), `<` the answer, `=` a push,
//! `#` a word to the reader. With `QAMD_BLESS=1` the test writes what it heard into the file instead of comparing it; a
//! reviewer then reads the difference.

use std::path::{Path, PathBuf};

use qamd_tests::client::Client;
use qamd_tests::fleet::{FleetPlan, Home};
use qamd_tests::push::Push;
use qamd_tests::watch::eventually;
use serde_json::{Value, json};
use shm_layout::clock;
use tokio_tungstenite::tungstenite::Message;

/// What the instruments file of these conversations lists.
const LISTED: &str = "instrument_id,exchange_id\nrb2601,SHFE\nrb2605,SHFE\ni2605,DCE\nSR605,CZCE\n";

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/golden").join(name)
}

async fn client_that_knows_the_list(fleet: &qamd_tests::fleet::Fleet) -> Client {
    let mut client = fleet.client().await;
    eventually("the list has reached the frontend", async || {
        let answer = client.ask(json!({"action": "list"})).await;
        (answer["count"] == 4).then_some(())
    })
    .await;
    client
}

/// Has the conversation, and returns it as it went.
async fn converse(client: &mut Client, script: &str) -> String {
    let mut heard = String::new();
    for line in script.lines() {
        let line = match line.split_at_checked(2) {
            Some(("> ", request)) => {
                client.send_text(request).await;
                line.to_owned()
            }
            Some((">b", request)) => {
                client.send(Message::binary(request.trim_start().as_bytes().to_vec())).await;
                line.to_owned()
            }
            Some(("< ", _)) => format!("< {}", dated(&client.next_answer_text().await)),
            Some(("= ", _)) => format!("= {}", client.next_push().await.text()),
            _ => line.to_owned(),
        };
        heard.push_str(&line);
        heard.push('\n');
    }
    heard
}

/// An error carries the time of its making: that is checked here, and stands as `<now>` in the file.
fn dated(answer: &str) -> String {
    let value: Value = serde_json::from_str(answer).unwrap();
    if value["type"] != "error" {
        return answer.to_owned();
    }
    let timestamp = value["timestamp"].as_i64().unwrap();
    assert!((clock::unix_ms() - timestamp).abs() < 3_600_000, "{answer}");
    answer.replace(&format!("\"timestamp\":{timestamp}"), "\"timestamp\":<now>")
}

async fn compare(client: &mut Client, name: &str) {
    let path = golden(name);
    let script = std::fs::read_to_string(&path).unwrap();
    let heard = converse(client, &script).await;
    if std::env::var_os("QAMD_BLESS").is_some() {
        std::fs::write(&path, heard).unwrap();
        return;
    }
    for (number, (expected, heard)) in script.lines().zip(heard.lines()).enumerate() {
        assert_eq!(heard, expected, "{name}, line {}", number + 1);
    }
}

#[tokio::test]
async fn requests_and_answers() {
    let fleet = FleetPlan::new()
        .instruments(LISTED)
        // Nothing ticks, so that nothing is learned.
        .simulated("alpha", &json!({"faults": [{"do": "silent"}]}))
        .start_ready()
        .await;
    let mut client = client_that_knows_the_list(&fleet).await;
    compare(&mut client, "requests.txt").await;
    compare(&mut client, "errors.txt").await;
    fleet.stop().await;
}

#[tokio::test]
async fn pushes() {
    let home = Home::new();
    let script = json!({"replay": {
        "file": golden("pushes.csv"), "rate": 100, "await_subscriptions": true,
    }});
    let fleet = FleetPlan::in_home(home)
        .instruments(LISTED)
        .simulated("alpha", &script)
        .start_ready()
        .await;
    let mut client = client_that_knows_the_list(&fleet).await;
    compare(&mut client, "pushes.txt").await;
    let text = std::fs::read_to_string(golden("pushes.txt")).unwrap();
    for push in text.lines().filter_map(|line| line.strip_prefix("= ")) {
        assert!(serde_json::from_str::<Value>(push).is_ok(), "{push}");
        assert!(Push::parse(push.to_owned()).is_some(), "{push}");
    }
    fleet.stop().await;
}

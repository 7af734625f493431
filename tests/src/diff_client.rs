//! A DIFF client of the gateway, with the snapshot that its answers build.

use serde_json::{Value, json};

use crate::client::Client;
use crate::watch::guarded;

/// A client. It peeks when it wants to know.
#[derive(Debug)]
pub struct DiffClient {
    client: Client,
    snapshot: Value,
    /// A peek is out.
    peeked: bool,
}

/// Merges a patch into what is there (RFC 7386).
pub fn merge(target: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let Some(target) = target.as_object_mut() else { return };
    for (key, value) in patch {
        if value.is_null() {
            target.remove(key);
        } else {
            merge(target.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

impl DiffClient {
    /// Connects to `host:port`.
    ///
    /// # Panics
    /// When the server does not take the connection.
    pub async fn connect(address: &str) -> Self {
        Self { client: Client::connect(address).await, snapshot: json!({}), peeked: false }
    }

    /// Sends a message.
    ///
    /// # Panics
    /// When the connection is gone.
    pub async fn send(&mut self, message: Value) {
        self.client.send_text(message.to_string()).await;
    }

    /// Lists quotes.
    ///
    /// # Panics
    /// When the connection is gone.
    pub async fn list(&mut self, ins_list: &str) {
        self.send(json!({"aid": "subscribe_quote", "ins_list": ins_list})).await;
    }

    /// Peeks, unless a peek is out, and merges the answer; returns its patches.
    ///
    /// # Panics
    /// When no answer comes, or it is none.
    pub async fn peek(&mut self) -> Vec<Value> {
        if !std::mem::replace(&mut self.peeked, true) {
            self.send(json!({"aid": "peek_message"})).await;
        }
        let text = guarded("the answer to a peek", self.client.next_text()).await;
        self.peeked = false;
        let answer: Value = serde_json::from_str(&text).expect("an answer is JSON");
        assert_eq!(answer["aid"], "rtn_data", "{answer}");
        let patches = answer["data"].as_array().expect("patches").clone();
        patches.iter().for_each(|patch| merge(&mut self.snapshot, patch));
        patches
    }

    /// Peeks until the snapshot fits.
    ///
    /// # Panics
    /// As [`Self::peek`], and when the watchdog is through.
    pub async fn until(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> &Value {
        guarded(what, async {
            while !fits(&self.snapshot) {
                self.peek().await;
            }
        })
        .await;
        &self.snapshot
    }

    /// Asks about instruments; returns what stands in the snapshot then.
    ///
    /// # Panics
    /// When no answer comes.
    pub async fn query(&mut self, query_id: &str, query: &str) -> Value {
        self.send(json!({"aid": "ins_query", "query_id": query_id, "query": query})).await;
        let has_it = |snapshot: &Value| snapshot["symbols"][query_id]["query"] == query;
        self.until("the answer to a query", has_it).await["symbols"][query_id].clone()
    }

    /// What the answers have built.
    #[must_use]
    pub const fn snapshot(&self) -> &Value {
        &self.snapshot
    }

    /// The contents of all notices so far.
    #[must_use]
    pub fn notices(&self) -> Vec<&str> {
        let notices = self.snapshot["notify"].as_object().into_iter().flatten();
        notices.filter_map(|(_, notice)| notice["content"].as_str()).collect()
    }
}

//! What the simulated library is told in more than one test.

use std::collections::BTreeMap;
use std::path::PathBuf;

use qamd_tests::client::Client;
use qamd_tests::fleet::Home;
use qamd_tests::push::Push;
use qamd_tests::recordings;
use serde_json::{Value, json};

/// Rows of each instrument in a counting recording.
pub(crate) const ROWS: usize = 5000;

/// Writes a counting recording of these instruments.
pub(crate) fn counting_file(home: &Home, instruments: &[&str]) -> PathBuf {
    home.write("counting.csv", recordings::counting(instruments, ROWS))
}

/// A script that replays a counting recording for ever, `rate` rows a second.
pub(crate) fn counting(home: &Home, instruments: &[&str], rate: u32) -> Value {
    let file = counting_file(home, instruments);
    json!({"replay": {"file": file, "rate": rate, "loop": true}})
}

/// Follows a client's instruments through counting recordings.
#[derive(Debug, Default)]
pub(crate) struct Follower {
    last: BTreeMap<String, i64>,
    seen: BTreeMap<String, u64>,
    /// Pushes whose volume did not follow the one before, by instrument.
    jumps: BTreeMap<String, u64>,
}

impl Follower {
    /// Takes the client's next push.
    pub(crate) async fn step(&mut self, client: &mut Client) {
        let push = client.next_push().await;
        self.note(&push);
    }

    /// Takes pushes until the condition holds.
    pub(crate) async fn until(
        &mut self,
        client: &mut Client,
        what: &str,
        mut holds: impl FnMut(&Self) -> bool,
    ) {
        qamd_tests::watch::guarded(what, async {
            while !holds(self) {
                self.step(client).await;
            }
        })
        .await;
    }

    /// Takes pushes until `more` further ones of every one of these instruments have come.
    pub(crate) async fn advance(&mut self, client: &mut Client, instruments: &[&str], more: u64) {
        let goal: BTreeMap<&str, u64> =
            instruments.iter().map(|name| (*name, self.seen(name) + more)).collect();
        self.until(client, "further ticks of every instrument", |follower| {
            goal.iter().all(|(name, goal)| follower.seen(name) >= *goal)
        })
        .await;
    }

    /// Pushes of an instrument so far.
    pub(crate) fn seen(&self, instrument: &str) -> u64 {
        self.seen.get(instrument).copied().unwrap_or(0)
    }

    /// Jumps of an instrument so far.
    pub(crate) fn jumps(&self, instrument: &str) -> u64 {
        self.jumps.get(instrument).copied().unwrap_or(0)
    }

    fn note(&mut self, push: &Push) {
        let (name, volume) = (push.instrument().to_owned(), push.volume());
        assert_eq!(push.number("last_price"), Some(1000.0 + volume as f64), "{}", push.text());
        let rows = i64::try_from(ROWS).unwrap();
        let follows = match self.last.get(&name) {
            None => true,
            Some(last) => volume == last % rows + 1,
        };
        if !follows {
            *self.jumps.entry(name.clone()).or_default() += 1;
        }
        *self.seen.entry(name.clone()).or_default() += 1;
        self.last.insert(name, volume);
    }
}

//! What an operator does with a fleet at work: edits its configuration, types verbs, reads the metrics.

use std::process::Output;

use serde_json::Value;

use super::running::Fleet;
use crate::http;

/// What a verb said, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The exit code.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Said {
    fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            code: output.status.code().expect("qamd ends by itself"),
            out: text(&output.stdout),
            err: text(&output.stderr),
        }
    }

    /// The answer as JSON.
    ///
    /// # Panics
    /// When standard output holds anything else.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }
}

impl Fleet {
    /// A verb with `--config` of this fleet, as a person types it.
    ///
    /// # Panics
    /// When it cannot be started, or a signal ends it.
    #[must_use]
    pub fn type_verb(&self, arguments: &[&str]) -> Said {
        Said::of(&self.verb(arguments))
    }

    /// A verb that must succeed; what it said on standard output.
    ///
    /// # Panics
    /// When it fails or complains.
    #[must_use]
    pub fn told(&self, arguments: &[&str]) -> String {
        let said = self.type_verb(arguments);
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{arguments:?}: {said:?}");
        said.out
    }

    /// Edits the configuration file.
    ///
    /// # Panics
    /// When it holds no JSON, or cannot be written.
    pub fn edit_config(&self, edit: impl FnOnce(&mut Value)) {
        let text = std::fs::read(self.config()).expect("the configuration can be read");
        let mut config = serde_json::from_slice(&text).expect("the configuration is JSON");
        edit(&mut config);
        let text = serde_json::to_string_pretty(&config).expect("a configuration is JSON");
        std::fs::write(self.config(), text).expect("the configuration can be written");
    }

    /// A metric without labels.
    ///
    /// # Panics
    /// When the page does not have it.
    pub async fn metric(&self, name: &str) -> f64 {
        let address = self.status_now().await.http_address;
        let port = address.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        let page = http::get(port.expect("the status names the port of the metrics"), "/metrics");
        let body = page.await.body;
        let line = body.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let value = line.and_then(|value| value.trim().parse().ok());
        value.unwrap_or_else(|| panic!("{name} is no metric of {body}"))
    }
}

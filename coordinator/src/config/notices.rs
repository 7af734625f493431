//! What a configuration asks for and this version does not do yet, in plain words.

use super::{Config, Strategy};

/// The notices of a configuration, for the log at the start and for the status.
#[must_use]
pub fn notices(config: &Config) -> Vec<String> {
    let mut notices = Vec::new();
    if let Some(redis) = &config.redis {
        notices.push(format!(
            "redis_host: nothing is written to Redis ({}:{}); this version has no recorder yet",
            redis.host, redis.port
        ));
    }
    if config.load_balance_strategy != Strategy::RoundRobin {
        notices.push(format!(
            "load_balance_strategy: {} is not there yet; this version places instruments round robin",
            config.load_balance_strategy
        ));
    }
    if config.auto_failover {
        notices.push(
            "auto_failover: instruments of a connection that is away for a while stay with it and return with it; only \
             those of a connection that cannot work (login or library refused for good) are placed anew"
                .into(),
        );
    }
    if config.redundancy > 1 {
        notices.push(format!(
            "redundancy: {} connections per instrument are asked for; this version uses one",
            config.redundancy
        ));
    }
    if config.qamddata_name.is_some() {
        notices.push("qamddata_name: this version does not write the qamddata segment yet".into());
    }
    notices
}

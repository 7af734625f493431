//! What a configuration asks for and this version does not do yet, in plain words.

use super::Config;

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
    notices
}

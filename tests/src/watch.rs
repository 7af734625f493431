//! Waiting for a condition, with a watchdog.

use std::time::Duration;

use shm_layout::clock;

/// When a test gives up. It is no requirement on the product: a test that meets it is broken or stuck.
pub const WATCHDOG: Duration = Duration::from_secs(60);

/// How often a condition is looked at.
pub const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Looks until `look` finds something, and returns it.
///
/// # Panics
/// When the watchdog is through; the message says what was awaited.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = clock::monotonic();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(begun.elapsed() < WATCHDOG, "waited {WATCHDOG:?} in vain for: {what}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Waits for a future under the watchdog.
///
/// # Panics
/// When the watchdog is through; the message says what was awaited.
pub async fn guarded<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(WATCHDOG, future).await {
        Ok(outcome) => outcome,
        Err(_) => panic!("waited {WATCHDOG:?} in vain for: {what}"),
    }
}

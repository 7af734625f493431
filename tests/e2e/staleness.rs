//! A front that says nothing: within trading sessions it is left and its worker started anew, outside it may be silent.

use qamd_tests::fleet::{Fleet, FleetPlan, Home, session_state, worker_of};
use qamd_tests::lockstep::Lockstep;
use serde_json::json;
use shm_layout::control::{FleetStatus, SessionState, Standing};

use crate::onlooker::{Onlooker, instruments, names};
use crate::scripts::ROWS;

/// Ticks of each instrument a second, while its front speaks.
const RATE: u64 = 20;

/// A fleet of two, whose products trade at these hours, and whose alpha falls silent, once, as soon as a file is made.
async fn two(hours: &str) -> (Fleet, Onlooker) {
    let (home, all) = (Home::new(), instruments(6));
    let market = Lockstep::begin(&home, &names(&all), ROWS, RATE as usize);
    let (go, once) = (home.path("go"), home.path("once"));
    let silent = json!([{"when_file": go, "once_file": once, "do": "silent"}]);
    let hours = home.write("hours.csv", format!("*,{hours}\n"));
    let fleet = FleetPlan::in_home(home)
        .set("trading_hours", hours.display().to_string())
        .simulated("alpha", &market.with_faults(silent))
        .simulated("beta", &market.script())
        .start_ready()
        .await;
    let onlooker = Onlooker::of(&fleet, &names(&all)).await;
    std::fs::write(fleet.home().path("go"), "").unwrap();
    (fleet, onlooker)
}

fn silence(status: &FleetStatus) -> bool {
    let worker = worker_of(status, "alpha");
    session_state(worker) == Some(&SessionState::Ready) && worker.ticks_per_second == 0.0
}

/// Silence that is a fault: nobody minds for a while, then the instruments go elsewhere and the worker is started anew.
async fn within_sessions() {
    let (fleet, mut onlooker) = two("00:00-24:00").await;
    let before = onlooker.until(&fleet, "alpha is silent", silence).await;
    assert!(before.in_session);
    let worker = worker_of(&before, "alpha").clone();
    assert_eq!((worker.subscriptions, worker.standing), (3, Standing::Good), "nobody minds yet");
    let after = onlooker
        .until(&fleet, "alpha's worker was started anew", |status| {
            let new = worker_of(status, "alpha");
            new.pid.is_some_and(|pid| Some(pid) != worker.pid)
                && session_state(new) == Some(&SessionState::Ready)
        })
        .await;
    assert_eq!(worker_of(&after, "alpha").standing, Standing::Probation);
    let after = onlooker.until_settled(&fleet, 6, 1).await;
    assert_eq!(worker_of(&after, "beta").subscriptions, 6);
    assert_eq!(worker_of(&after, "beta").pid, worker_of(&before, "beta").pid);
    assert_eq!(onlooker.during(fleet.metric("qamd_stale_restarts_total")).await, 1.0);
    onlooker.advance(RATE).await;
    assert_eq!(onlooker.jumped().len(), 3, "what was silent goes on: {onlooker:?}");
    assert_eq!(onlooker.jumps(), 3, "with one hole: {onlooker:?}");
    fleet.stop().await;
}

/// The same silence outside all sessions, for longer than it took above.
async fn outside_sessions() {
    let (fleet, mut onlooker) = two("").await;
    let before = onlooker.until(&fleet, "alpha is silent", silence).await;
    assert!(!before.in_session);
    let beta_sent = |status: &FleetStatus| worker_of(status, "beta").stats.ticks;
    let enough = beta_sent(&before) + 3 * RATE * 32;
    let after = onlooker
        .until(&fleet, "beta has ticked for long", |status| beta_sent(status) >= enough)
        .await;
    assert!(silence(&after));
    for connection in ["alpha", "beta"] {
        let worker = worker_of(&after, connection);
        assert_eq!(worker.pid, worker_of(&before, connection).pid);
        assert_eq!((worker.subscriptions, worker.standing), (3, Standing::Good));
    }
    assert_eq!(onlooker.during(fleet.metric("qamd_stale_restarts_total")).await, 0.0);
    assert_eq!(onlooker.jumps(), 0, "{onlooker:?}");
    fleet.stop().await;
}

// Both at once: they only wait.
#[tokio::test]
async fn silence_counts_within_trading_sessions_only() {
    tokio::join!(within_sessions(), outside_sessions());
}

//! Real processes under a seeded stream of faults: whatever is killed, stopped, cut or told, each tick that a client misses
//! has a cause in the log of what was done, and nothing is left behind.
//!
//! `QAMD_CHAOS_SECONDS` says for how long, `QAMD_CHAOS_SEED` which faults. The seed tells what is done; what the processes
//! make of it depends on the machine, too. In the second half the frontend and the coordinator are stopped and no longer
//! killed, so that what they hold can be compared over that half.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod causes;
mod faults;
mod footprint;
mod log;
mod onlooker;
mod scene;

use std::time::Duration;

use qamd_tests::chance::{Chance, number_from};
use qamd_tests::word::say;
use shm_layout::clock;

use crate::causes::Causes;
use crate::footprint::Footprint;
use crate::scene::Scene;

/// How long faults happen without the environment's word.
const SECONDS: u64 = 60;

/// How much longer the whole may take: beginning, waiting until all is well again, and the end.
const REST: Duration = Duration::from_secs(150);

#[tokio::test]
async fn every_loss_has_a_cause() {
    let seconds = number_from("QAMD_CHAOS_SECONDS", SECONDS);
    let chance = Chance::from_variable("QAMD_CHAOS_SEED", 20_250_304);
    let whole = tokio::time::timeout(Duration::from_secs(seconds) + REST, run(seconds, chance));
    assert!(whole.await.is_ok(), "it takes too long");
}

async fn run(seconds: u64, mut chance: Chance) {
    let mut scene = Scene::new().await;
    let half = Duration::from_millis(seconds * 500);
    scene.disturb(&mut chance, clock::monotonic() + half, true).await;
    scene.recover("after the first half").await;
    let before = Footprint::of(&scene.settled("to be compared").await, &scene.fleet);
    scene.disturb(&mut chance, clock::monotonic() + half, false).await;
    scene.recover("after the second half").await;
    let status = scene.settled("at the end").await;
    scene.assert_all_carried_twice(&status);
    before.assert_not_outgrown(&scene.fleet).await;
    let causes = Causes::of(&scene);
    say(&format!("{}, {seconds} s of chaos\n{}", chance.again(), causes.table(&scene.log)));
    causes.assert_all_known(&scene);
    scene.end().await;
}

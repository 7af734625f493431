//! TqSdk prints what the gateway has to tell of its fronts.

use nix::sys::signal::Signal;
use qamd_tests::fleet::worker_of;
use qamd_tests::processes;
use qamd_tests::tqsdk::{TqProgram, TqSdk};
use qamd_tests::watch::eventually;
use serde_json::json;

use crate::market::{COPPER, plan, symbol};

/// Waits until TqSdk has printed a notice with all of these words.
async fn printed(program: &mut TqProgram, words: [&str; 3]) {
    eventually(&format!("a notice of {words:?}"), async || {
        let is_it = |line: &String| words.iter().all(|word| line.contains(word));
        program.words().iter().any(is_it).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_front_that_goes_and_comes_back_is_printed() {
    let Some(tqsdk) = TqSdk::ready().await else { return };
    let fleet = plan(&json!({})).start_ready().await;
    let wanted = json!({"quotes": [symbol(COPPER)], "ticks": [], "klines": []}).to_string();
    let mut program = tqsdk.start("follow.py", &[&wanted], &fleet.address().await);
    program.says("ready").await;
    let worker = worker_of(&fleet.status_now().await, "alpha").pid.unwrap();
    processes::signal(worker, Signal::SIGKILL);
    printed(&mut program, ["通知", "alpha", "中断"]).await;
    printed(&mut program, ["通知", "alpha", "已恢复"]).await;
    program.tell("end");
    program.ends().await;
    fleet.stop().await;
}

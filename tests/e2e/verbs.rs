//! What an operator wants of one connection, typed as a person types it: it happens, to that one alone, and costs no tick.

use nix::sys::signal::Signal;
use qamd_tests::fleet::{Fleet, FleetPlan, Home, is_settled, session_state, worker_of};
use qamd_tests::lockstep::Lockstep;
use qamd_tests::processes;
use qamd_tests::watch::eventually;
use serde_json::json;
use shm_layout::control::{ConnectionWish, FleetStatus, SessionState, Standing, WorkerProcess};

use crate::onlooker::{Onlooker, instruments, names};
use crate::scripts::ROWS;

/// The worker's process and its life, by which one sees that it was left alone.
fn life_of(status: &FleetStatus, connection: &str) -> (Option<u32>, u64, String) {
    let worker = worker_of(status, connection);
    (worker.pid, worker.stats.logins, format!("{:?}", worker.incarnation))
}

/// Alpha and beta share twelve instruments; gamma is switched off in the file.
async fn three() -> (Fleet, Onlooker) {
    let (home, all) = (Home::new(), instruments(12));
    let market = Lockstep::begin(&home, &names(&all), ROWS, 20);
    let off = json!({
        "connection_id": "gamma",
        "enabled": false,
        "env": {"QAMD_SIM": market.script().to_string()},
    });
    let fleet = FleetPlan::in_home(home)
        .simulated("alpha", &market.script())
        .simulated("beta", &market.script())
        .connection(off)
        .start_ready()
        .await;
    let onlooker = Onlooker::of(&fleet, &names(&all)).await;
    (fleet, onlooker)
}

async fn until_carries(
    fleet: &Fleet,
    onlooker: &mut Onlooker,
    connection: &str,
    fits: impl Fn(u32) -> bool,
) -> FleetStatus {
    let all = onlooker.count();
    let what = format!("{connection} carries what it is to carry");
    onlooker
        .until(fleet, &what, |status| {
            fits(worker_of(status, connection).subscriptions) && is_settled(status, all, 1)
        })
        .await
}

#[tokio::test]
async fn restart_moves_the_instruments_first_and_touches_no_other_worker() {
    let (fleet, mut onlooker) = three().await;
    let before = onlooker.during(fleet.status_now()).await;
    let said = fleet.told(&["restart", "alpha"]);
    assert_eq!(
        said,
        "alpha is restarted; its 6 instruments tick elsewhere first where there is room\n"
    );
    onlooker
        .until(&fleet, "another worker of alpha is logged in", |status| {
            let worker = worker_of(status, "alpha");
            worker.pid.is_some_and(|pid| Some(pid) != worker_of(&before, "alpha").pid)
                && session_state(worker) == Some(&SessionState::Ready)
        })
        .await;
    // A person vouches for it: it needs no probation.
    let after = until_carries(&fleet, &mut onlooker, "alpha", |count| count > 0).await;
    assert_eq!(life_of(&after, "beta"), life_of(&before, "beta"));
    let alpha = worker_of(&after, "alpha");
    assert_eq!((alpha.standing, alpha.restarts), (Standing::Good, 0), "it did not die by itself");
    onlooker.advance(10).await;
    assert_eq!(onlooker.jumps(), 0, "{onlooker:?}");
    fleet.stop().await;
}

#[tokio::test]
async fn drain_empties_a_connection_and_enable_fills_it_again() {
    let (fleet, mut onlooker) = three().await;
    let before = onlooker.during(fleet.status_now()).await;
    let said = fleet.told(&["drain", "beta"]);
    assert_eq!(
        said,
        "beta is drained: its 6 instruments go elsewhere where there is room, and it gets no \
         others; qamd enable beta undoes this\n"
    );
    let drained = until_carries(&fleet, &mut onlooker, "beta", |count| count == 0).await;
    let beta = worker_of(&drained, "beta");
    assert_eq!((beta.standing, beta.wish), (Standing::Closed, Some(ConnectionWish::Drain)));
    assert_eq!(session_state(beta), Some(&SessionState::Ready), "it stays logged in");
    for connection in ["alpha", "beta"] {
        assert_eq!(life_of(&drained, connection), life_of(&before, connection));
    }
    let table = fleet.told(&["status"]);
    assert!(table.contains("drain"), "the status says so: {table}");

    assert_eq!(fleet.told(&["enable", "beta"]), "beta is used again\n");
    let after = until_carries(&fleet, &mut onlooker, "beta", |count| count > 0).await;
    assert_eq!(worker_of(&after, "beta").wish, None);
    assert_eq!(life_of(&after, "beta"), life_of(&before, "beta"));
    assert_eq!(fleet.told(&["enable", "beta"]), "beta was in use already\n");
    onlooker.advance(10).await;
    assert_eq!(onlooker.jumps(), 0, "{onlooker:?}");
    fleet.stop().await;
}

#[tokio::test]
async fn disable_ends_a_worker_and_enable_starts_even_one_that_the_file_switches_off() {
    let (fleet, mut onlooker) = three().await;
    let before = onlooker.during(fleet.status_now()).await;
    let answer = fleet.type_verb(&["disable", "beta", "--json"]);
    let lines = ["beta is switched off; qamd enable beta undoes this"];
    assert_eq!((answer.code, answer.json()), (0, json!({"done": true, "lines": lines})));
    let off = onlooker
        .until(&fleet, "beta's worker is gone", |status| {
            worker_of(status, "beta").process == WorkerProcess::Disabled
                && is_settled(status, 12, 1)
        })
        .await;
    let beta = worker_of(&off, "beta");
    assert_eq!((beta.pid, beta.wish), (None, Some(ConnectionWish::Disable)));
    assert!(!processes::is_alive(worker_of(&before, "beta").pid.unwrap()));
    assert_eq!(life_of(&off, "alpha"), life_of(&before, "alpha"));
    assert_eq!(fleet.told(&["disable", "beta"]), "beta was switched off already\n");
    for (verb, why) in [
        ("drain", "beta is switched off; qamd enable beta starts it\n"),
        ("restart", "beta is switched off; qamd enable beta starts it\n"),
    ] {
        let said = fleet.type_verb(&[verb, "beta"]);
        assert_eq!((said.code, said.out.as_str()), (1, ""), "{said:?}");
        assert!(said.err.ends_with(why), "{said:?}");
    }

    assert_eq!(fleet.told(&["enable", "gamma"]), "gamma is started\n");
    let on = until_carries(&fleet, &mut onlooker, "gamma", |count| count > 0).await;
    assert_eq!(worker_of(&on, "gamma").wish, Some(ConnectionWish::Enable));
    assert_eq!(fleet.told(&["enable", "beta"]), "beta is started\n");
    let on = until_carries(&fleet, &mut onlooker, "beta", |count| count > 0).await;
    assert_eq!(life_of(&on, "alpha"), life_of(&before, "alpha"));
    onlooker.advance(10).await;
    assert_eq!(onlooker.jumps(), 0, "none of this cost a tick: {onlooker:?}");

    for connection in ["alpha", "beta"] {
        let said = fleet.told(&["disable", connection]);
        assert!(!said.contains("the last one"), "{said}");
    }
    let said = fleet.told(&["disable", "gamma"]);
    assert!(said.contains("it was the last one in use: nothing ticks now"), "{said}");
    let none = |status: &FleetStatus| {
        let off = status.workers.iter().all(|worker| worker.process == WorkerProcess::Disabled);
        off && (status.wanted, status.ticking, status.waiting_for_room) == (12, 0, 12)
    };
    onlooker.until(&fleet, "no worker is left, and all wait", none).await;
    assert_eq!(fleet.told(&["enable", "alpha"]), "alpha is started\n");
    onlooker.until_settled(&fleet, 12, 1).await;
    fleet.stop().await;
}

#[tokio::test]
async fn without_room_elsewhere_what_is_carried_stays_as_long_as_it_can() {
    let (home, all) = (Home::new(), instruments(7));
    let market = Lockstep::begin(&home, &names(&all), ROWS, 20);
    let fleet = FleetPlan::in_home(home).simulated("alpha", &market.script()).start_ready().await;
    let (last, carried) = all.split_last().unwrap();
    let mut onlooker = Onlooker::of(&fleet, &names(carried)).await;
    assert!(fleet.told(&["drain", "alpha"]).starts_with("alpha is drained: its 6 instruments go"));
    let mut late = fleet.client().await;
    late.subscribe(&[last]).await;
    let status = onlooker
        .until(&fleet, "what is wanted anew waits", |status| {
            status.queue.iter().map(|waiting| waiting.as_str()).eq([last.as_str()])
        })
        .await;
    assert_eq!((worker_of(&status, "alpha").subscriptions, status.ticking), (6, 6));
    onlooker.advance(20).await;
    assert_eq!(onlooker.jumps(), 0, "better there than nowhere: {onlooker:?}");

    assert_eq!(fleet.told(&["enable", "alpha"]), "alpha is used again\n");
    let before = onlooker.until_settled(&fleet, 7, 1).await;
    let said = fleet.told(&["restart", "alpha"]);
    assert!(said.starts_with("alpha is restarted; its 7 instruments tick elsewhere"), "{said}");
    onlooker
        .until(&fleet, "another worker carries all", |status| {
            worker_of(status, "alpha").incarnation != worker_of(&before, "alpha").incarnation
                && is_settled(status, 7, 1)
        })
        .await;
    onlooker.advance(10).await;
    assert!(carried.iter().all(|name| onlooker.jumps_of(name) <= 1), "{onlooker:?}");
    fleet.stop().await;
}

#[tokio::test]
async fn a_verb_that_makes_no_sense_says_why_and_what_there_is() {
    let (fleet, mut onlooker) = three().await;
    let before = onlooker.during(fleet.status_now()).await;
    for verb in ["restart", "drain", "enable", "disable"] {
        let why = "no connection is named delta; configured are alpha, beta, gamma";
        let said = fleet.type_verb(&[verb, "delta"]);
        assert_eq!((said.code, said.out.as_str()), (1, ""), "{said:?}");
        assert!(said.err.contains(why), "{said:?}");
        let said = fleet.type_verb(&[verb, "delta", "--json"]);
        assert_eq!((said.code, said.err.as_str()), (1, ""), "{said:?}");
        assert_eq!(said.json(), json!({"done": false, "lines": [why]}));
        for usage in [&[verb][..], &[verb, "no name"], &[verb, "alpha", "beta"], &[verb, "--all"]] {
            let said = fleet.type_verb(usage);
            assert_eq!((said.code, said.out.as_str()), (64, ""), "{usage:?}: {said:?}");
        }
    }
    let after = onlooker.until_settled(&fleet, 12, 1).await;
    for connection in ["alpha", "beta"] {
        assert_eq!(life_of(&after, connection), life_of(&before, connection));
    }
    assert_eq!(onlooker.jumps(), 0, "{onlooker:?}");
    fleet.stop().await;
}

#[tokio::test]
async fn a_verb_without_a_fleet_or_to_one_that_stops_fails_with_a_clear_word() {
    let mut fleet =
        FleetPlan::new().simulated("alpha", &json!({})).simulated("beta", &json!({})).prepare();
    let instance = fleet.home().instance().to_string();
    for verb in [&["restart", "alpha"][..], &["drain", "alpha"], &["reload"], &["status"]] {
        let said = fleet.type_verb(verb);
        assert_eq!((said.code, said.out.as_str()), (1, ""), "{said:?}");
        assert!(said.err.contains(&format!("instance {instance} does not run")), "{said:?}");
    }
    fleet.run();
    fleet.wait_serving().await;
    let status = fleet.wait_ready().await;
    // One that cannot hear it holds the stop up until it is killed.
    processes::signal(worker_of(&status, "alpha").pid.unwrap(), Signal::SIGSTOP);
    processes::signal(fleet.coordinator_pid(), Signal::SIGTERM);
    let word = eventually("a word about the stop", async || {
        let said = fleet.type_verb(&["drain", "beta"]);
        (said.code != 0).then_some(said)
    })
    .await;
    assert_eq!((word.code, word.out.as_str()), (1, ""), "{word:?}");
    assert!(word.err.contains("the fleet is stopping"), "{word:?}");
    let word = fleet.type_verb(&["reload"]);
    assert!(word.code == 1 && word.err.contains("the fleet is stopping"), "{word:?}");
    assert_eq!(fleet.wait_ended().await.code(), Some(0));
    fleet.assert_nothing_left();
}

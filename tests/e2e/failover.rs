//! Instruments leave a connection that cannot work, at once, and come back in their own time, without a gap.

use nix::sys::signal::Signal;
use qamd_tests::fleet::{Fleet, FleetPlan, Home, is_settled, session_state, worker_of};
use qamd_tests::lockstep::Lockstep;
use qamd_tests::processes;
use qamd_tests::ring_tap::carriers;
use qamd_tests::watch::eventually;
use serde_json::{Value, json};
use shm_layout::control::{FleetStatus, SessionState, Standing, WorkerProcess};

use crate::onlooker::{Onlooker, instruments, names};
use crate::scripts::ROWS;

/// A front that goes away as soon as `gone` is there, and comes back after a while.
fn leaving_front(home: &Home, away_ms: u64) -> Value {
    let gone = home.path("gone");
    json!([{"when_file": gone, "do": "disconnect", "reconnect_after_ms": away_ms}])
}

/// What a connection carries, by the ring.
async fn carried_by(fleet: &Fleet, connection: &str, wanted: usize) -> Vec<String> {
    let mut tap = fleet.tap();
    let mut ticks = Vec::new();
    let carriers = eventually("every instrument ticks in the ring", async || {
        ticks.extend(tap.take());
        Some(carriers(&ticks)).filter(|carriers| carriers.len() == wanted)
    })
    .await;
    let status = fleet.status_now().await;
    let number = worker_of(&status, connection).worker.0;
    let own = carriers.into_iter().filter(|(_, worker)| *worker == number);
    own.map(|(instrument, _)| instrument).collect()
}

fn subscriptions(status: &FleetStatus, connection: &str) -> u32 {
    worker_of(status, connection).subscriptions
}

fn standing(status: &FleetStatus, connection: &str) -> Standing {
    worker_of(status, connection).standing
}

/// What a connection that went away carried has one hole, or none where another one was asked between two ticks; the
/// others' instruments have none.
fn missed_a_little_at_most(onlooker: &Onlooker, lost: &[String]) {
    let jumped = onlooker.jumped();
    assert!(jumped.iter().all(|name| lost.iter().any(|lost| lost == name)), "{onlooker:?}");
    assert!(lost.iter().all(|name| onlooker.jumps_of(name) <= 1), "{onlooker:?}");
}

async fn moves_for_balance(fleet: &Fleet) -> f64 {
    fleet.metric("qamd_moves_for_balance_total").await
}

/// A connection is back: nothing returns to it during its probation; then some do, once, and without a gap.
async fn returns_once(fleet: &Fleet, onlooker: &mut Onlooker, connection: &str) {
    let (all, missed) = (onlooker.count(), onlooker.jumps());
    let moves = onlooker.during(moves_for_balance(fleet)).await;
    onlooker
        .until(fleet, "its probation is over", |status| {
            let standing = standing(status, connection);
            if standing == Standing::Probation {
                assert_eq!(subscriptions(status, connection), 0, "too early");
            }
            standing == Standing::Good
        })
        .await;
    let after = onlooker
        .until(fleet, "some return", |status| {
            subscriptions(status, connection) > 0 && is_settled(status, all, 1)
        })
        .await;
    let returned = subscriptions(&after, connection);
    assert!(returned <= all / 2, "no more than its share: {returned}");
    onlooker.advance(60).await;
    let last = onlooker.during(fleet.status_now()).await;
    let moves = onlooker.during(moves_for_balance(fleet)).await - moves;
    assert_eq!(moves, f64::from(subscriptions(&last, connection)), "nothing moved to and fro");
    assert_eq!(onlooker.jumps(), missed, "the way back cost no tick: {onlooker:?}");
}

// All at once: they mostly wait for the ends of probations.
#[tokio::test]
async fn a_connection_that_cannot_work_is_left_at_once_and_trusted_again_after_a_while() {
    tokio::join!(a_front_goes(), a_worker_dies(), a_worker_stands_still());
}

/// A fleet on two fronts of one market, alpha with these faults; who looks on, and what alpha carries.
async fn two_fronts(
    home: Home,
    market: &Lockstep,
    faults: Value,
    all: &[String],
) -> (Fleet, Onlooker, Vec<String>) {
    let fleet = FleetPlan::in_home(home)
        .simulated("alpha", &market.with_faults(faults))
        .simulated("beta", &market.script())
        .start_ready()
        .await;
    let onlooker = Onlooker::of(&fleet, &names(all)).await;
    let carried = carried_by(&fleet, "alpha", all.len()).await;
    (fleet, onlooker, carried)
}

/// A front goes away and comes back.
async fn a_front_goes() {
    let (home, all) = (Home::new(), instruments(12));
    let market = Lockstep::begin(&home, &names(&all), ROWS, 30);
    let (gone, faults) = (home.path("gone"), leaving_front(&home, 2500));
    let (fleet, mut onlooker, lost) = two_fronts(home, &market, faults, &all).await;
    assert_eq!(lost.len(), 6, "one after the other: {lost:?}");

    std::fs::write(gone, "").unwrap();
    let status = onlooker
        .until(&fleet, "beta carries all", |status| subscriptions(status, "beta") == 12)
        .await;
    assert_eq!(standing(&status, "alpha"), Standing::Away);
    onlooker.until_settled(&fleet, 12, 1).await;
    onlooker.advance(3).await;
    missed_a_little_at_most(&onlooker, &lost);
    returns_once(&fleet, &mut onlooker, "alpha").await;
    let status = fleet.status_now().await;
    assert_eq!(worker_of(&status, "alpha").restarts, 0, "its worker had no part in it");
    fleet.stop().await;
}

#[tokio::test]
async fn a_front_that_comes_and_goes_costs_its_instruments_one_hole_and_nobody_a_move() {
    const FALLS: usize = 5;
    let (home, all) = (Home::new(), instruments(8));
    let market = Lockstep::begin(&home, &names(&all), ROWS, 30);
    let orders: Vec<_> = (0..FALLS).map(|fall| home.path(&format!("fall-{fall}"))).collect();
    let faults = orders
        .iter()
        .map(|order| json!({"when_file": order, "do": "disconnect", "reconnect_after_ms": 200}));
    let faults = faults.collect();
    let (fleet, mut onlooker, lost) = two_fronts(home, &market, faults, &all).await;
    for (fall, order) in (1..).zip(&orders) {
        std::fs::write(order, "").unwrap();
        onlooker
            .until(&fleet, "the front has been away and is back", |status| {
                let alpha = worker_of(status, "alpha");
                alpha.stats.logins == fall + 1
                    && session_state(alpha) == Some(&SessionState::Ready)
                    && standing(status, "alpha") == Standing::Probation
            })
            .await;
        let status = onlooker.until_settled(&fleet, 8, 1).await;
        assert_eq!(subscriptions(&status, "beta"), 8, "nothing goes back that soon");
    }
    onlooker.advance(30).await;
    missed_a_little_at_most(&onlooker, &lost);
    assert_eq!(onlooker.during(moves_for_balance(&fleet)).await, 0.0);
    fleet.stop().await;
}

/// A worker with many instruments dies, and another takes its place.
async fn a_worker_dies() {
    let (home, all) = (Home::new(), instruments(45));
    let market = Lockstep::begin(&home, &names(&all), ROWS, 20);
    let fleet = FleetPlan::in_home(home)
        .simulated("alpha", &market.script())
        .simulated("beta", &market.script())
        .simulated("gamma", &market.script())
        .start_ready()
        .await;
    let mut onlooker = Onlooker::of(&fleet, &names(&all)).await;
    let lost = carried_by(&fleet, "gamma", all.len()).await;
    assert_eq!(lost.len(), 15, "{lost:?}");

    let status = onlooker.during(fleet.status_now()).await;
    processes::signal(worker_of(&status, "gamma").pid.unwrap(), Signal::SIGKILL);
    onlooker
        .until(&fleet, "the others carry all", |status| {
            subscriptions(status, "alpha") + subscriptions(status, "beta") == 45
                && worker_of(status, "gamma").restarts == 1
        })
        .await;
    onlooker.until_settled(&fleet, 45, 1).await;
    onlooker.advance(3).await;
    missed_a_little_at_most(&onlooker, &lost);
    returns_once(&fleet, &mut onlooker, "gamma").await;
    fleet.stop().await;
}

/// A worker stands still and goes on, with all that it has kept meanwhile.
async fn a_worker_stands_still() {
    let (home, all) = (Home::new(), instruments(8));
    let market = Lockstep::begin(&home, &names(&all), ROWS, 20);
    let fleet = FleetPlan::in_home(home)
        .simulated("alpha", &market.script())
        .simulated("beta", &market.script())
        .start_ready()
        .await;
    let mut onlooker = Onlooker::of(&fleet, &names(&all)).await;
    let lost = carried_by(&fleet, "alpha", all.len()).await;
    let before = onlooker.during(fleet.status_now()).await;
    let pid = worker_of(&before, "alpha").pid.unwrap();

    processes::signal(pid, Signal::SIGSTOP);
    let status = onlooker
        .until(&fleet, "beta carries all", |status| {
            subscriptions(status, "beta") == 8 && status.ticking == 8 && status.moving == 0
        })
        .await;
    assert_eq!(standing(&status, "alpha"), Standing::Away);
    onlooker.advance(20).await;
    assert_eq!(onlooker.jumped(), names(&lost), "they missed what it kept");
    processes::signal(pid, Signal::SIGCONT);
    let status = onlooker.until_settled(&fleet, 8, 1).await;
    assert_eq!(worker_of(&status, "alpha").pid, Some(pid), "it goes on");
    onlooker.advance(20).await;
    missed_a_little_at_most(&onlooker, &lost);
    returns_once(&fleet, &mut onlooker, "alpha").await;
    fleet.stop().await;
}

#[tokio::test]
async fn without_failover_everything_stays_and_comes_back_with_its_front() {
    let (home, all) = (Home::new(), instruments(12));
    let market = Lockstep::begin(&home, &names(&all), ROWS, 30);
    let (gone, faults) = (home.path("gone"), leaving_front(&home, 1500));
    let fleet = FleetPlan::in_home(home)
        .set("auto_failover", false)
        .simulated("alpha", &market.with_faults(faults))
        .simulated("beta", &market.script())
        .start_ready()
        .await;
    let mut onlooker = Onlooker::of(&fleet, &names(&all)).await;
    let lost = carried_by(&fleet, "alpha", all.len()).await;
    std::fs::write(gone, "").unwrap();
    let stay = |status: &FleetStatus| {
        let places = (subscriptions(status, "alpha"), subscriptions(status, "beta"));
        assert_eq!((places, status.moving), ((6, 6), 0), "nothing moves");
    };
    let away = SessionState::Disconnected { reason: 0x1001 };
    let status = onlooker
        .until(&fleet, "the front is away", |status| {
            stay(status);
            session_state(worker_of(status, "alpha")) == Some(&away)
        })
        .await;
    assert_eq!((status.ticking, standing(&status, "alpha")), (6, Standing::Away));
    onlooker
        .until(&fleet, "all tick again", |status| {
            stay(status);
            status.ticking == 12
        })
        .await;
    onlooker.advance(30).await;
    assert_eq!(onlooker.jumped(), names(&lost));
    missed_a_little_at_most(&onlooker, &lost);
    assert_eq!(moves_for_balance(&fleet).await, 0.0);
    fleet.stop().await;
}

#[tokio::test]
async fn what_finds_no_room_waits_in_order_and_takes_the_first_that_there_is() {
    let fleet = FleetPlan::new()
        .connection(json!({"connection_id": "alpha", "max_subscriptions": 2}))
        .connection(json!({"connection_id": "beta", "max_subscriptions": 2}))
        .start_ready()
        .await;
    let (mut early, mut late) = (fleet.client().await, fleet.client().await);
    early.subscribe(&["rb2601", "rb2602", "rb2603", "rb2604"]).await;
    let full = |status: &FleetStatus| is_settled(status, 4, 1);
    fleet.status_when("the fleet is full", full).await;
    let queue_is = async |queue: &[&str]| {
        let what = format!("{queue:?} wait");
        let status = fleet.status_when(&what, |status| {
            let waits = status.queue.iter().map(|instrument| instrument.as_str());
            waits.eq(queue.iter().copied())
        });
        let status = status.await;
        assert_eq!(status.waiting_for_room as usize, queue.len());
        status
    };
    // Not in the order of their names.
    for (subscribed, queue) in [
        ("ru2605", &["ru2605"][..]),
        ("au2606", &["ru2605", "au2606"]),
        ("cu2601", &["ru2605", "au2606", "cu2601"]),
    ] {
        late.subscribe(&[subscribed]).await;
        queue_is(queue).await;
    }
    let table = fleet.told(&["status"]);
    assert!(table.contains("ru2605"), "the queue is shown: {table}");

    early.unsubscribe(&["rb2602"]).await;
    late.push_until("the first of the queue", |push| push.instrument() == "ru2605").await;
    queue_is(&["au2606", "cu2601"]).await;
    // One that is no longer wanted waits no longer.
    late.unsubscribe(&["au2606"]).await;
    queue_is(&["cu2601"]).await;
    early.close().await;
    late.push_until("the last of the queue", |push| push.instrument() == "cu2601").await;
    let status = queue_is(&[]).await;
    assert!(status.workers.iter().all(|worker| worker.subscriptions <= 2));
    fleet.stop().await;
}

#[tokio::test]
async fn a_coordinator_killed_in_the_middle_of_moves_leaves_nothing_undone_or_twice() {
    let (home, all) = (Home::new(), instruments(40));
    let market = Lockstep::begin(&home, &names(&all), ROWS, 20);
    // Moves take a while, so that they have a middle.
    let slow = market.with_faults(json!([{"do": "late", "acks_ms": 400}]));
    let mut fleet = FleetPlan::in_home(home)
        .simulated("alpha", &slow)
        .simulated("beta", &slow)
        .start_ready()
        .await;
    let mut onlooker = Onlooker::of(&fleet, &names(&all)).await;
    let before = onlooker.during(fleet.status_now()).await;
    for (drained, in_the_middle) in [("alpha", true), ("beta", false), ("alpha", true)] {
        let said = fleet.told(&["drain", drained]);
        assert!(said.starts_with(&format!("{drained} is drained: its ")), "{said}");
        if in_the_middle {
            onlooker.until(&fleet, "copies are on their way", |status| status.moving > 0).await;
        }
        fleet.kill_coordinator();
        onlooker.advance(5).await;
        fleet.run();
        onlooker.during(fleet.wait_serving()).await;
        let status = onlooker.until_settled(&fleet, 40, 1).await;
        for (worker, known) in status.workers.iter().zip(&before.workers) {
            assert_eq!(
                (worker.pid, worker.wish),
                (known.pid, None),
                "adopted, and its wish is over"
            );
            assert_eq!(worker.process, WorkerProcess::Running);
        }
    }
    onlooker.advance(10).await;
    assert_eq!(onlooker.jumps(), 0, "{onlooker:?}");
    fleet.stop().await;
}

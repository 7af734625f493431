//! The configuration is read again while the fleet works: what changed happens, and nothing else does.

use qamd_tests::fleet::{Fleet, FleetPlan, Home, is_settled, session_state, worker_of};
use qamd_tests::lockstep::Lockstep;
use serde_json::{Value, json};
use shm_layout::control::{FleetStatus, SessionState};

use crate::onlooker::{Onlooker, instruments, names};
use crate::scripts::ROWS;

/// By which one sees that workers were left alone: process, life, and that they logged in once.
fn untouched(before: &FleetStatus, after: &FleetStatus, connections: &[&str]) {
    for connection in connections {
        let (known, now) = (worker_of(before, connection), worker_of(after, connection));
        assert_eq!((known.pid, known.incarnation), (now.pid, now.incarnation), "{connection}");
        assert_eq!((now.stats.logins, now.restarts), (1, 0), "{connection}");
    }
}

fn connection_of<'a>(config: &'a mut Value, id: &str) -> &'a mut Value {
    let connections = config["connections"].as_array_mut().unwrap();
    connections.iter_mut().find(|connection| connection["connection_id"] == id).unwrap()
}

/// Four brokers with room for everything, of which three are configured; the fourth's entry is handed back.
async fn three_of_four() -> (Fleet, Onlooker, Value) {
    let (home, all) = (Home::new(), instruments(12));
    let market = Lockstep::begin(&home, &names(&all), ROWS, 20);
    let connection = |id: &str, broker: &str| {
        json!({
            "connection_id": id,
            "front_addr": "tcp://127.0.0.1:1",
            "broker_id": broker,
            "max_subscriptions": 100,
            "env": {"QAMD_SIM": market.script().to_string()},
        })
    };
    let fleet = FleetPlan::in_home(home)
        .connection(connection("alpha", "1001"))
        .connection(connection("beta", "1002"))
        .connection(connection("gamma", "1003"))
        .start_ready()
        .await;
    let onlooker = Onlooker::of(&fleet, &names(&all)).await;
    (fleet, onlooker, connection("delta", "1004"))
}

#[tokio::test]
async fn connections_come_change_and_go_without_a_touch_to_the_others() {
    let (fleet, mut onlooker, delta) = three_of_four().await;
    let first = onlooker.during(fleet.status_now()).await;
    assert_eq!(fleet.told(&["reload"]), "nothing has changed\n");

    fleet.edit_config(|config| config["connections"].as_array_mut().unwrap().push(delta));
    assert_eq!(fleet.told(&["reload"]), "delta is added\n");
    let added = onlooker
        .until(&fleet, "delta carries some", |status| {
            let delta = status.workers.iter().find(|w| w.connection_id.as_str() == "delta");
            delta.is_some_and(|delta| delta.subscriptions > 0) && is_settled(status, 12, 1)
        })
        .await;
    untouched(&first, &added, &["alpha", "beta", "gamma"]);

    fleet.edit_config(|config| {
        connection_of(config, "beta")["max_subscriptions"] = json!(50);
        connection_of(config, "gamma")["env"]["TZ"] = json!("Asia/Shanghai");
    });
    let said = fleet.told(&["reload"]);
    for changed in ["beta", "gamma"] {
        let line = format!("{changed} has other settings and is restarted\n");
        assert!(said.contains(&line), "{said}");
    }
    assert_eq!(said.lines().count(), 2, "{said}");
    let changed = onlooker
        .until(&fleet, "beta and gamma are back with other settings", |status| {
            let anew = |id| {
                let worker = worker_of(status, id);
                worker.pid.is_some()
                    && worker.incarnation != worker_of(&added, id).incarnation
                    && session_state(worker) == Some(&SessionState::Ready)
            };
            anew("beta") && anew("gamma") && is_settled(status, 12, 1)
        })
        .await;
    untouched(&added, &changed, &["alpha", "delta"]);
    assert_eq!(worker_of(&changed, "beta").max_subscriptions, 50);

    fleet.edit_config(|config| {
        let connections = config["connections"].as_array_mut().unwrap();
        connections.retain(|connection| connection["connection_id"] != "alpha");
    });
    assert_eq!(fleet.told(&["reload"]), "alpha is removed\n");
    let removed = onlooker
        .until(&fleet, "three carry all", |status| {
            status.workers.len() == 3 && is_settled(status, 12, 1)
        })
        .await;
    untouched(&changed, &removed, &["delta"]);
    let running = |fleet: &Fleet| {
        fleet.processes().iter().filter(|process| process.command.contains("alpha")).count()
    };
    let gone = qamd_tests::watch::eventually("alpha's worker is gone", async || {
        (running(&fleet) == 0).then_some(())
    });
    onlooker.during(gone).await;
    onlooker.advance(10).await;
    assert_eq!(onlooker.jumps(), 0, "none of this cost a tick: {onlooker:?}");
    fleet.stop().await;
}

#[tokio::test]
async fn strategy_redundancy_and_lists_change_while_everything_ticks() {
    let (fleet, mut onlooker, _) = three_of_four().await;
    let first = onlooker.during(fleet.status_now()).await;
    let all = ["alpha", "beta", "gamma"];

    fleet.edit_config(|config| config["redundancy"] = json!(2));
    let said = fleet.told(&["reload"]);
    assert!(said.contains("redundancy"), "{said}");
    let status = onlooker.until_settled(&fleet, 12, 2).await;
    assert_eq!(status.redundancy, 2);
    untouched(&first, &status, &all);

    fleet.edit_config(|config| config["load_balance_strategy"] = json!("hash_based"));
    let said = fleet.told(&["reload"]);
    assert!(said.contains("hash_based"), "{said}");
    let status = onlooker.until_settled(&fleet, 12, 2).await;
    assert_eq!(status.strategy, "hash_based");

    fleet.edit_config(|config| {
        config["redundancy"] = json!(1);
        config["auto_failover"] = json!(false);
    });
    let said = fleet.told(&["reload"]);
    assert!(said.contains("redundancy") && said.contains("auto_failover"), "{said}");
    onlooker.until_settled(&fleet, 12, 1).await;

    let list = fleet
        .home()
        .write("list.csv", "instrument_id,always_on\nrb2601,true\nrb2603,false\nrb2604,false\n");
    fleet.edit_config(|config| config["instruments"] = json!(list));
    assert_eq!(fleet.told(&["reload"]), "3 instruments are listed\n");
    // What the file says may change without a word in the configuration.
    fleet.home().write("list.csv", "instrument_id,always_on\nrb2601,false\nzz2601,true\n");
    let said = fleet.told(&["reload"]);
    assert_eq!(said, "2 instruments are listed\n13 instruments are wanted, 12 were\n");
    let status = onlooker
        .until(&fleet, "the other one is asked for", |status| {
            (status.wanted, status.acknowledged) == (13, 13)
        })
        .await;
    untouched(&first, &status, &all);
    onlooker.advance(10).await;
    assert_eq!(onlooker.jumps(), 0, "none of this cost a tick: {onlooker:?}");
    fleet.stop().await;
}

#[tokio::test]
async fn a_faulty_file_changes_nothing_and_says_every_fault() {
    let (fleet, mut onlooker, _) = three_of_four().await;
    let first = onlooker.during(fleet.status_now()).await;
    let good = std::fs::read_to_string(fleet.config()).unwrap();
    fleet.edit_config(|config| {
        config["redundancy"] = json!(0);
        config["load_balance_strategie"] = json!("round_robin");
        connection_of(config, "beta")["front_addr"] = json!("udp://127.0.0.1:1");
        connection_of(config, "gamma")["connection_id"] = json!("alpha");
    });
    let faults = ["redundancy", "load_balance_strategie", "front_addr", "connection_id"];
    // The fleet is found by the file all the same, and says what is wrong with it.
    let instance = fleet.home().instance().to_string();
    let runtime_dir = fleet.paths().runtime_dir().display().to_string();
    let by_name = ["reload", "--instance", &instance, "--runtime-dir", &runtime_dir];
    for output in [fleet.verb(&["reload"]), fleet.qamd(&by_name)] {
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{text}");
        for fault in faults {
            assert!(text.contains(fault), "{fault} is missing: {text}");
        }
        assert!(text.contains("nothing was changed"), "{text}");
    }
    std::fs::write(fleet.config(), good).unwrap();
    fleet.edit_config(|config| connection_of(config, "beta")["ctp_library"] = json!("gone.so"));
    let said = fleet.type_verb(&["reload"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("gone.so") && said.err.contains("nothing was changed"), "{said:?}");
    onlooker.advance(10).await;
    let last = onlooker.until_settled(&fleet, 12, 1).await;
    untouched(&first, &last, &["alpha", "beta", "gamma"]);
    assert_eq!(onlooker.jumps(), 0, "{onlooker:?}");
    fleet.stop().await;
}

#[tokio::test]
async fn what_only_a_start_can_change_is_said_and_left() {
    let (fleet, mut onlooker, _) = three_of_four().await;
    let first = onlooker.during(fleet.status_now()).await;
    fleet.edit_config(|config| config["websocket_port"] = json!(7799));
    let said = fleet.told(&["reload"]);
    assert!(said.contains("websocket_port has changed; it takes a restart of qamd\n"), "{said}");
    let answer = fleet.type_verb(&["reload", "--json"]);
    let again = answer.json();
    assert_eq!((answer.code, &again["done"]), (0, &json!(true)), "{again}");
    let last = onlooker.until_settled(&fleet, 12, 1).await;
    untouched(&first, &last, &["alpha", "beta", "gamma"]);
    assert_eq!(first.frontends[0].pid, last.frontends[0].pid);
    assert_eq!(onlooker.jumps(), 0, "{onlooker:?}");
    fleet.stop().await;
}

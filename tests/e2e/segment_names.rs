//! Whose the segments are: one fleet each, and the group that the configuration names.

use std::os::unix::fs::MetadataExt;

use nix::sys::signal::Signal;
use nix::unistd::{Group, getgroups};
use qamd_tests::fleet::FleetPlan;
use qamd_tests::processes;
use qamd_tests::word::say;
use serde_json::{Value, json};
use shm_layout::shared_memory::Place;

#[tokio::test]
async fn a_second_fleet_may_not_fill_the_same_segment() {
    let fleet = FleetPlan::new().simulated("alpha", &json!({})).start().await;
    let name = fleet.home().segments()[1].clone();
    let mut second = FleetPlan::new()
        .simulated("alpha", &json!({}))
        .set("qamddata_name", name.as_str())
        .prepare();
    second.run();
    let status = second.wait_ended().await;
    assert_eq!(status.code(), Some(1));
    let log = second.log();
    let errors: Vec<&str> = log.lines().filter(|line| line.contains(&name)).collect();
    let [error] = errors[..] else { panic!("one line should name the segment: {log}") };
    let dir = fleet.paths().runtime_dir().display().to_string();
    assert!(error.contains(&dir) && error.contains("another qamddata_name (or null"), "{error}");
    second.assert_nothing_left();

    second.edit_config(|config| config["qamddata_name"] = Value::Null);
    second.run();
    second.wait_serving().await;
    let mut client = second.client().await;
    client.subscribe(&["rb2601"]).await;
    client.next_push().await;
    assert!(!Place::named(&second.home().segments()[1]).path().exists());
    assert!(Place::named(&second.home().segments()[0]).path().exists());
    let shown = second.type_verb(&["shm"]);
    assert_eq!(shown.code, 0, "{shown:?}");
    second.stop().await;
    fleet.stop().await;
}

#[tokio::test]
async fn segments_belong_to_the_group_that_is_named() {
    let mut fleet =
        FleetPlan::new().simulated("alpha", &json!({})).set("shm_group", "no-such-group").prepare();
    fleet.run();
    assert_eq!(fleet.wait_ended().await.code(), Some(64));
    let log = fleet.log();
    assert!(log.contains("shm_group") && log.contains("no-such-group"), "{log}");
    fleet.assert_nothing_left();
    let shared = fleet.home().segments().map(|name| Place::named(&name).path().exists());
    assert_eq!(shared, [false, false]);

    // One of ours that is not the usual one; root may give files to any.
    let own = nix::unistd::getegid();
    let daemon = Group::from_name("daemon").ok().flatten().map(|group| group.gid);
    let others = if nix::unistd::geteuid().is_root() {
        daemon.into_iter().collect()
    } else {
        getgroups().unwrap_or_default()
    };
    let Some(group) = others.into_iter().find(|gid| *gid != own) else {
        say("not tested: shm_group, since this user is in one group only");
        return;
    };
    let named = Group::from_gid(group).unwrap().unwrap().name;
    fleet.edit_config(|config| config["shm_group"] = named.clone().into());
    // Made so, and found so by the next start.
    for _ in 0..2 {
        fleet.run();
        fleet.wait_serving().await;
        for (name, mode) in fleet.home().segments().into_iter().zip([0o640, 0o660]) {
            let found = std::fs::metadata(Place::named(&name).path()).unwrap();
            assert_eq!((found.mode() & 0o7777, found.gid()), (mode, group.as_raw()), "{name}");
        }
        processes::signal(fleet.coordinator_pid(), Signal::SIGTERM);
        assert_eq!(fleet.wait_ended().await.code(), Some(0));
    }
    fleet.assert_nothing_left();
}

//! `qamd shm` as a person types it: what lies in shared memory is shown and taken away whether a fleet runs or not.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;

use nix::sys::signal::Signal;
use qamd_tests::fleet::{Fleet, FleetPlan, Home, Said};
use qamd_tests::processes;
use qamd_tests::watch::eventually;
use serde_json::{Value, json};
use shm_layout::depth::layout::header;
use shm_layout::depth::{DepthOwner, DepthWriter, SlotFacts};
use shm_layout::lock_file::LockFile;
use shm_layout::qamddata::{Instrument, QamddataCells, QamddataKey, QamddataOwner};
use shm_layout::shared_memory::{Place, Sharing};
use shm_layout::{ExchangeId, InstrumentId, Tick, clock};

/// A fleet that is never started.
fn still() -> Fleet {
    FleetPlan::new().simulated("alpha", &json!({})).prepare()
}

fn places(home: &Home) -> [Place; 2] {
    home.segments().map(|name| Place::named(&name))
}

fn id(text: &str) -> InstrumentId {
    InstrumentId::parse(text).unwrap()
}

fn shown(fleet: &Fleet) -> (i32, Value) {
    let said = fleet.type_verb(&["shm", "--json"]);
    (said.code, said.json())
}

/// A tick of rb2601 in which every field that is shown has a value of its own.
fn tick() -> Tick {
    let mut tick = Tick {
        worker: 7,
        receive_time_ns: clock::unix_ns(),
        trading_day: 20_260_112,
        action_day: 20_260_109,
        raw_update_time: *b"21:00:01",
        update_millisec: 500,
        volume: 12_580,
        last_price: 3594.5,
        pre_settlement_price: 3590.0,
        open_interest: 1_234_567.0,
        upper_limit_price: 3872.0,
        lower_limit_price: -3.25,
        ..Tick::EMPTY
    };
    tick.instrument_id[..6].copy_from_slice(b"rb2601");
    tick.levels[0].bid_price = 3594.0;
    tick.levels[0].bid_volume = 12;
    tick.levels[0].ask_price = 3595.0;
    tick.levels[0].ask_volume = 340;
    tick
}

/// Both segments, made by this process as a coordinator makes them: rb2601 and au2606 in both, zz01 in the depth segment
/// only. The first has one tick.
fn make_segments(home: &Home) -> (DepthOwner, QamddataOwner) {
    let [depth_place, qamddata_place] = places(home);
    let key = |name| QamddataKey::of(ExchangeId::SHFE, &id(name)).unwrap();
    let facts = Instrument { product_class: 1, volume_multiple: 10, ..Instrument::UNKNOWN };
    let universe = [(key("au2606"), facts), (key("rb2601"), facts)];
    let sharing = |mode| Sharing { mode, group: None };
    let (qamddata, _) = QamddataOwner::open(&qamddata_place, &universe, sharing(0o660)).unwrap();
    let (mut depth, _) = DepthOwner::open(&depth_place, 3, sharing(0o640)).unwrap();
    let [_, name] = home.segments();
    depth.set_qamddata(&name, qamddata.inode());
    for (name, exchange) in
        [("rb2601", ExchangeId::SHFE), ("au2606", ExchangeId::SHFE), ("zz01", ExchangeId::UNKNOWN)]
    {
        let (volume_multiple, price_tick, product_class) = (10, 1.0, 1);
        let facts = SlotFacts { exchange, volume_multiple, price_tick, product_class };
        depth.add(&id(name), &facts).unwrap();
    }
    let writer = DepthWriter::open(&depth_place).unwrap();
    writer.write(writer.find(&id("rb2601")).unwrap(), &tick());
    let cells = QamddataCells::open(&name, qamddata.inode()).unwrap();
    cells.write(qamddata.find(&key("rb2601")).unwrap(), &tick());
    (depth, qamddata)
}

#[test]
fn without_segments_it_says_so_and_makes_none() {
    let fleet = still();
    let said = fleet.type_verb(&["shm"]);
    assert_eq!((said.code, said.err.as_str()), (1, ""), "{said:?}");
    assert_eq!(said.out.matches("not there; a start of qamd makes it").count(), 2);
    let (code, health) = shown(&fleet);
    assert_eq!((code, &health["depth"]["state"]), (1, &json!("not_there")));
    let said = fleet.type_verb(&["shm", "get", "SHFE.rb2601"]);
    assert!(said.code == 1 && said.out.contains("the segment is not there"), "{said:?}");
    assert_eq!(fleet.told(&["shm", "remove"]), "There is nothing to remove.\n");
    for usage in [&["shm", "get"][..], &["shm", "put"], &["shm", "get", "\"", "--json"]] {
        let said = fleet.type_verb(usage);
        assert_eq!((said.code, said.out.as_str()), (64, ""), "{usage:?}: {said:?}");
    }
    fleet.assert_nothing_left();
}

#[test]
fn sound_segments_are_shown_with_their_owner() {
    let fleet = still();
    let _owned = make_segments(fleet.home());
    let [depth_place, qamddata_place] = places(fleet.home());
    let (code, health) = shown(&fleet);
    assert_eq!(code, 0, "{health:#}");
    let (depth, qamddata) = (&health["depth"], &health["qamddata"]);
    assert_eq!((&depth["state"], &qamddata["state"]), (&json!("sound"), &json!("sound")));
    assert_eq!(depth["path"], json!(depth_place.path()));
    assert_eq!(
        (&depth["file"]["mode"], &qamddata["file"]["mode"]),
        (&json!("0640"), &json!("0660"))
    );
    assert_eq!(
        (&depth["owner"]["held_by"], &qamddata["owner"]["held_by"]),
        (&json!("nobody"), &json!("nobody"))
    );
    assert_eq!((&depth["facts"]["instruments"], &depth["facts"]["ticked"]), (&json!(3), &json!(1)));
    assert_eq!(depth["facts"]["owner_pid"], json!(std::process::id()));
    assert!(depth["facts"]["last_write_ms_ago"].is_u64(), "{health:#}");
    assert_eq!(
        (&qamddata["facts"]["instruments"], &qamddata["facts"]["priced"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(qamddata["facts"]["index_mutex"], Value::Null);
    assert!(qamddata["facts"]["room"].as_u64().unwrap() > 100_000, "{health:#}");

    let lock = LockFile::take(&qamddata_place.owner_lock(), "owner").unwrap();
    let (code, health) = shown(&fleet);
    let held = json!({"held_by": "process", "pid": std::process::id()});
    assert_eq!((code, &health["qamddata"]["owner"]), (0, &held));
    lock.remove().unwrap();
    let text = fleet.told(&["shm"]);
    assert!(text.contains("1 instrument has ticked, the last "), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "it fits:\n{text}");
}

#[test]
fn get_shows_both_views_and_says_where_an_instrument_is_missing() {
    let fleet = still();
    let _owned = make_segments(fleet.home());
    let said = fleet.type_verb(&["shm", "get", "SHFE.rb2601", "au2606", "zz01", "--json"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{said:?}");
    let found = &said.json()["instruments"];
    let tick = &found[0]["depth"]["tick"];
    for (field, value) in [
        ("worker", json!(7)),
        ("trading_day", json!(20_260_112)),
        ("action_day", json!(20_260_109)),
        ("update_time", json!("21:00:01.500")),
        ("volume", json!(12_580)),
        ("open_interest", json!(1_234_567.0)),
    ] {
        assert_eq!(tick[field], value, "{field} in {tick:#}");
    }
    for (field, value) in [
        ("last_price", 3594.5),
        ("pre_settlement", 3590.0),
        ("upper_limit", 3872.0),
        ("lower_limit", -3.25),
    ] {
        assert_eq!(tick[field], json!(value), "{field} in {tick:#}");
        assert_eq!(found[0]["qamddata"][field], json!(value), "{field} in {found:#}");
    }
    assert_eq!(found[0]["qamddata"]["ask_price1"], json!(3595.0));
    assert_eq!(found[0]["qamddata"]["bid_price1"], json!(3594.0));
    assert_eq!(found[0]["qamddata"]["commission"], Value::Null);
    assert_eq!(tick["levels"][0]["ask_volume"], json!(340));
    assert_eq!(tick["levels"][4]["bid_price"], Value::Null);
    assert_eq!(
        (&found[1]["depth"]["ticks"], &found[1]["depth"]["tick"]),
        (&json!(0), &Value::Null)
    );
    assert_eq!(found[1]["qamddata"]["key"], json!("SHFE.au2606"));
    assert!(found[2]["depth"].is_object() && found[2]["qamddata"].is_null(), "{found:#}");

    let text = fleet.told(&["shm", "get", "rb2601", "zz01"]);
    for words in ["SHFE.rb2601: 1 tick,", "exchange time 2026-01-09 21:00:01.500", "3594.5"] {
        assert!(text.contains(words), "{words} is missing in\n{text}");
    }
    assert!(text.ends_with("qamddata  not in it\n"), "{text}");
    for unknown in ["rb2999", "DCE.rb2601"] {
        let said = fleet.type_verb(&["shm", "get", "rb2601", unknown]);
        assert_eq!((said.code, said.err.as_str()), (1, ""), "{said:?}");
        assert!(said.out.contains("It is added when somebody subscribes it"), "{said:?}");
    }
}

#[test]
fn damage_is_named_and_nothing_of_it_is_believed() {
    let fleet = still();
    let _owned = make_segments(fleet.home());
    let [depth, qamddata] = places(fleet.home());
    let open =
        |place: &Place| OpenOptions::new().read(true).write(true).open(place.path()).unwrap();
    let state = |segment: &str| {
        let (code, health) = shown(&fleet);
        assert_eq!(code, 1, "{health:#}");
        (health[segment]["state"].as_str().unwrap().to_owned(), health[segment]["why"].to_string())
    };
    open(&depth).write_all_at(&99_u64.to_le_bytes(), header::VERSION).unwrap();
    let (word, why) = state("depth");
    assert!(word == "other_version" && why.contains("version is 0x63"), "{word}: {why}");
    open(&depth).write_all_at(&1_u64.to_le_bytes(), header::VERSION).unwrap();
    open(&depth).write_all_at(&60_000_u64.to_le_bytes(), header::SLOTS_USED).unwrap();
    let (word, why) = state("depth");
    assert!(word == "damaged" && why.contains("slot 3 holds no instrument"), "{word}: {why}");
    open(&depth).write_all_at(&0_u64.to_le_bytes(), header::MAGIC).unwrap();
    assert_eq!(state("depth").0, "damaged");
    // An instrument is still shown from the other segment, which the damaged one cannot name any more.
    let text = fleet.told(&["shm", "get", "rb2601"]);
    assert!(text.contains("depth     the segment is damaged: its magic number"), "{text}");
    assert!(text.contains("3594.5"), "{text}");

    open(&qamddata).write_all_at(&[0xff; 64], 16).unwrap();
    assert_eq!(state("qamddata").0, "damaged");
    qamddata.put_away().unwrap();
    std::fs::write(qamddata.path(), "").unwrap();
    assert_eq!(state("qamddata"), ("damaged".into(), "\"it is empty\"".into()));
    let text = fleet.type_verb(&["shm"]).out;
    assert!(text.contains("put away      "), "{text}");
    std::fs::remove_file(qamddata.path()).unwrap();
    std::os::unix::fs::symlink("/dev/null", qamddata.path()).unwrap();
    assert_eq!(state("qamddata"), ("damaged".into(), "\"it is a symbolic link\"".into()));
}

#[test]
fn remove_takes_all_but_not_while_somebody_uses_it() {
    let fleet = still();
    let [depth, qamddata] = places(fleet.home());
    let owned = make_segments(fleet.home());
    std::fs::write(qamddata.quarantine(), "x").unwrap();
    let half_made = depth.path().with_file_name(format!("{}.new-1", fleet.home().segments()[0]));
    std::fs::write(&half_made, "").unwrap();
    let refused = |said: &Said, words: &str| {
        assert_eq!((said.code, said.out.as_str()), (1, ""), "{said:?}");
        assert!(said.err.contains(words), "{said:?}");
        assert!(depth.path().exists() && qamddata.path().exists());
    };
    let pid = std::process::id();
    for lock in [qamddata.owner_lock(), fleet.paths().instance_claim()] {
        let lock = LockFile::take(&lock, "test").unwrap();
        refused(&fleet.type_verb(&["shm", "remove"]), &format!("process {pid} holds"));
        // What a killed process leaves of its lock is in nobody's way.
        drop(lock);
    }
    std::fs::create_dir(fleet.paths().runtime_dir()).unwrap();
    let frontend = LockFile::take(&fleet.paths().frontend_lock(), "test").unwrap();
    refused(&fleet.type_verb(&["shm", "remove"]), &format!("ws-frontend (pid {pid})"));
    frontend.remove().unwrap();

    let other = format!("{}-other", fleet.home().instance());
    let elsewhere = fleet.qamd(&["shm", "remove", "--instance", &other]);
    assert!(elsewhere.status.success() && qamddata.path().exists(), "{elsewhere:?}");
    let text = fleet.told(&["shm", "remove"]);
    assert!(text.contains("restart them when the fleet runs again"), "{text}");
    assert!(text.contains(&format!("(pid {pid})")), "this process has them mapped: {text}");
    drop(owned);
    let left = processes::shared_memory_of(fleet.home().instance().as_str());
    assert!(left.is_empty(), "{left:#?}");
    fleet.assert_nothing_left();
}

#[tokio::test]
async fn a_fleets_segments_are_shown_while_it_runs_and_after() {
    let mut fleet = FleetPlan::new().simulated("alpha", &json!({"rate": 50})).start_ready().await;
    let mut client = fleet.client().await;
    client.subscribe(&["rb2601"]).await;
    client.next_push().await;
    let found = eventually("rb2601 has prices in both segments", async || {
        let said = fleet.type_verb(&["shm", "get", "SHFE.rb2601", "--json"]);
        let found = said.json()["instruments"][0].clone();
        let priced = found["qamddata"]["last_price"].is_f64() && found["depth"]["tick"].is_object();
        (said.code == 0 && priced).then_some(found)
    })
    .await;
    assert_eq!(found["depth"]["tick"]["connection"], json!("alpha"));
    assert!(found["depth"]["carried_for_ms"].is_u64(), "{found:#}");
    let (code, health) = shown(&fleet);
    let owner = json!({"held_by": "process", "pid": fleet.coordinator_pid()});
    assert_eq!(
        (code, &health["depth"]["owner"], &health["qamddata"]["owner"]),
        (0, &owner, &owner)
    );
    assert_eq!(health["depth"]["facts"]["carried"], json!(1));
    let said = fleet.type_verb(&["shm", "remove"]);
    let pid = fleet.coordinator_pid();
    assert!(said.code == 1 && said.err.contains(&format!("coordinator (pid {pid})")), "{said:?}");

    processes::signal(pid, Signal::SIGTERM);
    assert_eq!(fleet.wait_ended().await.code(), Some(0));
    let (code, health) = shown(&fleet);
    assert_eq!((code, &health["depth"]["owner"]["held_by"]), (0, &json!("nobody")), "{health:#}");
    assert_eq!(health["depth"]["facts"]["carried"], json!(0));
    let text = fleet.told(&["shm", "get", "rb2601"]);
    assert!(text.contains("not carried now, so what it holds is old"), "{text}");
    let text = fleet.told(&["shm", "remove"]);
    assert!(text.starts_with("removed /dev/shm/"), "{text}");
    assert_eq!(shown(&fleet).0, 1);
    fleet.assert_nothing_left();
}

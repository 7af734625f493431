//! Segments that were damaged, replaced or taken by somebody else, while the fleet stood still and while it ran.

use std::fs::{OpenOptions, Permissions};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::Path;

use nix::sys::signal::Signal;
use qamd_tests::chance::Chance;
use qamd_tests::fleet::{Fleet, FleetPlan, Home};
use qamd_tests::processes;
use qamd_tests::programs::{Program, Workshop};
use qamd_tests::watch::eventually;
use shm_layout::depth::layout::header;
use shm_layout::qamddata::check::check;
use shm_layout::qamddata::layout::{FIRST_BLOCK, INDEX_MUTEX, SEGMENT_BYTES, entry, node};
use shm_layout::shared_memory::{Place, ReadOnly};

use crate::scripts::counting;
use crate::segment_users::{finds, segment_user, using, walked};

const KEY: &str = "SHFE.rb2601";
const LISTED: usize = 300;

/// A fleet with some hundred instruments of which it carries one.
fn plan() -> FleetPlan {
    plan_of(&["rb2601"])
}

/// A fleet on a market of these instruments; rb2601 is always on.
fn plan_of(market: &[&str]) -> FleetPlan {
    let home = Home::new();
    let script = counting(&home, market, 200);
    let more: String = (1..LISTED).map(|n| format!("rb{},false\n", 3000 + n)).collect();
    FleetPlan::in_home(home)
        .instruments(&format!("instrument_id,always_on\nrb2601,true\n{more}"))
        .simulated("alpha", &script)
}

fn places(home: &Home) -> [Place; 2] {
    home.segments().map(|name| Place::named(&name))
}

async fn rest(fleet: &mut Fleet) {
    processes::signal(fleet.coordinator_pid(), Signal::SIGTERM);
    assert_eq!(fleet.wait_ended().await.code(), Some(0));
}

/// Starts the fleet. Gives the warnings and errors that name the segment's file, a line each.
async fn started(fleet: &mut Fleet, place: &Place) -> Vec<String> {
    let from = fleet.log().len();
    fleet.run();
    fleet.wait_serving().await;
    let name = format!("{} ", place.path().display());
    let log = fleet.log()[from..].to_owned();
    let grave = |line: &&str| line.contains("WARN") || line.contains("ERROR");
    log.lines().filter(grave).filter(|line| line.contains(&name)).map(str::to_owned).collect()
}

fn assert_says_why(said: &[String], place: &Place, what: &str) {
    let [line] = said else { panic!("{what}: one line should be said: {said:#?}") };
    let quarantine = place.quarantine().display().to_string();
    assert!(line.contains("could not be used (") && line.contains(&quarantine), "{what}: {line}");
}

/// Both segments are sound, and prices come through both of them.
async fn assert_whole(fleet: &Fleet, legacy: &Path, what: &str) {
    let shown = fleet.type_verb(&["shm"]);
    assert_eq!(shown.code, 0, "{what}: {shown:?}");
    assert_eq!(walked(legacy, fleet).len(), LISTED, "{what}");
    prices_go_on(fleet, what).await;
}

/// Prices change in both segments.
async fn prices_go_on(fleet: &Fleet, what: &str) {
    let prices = || {
        let found = fleet.type_verb(&["shm", "get", KEY, "--json"]).json();
        let [depth, qamddata] = [
            &found["instruments"][0]["depth"]["tick"]["last_price"],
            &found["instruments"][0]["qamddata"]["last_price"],
        ];
        [depth.as_f64(), qamddata.as_f64()]
    };
    let first = prices();
    eventually(&format!("{what}: prices change in both segments"), async || {
        let now = prices();
        let changed = |index: usize| now[index].is_some() && now[index] != first[index];
        (changed(0) && changed(1)).then_some(())
    })
    .await;
}

fn words_of(place: &Place) -> ReadOnly {
    ReadOnly::map(&place.open_read().unwrap()).unwrap()
}

fn put(place: &Place, at: u64, word: u64) {
    place.open_write().unwrap().write_all_at(&word.to_le_bytes(), at).unwrap();
}

fn word(place: &Place, at: u64) -> u64 {
    let mut bytes = [0; 8];
    place.open_read().unwrap().read_exact_at(&mut bytes, at).unwrap();
    u64::from_le_bytes(bytes)
}

#[tokio::test]
async fn every_word_of_the_header_may_be_overwritten_while_the_fleet_rests() {
    let mut chance = Chance::from_variable("QAMD_DAMAGE_SEED", 1);
    let workshop = Workshop::new();
    let legacy = segment_user(&workshop);
    let mut fleet = plan().prepare();
    let [_, place] = places(fleet.home());
    assert_eq!(started(&mut fleet, &place).await, Vec::<String>::new());
    let mut borne = Vec::new();
    for at in (0..FIRST_BLOCK).step_by(8) {
        rest(&mut fleet).await;
        // Both halves change: some fields have 32 bits.
        let change =
            (chance.below(1 << 31) as u64 + 1) << 33 | (chance.below(1 << 30) as u64) << 2 | 1;
        put(&place, at, word(&place, at) ^ change);
        let what = format!("the word at {at} changed by {change:#x}");
        let said = started(&mut fleet, &place).await;
        if said.is_empty() {
            borne.push(at);
        } else {
            assert_says_why(&said, &place, &what);
        }
        assert_whole(&fleet, &legacy, &what).await;
    }
    assert_eq!(borne, BORNE);
    std::fs::remove_file(place.quarantine()).unwrap();
    fleet.stop().await;
}

/// Words of the header in which anything is borne: padding, what robust mutexes have and these do not use, and the lock of the
/// index's mutex, which is freed for a holder that nobody knows.
const BORNE: [u64; 7] = [8, 40, 48, INDEX_MUTEX, 136, 144, 216];

#[tokio::test]
async fn random_links_of_nodes_may_be_overwritten_while_the_fleet_rests() {
    let mut chance = Chance::from_variable("QAMD_DAMAGE_SEED", 2);
    let workshop = Workshop::new();
    let legacy = segment_user(&workshop);
    let mut fleet = plan().prepare();
    let [_, place] = places(fleet.home());
    assert_eq!(started(&mut fleet, &place).await, Vec::<String>::new());
    for _ in 0..12 {
        rest(&mut fleet).await;
        let sound = check(&words_of(&place)).unwrap();
        let (key, instrument) = chance.one_of(&sound.instruments).unwrap();
        let link = chance.one_of(&[node::PARENT, node::LEFT, node::RIGHT, entry::KEY]).unwrap();
        let at = instrument - entry::INSTRUMENT + link;
        let change = 8 << chance.below(24);
        put(&place, at, word(&place, at) ^ change);
        let what = format!("{key}'s word {link} changed by {change:#x}");
        assert_says_why(&started(&mut fleet, &place).await, &place, &what);
        assert_whole(&fleet, &legacy, &what).await;
    }
    std::fs::remove_file(place.quarantine()).unwrap();
    fleet.stop().await;
}

/// Puts something else in a segment's place.
type Replace = fn(&Path);

fn file_of(path: &Path, bytes: u64) {
    let file = OpenOptions::new().write(true).create(true).truncate(true).open(path).unwrap();
    file.set_len(bytes).unwrap();
}

fn foreign(path: &Path) {
    std::fs::write(path, "something else\n".repeat(9999)).unwrap();
}

fn directory(path: &Path) {
    std::fs::remove_file(path).unwrap();
    std::fs::create_dir(path).unwrap();
    std::fs::write(path.join("within"), "x").unwrap();
}

const REPLACEMENTS: [(&str, Replace); 9] = [
    ("half of it", |path| {
        let file = OpenOptions::new().write(true).open(path).unwrap();
        file.set_len(file.metadata().unwrap().len() / 2).unwrap();
    }),
    ("an empty file", |path| file_of(path, 0)),
    ("a directory", directory),
    ("zeros", |path| file_of(path, SEGMENT_BYTES)),
    ("a file twice as long", |path| {
        OpenOptions::new().write(true).open(path).unwrap().set_len(2 * SEGMENT_BYTES).unwrap();
    }),
    ("something foreign", foreign),
    ("a directory again", directory),
    ("a directory for the third time", directory),
    ("a few bytes", |path| file_of(path, 7)),
];

#[tokio::test]
async fn whatever_stands_in_the_place_of_a_segment_is_put_away() {
    let workshop = Workshop::new();
    let legacy = segment_user(&workshop);
    let mut fleet = plan().prepare();
    for place in places(fleet.home()) {
        assert_eq!(started(&mut fleet, &place).await, Vec::<String>::new());
        rest(&mut fleet).await;
        for (what, replace) in REPLACEMENTS {
            if what == "zeros" && place.path().ends_with(fleet.paths().depth_name()) {
                // Of that length a depth segment is not; the others say enough.
                continue;
            }
            replace(place.path());
            let inode = std::fs::symlink_metadata(place.path()).unwrap().ino();
            assert_says_why(&started(&mut fleet, &place).await, &place, what);
            let kept = std::fs::symlink_metadata(place.quarantine()).unwrap();
            assert_eq!(kept.ino(), inode, "{what}: it is what was put away last, and the only one");
            assert_whole(&fleet, &legacy, what).await;
            rest(&mut fleet).await;
        }
        std::fs::remove_file(place.quarantine()).unwrap();
    }
    fleet.assert_nothing_left();
}

#[tokio::test]
async fn modes_that_somebody_changed_are_set_right() {
    let workshop = Workshop::new();
    let legacy = segment_user(&workshop);
    let mut fleet = plan().prepare();
    let wanted = [0o640, 0o660];
    for mode in [0o666, 0o400, 0o000] {
        for place in places(fleet.home()).iter().filter(|place| place.path().exists()) {
            std::fs::set_permissions(place.path(), Permissions::from_mode(mode)).unwrap();
        }
        fleet.run();
        fleet.wait_serving().await;
        for (place, wanted) in places(fleet.home()).iter().zip(wanted) {
            let found = std::fs::metadata(place.path()).unwrap().mode() & 0o7777;
            assert_eq!(found, wanted, "{} after {mode:o}", place.path().display());
        }
        assert_whole(&fleet, &legacy, &format!("mode {mode:o}")).await;
        rest(&mut fleet).await;
    }
    // Whom permissions bind cannot open the last ones, and made others.
    for place in places(fleet.home()) {
        let put_away = std::fs::remove_file(place.quarantine()).is_ok();
        assert_eq!(put_away, !nix::unistd::geteuid().is_root());
    }
    fleet.assert_nothing_left();
}

#[tokio::test]
async fn a_segment_wrecked_by_a_reader_still_gets_prices_and_is_built_anew_at_the_next_start() {
    let workshop = Workshop::new();
    let legacy = segment_user(&workshop);
    let market = ["rb2601", "au2612", "au2701", "au2702"];
    let mut fleet = plan_of(&market).start_ready().await;
    let [_, place] = places(fleet.home());
    prices_go_on(&fleet, "before").await;
    let (status, _) = Program::start(&mut using(&legacy, &fleet, &["wreck"])).end();
    assert!(status.success(), "{status}");
    let mut client = fleet.client().await;
    client.subscribe(&["rb2601", "au2612", "au2701"]).await;
    let status = fleet
        .status_when("a notice of the damage", |status| {
            status.notices.iter().any(|notice| notice.contains("qamddata is damaged ("))
        })
        .await;
    let shown = fleet.type_verb(&["status"]);
    assert!(shown.out.contains("qamddata is damaged ("), "{shown:?} {status:?}");
    client.subscribe(&["au2702"]).await;
    fleet.status_when("four are wanted", |status| status.wanted == 4).await;
    let errors = |log: &str| {
        log.lines().filter(|line| line.contains("ERROR")).map(str::to_owned).collect::<Vec<_>>()
    };
    let said = errors(&fleet.log());
    assert!(said.len() == 1 && said[0].contains("so nothing is added to it"), "{said:#?}");
    assert_eq!(fleet.metric("qamd_qamddata_closed").await, 1.0);
    assert_eq!(fleet.type_verb(&["shm"]).code, 1);
    // Workers write through what they have looked up; clients notice nothing.
    client.push_until("rb2601 ticks", |push| push.instrument() == "rb2601").await;
    let sound_price = || word(&place, cells_of(&fleet) + 48);
    let before = sound_price();
    eventually("its price changes", async || (sound_price() != before).then_some(())).await;

    // Workers and the frontend live on: the next coordinator makes new segments under them.
    fleet.kill_coordinator();
    assert_says_why(&started(&mut fleet, &place).await, &place, "a wrecked segment");
    eventually("what was wanted is added", async || {
        (walked(&legacy, &fleet).len() == LISTED + 3).then_some(())
    })
    .await;
    prices_go_on(&fleet, "in the new one").await;
    assert!(finds(&legacy, &fleet, KEY) > 1000.0);
    assert_eq!(fleet.metric("qamd_qamddata_closed").await, 0.0);
    std::fs::remove_file(place.quarantine()).unwrap();
    fleet.stop().await;
}

/// Where rb2601 lies in `qamddata`, as the depth segment says.
fn cells_of(fleet: &Fleet) -> u64 {
    let place = Place::named(&fleet.paths().depth_name());
    let reader = shm_layout::depth::DepthReader::open(&place).unwrap();
    let slot = reader.find(&shm_layout::InstrumentId::parse("rb2601").unwrap()).unwrap();
    reader.head(slot).unwrap().cells.unwrap()
}

#[tokio::test]
async fn every_word_of_the_depth_segments_header_may_be_overwritten_while_the_fleet_rests() {
    const SET_AT_THE_START: [u64; 5] = [
        header::CREATED_NS,
        header::QAMDDATA_INODE,
        header::OWNER_PID,
        header::OWNER_SEEN_NS,
        header::QAMDDATA_NAME,
    ];
    let mut chance = Chance::from_variable("QAMD_DAMAGE_SEED", 3);
    let workshop = Workshop::new();
    let legacy = segment_user(&workshop);
    let mut fleet = plan().prepare();
    let [place, _] = places(fleet.home());
    assert_eq!(started(&mut fleet, &place).await, Vec::<String>::new());
    for at in (0..=header::OWNER_SEEN_NS).step_by(8).chain([header::QAMDDATA_NAME]) {
        rest(&mut fleet).await;
        put(&place, at, word(&place, at) ^ (1 << chance.between(2, 60)));
        let what = format!("the depth segment's word at {at}");
        let said = started(&mut fleet, &place).await;
        if SET_AT_THE_START.contains(&at) {
            assert_eq!(said, Vec::<String>::new(), "{what}");
        } else {
            assert_says_why(&said, &place, &what);
        }
        assert_whole(&fleet, &legacy, &what).await;
    }
    std::fs::remove_file(place.quarantine()).unwrap();
    fleet.stop().await;
}

#[tokio::test]
async fn workers_that_ran_on_write_into_segments_that_were_made_anew_under_them() {
    let workshop = Workshop::new();
    let legacy = segment_user(&workshop);
    let mut fleet = plan().start_ready().await;
    prices_go_on(&fleet, "before").await;
    let before = fleet.status_now().await;
    fleet.kill_coordinator();
    let [depth, qamddata] = places(fleet.home());
    let old = [&depth, &qamddata].map(|place| std::fs::metadata(place.path()).unwrap().ino());
    for (place, at) in [(&depth, header::SLOT_BYTES), (&qamddata, 0)] {
        put(place, at, word(place, at) ^ 0x100);
    }
    assert_says_why(&started(&mut fleet, &depth).await, &depth, "the depth segment");
    assert_whole(&fleet, &legacy, "both made anew").await;
    let new = [&depth, &qamddata].map(|place| std::fs::metadata(place.path()).unwrap().ino());
    assert!(old[0] != new[0] && old[1] != new[1], "{old:?} {new:?}");
    let after = fleet.status_now().await;
    assert_eq!(after.workers[0].pid, before.workers[0].pid, "the same worker");
    // A client that comes now begins with what the new one holds.
    let mut client = fleet.client().await;
    client.subscribe(&["rb2601"]).await;
    client.next_push().await;
    for place in [depth, qamddata] {
        std::fs::remove_file(place.quarantine()).unwrap();
    }
    fleet.stop().await;
}

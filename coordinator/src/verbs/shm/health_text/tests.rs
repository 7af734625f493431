//! Golden texts of every state, and what holds for all of them.

use proptest::prelude::*;
use shm_layout::Instance;

use super::*;
use crate::shown::columns;
use crate::verbs::shm::health::{IndexMutex, Quarantined};

fn file(bytes: u64, bytes_in_memory: u64, mode: u32, inode: u64) -> FileFacts {
    let (user, group) = ("qamd".to_owned(), "traders".to_owned());
    FileFacts { bytes, bytes_in_memory, mode, user, group, inode }
}

fn depth() -> Segment<DepthFacts> {
    Segment {
        name: "qamd_depth".into(),
        path: "/dev/shm/qamd_depth".into(),
        state: State::Sound,
        file: Some(file(80_744_448, 31_457_280, 0o640, 4711)),
        owner: Holder::Process { pid: Some(4710) },
        facts: Some(DepthFacts {
            instruments: 25_012,
            room: 40_524,
            carried: 300,
            ticked: 1203,
            last_write_ms_ago: Some(200),
            owner_pid: 4710,
            owner_seen_ms_ago: 150,
            qamddata: Some(("qamddata".into(), 4712)),
        }),
        quarantined: None,
    }
}

fn qamddata() -> Segment<QamddataFacts> {
    Segment {
        name: "qamddata".into(),
        path: "/dev/shm/qamddata".into(),
        state: State::Sound,
        file: Some(file(33_554_432, 33_554_432, 0o660, 4712)),
        owner: Holder::Process { pid: Some(4710) },
        facts: Some(QamddataFacts {
            instruments: 25_012,
            room: 149_748,
            priced: 1203,
            index_mutex: None,
            leaked_bytes: 0,
        }),
        quarantined: None,
    }
}

fn well() -> Health {
    Health { instance: Instance::default(), depth: depth(), qamddata: Some(qamddata()) }
}

fn plain(health: &Health) -> String {
    render(health, Style::default())
}

#[test]
fn all_is_well() {
    let golden = "\
qamd_depth      sound
  file          /dev/shm/qamd_depth, 77.0 MiB, 30.0 MiB of it in memory
  access        0640 qamd:traders, inode 4711
  owner         process 4710, seen less than a second ago
  instruments   25,012, room for 40,524 more
  carried       300 instruments now; what the others hold is old
  ticks         1,203 instruments have ticked, the last less than a second ago

qamddata        sound
  file          /dev/shm/qamddata, 32.0 MiB
  access        0660 qamd:traders, inode 4712
  owner         process 4710
  instruments   25,012, room for 149,748 more
  prices        1,203 with a last price
  index mutex   free
";
    assert_eq!(plain(&well()), golden);
    assert!(well().is_well());
}

#[test]
fn a_fleet_that_does_not_run_and_a_reader_that_died() {
    let mut health = well();
    let put_away = |path: &str| Quarantined {
        path: path.into(),
        bytes: 33_554_432,
        modified_ms_ago: 11_000_000,
    };
    health.depth.owner = Holder::Nobody;
    health.depth.state = State::Damaged("slot 7 is not where the index leads".into());
    health.depth.facts = None;
    health.depth.quarantined = Some(put_away("/dev/shm/qamd_depth.quarantined"));
    let qamddata = health.qamddata.as_mut().unwrap();
    qamddata.owner = Holder::Unknown;
    let facts = qamddata.facts.as_mut().unwrap();
    facts.index_mutex = Some(IndexMutex { thread: 99, alive: false });
    facts.leaked_bytes = 576;
    let golden = "\
qamd_depth      damaged: slot 7 is not where the index leads; the next start
                puts it away and makes a new one
  file          /dev/shm/qamd_depth, 77.0 MiB, 30.0 MiB of it in memory
  access        0640 qamd:traders, inode 4711
  owner         nobody
  put away      /dev/shm/qamd_depth.quarantined, 32.0 MiB, last written 3 h 03
                min ago; delete it when nobody needs it

qamddata        sound
  file          /dev/shm/qamddata, 32.0 MiB
  access        0660 qamd:traders, inode 4712
  owner         not known: the lock file is another user's
  instruments   25,012, room for 149,748 more
  prices        1,203 with a last price
  index mutex   held by thread 99, which is dead: every find waits until the
                coordinator frees it
  leaked        576 bytes lost to insertions that were cut off; harmless
";
    assert_eq!(plain(&health), golden);
    assert!(!health.is_well());
}

#[test]
fn what_is_not_there_and_what_was_replaced() {
    let mut health = well();
    health.depth.owner = Holder::Nobody;
    let qamddata = health.qamddata.as_mut().unwrap();
    qamddata.file = Some(file(33_554_432, 33_554_432, 0o660, 5000));
    let text = plain(&health);
    let owner = "nobody; process 4710 was the last, seen less than a second ago\n";
    assert!(text.contains(owner), "{text}");
    let told = "  written by    nobody: the workers write another file, inode 4712, that had\n";
    assert!(text.contains(told), "{text}");
    assert!(text.contains("  carried       300 instruments when the owner died\n"), "{text}");

    let nothing = Segment {
        state: State::NotThere,
        file: None,
        owner: Holder::Nobody,
        facts: None,
        ..qamddata_named("night_data")
    };
    health.qamddata = Some(nothing);
    let golden = "
night_data      not there; a start of qamd makes it
  file          /dev/shm/night_data
  owner         nobody
";
    let text = plain(&health);
    assert!(text.ends_with(golden), "{text}");
    assert!(!health.is_well());

    health.qamddata = None;
    let text = plain(&health);
    assert!(text.ends_with("\n\nThis fleet has no qamddata segment (qamddata_name is null).\n"));
    assert!(health.is_well(), "it is to have none");
}

fn qamddata_named(name: &str) -> Segment<QamddataFacts> {
    Segment { name: name.into(), path: format!("/dev/shm/{name}").into(), ..qamddata() }
}

#[test]
fn json_says_the_same() {
    let json = serde_json::to_value(well()).unwrap();
    assert_eq!(json["depth"]["state"], "sound");
    assert_eq!(json["depth"]["file"]["mode"], "0640");
    assert_eq!(json["depth"]["owner"], serde_json::json!({"held_by": "process", "pid": 4710}));
    assert_eq!(json["qamddata"]["facts"]["index_mutex"], serde_json::Value::Null);
    let damaged = Segment { state: State::Damaged("x".into()), facts: None, ..depth() };
    let json = serde_json::to_value(damaged).unwrap();
    assert_eq!((&json["state"], &json["why"]), (&"damaged".into(), &"x".into()));
}

#[test]
fn sizes_as_people_read_them() {
    assert_eq!([0, 1, 1023].map(size), ["0 bytes", "1 byte", "1,023 bytes"]);
    assert_eq!([1024, 1_048_575].map(size), ["1.0 KiB", "1,023.9 KiB"]);
    assert_eq!([1 << 20, 3 << 30].map(size), ["1.0 MiB", "3,072.0 MiB"]);
}

fn any_state() -> impl Strategy<Value = State> {
    let why = "[a-z0-9 ]{0,200}";
    prop_oneof![
        Just(State::Sound),
        Just(State::NotThere),
        Just(State::NotReady),
        why.prop_map(State::Damaged),
        why.prop_map(State::NotReadable),
        why.prop_map(State::OtherVersion),
    ]
}

prop_compose! {
    fn any_health()(
        states in (any_state(), any_state()),
        name in "[a-z]{1,32}",
        numbers in any::<[u64; 12]>(),
        last in prop::option::of(any::<u64>()),
        mutex in prop::option::of((any::<u32>(), any::<bool>())),
        owners in (0..4_u32, 0..4_u32),
    ) -> Health {
        let holder = |which| match which {
            0 => Holder::Nobody,
            1 => Holder::Unknown,
            2 => Holder::Process { pid: None },
            _ => Holder::Process { pid: Some(u32::MAX) },
        };
        let mut health = well();
        health.depth.state = states.0;
        health.depth.name = format!("{name}_depth");
        health.depth.owner = holder(owners.0);
        let facts = health.depth.facts.as_mut().unwrap();
        [facts.instruments, facts.room, facts.carried, facts.ticked, facts.owner_pid, facts.owner_seen_ms_ago, ..] = numbers;
        facts.last_write_ms_ago = last;
        let put_away = Quarantined { path: "/dev/shm/x".into(), bytes: numbers[6], modified_ms_ago: numbers[7] };
        let qamddata = health.qamddata.as_mut().unwrap();
        (qamddata.state, qamddata.owner, qamddata.quarantined) = (states.1, holder(owners.1), Some(put_away));
        let facts = qamddata.facts.as_mut().unwrap();
        [.., facts.instruments, facts.room, facts.priced, facts.leaked_bytes] = numbers;
        facts.index_mutex = mutex.map(|(thread, alive)| IndexMutex { thread, alive });
        health
    }
}

proptest! {
    #[test]
    fn every_line_fits_eighty_columns(health in any_health()) {
        let text = plain(&health);
        for line in text.lines() {
            prop_assert!(columns(line) <= 80, "{} columns: {line}", columns(line));
            prop_assert_eq!(line, line.trim_end());
        }
    }

    #[test]
    fn colours_change_no_letter(health in any_health()) {
        let mut coloured = render(&health, Style { colour: true });
        while let Some(start) = coloured.find("\x1b[") {
            let end = start + coloured[start..].find('m').unwrap();
            coloured.replace_range(start..=end, "");
        }
        prop_assert_eq!(coloured, plain(&health));
    }
}

//! `qamddata` against every version of Boost: what the coordinator makes is what those versions make and read.

use std::path::Path;
use std::process::Command;

use shm_layout::qamddata::check::check;
use shm_layout::qamddata::layout::{
    ALLOCATOR_MUTEX, INDEX_MUTEX, SEGMENT_BYTES, UNIT, entry, mutex,
};
use shm_layout::qamddata::{Instrument, QamddataKey};
use shm_layout::shared_memory::{Place, ReadOnly, Words};
use shm_layout::{ExchangeId, InstrumentId, NO_PRICE, Tick};

use crate::segments::{Names, Segments, tick, universe};
use crate::workshop::{Program, Workshop, boosts, field, run};

const INSTRUMENTS: usize = 3000;

type Universe = Vec<(InstrumentId, QamddataKey, Instrument)>;

/// The keys, a line each, in the order in which they are inserted.
fn input(universe: &Universe) -> String {
    universe.iter().map(|(_, key, _)| format!("{key}\n")).collect()
}

/// A file's bytes, without what tells robust mutexes from others: Boost 1.78 and later make them so, and the C library leaves a
/// count in one that was locked.
fn bytes_but_for_mutexes(path: &Path) -> Vec<u8> {
    let mut bytes = std::fs::read(path).unwrap();
    assert_eq!(bytes.len() as u64, SEGMENT_BYTES);
    for mutex_at in [ALLOCATOR_MUTEX, INDEX_MUTEX] {
        for part in [mutex::KIND, mutex::COUNT] {
            let at = usize::try_from(mutex_at + part).unwrap();
            bytes[at..at + 4].fill(0);
        }
    }
    bytes
}

/// Fails with the places where they differ, and not with 64 million bytes.
fn assert_same(found: &[u8], expected: &[u8], what: &str) {
    let different = |index: &usize| found[*index] != expected[*index];
    let places: Vec<usize> = (0..expected.len()).filter(different).take(32).collect();
    assert!(found.len() == expected.len() && places.is_empty(), "{what} differs at {places:?}");
}

#[test]
fn the_segment_is_the_one_that_every_boost_makes() {
    let (workshop, names) = (Workshop::new(), Names::new());
    let universe = universe(INSTRUMENTS);
    let segments = Segments::new(&names, &universe);
    let ours = bytes_but_for_mutexes(names.qamddata().path());
    for boost in boosts() {
        let creator = boost.compile(&workshop, "creator", &["tests/abi/programs/creator.cpp"]);
        let name = format!("{}.{}", names.qamddata_name(), boost.version);
        let theirs = Place::named(&name);
        let (code, _) = run(Command::new(creator).arg(&name), &input(&universe));
        let made = std::panic::catch_unwind(|| {
            assert_eq!(code, Some(0), "creator with Boost {}", boost.version);
            let bytes = bytes_but_for_mutexes(theirs.path());
            assert_same(&bytes, &ours, &format!("a segment of Boost {}", boost.version));
            let memory = ReadOnly::map(&theirs.open_read().unwrap()).unwrap();
            let sound = check(&memory).unwrap();
            assert_eq!((sound.instruments.len(), sound.leaked_bytes), (INSTRUMENTS, 0));
            assert!(
                sound.instruments.iter().all(|(key, at)| segments.qamddata.find(key) == Some(*at))
            );
        });
        drop(std::fs::remove_file(theirs.path()));
        made.unwrap_or_else(|failure| std::panic::resume_unwind(failure));
    }
}

#[test]
fn the_shim_makes_the_same_with_every_boost() {
    let (workshop, names) = (Workshop::new(), Names::new());
    let universe = universe(INSTRUMENTS);
    let _segments = Segments::new(&names, &universe);
    let ours = std::fs::read(names.qamddata().path()).unwrap();
    for boost in boosts() {
        let sources = ["tests/abi/programs/shim_main.cpp", "shm-layout/cpp/qamddata_shim.cpp"];
        let shim = boost.compile(&workshop, "shim", &sources);
        let file = workshop.file(&format!("shim-{}.bytes", boost.version));
        let (code, _) = run(Command::new(shim).arg(&file), &input(&universe));
        assert_eq!(code, Some(0), "the shim with Boost {}", boost.version);
        let made = std::fs::read(file).unwrap();
        assert_same(&made, &ours, &format!("the shim's segment with Boost {}", boost.version));
    }
}

#[test]
fn every_boost_finds_things_where_rust_has_them() {
    let (workshop, names) = (Workshop::new(), Names::new());
    let universe = universe(INSTRUMENTS);
    let segments = Segments::new(&names, &universe);
    let memory = ReadOnly::map(&names.qamddata().open_read().unwrap()).unwrap();
    let sound = check(&memory).unwrap();
    for boost in boosts() {
        let nodes = boost.compile(&workshop, "nodes", &["tests/abi/programs/nodes.cpp"]);
        let (code, output) = run(Command::new(nodes).arg(names.qamddata_name()), "");
        assert_eq!(code, Some(0), "Boost {}", boost.version);
        let mut expected =
            format!("size {SEGMENT_BYTES}\nmap {}\ncount {INSTRUMENTS}\n", sound.map);
        for (key, at) in &sound.instruments {
            let key_at = at - (entry::INSTRUMENT - entry::KEY);
            expected.push_str(&format!("{key} {key_at} {at}\n"));
            assert_eq!(segments.qamddata.find(key), Some(*at));
        }
        assert!(output == expected, "Boost {} sees the map otherwise", boost.version);
    }
    // Inserted one after the other, each in the block behind the last.
    let mut places: Vec<u64> = sound.instruments.iter().map(|(_, at)| *at).collect();
    places.sort_unstable();
    assert!(places.windows(2).all(|pair| pair[1] - pair[0] == entry::UNITS * UNIT));
}

#[test]
fn programs_of_every_boost_read_what_a_worker_writes() {
    let (workshop, names) = (Workshop::new(), Names::new());
    let universe = universe(INSTRUMENTS);
    let segments = Segments::new(&names, &universe);
    for (number, (id, _, _)) in (1..).zip(&universe) {
        segments.write(&tick(id, number));
    }
    for boost in boosts() {
        let reader = boost.compile(&workshop, "legacy_reader", &["samples/legacy_reader.cpp"]);
        let keys = universe.iter().map(|(_, key, _)| key.to_string());
        let mut command = Command::new(&reader);
        command.args(["--segment", &names.qamddata_name()]).args(keys);
        let (code, output) = run(&mut command, "");
        assert_eq!((code, output.lines().count()), (Some(0), INSTRUMENTS), "{}", boost.version);
        for ((number, (id, _, _)), line) in (1..).zip(&universe).zip(output.lines()) {
            assert_line(line, &tick(id, number));
        }
        let nowhere = |names: &[&str]| run(Command::new(&reader).args(names), "").0;
        assert_eq!(nowhere(&["--segment", "qamd-abi-there-is-none", "SHFE.rb2601"]), Some(3));
        assert_eq!(nowhere(&["--segment", &names.qamddata_name(), "SHFE.none"]), Some(1));
        assert_eq!(nowhere(&[]), Some(2));
    }
}

#[test]
fn programs_of_every_boost_stay_attached_while_instruments_are_added() {
    let (workshop, names) = (Workshop::new(), Names::new());
    let universe = universe(INSTRUMENTS);
    let mut segments = Segments::new(&names, &universe);
    let (known, known_key, _) = universe[0];
    let later = InstrumentId::parse("au2612").unwrap();
    let later_key = QamddataKey::of(ExchangeId::SHFE, &later).unwrap();
    let mut readers: Vec<Program> = boosts()
        .iter()
        .map(|boost| {
            let source = ["samples/legacy_reader.cpp"];
            let mut command = Command::new(boost.compile(&workshop, "attached", &source));
            command.args(["--segment", &names.qamddata_name(), "--count", "4"]);
            Program::start(command.args([known_key.to_string(), later_key.to_string()]))
        })
        .collect();
    let mut everybody_sees = |expected: &Tick| {
        for reader in &mut readers {
            assert_line(&reader.line(), expected);
        }
    };
    everybody_sees(&Tick { exchange_id: *ExchangeId::SHFE.padded(), ..empty(&known) });
    let offset = segments.qamddata.insert(&later_key, &Instrument::UNKNOWN).unwrap();
    everybody_sees(&empty(&later));
    let slot = segments.depth.add(&later, &crate::segments::facts()).unwrap();
    segments.depth.set_cells(slot, offset);
    // One price a time: a program that looks between two stores would see half of it.
    for id in [&known, &later] {
        let last_alone = Tick { last_price: 4.25, ..empty(id) };
        segments.write(&last_alone);
        everybody_sees(&last_alone);
    }
    for reader in readers {
        let (status, rest) = reader.end();
        assert!(status.success() && rest.is_empty(), "{status}: {rest:?}");
    }
    assert_eq!(segments.qamddata.len(), INSTRUMENTS + 1);
    let memory = ReadOnly::map(&names.qamddata().open_read().unwrap()).unwrap();
    assert!(memory.len() as u64 * 8 == SEGMENT_BYTES && check(&memory).is_ok());
}

fn empty(id: &InstrumentId) -> Tick {
    Tick { instrument_id: *id.padded(), ..Tick::EMPTY }
}

/// Compares a line of the legacy reader with a tick, the prices by their bits.
fn assert_line(line: &str, tick: &Tick) {
    assert_eq!(field(line, "instrument"), tick.instrument().unwrap().as_str());
    assert_eq!(field(line, "exchange"), "SHFE");
    for (name, price) in [
        ("last", tick.last_price),
        ("bid1", tick.levels[0].bid_price),
        ("ask1", tick.levels[0].ask_price),
    ] {
        assert_price(field(line, name), price, line);
    }
}

/// Compares a price as text with the raw one, by its bits.
pub(crate) fn assert_price(text: &str, raw: f64, line: &str) {
    if raw == NO_PRICE {
        assert_eq!(text, "null", "{line}");
    } else {
        let price: f64 = text.parse().unwrap_or_else(|_| panic!("{text} instead of {raw}: {line}"));
        assert_eq!(price.to_bits(), raw.to_bits(), "{line}");
    }
}

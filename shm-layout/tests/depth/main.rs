//! The depth segment between real threads and processes: finding, reading under load, deaths, and what is replaced.
#![expect(clippy::unwrap_used, reason = "tests")]

mod deaths;

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use shm_layout::depth::layout::{header, state};
use shm_layout::depth::{
    AddError, DepthOpenError, DepthOwner, DepthReader, DepthWriter, Found, SlotFacts,
};
use shm_layout::shared_memory::{
    Opening, Place, Sharing, TICK_WORDS, tick_from_words, words_of_tick,
};
use shm_layout::{ExchangeId, InstrumentId, Tick};

const SHARING: Sharing = Sharing { mode: 0o640, group: None };
const FACTS: SlotFacts = SlotFacts {
    exchange: ExchangeId::SHFE,
    volume_multiple: 10,
    price_tick: 0.5,
    product_class: 1,
};
/// Tells this binary, run anew, which place to work on.
const PLACE: &str = "QAMD_DEPTH_TEST_PLACE";

/// A place of this test's own; everything under its name is removed at the end, also when the test fails.
struct Own(Place, String);

impl Own {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("qamd-depth-test-{}-{number}", std::process::id());
        Self(Place::named(&name), name)
    }

    fn open(&self, known: usize) -> (DepthOwner, Opening) {
        DepthOwner::open(&self.0, known, SHARING).unwrap()
    }

    fn put(&self, at: u64, word: u64) {
        let file = std::fs::OpenOptions::new().write(true).open(self.0.path()).unwrap();
        file.write_all_at(&word.to_le_bytes(), at).unwrap();
    }

    /// Runs a test of this binary anew on this place, up to its first line.
    fn process(&self, test: &str) -> Other {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", test, "--nocapture"]).env(PLACE, &self.1);
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        while !line.starts_with("at work") {
            line.clear();
            assert_ne!(output.read_line(&mut line).unwrap(), 0, "{test} ended");
        }
        Other { process, _output: output }
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let prefix = self.1.clone() + ".";
        for entry in std::fs::read_dir("/dev/shm").unwrap().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if *name == self.1 || name.starts_with(&prefix) {
                drop(std::fs::remove_file(entry.path()));
            }
        }
    }
}

/// Another process, ended with the test.
struct Other {
    process: Child,
    _output: BufReader<ChildStdout>,
}

impl Drop for Other {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn id(text: &str) -> InstrumentId {
    InstrumentId::parse(text).unwrap()
}

/// Ids without an order, all different.
fn scattered(count: u64) -> Vec<InstrumentId> {
    let mixed = |number: u64| number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (0..count).map(|number| id(&format!("i{:016x}", mixed(number)))).collect()
}

/// A tick all words of which follow from its number.
fn numbered(number: u64) -> Tick {
    let word = |index: usize| number.wrapping_mul(0x100_0000_01b3) ^ (index as u64) << 56;
    let mut words: [u64; TICK_WORDS] = std::array::from_fn(word);
    words[0] = number;
    tick_from_words(words)
}

/// The number of a tick made so; `None` when two are mixed in it.
fn number_of(tick: &Tick) -> Option<u64> {
    let number = words_of_tick(tick)[0];
    (words_of_tick(tick) == words_of_tick(&numbered(number))).then_some(number)
}

#[test]
fn every_instrument_is_found_and_none_that_is_not_there() {
    let own = Own::new();
    let (mut owner, opening) = own.open(25_000);
    assert_eq!(opening, Opening::Made);
    let reader = DepthReader::open(&own.0).unwrap();
    assert!(reader.is_empty() && reader.is_current());
    let ids = scattered(25_000);
    let slots: HashMap<_, _> = ids.iter().map(|id| (*id, owner.add(id, &FACTS).unwrap())).collect();
    assert_eq!((reader.len(), owner.len()), (25_000, 25_000));
    for (id, slot) in &slots {
        assert_eq!((reader.find(id), owner.find(id)), (Some(*slot), Some(*slot)));
        let head = reader.head(*slot).unwrap();
        assert_eq!((head.instrument, head.exchange, head.ticks), (*id, ExchangeId::SHFE, 0));
        assert_eq!((head.cells, reader.read(*slot)), (None, Found::Nothing));
    }
    for absent in scattered(26_000).split_off(25_000) {
        assert_eq!((reader.find(&absent), owner.find(&absent)), (None, None));
    }
    // Added again, it is where it was.
    let corrected = SlotFacts { exchange: ExchangeId::DCE, ..FACTS };
    assert_eq!(owner.add(&ids[7], &corrected).unwrap(), slots[&ids[7]]);
    assert_eq!(reader.head(slots[&ids[7]]).unwrap().exchange, ExchangeId::DCE);
    let inode = std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(own.0.path()).unwrap());
    drop(owner);
    let (again, opening) = own.open(25_000);
    assert_eq!((again.len(), opening), (25_000, Opening::Reused));
    let now = std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(own.0.path()).unwrap());
    assert_eq!(inode, now);
    assert!(reader.is_current());
}

#[test]
fn the_owner_says_what_it_is_asked_and_how_much_fits() {
    let own = Own::new();
    let (mut owner, _) = own.open(0);
    let ids = scattered(65_537);
    for id in &ids[..65_536] {
        owner.add(id, &FACTS).unwrap();
    }
    assert!(matches!(owner.add(&ids[65_536], &FACTS), Err(AddError::Full(65_536))));
    let reader = DepthReader::open(&own.0).unwrap();
    assert!(ids[..65_536].iter().all(|id| reader.find(id).is_some()));
    assert_eq!((reader.capacity(), reader.find(&ids[65_536])), (65_536, None));
    drop(owner);
    // More are wanted than fit, so a larger one takes its place, and the old one says so.
    let (mut owner, opening) = own.open(65_537);
    assert!(matches!(&opening, Opening::Replaced(why) if why.contains("65536 slots")));
    assert!(!reader.is_current() && owner.is_empty());
    owner.add(&ids[65_536], &FACTS).unwrap();
    let reader = DepthReader::open(&own.0).unwrap();
    assert_eq!((reader.capacity(), reader.len()), (262_144, 1));
}

#[test]
fn instruments_of_the_past_are_left_behind_before_they_fill_it() {
    let own = Own::new();
    let (mut owner, _) = own.open(0);
    let ids = scattered(49_153);
    let (last, most) = ids.split_last().unwrap();
    for id in most {
        owner.add(id, &FACTS).unwrap();
    }
    drop(owner);
    let (mut owner, opening) = own.open(0);
    assert_eq!((owner.len(), opening), (49_152, Opening::Reused));
    owner.add(last, &FACTS).unwrap();
    drop(owner);
    let (owner, opening) = own.open(0);
    assert!(
        matches!(&opening, Opening::Replaced(why) if why.contains("of the past")),
        "{opening:?}"
    );
    assert!(owner.is_empty());
}

#[test]
fn a_damaged_header_is_replaced_and_readers_are_told() {
    let fields = [
        header::MAGIC,
        header::VERSION,
        header::STATE,
        header::TICK_SCHEMA,
        header::TICK_BYTES,
        header::SLOT_BYTES,
        header::SLOT_CAPACITY,
        header::INDEX_ENTRIES,
        header::INDEX_OFFSET,
        header::SLOTS_OFFSET,
        header::TOTAL_BYTES,
        header::SLOTS_USED,
    ];
    for at in fields {
        for value in [0, 77, u64::MAX] {
            let own = Own::new();
            let (mut owner, _) = own.open(0);
            for id in scattered(5) {
                owner.add(&id, &FACTS).unwrap();
            }
            let reader = DepthReader::open(&own.0).unwrap();
            assert!(reader.is_current());
            own.put(at, value);
            if at != header::SLOTS_USED {
                let opened = DepthReader::open(&own.0).map(drop);
                let expected = matches!(
                    opened,
                    Err(DepthOpenError::NotReady(_) | DepthOpenError::Fault { .. })
                );
                assert!(expected, "{value} at {at}: {opened:?}");
            }
            let (_, opening) = own.open(0);
            assert!(matches!(opening, Opening::Replaced(_)), "{value} at {at}: {opening:?}");
            assert!(!reader.is_current(), "{value} at {at}");
            assert!(own.0.quarantine().exists() && DepthReader::open(&own.0).is_ok());
        }
    }
}

#[test]
fn a_damaged_index_or_slot_is_replaced() {
    let own = Own::new();
    let (mut owner, _) = own.open(0);
    let slots_offset = 4096 + 65_536 * 2 * 8;
    owner.add(&id("rb2601"), &FACTS).unwrap();
    for (at, value) in [(4096 + 8 * 99, 5), (slots_offset + 24, 0x41), (slots_offset + 24, 0)] {
        own.put(at, value);
        let (mut owner, opening) = own.open(0);
        assert!(matches!(opening, Opening::Replaced(_)), "{value} at {at}: {opening:?}");
        owner.add(&id("rb2601"), &FACTS).unwrap();
    }
}

#[test]
fn one_who_comes_early_is_told_so() {
    let own = Own::new();
    let not_ready = || matches!(DepthReader::open(&own.0), Err(DepthOpenError::NotReady(_)));
    assert!(not_ready());
    assert!(matches!(DepthWriter::open(&own.0), Err(DepthOpenError::NotReady(_))));
    drop(own.open(0));
    own.put(header::STATE, state::NOT_READY);
    assert!(not_ready());
    own.put(header::MAGIC, 0);
    assert!(not_ready(), "it is all zeros but for what was written so far");
    let refused = |bytes: u64| {
        std::fs::File::create(own.0.path()).unwrap().set_len(bytes).unwrap();
        assert!(DepthReader::open(&own.0).is_err() && DepthWriter::open(&own.0).is_err());
        let (_, opening) = own.open(0);
        assert!(matches!(opening, Opening::Replaced(_)), "{bytes} bytes: {opening:?}");
    };
    for bytes in [0, 1, 7, 8, 4095, 4096, 1 << 20] {
        refused(bytes);
    }
}

//! Segments that the tests make, and what they do with them.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use shm_layout::qamddata::check::{Damage, Sound, check};
use shm_layout::qamddata::layout::SEGMENT_BYTES;
use shm_layout::qamddata::{Instrument, QamddataKey, QamddataOwner};
use shm_layout::shared_memory::{Opening, Place, ReadWrite, Sharing};
use shm_layout::{ExchangeId, InstrumentId};

pub(crate) const SHARING: Sharing = Sharing { mode: 0o600, group: None };

/// A place of this test's own; everything under its name is removed at the end, also when the test fails.
pub(crate) struct Own {
    pub(crate) place: Place,
    name: String,
}

impl Own {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("qamddata-test-{}-{number}", std::process::id());
        Self { place: Place::named(&name), name }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn open(&self, universe: &[(QamddataKey, Instrument)]) -> (QamddataOwner, Opening) {
        QamddataOwner::open(&self.place, universe, SHARING).unwrap()
    }

    /// The file's words.
    pub(crate) fn words(&self) -> Vec<u64> {
        let bytes = std::fs::read(self.place.path()).unwrap();
        let word = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().unwrap());
        bytes.chunks_exact(8).map(word).collect()
    }

    /// Checks it in its place.
    pub(crate) fn check(&self) -> Result<Sound, Damage> {
        check(&ReadWrite::map(&self.place.open_write().unwrap()).unwrap())
    }

    /// Writes words into the file from an index on.
    pub(crate) fn put(&self, index: usize, words: &[u64]) {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let file = std::fs::OpenOptions::new().write(true).open(self.place.path()).unwrap();
        file.write_all_at(&bytes, index as u64 * 8).unwrap();
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let quarantine = self.place.quarantine();
        for path in [self.place.path(), quarantine.as_path()] {
            let is_directory = std::fs::symlink_metadata(path).is_ok_and(|found| found.is_dir());
            drop(if is_directory { std::fs::remove_dir(path) } else { std::fs::remove_file(path) });
        }
    }
}

pub(crate) fn key(text: &str) -> QamddataKey {
    QamddataKey::of(ExchangeId::SHFE, &InstrumentId::parse(text).unwrap()).unwrap()
}

/// Instruments with names short and long, in the order of their keys.
pub(crate) fn universe(count: usize) -> Vec<(QamddataKey, Instrument)> {
    let named = |number: usize| {
        let long =
            if number.is_multiple_of(7) { "-a-name-that-goes-on-and-on-for-a-while" } else { "" };
        let multiple = i64::try_from(number).unwrap();
        let instrument = Instrument { volume_multiple: multiple, ..Instrument::UNKNOWN };
        (key(&format!("x{number:05}{long}")), instrument)
    };
    (0..count).map(named).collect()
}

/// Random numbers from a seed (SplitMix64).
pub(crate) struct Random(pub u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

/// A program in C++ that has a segment mapped, and has done what it was told.
pub(crate) struct Reader {
    pub(crate) process: Child,
    _output: BufReader<ChildStdout>,
}

impl Reader {
    pub(crate) fn that(does: &str, name: &str) -> Self {
        let mut command = Command::new(reader_program());
        command.args([name, does]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        if line != "done\n" {
            let ended = process.wait();
            panic!("the reader that should {does} said {line:?} and ended with {ended:?}");
        }
        Self { process, _output: output }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Compiles the program, once for all tests and under a name that changes with nothing but the process.
fn reader_program() -> &'static PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let program = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("qamddata-reader");
        let making = program.with_extension(std::process::id().to_string());
        let mut command = Command::new("c++");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/qamddata/reader.cpp");
        command.args(["-std=c++17", "-O1", "-w", "-o"]).arg(&making).arg(source);
        if let Some(include) = std::env::var_os("QAMD_BOOST_INCLUDE") {
            command.arg("-isystem").arg(include);
        }
        let output = command.args(["-lpthread", "-lrt"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        std::fs::rename(&making, &program).unwrap();
        program
    })
}

/// Words of a segment.
pub(crate) const WORDS: usize = SEGMENT_BYTES as usize / 8;

//! `qamd_depth.h` and the samples that read the depth segment, against what Rust wrote there.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use qamd_tests::word::say;
use shm_layout::depth::layout::{header, state};
use shm_layout::depth::{DepthOwner, DepthWriter, SlotFacts};
use shm_layout::shared_memory::{Opening, Place, ReadWrite, Sharing, words_of_tick};
use shm_layout::{ExchangeId, InstrumentId, Level, Tick, clock};

use crate::boost::assert_price;
use crate::segments::{Names, OURS, facts, tick};
use crate::workshop::{Program, Workshop, field, run, workspace};

const PROBE: &str = "tests/abi/programs/depth_probe.c";

// What the probe answers to "open".
const OK: &str = "0";
const NOT_READY: &str = "1";
const WRONG_VERSION: &str = "2";
const NO_PERMISSION: &str = "3";
const FAILED: &str = "4";

/// The user and the group of nobody.
const NOBODY: u32 = 65_534;

/// The probe in both languages.
fn probes(workshop: &Workshop) -> Vec<Program> {
    let c = workshop.compile("probe-c11", "gcc", &["-std=c11", "-Wpedantic", PROBE]);
    let languages = ["-std=c++17", "-Wpedantic", "-x", "c++", PROBE];
    let cpp = workshop.compile("probe-cpp17", "g++", &languages);
    [c, cpp].iter().map(|program| Program::start(&mut Command::new(program))).collect()
}

fn id(text: &str) -> InstrumentId {
    InstrumentId::parse(text).unwrap()
}

fn hex(tick: &Tick) -> String {
    let bytes = words_of_tick(tick).iter().flat_map(|word| word.to_le_bytes());
    bytes.map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_header_reads_what_rust_wrote() {
    let (workshop, names) = (Workshop::new(), Names::new());
    let name = names.paths.depth_name();
    let (mut owner, _) = DepthOwner::open(&names.depth(), 10, OURS).unwrap();
    let longest = "x".repeat(InstrumentId::CAPACITY);
    let unknown = SlotFacts { exchange: ExchangeId::UNKNOWN, price_tick: f64::NAN, ..facts() };
    for (instrument, facts) in [("rb2601", facts()), (longest.as_str(), unknown)] {
        owner.add(&id(instrument), &facts).unwrap();
    }
    let writer = DepthWriter::open(&names.depth()).unwrap();
    let slot = writer.find(&id("rb2601")).unwrap();
    owner.set_carried(slot, 17);
    let written = tick(&id("rb2601"), 3594);
    for mut probe in probes(&workshop) {
        assert_eq!(probe.ask(&format!("open {name}")), OK);
        assert_eq!(probe.ask("count"), owner.len().to_string());
        for (wanted, found) in [
            ("rb2601", "0"),
            ("SHFE.rb2601", "0"),
            ("DCE.rb2601", "-1"),
            ("SHFE.", "-1"),
            (".rb2601", "-1"),
            ("rb2602", "-1"),
            (longest.as_str(), "1"),
            (&format!("{longest}x"), "-1"),
            (&format!("SHFE.{longest}"), "-1"),
        ] {
            assert_eq!(probe.ask(&format!("find {wanted}")), found, "{wanted}");
        }
        assert_eq!(probe.ask("head 0"), "rb2601 SHFE 10 10 0.5 1 17");
        assert_eq!(probe.ask("head 1"), format!("{longest}  80 10 nan 1 0"));
        for beyond in [&owner.len().to_string(), "-1", "65536", "4294967296"] {
            assert_eq!(probe.ask(&format!("head {beyond}")), "  0 0 0 0 0", "{beyond}");
            assert_eq!(probe.ask(&format!("updates {beyond}")), "0");
            assert_eq!(probe.ask(&format!("read {beyond}")), "5 ");
        }
        let before: u64 = probe.ask("updates 0").parse().unwrap();
        if before == 0 {
            assert_eq!(probe.ask("read 0"), "5 ");
        }
        // Both rooms, and the first again.
        for number in 1..=3 {
            let written = Tick { volume: number, ..written };
            writer.write(slot, &written);
            assert_eq!(
                probe.ask("updates 0"),
                (before + u64::from(number.unsigned_abs())).to_string()
            );
            assert_eq!(probe.ask("read 0"), format!("0 {}", hex(&written)));
        }
        let said = probe.ask("owner");
        let (pid, silent_ns) = said.split_once(' ').unwrap();
        assert_eq!(pid, std::process::id().to_string());
        assert!(silent_ns.parse::<i64>().unwrap() >= 0, "{silent_ns}");
        owner.seen(clock::unix_ns() + 3_600_000_000_000);
        assert!(probe.ask("owner").contains(" -"), "a clock that was set back shows");
        owner.seen(clock::unix_ns());
        // An instrument of the day.
        let added = id(&format!("ag{before}"));
        let number = owner.len();
        assert_eq!(probe.ask(&format!("find {added}")), "-1");
        owner.add(&added, &facts()).unwrap();
        assert_eq!(probe.ask(&format!("find SHFE.{added}")), number.to_string());
        assert_eq!(probe.ask("close"), "closed");
        assert_eq!(probe.ask("read 0"), "5 ");
        assert_eq!((probe.ask("count"), probe.ask("current")), ("0".into(), "0".into()));
        assert!(probe.end().0.success());
    }
}

#[test]
fn a_reader_may_come_early_and_notices_another_segment() {
    let (workshop, names) = (Workshop::new(), Names::new());
    let open = format!("open {}", names.paths.depth_name());
    for mut probe in probes(&workshop) {
        assert_eq!(probe.ask(&open), NOT_READY);
        assert_eq!(probe.ask("find rb2601"), "-1", "harmless while it is closed");
        let (mut owner, _) = DepthOwner::open(&names.depth(), 10, OURS).unwrap();
        owner.add(&id("rb2601"), &facts()).unwrap();
        assert_eq!(probe.ask(&open), OK);
        assert_eq!(probe.ask("current"), "1");
        drop(owner);
        assert_eq!(probe.ask("current"), "1", "with and without its owner");
        // The next owner goes on with it.
        let (owner, opening) = DepthOwner::open(&names.depth(), 10, OURS).unwrap();
        assert_eq!((opening, probe.ask("current")), (Opening::Reused, "1".to_owned()));
        drop(owner);
        // One that wants more room makes another.
        let (owner, opening) = DepthOwner::open(&names.depth(), 100_000, OURS).unwrap();
        assert!(matches!(opening, Opening::Replaced(_)));
        assert_eq!(probe.ask("current"), "0");
        assert_eq!(probe.ask("find rb2601"), "0", "the old one can still be read");
        assert_eq!(probe.ask(&open), OK);
        assert_eq!((probe.ask("current"), probe.ask("count")), ("1".into(), "0".into()));
        drop(owner);
        std::fs::remove_file(names.depth().path()).unwrap();
        assert_eq!(probe.ask("current"), "0");
        assert!(probe.end().0.success());
    }
}

#[test]
fn what_is_no_segment_of_this_version_is_refused() {
    let (workshop, names) = (Workshop::new(), Names::new());
    let open = format!("open {}", names.paths.depth_name());
    let path = names.depth().path().to_owned();
    for mut probe in probes(&workshop) {
        let (owner, _) = DepthOwner::open(&names.depth(), 10, OURS).unwrap();
        let memory = ReadWrite::map(&names.depth().open_write().unwrap()).unwrap();
        let with = |offset: u64, value: u64, probe: &mut Program| {
            let word = &memory.words()[usize::try_from(offset / 8).unwrap()];
            let before = word.swap(value, Ordering::SeqCst);
            let answer = probe.ask(&open);
            word.store(before, Ordering::SeqCst);
            answer
        };
        for offset in (0..=header::TOTAL_BYTES).step_by(8).filter(|at| *at != header::STATE) {
            for value in [0, 3, u64::MAX, 1 << 40] {
                assert_eq!(with(offset, value, &mut probe), WRONG_VERSION, "{offset} is {value}");
            }
        }
        for value in [state::NOT_READY, state::RETIRED] {
            assert_eq!(with(header::STATE, value, &mut probe), NOT_READY);
        }
        assert_eq!(with(header::STATE, 3, &mut probe), WRONG_VERSION);
        assert_eq!(probe.ask(&open), OK, "as it was");
        drop((owner, memory));
        for bytes in [0, 100, 4096, 1 << 20] {
            std::fs::remove_file(&path).unwrap();
            std::fs::write(&path, vec![7; bytes]).unwrap();
            assert_eq!(probe.ask(&open), WRONG_VERSION, "{bytes} bytes of something");
        }
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert_eq!(probe.ask(&open), WRONG_VERSION, "a directory");
        std::fs::remove_dir(&path).unwrap();
        for name in ["a/b", "..", &"x".repeat(254)] {
            let answer = probe.ask(&format!("open {name}"));
            assert!(
                [FAILED, NOT_READY, WRONG_VERSION].contains(&answer.as_str()),
                "{name}: {answer}"
            );
        }
        assert!(probe.end().0.success());
    }
}

#[test]
fn others_are_told_that_they_may_not_read() {
    let (workshop, names) = (Workshop::new(), Names::new());
    let sharing = Sharing { mode: 0o640, group: None };
    let (_owner, _) = DepthOwner::open(&names.depth(), 10, sharing).unwrap();
    drop(probes(&workshop));
    let is_root = nix::unistd::Uid::effective().is_root();
    if !is_root {
        let none = std::fs::Permissions::from_mode(0o000);
        std::fs::set_permissions(names.depth().path(), none).unwrap();
    }
    for program in ["probe-c11", "probe-cpp17"] {
        let mut command = Command::new(workshop.file(program));
        if is_root {
            // Whom permissions bind.
            command.uid(NOBODY).gid(NOBODY);
        }
        if command.stdin(Stdio::null()).status().is_err() {
            say("not tested: nobody may not run programs that lie in the build directory");
            return;
        }
        let mut probe = Program::start(&mut command);
        let answer = probe.ask(&format!("open {}", names.paths.depth_name()));
        assert_eq!(answer, NO_PERMISSION);
    }
}

/// A tick all of whose numbers are the same.
fn uniform(id: &InstrumentId, number: i32) -> Tick {
    let price = f64::from(number);
    let level =
        Level { bid_price: price, ask_price: price, bid_volume: number, ask_volume: number };
    Tick {
        instrument_id: *id.padded(),
        exchange_time_ns: number.into(),
        update_millisec: number,
        volume: number,
        last_price: price,
        pre_settlement_price: price,
        pre_close_price: price,
        pre_open_interest: price,
        open_price: price,
        highest_price: price,
        lowest_price: price,
        turnover: price,
        open_interest: price,
        close_price: price,
        settlement_price: price,
        upper_limit_price: price,
        lower_limit_price: price,
        pre_delta: price,
        curr_delta: price,
        average_price: price,
        banding_upper_price: price,
        banding_lower_price: price,
        levels: [level; 5],
        ..Tick::EMPTY
    }
}

#[test]
fn no_read_is_torn_while_a_worker_writes_as_fast_as_it_can() {
    const READS: u64 = 2_000_000;
    let (workshop, names) = (Workshop::new(), Names::new());
    let (mut owner, _) = DepthOwner::open(&names.depth(), 1, OURS).unwrap();
    let instrument = id("rb2601");
    let slot = owner.add(&instrument, &facts()).unwrap();
    let writer = DepthWriter::open(&names.depth()).unwrap();
    for mut probe in probes(&workshop) {
        writer.write(slot, &uniform(&instrument, 0));
        let done = AtomicBool::new(false);
        let answer = std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut number = 0;
                while !done.load(Ordering::Relaxed) {
                    number += 1;
                    writer.write(slot, &uniform(&instrument, number));
                }
            });
            let asked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                assert_eq!(probe.ask(&format!("open {}", names.paths.depth_name())), OK);
                probe.ask(&format!("hammer 0 {READS}"))
            }));
            done.store(true, Ordering::Relaxed);
            asked.unwrap_or_else(|failure| std::panic::resume_unwind(failure))
        });
        let numbers: Vec<u64> = answer.split(' ').map(|number| number.parse().unwrap()).collect();
        let [whole, torn, busy, older] = numbers[..] else { panic!("{answer}") };
        // No fleet writes one instrument so fast, and then a read may be overtaken so often that it says "busy".
        assert_eq!((torn, older, whole + busy), (0, 0, READS));
        assert!(whole > 0);
    }
}

#[test]
fn the_depth_samples_print_the_latest_ticks() {
    let (workshop, names) = (Workshop::new(), Names::new());
    let c = workshop.compile("depth_reader", "cc", &["samples/depth_reader.c"]);
    let python = workspace().join("samples/depth.py");
    let sample = |words: &[&str]| {
        [vec![c.as_os_str()], vec!["python3".as_ref(), python.as_os_str()]].map(|start| {
            let mut command = Command::new(start[0]);
            command.args(&start[1..]).args(["--segment", &names.paths.depth_name()]).args(words);
            command
        })
    };
    for mut early in sample(&["rb2601"]) {
        assert_eq!(run(&mut early, "").0, Some(3), "{early:?}");
    }
    let (mut owner, _) = DepthOwner::open(&names.depth(), 10, OURS).unwrap();
    let writer = |place: &Place| DepthWriter::open(place).unwrap();
    let combination = "SPD JR009&JR103";
    let ticks: Vec<Tick> = ["rb2601", combination, "IO2501-C-4000"]
        .into_iter()
        .map(|name| {
            let slot = owner.add(&id(name), &facts()).unwrap();
            let tick = Tick { last_price: 5_806.400_000_000_001, ..tick(&id(name), 7) };
            writer(&names.depth()).write(slot, &tick);
            tick
        })
        .collect();
    owner.add(&id("untraded"), &facts()).unwrap();
    for mut all in sample(&[]) {
        let (code, output) = run(&mut all, "");
        assert_eq!((code, output.lines().count()), (Some(0), ticks.len()), "{all:?}");
        output.lines().zip(&ticks).for_each(|(line, tick)| assert_sample(line, tick));
    }
    let some = format!("SHFE.{combination}");
    for mut named in sample(&[&some]) {
        let (code, output) = run(&mut named, "");
        assert_eq!((code, output.lines().count()), (Some(0), 1), "{named:?}");
        assert_sample(&output, &ticks[1]);
    }
    for (words, expected) in [(&["nowhere"][..], 1), (&["--count"], 2), (&["--what", "1"], 2)] {
        for mut command in sample(words) {
            assert_eq!(run(&mut command, "").0, Some(expected), "{command:?}");
        }
    }
    // They go on while ticks come, and when another segment takes the place of this one.
    let mut going_on: Vec<Program> =
        sample(&["--count", "3", "rb2601"]).iter_mut().map(Program::start).collect();
    let mut everybody_sees = |tick: &Tick| {
        going_on.iter_mut().for_each(|program| assert_sample(&program.line(), tick));
    };
    everybody_sees(&ticks[0]);
    let slot = writer(&names.depth()).find(&id("rb2601")).unwrap();
    let second = Tick { levels: Tick::EMPTY.levels, ..tick(&id("rb2601"), 8) };
    writer(&names.depth()).write(slot, &second);
    everybody_sees(&second);
    drop(owner);
    let (mut owner, _) = DepthOwner::open(&names.depth(), 100_000, OURS).unwrap();
    let slot = owner.add(&id("rb2601"), &facts()).unwrap();
    let third = Tick { exchange_time_ns: Tick::EMPTY.exchange_time_ns, ..tick(&id("rb2601"), 9) };
    writer(&names.depth()).write(slot, &third);
    everybody_sees(&third);
    for program in going_on {
        assert_eq!(program.end().0.code(), Some(0));
    }
}

/// Compares a line of a sample with a tick.
pub(crate) fn assert_sample(line: &str, tick: &Tick) {
    assert_eq!(field(line, "instrument"), tick.instrument().unwrap().as_str());
    assert_eq!(field(line, "exchange"), tick.exchange().as_str());
    let time = match tick.exchange_time_ns {
        shm_layout::NO_TIME => "null".to_owned(),
        time => time.to_string(),
    };
    assert_eq!((field(line, "time"), field(line, "volume")), (&*time, &*tick.volume.to_string()));
    for (name, raw) in [
        ("last", tick.last_price),
        ("bid1", tick.levels[0].bid_price),
        ("ask1", tick.levels[0].ask_price),
    ] {
        assert_price(field(line, name), raw, line);
    }
}

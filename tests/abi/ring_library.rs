//! `libqamd_reader.so` and the samples that follow the ring, against what a worker published.

use std::path::{Path, PathBuf};
use std::process::Command;

use qamd_tests::binaries::built;
use shm_layout::ring::{RingNode, TickReader, TickSource, TickWriter, remove_remains};
use shm_layout::{Incarnation, InstrumentId, Tick, WorkerId, clock};

use crate::depth_header::assert_sample;
use crate::segments::{Names, tick};
use crate::workshop::{Program, Workshop, run, workspace};

fn library() -> PathBuf {
    built("libqamd_reader.so")
}

fn folder(library: &Path) -> &str {
    library.parent().unwrap().to_str().unwrap()
}

/// Both samples, told which fleet to follow.
fn samples(workshop: &Workshop, names: &Names, words: &[&str]) -> Vec<Command> {
    let library = library();
    let links = ["-L", folder(&library), "-lqamd_reader"];
    let source = ["-std=c++17", "samples/tick_follower.cpp"];
    let program = workshop.compile("tick_follower", "g++", &[&source[..], &links[..]].concat());
    let mut cpp = Command::new(program);
    cpp.env("LD_LIBRARY_PATH", folder(&library));
    let mut python = Command::new("python3");
    python.arg(workspace().join("samples/follow.py")).arg("--library").arg(&library);
    let mut both = vec![cpp, python];
    for command in &mut both {
        command.args(["--instance", names.paths.instance().as_str(), "--runtime-dir"]);
        command.arg(names.paths.runtime_dir()).args(words);
    }
    both
}

/// Starts them, and waits until nothing that is published any more can be missed.
fn following(commands: &mut [Command]) -> Vec<Program> {
    let mut programs: Vec<Program> = commands.iter_mut().map(Program::start).collect();
    for program in &mut programs {
        assert_eq!(program.word(), "following");
    }
    programs
}

fn ticks(instrument: &str, numbers: std::ops::Range<i32>) -> Vec<Tick> {
    let id = InstrumentId::parse(instrument).unwrap();
    numbers.map(|number| tick(&id, number)).collect()
}

fn writer(node: &RingNode, worker: u32) -> TickWriter {
    TickWriter::open(node, WorkerId(worker), Incarnation(clock::boot_ns())).unwrap()
}

#[test]
fn the_library_exports_its_own_names_alone() {
    let output = Command::new("nm").args(["-D", "--defined-only"]).arg(library()).output().unwrap();
    let symbols = String::from_utf8(output.stdout).unwrap();
    let mut exported: Vec<&str> =
        symbols.lines().filter_map(|line| line.split_whitespace().nth(2)).collect();
    exported.sort_unstable();
    let header = std::fs::read_to_string(workspace().join("shm-layout/include/qamd_reader.h"));
    let header = header.unwrap();
    // A declaration begins its line and does not end in a comment's star.
    let mut declared: Vec<&str> = header
        .lines()
        .filter(|line| !line.starts_with([' ', '/', '#']) && line.contains('('))
        .filter_map(|line| line.split_once('(')?.0.rsplit([' ', '*']).next())
        .collect();
    declared.sort_unstable();
    assert_eq!(exported, declared);
    assert!(declared.iter().all(|name| name.starts_with("qamd_reader_")));
}

#[test]
fn the_library_keeps_its_promises_to_c() {
    let (workshop, names) = (Workshop::new(), Names::new());
    let library = library();
    let source = ["-std=c11", "tests/abi/programs/reader_checks.c"];
    let links = ["-L", folder(&library), "-lqamd_reader"];
    let program = workshop.compile("reader_checks", "gcc", &[&source[..], &links[..]].concat());
    let node = RingNode::open(&names.paths).unwrap();
    let mut command = Command::new(program);
    command.env("LD_LIBRARY_PATH", folder(&library));
    command.args([names.paths.instance().as_str(), names.paths.runtime_dir().to_str().unwrap()]);
    let mut checks = Program::start(command.arg("/nonexistent/qamd-abi"));
    assert_eq!(checks.line(), "ready");
    let mut worker = writer(&node, 3);
    assert_eq!(worker.publish(&mut ticks("rb2601", 41..43)), 0);
    assert_eq!([checks.line(), checks.line(), checks.line()], ["41", "42", "41"]);
    let (status, rest) = checks.end();
    assert!(status.success() && rest.is_empty());
}

#[test]
fn the_samples_print_every_tick_once_and_in_order() {
    let (workshop, names) = (Workshop::new(), Names::new());
    let node = RingNode::open(&names.paths).unwrap();
    let mut programs = following(&mut samples(&workshop, &names, &["--count", "3000"]));
    // Two workers bring the same, so half of it is left out.
    let mut workers = [writer(&node, 1), writer(&node, 2)];
    let sent = ticks("rb2601", 1..3001);
    for part in sent.chunks(100) {
        for worker in &mut workers {
            assert_eq!(worker.publish(&mut part.to_vec()), 0);
        }
        // Slowly enough for Python: the last line of this part has come.
        for program in &mut programs {
            for tick in part {
                assert_sample(&program.line(), tick);
            }
        }
    }
    for mut program in programs {
        let last = program.word();
        assert!(last.starts_with("lost 0, copies left out "), "{last}");
        let (status, rest) = program.end();
        assert!(status.success() && rest.is_empty(), "{status}");
    }
}

#[test]
fn the_samples_choose_by_name_and_end_in_time() {
    let (workshop, names) = (Workshop::new(), Names::new());
    for mut early in samples(&workshop, &names, &[]) {
        assert_eq!(run(&mut early, "").0, Some(3), "{early:?}");
    }
    let node = RingNode::open(&names.paths).unwrap();
    let words = ["--count", "2", "SHFE.rb2601", "SPD JR009&JR103", "DCE.ag2612"];
    let programs = following(&mut samples(&workshop, &names, &words));
    let mut worker = writer(&node, 1);
    let wanted = [ticks("rb2601", 5..6), ticks("SPD JR009&JR103", 7..8)];
    for mut part in [&ticks("ag2612", 1..20)[..], &wanted[0], &ticks("au2612", 1..9), &wanted[1]]
        .map(<[Tick]>::to_vec)
    {
        worker.publish(&mut part);
    }
    for program in programs {
        let (status, lines) = program.end();
        assert!(status.success());
        assert_eq!(lines.len(), wanted.len());
        for (line, tick) in lines.iter().zip(wanted.iter().flatten()) {
            assert_sample(line, tick);
        }
    }
    for (words, code) in [(&["--seconds", "0.05"][..], 0), (&["--count"], 2), (&["--what", "1"], 2)]
    {
        for mut command in samples(&workshop, &names, words) {
            let outcome = run(&mut command, "");
            assert_eq!(outcome, (Some(code), String::new()), "{command:?}");
        }
    }
}

/// When a fleet stops for good it removes its ring, and the next one makes another of the same name.
#[test]
fn a_follower_notices_that_the_ring_is_gone_and_does_not_harm_the_next() {
    let (workshop, names) = (Workshop::new(), Names::new());
    let first = RingNode::open(&names.paths).unwrap();
    let programs = following(&mut samples(&workshop, &names, &[]));
    drop(first);
    remove_remains(&names.paths).unwrap();
    let node = RingNode::open(&names.paths).unwrap();
    let mut reader = TickReader::open(&node).unwrap();
    let mut worker = writer(&node, 1);
    for program in programs {
        let (status, lines) = program.end();
        assert_eq!((status.code(), lines.len()), (Some(1), 0));
    }
    // The new ring is whole: who has it still reads, and who comes now finds it.
    let sent = ticks("rb2601", 1..10);
    assert_eq!(worker.publish(&mut sent.clone()), 0);
    let mut seen = Vec::new();
    reader.drain(100, &mut |tick| seen.push(tick.volume)).unwrap();
    assert_eq!(seen, (1..10).collect::<Vec<i32>>());
    let late = RingNode::open(&names.paths).unwrap();
    let mut another = TickReader::open(&late).unwrap();
    assert_eq!(worker.publish(&mut ticks("rb2601", 10..11)), 0);
    another.drain(100, &mut |tick| seen.push(tick.volume)).unwrap();
    assert_eq!(seen.last(), Some(&10));
}

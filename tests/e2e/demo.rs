//! `qamd demo`: what a person meets first.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use nix::sys::signal::Signal;
use qamd_tests::fleet::Home;
use qamd_tests::{binaries, processes, recordings};

/// A running demonstration of an instance of its own.
struct Demo {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
    home: Home,
}

impl Demo {
    fn start(arguments: &[&str]) -> Self {
        let home = Home::new();
        let mut child = Command::new(binaries::qamd())
            .args(["demo", "--port", "0", "--instance", home.instance().as_str()])
            .args(arguments)
            .env("TMPDIR", home.dir())
            .env_remove("QAMD_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("qamd can be started");
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines, home }
    }

    /// Reads on until a line that contains this.
    fn line_with(&mut self, word: &str) -> String {
        self.lines
            .by_ref()
            .map(Result::unwrap)
            .find(|line| line.contains(word))
            .unwrap_or_else(|| panic!("the demo ended without a line with {word:?}"))
    }

    /// Reads the rest, and looks whether it ended well and left nothing.
    fn end(mut self) -> String {
        let rest: Vec<String> = self.lines.by_ref().map(Result::unwrap).collect();
        assert_eq!(self.child.wait().unwrap().code(), Some(0), "{rest:#?}");
        let instance = self.home.instance().as_str();
        assert_eq!(processes::shared_memory_of(instance), Vec::<PathBuf>::new());
        let running: Vec<String> =
            processes::mentioning(instance).into_iter().map(|process| process.command).collect();
        assert!(running.is_empty(), "{running:#?}");
        rest.last().cloned().unwrap_or_default()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            processes::signal(self.child.id(), Signal::SIGTERM);
            drop(self.child.wait());
        }
    }
}

#[test]
fn the_demo_says_where_to_connect_shows_ticks_and_stops_at_ctrl_c() {
    let mut demo = Demo::start(&[]);
    demo.line_with("connect   ws://127.0.0.1:");
    demo.line_with("status    qamd status --instance");
    demo.line_with("TIME");
    // A line of the market: time, instrument, exchange.
    for _ in 0..5 {
        let line = demo.lines.next().unwrap().unwrap();
        let fields: Vec<&str> = line.split_whitespace().collect();
        assert!(fields.len() > 8 && fields[0].len() == "09:30:00.000".len(), "{line}");
    }
    processes::signal(demo.child.id(), Signal::SIGINT);
    let last = demo.end();
    assert!(last.starts_with("stopped cleanly") && last.ends_with("none lost"), "{last}");
}

#[test]
fn the_demo_replays_a_recording() {
    let sample = recordings::own_sample();
    let instrument = recordings::Recording::instruments(&sample).remove(0);
    let mut demo = Demo::start(&["--replay", sample.to_str().unwrap(), "--speed", "50"]);
    demo.line_with("one simulated broker replays");
    demo.line_with(&instrument);
    processes::signal(demo.child.id(), Signal::SIGINT);
    let last = demo.end();
    assert!(last.ends_with("none lost"), "{last}");
}

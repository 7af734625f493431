//! Compiling programs and talking to them.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};

use qamd_tests::watch::WATCHDOG;
use qamd_tests::word::say;

/// The workspace's directory.
pub(crate) fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// A word that no other test of this or another process uses.
pub(crate) fn unique(word: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{word}{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A directory for what is compiled, removed when it goes.
pub(crate) struct Workshop {
    dir: PathBuf,
}

impl Workshop {
    pub(crate) fn new() -> Self {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique("abi"));
        std::fs::create_dir_all(&dir).unwrap();
        Self { dir }
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Compiles a program; warnings are faults.
    pub(crate) fn compile(&self, name: &str, compiler: &str, arguments: &[&str]) -> PathBuf {
        let program = self.file(name);
        let include = workspace().join("shm-layout/include");
        let output = Command::new(compiler)
            .args(["-O2", "-Wall", "-Wextra", "-Werror", "-I"])
            .arg(include)
            .args(arguments)
            .arg("-o")
            .arg(&program)
            .current_dir(workspace())
            .output()
            .unwrap_or_else(|error| {
                panic!("{compiler} (Debian/Ubuntu: apt-get install g++): {error}")
            });
        let complaints = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{compiler} {arguments:?}:\n{complaints}");
        program
    }

    /// Compiles a C++ program against a version of Boost.
    pub(crate) fn compile_with(&self, name: &str, boost: &Boost, sources: &[&str]) -> PathBuf {
        let mut arguments = vec!["-std=c++17", "-DBOOST_INTERPROCESS_SEGMENT_MANAGER_ABI=1"];
        // The compiler looks there by itself, and told so it would look too early.
        if boost.include != "/usr/include" {
            arguments.extend(["-isystem", &boost.include]);
        }
        arguments.extend(sources);
        arguments.push("-lrt");
        self.compile(&format!("{name}-{}", boost.version), "g++", &arguments)
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.dir));
    }
}

/// A version of Boost.
#[derive(Debug, Clone)]
pub(crate) struct Boost {
    pub(crate) version: String,
    pub(crate) include: String,
}

/// Every version of Boost that can be had; those that cannot without a package registry are named and left out.
pub(crate) fn boosts() -> &'static [Boost] {
    static FETCHED: OnceLock<Vec<Boost>> = OnceLock::new();
    FETCHED.get_or_init(|| {
        let kept = qamd_tests::binaries::cache_dir().with_file_name("boost");
        let script = workspace().join("scripts/boost-headers.sh");
        let output = Command::new(script).arg(kept).output().unwrap();
        if !output.status.success() {
            let complaint = String::from_utf8_lossy(&output.stderr).replace('\n', " ");
            say(&format!("not tested with every version of Boost: {complaint}"));
        }
        let lines = String::from_utf8(output.stdout).unwrap();
        let split = lines.lines().filter_map(|line| line.split_once(' '));
        let found: Vec<Boost> = split
            .map(|(version, include)| Boost { version: version.into(), include: include.into() })
            .collect();
        assert!(!found.is_empty(), "Boost's headers are needed to build qamd and to test it");
        found
    })
}

/// A running program, line by line; killed when it goes.
pub(crate) struct Program {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
}

impl Program {
    pub(crate) fn start(command: &mut Command) -> Self {
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stdin = child.stdin.take();
        let stdout = lines(child.stdout.take().unwrap());
        let stderr = lines(child.stderr.take().unwrap());
        Self { child, stdin, stdout, stderr }
    }

    /// The next line of its output.
    pub(crate) fn line(&mut self) -> String {
        match self.stdout.recv_timeout(WATCHDOG) {
            Ok(line) => line,
            Err(error) => panic!("no line came ({error}); it said: {:?}", self.said()),
        }
    }

    /// The next line of what it says beside its output.
    pub(crate) fn word(&mut self) -> String {
        self.stderr.recv_timeout(WATCHDOG).expect("it says something")
    }

    /// Gives it a line, and returns its answer.
    pub(crate) fn ask(&mut self, question: &str) -> String {
        writeln!(self.stdin.as_mut().unwrap(), "{question}").unwrap();
        self.line()
    }

    /// Waits for its end. Returns how it ended, and what was left of its lines.
    pub(crate) fn end(mut self) -> (ExitStatus, Vec<String>) {
        drop(self.stdin.take());
        let mut rest = Vec::new();
        loop {
            match self.stdout.recv_timeout(WATCHDOG) {
                Ok(line) => rest.push(line),
                Err(RecvTimeoutError::Disconnected) => return (self.child.wait().unwrap(), rest),
                Err(RecvTimeoutError::Timeout) => panic!("it does not end: {:?}", self.said()),
            }
        }
    }

    fn said(&self) -> Vec<String> {
        self.stderr.try_iter().collect()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // One that has ended already is fine.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn lines(from: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Runs a program to its end with this input; gives its exit code and output.
#[expect(clippy::print_stderr, reason = "for whoever looks why a test failed; captured otherwise")]
pub(crate) fn run(command: &mut Command, input: &str) -> (Option<i32>, String) {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    // Beside the reading, or both would wait when the pipes are full. One that reads nothing is fine.
    let writing = std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap();
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

/// The text of a field in one of the samples' lines of JSON.
pub(crate) fn field<'a>(line: &'a str, name: &str) -> &'a str {
    let key = format!("\"{name}\":");
    let from = line.find(&key).unwrap_or_else(|| panic!("no {name} in {line}")) + key.len();
    line[from..].split([',', '}']).next().unwrap_or_default().trim_matches('"')
}

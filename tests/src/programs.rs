//! Programs in C, C++ and Python beside a fleet: compiled, started, and talked to line by line.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};

use crate::binaries::cache_dir;
use crate::watch::WATCHDOG;

/// The workspace's directory, in which compilers are started.
///
/// # Panics
/// Never: the tests are a member of the workspace.
#[must_use]
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the workspace")
}

/// A directory for what is compiled, removed when this goes.
#[derive(Debug)]
pub struct Workshop {
    dir: PathBuf,
}

/// A running program, line by line; killed when this goes.
#[derive(Debug)]
pub struct Program {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
}

/// How a program ended, and what it said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Its exit code; `None` after a signal.
    pub code: Option<i32>,
    /// The lines of its output.
    pub lines: Vec<String>,
    /// What it said beside.
    pub complaints: String,
}

// === impl Workshop ===

impl Workshop {
    /// One that no other test has.
    ///
    /// # Panics
    /// When the directory cannot be made.
    #[must_use]
    #[expect(
        clippy::new_without_default,
        reason = "a default that makes a directory would surprise"
    )]
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let count = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("programs-{}-{count}", std::process::id());
        let dir = cache_dir().with_file_name("tmp").join(name);
        std::fs::create_dir_all(&dir).expect("a directory for what is compiled can be made");
        Self { dir }
    }

    /// A place in it; nothing is made there.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Compiles a program with the headers of readers at hand; warnings are faults. The arguments name its sources, as the
    /// workspace has them.
    ///
    /// # Panics
    /// When there is no such compiler, or it finds fault.
    pub fn compile(&self, name: &str, compiler: &str, arguments: &[&str]) -> PathBuf {
        let program = self.file(name);
        let output = Command::new(compiler)
            .args(["-O2", "-Wall", "-Wextra", "-Werror", "-I"])
            .arg(workspace().join("shm-layout/include"))
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

    /// Compiles a C program.
    ///
    /// # Panics
    /// As [`Self::compile`].
    #[must_use]
    pub fn c(&self, name: &str, source: &str) -> PathBuf {
        self.compile(name, "gcc", &["-std=c11", source])
    }

    /// Compiles a C++ program that uses the system's Boost.
    ///
    /// # Panics
    /// As [`Self::compile`].
    #[must_use]
    pub fn boost(&self, name: &str, source: &str) -> PathBuf {
        // Without it versions from 1.87 on find nothing in segments of earlier ones.
        let abi = "-DBOOST_INTERPROCESS_SEGMENT_MANAGER_ABI=1";
        self.compile(name, "g++", &["-std=c++17", abi, source, "-lrt"])
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        // What stays there harms nobody.
        drop(std::fs::remove_dir_all(&self.dir));
    }
}

// === impl Program ===

impl Program {
    /// Starts it.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start(command: &mut Command) -> Self {
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stdin = child.stdin.take();
        let stdout = lines(child.stdout.take().expect("it was piped"));
        let stderr = lines(child.stderr.take().expect("it was piped"));
        Self { child, stdin, stdout, stderr }
    }

    /// The next line of its output.
    ///
    /// # Panics
    /// When it ends, or the watchdog is through.
    pub fn line(&mut self) -> String {
        match self.stdout.recv_timeout(WATCHDOG) {
            Ok(line) => line,
            Err(error) => panic!("no line came ({error}); it said: {:?}", self.said()),
        }
    }

    /// The next line of what it says beside its output.
    ///
    /// # Panics
    /// When it ends, or the watchdog is through.
    pub fn word(&mut self) -> String {
        self.stderr.recv_timeout(WATCHDOG).expect("it says something")
    }

    /// Gives it a line, and returns its answer.
    ///
    /// # Panics
    /// When it does not answer.
    pub fn ask(&mut self, question: &str) -> String {
        let stdin = self.stdin.as_mut().expect("it is open as long as the program runs");
        if let Err(error) = writeln!(stdin, "{question}") {
            panic!("it hears nothing ({error}); it said: {:?}", self.said());
        }
        self.line()
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A line that has come already.
    #[must_use]
    pub fn line_if_any(&self) -> Option<String> {
        self.stdout.try_recv().ok()
    }

    /// Gives it a line, and waits for no answer.
    ///
    /// # Panics
    /// When it has ended.
    pub fn tell(&mut self, word: &str) {
        let stdin = self.stdin.as_mut().expect("it is open as long as the program runs");
        writeln!(stdin, "{word}").expect("it hears");
    }

    /// Waits for its end. Returns how it ended, and what was left of its lines.
    ///
    /// # Panics
    /// When the watchdog is through.
    pub fn end(mut self) -> (ExitStatus, Vec<String>) {
        drop(self.stdin.take());
        let mut rest = Vec::new();
        loop {
            match self.stdout.recv_timeout(WATCHDOG) {
                Ok(line) => rest.push(line),
                Err(RecvTimeoutError::Disconnected) => {
                    return (self.child.wait().expect("a child can be waited for"), rest);
                }
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

/// Runs a program to its end.
///
/// # Panics
/// When it cannot be started.
pub fn run(command: &mut Command) -> Ended {
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ended {
        code: output.status.code(),
        lines: text(&output.stdout).lines().map(str::to_owned).collect(),
        complaints: text(&output.stderr),
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

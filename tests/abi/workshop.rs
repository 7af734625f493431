//! Compiling against every version of Boost, and running what was compiled.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

pub(crate) use qamd_tests::programs::{Program, Workshop, workspace};
use qamd_tests::word::say;

/// A word that no other test of this or another process uses.
pub(crate) fn unique(word: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{word}{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
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

impl Boost {
    /// Compiles a C++ program against this version.
    pub(crate) fn compile(&self, workshop: &Workshop, name: &str, sources: &[&str]) -> PathBuf {
        let mut arguments = vec!["-std=c++17", "-DBOOST_INTERPROCESS_SEGMENT_MANAGER_ABI=1"];
        // The compiler looks there by itself, and told so it would look too early.
        if self.include != "/usr/include" {
            arguments.extend(["-isystem", &self.include]);
        }
        arguments.extend(sources);
        arguments.push("-lrt");
        workshop.compile(&format!("{name}-{}", self.version), "g++", &arguments)
    }
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

//! The unmodified TqSdk of PyPI, and programs that use it, as processes beside a fleet.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use crate::binaries::cache_dir;
use crate::login_double::LoginDouble;
use crate::processes;
use crate::programs::{Program, Workshop, run, workspace};
use crate::watch::eventually;
use crate::word::say;

/// Where nothing listens: whatever is not on this machine would be reached through it.
const CLOSED: &str = "127.0.0.1:9";

/// TqSdk in a virtual environment, with a login that lets everybody in.
#[derive(Debug)]
pub struct TqSdk {
    python: PathBuf,
    login: LoginDouble,
}

/// A running program; killed when this goes.
#[derive(Debug)]
pub struct TqProgram {
    program: Program,
    may_reach: [String; 3],
    words: Vec<String>,
    // After the program, which writes there.
    _home: Workshop,
}

// === impl TqSdk ===

impl TqSdk {
    /// TqSdk; fetched once and kept in the build directory. `None`, with a word, when there is no registry.
    ///
    /// # Panics
    /// When there is no port for the login.
    pub async fn ready() -> Option<Self> {
        static PYTHON: OnceLock<Option<PathBuf>> = OnceLock::new();
        let python = PYTHON.get_or_init(|| {
            let folder = cache_dir().join("tqsdk");
            let script = workspace().join("scripts/tqsdk.sh");
            let made = run(Command::new("bash").arg(script).arg(&folder));
            if made.code == Some(0) {
                return Some(folder.join("venv/bin/python"));
            }
            let why = made.complaints.trim().replace('\n', "; ");
            say(&format!("TqSdk cannot be fetched, it is NOT TESTED: {why}"));
            None
        });
        Some(Self { python: python.clone()?, login: LoginDouble::start().await })
    }

    /// Starts a program of `e2e/programs/tqsdk` on the gateway at `host:port`.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start(&self, program: &str, arguments: &[&str], gateway: &str) -> TqProgram {
        let home = Workshop::new();
        let source = workspace().join("tests/e2e/programs/tqsdk").join(program);
        let mut command = Command::new(&self.python);
        command.arg(source).args(arguments).current_dir(home.file("")).env_clear();
        let closed = format!("http://{CLOSED}");
        let environment = [
            ("PATH", "/usr/bin:/bin"),
            ("LANG", "C.UTF-8"),
            ("PYTHONUTF8", "1"),
            ("PYTHONUNBUFFERED", "1"),
            ("PYTHONDONTWRITEBYTECODE", "1"),
            // The machine is busy enough.
            ("OPENBLAS_NUM_THREADS", "1"),
            ("TQ_AUTH_URL", &self.login.url()),
            ("TQ_MD_URL", &format!("ws://{gateway}")),
            ("http_proxy", &closed),
            ("https_proxy", &closed),
            ("all_proxy", &closed),
            ("no_proxy", "127.0.0.1"),
        ];
        command.envs(environment).env("HOME", home.file(""));
        let may_reach = [CLOSED.to_owned(), self.login.address(), gateway.to_owned()];
        TqProgram {
            program: Program::start(&mut command),
            may_reach,
            words: Vec::new(),
            _home: home,
        }
    }

    /// How many programs have logged in.
    ///
    /// # Panics
    /// When one asked the login for anything else.
    #[must_use]
    pub fn logins(&self) -> usize {
        self.login.logins()
    }
}

// === impl TqProgram ===

impl TqProgram {
    /// What it says next to the test.
    ///
    /// # Panics
    /// When that is something else, the program ends, or the watchdog is through.
    pub async fn says(&mut self, what: &str) -> Value {
        self.says_while(what, || ()).await
    }

    /// As [`Self::says`], while something else is done every now and then.
    ///
    /// # Panics
    /// As [`Self::says`].
    pub async fn says_while(&mut self, what: &str, mut beside: impl FnMut()) -> Value {
        let awaited = format!("the program to say {what:?}");
        let said = eventually(&awaited, async || {
            beside();
            self.next()
        })
        .await;
        assert_eq!(said["what"], what, "{said}; TqSdk said {:?}", self.words);
        said
    }

    /// Gives it a word.
    ///
    /// # Panics
    /// When it has ended.
    pub fn tell(&mut self, word: &str) {
        self.program.tell(word);
    }

    /// Gives it a word, and returns its answer.
    ///
    /// # Panics
    /// As [`Self::says`].
    pub async fn ask(&mut self, word: &str, what: &str) -> Value {
        self.tell(word);
        self.says(what).await
    }

    /// The lines that TqSdk itself has printed so far.
    pub fn words(&mut self) -> &[String] {
        while let Some(line) = self.program.line_if_any() {
            assert!(!line.starts_with('{'), "nobody asked: {line}");
            self.words.push(line);
        }
        &self.words
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it fails, or has tried to reach another machine.
    pub async fn ends(mut self) {
        let end = self.says("end").await;
        assert_eq!(end["refused"], Value::Array(Vec::new()), "{end}");
        let reached = end["reached"].as_array().expect("a list").iter();
        let reached: Vec<&str> = reached.map(|address| address.as_str().expect("a text")).collect();
        let stray =
            reached.iter().find(|address| !self.may_reach.iter().any(|may| may == *address));
        assert_eq!(stray, None, "of {reached:?} only {:?} may be", self.may_reach);
        let (status, rest) = self.program.end();
        assert!(status.success() && rest.is_empty(), "{status}: {rest:?}");
    }

    /// The next line that is for the test; TqSdk's own are kept.
    fn next(&mut self) -> Option<Value> {
        loop {
            let line = match self.program.line_if_any() {
                Some(line) => line,
                // One that has ended is asked once more, and complains if it has nothing left to say.
                None if !processes::is_alive(self.program.pid()) => self.program.line(),
                None => return None,
            };
            if line.starts_with('{') {
                return Some(serde_json::from_str(&line).expect("a program's line is JSON"));
            }
            self.words.push(line);
        }
    }
}

//! The style of this workspace as tests: what a reviewer would otherwise have to say again and again.

use std::fs;
use std::path::{Path, PathBuf};

/// The most lines a file may have before its tests.
const LINES_MAX: usize = 400;

/// The folders in which `unsafe` has a home.
const UNSAFE_HOMES: [&str; 5] = [
    "shm-layout/src/shared_memory",
    "shm-layout/src/qamddata/shim.rs",
    "ctp-worker/src/ctp",
    "ctp-worker/sim/src",
    "reader/src/ffi.rs",
];

/// Packages that are processes, or loaded into one: none may depend on another.
const PROCESSES: [(&str, &str); 5] = [
    ("ctp-worker", "qamd-ctp-worker"),
    ("ctp-worker/sim", "qamd-ctp-sim"),
    ("coordinator", "qamd"),
    ("ws-frontend", "qamd-ws-frontend"),
    ("reader", "qamd-reader"),
];

struct Source {
    /// Relative to the workspace.
    path: String,
    text: String,
}

impl Source {
    /// The part before the tests inside the file; nothing of a file that is all tests.
    fn before_tests(&self) -> &str {
        if self.path.ends_with("/tests.rs") {
            return "";
        }
        self.text.split("#[cfg(test)]").next().unwrap_or_default()
    }

    /// True when the file's opening comment claims that nothing here reaches outside.
    fn is_pure(&self) -> bool {
        self.head().contains("Pure.") || self.head().contains("(pure)")
    }

    /// The comment that opens the file.
    fn head(&self) -> String {
        self.text.lines().take_while(|line| line.starts_with("//!")).collect::<Vec<_>>().join("\n")
    }
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the workspace").to_owned()
}

fn sources() -> Vec<Source> {
    let root = workspace();
    let mut folders = vec![root.clone()];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a readable folder").flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() && !name.starts_with('.') && name != "target" && name != "node_modules"
            {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let relative = path.strip_prefix(&root).expect("below the root");
                let path_text = relative.to_string_lossy().into_owned();
                sources.push(Source {
                    path: path_text,
                    text: fs::read_to_string(&path).expect("a readable source"),
                });
            }
        }
    }
    assert!(sources.len() > 40, "the walk found the workspace");
    sources
}

fn offenders(breaks: impl Fn(&Source) -> bool) -> Vec<String> {
    sources().into_iter().filter(breaks).map(|source| source.path).collect()
}

#[test]
fn every_file_says_first_what_it_is() {
    let silent = offenders(|source| source.head().is_empty());
    assert!(silent.is_empty(), "these do not begin with //!: {silent:#?}");
}

#[test]
fn a_file_has_one_job() {
    let grown = offenders(|source| source.before_tests().lines().count() > LINES_MAX);
    assert!(grown.is_empty(), "over {LINES_MAX} lines before their tests: {grown:#?}");
    let vague = offenders(|source| {
        let name = source.path.rsplit('/').next().unwrap_or_default();
        ["utils.rs", "util.rs", "helpers.rs", "common.rs", "misc.rs"].contains(&name)
    });
    assert!(vague.is_empty(), "names that say nothing: {vague:#?}");
}

#[test]
fn unsafe_stays_at_home() {
    // Written in two parts, so that this file does not find itself.
    let words = [
        concat!("un", "safe {"),
        concat!("un", "safe fn"),
        concat!("un", "safe impl"),
        concat!("un", "safe extern"),
    ];
    let strays = offenders(|source| {
        let at_home = UNSAFE_HOMES.iter().any(|home| source.path.starts_with(home));
        !at_home && words.iter().any(|word| source.text.contains(word))
    });
    assert!(strays.is_empty(), "unsafe outside {UNSAFE_HOMES:?}: {strays:#?}");
}

#[test]
fn a_module_that_calls_itself_pure_is() {
    let impure = offenders(|source| {
        let claims = source.is_pure();
        let code =
            source.before_tests().lines().filter(|line| !line.trim_start().starts_with("//"));
        let code = code.collect::<Vec<_>>().join("\n");
        claims
            && ["tokio::", "iceoryx2::", "clock::", "std::fs", "std::net", "std::process"]
                .iter()
                .any(|word| code.contains(word))
    });
    assert!(impure.is_empty(), "they say \"Pure.\" and reach outside: {impure:#?}");
    let pure = sources().iter().filter(|source| source.is_pure()).count();
    assert!(pure >= 10, "the decisions are in pure modules; only {pure} say so");
}

#[test]
fn arrows_point_down() {
    for (folder, own) in PROCESSES {
        let manifest =
            fs::read_to_string(workspace().join(folder).join("Cargo.toml")).expect("a manifest");
        let dependencies: Vec<&str> = manifest
            .lines()
            .skip_while(|line| *line != "[dependencies]")
            .take_while(|line| !line.starts_with("[dev-"))
            .filter_map(|line| line.split(['.', ' ', '=']).next())
            .collect();
        for (_, other) in PROCESSES {
            assert!(other == own || !dependencies.contains(&other), "{own} depends on {other}");
        }
    }
}

#[test]
fn bincode_is_named_in_one_file() {
    let word = concat!("bincode", "::");
    let naming = offenders(|source| source.text.contains(word));
    assert_eq!(naming, ["shm-layout/src/control/codec.rs"]);
}

#[test]
fn nothing_is_left_undone() {
    let words = [
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
        concat!("FIX", "ME"),
        concat!("#[ig", "nore"),
    ];
    let undone = offenders(|source| words.iter().any(|word| source.text.contains(word)));
    assert!(undone.is_empty(), "{undone:#?}");
}

/// The vendor's files stay with their vendor.
#[test]
fn nothing_foreign_is_tracked() {
    let listed =
        std::process::Command::new("git").args(["ls-files"]).current_dir(workspace()).output();
    let Ok(listed) = listed else { return };
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let foreign: Vec<&str> = listed
        .lines()
        .filter(|path| {
            path.ends_with(".so") || path.contains("ThostFtdc") || path.ends_with(".whl")
        })
        .collect();
    assert!(foreign.is_empty(), "{foreign:#?}");
}

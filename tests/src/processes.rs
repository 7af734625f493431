//! The processes of a fleet as the system sees them.

use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A process and its command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// Its command line, the arguments separated by blanks.
    pub command: String,
}

impl Process {
    /// True when it runs the binary of that name.
    #[must_use]
    pub fn is(&self, binary: &str) -> bool {
        let program = self.command.split(' ').next().unwrap_or_default();
        Path::new(program).file_name().is_some_and(|name| name == binary)
    }
}

/// Every living process that has `word` inside one of its arguments, this one excepted. A fleet's directory and instance
/// are unique, so this finds the fleet and nothing else.
#[must_use]
pub fn mentioning(word: &str) -> Vec<Process> {
    let entries = std::fs::read_dir("/proc").expect("/proc can be read");
    let numbered = entries.flatten().filter_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        // A process that ended meanwhile has no command line any more, as a zombie has none.
        let command = std::fs::read(entry.path().join("cmdline")).ok()?;
        let command = String::from_utf8_lossy(&command).trim_end_matches('\0').replace('\0', " ");
        (pid != std::process::id() && command.contains(word)).then_some(Process { pid, command })
    });
    numbered.collect()
}

/// True while the process runs; a zombie does not.
#[must_use]
pub fn is_alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The state is the letter after the name, and the name stands in parentheses and may hold anything.
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    state.is_some_and(|state| !matches!(state, 'Z' | 'X'))
}

/// Sends a signal to one process; one that is gone already is fine.
///
/// # Panics
/// When the system refuses.
pub fn signal(pid: u32, signal: Signal) {
    let target = Pid::from_raw(i32::try_from(pid).expect("a pid is positive"));
    match kill(target, signal) {
        Ok(()) | Err(Errno::ESRCH) => {}
        Err(error) => panic!("{signal} to process {pid}: {error}"),
    }
}

/// The memory a process holds for itself, in KiB: without files and shared memory, such as the ring.
///
/// # Panics
/// When there is no such process.
#[must_use]
pub fn own_memory_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"));
    let status = status.expect("a living process has a status");
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).expect("RssAnon is there");
    let number = line.split_ascii_whitespace().nth(1).expect("RssAnon has a number");
    number.parse().expect("RssAnon is a number")
}

/// Processor time used so far by a process, seconds.
#[must_use]
pub fn cpu_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> =
        stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    // Fields 14 and 15 of the line, counted after the name; the unit is 1/100 s on every Linux this runs on.
    let ticks =
        |index: usize| fields.get(index).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

/// How long a process's first thread has been ready to run so far and had no processor, seconds; 0 where the system does not say.
#[must_use]
pub fn waited_seconds(pid: u32) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap_or_default();
    // Time on a processor, time waiting for one, both in ns, and how often it got one.
    let waited_ns = text.split_ascii_whitespace().nth(1).and_then(|text| text.parse::<f64>().ok());
    waited_ns.unwrap_or(0.0) / 1e9
}

/// The memory of a process in KiB, with what it shares divided among those who share it; 0 when there is no such process.
#[must_use]
pub fn proportional_memory_kib(pid: u32) -> u64 {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    line.and_then(|line| line.split_ascii_whitespace().next())
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

/// The files in `/dev/shm` that belong to an instance.
#[must_use]
pub fn shared_memory_of(instance: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir("/dev/shm").expect("/dev/shm can be read");
    let prefix = format!("{instance}_");
    let mut paths: Vec<_> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| file_name(path).starts_with(&prefix))
        .collect();
    paths.sort();
    paths
}

/// The TCP ports on which a process listens.
#[must_use]
pub fn listening_ports(pid: u32) -> Vec<u16> {
    let sockets: Vec<String> = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| std::fs::read_link(entry.path()).ok())
        .filter_map(|target| {
            let target = target.to_str()?.to_owned();
            Some(target.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
        })
        .collect();
    let table = std::fs::read_to_string("/proc/net/tcp").expect("/proc/net/tcp can be read");
    let listening = table.lines().skip(1).filter_map(|line| {
        let columns: Vec<&str> = line.split_ascii_whitespace().collect();
        let (local, state, inode) = (columns.get(1)?, columns.get(3)?, columns.get(9)?);
        let port = u16::from_str_radix(local.rsplit_once(':')?.1, 16).ok()?;
        (*state == "0A" && sockets.iter().any(|socket| socket == inode)).then_some(port)
    });
    listening.collect()
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

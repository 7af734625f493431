//! Starting processes.
//!
//! Children outlive the coordinator: they get a process group of their own, so that a Ctrl-C at a terminal reaches the
//! coordinator alone, and no parent-death signal.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use crate::launch::{Launch, Program};
use crate::life::Exit;

/// Starts children from the directory of this executable.
#[derive(Debug)]
pub struct Spawner {
    binaries: PathBuf,
    log: Option<File>,
}

/// Why a process could not be started.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// A program of the fleet is missing.
    #[error(
        "{0} is missing beside qamd; build the whole workspace (make all), or install all of it"
    )]
    Missing(PathBuf),
    /// This process does not know where it was started from.
    #[error("finding the directory of this executable failed")]
    OwnPath(#[source] std::io::Error),
    /// The system refused.
    #[error("starting {program} failed")]
    Start {
        /// The program.
        program: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

// === impl Spawner ===

impl Spawner {
    /// A spawner of the programs beside this executable; the children's output goes to `log`, or to our own stderr.
    ///
    /// # Errors
    /// [`SpawnError::Missing`] when one of them is not there.
    pub fn new(log: Option<File>) -> Result<Self, SpawnError> {
        let binaries = own_directory()?;
        for program in [Program::Worker, Program::Frontend] {
            let path = binaries.join(program.file_name());
            if !path.is_file() {
                return Err(SpawnError::Missing(path));
            }
        }
        Ok(Self { binaries, log })
    }

    /// Starts a child.
    ///
    /// # Errors
    /// [`SpawnError::Start`] when the system refuses.
    pub fn spawn(&self, launch: &Launch) -> Result<tokio::process::Child, SpawnError> {
        let program = self.binaries.join(launch.program.file_name());
        let failed = |source| SpawnError::Start { program: program.clone(), source };
        let output = || match &self.log {
            Some(file) => file.try_clone().map(Stdio::from),
            None => std::io::stderr().as_fd().try_clone_to_owned().map(Stdio::from),
        };
        // The vendor's library prints to stdout; that belongs with the log.
        tokio::process::Command::new(&program)
            .args(&launch.args)
            .envs(launch.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(output().map_err(failed)?)
            .stderr(output().map_err(failed)?)
            .process_group(0)
            .kill_on_drop(false)
            .spawn()
            .map_err(failed)
    }
}

/// The directory of this executable.
///
/// # Errors
/// [`SpawnError::OwnPath`] when the system does not say.
pub fn own_directory() -> Result<PathBuf, SpawnError> {
    let own = std::env::current_exe().map_err(SpawnError::OwnPath)?;
    Ok(own.parent().unwrap_or(Path::new("/")).to_owned())
}

/// How a child ended.
#[must_use]
pub fn exit_of(waited: std::io::Result<ExitStatus>) -> Exit {
    use std::os::unix::process::ExitStatusExt;
    match waited {
        Ok(status) => match (status.code(), status.signal()) {
            (Some(code), _) => Exit::Code(code),
            (None, Some(signal)) => Exit::Signal(signal, status.core_dumped()),
            (None, None) => Exit::Unknown,
        },
        Err(_) => Exit::Unknown,
    }
}

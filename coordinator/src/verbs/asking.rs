//! Finding the fleet that is meant, and asking its coordinator.

use std::path::PathBuf;
use std::time::Duration;

use shm_layout::FleetPaths;
use shm_layout::control::{ChannelError, OperatorReply, OperatorRequest};

use crate::command_line::FleetArgs;
use crate::config::locate;
use crate::control_server::ask;
use crate::output::chain;
use crate::runtime_dir::held_locks;
use crate::start;
use crate::verbs::runtime;
use shm_layout::lock_file::{LockState, probe};

/// How long a coordinator may take to answer.
const ANSWER_WAIT: Duration = Duration::from_secs(5);

/// Why there is no answer, as a sentence for a person.
#[derive(Debug)]
pub(super) enum Unasked {
    /// The arguments do not hold.
    Usage(String),
    /// Nobody answers.
    NoAnswer(String),
}

/// Asks the fleet that the arguments mean.
///
/// # Errors
/// [`Unasked`].
pub(super) fn ask_fleet(
    args: &FleetArgs,
    request: &OperatorRequest,
) -> Result<OperatorReply, Unasked> {
    let places = find(args).map_err(Unasked::Usage)?;
    runtime()
        .map_err(|error| error.to_string())
        .and_then(|runtime| runtime.block_on(ask_any(&places, request)))
        .map_err(Unasked::NoAnswer)
}

/// The answer of the first place where a coordinator listens.
async fn ask_any(
    places: &[FleetPaths],
    request: &OperatorRequest,
) -> Result<OperatorReply, String> {
    let mut denied = None;
    for paths in places {
        match tokio::time::timeout(ANSWER_WAIT, ask(paths, request)).await {
            Ok(Ok(reply)) => return Ok(reply),
            Ok(Err(ChannelError::Connect { path, source }))
                if source.kind() == std::io::ErrorKind::PermissionDenied =>
            {
                denied = Some(path);
            }
            Ok(Err(ChannelError::Connect { .. })) => {}
            Ok(Err(error)) => return Err(chain(&error)),
            Err(_) => {
                return Err(format!(
                    "the coordinator of instance {} does not answer",
                    paths.instance()
                ));
            }
        }
    }
    Err(unanswered(places, denied))
}

/// What there is to say when no coordinator listens: its workers and frontend may run without it.
fn unanswered(places: &[FleetPaths], denied: Option<PathBuf>) -> String {
    for paths in places {
        let (instance, dir) = (paths.instance(), paths.runtime_dir().display());
        if let LockState::Held { pid } = probe(&paths.coordinator_lock()) {
            let pid = pid.map_or_else(String::new, |pid| format!(", pid {pid},"));
            return format!(
                "the coordinator of instance {instance}{pid} runs in {dir} and does not listen (yet)"
            );
        }
        let held = held_locks(paths.runtime_dir());
        if !held.is_empty() {
            let mut names: Vec<String> = held.iter().map(named).collect();
            names.sort_unstable();
            return format!(
                "the coordinator of instance {instance} does not run, but without it these still do, in {dir}: {}; \
                 start it again (qamd run) and it takes them over",
                names.join(", ")
            );
        }
    }
    if let Some(socket) = denied {
        let socket = socket.display();
        return format!("{socket} belongs to another user; ask as that user or as root");
    }
    let sockets: Vec<String> =
        places.iter().map(|paths| paths.control_socket().display().to_string()).collect();
    let instance = places.first().map_or_else(String::new, |paths| paths.instance().to_string());
    format!("instance {instance} does not run (nothing answers at {})", sockets.join(" or "))
}

/// `worker simnow (pid 7)` from its held lock file.
pub(super) fn named((path, pid): &(PathBuf, Option<u32>)) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let name = stem
        .strip_prefix("worker-")
        .map_or_else(|| stem.to_string(), |connection| format!("worker {connection}"));
    pid.map_or_else(|| name.clone(), |pid| format!("{name} (pid {pid})"))
}

/// The places where the fleet that is meant may be.
///
/// # Errors
/// What is wrong with the arguments, as a sentence.
pub(super) fn find(args: &FleetArgs) -> Result<Vec<FleetPaths>, String> {
    let mut instance = args.instance;
    let mut runtime_dir = args.runtime_dir.clone();
    if let Some(file) = &args.config {
        let (named, dir) = locate(file).map_err(|faults| faults.to_string())?;
        instance = instance.or(Some(named));
        runtime_dir = runtime_dir.or(dir);
    }
    let instance = instance.unwrap_or_default();
    let mut dirs = vec![runtime_dir.clone()];
    if runtime_dir.is_none() {
        // A fleet that runs as a service lives where its manager says.
        dirs.push(Some(FleetPaths::service_runtime_dir(&instance)));
    }
    let places = dirs.into_iter().map(|dir| start::fleet_paths(instance, dir));
    let mut places = places.collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
    places.dedup();
    Ok(places)
}

#[cfg(test)]
mod tests {
    use super::*;
    use shm_layout::lock_file::LockFile;
    use shm_layout::{ConnectionId, Instance};

    #[test]
    fn a_fleet_may_be_at_the_usual_place_or_a_services() {
        let instance = Instance::parse("night").unwrap();
        let places = find(&FleetArgs { instance: Some(instance), ..FleetArgs::default() }).unwrap();
        assert!(places.iter().any(|paths| paths.runtime_dir() == "/run/night"));
        let named =
            FleetArgs { runtime_dir: Some("/tmp/elsewhere".into()), ..FleetArgs::default() };
        let places = find(&named).unwrap();
        assert_eq!(places.len(), 1, "a place that is named is the only one");
        assert_eq!(places[0].runtime_dir(), "/tmp/elsewhere");
    }

    #[test]
    fn processes_without_a_coordinator_are_named() {
        let dir = std::env::temp_dir().join(format!("qamd-unanswered-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let places = [FleetPaths::new(Instance::default(), dir.clone()).unwrap()];
        let nothing = unanswered(&places, None);
        assert!(
            nothing.starts_with("instance qamd does not run (nothing answers at "),
            "{nothing}"
        );
        let simnow = ConnectionId::parse("simnow").unwrap();
        let worker = LockFile::take(&places[0].worker_lock(&simnow), "test").unwrap();
        let frontend = LockFile::take(&places[0].frontend_lock(), "test").unwrap();
        let (pid, text) = (std::process::id(), unanswered(&places, None));
        let names = format!("worker simnow (pid {pid}), ws-frontend (pid {pid});");
        assert!(text.contains("does not run, but") && text.contains(&names), "{text}");
        let denied = unanswered(&places, Some("/run/qamd/control.sock".into()));
        assert!(denied.contains("worker simnow"), "what is known comes first: {denied}");
        let coordinator = LockFile::take(&places[0].coordinator_lock(), "test").unwrap();
        assert!(
            unanswered(&places, None).contains("does not listen"),
            "{}",
            unanswered(&places, None)
        );
        drop((worker, frontend, coordinator));
        std::fs::remove_dir_all(&dir).unwrap();
    }
}

//! `qamd demo`

use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use shm_layout::clock::unix_ms;
use shm_layout::shared_memory::Place;
use shm_layout::{Date, DateError, Instance};

use crate::command_line::DemoArgs;
use crate::demo::{DemoPlan, Seen, Viewer};
use crate::driver::Reread;
use crate::output::{Paint, Style, complain, complain_text, say};
use crate::shown::{counted, duration, grouped};
use crate::signals::Signals;
use crate::verbs::{EXIT_USAGE, runtime};
use crate::{logging, start};

/// Shows the gateway at work until Ctrl-C.
pub(super) fn demo(args: &DemoArgs) -> ExitCode {
    let scratch = std::env::temp_dir().join(format!("qamd-demo-{}", std::process::id()));
    let today = match today() {
        Ok(today) => today,
        Err(error) => {
            complain(&error);
            return ExitCode::FAILURE;
        }
    };
    let plan = match DemoPlan::new(args, &scratch, today) {
        Ok(plan) => plan,
        Err(error) => {
            complain(&error);
            return ExitCode::from(EXIT_USAGE);
        }
    };
    let made = DirBuilder::new().mode(0o700).create(&scratch);
    let log = made.and_then(|()| open_log(&log_path(&args.instance)));
    let shown = match log {
        Ok(log) => show(args, plan, log),
        Err(error) => Err(format!(
            "making {} and {} failed: {error}",
            scratch.display(),
            log_path(&args.instance).display()
        )),
    };
    // The flow files of a market that never was are of no use to anybody.
    std::fs::remove_dir_all(&scratch).unwrap_or_default();
    match shown {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            complain_text(&why);
            ExitCode::FAILURE
        }
    }
}

/// The demonstration has no configuration that could change.
fn fixed() -> Reread {
    Reread::new(|| Err("the demonstration has no configuration to read again".into()))
}

fn show(args: &DemoArgs, plan: DemoPlan, log: File) -> Result<(), String> {
    let style = Style::of_stdout();
    let children_log =
        log.try_clone().map_err(|error| format!("opening the log again failed: {error}"))?;
    logging::to_file(log);
    let runtime = runtime().map_err(|error| format!("starting the runtime failed: {error}"))?;
    runtime.block_on(async {
        let DemoPlan { config, files, instruments, title } = plan;
        let signals = Signals::listen().map_err(|error| format!("listening for signals failed: {error}"))?;
        let instance = config.instance;
        let paths = start::fleet_paths(instance, None).map_err(|error| crate::output::chain(&error))?;
        let depth = paths.depth_name();
        let segments: Vec<String> = [depth.clone()].into_iter().chain(config.qamddata_name.clone()).collect();
        let coordinator = start::start(config, files, fixed(), Some(children_log)).await.map_err(|error| with_log(&instance, &crate::output::chain(&error)))?;
        signals.forward(&coordinator.inbox());
        let http = coordinator.http();
        let example: Vec<String> = instruments.iter().take(3).map(|id| format!("\"{id}\"")).collect();
        let viewer = Viewer::new(coordinator.inbox(), instruments, style);
        let introduce = |address: &str| {
            let head = style.paint(Paint::Strong, &format!("qamd {} demo", env!("CARGO_PKG_VERSION")));
            say(&format!(
                "{head}: {title}; nothing leaves this machine\n\n\
                 \x20 connect   ws://{address}/\n\
                 \x20 try       wscat -c ws://{address}/ -x '{{\"action\":\"subscribe\",\"instruments\":[{}]}}' -w 10\n\
                 \x20 TqSdk     TQ_MD_URL=ws://{address} python3 your_program.py\n\
                 \x20 status    qamd status --instance {instance}   or   http://{http}/status\n\
                 \x20 metrics   http://{http}/metrics\n\
                 \x20 memory    qamd shm --instance {instance}   or   python3 samples/depth.py --segment {depth}\n\
                 \x20 log       {}\n\
                 \x20 stop      Ctrl-C\n\n",
                example.join(","),
                log_path(&args.instance).display(),
            ));
        };
        let (stopped, seen) =
            tokio::join!(coordinator.run(), viewer.run(args.seconds.map(Duration::from_secs), introduce));
        stopped.map_err(|error| with_log(&instance, &crate::output::chain(&error)))?;
        // A market that never was is not to be taken for one tomorrow.
        for name in segments {
            Place::named(&name).remove().map_err(|error| crate::output::chain(&error))?;
        }
        conclude(&instance, seen, style)
    })
}

fn conclude(instance: &Instance, seen: Seen, style: Style) -> Result<(), String> {
    if let Some(failure) = seen.failure {
        return Err(with_log(instance, &failure));
    }
    let ms = u64::try_from(seen.duration.as_millis()).unwrap_or(u64::MAX);
    let losses = if seen.missed == 0 {
        style.paint(Paint::Good, "none lost")
    } else {
        style.paint(Paint::Warn, &format!("{} lost or conflated", grouped(seen.missed)))
    };
    say(&format!(
        "\nstopped cleanly after {}: {} of {}, {losses}\n",
        duration(ms),
        counted(seen.ticks, "tick"),
        counted(seen.instruments as u64, "instrument"),
    ));
    Ok(())
}

fn with_log(instance: &Instance, why: &str) -> String {
    format!("{why}\nthe log is {}", log_path(instance).display())
}

/// One log an instance and user: the next demonstration replaces it.
fn log_path(instance: &Instance) -> PathBuf {
    std::env::temp_dir().join(format!("{instance}-{}.log", nix::unistd::geteuid()))
}

fn open_log(path: &Path) -> std::io::Result<File> {
    // Removed and made anew rather than opened: in a directory open to all, what stands there may be somebody's trap.
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().append(true).create_new(true).mode(0o600).open(path)
}

/// The day in Shanghai.
fn today() -> Result<Date, DateError> {
    const SHANGHAI_MS: i64 = 8 * 3_600_000;
    const DAY_MS: i64 = 86_400_000;
    let days = unix_ms().saturating_add(SHANGHAI_MS).div_euclid(DAY_MS);
    Ok(Date::parse("19700101")?.plus_days(i32::try_from(days).unwrap_or(0)))
}

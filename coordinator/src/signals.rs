//! The system's signals as wishes to the driver.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tracing::info;

use crate::driver::Inbound;

/// Listens to SIGTERM, SIGINT and (unless the process was started to outlive its terminal) SIGHUP.
#[derive(Debug)]
pub struct Signals {
    listening: Vec<(&'static str, Signal)>,
}

impl Signals {
    /// Begins to listen. Before the start of a fleet, so that none comes too early to be heard; what comes before
    /// [`Self::forward`] is kept.
    ///
    /// # Errors
    /// What the system says when it does not let us listen.
    pub fn listen() -> std::io::Result<Self> {
        let mut wanted =
            vec![("SIGTERM", SignalKind::terminate()), ("SIGINT", SignalKind::interrupt())];
        if !hangup_is_ignored() {
            wanted.push(("SIGHUP", SignalKind::hangup()));
        }
        let listening = wanted.into_iter().map(|(name, kind)| Ok((name, signal(kind)?)));
        Ok(Self { listening: listening.collect::<std::io::Result<_>>()? })
    }

    /// Passes them on as wishes to stop.
    pub fn forward(self, inbox: &mpsc::Sender<Inbound>) {
        for (name, mut signals) in self.listening {
            let inbox = inbox.clone();
            tokio::spawn(async move {
                while signals.recv().await.is_some() {
                    // The wish before the word: the log may be what is gone.
                    if inbox.send(Inbound::Stop).await.is_err() {
                        return;
                    }
                    info!("{name}: asked to stop");
                }
            });
        }
    }
}

/// True when SIGHUP was ignored before we came, as `nohup` leaves it; listening to it would undo that.
fn hangup_is_ignored() -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores_hangup(&status))
}

fn ignores_hangup(proc_status: &str) -> bool {
    let mask = proc_status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // The lowest bit is signal 1, SIGHUP.
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_mask_of_ignored_signals() {
        assert!(ignores_hangup("Name:\tqamd\nSigIgn:\t0000000000001001\nSigCgt:\t0\n"));
        assert!(!ignores_hangup("SigIgn:\t0000000000001000\nSigCgt:\t0000000000000001\n"));
        assert!(!ignores_hangup(""));
    }
}

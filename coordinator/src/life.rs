//! The life of one supervised process, whoever started it. Pure: it decides, the driver acts.
//!
//! ```text
//!             start            spawned, hello                control connection lost
//!  BackingOff ------> Starting --------------> Running <--------------------------> Detached
//!      ^                 |                        |           hello                    |
//!      +-----------------+------------------------+------------------------------------+   died (a delay follows)
//!                        +--> Failed                                                       exit code 64: no start helps
//!
//!  Adopting --hello--> Running       the process of an earlier coordinator: found alive by its lock file
//!  any ---replace----> Replacing --gone--> Starting     asked to end, then started anew: other settings, or a person's wish
//!  any ---disable----> Closing --gone--> Disabled --enable--> Starting
//!  any ----stop------> Stopping --gone--> Ended
//! ```
//!
//! A process that says nothing for two health checks in a row, and for [`HUNG_AFTER`], is taken for hung and killed.

mod exit;
mod insistence;

use std::time::Instant;

use crate::limits::HUNG_AFTER;
use crate::restart_policy::{EXIT_REFUSED, RestartPolicy};

pub use exit::Exit;
pub use insistence::Insistence;

/// Where a process is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Switched off: never started.
    Disabled,
    /// Dead; the next start is due at this time.
    BackingOff(Instant),
    /// Started; no hello yet.
    Starting,
    /// It runs and is connected.
    Running,
    /// It runs; its control connection is gone.
    Detached,
    /// It runs, left by an earlier coordinator; no hello yet.
    Adopting,
    /// It was asked to end, and is to be started anew: its settings are no longer ours, or a person wants it so.
    Replacing(Insistence),
    /// It was asked to end, and is not to be started again unless it is enabled.
    Closing(Insistence),
    /// It refused its settings.
    Failed,
    /// It was asked to end since the fleet stops; how far that went.
    Stopping(Insistence),
    /// The fleet stops and this one is gone.
    Ended,
}

/// What is to be done to a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urge {
    /// Start it.
    Spawn,
    /// SIGTERM.
    Terminate,
    /// SIGKILL.
    Kill,
}

/// One supervised process.
#[derive(Debug)]
pub struct Life {
    phase: Phase,
    pid: Option<u32>,
    /// True when it is our child: its end is told by the system, otherwise its lock file is probed.
    child: bool,
    started_at: Option<Instant>,
    policy: RestartPolicy,
    restarts: u64,
    /// It died and was not started since.
    dead: bool,
    last_exit: Option<String>,
    /// Something was heard since the last health check, and before it.
    heard: bool,
    heard_at: Instant,
    suspect: bool,
}

// === impl Life ===

impl Life {
    /// A process to be started at once, or never when it is switched off.
    #[must_use]
    pub fn new(enabled: bool, now: Instant) -> Self {
        let phase = if enabled { Phase::BackingOff(now) } else { Phase::Disabled };
        Self {
            phase,
            pid: None,
            child: false,
            started_at: None,
            policy: RestartPolicy::default(),
            restarts: 0,
            dead: false,
            last_exit: None,
            heard: true,
            heard_at: now,
            suspect: false,
        }
    }

    /// A process found alive at the start. With our settings it is awaited, otherwise it is to be replaced.
    #[must_use]
    pub fn found(pid: Option<u32>, settings_agree: bool, now: Instant) -> Self {
        let phase =
            if settings_agree { Phase::Adopting } else { Phase::Replacing(Insistence::new(now)) };
        Self { phase, pid, ..Self::new(true, now) }
    }

    /// What is due now, if anything. Ask again after acting on it.
    pub fn due(&mut self, now: Instant) -> Option<Urge> {
        match &mut self.phase {
            Phase::BackingOff(until) if *until <= now => {
                self.phase = Phase::Starting;
                self.started_at = Some(now);
                self.restarts += u64::from(std::mem::take(&mut self.dead));
                self.heard(now);
                Some(Urge::Spawn)
            }
            Phase::Stopping(insistence)
            | Phase::Replacing(insistence)
            | Phase::Closing(insistence) => insistence.due(now),
            _ => None,
        }
    }

    /// When something will be due.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        match &self.phase {
            Phase::BackingOff(until) => Some(*until),
            Phase::Stopping(insistence)
            | Phase::Replacing(insistence)
            | Phase::Closing(insistence) => insistence.next_deadline(),
            _ => None,
        }
    }

    /// It was started with this pid.
    pub fn spawned(&mut self, pid: u32) {
        (self.pid, self.child) = (Some(pid), true);
    }

    /// It could not be started.
    pub fn spawn_failed(&mut self, why: String, now: Instant) {
        self.last_exit = Some(why);
        self.ended(now);
    }

    /// It said hello. A process of our own has the pid we know; another is adopted.
    pub fn introduced(&mut self, pid: u32, now: Instant) {
        self.child &= self.pid == Some(pid);
        self.pid = Some(pid);
        self.heard(now);
        if !self.is_ending() && self.phase != Phase::Disabled {
            self.phase = Phase::Running;
        }
    }

    /// Something came from it.
    pub fn heard(&mut self, now: Instant) {
        (self.heard, self.heard_at, self.suspect) = (true, now, false);
    }

    /// Its control connection is gone.
    pub fn detached(&mut self) {
        if self.phase == Phase::Running {
            self.phase = Phase::Detached;
        }
    }

    /// It is to end and come back at once. True when there is a process to ask.
    pub fn replace(&mut self, now: Instant) -> bool {
        match self.phase {
            Phase::Stopping(_) | Phase::Ended | Phase::Disabled | Phase::Replacing(_) => false,
            Phase::Closing(insistence) => {
                self.phase = Phase::Replacing(insistence);
                false
            }
            _ if self.is_alive() => {
                self.phase = Phase::Replacing(Insistence::new(now));
                true
            }
            _ => {
                (self.phase, self.policy) = (Phase::BackingOff(now), RestartPolicy::default());
                false
            }
        }
    }

    /// It is to end and stay away. True when there is a process to ask.
    pub fn disable(&mut self, now: Instant) -> bool {
        match self.phase {
            Phase::Stopping(_) | Phase::Ended | Phase::Disabled | Phase::Closing(_) => false,
            Phase::Replacing(insistence) => {
                self.phase = Phase::Closing(insistence);
                false
            }
            _ if self.is_alive() => {
                self.phase = Phase::Closing(Insistence::new(now));
                true
            }
            _ => {
                self.phase = Phase::Disabled;
                false
            }
        }
    }

    /// It is to run, when it was switched off.
    pub fn enable(&mut self, now: Instant) {
        self.phase = match self.phase {
            Phase::Disabled => Phase::BackingOff(now),
            Phase::Closing(insistence) => Phase::Replacing(insistence),
            other => other,
        };
    }

    /// True while it was asked to end.
    #[must_use]
    pub const fn is_ending(&self) -> bool {
        matches!(self.phase, Phase::Stopping(_) | Phase::Replacing(_) | Phase::Closing(_))
    }

    /// It ended.
    pub fn exited(&mut self, exit: Exit, now: Instant) {
        if !self.is_ending() {
            self.last_exit = Some(exit.to_string());
        }
        if exit == Exit::Code(EXIT_REFUSED) && !self.is_ending() {
            (self.pid, self.child) = (None, false);
            self.phase = Phase::Failed;
        } else {
            self.ended(now);
        }
    }

    /// The health check. True when it said nothing for two checks in a row and long enough: it hangs, and is to be
    /// killed. Two checks, since after a pause of the whole machine the first finds everybody silent.
    #[must_use]
    pub fn is_hung(&mut self, now: Instant) -> bool {
        let silent = !std::mem::take(&mut self.heard);
        let long = now.saturating_duration_since(self.heard_at) >= HUNG_AFTER;
        let twice = silent && self.suspect && long;
        self.suspect = silent;
        let talks = matches!(
            self.phase,
            Phase::Starting | Phase::Running | Phase::Detached | Phase::Adopting
        );
        twice && talks && self.pid.is_some()
    }

    /// The fleet stops: begin to insist. True when there is a process to ask.
    pub fn stop(&mut self, now: Instant) -> bool {
        let runs = self.is_alive();
        self.phase = match self.phase {
            Phase::Stopping(insistence)
            | Phase::Replacing(insistence)
            | Phase::Closing(insistence) => Phase::Stopping(insistence),
            _ if runs => Phase::Stopping(Insistence::new(now)),
            _ => Phase::Ended,
        };
        runs
    }

    /// The person is in a hurry: terminate now, kill soon.
    pub fn hurry(&mut self) {
        if let Phase::Stopping(insistence) = &mut self.phase {
            insistence.hurried = true;
        }
    }

    /// True while a process is there, as far as we know. One that outlived its SIGKILL is left behind.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        matches!(
            self.phase,
            Phase::Starting
                | Phase::Running
                | Phase::Detached
                | Phase::Adopting
                | Phase::Replacing(_)
                | Phase::Closing(_)
                | Phase::Stopping(_)
        )
    }

    /// True when the last word, SIGKILL, was said and the process was still there long after it.
    #[must_use]
    pub const fn is_past_help(&self) -> bool {
        matches!(&self.phase, Phase::Stopping(insistence) if insistence.given_up)
    }

    /// True when its lock file has to tell whether it lives.
    #[must_use]
    pub fn is_probed(&self) -> bool {
        self.is_alive() && !self.child && !matches!(self.phase, Phase::Starting | Phase::Running)
    }

    /// Its phase.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// Its pid, while it lives.
    #[must_use]
    pub const fn pid(&self) -> Option<u32> {
        self.pid
    }

    /// True when it is our own child.
    #[must_use]
    pub const fn is_child(&self) -> bool {
        self.child
    }

    /// When something came from it last; when it was started, before anything did.
    #[must_use]
    pub const fn heard_at(&self) -> Instant {
        self.heard_at
    }

    /// When we started it, if we did.
    #[must_use]
    pub const fn started_at(&self) -> Option<Instant> {
        self.started_at
    }

    /// How often it was started anew.
    #[must_use]
    pub const fn restarts(&self) -> u64 {
        self.restarts
    }

    /// How its last life ended.
    #[must_use]
    pub fn last_exit(&self) -> Option<&str> {
        self.last_exit.as_deref()
    }

    fn ended(&mut self, now: Instant) {
        (self.pid, self.child) = (None, false);
        self.phase = match self.phase {
            Phase::Stopping(_) | Phase::Ended => Phase::Ended,
            Phase::Disabled => Phase::Disabled,
            Phase::Closing(_) => Phase::Disabled,
            Phase::Replacing(_) => Phase::BackingOff(now),
            _ => {
                self.dead = true;
                Phase::BackingOff(now + self.policy.died(self.started_at, now))
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{HURRIED_KILL_AFTER, RESTART_DELAY_FIRST};
    use shm_layout::clock::monotonic;
    use std::time::Duration;

    fn running(now: Instant) -> Life {
        let mut life = Life::new(true, now);
        assert_eq!(life.due(now), Some(Urge::Spawn));
        life.spawned(7);
        life.introduced(7, now);
        assert_eq!(life.phase(), Phase::Running);
        life
    }

    #[test]
    fn a_dead_process_comes_back_after_a_delay() {
        let now = monotonic();
        let mut life = running(now);
        life.exited(Exit::Signal(9, false), now);
        assert_eq!(life.last_exit(), Some("killed by signal 9 SIGKILL"));
        assert_eq!((life.pid(), life.due(now)), (None, None));
        assert_eq!(life.next_deadline(), Some(now + RESTART_DELAY_FIRST));
        assert_eq!(life.due(now + RESTART_DELAY_FIRST), Some(Urge::Spawn));
        assert_eq!(life.restarts(), 1);
    }

    #[test]
    fn one_that_refuses_its_settings_is_left_alone() {
        let now = monotonic();
        let mut life = running(now);
        life.exited(Exit::Code(64), now);
        assert_eq!(
            (life.phase(), life.next_deadline(), life.is_alive()),
            (Phase::Failed, None, false)
        );
    }

    #[test]
    fn a_lost_connection_is_no_death() {
        let now = monotonic();
        let mut life = running(now);
        life.detached();
        assert_eq!((life.phase(), life.is_alive(), life.pid()), (Phase::Detached, true, Some(7)));
        life.introduced(7, now);
        assert_eq!(life.phase(), Phase::Running);
    }

    #[test]
    fn long_silence_over_two_checks_is_a_hang() {
        let start = monotonic();
        let mut life = running(start);
        let late = start + HUNG_AFTER;
        assert!(!life.is_hung(start), "its hello was heard");
        assert!(!life.is_hung(late), "one silent check may be our own pause");
        life.heard(late);
        assert!(!life.is_hung(late));
        assert!(
            !life.is_hung(late) && !life.is_hung(late),
            "checked often, but not silent for long"
        );
        assert!(life.is_hung(late + HUNG_AFTER));
    }

    #[test]
    fn a_found_process_is_awaited_or_replaced() {
        let now = monotonic();
        let mut life = Life::found(Some(5), true, now);
        assert!(life.is_probed() && life.due(now).is_none());
        life.introduced(5, now);
        assert_eq!((life.phase(), life.is_child()), (Phase::Running, false));
        let mut life = Life::found(Some(5), false, now);
        life.introduced(5, now);
        assert!(matches!(life.phase(), Phase::Replacing(_)));
        life.exited(Exit::Unknown, now);
        assert_eq!((life.due(now), life.restarts()), (Some(Urge::Spawn), 0));
    }

    #[test]
    fn a_stop_insists_step_by_step() {
        let start = monotonic();
        let at = |ms| start + Duration::from_millis(ms);
        let mut life = running(start);
        assert!(life.stop(start));
        assert_eq!(life.due(at(1499)), None);
        assert_eq!(life.due(at(1500)), Some(Urge::Terminate));
        assert_eq!(life.due(at(2999)), None);
        assert_eq!((life.due(at(3000)), life.due(at(3000))), (Some(Urge::Kill), None));
        assert_eq!((life.due(at(3799)), life.is_past_help()), (None, false));
        assert_eq!(
            (life.due(at(3800)), life.is_past_help(), life.next_deadline()),
            (None, true, None)
        );
        life.exited(Exit::Signal(9, false), at(3900));
        assert_eq!((life.phase(), life.is_alive()), (Phase::Ended, false));
    }

    #[test]
    fn a_second_signal_hurries() {
        let start = monotonic();
        let mut life = running(start);
        life.stop(start);
        life.hurry();
        assert_eq!(life.due(start), Some(Urge::Terminate));
        assert_eq!(life.due(start + HURRIED_KILL_AFTER), Some(Urge::Kill));
    }

    #[test]
    fn what_does_not_run_has_nothing_to_stop() {
        let now = monotonic();
        for mut life in [Life::new(true, now), Life::new(false, now)] {
            assert!(!life.stop(now));
            assert_eq!(life.phase(), Phase::Ended);
            assert_eq!(life.due(now), None);
        }
    }
}

//! The one word for how a connection is: process, session and standing together. Pure.

use shm_layout::control::{ConnectionWish, SessionState, Standing, WorkerProcess, WorkerStatus};

use crate::output::Paint;

/// The word, and whether it is good or bad.
pub(super) fn state(worker: &WorkerStatus) -> (&'static str, Paint) {
    match worker.process {
        WorkerProcess::Disabled => ("disabled", Paint::Faint),
        WorkerProcess::Starting => ("starting", Paint::Warn),
        WorkerProcess::Detached => ("detached", Paint::Warn),
        // Its first start is due: it did not die.
        WorkerProcess::BackingOff if worker.last_exit.is_none() => ("starting", Paint::Warn),
        WorkerProcess::BackingOff => ("restarting", Paint::Bad),
        WorkerProcess::Failed => ("FAILED", Paint::Bad),
        WorkerProcess::Restarting => ("restarting", Paint::Warn),
        WorkerProcess::Stopping => ("stopping", Paint::Warn),
        WorkerProcess::Running => match worker.session.as_ref().map(|session| &session.state) {
            None | Some(SessionState::Connecting) => ("connecting", Paint::Warn),
            Some(SessionState::Unreachable) => ("unreachable", Paint::Bad),
            Some(SessionState::LoggingIn) => ("logging in", Paint::Warn),
            Some(SessionState::Disconnected { .. }) => ("disconnected", Paint::Bad),
            Some(SessionState::LoginRetry { .. }) => ("login retry", Paint::Bad),
            Some(SessionState::Alarm { .. }) => ("ALARM", Paint::Bad),
            Some(SessionState::Ready) => at_work(worker),
        },
    }
}

/// A connection that is logged in, by what it is trusted with.
fn at_work(worker: &WorkerStatus) -> (&'static str, Paint) {
    match worker.standing {
        Standing::Good => ("ready", Paint::Good),
        Standing::Probation => ("probation", Paint::Warn),
        Standing::Away => ("silent", Paint::Bad),
        Standing::Closed if worker.subscriptions > 0 => ("draining", Paint::Warn),
        Standing::Closed if worker.wish == Some(ConnectionWish::Drain) => ("drained", Paint::Faint),
        // What it carried ticks elsewhere; its process is about to be asked to end.
        Standing::Closed => ("stopping", Paint::Warn),
    }
}

/// True while its login session stands, as far as is known.
pub(super) fn is_logged_in(worker: &WorkerStatus) -> bool {
    matches!(worker.process, WorkerProcess::Running | WorkerProcess::Detached)
        && worker.session.as_ref().is_some_and(|session| session.state == SessionState::Ready)
}

/// A quality below these is worth a look, or bad; in the points that are shown, which are whole.
const QUALITY_WARN_BELOW: f32 = 80.0;
const QUALITY_BAD_BELOW: f32 = 50.0;

/// How a quality is to be taken; none for a good one.
pub(super) fn quality_paint(score: f32) -> Option<Paint> {
    let shown = score.round();
    if shown < QUALITY_BAD_BELOW {
        Some(Paint::Bad)
    } else if shown < QUALITY_WARN_BELOW {
        Some(Paint::Warn)
    } else {
        None
    }
}

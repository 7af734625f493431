//! The one task that owns this worker's state: it waits for the library, the coordinator, a signal or a deadline, lets
//! [`Worker`] decide, and says what changed.

use std::sync::Arc;

use shm_layout::Generation;
use shm_layout::clock;
use shm_layout::control::{Assignment, FromWorker, SessionReport, ToWorker};
use shm_layout::limits::CONTROL_INSTRUMENTS_PER_MESSAGE_MAX;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};
use tracing::{error, info, warn};

use crate::coordinator_link::{self, LinkEvent, LinkSettings};
use crate::counters::Counters;
use crate::ctp::event::CtpEvent;
use crate::event_queue::{Dropped, EventReceiver};
use crate::limits::{EVENTS_PER_TURN_MAX, GOODBYE_DEADLINE, STATS_APART};
use crate::worker::{Front, Worker};

/// Why the driver ended other than by being asked to.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// The signals cannot be listened for.
    #[error("listening for signals failed")]
    Signals(#[source] std::io::Error),
    /// A session event was dropped: what the library does is no longer known.
    #[error(
        "the queue from the CTP library overflowed and a session event was lost; starting again"
    )]
    SessionLost,
    /// The task of the control connection has ended by itself, which it never should.
    #[error("the task of the control connection has ended")]
    LinkGone,
}

/// Everything the driver waits for and acts on.
pub struct Driver<F> {
    worker: Worker<F>,
    library: EventReceiver,
    counters: Arc<Counters>,
    link: mpsc::Receiver<LinkEvent>,
    /// Open while the coordinator listens.
    outgoing: Option<mpsc::Sender<FromWorker>>,
    /// The session as the coordinator last heard of it.
    said_session: Option<SessionReport>,
    /// A refused assignment that is still to be said.
    refusal: Option<FromWorker>,
    /// The newest assignment in force, as long as it is still to be said.
    taken: Option<Generation>,
    terminate: Signal,
    interrupt: Signal,
}

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Continue,
    Stop,
}

// === impl Driver ===

impl<F: Front> Driver<F> {
    /// Prepares to run; needs a tokio runtime.
    ///
    /// # Errors
    /// [`DriverError::Signals`].
    pub fn new(
        worker: Worker<F>,
        library: EventReceiver,
        counters: Arc<Counters>,
        link: LinkSettings,
    ) -> Result<Self, DriverError> {
        let listen = |kind| signal(kind).map_err(DriverError::Signals);
        let (terminate, interrupt) =
            (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
        let link = coordinator_link::spawn(link);
        Ok(Self {
            worker,
            library,
            counters,
            link,
            outgoing: None,
            said_session: None,
            refusal: None,
            taken: None,
            terminate,
            interrupt,
        })
    }

    /// Runs until the coordinator or a signal ends it.
    ///
    /// # Errors
    /// [`DriverError`] when it cannot go on.
    pub async fn run(mut self) -> Result<(), DriverError> {
        let mut stats = tokio::time::interval(STATS_APART);
        stats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let deadline = self.worker.next_deadline().map(Instant::from_std);
            let next = tokio::select! {
                Some(event) = self.library.recv() => self.library_said(event),
                event = self.link.recv() => self.link_said(event.ok_or(DriverError::LinkGone)?),
                () = until(deadline) => Next::Continue,
                _ = stats.tick() => self.every_second(),
                _ = self.terminate.recv() => stop_for("SIGTERM"),
                _ = self.interrupt.recv() => stop_for("SIGINT"),
            };
            if next == Next::Stop {
                break;
            }
            self.look_for_losses()?;
            self.worker.do_what_is_due(clock::monotonic(), clock::unix_ms());
            self.say_changes();
        }
        self.say_goodbye().await;
        Ok(())
    }

    /// Takes an event and those waiting behind it, as many as a turn allows.
    fn library_said(&mut self, first: CtpEvent) -> Next {
        let now = clock::monotonic();
        self.worker.library_said(now, first);
        for _ in 1..EVENTS_PER_TURN_MAX {
            let Some(event) = self.library.try_recv() else { break };
            self.worker.library_said(now, event);
        }
        Next::Continue
    }

    fn look_for_losses(&mut self) -> Result<(), DriverError> {
        match self.library.take_dropped() {
            Dropped::Nothing => {}
            Dropped::Answers => {
                warn!(
                    "answers of the CTP library were dropped; asking again for what is unanswered"
                );
                self.worker.ask_again(clock::monotonic());
            }
            Dropped::Session => return Err(DriverError::SessionLost),
        }
        Ok(())
    }

    fn link_said(&mut self, event: LinkEvent) -> Next {
        match event {
            LinkEvent::HelloWanted(reply) => {
                let hello = self.worker.hello(CONTROL_INSTRUMENTS_PER_MESSAGE_MAX);
                // A link that is gone by now asks again.
                drop(reply.send(hello));
            }
            LinkEvent::Up(outgoing) => {
                self.outgoing = Some(outgoing);
                // The hello said it, but perhaps before its last change.
                self.said_session = None;
            }
            LinkEvent::Down => self.outgoing = None,
            LinkEvent::Heard(ToWorker::Assign(assignment)) => self.assign(assignment),
            LinkEvent::Heard(ToWorker::Stop) => return stop_for("the coordinator's word"),
        }
        Next::Continue
    }

    fn assign(&mut self, assignment: Assignment) {
        let (Assignment::Whole { generation, .. } | Assignment::Change { generation, .. }) =
            &assignment;
        let generation = *generation;
        if let Err(why) = self.worker.assign(clock::monotonic(), assignment) {
            let current = self.worker.subscriptions().generation();
            error!(refused = %generation, ?current, "an assignment is refused: {why}");
            // A newer refusal says all that an older one would.
            self.refusal = Some(FromWorker::AssignmentRefused { refused: generation, current });
        } else {
            self.taken = Some(generation);
        }
    }

    fn every_second(&mut self) -> Next {
        self.worker.refresh_cells();
        self.say_stats();
        Next::Continue
    }

    fn say_stats(&mut self) {
        let stats = self.worker.stats(&self.counters);
        self.say(FromWorker::Stats(stats));
    }

    /// Says what the coordinator does not know yet; what finds no room is said later, in its newest state.
    fn say_changes(&mut self) {
        if self.outgoing.is_none() {
            return;
        }
        let session = self.worker.session_report();
        if self.said_session.as_ref() != Some(&session)
            && self.say(FromWorker::Session(session.clone()))
        {
            self.said_session = Some(session);
        }
        if let Some(taken) = self.taken
            && self.say(FromWorker::AssignmentTaken(taken))
        {
            self.taken = None;
        }
        if let Some(refusal) = self.refusal.take()
            && !self.say(refusal.clone())
        {
            self.refusal = Some(refusal);
        }
        while self.worker.subscriptions().has_changes() {
            let Some(Ok(room)) = self.outgoing.as_ref().map(mpsc::Sender::try_reserve) else {
                break;
            };
            let changes =
                self.worker.subscriptions().take_changes(CONTROL_INSTRUMENTS_PER_MESSAGE_MAX);
            if !changes.is_empty() {
                room.send(FromWorker::Instruments(changes));
            }
        }
    }

    /// True when the message found room.
    fn say(&self, message: FromWorker) -> bool {
        self.outgoing.as_ref().is_some_and(|outgoing| outgoing.try_send(message).is_ok())
    }

    /// Says the last counters and waits a moment for all to be written.
    async fn say_goodbye(mut self) {
        self.say_changes();
        self.say_stats();
        // Closing the queue ends the connection after its last message; closing the events then ends the task.
        let was_up = self.outgoing.take().is_some();
        let said = async {
            while let Some(event) = self.link.recv().await {
                if matches!(event, LinkEvent::Down | LinkEvent::HelloWanted(_)) {
                    break;
                }
            }
        };
        if was_up && tokio::time::timeout(GOODBYE_DEADLINE, said).await.is_err() {
            warn!("the coordinator did not take the last word in time");
        }
    }
}

fn stop_for(reason: &str) -> Next {
    info!("stopping for {reason}");
    Next::Stop
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

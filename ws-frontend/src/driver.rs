//! The hub's task: brings it ticks, inputs and the time, and sleeps when there is nothing of these.
//!
//! One turn: inputs for a while, ticks for a while, one series for a chart that waits for its own, then one write to each session
//! that something gathered for, as far as a turn may. A turn that brought work is followed by the next, after the other tasks had theirs; one that brought none by sleep.
//!
//! Nothing in here waits for a client, the coordinator or the catalog: each is told as far as it takes it. Only
//! a log whose reader has stopped reading can hold it up. When one of the other tasks is gone, the process ends.

mod catalog;
mod control;

use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use shm_layout::clock;
use shm_layout::ring::{RingError, TickSource};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::task::AbortHandle;
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::backlog::Backlog;
use crate::bell::Bell;
use crate::catalog_thread::{Answered, ToCatalog};
use crate::connection::{Heard, Input, Link};
use crate::demand_client::{ControlEpoch, FromCoordinator, ToCoordinator};
use crate::hub::{Flushed, Hub, Moment};
use crate::latest_ticks::LatestTicks;
use crate::limits::{
    CATCH_UP_TIME_MAX, DRAIN_TICKS, DRAIN_TIME_MAX, INPUT_TIME_MAX, STOP_TIME_MAX, SWEEP_EVERY,
    WAKE_BACKSTOP,
};
use crate::listener::TurnedAway;
use crate::pace;
use crate::session::QueryToken;

/// What connects the hub to the other tasks.
#[derive(Debug)]
pub struct Channels {
    /// From connections.
    pub inputs: mpsc::Receiver<Input>,
    /// From the control connection.
    pub from_coordinator: mpsc::Receiver<FromCoordinator>,
    /// To the control connection.
    pub to_coordinator: mpsc::Sender<ToCoordinator>,
    /// Rung when the process is to end.
    pub stop: mpsc::Receiver<()>,
    /// To the catalog's thread.
    pub to_catalog: mpsc::Sender<ToCatalog<QueryToken>>,
    /// From the catalog's thread.
    pub from_catalog: mpsc::Receiver<Answered<QueryToken>>,
    /// Counted by the listener.
    pub turned_away: Rc<TurnedAway>,
}

/// The hub's task.
#[derive(Debug)]
pub struct Driver<S> {
    hub: Hub<Rc<Link>>,
    source: S,
    latest: LatestTicks,
    bell: Bell,
    channels: Channels,
    backstop: Interval,
    /// The control connection that stands.
    control: Option<ControlEpoch>,
    backlog: Backlog,
    /// The listener's task.
    accepting: AbortHandle,
    next_sweep: Instant,
    next_stats: Instant,
    /// Parts of the list of instruments that the catalog does not have yet.
    to_list: VecDeque<ToCatalog<QueryToken>>,
    /// The counters have gone out, how the connections compare has not.
    comparison_due: bool,
    /// It was said that there are more instruments than can be merged.
    said_unmerged: bool,
    stopping: bool,
}

/// Why the process cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// The ring is broken.
    #[error("reading ticks from the ring failed")]
    Ring(#[from] RingError),
    /// The wake-up pipe cannot be waited for.
    #[error("waiting for the wake-up pipe failed")]
    Bell(#[from] io::Error),
    /// A task ended that never does: its share of the work would be left undone for good.
    #[error(
        "the task for {0} has ended by itself, by a panic most likely; a new process is needed"
    )]
    TaskGone(Task),
}

/// A task that the hub relies on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Lets clients in.
    Listener,
    /// Speaks with the coordinator.
    ControlConnection,
    /// Waits for SIGTERM and SIGINT.
    Signals,
    /// Answers queries about instruments; a thread.
    Catalog,
}

// === impl Task ===

impl std::fmt::Display for Task {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::Listener => "new clients",
            Self::ControlConnection => "the control connection",
            Self::Signals => "signals",
            Self::Catalog => "queries about instruments",
        })
    }
}

// === impl Driver ===

impl<S: TickSource> Driver<S> {
    /// `accepting`: the listener's task. Needs a tokio runtime around it.
    #[must_use]
    pub fn new(
        source: S,
        latest: LatestTicks,
        bell: Bell,
        channels: Channels,
        accepting: AbortHandle,
        hub: Hub<Rc<Link>>,
    ) -> Self {
        let mut backstop = interval(WAKE_BACKSTOP);
        backstop.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let now = clock::monotonic();
        Self {
            hub,
            source,
            latest,
            bell,
            channels,
            backstop,
            control: None,
            backlog: Backlog::default(),
            accepting,
            next_sweep: now,
            next_stats: now,
            to_list: VecDeque::new(),
            comparison_due: false,
            said_unmerged: false,
            stopping: false,
        }
    }

    /// Serves until the process is to end, then lets nobody in any more and says goodbye.
    ///
    /// # Errors
    /// [`DriverError`] when it cannot go on, as when one of the other tasks has died; clients are then cut off.
    pub async fn run(mut self) -> Result<(), DriverError> {
        while !self.stopping {
            if self.turn()? {
                tokio::task::yield_now().await;
            } else if !self.stopping {
                self.sleep().await?;
            }
        }
        self.accepting.abort();
        self.say_goodbye().await;
        Ok(())
    }

    /// One turn. True when there may be more to do at once.
    fn turn(&mut self) -> Result<bool, DriverError> {
        let began = clock::monotonic();
        self.stopping |= heard_from(&mut self.channels.stop, Task::Signals)?.is_some();
        self.hear_coordinator(began)?;
        self.hear_catalog()?;
        let heard = self.hear_clients(began)?;
        self.feed_catalog()?;
        self.look_for_unseen(false, began);
        let fan_out_began = clock::monotonic();
        let (more_ticks, wanted) = self.take_ticks(fan_out_began)?;
        let now = clock::monotonic();
        if now >= self.next_sweep {
            self.next_sweep = now + SWEEP_EVERY;
            self.hub.sweep(Moment { now, unix_ms: clock::unix_ms() });
            self.look_for_unseen(true, now);
            // While there are connections, they keep its end of the channel open.
            if self.accepting.is_finished() {
                return Err(DriverError::TaskGone(Task::Listener));
            }
        }
        let opening = self.hub.open_next(now);
        let flushed = self.hub.flush(now);
        self.tell_coordinator(now);
        if wanted {
            let fan_out = clock::monotonic().saturating_duration_since(fan_out_began);
            if let Some(rest) = pace::rest(fan_out) {
                // The timers of the runtime are a hundred times too coarse for this. Everything on this thread rests.
                std::thread::sleep(rest);
                return Ok(true);
            }
        }
        Ok(heard || more_ticks || opening || flushed == Flushed::Some)
    }

    /// Takes inputs for a while. True when it took any.
    fn hear_clients(&mut self, began: Instant) -> Result<bool, DriverError> {
        let mut heard = false;
        while let Some(Input { link, what }) =
            heard_from(&mut self.channels.inputs, Task::Listener)?
        {
            heard = true;
            let now = clock::monotonic();
            self.hear(&link, what, Moment { now, unix_ms: clock::unix_ms() });
            if clock::monotonic().saturating_duration_since(began) >= INPUT_TIME_MAX {
                break;
            }
        }
        Ok(heard)
    }

    fn hear(&mut self, link: &Rc<Link>, what: Heard, at: Moment) {
        if let Heard::Opened = what {
            let id = self.hub.open(Rc::clone(link), at.now);
            link.set_session(id);
            return;
        }
        // A session that the hub has dropped is no longer heard.
        let Some(id) = link.session() else { return };
        match what {
            Heard::Opened => {}
            Heard::Text(text, pongs) => {
                self.pongs(link, &pongs, at.now);
                self.hub.text(id, &text, at);
            }
            Heard::Binary(pongs) => {
                self.pongs(link, &pongs, at.now);
                self.hub.binary(id, at);
            }
            Heard::Pongs(pongs) => self.hub.control_frames(id, &pongs, at.now),
            Heard::Goodbye(echo) => self.hub.said_goodbye(id, &echo, at.now),
            Heard::Violated(how) => self.hub.violated(id, how, at),
            Heard::Writable => self.hub.writable(id),
            Heard::Gone => self.hub.gone(id, at.now),
        }
    }

    fn pongs(&mut self, link: &Rc<Link>, pongs: &[u8], now: Instant) {
        if let Some(id) = link.session().filter(|_| !pongs.is_empty()) {
            self.hub.control_frames(id, pongs, now);
        }
    }

    /// Takes ticks for a while. Says whether there is more to do, and whether anybody wanted one.
    fn take_ticks(&mut self, began: Instant) -> Result<(bool, bool), DriverError> {
        let mut now = began;
        let mut wanted = false;
        let emptied = loop {
            let behind = self.backlog.is_behind(clock::unix_ns());
            self.hub.fall_behind(behind);
            let (hub, backlog) = (&mut self.hub, &mut self.backlog);
            let drained = self.source.drain(DRAIN_TICKS, &mut |tick| {
                backlog.took(tick);
                wanted |= hub.take_tick(tick, now);
            })?;
            backlog.took_copies(drained.dropped);
            if drained.lost > 0 {
                self.hub.lost(drained.lost);
            }
            if drained.unmerged > 0 && !std::mem::replace(&mut self.said_unmerged, true) {
                tracing::warn!(
                    "more instruments tick than are merged: of the others copies may come"
                );
            }
            if drained.ticks < DRAIN_TICKS {
                self.backlog.emptied();
                break true;
            }
            now = clock::monotonic();
            let time_max = if behind { CATCH_UP_TIME_MAX } else { DRAIN_TIME_MAX };
            if now.saturating_duration_since(began) >= time_max {
                break false;
            }
        };
        let caught_up = self.hub.catch_up(now);
        Ok((!emptied || !caught_up, wanted))
    }

    /// A client that wants what the fleet carries already sees its price before the next tick.
    fn look_for_unseen(&mut self, again: bool, now: Instant) {
        if self.hub.has_unseen(again) {
            if again {
                self.latest.refresh();
            }
            let latest = &self.latest;
            self.hub.look_for_unseen(again, now, |instrument| latest.get(instrument));
        }
    }

    /// Sleeps until there is something to do, or the backstop.
    async fn sleep(&mut self) -> Result<(), DriverError> {
        self.bell.prepare_sleep();
        // SYNC POINT with the ring's writers: a tick published before our bit was seen is found here.
        if self.source.has_ticks() {
            self.bell.awake();
            return Ok(());
        }
        let mut input = None;
        let (mut from_coordinator, mut from_catalog) = (None, None);
        tokio::select! {
            biased;
            rang = self.bell.rings() => rang?,
            heard = self.channels.inputs.recv() => input = Some(still(heard, Task::Listener)?),
            heard = self.channels.from_coordinator.recv() => {
                from_coordinator = Some(still(heard, Task::ControlConnection)?);
            }
            answered = self.channels.from_catalog.recv() => {
                from_catalog = Some(still(answered, Task::Catalog)?);
            }
            stop = self.channels.stop.recv() => {
                still(stop, Task::Signals)?;
                self.stopping = true;
            }
            _ = self.backstop.tick() => {}
        }
        self.bell.awake();
        let now = clock::monotonic();
        if let Some(Input { link, what }) = input {
            self.hear(&link, what, Moment { now, unix_ms: clock::unix_ms() });
        }
        if let Some(heard) = from_coordinator {
            self.hear_one_of_coordinator(heard, now);
        }
        if let Some(answered) = from_catalog {
            self.hear_answer(answered);
        }
        Ok(())
    }

    /// Closes all sessions and waits for them, for a while.
    async fn say_goodbye(&mut self) {
        const LOOK_EVERY: Duration = Duration::from_millis(5);
        let deadline = clock::monotonic() + STOP_TIME_MAX;
        loop {
            let now = clock::monotonic();
            // Every time: a handshake may have been under way.
            self.hub.close_all("the gateway stops", now);
            self.hub.flush(now);
            self.hub.sweep(Moment { now, unix_ms: clock::unix_ms() });
            if self.hub.sessions() == 0 || now >= deadline {
                break;
            }
            tokio::time::sleep(LOOK_EVERY).await;
            // Nobody is let in any more: with the last connection the channel closes.
            if self.hear_clients(clock::monotonic()).is_err() {
                tracing::debug!("all connections are gone");
            }
        }
        self.tell_coordinator(clock::monotonic());
    }
}

/// What a task has said, if anything.
fn heard_from<T>(channel: &mut mpsc::Receiver<T>, task: Task) -> Result<Option<T>, DriverError> {
    match channel.try_recv() {
        Ok(heard) => Ok(Some(heard)),
        Err(TryRecvError::Empty) => Ok(None),
        Err(TryRecvError::Disconnected) => Err(DriverError::TaskGone(task)),
    }
}

/// What a task has said, which says nothing only when it is gone.
fn still<T>(heard: Option<T>, task: Task) -> Result<T, DriverError> {
    heard.ok_or(DriverError::TaskGone(task))
}

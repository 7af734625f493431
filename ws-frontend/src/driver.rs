//! The hub's task: brings it ticks, inputs and the time, and sleeps when there is nothing of these.
//!
//! One turn: inputs for a while, ticks for a while, then one write to each session that something gathered for. A turn that
//! brought work is followed by the next, after the other tasks had theirs; one that brought none by sleep.
//!
//! Nothing in here waits for a client or the coordinator: both are written to as far as they take it.

use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use shm_layout::clock;
use shm_layout::control::{FromFrontend, ToFrontend};
use shm_layout::ring::{RingError, TickSource};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::bell::Bell;
use crate::connection::{Heard, Input, Link};
use crate::demand_client::{ControlEpoch, FromCoordinator, ToCoordinator};
use crate::hub::{Flushed, Hub, Moment};
use crate::limits::{
    BACKLOG_TICKS_MAX, CATCH_UP_TIME_MAX, DRAIN_TICKS, DRAIN_TIME_MAX, INPUT_TIME_MAX, STATS_EVERY,
    STOP_TIME_MAX, SWEEP_EVERY, WAKE_BACKSTOP,
};
use crate::listener::TurnedAway;
use crate::pace;

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
    /// Counted by the listener.
    pub turned_away: Rc<TurnedAway>,
}

/// The hub's task.
#[derive(Debug)]
pub struct Driver<S> {
    hub: Hub<Rc<Link>>,
    source: S,
    bell: Bell,
    channels: Channels,
    backstop: Interval,
    /// The control connection that stands.
    control: Option<ControlEpoch>,
    /// Ticks taken since the ring was last found empty.
    backlog: usize,
    next_sweep: Instant,
    next_stats: Instant,
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
}

// === impl Driver ===

impl<S: TickSource> Driver<S> {
    /// Needs a tokio runtime around it.
    #[must_use]
    pub fn new(source: S, bell: Bell, channels: Channels) -> Self {
        let mut backstop = interval(WAKE_BACKSTOP);
        backstop.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let now = clock::monotonic();
        Self {
            hub: Hub::new(),
            source,
            bell,
            channels,
            backstop,
            control: None,
            backlog: 0,
            next_sweep: now,
            next_stats: now,
            stopping: false,
        }
    }

    /// Serves until the process is to end, then lets nobody in any more and says goodbye.
    ///
    /// # Errors
    /// [`DriverError`] when it cannot go on; clients are then cut off.
    pub async fn run(mut self, accepting: AbortHandle) -> Result<(), DriverError> {
        while !self.stopping {
            if self.turn()? {
                tokio::task::yield_now().await;
            } else {
                self.sleep().await?;
            }
        }
        accepting.abort();
        self.say_goodbye().await;
        Ok(())
    }

    /// One turn. True when there may be more to do at once.
    fn turn(&mut self) -> Result<bool, DriverError> {
        let began = clock::monotonic();
        self.stopping |= self.channels.stop.try_recv().is_ok();
        self.hear_coordinator(began);
        let heard = self.hear_clients(began);
        let fan_out_began = clock::monotonic();
        let (more_ticks, wanted) = self.take_ticks(fan_out_began)?;
        let now = clock::monotonic();
        if now >= self.next_sweep {
            self.next_sweep = now + SWEEP_EVERY;
            self.hub.sweep(now);
        }
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
        Ok(heard || more_ticks || flushed == Flushed::Some)
    }

    /// Takes inputs for a while. True when it took any.
    fn hear_clients(&mut self, began: Instant) -> bool {
        let mut heard = false;
        while let Ok(Input { link, what }) = self.channels.inputs.try_recv() {
            heard = true;
            let now = clock::monotonic();
            self.hear(&link, what, Moment { now, unix_ms: clock::unix_ms() });
            if clock::monotonic().saturating_duration_since(began) >= INPUT_TIME_MAX {
                break;
            }
        }
        heard
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
            let behind = self.backlog >= BACKLOG_TICKS_MAX;
            self.hub.fall_behind(behind);
            let hub = &mut self.hub;
            let drained =
                self.source.drain(DRAIN_TICKS, &mut |tick| wanted |= hub.take_tick(tick, now))?;
            if drained.lost > 0 {
                self.hub.lost(drained.lost);
            }
            if drained.ticks < DRAIN_TICKS {
                self.backlog = 0;
                break true;
            }
            self.backlog += drained.ticks;
            now = clock::monotonic();
            let time_max = if behind { CATCH_UP_TIME_MAX } else { DRAIN_TIME_MAX };
            if now.saturating_duration_since(began) >= time_max {
                break false;
            }
        };
        let caught_up = self.hub.catch_up(now);
        Ok((!emptied || !caught_up, wanted))
    }

    fn hear_coordinator(&mut self, now: Instant) {
        while let Ok(heard) = self.channels.from_coordinator.try_recv() {
            self.hear_one_of_coordinator(heard, now);
        }
    }

    fn hear_one_of_coordinator(&mut self, heard: FromCoordinator, now: Instant) {
        match heard {
            FromCoordinator::Connected(epoch) => {
                self.control = Some(epoch);
                self.hub.coordinator_connected();
                self.next_stats = now;
            }
            FromCoordinator::Disconnected => {
                self.control = None;
                self.hub.coordinator_disconnected();
            }
            FromCoordinator::Said(ToFrontend::Universe { first, instruments }) => {
                let ids = instruments.into_iter().map(|listed| listed.instrument);
                self.hub.list_instruments(first, ids);
            }
            FromCoordinator::Said(ToFrontend::Stop) => {
                tracing::info!("the coordinator says stop");
                self.stopping = true;
            }
        }
    }

    /// Tells what is wanted, and once in a while the counters; as far as the queue has room.
    fn tell_coordinator(&mut self, now: Instant) {
        let Some(epoch) = self.control else { return };
        while let Ok(place) = self.channels.to_coordinator.try_reserve() {
            let message = if let Some(part) = self.hub.next_demand() {
                FromFrontend::Demand { first: part.first, add: part.add, remove: part.remove }
            } else if now >= self.next_stats {
                self.next_stats = now + STATS_EVERY;
                FromFrontend::Stats(self.stats())
            } else {
                return;
            };
            place.send(ToCoordinator { epoch, message });
        }
    }

    fn stats(&self) -> shm_layout::control::FrontendStats {
        let mut stats = self.hub.stats();
        stats.sessions_refused = self.channels.turned_away.refused.get();
        stats.handshakes_failed = self.channels.turned_away.handshakes_failed.get();
        stats
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
        let mut from_coordinator = None;
        tokio::select! {
            biased;
            rang = self.bell.rings() => rang?,
            heard = self.channels.inputs.recv() => input = heard,
            heard = self.channels.from_coordinator.recv() => from_coordinator = heard,
            _ = self.channels.stop.recv() => self.stopping = true,
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
            self.hub.sweep(now);
            if self.hub.sessions() == 0 || now >= deadline {
                break;
            }
            tokio::time::sleep(LOOK_EVERY).await;
            self.hear_clients(clock::monotonic());
        }
        self.tell_coordinator(clock::monotonic());
    }
}

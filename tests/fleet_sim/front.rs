//! The brokers' fronts, and the library that leads to them: asked, they answer late, or not, or no; they go away and come
//! back, and then remember nothing.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::{Duration, Instant};

use qamd_ctp_worker::ctp::api::RequestRefused;
use qamd_ctp_worker::ctp::event::{CtpEvent, CtpEventKind, Link, RequestId};
use qamd_ctp_worker::ctp::fields::RspError;
use qamd_ctp_worker::subscriptions::RoleChanges;
use qamd_ctp_worker::worker::Front;
use shm_layout::{Date, InstrumentId};

use crate::process::WorkerSide;
use crate::queue::{Callback, Event, Happening, Pid, Request};
use crate::scenario::{Defect, Mood};
use crate::world::{World, traced};

/// CTP's ErrorID of "no such instrument".
const NO_SUCH_INSTRUMENT: i32 = 16;

/// One of CTP's ErrorIDs after which nobody should try again.
const WRONG_PASSWORD: i32 = 3;

/// How a front works just now.
#[derive(Debug, Clone)]
pub(crate) struct Conditions {
    /// It can be reached.
    pub(crate) reachable: bool,
    /// Of a hundred answers, so many are lost.
    pub(crate) loses: usize,
    /// Of a hundred subscriptions, so many are refused for now.
    pub(crate) refuses: usize,
    /// Of a hundred logins, so many are refused for now.
    pub(crate) refuses_logins: usize,
    /// It refuses logins in a way that no worker tries again: a person has to act.
    pub(crate) refuses_for_good: bool,
    /// Of a hundred calls, so many are not taken by the library.
    pub(crate) takes_no_calls: usize,
    /// It answers so much later than usual.
    pub(crate) slower_by: Duration,
    /// It says yes and sends nothing until then.
    pub(crate) mute_until: Instant,
    pub(crate) trading_day: Date,
}

/// What a front knows of one connection of a worker's library.
#[derive(Debug, Default)]
pub(crate) struct FrontSession {
    /// Counts connections.
    pub(crate) link: u64,
    pub(crate) up: bool,
    pub(crate) logged_in: bool,
    /// What it sends; true for what has ticked.
    pub(crate) carried: BTreeMap<InstrumentId, bool>,
    /// Words in both directions keep their order.
    heard_until: Option<Instant>,
    said_until: Option<Instant>,
}

/// What the worker's driver asked for and the library has not taken to the front yet.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    pub(crate) taken: Vec<Request>,
    /// The next calls are not taken.
    pub(crate) refuse: usize,
    /// Instruments whose cells the worker was told to write.
    pub(crate) own: BTreeSet<InstrumentId>,
}

/// The library's functions, as the worker has them.
#[derive(Debug, Clone, Default)]
pub(crate) struct ModelLibrary(pub(crate) Rc<RefCell<Calls>>);

impl ModelLibrary {
    fn call(&self, request: Request) -> Result<(), RequestRefused> {
        let mut calls = self.0.borrow_mut();
        if calls.refuse > 0 {
            calls.refuse -= 1;
            return Err(RequestRefused { code: -3 });
        }
        calls.taken.push(request);
        Ok(())
    }
}

impl Front for ModelLibrary {
    fn log_in(&mut self, request: RequestId) -> Result<(), RequestRefused> {
        self.call(Request::Login(request))
    }

    fn subscribe(&mut self, instruments: &[InstrumentId]) -> Result<(), RequestRefused> {
        self.call(Request::Subscribe(instruments.to_vec()))
    }

    fn unsubscribe(&mut self, instruments: &[InstrumentId]) -> Result<(), RequestRefused> {
        self.call(Request::Unsubscribe(instruments.to_vec()))
    }

    fn set_own(&mut self, changes: &RoleChanges) {
        let own = &mut self.0.borrow_mut().own;
        changes.given_up.iter().for_each(|instrument| {
            own.remove(instrument);
        });
        own.extend(&changes.gained);
    }

    fn refresh_cells(&mut self) {}
}

// === impl Conditions ===

impl Conditions {
    pub(crate) const fn sound(now: Instant, trading_day: Date) -> Self {
        Self {
            reachable: true,
            loses: 0,
            refuses: 0,
            refuses_logins: 0,
            refuses_for_good: false,
            takes_no_calls: 0,
            slower_by: Duration::ZERO,
            mute_until: now,
            trading_day,
        }
    }
}

/// Keeps the order of a stream: not before what went before.
fn in_order(until: &mut Option<Instant>, at: Instant) -> Instant {
    let at = until.map_or(at, |until| until.max(at));
    *until = Some(at);
    at
}

impl World {
    /// A front's time for an answer.
    fn answer_time(&mut self, worker: &WorkerSide) -> Duration {
        let most = self.scenario.front_delay;
        let slower_by = self.conditions(worker).slower_by;
        self.random.time(Duration::from_millis(1), most) + slower_by
    }

    pub(crate) fn conditions(&self, worker: &WorkerSide) -> &Conditions {
        &self.fronts[&worker.section.id]
    }

    /// Sends what the worker asked for on its way.
    pub(crate) fn take_calls(&mut self, pid: Pid, worker: &mut WorkerSide) {
        let calls = std::mem::take(&mut worker.calls.borrow_mut().taken);
        for request in calls {
            traced!(self, "{pid} asks its front: {request:?}");
            let delay = self.random.time(Duration::from_micros(100), self.scenario.front_delay);
            let at = in_order(&mut worker.front.heard_until, self.now + delay);
            // A call goes over the connection that the library has told of; that may be gone already.
            self.queue.push(at, Event::Request(pid, worker.told_link, request));
        }
        let percent = self.conditions(worker).takes_no_calls;
        worker.calls.borrow_mut().refuse = usize::from(self.random.percent(percent));
    }

    /// The front says something to the library; words keep their order.
    fn call_back(
        &mut self,
        pid: Pid,
        worker: &mut WorkerSide,
        callback: Callback,
        after: Duration,
    ) {
        let at = in_order(&mut worker.front.said_until, self.now + after);
        let link = worker.front.link;
        self.queue.push(at, Event::Process(pid, Happening::Library(link, callback)));
    }

    fn say(&mut self, pid: Pid, worker: &mut WorkerSide, kind: CtpEventKind) {
        let after = self.answer_time(worker);
        self.call_back(pid, worker, Callback::Event(kind), after);
    }

    /// The library tries to connect, for ever.
    pub(crate) fn reach(&mut self, pid: Pid) {
        self.with_worker(pid, |world, worker| {
            if worker.front.up {
                return;
            }
            if world.conditions(worker).reachable {
                let front = &mut worker.front;
                let said_until = front.said_until;
                *front = FrontSession {
                    link: front.link + 1,
                    up: true,
                    said_until,
                    ..FrontSession::default()
                };
                traced!(world, "the front takes {pid}'s connection {}", worker.front.link);
                world.say(pid, worker, CtpEventKind::Connected);
            } else {
                if world.random.percent(20) {
                    world.say(pid, worker, CtpEventKind::Disconnected { reason: 0x1001 });
                }
                let again = if world.coarse {
                    world.random.millis(5_000, 60_000)
                } else {
                    world.random.millis(500, 8_000)
                };
                world.queue.push(world.now + again, Event::Reach(pid));
            }
        });
    }

    /// The front ends a connection; the library tries again.
    pub(crate) fn cut_front(&mut self, pid: Pid, link: u64) {
        self.with_worker(pid, |world, worker| {
            if worker.front.link != link || !worker.front.up {
                return;
            }
            traced!(world, "the front cuts {pid}'s connection {link}");
            worker.front.up = false;
            worker.front.logged_in = false;
            worker.front.carried.clear();
            world.say(pid, worker, CtpEventKind::Disconnected { reason: 0x1001 });
            // The library's one thread tells of the end before it tries again.
            let told_at = worker.front.said_until.map_or(world.now, |until| until.max(world.now));
            let again = world.random.millis(100, 5_000);
            world.queue.push(told_at + again, Event::Reach(pid));
        });
    }

    /// The front ends a session and leaves the connection.
    pub(crate) fn log_out(&mut self, pid: Pid, link: u64) {
        self.with_worker(pid, |world, worker| {
            if worker.front.link == link && worker.front.logged_in {
                traced!(world, "the front logs {pid} out");
                worker.front.logged_in = false;
                worker.front.carried.clear();
                world.say(pid, worker, CtpEventKind::LoggedOut);
            }
        });
    }

    /// A request reaches the front.
    pub(crate) fn request(&mut self, pid: Pid, link: u64, request: Request) {
        self.with_worker(pid, |world, worker| {
            if worker.front.link != link || !worker.front.up {
                return;
            }
            match request {
                Request::Login(request) => world.log_in(pid, worker, request),
                Request::Subscribe(instruments) => {
                    for instrument in instruments {
                        world.subscribe(pid, worker, instrument);
                    }
                }
                Request::Unsubscribe(instruments) => {
                    for instrument in instruments {
                        world.unsubscribe(pid, worker, instrument);
                    }
                }
            }
        });
    }

    fn log_in(&mut self, pid: Pid, worker: &mut WorkerSide, request: RequestId) {
        let conditions = self.conditions(worker).clone();
        if self.random.percent(conditions.loses) {
            return;
        }
        let refused = self.random.percent(conditions.refuses_logins);
        worker.front.logged_in |= !refused && !conditions.refuses_for_good;
        let outcome = match (conditions.refuses_for_good, refused) {
            (true, _) => Err(RspError::new(WRONG_PASSWORD, "wrong password")),
            (false, true) => Err(RspError::new(7, "later")),
            (false, false) => Ok(Some(conditions.trading_day)),
        };
        self.say(pid, worker, CtpEventKind::LoggedIn { request, outcome });
    }

    fn subscribe(&mut self, pid: Pid, worker: &mut WorkerSide, instrument: InstrumentId) {
        let conditions = self.conditions(worker).clone();
        // Some requests are lost before the front sees them, some answers after.
        if !worker.front.logged_in || self.random.percent(conditions.loses / 2) {
            return;
        }
        let known = worker.front.carried.contains_key(&instrument);
        let error = if self.scenario.refused.contains(&(worker.section.id, instrument)) {
            Some(RspError::new(NO_SUCH_INSTRUMENT, "no such instrument"))
        } else {
            let refused = !known && self.random.percent(conditions.refuses);
            refused.then(|| RspError::new(90, "not now"))
        };
        if error.is_none() {
            worker.front.carried.entry(instrument).or_insert(false);
            self.check_capacity(pid, worker);
            let after = self.answer_time(worker);
            let early = self.scenario.defect == Defect::TicksEarly;
            let later = Duration::from_secs(if early { 3 } else { 0 });
            let at = (self.now + after + later).max(conditions.mute_until);
            self.queue.push(at, Event::Trade(pid, worker.front.link, instrument));
        }
        if !self.random.percent(conditions.loses) {
            let instrument = Some(instrument);
            self.say(pid, worker, CtpEventKind::Subscribed { instrument, error });
        }
    }

    fn unsubscribe(&mut self, pid: Pid, worker: &mut WorkerSide, instrument: InstrumentId) {
        if !worker.front.logged_in {
            return;
        }
        let ticked = worker.front.carried.remove(&instrument) == Some(true);
        if ticked && self.scenario.mood == Mood::Gentle {
            self.check_make_before_break(pid, instrument);
        }
        let loses = self.conditions(worker).loses;
        if !self.random.percent(loses) {
            let instrument = Some(instrument);
            self.say(pid, worker, CtpEventKind::Unsubscribed { instrument, error: None });
        }
    }

    /// A tick leaves the front.
    pub(crate) fn trade(&mut self, pid: Pid, link: u64, instrument: InstrumentId) {
        self.with_worker(pid, |world, worker| {
            let mute_until = world.conditions(worker).mute_until;
            let session = &mut worker.front;
            if session.link != link || !session.up || world.scenario.mute.contains(&instrument) {
                return;
            }
            let Some(ticked) = session.carried.get_mut(&instrument) else { return };
            if mute_until > world.now {
                return world.queue.push(mute_until, Event::Trade(pid, link, instrument));
            }
            *ticked = true;
            let after = world.random.time(Duration::ZERO, Duration::from_millis(2));
            world.call_back(pid, worker, Callback::Tick(instrument), after);
        });
    }

    /// The library calls back: what the sink makes of it.
    pub(crate) fn called_back(
        &mut self,
        pid: Pid,
        worker: &mut WorkerSide,
        link: u64,
        callback: Callback,
    ) {
        let kind = match callback {
            Callback::Tick(instrument) => {
                if !worker.seen.insert(instrument) {
                    return;
                }
                CtpEventKind::Ticking { instrument }
            }
            Callback::Event(kind) => kind,
        };
        if kind == CtpEventKind::Connected {
            worker.told_link = link;
        }
        match kind {
            CtpEventKind::Connected | CtpEventKind::LoggedIn { outcome: Ok(_), .. } => {
                worker.seen.clear()
            }
            CtpEventKind::Subscribed { instrument: Some(instrument), error: None }
            | CtpEventKind::Unsubscribed { instrument: Some(instrument), .. } => {
                worker.seen.remove(&instrument);
            }
            _ => {}
        }
        traced!(self, "{pid} hears from its front: {kind:?}");
        worker.worker.library_said(self.now, CtpEvent { link: Link(link), kind });
        if self.scenario.defect == Defect::TicksEarly
            && let CtpEventKind::Subscribed { instrument: Some(instrument), error: None } = kind
        {
            let kind = CtpEventKind::Ticking { instrument };
            worker.worker.library_said(self.now, CtpEvent { link: Link(link), kind });
        }
    }
}

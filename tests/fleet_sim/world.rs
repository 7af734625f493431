//! One fleet and everything around it, on a virtual clock.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use qamd::life::Exit;
use qamd_ctp_worker::counters::Counters;
use shm_layout::control::{ConnectionView, ConnectionWish, SessionState};
use shm_layout::{ConnectionId, Date, InstrumentId, TradingHours, WorkerId};

use crate::coordinator::{Coordinator, Memory};
use crate::front::Conditions;
use crate::lines::Link;
use crate::process::{Process, WorkerSide};
use crate::queue::{Clock, Event, Happening, LinkId, Pid, Queue, Recovery};
use crate::random::Random;
use crate::scenario::{ConfigFile, Defect, Mood, Scenario};
use crate::told::Watched;

/// How often counters are said and the market is looked at while nothing happens. The true pace is once a second; a worker
/// counts as unresponsive after eight.
const COARSE_BEAT: Duration = Duration::from_secs(7);

/// The true pace.
const FINE_BEAT: Duration = Duration::from_secs(1);

/// For how long nothing goes wrong in the end: the longest probation, back-off and memory of silence are over by far.
const CALM: Duration = Duration::from_secs(140 * 60);

/// At the end of the calm nothing may have happened for so long.
const QUIET: Duration = Duration::from_secs(60 * 60);

/// After the last mishap counters still come every second for so long, since the most is going on then.
const SETTLING: Duration = Duration::from_secs(20);

/// Ticks of an instrument per second.
const TICKS_PER_SECOND: u64 = 2;

/// Lines of the trace that a failure shows.
const TRACE_LINES_SHOWN: usize = 60;

/// Tells the trace, if anybody listens.
macro_rules! traced {
    ($world:expr, $($text:tt)*) => {
        if $world.trace.is_some() {
            $world.tell(format!($($text)*));
        }
    };
}
pub(crate) use traced;

/// Where a trace goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tracing {
    /// Nowhere.
    Off,
    /// Its end is kept.
    End,
    /// All of it is kept.
    Whole,
}

/// All of it.
pub(crate) struct World {
    pub(crate) now: Instant,
    began: Instant,
    pub(crate) random: Random,
    pub(crate) queue: Queue,
    pub(crate) scenario: Scenario,
    /// The configuration as it is written.
    pub(crate) file: ConfigFile,
    pub(crate) memory: Memory,
    pub(crate) coordinator: Option<Box<Coordinator>>,
    pub(crate) lives: u64,
    pub(crate) processes: BTreeMap<Pid, Box<Process>>,
    pub(crate) ended_in_hand: Option<(Pid, Exit)>,
    pub(crate) links: BTreeMap<LinkId, Link>,
    pub(crate) fronts: BTreeMap<ConnectionId, Conditions>,
    /// What clients want, and since when.
    pub(crate) clients: BTreeMap<InstrumentId, Instant>,
    pub(crate) next_pid: Pid,
    pub(crate) next_link: LinkId,
    /// Connections that were ever configured.
    pub(crate) connections_made: usize,
    pub(crate) mishaps_left: usize,
    /// From then on the coordinator's actions are counted.
    quiet_from: Option<Instant>,
    pub(crate) acted: u32,
    /// Hours pass in which nothing happens.
    pub(crate) coarse: bool,
    hours: TradingHours,
    /// The market is in a session.
    pub(crate) trading: bool,
    pub(crate) watched: Watched,
    compared_at: Instant,
    pub(crate) views: BTreeMap<ConnectionId, ConnectionView>,
    pub(crate) no_counters: Counters,
    pub(crate) failure: Option<String>,
    pub(crate) trace: Option<VecDeque<String>>,
    tracing: Tracing,
    /// Events that happened.
    pub(crate) events: u64,
    /// A number that two runs of one seed have in common.
    pub(crate) fingerprint: u64,
}

// === impl World ===

impl World {
    /// A fleet that was never started.
    pub(crate) fn new(scenario: Scenario, now: Instant, tracing: Tracing) -> Self {
        let day = Date::parse("20260303").expect("a date");
        let ids = (0..9).map(|n| crate::scenario::connection(n, &mut Random::new(0), true).id);
        let fronts = ids.map(|id| (id, Conditions::sound(now, day))).collect();
        let mut world = Self {
            now,
            began: now,
            random: Random::new(scenario.seed ^ 0x9e37_79b9),
            queue: Queue::default(),
            file: scenario.file.clone(),
            memory: Memory::new(),
            coordinator: None,
            lives: 0,
            processes: BTreeMap::new(),
            ended_in_hand: None,
            links: BTreeMap::new(),
            fronts,
            clients: BTreeMap::new(),
            next_pid: 1000,
            next_link: 0,
            connections_made: scenario.file.connections.len(),
            mishaps_left: scenario.mishaps,
            quiet_from: None,
            acted: 0,
            coarse: false,
            hours: scenario.hours(),
            trading: false,
            watched: Watched::new(now),
            compared_at: now,
            views: BTreeMap::new(),
            no_counters: Counters::default(),
            failure: None,
            trace: (tracing != Tracing::Off).then(VecDeque::new),
            tracing,
            events: 0,
            fingerprint: 0,
            scenario,
        };
        for instrument in world.scenario.wanted.clone() {
            world.clients.insert(instrument, now);
        }
        world.queue.push(now, Event::CoordinatorStarts);
        world.queue.push(now, Event::Beat);
        let first = if world.scenario.mood == Mood::Gentle {
            world.random.millis(10_000, 25_000)
        } else {
            world.random.millis(0, 15_000)
        };
        world.queue.push(now + first, Event::Mishap);
        world
    }

    /// Everything that happens, and whether all is well in the end.
    ///
    /// # Errors
    /// What was not well.
    pub(crate) fn run(&mut self) -> Result<(), String> {
        let far = self.began + Duration::from_secs(30 * 24 * 3600);
        while self.mishaps_left > 0 {
            self.step(far)?;
        }
        self.begin_calm();
        let settled = self.now + SETTLING;
        let end = self.now + CALM;
        self.quiet_from = Some(end - QUIET);
        while self.step(settled)? {}
        self.answer_alarms();
        self.coarse = true;
        while self.step(end)? {}
        self.now = end;
        self.check_the_end();
        self.failure.take().map_or(Ok(()), Err)
    }

    /// The next thing that is due by `until`; false when there is none.
    fn step(&mut self, until: Instant) -> Result<bool, String> {
        let Some((at, event)) = self.queue.pop(until) else { return Ok(false) };
        self.now = at;
        self.events += 1;
        self.dispatch(event);
        let nanos = u64::try_from((at - self.began).as_nanos()).unwrap_or(u64::MAX);
        self.fingerprint = (self.fingerprint ^ nanos).wrapping_mul(0x0100_0000_01b3);
        self.failure.take().map_or(Ok(true), Err)
    }

    fn dispatch(&mut self, event: Event) {
        match event {
            Event::CoordinatorStarts => self.start_coordinator(),
            Event::Coordinator(life, clock) => self.clock(life, clock),
            Event::Arrives(link, word) => self.arrives(link, word),
            Event::Exited(life, process, pid, exit) => self.exited(life, process, pid, exit),
            Event::Process(pid, happening) => self.happens(pid, happening),
            Event::Reach(pid) => self.reach(pid),
            Event::CutFront(pid, link) => self.cut_front(pid, link),
            Event::Request(pid, link, request) => self.request(pid, link, request),
            Event::Trade(pid, link, instrument) => self.trade(pid, link, instrument),
            Event::Killed(pid) => self.end(pid, Exit::Signal(9, false)),
            Event::Beat => self.beat(),
            Event::Mishap => self.mishap(),
            Event::Recovery(recovery) => self.recover(&recovery),
        }
    }

    fn beat(&mut self) {
        let next = self.now + if self.coarse { COARSE_BEAT } else { FINE_BEAT };
        self.queue.push(next, Event::Beat);
        let product = self.hours.class_of(&crate::scenario::instrument(0));
        self.trading = self.hours.session(product, self.unix_ms()).is_some();
        self.check_what_is_told();
        let life = self.coordinator.as_ref().map(|coordinator| coordinator.life);
        if !self.coarse {
            self.stats_are_due();
            if let Some(life) = life {
                let at = self.now + self.random.time(Duration::ZERO, FINE_BEAT);
                self.queue.push(at, Event::Coordinator(life, Clock::Market));
            }
            return;
        }
        let up: Vec<Pid> = self
            .processes
            .iter()
            .filter(|(_, process)| process.line.up && !process.stopped)
            .map(|(pid, _)| *pid)
            .collect();
        up.into_iter().for_each(|pid| self.happens(pid, Happening::Stats));
        if let Some(life) = life {
            self.queue.push(self.now, Event::Coordinator(life, Clock::Market));
        }
    }

    fn recover(&mut self, recovery: &Recovery) {
        traced!(self, "recovery: {recovery:?}");
        match recovery {
            Recovery::Continue(pid) => self.continue_process(*pid),
            Recovery::FrontIsBack(id) => self.front_of(*id).reachable = true,
            Recovery::FrontIsSound(id) => {
                let (now, day) = (self.now, self.front_of(*id).trading_day);
                let reachable = self.front_of(*id).reachable;
                *self.front_of(*id) = Conditions { reachable, ..Conditions::sound(now, day) };
            }
            Recovery::Uncongested(pid) => {
                if let Some(process) = self.processes.get_mut(pid) {
                    process.line.congested = false;
                }
            }
        }
    }

    pub(crate) fn front_of(&mut self, id: ConnectionId) -> &mut Conditions {
        let (now, day) = (self.now, Date::parse("20260303").expect("a date"));
        self.fronts.entry(id).or_insert_with(|| Conditions::sound(now, day))
    }

    /// Everything is put right, and left alone.
    fn begin_calm(&mut self) {
        traced!(self, "calm begins");
        self.coarse = false;
        if self.coordinator.is_none() && self.scenario.defect != Defect::NoNextCoordinator {
            self.start_coordinator();
        }
        for id in self.fronts.keys().copied().collect::<Vec<_>>() {
            self.recover(&Recovery::FrontIsBack(id));
            self.recover(&Recovery::FrontIsSound(id));
        }
        if let Some(coordinator) = &mut self.coordinator {
            coordinator.held_until = self.now;
        }
        for pid in self.processes.keys().copied().collect::<Vec<_>>() {
            self.continue_process(pid);
            self.recover(&Recovery::Uncongested(pid));
        }
    }

    /// A person restarts what has been refused for good and would be accepted now.
    fn answer_alarms(&mut self) {
        let alarmed = |worker: &WorkerSide| {
            matches!(worker.worker.session_report().state, SessionState::Alarm { .. })
        };
        let of_alarmed =
            self.workers().filter(|(_, _, worker)| alarmed(worker)).map(|(.., it)| it.section.id);
        for id in of_alarmed.collect::<Vec<_>>() {
            self.wish(id, ConnectionWish::Restart);
        }
    }

    /// The coordinator does something.
    pub(crate) fn note_action(&mut self) {
        if self.quiet_from.is_some_and(|from| self.now >= from) {
            self.acted += 1;
        }
    }

    /// The wall clock, in milliseconds since 1970-01-01 UTC.
    pub(crate) fn unix_ms(&self) -> i64 {
        1_772_500_000_000 + i64::try_from((self.now - self.began).as_millis()).unwrap_or(i64::MAX)
    }

    /// Notes what is wrong; the first counts.
    pub(crate) fn fail(&mut self, what: impl Into<String>) {
        let what = what.into();
        traced!(self, "FAILED: {what}");
        self.failure.get_or_insert(what);
    }

    /// Tells the trace.
    pub(crate) fn tell(&mut self, text: String) {
        let line = format!("{:>12.6} {text}", (self.now - self.began).as_secs_f64());
        if let Some(trace) = &mut self.trace {
            trace.push_back(line);
            while self.tracing == Tracing::End && trace.len() > TRACE_LINES_SHOWN {
                trace.pop_front();
            }
        }
    }

    /// What is wanted: by clients, and by the configuration that is in force.
    pub(crate) fn wanted(&self) -> BTreeSet<InstrumentId> {
        let settings = self.coordinator.as_ref().map(|coordinator| &coordinator.settings);
        let always_on = settings.into_iter().flat_map(|settings| &settings.always_on);
        self.clients.keys().chain(always_on).copied().collect()
    }

    /// A worker's ticks up to now.
    pub(crate) fn count_ticks_of(
        worker: &mut WorkerSide,
        now: Instant,
        fronts: &BTreeMap<ConnectionId, Conditions>,
        trading: bool,
    ) {
        let mute_until = fronts[&worker.section.id].mute_until;
        let passed = now.saturating_duration_since(worker.ticked_until).as_secs();
        worker.ticked_until += Duration::from_secs(passed);
        let carried = worker.front.carried.values().filter(|ticked| **ticked).count() as u64;
        if trading && mute_until <= now {
            worker.ticks += passed * TICKS_PER_SECOND * carried;
        }
    }

    /// How the connections compare at a frontend: each is a little later than the one before it in the configuration.
    pub(crate) fn compare(&mut self) -> Vec<ConnectionView> {
        let ticks = TICKS_PER_SECOND * self.since_compared();
        let mut carriers: BTreeMap<InstrumentId, Vec<(ConnectionId, WorkerId)>> = BTreeMap::new();
        for (_, process, worker) in self.workers() {
            let ticked = worker.front.carried.iter().filter(|(_, ticked)| **ticked);
            let sends = self.fronts[&worker.section.id].mute_until <= self.now;
            for (instrument, _) in ticked.filter(|_| !process.stopped && sends) {
                let row = (worker.section.id, worker.number);
                carriers.entry(*instrument).or_default().push(row);
            }
        }
        for mut row in carriers.into_values() {
            row.sort_unstable();
            let contested = row.len() > 1;
            for (place, (id, number)) in (0..).zip(row) {
                let view = self.views.entry(id).or_insert_with(|| ConnectionView::of(number));
                view.ticks += ticks;
                match place {
                    0 if contested => view.won += ticks,
                    0 => {}
                    _ => {
                        view.copies += ticks;
                        view.behind_ns += ticks * place * 7_000_000;
                    }
                }
            }
        }
        self.views.values().copied().collect()
    }

    /// Whole seconds in which ticks came, since this was last asked.
    fn since_compared(&mut self) -> u64 {
        let seconds = self.now.saturating_duration_since(self.compared_at).as_secs();
        self.compared_at += Duration::from_secs(seconds);
        if self.trading { seconds } else { 0 }
    }
}

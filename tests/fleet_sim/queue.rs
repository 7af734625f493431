//! What is going to happen, in the order of virtual time; what is due at the same time happens in the order in which it
//! was put here (pure).

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

use qamd::fleet::ProcessId;
use qamd::life::Exit;
use qamd_ctp_worker::ctp::event::{CtpEventKind, RequestId};
use shm_layout::control::{FromFrontend, FromWorker, Hello, ToFrontend, ToWorker};
use shm_layout::{ConnectionId, InstrumentId};

/// A process; never used twice.
pub(crate) type Pid = u32;

/// A control connection; never used twice.
pub(crate) type LinkId = u64;

/// Something that happens.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// A coordinator is started.
    CoordinatorStarts,
    /// A clock of the coordinator with that number.
    Coordinator(u64, Clock),
    /// Something reaches the coordinator over a control connection.
    Arrives(LinkId, ToCoordinator),
    /// A child of the coordinator with that number has ended.
    Exited(u64, ProcessId, Pid, Exit),
    /// Something happens in a process; it waits while the process is stopped.
    Process(Pid, Happening),
    /// The library of a worker tries to reach its front.
    Reach(Pid),
    /// The front ends the connection with that number.
    CutFront(Pid, u64),
    /// A request of a worker reaches its front over the connection with that number.
    Request(Pid, u64, Request),
    /// A front has a tick for a worker.
    Trade(Pid, u64, InstrumentId),
    /// SIGKILL arrives.
    Killed(Pid),
    /// A second has passed, or several when nothing happens.
    Beat,
    /// Something goes wrong, or a person does something.
    Mishap,
    /// Something gets well again.
    Recovery(Recovery),
}

/// The coordinator's clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Clock {
    /// A deadline, or something waits in the inbox.
    Wake,
    /// The health check.
    Health,
    /// The look at the market.
    Market,
    /// The look at lock files.
    Probe,
}

/// What reaches the coordinator.
#[derive(Debug, Clone)]
pub(crate) enum ToCoordinator {
    /// A new client.
    Hello(Box<Hello>),
    /// A worker's word.
    Worker(FromWorker),
    /// A frontend's word.
    Frontend(FromFrontend),
    /// It is gone.
    Gone,
}

/// What reaches a client of the coordinator.
#[derive(Debug, Clone)]
pub(crate) enum ToClient {
    /// The hello was taken.
    Welcome,
    /// For a worker.
    Worker(ToWorker),
    /// For a frontend.
    Frontend(ToFrontend),
    /// The coordinator has hung up.
    Closed,
}

/// What happens in a process.
#[derive(Debug, Clone)]
pub(crate) enum Happening {
    /// It has its lock file, and begins.
    Begins,
    /// A deadline of its own.
    Wakes(Instant),
    /// It is time to say counters.
    Stats,
    /// It tries to reach the coordinator.
    Dials,
    /// The answer to its hello is late.
    HelloLate(LinkId),
    /// The coordinator said something.
    Hears(LinkId, ToClient),
    /// The library calls back.
    Library(u64, Callback),
    /// The clients of a frontend want an instrument, or do not any longer.
    Client(InstrumentId),
    /// SIGTERM.
    Terminate,
    /// An assignment whose acknowledgement was said before it; only a defective worker has such.
    Belated(Box<shm_layout::control::Assignment>),
}

/// What a library calls back with.
#[derive(Debug, Clone)]
pub(crate) enum Callback {
    /// All but ticks.
    Event(CtpEventKind),
    /// A tick.
    Tick(InstrumentId),
}

/// What a worker asks of its front.
#[derive(Debug, Clone)]
pub(crate) enum Request {
    /// A login.
    Login(RequestId),
    /// A subscription.
    Subscribe(Vec<InstrumentId>),
    /// Its end.
    Unsubscribe(Vec<InstrumentId>),
}

/// What gets well.
#[derive(Debug, Clone)]
pub(crate) enum Recovery {
    /// A stopped process goes on.
    Continue(Pid),
    /// A front answers again.
    FrontIsBack(ConnectionId),
    /// A front does its work as it should.
    FrontIsSound(ConnectionId),
    /// A control connection has room again.
    Uncongested(Pid),
}

/// The queue.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<Reverse<Entry>>,
    order: u64,
}

#[derive(Debug)]
struct Entry {
    at: Instant,
    order: u64,
    event: Event,
}

// === impl Queue ===

impl Queue {
    /// Puts an event in its place.
    pub(crate) fn push(&mut self, at: Instant, event: Event) {
        self.order += 1;
        self.heap.push(Reverse(Entry { at, order: self.order, event }));
    }

    /// Takes the next event that is due by `until`.
    pub(crate) fn pop(&mut self, until: Instant) -> Option<(Instant, Event)> {
        if self.heap.peek()?.0.at > until {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| (entry.at, entry.event))
    }
}

// === impl Entry ===

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

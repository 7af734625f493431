//! The bounded queue from the library's callbacks to the driver.
//!
//! Sending never blocks. When the queue is nearly full, what can be asked for again is dropped and counted; the last
//! places are kept for what the session depends on. Should even these run out, the driver learns that it no longer knows
//! its session.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::mpsc;

use crate::counters::Counters;
use crate::ctp::event::CtpEvent;
use crate::limits::{EVENT_QUEUE_MAX, EVENTS_RESERVED_FOR_SESSION};

/// What was dropped since the driver last looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dropped {
    /// Nothing.
    Nothing,
    /// Answers or first ticks: ask again for everything unanswered.
    Answers,
    /// A session event: the session is no longer known.
    Session,
}

#[derive(Debug, Default)]
struct Flags {
    answers: AtomicBool,
    session: AtomicBool,
}

/// The callbacks' end.
#[derive(Debug)]
pub struct EventSender {
    queue: mpsc::Sender<CtpEvent>,
    flags: Arc<Flags>,
    counters: Arc<Counters>,
}

/// The driver's end.
#[derive(Debug)]
pub struct EventReceiver {
    queue: mpsc::Receiver<CtpEvent>,
    flags: Arc<Flags>,
}

/// Makes the queue.
#[must_use]
pub fn event_queue(counters: Arc<Counters>) -> (EventSender, EventReceiver) {
    let (sender, receiver) = mpsc::channel(EVENT_QUEUE_MAX);
    let flags = Arc::new(Flags::default());
    let sender = EventSender { queue: sender, flags: Arc::clone(&flags), counters };
    (sender, EventReceiver { queue: receiver, flags })
}

// === impl EventSender ===

impl EventSender {
    /// Sends without blocking; false when the event was dropped.
    pub fn send(&self, event: CtpEvent) -> bool {
        let of_session = event.kind.is_of_session();
        let keep_free = if of_session { 0 } else { EVENTS_RESERVED_FOR_SESSION };
        if self.queue.capacity() > keep_free && self.queue.try_send(event).is_ok() {
            return true;
        }
        self.counters.dropped_events.add_one();
        let flag = if of_session { &self.flags.session } else { &self.flags.answers };
        // The driver has a full queue to read, so it is awake and will look.
        flag.store(true, Ordering::Release);
        false
    }
}

// === impl EventReceiver ===

impl EventReceiver {
    /// Waits for an event. `None` when the callbacks are gone, which they never are while the library lives.
    pub async fn recv(&mut self) -> Option<CtpEvent> {
        self.queue.recv().await
    }

    /// The next event if there is one.
    pub fn try_recv(&mut self) -> Option<CtpEvent> {
        self.queue.try_recv().ok()
    }

    /// What was dropped since the last call.
    pub fn take_dropped(&self) -> Dropped {
        if self.flags.session.swap(false, Ordering::Acquire) {
            Dropped::Session
        } else if self.flags.answers.swap(false, Ordering::Acquire) {
            Dropped::Answers
        } else {
            Dropped::Nothing
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ctp::event::{CtpEventKind, Link};

    fn event(kind: CtpEventKind) -> CtpEvent {
        CtpEvent { link: Link(1), kind }
    }

    #[test]
    fn answers_leave_room_for_the_session_and_every_loss_is_counted() {
        let counters = Arc::new(Counters::default());
        let (sender, mut receiver) = event_queue(Arc::clone(&counters));
        let warning = event(CtpEventKind::HeartbeatWarning { lapse_s: 1 });
        let sent = (0..EVENT_QUEUE_MAX).filter(|_| sender.send(warning)).count();
        assert_eq!(sent, EVENT_QUEUE_MAX - EVENTS_RESERVED_FOR_SESSION);
        assert_eq!(counters.dropped_events.get(), EVENTS_RESERVED_FOR_SESSION as u64);
        assert_eq!(receiver.take_dropped(), Dropped::Answers);
        assert_eq!(receiver.take_dropped(), Dropped::Nothing);

        for _ in 0..EVENTS_RESERVED_FOR_SESSION {
            assert!(sender.send(event(CtpEventKind::Connected)));
        }
        assert_eq!(receiver.take_dropped(), Dropped::Nothing);
        assert!(!sender.send(event(CtpEventKind::Connected)));
        assert_eq!(receiver.take_dropped(), Dropped::Session);

        let received = std::iter::from_fn(|| receiver.try_recv()).count();
        assert_eq!(received, EVENT_QUEUE_MAX);
        assert!(sender.send(warning));
    }
}

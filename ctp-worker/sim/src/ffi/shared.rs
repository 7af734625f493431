//! What the client's threads and the callback thread of one API object share.

use std::collections::VecDeque;
use std::ffi::c_void;
use std::sync::atomic::{AtomicPtr, AtomicU8, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::engine::answers::Request;
use crate::faults::Call;
use crate::limits::PENDING_CALLS_MAX;

/// Request taken.
pub(super) const ACCEPTED: i32 = 0;
/// There is no connection.
pub(super) const NO_CONNECTION: i32 = -1;
/// Too many requests are pending.
pub(super) const TOO_MANY_PENDING: i32 = -2;

/// The shared part of an API object.
#[derive(Debug, Default)]
pub(super) struct Shared {
    mailbox: Mutex<Mailbox>,
    changed: Condvar,
    /// The client's SPI object; null before it is registered.
    pub(super) spi: AtomicPtr<c_void>,
    trading_day: [AtomicU8; 9],
}

#[derive(Debug, Default)]
struct Mailbox {
    requests: VecDeque<Request>,
    connected: bool,
    spoiled: Vec<Spoiled>,
    stopping: bool,
    ended: bool,
    hang: Option<Hang>,
}

/// Calls of this kind return this code, so many times more.
#[derive(Debug)]
struct Spoiled {
    call: Call,
    code: i32,
    left: u32,
}

/// How long `Release` hangs.
#[derive(Debug, Clone, Copy)]
pub(super) enum Hang {
    For(Duration),
    Ever,
}

/// What the callback thread woke for.
#[derive(Debug)]
pub(super) enum Woken {
    /// These requests came, or the time has come.
    Requests(VecDeque<Request>),
    /// The object is being released.
    Stop,
}

impl Shared {
    fn mailbox(&self) -> MutexGuard<'_, Mailbox> {
        // Nothing that panics runs under this lock; were it so, the data would still be whole.
        self.mailbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a request of the client, or says why not.
    pub(super) fn post(&self, request: Request, call: Option<Call>) -> i32 {
        let mut mailbox = self.mailbox();
        if let Some(code) = mailbox.spoiled_code(call) {
            return code;
        }
        if !mailbox.connected {
            return NO_CONNECTION;
        }
        if mailbox.requests.len() >= PENDING_CALLS_MAX {
            return TOO_MANY_PENDING;
        }
        mailbox.requests.push_back(request);
        drop(mailbox);
        self.changed.notify_all();
        ACCEPTED
    }

    /// Waits for requests, at most so long (`None`: without end).
    pub(super) fn wait(&self, at_most: Option<Duration>) -> Woken {
        let mut mailbox = self.mailbox();
        if mailbox.requests.is_empty() && !mailbox.stopping {
            let asleep = |mailbox: &mut Mailbox| mailbox.requests.is_empty() && !mailbox.stopping;
            mailbox = match at_most {
                None => {
                    self.changed.wait_while(mailbox, asleep).unwrap_or_else(PoisonError::into_inner)
                }
                Some(Duration::ZERO) => mailbox,
                Some(at_most) => {
                    let waited = self.changed.wait_timeout_while(mailbox, at_most, asleep);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        if mailbox.stopping {
            return Woken::Stop;
        }
        Woken::Requests(std::mem::take(&mut mailbox.requests))
    }

    /// Notes whether requests find a connection. Those under way are lost with it.
    pub(super) fn set_connected(&self, connected: bool) {
        let mut mailbox = self.mailbox();
        mailbox.connected = connected;
        if !connected {
            mailbox.requests.clear();
        }
    }

    /// The next calls of this kind fail.
    pub(super) fn spoil(&self, call: Call, code: i32, times: u32) {
        self.mailbox().spoiled.push(Spoiled { call, code, left: times });
    }

    /// `Release` is going to hang.
    pub(super) fn hang(&self, hang: Hang) {
        self.mailbox().hang = Some(hang);
    }

    /// Tells the callback thread to end. Says how long `Release` has to hang first.
    pub(super) fn stop(&self) -> Option<Hang> {
        let mut mailbox = self.mailbox();
        mailbox.stopping = true;
        let hang = mailbox.hang;
        drop(mailbox);
        self.changed.notify_all();
        hang
    }

    /// Notes that no callback comes any more.
    pub(super) fn set_ended(&self) {
        self.mailbox().ended = true;
        self.changed.notify_all();
    }

    /// Waits until no callback comes any more.
    pub(super) fn join(&self) {
        let ended = self.changed.wait_while(self.mailbox(), |mailbox| !mailbox.ended);
        drop(ended.unwrap_or_else(PoisonError::into_inner));
    }

    /// Sets what `GetTradingDay` says.
    pub(super) fn set_trading_day(&self, trading_day: [u8; 9]) {
        for (place, byte) in self.trading_day.iter().zip(trading_day) {
            place.store(byte, Ordering::Relaxed);
        }
    }

    /// The trading day as bytes that stay in place, ended by a NUL, as long as the object lives.
    pub(super) fn trading_day(&self) -> *const u8 {
        self.trading_day.as_ptr().cast()
    }
}

impl Mailbox {
    fn spoiled_code(&mut self, call: Option<Call>) -> Option<i32> {
        let call = call?;
        let spoiled =
            self.spoiled.iter_mut().find(|spoiled| spoiled.call == call && spoiled.left > 0)?;
        spoiled.left -= 1;
        Some(spoiled.code)
    }
}

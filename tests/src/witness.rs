//! A client that reads a market in step all the time, in a thread of its own, and keeps account of every tick that it
//! misses. It comes back whenever its connection ends.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use shm_layout::clock;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::push::Push;
use crate::stepped::SteppedMarket;
use crate::watch::LOOK_EVERY;

/// How long a connection attempt may take before it is made anew: the frontend may be stopped.
const CONNECT_WITHIN: Duration = Duration::from_secs(1);

/// Ticks of one instrument that did not come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The instrument.
    pub instrument: String,
    /// The first and the last multiple that is missing.
    pub multiples: (i64, i64),
    /// When these were due, milliseconds since 1970-01-01 UTC.
    pub due_unix_ms: (i64, i64),
    /// The witness's connection ended in between.
    pub across: bool,
}

impl Gap {
    /// How many ticks are missing.
    #[must_use]
    pub const fn ticks(&self) -> i64 {
        self.multiples.1 - self.multiples.0 + 1
    }
}

/// A time without a connection, milliseconds since 1970-01-01 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Absence {
    /// Its beginning.
    pub from_ms: i64,
    /// Its end: the first tick of the next connection, once there is one.
    pub until_ms: Option<i64>,
    /// The witness was told to hang up.
    pub wanted: bool,
}

/// What a witness has seen so far.
#[derive(Debug, Clone, Default)]
pub struct Account {
    /// Ticks.
    pub ticks: u64,
    /// What is missing.
    pub gaps: Vec<Gap>,
    /// Ticks that came twice or after a later one on one connection: none, ever.
    pub disorders: Vec<String>,
    /// Its times without a connection.
    pub absences: Vec<Absence>,
    /// By how much the latest tick came after it was due, milliseconds.
    pub latest_ms: i64,
    connections: u64,
    last: BTreeMap<String, Last>,
}

/// An instrument's last tick.
#[derive(Debug, Clone, Copy)]
struct Last {
    multiple: i64,
    connection: u64,
}

/// Where a multiple stands after another.
enum Step {
    Next,
    Gap,
    Disorder,
}

// === impl Account ===

impl Account {
    /// How many instruments have ticked on the present connection.
    #[must_use]
    pub fn instruments(&self) -> usize {
        self.last.values().filter(|last| last.connection == self.connections).count()
    }

    /// Ticks missing, over all instruments.
    #[must_use]
    pub fn missing(&self) -> i64 {
        self.gaps.iter().map(Gap::ticks).sum()
    }

    /// The last multiple of the instrument that has come least far.
    #[must_use]
    pub fn reached(&self) -> i64 {
        self.last.values().map(|last| last.multiple).min().unwrap_or(0)
    }

    /// Fails unless every tick came, once and in order.
    ///
    /// # Panics
    /// When one did not.
    pub fn assert_whole(&self, context: &dyn fmt::Display) {
        assert!(
            self.gaps.is_empty() && self.disorders.is_empty(),
            "{context}: {} ticks missing in {:#?}, out of order: {:#?}",
            self.missing(),
            self.gaps,
            self.disorders,
        );
        assert!(self.absences.is_empty(), "{context}: the connection ended: {:?}", self.absences);
    }

    fn note(&mut self, market: &SteppedMarket, push: &Push, now_ms: i64) {
        let timestamp = push.integer("timestamp").expect("a tick of this market has a time");
        let multiple = market.multiple(timestamp);
        let connection = self.connections;
        let name = push.instrument().to_owned();
        self.ticks += 1;
        self.latest_ms = self.latest_ms.max(now_ms - market.due_unix_ms(multiple));
        if let Some(absence) = self.absences.last_mut() {
            absence.until_ms.get_or_insert(now_ms);
        }
        let last = self.last.insert(name.clone(), Last { multiple, connection });
        let Some(last) = last else { return };
        let across = last.connection != connection;
        match step(last.multiple, multiple, across) {
            Step::Next => {}
            Step::Gap => {
                let multiples = (last.multiple + 1, multiple - 1);
                let due = |multiple| market.due_unix_ms(multiple);
                let due_unix_ms = (due(multiples.0), due(multiples.1));
                self.gaps.push(Gap { instrument: name, multiples, due_unix_ms, across });
            }
            Step::Disorder => self.disorders.push(format!("{name}: {multiple} after {last:?}")),
        }
    }
}

/// A new connection begins with what is newest there, be it known already.
const fn step(last: i64, multiple: i64, across: bool) -> Step {
    match multiple - last {
        1 => Step::Next,
        2.. => Step::Gap,
        _ if across => Step::Next,
        _ => Step::Disorder,
    }
}

/// What a witness is told.
#[derive(Debug, Clone, Copy)]
enum Order {
    Reconnect,
    End,
}

/// A client at work.
#[derive(Debug)]
pub struct Witness {
    account: Arc<Mutex<Account>>,
    orders: mpsc::UnboundedSender<Order>,
    thread: Option<JoinHandle<()>>,
}

// === impl Witness ===

impl Witness {
    /// A client of whatever frontend listens at the address, which may change; it wants these instruments.
    ///
    /// # Panics
    /// When there are no threads left.
    #[must_use]
    pub fn begin(
        market: SteppedMarket,
        instruments: &[String],
        address: watch::Receiver<String>,
    ) -> Self {
        let account = Arc::new(Mutex::new(Account::default()));
        let (orders, received) = mpsc::unbounded_channel();
        let request = json!({"action": "subscribe", "instruments": instruments}).to_string();
        let reading =
            Reading { market, request, address, account: Arc::clone(&account), orders: received };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime can be built");
        let thread = std::thread::spawn(move || runtime.block_on(reading.run()));
        Self { account, orders, thread: Some(thread) }
    }

    /// What it has seen so far.
    ///
    /// # Panics
    /// When its thread panicked.
    #[must_use]
    pub fn account(&self) -> Account {
        let panicked = self.thread.as_ref().is_none_or(JoinHandle::is_finished);
        assert!(!panicked, "the witness's thread ended by itself");
        self.account.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Hangs up without a goodbye, and comes back.
    pub fn reconnect(&self) {
        // It only fails once the thread has ended, which the next look at the account says.
        self.orders.send(Order::Reconnect).ok();
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.orders.send(Order::End).ok();
        if let Some(thread) = self.thread.take() {
            // Its panic has been printed.
            drop(thread.join());
        }
    }
}

/// The witness's thread.
struct Reading {
    market: SteppedMarket,
    request: String,
    address: watch::Receiver<String>,
    account: Arc<Mutex<Account>>,
    orders: mpsc::UnboundedReceiver<Order>,
}

/// Why a connection ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    ByOrder,
    ByServer,
    ForGood,
}

// === impl Reading ===

impl Reading {
    async fn run(mut self) {
        loop {
            let ended = match self.connect().await {
                Some(mut stream) => {
                    self.change(|account| account.connections += 1);
                    let ended = self.read(&mut stream).await;
                    let from_ms = clock::unix_ms();
                    let wanted = ended == Ended::ByOrder;
                    if ended != Ended::ForGood {
                        self.change(|account| {
                            account.absences.push(Absence { from_ms, until_ms: None, wanted });
                        });
                    }
                    ended
                }
                None => self.pause().await,
            };
            if ended == Ended::ForGood {
                return;
            }
        }
    }

    fn change(&self, change: impl FnOnce(&mut Account)) {
        change(&mut self.account.lock().unwrap_or_else(PoisonError::into_inner));
    }

    async fn connect(&self) -> Option<WebSocketStream<TcpStream>> {
        let address = self.address.borrow().clone();
        let connecting = async {
            let stream = TcpStream::connect(&address).await.ok()?;
            let shaken = tokio_tungstenite::client_async(format!("ws://{address}/"), stream).await;
            let (mut stream, _) = shaken.ok()?;
            stream.send(Message::text(self.request.clone())).await.ok()?;
            Some(stream)
        };
        tokio::time::timeout(CONNECT_WITHIN, connecting).await.ok().flatten()
    }

    async fn read(&mut self, stream: &mut WebSocketStream<TcpStream>) -> Ended {
        loop {
            let heard = tokio::select! {
                order = self.orders.recv() => return match order {
                    Some(Order::Reconnect) => Ended::ByOrder,
                    Some(Order::End) | None => Ended::ForGood,
                },
                heard = stream.next() => heard,
            };
            match heard {
                Some(Ok(Message::Text(text))) if Push::is_market_data(text.as_str()) => {
                    let push = Push::parse(text.as_str().to_owned()).expect("a flat object");
                    let now_ms = clock::unix_ms();
                    self.change(|account| account.note(&self.market, &push, now_ms));
                }
                Some(Ok(Message::Text(answer))) => {
                    assert!(answer.contains(r#""status":"success""#), "{answer}");
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Ended::ByServer,
                Some(Ok(_)) => {}
            }
        }
    }

    async fn pause(&mut self) -> Ended {
        match tokio::time::timeout(LOOK_EVERY, self.orders.recv()).await {
            Ok(Some(Order::End) | None) => Ended::ForGood,
            Ok(Some(Order::Reconnect)) | Err(_) => Ended::ByServer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(market: &SteppedMarket, multiple: i64) -> Push {
        let timestamp = 1_741_051_800_000 + multiple * 100;
        assert_eq!(market.multiple(timestamp), multiple);
        let text = format!(r#"{{"instrument_id":"m2505","timestamp":{timestamp}}}"#);
        Push::parse(text).unwrap()
    }

    fn account_of(market: &SteppedMarket, multiples: &[i64]) -> Account {
        let mut account = Account::default();
        for multiple in multiples {
            account.note(market, &push(market, *multiple), 0);
        }
        account
    }

    #[test]
    fn what_is_missing_twice_or_out_of_order_is_seen() {
        let market = SteppedMarket::begin(100);
        account_of(&market, &[5, 6, 7, 8]).assert_whole(&"a whole market");
        let account = account_of(&market, &[5, 6, 9, 10]);
        assert_eq!((account.missing(), account.gaps[0].multiples), (2, (7, 8)));
        assert_eq!(account.gaps[0].due_unix_ms.0, market.due_unix_ms(7));
        assert_eq!(account_of(&market, &[5, 6, 6, 7]).disorders.len(), 1);
        assert_eq!(account_of(&market, &[5, 6, 5, 6]).disorders.len(), 1);
    }

    #[test]
    fn a_new_connection_begins_with_what_is_there() {
        let market = SteppedMarket::begin(100);
        let mut account = account_of(&market, &[5, 6]);
        account.connections += 1;
        account.note(&market, &push(&market, 6), 0);
        account.note(&market, &push(&market, 7), 0);
        account.assert_whole(&"nothing was missed");
        account.connections += 1;
        account.note(&market, &push(&market, 9), 0);
        assert!(account.gaps[0].across && account.disorders.is_empty());
    }
}

//! The thread that owns the [`Catalog`] and answers queries from it, so that one that asks for everything holds up no tick.
//!
//! Queries wait while the list is known only in part, at the start and while another comes, but no longer than
//! [`LIST_AWAITED_MAX`]: from a part of the list clients would learn that a contract does not exist.
//!
//! It ends when its input or its output closes. Should it fail, both close, and who feeds it sees that.

use std::collections::VecDeque;
use std::time::Instant;

use shm_layout::control::ListedInstrument;
use shm_layout::{
    Date, ExchangeId, FleetPaths, InstrumentId, ShanghaiTime, Tick, TradingHours, clock,
};
use tokio::runtime;
use tokio::sync::mpsc;
use tokio::time::timeout_at;

use crate::catalog::{Answer, Catalog, Instruments, Unknown, answer};
use crate::latest_ticks::LatestTicks;
use crate::limits::{CATALOG_QUEUE_MAX, LIST_AWAITED_MAX};
use crate::protocol::diff::push_answered;

/// What the catalog is told, and asked. `T` is the asker's mark.
#[derive(Debug)]
pub enum ToCatalog<T> {
    /// A part of the coordinator's list.
    List {
        /// True for a list's first part: forget the list before.
        first: bool,
        /// True for a list's last part: now it is whole.
        last: bool,
        /// The part.
        instruments: Vec<ListedInstrument>,
    },
    /// An instrument ticks; once for each is enough.
    Saw(InstrumentId, ExchangeId),
    /// A client asks.
    Query {
        /// Comes back with the answer.
        token: T,
        /// The query, in GraphQL.
        query: String,
        /// An object with the values of its variables, in JSON.
        variables: Option<Box<str>>,
    },
}

/// The answer to a query.
#[derive(Debug)]
pub struct Answered<T> {
    /// The asker's mark.
    pub token: T,
    /// What stands in the client's snapshot for it, in JSON: the query, and its result or what is wrong with it.
    pub json: Vec<u8>,
    /// Symbols that the query names and nobody knows.
    pub unknown: Unknown,
}

/// What the thread keeps.
#[derive(Debug)]
struct Desk<T> {
    instruments: Instruments,
    hours: TradingHours,
    /// The catalog and the day it was made for; `None` when something was said since.
    made: Option<(Date, Catalog)>,
    /// Queries in their order. No more wait than there are sessions: each has one under way at a time.
    waiting: VecDeque<Asked<T>>,
    /// Until when they wait for the list to be whole; `None` when they need not.
    until: Option<Instant>,
}

/// A query that is to be answered.
#[derive(Debug)]
struct Asked<T> {
    token: T,
    query: String,
    variables: Option<Box<str>>,
}

/// Starts the thread. What it is sent waits in a queue of [`CATALOG_QUEUE_MAX`]; while `answers` is full it waits itself.
///
/// # Errors
/// When the system starts no thread, or gives it no way to wait.
pub fn start<T: Send + 'static>(
    paths: FleetPaths,
    hours: TradingHours,
    answers: mpsc::Sender<Answered<T>>,
) -> std::io::Result<mpsc::Sender<ToCatalog<T>>> {
    let (to_catalog, mut inputs) = mpsc::channel(CATALOG_QUEUE_MAX);
    let timer = runtime::Builder::new_current_thread().enable_time().build()?;
    let serve = move || {
        let mut desk = Desk::new(hours, clock::monotonic());
        let mut ticks = LatestTicks::of(&paths);
        loop {
            match desk.due() {
                None => {
                    let Some(input) = inputs.blocking_recv() else { return };
                    desk.take(input, clock::monotonic());
                }
                Some(until) => {
                    let input = async { timeout_at(until.into(), inputs.recv()).await };
                    match timer.block_on(input) {
                        Ok(None) => return,
                        Ok(Some(input)) => desk.take(input, clock::monotonic()),
                        Err(_) => {}
                    }
                }
            }
            while let Some(query) = desk.next(clock::monotonic()) {
                ticks.refresh();
                let latest = |instrument: &InstrumentId| ticks.get(instrument);
                let answered = desk.answer(query, clock::unix_ms(), &latest);
                if answers.blocking_send(answered).is_err() {
                    return;
                }
            }
        }
    };
    std::thread::Builder::new().name("catalog".into()).spawn(serve)?;
    Ok(to_catalog)
}

// === impl Desk ===

impl<T> Desk<T> {
    fn new(hours: TradingHours, now: Instant) -> Self {
        Self {
            instruments: Instruments::default(),
            hours,
            made: None,
            waiting: VecDeque::new(),
            until: Some(now + LIST_AWAITED_MAX),
        }
    }

    /// Takes what it is told and asked. The catalog is made anew only for the next query.
    fn take(&mut self, input: ToCatalog<T>, now: Instant) {
        match input {
            ToCatalog::List { first, last, instruments } => {
                self.instruments.list(first, instruments);
                self.made = None;
                if last {
                    self.until = None;
                } else if first {
                    self.until = Some(now + LIST_AWAITED_MAX);
                }
            }
            ToCatalog::Saw(instrument, exchange) => {
                if self.instruments.saw(instrument, exchange) {
                    self.made = None;
                }
            }
            ToCatalog::Query { token, query, variables } => {
                self.waiting.push_back(Asked { token, query, variables });
            }
        }
    }

    /// When the next query is to be answered whatever is known; `None` when none waits.
    fn due(&self) -> Option<Instant> {
        self.until.filter(|_| !self.waiting.is_empty())
    }

    /// The next query that is to be answered now.
    fn next(&mut self, now: Instant) -> Option<Asked<T>> {
        self.until = self.until.filter(|until| now < *until);
        if self.until.is_some() { None } else { self.waiting.pop_front() }
    }

    fn answer(
        &mut self,
        asked: Asked<T>,
        unix_ms: i64,
        latest: &dyn Fn(&InstrumentId) -> Option<Box<Tick>>,
    ) -> Answered<T> {
        let (result, unknown) = match self.result(&asked, unix_ms, latest) {
            Ok(answer) => (Ok(answer.json), answer.unknown),
            Err(error) => (Err(error), Unknown::default()),
        };
        let mut json = Vec::new();
        let outcome = result.as_deref().map_err(String::as_str);
        push_answered(&mut json, &asked.query, asked.variables.as_deref(), outcome);
        Answered { token: asked.token, json, unknown }
    }

    fn result(
        &mut self,
        asked: &Asked<T>,
        unix_ms: i64,
        latest: &dyn Fn(&InstrumentId) -> Option<Box<Tick>>,
    ) -> Result<Answer, String> {
        let Some(ShanghaiTime { date: today, .. }) = ShanghaiTime::at(unix_ms) else {
            return Err("this machine's clock is wrong".to_owned());
        };
        let kept = self.made.take().filter(|(day, _)| *day == today);
        let make = || (today, Catalog::of(&self.instruments, &self.hours, today));
        let (_, catalog) = self.made.insert(kept.unwrap_or_else(make));
        let variables = asked.variables.as_deref().map(serde_json::from_str).transpose();
        let variables = variables.map_err(|error| format!("the variables are no JSON: {error}"))?;
        let result = answer(catalog, &asked.query, variables.as_ref(), latest);
        result.map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use shm_layout::control::ListedFacts;
    use shm_layout::{Instance, TradingCalendar};

    use super::*;

    /// The result in an answer, or the error.
    fn outcome(json: &[u8]) -> Result<String, String> {
        let answer: serde_json::Value = serde_json::from_slice(json).unwrap();
        match answer["error"].as_str() {
            Some(error) => Err(error.to_owned()),
            None => Ok(answer["result"].to_string()),
        }
    }

    fn hours() -> TradingHours {
        TradingHours::new(TradingCalendar::default())
    }

    fn listed(id: &str, exchange: ExchangeId) -> ListedInstrument {
        let instrument = InstrumentId::parse(id).unwrap();
        ListedInstrument { instrument, exchange, facts: ListedFacts::default() }
    }

    fn all<T>(token: T) -> ToCatalog<T> {
        let query = "{multi_symbol_info{instrument_id}}".into();
        ToCatalog::Query { token, query, variables: None }
    }

    fn list<T>(first: bool, last: bool, instruments: Vec<ListedInstrument>) -> ToCatalog<T> {
        ToCatalog::List { first, last, instruments }
    }

    #[test]
    fn answers_until_its_input_closes() {
        let instance = Instance::parse(&format!("cat{}", std::process::id())).unwrap();
        let directory = std::env::temp_dir();
        let paths = FleetPaths::new(instance, directory).unwrap();
        let (answers, mut answered) = mpsc::channel(1);
        let to_catalog = start(paths, hours(), answers).unwrap();
        let tell = |input| to_catalog.blocking_send(input).unwrap();
        tell(list(true, true, vec![listed("cu2601", ExchangeId::SHFE)]));
        tell(list(true, false, vec![listed("rb2701", ExchangeId::SHFE)]));
        tell(list(false, true, vec![listed("m2705", ExchangeId::DCE)]));
        tell(all("a"));
        let mut answer = || {
            let answered = answered.blocking_recv()?;
            Some((answered.token, outcome(&answered.json)))
        };
        let both = r#"{"multi_symbol_info":[{"instrument_id":"SHFE.rb2701"},{"instrument_id":"DCE.m2705"}]}"#;
        assert_eq!(answer(), Some(("a", Ok(both.to_owned()))));
        tell(ToCatalog::Saw(InstrumentId::parse("au2706").unwrap(), ExchangeId::UNKNOWN));
        tell(all("b"));
        let (token, result) = answer().unwrap();
        assert_eq!(token, "b");
        assert!(result.unwrap().ends_with(r#"{"instrument_id":"SHFE.au2706"}]}"#));
        tell(ToCatalog::Query { token: "c", query: "{nonsense}".into(), variables: None });
        let error = "rootQuery has no field \"nonsense\"".to_owned();
        assert_eq!(answer(), Some(("c", Err(error))));
        drop(to_catalog);
        assert_eq!(answer(), None);
    }

    #[test]
    fn who_asks_before_any_list_came_is_answered_all_the_same() {
        let instance = Instance::parse(&format!("catn{}", std::process::id())).unwrap();
        let paths = FleetPaths::new(instance, std::env::temp_dir()).unwrap();
        let (answers, mut answered) = mpsc::channel(1);
        let to_catalog = start(paths, hours(), answers).unwrap();
        let saw = ToCatalog::Saw(InstrumentId::parse("au2706").unwrap(), ExchangeId::SHFE);
        to_catalog.blocking_send(saw).unwrap();
        to_catalog.blocking_send(all(1)).unwrap();
        let answered = answered.blocking_recv().unwrap();
        assert!(outcome(&answered.json).unwrap().contains("SHFE.au2706"));
    }

    #[test]
    fn queries_wait_for_a_whole_list_but_not_for_ever() {
        let now = clock::monotonic();
        let mut desk = Desk::new(hours(), now);
        let marks = |desk: &mut Desk<u32>, now: Instant| {
            std::iter::from_fn(|| desk.next(now).map(|asked| asked.token)).collect::<Vec<_>>()
        };
        assert_eq!(desk.due(), None);
        desk.take(all(1), now);
        assert_eq!((marks(&mut desk, now), desk.due()), (vec![], Some(now + LIST_AWAITED_MAX)));
        let later = now + LIST_AWAITED_MAX / 2;
        desk.take(list(true, false, vec![listed("rb2701", ExchangeId::SHFE)]), later);
        desk.take(all(2), later);
        assert_eq!(
            marks(&mut desk, now + LIST_AWAITED_MAX),
            Vec::<u32>::new(),
            "a list is on its way"
        );
        desk.take(list(false, true, vec![listed("m2705", ExchangeId::DCE)]), later);
        assert_eq!((marks(&mut desk, later), desk.due()), (vec![1, 2], None));
        // Another list comes, and breaks off.
        desk.take(list(true, false, Vec::new()), later);
        desk.take(all(3), later);
        assert_eq!((marks(&mut desk, later), desk.due()), (vec![], Some(later + LIST_AWAITED_MAX)));
        desk.take(list(false, false, Vec::new()), later + LIST_AWAITED_MAX / 2);
        let end = later + LIST_AWAITED_MAX;
        assert_eq!((marks(&mut desk, end), desk.due()), (vec![3], None));
        desk.take(list(false, false, Vec::new()), end);
        desk.take(all(4), end);
        assert_eq!(marks(&mut desk, end), [4], "it was waited for long enough");
    }

    #[test]
    fn what_has_expired_is_told_by_the_day() {
        let now = clock::monotonic();
        let mut desk = Desk::new(hours(), now);
        let mut instrument = listed("rb2701", ExchangeId::SHFE);
        instrument.facts.expire_date = Date::from_yyyymmdd(20_270_115);
        desk.take(list(true, true, vec![instrument]), now);
        let mut expired_on = |day| {
            let query = "{multi_symbol_info{... on future{expired}}}".into();
            let asked = Asked { token: (), query, variables: None };
            let noon = ShanghaiTime::unix_ms(Date::from_yyyymmdd(day).unwrap(), 43_200_000);
            outcome(&desk.answer(asked, noon, &|_| None).json).unwrap().contains("true")
        };
        assert_eq!([20_270_114, 20_270_115, 20_270_116].map(&mut expired_on), [false, false, true]);
    }
}

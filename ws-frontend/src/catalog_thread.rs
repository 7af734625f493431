//! The thread that owns the [`Catalog`] and answers queries from it, so that one that asks for everything holds up no tick.
//!
//! It ends when its input or its output closes. Should it fail, both close, and who feeds it sees that.

use shm_layout::control::ListedInstrument;
use shm_layout::{
    Date, ExchangeId, FleetPaths, InstrumentId, ShanghaiTime, Tick, TradingHours, clock,
};
use tokio::sync::mpsc;

use crate::catalog::{Catalog, Instruments, answer};
use crate::latest_ticks::LatestTicks;
use crate::limits::CATALOG_QUEUE_MAX;

/// What the catalog is told, and asked. `T` is the asker's mark.
#[derive(Debug)]
pub enum ToCatalog<T> {
    /// A part of the coordinator's list.
    List {
        /// True for a list's first part: forget the list before.
        first: bool,
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
        /// An object with the values of its variables.
        variables: Option<serde_json::Value>,
    },
}

/// The answer to a query.
#[derive(Debug)]
pub struct Answered<T> {
    /// The asker's mark.
    pub token: T,
    /// The `result` as JSON, or for the client what is wrong with the query.
    pub outcome: Result<Vec<u8>, String>,
}

/// What the thread keeps.
#[derive(Debug)]
struct Desk {
    instruments: Instruments,
    hours: TradingHours,
    /// The catalog and the day it was made for; `None` when something was said since.
    made: Option<(Date, Catalog)>,
}

/// Starts the thread. What it is sent waits in a queue of [`CATALOG_QUEUE_MAX`]; while `answers` is full it waits itself.
///
/// # Errors
/// When the system starts no thread.
pub fn start<T: Send + 'static>(
    paths: FleetPaths,
    hours: TradingHours,
    answers: mpsc::Sender<Answered<T>>,
) -> std::io::Result<mpsc::Sender<ToCatalog<T>>> {
    let (to_catalog, mut inputs) = mpsc::channel(CATALOG_QUEUE_MAX);
    let serve = move || {
        let mut desk = Desk::new(hours);
        let mut ticks = LatestTicks::of(&paths);
        while let Some(input) = inputs.blocking_recv() {
            let Some(query) = desk.take(input) else { continue };
            ticks.refresh();
            let latest = |instrument: &InstrumentId| ticks.get(instrument);
            let answered = desk.answer(query, clock::unix_ms(), &latest);
            if answers.blocking_send(answered).is_err() {
                return;
            }
        }
    };
    std::thread::Builder::new().name("catalog".into()).spawn(serve)?;
    Ok(to_catalog)
}

/// A query that is to be answered.
struct Asked<T> {
    token: T,
    query: String,
    variables: Option<serde_json::Value>,
}

// === impl Desk ===

impl Desk {
    fn new(hours: TradingHours) -> Self {
        Self { instruments: Instruments::default(), hours, made: None }
    }

    /// Takes what it is told; gives back what it is asked. The catalog is made anew only for the next query: a list comes in
    /// many parts.
    fn take<T>(&mut self, input: ToCatalog<T>) -> Option<Asked<T>> {
        match input {
            ToCatalog::List { first, instruments } => {
                self.instruments.list(first, instruments);
                self.made = None;
            }
            ToCatalog::Saw(instrument, exchange) => {
                if self.instruments.saw(instrument, exchange) {
                    self.made = None;
                }
            }
            ToCatalog::Query { token, query, variables } => {
                return Some(Asked { token, query, variables });
            }
        }
        None
    }

    fn answer<T>(
        &mut self,
        asked: Asked<T>,
        unix_ms: i64,
        latest: &dyn Fn(&InstrumentId) -> Option<Box<Tick>>,
    ) -> Answered<T> {
        let Some(ShanghaiTime { date: today, .. }) = ShanghaiTime::at(unix_ms) else {
            let outcome = Err("this machine's clock is wrong".to_owned());
            return Answered { token: asked.token, outcome };
        };
        let kept = self.made.take().filter(|(day, _)| *day == today);
        let make = || (today, Catalog::of(&self.instruments, &self.hours, today));
        let (_, catalog) = self.made.insert(kept.unwrap_or_else(make));
        let outcome = answer(catalog, &asked.query, asked.variables.as_ref(), latest);
        Answered { token: asked.token, outcome: outcome.map_err(|error| error.to_string()) }
    }
}

#[cfg(test)]
mod tests {
    use shm_layout::control::ListedFacts;
    use shm_layout::{Instance, TradingCalendar};

    use super::*;

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

    #[test]
    fn answers_until_its_input_closes() {
        let instance = Instance::parse(&format!("cat{}", std::process::id())).unwrap();
        let directory = std::env::temp_dir();
        let paths = FleetPaths::new(instance, directory).unwrap();
        let (answers, mut answered) = mpsc::channel(1);
        let to_catalog = start(paths, hours(), answers).unwrap();
        let tell = |input| to_catalog.blocking_send(input).unwrap();
        tell(ToCatalog::List {
            first: true,
            instruments: vec![listed("cu2601", ExchangeId::SHFE)],
        });
        tell(ToCatalog::List {
            first: true,
            instruments: vec![listed("rb2701", ExchangeId::SHFE)],
        });
        tell(ToCatalog::List { first: false, instruments: vec![listed("m2705", ExchangeId::DCE)] });
        tell(all("a"));
        let mut answer = || {
            let answered = answered.blocking_recv()?;
            Some((answered.token, answered.outcome.map(|json| String::from_utf8(json).unwrap())))
        };
        let both = r#"{"multi_symbol_info":[{"instrument_id":"SHFE.rb2701"},{"instrument_id":"DCE.m2705"}]}"#;
        assert_eq!(answer(), Some(("a", Ok(both.to_owned()))));
        tell(ToCatalog::Saw(InstrumentId::parse("au2706").unwrap(), ExchangeId::UNKNOWN));
        tell(all("b"));
        let (token, outcome) = answer().unwrap();
        assert_eq!(token, "b");
        assert!(outcome.unwrap().ends_with(r#"{"instrument_id":"SHFE.au2706"}]}"#));
        tell(ToCatalog::Query { token: "c", query: "{nonsense}".into(), variables: None });
        let error = "rootQuery has no field \"nonsense\"".to_owned();
        assert_eq!(answer(), Some(("c", Err(error))));
        drop(to_catalog);
        assert_eq!(answer(), None);
    }

    #[test]
    fn what_has_expired_is_told_by_the_day() {
        let mut desk = Desk::new(hours());
        let mut instrument = listed("rb2701", ExchangeId::SHFE);
        instrument.facts.expire_date = Date::from_yyyymmdd(20_270_115);
        assert!(
            desk.take::<()>(ToCatalog::List { first: true, instruments: vec![instrument] })
                .is_none()
        );
        let mut expired_on = |day| {
            let query = "{multi_symbol_info{... on future{expired}}}".into();
            let asked = Asked { token: (), query, variables: None };
            let noon = ShanghaiTime::unix_ms(Date::from_yyyymmdd(day).unwrap(), 43_200_000);
            let outcome = desk.answer(asked, noon, &|_| None).outcome.unwrap();
            String::from_utf8(outcome).unwrap().contains("true")
        };
        assert_eq!([20_270_114, 20_270_115, 20_270_116].map(&mut expired_on), [false, false, true]);
    }
}

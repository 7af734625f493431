//! What is known of instruments, and what of it clients are told: everything that sessions share (pure).

use shm_layout::{ExchangeId, InstrumentId, TradingHours};

use crate::catalog::published_multiple;
use crate::diff_session::Listed;
use crate::protocol::quote_fields::Terms;
use crate::quote_book::{InstrumentIndex, QuoteBook};
use crate::quote_faces::QuoteFaces;
use crate::series::{SeriesBook, SeriesId};
use crate::series_rows::SeriesRows;
use crate::universe::{Known, Universe};

/// What all sessions share.
#[derive(Debug)]
pub struct World {
    /// The latest ticks.
    pub book: QuoteBook,
    /// Which instruments there are.
    pub universe: Universe,
    /// The quotes that DIFF clients have.
    pub faces: QuoteFaces,
    /// The ticks that came, and bars of them.
    pub series: SeriesBook,
    /// What DIFF clients are told of those.
    pub rows: SeriesRows,
}

// === impl World ===

impl World {
    /// One in which nothing is known but when products trade.
    #[must_use]
    pub fn new(hours: TradingHours) -> Self {
        Self {
            book: QuoteBook::default(),
            universe: Universe::default(),
            faces: QuoteFaces::default(),
            series: SeriesBook::new(hours),
            rows: SeriesRows::default(),
        }
    }

    /// Opens the face of a listed instrument if that exists: it is listed as traded where the symbol says, or it ticks there.
    pub fn open_face(&mut self, instrument: InstrumentIndex, listed: &Listed) -> bool {
        let exists = self.exchange_of(instrument) == Some(listed.exchange);
        if exists {
            let terms = self.terms(instrument, listed.exchange);
            let latest = self.book.latest(instrument);
            self.faces.open(instrument, terms, latest);
        }
        exists
    }

    /// More is known of instruments than was.
    pub fn refresh_terms(&mut self) {
        let (book, universe) = (&self.book, &self.universe);
        self.faces.refresh(|instrument, before| {
            let id = book.instrument(instrument);
            let volume_multiple = id.and_then(|id| multiple_of(universe, &id));
            (Terms { volume_multiple, ..before }, book.latest(instrument))
        });
    }

    /// Where an instrument is traded; `None` for one that nobody lists and that was never seen.
    #[must_use]
    pub fn exchange_of(&self, instrument: InstrumentIndex) -> Option<ExchangeId> {
        let known = self.known(instrument).map(|known| known.exchange);
        let seen = || self.book.latest(instrument).map(shm_layout::Tick::exchange);
        known.filter(|exchange| !exchange.is_unknown()).or_else(seen)
    }

    /// True unless an instrument is known to be traded elsewhere.
    #[must_use]
    pub fn may_be_at(&self, instrument: &InstrumentId, exchange: ExchangeId) -> bool {
        let known = self.universe.get(instrument).map(|known| known.exchange);
        known.is_none_or(|known| known.is_unknown() || known == exchange)
    }

    /// How the numbers of an instrument of this exchange are to be read.
    #[must_use]
    pub fn terms(&self, instrument: InstrumentIndex, exchange: ExchangeId) -> Terms {
        let id = self.book.instrument(instrument);
        Terms::new(exchange, id.and_then(|id| multiple_of(&self.universe, &id)))
    }

    /// Gives back one opening of a series.
    pub fn close_series(&mut self, series: SeriesId) {
        self.series.close(series);
        self.rows.forget(series);
    }

    fn known(&self, instrument: InstrumentIndex) -> Option<&Known> {
        let id: InstrumentId = self.book.instrument(instrument)?;
        self.universe.get(&id)
    }
}

/// Units in a lot: the list's, else what the exchange publishes of the product.
fn multiple_of(universe: &Universe, instrument: &InstrumentId) -> Option<u32> {
    let listed = universe.get(instrument).and_then(|known| known.volume_multiple);
    listed.or_else(|| published_multiple(instrument))
}

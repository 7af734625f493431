//! One DIFF client: what is in its snapshot, and what it is to be told next (pure).
//!
//! ```text
//!   peek_message ──▶ a peek is open ──▶ something is news ──▶ one rtn_data, and the peek is closed
//! ```
//! * `quotes`: the quotes it lists, each told as far as a revision.
//! * `charts`: the series it looks at, and which items of each it has.
//! * `parts`: answers to queries, notices.
//!
//! A client that peeks slowly is told less often, and then all that has changed at once; nothing is queued for it but the
//! names of what has news. What one answer holds is bounded by [`ANSWER_BYTES_MAX`]; the rest comes with the next peek.

mod bindings;
mod chart;
mod charts;
mod held;
mod items;
mod parts;
mod quotes;

pub use charts::Ended;
pub use held::Shown;
pub use parts::TooManyAnswers;
pub use quotes::Listed;

use crate::json_out::push;
use crate::limits::{ANSWER_BYTES_MAX, ANSWER_CHARTS_BYTES_MIN};
use crate::protocol::diff::{Notice, SetChart, close_object};
use crate::protocol::frame::push_text;
use crate::quote_book::InstrumentIndex;
use crate::series::SeriesBook;
use crate::world::World;
use charts::Charts;
use parts::Parts;
use quotes::Quotes;

/// A client's side of the protocol.
#[derive(Debug)]
pub struct DiffSession {
    /// Peeks that wait for their answers.
    peeks: u32,
    /// The first answer was given.
    greeted: bool,
    quotes: Quotes,
    charts: Charts,
    parts: Parts,
}

/// What an answer held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Answered {
    /// Quotes, whole ones and changes.
    pub quotes: usize,
}

// === impl DiffSession ===

impl DiffSession {
    /// A client that has nothing in its snapshot. `name`: a number that no other connection of it has.
    #[must_use]
    pub fn new(name: u64) -> Self {
        Self {
            peeks: 0,
            greeted: false,
            quotes: Quotes::default(),
            charts: Charts::default(),
            parts: Parts::new(name),
        }
    }

    /// The client asks to be told what has changed.
    pub fn peek(&mut self) {
        self.peeks = self.peeks.saturating_add(1);
    }

    /// Puts another list of quotes in the place of the one before; returns the instruments that the client wants no longer.
    pub fn list(
        &mut self,
        ins_list: &str,
        listed: impl IntoIterator<Item = (InstrumentIndex, Listed)>,
        world: &mut World,
    ) -> Vec<InstrumentIndex> {
        let mut dropped = self.quotes.replace(ins_list, listed, world);
        dropped.retain(|instrument| !self.wants(*instrument));
        dropped
    }

    /// Sets a chart; what it shows and the one of that name showed before is not told anew. Returns what the chart of that name had.
    pub fn set_chart(
        &mut self,
        request: SetChart,
        shown: Vec<Shown>,
        series: &SeriesBook,
    ) -> Ended {
        let ended = self.charts.set(request, shown, series);
        self.unwanted(ended)
    }

    /// Takes a chart away. Returns what it had.
    pub fn remove_chart(&mut self, chart_id: &str) -> Ended {
        let ended = self.charts.remove(chart_id);
        self.unwanted(ended)
    }

    /// The name under which the client's charts show an instrument.
    #[must_use]
    pub fn chart_name_of(&self, instrument: InstrumentIndex) -> Option<&str> {
        self.charts.name_of(instrument)
    }

    /// How many charts there would be with one of this name.
    #[must_use]
    pub fn charts_with(&self, chart_id: &str) -> usize {
        self.charts.len() + usize::from(!self.charts.has(chart_id))
    }

    /// The client is gone: what it shares with others is given back, the series by the caller.
    pub fn end(&mut self, world: &mut World) -> Ended {
        self.quotes.clear(world);
        self.charts.clear()
    }

    /// True when the client wants to hear of an instrument.
    #[must_use]
    pub fn wants(&self, instrument: InstrumentIndex) -> bool {
        self.quotes.lists(instrument) || self.charts.shows(instrument)
    }

    /// An instrument has ticked, or more is known of it.
    pub fn note(&mut self, instrument: InstrumentIndex) {
        self.quotes.note(instrument);
        self.charts.note(instrument);
    }

    /// More instruments are known to exist than were, or more of them is known.
    pub fn note_all(&mut self) {
        self.quotes.note_all();
    }

    /// The answer to a query, as JSON.
    ///
    /// # Errors
    /// [`TooManyAnswers`] when it does not fit beside those that wait.
    pub fn answer_query(&mut self, query_id: &str, json: Vec<u8>) -> Result<(), TooManyAnswers> {
        self.parts.answer(query_id, json)
    }

    /// Tells the client something.
    pub fn notice(&mut self, notice: Notice) {
        self.parts.notice(notice);
    }

    /// True when an answer is due: somebody waits for it, and there seems to be something to say.
    #[must_use]
    pub fn is_due(&self) -> bool {
        let has_news = || self.quotes.has_news() || self.charts.has_news() || self.parts.has_news();
        self.peeks > 0 && (!self.greeted || has_news())
    }

    /// Appends an answer to the oldest peek as one WebSocket text frame. `None`, and nothing is appended, when there is nothing
    /// to say after all, or nobody waits.
    pub fn push_answer(&mut self, out: &mut Vec<u8>, world: &mut World) -> Option<Answered> {
        if !self.is_due() {
            return None;
        }
        let before = out.len();
        let mut answered = Answered::default();
        let mut said = false;
        push_text(out, |out| {
            push(out, "{\"aid\":\"rtn_data\",\"data\":[");
            let start = out.len();
            let greets = !self.greeted;
            let quotes_end = start + ANSWER_BYTES_MAX - ANSWER_CHARTS_BYTES_MIN;
            answered.quotes = self.quotes.push(out, greets, quotes_end, world);
            if greets {
                push(out, ",\"mdhis_more_data\":");
                push(out, if self.charts.greet() { "true" } else { "false" });
            }
            self.parts.push(out);
            if out.len() > start {
                close_object(out, start);
            }
            let patches = out.len();
            let charts_end = (start + ANSWER_BYTES_MAX).max(patches + ANSWER_CHARTS_BYTES_MIN);
            self.charts.push(out, charts_end, world);
            if patches == start && out.len() > start {
                // The first patch has no comma before it.
                out.remove(start);
            }
            said = out.len() > start;
            push(out, "]}");
        });
        if !said {
            out.truncate(before);
            return None;
        }
        self.greeted = true;
        self.peeks -= 1;
        Some(answered)
    }

    /// Keeps of what ended the instruments that nothing else wants.
    fn unwanted(&self, mut ended: Ended) -> Ended {
        ended.instruments.retain(|instrument| !self.wants(*instrument));
        ended
    }
}

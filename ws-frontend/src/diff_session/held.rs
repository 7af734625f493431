//! What a client has of one series: a run of items without a gap, and perhaps others before it that it no longer looks at.

use std::rc::Rc;

use shm_layout::ExchangeId;

use super::items::Items;
use crate::json_out::{push, push_int, push_string};
use crate::protocol::diff::close_object;
use crate::quote_book::InstrumentIndex;
use crate::series::{Kind, SeriesId};
use crate::series_rows::RowsTold;
use crate::world::World;

/// A series that a chart shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The instrument.
    pub instrument: InstrumentIndex,
    /// As the client wrote it; its items stand under this name.
    pub symbol: Box<str>,
    /// The exchange that the symbol names.
    pub exchange: ExchangeId,
    /// What it consists of.
    pub kind: Kind,
    /// The series, opened for this chart.
    pub series: SeriesId,
}

/// What a client has of a series.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) shown: Shown,
    /// The charts that show it; one that shows it twice stands here twice.
    pub(super) charts: Vec<Rc<str>>,
    /// It has the items from `first` to before `end`.
    pub(super) first: i64,
    pub(super) end: i64,
    told: u64,
    /// The last item it has was the series' last when it was told, so that it may change.
    is_at_end: bool,
    pub(super) last_id_told: Option<i64>,
    /// It stands in the queue of those that may have news.
    pub(super) queued: bool,
}

/// The items that charts look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) first: i64,
    pub(super) end: i64,
    /// The latest are among them, whichever they are.
    pub(super) live: bool,
}

/// What a client knows a series by that never had an item: it waits for an id that is not -1 when it comes back after a
/// loss of its connection, and must have been told -1 before.
pub(super) const NO_ITEM_YET: i64 = 0;

// === impl Held ===

impl Held {
    pub(super) const fn new(shown: Shown) -> Self {
        Self {
            shown,
            charts: Vec::new(),
            first: 0,
            end: 0,
            told: 0,
            is_at_end: false,
            last_id_told: None,
            queued: false,
        }
    }

    /// True when the client has all items of a window.
    pub(super) fn covers(&self, left: i64, right: i64) -> bool {
        right < left || (self.first <= left && right < self.end)
    }

    /// Appends what is news, a patch with a comma before it. True when there is more to say at once.
    pub(super) fn push(
        &mut self,
        out: &mut Vec<u8>,
        most: usize,
        wanted: Option<Wanted>,
        world: &mut World,
    ) -> bool {
        let Some(wanted) = wanted else { return false };
        let id = self.shown.series;
        let start = out.len();
        self.push_path(out);
        let inside = out.len();
        let more = if world.series.last_id(id) < 0 {
            self.push_no_item(out)
        } else {
            self.push_items(out, most, wanted, world)
        };
        if out.len() == inside {
            out.truncate(start);
            return more;
        }
        close_object(out, inside);
        push(out, if matches!(self.shown.kind, Kind::Ticks) { "}}" } else { "}}}" });
        more
    }

    /// Appends the way to the series, up to where its object begins.
    fn push_path(&self, out: &mut Vec<u8>) {
        push(
            out,
            if matches!(self.shown.kind, Kind::Ticks) { ",{\"ticks\":{" } else { ",{\"klines\":{" },
        );
        push_string(out, &self.shown.symbol);
        out.push(b':');
        if let Kind::Bars(duration) = self.shown.kind {
            push(out, "{\"");
            push_int(out, duration.as_ns());
            push(out, "\":");
        }
    }

    /// There is no item at all, see [`NO_ITEM_YET`].
    fn push_no_item(&mut self, out: &mut Vec<u8>) -> bool {
        let next = match self.last_id_told {
            None => -1,
            Some(-1) => NO_ITEM_YET,
            Some(_) => return false,
        };
        push(out, ",\"last_id\":");
        push_int(out, next);
        self.last_id_told = Some(next);
        next == -1
    }

    fn push_items(
        &mut self,
        out: &mut Vec<u8>,
        most: usize,
        wanted: Wanted,
        world: &mut World,
    ) -> bool {
        let id = self.shown.series;
        let (revision, last) = (world.series.revision(id), world.series.last_id(id));
        if self.first == self.end || self.end < wanted.first {
            // Nothing yet; or what it has ends before what is looked at, and what lies between nobody looks at any longer.
            (self.first, self.end) = (wanted.first, wanted.first);
        }
        if self.is_up_to_date_but_for_the_last(wanted, last) {
            let terms = world.terms(self.shown.instrument, self.shown.exchange);
            let state = RowsTold { revision: self.told, end: self.end };
            out.extend_from_slice(world.rows.since(&world.series, &self.shown, terms, state));
            (self.told, self.end, self.last_id_told) = (revision, wanted.end, Some(last));
            self.is_at_end = true;
            return false;
        }
        let mut items = Items::begin(out, world, &self.shown);
        if self.first < self.end && self.is_at_end && revision > self.told {
            items.push(self.end - 1);
        }
        while self.first > wanted.first && items.out.len() < most {
            self.first -= 1;
            items.push(self.first);
        }
        while self.end < wanted.end && items.out.len() < most {
            items.push(self.end);
            self.end += 1;
        }
        items.end();
        self.told = revision;
        self.is_at_end = self.end == last + 1 && matches!(self.shown.kind, Kind::Bars(_));
        let last_id = if wanted.live { last.min(self.end - 1) } else { last };
        if self.last_id_told != Some(last_id) {
            self.last_id_told = Some(last_id);
            push(out, ",\"last_id\":");
            push_int(out, last_id);
        }
        self.first > wanted.first || self.end < wanted.end
    }

    /// What is left to tell is what others have been told, too: the last item has changed, or few have come since.
    fn is_up_to_date_but_for_the_last(&self, wanted: Wanted, last: i64) -> bool {
        const FEW: i64 = 8;
        self.first < self.end
            && self.first <= wanted.first
            && wanted.live
            && wanted.end == last + 1
            && wanted.end - self.end <= FEW
    }
}

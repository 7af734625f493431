//! Whole items of a series, one after the other, as a member of its object.

use super::held::Shown;
use crate::json_out::push;
use crate::protocol::quote_fields::Terms;
use crate::series::SeriesBook;
use crate::series_rows::push_row;
use crate::world::World;

/// Writes `"data":{...}` with a comma before it, or nothing where there is no item.
pub(super) struct Items<'a> {
    pub(super) out: &'a mut Vec<u8>,
    series: &'a SeriesBook,
    shown: &'a Shown,
    terms: Terms,
    before: &'static str,
}

// === impl Items ===

impl<'a> Items<'a> {
    pub(super) fn begin(out: &'a mut Vec<u8>, world: &'a World, shown: &'a Shown) -> Self {
        let terms = world.terms(shown.instrument, shown.exchange);
        Self { out, series: &world.series, shown, terms, before: ",\"data\":{" }
    }

    /// The item of this id; nothing for one that is no longer kept.
    pub(super) fn push(&mut self, id: i64) {
        if push_row(self.out, self.before, self.series, self.shown.series, id, self.terms) {
            self.before = ",";
        }
    }

    pub(super) fn end(self) {
        if self.before == "," {
            push(self.out, "}");
        }
    }
}

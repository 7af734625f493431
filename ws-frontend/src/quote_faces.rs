//! The quotes that DIFF clients have in their snapshots: what stands in them, and since when (pure).
//!
//! A session remembers of each quote how far it has been told: a revision. What it is told next are the fields that have
//! changed after it. So nothing but a number is kept for each session and instrument, however slow a client is, and a
//! change is encoded once for all sessions that were told as far.

use shm_layout::{NO_TIME, Tick};

use crate::encoded::Encoded;
use crate::hashing::Map;
use crate::limits::QUOTE_CHANGES_KEPT_MAX;
use crate::protocol::diff::{Quote, QuoteChange, push_quote, push_quote_change};
use crate::protocol::quote_fields::{DiffValue, QUOTE_FIELDS, QUOTE_FIELDS_COUNT, Terms};
use crate::quote_book::InstrumentIndex;

/// How far a session has been told of a quote or a series; grows with every change. [`NOTHING_TOLD`] stands before the first.
pub type Revision = u64;

/// Of this nothing was told yet.
pub const NOTHING_TOLD: Revision = 0;

/// The quotes in use.
#[derive(Debug, Default)]
pub struct QuoteFaces {
    faces: Map<InstrumentIndex, QuoteFace>,
}

/// One instrument's quote.
#[derive(Debug)]
pub struct QuoteFace {
    terms: Terms,
    quote: Quote,
    revision: Revision,
    time_changed: Revision,
    changed: [Revision; QUOTE_FIELDS_COUNT],
    encoded: Encoded<Revision>,
    users: usize,
}

// === impl QuoteFaces ===

impl QuoteFaces {
    /// One more session has this instrument's quote. `latest`: its latest tick, if there was any.
    pub fn open(&mut self, instrument: InstrumentIndex, terms: Terms, latest: Option<&Tick>) {
        let face = self.faces.entry(instrument).or_insert_with(|| QuoteFace::new(terms));
        face.users += 1;
        if let Some(tick) = latest.filter(|_| face.users == 1) {
            face.update(tick);
        }
    }

    /// One session less has it.
    pub fn close(&mut self, instrument: InstrumentIndex) {
        let Some(face) = self.faces.get_mut(&instrument) else { return };
        face.users = face.users.saturating_sub(1);
        if face.users == 0 {
            self.faces.remove(&instrument);
        }
    }

    /// An instrument's latest tick. Nothing happens where no session has its quote.
    pub fn update(&mut self, instrument: InstrumentIndex, tick: &Tick) {
        if let Some(face) = self.faces.get_mut(&instrument) {
            face.update(tick);
        }
    }

    /// What is known of instruments has changed: `known` gives an instrument's terms, given those of before, and its latest tick.
    pub fn refresh<'t>(
        &mut self,
        known: impl Fn(InstrumentIndex, Terms) -> (Terms, Option<&'t Tick>),
    ) {
        for (instrument, face) in &mut self.faces {
            let (terms, latest) = known(*instrument, face.terms);
            if std::mem::replace(&mut face.terms, terms) != terms
                && let Some(tick) = latest
            {
                face.update(tick);
            }
        }
    }

    /// An instrument's quote, where a session has it.
    pub fn get_mut(&mut self, instrument: InstrumentIndex) -> Option<&mut QuoteFace> {
        self.faces.get_mut(&instrument)
    }

    /// How many instruments have one.
    #[must_use]
    pub fn len(&self) -> usize {
        self.faces.len()
    }

    /// True when no session has a quote.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.faces.is_empty()
    }
}

// === impl QuoteFace ===

impl QuoteFace {
    fn new(terms: Terms) -> Self {
        const FIRST: Revision = NOTHING_TOLD + 1;
        Self {
            terms,
            quote: Quote { time_ns: NO_TIME, values: [DiffValue::None; QUOTE_FIELDS_COUNT] },
            revision: FIRST,
            time_changed: FIRST,
            changed: [FIRST; QUOTE_FIELDS_COUNT],
            encoded: Encoded::default(),
            users: 0,
        }
    }

    /// How far a session is told that is told all now.
    #[must_use]
    pub const fn revision(&self) -> Revision {
        self.revision
    }

    /// What has changed after a revision, after [`NOTHING_TOLD`] the whole quote but its symbol: as members of a JSON object, each
    /// with a comma before it.
    pub fn since(&mut self, told: Revision) -> &[u8] {
        let Self { quote, time_changed, changed, encoded, .. } = self;
        encoded.since(told, QUOTE_CHANGES_KEPT_MAX, |out| {
            if told == NOTHING_TOLD {
                return push_quote(out, quote);
            }
            let fields = (0..).zip(&*changed).fold(0, |fields, (at, changed)| {
                if *changed > told { fields | 1_u64 << at } else { fields }
            });
            push_quote_change(out, quote, QuoteChange { time: *time_changed > told, fields });
        })
    }

    fn update(&mut self, tick: &Tick) {
        let next = self.revision + 1;
        // A tick without a time of its own has at least that of its receipt: a client waits for a quote with one.
        let time_ns = if tick.exchange_time_ns == NO_TIME {
            tick.receive_time_ns
        } else {
            tick.exchange_time_ns
        };
        let mut changed = false;
        if std::mem::replace(&mut self.quote.time_ns, time_ns) != time_ns {
            self.time_changed = next;
            changed = true;
        }
        let fields = QUOTE_FIELDS.iter().zip(&mut self.quote.values).zip(&mut self.changed);
        for ((field, value), changed_at) in fields {
            if field.diff.is_empty() {
                continue;
            }
            let now = field.read.diff(tick, self.terms);
            if *value != now {
                *value = now;
                *changed_at = next;
                changed = true;
            }
        }
        if changed {
            self.revision = next;
            self.encoded.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Map as Object, Value, json};
    use shm_layout::{InstrumentId, NO_PRICE};

    use crate::protocol::diff::push_quote_object;

    const TERMS: Terms = Terms { volume_multiple: Some(10), plain_prices: false };

    fn tick(last_price: f64, volume: i32, time_ns: i64) -> Tick {
        let instrument_id = *InstrumentId::parse("rb2601").unwrap().padded();
        Tick { instrument_id, last_price, volume, exchange_time_ns: time_ns, ..Tick::EMPTY }
    }

    fn read(members: &[u8]) -> Object<String, Value> {
        let bytes = &object(members);
        serde_json::from_slice::<Value>(bytes).unwrap().as_object().unwrap().clone()
    }

    fn object(members: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        push_quote_object(&mut out, None, members);
        out
    }

    #[test]
    fn what_changed_is_told_and_no_more() {
        let mut faces = QuoteFaces::default();
        faces.open(7, TERMS, Some(&tick(3145.0, 1, 0)));
        let face = faces.get_mut(7).unwrap();
        let whole = read(face.since(NOTHING_TOLD));
        assert_eq!(whole["last_price"], 3145.0);
        let told = face.revision();
        faces.update(7, &tick(3145.0, 2, 0));
        let face = faces.get_mut(7).unwrap();
        assert_eq!(face.since(told), br#","volume":2"#);
        faces.update(7, &tick(NO_PRICE, 3, 1_000));
        let face = faces.get_mut(7).unwrap();
        assert_eq!(
            Value::from(read(face.since(told))),
            json!({"volume": 3, "last_price": "-", "datetime": "1970-01-01 08:00:00.000001"})
        );
        let revision = face.revision();
        assert_eq!(face.since(revision), b"");
        faces.update(7, &tick(NO_PRICE, 3, 1_000));
        assert_eq!(faces.get_mut(7).unwrap().revision(), revision, "nothing has changed");
    }

    #[test]
    fn a_quote_lives_as_long_as_a_session_has_it() {
        let mut faces = QuoteFaces::default();
        faces.open(7, TERMS, None);
        faces.update(7, &tick(1.0, 1, 0));
        faces.open(7, TERMS, Some(&tick(2.0, 1, 0)));
        faces.close(7);
        let whole = read(faces.get_mut(7).unwrap().since(NOTHING_TOLD));
        assert_eq!(whole["last_price"], 1.0, "it is kept up to date by itself");
        faces.close(7);
        assert!(faces.is_empty());
        faces.close(7);
    }

    #[test]
    fn a_tick_without_a_time_has_that_of_its_receipt() {
        let mut faces = QuoteFaces::default();
        let tick = Tick { receive_time_ns: 5_000, ..tick(1.0, 1, NO_TIME) };
        faces.open(7, TERMS, Some(&tick));
        let whole = read(faces.get_mut(7).unwrap().since(NOTHING_TOLD));
        assert_eq!(whole["datetime"], "1970-01-01 08:00:00.000005");
    }

    proptest! {
        /// Whoever merges what it is told, whenever it is told, has the quote as it is.
        #[test]
        fn patches_merge_to_the_quote(
            steps in prop::collection::vec((0..4_usize, 0..3_i32, 0..3_i32, 0..3_i64), 1..200),
        ) {
            let mut faces = QuoteFaces::default();
            faces.open(7, TERMS, None);
            let mut clients: [_; 3] = std::array::from_fn(|_| (NOTHING_TOLD, Object::new()));
            for (who, price, volume, time) in steps {
                let Some((told, snapshot)) = clients.get_mut(who) else {
                    faces.update(7, &tick(f64::from(price), volume, time * 1000));
                    continue;
                };
                let face = faces.get_mut(7).unwrap();
                snapshot.extend(read(face.since(*told)));
                *told = face.revision();
                prop_assert_eq!(&*snapshot, &read(face.since(NOTHING_TOLD)));
            }
        }
    }
}

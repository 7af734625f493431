//! The quotes in a client's snapshot: which it asked for, and how far it has been told of each.

use std::collections::VecDeque;

use shm_layout::ExchangeId;

use crate::hashing::Map;
use crate::json_out::{push, push_string};
use crate::protocol::diff::push_quote_object;
use crate::quote_book::InstrumentIndex;
use crate::quote_faces::{NOTHING_TOLD, Revision};
use crate::world::World;

/// The quotes that a client asked for.
#[derive(Debug, Default)]
pub(super) struct Quotes {
    /// As the client wrote it.
    ins_list: Box<str>,
    /// The snapshot does not have this list yet.
    list_due: bool,
    /// Entries of the queue of news that come before the list: all that were in it when it was set.
    before_list: usize,
    /// Small, so that it stays in the cache: each of thousands of ticks a second looks into that of every session that wants it.
    places: Map<InstrumentIndex, Place>,
    entries: Vec<Entry>,
    /// Those that may have changed since they were told, each once.
    news: VecDeque<InstrumentIndex>,
}

/// A symbol that a client lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// As the client wrote it; its quote stands under this name.
    pub symbol: Box<str>,
    /// The exchange that the symbol names.
    pub exchange: ExchangeId,
}

/// Where an instrument's entry is, and whether there is news of it.
#[derive(Debug, Clone, Copy)]
struct Place {
    entry: usize,
    /// It stands in the queue of news.
    noted: bool,
}

#[derive(Debug)]
struct Entry {
    instrument: InstrumentIndex,
    listed: Listed,
    /// The symbol as a key of a JSON object, with its colon.
    key: Box<[u8]>,
    told: Revision,
    /// Its face is open: the instrument is known to exist.
    open: bool,
}

// === impl Quotes ===

impl Quotes {
    /// Puts another list in the place of the one before. What stands in both stays as it was told. Returns the instruments that
    /// are no longer listed.
    pub(super) fn replace(
        &mut self,
        ins_list: &str,
        listed: impl IntoIterator<Item = (InstrumentIndex, Listed)>,
        world: &mut World,
    ) -> Vec<InstrumentIndex> {
        let entries = std::mem::take(&mut self.entries).into_iter();
        let mut before: Map<InstrumentIndex, Entry> =
            entries.map(|entry| (entry.instrument, entry)).collect();
        self.places = Map::default();
        for (instrument, listed) in listed {
            if self.lists(instrument) {
                continue;
            }
            let entry = match before.remove(&instrument) {
                Some(kept) if kept.listed == listed => kept,
                other => {
                    other.iter().for_each(|other| other.close(world));
                    Entry::new(instrument, listed)
                }
            };
            self.places.insert(instrument, Place { entry: self.entries.len(), noted: false });
            self.entries.push(entry);
        }
        before.values().for_each(|entry| entry.close(world));
        self.news.clear();
        self.note_all();
        self.ins_list = ins_list.into();
        self.list_due = true;
        self.before_list = self.news.len();
        before.into_keys().collect()
    }

    /// The client is gone.
    pub(super) fn clear(&mut self, world: &mut World) {
        self.entries.iter().for_each(|entry| entry.close(world));
        *self = Self::default();
    }

    /// More instruments are known to exist, or more of them is known.
    pub(super) fn note_all(&mut self) {
        for entry in &self.entries {
            if let Some(place) = self.places.get_mut(&entry.instrument) {
                place.note(entry.instrument, &mut self.news);
            }
        }
    }

    pub(super) fn lists(&self, instrument: InstrumentIndex) -> bool {
        self.places.contains_key(&instrument)
    }

    /// An instrument has ticked.
    pub(super) fn note(&mut self, instrument: InstrumentIndex) {
        if let Some(place) = self.places.get_mut(&instrument) {
            place.note(instrument, &mut self.news);
        }
    }

    pub(super) fn has_news(&self) -> bool {
        self.list_due || !self.news.is_empty()
    }

    /// Appends `"quotes":{...}` and with it the list, as far as there is something to say; `most` is where `out` should end.
    /// The list comes with the last of its quotes: who waits for it has them all. Returns how many quotes there were.
    pub(super) fn push(
        &mut self,
        out: &mut Vec<u8>,
        greets: bool,
        most: usize,
        world: &mut World,
    ) -> usize {
        let mut count = 0;
        while out.len() < most {
            let Some(instrument) = self.news.pop_front() else { break };
            self.before_list = self.before_list.saturating_sub(1);
            let Some(place) = self.places.get_mut(&instrument) else { continue };
            place.noted = false;
            let Some(entry) = self.entries.get_mut(place.entry) else { continue };
            if !entry.open {
                entry.open = world.open_face(instrument, &entry.listed);
            }
            // What is not known to exist stays away from the quotes.
            let Some(face) = world.faces.get_mut(instrument).filter(|_| entry.open) else {
                continue;
            };
            if face.revision() == entry.told {
                continue;
            }
            push(out, if count == 0 { ",\"quotes\":{" } else { "," });
            out.extend_from_slice(&entry.key);
            let symbol = (entry.told == NOTHING_TOLD).then_some(&*entry.listed.symbol);
            push_quote_object(out, symbol, face.since(entry.told));
            entry.told = face.revision();
            count += 1;
        }
        let complete = self.before_list == 0;
        let says_list = greets || (self.list_due && complete);
        if count > 0 {
            out.push(b'}');
        } else if says_list {
            push(out, ",\"quotes\":{}");
        }
        if says_list {
            push(out, ",\"ins_list\":");
            push_string(out, if complete { &self.ins_list } else { "" });
            self.list_due &= !complete;
        }
        count
    }
}

// === impl Place ===

impl Place {
    fn note(&mut self, instrument: InstrumentIndex, news: &mut VecDeque<InstrumentIndex>) {
        if !std::mem::replace(&mut self.noted, true) {
            news.push_back(instrument);
        }
    }
}

// === impl Entry ===

impl Entry {
    /// One that the client has not been told of.
    fn new(instrument: InstrumentIndex, listed: Listed) -> Self {
        let mut key = Vec::new();
        push_string(&mut key, &listed.symbol);
        key.push(b':');
        Self { instrument, listed, key: key.into(), told: NOTHING_TOLD, open: false }
    }

    /// It is told no more.
    fn close(&self, world: &mut World) {
        if self.open {
            world.faces.close(self.instrument);
        }
    }
}

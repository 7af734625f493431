//! The quotes in a client's snapshot: which it asked for, and how far it has been told of each.

use shm_layout::ExchangeId;

use crate::hashing::Map;
use crate::json_out::{push, push_string};
use crate::marks::Marks;
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
    entries: Map<InstrumentIndex, Entry>,
    /// Those that may have changed since they were told.
    news: Marks,
}

/// A symbol that a client lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// As the client wrote it; its quote stands under this name.
    pub symbol: Box<str>,
    /// The exchange that the symbol names.
    pub exchange: ExchangeId,
}

#[derive(Debug)]
struct Entry {
    listed: Listed,
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
        let mut before = std::mem::take(&mut self.entries);
        for (instrument, listed) in listed {
            if self.lists(instrument) {
                continue;
            }
            let kept = before.remove(&instrument);
            let entry = match kept {
                Some(kept) if kept.listed == listed => kept,
                other => {
                    other.iter().for_each(|other| other.close(instrument, world));
                    Entry { listed, told: NOTHING_TOLD, open: false }
                }
            };
            self.entries.insert(instrument, entry);
            self.news.set(instrument);
        }
        for (instrument, entry) in &before {
            entry.close(*instrument, world);
            self.news.take_back(*instrument);
        }
        self.ins_list = ins_list.into();
        self.list_due = true;
        before.into_keys().collect()
    }

    /// The client is gone.
    pub(super) fn clear(&mut self, world: &mut World) {
        for (instrument, entry) in self.entries.drain() {
            entry.close(instrument, world);
        }
    }

    /// More instruments are known to exist.
    pub(super) fn note_unknown(&mut self) {
        let unknown = self.entries.iter().filter(|(_, entry)| !entry.open);
        unknown.for_each(|(instrument, _)| {
            self.news.set(*instrument);
        });
    }

    pub(super) fn lists(&self, instrument: InstrumentIndex) -> bool {
        self.entries.contains_key(&instrument)
    }

    /// An instrument has ticked. True when it is listed.
    pub(super) fn note(&mut self, instrument: InstrumentIndex) -> bool {
        let listed = self.lists(instrument);
        if listed {
            self.news.set(instrument);
        }
        listed
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
            let Some(instrument) = self.news.take_first() else { break };
            let Some(entry) = self.entries.get_mut(&instrument) else { continue };
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
            push_string(out, &entry.listed.symbol);
            out.push(b':');
            out.extend_from_slice(face.since(entry.told));
            entry.told = face.revision();
            count += 1;
        }
        let complete = self.news.is_empty();
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

// === impl Entry ===

impl Entry {
    /// It is told no more.
    fn close(&self, instrument: InstrumentIndex, world: &mut World) {
        if self.open {
            world.faces.close(instrument);
        }
    }
}

//! The latest tick of every instrument that ticks, and the small numbers instruments have inside this process.
//!
//! An entry lives while somebody wants its instrument or its tick is kept. When an instrument is released (nobody here wants
//! it any longer), its tick is dropped, since it would go stale; ticks of it that were on their way are not kept for a
//! while either. If it goes on ticking, somebody else wants it, and it is kept again.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::time::Instant;

use shm_layout::ring::is_same_tick;
use shm_layout::{InstrumentId, Tick, TickFlags};

use crate::hashing::Map;
use crate::limits::{BOOK_UNWANTED_MAX, QUIET_AFTER_RELEASE};
use crate::snapshot::says_the_same;

/// An instrument's number inside this process, given anew after its entry is gone.
pub type InstrumentIndex = u32;

/// The latest ticks.
#[derive(Debug, Default)]
pub struct QuoteBook {
    index: Map<InstrumentId, InstrumentIndex>,
    entries: Vec<Option<Entry>>,
    free: Vec<InstrumentIndex>,
    /// Entries that were released, the longest ago first, with the end of their quiet time.
    quiet: VecDeque<(Instant, InstrumentIndex)>,
    unwanted: usize,
}

#[derive(Debug)]
struct Entry {
    instrument: InstrumentId,
    tick: Option<Box<Tick>>,
    /// The tick came out of shared memory, and the ring may still hold it and earlier ones.
    ahead_of_ring: bool,
    wanted: bool,
    /// Until then ticks are not kept unless the instrument is wanted.
    quiet_until: Option<Instant>,
}

/// Where a tick went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// It is the first one kept of its instrument.
    First(InstrumentIndex),
    /// It took the place of an earlier one.
    Later(InstrumentIndex),
    /// The front sent it once more, on a subscription; it is the one that was kept already.
    Again,
    /// It is not kept, and nobody wants it: its id is none, or its instrument was just released, or the book is full.
    Ignored,
}

// === impl QuoteBook ===

impl QuoteBook {
    /// The number of a wanted instrument.
    pub fn want(&mut self, instrument: InstrumentId) -> InstrumentIndex {
        let index = self.index.get(&instrument).copied().unwrap_or_else(|| self.insert(instrument));
        if let Some(entry) = &mut self.entries[index as usize] {
            self.unwanted -= usize::from(!entry.wanted);
            entry.wanted = true;
            entry.quiet_until = None;
        }
        index
    }

    /// The number of an instrument that has an entry.
    #[must_use]
    pub fn find(&self, instrument: &InstrumentId) -> Option<InstrumentIndex> {
        self.index.get(instrument).copied()
    }

    /// The instrument of a number.
    #[must_use]
    pub fn instrument(&self, index: InstrumentIndex) -> Option<InstrumentId> {
        self.entry(index).map(|entry| entry.instrument)
    }

    /// The latest tick.
    #[must_use]
    pub fn latest(&self, index: InstrumentIndex) -> Option<&Tick> {
        self.entry(index)?.tick.as_deref()
    }

    /// Takes a tick.
    pub fn record(&mut self, tick: &Tick, now: Instant) -> Recorded {
        let Ok(instrument) = tick.instrument() else { return Recorded::Ignored };
        let index = match self.index.get(&instrument) {
            Some(index) => *index,
            None if self.unwanted >= BOOK_UNWANTED_MAX => return Recorded::Ignored,
            None => self.insert(instrument),
        };
        let Some(entry) = &mut self.entries[index as usize] else { return Recorded::Ignored };
        if entry.quiet_until.is_some_and(|until| now < until) {
            return Recorded::Ignored;
        }
        if let Some(kept) = &mut entry.tick {
            if std::mem::replace(&mut entry.ahead_of_ring, false) && was_before(kept, tick) {
                entry.ahead_of_ring = true;
                return Recorded::Ignored;
            }
            let again = TickFlags(tick.flags).contains(TickFlags::SNAPSHOT) && is_again(kept, tick);
            **kept = *tick;
            return if again { Recorded::Again } else { Recorded::Later(index) };
        }
        entry.quiet_until = None;
        entry.tick = Some(Box::new(*tick));
        Recorded::First(index)
    }

    /// Takes the latest tick that shared memory holds of a wanted instrument of which no tick is kept.
    pub fn seed(&mut self, tick: &Tick) -> Recorded {
        let index = tick.instrument().ok().and_then(|instrument| self.find(&instrument));
        let entry = index.and_then(|index| self.entries[index as usize].as_mut());
        match (index, entry) {
            (Some(index), Some(entry)) if entry.wanted && entry.tick.is_none() => {
                entry.tick = Some(Box::new(*tick));
                entry.ahead_of_ring = true;
                Recorded::First(index)
            }
            _ => Recorded::Ignored,
        }
    }

    /// Nobody here wants this instrument any longer.
    pub fn release(&mut self, instrument: &InstrumentId, now: Instant) {
        let Some(index) = self.find(instrument) else { return };
        let Some(entry) = &mut self.entries[index as usize] else { return };
        self.unwanted += usize::from(entry.wanted);
        entry.wanted = false;
        entry.tick = None;
        entry.ahead_of_ring = false;
        let until = now + QUIET_AFTER_RELEASE;
        entry.quiet_until = Some(until);
        self.quiet.push_back((until, index));
    }

    /// Forgets the released instruments whose quiet time is over.
    pub fn tidy(&mut self, now: Instant) {
        while let Some((until, index)) =
            self.quiet.front().copied().filter(|(until, _)| *until <= now)
        {
            self.quiet.pop_front();
            // Wanted again, or ticking again, or released once more since: then this end is not its end.
            if self.entry(index).is_some_and(|entry| entry.quiet_until == Some(until)) {
                self.remove(index);
            }
        }
    }

    /// How many instruments have an entry.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// True when no instrument has an entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    fn entry(&self, index: InstrumentIndex) -> Option<&Entry> {
        self.entries.get(index as usize)?.as_ref()
    }

    fn insert(&mut self, instrument: InstrumentId) -> InstrumentIndex {
        let entry = Some(Entry {
            instrument,
            tick: None,
            ahead_of_ring: false,
            wanted: false,
            quiet_until: None,
        });
        let index = if let Some(index) = self.free.pop() {
            self.entries[index as usize] = entry;
            index
        } else {
            self.entries.push(entry);
            u32::try_from(self.entries.len() - 1).unwrap_or(u32::MAX)
        };
        self.index.insert(instrument, index);
        self.unwanted += 1;
        index
    }

    fn remove(&mut self, index: InstrumentIndex) {
        if let Some(entry) = self.entries[index as usize].take() {
            self.unwanted -= usize::from(!entry.wanted);
            self.index.remove(&entry.instrument);
            self.free.push(index);
        }
    }
}

/// True when a tick of the ring is the one that shared memory held, or came before it: the worker that wrote it there says so
/// by the sequence, and of another's the time does, as long as the one there is fresh.
fn was_before(kept: &Tick, tick: &Tick) -> bool {
    if kept.origin() == tick.origin() {
        return tick.sequence <= kept.sequence;
    }
    tick.order_to_fresh(kept).is_some_and(Ordering::is_le)
}

/// True when a snapshot is the tick that is kept. Another worker's may differ in what its front and library add to it, and
/// is no news for that; a worker's own that differs in anything is.
fn is_again(kept: &Tick, snapshot: &Tick) -> bool {
    says_the_same(kept, snapshot)
        || (kept.origin() != snapshot.origin() && is_same_tick(kept, snapshot))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use shm_layout::clock::monotonic;
    use shm_layout::limits::MERGE_LATE_NS;
    use std::collections::BTreeMap;
    use std::time::Duration;

    fn id(text: &str) -> InstrumentId {
        InstrumentId::parse(text).unwrap()
    }

    fn tick(instrument: &str, sequence: u64) -> Tick {
        Tick { instrument_id: *id(instrument).padded(), sequence, ..Tick::EMPTY }
    }

    fn latest(book: &QuoteBook, instrument: &str) -> Option<u64> {
        Some(book.latest(book.find(&id(instrument))?)?.sequence)
    }

    #[test]
    fn keeps_the_latest_of_what_ticks_wanted_or_not() {
        let (mut book, now) = (QuoteBook::default(), monotonic());
        let wanted = book.want(id("rb2601"));
        assert_eq!(book.record(&tick("rb2601", 1), now), Recorded::First(wanted));
        assert_eq!(book.record(&tick("rb2601", 2), now), Recorded::Later(wanted));
        assert!(matches!(book.record(&tick("au2512", 3), now), Recorded::First(_)));
        assert_eq!((latest(&book, "rb2601"), latest(&book, "au2512")), (Some(2), Some(3)));
        assert_eq!(book.record(&Tick::EMPTY, now), Recorded::Ignored);
        assert_eq!(book.len(), 2);
    }

    #[test]
    fn a_tick_published_once_more_is_known_by_its_content_and_its_flag() {
        let (mut book, now) = (QuoteBook::default(), monotonic());
        let snapshot = |sequence| Tick { flags: TickFlags::SNAPSHOT.0, ..tick("rb2601", sequence) };
        assert!(matches!(book.record(&snapshot(1), now), Recorded::First(_)));
        assert_eq!(book.record(&snapshot(2), now), Recorded::Again);
        assert_eq!(latest(&book, "rb2601"), Some(2), "it is recorded all the same");
        let changed = Tick { volume: 5, ..snapshot(3) };
        assert!(matches!(book.record(&changed, now), Recorded::Later(_)));
        let unflagged = Tick { flags: 0, ..changed };
        assert!(matches!(book.record(&unflagged, now), Recorded::Later(_)));
        book.release(&id("rb2601"), now);
        book.want(id("rb2601"));
        assert!(matches!(book.record(&changed, now), Recorded::First(_)));
    }

    #[test]
    fn another_workers_snapshot_of_the_kept_tick_is_known_whatever_its_front_adds() {
        let (mut book, now) = (QuoteBook::default(), monotonic());
        book.record(&tick("rb2601", 1), now);
        let added = Tick { turnover: 5.0, banding_upper_price: 0.0, ..tick("rb2601", 2) };
        let snapshot = Tick { flags: TickFlags::SNAPSHOT.0, ..added };
        let others = Tick { worker: 9, ..snapshot };
        assert_eq!(book.record(&others, now), Recorded::Again);
        let own = Tick { turnover: 6.0, ..others };
        assert!(matches!(book.record(&own, now), Recorded::Later(_)));
        let newer = Tick { worker: 8, last_price: 1.0, ..own };
        assert!(matches!(book.record(&newer, now), Recorded::Later(_)));
    }

    #[test]
    fn what_shared_memory_held_is_not_followed_by_what_came_before_it() {
        let (mut book, now) = (QuoteBook::default(), monotonic());
        let timed = |worker, sequence, volume| Tick {
            worker,
            volume,
            exchange_time_ns: i64::from(volume),
            receive_time_ns: i64::from(volume),
            ..tick("rb2601", sequence)
        };
        assert_eq!(book.seed(&timed(1, 7, 70)), Recorded::Ignored, "nobody wants it");
        let index = book.want(id("rb2601"));
        assert_eq!(book.seed(&timed(1, 7, 70)), Recorded::First(index));
        assert_eq!(book.seed(&timed(1, 8, 80)), Recorded::Ignored, "it has one");
        for before in [timed(1, 6, 60), timed(1, 7, 70), timed(2, 900, 60), timed(2, 901, 70)] {
            assert_eq!(book.record(&before, now), Recorded::Ignored, "{before:?}");
            assert_eq!(latest(&book, "rb2601"), Some(7));
        }
        assert_eq!(book.record(&timed(2, 902, 71), now), Recorded::Later(index));
        // From here on the ring is what counts, whatever it brings.
        assert_eq!(book.record(&timed(1, 5, 50), now), Recorded::Later(index));
    }

    #[test]
    fn an_old_tick_of_shared_memory_gives_way_to_whatever_comes() {
        let (mut book, now) = (QuoteBook::default(), monotonic());
        let index = book.want(id("rb2601"));
        let kept =
            Tick { trading_day: 20_250_303, worker: 1, receive_time_ns: 0, ..tick("rb2601", 7) };
        book.seed(&kept);
        let later = Tick { worker: 2, receive_time_ns: MERGE_LATE_NS, ..tick("rb2601", 1) };
        assert_eq!(book.record(&later, now), Recorded::Later(index));
    }

    #[test]
    fn a_released_instrument_is_forgotten_unless_it_goes_on_ticking() {
        let (mut book, now) = (QuoteBook::default(), monotonic());
        for instrument in ["rb2601", "au2512"] {
            book.want(id(instrument));
            book.record(&tick(instrument, 1), now);
            book.release(&id(instrument), now);
            assert_eq!(book.record(&tick(instrument, 2), now), Recorded::Ignored);
            assert_eq!(latest(&book, instrument), None);
        }
        let later = now + QUIET_AFTER_RELEASE;
        assert!(matches!(book.record(&tick("au2512", 3), later), Recorded::First(_)));
        book.tidy(later);
        assert_eq!((book.find(&id("rb2601")), latest(&book, "au2512")), (None, Some(3)));
    }

    #[test]
    fn an_instrument_wanted_again_keeps_its_number_past_the_end_of_its_quiet_time() {
        let (mut book, now) = (QuoteBook::default(), monotonic());
        let index = book.want(id("rb2601"));
        book.release(&id("rb2601"), now);
        assert_eq!(book.want(id("rb2601")), index);
        book.tidy(now + QUIET_AFTER_RELEASE * 2);
        assert_eq!(book.find(&id("rb2601")), Some(index));
        assert_eq!(book.record(&tick("rb2601", 1), now), Recorded::First(index));
    }

    proptest! {
        #[test]
        fn numbers_are_never_shared_and_the_count_of_unwanted_is_true(
            steps in prop::collection::vec((0..4_u8, 0..6_u8, 0..3000_u64), 0..200),
        ) {
            let (mut book, mut now) = (QuoteBook::default(), monotonic());
            let mut wanted: BTreeMap<String, bool> = BTreeMap::new();
            for (number, (what, which, pause)) in (1_u64..).zip(steps) {
                let name = format!("i{which}");
                match what {
                    0 => { book.want(id(&name)); wanted.insert(name, true); }
                    1 if wanted.get(&name) == Some(&true) => {
                        book.release(&id(&name), now);
                        wanted.insert(name, false);
                    }
                    2 => { book.record(&tick(&name, number), now); }
                    _ => { now += Duration::from_millis(pause); book.tidy(now); }
                }
                let mut numbers: Vec<u32> = book.index.values().copied().collect();
                numbers.sort_unstable();
                numbers.dedup();
                prop_assert_eq!(numbers.len(), book.len());
                prop_assert_eq!(book.free.len() + book.len(), book.entries.len());
                let unwanted = book.entries.iter().flatten().filter(|entry| !entry.wanted).count();
                prop_assert_eq!(book.unwanted, unwanted);
                for (name, wanted) in &wanted {
                    prop_assert!(!wanted || book.find(&id(name)).is_some());
                }
            }
        }
    }
}

//! What is kept of every instrument: its latest records, within a bound on all together (pure).
//!
//! Records live in chunks of [`CHUNK`]. An instrument at its own bound gives its oldest chunk for a new one. When all
//! together are at theirs, the chunk that was full first gives way, whoever has it: what trades little keeps what it has
//! at least as long as what trades much, measured in time. Only when none is full, the one that was begun first does.

use std::collections::VecDeque;

/// Records of one chunk.
pub(super) const CHUNK: usize = 16;

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HistoryBounds {
    /// Records of one instrument; a chunk's at least.
    pub(super) records_each: usize,
    /// Chunks of all instruments; one at least.
    pub(super) chunks: usize,
}

/// The records of all instruments.
#[derive(Debug)]
pub(super) struct History<T> {
    rings: Vec<Ring<T>>,
    /// Chunks in the order they were full, and those that are not in the order they were begun. What is so no longer stays
    /// until it is met.
    full: VecDeque<ChunkId>,
    begun: VecDeque<ChunkId>,
    chunks: usize,
    bounds: HistoryBounds,
}

/// A chunk, by its instrument and its number among the chunks that this one ever had.
#[derive(Debug, Clone, Copy)]
struct ChunkId {
    ring: u32,
    chunk: u64,
}

/// The records of one instrument, the oldest first.
#[derive(Debug)]
pub(super) struct Ring<T> {
    /// All but the last are full.
    chunks: VecDeque<Vec<T>>,
    /// How many chunks went before the first one.
    gone: u64,
    first_id: i64,
    revision: u64,
}

// === impl History ===

impl<T: Copy> History<T> {
    pub(super) fn new(bounds: HistoryBounds) -> Self {
        Self { rings: Vec::new(), full: VecDeque::new(), begun: VecDeque::new(), chunks: 0, bounds }
    }

    /// Makes place for one more instrument, whose number is the count of those before.
    pub(super) fn add_ring(&mut self) {
        self.rings.push(Ring { chunks: VecDeque::new(), gone: 0, first_id: 0, revision: 0 });
    }

    pub(super) fn ring(&self, ring: u32) -> &Ring<T> {
        &self.rings[ring as usize]
    }

    /// The newest record of an instrument, to be changed.
    pub(super) fn last_mut(&mut self, ring: u32) -> Option<&mut T> {
        self.rings[ring as usize].chunks.back_mut()?.last_mut()
    }

    /// Appends a record. The first one ever of an instrument has `first_id`, each further one the next id.
    pub(super) fn push(&mut self, ring: u32, record: T, first_id: i64) {
        let own = &mut self.rings[ring as usize];
        if own.revision == 0 {
            own.first_id = first_id;
        }
        own.revision += 1;
        match own.chunks.back_mut() {
            Some(chunk) if chunk.len() < CHUNK => chunk.push(record),
            _ => self.begin_chunk(ring, record),
        }
        let own = &self.rings[ring as usize];
        if own.chunks.back().is_some_and(|chunk| chunk.len() == CHUNK) {
            self.full.push_back(ChunkId { ring, chunk: own.last_chunk() });
            // Sorting out costs each chunk added since the last time a step or two.
            if self.full.len() > 2 * self.bounds.chunks {
                self.full.retain(|of| self.rings[of.ring as usize].gone <= of.chunk);
            }
        }
    }

    /// How many chunks there are.
    #[cfg(test)]
    pub(super) fn chunks(&self) -> usize {
        self.chunks
    }

    fn begin_chunk(&mut self, ring: u32, record: T) {
        let own = &mut self.rings[ring as usize];
        let emptied = if (own.chunks.len() + 1) * CHUNK > self.bounds.records_each {
            self.chunks -= 1;
            own.give_oldest()
        } else if self.chunks >= self.bounds.chunks {
            self.give_first_of_all()
        } else {
            None
        };
        let own = &mut self.rings[ring as usize];
        // Most instruments of a market have a few records and no more: the first chunk grows with them.
        let whole = if own.chunks.is_empty() { 0 } else { CHUNK };
        let mut chunk = emptied.unwrap_or_else(|| Vec::with_capacity(whole));
        chunk.clear();
        chunk.push(record);
        own.chunks.push_back(chunk);
        self.begun.push_back(ChunkId { ring, chunk: own.last_chunk() });
        self.chunks += 1;
        if self.begun.len() > 2 * self.bounds.chunks {
            self.begun.retain(|of| self.rings[of.ring as usize].last_chunk() == of.chunk);
        }
    }

    /// Takes the chunk that is to go before all others from whoever has it.
    fn give_first_of_all(&mut self) -> Option<Vec<T>> {
        let rings = &mut self.rings;
        let first = |order: &mut VecDeque<ChunkId>| {
            let is_first = |of: &ChunkId| rings[of.ring as usize].gone == of.chunk;
            std::iter::from_fn(|| order.pop_front()).find(is_first)
        };
        let given = first(&mut self.full).or_else(|| first(&mut self.begun))?;
        self.chunks -= 1;
        self.rings[given.ring as usize].give_oldest()
    }
}

// === impl Ring ===

impl<T> Ring<T> {
    pub(super) fn len(&self) -> usize {
        let full = self.chunks.len().saturating_sub(1) * CHUNK;
        full + self.chunks.back().map_or(0, Vec::len)
    }

    pub(super) fn get(&self, index: usize) -> Option<&T> {
        self.chunks.get(index / CHUNK)?.get(index % CHUNK)
    }

    pub(super) fn last(&self) -> Option<&T> {
        self.chunks.back()?.last()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flatten()
    }

    /// The id of the oldest record, or of the next one when there is none.
    pub(super) fn first_id(&self) -> i64 {
        self.first_id
    }

    /// Grows with every record that comes and every chunk that goes; 0 when there never was any.
    pub(super) fn revision(&self) -> u64 {
        self.revision
    }

    /// The number of its latest chunk, where it has one.
    fn last_chunk(&self) -> u64 {
        (self.gone + self.chunks.len() as u64).saturating_sub(1)
    }

    fn give_oldest(&mut self) -> Option<Vec<T>> {
        let chunk = self.chunks.pop_front()?;
        self.gone += 1;
        self.first_id += i64::try_from(chunk.len()).unwrap_or(0);
        self.revision += 1;
        Some(chunk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(records_each: usize, chunks: usize, rings: u32) -> History<u32> {
        let mut history = History::new(HistoryBounds { records_each, chunks });
        (0..rings).for_each(|_| history.add_ring());
        history
    }

    fn kept(history: &History<u32>, ring: u32) -> Vec<u32> {
        let kept: Vec<u32> = history.ring(ring).iter().copied().collect();
        let by_index: Vec<u32> =
            (0..kept.len()).map(|index| *history.ring(ring).get(index).unwrap()).collect();
        assert_eq!((&by_index, history.ring(ring).len()), (&kept, kept.len()));
        assert_eq!(history.ring(ring).get(kept.len()), None);
        kept
    }

    #[test]
    fn one_instrument_keeps_its_latest() {
        let mut history = history(48, 100, 1);
        for record in 0..1000 {
            history.push(0, record, 7);
            let own = kept(&history, 0);
            assert_eq!(own.last(), Some(&record));
            assert!(own.len() <= 48 && own.len() > 32.min(record as usize));
            assert_eq!(history.ring(0).first_id(), 7 + i64::from(own[0]), "ids stay with records");
            let remembered = history.full.len().max(history.begun.len());
            assert!(remembered <= 200, "what was given up is not remembered for ever");
        }
    }

    /// One trades a hundred times as much as the others: what goes is what is oldest, not what is rare.
    #[test]
    fn the_chunk_that_was_full_first_goes_whoever_has_it() {
        let mut history = history(10_000, 20, 3);
        let mut record = 0;
        let mut push = |history: &mut History<u32>, ring, count: usize| {
            for _ in 0..count {
                record += 1;
                history.push(ring, record, 0);
                assert!(history.chunks() <= 20);
            }
            record
        };
        push(&mut history, 0, CHUNK);
        push(&mut history, 1, CHUNK);
        let rare = push(&mut history, 2, 1);
        push(&mut history, 0, 17 * CHUNK);
        assert_eq!(history.chunks(), 20);
        push(&mut history, 0, CHUNK);
        assert_eq!((kept(&history, 0).len(), kept(&history, 1).len()), (18 * CHUNK, CHUNK));
        push(&mut history, 0, CHUNK);
        assert!(kept(&history, 1).is_empty(), "it was full before the others that are left");
        push(&mut history, 0, 1000 * CHUNK);
        assert_eq!(kept(&history, 2), [rare], "its latest chunk is not full");
        // The one that lost all begins anew; its ids go on.
        let again = push(&mut history, 1, 1);
        assert_eq!((kept(&history, 1), history.ring(1).first_id()), (vec![again], CHUNK as i64));
        assert_eq!(kept(&history, 0).len(), 18 * CHUNK);
    }

    #[test]
    fn when_none_is_full_the_one_begun_first_goes() {
        let mut history = history(10_000, 2, 3);
        for ring in [0, 1, 0, 2] {
            history.push(ring, ring, 0);
        }
        assert_eq!(
            (kept(&history, 0), kept(&history, 1), kept(&history, 2)),
            (vec![], vec![1], vec![2])
        );
    }

    #[test]
    fn a_revision_tells_of_what_comes_and_of_what_goes() {
        let mut history = history(10_000, 1, 2);
        history.push(0, 1, 0);
        let before = history.ring(0).revision();
        history.push(1, 2, 0);
        assert!(history.ring(0).revision() > before, "it lost its only record");
        assert_eq!((history.ring(0).first_id(), history.ring(0).len()), (1, 0));
    }
}

//! Reading under load, and what the dead leave.

use std::sync::atomic::{AtomicBool, Ordering};

use shm_layout::depth::{DepthOwner, DepthReader, DepthWriter, Found, SlotIndex};
use shm_layout::shared_memory::{Opening, Place};

use crate::{FACTS, Own, PLACE, SHARING, id, number_of, numbered};

#[test]
fn no_read_is_torn() {
    const READS: u64 = 1_000_000;
    const DISTINCT: u64 = 2_000;
    let own = Own::new();
    let (mut owner, _) = own.open(0);
    let slot = owner.add(&id("rb2601"), &FACTS).unwrap();
    let writer = DepthWriter::open(&own.0).unwrap();
    let done = AtomicBool::new(false);
    writer.write(slot, &numbered(1));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 2.. {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                writer.write(slot, &numbered(number));
                // Pauses of many lengths, so that reads fall anywhere in a write.
                (0..number % 64).for_each(|_| std::hint::spin_loop());
            }
        });
        let readers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let reader = DepthReader::open(&own.0).unwrap();
                    read_many(&reader, slot, READS, DISTINCT)
                })
            })
            .collect();
        let outcomes: Vec<_> = readers.into_iter().map(|reader| reader.join()).collect();
        done.store(true, Ordering::Relaxed);
        for outcome in outcomes {
            let seen = outcome.unwrap();
            assert!(seen.busy < seen.reads, "{seen:?}");
            println!("{seen:?}");
        }
    });
}

/// What a reader has seen.
#[derive(Debug, Default)]
struct Seen {
    reads: u64,
    busy: u64,
    /// Different ticks, which only ever follow each other.
    distinct: u64,
}

/// Reads so often, and on until so many different ticks were seen.
fn read_many(reader: &DepthReader, slot: SlotIndex, reads: u64, distinct: u64) -> Seen {
    let (mut seen, mut last) = (Seen::default(), 0);
    while seen.reads < reads || seen.distinct < distinct {
        seen.reads += 1;
        match reader.read(slot) {
            Found::Latest(tick) => {
                let number = number_of(&tick).expect("a torn tick");
                assert!(number >= last, "{number} after {last}");
                seen.distinct += u64::from(number != last);
                last = number;
            }
            Found::Busy => seen.busy += 1,
            Found::Nothing => {}
        }
    }
    seen
}

#[test]
fn a_writer_that_is_killed_leaves_a_whole_tick() {
    if let Ok(name) = std::env::var(PLACE) {
        let writer = DepthWriter::open(&Place::named(&name)).unwrap();
        let slot = writer.find(&id("rb2601")).unwrap();
        let first = writer.latest(slot).and_then(|tick| number_of(&tick)).unwrap_or_default();
        for number in first + 1.. {
            writer.write(slot, &numbered(number));
            if number == first + 1 {
                println!("at work");
            }
        }
    }
    let own = Own::new();
    let (mut owner, _) = own.open(0);
    let slot = owner.add(&id("rb2601"), &FACTS).unwrap();
    let reader = DepthReader::open(&own.0).unwrap();
    let mut last = 0;
    for _ in 0..50 {
        let writer = own.process("deaths::a_writer_that_is_killed_leaves_a_whole_tick");
        read_many(&reader, slot, 50, 0);
        drop(writer);
        let Found::Latest(tick) = reader.read(slot) else { panic!("no tick") };
        let number = number_of(&tick).expect("a whole tick");
        assert!(number > last, "{number} after {last}");
        last = number;
    }
    assert!(reader.is_current());
}

#[test]
fn an_owner_that_is_killed_loses_nothing_it_had_added() {
    if let Ok(name) = std::env::var(PLACE) {
        let place = Place::named(&name);
        let (mut owner, _) = DepthOwner::open(&place, 0, SHARING).unwrap();
        println!("at work");
        for number in owner.len()..40_000 {
            owner.add(&id(&format!("n{number}")), &FACTS).unwrap();
        }
        // It was not killed in time, and waits for that.
        loop {
            std::thread::park();
        }
    }
    let own = Own::new();
    let (owner, _) = own.open(0);
    drop(owner);
    let (mut before, mut grown) = (0, 0);
    let mut reader = DepthReader::open(&own.0).unwrap();
    for round in 0..100_u64 {
        let process = own.process("deaths::an_owner_that_is_killed_loses_nothing_it_had_added");
        // Killed somewhere in the middle of it, at another number each time.
        let until = before + round * 37 % 500;
        while u64::from(reader.len()) < until {
            std::thread::yield_now();
        }
        let counted = u64::from(reader.len());
        drop(process);
        let (owner, opening) = own.open(0);
        assert_eq!(opening, Opening::Reused, "round {round}");
        assert!(owner.len() >= counted.max(before), "{} after {counted}", owner.len());
        for number in 0..owner.len() {
            assert!(owner.find(&id(&format!("n{number}"))).is_some(), "{number} is lost");
        }
        grown += u32::from(owner.len() > before);
        before = owner.len();
        drop(owner);
        if before > 30_000 {
            std::fs::remove_file(own.0.path()).unwrap();
            drop(own.open(0));
            reader = DepthReader::open(&own.0).unwrap();
            before = 0;
        }
    }
    assert!(grown > 10, "it added something in {grown} lives");
}

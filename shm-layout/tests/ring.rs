//! The ring between ports of one process: order, loss, waking. Processes that die are the business of the end-to-end
//! tests.
#![cfg(feature = "ring")]
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use shm_layout::limits::{RING_READER_LAG_SAMPLES_MAX, RING_SHARDS};
use shm_layout::ring::{RingNode, TickReader, TickSource, TickWriter, WakeReader, remove_remains};
use shm_layout::{
    FleetPaths, Incarnation, Instance, InstrumentId, Tick, TickFlags, WorkerId, clock,
};

/// A fleet of the test's own, removed when it goes.
struct TestFleet {
    paths: FleetPaths,
}

impl TestFleet {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("t{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let dir = PathBuf::from("/tmp").join(format!("qamd-ring-{name}"));
        std::fs::create_dir_all(&dir).unwrap();
        Self { paths: FleetPaths::new(Instance::parse(&name).unwrap(), dir).unwrap() }
    }
}

impl Drop for TestFleet {
    fn drop(&mut self) {
        remove_remains(&self.paths).unwrap();
        std::fs::remove_dir_all(self.paths.runtime_dir()).unwrap();
    }
}

fn tick(id: &str, volume: i32) -> Tick {
    let instrument_id = *InstrumentId::parse(id).unwrap().padded();
    Tick { instrument_id, volume, last_price: f64::from(volume), ..Tick::EMPTY }
}

fn now() -> Incarnation {
    Incarnation(clock::boot_ns())
}

fn volumes(reader: &mut TickReader) -> (Vec<i32>, u64) {
    let (mut seen, mut lost) = (Vec::new(), 0);
    loop {
        let drained = reader.drain(1000, &mut |tick| seen.push(tick.volume)).unwrap();
        lost += drained.lost;
        if drained.ticks == 0 {
            return (seen, lost);
        }
    }
}

#[test]
fn threads_of_one_process_may_open_it_at_once() {
    let fleet = TestFleet::new();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..25 {
                    drop(RingNode::open(&fleet.paths).unwrap());
                }
            });
        }
    });
}

#[test]
fn ticks_of_every_shard_arrive_bit_for_bit_and_in_order() {
    let fleet = TestFleet::new();
    let node = RingNode::open(&fleet.paths).unwrap();
    let mut reader = TickReader::open(&node).unwrap();
    for worker in 0..2 * RING_SHARDS {
        let incarnation = now();
        let mut writer = TickWriter::open(&node, WorkerId(worker), incarnation).unwrap();
        // The same from each would be copies.
        let instrument = format!("rb{}", 2601 + worker);
        let mut sent: Vec<Tick> = (0..11).map(|n| tick(&instrument, n)).collect();
        assert_eq!(writer.publish(&mut sent), 0);
        let mut got = Vec::new();
        let drained = reader.drain(100, &mut |tick| got.push(*tick)).unwrap();
        assert_eq!((drained.ticks, drained.lost), (11, 0));
        let sequences: Vec<u64> = got.iter().map(|tick| tick.sequence).collect();
        assert_eq!(sequences, (1..=11).collect::<Vec<u64>>());
        assert!(got.iter().all(|tick| tick.origin() == (WorkerId(worker), incarnation)));
        assert_eq!(got, sent, "what arrives is what was stamped and sent");
    }
    assert!(!reader.has_ticks());
}

/// What several workers bring comes out once, whether they share a shard or not, and goes on when one of them dies.
#[test]
fn two_workers_ticks_are_one_stream_and_stay_one_when_one_dies() {
    let fleet = TestFleet::new();
    let node = RingNode::open(&fleet.paths).unwrap();
    for (pair, others_worker) in [(1, RING_SHARDS + 1), (2, 3)] {
        let mut reader = TickReader::open(&node).unwrap();
        let mut one = TickWriter::open(&node, WorkerId(pair), now()).unwrap();
        let mut other = TickWriter::open(&node, WorkerId(others_worker), now()).unwrap();
        // A duplicate of the exchange's own among them: it is no copy.
        let ticks: Vec<Tick> = (0..400).map(|n| tick("AP610", n - n % 100 / 99)).collect();
        let mut expected: Vec<i32> = Vec::new();
        let mut copies = 0;
        for (number, part) in ticks[..200].chunks(8).enumerate() {
            let (ahead, behind) =
                if number % 2 == 0 { (&mut one, &mut other) } else { (&mut other, &mut one) };
            ahead.publish(&mut part.to_vec());
            behind.publish(&mut part.to_vec());
            expected.extend(part.iter().map(|tick| tick.volume));
            let mut seen = Vec::new();
            let drained = reader.drain(1000, &mut |tick| seen.push(tick.volume)).unwrap();
            assert_eq!((drained.ticks, drained.dropped, drained.lost), (16, 8, 0));
            assert_eq!(seen, expected[number * 8..]);
            copies += drained.dropped;
        }
        // One dies ahead of the other, with ticks unread.
        one.publish(&mut ticks[200..206].to_vec());
        drop(one);
        other.publish(&mut ticks[200..].to_vec());
        assert_eq!(
            volumes(&mut reader).0,
            ticks[200..].iter().map(|t| t.volume).collect::<Vec<_>>()
        );
        copies += 6;
        let mut again = [Tick { flags: TickFlags::SNAPSHOT.0, ..ticks[399] }];
        other.publish(&mut again);
        assert_eq!(volumes(&mut reader).0, [ticks[399].volume], "the last one on request");
        #[cfg(feature = "control")]
        compare(&reader, copies as u64);
    }
}

#[cfg(feature = "control")]
fn compare(reader: &TickReader, copies: u64) {
    let views = reader.connections();
    assert_eq!(views.iter().map(|view| view.ticks).sum::<u64>(), 400 + copies + 1);
    assert_eq!(views.iter().map(|view| view.copies).sum::<u64>(), copies);
    assert_eq!(views.iter().map(|view| view.won).sum::<u64>(), copies);
    assert!(views.iter().all(|view| (view.lost, view.late, view.missed) == (0, 0, 0)), "{views:?}");
}

/// Whoever began while the reader was held up, and wherever the reader begins: what waits comes whole and in order.
#[test]
fn a_reader_that_was_held_up_takes_a_newcomers_ticks_in_their_turn() {
    let fleet = TestFleet::new();
    let node = RingNode::open(&fleet.paths).unwrap();
    let at = |n: i32| Tick {
        exchange_time_ns: i64::from(n) * 1_000_000_000,
        receive_time_ns: i64::from(n) * 1_000_000_000,
        ..tick("m2505", n)
    };
    let mut next = 0;
    for newcomer in 2..2 + 2 * RING_SHARDS {
        let mut reader = TickReader::open(&node).unwrap();
        let mut dying = TickWriter::open(&node, WorkerId(0), now()).unwrap();
        let mut steady = TickWriter::open(&node, WorkerId(1), now()).unwrap();
        dying.publish(&mut [at(next)]);
        steady.publish(&mut [at(next)]);
        assert_eq!(volumes(&mut reader).0, [next]);
        // Held up here.
        let waiting = next + 1..next + 200;
        dying.publish(&mut waiting.clone().take(20).map(at).collect::<Vec<_>>());
        drop(dying);
        let mut newcomer = TickWriter::open(&node, WorkerId(newcomer), now()).unwrap();
        let begun = next + 50;
        newcomer.publish(&mut [Tick { flags: TickFlags::SNAPSHOT.0, ..at(begun) }]);
        newcomer.publish(&mut (begun + 1..next + 210).map(at).collect::<Vec<_>>());
        steady.publish(&mut waiting.map(at).collect::<Vec<_>>());
        let (seen, lost) = volumes(&mut reader);
        assert_eq!((seen, lost), ((next + 1..next + 210).collect(), 0));
        assert!(!reader.has_ticks());
        next += 1000;
    }
}

#[test]
fn a_copy_is_taken_for_one_of_those_that_a_drain_may_take() {
    let fleet = TestFleet::new();
    let node = RingNode::open(&fleet.paths).unwrap();
    let mut reader = TickReader::open(&node).unwrap();
    let mut one = TickWriter::open(&node, WorkerId(0), now()).unwrap();
    let mut other = TickWriter::open(&node, WorkerId(1), now()).unwrap();
    let ticks: Vec<Tick> = (0..20).map(|n| tick("rb2601", n)).collect();
    one.publish(&mut ticks.clone());
    assert_eq!(reader.drain(100, &mut |_| ()).unwrap().ticks, 20);
    other.publish(&mut ticks.clone());
    let drained = reader.drain(8, &mut |tick| panic!("{tick:?} is a copy")).unwrap();
    assert_eq!((drained.ticks, drained.dropped), (8, 8));
    assert!(reader.has_ticks());
    let drained = reader.drain(100, &mut |tick| panic!("{tick:?} is a copy")).unwrap();
    assert_eq!((drained.ticks, drained.dropped), (12, 12));
}

#[test]
fn a_reader_that_lags_loses_the_oldest_and_counts_them() {
    let fleet = TestFleet::new();
    let node = RingNode::open(&fleet.paths).unwrap();
    let mut reader = TickReader::open(&node).unwrap();
    let mut writer = TickWriter::open(&node, WorkerId(1), now()).unwrap();
    let surplus = 1000;
    let total = RING_READER_LAG_SAMPLES_MAX + surplus;
    for n in 0..total {
        assert_eq!(writer.publish(&mut [tick("rb2601", i32::try_from(n).unwrap())]), 0);
    }
    let (seen, lost) = volumes(&mut reader);
    assert_eq!(lost + seen.len() as u64, total as u64);
    assert_eq!(lost, surplus as u64);
    assert!(seen.is_sorted() && *seen.last().unwrap() == i32::try_from(total - 1).unwrap());
}

#[test]
fn a_sleeping_reader_is_woken_and_an_awake_one_is_not() {
    let fleet = TestFleet::new();
    let node = RingNode::open(&fleet.paths).unwrap();
    let mut reader = TickReader::open(&node).unwrap();
    let wake = WakeReader::open(&fleet.paths).unwrap();
    let other = WakeReader::open(&fleet.paths).unwrap();
    let mut writer = TickWriter::open(&node, WorkerId(1), now()).unwrap();
    let readable = |wake: &WakeReader, timeout: u16| {
        let mut fds = [PollFd::new(wake.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::from(timeout)).unwrap() == 1
    };

    writer.publish(&mut [tick("rb2601", 1)]);
    assert!(!readable(&wake, 0), "nobody said that it sleeps");

    assert_eq!(volumes(&mut reader).0, [1]);
    wake.prepare_sleep();
    assert!(!reader.has_ticks());
    writer.publish(&mut [tick("rb2601", 2)]);
    assert!(readable(&wake, 10_000), "the sleeper is woken");
    assert!(!readable(&other, 0), "and it alone");
    wake.awake();
    assert!(!readable(&wake, 0), "its pipe is empty again");
    writer.publish(&mut [tick("rb2601", 3)]);
    assert!(!readable(&wake, 0));
    assert_eq!(volumes(&mut reader).0, [2, 3]);
}

#[test]
fn a_reader_that_died_asleep_costs_nobody_anything() {
    let fleet = TestFleet::new();
    let node = RingNode::open(&fleet.paths).unwrap();
    let mut writer = TickWriter::open(&node, WorkerId(1), now()).unwrap();
    let dead = WakeReader::open(&fleet.paths).unwrap();
    dead.prepare_sleep();
    writer.publish(&mut [tick("rb2601", 1)]);
    dead.prepare_sleep();
    // A crash gives the slot back by closing the descriptor; leaking the rest stands for it.
    nix::unistd::close(std::os::fd::AsRawFd::as_raw_fd(&dead)).unwrap();
    std::mem::forget(dead);
    writer.publish(&mut [tick("rb2601", 2)]);

    let heir = WakeReader::open(&fleet.paths).unwrap();
    heir.prepare_sleep();
    writer.publish(&mut [tick("rb2601", 3)]);
    let mut fds = [PollFd::new(heir.as_fd(), PollFlags::POLLIN)];
    assert_eq!(poll(&mut fds, PollTimeout::from(10_000_u16)).unwrap(), 1);
}

#[test]
fn the_wake_table_of_another_version_is_refused() {
    let fleet = TestFleet::new();
    std::fs::write(fleet.paths.wake_table(), [7; 64]).unwrap();
    let error = WakeReader::open(&fleet.paths).unwrap_err().to_string();
    assert!(error.contains("is not a wake table"), "{error}");
}

#[test]
fn nothing_remains_when_remains_are_removed() {
    let fleet = TestFleet::new();
    let node = RingNode::open(&fleet.paths).unwrap();
    let writer = TickWriter::open(&node, WorkerId(0), now()).unwrap();
    // As after a crash: the files stay, the process is gone.
    std::mem::forget(writer);
    std::mem::forget(node);
    remove_remains(&fleet.paths).unwrap();
    let instance = fleet.paths.instance().to_string();
    let left: Vec<_> = std::fs::read_dir("/dev/shm")
        .unwrap()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(&instance))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(std::fs::read_dir(fleet.paths.runtime_dir()).unwrap().count(), 0);
}

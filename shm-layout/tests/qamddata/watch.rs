//! The index's mutex: real readers that hold it, alive and dead.

use std::time::Duration;

use std::thread::JoinHandle;

use shm_layout::clock::monotonic;
use shm_layout::qamddata::check::check;
use shm_layout::qamddata::{IndexLock, LockWatch, Verdict, owner_is_alive};
use shm_layout::shared_memory::{Opening, ReadWrite};

use crate::segment::{Own, Reader, universe};

#[test]
fn a_dead_holder_is_noticed_on_the_second_look() {
    let own = Own::new();
    let (mut owner, _) = own.open(&universe(5));
    let holder = Reader::that("hold", own.name());
    let pid = holder.process.id();
    let now = monotonic();
    assert_eq!(owner.watch_lock(now), Verdict::Well);
    let later = now + Duration::from_secs(60);
    let Verdict::HeldFor(lock, held) = owner.watch_lock(later) else { panic!("it is held") };
    assert_eq!((lock.owner, held), (pid, later - now));
    drop(holder);
    assert_eq!(owner.watch_lock(later), Verdict::Well);
    assert_eq!(owner.watch_lock(later), Verdict::Free(lock));
    assert_eq!(owner.watch_lock(later), Verdict::Well);
    assert_eq!(check(own.words().as_slice()).unwrap().index_lock, None);
    // It would wait for ever.
    drop(Reader::that("find", own.name()));
}

#[test]
fn a_holder_without_a_name_is_left_alone_by_a_start_and_freed_by_the_watch() {
    let own = Own::new();
    drop(own.open(&universe(5)));
    own.put(112 / 8, &[1, 0]);
    let (mut owner, opening) = own.open(&[]);
    assert_eq!(opening, Opening::Reused);
    let lock = check(own.words().as_slice()).unwrap().index_lock.unwrap();
    assert_eq!(lock.owner, 0);
    let now = monotonic();
    let looks = (0..100).take_while(|_| owner.watch_lock(now) == Verdict::Well).count();
    assert_eq!(looks, 7, "the eighth frees it");
    drop(Reader::that("find", own.name()));
}

/// A reader that sleeps until the mutex is free, whose holder is dead.
fn one_who_waits(own: &Own) -> JoinHandle<()> {
    drop(Reader::that("hold", own.name()));
    let name = own.name().to_owned();
    let waiting = std::thread::spawn(move || drop(Reader::that("find", &name)));
    // Its mutex says that somebody waits.
    while own.words()[112 / 8] & 0xffff_ffff != 2 {
        assert!(!waiting.is_finished(), "it found what it looked for in spite of the mutex");
        std::thread::yield_now();
    }
    waiting
}

#[test]
fn whoever_waits_goes_on_when_it_is_freed() {
    let own = Own::new();
    let (mut owner, _) = own.open(&universe(5));
    let waiting = one_who_waits(&own);
    assert_eq!(owner.watch_lock(monotonic()), Verdict::Well);
    assert!(matches!(owner.watch_lock(monotonic()), Verdict::Free(_)));
    waiting.join().unwrap();
}

/// The mutex wakes one of those who sleep when it becomes free; that one died before it took it.
#[test]
fn whoever_sleeps_beside_a_free_mutex_is_woken() {
    let own = Own::new();
    let (mut owner, _) = own.open(&universe(5));
    let waiting = one_who_waits(&own);
    own.put(112 / 8, &[0, 0]);
    while !waiting.is_finished() {
        assert!(matches!(owner.watch_lock(monotonic()), Verdict::Well));
        std::thread::yield_now();
    }
    waiting.join().unwrap();
}

#[test]
fn a_start_frees_the_mutex_of_the_dead_and_leaves_that_of_the_living() {
    let own = Own::new();
    drop(own.open(&universe(5)));
    let holder = Reader::that("hold", own.name());
    let (_, opening) = own.open(&[]);
    assert_eq!(opening, Opening::Reused);
    let lock = check(own.words().as_slice()).unwrap().index_lock.unwrap();
    assert_eq!(lock.owner, holder.process.id());
    assert!(owner_is_alive(lock.owner, own.place.path()));
    drop(holder);
    assert!(!owner_is_alive(lock.owner, own.place.path()));
    let (_, opening) = own.open(&[]);
    assert_eq!(opening, Opening::Reused);
    assert_eq!(check(own.words().as_slice()).unwrap().index_lock, None);
}

/// A thread id that was given to another process since lives, but has nothing to do with the segment.
#[test]
fn a_recycled_thread_id_is_a_dead_holder() {
    let (own, other) = (Own::new(), Own::new());
    let (mut owner, _) = own.open(&universe(5));
    drop(other.open(&[]));
    let stranger = Reader::that("find", other.name());
    // Locked once by that thread.
    own.put(112 / 8, &[1 | 1 << 32, u64::from(stranger.process.id()) | 1 << 32]);
    let now = monotonic();
    assert_eq!(owner.watch_lock(now), Verdict::Well);
    assert!(matches!(owner.watch_lock(now), Verdict::Free(_)));
    assert_eq!(check(own.words().as_slice()).unwrap().index_lock, None);
    drop(stranger);
}

#[test]
fn a_lock_that_changed_hands_is_not_freed() {
    let own = Own::new();
    drop(own.open(&[]));
    let file = own.place.open_write().unwrap();
    let memory = ReadWrite::map(&file).unwrap();
    own.put(112 / 8, &[1 | 1 << 32, 77 | 1 << 32]);
    let lock = IndexLock::of(&memory).unwrap();
    own.put(112 / 8, &[1 | 1 << 32, 78 | 1 << 32]);
    assert!(!lock.free(&memory));
    assert_eq!(IndexLock::of(&memory).unwrap().owner, 78);
    let mut watch = LockWatch::default();
    let now = monotonic();
    assert_eq!(watch.look(now, Some(lock), |_| false), Verdict::Well);
    // Another's death is told anew.
    assert_eq!(watch.look(now, IndexLock::of(&memory), |_| false), Verdict::Well);
    assert_eq!(watch.look(now, None, |_| false), Verdict::Well);
    assert_eq!(watch.look(now, Some(lock), |_| false), Verdict::Well);
    assert_eq!(watch.look(now, Some(lock), |_| false), Verdict::Free(lock));
}

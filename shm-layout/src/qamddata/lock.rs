//! The mutex of the index of objects: who has it, and what to do when that one is dead.
//!
//! A reader takes it in `find`, and one that is killed there leaves it locked for everybody. It guards nothing that a reader
//! changes, so it can simply be unlocked. The kernel does not say when its holder died, so a watch looks twice.
//!
//! A reader has the mutex for some nanoseconds before it has written who it is, and again after it has taken that back. In a
//! crowd of readers every twentieth look falls there, so a holder without a name is believed dead only after many looks.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use super::layout::{INDEX_MUTEX, mutex};
use crate::shared_memory::{ReadWrite, WORD_BYTES, Words};

/// The mutex while somebody has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexLock {
    /// The holder's thread id; 0 while it has not said so yet.
    pub owner: u32,
    /// Its word in the mutex, with how many use it.
    word: u64,
}

/// What a watch has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is free, or has not been held for long.
    Well,
    /// Its holder is dead on two looks: free it.
    Free(IndexLock),
    /// Its holder lives and has had it for a while, which stops every other reader.
    HeldFor(IndexLock, Duration),
}

/// Watches the mutex. Pure but for what it is told.
#[derive(Debug, Default)]
pub struct LockWatch {
    seen: Option<(IndexLock, Instant, u32)>,
}

/// Looks at which a holder must be dead in a row.
const DEAD_LOOKS: u32 = 2;
/// Looks at which there must be a holder without a name in a row.
const NAMELESS_LOOKS: u32 = 8;
/// So often a nameless holder is looked at again at once: one that runs has its name, or is through, long before.
const NAMELESS_AGAIN: u32 = 1000;

/// A `find` takes well under a microsecond; a holder that has it for so long hangs.
const HELD_LONG: Duration = Duration::from_secs(5);

// === impl IndexLock ===

impl IndexLock {
    /// The mutex in a segment, when somebody has it.
    #[must_use]
    pub fn of<W: Words + ?Sized>(words: &W) -> Option<Self> {
        let state = words.at(INDEX_MUTEX + mutex::LOCK)?;
        let holder = words.at(INDEX_MUTEX + mutex::OWNER)?;
        // The lower half of each word is the field, the upper half the one behind it.
        let [lock, owner] = [state, holder].map(|word| (word & 0xffff_ffff) as u32);
        (lock != 0).then_some(Self { owner, word: holder })
    }

    /// As [`Self::of`], and looks again for some microseconds where the holder has not said who it is.
    #[must_use]
    pub fn settled<W: Words + ?Sized>(words: &W) -> Option<Self> {
        let mut lock = Self::of(words)?;
        for _ in 0..NAMELESS_AGAIN {
            if lock.owner != 0 {
                break;
            }
            std::hint::spin_loop();
            lock = Self::of(words)?;
        }
        Some(lock)
    }

    /// Unlocks the mutex for its dead holder, unless it was unlocked or taken by another meanwhile. True when it did.
    pub fn free(self, memory: &ReadWrite) -> bool {
        let words = memory.words();
        let at = |offset: u64| &words[(INDEX_MUTEX + offset) as usize / WORD_BYTES];
        if at(mutex::OWNER).load(Ordering::SeqCst) != self.word {
            return false;
        }
        at(mutex::OWNER).store(0, Ordering::SeqCst);
        // Whoever begins to wait meanwhile makes a 2 of the 1, so the lock's word is swapped whatever it is.
        at(mutex::LOCK).store(0, Ordering::SeqCst);
        memory.wake_all(INDEX_MUTEX as usize);
        true
    }
}

// === impl LockWatch ===

impl LockWatch {
    /// Looks once. `is_alive` says whether the holder's thread lives.
    pub fn look(
        &mut self,
        now: Instant,
        lock: Option<IndexLock>,
        is_alive: impl FnOnce(u32) -> bool,
    ) -> Verdict {
        let Some(lock) = lock else {
            self.seen = None;
            return Verdict::Well;
        };
        let alive = lock.owner != 0 && is_alive(lock.owner);
        let (since, dead_before) = match self.seen {
            Some((seen, since, dead)) if seen == lock => (since, dead),
            _ => (now, 0),
        };
        let dead = if alive { 0 } else { dead_before + 1 };
        self.seen = Some((lock, since, dead));
        let held = now.saturating_duration_since(since);
        if dead >= if lock.owner == 0 { NAMELESS_LOOKS } else { DEAD_LOOKS } {
            self.seen = None;
            return Verdict::Free(lock);
        }
        if alive && held >= HELD_LONG {
            return Verdict::HeldFor(lock, held);
        }
        Verdict::Well
    }
}

/// True when a thread of this id lives and has the segment mapped: ids are given anew, so a thread that has not is another.
#[must_use]
pub fn owner_is_alive(thread: u32, segment: &Path) -> bool {
    let Ok(raw) = i32::try_from(thread) else { return false };
    if kill(Pid::from_raw(raw), None) == Err(Errno::ESRCH) {
        return false;
    }
    let Ok(maps) = std::fs::read_to_string(format!("/proc/{thread}/maps")) else {
        // Another user's, about whom nothing can be said.
        return Path::new(&format!("/proc/{thread}")).exists();
    };
    // A zombie maps nothing.
    segment.to_str().is_none_or(|name| maps.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    /// A segment's beginning in which a thread has locked the mutex so often.
    fn locked(owner: u64, count: u64) -> Vec<u64> {
        let mut words = vec![0; 32];
        words[INDEX_MUTEX as usize / WORD_BYTES] = 1 | count << 32;
        words[(INDEX_MUTEX + mutex::OWNER) as usize / WORD_BYTES] = owner | 1 << 32;
        words
    }

    fn lock_of(words: &[u64]) -> Option<IndexLock> {
        IndexLock::of(words)
    }

    #[test]
    fn the_mutex_says_who_has_it() {
        assert_eq!(lock_of(&[]), None);
        assert_eq!(lock_of(&vec![0; 32]), None);
        assert_eq!(lock_of(&locked(77, 1)).map(|lock| lock.owner), Some(77));
        // Only the lower half is the lock: a count alone is none.
        let mut words = locked(0, 3);
        words[INDEX_MUTEX as usize / WORD_BYTES] &= !1;
        assert_eq!(lock_of(&words), None);
    }

    #[test]
    fn the_dead_are_freed_on_the_second_look_and_the_living_never() {
        let mut watch = LockWatch::default();
        let start = clock::monotonic();
        let lock = lock_of(&locked(77, 1));
        assert_eq!(watch.look(start, lock, |_| false), Verdict::Well);
        // It lived after all.
        assert_eq!(watch.look(start, lock, |_| true), Verdict::Well);
        assert_eq!(watch.look(start, lock, |_| false), Verdict::Well);
        assert_eq!(watch.look(start, lock, |_| false), Verdict::Free(lock.unwrap()));
        for seconds in 0..100 {
            let held = Duration::from_secs(seconds);
            let expected = match held {
                held if held < HELD_LONG => Verdict::Well,
                held => Verdict::HeldFor(lock.unwrap(), held),
            };
            let asked = |owner| {
                assert_eq!(owner, 77);
                true
            };
            assert_eq!(watch.look(start + held, lock, asked), expected);
        }
    }

    #[test]
    fn another_holder_is_watched_anew() {
        let mut watch = LockWatch::default();
        let start = clock::monotonic();
        for owner in 1..50 {
            let lock = lock_of(&locked(owner, 1));
            assert_eq!(watch.look(start, lock, |_| false), Verdict::Well, "{owner}");
        }
        let last = lock_of(&locked(49, 1));
        // Free in between.
        assert_eq!(watch.look(start, None, |_| false), Verdict::Well);
        assert_eq!(watch.look(start, last, |_| false), Verdict::Well);
        assert_eq!(watch.look(start, last, |_| false), Verdict::Free(last.unwrap()));
    }

    #[test]
    fn a_holder_that_never_said_who_it_is_is_dead() {
        let mut watch = LockWatch::default();
        let start = clock::monotonic();
        let lock = lock_of(&locked(0, 0));
        let unasked = |_| -> bool { panic!("thread 0 is nobody") };
        for _ in 1..NAMELESS_LOOKS {
            assert_eq!(watch.look(start, lock, unasked), Verdict::Well);
        }
        assert_eq!(watch.look(start, lock, unasked), Verdict::Free(lock.unwrap()));
    }

    #[test]
    fn a_crowd_of_holders_without_a_name_lives() {
        let mut watch = LockWatch::default();
        let start = clock::monotonic();
        let unasked = |_| -> bool { panic!("thread 0 is nobody") };
        let nameless = lock_of(&locked(0, 0));
        for look in 0..1000 {
            // In between it is free, or somebody's who lives.
            let between = if look % 2 == 0 { None } else { lock_of(&locked(77, 1)) };
            for _ in 1..NAMELESS_LOOKS {
                assert_eq!(watch.look(start, nameless, unasked), Verdict::Well);
            }
            assert_eq!(watch.look(start, between, |_| true), Verdict::Well);
        }
        let settled = |words: &[u64]| IndexLock::settled(words);
        assert_eq!(settled(&locked(0, 0)), nameless);
        assert_eq!(settled(&[0; 32]), None);
    }

    #[test]
    fn a_thread_lives_that_has_the_segment_mapped() {
        let ours = std::process::id();
        let program = std::env::current_exe().unwrap();
        assert!(owner_is_alive(ours, &program));
        assert!(!owner_is_alive(ours, Path::new("/dev/shm/mapped-by-nobody")));
        assert!(!owner_is_alive(u32::MAX, &program));
        assert!(!owner_is_alive(i32::MAX.cast_unsigned(), &program));
    }
}

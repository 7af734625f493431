//! Damage of every kind: what the check accepts, Boost must be able to work with.
//!
//! `QAMD_FUZZ_SEED` and `QAMD_FUZZ_ROUNDS` run it longer or again.

use std::process::{Command, Stdio};
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use shm_layout::clock::monotonic;
use shm_layout::qamddata::check::{Sound, check, find};
use shm_layout::qamddata::layout::{
    ALLOCATED, ALLOCATOR_MUTEX, EXTRA_BYTES, FIRST_BLOCK, FREE_COUNT, FREE_TREE, INDEX_MUTEX,
    Instrument, NAMED_COUNT, NAMED_TREE, SIZE, STATUS, UNIQUE_COUNT, UNIQUE_TREE, mutex,
};
use shm_layout::shared_memory::Opening;

use crate::segment::{Own, Random, Reader, SHARING, WORDS, key, universe};

/// Words at the end that belong to the structure: the end block.
const TAIL: usize = 2;
/// Tells this binary, run anew, to hand what the check accepts to Boost.
const CHILD: &str = "QAMD_FUZZ_CHILD";

/// A real segment, with how many words of it are in use.
struct Image {
    words: Vec<u64>,
    used: usize,
    sound: Sound,
}

impl Image {
    /// Of instruments in random order; a reader may have left its own things and holes among them.
    fn of(count: usize, is_littered: bool) -> Self {
        let own = Own::new();
        let mut random = Random(count as u64);
        let mut universe = universe(count);
        random.shuffle(&mut universe);
        let half = universe.split_off(count / 2);
        let (mut owner, _) = own.open(&universe);
        if is_littered {
            drop(Reader::that("litter", own.name()));
        }
        for (key, instrument) in &half {
            owner.insert(key, instrument).unwrap();
        }
        let words = own.words();
        let sound = check(words.as_slice()).unwrap();
        assert_eq!(sound.instruments.len(), count);
        let used = words[..WORDS - TAIL].iter().rposition(|word| *word != 0).unwrap() + 1;
        Self { words, used, sound }
    }

    /// Damages a few words; gives what stood there.
    fn damage(&mut self, random: &mut Random) -> Vec<(usize, u64)> {
        let mut before = Vec::new();
        for _ in 0..=random.below(4).saturating_sub(random.below(4)) {
            let index = match random.below(8) {
                0 | 1 => random.below(FIRST_BLOCK as usize / 8 + 4),
                2 => WORDS - TAIL + random.below(TAIL),
                _ => random.below(self.used),
            };
            before.push((index, self.words[index]));
            self.words[index] = self.value(index, random);
        }
        before
    }

    fn value(&self, index: usize, random: &mut Random) -> u64 {
        let (old, at) = (self.words[index], index as u64 * 8);
        let small = random.next() % 64;
        match random.below(14) {
            0 => random.next(),
            1 => old ^ (1 << (random.next() % 64)),
            2 => old.wrapping_add(small * 8),
            3 => old.wrapping_sub(small * 8),
            4 => old ^ 2,
            5 => small,
            6 => 1,
            7 => u64::MAX - small,
            // Another word's, which is a sound value elsewhere.
            8 => self.words[random.below(self.used)],
            // A link to something that is there, or is just beside it.
            9..=11 => {
                let count = self.sound.instruments.len().max(1);
                let node = self
                    .sound
                    .instruments
                    .get(random.below(count))
                    .map_or(FIRST_BLOCK, |at| at.1 - 88);
                node.wrapping_sub(at).wrapping_add([0, 0, 0, 2, 8, 16][random.below(6)])
            }
            12 => (random.below(self.used) as u64 * 8).wrapping_sub(at) & !15,
            // The same distance as a word near by, so that two nodes share a link.
            _ => {
                let near = (index + random.below(5)).saturating_sub(2).min(WORDS - 1);
                self.words[near].wrapping_add(near as u64 * 8).wrapping_sub(at)
            }
        }
    }

    fn restore(&mut self, before: Vec<(usize, u64)>) {
        for (index, word) in before.into_iter().rev() {
            self.words[index] = word;
        }
    }
}

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap())
}

fn images() -> Vec<Image> {
    [(0, false), (1, false), (6, true), (40, false), (60, true)]
        .map(|(count, is_littered)| Image::of(count, is_littered))
        .into()
}

#[test]
fn damaged_words_never_crash_the_check() {
    let seed = number("QAMD_FUZZ_SEED", 1);
    let rounds = number("QAMD_FUZZ_ROUNDS", 20_000);
    let mut images = images();
    let mut random = Random(seed);
    let (mut sound, mut found) = (0_u64, 0_u64);
    for round in 0..rounds {
        let which = random.below(images.len());
        let image = &mut images[which];
        let before = image.damage(&mut random);
        match check(image.words.as_slice()) {
            Ok(_) => sound += 1,
            Err(damage) => assert!(!damage.to_string().is_empty(), "round {round}"),
        }
        // A reader does not check all of it first.
        for (key, _) in image.sound.instruments.iter().take(3) {
            found += u64::from(find(image.words.as_slice(), image.sound.map, key).is_some());
        }
        image.restore(before);
    }
    say(&format!("{rounds} rounds from seed {seed}: {sound} sound, {found} keys found"));
    assert!(sound > 0 && sound < rounds, "of {rounds} damaged segments {sound} are sound");
    for image in &images {
        assert_eq!(check(image.words.as_slice()), Ok(image.sound.clone()));
    }
}

#[expect(clippy::print_stderr, reason = "whoever runs it for long wants to know")]
fn say(text: &str) {
    eprintln!("{text}");
}

#[test]
fn every_word_of_the_header_is_checked() {
    let mut image = Image::of(40, true);
    let fields = [
        STATUS,
        ALLOCATOR_MUTEX + mutex::LOCK,
        ALLOCATOR_MUTEX + mutex::OWNER,
        ALLOCATOR_MUTEX + mutex::KIND,
        FREE_COUNT,
        FREE_TREE,
        FREE_TREE + 8,
        FREE_TREE + 16,
        EXTRA_BYTES,
        ALLOCATED,
        SIZE,
        INDEX_MUTEX + mutex::KIND,
        NAMED_COUNT,
        NAMED_TREE,
        NAMED_TREE + 8,
        NAMED_TREE + 16,
        UNIQUE_COUNT,
        UNIQUE_TREE,
        UNIQUE_TREE + 8,
        UNIQUE_TREE + 16,
        FIRST_BLOCK,
        FIRST_BLOCK + 8,
        image.sound.map,
        image.sound.map + 8,
        image.sound.map + 16,
        image.sound.map + 24,
        image.sound.map + 32,
    ];
    for at in fields {
        let index = usize::try_from(at).unwrap() / 8;
        let old = image.words[index];
        for value in [
            0,
            1,
            2,
            3,
            old ^ 2,
            old + 8,
            old + 16,
            old.wrapping_sub(16),
            u64::MAX,
            1 << 63,
            0x00ff_ffff_ff00,
        ] {
            // Half of these words only is a field, and mutexes of both kinds are good.
            let halves = [STATUS, INDEX_MUTEX + mutex::KIND].into_iter().chain(
                [mutex::LOCK, mutex::OWNER, mutex::KIND].map(|field| ALLOCATOR_MUTEX + field),
            );
            let is_kind = at % 16 == 0 && at > 16;
            let change = (value ^ old) & 0xffff_ffff & if is_kind { !0x10 } else { !0 };
            let same = halves.into_iter().any(|half| half == at) && change == 0;
            if value == old || same {
                continue;
            }
            image.words[index] = value;
            let checked = check(image.words.as_slice());
            assert!(checked.is_err(), "{value:#x} at {at} instead of {old:#x} passed for sound");
        }
        image.words[index] = old;
    }
}

/// The sample that goes through Boost runs in a process of its own, so that what would crash is seen and not suffered.
#[test]
fn what_the_check_accepts_boost_can_extend() {
    if std::env::var_os(CHILD).is_some() {
        return extend_with_boost();
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "fuzz::what_the_check_accepts_boost_can_extend", "--nocapture"]);
    command.env(CHILD, "1").stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    let (done, ended) = std::sync::mpsc::channel::<()>();
    let rounds = number("QAMD_FUZZ_BOOST_ROUNDS", 200);
    let watchdog = std::thread::spawn(move || {
        // A hang is a finding too; a slow machine is none.
        let patience = Duration::from_secs(120 + rounds / 20);
        if ended.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
            nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
        }
    });
    let output = child.wait_with_output().unwrap();
    drop(done);
    watchdog.join().unwrap();
    let said =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    let tail: String = said.concat().lines().rev().take(12).collect::<Vec<_>>().join(" <- ");
    assert!(output.status.success(), "it ended with {}, having said: {tail}", output.status);
}

fn extend_with_boost() {
    let mut random = Random(number("QAMD_FUZZ_SEED", 1));
    let rounds = number("QAMD_FUZZ_BOOST_ROUNDS", 200);
    let more: Vec<_> = (0..100).map(|number| key(&format!("{}-new", number * 37 % 100))).collect();
    let mut images = images();
    let owns: Vec<Own> = images.iter().map(|_| Own::new()).collect();
    for (image, own) in images.iter().zip(&owns) {
        drop(own.open(&[]));
        own.put(0, &image.words);
    }
    let (mut sampled, started) = (0, monotonic());
    while sampled < rounds {
        let which = random.below(images.len());
        let (image, own) = (&mut images[which], &owns[which]);
        let before = image.damage(&mut random);
        if let Ok(sound) = check(image.words.as_slice()) {
            sampled += 1;
            let changes = before.iter().map(|(index, _)| (*index, image.words[*index]));
            let changes: Vec<_> = changes.collect();
            say(&format!("sample {sampled} of image {which}: {changes:#x?}"));
            for (index, word) in &changes {
                own.put(*index, &[*word]);
            }
            let (mut owner, opening) =
                shm_layout::qamddata::QamddataOwner::open(&own.place, &[], SHARING).unwrap();
            assert_eq!(opening, Opening::Reused);
            for key in &more {
                owner.insert(key, &Instrument::UNKNOWN).unwrap();
            }
            let after = own.check().unwrap();
            assert_eq!(after.instruments.len(), sound.instruments.len() + more.len());
            // The used part, what was added behind it, and the end.
            let touched = (image.used + more.len() * 64).min(WORDS);
            image.restore(before);
            own.put(0, &image.words[..touched]);
            own.put(WORDS - TAIL, &image.words[WORDS - TAIL..]);
        } else {
            image.restore(before);
        }
    }
    say(&format!("{sampled} samples in {:?}", started.elapsed()));
}

//! Making a segment, taking one over, and what is put away.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use shm_layout::qamddata::check::{check, find};
use shm_layout::qamddata::layout::{Instrument, SEGMENT_BYTES};
use shm_layout::shared_memory::{Opening, Place, Words};

use crate::segment::{Own, Random, Reader, key, universe};

fn assert_sound(own: &Own, universe: &[(shm_layout::qamddata::QamddataKey, Instrument)]) {
    let words = own.words();
    let sound = check(words.as_slice()).unwrap();
    let mut expected = universe.to_vec();
    expected.sort_by_key(|(key, _)| *key);
    assert_eq!(sound.instruments.len(), expected.len());
    assert_eq!((sound.index_lock, sound.leaked_bytes), (None, 0));
    for ((found, offset), (key, instrument)) in sound.instruments.iter().zip(&expected) {
        assert_eq!(found, key);
        assert_eq!(find(words.as_slice(), sound.map, key), Some(*offset));
        // The padding is zero, and the multiple is this instrument's.
        let multiple = words.as_slice().at(offset + 16).map(u64::cast_signed);
        assert_eq!(
            (words.as_slice().at(*offset), multiple),
            (Some(0), Some(instrument.volume_multiple))
        );
    }
    assert_eq!(find(words.as_slice(), sound.map, &key("there-is-none")), None);
}

#[test]
fn fresh_segments_are_sound_and_reused() {
    for count in [0, 1, 5, 200, 25_000] {
        let mut descending = universe(count);
        descending.reverse();
        let mut shuffled = universe(count);
        Random(9).shuffle(&mut shuffled);
        for universe in [universe(count), descending, shuffled] {
            let own = Own::new();
            let (owner, opening) = own.open(&universe);
            assert_eq!((owner.len(), opening), (count, Opening::Made));
            assert_sound(&own, &universe);
            let inode = owner.inode();
            drop(owner);
            let (owner, opening) = own.open(&[]);
            assert_eq!((owner.len(), owner.inode(), opening), (count, inode, Opening::Reused));
        }
    }
}

#[test]
fn instruments_of_the_past_are_left_behind_before_they_fill_it() {
    let own = Own::new();
    let past = universe(140_000);
    drop(own.open(&past));
    let (owner, opening) = own.open(&past[..80_000]);
    assert_eq!((owner.len(), opening), (140_000, Opening::Reused), "most of it is listed");
    drop(owner);
    let (owner, opening) = own.open(&past[..60_000]);
    assert!(
        matches!(&opening, Opening::Replaced(why) if why.contains("of the past")),
        "{opening:?}"
    );
    assert_eq!(owner.len(), 60_000);
    assert!(own.place.quarantine().exists());
}

#[test]
fn additions_are_sound_and_survive() {
    let own = Own::new();
    let mut all = universe(100);
    let (mut owner, _) = own.open(&all);
    let mut added: Vec<_> =
        (0..300).map(|number| (key(&format!("n{number}")), Instrument::UNKNOWN)).collect();
    Random(3).shuffle(&mut added);
    for (key, instrument) in added {
        let instrument = Instrument { volume_multiple: 5, ..instrument };
        let offset = owner.insert(&key, &instrument).unwrap();
        assert_eq!(owner.insert(&key, &instrument), Ok(offset));
        all.push((key, instrument));
    }
    assert_sound(&own, &all);
    let (again, opening) = own.open(&[]);
    assert_eq!((again.len(), opening), (400, Opening::Reused));
    assert!(all.iter().all(|(key, _)| again.find(key) == owner.find(key)));
}

#[test]
fn a_full_segment_is_sound_to_the_last_byte() {
    let own = Own::new();
    let (owner, _) = own.open(&universe(180_000));
    let words = own.words();
    let sound = check(words.as_slice()).unwrap();
    assert_eq!(sound.instruments.len(), owner.len());
    assert!(sound.free_bytes < 192, "{} bytes are free", sound.free_bytes);
    assert!((170_000..180_000).contains(&owner.len()));
    drop(owner);
    let (mut owner, opening) = own.open(&universe(180_000));
    assert_eq!(opening, Opening::Reused);
    assert!(owner.insert(&key("one-more"), &Instrument::UNKNOWN).is_err());
}

#[test]
fn what_a_reader_made_of_its_own_is_tolerated() {
    let own = Own::new();
    let (mut owner, _) = own.open(&universe(50));
    drop(Reader::that("litter", own.name()));
    let sound = check(own.words().as_slice()).unwrap();
    // What it allocated without a name belongs to nothing.
    assert!(sound.leaked_bytes > 0);
    for number in 0..100 {
        owner.insert(&key(&format!("n{number}")), &Instrument::UNKNOWN).unwrap();
    }
    assert_eq!(check(own.words().as_slice()).unwrap().instruments.len(), 150);
    drop(Reader::that("find", own.name()));
}

fn assert_replaced(own: &Own, what: &str) {
    let universe = universe(20);
    let (_, opening) = own.open(&universe);
    assert!(matches!(opening, Opening::Replaced(_)), "{what}: {opening:?}");
    assert!(std::fs::symlink_metadata(own.place.quarantine()).is_ok(), "{what} was not put away");
    assert_sound(own, &universe);
}

#[test]
fn what_is_no_segment_is_put_away() {
    let zeros = |bytes: u64| {
        move |place: &Place| std::fs::File::create(place.path()).unwrap().set_len(bytes).unwrap()
    };
    let foreign =
        |place: &Place| std::fs::write(place.path(), "something else\n".repeat(9999)).unwrap();
    let directory = |place: &Place| std::fs::create_dir(place.path()).unwrap();
    let link = |place: &Place| symlink("/dev/null", place.path()).unwrap();
    let dangling = |place: &Place| symlink("/nowhere/at-all", place.path()).unwrap();
    let pipe = |place: &Place| {
        nix::unistd::mkfifo(place.path(), nix::sys::stat::Mode::S_IRWXU).unwrap();
    };
    type Make<'a> = &'a dyn Fn(&Place);
    let cases: [(&str, Make<'_>); 9] = [
        ("an empty file", &zeros(0)),
        ("a byte", &zeros(1)),
        ("a page of zeros", &zeros(4096)),
        ("a segment of zeros", &zeros(SEGMENT_BYTES)),
        ("another file", &foreign),
        ("a directory", &directory),
        ("a link", &link),
        ("a link to nowhere", &dangling),
        ("a pipe", &pipe),
    ];
    for (what, make) in cases {
        let own = Own::new();
        make(&own.place);
        assert_replaced(&own, what);
    }
}

#[test]
fn what_was_put_away_before_stands_in_nobodys_way() {
    let own = Own::new();
    let full = |path: &std::path::Path| {
        std::fs::create_dir(path).unwrap();
        std::fs::write(path.join("within"), "x").unwrap();
    };
    for round in 0..3 {
        drop(std::fs::remove_file(own.place.path()));
        full(own.place.path());
        assert_replaced(&own, &format!("directory {round}"));
        assert!(own.place.quarantine().join("within").exists());
        std::fs::write(own.place.path(), "x").unwrap();
        assert_replaced(&own, &format!("file {round}"));
        assert_eq!(std::fs::read(own.place.quarantine()).unwrap(), b"x");
    }
}

#[test]
fn what_killed_owners_left_half_made_goes_with_the_next() {
    let (own, other) = (Own::new(), Own::new());
    let beside = |own: &Own, suffix: &str| {
        let path = own.place.path().with_file_name(format!("{}.{suffix}", own.name()));
        std::fs::write(&path, "").unwrap();
        path
    };
    let stale = [beside(&own, "new-1"), beside(&own, &format!("new-{}", std::process::id()))];
    let others = [beside(&own, "new-"), beside(&own, "new-1x"), beside(&other, "new-1")];
    drop(own.open(&[]));
    let stays = |path: &std::path::PathBuf| path.exists();
    let (gone, kept) = (!stale.iter().any(stays), others.iter().all(stays));
    others.iter().for_each(|path| std::fs::remove_file(path).unwrap());
    assert!(gone && kept);
    // Also where what stands is sound.
    let stale = beside(&own, "new-7");
    assert_eq!((own.open(&[]).1, stale.exists()), (Opening::Reused, false));
}

#[test]
fn a_damaged_or_truncated_segment_is_put_away() {
    let own = Own::new();
    drop(own.open(&universe(20)));
    let old = std::fs::metadata(own.place.path()).unwrap().ino();
    let file = std::fs::OpenOptions::new().write(true).open(own.place.path()).unwrap();
    file.set_len(SEGMENT_BYTES / 2).unwrap();
    assert_replaced(&own, "half a segment");
    assert_eq!(std::fs::metadata(own.place.quarantine()).unwrap().ino(), old);
    // The number of instruments.
    let map = usize::try_from(check(own.words().as_slice()).unwrap().map).unwrap();
    own.put(map / 8 + 1, &[21]);
    assert_replaced(&own, "a wrong count");
    let (_, opening) = own.open(&[]);
    assert_eq!(opening, Opening::Reused);
}

#[test]
fn the_mode_is_as_asked_whoever_set_another() {
    let own = Own::new();
    drop(own.open(&universe(5)));
    let mode = || std::fs::metadata(own.place.path()).unwrap().mode() & 0o7777;
    assert_eq!(mode(), 0o600);
    std::fs::set_permissions(own.place.path(), PermissionsExt::from_mode(0o666)).unwrap();
    let (_, opening) = own.open(&[]);
    assert_eq!((opening, mode()), (Opening::Reused, 0o600));
}

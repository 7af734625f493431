//! Looking at both segments without asking anybody.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use nix::unistd::{Gid, Group, Uid, User};
use shm_layout::clock;
use shm_layout::depth::{DepthReader, Found, SlotIndex};
use shm_layout::qamddata::check::Sound;
use shm_layout::qamddata::layout::{UNIT, entry};
use shm_layout::qamddata::{Instrument, owner_is_alive};
use shm_layout::shared_memory::{Place, ReadOnly, Words};

use super::health::{
    DepthFacts, FileFacts, Health, IndexMutex, QamddataFacts, Quarantined, Segment, State,
};
use super::segments::{Segments, holder, open_depth, open_qamddata};

/// Bytes that an instrument takes of `qamddata`.
const INSTRUMENT_BYTES: u64 = entry::UNITS * UNIT;

/// The health of both.
pub(super) fn look(segments: &Segments) -> Health {
    Health {
        instance: *segments.paths().instance(),
        depth: depth(segments),
        qamddata: segments.qamddata.as_ref().map(qamddata),
    }
}

fn depth(segments: &Segments) -> Segment<DepthFacts> {
    let place = &segments.depth;
    let looked = open_depth(place).and_then(|reader| depth_facts(&reader));
    // The depth segment belongs to whoever has the fleet's name.
    segment(place, &segments.paths().instance_claim(), looked)
}

fn qamddata(place: &Place) -> Segment<QamddataFacts> {
    let looked = open_qamddata(place).map(|(memory, sound)| qamddata_facts(place, &memory, &sound));
    segment(place, &place.owner_lock(), looked)
}

fn segment<F>(place: &Place, lock: &Path, looked: Result<F, State>) -> Segment<F> {
    let path = place.path().to_owned();
    let (state, facts) = match looked {
        Ok(facts) => (State::Sound, Some(facts)),
        Err(state) => (state, None),
    };
    Segment {
        name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        state,
        file: path.symlink_metadata().ok().map(|found| file_facts(&found)),
        owner: holder(lock),
        facts,
        quarantined: quarantined(place),
        path,
    }
}

fn file_facts(found: &Metadata) -> FileFacts {
    let named = |name: Option<String>, number: u32| name.unwrap_or_else(|| number.to_string());
    let user = User::from_uid(Uid::from_raw(found.uid())).ok().flatten();
    let group = Group::from_gid(Gid::from_raw(found.gid())).ok().flatten();
    FileFacts {
        bytes: found.size(),
        // The system counts in blocks of 512 bytes.
        bytes_in_memory: found.blocks().saturating_mul(512),
        mode: found.mode() & 0o7777,
        user: named(user.map(|user| user.name), found.uid()),
        group: named(group.map(|group| group.name), found.gid()),
        inode: found.ino(),
    }
}

fn quarantined(place: &Place) -> Option<Quarantined> {
    let path = place.quarantine();
    let found = path.symlink_metadata().ok()?;
    let modified = found.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let modified_ms = i64::try_from(modified.unwrap_or(Duration::ZERO).as_millis());
    let modified_ms_ago = ms_between(modified_ms.unwrap_or_default(), clock::unix_ms());
    Some(Quarantined { bytes: found.size(), modified_ms_ago, path })
}

/// Milliseconds from one moment to another; none when clocks went back meanwhile.
pub(super) fn ms_between(from_ms: i64, to_ms: i64) -> u64 {
    u64::try_from(to_ms.saturating_sub(from_ms)).unwrap_or_default()
}

/// What is in the depth segment, with every slot in use looked at.
fn depth_facts(reader: &DepthReader) -> Result<DepthFacts, State> {
    let (mut carried, mut ticked, mut latest_ns) = (0, 0, None);
    for number in 0..reader.len() {
        let (slot, damaged) =
            (SlotIndex(number), |what| State::Damaged(format!("slot {number} {what}")));
        let head = reader.head(slot).ok_or_else(|| damaged("holds no instrument's id"))?;
        if reader.find(&head.instrument) != Some(slot) {
            return Err(damaged("is not where the index leads"));
        }
        carried += u64::from(head.carried_since_ns.is_some());
        ticked += u64::from(head.ticks > 0);
        if let Found::Latest(tick) = reader.read(slot) {
            latest_ns = latest_ns.max(Some(tick.receive_time_ns));
        }
    }
    let (owner_pid, owner_seen_ns) = reader.owner();
    let now_ms = clock::unix_ms();
    let ms_ago = |ns: i64| ms_between(ns / 1_000_000, now_ms);
    Ok(DepthFacts {
        instruments: u64::from(reader.len()),
        room: reader.capacity().saturating_sub(u64::from(reader.len())),
        carried,
        ticked,
        last_write_ms_ago: latest_ns.map(ms_ago),
        owner_pid,
        owner_seen_ms_ago: ms_ago(owner_seen_ns),
        qamddata: reader.qamddata(),
    })
}

fn qamddata_facts(place: &Place, memory: &ReadOnly, sound: &Sound) -> QamddataFacts {
    let last_price = std::mem::offset_of!(Instrument, last_price) as u64;
    let has_price = |offset: u64| {
        memory.at(offset + last_price).is_some_and(|bits| !f64::from_bits(bits).is_nan())
    };
    let mutex = sound.index_lock.map(|lock| IndexMutex {
        thread: lock.owner,
        alive: lock.owner != 0 && owner_is_alive(lock.owner, place.path()),
    });
    QamddataFacts {
        instruments: sound.instruments.len() as u64,
        room: sound.free_bytes / INSTRUMENT_BYTES,
        priced: sound.instruments.iter().filter(|(_, offset)| has_price(*offset)).count() as u64,
        index_mutex: mutex,
        leaked_bytes: sound.leaked_bytes,
    }
}

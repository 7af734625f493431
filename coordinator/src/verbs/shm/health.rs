//! The health of both segments, as it is printed and as it goes into JSON (pure).

use std::path::PathBuf;

use serde::Serialize;
use shm_layout::Instance;

/// Both segments of a fleet.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Health {
    /// The fleet.
    pub(super) instance: Instance,
    /// The latest tick of every instrument.
    pub(super) depth: Segment<DepthFacts>,
    /// What existing C++ programs read, unless the fleet has none.
    pub(super) qamddata: Option<Segment<QamddataFacts>>,
}

/// One segment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Segment<F> {
    /// Its name in `/dev/shm`.
    pub(super) name: String,
    /// Its file.
    pub(super) path: PathBuf,
    /// Whether it can be used.
    #[serde(flatten)]
    pub(super) state: State,
    /// The file, when there is one.
    pub(super) file: Option<FileFacts>,
    /// Who holds the lock of its structure.
    pub(super) owner: Holder,
    /// What is in it, when it can be used.
    pub(super) facts: Option<F>,
    /// One that could not be used and was put away.
    pub(super) quarantined: Option<Quarantined>,
}

/// Whether a segment can be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", content = "why", rename_all = "snake_case")]
pub(super) enum State {
    /// All of its structure was checked.
    Sound,
    /// There is none.
    NotThere,
    /// It is being made, or was left half made.
    NotReady,
    /// What is wrong with it.
    Damaged(String),
    /// What the system said.
    NotReadable(String),
    /// Where it differs.
    OtherVersion(String),
}

/// A segment's file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct FileFacts {
    /// Its length.
    pub(super) bytes: u64,
    /// How much of it takes up memory.
    pub(super) bytes_in_memory: u64,
    /// Its mode's lower twelve bits.
    #[serde(serialize_with = "octal")]
    pub(super) mode: u32,
    /// Its user's name, or the number of one without a name.
    pub(super) user: String,
    /// Its group's, as above.
    pub(super) group: String,
    /// Its inode.
    pub(super) inode: u64,
}

/// Who holds a lock file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "held_by", rename_all = "snake_case")]
pub(super) enum Holder {
    /// No process.
    Nobody,
    /// A living process.
    Process {
        /// Its pid, when it has written it.
        pid: Option<u32>,
    },
    /// The lock file is another user's.
    Unknown,
}

/// What is in the depth segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct DepthFacts {
    /// Instruments.
    pub(super) instruments: u64,
    /// How many more there is room for.
    pub(super) room: u64,
    /// How many the fleet carries; what the others hold is old.
    pub(super) carried: u64,
    /// How many have had a tick.
    pub(super) ticked: u64,
    /// Milliseconds since the latest tick came.
    pub(super) last_write_ms_ago: Option<u64>,
    /// The process that owns the structure, or did last.
    pub(super) owner_pid: u64,
    /// Milliseconds since that said so.
    pub(super) owner_seen_ms_ago: u64,
    /// The name and inode of the `qamddata` segment that the workers write.
    pub(super) qamddata: Option<(String, u64)>,
}

/// What is in `qamddata`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct QamddataFacts {
    /// Instruments.
    pub(super) instruments: u64,
    /// How many more there is room for.
    pub(super) room: u64,
    /// How many have a last price.
    pub(super) priced: u64,
    /// The mutex that every `find` takes, while somebody has it.
    pub(super) index_mutex: Option<IndexMutex>,
    /// Bytes of insertions that were cut off.
    pub(super) leaked_bytes: u64,
}

/// A mutex that is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct IndexMutex {
    /// The holder's thread; 0 while it has not said so.
    pub(super) thread: u32,
    /// That thread lives and has the segment mapped.
    pub(super) alive: bool,
}

/// A segment that was put away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Quarantined {
    /// Its file.
    pub(super) path: PathBuf,
    /// Its length.
    pub(super) bytes: u64,
    /// Milliseconds since somebody wrote to it last, as far as the file knows.
    pub(super) modified_ms_ago: u64,
}

// === impl Health ===

impl Health {
    /// True when programs can use all that there should be.
    pub(super) fn is_well(&self) -> bool {
        let qamddata = self.qamddata.as_ref().is_none_or(|other| other.state == State::Sound);
        self.depth.state == State::Sound && qamddata && self.written_elsewhere().is_none()
    }

    /// The inode of the `qamddata` that the workers write, where the one of that name is another.
    pub(super) fn written_elsewhere(&self) -> Option<u64> {
        let (name, inode) = self.depth.facts.as_ref()?.qamddata.as_ref()?;
        let qamddata = self.qamddata.as_ref()?;
        let file = qamddata.file.as_ref()?;
        (*name == qamddata.name && *inode != file.inode).then_some(*inode)
    }
}

fn octal<S: serde::Serializer>(mode: &u32, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{mode:04o}"))
}

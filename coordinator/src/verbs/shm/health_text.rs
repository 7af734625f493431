//! The health of both segments as text for a terminal of 80 columns (pure).

use super::health::{DepthFacts, FileFacts, Health, Holder, QamddataFacts, Segment, State};
use crate::output::{Paint, Style};
use crate::shown::{counted, duration, grouped, wrapped};

/// No line is longer, in columns, but for one that holds a single long word.
const WIDTH: usize = 80;
/// Where the values begin.
const VALUES_AT: usize = 16;

/// The text.
pub(super) fn render(health: &Health, style: Style) -> String {
    let mut text = Text { lines: String::new(), style };
    let depth = &health.depth;
    text.heading(&depth.name, &depth.state);
    text.file(depth);
    text.value("owner", &depth_owner(depth), owner_paint(depth));
    if let Some(facts) = &depth.facts {
        text.value("instruments", &with_room(facts.instruments, facts.room), None);
        text.value("carried", &carried(facts.carried, &depth.owner), None);
        text.value("ticks", &ticks(facts), None);
    }
    text.put_away(depth);
    match &health.qamddata {
        None => {
            text.lines.push_str("\nThis fleet has no qamddata segment (qamddata_name is null).\n")
        }
        Some(segment) => {
            text.lines.push('\n');
            text.qamddata(segment, health.written_elsewhere());
        }
    }
    text.lines
}

/// `32.0 MiB`, `4.5 KiB`, `100 bytes`.
pub(super) fn size(bytes: u64) -> String {
    const KIB: u64 = 1 << 10;
    let tenths = |unit: u64| {
        let tenths = bytes.saturating_mul(10) / unit;
        format!("{}.{}", grouped(tenths / 10), tenths % 10)
    };
    match bytes {
        0..KIB => counted(bytes, "byte"),
        KIB..0x10_0000 => format!("{} KiB", tenths(KIB)),
        _ => format!("{} MiB", tenths(1 << 20)),
    }
}

/// `3 min 07 s ago`.
pub(super) fn ago(ms: u64) -> String {
    if ms < 1000 { "less than a second ago".into() } else { format!("{} ago", duration(ms)) }
}

/// A holder in words.
pub(super) fn holder(holder: &Holder) -> String {
    match holder {
        Holder::Nobody => "nobody".into(),
        Holder::Process { pid: Some(pid) } => format!("process {pid}"),
        Holder::Process { pid: None } => "a process that has not said its id".into(),
        Holder::Unknown => "not known: the lock file is another user's".into(),
    }
}

/// A state in words, after the segment's name.
pub(super) fn state(state: &State) -> (String, Paint) {
    match state {
        State::Sound => ("sound".into(), Paint::Good),
        State::NotThere => ("not there".into(), Paint::Bad),
        State::NotReady => {
            let what = "not ready: it is being made, or its maker died meanwhile";
            (what.into(), Paint::Warn)
        }
        State::Damaged(why) => (format!("damaged: {why}"), Paint::Bad),
        State::NotReadable(why) => (format!("not readable: {why}"), Paint::Bad),
        State::OtherVersion(why) => (format!("another version's: {why}"), Paint::Bad),
    }
}

fn with_room(instruments: u64, room: u64) -> String {
    format!("{}, room for {} more", grouped(instruments), grouped(room))
}

/// An owner that died could not take back what it said.
fn carried(carried: u64, owner: &Holder) -> String {
    let instruments = counted(carried, "instrument");
    match owner {
        Holder::Nobody if carried > 0 => format!("{instruments} when the owner died"),
        _ => format!("{instruments} now; what the others hold is old"),
    }
}

fn ticks(facts: &DepthFacts) -> String {
    match facts.last_write_ms_ago {
        None => "none yet".into(),
        Some(ms) => {
            let have = if facts.ticked == 1 { "instrument has" } else { "instruments have" };
            format!("{} {have} ticked, the last {}", grouped(facts.ticked), ago(ms))
        }
    }
}

/// The lock says whether the owner lives, the segment which process it was and when.
fn depth_owner(depth: &Segment<DepthFacts>) -> String {
    let who = holder(&depth.owner);
    let Some(facts) = &depth.facts else { return who };
    let (pid, seen) = (facts.owner_pid, ago(facts.owner_seen_ms_ago));
    match depth.owner {
        Holder::Process { pid: Some(held) } if u64::from(held) == pid => {
            format!("{who}, seen {seen}")
        }
        _ => format!("{who}; process {pid} was the last, seen {seen}"),
    }
}

fn owner_paint<F>(segment: &Segment<F>) -> Option<Paint> {
    matches!(segment.owner, Holder::Nobody).then_some(Paint::Warn)
}

struct Text {
    lines: String,
    style: Style,
}

// === impl Text ===

impl Text {
    fn heading(&mut self, name: &str, of: &State) {
        let (mut what, paint) = state(of);
        match of {
            State::NotThere => what.push_str("; a start of qamd makes it"),
            State::Damaged(_) | State::OtherVersion(_) => {
                what.push_str("; the next start puts it away and makes a new one");
            }
            State::Sound | State::NotReady | State::NotReadable(_) => {}
        }
        // A long name pushes its state to the right.
        let taken = VALUES_AT.max(name.len() + 2);
        let gap = " ".repeat(taken - name.len());
        let title = self.style.paint(Paint::Strong, name);
        self.block(&format!("{title}{gap}"), taken, &what, Some(paint));
    }

    fn value(&mut self, label: &str, value: &str, paint: Option<Paint>) {
        let label = format!("  {label:<width$}", width = VALUES_AT - 2);
        self.block(&label, VALUES_AT, value, paint);
    }

    /// A text that is broken into lines, all of which begin at a column; before the first stands something else.
    fn block(&mut self, first: &str, column: usize, value: &str, paint: Option<Paint>) {
        let indent = " ".repeat(column);
        for (index, line) in wrapped(value, WIDTH.saturating_sub(column), "").iter().enumerate() {
            self.lines.push_str(if index == 0 { first } else { &indent });
            match paint {
                Some(paint) => self.lines.push_str(&self.style.paint(paint, line)),
                None => self.lines.push_str(line),
            }
            self.lines.push('\n');
        }
    }

    fn file<F>(&mut self, segment: &Segment<F>) {
        let path = segment.path.display();
        let Some(file) = &segment.file else {
            return self.value("file", &path.to_string(), None);
        };
        let FileFacts { bytes, bytes_in_memory, mode, user, group, inode } = file;
        let memory = if bytes_in_memory < bytes {
            format!(", {} of it in memory", size(*bytes_in_memory))
        } else {
            String::new()
        };
        self.value("file", &format!("{path}, {}{memory}", size(*bytes)), None);
        self.value("access", &format!("{mode:04o} {user}:{group}, inode {inode}"), None);
    }

    fn qamddata(&mut self, segment: &Segment<QamddataFacts>, written_elsewhere: Option<u64>) {
        self.heading(&segment.name, &segment.state);
        self.file(segment);
        self.value("owner", &holder(&segment.owner), owner_paint(segment));
        if let Some(facts) = &segment.facts {
            self.value("instruments", &with_room(facts.instruments, facts.room), None);
            self.value("prices", &format!("{} with a last price", grouped(facts.priced)), None);
            self.index_mutex(facts);
            if facts.leaked_bytes > 0 {
                let bytes = grouped(facts.leaked_bytes);
                let what = format!("{bytes} bytes lost to insertions that were cut off; harmless");
                self.value("leaked", &what, Some(Paint::Warn));
            }
        }
        if let Some(inode) = written_elsewhere {
            let what = format!(
                "nobody: the workers write another file, inode {inode}, that had this name before; \
                 restart the fleet"
            );
            self.value("written by", &what, Some(Paint::Bad));
        }
        self.put_away(segment);
    }

    fn index_mutex(&mut self, facts: &QamddataFacts) {
        let (what, paint) = match facts.index_mutex {
            None => ("free".to_owned(), None),
            Some(mutex) if mutex.thread == 0 => {
                ("held by a thread that has not said its id".to_owned(), Some(Paint::Warn))
            }
            Some(mutex) if mutex.alive => {
                (format!("held by thread {}, which lives", mutex.thread), Some(Paint::Warn))
            }
            Some(mutex) => {
                let thread = mutex.thread;
                let what = format!(
                    "held by thread {thread}, which is dead: every find waits until the \
                     coordinator frees it"
                );
                (what, Some(Paint::Bad))
            }
        };
        self.value("index mutex", &what, paint);
    }

    fn put_away<F>(&mut self, segment: &Segment<F>) {
        let Some(quarantined) = &segment.quarantined else { return };
        let what = format!(
            "{}, {}, last written {}; delete it when nobody needs it",
            quarantined.path.display(),
            size(quarantined.bytes),
            ago(quarantined.modified_ms_ago)
        );
        self.value("put away", &what, Some(Paint::Warn));
    }
}

#[cfg(test)]
mod tests;

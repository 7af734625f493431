//! How the segments are, for a person and for metrics (pure).

/// The segments at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SegmentsReport {
    /// Instruments in the depth segment.
    pub depth_instruments: u64,
    /// How many more it has room for.
    pub depth_room: u64,
    /// Instruments in `qamddata`; `None` when there is none.
    pub qamddata_instruments: Option<u64>,
    /// Instruments that wait for their turn to get into it.
    pub waiting: u64,
    /// Wanted instruments that have no place in one of the segments.
    pub without_place: u64,
    /// One of these, and why.
    pub example: Option<String>,
    /// Locks freed because their holders had died.
    pub locks_freed: u64,
    /// Why nothing is added to `qamddata` any more.
    pub closed: Option<String>,
    /// Segments whose names lead to other files than ours, or to none.
    pub displaced: Vec<String>,
}

// === impl SegmentsReport ===

impl SegmentsReport {
    /// What a person should know, in lines; empty when all is well.
    #[must_use]
    pub fn notices(&self) -> Vec<String> {
        let closed = self.closed.as_ref().map(|why| format!("prices go on, but {why}"));
        let displaced = self.displaced.iter().map(|path| {
            format!("{path} was removed or replaced by somebody else: programs do not find ours; restart qamd")
        });
        let without = self.example.as_ref().map(|example| match self.without_place {
            1 => format!("not in shared memory for other programs: {example}"),
            n => {
                format!("{n} instruments are not in shared memory for other programs, as {example}")
            }
        });
        closed.into_iter().chain(displaced).chain(without).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_hears_of_what_is_missing() {
        let well = SegmentsReport { depth_instruments: 7, waiting: 3, ..SegmentsReport::default() };
        assert!(well.notices().is_empty());
        let one = SegmentsReport {
            without_place: 1,
            example: Some("zzz01: nobody knows".into()),
            ..SegmentsReport::default()
        };
        assert_eq!(one.notices(), ["not in shared memory for other programs: zzz01: nobody knows"]);
        let bad = SegmentsReport {
            without_place: 2,
            closed: Some("it is full".into()),
            displaced: vec!["/dev/shm/x".into()],
            ..one
        };
        let [closed, displaced, missing] = bad.notices().try_into().unwrap();
        assert!(closed.ends_with("it is full") && displaced.starts_with("/dev/shm/x was removed"));
        assert!(missing.starts_with("2 instruments"), "{missing}");
    }
}

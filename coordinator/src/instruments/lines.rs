//! Which line of a file a record stands on (pure).

/// The lines of a text.
#[derive(Debug)]
pub(super) struct Lines<'a> {
    text: &'a [u8],
    /// Where each ends, by the place of its `\n`.
    ends: Vec<usize>,
}

// === impl Lines ===

impl<'a> Lines<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self { text: text.as_bytes(), ends: ends.map(|(at, _)| at).collect() }
    }

    /// The line a record begins on, from 1; 0 when nobody knows. A position lies before what the reader skips to get there.
    pub(super) fn of_record(&self, position: Option<&csv::Position>) -> u64 {
        let Some(byte) = position.and_then(|it| usize::try_from(it.byte()).ok()) else { return 0 };
        let mut at = byte;
        loop {
            at = match self.text.get(at) {
                Some(b'\r' | b'\n') => at + 1,
                Some(b'#') => self.end_of_line(at),
                _ => break,
            };
        }
        1 + self.ended_before(at) as u64
    }

    fn end_of_line(&self, at: usize) -> usize {
        self.ends.get(self.ended_before(at)).map_or(self.text.len(), |end| end + 1)
    }

    fn ended_before(&self, at: usize) -> usize {
        self.ends.partition_point(|end| *end < at)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Universe;

    fn places(text: &str) -> Vec<String> {
        let faults = Universe::parse(text).unwrap_err();
        faults.iter().map(|fault| fault.place.clone()).collect()
    }

    #[test]
    fn faults_stand_on_the_line_where_an_editor_shows_them() {
        let at = |text: &str, place: &str| assert_eq!(places(text), [place], "{text:?}");
        at("instrument_id,price_tick\nrb2705,-1\n", "line 2 column price_tick");
        at("instrument_id,price_tick\r\nrb2705,-1\r\n", "line 2 column price_tick");
        at("instrument_id,price_tick\r\n\r\nrb2705,1\r\nrb2710,-1", "line 4 column price_tick");
        at("# a\ninstrument_id,price_tick\n# b\n\n# c\nrb2705,-1", "line 6 column price_tick");
        at("\u{feff}instrument_id,price_tick\nrb2705,-1\n", "line 2 column price_tick");
        at("instrument_id,price_tick\n\n#\nrb2705\n", "line 4");
        at(
            "instrument_id,price_tick\n# the last\nrb2705,-1 # no comment",
            "line 3 column price_tick",
        );
    }

    #[test]
    fn a_second_listing_names_the_line_of_the_first() {
        let faults =
            Universe::parse("instrument_id\r\nrb2705\r\n\r\n# again\r\nrb2705").unwrap_err();
        let said: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(said, ["line 5 column instrument_id: rb2705 is already listed on line 2"]);
    }
}

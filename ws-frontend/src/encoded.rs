//! Bytes that several sessions need, encoded once: what has changed since each of the states that sessions are in (pure).

/// What leads from some states to the present one; `S` names a state.
#[derive(Debug)]
pub struct Encoded<S> {
    bytes: Vec<u8>,
    /// From which state each leads, and where it ends in `bytes`.
    parts: Vec<(S, usize)>,
}

// === impl Encoded ===

impl<S> Default for Encoded<S> {
    fn default() -> Self {
        Self { bytes: Vec::new(), parts: Vec::new() }
    }
}

impl<S: Copy + PartialEq> Encoded<S> {
    /// The present state is another: all begins anew.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.parts.clear();
    }

    /// What leads from a state to the present one; `encode` appends it where nobody has asked for it yet. At most `most` are
    /// kept; beyond it those of before are forgotten.
    pub fn since(&mut self, state: S, most: usize, encode: impl FnOnce(&mut Vec<u8>)) -> &[u8] {
        let known = self.parts.iter().position(|(since, _)| *since == state);
        let at = known.unwrap_or_else(|| {
            if self.parts.len() >= most {
                self.clear();
            }
            encode(&mut self.bytes);
            self.parts.push((state, self.bytes.len()));
            self.parts.len() - 1
        });
        let start = at.checked_sub(1).map_or(0, |before| self.parts[before].1);
        &self.bytes[start..self.parts[at].1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_encoded_once_until_the_state_changes_or_there_are_too_many() {
        let mut encoded = Encoded::default();
        let mut count = 0;
        let mut ask = |encoded: &mut Encoded<u64>, state: u64| {
            let bytes = encoded.since(state, 2, |out| {
                count += 1;
                out.extend_from_slice(format!("since {state};").as_bytes());
            });
            (String::from_utf8(bytes.to_vec()).unwrap(), count)
        };
        assert_eq!(ask(&mut encoded, 1), ("since 1;".into(), 1));
        assert_eq!(ask(&mut encoded, 2), ("since 2;".into(), 2));
        assert_eq!(ask(&mut encoded, 1), ("since 1;".into(), 2));
        assert_eq!(ask(&mut encoded, 3), ("since 3;".into(), 3));
        assert_eq!(ask(&mut encoded, 1), ("since 1;".into(), 4), "it was forgotten");
        encoded.clear();
        assert_eq!(ask(&mut encoded, 1), ("since 1;".into(), 5));
    }
}

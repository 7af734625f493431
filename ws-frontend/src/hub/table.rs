//! A table whose rows keep their number while they live.

/// Rows and their numbers.
#[derive(Debug)]
pub(super) struct Table<T> {
    rows: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), free: Vec::new() }
    }
}

// === impl Table ===

impl<T> Table<T> {
    pub(super) fn insert(&mut self, row: T) -> u32 {
        if let Some(index) = self.free.pop() {
            self.rows[index as usize] = Some(row);
            return index;
        }
        self.rows.push(Some(row));
        u32::try_from(self.rows.len() - 1).unwrap_or(u32::MAX)
    }

    pub(super) fn remove(&mut self, index: u32) -> Option<T> {
        let row = self.rows.get_mut(index as usize)?.take()?;
        self.free.push(index);
        Some(row)
    }

    pub(super) fn get(&self, index: u32) -> Option<&T> {
        self.rows.get(index as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        self.rows.get_mut(index as usize)?.as_mut()
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len() - self.free.len()
    }

    /// The rows there are now.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.rows.iter().flatten()
    }

    /// The numbers of the rows there are now.
    pub(super) fn indices(&self) -> Vec<u32> {
        (0..).zip(&self.rows).filter(|(_, row)| row.is_some()).map(|(index, _)| index).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_kept_and_given_again() {
        let mut table = Table::default();
        let [a, b, c] = ["a", "b", "c"].map(|row| table.insert(row));
        assert_eq!(table.remove(b), Some("b"));
        assert_eq!((table.remove(b), table.get(b), table.len()), (None, None, 2));
        assert_eq!(table.indices(), [a, c]);
        assert_eq!(table.iter().collect::<Vec<_>>(), [&"a", &"c"]);
        assert_eq!(table.insert("d"), b);
        assert_eq!(table.get(a), Some(&"a"));
        assert_eq!(table.get_mut(b), Some(&mut "d"));
    }
}

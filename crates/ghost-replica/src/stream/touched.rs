//! Which files a stream wrote to, and from where on.

use std::collections::BTreeMap;

/// Files by their names at the end, with the lowest byte that was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Touched {
    files: BTreeMap<String, u64>,
}

/// Only its name is another.
const UNTOUCHED: u64 = u64::MAX;

impl Touched {
    /// The lowest byte of a file that was written; the largest number where none was.
    pub(crate) fn low(&self, path: &str) -> u64 {
        self.files.get(path).copied().unwrap_or(UNTOUCHED)
    }

    pub(super) fn len(&self) -> usize {
        self.files.len()
    }

    pub(super) fn made(&mut self, path: &str) {
        self.files.insert(path.to_owned(), 0);
    }

    pub(super) fn wrote(&mut self, path: &str, offset: u64) {
        let low = self.files.entry(path.to_owned()).or_insert(UNTOUCHED);
        *low = (*low).min(offset);
    }

    pub(super) fn linked(&mut self, from: &str, to: &str) {
        let low = self.low(from);
        self.files.insert(to.to_owned(), low);
    }

    pub(super) fn renamed(&mut self, from: &str, to: &str) {
        let below = format!("{from}/");
        let moved: Vec<(String, u64)> = self
            .files
            .iter()
            .filter(|(path, _)| *path == from || path.starts_with(&below))
            .map(|(path, low)| (path.clone(), *low))
            .collect();
        if !moved.iter().any(|(path, _)| path == from) {
            self.files.insert(to.to_owned(), UNTOUCHED);
        }
        for (path, low) in moved {
            self.files.remove(&path);
            let rest = path.strip_prefix(from).unwrap_or_default();
            self.files.insert(format!("{to}{rest}"), low);
        }
    }

    pub(super) fn removed(&mut self, path: &str) {
        self.files.remove(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_keeps_what_was_written_under_all_its_names() {
        let mut touched = Touched::default();
        touched.wrote("events.jsonl", 500);
        touched.wrote("events.jsonl", 400);
        touched.wrote("events.jsonl", 900);
        touched.linked("events.jsonl", "segments/1.jsonl");
        touched.removed("events.jsonl");
        touched.made("o260-1-0");
        touched.renamed("o260-1-0", "events.jsonl");
        touched.renamed("segments/0.jsonl", "segments/9.jsonl");
        assert_eq!(touched.low("segments/1.jsonl"), 400);
        assert_eq!(touched.low("events.jsonl"), 0);
        assert_eq!(touched.low("segments/9.jsonl"), u64::MAX);
        assert_eq!(touched.low("segments/0.jsonl"), u64::MAX);
        touched.renamed("segments", "o1-1-0");
        assert_eq!(touched.low("o1-1-0/1.jsonl"), 400);
    }
}

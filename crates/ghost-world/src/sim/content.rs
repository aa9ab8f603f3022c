//! The bytes of one file in pieces that copies share, as extents are shared between snapshots.

use std::collections::HashSet;
use std::sync::Arc;

const PIECE_BYTES: usize = 4096;

/// Bytes; every piece but the last is full.
#[derive(Debug, Default, Clone)]
pub(super) struct Content {
    pieces: Vec<Arc<Vec<u8>>>,
}

impl Content {
    pub(super) fn of(bytes: &[u8]) -> Content {
        Content { pieces: bytes.chunks(PIECE_BYTES).map(|c| Arc::new(c.to_vec())).collect() }
    }

    pub(super) fn len(&self) -> usize {
        self.pieces.last().map_or(0, |last| (self.pieces.len() - 1) * PIECE_BYTES + last.len())
    }

    pub(super) fn to_vec(&self) -> Vec<u8> {
        let mut all = Vec::with_capacity(self.len());
        for piece in &self.pieces {
            all.extend_from_slice(piece);
        }
        all
    }

    /// Fills as much of `buffer` as there is from `at` on.
    pub(super) fn read(&self, buffer: &mut [u8], at: usize) -> usize {
        let n = buffer.len().min(self.len().saturating_sub(at));
        let mut done = 0;
        while done < n {
            let (piece, from) = ((at + done) / PIECE_BYTES, (at + done) % PIECE_BYTES);
            let piece = &self.pieces[piece];
            let part = (n - done).min(piece.len() - from);
            buffer[done..done + part].copy_from_slice(&piece[from..from + part]);
            done += part;
        }
        n
    }

    /// Writes at `at`, with zeros before it where the file was shorter.
    pub(super) fn write(&mut self, bytes: &[u8], at: usize) {
        if self.len() < at + bytes.len() {
            self.resize(at + bytes.len());
        }
        let mut done = 0;
        while done < bytes.len() {
            let (piece, from) = ((at + done) / PIECE_BYTES, (at + done) % PIECE_BYTES);
            let piece = Arc::make_mut(&mut self.pieces[piece]);
            let part = (bytes.len() - done).min(piece.len() - from);
            piece[from..from + part].copy_from_slice(&bytes[done..done + part]);
            done += part;
        }
    }

    pub(super) fn resize(&mut self, len: usize) {
        self.pieces.truncate(len.div_ceil(PIECE_BYTES));
        let whole = self.pieces.len();
        if let Some(last) = self.pieces.last_mut() {
            let end = (len - (whole - 1) * PIECE_BYTES).min(PIECE_BYTES);
            if last.len() != end {
                Arc::make_mut(last).resize(end, 0);
            }
        }
        while self.len() < len {
            let end = (len - self.len()).min(PIECE_BYTES);
            self.pieces.push(Arc::new(vec![0; end]));
        }
    }

    /// Bytes of pieces that `seen` does not hold yet.
    pub(super) fn count(&self, seen: &mut HashSet<*const Vec<u8>>) -> u64 {
        let new = self.pieces.iter().filter(|piece| seen.insert(Arc::as_ptr(piece)));
        new.map(|piece| piece.len() as u64).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Random;

    #[test]
    fn it_behaves_as_one_long_vector() {
        let mut random = Random::new(5);
        let (mut content, mut plain) = (Content::default(), Vec::new());
        for _ in 0..400 {
            match random.below(4) {
                0 => {
                    let len = random.index(20_000);
                    content.resize(len);
                    plain.resize(len, 0);
                }
                1 => content = Content::of(&plain),
                _ => {
                    let (at, n) = (random.index(15_000), random.index(9_000));
                    let bytes = vec![random.below(255) as u8; n];
                    content.write(&bytes, at);
                    plain.resize(plain.len().max(at + n), 0);
                    plain[at..at + n].copy_from_slice(&bytes);
                }
            }
            assert_eq!((content.len(), &content.to_vec()), (plain.len(), &plain));
            let at = random.index(22_000);
            let mut part = vec![7; random.index(9_000)];
            let n = content.read(&mut part, at);
            let end = (at + part.len()).min(plain.len());
            assert_eq!(part[..n], plain[at.min(end)..end]);
        }
    }

    #[test]
    fn a_copy_costs_only_what_differs() {
        let mut first = Content::of(&[1; 10_000]);
        let second = first.clone();
        let mut seen = HashSet::new();
        assert_eq!(first.count(&mut seen) + second.count(&mut seen), 10_000);
        first.write(&[2; 10], 0);
        let mut seen = HashSet::new();
        assert_eq!(first.count(&mut seen) + second.count(&mut seen), 10_000 + 4096);
    }
}

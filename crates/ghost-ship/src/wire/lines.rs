//! Raw lines as they stand on disk, cut once.

use ghost_event::Seq;
use ghost_event::line::{LINE_BYTES_MAX, Tail};

use crate::limits::{TAIL_BYTES_MAX, TAIL_LINES_MAX};

/// Whole lines in a row, at least one: each ends with its newline, has a line's tail and the number
/// after the one before it. That they chain is not checked here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lines {
    bytes: Vec<u8>,
    /// Where each line ends.
    ends: Vec<u32>,
    first: Seq,
}

impl Lines {
    /// Checks and cuts; `None` where the bytes are not such lines, or too many.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Option<Lines> {
        if bytes.len() > TAIL_BYTES_MAX {
            return None;
        }
        let mut ends = Vec::new();
        let (mut from, mut first) = (0_usize, 0);
        for end in memchr::memchr_iter(b'\n', &bytes) {
            let line = &bytes[from..=end];
            if line.len() > LINE_BYTES_MAX || ends.len() >= TAIL_LINES_MAX as usize {
                return None;
            }
            let seq = Tail::of(line)?.seq;
            if from == 0 {
                first = seq;
            } else if Some(seq) != (ends.len() as u64).checked_add(first) {
                return None;
            }
            ends.push(u32::try_from(end + 1).ok()?);
            from = end + 1;
        }
        (from == bytes.len() && from > 0).then_some(Lines { bytes, ends, first })
    }

    #[must_use]
    pub fn first(&self) -> Seq {
        self.first
    }

    #[must_use]
    pub fn last(&self) -> Seq {
        self.first + (self.ends.len() as u64 - 1)
    }

    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Each line with its newline.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut from = 0;
        self.ends.iter().map(move |end| {
            let end = *end as usize;
            let line = self.bytes.get(from..end).unwrap_or_default();
            from = end;
            line
        })
    }

    /// The bytes of the lines after number `seq`: empty where there are none.
    #[must_use]
    pub fn after(&self, seq: Seq) -> &[u8] {
        let skip = (seq + 1).saturating_sub(self.first);
        if skip == 0 {
            return &self.bytes;
        }
        let end = usize::try_from(skip - 1).ok().and_then(|i| self.ends.get(i));
        end.map_or(&[], |end| self.bytes.get(*end as usize..).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ghost_event::Digest;
    use ghost_event::line::close;

    fn line(seq: Seq) -> Vec<u8> {
        let mut line = b"{\"ghost\":{\"v\":1".to_vec();
        close(&mut line, seq, &Digest([7; 32]));
        line
    }

    #[test]
    fn lines_in_a_row_are_cut_and_anything_else_is_refused() {
        let three = [line(9), line(10), line(11)].concat();
        let lines = Lines::new(three.clone()).unwrap();
        assert_eq!((lines.first(), lines.last(), lines.iter().count()), (9, 11, 3));
        assert_eq!(lines.iter().nth(1), Some(&line(10)[..]));
        assert_eq!(lines.after(8), &three[..]);
        assert_eq!(lines.after(0), &three[..]);
        assert_eq!(lines.after(10), &line(11)[..]);
        assert_eq!(lines.after(11), b"");
        assert_eq!(lines.after(u64::MAX - 1), b"");
        assert_eq!(Lines::new(Vec::new()), None);
        assert_eq!(Lines::new(three[..three.len() - 1].to_vec()), None);
        assert_eq!(Lines::new([line(9), line(11)].concat()), None);
        assert_eq!(Lines::new([line(9), b"{}\n".to_vec()].concat()), None);
        assert_eq!(Lines::new([line(u64::MAX), line(1)].concat()), None);
        assert_eq!(Lines::new(vec![b'\n'; 5]), None);
    }

    #[test]
    fn no_bytes_panic() {
        bolero::check!().with_iterations(3_000).for_each(|bytes| {
            if let Some(lines) = Lines::new(bytes.to_vec()) {
                assert_eq!(lines.iter().map(<[u8]>::len).sum::<usize>(), bytes.len());
            }
        });
    }
}

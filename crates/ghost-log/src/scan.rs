//! A file cut into lines, block by block, without an allocation a line.

use std::io;

use ghost_event::line::LINE_BYTES_MAX;
use ghost_world::File;

use crate::limits::READ_BYTES;

/// Read at a time from the end of a file.
const TAIL_WINDOW_BYTES: u64 = 256 << 10;

/// What stands next in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// With its newline.
    Line(&'a [u8]),
    /// The file ends without a newline.
    Unfinished(&'a [u8]),
    /// More bytes without a newline than a line may have.
    TooLong(&'a [u8]),
}

/// Reads on from a place, to where the file ended when that was reached.
#[derive(Debug)]
pub(crate) struct Scanner {
    file: Box<dyn File>,
    block: Vec<u8>,
    /// What of `block` is read and not yet given out.
    start: usize,
    end: usize,
    /// Where `block[start]` lies in the file.
    offset: u64,
    /// Bytes of the piece given last, which ends at `start`.
    last: usize,
}

impl Scanner {
    pub(crate) fn new(file: Box<dyn File>, offset: u64) -> Scanner {
        Scanner { file, block: Vec::new(), start: 0, end: 0, offset, last: 0 }
    }

    /// Where the next piece begins.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Bytes of the file as it is now.
    pub(crate) fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    /// Reads on from another place.
    pub(crate) fn seek(&mut self, offset: u64) {
        (self.start, self.end, self.last, self.offset) = (0, 0, 0, offset);
    }

    /// The whole line that was given last.
    pub(crate) fn current(&self) -> &[u8] {
        &self.block[self.start - self.last..self.start]
    }

    /// The next piece, or `None` at the end. An unfinished piece is not consumed: when the file has
    /// grown, it is read again.
    pub(crate) fn next(&mut self) -> io::Result<Option<Piece<'_>>> {
        let mut searched = 0;
        loop {
            let waiting = &self.block[self.start..self.end];
            if let Some(at) = memchr::memchr(b'\n', &waiting[searched..]) {
                let len = searched + at + 1;
                let from = self.start;
                self.start += len;
                self.last = len;
                self.offset += len as u64;
                let line = &self.block[from..from + len];
                let piece =
                    if len > LINE_BYTES_MAX { Piece::TooLong(line) } else { Piece::Line(line) };
                return Ok(Some(piece));
            }
            if waiting.len() >= LINE_BYTES_MAX {
                let from = self.start;
                self.offset += (self.end - from) as u64;
                self.start = self.end;
                self.last = 0;
                return Ok(Some(Piece::TooLong(&self.block[from..self.end])));
            }
            searched = waiting.len();
            if self.fill()? == 0 {
                let rest = &self.block[self.start..self.end];
                return Ok((!rest.is_empty()).then_some(Piece::Unfinished(rest)));
            }
        }
    }

    fn fill(&mut self) -> io::Result<usize> {
        self.block.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        self.last = 0;
        let at = self.offset + self.end as u64;
        // No more room than the file has bytes: most files are short.
        let left = usize::try_from(self.file.len()?.saturating_sub(at)).unwrap_or(READ_BYTES);
        let wanted = self.end.saturating_add(left).saturating_add(1).min(READ_BYTES);
        if self.block.len() < wanted {
            self.block.resize(wanted, 0);
        }
        let n = self.file.read_full_at(&mut self.block[self.end..], at)?;
        self.end += n;
        Ok(n)
    }
}

/// The `event_type` of a line, without reading the JSON; empty where there is none near its start.
pub(crate) fn event_type(line: &[u8]) -> &[u8] {
    const KEY: &[u8] = b"\"event_type\":\"";
    // The two places where our own notes have it; in a string the quotes would be escaped.
    let at = [1, 47].into_iter().find(|at| line.get(*at..).is_some_and(|l| l.starts_with(KEY)));
    let near = &line[..line.len().min(512)];
    let Some(at) = at.or_else(|| memchr::memmem::find(near, KEY)) else { return b"" };
    let rest = &line[at + KEY.len()..];
    &rest[..memchr::memchr(b'"', rest).unwrap_or(0)]
}

/// Whether the line is a note or a shape: told by its first bytes.
pub(crate) fn is_note(line: &[u8]) -> bool {
    line.starts_with(b"{\"event_type\"")
        || line.get(46..61).is_some_and(|l| l == b",\"event_type\":\"")
            && line.get(61..68).is_none_or(|l| l != b"change\"")
}

/// Whether the line places itself in the chain of an element: told by the end of its body.
pub(crate) fn has_element(line: &[u8], body_bytes: usize) -> bool {
    const END: &[u8] = b"\"}";
    const PREV: &[u8] = b",\"prev\":\"";
    let from = body_bytes.checked_sub(END.len() + 64 + PREV.len());
    from.and_then(|at| line.get(at..body_bytes))
        .is_some_and(|l| l.starts_with(PREV) && l.ends_with(END))
}

/// Where the last whole line ends of a file of `len` bytes that may be growing or torn; `None` where
/// there is none.
pub(crate) fn end_of_lines(file: &dyn File, len: u64) -> io::Result<Option<u64>> {
    let (mut end, mut window) = (len, 4096);
    while end > 0 {
        let from = end.saturating_sub(window);
        let mut bytes = vec![0; usize::try_from(end - from).unwrap_or(0)];
        let n = file.read_full_at(&mut bytes, from)?;
        if let Some(at) = memchr::memrchr(b'\n', &bytes[..n]) {
            return Ok(Some(from + at as u64 + 1));
        }
        (end, window) = (from, TAIL_WINDOW_BYTES);
    }
    Ok(None)
}

/// Where the last but `lines` line of a file of `len` bytes ends that ends with a line: the start of
/// its last `lines` lines. `None` where there are not as many.
pub(crate) fn start_of_last(file: &dyn File, len: u64, lines: u64) -> io::Result<Option<u64>> {
    // The newline that ends the line before them is one more.
    let mut wanted = lines + 1;
    let mut end = len;
    while end > 0 {
        let from = end.saturating_sub(TAIL_WINDOW_BYTES);
        let mut bytes = vec![0; usize::try_from(end - from).unwrap_or(0)];
        let n = file.read_full_at(&mut bytes, from)?;
        for at in memchr::memrchr_iter(b'\n', &bytes[..n]) {
            wanted -= 1;
            if wanted == 0 {
                return Ok(Some(from + at as u64 + 1));
            }
        }
        end = from;
    }
    Ok((wanted == 1).then_some(0))
}

/// The last whole line of a file of `len` bytes that ends with one, and where it begins.
pub(crate) fn last_line(file: &dyn File, len: u64) -> io::Result<Option<(u64, Vec<u8>)>> {
    let mut window = 4096_u64;
    loop {
        let from = len.saturating_sub(window);
        let mut bytes = vec![0; usize::try_from(len - from).unwrap_or(0)];
        let n = file.read_full_at(&mut bytes, from)?;
        bytes.truncate(n);
        let Some((b'\n', before)) = bytes.split_last() else { return Ok(None) };
        if let Some(at) = memchr::memrchr(b'\n', before) {
            return Ok(Some((from + at as u64 + 1, bytes.split_off(at + 1))));
        }
        if from == 0 {
            return Ok(Some((0, bytes)));
        }
        if window > LINE_BYTES_MAX as u64 {
            return Ok(None);
        }
        window *= 8;
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use ghost_world::{Disk as _, SimDisk};

    use super::*;

    fn file(bytes: &[u8]) -> Box<dyn File> {
        let disk = SimDisk::new();
        disk.put(Path::new("/f"), bytes);
        disk.open_read(Path::new("/f")).unwrap()
    }

    #[test]
    fn lines_come_as_they_stand() {
        bolero::check!().with_iterations(1000).for_each(|bytes| {
            let mut scanner = Scanner::new(file(bytes), 0);
            let mut back = Vec::new();
            while let Some(piece) = scanner.next().unwrap() {
                match piece {
                    Piece::Line(line) => {
                        assert_eq!(memchr::memchr(b'\n', line), Some(line.len() - 1));
                        back.extend_from_slice(line);
                    }
                    Piece::Unfinished(rest) => {
                        back.extend_from_slice(rest);
                        break;
                    }
                    Piece::TooLong(_) => unreachable!("the input is short"),
                }
            }
            assert_eq!(back, *bytes);
        });
    }

    #[test]
    fn blocks_do_not_show() {
        let mut bytes = Vec::new();
        for i in 0..40_000_usize {
            bytes.extend(std::iter::repeat_n(b'a', i % 257));
            bytes.push(b'\n');
        }
        let mut scanner = Scanner::new(file(&bytes), 0);
        let mut count = 0;
        while let Some(Piece::Line(line)) = scanner.next().unwrap() {
            assert_eq!(line.len(), count % 257 + 1);
            count += 1;
        }
        assert_eq!(count, 40_000);
        assert_eq!(scanner.offset(), bytes.len() as u64);
    }

    #[test]
    fn a_line_without_end_is_told_in_pieces() {
        let mut bytes = vec![b'x'; 3 * READ_BYTES];
        bytes.extend_from_slice(b"\nshort\n");
        let mut scanner = Scanner::new(file(&bytes), 0);
        let mut long = 0;
        loop {
            match scanner.next().unwrap().unwrap() {
                Piece::TooLong(part) => long += part.len(),
                Piece::Line(line) if line == b"short\n" => break,
                Piece::Line(line) => long += line.len(),
                Piece::Unfinished(_) => panic!("the file ends with a newline"),
            }
        }
        assert_eq!(long, 3 * READ_BYTES + 1);
    }

    #[test]
    fn the_end_of_the_lines_is_found_behind_any_torn_tail() {
        for torn in [0, 1, 4095, 4096, 300_000, 5 << 20] {
            for (whole, expected) in [(&b""[..], None), (b"a\nbc\n", Some(5))] {
                let bytes = [whole, &vec![0; torn]].concat();
                let end = end_of_lines(&*file(&bytes), bytes.len() as u64).unwrap();
                assert_eq!(end, expected, "{torn} torn bytes");
            }
        }
    }

    #[test]
    fn the_last_lines_are_found_from_the_end() {
        let lines: Vec<Vec<u8>> =
            (0..900_usize).map(|i| [vec![b'x'; i * i % 1999], b"\n".to_vec()].concat()).collect();
        let bytes = lines.concat();
        assert!(bytes.len() as u64 > 2 * TAIL_WINDOW_BYTES);
        let file = file(&bytes);
        let len = bytes.len() as u64;
        let mut start = len;
        assert_eq!(start_of_last(&*file, len, 0).unwrap(), Some(len));
        for (n, line) in lines.iter().rev().enumerate() {
            start -= line.len() as u64;
            assert_eq!(start_of_last(&*file, len, n as u64 + 1).unwrap(), Some(start), "{n}");
        }
        assert_eq!(start_of_last(&*file, len, 901).unwrap(), None);
    }

    #[test]
    fn the_last_line_is_found_from_the_end() {
        for (bytes, expected) in [
            (b"".to_vec(), None),
            (b"a\n".to_vec(), Some((0, b"a\n".to_vec()))),
            (b"a\nbc\n".to_vec(), Some((2, b"bc\n".to_vec()))),
            (b"a\nbc".to_vec(), None),
            (
                [vec![b'x'; 10_000], b"\n".to_vec()].concat(),
                Some((0, [vec![b'x'; 10_000], b"\n".to_vec()].concat())),
            ),
        ] {
            assert_eq!(last_line(&*file(&bytes), bytes.len() as u64).unwrap(), expected);
        }
    }
}

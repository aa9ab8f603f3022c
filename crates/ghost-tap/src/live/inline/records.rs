//! The way from the wire to the reader: chunks of copied frames, a fixed number of them.
//!
//! The writer never waits: where every chunk is full or with the reader, a frame is counted as
//! lost instead. Chunks that come back are written again newest first, so that a reader that keeps
//! up keeps the same few in the processor's cache.

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};

/// Copied bytes of one chunk.
const CHUNK_BYTES: usize = 64 << 10;
/// Frames of one chunk.
const CHUNK_FRAMES: usize = 1024;
/// Memory of one chunk, both parts.
const CHUNK_COST: usize = CHUNK_BYTES + CHUNK_FRAMES * size_of::<Meta>();
/// Copied of a frame while there is much room: enough for the longest hello.
const COPIED_BYTES: usize = 4 << 10;
/// Copied of a frame once half of the room is taken.
const COPIED_BYTES_FEW: usize = 256;

const _: () = assert!(COPIED_BYTES <= CHUNK_BYTES && COPIED_BYTES_FEW <= COPIED_BYTES);

/// What is known of a copied frame beside its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Meta {
    pub(super) monotonic_ns: u64,
    pub(super) wire_len: u32,
    pub(super) segments: u16,
    /// Which of the two ports.
    pub(super) port: u8,
    /// Where its bytes end; they begin where those of the frame before end.
    end: u32,
}

#[derive(Debug)]
struct Chunk {
    frames: Vec<Meta>,
    bytes: Vec<u8>,
}

impl Chunk {
    fn new() -> Chunk {
        Chunk { frames: Vec::with_capacity(CHUNK_FRAMES), bytes: Vec::with_capacity(CHUNK_BYTES) }
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.frames.len() < CHUNK_FRAMES && self.bytes.len() + bytes <= CHUNK_BYTES
    }
}

/// The wire's end.
#[derive(Debug)]
pub(super) struct Writer {
    out: Sender<Chunk>,
    back: Receiver<Chunk>,
    current: Option<Chunk>,
    spare: Vec<Chunk>,
    /// Chunks that may still be made.
    unmade: usize,
    chunks: usize,
}

/// The reader's end.
#[derive(Debug)]
pub(super) struct Reader {
    filled: Receiver<Chunk>,
    back: Sender<Chunk>,
    current: Option<(Chunk, usize)>,
}

/// Both ends; at most `bytes` of memory, but at least four chunks.
pub(super) fn pair(bytes: usize) -> (Writer, Reader) {
    let chunks = (bytes / CHUNK_COST).max(4);
    let (out, filled) = bounded(chunks);
    let (back_out, back) = bounded(chunks);
    (
        Writer { out, back, current: None, spare: Vec::new(), unmade: chunks, chunks },
        Reader { filled, back: back_out, current: None },
    )
}

impl Writer {
    /// Copies the beginning of a frame; false where there is no room at all.
    pub(super) fn push(
        &mut self,
        port: u8,
        monotonic_ns: u64,
        wire_len: u32,
        segments: u16,
        frame: &[u8],
    ) -> bool {
        let few = self.spare.len() + self.unmade < self.chunks / 2;
        let most = if few { COPIED_BYTES_FEW } else { COPIED_BYTES };
        let copied = &frame[..frame.len().min(most)];
        if self.current.as_ref().is_some_and(|chunk| !chunk.has_room(copied.len())) {
            self.hand_over();
        }
        let Some(chunk) = self.chunk() else { return false };
        chunk.bytes.extend_from_slice(copied);
        let end = chunk.bytes.len() as u32;
        chunk.frames.push(Meta { monotonic_ns, wire_len, segments, port, end });
        true
    }

    /// The chunk that is being filled, or a fresh one.
    fn chunk(&mut self) -> Option<&mut Chunk> {
        if self.current.is_none() {
            self.spare.extend(self.back.try_iter());
            self.current = self.spare.pop().or_else(|| {
                self.unmade = self.unmade.checked_sub(1)?;
                Some(Chunk::new())
            });
        }
        self.current.as_mut()
    }

    /// When the oldest frame arrived for which the reader may be waiting: it was not handed over
    /// yet, and nothing else waits for it.
    pub(super) fn oldest_ns(&self) -> Option<u64> {
        let chunk = self.current.as_ref().filter(|_| self.out.is_empty())?;
        chunk.frames.first().map(|frame| frame.monotonic_ns)
    }

    /// Gives the reader what was written so far.
    pub(super) fn hand_over(&mut self) {
        // The queue has a place for every chunk that exists: it refuses only where the reader is
        // gone, and then the frames are nobody's.
        if let Some(chunk) = self.current.take() {
            let _ = self.out.try_send(chunk);
        }
    }
}

impl Reader {
    /// Hands out at most `budget` frames; how many, and whether more wait.
    pub(super) fn read(&mut self, budget: u32, each: &mut impl FnMut(&Meta, &[u8])) -> (u32, bool) {
        let mut count = 0;
        while count < budget {
            let Some((chunk, at)) = &mut self.current else {
                match self.filled.try_recv() {
                    Ok(chunk) => self.current = Some((chunk, 0)),
                    Err(TryRecvError::Empty | TryRecvError::Disconnected) => return (count, false),
                }
                continue;
            };
            let mut start =
                at.checked_sub(1).and_then(|i| chunk.frames.get(i)).map_or(0, |f| f.end);
            for frame in chunk.frames.iter().skip(*at).take((budget - count) as usize) {
                each(frame, chunk.bytes.get(start as usize..frame.end as usize).unwrap_or(&[]));
                start = frame.end;
                *at += 1;
                count += 1;
            }
            if *at >= chunk.frames.len() {
                self.give_back();
            }
        }
        (count, self.current.is_some() || !self.filled.is_empty())
    }

    fn give_back(&mut self) {
        if let Some((mut chunk, _)) = self.current.take() {
            chunk.frames.clear();
            chunk.bytes.clear();
            // As above: there is a place for every chunk, and without a writer nobody needs it.
            let _ = self.back.try_send(chunk);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(reader: &mut Reader) -> Vec<(u64, Vec<u8>)> {
        let mut got = Vec::new();
        while reader.read(7, &mut |meta, bytes| got.push((meta.monotonic_ns, bytes.to_vec()))).0 > 0
        {
        }
        got
    }

    #[test]
    fn frames_come_out_in_order_and_as_they_were() {
        let (mut writer, mut reader) = pair(1 << 20);
        for number in 0..3000u64 {
            let frame = vec![number as u8; 60 + number as usize % 150];
            assert!(writer.push(1, number, frame.len() as u32, 1, &frame));
        }
        writer.hand_over();
        let got = all(&mut reader);
        assert_eq!(got.len(), 3000);
        for (number, (at, bytes)) in got.iter().enumerate() {
            assert_eq!(*at, number as u64);
            assert_eq!(bytes, &vec![number as u8; 60 + number % 150]);
        }
    }

    #[test]
    fn what_finds_no_room_is_told_and_room_comes_back_with_reading() {
        let (mut writer, mut reader) = pair(0);
        let kept = (0..10_000).filter(|n| writer.push(0, *n, 60, 1, &[7; 60])).count();
        assert_eq!(kept, 4 * CHUNK_FRAMES);
        writer.hand_over();
        assert_eq!(all(&mut reader).len(), kept);
        assert!(writer.push(0, 1, 60, 1, &[7; 60]), "read chunks are written again");
    }

    #[test]
    fn less_of_a_frame_is_kept_once_half_of_the_room_is_taken() {
        let (mut writer, mut reader) = pair(8 * CHUNK_COST);
        while writer.push(0, 0, 1514, 1, &[7; 1514]) {}
        writer.hand_over();
        let lengths: Vec<_> = all(&mut reader).into_iter().map(|(_, b)| b.len()).collect();
        assert_eq!(lengths.first(), Some(&1514));
        assert_eq!(lengths.last(), Some(&COPIED_BYTES_FEW));
        assert!(lengths.is_sorted_by(|a, b| a >= b), "and more only when it was read");
    }

    #[test]
    fn there_is_no_haste_while_the_reader_has_something_to_read() {
        let (mut writer, mut reader) = pair(1 << 20);
        writer.push(0, 5, 60, 1, &[0; 60]);
        assert_eq!(writer.oldest_ns(), Some(5), "a reader with nothing waits for it");
        writer.hand_over();
        writer.push(0, 6, 60, 1, &[0; 60]);
        assert_eq!(writer.oldest_ns(), None, "chunks are filled while others wait to be read");
        all(&mut reader);
        assert_eq!(writer.oldest_ns(), Some(6));
    }

    #[test]
    fn a_budget_is_kept_and_what_is_left_is_told() {
        let (mut writer, mut reader) = pair(1 << 20);
        for number in 0..5 {
            writer.push(0, number, 60, 1, &[0; 60]);
        }
        writer.hand_over();
        assert_eq!(reader.read(3, &mut |_, _| {}), (3, true));
        assert_eq!(reader.read(3, &mut |_, _| {}), (2, false));
        assert_eq!(reader.read(3, &mut |_, _| {}), (0, false));
    }
}

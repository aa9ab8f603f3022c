//! A connection as an argument: bytes in order, both ways, until it breaks.
//!
//! The real one is whatever the program holds (the pipes of a child, a socket). The simulated one has
//! a delay, a rate, a buffer, and breaks after so many bytes as it was told.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{Clock, SimClock};

/// One end of a connection; no call waits.
pub trait Link: Debug + Send {
    /// Takes as many bytes as find room: `WouldBlock` where none does.
    fn send(&mut self, bytes: &[u8]) -> io::Result<usize>;
    /// Bytes that have arrived: `WouldBlock` where none have, 0 after the other end's last.
    fn receive(&mut self, into: &mut [u8]) -> io::Result<usize>;
}

/// What a simulated connection is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// One way.
    pub delay_ns: u64,
    /// Each way.
    pub bytes_a_second: u64,
    /// Bytes that wait at one end for the line.
    pub buffer_bytes: usize,
    /// It breaks when so many bytes, of both ways together, were given to it; what was given before
    /// arrives, and not a byte more.
    pub breaks_after: Option<u64>,
}

impl Default for Line {
    fn default() -> Line {
        Line {
            delay_ns: 1_000_000,
            bytes_a_second: 100_000_000,
            buffer_bytes: 256 << 10,
            breaks_after: None,
        }
    }
}

/// Bytes of one send, which arrive together.
#[derive(Debug)]
struct Piece {
    leaves_ns: u64,
    bytes: Vec<u8>,
    read: usize,
}

/// One direction.
#[derive(Debug, Default)]
struct Way {
    pieces: VecDeque<Piece>,
    /// When the line has carried all that was given to it.
    free_ns: u64,
    /// No more will be sent.
    ended: bool,
}

#[derive(Debug)]
struct Wire {
    line: Line,
    ways: [Way; 2],
    given: u64,
    broken: bool,
    silent: bool,
}

/// One end of a simulated connection. Dropped, it ends; the other end reads what had been sent.
#[derive(Debug)]
pub struct SimLink {
    wire: Arc<Mutex<Wire>>,
    clock: Arc<SimClock>,
    /// The direction in which this end sends.
    way: usize,
}

/// What travels together.
const PIECE_BYTES: usize = 4096;

impl SimLink {
    /// Both ends.
    #[must_use]
    pub fn pair(line: Line, clock: &Arc<SimClock>) -> (SimLink, SimLink) {
        let wire = Wire { line, ways: Default::default(), given: 0, broken: false, silent: false };
        let wire = Arc::new(Mutex::new(wire));
        let end = |way| SimLink { wire: Arc::clone(&wire), clock: Arc::clone(clock), way };
        (end(0), end(1))
    }

    /// It breaks now: what has not arrived never does.
    pub fn cut(&self) {
        let mut wire = self.wire();
        wire.broken = true;
        wire.ways.iter_mut().for_each(|way| way.pieces.clear());
    }

    /// From now on nothing arrives, and nobody is told: both ends seem open.
    pub fn silence(&self) {
        let mut wire = self.wire();
        wire.silent = true;
        wire.ways.iter_mut().for_each(|way| way.pieces.clear());
    }

    /// When this end may have something to do: bytes arrive, or room comes. Not in the past.
    #[must_use]
    pub fn wake_ns(&self) -> Option<u64> {
        let now = self.clock.monotonic_ns();
        let wire = self.wire();
        let arrives =
            wire.ways[1 - self.way].pieces.front().map(|p| p.leaves_ns + wire.line.delay_ns);
        let leaves = wire.ways[self.way].pieces.iter().map(|p| p.leaves_ns).find(|t| *t > now);
        arrives.into_iter().chain(leaves).min().map(|at| at.max(now))
    }

    fn wire(&self) -> MutexGuard<'_, Wire> {
        self.wire.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Link for SimLink {
    fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let now = self.clock.monotonic_ns();
        let mut wire = self.wire();
        let wire = &mut *wire;
        if wire.broken {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if wire.silent {
            return Ok(bytes.len());
        }
        let way = &mut wire.ways[self.way];
        let waiting: usize =
            way.pieces.iter().filter(|p| p.leaves_ns > now).map(|p| p.bytes.len()).sum();
        let mut room = wire.line.buffer_bytes.saturating_sub(waiting).min(bytes.len());
        if room == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        if let Some(end) = wire.line.breaks_after {
            let left = usize::try_from(end.saturating_sub(wire.given)).unwrap_or(usize::MAX);
            if left <= room {
                room = left;
                wire.broken = true;
            }
        }
        for piece in bytes[..room].chunks(PIECE_BYTES) {
            let took = piece.len() as u64 * 1_000_000_000 / wire.line.bytes_a_second.max(1);
            way.free_ns = way.free_ns.max(now) + took;
            let leaves_ns = way.free_ns;
            way.pieces.push_back(Piece { leaves_ns, bytes: piece.to_vec(), read: 0 });
        }
        wire.given += room as u64;
        if wire.broken {
            // What travels the other way is lost.
            wire.ways[1 - self.way].pieces.clear();
            return if room > 0 { Ok(room) } else { Err(io::ErrorKind::BrokenPipe.into()) };
        }
        Ok(room)
    }

    fn receive(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let now = self.clock.monotonic_ns();
        let mut wire = self.wire();
        let wire = &mut *wire;
        let way = &mut wire.ways[1 - self.way];
        let mut n = 0;
        while let Some(piece) = way.pieces.front_mut()
            && piece.leaves_ns + wire.line.delay_ns <= now
            && n < into.len()
        {
            let rest = &piece.bytes[piece.read..];
            let take = rest.len().min(into.len() - n);
            into[n..n + take].copy_from_slice(&rest[..take]);
            piece.read += take;
            n += take;
            if piece.read == piece.bytes.len() {
                way.pieces.pop_front();
            }
        }
        match (n, way.pieces.is_empty(), wire.broken, way.ended) {
            (1.., ..) => Ok(n),
            (0, true, true, _) => Err(io::ErrorKind::ConnectionReset.into()),
            (0, true, false, true) if !wire.silent => Ok(0),
            _ if into.is_empty() => Ok(0),
            _ => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl Drop for SimLink {
    fn drop(&mut self) {
        let way = self.way;
        self.wire().ways[way].ended = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pass(clock: &SimClock, ms: u32) {
        clock.pass(ms * 1_000_000);
    }

    fn all(link: &mut SimLink) -> (Vec<u8>, io::Result<usize>) {
        let (mut got, mut into) = (Vec::new(), [0; 1000]);
        loop {
            match link.receive(&mut into) {
                Ok(n) if n > 0 => got.extend_from_slice(&into[..n]),
                end => return (got, end),
            }
        }
    }

    fn kind(result: io::Result<usize>) -> Result<usize, io::ErrorKind> {
        result.map_err(|e| e.kind())
    }

    #[test]
    fn bytes_arrive_after_their_time_and_in_order() {
        let clock = Arc::new(SimClock::new(0));
        let line = Line { delay_ns: 10_000_000, bytes_a_second: 1_000_000, ..Line::default() };
        let (mut a, mut b) = SimLink::pair(line, &clock);
        assert_eq!(a.send(&[1; 2000]).unwrap(), 2000);
        assert_eq!(a.send(&[2; 1000]).unwrap(), 1000);
        // Two milliseconds on the line for the first, three for both, and ten on the way.
        pass(&clock, 11);
        assert_eq!(kind(all(&mut b).1), Err(io::ErrorKind::WouldBlock));
        assert_eq!(b.wake_ns(), Some(12_000_000));
        pass(&clock, 1);
        assert_eq!(all(&mut b).0, [1; 2000]);
        pass(&clock, 1);
        assert_eq!(all(&mut b).0, [2; 1000]);
        assert_eq!(b.send(b"back").unwrap(), 4);
        pass(&clock, 11);
        assert_eq!(all(&mut a).0, b"back");
        drop(b);
        assert_eq!(kind(all(&mut a).1), Ok(0));
    }

    #[test]
    fn a_full_buffer_takes_no_more_until_the_line_has_carried_some() {
        let clock = Arc::new(SimClock::new(0));
        let line = Line { bytes_a_second: 4_096_000, buffer_bytes: 8192, ..Line::default() };
        let (mut a, _b) = SimLink::pair(line, &clock);
        assert_eq!(kind(a.send(&[0; 20_000])), Ok(8192));
        assert_eq!(kind(a.send(&[0; 1])), Err(io::ErrorKind::WouldBlock));
        pass(&clock, 1);
        assert_eq!(kind(a.send(&[0; 20_000])), Ok(4096));
    }

    #[test]
    fn a_connection_that_breaks_carries_exactly_what_it_was_told() {
        for end in [0, 1, 99, 100, 101, 5000] {
            let clock = Arc::new(SimClock::new(0));
            let line = Line { breaks_after: Some(end), ..Line::default() };
            let (mut a, mut b) = SimLink::pair(line, &clock);
            let mut sent = 0;
            while let Ok(n) = a.send(&[7; 100]) {
                sent += n as u64;
            }
            assert_eq!(sent, end);
            assert_eq!(kind(b.send(b"x")), Err(io::ErrorKind::BrokenPipe));
            pass(&clock, 100);
            let (got, last) = all(&mut b);
            assert_eq!((got.len() as u64, kind(last)), (end, Err(io::ErrorKind::ConnectionReset)));
            assert_eq!(kind(all(&mut a).1), Err(io::ErrorKind::ConnectionReset));
        }
    }

    #[test]
    fn a_cut_loses_what_is_on_the_way() {
        let clock = Arc::new(SimClock::new(0));
        let (mut a, mut b) = SimLink::pair(Line::default(), &clock);
        a.send(b"gone").unwrap();
        b.cut();
        pass(&clock, 10);
        assert_eq!(kind(b.receive(&mut [0; 9])), Err(io::ErrorKind::ConnectionReset));
        assert_eq!(kind(a.send(b"x")), Err(io::ErrorKind::BrokenPipe));
    }

    #[test]
    fn a_silent_connection_takes_everything_and_carries_nothing() {
        let clock = Arc::new(SimClock::new(0));
        let (mut a, mut b) = SimLink::pair(Line::default(), &clock);
        a.send(b"gone").unwrap();
        a.silence();
        assert_eq!(kind(a.send(b"gone as well")), Ok(12));
        pass(&clock, 100);
        assert_eq!(kind(b.receive(&mut [0; 9])), Err(io::ErrorKind::WouldBlock));
        drop(a);
        assert_eq!(kind(b.receive(&mut [0; 9])), Err(io::ErrorKind::WouldBlock));
    }
}

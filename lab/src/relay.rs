//! A line between two programs that can be slow, far, flapping or cut at a byte.
//!
//! Not every kernel has `netem`, so the line is a relay in user space: what it reads is given on
//! after a delay and at a rate, and it breaks when so many bytes have passed. What it does is on the
//! bytes of a connection: there is no loss of packets to be seen, and no reordering, which TCP would
//! hide anyway as more delay.

use crate::LabError;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// What is read at once: about a packet's worth, so that a rate is kept smoothly.
const PIECE_BYTES: usize = 1448;
/// Pieces that wait in the line, each way: what a slow line holds back, at most.
const PIECES_MAX: usize = 64;

/// What a line is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Line {
    /// One way.
    pub delay: Duration,
    /// Each way; `None`: as fast as it goes.
    pub bytes_a_second: Option<u64>,
    /// The connection breaks when so many bytes, of both ways together, have come in; not a byte
    /// more is given on.
    pub breaks_after: Option<u64>,
}

impl Line {
    /// The slow link of the fault suite: 256 kbit/s, 200 ms there and back.
    pub const SLOW: Line = Line {
        delay: Duration::from_millis(100),
        bytes_a_second: Some(256_000 / 8),
        breaks_after: None,
    };
}

/// What has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Carried {
    /// Bytes of whoever connected.
    pub up: u64,
    pub down: u64,
    /// Connections that were made.
    pub connections: u64,
}

/// The line. Dropped, it cuts every connection.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    line: Line,
    down: bool,
    over: bool,
    carried: Carried,
    /// Both ends of every connection that may be alive.
    open: Vec<(u64, Half, Half)>,
}

impl Relay {
    /// Listens on loopback, and connects to `target` for each connection that comes.
    ///
    /// # Errors
    ///
    /// When it can't listen.
    pub fn to(target: SocketAddr) -> Result<Relay, LabError> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(LabError::io("a relay"))?;
        let address = listener.local_addr().map_err(LabError::io("a relay's address"))?;
        let shared = Arc::new(Shared::default());
        let accepting = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || accept(&listener, target, &shared))
        };
        Ok(Relay { address, shared, accepting: Some(accepting) })
    }

    /// Both ends of one connection through a line, within this process.
    ///
    /// # Errors
    ///
    /// When there are no descriptors left.
    pub fn pair(line: Line) -> Result<(UnixStream, UnixStream, Relay), LabError> {
        let pair = || UnixStream::pair().map_err(LabError::io("a pair of sockets"));
        let ((a, inner_a), (b, inner_b)) = (pair()?, pair()?);
        let shared = Arc::new(Shared::default());
        shared.lock().line = line;
        carry(Half::Unix(inner_a), Half::Unix(inner_b), &shared).map_err(LabError::io("a line"))?;
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        Ok((a, b, Relay { address, shared, accepting: None }))
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on the line is like this; `breaks_after` counts for the next connection, delay and
    /// rate for those that are there as well.
    pub fn set(&self, line: Line) {
        self.shared.lock().line = line;
    }

    /// Cuts every connection, now.
    pub fn cut(&self) {
        self.shared.cut();
    }

    /// Down: connections are cut, and new ones end at once.
    pub fn down(&self, down: bool) {
        self.shared.lock().down = down;
        if down {
            self.cut();
        }
    }

    #[must_use]
    pub fn carried(&self) -> Carried {
        self.shared.lock().carried
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.lock().over = true;
        self.cut();
        if let Some(accepting) = self.accepting.take() {
            // Waked by one more connection.
            let _ = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
            let _ = accepting.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cut(&self) {
        let open = std::mem::take(&mut self.lock().open);
        for (_, a, b) in open {
            a.end();
            b.end();
        }
    }
}

/// A descriptor of one side.
#[derive(Debug)]
enum Half {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Half {
    fn again(&self) -> io::Result<Half> {
        Ok(match self {
            Half::Tcp(stream) => Half::Tcp(stream.try_clone()?),
            Half::Unix(stream) => Half::Unix(stream.try_clone()?),
        })
    }

    fn end(&self) {
        let _ = match self {
            Half::Tcp(stream) => stream.shutdown(Shutdown::Both),
            Half::Unix(stream) => stream.shutdown(Shutdown::Both),
        };
    }

    fn end_writing(&self) {
        let _ = match self {
            Half::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Half::Unix(stream) => stream.shutdown(Shutdown::Write),
        };
    }

    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Half::Tcp(stream) => stream.read(into),
            Half::Unix(stream) => stream.read(into),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Half::Tcp(stream) => stream.write_all(bytes),
            Half::Unix(stream) => stream.write_all(bytes),
        }
    }
}

fn accept(listener: &TcpListener, target: SocketAddr, shared: &Arc<Shared>) {
    while let Ok((near, _)) = listener.accept() {
        let (over, down) = {
            let state = shared.lock();
            (state.over, state.down)
        };
        if over {
            return;
        }
        if down {
            continue;
        }
        let Ok(far) = TcpStream::connect_timeout(&target, Duration::from_secs(5)) else { continue };
        let _ = (near.set_nodelay(true), far.set_nodelay(true));
        let _ = carry(Half::Tcp(near), Half::Tcp(far), shared);
    }
}

/// Carries both ways, on threads of their own, until either side ends.
fn carry(near: Half, far: Half, shared: &Arc<Shared>) -> io::Result<()> {
    let number = {
        let (near, far) = (near.again()?, far.again()?);
        let mut state = shared.lock();
        state.carried.connections += 1;
        let number = state.carried.connections;
        state.open.push((number, near, far));
        number
    };
    let left = Arc::new(Mutex::new(shared.lock().line.breaks_after));
    for (from, to, up) in [(near.again()?, far.again()?, true), (far, near, false)] {
        let (send, receive) = sync_channel(PIECES_MAX);
        let end = to.again()?;
        let (given, taken) = (Arc::clone(shared), Arc::clone(shared));
        let left = Arc::clone(&left);
        thread::spawn(move || take(from, &end, &send, &taken, (up, number), &left));
        thread::spawn(move || give(to, &receive, &given));
    }
    Ok(())
}

/// Reads from one side, until its end or until the line breaks.
#[expect(clippy::disallowed_methods, reason = "a real line keeps real time")]
fn take(
    mut from: Half,
    to: &Half,
    send: &SyncSender<(Instant, Vec<u8>)>,
    shared: &Shared,
    (up, number): (bool, u64),
    left: &Mutex<Option<u64>>,
) {
    let mut piece = [0; PIECE_BYTES];
    loop {
        let read = match from.read(&mut piece) {
            Ok(0) | Err(_) => break,
            Ok(read) => read,
        };
        let (room, breaks) = {
            let mut left = left.lock().unwrap_or_else(PoisonError::into_inner);
            let room = left.map_or(read, |left| usize::try_from(left).unwrap_or(read).min(read));
            *left = left.map(|left| left - room as u64);
            (room, *left == Some(0))
        };
        {
            let mut state = shared.lock();
            let carried = if up { &mut state.carried.up } else { &mut state.carried.down };
            *carried += room as u64;
        }
        let gone = send.send((Instant::now(), piece[..room].to_vec())).is_err();
        if breaks {
            // What was given before may still arrive, as on a real line.
            from.end();
            to.end_writing();
            shared.lock().open.retain(|(other, ..)| *other != number);
            return;
        }
        if gone {
            break;
        }
    }
}

/// Writes to the other side: each piece after the delay, all of them at the rate.
#[expect(clippy::disallowed_methods, reason = "a real line keeps real time")]
fn give(mut to: Half, receive: &Receiver<(Instant, Vec<u8>)>, shared: &Shared) {
    let mut free = Instant::now();
    for (taken, piece) in receive {
        let line = shared.lock().line;
        let due = (taken + line.delay).max(free);
        let took = line.bytes_a_second.map_or(Duration::ZERO, |rate| {
            Duration::from_nanos(piece.len() as u64 * 1_000_000_000 / rate.max(1))
        });
        thread::sleep(due.saturating_duration_since(Instant::now()));
        free = due.max(Instant::now().checked_sub(Duration::from_millis(20)).unwrap_or(due)) + took;
        if to.write(&piece).is_err() {
            break;
        }
    }
    to.end_writing();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn echo() -> SocketAddr {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                thread::spawn(move || io::copy(&mut &stream, &mut &stream));
            }
        });
        address
    }

    #[test]
    fn what_goes_in_comes_out_and_is_counted() {
        let relay = Relay::to(echo()).unwrap();
        let mut stream = TcpStream::connect(relay.address()).unwrap();
        let sent: Vec<u8> = (0..300_000_u32).map(|i| (i % 251) as u8).collect();
        let mut writer = stream.try_clone().unwrap();
        let bytes = sent.clone();
        let wrote = thread::spawn(move || {
            writer.write_all(&bytes).unwrap();
            writer.shutdown(Shutdown::Write).unwrap();
        });
        let mut got = Vec::new();
        stream.read_to_end(&mut got).unwrap();
        wrote.join().unwrap();
        assert!(got == sent);
        assert_eq!(relay.carried(), Carried { up: 300_000, down: 300_000, connections: 1 });
    }

    #[test]
    fn it_breaks_at_the_byte_and_is_whole_again_for_the_next() {
        let relay = Relay::to(echo()).unwrap();
        relay.set(Line { breaks_after: Some(1000), ..Line::default() });
        let mut stream = TcpStream::connect(relay.address()).unwrap();
        let _ = stream.write_all(&[7; 5000]);
        let mut got = Vec::new();
        let _ = stream.read_to_end(&mut got);
        let carried = relay.carried();
        assert_eq!(carried.up + carried.down, 1000, "{carried:?}");
        relay.set(Line::default());
        let mut stream = TcpStream::connect(relay.address()).unwrap();
        stream.write_all(b"x").unwrap();
        stream.read_exact(&mut [0]).unwrap();
        relay.down(true);
        assert!(matches!(stream.read(&mut [0]), Ok(0) | Err(_)));
        let mut refused = TcpStream::connect(relay.address()).unwrap();
        assert!(matches!(refused.read(&mut [0]), Ok(0) | Err(_)));
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the line's own time is what is looked at")]
    fn a_slow_line_takes_its_time() {
        let line = Line {
            delay: Duration::from_millis(50),
            bytes_a_second: Some(100_000),
            breaks_after: None,
        };
        let (mut near, mut far, _relay) = Relay::pair(line).unwrap();
        let begun = Instant::now();
        let wrote = thread::spawn(move || near.write_all(&[1; 30_000]).map(|()| near));
        let mut got = vec![0; 30_000];
        far.read_exact(&mut got).unwrap();
        // Never sooner than the line allows; how much later is the machine's business.
        assert!(begun.elapsed() >= Duration::from_millis(280), "{:?}", begun.elapsed());
        drop(wrote.join().unwrap().unwrap());
    }
}

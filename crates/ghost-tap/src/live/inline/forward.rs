//! The wire's own thread: every frame from one port to the other, then a copy for the reader.
//!
//! **Invariant:** nothing here waits for the reader; a frame is sent before it is copied.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::HEARTBEAT_STALE_NS;
use super::records::Writer;
use super::slot::{self, OFFLOAD_BYTES, Ready, Whole};
use super::sys::{self, BATCH, Heartbeat, ReceiveRing};

/// The longest that the thread sleeps: a quarter of a heartbeat's life.
const SLEEP_MS: i32 = 50;
/// Copies are handed over at the latest when the oldest is so old.
const HAND_OVER_NS: u64 = 1_000_000;
/// How often a full transmit queue is tried again, before a frame is given up.
const TRIES: u32 = 64;
/// The longest frame that can be taken from the socket's queue: super-frames have 64 KiB, or
/// several times that where a port allows it.
const LONG_BYTES: usize = 512 << 10;
/// Frames moved in one direction before the other has its turn.
const TURN_FRAMES: usize = 4 * BATCH;

/// Turns in which a wire that ends empties its rings: more than rings of any size hold.
const LEAVE_TURNS: u32 = 4096;

/// What both threads know of one port.
#[derive(Debug)]
pub(super) struct Port {
    pub(super) ifindex: u32,
    pub(super) socket: OwnedFd,
    pub(super) forwarded: AtomicU64,
    pub(super) forwarded_by_kernel: AtomicU64,
    pub(super) missed: AtomicU64,
    pub(super) refused: AtomicU64,
    /// Forwarded or not, but no room was left for a copy.
    pub(super) unrecorded: AtomicU64,
    pub(super) unrecorded_segments: AtomicU64,
    pub(super) unrecorded_bytes: AtomicU64,
    pub(super) gone: AtomicBool,
}

impl Port {
    pub(super) fn new(ifindex: u32, socket: OwnedFd) -> Port {
        Port {
            ifindex,
            socket,
            forwarded: AtomicU64::new(0),
            forwarded_by_kernel: AtomicU64::new(0),
            missed: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            unrecorded: AtomicU64::new(0),
            unrecorded_segments: AtomicU64::new(0),
            unrecorded_bytes: AtomicU64::new(0),
            gone: AtomicBool::new(false),
        }
    }

    /// Adds what the kernel counted since the last call, from whichever thread.
    pub(super) fn count_missed(&self) -> u64 {
        let drops = sys::take_drops(self.socket.as_fd());
        self.missed.fetch_add(drops, Ordering::Relaxed) + drops
    }
}

/// What both threads share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) ports: [Port; 2],
    pub(super) stop: AtomicBool,
}

/// The thread's own.
#[derive(Debug)]
pub(super) struct Forwarder {
    shared: Arc<Shared>,
    rings: [ReceiveRing; 2],
    records: Writer,
    heartbeat: Option<Heartbeat>,
    last_beat_ns: u64,
    taken_over: TakenOver,
    long: Vec<u8>,
    down: [bool; 2],
}

impl Forwarder {
    pub(super) fn new(
        shared: Arc<Shared>,
        rings: [ReceiveRing; 2],
        records: Writer,
        heartbeat: Option<Heartbeat>,
    ) -> Forwarder {
        let long = vec![0; LONG_BYTES];
        let taken_over = TakenOver::default();
        let down = [false; 2];
        Forwarder { shared, rings, records, heartbeat, last_beat_ns: 0, taken_over, long, down }
    }

    /// Moves frames until it is told to stop.
    pub(super) fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        while !shared.stop.load(Ordering::Relaxed) {
            let (now, realtime) = sys::clocks();
            self.beat(now);
            // What a frame's own time must have added to be of CLOCK_MONOTONIC.
            let offset = now.wrapping_sub(realtime);
            let moved = self.turn(0, now, offset) + self.turn(1, now, offset);
            let waiting = self.records.oldest_ns();
            if waiting.is_some_and(|oldest| now.saturating_sub(oldest) >= HAND_OVER_NS) {
                self.records.hand_over();
            }
            if moved == 0 {
                let limit = if self.records.oldest_ns().is_some() { 1 } else { SLEEP_MS };
                self.sleep(limit);
            }
        }
        self.leave();
        self.records.hand_over();
    }

    /// Hands the wire to the kernel: it forwards what arrives from now on, and what arrived before
    /// still goes its way here. A frame between the two goes twice rather than not at all.
    fn leave(&mut self) {
        let Some(heartbeat) = &self.heartbeat else { return };
        heartbeat.beat(0);
        let (now, realtime) = sys::clocks();
        self.taken_over.add(now, u64::MAX);
        let offset = now.wrapping_sub(realtime);
        for _ in 0..LEAVE_TURNS {
            if self.turn(0, now, offset) + self.turn(1, now, offset) == 0 {
                break;
            }
        }
    }

    fn beat(&mut self, now: u64) {
        let Some(heartbeat) = &self.heartbeat else { return };
        self.taken_over.note(self.last_beat_ns, now);
        heartbeat.beat(now);
        self.last_beat_ns = now;
    }

    fn sleep(&mut self, limit_ms: i32) {
        let ports = &self.shared.ports;
        let errors = sys::wait([ports[0].socket.as_fd(), ports[1].socket.as_fd()], limit_ms);
        for ((port, failed), down) in ports.iter().zip(errors).zip(&mut self.down) {
            if failed {
                // Taken, so that it does not stand there for ever.
                sys::take_error(port.socket.as_fd());
                *down = true;
            }
            // A port that is down may come up again, or be gone; nobody else tells which.
            if *down {
                match sys::mtu_and_state(&port.socket, port.ifindex) {
                    Ok((_, up)) => *down = !up,
                    Err(_) => port.gone.store(true, Ordering::Relaxed),
                }
            }
        }
        if errors != [false; 2] {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }

    /// Moves what waits at one port; how many frames.
    fn turn(&mut self, from: usize, now: u64, offset: u64) -> usize {
        let mut moved = 0;
        while moved < TURN_FRAMES {
            let count = self.batch(from, now, offset);
            moved += count;
            if count < BATCH {
                break;
            }
        }
        moved
    }

    fn batch(&mut self, from: usize, now: u64, offset: u64) -> usize {
        let ring = &mut self.rings[from];
        let mut batch: [Option<Ready>; BATCH] = [None; BATCH];
        let mut count = 0;
        while count < BATCH {
            let Some(status) = ring.filled(count) else { break };
            batch[count] = slot::ready(status, ring.body_mut(count)).ok();
            count += 1;
        }
        if count == 0 {
            return 0;
        }
        let batch = &batch[..count];
        self.forward(from, batch, offset);
        self.record(from, batch, now, offset);
        self.rings[from].release(count);
        count
    }

    fn forward(&mut self, from: usize, batch: &[Option<Ready>], offset: u64) {
        let shared = Arc::clone(&self.shared);
        let (port, other) = (&shared.ports[from], &shared.ports[1 - from]);
        let (mut sent, mut by_kernel, mut refused) = (0, 0, 0);
        let mut frames: [&[u8]; BATCH] = [&[]; BATCH];
        let mut waiting = 0;
        for (ahead, ready) in batch.iter().enumerate() {
            let Some(ready) = ready else {
                refused += 1;
                continue;
            };
            let passed = self.taken_over.holds(ready.realtime_ns.wrapping_add(offset));
            match ready.whole {
                Whole::Queued => {
                    // In order: what came before it goes before it.
                    let done = send(other, &frames[..waiting]);
                    sent += done;
                    refused += waiting - done;
                    waiting = 0;
                    match take_long(port, ready, &mut self.long) {
                        _ if passed => by_kernel += 1,
                        Some(long) => {
                            let done = send(other, &[long]);
                            sent += done;
                            refused += 1 - done;
                        }
                        None => refused += 1,
                    }
                }
                _ if passed => by_kernel += 1,
                Whole::Lost => refused += 1,
                Whole::Yes => {
                    let body = self.rings[from].body(ahead);
                    frames[waiting] = body.get(ready.start..ready.end).unwrap_or(&[]);
                    waiting += 1;
                }
            }
        }
        let done = send(other, &frames[..waiting]);
        sent += done;
        refused += waiting - done;
        port.forwarded.fetch_add(sent as u64, Ordering::Relaxed);
        if by_kernel > 0 {
            port.forwarded_by_kernel.fetch_add(by_kernel, Ordering::Relaxed);
        }
        if refused > 0 {
            port.refused.fetch_add(refused as u64, Ordering::Relaxed);
        }
    }

    fn record(&mut self, from: usize, batch: &[Option<Ready>], now: u64, offset: u64) {
        let port = &self.shared.ports[from];
        for (ahead, ready) in batch.iter().enumerate() {
            let body = self.rings[from].body(ahead);
            // A slot that contradicts itself is still a frame that arrived.
            let (at, wire_len, segments, frame) = match ready {
                Some(ready) => (
                    ready.realtime_ns.wrapping_add(offset),
                    ready.wire_len,
                    ready.segments,
                    body.get(ready.start + OFFLOAD_BYTES..ready.end).unwrap_or(&[]),
                ),
                None => (now, 0, 1, &[][..]),
            };
            // Where the wall clock was set in between, now is nearer than what comes out.
            let at = if now.wrapping_sub(at) < 10_000_000_000 { at } else { now };
            if !self.records.push(from as u8, at, wire_len, segments, frame) {
                port.unrecorded.fetch_add(1, Ordering::Relaxed);
                port.unrecorded_segments.fetch_add(u64::from(segments), Ordering::Relaxed);
                port.unrecorded_bytes.fetch_add(u64::from(wire_len), Ordering::Relaxed);
            }
        }
    }
}

/// The whole of a frame of which the slot holds the beginning, its tag put back.
fn take_long<'a>(port: &Port, ready: &Ready, long: &'a mut [u8]) -> Option<&'a [u8]> {
    // Four bytes stay free in front for the tag.
    let room = long.get_mut(4..)?;
    let got = sys::receive_long(port.socket.as_fd(), room).ok()?;
    let end = 4 + got;
    if end > long.len() {
        return None;
    }
    let start = match ready.tag {
        Some(tag) => slot::put_tag_back(long, 4, end, tag).ok()?,
        None => 4,
    };
    long.get(start..end)
}

/// Sends all of them; a frame that the port refuses is left out, and those behind it are sent.
fn send(to: &Port, frames: &[&[u8]]) -> usize {
    let (mut at, mut sent, mut tries) = (0, 0, 0);
    while at < frames.len() {
        let (done, error) = sys::send(to.socket.as_fd(), &frames[at..]);
        at += done;
        sent += done;
        let Some(error) = error else {
            // Fewer than asked: the next one was refused, and the next call says why.
            continue;
        };
        let full = matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::ENOBUFS));
        if full && tries < TRIES {
            tries += 1;
            std::thread::yield_now();
        } else {
            at += 1;
        }
    }
    sent
}

/// The times in which the heartbeat was old, so that the kernel forwarded by itself: frames that
/// arrived then have gone their way already.
#[derive(Debug, Default)]
struct TakenOver {
    /// Newest last; frames wait in the ring for less than a few of these.
    spans: [(u64, u64); 4],
}

impl TakenOver {
    fn note(&mut self, last_beat: u64, now: u64) {
        let from = last_beat.saturating_add(HEARTBEAT_STALE_NS);
        if from < now {
            self.add(from, now);
        }
    }

    fn add(&mut self, from: u64, to: u64) {
        self.spans.rotate_left(1);
        self.spans[3] = (from, to);
    }

    fn holds(&self, at: u64) -> bool {
        self.spans.iter().any(|(from, to)| (*from..*to).contains(&at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_a_time_without_a_beat_are_the_kernels() {
        let mut taken = TakenOver::default();
        taken.note(0, 1_000_000_000);
        assert!(taken.holds(HEARTBEAT_STALE_NS) && taken.holds(999_999_999));
        assert!(!taken.holds(1_000_000_000), "the beat is fresh from here");
        taken.note(1_000_000_000, 1_100_000_000);
        assert!(!taken.holds(1_050_000_000), "a beat in time leaves nothing to the kernel");
        taken.note(1_100_000_000, 1_400_000_000);
        assert!(!taken.holds(1_250_000_000) && taken.holds(1_350_000_000));
    }

    #[test]
    fn without_a_beat_ever_written_nothing_is_the_kernels() {
        assert!(!TakenOver::default().holds(0));
    }
}

//! Those who follow the log: one thread looks for new lines and hands them out.
//!
//! Each follower has a bounded buffer. What does not fit is not sent, and the next thing that is
//! sent says how many lines that were. A follower that went away is forgotten at the next look.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use axum::body::Bytes;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::backend::Followed;
use super::counts::Counts;
use super::limits::{
    FOLLOW_EVERY, FOLLOWER_PIECES_MAX, FOLLOWERS_MAX, PIECE_BYTES, QUIET_LOOKS_MAX,
};
use super::wire::{Code, Missed, Refusal};

/// The thread and the way to it.
#[derive(Debug)]
pub(super) struct Followers {
    join: Option<Sender<Follower>>,
    counts: Arc<Counts>,
    thread: Option<JoinHandle<()>>,
}

struct Follower {
    lines: Box<dyn Followed>,
    out: mpsc::Sender<Bytes>,
    missed: u64,
    /// Looks since something was sent.
    quiet: u32,
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follower").field("missed", &self.missed).finish_non_exhaustive()
    }
}

impl Followers {
    pub(super) fn start(counts: Arc<Counts>) -> std::io::Result<Followers> {
        let (join, joining) = bounded(FOLLOWERS_MAX);
        let of_thread = Arc::clone(&counts);
        let thread = std::thread::Builder::new()
            .name("api-follow".to_owned())
            .spawn(move || hand_out(&joining, &of_thread))?;
        Ok(Followers { join: Some(join), counts, thread: Some(thread) })
    }

    /// One more follower; `None` where there are enough.
    pub(super) fn add(&self, lines: Box<dyn Followed>) -> Option<mpsc::Receiver<Bytes>> {
        let followers = &self.counts.followers;
        let max = FOLLOWERS_MAX as u64;
        let room = |n| (n < max).then_some(n + 1);
        followers.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).ok()?;
        let (out, pieces) = mpsc::channel(FOLLOWER_PIECES_MAX);
        let follower = Follower { lines, out, missed: 0, quiet: 0 };
        match self.join.as_ref().map(|join| join.try_send(follower)) {
            Some(Ok(())) => Some(pieces),
            _ => {
                followers.fetch_sub(1, Ordering::Relaxed);
                None
            }
        }
    }

    /// Ends every stream.
    pub(super) fn end(mut self) {
        self.join.take();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn hand_out(joining: &Receiver<Follower>, counts: &Counts) {
    let mut followers: Vec<Follower> = Vec::new();
    loop {
        if followers.is_empty() {
            match joining.recv() {
                Ok(follower) => followers.push(follower),
                Err(_) => return,
            }
        }
        match joining.recv_timeout(FOLLOW_EVERY) {
            Ok(follower) => followers.push(follower),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        followers.retain_mut(|follower| {
            let stays = follower.look(counts);
            if !stays {
                counts.followers.fetch_sub(1, Ordering::Relaxed);
            }
            stays
        });
    }
}

impl Follower {
    /// Sends what is new; false where it is over.
    fn look(&mut self, counts: &Counts) -> bool {
        if self.out.is_closed() {
            return false;
        }
        let lines = match self.lines.next() {
            Ok(lines) => lines,
            Err(error) => {
                let refusal =
                    Refusal { error: error.to_string(), hint: String::new(), code: Code::Failed };
                if let Ok(mut line) = serde_json::to_vec(&refusal) {
                    line.push(b'\n');
                    drop(self.out.try_send(line.into()));
                }
                return false;
            }
        };
        if lines.is_empty() {
            self.quiet += 1;
            // An empty line now and then: a reader that went away is noticed by it.
            return self.quiet < QUIET_LOOKS_MAX || self.send(b"\n".to_vec(), 0, counts);
        }
        let mut piece = Vec::new();
        let mut count = 0;
        for line in lines {
            piece.extend_from_slice(&line);
            if !line.ends_with(b"\n") {
                piece.push(b'\n');
            }
            count += 1;
            if piece.len() >= PIECE_BYTES {
                if !self.send(std::mem::take(&mut piece), count, counts) {
                    return false;
                }
                count = 0;
            }
        }
        count == 0 || self.send(piece, count, counts)
    }

    /// Sends a piece of `count` lines, or counts them as missed; false where nobody listens.
    fn send(&mut self, mut piece: Vec<u8>, count: u64, counts: &Counts) -> bool {
        self.quiet = 0;
        if self.missed > 0
            && let Ok(mut told) = serde_json::to_vec(&Missed { missed: self.missed })
        {
            told.push(b'\n');
            told.append(&mut piece);
            piece = told;
        }
        match self.out.try_send(piece.into()) {
            Ok(()) => self.missed = 0,
            Err(TrySendError::Full(_)) => {
                self.missed += count;
                counts.lines_missed.fetch_add(count, Ordering::Relaxed);
            }
            Err(TrySendError::Closed(_)) => return false,
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreError;

    struct Fixed(Vec<Vec<Vec<u8>>>);

    impl Followed for Fixed {
        fn next(&mut self) -> Result<Vec<Vec<u8>>, StoreError> {
            Ok(self.0.pop().unwrap_or_default())
        }
    }

    fn follower(looks: Vec<Vec<Vec<u8>>>, room: usize) -> (Follower, mpsc::Receiver<Bytes>) {
        let (out, pieces) = mpsc::channel(room);
        (Follower { lines: Box::new(Fixed(looks)), out, missed: 0, quiet: 0 }, pieces)
    }

    #[test]
    fn a_slow_follower_is_told_how_many_lines_it_missed() {
        let counts = Counts::default();
        let line = |n: u8| vec![b'0' + n, b'\n'];
        let looks = vec![vec![line(4)], vec![line(2), line(3)], vec![line(1)]];
        let (mut slow, mut pieces) = follower(looks, 1);
        assert!(slow.look(&counts) && slow.look(&counts));
        assert_eq!(pieces.try_recv().unwrap(), "1\n");
        assert!(slow.look(&counts));
        assert_eq!(pieces.try_recv().unwrap(), "{\"missed\":2}\n4\n");
        assert_eq!(counts.lines_missed.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn one_that_went_away_is_forgotten_even_when_nothing_comes() {
        let counts = Counts::default();
        let (mut gone, pieces) = follower(Vec::new(), 1);
        drop(pieces);
        assert!(!gone.look(&counts));
    }

    #[test]
    fn followers_beyond_the_limit_are_refused_and_room_comes_back() {
        let counts = Arc::new(Counts::default());
        let followers = Followers::start(Arc::clone(&counts)).unwrap();
        let mut held: Vec<_> =
            (0..FOLLOWERS_MAX).map(|_| followers.add(Box::new(Fixed(Vec::new())))).collect();
        assert!(held.iter().all(Option::is_some));
        assert!(followers.add(Box::new(Fixed(Vec::new()))).is_none());
        held.pop();
        let mut again = None;
        for _ in 0..600 {
            again = followers.add(Box::new(Fixed(Vec::new())));
            if again.is_some() {
                break;
            }
            std::thread::sleep(FOLLOW_EVERY);
        }
        assert!(again.is_some());
        followers.end();
    }
}

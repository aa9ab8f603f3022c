//! The writer's queue: bounded, with a policy for each who puts something in.
//!
//! The tap thread waits a little and then drops and counts; imports and notes wait as long as it
//! takes; a note of loss that finds no room is kept by whoever has it and tried again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, SendTimeoutError, Sender, TrySendError, bounded};

use super::status::QueueStatus;

/// A bounded queue that counts how often it was found full.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    name: &'static str,
    sender: Sender<T>,
    full: Arc<AtomicU64>,
}

impl<T> Clone for Queue<T> {
    fn clone(&self) -> Queue<T> {
        Queue { name: self.name, sender: self.sender.clone(), full: Arc::clone(&self.full) }
    }
}

/// What could not be put in, given back.
#[derive(Debug)]
pub(crate) enum Refused<T> {
    Full(T),
    Closed(T),
}

impl<T> Refused<T> {
    pub(crate) fn into_inner(self) -> T {
        match self {
            Refused::Full(item) | Refused::Closed(item) => item,
        }
    }
}

impl<T> Queue<T> {
    pub(crate) fn new(name: &'static str, capacity: usize) -> (Queue<T>, Receiver<T>) {
        let (sender, receiver) = bounded(capacity);
        (Queue { name, sender, full: Arc::default() }, receiver)
    }

    /// Puts it in at once or not at all.
    pub(crate) fn offer(&self, item: T) -> Result<(), Refused<T>> {
        self.sender.try_send(item).map_err(|e| match e {
            TrySendError::Full(item) => {
                self.full.fetch_add(1, Ordering::Relaxed);
                Refused::Full(item)
            }
            TrySendError::Disconnected(item) => Refused::Closed(item),
        })
    }

    /// Waits for room, but no longer than `patience`.
    pub(crate) fn put_within(&self, item: T, patience: Duration) -> Result<(), Refused<T>> {
        let item = match self.offer(item) {
            Err(Refused::Full(item)) => item,
            other => return other,
        };
        self.sender.send_timeout(item, patience).map_err(|e| match e {
            SendTimeoutError::Timeout(item) => Refused::Full(item),
            SendTimeoutError::Disconnected(item) => Refused::Closed(item),
        })
    }

    /// Waits for room.
    pub(crate) fn put(&self, item: T) -> Result<(), T> {
        let item = match self.offer(item) {
            Ok(()) => return Ok(()),
            Err(Refused::Closed(item)) => return Err(item),
            Err(Refused::Full(item)) => item,
        };
        self.sender.send(item).map_err(|e| e.0)
    }

    pub(crate) fn status(&self) -> QueueStatus {
        QueueStatus {
            name: self.name.to_owned(),
            length: self.sender.len() as u64,
            capacity: self.sender.capacity().unwrap_or(0) as u64,
            full: self.full.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_gives_back_what_it_did_not_take_and_counts_it() {
        let (queue, receiver) = Queue::new("test", 1);
        queue.offer(1).unwrap();
        assert!(matches!(queue.offer(2), Err(Refused::Full(2))));
        assert!(matches!(queue.put_within(3, Duration::from_millis(1)), Err(Refused::Full(3))));
        let told = queue.status();
        assert_eq!((told.length, told.capacity, told.full), (1, 1, 2));
        drop(receiver);
        assert!(matches!(queue.offer(4), Err(Refused::Closed(4))));
        assert_eq!(queue.put(5), Err(5));
    }
}

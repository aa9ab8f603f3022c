//! A few threads for what takes time; what finds them all taken and the queue full is turned away.

use std::sync::Mutex;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

type Job = Box<dyn FnOnce() + Send>;

/// The threads; dropped, they end after the jobs at hand.
#[derive(Debug)]
pub(super) struct Pool {
    /// Gone when the pool takes no more.
    jobs: Mutex<Option<Sender<Job>>>,
    ended: Receiver<()>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    capacity: usize,
}

/// There is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full;

impl Pool {
    /// `threads` of them, with `waiting` jobs before them at most.
    pub(super) fn start(name: &str, threads: usize, waiting: usize) -> std::io::Result<Pool> {
        let (jobs, take) = bounded::<Job>(waiting);
        // Nothing is ever sent: it tells that every thread dropped its end.
        let (end, ended) = bounded::<()>(0);
        let threads = (0..threads)
            .map(|number| {
                let (take, end) = (take.clone(), end.clone());
                std::thread::Builder::new().name(format!("{name}-{number}")).spawn(move || {
                    let _end = end;
                    for job in take {
                        job();
                    }
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Pool {
            jobs: Mutex::new(Some(jobs)),
            ended,
            threads: Mutex::new(threads),
            capacity: waiting,
        })
    }

    /// Has `job` done soon, or refuses it at once.
    pub(super) fn run(&self, job: impl FnOnce() + Send + 'static) -> Result<(), Full> {
        let Ok(jobs) = self.jobs.lock() else { return Err(Full) };
        jobs.as_ref().ok_or(Full)?.try_send(Box::new(job)).map_err(|_| Full)
    }

    /// Jobs that wait, and how many may.
    pub(super) fn waiting(&self) -> (usize, usize) {
        let waiting = self.jobs.lock().ok().and_then(|jobs| jobs.as_ref().map(Sender::len));
        (waiting.unwrap_or(0), self.capacity)
    }

    /// Takes no more jobs.
    pub(super) fn close(&self) {
        if let Ok(mut jobs) = self.jobs.lock() {
            jobs.take();
        }
    }

    /// Waits until the jobs at hand are done, `limit` at most; whether they are.
    pub(super) fn wait(&self, limit: Duration) -> bool {
        self.close();
        let done = matches!(
            self.ended.recv_timeout(limit),
            Err(crossbeam_channel::RecvTimeoutError::Disconnected)
        );
        if done {
            let threads = self.threads.lock().map(|mut t| std::mem::take(&mut *t));
            for thread in threads.unwrap_or_default() {
                drop(thread.join());
            }
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_pool_refuses_and_has_room_again() {
        let pool = Pool::start("test", 1, 1).unwrap();
        let (release, held) = bounded::<()>(0);
        let (begun, begin) = bounded::<()>(1);
        pool.run(move || {
            begun.send(()).unwrap();
            let _ = held.recv();
        })
        .unwrap();
        begin.recv().unwrap();
        let (done, was_done) = bounded(4);
        let one = done.clone();
        pool.run(move || one.send(1).unwrap()).unwrap();
        assert_eq!(pool.waiting(), (1, 1));
        assert_eq!(pool.run(|| {}), Err(Full));
        drop(release);
        assert_eq!(was_done.recv().unwrap(), 1);
        pool.run(move || done.send(2).unwrap()).unwrap();
        assert_eq!(was_done.recv().unwrap(), 2);
        assert!(pool.wait(Duration::from_secs(60)));
    }

    #[test]
    fn a_pool_that_was_closed_takes_nothing() {
        let pool = Pool::start("test", 1, 1).unwrap();
        pool.close();
        assert_eq!(pool.run(|| {}), Err(Full));
        assert!(pool.wait(Duration::from_secs(60)));
    }
}

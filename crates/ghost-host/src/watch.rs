//! When to take stock again: interfaces, default routes and OVS as they change.
//!
//! Two threads, one for the kernel and one for the switch, put what changed into one bounded queue.
//! What a tap does not care for (counters, addresses, a cable plugged in) is not told. When
//! something may have been missed (the queue was full, the kernel's own queue was, a message was not
//! understood) a single [`Change::Resync`] stands for all of it.

use crate::netlink::{self, Groups, Heard, Message, Socket};
use crate::switch::{self, Ovs};
use crate::{HostError, Link, LinkKind, Sources};
use crossbeam_channel::{Receiver, Sender, bounded};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fd::{AsFd, OwnedFd};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Changes that may wait: whoever falls further behind takes stock once for all of them.
const WAITING_MAX: usize = 256;
/// How soon a lost switch is tried again: at first, and at last.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(3));
/// Updates of the switch's that are taken in before what they amount to is told.
const AT_ONCE: u32 = 256;

/// That something changed, and what, for the log; the answer to each is to take stock again.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// An interface came.
    LinkAdded { ifindex: u32, name: String },
    /// An interface was renamed, went up or down, or changed its master.
    LinkChanged { ifindex: u32, name: String },
    /// An interface went away.
    LinkRemoved { ifindex: u32, name: String },
    /// A default route came or went.
    DefaultRoute,
    /// Bridges or ports of Open vSwitch changed.
    Ovs,
    /// The connection to Open vSwitch's database came up.
    OvsUp,
    /// It was lost; it is being tried again.
    OvsDown,
    /// Changes were missed: only a new inventory tells.
    Resync,
}

/// Watches the calling thread's network namespace, and Open vSwitch, on threads of its own, which
/// end when it is dropped.
#[derive(Debug)]
pub struct Watcher {
    changes: Receiver<Change>,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    /// Readable once the threads are to end.
    stop: OwnedFd,
    missed: AtomicBool,
    resyncs: AtomicU64,
}

impl Watcher {
    /// Starts watching; what changes from this moment on is told by [`next`](Watcher::next). Take
    /// stock after the start, not before.
    ///
    /// # Errors
    ///
    /// When the kernel's notifications can't be had.
    pub fn start(sources: &Sources) -> Result<Watcher, HostError> {
        let stop = eventfd(0, EventfdFlags::CLOEXEC).map_err(|err| HostError::Watch(err.into()))?;
        let shared =
            Arc::new(Shared { stop, missed: AtomicBool::new(false), resyncs: AtomicU64::new(0) });
        let (sender, changes) = bounded(WAITING_MAX);
        let mut watcher = Watcher { changes, shared: Arc::clone(&shared), threads: Vec::new() };
        let teller = Teller { sender, shared };
        let kernel = Kernel::open(teller.clone())?;
        watcher.spawn("ghost-links", move || kernel.run())?;
        let switch = Switch { teller, given: sources.ovs_socket.clone() };
        watcher.spawn("ghost-ovs", move || switch.run())?;
        Ok(watcher)
    }

    /// The next change, waited for until `timeout`.
    pub fn next(&self, timeout: Duration) -> Option<Change> {
        let change = self.changes.recv_timeout(timeout).ok();
        if !self.shared.missed.swap(false, Ordering::AcqRel) {
            return change;
        }
        // What waits was before or amid what was missed: one inventory answers all of it.
        while self.changes.try_recv().is_ok() {}
        self.shared.resyncs.fetch_add(1, Ordering::Relaxed);
        Some(Change::Resync)
    }

    /// How often changes were missed so far.
    pub fn resyncs(&self) -> u64 {
        self.shared.resyncs.load(Ordering::Relaxed)
    }

    fn spawn(&mut self, name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), HostError> {
        let thread = std::thread::Builder::new().name(name.into()).spawn(work);
        self.threads.push(thread.map_err(HostError::Watch)?);
        Ok(())
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        // Eight bytes to an eventfd whose count is 0: never blocks, never short.
        let _ = rustix::io::write(&self.shared.stop, &1u64.to_ne_bytes());
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// The way into the queue.
#[derive(Debug, Clone)]
struct Teller {
    sender: Sender<Change>,
    shared: Arc<Shared>,
}

impl Teller {
    fn tell(&self, change: Change) {
        if change == Change::Resync || self.sender.try_send(change).is_err() {
            self.shared.missed.store(true, Ordering::Release);
            // Wakes who waits at an empty queue; a full one wakes by itself.
            let _ = self.sender.try_send(Change::Resync);
        }
    }

    /// Waits until one of these can be read, or the time is over (`None`: no end). False when the
    /// watch is to end.
    fn wait(&self, others: &[&dyn AsFd], timeout: Option<Duration>) -> bool {
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        let fds =
            std::iter::once(self.shared.stop.as_fd()).chain(others.iter().map(|fd| fd.as_fd()));
        let mut fds: Vec<PollFd<'_>> =
            fds.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) => fds.first().is_some_and(|stop| stop.revents().is_empty()),
            Err(rustix::io::Errno::INTR) => true,
            Err(_) => false,
        }
    }
}

/// What of an interface decides about taps.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Known {
    name: String,
    kind: LinkKind,
    master: Option<u32>,
    lower: Option<u32>,
    up: bool,
}

impl Known {
    fn of(link: Link) -> Known {
        let Link { name, kind, master, lower, up, .. } = link;
        Known { name, kind, master, lower, up }
    }
}

/// The kernel's side.
struct Kernel {
    teller: Teller,
    links: Socket,
    routes: Socket,
    known: BTreeMap<u32, Known>,
}

impl Kernel {
    fn open(teller: Teller) -> Result<Kernel, HostError> {
        // Listening begins before the first list, so that nothing falls between the two.
        let (links, routes) = (Socket::listen(Groups::LINKS)?, Socket::listen(Groups::ROUTES)?);
        let known = Kernel::list()?;
        Ok(Kernel { teller, links, routes, known })
    }

    fn list() -> Result<BTreeMap<u32, Known>, HostError> {
        let links = netlink::links(&mut Socket::route()?)?;
        Ok(links.into_iter().map(|link| (link.ifindex, Known::of(link))).collect())
    }

    fn run(mut self) {
        while self.teller.wait(&[&self.links, &self.routes], None) {
            let (known, teller) = (&mut self.known, &self.teller);
            let links = self.links.hear(|message| {
                if let Some(change) = link_change(known, message) {
                    teller.tell(change);
                }
            });
            let mut rerouted = false;
            let routes = self.routes.hear(|message| rerouted |= netlink::is_default(message));
            match links {
                Ok(Heard::Everything) => {}
                Ok(Heard::Lost) => {
                    self.known = Kernel::list().unwrap_or_default();
                    self.teller.tell(Change::Resync);
                }
                Err(_) => return self.teller.tell(Change::Resync),
            }
            match routes {
                // Among what was lost may have been a default route.
                Ok(Heard::Lost) => rerouted = true,
                Ok(Heard::Everything) => {}
                Err(_) => return self.teller.tell(Change::Resync),
            }
            if rerouted {
                self.teller.tell(Change::DefaultRoute);
            }
        }
    }
}

/// What a message means for what is known; `None`: nothing that decides about taps.
fn link_change(known: &mut BTreeMap<u32, Known>, message: &Message<'_>) -> Option<Change> {
    let link = netlink::read_link(message)?;
    let (ifindex, name) = (link.ifindex, link.name.clone());
    if message.kind == netlink::kind::DEL_LINK {
        known.remove(&ifindex);
        return Some(Change::LinkRemoved { ifindex, name });
    }
    let link = Known::of(link);
    match known.insert(ifindex, link.clone()) {
        None => Some(Change::LinkAdded { ifindex, name }),
        Some(before) if before != link => Some(Change::LinkChanged { ifindex, name }),
        Some(_) => None,
    }
}

/// The switch's side.
struct Switch {
    teller: Teller,
    given: Option<PathBuf>,
}

impl Switch {
    fn run(self) {
        let mut back_off = BACK_OFF.0;
        loop {
            if let Some((client, tables)) = self.connect() {
                back_off = BACK_OFF.0;
                self.teller.tell(Change::OvsUp);
                if !self.follow(client, tables) {
                    return;
                }
                self.teller.tell(Change::OvsDown);
            }
            if !self.teller.wait(&[], Some(back_off)) {
                return;
            }
            back_off = (back_off * 2).min(BACK_OFF.1);
        }
    }

    fn connect(&self) -> Option<(crate::ovsdb::Client, crate::ovsdb::Tables)> {
        let path = switch::socket(self.given.as_deref())?;
        switch::replicate(&path).ok()
    }

    /// Until the connection is lost (true) or the watch is to end (false).
    fn follow(&self, mut client: crate::ovsdb::Client, mut tables: crate::ovsdb::Tables) -> bool {
        let mut told = Ovs::of(&tables);
        // Updates may have come with the first state, and stand in the client, not in the socket.
        let mut more = true;
        loop {
            if !self.teller.wait(&[&client], more.then_some(Duration::ZERO)) {
                return false;
            }
            more = true;
            for _ in 0..AT_ONCE {
                // What has not come whole is waited for above.
                match client.receive(Duration::ZERO) {
                    Ok(Some(update)) => {
                        if !tables.apply(&update) {
                            // Connecting anew gives a replica that is right again.
                            self.teller.tell(Change::Resync);
                            return true;
                        }
                    }
                    Ok(None) => {
                        more = false;
                        break;
                    }
                    Err(_) => return true,
                }
            }
            let now = Ovs::of(&tables);
            if now != told {
                told = now;
                self.teller.tell(Change::Ovs);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watcher() -> (Watcher, Teller) {
        let stop = eventfd(0, EventfdFlags::CLOEXEC).unwrap();
        let shared =
            Arc::new(Shared { stop, missed: AtomicBool::new(false), resyncs: AtomicU64::new(0) });
        let (sender, changes) = bounded(WAITING_MAX);
        let teller = Teller { sender, shared: Arc::clone(&shared) };
        (Watcher { changes, shared, threads: Vec::new() }, teller)
    }

    #[test]
    fn what_does_not_fit_into_the_queue_is_one_resync() {
        let (watcher, teller) = watcher();
        for _ in 0..WAITING_MAX + 10 {
            teller.tell(Change::Ovs);
        }
        assert_eq!(watcher.next(Duration::ZERO), Some(Change::Resync));
        assert_eq!(watcher.next(Duration::ZERO), None);
        assert_eq!(watcher.resyncs(), 1);
        teller.tell(Change::Resync);
        assert_eq!(watcher.next(Duration::ZERO), Some(Change::Resync));
        assert_eq!(watcher.next(Duration::ZERO), None);
    }
}

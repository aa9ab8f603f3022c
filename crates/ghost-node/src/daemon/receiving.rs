//! Primaries of other hosts are listened to: `replica.sock`, beside the API's socket.
//!
//! Whoever may connect (the socket's group) hands in two descriptors, from which a primary is read
//! and to which it is answered: those of the forced command of its ssh session. From then on the
//! daemon speaks with it, on a thread of its own, and says at the end how it went.
//!
//! **Invariant:** whoever connects is told nothing and may name nothing: no log, no path, no verb.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use ghost_replica::{Ended, Holdings, ReplicaHost, Settings};
use ghost_world::RealDisk;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

use super::{Daemon, DaemonHost, Inner};
use crate::PROGRAM;
use crate::api::socket::{self, Bound};

/// Its name, beside that of the API's socket.
const SOCKET: &str = "replica.sock";

/// Primaries served at the same time; each has three threads.
const SERVED_MAX: usize = 64;

/// What a forced command says: who it is, and the version of this.
const GREETING: &[u8; 16] = b"gb-replica-serve";

/// Bytes of what it is told at the end.
const WORDS_MAX: usize = 600;

/// How it ended, as one byte before the words.
const WELL: u8 = 0;
const REFUSED: u8 = 1;
const TROUBLE: u8 = 2;

/// What a daemon holds of other hosts' logs, opened when the first primary comes.
#[derive(Debug, Default)]
pub(crate) struct Held(OnceLock<Arc<Holdings>>);

/// Listens until it is dropped.
#[derive(Debug)]
pub struct Receiving {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    _bound: Bound,
}

/// Where forced commands look for the daemon that has its API at `api`.
#[must_use]
pub fn socket_beside(api: &Path) -> PathBuf {
    api.with_file_name(SOCKET)
}

impl Drop for Receiving {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // It ended, or it ended by a fault that was told where it happened.
            let _ = thread.join();
        }
    }
}

/// What the holdings ask of the program.
struct Asked(Arc<dyn DaemonHost>, AtomicU64);

impl std::fmt::Debug for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Asked")
    }
}

impl ReplicaHost for Asked {
    fn seed(&self) -> [u8; 32] {
        // Not the seed itself: of that the log's own key is made.
        let nth = self.1.fetch_add(1, Ordering::Relaxed);
        let mut of = b"ghostbridge cosigning key v1\n".to_vec();
        of.extend_from_slice(&self.0.random_seed());
        of.extend_from_slice(&nth.to_be_bytes());
        ghost_log::proof::leaf(&of).0
    }

    fn say(&self, words: &str) {
        self.0.say(words);
    }
}

impl Inner {
    fn holdings(&self) -> Arc<Holdings> {
        let make = || {
            let config = self.config.lock().unwrap_or_else(PoisonError::into_inner);
            let name = config.identity.clone().unwrap_or_else(super::machine::host_name);
            Arc::new(Holdings::new(
                Arc::new(RealDisk),
                self.data.root(),
                &name,
                PROGRAM,
                Arc::new(Asked(Arc::clone(&self.host), AtomicU64::new(0))),
                self.host.receives(self.data.root()),
                settings(&config.replica),
            ))
        };
        Arc::clone(self.receiving.0.get_or_init(make))
    }
}

fn settings(config: &crate::config::Replica) -> Settings {
    Settings {
        keep_hourly: config.keep_hourly,
        keep_daily: config.keep_daily,
        ..Settings::default()
    }
}

impl Daemon {
    /// Listens for forced commands beside the API's socket at `api`; none where the configuration
    /// says that nothing is held here.
    ///
    /// # Errors
    /// The socket can't be made.
    pub fn receive(&self, api: &Path) -> io::Result<Option<Receiving>> {
        let inner = &self.inner;
        let (accept, group) = {
            let config = inner.config.lock().unwrap_or_else(PoisonError::into_inner);
            (config.replica.accept, config.api.group.clone())
        };
        if !accept {
            return Ok(None);
        }
        let gid = gid(&group);
        let link = inner.data.root().join("state").join(SOCKET);
        let (listener, bound) = socket::bind(&socket_beside(api), Some(&link), gid)
            .map_err(|e| io::Error::other(e.to_string()))?;
        listener.set_nonblocking(true)?;
        let stop = Arc::new(AtomicBool::new(false));
        let (daemon, stopping) = (self.clone(), Arc::clone(&stop));
        let thread = std::thread::Builder::new()
            .name("replica".to_owned())
            .spawn(move || listen(&daemon, &listener, &stopping))?;
        Ok(Some(Receiving { stop, thread: Some(thread), _bound: bound }))
    }

    /// Speaks with one primary until it is done or `stop` is set.
    #[must_use]
    pub fn serve_primary(&self, input: OwnedFd, output: OwnedFd, stop: &AtomicBool) -> Ended {
        let holdings = self.inner.holdings();
        ghost_replica::serve(input, output, &holdings, self, &*self.inner.clock, stop)
    }
}

/// The number of a group that a file may be given to.
fn gid(group: &str) -> Option<u32> {
    let groups = std::fs::read_to_string("/etc/group").ok()?;
    let found = socket::gid_of(&groups, group)?;
    let own = rustix::process::getegid().as_raw();
    let may = rustix::process::geteuid().is_root()
        || found == own
        || rustix::process::getgroups().is_ok_and(|g| g.iter().any(|g| g.as_raw() == found));
    may.then_some(found)
}

fn listen(daemon: &Daemon, listener: &UnixListener, stop: &Arc<AtomicBool>) {
    let served = Arc::new(AtomicUsize::new(0));
    let mut threads: Vec<JoinHandle<()>> = Vec::new();
    while !stop.load(Ordering::Acquire) && !daemon.inner.shared.stopping() {
        let mut fds = [PollFd::from_borrowed_fd(listener.as_fd(), PollFlags::IN)];
        let timeout = Timespec { tv_sec: 0, tv_nsec: 250_000_000 };
        if poll(&mut fds, Some(&timeout)).is_ok_and(|n| n == 0) {
            threads.retain(|thread| !thread.is_finished());
            continue;
        }
        let Ok((stream, _)) = listener.accept() else {
            // Without descriptors for it, it is asked again in a moment.
            std::thread::park_timeout(Duration::from_millis(50));
            continue;
        };
        if served.fetch_add(1, Ordering::AcqRel) >= SERVED_MAX {
            served.fetch_sub(1, Ordering::AcqRel);
            let _ = tell(&stream, TROUBLE, "this replica serves as many primaries as it can");
            continue;
        }
        let (daemon, stop, done) = (daemon.clone(), Arc::clone(stop), Arc::clone(&served));
        let thread = std::thread::Builder::new().name("primary".to_owned()).spawn(move || {
            one(&daemon, &stream, &stop);
            done.fetch_sub(1, Ordering::AcqRel);
        });
        match thread {
            Ok(thread) => threads.push(thread),
            Err(_) => drop(served.fetch_sub(1, Ordering::AcqRel)),
        }
        threads.retain(|thread| !thread.is_finished());
    }
    stop.store(true, Ordering::Release);
    for thread in threads {
        let _ = thread.join();
    }
}

/// One forced command.
fn one(daemon: &Daemon, stream: &UnixStream, stop: &AtomicBool) {
    let Some((input, output)) = handed(stream) else {
        let _ = tell(stream, TROUBLE, "it handed in no descriptors: is it of another version?");
        return;
    };
    let ended = daemon.serve_primary(input, output, stop);
    let (how, words) = match (&ended.refusal, &ended.trouble) {
        (Some(refusal), _) => (REFUSED, format!("{}: {}", refusal.code.name(), refusal.words)),
        (None, Some(trouble)) => (TROUBLE, trouble.clone()),
        (None, None) => (WELL, String::new()),
    };
    if how != WELL {
        let who: String = ended.name.escape_debug().collect();
        daemon.inner.host.say(&format!(
            "replica: the connection of {} ended: {}",
            if who.is_empty() { "a primary" } else { &who },
            words.escape_debug()
        ));
    }
    let _ = tell(stream, how, &words);
}

fn tell(mut stream: &UnixStream, how: u8, words: &str) -> io::Result<()> {
    use std::io::Write as _;
    let words: String = words.escape_debug().collect();
    let mut bytes = vec![how];
    bytes.extend_from_slice(
        words.get(..words.floor_char_boundary(WORDS_MAX)).unwrap_or_default().as_bytes(),
    );
    stream.set_write_timeout(Some(Duration::from_secs(1)))?;
    stream.write_all(&bytes)
}

/// The two descriptors of a forced command.
fn handed(stream: &UnixStream) -> Option<(OwnedFd, OwnedFd)> {
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let mut bytes = [0; GREETING.len() + 1];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let got = {
        let mut into = [IoSliceMut::new(&mut bytes)];
        recvmsg(stream, &mut into, &mut control, RecvFlags::CMSG_CLOEXEC).ok()?
    };
    let mut fds = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(fds) => Some(fds),
        _ => None,
    });
    let fds: Vec<OwnedFd> = fds.by_ref().flatten().collect();
    if bytes.get(..got.bytes) != Some(GREETING.as_slice()) {
        return None;
    }
    let mut fds = fds.into_iter();
    Some((fds.next()?, fds.next()?))
}

/// The forced command's side: hands the descriptors to the daemon whose socket this is, and waits
/// until it is done with them. What went wrong, in words.
///
/// # Errors
/// No daemon listens there, or it has gone.
pub fn hand_over(
    socket_path: &Path,
    input: impl AsFd,
    output: impl AsFd,
) -> io::Result<Result<(), String>> {
    use std::io::Read as _;
    let mut stream = socket::connect(socket_path)?;
    let fds = [input.as_fd(), output.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(&fds)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    sendmsg(&stream, &[IoSlice::new(GREETING)], &mut control, SendFlags::NOSIGNAL)?;
    let mut told = Vec::new();
    let read = (&mut stream).take(WORDS_MAX as u64 + 1).read_to_end(&mut told);
    read?;
    let Some((how, words)) = told.split_first() else {
        return Err(io::ErrorKind::UnexpectedEof.into());
    };
    if *how == WELL {
        return Ok(Ok(()));
    }
    Ok(Err(String::from_utf8_lossy(words).into_owned()))
}

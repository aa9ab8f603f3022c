//! The serving thread: listeners in, requests out to the routes.
//!
//! One thread and one current-thread runtime for all connections. The head of a request must come
//! in time and be small; connections beyond the limit are closed at once and counted.

use std::fmt;
use std::future::poll_fn;
use std::io::{self, Read};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::thread::JoinHandle;

use axum::{Extension, Router};
use ghost_world::Clock;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, watch};

use super::backend::Backend;
use super::counts::{Counts, count};
use super::followers::Followers;
use super::limits::{
    ASK_THREADS, ASK_WAITING_MAX, CONNECTIONS_MAX, DRAIN_TIMEOUT, FAN_THREADS, FAN_WAITING_MAX,
    GROUPS_BYTES_MAX, HEAD_BYTES_MAX, HEAD_TIMEOUT, HEADERS_MAX, IMPORT_THREADS,
    IMPORT_WAITING_MAX, SAMPLE_EVERY, USERS_TOLD_MAX,
};
use super::pool::Pool;
use super::rates::{History, Rates};
use super::routes::{self, State};
use super::socket::{self, Bound};
use crate::DataDir;
use crate::config::Config;

/// Where to listen, and for whom.
#[derive(Debug, Clone)]
pub struct ApiConfig {
    pub data: DataDir,
    /// The socket; the data folder's `state/api.sock` is made a link to it where it is elsewhere.
    pub socket: PathBuf,
    /// Group whose members may connect, besides the user and root; empty for none.
    pub group: String,
    /// Loopback address on which `/metrics` alone is served.
    pub metrics_listen: Option<SocketAddr>,
}

impl ApiConfig {
    /// As configured, for the daemon of `data`.
    #[must_use]
    pub fn of(config: &Config, data: &DataDir) -> ApiConfig {
        ApiConfig {
            data: data.clone(),
            socket: config.api.socket.clone().unwrap_or_else(|| socket::socket_for(data)),
            group: config.api.group.clone(),
            metrics_listen: config.metrics.listen,
        }
    }
}

/// What the API asks of the program.
pub trait ApiHost: Send + Sync + 'static {
    fn clock(&self) -> Arc<dyn Clock>;
    /// Something for the journal.
    fn say(&self, words: &str);
}

/// Why the API can't be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// The socket can't be made.
    #[error("{path}: {error}; name another with [api] socket, or make its folder writable")]
    Socket { path: String, error: io::Error },
    /// Another program answers there.
    #[error("{path}: another daemon answers here; stop it, or name another socket")]
    InUse { path: String },
    /// Metrics are for this host alone.
    #[error(
        "[metrics] listen = \"{0}\": not a loopback address; use 127.0.0.1 or ::1, and let a proxy \
         on this host serve others"
    )]
    NotLoopback(SocketAddr),
    /// The address can't be listened on.
    #[error("[metrics] listen = \"{address}\": {error}")]
    Listen { address: SocketAddr, error: io::Error },
    /// A thread could not be started.
    #[error("can't start a thread: {0}")]
    Thread(io::Error),
}

/// A served API; dropped, it ends.
pub struct Running {
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
    state: Arc<State>,
    metrics: Option<SocketAddr>,
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").field("metrics", &self.metrics).finish_non_exhaustive()
    }
}

impl Running {
    /// The address at which metrics are served, with the port that was found free for port 0.
    #[must_use]
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics
    }

    /// How fast it goes.
    #[must_use]
    pub fn rates(&self) -> Rates {
        self.state.rates()
    }

    /// Whether the serving thread is at work.
    #[must_use]
    pub fn alive(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// Takes no more connections, ends followers, waits a moment for open requests, and removes
    /// the socket.
    pub fn shutdown(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
            self.state.end();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// Begins to serve.
///
/// # Errors
/// The socket or the address can't be had.
pub fn serve(
    config: ApiConfig,
    backend: Arc<dyn Backend>,
    host: Arc<dyn ApiHost>,
) -> Result<Running, ApiError> {
    let gid = gid(&config.group, &*host);
    let (unix, bound) = socket::bind(&config.socket, Some(&socket::link_for(&config.data)), gid)?;
    let tcp = config.metrics_listen.map(listen).transpose()?;
    let metrics = tcp.as_ref().and_then(|tcp| tcp.local_addr().ok());
    let counts = Arc::new(Counts::default());
    let state = Arc::new(State {
        data: config.data,
        backend,
        host,
        asks: Pool::start("api-ask", ASK_THREADS, ASK_WAITING_MAX).map_err(ApiError::Thread)?,
        fans: Pool::start("api-fan", FAN_THREADS, FAN_WAITING_MAX).map_err(ApiError::Thread)?,
        imports: Pool::start("api-import", IMPORT_THREADS, IMPORT_WAITING_MAX)
            .map_err(ApiError::Thread)?,
        followers: Mutex::new(Some(
            Followers::start(Arc::clone(&counts)).map_err(ApiError::Thread)?,
        )),
        counts,
        history: Mutex::new(History::default()),
        tops: Mutex::default(),
        users: Mutex::new(Vec::new()),
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(ApiError::Thread)?;
    let (stop, stopped) = watch::channel(false);
    let serving = Serving { state: Arc::clone(&state), bound, unix, tcp };
    let thread = std::thread::Builder::new()
        .name("api".to_owned())
        .spawn(move || {
            runtime.block_on(serving.run(stopped));
            // What still runs then hears that its reader has gone.
            runtime.shutdown_background();
        })
        .map_err(ApiError::Thread)?;
    Ok(Running { stop, thread: Some(thread), state, metrics })
}

fn listen(address: SocketAddr) -> Result<TcpListener, ApiError> {
    if !address.ip().is_loopback() {
        return Err(ApiError::NotLoopback(address));
    }
    TcpListener::bind(address).map_err(|error| ApiError::Listen { address, error })
}

/// The number of the configured group; a missing one is told, not refused.
fn gid(group: &str, host: &dyn ApiHost) -> Option<u32> {
    if group.is_empty() {
        return None;
    }
    let mut groups = String::new();
    let read = std::fs::File::open("/etc/group")
        .and_then(|file| file.take(GROUPS_BYTES_MAX).read_to_string(&mut groups));
    let found = read.ok().and_then(|_| socket::gid_of(&groups, group));
    if found.is_none() {
        host.say(&format!(
            "there is no group {group:?}: only this user and root may ask; make it, or set \
             [api] group"
        ));
        return None;
    }
    // Who is neither root nor a member can't give a file to a group.
    let own = rustix::process::getegid().as_raw();
    let may = rustix::process::geteuid().is_root()
        || found == Some(own)
        || rustix::process::getgroups()
            .is_ok_and(|groups| groups.iter().any(|g| Some(g.as_raw()) == found));
    if may { found } else { None }
}

/// What the serving thread owns.
struct Serving {
    state: Arc<State>,
    /// Held for its drop.
    bound: Bound,
    unix: UnixListener,
    tcp: Option<TcpListener>,
}

impl Serving {
    async fn run(self, stopped: watch::Receiver<bool>) {
        let Serving { state, bound, unix, tcp } = self;
        let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let said = |error: io::Error| state.host.say(&format!("the API's socket: {error}"));
        let mut listeners = Vec::new();
        let of_unix = || {
            unix.set_nonblocking(true)?;
            tokio::net::UnixListener::from_std(unix)
        };
        match of_unix() {
            Ok(unix) => {
                let router = routes::all(Arc::clone(&state));
                listeners.push(tokio::spawn(accept(
                    Listener::Unix(unix),
                    router,
                    Arc::clone(&state),
                    Arc::clone(&room),
                    stopped.clone(),
                )));
            }
            Err(error) => said(error),
        }
        let of_tcp = |tcp: TcpListener| {
            tcp.set_nonblocking(true)?;
            tokio::net::TcpListener::from_std(tcp)
        };
        match tcp.map(of_tcp) {
            Some(Ok(tcp)) => {
                let router = routes::metrics_only(Arc::clone(&state));
                listeners.push(tokio::spawn(accept(
                    Listener::Tcp(tcp),
                    router,
                    Arc::clone(&state),
                    Arc::clone(&room),
                    stopped.clone(),
                )));
            }
            Some(Err(error)) => said(error),
            None => {}
        }
        let sampling = tokio::spawn(sample(Arc::clone(&state)));
        let mut stop = stopped;
        drop(stop.wait_for(|stopped| *stopped).await);
        sampling.abort();
        // The names go first: who comes now finds nobody, rather than a listener that is closing.
        drop(bound);
        for listener in listeners {
            drop(listener.await);
        }
        state.close();
        let all = u32::try_from(CONNECTIONS_MAX).unwrap_or(u32::MAX);
        drop(tokio::time::timeout(DRAIN_TIMEOUT, room.acquire_many(all)).await);
    }
}

/// Keeps the last seconds for rates.
async fn sample(state: Arc<State>) {
    let mut every = tokio::time::interval(SAMPLE_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        every.tick().await;
        state.sample();
    }
}

enum Listener {
    Unix(tokio::net::UnixListener),
    Tcp(tokio::net::TcpListener),
}

/// Who is at the other end; of TCP nothing is known.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Peer {
    pub(super) uid: Option<u32>,
    pub(super) pid: Option<i32>,
}

async fn accept(
    listener: Listener,
    router: Router,
    state: Arc<State>,
    room: Arc<Semaphore>,
    mut stopped: watch::Receiver<bool>,
) {
    loop {
        let accepted = {
            let mut stop = pin!(stopped.wait_for(|stopped| *stopped));
            poll_fn(|context| {
                if stop.as_mut().poll(context).is_ready() {
                    return Poll::Ready(None);
                }
                match &listener {
                    Listener::Unix(unix) => {
                        unix.poll_accept(context).map_ok(|(s, _)| Stream::Unix(s)).map(Some)
                    }
                    Listener::Tcp(tcp) => {
                        tcp.poll_accept(context).map_ok(|(s, _)| Stream::Tcp(s)).map(Some)
                    }
                }
            })
            .await
        };
        let stream = match accepted {
            None => return,
            Some(Ok(stream)) => stream,
            Some(Err(_)) => {
                // No more files, or a connection that went away at once: neither may make us spin.
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                continue;
            }
        };
        count(&state.counts.connections);
        let Ok(permit) = Arc::clone(&room).try_acquire_owned() else {
            count(&state.counts.connections_refused);
            continue;
        };
        let (router, stopped, state) = (router.clone(), stopped.clone(), Arc::clone(&state));
        tokio::spawn(async move {
            let _permit = permit;
            count(&state.counts.connections_open);
            match stream {
                Stream::Unix(unix) => {
                    let peer = unix
                        .peer_cred()
                        .map_or(Peer::default(), |c| Peer { uid: Some(c.uid()), pid: c.pid() });
                    state.greet(peer);
                    converse(unix, router.layer(Extension(peer)), stopped).await;
                }
                Stream::Tcp(tcp) => {
                    converse(tcp, router.layer(Extension(Peer::default())), stopped).await;
                }
            }
            state.counts.connections_open.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

enum Stream {
    Unix(tokio::net::UnixStream),
    Tcp(tokio::net::TcpStream),
}

/// Serves the requests of one connection until it or the API ends.
async fn converse<S>(stream: S, router: Router, mut stopped: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX);
    let service = TowerToHyperService::new(router);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = {
        let mut stop = pin!(stopped.wait_for(|stopped| *stopped));
        poll_fn(|context| {
            if connection.as_mut().poll(context).is_ready() {
                return Poll::Ready(true);
            }
            stop.as_mut().poll(context).map(|_| false)
        })
        .await
    };
    if !ended {
        connection.as_mut().graceful_shutdown();
        drop(connection.await);
    }
}

impl State {
    /// Tells the journal, once a user, that somebody asks.
    fn greet(&self, peer: Peer) {
        let Some(uid) = peer.uid else { return };
        let Ok(mut users) = self.users.lock() else { return };
        if users.len() < USERS_TOLD_MAX && !users.contains(&uid) {
            users.push(uid);
            let pid = peer.pid.unwrap_or(0);
            self.host.say(&format!("the API is asked by uid {uid} (first by pid {pid})"));
        }
    }
}

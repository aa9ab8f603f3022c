//! The blocking client: what the command line asks a daemon with.
//!
//! One connection a request. Lines are handed on as they come; an answer that ends without its last
//! line was cut, and that is an error, never a short answer.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{Method, Request, StatusCode};
use ghost_log::Layout;
use http_body_util::BodyExt;
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustix::fs::FlockOperation;
use serde::de::DeserializeOwned;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{Receiver, channel};

use super::backend::Question;
use super::counted::PartLine;
use super::limits::{
    CONNECT_TIMEOUT, PIECE_BYTES, PIECES_WAITING_MAX, PROGRESS_EVERY, READ_LINE_BYTES_MAX,
};
use super::remembered::Remembered;
use super::replicas::{ReplicasAsk, ReplicasTold};
use super::routes::Standing;
use super::socket::{self, SYSTEM_DATA, SYSTEM_SOCKET};
use super::top::TopAnswer;
use super::wire::{
    AnswerHead, Asked, Code, ImportLine, ImportQuery, Missed, ReadHit, Refusal, Sealed,
};
use crate::DataDir;
use crate::anomaly::wish::{AnomaliesStatus, WishAsked};
use crate::daemon::ImportAsk;
use crate::import::FileReport;

/// Why the daemon did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// No daemon answers at the socket.
    #[error("{path}: the daemon can't be reached ({error}){hint}")]
    Unreachable { path: String, error: io::Error, hint: &'static str },
    /// The socket is not for this user.
    #[error(
        "{path}: not permitted; become a member of the group that owns it ([api] group), or run \
         as root"
    )]
    Denied { path: String },
    /// It said no.
    #[error("{0}")]
    Refused(Refusal),
    /// It went away in the middle.
    #[error("the daemon went away before the end of its answer: {0}")]
    Cut(String),
    /// It says what this program does not know: two versions.
    #[error("the daemon's answer can't be read: {0}; do program and daemon have one version?")]
    Strange(String),
    /// The caller had enough.
    #[error("stopped")]
    Stopped,
    /// What is to be sent can't be read.
    #[error("can't be read: {0}")]
    Input(io::Error),
}

/// A daemon that answers.
#[derive(Debug)]
pub struct Client {
    socket: PathBuf,
    runtime: Runtime,
}

/// One hit of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct ClientHit {
    pub score: f32,
    pub why: Vec<String>,
    /// Events that say the same again and are left out.
    pub also: u64,
    /// Where asked for: what the score is the sum of.
    pub parts: Vec<PartLine>,
    /// Which of the head's logs it is from, where there is more than one.
    pub from: Option<String>,
    /// As it stands in the log.
    pub line: Vec<u8>,
}

/// An answer whose hits still come.
#[derive(Debug)]
pub struct Answering<'c> {
    pub head: AnswerHead,
    lines: Lines<'c>,
    left: u64,
}

/// What a follower hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// A line of the log.
    Line(Vec<u8>),
    /// So many lines were not sent, as they were not taken in time.
    Missed(u64),
    /// Nothing came within the time.
    Quiet,
    /// The daemon ends.
    End,
}

/// Events as they are logged.
#[derive(Debug)]
pub struct Following<'c> {
    lines: Lines<'c>,
}

impl Client {
    /// The daemon that writes the log of `data`; `None` where none does.
    ///
    /// # Errors
    /// One does, but it does not answer, or not to this user.
    pub fn find(data: &DataDir) -> Result<Option<Client>, ClientError> {
        let mut sockets = vec![socket::link_for(data)];
        if data.root() == Path::new(SYSTEM_DATA) {
            sockets.push(SYSTEM_SOCKET.into());
        }
        let mut denied = None;
        for path in sockets {
            match Client::connect(&path) {
                Ok(client) => return Ok(Some(client)),
                Err(error @ ClientError::Denied { .. }) => denied = Some(error),
                Err(ClientError::Unreachable { error, .. })
                    if matches!(
                        error.kind(),
                        io::ErrorKind::NotFound
                            | io::ErrorKind::ConnectionRefused
                            | io::ErrorKind::NotADirectory
                    ) => {}
                Err(error) => return Err(error),
            }
        }
        if let Some(denied) = denied {
            return Err(denied);
        }
        match holder(data) {
            Some(holder) => Err(ClientError::Unreachable {
                path: socket::link_for(data).display().to_string(),
                error: io::Error::other(format!("{holder} holds the log, but serves no socket")),
                hint: "; it is starting or stopping: try again, or restart it",
            }),
            None => Ok(None),
        }
    }

    /// The daemon at `socket`, once it has answered.
    ///
    /// # Errors
    /// Nothing answers there, or it is not permitted.
    pub fn connect(socket: &Path) -> Result<Client, ClientError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| unreachable(socket, error))?;
        let mut client = Client { socket: socket.to_owned(), runtime };
        client.within(CONNECT_TIMEOUT, "/v1/status")?;
        Ok(client)
    }

    /// The socket that was found.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// How the daemon stands.
    ///
    /// # Errors
    /// It does not answer.
    pub fn status(&mut self) -> Result<Standing, ClientError> {
        parse(&self.within(CONNECT_TIMEOUT, "/v1/status")?)
    }

    /// What its data folder remembers.
    ///
    /// # Errors
    /// It does not answer, or can't read its log.
    pub fn remembered(&mut self) -> Result<Remembered, ClientError> {
        parse(&self.get("/v1/remembered")?)
    }

    /// Its metrics, as Prometheus reads them.
    ///
    /// # Errors
    /// It does not answer.
    pub fn metrics(&mut self) -> Result<String, ClientError> {
        String::from_utf8(self.get("/metrics")?).map_err(|e| ClientError::Strange(e.to_string()))
    }

    /// What `top` shows, of what meets `filter`.
    ///
    /// # Errors
    /// The filter is off, or the daemon does not answer.
    pub fn top(&mut self, filter: &str) -> Result<TopAnswer, ClientError> {
        parse(&self.get(&format!("/v1/top?filter={}", quoted(filter)))?)
    }

    /// Asks about replicas, or has something done with them.
    ///
    /// # Errors
    /// It was refused, or the daemon does not answer.
    pub fn replicas(&mut self, ask: &ReplicasAsk) -> Result<ReplicasTold, ClientError> {
        let (method, path, body) =
            ask.request().map_err(|e| ClientError::Strange(e.to_string()))?;
        let lines = self.begin(method, &path, Body::from(body))?;
        let Lines { runtime, mut body, .. } = lines;
        parse(&runtime.block_on(collect(&mut body)).map_err(ClientError::Cut)?)
    }

    /// Has the log sealed into a block now.
    ///
    /// # Errors
    /// It could not be sealed, or the daemon does not answer.
    pub fn seal(&mut self) -> Result<Sealed, ClientError> {
        let lines = self.begin(Method::POST, "/v1/seal", Body::empty())?;
        let Lines { runtime, mut body, .. } = lines;
        parse(&runtime.block_on(collect(&mut body)).map_err(ClientError::Cut)?)
    }

    /// Has the scorer do what an operator wishes.
    ///
    /// # Errors
    /// It was refused, or the daemon does not answer.
    pub fn anomalies(&mut self, asked: &WishAsked) -> Result<AnomaliesStatus, ClientError> {
        let body = serde_json::to_vec(asked).map_err(|e| ClientError::Strange(e.to_string()))?;
        let lines = self.begin(Method::POST, "/v1/anomalies", Body::from(body))?;
        let Lines { runtime, mut body, .. } = lines;
        parse(&runtime.block_on(collect(&mut body)).map_err(ClientError::Cut)?)
    }

    /// Asks a question.
    ///
    /// # Errors
    /// It was refused, or the daemon went away.
    pub fn ask(&mut self, question: &Question) -> Result<Answering<'_>, ClientError> {
        let (route, asked) = Asked::of(question);
        let body = serde_json::to_vec(&asked).map_err(|e| ClientError::Strange(e.to_string()))?;
        let mut lines = self.begin(Method::POST, route, Body::from(body))?;
        let first = lines.next()?.ok_or_else(|| ClientError::Cut("nothing came".to_owned()))?;
        let head: AnswerHead = parse(&first)?;
        let left = head.hits;
        Ok(Answering { head, lines, left })
    }

    /// Follows the log from now on.
    ///
    /// # Errors
    /// The filter is off, or there is no room for another follower.
    pub fn follow(&mut self, filter: &str) -> Result<Following<'_>, ClientError> {
        let path = format!("/v1/flows/follow?filter={}", quoted(filter));
        Ok(Following { lines: self.begin(Method::GET, &path, Body::empty())? })
    }

    /// Has the daemon import what `input` gives. `told` hears the bytes that the daemon read so
    /// far, several times a second, and ends the import by answering false.
    ///
    /// # Errors
    /// It was not begun or not ended; what became of a damaged or known capture is in the report.
    pub fn import(
        &mut self,
        ask: &ImportAsk,
        input: Box<dyn Read + Send>,
        told: &mut dyn FnMut(u64) -> bool,
    ) -> Result<FileReport, ClientError> {
        let query = ImportQuery {
            file: ask.file.clone(),
            filter: ask.filter.clone(),
            again: ask.again,
            no_idle_timeout: ask.no_idle_timeout,
            updates_s: ask.updates_s,
            sha256: ask.sha256.clone(),
        };
        let (pieces, fed) = channel(PIECES_WAITING_MAX);
        let body = Body::new(Fed(fed));
        let mut lines = self.begin(Method::POST, &import_path(&query), body)?;
        let mut waiting = Some((input, pieces));
        let mut read = 0;
        loop {
            let line = match lines.next_within(PROGRESS_EVERY)? {
                Next::Line(line) => parse::<ImportLine>(&line)?,
                Next::Quiet if told(read) => continue,
                Next::Quiet => return Err(ClientError::Stopped),
                Next::End => return Err(ClientError::Cut("no report came".to_owned())),
            };
            match line {
                ImportLine::Ready(_) => {
                    let Some((input, pieces)) = waiting.take() else { continue };
                    std::thread::Builder::new()
                        .name("send".to_owned())
                        .spawn(move || feed(input, &pieces))
                        .map_err(ClientError::Input)?;
                }
                ImportLine::Read(bytes) => {
                    read = bytes;
                    if !told(read) {
                        return Err(ClientError::Stopped);
                    }
                }
                ImportLine::Report(report) => return Ok(report.into()),
                ImportLine::Refused(refusal) => return Err(ClientError::Refused(refusal)),
            }
        }
    }

    fn get(&mut self, path: &str) -> Result<Vec<u8>, ClientError> {
        let lines = self.begin(Method::GET, path, Body::empty())?;
        let Lines { runtime, mut body, .. } = lines;
        runtime.block_on(collect(&mut body)).map_err(ClientError::Cut)
    }

    /// The same, for what takes no time where all is well.
    fn within(&mut self, limit: Duration, path: &str) -> Result<Vec<u8>, ClientError> {
        let socket = self.socket.clone();
        let stream = socket::connect(&socket).map_err(|error| denied_or(&socket, error))?;
        let request = request(Method::GET, path, Body::empty())?;
        let answer = self.runtime.block_on(async {
            let asking = async {
                let (response, sender) = send(stream, request).await?;
                let status = response.status();
                let mut body = response.into_body();
                let bytes = collect(&mut body).await.map_err(ClientError::Cut)?;
                drop(sender);
                if status.is_success() { Ok(bytes) } else { Err(refused(status, &bytes)) }
            };
            tokio::time::timeout(limit, asking).await
        });
        answer.unwrap_or_else(|_| {
            let silent = format!("no answer within {} s", limit.as_secs());
            Err(unreachable(&socket, io::Error::new(io::ErrorKind::TimedOut, silent)))
        })
    }

    fn begin(&mut self, method: Method, path: &str, body: Body) -> Result<Lines<'_>, ClientError> {
        let stream =
            socket::connect(&self.socket).map_err(|error| denied_or(&self.socket, error))?;
        let request = request(method, path, body)?;
        let (response, sender) = self.runtime.block_on(send(stream, request))?;
        let status = response.status();
        let mut body = response.into_body();
        if !status.is_success() {
            let bytes = self.runtime.block_on(collect(&mut body)).unwrap_or_default();
            return Err(refused(status, &bytes));
        }
        Ok(Lines { runtime: &self.runtime, body, _sender: sender, buffer: Vec::new(), at: 0 })
    }
}

impl Answering<'_> {
    /// The next hit, best first; `None` after the last.
    ///
    /// # Errors
    /// The daemon could not read on, or went away.
    #[expect(clippy::should_implement_trait, reason = "it can fail")]
    pub fn next(&mut self) -> Result<Option<ClientHit>, ClientError> {
        let Some(line) = self.lines.next()? else {
            return Err(ClientError::Cut(format!("{} hits are missing", self.left)));
        };
        let hit: ReadHit = parse(&line)?;
        if let Some(error) = hit.error {
            let code = Code::parse(&hit.code);
            return Err(ClientError::Refused(Refusal { error, hint: hit.hint, code }));
        }
        if hit.end {
            return Ok(None);
        }
        let Some(event) = hit.event else {
            return Err(ClientError::Strange("a hit without its event".to_owned()));
        };
        self.left = self.left.saturating_sub(1);
        let mut line = String::from(Box::<str>::from(event)).into_bytes();
        line.push(b'\n');
        let (score, why, also, parts) = (hit.score, hit.why, hit.also, hit.parts);
        Ok(Some(ClientHit { score, why, also, parts, from: hit.from, line }))
    }
}

impl Following<'_> {
    /// What comes next, waited for `limit` at most.
    ///
    /// # Errors
    /// The daemon can't read its log, or went away.
    pub fn next(&mut self, limit: Duration) -> Result<Told, ClientError> {
        let line = match self.lines.next_within(limit) {
            Ok(Next::Line(line)) => line,
            Ok(Next::Quiet) => return Ok(Told::Quiet),
            Ok(Next::End) => return Ok(Told::End),
            Err(error) => return Err(error),
        };
        if line.trim_ascii().is_empty() {
            return Ok(Told::Quiet);
        }
        if line.starts_with(b"{\"missed\"") {
            return Ok(Told::Missed(parse::<Missed>(&line)?.missed));
        }
        if line.starts_with(b"{\"error\"") {
            return Err(ClientError::Refused(parse(&line)?));
        }
        Ok(Told::Line(line))
    }
}

/// The lines of an answer's body.
struct Lines<'c> {
    runtime: &'c Runtime,
    body: Incoming,
    /// Dropped, it would end the connection.
    _sender: SendRequest<Body>,
    buffer: Vec<u8>,
    /// The first byte of `buffer` that was not handed out.
    at: usize,
}

impl std::fmt::Debug for Lines<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lines").finish_non_exhaustive()
    }
}

enum Next {
    Line(Vec<u8>),
    Quiet,
    End,
}

impl Lines<'_> {
    fn next(&mut self) -> Result<Option<Vec<u8>>, ClientError> {
        loop {
            match self.next_within(Duration::from_secs(3600))? {
                Next::Line(line) => return Ok(Some(line)),
                Next::End => return Ok(None),
                Next::Quiet => {}
            }
        }
    }

    fn next_within(&mut self, limit: Duration) -> Result<Next, ClientError> {
        let mut looked = self.at;
        loop {
            let rest = self.buffer.get(looked..).unwrap_or_default();
            if let Some(end) = rest.iter().position(|b| *b == b'\n') {
                let end = looked + end + 1;
                let line = self.buffer.get(self.at..end).unwrap_or_default().to_vec();
                self.at = end;
                return Ok(Next::Line(line));
            }
            looked = self.buffer.len();
            if looked - self.at > READ_LINE_BYTES_MAX {
                return Err(ClientError::Strange("a line without an end".to_owned()));
            }
            let body = &mut self.body;
            let frame =
                self.runtime.block_on(async { tokio::time::timeout(limit, body.frame()).await });
            match frame {
                Err(_) => return Ok(Next::Quiet),
                Ok(None) if looked == self.at => return Ok(Next::End),
                Ok(None) => return Err(ClientError::Cut("half a line came".to_owned())),
                Ok(Some(Err(error))) => return Err(ClientError::Cut(error.to_string())),
                Ok(Some(Ok(frame))) => {
                    if let Ok(bytes) = frame.into_data() {
                        looked -= self.at;
                        self.buffer.drain(..self.at);
                        self.at = 0;
                        self.buffer.extend_from_slice(&bytes);
                    }
                }
            }
        }
    }
}

/// What a thread reads, as a request's body.
struct Fed(Receiver<io::Result<Bytes>>);

impl hyper::body::Body for Fed {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}

/// Reads `input` to its end; whoever does not want more ends it.
fn feed(mut input: Box<dyn Read + Send>, pieces: &tokio::sync::mpsc::Sender<io::Result<Bytes>>) {
    loop {
        let mut buffer = vec![0; PIECE_BYTES];
        let piece = match input.read(&mut buffer) {
            Ok(0) => return,
            Ok(n) => {
                buffer.truncate(n);
                Ok(Bytes::from(buffer))
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let failed = piece.is_err();
        if pieces.blocking_send(piece).is_err() || failed {
            return;
        }
    }
}

async fn send(
    stream: std::os::unix::net::UnixStream,
    request: Request<Body>,
) -> Result<(hyper::Response<Incoming>, SendRequest<Body>), ClientError> {
    let cut = |error: hyper::Error| ClientError::Cut(error.to_string());
    let io_cut = |error: io::Error| ClientError::Cut(error.to_string());
    stream.set_nonblocking(true).map_err(io_cut)?;
    let stream = tokio::net::UnixStream::from_std(stream).map_err(io_cut)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(cut)?;
    tokio::spawn(connection);
    let response = sender.send_request(request).await.map_err(cut)?;
    Ok((response, sender))
}

fn request(method: Method, path: &str, body: Body) -> Result<Request<Body>, ClientError> {
    Request::builder()
        .method(method)
        .uri(path)
        .header("host", "ghostbridge")
        .header("content-type", "application/json")
        .body(body)
        .map_err(|e| ClientError::Strange(e.to_string()))
}

async fn collect(body: &mut Incoming) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(|e| e.to_string())?.into_data() {
            bytes.extend_from_slice(&data);
        }
        if bytes.len() > READ_LINE_BYTES_MAX {
            return Err("it has no end".to_owned());
        }
    }
    Ok(bytes)
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ClientError> {
    serde_json::from_slice(bytes).map_err(|e| ClientError::Strange(e.to_string()))
}

fn refused(status: StatusCode, body: &[u8]) -> ClientError {
    let plain = || Refusal { error: format!("answered {status}"), ..Refusal::default() };
    ClientError::Refused(serde_json::from_slice(body).unwrap_or_else(|_| plain()))
}

fn unreachable(socket: &Path, error: io::Error) -> ClientError {
    let hint = match error.kind() {
        io::ErrorKind::TimedOut => "; it hangs or is overloaded: look into its journal",
        _ => "",
    };
    ClientError::Unreachable { path: socket.display().to_string(), error, hint }
}

fn denied_or(socket: &Path, error: io::Error) -> ClientError {
    if error.kind() == io::ErrorKind::PermissionDenied {
        return ClientError::Denied { path: socket.display().to_string() };
    }
    unreachable(socket, error)
}

/// Who else than an import holds the writer's lock of `data`.
///
/// What is written in the lock's file outlives its holder: only the lock itself tells, and it is
/// tried for only where the name speaks of a process that lives.
fn holder(data: &DataDir) -> Option<String> {
    let mut file = File::open(Layout::new(data.root()).lock()).ok()?;
    let mut holder = String::new();
    io::Read::by_ref(&mut file).take(256).read_to_string(&mut holder).ok()?;
    let holder = holder.trim();
    if holder.is_empty() || holder.starts_with("ghostbridge import") {
        return None;
    }
    let pid = holder.rsplit("pid ").next().and_then(|pid| pid.parse::<u32>().ok())?;
    if !Path::new("/proc").join(pid.to_string()).exists() {
        return None;
    }
    match rustix::fs::flock(file.as_fd(), FlockOperation::NonBlockingLockShared) {
        Err(rustix::io::Errno::WOULDBLOCK) => Some(holder.to_owned()),
        _ => None,
    }
}

fn import_path(query: &ImportQuery) -> String {
    let mut path = format!("/v1/import?file={}", quoted(&query.file));
    let mut add = |key: &str, value: &str| path += &format!("&{key}={}", quoted(value));
    add("filter", &query.filter);
    add("again", if query.again { "true" } else { "false" });
    add("no_idle_timeout", if query.no_idle_timeout { "true" } else { "false" });
    if let Some(updates) = query.updates_s {
        add("updates_s", &updates.to_string());
    }
    if let Some(sha256) = &query.sha256 {
        add("sha256", sha256);
    }
    path
}

/// Percent-encoded: only what needs no thought stands as it is.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            quoted.push(char::from(byte));
        } else {
            quoted += &format!("%{byte:02X}");
        }
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quoted_is_read_back_by_the_other_side() {
        bolero::check!().with_type::<String>().with_iterations(500).for_each(|text| {
            let uri: axum::http::Uri = format!("/x?file={}", quoted(text)).parse().unwrap();
            let axum::extract::Query(read) =
                axum::extract::Query::<ImportQuery>::try_from_uri(&uri).unwrap();
            assert_eq!(&read.file, text);
        });
    }

    #[test]
    fn a_lock_whose_holder_is_gone_or_an_import_is_no_daemon() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::new(dir.path());
        assert_eq!(holder(&data), None);
        std::fs::create_dir(dir.path().join("state")).unwrap();
        let path = dir.path().join("state/lock");
        let me = std::process::id();
        std::fs::write(&path, format!("ghostbridge run, pid {me}")).unwrap();
        assert_eq!(holder(&data), None, "nobody holds it");
        let lock = File::open(&path).unwrap();
        rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).unwrap();
        assert_eq!(holder(&data), Some(format!("ghostbridge run, pid {me}")));
        assert!(matches!(Client::find(&data), Err(ClientError::Unreachable { .. })));
        std::fs::write(&path, format!("ghostbridge import, pid {me}")).unwrap();
        assert_eq!(holder(&data), None);
        assert!(Client::find(&data).unwrap().is_none());
    }
}

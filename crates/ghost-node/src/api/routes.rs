//! The routes: each turns a request into work for the pool or a look at the counters.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::{Query, State as Of};
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use jiff::Zoned;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::anomalies;
use super::backend::{Backend, Question, Subject};
use super::counts::{ApiStatus, Counts, count};
use super::followers::Followers;
use super::limits::{
    BODY_BYTES_MAX, DRAIN_TIMEOUT, FOLLOWERS_MAX, PIECE_TIMEOUT, PROGRESS_EVERY, RETRY_AFTER_S,
};
use super::pipe::{self, Outlet};
use super::pool::Pool;
use super::rates::{History, Rates};
use super::remembered::Remembered;
use super::replicas;
use super::server::{ApiHost, Peer};
use super::top::{self, TopAnswer, Tops};
use super::wire::{Asked, Code, ImportLine, ImportQuery, Refusal, Sealed};
use super::written::{Written, write_answer, write_line, write_merged};
use crate::daemon::{ImportAsk, ImportError, SealError, Status};
use crate::store::{QueryError, StoreError};
use crate::{DataDir, PROGRAM, metrics};

/// What the routes share.
pub(super) struct State {
    pub(super) data: DataDir,
    pub(super) backend: Arc<dyn Backend>,
    pub(super) host: Arc<dyn ApiHost>,
    pub(super) asks: Pool,
    /// Questions to replicas.
    pub(super) fans: Pool,
    pub(super) imports: Pool,
    pub(super) followers: Mutex<Option<Followers>>,
    pub(super) counts: Arc<Counts>,
    pub(super) history: Mutex<History>,
    pub(super) tops: Mutex<Tops>,
    /// Users whose first request was told.
    pub(super) users: Mutex<Vec<u32>>,
}

/// How a daemon stands, with what the API adds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Standing {
    /// Program and version.
    pub program: String,
    pub data_dir: String,
    /// Resident, of the daemon.
    pub memory_bytes: u64,
    pub uptime_s: f64,
    pub rates: Rates,
    pub api: ApiStatus,
    #[serde(flatten)]
    pub status: Status,
}

impl State {
    /// Takes a sample for the rates.
    pub(super) fn sample(&self) {
        let at = self.host.clock().monotonic_ns();
        let status = self.backend.status();
        if let Ok(mut history) = self.history.lock() {
            history.take(at, &status);
        }
    }

    pub(super) fn rates(&self) -> Rates {
        self.history.lock().map(|h| h.rates()).unwrap_or_default()
    }

    pub(super) fn standing(&self) -> Standing {
        let status = self.backend.status();
        let up_ns = self.host.clock().wall_ns().saturating_sub(status.started_ns).max(0);
        Standing {
            program: PROGRAM.to_owned(),
            data_dir: self.data.root().display().to_string(),
            memory_bytes: resident(),
            #[expect(clippy::cast_precision_loss, reason = "seconds for people")]
            uptime_s: up_ns as f64 / 1e9,
            rates: self.rates(),
            api: self.counts.snapshot(self.asks.waiting()),
            status,
        }
    }

    /// Takes no more work, and ends followers.
    pub(super) fn close(&self) {
        self.asks.close();
        self.fans.close();
        self.imports.close();
        let followers = self.followers.lock().ok().and_then(|mut f| f.take());
        if let Some(followers) = followers {
            followers.end();
        }
    }

    /// Waits for the pool's threads, a moment.
    pub(super) fn end(&self) {
        self.close();
        self.asks.wait(DRAIN_TIMEOUT);
        self.fans.wait(DRAIN_TIMEOUT);
        self.imports.wait(DRAIN_TIMEOUT);
    }

    fn now(&self) -> Zoned {
        let at = jiff::Timestamp::from_nanosecond(self.host.clock().wall_ns().into());
        at.unwrap_or_default().to_zoned(TimeZone::system())
    }
}

/// Bytes of this process that are in memory; 0 where nothing tells.
fn resident() -> u64 {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return 0 };
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|l| l.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kib.unwrap_or(0).saturating_mul(1024)
}

pub(super) type Shared = Of<Arc<State>>;

/// Every route.
pub(super) fn all(state: Arc<State>) -> Router {
    replicas::routes(Router::new())
        .route("/v1/status", get(status))
        .route("/v1/remembered", get(remembered))
        .route("/v1/query", post(query))
        .route("/v1/flows", post(flows))
        .route("/v1/similar", post(similar))
        .route("/v1/patterns", post(patterns))
        .route("/v1/compare", post(compare))
        .route("/v1/flows/follow", get(follow))
        .route("/v1/import", post(import))
        .route("/v1/seal", post(seal))
        .route("/v1/anomalies", post(anomalies::wish))
        .route("/v1/top", get(top))
        .route("/metrics", get(exposition))
        .fallback(unknown)
        .method_not_allowed_fallback(other_method)
        .layer(middleware::from_fn_with_state(Arc::clone(&state), counted))
        .with_state(state)
}

/// What TCP gets.
pub(super) fn metrics_only(state: Arc<State>) -> Router {
    Router::new()
        .route("/metrics", get(exposition))
        .fallback(unknown)
        .method_not_allowed_fallback(other_method)
        .layer(middleware::from_fn_with_state(Arc::clone(&state), counted))
        .with_state(state)
}

async fn counted(Of(state): Shared, request: axum::extract::Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let response = next.run(request).await;
    let code = response.status();
    if code == StatusCode::SERVICE_UNAVAILABLE {
        count(&state.counts.busy);
    }
    state.counts.answered(&path, code.as_u16());
    response
}

/// A refusal as an answer.
impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = match self.code {
            Code::Usage => StatusCode::BAD_REQUEST,
            Code::NotFound => StatusCode::NOT_FOUND,
            Code::Busy | Code::Stopping => StatusCode::SERVICE_UNAVAILABLE,
            Code::Failed => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let mut response = (status, json(&self)).into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER_S.into());
        }
        response
    }
}

pub(super) fn refusal(code: Code, error: impl ToString, hint: &str) -> Refusal {
    Refusal { error: error.to_string(), hint: hint.to_owned(), code }
}

fn busy() -> Refusal {
    refusal(Code::Busy, "the daemon is busy with other requests", "try again in a moment")
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Refusal {
        let code = match &error {
            StoreError::Query(QueryError::NoEvent(_)) => Code::NotFound,
            StoreError::Query(QueryError::Index(_)) => Code::Failed,
            StoreError::Query(_) | StoreError::NotAFilter(_) => Code::Usage,
            StoreError::NoSuchLog { .. } => Code::NotFound,
            _ => Code::Failed,
        };
        refusal(code, error, "")
    }
}

impl From<ImportError> for Refusal {
    fn from(error: ImportError) -> Refusal {
        let code = match &error {
            ImportError::Filter(_) => Code::Usage,
            ImportError::Busy => Code::Busy,
            ImportError::Stopping => Code::Stopping,
            _ => Code::Failed,
        };
        refusal(code, error, "")
    }
}

impl From<SealError> for Refusal {
    fn from(error: SealError) -> Refusal {
        let code = match &error {
            SealError::Busy => Code::Busy,
            SealError::Stopping => Code::Stopping,
            SealError::Failed(_) => Code::Failed,
        };
        refusal(code, error, "")
    }
}

/// A value as a JSON body with a newline.
pub(super) fn json(value: &impl Serialize) -> Response {
    let Ok(mut text) = serde_json::to_vec(value) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    text.push(b'\n');
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], text).into_response()
}

/// A stream of JSON lines.
fn lines(pieces: pipe::Pieces) -> Response {
    let kind = HeaderValue::from_static("application/x-ndjson");
    ([(header::CONTENT_TYPE, kind)], Body::new(pieces)).into_response()
}

async fn unknown(uri: Uri) -> Refusal {
    // The path comes from the client, and goes back to it as a JSON string.
    let error = format!("there is nothing at {}", uri.path());
    refusal(Code::NotFound, error, "docs/interfaces/api.md lists the routes")
}

async fn other_method() -> Response {
    let told =
        refusal(Code::Usage, "this route takes another method", "see docs/interfaces/api.md");
    (StatusCode::METHOD_NOT_ALLOWED, json(&told)).into_response()
}

async fn status(Of(state): Shared) -> Response {
    json(&state.standing())
}

async fn exposition(Of(state): Shared) -> Response {
    let kind = HeaderValue::from_static(metrics::CONTENT_TYPE);
    ([(header::CONTENT_TYPE, kind)], metrics::exposition(&state.standing())).into_response()
}

/// Has `work` done on the pool, and waits for what it says.
pub(super) async fn on_pool<T: Send + 'static>(
    pool: &Pool,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refusal> {
    let (tell, told) = oneshot::channel();
    pool.run(move || drop(tell.send(work()))).map_err(|_| busy())?;
    told.await.map_err(|_| refusal(Code::Failed, "the request was given up", "try again"))
}

async fn remembered(Of(state): Shared) -> Result<Response, Refusal> {
    let (data, now) = (state.data.clone(), state.now());
    let counted = on_pool(&state.asks, move || Remembered::count(&data, now)).await??;
    Ok(json(&counted))
}

async fn seal(Of(state): Shared) -> Result<Response, Refusal> {
    let backend = Arc::clone(&state.backend);
    let sealed = on_pool(&state.asks, move || backend.seal()).await??;
    Ok(json(&Sealed::from(sealed)))
}

async fn query(state: Shared, body: Body) -> Result<Response, Refusal> {
    answer(state, body, Subject::Query).await
}

async fn flows(state: Shared, body: Body) -> Result<Response, Refusal> {
    answer(state, body, Subject::Flows).await
}

async fn similar(state: Shared, body: Body) -> Result<Response, Refusal> {
    answer(state, body, Subject::Similar).await
}

async fn patterns(state: Shared, body: Body) -> Result<Response, Refusal> {
    answer(state, body, Subject::Patterns).await
}

async fn compare(state: Shared, body: Body) -> Result<Response, Refusal> {
    answer(state, body, Subject::Compare).await
}

/// Reads a small body.
pub(super) async fn small(body: Body) -> Result<Vec<u8>, Refusal> {
    let reading = Limited::new(body, BODY_BYTES_MAX).collect();
    match tokio::time::timeout(PIECE_TIMEOUT, reading).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes().to_vec()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(refusal(
            Code::Usage,
            format!("the body has more than {BODY_BYTES_MAX} bytes"),
            "ask less at once",
        )),
        Ok(Err(error)) => Err(refusal(Code::Usage, format!("the body: {error}"), "")),
        Err(_) => Err(refusal(Code::Usage, "the body did not come in time", "")),
    }
}

async fn answer(
    Of(state): Shared,
    body: Body,
    subject: fn(String) -> Subject,
) -> Result<Response, Refusal> {
    let body = small(body).await?;
    let asked: Asked = serde_json::from_slice(&body).map_err(|error| {
        refusal(Code::Usage, format!("the body: {error}"), "docs/interfaces/api.md shows its keys")
    })?;
    let question = asked.question(subject);
    let (outlet, pieces) = pipe::outlet();
    let (tell, told) = oneshot::channel();
    let backend = Arc::clone(&state.backend);
    let pool = if question.replicas.is_empty() { &state.asks } else { &state.fans };
    pool.run(move || answer_on_pool(&*backend, &question, tell, outlet)).map_err(|_| busy())?;
    match told.await {
        Ok(Ok(())) => Ok(lines(pieces)),
        Ok(Err(refusal)) => Err(refusal),
        Err(_) => Err(refusal(Code::Failed, "the question was given up", "try again")),
    }
}

/// Says whether there is an answer, and then writes it.
fn answer_on_pool(
    backend: &dyn Backend,
    question: &Question,
    tell: oneshot::Sender<Result<(), Refusal>>,
    mut out: Outlet,
) {
    let written = if question.replicas.is_empty() {
        match backend.ask(question) {
            Err(error) => return drop(tell.send(Err(error.into()))),
            Ok(_) if tell.is_closed() => return,
            Ok(answers) => {
                drop(tell.send(Ok(())));
                write_answer(&*answers, &mut out)
            }
        }
    } else {
        match backend.ask_replicas(question) {
            Err(error) => return drop(tell.send(Err(error.into()))),
            Ok(_) if tell.is_closed() => return,
            Ok(merged) => {
                drop(tell.send(Ok(())));
                write_merged(&merged, &mut out)
            }
        }
    };
    // A reader that went away needs no word.
    if let Err(Written::Failed(error)) = written {
        drop(write_line(&mut out, &refusal(Code::Failed, error, "")));
        drop(out.flush());
    }
}

/// The query string of `follow`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct FollowQuery {
    filter: String,
}

fn off(error: axum::extract::rejection::QueryRejection) -> Refusal {
    refusal(Code::Usage, error.body_text(), "docs/interfaces/api.md shows the parameters")
}

async fn follow(
    Of(state): Shared,
    asked: Result<Query<FollowQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(asked) = asked.map_err(off)?;
    let backend = Arc::clone(&state.backend);
    let followed = on_pool(&state.asks, move || backend.follow(&asked.filter)).await??;
    let full = || {
        refusal(
            Code::Busy,
            format!("{FOLLOWERS_MAX} programs follow the log already"),
            "end one of them",
        )
    };
    let followers = state.followers.lock().map_err(|_| busy())?;
    let pieces = followers.as_ref().and_then(|f| f.add(followed)).ok_or_else(full)?;
    Ok(lines(pipe::pieces(pieces)))
}

async fn top(
    Of(state): Shared,
    asked: Result<Query<FollowQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(asked) = asked.map_err(off)?;
    let of_pool = Arc::clone(&state);
    let summed = move || {
        let state = of_pool;
        let mut answer = TopAnswer {
            standing: state.standing(),
            series: state.history.lock().map(|h| h.series()).unwrap_or_default(),
            ..TopAnswer::default()
        };
        let now_ns = state.host.clock().monotonic_ns();
        let open = top::live(&*state.backend, &asked.filter, now_ns, &mut answer)?;
        if let Ok(mut tops) = state.tops.lock() {
            tops.sum(&*state.backend, &asked.filter, now_ns, &open, &mut answer)?;
        }
        Ok::<_, StoreError>(answer)
    };
    Ok(json(&on_pool(&state.asks, summed).await??))
}

async fn import(
    Of(state): Shared,
    Extension(peer): Extension<Peer>,
    asked: Result<Query<ImportQuery>, axum::extract::rejection::QueryRejection>,
    body: Body,
) -> Result<Response, Refusal> {
    let Query(asked) = asked.map_err(off)?;
    let sha256 = asked.sha256.filter(|sha| !sha.is_empty());
    if let Some(sha) = &sha256
        && (sha.len() != 64 || !sha.bytes().all(|b| b.is_ascii_hexdigit()))
    {
        return Err(refusal(Code::Usage, "sha256: expected 64 hexadecimal digits", ""));
    }
    let ask = ImportAsk {
        file: asked.file,
        sha256,
        filter: asked.filter,
        again: asked.again,
        no_idle_timeout: asked.no_idle_timeout,
        updates_s: asked.updates_s,
    };
    let (outlet, pieces) = pipe::outlet();
    let outlet = Arc::new(Mutex::new(outlet));
    let ready = Arc::clone(&outlet);
    let cut = Arc::new(AtomicBool::new(false));
    let begin = move || tell(&ready, &ImportLine::Ready(true));
    let (inlet, arriving) = pipe::inlet(body, begin, Arc::clone(&cut));
    let who = format!("uid {}, pid {}", peer.uid.unwrap_or(0), peer.pid.unwrap_or(0));
    let of_pool = Arc::clone(&state);
    let work = move || {
        let state = of_pool;
        let clock = state.host.clock();
        let mut told_ns = clock.monotonic_ns();
        let every_ns = u64::try_from(PROGRESS_EVERY.as_nanos()).unwrap_or(u64::MAX);
        let mut told = |read: u64| {
            let now = clock.monotonic_ns();
            if now.saturating_sub(told_ns) >= every_ns {
                told_ns = now;
                tell(&outlet, &ImportLine::Read(read));
            }
            // What was cut off is left as an import that was stopped: it can be completed.
            !cut.load(Ordering::SeqCst)
        };
        let claimed = ask.sha256.clone();
        let line = match state.backend.import(&ask, Box::new(inlet), &mut told) {
            Ok(mut report) => {
                // What the sender said of its bytes decided what was left out.
                if let Some(claimed) = claimed.filter(|c| *c != report.sha256 && !report.refused) {
                    let differs = format!("the bytes are not those of sha256 {claimed}");
                    report.error.get_or_insert(differs);
                }
                state.host.say(&format!(
                    "imported {:?} for {who}: {} events{}",
                    report.file,
                    report.events,
                    report.error.as_ref().map(|e| format!("; {e}")).unwrap_or_default()
                ));
                ImportLine::Report(report.into())
            }
            Err(error) => ImportLine::Refused(error.into()),
        };
        tell(&outlet, &line);
    };
    state.imports.run(work).map_err(|_| {
        refusal(Code::Busy, "other imports run already", "try again when they are done")
    })?;
    tokio::spawn(arriving);
    Ok(lines(pieces))
}

/// One line at once; a reader that went away is noticed by what reads the body.
fn tell(outlet: &Mutex<Outlet>, line: &ImportLine) {
    if let Ok(mut outlet) = outlet.lock() {
        drop(write_line(&mut *outlet, line).and_then(|()| outlet.flush()));
    }
}

//! What answers: the daemon, where one writes the log of the data folder; else the files.
//!
//! Either way the same lines come, so that every form prints the same.

use std::collections::BTreeMap;

use ghost_node::Timestamp;
use ghost_node::api::{
    AnswerHead, Answering, Client, ClientError, ClientHit, Code, PartLine, Question, Subject,
};
use ghost_node::store::{Found, QueryError, Store, StoreError, Tags};
use jiff::Zoned;

use crate::cli::{Place, Span};
use crate::host;
use crate::outcome::Failed;

/// What answers.
pub(crate) enum Memory {
    Files(Box<Store>),
    Daemon(Box<Client>),
}

/// An answer, hit by hit.
pub(crate) struct Reply<'m> {
    pub(crate) head: AnswerHead,
    hits: Hits<'m>,
}

enum Hits<'m> {
    Files { store: &'m Store, found: Box<Found>, at: usize },
    Daemon(Box<Answering<'m>>),
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum NoAnswer {
    /// This question can't be asked; others may be.
    Question(Failed),
    /// Nothing can be asked.
    Memory(Failed),
}

impl From<NoAnswer> for Failed {
    fn from(why: NoAnswer) -> Failed {
        match why {
            NoAnswer::Question(failed) | NoAnswer::Memory(failed) => failed,
        }
    }
}

/// The daemon that writes the log of the place, if one does.
pub(crate) fn daemon(place: &Place) -> Result<Option<Client>, Failed> {
    Client::find(&place.asked()).map_err(unanswered)
}

impl Memory {
    /// Whatever answers for the place.
    pub(crate) fn open(place: &Place) -> Result<Memory, Failed> {
        match daemon(place)? {
            Some(client) => Ok(Memory::Daemon(Box::new(client))),
            None => {
                let mut store = open_files(place)?;
                store.with_held(&place.data_with_log()?).map_err(failed)?;
                Ok(Memory::Files(Box::new(store)))
            }
        }
    }

    /// What was remembered when a block was sealed: the files, with a daemon or without.
    pub(crate) fn as_of(place: &Place, block: &str) -> Result<Memory, Failed> {
        let mut store = open_files(place)?;
        store.as_of(&place.data_with_log()?, block).map_err(failed)?;
        Ok(Memory::Files(Box::new(store)))
    }

    /// Asks one question.
    pub(crate) fn ask(&mut self, question: &Question) -> Result<Reply<'_>, NoAnswer> {
        match self {
            Memory::Files(_) if !question.replicas.is_empty() => {
                Err(NoAnswer::Memory(Failed::unreachable(
                    "replicas are asked through the daemon, and none runs here: `ghostbridge run`",
                )))
            }
            Memory::Files(store) => {
                let limits = question.limits();
                let found = match &question.subject {
                    Subject::Query(words) => store.query(words, &limits),
                    Subject::Flows(filters) => store.flows(filters, &limits),
                    Subject::Similar(to) => store.similar(to, &limits),
                    Subject::Patterns(text) => store.patterns(text, &limits),
                    Subject::Compare(text) => store.compare(text, &limits),
                }
                .map_err(no_answer)?;
                let mut head = AnswerHead::of(&found.answer);
                head.logs.clone_from(&found.logs);
                let hits = Hits::Files { store, found: Box::new(found), at: 0 };
                Ok(Reply { head, hits })
            }
            Memory::Daemon(client) => {
                let answering = client.ask(question).map_err(|error| match &error {
                    ClientError::Refused(refusal)
                        if matches!(refusal.code, Code::Usage | Code::NotFound) =>
                    {
                        NoAnswer::Question(unanswered(error))
                    }
                    _ => NoAnswer::Memory(unanswered(error)),
                })?;
                Ok(Reply { head: answering.head.clone(), hits: Hits::Daemon(Box::new(answering)) })
            }
        }
    }
}

impl Reply<'_> {
    /// The next hit; `None` after the last.
    pub(crate) fn next(&mut self) -> Result<Option<ClientHit>, Failed> {
        match &mut self.hits {
            Hits::Files { store, found, at } => {
                let Some(hit) = found.answer.hits.get(*at) else { return Ok(None) };
                let from = found.from(*at).map(str::to_owned);
                *at += 1;
                let line = store.read(hit.position).map_err(Failed::caused)?;
                Ok(Some(ClientHit {
                    score: hit.score,
                    why: hit.why.clone(),
                    also: hit.also,
                    parts: hit.parts.iter().map(PartLine::from).collect(),
                    from,
                    line,
                }))
            }
            Hits::Daemon(answering) => answering.next().map_err(unanswered),
        }
    }
}

/// The files themselves, opened to be asked.
pub(crate) fn open_files(place: &Place) -> Result<Store, Failed> {
    let data = place.data_with_log()?;
    Store::open(&data, &place.tags()?, place.models(), now()).map_err(failed)
}

/// A question as it is asked here and now.
pub(crate) fn question(
    place: &Place,
    subject: Subject,
    span: &Span,
    limit: usize,
) -> Result<Question, Failed> {
    let tags: BTreeMap<String, Vec<String>> = place.tags()?.tags;
    Ok(Question {
        subject,
        since: span.last.clone().or_else(|| span.since.clone()),
        until: span.until.clone(),
        limit,
        now: Some(now()),
        tags: (!tags.is_empty()).then_some(tags),
        grouped: false,
        explained: false,
        logs: Vec::new(),
        replicas: Vec::new(),
    })
}

/// The operator's words, as questions take them.
pub(crate) fn tags(place: &Place) -> Result<Tags, Failed> {
    Ok(Tags::new(place.tags()?.tags))
}

/// The moment, where the clock on the wall hangs.
pub(crate) fn now() -> Zoned {
    let utc = jiff::Timestamp::from_nanosecond(host::now().0.into()).unwrap_or_default();
    utc.to_zoned(jiff::tz::TimeZone::system())
}

/// The moment as programs read it (RFC 3339).
pub(crate) fn stamp(at: Timestamp) -> String {
    jiff::Timestamp::from_nanosecond(at.0.into())
        .map_or_else(|_| at.0.to_string(), |t| t.to_string())
}

/// The moment as people read it.
pub(crate) fn moment(at: Timestamp) -> String {
    jiff::Timestamp::from_nanosecond(at.0.into()).map_or_else(|_| at.0.to_string(), shown)
}

/// The same.
pub(crate) fn shown(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

fn no_answer(error: StoreError) -> NoAnswer {
    match &error {
        StoreError::Query(QueryError::Index(_)) | StoreError::Log(_) | StoreError::Index(_) => {
            NoAnswer::Memory(failed(error))
        }
        _ => NoAnswer::Question(failed(error)),
    }
}

/// A store's trouble as an exit code.
pub(crate) fn failed(error: StoreError) -> Failed {
    match error {
        StoreError::Query(QueryError::NoEvent(_)) => Failed::new(error),
        StoreError::Query(QueryError::Index(_)) => Failed::caused(error),
        StoreError::Query(_) | StoreError::NotAFilter(_) => Failed::usage(error),
        StoreError::NoSuchLog { .. } => Failed::new(error),
        error => Failed::caused(error),
    }
}

/// A client's trouble as an exit code.
pub(crate) fn unanswered(error: ClientError) -> Failed {
    match &error {
        ClientError::Unreachable { .. } => Failed::unreachable(error),
        ClientError::Denied { .. } => Failed::permission(error),
        ClientError::Refused(refusal) if refusal.code == Code::Usage => Failed::usage(error),
        ClientError::Refused(refusal) if refusal.code == Code::Stopping => {
            Failed::unreachable(error)
        }
        _ => Failed::new(error),
    }
}

//! What stands behind the API: the daemon, as the API sees it.

use std::collections::BTreeMap;
use std::io::Read;

use ghost_block::Block;
use ghost_log::LogError;
use jiff::Zoned;
use serde::{Deserialize, Serialize};

use super::replicas::{self, ReplicasAsk, ReplicasTold};
use crate::daemon::ReplicaError;

use crate::anomaly::wish::{AnomaliesStatus, Wish};
use crate::daemon::{
    Answered, Daemon, Follow, ImportAsk, ImportError, SealError, Status, WishError,
};
use crate::import::FileReport;
use crate::replicas::{FanError, LogPart, Merged};
use crate::store::{Answer, Limits, StoreError, Tags};

/// The daemon's side. Every method may be called from several threads at once.
pub trait Backend: Send + Sync + 'static {
    /// How everything stands; cheap, and called every second from the serving thread.
    fn status(&self) -> Status;

    /// Answers a question, open flows included. Runs on the pool; may take its time.
    ///
    /// # Errors
    /// The question can't be asked as it stands, or the log or index refuses.
    fn ask(&self, question: &Question) -> Result<Box<dyn Answers>, StoreError>;

    /// Asks replicas of the own log, and makes one answer of theirs. Runs on the pool.
    ///
    /// # Errors
    /// None can be asked, or none answered; or the question can't be asked as it stands.
    fn ask_replicas(&self, question: &Question) -> Result<Merged, FanError> {
        let _ = question;
        Err(FanError::NoReplicas)
    }

    /// Events as they are logged from now on, as far as they meet the conditions.
    ///
    /// # Errors
    /// The conditions can't be read.
    fn follow(&self, filters: &str) -> Result<Box<dyn Followed>, StoreError>;

    /// Imports the capture that `input` gives, through the daemon's own writer. Runs on the pool.
    /// `told` hears the bytes read so far, and ends the import by answering false.
    ///
    /// # Errors
    /// It was not begun, or not ended.
    fn import(
        &self,
        ask: &ImportAsk,
        input: Box<dyn Read + Send>,
        told: &mut dyn FnMut(u64) -> bool,
    ) -> Result<FileReport, ImportError>;

    /// Does what is asked about replicas. Runs on the pool.
    ///
    /// # Errors
    /// It could not be done.
    fn replicas(&self, ask: &ReplicasAsk) -> Result<ReplicasTold, ReplicaError> {
        let _ = ask;
        Err(ReplicaError::Io("this daemon has no replicas".to_owned()))
    }

    /// Seals the log into a block; none where nothing is new. Runs on the pool.
    ///
    /// # Errors
    /// It could not be sealed.
    fn seal(&self) -> Result<Option<Block>, SealError>;

    /// Has the scorer do what an operator wishes. Runs on the pool.
    ///
    /// # Errors
    /// Nothing is scored here, or it can't be done.
    fn anomalies(&self, _wish: Wish) -> Result<AnomaliesStatus, WishError> {
        Err(WishError::Refused("nothing is scored here".to_owned()))
    }
}

/// An answer and the lines of its hits.
pub trait Answers {
    fn answer(&self) -> &Answer;

    /// The line of hit number `at`.
    ///
    /// # Errors
    /// The log can't be read there.
    fn line(&self, at: usize) -> Result<Vec<u8>, LogError>;

    /// Whose log hit number `at` is of, where there is more than one.
    fn from(&self, at: usize) -> Option<&str> {
        let _ = at;
        None
    }

    /// Which logs were searched, where there is more than the own.
    fn logs(&self) -> &[LogPart] {
        &[]
    }
}

/// Lines of the log as they come.
pub trait Followed: Send {
    /// Those that came since the last call; none is no end.
    ///
    /// # Errors
    /// The log can't be read.
    fn next(&mut self) -> Result<Vec<Vec<u8>>, StoreError>;
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "text")]
pub enum Subject {
    /// Plain words.
    Query(String),
    /// Filters alone.
    Flows(String),
    /// An event's number or a Community ID; `host:…`, `element:…`, or a stretch of time.
    Similar(String),
    /// `now`, `list`, `match WORDS`, `trend [WORDS]`.
    Patterns(String),
    /// Two stretches of time or two hosts: `A vs B`.
    Compare(String),
}

/// A question with all that its answer depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    pub subject: Subject,
    /// `--since` or `--last`.
    pub since: Option<String>,
    pub until: Option<String>,
    /// 0 for all.
    pub limit: usize,
    /// The moment and the time zone of who asks, for words such as "yesterday"; else the daemon's.
    pub now: Option<Zoned>,
    /// The words for groups of hosts of who asks; else the daemon's own.
    pub tags: Option<BTreeMap<String, Vec<String>>>,
    /// Of hits that say the same again only the best, with their number.
    pub grouped: bool,
    /// Every hit with what its score is the sum of.
    pub explained: bool,
    /// Logs to ask, of those that are held here: `own`, hosts, or how ids begin; none for all.
    pub logs: Vec<String>,
    /// Replicas to ask: names, `own`; alone `all` or `any`; none for this host alone.
    pub replicas: Vec<String>,
}

impl Question {
    /// The limits as the store takes them.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits {
            since: self.since.clone(),
            until: self.until.clone(),
            hits: self.limit,
            now: self.now.clone(),
            tags: self.tags.clone().map(Tags::new),
            as_of: None,
            grouped: self.grouped,
            explained: self.explained,
            logs: self.logs.clone(),
        }
    }
}

impl Backend for Daemon {
    fn status(&self) -> Status {
        Daemon::status(self)
    }

    fn ask(&self, question: &Question) -> Result<Box<dyn Answers>, StoreError> {
        let limits = question.limits();
        let answered = match &question.subject {
            Subject::Query(words) => self.query(words, &limits),
            Subject::Flows(filters) => self.flows(filters, &limits),
            Subject::Similar(to) => self.similar(to, &limits),
            Subject::Patterns(text) => self.patterns(text, &limits),
            Subject::Compare(text) => self.compare(text, &limits),
        }?;
        Ok(Box::new(answered))
    }

    fn ask_replicas(&self, question: &Question) -> Result<Merged, FanError> {
        Daemon::ask_replicas(self, question)
    }

    fn follow(&self, filters: &str) -> Result<Box<dyn Followed>, StoreError> {
        Ok(Box::new(Daemon::follow(self, filters)?))
    }

    fn import(
        &self,
        ask: &ImportAsk,
        input: Box<dyn Read + Send>,
        told: &mut dyn FnMut(u64) -> bool,
    ) -> Result<FileReport, ImportError> {
        Daemon::import(self, ask, input, told)
    }

    fn seal(&self) -> Result<Option<Block>, SealError> {
        Daemon::seal(self)
    }

    fn anomalies(&self, wish: Wish) -> Result<AnomaliesStatus, WishError> {
        Daemon::anomalies(self, wish)
    }

    fn replicas(&self, ask: &ReplicasAsk) -> Result<ReplicasTold, ReplicaError> {
        replicas::told(self, ask)
    }
}

impl Answers for Answered {
    fn answer(&self) -> &Answer {
        &self.answer
    }

    fn line(&self, at: usize) -> Result<Vec<u8>, LogError> {
        Answered::line(self, at)
    }

    fn from(&self, at: usize) -> Option<&str> {
        Answered::from(self, at)
    }

    fn logs(&self) -> &[LogPart] {
        &self.logs
    }
}

impl Followed for Follow {
    fn next(&mut self) -> Result<Vec<Vec<u8>>, StoreError> {
        Follow::next(self)
    }
}
